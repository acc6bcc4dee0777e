//! A statement that acts: how its intents become entries, and entries leave to send. It refuses to send from the journal what may have
//! been received, and what the journal does not hold whole.

use std::fmt;
use std::sync::Arc;

use restable_spec::{BoundCall, LongRunning};
use ring::digest::{SHA256, digest};

use super::entry::{Entry, Settlement};
use super::place::Lock;
use super::store::{self, Draft, Request};
use super::{Binding, Journal, Ticket};
use crate::error::JournalError;

/// A write that is going to be sent.
#[derive(Clone)]
pub struct Intent {
    /// The call, whole: this is what will be sent.
    pub call: BoundCall,
    /// Whether it starts an operation.
    pub long_running: Option<LongRunning>,
    /// The body as it is journaled.
    pub body: JournaledBody,
    /// Our id of the request; `None` makes one.
    pub client_request_id: Option<String>,
}

impl fmt::Debug for Intent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Intent")
            .field("operation_id", &self.call.operation_id)
            .field("scope", &self.call.scope)
            .finish_non_exhaustive()
    }
}

/// What of a body is written down.
#[derive(Clone, PartialEq, Eq)]
pub enum JournaledBody {
    /// All of it: the request schema has no secret attribute, or none was given.
    AsSent,
    /// This text, from which the secret attributes are gone. The body itself is known by its hash.
    Redacted(String),
}

/// The secrets of a journaled call that is sent later, which the journal does not hold.
#[derive(Clone, Default)]
pub struct Supplement {
    /// The whole body, if the journaled one is redacted.
    pub body: Option<String>,
    /// The headers that are not journaled.
    pub headers: Vec<(String, String)>,
}

/// Leave to send one journaled call, once. Only the journal makes it.
#[must_use = "an intent that is not sent stays in the journal until it is withdrawn"]
pub struct Permit {
    pub(crate) call: BoundCall,
    pub(crate) long_running: Option<LongRunning>,
    pub(crate) client_request_id: String,
    pub(crate) endpoint: String,
    pub(crate) ticket: Ticket,
    // The statement counts as running while one of its calls may be sent.
    _lock: Arc<Lock>,
}

impl fmt::Debug for Permit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Permit")
            .field("number", &self.ticket.number)
            .field("scope", &self.call.scope)
            .finish_non_exhaustive()
    }
}

impl Permit {
    /// The entry's number.
    pub fn number(&self) -> i64 {
        self.ticket.number
    }

    /// The id that the request will carry.
    pub fn client_request_id(&self) -> &str {
        &self.client_request_id
    }

    /// The call that will be sent.
    pub fn call(&self) -> &BoundCall {
        &self.call
    }

    /// Records that it is not sent, and why: as [`super::State::NotSent`], which may be sent
    /// later, or [`super::State::Skipped`].
    ///
    /// # Errors
    /// The journal cannot be written.
    pub async fn withdraw(self, settlement: Settlement) -> Result<(), JournalError> {
        self.ticket.settle(settlement, None).await
    }
}

/// A statement that acts: its lock, and the way to its entries.
#[derive(Debug)]
pub struct Run {
    journal: Journal,
    of: store::Statement,
    lock: Arc<Lock>,
}

impl Run {
    pub(super) fn over(
        journal: Journal,
        statement: String,
        binding: Binding,
        lock: Arc<Lock>,
    ) -> Self {
        Self {
            journal,
            of: store::Statement {
                id: statement,
                binding,
                asked_by: None,
            },
            lock,
        }
    }

    /// The same, asked for by a client of this name, which it showed to be its own.
    #[must_use]
    pub fn asked_by(mut self, client: Option<String>) -> Self {
        self.of.asked_by = client;
        self
    }

    /// The statement's id.
    pub fn statement(&self) -> &str {
        &self.of.id
    }

    /// Under which identity it acts.
    pub fn binding(&self) -> &Binding {
        &self.of.binding
    }

    /// Makes the intents durable, all or none, and gives leave to send them, in their order.
    ///
    /// # Errors
    /// The journal cannot be written; nothing may be sent.
    pub async fn intend(&self, intents: Vec<Intent>) -> Result<Vec<Permit>, JournalError> {
        let mut drafts = Vec::with_capacity(intents.len());
        let mut planned = Vec::with_capacity(intents.len());
        for intent in intents {
            let id = intent
                .client_request_id
                .unwrap_or_else(|| uuid::Uuid::new_v4().to_string());
            let body = match (&intent.body, &intent.call.body) {
                (JournaledBody::AsSent, body) => body.clone(),
                (JournaledBody::Redacted(text), _) => Some(text.clone()),
            };
            drafts.push(Draft {
                request: Request::of(&intent.call, intent.long_running),
                body,
                body_hash: intent.call.body.as_deref().map(hash),
                client_request_id: id.clone(),
            });
            planned.push((intent.call, intent.long_running, id));
        }
        let (of, now) = (self.of.clone(), self.journal.now());
        let numbers = self
            .journal
            .shared
            .desk
            .run(move |connection| store::insert(connection, &of, &drafts, now))
            .await?;
        Ok(numbers
            .into_iter()
            .zip(planned)
            .map(|(number, (call, long_running, id))| self.permit(number, call, long_running, id))
            .collect())
    }

    /// Leave to send an entry of this statement that surely had no effect: one that is intended or not sent. It keeps its request id.
    ///
    /// # Errors
    /// The entry is of another statement, may have had an effect, or needs a secret that is not supplied.
    pub async fn again(&self, number: i64, supplement: Supplement) -> Result<Permit, JournalError> {
        let entry = self.own(number).await?;
        if let Some(error) = entry.binding.differs(&self.of.binding) {
            return Err(error);
        }
        let (mut call, long_running, withheld) =
            entry.request.call().ok_or_else(|| JournalError::Database {
                reason: format!("entry {number} cannot be read"),
            })?;
        let withhold = |what: &str| JournalError::Withheld {
            number,
            what: what.to_owned(),
        };
        call.body = supplement.body.or_else(|| entry.body.clone());
        if call.body.as_deref().map(hash) != entry.body_hash {
            return Err(withhold("secret attributes of the body"));
        }
        call.headers.extend(supplement.headers);
        if let Some(name) = withheld.iter().find(|name| {
            !call
                .headers
                .iter()
                .any(|(given, _)| given.eq_ignore_ascii_case(name))
        }) {
            return Err(withhold(&format!("`{name}`")));
        }
        let now = self.journal.now();
        self.journal
            .shared
            .desk
            .run(move |connection| store::intend_again(connection, number, now))
            .await?;
        Ok(self.permit(number, call, long_running, entry.client_request_id))
    }

    /// Records what was found out about an entry of this statement.
    ///
    /// # Errors
    /// The entry has ended otherwise, or the journal cannot be written.
    pub async fn settle(&self, number: i64, settlement: Settlement) -> Result<(), JournalError> {
        self.own(number).await?;
        self.ticket(number).settle(settlement, None).await
    }

    /// The entry, if it is of this statement.
    async fn own(&self, number: i64) -> Result<Entry, JournalError> {
        let entry = self.journal.find(&number.to_string()).await?;
        if entry.statement == self.of.id {
            Ok(entry)
        } else {
            Err(JournalError::Absent {
                reference: number.to_string(),
            })
        }
    }

    fn ticket(&self, number: i64) -> Ticket {
        Ticket {
            journal: self.journal.clone(),
            number,
        }
    }

    fn permit(
        &self,
        number: i64,
        call: BoundCall,
        long_running: Option<LongRunning>,
        client_request_id: String,
    ) -> Permit {
        Permit {
            call,
            long_running,
            client_request_id,
            endpoint: self.of.binding.endpoint.clone(),
            ticket: self.ticket(number),
            _lock: Arc::clone(&self.lock),
        }
    }
}

/// The hash of a body, in hexadecimal.
fn hash(body: &str) -> String {
    digest(&SHA256, body.as_bytes())
        .as_ref()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}
