//! Long-running operations as data: what the answer to a write says of one ([`begin`]), the [`Handle`] by which it is found again, in
//! another process as well, and the stages that a service reports. It sends nothing and waits for nothing.
//!
//! A handle is JSON of a fixed form. It holds no credential; its URLs are the service's own, byte for byte, because they are signed.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::HeaderMap;
use restable_spec::{FinalState, HttpMethod, LongRunning};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use url::Url;

use crate::error::HandleError;
use crate::redact::{cut, escape, redact_url};

/// The form of handles that this program writes.
const FORM: u32 = 1;
/// Where the status of an operation is asked for: Resource Manager's header, and that of other Azure services.
const MONITOR: [&str; 2] = ["azure-asyncoperation", "operation-location"];

/// All that is needed to follow an operation to its end.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Handle {
    form: u32,
    /// The provider of the call that started it.
    pub provider: String,
    /// The document's operation id of that call.
    pub method_id: String,
    /// What the call was about, for people.
    pub scope: String,
    /// The HTTP method of that call.
    #[serde(with = "words::method")]
    pub http: HttpMethod,
    /// The URL of that call.
    pub url: String,
    /// `Azure-AsyncOperation`, as it came.
    pub monitor: Option<String>,
    /// `Location`, as it came.
    pub location: Option<String>,
    /// Where the result will be.
    #[serde(with = "words::final_state")]
    pub final_state: FinalState,
    /// The service's id of the operation: the last segment of its URL.
    pub operation_id: Option<String>,
    /// The wait that the service asked for before the first question, in milliseconds.
    pub retry_after_ms: Option<u64>,
    /// When the operation was accepted, in milliseconds since 1970.
    pub started_ms: u64,
    /// The id of the request that started it; each question carries it as well.
    pub client_request_id: String,
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |raw: &str| {
            Url::parse(raw).map_or_else(
                |_| escape(&cut(raw.split('?').next().unwrap_or_default(), 200)),
                |url| redact_url(&url),
            )
        };
        f.debug_struct("Handle")
            .field("method_id", &self.method_id)
            .field("http", &self.http)
            .field("url", &shown(&self.url))
            .field("monitor", &self.monitor.as_deref().map(shown))
            .field("location", &self.location.as_deref().map(shown))
            .field("final_state", &self.final_state)
            .field("operation_id", &self.operation_id)
            .field("client_request_id", &self.client_request_id)
            .finish_non_exhaustive()
    }
}

impl Handle {
    /// The handle as JSON text.
    pub fn to_text(&self) -> String {
        // Texts and numbers always make JSON.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Reads what [`Handle::to_text`] wrote. Where its URLs lead is judged each time before they are asked.
    ///
    /// # Errors
    /// The text is not of that form.
    pub fn of_text(text: &str) -> Result<Self, HandleError> {
        let malformed = |error: serde_json::Error| {
            HandleError::Malformed(escape(&cut(&error.to_string(), 200)))
        };
        let value: Value = serde_json::from_str(text).map_err(malformed)?;
        match value.get("form").and_then(Value::as_u64) {
            Some(found) if found != u64::from(FORM) => {
                Err(HandleError::Form { found, known: FORM })
            }
            _ => serde_json::from_value(value).map_err(malformed),
        }
    }

    /// When the operation was accepted.
    pub fn started(&self) -> SystemTime {
        UNIX_EPOCH + Duration::from_millis(self.started_ms)
    }

    pub(crate) fn retry_after(&self) -> Option<Duration> {
        self.retry_after_ms.map(Duration::from_millis)
    }
}

/// What is known of a call whose answer has come.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Begun<'a> {
    pub provider: &'a str,
    pub method_id: &'a str,
    pub scope: &'a str,
    pub http: HttpMethod,
    pub url: &'a Url,
    pub long_running: Option<LongRunning>,
    pub status: u16,
    pub headers: &'a HeaderMap,
    pub body: &'a [u8],
    pub retry_after: Option<Duration>,
    pub now: SystemTime,
    pub client_request_id: &'a str,
}

/// What an answer of success means.
#[derive(Debug)]
pub(crate) enum Beginning {
    /// The call is done.
    Done,
    /// An operation runs.
    Running(Box<Handle>),
    /// It is done and went wrong.
    Failed,
    /// Its outcome cannot be known: why.
    Lost(String),
}

/// Whether the head of this answer to a write names an operation.
pub(crate) fn announces_operation(status: u16, headers: &HeaderMap) -> bool {
    monitor_of(headers).is_some() || (status == 202 && location_of(headers).is_some())
}

/// What an answer of success to a write means.
pub(crate) fn begin(begun: Begun<'_>) -> Beginning {
    let monitor = monitor_of(begun.headers);
    // With 201 it is the address of what was created.
    let location = location_of(begun.headers).filter(|_| begun.status == 202);
    let whole = matches!(begun.http, HttpMethod::Put | HttpMethod::Patch);
    let declared = begun.long_running.is_some();
    let body = (!begun.body.is_empty()).then(|| serde_json::from_slice::<Value>(begun.body));
    let running = Beginning::Running;
    match (begun.status, &monitor, &location) {
        (204, ..) => return Beginning::Done,
        (202, Some(_), _) | (202, _, Some(_)) | (201, Some(_), _) => {
            return running(handle(&begun, monitor, location));
        }
        (202, None, None) if whole && declared => return running(handle(&begun, None, None)),
        (202, None, None) if declared => {
            return Beginning::Lost(
                "it was accepted, but the answer names no URL where its end could be seen"
                    .to_owned(),
            );
        }
        _ => {}
    }
    let body = match body.transpose() {
        Ok(body) => body,
        Err(error) => return Beginning::Lost(format!("the answer is no JSON: {error}")),
    };
    if body
        .as_ref()
        .is_some_and(|body| body.get("error").is_some_and(Value::is_object))
    {
        return Beginning::Failed;
    }
    match body.as_ref().and_then(provisioning_state) {
        Some(Stage::Succeeded) => Beginning::Done,
        Some(Stage::Failed | Stage::Canceled) => Beginning::Failed,
        _ if monitor.is_some() => running(handle(&begun, monitor, None)),
        Some(Stage::Running) if whole && declared => running(handle(&begun, None, None)),
        // Created, as it says, but nothing to show for it yet.
        None if begun.status == 201 && body.is_none() && whole && declared => {
            running(handle(&begun, None, None))
        }
        _ => Beginning::Done,
    }
}

fn handle(begun: &Begun<'_>, monitor: Option<String>, location: Option<String>) -> Box<Handle> {
    let final_state = match (begun.http, begun.long_running.map(|long| long.final_state)) {
        (_, Some(FinalState::None)) => FinalState::None,
        // The result of a PUT or PATCH is the resource, whatever else a document says.
        (HttpMethod::Put | HttpMethod::Patch, _) => FinalState::OriginalUri,
        (_, Some(stated)) => stated,
        (HttpMethod::Delete, None) => FinalState::None,
        (HttpMethod::Post | HttpMethod::Get | HttpMethod::Head, None) => FinalState::Location,
    };
    let operation_id = monitor
        .as_deref()
        .or(location.as_deref())
        .and_then(last_segment);
    let since = begun.now.duration_since(UNIX_EPOCH).unwrap_or_default();
    let millis = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    Box::new(Handle {
        form: FORM,
        provider: begun.provider.to_owned(),
        method_id: begun.method_id.to_owned(),
        scope: begun.scope.to_owned(),
        http: begun.http,
        url: begun.url.to_string(),
        monitor,
        location,
        final_state,
        operation_id,
        retry_after_ms: begun.retry_after.map(millis),
        started_ms: millis(since),
        client_request_id: begun.client_request_id.to_owned(),
    })
}

pub(crate) fn monitor_of(headers: &HeaderMap) -> Option<String> {
    MONITOR.iter().find_map(|name| text_of(headers, name))
}

pub(crate) fn location_of(headers: &HeaderMap) -> Option<String> {
    text_of(headers, "location")
}

fn text_of(headers: &HeaderMap, name: &str) -> Option<String> {
    headers
        .get(name)
        .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
        .filter(|text| !text.trim().is_empty())
}

fn last_segment(url: &str) -> Option<String> {
    let path = url.split(['?', '#']).next()?.trim_end_matches('/');
    let segment = path.rsplit('/').next()?;
    (!segment.is_empty() && segment.len() <= 512).then(|| escape(segment))
}

/// How far an operation is. Services invent names for "not yet", so that every unknown one means that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    Running,
    Succeeded,
    Failed,
    Canceled,
}

impl Stage {
    /// Reads a status in any capitals: `Inprogress` is what Data Protection writes.
    pub(crate) fn of(status: &str) -> Self {
        let is = |name: &str| status.trim().eq_ignore_ascii_case(name);
        if is("Succeeded") {
            Stage::Succeeded
        } else if is("Failed") {
            Stage::Failed
        } else if is("Canceled") || is("Cancelled") {
            Stage::Canceled
        } else {
            Stage::Running
        }
    }
}

/// The text of a resource's `provisioningState`.
pub(crate) fn provisioning_text(body: &Value) -> Option<&str> {
    body.get("properties")
        .and_then(|properties| properties.get("provisioningState"))
        .or_else(|| body.get("provisioningState"))?
        .as_str()
}

/// The stage that a resource's `provisioningState` names.
pub(crate) fn provisioning_state(body: &Value) -> Option<Stage> {
    provisioning_text(body).map(Stage::of)
}

/// Enumerations of another crate as the words that are written.
pub(crate) mod words {
    use restable_spec::{FinalState, HttpMethod};

    pub(crate) const METHODS: [HttpMethod; 6] = [
        HttpMethod::Get,
        HttpMethod::Head,
        HttpMethod::Post,
        HttpMethod::Put,
        HttpMethod::Patch,
        HttpMethod::Delete,
    ];
    pub(crate) const FINAL_STATES: [FinalState; 4] = [
        FinalState::AsyncOperation,
        FinalState::Location,
        FinalState::OriginalUri,
        FinalState::None,
    ];

    pub(crate) fn of_final_state(state: FinalState) -> &'static str {
        match state {
            FinalState::AsyncOperation => "async-operation",
            FinalState::Location => "location",
            FinalState::OriginalUri => "original-uri",
            FinalState::None => "none",
        }
    }

    pub(crate) mod method {
        use super::{HttpMethod, METHODS};
        use serde::{Deserialize, Deserializer, Serializer, de::Error};

        pub(crate) fn serialize<S: Serializer>(
            method: &HttpMethod,
            to: S,
        ) -> Result<S::Ok, S::Error> {
            to.serialize_str(method.as_str())
        }

        pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
            from: D,
        ) -> Result<HttpMethod, D::Error> {
            let text = String::deserialize(from)?;
            METHODS
                .into_iter()
                .find(|method| method.as_str() == text)
                .ok_or_else(|| D::Error::custom("an unknown HTTP method"))
        }
    }

    pub(crate) mod final_state {
        use super::{FINAL_STATES, FinalState, of_final_state};
        use serde::{Deserialize, Deserializer, Serializer, de::Error};

        pub(crate) fn serialize<S: Serializer>(
            state: &FinalState,
            to: S,
        ) -> Result<S::Ok, S::Error> {
            to.serialize_str(of_final_state(*state))
        }

        pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
            from: D,
        ) -> Result<FinalState, D::Error> {
            let text = String::deserialize(from)?;
            FINAL_STATES
                .into_iter()
                .find(|state| of_final_state(*state) == text)
                .ok_or_else(|| D::Error::custom("an unknown place of the result"))
        }
    }
}
