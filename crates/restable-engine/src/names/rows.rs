//! Whole rows as values: `row_to_json(t)` and `json_agg(t)` of a table or subquery `t` are of its columns by their names.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    Expr, FunctionArg, FunctionArgExpr, FunctionArguments, Query, Select, SelectItem, SetExpr,
    TableFactor, visit_expressions_mut,
};
use restable_spec::names::fold;

use super::factors::Scope;
use super::quoted;
use crate::pg_catalog::{heading_of, syntax};

/// The functions that take a row.
const TAKE: [&str; 5] = [
    "row_to_json",
    "to_json",
    "to_jsonb",
    "json_agg",
    "jsonb_agg",
];

/// A table of a SELECT: its name in the plan, and its columns as they are headed and as they are found.
struct Rows {
    alias: String,
    columns: Vec<(String, String)>,
}

/// Puts rows in the place of the names of tables, where a function takes them.
pub(super) fn whole(select: &mut Select, scope: &Scope) {
    let written = select.projection.iter().any(|item| {
        let text = item.to_string().to_ascii_lowercase();
        TAKE.iter().any(|name| text.contains(name))
    });
    if !written {
        return;
    }
    let tables = tables(select, scope);
    // What is a column is no table.
    let is_column = |name: &str| {
        let mut columns = tables.iter().flat_map(|table| &table.columns);
        columns.any(|(_, column)| fold(column) == name)
    };
    for item in &mut select.projection {
        let (SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. }) = &mut *item
        else {
            continue;
        };
        let before = heading_of(expr);
        let mut changed = false;
        let _: ControlFlow<()> = visit_expressions_mut(expr, |expr| {
            if let Some(argument) = taken(expr)
                && let Expr::Identifier(name) = &*argument
                && let name = fold(&name.value)
                && let Some(table) = tables.iter().find(|table| fold(&table.alias) == name)
                && !is_column(&name)
            {
                *argument = row(table);
                changed = true;
            }
            ControlFlow::Continue(())
        });
        if changed && let SelectItem::UnnamedExpr(expr) = item {
            *item = SelectItem::ExprWithAlias {
                expr: expr.clone(),
                alias: before,
            };
        }
    }
}

/// The argument of a function that takes a row.
fn taken(expr: &mut Expr) -> Option<&mut Expr> {
    let Expr::Function(function) = expr else {
        return None;
    };
    let name = function.name.0.last()?.to_string().to_ascii_lowercase();
    let FunctionArguments::List(list) = &mut function.args else {
        return None;
    };
    match list.args.as_mut_slice() {
        [FunctionArg::Unnamed(FunctionArgExpr::Expr(argument))]
            if TAKE.contains(&name.trim_matches('"')) =>
        {
            Some(argument)
        }
        _ => None,
    }
}

fn row(table: &Rows) -> Expr {
    let members = table.columns.iter().flat_map(|(shown, column)| {
        let parts = vec![quoted(table.alias.clone()), quoted(column.clone())];
        [syntax::text(shown.clone()), Expr::CompoundIdentifier(parts)]
    });
    syntax::call("json_row", members.collect())
}

/// The tables whose columns are known.
fn tables(select: &Select, scope: &Scope) -> Vec<Rows> {
    let known = scope.factors.iter().filter_map(|factor| {
        let table = factor.known()?;
        let columns = table.visible.iter().map(|name| {
            let shown = table.displays.get(name).unwrap_or(name);
            (shown.clone(), name.clone())
        });
        Some(Rows {
            alias: factor.alias.clone(),
            columns: columns.collect(),
        })
    });
    let factors = select.from.iter().flat_map(|from| {
        let joined = from.joins.iter().map(|join| &join.relation);
        std::iter::once(&from.relation).chain(joined)
    });
    let derived = factors.filter_map(|factor| {
        let TableFactor::Derived {
            subquery,
            alias: Some(alias),
            ..
        } = factor
        else {
            return None;
        };
        let columns = match alias.columns.is_empty() {
            true => columns_of(subquery)?,
            false => alias
                .columns
                .iter()
                .map(|column| column.name.value.clone())
                .collect(),
        };
        let columns = columns.into_iter().map(|name| (name.clone(), name));
        Some(Rows {
            alias: alias.name.value.clone(),
            columns: columns.collect(),
        })
    });
    known.chain(derived).collect()
}

/// The names of the columns of a subquery, if all of them are written.
fn columns_of(query: &Query) -> Option<Vec<String>> {
    let mut body = query.body.as_ref();
    let select = loop {
        body = match body {
            SetExpr::Select(select) => break select,
            SetExpr::Query(query) => query.body.as_ref(),
            SetExpr::SetOperation { left, .. } => left.as_ref(),
            _ => return None,
        };
    };
    let names = select.projection.iter().map(|item| match item {
        SelectItem::ExprWithAlias { alias, .. } => Some(match alias.quote_style {
            Some(_) => alias.value.clone(),
            None => alias.value.to_ascii_lowercase(),
        }),
        SelectItem::UnnamedExpr(Expr::Identifier(name)) => Some(name.value.clone()),
        SelectItem::UnnamedExpr(Expr::CompoundIdentifier(parts)) => {
            parts.last().map(|name| name.value.clone())
        }
        _ => None,
    });
    names.collect()
}
