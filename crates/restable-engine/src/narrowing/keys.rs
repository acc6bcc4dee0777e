//! The keys that one side of a join has: a node that hands on the rows of that side as they are, and remembers the values by which the
//! other side is joined. When the last row has passed, the scans of the other side know what to ask for.

use std::collections::HashSet;
use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, SchemaRef};
use datafusion::common::Result as PlanResult;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use datafusion::execution::{RecordBatchStream, SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_plan::execution_plan::{CardinalityEffect, ChildrenPropertiesMode};
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, ExecutionPlanProperties, PlanProperties,
    ReplaceChildrenOptions, apply_expression_roots,
};
use futures::{Stream, StreamExt};
use tokio::sync::watch;

use crate::statement::lock;
use crate::{Error, Result};

/// So many keys narrow a scan; with more of them the walk is as good. Where a scan cannot be read without keys there is no such number.
const MOST_KEYS: usize = 100_000;

/// The different keys of one side, when its last row has passed.
pub(crate) struct Keys {
    /// The number of values that a key is made of; 0 if all that is wanted is whether there are rows.
    width: usize,
    /// How many rows the side was thought to have.
    pub(crate) expected: f64,
    found: Mutex<Found>,
    ended: watch::Sender<Option<End>>,
}

#[derive(Default)]
struct Found {
    rows: Vec<Vec<Arc<str>>>,
    seen: HashSet<String>,
    any: bool,
    /// The keys have been given up.
    given_up: bool,
    /// Partitions that are read to their end, once the first was begun.
    ended: Vec<bool>,
    memory: Option<MemoryReservation>,
    /// Whether a scan cannot be read without the keys.
    needed: bool,
    /// Whether NULL equals NULL: then a key with one says nothing that can be asked for.
    nulls_match: bool,
    /// Whether rows of the other side are wanted only if there is none.
    forbids: bool,
}

/// What the reading of the side came to.
#[derive(Debug, Clone)]
pub(crate) enum End {
    /// Nothing is wanted: it had no row, or one where there may be none.
    Empty,
    /// These keys, each once, in the spelling that was seen first.
    Keys(Arc<Vec<Vec<Arc<str>>>>),
    /// There are rows; which is not known.
    Unknown,
}

impl fmt::Debug for Keys {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "keys of {} values", self.width)
    }
}

impl Keys {
    pub(crate) fn new(width: usize, expected: f64) -> Keys {
        Keys {
            width,
            expected,
            found: Mutex::default(),
            ended: watch::Sender::new(None),
        }
    }

    /// Says that a scan cannot be read without the keys, however many there are.
    pub(crate) fn need(&self) {
        lock(&self.found).needed = true;
    }

    /// Says that NULL is a value like others, as in INTERSECT.
    pub(crate) fn match_nulls(&self) {
        lock(&self.found).nulls_match = true;
    }

    /// Says that where there is a row, nothing of the other side is wanted, as in NOT EXISTS.
    pub(crate) fn forbid(&self) {
        lock(&self.found).forbids = true;
    }

    /// Whether a row on this side leaves nothing to be wanted of the other.
    pub(crate) fn forbids(&self) -> bool {
        lock(&self.found).forbids
    }

    /// What the side came to, once it has been read to its end.
    pub(crate) async fn end(&self) -> End {
        let mut ended = self.ended.subscribe();
        // The sender lives as long as this does.
        let end = ended.wait_for(Option::is_some).await;
        end.ok().and_then(|end| end.clone()).unwrap_or(End::Unknown)
    }

    /// Begins a partition; false if it was read before.
    fn begin(&self, partition: usize, of: usize, context: &TaskContext) -> bool {
        let mut found = lock(&self.found);
        if found.ended.len() < of {
            found.ended.resize(of, false);
        }
        if found.memory.is_none() {
            let consumer = MemoryConsumer::new("keys of a join");
            found.memory = Some(consumer.register(context.memory_pool()));
        }
        !found.ended[partition] && self.ended.borrow().is_none()
    }

    /// Takes the keys of some rows.
    fn take(&self, rows: usize, columns: &[&arrow::array::StringArray]) -> Result<()> {
        let mut found = lock(&self.found);
        let found = &mut *found;
        found.any |= rows > 0;
        if found.given_up || columns.is_empty() {
            return Ok(());
        }
        for row in 0..rows {
            // NULL equals nothing: no row is joined by it.
            if columns.iter().any(|column| column.is_null(row)) {
                // What calls have to name no row has as NULL.
                if found.nulls_match && !found.needed {
                    found.give_up();
                    return Ok(());
                }
                continue;
            }
            let mut key = String::new();
            for column in columns {
                key.push_str(&column.value(row).to_ascii_lowercase());
                key.push('\0');
            }
            if found.seen.contains(&key) {
                continue;
            }
            if !found.needed && found.seen.len() >= MOST_KEYS {
                found.give_up();
                return Ok(());
            }
            let bytes = 2 * key.len() + 64 * (columns.len() + 1);
            let grown = match &mut found.memory {
                Some(memory) => memory.try_grow(bytes),
                None => Ok(()),
            };
            match grown {
                Ok(()) => {}
                Err(problem) if found.needed => return Err(problem.into()),
                Err(_) => {
                    found.give_up();
                    return Ok(());
                }
            }
            found.seen.insert(key);
            let values = columns.iter().map(|column| Arc::from(column.value(row)));
            found.rows.push(values.collect());
        }
        Ok(())
    }

    /// A partition has been read to its end.
    fn finish(&self, partition: usize) {
        let end = {
            let mut found = lock(&self.found);
            if let Some(ended) = found.ended.get_mut(partition) {
                *ended = true;
            }
            if !found.ended.iter().all(|ended| *ended) {
                return;
            }
            found.seen = HashSet::new();
            match (found.any ^ found.forbids, found.given_up || self.width == 0) {
                (false, _) => End::Empty,
                (true, true) => End::Unknown,
                (true, false) => End::Keys(Arc::new(std::mem::take(&mut found.rows))),
            }
        };
        self.publish(end);
    }

    /// A partition was left before its end: the keys are not all.
    fn abandon(&self) {
        self.publish(End::Unknown);
    }

    fn publish(&self, end: End) {
        self.ended.send_if_modified(|ended| {
            let first = ended.is_none();
            if first {
                *ended = Some(end);
            }
            first
        });
    }
}

impl Found {
    fn give_up(&mut self) {
        self.given_up = true;
        self.rows = Vec::new();
        self.seen = HashSet::new();
        if let Some(memory) = &mut self.memory {
            memory.free();
        }
    }
}

/// The node that remembers the keys of the rows that pass.
#[derive(Debug)]
pub(crate) struct KeysExec {
    input: Arc<dyn ExecutionPlan>,
    values: Vec<Arc<dyn PhysicalExpr>>,
    keys: Arc<Keys>,
}

impl KeysExec {
    /// Remembers, of each row of `input`, these values.
    pub(crate) fn new(
        input: Arc<dyn ExecutionPlan>,
        values: Vec<Arc<dyn PhysicalExpr>>,
        keys: Arc<Keys>,
    ) -> KeysExec {
        KeysExec {
            input,
            values,
            keys,
        }
    }

    /// What remembers them.
    pub(crate) fn keys(&self) -> &Arc<Keys> {
        &self.keys
    }

    /// Whose rows pass.
    pub(crate) fn input(&self) -> &Arc<dyn ExecutionPlan> {
        &self.input
    }
}

impl DisplayAs for KeysExec {
    fn fmt_as(&self, kind: DisplayFormatType, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if matches!(kind, DisplayFormatType::TreeRender) {
            return Ok(());
        }
        let values = self.values.iter().map(ToString::to_string);
        let values: Vec<String> = values.collect();
        write!(formatter, "KeysExec: [{}]", values.join(", "))
    }
}

impl ExecutionPlan for KeysExec {
    fn name(&self) -> &'static str {
        "KeysExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        self.input.properties()
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        vec![true]
    }

    fn benefits_from_input_partitioning(&self) -> Vec<bool> {
        vec![false]
    }

    fn cardinality_effect(&self) -> CardinalityEffect {
        CardinalityEffect::Equal
    }

    fn apply_expressions(
        &self,
        look: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> PlanResult<TreeNodeRecursion>,
    ) -> PlanResult<TreeNodeRecursion> {
        apply_expression_roots(self.values.iter().map(Arc::clone), look)
    }

    fn replace_children(
        self: Arc<Self>,
        mut children: Vec<Arc<dyn ExecutionPlan>>,
        _options: ReplaceChildrenOptions,
    ) -> PlanResult<Arc<dyn ExecutionPlan>> {
        let Some(input) = children.pop() else {
            return Err(Error::internal("keys are of one input").into());
        };
        let (values, keys) = (self.values.clone(), Arc::clone(&self.keys));
        Ok(Arc::new(KeysExec::new(input, values, keys)))
    }

    fn with_new_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
    ) -> PlanResult<Arc<dyn ExecutionPlan>> {
        let options = ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute);
        self.replace_children(children, options)
    }

    fn execute(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> PlanResult<SendableRecordBatchStream> {
        let partitions = self.input.output_partitioning().partition_count();
        let first = self.keys.begin(partition, partitions, &context);
        let rows = self.input.execute(partition, context)?;
        if !first {
            return Ok(rows);
        }
        Ok(Box::pin(Passing {
            rows,
            partition,
            values: self.values.clone(),
            keys: Arc::clone(&self.keys),
            ended: false,
        }))
    }
}

/// The rows of a partition as they pass.
struct Passing {
    rows: SendableRecordBatchStream,
    partition: usize,
    values: Vec<Arc<dyn PhysicalExpr>>,
    keys: Arc<Keys>,
    ended: bool,
}

impl Passing {
    fn remember(&self, batch: &RecordBatch) -> PlanResult<()> {
        let mut columns = Vec::with_capacity(self.values.len());
        for value in &self.values {
            let values = value.evaluate(batch)?.into_array(batch.num_rows())?;
            columns.push(cast(&values, &DataType::Utf8)?);
        }
        let columns: Vec<_> = columns
            .iter()
            .map(|column| column.as_string::<i32>())
            .collect();
        Ok(self.keys.take(batch.num_rows(), &columns)?)
    }
}

impl Stream for Passing {
    type Item = PlanResult<RecordBatch>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let next = std::task::ready!(self.rows.poll_next_unpin(context));
        Poll::Ready(match next {
            Some(Ok(batch)) => Some(self.remember(&batch).map(|()| batch)),
            Some(Err(problem)) => Some(Err(problem)),
            None => {
                if !self.ended {
                    self.ended = true;
                    self.keys.finish(self.partition);
                }
                None
            }
        })
    }
}

impl RecordBatchStream for Passing {
    fn schema(&self) -> SchemaRef {
        self.rows.schema()
    }
}

impl Drop for Passing {
    fn drop(&mut self) {
        if !self.ended {
            self.keys.abandon();
        }
    }
}
