//! Functions that make rows, in FROM: `unnest(a) AS t(x)`, `json_array_elements(j) e`, `json_each(j)`, `json_to_recordset(j) AS t(a int)`,
//! with or without `WITH ORDINALITY`, of columns of the tables before them as well. Each becomes UNNEST of lists, with the column names
//! that PostgreSQL gives. It touches syntax trees only, before their names are settled.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    self, ArrayElemTypeDef, DataType, Expr, FunctionArg, FunctionArgExpr, FunctionArguments,
    GroupByExpr, Ident, Query, Select, SelectItem, SetExpr, TableAlias, TableAliasColumnDef,
    TableFactor, VisitMut, VisitorMut, visit_expressions, visit_expressions_mut,
};
use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::parser::Parser;

use crate::pg_catalog::gathered;
use crate::pg_catalog::syntax::{call, cast, number, text};

/// The name of the rows inside, which no statement has.
const ROWS: &str = "rows of a function";

/// Replaces functions that make rows.
pub fn made_rows(statement: &mut ast::Statement) {
    let _ = VisitMut::visit(statement, &mut Functions);
}

struct Functions;

impl VisitorMut for Functions {
    type Break = ();

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<()> {
        let mut rows: Vec<(Ident, Ident)> = Vec::new();
        for from in &mut select.from {
            let joined = from.joins.iter_mut().map(|join| &mut join.relation);
            for factor in std::iter::once(&mut from.relation).chain(joined) {
                if let Some(made) = made(factor) {
                    rows.extend(made.row);
                    *factor = made.factor;
                }
            }
        }
        if !rows.is_empty() {
            name_rows(select, &rows);
        }
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        if let Expr::Function(function) = expr
            && let FunctionArguments::Subquery(query) = &function.args
            && function.name.to_string().eq_ignore_ascii_case("array")
        {
            let mut query = query.clone();
            if gathered(&mut query).is_some() {
                // Of no rows it is a list of none.
                *expr = call("list_or_empty", vec![Expr::Subquery(query)]);
            }
        }
        ControlFlow::Continue(())
    }
}

/// What stands for a function in FROM.
struct Made {
    factor: TableFactor,
    /// The name of the table and its only column, where the name of the table is a value as well.
    row: Option<(Ident, Ident)>,
}

/// The lists that a function makes rows of.
struct Lists {
    lists: Vec<Expr>,
    names: Vec<String>,
    /// Which of the columns are JSON.
    json: Vec<bool>,
    /// A column is named as the table, where that has a name and the column none.
    named_as_table: bool,
}

impl Lists {
    fn of(lists: Vec<Expr>, names: &[&str]) -> Lists {
        Lists {
            json: vec![false; lists.len()],
            lists,
            names: names.iter().map(|name| (*name).to_owned()).collect(),
            named_as_table: false,
        }
    }
}

fn made(factor: &TableFactor) -> Option<Made> {
    let (name, lists, alias, counted) = match factor {
        TableFactor::UNNEST {
            alias,
            array_exprs,
            with_offset: false,
            with_ordinality,
            ..
        } => {
            let lists = lists("unnest", array_exprs, alias.as_ref(), *with_ordinality)?;
            ("unnest".to_owned(), lists, alias, *with_ordinality)
        }
        TableFactor::Table {
            name,
            alias,
            args: Some(args),
            with_ordinality,
            ..
        } => {
            let name = last(name)?;
            let given = given(&args.args)?;
            let lists = lists(&name, &given, alias.as_ref(), *with_ordinality)?;
            (name, lists, alias, *with_ordinality)
        }
        TableFactor::Function {
            name,
            args,
            alias,
            with_ordinality,
            ..
        } => {
            let name = last(name)?;
            let given = given(args)?;
            let lists = lists(&name, &given, alias.as_ref(), *with_ordinality)?;
            (name, lists, alias, *with_ordinality)
        }
        _ => return None,
    };
    let mut lists = lists;
    let mut alias = alias.clone().unwrap_or_else(|| TableAlias {
        explicit: true,
        name: Ident::new(name),
        columns: Vec::new(),
        at: None,
    });
    if lists.named_as_table
        && let [name] = lists.names.as_mut_slice()
    {
        name.clone_from(&alias.name.value);
    }
    if counted {
        let lengths: Vec<Expr> = lists.lists.iter().cloned().map(length).collect();
        let longest = match lengths.len() {
            1 => lengths.into_iter().next()?,
            _ => call("greatest", lengths),
        };
        lists
            .lists
            .push(call("generate_series", vec![number(1), longest]));
        lists.names.push("ordinality".to_owned());
        lists.json.push(false);
    }
    // Casts of one NULL to lists of two types have one name in a plan.
    for (at, list) in lists.lists.iter_mut().enumerate().skip(1) {
        *list = call("list_at", vec![list.clone(), number(at)]);
    }
    // Types were needed to make the lists; names that were given go before ours.
    for column in &mut alias.columns {
        column.data_type = None;
    }
    for name in lists.names.iter().skip(alias.columns.len()) {
        alias.columns.push(TableAliasColumnDef {
            name: Ident::new(name.clone()),
            data_type: None,
        });
    }
    let row = match alias.columns.as_slice() {
        [column] if !column.name.value.eq_ignore_ascii_case(&alias.name.value) => {
            Some((alias.name.clone(), column.name.clone()))
        }
        _ => None,
    };
    let factor = match lists.json.contains(&true) {
        true => marked(lists, alias)?,
        false => unnested(lists.lists, Some(alias)),
    };
    Some(Made { factor, row })
}

fn length(list: Expr) -> Expr {
    let none = vec![call("cardinality", vec![list]), number(0)];
    cast(call("coalesce", none), DataType::BigInt(None))
}

fn unnested(array_exprs: Vec<Expr>, alias: Option<TableAlias>) -> TableFactor {
    TableFactor::UNNEST {
        alias,
        array_exprs,
        with_offset: false,
        with_offset_alias: None,
        with_ordinality: false,
    }
}

/// `LATERAL (SELECT json_text(c1), c2 FROM UNNEST(…) AS rows (c1, c2)) AS alias`.
fn marked(lists: Lists, outer: TableAlias) -> Option<TableFactor> {
    let names: Vec<String> = (1..=lists.lists.len()).map(|at| format!("c{at}")).collect();
    let items = names
        .iter()
        .zip(&lists.json)
        .map(|(name, json)| match json {
            true => format!("json_text({name}) AS {name}"),
            false => name.clone(),
        });
    let template = format!(
        "SELECT 1 FROM LATERAL (SELECT {} FROM (SELECT 1) AS \"{ROWS}\" ({})) AS made",
        items.collect::<Vec<_>>().join(", "),
        names.join(", ")
    );
    let parser = Parser::new(&GenericDialect {}).try_with_sql(&template);
    let mut query = parser.and_then(|mut parser| parser.parse_query()).ok()?;
    let factor = &mut from(&mut query)?;
    let TableFactor::Derived {
        subquery, alias, ..
    } = &mut **factor
    else {
        return None;
    };
    *alias = Some(outer);
    let inner = from(subquery)?;
    let TableFactor::Derived { alias, .. } = inner else {
        return None;
    };
    *inner = unnested(lists.lists, alias.take());
    Some(factor.clone())
}

fn from(query: &mut Query) -> Option<&mut TableFactor> {
    match &mut *query.body {
        SetExpr::Select(select) => Some(&mut select.from.first_mut()?.relation),
        _ => None,
    }
}

fn last(name: &ast::ObjectName) -> Option<String> {
    let name = name.0.last()?.as_ident()?;
    Some(name.value.to_ascii_lowercase())
}

fn given(args: &[FunctionArg]) -> Option<Vec<Expr>> {
    let values = args.iter().map(|one| match one {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => Some(expr.clone()),
        _ => None,
    });
    values.collect()
}

/// The lists that a function makes rows of; `None`: it is no such function.
fn lists(name: &str, given: &[Expr], alias: Option<&TableAlias>, counted: bool) -> Option<Lists> {
    let value = || given.first().cloned();
    let alone = |list: Expr| Lists {
        named_as_table: true,
        ..Lists::of(vec![list], &[name])
    };
    Some(match (name, given) {
        ("unnest", [list]) => alone(list.clone()),
        ("unnest", [_, _, ..]) => Lists::of(given.to_vec(), &vec![name; given.len()]),
        // By itself it is a table of the planner's own, which makes its rows one after the other.
        ("generate_series", [_, _, ..]) if counted || given.iter().any(has_column) => {
            alone(call(name, given.to_vec()))
        }
        ("json_array_elements" | "jsonb_array_elements", [_]) => Lists {
            json: vec![true],
            ..Lists::of(vec![call("json_elements", vec![value()?])], &["value"])
        },
        ("json_array_elements_text" | "jsonb_array_elements_text", [_]) => {
            Lists::of(vec![call("json_item_texts", vec![value()?])], &["value"])
        }
        ("json_object_keys" | "jsonb_object_keys", [_]) => alone(call("json_keys", vec![value()?])),
        ("json_each" | "jsonb_each" | "json_each_text" | "jsonb_each_text", [_]) => {
            let texts = name.ends_with("_text");
            let values = if texts {
                "json_value_texts"
            } else {
                "json_values"
            };
            let both = vec![
                call("json_keys", vec![value()?]),
                call(values, vec![value()?]),
            ];
            Lists {
                json: vec![false, !texts],
                ..Lists::of(both, &["key", "value"])
            }
        }
        (
            "json_to_recordset" | "jsonb_to_recordset" | "json_to_record" | "jsonb_to_record",
            [_],
        ) => records(value()?, alias?)?,
        ("string_to_table", [_, _]) => alone(call("string_to_array", given.to_vec())),
        ("regexp_split_to_table", [_, _] | [_, _, _]) => {
            alone(call("regexp_split_to_array", given.to_vec()))
        }
        _ => return None,
    })
}

/// The columns that an alias names with their types, each a list of one member of the records.
fn records(json: Expr, alias: &TableAlias) -> Option<Lists> {
    let is_json = |kind: &DataType| matches!(kind, DataType::JSON | DataType::JSONB);
    let column = |column: &TableAliasColumnDef| {
        let kind = column.data_type.clone()?;
        let member = vec![json.clone(), text(column.name.value.clone())];
        let texts = call("json_record_texts", member);
        let json = is_json(&kind);
        let list = match kind {
            DataType::Text | DataType::JSON | DataType::JSONB | DataType::Uuid => texts,
            kind => cast(
                texts,
                DataType::Array(ArrayElemTypeDef::SquareBracket(Box::new(kind), None)),
            ),
        };
        Some((list, json, column.name.value.clone()))
    };
    let columns: Vec<(Expr, bool, String)> =
        alias.columns.iter().map(column).collect::<Option<_>>()?;
    if columns.is_empty() {
        return None;
    }
    Some(Lists {
        json: columns.iter().map(|(_, json, _)| *json).collect(),
        names: columns.iter().map(|(_, _, name)| name.clone()).collect(),
        lists: columns.into_iter().map(|(list, _, _)| list).collect(),
        named_as_table: false,
    })
}

/// Whether an expression names a column.
pub fn has_column(expr: &Expr) -> bool {
    let found = visit_expressions(expr, |one| match one {
        Expr::Identifier(_) | Expr::CompoundIdentifier(_) | Expr::CompoundFieldAccess { .. } => {
            ControlFlow::Break(())
        }
        _ => ControlFlow::Continue(()),
    });
    found.is_break()
}

/// `SELECT e FROM json_array_elements(j) e`: the name of the table is its only value.
fn name_rows(select: &mut Select, rows: &[(Ident, Ident)]) {
    let column = |name: &Ident| {
        let mut rows = rows.iter();
        let found = rows.find(|(table, _)| table.value.eq_ignore_ascii_case(&name.value));
        found.map(|(table, column)| Expr::CompoundIdentifier(vec![table.clone(), column.clone()]))
    };
    let replace = |expr: &mut Expr| {
        if let Expr::Identifier(name) = expr
            && let Some(found) = column(name)
        {
            *expr = found;
        }
        ControlFlow::<()>::Continue(())
    };
    for item in &mut select.projection {
        if let SelectItem::UnnamedExpr(Expr::Identifier(name)) = item
            && let Some(found) = column(name)
        {
            let alias = name.clone();
            *item = SelectItem::ExprWithAlias { expr: found, alias };
            continue;
        }
        let _ = visit_expressions_mut(item, replace);
    }
    for condition in [&mut select.selection, &mut select.having] {
        let _ = visit_expressions_mut(condition, replace);
    }
    if let GroupByExpr::Expressions(keys, _) = &mut select.group_by {
        let _ = visit_expressions_mut(keys, replace);
    }
}
