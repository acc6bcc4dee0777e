//! Joins that compute for long give way to others: to the clock that ends their statement, to the client that cancels it, to the
//! statements of everybody else. DataFusion's joins go on for as long as their inputs have rows at hand, and one of two large inputs
//! has them for hours; a task that never waits cannot be stopped either.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use datafusion::common::Result as PlanResult;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{
    Transformed, TransformedResult as _, TreeNode as _, TreeNodeRecursion,
};
use datafusion::execution::{RecordBatchStream, SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::expressions::Literal;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::execution_plan::replace_children_if_necessary;
use datafusion::physical_plan::joins::{
    CrossJoinExec, HashJoinExec, NestedLoopJoinExec, SortMergeJoinExec,
};
use datafusion::physical_plan::unnest::UnnestExec;
use futures::{Stream, StreamExt as _};

use crate::through::{Passage, Through};

/// So long a task computes before others have their turn.
const TURN: Duration = Duration::from_millis(10);
/// A slice that took longer than this is too large.
const SLOW: Duration = Duration::from_millis(40);

/// The rule that paces joins. It comes last: nobody looks for joins after it.
#[derive(Debug)]
pub(crate) struct PacedJoins;

impl PhysicalOptimizerRule for PacedJoins {
    fn optimize(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        _config: &ConfigOptions,
    ) -> PlanResult<Arc<dyn ExecutionPlan>> {
        plan.transform_up(|node| {
            let nested = node.is::<NestedLoopJoinExec>();
            let crossed = node.is::<CrossJoinExec>();
            let many = node.is::<HashJoinExec>()
                || node.is::<SortMergeJoinExec>()
                || node.is::<UnnestExec>();
            if !nested && !crossed && !many {
                return Ok(Transformed::no(node));
            }
            let probes = nested || node.is::<HashJoinExec>();
            let node = match (probes, node.children().as_slice()) {
                // Each slice of the right side meets the whole of the left one before the join asks for more.
                (true, [left, right]) => {
                    let right = Through::over(right, Paced(Slices::Adapted));
                    replace_children_if_necessary(Arc::clone(&node), vec![Arc::clone(left), right])?
                }
                _ => node,
            };
            Ok(Transformed::yes(Through::over(&node, Paced(Slices::Whole))))
        })
        .data()
    }

    fn name(&self) -> &'static str {
        "paced_joins"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

/// The rule that keeps a text that is written out, or was computed before, from being repeated for more rows than there is memory for.
#[derive(Debug)]
pub(crate) struct LargeConstants;

impl PhysicalOptimizerRule for LargeConstants {
    fn optimize(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        config: &ConfigOptions,
    ) -> PlanResult<Arc<dyn ExecutionPlan>> {
        /// Less than this is not worth a look.
        const LARGE: usize = 4 << 10;
        /// What batches of Arrow have room for, with some left.
        const MOST: usize = 1 << 30;
        let room = crate::zone::memory(config).unwrap_or(MOST).min(MOST) / 16;
        plan.transform_up(|node| {
            let mut largest = 0;
            node.apply_expressions(&mut |expr| {
                expr.apply(|part| {
                    if let Some(literal) = part.downcast_ref::<Literal>() {
                        largest = largest.max(literal.value().size());
                    }
                    Ok(TreeNodeRecursion::Continue)
                })
            })?;
            let rows = (room / largest.max(1)).max(1);
            if largest < LARGE || rows >= 8192 || node.is::<Through<Paced>>() {
                return Ok(Transformed::no(node));
            }
            let inputs = node.children().into_iter();
            let inputs: Vec<_> = inputs
                .map(|input| Through::over(input, Paced(Slices::Rows(rows))))
                .collect();
            if inputs.is_empty() {
                return Ok(Transformed::no(node));
            }
            replace_children_if_necessary(node, inputs).map(Transformed::yes)
        })
        .data()
    }

    fn name(&self) -> &'static str {
        "large_constants"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

/// How the batches of an input are handed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Slices {
    /// As they are.
    Whole,
    /// In parts so small that whoever takes one is soon back for the next.
    Adapted,
    /// In parts of so many rows.
    Rows(usize),
}

/// Rows as they come, with a pause after each turn.
#[derive(Debug, Clone)]
struct Paced(Slices);

impl Passage for Paced {
    const NAME: &'static str = "PacedExec";

    fn begin(
        &self,
        input: &Arc<dyn ExecutionPlan>,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> PlanResult<SendableRecordBatchStream> {
        Ok(Box::pin(Turns {
            input: input.execute(partition, context)?,
            slices: self.0,
            size: match self.0 {
                Slices::Rows(rows) => rows,
                Slices::Whole | Slices::Adapted => 1,
            },
            rest: None,
            handed: None,
            turn: None,
        }))
    }
}

struct Turns {
    input: SendableRecordBatchStream,
    slices: Slices,
    /// Rows of a slice.
    size: usize,
    rest: Option<RecordBatch>,
    /// When the last slice was handed on.
    handed: Option<Instant>,
    /// When this turn began.
    turn: Option<Instant>,
}

impl Turns {
    /// The next slice of a batch; what is left of it waits.
    fn slice(&mut self, batch: RecordBatch, now: Instant) -> RecordBatch {
        if self.slices == Slices::Whole {
            return batch;
        }
        let rows = self.size.min(batch.num_rows());
        self.rest = (rows < batch.num_rows()).then(|| batch.slice(rows, batch.num_rows() - rows));
        self.handed = Some(now);
        batch.slice(0, rows)
    }

    /// Learns from how long the last slice took.
    fn learn(&mut self, now: Instant) {
        let Some(handed) = self.handed.take() else {
            return;
        };
        if self.slices != Slices::Adapted {
            return;
        }
        let took = now.duration_since(handed);
        if took > SLOW {
            self.size = (self.size / 4).max(1);
        } else if took < TURN {
            self.size = self.size.saturating_mul(8).min(8192);
        }
    }
}

impl Stream for Turns {
    type Item = PlanResult<RecordBatch>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let turns = self.get_mut();
        let now = Instant::now();
        turns.learn(now);
        let began = *turns.turn.get_or_insert(now);
        if now.duration_since(began) >= TURN {
            turns.turn = None;
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        if let Some(rest) = turns.rest.take() {
            return Poll::Ready(Some(Ok(turns.slice(rest, now))));
        }
        let next = turns.input.poll_next_unpin(context);
        if next.is_pending() {
            turns.turn = None;
        }
        let next = ready!(next);
        let now = Instant::now();
        Poll::Ready(next.map(|next| next.map(|batch| turns.slice(batch, now))))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (0, None)
    }
}

impl RecordBatchStream for Turns {
    fn schema(&self) -> SchemaRef {
        self.input.schema()
    }
}
