//! EXISTS as a value: in a SELECT list, where the planner knows it as a condition only. What is asked for there is counted instead,
//! and no more than one row of it is read where the question does not depend on the row around it.

use std::collections::HashSet;
use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    BinaryOperator, Distinct, Expr, GroupByExpr, Ident, LimitClause, Query, Select, SelectItem,
    SetExpr, Statement, TableAlias, TableFactor, TableWithJoins, Value as Literal, Visit, VisitMut,
    Visitor, VisitorMut,
};

use crate::pg_catalog::syntax::{aggregates, call, empty_select, number, query_of};

/// Puts counts in the place of EXISTS in the SELECT lists of a statement.
pub(crate) fn count_existing(statement: &mut Statement) {
    struct Lists;
    impl VisitorMut for Lists {
        type Break = ();
        fn post_visit_query(&mut self, query: &mut Query) -> ControlFlow<()> {
            lists(&mut query.body);
            ControlFlow::Continue(())
        }
    }
    let _ = VisitMut::visit(statement, &mut Lists);
}

fn lists(body: &mut SetExpr) {
    match body {
        SetExpr::Select(select) => {
            for item in &mut select.projection {
                if let SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } = item
                {
                    let _ = VisitMut::visit(expr, &mut Values { depth: 0 });
                }
            }
        }
        SetExpr::SetOperation { left, right, .. } => {
            lists(left);
            lists(right);
        }
        _ => {}
    }
}

struct Values {
    depth: usize,
}

impl VisitorMut for Values {
    type Break = ();

    fn pre_visit_query(&mut self, _: &mut Query) -> ControlFlow<()> {
        self.depth += 1;
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, _: &mut Query) -> ControlFlow<()> {
        self.depth -= 1;
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        if self.depth == 0
            && let Expr::Exists { subquery, negated } = expr
            && let Some(counted) = counted(subquery, *negated)
        {
            *expr = counted;
        }
        ControlFlow::Continue(())
    }
}

/// Whether a query answers rows, as a value; `None` where it cannot be counted.
fn counted(query: &Query, negated: bool) -> Option<Expr> {
    let op = match negated {
        true => BinaryOperator::Eq,
        false => BinaryOperator::Gt,
    };
    let count = SelectItem::UnnamedExpr(Expr::BinaryOp {
        left: Box::new(call("count", vec![number(1)])),
        op,
        right: Box::new(number(0)),
    });
    let mut query = query.clone();
    if is_correlated(&query) {
        // What depends on the row around it cannot stand in a query of its own.
        let SetExpr::Select(select) = query.body.as_mut() else {
            return None;
        };
        if !is_plain(select) || !query.limit_clause.as_ref().is_none_or(takes_one) {
            return None;
        }
        select.projection = vec![count];
        (query.order_by, query.limit_clause) = (None, None);
        return Some(Expr::Subquery(Box::new(query)));
    }
    if let SetExpr::Select(select) = query.body.as_mut()
        && is_plain(select)
    {
        select.projection = vec![SelectItem::ExprWithAlias {
            expr: number(1),
            alias: Ident::with_quote('"', "one"),
        }];
        query.order_by = None;
    }
    if query.limit_clause.is_none() && query.fetch.is_none() {
        query.limit_clause = Some(LimitClause::LimitOffset {
            limit: Some(number(1)),
            offset: None,
            limit_by: Vec::new(),
        });
    }
    let rows = TableFactor::Derived {
        lateral: false,
        subquery: Box::new(query),
        alias: Some(TableAlias {
            explicit: true,
            name: Ident::with_quote('"', "exists:rows"),
            columns: Vec::new(),
            at: None,
        }),
        sample: None,
    };
    let select = Select {
        projection: vec![count],
        from: vec![TableWithJoins {
            relation: rows,
            joins: Vec::new(),
        }],
        ..empty_select()
    };
    let counting = query_of(SetExpr::Select(Box::new(select)));
    Some(Expr::Subquery(Box::new(counting)))
}

/// Whether a LIMIT leaves at least one row of those that there are.
fn takes_one(limit: &LimitClause) -> bool {
    let LimitClause::LimitOffset {
        limit: Some(Expr::Value(value)),
        offset: None,
        ..
    } = limit
    else {
        return false;
    };
    match &value.value {
        Literal::Number(digits, _) => digits.parse::<u64>().is_ok_and(|rows| rows > 0),
        _ => false,
    }
}

/// Whether what a SELECT computes does not matter for how many rows it answers.
fn is_plain(select: &Select) -> bool {
    let grouped = !matches!(&select.group_by, GroupByExpr::Expressions(all, _) if all.is_empty());
    let computes = select.projection.iter().any(|item| match item {
        SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } => {
            aggregates(expr) || calls(expr)
        }
        _ => false,
    });
    let distinct = matches!(select.distinct, Some(Distinct::On(_) | Distinct::Distinct));
    !grouped && !computes && !distinct && select.having.is_none()
}

/// Whether an expression calls a function, which may be one of several rows.
fn calls(expr: &Expr) -> bool {
    struct Calls;
    impl Visitor for Calls {
        type Break = ();
        fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
            match expr {
                Expr::Function(_) => ControlFlow::Break(()),
                _ => ControlFlow::Continue(()),
            }
        }
    }
    expr.visit(&mut Calls).is_break()
}

/// Whether a query names a column of a table that stands around it.
fn is_correlated(query: &Query) -> bool {
    #[derive(Default)]
    struct Looks {
        tables: HashSet<String>,
        named: HashSet<String>,
    }
    impl Visitor for Looks {
        type Break = ();
        fn pre_visit_table_factor(&mut self, factor: &TableFactor) -> ControlFlow<()> {
            let (alias, name) = match factor {
                TableFactor::Table { alias, name, .. } => {
                    (alias, name.0.last().and_then(|part| part.as_ident()))
                }
                TableFactor::Derived { alias, .. } | TableFactor::NestedJoin { alias, .. } => {
                    (alias, None)
                }
                _ => return ControlFlow::Continue(()),
            };
            let own = alias.as_ref().map(|alias| &alias.name).or(name);
            self.tables.extend(own.map(|own| own.value.clone()));
            ControlFlow::Continue(())
        }
        fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
            if let Expr::CompoundIdentifier(parts) = expr
                && let [.., table, _] = parts.as_slice()
            {
                self.named.insert(table.value.clone());
            }
            ControlFlow::Continue(())
        }
    }
    let mut looks = Looks::default();
    let _ = query.visit(&mut looks);
    !looks.named.is_subset(&looks.tables)
}
