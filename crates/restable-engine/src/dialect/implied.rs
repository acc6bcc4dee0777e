//! What a condition on one side of a join says of the other: `a.vaultName = 'x'` with `a.vaultName = b.vaultName`
//! narrows `b` as well. It only ever adds what follows; DataFusion does the same, but not through a fold.
//! Conditions above a join are spread before subqueries are joins, those below one while plans are optimized:
//! of EXISTS, LATERAL and views, too.

use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{JoinType, Result};
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::utils::{conjunction, split_conjunction};
use datafusion::logical_expr::{BinaryExpr, Expr, Filter, LogicalPlan, Operator};

/// Adds to a filter above joins what its conditions imply for columns that the joins hold equal.
pub fn spread(mut filter: Filter) -> Result<Filter> {
    let mut equal = Vec::new();
    joined(&filter.input, &mut equal);
    let mut conditions: Vec<Expr> = split_conjunction(&filter.predicate)
        .into_iter()
        .cloned()
        .collect();
    let written = conditions.len();
    for (left, right) in conditions.iter().filter_map(equality) {
        equal.push((left.clone(), right.clone()));
        equal.push((right, left));
    }
    if equal.is_empty() {
        return Ok(filter);
    }
    let mut at = 0;
    while at < conditions.len() {
        for (from, to) in &equal {
            if let Some(implied) = about(&conditions[at], from, to)
                && !conditions.contains(&implied)
            {
                conditions.push(implied);
            }
        }
        at += 1;
    }
    if conditions.len() > written
        && let Some(predicate) = conjunction(conditions)
    {
        filter.predicate = predicate;
    }
    Ok(filter)
}

/// The pairs of columns that joins hold equal when folded: where a comparison of the first with a constant is true, so is
/// that of the second. A row that an outer join padded has NULL in the first, and no comparison with NULL is true.
fn joined(plan: &LogicalPlan, equal: &mut Vec<(Expr, Expr)>) {
    let LogicalPlan::Join(join) = plan else {
        return;
    };
    // Which side no row of the join is padded on, and so may be told of.
    let (left_is_whole, right_is_whole) = match join.join_type {
        JoinType::Inner => (true, true),
        JoinType::Left => (true, false),
        JoinType::Right => (false, true),
        JoinType::Full => (false, false),
        // One side is not seen above the join.
        _ => return,
    };
    let keys = join.on.iter();
    let keys = keys.filter_map(|(left, right)| Some((folded(left)?, folded(right)?)));
    let filter = join.filter.iter().flat_map(split_conjunction);
    for (left, right) in keys {
        if left_is_whole {
            equal.push((right.clone(), left.clone()));
        }
        if right_is_whole {
            equal.push((left, right));
        }
    }
    // An equality in the filter may name its sides in either order.
    if join.join_type == JoinType::Inner {
        for (left, right) in filter.filter_map(equality) {
            equal.push((right.clone(), left.clone()));
            equal.push((left, right));
        }
    }
    joined(&join.left, equal);
    joined(&join.right, equal);
}

fn equality(condition: &Expr) -> Option<(Expr, Expr)> {
    match condition {
        Expr::BinaryExpr(BinaryExpr {
            left,
            op: Operator::Eq,
            right,
        }) => Some((folded(left)?, folded(right)?)),
        _ => None,
    }
}

/// The column under a fold.
fn folded(expr: &Expr) -> Option<Expr> {
    match expr {
        Expr::ScalarFunction(ScalarFunction { func, args }) if func.name() == "arm_fold" => args
            .first()
            .filter(|arg| matches!(arg, Expr::Column(_)))
            .cloned(),
        _ => None,
    }
}

/// The condition, if it compares the column `from` with constants, as one about `to`.
fn about(condition: &Expr, from: &Expr, to: &Expr) -> Option<Expr> {
    let Expr::ScalarFunction(ScalarFunction { func, args }) = condition else {
        return None;
    };
    let compares = matches!(func.name(), "arm_equal" | "arm_in") && args.first() == Some(from);
    if !compares || !args[1..].iter().all(super::marks::is_constant) {
        return None;
    }
    condition
        .clone()
        .transform_up(|part| {
            Ok(if part == *from {
                Transformed::yes(to.clone())
            } else {
                Transformed::no(part)
            })
        })
        .ok()
        .map(|done| done.data)
}
