//! What a session says of itself to clients that do not come over Postgres wire: its user, its database and schema, its settings, the
//! version. They ask in the same words, and are given the same answers; of the rest of a catalog they have their own ways to ask.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, ObjectNamePart, SelectItem,
    SetExpr, Statement, visit_expressions_mut,
};
use restable_sql::Diagnostic;

use super::facts::Facts;
use super::headings;
use super::syntax::literal;
use crate::Result;

/// The words that are answered here.
const WORDS: [&str; 7] = [
    "current_user",
    "session_user",
    "current_schema",
    "current_schemas",
    "current_database",
    "current_setting",
    "version",
];
/// Those of them that stand without parentheses.
const BARE: [&str; 3] = ["current_user", "session_user", "current_schema"];

/// Whether a statement may ask for it.
pub fn concerns(written: &str) -> bool {
    let written = written.to_ascii_lowercase();
    WORDS.iter().any(|word| written.contains(word))
}

/// Puts the answers in the place of the questions.
pub fn answer(statement: &mut Statement, facts: &Facts<'_>) -> Result<()> {
    if let Statement::Query(query) = statement
        && let SetExpr::Select(select) = query.body.as_mut()
    {
        for item in &mut select.projection {
            if let SelectItem::UnnamedExpr(expr) = item
                && asked(expr).is_some()
            {
                let (alias, expr) = (headings::heading(expr), expr.clone());
                *item = SelectItem::ExprWithAlias { expr, alias };
            }
        }
    }
    let mut problem = None;
    let _: ControlFlow<()> = visit_expressions_mut(statement, |expr| {
        if let Some((name, given)) = asked(expr) {
            match told(&name, &given, facts) {
                Ok(Some(answer)) => *expr = answer,
                Ok(None) => {}
                Err(wrong) => problem = Some(wrong),
            }
        }
        ControlFlow::Continue(())
    });
    problem.map_or(Ok(()), Err)
}

fn told(name: &str, given: &[Expr], facts: &Facts<'_>) -> Result<Option<Expr>> {
    if let ("current_setting", [setting, rest @ ..]) = (name, given)
        && let Some(setting) = literal(setting)
        && (facts.setting)(setting).is_none()
        && !rest
            .first()
            .is_some_and(|one| one.to_string().eq_ignore_ascii_case("true"))
    {
        let wrong = format!("unrecognized configuration parameter `{setting}`");
        return Err(Diagnostic::new("R0401", wrong).into());
    }
    Ok(facts.session(name, given))
}

/// What an expression asks, and with which arguments.
fn asked(expr: &Expr) -> Option<(String, Vec<Expr>)> {
    match expr {
        Expr::Identifier(name) if name.quote_style.is_none() => {
            let name = name.value.to_ascii_lowercase();
            BARE.contains(&&*name).then(|| (name, Vec::new()))
        }
        Expr::Function(Function {
            name,
            args,
            over: None,
            ..
        }) => {
            let [.., ObjectNamePart::Identifier(last)] = name.0.as_slice() else {
                return None;
            };
            let schema = name.0.len().checked_sub(2).and_then(|at| name.0.get(at));
            let own = schema.is_none_or(|one| {
                one.to_string()
                    .trim_matches('"')
                    .eq_ignore_ascii_case("pg_catalog")
            });
            let name = last.value.to_ascii_lowercase();
            let given = match args {
                FunctionArguments::None => Vec::new(),
                FunctionArguments::List(list) => {
                    let each = list.args.iter().map(|one| match one {
                        FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => Some(expr.clone()),
                        _ => None,
                    });
                    each.collect::<Option<_>>()?
                }
                FunctionArguments::Subquery(_) => return None,
            };
            (own && WORDS.contains(&&*name)).then_some((name, given))
        }
        _ => None,
    }
}
