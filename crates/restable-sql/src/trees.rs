//! What every tree that `sqlparser` answers must fulfil before it leaves this crate: it is not too deep, and nothing that
//! changes data hides in it. (`WITH x AS (…) DELETE …` is a query in SQL's grammar.)

use std::ops::ControlFlow;

use sqlparser::ast::{Query, SetExpr, Value, ValueWithSpan, Visit, Visitor};

use crate::error::{Diagnostic, code};
use crate::limits::chain_limits;
use crate::span::Span;
use crate::syntax::shown;

/// Checks a tree that was read from `span`.
pub(crate) fn admit(tree: &impl Visit, span: Span) -> Result<(), Diagnostic> {
    chain_limits(tree).map_err(|fault| fault.at(span))?;
    match tree.visit(&mut Hidden) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(Change::Into) => Err(Diagnostic::new(
            code::UNSUPPORTED,
            "SELECT … INTO is not supported",
        )
        .at(span)
        .help("write CREATE TABLE … AS SELECT …")),
        ControlFlow::Break(Change::Mark(mark)) => Err(Diagnostic::new(
            code::PLACEHOLDER,
            format!("`{}` is no placeholder", shown(&mark)),
        )
        .at(span)
        .help("write `:name`; `@name` stands only in EXEC")),
        ControlFlow::Break(Change::Verb(verb)) => Err(Diagnostic::new(
            code::MISPLACED,
            format!("{verb} may not stand inside a query"),
        )
        .at(span)
        .help(format!(
            "begin the statement with {verb}; a WITH clause may stand in its SELECT"
        ))),
    }
}

/// What may not stand in a tree.
enum Change {
    Verb(&'static str),
    Into,
    /// `@name` is a variable in other dialects; `sqlparser` takes it for a placeholder.
    Mark(String),
}

struct Hidden;

impl Visitor for Hidden {
    type Break = Change;

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<Change> {
        let mut pending = vec![query.body.as_ref()];
        while let Some(body) = pending.pop() {
            match body {
                SetExpr::Insert(_) => return ControlFlow::Break(Change::Verb("INSERT")),
                SetExpr::Update(_) => return ControlFlow::Break(Change::Verb("UPDATE")),
                SetExpr::Delete(_) => return ControlFlow::Break(Change::Verb("DELETE")),
                SetExpr::Merge(_) => return ControlFlow::Break(Change::Verb("MERGE")),
                SetExpr::Select(select) if select.into.is_some() => {
                    return ControlFlow::Break(Change::Into);
                }
                SetExpr::SetOperation { left, right, .. } => {
                    pending.extend([left.as_ref(), right.as_ref()])
                }
                _ => {}
            }
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_value(&mut self, value: &ValueWithSpan) -> ControlFlow<Change> {
        match &value.value {
            Value::Placeholder(mark) if !mark.starts_with('$') => {
                ControlFlow::Break(Change::Mark(mark.clone()))
            }
            _ => ControlFlow::Continue(()),
        }
    }
}
