//! The schema `public`: what the session created, then what is kept in the data directory. A snapshot at a time, or with all
//! its refreshes, is a table of a name of its own (`past.rs`), which no listing shows.

use std::sync::Arc;

use async_trait::async_trait;
use datafusion::catalog::{MemorySchemaProvider, SchemaProvider, TableProvider};
use datafusion::common::Result as PlanResult;

use super::past;
use super::store::Store;
use super::table::SnapshotTable;

/// The schema `public` of a session.
#[derive(Debug)]
pub struct OwnSchema {
    session: MemorySchemaProvider,
    store: Option<Arc<Store>>,
}

impl OwnSchema {
    /// An empty schema over what is kept.
    pub fn new(store: Option<Arc<Store>>) -> OwnSchema {
        OwnSchema {
            session: MemorySchemaProvider::new(),
            store,
        }
    }

    /// The names of what the session created.
    pub fn session_names(&self) -> Vec<String> {
        self.session.table_names()
    }

    /// Whether the session created something of this name.
    pub fn is_of_session(&self, name: &str) -> bool {
        self.session.table_exist(name)
    }

    /// What is kept.
    pub fn store(&self) -> Option<&Arc<Store>> {
        self.store.as_ref()
    }

    /// A snapshot as a table; one of the session's is none.
    pub fn snapshot(&self, name: &str) -> crate::Result<Option<SnapshotTable>> {
        let (base, shown) = past::split(name);
        let Some(store) = self.store.as_ref().filter(|_| !self.is_of_session(base)) else {
            return Ok(None);
        };
        match store.load(base)? {
            Some(manifest) => SnapshotTable::open(store, manifest, &shown),
            None => Ok(None),
        }
    }
}

#[async_trait]
impl SchemaProvider for OwnSchema {
    fn table_names(&self) -> Vec<String> {
        let mut names = self.session.table_names();
        // A directory that cannot be read is told by whoever reads a snapshot; what lists names goes on.
        let kept = self
            .store
            .iter()
            .flat_map(|store| store.names().unwrap_or_default());
        let kept: Vec<String> = kept.filter(|name| !self.is_of_session(name)).collect();
        names.extend(kept);
        names
    }

    async fn table(&self, name: &str) -> PlanResult<Option<Arc<dyn TableProvider>>> {
        if let Some(table) = self.session.table(name).await? {
            return Ok(Some(table));
        }
        Ok(self.snapshot(name)?.map(|table| Arc::new(table) as _))
    }

    fn register_table(
        &self,
        name: String,
        table: Arc<dyn TableProvider>,
    ) -> PlanResult<Option<Arc<dyn TableProvider>>> {
        self.session.register_table(name, table)
    }

    fn deregister_table(&self, name: &str) -> PlanResult<Option<Arc<dyn TableProvider>>> {
        self.session.deregister_table(name)
    }

    fn table_exist(&self, name: &str) -> bool {
        let (base, _) = past::split(name);
        self.session.table_exist(name)
            || self.store.as_ref().is_some_and(|store| store.exists(base))
    }
}
