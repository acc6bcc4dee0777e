//! Those who are on their way in: connections that have not yet shown who they are. They have places of their own, so that they keep
//! nobody out who has, and little time; where all places are taken, whoever is there longest leaves for the next.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use tokio::sync::Notify;

/// How long a client may take to come in.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);
/// So many clients may be on their way in at once.
pub(crate) const STARTING: usize = 200;

/// The places of those who are on their way in.
#[derive(Debug)]
pub(crate) struct Coming {
    most: usize,
    taken: Mutex<Places>,
}

#[derive(Debug, Default)]
struct Places {
    next: u64,
    /// Oldest first.
    all: VecDeque<(u64, Arc<Notify>)>,
}

/// A place; it is free again when this is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    number: u64,
    leave: Arc<Notify>,
    coming: Arc<Coming>,
}

impl Coming {
    pub(crate) fn new(most: usize) -> Arc<Coming> {
        Arc::new(Coming {
            most,
            taken: Mutex::default(),
        })
    }

    /// Takes a place. Where there is none, whoever has the oldest is told to leave.
    pub(crate) fn enter(self: &Arc<Self>) -> Place {
        let mut taken = self.lock();
        if taken.all.len() >= self.most
            && let Some((_, oldest)) = taken.all.pop_front()
        {
            oldest.notify_one();
        }
        let (number, leave) = (taken.next, Arc::new(Notify::new()));
        taken.next += 1;
        taken.all.push_back((number, Arc::clone(&leave)));
        drop(taken);
        Place {
            number,
            leave,
            coming: Arc::clone(self),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Places> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    /// Is done when whoever has the place should leave: because his time is up, or because somebody else needs it.
    pub(crate) fn expires(self) -> BoxFuture<'static, ()> {
        async move {
            let _ = tokio::time::timeout(PATIENCE, self.leave.notified()).await;
        }
        .boxed()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.coming.lock();
        taken.all.retain(|(number, _)| *number != self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_leaves_where_there_is_no_place() {
        let coming = Coming::new(2);
        let mut first = coming.enter().expires();
        let second = coming.enter();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build();
        let (Ok(runtime), true) = (runtime, coming.lock().all.len() == 2) else {
            unreachable!("two places are taken");
        };
        runtime.block_on(async {
            assert_eq!((&mut first).now_or_never(), None);
            drop(second);
            let second = coming.enter();
            assert_eq!((&mut first).now_or_never(), None);
            let third = coming.enter();
            assert_eq!((&mut first).now_or_never(), Some(()));
            assert_eq!(second.expires().now_or_never(), None);
            drop((first, third));
        });
        assert!(coming.lock().all.is_empty());
    }
}
