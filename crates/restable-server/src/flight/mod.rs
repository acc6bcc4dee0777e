//! Flight SQL: the listener and its connections. What a client may ask is in `door.rs` (who asks) and `service.rs` (what),
//! its session in `sessions.rs`, rows on their way in `running.rs`.

mod asked;
mod catalog;
mod door;
mod hidden;
mod info;
mod missing;
mod parameters;
mod running;
mod service;
mod session_options;
mod sessions;
mod status;

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use arrow_flight::flight_service_server::FlightServiceServer;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use restable_engine::Engine;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::time::Sleep;
use tokio_rustls::TlsAcceptor;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::server::{Connected, Server as Tonic};

use self::door::Door;
use self::sessions::{Connection, Sessions};
use crate::options::{Guarded, Unserved};
use crate::socket::Socket;

pub use self::status::code;
pub use crate::options::Options;

/// How long a client may take to say its first word.
const PATIENCE: Duration = Duration::from_secs(60);
/// So often a client that says nothing is asked whether it is there still.
const ARE_YOU_THERE: Duration = Duration::from_secs(60);
/// So long it may take to answer that.
const NO_ANSWER: Duration = Duration::from_secs(20);
/// The largest message that a client may send: a statement, or the values of its parameters.
const LARGEST: usize = 64 << 20;
/// Connections that wait to be served.
const WAITING: usize = 64;
/// Requests of one connection at once.
const REQUESTS: u32 = 256;

/// A server of Flight SQL that listens.
pub struct Server {
    listener: TcpListener,
    acceptor: Option<TlsAcceptor>,
    max_connections: usize,
    sessions: Arc<Sessions>,
}

impl std::fmt::Debug for Server {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Server")
            .field("listener", &self.listener)
            .finish_non_exhaustive()
    }
}

impl Server {
    /// Listens. Nothing is answered before [`Server::run`].
    pub async fn bind(engine: Engine, options: Options) -> Result<Server, Unserved> {
        let guarded = Guarded::by(options.guard.has_any());
        let listener = options.listen(guarded).await?;
        let tls = options.tls.as_ref();
        Ok(Server {
            listener,
            acceptor: tls.map(|tls| tls.acceptor(&["h2"])),
            max_connections: options.max_connections,
            sessions: Arc::new(Sessions::new(engine, options)?),
        })
    }

    /// Where it listens.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Serves clients until it is dropped.
    pub async fn run(self) {
        let (give, take) = mpsc::channel(WAITING);
        let accepting = accept(
            self.listener,
            self.acceptor,
            self.max_connections,
            Arc::clone(&self.sessions),
            give,
        );
        let service = FlightServiceServer::new(Door::new(self.sessions))
            .max_decoding_message_size(LARGEST)
            .max_encoding_message_size(usize::MAX);
        let serving = Tonic::builder()
            .max_concurrent_streams(REQUESTS)
            .http2_keepalive_interval(Some(ARE_YOU_THERE))
            .http2_keepalive_timeout(Some(NO_ANSWER))
            .add_service(service)
            .serve_with_incoming(ReceiverStream::new(take));
        let serving: BoxFuture<'static, _> = serving.boxed();
        let accepting: BoxFuture<'static, ()> = accepting.boxed();
        tokio::select! {
            () = accepting => {}
            ended = serving => {
                if let Err(problem) = ended {
                    tracing::warn!("Flight SQL is served no longer: {problem}");
                }
            }
        }
    }
}

/// Takes connections in; TLS is agreed on beside, so that a slow client keeps no other waiting.
async fn accept(
    listener: TcpListener,
    acceptor: Option<TlsAcceptor>,
    max_connections: usize,
    sessions: Arc<Sessions>,
    give: mpsc::Sender<io::Result<Line>>,
) {
    let places = Arc::new(Semaphore::new(max_connections));
    let mut coming = tokio::task::JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    // Where there is no place, the client finds its connection closed.
                    let Ok(place) = Arc::clone(&places).try_acquire_owned() else {
                        continue;
                    };
                    let (acceptor, give) = (acceptor.clone(), give.clone());
                    let sessions = Arc::clone(&sessions);
                    coming.spawn(greet(stream, acceptor, sessions, place, give));
                }
                Err(problem) => {
                    // Too many open files, for example: others may leave.
                    tracing::warn!("no connection is accepted: {problem}");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            },
            Some(_) = coming.join_next() => {}
        }
    }
}

fn greet(
    stream: TcpStream,
    acceptor: Option<TlsAcceptor>,
    sessions: Arc<Sessions>,
    place: OwnedSemaphorePermit,
    give: mpsc::Sender<io::Result<Line>>,
) -> BoxFuture<'static, ()> {
    async move {
        let line = Line::open(stream, acceptor, sessions, place);
        match tokio::time::timeout(PATIENCE, line).await {
            Ok(Ok(line)) => drop(give.send(Ok(line)).await),
            Ok(Err(problem)) => tracing::debug!("connection ended: {problem}"),
            Err(_) => tracing::debug!("connection ended: TLS took too long"),
        }
    }
    .boxed()
}

/// A client's connection. Its place is free again, and what hangs on it ends, when it is closed.
struct Line {
    socket: Socket,
    connection: Arc<Connection>,
    /// When its first word must have come.
    first: Option<Pin<Box<Sleep>>>,
    _place: OwnedSemaphorePermit,
}

impl Line {
    async fn open(
        stream: TcpStream,
        acceptor: Option<TlsAcceptor>,
        sessions: Arc<Sessions>,
        place: OwnedSemaphorePermit,
    ) -> io::Result<Line> {
        stream.set_nodelay(true)?;
        let socket = Socket::plain(stream);
        let socket = match acceptor {
            Some(acceptor) => socket.secured(acceptor).await?,
            None => socket,
        };
        Ok(Line {
            socket,
            connection: Arc::new(Connection::new(sessions)),
            first: Some(Box::pin(tokio::time::sleep(PATIENCE))),
            _place: place,
        })
    }
}

impl Connected for Line {
    type ConnectInfo = Arc<Connection>;

    fn connect_info(&self) -> Arc<Connection> {
        Arc::clone(&self.connection)
    }
}

impl AsyncRead for Line {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.socket).poll_read(context, buffer);
        if buffer.filled().len() > before {
            self.first = None;
        } else if let Some(first) = &mut self.first
            && read.is_pending()
            && first.as_mut().poll(context).is_ready()
        {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        read
    }
}

impl AsyncWrite for Line {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.socket).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.socket).poll_write_vectored(context, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }
}
