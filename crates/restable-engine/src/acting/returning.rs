//! RETURNING: a projection over the rows that a statement answers, in the table's own names.

use std::ops::ControlFlow;
use std::sync::{Arc, Mutex};

use arrow::array::{RecordBatch, RecordBatchOptions};
use arrow::datatypes::SchemaRef;
use datafusion::catalog::streaming::StreamingTable;
use datafusion::catalog::{SchemaProvider, TableProvider};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::streaming::PartitionStream;
use datafusion::sql::sqlparser::ast::{
    CastKind, DataType, Expr, Ident, Query, SelectItem, Visit, Visitor,
};
use futures::StreamExt;
use futures::stream::BoxStream;

use restable_spec::names::same;
use restable_sql::{Diagnostic, Span};

use super::plan::Acting;
use super::{source, table};
use crate::Result;
use crate::names::Names;
use crate::session::Session;
use crate::statement::lock;

/// The columns that say how a target ended.
const OUTCOME: &[&str] = &["status", "error_code", "error_message", "error"];

/// RETURNING looks at one row at a time: it reads nothing else, and cannot fail once calls are on their way.
pub(super) fn check(items: &[SelectItem], span: Span) -> Result<()> {
    struct Reads;
    impl Visitor for Reads {
        type Break = &'static str;
        fn pre_visit_query(&mut self, _query: &Query) -> ControlFlow<&'static str> {
            ControlFlow::Break("a query")
        }
        fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<&'static str> {
            match expr {
                Expr::Function(function) if function.over.is_some() => {
                    ControlFlow::Break("a window function")
                }
                Expr::Function(function) if is_aggregate(&function.name.to_string()) => {
                    ControlFlow::Break("an aggregate")
                }
                Expr::Cast {
                    kind: CastKind::Cast | CastKind::DoubleColon,
                    data_type,
                    ..
                } if !is_text(data_type) => {
                    ControlFlow::Break("a cast that may fail, where `TRY_CAST` gives NULL")
                }
                _ => ControlFlow::Continue(()),
            }
        }
    }
    match items.to_vec().visit(&mut Reads) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(what) => Err(Diagnostic::new(
            "R0325",
            format!("RETURNING takes columns and functions of one row, not {what}"),
        )
        .at(span)
        .help("what was answered is in `SHOW OPERATIONS` as well, which a query can read")
        .into()),
    }
}

/// Whether the rows say how each target ended. Who asks for something else, as programs do that make a row and want its key, would
/// take every row for one that was made.
pub(super) fn tells_outcome(items: &[SelectItem]) -> bool {
    struct Looks;
    impl Visitor for Looks {
        type Break = ();
        fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
            let name = match expr {
                Expr::Identifier(name) => Some(name),
                Expr::CompoundIdentifier(parts) => parts.last(),
                _ => None,
            };
            let tells = |name: &Ident| OUTCOME.iter().any(|one| same(one, &name.value));
            match name.is_some_and(tells) {
                true => ControlFlow::Break(()),
                false => ControlFlow::Continue(()),
            }
        }
    }
    let is_all = |item: &SelectItem| {
        matches!(
            item,
            SelectItem::Wildcard(_) | SelectItem::QualifiedWildcard(..)
        )
    };
    items.iter().any(is_all) || items.to_vec().visit(&mut Looks).is_break()
}

fn is_aggregate(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let known = datafusion::functions_aggregate::all_default_aggregate_functions();
    known
        .iter()
        .any(|function| function.name() == name || function.aliases().contains(&name))
}

fn is_text(kind: &DataType) -> bool {
    matches!(
        kind,
        DataType::Varchar(_)
            | DataType::Text
            | DataType::String(_)
            | DataType::Char(_)
            | DataType::CharVarying(_)
    ) || kind.to_string().eq_ignore_ascii_case("json")
}

/// Rows that can be read once.
pub(super) type Once = BoxStream<'static, Result<RecordBatch>>;

/// The plan of `SELECT items FROM` the rows; over no rows if there are none yet.
pub(super) async fn plan(
    session: &Session,
    acting: &Acting,
    items: &[SelectItem],
    rows: Option<Once>,
) -> Result<(LogicalPlan, Names)> {
    let schema = table::folded(acting.schema());
    let rows: Arc<dyn PartitionStream> = Arc::new(Answers {
        schema: Arc::clone(&schema),
        rows: Mutex::new(rows),
    });
    let table: Arc<dyn TableProvider> = Arc::new(StreamingTable::try_new(schema, vec![rows])?);
    let shared = session.shared();
    // A name that nobody can write, and that no other statement of the session has.
    let name = format!("returning {}", address(&table));
    shared.own.register_table(name.clone(), table)?;
    let alias = Ident::with_quote('"', acting.resource.name.clone());
    let statement = source::returning(items.to_vec(), &name, alias);
    let planned = session.plan_statement(&acting.values, statement).await;
    shared.own.deregister_table(&name)?;
    planned
}

/// The address of the table: unique while it lives.
fn address(table: &Arc<dyn TableProvider>) -> usize {
    Arc::as_ptr(table).cast::<()>() as usize
}

struct Answers {
    schema: SchemaRef,
    rows: Mutex<Option<Once>>,
}

impl std::fmt::Debug for Answers {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Answers")
            .field("schema", &self.schema)
            .finish_non_exhaustive()
    }
}

impl PartitionStream for Answers {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn execute(&self, _context: Arc<TaskContext>) -> SendableRecordBatchStream {
        let rows = lock(&self.rows).take();
        let schema = Arc::clone(&self.schema);
        let rows = match rows {
            Some(rows) => rows,
            None => futures::stream::empty().boxed(),
        };
        let renamed = Arc::clone(&schema);
        let rows = rows.map(move |batch| {
            let batch = batch.map_err(datafusion::common::DataFusionError::from)?;
            let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
            let columns = batch.columns().to_vec();
            RecordBatch::try_new_with_options(Arc::clone(&renamed), columns, &options)
                .map_err(Into::into)
        });
        Box::pin(RecordBatchStreamAdapter::new(schema, rows))
    }
}
