//! Questions about what restable has not: a SELECT that reads a table which never holds a row, such as that of triggers, or
//! asks for rows of a kind that there is not, such as keys that refer to another table, answers none, whatever it computes. It becomes one of nothing but its headings and their types, so that what it
//! computes need not be planned. A column that no table has stays an error.

use std::collections::HashSet;
use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    ArrayElemTypeDef, BinaryOperator, DataType, ExactNumberInfo, Expr, GroupByExpr, Ident,
    JoinConstraint, JoinOperator, ObjectName, Query, Select, SelectItem,
    SelectItemQualifiedWildcardKind, SetExpr, SetOperator, SetQuantifier, TableFactor,
    TableWithJoins, TimezoneInfo, UnaryOperator, Value, Visit, Visitor,
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
            SetExpr::SetOperation {
                op,
                set_quantifier,
                left,
                right,
            } => {
                self.body(left, outermost);
                self.body(right, false);
                // Nothing more comes to the first: a recursion has come to its end.
                let plain = *set_quantifier == SetQuantifier::All || is_one_row(left);
                let adds_nothing =
                    *op == SetOperator::Union && plain && self.answers_nothing(right);
                if adds_nothing {
                    *body = (**left).clone();
                }
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
        let explodes = select.projection.iter().any(|item| match item {
            SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } => {
                explodes(expr)
            }
            _ => false,
        });
        // An aggregate over no rows is one row.
        explodes
            || (grouped || !aggregate)
                && (select.from.iter().any(|from| self.joined(from)) || asks_for_others(select))
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
            TableFactor::Table {
                name,
                args: Some(_),
                ..
            }
            | TableFactor::Function { name, .. } => has_no_rows(name),
            TableFactor::Derived { subquery, .. } => self.query(subquery),
            TableFactor::NestedJoin {
                table_with_joins, ..
            } => self.joined(table_with_joins),
            _ => false,
        }
    }
}

/// Whether a SELECT reads nothing, so that it answers one row.
fn is_one_row(body: &SetExpr) -> bool {
    matches!(body, SetExpr::Select(select) if select.from.is_empty())
}

/// Functions with rows about what restable has not: lists of rights, partitions.
const WITHOUT_ROWS: &[&str] = &["aclexplode", "pg_partition_tree", "pg_partition_ancestors"];

fn has_no_rows(name: &ObjectName) -> bool {
    table_name(name).is_some_and(|name| WITHOUT_ROWS.contains(&&*name))
}

/// Whether an item of a SELECT is rows of such a function.
fn explodes(item: &Expr) -> bool {
    match item {
        Expr::Function(function) => has_no_rows(&function.name),
        Expr::Nested(inner) => explodes(inner),
        Expr::CompoundFieldAccess { root, .. } => explodes(root),
        _ => false,
    }
}

/// The columns of kinds, and the values that rows have in them.
const KINDS: &[(&str, &[&str])] = &[
    ("contype", &["p"]),
    ("relkind", &["r", "v", "m", "i"]),
    ("indisprimary", &["t"]),
    ("indisunique", &["t"]),
];

/// Whether a SELECT asks for rows of a kind that no table of the catalog holds.
fn asks_for_others(select: &Select) -> bool {
    let mut all = Vec::new();
    sources(&select.from, &mut all);
    let joined = select.from.iter().flat_map(|from| &from.joins);
    let of_joins = joined.filter_map(|join| match &join.join_operator {
        JoinOperator::Join(JoinConstraint::On(on))
        | JoinOperator::Inner(JoinConstraint::On(on)) => Some(on),
        _ => None,
    });
    // What an outer join says of its own rows takes none away.
    let inner = select.from.iter().flat_map(|from| &from.joins).all(|join| {
        matches!(
            join.join_operator,
            JoinOperator::Join(_) | JoinOperator::Inner(_) | JoinOperator::CrossJoin(_)
        )
    });
    let of_joins = of_joins.filter(|_| inner);
    select
        .selection
        .iter()
        .chain(of_joins)
        .any(|condition| is_never(condition, &all))
}

/// Whether a condition is true of no row of the catalog.
fn is_never(condition: &Expr, sources: &[Source]) -> bool {
    let kind = |expr: &Expr| {
        let (table, column) = match plain(expr) {
            Expr::Identifier(name) => (None, name),
            Expr::CompoundIdentifier(parts) => match parts.as_slice() {
                [table, name] => (Some(table.value.to_ascii_lowercase()), name),
                _ => return None,
            },
            _ => return None,
        };
        let column = column.value.to_ascii_lowercase();
        let mut of = sources.iter();
        let held = of.any(|source| {
            table.as_ref().is_none_or(|table| source.alias == *table)
                && source.column(&column).is_some()
        });
        let known = KINDS.iter().find(|(name, _)| held && *name == column);
        known.map(|(_, values)| *values)
    };
    match condition {
        Expr::Nested(inner) => is_never(inner, sources),
        Expr::BinaryOp {
            left,
            op: BinaryOperator::And,
            right,
        } => is_never(left, sources) || is_never(right, sources),
        Expr::BinaryOp {
            left,
            op: BinaryOperator::Or,
            right,
        } => is_never(left, sources) && is_never(right, sources),
        Expr::BinaryOp {
            left,
            op: op @ (BinaryOperator::Eq | BinaryOperator::NotEq),
            right,
        } => {
            let (values, word) = match (kind(left), word(right), kind(right), word(left)) {
                (Some(values), Some(word), ..) | (.., Some(values), Some(word)) => (values, word),
                _ => return false,
            };
            match op {
                BinaryOperator::Eq => !values.contains(&word),
                _ => values == [word],
            }
        }
        Expr::InList {
            expr,
            list,
            negated: false,
        } => kind(expr).is_some_and(|values| {
            let mut words = list.iter().map(word);
            words.all(|word| word.is_some_and(|word| !values.contains(&word)))
        }),
        Expr::AnyOp {
            left,
            compare_op: BinaryOperator::Eq,
            right,
            ..
        } => match plain(right) {
            Expr::Array(array) => kind(left).is_some_and(|values| {
                let mut words = array.elem.iter().map(word);
                words.all(|word| word.is_some_and(|word| !values.contains(&word)))
            }),
            _ => false,
        },
        Expr::UnaryOp {
            op: UnaryOperator::Not,
            expr,
        }
        | Expr::IsFalse(expr)
        | Expr::IsNotTrue(expr) => kind(expr).is_some_and(|values| values == ["t"]),
        _ => false,
    }
}

/// An expression without what changes nothing about its value.
fn plain(expr: &Expr) -> &Expr {
    match expr {
        Expr::Nested(expr) | Expr::Cast { expr, .. } | Expr::Collate { expr, .. } => plain(expr),
        other => other,
    }
}

/// A kind as it is written, a truth value as its letter.
fn word(expr: &Expr) -> Option<&str> {
    match plain(expr) {
        Expr::Value(value) => match &value.value {
            Value::Boolean(true) => Some("t"),
            Value::Boolean(false) => Some("f"),
            Value::SingleQuotedString(text) | Value::EscapedStringLiteral(text) => {
                Some(match text.as_str() {
                    "true" => "t",
                    "false" => "f",
                    other => other,
                })
            }
            _ => None,
        },
        _ => None,
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
