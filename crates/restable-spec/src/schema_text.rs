//! Writes a schema as JSON Schema text. Each named schema is written once, under `$defs`, so that schemas which refer
//! to each other in circles end; what is more than a few references away is named, but not written.

use indexmap::IndexMap;
use serde_json::{Map, Value, json};

use crate::method::Kind;
use crate::schema::{Additional, ObjectSchema, Property, Schema, Schemas};

/// How many references away a schema may be from the one that is asked for.
const DEPTH: usize = 4;

pub(crate) fn json_text(schema: &Schema, schemas: &Schemas) -> String {
    let mut wanted: IndexMap<String, usize> = IndexMap::new();
    // A reference at the top is resolved: the answer should begin with the attributes, not with a pointer to them.
    let mut document = describe(schemas.resolve(schema), 0, &mut wanted);
    let mut definitions = Map::new();
    let mut at = 0;
    while let Some((name, depth)) = wanted
        .get_index(at)
        .map(|(name, depth)| (name.clone(), *depth))
    {
        at += 1;
        let value = match schemas.named(&name) {
            Some(named) if depth <= DEPTH => describe(named, depth, &mut wanted),
            _ => json!({ "description": "not shown here" }),
        };
        definitions.insert(name, value);
    }
    if !definitions.is_empty()
        && let Value::Object(object) = &mut document
    {
        object.insert(String::from("$defs"), Value::Object(definitions));
    }
    serde_json::to_string_pretty(&document).unwrap_or_default()
}

fn describe(schema: &Schema, depth: usize, wanted: &mut IndexMap<String, usize>) -> Value {
    let mut out = Map::new();
    match schema {
        Schema::Ref(name) => {
            wanted.entry(name.clone()).or_insert(depth + 1);
            out.insert(String::from("$ref"), json!(format!("#/$defs/{name}")));
        }
        Schema::Object(object) => describe_object(object, depth, wanted, &mut out),
        Schema::Array(array) => {
            out.insert(String::from("type"), json!("array"));
            out.insert(String::from("items"), describe(&array.items, depth, wanted));
        }
        Schema::Scalar(scalar) => {
            out.insert(String::from("type"), json!(type_name(scalar.kind)));
            if let Some(format) = &scalar.format {
                out.insert(String::from("format"), json!(format));
            }
            if let Some(pattern) = &scalar.pattern {
                out.insert(String::from("pattern"), json!(pattern));
            }
            if let Some(length) = scalar.min_length {
                out.insert(String::from("minLength"), json!(length));
            }
            if let Some(length) = scalar.max_length {
                out.insert(String::from("maxLength"), json!(length));
            }
            if let Some(constant) = &scalar.constant {
                out.insert(String::from("const"), constant.clone());
            }
            if !scalar.allowed.is_empty() {
                // An open list is an example of what may come, not a restriction.
                let key = if scalar.closed { "enum" } else { "examples" };
                out.insert(String::from(key), json!(scalar.allowed));
            }
        }
        Schema::OneOf(members) => {
            let members: Vec<Value> = members
                .iter()
                .map(|member| describe(member, depth, wanted))
                .collect();
            out.insert(String::from("oneOf"), Value::Array(members));
        }
        Schema::Any => {}
    }
    Value::Object(out)
}

fn describe_object(
    object: &ObjectSchema,
    depth: usize,
    wanted: &mut IndexMap<String, usize>,
    out: &mut Map<String, Value>,
) {
    out.insert(String::from("type"), json!("object"));
    if let Some(description) = &object.description {
        out.insert(String::from("description"), json!(description));
    }
    if !object.bases.is_empty() {
        let bases: Vec<Value> = object
            .bases
            .iter()
            .map(|base| describe(base, depth, wanted))
            .collect();
        out.insert(String::from("allOf"), Value::Array(bases));
    }
    if !object.properties.is_empty() {
        let mut properties = Map::new();
        for (name, property) in &object.properties {
            properties.insert(name.clone(), describe_property(property, depth, wanted));
        }
        out.insert(String::from("properties"), Value::Object(properties));
    }
    if !object.required.is_empty() {
        out.insert(String::from("required"), json!(object.required));
    }
    match &object.additional {
        Additional::Unsaid => {}
        Additional::Closed => {
            out.insert(String::from("additionalProperties"), json!(false));
        }
        Additional::Open(schema) => {
            out.insert(
                String::from("additionalProperties"),
                describe(schema, depth, wanted),
            );
        }
    }
    if let Some(discriminator) = &object.discriminator {
        let mut mapping = Map::new();
        for (value, name) in &discriminator.subtypes {
            wanted.entry(name.clone()).or_insert(depth + 1);
            mapping.insert(value.clone(), json!(format!("#/$defs/{name}")));
        }
        out.insert(
            String::from("discriminator"),
            json!({ "propertyName": discriminator.property, "mapping": mapping }),
        );
    }
}

fn describe_property(
    property: &Property,
    depth: usize,
    wanted: &mut IndexMap<String, usize>,
) -> Value {
    let mut value = describe(&property.schema, depth, wanted);
    if let Value::Object(out) = &mut value {
        if let Some(description) = &property.description {
            out.insert(String::from("description"), json!(description));
        }
        if let Some(default) = &property.default {
            out.insert(String::from("default"), default.clone());
        }
        if property.read_only {
            out.insert(String::from("readOnly"), json!(true));
        }
        if property.secret {
            out.insert(String::from("writeOnly"), json!(true));
        }
    }
    value
}

fn type_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Text => "string",
        Kind::Integer => "integer",
        Kind::Number => "number",
        Kind::Boolean => "boolean",
        Kind::Json => "object",
    }
}
