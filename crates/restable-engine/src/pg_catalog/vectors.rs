//! Lists in the rows of `pg_catalog`: how their places are counted and how they are written, and their items where a FROM takes them apart,
//! one row each: `FROM pg_constraint c, unnest(c.conkey) k`. The planner takes no list of another table there; the table is read once more
//! beside itself, with its items, and joined to itself by what tells its rows from each other.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    AccessExpr, BinaryOperator, Expr, FunctionArg, FunctionArgExpr, Ident, Join, JoinConstraint,
    JoinOperator, ObjectName, Query, Select, SelectItem, SetExpr, Statement, Subscript, TableAlias,
    TableFactor, TableWithJoins, Visit, Visitor,
};

use super::syntax::{arguments, call, empty_select, number, query_of, table_name, text};
use super::{headings, tables};

/// What a row is told by, in the table that is read once more.
const OWN: &str = "restable_row";

/// A table of the catalog in a FROM.
#[derive(Debug, Clone)]
struct Source {
    alias: String,
    table: String,
}

/// The tables that can be named from the place that a walk has come to, those of each query around it.
#[derive(Debug)]
pub struct Vectors {
    frames: Vec<Vec<Source>>,
    /// Whether the statement asks for items with their places, as `(…).x` and `(…).n`.
    parts: bool,
}

impl Vectors {
    /// Begins with a statement.
    pub fn of(statement: &Statement) -> Vectors {
        Vectors {
            frames: Vec::new(),
            parts: statement
                .to_string()
                .to_ascii_lowercase()
                .contains("_pg_expandarray"),
        }
    }

    /// Comes to a query.
    pub fn enter(&mut self, query: &mut Query) {
        self.frames.push(Vec::new());
        self.body(&mut query.body);
    }

    /// Leaves a query.
    pub fn leave(&mut self) {
        self.frames.pop();
    }

    /// What stands for a path into a list, if it cannot stay; `(…).x` is a part of what `_pg_expandarray` answers.
    pub fn path(&self, root: &Expr, chain: &mut [AccessExpr]) -> Option<Expr> {
        if let (Expr::Nested(_) | Expr::Function(_), [AccessExpr::Dot(Expr::Identifier(part))]) =
            (root, &*chain)
        {
            let part = part.value.to_ascii_lowercase();
            let known = self.parts && matches!(&*part, "x" | "n");
            return known.then(|| call("get_field", vec![root.clone(), text(part)]));
        }
        place(root, chain);
        None
    }

    fn body(&mut self, body: &mut SetExpr) {
        match body {
            SetExpr::Select(select) => self.select(select),
            SetExpr::SetOperation { left, right, .. } => {
                self.body(left);
                self.body(right);
            }
            _ => {}
        }
    }

    fn select(&mut self, select: &mut Select) {
        let mut own = Vec::new();
        for from in &select.from {
            sources(from, &mut own);
        }
        if let Some(frame) = self.frames.last_mut() {
            frame.extend(own);
        }
        let mut conditions = Vec::new();
        for from in &mut select.from {
            if let Some(same) = self.taken(&mut from.relation) {
                conditions.push(same);
            }
            for join in &mut from.joins {
                self.join(join, &mut conditions);
            }
        }
        for condition in conditions {
            select.selection = Some(match select.selection.take() {
                Some(others) => and(Expr::Nested(Box::new(others)), condition),
                None => condition,
            });
        }
    }

    fn join(&self, join: &mut Join, conditions: &mut Vec<Expr>) {
        use JoinOperator as Operator;
        let Some(same) = self.taken(&mut join.relation) else {
            return;
        };
        let both = |constraint: &JoinConstraint, same: Expr| match constraint {
            JoinConstraint::On(on) => {
                JoinConstraint::On(and(same, Expr::Nested(Box::new(on.clone()))))
            }
            _ => JoinConstraint::On(same),
        };
        join.join_operator = match &join.join_operator {
            Operator::CrossJoin(on) | Operator::Join(on) | Operator::Inner(on) => {
                Operator::Inner(both(on, same))
            }
            Operator::Left(on) | Operator::LeftOuter(on) => Operator::Left(both(on, same)),
            other => {
                conditions.push(same);
                other.clone()
            }
        };
    }

    /// Puts a table with items in the place of a function that takes a list of a table apart; answers what joins the two.
    fn taken(&self, factor: &mut TableFactor) -> Option<Expr> {
        let Items {
            items,
            ordinality,
            alias,
        } = items(factor)?;
        let source = self.source(&items)?;
        let key = key(&source.table)?;
        let mut columns = alias.columns.iter().map(|column| column.name.clone());
        let mut projection = vec![SelectItem::ExprWithAlias {
            expr: column(&source.alias, key),
            alias: Ident::new(OWN),
        }];
        for (item, name) in &items {
            projection.push(SelectItem::ExprWithAlias {
                expr: item.clone(),
                alias: columns.next().unwrap_or_else(|| name.clone()),
            });
        }
        if ordinality {
            let places = match items.first()? {
                (Expr::Function(function), _) => {
                    let list = arguments(function).into_iter().next()?;
                    call("generate_subscripts", vec![list, number(1)])
                }
                _ => return None,
            };
            projection.push(SelectItem::ExprWithAlias {
                expr: places,
                alias: columns.next().unwrap_or_else(|| Ident::new("ordinality")),
            });
        }
        let select = Select {
            projection,
            from: vec![TableWithJoins {
                relation: TableFactor::Table {
                    name: ObjectName::from(vec![
                        Ident::new("pg_catalog"),
                        Ident::new(&source.table),
                    ]),
                    alias: Some(named(Ident::new(&source.alias))),
                    args: None,
                    with_hints: Vec::new(),
                    version: None,
                    with_ordinality: false,
                    partitions: Vec::new(),
                    json_path: None,
                    sample: None,
                    index_hints: Vec::new(),
                },
                joins: Vec::new(),
            }],
            ..empty_select()
        };
        let same = Expr::BinaryOp {
            left: Box::new(Expr::CompoundIdentifier(vec![
                alias.name.clone(),
                Ident::new(OWN),
            ])),
            op: BinaryOperator::Eq,
            right: Box::new(column(&source.alias, key)),
        };
        *factor = TableFactor::Derived {
            lateral: false,
            subquery: Box::new(query_of(SetExpr::Select(Box::new(select)))),
            alias: Some(named(alias.name)),
            sample: None,
        };
        Some(same)
    }

    /// The one table whose columns the items are made of.
    fn source(&self, items: &[(Expr, Ident)]) -> Option<Source> {
        let mut found: Option<Source> = None;
        let mut look = Columns(Vec::new());
        for (item, _) in items {
            let _ = Visit::visit(item, &mut look);
        }
        for (alias, column) in look.0 {
            let fits = |source: &&Source| {
                alias.as_ref().is_none_or(|alias| source.alias == *alias)
                    && tables::find(&source.table).is_some_and(|layout| {
                        tables::columns(layout).any(|(name, _)| name == column)
                    })
            };
            let source = self
                .frames
                .iter()
                .rev()
                .find_map(|frame| frame.iter().find(fits))?;
            if found
                .as_ref()
                .is_some_and(|other| other.alias != source.alias)
            {
                return None;
            }
            found = Some(source.clone());
        }
        found
    }
}

/// The list whose items a query answers, in their order: `SELECT unnest(conkey)`.
pub fn whole(query: &Query) -> Option<Expr> {
    let SetExpr::Select(select) = query.body.as_ref() else {
        return None;
    };
    let [SelectItem::UnnamedExpr(item) | SelectItem::ExprWithAlias { expr: item, .. }] =
        select.projection.as_slice()
    else {
        return None;
    };
    match item {
        Expr::Function(function) if select.from.is_empty() && select.selection.is_none() => {
            let name = function.name.to_string().to_ascii_lowercase();
            let plain = query.order_by.is_none() && query.limit_clause.is_none();
            let name = name.trim_start_matches("pg_catalog.");
            match (name, arguments(function).as_slice()) {
                ("unnest", [list]) if plain => Some(list.clone()),
                // Its last number is not among them.
                ("generate_series", [from, to]) if plain => {
                    let end = Expr::BinaryOp {
                        left: Box::new(Expr::Nested(Box::new(to.clone()))),
                        op: BinaryOperator::Plus,
                        right: Box::new(number(1)),
                    };
                    Some(call("range", vec![from.clone(), end]))
                }
                _ => None,
            }
        }
        _ => None,
    }
}

/// The places of PostgreSQL's vectors begin with 0, those of its arrays with 1.
fn place(root: &Expr, chain: &mut [AccessExpr]) -> Option<()> {
    let mut last = match root {
        Expr::Identifier(name) => name.value.to_ascii_lowercase(),
        Expr::CompoundIdentifier(parts) => parts.last()?.value.to_ascii_lowercase(),
        Expr::Nested(inner) => match inner.as_ref() {
            Expr::Identifier(name) => name.value.to_ascii_lowercase(),
            Expr::CompoundIdentifier(parts) => parts.last()?.value.to_ascii_lowercase(),
            _ => return None,
        },
        _ => return None,
    };
    for access in chain {
        match access {
            AccessExpr::Dot(Expr::Identifier(name)) => last = name.value.to_ascii_lowercase(),
            AccessExpr::Subscript(Subscript::Index { index }) => {
                if matches!(tables::type_of(&last)?, "int2vector" | "oidvector") {
                    *index = Expr::BinaryOp {
                        left: Box::new(Expr::Nested(Box::new(index.clone()))),
                        op: BinaryOperator::Plus,
                        right: Box::new(number(1)),
                    };
                }
                return None;
            }
            _ => return None,
        }
    }
    None
}

/// A list of the catalog as PostgreSQL writes it.
pub fn written(list: &Expr, kind: &str) -> Option<Expr> {
    let joined = |between: &str| call("array_to_string", vec![list.clone(), text(between)]);
    let beside = |left: Expr, right: Expr| Expr::BinaryOp {
        left: Box::new(left),
        op: BinaryOperator::StringConcat,
        right: Box::new(right),
    };
    match kind {
        "int2vector" | "oidvector" => Some(joined(" ")),
        "int2[]" | "oid[]" => Some(Expr::Nested(Box::new(beside(
            beside(text("{"), joined(",")),
            text("}"),
        )))),
        _ => None,
    }
}

/// What tells the rows of a table of the catalog from each other.
fn key(table: &str) -> Option<&'static str> {
    if table == "pg_index" {
        return Some("indexrelid");
    }
    let mut columns = tables::columns(tables::find(table)?);
    let (first, _) = columns.next()?;
    (first == "oid").then_some(first)
}

/// The functions with rows in a FROM: what they take apart with how each column is called, where that is written; whether the rows are
/// numbered; how they are called.
fn items(factor: &TableFactor) -> Option<Items> {
    let plain = |args: &[FunctionArg]| {
        let one = |arg: &FunctionArg| match arg {
            FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => Some(expr.clone()),
            _ => None,
        };
        args.iter().map(one).collect::<Option<Vec<Expr>>>()
    };
    let (name, args, ordinality, alias) = match factor {
        TableFactor::UNNEST {
            alias,
            array_exprs,
            with_offset: false,
            with_ordinality,
            ..
        } => (
            "unnest".to_owned(),
            array_exprs.clone(),
            *with_ordinality,
            alias,
        ),
        TableFactor::Function {
            name,
            args,
            with_ordinality,
            alias,
            ..
        } => (table_name(name)?, plain(args)?, *with_ordinality, alias),
        TableFactor::Table {
            name,
            args: Some(args),
            with_ordinality,
            alias,
            ..
        } => (
            table_name(name)?,
            plain(&args.args)?,
            *with_ordinality,
            alias,
        ),
        TableFactor::Derived {
            lateral: true,
            subquery,
            alias: Some(alias),
            ..
        } => return selected(subquery, alias),
        _ => return None,
    };
    let alias = alias.clone().unwrap_or_else(|| named(Ident::new(&name)));
    let items: Vec<Expr> = match &*name {
        "unnest" => args
            .into_iter()
            .map(|list| call("unnest", vec![list]))
            .collect(),
        "generate_subscripts" | "generate_series" if !ordinality => vec![call(&name, args)],
        _ => return None,
    };
    let several = items.len() > 1;
    let called = |at| match several {
        true => Ident::new(format!("unnest_{at}")),
        false => alias.name.clone(),
    };
    let items = items.into_iter().enumerate();
    Some(Items {
        items: items.map(|(at, item)| (item, called(at))).collect(),
        ordinality,
        alias,
    })
}

/// `LATERAL (SELECT unnest(i.indkey), generate_subscripts(i.indkey, 1))`.
fn selected(query: &Query, alias: &TableAlias) -> Option<Items> {
    let SetExpr::Select(select) = query.body.as_ref() else {
        return None;
    };
    let whole = query.with.is_none() && query.order_by.is_none() && query.limit_clause.is_none();
    if !whole || !select.from.is_empty() || select.selection.is_some() {
        return None;
    }
    let one = |item: &SelectItem| match item {
        SelectItem::UnnamedExpr(expr) => Some((expr.clone(), headings::heading(expr))),
        SelectItem::ExprWithAlias { expr, alias } => Some((expr.clone(), alias.clone())),
        _ => None,
    };
    let items = select.projection.iter().map(one);
    Some(Items {
        items: items.collect::<Option<Vec<_>>>()?,
        ordinality: false,
        alias: alias.clone(),
    })
}

/// What a FROM takes apart.
struct Items {
    /// The items, each with the name of its column.
    items: Vec<(Expr, Ident)>,
    ordinality: bool,
    alias: TableAlias,
}

fn named(name: Ident) -> TableAlias {
    TableAlias {
        explicit: true,
        name,
        columns: Vec::new(),
        at: None,
    }
}

fn column(table: &str, name: &str) -> Expr {
    Expr::CompoundIdentifier(vec![Ident::new(table), Ident::new(name)])
}

fn and(left: Expr, right: Expr) -> Expr {
    Expr::BinaryOp {
        left: Box::new(left),
        op: BinaryOperator::And,
        right: Box::new(right),
    }
}

/// The tables of the catalog that a FROM reads.
fn sources(from: &TableWithJoins, all: &mut Vec<Source>) {
    let joined = from.joins.iter().map(|join| &join.relation);
    for factor in std::iter::once(&from.relation).chain(joined) {
        match factor {
            TableFactor::Table {
                name,
                alias,
                args: None,
                ..
            } => {
                let Some(table) = table_name(name).filter(|name| tables::find(name).is_some())
                else {
                    continue;
                };
                let alias = alias.as_ref().map(|alias| alias.name.value.as_str());
                let alias = alias.unwrap_or(&table).to_ascii_lowercase();
                all.push(Source { alias, table });
            }
            TableFactor::NestedJoin {
                table_with_joins, ..
            } => sources(table_with_joins, all),
            _ => {}
        }
    }
}

/// The columns that an expression names, with their tables where those are written.
struct Columns(Vec<(Option<String>, String)>);

impl Visitor for Columns {
    type Break = ();

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
        match expr {
            Expr::Identifier(name) => self.0.push((None, name.value.to_ascii_lowercase())),
            Expr::CompoundIdentifier(parts) => {
                if let [table, name] = parts.as_slice() {
                    let table = table.value.to_ascii_lowercase();
                    self.0.push((Some(table), name.value.to_ascii_lowercase()));
                }
            }
            _ => {}
        }
        ControlFlow::Continue(())
    }
}
