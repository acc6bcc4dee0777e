//! Subqueries that use columns of the query around them in ways that DataFusion's own rules do not take apart: compared by an expression
//! or by `<`, below an aggregate or a LIMIT, in a window, in both branches of a UNION, two queries further in. Such a subquery is computed
//! once for each set of values that those columns have: the distinct values are joined to its rows where it first needs them, and go along
//! as columns of their own. What is left for the rules after it is a comparison with these. (Neumann and Kemper, Unnesting Arbitrary
//! Queries, 2015.) What is left as it was, they refuse.

mod domain;

use std::collections::BTreeSet;
use std::sync::Arc;

use datafusion::common::alias::AliasGenerator;
use datafusion::common::tree_node::{Transformed, TreeNode as _, TreeNodeRecursion};
use datafusion::common::{Column, DFSchemaRef, DataFusionError, ExprSchema as _, JoinType, Result};
use datafusion::logical_expr::expr::{Exists, InSubquery};
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::utils::conjunction;
use datafusion::logical_expr::{
    BinaryExpr, Expr, Join, LogicalPlan, LogicalPlanBuilder, Operator, Subquery, SubqueryAlias, lit,
};
use datafusion::optimizer::decorrelate::PullUpCorrelatedExpr;
use datafusion::optimizer::{OptimizerConfig, OptimizerRule};

use self::domain::Domain;

/// The rule. It comes before those that make joins of subqueries.
#[derive(Debug)]
pub struct Dependent;

impl OptimizerRule for Dependent {
    fn name(&self) -> &str {
        "restable_dependent_subqueries"
    }

    // From the outermost query on: columns of a query further out become columns of the one around first.
    fn rewrite(
        &self,
        plan: LogicalPlan,
        config: &dyn OptimizerConfig,
    ) -> Result<Transformed<LogicalPlan>> {
        plan.transform_down_with_subqueries(|plan| node(plan, config.alias_generator()))
    }
}

fn node(plan: LogicalPlan, names: &Arc<AliasGenerator>) -> Result<Transformed<LogicalPlan>> {
    match &plan {
        LogicalPlan::Filter(_)
        | LogicalPlan::Projection(_)
        | LogicalPlan::Aggregate(_)
        | LogicalPlan::Window(_) => {
            let [around] = plan.inputs()[..] else {
                return Ok(Transformed::no(plan));
            };
            let around = around.clone();
            let save = NamePreserver::new(&plan);
            let columns = plan.schema().columns();
            let mut values = Vec::new();
            let done = plan.map_expressions(|expr| {
                let saved = save.save(&expr);
                let done = expr.transform_up(|part| asked(part, &around, names, &mut values))?;
                Ok(done.update_data(|expr| saved.restore(expr)))
            })?;
            if values.is_empty() {
                return Ok(done);
            }
            let joined = values.into_iter().try_fold(around, |around, value| {
                LogicalPlanBuilder::from(around)
                    .join_on(value.plan, JoinType::Left, value.same)?
                    .build()
            })?;
            let exprs = done.data.expressions();
            let plan = done.data.with_new_exprs(exprs, vec![joined])?;
            let columns = columns.into_iter().map(Expr::Column);
            let plan = LogicalPlanBuilder::from(plan).project(columns)?.build()?;
            Ok(Transformed::yes(plan))
        }
        LogicalPlan::Join(join) => lateral(join, names).map(|done| match done {
            Some(better) => Transformed::yes(better),
            None => Transformed::no(plan),
        }),
        _ => Ok(Transformed::no(plan)),
    }
}

/// A subquery that stands for a value, as rows that are joined to those of the query around it: no more than one to each.
struct Value {
    plan: LogicalPlan,
    same: Vec<Expr>,
}

/// An expression with a subquery that is simple enough for the rules after this one.
fn asked(
    part: Expr,
    around: &LogicalPlan,
    names: &Arc<AliasGenerator>,
    values: &mut Vec<Value>,
) -> Result<Transformed<Expr>> {
    let better = match &part {
        Expr::ScalarSubquery(subquery) => pushed(subquery, around, Kind::One, names)?
            .map(|one| {
                let name = names.next("__value");
                let column = subquery.subquery.schema().columns().into_iter().take(1);
                let column = column.map(|column| Expr::Column(column).alias(&name));
                let keys = one.keys.iter().cloned().map(Expr::Column);
                let plan = LogicalPlanBuilder::from(one.plan)
                    .project(column.chain(keys))?
                    .build()?;
                let same = one.columns.iter().zip(one.keys).map(|(column, key)| {
                    let null = around.schema().field_from_column(column)?.is_nullable();
                    Ok(same(Expr::Column(column.clone()), Expr::Column(key), null))
                });
                let same = same.collect::<Result<Vec<_>>>()?;
                values.push(Value { plan, same });
                Ok::<_, DataFusionError>(Expr::Column(Column::new_unqualified(name)))
            })
            .transpose()?,
        Expr::Exists(Exists { subquery, negated }) => {
            let better = simple(subquery, around, Kind::Any, names)?;
            better.map(|better| Expr::Exists(Exists::new(better, *negated)))
        }
        Expr::InSubquery(one) => {
            let better = simple(&one.subquery, around, Kind::Any, names)?;
            let (value, negated) = (one.expr.clone(), one.negated);
            better.map(|better| Expr::InSubquery(InSubquery::new(value, better, negated)))
        }
        _ => None,
    };
    Ok(match better {
        Some(better) => Transformed::yes(better),
        None => Transformed::no(part),
    })
}

/// A join with a lateral subquery that DataFusion's rule for those does not take.
fn lateral(join: &Join, names: &Arc<AliasGenerator>) -> Result<Option<LogicalPlan>> {
    let (subquery, alias) = match join.right.as_ref() {
        LogicalPlan::Subquery(subquery) => (subquery, None),
        LogicalPlan::SubqueryAlias(alias) => match alias.input.as_ref() {
            LogicalPlan::Subquery(subquery) => (subquery, Some(alias.alias.clone())),
            _ => return Ok(None),
        },
        _ => return Ok(None),
    };
    let Some(better) = simple(subquery, &join.left, Kind::Lateral, names)? else {
        return Ok(None);
    };
    let right = LogicalPlan::Subquery(better);
    let right = match alias {
        Some(alias) => LogicalPlan::SubqueryAlias(SubqueryAlias::try_new(Arc::new(right), alias)?),
        None => right,
    };
    let join = Join {
        right: Arc::new(right),
        ..join.clone()
    };
    Ok(Some(LogicalPlan::Join(join)))
}

/// What a subquery stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// A value.
    One,
    /// Whether there are rows.
    Any,
    /// Rows.
    Lateral,
}

/// A subquery for each set of values that the columns of the query around it have.
struct PushedInto {
    plan: LogicalPlan,
    columns: Vec<Column>,
    /// The columns of the plan that have their values.
    keys: Vec<Column>,
}

/// The subquery with the values in it. `None` where it needs none, or cannot have them.
fn pushed(
    subquery: &Subquery,
    around: &LogicalPlan,
    kind: Kind,
    names: &Arc<AliasGenerator>,
) -> Result<Option<PushedInto>> {
    let columns = used(&subquery.subquery, around)?;
    if columns.is_empty() || !is_hard(subquery, around, kind)? {
        return Ok(None);
    }
    let domain = Domain {
        around: around.clone(),
        columns: columns.into_iter().collect(),
        names,
    };
    let pushed = domain.push(&subquery.subquery)?;
    Ok(pushed.map(|(plan, keys)| PushedInto {
        plan,
        columns: domain.columns,
        keys,
    }))
}

/// The subquery in a form in which it is compared with the query around it in one place only, above everything else.
fn simple(
    subquery: &Subquery,
    around: &LogicalPlan,
    kind: Kind,
    names: &Arc<AliasGenerator>,
) -> Result<Option<Subquery>> {
    let Some(pushed) = pushed(subquery, around, kind, names)? else {
        return Ok(None);
    };
    let pairs = pushed.keys.into_iter().zip(&pushed.columns);
    let pairs = pairs.map(|(key, column)| {
        let field = around.schema().field_from_column(column)?;
        let outer = Expr::OuterReferenceColumn(Arc::clone(field), column.clone());
        Ok(same(Expr::Column(key), outer, field.is_nullable()))
    });
    let same = conjunction(pairs.collect::<Result<Vec<_>>>()?).unwrap_or_else(|| lit(true));
    let columns = subquery.subquery.schema().columns();
    let plan = LogicalPlanBuilder::from(pushed.plan)
        .filter(same)?
        .project(columns.into_iter().map(Expr::Column))?
        .build()?;
    Ok(Some(Subquery {
        outer_ref_columns: plan_refs(&plan)?,
        subquery: Arc::new(plan),
        spans: subquery.spans.clone(),
    }))
}

/// Two values are the same, also where both are NULL.
fn same(left: Expr, right: Expr, null: bool) -> Expr {
    let op = match null {
        true => Operator::IsNotDistinctFrom,
        false => Operator::Eq,
    };
    Expr::BinaryExpr(BinaryExpr::new(Box::new(left), op, Box::new(right)))
}

/// Whether DataFusion's rules would leave the subquery as it is.
fn is_hard(subquery: &Subquery, around: &LogicalPlan, kind: Kind) -> Result<bool> {
    // Something further in asks for a column of the query around this one.
    let mut further = false;
    subquery.subquery.apply(|node| {
        let within: Vec<_> = inputs(node).collect();
        node.apply_expressions(|expr| {
            expr.apply(|part| {
                if let Some(inner) = subquery_of(part) {
                    let mut found = BTreeSet::new();
                    find(&inner.subquery, around.schema(), &within, &mut found)?;
                    further |= !found.is_empty();
                }
                Ok(TreeNodeRecursion::Continue)
            })
        })
    })?;
    if further {
        return Ok(true);
    }
    let mut pulled = PullUpCorrelatedExpr::new()
        .with_need_handle_count_bug(kind != Kind::Any)
        .with_exists_sub_query(kind == Kind::Any);
    let tried = subquery.subquery.as_ref().clone().rewrite(&mut pulled);
    Ok(tried.is_err() || !pulled.can_pull_up)
}

fn subquery_of(expr: &Expr) -> Option<&Subquery> {
    match expr {
        Expr::ScalarSubquery(subquery) => Some(subquery),
        Expr::Exists(exists) => Some(&exists.subquery),
        Expr::InSubquery(one) => Some(&one.subquery),
        Expr::SetComparison(one) => Some(&one.subquery),
        _ => None,
    }
}

/// The columns of `around` that a plan uses from within, at any depth.
fn used(plan: &LogicalPlan, around: &LogicalPlan) -> Result<BTreeSet<Column>> {
    let mut found = BTreeSet::new();
    find(plan, around.schema(), &[], &mut found)?;
    Ok(found)
}

/// Adds the columns of `of` that a plan uses; what one of the nearer queries has as well is a column of that one.
fn find(
    plan: &LogicalPlan,
    of: &DFSchemaRef,
    nearer: &[DFSchemaRef],
    found: &mut BTreeSet<Column>,
) -> Result<()> {
    plan.apply(|node| {
        let within = || {
            nearer
                .iter()
                .cloned()
                .chain(inputs(node))
                .collect::<Vec<_>>()
        };
        node.apply_expressions(|expr| {
            expr.apply(|part| {
                if let Expr::OuterReferenceColumn(_, column) = part
                    && of.has_column(column)
                    && !nearer.iter().any(|nearer| nearer.has_column(column))
                {
                    found.insert(column.clone());
                }
                if let Some(inner) = subquery_of(part) {
                    find(&inner.subquery, of, &within(), found)?;
                }
                Ok(TreeNodeRecursion::Continue)
            })
        })?;
        if let LogicalPlan::Join(join) = node
            && is_lateral(&join.right)
        {
            find(&join.left, of, nearer, found)?;
            let mut within = nearer.to_vec();
            within.push(Arc::clone(join.left.schema()));
            find(&join.right, of, &within, found)?;
            return Ok(TreeNodeRecursion::Jump);
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(())
}

/// What the expressions of a node are over.
fn inputs(node: &LogicalPlan) -> impl Iterator<Item = DFSchemaRef> {
    let inputs = node.inputs().into_iter();
    inputs.map(|input| Arc::clone(input.schema()))
}

fn is_lateral(plan: &LogicalPlan) -> bool {
    match plan {
        LogicalPlan::Subquery(_) => true,
        LogicalPlan::SubqueryAlias(alias) => matches!(*alias.input, LogicalPlan::Subquery(_)),
        _ => false,
    }
}

/// The columns from outside that a plan uses itself.
fn plan_refs(plan: &LogicalPlan) -> Result<Vec<Expr>> {
    let mut found = Vec::new();
    plan.apply_with_subqueries(|plan| {
        for expr in plan.all_out_ref_exprs() {
            if !found.contains(&expr) {
                found.push(expr);
            }
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(found)
}
