//! Joins of rows with large values. A join makes batches of so many rows, whatever they hold: a thousand pairs of rows with a megabyte each
//! are more than there is memory for. So both sides are looked at before a join begins: the one that it holds is read to its end, and
//! counted for a second time, since the join makes one batch of it; of the other side the first rows are. Then the join is told to make
//! batches of as few rows as there is room for.

use std::collections::{HashMap, VecDeque};
use std::pin::Pin;
use std::sync::{Arc, Mutex, Weak};
use std::task::{Context, Poll, ready};

use arrow::array::{Array as _, RecordBatch};
use arrow::datatypes::SchemaRef;
use datafusion::common::Result as PlanResult;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TransformedResult as _, TreeNode as _};
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use datafusion::execution::{RecordBatchStream, SendableRecordBatchStream, TaskContext};
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::execution_plan::replace_children_if_necessary;
use datafusion::physical_plan::joins::{
    HashJoinExec, NestedLoopJoinExec, PartitionMode, SortMergeJoinExec,
};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::{Stream, StreamExt as _, TryStreamExt as _};

use crate::statement::lock;
use crate::through::{Passage, Through};
use crate::wide::{too_wide, widest};

/// The rule that looks at both sides of joins.
#[derive(Debug)]
pub(crate) struct JoinsMeasured;

impl PhysicalOptimizerRule for JoinsMeasured {
    fn optimize(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        config: &ConfigOptions,
    ) -> PlanResult<Arc<dyn ExecutionPlan>> {
        let Some(memory) = crate::zone::memory(config) else {
            return Ok(plan);
        };
        let rows = config.execution.batch_size.get();
        plan.transform_up(|node| {
            let holds = match node.downcast_ref::<HashJoinExec>() {
                Some(hash) if *hash.partition_mode() == PartitionMode::Partitioned => Holds::Own,
                Some(_) => Holds::Shared,
                None if node.is::<NestedLoopJoinExec>() => Holds::MayNot,
                None if node.is::<SortMergeJoinExec>() => Holds::Nothing,
                None => return Ok(Transformed::no(node)),
            };
            let meeting = Arc::<Meeting>::default();
            let at = |at| Joined {
                at,
                holds,
                memory,
                rows,
                meeting: Arc::clone(&meeting),
            };
            let inputs = match node.children().as_slice() {
                [left, right] => vec![
                    Through::over(left, at(At::Left)),
                    Through::over(right, at(At::Right)),
                ],
                _ => return Ok(Transformed::no(node)),
            };
            let node = replace_children_if_necessary(node, inputs)?;
            Ok(Transformed::yes(Through::over(&node, at(At::Above))))
        })
        .data()
    }

    fn name(&self) -> &'static str {
        "joins_measured"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

/// Which rows a join holds before it takes the first of the other side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Holds {
    /// All of the left side, once for all partitions of the right one.
    Shared,
    /// All of the same partition of the left side.
    Own,
    /// All of the left side, unless they are too many.
    MayNot,
    /// None: both sides are sorted.
    Nothing,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum At {
    Left,
    Right,
    Above,
}

/// One of the three places at a join.
#[derive(Debug, Clone)]
struct Joined {
    at: At,
    holds: Holds,
    /// Bytes of a session.
    memory: usize,
    /// Rows of a batch.
    rows: usize,
    meeting: Arc<Meeting>,
}

/// Where the three meet. A join may be begun again: each of its partitions counts for itself how often it was.
#[derive(Debug, Default)]
struct Meeting {
    turns: Mutex<HashMap<usize, usize>>,
    /// What was looked at of sides, until the join takes it.
    looked: Mutex<HashMap<(At, usize, usize), Looked>>,
    /// What is known of left sides.
    known: tokio::sync::Mutex<HashMap<(usize, usize), Known>>,
    /// One partition of the join is begun after the other, so that its sides know by which.
    begins: Mutex<()>,
    /// The one that is begun just now.
    now: Mutex<Option<Now>>,
}

/// What is known of a left side.
#[derive(Debug, Clone, Default)]
struct Known {
    widest: usize,
    is_empty: bool,
    /// What is held of it beside the join.
    held: Weak<MemoryReservation>,
}

/// How a join is begun.
#[derive(Debug, Clone)]
struct Now {
    turn: usize,
    /// What its inputs are begun with.
    context: Arc<TaskContext>,
    batches: Batches,
}

/// How large the batches of a join are.
#[derive(Debug, Clone, Copy)]
struct Batches {
    rows: usize,
    /// The widest row of the left side.
    left: usize,
    memory: usize,
}

/// The first rows of a side, and what follows them.
struct Looked {
    first: VecDeque<RecordBatch>,
    rest: Option<SendableRecordBatchStream>,
}

impl std::fmt::Debug for Looked {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Looked").finish_non_exhaustive()
    }
}

impl Looked {
    fn widest(&self) -> usize {
        self.first.iter().map(widest).max().unwrap_or_default()
    }
}

impl Passage for Joined {
    const NAME: &'static str = "JoinedExec";

    fn begin(
        &self,
        input: &Arc<dyn ExecutionPlan>,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> PlanResult<SendableRecordBatchStream> {
        if self.at == At::Above {
            let schema = input.schema();
            let begun = self.clone().begun(Arc::clone(input), partition, context);
            let rows = futures::stream::once(begun).try_flatten();
            return Ok(Box::pin(RecordBatchStreamAdapter::new(schema, rows)));
        }
        let Some(now) = lock(&self.meeting.now).clone() else {
            return input.execute(partition, context);
        };
        let place = (self.at, partition, now.turn);
        let looked = lock(&self.meeting.looked).remove(&place);
        let looked = match looked {
            Some(looked) => looked,
            None => Looked {
                first: VecDeque::new(),
                rest: Some(input.execute(partition, now.context)?),
            },
        };
        Ok(Box::pin(Handed {
            schema: input.schema(),
            looked,
            batches: (self.at == At::Right || self.holds == Holds::Nothing).then_some(now.batches),
            part: None,
        }))
    }
}

/// The side of a join below it, found again: others may stand between.
fn side(join: &Arc<dyn ExecutionPlan>, at: At) -> Option<Arc<dyn ExecutionPlan>> {
    let mut node = Arc::clone(join);
    loop {
        let children = node.children();
        let next = match (children.as_slice(), at) {
            ([_, right], At::Right) => *right,
            ([left, ..], _) => *left,
            _ => return None,
        };
        let next = Arc::clone(next);
        if node.is::<Through<Joined>>() {
            return Some(next);
        }
        node = next;
    }
}

impl Joined {
    /// Begins a join, once both of its sides were looked at.
    async fn begun(
        self,
        join: Arc<dyn ExecutionPlan>,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> PlanResult<SendableRecordBatchStream> {
        let (Some(left), Some(right)) = (side(&join, At::Left), side(&join, At::Right)) else {
            return join.execute(partition, context);
        };
        let turn = {
            let mut turns = lock(&self.meeting.turns);
            let turn = turns.entry(partition).or_default();
            *turn += 1;
            *turn
        };
        let at = match self.holds {
            Holds::Own | Holds::Nothing => partition,
            Holds::Shared | Holds::MayNot => 0,
        };
        let (known, held) = self.left(&left, at, turn, &context).await?;
        let mut wide = known.widest;
        // Nothing of the other side is asked for by one that has no row to meet it.
        if !known.is_empty {
            let looked = first(right.execute(partition, Arc::clone(&context))?).await?;
            // The next ones may be wider.
            wide = wide.saturating_add(looked.widest().saturating_mul(4));
            lock(&self.meeting.looked).insert((At::Right, partition, turn), looked);
        }
        let rows = (self.memory / 32 / wide.max(1)).clamp(2, self.rows.max(2));
        let narrowed = match rows < self.rows {
            true => of_rows(&context, rows),
            false => Arc::clone(&context),
        };
        let now = Now {
            turn,
            context,
            batches: Batches {
                rows,
                left: known.widest,
                memory: self.memory,
            },
        };
        let rows = {
            let _begins = lock(&self.meeting.begins);
            *lock(&self.meeting.now) = Some(now);
            let rows = join.execute(partition, narrowed);
            *lock(&self.meeting.now) = None;
            rows?
        };
        Ok(Box::pin(Held { rows, _held: held }))
    }

    /// Looks at the left side, once for all whose it is.
    async fn left(
        &self,
        input: &Arc<dyn ExecutionPlan>,
        at: usize,
        turn: usize,
        context: &Arc<TaskContext>,
    ) -> PlanResult<(Known, Option<Arc<MemoryReservation>>)> {
        let mut all = self.meeting.known.lock().await;
        if let Some(known) = all.get(&(at, turn)) {
            return Ok((known.clone(), known.held.upgrade()));
        }
        let mut looked = first(input.execute(at, Arc::clone(context))?).await?;
        let held =
            Arc::new(MemoryConsumer::new("a side of a join").register(context.memory_pool()));
        if self.holds != Holds::Nothing {
            for batch in &looked.first {
                held.try_grow(size(batch))?;
            }
            while let Some(rest) = &mut looked.rest {
                let Some(batch) = rest.next().await else {
                    looked.rest = None;
                    break;
                };
                let batch = batch?;
                let room = held.try_grow(size(&batch));
                looked.first.push_back(batch);
                match room {
                    Err(_) if self.holds == Holds::MayNot => break,
                    room => room?,
                }
            }
        }
        let known = Known {
            widest: looked.widest(),
            is_empty: looked.rest.is_none() && looked.first.iter().all(|one| one.num_rows() == 0),
            held: Arc::downgrade(&held),
        };
        lock(&self.meeting.looked).insert((At::Left, at, turn), looked);
        all.insert((at, turn), known.clone());
        Ok((known, Some(held)))
    }
}

/// The same context for batches of so many rows.
pub(crate) fn of_rows(context: &TaskContext, rows: usize) -> Arc<TaskContext> {
    let config = context.session_config().clone().with_batch_size(rows);
    Arc::new(TaskContext::new(
        context.task_id(),
        context.session_id(),
        config,
        HashMap::new(),
        HashMap::new(),
        HashMap::new(),
        HashMap::new(),
        context.runtime_env(),
    ))
}

/// The first rows of a side.
async fn first(mut rest: SendableRecordBatchStream) -> PlanResult<Looked> {
    let mut first = VecDeque::new();
    while let Some(batch) = rest.next().await {
        let batch = batch?;
        if batch.num_rows() > 0 {
            first.push_back(batch);
            return Ok(Looked {
                first,
                rest: Some(rest),
            });
        }
    }
    Ok(Looked { first, rest: None })
}

pub(crate) fn size(batch: &RecordBatch) -> usize {
    let columns = batch.columns().iter();
    let sizes = columns.map(|column| {
        let size = column.to_data().get_slice_memory_size();
        size.unwrap_or_else(|_| column.get_array_memory_size())
    });
    sizes.sum()
}

/// A side of a join, as the join takes it.
struct Handed {
    schema: SchemaRef,
    looked: Looked,
    /// What its rows must fit into.
    batches: Option<Batches>,
    /// What was not handed on yet of a batch.
    part: Option<RecordBatch>,
}

impl Handed {
    /// So many rows of a batch as the join makes of them at once.
    fn part(&mut self, batch: RecordBatch) -> PlanResult<RecordBatch> {
        let Some(Batches { rows, left, memory }) = self.batches else {
            return Ok(batch);
        };
        let wide = widest(&batch);
        if wide.saturating_add(left).saturating_mul(rows) > memory / 2 {
            return Err(too_wide(wide));
        }
        let more = batch.num_rows().saturating_sub(rows);
        self.part = (more > 0).then(|| batch.slice(rows, more));
        Ok(batch.slice(0, batch.num_rows() - more))
    }
}

impl Stream for Handed {
    type Item = PlanResult<RecordBatch>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let handed = self.get_mut();
        let at_hand = handed.part.take();
        if let Some(batch) = at_hand.or_else(|| handed.looked.first.pop_front()) {
            return Poll::Ready(Some(handed.part(batch)));
        }
        let Some(rest) = &mut handed.looked.rest else {
            return Poll::Ready(None);
        };
        let next = ready!(rest.poll_next_unpin(context));
        Poll::Ready(next.map(|next| next.and_then(|batch| handed.part(batch))))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (0, None)
    }
}

impl RecordBatchStream for Handed {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }
}

/// The rows of a join, and what is held for it.
struct Held {
    rows: SendableRecordBatchStream,
    _held: Option<Arc<MemoryReservation>>,
}

impl Stream for Held {
    type Item = PlanResult<RecordBatch>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.rows.poll_next_unpin(context)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.rows.size_hint()
    }
}

impl RecordBatchStream for Held {
    fn schema(&self) -> SchemaRef {
        self.rows.schema()
    }
}
