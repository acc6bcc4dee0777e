//! One pass over the statement that makes names tolerant: `subscriptionId`, `subscription_id` and `SUBSCRIPTION_ID` are
//! one column, a dotted path goes into JSON, and `*` means a table's fields without its parameters. What leaves the
//! pass is plain SQL for DataFusion, in folded names. It asks a [`Resolver`] what a table is and calls no provider.
//!
//! Names that belong to a table of the statement are folded (case and underscores dropped); others, such as a user's
//! own aliases, follow SQL's rule: lower case unless quoted.

use std::collections::{HashMap, HashSet};
use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    AccessExpr, Expr, Ident, JoinConstraint, JoinOperator, ObjectName, ObjectNamePart, Query,
    Select, SelectItem, SelectItemQualifiedWildcardKind, SetExpr, Statement, Subscript, TableAlias,
    TableFactor, TableWithJoins, Value, VisitMut, VisitorMut, WildcardAdditionalOptions,
};
use restable_spec::names::fold;

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
}

/// What the pass found out.
#[derive(Debug, Default)]
pub struct Names {
    /// How each column of the outermost SELECT list is headed.
    pub headings: Vec<Heading>,
    /// How a user spelled a name, by its name in the plan.
    pub spelled: HashMap<String, String>,
    /// How the documents spell the columns of the statement's tables, by folded name.
    pub displays: HashMap<String, String>,
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
    let mut finder = Finder {
        resolver,
        dictionary: HashSet::new(),
        names: HashSet::new(),
        displays: HashMap::new(),
        targets: Vec::new(),
        problem: None,
    };
    if VisitMut::visit(statement, &mut finder).is_break()
        && let Some(problem) = finder.problem.take()
    {
        return Err(problem);
    }
    let mut pass = Pass {
        resolver,
        dictionary: finder.dictionary,
        scopes: Vec::new(),
        ctes: Vec::new(),
        names: Names {
            displays: finder.displays,
            ..Names::default()
        },
        outermost: true,
        problem: None,
    };
    if VisitMut::visit(statement, &mut pass).is_break()
        && let Some(problem) = pass.problem.take()
    {
        return Err(problem);
    }
    match statement {
        Statement::CreateTable(table) => lower_unquoted(&mut table.name),
        Statement::CreateView(view) => lower_unquoted(&mut view.name),
        Statement::Drop { names, .. } => names.iter_mut().for_each(lower_unquoted),
        _ => {}
    }
    if let Statement::CreateView(view) = statement {
        for column in &mut view.columns {
            pass.ident(&mut column.name);
        }
    }
    Ok(pass.names)
}

/// Collects the column names of every table that the statement names.
struct Finder<'r> {
    resolver: &'r dyn Resolver,
    dictionary: HashSet<String>,
    names: HashSet<Vec<String>>,
    displays: HashMap<String, String>,
    targets: Vec<Vec<String>>,
    problem: Option<crate::Error>,
}

impl VisitorMut for Finder<'_> {
    type Break = ();

    fn pre_visit_statement(&mut self, statement: &mut Statement) -> ControlFlow<()> {
        // What is created or dropped is no table to read.
        let targets: Vec<&ObjectName> = match statement {
            Statement::CreateTable(table) => vec![&table.name],
            Statement::CreateView(view) => vec![&view.name],
            Statement::Drop { names, .. } => names.iter().collect(),
            _ => Vec::new(),
        };
        self.targets = targets.into_iter().map(written).collect();
        ControlFlow::Continue(())
    }

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<()> {
        for cte in query.with.iter().flat_map(|with| &with.cte_tables) {
            self.names
                .insert(vec![cte.alias.name.value.to_ascii_lowercase()]);
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_relation(&mut self, relation: &mut ObjectName) -> ControlFlow<()> {
        let parts = written(relation);
        if let Some(at) = self.targets.iter().position(|target| *target == parts) {
            self.targets.remove(at);
            return ControlFlow::Continue(());
        }
        if parts.len() == 1 && self.names.contains(&vec![parts[0].to_ascii_lowercase()]) {
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

/// A table of a FROM clause, as columns may be qualified with it.
#[derive(Debug, Clone)]
struct Factor {
    /// The qualifier in the rewritten statement.
    alias: String,
    /// Folded parts that a written qualifier may have, from the widest to the last.
    path: Vec<String>,
    table: Option<KnownTable>,
}

struct Pass<'r> {
    resolver: &'r dyn Resolver,
    dictionary: HashSet<String>,
    scopes: Vec<Vec<Factor>>,
    ctes: Vec<HashSet<String>>,
    names: Names,
    /// Whether the first SELECT, whose list heads the result, is still to come.
    outermost: bool,
    problem: Option<crate::Error>,
}

impl VisitorMut for Pass<'_> {
    type Break = ();

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<()> {
        let mut ctes = HashSet::new();
        if let Some(with) = &mut query.with {
            for cte in &mut with.cte_tables {
                self.alias(&mut cte.alias);
                ctes.insert(cte.alias.name.value.clone());
            }
        }
        self.ctes.push(ctes);
        self.scopes.push(Vec::new());
        if let Err(problem) = self.body(&mut query.body) {
            self.problem = Some(problem);
            return ControlFlow::Break(());
        }
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, _query: &mut Query) -> ControlFlow<()> {
        self.scopes.pop();
        self.ctes.pop();
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        match expr {
            Expr::Identifier(ident) => self.ident(ident),
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
}

impl Pass<'_> {
    /// The name in the plan of a written column or alias.
    fn ident(&mut self, ident: &mut Ident) {
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

    fn alias(&mut self, alias: &mut TableAlias) {
        self.ident(&mut alias.name);
        for column in &mut alias.columns {
            self.ident(&mut column.name);
        }
    }

    /// The table that the first parts of a dotted name stand for, and how many parts that takes.
    fn qualifier(&self, folded: &[String]) -> Option<(String, usize)> {
        for factor in self.scopes.iter().rev().flatten() {
            for start in 0..factor.path.len() {
                let path = &factor.path[start..];
                if path.len() < folded.len() && folded.starts_with(path) {
                    return Some((factor.alias.clone(), path.len()));
                }
            }
        }
        None
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

    fn body(&mut self, body: &mut SetExpr) -> Result<(), crate::Error> {
        match body {
            SetExpr::Select(select) => self.select(select),
            SetExpr::SetOperation { left, right, .. } => {
                self.body(left)?;
                self.body(right)
            }
            // A nested query is visited on its own.
            _ => Ok(()),
        }
    }

    fn select(&mut self, select: &mut Select) -> Result<(), crate::Error> {
        let mut factors = Vec::new();
        for from in &mut select.from {
            self.joins(from, &mut factors)?;
        }
        if let Some(scope) = self.scopes.last_mut() {
            scope.extend(factors.iter().cloned());
        }
        let headings: Vec<Heading> = select
            .projection
            .iter()
            .map(|item| self.heading(item))
            .collect();
        if self.outermost {
            self.name_paths(&mut select.projection, &headings);
        }
        let headings = self.wildcards(select, &factors, headings);
        if std::mem::replace(&mut self.outermost, false) {
            self.names.headings = headings;
            keep_apart(&mut select.projection);
        }
        for item in &mut select.projection {
            if let SelectItem::ExprWithAlias { alias, .. } = item {
                self.ident(alias);
            }
        }
        for window in &mut select.named_window {
            self.ident(&mut window.0);
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

    fn joins(
        &mut self,
        from: &mut TableWithJoins,
        factors: &mut Vec<Factor>,
    ) -> Result<(), crate::Error> {
        self.factor(&mut from.relation, factors)?;
        for join in &mut from.joins {
            let natural = matches!(
                constraint(&mut join.join_operator),
                Some(JoinConstraint::Natural)
            );
            if natural {
                hide_parameters(&mut from.relation, factors.last());
            }
            self.factor(&mut join.relation, factors)?;
            if natural {
                hide_parameters(&mut join.relation, factors.last());
            }
            if let Some(JoinConstraint::Using(columns)) = constraint(&mut join.join_operator) {
                for part in columns.iter_mut().flat_map(|name| &mut name.0) {
                    if let ObjectNamePart::Identifier(ident) = part {
                        self.ident(ident);
                    }
                }
            }
        }
        Ok(())
    }

    fn factor(
        &mut self,
        factor: &mut TableFactor,
        factors: &mut Vec<Factor>,
    ) -> Result<(), crate::Error> {
        match factor {
            TableFactor::Table {
                name,
                alias,
                args: None,
                ..
            } => {
                let parts = written(name);
                let cte = (parts.len() == 1).then(|| parts[0].clone()).filter(|name| {
                    let known = |name: &String| self.ctes.iter().any(|ctes| ctes.contains(name));
                    known(name) || known(&fold(name)) || known(&name.to_ascii_lowercase())
                });
                if cte.is_some() {
                    if let Some(ObjectNamePart::Identifier(ident)) = name.0.first_mut() {
                        self.ident(ident);
                        factors.push(plain(&ident.value.clone(), alias.as_ref(), None));
                    }
                } else if let Some(table) = self.resolver.resolve(&parts)? {
                    name.0 = table
                        .full
                        .iter()
                        .map(|part| ObjectNamePart::Identifier(quoted(part.clone())))
                        .collect();
                    let shown = alias
                        .as_ref()
                        .map_or_else(|| table.full[2].clone(), |alias| alias.name.value.clone());
                    let path = match alias {
                        Some(alias) => vec![fold(&alias.name.value)],
                        None => table.full.iter().map(|part| fold(part)).collect(),
                    };
                    let mut named = Ident::new(shown);
                    self.ident(&mut named);
                    factors.push(Factor {
                        alias: named.value.clone(),
                        path,
                        table: Some(table),
                    });
                    match alias {
                        Some(alias) => self.alias(alias),
                        None => {
                            *alias = Some(TableAlias {
                                explicit: true,
                                name: named,
                                columns: Vec::new(),
                                at: None,
                            })
                        }
                    }
                    return Ok(());
                } else {
                    for part in &mut name.0 {
                        if let ObjectNamePart::Identifier(ident) = part
                            && ident.quote_style.is_none()
                        {
                            *ident = quoted(ident.value.to_ascii_lowercase());
                        }
                    }
                    let last = written(name).pop().unwrap_or_default();
                    factors.push(plain(&last, alias.as_ref(), None));
                }
                if let Some(alias) = alias {
                    self.alias(alias);
                }
            }
            TableFactor::NestedJoin {
                table_with_joins,
                alias,
            } => {
                self.joins(table_with_joins, factors)?;
                if let Some(alias) = alias {
                    factors.push(plain("", Some(alias), None));
                    self.alias(alias);
                }
            }
            TableFactor::Derived {
                alias: Some(alias), ..
            }
            | TableFactor::Table {
                alias: Some(alias), ..
            }
            | TableFactor::TableFunction {
                alias: Some(alias), ..
            }
            | TableFactor::Function {
                alias: Some(alias), ..
            }
            | TableFactor::UNNEST {
                alias: Some(alias), ..
            } => {
                factors.push(plain("", Some(alias), None));
                self.alias(alias);
            }
            _ => factors.push(Factor {
                alias: String::new(),
                path: Vec::new(),
                table: None,
            }),
        }
        Ok(())
    }

    /// Replaces `*` and `t.*` by the visible columns of the tables that have hidden ones, and says how each column is
    /// headed then.
    fn wildcards(
        &mut self,
        select: &mut Select,
        factors: &[Factor],
        headings: Vec<Heading>,
    ) -> Vec<Heading> {
        if factors.iter().all(|factor| factor.table.is_none()) {
            return headings;
        }
        let merged = merged_columns(&mut select.from);
        let mut items = Vec::with_capacity(select.projection.len());
        let mut after = Vec::with_capacity(headings.len());
        for (item, heading) in std::mem::take(&mut select.projection)
            .into_iter()
            .zip(headings)
        {
            match item {
                SelectItem::Wildcard(options) => {
                    let mut seen = HashSet::new();
                    for factor in factors {
                        expand(factor, &options, &merged, &mut seen, &mut items);
                    }
                }
                SelectItem::QualifiedWildcard(
                    SelectItemQualifiedWildcardKind::ObjectName(name),
                    options,
                ) => {
                    let wanted: Vec<String> =
                        written(&name).iter().map(|part| fold(part)).collect();
                    match factors.iter().find(|factor| factor.path.ends_with(&wanted)) {
                        Some(factor) => {
                            expand(factor, &options, &[], &mut HashSet::new(), &mut items)
                        }
                        None => items.push(SelectItem::QualifiedWildcard(
                            SelectItemQualifiedWildcardKind::ObjectName(name),
                            options,
                        )),
                    }
                }
                other => {
                    items.push(other);
                    after.push(heading);
                    continue;
                }
            }
            while after.len() < items.len() {
                let is_column = matches!(items[after.len()], SelectItem::UnnamedExpr(_));
                after.push(if is_column {
                    Heading::Document
                } else {
                    Heading::Wildcard
                });
            }
        }
        select.projection = items;
        after
    }
}

/// A result may have a column twice, which a plan may not: later ones get names of their own. Their headings are kept.
fn keep_apart(items: &mut [SelectItem]) {
    let mut seen: Vec<(Option<String>, String)> = Vec::new();
    for item in items {
        let (qualifier, name) = match &*item {
            SelectItem::UnnamedExpr(Expr::Identifier(ident)) => (None, fold(&ident.value)),
            SelectItem::UnnamedExpr(Expr::CompoundIdentifier(parts)) => match parts.as_slice() {
                [.., table, column] => (Some(fold(&table.value)), fold(&column.value)),
                _ => continue,
            },
            SelectItem::UnnamedExpr(expr) => (None, expr.to_string()),
            SelectItem::ExprWithAlias { alias, .. } => (None, fold(&alias.value)),
            _ => continue,
        };
        let same = |known: &&(Option<String>, String)| {
            known.1 == name && (known.0.is_none() || qualifier.is_none() || known.0 == qualifier)
        };
        let count = seen.iter().filter(same).count();
        if count > 0 {
            let alias = quoted(format!("{name}:{}", count + 1));
            *item = match item.clone() {
                SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } => {
                    SelectItem::ExprWithAlias { expr, alias }
                }
                other => other,
            };
        }
        seen.push((qualifier, name));
    }
}

fn quoted(name: impl Into<String>) -> Ident {
    Ident::with_quote('"', name)
}

fn key(name: &str) -> AccessExpr {
    let value = Value::SingleQuotedString(name.to_owned());
    AccessExpr::Subscript(Subscript::Index {
        index: Expr::Value(value.into()),
    })
}

fn plain(name: &str, alias: Option<&TableAlias>, table: Option<KnownTable>) -> Factor {
    let shown = alias.map_or_else(
        || name.to_owned(),
        |alias| match alias.name.quote_style {
            Some(_) => alias.name.value.clone(),
            None => alias.name.value.to_ascii_lowercase(),
        },
    );
    Factor {
        path: vec![fold(&shown)],
        alias: shown,
        table,
    }
}

fn constraint(operator: &mut JoinOperator) -> Option<&mut JoinConstraint> {
    match operator {
        JoinOperator::Join(constraint)
        | JoinOperator::Inner(constraint)
        | JoinOperator::Left(constraint)
        | JoinOperator::LeftOuter(constraint)
        | JoinOperator::Right(constraint)
        | JoinOperator::RightOuter(constraint)
        | JoinOperator::FullOuter(constraint)
        | JoinOperator::CrossJoin(constraint)
        | JoinOperator::Semi(constraint)
        | JoinOperator::LeftSemi(constraint)
        | JoinOperator::RightSemi(constraint)
        | JoinOperator::Anti(constraint)
        | JoinOperator::LeftAnti(constraint)
        | JoinOperator::RightAnti(constraint) => Some(constraint),
        _ => None,
    }
}

/// A NATURAL JOIN does not see parameters: the table becomes a derived one of its visible columns.
fn hide_parameters(factor: &mut TableFactor, known: Option<&Factor>) {
    let Some(Factor {
        alias,
        table: Some(table),
        ..
    }) = known
    else {
        return;
    };
    if table.hidden.is_empty() || !matches!(factor, TableFactor::Table { .. }) {
        return;
    }
    let columns = table
        .visible
        .iter()
        .map(|name| format!("\"{name}\""))
        .collect::<Vec<_>>()
        .join(", ");
    let source = format!(
        "SELECT {columns} FROM \"{}\".\"{}\".\"{}\"",
        table.full[0], table.full[1], table.full[2]
    );
    let dialect = datafusion::sql::sqlparser::dialect::GenericDialect {};
    let parsed = datafusion::sql::sqlparser::parser::Parser::parse_sql(&dialect, &source);
    if let Ok(mut statements) = parsed
        && let Some(Statement::Query(subquery)) = statements.pop()
    {
        let name = TableAlias {
            explicit: true,
            name: quoted(alias.clone()),
            columns: Vec::new(),
            at: None,
        };
        *factor = TableFactor::Derived {
            lateral: false,
            subquery,
            alias: Some(name),
            sample: None,
        };
    }
}

/// The columns that USING merges, in the rewritten spelling.
fn merged_columns(from: &mut [TableWithJoins]) -> Vec<String> {
    let mut merged = Vec::new();
    for join in from.iter_mut().flat_map(|from| &mut from.joins) {
        if let Some(JoinConstraint::Using(columns)) = constraint(&mut join.join_operator) {
            merged.extend(columns.iter().flat_map(written));
        }
    }
    merged
}

fn expand(
    factor: &Factor,
    options: &WildcardAdditionalOptions,
    merged: &[String],
    seen: &mut HashSet<String>,
    items: &mut Vec<SelectItem>,
) {
    let excluded = excluded(options);
    let Some(table) = factor
        .table
        .as_ref()
        .filter(|table| !table.visible.is_empty())
    else {
        let mut options = options.clone();
        let again: Vec<Ident> = merged
            .iter()
            .filter(|name| seen.contains(*name))
            .map(|name| quoted(name.clone()))
            .collect();
        if !again.is_empty() {
            use datafusion::sql::sqlparser::ast::ExcludeSelectItem;
            options.opt_exclude = Some(ExcludeSelectItem::Multiple(
                again.into_iter().map(ObjectName::from).collect(),
            ));
        }
        seen.extend(merged.iter().cloned());
        if factor.alias.is_empty() {
            return;
        }
        let name = ObjectName::from(vec![quoted(factor.alias.clone())]);
        items.push(SelectItem::QualifiedWildcard(
            SelectItemQualifiedWildcardKind::ObjectName(name),
            options,
        ));
        return;
    };
    for column in &table.visible {
        if excluded.contains(column) || (merged.contains(column) && !seen.insert(column.clone())) {
            continue;
        }
        items.push(SelectItem::UnnamedExpr(Expr::CompoundIdentifier(vec![
            quoted(factor.alias.clone()),
            quoted(column.clone()),
        ])));
    }
}

fn excluded(options: &WildcardAdditionalOptions) -> HashSet<String> {
    use datafusion::sql::sqlparser::ast::ExcludeSelectItem;
    let mut names = HashSet::new();
    match &options.opt_exclude {
        Some(ExcludeSelectItem::Single(name)) => {
            names.extend(written(name).last().map(|name| fold(name)))
        }
        Some(ExcludeSelectItem::Multiple(all)) => names.extend(
            all.iter()
                .filter_map(|name| written(name).pop())
                .map(|name| fold(&name)),
        ),
        None => {}
    }
    if let Some(except) = &options.opt_except {
        names.insert(fold(&except.first_element.value));
        names.extend(
            except
                .additional_elements
                .iter()
                .map(|ident| fold(&ident.value)),
        );
    }
    names
}
