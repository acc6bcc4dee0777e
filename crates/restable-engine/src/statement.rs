//! One running statement: what its calls share. It counts, remembers which scopes were read and which are missing, and
//! keeps the listings of parents, so that no scope is listed twice in a statement. It ends with the statement, and all
//! calls end with it.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU8, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use restable_http::{Allowance, CallContext, Client, Counters, Hourly, Lane, Meter};
use restable_spec::{BoundCall, Registry};
use restable_sql::Diagnostic;

use crate::Error;
use crate::acting::ActionTotals;
use crate::cache::Cache;
use crate::identity::Spellings;
use crate::listing::Listing;
use crate::memory::{Memory, Seen};
use crate::once::{self, Once};
use crate::snapshots::Reading;

/// A scope that could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    /// The path of the scope.
    pub scope: String,
    /// The service's code, or the kind of failure.
    pub code: String,
    /// What the service said.
    pub message: String,
}

/// Missing scopes that an error names.
const NAMED: usize = 10;

impl Missing {
    /// What a call could not read. An answer without a body still has its status.
    pub(crate) fn of_call(path: &str, problem: &restable_http::Error) -> Missing {
        let status = problem.status.filter(|_| problem.code.is_none());
        let code = match (&problem.code, status) {
            (Some(code), _) => code.clone(),
            (None, Some(status)) => format!("HTTP {status}"),
            (None, None) => format!("{:?}", problem.kind),
        };
        let message = match problem.message.trim() {
            "" => "the service gave no reason".to_owned(),
            told => told.to_owned(),
        };
        Missing {
            scope: path.to_owned(),
            code,
            message,
        }
    }

    /// The error of a statement that takes whole rows only: how many scopes could not be read, why that matters, and which they are.
    pub(crate) fn refused(missing: &[Missing], problem: &str, advice: &str) -> Error {
        let count = match missing.len() {
            1 => "1 scope".to_owned(),
            many => format!("{many} scopes"),
        };
        let problem = format!("{count} could not be read, {problem}");
        let mut all: Vec<&Missing> = missing.iter().collect();
        all.sort_by(|one, other| one.scope.cmp(&other.scope));
        let mut told = Diagnostic::new("R0604", problem.clone()).help(advice);
        for one in all.iter().take(NAMED) {
            told = told.note(format!("`{}`: {}: {}", one.scope, one.code, one.message));
        }
        if all.len() > NAMED {
            told = told.note(format!("and {} more", all.len() - NAMED));
        }
        Error::Answer(problem).told_as(told)
    }
}

/// What outlives a statement.
#[derive(Debug)]
pub(crate) struct Kept {
    pub memory: Arc<Memory>,
    pub cache: Arc<Cache>,
    /// What the statements of its session may call within an hour.
    pub hourly: Arc<Hourly>,
}

/// What a statement's scans share.
#[derive(Debug)]
pub struct Statement {
    /// Counts calls, pages, retries and bytes.
    pub meter: Arc<Meter>,
    /// When the statement must have ended.
    pub deadline: Option<Instant>,
    /// How long it may take.
    pub timeout: Option<Duration>,
    /// Whether scopes that cannot be read are left out and listed, instead of failing the statement.
    pub partial: bool,
    /// Limit of one attempt at one page.
    pub page_timeout: Duration,
    /// Ceiling of its calls in flight.
    pub concurrency: usize,
    /// Whose turn its calls take.
    pub lane: Lane,
    /// Subscriptions that a walk is confined to; empty: all that the credential sees.
    pub subscriptions: Vec<String>,
    pub(crate) registry: Arc<Registry>,
    pub(crate) clients: Arc<HashMap<String, Client>>,
    pub(crate) spellings: Arc<Spellings>,
    pub(crate) listings: Mutex<Option<HashMap<String, Arc<Listing>>>>,
    /// The calls that several of its parts read.
    pub(crate) once: Arc<Once>,
    /// Whether pages are read ahead of whoever takes their rows.
    ahead: AtomicBool,
    /// How many lists are read ahead at this time.
    pub(crate) open_lists: AtomicUsize,
    missing: Mutex<Vec<Missing>>,
    notices: Mutex<Vec<String>>,
    absent: AtomicU64,
    read: Mutex<BTreeMap<String, HashSet<String>>>,
    /// What was read of snapshots.
    snapshots: Mutex<Vec<Reading>>,
    /// What the targets of a statement that acts came to.
    pub(crate) actions: Mutex<Option<ActionTotals>>,
    /// How many calls it may make.
    pub(crate) allowance: Arc<Allowance>,
    memory: Arc<Memory>,
    cache: Arc<Cache>,
    /// How long a list that was read may be used again; `None`: everything is read anew.
    cache_ttl: Option<Duration>,
    /// Whether a part of the rows may be enough.
    sample: AtomicBool,
    /// Calls that are known and have not begun.
    known: AtomicI64,
    /// Calls of listings, and of those that share theirs, that are known.
    announced: Mutex<HashSet<String>>,
    /// What its parts are counted by, by their names.
    parts: Mutex<HashMap<String, Arc<Meter>>>,
    /// Lists that were read to their end, by provider.
    seen: Mutex<HashMap<String, Vec<(String, Seen)>>>,
    /// What was predicted of its calls, in words.
    prediction: OnceLock<String>,
    /// Its tag, and how it ended; `None` for one that reads for another.
    told: Option<(&'static str, AtomicU8)>,
    counters: Arc<Counters>,
}

/// So much time is kept at most for handing on what was read.
const SPARE: Duration = Duration::from_secs(1);

/// It was told how the statement ended.
const TOLD: u8 = u8::MAX;

/// How a statement ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ended {
    /// Before it had an answer.
    Failed = 0,
    /// Its rows were not taken to their end.
    Stopped = 1,
    /// Whole.
    Done = 2,
}

impl Statement {
    pub(crate) fn new(
        registry: Arc<Registry>,
        clients: Arc<HashMap<String, Client>>,
        spellings: Arc<Spellings>,
        settings: &crate::Settings,
        shared: Kept,
        counters: Arc<Counters>,
        tag: Option<&'static str>,
    ) -> Statement {
        let open = |tag| {
            tracing::info_span!(
                target: "span",
                "statement",
                db.operation.name = tag,
                rows = tracing::field::Empty,
                calls = tracing::field::Empty,
                outcome = tracing::field::Empty,
                otel.status_code = tracing::field::Empty,
            )
        };
        let span = tag.map_or_else(tracing::Span::none, open);
        if tag.is_some() {
            counters.begin_statement();
        }
        Statement {
            meter: Arc::new(Meter::within(Arc::clone(&counters), span)),
            told: tag.map(|tag| (tag, AtomicU8::new(Ended::Failed as u8))),
            counters,
            deadline: settings
                .statement_timeout
                .map(|limit| Instant::now() + limit),
            timeout: settings.statement_timeout,
            partial: settings.partial_results,
            page_timeout: settings.page_timeout,
            concurrency: settings.max_concurrency,
            lane: Lane::new(settings.max_concurrency, settings.throttle),
            ahead: AtomicBool::new(false),
            open_lists: AtomicUsize::new(0),
            subscriptions: settings.subscriptions.clone(),
            registry,
            clients,
            spellings,
            listings: Mutex::new(Some(HashMap::new())),
            once: Arc::default(),
            missing: Mutex::default(),
            notices: Mutex::default(),
            absent: AtomicU64::new(0),
            read: Mutex::default(),
            snapshots: Mutex::default(),
            actions: Mutex::default(),
            allowance: Arc::new(Allowance::new(settings.max_calls, Some(shared.hourly))),
            memory: shared.memory,
            cache: shared.cache,
            cache_ttl: Some(settings.cache_ttl).filter(|ttl| !ttl.is_zero()),
            sample: AtomicBool::new(false),
            known: AtomicI64::new(0),
            announced: Mutex::default(),
            parts: Mutex::default(),
            seen: Mutex::default(),
            prediction: OnceLock::new(),
        }
    }

    /// The same as a part of another: its calls count there, and are parts of its span.
    pub(crate) fn within(mut self, whole: &Statement) -> Statement {
        self.meter = Arc::clone(&whole.meter);
        self
    }

    /// A statement that reads anew what this one has read, and counts with it.
    pub(crate) fn again(&self) -> Statement {
        Statement {
            told: None,
            counters: Arc::clone(&self.counters),
            meter: Arc::clone(&self.meter),
            deadline: self.deadline,
            timeout: self.timeout,
            partial: false,
            page_timeout: self.page_timeout,
            concurrency: self.concurrency,
            lane: self.lane.clone(),
            ahead: AtomicBool::new(false),
            open_lists: AtomicUsize::new(0),
            subscriptions: self.subscriptions.clone(),
            registry: Arc::clone(&self.registry),
            clients: Arc::clone(&self.clients),
            spellings: Arc::clone(&self.spellings),
            listings: Mutex::new(Some(HashMap::new())),
            once: Arc::default(),
            missing: Mutex::default(),
            notices: Mutex::default(),
            absent: AtomicU64::new(0),
            read: Mutex::default(),
            snapshots: Mutex::default(),
            actions: Mutex::default(),
            allowance: Arc::clone(&self.allowance),
            memory: Arc::clone(&self.memory),
            cache: Arc::clone(&self.cache),
            cache_ttl: None,
            sample: AtomicBool::new(false),
            known: AtomicI64::new(0),
            announced: Mutex::default(),
            parts: Mutex::default(),
            seen: Mutex::default(),
            prediction: OnceLock::new(),
        }
    }

    /// The span that everything of the statement is a part of.
    pub(crate) fn span(&self) -> tracing::Span {
        self.meter.span()
    }

    /// Counts it as ended, once.
    fn tell(&self) {
        let Some((tag, how)) = &self.told else {
            return;
        };
        let how = match how.swap(TOLD, Ordering::Relaxed) {
            TOLD => return,
            how if how == Ended::Done as u8 => "done",
            how if how == Ended::Stopped as u8 => "stopped",
            _ => "failed",
        };
        let span = self.span();
        // Collectors know signed numbers only.
        span.record("calls", self.meter.totals().calls.cast_signed());
        span.record("outcome", how);
        if how == "failed" {
            span.record("otel.status_code", "ERROR");
        }
        self.meter.close();
        let time = self.meter.started().elapsed();
        self.counters.end_statement(tag, how, time);
    }

    /// Notes how it ends, as far as it has come.
    pub(crate) fn ended(&self, how: Ended) {
        if let Some((_, told)) = &self.told {
            told.store(how as u8, Ordering::Relaxed);
        }
    }

    /// When its calls must have ended. Those of an answer that may be partial end a little before the statement, so that what the
    /// others answered is still handed on.
    fn end_of_calls(&self) -> Option<Instant> {
        let spare = match (self.partial, self.timeout) {
            (true, Some(timeout)) => (timeout / 10).min(SPARE),
            _ => Duration::ZERO,
        };
        let end = self.deadline?;
        Some(end.checked_sub(spare).unwrap_or(end))
    }

    pub(crate) fn context(&self) -> CallContext {
        CallContext {
            meter: Arc::clone(&self.meter),
            deadline: self.end_of_calls(),
            page_timeout: Some(self.page_timeout),
            lane: self.lane.clone(),
            allowance: Arc::clone(&self.allowance),
        }
    }

    /// Nobody will stop before the last row, so that the next page of a list is read while the rows of one are taken.
    pub(crate) fn read_ahead(&self) {
        self.ahead.store(true, Ordering::Relaxed);
    }

    pub(crate) fn reads_ahead(&self) -> bool {
        self.ahead.load(Ordering::Relaxed)
    }

    /// Somebody may have enough before the last row, so that no more is begun than is asked for.
    pub(crate) fn sample(&self) {
        self.sample.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_sample(&self) -> bool {
        self.sample.load(Ordering::Relaxed)
    }

    /// What the calls of a part are counted by, and with them those of the whole.
    pub(crate) fn part(&self, name: &str) -> Arc<Meter> {
        let mut parts = lock(&self.parts);
        let part = parts.entry(name.to_owned());
        Arc::clone(part.or_insert_with(|| Arc::new(Meter::part_of(&self.meter))))
    }

    /// Counts calls that are known and have not begun; how many there are now.
    pub(crate) fn known_calls(&self, change: i64) -> u64 {
        let before = self.known.fetch_add(change, Ordering::SeqCst);
        u64::try_from(before + change).unwrap_or_default()
    }

    /// Whether a call that others may make as well was not known before.
    pub(crate) fn announce(&self, call: &BoundCall) -> bool {
        lock(&self.announced).insert(once::name(call))
    }

    /// Whether the calls that were made and so many more are not too many.
    pub(crate) fn may_make(&self, more: u64) -> bool {
        let most = self.allowance.most().unwrap_or(u64::MAX);
        self.allowance.taken().saturating_add(more) <= most
    }

    /// Whether a call for each of so many targets may follow those that were made.
    pub(crate) fn may_act(&self, targets: u64) -> crate::Result<()> {
        let left = self.left_of_hour().unwrap_or(u64::MAX);
        if self.may_make(targets) && targets <= left {
            return Ok(());
        }
        let problem = self.over_by(targets);
        let mut diagnostic = problem.diagnostic();
        diagnostic
            .notes
            .push("nothing that changes something was sent".to_owned());
        Err(diagnostic.into())
    }

    /// Says in words what was predicted of its calls.
    pub(crate) fn predict(&self, prediction: String) {
        let _ = self.prediction.set(prediction);
    }

    /// The error of a statement that would make more calls than it may.
    pub(crate) fn over(&self) -> crate::Error {
        self.over_by(u64::try_from(self.known.load(Ordering::SeqCst)).unwrap_or_default())
    }

    /// The same, of one that needs so many more.
    pub(crate) fn over_by(&self, more: u64) -> crate::Error {
        let prediction = self.prediction.get().map(String::as_str);
        crate::allow::over(&self.allowance, more, prediction, self.now())
    }

    /// How many calls the session may still make within the hour; `None`: any number.
    pub(crate) fn left_of_hour(&self) -> Option<u64> {
        let (left, most) = self.allowance.hourly()?.left(self.now());
        (most < u64::MAX).then_some(left)
    }

    /// A list was read to its end.
    pub(crate) fn note_seen(&self, provider: &str, list: String, seen: Seen) {
        let mut all = lock(&self.seen);
        all.entry(provider.to_owned())
            .or_default()
            .push((list, seen));
    }

    /// How long a list that was read may be used again; `None`: everything is read anew.
    pub(crate) fn cache_ttl(&self) -> Option<Duration> {
        self.cache_ttl
    }

    /// From the next call on everything is read anew.
    pub(crate) fn live(&mut self) {
        self.cache_ttl = None;
    }

    /// The lists that the process keeps.
    pub(crate) fn cache(&self) -> &Arc<Cache> {
        &self.cache
    }

    /// The memory of walks.
    pub(crate) fn memory(&self) -> &Memory {
        &self.memory
    }

    /// The time on the clock of the clients.
    fn now(&self) -> Instant {
        let client = self.clients.values().next();
        client.map_or_else(Instant::now, Client::now)
    }

    /// Ends the statement: its listings, and with them their calls, stop. What it read to the end is remembered.
    pub(crate) fn end(&self) {
        for (provider, seen) in std::mem::take(&mut *lock(&self.seen)) {
            self.memory
                .keep(&provider, self.clients.get(&provider), seen);
        }
        // Dropped without the lock: a listing that ends may hold others.
        let listings = lock(&self.listings).take();
        drop(listings);
        self.once.end();
    }

    /// Notes a scope as read, under the noun that the coverage line counts (`vaults`).
    pub(crate) fn note_read(&self, noun: &str, scope: String) {
        lock(&self.read)
            .entry(noun.to_owned())
            .or_default()
            .insert(scope);
    }

    pub(crate) fn note_absent(&self, notice: Option<String>) {
        self.absent.fetch_add(1, Ordering::Relaxed);
        if let Some(notice) = notice {
            self.note_notice(notice);
        }
    }

    /// Notes what the user should know, once.
    pub(crate) fn note_notice(&self, notice: String) {
        let mut notices = lock(&self.notices);
        if !notices.contains(&notice) {
            notices.push(notice);
        }
    }

    /// Notes a scope that could not be read, once, however many scans wanted it. It does not count as read.
    pub(crate) fn note_missing(&self, noun: Option<&str>, read: &str, missing: Missing) {
        if let Some(noun) = noun
            && let Some(scopes) = lock(&self.read).get_mut(noun)
        {
            scopes.remove(read);
        }
        let mut known = lock(&self.missing);
        if !known
            .iter()
            .any(|one| one.scope == missing.scope && one.code == missing.code)
        {
            known.push(missing);
        }
    }

    /// Notes what is read of a snapshot, once.
    pub(crate) fn note_snapshot(&self, reading: Reading) {
        let mut known = lock(&self.snapshots);
        let same = |one: &Reading| (&one.name, &one.time) == (&reading.name, &reading.time);
        if !known.iter().any(same) {
            known.push(reading);
        }
    }

    /// What was read of snapshots.
    pub fn snapshots(&self) -> Vec<Reading> {
        lock(&self.snapshots).clone()
    }

    /// The scopes that could not be read.
    pub fn missing(&self) -> Vec<Missing> {
        lock(&self.missing).clone()
    }

    /// What the user should know although nothing failed.
    pub fn notices(&self) -> Vec<String> {
        lock(&self.notices).clone()
    }

    /// How many scopes answered that they do not exist.
    pub fn absent(&self) -> u64 {
        self.absent.load(Ordering::Relaxed)
    }

    /// How many scopes of each kind were read, for example `{"subscriptions": 9, "vaults": 312}`.
    pub fn scopes(&self) -> BTreeMap<String, usize> {
        lock(&self.read)
            .iter()
            .map(|(noun, scopes)| (noun.clone(), scopes.len()))
            .collect()
    }
}

impl Drop for Statement {
    fn drop(&mut self) {
        self.tell();
    }
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Ends a statement when it is dropped, on whichever way it is left.
#[derive(Debug)]
pub(crate) struct Running(pub(crate) Arc<Statement>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.end();
        self.0.tell();
    }
}
