//! The transport of tests: it answers from a script, keeps what it was sent, and opens no socket. Waits in a script are waits of the
//! clock that it is given, so that virtual time covers them.

use std::collections::VecDeque;
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::{self, StreamExt};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

use crate::clock::Clock;
use crate::transport::{Breakage, Request, Response, Transport, TransportError};

/// One answer of a script.
#[derive(Debug, Clone)]
pub struct Reply {
    wait: Duration,
    outcome: Result<(StatusCode, HeaderMap), TransportError>,
    pieces: Vec<Bytes>,
    ending: Ending,
}

#[derive(Debug, Clone)]
enum Ending {
    Whole,
    Broken,
    Silent,
}

impl Reply {
    /// A JSON answer with this status. A status that is none becomes 500.
    pub fn json(status: u16, body: impl Into<Bytes>) -> Self {
        Self::plain(status, body).header("content-type", "application/json; charset=utf-8")
    }

    /// An answer without a content type.
    pub fn plain(status: u16, body: impl Into<Bytes>) -> Self {
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        Self {
            wait: Duration::ZERO,
            outcome: Ok((status, HeaderMap::new())),
            pieces: vec![body.into()],
            ending: Ending::Whole,
        }
    }

    /// No answer: the request came this far.
    pub fn breakage(breakage: Breakage) -> Self {
        let error = TransportError::new(breakage, "scripted");
        Self {
            wait: Duration::ZERO,
            outcome: Err(error),
            pieces: Vec::new(),
            ending: Ending::Whole,
        }
    }

    /// No answer, ever.
    pub fn silence() -> Self {
        Self::plain(200, "").after(Duration::MAX)
    }

    /// Sets a header; one that cannot be sent is left out.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        if let (Ok((_, headers)), Ok(name), Ok(value)) = (
            &mut self.outcome,
            HeaderName::try_from(name),
            HeaderValue::from_str(value),
        ) {
            headers.insert(name, value);
        }
        self
    }

    /// Answers after this time.
    pub fn after(mut self, wait: Duration) -> Self {
        self.wait = wait;
        self
    }

    /// Sends the body in pieces of this size.
    pub fn sliced(mut self, size: usize) -> Self {
        self.pieces = self
            .pieces
            .iter()
            .flat_map(|piece| piece.chunks(size.max(1)))
            .map(Bytes::copy_from_slice)
            .collect();
        self
    }

    /// The connection breaks after the body.
    pub fn then_broken(mut self) -> Self {
        self.ending = Ending::Broken;
        self
    }

    /// Nothing comes after the body, not even its end.
    pub fn then_silent(mut self) -> Self {
        self.ending = Ending::Silent;
        self
    }
}

type Answerer = dyn Fn(&Request, usize) -> Reply + Send + Sync;

/// The scripted transport. A clone is the same one.
#[derive(Clone)]
pub struct Script {
    clock: Arc<dyn Clock>,
    answer: Arc<Answerer>,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    seen: Mutex<Vec<Request>>,
    under_way: AtomicUsize,
    peak: AtomicUsize,
}

impl fmt::Debug for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Script")
            .field("seen", &self.seen().len())
            .finish_non_exhaustive()
    }
}

impl Script {
    /// Answers each request with what `answer` makes of it and of the number of requests before it.
    pub fn answering(
        clock: Arc<dyn Clock>,
        answer: impl Fn(&Request, usize) -> Reply + Send + Sync + 'static,
    ) -> Self {
        Self {
            clock,
            answer: Arc::new(answer),
            state: Arc::default(),
        }
    }

    /// Answers in this order, and refuses the connection when there is nothing left.
    pub fn of(clock: Arc<dyn Clock>, replies: impl IntoIterator<Item = Reply>) -> Self {
        let replies = Mutex::new(replies.into_iter().collect::<VecDeque<_>>());
        Self::answering(clock, move |_, _| {
            let next = replies
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .pop_front();
            next.unwrap_or_else(|| Reply::breakage(Breakage::Untrusted))
        })
    }

    /// What was sent so far.
    pub fn seen(&self) -> Vec<Request> {
        self.lock().clone()
    }

    /// The largest number of requests that were under way at once, bodies included.
    pub fn peak(&self) -> usize {
        self.state.peak.load(Ordering::Acquire)
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Request>> {
        self.state
            .seen
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// Counts a request as under way until it is dropped.
struct UnderWay(Arc<State>);

impl UnderWay {
    fn new(state: &Arc<State>) -> Self {
        let now = state.under_way.fetch_add(1, Ordering::AcqRel) + 1;
        state.peak.fetch_max(now, Ordering::AcqRel);
        Self(Arc::clone(state))
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.under_way.fetch_sub(1, Ordering::AcqRel);
    }
}

#[async_trait]
impl Transport for Script {
    async fn send(&self, request: Request) -> Result<Response, TransportError> {
        let under_way = UnderWay::new(&self.state);
        let reply = {
            let mut seen = self.lock();
            let reply = (self.answer)(&request, seen.len());
            seen.push(request);
            reply
        };
        match reply.wait {
            Duration::ZERO => {}
            Duration::MAX => std::future::pending().await,
            wait => self.clock.sleep(wait).await,
        }
        let (status, headers) = reply.outcome?;
        let pieces = stream::iter(reply.pieces.into_iter().map(Ok));
        let ending = match reply.ending {
            Ending::Whole => stream::empty().boxed(),
            Ending::Broken => stream::iter([Err(TransportError::new(
                Breakage::Interrupted,
                "connection reset",
            ))])
            .boxed(),
            Ending::Silent => stream::pending().boxed(),
        };
        let body = pieces.chain(ending).map(move |piece| {
            let _ = &under_way;
            piece
        });
        Ok(Response {
            status,
            headers,
            body: body.boxed(),
        })
    }
}
