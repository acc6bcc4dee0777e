//! Which credential a client shows, and the one trait behind which each of them gives tokens. Where a token may go is not decided here
//! but by [`crate::origin`], which is asked first.

mod azure;
mod certificate;
mod chain;
mod claims;
mod identity;
mod token;

use std::fmt;
use std::time::SystemTime;

use async_trait::async_trait;

use crate::error::Error;
use crate::secret::Secret;

pub use azure::{AzureCredential, ChainStep, StepState};
pub(crate) use chain::AzureChain;
pub use claims::Identity;
pub(crate) use token::{Loan, Loans, Tokens};

/// What a client shows to its service.
#[derive(Debug, Clone, Default)]
pub enum Credential {
    /// Nothing.
    #[default]
    None,
    /// This token, as it is, for as long as it is accepted.
    Bearer(Secret),
    /// A token of Microsoft Entra, from the first member of the chain that has one.
    Azure(AzureCredential),
}

/// A token and its end.
#[derive(Debug, Clone)]
pub(crate) struct Token {
    pub secret: Secret,
    /// `None`: not known, so taken as valid until the service says otherwise.
    pub expires: Option<SystemTime>,
}

/// Whether asking again can give another token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Renewal {
    Possible,
    Never,
}

/// A source of tokens. It keeps none: [`Tokens`] does.
#[async_trait]
pub(crate) trait TokenSource: fmt::Debug + Send + Sync {
    /// A new token.
    async fn acquire(&self) -> Result<Token, Error>;

    /// For whom the token is: authority, tenant and scope.
    fn audience(&self) -> String;

    fn renewal(&self) -> Renewal;

    /// What is known of its members, in their order.
    fn trail(&self) -> Vec<ChainStep>;
}

/// The source of `bearer:ENVVAR`.
#[derive(Debug)]
pub(crate) struct Fixed(pub Secret);

#[async_trait]
impl TokenSource for Fixed {
    async fn acquire(&self) -> Result<Token, Error> {
        Ok(Token {
            secret: self.0.clone(),
            expires: None,
        })
    }

    fn audience(&self) -> String {
        "bearer".to_owned()
    }

    fn renewal(&self) -> Renewal {
        Renewal::Never
    }

    fn trail(&self) -> Vec<ChainStep> {
        vec![ChainStep {
            name: "bearer",
            state: StepState::Ready,
            reason: "the token is taken as it is".to_owned(),
        }]
    }
}
