//! What a statement's calls cost: counters, and a record of each call. One meter a statement, shared by all of its scans and
//! read by the completeness line and `SHOW CALLS`. It decides nothing.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::counters::Counters;

/// Records kept of one statement. Later ones are counted in [`Totals::records_dropped`] only; the counters go on.
pub const RECORDS: usize = 10_000;

/// The counters of one statement, or of a part of it.
#[derive(Debug)]
pub struct Meter {
    started: Instant,
    /// The meter that counts what this one counts as well.
    whole: Option<Arc<Meter>>,
    calls: AtomicU64,
    pages: AtomicU64,
    retries: AtomicU64,
    bytes: AtomicU64,
    wire_bytes: AtomicU64,
    throttled: Mutex<Spans>,
    // Nanoseconds since the start, plus one; zero before the first page.
    first_page: AtomicU64,
    // The same, of the first page with a row.
    first_row: AtomicU64,
    dropped: AtomicU64,
    cached: AtomicU64,
    // Milliseconds, plus one; zero if nothing came from the cache.
    oldest: AtomicU64,
    records: Mutex<Vec<CallRecord>>,
    process: Option<Arc<Counters>>,
    span: Mutex<tracing::Span>,
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
    /// Of them those that the service's limits caused.
    pub throttled_milliseconds: u64,
    /// The rows of the page, once it was read.
    pub rows: Option<u64>,
    /// From the statement's start to the moment at which they were, if there are any.
    pub first_row_milliseconds: Option<u64>,
    /// How old the answer was when it was taken from the cache; nothing was sent for it then.
    pub age: Option<Duration>,
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
    /// How long at least one call waited because the service throttles.
    pub throttle_wait: Duration,
    /// From the meter's start to the first whole page.
    pub first_page: Option<Duration>,
    /// From the meter's start to the first page with a row.
    pub first_row: Option<Duration>,
    /// Pages taken from the cache.
    pub cached: u64,
    /// The age of the oldest of them.
    pub oldest: Option<Duration>,
    /// Records beyond [`RECORDS`].
    pub records_dropped: u64,
}

/// Times that do not overlap, in their order.
#[derive(Debug, Default)]
struct Spans(Vec<(Instant, Instant)>);

impl Spans {
    /// Calls wait side by side: what is in several waits counts once.
    fn add(&mut self, from: Instant, to: Instant) {
        let first = self.0.partition_point(|(_, end)| *end < from);
        let behind = self.0.partition_point(|(begin, _)| *begin <= to);
        let touched = self.0.get(first..behind).unwrap_or_default();
        let from = touched.first().map_or(from, |(begin, _)| from.min(*begin));
        let to = touched.last().map_or(to, |(_, end)| to.max(*end));
        self.0.splice(first..behind, [(from, to)]);
    }

    fn total(&self) -> Duration {
        self.0.iter().map(|(from, to)| *to - *from).sum()
    }
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
            whole: None,
            calls: AtomicU64::new(0),
            pages: AtomicU64::new(0),
            retries: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            wire_bytes: AtomicU64::new(0),
            throttled: Mutex::default(),
            first_page: AtomicU64::new(0),
            first_row: AtomicU64::new(0),
            cached: AtomicU64::new(0),
            oldest: AtomicU64::new(0),
            dropped: AtomicU64::new(0),
            records: Mutex::default(),
            process: None,
            span: Mutex::new(tracing::Span::none()),
        }
    }

    /// A meter of a part of what `whole` counts.
    pub fn part_of(whole: &Arc<Meter>) -> Self {
        Self {
            whole: Some(Arc::clone(whole)),
            ..Self::starting_at(whole.started)
        }
    }

    /// A meter that starts now, whose counts are the process's, too, and whose calls are parts of a span.
    pub fn within(process: Arc<Counters>, span: tracing::Span) -> Self {
        Self {
            process: Some(process),
            span: Mutex::new(span),
            ..Self::default()
        }
    }

    /// The span that the calls are parts of.
    pub fn span(&self) -> tracing::Span {
        let span = self.root().span.lock();
        span.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Ends the span, as far as the meter holds it.
    pub fn close(&self) {
        let span = self.root().span.lock();
        *span.unwrap_or_else(PoisonError::into_inner) = tracing::Span::none();
    }

    /// When it started.
    pub fn started(&self) -> Instant {
        self.started
    }

    /// The meter that counts everything that this one does.
    fn root(&self) -> &Meter {
        let mut root = self;
        while let Some(whole) = root.whole.as_deref() {
            root = whole;
        }
        root
    }

    /// What counts for the whole process.
    fn process(&self) -> Option<&Counters> {
        self.root().process.as_deref()
    }

    /// The counters as they stand.
    pub fn totals(&self) -> Totals {
        let moment = |nanos: &AtomicU64| nanos.load(Relaxed).checked_sub(1);
        Totals {
            calls: self.calls.load(Relaxed),
            pages: self.pages.load(Relaxed),
            retries: self.retries.load(Relaxed),
            bytes: self.bytes.load(Relaxed),
            wire_bytes: self.wire_bytes.load(Relaxed),
            throttle_wait: self.throttled().total(),
            first_page: moment(&self.first_page).map(Duration::from_nanos),
            first_row: moment(&self.first_row).map(Duration::from_nanos),
            cached: self.cached.load(Relaxed),
            oldest: moment(&self.oldest).map(Duration::from_millis),
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

    /// Takes down an answer that came from the cache: no call, but a line among the calls.
    pub fn record_cached(&self, mut record: CallRecord, age: Duration, now: Instant) {
        let rows = usize::try_from(record.rows.unwrap_or_default()).unwrap_or(usize::MAX);
        record.age = Some(age);
        let number = self.record(record);
        let oldest = millis(age).saturating_add(1);
        self.each(|meter| {
            meter.cached.fetch_add(1, Relaxed);
            meter.oldest.fetch_max(oldest, Relaxed);
        });
        self.count_row(number, rows, now);
    }

    /// This meter, and those that it is a part of.
    fn each(&self, count: impl Fn(&Meter)) {
        let mut meter = Some(self);
        while let Some(one) = meter {
            count(one);
            meter = one.whole.as_deref();
        }
    }

    pub(crate) fn count_call(&self) {
        self.each(|meter| {
            meter.calls.fetch_add(1, Relaxed);
        });
    }

    pub(crate) fn count_retry(&self) {
        self.each(|meter| {
            meter.retries.fetch_add(1, Relaxed);
        });
        self.process().into_iter().for_each(Counters::retry);
    }

    fn throttled(&self) -> std::sync::MutexGuard<'_, Spans> {
        self.throttled
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// A call waited because the service throttles, until `end`.
    pub(crate) fn count_throttle(&self, wait: Duration, end: Instant) {
        if wait.is_zero() {
            return;
        }
        let from = end.checked_sub(wait).unwrap_or(end);
        self.each(|meter| meter.throttled().add(from, end));
        self.process()
            .into_iter()
            .for_each(|process| process.throttle(wait));
    }

    pub(crate) fn count_bytes(&self, bytes: u64, wire_bytes: u64) {
        self.each(|meter| {
            meter.bytes.fetch_add(bytes, Relaxed);
            meter.wire_bytes.fetch_add(wire_bytes, Relaxed);
        });
        self.process()
            .into_iter()
            .for_each(|process| process.received(bytes, wire_bytes));
    }

    /// A page was read whole; `record` is the number of its call's record.
    pub(crate) fn count_page(&self, record: Option<usize>, rows: usize, now: Instant) {
        let since = nanos(now.saturating_duration_since(self.started)).saturating_add(1);
        self.each(|meter| {
            meter.pages.fetch_add(1, Relaxed);
            // Only the first page sets it.
            let first = &meter.first_page;
            first.compare_exchange(0, since, Relaxed, Relaxed).ok();
        });
        self.count_row(record, rows, now);
    }

    fn count_row(&self, record: Option<usize>, rows: usize, now: Instant) {
        let since = now.saturating_duration_since(self.started);
        if rows > 0 {
            let since = nanos(since).saturating_add(1);
            self.each(|meter| {
                let first = &meter.first_row;
                first.compare_exchange(0, since, Relaxed, Relaxed).ok();
            });
        }
        let mut records = self
            .root()
            .records
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(record) = record.and_then(|number| records.get_mut(number)) {
            record.rows = Some(rows as u64);
            record.first_row_milliseconds = (rows > 0).then(|| millis(since));
        }
    }

    /// Takes a record down, in the meter of the whole; its number, if it is kept.
    pub(crate) fn record(&self, record: CallRecord) -> Option<usize> {
        if let Some(whole) = &self.whole {
            return whole.record(record);
        }
        // What came from the cache is no call of the process.
        if let Some(process) = &self.process
            && record.age.is_none()
        {
            let time = Duration::from_millis(record.milliseconds);
            process.call(record.method, record.status, time);
        }
        let mut records = self.records.lock().unwrap_or_else(PoisonError::into_inner);
        if records.len() == RECORDS {
            self.dropped.fetch_add(1, Relaxed);
            return None;
        }
        records.push(record);
        Some(records.len() - 1)
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_side_by_side_count_once() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let meter = Meter::starting_at(start);
        let wait = |from: u64, to| meter.count_throttle(Duration::from_secs(to - from), at(to));
        let total = || meter.totals().throttle_wait.as_secs();
        wait(5, 6);
        wait(5, 6);
        assert_eq!(total(), 1);
        wait(8, 10);
        wait(9, 11);
        assert_eq!(total(), 4);
        // One that began before all others ends after them.
        wait(0, 7);
        assert_eq!(total(), 10);
        wait(12, 12);
        wait(11, 13);
        assert_eq!(total(), 12);
        wait(1, 20);
        assert_eq!(total(), 20);
    }
}
