//! Rows that a session keeps for itself: INSERT into a table that it created, and what its tables were before a transaction.
//! Nothing of it leaves the session, so that one that only reads may do it, as PostgreSQL lets anybody fill temporary tables.

use std::any::Any;
use std::sync::Arc;
use std::time::Instant;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use datafusion::catalog::{MemTable, TableProvider};
use datafusion::common::{Column, ScalarValue};
use datafusion::logical_expr::{Expr, ExprSchemable as _, LogicalPlan, LogicalPlanBuilder, lit};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::sql::sqlparser::ast;
use futures::FutureExt as _;
use restable_spec::names::fold;
use restable_sql::{Diagnostic, Hints, Insert, Parsed};

use crate::names::Names;
use crate::outcome::{Outcome, Rows};
use crate::parameters::Given;
use crate::session::{Prepared, Session};
use crate::snapshots::name_of;
use crate::statement::{Running, Statement};
use crate::{Error, Result};

/// INSERT into a table of the session.
#[derive(Debug)]
pub(crate) struct Appending {
    name: String,
    /// The rows, in the columns of the table.
    plan: LogicalPlan,
    /// The columns of the table.
    pub(crate) schema: SchemaRef,
}

/// The tables and views of a session as they were at a time.
#[derive(Debug, Clone, Default)]
pub struct OwnTables(Vec<(String, Arc<dyn TableProvider>)>);

fn unsupported(what: &str, insert: &Insert) -> Error {
    let told = format!("{what} is not supported for a table of the session");
    Diagnostic::new("R0308", told).at(insert.span).into()
}

impl Session {
    /// What an INSERT means if it names a table of the session; `None` if it names another.
    pub(crate) async fn appending(
        &self,
        insert: &Insert,
        given: &Given,
    ) -> Result<Option<Appending>> {
        let own = &self.shared().own;
        let Some(name) = name_of(&insert.table).filter(|name| own.is_of_session(name)) else {
            return Ok(None);
        };
        let table = own.of_session(&name);
        let Some(schema) = table.as_ref().and_then(|table| {
            (table.as_ref() as &dyn Any)
                .downcast_ref::<MemTable>()
                .map(MemTable::schema)
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
                    Expr::Column(column).cast_to(field.data_type(), source.schema())?
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
        let Outcome::Rows(mut rows) = Box::pin(self.run_as(prepared, statement)).await? else {
            return Err(Error::internal("a query answered no rows"));
        };
        let mut batches = Vec::new();
        while let Some(batch) = rows.next().await {
            let columns = batch?.columns().to_vec();
            let schema = SchemaRef::clone(&appending.schema);
            batches.push(RecordBatch::try_new(schema, columns)?);
        }
        drop(rows);
        self.shared()
            .own
            .append(&appending.name, &appending.schema, &batches)?;
        let stream = futures::stream::iter(batches.into_iter().map(Ok));
        let stream = RecordBatchStreamAdapter::new(appending.schema, stream);
        let running = Running(Arc::new(self.begin_statement()));
        Ok(Outcome::Rows(Rows::new(
            Box::pin(stream),
            &Names::default(),
            running,
            started,
            source,
        )))
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
pub(crate) fn longer(
    table: &dyn TableProvider,
    schema: &SchemaRef,
    batches: &[RecordBatch],
) -> Result<Arc<dyn TableProvider>> {
    let mut all = Vec::new();
    if let Some(table) = (table as &dyn Any).downcast_ref::<MemTable>() {
        for part in &table.batches {
            // Nobody writes into a table that stands: it is replaced.
            let rows = part.read().now_or_never();
            all.extend(rows.iter().flat_map(|rows| rows.iter().cloned()));
        }
    }
    all.extend(batches.iter().cloned());
    let table = MemTable::try_new(SchemaRef::clone(schema), vec![all])?;
    Ok(Arc::new(table))
}
