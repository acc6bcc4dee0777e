//! Floats beside decimals stay floats, as in PostgreSQL: in `coalesce` and CASE, in VALUES and UNION. DataFusion makes decimals with fifteen
//! digits of them, in which small numbers are nothing and large ones do not fit. It acts on a plan as soon as there is one, so that
//! the types of its columns are settled before anybody asks for them.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field};
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Column, DFSchema, Result};
use datafusion::logical_expr::expr::{Cast, ScalarFunction};
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::{
    Case, Expr, ExprSchemable, LogicalPlan, Projection, Union, Values, cast,
};

/// The plan with its floats as they are.
pub fn floats_stay(plan: LogicalPlan) -> Result<LogicalPlan> {
    plan.transform_up_with_subqueries(node)
        .map(|done| done.data)
}

fn is_float(kind: &DataType) -> bool {
    matches!(kind, DataType::Float64 | DataType::Float32)
}

fn is_decimal(kind: &DataType) -> bool {
    matches!(kind, DataType::Decimal128(..) | DataType::Decimal256(..))
}

/// Whether these types are of both kinds, and of no other.
fn are_mixed<'k>(kinds: impl Iterator<Item = &'k DataType> + Clone) -> bool {
    let numbers = |kind: &DataType| kind.is_numeric() || *kind == DataType::Null;
    kinds.clone().any(is_float) && kinds.clone().any(is_decimal) && kinds.clone().all(numbers)
}

fn node(plan: LogicalPlan) -> Result<Transformed<LogicalPlan>> {
    match plan {
        LogicalPlan::Values(values) => of_values(values),
        LogicalPlan::Union(union) => of_union(union),
        other => {
            let mut schema = DFSchema::empty();
            for input in other.inputs() {
                schema.merge(input.schema());
            }
            let names = NamePreserver::new(&other);
            let done = other.map_expressions(|expr| {
                let saved = names.save(&expr);
                let done = expr.transform_up(|expr| expression(expr, &schema))?;
                Ok(match done.transformed {
                    true => done.update_data(|expr| saved.restore(expr)),
                    false => done,
                })
            })?;
            // What its inputs are may have changed as well.
            done.map_data(LogicalPlan::recompute_schema)
        }
    }
}

fn expression(expr: Expr, schema: &DFSchema) -> Result<Transformed<Expr>> {
    let mixed = |values: &[&Expr]| {
        let kinds = values.iter().map(|value| value.get_type(schema));
        let kinds: Option<Vec<DataType>> = kinds.map(Result::ok).collect();
        kinds.is_some_and(|kinds| are_mixed(kinds.iter()))
    };
    let float = |value: Expr| match value.get_type(schema) {
        Ok(kind) if is_decimal(&kind) => cast(value, DataType::Float64),
        _ => value,
    };
    Ok(match expr {
        Expr::Case(case) => {
            let thens = case.when_then_expr.iter().map(|(_, then)| &**then);
            let all: Vec<&Expr> = thens.chain(case.else_expr.as_deref()).collect();
            if !mixed(&all) {
                return Ok(Transformed::no(Expr::Case(case)));
            }
            let whens = case.when_then_expr.into_iter();
            Transformed::yes(Expr::Case(Case {
                expr: case.expr,
                when_then_expr: whens
                    .map(|(when, then)| (when, Box::new(float(*then))))
                    .collect(),
                else_expr: case.else_expr.map(|other| Box::new(float(*other))),
            }))
        }
        Expr::ScalarFunction(ScalarFunction { func, args })
            if matches!(
                func.name(),
                "coalesce" | "nvl" | "greatest" | "least" | "nullif" | "make_array"
            ) && mixed(&args.iter().collect::<Vec<_>>()) =>
        {
            let args = args.into_iter().map(float).collect();
            Transformed::yes(Expr::ScalarFunction(ScalarFunction { func, args }))
        }
        other => Transformed::no(other),
    })
}

/// What a value was before it was cast to the type of its column.
fn inner(value: &Expr) -> &Expr {
    match value {
        Expr::Cast(Cast { expr, field }) if is_decimal(field.data_type()) => expr,
        other => other,
    }
}

fn of_values(values: Values) -> Result<Transformed<LogicalPlan>> {
    let nothing = DFSchema::empty();
    let columns = values.schema.fields().len();
    let mixed = |at: usize| {
        let rows = values.values.iter().filter_map(|row| row.get(at));
        let mut kinds = rows.filter_map(|value| inner(value).get_type(&nothing).ok());
        is_decimal(values.schema.field(at).data_type()) && kinds.any(|kind| is_float(&kind))
    };
    let mixed: Vec<bool> = (0..columns).map(mixed).collect();
    if !mixed.contains(&true) {
        return Ok(Transformed::no(LogicalPlan::Values(values)));
    }
    let rows = values.values.into_iter().map(|row| {
        let row = row.into_iter().zip(&mixed);
        row.map(|(value, mixed)| match mixed {
            true => cast(inner(&value).clone(), DataType::Float64),
            false => value,
        })
        .collect()
    });
    let fields = values.schema.iter().zip(&mixed);
    let fields = fields.map(|((relation, field), mixed)| {
        let field = match mixed {
            true => Arc::new(Field::new(field.name(), DataType::Float64, true)),
            false => Arc::clone(field),
        };
        (relation.cloned(), field)
    });
    let metadata = values.schema.metadata().clone();
    let schema = DFSchema::new_with_metadata(fields.collect(), metadata)?;
    Ok(Transformed::yes(LogicalPlan::Values(Values {
        values: rows.collect(),
        schema: Arc::new(schema),
    })))
}

fn of_union(union: Union) -> Result<Transformed<LogicalPlan>> {
    let width = union.schema.fields().len();
    let mixed = |at: usize| {
        let fields = union
            .inputs
            .iter()
            .map(|input| input.schema().fields().get(at));
        let fields: Option<Vec<_>> = fields.collect();
        fields.is_some_and(|fields| are_mixed(fields.iter().map(|field| field.data_type())))
    };
    let mixed: Vec<bool> = (0..width).map(mixed).collect();
    if !mixed.contains(&true) {
        return Ok(Transformed::no(LogicalPlan::Union(union)));
    }
    let mut inputs = Vec::with_capacity(union.inputs.len());
    for input in union.inputs {
        let fields = input.schema().iter().zip(&mixed);
        let columns = fields.map(|((relation, field), mixed)| {
            let (relation, name) = (relation.cloned(), field.name().clone());
            let column = Column::new(relation.clone(), &name);
            let decimal = is_decimal(field.data_type());
            match *mixed && decimal {
                true => {
                    cast(Expr::Column(column), DataType::Float64).alias_qualified(relation, name)
                }
                false => Expr::Column(column),
            }
        });
        let columns: Vec<Expr> = columns.collect();
        let input = Projection::try_new(columns, input)?;
        inputs.push(Arc::new(LogicalPlan::Projection(input)));
    }
    Union::try_new_with_loose_types(inputs)
        .map(LogicalPlan::Union)
        .map(Transformed::yes)
}
