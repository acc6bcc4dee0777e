//! Owns the smallest HTTP client that can see everything: one connection for each request, headers as they were sent.

use std::io;
use std::time::Duration;

use arm_emulator::{ClockKind, Emulator, Estate, Options};
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

pub(crate) const PRODUCTION: &str = "8f3b1c52-6d2e-4f0a-9b7c-1e5a40d7c001";
pub(crate) const VAULT: &str = "/subscriptions/8f3b1c52-6d2e-4f0a-9b7c-1e5a40d7c001/resourceGroups/rg-backup-prod-weu/providers/Microsoft.DataProtection/backupVaults/bv-prod-weu";
pub(crate) const VERSION: &str = "api-version=2026-06-01";

/// An answer, as it came over the wire.
#[derive(Debug, Clone)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) raw: Vec<u8>,
}

impl Reply {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let found = self
            .headers
            .iter()
            .find(|(candidate, _)| candidate.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.raw).unwrap_or_default()
    }

    pub(crate) fn code(&self) -> String {
        self.json()["error"]["code"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    }
}

/// Options for tests: time moves by order only, answers name a fixed day.
pub(crate) fn options() -> Options {
    Options {
        clock: ClockKind::Manual,
        start_time: "2026-03-01T12:00:00.1234567Z".parse().ok(),
        ..Options::default()
    }
}

pub(crate) async fn demo() -> Emulator {
    Emulator::start(options()).await.unwrap()
}

pub(crate) async fn generated(
    subscriptions: u64,
    vaults: u64,
    instances: u64,
    page_size: usize,
) -> Emulator {
    let estate = Estate::Generated {
        subscriptions,
        vaults,
        instances,
    };
    Emulator::start(Options {
        estate,
        page_size,
        ..options()
    })
    .await
    .unwrap()
}

/// Sends a request with a token.
pub(crate) async fn send(
    emulator: &Emulator,
    method: &str,
    target: &str,
    body: Option<&str>,
) -> Reply {
    exchange(
        emulator,
        method,
        target,
        &[("authorization", "Bearer secret")],
        body,
    )
    .await
    .unwrap()
}

pub(crate) async fn get(emulator: &Emulator, target: &str) -> Reply {
    send(emulator, "GET", target, None).await
}

/// Sends a request with just these headers; an error is a connection that ended before the answer did.
pub(crate) async fn exchange(
    emulator: &Emulator,
    method: &str,
    target: &str,
    headers: &[(&str, &str)],
    body: Option<&str>,
) -> io::Result<Reply> {
    let target = target.strip_prefix(&emulator.url()).unwrap_or(target);
    let mut request = format!(
        "{method} {target} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n",
        emulator.address()
    );
    for (name, value) in headers {
        request.push_str(&format!("{name}: {value}\r\n"));
    }
    if let Some(body) = body {
        request.push_str(&format!(
            "content-type: application/json\r\ncontent-length: {}\r\n",
            body.len()
        ));
    }
    request.push_str("\r\n");
    request.push_str(body.unwrap_or_default());
    let work = async {
        let mut stream = TcpStream::connect(emulator.address()).await?;
        stream.write_all(request.as_bytes()).await?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await?;
        parse(&answer)
    };
    tokio::time::timeout(Duration::from_secs(20), work).await?
}

fn parse(answer: &[u8]) -> io::Result<Reply> {
    let ended = || io::Error::from(io::ErrorKind::UnexpectedEof);
    let head = answer
        .windows(4)
        .position(|window| window == b"\r\n\r\n")
        .ok_or_else(ended)?;
    let text = String::from_utf8_lossy(&answer[..head]).into_owned();
    let mut lines = text.split("\r\n");
    let status = lines
        .next()
        .and_then(|line| line.split(' ').nth(1)?.parse().ok())
        .ok_or_else(ended)?;
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    let reply = Reply {
        status,
        headers,
        raw: answer[head + 4..].to_vec(),
    };
    let length = reply
        .header("content-length")
        .and_then(|length| length.parse().ok())
        .unwrap_or(0);
    if reply.raw.len() < length {
        Err(ended())
    } else {
        Ok(reply)
    }
}

/// All items of a list, and how many pages they came on.
pub(crate) async fn walk(emulator: &Emulator, target: &str) -> (Vec<Value>, usize) {
    let mut items = Vec::new();
    let mut next = Some(target.to_owned());
    let mut pages = 0;
    while let Some(target) = next {
        let reply = get(emulator, &target).await;
        assert_eq!(reply.status, 200, "{target}");
        let mut page = reply.json();
        items.append(page["value"].as_array_mut().unwrap());
        next = page["nextLink"].as_str().map(str::to_owned);
        pages += 1;
    }
    (items, pages)
}

/// The full name of the demo instance whose name starts so.
pub(crate) async fn instance(emulator: &Emulator, start: &str) -> String {
    let (instances, _) = walk(emulator, &format!("{VAULT}/backupInstances?{VERSION}")).await;
    let mut names = instances
        .iter()
        .filter_map(|instance| instance["name"].as_str());
    names
        .find(|name| name.starts_with(start))
        .unwrap()
        .to_owned()
}

/// Polls until the operation that an answer announced has ended; gives its last status.
pub(crate) async fn wait(emulator: &Emulator, started: &Reply) -> Value {
    let link = started.header("azure-asyncoperation").unwrap().to_owned();
    emulator.advance(Duration::from_secs(1));
    get(emulator, &link).await.json()
}
