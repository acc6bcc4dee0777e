//! What the metadata of columns says of an expression: whether it is text out of JSON, or compares without regard to
//! ASCII case. Refuses nothing.

use arrow::datatypes::DataType;
use datafusion::common::{DFSchema, ScalarValue};
use datafusion::logical_expr::{Expr, ExprSchemable, try_cast};

use crate::functions::{FOLD_METADATA, Function, JSON_METADATA, call};

/// True for text that compares without regard to ASCII case.
pub fn folds(expr: &Expr, schema: &DFSchema) -> bool {
    is_marked(expr, schema, FOLD_METADATA) && is_text(expr, schema)
}

fn is_marked(expr: &Expr, schema: &DFSchema, key: &str) -> bool {
    let field = expr.to_field(schema);
    field.is_ok_and(|(_, field)| field.metadata().contains_key(key))
}

/// True for text, and for a NULL that has no type yet.
pub fn is_text(expr: &Expr, schema: &DFSchema) -> bool {
    let is_text = |kind: DataType| {
        use DataType::{LargeUtf8, Null, Utf8, Utf8View};
        matches!(kind, Utf8 | LargeUtf8 | Utf8View | Null)
    };
    expr.get_type(schema).is_ok_and(is_text)
}

/// The expression in ASCII lower case; a literal is folded at once.
pub fn fold(expr: Expr) -> Expr {
    match expr {
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
