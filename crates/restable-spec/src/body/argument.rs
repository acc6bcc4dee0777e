//! Values that are given for attributes, and their JSON. What kind of JSON a text becomes is decided by the schema alone.
//! Refuses text for an object or array that is no JSON, and for a number or boolean that is none.

use crate::error::BodyError;
use crate::method::Kind;
use crate::schema::Schemas;

use super::Placed;
use super::json::{self, Node};
use super::place::{dotted, is_within};
use super::shape::{self, JsonKind};

/// A value for an attribute of a body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BodyValue {
    /// SQL's NULL: the attribute is left out.
    Null,
    /// JSON's null: the attribute is there, and null.
    JsonNull,
    /// Text. A string where the document says string; JSON text where it says object or array; a number or a boolean
    /// where it says so and the text is exactly one.
    Text(String),
    /// The digits of a whole number of any length.
    Integer(String),
    /// A number as JSON writes it.
    Number(String),
    /// True or false.
    Boolean(bool),
    /// A point in time, as ISO 8601 text.
    Timestamp(String),
    /// JSON text.
    Json(String),
}

macro_rules! from_whole_number {
    ($($kind:ty),+) => {
        $(impl From<$kind> for BodyValue {
            fn from(number: $kind) -> Self {
                Self::Integer(number.to_string())
            }
        })+
    };
}

from_whole_number!(i32, u32, i64, u64, i128);

impl From<f64> for BodyValue {
    /// What is no number in JSON (infinity) is refused when the body is built.
    fn from(number: f64) -> Self {
        let text = serde_json::Number::from_f64(number).map(|number| number.to_string());
        Self::Number(text.unwrap_or_else(|| number.to_string()))
    }
}

impl From<bool> for BodyValue {
    fn from(value: bool) -> Self {
        Self::Boolean(value)
    }
}

impl From<&str> for BodyValue {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for BodyValue {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

/// A value and the attribute that it is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BodyArgument {
    /// The names that lead to the attribute, in any spelling. The first may have StackQL's prefix `data__`.
    pub path: Vec<String>,
    /// The value.
    pub value: BodyValue,
    /// The caller's number for it, which errors carry.
    pub origin: usize,
}

impl BodyArgument {
    /// A value for the attribute that `path` leads to, its names joined by dots.
    pub fn new(path: &str, value: impl Into<BodyValue>, origin: usize) -> Self {
        Self {
            path: path.split('.').map(str::to_owned).collect(),
            value: value.into(),
            origin,
        }
    }
}

/// Where an argument goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BodyTarget {
    /// The attribute as the document spells it: `backupRuleOptions.ruleName`.
    pub place: String,
    /// Its type; [`Kind::Json`] where text must be JSON, and where the document says nothing.
    pub kind: Kind,
    /// Its value is a secret.
    pub secret: bool,
    /// The document's words on it.
    pub description: Option<String>,
}

/// Whether the document is taken at its word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Strictness {
    /// What contradicts it is an error.
    #[default]
    Strict,
    /// The call is of another version than the document: what contradicts it is worth a warning.
    Lenient,
}

/// A body that was made of arguments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Body {
    /// JSON text.
    pub text: String,
    /// Where each argument went, and its origin.
    places: Vec<(String, usize)>,
}

impl Body {
    pub(super) fn new(text: String, places: Vec<(String, usize)>) -> Self {
        Self { text, places }
    }

    /// The argument that gave the value at a place of a [`BodyProblem`](crate::BodyProblem), or the nearest around it;
    /// `None` if no argument did.
    #[must_use]
    pub fn origin(&self, place: &str) -> Option<usize> {
        let around = self
            .places
            .iter()
            .filter(|(outer, _)| is_within(place, outer));
        around
            .max_by_key(|(outer, _)| outer.len())
            .map(|(_, origin)| *origin)
    }
}

/// The JSON of a value; `None` if the attribute is left out.
pub(super) fn encode(
    schemas: &Schemas,
    placed: &Placed<'_>,
    argument: &BodyArgument,
    strictness: Strictness,
) -> Result<Option<Node>, BodyError> {
    let kinds = placed.schema.map_or_else(
        || vec![JsonKind::Any],
        |schema| shape::kinds(schemas, schema),
    );
    let shown = |text: &str| {
        let secret = placed.property.is_some_and(|property| property.secret);
        (!secret).then(|| text.to_owned())
    };
    let not_json = |kind: String, text: &str, error: &serde_json::Error| BodyError::NotJson {
        attribute: dotted(&placed.path),
        kind,
        value: shown(text),
        problem: error.to_string(),
        origin: argument.origin,
    };
    let not_a = |kind: String, text: &str| BodyError::NotA {
        attribute: dotted(&placed.path),
        kind,
        value: shown(text),
        origin: argument.origin,
    };
    let node = match &argument.value {
        BodyValue::Null => return Ok(None),
        BodyValue::JsonNull => Node::Scalar(String::from("null")),
        BodyValue::Boolean(value) => Node::Scalar(value.to_string()),
        BodyValue::Timestamp(text) => Node::string(text),
        BodyValue::Integer(text) | BodyValue::Number(text) => {
            number(&kinds, text).ok_or_else(|| not_a(String::from("a number"), text))?
        }
        BodyValue::Json(text) => {
            Node::parse(text).map_err(|error| not_json(shape::words(&kinds), text, &error))?
        }
        BodyValue::Text(text) => match from_text(&kinds, text) {
            Encoded::Done(node) => node,
            Encoded::NotJson(error) => return Err(not_json(shape::words(&kinds), text, &error)),
            Encoded::NotA if strictness == Strictness::Lenient => Node::string(text),
            Encoded::NotA => return Err(not_a(shape::words(&kinds), text)),
        },
    };
    Ok(Some(node))
}

/// `7.0` for an integer is 7.
fn number(kinds: &[JsonKind], text: &str) -> Option<Node> {
    if !json::is_number(text) {
        return None;
    }
    let whole = text
        .split_once('.')
        .filter(|(_, fraction)| fraction.bytes().all(|digit| digit == b'0'))
        .map(|(whole, _)| whole)
        .filter(|_| kinds.contains(&JsonKind::Integer));
    Some(Node::Scalar(whole.unwrap_or(text).to_owned()))
}

enum Encoded {
    Done(Node),
    NotJson(serde_json::Error),
    NotA,
}

fn from_text(kinds: &[JsonKind], text: &str) -> Encoded {
    let takes = |kind: JsonKind| kinds.contains(&kind);
    // Text for a string is never parsed.
    if takes(JsonKind::Text) {
        return Encoded::Done(Node::string(text));
    }
    let scalar = takes(JsonKind::Integer) && json::is_integer(text)
        || takes(JsonKind::Number) && json::is_number(text)
        || takes(JsonKind::Boolean) && matches!(text, "true" | "false");
    if scalar {
        return Encoded::Done(Node::Scalar(text.to_owned()));
    }
    if takes(JsonKind::Object) || takes(JsonKind::Array) {
        return match Node::parse(text) {
            Ok(node) => Encoded::Done(node),
            Err(error) => Encoded::NotJson(error),
        };
    }
    if takes(JsonKind::Any) {
        // Nothing is known of the place: what looks like an object or an array and is one is one, the rest is text.
        let parsed = Some(text)
            .filter(|text| text.trim_start().starts_with(['{', '[']))
            .and_then(|text| Node::parse(text).ok());
        return Encoded::Done(parsed.unwrap_or_else(|| Node::string(text)));
    }
    Encoded::NotA
}
