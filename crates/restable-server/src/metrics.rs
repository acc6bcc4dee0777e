//! Counters for Prometheus: `GET /metrics` in its text form, and nothing else. Who may read them is who can connect, so that it
//! listens on this machine only; they name no tenant, no scope and no table.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use restable_engine::counters::{BOUNDS, Counters, Histogram, Reading};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// How long a client may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// A longer request is none.
const REQUEST_BYTES: usize = 8 << 10;
/// So many are answered at once.
const AT_ONCE: usize = 16;

/// A listener for Prometheus.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    counters: Arc<Counters>,
}

impl Server {
    /// Listens. Nothing is answered before [`Server::run`].
    pub async fn bind(listen: SocketAddr, counters: Arc<Counters>) -> std::io::Result<Server> {
        let listener = TcpListener::bind(listen).await?;
        Ok(Server { listener, counters })
    }

    /// Where it listens.
    pub fn address(&self) -> std::io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Answers until it is dropped.
    pub async fn run(self) {
        let mut answering = tokio::task::JoinSet::new();
        loop {
            tokio::select! {
                accepted = self.listener.accept(), if answering.len() < AT_ONCE => match accepted {
                    Ok((stream, _)) => {
                        let counters = Arc::clone(&self.counters);
                        answering.spawn(async move {
                            let answered = tokio::time::timeout(PATIENCE, answer(stream, &counters));
                            if let Ok(Err(problem)) = answered.await {
                                tracing::debug!("metrics: {problem}");
                            }
                        });
                    }
                    Err(problem) => {
                        tracing::warn!("no connection for metrics is accepted: {problem}");
                        tokio::time::sleep(Duration::from_millis(100)).await;
                    }
                },
                Some(_) = answering.join_next() => {}
            }
        }
    }
}

/// One request, one answer; the connection is closed behind it.
async fn answer(mut stream: TcpStream, counters: &Counters) -> std::io::Result<()> {
    let mut request = Vec::new();
    let mut chunk = [0; 1024];
    while !request.windows(4).any(|end| end == b"\r\n\r\n") {
        let read = stream.read(&mut chunk).await?;
        if read == 0 {
            return Ok(());
        }
        request.extend_from_slice(&chunk[..read]);
        if request.len() > REQUEST_BYTES {
            return send(&mut stream, "431 Request Header Fields Too Large", "").await;
        }
    }
    let line = request.split(|byte| *byte == b'\r').next();
    let line = String::from_utf8_lossy(line.unwrap_or_default()).into_owned();
    let mut words = line.split(' ');
    let (method, path) = (words.next(), words.next().unwrap_or_default());
    let path = path.split('?').next().unwrap_or_default();
    match (method, path) {
        (Some("GET"), "/metrics") => {
            send(&mut stream, "200 OK", &exposition(&counters.read())).await
        }
        (Some("GET"), _) => send(&mut stream, "404 Not Found", "only /metrics is here\n").await,
        _ => send(&mut stream, "405 Method Not Allowed", "").await,
    }
}

async fn send(stream: &mut TcpStream, status: &str, body: &str) -> std::io::Result<()> {
    let head = format!(
        "HTTP/1.1 {status}\r\ncontent-type: text/plain; version=0.0.4; charset=utf-8\r\ncontent-length: {}\r\n\
         connection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(body.as_bytes()).await?;
    stream.shutdown().await
}

/// A reading in Prometheus' text form.
fn exposition(reading: &Reading) -> String {
    let mut text = String::new();
    let mut family = |name: &str, kind: &str, help: &str, lines: Vec<String>| {
        // Writing to memory does not fail.
        let _ = writeln!(text, "# HELP {name} {help}");
        let _ = writeln!(text, "# TYPE {name} {kind}");
        for line in lines {
            let _ = writeln!(text, "{name}{line}");
        }
    };
    let statements = reading.statements.iter().map(|((tag, how), count)| {
        let tag = if tag.is_empty() { "OTHER" } else { tag };
        format!("{{kind=\"{tag}\",outcome=\"{how}\"}} {count}")
    });
    family(
        "restable_statements_total",
        "counter",
        "Statements that have ended.",
        statements.collect(),
    );
    family(
        "restable_statements_running",
        "gauge",
        "Statements that run now.",
        vec![format!(" {}", reading.running)],
    );
    let durations = reading.durations.iter().flat_map(|(tag, times)| {
        let tag = if tag.is_empty() { "OTHER" } else { tag };
        histogram(&format!("kind=\"{tag}\""), times)
    });
    family(
        "restable_statement_duration_seconds",
        "histogram",
        "From the start of a statement to its last row.",
        durations.collect(),
    );
    let calls = reading.calls.iter().map(|((method, status), count)| {
        let status = match status {
            0 => "none".to_owned(),
            status => status.to_string(),
        };
        format!("{{method=\"{method}\",status=\"{status}\"}} {count}")
    });
    family(
        "restable_calls_total",
        "counter",
        "Calls of providers by their last status.",
        calls.collect(),
    );
    family(
        "restable_call_duration_seconds",
        "histogram",
        "From the first attempt of a call to the end of its answer, waits included.",
        histogram("", &reading.call_durations),
    );
    let numbers = [
        (
            "restable_call_retries_total",
            "Attempts beyond the first.",
            reading.retries.to_string(),
        ),
        (
            "restable_throttle_wait_seconds_total",
            "Time that calls waited because services throttle.",
            reading.throttle_wait.to_string(),
        ),
        (
            "restable_received_bytes_total",
            "Bytes of answers, decompressed.",
            reading.bytes.to_string(),
        ),
        (
            "restable_received_wire_bytes_total",
            "Bytes of answers as they came.",
            reading.wire_bytes.to_string(),
        ),
    ];
    for (name, help, value) in numbers {
        family(name, "counter", help, vec![format!(" {value}")]);
    }
    let doors = |of: fn(&(i64, u64)) -> String| {
        let all = reading.connections.iter();
        all.map(|(door, both)| format!("{{door=\"{door}\"}} {}", of(both)))
            .collect()
    };
    family(
        "restable_connections",
        "gauge",
        "Clients that are connected.",
        doors(|(now, _)| now.to_string()),
    );
    family(
        "restable_connections_total",
        "counter",
        "Clients that came in.",
        doors(|(_, all)| all.to_string()),
    );
    text
}

/// The lines of a histogram; buckets count all that are shorter, too.
fn histogram(labels: &str, times: &Histogram) -> Vec<String> {
    let with = |more: &str| match (labels, more) {
        ("", "") => String::new(),
        ("", more) => format!("{{{more}}}"),
        (labels, "") => format!("{{{labels}}}"),
        (labels, more) => format!("{{{labels},{more}}}"),
    };
    let mut sum = 0;
    let mut lines: Vec<String> = BOUNDS
        .iter()
        .zip(times.buckets)
        .map(|(bound, count)| {
            sum += count;
            format!("_bucket{} {sum}", with(&format!("le=\"{bound}\"")))
        })
        .collect();
    lines.push(format!("_bucket{} {}", with("le=\"+Inf\""), times.count));
    lines.push(format!("_sum{} {}", with(""), times.sum));
    lines.push(format!("_count{} {}", with(""), times.count));
    lines
}
