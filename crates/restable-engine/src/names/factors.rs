//! FROM: which tables a SELECT reads, how columns may be qualified with them, and what joins make of columns of one name.

use std::collections::HashSet;

use datafusion::sql::sqlparser::ast::{
    BinaryOperator, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArgumentList,
    FunctionArguments, Ident, JoinConstraint, JoinOperator, ObjectName, ObjectNamePart, Statement,
    TableAlias, TableFactor, TableVersion, TableWithJoins, Value,
};
use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::parser::Parser;
use restable_spec::names::fold;

use super::pass::Pass;
use super::{KnownTable, quoted, written};

/// A table of a FROM clause, as columns may be qualified with it.
#[derive(Debug, Clone)]
pub(super) struct Factor {
    /// The qualifier in the rewritten statement.
    pub(super) alias: String,
    /// Folded parts that a written qualifier may have, from the widest to the last.
    pub(super) path: Vec<String>,
    pub(super) table: Option<KnownTable>,
    /// Whether its parameters have other names in the plan.
    renamed: bool,
}

impl Factor {
    /// The table, if its columns are known.
    pub(super) fn known(&self) -> Option<&KnownTable> {
        self.table
            .as_ref()
            .filter(|table| !table.visible.is_empty())
    }

    fn has(&self, name: &str) -> bool {
        self.known().is_some_and(|table| {
            let mut names = table.visible.iter().chain(&table.hidden);
            names.any(|column| column == name)
        })
    }

    fn column(&self, name: &str) -> Expr {
        let name = self.renamed(name).unwrap_or_else(|| name.to_owned());
        Expr::CompoundIdentifier(vec![quoted(self.alias.clone()), quoted(name)])
    }

    /// What a parameter is called, if a NATURAL JOIN gave it another name.
    pub(super) fn renamed(&self, name: &str) -> Option<String> {
        let hidden = self.table.iter().flat_map(|table| &table.hidden);
        let is_renamed = self.renamed && hidden.into_iter().any(|hidden| hidden == name);
        is_renamed.then(|| parameter_name(name))
    }
}

/// A column that USING made of two.
#[derive(Debug, Clone)]
pub(super) struct Merged {
    /// Its name in the plan.
    pub(super) name: String,
    /// Its value, where that is not simply the column of the left table.
    pub(super) whole: Option<Expr>,
    /// The qualifiers of the tables that have it.
    pub(super) holders: Vec<String>,
}

/// What the names of a SELECT can mean.
#[derive(Debug, Clone, Default)]
pub(super) struct Scope {
    pub(super) factors: Vec<Factor>,
    pub(super) merged: Vec<Merged>,
    /// Names in the plan of the columns of the result.
    pub(super) outputs: HashSet<String>,
}

impl Scope {
    /// What stands for an unqualified column that a join merged, the value that the join keeps, or that has another name
    /// in the plan.
    pub(super) fn whole(&self, name: &str) -> Option<Expr> {
        if let Some(merged) = self.merged.iter().find(|merged| merged.name == name) {
            return merged.whole.clone();
        }
        let mut holders = self.factors.iter().filter(|factor| factor.has(name));
        let holder = holders.next().filter(|_| holders.next().is_none())?;
        holder.renamed(name).map(|_| holder.column(name))
    }

    /// Notes what a join makes of the columns of USING. The condition, where the left side of it is no plain column.
    fn merge(&mut self, names: &[String], sides: &Sides, kind: Kind) -> Option<Expr> {
        let mut equal: Option<Expr> = None;
        let mut plain = true;
        for name in names {
            let factors = &self.factors;
            let right = holder(factors.get(sides.right..)?, name);
            let left = holder(factors.get(sides.left..sides.right)?, name);
            let known = self
                .merged
                .get(sides.merged..)?
                .iter()
                .position(|merged| merged.name == *name);
            let before = known.and_then(|at| self.merged[at].whole.clone());
            let renamed =
                |factor: Option<&Factor>| factor.is_some_and(|it| it.renamed(name).is_some());
            plain &= before.is_none() && !renamed(left) && !renamed(right);
            let left_value = before
                .clone()
                .or_else(|| left.map(|factor| factor.column(name)));
            let right_value = right.map(|factor| factor.column(name));
            let holders = left.iter().chain(&right).map(|factor| factor.alias.clone());
            let holders: Vec<String> = holders.collect();
            let whole = match (kind, left_value.clone(), right_value.clone()) {
                (Kind::Left, left, _) => left,
                (Kind::Right, _, right) => right,
                (Kind::Full, Some(left), Some(right)) => Some(coalesce(left, right)),
                (Kind::Full, ..) => None,
            };
            if let (Some(left), Some(right)) = (left_value, right_value) {
                let pair = binary(left, BinaryOperator::Eq, right);
                equal = Some(match equal {
                    Some(equal) => binary(equal, BinaryOperator::And, pair),
                    None => pair,
                });
            }
            match known.map(|at| &mut self.merged[at]) {
                Some(merged) => {
                    merged.whole = whole;
                    merged.holders.extend(holders);
                }
                None => self.merged.push(Merged {
                    name: name.clone(),
                    whole,
                    holders,
                }),
            }
        }
        if plain { None } else { equal }
    }
}

/// Where the sides of a join begin, among the tables and the merged columns of a scope.
struct Sides {
    left: usize,
    right: usize,
    merged: usize,
}

/// Whose rows a join keeps, for what it makes of merged columns.
#[derive(Debug, Clone, Copy)]
enum Kind {
    Left,
    Right,
    Full,
}

fn kind(operator: &JoinOperator) -> Kind {
    match operator {
        JoinOperator::Right(_)
        | JoinOperator::RightOuter(_)
        | JoinOperator::RightSemi(_)
        | JoinOperator::RightAnti(_) => Kind::Right,
        JoinOperator::FullOuter(_) => Kind::Full,
        _ => Kind::Left,
    }
}

/// The table that a column of USING comes from: the first that has it, else the only one that may.
fn holder<'f>(factors: &'f [Factor], name: &str) -> Option<&'f Factor> {
    if let Some(found) = factors.iter().find(|factor| factor.has(name)) {
        return Some(found);
    }
    let mut unknown = factors.iter().filter(|factor| factor.known().is_none());
    let first = unknown.next();
    if unknown.next().is_some() {
        None
    } else {
        first
    }
}

fn binary(left: Expr, op: BinaryOperator, right: Expr) -> Expr {
    Expr::BinaryOp {
        left: Box::new(left),
        op,
        right: Box::new(right),
    }
}

fn coalesce(left: Expr, right: Expr) -> Expr {
    let args = [left, right].map(|value| FunctionArg::Unnamed(FunctionArgExpr::Expr(value)));
    Expr::Function(Function {
        name: ObjectName::from(vec![Ident::new("coalesce")]),
        uses_odbc_syntax: false,
        parameters: FunctionArguments::None,
        args: FunctionArguments::List(FunctionArgumentList {
            duplicate_treatment: None,
            args: args.into(),
            clauses: Vec::new(),
        }),
        filter: None,
        null_treatment: None,
        over: None,
        within_group: Vec::new(),
    })
}

/// The columns that a NATURAL JOIN merges, if those of both sides are known.
fn common(left: &[Factor], right: &[Factor]) -> Option<Vec<String>> {
    let visible = |factors: &[Factor]| -> Option<Vec<String>> {
        let tables = factors.iter().map(Factor::known);
        let tables = tables.collect::<Option<Vec<_>>>()?;
        let columns = tables.iter().flat_map(|table| table.visible.clone());
        Some(columns.collect())
    };
    let (left, mut right) = (visible(left)?, visible(right)?);
    right.retain(|name| left.contains(name));
    Some(right)
}

impl Pass<'_> {
    pub(super) fn joins(
        &mut self,
        from: &mut TableWithJoins,
        scope: &mut Scope,
    ) -> Result<(), crate::Error> {
        let (left, merged) = (scope.factors.len(), scope.merged.len());
        let mut starts = vec![left];
        self.factor(&mut from.relation, scope)?;
        for at in 0..from.joins.len() {
            let right = scope.factors.len();
            starts.push(right);
            let (before, rest) = from.joins.split_at_mut(at);
            let Some(join) = rest.first_mut() else {
                continue;
            };
            self.factor(&mut join.relation, scope)?;
            let kind = kind(&join.join_operator);
            let Some(constraint) = constraint(&mut join.join_operator) else {
                continue;
            };
            if matches!(constraint, JoinConstraint::Natural) {
                match common(&scope.factors[left..right], &scope.factors[right..]) {
                    Some(names) if names.is_empty() => {
                        *constraint = JoinConstraint::On(Expr::Value(Value::Boolean(true).into()));
                    }
                    Some(names) => {
                        let names = names.into_iter().map(|name| vec![quoted(name)]);
                        *constraint = JoinConstraint::Using(names.map(ObjectName::from).collect());
                    }
                    None => {
                        let before = before.iter_mut().map(|join| &mut join.relation);
                        let relations = std::iter::once(&mut from.relation)
                            .chain(before)
                            .chain(std::iter::once(&mut join.relation));
                        for (relation, start) in relations.zip(&starts) {
                            rename_parameters(relation, scope.factors.get_mut(*start));
                        }
                    }
                }
            }
            if let JoinConstraint::Using(columns) = constraint {
                let mut names = Vec::new();
                for part in columns.iter_mut().flat_map(|name| &mut name.0) {
                    if let ObjectNamePart::Identifier(ident) = part {
                        self.ident(ident);
                        names.push(ident.value.clone());
                    }
                }
                let sides = Sides {
                    left,
                    right,
                    merged,
                };
                if let Some(condition) = scope.merge(&names, &sides, kind) {
                    *constraint = JoinConstraint::On(condition);
                }
            }
        }
        Ok(())
    }

    /// A relation gets the alias by which its columns can be told; one that was made up, if it has none.
    fn alias_of(
        &mut self,
        alias: &mut Option<TableAlias>,
        own: Option<String>,
        scope: &Scope,
    ) -> Factor {
        let alias = alias.get_or_insert_with(|| {
            let free = |name: &String| scope.factors.iter().all(|factor| factor.alias != *name);
            let name = own.filter(free).unwrap_or_else(|| {
                self.made += 1;
                format!("__{}", self.made)
            });
            TableAlias {
                explicit: true,
                name: quoted(name),
                columns: Vec::new(),
                at: None,
            }
        });
        let path = vec![fold(&alias.name.value)];
        self.alias(alias);
        Factor {
            alias: alias.name.value.clone(),
            path,
            table: None,
            renamed: false,
        }
    }

    fn factor(&mut self, factor: &mut TableFactor, scope: &mut Scope) -> Result<(), crate::Error> {
        let found = match factor {
            TableFactor::Table {
                name,
                alias,
                args: None,
                version,
                ..
            } => {
                // Taken out: the planner would read the table as it is now, and say nothing.
                let version = version.take();
                self.table(name, alias, version.as_ref(), scope)?
            }
            TableFactor::Table { name, alias, .. } => {
                // A function: its name is not quoted, because DataFusion looks it up as it is printed.
                for part in &mut name.0 {
                    if let ObjectNamePart::Identifier(ident) = part {
                        *ident = Ident::new(ident.value.to_ascii_lowercase());
                    }
                }
                let own = written(name).pop();
                self.alias_of(alias, own, scope)
            }
            TableFactor::NestedJoin {
                table_with_joins,
                alias,
            } => {
                let mut inner = Scope::default();
                let outer = if alias.is_some() {
                    &mut inner
                } else {
                    &mut *scope
                };
                self.joins(table_with_joins, outer)?;
                if alias.is_none() {
                    return Ok(());
                }
                self.alias_of(alias, None, scope)
            }
            TableFactor::Derived { alias, .. }
            | TableFactor::TableFunction { alias, .. }
            | TableFactor::Function { alias, .. }
            | TableFactor::UNNEST { alias, .. } => self.alias_of(alias, None, scope),
            _ => return Ok(()),
        };
        scope.factors.push(found);
        Ok(())
    }

    fn table(
        &mut self,
        name: &mut ObjectName,
        alias: &mut Option<TableAlias>,
        version: Option<&TableVersion>,
        scope: &Scope,
    ) -> Result<Factor, crate::Error> {
        let parts = written(name);
        let cte = match parts.as_slice() {
            [part] if version.is_none() => self.ctes.named(part).cloned(),
            _ => None,
        };
        if let Some(cte) = cte {
            *name = ObjectName::from(vec![quoted(cte.clone())]);
            return Ok(self.alias_of(alias, Some(cte), scope));
        }
        let found = match version {
            Some(version) => Some(self.resolver.at(&parts, version)?),
            None => self.resolver.resolve(&parts)?,
        };
        let Some(table) = found else {
            super::lower_unquoted(name);
            let last = written(name).pop();
            return Ok(self.alias_of(alias, last, scope));
        };
        let full = table.full.iter().map(|part| quoted(part.clone()));
        *name = ObjectName::from(full.collect::<Vec<_>>());
        // As of a time, a table has another name in the plan than in the statement.
        let mut shown = table.full.clone();
        if let (Some(_), Some(last)) = (version, parts.last()) {
            shown[2] = last.to_ascii_lowercase();
        }
        let path = match alias {
            Some(alias) => vec![fold(&alias.name.value)],
            None => shown.iter().map(|part| fold(part)).collect(),
        };
        let renamed = alias
            .as_ref()
            .is_some_and(|alias| !alias.columns.is_empty());
        let alias = alias.get_or_insert_with(|| TableAlias {
            explicit: true,
            name: Ident::new(shown[2].clone()),
            columns: Vec::new(),
            at: None,
        });
        self.alias(alias);
        Ok(Factor {
            alias: alias.name.value.clone(),
            path,
            // `t(a, b)` gives other names to the columns.
            table: (!renamed).then_some(table),
            renamed: false,
        })
    }
}

pub(super) fn constraint(operator: &mut JoinOperator) -> Option<&mut JoinConstraint> {
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

/// A NATURAL JOIN does not see parameters: the table becomes a derived one, in which they have other names.
fn rename_parameters(factor: &mut TableFactor, known: Option<&mut Factor>) {
    let Some(Factor {
        alias,
        table: Some(table),
        renamed,
        ..
    }) = known
    else {
        return;
    };
    if table.hidden.is_empty() || !matches!(factor, TableFactor::Table { .. }) {
        return;
    }
    let visible = table.visible.iter().map(|name| format!("\"{name}\""));
    let hidden = table.hidden.iter();
    let hidden = hidden.map(|name| format!("\"{name}\" AS \"{}\"", parameter_name(name)));
    let columns = visible.chain(hidden).collect::<Vec<_>>().join(", ");
    let source = format!(
        "SELECT {columns} FROM \"{}\".\"{}\".\"{}\"",
        table.full[0], table.full[1], table.full[2]
    );
    let dialect = GenericDialect {};
    let parsed = Parser::parse_sql(&dialect, &source);
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
        *renamed = true;
    }
}

/// The name of a parameter that no other table has.
fn parameter_name(name: &str) -> String {
    format!("{name}:parameter")
}
