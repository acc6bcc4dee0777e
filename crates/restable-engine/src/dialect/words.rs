//! What PostgreSQL writes in words that DataFusion reads otherwise, or not at all: `x AT TIME ZONE y`, `2 ^ 3`, `varchar(3)`, `SIMILAR TO`,
//! `FETCH FIRST`. It touches syntax trees only, after their names are settled, so that headings are as they were written. Refuses
//! what would be ignored.

use std::collections::HashMap;
use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    BinaryOperator, CastKind, CeilFloorKind, CharacterLength, DataType, DateTimeField,
    ExactNumberInfo, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, Ident,
    LimitClause, ObjectName, Query, Select, SelectItem, SetExpr, SetOperator, SetQuantifier,
    Statement, TableFactor, TimezoneInfo, UnaryOperator, Value, VisitMut, VisitorMut,
};
use restable_sql::Diagnostic;

use super::{kinds, lists, literals, typed_rows};
use crate::functions::merged::uuid_metadata;
use crate::functions::{json_metadata, spans};
use crate::own_rows::{KEPT_METADATA, LENGTH_METADATA};
use crate::pg_catalog::syntax::{call, cast};
use crate::{Error, Result};

/// Replaces what is written in other words.
pub fn put(statement: &mut Statement) -> Result<()> {
    let mut words = Words { problem: None };
    let _ = VisitMut::visit(statement, &mut words);
    match words.problem {
        Some(problem) => Err(problem),
        None => Ok(()),
    }
}

struct Words {
    problem: Option<Error>,
}

impl VisitorMut for Words {
    type Break = ();

    fn pre_visit_statement(&mut self, statement: &mut Statement) -> ControlFlow<()> {
        if let Statement::CreateTable(table) = statement {
            for column in &mut table.columns {
                kinds::settle(&mut column.data_type);
                // What they are beside that, the table says.
                if let DataType::JSON | DataType::JSONB | DataType::Uuid = column.data_type {
                    column.data_type = DataType::Text;
                }
            }
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<()> {
        if !query.locks.is_empty() {
            let problem = Diagnostic::new(
                "R0308",
                "`FOR UPDATE` and `FOR SHARE` are not supported: nothing can be locked",
            );
            return self.refused(problem.help("leave it out"));
        }
        if counts_rows(&query.body) {
            let problem = Diagnostic::new(
                "R0308",
                "EXCEPT ALL and INTERSECT ALL are not supported: rows are compared, not counted",
            );
            return self.refused(problem.help("leave out ALL, or group and join by hand"));
        }
        if let Some(with) = &mut query.with {
            // How a query is computed is not what it says.
            for table in &mut with.cte_tables {
                table.materialized = None;
            }
        }
        if let Some(fetch) = query.fetch.take() {
            if fetch.with_ties || fetch.percent {
                let problem = Diagnostic::new(
                    "R0308",
                    "`FETCH FIRST` takes a number of rows: WITH TIES and PERCENT are not supported",
                );
                return self.refused(problem);
            }
            let rows = fetch.quantity.unwrap_or_else(|| number("1"));
            match &mut query.limit_clause {
                Some(LimitClause::LimitOffset {
                    limit: limit @ None,
                    ..
                }) => *limit = Some(rows),
                Some(_) => {
                    let problem = Diagnostic::new(
                        "R0308",
                        "LIMIT and FETCH FIRST stand in one query: one of them is enough",
                    );
                    return self.refused(problem);
                }
                none => {
                    *none = Some(LimitClause::LimitOffset {
                        limit: Some(rows),
                        offset: None,
                        limit_by: Vec::new(),
                    });
                }
            }
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<()> {
        lists::take_order(select);
        for item in &mut select.projection {
            let (SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. }) = item
            else {
                continue;
            };
            in_rows(expr);
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<()> {
        if let TableFactor::Table {
            name,
            args: Some(given),
            ..
        } = factor
            && name.to_string().eq_ignore_ascii_case("generate_series")
        {
            step_read(&mut given.args);
        }
        match factor {
            TableFactor::Table {
                sample: Some(_), ..
            }
            | TableFactor::Derived {
                sample: Some(_), ..
            } => {
                let problem = Diagnostic::new("R0308", "`TABLESAMPLE` is not supported");
                self.refused(problem.help("`WHERE random() < 0.1` takes about a tenth of the rows, `LIMIT` the first ones"))
            }
            _ => ControlFlow::Continue(()),
        }
    }

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        if let Expr::Collate { collation, .. } = expr
            && !is_by_bytes(collation)
        {
            let problem = format!("collation `{collation}` is not known");
            let problem = Diagnostic::new("R0401", problem);
            return self
                .refused(problem.help("texts compare by their bytes, as with `COLLATE \"C\"`"));
        }
        if let Expr::Value(value) = expr
            && let Value::Number(written, _) = &value.value
            && literals::is_beyond(written)
        {
            let shown: String = written.chars().take(40).collect();
            let problem = format!("numeric out of range: `{shown}` has more than 38 digits");
            return self.refused(Diagnostic::new("R0209", problem));
        }
        if let Some(better) = better(expr) {
            *expr = better;
        }
        ControlFlow::Continue(())
    }
}

/// Whether rows that are the same would have to be counted.
fn counts_rows(body: &SetExpr) -> bool {
    match body {
        SetExpr::SetOperation {
            op,
            set_quantifier,
            left,
            right,
        } => {
            let counts = matches!(op, SetOperator::Except | SetOperator::Intersect)
                && *set_quantifier == SetQuantifier::All;
            counts || counts_rows(left) || counts_rows(right)
        }
        _ => false,
    }
}

impl Words {
    fn refused(&mut self, problem: Diagnostic) -> ControlFlow<()> {
        self.problem = Some(problem.into());
        ControlFlow::Break(())
    }
}

/// Whether a collation is the one that texts are compared by.
pub fn is_by_bytes(collation: &ObjectName) -> bool {
    let name = collation.0.last().and_then(|part| part.as_ident());
    let name = name.map(|name| name.value.to_ascii_lowercase());
    let name = name.unwrap_or_default();
    matches!(
        &*name,
        "c" | "posix" | "default" | "ucs_basic" | "c.utf8" | "c.utf-8"
    )
}

fn better(expr: &mut Expr) -> Option<Expr> {
    if let Some(rounded) = kinds::settled_cast(expr) {
        return Some(rounded);
    }
    match expr {
        Expr::Collate { expr, .. } => Some(taken(expr)),
        Expr::Value(value) => match &value.value {
            Value::Number(written, _) => literals::exact(written),
            Value::UnicodeStringLiteral(written) => Some(text(written.clone())),
            _ => None,
        },
        // A row is NULL if all of it is, and is not if nothing of it is.
        Expr::IsNull(row) => each_of(row, Expr::IsNull),
        Expr::IsNotNull(row) => each_of(row, Expr::IsNotNull),
        // From where a pattern matches, not from a place.
        Expr::Substring {
            expr,
            substring_from: Some(from),
            substring_for: None,
            ..
        } if matches!(&**from, Expr::Value(value) if matches!(value.value, Value::SingleQuotedString(_))) =>
        {
            let found = call("regexp_match", vec![taken(expr), taken(from)]);
            Some(call("array_element", vec![found, number("1")]))
        }
        Expr::Ceil {
            expr,
            field: CeilFloorKind::DateTimeField(DateTimeField::NoDateTime),
        } => Some(call(
            "pg_ceil",
            vec![call("json_number", vec![taken(expr)])],
        )),
        Expr::Floor {
            expr,
            field: CeilFloorKind::DateTimeField(DateTimeField::NoDateTime),
        } => Some(call(
            "pg_floor",
            vec![call("json_number", vec![taken(expr)])],
        )),
        Expr::UnaryOp {
            op: UnaryOperator::Minus,
            expr: operand,
        } => {
            // A sign before an interval is one of all its parts.
            if let Expr::Interval(interval) = &mut **operand
                && interval.leading_field.is_none()
                && let Expr::Value(value) = &mut *interval.value
                && let Value::SingleQuotedString(written) = &mut value.value
                && let Some(span) = spans::read(written)
            {
                *written = span.negated().units();
                return Some(taken(operand));
            }
            let Expr::Value(value) = &mut **operand else {
                return None;
            };
            if let Value::Number(written, _) = &mut value.value
                && let Some(whole) = literals::negated(written)
            {
                *written = whole;
            }
            None
        }
        // Of the numbers that computers have, all bits turned are the next to the opposite.
        Expr::UnaryOp {
            op: UnaryOperator::BitwiseNot,
            expr,
        } => Some(nested(&number("-1"), BinaryOperator::Minus, expr)),
        // Intervals in all of PostgreSQL's forms.
        Expr::Interval(interval) if interval.leading_field.is_none() => {
            let Expr::Value(value) = &mut *interval.value else {
                return None;
            };
            if let Value::SingleQuotedString(written) = &mut value.value
                && let Some(span) = spans::read(written)
            {
                *written = span.units();
            }
            None
        }
        Expr::Cast {
            kind: CastKind::Cast | CastKind::DoubleColon,
            expr: literal,
            data_type: DataType::Interval { .. },
            ..
        } => {
            if let Expr::Value(value) = &mut **literal
                && let Value::SingleQuotedString(written) = &mut value.value
                && let Some(span) = spans::read(written)
            {
                *written = span.units();
            }
            None
        }
        Expr::Like {
            negated,
            any: true,
            expr,
            pattern,
            escape_char: None,
        } => like_each(expr, pattern, *negated, false, BinaryOperator::Or),
        Expr::ILike {
            negated,
            any: true,
            expr,
            pattern,
            escape_char: None,
        } => like_each(expr, pattern, *negated, true, BinaryOperator::Or),
        Expr::Like {
            negated,
            any: false,
            expr,
            pattern,
            escape_char: None,
        } => like_each(expr, of_all(pattern)?, *negated, false, BinaryOperator::And),
        Expr::ILike {
            negated,
            any: false,
            expr,
            pattern,
            escape_char: None,
        } => like_each(expr, of_all(pattern)?, *negated, true, BinaryOperator::And),
        // What is written out keeps all of its digits.
        Expr::Cast {
            kind: CastKind::Cast | CastKind::DoubleColon,
            expr: literal,
            data_type:
                DataType::Numeric(ExactNumberInfo::None) | DataType::Decimal(ExactNumberInfo::None),
            ..
        } => exactly(literal).or_else(|| Some(call("pg_numeric", vec![taken(literal)]))),
        Expr::TypedString(typed)
            if matches!(
                typed.data_type,
                DataType::Numeric(ExactNumberInfo::None) | DataType::Decimal(ExactNumberInfo::None)
            ) =>
        {
            exactly(&Expr::Value(typed.value.clone()))
        }
        Expr::BinaryOp {
            left,
            op: BinaryOperator::Overlaps,
            right,
        } => overlap(left, right),
        Expr::UnaryOp {
            op: op @ (UnaryOperator::PGSquareRoot | UnaryOperator::PGCubeRoot),
            expr,
        } => {
            let name = match op {
                UnaryOperator::PGSquareRoot => "sqrt",
                _ => "cbrt",
            };
            Some(call(name, vec![double(taken(expr))]))
        }
        Expr::AtTimeZone {
            timestamp,
            time_zone,
        } => Some(call("timezone", vec![taken(time_zone), taken(timestamp)])),
        Expr::Extract { field, expr, .. } => {
            let field = field.to_string().trim_matches('\'').to_ascii_lowercase();
            Some(call("pg_date_part", vec![text(field), taken(expr)]))
        }
        Expr::BinaryOp {
            left,
            op: BinaryOperator::BitwiseXor | BinaryOperator::PGExp,
            right,
        } => Some(call(
            "power",
            vec![double(taken(left)), double(taken(right))],
        )),
        Expr::BinaryOp {
            left,
            op: op @ (BinaryOperator::HashArrow | BinaryOperator::HashLongArrow),
            right,
        } => {
            let keys = path(right)?;
            let function = match op {
                BinaryOperator::HashArrow => "json_get",
                _ => "json_get_text",
            };
            let arguments = std::iter::once(taken(left)).chain(keys);
            Some(call(function, arguments.collect()))
        }
        Expr::SimilarTo {
            negated,
            expr,
            pattern,
            escape_char,
        } => {
            let mut arguments = vec![taken(pattern)];
            if let Some(escape) = escape_char.take() {
                arguments.push(Expr::Value(escape));
            }
            Some(Expr::BinaryOp {
                left: Box::new(taken(expr)),
                op: match negated {
                    true => BinaryOperator::PGRegexNotMatch,
                    false => BinaryOperator::PGRegexMatch,
                },
                right: Box::new(call("similar_to_pattern", arguments)),
            })
        }
        Expr::Cast {
            kind: CastKind::Cast | CastKind::DoubleColon,
            expr,
            data_type,
            ..
        } => {
            let length = length(data_type)?;
            let whole = cast(taken(expr), DataType::Text);
            Some(match length {
                Some(length) => call("left", vec![whole, number(&length.to_string())]),
                None => whole,
            })
        }
        Expr::Function(function) => {
            let name = name_of(function)?;
            if let ("generate_series", FunctionArguments::List(list)) = (&*name, &mut function.args)
            {
                step_read(&mut list.args);
            }
            if name == "make_interval" {
                in_places(function);
            }
            let given = arguments(function)?;
            if let Some(made) = lists::made_of(function, &name, &given) {
                return Some(made);
            }
            match function.over {
                None => renamed(function, &name, &given),
                Some(_) => None,
            }
        }
        _ => None,
    }
}

/// What the columns of CREATE TABLE are beside their types: so many letters long at most, JSON, UUIDs.
pub fn marks_of(statement: &Statement) -> Vec<(String, HashMap<String, String>)> {
    let Statement::CreateTable(table) = statement else {
        return Vec::new();
    };
    let columns = table.columns.iter().filter_map(|column| {
        let kept = |kind: &str| (KEPT_METADATA.to_owned(), kind.to_owned());
        let marks = match &column.data_type {
            DataType::JSON => json_metadata().into_iter().chain([kept("json")]).collect(),
            DataType::JSONB => json_metadata().into_iter().chain([kept("jsonb")]).collect(),
            DataType::Uuid => uuid_metadata().into_iter().chain([kept("uuid")]).collect(),
            kind => {
                let length = length(kind)??;
                HashMap::from([(LENGTH_METADATA.to_owned(), length.to_string())])
            }
        };
        Some((column.name.value.clone(), marks))
    });
    columns.collect()
}

/// So many letters a type has room for; `None` in it if there is no limit, `None` if it is no such type.
fn length(kind: &DataType) -> Option<Option<u64>> {
    let of = |length: &Option<CharacterLength>, otherwise| match length {
        Some(CharacterLength::IntegerLength { length, .. }) => Some(*length),
        Some(CharacterLength::Max) => None,
        None => otherwise,
    };
    match kind {
        DataType::Varchar(length)
        | DataType::CharacterVarying(length)
        | DataType::CharVarying(length)
        | DataType::Nvarchar(length) => Some(of(length, None)),
        DataType::Char(length) | DataType::Character(length) => Some(of(length, Some(1))),
        DataType::Custom(name, modifiers) if name.to_string().eq_ignore_ascii_case("bpchar") => {
            Some(modifiers.first().and_then(|one| one.parse().ok()))
        }
        _ => None,
    }
}

/// Of a function that makes rows the list has rows, and what is made of one of them is made of each.
fn in_rows(expr: &mut Expr) {
    match expr {
        Expr::Nested(inner) | Expr::Cast { expr: inner, .. } => in_rows(inner),
        Expr::BinaryOp { left, right, .. } => [left, right].into_iter().for_each(|it| in_rows(it)),
        Expr::Function(function) if function.over.is_none() => {
            let Some(name) = name_of(function) else {
                return;
            };
            let Some(list) = list_of(&name) else { return };
            if list != name {
                function.name = ObjectName::from(vec![Ident::new(list)]);
            }
            *expr = call("unnest", vec![taken(expr)]);
        }
        _ => {}
    }
}

/// The function that makes a list of what a function of this name makes rows of.
fn list_of(name: &str) -> Option<&'static str> {
    Some(match name {
        "generate_series" => "generate_series",
        "json_array_elements" | "jsonb_array_elements" => "json_elements",
        "json_array_elements_text" | "jsonb_array_elements_text" => "json_item_texts",
        "json_object_keys" | "jsonb_object_keys" => "json_keys",
        "string_to_table" => "string_to_array",
        "regexp_split_to_table" => "regexp_split_to_array",
        _ => return None,
    })
}

/// The third argument of `generate_series`, if it is a text that says an interval; and the second, if it is one that says a time as the first.
fn step_read(given: &mut [FunctionArg]) {
    if let [
        FunctionArg::Unnamed(FunctionArgExpr::Expr(first)),
        FunctionArg::Unnamed(FunctionArgExpr::Expr(last)),
        ..,
    ] = given
        && let Some(kind) = typed_rows::said(first)
        && typed_rows::is_text(last)
    {
        *last = cast(taken(last), kind);
    }
    if let [_, _, FunctionArg::Unnamed(FunctionArgExpr::Expr(step))] = given
        && let Expr::Value(value) = step
        && let Value::SingleQuotedString(written) = &value.value
        && written.trim().parse::<f64>().is_err()
        && let Some(span) = spans::read(written)
    {
        *step = cast(text(span.units()), interval());
    }
}

/// `make_interval(days => 10)`: its arguments by their places.
fn in_places(function: &mut Function) {
    const NAMES: [&str; 7] = ["years", "months", "weeks", "days", "hours", "mins", "secs"];
    let FunctionArguments::List(list) = &mut function.args else {
        return;
    };
    let mut places: Vec<Expr> = NAMES.iter().map(|_| number("0")).collect();
    for (at, argument) in list.args.iter().enumerate() {
        let (place, value) = match argument {
            FunctionArg::Unnamed(FunctionArgExpr::Expr(value)) => (Some(at), value),
            FunctionArg::Named {
                name,
                arg: FunctionArgExpr::Expr(value),
                ..
            } => {
                let name = name.value.to_ascii_lowercase();
                (NAMES.iter().position(|known| *known == name), value)
            }
            _ => return,
        };
        let Some(place) = place.and_then(|place| places.get_mut(place)) else {
            return;
        };
        *place = value.clone();
    }
    let places = places.into_iter();
    list.args = places
        .map(|one| FunctionArg::Unnamed(FunctionArgExpr::Expr(one)))
        .collect();
}

fn interval() -> DataType {
    DataType::Interval {
        fields: None,
        precision: None,
    }
}

fn renamed(function: &mut Function, name: &str, given: &[Expr]) -> Option<Expr> {
    let mut rename = |name: &str| {
        function.name = ObjectName::from(vec![Ident::new(name)]);
        None
    };
    let now = || call("now", Vec::new());
    // A cast has the name of what it casts: beside `now()` it would have to be called otherwise.
    let local = || call("timezone", vec![now()]);
    match (name, given) {
        ("date_trunc", _) => rename("pg_date_trunc"),
        ("date_part" | "datepart", _) => rename("pg_date_part"),
        ("age", _) => rename("pg_age"),
        // A pattern with `%` is one of DataFusion's.
        ("to_char", [_, pattern]) if !is_strftime(pattern) => rename("pg_to_char"),
        ("to_timestamp", [_, pattern]) if !is_strftime(pattern) => rename("pg_to_timestamp"),
        ("to_timestamp", [_]) => rename("pg_epoch_time"),
        ("to_date", [_, pattern]) if !is_strftime(pattern) => rename("pg_to_date"),
        ("array_remove", [_, _]) => rename("array_remove_all"),
        ("array_replace", [_, _, _]) => rename("array_replace_all"),
        ("round", [_] | [_, _]) => rename("pg_round"),
        ("trunc", [_] | [_, _]) => rename("pg_trunc"),
        ("ceil" | "ceiling", [_]) => rename("pg_ceil"),
        ("floor", [_]) => rename("pg_floor"),
        ("log", [_]) => rename("log10"),
        ("jsonb_array_length", _) => rename("json_array_length"),
        ("jsonb_strip_nulls", _) => rename("json_strip_nulls"),
        ("array_to_json", [_]) => rename("to_json"),
        ("width_bucket", [_, _]) => rename("width_bucket_of"),
        ("regexp_matches", [_, _]) => rename("regexp_match"),
        ("jsonb_typeof", _) => rename("json_typeof"),
        ("json_extract_path" | "jsonb_extract_path", _) => rename("json_get"),
        ("json_extract_path_text" | "jsonb_extract_path_text", _) => rename("json_get_text"),
        ("every", _) => rename("bool_and"),
        ("variance", _) => rename("var_samp"),
        ("stddev_samp", _) => rename("stddev"),
        ("sign", _) => rename("signum"),
        ("gen_random_uuid", []) => Some(call("pg_uuid", vec![call("uuid", Vec::new())])),
        ("regexp_split_to_array", [subject, pattern]) => Some(split(subject, pattern, "g")),
        ("regexp_split_to_array", [subject, pattern, Expr::Value(flags)]) => {
            let flags = flags.value.clone().into_string()?;
            Some(split(subject, pattern, &format!("g{flags}")))
        }
        // The whole of what matches, whether or not there are groups in it.
        ("regexp_substr", [subject, pattern]) => {
            let open = nested(&text("(".to_owned()), BinaryOperator::StringConcat, pattern);
            let whole = nested(&open, BinaryOperator::StringConcat, &text(")".to_owned()));
            let found = call("regexp_match", vec![subject.clone(), whole]);
            Some(call("array_element", vec![found, number("1")]))
        }
        ("isfinite", [one]) => Some(nested(one, BinaryOperator::Eq, one)),
        ("make_timestamp", [_, _, _, _, _, _]) => Some(made_time(given)),
        ("make_timestamptz", [_, _, _, _, _, _]) => Some(cast(
            made_time(given),
            DataType::Timestamp(None, TimezoneInfo::Tz),
        )),
        ("make_timestamptz", [parts @ .., zone]) if parts.len() == 6 => {
            Some(call("timezone", vec![zone.clone(), made_time(parts)]))
        }
        ("current_date", []) => Some(cast(local(), DataType::Date)),
        ("localtimestamp", _) => {
            let whole = text("microsecond".to_owned());
            Some(call("pg_date_trunc", vec![whole, local()]))
        }
        ("current_timestamp", _)
        | ("clock_timestamp" | "statement_timestamp" | "transaction_timestamp", []) => Some(now()),
        ("date", [one]) => Some(cast(one.clone(), DataType::Date)),
        ("mod", [left, right]) => Some(nested(left, BinaryOperator::Modulo, right)),
        _ => None,
    }
}

/// `regexp_split_to_array`: what matches becomes a letter that no text has, at which the text is split.
fn split(subject: &Expr, pattern: &Expr, flags: &str) -> Expr {
    let mark = || text("\u{1}".to_owned());
    let flags = text(flags.to_owned());
    let marked = vec![subject.clone(), pattern.clone(), mark(), flags];
    call(
        "string_to_array",
        vec![call("regexp_replace", marked), mark()],
    )
}

/// A day, and a time of it.
fn made_time(parts: &[Expr]) -> Expr {
    let (day, clock) = parts.split_at(3);
    let day = cast(
        call("make_date", day.to_vec()),
        DataType::Timestamp(None, TimezoneInfo::None),
    );
    let zeros = std::iter::repeat_with(|| number("0")).take(4);
    let clock = call(
        "make_interval",
        zeros.chain(clock.iter().cloned()).collect(),
    );
    nested(&day, BinaryOperator::Plus, &clock)
}

/// A letter after `%` is a field of DataFusion's patterns; alone it is a sign for hundredths.
fn is_strftime(pattern: &Expr) -> bool {
    match pattern {
        Expr::Value(value) => value.value.clone().into_string().is_some_and(|text| {
            let mut fields = text.split('%').skip(1);
            fields.any(|field| field.starts_with(|letter: char| letter.is_ascii_alphabetic()))
        }),
        _ => false,
    }
}

/// `x LIKE ANY (ARRAY['a%', 'b%'])` of patterns that are written out.
fn like_each(
    expr: &Expr,
    patterns: &Expr,
    negated: bool,
    fold: bool,
    op: BinaryOperator,
) -> Option<Expr> {
    let all = match patterns {
        Expr::Array(array) => array.elem.clone(),
        Expr::Tuple(all) => all.clone(),
        Expr::Nested(inner) => return like_each(expr, inner, negated, fold, op),
        one @ Expr::Value(_) => vec![one.clone()],
        _ => return None,
    };
    let like = |pattern: Expr| {
        let (expr, pattern) = (Box::new(expr.clone()), Box::new(pattern));
        let (any, escape_char) = (false, None);
        match fold {
            true => Expr::ILike {
                negated,
                any,
                expr,
                pattern,
                escape_char,
            },
            false => Expr::Like {
                negated,
                any,
                expr,
                pattern,
                escape_char,
            },
        }
    };
    let any = all
        .into_iter()
        .map(like)
        .reduce(|all, one| Expr::BinaryOp {
            left: Box::new(all),
            op: op.clone(),
            right: Box::new(one),
        })?;
    Some(Expr::Nested(Box::new(any)))
}

/// The patterns of `LIKE ALL (…)`.
fn of_all(pattern: &Expr) -> Option<&Expr> {
    let Expr::Function(function) = pattern else {
        return None;
    };
    let FunctionArguments::List(list) = &function.args else {
        return None;
    };
    let [FunctionArg::Unnamed(FunctionArgExpr::Expr(patterns))] = list.args.as_slice() else {
        return None;
    };
    (name_of(function).as_deref() == Some("all")).then_some(patterns)
}

/// What is said of a row, said of each of its values.
fn each_of(row: &Expr, of: fn(Box<Expr>) -> Expr) -> Option<Expr> {
    let values = match row {
        Expr::Nested(inner) => return each_of(inner, of),
        Expr::Tuple(values) => values.clone(),
        Expr::Function(function) if name_of(function)? == "row" => arguments(function)?,
        _ => return None,
    };
    let each = values.into_iter().map(|value| of(Box::new(value)));
    let all = each.reduce(|all, one| Expr::BinaryOp {
        left: Box::new(all),
        op: BinaryOperator::And,
        right: Box::new(one),
    })?;
    Some(Expr::Nested(Box::new(all)))
}

/// A literal that becomes `numeric`, as the number that it is: with a point it has digits that a cast would leave out.
fn exactly(literal: &Expr) -> Option<Expr> {
    /// So many digits has a number at most.
    const MOST: usize = 38;
    let (minus, literal) = match literal {
        Expr::UnaryOp {
            op: UnaryOperator::Minus,
            expr,
        } => (true, &**expr),
        other => (false, other),
    };
    let Expr::Value(value) = literal else {
        return None;
    };
    let written = match &value.value {
        Value::Number(written, _) => written.as_str(),
        Value::SingleQuotedString(written) if !minus => written.trim(),
        _ => return None,
    };
    let (minus, digits) = match written.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (minus, written),
    };
    let plain = |part: &str| !part.is_empty() && part.bytes().all(|one| one.is_ascii_digit());
    let exact = match digits.split_once('.') {
        Some((whole, fraction)) if plain(whole) && plain(fraction) => {
            (whole.len() + fraction.len() <= MOST).then(|| number(digits))?
        }
        None if plain(digits) => (digits.len() <= MOST).then(|| number(&format!("{digits}.")))?,
        _ => {
            let exact = literals::exact(digits)?;
            matches!(exact, Expr::Value(_)).then_some(exact)?
        }
    };
    Some(match minus {
        true => Expr::Nested(Box::new(Expr::UnaryOp {
            op: UnaryOperator::Minus,
            expr: Box::new(exact),
        })),
        false => exact,
    })
}

/// `(a, b) OVERLAPS (c, d)`: whether two times have an instant in common. Each is from its earlier end up to its later one, or of a length.
fn overlap(left: &Expr, right: &Expr) -> Option<Expr> {
    /// The operands are written several times; one in the other would make too much of them.
    const LONGEST: usize = 2000;
    let ends = |pair: &Expr| -> Option<(Expr, Expr)> {
        let Expr::Tuple(pair) = pair else {
            return None;
        };
        let [first, second] = pair.as_slice() else {
            return None;
        };
        if first.to_string().len() + second.to_string().len() > LONGEST {
            return None;
        }
        let is_length = match second {
            Expr::Interval(_) => true,
            Expr::Cast { data_type, .. } => matches!(data_type, DataType::Interval { .. }),
            _ => false,
        };
        let second = match is_length {
            true => nested(first, BinaryOperator::Plus, second),
            false => second.clone(),
        };
        let both = vec![first.clone(), second];
        Some((call("least", both.clone()), call("greatest", both)))
    };
    let ((from, to), (begin, end)) = (ends(left)?, ends(right)?);
    let within = |from: &Expr, begin: &Expr, end: &Expr| {
        let after = nested(from, BinaryOperator::Gt, begin);
        nested(
            &after,
            BinaryOperator::And,
            &nested(from, BinaryOperator::Lt, end),
        )
    };
    let one = within(&from, &begin, &end);
    let other = within(&begin, &from, &to);
    let either = nested(&one, BinaryOperator::Or, &other);
    let same = nested(&from, BinaryOperator::Eq, &begin);
    Some(nested(&either, BinaryOperator::Or, &same))
}

/// The steps of `'{a,0,b}'`.
fn path(written: &Expr) -> Option<Vec<Expr>> {
    let Expr::Value(value) = written else {
        return None;
    };
    let written = value.value.clone().into_string()?;
    let steps = written.trim().strip_prefix('{')?.strip_suffix('}')?;
    let step = |step: &str| match step.trim().trim_matches('"') {
        index if index.parse::<u32>().is_ok() => number(index),
        key => text(key.to_owned()),
    };
    Some(steps.split(',').map(step).collect())
}

fn name_of(function: &Function) -> Option<String> {
    let name = match function.name.0.as_slice() {
        [name] => name,
        [schema, name] if schema.to_string().eq_ignore_ascii_case("pg_catalog") => name,
        _ => return None,
    };
    Some(name.to_string().trim_matches('"').to_ascii_lowercase())
}

fn arguments(function: &Function) -> Option<Vec<Expr>> {
    match &function.args {
        FunctionArguments::None => Some(Vec::new()),
        FunctionArguments::Subquery(_) => None,
        FunctionArguments::List(list) => list
            .args
            .iter()
            .map(|argument| match argument {
                FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => Some(expr.clone()),
                _ => None,
            })
            .collect(),
    }
}

fn taken(expr: &mut Expr) -> Expr {
    let nothing = Expr::Value(Value::Null.into());
    std::mem::replace(expr, nothing)
}

fn number(digits: &str) -> Expr {
    Expr::Value(Value::Number(digits.to_owned(), false).into())
}

fn text(text: String) -> Expr {
    Expr::Value(Value::SingleQuotedString(text).into())
}

fn double(expr: Expr) -> Expr {
    cast(expr, DataType::DoublePrecision)
}

fn nested(left: &Expr, op: BinaryOperator, right: &Expr) -> Expr {
    let operand = |one: &Expr| Box::new(Expr::Nested(Box::new(one.clone())));
    Expr::Nested(Box::new(Expr::BinaryOp {
        left: operand(left),
        op,
        right: operand(right),
    }))
}
