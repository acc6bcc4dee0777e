//! Recorded writes: the statement that makes each, in every spelling of its body, must send the recorded request and follow
//! the recorded polls. Its row is what the recorded answers say.

use std::collections::BTreeSet;
use std::sync::Arc;

use restable_spec::{Builtin, CallClass, Registry};
use serde_json::Value;

use super::{Asked, Conversation, Maker, Shared, Stage, compare_target, maker};
use crate::rig::{Answer, ask, engine, settings};

/// Replays the first conversation, a write, with the polls among those after it. The names of what was played.
pub(super) async fn replay(
    url: &str,
    stage: &Shared,
    registry: &Registry,
    conversations: &[Conversation],
) -> Result<BTreeSet<String>, String> {
    let (write, later) = conversations.split_first().unwrap();
    let maker = maker(registry, write).ok_or("no statement makes this request")?;
    let script: Vec<Conversation> = std::iter::once(write)
        .chain(
            later
                .iter()
                .filter(|one| one.file == write.file && one.method == "GET"),
        )
        .cloned()
        .collect();
    let mut played = BTreeSet::new();
    for (sql, names) in statements(&maker, write) {
        *stage.lock().unwrap() = Stage::of(script.clone());
        let mut settings = settings();
        settings
            .set("confirm", "never", restable_engine::Origin::Flag)
            .unwrap();
        let session = engine(url, vec![Arc::new(Builtin)])
            .session(settings)
            .unwrap();
        let answer = ask(&session, &sql).await;
        let stage = stage.lock().unwrap();
        let judged = compare_requests(&stage, write, names, maker.method.class)
            .and_then(|()| compare_answer(&stage, answer, write));
        judged.map_err(|error| format!("{error}\n    {sql}"))?;
        played.extend(stage.played.iter().map(|&at| script[at].name.clone()));
    }
    Ok(played)
}

/// Whose spelling the attributes of a body have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Names {
    /// Those that were written.
    Written,
    /// The document's. Clients write `resourceId` for it, and the service reads names without regard to case.
    Document,
}

/// The statements that make a request: with its body whole, by its top-level attributes, and by every attribute in it.
fn statements(maker: &Maker, write: &Conversation) -> Vec<(String, Names)> {
    let table = maker.resource.full_name();
    let parameters: Vec<(String, String)> = maker
        .path
        .iter()
        .cloned()
        .chain(write.query())
        .map(|(name, value)| (name, quoted(&value)))
        .collect();
    let named: Vec<String> = parameters
        .iter()
        .map(|(name, value)| format!("@\"{name}\" = {value}"))
        .collect();
    let exec = |arguments: &[String], body: &str| {
        let arguments: Vec<&str> = named.iter().chain(arguments).map(String::as_str).collect();
        format!(
            "EXEC {table}.{} {}{body}",
            maker.method.key,
            arguments.join(", ")
        )
    };
    let insert = |attributes: Vec<(String, String)>| {
        let (names, values): (Vec<String>, Vec<String>) = parameters
            .iter()
            .map(|(name, value)| (format!("\"{name}\""), value.clone()))
            .chain(attributes)
            .unzip();
        format!(
            "INSERT INTO {table} ({}) VALUES ({})",
            names.join(", "),
            values.join(", ")
        )
    };
    let whole = |body: &Value| format!(" @@json = {}", quoted(&body.to_string()));
    match (write.method.as_str(), &write.sent) {
        ("DELETE", None) => {
            let conditions: Vec<String> = parameters
                .iter()
                .map(|(name, value)| format!("\"{name}\" = {value}"))
                .collect();
            vec![
                (
                    format!("DELETE FROM {table} WHERE {}", conditions.join(" AND ")),
                    Names::Written,
                ),
                (exec(&[], ""), Names::Written),
            ]
        }
        ("PUT", Some(body)) => vec![
            (insert(top(body)), Names::Written),
            (insert(leaves(body)), Names::Document),
            (exec(&[], &whole(body)), Names::Written),
        ],
        (_, None) => vec![(exec(&[], ""), Names::Written)],
        (_, Some(body)) => {
            let arguments = |of: Vec<(String, String)>| -> Vec<String> {
                of.iter()
                    .map(|(name, value)| format!("@{name} = {value}"))
                    .collect()
            };
            vec![
                (exec(&[], &whole(body)), Names::Written),
                (exec(&arguments(top(body)), ""), Names::Written),
                (exec(&arguments(leaves(body)), ""), Names::Document),
            ]
        }
    }
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// A value as SQL: text for text, JSON text for objects and arrays.
fn literal(value: &Value) -> String {
    match value {
        Value::String(text) => quoted(text),
        Value::Object(_) | Value::Array(_) => quoted(&value.to_string()),
        // NULL alone leaves the attribute out.
        Value::Null => "'null'::json".to_owned(),
        other => other.to_string(),
    }
}

fn top(body: &Value) -> Vec<(String, String)> {
    let attributes = body.as_object().unwrap().iter();
    attributes
        .map(|(name, value)| (name.clone(), literal(value)))
        .collect()
}

/// Every attribute that is no object, by its dotted name; arrays and empty objects are values.
fn leaves(body: &Value) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for (name, value) in body.as_object().unwrap() {
        match value {
            Value::Object(inner) if !inner.is_empty() => {
                let inner = leaves(value).into_iter();
                found.extend(inner.map(|(rest, value)| (format!("{name}.{rest}"), value)));
            }
            other => found.push((name.clone(), literal(other))),
        }
    }
    found
}

/// The write was sent once, as it was recorded; whatever else was asked is in the recording.
fn compare_requests(
    stage: &Stage,
    write: &Conversation,
    names: Names,
    class: CallClass,
) -> Result<(), String> {
    let (writes, polls): (Vec<&Asked>, Vec<&Asked>) =
        stage.asked.iter().partition(|asked| asked.method != "GET");
    // A POST that only asks may be sent again after a 500.
    let [first] = writes.as_slice() else {
        return match (writes.as_slice(), class) {
            ([first, ..], CallClass::Read) => compare_write(first, write, names),
            _ => Err(format!("{} writes: {writes:?}", writes.len())),
        };
    };
    compare_write(first, write, names)?;
    for poll in polls {
        let recorded = (1..stage.script.len()).any(|at| stage.is_at(at, &poll.target));
        if !recorded {
            return Err(format!("asked for what was not recorded: {}", poll.target));
        }
    }
    Ok(())
}

fn compare_write(asked: &Asked, write: &Conversation, names: Names) -> Result<(), String> {
    if asked.method != write.method {
        return Err(format!("{} instead of {}", asked.method, write.method));
    }
    compare_target(&asked.target, write)?;
    let sent = match asked.body.as_slice() {
        [] => None,
        body => Some(serde_json::from_slice::<Value>(body).map_err(|error| error.to_string())?),
    };
    let same = match names {
        Names::Written => sent == write.sent,
        Names::Document => sent.as_ref().map(lowered) == write.sent.as_ref().map(lowered),
    };
    if !same {
        return Err(format!("sent {sent:?} instead of {:?}", write.sent));
    }
    if sent.is_some() && asked.content_type != write.sent_type {
        return Err(format!(
            "sent as {:?} instead of {:?}",
            asked.content_type, write.sent_type
        ));
    }
    match asked.request_id.as_deref() {
        Some(id) if is_uuid(id) => Ok(()),
        other => Err(format!("x-ms-client-request-id: {other:?}")),
    }
}

/// A value with the names of its attributes in lower case.
fn lowered(value: &Value) -> Value {
    match value {
        Value::Object(attributes) => {
            let attributes = attributes.iter();
            let lower = |(name, value): (&String, &Value)| (name.to_lowercase(), lowered(value));
            Value::Object(attributes.map(lower).collect())
        }
        Value::Array(items) => Value::Array(items.iter().map(lowered).collect()),
        other => other.clone(),
    }
}

fn is_uuid(text: &str) -> bool {
    let groups: Vec<usize> = text.split('-').map(str::len).collect();
    let hex = text
        .bytes()
        .all(|byte| byte == b'-' || byte.is_ascii_hexdigit());
    hex && groups == [8, 4, 4, 4, 12]
}

/// The row is what the last answer says.
fn compare_answer(
    stage: &Stage,
    answer: Result<Answer, restable_engine::Error>,
    write: &Conversation,
) -> Result<(), String> {
    let code = write.body["error"]["code"].as_str();
    let answer = match (answer, code) {
        // A method that only asks has no row of its own to fail.
        (Err(error), Some(code)) if error.to_string().contains(code) => return Ok(()),
        (Err(error), _) => return Err(error.to_string()),
        (Ok(answer), _) => answer,
    };
    let cell = |name: &str| {
        answer
            .column(name)
            .first()
            .copied()
            .flatten()
            .map(str::to_owned)
    };
    let expected = match (code, write.status) {
        (Some(_), _) => "Failed",
        (None, 204) => "Absent",
        (None, _) => "Succeeded",
    };
    if answer.rows.len() != 1 || cell("status").as_deref() != Some(expected) {
        return Err(format!("not one row that is {expected}: {:?}", answer.rows));
    }
    if cell("error_code").as_deref() != code {
        return Err(format!(
            "error_code {:?} instead of {code:?}",
            cell("error_code")
        ));
    }
    let last = stage.played.last().map(|&at| &stage.script[at]);
    let result = last.map(|one| one.body.get("jobId").unwrap_or(&Value::Null));
    match result.and_then(Value::as_str) {
        Some(job) if cell("jobId").as_deref() != Some(job) => {
            Err(format!("jobId {:?} instead of {job}", cell("jobId")))
        }
        _ => Ok(()),
    }
}
