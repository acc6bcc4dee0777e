//! `x::json`, `CAST(x AS json)` and `json '…'`: DataFusion has no such type, so that each becomes `json_text(x)`, the text marked as
//! JSON. Whether it is JSON is checked here where it is written out, else where it is read or sent.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    self, DataType, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArgumentList,
    FunctionArguments, Ident, ObjectName, visit_expressions_mut,
};
use restable_sql::Diagnostic;

use crate::Error;

/// Replaces the casts to JSON of a statement.
pub fn json_casts(statement: &mut ast::Statement) -> Result<(), Error> {
    let found = visit_expressions_mut(statement, |expr| {
        if let Some(inner) = cast_to_json(expr) {
            if let Expr::Value(value) = &inner
                && let Some(text) = value.value.clone().into_string()
                && serde_json::from_str::<serde::de::IgnoredAny>(&text).is_err()
            {
                return ControlFlow::Break(text);
            }
            *expr = json_text(inner);
        }
        ControlFlow::Continue(())
    });
    match found {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(text) => {
            let problem = format!("invalid input syntax for type json: `{text}`");
            Err(Diagnostic::new("R0208", problem).into())
        }
    }
}

fn cast_to_json(expr: &Expr) -> Option<Expr> {
    let is_json = |kind: &DataType| matches!(kind, DataType::JSON | DataType::JSONB);
    match expr {
        Expr::Cast {
            expr,
            data_type,
            format: None,
            array: false,
            ..
        } if is_json(data_type) => Some((**expr).clone()),
        Expr::TypedString(typed) if is_json(&typed.data_type) => {
            Some(Expr::Value(typed.value.clone()))
        }
        _ => None,
    }
}

fn json_text(argument: Expr) -> Expr {
    Expr::Function(Function {
        name: ObjectName::from(vec![Ident::new("json_text")]),
        uses_odbc_syntax: false,
        parameters: FunctionArguments::None,
        args: FunctionArguments::List(FunctionArgumentList {
            duplicate_treatment: None,
            args: vec![FunctionArg::Unnamed(FunctionArgExpr::Expr(argument))],
            clauses: Vec::new(),
        }),
        filter: None,
        null_treatment: None,
        over: None,
        within_group: Vec::new(),
    })
}
