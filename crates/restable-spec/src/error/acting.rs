//! Why a statement that changes something has no call: ids of another form, verbs without a method, paths that lack a name.

use std::fmt;

use super::{Shown, Unavailable, names};
use crate::method::Verb;

/// Parameters cannot be had from an id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    /// The id has another form than the path.
    #[error("{} is not of the form `{form}`: {why}", Shown(.id))]
    Form {
        /// The id as given.
        id: String,
        /// The form that it should have.
        form: String,
        /// Where it differs.
        why: String,
    },
    /// No part of the path is an id.
    #[error("the path of `{method}` holds no id")]
    None {
        /// `resource.method`.
        method: String,
    },
}

/// An id and a parameter that is written beside it do not agree.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{parameter}` is {} by the id, but {} is written", Shown(.in_id), Shown(.written))]
pub struct IdConflict {
    /// The parameter as the document spells it.
    pub parameter: String,
    /// Its value in the id.
    pub in_id: String,
    /// Its value as written.
    pub written: String,
}

/// No method of a resource serves a verb with what is given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MethodError {
    /// The document has no method for it.
    None {
        /// Name of the resource.
        resource: String,
        /// The verb.
        verb: Verb,
        /// The verbs, of those that change something, that it has methods for.
        others: Vec<Verb>,
    },
    /// Each method lacks a parameter of its path.
    Missing {
        /// Name of the resource.
        resource: String,
        /// The verb.
        verb: Verb,
        /// The methods, with what each lacks.
        candidates: Vec<Unavailable>,
    },
}

impl MethodError {
    /// The shortest list of parameters which, once given, makes the statement possible.
    #[must_use]
    pub fn needed(&self) -> &[String] {
        match self {
            Self::None { .. } => &[],
            Self::Missing { candidates, .. } => candidates
                .iter()
                .map(|candidate| candidate.missing.as_slice())
                .min_by_key(|missing| missing.len())
                .unwrap_or_default(),
        }
    }

    /// What a user can do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::None { others, .. } if others.is_empty() => None,
            Self::None { others, .. } => {
                let verbs: Vec<&str> = others.iter().map(|verb| verb.as_str()).collect();
                Some(format!(
                    "it takes {}; `SHOW METHODS` lists the rest",
                    verbs.join(", ")
                ))
            }
            Self::Missing { verb, .. } => Some(match verb {
                Verb::Update | Verb::Delete => {
                    format!("a predicate on {} says which", names(self.needed()))
                }
                _ => format!("give {} beside the attributes", names(self.needed())),
            }),
        }
    }
}

impl std::error::Error for MethodError {}

impl fmt::Display for MethodError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None { resource, verb, .. } => {
                write!(f, "`{resource}` has no method for {verb}")
            }
            Self::Missing {
                resource,
                verb,
                candidates,
            } => {
                write!(f, "{verb} of `{resource}` needs {}", names(self.needed()))?;
                if let [only] = candidates.as_slice() {
                    return write!(f, " (for `{}`)", only.method);
                }
                for (at, candidate) in candidates.iter().enumerate() {
                    let missing = names(&candidate.missing);
                    f.write_str(if at == 0 { ": " } else { "; " })?;
                    write!(f, "`{}` takes {missing}", candidate.method)?;
                }
                Ok(())
            }
        }
    }
}
