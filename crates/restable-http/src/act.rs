//! Sending a write once: [`Client::act`] takes a [`Permit`] of the journal, sends its call as often as the retry table allows, and says
//! what came of it; [`Client::follow`] waits for the operation that it may have started. Each records what it learns before it tells.
//! Whatever cannot be known for certain is [`Effect::Unknown`].

use restable_spec::{CallClass, HttpMethod};
use serde_json::Value;

use crate::ask::Ask;
use crate::client::{CallContext, Client};
use crate::error::{Error, ErrorKind, JournalError};
use crate::exchange::Answer;
use crate::fault::Fault;
use crate::follow::finished;
use crate::journal::{Binding, Permit, Settlement, Started, State, Ticket};
use crate::operation::{Beginning, Begun, begin};
use crate::redact::mask_json;
use crate::tally::Tally;
use crate::watch::{Ending, Finished, Source, Watch};

/// A longer result is not journaled.
const JOURNALED_RESULT: usize = 256 * 1024;

/// What came of a write.
#[derive(Debug)]
pub struct Acted {
    /// The number of its entry.
    pub number: i64,
    /// Our id of the request.
    pub client_request_id: String,
    /// What it did.
    pub effect: Effect,
    /// Why the journal does not hold [`Acted::effect`].
    pub unrecorded: Option<JournalError>,
}

/// What a write did.
#[derive(Debug)]
pub enum Effect {
    /// It is done.
    Done(Box<Finished>),
    /// There was nothing to delete.
    Absent,
    /// The service took it, and an operation runs.
    Started(Started),
    /// The service refused it.
    Failed(Error),
    /// The service surely did not receive it.
    NotSent(Error),
    /// The service may have received it; why its answer is not known.
    Unknown(Error),
}

/// How following an operation ended.
#[derive(Debug)]
pub struct Followed {
    /// The number of its entry.
    pub number: i64,
    /// How the operation, or the waiting, ended.
    pub ending: Ending,
    /// Why the journal does not hold [`Followed::ending`].
    pub unrecorded: Option<JournalError>,
}

impl Client {
    /// Sends the call of the permit. That it is on its way is durable before anything is sent, and what came of it before this returns.
    ///
    /// Dropping the future leaves the call as it is, and its entry as one that is being sent.
    pub async fn act(&self, permit: Permit, context: CallContext) -> Acted {
        let ticket = permit.ticket.clone();
        let client_request_id = permit.client_request_id.clone();
        let (effect, recorded) = match self.prepare(&permit).await {
            Ok(ask) => {
                let effect = self.send(ask, &permit, &context).await;
                let recorded = record_effect(&ticket, &effect).await;
                (effect, recorded)
            }
            Err(error) => {
                let settlement = Settlement::of(State::NotSent).with_error(&error);
                let recorded = ticket.settle(settlement, None).await;
                (Effect::NotSent(error), recorded)
            }
        };
        Acted {
            number: ticket.number,
            client_request_id,
            effect,
            unrecorded: recorded.err(),
        }
    }

    /// Waits for the end of an operation, and records it. The deadline of the watch, and dropping the future, end the waiting only.
    pub async fn follow(&self, started: Started, watch: &Watch) -> Followed {
        let Started { handle, ticket } = started;
        let ending = self.chase(&handle, watch).await;
        let settlement = match &ending {
            Ending::Succeeded(done) => {
                let text = done.body.as_ref().or(done.monitor.as_ref());
                let settlement = Settlement::of(State::Succeeded);
                let settlement = match &done.warning {
                    Some(warning) => settlement.with_error(warning),
                    None => settlement,
                };
                match text.and_then(|text| journaled(text)) {
                    Some(result) => settlement.with_result(result),
                    None => settlement,
                }
            }
            Ending::Failed(error) => Settlement::of(State::Failed).with_error(error),
            Ending::Canceled(error) => Settlement::of(State::Canceled).with_error(error),
            Ending::Unfinished(error) if error.kind == ErrorKind::Deadline => {
                Settlement::of(State::Accepted)
            }
            Ending::Unfinished(error) => Settlement::of(State::Accepted).with_error(error),
        };
        let recorded = ticket.settle(settlement, None).await;
        Followed {
            number: ticket.number,
            ending,
            unrecorded: recorded.err(),
        }
    }

    /// The request, if it may be sent: it can be built, it goes where the journal says, and the journal knows that it goes now.
    async fn prepare(&self, permit: &Permit) -> Result<Ask, Error> {
        let ask = Ask::write(&self.shared, permit.call.clone(), &permit.client_request_id)?;
        let endpoint = Binding::endpoint_of(&ask.url);
        if endpoint != permit.endpoint {
            let message = format!(
                "nothing is sent: the call goes to `{endpoint}`, and its entry in the journal is for `{}`",
                permit.endpoint
            );
            return Err(ask.error(ErrorKind::Refused, message));
        }
        permit
            .ticket
            .sending()
            .await
            .map_err(|error| ask.error(ErrorKind::Config, format!("nothing is sent: {error}")))?;
        Ok(ask)
    }

    async fn send(&self, ask: Ask, permit: &Permit, context: &CallContext) -> Effect {
        let mut tally = Tally::new(ask.client_request_id.as_deref());
        match self.shared.exchange_into(&ask, context, &mut tally).await {
            Ok(answer) => self.read_answer(&ask, permit, answer),
            Err(error) => read_failure(&ask, error, &tally),
        }
    }

    fn read_answer(&self, ask: &Ask, permit: &Permit, answer: Answer) -> Effect {
        let call = &permit.call;
        let beginning = begin(Begun {
            provider: &call.provider,
            method_id: &call.operation_id,
            scope: &call.scope,
            http: call.http,
            url: &answer.url,
            long_running: permit.long_running,
            status: answer.status,
            headers: &answer.headers,
            body: &answer.body,
            retry_after: answer.tally.retry_after,
            now: self.shared.clock.wall(),
            client_request_id: &permit.client_request_id,
        });
        match beginning {
            // After an attempt whose answer was lost, nothing being there is what that attempt did.
            Beginning::Done
                if answer.status == 204
                    && call.http == HttpMethod::Delete
                    && !answer.tally.uncertain =>
            {
                Effect::Absent
            }
            Beginning::Done => Effect::Done(Box::new(finished(answer, Source::Call))),
            Beginning::Running(handle) => Effect::Started(Started {
                handle,
                ticket: permit.ticket.clone(),
            }),
            Beginning::Failed => {
                let error = ask.error_after(&answer.tally, ErrorKind::Status, "");
                let fault = serde_json::from_slice::<Value>(&answer.body)
                    .ok()
                    .and_then(|body| Fault::of_operation(&body));
                Effect::Failed(match fault {
                    Some(fault) => error.with_fault(fault),
                    None => ask.error_after(
                        &answer.tally,
                        ErrorKind::Status,
                        "the service says that it failed, and not why",
                    ),
                })
            }
            Beginning::Lost(why) => {
                Effect::Unknown(ask.error_after(&answer.tally, ErrorKind::Body, why))
            }
        }
    }
}

/// What a write did that has no answer of success.
fn read_failure(ask: &Ask, error: Error, tally: &Tally) -> Effect {
    let status = error.status;
    if !tally.uncertain {
        return match status {
            None => Effect::NotSent(error),
            Some(_) => Effect::Failed(error),
        };
    }
    match (ask.class(), status) {
        (CallClass::IdempotentWrite, Some(404)) if ask.method == http::Method::DELETE => {
            Effect::Done(Box::new(Finished {
                status: 404,
                source: Source::Call,
                body: None,
                monitor: None,
                warning: None,
                correlation_id: error.correlation_id.clone(),
            }))
        }
        // The form of the call is refused, so that the attempt before was refused as well. Other refusals may be of what that attempt
        // has done.
        (_, Some(405 | 406 | 411 | 413 | 414 | 415)) => Effect::Failed(error),
        _ => Effect::Unknown(error),
    }
}

async fn record_effect(ticket: &Ticket, effect: &Effect) -> Result<(), JournalError> {
    let (settlement, handle) = match effect {
        Effect::Done(done) => {
            let settlement = Settlement::of(State::Succeeded);
            let result = done.body.as_deref().and_then(journaled);
            (
                match result {
                    Some(result) => settlement.with_result(result),
                    None => settlement,
                },
                None,
            )
        }
        Effect::Absent => (Settlement::of(State::Absent), None),
        Effect::Started(started) => (Settlement::of(State::Accepted), Some(&*started.handle)),
        Effect::Failed(error) => (Settlement::of(State::Failed).with_error(error), None),
        Effect::NotSent(error) => (Settlement::of(State::NotSent).with_error(error), None),
        Effect::Unknown(error) => (Settlement::of(State::Unknown).with_error(error), None),
    };
    ticket.settle(settlement, handle).await
}

/// A result as it is written down: JSON, without the values of secret names.
fn journaled(body: &[u8]) -> Option<String> {
    if body.len() > JOURNALED_RESULT {
        return None;
    }
    let mut value: Value = serde_json::from_slice(body).ok()?;
    mask_json(&mut value);
    Some(value.to_string())
}
