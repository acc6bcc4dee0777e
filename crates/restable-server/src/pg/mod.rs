//! Postgres wire: the listener, how a client comes in, and its session. Everything that a client says after that is in
//! `connection.rs`.

mod acts;
mod auth;
mod cancel;
mod connection;
mod copy_form;
mod decode;
mod encode;
mod messages;
mod oids;
mod portal;
mod sqlstate;
mod transaction;
mod wire;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use restable_engine::pg_catalog::{Encryption, Postgres};
use restable_engine::{Door, Engine, Error, Reach, Sees, Session, Settings};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use self::cancel::Connections;
use self::connection::{Client, said};
use self::messages::{Malformed, Opening, Told};
use self::wire::{Ended, Wire};
use crate::coming::{Coming, Place, STARTING};
use crate::computing::Computing;
use crate::guard;
use crate::options::{Guarded, Unserved};
use crate::socket::Socket;

pub use self::sqlstate::sqlstate;
pub use crate::options::Options;

/// A server of Postgres wire that listens.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    house: Arc<House>,
}

/// A connection that wants to start: its socket, what was read of it, the minor version and its parameters.
type Greeted = (Socket, BytesMut, u16, Vec<(String, String)>);

/// A client that has come in, if it did.
type Arrived = Result<Option<Client<Socket>>, Ended>;

/// What the connections share.
struct House {
    engine: Engine,
    computing: Computing,
    options: Options,
    /// What sessions begin with.
    settings: Arc<Settings>,
    acceptor: Option<TlsAcceptor>,
    connections: Arc<Connections>,
    starting: Arc<Coming>,
}

impl std::fmt::Debug for House {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("House")
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}

impl Server {
    /// Listens. Nothing is answered before [`Server::run`].
    pub async fn bind(engine: Engine, options: Options) -> Result<Server, Unserved> {
        let guarded = Guarded::by(options.guard.has_users());
        let listener = options.listen(guarded).await?;
        let house = Arc::new(House {
            engine,
            computing: Computing::new()?,
            acceptor: options.tls.as_ref().map(|tls| tls.acceptor(&[])),
            settings: Arc::new(options.settings.clone()),
            options,
            connections: Arc::default(),
            starting: Coming::new(STARTING),
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
                        let place = house.starting.enter();
                        let client = house.receive(stream, place).map(move |ended| {
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
    fn receive(
        self: Arc<Self>,
        stream: TcpStream,
        place: Place,
    ) -> BoxFuture<'static, Result<(), Ended>> {
        async move {
            stream.set_nodelay(true)?;
            let come = Arc::clone(&self).come(stream);
            let mut expires = place.expires();
            let started = tokio::select! {
                started = come => started?,
                () = &mut expires => None,
            };
            // The place is the next one's.
            drop(expires);
            match started {
                Some(client) => {
                    let _present = self.engine.counters().come("postgres");
                    client.serve().await
                }
                None => Ok(()),
            }
        }
        .boxed()
    }

    /// A client that has come in. Its future is a box of its own: a compiler that sees through all of them takes minutes.
    fn come(self: Arc<Self>, stream: TcpStream) -> BoxFuture<'static, Arrived> {
        async move {
            match self.greet(Socket::plain(stream)).await? {
                None => Ok(None),
                Some((socket, buffer, minor, parameters)) => {
                    self.start(socket, buffer, minor, parameters).await
                }
            }
        }
        .boxed()
    }

    async fn greet(&self, mut socket: Socket) -> std::io::Result<Option<Greeted>> {
        let mut buffer = BytesMut::with_capacity(1024);
        loop {
            let opening = match messages::opening(&mut buffer) {
                Ok(opening) => opening,
                Err(Malformed(what)) => {
                    refuse(&mut socket, "08P01", what).await?;
                    return Ok(None);
                }
            };
            match (opening, &self.acceptor) {
                (None, _) => {
                    if socket.read_buf(&mut buffer).await? == 0 {
                        return Ok(None);
                    }
                }
                (Some(Opening::Tls), Some(acceptor)) if !socket.is_secured() => {
                    // What came unencrypted must not count as what comes encrypted.
                    if !buffer.is_empty() {
                        let what = "something was sent before TLS stands".to_owned();
                        refuse(&mut socket, "08P01", what).await?;
                        return Ok(None);
                    }
                    socket.write_all(b"S").await?;
                    socket = socket.secured(acceptor.clone()).await?;
                }
                (Some(Opening::Tls | Opening::Gss), _) => socket.write_all(b"N").await?,
                (Some(Opening::Cancel { process, secret }), _) => {
                    self.connections.cancel(process, secret);
                    return Ok(None);
                }
                (Some(Opening::Start { minor, parameters }), _) => {
                    return Ok(Some((socket, buffer, minor, parameters)));
                }
            }
        }
    }

    /// Lets a client in, if it may.
    async fn start(
        &self,
        socket: Socket,
        buffer: BytesMut,
        minor: u16,
        parameters: Vec<(String, String)>,
    ) -> Arrived {
        let secured = socket.is_secured();
        let encryption = Encryption {
            offered: self.acceptor.is_some(),
            used: socket.cipher(),
        };
        let mut wire = Wire::new(socket, buffer);
        if !secured && !self.options.is_local() {
            let told = said("28000", "this server is reached with TLS only");
            return end(wire, told).await;
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
        if self.options.guard.has_users()
            && let Err(told) = auth::ask(&mut wire, &self.options.guard, &user).await?
        {
            return end(wire, told).await;
        }
        let mut secret = [0; 4];
        if guard::random(&mut secret).is_none() {
            return end(wire, said("58000", "the machine has no random numbers")).await;
        }
        // Who has shown who he is takes a place; who has not yet, keeps nobody out.
        let listed = {
            let named = database.as_deref().filter(|name| *name != user);
            self.connections
                .list(secret, &user, named.unwrap_or("restable"))
        };
        // What those who left gave up, and computes still, has their places.
        let taken = self.connections.count() + self.computing.hall().left();
        if taken > self.options.max_connections {
            drop(listed);
            return end(wire, said("53300", "there are too many connections")).await;
        }
        let session = self.session(&user, database, &given, encryption, listed.process);
        let session = match session {
            Ok(session) => session,
            Err(problem) => return end(wire, sqlstate::told(&problem, "")).await,
        };
        messages::authentication(&mut wire.out, 0, &[]);
        let desk = self.computing.hall().desk();
        Ok(Some(Client::new(wire, session, listed, desk)))
    }

    /// The session of a client: its own settings, catalog and cursors.
    fn session(
        &self,
        user: &str,
        database: Option<String>,
        given: &[(String, String)],
        encryption: Encryption,
        process: i32,
    ) -> Result<Session, Error> {
        // Clients that are told no database name one like their user.
        let database = database.filter(|name| name != user);
        // The others are restable's own, and are set as by a statement.
        let of_postgres = |name: &str| Postgres::knows(name);
        let named = given.iter().filter(|(name, _)| of_postgres(name));
        let named = named.map(|(name, value)| (name.as_str(), value.as_str()));
        let access = self.options.access;
        let postgres = Postgres::new(
            user,
            database.as_deref().unwrap_or("restable"),
            access,
            named,
        )?
        .encrypted(encryption)
        .numbered(process)
        .among(
            self.connections
                .of(self.options.guard.has_users().then_some(user)),
        )
        .at_most(self.options.max_connections);
        let door = Door {
            user: None,
            access,
            reach: Reach::Wire,
            memory: self.options.memory.clone(),
            options: Arc::clone(&self.options.engine_options),
            postgres: Some(postgres),
            // Who shows who he is sees what he did.
            sees: match self.options.guard.has_users() {
                true => Sees::Own,
                false => Sees::All,
            },
        };
        let session = self.engine.session_of(Arc::clone(&self.settings), door)?;
        for (name, value) in given.iter().filter(|(name, _)| !of_postgres(name)) {
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
async fn end(mut wire: Wire<Socket>, told: Told) -> Arrived {
    let told = Told {
        severity: "FATAL",
        ..told
    };
    messages::told(&mut wire.out, b'E', &told);
    wire.flush().await?;
    Ok(None)
}

async fn refuse(socket: &mut Socket, code: &'static str, what: String) -> std::io::Result<()> {
    let mut out = BytesMut::new();
    let told = Told {
        severity: "FATAL",
        ..said(code, what)
    };
    messages::told(&mut out, b'E', &told);
    socket.write_all(&out).await?;
    socket.flush().await
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
