//! `x::json`, `CAST(x AS json)` and `json '…'`: DataFusion has no such type, so that each becomes `json_text(x)`, the text marked as
//! JSON, and a cast to `jsonb` `jsonb_text(x)`, in the form that PostgreSQL keeps. Whether it is JSON is checked here where it is written out, else where it is read or sent.

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
        if let Some((inner, function)) = cast_to_json(expr) {
            if let Expr::Value(value) = &inner
                && let Some(text) = value.value.clone().into_string()
                && serde_json::from_str::<serde::de::IgnoredAny>(&text).is_err()
            {
                return ControlFlow::Break(text);
            }
            *expr = called(function, inner);
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

/// What is cast to JSON, and the function that makes it such: `jsonb` has its keys sorted, each once.
fn cast_to_json(expr: &Expr) -> Option<(Expr, &'static str)> {
    let function = |kind: &DataType| match kind {
        DataType::JSON => Some("json_text"),
        DataType::JSONB => Some("jsonb_text"),
        _ => None,
    };
    match expr {
        Expr::Cast {
            expr,
            data_type,
            format: None,
            array: false,
            ..
        } => Some(((**expr).clone(), function(data_type)?)),
        Expr::TypedString(typed) => Some((
            Expr::Value(typed.value.clone()),
            function(&typed.data_type)?,
        )),
        _ => None,
    }
}

fn called(function: &str, argument: Expr) -> Expr {
    Expr::Function(Function {
        name: ObjectName::from(vec![Ident::new(function)]),
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
