//! One logical request with all of its attempts: permit, token, send, read, and what the retry table says of the outcome. Each wait
//! respects the statement's deadline, and no wait between attempts holds a permit. It does not know what the body means.

use std::time::{Duration, Instant};

use bytes::Bytes;
use http::header::{AUTHORIZATION, LOCATION};
use http::{HeaderMap, HeaderValue, Method};
use url::Url;

use crate::ask::Ask;
use crate::body::{self, AtCap, BodyFault};
use crate::client::{CallContext, Shared};
use crate::clock::within;
use crate::credential::{Loan, Renewal};
use crate::error::{Error, ErrorKind};
use crate::fault::Fault;
use crate::meter::CallRecord;
use crate::origin::{Passage, resolve_link};
use crate::redact::{redact_url, show_text};
use crate::retry::{Decision, Obstacle, Price, SoFar, Stop, TokenState, backoff, decide};
use crate::retry_after::retry_after;
use crate::transport::{Breakage, Request};

/// Redirects of one request that are followed.
const REDIRECTS: usize = 3;
/// Bytes of an error body that are read.
const ERROR_BYTES: usize = 64 * 1024;
const CLIENT_REQUEST_ID: &str = "x-ms-client-request-id";

/// A whole answer to a read.
#[derive(Debug)]
pub(crate) struct Answer {
    /// The URL that gave it, after redirects.
    pub url: Url,
    pub status: u16,
    pub body: Bytes,
    pub tally: Tally,
}

/// What the attempts of one request came to.
#[derive(Debug, Clone)]
pub(crate) struct Tally {
    client_request_id: String,
    attempts: u32,
    status: Option<u16>,
    request_id: Option<String>,
    correlation_id: Option<String>,
    retry_after: Option<Duration>,
    waited: Duration,
    bytes: u64,
    wire_bytes: u64,
}

impl Tally {
    /// Writes what is known of the attempts into an error.
    pub(crate) fn note(&self, error: &mut Error) {
        let failure = error.edit();
        failure.status = self.status;
        failure.attempts = self.attempts;
        failure.client_request_id = Some(self.client_request_id.clone());
        failure.request_id.clone_from(&self.request_id);
        failure.correlation_id.clone_from(&self.correlation_id);
        failure.retry_after = self.retry_after;
        failure.waited = self.waited;
    }

    fn hear(&mut self, status: u16, headers: &HeaderMap, wait: Option<Duration>) {
        let text = |name: &str| {
            headers
                .get(name)
                .and_then(|value| value.to_str().ok())
                .map(show_text)
        };
        self.status = Some(status);
        self.request_id = text("x-ms-request-id");
        self.correlation_id = text("x-ms-correlation-request-id");
        self.retry_after = wait;
    }

    fn hear_nothing(&mut self) {
        self.status = None;
        self.request_id = None;
        self.correlation_id = None;
        self.retry_after = None;
    }
}

/// What one attempt came to.
enum Outcome {
    Whole {
        status: u16,
        body: Bytes,
    },
    Redirect {
        status: u16,
        location: Option<String>,
    },
    /// The error is what the statement fails with if this attempt was the last.
    Obstacle {
        obstacle: Obstacle,
        error: Error,
    },
    Failed(Error),
}

impl Shared {
    /// Sends a read until it has an answer or may not be sent again.
    pub(crate) async fn exchange(&self, ask: &Ask, context: &CallContext) -> Result<Answer, Error> {
        context.meter.count_call();
        let started = self.clock.now();
        let mut tally = Tally {
            client_request_id: uuid::Uuid::new_v4().to_string(),
            attempts: 0,
            status: None,
            request_id: None,
            correlation_id: None,
            retry_after: None,
            waited: Duration::ZERO,
            bytes: 0,
            wire_bytes: 0,
        };
        let outcome = self.attempts(ask, context, &mut tally).await;
        context.meter.record(CallRecord {
            operation_id: ask.operation_id().to_owned(),
            scope: ask.scope().to_owned(),
            method: ask.method_name(),
            url: redact_url(&ask.url),
            page: ask.page,
            status: tally.status,
            attempts: tally.attempts,
            bytes: tally.bytes,
            wire_bytes: tally.wire_bytes,
            milliseconds: u64::try_from(
                self.clock
                    .now()
                    .saturating_duration_since(started)
                    .as_millis(),
            )
            .unwrap_or(u64::MAX),
            client_request_id: tally.client_request_id.clone(),
            request_id: tally.request_id.clone(),
        });
        outcome.map(|(url, status, body)| Answer {
            url,
            status,
            body,
            tally,
        })
    }

    async fn attempts(
        &self,
        ask: &Ask,
        context: &CallContext,
        tally: &mut Tally,
    ) -> Result<(Url, u16, Bytes), Error> {
        let mut url = ask.url.clone();
        let mut redirects = 0;
        let mut refused: Option<Loan> = None;
        let mut last_price = None;
        let mut pause = Duration::ZERO;
        loop {
            // The origin rule comes before the token, and the token before the socket.
            let passage = ask.gate.authorize(&url).map_err(|refusal| {
                ask.error_after(
                    tally,
                    ErrorKind::Refused,
                    format!("nothing is sent: {refusal}"),
                )
            })?;
            let loan = match passage {
                Passage::Anonymous => None,
                Passage::WithToken => self.token(ask, context, tally, refused.as_ref()).await?,
            };
            tally.attempts += 1;
            let (obstacle, error) = match self
                .attempt(ask, &url, loan.as_ref(), context, tally)
                .await
            {
                Outcome::Whole { status, body } => {
                    self.budget.success(last_price);
                    return Ok((url, status, body));
                }
                Outcome::Redirect { status, location } => {
                    redirects += 1;
                    url =
                        self.redirect(ask, &url, tally, status, location.as_deref(), redirects)?;
                    continue;
                }
                Outcome::Obstacle { obstacle, error } => (obstacle, error),
                Outcome::Failed(error) => return Err(error),
            };
            let renewable = refused.is_none()
                && loan.is_some()
                && self
                    .tokens
                    .as_ref()
                    .is_some_and(|tokens| tokens.renewal() == Renewal::Possible);
            pause = {
                let mut random = self
                    .random
                    .lock()
                    .unwrap_or_else(std::sync::PoisonError::into_inner);
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
            match decide(ask.class(), obstacle, &so_far) {
                Decision::RefreshToken => {
                    refused = loan;
                    context.meter.count_retry(None);
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
                    context
                        .meter
                        .count_retry((price == Price::Throttled).then_some(after));
                }
                Decision::Unknown => return Err(error),
                Decision::Fail(stop) => return Err(stopped(error, stop, obstacle)),
            }
        }
    }

    /// One attempt, within the page's and the statement's time.
    async fn attempt(
        &self,
        ask: &Ask,
        url: &Url,
        loan: Option<&Loan>,
        context: &CallContext,
        tally: &mut Tally,
    ) -> Outcome {
        let permit = match self.in_time(context, self.permits.acquire()).await {
            Some(Ok(permit)) => permit,
            Some(Err(_)) => {
                return Outcome::Failed(ask.error_after(
                    tally,
                    ErrorKind::Config,
                    "the client is closed",
                ));
            }
            None => return Outcome::Failed(deadline(ask, tally)),
        };
        let left = self.time_left(context);
        let limit = left.map_or(self.config.page_timeout, |left| {
            left.min(self.config.page_timeout)
        });
        let outcome = within(
            &*self.clock,
            limit,
            self.send_and_read(ask, url, loan, context, tally),
        )
        .await;
        drop(permit);
        match outcome {
            Some(outcome) => outcome,
            None if left.is_some_and(|left| left <= self.config.page_timeout) => {
                Outcome::Failed(deadline(ask, tally))
            }
            None => timed_out(
                ask,
                tally,
                format!(
                    "the page did not come within {}",
                    seconds(self.config.page_timeout)
                ),
            ),
        }
    }

    async fn send_and_read(
        &self,
        ask: &Ask,
        url: &Url,
        loan: Option<&Loan>,
        context: &CallContext,
        tally: &mut Tally,
    ) -> Outcome {
        tally.hear_nothing();
        let mut headers = ask.headers.clone();
        if let Ok(id) = HeaderValue::try_from(tally.client_request_id.as_str()) {
            headers.insert(CLIENT_REQUEST_ID, id);
        }
        if let Some(loan) = loan {
            let Ok(mut value) = HeaderValue::try_from(format!("Bearer {}", loan.secret.reveal()))
            else {
                return Outcome::Failed(ask.error_after(
                    tally,
                    ErrorKind::Credential,
                    "the token cannot be sent in a header",
                ));
            };
            value.set_sensitive(true);
            headers.insert(AUTHORIZATION, value);
        }
        let request = Request {
            method: ask.method.clone(),
            url: url.clone(),
            headers,
            body: ask.body.clone(),
        };
        let silence = self.config.read_timeout;
        let response = match within(&*self.clock, silence, self.transport.send(request)).await {
            None => return timed_out(ask, tally, format!("no answer within {}", seconds(silence))),
            Some(Err(error)) => {
                return broken(ask, tally, error.breakage, &error.message);
            }
            Some(Ok(response)) => response,
        };
        let status = response.status.as_u16();
        tally.hear(
            status,
            &response.headers,
            retry_after(&response.headers, self.clock.wall()),
        );
        match status {
            200 | 201 | 203 => {}
            301 | 302 | 303 | 307 | 308 => {
                let location = response
                    .headers
                    .get(LOCATION)
                    .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
                return Outcome::Redirect { status, location };
            }
            _ => return self.refusal(ask, response, context, tally).await,
        }
        if let Err(message) = body::check_content_type(&response.headers) {
            return Outcome::Failed(ask.error_after(tally, ErrorKind::Body, message));
        }
        match body::read(
            response,
            self.config.page_bytes,
            AtCap::Refuse,
            &*self.clock,
            silence,
        )
        .await
        {
            Ok(body) => {
                self.count(&body, context, tally);
                if body.bytes.iter().all(u8::is_ascii_whitespace) {
                    return Outcome::Failed(ask.error_after(
                        tally,
                        ErrorKind::Body,
                        "the answer is empty where JSON is due",
                    ));
                }
                Outcome::Whole {
                    status,
                    body: body.bytes,
                }
            }
            Err(BodyFault::TimedOut) => timed_out(
                ask,
                tally,
                format!("the answer stopped for {}", seconds(silence)),
            ),
            Err(BodyFault::Broken(error)) => broken(ask, tally, error.breakage, &error.message),
            Err(BodyFault::TooLarge) => {
                let message = format!("the page is larger than {} bytes", self.config.page_bytes);
                Outcome::Failed(ask.error_after(tally, ErrorKind::TooLarge, message))
            }
            Err(BodyFault::Encoding(name)) => {
                let message =
                    format!("the answer is compressed with `{name}`, which was not asked for");
                Outcome::Failed(ask.error_after(tally, ErrorKind::Body, message))
            }
        }
    }

    /// An answer that is no data: its body tells why, if it can be read at all.
    async fn refusal(
        &self,
        ask: &Ask,
        response: crate::transport::Response,
        context: &CallContext,
        tally: &mut Tally,
    ) -> Outcome {
        let status = response.status.as_u16();
        let fault = match body::read(
            response,
            ERROR_BYTES,
            AtCap::Cut,
            &*self.clock,
            self.config.read_timeout,
        )
        .await
        {
            Ok(body) => {
                self.count(&body, context, tally);
                Fault::of_body(&body.bytes)
            }
            Err(_) => Fault::default(),
        };
        let kind = match status {
            200..300 => ErrorKind::Body,
            401 => ErrorKind::Credential,
            429 => ErrorKind::Throttled,
            _ => ErrorKind::Status,
        };
        let mut error = ask.error_after(tally, kind, "").with_fault(fault);
        if kind == ErrorKind::Body && error.message.is_empty() {
            error.edit().message = "no page where one is due".to_owned();
        }
        Outcome::Obstacle {
            obstacle: Obstacle::Status(status),
            error,
        }
    }

    fn count(&self, body: &body::Body, context: &CallContext, tally: &mut Tally) {
        let bytes = body.bytes.len() as u64;
        tally.bytes += bytes;
        tally.wire_bytes += body.wire;
        context.meter.count_bytes(bytes, body.wire);
    }

    async fn token(
        &self,
        ask: &Ask,
        context: &CallContext,
        tally: &Tally,
        refused: Option<&Loan>,
    ) -> Result<Option<Loan>, Error> {
        let Some(tokens) = &self.tokens else {
            return Ok(None);
        };
        let asked = async {
            match refused {
                Some(loan) => tokens.instead_of(loan).await,
                None => tokens.current().await,
            }
        };
        match self.in_time(context, asked).await {
            Some(Ok(loan)) => Ok(Some(loan)),
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

    fn time_left(&self, context: &CallContext) -> Option<Duration> {
        context
            .deadline
            .map(|deadline: Instant| deadline.saturating_duration_since(self.clock.now()))
    }

    /// Runs a wait to the statement's deadline at most.
    async fn in_time<F: Future>(&self, context: &CallContext, future: F) -> Option<F::Output> {
        match self.time_left(context) {
            Some(left) => within(&*self.clock, left, future).await,
            None => Some(future.await),
        }
    }
}

fn broken(ask: &Ask, tally: &Tally, breakage: Breakage, message: &str) -> Outcome {
    let kind = match breakage {
        Breakage::NotConnected | Breakage::RefusedStream | Breakage::Interrupted => {
            ErrorKind::Connect
        }
        Breakage::Untrusted => ErrorKind::Tls,
        Breakage::Unsendable => ErrorKind::Config,
    };
    // A body that breaks off comes with a status, which says nothing about it.
    let mut error = ask.error_after(tally, kind, show_text(message));
    error.edit().status = None;
    Outcome::Obstacle {
        obstacle: Obstacle::Broken(breakage),
        error,
    }
}

fn timed_out(ask: &Ask, tally: &Tally, message: String) -> Outcome {
    let mut error = ask.error_after(tally, ErrorKind::Timeout, message);
    error.edit().status = None;
    Outcome::Obstacle {
        obstacle: Obstacle::TimedOut,
        error,
    }
}

fn deadline(ask: &Ask, tally: &Tally) -> Error {
    let mut error = ask.error_after(tally, ErrorKind::Deadline, "the statement's time is up");
    error.edit().status = None;
    error
}

/// The last attempt's error, with the reason why it was the last.
fn stopped(mut error: Error, stop: Stop, obstacle: Obstacle) -> Error {
    match stop {
        Stop::Final | Stop::Credential | Stop::Attempts => error,
        Stop::Deadline { after, left } => {
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

fn seconds(duration: Duration) -> String {
    let seconds = duration.as_secs_f64();
    if seconds >= 10.0 {
        format!("{seconds:.0} s")
    } else {
        format!("{seconds:.1} s")
    }
}
