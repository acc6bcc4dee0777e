//! Lists that a statement computes out of nothing but functions, such as the schemas of a path: they are computed before it is
//! planned, since the planner takes no subquery in every place where PostgreSQL does.

use std::ops::ControlFlow;

use arrow::array::AsArray as _;
use arrow::compute::cast;
use arrow::datatypes::DataType;
use datafusion::physical_plan::collect;
use datafusion::sql::sqlparser::ast::{
    Expr, Query, Statement, TableFactor, Value, Visit, VisitMut, Visitor, VisitorMut,
};

use crate::Result;
use crate::parameters::Given;
use crate::planning::plan_given;
use crate::shared::Shared;

/// Puts the values of such lists in their place.
pub async fn evaluate(shared: &Shared, statement: &mut Statement) -> Result<()> {
    let mut found = Found(Vec::new());
    let _ = Visit::visit(statement, &mut found);
    let mut lists = Vec::with_capacity(found.0.len());
    for query in found.0 {
        lists.push(values(shared, query).await?);
    }
    if !lists.is_empty() {
        let mut lists = Lists(lists.into_iter());
        let _ = VisitMut::visit(statement, &mut lists);
    }
    Ok(())
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

struct Lists(std::vec::IntoIter<Vec<Option<String>>>);

impl VisitorMut for Lists {
    type Break = ();

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        if let Expr::InSubquery {
            expr: left,
            subquery,
            negated,
        } = expr
            && is_constant(subquery)
            && let Some(values) = self.0.next()
        {
            let text = |value: Option<String>| match value {
                Some(text) => Expr::Value(Value::SingleQuotedString(text).into()),
                None => Expr::Value(Value::Null.into()),
            };
            *expr = Expr::InList {
                expr: left.clone(),
                list: values.into_iter().map(text).collect(),
                negated: *negated,
            };
        }
        ControlFlow::Continue(())
    }
}

/// The values of the first column.
async fn values(shared: &Shared, query: Query) -> Result<Vec<Option<String>>> {
    let statement = Statement::Query(Box::new(query));
    let (plan, _) = plan_given(shared, &Given::default(), statement).await?;
    // Planning happens where there is no runtime: one partition needs none.
    let planning = shared.ground.planning().with_partitions(1);
    let physical = planning.physical(&plan).await?;
    let batches = collect(physical, planning.task()).await?;
    let mut values = Vec::new();
    for batch in &batches {
        let texts = cast(batch.column(0), &DataType::Utf8)?;
        let texts = texts.as_string::<i32>();
        values.extend(texts.iter().map(|text| text.map(str::to_owned)));
    }
    Ok(values)
}
