//! What clients of PostgreSQL expect of a database beside its tables: the settings of a session, and its catalog. All of
//! it is made from the documents and from what the session created; nothing here calls a provider.

mod blank;
mod catalogs;
mod cells;
mod constants;
mod facts;
pub(crate) mod functions;
mod headings;
mod held;
mod itself;
mod keys;
mod keywords;
pub(crate) mod kinds;
mod operators;
mod others;
mod rewrite;
mod rows;
mod settings;
pub(crate) mod syntax;
mod tables;
mod variables;
mod vectors;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, Weak};

use arrow::datatypes::DataType;
use async_trait::async_trait;
use datafusion::catalog::{SchemaProvider, TableProvider};
use datafusion::common::Result as PlanResult;
use datafusion::sql::sqlparser::ast::{Expr, Statement};
use restable_spec::names::fold;
use restable_sql::Diagnostic;

use crate::acting::Access;
use crate::catalog::OWN_SCHEMA;
use crate::names::KnownTable;
use crate::session::Session;
use crate::shared::Shared;
use crate::zone::zone_name;
use crate::{Error, Result};

pub(crate) use headings::heading as heading_of;
pub use held::{Held, HeldCursor, HeldStatement};
pub use kinds::function_shown;
pub use others::{Other, Others, Stop};
pub(crate) use rewrite::gathered;
use rows::Relation;
pub(crate) use settings::all as all_settings;
pub(crate) use variables::Variable;
pub use variables::{Cipher, Encryption, Postgres, REPORTED};

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

/// What names are to know of a table of `pg_catalog`; `None` if there is none of this name.
pub(crate) fn known(full: [String; 3]) -> Option<KnownTable> {
    let layout = tables::find(&full[2])?;
    let columns = tables::columns(layout);
    Some(KnownTable {
        full,
        visible: columns.map(|(name, _)| fold(name)).collect(),
        hidden: tables::SYSTEM.iter().map(|(name, _)| fold(name)).collect(),
        displays: tables::columns(layout)
            .map(|(name, _)| (fold(name), name.to_owned()))
            .collect(),
    })
}

/// The type of a column of the catalog that an expression names, if it is a number of a kind.
pub(crate) fn column_type(expr: &Expr) -> Option<DataType> {
    let name = match expr {
        Expr::Identifier(name) => name,
        Expr::CompoundIdentifier(parts) => parts.last()?,
        _ => return None,
    };
    match tables::type_of(&name.value.to_ascii_lowercase())? {
        "oid" | tables::REGPROC => Some(DataType::UInt32),
        "int2" => Some(DataType::Int16),
        "int4" => Some(DataType::Int32),
        "int8" => Some(DataType::Int64),
        _ => None,
    }
}

/// Who a client of PostgreSQL is, for the rows of the catalog that speak of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Client {
    /// The name that it gave.
    pub user: String,
    /// The database that it connected to.
    pub database: String,
    /// The number of its connection.
    pub process: i32,
    /// How its connection is encrypted.
    pub encryption: Encryption,
    /// The connections of the same user.
    pub others: Option<Arc<Others>>,
}

/// A setting that a statement gives a value by `set_config`.
#[derive(Debug, Clone)]
pub(crate) struct Choice {
    /// Its name.
    pub key: &'static str,
    /// Its value.
    pub variable: Variable,
    /// Whether it is for the transaction only.
    pub local: bool,
}

/// What giving a setting a value comes to, and how the value is shown.
type Chosen<'a> = dyn Fn(&str, &str) -> Result<(Variable, String)> + Sync + 'a;

impl Session {
    /// Puts what a client of PostgreSQL says about its catalog into words that the planner knows; answers what it sets.
    pub(crate) async fn rewrite_postgres(&self, statement: &mut Statement) -> Result<Vec<Choice>> {
        let choose = |name: &str, value: &str| self.chosen(name, value);
        rewritten(self.shared(), statement, &choose).await
    }
}

/// The same for the text of a view, which sets nothing.
pub(crate) async fn rewrite_view(shared: &Shared, statement: &mut Statement) -> Result<()> {
    let choose = |_: &str, _: &str| -> Result<(Variable, String)> {
        Err(Diagnostic::new("R0308", "`set_config` in a view is not supported").into())
    };
    let shared = shared.this.upgrade();
    let shared = shared.ok_or_else(|| Error::internal("the session is gone"))?;
    rewritten(&shared, statement, &choose).await.map(drop)
}

async fn rewritten(
    shared: &Arc<Shared>,
    statement: &mut Statement,
    choose: &Chosen<'_>,
) -> Result<Vec<Choice>> {
    let Some(postgres) = shared.postgres() else {
        if itself::concerns(&statement.to_string()) {
            of_itself(shared, statement, choose)?;
        }
        return Ok(Vec::new());
    };
    headings::give(statement);
    if !rewrite::concerns(&statement.to_string()) {
        return Ok(Vec::new());
    }
    let relations = rows::relations(shared).await?;
    let path = shared.search_path();
    let choices = {
        let setting = |name: &str| {
            shared
                .postgres_value(&postgres, name)
                .map(|(_, value)| value)
        };
        let facts = facts::Facts {
            setting: &setting,
            choose,
            user: &postgres.user,
            database: &postgres.database,
            process: postgres.process,
            path: &path,
            relations: &relations,
            writes: shared.access() == Access::Write,
            started: shared.started,
        };
        rewrite::rewrite(statement, &facts)?
    };
    constants::evaluate(shared, statement).await;
    Ok(choices)
}

/// The same for a client that does not come over Postgres wire, as far as it asks for the session itself.
fn of_itself(shared: &Arc<Shared>, statement: &mut Statement, choose: &Chosen<'_>) -> Result<()> {
    const NOBODY: &str = "restable";
    let user = shared.client_name().unwrap_or_else(|| NOBODY.to_owned());
    let database = rows::provider(shared).map(|provider| provider.name.clone());
    let database = database.unwrap_or_else(|| NOBODY.to_owned());
    let config = shared.ground.config();
    let zone = zone_name(config.options());
    let postgres = Postgres::new(&user, &database, shared.access(), [("TimeZone", zone)])?;
    let mut path = shared.search_path();
    if path.is_empty() {
        // What is not found elsewhere is the session's own.
        path.extend(shared.directory().current.service);
        path.push(OWN_SCHEMA.to_owned());
    }
    let setting = |name: &str| {
        shared
            .postgres_value(&postgres, name)
            .map(|(_, value)| value)
    };
    let facts = facts::Facts {
        setting: &setting,
        choose,
        user: &user,
        database: &database,
        process: 0,
        path: &path,
        relations: &[],
        writes: shared.access() == Access::Write,
        started: shared.started,
    };
    itself::answer(statement, &facts)
}
