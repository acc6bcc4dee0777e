//! How an operation is followed and how that ended, as data: the waits between questions, what is told while it runs, and its end. The
//! following itself is [`crate::Client::follow`]'s.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::client::CallContext;
use crate::error::Error;

/// The waits between questions where the service names none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PollInterval {
    /// The first; each later one is twice as long. A service's own wait is not taken shorter than this, or than a second if this is more.
    pub first: Duration,
    /// The longest.
    pub longest: Duration,
}

impl Default for PollInterval {
    fn default() -> Self {
        Self {
            first: Duration::from_secs(1),
            longest: Duration::from_secs(30),
        }
    }
}

impl PollInterval {
    /// Waits that start at `first`; zero never waits, for tests.
    pub fn starting_at(first: Duration) -> Self {
        let longest = Self::default().longest.max(first);
        Self { first, longest }
    }

    /// The wait before the question after `polls` questions.
    pub(crate) fn pause(&self, asked: Option<Duration>, polls: u32) -> Duration {
        match asked {
            Some(wait) => wait.max(self.first.min(Duration::from_secs(1))),
            None => self
                .first
                .saturating_mul(1 << polls.min(20))
                .min(self.longest),
        }
    }
}

/// How far an operation is, after a question.
#[derive(Debug, Clone, PartialEq)]
pub struct Progress {
    /// The service's word for it.
    pub status: String,
    /// The share that is done, if the service says so, from 0 to 100.
    pub percent: Option<f32>,
    /// Time since the operation was accepted.
    pub elapsed: Duration,
    /// Questions so far.
    pub polls: u32,
}

/// Who is told how far an operation is.
pub type Listener = dyn Fn(&Progress) + Send + Sync;

/// Who follows an operation, and how.
#[derive(Clone)]
pub struct Watch {
    /// Where the questions are counted, and until when they are asked.
    pub calls: CallContext,
    /// The waits between them.
    pub poll: PollInterval,
    /// Told after each question that found the operation running.
    pub progress: Option<Arc<Listener>>,
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watch")
            .field("calls", &self.calls)
            .field("poll", &self.poll)
            .finish_non_exhaustive()
    }
}

impl Watch {
    /// A watch with the usual waits, that tells nobody.
    pub fn new(calls: CallContext) -> Self {
        Self {
            calls,
            poll: PollInterval::default(),
            progress: None,
        }
    }
}

/// Where the body of a result stood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// In the answer to the call itself.
    Call,
    /// In the status of the operation: the result is its `properties`.
    Monitor,
    /// At the `Location`.
    Location,
    /// At the URL of the call: the resource.
    Resource,
}

/// A call or an operation that succeeded.
#[derive(Debug, Clone)]
pub struct Finished {
    /// The status of the answer that told so.
    pub status: u16,
    /// Where [`Finished::body`] stood.
    pub source: Source,
    /// The result, as JSON text; `None` if there is none.
    pub body: Option<Bytes>,
    /// The last status of the operation, as JSON text; its `properties` often hold the id of a job.
    pub monitor: Option<Bytes>,
    /// Why the result is not there although there should be one.
    pub warning: Option<Error>,
    /// The service's correlation id.
    pub correlation_id: Option<String>,
}

/// How following ended.
#[derive(Debug, Clone)]
pub enum Ending {
    /// The operation succeeded.
    Succeeded(Box<Finished>),
    /// The operation failed: the service's error.
    Failed(Error),
    /// The operation was canceled: the service's error.
    Canceled(Error),
    /// The waiting ended before the operation: the deadline, or a question that got no usable answer.
    Unfinished(Error),
}
