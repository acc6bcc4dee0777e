//! Questions about what restable has not: a SELECT that reads a table which never holds a row, such as that of indexes,
//! answers none, whatever it computes. It becomes one of nothing but its headings and their types, so that what it
//! computes need not be planned. A column that no table has stays an error.

use std::collections::HashSet;
use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    ArrayElemTypeDef, BinaryOperator, DataType, ExactNumberInfo, Expr, GroupByExpr, Ident,
    JoinOperator, Query, Select, SelectItem, SelectItemQualifiedWildcardKind, SetExpr, TableFactor,
    TableWithJoins, TimezoneInfo, Value, Visit, Visitor,
};

use super::headings;
use super::syntax::{aggregates, boolean, cast, is_null, table_name};
use super::tables;
use crate::information_schema;

/// The queries of WITH that answer no rows, as they are seen from the place that a walk has come to.
#[derive(Debug, Default)]
pub struct Empty {
    frames: Vec<HashSet<String>>,
}

impl Empty {
    /// Comes to a query: blanks what it selects, if that reads nothing.
    pub fn enter(&mut self, query: &mut Query) {
        let mut frame = HashSet::new();
        for cte in query.with.iter().flat_map(|with| &with.cte_tables) {
            self.frames.push(frame);
            let nothing = self.query(&cte.query);
            frame = self.frames.pop().unwrap_or_default();
            if nothing {
                frame.insert(cte.alias.name.value.to_ascii_lowercase());
            }
        }
        self.frames.push(frame);
        let outermost = self.frames.len() == 1;
        self.body(&mut query.body, outermost);
        if let SetExpr::Select(select) = query.body.as_ref()
            && is_blank(select)
        {
            query.order_by = None;
        }
    }

    /// Leaves a query.
    pub fn leave(&mut self) {
        self.frames.pop();
    }

    /// Whether a query answers no rows.
    pub fn query(&self, query: &Query) -> bool {
        self.answers_nothing(&query.body)
    }

    fn answers_nothing(&self, body: &SetExpr) -> bool {
        match body {
            SetExpr::Select(select) => is_blank(select) || self.reads_nothing(select),
            SetExpr::Query(query) => self.query(query),
            SetExpr::SetOperation { left, right, .. } => {
                self.answers_nothing(left) && self.answers_nothing(right)
            }
            _ => false,
        }
    }

    fn body(&self, body: &mut SetExpr, outermost: bool) {
        match body {
            SetExpr::Select(select) if self.reads_nothing(select) => {
                blank(select, outermost);
            }
            SetExpr::SetOperation { left, right, .. } => {
                self.body(left, outermost);
                self.body(right, false);
            }
            _ => {}
        }
    }

    fn reads_nothing(&self, select: &Select) -> bool {
        let grouped =
            !matches!(&select.group_by, GroupByExpr::Expressions(all, _) if all.is_empty());
        let aggregate = select.projection.iter().any(|item| match item {
            SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } => {
                aggregates(expr)
            }
            _ => false,
        });
        // An aggregate over no rows is one row.
        (grouped || !aggregate) && select.from.iter().any(|from| self.joined(from))
    }

    fn joined(&self, from: &TableWithJoins) -> bool {
        let mut nothing = self.factor(&from.relation);
        for join in &from.joins {
            let right = self.factor(&join.relation);
            nothing = match &join.join_operator {
                JoinOperator::Join(_) | JoinOperator::Inner(_) | JoinOperator::CrossJoin(_) => {
                    nothing || right
                }
                JoinOperator::Right(_) | JoinOperator::RightOuter(_) => right,
                JoinOperator::FullOuter(_) => nothing && right,
                _ => nothing,
            };
        }
        nothing
    }

    fn factor(&self, factor: &TableFactor) -> bool {
        match factor {
            TableFactor::Table {
                name, args: None, ..
            } => {
                if let [part] = name.0.as_slice() {
                    let own = part.to_string().trim_matches('"').to_ascii_lowercase();
                    if self.frames.iter().any(|frame| frame.contains(&own)) {
                        return true;
                    }
                }
                table_name(name).is_some_and(|name| tables::is_empty(&name))
                    || information_schema::is_empty(name)
            }
            TableFactor::Derived { subquery, .. } => self.query(subquery),
            TableFactor::NestedJoin {
                table_with_joins, ..
            } => self.joined(table_with_joins),
            _ => false,
        }
    }
}

/// A SELECT that [`blank`] made.
fn is_blank(select: &Select) -> bool {
    select.from.is_empty()
        && matches!(&select.selection, Some(Expr::Value(value)) if value.value == Value::Boolean(false))
}

/// A relation of a SELECT: how it is called, and its columns if they are known.
struct Source {
    alias: String,
    layout: Option<&'static tables::Layout>,
}

fn sources(from: &[TableWithJoins], all: &mut Vec<Source>) {
    let factors = from.iter().flat_map(|from| {
        std::iter::once(&from.relation).chain(from.joins.iter().map(|join| &join.relation))
    });
    for factor in factors {
        match factor {
            TableFactor::Table {
                name, alias, args, ..
            } => {
                let known = table_name(name).filter(|_| args.is_none());
                let own = name.0.last().map(ToString::to_string);
                let named = alias.as_ref().map(|alias| alias.name.value.clone());
                all.push(Source {
                    alias: named
                        .or(own)
                        .unwrap_or_default()
                        .trim_matches('"')
                        .to_ascii_lowercase(),
                    layout: known.and_then(|name| tables::find(&name)),
                });
            }
            TableFactor::NestedJoin {
                table_with_joins, ..
            } => sources(std::slice::from_ref(table_with_joins), all),
            TableFactor::Derived { alias, .. } => all.push(Source {
                alias: alias
                    .as_ref()
                    .map(|alias| alias.name.value.to_ascii_lowercase())
                    .unwrap_or_default(),
                layout: None,
            }),
            _ => all.push(Source {
                alias: String::new(),
                layout: None,
            }),
        }
    }
}

impl Source {
    fn column(&self, name: &str) -> Option<&'static str> {
        let system = tables::SYSTEM.iter().copied();
        let mut all = self.layout.into_iter().flat_map(tables::columns);
        all.by_ref()
            .chain(system)
            .find(|(own, _)| *own == name)
            .map(|(_, kind)| kind)
    }
}

/// Leaves nothing of a SELECT but its headings. What cannot be understood is left as it is.
fn blank(select: &mut Select, outermost: bool) -> bool {
    let mut all = Vec::new();
    sources(&select.from, &mut all);
    let mut check = Check {
        sources: &all,
        depth: 0,
    };
    let looked = Visit::visit(&select.projection, &mut check).is_continue()
        && Visit::visit(&select.selection, &mut check).is_continue()
        && Visit::visit(&select.from, &mut check).is_continue();
    if !looked {
        return false;
    }
    let mut items: Vec<SelectItem> = Vec::new();
    let mut push = |expr: Expr, name: Ident| {
        let same = |item: &SelectItem| matches!(item, SelectItem::ExprWithAlias { alias, .. } if alias.value.eq_ignore_ascii_case(&name.value));
        // The planner wants names of their own; the pass over names sees to those that are shown.
        let alias = match !outermost && items.iter().any(same) {
            true => Ident::with_quote('"', format!("{} {}", name.value, items.len() + 1)),
            false => name,
        };
        items.push(SelectItem::ExprWithAlias { expr, alias });
    };
    for item in &select.projection {
        match item {
            SelectItem::ExprWithAlias { expr, alias } => {
                push(nothing_like(expr, &all), alias.clone());
            }
            SelectItem::UnnamedExpr(expr) => {
                push(nothing_like(expr, &all), headings::heading(expr))
            }
            SelectItem::Wildcard(_) => {
                for source in &all {
                    let Some(layout) = source.layout else {
                        return false;
                    };
                    for (name, kind) in tables::columns(layout) {
                        push(null(kind), Ident::new(name));
                    }
                }
            }
            SelectItem::QualifiedWildcard(SelectItemQualifiedWildcardKind::ObjectName(name), _) => {
                let own = name.to_string().trim_matches('"').to_ascii_lowercase();
                let Some(layout) = all
                    .iter()
                    .find(|source| source.alias == own)
                    .and_then(|source| source.layout)
                else {
                    return false;
                };
                for (name, kind) in tables::columns(layout) {
                    push(null(kind), Ident::new(name));
                }
            }
            _ => return false,
        }
    }
    select.projection = items;
    select.from.clear();
    select.distinct = None;
    select.selection = Some(boolean(false));
    select.group_by = GroupByExpr::Expressions(Vec::new(), Vec::new());
    select.having = None;
    select.sort_by.clear();
    select.named_window.clear();
    true
}

/// Looks whether there are the columns that are named.
struct Check<'s> {
    sources: &'s [Source],
    depth: usize,
}

impl Visitor for Check<'_> {
    type Break = ();

    fn pre_visit_query(&mut self, _: &Query) -> ControlFlow<()> {
        self.depth += 1;
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, _: &Query) -> ControlFlow<()> {
        self.depth -= 1;
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
        let Expr::CompoundIdentifier(parts) = expr else {
            return ControlFlow::Continue(());
        };
        if let ([table, column], 0) = (parts.as_slice(), self.depth) {
            let table = table.value.to_ascii_lowercase();
            let column = column.value.to_ascii_lowercase();
            let found = self.sources.iter().find(|source| source.alias == table);
            if found
                .is_some_and(|source| source.layout.is_some() && source.column(&column).is_none())
            {
                return ControlFlow::Break(());
            }
        }
        ControlFlow::Continue(())
    }
}

/// A NULL of a type of the layouts.
pub fn null(kind: &str) -> Expr {
    let none = || Expr::Value(Value::Null.into());
    let item = |kind| DataType::Array(ArrayElemTypeDef::SquareBracket(Box::new(kind), None));
    let kind = match kind {
        "oid" | "regproc" => DataType::IntUnsigned(None),
        "int2" => DataType::SmallInt(None),
        "int4" => DataType::Int(None),
        "int8" => DataType::BigInt(None),
        "float4" => DataType::Real,
        "bool" => DataType::Boolean,
        "timestamptz" => DataType::Timestamp(None, TimezoneInfo::WithTimeZone),
        "oid[]" | "oidvector" => item(DataType::IntUnsigned(None)),
        "int2[]" | "int2vector" => item(DataType::SmallInt(None)),
        "text[]" => item(DataType::Text),
        _ => DataType::Text,
    };
    cast(none(), kind)
}

/// A NULL of the type that an expression has, as far as it can be seen; one without a type goes with any other.
fn nothing_like(expr: &Expr, sources: &[Source]) -> Expr {
    let none = || Expr::Value(Value::Null.into());
    let named = |name: &Ident, sources: &[&Source]| {
        let name = name.value.to_ascii_lowercase();
        let kind = sources.iter().find_map(|source| source.column(&name));
        kind.map_or_else(none, null)
    };
    match expr {
        Expr::Identifier(name) => named(name, &sources.iter().collect::<Vec<_>>()),
        Expr::CompoundIdentifier(parts) => match parts.as_slice() {
            [table, name] => {
                let table = table.value.to_ascii_lowercase();
                let of = sources.iter().filter(|source| source.alias == table);
                named(name, &of.collect::<Vec<_>>())
            }
            _ => none(),
        },
        Expr::Nested(expr) | Expr::Collate { expr, .. } => nothing_like(expr, sources),
        Expr::Cast {
            data_type:
                data_type @ (DataType::Text
                | DataType::Varchar(_)
                | DataType::Int(_)
                | DataType::Integer(_)
                | DataType::BigInt(_)
                | DataType::Int2(_)
                | DataType::Int4(_)
                | DataType::Int8(_)
                | DataType::SmallInt(_)
                | DataType::Boolean
                | DataType::Numeric(ExactNumberInfo::None)),
            ..
        } => cast(none(), data_type.clone()),
        Expr::Value(value) if value.value != Value::Null => expr.clone(),
        Expr::IsNull(_)
        | Expr::IsNotNull(_)
        | Expr::Exists { .. }
        | Expr::InList { .. }
        | Expr::InSubquery { .. }
        | Expr::BinaryOp {
            op:
                BinaryOperator::Eq
                | BinaryOperator::NotEq
                | BinaryOperator::Lt
                | BinaryOperator::LtEq
                | BinaryOperator::Gt
                | BinaryOperator::GtEq
                | BinaryOperator::And
                | BinaryOperator::Or,
            ..
        } => cast(none(), DataType::Boolean),
        Expr::Case {
            conditions,
            else_result,
            ..
        } => {
            let results = conditions.iter().map(|when| &when.result);
            let mut results = results.chain(else_result.as_deref());
            let known = results.find(|one| !is_null(one));
            known.map_or_else(none, |one| match nothing_like(one, sources) {
                // A text of one branch says the type, not the value.
                Expr::Value(value) if value.value != Value::Null => match value.value {
                    Value::SingleQuotedString(_) => null("text"),
                    Value::Boolean(_) => null("bool"),
                    _ => none(),
                },
                other => other,
            })
        }
        _ => none(),
    }
}
