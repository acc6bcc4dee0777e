//! Comparisons that PostgreSQL refuses, told in its words before anything is asked: text against a number or a boolean.
//! A literal takes the type of the other side, as there, and text out of JSON is cast; only text of other kinds is meant.

use arrow::datatypes::DataType;
use datafusion::common::{DFSchema, Result};
use datafusion::logical_expr::{Expr, ExprSchemable, Operator};
use restable_sql::Diagnostic;

use super::marks::{compares, is_json, is_text};
use crate::functions::NAME_METADATA;

/// A side of a comparison, with the schema that its columns are of.
type Side<'s> = (&'s Expr, &'s DFSchema);

/// Refuses text beside a number or boolean, if the operator compares.
pub fn refuse_mixed(op: Operator, sides: &[Expr; 2], schema: &DFSchema) -> Result<()> {
    let [left, right] = sides;
    refuse_pair(op, (left, schema), (right, schema))
}

/// The same for sides of different inputs.
pub fn refuse_pair(op: Operator, left: Side<'_>, right: Side<'_>) -> Result<()> {
    if !compares(op) {
        return Ok(());
    }
    if let (Some(name), Some(kind)) = (text(left), other(right)) {
        return refused(&name, kind, &format!("text {op} {kind}"));
    }
    if let (Some(kind), Some(name)) = (other(left), text(right)) {
        return refused(&name, kind, &format!("{kind} {op} text"));
    }
    Ok(())
}

/// The same for a value and those that it is compared with one by one.
pub fn refuse_list(sides: &[Expr], schema: &DFSchema) -> Result<()> {
    let Some((value, list)) = sides.split_first() else {
        return Ok(());
    };
    for item in list {
        let sides = [value.clone(), item.clone()];
        refuse_mixed(Operator::Eq, &sides, schema)?;
    }
    Ok(())
}

/// What a text of a known kind is called.
fn text((expr, schema): Side<'_>) -> Option<String> {
    let literal = matches!(expr.clone().unalias_nested().data, Expr::Literal(..));
    let known = expr
        .get_type(schema)
        .is_ok_and(|kind| kind != DataType::Null);
    if literal || !known || !is_text(expr, schema) || is_json(expr, schema) {
        return None;
    }
    let (_, field) = expr.to_field(schema).ok()?;
    Some(match (expr, field.metadata().get(NAME_METADATA)) {
        (Expr::Column(_), Some(spelled)) => spelled.clone(),
        (Expr::Column(column), None) => column.name.clone(),
        (other, _) => other.human_display().to_string(),
    })
}

/// What PostgreSQL calls a number or a boolean.
fn other((expr, schema): Side<'_>) -> Option<&'static str> {
    let kind = expr.get_type(schema).ok()?;
    Some(match kind {
        DataType::Boolean => "boolean",
        kind if kind.is_floating() => "double precision",
        kind if kind.is_integer() => "bigint",
        kind if kind.is_decimal() => "numeric",
        _ => return None,
    })
}

fn refused(name: &str, kind: &str, operator: &str) -> Result<()> {
    let problem = Diagnostic::new("R0204", format!("operator does not exist: {operator}"));
    let problem = problem.help(format!(
        "`{name}` is text: compare it with text, like `'5'`, or cast it, like `CAST({name} AS {kind})`"
    ));
    Err(crate::Error::from(problem).into())
}
