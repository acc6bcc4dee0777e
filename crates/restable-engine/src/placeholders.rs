//! Placeholders: `:name` in a statement becomes the value of a variable, always as a value, never as text of SQL.

use std::ops::ControlFlow;
use std::sync::Arc;

use datafusion::sql::sqlparser::ast::{
    DataType, Expr, GroupByExpr, LimitClause, OrderByKind, Query, Select, Statement, Value,
    ValueWithSpan, VisitMut, VisitorMut,
};
use restable_sql::Diagnostic;

use crate::parameters::Given;
use crate::pg_catalog::syntax::cast;
use crate::{Error, Result};

/// Puts the values of variables and parameters in the place of placeholders. A variable is text; after LIMIT and OFFSET it
/// is a number. A parameter has the type that its client gave it.
pub fn bind(statement: &mut Statement, given: &Given) -> Result<()> {
    let mut binder = Binder {
        given,
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
    if name.parse::<u64>().is_ok() {
        let told = format!("there is no value for the parameter `${name}`");
        let told = Diagnostic::new("R0307", told);
        return Error::from(told.help(format!(
            "a driver gives one with the statement, `--var {name}=VALUE` on the command line; `?` counts as `$1`, `$2` and on"
        )));
    }
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
    given: &'v Given,
    problem: Option<Error>,
}

impl Binder<'_> {
    fn value(&mut self, value: &mut Value, number: bool) -> ControlFlow<()> {
        let Value::Placeholder(written) = value else {
            return ControlFlow::Continue(());
        };
        let name = written.trim_start_matches(['$', ':']);
        match self.given.named.get(name) {
            None if self.parameter(name).is_some() => {}
            Some(text) if number && text.parse::<u64>().is_ok() => {
                *value = Value::Number(text.clone(), false)
            }
            Some(text) => *value = Value::SingleQuotedString(text.clone()),
            None => {
                self.problem = Some(unknown(name, self.given.named.keys()));
                return ControlFlow::Break(());
            }
        }
        ControlFlow::Continue(())
    }

    /// A number that a client gives is a value: only one that is written out names a column of the list.
    fn no_position(&self, key: &mut Expr) {
        if let Expr::Value(value) = key
            && let Value::Placeholder(written) = &value.value
            && let Some(Some(bound)) = self.parameter(written.trim_start_matches(['$', ':']))
            && matches!(&bound, Expr::Value(value) if matches!(value.value, Value::Number(..)))
        {
            *key = cast(bound, DataType::BigInt(None));
        }
    }

    /// The parameter of this number, which may be left open.
    fn parameter(&self, name: &str) -> Option<Option<Expr>> {
        let number: usize = name.parse().ok()?;
        let parameter = self.given.positional.get(number.checked_sub(1)?)?;
        Some(parameter.as_ref().map(|parameter| parameter.expr()))
    }
}

impl VisitorMut for Binder<'_> {
    type Break = ();

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<()> {
        if let GroupByExpr::Expressions(keys, _) = &mut select.group_by {
            keys.iter_mut().for_each(|key| self.no_position(key));
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<()> {
        if let Some(order_by) = &mut query.order_by
            && let OrderByKind::Expressions(keys) = &mut order_by.kind
        {
            keys.iter_mut()
                .for_each(|key| self.no_position(&mut key.expr));
        }
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

    // On the way out: what is put in holds no placeholder.
    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        if let Expr::Value(value) = expr
            && let Value::Placeholder(written) = &value.value
            && let Some(Some(bound)) = self.parameter(written.trim_start_matches(['$', ':']))
        {
            *expr = bound;
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_value(&mut self, value: &mut ValueWithSpan) -> ControlFlow<()> {
        self.value(&mut value.value, false)
    }
}
