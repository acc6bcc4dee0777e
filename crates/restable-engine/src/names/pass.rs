//! The walk that rewrites: names become those of the plan, dotted ones table, column and keys.

use std::collections::HashSet;
use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    AccessExpr, Expr, Ident, NamedWindowExpr, OrderBy, OrderByKind, Query, Select, SelectItem,
    SetExpr, Subscript, Table, TableAlias, Value, VisitMut, VisitorMut, WindowType,
};
use restable_spec::names::fold;

use super::factors::Scope;
use super::finder::Finder;
use super::wildcards::keep_apart;
use super::{Ctes, Heading, Names, Resolver, Walk, quoted, rows, values};

pub(super) struct Pass<'r> {
    pub(super) resolver: &'r dyn Resolver,
    dictionary: HashSet<String>,
    scopes: Vec<Scope>,
    /// The scope of the SELECT that was left last: ORDER BY, which stands outside of it, sees it still.
    left: Option<Scope>,
    pub(super) ctes: Ctes,
    /// Bodies and ORDER BY of the queries around the place, which were walked by hand.
    walked: Vec<(Box<SetExpr>, Option<OrderBy>)>,
    pub(super) names: Names,
    /// How many aliases were made for relations without one.
    pub(super) made: usize,
    /// Whether the next SELECT is the one whose list heads the result.
    outermost: bool,
    pub(super) problem: Option<crate::Error>,
}

impl Walk for Pass<'_> {
    fn ctes(&mut self) -> &mut Ctes {
        &mut self.ctes
    }

    fn declare(&mut self, alias: &mut TableAlias) {
        self.alias(alias);
    }
}

impl VisitorMut for Pass<'_> {
    type Break = ();

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<()> {
        let heads = std::mem::replace(&mut self.outermost, false);
        self.enter(query)?;
        self.outermost = heads && begins_with_select(&query.body);
        let nothing = SetExpr::Table(Box::new(Table {
            table_name: None,
            schema_name: None,
        }));
        let mut body = std::mem::replace(&mut query.body, Box::new(nothing));
        VisitMut::visit(&mut body, self)?;
        self.outermost = false;
        let mut order_by = query.order_by.take();
        if let Some(order_by) = &mut order_by {
            let scope = match (&*body, self.left.take()) {
                (SetExpr::Select(_), Some(scope)) => scope,
                _ => Scope::default(),
            };
            self.scopes.push(scope);
            self.order_by(order_by)?;
            self.scopes.pop();
        }
        self.walked.push((body, order_by));
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, query: &mut Query) -> ControlFlow<()> {
        self.leave(query);
        if let Some((body, order_by)) = self.walked.pop() {
            query.body = body;
            query.order_by = order_by;
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<()> {
        if let Err(problem) = self.select(select) {
            self.problem = Some(problem);
            return ControlFlow::Break(());
        }
        ControlFlow::Continue(())
    }

    fn post_visit_select(&mut self, select: &mut Select) -> ControlFlow<()> {
        values::clauses(select);
        self.left = self.scopes.pop();
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        match expr {
            Expr::Identifier(ident) => {
                self.ident(ident);
                if let Some(whole) = self
                    .scopes
                    .last()
                    .and_then(|scope| scope.whole(&ident.value))
                {
                    *expr = whole;
                }
            }
            Expr::Function(function) => match &mut function.over {
                Some(WindowType::NamedWindow(ident)) => self.ident(ident),
                Some(WindowType::WindowSpec(spec)) => {
                    if let Some(ident) = &mut spec.window_name {
                        self.ident(ident);
                    }
                }
                None => {}
            },
            Expr::CompoundIdentifier(parts) => {
                if let Some(path) = self.compound(parts) {
                    *expr = path;
                }
            }
            Expr::CompoundFieldAccess { root, access_chain } => {
                let parts = match &**root {
                    Expr::Identifier(ident) => vec![ident.clone()],
                    Expr::CompoundIdentifier(parts) => parts.clone(),
                    _ => return ControlFlow::Continue(()),
                };
                // `a.b['c'].d`: names after the column are keys, whichever way they are written.
                let mut parts = parts;
                let dots = access_chain
                    .iter()
                    .take_while(|access| matches!(access, AccessExpr::Dot(Expr::Identifier(_))))
                    .count();
                for access in access_chain.drain(..dots) {
                    if let AccessExpr::Dot(Expr::Identifier(ident)) = access {
                        parts.push(ident);
                    }
                }
                for access in access_chain.iter_mut() {
                    if let AccessExpr::Dot(Expr::Identifier(ident)) = access {
                        *access = key(&ident.value);
                    }
                }
                let rest = std::mem::take(access_chain);
                let (column, mut chain) = match self.compound(&mut parts) {
                    Some(Expr::CompoundFieldAccess { root, access_chain }) => (*root, access_chain),
                    Some(other) => (other, Vec::new()),
                    None if parts.len() == 1 => (Expr::Identifier(parts.remove(0)), Vec::new()),
                    None => (Expr::CompoundIdentifier(parts), Vec::new()),
                };
                chain.extend(rest);
                *expr = Expr::CompoundFieldAccess {
                    root: Box::new(column),
                    access_chain: chain,
                };
            }
            _ => {}
        }
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        values::expression(expr);
        ControlFlow::Continue(())
    }
}

impl<'r> Pass<'r> {
    pub(super) fn new(resolver: &'r dyn Resolver, found: Finder<'r>) -> Pass<'r> {
        Pass {
            resolver,
            dictionary: found.dictionary,
            scopes: Vec::new(),
            left: None,
            ctes: Ctes::default(),
            walked: Vec::new(),
            names: Names {
                displays: found.displays,
                ..Names::default()
            },
            made: 0,
            outermost: true,
            problem: None,
        }
    }

    /// The name in the plan of a written column or alias.
    pub(super) fn ident(&mut self, ident: &mut Ident) {
        let written = ident.value.clone();
        let folded = fold(&written);
        ident.value = if self.dictionary.contains(&folded) {
            folded
        } else if ident.quote_style.is_none() {
            written.to_ascii_lowercase()
        } else {
            written.clone()
        };
        ident.quote_style = Some('"');
        if ident.value != written {
            self.names
                .spelled
                .entry(ident.value.clone())
                .or_insert(written);
        }
    }

    pub(super) fn alias(&mut self, alias: &mut TableAlias) {
        self.ident(&mut alias.name);
        for column in &mut alias.columns {
            self.ident(&mut column.name);
        }
    }

    /// The table that the first parts of a dotted name stand for, and how many parts that takes.
    fn qualifier(&self, folded: &[String]) -> Option<(String, usize)> {
        for factor in self.scopes.iter().rev().flat_map(|scope| &scope.factors) {
            for start in 0..factor.path.len() {
                let path = &factor.path[start..];
                if path.len() < folded.len() && folded.starts_with(path) {
                    return Some((factor.alias.clone(), path.len()));
                }
            }
        }
        None
    }

    /// The other name that a column of the table of this qualifier has in the plan.
    fn renamed(&self, alias: &str, column: &str) -> Option<String> {
        let mut factors = self.scopes.iter().rev().flat_map(|scope| &scope.factors);
        factors
            .find(|factor| factor.alias == alias)?
            .renamed(column)
    }

    /// A column is headed as the user wrote it: an alias, the name without its table, the whole of a path or expression.
    fn heading(&self, item: &SelectItem) -> Heading {
        Heading::Written(match item {
            SelectItem::ExprWithAlias { alias, .. } => alias.value.clone(),
            SelectItem::UnnamedExpr(Expr::Identifier(ident)) => ident.value.clone(),
            SelectItem::UnnamedExpr(Expr::CompoundIdentifier(parts)) => {
                let folded: Vec<String> = parts.iter().map(|part| fold(&part.value)).collect();
                let taken = self.qualifier(&folded).map_or(0, |(_, taken)| taken);
                parts[taken..]
                    .iter()
                    .map(|part| part.value.as_str())
                    .collect::<Vec<_>>()
                    .join(".")
            }
            SelectItem::UnnamedExpr(expr) => expr.to_string(),
            _ => return Heading::Wildcard,
        })
    }

    /// Splits a dotted name into qualifier, column and keys; `None` when the name in place is all there is to it.
    fn compound(&mut self, parts: &mut Vec<Ident>) -> Option<Expr> {
        let folded: Vec<String> = parts.iter().map(|part| fold(&part.value)).collect();
        let (alias, taken) = match self.qualifier(&folded) {
            Some((alias, taken)) => (Some(alias), taken),
            None => (None, 0),
        };
        let keys: Vec<String> = parts
            .drain((taken + 1).min(parts.len())..)
            .map(|part| part.value)
            .collect();
        let mut column = parts.remove(taken);
        self.ident(&mut column);
        if let Some(renamed) = alias
            .as_ref()
            .and_then(|it| self.renamed(it, &column.value))
        {
            column.value = renamed;
        }
        let root = match alias {
            Some(alias) => Expr::CompoundIdentifier(vec![quoted(alias), column]),
            None => Expr::Identifier(column),
        };
        if keys.is_empty() {
            return Some(root);
        }
        let access_chain = keys.iter().map(|name| key(name)).collect();
        Some(Expr::CompoundFieldAccess {
            root: Box::new(root),
            access_chain,
        })
    }

    /// Names of the result go before those of the tables.
    fn order_by(&mut self, order_by: &mut OrderBy) -> ControlFlow<()> {
        let OrderByKind::Expressions(expressions) = &mut order_by.kind else {
            return ControlFlow::Continue(());
        };
        for by in expressions {
            if let Expr::Identifier(ident) = &mut by.expr {
                self.ident(ident);
                let scope = self.scopes.last();
                if scope.is_some_and(|scope| scope.outputs.contains(&ident.value)) {
                    continue;
                }
            }
            // A path that the list has is ordered by as the list names it: DISTINCT allows nothing else.
            if matches!(
                by.expr,
                Expr::CompoundIdentifier(_) | Expr::CompoundFieldAccess { .. }
            ) {
                let written = by.expr.to_string();
                let listed = self
                    .scopes
                    .last()
                    .is_some_and(|scope| scope.outputs.contains(&written));
                if listed {
                    by.expr = Expr::Identifier(quoted(written));
                    continue;
                }
            }
            VisitMut::visit(by, self)?;
        }
        ControlFlow::Continue(())
    }

    fn select(&mut self, select: &mut Select) -> Result<(), crate::Error> {
        let outermost = std::mem::replace(&mut self.outermost, false);
        let mut scope = Scope::default();
        for from in &mut select.from {
            self.joins(from, &mut scope)?;
        }
        self.scopes.push(scope.clone());
        let headings: Vec<Heading> = select
            .projection
            .iter()
            .map(|item| self.heading(item))
            .collect();
        self.name_paths(&mut select.projection, &headings);
        let headings = self.wildcards(select, &scope, headings)?;
        for item in &mut select.projection {
            if let SelectItem::UnnamedExpr(Expr::Identifier(ident)) = item {
                self.ident(ident);
                if let Some(whole) = scope.whole(&ident.value) {
                    *item = SelectItem::ExprWithAlias {
                        expr: whole,
                        alias: ident.clone(),
                    };
                }
            } else if let SelectItem::UnnamedExpr(Expr::CompoundIdentifier(parts)) = item {
                let folded: Vec<String> = parts.iter().map(|part| fold(&part.value)).collect();
                let alias = self
                    .qualifier(&folded)
                    .filter(|(_, taken)| taken + 1 == parts.len());
                if let (Some((alias, _)), Some(mut column)) = (alias, parts.last().cloned()) {
                    self.ident(&mut column);
                    if self.renamed(&alias, &column.value).is_some() {
                        *item = SelectItem::ExprWithAlias {
                            expr: Expr::CompoundIdentifier(vec![quoted(alias), column.clone()]),
                            alias: column,
                        };
                    }
                }
            }
        }
        rows::whole(select, &scope);
        if outermost {
            self.names.headings = headings;
        }
        let written = keep_apart(&mut select.projection);
        for (item, written) in select.projection.iter_mut().zip(written) {
            let output = match item {
                SelectItem::ExprWithAlias { alias, .. } => {
                    self.ident(alias);
                    if let Some(written) = written.filter(|_| !outermost) {
                        self.names.aliased.insert(alias.value.clone(), written);
                    }
                    alias.value.clone()
                }
                SelectItem::UnnamedExpr(Expr::Identifier(ident)) => ident.value.clone(),
                _ => continue,
            };
            scope.outputs.insert(output);
        }
        for window in &mut select.named_window {
            self.ident(&mut window.0);
            match &mut window.1 {
                NamedWindowExpr::NamedWindow(ident) => self.ident(ident),
                NamedWindowExpr::WindowSpec(spec) => {
                    if let Some(ident) = &mut spec.window_name {
                        self.ident(ident);
                    }
                }
            }
        }
        if let Some(last) = self.scopes.last_mut() {
            *last = scope;
        }
        Ok(())
    }

    /// Two spellings of one path are one expression of a plan, which may stand in it once: each gets its heading as name.
    fn name_paths(&self, items: &mut [SelectItem], headings: &[Heading]) {
        for (item, heading) in items.iter_mut().zip(headings) {
            let (SelectItem::UnnamedExpr(expr), Heading::Written(heading)) = (&*item, heading)
            else {
                continue;
            };
            let is_path = match expr {
                Expr::CompoundFieldAccess { .. } => true,
                Expr::CompoundIdentifier(parts) => {
                    let folded: Vec<String> = parts.iter().map(|part| fold(&part.value)).collect();
                    parts.len() > 1 + self.qualifier(&folded).map_or(0, |(_, taken)| taken)
                }
                _ => false,
            };
            if is_path {
                *item = SelectItem::ExprWithAlias {
                    expr: expr.clone(),
                    alias: quoted(heading.clone()),
                };
            }
        }
    }
}

/// Whether the columns of a query are those of a SELECT, the first of a UNION.
fn begins_with_select(body: &SetExpr) -> bool {
    match body {
        SetExpr::Select(_) | SetExpr::Query(_) => true,
        SetExpr::SetOperation { left, .. } => begins_with_select(left),
        _ => false,
    }
}

fn key(name: &str) -> AccessExpr {
    let value = Value::SingleQuotedString(name.to_owned());
    AccessExpr::Subscript(Subscript::Index {
        index: Expr::Value(value.into()),
    })
}
