//! Owns the emulated world: subscriptions, resources, running operations, and what is going to happen to them. One
//! lock guards it; whatever is due happens before a request is looked at.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use bytes::Bytes;
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;

use crate::clock::{self, Clock};
use crate::effects::Effect;
use crate::error::Error;
use crate::estate;
use crate::faults::Faults;
use crate::ids::{Ids, fingerprint, mix};
use crate::journal::LedgerEntry;
use crate::long_running::LongOperation;
use crate::options::Options;
use crate::request::Call;
use crate::store::{Items, Key, Kind, Store};
use crate::subscriptions::Subscriptions;
use crate::throttle::Buckets;

/// Everything behind the door.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) options: Arc<Options>,
    pub(crate) clock: Clock,
    pub(crate) ids: Ids,
    pub(crate) tenant: String,
    /// The object id of the only principal.
    pub(crate) principal: String,
    pub(crate) subscriptions: Subscriptions,
    pub(crate) store: Store,
    pub(crate) operations: HashMap<String, LongOperation>,
    pub(crate) ledger: Vec<LedgerEntry>,
    pub(crate) buckets: Buckets,
    pub(crate) faults: Faults,
    pub(crate) tokens: Tokens,
    pub(crate) failures: Failures,
    agenda: BTreeMap<(DateTime<Utc>, u64), Effect>,
    sequence: u64,
}

/// Failures that faults ordered for what a request starts.
#[derive(Debug, Default)]
pub(crate) struct Failures {
    pub(crate) operation: Option<(String, String)>,
    pub(crate) job: Option<(String, String)>,
}

/// Which bearer tokens were seen, and which of them have expired. Only fingerprints are kept.
#[derive(Debug, Default)]
pub(crate) struct Tokens {
    seen: HashSet<u64>,
    expired: HashSet<u64>,
}

impl Tokens {
    /// Notes a token; says whether it has expired.
    pub(crate) fn expired(&mut self, token: &str) -> bool {
        let token = fingerprint(token);
        if self.expired.contains(&token) {
            return true;
        }
        self.seen.insert(token);
        false
    }

    pub(crate) fn expire(&mut self) {
        self.expired.extend(self.seen.drain());
    }
}

/// An answer before its common headers.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(Cow<'static, str>, String)>,
    pub(crate) body: Body,
}

/// The body of an answer.
#[derive(Debug)]
pub(crate) enum Body {
    Empty,
    Json(Value),
    /// Another content type.
    Text(&'static str, Bytes),
    /// A page of a list, written outside the lock; the last field is the link to the next page, `Some(None)` if it is
    /// to be an explicit null.
    Page(Items, Option<Option<String>>),
}

impl Answer {
    pub(crate) fn json(status: u16, body: Value) -> Answer {
        Answer {
            status,
            headers: Vec::new(),
            body: Body::Json(body),
        }
    }

    pub(crate) fn empty(status: u16) -> Answer {
        Answer {
            status,
            headers: Vec::new(),
            body: Body::Empty,
        }
    }

    pub(crate) fn with(mut self, name: &'static str, value: String) -> Answer {
        self.headers.push((Cow::Borrowed(name), value));
        self
    }
}

impl World {
    pub(crate) fn new(options: Arc<Options>) -> Result<World, Error> {
        let clock = Clock::new(options.clock, options.start_time);
        let mut ids = Ids::new(options.seed);
        let contents = estate::contents(&options, clock.origin(), &mut ids)?;
        Ok(World {
            tenant: contents.tenant,
            principal: ids.guid(),
            subscriptions: contents.subscriptions,
            store: contents.store,
            operations: HashMap::new(),
            ledger: Vec::new(),
            buckets: Buckets::new(options.throttle),
            faults: Faults::default(),
            tokens: Tokens::default(),
            failures: Failures::default(),
            agenda: BTreeMap::new(),
            sequence: 0,
            clock,
            ids,
            options,
        })
    }

    /// Lets `effect` happen after `delay`; at once if there is none.
    pub(crate) fn plan(&mut self, delay: TimeDelta, effect: Effect) {
        if delay <= TimeDelta::zero() {
            self.apply(effect);
            return;
        }
        self.sequence += 1;
        self.agenda
            .insert((self.clock.now() + delay, self.sequence), effect);
    }

    /// Lets everything happen that is due.
    pub(crate) fn settle(&mut self) {
        let now = self.clock.now();
        while let Some(entry) = self.agenda.first_entry() {
            if entry.key().0 > now {
                return;
            }
            let effect = entry.remove();
            self.apply(effect);
        }
    }

    /// A client was told about a resource in transition: a fast clock goes to the end of that transition.
    pub(crate) fn asked_about(&mut self, key: &Key) {
        if !self.clock.is_fast() {
            return;
        }
        let then = self
            .agenda
            .iter()
            .find(|(_, effect)| effect.key() == key)
            .map(|((then, _), _)| *then);
        if let Some(then) = then {
            self.clock.asked_about(then);
        }
    }

    pub(crate) fn pending(&self) -> usize {
        self.agenda.len()
    }

    /// How long an operation takes that took `seconds` on Azure.
    pub(crate) fn operation_time(&self, seconds: u32) -> TimeDelta {
        if self.options.realistic {
            TimeDelta::seconds(i64::from(seconds))
        } else {
            clock::delta(self.options.operation_time)
        }
    }

    pub(crate) fn job_time(&self) -> TimeDelta {
        if self.options.realistic {
            TimeDelta::seconds(185)
        } else {
            clock::delta(self.options.job_time)
        }
    }

    /// What `Retry-After` says.
    pub(crate) fn retry_after(&self) -> String {
        if self.options.realistic {
            return "30".to_owned();
        }
        if self.clock.is_fast() {
            return "0".to_owned();
        }
        let time = self.options.operation_time;
        (time.as_secs() + u64::from(time.subsec_nanos() > 0)).to_string()
    }

    /// Notes a side effect.
    pub(crate) fn note(&mut self, call: &Call, target: &str) {
        let entry = LedgerEntry {
            n: self.ledger.len() as u64 + 1,
            time: clock::instant(self.clock.now()),
            operation: call.operation.id.to_owned(),
            target: target.to_owned(),
            body: call.json(),
            client_request_id: call.client_request_id().map(str::to_owned),
        };
        self.ledger.push(entry);
    }

    /// The activity id of what a request starts: the caller's request id, if the service is to keep it.
    pub(crate) fn activity(&mut self, call: &Call) -> String {
        match call.client_request_id() {
            Some(id) if self.options.keep_request_id => id.to_owned(),
            _ => self.ids.guid(),
        }
    }

    /// The region that answers: of the location in the path, or of the vault.
    pub(crate) fn region(&self, call: &Call) -> String {
        if call.has("location") {
            return call.parameter("location").to_owned();
        }
        let vault = call
            .has("vaultName")
            .then(|| self.store.read(&call.key(Kind::Vault)))
            .flatten();
        let region = vault.as_ref().and_then(|vault| vault["location"].as_str());
        region.unwrap_or("westeurope").to_owned()
    }

    /// The first GUID of the operation ids of a vault, which is constant.
    pub(crate) fn stamp(&self, vault: &str) -> String {
        let hash = fingerprint(vault);
        crate::ids::guid_with_tail(
            mix(self.options.seed, 103, hash),
            mix(self.options.seed, 104, hash),
        )
    }
}
