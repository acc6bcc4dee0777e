//! The token cache of a client: one request for a token at a time however many calls wait for it, a new one before the old one
//! ends, and no storm of requests after a failure. It never shows a token.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use http::{HeaderName, header};
use restable_spec::AUXILIARY_HEADER;
use tokio::sync::Mutex;

use super::{ChainStep, Renewal, Token, TokenSource};
use crate::clock::Clock;
use crate::error::{Error, ErrorKind};
use crate::secret::Secret;

/// A token is replaced this long before it ends, or after half of its life if that is shorter.
const MARGIN: Duration = Duration::from_secs(300);
/// Calls that waited for a token that could not be had fail with the same error for this long, instead of asking again each.
const FAILURE_KEPT: Duration = Duration::from_secs(5);
/// No header holds a larger token.
const LARGEST: usize = 64 * 1024;

/// The cache. One a credential of a client, so one audience.
#[derive(Debug)]
pub(crate) struct Tokens {
    source: Arc<dyn TokenSource>,
    clock: Arc<dyn Clock>,
    // Held while a token is asked for: this is the single flight.
    held: Mutex<Held>,
}

#[derive(Debug, Default)]
enum Held {
    #[default]
    Nothing,
    Token {
        token: Token,
        renew: Option<SystemTime>,
        generation: u64,
    },
    Failure {
        error: Error,
        until: Instant,
    },
}

/// A token on loan, with the number that says which one the service refused.
#[derive(Debug, Clone)]
pub(crate) struct Loan {
    pub secret: Secret,
    generation: u64,
}

/// The tokens of one attempt.
#[derive(Debug)]
pub(crate) struct Loans {
    /// That of the client's credential.
    pub own: Option<Loan>,
    /// That of its second credential, if the call takes one.
    pub auxiliary: Option<Loan>,
}

impl Loans {
    /// The headers that they are shown in.
    pub(crate) fn shown(&self) -> impl Iterator<Item = (HeaderName, &Secret)> {
        let auxiliary = HeaderName::from_static(AUXILIARY_HEADER);
        [
            (header::AUTHORIZATION, &self.own),
            (auxiliary, &self.auxiliary),
        ]
        .into_iter()
        .filter_map(|(name, loan)| Some((name, &loan.as_ref()?.secret)))
    }
}

impl Tokens {
    pub(crate) fn new(source: Arc<dyn TokenSource>, clock: Arc<dyn Clock>) -> Self {
        Self {
            source,
            clock,
            held: Mutex::default(),
        }
    }

    pub(crate) fn renewal(&self) -> Renewal {
        self.source.renewal()
    }

    pub(crate) fn trail(&self) -> Vec<ChainStep> {
        self.source.trail()
    }

    /// The token that is at hand, fresh or not; `None` if there is none, or one is being asked for.
    pub(crate) fn held(&self) -> Option<Secret> {
        match &*self.held.try_lock().ok()? {
            Held::Token { token, .. } => Some(token.secret.clone()),
            Held::Nothing | Held::Failure { .. } => None,
        }
    }

    /// The token to show now.
    pub(crate) async fn current(&self) -> Result<Loan, Error> {
        self.lend(None).await
    }

    /// The token to show after the service refused this one. Of many calls that were refused with one token the first asks for a new one,
    /// the others get it.
    pub(crate) async fn instead_of(&self, refused: &Loan) -> Result<Loan, Error> {
        self.lend(Some(refused.generation)).await
    }

    async fn lend(&self, refused: Option<u64>) -> Result<Loan, Error> {
        let mut held = self.held.lock().await;
        let next = match &*held {
            Held::Token {
                token,
                renew,
                generation,
            } => {
                let fresh = renew.is_none_or(|renew| self.clock.wall() < renew);
                if fresh && refused != Some(*generation) {
                    return Ok(Loan {
                        secret: token.secret.clone(),
                        generation: *generation,
                    });
                }
                generation + 1
            }
            Held::Failure { error, until } if self.clock.now() < *until => {
                return Err(error.clone());
            }
            // The number of a token that was lost to a failure must not come again.
            Held::Nothing | Held::Failure { .. } => refused.map_or(0, |refused| refused + 1),
        };
        match self
            .source
            .acquire()
            .await
            .and_then(|token| self.check(token))
        {
            Ok(token) => {
                let loan = Loan {
                    secret: token.secret.clone(),
                    generation: next,
                };
                *held = Held::Token {
                    renew: self.renew(&token),
                    token,
                    generation: next,
                };
                Ok(loan)
            }
            Err(error) => {
                *held = Held::Failure {
                    error: error.clone(),
                    until: self.clock.now() + FAILURE_KEPT,
                };
                Err(error)
            }
        }
    }

    fn check(&self, token: Token) -> Result<Token, Error> {
        let text = token.secret.reveal();
        let wrong = if text.trim().is_empty() {
            "an empty token"
        } else if text.len() > LARGEST {
            "a token larger than 64 KiB"
        } else if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            "a token with characters that no header holds"
        } else if token
            .expires
            .is_some_and(|expires| expires <= self.clock.wall())
        {
            "a token that has already expired"
        } else {
            return Ok(token);
        };
        Err(Error::of(
            ErrorKind::Credential,
            format!("the credential gave {wrong} for {}", self.source.audience()),
        ))
    }

    fn renew(&self, token: &Token) -> Option<SystemTime> {
        let expires = token.expires?;
        let life = expires
            .duration_since(self.clock.wall())
            .unwrap_or_default();
        Some(expires - MARGIN.min(life / 2))
    }
}
