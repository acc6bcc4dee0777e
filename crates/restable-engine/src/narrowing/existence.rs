//! EXISTS of a subquery that does not name the query around it: one row says all, so that no more than one is taken, and nothing is sorted, grouped or made different
//! to find it. And a LIMIT above a join that keeps all rows of one side, or none, is one of that side.

use std::sync::Arc;

use datafusion::common::tree_node::Transformed;
use datafusion::common::{JoinType, Result};
use datafusion::logical_expr::{
    Distinct, Expr, FetchType, Join, Limit, LogicalPlan, LogicalPlanBuilder, SkipType,
    SubqueryAlias, lit,
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
        let mut join = match plan {
            LogicalPlan::Join(join) => join,
            LogicalPlan::Limit(mut limit) => {
                let below = match (limit.get_skip_type()?, limit.get_fetch_type()?) {
                    (SkipType::Literal(skip), FetchType::Literal(Some(fetch))) => {
                        limited(&limit.input, skip.saturating_add(fetch))
                    }
                    _ => None,
                };
                let found = below.is_some();
                limit.input = below.map_or(limit.input, Arc::new);
                let plan = LogicalPlan::Limit(limit);
                return Ok(Transformed::new_transformed(plan, found));
            }
            other => return Ok(Transformed::no(other)),
        };
        if has_at_most(&join.right, 1) || !only_asks(&join) {
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

/// The plan of which no more rows are taken, if it is a join that keeps all rows of its left side, or none of them.
fn limited(plan: &LogicalPlan, rows: usize) -> Option<LogicalPlan> {
    match plan {
        LogicalPlan::Projection(it) => limited(&it.input, rows).map(|input| {
            let mut projection = it.clone();
            projection.input = Arc::new(input);
            LogicalPlan::Projection(projection)
        }),
        LogicalPlan::SubqueryAlias(it) => limited(&it.input, rows).map(|input| {
            let mut alias = it.clone();
            alias.input = Arc::new(input);
            LogicalPlan::SubqueryAlias(alias)
        }),
        LogicalPlan::Join(join) if keeps_left(join) && !has_at_most(&join.left, rows) => {
            let mut join = join.clone();
            join.left = Arc::new(first_of(join.left, rows));
            Some(LogicalPlan::Join(join))
        }
        _ => None,
    }
}

/// Whether a join has every row of its left side once, or none at all.
fn keeps_left(join: &Join) -> bool {
    let unconditional = join
        .filter
        .as_ref()
        .is_none_or(|filter| *filter == lit(true));
    match join.join_type {
        JoinType::LeftMark => true,
        JoinType::LeftSemi | JoinType::LeftAnti => only_asks(join) && unconditional,
        _ => false,
    }
}

fn first_of(plan: Arc<LogicalPlan>, rows: usize) -> LogicalPlan {
    LogicalPlan::Limit(Limit {
        skip: None,
        fetch: Some(Box::new(lit(i64::try_from(rows).unwrap_or(i64::MAX)))),
        input: plan,
    })
}

/// Whether a plan says by itself that it has so many rows at most.
fn has_at_most(plan: &LogicalPlan, most: usize) -> bool {
    let few = |fetch: Option<usize>| fetch.is_some_and(|rows| rows <= most);
    match plan {
        LogicalPlan::Projection(it) => has_at_most(&it.input, most),
        LogicalPlan::SubqueryAlias(it) => has_at_most(&it.input, most),
        LogicalPlan::Filter(it) => has_at_most(&it.input, most),
        LogicalPlan::Sort(it) => few(it.fetch) || has_at_most(&it.input, most),
        LogicalPlan::Limit(it) => {
            let fetch = it.get_fetch_type();
            matches!(fetch, Ok(FetchType::Literal(rows)) if few(rows))
        }
        LogicalPlan::Aggregate(it) => it.group_expr.is_empty() && most > 0,
        LogicalPlan::TableScan(it) => few(it.fetch),
        LogicalPlan::EmptyRelation(_) => most > 0,
        LogicalPlan::Values(it) => it.values.len() <= most,
        LogicalPlan::Join(it) => keeps_left(it) && has_at_most(&it.left, most),
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
    Ok(first_of(Arc::new(input), 1))
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
