//! Every environment variable that this crate reads, each a documented constant, and the map that they are read from.
//! Nothing else in the crate asks the process for a variable, so that a test sees only what it gives.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

/// Tenant (directory) id of the service principal or workload identity.
pub const AZURE_TENANT_ID: &str = "AZURE_TENANT_ID";
/// Client (application) id of the service principal, workload identity or user-assigned managed identity.
pub const AZURE_CLIENT_ID: &str = "AZURE_CLIENT_ID";
/// Secret of the service principal; with tenant and client id it is the first member of the chain.
pub const AZURE_CLIENT_SECRET: &str = "AZURE_CLIENT_SECRET";
/// Path of a PEM file with the service principal's private key and certificate.
pub const AZURE_CLIENT_CERTIFICATE_PATH: &str = "AZURE_CLIENT_CERTIFICATE_PATH";
/// Password of that file. Encrypted keys are not supported: the variable only improves the hint.
pub const AZURE_CLIENT_CERTIFICATE_PASSWORD: &str = "AZURE_CLIENT_CERTIFICATE_PASSWORD";
/// Path of the projected service account token of a Kubernetes workload identity.
pub const AZURE_FEDERATED_TOKEN_FILE: &str = "AZURE_FEDERATED_TOKEN_FILE";
/// Token endpoint of App Service, Functions and Container Apps; its presence replaces the probe of the metadata address.
pub const IDENTITY_ENDPOINT: &str = "IDENTITY_ENDPOINT";
/// Secret header that belongs to [`IDENTITY_ENDPOINT`].
pub const IDENTITY_HEADER: &str = "IDENTITY_HEADER";
/// Directories in which the Azure CLI is looked for.
pub const PATH: &str = "PATH";
/// A PEM file of certificate authorities that takes the place of the system's. The certificate loader reads it from the process itself.
pub const SSL_CERT_FILE: &str = "SSL_CERT_FILE";
/// Proxy for https calls. Loopback and the metadata address never go through a proxy.
pub const HTTPS_PROXY: &str = "HTTPS_PROXY";
/// The lower-case spelling of [`HTTPS_PROXY`].
pub const HTTPS_PROXY_LOWER: &str = "https_proxy";
/// Proxy for every call for which there is no more exact variable.
pub const ALL_PROXY: &str = "ALL_PROXY";
/// The lower-case spelling of [`ALL_PROXY`].
pub const ALL_PROXY_LOWER: &str = "all_proxy";
/// Hosts that are reached without a proxy, separated by commas.
pub const NO_PROXY: &str = "NO_PROXY";
/// The lower-case spelling of [`NO_PROXY`].
pub const NO_PROXY_LOWER: &str = "no_proxy";

/// A copy of the environment: the process's own, or a map that a test wrote.
#[derive(Clone, Default)]
pub struct Environment(Arc<HashMap<String, String>>);

impl Environment {
    /// The variables of this process; those that are not Unicode are left out.
    pub fn of_process() -> Self {
        Self(Arc::new(
            std::env::vars_os()
                .filter_map(|(name, value)| {
                    Some((name.into_string().ok()?, value.into_string().ok()?))
                })
                .collect(),
        ))
    }

    /// Exactly these variables.
    pub fn of<N: Into<String>, V: Into<String>>(pairs: impl IntoIterator<Item = (N, V)>) -> Self {
        Self(Arc::new(
            pairs
                .into_iter()
                .map(|(name, value)| (name.into(), value.into()))
                .collect(),
        ))
    }

    /// The variable's value; one that is empty or blank counts as not set.
    pub fn var(&self, name: &str) -> Option<&str> {
        self.0
            .get(name)
            .map(String::as_str)
            .filter(|value| !value.trim().is_empty())
    }

    /// The first of these names that is set.
    pub(crate) fn first_of(&self, names: &[&str]) -> Option<&str> {
        names.iter().find_map(|name| self.var(name))
    }
}

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Values may be secrets; the number alone is of no use to an attacker.
        write!(f, "Environment({} variables)", self.0.len())
    }
}
