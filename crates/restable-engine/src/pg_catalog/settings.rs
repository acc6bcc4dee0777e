//! The settings of a session as PostgreSQL's clients ask for them in queries: all of them as rows, and `set_config`, which gives one
//! a value.

use std::sync::PoisonError;

use datafusion::sql::sqlparser::ast::{
    BinaryOperator, DataType, Expr, Function, SelectItem, SetExpr, Statement, Value, Visit, Visitor,
};
use restable_sql::Diagnostic;

use super::facts::Facts;
use super::syntax::{arguments, call, cast, is_null, literal, text, text_null};
use super::{Choice, variables};
use crate::Result;
use crate::session::shown;
use crate::settings::ALL;
use crate::shared::Shared;

/// A setting as it stands.
pub(crate) struct Shown {
    /// Its name.
    pub name: &'static str,
    /// Its value.
    pub value: String,
    /// The value that the session began with.
    pub began: String,
    /// What it is about, where that is written down.
    pub meaning: Option<String>,
}

/// Every setting of a client's session: PostgreSQL's and restable's own, by their names.
pub(crate) fn all(shared: &Shared) -> Result<Vec<Shown>> {
    let postgres = shared.postgres.as_ref().map(|postgres| {
        let postgres = postgres.read().unwrap_or_else(PoisonError::into_inner);
        std::sync::Arc::clone(&postgres)
    });
    let settings = shared.settings.read();
    let settings = std::sync::Arc::clone(&settings.unwrap_or_else(PoisonError::into_inner));
    let mut all: Vec<Shown> = Vec::new();
    if let Some(postgres) = &postgres {
        let value = |value: Option<&str>| value.unwrap_or_default().to_owned();
        all.extend(variables::names().map(|name| Shown {
            name,
            value: value(postgres.value(name)),
            began: value(postgres.began(name)),
            meaning: None,
        }));
    }
    for own in ALL {
        let value = match own.name {
            // In PostgreSQL's unit, where PostgreSQL has it, too.
            "statement_timeout" => {
                variables::milliseconds(settings.statement_timeout.unwrap_or_default())
            }
            name => shown(shared, &settings, name)?,
        };
        all.push(Shown {
            name: own.name,
            began: value.clone(),
            value,
            meaning: Some(own.meaning.to_owned()),
        });
    }
    all.sort_by_key(|one| one.name.to_ascii_lowercase());
    Ok(all)
}

/// Puts the new values in the place of `set_config(name, value, local)`, which stands in the list of the outermost SELECT. The
/// settings have them when the statement runs.
pub(super) fn chosen(statement: &mut Statement, facts: &Facts<'_>) -> Result<Vec<Choice>> {
    let mut choices = Vec::new();
    let Statement::Query(query) = statement else {
        return Ok(choices);
    };
    let SetExpr::Select(select) = query.body.as_mut() else {
        return Ok(choices);
    };
    // `SELECT set_config(name, …) FROM pg_settings WHERE name = '…'`: only if there is such a setting.
    let of_row = select.selection.as_ref().and_then(one_name);
    for item in &mut select.projection {
        let (SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. }) = item else {
            continue;
        };
        let Expr::Function(function) = &*expr else {
            continue;
        };
        if !is_set_config(function) {
            continue;
        }
        let given = arguments(function);
        let [name, value, local] = given.as_slice() else {
            return Err(Diagnostic::new(
                "R0101",
                "`set_config` takes a name, a value and whether it is for the transaction only",
            )
            .into());
        };
        let name = match (literal(name), &of_row) {
            (None, Some(one)) if is_name(name) => {
                if (facts.setting)(one).is_none() {
                    *expr = text_null();
                    continue;
                }
                &text(one.as_str())
            }
            _ => name,
        };
        let word = match (literal(name), literal(value), truth(local)) {
            (Some(name), Some(value), Some(local)) => {
                let (variable, shown) = (facts.choose)(name, value)?;
                choices.push(Choice {
                    key: variable.name(),
                    variable,
                    local,
                });
                text(shown)
            }
            // Values that are not known yet.
            _ if given.iter().any(|one| is_null(one) || is_open(one)) => {
                let texts = given.iter().map(|one| cast(one.clone(), DataType::Text));
                call("coalesce", texts.collect())
            }
            _ => return Err(misplaced().into()),
        };
        *expr = word;
    }
    Ok(choices)
}

/// The setting that a condition names: `name = 'jit'`.
fn one_name(condition: &Expr) -> Option<String> {
    match condition {
        Expr::BinaryOp {
            left,
            op: BinaryOperator::Eq,
            right,
        } if is_name(left) => literal(right).map(str::to_owned),
        _ => None,
    }
}

/// Whether an expression is the column of names.
fn is_name(expr: &Expr) -> bool {
    let last = match expr {
        Expr::Identifier(name) => Some(name),
        Expr::CompoundIdentifier(parts) => parts.last(),
        _ => None,
    };
    last.is_some_and(|name| name.value.eq_ignore_ascii_case("name"))
}

/// The error of a `set_config` that would be computed row by row.
pub(super) fn misplaced() -> Diagnostic {
    let told = "`set_config` takes constants, and stands in the list of the outermost SELECT";
    Diagnostic::new("R0308", told).help("`SET name = value` changes a setting, too")
}

fn is_set_config(function: &Function) -> bool {
    let name = function.name.to_string().replace('"', "");
    let name = name.to_ascii_lowercase();
    name.strip_prefix("pg_catalog.").unwrap_or(&name) == "set_config"
}

fn truth(expr: &Expr) -> Option<bool> {
    match expr {
        Expr::Value(value) => match &value.value {
            Value::Boolean(value) => Some(*value),
            Value::SingleQuotedString(word) => match &*word.to_ascii_lowercase() {
                "t" | "true" | "on" | "yes" | "1" => Some(true),
                "f" | "false" | "off" | "no" | "0" => Some(false),
                _ => None,
            },
            _ => None,
        },
        Expr::Nested(inner) | Expr::Cast { expr: inner, .. } => truth(inner),
        _ => None,
    }
}

/// Whether an expression has a placeholder in it.
fn is_open(expr: &Expr) -> bool {
    struct Looks;
    impl Visitor for Looks {
        type Break = ();
        fn pre_visit_value(
            &mut self,
            value: &datafusion::sql::sqlparser::ast::ValueWithSpan,
        ) -> std::ops::ControlFlow<()> {
            match value.value {
                Value::Placeholder(_) => std::ops::ControlFlow::Break(()),
                _ => std::ops::ControlFlow::Continue(()),
            }
        }
    }
    expr.visit(&mut Looks).is_break()
}
