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
    let (mut names, mut values) = (Vec::new(), Vec::new());
    for (name, value) in inputs(service, method, required_only) {
        names.push(if name.contains('-') || name.contains('$') {
            format!("\"{name}\"")
        } else {
            name
        });
        values.push(value);
    }
    let names = names.join(", ");
    let values = values.join(",\n  ");
    Ok(format!(
        "INSERT INTO {} ({names})\nVALUES (\n  {values}\n);",
        resource.full_name()
    ))
}

/// An EXEC with a place for each parameter and attribute.
pub fn exec(service: &Service, resource: &Resource, method: &Method) -> String {
    let mut text = format!("EXEC {}.{}", resource.full_name(), method.key);
    for (at, (name, value)) in inputs(service, method, false).into_iter().enumerate() {
        let _ = write!(
            text,
            "{}\n  @{name} = {value}",
            if at == 0 { "" } else { "," }
        );
    }
    text.push(';');
    text
}

fn inputs(service: &Service, method: &Method, required_only: bool) -> Vec<(String, String)> {
    let mut inputs = Vec::new();
    for parameter in method
        .parameters
        .iter()
        .filter(|parameter| parameter.must_be_given())
    {
        inputs.push((parameter.name.clone(), format!("'<{}>'", parameter.name)));
    }
    if let Some(request) = &method.request {
        let effective = service.schemas.effective_properties(&request.schema, None);
        for (name, property) in &effective.properties {
            if property.read_only || (required_only && !effective.requires(name)) {
                continue;
            }
            let value = sample(&service.schemas, &property.schema, name, 0);
            let value = match &value {
                serde_json::Value::String(text) => format!("'{text}'"),
                serde_json::Value::Object(_) | serde_json::Value::Array(_) => format!("'{value}'"),
                other => other.to_string(),
            };
            inputs.push(((*name).to_owned(), value));
        }
    }
    inputs
}

/// A value of the shape of a schema: required attributes only, constants and the first of a closed list filled in.
fn sample(schemas: &Schemas, schema: &Schema, name: &str, depth: usize) -> serde_json::Value {
    use serde_json::Value;
    match schemas.resolve(schema) {
        Schema::Object(_) if depth < 6 => {
            let effective = schemas.effective_properties(schema, None);
            let mut object = serde_json::Map::new();
            for (key, property) in &effective.properties {
                if property.read_only || !(effective.requires(key)) {
                    continue;
                }
                object.insert(
                    (*key).to_owned(),
                    sample(schemas, &property.schema, key, depth + 1),
                );
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
