//! A call that several parts of a statement read: its pages are asked for in a task of its own, each when the first reader wants it, and wait
//! for the others. So no reader holds up another one, and one that stops takes nothing from the rest.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use arrow::array::RecordBatch;
use bytes::Bytes;
use futures::stream::{BoxStream, StreamExt};
use tokio::sync::watch;

use super::kept::{Kept, Store};
use super::wants::Class;
use crate::Error;
use crate::statement::lock;

/// What keeps a page from a reader.
#[derive(Debug, Clone)]
pub(crate) enum Failure {
    /// The call failed.
    Call(restable_http::Error),
    /// The page came, and could not be kept.
    Own(Error),
}

/// Pages as they come: the body, and the rows as the first reader wants them.
pub(crate) type Source = BoxStream<'static, Result<(Bytes, RecordBatch), restable_http::Error>>;

/// One call and its pages.
#[derive(Debug)]
pub(crate) struct Call {
    state: Arc<Mutex<State>>,
    arrived: watch::Receiver<usize>,
    /// So many pages somebody wants.
    demand: watch::Sender<usize>,
    task: tokio::task::JoinHandle<()>,
    told_absent: AtomicBool,
    store: Arc<Store>,
}

impl Drop for Call {
    fn drop(&mut self) {
        self.task.abort();
    }
}

#[derive(Debug)]
struct State {
    /// Those that somebody may want. The reader that the call was begun for may be the only one who wants one: then it is not here.
    kept: VecDeque<Option<Kept>>,
    /// How many before them nobody wants any more.
    gone: usize,
    /// How the call ended.
    end: Option<Result<(), Failure>>,
    /// How many pages each reader has taken.
    readers: HashMap<u64, usize>,
    /// Who has read it or does.
    taken: HashSet<Class>,
    /// Whether others may come.
    open: bool,
    /// The last page as the first reader wants it.
    decoded: Option<(usize, RecordBatch)>,
    next_reader: u64,
}

/// A list of so many bytes is short.
const SHORT: usize = 64 << 10;

/// The first reader: its rows are decoded as the pages come.
const FIRST: u64 = 0;

impl State {
    fn count(&self) -> usize {
        self.gone + self.kept.len()
    }

    /// Lets go of what nobody wants.
    fn trim(&mut self) {
        if self.open {
            return;
        }
        let least = self.readers.values().min().copied();
        let least = least.unwrap_or(usize::MAX);
        while self.gone < least && self.kept.pop_front().is_some() {
            self.gone += 1;
        }
    }

    /// Whether all of it has come and is held, and is short.
    fn is_short(&self) -> bool {
        let bytes = |page: &Option<Kept>| page.as_ref().map_or(usize::MAX, Kept::length);
        let held = self.kept.iter().map(bytes).fold(0, usize::saturating_add);
        matches!(self.end, Some(Ok(()))) && self.gone == 0 && held <= SHORT
    }

    /// Whether anybody may want the body of the page that comes now.
    fn wants_body(&self) -> bool {
        let at = self.count();
        let others = |(reader, taken): (&u64, &usize)| *reader != FIRST || *taken != at;
        self.open || self.readers.iter().any(others)
    }
}

impl Call {
    /// Begins nothing yet: the first page is asked for when somebody wants it.
    pub(crate) fn new(source: impl FnOnce() -> Source + Send + 'static, store: Arc<Store>) -> Call {
        let state = Arc::new(Mutex::new(State {
            kept: VecDeque::new(),
            gone: 0,
            end: None,
            readers: HashMap::new(),
            taken: HashSet::new(),
            open: true,
            decoded: None,
            next_reader: FIRST,
        }));
        let (arrival, arrived) = watch::channel(0_usize);
        let (demand, mut demanded) = watch::channel(0);
        let filled = Arc::clone(&state);
        let pages = Arc::clone(&store);
        let task = tokio::spawn(async move {
            // Where nobody wants anything any more there is no end to tell.
            if let Some(end) = fill(&filled, source(), &arrival, &mut demanded, &pages).await {
                lock(&filled).end = Some(end);
                arrival.send_modify(|count| *count += 1);
            }
        });
        Call {
            state,
            arrived,
            demand,
            task,
            told_absent: AtomicBool::new(false),
            store,
        }
    }

    /// Nothing more of it is asked for.
    pub(crate) fn abort(&self) {
        self.task.abort();
    }

    /// Whether a class of readers has read it or does.
    pub(crate) fn is_taken_by(&self, class: &Class) -> bool {
        lock(&self.state).taken.contains(class)
    }

    /// Says whether others may come; whether it is of any use then. A short list that has come whole stays where there is room: a listing
    /// whose scan was given up may still be about to ask for it.
    pub(crate) fn open(&self, open: bool) -> bool {
        let mut state = lock(&self.state);
        let open = open || (state.is_short() && self.store.is_roomy());
        state.open = open;
        state.trim();
        open || !state.readers.is_empty()
    }

    /// A reader from the first page on; `None` if nobody was thought to come.
    pub(crate) fn read(self: &Arc<Self>, class: Class) -> Option<Reading> {
        let mut state = lock(&self.state);
        if !state.open || state.gone > 0 {
            return None;
        }
        let number = state.next_reader;
        state.next_reader += 1;
        state.readers.insert(number, 0);
        state.taken.insert(class);
        Some(Reading {
            call: Arc::clone(self),
            arrived: self.arrived.clone(),
            number,
            at: 0,
        })
    }

    /// Whether this is the first time that its absence is told.
    pub(crate) fn is_first_to_tell(&self) -> bool {
        !self.told_absent.swap(true, Ordering::Relaxed)
    }
}

/// Asks for pages as long as somebody wants more; how the call ended.
async fn fill(
    state: &Mutex<State>,
    mut source: Source,
    arrival: &watch::Sender<usize>,
    demanded: &mut watch::Receiver<usize>,
    store: &Arc<Store>,
) -> Option<Result<(), Failure>> {
    loop {
        let count = lock(state).count();
        demanded.wait_for(|wanted| *wanted > count).await.ok()?;
        let (body, rows) = match source.next().await {
            Some(Ok(page)) => page,
            Some(Err(problem)) => return Some(Err(Failure::Call(problem))),
            None => return Some(Ok(())),
        };
        let wanted = lock(state).wants_body();
        let kept = match wanted {
            true => match store.keep(body).await {
                Ok(kept) => Some(kept),
                Err(problem) => return Some(Err(Failure::Own(problem))),
            },
            false => None,
        };
        {
            let mut state = lock(state);
            if state.readers.get(&FIRST) == Some(&count) {
                state.decoded = Some((count, rows));
            }
            state.kept.push_back(kept);
            state.trim();
        }
        arrival.send_modify(|count| *count += 1);
    }
}

/// A page for one reader.
pub(crate) enum Page {
    /// Decoded as it came.
    Rows(RecordBatch),
    /// To be decoded.
    Body(Kept),
}

/// One reader of a call. It ends when it is dropped.
#[derive(Debug)]
pub(crate) struct Reading {
    pub(crate) call: Arc<Call>,
    arrived: watch::Receiver<usize>,
    number: u64,
    at: usize,
}

impl Reading {
    /// The next page; `None` at the end.
    pub(crate) async fn next(&mut self) -> Result<Option<Page>, Failure> {
        loop {
            self.arrived.borrow_and_update();
            {
                let mut state = lock(&self.call.state);
                let at = self.at;
                if at < state.count() {
                    let decoded = state.decoded.take_if(|(page, _)| {
                        // The first reader has it, or has gone past it.
                        self.number == FIRST && *page == at
                    });
                    let kept = at.checked_sub(state.gone);
                    let kept = kept.and_then(|at| state.kept.get(at).cloned().flatten());
                    self.at += 1;
                    state.readers.insert(self.number, self.at);
                    state.trim();
                    return match (decoded, kept) {
                        (Some((_, rows)), _) => Ok(Some(Page::Rows(rows))),
                        (None, Some(kept)) => Ok(Some(Page::Body(kept))),
                        (None, None) => {
                            let problem = "a page was let go of before it was read";
                            Err(Failure::Own(Error::internal(problem)))
                        }
                    };
                }
                match &state.end {
                    Some(Ok(())) => return Ok(None),
                    Some(Err(problem)) => return Err(problem.clone()),
                    None => {}
                }
            }
            self.call.demand.send_if_modified(|wanted| {
                let more = *wanted <= self.at;
                *wanted = (*wanted).max(self.at + 1);
                more
            });
            if self.arrived.changed().await.is_err() {
                let problem = Error::internal("the reading of a list broke off");
                return Err(Failure::Own(problem));
            }
        }
    }

    /// The reader goes.
    pub(crate) fn leave(&self) {
        let mut state = lock(&self.call.state);
        state.readers.remove(&self.number);
        if self.number == FIRST {
            state.decoded = None;
        }
        state.trim();
    }
}
