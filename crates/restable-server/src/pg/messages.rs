//! The messages of PostgreSQL's protocol, version 3: bytes in, messages out, and back. Written here because the codecs on
//! offer end the process on a short message or bring a licence that is not accepted; every read is checked, so that no bytes of a
//! client can do more than end its own connection.

use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};

/// The largest message of a client that is read.
pub const LARGEST: usize = 64 << 20;
/// The largest message before a client has shown who it is.
pub const LARGEST_STARTUP: usize = 10_000;

/// What breaks the protocol.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Malformed(pub String);

fn malformed<T>(what: impl Into<String>) -> Result<T, Malformed> {
    Err(Malformed(what.into()))
}

/// Why a message cannot be read.
enum Fault {
    /// It breaks the protocol, so that nobody knows where the next one begins.
    Malformed(Malformed),
    /// A text in it is no UTF-8; the message is whole.
    NotText(String),
}

impl From<Malformed> for Fault {
    fn from(what: Malformed) -> Fault {
        Fault::Malformed(what)
    }
}

impl From<Fault> for Malformed {
    fn from(fault: Fault) -> Malformed {
        match fault {
            Fault::Malformed(what) => what,
            Fault::NotText(what) => Malformed(what),
        }
    }
}

/// What is wrong with bytes that should be text, in PostgreSQL's words; `None` if nothing is.
pub fn not_text(bytes: &[u8]) -> Option<String> {
    let wrong = match std::str::from_utf8(bytes) {
        Ok(text) if text.contains('\0') => &[0][..],
        Ok(_) => return None,
        Err(fault) => {
            let rest = &bytes[fault.valid_up_to()..];
            &rest[..fault.error_len().unwrap_or(rest.len())]
        }
    };
    let wrong: Vec<String> = wrong.iter().map(|byte| format!("0x{byte:02x}")).collect();
    let wrong = wrong.join(" ");
    Some(format!(
        "invalid byte sequence for encoding \"UTF8\": {wrong}"
    ))
}

/// The first message of a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Opening {
    /// May this be encrypted with TLS?
    Tls,
    /// May this be encrypted with GSSAPI?
    Gss,
    /// End the statement of another connection.
    Cancel {
        /// Which connection.
        process: i32,
        /// Its secret.
        secret: Bytes,
    },
    /// Begin.
    Start {
        /// Minor version of the protocol that the client wants.
        minor: u16,
        /// `user`, `database`, and settings.
        parameters: Vec<(String, String)>,
    },
}

/// A message of a client that is connected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// Statements as one text.
    Query(String),
    /// Prepare.
    Parse {
        /// Name of the prepared statement; empty: the unnamed one.
        name: String,
        /// The statement.
        query: String,
        /// Types of its parameters; 0: not said.
        types: Vec<u32>,
    },
    /// Give parameters values.
    Bind {
        /// The portal that is made; empty: the unnamed one.
        portal: String,
        /// The prepared statement.
        statement: String,
        /// Formats of the values: none, one for all, or one each.
        formats: Vec<i16>,
        /// The values.
        values: Vec<Option<Bytes>>,
        /// Formats of the columns of the result: none, one for all, or one each.
        results: Vec<i16>,
    },
    /// What are its parameters and columns?
    Describe(Target),
    /// Run.
    Execute {
        /// The portal.
        portal: String,
        /// At most so many rows; 0: all.
        rows: usize,
    },
    /// Forget.
    Close(Target),
    /// Send what there is.
    Flush,
    /// End of a group of messages.
    Sync,
    /// A password, or a step of SASL.
    Password(Bytes),
    /// Good-bye.
    Terminate,
    /// COPY and function calls, which nobody asked for.
    Unexpected(u8),
    /// A message of this kind with a text that is none; what follows it can be read.
    NotText {
        /// Its kind.
        kind: u8,
        /// What is wrong.
        problem: String,
    },
}

/// A prepared statement or a portal, by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// A prepared statement.
    Statement(String),
    /// A portal.
    Portal(String),
}

struct Body(Bytes);

impl Body {
    fn short<T>() -> Result<T, Malformed> {
        malformed("a message is shorter than it says")
    }

    fn i32(&mut self) -> Result<i32, Malformed> {
        if self.0.len() < 4 {
            return Body::short();
        }
        Ok(self.0.get_i32())
    }

    fn i16(&mut self) -> Result<i16, Malformed> {
        if self.0.len() < 2 {
            return Body::short();
        }
        Ok(self.0.get_i16())
    }

    fn byte(&mut self) -> Result<u8, Malformed> {
        if self.0.is_empty() {
            return Body::short();
        }
        Ok(self.0.get_u8())
    }

    fn count(&mut self) -> Result<usize, Malformed> {
        let count = self.i16()?;
        // Counts have no sign on the wire.
        Ok(usize::from(count.cast_unsigned()))
    }

    fn bytes(&mut self, length: usize) -> Result<Bytes, Malformed> {
        if self.0.len() < length {
            return Body::short();
        }
        Ok(self.0.split_to(length))
    }

    fn text(&mut self) -> Result<String, Fault> {
        let Some(end) = self.0.iter().position(|byte| *byte == 0) else {
            return malformed("a text has no end")?;
        };
        let text = self.0.split_to(end);
        self.0.advance(1);
        String::from_utf8(text.to_vec())
            .map_err(|_| Fault::NotText(not_text(&text).unwrap_or_default()))
    }

    fn target(&mut self) -> Result<Target, Fault> {
        match self.byte()? {
            b'S' => self.text().map(Target::Statement),
            b'P' => self.text().map(Target::Portal),
            other => malformed(format!(
                "`{}` is neither a statement nor a portal",
                other.escape_ascii()
            ))?,
        }
    }

    fn formats(&mut self) -> Result<Vec<i16>, Malformed> {
        let count = self.count()?;
        (0..count).map(|_| self.i16()).collect()
    }
}

/// Takes the first message out of `buffer`; `None`: it is not whole yet.
pub fn opening(buffer: &mut BytesMut) -> Result<Option<Opening>, Malformed> {
    let Some(length) = length(buffer, 0)? else {
        return Ok(None);
    };
    if !(8..=LARGEST_STARTUP).contains(&length) {
        return malformed("the first message is of no known form");
    }
    if buffer.len() < length {
        return Ok(None);
    }
    let mut body = Body(buffer.split_to(length).freeze());
    body.i32()?;
    Ok(Some(match body.i32()? {
        80_877_103 => Opening::Tls,
        80_877_104 => Opening::Gss,
        80_877_102 => Opening::Cancel {
            process: body.i32()?,
            secret: body.0,
        },
        version => {
            let [major_high, major, minor_high, minor] = version.to_be_bytes();
            if (major_high, major) != (0, 3) {
                return malformed(format!(
                    "version {major} of the protocol is not spoken here"
                ));
            }
            let mut parameters = Vec::new();
            loop {
                let name = body.text()?;
                if name.is_empty() {
                    break;
                }
                parameters.push((name, body.text()?));
            }
            Opening::Start {
                minor: u16::from_be_bytes([minor_high, minor]),
                parameters,
            }
        }
    }))
}

fn length(buffer: &BytesMut, at: usize) -> Result<Option<usize>, Malformed> {
    let Some(bytes) = buffer.get(at..at + 4) else {
        return Ok(None);
    };
    let length = i32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
    match usize::try_from(length) {
        Ok(length) if length >= 4 => Ok(Some(length)),
        _ => malformed("a message has an impossible length"),
    }
}

/// Takes one message out of `buffer`; `None`: it is not whole yet.
pub fn request(buffer: &mut BytesMut, largest: usize) -> Result<Option<Request>, Malformed> {
    let Some(length) = length(buffer, 1)? else {
        return Ok(None);
    };
    if length > largest {
        return malformed(format!("a message is larger than {largest} bytes"));
    }
    if buffer.len() < length + 1 {
        buffer.reserve(length + 1 - buffer.len());
        return Ok(None);
    }
    let kind = buffer[0];
    let mut body = Body(buffer.split_to(length + 1).freeze());
    body.0.advance(5);
    match read(kind, body) {
        Ok(request) => Ok(Some(request)),
        Err(Fault::Malformed(what)) => Err(what),
        Err(Fault::NotText(problem)) => Ok(Some(Request::NotText { kind, problem })),
    }
}

fn read(kind: u8, mut body: Body) -> Result<Request, Fault> {
    Ok(match kind {
        b'Q' => Request::Query(body.text()?),
        b'P' => Request::Parse {
            name: body.text()?,
            query: body.text()?,
            types: {
                let count = body.count()?;
                (0..count)
                    .map(|_| body.i32().map(i32::cast_unsigned))
                    .collect::<Result<_, _>>()?
            },
        },
        b'B' => Request::Bind {
            portal: body.text()?,
            statement: body.text()?,
            formats: body.formats()?,
            values: {
                let count = body.count()?;
                let mut value = || match usize::try_from(body.i32()?) {
                    Ok(length) => body.bytes(length).map(Some),
                    Err(_) => Ok(None),
                };
                (0..count).map(|_| value()).collect::<Result<_, _>>()?
            },
            results: body.formats()?,
        },
        b'D' => Request::Describe(body.target()?),
        b'E' => Request::Execute {
            portal: body.text()?,
            rows: usize::try_from(body.i32()?).unwrap_or(0),
        },
        b'C' => Request::Close(body.target()?),
        b'H' => Request::Flush,
        b'S' => Request::Sync,
        b'p' => Request::Password(body.0),
        b'X' => Request::Terminate,
        b'd' | b'c' | b'f' | b'F' => Request::Unexpected(kind),
        other => malformed(format!("there is no message `{}`", other.escape_ascii()))?,
    })
}

/// Whether a session is in a transaction.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Transaction {
    /// It is not.
    #[default]
    Idle,
    /// It is.
    Open,
    /// It is, and a statement of it failed.
    Failed,
}

/// A column of a result as it is described.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// The heading.
    pub name: String,
    /// OID of the type.
    pub kind: u32,
    /// Bytes of a value, or -1.
    pub size: i16,
    /// 0: text, 1: binary.
    pub format: i16,
}

/// An error or a notice.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Told {
    /// `ERROR`, `FATAL`, `WARNING`, `NOTICE`.
    pub severity: &'static str,
    /// SQLSTATE.
    pub code: &'static str,
    /// What.
    pub message: String,
    /// More of it.
    pub detail: Option<String>,
    /// What to do.
    pub hint: Option<String>,
    /// Where in the text, in characters from 1.
    pub position: Option<usize>,
    /// restable's own code, in the place of PostgreSQL's routine.
    pub own: Option<&'static str>,
}

/// Writes one message: its kind, its length, its body.
pub fn message(out: &mut BytesMut, kind: u8, body: impl FnOnce(&mut BytesMut)) {
    out.put_u8(kind);
    let at = out.len();
    out.put_i32(0);
    body(out);
    let length = i32::try_from(out.len() - at).unwrap_or(i32::MAX);
    out[at..at + 4].copy_from_slice(&length.to_be_bytes());
}

/// A text with its end. A byte 0 inside would end it early, so it is left out.
pub fn put_text(out: &mut BytesMut, text: &str) {
    out.extend(text.bytes().filter(|byte| *byte != 0));
    out.put_u8(0);
}

fn put_count(out: &mut BytesMut, count: usize) {
    out.put_u16(u16::try_from(count).unwrap_or(u16::MAX));
}

/// What asks a client to show who it is, or tells it that it may come in.
pub fn authentication(out: &mut BytesMut, code: i32, data: &[u8]) {
    message(out, b'R', |out| {
        out.put_i32(code);
        out.put_slice(data);
    });
}

/// A setting with its value.
pub fn parameter_status(out: &mut BytesMut, name: &str, value: &str) {
    message(out, b'S', |out| {
        put_text(out, name);
        put_text(out, value);
    });
}

/// By what the client may cancel.
pub fn key_data(out: &mut BytesMut, process: i32, secret: &[u8]) {
    message(out, b'K', |out| {
        out.put_i32(process);
        out.put_slice(secret);
    });
}

/// Only version 3.0 is spoken, and these options are not known.
pub fn negotiate(out: &mut BytesMut, unknown: &[String]) {
    message(out, b'v', |out| {
        out.put_i32(0);
        out.put_i32(i32::try_from(unknown.len()).unwrap_or(i32::MAX));
        for name in unknown {
            put_text(out, name);
        }
    });
}

/// Messages that are only their kind.
pub fn plain(out: &mut BytesMut, kind: u8) {
    message(out, kind, |_| {});
}

/// The session waits for the next request.
pub fn ready(out: &mut BytesMut, transaction: Transaction) {
    message(out, b'Z', |out| {
        out.put_u8(match transaction {
            Transaction::Idle => b'I',
            Transaction::Open => b'T',
            Transaction::Failed => b'E',
        });
    });
}

/// A statement is done.
pub fn complete(out: &mut BytesMut, tag: &str) {
    message(out, b'C', |out| put_text(out, tag));
}

/// The types of parameters.
pub fn parameter_description(out: &mut BytesMut, kinds: &[u32]) {
    message(out, b't', |out| {
        put_count(out, kinds.len());
        for kind in kinds {
            out.put_u32(*kind);
        }
    });
}

/// The columns of a result.
pub fn row_description(out: &mut BytesMut, columns: &[Column]) {
    message(out, b'T', |out| {
        put_count(out, columns.len());
        for column in columns {
            put_text(out, &column.name);
            out.put_i32(0);
            out.put_i16(0);
            out.put_u32(column.kind);
            out.put_i16(column.size);
            out.put_i32(-1);
            out.put_i16(column.format);
        }
    });
}

/// So many columns of a COPY follow as data, as text (0) or in binary form (1).
pub fn copy_out(out: &mut BytesMut, code: i16, columns: usize) {
    message(out, b'H', |out| {
        out.put_u8(u8::from(code == 1));
        put_count(out, columns);
        (0..columns).for_each(|_| out.put_i16(code));
    });
}

/// Data of a COPY.
pub fn copy_data(out: &mut BytesMut, data: &[u8]) {
    message(out, b'd', |out| out.put_slice(data));
}

/// An error (`E`) or a notice (`N`).
pub fn told(out: &mut BytesMut, kind: u8, told: &Told) {
    message(out, kind, |out| {
        let mut field = |code: u8, text: &str| {
            out.put_u8(code);
            put_text(out, text);
        };
        field(b'S', told.severity);
        field(b'V', told.severity);
        field(b'C', told.code);
        field(b'M', &told.message);
        for (code, text) in [(b'D', &told.detail), (b'H', &told.hint)] {
            if let Some(text) = text {
                field(code, text);
            }
        }
        if let Some(own) = told.own {
            field(b'R', own);
        }
        if let Some(position) = told.position {
            field(b'P', &position.to_string());
        }
        out.put_u8(0);
    });
}
