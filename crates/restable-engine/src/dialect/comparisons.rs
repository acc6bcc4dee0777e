//! The comparisons of restable: ids and names of scopes fold ASCII case wherever they are compared, and JSON text is cast
//! where it meets numbers or booleans. Refuses nothing; what it does not know stays as DataFusion understands it. To
//! apply it twice changes nothing.

use std::sync::Arc;

use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Column, DFSchema, Result};
use datafusion::execution::memory_pool::MemoryPool;
use datafusion::logical_expr::expr::{
    InList, InSubquery, Like, ScalarFunction, SetComparison, SetQuantifier,
};
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::utils::{conjunction, split_conjunction_owned};
use datafusion::logical_expr::{
    Between, BinaryExpr, Expr, ExprSchemable, Filter, Join, JoinConstraint, LogicalPlan,
    LogicalPlanBuilder, Operator, Subquery,
};
use datafusion::optimizer::AnalyzerRule;

use super::marks::{
    cast_json, cast_json_beside, compares, fold, folds, is_constant, is_interval, is_text,
};
use super::refusals::{refuse_list, refuse_mixed, refuse_pair};
use super::{forms, implied, implied_below, kept, meant};
use crate::functions::{Function, call, plain, single, spans};
use crate::zone::{self, zone_name};

/// Makes comparisons of ids and scope names fold ASCII case, and casts JSON text that meets numbers or booleans.
#[derive(Debug)]
pub struct Comparisons;

impl AnalyzerRule for Comparisons {
    fn analyze(&self, plan: LogicalPlan, config: &ConfigOptions) -> Result<LogicalPlan> {
        let (zone, pool) = (zone_name(config), zone::pool(config));
        plan.transform_up_with_subqueries(|plan| rewrite_plan(plan, zone, pool))
            .map(|done| done.data)
    }

    fn name(&self) -> &'static str {
        "restable_comparisons"
    }
}

fn rewrite_plan(
    plan: LogicalPlan,
    zone: &str,
    pool: Option<&Arc<dyn MemoryPool>>,
) -> Result<Transformed<LogicalPlan>> {
    let mut schema = DFSchema::empty();
    for input in plan.inputs() {
        schema.merge(input.schema());
    }
    if plan.inputs().is_empty() {
        schema = plan.schema().as_ref().clone();
    }
    let plan = match plan {
        LogicalPlan::Join(join) => LogicalPlan::Join(fold_keys(join, &schema)?),
        LogicalPlan::Sort(mut sort) => {
            let keys = sort.expr.into_iter();
            let keys = keys.map(|key| Ok(meant::sort_key(key, &schema)?.data));
            sort.expr = keys.collect::<Result<_>>()?;
            LogicalPlan::Sort(sort)
        }
        other => other,
    };
    let names = NamePreserver::new(&plan);
    let computes = matches!(
        plan,
        LogicalPlan::Projection(_) | LogicalPlan::Aggregate(_) | LogicalPlan::Window(_)
    );
    let plan = plan.map_expressions(|expr| {
        let name = names.save(&expr);
        let rewritten = expr.transform_up(|expr| {
            meant::rewrite(expr, &schema, zone, pool)?.transform_data(|expr| rewrite(expr, &schema))
        })?;
        Ok(rewritten.update_data(|expr| match computes {
            true => named(name.restore(expr)),
            false => name.restore(expr),
        }))
    })?;
    // What was rewritten below may have changed what its columns are.
    let plan = kept::keep_marks(plan.data.recompute_schema()?, &schema)?;
    let plan = match plan {
        LogicalPlan::Filter(filter) => {
            let filter = implied_below::of_merged(implied::spread(filter)?)?;
            name_folded_columns(filter)?
        }
        other => other,
    };
    Ok(Transformed::yes(plan))
}

/// `x <= ALL (SELECT …)` under the name that it has: what DataFusion makes of it later has another.
fn named(expr: Expr) -> Expr {
    let compares = expr.exists(|part| Ok(matches!(part, Expr::SetComparison(_))));
    if matches!(expr, Expr::Alias(_)) || !compares.unwrap_or(false) {
        return expr;
    }
    let (relation, name) = expr.qualified_name();
    expr.alias_qualified(relation, name)
}

/// A subquery is joined to its outer query only by columns: a folded column that it compares with the outer query's is
/// computed below the filter, under a name.
fn name_folded_columns(filter: Filter) -> Result<LogicalPlan> {
    let mut computed: Vec<Expr> = Vec::new();
    let mut named = |side: Expr, other: &Expr| -> Expr {
        let Expr::ScalarFunction(ScalarFunction { func, args }) = &side else {
            return side;
        };
        let [Expr::Column(column)] = args.as_slice() else {
            return side;
        };
        if func.name() != "arm_fold" || !other.contains_outer() || other.any_column_refs() {
            return side;
        }
        let name = format!("{}:folded", column.flat_name());
        if !computed
            .iter()
            .any(|known| known.name_for_alias().is_ok_and(|known| known == name))
        {
            computed.push(side.alias(&name));
        }
        Expr::Column(Column::from_name(name))
    };
    let conditions: Vec<Expr> = split_conjunction_owned(filter.predicate.clone())
        .into_iter()
        .map(|condition| match condition {
            Expr::BinaryExpr(BinaryExpr {
                left,
                op: Operator::Eq,
                right,
            }) => {
                let left = named(*left, &right);
                let right = named(*right, &left);
                Expr::BinaryExpr(BinaryExpr::new(
                    Box::new(left),
                    Operator::Eq,
                    Box::new(right),
                ))
            }
            other => other,
        })
        .collect();
    let Some(predicate) = conjunction(conditions) else {
        return Ok(LogicalPlan::Filter(filter));
    };
    if computed.is_empty() {
        return Ok(LogicalPlan::Filter(filter));
    }
    let columns = filter
        .input
        .schema()
        .columns()
        .into_iter()
        .map(Expr::Column);
    let columns: Vec<Expr> = columns.chain(computed).collect();
    LogicalPlanBuilder::from(filter.input)
        .project(columns)?
        .filter(predicate)?
        .build()
}

/// `ON a.vaultName = b.vaultName` and `USING (vaultName)` join on the folded names.
fn fold_keys(mut join: Join, schema: &DFSchema) -> Result<Join> {
    let (above, below) = (join.left.schema(), join.right.schema());
    for (left, right) in &mut join.on {
        refuse_pair(Operator::Eq, (left, above), (right, below))?;
        if folds(left, schema) || folds(right, schema) {
            *left = fold(left.clone());
            *right = fold(right.clone());
            // USING wants plain columns; what it merges was settled when names were resolved.
            join.join_constraint = JoinConstraint::On;
        } else if is_interval(left, schema) && is_interval(right, schema) {
            *left = spans::order().call(vec![left.clone()]);
            *right = spans::order().call(vec![right.clone()]);
            join.join_constraint = JoinConstraint::On;
        }
    }
    Ok(join)
}

fn rewrite(expr: Expr, schema: &DFSchema) -> Result<Transformed<Expr>> {
    Ok(match expr {
        Expr::BinaryExpr(comparison) => binary(comparison, schema)?,
        Expr::InList(list) => in_list(list, schema)?,
        Expr::Case(case) => forms::case(case, schema)?,
        Expr::ScalarFunction(function) if function.func.name().starts_with("json_") => {
            forms::json_value(function, schema)?
        }
        Expr::ScalarFunction(function) => forms::function(function, schema)?,
        function @ (Expr::AggregateFunction(_) | Expr::WindowFunction(_)) => {
            forms::distinct(function, schema)
        }
        Expr::Like(like)
            if !like.case_insensitive
                && (folds(&like.expr, schema) || folds(&like.pattern, schema)) =>
        {
            // ILIKE would fold more than ASCII.
            Transformed::yes(Expr::Like(Like {
                expr: Box::new(fold(*like.expr)),
                pattern: Box::new(fold(*like.pattern)),
                ..like
            }))
        }
        Expr::InSubquery(InSubquery {
            expr,
            subquery,
            negated,
        }) => {
            let compared = with_subquery(*expr, Operator::Eq, subquery, schema)?;
            compared.update_data(|(expr, subquery)| {
                Expr::InSubquery(InSubquery::new(Box::new(expr), subquery, negated))
            })
        }
        Expr::SetComparison(compared) if is_in(&compared) => {
            let negated = compared.op == Operator::NotEq;
            let found = InSubquery::new(compared.expr, compared.subquery, negated);
            Transformed::yes(rewrite(Expr::InSubquery(found), schema)?.data)
        }
        Expr::SetComparison(SetComparison {
            expr,
            subquery,
            op,
            quantifier,
        }) if is_equality(op) || is_order(op) => {
            let compared = with_subquery(*expr, op, subquery, schema)?;
            let renamed = compared.transform_data(|(expr, subquery)| {
                renamed(subquery).map(|subquery| subquery.update_data(|it| (expr, it)))
            })?;
            renamed.update_data(|(expr, subquery)| {
                let expr = Box::new(expr);
                Expr::SetComparison(SetComparison::new(expr, subquery, op, quantifier))
            })
        }
        // Of no rows a subquery is NULL, whatever its column says.
        Expr::ScalarSubquery(subquery) if may_be_empty(&subquery) => {
            let row = Expr::from(subquery.subquery.schema().qualified_field(0));
            let value = plain::known().call(vec![row]);
            Transformed::yes(Expr::ScalarSubquery(projected(subquery, value)?))
        }
        // Of each row around it, a subquery has one row or none.
        Expr::ScalarSubquery(subquery) if may_be_many(&subquery) => {
            let row = Expr::from(subquery.subquery.schema().qualified_field(0));
            let one = single::single().call(vec![row]);
            let plan = Arc::unwrap_or_clone(subquery.subquery);
            let plan = LogicalPlanBuilder::from(plan).aggregate(Vec::<Expr>::new(), vec![one])?;
            Transformed::yes(Expr::ScalarSubquery(Subquery {
                subquery: Arc::new(plan.build()?),
                ..subquery
            }))
        }
        Expr::Between(between) => {
            let mut sides = [*between.expr, *between.low, *between.high];
            let folded = sides.iter().any(|side| folds(side, schema))
                && sides.iter().all(|side| is_text(side, schema));
            let mut rewritten = folded;
            if folded {
                sides = sides.map(fold);
            } else {
                rewritten = cast_json(&mut sides, schema);
                refuse_list(&sides, schema)?;
            }
            let [expr, low, high] = sides.map(Box::new);
            let between = Between::new(expr, between.negated, low, high);
            changed(Expr::Between(between), rewritten)
        }
        other => Transformed::no(other),
    })
}

/// `x = ANY (SELECT …)` is `x IN (SELECT …)`, which narrows, and `x <> ALL (SELECT …)` is NOT IN.
fn is_in(compared: &SetComparison) -> bool {
    matches!(
        (compared.op, &compared.quantifier),
        (Operator::Eq, SetQuantifier::Any) | (Operator::NotEq, SetQuantifier::All)
    )
}

/// Whether a subquery that says that it is never NULL may have no row.
fn may_be_empty(subquery: &Subquery) -> bool {
    let schema = subquery.subquery.schema();
    let field = schema.field(0);
    subquery.outer_ref_columns.is_empty()
        && !field.is_nullable()
        && field.metadata().is_empty()
        && !has_a_row(&subquery.subquery)
}

/// Whether a subquery that names the query around it does not say by itself that it has one row at most. What is below a limit cannot be
/// joined, and stays as it is.
fn may_be_many(subquery: &Subquery) -> bool {
    let plan = &subquery.subquery;
    let limited = plan.exists(|part| Ok(matches!(part, LogicalPlan::Limit(_))));
    let many = plan.max_rows().is_none_or(|rows| rows > 1);
    !subquery.outer_ref_columns.is_empty()
        && plan.schema().fields().len() == 1
        && many
        && !limited.unwrap_or(true)
        && !is_grouped(plan)
}

fn is_grouped(plan: &LogicalPlan) -> bool {
    match plan {
        LogicalPlan::Aggregate(_) => true,
        LogicalPlan::Projection(it) => is_grouped(&it.input),
        LogicalPlan::SubqueryAlias(it) => is_grouped(&it.input),
        LogicalPlan::Filter(it) => is_grouped(&it.input),
        LogicalPlan::Sort(it) => is_grouped(&it.input),
        _ => false,
    }
}

fn has_a_row(plan: &LogicalPlan) -> bool {
    match plan {
        LogicalPlan::Projection(it) => has_a_row(&it.input),
        LogicalPlan::SubqueryAlias(it) => has_a_row(&it.input),
        LogicalPlan::Aggregate(it) => it.group_expr.is_empty(),
        LogicalPlan::EmptyRelation(it) => it.produce_one_row,
        _ => false,
    }
}

fn changed<T>(data: T, changed: bool) -> Transformed<T> {
    if changed {
        Transformed::yes(data)
    } else {
        Transformed::no(data)
    }
}

fn is_equality(op: Operator) -> bool {
    use Operator::{Eq, IsDistinctFrom, IsNotDistinctFrom, NotEq};
    matches!(op, Eq | NotEq | IsDistinctFrom | IsNotDistinctFrom)
}

fn is_order(op: Operator) -> bool {
    use Operator::{Gt, GtEq, Lt, LtEq};
    matches!(op, Gt | GtEq | Lt | LtEq)
}

pub(super) fn binary(comparison: BinaryExpr, schema: &DFSchema) -> Result<Transformed<Expr>> {
    let BinaryExpr { left, op, right } = comparison;
    let (left, right) = (*left, *right);
    if let Some(compared) = forms::rows(&left, op, &right, schema)? {
        return Ok(Transformed::yes(compared));
    }
    let plain =
        |left, right| Expr::BinaryExpr(BinaryExpr::new(Box::new(left), op, Box::new(right)));
    // Which of two names comes first depends on their spelling as little as whether they are one.
    let folded = (is_equality(op) || is_order(op))
        && (folds(&left, schema) || folds(&right, schema))
        && is_text(&left, schema)
        && is_text(&right, schema);
    if !folded {
        let mut sides = [left, right];
        let cast = compares(op) && cast_json(&mut sides, schema);
        refuse_mixed(op, &sides, schema)?;
        let [left, right] = sides;
        return Ok(changed(plain(left, right), cast));
    }
    // The function keeps the spelling of a constant, so that it reaches the request as it was written.
    Ok(Transformed::yes(
        match (op, is_constant(&left), is_constant(&right)) {
            (Operator::Eq, _, true) => call(Function::ArmEqual, vec![left, right]),
            (Operator::Eq, true, false) => call(Function::ArmEqual, vec![right, left]),
            _ => plain(fold(left), fold(right)),
        },
    ))
}

pub(super) fn in_list(list: InList, schema: &DFSchema) -> Result<Transformed<Expr>> {
    if let Some(compared) = forms::rows_in(&list, schema)? {
        return Ok(Transformed::yes(compared));
    }
    let InList {
        expr,
        list,
        negated,
    } = list;
    let mut sides = vec![*expr];
    sides.extend(list);
    // A list of texts may name columns of ids: `'x' IN (vaultName, name)`.
    let folded = folds(&sides[0], schema)
        || (sides[1..].iter().any(|item| folds(item, schema))
            && sides.iter().all(|side| is_text(side, schema)));
    if folded {
        let found = call(Function::ArmIn, sides);
        return Ok(Transformed::yes(if negated {
            Expr::Not(Box::new(found))
        } else {
            found
        }));
    }
    let cast = cast_json(&mut sides, schema);
    refuse_list(&sides, schema)?;
    let list = sides.split_off(1);
    let expr = Box::new(sides.remove(0));
    Ok(changed(
        Expr::InList(InList::new(expr, list, negated)),
        cast,
    ))
}

/// A value compared with the rows of a subquery: both fold if either is marked, and JSON is cast on either side.
fn with_subquery(
    expr: Expr,
    op: Operator,
    subquery: Subquery,
    schema: &DFSchema,
) -> Result<Transformed<(Expr, Subquery)>> {
    let inner = subquery.subquery.schema();
    if inner.fields().len() != 1 {
        return Ok(Transformed::no((expr, subquery)));
    }
    let row = Expr::Column(Column::from(inner.qualified_field(0)));
    let folded = (folds(&expr, schema) || folds(&row, inner))
        && is_text(&expr, schema)
        && is_text(&row, inner);
    if folded {
        let subquery = projected(subquery, fold(row))?;
        return Ok(Transformed::yes((fold(expr), subquery)));
    }
    if is_interval(&expr, schema) && is_interval(&row, inner) {
        let subquery = projected(subquery, spans::order().call(vec![row]))?;
        return Ok(Transformed::yes((
            spans::order().call(vec![expr]),
            subquery,
        )));
    }
    if let Some(cast) = cast_json_beside(&expr, &row.get_type(inner)?, schema) {
        return Ok(Transformed::yes((cast, subquery)));
    }
    if let Some(cast) = cast_json_beside(&row, &expr.get_type(schema)?, inner) {
        let subquery = projected(subquery, cast)?;
        return Ok(Transformed::yes((expr, subquery)));
    }
    refuse_pair(op, (&expr, schema), (&row, inner))?;
    Ok(Transformed::no((expr, subquery)))
}

/// What ends the name of a column that is compared with one of the query around it.
const COMPARED: &str = ":compared";

/// The subquery with its column under a name that no column around it has: of `x <= ALL (SELECT x FROM …)` DataFusion makes one condition,
/// in which both would be the same column.
fn renamed(subquery: Subquery) -> Result<Transformed<Subquery>> {
    let inner = subquery.subquery.schema();
    let (relation, field) = inner.qualified_field(0);
    if inner.fields().len() != 1 || relation.is_none() && field.name().ends_with(COMPARED) {
        return Ok(Transformed::no(subquery));
    }
    let row = Expr::Column(Column::from((relation, field)));
    projected(subquery, row).map(Transformed::yes)
}

/// The subquery with another value in each row. Its column has a name of its own: DataFusion takes an expression over a
/// column and the column under one name for the same.
fn projected(subquery: Subquery, value: Expr) -> Result<Subquery> {
    let name = format!("{}{COMPARED}", subquery.subquery.schema().field(0).name());
    let inner = Arc::unwrap_or_clone(subquery.subquery);
    let plan = LogicalPlanBuilder::from(inner)
        .project(vec![value.alias(name)])?
        .build()?;
    Ok(Subquery {
        subquery: Arc::new(plan),
        ..subquery
    })
}
