//! Raw forms of restable's keys on what became of a call: `x-restable-evidence` and `x-restable-jobs`.
//! Words and names are checked where they are read into the model.

use std::fmt;

use serde::de::{
    self, Deserialize, Deserializer, MapAccess, Visitor, value::MapAccessDeserializer,
};

use super::nullable;

/// `job`, `absent`, `present`, `none`, or the states of a field.
#[derive(Debug, Clone)]
pub(crate) enum RawEvidence {
    Word(String),
    State {
        field: String,
        values: Vec<String>,
        of: Option<String>,
    },
}

#[derive(serde::Deserialize)]
#[serde(expecting = "an object")]
struct StateObject {
    field: String,
    #[serde(default, deserialize_with = "nullable")]
    values: Vec<String>,
    of: Option<String>,
}

forms!(
    RawEvidence,
    "a word or an object with `field` and `values`",
    {
        fn visit_str<E: de::Error>(self, text: &str) -> Result<RawEvidence, E> {
            Ok(RawEvidence::Word(text.to_owned()))
        }
        fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<RawEvidence, A::Error> {
            let object = StateObject::deserialize(MapAccessDeserializer::new(map))?;
            Ok(RawEvidence::State {
                field: object.field,
                values: object.values,
                of: object.of,
            })
        }
    }
);

#[derive(Debug, serde::Deserialize)]
#[serde(expecting = "an object")]
pub(crate) struct RawJobs {
    pub resource: String,
    #[serde(rename = "result-attribute")]
    pub result_attribute: String,
    #[serde(rename = "request-id")]
    pub request_id: Option<String>,
    pub status: String,
    pub ended: Option<String>,
    #[serde(default, deserialize_with = "nullable")]
    pub running: Vec<String>,
    #[serde(default, deserialize_with = "nullable")]
    pub succeeded: Vec<String>,
    #[serde(default, deserialize_with = "nullable")]
    pub canceled: Vec<String>,
    #[serde(default, deserialize_with = "nullable")]
    pub failed: Vec<String>,
    pub duration: Option<String>,
    #[serde(default)]
    pub target: Option<String>,
    #[serde(default)]
    pub started: Option<String>,
    pub error: Option<String>,
}
