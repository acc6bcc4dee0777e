//! What may stand where in a body: the attribute behind a name, the kinds of JSON that a schema takes, the values that a
//! discriminator may have. Pure questions to the schemas; refuses nothing.

use crate::method::Kind;
use crate::names;
use crate::schema::{Additional, Discriminator, Effective, Property, Schema, Schemas};

/// What a name in an object leads to.
pub(super) enum Found<'a> {
    /// An attribute, as the document spells it.
    Known(&'a str, &'a Property),
    /// The object takes any name.
    Open {
        /// The shape of the values, if it is known.
        values: Option<&'a Schema>,
        /// It lists some attributes: it is no map.
        described: bool,
    },
    /// There is no such attribute; the one that was probably meant.
    Unknown(Option<&'a str>),
    /// This is no object; what it is.
    NoAttributes(&'static str),
}

/// Looks a name up in the subtype `chosen`, else in all subtypes.
pub(super) fn attribute<'a>(
    schemas: &'a Schemas,
    schema: &'a Schema,
    chosen: Option<&str>,
    name: &str,
) -> Found<'a> {
    let kinds = kinds(schemas, schema);
    if !kinds
        .iter()
        .any(|kind| matches!(kind, JsonKind::Object | JsonKind::Any))
    {
        return Found::NoAttributes(kinds.first().map_or("empty", |kind| kind.words()));
    }
    let effective = schemas.effective_properties(schema, chosen);
    if let Some((known, property)) = effective.property(name) {
        return Found::Known(known, property);
    }
    let subtypes = subtypes(schemas, schema, &effective);
    for subtype in &subtypes {
        if let Some((known, property)) = subtype.property(name) {
            return Found::Known(known, property);
        }
    }
    if effective.open || kinds.contains(&JsonKind::Any) {
        return Found::Open {
            values: additional(schemas, schema),
            described: !effective.properties.is_empty(),
        };
    }
    Found::Unknown(nearest(schemas, schema, &effective, name))
}

/// The attribute that a wrong name was probably meant to be: of the object, else of any of its subtypes.
pub(super) fn nearest<'a>(
    schemas: &'a Schemas,
    schema: &'a Schema,
    effective: &Effective<'a>,
    name: &str,
) -> Option<&'a str> {
    names::nearest(name, effective.properties.keys().copied()).or_else(|| {
        let subtypes = subtypes(schemas, schema, effective);
        let known = subtypes
            .iter()
            .flat_map(|subtype| subtype.properties.keys());
        names::nearest(name, known.copied())
    })
}

/// Each subtype that an object of this schema may be of, with all its attributes.
pub(super) fn subtypes<'a>(
    schemas: &'a Schemas,
    schema: &'a Schema,
    effective: &Effective<'a>,
) -> Vec<Effective<'a>> {
    let values = effective.discriminator.into_iter();
    values
        .flat_map(|discriminator| discriminator.subtypes.keys())
        .map(|value| schemas.effective_properties(schema, Some(value)))
        .collect()
}

/// The values that the discriminator of an object of this schema may have: all of its document, or those of the schema
/// and what extends it, where the schema is itself a subtype.
pub(super) fn possible<'a>(
    schemas: &Schemas,
    schema: &Schema,
    discriminator: &'a Discriminator,
) -> Vec<&'a str> {
    let all = || discriminator.subtypes.iter();
    let Schema::Ref(name) = schema else {
        return all().map(|(value, _)| value.as_str()).collect();
    };
    let within: Vec<&str> = all()
        .filter(|(_, target)| extends(schemas, target, name, 0))
        .map(|(value, _)| value.as_str())
        .collect();
    if within.is_empty() {
        all().map(|(value, _)| value.as_str()).collect()
    } else {
        within
    }
}

/// Schemas may extend each other in circles.
const DEEPEST: usize = 32;

fn extends(schemas: &Schemas, name: &str, base: &str, depth: usize) -> bool {
    name == base
        || depth < DEEPEST
            && matches!(schemas.named(name), Some(Schema::Object(object)) if object.bases.iter().any(
                |parent| matches!(parent, Schema::Ref(parent) if extends(schemas, parent, base, depth + 1))
            ))
}

/// The shape of the values of attributes that are not listed.
pub(super) fn additional<'a>(schemas: &'a Schemas, schema: &'a Schema) -> Option<&'a Schema> {
    additional_within(schemas, schema, 0)
}

fn additional_within<'a>(
    schemas: &'a Schemas,
    schema: &'a Schema,
    depth: usize,
) -> Option<&'a Schema> {
    match schemas.resolve(schema) {
        Schema::Object(object) => match &object.additional {
            Additional::Open(values) => Some(values),
            Additional::Unsaid | Additional::Closed if depth < DEEPEST => object
                .bases
                .iter()
                .find_map(|base| additional_within(schemas, base, depth + 1)),
            Additional::Unsaid | Additional::Closed => None,
        },
        _ => None,
    }
}

/// A kind of JSON value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum JsonKind {
    Text,
    Integer,
    Number,
    Boolean,
    Object,
    Array,
    Null,
    Any,
}

impl JsonKind {
    pub fn words(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Integer => "an integer",
            Self::Number => "a number",
            Self::Boolean => "a boolean",
            Self::Object => "an object",
            Self::Array => "an array",
            Self::Null => "null",
            Self::Any => "anything",
        }
    }

    /// The kind of a value.
    pub fn of(value: &serde_json::Value) -> Self {
        use serde_json::Value;
        match value {
            Value::Null => Self::Null,
            Value::Bool(_) => Self::Boolean,
            // `7.0` is an integer by JSON Schema; numbers beyond 64 bits are read as floating point.
            Value::Number(number)
                if number.is_i64()
                    || number.is_u64()
                    || number.as_f64().is_some_and(|number| number.fract() == 0.0) =>
            {
                Self::Integer
            }
            Value::Number(_) => Self::Number,
            Value::String(_) => Self::Text,
            Value::Array(_) => Self::Array,
            Value::Object(_) => Self::Object,
        }
    }

    /// True if a value of kind `found` may stand where this is expected.
    pub fn takes(self, found: Self) -> bool {
        self == found || self == Self::Any || (self == Self::Number && found == Self::Integer)
    }
}

/// `an integer or text`.
pub(super) fn words(kinds: &[JsonKind]) -> String {
    let words: Vec<&str> = kinds.iter().map(|kind| kind.words()).collect();
    words.join(" or ")
}

/// The kinds of JSON that a schema takes; no kind stands twice.
pub(super) fn kinds(schemas: &Schemas, schema: &Schema) -> Vec<JsonKind> {
    let mut found = Vec::new();
    gather(schemas, schema, &mut found, 0);
    found
}

fn gather(schemas: &Schemas, schema: &Schema, found: &mut Vec<JsonKind>, depth: usize) {
    let kind = match schemas.resolve(schema) {
        Schema::Scalar(scalar) => match scalar.kind {
            Kind::Text => JsonKind::Text,
            Kind::Integer => JsonKind::Integer,
            Kind::Number => JsonKind::Number,
            Kind::Boolean => JsonKind::Boolean,
            Kind::Json => JsonKind::Any,
        },
        Schema::Array(_) => JsonKind::Array,
        Schema::Object(_) => match wrapped(schemas, schema) {
            Some(inner) if depth < DEEPEST => return gather(schemas, inner, found, depth + 1),
            _ => JsonKind::Object,
        },
        Schema::OneOf(members) if depth < DEEPEST => {
            for member in members {
                gather(schemas, member, found, depth + 1);
            }
            return;
        }
        Schema::OneOf(_) | Schema::Any | Schema::Ref(_) => JsonKind::Any,
    };
    if !found.contains(&kind) {
        found.push(kind);
    }
}

/// The schema inside one that only adds words to it: `allOf: [{$ref: State}]`.
pub(super) fn wrapped<'a>(schemas: &'a Schemas, schema: &'a Schema) -> Option<&'a Schema> {
    let Schema::Object(object) = schemas.resolve(schema) else {
        return None;
    };
    let [base] = object.bases.as_slice() else {
        return None;
    };
    let bare = object.properties.is_empty() && object.discriminator.is_none();
    match schemas.resolve(base) {
        Schema::Object(_) => wrapped(schemas, base).filter(|_| bare),
        Schema::Ref(_) => None,
        Schema::Scalar(_) | Schema::Array(_) | Schema::OneOf(_) | Schema::Any => {
            Some(base).filter(|_| bare)
        }
    }
}
