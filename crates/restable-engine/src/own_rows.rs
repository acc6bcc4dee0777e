//! Rows that a session keeps for itself: tables that it creates, INSERT into them, and what they were before a transaction.
//! Nothing of it leaves the session, so that one that only reads may do it, as PostgreSQL lets anybody fill temporary tables. They
//! count for the memory that the session has, for as long as they stand.

use std::any::Any;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use arrow::array::{RecordBatch, RecordBatchOptions};
use arrow::datatypes::{Field, Schema, SchemaRef};
use async_trait::async_trait;
use datafusion::catalog::{MemTable, Session as CatalogSession, TableProvider};
use datafusion::common::{Column, DFSchema, Result as PlanResult, ScalarValue};
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use datafusion::logical_expr::{
    CreateMemoryTable, DdlStatement, EmptyRelation, Expr, ExprSchemable as _, LogicalPlan,
    LogicalPlanBuilder, TableType, cast, lit,
};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::sql::sqlparser::ast;
use restable_spec::names::fold;
use restable_sql::{Diagnostic, Hints, Insert, Parsed};

use crate::functions::{edited, plain};
use crate::names::Names;
use crate::outcome::{Outcome, Report, Rows};
use crate::parameters::Given;
use crate::session::{Prepared, Session, told};
use crate::snapshots::name_of;
use crate::statement::{Ended, Missing, Running, Statement};
use crate::{Error, Result};

/// Metadata key of columns of text: so many letters they have room for.
pub(crate) const LENGTH_METADATA: &str = "restable.length";
/// Metadata key of columns whose texts are of a type of their own: `json`, `jsonb`, `uuid`.
pub(crate) const KEPT_METADATA: &str = "restable.kept";

/// INSERT into a table of the session.
#[derive(Debug)]
pub(crate) struct Appending {
    name: String,
    /// The rows, in the columns of the table.
    plan: LogicalPlan,
    /// The columns of the table.
    pub(crate) schema: SchemaRef,
}

/// A table of the session. It never changes: another one, with more rows, takes its place.
#[derive(Debug)]
pub(crate) struct OwnTable {
    table: MemTable,
    batches: Vec<RecordBatch>,
    /// What the rows take, for as long as somebody may read them.
    memory: Vec<Arc<MemoryReservation>>,
    /// What could not be read when the rows were gathered.
    missing: Vec<Missing>,
}

impl OwnTable {
    fn new(
        schema: SchemaRef,
        batches: Vec<RecordBatch>,
        memory: Vec<Arc<MemoryReservation>>,
        missing: Vec<Missing>,
    ) -> Result<OwnTable> {
        Ok(OwnTable {
            table: MemTable::try_new(schema, vec![batches.clone()])?,
            batches,
            memory,
            missing,
        })
    }
}

#[async_trait]
impl TableProvider for OwnTable {
    fn schema(&self) -> SchemaRef {
        self.table.schema()
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    async fn scan(
        &self,
        state: &dyn CatalogSession,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> PlanResult<Arc<dyn ExecutionPlan>> {
        if let Some(statement) = state.config().get_extension::<Statement>() {
            for missing in &self.missing {
                statement.note_missing(None, &missing.scope, missing.clone());
            }
        }
        self.table.scan(state, projection, filters, limit).await
    }
}

/// The tables and views of a session as they were at a time.
#[derive(Debug, Clone, Default)]
pub struct OwnTables(Vec<(String, Arc<dyn TableProvider>)>);

/// What is said of a table that is made as if it would stay, and ends with the session.
pub(crate) fn passing(parsed: &Parsed) -> Option<String> {
    let restable_sql::Statement::Query(statement) = &parsed.statement else {
        return None;
    };
    match &**statement {
        ast::Statement::CreateTable(table) if !table.temporary => Some(format!(
            "the table `{}` ends with the session, and nobody else sees it",
            table.name
        )),
        ast::Statement::CreateView(view) if !view.temporary && !view.materialized => Some(format!(
            "the view `{}` ends with the session, and nobody else sees it",
            view.name
        )),
        _ => None,
    }
}

/// Why a table that a session can read takes no change of this kind.
pub(crate) fn unchanged(verb: &str, place: restable_sql::Span) -> Error {
    let told = format!("{verb} is for tables of providers: what stands in `public` is made whole");
    Diagnostic::new("R0308", told)
        .at(place)
        .help("tables of the session take INSERT; `DROP TABLE` and `CREATE TEMP TABLE … AS SELECT …` make one anew")
        .into()
}

fn unsupported(what: &str, insert: &Insert) -> Error {
    let told = format!("{what} is not supported for a table of the session");
    Diagnostic::new("R0308", told).at(insert.span).into()
}

impl Session {
    /// Whether a name is of a table or view in `public`: the session's own, or one that is kept in the data directory.
    pub(crate) fn is_own(&self, name: &ast::ObjectName) -> bool {
        let own = &self.shared().own;
        let Some(name) = name_of(&self.shared().without_database(name)) else {
            return false;
        };
        let is_kept = || {
            let store = own.store();
            store.is_some_and(|store| matches!(store.load(&name), Ok(Some(_))))
        };
        own.is_of_session(&name) || is_kept()
    }

    /// What an INSERT means if it names a table of the session; `None` if it names another.
    pub(crate) async fn appending(
        &self,
        insert: &Insert,
        given: &Given,
    ) -> Result<Option<Appending>> {
        let own = &self.shared().own;
        let written = self.shared().without_database(&insert.table);
        let Some(name) = name_of(&written).filter(|name| own.is_of_session(name)) else {
            return Ok(None);
        };
        let table = own.of_session(&name);
        let Some(schema) = table.as_ref().and_then(|table| {
            (table.as_ref() as &dyn Any)
                .downcast_ref::<OwnTable>()
                .map(OwnTable::schema)
        }) else {
            let told = format!("`{name}` is a view: rows are inserted into tables");
            return Err(Diagnostic::new("R0349", told).at(insert.table_span).into());
        };
        if insert.returning.is_some() {
            return Err(unsupported("INSERT … RETURNING", insert));
        }
        if insert.on_conflict_do_nothing {
            return Err(unsupported("ON CONFLICT", insert));
        }
        if insert.hints != Hints::default() {
            return Err(unsupported("a hint", insert));
        }
        let source = ast::Statement::Query(insert.source.clone());
        let source = self.plan(source, given).await?.into_plan()?;
        let columns = places(insert, &schema)?;
        let given = source.schema().fields().len();
        let wanted = if insert.columns.is_empty() {
            given
        } else {
            columns.len()
        };
        if given != wanted || given > columns.len() {
            let told = format!(
                "INSERT names {} columns and has {given} values a row",
                columns.len()
            );
            return Err(Diagnostic::new("R0101", told).at(insert.span).into());
        }
        let mut items = Vec::new();
        for (at, field) in schema.fields().iter().enumerate() {
            let place = columns.iter().position(|column| *column == at);
            let value = match place.filter(|place| *place < given) {
                Some(place) => {
                    let column = Column::from(source.schema().qualified_field(place));
                    let value = Expr::Column(column).cast_to(field.data_type(), source.schema())?;
                    let value = match field.metadata().get(KEPT_METADATA) {
                        Some(kind) => cast(edited::kept(kind, value), field.data_type().clone()),
                        None => value,
                    };
                    match field.metadata().get(LENGTH_METADATA) {
                        Some(length) => {
                            let length: i64 = length.parse().unwrap_or(i64::MAX);
                            plain::fitting().call(vec![value, lit(length)])
                        }
                        None => value,
                    }
                }
                None => lit(ScalarValue::try_from(field.data_type())?),
            };
            items.push(value.alias(field.name()));
        }
        let plan = LogicalPlanBuilder::from(source).project(items)?.build()?;
        Ok(Some(Appending { name, plan, schema }))
    }

    /// Puts the rows into the table: all of them, or none. They are answered, a row for each.
    pub(crate) async fn append(
        &self,
        appending: Appending,
        mut statement: Statement,
        source: Option<Arc<Parsed>>,
    ) -> Result<Outcome> {
        let started = Instant::now();
        statement.partial = false;
        let prepared = Prepared::of_plan(appending.plan);
        let schema = SchemaRef::clone(&appending.schema);
        let (batches, memory, report) = self.gather(prepared, statement, schema).await?;
        self.shared().own.append(&appending.name, |table| {
            let missing = &report.missing;
            longer(table, &appending.schema, &batches, memory, missing)
        })?;
        let stream = futures::stream::iter(batches.into_iter().map(Ok));
        let stream = RecordBatchStreamAdapter::new(appending.schema, stream);
        let running = Running(Arc::new(self.begin_statement()));
        for missing in report.missing {
            let scope = missing.scope.clone();
            running.0.note_missing(None, &scope, missing);
        }
        Ok(Outcome::Rows(Rows::new(
            Box::pin(stream),
            &Names::default(),
            running,
            started,
            source,
        )))
    }

    /// CREATE TABLE of the session's own.
    pub(crate) async fn create_own(
        &self,
        table: CreateMemoryTable,
        message: String,
        rows: Prepared,
        statement: Statement,
    ) -> Result<Outcome> {
        let own = &self.shared().own;
        let name = table.name.table();
        match (table.if_not_exists, table.or_replace) {
            (true, true) => {
                let told = "OR REPLACE and IF NOT EXISTS do not stand together";
                return Err(Diagnostic::new("R0101", told).into());
            }
            (true, false) if own.is_of_session(name) => {
                if self.postgres().is_some() {
                    statement.note_notice(format!("{message}: it stays what it is"));
                }
                statement.ended(Ended::Done);
                return Ok(told(message, &statement, Instant::now()));
            }
            (false, false) if own.is_of_session(name) => {
                let told = format!("the session has a table or view `{name}`");
                return Err(Diagnostic::new("R0341", told).into());
            }
            _ => {}
        }
        let schema = match is_declared(&table.input) {
            true => SchemaRef::clone(table.input.schema().inner()),
            false => with_nulls(table.input.schema().inner()),
        };
        let (batches, memory, report) = self
            .gather(rows, statement, SchemaRef::clone(&schema))
            .await?;
        let made = OwnTable::new(schema, batches, vec![memory], report.missing.clone())?;
        own.put(name, Some(Arc::new(made)))?;
        let told = report.calls > 0 || !report.is_complete() || !report.notices.is_empty();
        let report = told.then_some(report);
        Ok(Outcome::Done { message, report })
    }

    /// All rows of a query in these columns, and the memory that they take of what the session has.
    async fn gather(
        &self,
        prepared: Prepared,
        statement: Statement,
        schema: SchemaRef,
    ) -> Result<(Vec<RecordBatch>, Arc<MemoryReservation>, Report)> {
        let pool = Arc::clone(&self.shared().ground.state().runtime_env().memory_pool);
        let memory = MemoryConsumer::new("tables of the session").register(&pool);
        let Outcome::Rows(mut rows) = Box::pin(self.run_as(prepared, statement)).await? else {
            return Err(Error::internal("a query answered no rows"));
        };
        let mut batches = Vec::new();
        while let Some(batch) = rows.next().await {
            let batch = batch?;
            memory.try_grow(batch.get_array_memory_size())?;
            let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
            let columns = batch.columns().to_vec();
            let schema = SchemaRef::clone(&schema);
            batches.push(RecordBatch::try_new_with_options(
                schema, columns, &options,
            )?);
        }
        Ok((batches, Arc::new(memory), rows.report()))
    }

    /// The tables and views that the session created, as they are now.
    pub fn own_tables(&self) -> OwnTables {
        let own = &self.shared().own;
        let names = own.session_names().into_iter();
        OwnTables(
            names
                .filter_map(|name| own.of_session(&name).map(|table| (name, table)))
                .collect(),
        )
    }

    /// Makes them what they were: what a transaction did to them is undone.
    pub fn restore_own_tables(&self, then: &OwnTables) -> Result<()> {
        let own = &self.shared().own;
        let same = |name: &String, table: &Arc<dyn TableProvider>| {
            own.of_session(name)
                .is_some_and(|now| Arc::ptr_eq(&now, table))
        };
        for name in own.session_names() {
            if !then.0.iter().any(|(known, _)| *known == name) {
                own.put(&name, None)?;
            }
        }
        for (name, table) in &then.0 {
            if !same(name, table) {
                own.put(name, Some(Arc::clone(table)))?;
            }
        }
        Ok(())
    }
}

/// Whether a table is made of what is said of its columns, not of the rows of a query.
fn is_declared(input: &LogicalPlan) -> bool {
    match input {
        LogicalPlan::EmptyRelation(empty) => !empty.produce_one_row,
        LogicalPlan::Projection(inner) => is_declared(&inner.input),
        LogicalPlan::SubqueryAlias(inner) => is_declared(&inner.input),
        _ => false,
    }
}

/// The same columns, each of which takes NULL: that the rows of a query have none says nothing of those to come.
fn with_nulls(schema: &SchemaRef) -> SchemaRef {
    let fields = schema.fields().iter();
    let fields: Vec<Field> = fields
        .map(|field| field.as_ref().clone().with_nullable(true))
        .collect();
    Arc::new(Schema::new_with_metadata(fields, schema.metadata().clone()))
}

/// The places of the columns that an INSERT names; all of them where it names none.
fn places(insert: &Insert, schema: &SchemaRef) -> Result<Vec<usize>> {
    if insert.columns.is_empty() {
        return Ok((0..schema.fields().len()).collect());
    }
    let place = |column: &restable_sql::Attribute| {
        let written = fold(&column.dotted());
        let mut names = schema.fields().iter();
        names
            .position(|field| fold(field.name()) == written)
            .ok_or_else(|| {
                let told = format!("there is no column `{}`", column.dotted());
                Error::from(Diagnostic::new("R0203", told).at(column.span))
            })
    };
    insert.columns.iter().map(place).collect()
}

/// A table of these rows behind those of another.
fn longer(
    table: &dyn TableProvider,
    schema: &SchemaRef,
    batches: &[RecordBatch],
    memory: Arc<MemoryReservation>,
    missing: &[Missing],
) -> Result<Arc<dyn TableProvider>> {
    let Some(before) = (table as &dyn Any).downcast_ref::<OwnTable>() else {
        return Err(Error::internal(
            "a table of the session is of no known kind",
        ));
    };
    let mut all = before.batches.clone();
    all.extend(batches.iter().cloned());
    // What the rows before took stays taken for as long as either of the two stands.
    let mut taken = before.memory.clone();
    taken.push(memory);
    let mut lacking = before.missing.clone();
    lacking.extend(
        missing
            .iter()
            .filter(|one| !before.missing.contains(one))
            .cloned(),
    );
    let longer = OwnTable::new(SchemaRef::clone(schema), all, taken, lacking)?;
    Ok(Arc::new(longer))
}

/// The plan of CREATE TABLE with what its columns are beside their types: `varchar(3)` is a text of three letters at most.
pub(crate) fn with_marks(
    plan: LogicalPlan,
    marks: &[(String, HashMap<String, String>)],
) -> Result<LogicalPlan> {
    let LogicalPlan::Ddl(DdlStatement::CreateMemoryTable(mut table)) = plan else {
        return Ok(plan);
    };
    if let LogicalPlan::EmptyRelation(empty) = &*table.input
        && !marks.is_empty()
    {
        let fields = empty.schema.iter().map(|(relation, field)| {
            let known = marks.iter().find(|(name, _)| name == field.name());
            let mut metadata = field.metadata().clone();
            metadata.extend(known.into_iter().flat_map(|(_, marks)| marks.clone()));
            let field = field.as_ref().clone().with_metadata(metadata);
            (relation.cloned(), Arc::new(field))
        });
        let schema =
            DFSchema::new_with_metadata(fields.collect(), empty.schema.metadata().clone())?;
        table.input = Arc::new(LogicalPlan::EmptyRelation(EmptyRelation {
            produce_one_row: empty.produce_one_row,
            schema: Arc::new(schema),
        }));
    }
    Ok(LogicalPlan::Ddl(DdlStatement::CreateMemoryTable(table)))
}

/// An error if a table of the session is to keep rules that nobody would keep.
pub(crate) fn check(plan: &LogicalPlan) -> Result<()> {
    let LogicalPlan::Ddl(DdlStatement::CreateMemoryTable(table)) = plan else {
        return Ok(());
    };
    let rule = match (
        table.constraints.is_empty(),
        table.column_defaults.is_empty(),
    ) {
        (false, _) => "a key",
        (true, false) => "DEFAULT",
        (true, true) => return Ok(()),
    };
    let told = format!("{rule} is not supported for a table");
    Err(Diagnostic::new("R0308", told).into())
}
