//! One running statement: what its calls share. It counts, remembers which scopes were read and which are missing, and
//! keeps the listings of parents, so that no scope is listed twice in a statement. It ends with the statement, and all
//! calls end with it.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use restable_http::{CallContext, Client, Lane, Meter};
use restable_spec::Registry;

use crate::acting::ActionTotals;
use crate::identity::Spellings;
use crate::listing::Listing;

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

/// What a statement's scans share.
#[derive(Debug)]
pub struct Statement {
    /// Counts calls, pages, retries and bytes.
    pub meter: Arc<Meter>,
    /// When the statement must have ended.
    pub deadline: Option<Instant>,
    /// How long it may take.
    pub timeout: Option<std::time::Duration>,
    /// Whether scopes that cannot be read are left out and listed, instead of failing the statement.
    pub partial: bool,
    /// Limit of one attempt at one page.
    pub page_timeout: std::time::Duration,
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
    /// Whether pages are read ahead of whoever takes their rows.
    ahead: AtomicBool,
    missing: Mutex<Vec<Missing>>,
    notices: Mutex<Vec<String>>,
    absent: AtomicU64,
    read: Mutex<BTreeMap<String, HashSet<String>>>,
    /// What the targets of a statement that acts came to.
    pub(crate) actions: Mutex<Option<ActionTotals>>,
}

impl Statement {
    pub(crate) fn new(
        registry: Arc<Registry>,
        clients: Arc<HashMap<String, Client>>,
        spellings: Arc<Spellings>,
        settings: &crate::Settings,
    ) -> Statement {
        Statement {
            meter: Arc::new(Meter::default()),
            deadline: settings
                .statement_timeout
                .map(|limit| Instant::now() + limit),
            timeout: settings.statement_timeout,
            partial: settings.partial_results,
            page_timeout: settings.page_timeout,
            concurrency: settings.max_concurrency,
            lane: Lane::new(settings.max_concurrency, settings.throttle),
            ahead: AtomicBool::new(false),
            subscriptions: settings.subscriptions.clone(),
            registry,
            clients,
            spellings,
            listings: Mutex::new(Some(HashMap::new())),
            missing: Mutex::default(),
            notices: Mutex::default(),
            absent: AtomicU64::new(0),
            read: Mutex::default(),
            actions: Mutex::default(),
        }
    }

    /// A statement that reads anew what this one has read, and counts with it.
    pub(crate) fn again(&self) -> Statement {
        Statement {
            meter: Arc::clone(&self.meter),
            deadline: self.deadline,
            timeout: self.timeout,
            partial: false,
            page_timeout: self.page_timeout,
            concurrency: self.concurrency,
            lane: self.lane.clone(),
            ahead: AtomicBool::new(false),
            subscriptions: self.subscriptions.clone(),
            registry: Arc::clone(&self.registry),
            clients: Arc::clone(&self.clients),
            spellings: Arc::clone(&self.spellings),
            listings: Mutex::new(Some(HashMap::new())),
            missing: Mutex::default(),
            notices: Mutex::default(),
            absent: AtomicU64::new(0),
            read: Mutex::default(),
            actions: Mutex::default(),
        }
    }

    pub(crate) fn context(&self) -> CallContext {
        CallContext {
            meter: Arc::clone(&self.meter),
            deadline: self.deadline,
            page_timeout: Some(self.page_timeout),
            lane: self.lane.clone(),
        }
    }

    /// Nobody will stop before the last row, so that the next page of a list is read while the rows of one are taken.
    pub(crate) fn read_ahead(&self) {
        self.ahead.store(true, Ordering::Relaxed);
    }

    pub(crate) fn reads_ahead(&self) -> bool {
        self.ahead.load(Ordering::Relaxed)
    }

    /// Ends the statement: its listings, and with them their calls, stop.
    pub(crate) fn end(&self) {
        // Dropped without the lock: a listing that ends may hold others.
        let listings = lock(&self.listings).take();
        drop(listings);
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

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Ends a statement when it is dropped, on whichever way it is left.
#[derive(Debug)]
pub(crate) struct Running(pub(crate) Arc<Statement>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.end();
    }
}
