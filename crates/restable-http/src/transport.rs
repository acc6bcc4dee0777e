//! One request to one server and its answer, before any rule of this crate: the seam between the rules and the socket.
//! [`crate::Connections`] is the real one, [`crate::scripted::Script`] the one of tests. A transport follows no redirect, retries
//! nothing that was sent, decodes nothing, and adds no credential.

use std::fmt;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use http::{HeaderMap, Method, StatusCode};
use url::Url;

use crate::redact::redact_url;

/// A way to send a request.
#[async_trait]
pub trait Transport: fmt::Debug + Send + Sync {
    /// Sends the request and gives the head of the answer; the body is read from its stream.
    async fn send(&self, request: Request) -> Result<Response, TransportError>;
}

/// What goes out.
#[derive(Clone)]
pub struct Request {
    /// The method.
    pub method: Method,
    /// The whole URL.
    pub url: Url,
    /// All headers but those that the connection itself needs.
    pub headers: HeaderMap,
    /// The body; empty for none.
    pub body: Bytes,
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Header values marked sensitive print as `Sensitive`; the body may hold a client secret.
        f.debug_struct("Request")
            .field("method", &self.method)
            .field("url", &redact_url(&self.url))
            .field("headers", &self.headers)
            .field("body_bytes", &self.body.len())
            .finish()
    }
}

/// The head of an answer, and its body to come.
pub struct Response {
    /// The status.
    pub status: StatusCode,
    /// The headers as they came.
    pub headers: HeaderMap,
    /// The bytes as they come off the wire: still compressed if the headers say so.
    pub body: BoxStream<'static, Result<Bytes, TransportError>>,
}

impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Response")
            .field("status", &self.status)
            .field("headers", &self.headers)
            .finish_non_exhaustive()
    }
}

/// How far a request came that has no answer. The retry table stands on this.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Breakage {
    /// No connection: name not found, refused, timed out while connecting. Nothing was sent.
    NotConnected,
    /// The server's certificate or TLS version was not acceptable. Nothing was sent, and trying again cannot help.
    Untrusted,
    /// The server said that it did not look at the request (HTTP/2 REFUSED_STREAM, or a stream above GOAWAY's last).
    RefusedStream,
    /// The connection broke after at least a byte was sent, or before the answer was whole.
    Interrupted,
    /// The request itself cannot be sent.
    Unsendable,
}

/// A request without a whole answer.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{message}")]
pub struct TransportError {
    /// How far it came.
    pub breakage: Breakage,
    /// What the connection reported, without any URL.
    pub message: String,
}

impl TransportError {
    /// A breakage with its reason.
    pub fn new(breakage: Breakage, message: impl Into<String>) -> Self {
        Self {
            breakage,
            message: message.into(),
        }
    }
}
