//! The Azure credential as data: which cloud, which tenant, and the members of its chain with the reason why each is asked or not. It asks
//! nobody: whatever it says is read from the environment and the file system.

use std::path::{Path, PathBuf};

use crate::cloud::Cloud;
use crate::environment::{
    AZURE_CLIENT_CERTIFICATE_PATH, AZURE_CLIENT_ID, AZURE_CLIENT_SECRET,
    AZURE_FEDERATED_TOKEN_FILE, AZURE_TENANT_ID, Environment, IDENTITY_ENDPOINT, PATH,
};

/// Where the instance metadata service of Azure's virtual machines is.
pub(crate) const METADATA_ADDRESS: &str = "http://169.254.169.254";

/// The Azure credential: which cloud, which tenant.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AzureCredential {
    /// The cloud whose Resource Manager gets the token.
    pub cloud: Cloud,
    /// The tenant; `None` leaves it to the environment and the Azure CLI.
    pub tenant: Option<String>,
}

/// What is known of one member of the chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChainStep {
    /// The member.
    pub name: &'static str,
    /// How it stands.
    pub state: StepState,
    /// Why.
    pub reason: String,
}

/// How a member of the chain stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StepState {
    /// Configured, not yet asked.
    Ready,
    /// Not configured.
    Skipped,
    /// Gave the token.
    Used,
    /// Asked, and could not.
    Failed,
}

/// The members, in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Member {
    Secret,
    Certificate,
    Workload,
    Cli,
    Managed,
}

impl Member {
    pub(crate) const ALL: [Self; 5] = [
        Self::Secret,
        Self::Certificate,
        Self::Workload,
        Self::Cli,
        Self::Managed,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Secret => "environment secret",
            Self::Certificate => "environment certificate",
            Self::Workload => "workload identity",
            Self::Cli => "Azure CLI",
            Self::Managed => "managed identity",
        }
    }

    /// Whether someone set it up for this program: then its failure is the answer, and no other identity takes its place.
    pub(crate) fn is_explicit(self) -> bool {
        match self {
            Self::Secret | Self::Certificate | Self::Workload => true,
            Self::Cli | Self::Managed => false,
        }
    }
}

impl AzureCredential {
    /// The members of the chain, in their order, and whether each would be asked and why. Nothing is asked.
    pub fn explain(&self, environment: &Environment) -> Vec<ChainStep> {
        Member::ALL
            .into_iter()
            .map(|member| self.explain_member(member, environment))
            .collect()
    }

    pub(crate) fn tenant<'a>(&'a self, environment: &'a Environment) -> Option<&'a str> {
        self.tenant
            .as_deref()
            .or_else(|| environment.var(AZURE_TENANT_ID))
    }

    fn explain_member(&self, member: Member, environment: &Environment) -> ChainStep {
        let own = match member {
            Member::Secret => AZURE_CLIENT_SECRET,
            Member::Certificate => AZURE_CLIENT_CERTIFICATE_PATH,
            Member::Workload => AZURE_FEDERATED_TOKEN_FILE,
            Member::Cli => {
                return match find_program(environment) {
                    Some(path) => step(
                        member,
                        StepState::Ready,
                        format!("`az` is `{}`", path.display()),
                    ),
                    None => step(member, StepState::Skipped, "`az` is not on the path"),
                };
            }
            Member::Managed => {
                return match environment.var(IDENTITY_ENDPOINT) {
                    Some(_) => step(
                        member,
                        StepState::Ready,
                        format!("`{IDENTITY_ENDPOINT}` is set"),
                    ),
                    None => step(
                        member,
                        StepState::Ready,
                        format!("`{METADATA_ADDRESS}` would be probed for a second"),
                    ),
                };
            }
        };
        let mut missing: Vec<&str> = [own, AZURE_CLIENT_ID]
            .into_iter()
            .filter(|name| environment.var(name).is_none())
            .collect();
        if self.tenant(environment).is_none() {
            missing.push(AZURE_TENANT_ID);
        }
        if missing.is_empty() {
            return step(
                member,
                StepState::Ready,
                format!("`{own}`, `{AZURE_CLIENT_ID}` and the tenant are set"),
            );
        }
        let names: Vec<String> = missing.iter().map(|name| format!("`{name}`")).collect();
        let verb = if names.len() == 1 { "is" } else { "are" };
        step(
            member,
            StepState::Skipped,
            format!("{} {verb} not set", names.join(", ")),
        )
    }
}

pub(crate) fn step(member: Member, state: StepState, reason: impl Into<String>) -> ChainStep {
    ChainStep {
        name: member.name(),
        state,
        reason: reason.into(),
    }
}

/// The Azure CLI on the path. Relative entries are not looked at: whoever can write to the current directory is not to be run.
fn find_program(environment: &Environment) -> Option<PathBuf> {
    let names: &[&str] = if cfg!(windows) {
        &["az.cmd", "az.exe"]
    } else {
        &["az"]
    };
    std::env::split_paths(environment.var(PATH)?)
        .filter(|directory| directory.is_absolute())
        .flat_map(|directory| names.iter().map(move |name| directory.join(name)))
        .find(|path| Path::is_file(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn states(credential: &AzureCredential, variables: &[(&str, &str)]) -> String {
        let environment = Environment::of(variables.iter().copied());
        let letter = |step: &ChainStep| {
            if step.state == StepState::Ready {
                '+'
            } else {
                '-'
            }
        };
        credential
            .explain(&environment)
            .iter()
            .map(letter)
            .collect()
    }

    #[test]
    fn what_would_be_asked() {
        let (tenant, client) = ((AZURE_TENANT_ID, "t"), (AZURE_CLIENT_ID, "c"));
        let own = AzureCredential {
            tenant: Some("t".to_owned()),
            ..AzureCredential::default()
        };
        let none = AzureCredential::default();
        assert_eq!(states(&none, &[]), "----+");
        assert_eq!(states(&none, &[tenant, client]), "----+");
        assert_eq!(
            states(&none, &[tenant, client, (AZURE_CLIENT_SECRET, "s")]),
            "+---+"
        );
        assert_eq!(
            states(&none, &[client, (AZURE_CLIENT_SECRET, "s")]),
            "----+"
        );
        assert_eq!(states(&own, &[client, (AZURE_CLIENT_SECRET, "s")]), "+---+");
        assert_eq!(states(&own, &[client, (AZURE_CLIENT_SECRET, " ")]), "----+");
        assert_eq!(
            states(
                &none,
                &[tenant, client, (AZURE_CLIENT_CERTIFICATE_PATH, "/x.pem")]
            ),
            "-+--+"
        );
        assert_eq!(
            states(&none, &[tenant, client, (AZURE_FEDERATED_TOKEN_FILE, "/x")]),
            "--+-+"
        );
        let reasons: Vec<String> = none
            .explain(&Environment::default())
            .into_iter()
            .map(|step| step.reason)
            .collect();
        assert_eq!(
            reasons[0],
            "`AZURE_CLIENT_SECRET`, `AZURE_CLIENT_ID`, `AZURE_TENANT_ID` are not set"
        );
        assert_eq!(reasons[3], "`az` is not on the path");
    }

    #[test]
    fn the_azure_cli_is_found_in_absolute_directories_only() -> std::io::Result<()> {
        let directory = tempfile::tempdir()?;
        std::fs::write(
            directory
                .path()
                .join(if cfg!(windows) { "az.cmd" } else { "az" }),
            "",
        )?;
        let path = std::env::join_paths([Path::new("."), Path::new("relative"), directory.path()])
            .map_err(std::io::Error::other)?;
        let found = find_program(&Environment::of([(PATH, path.to_string_lossy())]));
        assert_eq!(
            found.as_deref().and_then(Path::parent),
            Some(directory.path())
        );
        Ok(())
    }
}
