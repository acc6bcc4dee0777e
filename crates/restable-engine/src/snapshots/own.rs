//! The schema `public`: what the session created, then what is kept in the data directory. A snapshot at a time, or with all
//! its refreshes, is a table of a name of its own (`past.rs`), which no listing shows.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard};

use async_trait::async_trait;
use datafusion::catalog::{SchemaProvider, TableProvider};
use datafusion::common::{Result as PlanResult, exec_err};
use datafusion::logical_expr::TableType;
use restable_sql::Diagnostic;

use super::past;
use super::store::Store;
use super::table::SnapshotTable;
use crate::statement::lock;

type Tables = BTreeMap<String, Arc<dyn TableProvider>>;

/// The schema `public` of a session.
#[derive(Debug)]
pub struct OwnSchema {
    session: RwLock<Tables>,
    writing: Mutex<()>,
    store: Option<Arc<Store>>,
}

impl OwnSchema {
    /// An empty schema over what is kept.
    pub fn new(store: Option<Arc<Store>>) -> OwnSchema {
        OwnSchema {
            session: RwLock::default(),
            writing: Mutex::default(),
            store,
        }
    }

    fn created(&self) -> RwLockReadGuard<'_, Tables> {
        self.session.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// The names of what the session created.
    pub fn session_names(&self) -> Vec<String> {
        self.created().keys().cloned().collect()
    }

    /// Whether the session created something of this name.
    pub fn is_of_session(&self, name: &str) -> bool {
        self.created().contains_key(name)
    }

    /// Whether the session created a view.
    pub fn has_views(&self) -> bool {
        let created = self.created();
        let mut created = created.values();
        created.any(|table| table.table_type() == TableType::View)
    }

    /// What the session created under this name.
    pub fn of_session(&self, name: &str) -> Option<Arc<dyn TableProvider>> {
        self.created().get(name).cloned()
    }

    /// Puts something of the session in the place of what it has under this name, or nothing.
    pub fn put(&self, name: &str, table: Option<Arc<dyn TableProvider>>) -> crate::Result<()> {
        let _one_at_a_time = lock(&self.writing);
        self.replace(name, table)
    }

    fn replace(&self, name: &str, table: Option<Arc<dyn TableProvider>>) -> crate::Result<()> {
        let session = self.session.write();
        let mut session = session.unwrap_or_else(PoisonError::into_inner);
        match table {
            Some(table) => session.insert(name.to_owned(), table),
            None => session.remove(name),
        };
        Ok(())
    }

    /// Puts rows behind those of a table of the session.
    pub fn append(
        &self,
        name: &str,
        longer: impl FnOnce(&dyn TableProvider) -> crate::Result<Arc<dyn TableProvider>>,
    ) -> crate::Result<()> {
        let _one_at_a_time = lock(&self.writing);
        let Some(table) = self.of_session(name) else {
            let told = format!("`{name}` was dropped meanwhile");
            return Err(Diagnostic::new("R0202", told).into());
        };
        let longer = longer(table.as_ref())?;
        self.replace(name, Some(longer))
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
        let mut names = self.session_names();
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
        let created = self.created().get(name).cloned();
        if created.is_some() {
            return Ok(created);
        }
        Ok(self.snapshot(name)?.map(|table| Arc::new(table) as _))
    }

    fn register_table(
        &self,
        name: String,
        table: Arc<dyn TableProvider>,
    ) -> PlanResult<Option<Arc<dyn TableProvider>>> {
        let session = self.session.write();
        let mut session = session.unwrap_or_else(PoisonError::into_inner);
        if session.contains_key(&name) {
            return exec_err!("The table {name} already exists");
        }
        Ok(session.insert(name, table))
    }

    fn deregister_table(&self, name: &str) -> PlanResult<Option<Arc<dyn TableProvider>>> {
        let session = self.session.write();
        let mut session = session.unwrap_or_else(PoisonError::into_inner);
        Ok(session.remove(name))
    }

    fn table_exist(&self, name: &str) -> bool {
        let (base, _) = past::split(name);
        self.is_of_session(name) || self.store.as_ref().is_some_and(|store| store.exists(base))
    }
}
