//! Rows that are handed from some partitions to others. DataFusion gathers them there until they make a batch of thousands of rows, whatever
//! they hold and without counting them: of a megabyte each they are more than there is memory for. So the node that hands them on is begun
//! for batches of one row, which lets every batch through as it is, and they are gathered behind it, where their bytes count as well.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use arrow::array::RecordBatch;
use arrow::compute::BatchCoalescer;
use arrow::datatypes::SchemaRef;
use datafusion::common::Result as PlanResult;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TransformedResult as _, TreeNode as _};
use datafusion::execution::{RecordBatchStream, SendableRecordBatchStream, TaskContext};
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::execution_plan::replace_children_if_necessary;
use datafusion::physical_plan::repartition::RepartitionExec;
use futures::{Stream, StreamExt as _};

use crate::joined::{of_rows, size};
use crate::through::{Passage, Through};

/// The rule that gathers by bytes what is handed from partition to partition.
#[derive(Debug)]
pub(crate) struct GatheredByBytes;

impl PhysicalOptimizerRule for GatheredByBytes {
    fn optimize(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        config: &ConfigOptions,
    ) -> PlanResult<Arc<dyn ExecutionPlan>> {
        let Some(memory) = crate::zone::memory(config) else {
            return Ok(plan);
        };
        let rows = config.execution.batch_size.get();
        let at = |place| Gathered {
            place,
            rows,
            // As in `size_batches`: a batch of each of several nodes is there at once.
            bytes: (memory / 64).max(1),
        };
        plan.transform_up(|node| {
            // One that keeps an order gathers nothing.
            let gathers = node
                .downcast_ref::<RepartitionExec>()
                .is_some_and(|node| !node.preserve_order());
            if !gathers {
                return Ok(Transformed::no(node));
            }
            let inputs = node.children().into_iter();
            let inputs = inputs.map(|input| Through::over(input, at(Place::Below)));
            let node = replace_children_if_necessary(Arc::clone(&node), inputs.collect())?;
            Ok(Transformed::yes(Through::over(&node, at(Place::Above))))
        })
        .data()
    }

    fn name(&self) -> &'static str {
        "gathered_by_bytes"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Where the rows come in: there batches are as large as elsewhere.
    Below,
    /// Where they are gathered.
    Above,
}

#[derive(Debug, Clone)]
struct Gathered {
    place: Place,
    /// Rows and bytes of a batch.
    rows: usize,
    bytes: usize,
}

impl Passage for Gathered {
    const NAME: &'static str = "GatheredExec";

    fn begin(
        &self,
        input: &Arc<dyn ExecutionPlan>,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> PlanResult<SendableRecordBatchStream> {
        if self.place == Place::Below {
            return input.execute(partition, of_rows(&context, self.rows));
        }
        let batches = BatchCoalescer::new(input.schema(), self.rows)
            .with_biggest_coalesce_batch_size(Some(self.rows / 2));
        Ok(Box::pin(Gathering {
            input: Some(input.execute(partition, of_rows(&context, 1))?),
            batches,
            bytes: 0,
            most: self.bytes,
        }))
    }
}

struct Gathering {
    /// `None` after its end.
    input: Option<SendableRecordBatchStream>,
    batches: BatchCoalescer,
    /// What was gathered since the last batch, and how much may be.
    bytes: usize,
    most: usize,
}

impl Gathering {
    fn gather(&mut self, batch: RecordBatch) -> PlanResult<()> {
        self.bytes = self.bytes.saturating_add(size(&batch));
        self.batches.push_batch(batch)?;
        if self.bytes >= self.most {
            self.batches.finish_buffered_batch()?;
        }
        Ok(())
    }
}

impl Stream for Gathering {
    type Item = PlanResult<RecordBatch>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let gathering = self.get_mut();
        loop {
            if let Some(batch) = gathering.batches.next_completed_batch() {
                gathering.bytes = 0;
                return Poll::Ready(Some(Ok(batch)));
            }
            let Some(input) = &mut gathering.input else {
                return Poll::Ready(None);
            };
            let done = match ready!(input.poll_next_unpin(context)) {
                Some(Ok(batch)) => gathering.gather(batch),
                Some(Err(problem)) => Err(problem),
                None => {
                    gathering.input = None;
                    gathering
                        .batches
                        .finish_buffered_batch()
                        .map_err(Into::into)
                }
            };
            if let Err(problem) = done {
                return Poll::Ready(Some(Err(problem)));
            }
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (0, None)
    }
}

impl RecordBatchStream for Gathering {
    fn schema(&self) -> SchemaRef {
        self.batches.schema()
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use arrow::array::{ArrayRef, StringArray};
    use datafusion::datasource::memory::MemorySourceConfig;
    use datafusion::execution::memory_pool::{MemoryPool, UnboundedMemoryPool};
    use datafusion::physical_plan::Partitioning;
    use datafusion::prelude::{SessionConfig, SessionContext};
    use futures::TryStreamExt;

    use super::*;
    use crate::zone::{Whose, set_memory};

    /// Batches of four rows of so many bytes, after they went to two partitions: rows and bytes of each batch.
    async fn batches(bytes: usize) -> Vec<(usize, usize)> {
        let pool: Arc<dyn MemoryPool> = Arc::new(UnboundedMemoryPool::default());
        let mut config = SessionConfig::new().with_batch_size(1000);
        set_memory(&mut config, Some(1 << 20), &pool, Whose::Own);
        let column = |at: usize| -> ArrayRef {
            let texts = (0..4).map(|row| format!("{:0>bytes$}", at * 4 + row));
            Arc::new(StringArray::from_iter_values(texts))
        };
        let all = (0..1000).map(|at| RecordBatch::try_from_iter([("v", column(at))]).unwrap());
        let all: Vec<_> = all.collect();
        let schema = all[0].schema();
        let source = MemorySourceConfig::try_new_exec(&[all], Arc::clone(&schema), None).unwrap();
        let by = datafusion::physical_expr::expressions::col("v", &schema).unwrap();
        let plan: Arc<dyn ExecutionPlan> =
            Arc::new(RepartitionExec::try_new(source, Partitioning::Hash(vec![by], 2)).unwrap());
        let plan = GatheredByBytes.optimize(plan, config.options()).unwrap();
        let task = SessionContext::new_with_config(config).task_ctx();
        let parts = (0..2).map(|at| plan.execute(at, Arc::clone(&task)).unwrap());
        let parts = futures::future::try_join_all(parts.map(TryStreamExt::try_collect::<Vec<_>>));
        let batches = parts.await.unwrap().into_iter().flatten();
        batches.map(|one| (one.num_rows(), size(&one))).collect()
    }

    #[tokio::test]
    async fn rows_are_gathered_until_they_are_many_bytes() {
        let large = batches(5000).await;
        assert_eq!(large.iter().map(|(rows, _)| rows).sum::<usize>(), 4000);
        // A sixty-fourth of the memory, and the last batch that came.
        let most = (1 << 20) / 64 + 4 * 6000;
        assert!(large.iter().all(|(_, bytes)| *bytes <= most), "{large:?}");
        let small = batches(5).await;
        assert_eq!(small.iter().map(|(rows, _)| rows).sum::<usize>(), 4000);
        assert!(small.len() <= 6, "{small:?}");
    }
}
