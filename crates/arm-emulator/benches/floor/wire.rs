//! Just enough HTTP/1.1 for two processes on one machine: heads of requests and of answers with a `Content-Length`.

use std::collections::HashMap;

use tokio::io::{AsyncRead, AsyncReadExt as _};

/// The longest head that is read.
const LONGEST_HEAD: usize = 64 * 1024;

/// Options of the command line: `--name value`.
#[derive(Debug, Default)]
pub struct Options(HashMap<String, String>);

impl Options {
    pub fn of(arguments: &[String]) -> Options {
        let pairs = arguments.chunks(2).filter_map(|pair| match pair {
            [name, value] => Some((name.trim_start_matches('-').to_owned(), value.clone())),
            _ => None,
        });
        Options(pairs.collect())
    }

    pub fn text(&self, name: &str) -> Result<&str, String> {
        let value = self.0.get(name).map(String::as_str);
        value.ok_or_else(|| format!("`--{name}` is missing"))
    }

    pub fn number(&self, name: &str, default: usize) -> Result<usize, String> {
        match self.0.get(name) {
            None => Ok(default),
            Some(text) => text
                .parse()
                .map_err(|_| format!("`--{name}` takes a number, not `{text}`")),
        }
    }
}

/// Bytes that were received and not used yet.
#[derive(Debug)]
pub struct Buffer {
    bytes: Vec<u8>,
    from: usize,
    to: usize,
}

impl Buffer {
    pub fn new(size: usize) -> Buffer {
        Buffer {
            bytes: vec![0; size.max(LONGEST_HEAD)],
            from: 0,
            to: 0,
        }
    }

    /// The next head, without its empty line; `None` where the connection ends before one begins.
    pub async fn head(
        &mut self,
        stream: &mut (impl AsyncRead + Unpin),
    ) -> Result<Option<String>, String> {
        let mut looked_at = 0;
        loop {
            let unread = &self.bytes[self.from..self.to];
            let end = unread[looked_at..]
                .windows(4)
                .position(|four| four == b"\r\n\r\n");
            if let Some(end) = end {
                let end = looked_at + end;
                let head = String::from_utf8_lossy(&unread[..end]).into_owned();
                self.from += end + 4;
                return Ok(Some(head));
            }
            looked_at = unread.len().saturating_sub(3);
            if unread.len() >= LONGEST_HEAD {
                return Err("a head without an end".to_owned());
            }
            self.bytes.copy_within(self.from..self.to, 0);
            (self.from, self.to) = (0, self.to - self.from);
            let read = stream.read(&mut self.bytes[self.to..]).await;
            match read.map_err(|problem| problem.to_string())? {
                0 if self.to == 0 => return Ok(None),
                0 => return Err("the connection ended within a head".to_owned()),
                more => self.to += more,
            }
        }
    }

    /// Hands on the next `length` bytes, piece by piece.
    pub async fn body(
        &mut self,
        stream: &mut (impl AsyncRead + Unpin),
        length: usize,
        mut take: impl FnMut(&[u8]),
    ) -> Result<(), String> {
        let at_hand = length.min(self.to - self.from);
        take(&self.bytes[self.from..self.from + at_hand]);
        self.from += at_hand;
        let mut left = length - at_hand;
        while left > 0 {
            // Everything before was used.
            (self.from, self.to) = (0, 0);
            let room = left.min(self.bytes.len());
            let read = stream.read(&mut self.bytes[..room]).await;
            match read.map_err(|problem| problem.to_string())? {
                0 => return Err("the connection ended within a body".to_owned()),
                more => {
                    take(&self.bytes[..more]);
                    left -= more;
                }
            }
        }
        Ok(())
    }
}

/// The status and the length of the body that the head of an answer tells.
pub fn status_and_length(head: &str) -> Result<(u16, usize), String> {
    let status = head
        .split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok())
        .ok_or("the answer has no status")?;
    let length = header(head, "content-length")
        .and_then(|length| length.parse().ok())
        .ok_or("the answer has no length")?;
    Ok((status, length))
}

/// The value of a header.
pub fn header<'h>(head: &'h str, name: &str) -> Option<&'h str> {
    head.split("\r\n").skip(1).find_map(|line| {
        let (own, value) = line.split_once(':')?;
        own.trim().eq_ignore_ascii_case(name).then(|| value.trim())
    })
}
