//! What a body has although nobody gave it: `{}` for a required object whose attributes are all optional, the value of a
//! discriminator or required attribute that can have one value only. Nothing that is given is changed or moved.

use indexmap::IndexMap;

use crate::schema::{Effective, Property, Schema, Schemas};

use super::json::Node;
use super::shape;

/// Schemas may contain themselves.
const DEEPEST: usize = 64;

/// Brings the attributes of objects into the order of the schema; names that it does not have come last.
pub(super) fn sort(schemas: &Schemas, schema: &Schema, node: &mut Node) {
    let Node::Object(entries) = node else { return };
    let effective = of(schemas, schema, entries);
    let rank = |key: &String| {
        let listed = effective.properties.get_index_of(key.as_str());
        listed.unwrap_or(usize::MAX)
    };
    entries.sort_by(|left, _, right, _| rank(left).cmp(&rank(right)));
    for (key, child) in entries {
        if let Some(property) = effective.properties.get(key.as_str()) {
            sort(schemas, &property.schema, child);
        }
    }
}

/// Adds what is missing and has only one possible form.
pub(super) fn complete(schemas: &Schemas, schema: &Schema, node: &mut Node) {
    complete_within(schemas, schema, node, 0);
}

fn complete_within(schemas: &Schemas, schema: &Schema, node: &mut Node, depth: usize) {
    if depth > DEEPEST {
        return;
    }
    match (schemas.resolve(schema), node) {
        (Schema::Array(array), Node::Array(items)) => {
            for item in items {
                complete_within(schemas, &array.items, item, depth + 1);
            }
        }
        (Schema::Object(_), Node::Object(entries)) => {
            object(schemas, schema, entries, depth);
        }
        _ => {}
    }
}

fn object(schemas: &Schemas, schema: &Schema, entries: &mut IndexMap<String, Node>, depth: usize) {
    let base = schemas.effective_properties(schema, None);
    if let Some(discriminator) = base.discriminator
        && !entries.contains_key(&discriminator.property)
        && let [value] = shape::possible(schemas, schema, discriminator).as_slice()
    {
        insert(&base, entries, &discriminator.property, Node::string(value));
    }
    let effective = of(schemas, schema, entries);
    let additional = shape::additional(schemas, schema);
    for (key, child) in entries.iter_mut() {
        let property = effective.properties.get(key.as_str());
        if let Some(schema) = property.map(|property| &property.schema).or(additional) {
            complete_within(schemas, schema, child, depth + 1);
        }
    }
    for name in &effective.required {
        let Some(property) = effective.properties.get(name) else {
            continue;
        };
        // A name in another spelling is the user's affair, and is reported by the check.
        let there = entries.keys().any(|key| key.eq_ignore_ascii_case(name));
        if !there
            && !property.read_only
            && let Some(node) = only_form(schemas, property, depth + 1)
        {
            insert(&effective, entries, name, node);
        }
    }
}

/// Before the first attribute that follows in the schema.
fn insert(effective: &Effective<'_>, entries: &mut IndexMap<String, Node>, name: &str, node: Node) {
    let rank = |key: &str| effective.properties.get_index_of(key);
    let place = rank(name);
    let at = entries
        .keys()
        .position(|key| rank(key).is_none() || rank(key) > place)
        .unwrap_or(entries.len());
    entries.shift_insert(at, name.to_owned(), node);
}

/// True if a body that is made of arguments has this attribute without being given it.
pub(super) fn fills(schemas: &Schemas, property: &Property) -> bool {
    !property.read_only && only_form(schemas, property, 0).is_some()
}

fn only_form(schemas: &Schemas, property: &Property, depth: usize) -> Option<Node> {
    if depth > DEEPEST {
        return None;
    }
    let schema = shape::wrapped(schemas, &property.schema).unwrap_or(&property.schema);
    match schemas.resolve(schema) {
        Schema::Scalar(scalar) => {
            let listed = match scalar.allowed.as_slice() {
                [value] => Some(value),
                _ => None,
            };
            let value = scalar.constant.as_ref().or(listed)?;
            Some(Node::Scalar(value.to_string()))
        }
        Schema::Object(_) => {
            let mut entries = IndexMap::new();
            object(schemas, schema, &mut entries, depth);
            let effective = of(schemas, schema, &entries);
            // An object of which nothing is known is not known to be empty.
            let described = !effective.properties.is_empty();
            let whole = effective.required.iter().all(|name| {
                let read_only = |property: &&Property| property.read_only;
                entries.contains_key(*name) || effective.properties.get(name).is_some_and(read_only)
            });
            let typed = effective
                .discriminator
                .is_none_or(|discriminator| entries.contains_key(&discriminator.property));
            (described && whole && typed).then_some(Node::Object(entries))
        }
        Schema::Array(_) | Schema::OneOf(_) | Schema::Any | Schema::Ref(_) => None,
    }
}

/// The attributes of an object, of the subtype that it says it is of.
fn of<'a>(
    schemas: &'a Schemas,
    schema: &'a Schema,
    entries: &IndexMap<String, Node>,
) -> Effective<'a> {
    let base = schemas.effective_properties(schema, None);
    let value = base
        .discriminator
        .and_then(|discriminator| entries.get(&discriminator.property))
        .and_then(Node::as_string);
    match value {
        Some(value) => schemas.effective_properties(schema, Some(&value)),
        None => base,
    }
}
