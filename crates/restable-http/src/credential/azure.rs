//! The Azure chain.

use std::sync::Arc;

use async_trait::async_trait;

use super::{Renewal, Token, TokenSource};
use crate::clock::Clock;
use crate::cloud::Cloud;
use crate::environment::Environment;
use crate::error::{Error, ErrorKind};
use crate::transport::Transport;

/// The Azure credential: which cloud, which tenant.
#[derive(Debug, Clone, Default)]
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

/// The chain.
#[derive(Debug)]
pub(crate) struct AzureChain(AzureCredential);

impl AzureChain {
    pub(crate) fn new(
        credential: AzureCredential,
        _: Environment,
        _: Arc<dyn Transport>,
        _: Arc<dyn Clock>,
    ) -> Self {
        Self(credential)
    }
}

#[async_trait]
impl TokenSource for AzureChain {
    async fn acquire(&self) -> Result<Token, Error> {
        Err(Error::of(
            ErrorKind::Credential,
            "no member of the chain has a token",
        ))
    }

    fn audience(&self) -> String {
        self.0.cloud.scope().to_owned()
    }

    fn renewal(&self) -> Renewal {
        Renewal::Possible
    }

    fn trail(&self) -> Vec<ChainStep> {
        Vec::new()
    }
}
