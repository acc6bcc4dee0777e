//! Subqueries that stand for a value and name columns of the query around them, where DataFusion takes none: in the condition of a join, and
//! in what DISTINCT ON selects. They become a column of the rows that they are asked of, below the join.

use std::sync::Arc;

use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode as _, TreeNodeRecursion};
use datafusion::common::{Column, JoinType, Result};
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::{
    Distinct, DistinctOn, Expr, Join, LogicalPlan, LogicalPlanBuilder, Subquery,
};
use datafusion::optimizer::AnalyzerRule;

/// The rule. It comes first: what stands in the wrong place is refused after all of them.
#[derive(Debug)]
pub struct Lifted;

impl AnalyzerRule for Lifted {
    fn name(&self) -> &'static str {
        "restable_lifted_subqueries"
    }

    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        let mut count = 0;
        plan.transform_up_with_subqueries(|plan| node(plan, &mut count))
            .map(|done| done.data)
    }
}

fn node(plan: LogicalPlan, count: &mut usize) -> Result<Transformed<LogicalPlan>> {
    match plan {
        LogicalPlan::Join(join) if join.filter.as_ref().is_some_and(asks) => joined(join, count),
        LogicalPlan::Distinct(Distinct::On(on)) if on.select_expr.iter().any(asks) => {
            chosen(on, count)
        }
        other => Ok(Transformed::no(other)),
    }
}

fn of(expr: &Expr) -> Option<&Subquery> {
    match expr {
        Expr::ScalarSubquery(subquery) if !subquery.outer_ref_columns.is_empty() => Some(subquery),
        _ => None,
    }
}

fn asks(expr: &Expr) -> bool {
    expr.exists(|part| Ok(of(part).is_some())).unwrap_or(false)
}

/// Whether all columns of the query around a subquery are those of `plan`.
fn is_of(subquery: &Subquery, plan: &LogicalPlan) -> bool {
    subquery.outer_ref_columns.iter().all(|expr| match expr {
        Expr::OuterReferenceColumn(_, column) => plan.schema().has_column(column),
        _ => false,
    })
}

/// The values of subqueries over one plan, as columns beside its own.
struct Values {
    plan: LogicalPlan,
    found: Vec<(Expr, String)>,
}

impl Values {
    fn of(plan: &Arc<LogicalPlan>) -> Values {
        Values {
            plan: LogicalPlan::clone(plan),
            found: Vec::new(),
        }
    }

    /// `expr` with columns for those of its subqueries that are asked of this plan.
    fn taken(&mut self, expr: Expr, count: &mut usize) -> Result<Expr> {
        let done = expr.transform_down(|part| {
            let mine = of(&part).is_some_and(|subquery| is_of(subquery, &self.plan));
            if !mine {
                return Ok(Transformed::no(part));
            }
            let known = self.found.iter().find(|(other, _)| *other == part);
            let name = match known {
                Some((_, name)) => name.clone(),
                None => {
                    *count += 1;
                    let name = format!("__lifted_{count}");
                    self.found.push((part, name.clone()));
                    name
                }
            };
            let column = Expr::Column(Column::new_unqualified(name));
            Ok(Transformed::new(column, true, TreeNodeRecursion::Jump))
        })?;
        Ok(done.data)
    }

    fn plan(self) -> Result<Arc<LogicalPlan>> {
        if self.found.is_empty() {
            return Ok(Arc::new(self.plan));
        }
        let own = self.plan.schema().columns().into_iter().map(Expr::Column);
        let values = self
            .found
            .into_iter()
            .map(|(value, name)| value.alias(name));
        let exprs: Vec<Expr> = own.chain(values).collect();
        let plan = LogicalPlanBuilder::from(self.plan)
            .project(exprs)?
            .build()?;
        Ok(Arc::new(plan))
    }
}

fn joined(join: Join, count: &mut usize) -> Result<Transformed<LogicalPlan>> {
    let whole = matches!(
        join.join_type,
        JoinType::Inner | JoinType::Left | JoinType::Right | JoinType::Full
    );
    let Some(filter) = join.filter.clone().filter(|_| whole) else {
        return Ok(Transformed::no(LogicalPlan::Join(join)));
    };
    let columns = join.schema.columns().into_iter().map(Expr::Column);
    let columns: Vec<Expr> = columns.collect();
    let (mut left, mut right) = (Values::of(&join.left), Values::of(&join.right));
    let filter = left.taken(filter, count)?;
    let filter = right.taken(filter, count)?;
    if left.found.is_empty() && right.found.is_empty() {
        return Ok(Transformed::no(LogicalPlan::Join(join)));
    }
    let better = Join::try_new(
        left.plan()?,
        right.plan()?,
        join.on,
        Some(filter),
        join.join_type,
        join.join_constraint,
        join.null_equality,
        join.null_aware,
    )?;
    let plan = LogicalPlanBuilder::from(LogicalPlan::Join(better));
    Ok(Transformed::yes(plan.project(columns)?.build()?))
}

fn chosen(on: DistinctOn, count: &mut usize) -> Result<Transformed<LogicalPlan>> {
    let mut values = Values::of(&on.input);
    let plan = LogicalPlan::Distinct(Distinct::On(on.clone()));
    let save = NamePreserver::new_for_projection();
    let items = on.select_expr.into_iter().map(|item| {
        let saved = save.save(&item);
        Ok(saved.restore(values.taken(item, count)?))
    });
    let items: Vec<Expr> = items.collect::<Result<_>>()?;
    if values.found.is_empty() {
        return Ok(Transformed::no(plan));
    }
    let better = DistinctOn::try_new(on.on_expr, items, on.sort_expr, values.plan()?)?;
    Ok(Transformed::yes(LogicalPlan::Distinct(Distinct::On(
        better,
    ))))
}
