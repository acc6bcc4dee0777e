//! An entry of the journal as data: its states, how it is asked for, and what is recorded about its end.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use restable_spec::{BoundCall, HttpMethod};

use super::Binding;
use super::store::Request;
use crate::error::{Error, HandleError};
use crate::operation::Handle;

/// How far an action is. The words are those of the column `status`, but for the first two.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum State {
    /// It is going to be sent, and surely was not yet.
    Intended,
    /// It is on its way. When its process is gone this means [`State::Unknown`].
    Sending,
    /// The service took it, and an operation runs.
    Accepted,
    /// It succeeded.
    Succeeded,
    /// It was refused, or its operation failed.
    Failed,
    /// Its operation was canceled.
    Canceled,
    /// There was nothing to delete.
    Absent,
    /// It may have been received, and the answer is not known.
    Unknown,
    /// It surely was not received.
    NotSent,
    /// It was decided not to send it.
    Skipped,
}

impl State {
    const ALL: [State; 10] = [
        State::Intended,
        State::Sending,
        State::Accepted,
        State::Succeeded,
        State::Failed,
        State::Canceled,
        State::Absent,
        State::Unknown,
        State::NotSent,
        State::Skipped,
    ];

    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            State::Intended => "Intended",
            State::Sending => "Sending",
            State::Accepted => "Accepted",
            State::Succeeded => "Succeeded",
            State::Failed => "Failed",
            State::Canceled => "Canceled",
            State::Absent => "Absent",
            State::Unknown => "Unknown",
            State::NotSent => "NotSent",
            State::Skipped => "Skipped",
        }
    }

    /// The state of this word, in any capitals.
    pub fn of(word: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|state| state.as_str().eq_ignore_ascii_case(word))
    }

    /// Whether nothing can change it any more.
    pub fn has_ended(self) -> bool {
        match self {
            State::Succeeded | State::Failed | State::Canceled | State::Absent | State::Skipped => {
                true
            }
            State::Intended
            | State::Sending
            | State::Accepted
            | State::Unknown
            | State::NotSent => false,
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One action, as the journal knows it.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Its number.
    pub number: i64,
    /// The id of its statement.
    pub statement: String,
    /// Under which identity it was made.
    pub binding: Binding,
    /// What it was about, for people.
    pub scope: String,
    /// The document's operation id.
    pub method_id: String,
    /// The HTTP method.
    pub http: HttpMethod,
    /// Path and query, without secrets.
    pub url: String,
    /// The body, without secret attributes.
    pub body: Option<String>,
    /// The hash of the body as it was to be sent.
    pub body_hash: Option<String>,
    /// Our id of the request.
    pub client_request_id: String,
    /// How far it is.
    pub state: State,
    /// The service's id of the operation.
    pub operation_id: Option<String>,
    /// The service's code of the error.
    pub error_code: Option<String>,
    /// The text of the error.
    pub error_message: Option<String>,
    /// The error as JSON.
    pub error: Option<String>,
    /// The result as JSON.
    pub result: Option<String>,
    /// When it was intended.
    pub created: SystemTime,
    /// When it was last on its way.
    pub sent: Option<SystemTime>,
    /// When anything was last recorded of it.
    pub updated: SystemTime,
    /// The name of the client that asked for it, if it had to show who it is.
    pub asked_by: Option<String>,
    pub(super) request: Request,
    pub(super) handle: Option<String>,
}

impl Entry {
    /// Its call, without the body and without secrets: what it is about, for the questions that tell what became of it.
    pub fn call(&self) -> Option<BoundCall> {
        self.request.call().map(|(call, ..)| call)
    }

    /// What its operation is followed by; `None` if it started none.
    ///
    /// # Errors
    /// The handle was written by a later program, or was changed.
    pub fn handle(&self) -> Result<Option<Handle>, HandleError> {
        self.handle.as_deref().map(Handle::of_text).transpose()
    }
}

/// Which entries are asked for. What is empty lets everything through.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// With one of these numbers.
    pub numbers: Vec<i64>,
    /// With this operation id of the service.
    pub operation_id: Option<String>,
    /// Of this statement.
    pub statement: Option<String>,
    /// In one of these states.
    pub states: Vec<State>,
    /// The last so many.
    pub last: Option<usize>,
}

impl Filter {
    /// The entry with this number.
    pub fn number(number: i64) -> Self {
        Self {
            numbers: vec![number],
            ..Self::default()
        }
    }

    /// The entries with this operation id.
    pub fn operation(id: &str) -> Self {
        Self {
            operation_id: Some(id.to_owned()),
            ..Self::default()
        }
    }

    /// The entries of this statement.
    pub fn statement(id: &str) -> Self {
        Self {
            statement: Some(id.to_owned()),
            ..Self::default()
        }
    }
}

/// What is recorded of an action.
#[derive(Debug, Clone)]
pub struct Settlement {
    /// How far it is now.
    pub state: State,
    /// The service's code of the error.
    pub error_code: Option<String>,
    /// The text of the error.
    pub error_message: Option<String>,
    /// The error as JSON.
    pub error: Option<String>,
    /// The result as JSON.
    pub result: Option<String>,
}

impl Settlement {
    /// This state, and nothing else.
    pub fn of(state: State) -> Self {
        Self {
            state,
            error_code: None,
            error_message: None,
            error: None,
            result: None,
        }
    }

    /// With a text that says why.
    pub fn because(mut self, reason: impl Into<String>) -> Self {
        self.error_message = Some(reason.into());
        self
    }

    /// With this error.
    pub fn with_error(mut self, error: &Error) -> Self {
        self.error_code.clone_from(&error.code);
        self.error_message = Some(error.to_string());
        self.error = Some(error.report().to_string());
        self
    }

    /// With this result, JSON text.
    pub fn with_result(mut self, result: impl Into<String>) -> Self {
        self.result = Some(result.into());
        self
    }
}

pub(super) fn millis(time: SystemTime) -> i64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

pub(super) fn time(millis: i64) -> SystemTime {
    UNIX_EPOCH + Duration::from_millis(u64::try_from(millis).unwrap_or(0))
}
