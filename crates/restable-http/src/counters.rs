//! What a process did since it began: statements and how they ended, calls by their answers, what was waited for. Numbers only,
//! without a name of anything that was read. It decides nothing.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// The upper bounds of the histograms of time, in seconds. What is above the last stands in none.
pub const BOUNDS: [f64; 14] = [
    0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0,
];

/// Times, by how long they were.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Histogram {
    /// How many were at most as long as each of [`BOUNDS`], and longer than the one before.
    pub buckets: [u64; BOUNDS.len()],
    /// How many there were.
    pub count: u64,
    /// Their sum in seconds.
    pub sum: f64,
}

impl Histogram {
    fn add(&mut self, time: Duration) {
        let seconds = time.as_secs_f64();
        self.count += 1;
        self.sum += seconds;
        if let Some(at) = BOUNDS.iter().position(|bound| seconds <= *bound) {
            self.buckets[at] += 1;
        }
    }
}

/// The counters of a process.
#[derive(Debug, Default)]
pub struct Counters {
    retries: AtomicU64,
    throttle_nanos: AtomicU64,
    bytes: AtomicU64,
    wire_bytes: AtomicU64,
    connections: Mutex<BTreeMap<&'static str, (i64, u64)>>,
    running: AtomicI64,
    kept: Mutex<Kept>,
}

#[derive(Debug, Default, Clone)]
struct Kept {
    /// Statements by their tag and how they ended.
    statements: BTreeMap<(&'static str, &'static str), u64>,
    /// How long statements took, by their tag.
    durations: BTreeMap<&'static str, Histogram>,
    /// Calls by method and status; 0: none came.
    calls: BTreeMap<(&'static str, u16), u64>,
    /// How long calls took.
    call_durations: Histogram,
}

/// A reading of the counters.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Reading {
    /// Statements by their tag and how they ended: `done`, `failed`, `stopped`.
    pub statements: BTreeMap<(&'static str, &'static str), u64>,
    /// How long statements took, by their tag.
    pub durations: BTreeMap<&'static str, Histogram>,
    /// Statements that run now.
    pub running: i64,
    /// Calls by method and status; 0: none came.
    pub calls: BTreeMap<(&'static str, u16), u64>,
    /// How long calls took.
    pub call_durations: Histogram,
    /// Attempts beyond the first.
    pub retries: u64,
    /// Time spent waiting because services throttle, in seconds.
    pub throttle_wait: f64,
    /// Bytes of bodies, decompressed.
    pub bytes: u64,
    /// Bytes of bodies as they came.
    pub wire_bytes: u64,
    /// Clients by their door: how many are there, and how many came.
    pub connections: BTreeMap<&'static str, (i64, u64)>,
}

impl Counters {
    /// The counters as they stand.
    pub fn read(&self) -> Reading {
        let kept = self.kept().clone();
        Reading {
            statements: kept.statements,
            durations: kept.durations,
            running: self.running.load(Relaxed),
            calls: kept.calls,
            call_durations: kept.call_durations,
            retries: self.retries.load(Relaxed),
            throttle_wait: Duration::from_nanos(self.throttle_nanos.load(Relaxed)).as_secs_f64(),
            bytes: self.bytes.load(Relaxed),
            wire_bytes: self.wire_bytes.load(Relaxed),
            connections: self.doors().clone(),
        }
    }

    /// A client came in by a door. It leaves when its [`Present`] is dropped.
    pub fn come(self: &std::sync::Arc<Self>, door: &'static str) -> Present {
        let mut doors = self.doors();
        let (now, all) = doors.entry(door).or_default();
        (*now, *all) = (*now + 1, *all + 1);
        Present {
            counters: std::sync::Arc::clone(self),
            door,
        }
    }

    /// A statement began.
    pub fn begin_statement(&self) {
        self.running.fetch_add(1, Relaxed);
    }

    /// A statement ended.
    pub fn end_statement(&self, tag: &'static str, how: &'static str, time: Duration) {
        self.running.fetch_sub(1, Relaxed);
        let mut kept = self.kept();
        *kept.statements.entry((tag, how)).or_default() += 1;
        kept.durations.entry(tag).or_default().add(time);
    }

    pub(crate) fn call(&self, method: &'static str, status: Option<u16>, time: Duration) {
        let mut kept = self.kept();
        let status = status.unwrap_or(0);
        *kept.calls.entry((method, status)).or_default() += 1;
        kept.call_durations.add(time);
    }

    pub(crate) fn retry(&self) {
        self.retries.fetch_add(1, Relaxed);
    }

    pub(crate) fn throttle(&self, wait: Duration) {
        let nanos = u64::try_from(wait.as_nanos()).unwrap_or(u64::MAX);
        self.throttle_nanos.fetch_add(nanos, Relaxed);
    }

    pub(crate) fn received(&self, bytes: u64, wire_bytes: u64) {
        self.bytes.fetch_add(bytes, Relaxed);
        self.wire_bytes.fetch_add(wire_bytes, Relaxed);
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn doors(&self) -> std::sync::MutexGuard<'_, BTreeMap<&'static str, (i64, u64)>> {
        self.connections
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// A client that is there.
#[derive(Debug)]
pub struct Present {
    counters: std::sync::Arc<Counters>,
    door: &'static str,
}

impl Drop for Present {
    fn drop(&mut self) {
        if let Some((now, _)) = self.counters.doors().get_mut(self.door) {
            *now -= 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn times_stand_in_one_bucket_each() {
        let mut times = Histogram::default();
        for seconds in [0.0, 0.005, 0.5, 0.75, 400.0] {
            times.add(Duration::from_secs_f64(seconds));
        }
        assert_eq!(times.buckets.iter().sum::<u64>(), 4);
        assert_eq!(
            (times.buckets[0], times.buckets[6], times.buckets[7]),
            (2, 1, 1)
        );
        assert_eq!(times.count, 5);
    }

    #[test]
    fn clients_are_counted_while_they_are_there() {
        let counters = Arc::new(Counters::default());
        let one = counters.come("postgres");
        drop(counters.come("postgres"));
        assert_eq!(counters.read().connections["postgres"], (1, 2));
        drop(one);
        assert_eq!(counters.read().connections["postgres"], (0, 2));
    }
}
