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
use tokio::sync::{Semaphore, mpsc};
use tokio_rustls::TlsAcceptor;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::server::{Connected, Server as Tonic};

use self::door::Door;
use self::sessions::{Connection, Sessions};
use crate::coming::{Coming, STARTING};
use crate::options::{Guarded, Unserved};
use crate::socket::Socket;

pub use self::status::code;
pub use crate::options::Options;

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
    guarded: Guarded,
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
            guarded,
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
        let hall = Hall {
            acceptor: self.acceptor,
            guarded: self.guarded,
            places: Arc::new(Semaphore::new(self.max_connections)),
            sessions: Arc::clone(&self.sessions),
        };
        let accepting = accept(self.listener, hall, give);
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

/// What a connection needs to come in.
#[derive(Clone)]
struct Hall {
    acceptor: Option<TlsAcceptor>,
    guarded: Guarded,
    /// The places of those who have come in.
    places: Arc<Semaphore>,
    sessions: Arc<Sessions>,
}

/// Takes connections in; TLS is agreed on beside, so that a slow client keeps no other waiting.
async fn accept(listener: TcpListener, hall: Hall, give: mpsc::Sender<io::Result<Line>>) {
    let starting = Coming::new(STARTING);
    let mut coming = tokio::task::JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    let expires = starting.enter().expires();
                    coming.spawn(greet(stream, hall.clone(), expires, give.clone()));
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
    hall: Hall,
    mut expires: BoxFuture<'static, ()>,
    give: mpsc::Sender<io::Result<Line>>,
) -> BoxFuture<'static, ()> {
    async move {
        let socket = tokio::select! {
            socket = socket(stream, hall.acceptor) => socket,
            () = &mut expires => Err(io::ErrorKind::TimedOut.into()),
        };
        match socket {
            Ok(socket) => {
                let line = Line {
                    socket,
                    connection: Arc::new(Connection::new(hall.sessions, hall.places)),
                    guarded: hall.guarded,
                    expires: Some(expires),
                };
                drop(give.send(Ok(line)).await);
            }
            Err(problem) => tracing::debug!("connection ended: {problem}"),
        }
    }
    .boxed()
}

async fn socket(stream: TcpStream, acceptor: Option<TlsAcceptor>) -> io::Result<Socket> {
    stream.set_nodelay(true)?;
    let socket = Socket::plain(stream);
    match acceptor {
        Some(acceptor) => socket.secured(acceptor).await,
        None => Ok(socket),
    }
}

/// A client's connection. Its place is free again, and what hangs on it ends, when it is closed.
struct Line {
    socket: Socket,
    connection: Arc<Connection>,
    guarded: Guarded,
    /// For as long as it has not come in: when it must have.
    expires: Option<BoxFuture<'static, ()>>,
}

impl Line {
    /// Whether the connection may stay. Where nobody has to show who he is, it has come in with its first word.
    fn check(&mut self, context: &mut Context<'_>, spoke: bool) -> io::Result<()> {
        let Some(expires) = &mut self.expires else {
            return Ok(());
        };
        if spoke && self.guarded == Guarded::No && !self.connection.come_in() {
            return Err(io::ErrorKind::ConnectionRefused.into());
        }
        if self.connection.is_inside() {
            self.expires = None;
        } else if expires.as_mut().poll(context).is_ready() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        Ok(())
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
        let spoke = buffer.filled().len() > before;
        self.check(context, spoke)?;
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
