//! What the metadata of columns says of an expression: whether it is text out of JSON, or compares without regard to
//! ASCII case. Refuses nothing.

use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::{DFSchema, ScalarValue};
use datafusion::logical_expr::{Expr, ExprSchemable, Operator, try_cast};

use crate::functions::{FOLD_METADATA, FOLD_ONE_SPELLING, Function, JSON_METADATA, call, spans};

/// True for text that compares without regard to ASCII case.
pub fn folds(expr: &Expr, schema: &DFSchema) -> bool {
    is_marked(expr, schema, FOLD_METADATA) && is_text(expr, schema)
}

/// True for such text that may come in more than one spelling. Names of scopes do not: a session gives each one.
pub fn varies(expr: &Expr, schema: &DFSchema) -> bool {
    let one_spelling = |(_, field): (_, FieldRef)| {
        let mark = field.metadata().get(FOLD_METADATA);
        mark.is_some_and(|mark| mark == FOLD_ONE_SPELLING)
    };
    folds(expr, schema) && !expr.to_field(schema).is_ok_and(one_spelling)
}

/// What stands for a value where values are the same if they are equal: ids without their case, intervals by how long they are. `None`
/// where the value does.
pub fn group_key(expr: &Expr, schema: &DFSchema) -> Option<Expr> {
    if varies(expr, schema) {
        return Some(fold(expr.clone()));
    }
    is_interval(expr, schema).then(|| spans::order().call(vec![expr.clone()]))
}

/// True for intervals, of which one length has many forms.
pub fn is_interval(expr: &Expr, schema: &DFSchema) -> bool {
    matches!(expr.get_type(schema), Ok(DataType::Interval(_)))
}

/// True if the mark is on the expression or on the elements of the list that it is: on its own field, or on what it takes
/// its values from.
pub fn is_marked(expr: &Expr, schema: &DFSchema, key: &str) -> bool {
    let marked = |expr: &Expr| is_marked(expr, schema, key);
    carries(expr, schema, key)
        || match expr {
            Expr::Alias(alias) => marked(&alias.expr),
            Expr::Cast(cast) => marked(&cast.expr),
            Expr::TryCast(cast) => marked(&cast.expr),
            Expr::Unnest(unnest) => marked(&unnest.expr),
            Expr::Case(case) => {
                let values = case.when_then_expr.iter().map(|(_, then)| then);
                values.chain(&case.else_expr).any(|value| marked(value))
            }
            Expr::ScalarFunction(function) => match function.func.name() {
                "coalesce" | "nvl" | "greatest" | "least" | "make_array" | "array_concat"
                | "array_append" | "array_prepend" => function.args.iter().any(marked),
                // The parts of an id are names.
                "split_part" if key == FOLD_METADATA => match function.args.as_slice() {
                    [id, Expr::Literal(slash, _), _] => {
                        slash.try_as_str().flatten() == Some("/") && marked(id)
                    }
                    _ => false,
                },
                "nvl2" => function.args.iter().skip(1).any(marked),
                "list_or_empty" | "list_or_null" | "list_at" | "trim_array" | "nullif"
                | "array_element" | "array_slice" | "array_min" | "array_max"
                | "array_distinct" | "array_sort" => function.args.first().is_some_and(marked),
                _ => false,
            },
            Expr::AggregateFunction(function) => {
                picks(function.func.name()) && function.params.args.first().is_some_and(marked)
            }
            Expr::WindowFunction(function) => {
                picks(function.fun.name()) && function.params.args.first().is_some_and(marked)
            }
            _ => false,
        }
}

/// True for functions over rows whose result is one of the values that they saw, or all of them.
fn picks(function: &str) -> bool {
    matches!(
        function,
        "min" | "max" | "first_value" | "last_value" | "nth_value" | "lag" | "lead" | "array_agg"
    )
}

/// True if the mark is on the expression's own field or on that of its elements.
pub fn carries(expr: &Expr, schema: &DFSchema, key: &str) -> bool {
    expr.to_field(schema)
        .is_ok_and(|(_, field)| field_carries(&field, key))
}

/// True if the mark is on a field or on that of its elements.
pub fn field_carries(field: &Field, key: &str) -> bool {
    let item = match field.data_type() {
        DataType::List(item) | DataType::LargeList(item) => Some(item),
        _ => None,
    };
    field.metadata().contains_key(key) || item.is_some_and(|item| item.metadata().contains_key(key))
}

/// True for text, and for a NULL that has no type yet.
pub fn is_text(expr: &Expr, schema: &DFSchema) -> bool {
    let is_text = |kind: DataType| {
        use DataType::{LargeUtf8, Null, Utf8, Utf8View};
        matches!(kind, Utf8 | LargeUtf8 | Utf8View | Null)
    };
    expr.get_type(schema).is_ok_and(is_text)
}

/// The expression in ASCII lower case; a literal is folded at once, and of lists their elements are.
pub fn fold(expr: Expr) -> Expr {
    match expr {
        Expr::ScalarFunction(mut function)
            if matches!(
                function.func.name(),
                "array_min" | "array_max" | "make_array" | "array_element"
            ) =>
        {
            let folded = match function.func.name() {
                "make_array" => function.args.len(),
                _ => 1,
            };
            let args = std::mem::take(&mut function.args).into_iter().enumerate();
            let args = args.map(|(at, arg)| if at < folded { fold(arg) } else { arg });
            function.args = args.collect();
            Expr::ScalarFunction(function)
        }
        Expr::Literal(ScalarValue::Utf8(Some(text)), metadata) => {
            Expr::Literal(ScalarValue::Utf8(Some(text.to_ascii_lowercase())), metadata)
        }
        other => call(Function::ArmFold, vec![other]),
    }
}

/// True for text that was taken out of JSON, or is JSON.
pub fn is_json(expr: &Expr, schema: &DFSchema) -> bool {
    is_marked(expr, schema, JSON_METADATA) && is_text(expr, schema)
}

/// True for JSON as it is, not for a text out of it.
pub fn is_whole_json(expr: &Expr, schema: &DFSchema) -> bool {
    let marked = |field: &Field| {
        let mark = field.metadata().get(JSON_METADATA);
        mark.is_some_and(|mark| mark == "object")
    };
    match expr {
        // Its text, which is text.
        Expr::Cast(_) | Expr::TryCast(_) => return false,
        Expr::Alias(alias) => return is_whole_json(&alias.expr, schema),
        _ => {}
    }
    is_text(expr, schema) && expr.to_field(schema).is_ok_and(|(_, field)| marked(&field))
}

/// True where both are JSON as it is. A literal beside JSON is, if it says an object, an array or another value of JSON.
pub fn are_whole_json(left: &Expr, right: &Expr, schema: &DFSchema) -> bool {
    let said = |side: &Expr| match side {
        Expr::Literal(value, _) => {
            let text = value.try_as_str().flatten();
            text.is_some_and(crate::json::is_json)
        }
        _ => false,
    };
    match (is_whole_json(left, schema), is_whole_json(right, schema)) {
        (true, true) => true,
        (true, false) => said(right),
        (false, true) => said(left),
        (false, false) => false,
    }
}

/// Casts JSON in arithmetic: to the type of the other side, to a number where both sides are JSON.
pub fn cast_json_operands(sides: &mut [Expr], schema: &DFSchema) {
    if sides.iter().all(|side| is_json(side, schema)) {
        for side in sides {
            *side = try_cast(std::mem::take(side), DataType::Float64);
        }
    } else {
        cast_json(sides, schema);
    }
}

/// What JSON becomes beside these: a number or a boolean, if all of them are.
fn json_target<'k>(beside: impl Iterator<Item = &'k DataType>) -> Option<DataType> {
    let mut target = None;
    for kind in beside {
        let own = match kind {
            DataType::Null => continue,
            DataType::Boolean => DataType::Boolean,
            kind if kind.is_numeric() => DataType::Float64,
            _ => return None,
        };
        if target.get_or_insert_with(|| own.clone()) != &own {
            return None;
        }
    }
    target
}

/// The expression cast for a comparison with a value of type `other`, if it is JSON and needs that.
pub fn cast_json_beside(expr: &Expr, other: &DataType, schema: &DFSchema) -> Option<Expr> {
    let target = json_target(std::iter::once(other))?;
    is_json(expr, schema).then(|| try_cast(expr.clone(), target))
}

/// Casts those that are JSON to the type of the others, where that is a number or a boolean. True if any was.
pub fn cast_json(sides: &mut [Expr], schema: &DFSchema) -> bool {
    let json: Vec<bool> = sides.iter().map(|side| is_json(side, schema)).collect();
    if !json.contains(&true) {
        return false;
    }
    let others = sides.iter().zip(&json).filter(|(_, json)| !**json);
    let Ok(kinds) = others
        .map(|(side, _)| side.get_type(schema))
        .collect::<Result<Vec<DataType>, _>>()
    else {
        return false;
    };
    let Some(target) = json_target(kinds.iter()) else {
        return false;
    };
    for (side, _) in sides.iter_mut().zip(&json).filter(|(_, json)| **json) {
        *side = try_cast(std::mem::take(side), target.clone());
    }
    true
}

/// True for what is one value whatever the row: it has no column, no subquery, and is no other each time.
pub fn is_constant(expr: &Expr) -> bool {
    use datafusion::common::tree_node::TreeNode as _;
    let varies = expr.exists(|part| {
        Ok(matches!(
            part,
            Expr::Column(_)
                | Expr::OuterReferenceColumn(..)
                | Expr::ScalarSubquery(_)
                | Expr::InSubquery(_)
                | Expr::SetComparison(_)
                | Expr::Exists(_)
                | Expr::AggregateFunction(_)
                | Expr::WindowFunction(_)
        ))
    });
    !expr.is_volatile() && varies.is_ok_and(|varies| !varies)
}

/// True for operators that compare two values.
pub fn compares(op: Operator) -> bool {
    use Operator::{Eq, Gt, GtEq, IsDistinctFrom, IsNotDistinctFrom, Lt, LtEq, NotEq};
    matches!(
        op,
        Eq | NotEq | Lt | LtEq | Gt | GtEq | IsDistinctFrom | IsNotDistinctFrom
    )
}
