//! Windows that have all of their rows before the first one comes out: those over whole partitions. DataFusion computes them in one step,
//! during which no clock and no client could end the statement. Here the step is taken beside the task that waits for it.

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, ready};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use datafusion::common::Result;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TransformedResult as _, TreeNode as _};
use datafusion::execution::{RecordBatchStream, SendableRecordBatchStream, TaskContext};
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::execution_plan::replace_children_if_necessary;
use datafusion::physical_plan::stream::{RecordBatchReceiverStream, RecordBatchStreamAdapter};
use datafusion::physical_plan::windows::WindowAggExec;
use futures::{Stream, StreamExt as _};
use tokio::runtime::{Handle, RuntimeFlavor};

use crate::statement::lock;
use crate::through::{Passage, Through};

/// The rule that takes the long steps of windows beside.
#[derive(Debug)]
pub(crate) struct WindowsBeside;

impl PhysicalOptimizerRule for WindowsBeside {
    fn optimize(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        _config: &ConfigOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        plan.transform_up(|node| {
            let inputs = node.children();
            let (true, [input]) = (node.is::<WindowAggExec>(), inputs.as_slice()) else {
                return Ok(Transformed::no(node));
            };
            let meeting = Arc::<Meeting>::default();
            let around = |side| Sided {
                meeting: Arc::clone(&meeting),
                side,
            };
            let input = Through::over(input, around(Side::Rows));
            let window = replace_children_if_necessary(Arc::clone(&node), vec![input])?;
            let window = Through::over(&window, around(Side::Window));
            Ok(Transformed::yes(window))
        })
        .data()
    }

    fn name(&self) -> &'static str {
        "windows_beside"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

/// Where the two nodes around a window meet: each time that it is executed, the one above hands the one below what to tell it by.
#[derive(Debug, Default)]
struct Meeting {
    turn: Mutex<()>,
    next: Mutex<Option<Arc<Complete>>>,
}

/// All rows of a window have come: what follows is one long step.
#[derive(Debug, Default)]
struct Complete(AtomicBool);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    /// Below the window.
    Rows,
    /// Above it.
    Window,
}

/// One of the two nodes around a window.
#[derive(Debug, Clone)]
struct Sided {
    meeting: Arc<Meeting>,
    side: Side,
}

impl Passage for Sided {
    const NAME: &'static str = "BesideExec";

    fn begin(
        &self,
        input: &Arc<dyn ExecutionPlan>,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        match self.side {
            Side::Rows => {
                let input = input.execute(partition, context)?;
                let Some(complete) = lock(&self.meeting.next).take() else {
                    return Ok(input);
                };
                Ok(Box::pin(Rows { input, complete }))
            }
            Side::Window => {
                let rows = context.session_config().batch_size();
                let complete = Arc::<Complete>::default();
                let turn = lock(&self.meeting.turn);
                *lock(&self.meeting.next) = Some(Arc::clone(&complete));
                let input = input.execute(partition, context)?;
                drop(turn);
                Ok(beside(input, complete, rows))
            }
        }
    }
}

/// The rows of a window, computed in a task of its own from the first time on that one is asked for, and handed on a few at a time.
fn beside(
    input: SendableRecordBatchStream,
    complete: Arc<Complete>,
    rows: usize,
) -> SendableRecordBatchStream {
    let schema = input.schema();
    let columns = SchemaRef::clone(&schema);
    let begin = async move {
        let mut task = RecordBatchReceiverStream::builder(columns, 1);
        let give = task.tx();
        let mut window = Window { input, complete };
        task.spawn(async move {
            while let Some(batch) = window.next().await {
                let batch = batch?;
                for from in (0..batch.num_rows()).step_by(rows.max(1)) {
                    let part = batch.slice(from, rows.max(1).min(batch.num_rows() - from));
                    if give.send(Ok(part)).await.is_err() {
                        return Ok(());
                    }
                }
            }
            Ok(())
        });
        task.build()
    };
    let stream = futures::stream::once(begin).flatten();
    Box::pin(RecordBatchStreamAdapter::new(schema, stream))
}

/// Rows on their way into a window.
struct Rows {
    input: SendableRecordBatchStream,
    complete: Arc<Complete>,
}

impl Stream for Rows {
    type Item = Result<RecordBatch>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let rows = self.get_mut();
        if rows.complete.0.load(Ordering::Acquire) {
            return Poll::Ready(None);
        }
        Poll::Ready(match ready!(rows.input.poll_next_unpin(context)) {
            None => {
                // Whoever polls the window next knows what it is in for.
                rows.complete.0.store(true, Ordering::Release);
                context.waker().wake_by_ref();
                return Poll::Pending;
            }
            other => other,
        })
    }
}

impl RecordBatchStream for Rows {
    fn schema(&self) -> SchemaRef {
        self.input.schema()
    }
}

/// A window as it is computed.
struct Window {
    input: SendableRecordBatchStream,
    complete: Arc<Complete>,
}

impl Stream for Window {
    type Item = Result<RecordBatch>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let window = self.get_mut();
        let long = window.complete.0.load(Ordering::Acquire);
        let several = || Handle::current().runtime_flavor() == RuntimeFlavor::MultiThread;
        match long && several() {
            // The clocks and clients of others do not wait for this thread.
            true => tokio::task::block_in_place(|| window.input.poll_next_unpin(context)),
            false => window.input.poll_next_unpin(context),
        }
    }
}
