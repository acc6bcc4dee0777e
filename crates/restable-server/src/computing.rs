//! The threads on which statements are computed. They are not those that serve sockets: a statement that computes long
//! without a pause must not keep others from being heard, least of all a request to cancel it.

use std::time::{Duration, Instant};

use restable_engine::acting::Commitment;
use restable_engine::{Error, Hall, Session};
use tokio::runtime::Runtime;

/// So many statements are computed at once; others wait. Each has a thread while it runs.
const MOST: usize = 4096;
/// Threads beyond the processors for what statements begin beside themselves: one of them may be in a long step.
const SPARE: usize = 2;

/// The threads of statements; they end with the value.
#[derive(Debug)]
pub(crate) struct Computing {
    runtime: Option<Runtime>,
    hall: Hall,
}

impl Computing {
    pub(crate) fn new() -> std::io::Result<Computing> {
        let processors = std::thread::available_parallelism();
        let processors = processors.map_or(1, std::num::NonZeroUsize::get);
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(processors + SPARE)
            .thread_name("statement")
            .thread_stack_size(restable_engine::STACK)
            .max_blocking_threads(MOST)
            .enable_all()
            .build()?;
        let hall = Hall::new(runtime.handle().clone());
        Ok(Computing {
            runtime: Some(runtime),
            hall,
        })
    }

    pub(crate) fn hall(&self) -> &Hall {
        &self.hall
    }
}

impl Drop for Computing {
    fn drop(&mut self) {
        // Statements that compute still are not waited for.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// Gives up what may act: from now on nothing more of it begins. `false` if something had begun.
pub(crate) fn give_up(acts: &[Commitment]) -> bool {
    let mut all = true;
    // Each is given up, also where one before it had begun.
    for one in acts {
        all &= one.give_up();
    }
    all
}

/// Until when a statement may go on, whatever it computes just then.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limit {
    end: Instant,
    time: Duration,
}

/// The statement itself looks at the time as well, knows more of itself, and so tells first where its steps are short.
const GRACE: Duration = Duration::from_millis(100);

impl Limit {
    /// Of a statement that begins now.
    pub(crate) fn of(session: &Session) -> Option<Limit> {
        Limit::after(session.settings().statement_timeout?)
    }

    /// Of statements that begin now, one after the other.
    pub(crate) fn of_several(session: &Session, statements: usize) -> Option<Limit> {
        let time = session.settings().statement_timeout?;
        let statements = u32::try_from(statements.max(1)).unwrap_or(u32::MAX);
        let limit = Limit::after(time.checked_mul(statements)?)?;
        Some(Limit { time, ..limit })
    }

    fn after(time: Duration) -> Option<Limit> {
        let end = Instant::now().checked_add(time)?;
        Some(Limit { end, time })
    }

    /// When it must have ended.
    pub(crate) fn end(self) -> Instant {
        self.end
    }

    /// The error of a statement that has not.
    pub(crate) fn late(self) -> Error {
        Error::Timeout(self.time)
    }

    /// What comes of work, if it comes in time.
    pub(crate) async fn keep<T>(
        limit: Option<Limit>,
        work: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        Limit::keep_unless_begun(limit, &[], work).await
    }

    /// The same for work that may act: once it has begun to, it is waited for, and keeps the time itself.
    pub(crate) async fn keep_unless_begun<T>(
        limit: Option<Limit>,
        acts: &[Commitment],
        work: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        let Some(limit) = limit else {
            return work.await;
        };
        let mut work = std::pin::pin!(work);
        match tokio::time::timeout_at((limit.end + GRACE).into(), work.as_mut()).await {
            Ok(done) => done,
            Err(_) if give_up(acts) => Err(limit.late()),
            Err(_) => work.await,
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_has_begun_to_act_is_waited_for() {
        let begun = Commitment::default();
        assert!(begun.begin());
        let limit = Limit::after(Duration::ZERO);
        let work = async {
            tokio::time::sleep_until((limit.unwrap().end() + GRACE * 2).into()).await;
            Ok(1)
        };
        let done = Limit::keep_unless_begun(limit, std::slice::from_ref(&begun), work).await;
        assert_eq!(done.unwrap(), 1);
        // Another one that has not begun is given up, and never will.
        let waits = Commitment::default();
        let never = std::future::pending::<Result<u32, Error>>();
        let late = Limit::keep_unless_begun(limit, std::slice::from_ref(&waits), never).await;
        assert!(matches!(late, Err(Error::Timeout(_))));
        assert!(!waits.begin());
        assert!(!give_up(&[Commitment::default(), begun]));
    }
}
