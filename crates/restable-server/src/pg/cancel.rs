//! Cancelling: one connection ends the statement of another by its number and secret, which only its client was told, or by SQL that
//! comes from the same user.

use std::collections::HashMap;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use restable_engine::pg_catalog::{Other, Others, Stop};
use tokio::sync::Notify;

/// So many letters of a statement are shown to others.
const SHOWN: usize = 1024;

/// Whether the statement of a connection should end.
#[derive(Debug, Default)]
pub struct Cancel {
    running: AtomicBool,
    asked: AtomicBool,
    wake: Notify,
    /// The statement, as much of it as is shown.
    said: Mutex<Option<Arc<str>>>,
    /// The connection should end.
    ended: AtomicBool,
    end: Notify,
}

impl Cancel {
    /// A statement begins: what was asked before was not meant for it.
    pub fn begin(&self) {
        self.asked.store(false, Ordering::SeqCst);
        self.running.store(true, Ordering::SeqCst);
    }

    /// The statement is this one.
    pub fn says(&self, text: &Arc<str>) {
        let text = match text.char_indices().nth(SHOWN) {
            None => Arc::clone(text),
            Some((at, _)) => text[..at].into(),
        };
        *self.said.lock().unwrap_or_else(PoisonError::into_inner) = Some(text);
    }

    fn said(&self) -> String {
        let said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        said.as_deref().unwrap_or_default().to_owned()
    }

    /// The statement is done.
    pub fn end(&self) {
        self.running.store(false, Ordering::SeqCst);
    }

    fn ask(&self) {
        if self.running.load(Ordering::SeqCst) {
            self.asked.store(true, Ordering::SeqCst);
            self.wake.notify_waiters();
        }
    }

    /// Ends the statement, and the connection after it.
    fn end_all(&self) {
        self.ended.store(true, Ordering::SeqCst);
        self.end.notify_waiters();
        self.ask();
    }

    /// Waits until the connection should end.
    pub async fn ended(&self) {
        let mut end = pin!(self.end.notified());
        // From here on a call of `end_all` wakes this.
        end.as_mut().enable();
        if !self.ended.load(Ordering::SeqCst) {
            end.await;
        }
    }

    /// Whether the statement should end.
    pub fn is_asked(&self) -> bool {
        self.asked.load(Ordering::SeqCst)
    }

    /// Waits until the statement should end.
    pub async fn asked(&self) {
        let mut wake = pin!(self.wake.notified());
        // From here on a call of `ask` wakes this.
        wake.as_mut().enable();
        if !self.asked.load(Ordering::SeqCst) {
            wake.await;
        }
    }
}

type Key = (i32, Bytes);

/// A connection in the list.
#[derive(Debug)]
struct Entry {
    cancel: Arc<Cancel>,
    user: String,
    database: String,
}

impl Entry {
    fn is_of(&self, user: Option<&str>) -> bool {
        user.is_none_or(|user| self.user == user)
    }
}

/// The connections that can be cancelled.
#[derive(Debug, Default)]
pub struct Connections {
    next: AtomicI32,
    all: Mutex<HashMap<Key, Entry>>,
}

/// A connection in the list; it leaves the list when this is dropped.
#[derive(Debug)]
pub struct Listed {
    /// The number by which its client cancels.
    pub process: i32,
    /// The secret that goes with it.
    pub secret: Bytes,
    /// Its statement.
    pub cancel: Arc<Cancel>,
    connections: Arc<Connections>,
}

impl Connections {
    /// Puts a connection of somebody into the list.
    pub fn list(self: &Arc<Self>, secret: [u8; 4], user: &str, database: &str) -> Listed {
        let process = self.next.fetch_add(1, Ordering::Relaxed).wrapping_add(1) & i32::MAX;
        let secret = Bytes::copy_from_slice(&secret);
        let cancel = Arc::new(Cancel::default());
        let entry = Entry {
            cancel: Arc::clone(&cancel),
            user: user.to_owned(),
            database: database.to_owned(),
        };
        self.lock().insert((process, secret.clone()), entry);
        Listed {
            process,
            secret,
            cancel,
            connections: Arc::clone(self),
        }
    }

    /// Ends the statement of a connection, if number and secret are right.
    pub fn cancel(&self, process: i32, secret: Bytes) {
        if let Some(entry) = self.lock().get(&(process, secret)) {
            entry.cancel.ask();
        }
    }

    /// What one of them may know of those of its user, or of all where nobody shows who he is, and may do to them.
    pub fn of(self: &Arc<Self>, user: Option<&str>) -> Others {
        let (seen, stopped) = (Arc::clone(self), Arc::clone(self));
        let (own, user) = (user.map(str::to_owned), user.map(str::to_owned));
        let list = move || {
            let all = seen.lock();
            let own = all.iter().filter(|(_, entry)| entry.is_of(own.as_deref()));
            let one = |((process, _), entry): (&Key, &Entry)| Other {
                process: *process,
                user: entry.user.clone(),
                database: entry.database.clone(),
                statement: entry.cancel.said(),
                runs: entry.cancel.running.load(Ordering::SeqCst),
            };
            let mut others: Vec<Other> = own.map(one).collect();
            others.sort_unstable_by_key(|other| other.process);
            others
        };
        let stop = move |process: i32, what| {
            let all = stopped.lock();
            let mut own = all.iter().filter(|(_, entry)| entry.is_of(user.as_deref()));
            let found = own.find(|((number, _), _)| *number == process);
            match (found, what) {
                (None, _) => return false,
                (Some((_, entry)), Stop::Statement) => entry.cancel.ask(),
                (Some((_, entry)), Stop::Connection) => entry.cancel.end_all(),
            }
            true
        };
        Others::new(list, stop)
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.lock().len()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<Key, Entry>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Listed {
    fn drop(&mut self) {
        self.connections
            .lock()
            .remove(&(self.process, self.secret.clone()));
    }
}
