//! What is known of one logical request and its attempts, for its error and its record. It decides nothing.

use std::time::Duration;

use http::HeaderMap;

use crate::error::Error;
use crate::redact::show_text;

/// What the attempts of one request came to.
#[derive(Debug, Clone)]
pub(crate) struct Tally {
    pub client_request_id: String,
    pub attempts: u32,
    /// Whether any attempt came so far as to be handed to the transport.
    pub sent: bool,
    /// Whether any attempt was answered.
    pub answered: bool,
    /// Whether an attempt may have been carried out although its answer does not say so.
    pub uncertain: bool,
    pub status: Option<u16>,
    pub request_id: Option<String>,
    pub correlation_id: Option<String>,
    pub retry_after: Option<Duration>,
    pub waited: Duration,
    pub bytes: u64,
    pub wire_bytes: u64,
    /// Waits that the service's limits caused.
    pub throttled: Duration,
    /// The number of its record in the meter.
    pub record: Option<usize>,
}

impl Tally {
    /// A request that was not tried yet, with this id or one of its own.
    pub(crate) fn new(client_request_id: Option<&str>) -> Self {
        Self {
            client_request_id: client_request_id
                .map_or_else(|| uuid::Uuid::new_v4().to_string(), str::to_owned),
            attempts: 0,
            sent: false,
            answered: false,
            uncertain: false,
            status: None,
            request_id: None,
            correlation_id: None,
            retry_after: None,
            waited: Duration::ZERO,
            bytes: 0,
            wire_bytes: 0,
            throttled: Duration::ZERO,
            record: None,
        }
    }

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

    /// Takes down the head of an answer.
    pub(crate) fn hear(&mut self, status: u16, headers: &HeaderMap, wait: Option<Duration>) {
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

    /// Forgets the answer before.
    pub(crate) fn hear_nothing(&mut self) {
        self.status = None;
        self.request_id = None;
        self.correlation_id = None;
        self.retry_after = None;
    }
}
