//! Outer joins none of whose padded rows can be wanted: what is asked of a side, above the join, is not true of NULL. They become left, right or inner joins, of
//! which more is narrowed. DataFusion does this for operators that it knows to be strict; here the conditions are asked what NULL makes of them, so that lists of
//! names, functions, CASE and OR count as well, and so do the keys of the joins above.

use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TreeNode as _};
use datafusion::common::{Column, DFSchema, JoinType, NullEquality, Result, ScalarValue};
use datafusion::logical_expr::utils::split_conjunction;
use datafusion::logical_expr::{Expr, Join, LogicalPlan};
use datafusion::optimizer::eliminate_outer_join::eliminate_outer;
use datafusion::optimizer::simplify_expressions::{ExprSimplifier, SimplifyContext};
use datafusion::optimizer::{ApplyOrder, OptimizerConfig, OptimizerRule};

use crate::contradictions::outcomes;
use crate::table::has_subquery;

/// The rule. It comes beside DataFusion's own for the same.
#[derive(Debug)]
pub(crate) struct PaddedRows;

impl OptimizerRule for PaddedRows {
    fn name(&self) -> &str {
        "restable_padded_rows"
    }

    fn apply_order(&self) -> Option<ApplyOrder> {
        Some(ApplyOrder::TopDown)
    }

    fn rewrite(
        &self,
        plan: LogicalPlan,
        config: &dyn OptimizerConfig,
    ) -> Result<Transformed<LogicalPlan>> {
        match plan {
            LogicalPlan::Filter(mut filter) => {
                let asked = split_conjunction(&filter.predicate).into_iter().cloned();
                let input = without(&filter.input, &asked.collect::<Vec<_>>(), config)?;
                let reduced = input.is_some();
                filter.input = input.unwrap_or(filter.input);
                let plan = LogicalPlan::Filter(filter);
                Ok(Transformed::new_transformed(plan, reduced))
            }
            LogicalPlan::Join(mut join) => {
                let (left, right) = matched(&join);
                let left = without(&join.left, &left, config)?;
                let right = without(&join.right, &right, config)?;
                let reduced = left.is_some() || right.is_some();
                join.left = left.unwrap_or(join.left);
                join.right = right.unwrap_or(join.right);
                Ok(Transformed::new_transformed(
                    LogicalPlan::Join(join),
                    reduced,
                ))
            }
            other => Ok(Transformed::no(other)),
        }
    }
}

/// What is true of the rows of each side of a join that are not lost: they match a row of the other.
fn matched(join: &Join) -> (Vec<Expr>, Vec<Expr>) {
    let nulls_match = join.null_equality == NullEquality::NullEqualsNull || join.null_aware;
    let filter = join.filter.iter().flat_map(split_conjunction).cloned();
    let filter: Vec<Expr> = filter.collect();
    let keys = |of: fn(&(Expr, Expr)) -> &Expr| -> Vec<Expr> {
        let on = join.on.iter().filter(|_| !nulls_match);
        let keys = on.map(|pair| of(pair).clone().is_not_null());
        keys.chain(filter.iter().filter(|_| !join.null_aware).cloned())
            .collect()
    };
    let (left, right) = match join.join_type {
        JoinType::Inner | JoinType::LeftSemi | JoinType::RightSemi => (true, true),
        JoinType::Left | JoinType::LeftAnti | JoinType::LeftMark => (false, true),
        JoinType::Right | JoinType::RightAnti | JoinType::RightMark => (true, false),
        JoinType::Full => (false, false),
    };
    let of_side = |may_lose: bool, of| if may_lose { keys(of) } else { Vec::new() };
    (
        of_side(left, |(left, _)| left),
        of_side(right, |(_, right)| right),
    )
}

/// The plan without padded rows of which the conditions, over its rows, are not true; `None` if it has none such.
fn without(
    plan: &Arc<LogicalPlan>,
    conditions: &[Expr],
    config: &dyn OptimizerConfig,
) -> Result<Option<Arc<LogicalPlan>>> {
    if conditions.is_empty() {
        return Ok(None);
    }
    let below = |columns: &dyn Fn(&Column) -> Option<Expr>| -> Vec<Expr> {
        let below = conditions.iter();
        below.filter_map(|one| replaced(one, columns)).collect()
    };
    Ok(match plan.as_ref() {
        LogicalPlan::Projection(projection) => {
            let conditions = below(&|column| {
                let at = projection.schema.maybe_index_of_column(column)?;
                Some(projection.expr[at].clone().unalias())
            });
            without(&projection.input, &conditions, config)?.map(|input| {
                let mut projection = projection.clone();
                projection.input = input;
                Arc::new(LogicalPlan::Projection(projection))
            })
        }
        LogicalPlan::SubqueryAlias(alias) => {
            let conditions = below(&|column| {
                let at = alias.schema.maybe_index_of_column(column)?;
                Some(Expr::from(alias.input.schema().qualified_field(at)))
            });
            without(&alias.input, &conditions, config)?.map(|input| {
                let mut alias = alias.clone();
                alias.input = input;
                Arc::new(LogicalPlan::SubqueryAlias(alias))
            })
        }
        LogicalPlan::Join(join) if join.join_type.is_outer() => {
            let rejects = |side: &DFSchema| rejects(conditions, side, join, config);
            let (left, right) = (rejects(join.left.schema()), rejects(join.right.schema()));
            let kind = eliminate_outer(join.join_type, left, right);
            (kind != join.join_type).then(|| {
                let mut join = join.clone();
                join.join_type = kind;
                Arc::new(LogicalPlan::Join(join))
            })
        }
        _ => None,
    })
}

/// An expression over other columns.
fn replaced(expr: &Expr, columns: &dyn Fn(&Column) -> Option<Expr>) -> Option<Expr> {
    let mut known = true;
    let replaced = expr.clone().transform_up(|part| {
        let Expr::Column(column) = &part else {
            return Ok(Transformed::no(part));
        };
        Ok(match columns(column) {
            Some(value) => Transformed::yes(value),
            None => {
                known = false;
                Transformed::no(part)
            }
        })
    });
    replaced.ok().filter(|_| known).map(|it| it.data)
}

/// Whether one of the conditions is not true of a row whose columns of one side are all NULL.
fn rejects(
    conditions: &[Expr],
    side: &DFSchema,
    join: &Join,
    config: &dyn OptimizerConfig,
) -> bool {
    let context = SimplifyContext::builder()
        .with_schema(Arc::clone(&join.schema))
        .with_config_options(config.options())
        .build();
    let simplifier = ExprSimplifier::new(context);
    conditions.iter().any(|condition| {
        let columns = condition.column_refs();
        let is_asked = columns.iter().any(|column| side.has_column(column));
        if !is_asked || condition.is_volatile() || has_subquery(condition) {
            return false;
        }
        let padded = condition.clone().transform_up(|part| {
            let Expr::Column(column) = &part else {
                return Ok(Transformed::no(part));
            };
            let Some(at) = side.maybe_index_of_column(column) else {
                return Ok(Transformed::no(part));
            };
            let null = ScalarValue::try_from(side.field(at).data_type())?;
            Ok(Transformed::yes(Expr::Literal(null, None)))
        });
        let Ok(padded) = padded else { return false };
        let simple = simplifier.simplify(padded.data);
        simple.is_ok_and(|simple| !outcomes(&simple, &|_| false).yes)
    })
}
