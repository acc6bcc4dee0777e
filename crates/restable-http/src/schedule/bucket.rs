//! What is known of one of the service's token buckets: how much is left, how fast it fills, and until when nothing may be sent. A
//! bucket of which the service said nothing yet holds nothing back. Pure: the time comes from outside.

use std::time::{Duration, Instant};

use http::{HeaderMap, Method};

/// Calls that the service counts together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Verbs {
    Reads,
    Writes,
    Deletes,
}

impl Verbs {
    pub(crate) fn of(method: &Method) -> Verbs {
        match *method {
            Method::GET | Method::HEAD | Method::OPTIONS => Verbs::Reads,
            Method::DELETE => Verbs::Deletes,
            // Resource Manager counts a POST as a write, also one that only reads.
            _ => Verbs::Writes,
        }
    }

    /// Resource Manager's documented buckets: the size, and what comes back in a second.
    fn documented(self) -> (f64, f64) {
        match self {
            Verbs::Reads => (250.0, 25.0),
            Verbs::Writes | Verbs::Deletes => (200.0, 10.0),
        }
    }
}

/// Left in the bucket on purpose: requests overtake each other on the way.
const RESERVE: f64 = 1.0;
/// How much of what the service says is left is used before it says so again.
const SHARE: f64 = 0.5;
/// Below this the bucket is what limits the calls, so that what happens says something about its rate.
const LOW: f64 = 6.0;
/// How far the rate is believed to be from the documented one.
const SLOWEST: f64 = 1.0 / 50.0;
const FASTEST: f64 = 40.0;

/// A model of one bucket.
#[derive(Debug)]
pub(crate) struct Bucket {
    documented: f64,
    size: f64,
    rate: f64,
    level: f64,
    filled: Instant,
    /// Whether the service ever told what is left, or refused for want of it.
    known: bool,
    /// Whether it tells with every answer.
    told: bool,
    paused: Option<Instant>,
    sent: u64,
    /// Requests under way that have no answer yet.
    open: u64,
    believed: u64,
    slowed: Option<Instant>,
    raised: Instant,
}

/// One request that was taken from a bucket.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Taken {
    at: Instant,
    serial: u64,
    low: bool,
}

impl Bucket {
    pub(crate) fn new(verbs: Verbs, now: Instant) -> Bucket {
        let (size, rate) = verbs.documented();
        Bucket {
            documented: rate,
            size,
            rate,
            level: size,
            filled: now,
            known: false,
            told: false,
            paused: None,
            sent: 0,
            open: 0,
            believed: 0,
            slowed: None,
            raised: now,
        }
    }

    /// Its size, what comes back in a second, and what is left now, as far as the service told.
    pub(crate) fn state(&self, now: Instant) -> (f64, f64, Option<f64>) {
        let passed = now.saturating_duration_since(self.filled).as_secs_f64();
        let level = (self.level + passed * self.rate).clamp(0.0, self.size);
        (self.size, self.rate, self.known.then_some(level))
    }

    /// Until when the service wants no request.
    pub(crate) fn pause_left(&self, now: Instant) -> Duration {
        self.paused
            .map_or(Duration::ZERO, |end| end.saturating_duration_since(now))
    }

    /// How long the next request has to wait.
    pub(crate) fn wait(&mut self, now: Instant) -> Duration {
        let pause = self.pause_left(now);
        if !pause.is_zero() {
            return pause;
        }
        if self.paused.take().is_some() {
            self.fill(now);
            // The service named this moment: there is something at least.
            self.level = self.level.max(1.0 + RESERVE);
        }
        if !self.known {
            return Duration::ZERO;
        }
        self.fill(now);
        let lacking = 1.0 + RESERVE - self.level;
        if lacking <= 1e-6 {
            Duration::ZERO
        } else {
            // Rounded up, so that the token is there when the wait is over.
            Duration::from_secs_f64(lacking / self.rate) + Duration::from_micros(1)
        }
    }

    /// A request goes out.
    pub(crate) fn take(&mut self, now: Instant) -> Taken {
        self.fill(now);
        let low = self.known && self.level < LOW;
        self.level -= 1.0;
        self.sent += 1;
        self.open += 1;
        Taken {
            at: now,
            serial: self.sent,
            low,
        }
    }

    /// The request was never handed to the transport.
    pub(crate) fn put_back(&mut self) {
        self.answered();
        self.level = (self.level + 1.0).min(self.size);
    }

    /// A request has its answer, whichever it is, or will have none.
    pub(crate) fn answered(&mut self) {
        self.open = self.open.saturating_sub(1);
    }

    /// An answer that is no refusal, and what it says is left.
    pub(crate) fn hear(&mut self, taken: Taken, left: Option<u32>, now: Instant) {
        self.fill(now);
        match left {
            Some(left) => {
                let left = f64::from(left);
                (self.known, self.told) = (true, true);
                // A service with limits of its own starts higher than the documented bucket.
                self.size = self.size.max(left + 1.0);
                if taken.serial <= self.believed {
                    return;
                }
                self.believed = taken.serial;
                #[expect(clippy::cast_precision_loss, reason = "a number of calls under way")]
                let open = self.open as f64;
                // What has no answer yet may not be counted in this one, nor is what came back meanwhile. Half is left to others until
                // the next answer: the same principal may run in another process, which hears the same number.
                let back = self.rate * now.saturating_duration_since(taken.at).as_secs_f64();
                self.level = (left * SHARE - open + back).min(left);
                if taken.low {
                    match left {
                        // It runs dry at this rate, although nobody here exceeds it: others draw from it, or it is slower.
                        left if left < RESERVE => self.scale(0.98),
                        left if left > 2.0 * LOW => self.scale(1.01),
                        _ => {}
                    }
                }
            }
            None if taken.low && !self.told => {
                // Nothing is told, so that the rate is tried out: 3 % more each second, until the service refuses.
                let since = now.saturating_duration_since(self.raised).as_secs_f64();
                self.scale(1.0 + 0.03 * since.min(1.0));
            }
            None => {}
        }
        self.raised = now;
    }

    /// The service refused for want of tokens; nothing is sent for this time.
    pub(crate) fn refuse(&mut self, taken: Taken, after: Duration, now: Instant) {
        self.fill(now);
        self.known = true;
        self.level = self.level.min(0.0);
        self.raised = now;
        let end = now + after;
        let end = self.paused.map_or(end, |known| known.max(end));
        self.paused = Some(end);
        if self.told {
            // What comes back meanwhile may be drawn by others; the first answer will tell.
            self.filled = end;
        }
        // One refusal an episode says that the rate is too high; those that were under way with it say nothing new.
        if taken.low && self.slowed.is_none_or(|slowed| taken.at > slowed) {
            self.slowed = Some(now);
            self.scale(0.75);
        }
    }

    fn fill(&mut self, now: Instant) {
        let passed = now.saturating_duration_since(self.filled).as_secs_f64();
        self.level = (self.level + passed * self.rate).min(self.size);
        self.filled = self.filled.max(now);
    }

    fn scale(&mut self, factor: f64) {
        let (slowest, fastest) = (self.documented * SLOWEST, self.documented * FASTEST);
        self.rate = (self.rate * factor).clamp(slowest, fastest);
    }
}

/// What the headers of an answer say is left: the least of `x-ms-ratelimit-remaining-*`. Counters of entities are no counters of calls.
pub(crate) fn remaining(headers: &HeaderMap) -> Option<u32> {
    headers
        .iter()
        .filter(|(name, _)| {
            let name = name.as_str();
            name.starts_with("x-ms-ratelimit-remaining-") && !name.contains("entities")
        })
        .filter_map(|(_, value)| value.to_str().ok()?.trim().parse().ok())
        .min()
}
