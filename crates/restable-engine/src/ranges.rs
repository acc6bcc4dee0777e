//! Times that a condition confines rows to, as far as the service can be asked for them: a parameter of the list that lets through a range of
//! times of one field (`x-restable-range` in the document). The range that is asked for is wider than the condition by a day and more at each
//! end, and DataFusion asks the condition again of the rows.

use std::sync::Arc;

use arrow::compute::kernels::cast_utils::string_to_timestamp_nanos;
use arrow::datatypes::DataType;
use arrow::temporal_conversions::timestamp_ns_to_datetime;
use datafusion::common::ScalarValue;
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::{BinaryExpr, Expr, Operator};
use restable_spec::names::{fold, same};
use restable_spec::{Bound, Parameter, Range, Resource};

use crate::walk::Bindings;

const DAY: i64 = 86_400_000_000_000;
/// As long after its beginning a range without an end goes: as far as recorded requests of Azure's own client ask.
const OPEN: i64 = 3_653 * DAY;

/// The earliest and the latest time that rows may have, in nanoseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Span {
    from: Option<i64>,
    to: Option<i64>,
}

/// Whether a condition confines the time of a parameter of this resource.
pub(crate) fn confines(resource: &Resource, condition: &Expr) -> bool {
    let mut ranges = resource
        .parameters
        .iter()
        .filter_map(|parameter| parameter.range.as_deref());
    ranges.any(|range| span(range, condition) != Span::default())
}

/// Binds the parameters that conditions, all of which hold, confine; where the call that will be made takes them.
pub(crate) fn bind(resource: &Resource, bindings: &mut Bindings, conditions: &[Expr]) {
    for parameter in &resource.parameters {
        let Some(range) = &parameter.range else {
            continue;
        };
        let name = fold(&parameter.name);
        if bindings.contains_key(&name) || !is_taken(resource, bindings, parameter) {
            continue;
        }
        let mut all = Span::default();
        for condition in conditions {
            let one = span(range, condition);
            all.from = all.from.max(one.from);
            all.to = match (all.to, one.to) {
                (Some(known), Some(other)) => Some(known.min(other)),
                (known, other) => known.or(other),
            };
        }
        // Without a beginning there is nothing to ask for that is known to be understood.
        let Some(from) = all.from else { continue };
        let to = all
            .to
            .unwrap_or_else(|| from.max(now()).saturating_add(OPEN));
        let from = from.div_euclid(DAY).saturating_sub(1).saturating_mul(DAY);
        let to = to.div_euclid(DAY).saturating_add(2).saturating_mul(DAY);
        if let (Some(from), Some(to)) = (written(from), written(to))
            && from <= to
        {
            bindings.insert(name, vec![Arc::from(range.filter(&from, &to))]);
        }
    }
}

/// Whether the method that is called without the parameter has a place for it.
fn is_taken(resource: &Resource, bindings: &Bindings, parameter: &Parameter) -> bool {
    let bound: Bound = bindings
        .iter()
        .map(|(name, values)| (name.clone(), values.len()))
        .collect();
    let method = resource.route(&bound);
    method.is_ok_and(|method| method.parameter(&parameter.name).is_some())
}

fn now() -> i64 {
    let seconds = crate::memory::now();
    i64::try_from(seconds).map_or(0, |seconds| seconds.saturating_mul(1_000_000_000))
}

/// A time as the service writes it.
fn written(nanoseconds: i64) -> Option<String> {
    let time = timestamp_ns_to_datetime(nanoseconds)?;
    Some(time.format("%Y-%m-%dT%H:%M:%S.0000000Z").to_string())
}

fn span(range: &Range, condition: &Expr) -> Span {
    match condition {
        Expr::BinaryExpr(BinaryExpr { left, op, right }) => {
            let (value, op) = if is_time(range, left) {
                (time(right), *op)
            } else if is_time(range, right) {
                (time(left), op.swap().unwrap_or(Operator::NotEq))
            } else {
                return Span::default();
            };
            match op {
                Operator::Eq => Span {
                    from: value,
                    to: value,
                },
                Operator::Gt | Operator::GtEq => Span {
                    from: value,
                    to: None,
                },
                Operator::Lt | Operator::LtEq => Span {
                    from: None,
                    to: value,
                },
                _ => Span::default(),
            }
        }
        Expr::Between(between) if !between.negated && is_time(range, &between.expr) => Span {
            from: time(&between.low),
            to: time(&between.high),
        },
        _ => Span::default(),
    }
}

/// Whether an expression is the field of the range, as text or as a time.
fn is_time(range: &Range, expr: &Expr) -> bool {
    let mut parts = range.field.split('.');
    match expr {
        Expr::Cast(cast) => is_timestamp(cast.field.data_type()) && is_time(range, &cast.expr),
        Expr::TryCast(cast) => is_timestamp(cast.field.data_type()) && is_time(range, &cast.expr),
        Expr::ScalarFunction(ScalarFunction { func, args }) => match (func.name(), args.as_slice())
        {
            ("to_timestamp", [inner]) | ("arrow_try_cast" | "arrow_cast", [inner, _]) => {
                is_time(range, inner)
            }
            ("json_get_text", [Expr::Column(column), keys @ ..]) => {
                parts.next().is_some_and(|first| same(first, &column.name))
                    && keys.len() == parts.clone().count()
                    && keys.iter().zip(parts).all(|(key, part)| match key {
                        Expr::Literal(ScalarValue::Utf8(Some(key)), _) => key == part,
                        _ => false,
                    })
            }
            _ => false,
        },
        _ => false,
    }
}

fn is_timestamp(kind: &DataType) -> bool {
    matches!(kind, DataType::Timestamp(..))
}

/// A constant as a time, in nanoseconds.
fn time(expr: &Expr) -> Option<i64> {
    let Expr::Literal(value, _) = expr else {
        return None;
    };
    match value {
        ScalarValue::Utf8(Some(text))
        | ScalarValue::LargeUtf8(Some(text))
        | ScalarValue::Utf8View(Some(text)) => string_to_timestamp_nanos(text).ok(),
        ScalarValue::TimestampSecond(Some(time), _) => time.checked_mul(1_000_000_000),
        ScalarValue::TimestampMillisecond(Some(time), _) => time.checked_mul(1_000_000),
        ScalarValue::TimestampMicrosecond(Some(time), _) => time.checked_mul(1_000),
        ScalarValue::TimestampNanosecond(Some(time), _) => Some(*time),
        _ => None,
    }
}
