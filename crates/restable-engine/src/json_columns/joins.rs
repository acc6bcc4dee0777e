//! Paths into JSON whose calls stand above joins, limits, windows and unions, or in the conditions of joins and windows: DataFusion 55 does not bring them down safely, so this rule does, before
//! all others. Right above the scan each gets a column of a name that nobody else has, and whoever made the call takes that column. It is carried up like any
//! other; on the side of a join that has no match it is NULL, as the path of NULL is.
//!
//! Above DISTINCT and grouping by whole objects, and of their extremes, a path stays where it stands: the whole text is built there in any case, and the rows that are
//! left are fewer than those of the scan.

use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TreeNode as _, TreeNodeRecursion};
use datafusion::common::{Column, DFSchema, Result as PlanResult, ScalarValue};
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::{Expr, LogicalPlan, Projection, SubqueryAlias, Union};
use datafusion::optimizer::{OptimizerConfig, OptimizerRule};

use super::is_over_scan;
use crate::functions::{Function, SCAN_METADATA, function_of, moved_to_scan, steps_of};

/// The rule that makes columns of paths below joins.
#[derive(Debug)]
pub(super) struct JsonPathsBelowJoins;

impl OptimizerRule for JsonPathsBelowJoins {
    fn name(&self) -> &'static str {
        "json_paths_below_joins"
    }

    fn rewrite(
        &self,
        plan: LogicalPlan,
        _config: &dyn OptimizerConfig,
    ) -> PlanResult<Transformed<LogicalPlan>> {
        plan.transform_up(|plan| {
            // What others see of these does not change with the columns below.
            let ends = match &plan {
                LogicalPlan::Projection(_) => true,
                LogicalPlan::Aggregate(it) => {
                    let mut groups = it.group_expr.iter();
                    !groups.any(|group| matches!(group, Expr::GroupingSet(_)))
                }
                _ => false,
            };
            match plan.inputs().as_slice() {
                [input] if ends && !is_over_scan(input) => {}
                _ => return Ok(Transformed::no(plan)),
            }
            // What cannot be brought down is computed where it stands.
            Ok(match below(&plan) {
                Ok(Some(plan)) => Transformed::yes(plan),
                Ok(None) | Err(_) => Transformed::no(plan),
            })
        })
    }
}

/// A call over a column of JSON, as the scan makes it.
#[derive(Debug, Clone, PartialEq)]
struct Call {
    column: Column,
    function: Function,
    path: Vec<Expr>,
}

impl Call {
    /// The call over a column of another name.
    fn over(&self, column: Column) -> Expr {
        let mut arguments = vec![Expr::Column(column)];
        arguments.extend(self.path.iter().cloned());
        moved_to_scan(self.function, arguments)
    }

    /// The name of its column.
    fn name(&self) -> String {
        let over = self.over(Column::new_unqualified(self.column.name.clone()));
        format!("{} of {:?}", over.schema_name(), self.function)
    }
}

/// The call that an expression makes over the JSON of a scan, and whether the expression is no more than that.
fn call_of(expr: &Expr, schema: &DFSchema) -> Option<(Call, bool)> {
    let Expr::ScalarFunction(ScalarFunction { func, args }) = expr else {
        return None;
    };
    let (function, _) = function_of(func)?;
    let (Expr::Column(column), path) = args.split_first()? else {
        return None;
    };
    let (_, field) = schema.qualified_field_from_column(column).ok()?;
    let constants: Option<Vec<ScalarValue>> = path
        .iter()
        .map(|step| match step {
            Expr::Literal(value, _) => Some(value.clone()),
            _ => None,
        })
        .collect();
    steps_of(function, &constants?)?;
    let whole = matches!(
        function,
        Function::JsonGet | Function::JsonGetText | Function::JsonExtract
    );
    let call = Call {
        column: column.clone(),
        // What the others look at is decoded; the rest is computed of it.
        function: if whole { function } else { Function::JsonGet },
        path: path.to_vec(),
    };
    field
        .metadata()
        .contains_key(SCAN_METADATA)
        .then_some((call, whole))
}

/// Whether a plan hands on the columns of its inputs as they are.
fn passes(plan: &LogicalPlan) -> bool {
    matches!(
        plan,
        LogicalPlan::Filter(_)
            | LogicalPlan::Sort(_)
            | LogicalPlan::Limit(_)
            | LogicalPlan::Join(_)
            | LogicalPlan::Window(_)
    )
}

/// What the expressions of a plan are over.
fn seen_by(plan: &LogicalPlan) -> PlanResult<DFSchema> {
    let mut inputs = plan.inputs().into_iter();
    let Some(first) = inputs.next() else {
        return Ok(DFSchema::empty());
    };
    let mut schema = first.schema().as_ref().clone();
    for input in inputs {
        schema = schema.join(input.schema())?;
    }
    Ok(schema)
}

/// The calls of a plan and of those below that pass its columns on.
fn gather(plan: &LogicalPlan, calls: &mut Vec<Call>) -> PlanResult<()> {
    let schema = seen_by(plan)?;
    plan.apply_expressions(|expr| {
        expr.apply(|part| {
            if let Some((call, _)) = call_of(part, &schema)
                && !calls.contains(&call)
            {
                calls.push(call);
            }
            Ok(TreeNodeRecursion::Continue)
        })
    })?;
    for input in plan.inputs() {
        if passes(input) {
            gather(input, calls)?;
        }
    }
    Ok(())
}

/// The plan with the calls made below; `None` if there are none that can be.
fn below(plan: &LogicalPlan) -> PlanResult<Option<LogicalPlan>> {
    let mut calls = Vec::new();
    gather(plan, &mut calls)?;
    let Some(input) = plan.inputs().first().copied() else {
        return Ok(None);
    };
    let mut input = input.clone();
    let mut columns: Vec<(Call, Column)> = Vec::new();
    for call in calls {
        if let Some((with, column)) = add(&input, &call.column, &call)? {
            input = with;
            columns.push((call, column));
        }
    }
    if columns.is_empty() {
        return Ok(None);
    }
    let input = taking(&input, &columns)?;
    let names = NamePreserver::new_for_projection();
    let schema = seen_by(plan)?;
    let exprs = plan.expressions().into_iter().map(|expr| {
        let name = names.save(&expr);
        Ok(name.restore(replaced(expr, &schema, &columns)?))
    });
    let exprs = exprs.collect::<PlanResult<Vec<Expr>>>()?;
    plan.with_new_exprs(exprs, vec![input]).map(Some)
}

/// An expression with the columns in the place of the calls.
fn replaced(expr: Expr, schema: &DFSchema, columns: &[(Call, Column)]) -> PlanResult<Expr> {
    let replaced = expr.transform_down(|part| {
        let Some((call, whole)) = call_of(&part, schema) else {
            return Ok(Transformed::no(part));
        };
        let Some((_, column)) = columns.iter().find(|(known, _)| *known == call) else {
            return Ok(Transformed::no(part));
        };
        let column = Expr::Column(column.clone());
        let expr = match (whole, &part) {
            (false, Expr::ScalarFunction(outer)) => outer.func.call(vec![column]),
            _ => column,
        };
        Ok(Transformed::new(expr, true, TreeNodeRecursion::Jump))
    })?;
    Ok(replaced.data)
}

/// A plan that passes columns on, and those below it that do, with the columns in the place of the calls.
fn taking(plan: &LogicalPlan, columns: &[(Call, Column)]) -> PlanResult<LogicalPlan> {
    if !passes(plan) {
        return Ok(plan.clone());
    }
    let inputs = plan.inputs().into_iter();
    let inputs = inputs.map(|input| taking(input, columns));
    let inputs = inputs.collect::<PlanResult<Vec<LogicalPlan>>>()?;
    let schema = seen_by(plan)?;
    let plan = plan.with_new_exprs(plan.expressions(), inputs)?;
    // The columns that a window adds are called by its expressions.
    let names = matches!(plan, LogicalPlan::Window(_)).then(NamePreserver::new_for_projection);
    let plan = plan.map_expressions(|expr| {
        let name = names.as_ref().map(|names| names.save(&expr));
        let replaced = replaced(expr, &schema, columns)?;
        Ok(Transformed::yes(match name {
            Some(name) => name.restore(replaced),
            None => replaced,
        }))
    })?;
    Ok(plan.data)
}

/// The plan with one more column, the call over one that it has; `None` where that cannot be brought to the scan.
fn add(
    plan: &LogicalPlan,
    column: &Column,
    call: &Call,
) -> PlanResult<Option<(LogicalPlan, Column)>> {
    let schema = plan.schema();
    match plan {
        LogicalPlan::TableScan(scan) => {
            let mut exprs: Vec<Expr> = schema.columns().into_iter().map(Expr::Column).collect();
            let (table, name) = (scan.table_name.clone(), call.name());
            let made = call.over(column.clone());
            exprs.push(made.alias_qualified(Some(table.clone()), name.clone()));
            let with = Projection::try_new(exprs, Arc::new(plan.clone()))?;
            let column = Column::new(Some(table), name);
            Ok(Some((LogicalPlan::Projection(with), column)))
        }
        LogicalPlan::SubqueryAlias(alias) => {
            let at = schema.index_of_column(column)?;
            let inner = Column::from(alias.input.schema().qualified_field(at));
            let Some((input, inner)) = add(&alias.input, &inner, call)? else {
                return Ok(None);
            };
            let at = input.schema().index_of_column(&inner)?;
            let with = SubqueryAlias::try_new(Arc::new(input), alias.alias.clone())?;
            let column = Column::from(with.schema.qualified_field(at));
            Ok(Some((LogicalPlan::SubqueryAlias(with), column)))
        }
        LogicalPlan::Projection(projection) => {
            let at = schema.index_of_column(column)?;
            let Expr::Column(inner) = projection.expr[at].clone().unalias() else {
                return Ok(None);
            };
            if let LogicalPlan::TableScan(scan) = &*projection.input {
                // It may have been made for another one.
                let made = call.over(inner.clone());
                let known = projection.expr.iter().position(|expr| {
                    let mut expr = expr;
                    while let Expr::Alias(alias) = expr {
                        expr = &alias.expr;
                    }
                    *expr == made
                });
                if let Some(at) = known {
                    let column = Column::from(schema.qualified_field(at));
                    return Ok(Some((plan.clone(), column)));
                }
                let (table, name) = (scan.table_name.clone(), call.name());
                let mut exprs = projection.expr.clone();
                exprs.push(made.alias_qualified(Some(table.clone()), name.clone()));
                let with = Projection::try_new(exprs, Arc::clone(&projection.input))?;
                let column = Column::new(Some(table), name);
                return Ok(Some((LogicalPlan::Projection(with), column)));
            }
            let Some((input, inner)) = add(&projection.input, &inner, call)? else {
                return Ok(None);
            };
            if schema.has_column(&inner) {
                return Ok(Some((plan.clone(), inner)));
            }
            let mut exprs = projection.expr.clone();
            exprs.push(Expr::Column(inner.clone()));
            let with = Projection::try_new(exprs, Arc::new(input))?;
            Ok(Some((LogicalPlan::Projection(with), inner)))
        }
        // In all of its inputs or in none.
        LogicalPlan::Union(union) => {
            let at = schema.index_of_column(column)?;
            let name = call.name();
            let mut inputs = Vec::with_capacity(union.inputs.len());
            for input in &union.inputs {
                let inner = Column::from(input.schema().qualified_field(at));
                let Some((with, inner)) = add(input, &inner, call)? else {
                    return Ok(None);
                };
                let columns = input.schema().columns().into_iter();
                let mut exprs: Vec<Expr> = columns.map(Expr::Column).collect();
                exprs.push(Expr::Column(inner).alias(&name));
                let with = Projection::try_new(exprs, Arc::new(with))?;
                inputs.push(Arc::new(LogicalPlan::Projection(with)));
            }
            let with = Union::try_new_with_loose_types(inputs)?;
            // Others find its columns by the names that they had.
            let same = schema
                .iter()
                .zip(with.schema.iter())
                .all(|(old, new)| old.0 == new.0 && old.1.name() == new.1.name());
            let column = Column::from(with.schema.qualified_field(schema.fields().len()));
            Ok(same.then_some((LogicalPlan::Union(with), column)))
        }
        plan if passes(plan) => {
            let mut inputs: Vec<LogicalPlan> = plan.inputs().into_iter().cloned().collect();
            for input in &mut inputs {
                if !input.schema().has_column(column) {
                    continue;
                }
                let Some((with, column)) = add(input, column, call)? else {
                    return Ok(None);
                };
                *input = with;
                let plan = plan.with_new_exprs(plan.expressions(), inputs)?;
                return Ok(Some((plan, column)));
            }
            Ok(None)
        }
        _ => Ok(None),
    }
}
