//! What the catalogs of a session share with it: documents, `USE`, tables made so far, and how a written name is found.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError, RwLock, Weak};

use datafusion::catalog::{SchemaProvider as _, TableProvider};
use datafusion::common::Column;
use datafusion::common::metadata::FieldMetadata;
use datafusion::logical_expr::{DdlStatement, Expr, LogicalPlan, LogicalPlanBuilder};
use datafusion::sql::sqlparser::ast::{ObjectName, ObjectNamePart, TableVersion};
use futures::FutureExt as _;
use restable_spec::Registry;
use restable_spec::names::fold;
use restable_sql::Diagnostic;

use crate::acting::Access;
use crate::catalog::{self, Current, Directory, OWN_CATALOG, OWN_SCHEMA};
use crate::functions::{NAME_METADATA, SCAN_METADATA};
use crate::ground::Ground;
use crate::names::{KnownTable, Names, Resolver};
use crate::outcome::headed;
use crate::snapshots::{self, OwnSchema};
use crate::{Error, Result};

/// What the catalogs of a session share with it.
#[derive(Debug)]
pub struct Shared {
    pub(crate) registry: Arc<Registry>,
    pub(crate) current: RwLock<Current>,
    pub(crate) tables: Mutex<HashMap<String, Arc<dyn TableProvider>>>,
    pub(crate) own: Arc<OwnSchema>,
    /// The services in which a client of PostgreSQL looks for bare names.
    pub(crate) search: RwLock<Vec<String>>,
    pub(crate) relations: Arc<crate::pg_catalog::Relations>,
    /// Who asks, if it is a client of PostgreSQL.
    pub(crate) client: Option<crate::pg_catalog::Client>,
    /// What it set.
    pub(crate) postgres: Option<Arc<RwLock<Arc<crate::pg_catalog::Postgres>>>>,
    /// Who asks, whichever way he came.
    pub(crate) user: Option<String>,
    /// What the session's door lets it do.
    pub(crate) access: Arc<RwLock<Access>>,
    /// When the program started, in seconds since 1970.
    pub(crate) started: u64,
    /// The settings of the session.
    pub(crate) settings: Arc<RwLock<Arc<crate::Settings>>>,
    /// What PREPARE gave a name.
    pub(crate) queries: crate::prepared::Queries,
    /// What its connection holds.
    pub(crate) held: Mutex<crate::pg_catalog::Held>,
    pub(crate) ground: Ground,
    pub(crate) this: Weak<Shared>,
}

impl Shared {
    /// The schemas in which a client of PostgreSQL looks for bare names.
    pub(crate) fn search_path(&self) -> Vec<String> {
        self.search
            .read()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .clone()
    }

    /// Takes a path as SET writes it; PostgreSQL looks into `pg_catalog` in any case.
    pub(crate) fn set_search_path(&self, path: &str) {
        let names = path
            .split(',')
            .map(|name| name.trim().trim_matches(['"', '\'']).to_owned());
        let named = names
            .filter(|name| !matches!(&**name, "" | "$user" | "pg_catalog"))
            .collect();
        *self
            .search
            .write()
            .unwrap_or_else(std::sync::PoisonError::into_inner) = named;
    }

    /// The name that the client of the session gave.
    pub(crate) fn client_name(&self) -> Option<String> {
        let postgres = self.postgres().map(|postgres| postgres.user.clone());
        postgres.or_else(|| self.user.clone())
    }

    /// What the session may do to its providers. A client of PostgreSQL may have said that it only reads.
    pub(crate) fn access(&self) -> Access {
        let door = *self.access.read().unwrap_or_else(PoisonError::into_inner);
        match door {
            Access::Write if self.says_it_only_reads() => Access::ReadOnly,
            access => access,
        }
    }

    /// The settings as they stand.
    pub(crate) fn settings(&self) -> Arc<crate::Settings> {
        Arc::clone(&self.settings.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn directory(&self) -> Directory {
        let current = self
            .current
            .read()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .clone();
        Directory {
            registry: Arc::clone(&self.registry),
            current,
        }
    }
}

impl Resolver for Shared {
    fn at(&self, parts: &[String], version: &TableVersion) -> Result<KnownTable> {
        snapshots::resolve(self, parts, version)
    }

    fn resolve(&self, parts: &[String]) -> Result<Option<KnownTable>> {
        let parts = &*self.in_database(parts);
        let folded: Vec<String> = parts
            .iter()
            .map(|part| restable_spec::names::fold(part))
            .collect();
        let own = |name: &str| {
            [
                OWN_CATALOG.to_owned(),
                OWN_SCHEMA.to_owned(),
                name.to_owned(),
            ]
        };
        let plain = |full: [String; 3]| KnownTable {
            full,
            visible: Vec::new(),
            hidden: Vec::new(),
            displays: HashMap::new(),
        };
        if parts.len() >= 2 && folded[parts.len() - 2] == "informationschema" {
            let name = parts[parts.len() - 1].to_ascii_lowercase();
            let full = [
                OWN_CATALOG.to_owned(),
                "information_schema".to_owned(),
                name.clone(),
            ];
            if crate::information_schema::has(&name) {
                return Ok(Some(plain(full)));
            }
            let known: Vec<String> = crate::information_schema::names()
                .map(|name| format!("information_schema.{name}"))
                .collect();
            return Err(Error::unknown(
                "table",
                &format!("information_schema.{name}"),
                &known,
                "SELECT * FROM information_schema.tables",
            ));
        }
        let is_catalog = match folded.as_slice() {
            [name] => name.starts_with("pg"),
            [.., schema, _] => schema == "pgcatalog",
            [] => false,
        };
        if is_catalog {
            let name = parts[parts.len() - 1].to_ascii_lowercase();
            let full = [OWN_CATALOG.to_owned(), "pg_catalog".to_owned(), name];
            if let Some(known) = crate::pg_catalog::known(full) {
                return Ok(Some(known));
            }
        }
        let is_own = match folded.as_slice() {
            [_] => true,
            [schema, _] => schema == OWN_SCHEMA,
            [catalog, schema, _] => {
                schema == OWN_SCHEMA && (catalog == OWN_CATALOG || self.has_no_public(&parts[0]))
            }
            _ => false,
        };
        if is_own {
            let name = &parts[parts.len() - 1];
            let found = [name.clone(), name.to_ascii_lowercase()]
                .into_iter()
                .find(|name| self.own.table_exist(name));
            // What a session made for itself it means. What anybody kept must not stand before the tables that USE and the search path name.
            let hides = |found: &String| {
                let is_kept = parts.len() == 1 && !self.own.is_of_session(found);
                Ok::<_, Error>(is_kept && self.of_provider(found)?.is_some())
            };
            if let Some(found) = found
                && !hides(&found)?
            {
                return Ok(Some(self.own_table(own(&found))?));
            }
            if parts.len() > 1 {
                return Err(Error::unknown(
                    "table",
                    &parts.join("."),
                    &self.own.table_names(),
                    "SHOW TABLES",
                ));
            }
        }
        let directory = self.directory();
        if parts.len() > 3 {
            return Err(Error::unknown(
                "table",
                &parts.join("."),
                &[],
                "SHOW PROVIDERS",
            ));
        }
        let found = self.searched(parts)?;
        if found.len() != parts.len() {
            return self.resolve(&found);
        }
        if parts.len() == 1 && directory.current.service.is_none() {
            return Err(directory.unknown_bare(&parts[0]));
        }
        if let [first, name] = parts
            && let Some(problem) = directory.no_table(first, name)
        {
            return Err(problem);
        }
        if parts.len() == 2 && directory.current.provider.is_none() {
            return Err(directory.unknown_bare(&parts.join(".")));
        }
        let (_, resource) = directory.resource(parts)?;
        let Some(shared) = self.this.upgrade() else {
            return Err(Error::internal("the session is gone"));
        };
        if resource.view.is_none() && resource.readers().is_empty() {
            return Err(Error::Route {
                message: format!(
                    "`{}` cannot be read: no method of it answers rows",
                    resource.full_name()
                ),
                hint: Some(format!(
                    "`SHOW METHODS IN {}` lists what it can do",
                    resource.full_name()
                )),
            });
        }
        catalog::known(&shared, &resource).map(Some)
    }
}

impl Shared {
    /// The table of a whole name, wherever the session stands.
    pub(crate) fn of_full_name(&self, full: &[String; 3]) -> Result<KnownTable> {
        let [catalog, schema, name] = full;
        let own = catalog == OWN_CATALOG;
        if own && schema == OWN_SCHEMA {
            return match self.own.table_exist(name) {
                true => self.own_table(full.clone()),
                false => Err(Error::unknown("table", name, &[], "SHOW TABLES")),
            };
        }
        let found = match own {
            true => self.resolve(full)?,
            false => {
                let (_, resource) = self.directory().resource(full)?;
                let shared = self.this.upgrade();
                let shared = shared.ok_or_else(|| Error::internal("the session is gone"))?;
                Some(catalog::known(&shared, &resource)?)
            }
        };
        found.ok_or_else(|| Error::unknown("table", name, &[], "SHOW TABLES"))
    }

    /// The catalog in which somebody sees what stands in this one. PostgreSQL's clients look for everything in the database that
    /// they are connected to: there are the services of its provider, and what a session creates.
    pub(crate) fn shown_catalog(&self, catalog: &str) -> String {
        let Some(client) = &self.client else {
            return catalog.to_owned();
        };
        let current = self.directory().current.provider;
        match catalog == OWN_CATALOG || current.as_deref() == Some(catalog) {
            true => client.database.clone(),
            false => catalog.to_owned(),
        }
    }

    /// Whether a name is one of a provider that has no service `public`: what is there then is what stands beside its services.
    fn has_no_public(&self, catalog: &str) -> bool {
        let provider = self.registry.provider(catalog);
        provider.is_some_and(|provider| {
            let mut services = provider.services();
            services.all(|service| fold(&service.name) != OWN_SCHEMA)
        })
    }

    /// A name of the session's own that is written with the database of its client, without it. A provider is a database.
    pub(crate) fn without_database(&self, name: &ObjectName) -> ObjectName {
        let is = |part: &ObjectNamePart, wanted: &str| {
            let ident = part.as_ident();
            ident.is_some_and(|ident| restable_spec::names::same(&ident.value, wanted))
        };
        let is_database = |database: &ObjectNamePart| {
            let client = self.client.as_ref();
            let provider = database.as_ident();
            client.is_some_and(|client| is(database, &client.database))
                || provider.is_some_and(|ident| self.has_no_public(&ident.value))
        };
        match name.0.as_slice() {
            [database, schema, last] if is(schema, OWN_SCHEMA) && is_database(database) => {
                ObjectName(vec![schema.clone(), last.clone()])
            }
            _ => name.clone(),
        }
    }

    /// A name whose catalog is the database of a client, as what it stands for.
    fn in_database(&self, parts: &[String]) -> Vec<String> {
        let is_database = |catalog: &str| {
            let client = self.client.as_ref();
            client.is_some_and(|client| restable_spec::names::same(&client.database, catalog))
        };
        match parts {
            [catalog, schema, name] if is_database(catalog) => {
                let provider = self.directory().current.provider;
                let catalog = match fold(schema) == OWN_SCHEMA {
                    true => OWN_CATALOG.to_owned(),
                    false => provider.unwrap_or_else(|| catalog.clone()),
                };
                vec![catalog, schema.clone(), name.clone()]
            }
            _ => parts.to_vec(),
        }
    }

    /// The whole name of a table that is named alone and stands in the search path; any other name as it is.
    pub(crate) fn searched(&self, parts: &[String]) -> Result<Vec<String>> {
        let parts = &*self.in_database(parts);
        let directory = self.directory();
        if let [name] = parts
            && directory.current.service.is_none()
            && let Some(provider) = &directory.current.provider
        {
            for schema in self.search_path() {
                let provider = directory.provider(Some(provider))?;
                let service = provider.service(&schema)?;
                if service.is_some_and(|service| service.resource(name).is_some()) {
                    return Ok(vec![provider.name.clone(), schema, name.clone()]);
                }
            }
        }
        Ok(parts.to_vec())
    }

    /// The whole name of the provider's table or view that a name alone means where the session stands, if it means one.
    pub(crate) fn of_provider(&self, name: &str) -> Result<Option<String>> {
        let parts = [name.to_owned()];
        let found = self.searched(&parts)?;
        if found.len() > parts.len() {
            return Ok(Some(found.join(".")));
        }
        let directory = self.directory();
        if directory.current.service.is_none() {
            return Ok(None);
        }
        let service = directory.service(&[])?;
        let resource = service.resource(name);
        Ok(resource.map(|resource| resource.full_name()))
    }

    /// What a user made, with the columns that it has.
    pub(crate) fn own_table(&self, full: [String; 3]) -> Result<KnownTable> {
        // A schema in memory answers at once.
        let found = self.own.table(&full[2]).now_or_never();
        let table = found.transpose()?.flatten();
        let hidden = table.as_deref().and_then(snapshots::hidden);
        let schema = table.as_ref().map(|table| table.schema());
        let fields = schema.iter().flat_map(|schema| schema.fields());
        let mut known = KnownTable {
            full,
            visible: Vec::new(),
            hidden: Vec::new(),
            displays: HashMap::new(),
        };
        for field in fields {
            let display = field.metadata().get(NAME_METADATA);
            let display = display.unwrap_or(field.name()).clone();
            known.displays.insert(field.name().clone(), display);
            match hidden == Some(field.name().as_str()) {
                true => known.hidden.push(field.name().clone()),
                false => known.visible.push(field.name().clone()),
            }
        }
        Ok(known)
    }
}

/// What a user creates keeps the names that he gave its columns: they are found in any spelling, like those of a
/// provider's table, and headed as they were given.
pub(crate) fn keep_names(plan: LogicalPlan, names: &Names) -> Result<LogicalPlan> {
    Ok(match plan {
        LogicalPlan::Ddl(DdlStatement::CreateMemoryTable(mut table)) => {
            table.input = Arc::new(at_hand(named(&table.input, names)?)?);
            for (column, _) in &mut table.column_defaults {
                *column = fold(column);
            }
            LogicalPlan::Ddl(DdlStatement::CreateMemoryTable(table))
        }
        LogicalPlan::Ddl(DdlStatement::CreateView(mut view)) => {
            view.input = Arc::new(named(&view.input, names)?);
            LogicalPlan::Ddl(DdlStatement::CreateView(view))
        }
        other => other,
    })
}

/// An error if two columns of what a user creates have one name: the second could not be asked for.
pub(crate) fn unique_columns(plan: &LogicalPlan) -> Result<()> {
    let columns = match plan {
        LogicalPlan::Ddl(DdlStatement::CreateMemoryTable(table)) => table.input.schema(),
        LogicalPlan::Ddl(DdlStatement::CreateView(view)) => view.input.schema(),
        LogicalPlan::Ddl(_) | LogicalPlan::Statement(_) => return Ok(()),
        query => query.schema(),
    };
    let mut seen = HashSet::new();
    for field in columns.fields() {
        let name = field.metadata().get(NAME_METADATA);
        let name = name.unwrap_or(field.name());
        if !seen.insert(name.to_ascii_lowercase()) {
            let told = format!("there are two columns `{name}`");
            let help = "`AS` gives one of them a name of its own";
            return Err(Diagnostic::new("R0351", told).help(help).into());
        }
    }
    Ok(())
}

/// What was read once is not decoded by a scan any more: its columns lose the mark.
fn at_hand(input: LogicalPlan) -> Result<LogicalPlan> {
    let columns = input.schema().iter().map(|(qualifier, field)| {
        let mut metadata: HashMap<String, String> = field.metadata().clone();
        metadata.remove(SCAN_METADATA);
        Expr::Column(Column::from((qualifier, field.as_ref())))
            .alias_with_metadata(field.name(), Some(FieldMetadata::from(metadata)))
    });
    let columns: Vec<Expr> = columns.collect();
    Ok(LogicalPlanBuilder::from(input).project(columns)?.build()?)
}

fn named(input: &LogicalPlan, names: &Names) -> Result<LogicalPlan> {
    let given = headed(input.schema().inner(), names);
    let mut taken = HashSet::new();
    let columns = input.schema().iter().zip(given.fields());
    let columns = columns.map(|((qualifier, field), given)| {
        let folded = fold(given.name());
        let mut name = folded.clone();
        while !taken.insert(name.clone()) {
            name = format!("{folded}:{}", taken.len());
        }
        let mut metadata: HashMap<String, String> = field.metadata().clone();
        metadata.insert(NAME_METADATA.to_owned(), given.name().clone());
        Expr::Column(Column::from((qualifier, field.as_ref())))
            .alias_with_metadata(name, Some(FieldMetadata::from(metadata)))
    });
    let columns: Vec<Expr> = columns.collect();
    Ok(LogicalPlanBuilder::from(input.clone())
        .project(columns)?
        .build()?)
}
