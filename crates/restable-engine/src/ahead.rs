//! Reading ahead: a list is read in a task of its own, one page ahead of whoever takes its rows. So a page is fetched and decoded
//! while the rows of the one before are computed with or printed, on another core. The task ends with the stream.

use arrow::array::RecordBatch;
use futures::stream::{self, BoxStream, StreamExt};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::{Error, Result};

/// Ends its task when it is dropped.
struct Reader(JoinHandle<()>);

impl Drop for Reader {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// The same batches, read ahead from the first time on that one is asked for.
pub(crate) fn read(
    mut batches: BoxStream<'static, Result<RecordBatch>>,
) -> BoxStream<'static, Result<RecordBatch>> {
    let begin = async move {
        // One page waits here; the next is not asked for before that one is taken.
        let (sender, receiver) = mpsc::channel(1);
        let reader = Reader(tokio::spawn(async move {
            while let Ok(place) = sender.reserve().await {
                match batches.next().await {
                    Some(batch) => place.send(batch),
                    None => return,
                }
            }
        }));
        stream::unfold(Some((receiver, reader)), |state| async {
            let (mut receiver, mut reader) = state?;
            if let Some(batch) = receiver.recv().await {
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
