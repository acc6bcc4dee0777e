//! What restable's SQL means beyond DataFusion's: paths into JSON text, JSON compared with numbers, and names of Azure
//! scopes that compare without regard to case. The rules act on plans, before DataFusion's type coercion sees them.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field};
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{DFSchema, Result, ScalarValue};
use datafusion::functions::expr_fn::lower;
use datafusion::logical_expr::expr::{InList, InSubquery, Like, ScalarFunction};
use datafusion::logical_expr::planner::{
    ExprPlanner, PlannerResult, RawBinaryExpr, RawFieldAccessExpr,
};
use datafusion::logical_expr::utils::{conjunction, split_conjunction_owned};
use datafusion::logical_expr::{
    BinaryExpr, Expr, ExprSchemable, Filter, GetFieldAccess, Join, JoinConstraint, LogicalPlan,
    LogicalPlanBuilder, Operator, Subquery, lit, try_cast,
};
use datafusion::optimizer::AnalyzerRule;
use datafusion::sql::sqlparser::ast::BinaryOperator;

use crate::functions::{FOLD_METADATA, Function, JSON_METADATA, call};

/// Plans `->`, `->>`, subscripts on JSON text, and JSON text against numbers.
#[derive(Debug)]
pub struct JsonPlanner;

impl ExprPlanner for JsonPlanner {
    fn plan_binary_op(
        &self,
        raw: RawBinaryExpr,
        schema: &DFSchema,
    ) -> Result<PlannerResult<RawBinaryExpr>> {
        match raw.op {
            BinaryOperator::Arrow => Ok(PlannerResult::Planned(call(
                Function::JsonGet,
                vec![raw.left, raw.right],
            ))),
            BinaryOperator::LongArrow => Ok(PlannerResult::Planned(call(
                Function::JsonGetText,
                vec![raw.left, raw.right],
            ))),
            BinaryOperator::Plus
            | BinaryOperator::Minus
            | BinaryOperator::Multiply
            | BinaryOperator::Divide
            | BinaryOperator::Modulo
            | BinaryOperator::Gt
            | BinaryOperator::Lt
            | BinaryOperator::GtEq
            | BinaryOperator::LtEq
            | BinaryOperator::Eq
            | BinaryOperator::NotEq => {
                let (left, right) = cast_json(raw.left, raw.right, schema);
                Ok(PlannerResult::Original(RawBinaryExpr {
                    op: raw.op,
                    left,
                    right,
                }))
            }
            _ => Ok(PlannerResult::Original(raw)),
        }
    }

    fn plan_field_access(
        &self,
        raw: RawFieldAccessExpr,
        schema: &DFSchema,
    ) -> Result<PlannerResult<RawFieldAccessExpr>> {
        let is_text = matches!(
            raw.expr.get_type(schema)?,
            DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View
        );
        if !is_text {
            return Ok(PlannerResult::Original(raw));
        }
        let key = match raw.field_access {
            GetFieldAccess::NamedStructField { ref name } => Expr::Literal(name.clone(), None),
            GetFieldAccess::ListIndex { ref key } => (**key).clone(),
            GetFieldAccess::ListRange { .. } => return Ok(PlannerResult::Original(raw)),
        };
        Ok(PlannerResult::Planned(match raw.expr {
            // One call for a whole path: the text is read once, not once for each step.
            Expr::ScalarFunction(ScalarFunction { func, mut args })
                if func.name() == "json_get_text" =>
            {
                args.push(key);
                call(Function::JsonGetText, args)
            }
            json => call(Function::JsonGetText, vec![json, key]),
        }))
    }
}

/// Casts the JSON side of an operation to the type of the other side, where that is a number or a boolean.
fn cast_json(left: Expr, right: Expr, schema: &DFSchema) -> (Expr, Expr) {
    let cast = |json: &Expr, other: &Expr| -> Option<Expr> {
        let target = match other.get_type(schema).ok()? {
            DataType::Boolean => DataType::Boolean,
            numeric if numeric.is_numeric() => DataType::Float64,
            _ => return None,
        };
        is_marked(json, schema, JSON_METADATA).then(|| try_cast(json.clone(), target))
    };
    match (cast(&left, &right), cast(&right, &left)) {
        (Some(cast), _) => (cast, right),
        (_, Some(cast)) => (left, cast),
        _ => (left, right),
    }
}

fn is_marked(expr: &Expr, schema: &DFSchema, key: &str) -> bool {
    let marked = |field: &Field| field.metadata().contains_key(key);
    expr.to_field(schema).is_ok_and(|(_, field)| marked(&field))
}

/// Makes comparisons of ids and scope names fold ASCII case, and casts JSON text in `IN` and `BETWEEN`.
#[derive(Debug)]
pub struct Comparisons;

impl AnalyzerRule for Comparisons {
    fn analyze(&self, plan: LogicalPlan, _config: &ConfigOptions) -> Result<LogicalPlan> {
        plan.transform_up_with_subqueries(rewrite_plan)
            .map(|done| done.data)
    }

    fn name(&self) -> &'static str {
        "restable_comparisons"
    }
}

fn rewrite_plan(plan: LogicalPlan) -> Result<Transformed<LogicalPlan>> {
    let mut schema = DFSchema::empty();
    for input in plan.inputs() {
        schema.merge(input.schema());
    }
    if plan.inputs().is_empty() {
        schema = plan.schema().as_ref().clone();
    }
    let plan = match plan {
        LogicalPlan::Join(join) => LogicalPlan::Join(fold_keys(join, &schema)),
        other => other,
    };
    let mut changed = false;
    let names = datafusion::logical_expr::expr_rewriter::NamePreserver::new(&plan);
    let plan = plan.map_expressions(|expr| {
        let name = names.save(&expr);
        let rewritten = expr.transform_up(|expr| rewrite(expr, &schema))?;
        changed |= rewritten.transformed;
        Ok(rewritten.update_data(|expr| name.restore(expr)))
    })?;
    let plan = if changed {
        plan.data.recompute_schema()?
    } else {
        plan.data
    };
    let plan = match plan {
        LogicalPlan::Filter(filter) => name_folded_columns(filter)?,
        other => other,
    };
    Ok(Transformed::yes(plan))
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
        if func.name() != "lower" || !other.contains_outer() || other.any_column_refs() {
            return side;
        }
        let name = format!("{}:folded", column.flat_name());
        if !computed
            .iter()
            .any(|known| known.name_for_alias().is_ok_and(|known| known == name))
        {
            computed.push(side.alias(&name));
        }
        Expr::Column(datafusion::common::Column::from_name(name))
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
fn fold_keys(mut join: Join, schema: &DFSchema) -> Join {
    for (left, right) in &mut join.on {
        if is_marked(left, schema, FOLD_METADATA) || is_marked(right, schema, FOLD_METADATA) {
            *left = fold(left.clone());
            *right = fold(right.clone());
            // USING wants plain columns; what it merges was settled when names were resolved.
            join.join_constraint = JoinConstraint::On;
        }
    }
    join
}

fn fold(expr: Expr) -> Expr {
    match expr {
        Expr::Literal(ScalarValue::Utf8(Some(text)), metadata) => {
            Expr::Literal(ScalarValue::Utf8(Some(text.to_ascii_lowercase())), metadata)
        }
        other => lower(other),
    }
}

fn rewrite(expr: Expr, schema: &DFSchema) -> Result<Transformed<Expr>> {
    let folds = |expr: &Expr| is_marked(expr, schema, FOLD_METADATA);
    Ok(match expr {
        Expr::BinaryExpr(BinaryExpr { left, op, right })
            if matches!(
                op,
                Operator::Eq
                    | Operator::NotEq
                    | Operator::IsDistinctFrom
                    | Operator::IsNotDistinctFrom
            ) && (folds(&left) || folds(&right))
                && is_text(&left, schema)
                && is_text(&right, schema) =>
        {
            let constant =
                matches!(*left, Expr::Literal(..)) || matches!(*right, Expr::Literal(..));
            match op {
                // The function keeps the literal's spelling, so that it reaches the request as it was written.
                Operator::Eq if constant => {
                    let (column, value) = if matches!(*left, Expr::Literal(..)) {
                        (right, left)
                    } else {
                        (left, right)
                    };
                    Transformed::yes(call(Function::ArmEqual, vec![*column, *value]))
                }
                _ => Transformed::yes(Expr::BinaryExpr(BinaryExpr::new(
                    Box::new(fold(*left)),
                    op,
                    Box::new(fold(*right)),
                ))),
            }
        }
        Expr::InList(InList {
            expr,
            list,
            negated,
        }) if folds(&expr) => {
            let mut arguments = vec![*expr];
            arguments.extend(list);
            let found = call(Function::ArmIn, arguments);
            Transformed::yes(if negated {
                Expr::Not(Box::new(found))
            } else {
                found
            })
        }
        Expr::InList(InList {
            expr,
            list,
            negated,
        }) if is_marked(&expr, schema, JSON_METADATA) => {
            let numeric = list
                .iter()
                .all(|item| item.get_type(schema).is_ok_and(|kind| kind.is_numeric()));
            let expr = if numeric {
                Box::new(try_cast(*expr, DataType::Float64))
            } else {
                expr
            };
            Transformed::yes(Expr::InList(InList {
                expr,
                list,
                negated,
            }))
        }
        Expr::Like(like) if folds(&like.expr) => Transformed::yes(Expr::Like(Like {
            case_insensitive: true,
            ..like
        })),
        Expr::InSubquery(InSubquery {
            expr,
            subquery,
            negated,
        }) if folds(&expr) => {
            let (qualifier, field) = subquery.subquery.schema().qualified_field(0);
            let column = Expr::Column(datafusion::common::Column::from((
                qualifier,
                field.as_ref(),
            )));
            let name = field.name().clone();
            let inner = Arc::unwrap_or_clone(Arc::clone(&subquery.subquery));
            let folded = LogicalPlanBuilder::from(inner)
                .project(vec![fold(column).alias(name)])?
                .build()?;
            let subquery = Subquery {
                subquery: Arc::new(folded),
                ..subquery
            };
            Transformed::yes(Expr::InSubquery(InSubquery::new(
                Box::new(fold(*expr)),
                subquery,
                negated,
            )))
        }
        Expr::Between(between) if is_marked(&between.expr, schema, JSON_METADATA) => {
            let numeric = |expr: &Expr| expr.get_type(schema).is_ok_and(|kind| kind.is_numeric());
            if numeric(&between.low) && numeric(&between.high) {
                let expr = Box::new(try_cast(*between.expr, DataType::Float64));
                Transformed::yes(Expr::Between(datafusion::logical_expr::Between {
                    expr,
                    ..between
                }))
            } else {
                Transformed::no(Expr::Between(between))
            }
        }
        other => Transformed::no(other),
    })
}

fn is_text(expr: &Expr, schema: &DFSchema) -> bool {
    matches!(
        expr.get_type(schema),
        Ok(DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View | DataType::Null)
    )
}

/// A NULL of text, as an expression.
pub fn null_text() -> Expr {
    lit(ScalarValue::Utf8(None))
}
