//! `count(DISTINCT x)` of a whole relation goes to files where it does not fit: DataFusion groups by `x` first, but only where the aggregate
//! has no other name than its own. What PostgreSQL's meaning made of it has its name put above it here.

use std::sync::Arc;

use datafusion::common::tree_node::Transformed;
use datafusion::common::{Column, Result};
use datafusion::logical_expr::{Aggregate, Expr, LogicalPlan, LogicalPlanBuilder};
use datafusion::optimizer::optimizer::ApplyOrder;
use datafusion::optimizer::{OptimizerConfig, OptimizerRule};

/// The rules with this one among them: before distinct aggregates become groups.
pub fn with_plain_counts(
    mut rules: Vec<Arc<dyn OptimizerRule + Send + Sync>>,
) -> Vec<Arc<dyn OptimizerRule + Send + Sync>> {
    let mut before = rules.iter();
    let before = before.position(|rule| rule.name() == "single_distinct_aggregation_to_group_by");
    rules.insert(before.unwrap_or(0), Arc::new(PlainCounts));
    rules
}

#[derive(Debug)]
struct PlainCounts;

impl OptimizerRule for PlainCounts {
    fn name(&self) -> &str {
        "restable_plain_counts"
    }

    fn apply_order(&self) -> Option<ApplyOrder> {
        Some(ApplyOrder::BottomUp)
    }

    fn rewrite(
        &self,
        plan: LogicalPlan,
        _config: &dyn OptimizerConfig,
    ) -> Result<Transformed<LogicalPlan>> {
        let LogicalPlan::Aggregate(aggregate) = plan else {
            return Ok(Transformed::no(plan));
        };
        if !aggregate.aggr_expr.iter().any(is_renamed) {
            return Ok(Transformed::no(LogicalPlan::Aggregate(aggregate)));
        }
        let shown = Arc::clone(&aggregate.schema);
        let Aggregate {
            input,
            group_expr,
            aggr_expr,
            ..
        } = aggregate;
        let plain = aggr_expr.into_iter().map(Expr::unalias).collect();
        let plain = Aggregate::try_new(input, group_expr, plain)?;
        let columns = plain.schema.columns().into_iter().zip(shown.columns());
        let columns = columns.map(|(inner, outer): (Column, Column)| match inner == outer {
            true => Expr::Column(inner),
            false => Expr::Column(inner).alias_qualified(outer.relation, outer.name),
        });
        let columns: Vec<Expr> = columns.collect();
        let plan = LogicalPlanBuilder::from(LogicalPlan::Aggregate(plain));
        Ok(Transformed::yes(plan.project(columns)?.build()?))
    }
}

/// A distinct aggregate under another name.
fn is_renamed(expr: &Expr) -> bool {
    let Expr::Alias(alias) = expr else {
        return false;
    };
    matches!(&*alias.expr, Expr::AggregateFunction(function) if function.params.distinct)
}
