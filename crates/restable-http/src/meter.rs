//! What a statement's calls cost: counters, and a record of each call. One meter a statement, shared by all of its scans and
//! read by the completeness line and `SHOW CALLS`. It decides nothing.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Records kept of one statement. Later ones are counted in [`Totals::records_dropped`] only; the counters go on.
pub const RECORDS: usize = 10_000;

/// The counters of one statement.
#[derive(Debug)]
pub struct Meter {
    started: Instant,
    calls: AtomicU64,
    pages: AtomicU64,
    retries: AtomicU64,
    bytes: AtomicU64,
    wire_bytes: AtomicU64,
    throttle_nanos: AtomicU64,
    // Nanoseconds since the start, plus one; zero before the first page.
    first_page: AtomicU64,
    dropped: AtomicU64,
    records: Mutex<VecDeque<CallRecord>>,
}

/// One call that was sent: a page asked for, with all of its attempts.
#[derive(Debug, Clone)]
pub struct CallRecord {
    /// The document's operation id.
    pub operation_id: String,
    /// What a person calls the place that was read.
    pub scope: String,
    /// The HTTP method.
    pub method: &'static str,
    /// The redacted URL.
    pub url: String,
    /// The page of its list, counted from 1.
    pub page: usize,
    /// The last status; `None` if none came.
    pub status: Option<u16>,
    /// Attempts made.
    pub attempts: u32,
    /// Bytes of the body, decompressed.
    pub bytes: u64,
    /// Bytes of the body as they came.
    pub wire_bytes: u64,
    /// From the first attempt to the end of the body, waits included.
    pub milliseconds: u64,
    /// Our id of the request.
    pub client_request_id: String,
    /// The service's id of the last attempt.
    pub request_id: Option<String>,
}

/// A reading of the counters.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Totals {
    /// Logical calls: each page of each list once, however often it was sent. One that was given up before it was sent is none.
    pub calls: u64,
    /// Pages read whole.
    pub pages: u64,
    /// Attempts beyond the first.
    pub retries: u64,
    /// Bytes of bodies, decompressed.
    pub bytes: u64,
    /// Bytes of bodies as they came.
    pub wire_bytes: u64,
    /// Sum of the waits that throttling caused, over all calls.
    pub throttle_wait: Duration,
    /// From the meter's start to the first whole page.
    pub first_page: Option<Duration>,
    /// Records beyond [`RECORDS`].
    pub records_dropped: u64,
}

impl Default for Meter {
    fn default() -> Self {
        Self::starting_at(Instant::now())
    }
}

impl Meter {
    /// A meter that starts now.
    pub fn new() -> Self {
        Self::default()
    }

    /// A meter that started at an instant of another clock.
    pub fn starting_at(started: Instant) -> Self {
        Self {
            started,
            calls: AtomicU64::new(0),
            pages: AtomicU64::new(0),
            retries: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            wire_bytes: AtomicU64::new(0),
            throttle_nanos: AtomicU64::new(0),
            first_page: AtomicU64::new(0),
            dropped: AtomicU64::new(0),
            records: Mutex::default(),
        }
    }

    /// The counters as they stand.
    pub fn totals(&self) -> Totals {
        Totals {
            calls: self.calls.load(Relaxed),
            pages: self.pages.load(Relaxed),
            retries: self.retries.load(Relaxed),
            bytes: self.bytes.load(Relaxed),
            wire_bytes: self.wire_bytes.load(Relaxed),
            throttle_wait: Duration::from_nanos(self.throttle_nanos.load(Relaxed)),
            first_page: self
                .first_page
                .load(Relaxed)
                .checked_sub(1)
                .map(Duration::from_nanos),
            records_dropped: self.dropped.load(Relaxed),
        }
    }

    /// The records so far, oldest first.
    pub fn records(&self) -> Vec<CallRecord> {
        self.records
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .iter()
            .cloned()
            .collect()
    }

    pub(crate) fn count_call(&self) {
        self.calls.fetch_add(1, Relaxed);
    }

    pub(crate) fn count_retry(&self, throttled: Option<Duration>) {
        self.retries.fetch_add(1, Relaxed);
        self.count_throttle(throttled.unwrap_or_default());
    }

    pub(crate) fn count_throttle(&self, wait: Duration) {
        self.throttle_nanos.fetch_add(nanos(wait), Relaxed);
    }

    pub(crate) fn count_bytes(&self, bytes: u64, wire_bytes: u64) {
        self.bytes.fetch_add(bytes, Relaxed);
        self.wire_bytes.fetch_add(wire_bytes, Relaxed);
    }

    pub(crate) fn count_page(&self, now: Instant) {
        self.pages.fetch_add(1, Relaxed);
        let since = nanos(now.saturating_duration_since(self.started)).saturating_add(1);
        // Only the first page sets it.
        self.first_page
            .compare_exchange(0, since, Relaxed, Relaxed)
            .ok();
    }

    pub(crate) fn record(&self, record: CallRecord) {
        let mut records = self.records.lock().unwrap_or_else(PoisonError::into_inner);
        if records.len() == RECORDS {
            self.dropped.fetch_add(1, Relaxed);
        } else {
            records.push_back(record);
        }
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
