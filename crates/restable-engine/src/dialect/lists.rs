//! Aggregates of PostgreSQL's that are a list of the rows and what is made of it: `json_agg`, `json_object_agg`, `mode`, `percentile_disc`.
//! Each becomes `array_agg` with the same ORDER BY, FILTER and OVER, inside a function of lists. And where the rows come out of a subquery
//! that sorts them, they are taken in that order, as in PostgreSQL. It touches syntax trees only.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    Expr, Function, FunctionArg, FunctionArgExpr, FunctionArgumentClause, FunctionArguments, Ident,
    ObjectName, OrderByExpr, OrderByKind, Select, SelectItem, SetExpr, TableFactor, TableWithJoins,
    Value, visit_expressions_mut,
};

use crate::pg_catalog::syntax::call;

/// Gives aggregates that hold their rows in the order of these the ORDER BY of the subquery that the rows are of.
pub fn take_order(select: &mut Select) {
    let [
        TableWithJoins {
            relation: TableFactor::Derived {
                subquery, alias, ..
            },
            joins,
        },
    ] = select.from.as_slice()
    else {
        return;
    };
    let renamed = alias.as_ref().is_some_and(|it| !it.columns.is_empty());
    let (Some(by), SetExpr::Select(inner)) = (&subquery.order_by, &*subquery.body) else {
        return;
    };
    let OrderByKind::Expressions(by) = &by.kind else {
        return;
    };
    if !joins.is_empty() || renamed {
        return;
    }
    let known = by.iter().map_while(|by| {
        let name = shown(&by.expr, &inner.projection)?;
        Some(OrderByExpr {
            expr: Expr::Identifier(name),
            ..by.clone()
        })
    });
    let known: Vec<OrderByExpr> = known.collect();
    if known.is_empty() {
        return;
    }
    let items = select.projection.iter_mut();
    let items = items.filter_map(|item| match item {
        SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } => Some(expr),
        _ => None,
    });
    for item in items {
        let _: ControlFlow<()> = visit_expressions_mut(item, |expr| {
            if let Expr::Function(function) = expr {
                sorted(function, &known);
            }
            ControlFlow::Continue(())
        });
    }
}

fn sorted(function: &mut Function, by: &[OrderByExpr]) {
    const HOLD: [&str; 6] = [
        "string_agg",
        "array_agg",
        "json_agg",
        "jsonb_agg",
        "json_object_agg",
        "jsonb_object_agg",
    ];
    let name = function.name.to_string().to_ascii_lowercase();
    let FunctionArguments::List(list) = &mut function.args else {
        return;
    };
    let free = list.clauses.is_empty() && list.duplicate_treatment.is_none();
    if free && function.over.is_none() && HOLD.contains(&name.trim_matches('"')) {
        list.clauses
            .push(FunctionArgumentClause::OrderBy(by.to_vec()));
    }
}

/// The name under which a subquery shows what it sorts by.
fn shown(key: &Expr, items: &[SelectItem]) -> Option<Ident> {
    let name = |item: &SelectItem| match item {
        SelectItem::ExprWithAlias { alias, .. } => Some(alias.clone()),
        SelectItem::UnnamedExpr(Expr::Identifier(name)) => Some(name.clone()),
        SelectItem::UnnamedExpr(Expr::CompoundIdentifier(parts)) => parts.last().cloned(),
        _ => None,
    };
    let of = |item: &SelectItem| match item {
        SelectItem::ExprWithAlias { expr, .. } | SelectItem::UnnamedExpr(expr) => {
            Some(expr.clone())
        }
        _ => None,
    };
    match key {
        Expr::Value(value) => {
            let Value::Number(at, _) = &value.value else {
                return None;
            };
            let at: usize = at.parse().ok()?;
            name(items.get(at.checked_sub(1)?)?)
        }
        Expr::Identifier(key) => {
            let mut names = items.iter().filter_map(name);
            names.find(|name| name.value == key.value)
        }
        other => name(items.iter().find(|item| of(item).as_ref() == Some(other))?),
    }
}

/// What a call of an aggregate is made of; `None` if it is none of these.
pub fn made_of(function: &Function, name: &str, given: &[Expr]) -> Option<Expr> {
    let (made, of) = match (name, given) {
        // They are aggregates by themselves, which have no window, and of shares take what is written out.
        ("mode", []) | ("percentile_disc", [Expr::Value(_)]) if function.over.is_none() => {
            return None;
        }
        ("json_agg", [value]) => ("json_items", call("to_json", vec![value.clone()])),
        ("jsonb_agg", [value]) => ("jsonb_items", call("to_json", vec![value.clone()])),
        ("json_object_agg", [key, value]) => {
            let pair = call("json_pair", vec![key.clone(), value.clone()]);
            ("json_members", pair)
        }
        ("jsonb_object_agg", [key, value]) => {
            let pair = call("json_pair", vec![key.clone(), value.clone()]);
            ("jsonb_members", pair)
        }
        ("mode", []) => {
            let [sort] = function.within_group.as_slice() else {
                return None;
            };
            ("most_frequent", sort.expr.clone())
        }
        ("percentile_disc", [_]) => {
            let [sort] = function.within_group.as_slice() else {
                return None;
            };
            ("percentile_item", sort.expr.clone())
        }
        _ => return None,
    };
    let mut listed = function.clone();
    listed.name = ObjectName::from(vec![Ident::new("array_agg")]);
    let sorted = std::mem::take(&mut listed.within_group);
    let FunctionArguments::List(list) = &mut listed.args else {
        return None;
    };
    list.args = vec![FunctionArg::Unnamed(FunctionArgExpr::Expr(of))];
    if !sorted.is_empty() {
        list.clauses.push(FunctionArgumentClause::OrderBy(sorted));
    }
    let mut arguments = vec![Expr::Function(listed)];
    if name == "percentile_disc" {
        arguments.extend(given.iter().cloned());
    }
    Some(call(made, arguments))
}
