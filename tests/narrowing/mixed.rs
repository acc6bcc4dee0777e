//! An Azure that cannot decide how to spell: a server before the emulator that changes the case of names in ids, from list to list and from row to row, as
//! Azure's own services do. What a statement answers and costs must not depend on it.

use std::hash::{DefaultHasher, Hasher as _};
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::http::{Request, Response};
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// A server that spells names in its own way. It ends with this.
pub struct Mixed {
    pub url: String,
    task: JoinHandle<()>,
}

impl Drop for Mixed {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Mixed {
    /// Before the emulator at `address`; another `seed` is another spelling.
    pub async fn before(address: SocketAddr, seed: u64) -> Mixed {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let answer = move |request: Request<Body>| answer(address, seed, request);
        let app = Router::new().fallback(answer);
        let task = tokio::spawn(async move {
            axum::serve(listener, app).await.unwrap();
        });
        Mixed { url, task }
    }
}

async fn answer(address: SocketAddr, seed: u64, request: Request<Body>) -> Response<Body> {
    let target = request.uri().path_and_query().unwrap().as_str().to_owned();
    let host = request.headers()["host"].to_str().unwrap();
    let asked = format!(
        "{} {target} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n",
        request.method()
    );
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(asked.as_bytes()).await.unwrap();
    let mut answered = Vec::new();
    stream.read_to_end(&mut answered).await.unwrap();
    let text = String::from_utf8(answered).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    assert!(!head.to_lowercase().contains("chunked"), "{head}");
    let status: u16 = head.split(' ').nth(1).unwrap().parse().unwrap();
    let path = target.split('?').next().unwrap().to_lowercase();
    let body = match serde_json::from_str::<Value>(body) {
        Ok(mut json) => {
            spell(&mut json, &(seed, path));
            json.to_string()
        }
        Err(_) => body.to_owned(),
    };
    Response::builder()
        .status(status)
        .header("content-type", "application/json")
        .body(Body::from(body))
        .unwrap()
}

/// Changes the case of all ids, of the names of rows, and of ids of subscriptions. Most of a list is spelled alike.
fn spell(json: &mut Value, place: &(u64, String)) {
    match json {
        Value::Object(fields) => {
            for (name, value) in fields.iter_mut() {
                match value {
                    Value::String(text) if text.to_lowercase().starts_with("/subscriptions/") => {
                        *text = respelled(text, place);
                    }
                    Value::String(text) if matches!(&**name, "name" | "subscriptionId") => {
                        *text = cased(text, number(&(place, &*text)) / 7);
                    }
                    other => spell(other, place),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| spell(item, place)),
        _ => {}
    }
}

fn respelled(id: &str, place: &(u64, String)) -> String {
    let own = match number(&(place, id)) % 3 {
        0 => number(&(place, id)),
        _ => number(place),
    };
    let parts = id.split('/').enumerate();
    let parts = parts.map(|(at, part)| match at {
        // Names stand at these places, words of the path between them.
        2 | 4 | 8 | 10 | 12 => cased(part, own >> (2 * at)),
        _ => part.to_owned(),
    });
    parts.collect::<Vec<_>>().join("/")
}

fn cased(text: &str, how: u64) -> String {
    match how % 4 {
        0 => text.to_uppercase(),
        1 => text.to_lowercase(),
        2 => {
            let characters = text.chars().enumerate();
            let turned = characters.map(|(at, character)| match at % 2 {
                0 => character.to_ascii_uppercase(),
                _ => character.to_ascii_lowercase(),
            });
            turned.collect()
        }
        _ => text.to_owned(),
    }
}

fn number(what: &impl std::hash::Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    what.hash(&mut hasher);
    hasher.finish()
}

/// An engine on such a server.
pub fn engine(mixed: &Mixed) -> restable_engine::Engine {
    crate::rig::engine(&mixed.url, vec![Arc::new(restable_spec::Builtin)])
}
