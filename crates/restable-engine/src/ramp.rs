//! How many lists are read at once. One after the other, then two at once, then four: for statements that may have enough before the last.
//! A sample of a large estate costs a few calls then, and whoever does want all of it is soon at full speed. Any other statement begins
//! with some, and a few more each time that nothing is there to be taken: a page that waits for its reader is memory.

use std::pin::Pin;
use std::task::{Context, Poll};

use futures::stream::{BoxStream, Fuse, SelectAll, Stream, StreamExt};

/// Streams of which few are read at once at first.
struct Ramp<T> {
    waiting: Fuse<BoxStream<'static, BoxStream<'static, T>>>,
    under_way: SelectAll<BoxStream<'static, T>>,
    /// So many at once now, and so many at most.
    width: usize,
    most: usize,
    growth: Growth,
}

/// When more are read at once.
enum Growth {
    /// As soon as so many have ended as are read at once: how many have, since the last time.
    Ended(usize),
    /// Whenever nothing is ready.
    Hungry,
}

/// So many are read at once from the first time on, by a statement that takes all, ...
const AT_FIRST: usize = 16;
/// ... and so many more each time that it has to wait.
const MORE: usize = 2;

/// The items of all streams, of which one is read at first, and twice as many when as many have ended as were read at once.
pub(crate) fn doubling<T: Send + 'static>(
    streams: BoxStream<'static, BoxStream<'static, T>>,
    most: usize,
) -> BoxStream<'static, T> {
    Ramp {
        waiting: streams.fuse(),
        under_way: SelectAll::new(),
        width: 1,
        most: most.max(1),
        growth: Growth::Ended(0),
    }
    .boxed()
}

/// The items of all streams, of which some are read at first, and a few more whenever whoever takes them has to wait.
pub(crate) fn hungry<T: Send + 'static>(
    streams: BoxStream<'static, BoxStream<'static, T>>,
    most: usize,
) -> BoxStream<'static, T> {
    Ramp {
        waiting: streams.fuse(),
        under_way: SelectAll::new(),
        width: AT_FIRST.min(most.max(1)),
        most: most.max(1),
        growth: Growth::Hungry,
    }
    .boxed()
}

impl<T> Stream for Ramp<T> {
    type Item = T;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<T>> {
        let this = &mut *self;
        let mut grown = false;
        loop {
            let mut blocked = false;
            while this.under_way.len() < this.width && !this.waiting.is_done() {
                match this.waiting.poll_next_unpin(context) {
                    Poll::Ready(Some(stream)) => this.under_way.push(stream),
                    Poll::Ready(None) => {}
                    Poll::Pending => {
                        blocked = true;
                        break;
                    }
                }
            }
            let before = this.under_way.len();
            let next = this.under_way.poll_next_unpin(context);
            if let Growth::Ended(ended) = &mut this.growth {
                *ended += before - this.under_way.len();
                if *ended >= this.width {
                    *ended = 0;
                    this.width = this.width.saturating_mul(2).min(this.most);
                }
            }
            if let Poll::Ready(Some(item)) = next {
                return Poll::Ready(Some(item));
            }
            if this.waiting.is_done() {
                return next;
            }
            if blocked {
                return Poll::Pending;
            }
            if this.under_way.len() >= this.width {
                let hungry = matches!(this.growth, Growth::Hungry) && !grown;
                if !hungry || this.width >= this.most {
                    return Poll::Pending;
                }
                this.width = this.width.saturating_add(MORE).min(this.most);
                grown = true;
            }
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

    use futures::stream;

    use super::*;

    #[tokio::test]
    async fn as_many_streams_as_are_needed_and_never_more_than_may_be() {
        let begun = Arc::new(AtomicUsize::new(0));
        let open = Arc::new(AtomicUsize::new(0));
        let widest = Arc::new(AtomicUsize::new(0));
        let streams = |count: usize| {
            let (begun, open, widest) =
                (Arc::clone(&begun), Arc::clone(&open), Arc::clone(&widest));
            stream::iter(0..count)
                .map(move |number| {
                    let (begun, open, widest) =
                        (Arc::clone(&begun), Arc::clone(&open), Arc::clone(&widest));
                    stream::once(async move {
                        begun.fetch_add(1, SeqCst);
                        widest.fetch_max(open.fetch_add(1, SeqCst) + 1, SeqCst);
                        tokio::task::yield_now().await;
                        tokio::task::yield_now().await;
                        open.fetch_sub(1, SeqCst);
                        number
                    })
                    .boxed()
                })
                .boxed()
        };
        let mut all: Vec<usize> = doubling(streams(200), 16).collect().await;
        all.sort_unstable();
        assert_eq!(all, (0..200).collect::<Vec<_>>());
        assert_eq!(widest.load(SeqCst), 16);

        begun.store(0, SeqCst);
        let mut few = doubling(streams(200), 16);
        assert_eq!(few.next().await, Some(0));
        assert_eq!(begun.load(SeqCst), 1);
        for _ in 0..2 {
            few.next().await.unwrap();
        }
        assert!(begun.load(SeqCst) <= 1 + 2 + 4, "{}", begun.load(SeqCst));

        let none: Vec<usize> = doubling(streams(0), 16).collect().await;
        assert!(none.is_empty());

        // Whoever takes them has to wait each time: more and more are read at once, and all of them come.
        widest.store(0, SeqCst);
        let mut all: Vec<usize> = hungry(streams(4_000), 64).collect().await;
        all.sort_unstable();
        assert_eq!(all, (0..4_000).collect::<Vec<_>>());
        // How many are open at once depends on who is polled when; it is more than at first, and never more than may be.
        let open_at_once = widest.load(SeqCst);
        assert!(
            open_at_once > AT_FIRST && open_at_once <= 64,
            "{open_at_once}"
        );
        widest.store(0, SeqCst);
        let all: Vec<usize> = hungry(streams(400), 5).collect().await;
        assert_eq!((all.len(), widest.load(SeqCst)), (400, 5));
        let none: Vec<usize> = hungry(streams(0), 16).collect().await;
        assert!(none.is_empty());
    }

    #[tokio::test]
    async fn while_something_is_ready_no_more_is_begun() {
        let begun = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&begun);
        let streams = stream::iter(0..400).map(move |number| {
            let begun = Arc::clone(&counted);
            let pages = stream::iter(0..100).map(move |page| {
                if page == 0 {
                    begun.fetch_add(1, SeqCst);
                }
                (number, page)
            });
            pages.boxed()
        });
        let mut pages = hungry(streams.boxed(), 64);
        for _ in 0..1_000 {
            pages.next().await.unwrap();
        }
        assert!(begun.load(SeqCst) <= AT_FIRST, "{}", begun.load(SeqCst));
        assert_eq!(pages.count().await, 39_000);
    }
}
