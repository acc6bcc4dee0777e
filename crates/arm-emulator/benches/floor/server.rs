//! The page server: each answer is rendered once, by an emulator in this process, and then sent as the bytes that it is. It remembers
//! which pages were asked for since the last reset, and which follows which. With `--rate-mb N` all its answers share a link that takes
//! N megabytes a second.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use arm_emulator::{Emulator, Estate, Options as EmulatorOptions};
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpListener, TcpStream};

use crate::wire::{Buffer, Options, header, status_and_length};

/// What the server has and what it was asked.
#[derive(Debug, Default)]
struct Store {
    /// Whole answers by their target (path and query).
    pages: HashMap<String, Arc<Page>>,
    asked: Vec<String>,
    rendered: usize,
}

#[derive(Debug)]
struct Page {
    answer: Vec<u8>,
    body: usize,
    next: Option<String>,
}

#[derive(Debug)]
struct Server {
    emulator: Emulator,
    latency: Duration,
    link: Option<Link>,
    store: Mutex<Store>,
}

/// The link to all clients.
#[derive(Debug)]
struct Link {
    bytes_per_second: f64,
    /// When what was put on it will have gone.
    free: Mutex<Instant>,
}

/// So much is put on the link at once.
const PIECE: usize = 64 * 1024;
/// What a link that was not used for a moment makes up for: a sleep may last this much too long.
const SLACK: Duration = Duration::from_millis(3);

impl Link {
    /// Puts bytes on the link; how long until they have gone.
    fn put(&self, bytes: usize) -> Duration {
        let now = Instant::now();
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        let from = now
            .checked_sub(SLACK)
            .map_or(*free, |least| least.max(*free));
        *free = from + Duration::from_secs_f64(bytes as f64 / self.bytes_per_second);
        free.saturating_duration_since(now)
    }
}

/// Serves until the process is ended. The first line on stdout is the URL.
pub async fn serve(options: &Options) -> Result<String, String> {
    let estate: Estate = options
        .text("estate")?
        .parse()
        .map_err(|problem| format!("{problem}"))?;
    let emulator = Emulator::start(EmulatorOptions {
        estate,
        page_size: options.number("page-size", 200)?,
        require_token: false,
        gzip: false,
        journal_capacity: 0,
        ..EmulatorOptions::default()
    });
    let emulator = emulator.await.map_err(|problem| problem.to_string())?;
    let latency = u64::try_from(options.number("latency-ms", 0)?).unwrap_or(0);
    let rate = options.number("rate-mb", 0)?;
    let link = (rate > 0).then(|| Link {
        bytes_per_second: rate as f64 * 1e6,
        free: Mutex::new(Instant::now()),
    });
    let listener = TcpListener::bind("127.0.0.1:0")
        .await
        .map_err(|problem| problem.to_string())?;
    let address = listener
        .local_addr()
        .map_err(|problem| problem.to_string())?;
    println!("http://{address}");
    let server = Arc::new(Server {
        emulator,
        latency: Duration::from_millis(latency),
        link,
        store: Mutex::default(),
    });
    loop {
        let (stream, _) = listener
            .accept()
            .await
            .map_err(|problem| problem.to_string())?;
        let server = Arc::clone(&server);
        tokio::spawn(async move {
            // A client that goes away is no error of the server.
            server.connection(stream).await.ok();
        });
    }
}

impl Server {
    fn store(&self) -> MutexGuard<'_, Store> {
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn connection(&self, mut stream: TcpStream) -> Result<(), String> {
        stream
            .set_nodelay(true)
            .map_err(|problem| problem.to_string())?;
        let mut buffer = Buffer::new(0);
        while let Some(head) = buffer.head(&mut stream).await? {
            let mut words = head.split(' ');
            let (method, target) = (
                words.next().unwrap_or_default(),
                words.next().unwrap_or_default().to_owned(),
            );
            if method != "GET" {
                let answer = b"HTTP/1.1 405 Method Not Allowed\r\ncontent-length: 0\r\n\r\n";
                stream
                    .write_all(answer)
                    .await
                    .map_err(|problem| problem.to_string())?;
                continue;
            }
            if let Some(what) = target.strip_prefix("/_floor/") {
                let text = self.control(what);
                let answer = whole(200, text.as_bytes());
                stream
                    .write_all(&answer)
                    .await
                    .map_err(|problem| problem.to_string())?;
                continue;
            }
            let page = self.page(&head, &target).await?;
            if !self.latency.is_zero() {
                tokio::time::sleep(self.latency).await;
            }
            self.send(&mut stream, &page.answer).await?;
        }
        Ok(())
    }

    async fn send(&self, stream: &mut TcpStream, answer: &[u8]) -> Result<(), String> {
        let piece = self.link.as_ref().map_or(answer.len().max(1), |_| PIECE);
        for piece in answer.chunks(piece) {
            if let Some(link) = &self.link {
                let wait = link.put(piece.len());
                // Timers count in milliseconds.
                if wait > Duration::from_millis(1) {
                    tokio::time::sleep(wait).await;
                }
            }
            let sent = stream.write_all(piece).await;
            sent.map_err(|problem| problem.to_string())?;
        }
        Ok(())
    }

    /// `reset` forgets what was asked; `asked` says how many pages and bytes that were and how many of them had to be rendered; `plan`
    /// has a line for each list, with its pages in their order.
    fn control(&self, what: &str) -> String {
        let mut store = self.store();
        match what {
            "reset" => {
                store.asked.clear();
                store.rendered = 0;
                String::new()
            }
            "asked" => {
                let bytes: usize = store
                    .asked
                    .iter()
                    .filter_map(|target| store.pages.get(target))
                    .map(|page| page.body)
                    .sum();
                let (calls, rendered) = (store.asked.len(), store.rendered);
                format!(r#"{{"calls":{calls},"bytes":{bytes},"rendered":{rendered}}}"#)
            }
            "plan" => store.plan(),
            _ => format!("there is no `{what}`"),
        }
    }

    async fn page(&self, head: &str, target: &str) -> Result<Arc<Page>, String> {
        {
            let mut store = self.store();
            store.asked.push(target.to_owned());
            if let Some(page) = store.pages.get(target) {
                return Ok(Arc::clone(page));
            }
            store.rendered += 1;
        }
        let host = header(head, "host").unwrap_or("127.0.0.1");
        let mut stream = TcpStream::connect(self.emulator.address())
            .await
            .map_err(|problem| problem.to_string())?;
        let request = format!("GET {target} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n");
        stream
            .write_all(request.as_bytes())
            .await
            .map_err(|problem| problem.to_string())?;
        let mut buffer = Buffer::new(1 << 20);
        let answer = buffer
            .head(&mut stream)
            .await?
            .ok_or("the emulator is gone")?;
        let (status, length) = status_and_length(&answer)?;
        let mut body = Vec::with_capacity(length);
        buffer
            .body(&mut stream, length, |piece| body.extend_from_slice(piece))
            .await?;
        let page = Arc::new(Page {
            answer: whole(status, &body),
            body: body.len(),
            next: next_target(&body),
        });
        self.store()
            .pages
            .insert(target.to_owned(), Arc::clone(&page));
        Ok(page)
    }
}

impl Store {
    fn plan(&self) -> String {
        let next = |target: &String| self.pages.get(target).and_then(|page| page.next.clone());
        let asked: HashSet<&String> = self.asked.iter().collect();
        let later: HashSet<String> = asked.iter().filter_map(|target| next(target)).collect();
        let mut plan = String::new();
        let mut planned = HashSet::new();
        for first in &self.asked {
            if later.contains(first) || !planned.insert(first) {
                continue;
            }
            let mut at = Some(first.clone());
            while let Some(target) = at.filter(|target| asked.contains(target)) {
                plan.push_str(&target);
                plan.push(' ');
                at = next(&target);
            }
            plan.push('\n');
        }
        plan
    }
}

fn whole(status: u16, body: &[u8]) -> Vec<u8> {
    let head = format!(
        "HTTP/1.1 {status} OK\r\ncontent-type: application/json; charset=utf-8\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    let mut answer = head.into_bytes();
    answer.extend_from_slice(body);
    answer
}

/// The target of the link at the end of a page.
fn next_target(body: &[u8]) -> Option<String> {
    const KEY: &str = "\"nextLink\":\"";
    let tail = String::from_utf8_lossy(&body[body.len().saturating_sub(8192)..]).into_owned();
    let link = &tail[tail.rfind(KEY)? + KEY.len()..];
    let link = &link[..link.find('"')?];
    let path = link.splitn(4, '/').nth(3)?;
    Some(format!("/{path}"))
}
