//! What is wrong with a body, in data and in words. Values of secret attributes are never in it.

use std::fmt;

use crate::error::{DidYouMean, Shown, names};

/// Something in a body that contradicts the document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BodyProblem {
    /// `resource.method`.
    pub method: String,
    /// Where it is: `backupRuleOptions.ruleName`, `policyRules[0].name`; empty for the body itself.
    pub place: String,
    /// What is wrong there.
    pub fault: BodyFault,
    /// Whether the body may be sent.
    pub severity: Severity,
    /// The document's words on the attribute.
    pub note: Option<String>,
}

/// Whether a body may be sent although something is wrong with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// It may; a person should know.
    Warning,
    /// It may not.
    Error,
}

/// What is wrong at a place of a body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BodyFault {
    /// The body is no JSON.
    NotJson(String),
    /// It must be there and is not.
    Missing {
        /// The values that it may have, where they are few and known.
        possible: Vec<String>,
    },
    /// It is JSON null, and nothing says that it may be.
    Null,
    /// It has another type.
    WrongType {
        /// `an object`, `an integer or text`, …
        expected: String,
        /// `text`, `an array`, …
        found: &'static str,
    },
    /// There is no such attribute.
    Unknown {
        /// What was probably meant.
        nearest: Option<String>,
        /// The discriminator, and a value of it with which there is such an attribute.
        subtype: Option<(String, String)>,
    },
    /// The document spells it in other cases; services of Azure do not mind.
    Spelling(String),
    /// It does not name a known subtype.
    Subtype {
        /// The value found.
        found: String,
        /// The values of the document.
        possible: Vec<String>,
        /// What was probably meant.
        nearest: Option<String>,
    },
    /// Only the service gives a value to it; what is sent is ignored.
    ReadOnly,
    /// Its value is not among those of the document. Services add values, so that this is an error only where the
    /// document says that no other value will ever be.
    NotListed {
        /// The value found; `None` if it may be a secret.
        found: Option<String>,
        /// The values of the document.
        allowed: Vec<String>,
        /// What was probably meant.
        nearest: Option<String>,
    },
    /// It does not have the form that the document gives.
    Malformed {
        /// The value found; `None` if it may be a secret.
        found: Option<String>,
        /// The form: `a UUID`, a pattern, …
        expected: String,
    },
}

impl BodyProblem {
    /// What a user can do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match &self.fault {
            BodyFault::Missing { possible } if !possible.is_empty() => {
                Some(format!("`{}` is {}", self.place, either(possible)))
            }
            BodyFault::Subtype { possible, .. } if !possible.is_empty() => {
                Some(format!("`{}` is {}", self.place, either(possible)))
            }
            BodyFault::NotListed { allowed, .. } => {
                Some(format!("known values are {}", names(allowed)))
            }
            BodyFault::Unknown {
                subtype: Some((discriminator, value)),
                ..
            } => Some(format!(
                "it is an attribute where `{discriminator}` is '{value}'"
            )),
            BodyFault::Unknown { nearest: None, .. } => {
                Some(format!("`SHOW EXEC {}` lists the attributes", self.method))
            }
            _ => None,
        }
    }

    /// True if the body may not be sent.
    #[must_use]
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }
}

fn either(values: &[String]) -> String {
    let quoted: Vec<String> = values.iter().map(|value| format!("'{value}'")).collect();
    match quoted.split_last() {
        None => String::new(),
        Some((last, [])) => last.clone(),
        Some((last, rest)) => format!("{} or {last}", rest.join(", ")),
    }
}

impl std::error::Error for BodyProblem {}

impl fmt::Display for BodyProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { method, place, .. } = self;
        let subject = Subject(method, place);
        match &self.fault {
            BodyFault::NotJson(problem) => write!(f, "{subject} is no JSON: {problem}"),
            BodyFault::Missing { .. } => write!(f, "`{method}` needs `{place}`"),
            BodyFault::Null => write!(f, "{subject} is null, which the document does not allow"),
            BodyFault::WrongType { expected, found } => {
                write!(f, "{subject} is {expected}, not {found}")
            }
            BodyFault::Unknown { nearest, .. } => write!(
                f,
                "the body of `{method}` has no attribute `{place}`{}",
                DidYouMean(nearest)
            ),
            BodyFault::Spelling(spelled) => {
                write!(f, "{subject} is spelt `{spelled}` in the document")
            }
            BodyFault::Subtype { found, nearest, .. } => {
                write!(
                    f,
                    "{subject} cannot be {}{}",
                    Shown(found),
                    DidYouMean(nearest)
                )
            }
            BodyFault::ReadOnly => {
                write!(
                    f,
                    "{subject} is read-only: the service ignores what is sent"
                )
            }
            BodyFault::NotListed { found, nearest, .. } => {
                write!(f, "{subject} has ")?;
                match found {
                    Some(found) => write!(f, "the value {}, which", Shown(found))?,
                    None => f.write_str("a value that")?,
                }
                write!(f, " the document does not know{}", DidYouMean(nearest))
            }
            BodyFault::Malformed { found, expected } => {
                write!(f, "{subject} must be {expected}")?;
                match found {
                    Some(found) => write!(f, ", which {} is not", Shown(found)),
                    None => Ok(()),
                }
            }
        }
    }
}

struct Subject<'a>(&'a str, &'a str);

impl fmt::Display for Subject<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.1.is_empty() {
            write!(f, "the body of `{}`", self.0)
        } else {
            write!(f, "`{}`", self.1)
        }
    }
}
