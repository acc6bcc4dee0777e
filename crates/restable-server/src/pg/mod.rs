//! Postgres wire: the listener, how a client comes in, and its session. Everything that a client says after that is in
//! `connection.rs`.

mod acts;
mod cancel;
mod connection;
mod decode;
mod encode;
mod messages;
mod oids;
mod portal;
mod sqlstate;
mod wire;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use restable_engine::acting::Access;
use restable_engine::pg_catalog::Postgres;
use restable_engine::{Door, Engine, Error, Session, Settings};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Handle, Runtime};

use self::cancel::Connections;
use self::connection::{Client, said};
use self::messages::{Malformed, Opening, Told};
use self::wire::{Ended, Wire};

pub use self::sqlstate::sqlstate;

/// How long a client may take to come in.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a server of Postgres wire is like.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where it listens.
    pub listen: SocketAddr,
    /// What its sessions begin with.
    pub settings: Settings,
    /// What they may send.
    pub access: Access,
    /// So many clients at once.
    pub max_connections: usize,
}

/// A server of Postgres wire that listens.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    house: Arc<House>,
}

/// A connection that wants to start: its socket, what was read of it, the minor version and its parameters.
type Greeted = (TcpStream, BytesMut, u16, Vec<(String, String)>);

/// What the connections share.
#[derive(Debug)]
struct House {
    engine: Engine,
    computing: Computing,
    options: Options,
    connections: Arc<Connections>,
}

/// The threads on which statements are computed. They are not those that serve sockets: a statement that computes long
/// without a pause must not keep others from being heard, least of all a request to cancel it.
#[derive(Debug)]
struct Computing(Option<Runtime>);

impl Computing {
    fn new() -> std::io::Result<Computing> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .thread_name("statement")
            .enable_all()
            .build()?;
        Ok(Computing(Some(runtime)))
    }

    fn handle(&self) -> Handle {
        // There is one up to the end of the value.
        self.0
            .as_ref()
            .map_or_else(Handle::current, |runtime| runtime.handle().clone())
    }
}

impl Drop for Computing {
    fn drop(&mut self) {
        // Statements that compute still are not waited for.
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

impl Server {
    /// Listens. Nothing is answered before [`Server::run`].
    pub async fn bind(engine: Engine, options: Options) -> std::io::Result<Server> {
        let listener = TcpListener::bind(options.listen).await?;
        let house = Arc::new(House {
            engine,
            computing: Computing::new()?,
            options,
            connections: Arc::default(),
        });
        Ok(Server { listener, house })
    }

    /// Where it listens.
    pub fn address(&self) -> std::io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Serves clients until it is dropped.
    pub async fn run(self) {
        let mut clients = tokio::task::JoinSet::new();
        loop {
            tokio::select! {
                accepted = self.listener.accept() => match accepted {
                    Ok((stream, peer)) => {
                        let house = Arc::clone(&self.house);
                        let client = house.receive(stream).map(move |ended| {
                            if let Err(ended) = ended {
                                tracing::debug!(%peer, "connection ended: {ended}");
                            }
                        });
                        clients.spawn(client);
                    }
                    Err(problem) => {
                        // Too many open files, for example: others may leave.
                        tracing::warn!("no connection is accepted: {problem}");
                        tokio::time::sleep(Duration::from_millis(100)).await;
                    }
                },
                Some(_) = clients.join_next() => {}
            }
        }
    }
}

impl House {
    /// Answers the first messages of a connection, up to its start.
    fn receive(self: Arc<Self>, stream: TcpStream) -> BoxFuture<'static, Result<(), Ended>> {
        async move {
            match self.greet(stream).await? {
                None => Ok(()),
                Some((stream, buffer, minor, parameters)) => {
                    self.start(stream, buffer, minor, parameters).await
                }
            }
        }
        .boxed()
    }

    async fn greet(&self, mut stream: TcpStream) -> Result<Option<Greeted>, Ended> {
        stream.set_nodelay(true)?;
        let mut buffer = BytesMut::with_capacity(1024);
        let greeting = async {
            loop {
                let opening = match messages::opening(&mut buffer) {
                    Ok(opening) => opening,
                    Err(Malformed(what)) => {
                        refuse(&mut stream, "08P01", what).await?;
                        return Ok(None);
                    }
                };
                match opening {
                    None => {
                        if stream.read_buf(&mut buffer).await? == 0 {
                            return Ok(None);
                        }
                    }
                    Some(Opening::Tls | Opening::Gss) => stream.write_all(b"N").await?,
                    Some(Opening::Cancel { process, secret }) => {
                        self.connections.cancel(process, secret);
                        return Ok(None);
                    }
                    Some(Opening::Start { minor, parameters }) => {
                        return Ok(Some((minor, parameters)));
                    }
                }
            }
        };
        match tokio::time::timeout(PATIENCE, greeting).await {
            Err(_) | Ok(Ok(None)) => Ok(None),
            Ok(Err(ended)) => Err(Ended::Socket(ended)),
            Ok(Ok(Some((minor, parameters)))) => Ok(Some((stream, buffer, minor, parameters))),
        }
    }

    async fn start<S: AsyncRead + AsyncWrite + Unpin + Send>(
        &self,
        stream: S,
        buffer: BytesMut,
        minor: u16,
        parameters: Vec<(String, String)>,
    ) -> Result<(), Ended> {
        let mut wire = Wire::new(stream, buffer);
        if self.connections.count() >= self.options.max_connections {
            return end(wire, said("53300", "there are too many connections")).await;
        }
        let (mut user, mut database, mut given, mut unknown) =
            (String::new(), None, Vec::new(), Vec::new());
        for (name, value) in parameters {
            match &*name {
                "user" => user = value,
                "database" => database = Some(value),
                "options" => match options(&value) {
                    Ok(more) => given.extend(more),
                    Err(what) => return end(wire, said("22023", what)).await,
                },
                "replication" => return end(wire, said("0A000", "there is no replication")).await,
                name if name.starts_with("_pq_.") => unknown.push(name.to_owned()),
                _ => given.push((name, value)),
            }
        }
        if user.is_empty() {
            return end(wire, said("28000", "the client names no user")).await;
        }
        if minor > 0 || !unknown.is_empty() {
            messages::negotiate(&mut wire.out, &unknown);
        }
        let session = match self.session(&user, database, &given) {
            Ok(session) => session,
            Err(problem) => return end(wire, sqlstate::told(&problem, "")).await,
        };
        messages::authentication(&mut wire.out, 0, &[]);
        let _present = self.engine.counters().come("postgres");
        let listed = self.connections.list(fastrand::u32(..).to_be_bytes());
        Client::new(wire, session, listed, self.computing.handle())
            .serve()
            .await
    }

    /// The session of a client: its own settings, catalog and cursors.
    fn session(
        &self,
        user: &str,
        database: Option<String>,
        given: &[(String, String)],
    ) -> Result<Session, Error> {
        // Clients that are told no database name one like their user.
        let database = database.filter(|name| name != user);
        let named = given
            .iter()
            .filter(|(name, _)| !name.eq_ignore_ascii_case("statement_timeout"));
        let named = named.map(|(name, value)| (name.as_str(), value.as_str()));
        let access = self.options.access;
        let postgres = Postgres::new(
            user,
            database.as_deref().unwrap_or("restable"),
            access,
            named,
        )?;
        let door = Door {
            access,
            postgres: Some(postgres),
        };
        let session = self
            .engine
            .session_of(self.options.settings.clone(), door)?;
        for (name, value) in given
            .iter()
            .filter(|(name, _)| name.eq_ignore_ascii_case("statement_timeout"))
        {
            session.set_postgres(name, value)?;
        }
        session.use_database(database.as_deref())?;
        Ok(session)
    }
}

/// The settings in `options`: `-c name=value`, `--name=value`; a backslash keeps a blank.
fn options(text: &str) -> Result<Vec<(String, String)>, String> {
    let mut words = vec![String::new()];
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '\\' => words
                .last_mut()
                .into_iter()
                .for_each(|word| word.extend(letters.next())),
            letter if letter.is_whitespace() => words.push(String::new()),
            letter => words
                .last_mut()
                .into_iter()
                .for_each(|word| word.push(letter)),
        }
    }
    let mut words = words.into_iter().filter(|word| !word.is_empty());
    let mut given = Vec::new();
    while let Some(word) = words.next() {
        let setting = match word.strip_prefix("--") {
            Some(setting) => setting.to_owned(),
            None => match word.strip_prefix("-c") {
                Some("") => words.next().unwrap_or_default(),
                Some(setting) => setting.to_owned(),
                None => return Err(format!("`{word}` is no option")),
            },
        };
        match setting.split_once('=') {
            Some((name, value)) => given.push((name.replace('-', "_"), value.to_owned())),
            None => return Err(format!("`{setting}` is not written `name=value`")),
        }
    }
    Ok(given)
}

/// Tells a client why it cannot come in.
async fn end<S: AsyncRead + AsyncWrite + Unpin + Send>(
    mut wire: Wire<S>,
    told: Told,
) -> Result<(), Ended> {
    let told = Told {
        severity: "FATAL",
        ..told
    };
    messages::told(&mut wire.out, b'E', &told);
    wire.flush().await
}

async fn refuse(stream: &mut TcpStream, code: &'static str, what: String) -> std::io::Result<()> {
    let mut out = BytesMut::new();
    let told = Told {
        severity: "FATAL",
        ..said(code, what)
    };
    messages::told(&mut out, b'E', &told);
    stream.write_all(&out).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_of_libpq() {
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(options("").as_deref(), Ok(&[][..]));
        assert_eq!(
            options("-c statement_timeout=5min --extra-float-digits=3 -cDateStyle=ISO,\\ MDY"),
            Ok(vec![
                pair("statement_timeout", "5min"),
                pair("extra_float_digits", "3"),
                pair("DateStyle", "ISO, MDY")
            ])
        );
        assert!(options("-x").is_err());
        assert!(options("-c name").is_err());
    }
}
