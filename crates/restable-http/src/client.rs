//! The client of one provider: bound call in, pages of bytes out. It owns the configuration, the budget of retries and
//! the token cache. What happens within one request is [`crate::exchange`]'s; what the bytes mean is the caller's.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures::stream::{self, Stream};
use tokio::task::JoinHandle;
use url::Url;

use crate::allowance::Allowance;
use crate::ask::Ask;
use crate::clock::{Clock, TokioClock};
use crate::connection::Connections;
use crate::credential::{AzureChain, ChainStep, Credential, Fixed, Identity, TokenSource, Tokens};
use crate::environment::Environment;
use crate::error::{Error, ErrorKind};
use crate::exchange::Answer;
use crate::fault::Fault;
use crate::meter::Meter;
use crate::origin::Audience;
use crate::paging::{BodyError, Dead, PageRead, Trail};
use crate::redact::redact_url;
use crate::retry::{Budget, RetryPolicy};
use crate::schedule::{Allotment, Lane, Scheduler};
use crate::transport::Transport;
use restable_spec::BoundCall;

/// What a client needs to know. [`ClientConfig::default`] asks the document's own server, without a credential.
#[derive(Debug, Clone)]
pub struct ClientConfig {
    /// Calls go here instead of to the server of the document. Plain http is for loopback only.
    pub endpoint: Option<Url>,
    /// What is shown to the service.
    pub credential: Credential,
    /// What is shown beside it by calls that take a second credential, for a resource in another tenant. Without one they go without.
    pub auxiliary: Option<Credential>,
    /// Whether an Azure credential may be shown to [`ClientConfig::endpoint`].
    pub trust: Trust,
    /// Limit of one connection, TLS included.
    pub connect_timeout: Duration,
    /// Longest silence of a server, before the answer and within it.
    pub read_timeout: Duration,
    /// Limit of one attempt at one page.
    pub page_timeout: Duration,
    /// Requests under way at once, where [`ClientConfig::scheduler`] is none. A call that waits between attempts is not under way.
    pub max_concurrency: usize,
    /// The scheduler that all clients of a process share; without one the client has its own.
    pub scheduler: Option<Scheduler>,
    /// Largest page, in decompressed bytes.
    pub page_bytes: usize,
    /// When calls are sent again.
    pub retry: RetryPolicy,
    /// The `User-Agent` header.
    pub user_agent: String,
    /// The variables that credentials and proxies are read from.
    pub environment: Environment,
}

/// To which origins an Azure credential goes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Trust {
    /// Resource Manager of the credential's cloud.
    #[default]
    Cloud,
    /// The endpoint of the configuration as well: the user named both in this run.
    Endpoint,
}

impl Default for ClientConfig {
    fn default() -> Self {
        Self {
            endpoint: None,
            credential: Credential::None,
            auxiliary: None,
            trust: Trust::Cloud,
            connect_timeout: Duration::from_secs(5),
            read_timeout: Duration::from_secs(60),
            page_timeout: Duration::from_secs(120),
            max_concurrency: 64,
            scheduler: None,
            page_bytes: 64 << 20,
            retry: RetryPolicy::default(),
            user_agent: concat!("restable/", env!("CARGO_PKG_VERSION")).to_owned(),
            environment: Environment::default(),
        }
    }
}

/// What a statement lends to its calls.
#[derive(Debug, Clone)]
pub struct CallContext {
    /// Where the calls are counted.
    pub meter: Arc<Meter>,
    /// When the statement ends, on the client's clock.
    pub deadline: Option<Instant>,
    /// Limit of one attempt at one page, instead of the client's.
    pub page_timeout: Option<Duration>,
    /// Whose turn its calls take.
    pub lane: Lane,
    /// How many calls may be sent.
    pub allowance: Arc<Allowance>,
}

impl CallContext {
    /// A context without a deadline, in a lane of its own.
    pub fn new(meter: Arc<Meter>) -> Self {
        Self {
            meter,
            deadline: None,
            page_timeout: None,
            lane: Lane::default(),
            allowance: Arc::default(),
        }
    }
}

/// The client of one provider. A clone is the same client; it lives as long as the process, so that its connections and tokens do.
#[derive(Debug, Clone)]
pub struct Client {
    pub(crate) shared: Arc<Shared>,
}

#[derive(Debug)]
pub(crate) struct Shared {
    pub config: ClientConfig,
    pub transport: Arc<dyn Transport>,
    pub clock: Arc<dyn Clock>,
    pub tokens: Option<Tokens>,
    /// The tokens of the second credential.
    pub auxiliary: Option<Tokens>,
    pub scheduler: Scheduler,
    pub budget: Budget,
    pub random: Mutex<fastrand::Rng>,
}

impl Client {
    /// A client with connections of its own and the real clock. Nothing is connected and no token is fetched before the first call.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] if the proxy of the environment cannot be used.
    pub fn new(config: ClientConfig) -> Result<Self, Error> {
        let connections = Connections::open(config.connect_timeout, &config.environment)?;
        Ok(Self::with_transport(
            config,
            Arc::new(connections),
            Arc::new(TokioClock),
        ))
    }

    /// A client over this transport and clock: shared [`Connections`], or a script and virtual time in tests.
    pub fn with_transport(
        config: ClientConfig,
        transport: Arc<dyn Transport>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let source = |credential: &Credential| -> Option<Arc<dyn TokenSource>> {
            match credential {
                Credential::None => None,
                Credential::Bearer(secret) => Some(Arc::new(Fixed(secret.clone()))),
                Credential::Azure(azure) => Some(Arc::new(AzureChain::new(
                    azure.clone(),
                    config.environment.clone(),
                    Arc::clone(&transport),
                    Arc::clone(&clock),
                ))),
            }
        };
        let sources = Sources {
            own: source(&config.credential),
            auxiliary: config.auxiliary.as_ref().and_then(source),
        };
        Self::with_sources(config, sources, transport, clock)
    }

    pub(crate) fn with_sources(
        config: ClientConfig,
        sources: Sources,
        transport: Arc<dyn Transport>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let random = config
            .retry
            .seed
            .map_or_else(fastrand::Rng::new, fastrand::Rng::with_seed);
        let tokens = |source| Tokens::new(source, Arc::clone(&clock));
        let shared = Shared {
            tokens: sources.own.map(tokens),
            auxiliary: sources.auxiliary.map(tokens),
            scheduler: config
                .scheduler
                .clone()
                .unwrap_or_else(|| Scheduler::new(config.max_concurrency, Arc::clone(&clock))),
            budget: Budget::new(config.retry.budget),
            random: Mutex::new(random),
            transport,
            clock,
            config,
        };
        Self {
            shared: Arc::new(shared),
        }
    }

    /// The configuration.
    pub fn config(&self) -> &ClientConfig {
        &self.shared.config
    }

    /// All pages of a call, in order, each as soon as it is asked for: a page that nobody polls for is not requested, and dropping the
    /// stream ends the request under way. The stream ends after its first error.
    pub fn pages<T, R>(
        &self,
        call: BoundCall,
        context: CallContext,
        read: R,
    ) -> impl Stream<Item = Result<T, Error>> + Send + use<T, R>
    where
        R: FnMut(Bytes) -> Result<PageRead<T>, BodyError> + Send + 'static,
        T: Send + 'static,
    {
        self.pages_ahead(call, context, |_: &Bytes| None, read)
    }

    /// The same, with the next page under way while one is read. `peek` finds the next link in a page without reading it; it may find
    /// none. Where the page then says another one, what was asked for ahead of time is dropped.
    pub fn pages_ahead<T, P, R>(
        &self,
        call: BoundCall,
        context: CallContext,
        peek: P,
        read: R,
    ) -> impl Stream<Item = Result<T, Error>> + Send + use<T, P, R>
    where
        P: FnMut(&Bytes) -> Option<String> + Send + 'static,
        R: FnMut(Bytes) -> Result<PageRead<T>, BodyError> + Send + 'static,
        T: Send + 'static,
    {
        let walk = Walk {
            client: self.clone(),
            context,
            peek,
            read,
            at: At::Start(Box::new(call)),
        };
        stream::try_unfold(walk, Walk::step)
    }

    /// One answer: the first page of a call, whatever it links to.
    pub async fn read_one<T, R>(
        &self,
        call: BoundCall,
        context: CallContext,
        mut read: R,
    ) -> Result<T, Error>
    where
        R: FnMut(Bytes) -> Result<PageRead<T>, BodyError>,
    {
        let ask = Ask::new(&self.shared, call)?;
        let answer = self.shared.exchange(&ask, &context).await?;
        Ok(self.page(&ask, &context, answer, &mut read)?.rows)
    }

    /// The members of the credential, in their order, and how each stands as far as is known without asking anyone.
    pub fn explain_credential(&self) -> Vec<ChainStep> {
        explain(self.shared.tokens.as_ref())
    }

    /// Asks for a token, then explains.
    pub async fn probe_credential(&self) -> (Vec<ChainStep>, Result<(), Error>) {
        probe(self.shared.tokens.as_ref()).await
    }

    /// As [`Client::explain_credential`], of the second credential.
    pub fn explain_auxiliary(&self) -> Vec<ChainStep> {
        explain(self.shared.auxiliary.as_ref())
    }

    /// As [`Client::probe_credential`], of the second credential.
    pub async fn probe_auxiliary(&self) -> (Vec<ChainStep>, Result<(), Error>) {
        let (steps, outcome) = probe(self.shared.auxiliary.as_ref()).await;
        (steps, outcome.map_err(Error::of_auxiliary))
    }

    /// What the service would count a call under, and how much of it is left. Sends nothing.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] if the call cannot be sent as it is.
    pub fn allotment(&self, call: BoundCall) -> Result<Allotment, Error> {
        let ask = Ask::new(&self.shared, call)?;
        Ok(self.shared.scheduler.allotment(&ask.method, &ask.url))
    }

    /// Where a call goes: its whole URL, which tells calls apart, and the URL as it may be printed.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] if the call cannot be sent as it is.
    pub fn url(&self, call: BoundCall) -> Result<(String, String), Error> {
        let ask = Ask::new(&self.shared, call)?;
        Ok((ask.url.to_string(), redact_url(&ask.url)))
    }

    /// The time on the clock that the client goes by.
    pub fn now(&self) -> Instant {
        self.shared.clock.now()
    }

    /// As [`Client::identity`], as far as that is known without asking anyone: `None` where only a token that is not there yet would tell.
    pub fn known_identity(&self) -> Option<Identity> {
        match &self.shared.tokens {
            None => Some(Identity::default()),
            Some(tokens) => match &self.shared.config.credential {
                Credential::Bearer(secret) => Some(Identity::of(secret)),
                _ => tokens.held().map(|secret| Identity::of(&secret)),
            },
        }
    }

    /// Who the calls of this client are made as, as far as its token says; nobody without a credential. It is a label, for the binding of
    /// a journal's entry, and decides nothing about what the service allows.
    ///
    /// # Errors
    /// The credential gives no token.
    pub async fn identity(&self) -> Result<Identity, Error> {
        match &self.shared.tokens {
            None => Ok(Identity::default()),
            Some(tokens) => Ok(Identity::of(&tokens.current().await?.secret)),
        }
    }

    fn page<T, R>(
        &self,
        ask: &Ask,
        context: &CallContext,
        answer: Answer,
        read: &mut R,
    ) -> Result<PageRead<T>, Error>
    where
        R: FnMut(Bytes) -> Result<PageRead<T>, BodyError>,
    {
        let Answer {
            status,
            body,
            tally,
            ..
        } = answer;
        // The reader may fail on a body that is an error with the status of a success, so the bytes are kept until then.
        let page = read(body.clone()).map_err(|wrong| {
            let mut error = ask.error_after(&tally, ErrorKind::Body, wrong.message);
            error.edit().status = Some(status);
            error.edit().path = Some(wrong.path).filter(|path| !path.is_empty());
            error.edit().item = wrong.item;
            match Fault::inside_success(&body) {
                Some(fault) => error.with_fault(fault),
                None => error,
            }
        })?;
        context
            .meter
            .count_page(tally.record, page.row_count, self.shared.clock.now());
        Ok(page)
    }
}

impl Shared {
    /// To whom the credential of this client goes.
    pub(crate) fn audience(&self) -> Audience {
        match &self.tokens {
            None => Audience::Nobody,
            Some(_) => self.audience_of(&self.config.credential),
        }
    }

    /// To whom its second credential goes; `None` if it has none.
    pub(crate) fn auxiliary_audience(&self) -> Option<Audience> {
        self.auxiliary.as_ref()?;
        let credential = self.config.auxiliary.as_ref();
        Some(self.audience_of(credential.unwrap_or(&Credential::None)))
    }

    fn audience_of(&self, credential: &Credential) -> Audience {
        match (credential, self.config.trust, &self.config.endpoint) {
            (Credential::Azure(_), Trust::Endpoint, Some(endpoint)) => {
                Audience::Only(endpoint.origin())
            }
            (Credential::Azure(azure), ..) => Audience::Only(azure.cloud.origin()),
            (Credential::None | Credential::Bearer(_), ..) => Audience::Service,
        }
    }
}

/// Where tokens come from.
#[derive(Debug, Default)]
pub(crate) struct Sources {
    pub own: Option<Arc<dyn TokenSource>>,
    pub auxiliary: Option<Arc<dyn TokenSource>>,
}

fn explain(tokens: Option<&Tokens>) -> Vec<ChainStep> {
    tokens.map(Tokens::trail).unwrap_or_default()
}

async fn probe(tokens: Option<&Tokens>) -> (Vec<ChainStep>, Result<(), Error>) {
    match tokens {
        None => (Vec::new(), Ok(())),
        Some(tokens) => {
            let outcome = tokens.current().await.map(|_| ());
            (tokens.trail(), outcome)
        }
    }
}

/// The state between two pages.
struct Walk<P, R> {
    client: Client,
    context: CallContext,
    peek: P,
    read: R,
    at: At,
}

enum At {
    Start(Box<BoundCall>),
    Next(Box<(Ask, Trail, Option<Begun>)>),
    // The page before it was good; the error is told when the next one is asked for, so that a LIMIT that has enough never sees it.
    Dead(Error),
    End,
}

/// A page that is under way although the one before it is not read yet. It ends when it is dropped.
struct Begun {
    url: Url,
    task: JoinHandle<Result<Answer, Error>>,
}

impl Begun {
    fn new(client: &Client, ask: &Ask, url: Url, context: &CallContext) -> Begun {
        let (shared, context) = (Arc::clone(&client.shared), context.clone());
        let ask = ask.clone().next(url.clone());
        let task = tokio::spawn(async move { shared.exchange(&ask, &context).await });
        Begun { url, task }
    }
}

impl Drop for Begun {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl<P, R> Walk<P, R> {
    async fn step<T>(self) -> Result<Option<(T, Self)>, Error>
    where
        P: FnMut(&Bytes) -> Option<String>,
        R: FnMut(Bytes) -> Result<PageRead<T>, BodyError>,
    {
        let Self {
            client,
            context,
            mut peek,
            mut read,
            at,
        } = self;
        let (ask, mut trail, begun) = match at {
            At::End => return Ok(None),
            At::Dead(error) => return Err(error),
            At::Start(call) => {
                let ask = Ask::new(&client.shared, *call)?;
                let trail = Trail::new(ask.gate.service().clone(), &ask.url);
                (ask, trail, None)
            }
            At::Next(next) => *next,
        };
        let answer = match begun {
            Some(mut begun) => (&mut begun.task).await.ok(),
            None => None,
        };
        let answer = match answer {
            Some(answer) => answer?,
            // Nothing was begun, or its task was ended with the runtime.
            None => client.shared.exchange(&ask, &context).await?,
        };
        let asked = answer.url.clone();
        let ahead = peek(&answer.body).and_then(|next| trail.ahead(&asked, &next));
        let begun = ahead.map(|url| Begun::new(&client, &ask, url, &context));
        if begun.is_some() {
            // Reading a page takes a thread for as long as it lasts, and what was begun waits for this one: it has its turn first.
            tokio::task::yield_now().await;
        }
        let PageRead {
            rows,
            row_count,
            next,
        } = client.page(&ask, &context, answer, &mut read)?;
        let at = match trail.follow(&asked, row_count, next.as_deref()) {
            Ok(None) => At::End,
            Ok(Some(url)) => {
                let begun = begun.filter(|begun| begun.url == url);
                At::Next(Box::new((ask.next(url), trail, begun)))
            }
            Err(dead) => {
                let kind = match dead {
                    Dead::Link(_) => ErrorKind::Refused,
                    Dead::Cycle { .. } | Dead::Empty => ErrorKind::Paging,
                };
                At::Dead(ask.error(kind, dead.to_string()))
            }
        };
        Ok(Some((
            rows,
            Self {
                client,
                context,
                peek,
                read,
                at,
            },
        )))
    }
}

#[cfg(test)]
mod tests;
