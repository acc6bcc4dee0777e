//! What a condition below one side of a join says of the other: of `EXISTS (SELECT … WHERE j.vaultName = i.vaultName)`, of LATERAL, of a subquery that is a value,
//! of a view. Rows of the other side that the condition leaves out match none of this one. And what a condition on the column that USING makes of two says of both.

use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TreeNode as _, TreeNodeRecursion};
use datafusion::common::{Column, JoinType, NullEquality, Result};
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::utils::{conjunction, split_conjunction};
use datafusion::logical_expr::{BinaryExpr, Distinct, Expr, Filter, Join, LogicalPlan, Operator};
use datafusion::optimizer::{ApplyOrder, OptimizerConfig, OptimizerRule};

use super::marks::is_constant;
use crate::contradictions::is_blind_to_case;

type Rules = Vec<Arc<dyn OptimizerRule + Send + Sync>>;

/// The rules with this one among them: before conditions are brought down to the tables.
pub fn with_implied(mut rules: Rules) -> Rules {
    let mut before = rules.iter();
    let before = before.position(|rule| rule.name() == "push_down_filter");
    rules.insert(before.unwrap_or(0), Arc::new(ImpliedBelow));
    rules
}

#[derive(Debug)]
struct ImpliedBelow;

impl OptimizerRule for ImpliedBelow {
    fn name(&self) -> &str {
        "restable_implied_below"
    }

    fn apply_order(&self) -> Option<ApplyOrder> {
        Some(ApplyOrder::BottomUp)
    }

    fn rewrite(
        &self,
        plan: LogicalPlan,
        _config: &dyn OptimizerConfig,
    ) -> Result<Transformed<LogicalPlan>> {
        let LogicalPlan::Join(mut join) = plan else {
            return Ok(Transformed::no(plan));
        };
        // Where NULL matches NULL, or changes the whole answer, a row without a key counts.
        if join.null_equality == NullEquality::NullEqualsNull || join.null_aware {
            return Ok(Transformed::no(LogicalPlan::Join(join)));
        }
        let (to_left, to_right) = may_lose(join.join_type);
        let (mut of_left, mut of_right) = (Vec::new(), Vec::new());
        for (left, right) in &join.on {
            let (Some(left), Some(right)) = (column(left), column(right)) else {
                continue;
            };
            let (mut said_left, mut said_right) = (Vec::new(), Vec::new());
            said(&join.left, left, left, &mut said_left);
            said(&join.right, right, right, &mut said_right);
            if to_right {
                of_right.extend(fresh(&said_left, left, right, &said_right));
            }
            if to_left {
                of_left.extend(fresh(&said_right, right, left, &said_left));
            }
        }
        if of_left.is_empty() && of_right.is_empty() {
            return Ok(Transformed::no(LogicalPlan::Join(join)));
        }
        join.left = filtered(join.left, of_left)?;
        join.right = filtered(join.right, of_right)?;
        Ok(Transformed::yes(LogicalPlan::Join(join)))
    }
}

/// Which sides of a join may lose rows that match nothing.
fn may_lose(kind: JoinType) -> (bool, bool) {
    match kind {
        JoinType::Inner | JoinType::LeftSemi | JoinType::RightSemi => (true, true),
        JoinType::Left | JoinType::LeftAnti | JoinType::LeftMark => (false, true),
        JoinType::Right | JoinType::RightAnti | JoinType::RightMark => (true, false),
        JoinType::Full => (false, false),
    }
}

/// The column that is compared, folded or not.
fn column(expr: &Expr) -> Option<&Column> {
    match expr {
        Expr::Column(column) => Some(column),
        Expr::Alias(alias) => column(&alias.expr),
        Expr::ScalarFunction(ScalarFunction { func, args }) if func.name() == "arm_fold" => {
            args.first().and_then(column)
        }
        _ => None,
    }
}

/// Collects the conditions below a plan that compare a column of its rows with constants, in the way of names, as conditions on `shown`.
fn said(plan: &LogicalPlan, of: &Column, shown: &Column, found: &mut Vec<Expr>) {
    match plan {
        LogicalPlan::Filter(filter) => {
            for condition in split_conjunction(&filter.predicate) {
                found.extend(
                    about(condition, of, shown)
                        .filter(|it| !found.contains(it))
                        .into_iter()
                        .collect::<Vec<_>>(),
                );
            }
            said(&filter.input, of, shown, found);
        }
        LogicalPlan::Projection(projection) => {
            let at = projection.schema.maybe_index_of_column(of);
            if let Some(below) = at.and_then(|at| column(&projection.expr[at])) {
                said(&projection.input, below, shown, found);
            }
        }
        LogicalPlan::SubqueryAlias(alias) => {
            if let Some(at) = alias.schema.maybe_index_of_column(of) {
                let below = Column::from(alias.input.schema().qualified_field(at));
                said(&alias.input, &below, shown, found);
            }
        }
        LogicalPlan::Aggregate(aggregate) => {
            let groups = &aggregate.group_expr;
            let plain = !groups.iter().any(|by| matches!(by, Expr::GroupingSet(_)));
            let at = aggregate.schema.maybe_index_of_column(of);
            let group = at.filter(|_| plain).and_then(|at| groups.get(at));
            if let Some(below) = group.and_then(column) {
                said(&aggregate.input, below, shown, found);
            }
        }
        // Beside a row that is padded there is none: NULL is joined to nothing.
        LogicalPlan::Join(join) => {
            let inputs = [&join.left, &join.right].into_iter();
            let mut with_it = inputs.filter(|input| input.schema().has_column(of));
            if let (Some(input), None) = (with_it.next(), with_it.next()) {
                said(input, of, shown, found);
            }
        }
        LogicalPlan::Sort(it) => said(&it.input, of, shown, found),
        LogicalPlan::Limit(it) => said(&it.input, of, shown, found),
        LogicalPlan::Distinct(Distinct::All(input)) => said(input, of, shown, found),
        LogicalPlan::Window(it) if it.input.schema().has_column(of) => {
            said(&it.input, of, shown, found);
        }
        _ => {}
    }
}

/// The condition, if it compares the column `from` with constants, as one about `to`.
fn about(condition: &Expr, from: &Column, to: &Column) -> Option<Expr> {
    let Expr::ScalarFunction(ScalarFunction { func, args }) = condition else {
        return None;
    };
    let (value, constants) = args.split_first()?;
    let compares = matches!(func.name(), "arm_equal" | "arm_in") && column(value) == Some(from);
    if !compares || !constants.iter().all(is_constant) {
        return None;
    }
    let mut args = args.clone();
    args[0] = Expr::Column(to.clone());
    let func = Arc::clone(func);
    Some(Expr::ScalarFunction(ScalarFunction { func, args }))
}

/// What is said of one column, said of another, without what that is said of already.
fn fresh(said: &[Expr], from: &Column, to: &Column, known: &[Expr]) -> Vec<Expr> {
    let said = said.iter().filter_map(|one| about(one, from, to));
    said.filter(|one| !known.contains(one)).collect()
}

fn filtered(plan: Arc<LogicalPlan>, conditions: Vec<Expr>) -> Result<Arc<LogicalPlan>> {
    Ok(match conjunction(conditions) {
        Some(predicate) => Arc::new(LogicalPlan::Filter(Filter::try_new(predicate, plan)?)),
        None => plan,
    })
}

/// The filter above a full join, where conditions are on the column that USING makes of two: a row of either side has its own value there, so that each side is
/// asked as well. Spelling may differ between the sides, so that only conditions count that do not see it.
pub(super) fn of_merged(mut filter: Filter) -> Result<Filter> {
    let LogicalPlan::Join(join) = filter.input.as_ref() else {
        return Ok(filter);
    };
    if join.join_type != JoinType::Full || join.null_equality == NullEquality::NullEqualsNull {
        return Ok(filter);
    }
    let (mut of_left, mut of_right) = (Vec::new(), Vec::new());
    // Where a key is made of two itself, the condition of the join is not taken apart yet.
    let beside = join.filter.iter().flat_map(split_conjunction);
    let beside = beside.filter_map(|one| match one {
        Expr::BinaryExpr(BinaryExpr { left, op, right }) if *op == Operator::Eq => {
            Some((&**left, &**right))
        }
        _ => None,
    });
    let on = join.on.iter().map(|(left, right)| (left, right));
    for (left, right) in on.chain(beside) {
        for condition in split_conjunction(&filter.predicate) {
            if let Some((left, right)) = unmerged(condition, left, right) {
                of_left.push(left);
                of_right.push(right);
            }
        }
    }
    of_left.retain(|one| !asks(&join.left, one));
    of_right.retain(|one| !asks(&join.right, one));
    if of_left.is_empty() && of_right.is_empty() {
        return Ok(filter);
    }
    let of_side = |side: &Arc<LogicalPlan>, conditions: Vec<Expr>| -> Result<Arc<LogicalPlan>> {
        let Some(predicate) = conjunction(conditions) else {
            return Ok(Arc::clone(side));
        };
        let filter = Filter::try_new(predicate, Arc::clone(side))?;
        Ok(Arc::new(LogicalPlan::Filter(of_merged(filter)?)))
    };
    let join = Join {
        left: of_side(&join.left, of_left)?,
        right: of_side(&join.right, of_right)?,
        ..join.clone()
    };
    filter.input = Arc::new(LogicalPlan::Join(join));
    Ok(filter)
}

/// Whether a plan asks a condition of its rows, last of all.
fn asks(plan: &LogicalPlan, condition: &Expr) -> bool {
    match plan {
        LogicalPlan::Filter(filter) => split_conjunction(&filter.predicate).contains(&condition),
        _ => false,
    }
}

/// A condition on what USING makes of two keys, as one on each of them.
fn unmerged(condition: &Expr, left: &Expr, right: &Expr) -> Option<(Expr, Expr)> {
    let (left, right) = (bare(left), bare(right));
    let is_merged = |part: &Expr| match part {
        Expr::ScalarFunction(ScalarFunction { func, args }) if func.name() == "coalesce" => {
            matches!(args.as_slice(), [one, other] if one == left && other == right)
        }
        _ => false,
    };
    let of = |key: &Expr| {
        let asked = condition.clone().transform_down(|part| {
            Ok(match is_merged(&part) {
                true => Transformed::new(key.clone(), true, TreeNodeRecursion::Jump),
                false => Transformed::no(part),
            })
        });
        asked.ok().filter(|it| it.transformed).map(|it| it.data)
    };
    // A name of its own for it, so that nothing else is asked.
    let alone = of(&Expr::Column(Column::from_name("merged")))?;
    let columns = alone.column_refs();
    let is_alone = columns
        .iter()
        .all(|it| it.relation.is_none() && it.name == "merged");
    let blind = is_blind_to_case(&alone) && !alone.is_volatile();
    (is_alone && blind && !crate::table::has_subquery(condition))
        .then(|| Some((of(left)?, of(right)?)))?
}

fn bare(key: &Expr) -> &Expr {
    match key {
        Expr::ScalarFunction(ScalarFunction { func, args }) if func.name() == "arm_fold" => {
            args.first().unwrap_or(key)
        }
        other => other,
    }
}
