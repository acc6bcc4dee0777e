//! One attempt at one request, in its slot: headers, send, read, each within its time. It says what came of it and leaves to
//! [`crate::exchange`] what follows.

use std::time::Duration;

use bytes::Bytes;
use http::header::LOCATION;
use http::{HeaderMap, HeaderValue};
use url::Url;

use crate::ask::{Ask, Expect};
use crate::body::{self, AtCap, BodyFault};
use crate::client::{CallContext, Shared};
use crate::clock::within;
use crate::credential::Loans;
use crate::error::{Error, ErrorKind};
use crate::fault::Fault;
use crate::operation::announces_operation;
use crate::redact::show_text;
use crate::retry::Obstacle;
use crate::retry_after::retry_after;
use crate::schedule::Slot;
use crate::tally::Tally;
use crate::transport::{Breakage, Request, Response};

/// Bytes of an error body that are read.
const ERROR_BYTES: usize = 64 * 1024;
const CLIENT_REQUEST_ID: &str = "x-ms-client-request-id";

/// What one attempt came to.
pub(crate) enum Outcome {
    Whole {
        status: u16,
        headers: HeaderMap,
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
    /// One attempt, within the page's and the statement's time.
    pub(crate) async fn attempt(
        &self,
        ask: &Ask,
        url: &Url,
        loans: &Loans,
        slot: &Slot,
        context: &CallContext,
        tally: &mut Tally,
    ) -> Outcome {
        let left = self.time_left(context);
        // The slot may have come with the end of the time: what cannot be answered any more is not sent.
        if left.is_some_and(|left| left.is_zero()) {
            return Outcome::Failed(deadline(ask, tally));
        }
        let page_timeout = context.page_timeout.unwrap_or(self.config.page_timeout);
        let limit = left.map_or(page_timeout, |left| left.min(page_timeout));
        let outcome = within(
            &*self.clock,
            limit,
            self.send_and_read(ask, url, loans, slot, context, tally),
        )
        .await;
        match outcome {
            Some(outcome) => outcome,
            None if left.is_some_and(|left| left <= page_timeout) => {
                Outcome::Failed(deadline(ask, tally))
            }
            None => timed_out(
                ask,
                tally,
                format!("the page did not come within {}", seconds(page_timeout)),
            ),
        }
    }

    async fn send_and_read(
        &self,
        ask: &Ask,
        url: &Url,
        loans: &Loans,
        slot: &Slot,
        context: &CallContext,
        tally: &mut Tally,
    ) -> Outcome {
        tally.hear_nothing();
        let mut headers = ask.headers.clone();
        if let Ok(id) = HeaderValue::try_from(tally.client_request_id.as_str()) {
            headers.insert(CLIENT_REQUEST_ID, id);
        }
        for (name, token) in loans.shown() {
            let Ok(mut value) = HeaderValue::try_from(format!("Bearer {}", token.reveal())) else {
                return Outcome::Failed(ask.error_after(
                    tally,
                    ErrorKind::Credential,
                    "the token cannot be sent in a header",
                ));
            };
            value.set_sensitive(true);
            headers.insert(name, value);
        }
        let request = Request {
            method: ask.method.clone(),
            url: url.clone(),
            headers,
            body: ask.body.clone(),
        };
        let silence = self.config.read_timeout;
        if !tally.sent {
            if let Err(spent) = context.allowance.take(self.clock.now()) {
                return Outcome::Failed(ask.error(ErrorKind::Allowance, spent.to_string()));
            }
            tally.sent = true;
            context.meter.count_call();
        }
        // From here on it may be carried out, whatever becomes of the answer.
        tally.uncertain = true;
        let response = within(&*self.clock, silence, self.transport.send(request)).await;
        // Without an answer it is not known to have gone out.
        if matches!(response, Some(Ok(_))) && !std::mem::replace(&mut tally.answered, true) {
            context.allowance.note_sent();
        }
        let response = match response {
            None => return timed_out(ask, tally, format!("no answer within {}", seconds(silence))),
            Some(Err(error)) => {
                return broken(ask, tally, error.breakage, &error.message);
            }
            Some(Ok(response)) => response,
        };
        let status = response.status.as_u16();
        slot.hear(status, &response.headers);
        tally.hear(
            status,
            &response.headers,
            retry_after(&response.headers, self.clock.wall()),
        );
        match (status, ask.expect) {
            (200 | 201 | 203, Expect::Page) | (200..=299, Expect::Success) => {}
            (301 | 302 | 303 | 307 | 308, _) => {
                let location = response
                    .headers
                    .get(LOCATION)
                    .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
                return Outcome::Redirect { status, location };
            }
            _ => return self.refusal(ask, response, context, tally).await,
        }
        let headers = response.headers.clone();
        let outcome = self.whole(ask, response, context, tally).await;
        match outcome {
            Outcome::Whole { .. } => outcome,
            // The head of the answer tells of an operation. That its body is no use does not undo it.
            _ if ask.is_write() && announces_operation(status, &headers) => Outcome::Whole {
                status,
                headers,
                body: Bytes::new(),
            },
            _ => outcome,
        }
    }

    /// The body of an answer of success.
    async fn whole(
        &self,
        ask: &Ask,
        response: Response,
        context: &CallContext,
        tally: &mut Tally,
    ) -> Outcome {
        let status = response.status.as_u16();
        let headers = response.headers.clone();
        let silence = self.config.read_timeout;
        let content_type = body::check_content_type(&headers);
        if let (Err(message), Expect::Page) = (&content_type, ask.expect) {
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
                let empty = body.bytes.iter().all(u8::is_ascii_whitespace);
                let wrong = match (empty, ask.expect, content_type) {
                    (true, Expect::Page, _) => {
                        Some("the answer is empty where JSON is due".to_owned())
                    }
                    (false, _, Err(message)) => Some(message),
                    _ => None,
                };
                match wrong {
                    Some(message) => {
                        Outcome::Failed(ask.error_after(tally, ErrorKind::Body, message))
                    }
                    None => Outcome::Whole {
                        status,
                        headers,
                        body: if empty { Bytes::new() } else { body.bytes },
                    },
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
        response: Response,
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

pub(crate) fn deadline(ask: &Ask, tally: &Tally) -> Error {
    let mut error = ask.error_after(tally, ErrorKind::Deadline, "the statement's time is up");
    error.edit().status = None;
    error
}
/// A duration in words.
pub(crate) fn seconds(duration: Duration) -> String {
    let seconds = duration.as_secs_f64();
    if seconds >= 10.0 {
        format!("{seconds:.0} s")
    } else {
        format!("{seconds:.1} s")
    }
}
