//! Comparisons that SQL writes in other forms: `CASE x WHEN`, `nullif`, rows of values, arrays, DISTINCT in functions. They
//! become, or do, what `=` does. What has no mark stays as DataFusion understands it.

use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion::common::tree_node::Transformed;
use datafusion::common::{DFSchema, Result, ScalarValue};
use datafusion::logical_expr::expr::{InList, ScalarFunction, Sort};
use datafusion::logical_expr::{BinaryExpr, Case, Expr, ExprSchemable, Operator, try_cast};

use super::comparisons::{binary, in_list};
use super::marks::{cast_json, fold, folds, group_key, is_interval, is_json, is_marked, is_text};
use super::refusals::refuse_list;
use crate::functions::{FOLD_METADATA, no_condition, spans};

/// `CASE x WHEN 'a' THEN …` compares like `x = 'a'`.
pub fn case(mut case: Case, schema: &DFSchema) -> Result<Transformed<Expr>> {
    let Some(operand) = case.expr.take() else {
        return Ok(Transformed::no(Expr::Case(case)));
    };
    let mut sides = vec![*operand];
    let whens = case.when_then_expr.iter_mut();
    sides.extend(whens.map(|(when, _)| std::mem::take(&mut **when)));
    let folded = sides.iter().any(|side| folds(side, schema))
        && sides.iter().all(|side| is_text(side, schema));
    let changed = if folded {
        sides = sides.into_iter().map(fold).collect();
        true
    } else {
        cast_json(&mut sides, schema)
    };
    refuse_list(&sides, schema)?;
    let mut sides = sides.into_iter();
    case.expr = sides.next().map(Box::new);
    for ((when, _), side) in case.when_then_expr.iter_mut().zip(sides) {
        **when = side;
    }
    Ok(Transformed::new_transformed(Expr::Case(case), changed))
}

/// Functions that compare: `nullif`, and those of arrays.
pub fn function(function: ScalarFunction, schema: &DFSchema) -> Result<Transformed<Expr>> {
    let plain = |args: Vec<Expr>| {
        let func = Arc::clone(&function.func);
        Expr::ScalarFunction(ScalarFunction { func, args })
    };
    let mut args = function.args;
    Ok(match (function.func.name(), args.as_slice()) {
        ("nullif", [value, other]) => {
            let equal = binary(compared(value, Operator::Eq, other), schema)?;
            if !equal.transformed {
                return Ok(Transformed::no(plain(args)));
            }
            let null = Expr::Literal(ScalarValue::Null, None);
            let when = (Box::new(equal.data), Box::new(null));
            Transformed::yes(Expr::Case(Case {
                expr: None,
                when_then_expr: vec![when],
                else_expr: Some(Box::new(value.clone())),
            }))
        }
        // Also what `= ANY (ARRAY[…])` is.
        ("array_has", [array, value]) => {
            if let Some(items) = items(array) {
                let list = InList::new(Box::new(value.clone()), items.to_vec(), false);
                let found = in_list(list, schema)?;
                return Ok(match found.transformed {
                    true => found,
                    false => Transformed::no(plain(args)),
                });
            }
            let folded = is_marked(array, schema, FOLD_METADATA) || folds(value, schema);
            if folded && !is_folded(array) {
                args = args.into_iter().map(fold).collect();
            }
            Transformed::new_transformed(plain(args), folded)
        }
        (
            "array_position" | "array_positions" | "array_remove" | "array_remove_all",
            [_, value, ..],
        )
        | ("array_has_any" | "array_has_all", [_, value]) => {
            let folded = is_marked(&args[0], schema, FOLD_METADATA)
                || is_marked(value, schema, FOLD_METADATA);
            // What is taken out of a list is still its elements, as they are.
            if !folded || is_folded(&args[0]) || function.func.name().starts_with("array_remove") {
                return Ok(Transformed::no(plain(args)));
            }
            for side in args.iter_mut().take(2) {
                *side = fold(std::mem::take(side));
            }
            Transformed::yes(plain(args))
        }
        // As LIKE does; where a part begins is the same in any spelling.
        ("starts_with" | "ends_with" | "contains" | "strpos", [text, part])
            if (folds(text, schema) || folds(part, schema))
                && is_text(text, schema)
                && is_text(part, schema) =>
        {
            args = args.into_iter().map(fold).collect();
            Transformed::yes(plain(args))
        }
        _ => Transformed::no(plain(args)),
    })
}

/// `(a, b) = (c, d)` as the comparisons that it means.
pub fn rows(left: &Expr, op: Operator, right: &Expr, schema: &DFSchema) -> Result<Option<Expr>> {
    let (Some(lefts), Some(rights)) = (fields(left), fields(right)) else {
        return Ok(None);
    };
    if lefts.len() != rights.len() || !matches!(op, Operator::Eq | Operator::NotEq) {
        return Ok(None);
    }
    let mut all: Option<Expr> = None;
    for (left, right) in lefts.iter().zip(rights) {
        let equal = binary(compared(left, Operator::Eq, right), schema)?.data;
        all = Some(match all {
            Some(all) => all.and(equal),
            None => equal,
        });
    }
    Ok(all.map(|all| match op {
        Operator::NotEq => Expr::Not(Box::new(all)),
        _ => all,
    }))
}

/// `(a, b) IN ((c, d), …)` as the comparisons that it means.
pub fn rows_in(list: &InList, schema: &DFSchema) -> Result<Option<Expr>> {
    let mut any: Option<Expr> = None;
    for row in &list.list {
        let Some(equal) = rows(&list.expr, Operator::Eq, row, schema)? else {
            return Ok(None);
        };
        any = Some(match any {
            Some(any) => any.or(equal),
            None => equal,
        });
    }
    Ok(any.map(|any| match list.negated {
        true => Expr::Not(Box::new(any)),
        false => any,
    }))
}

/// `count(DISTINCT x)` counts ids, not their spellings, and lengths of intervals, not their forms; `PARTITION BY x` divides by them, and
/// ORDER BY orders by them.
pub fn distinct(expr: Expr, schema: &DFSchema) -> Transformed<Expr> {
    let fold_varying = |values: &mut Vec<Expr>| {
        let mut changed = false;
        for value in values {
            if let Some(key) = group_key(value, schema) {
                *value = key;
                changed = true;
            }
        }
        changed
    };
    match expr {
        Expr::AggregateFunction(mut function) => {
            let counts = function.params.distinct && function.func.name() == "count";
            let mut changed = counts && fold_varying(&mut function.params.args);
            // Of different values the order is by the values themselves.
            if !function.params.distinct {
                changed |= fold_order(&mut function.params.order_by, schema);
            }
            Transformed::new_transformed(Expr::AggregateFunction(function), changed)
        }
        Expr::WindowFunction(mut function) => {
            let counts = function.params.distinct && function.fun.name() == "count";
            let mut changed = fold_varying(&mut function.params.partition_by)
                | (counts && fold_varying(&mut function.params.args));
            for sort in &mut function.params.order_by {
                if is_interval(&sort.expr, schema) {
                    sort.expr = spans::order().call(vec![std::mem::take(&mut sort.expr)]);
                    changed = true;
                }
            }
            changed |= fold_order(&mut function.params.order_by, schema);
            Transformed::new_transformed(Expr::WindowFunction(function), changed)
        }
        other => Transformed::no(other),
    }
}

fn fold_order(keys: &mut [Sort], schema: &DFSchema) -> bool {
    let mut changed = false;
    for key in keys.iter_mut().filter(|key| folds(&key.expr, schema)) {
        key.expr = fold(std::mem::take(&mut key.expr));
        changed = true;
    }
    changed
}

/// `json_boolean(x)` and `json_number(x)` as the cast that they are; nothing at all, where `x` is no JSON.
/// Refuses text that is no JSON as a condition.
pub fn json_value(function: ScalarFunction, schema: &DFSchema) -> Result<Transformed<Expr>> {
    let target = match function.func.name() {
        "json_boolean" => DataType::Boolean,
        "json_number" => DataType::Float64,
        _ => return Ok(Transformed::no(Expr::ScalarFunction(function))),
    };
    Ok(match <[Expr; 1]>::try_from(function.args) {
        Ok([value]) if is_json(&value, schema) => Transformed::yes(try_cast(value, target)),
        Ok([value]) => {
            let kind = value.get_type(schema)?;
            if target == DataType::Boolean && !matches!(kind, DataType::Boolean | DataType::Null) {
                return Err(no_condition(&kind).into());
            }
            Transformed::yes(value)
        }
        Err(args) => {
            let func = function.func;
            Transformed::no(Expr::ScalarFunction(ScalarFunction { func, args }))
        }
    })
}

fn compared(left: &Expr, op: Operator, right: &Expr) -> BinaryExpr {
    BinaryExpr::new(Box::new(left.clone()), op, Box::new(right.clone()))
}

/// The elements of an array that is written out.
fn items(array: &Expr) -> Option<&[Expr]> {
    match array {
        Expr::ScalarFunction(ScalarFunction { func, args }) if func.name() == "make_array" => {
            Some(args)
        }
        _ => None,
    }
}

/// The values of a row that is written out.
fn fields(row: &Expr) -> Option<&[Expr]> {
    match row {
        Expr::ScalarFunction(ScalarFunction { func, args }) if func.name() == "struct" => {
            Some(args)
        }
        _ => None,
    }
}

fn is_folded(expr: &Expr) -> bool {
    matches!(expr, Expr::ScalarFunction(ScalarFunction { func, .. }) if func.name() == "arm_fold")
}
