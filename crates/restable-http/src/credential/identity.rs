//! The bridge to azure_identity: its requests for tokens go through this crate's transport, and with it through the same pool, timeouts and
//! retry table. A request for a token goes to the place that its member is for, and nowhere else; a redirect is not followed.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use azure_core::error::ErrorKind as AzureErrorKind;
use azure_core::http::headers::Headers;
use azure_core::http::{
    AsyncRawResponse, Body, ClientOptions, HttpClient, Request as AzureRequest, RetryOptions,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use url::{Origin, Url};

use crate::body::{self, AtCap, BodyFault};
use crate::clock::{Clock, within};
use crate::redact::escape;
use crate::retry::{
    Decision, Obstacle, Precondition, RetryPolicy, SoFar, TokenState, backoff, decide,
};
use crate::retry_after::retry_after;
use crate::transport::{Request, Transport};
use restable_spec::CallClass;

/// Attempts at one token.
const ATTEMPTS: u32 = 3;
/// Limit of one attempt.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(15);
/// Limit of all attempts, and of what a `Retry-After` may ask for.
const TOTAL_TIMEOUT: Duration = Duration::from_secs(45);
/// A token's answer is a few kilobytes.
const LARGEST: usize = 256 * 1024;

/// The HTTP client that azure_identity is given.
#[derive(Debug)]
pub(crate) struct IdentityClient {
    pub transport: Arc<dyn Transport>,
    pub clock: Arc<dyn Clock>,
    /// The one origin to which requests for tokens go.
    pub place: Origin,
}

impl IdentityClient {
    /// The options with which each credential of azure_identity is built: this client, and no retries of its own.
    pub(crate) fn options(self) -> ClientOptions {
        ClientOptions {
            transport: Some(azure_core::http::Transport::new(Arc::new(self))),
            retry: RetryOptions::none(),
            ..ClientOptions::default()
        }
    }

    fn convert(&self, request: &AzureRequest) -> Result<Request, String> {
        // azure_core's URL is the same type; the text is read again so that this does not depend on it.
        let url = Url::parse(request.url().as_str()).map_err(|error| error.to_string())?;
        if url.origin() != self.place {
            return Err(format!(
                "a token is not asked for at `{}`",
                url.origin().ascii_serialization()
            ));
        }
        let body = match request.body() {
            Body::Bytes(bytes) => bytes.clone(),
            _ => return Err("a request for a token has a body of unknown length".to_owned()),
        };
        let mut headers = HeaderMap::new();
        for (name, value) in request.headers().iter() {
            let name = HeaderName::try_from(name.as_str()).map_err(|error| error.to_string())?;
            let mut value =
                HeaderValue::try_from(value.as_str()).map_err(|error| error.to_string())?;
            value.set_sensitive(
                name != http::header::CONTENT_TYPE && name != http::header::USER_AGENT,
            );
            headers.insert(name, value);
        }
        let method = Method::from_bytes(request.method().as_ref().as_bytes())
            .map_err(|error| error.to_string())?;
        Ok(Request {
            method,
            url,
            headers,
            body,
        })
    }

    async fn attempt(
        &self,
        request: Request,
    ) -> Result<(u16, HeaderMap, bytes::Bytes), (Obstacle, String)> {
        let exchange = async {
            let response = self
                .transport
                .send(request)
                .await
                .map_err(|error| (Obstacle::Broken(error.breakage), error.message))?;
            let (status, headers) = (response.status.as_u16(), response.headers.clone());
            match body::read(
                response,
                LARGEST,
                AtCap::Refuse,
                &*self.clock,
                ATTEMPT_TIMEOUT,
            )
            .await
            {
                Ok(body) => Ok((status, headers, body.bytes)),
                Err(BodyFault::Broken(error)) => {
                    Err((Obstacle::Broken(error.breakage), error.message))
                }
                Err(BodyFault::TimedOut) => {
                    Err((Obstacle::TimedOut, "the answer stopped".to_owned()))
                }
                Err(BodyFault::TooLarge) => Err((
                    Obstacle::Status(status),
                    "the answer is too large for a token".to_owned(),
                )),
                Err(BodyFault::Encoding(name)) => Err((
                    Obstacle::Status(status),
                    format!("the answer is compressed with `{name}`"),
                )),
            }
        };
        match within(&*self.clock, ATTEMPT_TIMEOUT, exchange).await {
            Some(outcome) => outcome,
            None => Err((
                Obstacle::TimedOut,
                format!("no answer within {} s", ATTEMPT_TIMEOUT.as_secs()),
            )),
        }
    }

    async fn exchange(&self, request: Request) -> Result<(u16, HeaderMap, bytes::Bytes), String> {
        let policy = RetryPolicy::default();
        let mut random = fastrand::Rng::new();
        let mut pause = Duration::ZERO;
        let started = self.clock.now();
        let mut attempts = 0;
        loop {
            attempts += 1;
            let outcome = self.attempt(request.clone()).await;
            let (obstacle, wait) = match &outcome {
                Ok((status, ..)) if (200..300).contains(status) => (None, None),
                Ok((status, headers, _)) => (
                    Some(Obstacle::Status(*status)),
                    retry_after(headers, self.clock.wall()),
                ),
                Err((obstacle, _)) => (Some(*obstacle), None),
            };
            if let Some(obstacle) = obstacle {
                pause = backoff(&policy, pause, &mut random);
                let so_far = SoFar {
                    attempts,
                    max_attempts: ATTEMPTS,
                    precondition: Precondition::Absent,
                    token: TokenState::Final,
                    retry_after: wait,
                    backoff: pause,
                    time_left: Some(
                        TOTAL_TIMEOUT
                            .saturating_sub(self.clock.now().saturating_duration_since(started)),
                    ),
                    patience_left: TOTAL_TIMEOUT,
                };
                // Asking for a token twice has no effect but a second token, so it is a read.
                if let Decision::Retry { after, .. } = decide(CallClass::Read, obstacle, &so_far)
                    && attempts < ATTEMPTS
                {
                    self.clock.sleep(after).await;
                    continue;
                }
            }
            return outcome.map_err(|(_, message)| message);
        }
    }
}

#[async_trait]
impl HttpClient for IdentityClient {
    async fn execute_request(
        &self,
        request: &AzureRequest,
    ) -> azure_core::Result<AsyncRawResponse> {
        let failed =
            |message: String| azure_core::Error::with_message(AzureErrorKind::Io, escape(&message));
        let request = self.convert(request).map_err(failed)?;
        let (status, headers, body) = self.exchange(request).await.map_err(failed)?;
        let mut answered = Headers::new();
        for (name, value) in &headers {
            if let Ok(value) = value.to_str() {
                answered.insert(name.as_str().to_owned(), value.to_owned());
            }
        }
        Ok(AsyncRawResponse::from_bytes(status.into(), answered, body))
    }
}
