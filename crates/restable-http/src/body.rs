//! From the stream of an answer to its whole body: decompressed, counted on both sides, stopped at the cap, and never taken for
//! whole when it is not. It does not look at what the body says.

use std::io::{self, Write};
use std::time::Duration;

use bytes::Bytes;
use flate2::write::GzDecoder;
use futures::StreamExt;
use http::HeaderMap;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE};

use crate::clock::{Clock, within};
use crate::redact::{cut, escape};
use crate::transport::{Breakage, Response, TransportError};

/// A body is not reserved in advance beyond this, whatever its announced length.
const RESERVE: u64 = 1 << 20;

/// A whole body.
#[derive(Debug)]
pub(crate) struct Body {
    pub bytes: Bytes,
    pub wire: u64,
}

/// Why there is no whole body.
#[derive(Debug)]
pub(crate) enum BodyFault {
    /// It ended early, or its compression is broken: worth another attempt.
    Broken(TransportError),
    /// Silence for longer than the read timeout.
    TimedOut,
    /// More than the cap, decompressed.
    TooLarge,
    /// A compression that was not asked for.
    Encoding(String),
}

/// What happens at the cap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AtCap {
    /// The body is of no use.
    Refuse,
    /// Its beginning is enough.
    Cut,
}

/// Reads the body. `silence` limits the wait for each piece.
pub(crate) async fn read(
    mut response: Response,
    cap: usize,
    at_cap: AtCap,
    clock: &dyn Clock,
    silence: Duration,
) -> Result<Body, BodyFault> {
    let announced = length(&response.headers);
    let mut sink = Sink::of(&response.headers, cap, announced)?;
    let mut wire = 0;
    let mut whole = None;
    loop {
        let Some(piece) = within(clock, silence, response.body.next()).await else {
            return Err(BodyFault::TimedOut);
        };
        let piece = match piece {
            None => break,
            Some(Ok(piece)) => piece,
            Some(Err(error)) => return Err(BodyFault::Broken(error)),
        };
        let first = wire == 0;
        wire += piece.len() as u64;
        if first && sink.is_plain() && announced == Some(wire) && piece.len() <= cap {
            // It is the body as it stands: there is nothing to gather.
            whole = Some(piece);
            continue;
        }
        if let Err(error) = sink.write(&piece) {
            return match (sink.is_full(), at_cap) {
                (true, AtCap::Cut) => Ok(Body {
                    bytes: sink.so_far(),
                    wire,
                }),
                (true, AtCap::Refuse) => Err(BodyFault::TooLarge),
                (false, _) => Err(corrupt(&error)),
            };
        }
    }
    if announced.is_some_and(|announced| announced != wire) {
        let message = format!(
            "the body ended after {wire} bytes of {}",
            announced.unwrap_or_default()
        );
        return Err(BodyFault::Broken(TransportError::new(
            Breakage::Interrupted,
            message,
        )));
    }
    if let Some(bytes) = whole {
        return Ok(Body { bytes, wire });
    }
    let bytes = match sink.finish() {
        Ok(bytes) => bytes,
        Err(Unfinished::Full) if at_cap == AtCap::Refuse => return Err(BodyFault::TooLarge),
        Err(Unfinished::Full) => Bytes::new(),
        Err(Unfinished::Corrupt(error)) => return Err(corrupt(&error)),
    };
    Ok(Body { bytes, wire })
}

/// Whether the content type lets a body be data. A login page or an error page of a proxy is none.
pub(crate) fn check_content_type(headers: &HeaderMap) -> Result<(), String> {
    let Some(value) = headers.get(CONTENT_TYPE) else {
        return Ok(());
    };
    let text = String::from_utf8_lossy(value.as_bytes()).to_ascii_lowercase();
    let media = text.split(';').next().unwrap_or_default().trim();
    let data = media.is_empty()
        || media.ends_with("/json")
        || media.ends_with("+json")
        || matches!(media, "text/plain" | "application/octet-stream");
    if data {
        Ok(())
    } else {
        Err(format!(
            "the answer is `{}` where JSON is due",
            escape(&cut(media, 60))
        ))
    }
}

fn length(headers: &HeaderMap) -> Option<u64> {
    headers
        .get(CONTENT_LENGTH)?
        .to_str()
        .ok()?
        .trim()
        .parse()
        .ok()
}

fn corrupt(error: &io::Error) -> BodyFault {
    BodyFault::Broken(TransportError::new(
        Breakage::Interrupted,
        format!("the compressed body is broken: {error}"),
    ))
}

enum Sink {
    Plain(Capped),
    Gzip(Box<GzDecoder<Capped>>),
}

enum Unfinished {
    Full,
    Corrupt(io::Error),
}

impl Sink {
    fn of(headers: &HeaderMap, cap: usize, announced: Option<u64>) -> Result<Self, BodyFault> {
        let reserve = announced.unwrap_or(0).min(RESERVE).min(cap as u64);
        let capped = Capped {
            bytes: Vec::new(),
            reserve: usize::try_from(reserve).unwrap_or(0),
            cap,
            full: false,
        };
        let named = headers.get(CONTENT_ENCODING).map(|value| {
            String::from_utf8_lossy(value.as_bytes())
                .trim()
                .to_ascii_lowercase()
        });
        match named.as_deref() {
            None | Some("" | "identity") => Ok(Sink::Plain(capped)),
            Some("gzip" | "x-gzip") => Ok(Sink::Gzip(Box::new(GzDecoder::new(capped)))),
            Some(other) => Err(BodyFault::Encoding(escape(&cut(other, 60)))),
        }
    }

    fn write(&mut self, piece: &[u8]) -> io::Result<()> {
        match self {
            Sink::Plain(capped) => capped.write_all(piece),
            Sink::Gzip(decoder) => decoder.write_all(piece),
        }
    }

    fn is_plain(&self) -> bool {
        matches!(self, Sink::Plain(_))
    }

    fn is_full(&self) -> bool {
        match self {
            Sink::Plain(capped) => capped.full,
            Sink::Gzip(decoder) => decoder.get_ref().full,
        }
    }

    fn so_far(&mut self) -> Bytes {
        let capped = match self {
            Sink::Plain(capped) => capped,
            Sink::Gzip(decoder) => decoder.get_mut(),
        };
        std::mem::take(&mut capped.bytes).into()
    }

    fn finish(self) -> Result<Bytes, Unfinished> {
        match self {
            Sink::Plain(capped) => Ok(capped.bytes.into()),
            Sink::Gzip(mut decoder) => match decoder.try_finish() {
                // The end of the stream checks the length and the checksum.
                Ok(()) => decoder
                    .finish()
                    .map(|capped| capped.bytes.into())
                    .map_err(Unfinished::Corrupt),
                Err(_) if decoder.get_ref().full => Err(Unfinished::Full),
                Err(error) => Err(Unfinished::Corrupt(error)),
            },
        }
    }
}

/// A buffer that fails before it grows beyond its cap: a compressed piece may unfold to a thousand times its size.
struct Capped {
    bytes: Vec<u8>,
    /// So much is expected.
    reserve: usize,
    cap: usize,
    full: bool,
}

impl Write for Capped {
    fn write(&mut self, piece: &[u8]) -> io::Result<usize> {
        self.bytes.reserve(std::mem::take(&mut self.reserve));
        if self.bytes.len() + piece.len() > self.cap {
            self.full = true;
            let room = self.cap - self.bytes.len();
            self.bytes.extend_from_slice(&piece[..room]);
            return Err(io::Error::other("the cap is reached"));
        }
        self.bytes.extend_from_slice(piece);
        Ok(piece.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
