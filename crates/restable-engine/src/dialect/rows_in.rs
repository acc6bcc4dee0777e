//! `(a, b) IN (SELECT x, y …)`: DataFusion takes a subquery of one column only, so that it becomes the EXISTS that it means.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    self, BinaryOperator, Expr, Ident, Query, SelectItem, SetExpr, TableFactor,
    visit_expressions_mut,
};
use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::parser::Parser;

/// The name of the rows of the subquery, which no statement has.
const ROWS: &str = "rows of a subquery";

/// Replaces rows that are compared with those of a subquery.
pub fn rows_in(statement: &mut ast::Statement) {
    let _: ControlFlow<()> = visit_expressions_mut(statement, |expr| {
        if let Expr::InSubquery {
            expr: row,
            subquery,
            negated,
        } = expr
            && let Expr::Tuple(values) = &**row
            && values.len() > 1
            && let Some(exists) = exists(values, subquery, *negated)
        {
            *expr = exists;
        }
        ControlFlow::Continue(())
    });
}

fn exists(values: &[Expr], subquery: &Query, negated: bool) -> Option<Expr> {
    let columns: Vec<String> = (1..=values.len()).map(|at| format!("value{at}")).collect();
    let template = format!(
        "EXISTS (SELECT 1 FROM (SELECT 1) AS \"{ROWS}\" ({}) WHERE true)",
        columns.join(", ")
    );
    let parser = Parser::new(&GenericDialect {}).try_with_sql(&template);
    let mut exists = parser.and_then(|mut parser| parser.parse_expr()).ok()?;
    let Expr::Exists {
        subquery: query,
        negated: none,
    } = &mut exists
    else {
        return None;
    };
    let SetExpr::Select(select) = &mut *query.body else {
        return None;
    };
    let TableFactor::Derived { subquery: rows, .. } = &mut select.from.first_mut()?.relation else {
        return None;
    };
    **rows = subquery.clone();
    // Two of its values may be the same.
    if let SetExpr::Select(inner) = &mut *rows.body {
        for (item, column) in inner.projection.iter_mut().zip(&columns) {
            if let SelectItem::UnnamedExpr(value @ Expr::Value(_)) = item {
                *item = SelectItem::ExprWithAlias {
                    expr: value.clone(),
                    alias: Ident::new(column),
                };
            }
        }
    }
    let equal = values
        .iter()
        .zip(&columns)
        .map(|(value, column)| Expr::BinaryOp {
            left: Box::new(Expr::CompoundIdentifier(vec![
                Ident::with_quote('"', ROWS),
                Ident::new(column),
            ])),
            op: BinaryOperator::Eq,
            right: Box::new(value.clone()),
        });
    let equal = equal.reduce(|all, one| Expr::BinaryOp {
        left: Box::new(all),
        op: BinaryOperator::And,
        right: Box::new(one),
    })?;
    // NOT IN holds where each comparison is surely false.
    select.selection = Some(match negated {
        false => equal,
        true => Expr::IsNotFalse(Box::new(Expr::Nested(Box::new(equal)))),
    });
    *none = negated;
    Some(exists)
}
