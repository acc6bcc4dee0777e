//! Views that a session creates. A view is its text, with each name in it standing for what it stood for when the view was created (`USE`
//! and the search path may be others since), and the columns that it had then. It is planned whenever a statement names it: rows,
//! settings and other views are those of that time. A table that is gone, or has lost a column, is an error of the statement.

use std::any::Any;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use arrow::datatypes::{Schema, SchemaRef};
use async_trait::async_trait;
use datafusion::catalog::{Session as CatalogSession, TableProvider};
use datafusion::common::metadata::FieldMetadata;
use datafusion::common::{Column, Result as PlanResult};
use datafusion::datasource::ViewTable;
use datafusion::logical_expr::{DdlStatement, Expr, LogicalPlan, LogicalPlanBuilder, TableType};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::sql::resolve::resolve_table_references;
use datafusion::sql::sqlparser::ast::{self, TableVersion};
use futures::future::BoxFuture;
use restable_sql::{Diagnostic, Parsed};

use crate::catalog::{OWN_CATALOG, OWN_SCHEMA};
use crate::functions::NAME_METADATA;
use crate::names::{KnownTable, Resolver};
use crate::parameters::Given;
use crate::pg_catalog::rewrite_view;
use crate::planning::plan_within;
use crate::session::Session;
use crate::shared::{Shared, keep_names, unique_columns};
use crate::snapshots::name_of;
use crate::statement::lock;
use crate::{Error, Result, placeholders};

/// So many views may stand one over the other.
const DEEPEST: usize = 100;

/// The whole names of what written names stood for.
type Meant = HashMap<Vec<String>, [String; 3]>;

/// A view of the session.
#[derive(Debug)]
pub(crate) struct OwnView {
    /// CREATE VIEW, without new names for its columns.
    statement: ast::Statement,
    /// The whole statement as it was written.
    text: String,
    /// Its query.
    query: String,
    meant: Meant,
    /// The columns of the query when the view was created.
    source: Vec<String>,
    /// The columns of the view: their names as they were given, their types as they were when it was read last.
    schema: RwLock<SchemaRef>,
}

/// CREATE VIEW.
#[derive(Debug)]
pub(crate) struct Viewing {
    name: String,
    or_replace: bool,
    view: Arc<OwnView>,
}

/// The views that are being planned for one statement.
#[derive(Debug, Default)]
pub(crate) struct Expanding {
    /// Each is read by the one before it.
    chain: Vec<String>,
    done: Views,
}

/// Views by name, as they are now.
pub(crate) type Views = HashMap<String, Arc<dyn TableProvider>>;

#[async_trait]
impl TableProvider for OwnView {
    fn schema(&self) -> SchemaRef {
        let schema = self.schema.read().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&schema)
    }

    fn table_type(&self) -> TableType {
        TableType::View
    }

    fn get_table_definition(&self) -> Option<&str> {
        Some(&self.query)
    }

    async fn scan(
        &self,
        _: &dyn CatalogSession,
        _: Option<&Vec<usize>>,
        _: &[Expr],
        _: Option<usize>,
    ) -> PlanResult<Arc<dyn ExecutionPlan>> {
        Err(Error::internal("a view was not planned").into())
    }
}

/// What a name of the session is, if it is a view.
fn as_view(table: &dyn TableProvider) -> Option<&OwnView> {
    (table as &dyn Any).downcast_ref()
}

/// The views of the session that read one of these tables and views of `public`, and those that read them, without these.
pub(crate) fn readers(shared: &Shared, names: &[String]) -> Vec<String> {
    let all = shared.own.session_names().into_iter();
    let all = all.filter_map(|name| shared.own.of_session(&name).map(|table| (name, table)));
    let all: Vec<_> = all.collect();
    let mut found: Vec<String> = Vec::new();
    loop {
        let before = found.len();
        for (name, table) in &all {
            let Some(view) = as_view(table.as_ref()) else {
                continue;
            };
            let mut bases = view.meant.values().filter_map(|full| match full {
                [catalog, schema, base] if catalog == OWN_CATALOG && schema == OWN_SCHEMA => {
                    Some(base)
                }
                _ => None,
            });
            let is_new = !names.contains(name) && !found.contains(name);
            if is_new && bases.any(|base| names.contains(base) || found.contains(base)) {
                found.push(name.clone());
            }
        }
        if found.len() == before {
            return found;
        }
    }
}

/// The query of a view of the session, if the name is one of a view.
pub(crate) fn definition(shared: &Shared, name: &str) -> Option<String> {
    let table = shared.own.of_session(name)?;
    as_view(table.as_ref()).map(|view| view.query.clone())
}

/// The statement that made a view of the session, if the name is one of a view.
pub(crate) fn statement(shared: &Shared, name: &str) -> Option<String> {
    let table = shared.own.of_session(name)?;
    as_view(table.as_ref()).map(|view| view.text.clone())
}

/// Finds what names stand for, and keeps it.
struct Noting<'s> {
    shared: &'s Shared,
    meant: Mutex<Meant>,
}

impl Noting<'_> {
    fn note(&self, parts: &[String], found: &KnownTable) {
        lock(&self.meant).insert(parts.to_vec(), found.full.clone());
    }
}

impl Resolver for Noting<'_> {
    fn resolve(&self, parts: &[String]) -> Result<Option<KnownTable>> {
        let found = self.shared.resolve(parts)?;
        if let Some(found) = &found {
            self.note(parts, found);
        }
        Ok(found)
    }

    fn at(&self, parts: &[String], version: &TableVersion) -> Result<KnownTable> {
        // Of another time it has another name: what is kept is the name of the table.
        if let Some(found) = self.shared.resolve(parts)? {
            self.note(parts, &found);
        }
        self.shared.at(parts, version)
    }
}

/// Finds what names stood for.
struct Recalling<'s> {
    shared: &'s Shared,
    meant: &'s Meant,
}

impl Resolver for Recalling<'_> {
    fn resolve(&self, parts: &[String]) -> Result<Option<KnownTable>> {
        match self.meant.get(parts) {
            Some(full) => self.shared.of_full_name(full).map(Some),
            None => self.shared.resolve(parts),
        }
    }

    fn at(&self, parts: &[String], version: &TableVersion) -> Result<KnownTable> {
        match self.meant.get(parts) {
            Some(full) => self.shared.at(full, version),
            None => self.shared.at(parts, version),
        }
    }
}

/// The views of the session that a statement reads, and those that they read, planned as they are now.
pub(crate) async fn expanded(
    shared: &Shared,
    statement: &ast::Statement,
    expanding: &mut Expanding,
) -> Result<Views> {
    if !shared.own.has_views() {
        return Ok(Views::new());
    }
    // What is created or dropped is not read.
    let read = match statement {
        ast::Statement::Drop { .. } => return Ok(Views::new()),
        ast::Statement::CreateView(view) => ast::Statement::Query(view.query.clone()),
        ast::Statement::CreateTable(table) => match &table.query {
            Some(query) => ast::Statement::Query(query.clone()),
            None => return Ok(Views::new()),
        },
        other => other.clone(),
    };
    let read = datafusion::sql::parser::Statement::Statement(Box::new(read));
    let (named, _) = resolve_table_references(&read, true)?;
    let mut views = Views::new();
    for name in named {
        let place = (name.catalog(), name.schema());
        if place != (Some(OWN_CATALOG), Some(OWN_SCHEMA)) {
            continue;
        }
        let name = name.table();
        let Some(table) = shared.own.of_session(name) else {
            continue;
        };
        if let Some(view) = as_view(table.as_ref()) {
            let view = view.now(shared, name, expanding).await?;
            views.insert(name.to_owned(), view);
        }
    }
    Ok(views)
}

impl OwnView {
    /// The view as it is now. It may read others.
    fn now<'a>(
        &'a self,
        shared: &'a Shared,
        name: &'a str,
        expanding: &'a mut Expanding,
    ) -> BoxFuture<'a, Result<Arc<dyn TableProvider>>> {
        Box::pin(self.plan_now(shared, name, expanding))
    }

    async fn plan_now(
        &self,
        shared: &Shared,
        name: &str,
        expanding: &mut Expanding,
    ) -> Result<Arc<dyn TableProvider>> {
        if let Some(known) = expanding.done.get(name) {
            return Ok(Arc::clone(known));
        }
        if expanding.chain.iter().any(|one| one == name) {
            let told = format!("the view `{name}` reads itself");
            return Err(Diagnostic::new("R0352", told).into());
        }
        if expanding.chain.len() >= DEEPEST {
            let told = format!("more than {DEEPEST} views stand one over the other");
            return Err(Diagnostic::new("R0210", told).into());
        }
        expanding.chain.push(name.to_owned());
        let meant = Recalling {
            shared,
            meant: &self.meant,
        };
        let planned = planned(shared, self.statement.clone(), &meant, expanding).await;
        expanding.chain.pop();
        let plan = planned.and_then(|plan| self.fitted(plan));
        let plan = plan.map_err(|problem| {
            // Its place is one in the text of the view.
            let told = Diagnostic {
                span: None,
                ..problem.diagnostic()
            };
            problem.told_as(told.note(format!("in the view `{name}`")))
        })?;
        let columns = SchemaRef::clone(plan.schema().inner());
        *self.schema.write().unwrap_or_else(PoisonError::into_inner) = columns;
        let view: Arc<dyn TableProvider> = Arc::new(ViewTable::new(plan, Some(self.query.clone())));
        expanding.done.insert(name.to_owned(), Arc::clone(&view));
        Ok(view)
    }

    /// The rows in the columns that the view has had from its beginning. What its tables have got since is left out.
    fn fitted(&self, plan: LogicalPlan) -> Result<LogicalPlan> {
        let now = names_of(plan.schema().inner());
        let schema = self.schema();
        let given = names_of(&schema);
        if now == self.source && given == self.source {
            return Ok(plan);
        }
        let mut columns = Vec::with_capacity(given.len());
        for (at, (wanted, field)) in self.source.iter().zip(schema.fields()).enumerate() {
            let place = match now == self.source {
                true => Some(at),
                false => now.iter().position(|one| one == wanted),
            };
            let Some(place) = place else {
                let shown = field.metadata().get(NAME_METADATA).unwrap_or(wanted);
                let told = format!("there is no column `{wanted}` for `{shown}` any more");
                let help = "`CREATE OR REPLACE VIEW` makes it over what there is now";
                return Err(Diagnostic::new("R0203", told).help(help).into());
            };
            let (relation, column) = plan.schema().qualified_field(place);
            let mut metadata: HashMap<String, String> = column.metadata().clone();
            if let Some(name) = field.metadata().get(NAME_METADATA) {
                metadata.insert(NAME_METADATA.to_owned(), name.clone());
            }
            let column = Expr::Column(Column::from((relation, column.as_ref())));
            columns.push(
                column.alias_with_metadata(field.name(), Some(FieldMetadata::from(metadata))),
            );
        }
        Ok(LogicalPlanBuilder::from(plan).project(columns)?.build()?)
    }
}

fn names_of(schema: &Schema) -> Vec<String> {
    let names = schema.fields().iter();
    names.map(|field| field.name().clone()).collect()
}

/// The plan of the query of CREATE VIEW, with the columns that it gives.
async fn planned(
    shared: &Shared,
    mut statement: ast::Statement,
    meant: &(dyn Resolver + Sync),
    expanding: &mut Expanding,
) -> Result<LogicalPlan> {
    rewrite_view(shared, &mut statement).await?;
    let (plan, names) = plan_within(shared, &Given::default(), statement, meant, expanding).await?;
    match keep_names(plan, &names)? {
        LogicalPlan::Ddl(DdlStatement::CreateView(view)) => Ok(Arc::unwrap_or_clone(view.input)),
        _ => Err(Error::internal("a view is no view")),
    }
}

impl Session {
    /// What CREATE VIEW makes.
    pub(crate) async fn viewing(
        &self,
        parsed: &Parsed,
        view: &ast::CreateView,
        given: &Given,
    ) -> Result<Viewing> {
        let shared = self.shared();
        let mut view = view.clone();
        view.name = shared.without_database(&view.name);
        let Some(name) = name_of(&view.name) else {
            let told = format!(
                "`{}` cannot be created: schemas of providers hold their tables only",
                view.name
            );
            let help = "a view without a schema is created in `public`";
            return Err(Diagnostic::new("R0331", told).help(help).into());
        };
        let or_replace = std::mem::take(&mut view.or_replace);
        // What a session creates ends with it: it is temporary, whether the statement says so or not.
        view.temporary = false;
        let query = view.query.to_string();
        let mut statement = ast::Statement::CreateView(view);
        placeholders::bind(&mut statement, given)?;
        let mut plain = statement.clone();
        let renames = match &mut plain {
            ast::Statement::CreateView(view) => !std::mem::take(&mut view.columns).is_empty(),
            _ => false,
        };
        let noting = Noting {
            shared,
            meant: Mutex::default(),
        };
        // Nothing that it reads may read it.
        let reads_none = || Expanding {
            chain: vec![name.clone()],
            ..Expanding::default()
        };
        let plan = planned(shared, statement, &noting, &mut reads_none()).await?;
        unique_columns(&plan)?;
        let source = match renames {
            true => {
                let plan = planned(shared, plain.clone(), &noting, &mut reads_none()).await?;
                names_of(plan.schema().inner())
            }
            false => names_of(plan.schema().inner()),
        };
        let meant = noting.meant.into_inner();
        let view = OwnView {
            statement: plain,
            text: parsed.text.clone(),
            query,
            meant: meant.unwrap_or_else(PoisonError::into_inner),
            source,
            schema: RwLock::new(SchemaRef::clone(plan.schema().inner())),
        };
        Ok(Viewing {
            name,
            or_replace,
            view: Arc::new(view),
        })
    }

    /// Gives the view its name. The answer says so.
    pub(crate) fn create_view(&self, viewing: Viewing) -> Result<String> {
        let own = &self.shared().own;
        let Viewing {
            name,
            or_replace,
            view,
        } = viewing;
        match own.of_session(&name) {
            Some(known) if as_view(known.as_ref()).is_none() => {
                let told = format!("`{name}` is a table, no view");
                return Err(Diagnostic::new("R0349", told).into());
            }
            Some(_) if !or_replace => {
                let told = format!("the session has a view `{name}`");
                let help = "`CREATE OR REPLACE VIEW` makes it anew";
                return Err(Diagnostic::new("R0341", told).help(help).into());
            }
            _ => own.put(&name, Some(view))?,
        }
        Ok(format!("view `{name}` created"))
    }
}
