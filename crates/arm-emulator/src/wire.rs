//! Owns the sockets: a listener whose connections can be cut on order, at once or after a number of bytes. The only
//! place that touches TCP.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Sleep, sleep};

const NEVER: i64 = i64::MAX;

/// What is to happen to a connection.
#[derive(Debug, Clone)]
pub(crate) struct Cut(Arc<Orders>);

#[derive(Debug)]
struct Orders {
    /// How many more bytes it may write.
    left: AtomicI64,
    /// Whether it ends with a reset instead of a proper close.
    reset: AtomicBool,
    /// How many bytes it writes at once, and how long it waits after them.
    pace: Mutex<Option<(usize, Duration)>>,
}

impl Cut {
    fn new() -> Cut {
        Cut(Arc::new(Orders {
            left: AtomicI64::new(NEVER),
            reset: AtomicBool::new(false),
            pace: Mutex::new(None),
        }))
    }

    /// Ends the connection at once, with a reset.
    pub(crate) fn reset(&self) {
        self.0.reset.store(true, Ordering::SeqCst);
        self.after(0);
    }

    /// From now on writes so many bytes at once, then waits.
    pub(crate) fn pace(&self, bytes: usize, wait: Duration) {
        *self.0.pace.lock().unwrap_or_else(PoisonError::into_inner) = Some((bytes.max(1), wait));
    }

    /// A new request begins: the pace of the last answer is over.
    pub(crate) fn begin(&self) {
        *self.0.pace.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    fn pace_now(&self) -> Option<(usize, Duration)> {
        *self.0.pace.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends the connection after `bytes` more bytes.
    pub(crate) fn after(&self, bytes: u64) {
        self.0
            .left
            .store(i64::try_from(bytes).unwrap_or(NEVER), Ordering::SeqCst);
    }

    fn left(&self) -> i64 {
        self.0.left.load(Ordering::SeqCst)
    }

    fn spend(&self, bytes: usize) {
        if self.left() != NEVER {
            self.0.left.fetch_sub(bytes as i64, Ordering::SeqCst);
        }
    }
}

impl Connected<IncomingStream<'_, Door>> for Cut {
    fn connect_info(stream: IncomingStream<'_, Door>) -> Cut {
        stream.io().cut.clone()
    }
}

/// The listening socket.
#[derive(Debug)]
pub(crate) struct Door(pub(crate) TcpListener);

impl Listener for Door {
    type Io = Wire;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Wire, SocketAddr) {
        loop {
            if let Ok((stream, address)) = self.0.accept().await {
                // A socket without the option works too, only slower.
                let _ = stream.set_nodelay(true);
                return (
                    Wire {
                        stream,
                        cut: Cut::new(),
                        waiting: None,
                    },
                    address,
                );
            }
            // Out of file descriptors, usually: the next attempt may find one.
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }
}

/// One connection.
#[derive(Debug)]
pub(crate) struct Wire {
    stream: TcpStream,
    cut: Cut,
    waiting: Option<Pin<Box<Sleep>>>,
}

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if let Some(waiting) = &mut self.waiting {
            std::task::ready!(waiting.as_mut().poll(context));
            self.waiting = None;
        }
        let left = self.cut.left();
        if left <= 0 {
            if self.cut.0.reset.load(Ordering::SeqCst) {
                // Without the option the connection closes properly, which is a fault as well.
                let _ = self.stream.set_zero_linger();
            }
            return Poll::Ready(Err(io::Error::from(io::ErrorKind::ConnectionReset)));
        }
        let pace = self.cut.pace_now();
        let most = usize::try_from(left)
            .unwrap_or(usize::MAX)
            .min(pace.map_or(usize::MAX, |(bytes, _)| bytes));
        let bytes = &bytes[..bytes.len().min(most)];
        let written = std::task::ready!(Pin::new(&mut self.stream).poll_write(context, bytes))?;
        self.cut.spend(written);
        if let Some((_, wait)) = pace {
            self.waiting = Some(Box::pin(sleep(wait)));
        }
        Poll::Ready(Ok(written))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if self.cut.left() != NEVER || self.cut.pace_now().is_some() {
            let first = slices
                .iter()
                .find(|slice| !slice.is_empty())
                .map_or(&[][..], |slice| slice);
            return self.poll_write(context, first);
        }
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
