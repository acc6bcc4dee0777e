//! One request as it will be sent, however often: its URL, built once and checked, its headers but for the credential, and the errors
//! that name it. A call that cannot be sent as it was bound is refused here.

use std::fmt::Write;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{ACCEPT, ACCEPT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, USER_AGENT};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use url::Url;

use crate::client::Shared;
use crate::error::{Error, ErrorKind};
use crate::origin::Gate;
use crate::redact::{cut, escape, redact_url};
use crate::retry::Precondition;
use crate::tally::Tally;
use restable_spec::{AUXILIARY_HEADER, BoundCall, CallClass, HttpMethod};

/// Headers that a document's parameter cannot set: the credentials, the framing, and those that this crate fixes.
const RESERVED: [&str; 15] = [
    "accept",
    "accept-encoding",
    "authorization",
    "connection",
    "content-length",
    "content-type",
    "cookie",
    "host",
    "proxy-authorization",
    "te",
    "transfer-encoding",
    "upgrade",
    "user-agent",
    AUXILIARY_HEADER,
    "x-ms-client-request-id",
];

/// Which answers are whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Expect {
    /// Data: 200, 201 or 203 with JSON.
    Page,
    /// Any answer of success, a body or none: that of a write, or of a question after an operation.
    Success,
}

/// One request of a call: its first, or that for a later page.
#[derive(Debug, Clone)]
pub(crate) struct Ask {
    call: Arc<BoundCall>,
    pub gate: Gate,
    /// Where the second credential may go; `None` if the call takes none, or there is none.
    pub auxiliary: Option<Gate>,
    pub method: Method,
    pub url: Url,
    pub headers: HeaderMap,
    pub body: Bytes,
    pub page: usize,
    pub expect: Expect,
    /// The id that the request carries on each attempt; `None` gets one of its own.
    pub client_request_id: Option<String>,
}

impl Ask {
    /// The first request of a call.
    pub(crate) fn new(shared: &Shared, call: BoundCall) -> Result<Self, Error> {
        let method = match call.http {
            HttpMethod::Get => Method::GET,
            HttpMethod::Head => Method::HEAD,
            HttpMethod::Post => Method::POST,
            HttpMethod::Put => Method::PUT,
            HttpMethod::Patch => Method::PATCH,
            HttpMethod::Delete => Method::DELETE,
        };
        let refuse = |message: String| {
            let mut error = Error::of(ErrorKind::Config, message);
            error.edit().operation_id.clone_from(&call.operation_id);
            error.edit().scope.clone_from(&call.scope);
            error
        };
        let server = match &shared.config.endpoint {
            Some(endpoint) => endpoint.clone(),
            None => Url::parse(&call.server).map_err(|_| {
                refuse(format!(
                    "the server `{}` is no URL",
                    escape(&cut(&call.server, 120))
                ))
            })?,
        };
        let url = compose(&server, &call).map_err(refuse)?;
        let headers = headers(shared, &call).map_err(refuse)?;
        let body = call.body.clone().map(Bytes::from).unwrap_or_default();
        let gate = Gate::new(&server, shared.audience());
        let audience = shared.auxiliary_audience().filter(|_| call.auxiliary);
        let auxiliary = audience.map(|audience| Gate::new(&server, audience));
        Ok(Self {
            call: Arc::new(call),
            gate,
            auxiliary,
            method,
            url,
            headers,
            body,
            page: 1,
            expect: Expect::Page,
            client_request_id: None,
        })
    }

    /// The request of a write, which carries this id.
    pub(crate) fn write(
        shared: &Shared,
        call: BoundCall,
        client_request_id: &str,
    ) -> Result<Self, Error> {
        let mut ask = Self::new(shared, call)?;
        ask.expect = Expect::Success;
        ask.client_request_id = Some(client_request_id.to_owned());
        Ok(ask)
    }

    /// The same call as a GET of a URL that its answer named.
    pub(crate) fn question(&self, url: Url) -> Self {
        let mut ask = self.clone();
        ask.url = url;
        ask
    }

    /// The request for the next page: a GET of the link, with the same headers.
    pub(crate) fn next(mut self, url: Url) -> Self {
        self.url = url;
        self.method = Method::GET;
        self.body = Bytes::new();
        self.headers.remove(CONTENT_TYPE);
        self.headers.remove(CONTENT_LENGTH);
        self.page += 1;
        self
    }

    /// What may happen to it; a later page is a GET.
    pub(crate) fn class(&self) -> CallClass {
        if self.page > 1 {
            CallClass::Read
        } else {
            self.call.class
        }
    }

    /// Whether it is sent to change something.
    pub(crate) fn is_write(&self) -> bool {
        self.expect == Expect::Success && self.class() != CallClass::Read
    }

    pub(crate) fn precondition(&self) -> Precondition {
        if self.headers.contains_key(http::header::IF_MATCH) {
            Precondition::IfMatch
        } else {
            Precondition::Absent
        }
    }

    pub(crate) fn operation_id(&self) -> &str {
        &self.call.operation_id
    }

    pub(crate) fn scope(&self) -> &str {
        &self.call.scope
    }

    pub(crate) fn method_name(&self) -> &'static str {
        if self.page > 1 {
            "GET"
        } else {
            self.call.http.as_str()
        }
    }

    /// An error of this request before it was sent.
    pub(crate) fn error(&self, kind: ErrorKind, message: impl Into<String>) -> Error {
        let mut error = Error::of(kind, message);
        self.name(&mut error);
        error
    }

    /// An error of this request after these attempts.
    pub(crate) fn error_after(
        &self,
        tally: &Tally,
        kind: ErrorKind,
        message: impl Into<String>,
    ) -> Error {
        let mut error = self.error(kind, message);
        tally.note(&mut error);
        error
    }

    /// Names the request in an error that arose without it.
    pub(crate) fn name(&self, error: &mut Error) {
        let failure = error.edit();
        failure.operation_id.clone_from(&self.call.operation_id);
        failure.scope.clone_from(&self.call.scope);
        failure.method = self.method_name();
        failure.url = redact_url(&self.url);
        failure.page = self.page;
    }
}

/// Server, path and query as one URL. The path must come out of the parser as it went in: a segment that the parser would rewrite could
/// aim the call at something else.
fn compose(server: &Url, call: &BoundCall) -> Result<Url, String> {
    if server.cannot_be_a_base() || server.query().is_some() || server.fragment().is_some() {
        return Err(format!(
            "the server `{}` is no plain URL",
            redact_url(server)
        ));
    }
    if !server.username().is_empty() || server.password().is_some() {
        return Err("the server's URL holds a user name or password".to_owned());
    }
    let path = format!("{}{}", server.path().trim_end_matches('/'), call.path);
    let mut text = server.origin().ascii_serialization();
    text.push_str(&path);
    let mut separator = '?';
    for (name, value) in &call.query {
        text.push(separator);
        separator = '&';
        encode(name, &mut text);
        text.push('=');
        encode(value, &mut text);
    }
    let url = Url::parse(&text)
        .map_err(|_| format!("the path `{}` makes no URL", escape(&cut(&call.path, 200))))?;
    if url.path() != path || url.origin() != server.origin() || !call.path.starts_with('/') {
        return Err(format!(
            "the path `{}` would be rewritten on the way",
            escape(&cut(&call.path, 200))
        ));
    }
    Ok(url)
}

/// Percent-encodes what may not stand in a query as it is. `+` is encoded, since some services read it as a blank.
fn encode(text: &str, out: &mut String) {
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~:/,$@!()*".contains(&byte) {
            out.push(char::from(byte));
        } else {
            // Writing into a string cannot fail.
            write!(out, "%{byte:02X}").ok();
        }
    }
}

fn headers(shared: &Shared, call: &BoundCall) -> Result<HeaderMap, String> {
    let mut headers = HeaderMap::new();
    for (name, value) in &call.headers {
        let folded = name.to_ascii_lowercase();
        if RESERVED.contains(&folded.as_str()) {
            return Err(format!("the header `{folded}` cannot be set by a call"));
        }
        let shown = escape(&cut(name, 60));
        let name = HeaderName::try_from(folded)
            .map_err(|_| format!("`{shown}` is no name of a header"))?;
        let mut value = HeaderValue::try_from(value.as_str())
            .map_err(|_| format!("the value of the header `{shown}` cannot be sent"))?;
        // Whatever a document calls a token (`x-registry-token`) stays out of debug output.
        value.set_sensitive(
            name.as_str().contains("authorization")
                || name.as_str().contains("key")
                || name.as_str().contains("token"),
        );
        headers.append(name, value);
    }
    // Exactly this: with parameters the service answers an error with 406 and no body.
    headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
    headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("gzip"));
    match (&call.body, call.http) {
        (Some(_), _) => {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        (None, HttpMethod::Get | HttpMethod::Head) => {}
        // Resource Manager's front end answers 411 to a POST that does not say so.
        (None, HttpMethod::Post | HttpMethod::Put | HttpMethod::Patch | HttpMethod::Delete) => {
            headers.insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
        }
    }
    let agent = HeaderValue::try_from(shared.config.user_agent.as_str())
        .map_err(|_| "the user agent cannot be sent".to_owned())?;
    headers.insert(USER_AGENT, agent);
    Ok(headers)
}
