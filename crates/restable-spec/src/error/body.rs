//! Why a body cannot be built of arguments. Each error knows which argument is at fault, so that a statement can be
//! underlined there. Values of secret attributes are never in it.

use super::{CredentialNamed, DidYouMean, Shown};

/// A body cannot be built of these arguments. Nothing has been sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// The body has no such attribute.
    #[error("the body of `{method}` has no attribute `{attribute}`{}", DidYouMean(.nearest))]
    Unknown {
        /// `resource.method`.
        method: String,
        /// The name as given.
        attribute: String,
        /// What was probably meant.
        nearest: Option<String>,
        /// The argument at fault.
        origin: usize,
    },
    /// A credential is given as an attribute.
    #[error("{named}")]
    Credential {
        /// Whose credential.
        named: CredentialNamed,
        /// The argument at fault.
        origin: usize,
    },
    /// Two arguments have one target.
    #[error("`{attribute}` is given twice")]
    Twice {
        /// The attribute as the document spells it.
        attribute: String,
        /// The first argument.
        first: usize,
        /// The argument at fault.
        origin: usize,
    },
    /// One argument is below another.
    #[error("`{whole}` is given whole, so `{attribute}` cannot be given beside it")]
    Below {
        /// The inner attribute as the document spells it.
        attribute: String,
        /// The outer attribute.
        whole: String,
        /// The argument that gives the outer one.
        first: usize,
        /// The argument at fault, which gives the inner one.
        origin: usize,
    },
    /// An attribute of something that has none.
    #[error("`{whole}` is {kind}, so it has no attribute `{attribute}`")]
    NoAttributes {
        /// The outer attribute as the document spells it.
        whole: String,
        /// What it is: `text`, `an array`, …
        kind: &'static str,
        /// The name below it, as given.
        attribute: String,
        /// The argument at fault.
        origin: usize,
    },
    /// Text for an object or an array is no JSON.
    #[error("`{attribute}` is {kind}, and {} is no JSON: {problem}", Value(.value))]
    NotJson {
        /// The attribute as the document spells it.
        attribute: String,
        /// `an object`, `an array`, …
        kind: String,
        /// The text as given; `None` if it may be a secret.
        value: Option<String>,
        /// What the JSON reader says.
        problem: String,
        /// The argument at fault.
        origin: usize,
    },
    /// A value is not of the attribute's type.
    #[error("`{attribute}` is {kind}, which {} is not", Value(.value))]
    NotA {
        /// The attribute as the document spells it.
        attribute: String,
        /// `an integer`, `a boolean`, …
        kind: String,
        /// The value as given; `None` if it may be a secret.
        value: Option<String>,
        /// The argument at fault.
        origin: usize,
    },
    /// Only the service gives a value to this attribute.
    #[error("`{attribute}` is read-only: the service gives it its value")]
    ReadOnly {
        /// The attribute as the document spells it.
        attribute: String,
        /// The argument at fault.
        origin: usize,
    },
    /// The method takes no body.
    #[error("`{method}` takes no body, so it has no attribute `{attribute}`")]
    NotTaken {
        /// `resource.method`.
        method: String,
        /// The name as given.
        attribute: String,
        /// The argument at fault.
        origin: usize,
    },
    /// The document gives a body below the one that is built, and it is no JSON.
    #[error("`request.base` of `{method}` is no JSON: {problem}")]
    Base {
        /// `resource.method`.
        method: String,
        /// What the JSON reader says.
        problem: String,
    },
}

impl BodyError {
    /// The argument at fault, by the `origin` that was given with it.
    #[must_use]
    pub fn origin(&self) -> Option<usize> {
        match self {
            Self::Unknown { origin, .. }
            | Self::Credential { origin, .. }
            | Self::Twice { origin, .. }
            | Self::Below { origin, .. }
            | Self::NoAttributes { origin, .. }
            | Self::NotJson { origin, .. }
            | Self::NotA { origin, .. }
            | Self::ReadOnly { origin, .. }
            | Self::NotTaken { origin, .. } => Some(*origin),
            Self::Base { .. } => None,
        }
    }

    /// What a user can do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Unknown { method, .. } => {
                Some(format!("`SHOW EXEC {method}` lists the attributes"))
            }
            Self::Below { whole, .. } => Some(format!(
                "give all of `{whole}` as JSON, or each of its attributes by name"
            )),
            Self::NoAttributes { whole, kind, .. } if *kind == "an array" => {
                Some(format!("give all of `{whole}` as JSON text: '[…]'"))
            }
            Self::NotJson {
                attribute, kind, ..
            } if kind == "an array" => Some(format!("write `{attribute}` as JSON text: '[…]'")),
            Self::NotJson { attribute, .. } => Some(format!(
                "write `{attribute}` as JSON text, '{{…}}', or give its attributes by name"
            )),
            Self::ReadOnly { attribute, .. } => Some(format!(
                "leave `{attribute}` out; names in the path are given as parameters"
            )),
            Self::NoAttributes { .. }
            | Self::Credential { .. }
            | Self::Twice { .. }
            | Self::NotA { .. }
            | Self::NotTaken { .. }
            | Self::Base { .. } => None,
        }
    }
}

struct Value<'a>(&'a Option<String>);

impl std::fmt::Display for Value<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            Some(value) => Shown(value).fmt(f),
            None => f.write_str("the value"),
        }
    }
}
