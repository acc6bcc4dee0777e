//! A client's socket, with TLS or without. Which of the two is no part of its type: what is proved of the futures that hold
//! it would have to be proved of all of TLS as well, at every level of them, and that takes a compiler minutes.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures::FutureExt as _;
use futures::future::BoxFuture;
use restable_engine::pg_catalog::Cipher;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::{TlsAcceptor, rustls};

trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

/// A client's socket.
pub(crate) struct Socket {
    stream: Box<dyn Stream>,
    secured: bool,
    cipher: Option<Cipher>,
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
            cipher: None,
        }
    }

    /// The same with TLS.
    pub(crate) fn secured(self, acceptor: TlsAcceptor) -> BoxFuture<'static, io::Result<Socket>> {
        async move {
            let stream = acceptor.accept(self.stream).await?;
            let cipher = cipher(stream.get_ref().1);
            Ok(Socket {
                stream: Box::new(stream),
                secured: true,
                cipher,
            })
        }
        .boxed()
    }

    pub(crate) fn is_secured(&self) -> bool {
        self.secured
    }

    /// How it is encrypted.
    pub(crate) fn cipher(&self) -> Option<Cipher> {
        self.cipher.clone()
    }
}

/// What was agreed on, in OpenSSL's words.
fn cipher(connection: &rustls::ServerConnection) -> Option<Cipher> {
    let version = connection.protocol_version()?.as_str()?.replace('_', ".");
    let suite = connection.negotiated_cipher_suite()?.suite();
    let name = openssl_name(suite.as_str()?);
    Some(Cipher {
        version,
        bits: if name.contains("AES_128") || name.contains("AES128") {
            128
        } else {
            256
        },
        name,
    })
}

/// `TLS13_AES_256_GCM_SHA384` is `TLS_AES_256_GCM_SHA384`, and `TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384` of TLS 1.2 is
/// `ECDHE-ECDSA-AES256-GCM-SHA384`.
fn openssl_name(name: &str) -> String {
    if let Some(rest) = name.strip_prefix("TLS13_") {
        return format!("TLS_{rest}");
    }
    let plain = name.strip_prefix("TLS_").unwrap_or(name);
    let plain = plain.replace("WITH_", "").replace("AES_", "AES");
    let plain = plain.replace("CHACHA20_POLY1305_SHA256", "CHACHA20_POLY1305");
    plain.replace('_', "-")
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

#[cfg(test)]
mod tests {
    use super::openssl_name;

    #[test]
    fn ciphers_are_called_as_openssl_calls_them() {
        // `openssl ciphers -s -v`, and the names of the IANA registry.
        for (name, expected) in [
            ("TLS13_AES_256_GCM_SHA384", "TLS_AES_256_GCM_SHA384"),
            (
                "TLS13_CHACHA20_POLY1305_SHA256",
                "TLS_CHACHA20_POLY1305_SHA256",
            ),
            (
                "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
                "ECDHE-ECDSA-AES256-GCM-SHA384",
            ),
            (
                "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
                "ECDHE-RSA-AES128-GCM-SHA256",
            ),
            (
                "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
                "ECDHE-ECDSA-CHACHA20-POLY1305",
            ),
        ] {
            assert_eq!(openssl_name(name), expected);
        }
    }
}
