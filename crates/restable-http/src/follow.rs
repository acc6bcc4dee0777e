//! Following a long-running operation to its end: which URL is asked, how long is waited between questions, what the answers mean, and
//! where the result is. Ending the wait never ends the operation: whoever drops the future, or whose deadline passes, can follow again.

use std::time::{Duration, SystemTime};

use serde_json::Value;
use url::Url;

use crate::ask::{Ask, Expect};
use crate::attempt::seconds;
use crate::client::Client;
use crate::error::{Error, ErrorKind};
use crate::exchange::Answer;
use crate::fault::Fault;
use crate::operation::{
    Handle, Stage, location_of, monitor_of, provisioning_state, provisioning_text,
};
use crate::origin::resolve_link;
use crate::redact::{cut, show_text};
use crate::watch::{Ending, Finished, Progress, Source, Watch};
use restable_spec::{BoundCall, CallClass, FinalState, HttpMethod};

/// So long after its start an operation may be unknown to its own URL.
const UNSEEN: Duration = Duration::from_secs(60);
/// Questions for a result that an ended operation promises but does not have yet.
const RESULT_QUESTIONS: u32 = 5;

/// The URL that is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Monitor,
    Location,
    Resource,
}

/// What one question found.
enum Found {
    Running {
        status: String,
        percent: Option<f32>,
    },
    Ended(Ending),
    /// The monitor says that the operation succeeded; the result may stand elsewhere.
    Achieved(Box<Answer>),
}

/// One operation that is being followed.
struct Chase<'a> {
    client: &'a Client,
    handle: &'a Handle,
    watch: &'a Watch,
    /// A GET of the call's own URL.
    ask: Ask,
    way: Way,
    monitor: Option<String>,
    location: Option<String>,
    retry_after: Option<Duration>,
    polls: u32,
}

impl Client {
    /// Follows an operation to its end, without any journal.
    pub(crate) async fn chase(&self, handle: &Handle, watch: &Watch) -> Ending {
        match Chase::new(self, handle, watch) {
            Ok(mut chase) => chase.run().await,
            Err(error) => Ending::Unfinished(error),
        }
    }
}

impl<'a> Chase<'a> {
    fn new(client: &'a Client, handle: &'a Handle, watch: &'a Watch) -> Result<Self, Error> {
        let ask = Ask::operation(&client.shared, handle)?;
        let way = match (&handle.monitor, &handle.location) {
            (Some(_), _) => Way::Monitor,
            (None, Some(_)) => Way::Location,
            (None, None) => Way::Resource,
        };
        Ok(Self {
            client,
            handle,
            watch,
            ask,
            way,
            monitor: handle.monitor.clone(),
            location: handle.location.clone(),
            retry_after: handle.retry_after(),
            polls: 0,
        })
    }

    async fn run(&mut self) -> Ending {
        loop {
            if let Err(error) = self.pause().await {
                return Ending::Unfinished(error);
            }
            let answer = match self.question(self.way).await {
                Ok(answer) => answer,
                Err(error) if error.status == Some(404) && self.is_young() => {
                    self.polls += 1;
                    self.retry_after = error.retry_after;
                    self.tell("NotFound".to_owned(), None);
                    continue;
                }
                Err(error) => return Ending::Unfinished(error),
            };
            self.polls += 1;
            self.retry_after = answer.tally.retry_after;
            match self.judge(answer) {
                Ok(Found::Running { status, percent }) => self.tell(status, percent),
                Ok(Found::Ended(ending)) => return ending,
                Ok(Found::Achieved(answer)) => return self.result(*answer).await,
                Err(error) => return Ending::Unfinished(error),
            }
        }
    }

    /// Waits until the next question is due, unless that is after the deadline.
    async fn pause(&self) -> Result<(), Error> {
        let clock = &self.client.shared.clock;
        let mut pause = self.watch.poll.pause(self.retry_after, self.polls);
        if self.polls == 0 {
            // The first wait counts from the operation's start, which may have been in another process.
            pause = pause.saturating_sub(self.elapsed());
        }
        match self.client.shared.time_left(&self.watch.calls) {
            Some(left) if pause >= left => Err(self.ask.error(
                ErrorKind::Deadline,
                format!(
                    "the operation goes on; the next question would be in {}, but the statement has {} left",
                    seconds(pause),
                    seconds(left)
                ),
            )),
            _ => {
                if !pause.is_zero() {
                    clock.sleep(pause).await;
                }
                Ok(())
            }
        }
    }

    fn elapsed(&self) -> Duration {
        let now: SystemTime = self.client.shared.clock.wall();
        now.duration_since(self.handle.started())
            .unwrap_or_default()
    }

    fn is_young(&self) -> bool {
        self.elapsed() < UNSEEN
    }

    fn tell(&self, status: String, percent: Option<f32>) {
        if let Some(progress) = &self.watch.progress {
            progress(&Progress {
                status,
                percent,
                elapsed: self.elapsed(),
                polls: self.polls,
            });
        }
    }

    async fn question(&self, way: Way) -> Result<Answer, Error> {
        let url = match way {
            Way::Monitor => self.link(self.monitor.as_deref())?,
            Way::Location => self.link(self.location.as_deref())?,
            Way::Resource => self.ask.url.clone(),
        };
        let ask = self.ask.question(url);
        self.client.shared.exchange(&ask, &self.watch.calls).await
    }

    /// The URL of a header, which must be on the service's own origin.
    fn link(&self, raw: Option<&str>) -> Result<Url, Error> {
        resolve_link(
            raw.unwrap_or_default(),
            &self.ask.url,
            self.ask.gate.service(),
        )
        .map_err(|refusal| {
            self.ask
                .error(
                    ErrorKind::Refused,
                    format!("the operation goes on, but the URL of its status is not asked: {refusal}"),
                )
                .advise("only the origin that the call went to is asked; look the operation up in the service's portal")
        })
    }

    fn judge(&mut self, answer: Answer) -> Result<Found, Error> {
        match self.way {
            Way::Monitor => self.judge_monitor(answer),
            Way::Location => self.judge_location(answer),
            Way::Resource => self.judge_resource(answer),
        }
    }

    fn judge_monitor(&mut self, answer: Answer) -> Result<Found, Error> {
        let Some(body) = self.json(&answer)? else {
            return match answer.status {
                204 => Ok(Found::Achieved(Box::new(answer))),
                202 => Ok(running("Accepted")),
                _ => Err(self.wrong(&answer, "the status of the operation has no body")),
            };
        };
        let Some(status) = body.get("status").and_then(Value::as_str) else {
            return Err(self.wrong(
                &answer,
                "the status of the operation has no attribute `status`",
            ));
        };
        match Stage::of(status) {
            Stage::Succeeded => Ok(Found::Achieved(Box::new(answer))),
            stage @ (Stage::Failed | Stage::Canceled) => {
                Ok(Found::Ended(self.broke_down(&answer, &body, stage)))
            }
            Stage::Running => {
                // It may move while it runs. What the last answer says is not looked at: it often names itself again.
                if let Some(moved) = monitor_of(&answer.headers) {
                    self.monitor = Some(moved);
                }
                if self.handle.location.is_none() {
                    self.location = location_of(&answer.headers).or(self.location.take());
                }
                Ok(Found::Running {
                    status: show_text(&cut(status, 60)),
                    #[expect(clippy::cast_possible_truncation, reason = "a percentage")]
                    percent: body
                        .get("percentComplete")
                        .and_then(Value::as_f64)
                        .map(|percent| percent as f32),
                })
            }
        }
    }

    fn judge_location(&mut self, answer: Answer) -> Result<Found, Error> {
        if answer.status == 202 {
            if let Some(moved) = location_of(&answer.headers) {
                self.location = Some(moved);
            }
            return Ok(running("InProgress"));
        }
        let body = self.json(&answer)?;
        let failed = body.as_ref().and_then(|body| {
            provisioning_state(body)
                .filter(|stage| matches!(stage, Stage::Failed | Stage::Canceled))
                .or_else(|| Fault::inside_success(&answer.body).map(|_| Stage::Failed))
                .map(|stage| self.broke_down(&answer, body, stage))
        });
        Ok(Found::Ended(
            failed.unwrap_or_else(|| succeeded(answer, Source::Location)),
        ))
    }

    fn judge_resource(&mut self, answer: Answer) -> Result<Found, Error> {
        let Some(body) = self.json(&answer)? else {
            return match answer.status {
                202 => Ok(running("InProgress")),
                204 => Ok(Found::Ended(succeeded(answer, Source::Resource))),
                _ => Err(self.wrong(&answer, "the resource has no body")),
            };
        };
        match provisioning_state(&body) {
            Some(Stage::Running) => Ok(running(provisioning_text(&body).unwrap_or_default())),
            Some(stage @ (Stage::Failed | Stage::Canceled)) => {
                Ok(Found::Ended(self.broke_down(&answer, &body, stage)))
            }
            None if answer.status == 202 => Ok(running("InProgress")),
            Some(Stage::Succeeded) | None => Ok(Found::Ended(succeeded(answer, Source::Resource))),
        }
    }

    /// The operation succeeded, as its monitor says: the result, from where it stands.
    async fn result(&mut self, last: Answer) -> Ending {
        let way = match (self.handle.http, self.handle.final_state) {
            (_, FinalState::None) => {
                let mut done = finished(last, Source::Monitor);
                done.monitor = done.body.take();
                return Ending::Succeeded(Box::new(done));
            }
            (_, FinalState::OriginalUri) => Way::Resource,
            (_, FinalState::Location) if self.location.is_some() => Way::Location,
            (_, FinalState::Location | FinalState::AsyncOperation) => {
                let mut done = finished(last, Source::Monitor);
                done.monitor.clone_from(&done.body);
                return Ending::Succeeded(Box::new(done));
            }
        };
        let source = match way {
            Way::Monitor => Source::Monitor,
            Way::Location => Source::Location,
            Way::Resource => Source::Resource,
        };
        let monitor = (!last.body.is_empty()).then(|| last.body.clone());
        let outcome = self.fetch(way).await;
        let mut done = match outcome {
            Ok(answer) => finished(answer, source),
            // The operation succeeded all the same.
            Err(error) => Finished {
                body: None,
                warning: Some(error),
                ..finished(last, source)
            },
        };
        done.monitor = monitor;
        Ending::Succeeded(Box::new(done))
    }

    async fn fetch(&mut self, way: Way) -> Result<Answer, Error> {
        let mut asked = 0;
        self.polls = 0;
        loop {
            asked += 1;
            let outcome = self.question(way).await;
            let late = match &outcome {
                Ok(answer) => (answer.status == 202).then_some(answer.tally.retry_after),
                Err(error) => (error.status == Some(404)).then_some(error.retry_after),
            };
            match (late, outcome) {
                (None, Ok(answer)) => {
                    self.json(&answer)?;
                    return Ok(answer);
                }
                (Some(_), Ok(answer)) if asked == RESULT_QUESTIONS => {
                    return Err(self.wrong(&answer, "the result of the operation is not there yet"));
                }
                (None, Err(error)) => return Err(error),
                (Some(_), Err(error)) if asked == RESULT_QUESTIONS => return Err(error),
                (Some(retry_after), _) => {
                    self.retry_after = retry_after;
                    self.polls += 1;
                    self.pause().await?;
                }
            }
        }
    }

    fn json(&self, answer: &Answer) -> Result<Option<Value>, Error> {
        if answer.body.is_empty() {
            return Ok(None);
        }
        serde_json::from_slice(&answer.body)
            .map(Some)
            .map_err(|error| self.wrong(answer, &format!("the answer is no JSON: {error}")))
    }

    fn wrong(&self, answer: &Answer, message: &str) -> Error {
        let mut error = self
            .ask
            .error_after(&answer.tally, ErrorKind::Body, message);
        error.edit().status = Some(answer.status);
        error
    }

    /// The error of an operation that ended badly.
    fn broke_down(&self, answer: &Answer, body: &Value, stage: Stage) -> Ending {
        let (word, wrap): (&str, fn(Error) -> Ending) = match stage {
            Stage::Canceled => ("was canceled", Ending::Canceled),
            Stage::Failed | Stage::Running | Stage::Succeeded => ("failed", Ending::Failed),
        };
        let mut error = self.ask.error_after(&answer.tally, ErrorKind::Status, "");
        if let Some(fault) = Fault::of_operation(body) {
            error = error.with_fault(fault);
        }
        let failure = error.edit();
        // The question was answered well; it is the operation that did not go well.
        failure.status = None;
        if failure.message.is_empty() {
            failure.message = format!("the operation {word}, and the service does not say why");
        }
        wrap(error)
    }
}

impl Ask {
    /// A GET of the URL of the call that started an operation, with its id.
    fn operation(shared: &crate::client::Shared, handle: &Handle) -> Result<Self, Error> {
        let refuse = |message: String| {
            let mut error = Error::of(ErrorKind::Refused, message);
            error.edit().operation_id.clone_from(&handle.method_id);
            error.edit().scope.clone_from(&handle.scope);
            error
        };
        let url = Url::parse(&handle.url)
            .map_err(|_| refuse("the URL of the operation's call is no URL".to_owned()))?;
        let call = BoundCall {
            provider: handle.provider.clone(),
            operation_id: handle.method_id.clone(),
            http: HttpMethod::Get,
            class: CallClass::Read,
            server: url.origin().ascii_serialization(),
            path: "/".to_owned(),
            query: Vec::new(),
            headers: Vec::new(),
            // Only calls that change something declare it, not the questions after their operations.
            auxiliary: false,
            body: None,
            scope: handle.scope.clone(),
        };
        let mut ask = Self::new(shared, call)?;
        if url.origin() != *ask.gate.service() {
            return Err(refuse(format!(
                "the operation was started at `{}`, and this client calls `{}`",
                url.origin().ascii_serialization(),
                ask.gate.service().ascii_serialization()
            )));
        }
        ask.url = url;
        ask.expect = Expect::Success;
        ask.client_request_id = Some(handle.client_request_id.clone());
        Ok(ask)
    }
}

fn running(status: &str) -> Found {
    Found::Running {
        status: show_text(&cut(status, 60)),
        percent: None,
    }
}

fn succeeded(answer: Answer, source: Source) -> Ending {
    Ending::Succeeded(Box::new(finished(answer, source)))
}

pub(crate) fn finished(answer: Answer, source: Source) -> Finished {
    Finished {
        status: answer.status,
        source,
        body: (!answer.body.is_empty()).then_some(answer.body),
        monitor: None,
        warning: None,
        correlation_id: answer.tally.correlation_id,
    }
}
