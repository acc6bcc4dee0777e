//! Methods of resources: which request each one is, what it takes and what it answers.
//! Plain data; how a request is made of it stands in `bind`, which method serves a SELECT in `route`.

use std::fmt;

use crate::blockers::{Blocker, FieldValues};
use crate::evidence::Evidence;
use crate::path::PathTemplate;
use crate::schema::{Schema, Schemas};

/// The header of a second credential: the token of another tenant, whose resource a call touches as well. It is no
/// parameter of a method, in no document; [`Method::auxiliary`] says which methods take it.
pub const AUXILIARY_HEADER: &str = "x-ms-authorization-auxiliary";

/// One operation of a service.
#[derive(Debug, Clone, PartialEq)]
pub struct Method {
    /// The resource that it belongs to, as the document spells it.
    pub resource: String,
    /// The name in the document: `adhoc_backup`.
    pub key: String,
    /// The operation id: `BackupInstances_AdhocBackup`.
    pub operation_id: String,
    /// The HTTP method.
    pub http: HttpMethod,
    /// The path below the server's URL.
    pub path: PathTemplate,
    /// Query parameters that are part of the path key and cannot be changed. `api-version` is not among them: it is a
    /// parameter with a default.
    pub constants: Vec<(String, String)>,
    /// What it takes beside a body: path parameters in path order, then the others in document order. No two fold alike.
    pub parameters: Vec<Parameter>,
    /// It declares the header [`AUXILIARY_HEADER`]: whoever sends it adds the second credential, if there is one.
    pub auxiliary: bool,
    /// The body, if it takes one.
    pub request: Option<Request>,
    /// What it answers.
    pub response: Response,
    /// When it may be sent again.
    pub class: CallClass,
    /// It removes, stops or overwrites something that cannot simply be had back, whatever its body is.
    pub destructive: bool,
    /// It does so as well if its body has one of these; [`Method::is_destructive`] looks at both.
    pub destructive_values: Vec<FieldValues>,
    /// What to look at before it is sent. [`crate::Service::blocker_reader`] says where to look.
    pub blockers: Vec<Blocker>,
    /// It changes nothing: a GET, a HEAD, or a POST that only asks.
    pub read_only: bool,
    /// It answers before it is done.
    pub long_running: Option<LongRunning>,
    /// What shows that a call had its effect, if its answer was lost. [`crate::Service::reader_at`] says where to look.
    pub evidence: Evidence,
    /// The resource whose row shows it, if that is not the one at the path.
    pub(crate) evidence_of: Option<String>,
    /// The document's words on it.
    pub description: Option<String>,
    /// The SQL verbs that call it; only [`Verb::Exec`] if none is declared.
    pub verbs: Vec<Verb>,
    /// A server of its own, where the operation is served by another than the service.
    pub server: Option<String>,
    /// What to tell a user about certain errors of this operation.
    pub error_hints: Vec<ErrorHint>,
    /// Why its answers cannot be read as rows, if they cannot.
    pub unreadable: Option<String>,
    /// Why its requests cannot be made at all, if they cannot.
    pub unsendable: Option<String>,
}

/// An HTTP method.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names say it")]
pub enum HttpMethod {
    Get,
    Head,
    Post,
    Put,
    Patch,
    Delete,
}

impl HttpMethod {
    /// As it stands in a request.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Head => "HEAD",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
        }
    }
}

impl fmt::Display for HttpMethod {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A SQL verb.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Verb {
    Select,
    Insert,
    Update,
    Replace,
    Delete,
    Exec,
}

impl Verb {
    /// As it stands in a statement.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Select => "SELECT",
            Self::Insert => "INSERT",
            Self::Update => "UPDATE",
            Self::Replace => "REPLACE",
            Self::Delete => "DELETE",
            Self::Exec => "EXEC",
        }
    }
}

impl Verb {
    /// True for the verbs that are there to change something. EXEC may or may not.
    #[must_use]
    pub fn changes(self) -> bool {
        match self {
            Self::Insert | Self::Update | Self::Replace | Self::Delete => true,
            Self::Select | Self::Exec => false,
        }
    }
}

impl fmt::Display for Verb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// When a call may be sent again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CallClass {
    /// Changes nothing: GET, HEAD, POST that is marked read-only.
    Read,
    /// PUT and DELETE: twice is the same as once.
    IdempotentWrite,
    /// PATCH, and PUT with `If-Match`.
    Conditional,
    /// Every other POST: twice is not the same as once.
    Action,
}

/// A long-running operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct LongRunning {
    /// Where its result is, once it has ended.
    pub final_state: FinalState,
}

/// Where the result of a long-running operation is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FinalState {
    /// In the last answer of the `Azure-AsyncOperation` URL.
    AsyncOperation,
    /// At the `Location` URL.
    Location,
    /// At the URL of the request.
    OriginalUri,
    /// There is none.
    None,
}

/// The type of a column or of a parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Text.
    Text,
    /// A whole number of 64 bits.
    Integer,
    /// A floating point number.
    Number,
    /// True or false.
    Boolean,
    /// An object or array; the column is JSON text.
    Json,
}

/// A column of rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// As the document spells it.
    pub name: String,
    /// Its type.
    pub kind: Kind,
    /// The document's words on it.
    pub description: Option<String>,
}

/// Where a parameter goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Location {
    /// A part of the path.
    Path,
    /// The query string.
    Query,
    /// A request header.
    Header,
    /// A part of the server's host name.
    Server,
    /// A top-level attribute of the body. Only tables that are read by a POST have such parameters; methods do not
    /// list them, [`Method::bind`] makes the body of them.
    Body,
}

/// A named input of a method.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parameter {
    /// As the document spells it.
    pub name: String,
    /// Where it goes.
    pub location: Location,
    /// There is no call without it. One with a default need not be given.
    pub required: bool,
    /// Its type.
    pub kind: Kind,
    /// What is sent if it is required and not given.
    pub default: Option<String>,
    /// `uuid` is checked.
    pub format: Option<String>,
    /// The document's regular expression; it is checked if it is a plain row of character classes.
    pub pattern: Option<String>,
    /// The greatest number of characters.
    pub max_length: Option<usize>,
    /// A path parameter that takes several segments, such as an ARM id.
    pub spans_segments: bool,
    /// It lets through the rows of a range of times.
    pub range: Option<Box<Range>>,
    /// The document's words on it.
    pub description: Option<String>,
}

/// A range of times that a parameter confines rows to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Range {
    /// The time, a dotted path in a row.
    pub field: String,
    /// How the filter calls its beginning.
    pub from: String,
    /// How it calls its end.
    pub to: String,
}

impl Range {
    /// The filter for the rows between two times, both included.
    #[must_use]
    pub fn filter(&self, from: &str, to: &str) -> String {
        format!("{} eq '{from}' and {} eq '{to}'", self.from, self.to)
    }
}

impl Parameter {
    /// True if a call cannot be made unless this one is given.
    #[must_use]
    pub fn must_be_given(&self) -> bool {
        self.required && self.default.is_none()
    }
}

/// The body that a method takes.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    /// There is no call without it.
    pub required: bool,
    /// Its shape.
    pub schema: Schema,
    /// Usually `application/json`.
    pub media_type: String,
    /// JSON merged below the body that is built.
    pub base: Option<String>,
    /// The body sent if none is built.
    pub default: Option<String>,
    /// Attributes that must be there although the schema does not say so.
    pub demanded: Vec<String>,
    /// How SQL names of attributes become the document's.
    pub casing: Option<Casing>,
    /// How SQL tells attributes of the body from parameters.
    pub naming: BodyNaming,
}

impl Request {
    /// Top-level attributes that a body must have.
    #[must_use]
    pub fn required_attributes<'a>(&'a self, schemas: &'a Schemas) -> Vec<&'a str> {
        let effective = schemas.effective_properties(&self.schema, None);
        let writable = |name: &&str| {
            effective
                .properties
                .get(*name)
                .is_none_or(|property| !property.read_only)
        };
        let demanded = self
            .demanded
            .iter()
            .map(String::as_str)
            .filter(|name| !effective.requires(name));
        effective
            .required
            .iter()
            .copied()
            .filter(writable)
            .chain(demanded)
            .collect()
    }
}

/// Spelling of attribute names on the wire (`request.nativeCasing`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Casing {
    Snake,
    Camel,
    Pascal,
    Kebab,
}

impl Casing {
    /// A name in SQL's spelling, `recovery_point_id`, as it is on the wire. Other names stay as they are.
    pub(crate) fn spell(self, name: &str) -> String {
        let is_snake = !name.contains(|character: char| character.is_uppercase());
        let capital = |word: &str| {
            let mut rest = word.chars();
            let first = rest.next().map(|first| first.to_ascii_uppercase());
            first.into_iter().chain(rest).collect::<String>()
        };
        let words = || name.split('_');
        match self {
            _ if !is_snake || name.starts_with('_') => name.to_owned(),
            Self::Snake => name.to_owned(),
            Self::Kebab => name.replace('_', "-"),
            Self::Pascal => words().map(capital).collect(),
            Self::Camel => {
                let first = words().next().map(str::to_owned);
                first
                    .into_iter()
                    .chain(words().skip(1).map(capital))
                    .collect()
            }
        }
    }
}

/// How SQL names attributes of a body (`config.requestBodyTranslate`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BodyNaming {
    /// `data__name` only, in StackQL; here bare names work as well.
    Prefixed,
    /// Bare names.
    Bare,
    /// Bare names of attributes of this one attribute.
    BareUnder(String),
}

/// What a method answers.
#[derive(Debug, Clone, PartialEq)]
pub struct Response {
    /// Where the rows are in the body.
    pub items: Items,
    /// The key of the URL of the next page in the body.
    pub next_link: Option<String>,
    /// The attributes of `properties` are rows' columns: each key of `properties` is copied to the row, and the row's
    /// own keys win.
    pub flatten: bool,
    /// The rows are no objects: each becomes `{"value": row}`.
    pub scalar_rows: bool,
    /// Name of the schema of a row, if it has one.
    pub row_schema: Option<String>,
    /// Shape of the whole body before any transformation; `None` if the document describes none.
    pub schema: Option<Schema>,
    /// The columns of a row.
    pub fields: Vec<Field>,
    /// The success statuses that the document declares.
    pub statuses: Vec<u16>,
}

/// Where the rows are in a body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Items {
    /// The body is one row.
    One,
    /// The body is an object, and its rows are in the array under this key.
    At(String),
    /// The body is an array of rows.
    Array,
}

/// What to tell a user about an error of a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErrorHint {
    /// The error's code; any code if absent.
    pub code: Option<String>,
    /// A part of the error's message, without regard to case; any message if absent.
    pub message_contains: Option<String>,
    /// The sentence to show.
    pub hint: String,
}

impl ErrorHint {
    /// True if it is for an error of this code and message.
    #[must_use]
    pub fn fits(&self, code: &str, message: &str) -> bool {
        let code_fits = self
            .code
            .as_deref()
            .is_none_or(|wanted| wanted.eq_ignore_ascii_case(code));
        let part = self.message_contains.as_deref().map(str::to_lowercase);
        code_fits && part.is_none_or(|part| message.to_lowercase().contains(&part))
    }
}
