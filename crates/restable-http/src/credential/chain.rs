//! The Azure chain at work: asks the members in their order, keeps to the first that gave a token, and remembers why each other one did not.
//! azure_identity does the asking; this file decides the order, the limits and the words.

use std::ffi::OsStr;
use std::io;
use std::path::Path;
use std::process::{Output, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use azure_core::cloud::CloudConfiguration;
use azure_core::credentials::{Secret as AzureSecret, TokenCredential};
use azure_core::http::{ClientMethodOptions, ClientOptions};
use azure_identity::{
    AzureCliCredential, AzureCliCredentialOptions, ClientAssertion, ClientAssertionCredential,
    ClientAssertionCredentialOptions, ClientSecretCredential, ClientSecretCredentialOptions,
    Executor, ManagedIdentityCredential, ManagedIdentityCredentialOptions, UserAssignedId,
    WorkloadIdentityCredential, WorkloadIdentityCredentialOptions,
};
use http::{HeaderMap, Method};
use url::{Origin, Url};

use super::azure::{AzureCredential, ChainStep, METADATA_ADDRESS, Member, StepState, step};
use super::certificate::Assertion;
use super::identity::IdentityClient;
use super::{Renewal, Token, TokenSource};
use crate::clock::{Clock, within};
use crate::cloud::Cloud;
use crate::environment::{
    AZURE_CLIENT_CERTIFICATE_PASSWORD, AZURE_CLIENT_CERTIFICATE_PATH, AZURE_CLIENT_ID,
    AZURE_CLIENT_SECRET, AZURE_FEDERATED_TOKEN_FILE, Environment, IDENTITY_ENDPOINT,
};
use crate::error::{Error, ErrorKind};
use crate::redact::show_text;
use crate::secret::Secret;
use crate::transport::{Request, Transport};

/// On a machine without a metadata service the probe ends after this time.
const PROBE_TIMEOUT: Duration = Duration::from_secs(1);
/// The Azure CLI starts slowly, but not that slowly.
const CLI_TIMEOUT: Duration = Duration::from_secs(10);
const PROBE_PATH: &str = "/metadata/identity/oauth2/token?api-version=2018-02-01";

/// The chain of one credential.
#[derive(Debug)]
pub(crate) struct AzureChain {
    credential: AzureCredential,
    environment: Environment,
    transport: Arc<dyn Transport>,
    clock: Arc<dyn Clock>,
    executor: Arc<dyn Executor>,
    state: Mutex<ChainState>,
}

#[derive(Debug, Default)]
struct ChainState {
    // Once a member gave a token, no other one is asked: a statement must not change its identity halfway.
    used: Option<Member>,
    trail: Option<Vec<ChainStep>>,
}

/// Why a member has no token.
struct Denied {
    message: String,
    hint: Option<String>,
}

impl From<String> for Denied {
    fn from(message: String) -> Self {
        Self {
            message,
            hint: None,
        }
    }
}

impl AzureChain {
    pub(crate) fn new(
        credential: AzureCredential,
        environment: Environment,
        transport: Arc<dyn Transport>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let executor = Arc::new(Subprocess(Arc::clone(&clock)));
        Self {
            credential,
            environment,
            transport,
            clock,
            executor,
            state: Mutex::default(),
        }
    }

    #[cfg(test)]
    pub(crate) fn with_executor(mut self, executor: Arc<dyn Executor>) -> Self {
        self.executor = executor;
        self
    }

    async fn ask(&self, member: Member) -> Result<Token, Denied> {
        let credential: Arc<dyn TokenCredential> = match member {
            Member::Secret => {
                let secret = AzureSecret::new(self.variable(AZURE_CLIENT_SECRET)?);
                let options = ClientSecretCredentialOptions {
                    client_options: self.authority(),
                };
                ClientSecretCredential::new(
                    &self.tenant()?,
                    self.variable(AZURE_CLIENT_ID)?,
                    secret,
                    Some(options),
                )
                .map_err(words)?
            }
            Member::Certificate => self.certificate()?,
            Member::Workload => {
                let options = WorkloadIdentityCredentialOptions {
                    credential_options: ClientAssertionCredentialOptions {
                        client_options: self.authority(),
                    },
                    client_id: Some(self.variable(AZURE_CLIENT_ID)?),
                    tenant_id: Some(self.tenant()?),
                    token_file_path: Some(self.variable(AZURE_FEDERATED_TOKEN_FILE)?.into()),
                };
                WorkloadIdentityCredential::new(Some(options)).map_err(words)?
            }
            Member::Cli => {
                let options = AzureCliCredentialOptions {
                    tenant_id: self.credential.tenant.clone(),
                    executor: Some(Arc::clone(&self.executor)),
                    ..AzureCliCredentialOptions::default()
                };
                AzureCliCredential::new(Some(options)).map_err(words)?
            }
            Member::Managed => self.managed().await?,
        };
        // A credential is built for one token, so that none of them keeps one behind the back of our own cache.
        let token = credential
            .get_token(&[self.credential.cloud.scope()], None)
            .await
            .map_err(words)?;
        Ok(Token {
            secret: Secret::new(token.token.secret()),
            expires: Some(token.expires_on.into()),
        })
    }

    fn certificate(&self) -> Result<Arc<dyn TokenCredential>, Denied> {
        let (tenant, client) = (self.tenant()?, self.variable(AZURE_CLIENT_ID)?);
        let audience = format!(
            "{}/{tenant}/oauth2/v2.0/token",
            self.credential.cloud.authority_host()
        );
        let path = self.variable(AZURE_CLIENT_CERTIFICATE_PATH)?;
        let assertion = Assertion::open(
            Path::new(&path),
            client.clone(),
            audience,
            Arc::clone(&self.clock),
        )
        .map_err(|unusable| {
            let hint = unusable.hint.map(|hint| {
                match self.environment.var(AZURE_CLIENT_CERTIFICATE_PASSWORD) {
                    Some(_) => format!("{hint}; `{AZURE_CLIENT_CERTIFICATE_PASSWORD}` is not used"),
                    None => hint.to_owned(),
                }
            });
            Denied {
                message: unusable.message,
                hint,
            }
        })?;
        let options = ClientAssertionCredentialOptions {
            client_options: self.authority(),
        };
        Ok(
            ClientAssertionCredential::new(tenant, client, assertion, Some(options))
                .map_err(words)?,
        )
    }

    async fn managed(&self) -> Result<Arc<dyn TokenCredential>, Denied> {
        let place = match self.environment.var(IDENTITY_ENDPOINT) {
            Some(endpoint) => Url::parse(endpoint)
                .map_err(|_| format!("`{IDENTITY_ENDPOINT}` is no URL"))?
                .origin(),
            None => {
                self.probe().await?;
                origin(METADATA_ADDRESS)
            }
        };
        let options = ManagedIdentityCredentialOptions {
            user_assigned_id: self
                .environment
                .var(AZURE_CLIENT_ID)
                .map(|id| UserAssignedId::ClientId(id.to_owned())),
            client_options: self.options(place),
        };
        Ok(ManagedIdentityCredential::new(Some(options)).map_err(words)?)
    }

    /// Any answer at all means that there is a metadata service; without its header it gives no token.
    async fn probe(&self) -> Result<(), String> {
        let url = Url::parse(&format!("{METADATA_ADDRESS}{PROBE_PATH}"))
            .map_err(|error| error.to_string())?;
        let request = Request {
            method: Method::GET,
            url,
            headers: HeaderMap::new(),
            body: bytes::Bytes::new(),
        };
        match within(&*self.clock, PROBE_TIMEOUT, self.transport.send(request)).await {
            Some(Ok(_)) => Ok(()),
            Some(Err(error)) => Err(format!(
                "no metadata service at `{METADATA_ADDRESS}`: {}",
                show_text(&error.message)
            )),
            None => Err(format!(
                "no metadata service answers at `{METADATA_ADDRESS}` within {} s",
                PROBE_TIMEOUT.as_secs()
            )),
        }
    }

    fn authority(&self) -> ClientOptions {
        let cloud = match self.credential.cloud {
            Cloud::Public => CloudConfiguration::AzurePublic,
            Cloud::China => CloudConfiguration::AzureChina,
            Cloud::UsGovernment => CloudConfiguration::AzureGovernment,
        };
        ClientOptions {
            cloud: Some(Arc::new(cloud)),
            ..self.options(origin(self.credential.cloud.authority_host()))
        }
    }

    fn options(&self, place: Origin) -> ClientOptions {
        IdentityClient {
            transport: Arc::clone(&self.transport),
            clock: Arc::clone(&self.clock),
            place,
        }
        .options()
    }

    fn tenant(&self) -> Result<String, String> {
        self.credential
            .tenant(&self.environment)
            .map(str::to_owned)
            .ok_or_else(|| "there is no tenant".to_owned())
    }

    fn variable(&self, name: &str) -> Result<String, String> {
        self.environment
            .var(name)
            .map(str::to_owned)
            .ok_or_else(|| format!("`{name}` is not set"))
    }

    fn remember(&self, used: Option<Member>, trail: Vec<ChainStep>) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.used = used.or(state.used);
        state.trail = Some(trail);
    }
}

#[async_trait]
impl TokenSource for AzureChain {
    async fn acquire(&self) -> Result<Token, Error> {
        let mut trail = self.credential.explain(&self.environment);
        let used = self
            .state
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .used;
        let mut hint = None;
        for (member, entry) in Member::ALL.into_iter().zip(&mut trail) {
            if entry.state != StepState::Ready || used.is_some_and(|used| used != member) {
                continue;
            }
            let denied = match self.ask(member).await {
                Ok(token) => {
                    *entry = step(member, StepState::Used, "gave the token");
                    self.remember(Some(member), trail);
                    return Ok(token);
                }
                Err(denied) => denied,
            };
            tracing::debug!(member = member.name(), reason = denied.message, "no token");
            *entry = step(member, StepState::Failed, denied.message);
            hint = denied.hint.or(hint);
            if member.is_explicit() {
                break;
            }
        }
        let failed: Vec<String> = trail
            .iter()
            .filter(|entry| entry.state == StepState::Failed)
            .map(|entry| format!("{}: {}", entry.name, entry.reason.trim_end_matches('.')))
            .collect();
        self.remember(None, trail);
        let error = Error::of(
            ErrorKind::Credential,
            format!("there is no token: {}", failed.join("; ")),
        );
        Err(match hint {
            Some(hint) => error.advise(hint),
            None => error,
        })
    }

    fn audience(&self) -> String {
        self.credential.cloud.scope().to_owned()
    }

    fn renewal(&self) -> Renewal {
        Renewal::Possible
    }

    fn trail(&self) -> Vec<ChainStep> {
        let known = self
            .state
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .trail
            .clone();
        known.unwrap_or_else(|| self.credential.explain(&self.environment))
    }
}

#[async_trait]
impl ClientAssertion for Assertion {
    async fn secret(&self, _: Option<ClientMethodOptions<'_>>) -> azure_core::Result<String> {
        self.sign().map_err(|message| {
            azure_core::Error::with_message(azure_core::error::ErrorKind::Credential, message)
        })
    }
}

fn origin(constant: &str) -> Origin {
    Url::parse(constant).map_or_else(|_| Origin::new_opaque(), |url| url.origin())
}

/// What azure_identity says, without the name of its type in front and the link to its guide behind.
fn words(error: azure_core::Error) -> Denied {
    let text = error.to_string();
    let text = text
        .split("To troubleshoot, visit")
        .next()
        .unwrap_or_default();
    let text = text
        .split_once("authentication failed.")
        .map_or(text, |(_, rest)| rest);
    show_text(text).into()
}

/// Runs the Azure CLI, without input, and ends it when its time is up or nobody waits any more.
#[derive(Debug)]
struct Subprocess(Arc<dyn Clock>);

#[async_trait]
impl Executor for Subprocess {
    async fn run(&self, program: &OsStr, arguments: &[&OsStr]) -> io::Result<Output> {
        let mut command = tokio::process::Command::new(program);
        command
            .args(arguments)
            .stdin(Stdio::null())
            .kill_on_drop(true);
        let late = || {
            io::Error::new(
                io::ErrorKind::TimedOut,
                format!("no answer within {} s", CLI_TIMEOUT.as_secs()),
            )
        };
        within(&*self.0, CLI_TIMEOUT, command.output())
            .await
            .unwrap_or_else(|| Err(late()))
    }
}

#[cfg(test)]
mod tests;
