//! Collects the column names of every table that the statement names, before anything is rewritten.

use std::collections::{HashMap, HashSet};
use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    ObjectName, Query, Statement, TableAlias, TableFactor, VisitorMut,
};

use super::{Ctes, Resolver, Walk, written};

pub(super) struct Finder<'r> {
    resolver: &'r dyn Resolver,
    pub(super) dictionary: HashSet<String>,
    pub(super) displays: HashMap<String, String>,
    ctes: Ctes,
    /// Names that are no tables to read: what is created or dropped, and functions.
    others: Vec<Vec<String>>,
    pub(super) problem: Option<crate::Error>,
}

impl<'r> Finder<'r> {
    pub(super) fn new(resolver: &'r dyn Resolver) -> Finder<'r> {
        Finder {
            resolver,
            dictionary: HashSet::new(),
            displays: HashMap::new(),
            ctes: Ctes::default(),
            others: Vec::new(),
            problem: None,
        }
    }
}

impl Walk for Finder<'_> {
    fn ctes(&mut self) -> &mut Ctes {
        &mut self.ctes
    }

    fn declare(&mut self, _alias: &mut TableAlias) {}
}

impl VisitorMut for Finder<'_> {
    type Break = ();

    fn pre_visit_statement(&mut self, statement: &mut Statement) -> ControlFlow<()> {
        let targets: Vec<&ObjectName> = match statement {
            Statement::CreateTable(table) => vec![&table.name],
            Statement::CreateView(view) => vec![&view.name],
            Statement::Drop { names, .. } => names.iter().collect(),
            _ => Vec::new(),
        };
        self.others = targets.into_iter().map(written).collect();
        ControlFlow::Continue(())
    }

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<()> {
        self.enter(query)
    }

    fn post_visit_query(&mut self, query: &mut Query) -> ControlFlow<()> {
        self.leave(query);
        ControlFlow::Continue(())
    }

    fn pre_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<()> {
        if let TableFactor::Table {
            name,
            args: Some(_),
            ..
        } = factor
        {
            self.others.push(written(name));
        }
        // Of another time, a table may have had other columns.
        if let TableFactor::Table {
            name,
            version: Some(version),
            ..
        } = factor
        {
            match self.resolver.at(&written(name), version) {
                Ok(table) => {
                    self.dictionary
                        .extend(table.visible.into_iter().chain(table.hidden));
                    self.displays.extend(table.displays);
                }
                Err(problem) => {
                    self.problem = Some(problem);
                    return ControlFlow::Break(());
                }
            }
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_relation(&mut self, relation: &mut ObjectName) -> ControlFlow<()> {
        let parts = written(relation);
        if let Some(at) = self.others.iter().position(|other| *other == parts) {
            self.others.remove(at);
            return ControlFlow::Continue(());
        }
        if parts.len() == 1 && self.ctes.named(&parts[0]).is_some() {
            return ControlFlow::Continue(());
        }
        match self.resolver.resolve(&parts) {
            Ok(Some(table)) => {
                self.dictionary
                    .extend(table.visible.into_iter().chain(table.hidden));
                self.displays.extend(table.displays);
            }
            Ok(None) => {}
            Err(problem) => {
                self.problem = Some(problem);
                return ControlFlow::Break(());
            }
        }
        ControlFlow::Continue(())
    }
}
