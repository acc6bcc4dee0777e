//! How large a plan may be. A query in WITH that the next one uses twice, and that the one after it, is as many queries as it is used; so is
//! a view. Memory for planning is counted nowhere, so that what nobody means is refused before it is planned.

use std::collections::{HashMap, VecDeque};
use std::ops::ControlFlow;

use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::logical_expr::LogicalPlan;
use datafusion::sql::sqlparser::ast::{ObjectName, Query, Statement, Visit as _, Visitor};
use restable_sql::{Diagnostic, code};

use crate::Result;

/// Parts of a plan.
const MOST: usize = 10_000;

/// Refuses a statement that reads more tables than that, each as often as it is read.
pub(crate) fn of_text(statement: &Statement) -> Result<()> {
    let mut counted = Counted::default();
    match statement.visit(&mut counted) {
        ControlFlow::Break(()) => Err(too_large()),
        ControlFlow::Continue(()) => Ok(()),
    }
}

/// Refuses a plan of more parts than that, with all that stands in views.
pub(crate) fn of_plan(plan: &LogicalPlan) -> Result<()> {
    let mut parts = 0_usize;
    plan.apply_with_subqueries(|_| {
        parts += 1;
        Ok(match parts > MOST {
            true => TreeNodeRecursion::Stop,
            false => TreeNodeRecursion::Continue,
        })
    })?;
    match parts > MOST {
        true => Err(too_large()),
        false => Ok(()),
    }
}

fn too_large() -> crate::Error {
    let problem = format!("more than {MOST} parts in the plan of one statement");
    let help =
        "a query in WITH, and a view, counts as often as it is used, with all that it uses itself";
    Diagnostic::new(code::TOO_COMPLEX, problem)
        .help(help)
        .into()
}

/// What is read, query by query.
#[derive(Default)]
struct Counted {
    queries: Vec<Frame>,
}

/// A query that is looked at.
#[derive(Default)]
struct Frame {
    tables: usize,
    /// Names of the queries in its WITH that were not looked at yet.
    next: VecDeque<String>,
    /// What the others read.
    named: HashMap<String, usize>,
}

impl Visitor for Counted {
    type Break = ();

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
        let with = query.with.iter().flat_map(|with| &with.cte_tables);
        let next = with.map(|one| one.alias.name.value.to_ascii_lowercase());
        self.queries.push(Frame {
            next: next.collect(),
            ..Frame::default()
        });
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, _: &Query) -> ControlFlow<()> {
        let tables = self.queries.pop().map_or(0, |query| query.tables);
        if let Some(around) = self.queries.last_mut() {
            match around.next.pop_front() {
                Some(name) => {
                    around.named.insert(name, tables);
                }
                None => around.tables = around.tables.saturating_add(tables),
            }
        }
        match tables > MOST {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    }

    fn pre_visit_relation(&mut self, name: &ObjectName) -> ControlFlow<()> {
        let tables = match name.0.as_slice() {
            [part] => part.as_ident().and_then(|name| {
                let name = name.value.to_ascii_lowercase();
                let mut around = self.queries.iter().rev();
                around.find_map(|query| query.named.get(&name).copied())
            }),
            _ => None,
        };
        if let Some(query) = self.queries.last_mut() {
            query.tables = query.tables.saturating_add(tables.unwrap_or(1).max(1));
        }
        ControlFlow::Continue(())
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
    use datafusion::sql::sqlparser::parser::Parser;

    use super::*;

    fn refused(text: &str) -> bool {
        let parsed = Parser::parse_sql(&PostgreSqlDialect {}, text).unwrap();
        of_text(&parsed[0]).is_err()
    }

    #[test]
    fn queries_in_with_count_as_often_as_they_are_used() {
        let chain = |length: usize, last: &str| {
            let mut text = "WITH t0 AS (SELECT 1 AS a)".to_owned();
            for at in 1..=length {
                let before = at - 1;
                text += &format!(", t{at} AS (SELECT x.a FROM t{before} x, T{before} y)");
            }
            format!("{text} {last}")
        };
        assert!(!refused(&chain(12, "SELECT * FROM t12")));
        assert!(refused(&chain(20, "SELECT * FROM t20")));
        let inside = format!("SELECT * FROM ({}) q", chain(20, "SELECT * FROM t20"));
        assert!(refused(&inside));
        let many = (0..300).map(|at| format!("SELECT {at} AS a FROM u"));
        let many = many.collect::<Vec<_>>().join(" UNION ALL ");
        assert!(!refused(&many));
        let recursive = "WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM r, r s) SELECT * FROM r, r t";
        assert!(!refused(recursive));
    }
}
