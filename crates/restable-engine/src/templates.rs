//! Templates: `SHOW INSERT` and `SHOW EXEC` print a statement to fill in, made from the method's parameters and the
//! schema of its body.

use std::fmt::Write as _;

use restable_spec::{Method, Resource, Schema, Schemas, Service, Verb};

use crate::{Error, Result};

/// An INSERT with a place for each parameter and attribute.
pub fn insert(service: &Service, resource: &Resource, required_only: bool) -> Result<String> {
    let method = resource
        .methods_of(Verb::Insert)
        .next()
        .ok_or_else(|| Error::Route {
            message: format!("`{}` takes no INSERT", resource.full_name()),
            hint: Some(format!(
                "`SHOW METHODS IN {}` lists what it can do",
                resource.full_name()
            )),
        })?;
    // NULL leaves an attribute out, and never a parameter: those with a default are not columns here.
    let inputs: Vec<Input> = inputs(service, method)
        .into_iter()
        .filter(|input| input.required || (input.is_attribute && !required_only))
        .collect();
    let names: Vec<String> = inputs.iter().map(|input| quoted(&input.name)).collect();
    let mut values = String::new();
    for (at, input) in inputs.iter().enumerate() {
        let comma = if at + 1 < inputs.len() { "," } else { "" };
        let _ = match input.required {
            true => write!(values, "\n  {}{comma}{}", input.value, note(&input.choices)),
            false => write!(
                values,
                "\n  NULL{comma}  -- {}: {}",
                input.name, input.value
            ),
        };
    }
    Ok(format!(
        "INSERT INTO {} ({})\nVALUES ({values}\n);",
        resource.full_name(),
        names.join(", ")
    ))
}

/// An EXEC with a place for each parameter and attribute. What is optional stands behind `--`, with the comma that it needs.
pub fn exec(service: &Service, resource: &Resource, method: &Method) -> String {
    let inputs = inputs(service, method);
    let mut text = format!("EXEC {}.{}", resource.full_name(), method.key);
    let required: Vec<&Input> = inputs.iter().filter(|input| input.required).collect();
    for (at, input) in required.iter().enumerate() {
        let comma = if at + 1 < required.len() { "," } else { "" };
        let _ = write!(
            text,
            "\n  @{} = {}{comma}{}",
            quoted(&input.name),
            input.value,
            note(&input.choices)
        );
    }
    for input in inputs.iter().filter(|input| !input.required) {
        let comma = if required.is_empty() { "" } else { ", " };
        let name = quoted(&input.name);
        let _ = write!(text, "\n  -- {comma}@{name} = {}", input.value);
    }
    // Behind a comment the end of the statement needs a line of its own.
    text.push_str(
        match text.lines().last().is_some_and(|line| line.contains("--")) {
            true => "\n;",
            false => ";",
        },
    );
    text
}

/// A name as it can be written: `"$filter"`, `"api-version"`.
fn quoted(name: &str) -> String {
    match name.contains(['-', '$', '.']) {
        true => format!("\"{name}\""),
        false => name.to_owned(),
    }
}

/// A place to fill in.
struct Input {
    name: String,
    value: String,
    required: bool,
    /// Of the body.
    is_attribute: bool,
    /// What else its value may be.
    choices: Vec<String>,
}

fn note(choices: &[String]) -> String {
    match choices {
        [] => String::new(),
        some => format!("  -- or {}", some.join(", ")),
    }
}

fn inputs(service: &Service, method: &Method) -> Vec<Input> {
    let mut inputs: Vec<Input> = Vec::new();
    for parameter in &method.parameters {
        // A parameter with a default is written only by who wants another value.
        let value = match &parameter.default {
            Some(default) => format!("'{}'", default.replace('\'', "''")),
            None => format!("'<{}>'", parameter.name),
        };
        inputs.push(Input {
            name: parameter.name.clone(),
            value,
            required: parameter.must_be_given(),
            is_attribute: false,
            choices: Vec::new(),
        });
    }
    if let Some(request) = &method.request {
        let schemas = &*service.schemas;
        let chosen = subtypes(schemas, &request.schema);
        let effective = schemas.effective_properties(&request.schema, chosen.first().copied());
        let demanded = request.required_attributes(schemas);
        // A body that must be there, and need not hold anything in particular, is to hold something: services refuse an empty one.
        let any = request.required && demanded.is_empty();
        for (name, property) in &effective.properties {
            if property.read_only {
                continue;
            }
            let of_kind = effective
                .discriminator
                .is_some_and(|discriminator| discriminator.property == **name);
            let value = match (of_kind, chosen.first()) {
                (true, Some(kind)) => serde_json::Value::from(*kind),
                _ => sample(schemas, &property.schema, name, 0),
            };
            let value = match &value {
                serde_json::Value::String(text) => format!("'{}'", text.replace('\'', "''")),
                serde_json::Value::Object(_) | serde_json::Value::Array(_) => {
                    format!("'{}'", value.to_string().replace('\'', "''"))
                }
                other => other.to_string(),
            };
            inputs.push(Input {
                name: (*name).to_owned(),
                value,
                required: any
                    || of_kind
                    || effective.requires(name)
                    || demanded.iter().any(|demanded| demanded == name),
                is_attribute: true,
                choices: match of_kind {
                    true => chosen
                        .iter()
                        .skip(1)
                        .map(|kind| format!("'{kind}'"))
                        .collect(),
                    false => Vec::new(),
                },
            });
        }
    }
    inputs
}

/// The kinds that an object may be of, by its discriminator; none if it has none, one if the document settles it.
fn subtypes<'a>(schemas: &'a Schemas, schema: &'a Schema) -> Vec<&'a str> {
    let effective = schemas.effective_properties(schema, None);
    let Some(discriminator) = effective.discriminator else {
        return Vec::new();
    };
    let own = effective
        .property(&discriminator.property)
        .map(|(_, property)| schemas.resolve(&property.schema));
    if let Some(Schema::Scalar(scalar)) = own {
        let settled = match (&scalar.constant, scalar.allowed.as_slice()) {
            (Some(constant), _) => constant.as_str(),
            (None, [only]) => only.as_str(),
            _ => None,
        };
        if let Some(settled) = settled {
            return vec![settled];
        }
    }
    let mut kinds: Vec<&str> = discriminator.subtypes.keys().map(String::as_str).collect();
    // The simplest first: the one that needs least.
    kinds.sort_by_key(|kind| {
        schemas
            .effective_properties(schema, Some(kind))
            .required
            .len()
    });
    kinds
}

/// A value of the shape of a schema: required attributes only, constants and the first of a closed list filled in.
fn sample(schemas: &Schemas, schema: &Schema, name: &str, depth: usize) -> serde_json::Value {
    use serde_json::Value;
    match schemas.resolve(schema) {
        Schema::Object(_) if depth < 6 => {
            let kinds = subtypes(schemas, schema);
            let effective = schemas.effective_properties(schema, kinds.first().copied());
            let mut object = serde_json::Map::new();
            for (key, property) in &effective.properties {
                let of_kind = effective
                    .discriminator
                    .is_some_and(|discriminator| discriminator.property == **key);
                if property.read_only || !(of_kind || effective.requires(key)) {
                    continue;
                }
                let value = match (of_kind, kinds.first()) {
                    (true, Some(kind)) => Value::from(*kind),
                    _ => sample(schemas, &property.schema, key, depth + 1),
                };
                object.insert((*key).to_owned(), value);
            }
            Value::Object(object)
        }
        Schema::Array(array) if depth < 6 => {
            Value::Array(vec![sample(schemas, &array.items, name, depth + 1)])
        }
        Schema::Scalar(scalar) => {
            if let Some(constant) = &scalar.constant {
                return constant.clone();
            }
            if let Some(first) = scalar.allowed.first() {
                return first.clone();
            }
            match scalar.kind {
                restable_spec::Kind::Integer | restable_spec::Kind::Number => Value::from(0),
                restable_spec::Kind::Boolean => Value::Bool(false),
                _ => Value::String(format!("<{name}>")),
            }
        }
        _ => Value::Object(serde_json::Map::new()),
    }
}
