//! One pass over the statement that makes names tolerant: `subscriptionId`, `subscription_id` and `SUBSCRIPTION_ID` are
//! one column, a dotted path goes into JSON, and `*` means a table's fields without its parameters. What leaves the
//! pass is plain SQL for DataFusion, in folded names. It asks a [`Resolver`] what a table is and calls no provider.
//!
//! Names that belong to a table of the statement are folded (case and underscores dropped); others, such as a user's
//! own aliases, follow SQL's rule: lower case unless quoted.

mod factors;
mod finder;
mod pass;
mod rows;
mod values;
mod wildcards;

use std::collections::HashMap;
use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    Ident, ObjectName, ObjectNamePart, Query, Statement, TableAlias, TableVersion, VisitMut,
    VisitorMut, With,
};
use restable_spec::names::fold;

use finder::Finder;
use pass::Pass;

/// What the pass needs to know of a table that the session knows.
#[derive(Debug, Clone)]
pub struct KnownTable {
    /// Catalog, schema and table as the session registers them.
    pub full: [String; 3],
    /// Folded names of the columns that `*` shows.
    pub visible: Vec<String>,
    /// Folded names of the columns that are found by name only.
    pub hidden: Vec<String>,
    /// Names as the document spells them, by folded name.
    pub displays: HashMap<String, String>,
}

/// Finds tables by the parts of a written name.
pub trait Resolver {
    /// The table of this name; an error if the name is a provider's and nothing there has it.
    fn resolve(&self, parts: &[String]) -> Result<Option<KnownTable>, crate::Error>;

    /// The table of this name as of a time; an error if nothing of that time is kept.
    fn at(&self, parts: &[String], version: &TableVersion) -> Result<KnownTable, crate::Error>;
}

/// What the pass found out.
#[derive(Debug, Default)]
pub struct Names {
    /// How each column of the outermost SELECT list is headed.
    pub headings: Vec<Heading>,
    /// How a user spelled a name, by its name in the plan.
    pub spelled: HashMap<String, String>,
    /// The names that a user gave columns of subqueries, by their names in the plan.
    pub aliased: HashMap<String, String>,
    /// How the documents spell the columns of the statement's tables, by folded name.
    pub displays: HashMap<String, String>,
}

/// The heading of a column of the result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Heading {
    /// As the user wrote it.
    Written(String),
    /// As the document spells the column: it came out of `*`.
    Document,
    /// Any number of columns: a wildcard over something that is no provider's table.
    Wildcard,
}

/// Rewrites `statement` in place.
pub fn rewrite(statement: &mut Statement, resolver: &dyn Resolver) -> Result<Names, crate::Error> {
    let mut finder = Finder::new(resolver);
    if VisitMut::visit(statement, &mut finder).is_break()
        && let Some(problem) = finder.problem.take()
    {
        return Err(problem);
    }
    let mut pass = Pass::new(resolver, finder);
    if VisitMut::visit(statement, &mut pass).is_break()
        && let Some(problem) = pass.problem.take()
    {
        return Err(problem);
    }
    let mut given = Vec::new();
    match statement {
        Statement::CreateTable(table) => {
            lower_unquoted(&mut table.name);
            given.extend(table.columns.iter_mut().map(|column| &mut column.name));
        }
        Statement::CreateView(view) => {
            lower_unquoted(&mut view.name);
            given.extend(view.columns.iter_mut().map(|column| &mut column.name));
        }
        Statement::Drop { names, .. } => names.iter_mut().for_each(lower_unquoted),
        _ => {}
    }
    if !given.is_empty() {
        pass.names.headings = given
            .iter()
            .map(|name| Heading::Written(name.value.clone()))
            .collect();
    }
    for name in given {
        pass.ident(name);
    }
    Ok(pass.names)
}

/// The names of what a user creates follow SQL's rule: lower case unless quoted.
fn lower_unquoted(name: &mut ObjectName) {
    for part in &mut name.0 {
        if let ObjectNamePart::Identifier(ident) = part
            && ident.quote_style.is_none()
        {
            *ident = quoted(ident.value.to_ascii_lowercase());
        }
    }
}

/// The parts of a name as they were written.
pub fn written(name: &ObjectName) -> Vec<String> {
    name.0
        .iter()
        .map(|part| {
            part.as_ident()
                .map_or_else(|| part.to_string(), |ident| ident.value.clone())
        })
        .collect()
}

/// The queries that WITH names, as they are seen from the place that a walk has come to.
#[derive(Debug, Default)]
struct Ctes {
    /// Names in the plan by folded name, a map for each query around the place.
    frames: Vec<HashMap<String, String>>,
    /// The WITH clauses of the queries around the place, which were walked before their bodies.
    clauses: Vec<Option<With>>,
}

impl Ctes {
    /// The name in the plan of the query that a written name stands for.
    fn named(&self, written: &str) -> Option<&String> {
        let folded = fold(written);
        let mut frames = self.frames.iter().rev();
        frames.find_map(|frame| frame.get(&folded))
    }
}

/// A walk that knows which of the queries of WITH can be seen.
trait Walk: VisitorMut<Break = ()> + Sized {
    fn ctes(&mut self) -> &mut Ctes;

    /// Gives a query of WITH its name in the plan.
    fn declare(&mut self, alias: &mut TableAlias);

    /// Walks WITH: each of its queries sees those before it, or all if it is RECURSIVE.
    fn enter(&mut self, query: &mut Query) -> ControlFlow<()> {
        self.ctes().frames.push(HashMap::new());
        let mut with = query.with.take();
        if let Some(with) = &mut with {
            let mut names = Vec::with_capacity(with.cte_tables.len());
            for cte in &mut with.cte_tables {
                let folded = fold(&cte.alias.name.value);
                self.declare(&mut cte.alias);
                names.push((folded, cte.alias.name.value.clone()));
            }
            if with.recursive {
                self.see(names.iter().cloned());
            }
            for (cte, name) in with.cte_tables.iter_mut().zip(names) {
                VisitMut::visit(&mut cte.query, self)?;
                self.see(std::iter::once(name));
            }
        }
        self.ctes().clauses.push(with);
        ControlFlow::Continue(())
    }

    fn see(&mut self, names: impl Iterator<Item = (String, String)>) {
        if let Some(frame) = self.ctes().frames.last_mut() {
            frame.extend(names);
        }
    }

    /// Gives a query its WITH back.
    fn leave(&mut self, query: &mut Query) {
        query.with = self.ctes().clauses.pop().flatten();
        self.ctes().frames.pop();
    }
}

fn quoted(name: impl Into<String>) -> Ident {
    Ident::with_quote('"', name)
}
