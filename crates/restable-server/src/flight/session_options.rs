//! Options of a session, as the protocol's actions set and ask for them: the catalog and schema that `USE` names, and the
//! settings that `SET` changes. The messages stand here because the crate of the protocol has none.

use std::collections::HashMap;
use std::sync::Arc;

use arrow_flight::Action;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use prost::Message;
use restable_engine::sql;
use restable_engine::{Error, Session, settings};
use tonic::Status;

use super::asked::{self, Asked};
use super::status;

/// The action that sets options.
pub const SET: &str = "SetSessionOptions";
/// The action that asks for all options.
pub const GET: &str = "GetSessionOptions";
/// The action that ends the session.
pub const CLOSE: &str = "CloseSession";

/// The option that names a provider.
const CATALOG: &str = "catalog";
/// The option that names a service of it.
const SCHEMA: &str = "schema";

#[derive(Clone, PartialEq, Message)]
pub struct SetRequest {
    #[prost(map = "string, message", tag = "1")]
    options: HashMap<String, OptionValue>,
}

#[derive(Clone, PartialEq, Message)]
pub struct SetResult {
    #[prost(map = "string, message", tag = "1")]
    errors: HashMap<String, SetError>,
}

#[derive(Clone, PartialEq, Message)]
pub struct SetError {
    #[prost(enumeration = "Why", tag = "1")]
    value: i32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, prost::Enumeration)]
#[repr(i32)]
enum Why {
    Unspecified = 0,
    Name = 1,
    Value = 2,
    Other = 3,
}

#[derive(Clone, PartialEq, Message)]
pub struct GetResult {
    #[prost(map = "string, message", tag = "1")]
    options: HashMap<String, OptionValue>,
}

#[derive(Clone, PartialEq, Message)]
pub struct OptionValue {
    #[prost(oneof = "Value", tags = "1, 2, 3, 4, 5")]
    value: Option<Value>,
}

#[derive(Clone, PartialEq, prost::Oneof)]
enum Value {
    #[prost(string, tag = "1")]
    Text(String),
    #[prost(bool, tag = "2")]
    Is(bool),
    #[prost(sfixed64, tag = "3")]
    Whole(i64),
    #[prost(double, tag = "4")]
    Number(f64),
    #[prost(message, tag = "5")]
    List(Texts),
}

#[derive(Clone, PartialEq, Message)]
pub struct Texts {
    #[prost(string, repeated, tag = "1")]
    values: Vec<String>,
}

#[derive(Clone, PartialEq, Message)]
struct CloseResult {
    #[prost(int32, tag = "1")]
    status: i32,
}

impl Value {
    fn text(&self) -> String {
        match self {
            Value::Text(text) => text.clone(),
            Value::Is(is) => is.to_string(),
            Value::Whole(number) => number.to_string(),
            Value::Number(number) => number.to_string(),
            Value::List(texts) => texts.values.join(","),
        }
    }
}

/// That the session is closed.
pub fn closed() -> Vec<u8> {
    CloseResult { status: 1 }.encode_to_vec()
}

/// Sets options; the answer has those that could not be set.
pub fn set(session: Arc<Session>, action: Action) -> BoxFuture<'static, Result<Vec<u8>, Status>> {
    async move {
        let request = SetRequest::decode(&*action.body)
            .map_err(|problem| Status::invalid_argument(problem.to_string()))?;
        let mut errors = HashMap::new();
        for (name, text) in statements(&session, &request) {
            if let Err(problem) = run(Arc::clone(&session), text).await {
                let value = why(&problem).into();
                errors.insert(name, SetError { value });
            }
        }
        Ok(SetResult { errors }.encode_to_vec())
    }
    .boxed()
}

fn why(problem: &Error) -> Why {
    match problem.diagnostic().code {
        "R0401" => Why::Name,
        "R0202" | "R0402" | "R0403" => Why::Value,
        _ => Why::Other,
    }
}

/// Options are set as their statements set them, so that the same rules hold. Each stands beside its option.
fn statements(session: &Session, request: &SetRequest) -> Vec<(String, String)> {
    let text = |name: &str| {
        let value = request.options.get(name)?.value.as_ref();
        Some(value.map(Value::text).unwrap_or_default())
    };
    let mut all = Vec::new();
    let (catalog, schema) = (text(CATALOG), text(SCHEMA));
    if catalog.is_some() || schema.is_some() {
        let option = if schema.is_some() { SCHEMA } else { CATALOG };
        let catalog = catalog.or(session.current().provider);
        let catalog = quoted(&catalog.unwrap_or_default(), '"');
        let name = match schema.filter(|schema| !schema.is_empty()) {
            Some(schema) => format!("{catalog}.{}", quoted(&schema, '"')),
            None => catalog,
        };
        all.push((option.to_owned(), format!("USE {name}")));
    }
    for name in request.options.keys() {
        if !matches!(&**name, CATALOG | SCHEMA) {
            let value = quoted(&text(name).unwrap_or_default(), '\'');
            all.push((name.clone(), format!("SET {name} = {value}")));
        }
    }
    all
}

fn run(session: Arc<Session>, text: String) -> Asked<()> {
    let wrong = || {
        Error::from(sql::Diagnostic::new(
            "R0401",
            "an option is named like a setting",
        ))
    };
    async move {
        let mut all = sql::parse(&text).map_err(|_| wrong())?;
        let parsed = all.pop().filter(|_| all.is_empty()).ok_or_else(wrong)?;
        match parsed.statement {
            sql::Statement::Set(_) | sql::Statement::Use(_) => {
                let prepared = asked::prepare(Arc::clone(&session), parsed, Vec::new()).await?;
                asked::run(session, prepared).await.map(drop)
            }
            _ => Err(wrong()),
        }
    }
    .boxed()
}

fn quoted(text: &str, mark: char) -> String {
    let inner = text.replace(mark, &format!("{mark}{mark}"));
    format!("{mark}{inner}{mark}")
}

/// All options with their values.
pub fn all(session: &Session) -> Result<Vec<u8>, Status> {
    let current = session.current();
    let values = session.settings();
    let mut options = HashMap::new();
    let mut add = |name: &str, text: String| {
        let value = Some(Value::Text(text));
        options.insert(name.to_owned(), OptionValue { value });
    };
    add(CATALOG, current.provider.unwrap_or_default());
    add(SCHEMA, current.service.unwrap_or_default());
    for setting in settings::ALL {
        let value = values.value(setting.name);
        let value = value.map_err(|problem| status::told(&problem.into()))?;
        add(setting.name, value);
    }
    Ok(GetResult { options }.encode_to_vec())
}
