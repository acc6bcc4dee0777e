//! The journal's table and its statements. Each function works within a transaction of [`super::desk`] and knows which change of state is
//! allowed; when a change is due is known above.

use std::path::Path;
use std::time::Duration;

use restable_spec::{BoundCall, CallClass, FinalState, LongRunning};
use rusqlite::{Connection, OpenFlags, OptionalExtension, Row, ToSql, params, params_from_iter};
use serde::{Deserialize, Serialize};

use super::entry::{Entry, Filter, Settlement, State, time};
use super::{Binding, is_withheld};
use crate::error::JournalError;
use crate::operation::words;

/// The form of the table that this program knows.
const VERSION: i64 = 1;
/// Marks the file as a journal of this program: `rstb`.
const APPLICATION: i64 = 0x7273_7462;
/// So long another process may hold the file.
const PATIENCE: Duration = Duration::from_secs(20);

const TABLE: &str = "
CREATE TABLE entry (
    number            INTEGER PRIMARY KEY AUTOINCREMENT,
    statement         TEXT NOT NULL,
    provider          TEXT NOT NULL,
    endpoint          TEXT NOT NULL,
    cloud             TEXT,
    tenant            TEXT,
    principal         TEXT,
    request           TEXT NOT NULL,
    body              TEXT,
    body_hash         TEXT,
    client_request_id TEXT NOT NULL,
    state             TEXT NOT NULL,
    handle            TEXT,
    operation_id      TEXT,
    error_code        TEXT,
    error_message     TEXT,
    error             TEXT,
    result            TEXT,
    created           INTEGER NOT NULL,
    sent              INTEGER,
    updated           INTEGER NOT NULL,
    asked_by          TEXT
) STRICT;
CREATE INDEX entry_statement ON entry (statement);
CREATE INDEX entry_operation ON entry (operation_id) WHERE operation_id IS NOT NULL;
";

const COLUMNS: &str = "number, statement, provider, endpoint, cloud, tenant, principal, request, body, body_hash, \
    client_request_id, state, handle, operation_id, error_code, error_message, error, result, created, sent, updated, asked_by";

/// A request without its body and without secrets, as it is written down.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Request {
    provider: String,
    operation_id: String,
    #[serde(with = "words::method")]
    http: restable_spec::HttpMethod,
    class: String,
    server: String,
    path: String,
    query: Vec<(String, String)>,
    headers: Vec<(String, String)>,
    /// Whether it takes the second credential. Entries of programs that knew none have no word on it.
    #[serde(default)]
    auxiliary: bool,
    /// Names of headers and of query parameters that are left out.
    withheld: Vec<String>,
    scope: String,
    /// The place of the result, if the call starts an operation.
    result_at: Option<String>,
}

const CLASSES: [(CallClass, &str); 4] = [
    (CallClass::Read, "read"),
    (CallClass::IdempotentWrite, "idempotent-write"),
    (CallClass::Conditional, "conditional"),
    (CallClass::Action, "action"),
];

fn class_word(class: CallClass) -> &'static str {
    match class {
        CallClass::Read => "read",
        CallClass::IdempotentWrite => "idempotent-write",
        CallClass::Conditional => "conditional",
        CallClass::Action => "action",
    }
}

impl Request {
    pub(super) fn of(call: &BoundCall, long_running: Option<LongRunning>) -> Self {
        let mut withheld = Vec::new();
        let mut open = |pairs: &[(String, String)]| -> Vec<(String, String)> {
            let (secret, open): (Vec<_>, Vec<_>) = pairs
                .iter()
                .cloned()
                .partition(|(name, _)| is_withheld(name));
            withheld.extend(secret.into_iter().map(|(name, _)| name));
            open
        };
        let (query, headers) = (open(&call.query), open(&call.headers));
        Self {
            provider: call.provider.clone(),
            operation_id: call.operation_id.clone(),
            http: call.http,
            class: class_word(call.class).to_owned(),
            server: call.server.clone(),
            path: call.path.clone(),
            query,
            headers,
            auxiliary: call.auxiliary,
            withheld,
            scope: call.scope.clone(),
            result_at: long_running.map(|long| words::of_final_state(long.final_state).to_owned()),
        }
    }

    /// The call without its body, and the names of what it lacks.
    pub(super) fn call(&self) -> Option<(BoundCall, Option<LongRunning>, Vec<String>)> {
        let class = CLASSES
            .into_iter()
            .find(|(_, word)| *word == self.class)
            .map(|(class, _)| class)?;
        let long_running = match &self.result_at {
            None => None,
            Some(word) => {
                let known = |state: &FinalState| words::of_final_state(*state) == word;
                let final_state = words::FINAL_STATES.into_iter().find(known)?;
                Some(LongRunning { final_state })
            }
        };
        let call = BoundCall {
            provider: self.provider.clone(),
            operation_id: self.operation_id.clone(),
            http: self.http,
            class,
            server: self.server.clone(),
            path: self.path.clone(),
            query: self.query.clone(),
            headers: self.headers.clone(),
            auxiliary: self.auxiliary,
            body: None,
            scope: self.scope.clone(),
        };
        Some((call, long_running, self.withheld.clone()))
    }

    fn url(&self) -> String {
        let mut text = self.path.clone();
        let mut separator = '?';
        for (name, value) in &self.query {
            text.push(separator);
            separator = '&';
            text.push_str(name);
            text.push('=');
            text.push_str(value);
        }
        text
    }
}

/// What the entries of a statement have in common.
#[derive(Debug, Clone)]
pub(super) struct Statement {
    pub id: String,
    pub binding: Binding,
    pub asked_by: Option<String>,
}

/// A new entry.
#[derive(Debug)]
pub(super) struct Draft {
    pub request: Request,
    pub body: Option<String>,
    pub body_hash: Option<String>,
    pub client_request_id: String,
}

pub(super) fn open_file(path: &Path) -> Result<Connection, JournalError> {
    // The place was checked; the flag refuses a link that came in the meantime.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX
        | OpenFlags::SQLITE_OPEN_NOFOLLOW;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(PATIENCE)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    prepare(&connection, path)?;
    Ok(connection)
}

pub(super) fn open_memory() -> Result<Connection, JournalError> {
    let connection = Connection::open_in_memory()?;
    prepare(&connection, Path::new(":memory:"))?;
    Ok(connection)
}

fn prepare(connection: &Connection, path: &Path) -> Result<(), JournalError> {
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "trusted_schema", "OFF")?;
    connection.execute_batch("BEGIN IMMEDIATE")?;
    let made = make(connection, path);
    match made {
        Ok(()) => connection.execute_batch("COMMIT")?,
        Err(_) => connection.execute_batch("ROLLBACK")?,
    }
    made
}

fn make(connection: &Connection, path: &Path) -> Result<(), JournalError> {
    let pragma = |name: &str| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    let (application, version) = (pragma("application_id")?, pragma("user_version")?);
    let tables: i64 =
        connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    let path = || path.display().to_string();
    match (application, version) {
        (APPLICATION, VERSION) => add_owner(connection),
        (APPLICATION, found) => Err(JournalError::Version {
            path: path(),
            found,
            known: VERSION,
        }),
        (0, 0) if tables == 0 => {
            connection.execute_batch(TABLE)?;
            connection.pragma_update(None, "application_id", APPLICATION)?;
            connection.pragma_update(None, "user_version", VERSION)?;
            Ok(())
        }
        _ => Err(JournalError::Place {
            path: path(),
            problem: "it is no journal of restable".to_owned(),
        }),
    }
}

/// Gives a table that an earlier program made the column that it did not know. That program goes on to read and write the table: it names
/// its columns, and of this one it writes nothing.
fn add_owner(connection: &Connection) -> Result<(), JournalError> {
    let known: i64 = connection.query_row(
        "SELECT count(*) FROM pragma_table_info('entry') WHERE name = 'asked_by'",
        [],
        |row| row.get(0),
    )?;
    if known == 0 {
        connection.execute_batch("ALTER TABLE entry ADD COLUMN asked_by TEXT")?;
    }
    Ok(())
}

pub(super) fn insert(
    connection: &Connection,
    of: &Statement,
    drafts: &[Draft],
    now: i64,
) -> Result<Vec<i64>, JournalError> {
    let Statement {
        id,
        binding,
        asked_by,
    } = of;
    let mut insert = connection.prepare(
        "INSERT INTO entry (statement, provider, endpoint, cloud, tenant, principal, request, body, body_hash, \
         client_request_id, state, created, updated, asked_by) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?12, ?13)",
    )?;
    let mut numbers = Vec::with_capacity(drafts.len());
    for draft in drafts {
        let request = serde_json::to_string(&draft.request).map_err(unreadable)?;
        numbers.push(insert.insert(params![
            id,
            binding.provider,
            binding.endpoint,
            binding.cloud,
            binding.tenant,
            binding.principal,
            request,
            draft.body,
            draft.body_hash,
            draft.client_request_id,
            State::Intended.as_str(),
            now,
            asked_by,
        ])?);
    }
    Ok(numbers)
}

pub(super) fn sending(connection: &Connection, number: i64, now: i64) -> Result<(), JournalError> {
    expect(connection, number, &[State::Intended], "`Intended`")?;
    connection.execute(
        "UPDATE entry SET state = ?2, sent = ?3, updated = ?3 WHERE number = ?1",
        params![number, State::Sending.as_str(), now],
    )?;
    Ok(())
}

pub(super) fn intend_again(
    connection: &Connection,
    number: i64,
    now: i64,
) -> Result<(), JournalError> {
    let unsent = [State::Intended, State::NotSent];
    expect(connection, number, &unsent, "`Intended` or `NotSent`")?;
    connection.execute(
        "UPDATE entry SET state = ?2, error_code = NULL, error_message = NULL, error = NULL, updated = ?3 \
         WHERE number = ?1",
        params![number, State::Intended.as_str(), now],
    )?;
    Ok(())
}

/// The calls of a process that is gone.
pub(super) fn abandon(
    connection: &Connection,
    statement: &str,
    now: i64,
) -> Result<(), JournalError> {
    connection.execute(
        "UPDATE entry SET state = ?2, error_message = ?3, updated = ?4 WHERE statement = ?1 AND state = ?5",
        params![
            statement,
            State::Unknown.as_str(),
            "the process ended before the answer came",
            now,
            State::Sending.as_str(),
        ],
    )?;
    Ok(())
}

pub(super) fn settle(
    connection: &Connection,
    number: i64,
    settlement: &Settlement,
    handle: Option<(String, Option<String>)>,
    now: i64,
) -> Result<(), JournalError> {
    let state = state_of(connection, number)?;
    if state.has_ended() {
        // Two who followed the same operation saw the same end.
        return if state == settlement.state {
            Ok(())
        } else {
            Err(JournalError::State {
                number,
                state: state.as_str(),
                wanted: "an entry that has not ended",
            })
        };
    }
    let (handle, operation_id) = handle.unzip();
    connection.execute(
        "UPDATE entry SET state = ?2, handle = coalesce(?3, handle), operation_id = coalesce(?4, operation_id), \
         error_code = ?5, error_message = ?6, error = ?7, result = coalesce(?8, result), updated = ?9 WHERE number = ?1",
        params![
            number,
            settlement.state.as_str(),
            handle,
            operation_id.flatten(),
            settlement.error_code,
            settlement.error_message,
            settlement.error,
            settlement.result,
            now,
        ],
    )?;
    Ok(())
}

pub(super) fn select(connection: &Connection, filter: &Filter) -> Result<Vec<Entry>, JournalError> {
    let mut conditions = Vec::new();
    let mut values: Vec<Box<dyn ToSql>> = Vec::new();
    let mut among = |column: &str, those: Vec<Box<dyn ToSql>>| {
        if !those.is_empty() {
            let marks = vec!["?"; those.len()].join(", ");
            conditions.push(format!("{column} IN ({marks})"));
            values.extend(those);
        }
    };
    let boxed = |text: &String| -> Box<dyn ToSql> { Box::new(text.clone()) };
    among(
        "number",
        filter
            .numbers
            .iter()
            .map(|number| -> Box<dyn ToSql> { Box::new(*number) })
            .collect(),
    );
    among(
        "operation_id",
        filter.operation_id.iter().map(boxed).collect(),
    );
    among("statement", filter.statement.iter().map(boxed).collect());
    among(
        "state",
        filter
            .states
            .iter()
            .map(|state| -> Box<dyn ToSql> { Box::new(state.as_str()) })
            .collect(),
    );
    let mut query = format!("SELECT {COLUMNS} FROM entry");
    if !conditions.is_empty() {
        query.push_str(" WHERE ");
        query.push_str(&conditions.join(" AND "));
    }
    query.push_str(" ORDER BY number DESC");
    if let Some(last) = filter.last {
        query.push_str(&format!(" LIMIT {last}"));
    }
    let mut select = connection.prepare(&query)?;
    let mut rows = select.query(params_from_iter(values))?;
    let mut entries = Vec::new();
    while let Some(row) = rows.next()? {
        entries.push(read(row)?);
    }
    entries.reverse();
    Ok(entries)
}

fn read(row: &Row<'_>) -> Result<Entry, JournalError> {
    let request: String = row.get("request")?;
    let request: Request = serde_json::from_str(&request).map_err(unreadable)?;
    Ok(Entry {
        number: row.get("number")?,
        statement: row.get("statement")?,
        binding: Binding {
            provider: row.get("provider")?,
            endpoint: row.get("endpoint")?,
            cloud: row.get("cloud")?,
            tenant: row.get("tenant")?,
            principal: row.get("principal")?,
        },
        scope: request.scope.clone(),
        method_id: request.operation_id.clone(),
        http: request.http,
        url: request.url(),
        body: row.get("body")?,
        body_hash: row.get("body_hash")?,
        client_request_id: row.get("client_request_id")?,
        state: state(&row.get::<_, String>("state")?)?,
        operation_id: row.get("operation_id")?,
        error_code: row.get("error_code")?,
        error_message: row.get("error_message")?,
        error: row.get("error")?,
        result: row.get("result")?,
        created: time(row.get("created")?),
        sent: row.get::<_, Option<i64>>("sent")?.map(time),
        updated: time(row.get("updated")?),
        asked_by: row.get("asked_by")?,
        request,
        handle: row.get("handle")?,
    })
}

fn state_of(connection: &Connection, number: i64) -> Result<State, JournalError> {
    let word: Option<String> = connection
        .query_row(
            "SELECT state FROM entry WHERE number = ?1",
            [number],
            |row| row.get(0),
        )
        .optional()?;
    match word {
        Some(word) => state(&word),
        None => Err(JournalError::Absent {
            reference: number.to_string(),
        }),
    }
}

fn expect(
    connection: &Connection,
    number: i64,
    states: &[State],
    wanted: &'static str,
) -> Result<(), JournalError> {
    let state = state_of(connection, number)?;
    if states.contains(&state) {
        Ok(())
    } else {
        Err(JournalError::State {
            number,
            state: state.as_str(),
            wanted,
        })
    }
}

fn state(word: &str) -> Result<State, JournalError> {
    State::of(word).ok_or_else(|| JournalError::Database {
        reason: "an entry has a state that is unknown".to_owned(),
    })
}

fn unreadable(error: serde_json::Error) -> JournalError {
    JournalError::Database {
        reason: format!("an entry cannot be read: {error}"),
    }
}
