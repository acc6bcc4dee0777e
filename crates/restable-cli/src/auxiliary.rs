//! The second credential of a provider, `--auth azure.auxiliary=KIND`: the token of another tenant, for calls that touch a resource there.
//! Owns its form and the rules of where it may go. Only a flag gives it: there is no default, so that nobody has one by accident.

use std::fmt;

use restable_http::{AzureCredential, Cloud, Credential};
use restable_spec::names::same;
use url::Url;

use crate::arguments::{Auth, Grant};
use crate::error::{Error, Result};

/// What stands behind the provider's name.
pub const ROLE: &str = "auxiliary";
/// No name of a tenant is longer: it is an id, or a domain.
const LONGEST_TENANT: usize = 253;

/// A second credential, as it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Auxiliary {
    /// Microsoft Entra, for this tenant.
    Azure(String),
    /// The token in this environment variable.
    Bearer(String),
    /// None after all.
    None,
}

impl fmt::Display for Auxiliary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Auxiliary::Azure(tenant) => write!(f, "azure:{tenant}"),
            Auxiliary::Bearer(variable) => write!(f, "bearer:{variable}"),
            Auxiliary::None => f.write_str("none"),
        }
    }
}

impl Auxiliary {
    /// The credential of this text.
    pub fn parse(kind: &str) -> Result<Auxiliary, String> {
        let is_tenant = |text: &str| {
            !text.is_empty()
                && text.len() <= LONGEST_TENANT
                && text
                    .chars()
                    .all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '.'))
        };
        match kind.split_once(':') {
            None if kind == "none" => Ok(Auxiliary::None),
            Some(("azure", tenant)) if is_tenant(tenant) => Ok(Auxiliary::Azure(tenant.to_owned())),
            Some(("bearer", variable)) if !variable.is_empty() => {
                Ok(Auxiliary::Bearer(variable.to_owned()))
            }
            // The kind is not repeated, as with the first credential.
            _ => Err(
                "the kinds of an auxiliary credential are `azure:TENANT` (another tenant's id or domain), `bearer:ENVVAR` (the \
                 name of an environment variable) and `none`"
                    .to_owned(),
            ),
        }
    }

    /// What the client shows. `token` reads an environment variable.
    pub fn credential(
        &self,
        cloud: Cloud,
        token: impl FnOnce(&str) -> Result<Credential>,
    ) -> Result<Credential> {
        match self {
            Auxiliary::Azure(tenant) => Ok(Credential::Azure(AzureCredential {
                cloud,
                tenant: Some(tenant.clone()),
            })),
            Auxiliary::Bearer(variable) => token(variable),
            Auxiliary::None => Ok(Credential::None),
        }
    }
}

/// The second credential of a provider whose calls go to `instead`, or where its documents say, with `own` as the first one.
pub fn plan(
    provider: &str,
    grants: &[(String, Grant)],
    instead: Option<&Url>,
    own: Option<&Auth>,
) -> Result<Option<Auxiliary>> {
    // The last one given wins.
    let given = grants
        .iter()
        .rev()
        .filter(|(name, _)| same(name, provider))
        .find_map(|(_, grant)| match grant {
            Grant::Auxiliary(auxiliary) => Some(auxiliary.clone()),
            Grant::Own(_) => None,
        });
    let Some(auxiliary) = given.filter(|given| *given != Auxiliary::None) else {
        return Ok(None);
    };
    let refuse = |message: String, hint: String| {
        Err(Error::Setting {
            place: format!("`--auth {provider}.{ROLE}=…`"),
            message,
            hint: Some(hint),
        })
    };
    if let Some(url) = instead.filter(|url| url.scheme() == "http") {
        return refuse(
            format!(
                "a credential never goes over plain http, and `{}` is",
                url.origin().ascii_serialization()
            ),
            "leave it out there: without it the calls go without".to_owned(),
        );
    }
    if own.is_none() {
        return refuse(
            format!("nothing calls `{provider}`, which has no credential of its own"),
            format!("`--auth {provider}=KIND` gives the first one"),
        );
    }
    Ok(Some(auxiliary))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::arguments::{Arguments, Command};

    /// What these flags give to a provider whose own credential is this one.
    fn planned(
        provider: &str,
        flags: &[&str],
        instead: Option<&str>,
        own: Option<&Auth>,
    ) -> Result<Option<Auxiliary>> {
        let flags = flags.iter().flat_map(|flag| ["--auth", flag]);
        let words = ["restable", "exec", "x"].into_iter().chain(flags);
        let Some(Command::Exec(arguments)) = Arguments::try_parse_from(words).unwrap().command
        else {
            return Ok(None);
        };
        let instead = instead.map(|url| Url::parse(url).unwrap());
        let grants = &arguments.session.connection.auth;
        plan(provider, grants, instead.as_ref(), own)
    }

    #[test]
    fn the_last_one_counts() {
        let [tenant, token] = ["azure.auxiliary=azure:t-2", "AZURE.auxiliary=bearer:T"];
        let azure = Some(Auxiliary::Azure("t-2".to_owned()));
        let bearer = Some(Auxiliary::Bearer("T".to_owned()));
        for (flags, expected) in [
            (&[][..], &None),
            (&["azure=azure"], &None),
            (&[tenant], &azure),
            (&[tenant, token, "azure=none"], &bearer),
            (&[token, tenant], &azure),
            (&[tenant, "azure.auxiliary=none"], &None),
            (&["github.auxiliary=bearer:T"], &None),
        ] {
            for (instead, own) in [
                (None, Auth::Azure),
                (Some("https://proxy.example"), Auth::None),
            ] {
                let found = planned("azure", flags, instead, Some(&own)).unwrap();
                assert_eq!(found, *expected, "{flags:?}");
            }
        }
    }

    #[test]
    fn what_is_refused() {
        let token = "azure.auxiliary=bearer:T";
        for (instead, own, expected) in [
            (
                Some("http://127.0.0.1:1"),
                Some(Auth::None),
                "`--auth azure.auxiliary=…`: a credential never goes over plain http, and `http://127.0.0.1:1` is",
            ),
            (
                None,
                None,
                "`--auth azure.auxiliary=…`: nothing calls `azure`, which has no credential of its own",
            ),
        ] {
            let told = planned("azure", &[token], instead, own.as_ref()).unwrap_err();
            assert_eq!(told.to_string(), expected);
            let cleared = [token, "azure.auxiliary=none"];
            assert_eq!(
                planned("azure", &cleared, instead, own.as_ref()).unwrap(),
                None
            );
        }
    }
}
