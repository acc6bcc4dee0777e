//! Writes in recorded conversations with Azure (`$RESTABLE_RECORDINGS`, by default `../shared/data/recordings`): each is sent through
//! the journal and followed, every answer is the recorded one, and the end must be the recorded one as well.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use serde_json::Value;
use url::Url;

use super::scene::{ARM, Outcome, Scene, config, intent, write};
use crate::scripted::Reply;
use restable_spec::{BoundCall, FinalState, HttpMethod};

fn recordings() -> Option<PathBuf> {
    let folder = match std::env::var_os("RESTABLE_RECORDINGS") {
        Some(folder) => PathBuf::from(folder),
        None => Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/recordings"),
    };
    folder.is_dir().then_some(folder)
}

fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value
        .pointer(pointer)
        .and_then(Value::as_str)
        .unwrap_or_default()
}

fn method(interaction: &Value) -> Option<HttpMethod> {
    match text(interaction, "/request/method") {
        "POST" => Some(HttpMethod::Post),
        "PUT" => Some(HttpMethod::Put),
        "PATCH" => Some(HttpMethod::Patch),
        "DELETE" => Some(HttpMethod::Delete),
        _ => None,
    }
}

/// The key by which an answer is found: recorders shorten signatures to words in angle brackets, which a URL cannot hold.
fn key(method: &str, url: &str) -> Outcome<String> {
    Ok(format!("{method} {}", Url::parse(url)?))
}

fn reply(interaction: &Value) -> Reply {
    let status = interaction
        .pointer("/response/status")
        .and_then(Value::as_u64);
    let status = status
        .and_then(|status| u16::try_from(status).ok())
        .unwrap_or(500);
    let body = match interaction.pointer("/response/body") {
        None | Some(Value::Null) => String::new(),
        Some(body) => body.to_string(),
    };
    let headers = interaction
        .pointer("/response/headers")
        .and_then(Value::as_object);
    headers
        .into_iter()
        .flatten()
        .filter(|(name, _)| !name.eq_ignore_ascii_case("content-length"))
        .fold(Reply::plain(status, body), |reply, (name, value)| {
            reply.header(name, value.as_str().unwrap_or_default())
        })
}

fn call(interaction: &Value, http: HttpMethod) -> Outcome<BoundCall> {
    let url = Url::parse(text(interaction, "/request/url"))?;
    let body = interaction
        .pointer("/request/body")
        .filter(|body| !body.is_null());
    Ok(BoundCall {
        path: url.path().to_owned(),
        query: url.query_pairs().into_owned().collect(),
        body: body.map(Value::to_string),
        ..write(http)
    })
}

/// As the service's description says.
fn final_state(call: &BoundCall) -> FinalState {
    let action = call.path.rsplit('/').next().unwrap_or_default();
    match call.http {
        HttpMethod::Put | HttpMethod::Patch => FinalState::OriginalUri,
        HttpMethod::Delete => FinalState::None,
        _ if action == "backup" || action.starts_with("validate") => FinalState::Location,
        _ => FinalState::AsyncOperation,
    }
}

#[test]
fn recorded_writes() -> Outcome {
    let Some(folder) = recordings() else {
        return Ok(());
    };
    let mut replayed = 0;
    for file in std::fs::read_dir(folder)? {
        let file = file?.path();
        let recording: Value = serde_json::from_str(&std::fs::read_to_string(&file)?)?;
        let none = Vec::new();
        let interactions = recording["interactions"].as_array().unwrap_or(&none);
        for (at, interaction) in interactions.iter().enumerate() {
            let Some(http) = method(interaction) else {
                continue;
            };
            let call = call(interaction, http)?;
            let at_end = final_state(&call);
            let mut script = Vec::new();
            for later in &interactions[at..] {
                let url = text(later, "/request/url");
                script.push((key(text(later, "/request/method"), url)?, reply(later)));
            }
            let script = Mutex::new(script);
            let scene = Scene::answering(config(), move |request, _| {
                let asked = format!("{} {}", request.method, request.url);
                let mut script = script.lock().unwrap_or_else(PoisonError::into_inner);
                match script.iter().position(|(key, _)| *key == asked) {
                    Some(found) => script.remove(found).1,
                    None => Reply::plain(418, "not recorded"),
                }
            });
            let name = file.file_stem().unwrap_or_default().to_string_lossy();
            let at_url = call.path.clone();
            let (end, sent) = scene.end_of(intent(call, Some(at_end)))?;
            let place = format!("{name}: {http} {at_url}: {end}, {sent}");
            let expected = expected(interaction, http, at_end);
            assert!(end.starts_with(&expected), "{place} is not {expected}");
            assert!(!end.contains("418"), "{place}");
            assert!(
                scene.urls().iter().all(|url| url.starts_with(ARM)),
                "{place}"
            );
            replayed += 1;
        }
    }
    assert!(replayed > 0, "the recordings hold no write");
    Ok(())
}

/// How a recorded write began tells how it ended, since every recorded operation succeeded.
fn expected(interaction: &Value, http: HttpMethod, at: FinalState) -> String {
    let status = interaction["response"]["status"].as_u64().unwrap_or(0);
    let code = text(interaction, "/response/body/error/code");
    match (status, at) {
        (204, _) if http == HttpMethod::Delete => "Absent".to_owned(),
        (200 | 204, _) => format!("Done {status}"),
        (500.., _) => format!("Unknown {status} {code}"),
        (400.., _) => format!("Failed {status} {code}"),
        (_, FinalState::Location) => "Location {".to_owned(),
        (_, FinalState::OriginalUri) => "Resource {".to_owned(),
        (_, FinalState::AsyncOperation) => "Monitor {".to_owned(),
        (_, FinalState::None) => "Monitor nothing".to_owned(),
    }
}
