//! A client, its scripted service, its clock and its meter, and what a test asks of them.

use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use futures::{StreamExt, TryStreamExt};
use restable_spec::{CallClass, FinalState, HttpMethod, LongRunning};
use serde_json::Value;

use super::super::*;
use crate::act::{Acted, Effect, Followed};
use crate::clock::VirtualClock;
use crate::credential::{Renewal, StepState, Token};
use crate::journal::{Binding, Entry, Intent, Journal, JournaledBody, State};
use crate::scripted::{Reply, Script};
use crate::secret::Secret;
use crate::transport::Request;
use crate::watch::{Ending, Finished, PollInterval, Watch};

pub(super) type Outcome<T = ()> = Result<T, Box<dyn std::error::Error>>;

pub(super) const ARM: &str = "https://management.azure.com";

#[derive(Debug)]
pub(super) struct Scene {
    pub clock: VirtualClock,
    pub script: Script,
    pub client: Client,
    pub meter: Arc<Meter>,
    pub deadline: Option<Duration>,
    pub lane: Lane,
}

impl Scene {
    pub(super) fn of(replies: impl IntoIterator<Item = Reply>) -> Self {
        Self::with(config(), replies)
    }

    pub(super) fn with(config: ClientConfig, replies: impl IntoIterator<Item = Reply>) -> Self {
        let clock = VirtualClock::default();
        let script = Script::of(Arc::new(clock.clone()), replies);
        Self::over(config, None, clock, script)
    }

    pub(super) fn answering(
        config: ClientConfig,
        answer: impl Fn(&Request, usize) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let clock = VirtualClock::default();
        let script = Script::answering(Arc::new(clock.clone()), answer);
        Self::over(config, None, clock, script)
    }

    pub(super) fn over(
        config: ClientConfig,
        source: Option<Arc<dyn TokenSource>>,
        clock: VirtualClock,
        script: Script,
    ) -> Self {
        let transport: Arc<dyn Transport> = Arc::new(script.clone());
        let client = match source {
            Some(source) => {
                let sources = Sources {
                    own: Some(source),
                    auxiliary: None,
                };
                Client::with_sources(config, sources, transport, Arc::new(clock.clone()))
            }
            None => Client::with_transport(config, transport, Arc::new(clock.clone())),
        };
        let meter = Arc::new(Meter::starting_at(clock.now()));
        Self {
            clock,
            script,
            client,
            meter,
            deadline: None,
            lane: Lane::default(),
        }
    }

    pub(super) fn within(mut self, deadline: Duration) -> Self {
        self.deadline = Some(deadline);
        self
    }

    pub(super) fn context(&self) -> CallContext {
        CallContext {
            meter: Arc::clone(&self.meter),
            deadline: self.deadline.map(|deadline| self.clock.now() + deadline),
            page_timeout: None,
            lane: self.lane.clone(),
            allowance: Arc::default(),
        }
    }

    /// All pages of a list, as the texts of their items, or the error and what came before it.
    pub(super) fn list(&self) -> (Vec<String>, Option<Error>) {
        self.list_of(call("/list"))
    }

    pub(super) fn list_of(&self, call: BoundCall) -> (Vec<String>, Option<Error>) {
        self.clock.run(self.listing(call)).unwrap_or_else(|| {
            (
                Vec::new(),
                Some(Error::of(ErrorKind::Timeout, "the test hangs")),
            )
        })
    }

    pub(super) async fn listing(&self, call: BoundCall) -> (Vec<String>, Option<Error>) {
        let mut pages = Box::pin(self.client.pages(call, self.context(), read));
        let mut items = Vec::new();
        loop {
            match pages.try_next().await {
                Ok(Some(page)) => items.extend(page),
                Ok(None) => return (items, None),
                Err(error) => {
                    let more = pages.next().await;
                    assert!(more.is_none(), "the stream goes on after its error");
                    return (items, Some(error));
                }
            }
        }
    }

    /// The error of a list that must fail.
    pub(super) fn failure(&self) -> Outcome<Error> {
        self.list().1.ok_or_else(|| "the list was read".into())
    }

    pub(super) fn urls(&self) -> Vec<String> {
        self.script
            .seen()
            .iter()
            .map(|request| request.url.to_string())
            .collect()
    }

    pub(super) fn header(&self, name: &str) -> Vec<String> {
        let text = |request: &Request| {
            request
                .headers
                .get(name)
                .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
        };
        self.script
            .seen()
            .iter()
            .map(|request| text(request).unwrap_or_default())
            .collect()
    }
}

pub(super) fn config() -> ClientConfig {
    ClientConfig {
        retry: RetryPolicy {
            seed: Some(42),
            ..RetryPolicy::default()
        },
        ..ClientConfig::default()
    }
}

pub(super) fn call(path: &str) -> BoundCall {
    BoundCall {
        provider: "azure".to_owned(),
        operation_id: "Things_List".to_owned(),
        http: HttpMethod::Get,
        class: CallClass::Read,
        server: ARM.to_owned(),
        path: path.to_owned(),
        query: vec![("api-version".to_owned(), "1".to_owned())],
        headers: Vec::new(),
        auxiliary: false,
        body: None,
        scope: "things".to_owned(),
    }
}

/// A page of items `"a"`, `"b"`, …, and its link.
pub(super) fn page(items: &str, next: Option<&str>) -> Reply {
    Reply::json(200, page_text(items, next))
}

pub(super) fn page_text(items: &str, next: Option<&str>) -> String {
    let items: Vec<String> = items.split_whitespace().map(str::to_owned).collect();
    match next {
        Some(next) => serde_json::json!({"value": items, "nextLink": next}).to_string(),
        None => serde_json::json!({"value": items}).to_string(),
    }
}

/// The reader that a table of texts would have.
pub(super) fn read(body: Bytes) -> Result<PageRead<Vec<String>>, BodyError> {
    let wrong = |message: &str| BodyError {
        message: message.to_owned(),
        path: "$".to_owned(),
        item: None,
    };
    let page: Value =
        serde_json::from_slice(&body).map_err(|error| wrong(&format!("no JSON: {error}")))?;
    let items = page["value"]
        .as_array()
        .ok_or_else(|| wrong("there is no array `value`"))?;
    let rows: Vec<String> = items
        .iter()
        .filter_map(|item| item.as_str().map(str::to_owned))
        .collect();
    Ok(PageRead {
        row_count: items.len(),
        next: page["nextLink"].as_str().map(str::to_owned),
        rows,
    })
}

/// A source of tokens that counts: `token-1`, `token-2`, … each valid for `life`.
#[derive(Debug)]
pub(super) struct Counting {
    pub clock: VirtualClock,
    pub life: Duration,
    pub delay: Duration,
    pub asked: AtomicUsize,
}

impl Counting {
    pub(super) fn new(clock: &VirtualClock, life: Duration) -> Arc<Self> {
        Arc::new(Self {
            clock: clock.clone(),
            life,
            delay: Duration::from_millis(300),
            asked: AtomicUsize::new(0),
        })
    }

    pub(super) fn asked(&self) -> usize {
        self.asked.load(Ordering::Acquire)
    }
}

#[async_trait]
impl TokenSource for Counting {
    async fn acquire(&self) -> Result<Token, Error> {
        let number = self.asked.fetch_add(1, Ordering::AcqRel) + 1;
        self.clock.sleep(self.delay).await;
        Ok(Token {
            secret: Secret::new(format!("token-{number}")),
            expires: Some(self.clock.wall() + self.life),
        })
    }

    fn audience(&self) -> String {
        "test".to_owned()
    }

    fn renewal(&self) -> Renewal {
        Renewal::Possible
    }

    fn trail(&self) -> Vec<ChainStep> {
        vec![ChainStep {
            name: "counting",
            state: StepState::Used,
            reason: String::new(),
        }]
    }
}

/// A write of `/x` with this method; a PUT, PATCH or POST has a body.
pub(super) fn write(http: HttpMethod) -> BoundCall {
    let class = match http {
        HttpMethod::Get | HttpMethod::Head => CallClass::Read,
        HttpMethod::Put | HttpMethod::Delete => CallClass::IdempotentWrite,
        HttpMethod::Patch => CallClass::Conditional,
        HttpMethod::Post => CallClass::Action,
    };
    BoundCall {
        operation_id: "Things_Change".to_owned(),
        http,
        class,
        query: Vec::new(),
        body: (http != HttpMethod::Delete).then(|| r#"{"a":1}"#.to_owned()),
        ..call("/x")
    }
}

pub(super) fn binding() -> Binding {
    Binding {
        provider: "azure".to_owned(),
        endpoint: ARM.to_owned(),
        cloud: None,
        tenant: None,
        principal: None,
    }
}

pub(super) fn intent(call: BoundCall, final_state: Option<FinalState>) -> Intent {
    Intent {
        call,
        long_running: final_state.map(|final_state| LongRunning { final_state }),
        body: JournaledBody::AsSent,
        client_request_id: Some("8f2c".to_owned()),
    }
}

impl Scene {
    /// Sends one write, and follows the operation that it starts.
    pub(super) async fn deed(
        &self,
        intent: Intent,
        poll: PollInterval,
    ) -> Outcome<(Acted, Option<Followed>, Entry)> {
        let journal = Journal::in_memory(Arc::new(self.clock.clone()))?;
        let run = journal.begin(binding()).await?;
        let permit = run.intend(vec![intent]).await?.pop().ok_or("no permit")?;
        let mut acted = self.client.act(permit, self.context()).await;
        assert_eq!(acted.unrecorded, None);
        let mut followed = None;
        if let Effect::Started(started) = &acted.effect {
            let watch = Watch {
                poll,
                ..Watch::new(self.context())
            };
            let journaled = journal.started(started.number(), &binding()).await?;
            assert_eq!(journaled.handle(), started.handle());
            followed = Some(self.client.follow(started.clone(), &watch).await);
        }
        acted.unrecorded = followed.as_mut().and_then(|f| f.unrecorded.take());
        assert_eq!(acted.unrecorded, None);
        let entry = journal.find(&acted.number.to_string()).await?;
        Ok((acted, followed, entry))
    }

    /// How a write ended, in one line, and what was sent.
    pub(super) fn end_of(&self, intent: Intent) -> Outcome<(String, String)> {
        self.end_with(intent, PollInterval::default())
    }

    pub(super) fn end_with(&self, intent: Intent, poll: PollInterval) -> Outcome<(String, String)> {
        let (acted, followed, entry) = self
            .clock
            .run(self.deed(intent, poll))
            .ok_or("the test hangs")??;
        let body = |done: &Finished| match &done.body {
            Some(body) => String::from_utf8_lossy(body).into_owned(),
            None => "nothing".to_owned(),
        };
        let line = match (&acted.effect, followed.map(|followed| followed.ending)) {
            (Effect::Done(done), _) => format!("Done {} {}", done.status, body(done)),
            (Effect::Absent, _) => "Absent".to_owned(),
            (Effect::Failed(error), _) => format!("Failed {error}"),
            (Effect::NotSent(error), _) => format!("NotSent {error}"),
            (Effect::Unknown(error), _) => format!("Unknown {error}"),
            (Effect::Started(_), None) => "Started".to_owned(),
            (_, Some(Ending::Succeeded(done))) => {
                let warning = match &done.warning {
                    Some(warning) => format!(", but {warning}"),
                    None => String::new(),
                };
                format!("{:?} {}{warning}", done.source, body(&done))
            }
            (_, Some(Ending::Failed(error))) => format!("Failed {error}"),
            (_, Some(Ending::Canceled(error))) => format!("Canceled {error}"),
            (_, Some(Ending::Unfinished(error))) => format!("Unfinished {error}"),
        };
        let expected = match line.split(' ').next().unwrap_or_default() {
            "Failed" => State::Failed,
            "Canceled" => State::Canceled,
            "Unfinished" | "Started" => State::Accepted,
            "Unknown" => State::Unknown,
            "NotSent" => State::NotSent,
            "Absent" => State::Absent,
            _ => State::Succeeded,
        };
        assert_eq!(entry.state, expected, "{line}");
        for id in self.header("x-ms-client-request-id") {
            assert_eq!(
                id, "8f2c",
                "one id for the call, its questions and its result"
            );
        }
        let sent: Vec<String> = self
            .script
            .seen()
            .iter()
            .map(|request| {
                let url = request.url.as_str();
                format!(
                    "{} {}",
                    request.method,
                    url.strip_prefix(ARM).unwrap_or(url)
                )
            })
            .collect();
        Ok((line.replace("`things`: ", ""), sent.join(", ")))
    }
}
