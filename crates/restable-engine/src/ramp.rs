//! One list after the other, then two at once, then four: for statements that may have enough before the last. A sample of a large estate
//! costs a few calls then, and whoever does want all of it is soon at full speed.

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
    /// How many have ended since the width was last raised.
    ended: usize,
}

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
        ended: 0,
    }
    .boxed()
}

impl<T> Stream for Ramp<T> {
    type Item = T;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<T>> {
        let this = &mut *self;
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
            this.ended += before - this.under_way.len();
            if this.ended >= this.width {
                this.ended = 0;
                this.width = this.width.saturating_mul(2).min(this.most);
            }
            let room = this.under_way.len() < this.width && !this.waiting.is_done() && !blocked;
            match next {
                Poll::Ready(Some(item)) => return Poll::Ready(Some(item)),
                Poll::Ready(None) if this.waiting.is_done() => return Poll::Ready(None),
                _ if room => {}
                _ => return Poll::Pending,
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
    }
}
