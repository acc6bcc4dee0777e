//! How PostgreSQL heads the columns of a result that have no alias: a function by its name, a cast by what it casts, the rest by
//! `?column?`. Clients find columns by these names.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    Expr, Function, Ident, Query, Select, SelectItem, SetExpr, Statement, VisitMut, VisitorMut,
};

use super::kinds;

/// Gives the columns of a result their headings, and those of queries in it their names.
pub fn give(statement: &mut Statement) {
    struct Queries;

    impl VisitorMut for Queries {
        type Break = ();

        fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<()> {
            body(&mut query.body);
            ControlFlow::Continue(())
        }
    }

    if matches!(
        statement,
        Statement::Query(_) | Statement::CreateTable(_) | Statement::CreateView(_)
    ) {
        let _ = VisitMut::visit(statement, &mut Queries);
    }
}

fn body(of: &mut SetExpr) {
    match of {
        SetExpr::Select(select) => list(select),
        SetExpr::Query(query) => body(&mut query.body),
        // The first SELECT gives a UNION its names.
        SetExpr::SetOperation { left, .. } => body(left),
        _ => {}
    }
}

fn list(select: &mut Select) {
    for item in &mut select.projection {
        if let SelectItem::UnnamedExpr(expr) = item
            && !is_path(expr)
        {
            *item = SelectItem::ExprWithAlias {
                alias: heading(expr),
                expr: expr.clone(),
            };
        }
    }
}

/// A column, or a path into one, is headed as it is written.
fn is_path(expr: &Expr) -> bool {
    matches!(
        expr,
        Expr::Identifier(_) | Expr::CompoundIdentifier(_) | Expr::CompoundFieldAccess { .. }
    )
}

/// The heading of an expression.
pub fn heading(expr: &Expr) -> Ident {
    named(expr).unwrap_or_else(|| quoted("?column?"))
}

fn quoted(name: impl Into<String>) -> Ident {
    Ident::with_quote('"', name)
}

fn named(expr: &Expr) -> Option<Ident> {
    Some(match expr {
        Expr::Identifier(name) => name.clone(),
        Expr::CompoundIdentifier(parts) => parts.last()?.clone(),
        Expr::CompoundFieldAccess { root, .. } => return named(root),
        Expr::Nested(expr) | Expr::Collate { expr, .. } => return named(expr),
        Expr::Cast {
            expr, data_type, ..
        } => {
            let own = data_type.to_string().to_ascii_lowercase();
            return named(expr).or_else(|| Some(quoted(kinds::name(kinds::named(&own)?))));
        }
        Expr::Function(Function { name, .. }) => {
            let name = name.0.last()?.to_string();
            quoted(name.trim_matches('"').to_ascii_lowercase())
        }
        Expr::Case { else_result, .. } => else_result
            .as_deref()
            .and_then(named)
            .unwrap_or_else(|| quoted("case")),
        Expr::Subquery(query) => return of_query(query),
        Expr::Exists { .. } => quoted("exists"),
        Expr::Array(_) => quoted("array"),
        Expr::Extract { .. } => quoted("extract"),
        Expr::Substring { .. } => quoted("substring"),
        Expr::Position { .. } => quoted("position"),
        Expr::Overlay { .. } => quoted("overlay"),
        Expr::Ceil { .. } => quoted("ceil"),
        Expr::Floor { .. } => quoted("floor"),
        Expr::AtTimeZone { .. } => quoted("timezone"),
        Expr::Trim { .. } => quoted("btrim"),
        _ => return None,
    })
}

fn of_query(query: &Query) -> Option<Ident> {
    let SetExpr::Select(select) = query.body.as_ref() else {
        return None;
    };
    match select.projection.first()? {
        SelectItem::ExprWithAlias { alias, .. } => Some(alias.clone()),
        SelectItem::UnnamedExpr(expr) => named(expr),
        _ => None,
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, clippy::panic, reason = "tests")]
mod tests {
    use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
    use datafusion::sql::sqlparser::parser::Parser;

    use super::*;

    #[test]
    fn columns_are_headed_as_postgresql_does() {
        let sql = "SELECT version(), pg_catalog.current_database(), a.oid::bigint, 'x'::text, 1 + 1, name, \
                   CASE WHEN a THEN 1 END, (SELECT max(b) FROM t), count(*) AS n, coalesce(a, 1)";
        let mut all = Parser::parse_sql(&PostgreSqlDialect {}, sql).unwrap();
        give(&mut all[0]);
        let Statement::Query(query) = &all[0] else {
            panic!("a query");
        };
        let SetExpr::Select(select) = query.body.as_ref() else {
            panic!("a SELECT");
        };
        let names = select.projection.iter().map(|item| match item {
            SelectItem::ExprWithAlias { alias, .. } => alias.value.clone(),
            other => other.to_string(),
        });
        assert_eq!(
            names.collect::<Vec<_>>(),
            [
                "version",
                "current_database",
                "oid",
                "text",
                "?column?",
                "name",
                "case",
                "max",
                "n",
                "coalesce"
            ]
        );
    }
}
