//! Joins by `IS NOT DISTINCT FROM`. DataFusion makes keys of such conditions for which NULL is the same as NULL, and so says of the whole
//! join; its rules then add other conditions to these keys, or put several joins together, and rows come out that have NULL where `=` was
//! asked. Here such keys are made last, when nothing is added any more.

use std::sync::Arc;

use datafusion::common::tree_node::Transformed;
use datafusion::common::{NullEquality, Result};
use datafusion::logical_expr::utils::{conjunction, split_conjunction_owned};
use datafusion::logical_expr::{BinaryExpr, Expr, Join, LogicalPlan, Operator};
use datafusion::optimizer::extract_equijoin_predicate::ExtractEquijoinPredicate;
use datafusion::optimizer::optimizer::ApplyOrder;
use datafusion::optimizer::{OptimizerConfig, OptimizerContext, OptimizerRule};

type Rules = Vec<Arc<dyn OptimizerRule + Send + Sync>>;

/// The rules with this one in the place of DataFusion's own.
pub fn with_null_keys(rules: Rules) -> Rules {
    let own: Arc<dyn OptimizerRule + Send + Sync> = Arc::new(KeysOfJoins::default());
    let rules = rules.into_iter();
    let rules = rules.map(|rule| match rule.name() == own.name() {
        true => Arc::clone(&own),
        false => rule,
    });
    rules.collect()
}

/// Makes keys of `IS NOT DISTINCT FROM` in joins that have no others. The plan is not optimized any further.
pub fn null_keys(plan: LogicalPlan) -> Result<LogicalPlan> {
    let rule = ExtractEquijoinPredicate;
    let done = plan.transform_up_with_subqueries(|plan| match &plan {
        LogicalPlan::Join(join) if join.on.is_empty() && join.filter.is_some() => {
            rule.rewrite(plan, &OptimizerContext::new())
        }
        _ => Ok(Transformed::no(plan)),
    })?;
    Ok(done.data)
}

#[derive(Debug, Default)]
struct KeysOfJoins(ExtractEquijoinPredicate);

impl OptimizerRule for KeysOfJoins {
    fn name(&self) -> &str {
        self.0.name()
    }

    fn apply_order(&self) -> Option<ApplyOrder> {
        self.0.apply_order()
    }

    fn rewrite(
        &self,
        plan: LogicalPlan,
        config: &dyn OptimizerConfig,
    ) -> Result<Transformed<LogicalPlan>> {
        let LogicalPlan::Join(mut join) = plan else {
            return Ok(Transformed::no(plan));
        };
        let Some(filter) = join.filter.take() else {
            return Ok(Transformed::no(LogicalPlan::Join(join)));
        };
        // Of set operations: NULL is the same for all of its keys already.
        if join.null_equality == NullEquality::NullEqualsNull && !join.on.is_empty() {
            join.filter = Some(filter);
            return Ok(Transformed::no(LogicalPlan::Join(join)));
        }
        let all = split_conjunction_owned(filter).into_iter();
        let (later, now): (Vec<Expr>, Vec<Expr>) = all.partition(is_same);
        join.filter = conjunction(now);
        let mut done = match join.filter {
            Some(_) => self.0.rewrite(LogicalPlan::Join(join), config)?,
            None => Transformed::no(LogicalPlan::Join(join)),
        };
        if let LogicalPlan::Join(Join { filter, .. }) = &mut done.data {
            *filter = conjunction(filter.take().into_iter().chain(later));
        }
        Ok(done)
    }
}

fn is_same(condition: &Expr) -> bool {
    let op = Operator::IsNotDistinctFrom;
    matches!(condition, Expr::BinaryExpr(BinaryExpr { op: own, .. }) if *own == op)
}
