//! The errors of this crate, as data. [`Error`] is that of a call: what was asked, what came back, how often it was tried.
//! [`JournalError`] is that of the journal, [`HandleError`] that of a handle read from it. Their text is one line and a hint another; both are written here only. They hold no URL,
//! body or token that was not redacted before.

use std::fmt;
use std::ops::Deref;
use std::time::Duration;

use serde_json::{Map, Value};

pub use crate::fault::Detail;
use crate::fault::Fault;

/// What went wrong, for exit codes, SQLSTATEs and decisions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// No connection, or one that broke, to the end of the retries.
    Connect,
    /// The server's certificate or TLS version is not acceptable.
    Tls,
    /// The server did not answer in time, to the end of the retries.
    Timeout,
    /// The statement's deadline passed, or the next attempt would be after it.
    Deadline,
    /// No credential could be used, or the service refused the one that was.
    Credential,
    /// The origin rule: a link, a redirect or an endpoint to which nothing is sent.
    Refused,
    /// The service answered with an error.
    Status,
    /// The service throttles, for longer than may be waited.
    Throttled,
    /// The answer is not what it has to be.
    Body,
    /// The pages do not end: a cycle, or too many empty ones.
    Paging,
    /// The answer is larger than the cap.
    TooLarge,
    /// The configuration or the call itself cannot be used; nothing was sent.
    Config,
    /// As many calls were sent as may be; this one was not.
    Allowance,
}

/// The data of an [`Error`].
#[derive(Debug, Clone)]
pub struct Failure {
    /// What went wrong.
    pub kind: ErrorKind,
    /// The document's operation id; empty if no call was made.
    pub operation_id: String,
    /// What a person calls the place that was read.
    pub scope: String,
    /// The HTTP method; empty if no call was made.
    pub method: &'static str,
    /// The redacted URL; empty if no call was made.
    pub url: String,
    /// The page of the list, counted from 1.
    pub page: usize,
    /// The status of the last answer.
    pub status: Option<u16>,
    /// The service's code.
    pub code: Option<String>,
    /// The service's text, or ours, on one line.
    pub message: String,
    /// What the error is about, as the service names it.
    pub target: Option<String>,
    /// The causes that the service lists.
    pub details: Vec<Detail>,
    /// What the service recommends to do.
    pub recommended_action: Option<String>,
    /// Our id of the request, the same on each attempt.
    pub client_request_id: Option<String>,
    /// The service's id of the last attempt.
    pub request_id: Option<String>,
    /// The service's correlation id.
    pub correlation_id: Option<String>,
    /// Attempts that were made.
    pub attempts: u32,
    /// Time spent in waits between attempts.
    pub waited: Duration,
    /// The wait that the service asked for last.
    pub retry_after: Option<Duration>,
    /// What was left of the statement's time when it was given up, since the next attempt would have come after its end.
    pub time_left: Option<Duration>,
    /// The element of the page that could not be read, counted from 0.
    pub item: Option<usize>,
    /// Where in that element, or in the body, as a JSON path.
    pub path: Option<String>,
    /// A hint that only the place of the error knows.
    pub advice: Option<String>,
}

/// An error of this crate: [`Failure`] behind one pointer.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{}", Line(.0))]
pub struct Error(Box<Failure>);

impl Deref for Error {
    type Target = Failure;

    fn deref(&self) -> &Failure {
        &self.0
    }
}

/// Codes that mean: what was asked for does not exist.
const NOT_FOUND: [&str; 4] = [
    "ResourceNotFound",
    "ParentResourceNotFound",
    "ResourceGroupNotFound",
    "SubscriptionNotFound",
];
/// The code of a subscription that never used the resource provider; it has no rows.
const NOT_REGISTERED: &str = "MissingSubscriptionRegistration";

impl Error {
    /// An error without a call.
    pub fn of(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self(Box::new(Failure {
            kind,
            operation_id: String::new(),
            scope: String::new(),
            method: "",
            url: String::new(),
            page: 0,
            status: None,
            code: None,
            message: message.into(),
            target: None,
            details: Vec::new(),
            recommended_action: None,
            client_request_id: None,
            request_id: None,
            correlation_id: None,
            attempts: 0,
            waited: Duration::ZERO,
            retry_after: None,
            time_left: None,
            item: None,
            path: None,
            advice: None,
        }))
    }

    /// Adds the hint.
    pub(crate) fn advise(mut self, advice: impl Into<String>) -> Self {
        self.0.advice = Some(advice.into());
        self
    }

    /// The error of the second credential, which must not be taken for one of the first.
    pub(crate) fn of_auxiliary(mut self) -> Self {
        if self.0.kind != ErrorKind::Deadline {
            self.0.message = format!("the auxiliary credential: {}", self.0.message);
        }
        self
    }

    /// Takes over what an error body says.
    pub(crate) fn with_fault(mut self, fault: Fault) -> Self {
        self.0.code = fault.code;
        self.0.message = fault.message;
        self.0.target = fault.target;
        self.0.details = fault.details;
        self.0.recommended_action = fault.recommended_action;
        self
    }

    /// The data, to be completed.
    pub(crate) fn edit(&mut self) -> &mut Failure {
        &mut self.0
    }

    /// Whether the answer says that what was asked for does not exist, so that a read has no rows: 404 with one of Resource
    /// Manager's codes or of `codes` (the service's own), or 409 of a subscription that never registered the provider.
    pub fn is_not_found<S: AsRef<str>>(&self, codes: &[S]) -> bool {
        let Some(code) = self.code.as_deref() else {
            return false;
        };
        let own = || {
            codes
                .iter()
                .any(|own| own.as_ref().eq_ignore_ascii_case(code))
        };
        match (self.kind, self.status) {
            (ErrorKind::Status, Some(404)) => {
                NOT_FOUND
                    .iter()
                    .any(|known| known.eq_ignore_ascii_case(code))
                    || own()
            }
            (ErrorKind::Status, Some(409)) => code.eq_ignore_ascii_case(NOT_REGISTERED),
            _ => false,
        }
    }

    /// Whether the service says that the credential may not do this.
    pub fn is_forbidden(&self) -> bool {
        self.kind == ErrorKind::Status && self.status == Some(403)
    }

    /// Whether the cause lies on this side: the configuration or the call, not the network or the service.
    pub fn is_ours(&self) -> bool {
        self.kind == ErrorKind::Config
    }

    /// The error as a JSON object, in the form of Resource Manager's: `code`, `message`, `target`, `details`, `recommendedAction`,
    /// `status`, `clientRequestId`, `requestId`, `correlationId`. What is not known is left out.
    pub fn report(&self) -> Value {
        let mut report = Map::new();
        let mut put = |name: &str, value: Option<Value>| {
            if let Some(value) = value {
                report.insert(name.to_owned(), value);
            }
        };
        let text = |text: &Option<String>| text.clone().map(Value::from);
        put("code", text(&self.code));
        let message = match self.message.is_empty() {
            true => reason(self.status).to_owned(),
            false => self.message.clone(),
        };
        put("message", Some(message.into()));
        put("target", text(&self.target));
        let details: Vec<Value> = self.details.iter().map(detail).collect();
        put("details", (!details.is_empty()).then(|| details.into()));
        put("recommendedAction", text(&self.recommended_action));
        put("status", self.status.map(Value::from));
        put("clientRequestId", text(&self.client_request_id));
        put("requestId", text(&self.request_id));
        put("correlationId", text(&self.correlation_id));
        Value::Object(report)
    }

    /// What to do about it, one line without a full stop; `None` where nothing general can be said.
    pub fn hint(&self) -> Option<String> {
        if let Some(advice) = self.advice.as_ref().or(self.recommended_action.as_ref()) {
            return Some(advice.clone());
        }
        let text = match (self.kind, self.status) {
            (ErrorKind::Connect, _) => {
                "check the network, the name of the host, and the proxy in `HTTPS_PROXY` and `NO_PROXY`"
            }
            (ErrorKind::Tls, _) => {
                "if a proxy on the way signs its own certificates, name its authority in `SSL_CERT_FILE`"
            }
            (ErrorKind::Timeout, _) => {
                "the service is slow or unreachable; `SET page_timeout` gives each page more time"
            }
            (ErrorKind::Deadline, _) => {
                "`--timeout` or `SET statement_timeout` gives the statement more time"
            }
            (ErrorKind::Credential, _) => {
                "`restable auth status` shows which credential would be used, and why the others are not"
            }
            (ErrorKind::Status, Some(403)) if !matches!(self.method, "GET" | "HEAD") => {
                "the credential needs a role that may act on this scope, for example `Backup Contributor`"
            }
            (ErrorKind::Status, Some(403)) => {
                "the credential needs a role that may read this scope, for example `Backup Reader`"
            }
            (ErrorKind::Status, Some(410)) => {
                "the list changed while it was read; run the statement again"
            }
            (ErrorKind::Allowance, _) => "`SET max_calls` allows a statement more",
            (ErrorKind::Throttled, _) => "run it again later, or with a smaller `max_concurrency`",
            _ => return None,
        };
        Some(text.to_owned())
    }
}

/// The one line.
struct Line<'a>(&'a Failure);

impl fmt::Display for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let failure = self.0;
        if !failure.scope.is_empty() {
            write!(f, "`{}`: ", failure.scope)?;
        }
        if let Some(status) = failure.status {
            write!(f, "{status} ")?;
        }
        match (&failure.code, failure.message.is_empty()) {
            (Some(code), true) => write!(f, "{code}")?,
            (Some(code), false) => write!(f, "{code}: {}", failure.message.trim_end_matches('.'))?,
            (None, true) => write!(f, "{}", reason(failure.status))?,
            (None, false) => write!(f, "{}", failure.message.trim_end_matches('.'))?,
        }
        if failure.page > 1 {
            write!(f, ", on page {}", failure.page)?;
        }
        if failure.attempts > 1 {
            write!(f, ", after {} attempts", failure.attempts)?;
        }
        Ok(())
    }
}

fn detail(detail: &Detail) -> Value {
    let mut object = Map::new();
    if let Some(code) = &detail.code {
        object.insert("code".to_owned(), code.clone().into());
    }
    object.insert("message".to_owned(), detail.message.clone().into());
    if let Some(target) = &detail.target {
        object.insert("target".to_owned(), target.clone().into());
    }
    Value::Object(object)
}

fn reason(status: Option<u16>) -> &'static str {
    status
        .and_then(|status| http::StatusCode::from_u16(status).ok())
        .and_then(|status| status.canonical_reason())
        .unwrap_or("no reason given")
}

/// What is wrong with the journal of actions, or with what is asked of it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JournalError {
    /// The file or its directory cannot be used.
    #[error("the journal `{path}` cannot be used: {problem}")]
    Place {
        /// The file.
        path: String,
        /// Why not.
        problem: String,
    },
    /// A later program wrote the file.
    #[error("the journal `{path}` has version {found}, and this program knows version {known}")]
    Version {
        /// The file.
        path: String,
        /// The version that it has.
        found: i64,
        /// The version that is known.
        known: i64,
    },
    /// The database reports a failure: a full disk, a file that cannot be written or is broken.
    #[error("the journal cannot be read or written: {reason}")]
    Database {
        /// What it reports.
        reason: String,
    },
    /// The journal is closed, or a failure of another action ended its transaction.
    #[error("the journal cannot be written")]
    Closed,
    /// Another process, or another session of this one, goes on with the statement.
    #[error("statement `{statement}` is running")]
    Running {
        /// Its id.
        statement: String,
    },
    /// There is no such entry.
    #[error("the journal has no entry `{reference}`")]
    Absent {
        /// What was asked for.
        reference: String,
    },
    /// The entry was made under another identity.
    #[error("the entry is bound to the {field} `{recorded}`, and this is `{present}`")]
    Bound {
        /// What differs.
        field: &'static str,
        /// What the entry says.
        recorded: String,
        /// What is now.
        present: String,
    },
    /// The entry is not in a state that allows it.
    #[error("entry {number} is `{state}`, not {wanted}")]
    State {
        /// Its number.
        number: i64,
        /// How far it is.
        state: &'static str,
        /// What it would have to be.
        wanted: &'static str,
    },
    /// The call needs a secret that the journal does not hold.
    #[error("entry {number} cannot be sent from the journal, which does not hold {what}")]
    Withheld {
        /// Its number.
        number: i64,
        /// What is missing.
        what: String,
    },
    /// The handle of the operation cannot be read.
    #[error("the operation of entry {number} cannot be followed: {reason}")]
    Handle {
        /// Its number.
        number: i64,
        /// Why not.
        reason: String,
    },
}

impl JournalError {
    /// What to do about it, one line without a full stop.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            JournalError::Place { .. }
            | JournalError::Version { .. }
            | JournalError::Database { .. }
            | JournalError::Closed => Some(
                "no action is sent without its journal; the setting `journal` names another file",
            ),
            JournalError::Running { .. } => {
                Some("wait until it has ended, or end its process; then it can be resumed")
            }
            JournalError::Bound { .. } => {
                Some("use the endpoint and the credential that the statement was run with")
            }
            JournalError::Withheld { .. } => Some("run the statement again for this target"),
            JournalError::Absent { .. }
            | JournalError::State { .. }
            | JournalError::Handle { .. } => None,
        }
    }
}

impl From<rusqlite::Error> for JournalError {
    fn from(error: rusqlite::Error) -> Self {
        JournalError::Database {
            reason: error.to_string(),
        }
    }
}

/// A text that is no handle of this program.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HandleError {
    /// It is not of the fixed form.
    #[error("it is no handle of an operation: {0}")]
    Malformed(String),
    /// A later program wrote it.
    #[error("it has form {found}, and this program knows form {known}")]
    Form {
        /// The form that it names.
        found: u64,
        /// The form that is known.
        known: u32,
    },
}
