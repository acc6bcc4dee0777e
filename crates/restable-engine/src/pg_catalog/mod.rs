//! What clients of PostgreSQL expect of a database beside its tables: the settings of a session, and its catalog. All of
//! it is made from the documents and from what the session created; nothing here calls a provider.

pub(crate) mod kinds;
mod rewrite;
mod rows;
mod tables;
mod variables;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, Weak};

use async_trait::async_trait;
use datafusion::catalog::{SchemaProvider, TableProvider};
use datafusion::common::Result as PlanResult;
use datafusion::sql::sqlparser::ast::Statement;

use crate::Result;
use crate::session::Session;
use crate::shared::Shared;

use rows::Relation;
pub(crate) use variables::Variable;
pub use variables::{Postgres, REPORTED};

/// The tables of providers, once they are known: their documents do not change while the engine lives.
pub(crate) type Relations = Mutex<HashMap<String, Arc<Vec<Relation>>>>;

/// The schema `pg_catalog`.
#[derive(Debug)]
pub(crate) struct PgCatalog {
    shared: Weak<Shared>,
}

impl PgCatalog {
    /// The schema over a session's documents.
    pub(crate) fn new(shared: Weak<Shared>) -> PgCatalog {
        PgCatalog { shared }
    }
}

#[async_trait]
impl SchemaProvider for PgCatalog {
    fn table_names(&self) -> Vec<String> {
        let all = tables::FILLED.iter().chain(tables::EMPTY);
        all.map(|layout| layout.name.to_owned()).collect()
    }

    async fn table(&self, name: &str) -> PlanResult<Option<Arc<dyn TableProvider>>> {
        match (self.shared.upgrade(), tables::find(name)) {
            (Some(shared), Some(layout)) => Ok(Some(rows::table(&shared, layout).await?)),
            _ => Ok(None),
        }
    }

    fn table_exist(&self, name: &str) -> bool {
        tables::find(name).is_some()
    }
}

/// Whether `pg_catalog` has a table of this name.
pub(crate) fn has(name: &str) -> bool {
    tables::find(name).is_some()
}

impl Session {
    /// Puts what a client of PostgreSQL says about its catalog into words that the planner knows.
    pub(crate) async fn rewrite_postgres(&self, statement: &mut Statement) -> Result<()> {
        let Some(postgres) = self.postgres() else {
            return Ok(());
        };
        if !rewrite::concerns(&statement.to_string()) {
            return Ok(());
        }
        let shared = self.shared();
        let relations = rows::relations(shared).await?;
        let path = shared.search_path();
        let setting = |name: &str| self.postgres_value(&postgres, name).map(|(_, value)| value);
        let facts = rewrite::Facts {
            setting: &setting,
            user: &postgres.user,
            database: &postgres.database,
            path: &path,
            relations: &relations,
        };
        rewrite::rewrite(statement, &facts)
    }
}
