//! Cancelling: one connection ends the statement of another by its number and secret, which only its client was told.

use std::collections::HashMap;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use tokio::sync::Notify;

/// Whether the statement of a connection should end.
#[derive(Debug, Default)]
pub struct Cancel {
    running: AtomicBool,
    asked: AtomicBool,
    wake: Notify,
}

impl Cancel {
    /// A statement begins: what was asked before was not meant for it.
    pub fn begin(&self) {
        self.asked.store(false, Ordering::SeqCst);
        self.running.store(true, Ordering::SeqCst);
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

/// The connections that can be cancelled.
#[derive(Debug, Default)]
pub struct Connections {
    next: AtomicI32,
    all: Mutex<HashMap<Key, Arc<Cancel>>>,
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
    /// Puts a connection into the list.
    pub fn list(self: &Arc<Self>, secret: [u8; 4]) -> Listed {
        let process = self.next.fetch_add(1, Ordering::Relaxed).wrapping_add(1) & i32::MAX;
        let secret = Bytes::copy_from_slice(&secret);
        let cancel = Arc::new(Cancel::default());
        self.lock()
            .insert((process, secret.clone()), Arc::clone(&cancel));
        Listed {
            process,
            secret,
            cancel,
            connections: Arc::clone(self),
        }
    }

    /// Ends the statement of a connection, if number and secret are right.
    pub fn cancel(&self, process: i32, secret: Bytes) {
        let found = self.lock().get(&(process, secret)).map(Arc::clone);
        if let Some(cancel) = found {
            cancel.ask();
        }
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.lock().len()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<Key, Arc<Cancel>>> {
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
