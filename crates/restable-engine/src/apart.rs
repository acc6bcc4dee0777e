//! Statements on threads of their own, so that nobody waits for one but its client, and its client no longer than it wants to. A plan, a
//! constant, a sort may take a minute in one step, which nothing can end; whoever has given up its statement is told so at once, and the step
//! computes to its end beside, holding what it holds. How many such steps there are is known, so that they cannot be piled up: a client has
//! few of them before it has to wait, and where all clients together have many, statements that compute for long wait until there are fewer.

use std::any::Any;
use std::cell::RefCell;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use datafusion::common::runtime::{JoinSetTracer, set_join_set_tracer};
use futures::FutureExt as _;
use futures::future::{AbortHandle, Abortable, BoxFuture};
use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::sync::watch;

use crate::{Error, Result};

/// So many steps of statements that a client gave up may still compute when it begins another one.
const OF_ONE: usize = 2;
/// So many of all clients together for each processor before statements that compute for long wait.
const OF_ALL: usize = 2;
/// A statement that computed for less than this does not wait for those that were given up.
const LIGHT: Duration = Duration::from_millis(250);

/// How many steps compute that nobody waits for.
type Left = Arc<watch::Sender<usize>>;

/// Where the statements of a server are computed.
#[derive(Debug, Clone)]
pub struct Hall {
    runtime: Handle,
    left: Left,
    most: usize,
}

impl Hall {
    /// The threads of a runtime: those for work that may block are taken for statements.
    pub fn new(runtime: Handle) -> Hall {
        // Another one in this process has done so, or nobody traces: both are well.
        let _ = set_join_set_tracer(&Traced);
        let processors = std::thread::available_parallelism();
        let processors = processors.map_or(1, std::num::NonZeroUsize::get);
        Hall {
            runtime,
            left: Left::default(),
            most: processors.saturating_mul(OF_ALL).max(4),
        }
    }

    /// How many steps compute that nobody waits for.
    pub fn left(&self) -> usize {
        *self.left.borrow()
    }

    /// A place for one client.
    pub fn desk(&self) -> Desk {
        Desk {
            hall: self.clone(),
            own: Left::default(),
        }
    }
}

/// Where the statements of one client are computed. A clone is the same place.
#[derive(Debug, Clone)]
pub struct Desk {
    hall: Hall,
    own: Left,
}

impl Desk {
    /// Computes on a thread of its own. When this is dropped, the work is dropped as well: at once if it waits, else when its step has ended.
    ///
    /// # Errors
    ///
    /// A fault of ours that broke the work off.
    pub async fn compute<T: Send + 'static>(&self, work: BoxFuture<'static, T>) -> Result<T> {
        below(&self.own, OF_ONE).await;
        let (abort, aborted) = AbortHandle::new_pair();
        let step = Arc::new(Step {
            given_up: AtomicBool::new(false),
            counted: [Arc::clone(&self.own), Arc::clone(&self.hall.left)],
        });
        let waiting = Waiting {
            abort,
            step: Some(Arc::clone(&step)),
        };
        let work = Gated {
            work,
            step,
            hall: self.hall.clone(),
            computed: Duration::ZERO,
            gate: None,
        };
        let runtime = self.hall.runtime.clone();
        let work = Abortable::new(work, aborted);
        let done = self
            .hall
            .runtime
            .spawn_blocking(move || runtime.block_on(work))
            .await;
        waiting.over();
        match done {
            Ok(Ok(done)) => Ok(done),
            _ => Err(Error::internal("the statement broke off")),
        }
    }

    /// How many steps compute that this client gave up.
    pub fn left(&self) -> usize {
        *self.own.borrow()
    }
}

/// Waits until there are fewer.
async fn below(left: &Left, most: usize) {
    if *left.borrow() >= most {
        // The sender is here, so that this ends only when there are.
        let _ = left.subscribe().wait_for(|left| *left < most).await;
    }
}

/// A statement that computes, with all that was begun for it elsewhere. It is over when all of that is gone.
#[derive(Debug)]
struct Step {
    given_up: AtomicBool,
    counted: [Left; 2],
}

impl Drop for Step {
    fn drop(&mut self) {
        if *self.given_up.get_mut() {
            let counted = self.counted.iter();
            counted.for_each(|left| left.send_modify(|left| *left -= 1));
        }
    }
}

/// Somebody who waits for a statement.
struct Waiting {
    abort: AbortHandle,
    step: Option<Arc<Step>>,
}

impl Waiting {
    fn over(mut self) {
        self.step = None;
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        if let Some(step) = self.step.take() {
            self.abort.abort();
            if !step.given_up.swap(true, Ordering::SeqCst) {
                let counted = step.counted.iter();
                counted.for_each(|left| left.send_modify(|left| *left += 1));
            }
        }
    }
}

thread_local! {
    /// What this thread computes for.
    static STEP: RefCell<Option<Arc<Step>>> = const { RefCell::new(None) };
}

/// Does something for a statement: what is begun meanwhile belongs to it.
fn within<T>(step: &Arc<Step>, work: impl FnOnce() -> T) -> T {
    /// Puts back what was before, on whichever way this is left.
    struct Before(Option<Arc<Step>>);

    impl Drop for Before {
        fn drop(&mut self) {
            STEP.replace(self.0.take());
        }
    }

    let _before = Before(STEP.replace(Some(Arc::clone(step))));
    work()
}

/// A statement as it is computed.
struct Gated<T> {
    work: BoxFuture<'static, T>,
    step: Arc<Step>,
    hall: Hall,
    computed: Duration,
    gate: Option<BoxFuture<'static, ()>>,
}

impl<T> Future for Gated<T> {
    type Output = T;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<T> {
        let gated = self.get_mut();
        if gated.computed > LIGHT && gated.hall.left() >= gated.hall.most && gated.gate.is_none() {
            let (left, most) = (Arc::clone(&gated.hall.left), gated.hall.most);
            gated.gate = Some(async move { below(&left, most).await }.boxed());
        }
        if let Some(gate) = &mut gated.gate {
            std::task::ready!(gate.as_mut().poll(context));
            gated.gate = None;
        }
        let began = Instant::now();
        let done = within(&gated.step, || gated.work.as_mut().poll(context));
        gated.computed += began.elapsed();
        done
    }
}

/// What DataFusion begins beside a statement belongs to it, and keeps nobody else's from being computed either.
struct Traced;

/// What is begun beside, whatever comes of it.
type Erased = Box<dyn Any + Send>;

impl JoinSetTracer for Traced {
    fn trace_future(&self, work: BoxFuture<'static, Erased>) -> BoxFuture<'static, Erased> {
        match STEP.with_borrow(Clone::clone) {
            Some(step) => {
                let long = false;
                Spawned { work, step, long }.boxed()
            }
            None => work,
        }
    }

    fn trace_block(
        &self,
        work: Box<dyn FnOnce() -> Erased + Send>,
    ) -> Box<dyn FnOnce() -> Erased + Send> {
        match STEP.with_borrow(Clone::clone) {
            Some(step) => Box::new(move || within(&step, work)),
            None => work,
        }
    }
}

/// Whoever took this long for a step will take as long for the next one. To go on elsewhere meanwhile costs as much as many short steps.
const LONG: Duration = Duration::from_millis(20);

struct Spawned {
    work: BoxFuture<'static, Erased>,
    step: Arc<Step>,
    /// Whether the last step was a long one.
    long: bool,
}

impl Future for Spawned {
    type Output = Erased;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Erased> {
        let spawned = self.get_mut();
        let work = &mut spawned.work;
        let mut step = || within(&spawned.step, || work.as_mut().poll(context));
        let several = || Handle::current().runtime_flavor() == RuntimeFlavor::MultiThread;
        let began = Instant::now();
        let done = match spawned.long && several() {
            true => tokio::task::block_in_place(step),
            false => step(),
        };
        spawned.long = began.elapsed() > LONG;
        done
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::sync::mpsc;

    use tokio::sync::oneshot;

    use super::*;

    fn runtime() -> tokio::runtime::Runtime {
        let mut runtime = tokio::runtime::Builder::new_multi_thread();
        runtime.worker_threads(1).enable_all().build().unwrap()
    }

    /// A step that computes until it is let go on.
    fn long() -> (
        BoxFuture<'static, u32>,
        oneshot::Receiver<()>,
        mpsc::Sender<()>,
    ) {
        let (begin, begun) = oneshot::channel();
        let (go_on, waits) = mpsc::channel();
        let work = async move {
            begin.send(()).unwrap();
            waits.recv().unwrap();
            1
        };
        (work.boxed(), begun, go_on)
    }

    #[test]
    fn what_is_given_up_is_counted_until_its_step_ends() {
        runtime().block_on(async {
            let hall = Hall::new(Handle::current());
            let desk = hall.desk();
            let mut ends = Vec::new();
            for _ in 0..OF_ONE {
                let (work, begun, go_on) = long();
                tokio::select! {
                    biased;
                    _ = desk.compute(work) => unreachable!(),
                    begun = begun => begun.unwrap(),
                }
                ends.push(go_on);
            }
            assert_eq!((desk.left(), hall.left()), (OF_ONE, OF_ONE));
            // It has to wait now, and others have not.
            let next = desk.compute(async { 2 }.boxed());
            let mut next = std::pin::pin!(next);
            assert!(futures::poll!(next.as_mut()).is_pending());
            let other = hall.desk().compute(async { 3 }.boxed()).await;
            assert_eq!(other.unwrap(), 3);
            assert!(futures::poll!(next.as_mut()).is_pending());
            ends.pop().unwrap().send(()).unwrap();
            assert_eq!(next.await.unwrap(), 2);
            ends.pop().unwrap().send(()).unwrap();
            below(&desk.own, 1).await;
            below(&hall.left, 1).await;
        });
    }

    #[test]
    fn what_waits_is_dropped_at_once_and_what_was_begun_for_it_counts() {
        runtime().block_on(async {
            let hall = Hall::new(Handle::current());
            let desk = hall.desk();
            let (begin, begun) = oneshot::channel();
            let (go_on, waits) = mpsc::channel::<()>();
            let work = async move {
                let beside = datafusion::common::runtime::SpawnedTask::spawn(async move {
                    begin.send(()).unwrap();
                    waits.recv().unwrap();
                });
                beside.join().await.unwrap();
            };
            tokio::select! {
                biased;
                _ = desk.compute(work.boxed()) => unreachable!(),
                begun = begun => begun.unwrap(),
            }
            assert_eq!(hall.left(), 1);
            go_on.send(()).unwrap();
            below(&hall.left, 1).await;
        });
    }

    #[test]
    fn what_computes_for_long_waits_for_many_that_were_given_up() {
        runtime().block_on(async {
            let hall = Hall {
                most: 1,
                ..Hall::new(Handle::current())
            };
            let (work, begun, go_on) = long();
            let given_up = hall.desk();
            tokio::select! {
                biased;
                _ = given_up.compute(work) => unreachable!(),
                begun = begun => begun.unwrap(),
            }
            let gated = |computed| Gated {
                work: async { 4 }.boxed(),
                step: Arc::new(Step {
                    given_up: AtomicBool::new(false),
                    counted: [Left::default(), Left::default()],
                }),
                hall: hall.clone(),
                computed,
                gate: None,
            };
            assert_eq!(gated(Duration::ZERO).await, 4);
            let mut heavy = gated(LIGHT * 2);
            assert!(futures::poll!(&mut heavy).is_pending());
            go_on.send(()).unwrap();
            assert_eq!(heavy.await, 4);
        });
    }

    #[test]
    fn a_fault_ends_its_own_statement() {
        runtime().block_on(async {
            let desk = Hall::new(Handle::current()).desk();
            let broken = desk.compute(async { [1][std::env::args().count() + 1] }.boxed());
            assert!(broken.await.is_err());
            assert_eq!(desk.compute(async { 5 }.boxed()).await.unwrap(), 5);
            assert_eq!(desk.left(), 0);
        });
    }
}
