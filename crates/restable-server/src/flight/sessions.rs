//! Sessions of clients: settings, `USE`, what was created, prepared statements and tickets, each client's its own. Flight
//! SQL has no connection of its own, so a session is found by the cookie or the token that the client was given, else it is
//! the one of the connection, and ends with it.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use futures::future::BoxFuture;
use restable_engine::acting::Commitment;
use restable_engine::counters::Present;
use restable_engine::parameters::{Described, Parameter};
use restable_engine::sql::Parsed;
use restable_engine::{Desk, Door, Engine, HeldMemory, Reach, Sees, Session};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tonic::Status;
use tonic::metadata::MetadataMap;

use super::hidden::Hidden;
use super::running::Planned;
use super::status;
use crate::computing::{Computing, Limit};
use crate::guard::{self, Guard};
use crate::options::Options;

/// The cookie that names a session.
const COOKIE: &str = "restable_session";
/// The cookie's attributes: no script reads it, and it goes nowhere else.
const ATTRIBUTES: &str = "Path=/; HttpOnly; SameSite=Strict";
/// A session that was not heard of for so long ends.
const IDLE: Duration = Duration::from_secs(1800);
/// Tickets of a session that wait to be redeemed; the oldest goes first.
const TICKETS: usize = 100;
/// Prepared statements of a session.
const STATEMENTS: usize = 1000;

/// The sessions of a server.
pub struct Sessions {
    house: Box<dyn Hidden<House>>,
    all: Mutex<HashMap<String, Arc<Client>>>,
}

/// What they share.
struct House {
    engine: Engine,
    options: Options,
    computing: Computing,
}

impl Hidden<House> for House {
    fn shown(&self) -> &House {
        self
    }
}

/// A client's session.
pub struct Client {
    /// What names it; nobody can guess it.
    pub id: String,
    /// What the handles of its plans and statements begin with. They may go to others, who read what a client planned; the id, which
    /// lets its bearer in, may not.
    handles: String,
    /// Who it is; empty where nobody has to say.
    pub user: String,
    own: Box<dyn Hidden<Own>>,
    /// Where its statements are computed.
    desk: Desk,
    running: Mutex<HashMap<u64, watch::Sender<bool>>>,
    next: AtomicU64,
    heard: Mutex<Instant>,
    /// Whether it outlives its connection: the client can name it.
    named: AtomicBool,
}

/// What a client has that is large to look at.
struct Own {
    session: Arc<Session>,
    statements: Mutex<HashMap<u64, Arc<Stored>>>,
    tickets: Mutex<BTreeMap<u64, Planned>>,
}

impl Hidden<Own> for Own {
    fn shown(&self) -> &Own {
        self
    }
}

/// A statement that a client prepared.
#[derive(Debug)]
pub struct Stored {
    /// What it says.
    pub parsed: Parsed,
    /// What it takes and answers.
    pub described: Described,
    /// The values that were bound, a set for each time it is run.
    pub bound: Mutex<Vec<Vec<Parameter>>>,
    /// Room for what it says.
    pub _memory: Option<HeldMemory>,
}

/// A connection of a client, and the sessions that hang on it.
pub struct Connection {
    sessions: Arc<Sessions>,
    own: Mutex<HashMap<String, Arc<Client>>>,
    /// The places that there are for those who have come in.
    places: Arc<Semaphore>,
    inside: Mutex<Option<Inside>>,
}

/// A connection that has come in takes a place, and counts.
struct Inside {
    _place: OwnedSemaphorePermit,
    _present: Present,
}

impl Connection {
    /// A connection that just opened. It has no place yet.
    pub fn new(sessions: Arc<Sessions>, places: Arc<Semaphore>) -> Connection {
        Connection {
            sessions,
            own: Mutex::default(),
            places,
            inside: Mutex::default(),
        }
    }

    /// Takes a place, if it has none; `false`: there is none.
    pub fn come_in(&self) -> bool {
        let mut inside = lock(&self.inside);
        if inside.is_none() {
            let place = Arc::clone(&self.places).try_acquire_owned();
            *inside = place.ok().map(|place| Inside {
                _place: place,
                _present: self.sessions.house.shown().engine.counters().come("flight"),
            });
        }
        inside.is_some()
    }

    /// Whether it has a place.
    pub fn is_inside(&self) -> bool {
        lock(&self.inside).is_some()
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        for client in lock(&self.own).values() {
            if !client.named.load(Ordering::Relaxed) {
                self.sessions.close(client);
            }
        }
    }
}

/// Gives the connection of somebody who has shown who he is a place.
pub fn takes_place(connection: Option<&Arc<Connection>>) -> Result<(), Status> {
    match connection.is_none_or(|connection| connection.come_in()) {
        true => Ok(()),
        false => Err(Status::resource_exhausted("there are too many connections")),
    }
}

impl Sessions {
    /// A server's sessions, of which there are none yet.
    pub fn new(engine: Engine, options: Options) -> io::Result<Sessions> {
        let house = House {
            engine,
            options,
            computing: Computing::new()?,
        };
        Ok(Sessions {
            house: Box::new(house),
            all: Mutex::default(),
        })
    }

    /// What its clients may send.
    pub fn options(&self) -> &Options {
        &self.house.shown().options
    }

    /// The session of a request.
    pub fn enter(
        &self,
        metadata: &MetadataMap,
        connection: Option<&Arc<Connection>>,
    ) -> Result<Arc<Client>, Status> {
        let (user, by_token) = self.who(metadata)?;
        takes_place(connection)?;
        let by_cookie = cookie(metadata)
            .and_then(|id| self.find(id))
            .filter(|client| client.user == user);
        if let Some(client) = by_cookie.or(by_token) {
            client.named.store(true, Ordering::Relaxed);
            client.touch();
            return Ok(client);
        }
        let Some(connection) = connection else {
            return self.open(&user);
        };
        let mut own = lock(&connection.own);
        // Its session may have ended: it was not heard of for long, or it was closed.
        if let Some(client) = own.get(&user).filter(|one| self.find(&one.id).is_some()) {
            client.touch();
            return Ok(Arc::clone(client));
        }
        let client = self.open(&user)?;
        own.insert(user, Arc::clone(&client));
        Ok(client)
    }

    /// Who asks, and the session that goes with the token shown.
    fn who(&self, metadata: &MetadataMap) -> Result<(String, Option<Arc<Client>>), Status> {
        let guard = &self.options().guard;
        let Some(token) = bearer(metadata) else {
            return match guard.has_any() {
                true => Err(unknown_caller("a token is needed", guard)),
                false => Ok((String::new(), None)),
            };
        };
        if let Some(client) = self.find(token) {
            return Ok((client.user.clone(), Some(client)));
        }
        match guard.token(token) {
            Some(name) => Ok((name.to_owned(), None)),
            None if guard.has_any() => Err(unknown_caller("the token is not known", guard)),
            None => Ok((String::new(), None)),
        }
    }

    /// Lets a client in who shows a name and a password. The session's id is the token that the client shows from now on.
    pub fn shake_hands(&self, user: &str, password: &str) -> Result<Arc<Client>, Status> {
        let guard = &self.options().guard;
        if guard.has_any() && !guard.password(user, password) {
            return Err(Status::unauthenticated("the user or the password is wrong"));
        }
        let client = self.open(user)?;
        client.named.store(true, Ordering::Relaxed);
        Ok(client)
    }

    fn open(&self, user: &str) -> Result<Arc<Client>, Status> {
        let name = || {
            let name = guard::secret_name();
            name.ok_or_else(|| Status::internal("the machine has no random numbers"))
        };
        let (id, handles) = (name()?, name()?);
        let House {
            engine,
            options,
            computing,
        } = self.house.shown();
        let door = Door {
            user: (!user.is_empty()).then(|| user.to_owned()),
            access: options.access,
            reach: Reach::Wire,
            memory: options.memory.clone(),
            options: Arc::clone(&options.engine_options),
            postgres: None,
            // Who shows who he is sees what he did.
            sees: match options.guard.has_any() {
                true => Sees::Own,
                false => Sees::All,
            },
        };
        let session = engine
            .session_of(options.settings.clone(), door)
            .map_err(|problem| status::told(&problem))?;
        // Tools name tables by the schemas that they were told of: where there is one catalog, they mean that.
        let used = session.use_database(None);
        used.map_err(|problem| status::told(&problem))?;
        let own = Own {
            session: Arc::new(session),
            statements: Mutex::default(),
            tickets: Mutex::default(),
        };
        let client = Arc::new(Client {
            id: id.clone(),
            handles,
            user: user.to_owned(),
            own: Box::new(own),
            desk: computing.hall().desk(),
            running: Mutex::default(),
            next: AtomicU64::new(1),
            heard: Mutex::new(Instant::now()),
            named: AtomicBool::new(false),
        });
        let mut all = lock(&self.all);
        all.retain(|_, client| !client.is_forgotten());
        // What those who left gave up, and computes still, has their places.
        if all.len() + computing.hall().left() >= options.max_connections {
            return Err(Status::resource_exhausted("there are too many sessions"));
        }
        all.insert(id, Arc::clone(&client));
        Ok(client)
    }

    /// The session of this id, if it has not ended.
    pub fn find(&self, id: &str) -> Option<Arc<Client>> {
        lock(&self.all).get(id).map(Arc::clone)
    }

    /// Ends a session and what runs in it.
    pub fn close(&self, client: &Client) {
        lock(&self.all).remove(&client.id);
        for cancel in lock(&client.running).values() {
            cancel.send_replace(true);
        }
        let own = client.own.shown();
        lock(&own.tickets).clear();
        lock(&own.statements).clear();
    }

    /// The session and the number of a handle, if the caller is whom it was given to.
    pub fn handle(&self, handle: &[u8], user: &str) -> Option<(Arc<Client>, u64)> {
        let (handles, number) = std::str::from_utf8(handle).ok()?.split_once('.')?;
        let client = {
            let all = lock(&self.all);
            let mut of_user = all.values().filter(|client| client.user == user);
            of_user.find(|client| client.handles == handles).cloned()?
        };
        client.touch();
        Some((client, number.parse().ok()?))
    }
}

impl Client {
    /// The engine's session.
    pub fn session(&self) -> Arc<Session> {
        Arc::clone(&self.own.shown().session)
    }

    /// What comes of work for this client, computed beside whatever serves it; an error once its time is over.
    pub async fn computed<T: Send + 'static>(
        &self,
        limit: Option<Limit>,
        work: BoxFuture<'static, Result<T, Status>>,
    ) -> Result<T, Status> {
        self.computed_unless_begun(limit, &[], work).await
    }

    /// The same for work that may act: once it has begun to, it is waited for.
    pub async fn computed_unless_begun<T: Send + 'static>(
        &self,
        limit: Option<Limit>,
        acts: &[Commitment],
        work: BoxFuture<'static, Result<T, Status>>,
    ) -> Result<T, Status> {
        let done = Limit::keep_unless_begun(limit, acts, self.desk.compute(work)).await;
        done.map_err(|problem| status::told(&problem))?
    }

    fn touch(&self) {
        *lock(&self.heard) = Instant::now();
    }

    fn is_forgotten(&self) -> bool {
        lock(&self.heard).elapsed() > IDLE && lock(&self.running).is_empty()
    }

    /// What the client says to name this session from now on.
    pub fn set_cookie(&self) -> String {
        format!("{COOKIE}={}; {ATTRIBUTES}", self.id)
    }

    fn number(&self) -> u64 {
        self.next.fetch_add(1, Ordering::Relaxed)
    }

    fn handle_of(&self, number: u64) -> String {
        format!("{}.{number}", self.handles)
    }

    /// Keeps a plan until it is asked for once; answers its handle.
    pub fn keep_plan(&self, planned: Planned) -> String {
        let number = self.number();
        let mut tickets = lock(&self.own.shown().tickets);
        while tickets.len() >= TICKETS {
            tickets.pop_first();
        }
        tickets.insert(number, planned);
        self.handle_of(number)
    }

    /// The plan of a handle. It is run once, so that nothing is sent twice.
    pub fn take_plan(&self, number: u64) -> Option<Planned> {
        lock(&self.own.shown().tickets).remove(&number)
    }

    /// Keeps a prepared statement; answers its handle, or nothing if there are too many.
    pub fn keep_statement(&self, stored: Stored) -> Option<String> {
        let number = self.number();
        let mut statements = lock(&self.own.shown().statements);
        if statements.len() >= STATEMENTS {
            return None;
        }
        statements.insert(number, Arc::new(stored));
        Some(self.handle_of(number))
    }

    /// A prepared statement.
    pub fn statement(&self, number: u64) -> Option<Arc<Stored>> {
        lock(&self.own.shown().statements)
            .get(&number)
            .map(Arc::clone)
    }

    /// Forgets a prepared statement.
    pub fn forget_statement(&self, number: u64) {
        lock(&self.own.shown().statements).remove(&number);
    }

    /// Lists a statement that runs; it leaves the list when the answer is dropped.
    pub fn begin(self: &Arc<Self>, number: Option<u64>) -> Begun {
        let number = number.unwrap_or_else(|| self.number());
        let (cancel, cancelled) = watch::channel(false);
        lock(&self.running).insert(number, cancel);
        Begun {
            client: Arc::clone(self),
            number,
            cancelled,
        }
    }

    /// Ends what has this number; answers whether it was there.
    pub fn cancel(&self, number: u64) -> bool {
        let waiting = self.take_plan(number).is_some();
        let running = lock(&self.running)
            .get(&number)
            .map(|cancel| cancel.send_replace(true))
            .is_some();
        waiting || running
    }
}

/// A statement that runs.
pub struct Begun {
    client: Arc<Client>,
    number: u64,
    cancelled: watch::Receiver<bool>,
}

impl Begun {
    /// Waits until it should end.
    pub async fn cancelled(&mut self) {
        // The sender is dropped only with this.
        let _ = self.cancelled.wait_for(|cancelled| *cancelled).await;
    }
}

impl Drop for Begun {
    fn drop(&mut self) {
        lock(&self.client.running).remove(&self.number);
        self.client.touch();
    }
}

fn unknown_caller(problem: &str, guard: &Guard) -> Status {
    let hint = match guard.has_users() {
        true => "`Handshake` answers one to a user and a password",
        false => "it is sent as `authorization: Bearer …`",
    };
    Status::unauthenticated(format!("{problem}\nhint: {hint}"))
}

/// The token that a request shows.
fn bearer(metadata: &MetadataMap) -> Option<&str> {
    let header = metadata.get("authorization")?.to_str().ok()?;
    let (kind, token) = header.split_once(' ')?;
    kind.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

fn cookie(metadata: &MetadataMap) -> Option<&str> {
    let mut pairs = metadata
        .get_all("cookie")
        .iter()
        .filter_map(|header| header.to_str().ok())
        .flat_map(|header| header.split(';'));
    pairs.find_map(|pair| {
        let (name, value) = pair.split_once('=')?;
        (name.trim() == COOKIE).then(|| value.trim().trim_matches('"'))
    })
}

fn lock<T>(value: &Mutex<T>) -> MutexGuard<'_, T> {
    value.lock().unwrap_or_else(PoisonError::into_inner)
}
