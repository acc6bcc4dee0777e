//! The journal of actions: nothing is sent that it did not see. It makes the [`Permit`] that [`crate::Client::act`] asks for, and makes it
//! only of an intent that is durable; the handle of an operation and the outcome follow. It decides nothing and sends nothing.
//!
//! An entry is bound to provider, endpoint, cloud, tenant and principal, and is refused under any other. A [`Run`], the entries of one
//! statement, holds a lock of the operating system: no second process goes on with a statement that is running.

mod desk;
mod entry;
mod place;
mod run;
mod store;

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use url::Url;

use crate::clock::{Clock, TokioClock};
use crate::error::JournalError;
use crate::operation::Handle;
use crate::redact::is_secret_name;
use desk::Desk;
use place::{Lock, Locks};

pub use entry::{Entry, Filter, Settlement, State};
pub use run::{Intent, JournaledBody, Permit, Run, Supplement};

/// The journal. A clone is the same one.
#[derive(Clone)]
pub struct Journal {
    shared: Arc<Shared>,
}

struct Shared {
    desk: Desk,
    clock: Arc<dyn Clock>,
    locks: Locks,
}

impl fmt::Debug for Journal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Journal")
            .field("locks", &self.shared.locks)
            .finish_non_exhaustive()
    }
}

/// Under which identity a call is made. An entry is used under its own only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binding {
    /// The provider.
    pub provider: String,
    /// The origin that calls go to.
    pub endpoint: String,
    /// The cloud, if the provider has clouds.
    pub cloud: Option<String>,
    /// The tenant of the credential, as far as it is known.
    pub tenant: Option<String>,
    /// Who acts, as far as it is known.
    pub principal: Option<String>,
}

impl Binding {
    /// The origin of a URL as it stands in [`Binding::endpoint`].
    pub fn endpoint_of(url: &Url) -> String {
        url.origin().ascii_serialization()
    }

    fn differs(&self, present: &Binding) -> Option<JournalError> {
        let shown = |text: &Option<String>| text.clone().unwrap_or_else(|| "none".to_owned());
        [
            ("provider", self.provider.clone(), present.provider.clone()),
            ("endpoint", self.endpoint.clone(), present.endpoint.clone()),
            ("cloud", shown(&self.cloud), shown(&present.cloud)),
            ("tenant", shown(&self.tenant), shown(&present.tenant)),
            (
                "principal",
                shown(&self.principal),
                shown(&present.principal),
            ),
        ]
        .into_iter()
        .find(|(_, recorded, present)| recorded != present)
        .map(|(field, recorded, present)| JournalError::Bound {
            field,
            recorded,
            present,
        })
    }
}

/// The place of an entry.
#[derive(Debug, Clone)]
pub(crate) struct Ticket {
    pub journal: Journal,
    pub number: i64,
}

impl Ticket {
    /// Makes durable that the call is on its way. Only an entry that is intended can be.
    pub(crate) async fn sending(&self) -> Result<(), JournalError> {
        let (number, now) = (self.number, self.journal.now());
        self.journal
            .shared
            .desk
            .run(move |connection| store::sending(connection, number, now))
            .await
    }

    pub(crate) async fn settle(
        &self,
        settlement: Settlement,
        handle: Option<&Handle>,
    ) -> Result<(), JournalError> {
        let (number, now) = (self.number, self.journal.now());
        let handle = handle.map(|handle| (handle.to_text(), handle.operation_id.clone()));
        self.journal
            .shared
            .desk
            .run(move |connection| store::settle(connection, number, &settlement, handle, now))
            .await
    }
}

/// An operation that runs, and its entry. Only an accepted call, or the journal, makes it.
#[derive(Debug, Clone)]
pub struct Started {
    pub(crate) handle: Box<Handle>,
    pub(crate) ticket: Ticket,
}

impl Started {
    /// What the operation is followed by.
    pub fn handle(&self) -> &Handle {
        &self.handle
    }

    /// The entry's number.
    pub fn number(&self) -> i64 {
        self.ticket.number
    }
}

impl Journal {
    /// Opens the journal in this file, and makes it and its directory if they are not there.
    ///
    /// # Errors
    /// The file or its directory belongs to somebody else, may be written by others or is a symbolic link, is no journal or that of
    /// a later program, or cannot be written.
    pub fn open(path: &Path) -> Result<Self, JournalError> {
        Self::open_with(path, Arc::new(TokioClock))
    }

    /// The same, by another clock.
    ///
    /// # Errors
    /// As of [`Journal::open`].
    pub fn open_with(path: &Path, clock: Arc<dyn Clock>) -> Result<Self, JournalError> {
        let path = place::prepare(path)?;
        let connection = store::open_file(&path)?;
        Ok(Self::over(
            Desk::thread(connection)?,
            clock,
            Locks::beside(path),
        ))
    }

    /// A journal that ends with the process: for the emulator, and for tests.
    ///
    /// # Errors
    /// There is no memory for it.
    pub fn in_memory(clock: Arc<dyn Clock>) -> Result<Self, JournalError> {
        Ok(Self::over(
            Desk::inline(store::open_memory()?),
            clock,
            Locks::in_memory(),
        ))
    }

    fn over(desk: Desk, clock: Arc<dyn Clock>, locks: Locks) -> Self {
        Self {
            shared: Arc::new(Shared { desk, clock, locks }),
        }
    }

    /// Begins a statement.
    ///
    /// # Errors
    /// Its lock cannot be taken.
    pub async fn begin(&self, binding: Binding) -> Result<Run, JournalError> {
        let statement = uuid::Uuid::new_v4().to_string();
        let lock = self.lock(statement.clone()).await?;
        Ok(Run::over(self.clone(), statement, binding, lock))
    }

    /// Takes up a statement whose process has ended. Calls that were on their way then are [`State::Unknown`] now.
    ///
    /// # Errors
    /// The statement is running, has no entry, or was made under another identity.
    pub async fn resume(&self, statement: &str, binding: Binding) -> Result<Run, JournalError> {
        let entries = self.entries(Filter::statement(statement)).await?;
        if entries.is_empty() {
            return Err(JournalError::Absent {
                reference: statement.to_owned(),
            });
        }
        if let Some(error) = entries
            .iter()
            .find_map(|entry| entry.binding.differs(&binding))
        {
            return Err(error);
        }
        let lock = self.lock(statement.to_owned()).await?;
        let (owned, now) = (statement.to_owned(), self.now());
        self.shared
            .desk
            .run(move |connection| store::abandon(connection, &owned, now))
            .await?;
        Ok(Run::over(self.clone(), statement.to_owned(), binding, lock))
    }

    async fn lock(&self, statement: String) -> Result<Arc<Lock>, JournalError> {
        self.shared.locks.take(&statement).map(Arc::new)
    }

    /// Whether a process goes on with this statement now.
    pub fn is_running(&self, statement: &str) -> bool {
        matches!(
            self.shared.locks.take(statement),
            Err(JournalError::Running { .. })
        )
    }

    /// The entries that the filter lets through, by number.
    ///
    /// # Errors
    /// The journal cannot be read.
    pub async fn entries(&self, filter: Filter) -> Result<Vec<Entry>, JournalError> {
        self.shared
            .desk
            .run(move |connection| store::select(connection, &filter))
            .await
    }

    /// The entry with this number or this operation id.
    ///
    /// # Errors
    /// There is none, or the journal cannot be read.
    pub async fn find(&self, reference: &str) -> Result<Entry, JournalError> {
        let filter = match reference.parse::<i64>() {
            Ok(number) => Filter::number(number),
            Err(_) => Filter::operation(reference),
        };
        // An operation id that comes twice is that of the later call.
        let entry = self.entries(filter).await?.pop();
        entry.ok_or_else(|| JournalError::Absent {
            reference: reference.to_owned(),
        })
    }

    /// The operation of an accepted entry, to be followed.
    ///
    /// # Errors
    /// There is no such entry, it was made under another identity, or it has no operation that could be followed.
    pub async fn started(&self, number: i64, binding: &Binding) -> Result<Started, JournalError> {
        let entry = self.find(&number.to_string()).await?;
        if let Some(error) = entry.binding.differs(binding) {
            return Err(error);
        }
        let state = |wanted| JournalError::State {
            number,
            state: entry.state.as_str(),
            wanted,
        };
        if entry.state != State::Accepted {
            return Err(state("`Accepted`"));
        }
        let handle = entry
            .handle()
            .map_err(|error| JournalError::Handle {
                number,
                reason: error.to_string(),
            })?
            .ok_or_else(|| state("`Accepted` with an operation"))?;
        let origin = Url::parse(&handle.url).map(|url| Binding::endpoint_of(&url));
        if origin.as_ref() != Ok(&binding.endpoint) {
            return Err(JournalError::Bound {
                field: "endpoint",
                recorded: origin.unwrap_or_else(|_| "no URL".to_owned()),
                present: binding.endpoint.clone(),
            });
        }
        Ok(Started {
            handle: Box::new(handle),
            ticket: Ticket {
                journal: self.clone(),
                number,
            },
        })
    }

    /// Milliseconds since 1970.
    fn now(&self) -> i64 {
        entry::millis(self.shared.clock.wall())
    }
}

/// Whether the value under this name of a query or header stays out of the journal.
fn is_withheld(name: &str) -> bool {
    let folded = name.to_ascii_lowercase();
    is_secret_name(&folded)
        || ["authorization", "key", "token", "cookie"]
            .iter()
            .any(|part| folded.contains(part))
}

#[cfg(test)]
mod tests;
