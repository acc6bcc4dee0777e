//! Owns the life of an emulator: start, stop, and what tests may ask of it in process.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::error::Error;
use crate::faults::Fault;
use crate::journal::{JournalEntry, LedgerEntry};
use crate::options::Options;
use crate::serve::{Shared, serve};
use crate::wire::{Cut, Door};

/// A running emulator. It stops when it is dropped.
#[derive(Debug)]
pub struct Emulator {
    address: SocketAddr,
    shared: Arc<Shared>,
    stop: Option<oneshot::Sender<()>>,
    task: Option<JoinHandle<()>>,
}

impl Emulator {
    /// Builds the estate and listens.
    ///
    /// # Errors
    /// If the address is not on loopback or cannot be listened on, or if an estate's file is not usable.
    pub async fn start(options: Options) -> Result<Emulator, Error> {
        if !options.listen.ip().is_loopback() {
            return Err(Error::NotLoopback(options.listen));
        }
        let failed = |source| Error::Listen {
            address: options.listen,
            source,
        };
        let listener = TcpListener::bind(options.listen).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let shared = Arc::new(Shared::new(options, address)?);
        let router = Router::new()
            .fallback(serve)
            .with_state(Arc::clone(&shared));
        let (stop, stopped) = oneshot::channel::<()>();
        let service = router.into_make_service_with_connect_info::<Cut>();
        let server = axum::serve(Door(listener), service).with_graceful_shutdown(async move {
            // An error means that the emulator was dropped, which is an order to stop too.
            let _ = stopped.await;
        });
        let task = tokio::spawn(async move {
            // The future of an axum server never fails.
            let _ = server.await;
        });
        Ok(Emulator {
            address,
            shared,
            stop: Some(stop),
            task: Some(task),
        })
    }

    /// `http://127.0.0.1:PORT`, without a slash at the end.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The requests so far, oldest first; requests to the control plane are not among them.
    pub fn journal(&self) -> Vec<JournalEntry> {
        self.shared.journal().entries()
    }

    /// Forgets the requests so far and counts from 1 again.
    pub fn clear_journal(&self) {
        self.shared.journal().clear();
    }

    /// The side effects so far, oldest first.
    pub fn ledger(&self) -> Vec<LedgerEntry> {
        self.shared.world().ledger.clone()
    }

    /// Moves the clock and lets everything happen that is due.
    pub fn advance(&self, by: Duration) {
        let mut world = self.shared.world();
        world.clock.advance(by);
        world.settle();
    }

    /// Adds a fault; the faults are tried in the order in which they were added.
    pub fn inject(&self, fault: Fault) {
        self.shared.world().faults.add(fault);
    }

    /// Removes all faults.
    pub fn clear_faults(&self) {
        self.shared.world().faults.clear();
    }

    /// From now on every bearer token that was sent so far is refused as expired.
    pub fn expire_tokens(&self) {
        self.shared.world().tokens.expire();
    }

    /// Builds the estate anew and forgets requests, effects and faults.
    ///
    /// # Errors
    /// If the estate is a file that is no longer usable.
    pub fn reset(&self) -> Result<(), Error> {
        self.shared.reset()
    }

    /// How many resources are stored; those of a generated estate are not, until they are touched.
    pub fn stored(&self) -> usize {
        self.shared.world().store.stored()
    }

    /// Stops listening, waits up to a second for running answers, and closes.
    pub async fn stop(mut self) {
        if let Some(stop) = self.stop.take() {
            // The receiver is gone only if the server already stopped.
            let _ = stop.send(());
        }
        if let Some(mut task) = self.task.take()
            && tokio::time::timeout(Duration::from_secs(1), &mut task)
                .await
                .is_err()
        {
            task.abort();
        }
    }
}
