//! Calls on their way: each goes out once with the leave of the journal, its operation is followed, and its answer becomes a row, in
//! the order of the source. The sending runs in a task of its own, so that a slow reader of rows does not hold calls back.
//!
//! Stopping a statement sends nothing more and waits no longer. Answers that are due are taken, so that no call becomes unknown.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant, SystemTime};

use arrow::array::RecordBatch;
use futures::StreamExt;
use futures::stream::{self, BoxStream};
use restable_http::journal::{
    Binding, Intent, JournaledBody, Permit, Run, Settlement, Started, State,
};
use restable_http::{Client, Effect, Ending, Finished, PollInterval, Watch};
use tokio::sync::{Semaphore, mpsc, watch};

use super::answer::{self, Answer, Columns};
use super::plan::{Acting, Deed, Rows, Wait};
use super::recheck::Recheck;
use super::rows::Targeted;
use super::{ActionTotals, Progress, ProgressListener, evidence, job};
use crate::audit::AuditLog;
use crate::settings::OnError;
use crate::statement::{Statement, lock};
use crate::{Error, Result};

/// So many calls of one statement are on their way at once. Waiting for their operations is not limited.
const SENDING: usize = 16;
/// So many rows are handed on at once, if they are there.
const BATCH: usize = 256;

/// Stops a statement that acts: nothing more is sent, nothing more is waited for.
#[derive(Debug, Clone)]
pub struct Stopper(watch::Sender<bool>);

impl Stopper {
    pub(super) fn new() -> Stopper {
        Stopper(watch::channel(false).0)
    }

    /// Stops it. Calls that are on their way are answered still; the rows come to their end soon.
    pub fn stop(&self) {
        self.0.send_replace(true);
    }

    fn is_stopped(&self) -> bool {
        *self.0.borrow()
    }

    /// Waits until it is stopped.
    async fn stopped(&self) {
        let mut changes = self.0.subscribe();
        // The sender lives as long as this.
        let _ = changes.wait_for(|stopped| *stopped).await;
    }
}

/// What all targets of a statement share.
pub(super) struct Sending {
    pub statement: Arc<Statement>,
    pub stopper: Stopper,
    pub poll: PollInterval,
    pub on_error: OnError,
    pub progress: Option<Arc<ProgressListener>>,
    /// What is there already is left alone.
    pub keeps_existing: bool,
    /// Asks whether a target still is what the source said; `None` where that need not be asked.
    pub recheck: Option<Recheck>,
    /// So long after its intent a call without a sign of it counts as one that was not received.
    pub unknown_grace: Duration,
    pub slots: Semaphore,
    pub total: usize,
    pub done: AtomicUsize,
    pub failed: AtomicUsize,
    /// A target failed, and those after it are not to be sent.
    pub halted: AtomicBool,
    pub started: Instant,
    /// Where it is written how the targets ended, and of which statements of the journal.
    pub audit: Option<(AuditLog, Vec<String>)>,
}

/// What is to be done about one target.
pub(super) struct Errand {
    pub deed: Arc<Deed>,
    pub run: Arc<Run>,
    pub target: Targeted,
    pub work: Work,
}

/// What a call is about.
#[derive(Clone, Copy)]
pub(super) struct About<'a> {
    pub deed: &'a Deed,
    pub run: &'a Run,
    pub target: &'a Targeted,
}

/// What came of asking after a lost call.
pub(super) enum Resolved {
    /// Nothing is to be sent.
    Answer(Box<Answer>),
    /// It surely was not received, and may be sent.
    NotReceived(Box<Permit>, Box<Answer>),
}

/// What is to be done.
pub(super) enum Work {
    /// The call is sent.
    Send(Box<Permit>),
    /// The operation is followed.
    Follow(Box<Started>),
    /// What became of the call is asked; if it surely was not received, it is sent.
    Resolve {
        number: i64,
        request_id: String,
        sent: SystemTime,
        why: String,
        /// The service answered that it took it, so that it was received whatever is seen of it.
        received: bool,
    },
    /// Its end is known.
    Known(Box<Answer>),
}

impl Work {
    /// The journal's number of the call.
    fn number(&self) -> Option<i64> {
        match self {
            Work::Send(permit) => Some(permit.number()),
            Work::Follow(started) => Some(started.number()),
            Work::Resolve { number, .. } => Some(*number),
            Work::Known(answer) => answer.operation,
        }
    }
}

/// The journal's entries for calls: all of them, or nothing is sent.
pub(super) async fn intend(
    run: Run,
    acting: &Acting,
    client: Client,
    calls: Vec<Targeted>,
) -> Result<Vec<Errand>> {
    let intents = calls.iter().map(|target| Intent {
        call: target.call.clone(),
        long_running: acting.method.long_running,
        body: match &target.redacted {
            Some(redacted) if !same_json(redacted, target.call.body.as_deref()) => {
                JournaledBody::Redacted(redacted.clone())
            }
            _ => JournaledBody::AsSent,
        },
        client_request_id: None,
    });
    let permits = run.intend(intents.collect()).await?;
    let run = Arc::new(run);
    let deed = Arc::new(acting.deed(client));
    let errands = permits.into_iter().zip(calls);
    Ok(errands
        .map(|(permit, target)| Errand {
            deed: Arc::clone(&deed),
            run: Arc::clone(&run),
            target,
            work: Work::Send(Box::new(permit)),
        })
        .collect())
}

/// Whether redacting changed nothing but white space.
fn same_json(redacted: &str, body: Option<&str>) -> bool {
    let read = |text: &str| serde_json::from_str::<serde_json::Value>(text).ok();
    body.is_some_and(|body| body == redacted || read(body) == read(redacted))
}

/// Under which identity a statement acts.
pub(crate) async fn binding(
    client: &Client,
    provider: &str,
    server: &str,
    cloud: Option<&String>,
) -> Result<Binding> {
    let url = match &client.config().endpoint {
        Some(url) => url.clone(),
        None => url::Url::parse(server)
            .map_err(|problem| Error::Answer(format!("`{server}` is no URL: {problem}")))?,
    };
    let identity = client.identity().await?;
    Ok(Binding {
        provider: provider.to_owned(),
        endpoint: Binding::endpoint_of(&url),
        cloud: cloud.cloned(),
        tenant: identity.tenant,
        principal: identity.principal,
    })
}

/// Who reads the rows: when he goes away, nothing more is sent.
struct Reader(Stopper);

impl Drop for Reader {
    fn drop(&mut self) {
        self.0.stop();
    }
}

/// Does the errands, and answers rows as they end.
pub(super) fn rows(
    sending: Sending,
    errands: Vec<Errand>,
    columns: Columns,
) -> BoxStream<'static, Result<RecordBatch>> {
    let sending = Arc::new(sending);
    let (give, take) = mpsc::unbounded_channel::<Answer>();
    let stopper = sending.stopper.clone();
    let total = errands.len();
    let ending = Arc::clone(&sending);
    // Of each target, to which statement of the journal it belongs, and whether that waits.
    let whose: Vec<(String, bool)> = errands
        .iter()
        .map(|errand| {
            let statement = errand.run.statement().to_owned();
            (statement, errand.deed.wait != Wait::No)
        })
        .collect();
    tokio::spawn(async move {
        // One after the other where a failure is to stop those after it.
        let at_once = match sending.on_error {
            OnError::Continue => errands.len().max(1),
            OnError::Stop => 1,
        };
        let answers = stream::iter(errands)
            .map(|errand| Arc::clone(&sending).errand(errand))
            .buffered(at_once);
        let mut answers = std::pin::pin!(answers);
        let mut whose = whose.into_iter();
        let mut ended: BTreeMap<String, ActionTotals> = BTreeMap::new();
        while let Some(answer) = answers.next().await {
            if let Some((statement, waits)) = whose.next() {
                ended.entry(statement).or_default().count(&answer, waits);
            }
            // Whether anybody reads the rows or not: what is due is taken and written down.
            let _ = give.send(answer);
        }
        let Some((audit, begun)) = &ending.audit else {
            return;
        };
        for (statement, mut totals) in ended.into_iter().filter(|one| begun.contains(&one.0)) {
            totals.stopped = ending.stopper.is_stopped();
            if let Some(problem) = audit.end(&statement, &totals) {
                tracing::error!(
                    statement,
                    "the audit log could not be written after the calls: {problem}"
                );
            }
        }
    });
    let state = (take, Reader(stopper), total);
    let took = stream::unfold(state, |(mut take, reader, left)| async move {
        let mut answers = Vec::new();
        match (take.recv_many(&mut answers, BATCH).await, left) {
            (0, 0) => None,
            // Rows that do not come must not look like a complete answer.
            (0, left) => Some((
                Err(Error::internal(format!(
                    "the sending broke off with {left} targets to go; `SHOW OPERATIONS` has what is known of them"
                ))),
                (take, reader, 0),
            )),
            (_, left) => {
                let left = left.saturating_sub(answers.len());
                Some((Ok(answers), (take, reader, left)))
            }
        }
    });
    took.map(move |answers| columns.batch(&answers?)).boxed()
}

impl Sending {
    async fn errand(self: Arc<Self>, errand: Errand) -> Answer {
        let deed = Arc::clone(&errand.deed);
        // What ended in a run before halts nothing in this one.
        let is_known = matches!(errand.work, Work::Known(_));
        // What is read while something changes is not what it will be.
        let cache = self.statement.cache();
        let number = errand.work.number();
        cache.begin(&deed.service.provider, number);
        let answer = self.work(errand).await;
        match answer.status {
            // It goes on, or may: nobody has seen its end.
            "Accepted" | "Unknown" => cache.begin(&deed.service.provider, number),
            _ => cache.end(&deed.service.provider, number),
        }
        let failed = {
            let mut totals = lock(&self.statement.actions);
            let totals = totals.get_or_insert_default();
            let before = totals.unachieved;
            totals.count(&answer, deed.wait != Wait::No);
            totals.stopped = self.stopper.is_stopped();
            totals.unachieved > before
        };
        for name in answer::misfits(&deed.method, &answer.result) {
            self.statement.note_notice(format!(
                "`{name}` of an answer has another type than its document says; it is NULL"
            ));
        }
        if failed {
            self.failed.fetch_add(1, Ordering::Relaxed);
            if self.on_error == OnError::Stop && !is_known {
                self.halted.store(true, Ordering::Relaxed);
            }
        }
        self.done.fetch_add(1, Ordering::Relaxed);
        self.tell(&answer.parameters, answer.status.to_owned(), None);
        answer
    }

    fn tell(&self, parameters: &[(String, String)], status: String, percent: Option<f32>) {
        if let Some(progress) = &self.progress {
            let target = parameters.last().map(|(_, value)| value.clone());
            progress(&Progress {
                total: self.total,
                done: self.done.load(Ordering::Relaxed),
                failed: self.failed.load(Ordering::Relaxed),
                target: target.unwrap_or_default(),
                status,
                percent,
                elapsed: self.started.elapsed(),
            });
        }
    }

    pub(super) fn tell_of(&self, target: &Targeted, status: &str) {
        self.tell(&target.parameters, status.to_owned(), None);
    }

    async fn work(&self, errand: Errand) -> Answer {
        let Errand {
            deed,
            run,
            target,
            work,
        } = errand;
        let blank = Answer {
            parameters: target.parameters.clone(),
            ..Answer::default()
        };
        let about = About {
            deed: &deed,
            run: &run,
            target: &target,
        };
        match work {
            Work::Known(answer) => *answer,
            Work::Send(permit) => self.send(about, *permit, blank).await,
            Work::Follow(started) => {
                let blank = Answer {
                    operation: Some(started.number()),
                    ..blank
                };
                self.started(about, blank, *started).await
            }
            Work::Resolve {
                number,
                request_id,
                sent,
                why,
                received,
            } => {
                let blank = Answer {
                    operation: Some(number),
                    ..blank
                };
                let lost = evidence::Later {
                    request_id: &request_id,
                    sent,
                    why: &why,
                    received,
                };
                match evidence::settle_later(self, about, lost, blank).await {
                    Resolved::Answer(answer) => *answer,
                    Resolved::NotReceived(permit, blank) => self.send(about, *permit, *blank).await,
                }
            }
        }
    }

    async fn send(&self, about: About<'_>, permit: Permit, blank: Answer) -> Answer {
        let blank = Answer {
            operation: Some(permit.number()),
            ..blank
        };
        let slot = tokio::select! {
            biased;
            () = self.stopper.stopped() => None,
            slot = self.slots.acquire() => slot.ok(),
        };
        // Its entry stays as it is: intended, to be sent by `resume`.
        if slot.is_none() || self.stopper.is_stopped() {
            return Answer {
                status: "NotSent",
                ..blank
            }
            .because("not sent, since the statement was stopped before");
        }
        if self.halted.load(Ordering::Relaxed) {
            let why = "not sent, since a target before it failed and `on_error` is `stop`";
            return self
                .withdrawn(permit, State::NotSent, "NotSent", why, blank)
                .await;
        }
        match self.reason_to_skip(about).await {
            None => {}
            Some(Ok(why)) => {
                return self
                    .withdrawn(permit, State::Skipped, "Skipped", &why, blank)
                    .await;
            }
            Some(Err(problem)) => {
                let why = format!("not sent: {problem}");
                return self
                    .withdrawn(permit, State::NotSent, "NotSent", &why, blank)
                    .await;
            }
        }
        // Looking may have taken long.
        if self.stopper.is_stopped() || self.halted.load(Ordering::Relaxed) {
            return Answer {
                status: "NotSent",
                ..blank
            }
            .because("not sent, since the statement was stopped before");
        }
        let client = &about.deed.client;
        let acted = client.act(permit, self.statement.context()).await;
        drop(slot);
        if let Some(problem) = &acted.unrecorded {
            self.statement.note_notice(format!(
                "the journal could not be written after the call was sent: {problem}"
            ));
        }
        match acted.effect {
            Effect::Done(finished) => self.finished(about, blank, &finished).await,
            Effect::Absent => Answer {
                status: "Absent",
                ..blank
            },
            Effect::Failed(error) => Answer {
                status: "Failed",
                ..blank
            }
            .with_error(&error),
            Effect::NotSent(error) => Answer {
                status: "NotSent",
                ..blank
            }
            .with_error(&error),
            Effect::Unknown(error) => {
                let unknown = Answer {
                    status: "Unknown",
                    ..blank
                }
                .with_error(&error);
                evidence::settle_now(self, about, &acted.client_request_id, unknown).await
            }
            Effect::Started(started) => self.started(about, blank, started).await,
        }
    }

    /// An operation runs.
    async fn started(&self, about: About<'_>, blank: Answer, started: Started) -> Answer {
        let answer = Answer {
            operation_id: started.handle().operation_id.clone(),
            ..blank
        };
        match about.deed.wait {
            Wait::No => Answer {
                status: "Accepted",
                ..answer
            },
            Wait::Operation | Wait::Job => self.follow(about, answer, started).await,
        }
    }

    /// Gives the permit back.
    async fn withdrawn(
        &self,
        permit: Permit,
        state: State,
        status: &'static str,
        why: &str,
        blank: Answer,
    ) -> Answer {
        let settled = permit.withdraw(Settlement::of(state).because(why)).await;
        if let Err(problem) = settled {
            self.statement
                .note_notice(format!("the journal could not be written: {problem}"));
        }
        Answer { status, ..blank }.because(why)
    }

    /// Why a target is not to be sent although the source named it.
    async fn reason_to_skip(&self, about: About<'_>) -> Option<Result<String>> {
        if self.keeps_existing {
            match evidence::present(&self.statement, about).await {
                Ok(true) => return Some(Ok("it exists already".to_owned())),
                Ok(false) => {}
                Err(problem) => return Some(Err(problem)),
            }
        }
        let recheck = self.recheck.as_ref()?;
        match recheck.still_matches(about.target).await {
            Ok(true) => None,
            Ok(false) => Some(Ok(
                "read again before it was sent, it no longer matches".to_owned()
            )),
            Err(problem) => Some(Err(problem)),
        }
    }

    /// Waits for the operation to end.
    async fn follow(&self, about: About<'_>, answer: Answer, started: Started) -> Answer {
        let watch = self.watch(about.target);
        let followed = tokio::select! {
            biased;
            () = self.stopper.stopped() => None,
            followed = about.deed.client.follow(started, &watch) => Some(followed),
        };
        let Some(followed) = followed else {
            return Answer {
                status: "Accepted",
                ..answer
            }
            .because("the operation goes on; it was not waited for to its end");
        };
        if let Some(problem) = &followed.unrecorded {
            self.statement.note_notice(format!(
                "the journal could not be written after an operation ended: {problem}"
            ));
        }
        match followed.ending {
            Ending::Succeeded(finished) => self.finished(about, answer, &finished).await,
            Ending::Failed(error) => Answer {
                status: "Failed",
                ..answer
            }
            .with_error(&error),
            Ending::Canceled(error) => Answer {
                status: "Canceled",
                ..answer
            }
            .with_error(&error),
            Ending::Unfinished(error) => Answer {
                status: "Accepted",
                ..answer
            }
            .with_error(&error),
        }
    }

    fn watch(&self, target: &Targeted) -> Watch {
        let mut watch = Watch::new(self.statement.context());
        watch.poll = self.poll;
        if let Some(progress) = &self.progress {
            let (progress, total, started) = (Arc::clone(progress), self.total, self.started);
            let name = target.parameters.last().map(|(_, value)| value.clone());
            let name = name.unwrap_or_default();
            let (done, failed) = (
                self.done.load(Ordering::Relaxed),
                self.failed.load(Ordering::Relaxed),
            );
            watch.progress = Some(Arc::new(move |now| {
                progress(&Progress {
                    total,
                    done,
                    failed,
                    target: name.clone(),
                    status: now.status.clone(),
                    percent: now.percent,
                    elapsed: started.elapsed(),
                });
            }));
        }
        watch
    }

    /// A call that succeeded; with AWAIT_JOB, its job is waited for.
    async fn finished(&self, about: About<'_>, answer: Answer, finished: &Finished) -> Answer {
        let mut answer = Answer {
            status: "Succeeded",
            result: answer::attributes(finished),
            ..answer
        };
        if let (Some(warning), Wait::Job) = (&finished.warning, about.deed.wait)
            && answer.result.is_empty()
        {
            let why = format!("the result is not there, so that no job can be followed: {warning}");
            return Answer {
                status: "Accepted",
                ..answer
            }
            .because(why);
        }
        if let Some(warning) = &finished.warning {
            self.statement.note_notice(format!(
                "an operation succeeded, but its result is not there: {warning}"
            ));
            answer.error = Some(warning.report().to_string());
        }
        job::wait(self, about, answer).await
    }

    pub(super) fn is_stopped(&self) -> bool {
        self.stopper.is_stopped()
    }

    /// Waits, unless the statement is stopped or its time is over.
    pub(super) async fn pause(&self, time: Duration) -> bool {
        if let Some(deadline) = self.statement.deadline
            && Instant::now() + time >= deadline
        {
            return false;
        }
        tokio::select! {
            biased;
            () = self.stopper.stopped() => false,
            () = tokio::time::sleep(time) => true,
        }
    }
}

/// How many targets of a statement may be on their way at once.
pub(super) fn slots(statement: &Statement) -> Semaphore {
    Semaphore::new(statement.concurrency.clamp(1, SENDING))
}

/// Whether targets are read again before they are sent: sets, and calls that destroy.
pub(super) fn rechecks(acting: &Acting, targets: &[Targeted]) -> bool {
    acting.rows == Rows::Read && acting.is_destructive(targets)
}
