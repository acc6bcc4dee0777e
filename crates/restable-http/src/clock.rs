//! Time as a value: [`TokioClock`] for programs, [`VirtualClock`] for tests, which passes hours in no time. It owns every
//! wait of this crate; nothing else sleeps or asks for the time.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant, SystemTime};

use futures::future::{BoxFuture, Either, FutureExt, select};

/// Where the time comes from.
pub trait Clock: Debug + Send + Sync {
    /// The monotonic time, for waits and deadlines.
    fn now(&self) -> Instant;
    /// The calendar's time, for the expiry of tokens and dates in headers.
    fn wall(&self) -> SystemTime;
    /// A wait; dropping the future ends it.
    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()>;
}

/// Runs `future` for at most `limit`; `None` if the time ran out. The future is asked first, so that an answer that is
/// already there never loses against a limit of zero.
pub(crate) async fn within<F: Future>(
    clock: &dyn Clock,
    limit: Duration,
    future: F,
) -> Option<F::Output> {
    let future = pin!(future);
    match select(future, clock.sleep(limit)).await {
        Either::Left((output, _)) => Some(output),
        Either::Right(((), _)) => None,
    }
}

/// The real time, by tokio's timer.
#[derive(Debug, Clone, Copy, Default)]
pub struct TokioClock;

impl Clock for TokioClock {
    fn now(&self) -> Instant {
        Instant::now()
    }

    fn wall(&self) -> SystemTime {
        SystemTime::now()
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        tokio::time::sleep(duration).boxed()
    }
}

/// A clock that stands still until [`VirtualClock::run`] has nothing else to do, and then jumps to the next wake-up.
#[derive(Debug, Clone)]
pub struct VirtualClock {
    start: Instant,
    epoch: SystemTime,
    state: Arc<Mutex<Schedule>>,
}

#[derive(Debug, Default)]
struct Schedule {
    elapsed: Duration,
    next_id: u64,
    // Ordered by time, then by the order of asking, so that a run is the same each time.
    sleepers: BTreeMap<(Duration, u64), Waker>,
}

impl Default for VirtualClock {
    fn default() -> Self {
        Self::starting_at(SystemTime::UNIX_EPOCH + Duration::from_secs(1_767_225_600))
    }
}

impl VirtualClock {
    /// A clock whose calendar starts at `epoch`.
    pub fn starting_at(epoch: SystemTime) -> Self {
        Self {
            start: Instant::now(),
            epoch,
            state: Arc::default(),
        }
    }

    /// The time that has passed on this clock.
    pub fn elapsed(&self) -> Duration {
        self.schedule().elapsed
    }

    /// Moves the clock on without waking anyone earlier than due.
    pub fn advance(&self, by: Duration) {
        let due = {
            let mut schedule = self.schedule();
            schedule.elapsed += by;
            schedule.take_due()
        };
        due.into_iter().for_each(Waker::wake);
    }

    /// Runs a future to its end on this thread, jumping over each wait; `None` if it waits for something that no clock
    /// brings. Concurrency inside the future (`join_all`, `select`) works; spawned tasks are not seen.
    pub fn run<F: Future>(&self, future: F) -> Option<F::Output> {
        let mut future = pin!(future);
        let signal = Arc::new(Signal(AtomicBool::new(true)));
        let waker = Waker::from(Arc::clone(&signal));
        let mut context = Context::from_waker(&waker);
        loop {
            while signal.0.swap(false, Ordering::AcqRel) {
                if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
                    return Some(output);
                }
            }
            let due = {
                let mut schedule = self.schedule();
                let &(next, _) = schedule.sleepers.keys().next()?;
                schedule.elapsed = schedule.elapsed.max(next);
                schedule.take_due()
            };
            due.into_iter().for_each(Waker::wake);
        }
    }

    fn schedule(&self) -> MutexGuard<'_, Schedule> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Schedule {
    fn take_due(&mut self) -> Vec<Waker> {
        let later = self
            .sleepers
            .split_off(&(self.elapsed + Duration::from_nanos(1), 0));
        std::mem::replace(&mut self.sleepers, later)
            .into_values()
            .collect()
    }
}

impl Clock for VirtualClock {
    fn now(&self) -> Instant {
        self.start + self.schedule().elapsed
    }

    fn wall(&self) -> SystemTime {
        self.epoch + self.schedule().elapsed
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        let due = self.schedule().elapsed.saturating_add(duration);
        VirtualSleep {
            due,
            entry: None,
            clock: self.clone(),
        }
        .boxed()
    }
}

struct VirtualSleep {
    due: Duration,
    entry: Option<(Duration, u64)>,
    clock: VirtualClock,
}

impl Future for VirtualSleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let clock = self.clock.clone();
        let mut schedule = clock.schedule();
        if schedule.elapsed >= self.due {
            return Poll::Ready(());
        }
        let due = self.due;
        let entry = *self.entry.get_or_insert_with(|| {
            schedule.next_id += 1;
            (due, schedule.next_id)
        });
        schedule.sleepers.insert(entry, context.waker().clone());
        Poll::Pending
    }
}

impl Drop for VirtualSleep {
    fn drop(&mut self) {
        if let Some(entry) = self.entry {
            self.clock.schedule().sleepers.remove(&entry);
        }
    }
}

struct Signal(AtomicBool);

impl Wake for Signal {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sleepers_wake_in_order_and_time_jumps() {
        let clock = VirtualClock::default();
        let order = Mutex::new(Vec::new());
        let sleeper = |seconds: u64| {
            let (clock, order) = (clock.clone(), &order);
            async move {
                clock.sleep(Duration::from_secs(seconds)).await;
                order
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .push(seconds);
            }
        };
        let done = clock.run(futures::future::join_all([
            sleeper(3600),
            sleeper(1),
            sleeper(60),
        ]));
        assert!(done.is_some());
        assert_eq!(
            *order.lock().unwrap_or_else(PoisonError::into_inner),
            [1, 60, 3600]
        );
        assert_eq!(clock.elapsed(), Duration::from_secs(3600));
    }

    #[test]
    fn a_limit_loses_against_an_answer_that_is_there() {
        let clock = VirtualClock::default();
        assert_eq!(
            clock.run(within(&clock, Duration::ZERO, async { 7 })),
            Some(Some(7))
        );
        let never = within(&clock, Duration::from_secs(5), std::future::pending::<()>());
        assert_eq!(clock.run(never), Some(None));
        assert_eq!(clock.elapsed(), Duration::from_secs(5));
        assert_eq!(clock.run(std::future::pending::<()>()), None);
    }
}
