//! The engine: what all sessions of a process share, for as long as it lives. Documents, a client a provider, and the journal of actions,
//! which is opened when it is first needed.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};
use std::time::{SystemTime, UNIX_EPOCH};

use datafusion::execution::session_state::SessionState;
use restable_http::{Client, Counters, Journal, TokioClock};
use restable_spec::Registry;
use tokio::sync::OnceCell;

use crate::acting::JournalPlace;
use crate::audit::AuditLog;
use crate::cache::Cache;
use crate::door::Door;
use crate::ground;
use crate::memory::{Memory, MemoryPlace};
use crate::pg_catalog::Relations;
use crate::session::Session;
use crate::settings::Settings;
use crate::snapshots::{DataPlace, Store};
use crate::{Error, Result};

/// What all sessions of a process share: the documents and one client a provider.
#[derive(Debug, Clone)]
pub struct Engine {
    pub(crate) registry: Arc<Registry>,
    pub(crate) clients: Arc<HashMap<String, Client>>,
    pub(crate) relations: Arc<Relations>,
    started: SystemTime,
    counters: Arc<Counters>,
    audit: Option<AuditLog>,
    pub(crate) snapshots: Option<Arc<Store>>,
    actions: Arc<Actions>,
    pub(crate) memory: Arc<Memory>,
    pub(crate) cache: Arc<Cache>,
    /// What all sessions plan with.
    common: Arc<OnceLock<Arc<SessionState>>>,
}

/// How actions are journaled.
#[derive(Debug, Default)]
struct Actions {
    place: JournalPlace,
    journal: OnceCell<Journal>,
    /// The name of the cloud that a provider is called in.
    clouds: HashMap<String, String>,
}

impl Engine {
    /// An engine over documents, with a client for each provider that may be called.
    pub fn new(registry: Registry, clients: HashMap<String, Client>) -> Engine {
        Engine {
            registry: Arc::new(registry),
            clients: Arc::new(clients),
            actions: Arc::default(),
            relations: Arc::default(),
            memory: Arc::default(),
            cache: Arc::default(),
            started: SystemTime::now(),
            counters: Arc::default(),
            audit: None,
            snapshots: None,
            common: Arc::default(),
        }
    }

    /// The same, with a directory in which snapshots are kept. Without this there are none, and tables that are created stay
    /// in the session.
    #[must_use]
    pub fn with_data(self, place: DataPlace) -> Engine {
        Engine {
            snapshots: Some(Arc::new(Store::new(place))),
            ..self
        }
    }

    /// The same, with a place for the journal of actions and the cloud that each provider is called in, by name. Without this actions
    /// are journaled in memory.
    #[must_use]
    pub fn with_journal(self, place: JournalPlace, clouds: HashMap<String, String>) -> Engine {
        let actions = Actions {
            place,
            journal: OnceCell::new(),
            clouds,
        };
        Engine {
            actions: Arc::new(actions),
            ..self
        }
    }

    /// The same, with a place for the memory of walks. Without this it ends with the process.
    #[must_use]
    pub fn with_memory(self, place: MemoryPlace) -> Engine {
        Engine {
            memory: Arc::new(Memory::new(place)),
            ..self
        }
    }

    /// What all sessions plan with; made when the first one begins.
    pub(crate) fn common(&self) -> Result<Arc<SessionState>> {
        if let Some(common) = self.common.get() {
            return Ok(Arc::clone(common));
        }
        let made = Arc::new(ground::common(&self.registry)?);
        Ok(Arc::clone(self.common.get_or_init(|| made)))
    }

    /// The journal of actions; it is opened, and made if need be, when it is first asked for.
    pub(crate) async fn journal(&self) -> Result<Journal> {
        let open = || async {
            Ok::<Journal, Error>(match &self.actions.place {
                JournalPlace::Memory => Journal::in_memory(Arc::new(TokioClock))?,
                JournalPlace::File(path) => Journal::open(path)?,
            })
        };
        self.actions.journal.get_or_try_init(open).await.cloned()
    }

    /// The journal of actions, if there is one: looking at it makes none.
    pub(crate) async fn existing_journal(&self) -> Result<Option<Journal>> {
        let exists = match &self.actions.place {
            JournalPlace::Memory => self.actions.journal.initialized(),
            JournalPlace::File(path) => path.exists(),
        };
        match exists {
            true => self.journal().await.map(Some),
            false => Ok(None),
        }
    }

    /// The same, with a log of every statement that changes something.
    #[must_use]
    pub fn with_audit(self, audit: AuditLog) -> Engine {
        Engine {
            audit: Some(audit),
            ..self
        }
    }

    pub(crate) fn audit(&self) -> Option<&AuditLog> {
        self.audit.as_ref()
    }

    /// What the process did until now.
    pub fn counters(&self) -> &Arc<Counters> {
        &self.counters
    }

    /// When the engine was made, in seconds since 1970.
    pub(crate) fn started(&self) -> u64 {
        let since = self.started.duration_since(UNIX_EPOCH);
        since.unwrap_or_default().as_secs()
    }

    pub(crate) fn client(&self, provider: &str) -> Option<Client> {
        self.clients.get(provider).cloned()
    }

    pub(crate) fn cloud(&self, provider: &str) -> Option<&String> {
        self.actions.clouds.get(provider)
    }

    /// The documents.
    pub fn registry(&self) -> &Arc<Registry> {
        &self.registry
    }

    /// A session with these settings.
    pub fn session(&self, settings: Settings) -> Result<Session> {
        Session::new(self.clone(), Arc::new(settings), Door::default())
    }

    /// A session of a client that came through a door of its own.
    pub fn session_of(&self, settings: impl Into<Arc<Settings>>, door: Door) -> Result<Session> {
        Session::new(self.clone(), settings.into(), door)
    }
}
