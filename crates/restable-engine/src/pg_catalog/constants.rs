//! Short lists that a statement computes out of nothing but functions, such as the schemas of a path: they are computed before it is
//! planned, since the planner takes no subquery in every place where PostgreSQL does. Others stay subqueries.

use std::ops::ControlFlow;

use arrow::array::{Array as _, AsArray as _};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use datafusion::physical_plan::execute_stream;
use datafusion::sql::sqlparser::ast::{
    Expr, Query, Statement, TableFactor, Value, Visit, VisitMut, Visitor, VisitorMut,
};
use futures::StreamExt as _;

use crate::parameters::Given;
use crate::planning::plan_given;
use crate::shared::Shared;

/// Puts the values of such lists in their place.
pub async fn evaluate(shared: &Shared, statement: &mut Statement) {
    let mut found = Found(Vec::new());
    let _ = Visit::visit(statement, &mut found);
    let mut lists = Lists(Vec::new());
    for query in found.0 {
        if let Some(values) = values(shared, query.clone()).await {
            lists.0.push((query, values));
        }
    }
    if !lists.0.is_empty() {
        let _ = VisitMut::visit(statement, &mut lists);
    }
}

/// Whether a query reads no table.
fn is_constant(query: &Query) -> bool {
    struct Tables(usize);
    impl Visitor for Tables {
        type Break = ();
        fn pre_visit_table_factor(&mut self, factor: &TableFactor) -> ControlFlow<()> {
            match factor {
                TableFactor::Table { args: None, .. } => ControlFlow::Break(()),
                _ => {
                    self.0 += 1;
                    ControlFlow::Continue(())
                }
            }
        }
    }
    let mut tables = Tables(0);
    query.visit(&mut tables).is_continue() && tables.0 > 0
}

/// Queries that read no table.
struct Found(Vec<Query>);

impl Visitor for Found {
    type Break = ();

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
        if let Expr::InSubquery { subquery, .. } = expr
            && is_constant(subquery)
        {
            self.0.push((**subquery).clone());
        }
        ControlFlow::Continue(())
    }
}

/// Queries and their values.
struct Lists(Vec<(Query, Vec<Option<String>>)>);

impl VisitorMut for Lists {
    type Break = ();

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        if let Expr::InSubquery {
            expr: left,
            subquery,
            negated,
        } = expr
            && let Some((_, values)) = self.0.iter().find(|(query, _)| *query == **subquery)
        {
            let text = |value: &Option<String>| match value {
                Some(text) => Expr::Value(Value::SingleQuotedString(text.clone()).into()),
                None => Expr::Value(Value::Null.into()),
            };
            *expr = Expr::InList {
                expr: left.clone(),
                list: values.iter().map(text).collect(),
                negated: *negated,
            };
        }
        ControlFlow::Continue(())
    }
}

/// The values of the first column, if they are few, and of a type that is the same when it is written out.
async fn values(shared: &Shared, query: Query) -> Option<Vec<Option<String>>> {
    /// Values of a short list, and their bytes.
    const FEW: (usize, usize) = (100, 8 << 10);
    let statement = Statement::Query(Box::new(query));
    // What is wrong with it is told where the whole statement is planned; it may use columns from outside as well.
    let (plan, _) = plan_given(shared, &Given::default(), statement)
        .await
        .ok()?;
    let kind = plan.schema().fields().first()?.data_type().clone();
    if !kind.is_integer() && !kind.is_string() {
        return None;
    }
    // Planning happens where there is no runtime: one partition needs none.
    let planning = shared.ground.planning().with_partitions(1);
    let physical = planning.physical(&plan).await.ok()?;
    let mut batches = execute_stream(physical, planning.task()).ok()?;
    let (mut values, mut bytes) = (Vec::new(), 0);
    while let Some(batch) = batches.next().await {
        let texts = cast(batch.ok()?.column(0), &DataType::Utf8).ok()?;
        bytes += texts.get_buffer_memory_size();
        if values.len() + texts.len() > FEW.0 || bytes > FEW.1 {
            return None;
        }
        let texts = texts.as_string::<i32>();
        values.extend(texts.iter().map(|text| text.map(str::to_owned)));
    }
    Some(values)
}
