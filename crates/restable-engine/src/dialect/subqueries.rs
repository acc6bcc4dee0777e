//! EXISTS and `x IN (SELECT …)` where a value is wanted, not a condition: in the list of a SELECT, in CASE, in aggregates and below NOT.
//! Each becomes a column that a join marks, so that its rows are read once and none is lost; IN is NULL where SQL says so.

use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::expr::{Exists, InSubquery};
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::utils::{conjunction, split_conjunction, split_conjunction_owned};
use datafusion::logical_expr::{
    Aggregate, BinaryExpr, Case, Expr, ExprSchemable, Filter, LogicalPlan, LogicalPlanBuilder,
    Operator, Projection, Subquery, Window, lit,
};
use datafusion::optimizer::decorrelate_predicate_subquery::DecorrelatePredicateSubquery;
use datafusion::optimizer::{OptimizerConfig, OptimizerRule};
use restable_sql::Diagnostic;

use super::dependent::Dependent;

type Rules = Vec<Arc<dyn OptimizerRule + Send + Sync>>;

/// The rules with this one among them: before conditions become joins.
pub fn with_marks(mut rules: Rules) -> Rules {
    let mut before = rules.iter();
    let before = before.position(|rule| rule.name() == "decorrelate_predicate_subquery");
    let before = before.unwrap_or(0);
    rules.insert(before, Arc::new(Marked));
    rules.insert(before, Arc::new(Dependent));
    rules
}

#[derive(Debug)]
struct Marked;

impl OptimizerRule for Marked {
    fn name(&self) -> &str {
        "restable_marked_subqueries"
    }

    fn rewrite(
        &self,
        plan: LogicalPlan,
        config: &dyn OptimizerConfig,
    ) -> Result<Transformed<LogicalPlan>> {
        plan.transform_up_with_subqueries(|plan| node(plan, config))
    }
}

fn is_asked(expr: &Expr) -> bool {
    let asked = expr.exists(|part| Ok(matches!(part, Expr::Exists(_) | Expr::InSubquery(_))));
    asked.unwrap_or(false)
}

fn node(plan: LogicalPlan, config: &dyn OptimizerConfig) -> Result<Transformed<LogicalPlan>> {
    let wanted = match &plan {
        LogicalPlan::Filter(filter) => is_asked(&filter.predicate),
        LogicalPlan::Projection(Projection { expr, .. }) => expr.iter().any(is_asked),
        LogicalPlan::Aggregate(Aggregate {
            group_expr,
            aggr_expr,
            ..
        }) => group_expr.iter().chain(aggr_expr).any(is_asked),
        LogicalPlan::Window(Window { window_expr, .. }) => window_expr.iter().any(is_asked),
        _ => false,
    };
    if !wanted {
        return Ok(Transformed::no(plan));
    }
    Ok(Transformed::yes(match plan {
        LogicalPlan::Filter(Filter {
            predicate, input, ..
        }) => {
            let conditions = split_conjunction_owned(predicate).into_iter();
            let conditions = conditions.map(|one| condition(one, &input));
            let conditions = conditions.collect::<Result<Vec<_>>>()?;
            let predicate = conjunction(conditions).unwrap_or_else(|| lit(true));
            LogicalPlan::Filter(Filter::try_new(predicate, input)?)
        }
        LogicalPlan::Projection(Projection { expr, input, .. }) => {
            let (expr, input) = marked(expr, &input, config)?;
            LogicalPlan::Projection(Projection::try_new(expr, input)?)
        }
        LogicalPlan::Aggregate(Aggregate {
            group_expr,
            aggr_expr,
            input,
            ..
        }) => {
            let groups = group_expr.len();
            let all = group_expr.into_iter().chain(aggr_expr).collect();
            let (mut groups_and, input) = marked(all, &input, config)?;
            let aggregates = groups_and.split_off(groups);
            LogicalPlan::Aggregate(Aggregate::try_new(input, groups_and, aggregates)?)
        }
        LogicalPlan::Window(Window {
            window_expr,
            input,
            schema,
            ..
        }) => {
            let (window_expr, input) = marked(window_expr, &input, config)?;
            let window = LogicalPlan::Window(Window::try_new(window_expr, input)?);
            // The marks are no columns of it.
            let columns = schema.columns().into_iter().map(Expr::Column);
            LogicalPlanBuilder::from(window).project(columns)?.build()?
        }
        other => other,
    }))
}

/// A condition for DataFusion's own rule, which takes NULL for false: wrong below NOT, right below AND and OR.
fn condition(expr: Expr, input: &LogicalPlan) -> Result<Expr> {
    match expr {
        // Whole conditions are joins of their own, which know of NULL.
        whole @ Expr::Exists(_) => Ok(whole),
        Expr::InSubquery(asked) if !asked.negated || is_joined(&asked) => {
            Ok(Expr::InSubquery(asked))
        }
        Expr::Not(inner) => match *inner {
            Expr::Exists(_) => Ok(Expr::Not(inner)),
            Expr::InSubquery(asked) if asked.negated || is_joined(&asked) => {
                Ok(Expr::Not(Box::new(Expr::InSubquery(asked))))
            }
            other => part(Expr::Not(Box::new(other)), input),
        },
        other => part(other, input),
    }
}

/// Whether DataFusion's join for NOT IN knows of NULL: it has one key, so that nothing of the row around is compared beside, and a
/// value that is a constant is none.
fn is_joined(asked: &InSubquery) -> bool {
    asked.subquery.outer_ref_columns.is_empty() && !asked.expr.column_refs().is_empty()
}

fn part(expr: Expr, input: &LogicalPlan) -> Result<Expr> {
    match expr {
        Expr::BinaryExpr(BinaryExpr {
            left,
            op: op @ (Operator::And | Operator::Or),
            right,
        }) => Ok(Expr::BinaryExpr(BinaryExpr::new(
            Box::new(part(*left, input)?),
            op,
            Box::new(part(*right, input)?),
        ))),
        plain @ Expr::InSubquery(InSubquery { negated: false, .. }) => Ok(plain),
        other => three_valued(other, input),
    }
}

/// `x IN (SELECT …)` as a value: NULL where x is NULL and there are rows, or where it is in none but one is NULL.
fn three_valued(expr: Expr, input: &LogicalPlan) -> Result<Expr> {
    let schema = input.schema();
    let done = expr.transform_up(|expr| {
        let Expr::InSubquery(InSubquery {
            expr,
            subquery,
            negated,
        }) = expr
        else {
            return Ok(Transformed::no(expr));
        };
        let value = expr.to_field(schema).map(|(_, field)| field.is_nullable());
        let row = subquery.subquery.schema().field(0).is_nullable();
        let value = value.unwrap_or(true);
        if !value && !row && !negated {
            let again = InSubquery::new(expr, subquery, false);
            return Ok(Transformed::no(Expr::InSubquery(again)));
        }
        let exists = |subquery: Subquery| Expr::Exists(Exists::new(subquery, false));
        let column = Expr::from(subquery.subquery.schema().qualified_field(0));
        let nulls = LogicalPlanBuilder::from(Arc::clone(&subquery.subquery))
            .filter(column.is_null())?
            .build()?;
        let nulls = exists(Subquery {
            subquery: Arc::new(nulls),
            ..subquery.clone()
        });
        let any = expr.clone().is_null().and(exists(subquery.clone()));
        let found = Expr::InSubquery(InSubquery::new(expr, subquery, false));
        let null = Expr::Literal(ScalarValue::Boolean(None), None);
        let when = |when: Expr, then: Expr| (Box::new(when), Box::new(then));
        let mut whens = vec![when(found, lit(!negated))];
        if row {
            whens.push(when(nulls, null.clone()));
        }
        if value {
            whens.push(when(any, null));
        }
        Ok(Transformed::yes(Expr::Case(Case {
            expr: None,
            when_then_expr: whens,
            else_expr: Some(Box::new(lit(negated))),
        })))
    })?;
    Ok(done.data)
}

/// The expressions over a plan that has a column for each answer that they need.
fn marked(
    exprs: Vec<Expr>,
    input: &Arc<LogicalPlan>,
    config: &dyn OptimizerConfig,
) -> Result<(Vec<Expr>, Arc<LogicalPlan>)> {
    let names = NamePreserver::new_for_projection();
    let mut saved = Vec::with_capacity(exprs.len());
    let mut known = Vec::with_capacity(exprs.len());
    for expr in exprs {
        saved.push(names.save(&expr));
        known.push(three_valued(expr, input)?);
    }
    let mut asked: Vec<Expr> = Vec::new();
    for expr in &known {
        expr.apply(|part| {
            let plain = plain(part);
            if let Some(plain) = plain
                && !asked.contains(&plain)
            {
                asked.push(plain);
            }
            Ok(datafusion::common::tree_node::TreeNodeRecursion::Continue)
        })?;
    }
    // DataFusion's rule makes the joins: each condition that it is given is one part of AND, and comes back with a column in it.
    let conditions = asked.iter().map(|one| one.clone().is_true());
    let predicate = conjunction(conditions).unwrap_or_else(|| lit(true));
    let filter = LogicalPlan::Filter(Filter::try_new(predicate, Arc::clone(input))?);
    let joined = DecorrelatePredicateSubquery::new().rewrite(filter, config)?;
    let joined = match joined.data {
        LogicalPlan::Projection(projection) => Arc::unwrap_or_clone(projection.input),
        other => other,
    };
    let LogicalPlan::Filter(joined) = joined else {
        return Err(unsupported());
    };
    let answers: Vec<Expr> = split_conjunction(&joined.predicate)
        .into_iter()
        .map(|condition| match condition {
            Expr::IsTrue(answer) if !is_asked(answer) => Ok((**answer).clone()),
            _ => Err(unsupported()),
        })
        .collect::<Result<_>>()?;
    if answers.len() != asked.len() {
        return Err(unsupported());
    }
    let mut exprs = Vec::with_capacity(known.len());
    for (expr, saved) in known.into_iter().zip(saved) {
        let answered = expr.transform_up(|part| {
            let Some(plain) = plain(&part) else {
                return Ok(Transformed::no(part));
            };
            let at = asked.iter().position(|one| *one == plain);
            let Some(answer) = at.map(|at| answers[at].clone()) else {
                return Ok(Transformed::no(part));
            };
            let negated = matches!(&part, Expr::Exists(Exists { negated: true, .. }));
            Ok(Transformed::yes(match negated {
                true => Expr::Not(Box::new(answer)),
                false => answer,
            }))
        })?;
        exprs.push(saved.restore(answered.data));
    }
    Ok((exprs, joined.input))
}

/// What is asked, without its NOT.
fn plain(part: &Expr) -> Option<Expr> {
    match part {
        Expr::Exists(Exists { subquery, .. }) => {
            Some(Expr::Exists(Exists::new(subquery.clone(), false)))
        }
        Expr::InSubquery(InSubquery {
            expr,
            subquery,
            negated: false,
        }) => Some(Expr::InSubquery(InSubquery::new(
            expr.clone(),
            subquery.clone(),
            false,
        ))),
        _ => None,
    }
}

fn unsupported() -> datafusion::common::DataFusionError {
    let problem = "this subquery cannot be joined to the query around it, which it names";
    let problem = Diagnostic::new("R0308", problem);
    crate::Error::from(problem.help("compare columns of both with `=` in its WHERE")).into()
}
