//! Rows that windows hold: DataFusion keeps those of a partition until its last row is there, or as many as the frame reaches, and counts
//! none of them. Here they are taken from the memory of the session as they go in, and given back as they come out.

use std::collections::{HashMap, VecDeque};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, ready};

use arrow::array::{Array as _, RecordBatch};
use arrow::datatypes::{DataType, SchemaRef};
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TransformedResult as _, TreeNode as _};
use datafusion::common::{Result as PlanResult, ScalarValue};
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use datafusion::execution::{RecordBatchStream, SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::{WindowFrameBound, WindowFrameUnits};
use datafusion::physical_expr::window::WindowExpr;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::execution_plan::replace_children_if_necessary;
use datafusion::physical_plan::windows::{BoundedWindowAggExec, WindowAggExec};
use futures::{Stream, StreamExt as _};

use crate::statement::lock;
use crate::through::{Passage, Through};

/// The rule that counts what windows hold.
#[derive(Debug)]
pub(crate) struct WindowsCounted;

impl PhysicalOptimizerRule for WindowsCounted {
    fn optimize(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        config: &ConfigOptions,
    ) -> PlanResult<Arc<dyn ExecutionPlan>> {
        if crate::zone::pool(config).is_none() {
            return Ok(plan);
        }
        plan.transform_up(|node| {
            if !node.is::<WindowAggExec>() && !node.is::<BoundedWindowAggExec>() {
                return Ok(Transformed::no(node));
            }
            let rooms = Rooms::default();
            let at = |side| Counted {
                side,
                rooms: Arc::clone(&rooms),
            };
            let back = looks_back(&node);
            // One that lets nothing out before all is in makes one batch of all that it holds.
            let held = match node.is::<WindowAggExec>() {
                true => Held::Twice,
                false => Held::Once,
            };
            let inputs = node.children().into_iter();
            let inputs: Vec<_> = inputs
                .map(|input| Through::over(input, at(Side::In(held))))
                .collect();
            let node = replace_children_if_necessary(node, inputs)?;
            let node = Through::over(&node, at(Side::Out(back)));
            Ok(Transformed::yes(node))
        })
        .data()
    }

    fn name(&self) -> &'static str {
        "windows_counted"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

/// How many rows that came out the windows of a node may still look back at.
fn looks_back(node: &Arc<dyn ExecutionPlan>) -> usize {
    let expressions = match node.downcast_ref::<BoundedWindowAggExec>() {
        Some(bounded) => bounded.window_expr(),
        // It lets nothing out before all is in.
        None => &[],
    };
    let of = |one: &Arc<dyn WindowExpr>| {
        let frame = one.get_window_frame();
        let preceding = match &frame.start_bound {
            // It is summed up, or its first row is kept.
            WindowFrameBound::Preceding(value) if value.is_null() => Some(0),
            WindowFrameBound::Preceding(value) if frame.units == WindowFrameUnits::Rows => {
                whole(value)
            }
            // Rows of a span of values may be any number.
            WindowFrameBound::Preceding(_) => None,
            WindowFrameBound::CurrentRow | WindowFrameBound::Following(_) => Some(0),
        };
        // `lag(x, 1000)` keeps its offset to itself, but for its name.
        let offsets = one.name().split("Int64(").skip(1).filter_map(|rest| {
            let digits = rest.split(')').next()?;
            digits.trim_start_matches('-').parse::<usize>().ok()
        });
        preceding.map_or(usize::MAX, |rows| {
            offsets.max().unwrap_or_default().max(rows)
        })
    };
    expressions.iter().map(of).max().unwrap_or_default()
}

fn whole(value: &ScalarValue) -> Option<usize> {
    let value = value.cast_to(&DataType::Int64).ok()?;
    let ScalarValue::Int64(Some(value)) = value else {
        return None;
    };
    Some(usize::try_from(value.unsigned_abs()).unwrap_or(usize::MAX))
}

/// Where both sides of a window meet as they begin: the one above makes a room for its partition, the one below finds it.
type Rooms = Arc<Mutex<HashMap<usize, Arc<Mutex<Room>>>>>;

/// The rows that are in a window.
#[derive(Debug)]
struct Room {
    memory: MemoryReservation,
    /// Rows and bytes of what went in, oldest first.
    inside: VecDeque<(usize, usize)>,
    /// Rows that came out, and are looked back at.
    seen: usize,
}

impl Room {
    fn enter(&mut self, batch: &RecordBatch, held: Held) -> PlanResult<()> {
        /// What a window says of a row.
        const ANSWER: usize = 16;
        let columns = batch.columns().iter();
        let sizes = columns.map(|column| column.to_data().get_slice_memory_size());
        // What has no size of its own is counted as what it may be at most.
        let sizes = sizes
            .zip(batch.columns())
            .map(|(size, column)| size.unwrap_or_else(|_| column.get_array_memory_size()));
        let bytes: usize = sizes.sum();
        let bytes = match held {
            Held::Once => bytes,
            Held::Twice => bytes * 2 + batch.num_rows() * ANSWER,
        };
        self.memory.try_grow(bytes)?;
        self.inside.push_back((batch.num_rows(), bytes));
        Ok(())
    }

    fn leave(&mut self, rows: usize, back: usize) {
        self.seen = self.seen.saturating_add(rows);
        let mut rows = self.seen.saturating_sub(back);
        self.seen -= rows;
        while let Some((inside, bytes)) = self.inside.front_mut() {
            if *inside > rows {
                let part = *bytes / *inside * rows;
                (*inside, *bytes) = (*inside - rows, *bytes - part);
                self.memory.shrink(part);
                return;
            }
            rows -= *inside;
            self.memory.shrink(*bytes);
            self.inside.pop_front();
        }
    }
}

/// How often a row is in memory that is in a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Held {
    Once,
    Twice,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    In(Held),
    /// So many rows that came out are inside still.
    Out(usize),
}

/// One side of a window.
#[derive(Debug, Clone)]
struct Counted {
    side: Side,
    rooms: Rooms,
}

impl Passage for Counted {
    const NAME: &'static str = "CountedExec";

    fn begin(
        &self,
        input: &Arc<dyn ExecutionPlan>,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> PlanResult<SendableRecordBatchStream> {
        let room = match self.side {
            Side::Out(_) => {
                let pool = crate::zone::pool(context.session_config().options());
                pool.map(|pool| {
                    let consumer = MemoryConsumer::new("rows of a window");
                    let room = Arc::new(Mutex::new(Room {
                        memory: consumer.register(pool),
                        inside: VecDeque::new(),
                        seen: 0,
                    }));
                    lock(&self.rooms).insert(partition, Arc::clone(&room));
                    room
                })
            }
            Side::In(_) => lock(&self.rooms).remove(&partition),
        };
        let input = input.execute(partition, context)?;
        Ok(match room {
            Some(room) => Box::pin(Passing {
                input,
                side: self.side,
                room,
            }),
            None => input,
        })
    }
}

struct Passing {
    input: SendableRecordBatchStream,
    side: Side,
    room: Arc<Mutex<Room>>,
}

impl Stream for Passing {
    type Item = PlanResult<RecordBatch>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let passing = self.get_mut();
        let next = ready!(passing.input.poll_next_unpin(context));
        if let Some(Ok(batch)) = &next {
            let mut room = lock(&passing.room);
            match passing.side {
                Side::In(held) => {
                    if let Err(problem) = room.enter(batch, held) {
                        return Poll::Ready(Some(Err(problem)));
                    }
                }
                Side::Out(back) => room.leave(batch.num_rows(), back),
            }
        }
        Poll::Ready(next)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.input.size_hint()
    }
}

impl RecordBatchStream for Passing {
    fn schema(&self) -> SchemaRef {
        self.input.schema()
    }
}
