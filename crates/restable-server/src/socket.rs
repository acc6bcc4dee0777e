//! A client's socket, with TLS or without. Which of the two is no part of its type: what is proved of the futures that hold
//! it would have to be proved of all of TLS as well, at every level of them, and that takes a compiler minutes.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures::FutureExt as _;
use futures::future::BoxFuture;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;

trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

/// A client's socket.
pub(crate) struct Socket {
    stream: Box<dyn Stream>,
    secured: bool,
}

impl std::fmt::Debug for Socket {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Socket")
            .field("secured", &self.secured)
            .finish_non_exhaustive()
    }
}

impl Socket {
    /// A socket without TLS.
    pub(crate) fn plain(stream: TcpStream) -> Socket {
        Socket {
            stream: Box::new(stream),
            secured: false,
        }
    }

    /// The same with TLS.
    pub(crate) fn secured(self, acceptor: TlsAcceptor) -> BoxFuture<'static, io::Result<Socket>> {
        async move {
            Ok(Socket {
                stream: Box::new(acceptor.accept(self.stream).await?),
                secured: true,
            })
        }
        .boxed()
    }

    pub(crate) fn is_secured(&self) -> bool {
        self.secured
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
