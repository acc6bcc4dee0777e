//! What PostgreSQL means by casts, comparisons and sums where DataFusion means something else: a literal beside a time is a time of
//! the session's zone, intervals compare by how long they are, whole numbers do not wrap round. Each answer keeps its type. To apply
//! it twice changes nothing.

use std::sync::Arc;

use arrow::datatypes::{DataType, TimeUnit};
use datafusion::common::tree_node::Transformed;
use datafusion::common::{DFSchema, Result, ScalarValue};
use datafusion::execution::memory_pool::MemoryPool;
use datafusion::functions_aggregate::first_last::first_value_udaf;
use datafusion::logical_expr::expr::{
    AggregateFunction, Cast, InList, ScalarFunction, Sort, WindowFunction,
};
use datafusion::logical_expr::{
    Between, BinaryExpr, Case, Expr, ExprSchemable, Operator, WindowFunctionDefinition, lit,
};
use restable_sql::Diagnostic;

use super::marks::{compares, fold, folds, is_interval, varies};
use crate::functions::extremes::{End, extreme};
use crate::functions::{floats, held, own::Own, plain, shifts, spans, sums, written};
use crate::zone::UTC;

/// One expression as PostgreSQL means it; `zone` and `pool`, its memory, are the session's.
pub fn rewrite(
    expr: Expr,
    schema: &DFSchema,
    zone: &str,
    pool: Option<&Arc<dyn MemoryPool>>,
) -> Result<Transformed<Expr>> {
    Ok(match expr {
        Expr::BinaryExpr(BinaryExpr { left, op, right }) if compares(op) => {
            let mut sides = [*left, *right];
            let changed = beside(&mut sides, schema, zone)?;
            let [left, right] = sides.map(Box::new);
            let compared = Expr::BinaryExpr(BinaryExpr::new(left, op, right));
            Transformed::new_transformed(compared, changed)
        }
        Expr::BinaryExpr(BinaryExpr { left, op, right }) => {
            let sides = (left.get_type(schema), right.get_type(schema));
            if zone != "UTC"
                && let Some(moved) = moves(op, &sides)
            {
                let (instant, span) = match sides.0 {
                    Ok(DataType::Interval(_)) => (*right, *left),
                    _ => (*left, *right),
                };
                return Ok(Transformed::yes(moved().call(vec![instant, span])));
            }
            let signed = |kind: &DataType| kind.is_signed_integer();
            let float = |kind: &DataType| *kind == DataType::Float64;
            let number = |kind: &DataType| signed(kind) || kind.is_floating();
            let (whole, floats) = match &sides {
                (Ok(left), Ok(right)) => (
                    signed(left) && signed(right),
                    (float(left) && number(right)) || (number(left) && float(right)),
                ),
                _ => (false, false),
            };
            let checked: Option<fn() -> Own> = match op {
                Operator::Plus if whole => Some(plain::plus),
                Operator::Minus if whole => Some(plain::minus),
                Operator::Multiply if whole => Some(plain::times),
                Operator::Plus if floats => Some(floats::sum),
                Operator::Minus if floats => Some(floats::difference),
                Operator::Multiply if floats => Some(floats::product),
                Operator::Divide if floats => Some(floats::quotient),
                _ => None,
            };
            match checked {
                Some(checked) => Transformed::yes(checked().call(vec![*left, *right])),
                None => Transformed::no(Expr::BinaryExpr(BinaryExpr { left, op, right })),
            }
        }
        Expr::InList(InList {
            expr,
            list,
            negated,
        }) => {
            let mut sides = vec![*expr];
            sides.extend(list);
            let changed = beside(&mut sides, schema, zone)?;
            let list = sides.split_off(1);
            let expr = Box::new(sides.remove(0));
            Transformed::new_transformed(Expr::InList(InList::new(expr, list, negated)), changed)
        }
        Expr::Between(between) => {
            let mut sides = [*between.expr, *between.low, *between.high];
            let changed = beside(&mut sides, schema, zone)?;
            let [expr, low, high] = sides.map(Box::new);
            let between = Between::new(expr, between.negated, low, high);
            Transformed::new_transformed(Expr::Between(between), changed)
        }
        Expr::Cast(one) => cast(one, schema, zone)?,
        Expr::AggregateFunction(function) => {
            outermost(function, schema)?.update_data(|expr| match expr {
                Expr::AggregateFunction(function) => {
                    Expr::AggregateFunction(within(function, schema, pool))
                }
                other => other,
            })
        }
        Expr::WindowFunction(function) => Transformed::no(running(*function, schema, pool)),
        Expr::Case(Case {
            expr: Some(subject),
            mut when_then_expr,
            else_expr,
        }) => {
            let mut sides = vec![*subject];
            let whens = when_then_expr.iter_mut();
            sides.extend(whens.map(|(when, _)| std::mem::take(&mut **when)));
            let changed = beside(&mut sides, schema, zone)?;
            let mut sides = sides.into_iter();
            let expr = sides.next().map(Box::new);
            for ((when, _), side) in when_then_expr.iter_mut().zip(sides) {
                **when = side;
            }
            let case = Case {
                expr,
                when_then_expr,
                else_expr,
            };
            Transformed::new_transformed(Expr::Case(case), changed)
        }
        Expr::ScalarFunction(function) => of_spans(joined(function, schema), schema),
        other => Transformed::no(other),
    })
}

/// An instant and an interval: a day later it is as late by the clocks of the session's zone, which DataFusion does not know.
fn moves(op: Operator, sides: &(Result<DataType>, Result<DataType>)) -> Option<fn() -> Own> {
    use DataType::{Interval, Timestamp};
    match (op, sides) {
        (Operator::Plus, (Ok(Timestamp(_, Some(_))), Ok(Interval(_))))
        | (Operator::Plus, (Ok(Interval(_)), Ok(Timestamp(_, Some(_))))) => Some(shifts::later),
        (Operator::Minus, (Ok(Timestamp(_, Some(_))), Ok(Interval(_)))) => Some(shifts::earlier),
        _ => None,
    }
}

/// What holds its rows, within bounds.
fn within(
    mut function: AggregateFunction,
    schema: &DFSchema,
    pool: Option<&Arc<dyn MemoryPool>>,
) -> AggregateFunction {
    let Some(pool) = pool else {
        return function;
    };
    let first = function.params.args.first();
    let of = first.and_then(|one| one.get_type(schema).ok());
    if let Some(bounded) = held::of_groups(&function.func, of.as_ref(), pool) {
        function.func = bounded;
    }
    function
}

/// `sum(x) OVER (…)` of whole numbers, which refuses to overflow as well; `min` and `max` by the order in which rows are sorted; and what holds its rows,
/// within bounds.
fn running(
    mut function: WindowFunction,
    schema: &DFSchema,
    pool: Option<&Arc<dyn MemoryPool>>,
) -> Expr {
    let kind = function.params.args.first().map(|one| one.get_type(schema));
    let whole = matches!(kind, Some(Ok(kind)) if sums::is_checked(&kind));
    if let WindowFunctionDefinition::AggregateUDF(aggregate) = &function.fun
        && aggregate.name() == "sum"
        && whole
    {
        function.fun = WindowFunctionDefinition::AggregateUDF(sums::checked());
    }
    let end = match function.fun.name() {
        "min" => Some(End::Least),
        "max" => Some(End::Greatest),
        _ => None,
    };
    // One that was rewritten has its order beside it.
    if let (Some(end), [subject]) = (end, function.params.args.as_slice())
        && let Some(order) = order_of(subject, schema)
    {
        function.fun = WindowFunctionDefinition::AggregateUDF(extreme(end));
        function.params.args.push(order);
        function.params.distinct = false;
    }
    if let (WindowFunctionDefinition::AggregateUDF(aggregate), Some(pool)) = (&function.fun, pool)
        && let Some(bounded) = held::of_window(aggregate, pool)
    {
        function.fun = WindowFunctionDefinition::AggregateUDF(bounded);
    }
    Expr::from(function)
}

/// `concat(true)` is `t`, as a truth value is sent; its cast to text is `true`.
fn joined(mut function: ScalarFunction, schema: &DFSchema) -> ScalarFunction {
    if !matches!(function.func.name(), "concat" | "concat_ws") {
        return function;
    }
    for one in &mut function.args {
        if matches!(one.get_type(schema), Ok(DataType::Boolean)) {
            let is = one.clone();
            let letter = |letter: &str| Box::new(lit(letter));
            *one = Expr::Case(Case {
                expr: None,
                when_then_expr: vec![
                    (Box::new(is.clone()), letter("t")),
                    (Box::new(Expr::Not(Box::new(is))), letter("f")),
                ],
                else_expr: None,
            });
        }
    }
    function
}

/// `nullif`, `greatest` and `least` of intervals.
fn of_spans(function: ScalarFunction, schema: &DFSchema) -> Transformed<Expr> {
    let name = function.func.name();
    let all = || function.args.iter().all(|one| is_interval(one, schema));
    match (name, function.args.as_slice()) {
        ("nullif", [value, other]) if all() => {
            let order = |one: &Expr| spans::order().call(vec![one.clone()]);
            let null = Expr::Literal(ScalarValue::IntervalMonthDayNano(None), None);
            let when = (Box::new(order(value).eq(order(other))), Box::new(null));
            Transformed::yes(Expr::Case(Case {
                expr: None,
                when_then_expr: vec![when],
                else_expr: Some(Box::new(value.clone())),
            }))
        }
        ("greatest", [_, _, ..]) if all() => Transformed::yes(spans::longest().call(function.args)),
        ("least", [_, _, ..]) if all() => Transformed::yes(spans::shortest().call(function.args)),
        _ => Transformed::no(Expr::ScalarFunction(function)),
    }
}

fn is_span(kind: &DataType) -> bool {
    matches!(kind, DataType::Interval(_) | DataType::Duration(_))
}

/// The key by which rows are sorted: an interval by how long it is, a name of Azure in any spelling.
pub fn sort_key(mut key: Sort, schema: &DFSchema) -> Result<Transformed<Sort>> {
    if folds(&key.expr, schema) {
        key.expr = fold(key.expr);
        return Ok(Transformed::yes(key));
    }
    match key.expr.get_type(schema) {
        Ok(DataType::Interval(_)) => {
            key.expr = spans::order().call(vec![key.expr]);
            Ok(Transformed::yes(key))
        }
        _ => Ok(Transformed::no(key)),
    }
}

/// `sum` of whole numbers, which refuses to overflow.
fn total(mut function: AggregateFunction, schema: &DFSchema) -> Transformed<Expr> {
    let kind = function.params.args.first().map(|one| one.get_type(schema));
    let whole = matches!(kind, Some(Ok(kind)) if sums::is_checked(&kind));
    if !whole || function.func.inner().is::<sums::Checked>() {
        return Transformed::no(Expr::AggregateFunction(function));
    }
    function.func = sums::checked();
    Transformed::yes(Expr::AggregateFunction(function))
}

/// `max` and `min` of intervals: the first of them by how long they are; of names the first whatever their spelling.
fn outermost(mut function: AggregateFunction, schema: &DFSchema) -> Result<Transformed<Expr>> {
    let ascending = match function.func.name() {
        "min" => true,
        "max" => false,
        "sum" => return Ok(total(function, schema)),
        _ => return Ok(Transformed::no(Expr::AggregateFunction(function))),
    };
    let order = function.params.args.first();
    let Some(order) = order.and_then(|subject| order_of(subject, schema)) else {
        return Ok(Transformed::no(Expr::AggregateFunction(function)));
    };
    function.func = first_value_udaf();
    function.params.distinct = false;
    function.params.order_by = vec![order.sort(ascending, false)];
    Ok(Transformed::yes(Expr::AggregateFunction(function)))
}

/// What the least and the greatest of values are found by, where that is not their own order.
fn order_of(subject: &Expr, schema: &DFSchema) -> Option<Expr> {
    match subject.get_type(schema) {
        Ok(DataType::Interval(_)) => Some(spans::order().call(vec![subject.clone()])),
        // Of several spellings of one name it is the same one each time. One key: first_value of DataFusion 55 fails with two.
        _ if varies(subject, schema) => {
            let joined = |left: Expr, right: Expr| {
                let (left, right) = (Box::new(left), Box::new(right));
                Expr::BinaryExpr(BinaryExpr::new(left, Operator::StringConcat, right))
            };
            let folded = joined(fold(subject.clone()), lit("\0"));
            Some(joined(folded, subject.clone()))
        }
        _ => folds(subject, schema).then(|| fold(subject.clone())),
    }
}

/// The text of a literal.
fn literal(expr: &Expr) -> Option<&str> {
    match expr {
        Expr::Literal(value, _) => value.try_as_str().flatten(),
        Expr::Alias(alias) => literal(&alias.expr),
        _ => None,
    }
}

fn null_of(kind: &DataType) -> Result<Expr> {
    Ok(Expr::Literal(ScalarValue::try_from(kind)?, None))
}

/// What is compared with each other, in types that can be.
fn beside(sides: &mut [Expr], schema: &DFSchema, zone: &str) -> Result<bool> {
    let kinds: Vec<Option<DataType>> = sides
        .iter()
        .map(|side| side.get_type(schema).ok())
        .collect();
    let known = || kinds.iter().flatten();
    if known().any(|kind| matches!(kind, DataType::Interval(_))) {
        return spans_beside(sides, &kinds);
    }
    if known().any(|kind| *kind == DataType::Boolean) {
        return truths_beside(sides);
    }
    let decimal = |kind: &DataType| matches!(kind, DataType::Decimal128(..));
    if known().any(DataType::is_floating) && known().any(decimal) {
        // As floats: DataFusion would make decimals of few digits of both.
        for (side, kind) in sides.iter_mut().zip(&kinds) {
            if kind.as_ref().is_some_and(decimal) {
                let float = exact(side);
                let cast = || datafusion::logical_expr::cast(side.clone(), DataType::Float64);
                *side = float.unwrap_or_else(cast);
            }
        }
        return Ok(true);
    }
    let has_zone = |kind: &&DataType| matches!(kind, DataType::Timestamp(_, Some(_)));
    let is_clock = |kind: &&DataType| matches!(kind, DataType::Timestamp(_, None));
    let is_date = |kind: &&DataType| matches!(kind, DataType::Date32);
    let target = known().find(has_zone).or_else(|| known().find(is_clock));
    let Some(target) = target.or_else(|| known().find(is_date)).cloned() else {
        return Ok(false);
    };
    let mut changed = false;
    for (side, kind) in sides.iter_mut().zip(&kinds) {
        let mut kind = kind.clone();
        // Literals, and literals that are cast: times beyond what is kept compare all the same.
        let (text, as_kind) = match &*side {
            Expr::Cast(Cast { expr, field }) => (literal(expr), field.data_type().clone()),
            // What was a cast of a literal.
            Expr::ScalarFunction(read) if read.func.name() == "read_time" => {
                let text = read.args.first().and_then(literal);
                (text, kind.clone().unwrap_or_else(|| target.clone()))
            }
            other => (literal(other), target.clone()),
        };
        let time = matches!(as_kind, DataType::Timestamp(..) | DataType::Date32);
        if let Some(text) = text.filter(|_| time) {
            let text = Expr::Literal(ScalarValue::Utf8(Some(text.to_owned())), None);
            *side = written::reach_time().call(vec![text, null_of(&as_kind)?]);
            kind = Some(as_kind);
            changed = true;
        }
        match (&target, &kind) {
            (DataType::Timestamp(_, Some(_)), Some(DataType::Date32)) => {
                *side = written::instant_of().call(vec![std::mem::take(side)]);
                changed = true;
            }
            (DataType::Timestamp(_, Some(_)), Some(DataType::Timestamp(_, None)))
                if zone != "UTC" =>
            {
                *side = written::instant_of().call(vec![std::mem::take(side)]);
                changed = true;
            }
            (DataType::Timestamp(_, None), Some(DataType::Date32)) => {
                *side = written::clock_of().call(vec![std::mem::take(side)]);
                changed = true;
            }
            _ => {}
        }
    }
    Ok(changed)
}

fn spans_beside(sides: &mut [Expr], kinds: &[Option<DataType>]) -> Result<bool> {
    for (side, kind) in sides.iter_mut().zip(kinds) {
        let comparable = match kind {
            Some(kind) if is_span(kind) => true,
            Some(DataType::Null) => true,
            _ => literal(side).is_some(),
        };
        if !comparable {
            return Ok(false);
        }
    }
    for side in sides {
        *side = spans::order().call(vec![std::mem::take(side)]);
    }
    Ok(true)
}

/// Texts beside intervals, read as such.
pub fn intervals_beside(sides: &mut [Expr]) -> Result<()> {
    for side in sides {
        let Some(text) = literal(side) else { continue };
        let span = plain::interval(text).ok_or_else(|| spans::unreadable(text))?;
        *side = Expr::Literal(span, None);
    }
    Ok(())
}

/// Texts beside truth values, read as such.
pub fn truths_beside(sides: &mut [Expr]) -> Result<bool> {
    let mut changed = false;
    for side in sides {
        let Some(text) = literal(side) else { continue };
        let Some(truth) = plain::truth(text) else {
            let problem = format!("invalid input syntax for type boolean: `{text}`");
            return Err(crate::Error::from(Diagnostic::new("R0208", problem)).into());
        };
        *side = Expr::Literal(ScalarValue::Boolean(Some(truth)), None);
        changed = true;
    }
    Ok(changed)
}

fn cast(one: Cast, schema: &DFSchema, zone: &str) -> Result<Transformed<Expr>> {
    let Cast { expr, field } = one;
    let target = field.data_type().clone();
    let again = |inner: Expr| {
        Expr::Cast(Cast {
            expr: Box::new(inner),
            field: Arc::clone(&field),
        })
    };
    let Ok(source) = expr.get_type(schema) else {
        return Ok(Transformed::no(again(*expr)));
    };
    let is_text = |kind: &DataType| {
        matches!(
            kind,
            DataType::Utf8 | DataType::Utf8View | DataType::LargeUtf8
        )
    };
    let local = zone != "UTC";
    Ok(match (&source, &target) {
        (kind, DataType::Timestamp(..) | DataType::Date32)
            if is_text(kind) && literal(&expr).is_some() =>
        {
            let null = null_of(&target)?;
            Transformed::yes(written::read_time().call(vec![*expr, null]))
        }
        (DataType::Boolean, _) => Transformed::no(again(*expr)),
        (
            DataType::Timestamp(..)
            | DataType::Float64
            | DataType::Float32
            | DataType::Interval(_)
            | DataType::Duration(_),
            kind,
        ) if is_text(kind) => {
            let text = written::as_text().call(vec![*expr]);
            Transformed::yes(match kind {
                DataType::Utf8 => text,
                _ => again(text),
            })
        }
        // Digit by digit: a quotient of two floats may be another number.
        (DataType::Decimal128(..), DataType::Float64) if let Some(exact) = exact(&expr) => {
            Transformed::yes(exact)
        }
        (DataType::Float64 | DataType::Float32 | DataType::Decimal128(..), kind)
            if kind.is_integer() && !is_call(&expr, "whole") =>
        {
            Transformed::yes(again(plain::whole().call(vec![*expr])))
        }
        (
            DataType::Timestamp(_, Some(_)),
            DataType::Date32
            | DataType::Timestamp(_, None)
            | DataType::Time64(_)
            | DataType::Time32(_),
        ) if local => Transformed::yes(again(written::local_time().call(vec![*expr]))),
        (DataType::Timestamp(_, None) | DataType::Date32, DataType::Timestamp(unit, Some(_)))
            if local =>
        {
            let instant = written::instant_of().call(vec![*expr]);
            let same = match (&source, unit) {
                (DataType::Timestamp(own, _), unit) => own == unit,
                (_, unit) => *unit == TimeUnit::Nanosecond,
            };
            let utc = matches!(&target, DataType::Timestamp(_, Some(own)) if &**own == UTC);
            Transformed::yes(if same && utc { instant } else { again(instant) })
        }
        _ => Transformed::no(again(*expr)),
    })
}

/// The float nearest to a decimal that is written out.
fn exact(expr: &Expr) -> Option<Expr> {
    let Expr::Literal(value @ ScalarValue::Decimal128(Some(_), ..), _) = expr else {
        return None;
    };
    let float: f64 = value.to_string().parse().ok()?;
    Some(Expr::Literal(ScalarValue::Float64(Some(float)), None))
}

fn is_call(expr: &Expr, name: &str) -> bool {
    matches!(expr, Expr::ScalarFunction(function) if function.func.name() == name)
}
