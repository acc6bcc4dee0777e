//! Bodies without their secrets, for journals, previews and messages. What the document marks is hidden; of attributes that
//! it does not know, those that are named like secrets. Text that is no JSON is hidden whole.

use crate::method::Method;
use crate::names;
use crate::resource::Service;
use crate::schema::{Schema, Schemas};

use super::json::Node;
use super::shape::{self, Found};

/// Stands in the place of a secret.
const HIDDEN: &str = "***";

/// Folded ends of names of attributes that the document does not know, and that are hidden all the same.
const NAMED_LIKE_SECRETS: &[&str] = &[
    "password",
    "secret",
    "secretvalue",
    "token",
    "accesskey",
    "accountkey",
    "apikey",
    "privatekey",
    "connectionstring",
    "sastoken",
    "sasuri",
    "sasurl",
];

impl Method {
    /// The body with `"***"` in the place of each secret. Everything else is as it was, but for white space.
    #[must_use]
    pub fn redact_body(&self, service: &Service, json: &str) -> String {
        let Ok(mut body) = Node::parse(json) else {
            return Node::string(HIDDEN).text();
        };
        let schema = self.request.as_ref().map(|request| &request.schema);
        let schemas = &*service.schemas;
        let wrapper = self
            .request
            .as_ref()
            .and_then(|request| super::wrapper(schemas, request));
        match (&mut body, wrapper) {
            (Node::Object(entries), Some(key)) if entries.contains_key(key) => {
                for (name, value) in entries {
                    redact(schemas, schema.filter(|_| name == key), value);
                }
            }
            (body, _) => redact(schemas, schema, body),
        }
        body.text()
    }
}

fn redact(schemas: &Schemas, schema: Option<&Schema>, node: &mut Node) {
    match node {
        Node::Scalar(_) => {}
        Node::Array(items) => {
            let schema = schema.and_then(|schema| items_of(schemas, schema, 0));
            for item in items {
                redact(schemas, schema, item);
            }
        }
        Node::Object(entries) => {
            let chosen = schema
                .and_then(|schema| schemas.effective_properties(schema, None).discriminator)
                .and_then(|discriminator| entries.get(&discriminator.property))
                .and_then(Node::as_string);
            for (name, value) in entries {
                let found =
                    schema.map(|schema| shape::attribute(schemas, schema, chosen.as_deref(), name));
                match found {
                    Some(Found::Known(_, property)) if property.secret => {
                        *value = Node::string(HIDDEN);
                    }
                    Some(Found::Known(_, property)) => {
                        redact(schemas, Some(&property.schema), value);
                    }
                    Some(Found::Open { values, .. }) if !is_named_like_a_secret(name) => {
                        redact(schemas, values, value);
                    }
                    Some(Found::Unknown(_) | Found::NoAttributes(_)) | None
                        if !is_named_like_a_secret(name) =>
                    {
                        redact(schemas, None, value);
                    }
                    _ => *value = Node::string(HIDDEN),
                }
            }
        }
    }
}

fn is_named_like_a_secret(name: &str) -> bool {
    let folded = names::fold(name);
    NAMED_LIKE_SECRETS.iter().any(|end| folded.ends_with(end))
}

fn items_of<'a>(schemas: &'a Schemas, schema: &'a Schema, depth: usize) -> Option<&'a Schema> {
    const DEEPEST: usize = 32;
    let schema = shape::wrapped(schemas, schema).unwrap_or(schema);
    match schemas.resolve(schema) {
        Schema::Array(array) => Some(&array.items),
        Schema::OneOf(members) if depth < DEEPEST => members
            .iter()
            .find_map(|member| items_of(schemas, member, depth + 1)),
        _ => None,
    }
}
