//! A connection's bytes: requests are read into one buffer, answers are gathered in another. While a statement runs the
//! socket is watched, so that a client that goes away ends its calls.

use std::io;

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

use super::messages::{self, LARGEST, LARGEST_STARTUP, Malformed, Request};

/// So much is gathered before it is sent.
const GATHERED: usize = 64 << 10;
/// So much of what a client sends ahead is read while its statement runs.
const AHEAD: usize = 1 << 20;
/// Buffers that are larger are given back while nothing is asked.
const KEPT: usize = 4 << 10;

/// Why a connection ends.
#[derive(Debug, thiserror::Error)]
pub enum Ended {
    /// The client is gone.
    #[error("the client is gone")]
    Gone,
    /// The socket failed.
    #[error(transparent)]
    Socket(#[from] io::Error),
    /// The client does not keep to the protocol.
    #[error(transparent)]
    Malformed(#[from] Malformed),
}

/// A connection's socket with its buffers.
#[derive(Debug)]
pub struct Wire<S> {
    stream: S,
    incoming: BytesMut,
    /// What is sent next.
    pub out: BytesMut,
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Wire<S> {
    /// A socket from which `incoming` was read already.
    pub fn new(stream: S, incoming: BytesMut) -> Wire<S> {
        Wire {
            stream,
            incoming,
            out: BytesMut::new(),
        }
    }

    /// The next request. What was gathered is sent before waiting for it.
    pub async fn request(&mut self) -> Result<Request, Ended> {
        self.request_within(LARGEST).await
    }

    /// The next request of a client that has not come in yet, which must be small.
    pub async fn small_request(&mut self) -> Result<Request, Ended> {
        self.request_within(LARGEST_STARTUP).await
    }

    async fn request_within(&mut self, largest: usize) -> Result<Request, Ended> {
        loop {
            if let Some(request) = messages::request(&mut self.incoming, largest)? {
                return Ok(request);
            }
            self.flush().await?;
            self.shrink();
            if self.stream.read_buf(&mut self.incoming).await? == 0 {
                return Err(Ended::Gone);
            }
        }
    }

    /// A client that waits keeps no large buffers: there may be thousands of them.
    fn shrink(&mut self) {
        if self.out.is_empty() && self.out.capacity() > KEPT {
            self.out = BytesMut::new();
        }
        if self.incoming.is_empty() && self.incoming.capacity() > KEPT {
            self.incoming = BytesMut::new();
        }
    }

    /// Sends what was gathered.
    pub async fn flush(&mut self) -> Result<(), Ended> {
        if !self.out.is_empty() {
            self.stream.write_all_buf(&mut self.out).await?;
            self.stream.flush().await?;
        }
        Ok(())
    }

    /// Sends what was gathered if it is much.
    pub async fn relieve(&mut self) -> Result<(), Ended> {
        if self.out.len() >= GATHERED {
            self.flush().await
        } else {
            Ok(())
        }
    }

    /// Waits for `work`; the connection's end comes first. What the client sends meanwhile is kept for later.
    pub async fn during<T>(&mut self, work: impl Future<Output = T>) -> Result<T, Ended> {
        self.flush().await?;
        let mut work = std::pin::pin!(work);
        loop {
            if self.incoming.len() >= AHEAD {
                return Ok(work.await);
            }
            tokio::select! {
                biased;
                done = &mut work => return Ok(done),
                read = self.stream.read_buf(&mut self.incoming) => {
                    if read? == 0 {
                        return Err(Ended::Gone);
                    }
                }
            }
        }
    }
}
