//! Errors of the engine. `Diagnostic`, `Route`, `Bind` and `Plan` are the user's; `Spec` is a document's; `Http` is the
//! other side's; `Internal` is ours, and the only kind that asks for a bug report.

use std::fmt;
use std::sync::Arc;

use datafusion::common::{Column, DataFusionError, SchemaError};
use restable_spec::{Registry, Resource, RouteError};
use restable_sql::Diagnostic;
use tokio::task::JoinError;

use crate::told::{first_line, mismatch, phrase, refused_value};

/// The result of what the engine does.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong in a statement. Cheap to clone: several readers of one listing get the same error.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// The statement is at fault, and we know where.
    #[error("{}", .0.message)]
    Diagnostic(Arc<Diagnostic>),
    /// No call can be made with what the statement binds.
    #[error("{message}")]
    Route {
        /// The table and what is missing.
        message: String,
        /// How to go on.
        hint: Option<String>,
    },
    /// A value cannot be sent.
    #[error(transparent)]
    Bind(Arc<restable_spec::BindError>),
    /// A provider document is at fault.
    #[error(transparent)]
    Spec(Arc<restable_spec::Error>),
    /// The provider, the network or the credentials.
    #[error("{problem}")]
    Http {
        /// What happened.
        problem: Arc<restable_http::Error>,
        /// What the document advises.
        advice: Option<String>,
    },
    /// An answer of the provider that cannot be worked with.
    #[error("{0}")]
    Answer(String),
    /// DataFusion refused the plan or could not compute a value.
    #[error("{message}")]
    Plan {
        /// What it said.
        message: String,
        /// How to go on.
        hint: Option<String>,
    },
    /// Another error, told in words that fit its place.
    #[error("{}", .diagnostic.message)]
    Told {
        /// The words.
        diagnostic: Arc<Diagnostic>,
        /// The error.
        cause: Box<Error>,
    },
    /// The statement took longer than its deadline.
    #[error("the statement was stopped after {} s, its `statement_timeout`", .0.as_secs_f64())]
    Timeout(std::time::Duration),
    /// A statement that needs consent has none. Nothing was sent.
    #[error(
        "`{action}` has {}, and was not confirmed",
        targets(*.count)
    )]
    Unconfirmed {
        /// How many targets it has.
        count: usize,
        /// What it does.
        action: String,
        /// Whether data or protection may be lost.
        destructive: bool,
        /// Whether somebody was asked.
        asked: bool,
    },
    /// The journal of actions cannot be used.
    #[error("{0}")]
    Journal(Arc<restable_http::JournalError>),
    /// The audit log cannot be written, so that nothing was sent.
    #[error("the audit log cannot be written: {0}")]
    Audit(String),
    /// A broken invariant of ours.
    #[error("{0}")]
    Internal(String),
}

fn targets(count: usize) -> String {
    match count {
        1 => "1 target".to_owned(),
        many => format!("{many} targets"),
    }
}

/// Who has to act. The exit code of a command follows from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The statement: syntax, names, values, missing parameters.
    Statement,
    /// The other side: network, credentials, HTTP errors, failed operations.
    Provider,
    /// We.
    Ours,
}

impl Error {
    /// Who has to act.
    pub fn fault(&self) -> Fault {
        match self {
            Error::Diagnostic(_)
            | Error::Route { .. }
            | Error::Bind(_)
            | Error::Plan { .. }
            | Error::Unconfirmed { .. }
            | Error::Journal(_)
            | Error::Audit(_)
            | Error::Spec(_) => Fault::Statement,
            Error::Http { .. } | Error::Answer(_) | Error::Timeout(_) => Fault::Provider,
            Error::Told { cause, .. } => cause.fault(),
            Error::Internal(_) => Fault::Ours,
        }
    }

    /// Whether the statement's time was up, wherever that was seen.
    pub fn is_out_of_time(&self) -> bool {
        match self {
            Error::Timeout(_) => true,
            Error::Http { problem, .. } => {
                matches!(problem.kind, restable_http::ErrorKind::Deadline)
            }
            Error::Told { cause, .. } => cause.is_out_of_time(),
            _ => false,
        }
    }

    /// The error as a diagnostic, for the printer at the edge.
    pub fn diagnostic(&self) -> Diagnostic {
        let plain = |code: &'static str, message: String, help: Option<String>| Diagnostic {
            code,
            message,
            span: None,
            notes: Vec::new(),
            help,
        };
        match self {
            Error::Diagnostic(diagnostic) | Error::Told { diagnostic, .. } => {
                (**diagnostic).clone()
            }
            Error::Route { message, hint } => plain("R0304", message.clone(), hint.clone()),
            Error::Bind(problem) => plain("R0305", problem.to_string(), None),
            Error::Spec(problem) => plain("R0501", problem.to_string(), None),
            Error::Http { problem, advice } => {
                let mut diagnostic = plain("R0601", problem.to_string(), advice.clone().or_else(|| problem.hint()));
                diagnostic.notes = notes(problem);
                diagnostic
            }
            Error::Plan { message, hint } => plain("R0201", message.clone(), hint.clone()),
            Error::Answer(message) => plain("R0603", message.clone(), None),
            Error::Timeout(_) => plain("R0602", self.to_string(), Some("`SET statement_timeout = …` changes it".to_owned())),
            Error::Unconfirmed { asked, destructive, .. } => {
                let mut diagnostic = plain(
                    "R0317",
                    self.to_string(),
                    (!asked).then(|| "`--yes` (or `SET confirm = never`) goes on without a question, `PREVIEW` shows what would be sent".to_owned()),
                );
                if *destructive {
                    diagnostic.notes.push("data or protection may be lost".to_owned());
                }
                diagnostic.notes.push("nothing was sent".to_owned());
                diagnostic
            }
            Error::Journal(problem) => plain(
                "R0701",
                problem.to_string(),
                problem.hint().map(str::to_owned),
            ),
            Error::Audit(_) => plain(
                "R0702",
                self.to_string(),
                Some("nothing was sent; the server's `--audit-log` names the file".to_owned()),
            ),
            Error::Internal(message) => plain(
                "R0901",
                format!("internal error: {message}"),
                Some("this is a defect of restable: report it with the statement and the output of `restable --version`".to_owned()),
            ),
        }
    }

    /// The same error, told in other words: who has to act stays the same.
    pub(crate) fn told_as(self, diagnostic: Diagnostic) -> Error {
        match self.fault() {
            Fault::Statement => diagnostic.into(),
            Fault::Provider | Fault::Ours => Error::Told {
                diagnostic: Arc::new(diagnostic),
                cause: Box::new(self),
            },
        }
    }

    /// An error of planning, with names as the user and the documents spell them.
    pub(crate) fn planned(problem: DataFusionError, names: &crate::names::Names) -> Error {
        if own(&problem).is_none()
            && let DataFusionError::SchemaError(schema, _) = problem.find_root()
        {
            return schema_error(schema, names);
        }
        Error::from(problem)
    }

    pub(crate) fn internal(message: impl Into<String>) -> Error {
        Error::Internal(message.into())
    }

    pub(crate) fn no_client(provider: &str) -> Error {
        Error::Route {
            message: format!("no endpoint or credential is set up for the provider `{provider}`"),
            hint: Some(format!(
                "`--endpoint {provider}=URL --auth {provider}=KIND` sets it up"
            )),
        }
    }

    pub(crate) fn unknown_provider(registry: &Registry, name: &str) -> Error {
        let known: Vec<String> = registry
            .providers()
            .map(|provider| provider.name.clone())
            .collect();
        Error::unknown("provider", name, &known, "SHOW PROVIDERS")
    }

    /// An unknown name with the nearest known one.
    pub(crate) fn unknown(what: &str, name: &str, known: &[String], list: &str) -> Error {
        let nearest = restable_spec::names::nearest(name, known.iter().map(String::as_str));
        let help = match nearest {
            Some(nearest) => format!("did you mean `{nearest}`? `{list}` lists what there is"),
            None => format!("`{list}` lists what there is"),
        };
        Error::Diagnostic(Arc::new(Diagnostic {
            code: "R0202",
            message: format!("there is no {what} `{name}`"),
            span: None,
            notes: Vec::new(),
            help: Some(help),
        }))
    }

    pub(crate) fn input_predicate(resource: &Resource, name: &str) -> Error {
        Error::Diagnostic(Arc::new(Diagnostic {
            code: "R0306",
            message: format!(
                "`{name}` of `{}` is an input of the call: it takes only `= <constant>`, ANDed at the top of WHERE",
                resource.name
            ),
            span: None,
            notes: Vec::new(),
            help: Some(format!("write `WHERE \"{name}\" = '…' AND …`")),
        }))
    }

    pub(crate) fn route(problem: RouteError) -> Error {
        let hint = problem
            .needed()
            .first()
            .map(|name| format!("add `WHERE {name} = '…'`, or `IN (…)` for several"));
        Error::Route {
            message: problem.to_string(),
            hint,
        }
    }
}

impl From<Diagnostic> for Error {
    fn from(diagnostic: Diagnostic) -> Error {
        Error::Diagnostic(Arc::new(diagnostic))
    }
}

impl From<restable_http::Error> for Error {
    fn from(problem: restable_http::Error) -> Error {
        Error::Http {
            problem: Arc::new(problem),
            advice: None,
        }
    }
}

impl From<restable_http::JournalError> for Error {
    fn from(problem: restable_http::JournalError) -> Error {
        Error::Journal(Arc::new(problem))
    }
}

impl From<restable_spec::Error> for Error {
    fn from(problem: restable_spec::Error) -> Error {
        Error::Spec(Arc::new(problem))
    }
}

impl From<restable_spec::BindError> for Error {
    fn from(problem: restable_spec::BindError) -> Error {
        Error::Bind(Arc::new(problem))
    }
}

impl From<arrow::error::ArrowError> for Error {
    fn from(problem: arrow::error::ArrowError) -> Error {
        Error::from(DataFusionError::from(problem))
    }
}

impl From<Error> for DataFusionError {
    fn from(error: Error) -> DataFusionError {
        DataFusionError::External(Box::new(error))
    }
}

impl From<DataFusionError> for Error {
    fn from(error: DataFusionError) -> Error {
        if let Some(own) = own(&error) {
            return own;
        }
        if let DataFusionError::Plan(message)
        | DataFusionError::Execution(message)
        | DataFusionError::NotImplemented(message) = error.find_root()
            && let Some((message, hint)) = phrase(message)
        {
            return Error::Plan { message, hint };
        }
        match error.find_root() {
            DataFusionError::SchemaError(problem, _) => {
                schema_error(problem, &crate::names::Names::default())
            }
            DataFusionError::Internal(message) => Error::Internal(first_line(message)),
            DataFusionError::NotImplemented(message)
                if ["ScalarSubquery(", "OuterReferenceColumn(", "InSubquery(", "Exists("]
                    .iter()
                    .any(|part| message.contains(part)) =>
            {
                Error::Plan {
                    message: "a subquery uses columns of the query around it where it cannot be joined to it"
                        .to_owned(),
                    hint: Some("join the tables, or group the inner one in WITH and join that".to_owned()),
                }
            }
            DataFusionError::NotImplemented(message) => Error::Plan {
                message: format!("not supported: {}", first_line(message)),
                hint: None,
            },
            DataFusionError::ResourcesExhausted(message) => Error::Plan {
                message: format!(
                    "the statement needs more memory than `memory_limit` allows, and this part of it cannot go to files: {}",
                    first_line(message).split(" with top memory consumers").next().unwrap_or_default()
                ),
                hint: Some("`SET memory_limit = '…'` raises the limit, `0` lifts it; sorting and grouping go to files, the smaller side of a join does not".to_owned()),
            },
            DataFusionError::Plan(message) if message.contains("non-boolean predicate") => Error::Plan {
                message: "a condition must be true or false, and this one is neither".to_owned(),
                hint: Some("compare it, like `x = 'a'`; text out of JSON becomes a condition by `= true`".to_owned()),
            },
            DataFusionError::Plan(message) | DataFusionError::Execution(message)
                if let Some(told) = mismatch(message) =>
            {
                Error::Plan { message: told, hint: Some("`CAST(x AS …)` makes a value of another type".to_owned()) }
            }
            DataFusionError::Plan(message) | DataFusionError::Execution(message)
                if let Some(told) = refused_value(message) =>
            {
                Error::Plan { message: told, hint: None }
            }
            DataFusionError::Plan(message) if message.contains("to be an integer or null") => {
                Error::Plan {
                    message: format!(
                        "LIMIT and OFFSET take a whole number from 0 to {}",
                        i64::MAX
                    ),
                    hint: None,
                }
            }
            DataFusionError::Plan(message) | DataFusionError::Execution(message) => Error::Plan {
                message: first_line(message),
                hint: None,
            },
            DataFusionError::ArrowError(problem, _) => Error::Plan {
                message: match problem.as_ref() {
                    arrow::error::ArrowError::DivideByZero => "division by zero".to_owned(),
                    other if let Some((told, _)) = phrase(&other.to_string()) => told,
                    other if let Some(told) = refused_value(&other.to_string()) => told,
                    other => {
                        let text = first_line(&other.to_string());
                        text.split_once(" error: ").map_or(text.clone(), |(_, text)| text.to_owned())
                    }
                },
                hint: None,
            },
            DataFusionError::Configuration(message) => Error::Plan { message: first_line(message), hint: Some("`SHOW SETTINGS` lists restable's settings; DataFusion's begin with `datafusion.`".to_owned()) },
            // A part of the plan that was computed beside the others had a fault.
            DataFusionError::ExecutionJoin(problem) => {
                Error::Internal(format!("the statement broke off: {problem}"))
            }
            DataFusionError::External(problem)
                if problem.is::<JoinError>() || problem.is::<Arc<JoinError>>() =>
            {
                Error::Internal(format!("the statement broke off: {problem}"))
            }
            root => {
                let message = root.strip_backtrace();
                match phrase(&message) {
                    Some((message, hint)) => Error::Plan { message, hint },
                    None => Error::Plan {
                        message: first_line(&message),
                        hint: None,
                    },
                }
            }
        }
    }
}

/// Our own error inside DataFusion's and Arrow's wrappings.
fn own(error: &DataFusionError) -> Option<Error> {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(current) = cause {
        if let Some(own) = current.downcast_ref::<Error>() {
            return Some(own.clone());
        }
        if let Some(DataFusionError::External(inner)) = current.downcast_ref::<DataFusionError>()
            && let Some(own) = inner.downcast_ref::<Error>()
        {
            return Some(own.clone());
        }
        if let Some(DataFusionError::Shared(inner)) = current.downcast_ref::<DataFusionError>() {
            return own(inner);
        }
        if let Some(arrow::error::ArrowError::ExternalError(inner)) =
            current.downcast_ref::<arrow::error::ArrowError>()
        {
            cause = Some(inner.as_ref());
            continue;
        }
        cause = current.source();
    }
    None
}

/// The causes that the service lists, and the ids by which its support finds the request.
fn notes(problem: &restable_http::Error) -> Vec<String> {
    let mut notes: Vec<String> = problem
        .details
        .iter()
        .map(|detail| match &detail.code {
            Some(code) => format!("{code}: {}", detail.message),
            None => detail.message.clone(),
        })
        .collect();
    if let Some(id) = problem
        .correlation_id
        .as_ref()
        .or(problem.request_id.as_ref())
    {
        notes.push(format!("correlation id {id}"));
    }
    notes
}

fn schema_error(problem: &SchemaError, names: &crate::names::Names) -> Error {
    let shown = |name: &String| {
        names
            .displays
            .get(name)
            .or_else(|| names.spelled.get(name))
            .unwrap_or(name)
            .clone()
    };
    match problem {
        SchemaError::FieldNotFound {
            field,
            valid_fields,
        } => {
            // What has a colon in it was made for the plan.
            let told = |column: &&Column| !column.name.contains(':');
            let known: Vec<String> = valid_fields
                .iter()
                .filter(told)
                .map(|column| shown(&column.name))
                .collect();
            let written = names.spelled.get(&field.name).unwrap_or(&field.name);
            let nearest = restable_spec::names::nearest(written, known.iter().map(String::as_str));
            let of = field
                .relation
                .as_ref()
                .filter(|relation| !relation.table().starts_with("__"))
                .map(|relation| format!(" in `{}`", relation.table()))
                .unwrap_or_default();
            Error::Diagnostic(Arc::new(Diagnostic {
                code: "R0203",
                message: format!("there is no column `{written}`{of}"),
                span: None,
                notes: Vec::new(),
                help: Some(match nearest {
                    Some(nearest) => format!(
                        "did you mean `{nearest}`? `DESCRIBE EXTENDED` lists the columns of a table"
                    ),
                    None => "`DESCRIBE EXTENDED` lists the columns of a table".to_owned(),
                }),
            }))
        }
        SchemaError::AmbiguousReference { field } => Error::Plan {
            message: format!(
                "the column `{}` is in more than one table",
                shown(&field.name)
            ),
            hint: Some("write the table before it, like `i.name`".to_owned()),
        },
        other => {
            let said = other.to_string();
            let (message, hint) = phrase(&said).unwrap_or_else(|| (first_line(&said), None));
            Error::Plan { message, hint }
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Fault::Statement => "the statement",
            Fault::Provider => "the provider",
            Fault::Ours => "restable",
        })
    }
}
