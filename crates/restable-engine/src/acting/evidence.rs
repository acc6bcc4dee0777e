//! What became of a call whose answer was lost. The document says which question tells ([`Evidence`]); where none does, the outcome
//! stays unknown and nothing is sent again.

use std::time::SystemTime;

use restable_http::Client;
use restable_http::journal::{Settlement, State};
use restable_spec::names::same;
use restable_spec::{Evidence, Jobs, Method, Service};
use serde_json::Value;

use super::answer::{Answer, Attributes};
use super::send::{About, Resolved, Sending};
use super::{ask, job};
use crate::statement::Statement;
use crate::{Error, Result};

/// So often a lost call's effect is asked for before the row is answered.
const QUESTIONS: u32 = 3;
/// So far the clocks of two machines may be apart.
const CLOCKS: std::time::Duration = std::time::Duration::from_secs(60);
/// In the place of a secret that the journal does not hold.
const HIDDEN: &str = "***";

/// A call whose effect is in question.
pub(super) struct Lost<'a> {
    pub service: &'a Service,
    pub method: &'a Method,
    pub parameters: &'a [(String, String)],
    /// The body that was sent; secrets in it may be hidden.
    pub body: Option<&'a str>,
    /// The id that the request carried.
    pub request_id: &'a str,
    /// When it was on its way.
    pub sent: SystemTime,
}

/// What the service's state says of a lost call.
#[derive(Debug)]
pub(super) enum Verdict {
    /// It had its effect. What its answer would have held, as far as it can be told.
    Happened(Attributes),
    /// It had its effect, which failed: the code and the text of the error.
    Failed(Option<String>, String),
    /// There is no sign of it, yet.
    NoSign,
    /// No question decides.
    Undecided,
}

impl Lost<'_> {
    /// Asks once.
    pub(super) async fn verdict(&self, client: &Client, statement: &Statement) -> Result<Verdict> {
        match &self.method.evidence {
            Evidence::None => Ok(Verdict::Undecided),
            Evidence::Job => self.job(client, statement).await,
            Evidence::Absent => Ok(match self.resource(client, statement).await? {
                Found::Nothing => Verdict::Happened(Attributes::new()),
                Found::Something(_) => Verdict::NoSign,
                Found::NoQuestion => Verdict::Undecided,
            }),
            Evidence::Present => Ok(match self.resource(client, statement).await? {
                Found::Something(text) if self.holds_what_was_sent(&text) => provisioned(&text),
                Found::Something(_) | Found::Nothing => Verdict::NoSign,
                Found::NoQuestion => Verdict::Undecided,
            }),
            Evidence::State { field, values } => {
                Ok(match self.resource(client, statement).await? {
                    Found::Something(text) => {
                        let state = ask::field(&text, field);
                        let shows = |state: &str| {
                            values.iter().any(|value| value.eq_ignore_ascii_case(state))
                        };
                        match state.as_deref().is_some_and(shows) {
                            true => Verdict::Happened(Attributes::new()),
                            false => Verdict::NoSign,
                        }
                    }
                    Found::Nothing => Verdict::NoSign,
                    Found::NoQuestion => Verdict::Undecided,
                })
            }
        }
    }

    /// The job that carries the request's id.
    async fn job(&self, client: &Client, statement: &Statement) -> Result<Verdict> {
        let (Some(jobs), Some((_, list))) = (&self.service.jobs, self.service.job_list()) else {
            return Ok(Verdict::Undecided);
        };
        let Some(request_id) = &jobs.request_id else {
            return Ok(Verdict::Undecided);
        };
        let mut others = false;
        let found = ask::first(
            client,
            statement,
            self.service,
            list,
            self.parameters,
            |row| {
                let own = ask::field(row, request_id).unwrap_or_default();
                if own.eq_ignore_ascii_case(self.request_id) {
                    return ask::field(row, "id");
                }
                others |= self.may_be_ours(jobs, row);
                None
            },
        );
        let found = found.await?;
        // A service that does not keep the id shows the job under another.
        if found.is_none() && others {
            return Ok(Verdict::Undecided);
        }
        Ok(match found {
            Some(id) => {
                let mut result = Attributes::new();
                for field in self.method.result_fields() {
                    let value = if same(&field.name, &jobs.result_attribute) {
                        Value::String(id.clone())
                    } else if let Some(constant) = constant(self.service, self.method, &field.name)
                    {
                        constant
                    } else {
                        continue;
                    };
                    if let Ok(raw) = serde_json::value::to_raw_value(&value) {
                        result.insert(field.name.clone(), raw);
                    }
                }
                Verdict::Happened(result)
            }
            None => Verdict::NoSign,
        })
    }

    /// Whether a job with another request's id may nevertheless be the one that the call started: it is about the same target, and
    /// began when the call was on its way or later.
    fn may_be_ours(&self, jobs: &Jobs, row: &str) -> bool {
        let Some(target) = &jobs.target else {
            return true;
        };
        let about = ask::field(row, target);
        let own = self.parameters.last().map(|(_, value)| value.as_str());
        let same_target = match (&about, own) {
            (Some(about), Some(own)) => about
                .rsplit('/')
                .next()
                .is_some_and(|last| last.eq_ignore_ascii_case(own)),
            _ => true,
        };
        let began = jobs
            .started
            .as_ref()
            .and_then(|field| ask::field(row, field))
            .and_then(|text| time(&text));
        // The clocks of two machines agree to about that.
        let late = began.is_none_or(|began| began + CLOCKS >= self.sent);
        same_target && late
    }

    async fn resource(&self, client: &Client, statement: &Statement) -> Result<Found> {
        let Some((_, reader)) = self.service.reader_at(self.method) else {
            return Ok(Found::NoQuestion);
        };
        let found = ask::one(client, statement, self.service, reader, self.parameters).await?;
        Ok(found.map_or(Found::Nothing, Found::Something))
    }

    /// Whether a resource has every value that the body gave it. Services answer more than was sent, in spellings of their own.
    fn holds_what_was_sent(&self, resource: &str) -> bool {
        let (Some(body), Ok(there)) = (self.body, serde_json::from_str::<Value>(resource)) else {
            return true;
        };
        serde_json::from_str::<Value>(body).is_ok_and(|sent| holds(&there, &sent))
    }

    /// Where a person looks: the query that shows what became of it.
    pub(super) fn look_at(&self) -> String {
        let (table, extra) = match (&self.method.evidence, &self.service.jobs) {
            (Evidence::Job, Some(jobs)) => {
                let table = self
                    .service
                    .job_list()
                    .map(|(resource, _)| resource.full_name());
                let extra = jobs
                    .request_id
                    .as_ref()
                    .map(|field| format!("{field} = '{}'", self.request_id));
                (table, extra)
            }
            _ => {
                let table = self
                    .service
                    .reader_at(self.method)
                    .map(|(resource, _)| resource.full_name());
                (table, None)
            }
        };
        let Some(table) = table else {
            return "no query of this provider shows it".to_owned();
        };
        let has = |name: &str| {
            let reader = match &self.method.evidence {
                Evidence::Job => self.service.job_list(),
                _ => self.service.reader_at(self.method),
            };
            reader.is_some_and(|(_, method)| method.parameter(name).is_some())
        };
        let mut conditions: Vec<String> = self
            .parameters
            .iter()
            .filter(|(name, _)| has(name))
            .map(|(name, value)| format!("{name} = '{}'", value.replace('\'', "''")))
            .collect();
        conditions.extend(extra);
        format!(
            "look at `SELECT * FROM {table} WHERE {}`",
            conditions.join(" AND ")
        )
    }
}

/// A resource that is there and holds what was sent: it may still be in the making, or have failed to be made.
fn provisioned(text: &str) -> Verdict {
    let state = ask::field(text, "properties.provisioningState").unwrap_or_default();
    match &*state.to_ascii_lowercase() {
        "" | "succeeded" => Verdict::Happened(serde_json::from_str(text).unwrap_or_default()),
        "failed" | "canceled" => Verdict::Failed(
            ask::field(text, "properties.protectionErrorDetails.code"),
            format!("its provisioning state is `{state}`"),
        ),
        _ => Verdict::Undecided,
    }
}

/// A point in time as services write it: ISO 8601, UTC.
fn time(text: &str) -> Option<SystemTime> {
    use arrow::array::types::TimestampMillisecondType;
    use arrow::compute::kernels::cast_utils::Parser;
    let millis = TimestampMillisecondType::parse(text)?;
    let since = std::time::Duration::from_millis(u64::try_from(millis).ok()?);
    Some(SystemTime::UNIX_EPOCH + since)
}

enum Found {
    Something(String),
    Nothing,
    NoQuestion,
}

/// The one value that a field of the answer can have.
fn constant(service: &Service, method: &Method, field: &str) -> Option<Value> {
    let schema = method.response.schema.as_ref()?;
    let effective = service.schemas.effective_properties(schema, None);
    let (_, property) = effective.property(field)?;
    match service.schemas.resolve(&property.schema) {
        restable_spec::Schema::Scalar(scalar) => {
            match (&scalar.constant, scalar.allowed.as_slice()) {
                (Some(constant), _) => Some(constant.clone()),
                (None, [only]) => Some(only.clone()),
                _ => None,
            }
        }
        _ => None,
    }
}

fn holds(there: &Value, sent: &Value) -> bool {
    match (there, sent) {
        (_, Value::String(text)) if text == HIDDEN => true,
        (Value::Object(there), Value::Object(sent)) => sent.iter().all(|(name, value)| {
            // Services spell names in other cases than they were sent in, and leave nulls out.
            let own = there
                .get(name)
                .or_else(|| Some(there.iter().find(|(known, _)| same(known, name))?.1));
            match own {
                Some(own) => holds(own, value),
                None => value.is_null(),
            }
        }),
        (Value::Array(there), Value::Array(sent)) => {
            there.len() == sent.len()
                && there
                    .iter()
                    .zip(sent)
                    .all(|(there, sent)| holds(there, sent))
        }
        (Value::String(there), Value::String(sent)) => there.eq_ignore_ascii_case(sent),
        (Value::Number(there), Value::Number(sent)) => there.as_f64() == sent.as_f64(),
        (there, sent) => there == sent,
    }
}

/// Whether the resource of a call is there.
pub(super) async fn present(statement: &Statement, about: About<'_>) -> Result<bool> {
    let client = &about.deed.client;
    let (service, method) = (&about.deed.service, &about.deed.method);
    let Some((_, reader)) = service.reader_at(method) else {
        return Err(Error::Route {
            message: format!(
                "whether a target of `{}` exists cannot be asked",
                method.full_name()
            ),
            hint: None,
        });
    };
    let parameters = &about.target.parameters;
    let found = ask::one(client, statement, service, reader, parameters);
    Ok(found.await?.is_some())
}

fn lost<'a>(about: About<'a>, request_id: &'a str, sent: SystemTime) -> Lost<'a> {
    Lost {
        service: &about.deed.service,
        method: &about.deed.method,
        parameters: &about.target.parameters,
        body: about.target.call.body.as_deref(),
        request_id,
        sent,
    }
}

/// Asks, shortly after an answer was lost, whether the call had its effect; the row says where to look if that cannot be told.
pub(super) async fn settle_now(
    sending: &Sending,
    about: About<'_>,
    request_id: &str,
    unknown: Answer,
) -> Answer {
    let lost = lost(about, request_id, SystemTime::now());
    let client = &about.deed.client;
    let mut pause = sending.poll.first;
    for question in 0..QUESTIONS {
        if question > 0 {
            if !sending.pause(pause).await {
                break;
            }
            pause *= 2;
        }
        match lost.verdict(client, &sending.statement).await {
            Ok(Verdict::Happened(result)) => {
                return happened(sending, about, result, unknown).await;
            }
            Ok(Verdict::Failed(code, message)) => {
                return failed(sending, about, code, message, unknown).await;
            }
            // The network that lost the answer may still be gone.
            Ok(Verdict::NoSign) | Err(_) => {}
            Ok(Verdict::Undecided) => break,
        }
    }
    let why = unknown.error_message.clone().unwrap_or_default();
    let look = lost.look_at();
    unknown.because(format!(
        "the answer was lost ({why}), so that the call may have been received; {look}"
    ))
}

/// What is known of a call whose answer was lost in a run before.
pub(super) struct Later<'a> {
    pub request_id: &'a str,
    /// When it was on its way, or intended.
    pub sent: SystemTime,
    /// Why its outcome is unknown.
    pub why: &'a str,
    /// The service answered that it took it.
    pub received: bool,
}

/// Asks, in a later run, what became of a call.
pub(super) async fn settle_later(
    sending: &Sending,
    about: About<'_>,
    later: Later<'_>,
    blank: Answer,
) -> Resolved {
    let Later { sent, why, .. } = later;
    let lost = lost(about, later.request_id, sent);
    // What a slow question adds to its age shows nothing.
    let age = SystemTime::now().duration_since(sent).unwrap_or_default();
    let unknown = |message: String| {
        Resolved::Answer(Box::new(
            Answer {
                status: "Unknown",
                ..blank.clone()
            }
            .because(message),
        ))
    };
    match lost.verdict(&about.deed.client, &sending.statement).await {
        Ok(Verdict::Happened(result)) => {
            let answer = happened(sending, about, result, blank).await;
            Resolved::Answer(Box::new(answer))
        }
        Ok(Verdict::Failed(code, message)) => {
            let answer = failed(sending, about, code, message, blank).await;
            Resolved::Answer(Box::new(answer))
        }
        Ok(Verdict::NoSign) if later.received => unknown(format!(
            "the service took it ({why}), and nothing shows yet what became of it; {}",
            lost.look_at()
        )),
        Ok(Verdict::Undecided) => unknown(format!(
            "it may have been received ({why}), and no query decides; {}",
            lost.look_at()
        )),
        Err(problem) => unknown(format!(
            "it may have been received ({why}), and what became of it could not be asked: {problem}"
        )),
        Ok(Verdict::NoSign) => {
            if age < sending.unknown_grace {
                let left = (sending.unknown_grace - age).as_secs() + 1;
                return unknown(format!(
                    "there is no sign of it yet ({why}); {left} s from now, after `unknown_grace`, it counts as not received; {}",
                    lost.look_at()
                ));
            }
            let Some(number) = blank.operation else {
                return unknown("it has no entry in the journal".to_owned());
            };
            let settled = Settlement::of(State::NotSent)
                .because("no sign of it was there after `unknown_grace`");
            let permit = async {
                about.run.settle(number, settled).await?;
                about
                    .run
                    .again(number, restable_http::journal::Supplement::default())
                    .await
            };
            match permit.await {
                Ok(permit) => Resolved::NotReceived(Box::new(permit), Box::new(blank)),
                Err(problem) => Resolved::Answer(Box::new(
                    Answer {
                        status: "NotSent",
                        ..blank
                    }
                    .because(format!(
                        "it was not received, and is not sent again: {problem}"
                    )),
                )),
            }
        }
    }
}

/// The call was received, and came to nothing.
async fn failed(
    sending: &Sending,
    about: About<'_>,
    code: Option<String>,
    message: String,
    unknown: Answer,
) -> Answer {
    if let Some(number) = unknown.operation {
        let settlement = Settlement {
            error_code: code.clone(),
            ..Settlement::of(State::Failed).because(&message)
        };
        if let Err(problem) = about.run.settle(number, settlement).await {
            sending
                .statement
                .note_notice(format!("the journal could not be written: {problem}"));
        }
    }
    Answer {
        status: "Failed",
        error_code: code,
        ..unknown
    }
    .because(message)
}

/// The call had its effect: the journal hears of it, and the row is as if the answer had come.
async fn happened(
    sending: &Sending,
    about: About<'_>,
    result: Attributes,
    unknown: Answer,
) -> Answer {
    if let Some(number) = unknown.operation {
        let settlement = Settlement::of(State::Succeeded);
        let settlement = match serde_json::to_string(&result) {
            Ok(text) if !result.is_empty() => settlement.with_result(text),
            _ => settlement,
        };
        if let Err(problem) = about.run.settle(number, settlement).await {
            sending
                .statement
                .note_notice(format!("the journal could not be written: {problem}"));
        }
    }
    sending.statement.note_notice(
        "an answer was lost, and the service's state shows that the call had its effect".to_owned(),
    );
    let answer = Answer {
        status: "Succeeded",
        result,
        parameters: unknown.parameters,
        operation: unknown.operation,
        ..Answer::default()
    };
    job::wait(sending, about, answer).await
}
