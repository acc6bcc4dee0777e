//! One logical request with all of its attempts: the origin rule, the token, the attempt, and what the retry table says of its outcome.
//! Each wait respects the statement's deadline, and no wait between attempts holds a slot. It does not know what the body means.

use std::sync::PoisonError;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{HeaderMap, Method};
use tracing::Instrument as _;
use url::Url;

use crate::ask::Ask;
use crate::attempt::{Outcome, deadline, seconds};
use crate::client::{CallContext, Shared};
use crate::clock::within;
use crate::credential::{Loan, Loans, Renewal, Tokens};
use crate::error::{Error, ErrorKind};
use crate::meter::CallRecord;
use crate::origin::{Passage, Refusal, resolve_link};
use crate::redact::redact_url;
use crate::retry::{
    Decision, Obstacle, Price, SoFar, Stop, THROTTLE_FLOOR, TokenState, backoff, decide,
};
use crate::schedule::Slot;
use crate::tally::Tally;
use crate::transport::Breakage;

/// Redirects of one request that are followed.
const REDIRECTS: usize = 3;

/// A whole answer.
#[derive(Debug)]
pub(crate) struct Answer {
    /// The URL that gave it, after redirects.
    pub url: Url,
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Bytes,
    pub tally: Tally,
}

impl Shared {
    /// Sends a request until it has an answer or may not be sent again.
    pub(crate) async fn exchange(&self, ask: &Ask, context: &CallContext) -> Result<Answer, Error> {
        let mut tally = Tally::new(ask.client_request_id.as_deref());
        self.exchange_into(ask, context, &mut tally).await
    }

    /// The same, for a caller that has to know of the attempts when there is no answer.
    pub(crate) async fn exchange_into(
        &self,
        ask: &Ask,
        context: &CallContext,
        tally: &mut Tally,
    ) -> Result<Answer, Error> {
        let started = self.clock.now();
        let span = tracing::info_span!(
            target: "span",
            parent: &context.meter.span(),
            "call",
            otel.kind = "client",
            operation = ask.operation_id(),
            http.request.method = ask.method_name(),
            url.full = redact_url(&ask.url),
            page = ask.page.cast_signed(),
            http.response.status_code = tracing::field::Empty,
            attempts = tracing::field::Empty,
            bytes = tracing::field::Empty,
            otel.status_code = tracing::field::Empty,
        );
        let mut outcome = self
            .attempts(ask, context, tally)
            .instrument(span.clone())
            .await;
        if let Some(status) = tally.status {
            span.record("http.response.status_code", i64::from(status));
        }
        span.record("attempts", i64::from(tally.attempts));
        span.record("bytes", tally.bytes.cast_signed());
        if outcome.is_err() {
            span.record("otel.status_code", "ERROR");
        }
        if !tally.sent {
            return outcome;
        }
        let now = self.clock.now();
        let record = CallRecord {
            operation_id: ask.operation_id().to_owned(),
            scope: ask.scope().to_owned(),
            method: ask.method_name(),
            url: redact_url(&ask.url),
            page: ask.page,
            status: tally.status,
            attempts: tally.attempts,
            bytes: tally.bytes,
            wire_bytes: tally.wire_bytes,
            milliseconds: milliseconds(now.saturating_duration_since(started)),
            throttled_milliseconds: milliseconds(tally.throttled),
            rows: None,
            first_row_milliseconds: None,
            age: None,
            client_request_id: tally.client_request_id.clone(),
            request_id: tally.request_id.clone(),
        };
        tracing::debug!(
            method = record.method,
            url = record.url,
            status = record.status,
            attempts = record.attempts,
            bytes = record.bytes,
            ms = record.milliseconds,
            "call"
        );
        let number = context.meter.record(record);
        if let Ok(answer) = &mut outcome {
            answer.tally.record = number;
        }
        outcome
    }

    async fn attempts(
        &self,
        ask: &Ask,
        context: &CallContext,
        tally: &mut Tally,
    ) -> Result<Answer, Error> {
        let mut url = ask.url.clone();
        let mut redirects = 0;
        let mut refused: Option<Loans> = None;
        let mut last_price = None;
        let mut pause = Duration::ZERO;
        loop {
            // A token may be over by the time at which there is a slot.
            let slot = self.slot(ask, &url, context, tally).await?;
            let loans = self
                .loans(ask, &url, context, tally, refused.as_ref())
                .await?;
            tally.attempts += 1;
            let uncertain = tally.uncertain;
            let (obstacle, error) = match self
                .attempt(ask, &url, &loans, &slot, context, tally)
                .await
            {
                Outcome::Whole {
                    status,
                    headers,
                    body,
                } => {
                    tally.uncertain = uncertain;
                    self.budget.success(last_price);
                    return Ok(Answer {
                        url,
                        status,
                        headers,
                        body,
                        tally: tally.clone(),
                    });
                }
                Outcome::Redirect { status, location } => {
                    tally.uncertain = uncertain;
                    redirects += 1;
                    url =
                        self.redirect(ask, &url, tally, status, location.as_deref(), redirects)?;
                    continue;
                }
                Outcome::Obstacle { obstacle, error } => {
                    if obstacle.surely_undone() {
                        tally.uncertain = uncertain;
                    }
                    (obstacle, error)
                }
                Outcome::Failed(error) => return Err(error),
            };
            let renewable = refused.is_none()
                && (is_renewable(&loans.own, &self.tokens)
                    || is_renewable(&loans.auxiliary, &self.auxiliary));
            pause = {
                let mut random = self.random.lock().unwrap_or_else(PoisonError::into_inner);
                backoff(&self.config.retry, pause, &mut random)
            };
            let so_far = SoFar {
                attempts: tally.attempts,
                max_attempts: self.config.retry.max_attempts,
                precondition: ask.precondition(),
                token: if renewable {
                    TokenState::Renewable
                } else {
                    TokenState::Final
                },
                retry_after: tally.retry_after,
                backoff: pause,
                time_left: self.time_left(context),
                patience_left: self.config.retry.patience.saturating_sub(tally.waited),
            };
            let decision = decide(ask.class(), obstacle, &so_far);
            match obstacle {
                Obstacle::Status(429) if concerns_all(&error) => slot.refused(match decision {
                    Decision::Retry { after, .. } => after,
                    _ => tally.retry_after.unwrap_or(THROTTLE_FLOOR),
                }),
                Obstacle::TimedOut
                | Obstacle::Broken(
                    Breakage::NotConnected | Breakage::RefusedStream | Breakage::Interrupted,
                ) => slot.lost(),
                _ => {}
            }
            drop(slot);
            match decision {
                Decision::RefreshToken => {
                    refused = Some(loans);
                    context.meter.count_retry();
                }
                Decision::Retry { after, price } => {
                    if !self.budget.pay(price) {
                        return Err(append(
                            error,
                            "too many calls fail, so that it is not tried again",
                        ));
                    }
                    last_price = Some(price);
                    tracing::debug!(scope = ask.scope(), attempt = tally.attempts, wait_ms = after.as_millis(), %error, "call is sent again");
                    self.clock.sleep(after).await;
                    tally.waited += after;
                    if price == Price::Throttled {
                        tally.throttled += after;
                        context.meter.count_throttle(after, self.clock.now());
                    }
                    context.meter.count_retry();
                }
                Decision::Unknown => return Err(error),
                Decision::Fail(stop) => return Err(stopped(error, stop, obstacle)),
            }
        }
    }

    /// Waits for the right to send, to the statement's deadline at most.
    async fn slot(
        &self,
        ask: &Ask,
        url: &Url,
        context: &CallContext,
        tally: &mut Tally,
    ) -> Result<Slot, Error> {
        let after = self.scheduler.pause_left(&ask.method, url);
        if let Some(left) = self.time_left(context)
            && after > left
        {
            let message = "the service refuses calls of this kind for now";
            let error = ask.error_after(tally, ErrorKind::Throttled, message);
            let stop = Stop::Deadline { after, left };
            return Err(stopped(error, stop, Obstacle::Status(429)));
        }
        let wait = self.scheduler.slot(&context.lane, &ask.method, url);
        match self.in_time(context, wait).await {
            Some(slot) => {
                tally.throttled += slot.held;
                context.meter.count_throttle(slot.held, self.clock.now());
                Ok(slot)
            }
            None => Err(deadline(ask, tally)),
        }
    }

    /// The tokens for an attempt at this URL. The service does not say which one it refused, so that both are replaced then.
    async fn loans(
        &self,
        ask: &Ask,
        url: &Url,
        context: &CallContext,
        tally: &Tally,
        refused: Option<&Loans>,
    ) -> Result<Loans, Error> {
        // The origin rule comes before the tokens, and the tokens before the socket.
        let refuse = |refusal: Refusal| {
            let message = format!("nothing is sent: {refusal}");
            ask.error_after(tally, ErrorKind::Refused, message)
        };
        let own = ask.gate.authorize(url).map_err(refuse)?;
        let auxiliary = match &ask.auxiliary {
            Some(gate) => gate
                .authorize(url)
                .map_err(|refusal| refuse(refusal).of_auxiliary())?,
            None => Passage::Anonymous,
        };
        let (first, second) = refused
            .map(|loans| (loans.own.as_ref(), loans.auxiliary.as_ref()))
            .unwrap_or_default();
        Ok(Loans {
            own: match (own, &self.tokens) {
                (Passage::WithToken, Some(tokens)) => {
                    Some(self.token(tokens, ask, context, tally, first).await?)
                }
                _ => None,
            },
            auxiliary: match (auxiliary, &self.auxiliary) {
                (Passage::WithToken, Some(tokens)) => Some(
                    self.token(tokens, ask, context, tally, second)
                        .await
                        .map_err(Error::of_auxiliary)?,
                ),
                _ => None,
            },
        })
    }

    async fn token(
        &self,
        tokens: &Tokens,
        ask: &Ask,
        context: &CallContext,
        tally: &Tally,
        refused: Option<&Loan>,
    ) -> Result<Loan, Error> {
        let asked = async {
            match refused {
                Some(loan) => tokens.instead_of(loan).await,
                None => tokens.current().await,
            }
        };
        match self.in_time(context, asked).await {
            Some(Ok(loan)) => Ok(loan),
            Some(Err(mut error)) => {
                ask.name(&mut error);
                Err(error)
            }
            None => Err(deadline(ask, tally)),
        }
    }

    /// GET and HEAD follow a redirect on the same origin, anything else is refused; the target is named by its origin only.
    fn redirect(
        &self,
        ask: &Ask,
        from: &Url,
        tally: &Tally,
        status: u16,
        location: Option<&str>,
        count: usize,
    ) -> Result<Url, Error> {
        let refuse = |kind, message: String| Err(ask.error_after(tally, kind, message));
        let Some(location) = location else {
            return refuse(
                ErrorKind::Body,
                format!("a redirect ({status}) without a target"),
            );
        };
        let target = match resolve_link(location, from, ask.gate.service()) {
            Ok(target) => target,
            Err(refusal) => {
                return refuse(
                    ErrorKind::Refused,
                    format!("the redirect ({status}) is not followed: {refusal}"),
                );
            }
        };
        if ask.method != Method::GET && ask.method != Method::HEAD {
            let origin = target.origin().ascii_serialization();
            return refuse(
                ErrorKind::Refused,
                format!(
                    "a redirect ({status}) of a {} to `{origin}` is not followed",
                    ask.method
                ),
            );
        }
        if count > REDIRECTS {
            return refuse(
                ErrorKind::Refused,
                format!("more than {REDIRECTS} redirects in a row"),
            );
        }
        Ok(target)
    }

    /// The time to the statement's deadline.
    pub(crate) fn time_left(&self, context: &CallContext) -> Option<Duration> {
        context
            .deadline
            .map(|deadline: Instant| deadline.saturating_duration_since(self.clock.now()))
    }

    /// Runs a wait to the statement's deadline at most.
    pub(crate) async fn in_time<F: Future>(
        &self,
        context: &CallContext,
        future: F,
    ) -> Option<F::Output> {
        match self.time_left(context) {
            Some(left) => within(&*self.clock, left, future).await,
            None => Some(future.await),
        }
    }
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// Whether another token can be had instead of this one.
fn is_renewable(loan: &Option<Loan>, tokens: &Option<Tokens>) -> bool {
    let renewal = tokens.as_ref().map(Tokens::renewal);
    loan.is_some() && renewal == Some(Renewal::Possible)
}

/// Whether a refusal with 429 is for all calls of its kind, and not for this resource alone, with which something else is busy.
fn concerns_all(error: &Error) -> bool {
    let code = error.code.as_deref().unwrap_or_default();
    !["AnotherOperation", "OperationInProgress", "Conflict"]
        .iter()
        .any(|busy| code.contains(busy))
}

/// The last attempt's error, with the reason why it was the last.
fn stopped(mut error: Error, stop: Stop, obstacle: Obstacle) -> Error {
    match stop {
        Stop::Final | Stop::Credential | Stop::Attempts => error,
        Stop::Deadline { after, left } => {
            error.edit().time_left = Some(left);
            if obstacle != Obstacle::Status(429) {
                error.edit().kind = ErrorKind::Deadline;
            }
            append(
                error,
                &format!(
                    "the next attempt would be in {}, but the statement has {} left",
                    seconds(after),
                    seconds(left)
                ),
            )
        }
        Stop::Patience { after } => {
            error.edit().kind = ErrorKind::Throttled;
            append(
                error,
                &format!(
                    "the service asks for a wait of {}, which is longer than allowed without a deadline",
                    seconds(after)
                ),
            )
        }
    }
}

fn append(mut error: Error, reason: &str) -> Error {
    let message = &mut error.edit().message;
    let end = message.trim_end_matches('.').len();
    message.truncate(end);
    if !message.is_empty() {
        message.push_str("; ");
    }
    message.push_str(reason);
    error
}
