//! `*`: the visible columns of the tables of a SELECT, less those that EXCLUDE names, with those that REPLACE and RENAME
//! change.

use std::collections::HashSet;

use datafusion::sql::sqlparser::ast::{
    ExcludeSelectItem, Expr, Ident, ObjectName, RenameSelectItem, ReplaceSelectElement,
    ReplaceSelectItem, Select, SelectItem, SelectItemQualifiedWildcardKind,
    WildcardAdditionalOptions,
};
use restable_spec::names::fold;
use restable_sql::Diagnostic;

use super::factors::{Factor, Merged, Scope};
use super::pass::Pass;
use super::{Heading, quoted, written};

impl Pass<'_> {
    /// Replaces `*` and `t.*` by the visible columns of the tables that are known, and says how each column is headed then.
    pub(super) fn wildcards(
        &mut self,
        select: &mut Select,
        scope: &Scope,
        headings: Vec<Heading>,
    ) -> Result<Vec<Heading>, crate::Error> {
        let mut items = Vec::with_capacity(select.projection.len());
        let mut after = Vec::with_capacity(headings.len());
        for (item, heading) in std::mem::take(&mut select.projection)
            .into_iter()
            .zip(headings)
        {
            let (factors, merged, options) = match &item {
                SelectItem::Wildcard(options) => {
                    (scope.factors.as_slice(), scope.merged.as_slice(), options)
                }
                SelectItem::QualifiedWildcard(
                    SelectItemQualifiedWildcardKind::ObjectName(name),
                    options,
                ) => {
                    let wanted: Vec<String> = written(name).iter().map(|part| fold(part)).collect();
                    let factor = scope
                        .factors
                        .iter()
                        .find(|factor| factor.path.ends_with(&wanted));
                    (
                        factor.map(std::slice::from_ref).unwrap_or_default(),
                        [].as_slice(),
                        options,
                    )
                }
                _ => {
                    items.push(item);
                    after.push(heading);
                    continue;
                }
            };
            let changes = Changes::new(options)?;
            let known = factors.iter().any(|factor| factor.known().is_some());
            if !known && merged.iter().all(|merged| merged.whole.is_none()) {
                if let Some((_, name)) = changes.renamed.first() {
                    return Err(refused("RENAME", Some(name)));
                }
                items.push(item);
                after.push(heading);
                continue;
            }
            let rest = changes.of_unknown(factors)?;
            let mut expansion = Expansion {
                changes,
                rest,
                merged,
                seen: HashSet::new(),
                columns: Vec::new(),
            };
            for factor in factors {
                expansion.expand(factor);
            }
            let (expanded, headed): (Vec<_>, Vec<_>) = expansion.columns.into_iter().unzip();
            items.extend(expanded);
            after.extend(headed);
        }
        select.projection = items;
        Ok(after)
    }
}

/// What is written after a `*`.
struct Changes {
    excluded: Vec<Ident>,
    replaced: Vec<(Ident, Expr)>,
    renamed: Vec<(Ident, Ident)>,
}

impl Changes {
    fn new(options: &WildcardAdditionalOptions) -> Result<Changes, crate::Error> {
        if options.opt_ilike.is_some() {
            return Err(refused("ILIKE", None));
        }
        if let Some(alias) = &options.opt_alias {
            return Err(refused("AS", Some(alias)));
        }
        let mut excluded: Vec<Ident> = match &options.opt_exclude {
            Some(ExcludeSelectItem::Single(name)) => last(name).into_iter().collect(),
            Some(ExcludeSelectItem::Multiple(names)) => names.iter().filter_map(last).collect(),
            None => Vec::new(),
        };
        if let Some(except) = &options.opt_except {
            excluded.push(except.first_element.clone());
            excluded.extend(except.additional_elements.iter().cloned());
        }
        let replaced = options
            .opt_replace
            .iter()
            .flat_map(|replace| &replace.items);
        let replaced = replaced.map(|item| (item.column_name.clone(), item.expr.clone()));
        let renamed = match &options.opt_rename {
            Some(RenameSelectItem::Single(item)) => std::slice::from_ref(item),
            Some(RenameSelectItem::Multiple(items)) => items.as_slice(),
            None => &[],
        };
        Ok(Changes {
            excluded,
            replaced: replaced.collect(),
            renamed: renamed
                .iter()
                .map(|item| (item.ident.clone(), item.alias.clone()))
                .collect(),
        })
    }

    /// The changes to columns of relations whose columns are not known, as DataFusion takes them. An error if a column is
    /// named that no table has.
    fn of_unknown(&self, factors: &[Factor]) -> Result<WildcardAdditionalOptions, crate::Error> {
        let foreign = |name: &&Ident| {
            let folded = fold(&name.value);
            let mut tables = factors.iter().filter_map(Factor::known);
            tables.all(|table| !table.visible.contains(&folded))
        };
        let all_known = factors.iter().all(|factor| factor.known().is_some());
        let mut names = self
            .excluded
            .iter()
            .chain(self.replaced.iter().map(|(name, _)| name))
            .chain(self.renamed.iter().map(|(name, _)| name));
        if all_known && let Some(name) = names.find(foreign) {
            return Err(unknown_column(&name.value, factors));
        }
        if let Some((name, _)) = self.renamed.iter().find(|(name, _)| foreign(&name)) {
            return Err(refused("RENAME", Some(name)));
        }
        let excluded: Vec<ObjectName> = self
            .excluded
            .iter()
            .filter(foreign)
            .map(|name| ObjectName::from(vec![name.clone()]))
            .collect();
        let replaced = self.replaced.iter().filter(|(name, _)| foreign(&name));
        let replaced: Vec<Box<ReplaceSelectElement>> = replaced
            .map(|(name, expr)| {
                Box::new(ReplaceSelectElement {
                    expr: expr.clone(),
                    column_name: name.clone(),
                    as_keyword: true,
                })
            })
            .collect();
        Ok(WildcardAdditionalOptions {
            opt_exclude: (!excluded.is_empty()).then_some(ExcludeSelectItem::Multiple(excluded)),
            opt_replace: (!replaced.is_empty()).then_some(ReplaceSelectItem { items: replaced }),
            ..WildcardAdditionalOptions::default()
        })
    }
}

fn last(name: &ObjectName) -> Option<Ident> {
    name.0.last().and_then(|part| part.as_ident()).cloned()
}

fn refused(what: &str, name: Option<&Ident>) -> crate::Error {
    let of = name.map(|name| format!(" of `{}`", name.value));
    crate::Error::from(
        Diagnostic::new(
            "R0310",
            format!("`{what}`{} after `*` is not built", of.unwrap_or_default()),
        )
        .help("name the columns, each with `AS` where it is to be headed otherwise".to_owned()),
    )
}

fn unknown_column(name: &str, factors: &[Factor]) -> crate::Error {
    let tables = factors.iter().filter_map(Factor::known);
    let known = tables.flat_map(|table| {
        let display = |column| table.displays.get(column).unwrap_or(column).as_str();
        table.visible.iter().map(display)
    });
    let nearest = restable_spec::names::nearest(name, known)
        .map(|nearest| format!("did you mean `{nearest}`? "))
        .unwrap_or_default();
    crate::Error::from(
        Diagnostic::new("R0203", format!("there is no column `{name}`")).help(format!(
            "{nearest}`DESCRIBE EXTENDED` lists the columns of a table"
        )),
    )
}

/// A `*` that becomes columns.
struct Expansion<'s> {
    changes: Changes,
    rest: WildcardAdditionalOptions,
    merged: &'s [Merged],
    seen: HashSet<String>,
    columns: Vec<(SelectItem, Heading)>,
}

impl Expansion<'_> {
    fn expand(&mut self, factor: &Factor) {
        let Some(table) = factor.known() else {
            return self.pass_on(factor);
        };
        for column in &table.visible {
            let named = |name: &Ident| fold(&name.value) == *column;
            if self.changes.excluded.iter().any(named) {
                continue;
            }
            let merged = self.merged.iter().find(|merged| merged.name == *column);
            if merged.is_some() && !self.seen.insert(column.clone()) {
                continue;
            }
            let whole = merged.and_then(|merged| merged.whole.clone());
            let display = || {
                let display = table.displays.get(column).unwrap_or(column);
                Heading::Written(display.clone())
            };
            let plain = Expr::CompoundIdentifier(vec![
                quoted(factor.alias.clone()),
                quoted(column.clone()),
            ]);
            let replaced = self.changes.replaced.iter().find(|(name, _)| named(name));
            let renamed = self.changes.renamed.iter().find(|(name, _)| named(name));
            let (expr, alias, heading) = match (replaced, renamed, whole) {
                (None, None, None) => {
                    self.columns
                        .push((SelectItem::UnnamedExpr(plain), Heading::Document));
                    continue;
                }
                (Some((name, expr)), ..) => (
                    expr.clone(),
                    quoted(column.clone()),
                    Heading::Written(name.value.clone()),
                ),
                (None, Some((_, alias)), whole) => (
                    whole.unwrap_or(plain),
                    alias.clone(),
                    Heading::Written(alias.value.clone()),
                ),
                (None, None, Some(whole @ Expr::CompoundIdentifier(_))) => {
                    self.columns
                        .push((SelectItem::UnnamedExpr(whole), Heading::Document));
                    continue;
                }
                (None, None, Some(whole)) => (whole, quoted(column.clone()), display()),
            };
            self.columns
                .push((SelectItem::ExprWithAlias { expr, alias }, heading));
        }
    }

    /// A relation whose columns are not known keeps its `*`, without the columns that were there before.
    fn pass_on(&mut self, factor: &Factor) {
        let mut options = self.rest.clone();
        let mut again = Vec::new();
        for merged in self.merged {
            if !merged.holders.contains(&factor.alias) {
                continue;
            }
            let first = self.seen.insert(merged.name.clone());
            if let (true, Some(whole)) = (first, &merged.whole) {
                let item = SelectItem::ExprWithAlias {
                    expr: whole.clone(),
                    alias: quoted(merged.name.clone()),
                };
                self.columns.push((item, Heading::Document));
            }
            if !first || merged.whole.is_some() {
                again.push(ObjectName::from(vec![quoted(merged.name.clone())]));
            }
        }
        if !again.is_empty() {
            if let Some(ExcludeSelectItem::Multiple(names)) = options.opt_exclude.take() {
                again.extend(names);
            }
            options.opt_exclude = Some(ExcludeSelectItem::Multiple(again));
        }
        let name = ObjectName::from(vec![quoted(factor.alias.clone())]);
        let item = SelectItem::QualifiedWildcard(
            SelectItemQualifiedWildcardKind::ObjectName(name),
            options,
        );
        self.columns.push((item, Heading::Wildcard));
    }
}

/// A SELECT may have a column twice, which a plan may not: later ones get names of their own, which are not shown. Answers the
/// names that the columns were given by whoever wrote them.
pub(super) fn keep_apart(items: &mut [SelectItem]) -> Vec<Option<String>> {
    let written = items.iter().map(|item| match item {
        SelectItem::ExprWithAlias { alias, .. } => Some(alias.value.clone()),
        _ => None,
    });
    let written = written.collect();
    let mut seen: Vec<(Option<String>, String)> = Vec::new();
    for (at, item) in items.iter_mut().enumerate() {
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
        if seen.iter().any(|known| same(&known)) {
            let alias = quoted(format!("{name}:{}", at + 1));
            *item = match item.clone() {
                SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } => {
                    SelectItem::ExprWithAlias { expr, alias }
                }
                other => other,
            };
        }
        seen.push((qualifier, name));
    }
    written
}
