//! Recorded conversations with Azure (`$RESTABLE_RECORDINGS`, by default `../shared/data/recordings`). A small server plays
//! what Azure answered. For every recorded GET the SELECT that makes this request runs, and its rows must be what was
//! recorded; for every recorded write ([`writes`]) the INSERT, DELETE or EXEC, which must send what was recorded and ask for
//! nothing but the polls that were. A conversation that no statement makes is a failure.

mod writes;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::{Request, Response};
use restable_spec::{Builtin, HttpMethod, Kind, Location, Method, Registry, Resource};
use serde_json::Value;
use url::Url;

use crate::rig::{Answer, ask, decode, engine, report, run, settings, shared};

const AZURE: &str = "https://management.azure.com";

/// One recorded request with its answer.
#[derive(Debug, Clone)]
struct Conversation {
    /// File and number.
    name: String,
    file: String,
    method: String,
    url: Url,
    /// What was sent.
    sent: Option<Value>,
    sent_type: Option<String>,
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
            let file = file.file_name().unwrap().to_string_lossy().into_owned();
            let as_text = request["body_text"].as_str();
            found.push(Conversation {
                name: format!("{file}#{number}"),
                file,
                method: text(&request["method"]).unwrap(),
                url: Url::parse(request["url"].as_str().unwrap()).unwrap(),
                sent: match as_text {
                    Some(text) => Some(serde_json::from_str(text).unwrap()),
                    None => Some(request["body"].clone()).filter(|body| !body.is_null()),
                },
                sent_type: text(&request["headers"]["Content-Type"]),
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

/// What the server plays now, and what it was asked for. A request gets the first answer that is for it and was not played
/// yet; what was asked for more often than it was recorded gets its last answer again.
#[derive(Debug, Default)]
struct Stage {
    script: Vec<Conversation>,
    played: Vec<usize>,
    asked: Vec<Asked>,
}

/// A request that came.
#[derive(Debug)]
struct Asked {
    method: String,
    target: String,
    content_type: Option<String>,
    request_id: Option<String>,
    body: Vec<u8>,
}

impl Stage {
    fn of(script: Vec<Conversation>) -> Stage {
        Stage {
            script,
            ..Stage::default()
        }
    }

    /// Whether a conversation of the script is at this target. A poll that a write led to has the whole query of its link; the
    /// queries of others are compared later.
    fn is_at(&self, at: usize, target: &str) -> bool {
        let url = Url::parse(&format!("{AZURE}{target}")).unwrap();
        let own = &self.script[at];
        let pairs = |url: &Url| -> Vec<_> { url.query_pairs().into_owned().collect() };
        let follows = own.is_poll() && self.script[0].method != "GET";
        let segments: Vec<String> = url.path_segments().unwrap().map(decode).collect();
        segments == own.segments() && (!follows || pairs(&url) == pairs(&own.url))
    }

    /// The answer to a request.
    fn answer(&mut self, asked: &Asked) -> Option<Conversation> {
        let matching: Vec<usize> = (0..self.script.len())
            .filter(|&at| self.script[at].method == asked.method && self.is_at(at, &asked.target))
            .collect();
        let next = matching.iter().find(|at| !self.played.contains(at));
        let at = *next.or(matching.last())?;
        self.played.push(at);
        Some(self.script[at].clone())
    }
}

type Shared = Arc<Mutex<Stage>>;

async fn play(State(stage): State<Shared>, request: Request<Body>) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let header = |name: &str| Some(parts.headers.get(name)?.to_str().unwrap().to_owned());
    let asked = Asked {
        method: parts.method.to_string(),
        target: parts.uri.to_string(),
        content_type: header("content-type"),
        request_id: header("x-ms-client-request-id"),
        body: axum::body::to_bytes(body, usize::MAX).await.unwrap().into(),
    };
    let host = header("host").unwrap();
    let mut stage = stage.lock().unwrap();
    let conversation = stage.answer(&asked);
    stage.asked.push(asked);
    let Some(conversation) = conversation else {
        return Response::builder().status(418).body(Body::empty()).unwrap();
    };
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

/// What makes this request: table and method, and the values of the parameters in its path.
struct Maker {
    resource: Arc<Resource>,
    method: Arc<Method>,
    path: Bindings,
}

fn maker(registry: &Registry, conversation: &Conversation) -> Option<Maker> {
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
            let reads = conversation.method == "GET";
            let methods = resource.methods.values().filter(|method| match reads {
                true => resource
                    .readers()
                    .iter()
                    .any(|reader| Arc::ptr_eq(reader, method)),
                false => method.http.as_str() == conversation.method,
            });
            for method in methods.filter(|method| !reads || method.http == HttpMethod::Get) {
                if let Some(path) = bound(method, &segments) {
                    return Some(Maker {
                        resource: Arc::clone(resource),
                        method: Arc::clone(method),
                        path,
                    });
                }
            }
        }
    }
    None
}

/// The parameters of a method's path, if these are its segments.
fn bound(method: &Method, segments: &[String]) -> Option<Bindings> {
    let template = method.path.segments();
    let spans = method
        .parameters
        .iter()
        .any(|parameter| parameter.spans_segments);
    if spans || template.len() != segments.len() {
        return None;
    }
    let mut bound = Bindings::new();
    for (part, value) in template.iter().zip(segments) {
        match (part.literal(), part.parameter()) {
            (Some(literal), _) if !literal.eq_ignore_ascii_case(value) => return None,
            (None, Some(name)) => bound.push((name.to_owned(), value.clone())),
            _ => {}
        }
    }
    Some(bound)
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
fn compare_request(asked: &[Asked], conversation: &Conversation) -> Result<(), String> {
    let [asked] = asked else {
        return Err(format!("{} requests: {asked:?}", asked.len()));
    };
    compare_target(&asked.target, conversation)
}

fn compare_target(asked: &str, conversation: &Conversation) -> Result<(), String> {
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
    let Some(Maker { resource, path, .. }) = maker(registry, conversation) else {
        return Err("no table makes this request".to_owned());
    };
    let sql = select(&resource, &path, &conversation.query());
    *stage.lock().unwrap() = Stage::of(vec![conversation.clone()]);
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
fn recorded_conversations_are_made_by_statements() {
    let Some(folder) = shared("RESTABLE_RECORDINGS", "../shared/data/recordings") else {
        report("recordings absent: 0 replayed");
        return;
    };
    let conversations = load(&folder);
    assert!(
        !conversations.is_empty(),
        "no recording in {}",
        folder.display()
    );
    let registry = Registry::open(vec![Arc::new(Builtin)]).unwrap();
    let mut replayed = BTreeSet::new();
    let mut failures = Vec::new();
    run(async {
        let stage = Shared::default();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new().fallback(play).with_state(Arc::clone(&stage));
        let server = tokio::spawn(async move { axum::serve(listener, router).await });
        for (at, conversation) in conversations.iter().enumerate() {
            if conversation.method == "GET" {
                // Some polls go where no document has a path: Azure's links are its own, and the write that got them follows.
                if conversation.is_poll() && maker(&registry, conversation).is_none() {
                    continue;
                }
                match replay(&url, &stage, &registry, conversation).await {
                    Ok(()) => drop(replayed.insert(conversation.name.clone())),
                    Err(failure) => failures.push(format!("{}: {failure}", conversation.name)),
                }
            } else {
                match writes::replay(&url, &stage, &registry, &conversations[at..]).await {
                    Ok(names) => replayed.extend(names),
                    Err(failure) => failures.push(format!("{}: {failure}", conversation.name)),
                }
            }
        }
        server.abort();
    });
    for conversation in &conversations {
        if !replayed.contains(&conversation.name) {
            failures.push(format!(
                "{}: not replayed: {}",
                conversation.name,
                conversation.url.path()
            ));
        }
    }
    let writes = conversations
        .iter()
        .filter(|one| one.method != "GET")
        .count();
    let untold = conversations
        .iter()
        .filter(|one| one.method == "GET" && !one.is_transcribed())
        .count();
    report(&format!(
        "replayed {} of {}",
        replayed.len(),
        conversations.len()
    ));
    report(&format!(
        "{writes} of them writes; {untold} reads recorded without a body, which must be an error"
    ));
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}
