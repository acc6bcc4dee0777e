//! Raw forms of restable's keys on what to know before a call: `x-restable-blockers` and `x-restable-destructive-body`.
//! Which of the keys go together is checked where they are read into the model.

use super::nullable;

#[derive(Debug, Clone, serde::Deserialize)]
#[serde(expecting = "an object")]
pub(crate) struct RawBlocker {
    pub of: Option<String>,
    pub when: Option<String>,
    pub field: Option<String>,
    pub is: Option<Vec<String>>,
    #[serde(rename = "is-not")]
    pub is_not: Option<Vec<String>>,
    pub says: String,
}

#[derive(Debug, Clone, serde::Deserialize)]
#[serde(expecting = "an object")]
pub(crate) struct RawFieldValues {
    pub field: String,
    #[serde(default, deserialize_with = "nullable")]
    pub values: Vec<String>,
}
