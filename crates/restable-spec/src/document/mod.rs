//! Provider documents as they are written: one private struct for each object of the format, and the YAML reader.
//! Refuses wrong types with their line; keys it does not know are skipped, and nothing is resolved or checked here.

use indexmap::IndexMap;
use serde::de::{self, Deserialize, Deserializer};
use serde_json::Value;

use crate::error::{Error, Problem};
use crate::method::ErrorHint;

/// The forms that a place may take, each optional; what is not allowed is the type error of the default methods.
macro_rules! forms {
    ($name:ident, $expecting:literal, { $($method:item)* }) => {
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Forms;
                impl<'de> Visitor<'de> for Forms {
                    type Value = $name;
                    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                        f.write_str($expecting)
                    }
                    $($method)*
                }
                deserializer.deserialize_any(Forms)
            }
        }
    };
}

mod blockers;
mod evidence;
mod parents;
mod schemas;

pub(crate) use blockers::{RawBlocker, RawFieldValues};
pub(crate) use evidence::{RawEvidence, RawJobs};
pub(crate) use parents::{RawChildless, RawParent};
pub(crate) use schemas::{RawAdditional, RawDiscriminator, RawSchema};

/// Reads one YAML text. What `build.rs` made of a document is JSON in one line, which is read ten times as quickly.
pub(crate) fn parse<T: de::DeserializeOwned>(file: &str, text: &str) -> Result<T, Error> {
    if text.starts_with('{')
        && !text.contains('\n')
        && let Ok(document) = serde_json::from_str(text)
    {
        return Ok(document);
    }
    if text
        .lines()
        .all(|line| line.trim_start().starts_with('#') || matches!(line.trim(), "" | "---"))
    {
        return Err(Error::Document {
            file: file.to_owned(),
            place: String::new(),
            problem: Problem::Empty,
        });
    }
    yaml_serde::from_str(text).map_err(|error| syntax_error(file, &error))
}

/// The YAML reader writes `keys: problem at line 3 column 4`; the three are taken apart.
fn syntax_error(file: &str, error: &yaml_serde::Error) -> Error {
    let text = error.to_string();
    let (line, column) = error
        .location()
        .map_or((None, None), |at| (Some(at.line()), Some(at.column())));
    let text = text
        .split_once(" at line ")
        .map_or(text.as_str(), |(before, _)| before);
    let (place, problem) = match text.split_once(": ") {
        Some((place, problem)) if !place.contains(' ') && !place.starts_with("invalid") => {
            (place, problem)
        }
        _ => ("", text),
    };
    Error::Syntax {
        file: file.to_owned(),
        line,
        column,
        place: place.to_owned(),
        problem: problem.to_owned(),
    }
}

/// A key that is there but holds nothing means the same as a key that is not there.
fn nullable<'de, T, D>(deserializer: D) -> Result<T, D::Error>
where
    T: Default + Deserialize<'de>,
    D: Deserializer<'de>,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

#[derive(Debug, serde::Deserialize)]
#[serde(expecting = "an object")]
pub(crate) struct RawProvider {
    pub name: Option<String>,
    pub id: Option<String>,
    pub title: Option<String>,
    pub version: Option<String>,
    pub description: Option<String>,
    #[serde(default, deserialize_with = "nullable")]
    pub config: RawConfig,
    #[serde(rename = "providerServices", default, deserialize_with = "nullable")]
    pub services: IndexMap<String, RawProviderService>,
}

#[derive(Debug, serde::Deserialize)]
#[serde(expecting = "an object")]
pub(crate) struct RawProviderService {
    pub name: Option<String>,
    pub title: Option<String>,
    pub version: Option<String>,
    pub description: Option<String>,
    pub service: Option<RawReference>,
}

#[derive(Debug, Clone, serde::Deserialize)]
#[serde(expecting = "an object")]
pub(crate) struct RawReference {
    #[serde(rename = "$ref")]
    pub reference: Option<String>,
}

#[derive(Debug, Default, serde::Deserialize)]
#[serde(expecting = "an object")]
pub(crate) struct RawService {
    #[serde(default, deserialize_with = "nullable")]
    pub info: RawInfo,
    #[serde(default, deserialize_with = "nullable")]
    pub servers: Vec<RawServer>,
    #[serde(default, deserialize_with = "nullable")]
    pub components: RawComponents,
    #[serde(default, deserialize_with = "nullable")]
    pub paths: IndexMap<String, RawPathItem>,
    #[serde(rename = "x-stackQL-config", default, deserialize_with = "nullable")]
    pub config: RawConfig,
    #[serde(
        rename = "x-restable-not-found-codes",
        default,
        deserialize_with = "nullable"
    )]
    pub not_found_codes: Vec<String>,
    #[serde(
        rename = "x-restable-error-hints",
        default,
        deserialize_with = "nullable"
    )]
    pub error_hints: Vec<RawErrorHint>,
    #[serde(rename = "x-restable-jobs")]
    pub jobs: Option<RawJobs>,
}

#[derive(Debug, Default, serde::Deserialize)]
#[serde(expecting = "an object")]
pub(crate) struct RawInfo {
    pub title: Option<String>,
    pub description: Option<String>,
    pub version: Option<String>,
}

#[derive(Debug, Clone, Default, serde::Deserialize)]
#[serde(expecting = "an object")]
pub(crate) struct RawServer {
    #[serde(default)]
    pub url: String,
    #[serde(default, deserialize_with = "nullable")]
    pub variables: IndexMap<String, RawServerVariable>,
}

#[derive(Debug, Clone, serde::Deserialize)]
#[serde(expecting = "an object")]
pub(crate) struct RawServerVariable {
    pub default: Option<String>,
    pub description: Option<String>,
}

#[derive(Debug, Default, serde::Deserialize)]
#[serde(expecting = "an object")]
pub(crate) struct RawComponents {
    #[serde(default, deserialize_with = "nullable")]
    pub schemas: IndexMap<String, RawSchema>,
    #[serde(default, deserialize_with = "nullable")]
    pub parameters: IndexMap<String, RawParameter>,
    #[serde(default, deserialize_with = "nullable")]
    pub responses: IndexMap<String, RawResponse>,
    #[serde(rename = "requestBodies", default, deserialize_with = "nullable")]
    pub request_bodies: IndexMap<String, RawRequestBody>,
    #[serde(rename = "x-stackQL-resources", default, deserialize_with = "nullable")]
    pub resources: IndexMap<String, RawResource>,
}

#[derive(Debug, serde::Deserialize)]
#[serde(expecting = "an object")]
pub(crate) struct RawResource {
    pub name: Option<String>,
    pub title: Option<String>,
    pub description: Option<String>,
    #[serde(default, deserialize_with = "nullable")]
    pub methods: IndexMap<String, RawMethod>,
    #[serde(rename = "sqlVerbs", default, deserialize_with = "nullable")]
    pub verbs: IndexMap<String, Option<Vec<RawReference>>>,
    #[serde(default, deserialize_with = "nullable")]
    pub config: RawConfig,
    #[serde(rename = "x-restable-parent")]
    pub parent: Option<RawParent>,
    #[serde(rename = "x-restable-childless")]
    pub childless: Option<RawChildless>,
}

#[derive(Debug, serde::Deserialize)]
#[serde(expecting = "an object")]
pub(crate) struct RawMethod {
    pub operation: Option<RawReference>,
    #[serde(default, deserialize_with = "nullable")]
    pub request: RawMethodRequest,
    #[serde(default, deserialize_with = "nullable")]
    pub response: RawMethodResponse,
    #[serde(default, deserialize_with = "nullable")]
    pub config: RawConfig,
    #[serde(default, deserialize_with = "nullable")]
    pub servers: Vec<RawServer>,
    #[serde(rename = "x-restable-read-only")]
    pub read_only: Option<bool>,
    #[serde(rename = "x-restable-destructive")]
    pub destructive: Option<bool>,
    #[serde(rename = "x-restable-destructive-body")]
    pub destructive_body: Option<Vec<RawFieldValues>>,
    #[serde(rename = "x-restable-long-running")]
    pub long_running: Option<RawLongRunning>,
    #[serde(rename = "x-restable-evidence")]
    pub evidence: Option<RawEvidence>,
    #[serde(rename = "x-restable-blockers")]
    pub blockers: Option<Vec<RawBlocker>>,
}

#[derive(Debug, Default, serde::Deserialize)]
#[serde(expecting = "an object")]
pub(crate) struct RawMethodRequest {
    #[serde(rename = "mediaType")]
    pub media_type: Option<String>,
    pub default: Option<Value>,
    pub base: Option<Value>,
    #[serde(rename = "nativeCasing")]
    pub native_casing: Option<String>,
    #[serde(default, deserialize_with = "nullable")]
    pub required: Vec<String>,
    pub schema_override: Option<RawReference>,
    pub transform: Option<RawTransform>,
}

#[derive(Debug, Default, serde::Deserialize)]
#[serde(expecting = "an object")]
pub(crate) struct RawMethodResponse {
    #[serde(rename = "openAPIDocKey")]
    pub doc_key: Option<String>,
    #[serde(rename = "mediaType")]
    pub media_type: Option<String>,
    #[serde(rename = "objectKey")]
    pub object_key: Option<String>,
    #[serde(rename = "overrideMediaType")]
    pub override_media_type: Option<String>,
    pub schema_override: Option<RawReference>,
    pub transform: Option<RawTransform>,
    #[serde(rename = "x-restable-next-link")]
    pub next_link: Option<String>,
}

#[derive(Debug, serde::Deserialize)]
#[serde(expecting = "an object")]
pub(crate) struct RawTransform {
    #[serde(rename = "type", default, deserialize_with = "nullable")]
    pub kind: String,
    #[serde(default, deserialize_with = "nullable")]
    pub body: String,
}

#[derive(Debug, Clone, serde::Deserialize)]
#[serde(expecting = "an object")]
pub(crate) struct RawLongRunning {
    #[serde(rename = "final")]
    pub final_state: Option<String>,
}

#[derive(Debug, Default, serde::Deserialize)]
#[serde(expecting = "an object")]
pub(crate) struct RawConfig {
    pub auth: Option<RawAuth>,
    pub pagination: Option<RawPagination>,
    #[serde(rename = "requestBodyTranslate")]
    pub body_translate: Option<RawAlgorithm>,
    #[serde(rename = "requestTranslate")]
    pub request_translate: Option<RawAlgorithm>,
    pub views: Option<RawViews>,
}

#[derive(Debug, serde::Deserialize)]
#[serde(expecting = "an object")]
pub(crate) struct RawAuth {
    #[serde(rename = "type")]
    pub kind: Option<String>,
}

#[derive(Debug, serde::Deserialize)]
#[serde(expecting = "an object")]
pub(crate) struct RawAlgorithm {
    pub algorithm: Option<String>,
}

#[derive(Debug, Clone, serde::Deserialize)]
#[serde(expecting = "an object")]
pub(crate) struct RawPagination {
    pub algorithm: Option<String>,
    #[serde(rename = "requestToken")]
    pub request: Option<RawToken>,
    #[serde(rename = "responseToken")]
    pub response: Option<RawToken>,
}

#[derive(Debug, Clone, serde::Deserialize)]
#[serde(expecting = "an object")]
pub(crate) struct RawToken {
    pub key: Option<String>,
    pub location: Option<String>,
}

#[derive(Debug, serde::Deserialize)]
#[serde(expecting = "an object")]
pub(crate) struct RawViews {
    pub select: Option<Box<RawView>>,
}

#[derive(Debug, serde::Deserialize)]
#[serde(expecting = "an object")]
pub(crate) struct RawView {
    pub predicate: Option<String>,
    pub ddl: Option<String>,
    pub fallback: Option<Box<RawView>>,
}

#[derive(Debug, Default, serde::Deserialize)]
#[serde(expecting = "an object")]
pub(crate) struct RawPathItem {
    #[serde(default, deserialize_with = "nullable")]
    pub parameters: Vec<RawParameter>,
    #[serde(default, deserialize_with = "nullable")]
    pub servers: Vec<RawServer>,
    pub get: Option<RawOperation>,
    pub head: Option<RawOperation>,
    pub post: Option<RawOperation>,
    pub put: Option<RawOperation>,
    pub patch: Option<RawOperation>,
    pub delete: Option<RawOperation>,
}

#[derive(Debug, serde::Deserialize)]
#[serde(expecting = "an object")]
pub(crate) struct RawOperation {
    #[serde(rename = "operationId")]
    pub id: Option<String>,
    pub summary: Option<String>,
    pub description: Option<String>,
    #[serde(default, deserialize_with = "nullable")]
    pub parameters: Vec<RawParameter>,
    #[serde(rename = "requestBody")]
    pub request_body: Option<RawRequestBody>,
    #[serde(default, deserialize_with = "nullable")]
    pub responses: IndexMap<String, RawResponse>,
    #[serde(default, deserialize_with = "nullable")]
    pub servers: Vec<RawServer>,
    #[serde(rename = "x-restable-read-only")]
    pub read_only: Option<bool>,
    #[serde(rename = "x-restable-destructive")]
    pub destructive: Option<bool>,
    #[serde(rename = "x-restable-destructive-body")]
    pub destructive_body: Option<Vec<RawFieldValues>>,
    #[serde(rename = "x-restable-long-running")]
    pub long_running: Option<RawLongRunning>,
    #[serde(rename = "x-restable-evidence")]
    pub evidence: Option<RawEvidence>,
    #[serde(rename = "x-restable-blockers")]
    pub blockers: Option<Vec<RawBlocker>>,
    #[serde(
        rename = "x-ms-long-running-operation",
        default,
        deserialize_with = "nullable"
    )]
    pub ms_long_running: bool,
    #[serde(
        rename = "x-restable-error-hints",
        default,
        deserialize_with = "nullable"
    )]
    pub error_hints: Vec<RawErrorHint>,
    #[serde(rename = "x-ms-long-running-operation-options")]
    pub ms_long_running_options: Option<RawMsLongRunning>,
}

#[derive(Debug, Clone, serde::Deserialize)]
#[serde(expecting = "an object")]
pub(crate) struct RawErrorHint {
    pub code: Option<String>,
    #[serde(rename = "message-contains")]
    pub message_contains: Option<String>,
    pub hint: String,
}

impl RawErrorHint {
    pub fn read(&self) -> ErrorHint {
        let hint = self.hint.trim().to_owned();
        ErrorHint {
            code: self.code.clone(),
            message_contains: self.message_contains.clone(),
            hint,
        }
    }
}

#[derive(Debug, serde::Deserialize)]
#[serde(expecting = "an object")]
pub(crate) struct RawMsLongRunning {
    #[serde(rename = "final-state-via")]
    pub final_state_via: Option<String>,
}

#[derive(Debug, Clone, serde::Deserialize)]
#[serde(expecting = "an object")]
pub(crate) struct RawParameter {
    #[serde(rename = "$ref")]
    pub reference: Option<String>,
    pub name: Option<String>,
    #[serde(rename = "in")]
    pub location: Option<String>,
    #[serde(default, deserialize_with = "nullable")]
    pub required: bool,
    pub description: Option<String>,
    pub schema: Option<RawSchema>,
    #[serde(
        rename = "x-ms-skip-url-encoding",
        default,
        deserialize_with = "nullable"
    )]
    pub skip_url_encoding: bool,
    #[serde(rename = "x-restable-range")]
    pub range: Option<RawRange>,
}

/// Which rows a parameter lets through, by a time of theirs.
#[derive(Debug, Clone, serde::Deserialize)]
#[serde(expecting = "an object with `field`, `from` and `to`")]
pub(crate) struct RawRange {
    pub field: String,
    pub from: String,
    pub to: String,
}

#[derive(Debug, Clone, serde::Deserialize)]
#[serde(expecting = "an object")]
pub(crate) struct RawRequestBody {
    #[serde(rename = "$ref")]
    pub reference: Option<String>,
    #[serde(default, deserialize_with = "nullable")]
    pub required: bool,
    #[serde(default, deserialize_with = "nullable")]
    pub content: IndexMap<String, RawMedia>,
}

#[derive(Debug, Clone, serde::Deserialize)]
#[serde(expecting = "an object")]
pub(crate) struct RawResponse {
    #[serde(rename = "$ref")]
    pub reference: Option<String>,
    #[serde(default, deserialize_with = "nullable")]
    pub content: IndexMap<String, RawMedia>,
}

#[derive(Debug, Clone, serde::Deserialize)]
#[serde(expecting = "an object")]
pub(crate) struct RawMedia {
    pub schema: Option<RawSchema>,
}
