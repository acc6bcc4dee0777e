//! The floor reader: bare sockets, no parsing beyond the length of a body, every byte thrown away. It knows the pages beforehand, but
//! asks for the next page of a list only after the one before has come whole, as every client has to.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use crate::wire::{Buffer, Options, status_and_length};

type Lists = Arc<Mutex<VecDeque<Vec<String>>>>;

/// Makes the calls of a plan. Answers one line of JSON.
pub async fn read(options: &Options) -> Result<String, String> {
    let url = options.text("url")?;
    let address = url
        .strip_prefix("http://")
        .ok_or("`--url` is plain http")?
        .trim_end_matches('/')
        .to_owned();
    let plan = std::fs::read_to_string(options.text("plan")?)
        .map_err(|problem| format!("the plan: {problem}"))?;
    let lists: VecDeque<Vec<String>> = plan
        .lines()
        .map(|line| line.split_whitespace().map(str::to_owned).collect())
        .collect();
    let connections = options.number("concurrency", 64)?.min(lists.len()).max(1);
    let lists: Lists = Arc::new(Mutex::new(lists));
    let started = Instant::now();
    let mut readers = Vec::new();
    for _ in 0..connections {
        readers.push(tokio::spawn(connection(
            address.clone(),
            Arc::clone(&lists),
        )));
    }
    let (mut calls, mut bytes) = (0, 0);
    for reader in readers {
        let (own_calls, own_bytes) = reader.await.map_err(|problem| problem.to_string())??;
        calls += own_calls;
        bytes += own_bytes;
    }
    let seconds = started.elapsed().as_secs_f64();
    Ok(format!(
        r#"{{"calls":{calls},"bytes":{bytes},"seconds":{seconds:.6}}}"#
    ))
}

async fn connection(address: String, lists: Lists) -> Result<(usize, usize), String> {
    let mut stream = TcpStream::connect(&address)
        .await
        .map_err(|problem| problem.to_string())?;
    stream
        .set_nodelay(true)
        .map_err(|problem| problem.to_string())?;
    let mut buffer = Buffer::new(1 << 20);
    let (mut calls, mut bytes) = (0, 0);
    loop {
        let list = lists
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop_front();
        let Some(list) = list else {
            return Ok((calls, bytes));
        };
        for target in list {
            let request = format!("GET {target} HTTP/1.1\r\nhost: {address}\r\n\r\n");
            stream
                .write_all(request.as_bytes())
                .await
                .map_err(|problem| problem.to_string())?;
            let head = buffer.head(&mut stream).await?;
            let head = head.ok_or("the server is gone")?;
            let (status, length) = status_and_length(&head)?;
            if status >= 500 {
                return Err(format!("{target}: {status}"));
            }
            buffer.body(&mut stream, length, |_| ()).await?;
            calls += 1;
            bytes += length;
        }
    }
}
