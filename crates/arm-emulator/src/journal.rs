//! Owns what the emulator remembers of requests and of side effects. Never keeps a token or a header that could hold
//! one.

use std::collections::VecDeque;

use serde::Serialize;
use serde_json::Value;

/// One request, as the emulator saw it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct JournalEntry {
    /// Number of the request, from 1, in the order of arrival.
    pub n: u64,
    /// Emulated time of arrival.
    pub time: String,
    /// Method.
    pub method: String,
    /// Path as it was sent, still encoded.
    pub path: String,
    /// Query as it was sent, still encoded, without the question mark.
    pub query: String,
    /// Status of the answer; 0 if none was sent yet, or ever.
    pub status: u16,
    /// Id of the operation in the API, if the path has one.
    pub operation: Option<String>,
    /// Subscription in the path.
    pub subscription: Option<String>,
    /// Bytes of the body that were received.
    pub request_bytes: u64,
    /// Bytes of the body that were sent, after compression.
    pub bytes: u64,
    /// `x-ms-client-request-id` of the request.
    pub client_request_id: Option<String>,
    /// `x-ms-correlation-request-id` of the request.
    pub correlation_request_id: Option<String>,
    /// `x-ms-request-id` of the answer.
    pub request_id: Option<String>,
    /// Whether the request had an `Authorization` header.
    pub authorization: bool,
    /// `Accept` of the request.
    pub accept: Option<String>,
    /// `Content-Type` of the request.
    pub content_type: Option<String>,
    /// `User-Agent` of the request.
    pub user_agent: Option<String>,
    /// Body of the request as text, up to 64 KiB.
    pub body: Option<String>,
    /// The fault that was injected.
    pub fault: Option<String>,
}

/// One side effect: a request that changed something or started something.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LedgerEntry {
    /// Number of the effect, from 1.
    pub n: u64,
    /// Emulated time.
    pub time: String,
    /// Id of the operation in the API, such as `BackupInstances_AdhocBackup`.
    pub operation: String,
    /// ARM id of what was changed.
    pub target: String,
    /// The request's body.
    pub body: Option<Value>,
    /// `x-ms-client-request-id` of the request.
    pub client_request_id: Option<String>,
}

/// The newest requests, up to a capacity.
#[derive(Debug, Default)]
pub(crate) struct Journal {
    capacity: usize,
    count: u64,
    entries: VecDeque<JournalEntry>,
}

impl Journal {
    pub(crate) fn new(capacity: usize) -> Journal {
        Journal {
            capacity,
            ..Journal::default()
        }
    }

    pub(crate) fn is_on(&self) -> bool {
        self.capacity > 0
    }

    /// Notes an arrival; the number of the entry is given back.
    pub(crate) fn arrive(&mut self, mut entry: JournalEntry) -> u64 {
        self.count += 1;
        entry.n = self.count;
        if self.is_on() {
            if self.entries.len() == self.capacity {
                self.entries.pop_front();
            }
            self.entries.push_back(entry);
        }
        self.count
    }

    /// Notes how an arrival ended.
    pub(crate) fn depart(&mut self, n: u64, change: impl FnOnce(&mut JournalEntry)) {
        let Some(first) = self.entries.front().map(|entry| entry.n) else {
            return;
        };
        let index = n
            .checked_sub(first)
            .and_then(|index| usize::try_from(index).ok());
        if let Some(entry) = index.and_then(|index| self.entries.get_mut(index)) {
            change(entry);
        }
    }

    pub(crate) fn entries(&self) -> Vec<JournalEntry> {
        self.entries.iter().cloned().collect()
    }

    pub(crate) fn clear(&mut self) {
        self.entries.clear();
        self.count = 0;
    }
}
