//! EXISTS of a subquery that does not name the query around it: one row says all, so that no more than one is taken, and nothing is sorted, grouped or made different
//! to find it.

use std::sync::Arc;

use datafusion::common::tree_node::Transformed;
use datafusion::common::{JoinType, Result};
use datafusion::logical_expr::{
    Distinct, Expr, FetchType, Join, Limit, LogicalPlan, LogicalPlanBuilder, SubqueryAlias, lit,
};
use datafusion::optimizer::{ApplyOrder, OptimizerConfig, OptimizerRule};

/// The rule. It comes once subqueries are joins, and before limits are brought down to the tables.
#[derive(Debug)]
pub(crate) struct OneRow;

impl OptimizerRule for OneRow {
    fn name(&self) -> &str {
        "restable_one_row"
    }

    fn apply_order(&self) -> Option<ApplyOrder> {
        Some(ApplyOrder::TopDown)
    }

    fn rewrite(
        &self,
        plan: LogicalPlan,
        _config: &dyn OptimizerConfig,
    ) -> Result<Transformed<LogicalPlan>> {
        let LogicalPlan::Join(mut join) = plan else {
            return Ok(Transformed::no(plan));
        };
        if has_one_at_most(&join.right) || !only_asks(&join) {
            return Ok(Transformed::no(LogicalPlan::Join(join)));
        }
        join.right = Arc::new(one_row(&join.right)?);
        Ok(Transformed::yes(LogicalPlan::Join(join)))
    }
}

/// Whether all that a join asks of its right side is whether it has a row.
fn only_asks(join: &Join) -> bool {
    let kind = join.join_type;
    let right = join.right.schema();
    let asks = |expr: &Expr| {
        let columns = expr.column_refs();
        expr.is_volatile() || columns.iter().any(|column| right.has_column(column))
    };
    matches!(
        kind,
        JoinType::LeftSemi | JoinType::LeftAnti | JoinType::LeftMark
    ) && !join.null_aware
        && join.on.is_empty()
        && !join.filter.as_ref().is_some_and(asks)
}

/// Whether a plan says by itself that it has one row at most.
fn has_one_at_most(plan: &LogicalPlan) -> bool {
    let few = |fetch: Option<usize>| fetch.is_some_and(|rows| rows <= 1);
    match plan {
        LogicalPlan::Projection(it) => has_one_at_most(&it.input),
        LogicalPlan::SubqueryAlias(it) => has_one_at_most(&it.input),
        LogicalPlan::Filter(it) => has_one_at_most(&it.input),
        LogicalPlan::Sort(it) => few(it.fetch) || has_one_at_most(&it.input),
        LogicalPlan::Limit(it) => {
            let fetch = it.get_fetch_type();
            matches!(fetch, Ok(FetchType::Literal(rows)) if few(rows))
        }
        LogicalPlan::Aggregate(it) => it.group_expr.is_empty(),
        LogicalPlan::TableScan(it) => few(it.fetch),
        LogicalPlan::EmptyRelation(_) => true,
        LogicalPlan::Values(it) => it.values.len() <= 1,
        _ => false,
    }
}

/// A row of a plan, under the name that the plan has.
fn one_row(plan: &LogicalPlan) -> Result<LogicalPlan> {
    if let LogicalPlan::SubqueryAlias(alias) = plan {
        let one = one_row(&alias.input)?;
        let alias = SubqueryAlias::try_new(Arc::new(one), alias.alias.clone())?;
        return Ok(LogicalPlan::SubqueryAlias(alias));
    }
    let input = match bare(plan) {
        Some(bare) => LogicalPlanBuilder::from(bare.clone())
            .project(vec![lit(1_i64).alias("exists")])?
            .build()?,
        None => plan.clone(),
    };
    Ok(LogicalPlan::Limit(Limit {
        skip: None,
        fetch: Some(Box::new(lit(1_i64))),
        input: Arc::new(input),
    }))
}

/// What has a row where a plan has one, if that is less than the plan.
fn bare(plan: &LogicalPlan) -> Option<&LogicalPlan> {
    let input = match plan {
        LogicalPlan::Projection(it) => return bare(&it.input),
        LogicalPlan::SubqueryAlias(it) => return bare(&it.input),
        LogicalPlan::Window(it) => &it.input,
        LogicalPlan::Sort(it) if it.fetch.is_none() => &it.input,
        LogicalPlan::Distinct(Distinct::All(input)) => input,
        LogicalPlan::Aggregate(it) if is_grouped(&it.group_expr) => &it.input,
        _ => return None,
    };
    Some(bare(input).unwrap_or(input))
}

/// Whether there is a group for each row, and none where there is no row.
fn is_grouped(by: &[Expr]) -> bool {
    !by.is_empty() && !by.iter().any(|one| matches!(one, Expr::GroupingSet(_)))
}
