//! The one scheduler of calls of a process. Every attempt of every call takes a [`Slot`] before it is sent: reads, actions and the
//! questions after operations alike. It owns how many calls are under way at once, which of the service's token buckets has room, until
//! when a service that said `Retry-After` is left in peace, and whose turn it is. It sends nothing and knows no retry rule.

mod bucket;
mod limit;
mod queue;

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use futures::future::BoxFuture;
use http::{HeaderMap, Method};
use url::Url;

use crate::clock::Clock;
use bucket::{Bucket, Taken, Verbs, remaining};
use limit::Form;
use queue::{Look, Place, Queue};

/// Whether calls are held back before the service refuses them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Throttle {
    /// The number of calls under way adapts to the service, and its token buckets are not overdrawn.
    #[default]
    Adaptive,
    /// Only `Retry-After` and the ceilings hold calls back.
    Off,
}

/// The lane of a statement: its calls take turns with those of other lanes. A clone is the same lane.
#[derive(Debug, Clone)]
pub struct Lane {
    number: u64,
    /// Calls of the lane under way at once.
    pub ceiling: usize,
    /// Whether its calls are held back.
    pub throttle: Throttle,
}

impl Lane {
    /// A lane of its own.
    pub fn new(ceiling: usize, throttle: Throttle) -> Lane {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        Lane {
            number: NEXT.fetch_add(1, Ordering::Relaxed),
            ceiling,
            throttle,
        }
    }

    fn id(&self) -> u64 {
        self.number
    }
}

impl Default for Lane {
    /// A lane of its own that only the process's ceiling limits.
    fn default() -> Lane {
        Lane::new(usize::MAX, Throttle::Adaptive)
    }
}

/// What a service lets through of calls that it counts together.
#[derive(Debug, Clone, PartialEq)]
pub struct Allotment {
    /// What they are counted under: `reads of subscription …`, `reads of the tenant`.
    pub name: String,
    /// How many go at once, after a rest.
    pub size: f64,
    /// How many more each second.
    pub per_second: f64,
    /// How many of them are left now; `None`: the service has not told yet.
    pub left: Option<f64>,
}

/// The scheduler. A clone is the same one; all clients of a process share it.
#[derive(Debug, Clone)]
pub struct Scheduler {
    clock: Arc<dyn Clock>,
    queue: Arc<Mutex<Queue>>,
}

impl Scheduler {
    /// A scheduler that lets `ceiling` calls be under way at once.
    pub fn new(ceiling: usize, clock: Arc<dyn Clock>) -> Scheduler {
        Scheduler {
            clock,
            queue: Arc::new(Mutex::new(Queue::new(ceiling))),
        }
    }

    /// Calls that are under way.
    pub fn under_way(&self) -> usize {
        self.queue(|queue| queue.under_way())
    }

    /// Waits until a request may be sent. Dropping the future gives up its turn.
    pub(crate) fn slot(&self, lane: &Lane, method: &Method, url: &Url) -> Wait {
        Wait {
            scheduler: self.clone(),
            lane: lane.clone(),
            place: Arc::new(place(method, url)),
            form: form(url),
            number: None,
            held_since: None,
            nap: None,
        }
    }

    /// How long the service wants to be left in peace by requests of this kind.
    pub(crate) fn pause_left(&self, method: &Method, url: &Url) -> Duration {
        let (place, now) = (place(method, url), self.clock.now());
        self.queue(|queue| queue.pause_left(&place, now))
    }

    /// What a request would be counted under, and what is known of it.
    pub(crate) fn allotment(&self, method: &Method, url: &Url) -> Allotment {
        let (place, now) = (place(method, url), self.clock.now());
        let (size, per_second, left) = self.queue(|queue| queue.state(&place, now));
        let verbs = match place.verbs {
            Verbs::Reads => "reads",
            Verbs::Writes => "writes",
            Verbs::Deletes => "deletes",
        };
        let name = match &*place.scope {
            "" => format!("{verbs} of the tenant"),
            subscription => format!("{verbs} of subscription {subscription}"),
        };
        Allotment {
            name,
            size,
            per_second,
            left,
        }
    }

    fn queue<T>(&self, change: impl FnOnce(&mut Queue) -> T) -> T {
        let (outcome, awake) = {
            let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
            let outcome = change(&mut queue);
            (outcome, queue.take_awake())
        };
        // Without the lock: whoever is woken may ask at once.
        awake.into_iter().for_each(Waker::wake);
        outcome
    }
}

/// What Resource Manager counts a request under: the subscription in its path, else the tenant.
fn place(method: &Method, url: &Url) -> Place {
    let mut segments = url.path_segments().into_iter().flatten();
    let first = segments.next().unwrap_or_default();
    let scope = match segments.next() {
        Some(id) if first.eq_ignore_ascii_case("subscriptions") => id.to_ascii_lowercase(),
        _ => String::new(),
    };
    Place {
        origin: url.origin().ascii_serialization().into(),
        scope: scope.into(),
        verbs: Verbs::of(method),
    }
}

/// See [`Form`].
fn form(url: &Url) -> Form {
    let segments = url.path_segments().map_or(0, Iterator::count);
    Form::try_from(segments).unwrap_or(Form::MAX)
}

/// A call that waits for its slot.
pub(crate) struct Wait {
    scheduler: Scheduler,
    lane: Lane,
    place: Arc<Place>,
    form: Form,
    number: Option<u64>,
    /// Since when the bucket, and not the number of calls under way, holds it back.
    held_since: Option<Instant>,
    nap: Option<BoxFuture<'static, ()>>,
}

impl Future for Wait {
    type Output = Slot;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Slot> {
        let this = &mut *self;
        loop {
            let now = this.scheduler.clock.now();
            let look = this.scheduler.queue(|queue| {
                let number = *this
                    .number
                    .get_or_insert_with(|| queue.enter(&this.lane, &this.place, this.form, now));
                queue.look(number, context.waker(), now)
            });
            let wait = match look {
                Look::Wait(Some(wait)) => wait,
                Look::Wait(None) => {
                    this.nap = None;
                    return Poll::Pending;
                }
                Look::Go(taken) => {
                    this.number = None;
                    let held = this
                        .held_since
                        .map(|since| now.saturating_duration_since(since));
                    return Poll::Ready(Slot {
                        scheduler: this.scheduler.clone(),
                        lane: this.lane.id(),
                        place: Arc::clone(&this.place),
                        form: this.form,
                        taken,
                        sent: now,
                        answered: AtomicBool::new(false),
                        held: held.unwrap_or_default(),
                    });
                }
            };
            this.held_since.get_or_insert(now);
            let mut nap = this.scheduler.clock.sleep(wait);
            if nap.as_mut().poll(context).is_pending() {
                this.nap = Some(nap);
                return Poll::Pending;
            }
        }
    }
}

impl Drop for Wait {
    fn drop(&mut self) {
        if let Some(number) = self.number.take() {
            let now = self.scheduler.clock.now();
            self.scheduler.queue(|queue| queue.leave(number, now));
        }
    }
}

/// The right to send one request, until it is dropped.
#[derive(Debug)]
pub(crate) struct Slot {
    scheduler: Scheduler,
    lane: u64,
    place: Arc<Place>,
    form: Form,
    taken: Taken,
    sent: Instant,
    answered: AtomicBool,
    /// How long the service's limits held it back.
    pub(crate) held: Duration,
}

impl Slot {
    /// The head of an answer came.
    pub(crate) fn hear(&self, status: u16, headers: &HeaderMap) {
        self.close();
        let now = self.scheduler.clock.now();
        self.scheduler.queue(|queue| match status {
            // For how long, whoever reads its body knows, and says so: `refused`.
            429 => {}
            408 | 500 | 502 | 503 | 504 => {
                queue.limit(&self.place, |limit, _| limit.overloaded(self.sent, now));
            }
            _ => {
                let took = now.saturating_duration_since(self.sent);
                queue.limit(&self.place, |limit, ceiling| {
                    limit.took(self.form, took);
                    limit.answered(ceiling);
                });
                let left = remaining(headers);
                queue.learn(&self.place, now, |bucket| {
                    bucket.hear(self.taken, left, now);
                });
            }
        });
    }

    /// No answer came: the connection broke, or it took too long.
    pub(crate) fn lost(&self) {
        let now = self.scheduler.clock.now();
        self.scheduler.queue(|queue| {
            queue.limit(&self.place, |limit, _| limit.overloaded(self.sent, now));
        });
    }

    /// The service refused the request because there were too many; nothing of its kind is sent for this time.
    pub(crate) fn refused(&self, after: Duration) {
        let now = self.scheduler.clock.now();
        self.scheduler.queue(|queue| {
            queue.learn(&self.place, now, |bucket| {
                bucket.refuse(self.taken, after, now);
            });
        });
    }
}

impl Slot {
    /// The service has counted the request, or never will.
    fn close(&self) {
        if !self.answered.swap(true, Ordering::Relaxed) {
            self.scheduler
                .queue(|queue| queue.bucket(&self.place, Bucket::answered));
        }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.close();
        let now = self.scheduler.clock.now();
        self.scheduler
            .queue(|queue| queue.end(self.lane, &self.place, now));
    }
}

#[cfg(test)]
mod tests;
