//! Who goes next: calls wait in the lane of their statement, in a queue for each bucket; lanes take turns. Pure: the time comes from
//! outside, and whoever changed something wakes those who are to be woken, after the lock.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;
use std::task::Waker;
use std::time::{Duration, Instant};

use super::bucket::{Bucket, Taken, Verbs};
use super::limit::{Form, Limit};
use super::{Lane, Throttle};

/// What a call is counted under.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Place {
    /// The service.
    pub origin: Arc<str>,
    /// The subscription, or nothing for the tenant as such.
    pub scope: Arc<str>,
    pub verbs: Verbs,
}

/// One call that waits or was let through.
#[derive(Debug)]
struct Waiter {
    lane: u64,
    place: Arc<Place>,
    form: Form,
    waker: Option<Waker>,
    taken: Option<Taken>,
}

#[derive(Debug)]
struct Line {
    ceiling: usize,
    throttle: Throttle,
    under_way: usize,
    /// Calls by their number, oldest first, for each place.
    queues: BTreeMap<Arc<Place>, VecDeque<u64>>,
}

/// All that waits and all that is under way.
#[derive(Debug)]
pub(crate) struct Queue {
    ceiling: usize,
    under_way: usize,
    next: u64,
    limits: HashMap<Arc<str>, Limit>,
    buckets: HashMap<Arc<Place>, Bucket>,
    waiters: HashMap<u64, Waiter>,
    lines: HashMap<u64, Line>,
    /// The lanes with calls that wait, in the order of their turns.
    turns: VecDeque<u64>,
    awake: Vec<Waker>,
}

impl Queue {
    pub(crate) fn new(ceiling: usize) -> Queue {
        Queue {
            ceiling: ceiling.max(1),
            under_way: 0,
            next: 0,
            limits: HashMap::new(),
            buckets: HashMap::new(),
            waiters: HashMap::new(),
            lines: HashMap::new(),
            turns: VecDeque::new(),
            awake: Vec::new(),
        }
    }

    /// Those who are to be woken.
    pub(crate) fn take_awake(&mut self) -> Vec<Waker> {
        std::mem::take(&mut self.awake)
    }

    /// A call wants to go.
    pub(crate) fn enter(
        &mut self,
        lane: &Lane,
        place: &Arc<Place>,
        form: Form,
        now: Instant,
    ) -> u64 {
        self.next += 1;
        let number = self.next;
        self.buckets
            .entry(Arc::clone(place))
            .or_insert_with(|| Bucket::new(place.verbs, now));
        let ceiling = self.ceiling;
        self.limits
            .entry(Arc::clone(&place.origin))
            .or_insert_with(|| Limit::new(ceiling));
        let line = self.lines.entry(lane.id()).or_insert_with(|| Line {
            ceiling: lane.ceiling.max(1),
            throttle: lane.throttle,
            under_way: 0,
            queues: BTreeMap::new(),
        });
        if line.queues.is_empty() {
            self.turns.push_back(lane.id());
        }
        line.queues
            .entry(Arc::clone(place))
            .or_default()
            .push_back(number);
        self.waiters.insert(
            number,
            Waiter {
                lane: lane.id(),
                place: Arc::clone(place),
                form,
                waker: None,
                taken: None,
            },
        );
        self.dispatch(now);
        number
    }

    /// Whether a call may go; if not, its waker is kept, and the time after which it should look again.
    pub(crate) fn look(&mut self, number: u64, waker: &Waker, now: Instant) -> Look {
        self.dispatch(now);
        let Some(waiter) = self.waiters.get_mut(&number) else {
            return Look::Wait(None);
        };
        if let Some(taken) = waiter.taken {
            self.waiters.remove(&number);
            return Look::Go(taken);
        }
        match &mut waiter.waker {
            Some(known) => known.clone_from(waker),
            none => *none = Some(waker.clone()),
        }
        let (lane, place) = (waiter.lane, Arc::clone(&waiter.place));
        // The first of its queue watches the time for all behind it.
        let first = self
            .lines
            .get(&lane)
            .and_then(|line| line.queues.get(&place))
            .and_then(|queue| queue.front());
        if first != Some(&number) {
            return Look::Wait(None);
        }
        let wait = self.bucket_wait(lane, &place, now);
        Look::Wait((!wait.is_zero()).then_some(wait))
    }

    /// A call does not want to go any more.
    pub(crate) fn leave(&mut self, number: u64, now: Instant) {
        let Some(waiter) = self.waiters.remove(&number) else {
            return;
        };
        if waiter.taken.is_some() {
            if let Some(bucket) = self.buckets.get_mut(&waiter.place) {
                bucket.put_back();
            }
            self.end(waiter.lane, &waiter.place, now);
            return;
        }
        if let Some(line) = self.lines.get_mut(&waiter.lane)
            && let Some(queue) = line.queues.get_mut(&waiter.place)
        {
            queue.retain(|waiting| *waiting != number);
        }
        self.tidy(waiter.lane, &waiter.place);
        self.dispatch(now);
    }

    /// A call that was let through is over.
    pub(crate) fn end(&mut self, lane: u64, place: &Arc<Place>, now: Instant) {
        self.under_way = self.under_way.saturating_sub(1);
        if let Some(limit) = self.limits.get_mut(&place.origin) {
            limit.under_way = limit.under_way.saturating_sub(1);
        }
        if let Some(line) = self.lines.get_mut(&lane) {
            line.under_way = line.under_way.saturating_sub(1);
            if line.under_way == 0 && line.queues.is_empty() {
                self.lines.remove(&lane);
            }
        }
        self.dispatch(now);
    }

    /// Changes what is known of a bucket, and lets go whoever may go now.
    pub(crate) fn learn(&mut self, place: &Place, now: Instant, change: impl FnOnce(&mut Bucket)) {
        self.bucket(place, change);
        self.dispatch(now);
        let firsts = self.lines.values().filter_map(|line| {
            let queue = line.queues.get(place)?;
            queue.front().copied()
        });
        for first in firsts.collect::<Vec<_>>() {
            self.wake(first);
        }
    }

    /// Changes what is known of a bucket, where that lets nobody go.
    pub(crate) fn bucket(&mut self, place: &Place, change: impl FnOnce(&mut Bucket)) {
        if let Some(bucket) = self.buckets.get_mut(place) {
            change(bucket);
        }
    }

    pub(crate) fn limit(&mut self, place: &Place, change: impl FnOnce(&mut Limit, usize)) {
        let ceiling = self.ceiling;
        if let Some(limit) = self.limits.get_mut(&place.origin) {
            change(limit, ceiling);
        }
    }

    pub(crate) fn pause_left(&self, place: &Place, now: Instant) -> Duration {
        self.buckets
            .get(place)
            .map_or(Duration::ZERO, |bucket| bucket.pause_left(now))
    }

    /// What is known of the bucket of a place, or what is documented.
    pub(crate) fn state(&self, place: &Place, now: Instant) -> (f64, f64, Option<f64>) {
        match self.buckets.get(place) {
            Some(bucket) => bucket.state(now),
            None => Bucket::new(place.verbs, now).state(now),
        }
    }

    pub(crate) fn under_way(&self) -> usize {
        self.under_way
    }

    /// How long the bucket of a place holds a lane back.
    fn bucket_wait(&mut self, lane: u64, place: &Arc<Place>, now: Instant) -> Duration {
        let throttle = self
            .lines
            .get(&lane)
            .map_or(Throttle::Adaptive, |line| line.throttle);
        let bucket = self.buckets.get_mut(place);
        bucket.map_or(Duration::ZERO, |bucket| match throttle {
            Throttle::Adaptive => bucket.wait(now),
            Throttle::Off => bucket.pause_left(now),
        })
    }

    fn dispatch(&mut self, now: Instant) {
        let mut passed = 0;
        while self.under_way < self.ceiling && passed < self.turns.len() {
            let Some(lane) = self.turns.pop_front() else {
                return;
            };
            self.turns.push_back(lane);
            match self.candidate(lane, now) {
                Some(place) => {
                    passed = 0;
                    self.let_through(lane, &place, now);
                }
                None => passed += 1,
            }
        }
    }

    /// The place whose oldest call of a lane may go, and is the oldest of those.
    fn candidate(&mut self, lane: u64, now: Instant) -> Option<Arc<Place>> {
        let line = self.lines.get(&lane)?;
        if line.under_way >= line.ceiling {
            return None;
        }
        let mut fronts: Vec<(u64, Arc<Place>)> = line
            .queues
            .iter()
            .filter_map(|(place, queue)| Some((*queue.front()?, Arc::clone(place))))
            .collect();
        fronts.sort_unstable_by_key(|(number, _)| *number);
        let adaptive = line.throttle == Throttle::Adaptive;
        let front = fronts.into_iter().find(|(number, place)| {
            let form = self.waiters.get(number).map_or(0, |waiter| waiter.form);
            let limit = self.limits.get(&place.origin);
            let free = !adaptive || limit.is_none_or(|limit| limit.has_room(form));
            free && self.bucket_wait(lane, place, now).is_zero()
        });
        front.map(|(_, place)| place)
    }

    fn let_through(&mut self, lane: u64, place: &Arc<Place>, now: Instant) {
        let Some(line) = self.lines.get_mut(&lane) else {
            return;
        };
        let Some(number) = line.queues.get_mut(place).and_then(VecDeque::pop_front) else {
            return;
        };
        line.under_way += 1;
        self.under_way += 1;
        if let Some(limit) = self.limits.get_mut(&place.origin) {
            limit.under_way += 1;
        }
        let taken = self.buckets.get_mut(place).map(|bucket| bucket.take(now));
        if let Some(waiter) = self.waiters.get_mut(&number) {
            waiter.taken = taken;
        }
        self.wake(number);
        self.tidy(lane, place);
    }

    /// Drops a queue that is empty, and a lane without queues from the turns; wakes who is first now.
    fn tidy(&mut self, lane: u64, place: &Arc<Place>) {
        let Some(line) = self.lines.get_mut(&lane) else {
            return;
        };
        let first = line.queues.get(place).map(|queue| queue.front().copied());
        if first == Some(None) {
            line.queues.remove(place);
        }
        if line.queues.is_empty() {
            self.turns.retain(|waiting| *waiting != lane);
            if line.under_way == 0 {
                self.lines.remove(&lane);
            }
        }
        if let Some(first) = first.flatten() {
            self.wake(first);
        }
    }

    fn wake(&mut self, number: u64) {
        let waiter = self.waiters.get_mut(&number);
        self.awake
            .extend(waiter.and_then(|waiter| waiter.waker.take()));
    }
}

/// What a call that looks whether it may go finds.
#[derive(Debug)]
pub(crate) enum Look {
    Go(Taken),
    /// It will be woken; at the latest it looks again after this time.
    Wait(Option<Duration>),
}
