//! Reading ahead: a list is read in a task of its own, one page ahead of whoever takes its rows. So a page is fetched and decoded
//! while the rows of the one before are computed with or printed, on another core. Pages that nobody has taken yet are memory: where many
//! wait, those of all lists together, no more are asked for. The task ends with the stream.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use arrow::array::RecordBatch;
use futures::stream::{self, BoxStream, StreamExt};
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinHandle;

use crate::{Error, Result};

/// Ends its task when it is dropped.
struct Reader(JoinHandle<()>);

impl Drop for Reader {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// While so many pages wait for who takes them, no list asks for another one.
const ENOUGH: usize = 12;

/// The pages of several lists that wait to be taken. Those that were asked for before there were enough still come: they are as many as
/// calls may be under way.
#[derive(Debug, Default)]
pub(crate) struct Waiting {
    pages: AtomicUsize,
    /// One was taken, or its list was given up.
    fewer: Notify,
}

impl Waiting {
    /// Until another page may be asked for.
    async fn turn(self: &Arc<Self>) -> Turn {
        loop {
            // Who is told of room before it waits is told all the same.
            let fewer = self.fewer.notified();
            if self.pages.load(Ordering::Acquire) < ENOUGH {
                return Turn {
                    waiting: Arc::clone(self),
                    has_come: false,
                };
            }
            fewer.await;
        }
    }
}

/// A page that was asked for, until it is taken. Whatever becomes of it, another one may be asked for then: one for one, so that not all
/// lists ask at once, and always, so that none waits for ever.
struct Turn {
    waiting: Arc<Waiting>,
    has_come: bool,
}

impl Turn {
    fn come(mut self) -> Turn {
        self.waiting.pages.fetch_add(1, Ordering::AcqRel);
        self.has_come = true;
        self
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if self.has_come {
            self.waiting.pages.fetch_sub(1, Ordering::AcqRel);
        }
        if self.waiting.pages.load(Ordering::Acquire) < ENOUGH {
            self.waiting.fewer.notify_one();
        }
    }
}

/// The same batches, read ahead from the first time on that one is asked for.
pub(crate) fn read(
    mut batches: BoxStream<'static, Result<RecordBatch>>,
    waiting: Arc<Waiting>,
) -> BoxStream<'static, Result<RecordBatch>> {
    let begin = async move {
        // One page waits here; the next is not asked for before that one is taken.
        let (sender, receiver) = mpsc::channel(1);
        let reader = Reader(tokio::spawn(async move {
            while let Ok(free) = sender.reserve().await {
                let turn = waiting.turn().await;
                match batches.next().await {
                    Some(batch) => free.send((batch, turn.come())),
                    None => return,
                }
            }
        }));
        stream::unfold(Some((receiver, reader)), |state| async {
            let (mut receiver, mut reader) = state?;
            if let Some((batch, turn)) = receiver.recv().await {
                drop(turn);
                return Some((batch, Some((receiver, reader))));
            }
            // The end is the end of the list only if the task came to its own.
            match (&mut reader.0).await {
                Ok(()) => None,
                Err(_) => Some((
                    Err(Error::internal("the reading of a list broke off")),
                    None,
                )),
            }
        })
    };
    stream::once(begin).flatten().boxed()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use arrow::array::{ArrayRef, Int64Array};

    use super::*;

    #[tokio::test]
    async fn where_nobody_takes_pages_few_are_asked_for_and_where_somebody_does_all_come() {
        let waiting = Arc::new(Waiting::default());
        let (count, each) = (64_usize, 20_usize);
        let lists = (0..count).map(|list| {
            let pages = stream::iter(0..each).then(move |page| async move {
                // All of the first pages are asked for before one of them has come.
                tokio::task::yield_now().await;
                let number = i64::try_from(list * each + page).unwrap();
                let column: ArrayRef = Arc::new(Int64Array::from(vec![number]));
                Ok(RecordBatch::try_from_iter([("n", column)]).unwrap())
            });
            read(pages.boxed(), Arc::clone(&waiting))
        });
        let mut pages = stream::select_all(lists);
        let mut seen = Vec::new();
        let number = |page: Result<RecordBatch>| {
            let page = page.unwrap();
            let column = page.column(0);
            column
                .as_any()
                .downcast_ref::<Int64Array>()
                .unwrap()
                .value(0)
        };
        for taken in 1..=300 {
            seen.push(number(pages.next().await.unwrap()));
            // Long enough for all that may be asked for to come.
            for _ in 0..200 {
                tokio::task::yield_now().await;
            }
            let ahead = waiting.pages.load(Ordering::SeqCst);
            // The list of the page that was taken goes on, and one that waited.
            let most = (count - 1).saturating_sub(taken - 1).max(ENOUGH + 1);
            assert!(ahead <= most, "{ahead} pages wait after {taken}");
        }
        while let Some(page) = pages.next().await {
            seen.push(number(page));
        }
        seen.sort_unstable();
        let all: Vec<i64> = (0..i64::try_from(count * each).unwrap()).collect();
        assert_eq!(seen, all);
        assert_eq!(waiting.pages.load(Ordering::SeqCst), 0);
    }

    #[tokio::test]
    async fn a_list_that_is_given_up_makes_room() {
        let waiting = Arc::new(Waiting::default());
        let page = || {
            let column: ArrayRef = Arc::new(Int64Array::from(vec![1]));
            Ok(RecordBatch::try_from_iter([("n", column)]).unwrap())
        };
        // Each is begun, and one page of it waits.
        let mut lists = Vec::new();
        for _ in 0..ENOUGH {
            let mut list = read(stream::iter([page(), page()]).boxed(), Arc::clone(&waiting));
            list.next().await.unwrap().unwrap();
            lists.push(list);
        }
        while waiting.pages.load(Ordering::SeqCst) < ENOUGH {
            tokio::task::yield_now().await;
        }
        let next = read(stream::iter([page()]).boxed(), Arc::clone(&waiting));
        let next = tokio::spawn(next.collect::<Vec<_>>());
        for _ in 0..1_000 {
            tokio::task::yield_now().await;
        }
        assert!(!next.is_finished());
        lists.clear();
        assert_eq!(next.await.unwrap().len(), 1);

        // Lists that end without a page take nobody's turn away.
        let full: Vec<Turn> = {
            let mut full = Vec::new();
            for _ in 0..ENOUGH {
                full.push(waiting.turn().await.come());
            }
            full
        };
        let empty = (0..50).map(|_| read(stream::empty().boxed(), Arc::clone(&waiting)));
        let empty: Vec<_> = empty
            .map(|list| tokio::spawn(list.collect::<Vec<_>>()))
            .collect();
        for _ in 0..1_000 {
            tokio::task::yield_now().await;
        }
        drop(full);
        for list in empty {
            assert!(list.await.unwrap().is_empty());
        }
    }
}
