//! Owns a request after reading: decoded path and query, the parameters that the template named, and the ids they
//! form. Decides nothing.

use bytes::Bytes;
use http::HeaderMap;
use serde_json::Value;

use crate::operations::Operation;
use crate::store::{Key, Kind};

/// A request that matched an operation.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) operation: &'static Operation,
    pub(crate) target: Target,
    pub(crate) parameters: Vec<(&'static str, String)>,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    /// The scheme and authority that the client used, for absolute links.
    pub(crate) origin: String,
    pub(crate) request_id: String,
}

/// The request target, raw and decoded.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    pub(crate) path: String,
    pub(crate) raw_query: String,
    pub(crate) query: Vec<(String, String)>,
}

impl Target {
    pub(crate) fn new(path: &str, query: Option<&str>) -> Target {
        let raw_query = query.unwrap_or_default();
        let pairs = raw_query
            .split('&')
            .filter(|pair| !pair.is_empty())
            .map(|pair| {
                let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
                (
                    decode(&name.replace('+', " ")),
                    decode(&value.replace('+', " ")),
                )
            });
        Target {
            path: path.to_owned(),
            raw_query: raw_query.to_owned(),
            query: pairs.collect(),
        }
    }

    /// The value of a query parameter, by its name in any case.
    pub(crate) fn value(&self, name: &str) -> Option<&str> {
        let found = self
            .query
            .iter()
            .find(|(candidate, _)| candidate.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    pub(crate) fn api_version(&self) -> Option<&str> {
        self.value("api-version")
            .filter(|version| !version.is_empty())
    }
}

impl Call {
    /// A parameter of the path, decoded; empty if the template has none of this name.
    pub(crate) fn parameter(&self, name: &str) -> &str {
        self.parameters
            .iter()
            .find(|(candidate, _)| *candidate == name)
            .map_or("", |(_, value)| value)
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.parameters
            .iter()
            .any(|(candidate, _)| *candidate == name)
    }

    pub(crate) fn api_version(&self) -> &str {
        self.target.api_version().unwrap_or_default()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    pub(crate) fn client_request_id(&self) -> Option<&str> {
        self.header("x-ms-client-request-id")
    }

    pub(crate) fn subscription(&self) -> &str {
        self.parameter("subscriptionId")
    }

    /// `/subscriptions/{s}` as the client spelled it.
    pub(crate) fn subscription_id(&self) -> String {
        format!("/subscriptions/{}", self.subscription())
    }

    pub(crate) fn group_key(&self) -> Key {
        Key::new(
            Kind::Group,
            &self.subscription_id(),
            self.parameter("resourceGroupName"),
        )
    }

    pub(crate) fn vault_key(&self) -> Key {
        Key::new(
            Kind::Vault,
            &self.group_key().id(),
            self.parameter("vaultName"),
        )
    }

    pub(crate) fn instance_key(&self) -> Key {
        self.vault_key()
            .child(Kind::Instance, self.parameter("backupInstanceName"))
    }

    /// The key of the resource that the path names, for the kinds that have their own operations.
    pub(crate) fn key(&self, kind: Kind) -> Key {
        match kind {
            Kind::Group => self.group_key(),
            Kind::Vault => self.vault_key(),
            Kind::Instance => self.instance_key(),
            Kind::Policy => self
                .vault_key()
                .child(kind, self.parameter("backupPolicyName")),
            Kind::DeletedInstance => self
                .vault_key()
                .child(kind, self.parameter("backupInstanceName")),
            Kind::Job => self.vault_key().child(kind, self.parameter("jobId")),
            Kind::RecoveryPoint => self
                .instance_key()
                .child(kind, self.parameter("recoveryPointId")),
            Kind::Proxy => self
                .vault_key()
                .child(kind, self.parameter("resourceGuardProxyName")),
            Kind::Guard => Key::new(
                kind,
                &self.group_key().id(),
                self.parameter("resourceGuardsName"),
            ),
            Kind::DeletedVault => Key::new(
                kind,
                &self.location_id(),
                self.parameter("deletedVaultName"),
            ),
        }
    }

    /// The parent of a list of `kind`.
    pub(crate) fn parent(&self, kind: Kind) -> String {
        match kind {
            Kind::Group => self.subscription_id().to_ascii_lowercase(),
            Kind::Vault | Kind::Guard if self.has("resourceGroupName") => self.group_key().id(),
            Kind::Vault | Kind::Guard => self.subscription_id().to_ascii_lowercase(),
            Kind::RecoveryPoint => self.instance_key().id(),
            Kind::DeletedVault => self.location_id(),
            Kind::Policy | Kind::Instance | Kind::DeletedInstance | Kind::Job | Kind::Proxy => {
                self.vault_key().id()
            }
        }
    }

    /// `/subscriptions/{s}/locations/{location}`, folded.
    pub(crate) fn location_id(&self) -> String {
        format!(
            "{}/locations/{}",
            self.subscription_id(),
            self.parameter("location")
        )
        .to_ascii_lowercase()
    }

    /// `/subscriptions/{s}/locations/{location}` of a region that is not in the path, folded.
    pub(crate) fn location_of(&self, location: &str) -> String {
        format!("{}/locations/{location}", self.subscription_id()).to_ascii_lowercase()
    }

    /// The body as JSON; `None` if it is empty or none.
    pub(crate) fn json(&self) -> Option<Value> {
        serde_json::from_slice(&self.body).ok()
    }
}

/// Percent decoding; what is no valid escape stays as it is.
pub(crate) fn decode(text: &str) -> String {
    if !text.contains('%') {
        return text.to_owned();
    }
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let escape = (bytes[at] == b'%')
            .then(|| text.get(at + 1..at + 3))
            .flatten();
        match escape.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) => {
                decoded.push(byte);
                at += 3;
            }
            None => {
                decoded.push(bytes[at]);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&decoded).into_owned()
}
