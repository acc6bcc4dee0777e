//! Placeholders: `:name` in a statement becomes the value of a variable, always as a value, never as text of SQL.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::sync::Arc;

use datafusion::sql::sqlparser::ast::{
    Expr, LimitClause, Query, Statement, Value, ValueWithSpan, VisitMut, VisitorMut,
};
use restable_sql::Diagnostic;

use crate::{Error, Result};

/// Puts the values of variables in the place of placeholders. A value is text; after LIMIT and OFFSET it is a number.
pub fn bind(statement: &mut Statement, variables: &HashMap<String, String>) -> Result<()> {
    let mut binder = Binder {
        variables,
        problem: None,
    };
    let _ = VisitMut::visit(statement, &mut binder);
    match binder.problem {
        Some(problem) => Err(problem),
        None => Ok(()),
    }
}

/// The error for a placeholder without a value.
pub fn unknown<'a>(name: &str, known: impl Iterator<Item = &'a String>) -> Error {
    let nearest = restable_spec::names::nearest(name, known.map(String::as_str))
        .map(|nearest| format!("did you mean `:{nearest}`? "));
    Error::Diagnostic(Arc::new(Diagnostic {
        code: "R0307",
        message: format!("the placeholder `:{name}` has no value"),
        span: None,
        notes: Vec::new(),
        help: Some(format!(
            "{}`--var {name}=VALUE` gives it one",
            nearest.unwrap_or_default()
        )),
    }))
}

struct Binder<'v> {
    variables: &'v HashMap<String, String>,
    problem: Option<Error>,
}

impl Binder<'_> {
    fn value(&mut self, value: &mut Value, number: bool) -> ControlFlow<()> {
        let Value::Placeholder(written) = value else {
            return ControlFlow::Continue(());
        };
        let name = written.trim_start_matches(['$', ':']);
        match self.variables.get(name) {
            Some(text) if number && text.parse::<u64>().is_ok() => {
                *value = Value::Number(text.clone(), false)
            }
            Some(text) => *value = Value::SingleQuotedString(text.clone()),
            None => {
                self.problem = Some(unknown(name, self.variables.keys()));
                return ControlFlow::Break(());
            }
        }
        ControlFlow::Continue(())
    }
}

impl VisitorMut for Binder<'_> {
    type Break = ();

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<()> {
        if let Some(LimitClause::LimitOffset { limit, offset, .. }) = &mut query.limit_clause {
            for expr in limit
                .iter_mut()
                .chain(offset.iter_mut().map(|offset| &mut offset.value))
            {
                if let Expr::Value(value) = expr {
                    self.value(&mut value.value, true)?;
                }
            }
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_value(&mut self, value: &mut ValueWithSpan) -> ControlFlow<()> {
        self.value(&mut value.value, false)
    }
}
