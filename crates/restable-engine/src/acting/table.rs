//! `FROM (EXEC table.method …) x`: the answer of a method that only asks, as a table of the statement that names it. Each scan makes its
//! calls.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use arrow::array::RecordBatch;
use arrow::datatypes::{Schema, SchemaRef};
use async_trait::async_trait;
use datafusion::catalog::{SchemaProvider, Session as PlanSession, TableProvider};
use datafusion::common::Result as PlanResult;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::{Expr, TableType};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::streaming::{PartitionStream, StreamingTableExec};
use datafusion::physical_plan::{ExecutionPlan, execute_stream};
use datafusion::sql::sqlparser::ast::{
    Expr as Ast, FunctionArg, FunctionArgExpr, Ident, ObjectName, TableFactor, Value, VisitMut,
    VisitorMut,
};
use futures::{StreamExt, TryStreamExt};
use restable_spec::names::fold;
use restable_sql::{Diagnostic, EXEC_FUNCTION, Exec, Replace, Statement as Sql};

use super::plan::{Acting, Purpose};
use super::{read, rows};
use crate::functions::NAME_METADATA;
use crate::names;
use crate::parameters::Given;
use crate::session::Session;
use crate::shared::Shared;
use crate::statement::Statement;
use crate::{Error, Result};

/// The tables of the EXECs of a statement; they are gone when this is dropped.
#[derive(Debug)]
pub(crate) struct Tables {
    shared: Arc<Shared>,
    /// Tells the tables of this statement from those of every other.
    number: usize,
    count: usize,
}

impl Drop for Tables {
    fn drop(&mut self) {
        for at in 0..self.count {
            // A schema in memory does not fail.
            let _ = self.shared.own.deregister_table(&name(self.number, at));
        }
    }
}

/// A name that nobody can write.
fn name(number: usize, at: usize) -> String {
    format!("{EXEC_FUNCTION} {number} {at}")
}

impl Tables {
    /// Puts the names of the tables in the place of `restable_exec(0)`, wherever it stands in a statement.
    pub(crate) fn named<T: VisitMut>(&self, mut part: T) -> T {
        let _ = VisitMut::visit(&mut part, &mut Namer(self.number));
        part
    }
}

/// Makes a table of each EXEC that stands in a FROM. An inner one comes before the one around it.
pub(crate) async fn tables(session: &Session, calls: &[Exec], given: &Given) -> Result<Tables> {
    static NUMBER: AtomicUsize = AtomicUsize::new(0);
    let mut tables = Tables {
        shared: Arc::clone(session.shared()),
        number: NUMBER.fetch_add(1, Ordering::Relaxed),
        count: 0,
    };
    for call in calls {
        let call = &named_exec(&tables, call.clone());
        let statement = restable_sql::Statement::Exec(call.clone());
        let none = Arc::new(Tables {
            count: 0,
            number: tables.number,
            shared: Arc::clone(session.shared()),
        });
        let acting = Box::pin(super::plan(session, &statement, none, given, Purpose::Run)).await?;
        if !acting.only_asks() || acting.preview {
            let problem = Diagnostic::new(
                "R0324",
                format!(
                    "`{}` changes something, and stands where rows are read",
                    acting.method.full_name()
                ),
            );
            return Err(problem
                .at(call.span)
                .help("write it as a statement of its own; its answer is rows as well")
                .into());
        }
        let table = Arc::new(Answers {
            schema: folded(acting.schema()),
            acting: Arc::new(acting),
            default_subscription: session.settings().default_subscription.clone(),
        });
        let name = name(tables.number, tables.count);
        tables.shared.own.register_table(name, table)?;
        tables.count += 1;
    }
    Ok(tables)
}

/// The same for the parts of a statement that acts.
pub(crate) fn named(tables: &Tables, statement: Sql) -> Sql {
    let selection = |expr: Option<Ast>| expr.map(|expr| tables.named(expr));
    match statement {
        Sql::Query(query) => Sql::Query(Box::new(tables.named(*query))),
        Sql::Exec(exec) => Sql::Exec(named_exec(tables, exec)),
        Sql::Preview(inner) => Sql::Preview(Box::new(named(tables, *inner))),
        Sql::Explain(explain) => Sql::Explain(restable_sql::Explain {
            statement: Box::new(named(tables, *explain.statement)),
            ..explain
        }),
        Sql::Insert(insert) => Sql::Insert(restable_sql::Insert {
            source: tables.named(insert.source),
            ..insert
        }),
        Sql::Replace(Replace::Rows(insert)) => Sql::Replace(Replace::Rows(restable_sql::Insert {
            source: tables.named(insert.source),
            ..insert
        })),
        Sql::Replace(Replace::Set(update)) => {
            Sql::Replace(Replace::Set(Box::new(named_update(tables, *update))))
        }
        Sql::Update(update) => Sql::Update(named_update(tables, update)),
        Sql::Delete(delete) => Sql::Delete(restable_sql::Delete {
            selection: selection(delete.selection),
            ..delete
        }),
        other => other,
    }
}

fn named_update(tables: &Tables, mut update: restable_sql::Update) -> restable_sql::Update {
    update.selection = update.selection.map(|expr| tables.named(expr));
    for assignment in &mut update.assignments {
        assignment.value = tables.named(assignment.value.clone());
    }
    update
}

fn named_exec(tables: &Tables, mut exec: Exec) -> Exec {
    for argument in &mut exec.arguments {
        argument.value = tables.named(argument.value.clone());
    }
    if let Some(each) = &mut exec.for_each {
        each.query = tables.named(each.query.clone());
    }
    exec
}

struct Namer(usize);

impl VisitorMut for Namer {
    type Break = ();

    fn pre_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<()> {
        if let TableFactor::Table {
            name: own, args, ..
        } = factor
            && names::written(own) == [EXEC_FUNCTION]
            && let Some(given) = args
            && let [FunctionArg::Unnamed(FunctionArgExpr::Expr(Ast::Value(value)))] =
                given.args.as_slice()
            && let Value::Number(number, _) = &value.value
            && let Ok(at) = number.parse::<usize>()
        {
            *own = ObjectName::from(vec![Ident::with_quote('"', name(self.0, at))]);
            *args = None;
        }
        ControlFlow::Continue(())
    }
}

/// The names of the plan, with those of the document beside them.
pub(super) fn folded(schema: &SchemaRef) -> SchemaRef {
    let fields = schema.fields().iter().map(|field| {
        let mut metadata: HashMap<String, String> = field.metadata().clone();
        metadata.insert(NAME_METADATA.to_owned(), field.name().clone());
        field
            .as_ref()
            .clone()
            .with_name(fold(field.name()))
            .with_metadata(metadata)
    });
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

#[derive(Debug)]
struct Answers {
    acting: Arc<Acting>,
    schema: SchemaRef,
    default_subscription: Option<String>,
}

#[async_trait]
impl TableProvider for Answers {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    async fn scan(
        &self,
        state: &dyn PlanSession,
        projection: Option<&Vec<usize>>,
        _filters: &[Expr],
        limit: Option<usize>,
    ) -> PlanResult<Arc<dyn ExecutionPlan>> {
        let partition = Calls {
            acting: Arc::clone(&self.acting),
            schema: Arc::clone(&self.schema),
            default_subscription: self.default_subscription.clone(),
            source: state.create_physical_plan(&self.acting.source).await?,
        };
        Ok(Arc::new(StreamingTableExec::try_new(
            Arc::clone(&self.schema),
            vec![Arc::new(partition)],
            projection,
            None,
            false,
            limit,
        )?))
    }
}

#[derive(Debug)]
struct Calls {
    acting: Arc<Acting>,
    schema: SchemaRef,
    default_subscription: Option<String>,
    source: Arc<dyn ExecutionPlan>,
}

impl PartitionStream for Calls {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn execute(&self, context: Arc<TaskContext>) -> SendableRecordBatchStream {
        let statement = context.session_config().get_extension::<Statement>();
        let (acting, source) = (Arc::clone(&self.acting), Arc::clone(&self.source));
        let default = self.default_subscription.clone();
        let schema = Arc::clone(&self.schema);
        let rows = async move {
            let statement =
                statement.ok_or_else(|| Error::internal("a scan runs outside of a statement"))?;
            let batches: Vec<RecordBatch> = execute_stream(source, context)?.try_collect().await?;
            let (calls, _) = rows::calls(&acting, &batches, default.as_deref())?;
            read::rows(&acting, calls, &statement)
        };
        let renamed = Arc::clone(&schema);
        let rows =
            futures::stream::once(rows)
                .try_flatten()
                .map(move |batch: Result<RecordBatch>| {
                    let batch = batch?;
                    let options = arrow::array::RecordBatchOptions::new()
                        .with_row_count(Some(batch.num_rows()));
                    let columns = batch.columns().to_vec();
                    Ok(RecordBatch::try_new_with_options(
                        Arc::clone(&renamed),
                        columns,
                        &options,
                    )?)
                });
        Box::pin(RecordBatchStreamAdapter::new(schema, rows))
    }
}
