//! One client: its requests in turn, its prepared statements, portals and transaction. What a statement means is the
//! engine's; here it is only told apart what a connection keeps from what the engine runs.

mod computed;
mod copy;
mod implied;
mod scrolling;
mod sending;
mod telling;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::SystemTime;

use bytes::Bytes;
use futures::FutureExt as _;
use restable_engine::arrow::datatypes::DataType;
use restable_engine::parameters::Described;
use restable_engine::pg_catalog::{self, Postgres};
use restable_engine::sql::{Connection as Kept, Count, Parsed, Statement};
use restable_engine::{Desk, Error, HeldMemory, Outcome, Report, Session};
use tokio::io::{AsyncRead, AsyncWrite};

use super::acts::{self, Acted};
use super::cancel::Listed;
use super::messages::{self, Request, Target, Told, Transaction};
use super::portal::{Flow, Portal, State, Stored, are_as_told, columns};
use super::transaction::Undo;
use super::wire::{Ended, Wire};
use super::{decode, oids, sqlstate};
use crate::computing::{Limit, give_up};
use implied::Implied;
use telling::{aborted, cancelled, cancelled_while_acting};

mod keeping;
pub use copy::Outgoing;

/// So much is gathered before it is sent.
const ENOUGH: usize = 64 << 10;

/// So many statements, and so many cursors, are kept for a client.
const MANY: usize = 10_000;
/// What a statement takes for each byte of its text: its tree is larger than that.
const TREE: usize = 64;
/// A value stands here as it came, and as it is understood.
const COPIES: usize = 2;

/// Why a request is not done.
enum Failure {
    /// The connection is over.
    Ended(Ended),
    /// The client is told.
    Told(Box<Told>),
}

impl From<Ended> for Failure {
    fn from(ended: Ended) -> Failure {
        Failure::Ended(ended)
    }
}

impl From<Told> for Failure {
    fn from(told: Told) -> Failure {
        Failure::Told(Box::new(told))
    }
}

impl From<Box<Told>> for Failure {
    fn from(told: Box<Told>) -> Failure {
        Failure::Told(told)
    }
}

type Done<T = ()> = Result<T, Failure>;

/// What a statement has begun.
enum Begun {
    Rows(Box<Flow>),
    Counted(u64),
    Fetch {
        cursor: String,
        step: Option<Count>,
        left: u64,
        shown: bool,
    },
    Copy(Box<Outgoing>),
    Nothing,
    /// Something else was done than the statement says.
    Instead(&'static str),
}

/// How the rows of a statement are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Taken {
    /// All at once.
    Whole,
    /// Some now, and others when they are asked for.
    Parts,
    /// When they are asked for, none now.
    Later,
}

/// What running a statement came to.
enum Ran {
    Rows(Box<Flow>),
    Done(Option<Report>),
    /// It acted, and its rows are not shown.
    Acted(Acted),
}

/// A client that has come in.
pub struct Client<S> {
    wire: Wire<S>,
    session: Arc<Session>,
    listed: Listed,
    /// Where its statements are computed.
    desk: Desk,
    statements: HashMap<String, Stored>,
    portals: HashMap<String, Portal>,
    transaction: Transaction,
    undo: Undo,
    /// Whether statements that began none stand in a transaction all the same.
    implied: Implied,
    /// What was done since and cannot be undone.
    stays: Vec<&'static str>,
    /// The settings as the client was told them.
    reported: Option<Arc<Postgres>>,
    /// An error is skipped up to the next Sync.
    skipping: bool,
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Client<S> {
    /// A client whose session stands.
    pub fn new(wire: Wire<S>, session: Session, listed: Listed, desk: Desk) -> Client<S> {
        Client {
            wire,
            session: Arc::new(session),
            listed,
            desk,
            statements: HashMap::new(),
            portals: HashMap::new(),
            transaction: Transaction::Idle,
            undo: Undo::default(),
            implied: Implied::No,
            stays: Vec::new(),
            reported: None,
            skipping: false,
        }
    }

    /// Answers requests until the client goes.
    pub async fn serve(mut self) -> Result<(), Ended> {
        self.report();
        messages::key_data(&mut self.wire.out, self.listed.process, &self.listed.secret);
        messages::ready(&mut self.wire.out, self.transaction);
        loop {
            let cancel = Arc::clone(&self.listed.cancel);
            let request = tokio::select! {
                biased;
                () = cancel.ended() => {
                    let told = Told {
                        severity: "FATAL",
                        ..said("57P01", "the connection was ended by another one of its user")
                    };
                    messages::told(&mut self.wire.out, b'E', &told);
                    return self.wire.flush().await;
                }
                request = self.wire.request() => request,
            };
            let request = match request {
                Err(Ended::Malformed(what)) => {
                    let told = Told {
                        severity: "FATAL",
                        ..said("08P01", what.to_string())
                    };
                    messages::told(&mut self.wire.out, b'E', &told);
                    self.wire.flush().await?;
                    return Err(what.into());
                }
                request => request?,
            };
            if self.skipping && !matches!(request, Request::Sync | Request::Terminate) {
                continue;
            }
            match request {
                Request::Terminate => return Ok(()),
                Request::Sync => self.sync(),
                // What answering needs is large, and is there only while something is answered: most clients wait most of the time.
                request => self.answer(request).boxed().await?,
            }
        }
    }

    async fn answer(&mut self, request: Request) -> Result<(), Ended> {
        let extended = !matches!(request, Request::Query(_));
        let done = match request {
            Request::Terminate | Request::Sync => Ok(()),
            Request::Query(text) => {
                let done = self.query(text.into()).await;
                if let Err(failure) = done {
                    self.fail(failure)?;
                }
                self.report();
                messages::ready(&mut self.wire.out, self.transaction);
                return Ok(());
            }
            Request::Flush => self.wire.flush().await.map_err(Failure::from),
            Request::Parse { name, query, types } => self.parse(name, query.into(), types).await,
            Request::Bind {
                portal,
                statement,
                formats,
                values,
                results,
            } => {
                self.bind(portal, &statement, &formats, values, results)
                    .await
            }
            Request::Describe(Target::Statement(name)) => self.describe_statement(&name).await,
            Request::Describe(Target::Portal(name)) => self.describe_portal(&name).await,
            Request::Execute { portal, rows } => self.execute(&portal, rows).await,
            Request::Close(target) => {
                match target {
                    Target::Statement(name) => drop(self.statements.remove(&name)),
                    Target::Portal(name) => {
                        let ended = self.portals.remove(&name);
                        self.told_of(ended);
                    }
                }
                messages::plain(&mut self.wire.out, b'3');
                Ok(())
            }
            Request::Password(_) => Err(said("08P01", "nobody asked for a password").into()),
            // Nothing follows it, not even a Sync.
            Request::Unexpected(b'F') => {
                self.fail(said("0A000", "calls of functions are not supported").into())?;
                messages::ready(&mut self.wire.out, self.transaction);
                return Ok(());
            }
            // What a client sends of a COPY that was refused before: PostgreSQL does not answer it either.
            Request::Unexpected(_) => Ok(()),
            Request::NotText { kind, problem } => {
                let told = said("22021", problem);
                if kind == b'Q' {
                    self.fail(told.into())?;
                    messages::ready(&mut self.wire.out, self.transaction);
                    return Ok(());
                }
                Err(told.into())
            }
        };
        if let Err(failure) = done {
            self.fail(failure)?;
            self.skipping = extended;
        }
        Ok(())
    }

    fn fail(&mut self, failure: Failure) -> Result<(), Ended> {
        match failure {
            Failure::Ended(ended) => Err(ended),
            Failure::Told(told) => {
                if self.transaction == Transaction::Open {
                    self.transaction = Transaction::Failed;
                }
                let told = self.with_what_stays(*told);
                self.undo_implied();
                messages::told(&mut self.wire.out, b'E', &told);
                Ok(())
            }
        }
    }

    fn sync(&mut self) {
        self.skipping = false;
        self.end_implied();
        if self.transaction == Transaction::Idle {
            // What is not in a transaction ends here.
            self.end_portals(|portal| !portal.hold);
        }
        self.report();
        messages::ready(&mut self.wire.out, self.transaction);
    }

    /// Ends the portals of this kind, and tells what is to be told of their rows.
    fn end_portals(&mut self, ends: impl Fn(&Portal) -> bool) {
        let ended = self.portals.extract_if(|_, portal| ends(portal));
        let ended: Vec<Portal> = ended.map(|(_, portal)| portal).collect();
        for portal in ended {
            self.told_of(Some(portal));
        }
    }

    /// Tells of a portal that ends what its rows lack, as far as that is known.
    fn told_of(&mut self, portal: Option<Portal>) {
        if let Some(Portal {
            state: State::Open(mut flow),
            ..
        }) = portal
            && let Some(report) = flow.untold()
        {
            self.remark(&report);
        }
    }

    /// Tells the client which of its settings have new values.
    fn report(&mut self) {
        let Some(postgres) = self.session.postgres() else {
            return;
        };
        if let Some(told) = &self.reported
            && Arc::ptr_eq(told, &postgres)
        {
            return;
        }
        for name in pg_catalog::REPORTED {
            let value = postgres.value(name).unwrap_or_default();
            let told = self.reported.as_ref();
            if told.is_none_or(|told| told.value(name) != Some(value)) {
                messages::parameter_status(&mut self.wire.out, name, value);
            }
        }
        self.reported = Some(postgres);
    }

    /// Statements as one text: each is run, and its rows are sent as text.
    async fn query(&mut self, text: Arc<str>) -> Done {
        self.statements.remove("");
        self.portals.remove("");
        let all = self.parsed(&text).await?;
        if all.is_empty() {
            messages::plain(&mut self.wire.out, b'I');
        }
        let several = all.len() > 1;
        for parsed in all {
            if several {
                self.imply(Implied::Message);
            }
            let mut portal = Portal {
                text: Arc::clone(&text),
                parsed: Some(Arc::new(parsed)),
                parameters: Vec::new(),
                formats: Vec::new(),
                told: None,
                _memory: None,
                hold: false,
                kept: false,
                created: SystemTime::now(),
                state: State::Fresh,
            };
            self.start(&mut portal, Taken::Whole).await?;
            if let Some(described) = self.described(&portal)? {
                messages::row_description(&mut self.wire.out, &described);
            }
            self.go_on(&mut portal, u64::MAX).await?;
        }
        self.end_implied();
        Ok(())
    }

    async fn parse(&mut self, name: String, text: Arc<str>, declared: Vec<u32>) -> Done {
        let mut all = self.parsed(&text).await?;
        if all.len() > 1 {
            return Err(said("42601", "a prepared statement is one statement").into());
        }
        if !name.is_empty() && self.statements.contains_key(&name) {
            return Err(said(
                "42P05",
                format!("there is a prepared statement `{name}` already"),
            )
            .into());
        }
        let memory = self.room(self.statements.len(), text.len() * TREE)?;
        let stored = Stored {
            text,
            parsed: all.pop().map(Arc::new),
            declared,
            described: None,
            told: false,
            created: SystemTime::now(),
            _memory: memory,
        };
        self.statements.insert(name, stored);
        messages::plain(&mut self.wire.out, b'1');
        Ok(())
    }

    /// What a prepared statement takes and answers, found out once.
    async fn described_statement(&mut self, name: &str) -> Done<&mut Stored> {
        let gone = || said("26000", format!("there is no prepared statement `{name}`"));
        let stored = self.statements.get(name).ok_or_else(gone)?;
        if stored.described.is_none()
            && let Some(parsed) = &stored.parsed
            && let cursor = parsed.cursor_query()
            && (cursor.is_some() || !matches!(parsed.statement, Statement::Connection(_)))
        {
            if self.transaction == Transaction::Failed {
                return Err(aborted().into());
            }
            let declared: Vec<Option<DataType>> =
                stored.declared.iter().map(|one| oids::kind(*one)).collect();
            let is_cursor = cursor.is_some();
            let query = cursor.map_or_else(|| Arc::clone(parsed), Arc::new);
            let text = Arc::clone(&stored.text);
            let found = self.found_out(&text, query, declared).await?;
            // It takes values as its query does, and answers nothing itself.
            let found = Described {
                columns: found.columns.filter(|_| !is_cursor),
                ..found
            };
            let stored = self.statements.get_mut(name).ok_or_else(gone)?;
            stored.described = Some(found);
        }
        Ok(self.statements.get_mut(name).ok_or_else(gone)?)
    }

    async fn describe_statement(&mut self, name: &str) -> Done {
        let stored = self.described_statement(name).await?;
        stored.told = true;
        let (mut kinds, mut shown) = (Vec::new(), None);
        if let Some(described) = &stored.described {
            for (at, kind) in described.parameters.iter().enumerate() {
                let declared = stored.declared.get(at).copied().filter(|one| *one != 0);
                kinds.push(declared.unwrap_or_else(|| oids::of_kind(kind)));
            }
            shown = described
                .columns
                .as_ref()
                .filter(|_| !counted(stored.parsed.as_deref()))
                .map(|schema| columns(schema, &[]));
        } else if let Some(parsed) = &stored.parsed
            && let Statement::Connection(Kept::Fetch {
                name, shown: true, ..
            }) = &parsed.statement
        {
            let name = name.clone();
            shown = Some(self.cursor_columns(&name, &[])?);
        }
        messages::parameter_description(&mut self.wire.out, &kinds);
        self.describe(shown);
        Ok(())
    }

    fn describe(&mut self, shown: Option<Vec<messages::Column>>) {
        match shown {
            Some(shown) => messages::row_description(&mut self.wire.out, &shown),
            None => messages::plain(&mut self.wire.out, b'n'),
        }
    }

    async fn bind(
        &mut self,
        portal: String,
        statement: &str,
        formats: &[i16],
        values: Vec<Option<Bytes>>,
        results: Vec<i16>,
    ) -> Done {
        if !portal.is_empty() && self.portals.contains_key(&portal) {
            return Err(said("42P03", format!("there is a cursor `{portal}` already")).into());
        }
        let takes = self.statements.get(statement).is_some_and(|stored| {
            stored
                .parsed
                .as_ref()
                .is_some_and(|parsed| !parsed.placeholders.is_empty())
        });
        let stored = if takes || !values.is_empty() {
            self.described_statement(statement).await?
        } else {
            self.statements.get_mut(statement).ok_or_else(|| {
                said(
                    "26000",
                    format!("there is no prepared statement `{statement}`"),
                )
            })?
        };
        let kinds = stored
            .described
            .as_ref()
            .map_or(&[][..], |described| &described.parameters);
        if kinds.len() != values.len() {
            let problem = format!(
                "the statement takes {} values, {} are bound",
                kinds.len(),
                values.len()
            );
            return Err(said("08P01", problem).into());
        }
        let sizes = values.iter().flatten().map(Bytes::len);
        let size = sizes.sum::<usize>() * COPIES;
        let mut parameters = Vec::with_capacity(values.len());
        for (at, (kind, value)) in kinds.iter().zip(values).enumerate() {
            let declared = stored.declared.get(at).copied().unwrap_or(0);
            let binary = match formats {
                [] => false,
                [all] => *all == 1,
                each => each.get(at) == Some(&1),
            };
            let parameter = decode::parameter(at + 1, declared, kind, binary, value);
            parameters.push(parameter.map_err(|wrong| said(wrong.sqlstate(), wrong.to_string()))?);
        }
        let (text, parsed) = (Arc::clone(&stored.text), stored.parsed.clone());
        let described = stored.described.as_ref().filter(|_| stored.told);
        let told = described.and_then(|described| described.columns.clone());
        let memory = self.room(self.portals.len(), size)?;
        let made = Portal {
            text,
            parsed,
            _memory: memory,
            parameters,
            formats: results,
            told,
            hold: false,
            kept: false,
            created: SystemTime::now(),
            state: State::Fresh,
        };
        self.portals.insert(portal, made);
        messages::plain(&mut self.wire.out, b'2');
        Ok(())
    }

    /// Makes room for one statement or cursor more, beside so many, of so many bytes.
    fn room(&self, beside: usize, bytes: usize) -> Done<Option<HeldMemory>> {
        if beside >= MANY {
            let problem =
                format!("a connection keeps at most {MANY} statements and {MANY} cursors");
            return Err(said("54000", problem).into());
        }
        let held = self.session.make_room("what a client prepared", bytes);
        Ok(held.map_err(|problem| sqlstate::told(&problem, ""))?)
    }

    fn take(&mut self, name: &str) -> Done<Portal> {
        let found = self.portals.remove(name);
        Ok(found.ok_or_else(|| said("34000", format!("there is no cursor `{name}`")))?)
    }

    async fn describe_portal(&mut self, name: &str) -> Done {
        let mut portal = self.take(name)?;
        if let (State::Fresh, Some(parsed)) = (&portal.state, &portal.parsed)
            && !matches!(parsed.statement, Statement::Connection(_))
        {
            if self.transaction == Transaction::Failed {
                return Err(aborted().into());
            }
            self.tell_what_is_held(parsed);
            let (values, limit) = (portal.parameters.clone(), Limit::of(&self.session));
            let planned = self.planned(&portal.text, parsed, values, limit);
            let prepared = planned.boxed().await?;
            portal.state = State::Planned(Box::new(prepared));
        }
        let shown = self.described(&portal);
        self.portals.insert(name.to_owned(), portal);
        let shown = shown?;
        self.describe(shown);
        Ok(())
    }

    /// The columns of a portal, if rows come out of it.
    fn described(&self, portal: &Portal) -> Done<Option<Vec<messages::Column>>> {
        Ok(match &portal.state {
            State::Planned(_) | State::Counted(_) if counted(portal.parsed.as_deref()) => None,
            State::Counted(_) | State::Copy(_) => None,
            State::Planned(prepared) => prepared
                .columns()
                .map(|schema| columns(&schema, &portal.formats)),
            State::Open(flow) => Some(columns(&flow.schema, &portal.formats)),
            State::Fetch { shown: false, .. } | State::Done | State::Instead(_) => None,
            State::Fetch { cursor, .. } => Some(self.cursor_columns(cursor, &portal.formats)?),
            State::Fresh => match portal.parsed.as_ref().map(|parsed| &parsed.statement) {
                Some(Statement::Connection(Kept::Fetch {
                    name, shown: true, ..
                })) => Some(self.cursor_columns(name, &portal.formats)?),
                _ => None,
            },
        })
    }

    async fn execute(&mut self, name: &str, rows: usize) -> Done {
        let mut portal = self.take(name)?;
        if portal.parsed.is_none() {
            messages::plain(&mut self.wire.out, b'I');
            self.portals.insert(name.to_owned(), portal);
            return Ok(());
        }
        if matches!(portal.state, State::Fresh | State::Planned(_)) {
            let taken = if rows == 0 {
                Taken::Whole
            } else {
                Taken::Parts
            };
            self.imply(Implied::Pipeline);
            self.start(&mut portal, taken).await?;
        }
        let most = if rows == 0 { u64::MAX } else { rows as u64 };
        let done = self.go_on(&mut portal, most).await;
        self.portals.insert(name.to_owned(), portal);
        done
    }

    /// Begins what a portal says that was bound and not executed yet: its cursor is asked for by name.
    async fn open(&mut self, name: &str) -> Done {
        let waits = |portal: &Portal| matches!(portal.state, State::Fresh | State::Planned(_));
        if !self.portals.get(name).is_some_and(waits) {
            return Ok(());
        }
        let mut portal = self.take(name)?;
        let begun = Box::pin(self.start(&mut portal, Taken::Parts)).await;
        self.portals.insert(name.to_owned(), portal);
        begun
    }

    /// Begins what a portal says.
    async fn start(&mut self, portal: &mut Portal, taken: Taken) -> Done {
        let Some(parsed) = portal.parsed.clone() else {
            return Ok(());
        };
        if self.transaction == Transaction::Failed
            && !matches!(
                parsed.statement,
                Statement::Connection(Kept::Commit | Kept::Rollback | Kept::RollbackTo(_))
            )
        {
            return Err(aborted().into());
        }
        self.listed.cancel.says(&portal.text);
        let begun = match &parsed.statement {
            Statement::Connection(Kept::Characteristics {
                session: true,
                modes,
            }) => {
                self.tell_of_isolation(modes.isolation.as_deref());
                self.run(portal, &parsed, taken).await?
            }
            Statement::Set(set) => {
                if set
                    .key
                    .to_ascii_lowercase()
                    .ends_with("transaction_isolation")
                {
                    self.tell_of_isolation(Some(&set.value.text()));
                }
                // These are of a transaction, however they are set.
                let of_transaction = ["transaction_read_only", "transaction_isolation"];
                let of_transaction = of_transaction
                    .iter()
                    .any(|name| set.key.eq_ignore_ascii_case(name));
                let local = set.local || of_transaction;
                if local
                    && self.transaction == Transaction::Idle
                    && self.implied != Implied::Message
                {
                    let checked = self.session.prepare(&parsed).await;
                    checked.map_err(|problem| sqlstate::told(&problem, &portal.text))?;
                    let problem =
                        "SET LOCAL is for a transaction, and there is none: nothing is set";
                    self.warn("25P01", problem);
                    Begun::Nothing
                } else {
                    if self.is_in_transaction() {
                        self.undo.set(&self.session, &set.key, local);
                    }
                    self.run(portal, &parsed, taken).await?
                }
            }
            Statement::Connection(kept) => {
                let (text, parameters) = (Arc::clone(&portal.text), portal.parameters.clone());
                self.keep(&text, &parameters, &parsed, kept).await?
            }
            _ => self.run(portal, &parsed, taken).await?,
        };
        portal.state = match begun {
            Begun::Rows(flow) => State::Open(flow),
            Begun::Counted(targets) => State::Counted(targets),
            Begun::Fetch {
                cursor,
                step,
                left,
                shown,
            } => State::Fetch {
                cursor,
                step,
                left,
                shown,
            },
            Begun::Copy(outgoing) => State::Copy(outgoing),
            Begun::Nothing => State::Done,
            Begun::Instead(tag) => State::Instead(tag),
        };
        Ok(())
    }

    /// Lets the engine run a statement, until its first rows are there if they are taken now.
    async fn run(
        &mut self,
        portal: &mut Portal,
        parsed: &Arc<Parsed>,
        taken: Taken,
    ) -> Done<Begun> {
        let limit = Limit::of(&self.session);
        let mut planned = match std::mem::replace(&mut portal.state, State::Fresh) {
            State::Planned(prepared) => *prepared,
            _ => {
                self.tell_what_is_held(parsed);
                let values = portal.parameters.clone();
                self.planned(&portal.text, parsed, values, limit)
                    .boxed()
                    .await?
            }
        };
        let told = |problem: Error| sqlstate::told(&problem, &portal.text);
        match self.is_in_transaction() {
            // What is for a transaction only ends with the statement.
            false => planned.forget_local(),
            true => {
                for (key, local) in planned.chosen() {
                    self.undo.set(&self.session, key, local);
                }
            }
        }
        // The rows would be read as what they are not.
        if let Some(told) = &portal.told
            && let Some(columns) = planned.columns()
            && !are_as_told(told, &columns)
        {
            return Err(said("0A000", "cached plan must not change result type").into());
        }
        let acts: Vec<_> = planned.commitment().into_iter().collect();
        let may_act = !acts.is_empty();
        if (may_act || planned.keeps()) && self.transaction != Transaction::Idle {
            let problem = match may_act {
                true => {
                    "a call that changes something cannot be undone by ROLLBACK, so that it stands in no transaction"
                }
                false => {
                    "what is kept in the data directory cannot be undone by ROLLBACK, so that the statement stands in no transaction"
                }
            };
            self.session.note_refusal(parsed, "25001", problem);
            return Err(Told {
                hint: Some("leave the transaction first; drivers call it autocommit".to_owned()),
                ..said("25001", problem)
            }
            .into());
        }
        // Rows of RETURNING are sent as they come; without, what counts is only how the targets ended.
        let counted = parsed.is_counted();
        let stays = may_act || planned.keeps();
        let cancel = Arc::clone(&self.listed.cancel);
        cancel.begin();
        let look = self.look()?;
        // Rows that tell what was done are told, however late.
        let flows = limit.filter(|_| !may_act);
        let (session, desk) = (Arc::clone(&self.session), self.desk.clone());
        let run = async move {
            let run = match taken {
                Taken::Whole => session.run(planned).await?,
                Taken::Parts | Taken::Later => session.run_in_parts(planned).await?,
            };
            Ok(match run {
                Outcome::Rows(rows) if counted => Ran::Acted(acts::finish(rows).await?),
                Outcome::Rows(rows) if taken != Taken::Later => {
                    Ran::Rows(Box::new(Flow::begun(rows, look, flows).await?))
                }
                Outcome::Rows(rows) => Ran::Rows(Box::new(Flow::later(rows))),
                Outcome::Done { report, .. } => Ran::Done(report),
            })
        };
        let run = async {
            let run = desk.compute(run.boxed());
            tokio::select! {
                biased;
                () = cancel.asked() => None,
                outcome = Limit::keep_unless_begun(limit, &acts, run) => Some(outcome.and_then(|ran| ran)),
            }
        };
        let outcome = self.wire.during(run).await;
        cancel.end();
        let done: Done<Begun> = match outcome? {
            None if !give_up(&acts) => Err(cancelled_while_acting().into()),
            None => Err(cancelled().into()),
            Some(Err(problem)) => Err(told(problem).into()),
            Some(Ok(Ran::Acted(acted))) => {
                if let Some(problem) = acted.problem() {
                    return Err(problem.into());
                }
                self.remark(&acted.report);
                Ok(Begun::Counted(acts::changed(&acted.report, acted.targets)))
            }
            Some(Ok(Ran::Rows(flow))) => Ok(Begun::Rows(flow)),
            Some(Ok(Ran::Done(report))) => {
                if let Some(report) = report {
                    self.remark(&report);
                }
                Ok(Begun::Nothing)
            }
        };
        if stays && done.is_ok() {
            self.stays.push(parsed.tag());
        }
        done
    }

    /// Sends rows of a portal, at most `most`, and tells that it is done or waits for more.
    async fn go_on(&mut self, portal: &mut Portal, most: u64) -> Done {
        let tag = portal.parsed.as_ref().map_or("", |parsed| parsed.tag());
        let (sent, ended) = match &mut portal.state {
            State::Open(flow) => {
                flow.goes_on(Limit::of(&self.session));
                let sent = self.send(flow, most, &portal.formats, true).await;
                match sent {
                    Ok(sent) => {
                        let ended = flow.ended;
                        match ended.then(|| flow.untold()).flatten() {
                            Some(report) => {
                                self.remark(&report);
                                let changes = ["INSERT", "UPDATE", "REPLACE", "DELETE"];
                                match changes.contains(&tag) {
                                    // Of rows that tell how calls ended, those count that changed something.
                                    true => (acts::changed(&report, sent), ended),
                                    false => (sent, ended),
                                }
                            }
                            None => (sent, ended),
                        }
                    }
                    Err(failure) => {
                        // Its calls end here, not when the client closes it.
                        portal.state = State::Done;
                        return Err(failure);
                    }
                }
            }
            State::Fetch {
                cursor,
                step,
                left,
                shown,
            } => {
                let name = cursor.clone();
                let mut source = self.take(&name)?;
                let formats = if portal.formats.is_empty() {
                    source.formats.clone()
                } else {
                    portal.formats.clone()
                };
                let State::Open(flow) = &mut source.state else {
                    return Err(said("34000", format!("there is no cursor `{name}`")).into());
                };
                flow.goes_on(Limit::of(&self.session));
                let (sent, ended) = match step {
                    Some(step) => (self.scroll(flow, *step, &formats, *shown).await?, true),
                    None => {
                        let sent = self.send(flow, most.min(*left), &formats, *shown).await?;
                        *left -= sent;
                        (sent, flow.ended || *left == 0)
                    }
                };
                if let Some(report) = flow.ended.then(|| flow.untold()).flatten() {
                    self.remark(&report);
                }
                self.portals.insert(name, source);
                (sent, ended)
            }
            State::Copy(outgoing) => {
                let sent = self.copy_out(outgoing).await;
                // Whether it was sent whole or failed on the way: its calls end here.
                portal.state = State::Done;
                messages::complete(&mut self.wire.out, &format!("COPY {}", sent?));
                return Ok(());
            }
            State::Counted(targets) => {
                let (targets, state) = (*targets, State::Done);
                portal.state = state;
                let told = match tag {
                    "INSERT" => format!("INSERT 0 {targets}"),
                    // PostgreSQL has no REPLACE: its clients take the number out of an UPDATE.
                    "REPLACE" => format!("UPDATE {targets}"),
                    _ => format!("{tag} {targets}"),
                };
                messages::complete(&mut self.wire.out, &told);
                return Ok(());
            }
            State::Fresh | State::Planned(_) | State::Done => {
                messages::complete(&mut self.wire.out, tag);
                return Ok(());
            }
            State::Instead(tag) => {
                messages::complete(&mut self.wire.out, tag);
                return Ok(());
            }
        };
        if !ended {
            messages::plain(&mut self.wire.out, b's');
            return Ok(());
        }
        let told = match tag {
            "SHOW" | "EXPLAIN" => tag.to_owned(),
            "INSERT" => format!("INSERT 0 {sent}"),
            "DESCRIBE" | "EXEC" | "PREVIEW" => format!("SELECT {sent}"),
            "REPLACE" => format!("UPDATE {sent}"),
            _ => format!("{tag} {sent}"),
        };
        messages::complete(&mut self.wire.out, &told);
        Ok(())
    }
}

/// An error of the connection itself.
pub(super) fn said(code: &'static str, message: impl Into<String>) -> Told {
    Told {
        severity: "ERROR",
        code,
        message: message.into(),
        ..Told::default()
    }
}

/// Whether a statement is answered by a count.
fn counted(parsed: Option<&Parsed>) -> bool {
    parsed.is_some_and(Parsed::is_counted)
}
