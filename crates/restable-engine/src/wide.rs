//! Rows with large values. DataFusion counts rows where it makes batches: a few thousand of them are little where a row is, and more than
//! there is memory for where each has a megabyte. So what crosses two tables is given as few rows of one as the other's are wide, and
//! what sorts or groups takes no more of large values than a part of the memory. Other joins are looked at in `joined`.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};

use arrow::array::{Array as _, ArrayRef, AsArray as _, RecordBatch};
use arrow::datatypes::{DataType, SchemaRef};
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TransformedResult as _, TreeNode as _};
use datafusion::common::{DataFusionError, Result as PlanResult};
use datafusion::execution::{RecordBatchStream, SendableRecordBatchStream, TaskContext};
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::aggregates::AggregateExec;
use datafusion::physical_plan::execution_plan::replace_children_if_necessary;
use datafusion::physical_plan::joins::CrossJoinExec;
use datafusion::physical_plan::sorts::sort::SortExec;
use futures::{Stream, StreamExt as _};

use crate::through::{Passage, Through};

/// The rule that looks at the width of rows.
#[derive(Debug)]
pub(crate) struct WideRows;

impl PhysicalOptimizerRule for WideRows {
    fn optimize(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        config: &ConfigOptions,
    ) -> PlanResult<Arc<dyn ExecutionPlan>> {
        let Some(memory) = crate::zone::memory(config) else {
            return Ok(plan);
        };
        let room = Room {
            memory,
            rows: config.execution.batch_size.get(),
        };
        let over = |input: &Arc<dyn ExecutionPlan>, does| Through::over(input, Wide { room, does });
        plan.transform_up(|node| {
            let crosses = node.is::<CrossJoinExec>();
            let groups = node
                .downcast_ref::<AggregateExec>()
                .is_some_and(|groups| !groups.group_expr().is_empty());
            let inputs: Vec<_> = match node.children().as_slice() {
                [left, right] if crosses => {
                    let side = Arc::new(Side::default());
                    let left = over(left, Does::Measures(Arc::clone(&side)));
                    vec![left, over(right, Does::Slices(side))]
                }
                [input] if groups || node.is::<SortExec>() => {
                    vec![over(input, Does::Counts)]
                }
                _ => return Ok(Transformed::no(node)),
            };
            replace_children_if_necessary(node, inputs).map(Transformed::yes)
        })
        .data()
    }

    fn name(&self) -> &'static str {
        "wide_rows"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

/// What there is room for.
#[derive(Debug, Clone, Copy)]
struct Room {
    /// Bytes of a session.
    memory: usize,
    /// Rows of a batch.
    rows: usize,
}

impl Room {
    /// Bytes of a row of which a whole batch has room.
    fn row(self) -> usize {
        (self.memory / self.rows.max(1)).max(1)
    }
}

/// What is known of the side of a join that is read first.
#[derive(Debug, Default)]
struct Side {
    rows: AtomicUsize,
    widest: AtomicUsize,
}

#[derive(Debug, Clone)]
enum Does {
    /// It is the side that is read first.
    Measures(Arc<Side>),
    /// It is the other side: so few rows at once that each may meet the widest of the first.
    Slices(Arc<Side>),
    /// Its rows are held together: large values may be so many bytes only.
    Counts,
}

/// Rows that are looked at.
#[derive(Debug, Clone)]
struct Wide {
    room: Room,
    does: Does,
}

impl Passage for Wide {
    const NAME: &'static str = "WideExec";

    fn begin(
        &self,
        input: &Arc<dyn ExecutionPlan>,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> PlanResult<SendableRecordBatchStream> {
        Ok(Box::pin(Looked {
            input: input.execute(partition, context)?,
            room: self.room,
            does: self.does.clone(),
            rest: None,
            large: 0,
        }))
    }
}

struct Looked {
    input: SendableRecordBatchStream,
    room: Room,
    does: Does,
    rest: Option<RecordBatch>,
    /// Bytes of the large values that went by.
    large: usize,
}

impl Looked {
    fn look(&mut self, batch: RecordBatch) -> PlanResult<RecordBatch> {
        match &self.does {
            Does::Measures(side) => {
                side.rows.fetch_add(batch.num_rows(), Ordering::Relaxed);
                side.widest.fetch_max(widest(&batch), Ordering::Relaxed);
                Ok(batch)
            }
            Does::Slices(side) => {
                let met = side.rows.load(Ordering::Relaxed).min(self.room.rows);
                let own = widest(&batch);
                if own > self.room.row() && own.saturating_mul(met) > self.room.memory {
                    return Err(too_wide(own));
                }
                let widest = side.widest.load(Ordering::Relaxed).max(1);
                // A slice and what is made of it have a part of the memory.
                let rows = (self.room.memory / 16 / widest).max(1);
                self.rest =
                    (rows < batch.num_rows()).then(|| batch.slice(rows, batch.num_rows() - rows));
                Ok(batch.slice(0, rows.min(batch.num_rows())))
            }
            Does::Counts => {
                let least = self.room.row();
                let columns = batch.columns().iter();
                let large = columns.flat_map(sizes).filter(|size| *size > least);
                let (sum, most) = large.fold((0, 0), |(sum, most): (usize, usize), size| {
                    (sum.saturating_add(size), most.max(size))
                });
                self.large = self.large.saturating_add(sum);
                match self.large > self.room.memory / 4 {
                    true => Err(too_wide(most)),
                    false => Ok(batch),
                }
            }
        }
    }
}

pub(crate) fn too_wide(bytes: usize) -> DataFusionError {
    DataFusionError::ResourcesExhausted(format!(
        "there are too many rows with values of {bytes} bytes and their like"
    ))
}

/// Bytes of the widest row of a batch, at most.
pub(crate) fn widest(batch: &RecordBatch) -> usize {
    let columns = batch.columns().iter();
    let widths = columns.map(|column| match column.data_type().primitive_width() {
        Some(width) => width,
        None => sizes(column).max().unwrap_or_default(),
    });
    widths.sum()
}

/// Bytes of the values of a column; none of what is small by its type.
fn sizes(column: &ArrayRef) -> Box<dyn Iterator<Item = usize> + '_> {
    fn between<'a, T: Copy + TryInto<usize>>(
        offsets: &'a [T],
    ) -> Box<dyn Iterator<Item = usize> + 'a> {
        let place = |at: T| at.try_into().unwrap_or_default();
        let pairs = offsets.windows(2);
        Box::new(pairs.map(move |pair| place(pair[1]).saturating_sub(place(pair[0]))))
    }
    match column.data_type() {
        DataType::Utf8 => between(column.as_string::<i32>().value_offsets()),
        DataType::LargeUtf8 => between(column.as_string::<i64>().value_offsets()),
        DataType::Binary => between(column.as_binary::<i32>().value_offsets()),
        DataType::LargeBinary => between(column.as_binary::<i64>().value_offsets()),
        DataType::Utf8View => {
            let views = column.as_string_view();
            Box::new((0..views.len()).map(|at| views.value(at).len()))
        }
        kind if kind.is_primitive() || *kind == DataType::Boolean || column.is_empty() => {
            Box::new(std::iter::empty())
        }
        // Of what is nested only the whole is known.
        _ => {
            let whole = column.to_data().get_slice_memory_size();
            let whole = whole.unwrap_or_else(|_| column.get_array_memory_size());
            Box::new(std::iter::repeat_n(whole / column.len(), column.len()))
        }
    }
}

impl Stream for Looked {
    type Item = PlanResult<RecordBatch>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let looked = self.get_mut();
        if let Some(rest) = looked.rest.take() {
            return Poll::Ready(Some(looked.look(rest)));
        }
        let next = ready!(looked.input.poll_next_unpin(context));
        Poll::Ready(next.map(|next| next.and_then(|batch| looked.look(batch))))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (0, None)
    }
}

impl RecordBatchStream for Looked {
    fn schema(&self) -> SchemaRef {
        self.input.schema()
    }
}
