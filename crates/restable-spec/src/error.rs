//! Every error of the crate: what could not be read, what a document gets wrong, which call cannot be made.
//! Values of users are shown cut and escaped, so that a message never carries a control character.

mod acting;
mod body;

use std::fmt;

use crate::method::AUXILIARY_HEADER;

pub use acting::{IdConflict, IdError, MethodError};
pub use body::BodyError;

/// A source could not give the text of a document.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SourceError {
    /// There is no such document.
    #[error("there is no such file")]
    Absent,
    /// The document is there, but is not UTF-8 text.
    #[error("not UTF-8 text")]
    NotText,
    /// The name would leave the tree of the source.
    #[error("the name leaves the tree of documents")]
    Outside,
    /// The operating system refused.
    #[error("{0}")]
    Io(String),
}

/// A provider document could not be read, or is wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The text of a document could not be had.
    #[error("cannot read `{file}`: {cause}")]
    Source {
        /// Path of the document in its source.
        file: String,
        /// Why.
        cause: SourceError,
    },
    /// The text is no YAML, or a value has another type than the format says.
    #[error("`{file}`{}{}: {problem}", Line(*.line, *.column), At(.place))]
    Syntax {
        /// Path of the document in its source.
        file: String,
        /// Line, counted from 1, when the reader knows it.
        line: Option<usize>,
        /// Column, counted from 1.
        column: Option<usize>,
        /// Keys that lead to the place, joined by dots; empty at the root.
        place: String,
        /// What the YAML reader says.
        problem: String,
    },
    /// The document says something that cannot be.
    #[error("`{file}`{}: {problem}", At(.place))]
    Document {
        /// Path of the document in its source.
        file: String,
        /// Keys that lead to the place, joined by dots; empty at the root.
        place: String,
        /// What is wrong there.
        problem: Problem,
    },
}

struct Line(Option<usize>, Option<usize>);

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.0, self.1) {
            (Some(line), Some(column)) => write!(f, " line {line}, column {column}"),
            _ => Ok(()),
        }
    }
}

struct At<'a>(&'a str);

impl fmt::Display for At<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            Ok(())
        } else {
            write!(f, ", at `{}`", self.0)
        }
    }
}

/// What a document gets wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// The file holds nothing.
    #[error("the document is empty")]
    Empty,
    /// A tree without any provider.
    #[error("there is no `<provider>/<version>/provider.yaml` in it")]
    NoProvider,
    /// A key that must be there is not.
    #[error("`{0}` is missing")]
    Missing(&'static str),
    /// A `$ref` that leads nowhere.
    #[error("`{0}` refers to nothing in this document")]
    Unresolved(String),
    /// A `$ref` chain that comes back to itself.
    #[error("`{0}` refers to itself")]
    Cycle(String),
    /// A parent that is not in the document.
    #[error("there is no resource `{0}`")]
    NoSuchResource(String),
    /// A parameter that the resource does not have.
    #[error("there is no parameter `{0}`")]
    NoSuchParameter(String),
    /// A path that is no path template.
    #[error("`{template}` is no path template: {why}")]
    PathTemplate {
        /// The path as the document has it.
        template: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// Two names that cannot be told apart.
    #[error("`{0}` and `{1}` are the same name")]
    SameName(String, String),
    /// Keys of which one, and one only, must be there.
    #[error("one of {0} must be there, and one only")]
    NotOneOf(&'static str),
    /// A blocker that a preview could not test.
    #[error("no GET with the parameters in the path of the call can tell this blocker")]
    NoReader,
    /// A value that the format does not know.
    #[error("`{value}` is none of {allowed}")]
    Unknown {
        /// The value found.
        value: String,
        /// What may stand there.
        allowed: &'static str,
    },
}

/// No method of a table can serve a SELECT with what is bound.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RouteError {
    /// `provider.service.resource`.
    pub resource: String,
    /// The methods that could read it, in the order of the document, with what each lacks.
    pub candidates: Vec<Unavailable>,
}

/// A method that cannot be chosen, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unavailable {
    /// Key of the method.
    pub method: String,
    /// Parameters that must be bound by name, since nothing enumerates them.
    pub missing: Vec<String>,
    /// Why its answers cannot be read at all, whatever is bound.
    pub unreadable: Option<String>,
}

impl RouteError {
    /// The shortest list of parameters which, once bound, makes a SELECT possible.
    #[must_use]
    pub fn needed(&self) -> &[String] {
        self.candidates
            .iter()
            .filter(|candidate| candidate.unreadable.is_none())
            .map(|candidate| candidate.missing.as_slice())
            .min_by_key(|missing| missing.len())
            .unwrap_or_default()
    }
}

impl std::error::Error for RouteError {}

impl fmt::Display for RouteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.candidates.is_empty() {
            return write!(f, "`{}` has no method that reads rows", self.resource);
        }
        let readable = self
            .candidates
            .iter()
            .filter(|candidate| candidate.unreadable.is_none())
            .count();
        if readable == 0 {
            write!(f, "`{}` cannot be read", self.resource)?;
        } else {
            write!(f, "`{}` needs {}", self.resource, names(self.needed()))?;
            if readable == 1 && self.candidates.len() == 1 {
                return write!(f, " (for `{}`)", self.candidates[0].method);
            }
        }
        for (at, candidate) in self.candidates.iter().enumerate() {
            f.write_str(if at == 0 { ": " } else { "; " })?;
            match &candidate.unreadable {
                Some(why) => write!(f, "`{}` is not readable, {why}", candidate.method)?,
                None => write!(
                    f,
                    "`{}` takes {}",
                    candidate.method,
                    names(&candidate.missing)
                )?,
            }
        }
        Ok(())
    }
}

pub(crate) fn names(list: &[String]) -> String {
    let quoted: Vec<String> = list.iter().map(|name| format!("`{name}`")).collect();
    match quoted.split_last() {
        None => String::from("nothing more"),
        Some((last, [])) => last.clone(),
        Some((last, rest)) => format!("{} and {last}", rest.join(", ")),
    }
}

/// The second credential of a call is written as a value. Its value is not looked at.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is a credential, no value{}", AUXILIARY_HEADER, Instead(self))]
pub struct CredentialNamed {
    /// `resource.method`.
    pub method: String,
    /// Name of the provider.
    pub provider: String,
    /// Whether the method takes one.
    pub taken: bool,
}

struct Instead<'a>(&'a CredentialNamed);

impl fmt::Display for Instead<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let CredentialNamed {
            method,
            provider,
            taken,
        } = self.0;
        if *taken {
            write!(f, ": `--auth {provider}.auxiliary=…` gives it")
        } else {
            write!(f, ", and `{method}` takes none")
        }
    }
}

/// A call cannot be made of these arguments. Nothing has been sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BindError {
    /// Required parameters have no value.
    #[error("`{method}` needs {}", names(.parameters))]
    Missing {
        /// `resource.method`.
        method: String,
        /// The parameters without a value.
        parameters: Vec<String>,
    },
    /// The method has no such parameter.
    #[error("`{method}` has no parameter `{parameter}`{}", DidYouMean(.nearest))]
    UnknownParameter {
        /// `resource.method`.
        method: String,
        /// The name as given.
        parameter: String,
        /// What was probably meant.
        nearest: Option<String>,
    },
    /// A credential is given as a value.
    #[error(transparent)]
    Credential(#[from] CredentialNamed),
    /// One parameter was given twice.
    #[error("`{parameter}` is given twice")]
    Twice {
        /// The name as the document spells it.
        parameter: String,
    },
    /// The value of a parameter cannot be sent.
    #[error("`{parameter}` cannot be {}: {problem}", Refused(.value))]
    Value {
        /// The name as the document spells it.
        parameter: String,
        /// The value as given; empty for headers, whose values may be secrets.
        value: String,
        /// What is wrong with it.
        problem: ValueProblem,
    },
    /// The request would have a form that this program does not make.
    #[error("`{method}` cannot be called, {why}")]
    Unsendable {
        /// `resource.method`.
        method: String,
        /// What is in the way.
        why: String,
    },
    /// The method takes no body.
    #[error("`{method}` takes no body")]
    BodyNotTaken {
        /// `resource.method`.
        method: String,
    },
    /// The method cannot do without a body.
    #[error("`{method}` needs a body")]
    BodyMissing {
        /// `resource.method`.
        method: String,
    },
    /// The body is no JSON.
    #[error("the body of `{method}` is no JSON: {problem}")]
    BodyNotJson {
        /// `resource.method`.
        method: String,
        /// What the JSON reader says.
        problem: String,
    },
}

impl BindError {
    /// The parameter that is at fault, if one is.
    #[must_use]
    pub fn parameter(&self) -> Option<&str> {
        match self {
            Self::UnknownParameter { parameter, .. }
            | Self::Twice { parameter }
            | Self::Value { parameter, .. } => Some(parameter),
            Self::Missing { parameters, .. } => parameters.first().map(String::as_str),
            Self::Credential(_) => Some(AUXILIARY_HEADER),
            Self::Unsendable { .. }
            | Self::BodyNotTaken { .. }
            | Self::BodyMissing { .. }
            | Self::BodyNotJson { .. } => None,
        }
    }
}

/// Why a value is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ValueProblem {
    /// Nothing at all.
    #[error("it is empty")]
    Empty,
    /// Only white space.
    #[error("it is blank")]
    Blank,
    /// Longer than any name that a service knows.
    #[error("it has {0} bytes, more than any name")]
    TooLong(usize),
    /// Longer than the document allows.
    #[error("it has more than {0} characters")]
    LongerThan(usize),
    /// Not of the form that the document gives.
    #[error("it does not match `{0}`")]
    Pattern(String),
    /// `.` or `..`, possibly percent-encoded.
    #[error("`.` and `..` leave their place in the path")]
    DotSegment,
    /// A character that ends or leaves a path segment.
    #[error("a name in a path has no {0}")]
    Character(&'static str),
    /// A character that ends or leaves a path segment, hidden by percent encoding.
    #[error("a name in a path has no percent-encoded {0}")]
    EncodedCharacter(&'static str),
    /// A control character.
    #[error("it has a control character")]
    Control,
    /// The parameter's format is `uuid`.
    #[error("it is no UUID")]
    NotUuid,
    /// The parameter's type is another one.
    #[error("it is no {0}")]
    NotA(&'static str),
    /// An ARM id with an empty part.
    #[error("it has an empty part between two slashes")]
    EmptySegment,
    /// No host name can hold it.
    #[error("only letters, digits, `-`, `_` and `.` may stand in a host name")]
    NotInHost,
    /// The encoded path has another shape than the template.
    #[error("it changes the shape of the path")]
    Shape,
}

pub(crate) struct DidYouMean<'a>(pub &'a Option<String>);

impl fmt::Display for DidYouMean<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(name) => write!(f, ", did you mean `{name}`"),
            None => Ok(()),
        }
    }
}

struct Refused<'a>(&'a str);

impl fmt::Display for Refused<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            f.write_str("sent")
        } else {
            Shown(self.0).fmt(f)
        }
    }
}

/// Shows a value of a user: at most 60 characters, control characters escaped.
pub(crate) struct Shown<'a>(pub &'a str);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut characters = self.0.chars();
        f.write_str("`")?;
        for character in characters.by_ref().take(60) {
            write!(f, "{}", character.escape_debug())?;
        }
        f.write_str(if characters.next().is_some() {
            "…`"
        } else {
            "`"
        })
    }
}
