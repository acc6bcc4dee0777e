//! The real transport against real listeners on loopback: what a scripted transport cannot show.

use std::future::Future;
use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::scene::{Outcome, binding, call, config, intent, read, write};
use crate::error::ErrorKind;
use crate::retry::RetryPolicy;
use crate::{CallContext, Client, ClientConfig, Effect, Error, Journal, Meter};
use futures::TryStreamExt;
use restable_spec::{BoundCall, HttpMethod};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use url::Url;

const PAGE: &str = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 15\r\nconnection: close\r\n\r\n{\"value\":[\"a\"]}";

/// Serves each connection with `serve`, which is told its number.
async fn listen<F, S>(serve: S) -> Outcome<SocketAddr>
where
    S: Fn(TcpStream, usize) -> F + Send + 'static,
    F: Future<Output = std::io::Result<()>> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move {
        for number in 0.. {
            let Ok((stream, _)) = listener.accept().await else {
                return;
            };
            tokio::spawn(serve(stream, number));
        }
    });
    Ok(address)
}

async fn request(stream: &mut TcpStream) -> std::io::Result<String> {
    let mut text = Vec::new();
    let mut piece = [0; 1024];
    while !text.windows(4).any(|window| window == b"\r\n\r\n") {
        let length = stream.read(&mut piece).await?;
        if length == 0 {
            break;
        }
        text.extend_from_slice(&piece[..length]);
    }
    Ok(String::from_utf8_lossy(&text).into_owned())
}

fn client(address: SocketAddr) -> Outcome<Client> {
    let retry = RetryPolicy {
        max_attempts: 3,
        backoff_base: Duration::from_millis(1),
        backoff_cap: Duration::from_millis(5),
        ..RetryPolicy::default()
    };
    let endpoint = Some(Url::parse(&format!("http://{address}"))?);
    Ok(Client::new(ClientConfig {
        endpoint,
        retry,
        read_timeout: Duration::from_millis(300),
        ..config()
    })?)
}

async fn list(client: &Client) -> (Result<Vec<Vec<String>>, Error>, crate::Totals) {
    let meter = Arc::new(Meter::new());
    let pages = client.pages(call("/list"), CallContext::new(Arc::clone(&meter)), read);
    (pages.try_collect().await, meter.totals())
}

#[tokio::test]
async fn broken_connections_are_tried_again() -> Outcome {
    type Fault = &'static str;
    let faults: [Fault; 5] = [
        "",
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 900\r\n\r\n{\"value\":[\"a\"]}",
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\nf\r\n{\"value\":[\"a\"]}\r\n",
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
        "HTTP/1.1 200 OK\r\ncontent-le",
    ];
    for fault in faults {
        let address = listen(move |mut stream, number| async move {
            let text = request(&mut stream).await?;
            assert!(
                text.starts_with("GET /list?api-version=1 HTTP/1.1\r\n")
                    && text.contains("accept: application/json\r\n")
            );
            stream
                .write_all(if number == 0 { fault } else { PAGE }.as_bytes())
                .await
        })
        .await?;
        let (pages, totals) = list(&client(address)?).await;
        assert_eq!(
            (pages?, totals.retries),
            (vec![vec!["a".to_owned()]], 1),
            "{fault:?}"
        );
    }
    Ok(())
}

#[tokio::test]
async fn a_reset_connection_is_tried_again() -> Outcome {
    let address = listen(|mut stream, number| async move {
        if number == 0 {
            // Closing with unread bytes resets the connection.
            stream.readable().await?;
            return Ok(());
        }
        request(&mut stream).await?;
        stream.write_all(PAGE.as_bytes()).await
    })
    .await?;
    let (pages, totals) = list(&client(address)?).await;
    assert_eq!((pages?.len(), totals.retries), (1, 1));
    Ok(())
}

#[tokio::test]
async fn a_silent_server_ends_at_the_read_timeout() -> Outcome {
    let address = listen(|mut stream, _| async move {
        request(&mut stream).await?;
        tokio::time::sleep(Duration::from_secs(60)).await;
        Ok(())
    })
    .await?;
    let (pages, _) = list(&client(address)?).await;
    assert_eq!(
        pages.err().map(|error| (error.kind, error.attempts)),
        Some((ErrorKind::Timeout, 3))
    );
    Ok(())
}

#[tokio::test]
async fn a_closed_port_is_no_connection() -> Outcome {
    let address = {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        listener.local_addr()?
    };
    let (pages, _) = list(&client(address)?).await;
    let error = pages.err().ok_or("connected to a closed port")?;
    assert_eq!((error.kind, error.attempts), (ErrorKind::Connect, 3));
    let text = error.to_string().to_ascii_lowercase();
    assert!(
        text.contains("refused") && !text.contains("http://"),
        "{text}"
    );
    Ok(())
}

#[tokio::test]
async fn plain_text_where_tls_is_due_fails_at_once() -> Outcome {
    let address = listen(|mut stream, _| async move {
        stream.readable().await?;
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await
    })
    .await?;
    let client = client(address)?;
    let mut config = client.config().clone();
    config.endpoint = Some(Url::parse(&format!("https://{address}"))?);
    let (pages, _) = list(&Client::new(config)?).await;
    assert_eq!(
        pages.err().map(|error| (error.kind, error.attempts)),
        Some((ErrorKind::Tls, 1))
    );
    Ok(())
}

/// Sends a write through a journal in a file.
async fn act(client: &Client, address: SocketAddr, call: BoundCall) -> Outcome<Effect> {
    let place = tempfile::tempdir()?;
    let journal = Journal::open(&place.path().join("journal.db"))?;
    let mut binding = binding();
    binding.endpoint = format!("http://{address}");
    let run = journal.begin(binding).await?;
    let permits = run.intend(vec![intent(call, None)]).await?;
    let permit = permits.into_iter().next().ok_or("no permit")?;
    let acted = client.act(permit, CallContext::new(Arc::default())).await;
    assert_eq!(acted.unrecorded, None);
    Ok(acted.effect)
}

#[tokio::test]
async fn a_write_without_a_body_says_so_once() -> Outcome {
    for http in [HttpMethod::Post, HttpMethod::Delete] {
        let (heard, mut hear) = tokio::sync::mpsc::unbounded_channel();
        let address = listen(move |mut stream, _| {
            let heard = heard.clone();
            async move {
                heard.send(request(&mut stream).await?).ok();
                stream
                    .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
                    .await
            }
        })
        .await?;
        let mut call = write(http);
        call.body = None;
        let effect = act(&client(address)?, address, call).await?;
        assert!(matches!(effect, Effect::Done(_)), "{effect:?}");
        let sent = hear.recv().await.ok_or("nothing came")?;
        assert_eq!(sent.matches("content-length: 0\r\n").count(), 1, "{sent}");
        assert!(!sent.contains("content-type") && !sent.contains("transfer-encoding"));
        assert!(sent.contains("x-ms-client-request-id: 8f2c\r\n"));
    }
    Ok(())
}

#[tokio::test]
async fn a_used_connection_that_closes_does_not_repeat_an_action() -> Outcome {
    let posts = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&posts);
    let address = listen(move |mut stream, _| {
        let counter = Arc::clone(&counter);
        async move {
            loop {
                let text = request(&mut stream).await?;
                if text.starts_with("POST") {
                    counter.fetch_add(1, Ordering::AcqRel);
                }
                if !text.starts_with("GET") {
                    // The request was read, and the connection ends without a word.
                    return Ok(());
                }
                stream
                    .write_all(PAGE.replace("connection: close\r\n", "").as_bytes())
                    .await?;
            }
        }
    })
    .await?;
    let client = client(address)?;
    assert_eq!(list(&client).await.0?.len(), 1);
    let effect = act(&client, address, write(HttpMethod::Post)).await?;
    assert!(matches!(effect, Effect::Unknown(_)), "{effect:?}");
    assert_eq!(posts.load(Ordering::Acquire), 1);
    Ok(())
}
