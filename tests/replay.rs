//! Recorded conversations with Azure (`$RESTABLE_RECORDINGS`, by default `../shared/data/recordings`). A small server plays
//! what Azure answered; for every recorded GET the SELECT that makes this request runs, and its rows must be what was
//! recorded. A conversation that no SELECT makes is a failure, unless it is a part of an action: those wait for EXEC, and
//! are counted.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::{Request, Response};
use restable_spec::{Builtin, Kind, Location, Registry, Resource};
use serde_json::Value;
use url::Url;

use crate::rig::{Answer, ask, decode, engine, report, run, settings, shared};

const AZURE: &str = "https://management.azure.com";

/// One recorded request with its answer.
#[derive(Debug, Clone)]
struct Conversation {
    /// File and number.
    name: String,
    method: String,
    url: Url,
    status: u16,
    headers: Vec<(String, String)>,
    body: Value,
}

fn load(folder: &Path) -> Vec<Conversation> {
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.retain(|file| {
        file.extension()
            .is_some_and(|extension| extension == "json")
    });
    files.sort();
    let mut found = Vec::new();
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        let recording: Value = serde_json::from_str(&text).unwrap();
        for (number, interaction) in recording["interactions"]
            .as_array()
            .unwrap()
            .iter()
            .enumerate()
        {
            let (request, response) = (&interaction["request"], &interaction["response"]);
            let text = |value: &Value| value.as_str().map(str::to_owned);
            let headers = response["headers"].as_object().into_iter().flatten();
            found.push(Conversation {
                name: format!("{}#{number}", file.file_name().unwrap().to_string_lossy()),
                method: text(&request["method"]).unwrap(),
                url: Url::parse(request["url"].as_str().unwrap()).unwrap(),
                status: u16::try_from(response["status"].as_u64().unwrap()).unwrap(),
                headers: headers
                    .filter_map(|(name, value)| Some((name.clone(), text(value)?)))
                    .collect(),
                body: response["body"].clone(),
            });
        }
    }
    found
}

impl Conversation {
    /// The query without the parts of a signed link, which no document knows.
    fn query(&self) -> BTreeMap<String, String> {
        let signed = |name: &str| matches!(name, "t" | "c" | "s" | "h");
        self.url
            .query_pairs()
            .into_owned()
            .filter(|(name, _)| !signed(name))
            .collect()
    }

    fn segments(&self) -> Vec<String> {
        self.url.path_segments().unwrap().map(decode).collect()
    }

    /// A request that a client makes only because an action told it to.
    fn is_poll(&self) -> bool {
        ["/operationStatus/", "/operationResults/"]
            .iter()
            .any(|part| self.url.path().contains(part))
    }

    /// Whether the recording has the body, and not only words about it.
    fn is_transcribed(&self) -> bool {
        !self.body.is_string()
    }
}

/// What the server plays now, and what it was asked for.
#[derive(Debug, Default)]
struct Stage {
    plays: Option<Conversation>,
    asked: Vec<String>,
}

type Shared = Arc<Mutex<Stage>>;

async fn play(State(stage): State<Shared>, request: Request<Body>) -> Response<Body> {
    let mut stage = stage.lock().unwrap();
    stage.asked.push(request.uri().to_string());
    let host = request.headers()["host"].to_str().unwrap().to_owned();
    let conversation = stage.plays.as_ref().unwrap();
    let mut response = Response::builder().status(conversation.status);
    for (name, value) in &conversation.headers {
        // Length and encoding are the server's own business.
        if !["content-length", "content-encoding", "transfer-encoding"]
            .contains(&name.to_lowercase().as_str())
        {
            response = response.header(name, here(value, &host));
        }
    }
    let mut body = conversation.body.clone();
    if let Some(Value::String(link)) = body.get_mut("nextLink") {
        *link = here(link, &host);
    }
    let bytes = match &body {
        Value::Null => Vec::new(),
        Value::String(text) => text.clone().into_bytes(),
        body => serde_json::to_vec(body).unwrap(),
    };
    response.body(Body::from(bytes)).unwrap()
}

fn here(text: &str, host: &str) -> String {
    text.replace(AZURE, &format!("http://{host}"))
}

/// Parameters and their values.
type Bindings = Vec<(String, String)>;

/// The table whose reader makes this request, and the values of its parameters.
fn table_for(
    registry: &Registry,
    conversation: &Conversation,
) -> Option<(Arc<Resource>, Bindings)> {
    let segments = conversation.segments();
    let provider = registry.provider("azure")?;
    let names: Vec<String> = provider
        .services()
        .map(|entry| entry.name.clone())
        .collect();
    for service in names
        .iter()
        .filter_map(|name| provider.service(name).unwrap())
    {
        for resource in service
            .resources
            .values()
            .filter(|resource| resource.view.is_none())
        {
            for method in resource.readers() {
                let template = method.path.segments();
                let spans = method
                    .parameters
                    .iter()
                    .any(|parameter| parameter.spans_segments);
                if spans || template.len() != segments.len() {
                    continue;
                }
                let same = template.iter().zip(&segments).all(|(part, value)| {
                    part.literal()
                        .is_none_or(|literal| literal.eq_ignore_ascii_case(value))
                });
                if same {
                    let bound = template.iter().zip(&segments);
                    let bound = bound.filter_map(|(part, value)| {
                        Some((part.parameter()?.to_owned(), value.clone()))
                    });
                    return Some((Arc::clone(resource), bound.collect()));
                }
            }
        }
    }
    None
}

fn select(
    resource: &Resource,
    path: &[(String, String)],
    query: &BTreeMap<String, String>,
) -> String {
    let known = |name: &str| {
        resource
            .parameter(name)
            .is_some_and(|parameter| parameter.location == Location::Query)
    };
    let query = query
        .iter()
        .filter(|(name, _)| known(name))
        .map(|(name, value)| (name.clone(), value.clone()));
    let conditions: Vec<String> = path
        .iter()
        .cloned()
        .chain(query)
        .map(|(name, value)| format!("\"{name}\" = '{}'", value.replace('\'', "''")))
        .collect();
    format!(
        "SELECT * FROM {} WHERE {}",
        resource.full_name(),
        conditions.join(" AND ")
    )
}

/// The rows that a recorded body has, with the columns of the table.
fn recorded_rows(resource: &Resource, body: &Value) -> Result<Vec<Vec<Option<Value>>>, String> {
    let items = match body.get("value") {
        Some(Value::Array(items)) => items.clone(),
        _ => vec![body.clone()],
    };
    let mut rows = Vec::new();
    for item in &items {
        for attribute in item.as_object().ok_or("a row that is no object")?.keys() {
            if resource.field(attribute).is_none() {
                return Err(format!(
                    "the table has no column for the recorded attribute `{attribute}`"
                ));
            }
        }
        let value = |name: &str| item.get(name).filter(|value| !value.is_null()).cloned();
        rows.push(
            resource
                .fields
                .iter()
                .map(|field| value(&field.name))
                .collect(),
        );
    }
    Ok(rows)
}

fn compare(resource: &Resource, answer: &Answer, body: &Value) -> Result<(), String> {
    let recorded = recorded_rows(resource, body)?;
    let columns: Vec<&str> = resource
        .fields
        .iter()
        .map(|field| field.name.as_str())
        .collect();
    if answer.columns != columns && !recorded.is_empty() {
        return Err(format!(
            "columns {:?} instead of {columns:?}",
            answer.columns
        ));
    }
    if answer.rows.len() != recorded.len() {
        return Err(format!(
            "{} rows instead of {}",
            answer.rows.len(),
            recorded.len()
        ));
    }
    for (row, (shown, recorded)) in answer.rows.iter().zip(&recorded).enumerate() {
        for ((field, shown), recorded) in resource.fields.iter().zip(shown).zip(recorded) {
            let read = |text: &String| match field.kind {
                Kind::Text => Ok(Value::String(text.clone())),
                _ => serde_json::from_str(text)
                    .map_err(|error| format!("`{}` is no JSON: {error}", field.name)),
            };
            let shown = shown.as_ref().map(read).transpose()?;
            if &shown != recorded {
                return Err(format!(
                    "row {row}, `{}`: {shown:?} instead of {recorded:?}",
                    field.name
                ));
            }
        }
    }
    Ok(())
}

/// What asked for is the recorded request and nothing else.
fn compare_request(asked: &[String], conversation: &Conversation) -> Result<(), String> {
    let [asked] = asked else {
        return Err(format!("{} requests: {asked:?}", asked.len()));
    };
    let asked = Url::parse(&format!("{AZURE}{asked}")).unwrap();
    let segments: Vec<String> = asked.path_segments().unwrap().map(decode).collect();
    if segments != conversation.segments() {
        return Err(format!(
            "asked for {} instead of {}",
            asked.path(),
            conversation.url.path()
        ));
    }
    let query: BTreeMap<String, String> = asked.query_pairs().into_owned().collect();
    if query != conversation.query() {
        return Err(format!(
            "asked with {query:?} instead of {:?}",
            conversation.query()
        ));
    }
    Ok(())
}

async fn replay(
    url: &str,
    stage: &Shared,
    registry: &Registry,
    conversation: &Conversation,
) -> Result<(), String> {
    let Some((resource, path)) = table_for(registry, conversation) else {
        return Err("no table makes this request".to_owned());
    };
    let sql = select(&resource, &path, &conversation.query());
    *stage.lock().unwrap() = Stage {
        plays: Some(conversation.clone()),
        asked: Vec::new(),
    };
    let session = engine(url, vec![Arc::new(Builtin)])
        .session(settings())
        .unwrap();
    let answer = ask(&session, &sql).await;
    compare_request(&stage.lock().unwrap().asked, conversation)
        .map_err(|error| format!("{error}\n    {sql}"))?;
    let code = conversation.body["error"]["code"].as_str();
    let done = match (answer, code) {
        (Err(_), None) if !conversation.is_transcribed() => Ok(()),
        (Err(error), None) => Err(error.to_string()),
        (Ok(_), None) if !conversation.is_transcribed() => {
            Err("rows out of a body that is no JSON".to_owned())
        }
        (Ok(answer), None) => compare(&resource, &answer, &conversation.body),
        // What does not exist has no rows; every other error is told with Azure's own words.
        (Ok(answer), Some(code)) if conversation.status == 404 && code.ends_with("NotFound") => {
            if answer.rows.is_empty() {
                Ok(())
            } else {
                Err("rows out of an error".to_owned())
            }
        }
        (Ok(_), Some(code)) => Err(format!("`{code}` became an answer")),
        (Err(error), Some(code)) => {
            let message = conversation.body["error"]["message"]
                .as_str()
                .unwrap_or_default();
            let text = error.to_string();
            let told = text.contains(code) && text.contains(message.trim_end_matches('.'));
            if told {
                Ok(())
            } else {
                Err(format!("the error hides Azure's own: {error}"))
            }
        }
    };
    done.map_err(|error| format!("{error}\n    {sql}"))
}

#[test]
fn recorded_conversations_give_the_recorded_rows() {
    let Some(folder) = shared("RESTABLE_RECORDINGS", "../shared/data/recordings") else {
        report("recordings absent: 0 replayed");
        return;
    };
    let conversations = load(&folder);
    let (reads, actions): (Vec<_>, Vec<_>) =
        conversations.iter().partition(|one| one.method == "GET");
    let registry = Registry::open(vec![Arc::new(Builtin)]).unwrap();
    // Some polls go where no document has a path: Azure's links are its own.
    let (polls, reads): (Vec<_>, Vec<_>) = reads
        .into_iter()
        .partition(|one| one.is_poll() && table_for(&registry, one).is_none());
    let mut failures = Vec::new();
    run(async {
        let stage = Shared::default();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new().fallback(play).with_state(Arc::clone(&stage));
        let server = tokio::spawn(async move { axum::serve(listener, router).await });
        for conversation in &reads {
            if let Err(failure) = replay(&url, &stage, &registry, conversation).await {
                failures.push(format!(
                    "{} {}: {failure}",
                    conversation.name,
                    conversation.url.path()
                ));
            }
        }
        server.abort();
    });
    let untold = reads.iter().filter(|one| !one.is_transcribed()).count();
    report(&format!(
        "replayed {} of {} read conversations",
        reads.len() - failures.len(),
        reads.len()
    ));
    report(&format!(
        "{untold} of them recorded without a body, which must be an error"
    ));
    report(&format!(
        "{} actions and {} polls of theirs wait for EXEC",
        actions.len(),
        polls.len()
    ));
    assert!(!reads.is_empty(), "no recording in {}", folder.display());
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}
