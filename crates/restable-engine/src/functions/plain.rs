//! Small functions of PostgreSQL's that DataFusion has not, or has with other answers: arithmetic that refuses to overflow, rounding,
//! sizes for people, names of types.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Int32Array, Int64Array, StringArray};
use arrow::compute::cast;
use arrow::compute::kernels::numeric;
use arrow::datatypes::{
    DataType, Decimal128Type, Float32Type, Float64Type, IntervalMonthDayNano, IntervalUnit,
};
use datafusion::common::{Result, ScalarValue, plan_err};
use restable_sql::Diagnostic;

use super::own::{Called, Own};
use super::spans::Span;
use super::{clocks, decimals, spans};

/// The functions that have a name in SQL.
pub(crate) fn all() -> Vec<Own> {
    vec![
        decimals::div(),
        decimals::numeric(),
        decimals::scale_of(),
        Own::new("width_bucket", (4, 4), |_, _| Ok(DataType::Int32), bucket),
        Own::new("pg_round", (1, 2), round_kind, round),
        Own::new("pg_trunc", (1, 2), round_kind, truncate),
        Own::new("pg_ceil", (1, 1), round_kind, |called| {
            to_whole(called, f64::ceil, |value, by| {
                value.div_euclid(by) + i128::from(value.rem_euclid(by) != 0)
            })
        }),
        Own::new("pg_floor", (1, 1), round_kind, |called| {
            to_whole(called, f64::floor, i128::div_euclid)
        }),
        Own::new(
            "pg_size_pretty",
            (1, 1),
            |_, _| Ok(DataType::Utf8),
            size_pretty,
        ),
        Own::new(
            "similar_to_pattern",
            (1, 2),
            |_, _| Ok(DataType::Utf8),
            similar,
        ),
        Own::new(
            "num_nulls",
            (1, usize::MAX),
            |_, _| Ok(DataType::Int32),
            |called| nulls(called, true),
        ),
        Own::new(
            "num_nonnulls",
            (1, usize::MAX),
            |_, _| Ok(DataType::Int32),
            |called| nulls(called, false),
        ),
        Own::new(
            "pg_typeof",
            (1, 1),
            |_, _| Ok(DataType::Utf8),
            |called| {
                let oid = crate::pg_catalog::kinds::of_field(&called.fields[0]);
                let name = match called.arrays[0].data_type() {
                    DataType::Null => Some("unknown".to_owned()),
                    _ => crate::pg_catalog::kinds::shown(oid),
                };
                Ok(Arc::new(StringArray::from(vec![name; called.rows])))
            },
        ),
    ]
}

type Pair = fn(
    &dyn arrow::array::Datum,
    &dyn arrow::array::Datum,
) -> Result<ArrayRef, arrow::error::ArrowError>;

fn arithmetic(called: &Called, run: Pair) -> Result<ArrayRef> {
    let left = cast(&called.arrays[0], &called.kind)?;
    let right = cast(&called.arrays[1], &called.kind)?;
    run(&left, &right).map_err(|problem| match problem {
        arrow::error::ArrowError::ArithmeticOverflow(_) => {
            let name = match called.kind {
                DataType::Int8 | DataType::Int16 => "smallint",
                DataType::Int32 => "integer",
                _ => "bigint",
            };
            out_of_range(name)
        }
        other => other.into(),
    })
}

pub(crate) fn out_of_range(kind: &str) -> datafusion::common::DataFusionError {
    crate::Error::from(Diagnostic::new("R0209", format!("{kind} out of range"))).into()
}

/// The larger of two types of whole numbers.
fn wider(kinds: &[DataType], _: &[Option<&ScalarValue>]) -> Result<DataType> {
    let bits = |kind: &DataType| kind.primitive_width().unwrap_or(8);
    let widest = kinds.iter().max_by_key(|kind| bits(kind));
    Ok(widest.cloned().unwrap_or(DataType::Int64))
}

/// `a + b` of whole numbers.
pub(crate) fn plus() -> Own {
    Own::new("checked_plus", (2, 2), wider, |called| {
        arithmetic(called, numeric::add)
    })
}

/// `a - b` of whole numbers.
pub(crate) fn minus() -> Own {
    Own::new("checked_minus", (2, 2), wider, |called| {
        arithmetic(called, numeric::sub)
    })
}

/// `a * b` of whole numbers.
pub(crate) fn times() -> Own {
    Own::new("checked_times", (2, 2), wider, |called| {
        arithmetic(called, numeric::mul)
    })
}

/// The nearest whole number: of a float the even one of two, of a decimal the one away from zero.
pub(crate) fn whole() -> Own {
    Own::new(
        "whole",
        (1, 1),
        |kinds, _| {
            Ok(match &kinds[0] {
                DataType::Decimal128(..) => DataType::Decimal128(38, 0),
                other => other.clone(),
            })
        },
        |called| {
            let array = &called.arrays[0];
            Ok(match array.data_type() {
                DataType::Float64 => {
                    let all = array.as_primitive::<Float64Type>();
                    Arc::new(all.unary::<_, Float64Type>(f64::round_ties_even))
                }
                DataType::Float32 => {
                    let all = array.as_primitive::<Float32Type>();
                    Arc::new(all.unary::<_, Float32Type>(f32::round_ties_even))
                }
                DataType::Decimal128(_, scale) if *scale > 0 => {
                    let by = 10_i128.pow(u32::from(scale.unsigned_abs()));
                    let all = array.as_primitive::<Decimal128Type>();
                    let rounded = all.unary::<_, Decimal128Type>(|value| {
                        let half = by / 2 * value.signum();
                        (value + half) / by
                    });
                    Arc::new(rounded.with_precision_and_scale(38, 0)?)
                }
                _ => cast(array, &called.kind)?,
            })
        },
    )
}

/// `interval * number`.
pub(crate) fn scaled() -> Own {
    Own::new(
        "interval_times",
        (2, 2),
        |_, _| Ok(DataType::Interval(IntervalUnit::MonthDayNano)),
        |called| {
            let by = cast(&called.arrays[1], &DataType::Float64)?;
            let by = by.as_primitive::<Float64Type>();
            let spans = spans::spans(&called.arrays[0])?;
            #[expect(clippy::cast_precision_loss, reason = "as PostgreSQL computes it")]
            let all = spans.into_iter().zip(by).map(|(span, by)| {
                let (span, by) = (span?, by?);
                let (months, days) = (f64::from(span.months) * by, span.days as f64 * by);
                Some(Span::of_parts(months, days, span.nanos as f64 * by))
            });
            Ok(clocks::of_spans(all.collect()))
        },
    )
}

/// The text as a truth value, as PostgreSQL reads it.
pub(crate) fn truth(text: &str) -> Option<bool> {
    let text = text.trim().to_ascii_lowercase();
    let begins = |word: &str, least: usize| text.len() >= least && word.starts_with(&*text);
    if begins("true", 1) || begins("yes", 1) || text == "on" || text == "1" {
        Some(true)
    } else if begins("false", 1) || begins("no", 1) || begins("off", 2) || text == "0" {
        Some(false)
    } else {
        None
    }
}

/// `width_bucket(x, low, high, count)`: the part of a range in which a number lies, from 1; 0 and one more for those outside.
fn bucket(called: &Called) -> Result<ArrayRef> {
    let floats = called.arrays.iter();
    let floats = floats.map(|array| cast(array, &DataType::Float64));
    let floats: Vec<ArrayRef> = floats.collect::<Result<_, _>>()?;
    let floats: Vec<_> = floats
        .iter()
        .map(|array| array.as_primitive::<Float64Type>())
        .collect();
    let row = |row: usize| {
        let value = |at: usize| floats[at].is_valid(row).then(|| floats[at].value(row));
        let (Some(x), Some(low), Some(high), Some(count)) =
            (value(0), value(1), value(2), value(3))
        else {
            return Ok(None);
        };
        if count < 1.0 || low == high || ![x, low, high].into_iter().all(f64::is_finite) {
            let problem = match count < 1.0 {
                true => "count must be greater than zero",
                false => "lower bound cannot equal upper bound, and both are finite",
            };
            return Err(crate::Error::from(Diagnostic::new("R0402", problem)).into());
        }
        let share = (x - low) / (high - low);
        #[expect(clippy::cast_possible_truncation, reason = "a number of parts")]
        Ok(Some(match share {
            share if share < 0.0 => 0,
            share if share >= 1.0 => count as i32 + 1,
            share => (share * count) as i32 + 1,
        }))
    };
    let all = (0..called.rows).map(row).collect::<Result<Int32Array>>()?;
    Ok(Arc::new(all))
}

/// A text that fits a column; blanks behind it may go.
pub(crate) fn fitting() -> Own {
    Own::new(
        "fitting",
        (2, 2),
        |kinds, _| Ok(kinds[0].clone()),
        |called| {
            let texts = cast(&called.arrays[0], &DataType::Utf8)?;
            let lengths = cast(&called.arrays[1], &DataType::Int64)?;
            let lengths: &Int64Array = lengths.as_primitive();
            let rows = texts.as_string::<i32>().iter().zip(lengths);
            let rows = rows.map(|(text, length)| {
                let (Some(text), Some(length)) = (text, length) else {
                    return Ok(None);
                };
                let most = usize::try_from(length).unwrap_or(0);
                let Some((end, _)) = text.char_indices().nth(most) else {
                    return Ok(Some(text));
                };
                match text[end..].chars().all(|letter| letter == ' ') {
                    true => Ok(Some(&text[..end])),
                    false => {
                        let problem =
                            format!("value too long for type character varying({length})");
                        Err(crate::Error::from(Diagnostic::new("R0211", problem)).into())
                    }
                }
            });
            let fitting: StringArray = rows.collect::<Result<_>>()?;
            Ok(cast(&fitting, &called.kind)?)
        },
    )
}

/// The value itself, which may be NULL.
pub(crate) fn known() -> Own {
    Own::new(
        "known",
        (1, 1),
        |kinds, _| Ok(kinds[0].clone()),
        |called| Ok(Arc::clone(&called.arrays[0])),
    )
}

/// The whole number next to each.
fn to_whole(
    called: &Called,
    float: fn(f64) -> f64,
    decimal: fn(i128, i128) -> i128,
) -> Result<ArrayRef> {
    let array = &called.arrays[0];
    if let (DataType::Decimal128(_, scale), DataType::Decimal128(..)) =
        (array.data_type(), &called.kind)
    {
        let by = 10_i128.pow(u32::from(scale.unsigned_abs()));
        let all = array.as_primitive::<Decimal128Type>();
        let all = all.unary::<_, Decimal128Type>(|value| match *scale > 0 {
            true => decimal(value, by),
            false => value * by,
        });
        return Ok(Arc::new(all.with_data_type(called.kind.clone())));
    }
    let all = cast(array, &DataType::Float64)?;
    let all = all.as_primitive::<Float64Type>();
    Ok(Arc::new(all.unary::<_, Float64Type>(float)))
}

/// `trunc(x)`, `trunc(x, 2)`: without the digits behind.
fn truncate(called: &Called) -> Result<ArrayRef> {
    let places = places(called)?;
    let power = |exponent: i64| 10_i128.checked_pow(u32::try_from(exponent).ok()?);
    match (called.arrays[0].data_type(), &called.kind) {
        (DataType::Decimal128(_, from), DataType::Decimal128(_, to)) => {
            let (from, to) = (i64::from(*from), i64::from(*to));
            let all = called.arrays[0].as_primitive::<Decimal128Type>().iter();
            let cut = all.zip(places).map(|(value, places)| {
                let (value, places) = (value?, places?);
                let kept = match power((from - places).max(0)) {
                    Some(by) => value / by * by,
                    None => 0,
                };
                Some(kept / power(from - to)?)
            });
            let cut: arrow::array::Decimal128Array = cut.collect();
            Ok(Arc::new(cut.with_data_type(called.kind.clone())))
        }
        _ => {
            let all = cast(&called.arrays[0], &DataType::Float64)?;
            let all = all.as_primitive::<Float64Type>().iter().zip(places);
            let cut = all.map(|(value, places)| {
                let by = 10_f64.powi(i32::try_from(places?).ok()?);
                Some((value? * by).trunc() / by)
            });
            Ok(Arc::new(cut.collect::<arrow::array::Float64Array>()))
        }
    }
}

/// How many digits are wanted behind the point, row by row.
fn places(called: &Called) -> Result<Vec<Option<i64>>> {
    let Some(places) = called.arrays.get(1) else {
        return Ok(vec![Some(0); called.rows]);
    };
    let places = cast(places, &DataType::Int64)?;
    let places = places.as_primitive::<arrow::datatypes::Int64Type>();
    Ok(places.iter().collect())
}

/// `round(x, 2)`: a decimal has as many digits after its point, if their number is written out.
fn round_kind(kinds: &[DataType], constants: &[Option<&ScalarValue>]) -> Result<DataType> {
    let text = matches!(kinds[0], DataType::Utf8 | DataType::Utf8View);
    if text && constants.first().is_none_or(Option::is_none) {
        return plan_err!("function does not exist: round(text)");
    }
    if let [DataType::Decimal128(..)] = kinds {
        return Ok(DataType::Decimal128(38, 0));
    }
    let places = constants.get(1).copied().flatten();
    let places = places.and_then(|one| one.cast_to(&DataType::Int8).ok());
    Ok(match (&kinds[0], places) {
        (DataType::Decimal128(_, scale), Some(ScalarValue::Int8(Some(places))))
            if (0..=*scale).contains(&places) =>
        {
            DataType::Decimal128(38, places)
        }
        (DataType::Decimal128(..), Some(ScalarValue::Int8(Some(..0)))) => {
            DataType::Decimal128(38, 0)
        }
        (DataType::Decimal128(_, scale), _) => DataType::Decimal128(38, *scale),
        _ => DataType::Float64,
    })
}

fn round(called: &Called) -> Result<ArrayRef> {
    let whole = called.arrays.len() == 1;
    let places = places(called)?;
    let (from, to) = match (called.arrays[0].data_type(), &called.kind) {
        (DataType::Decimal128(_, from), DataType::Decimal128(_, to)) => {
            (i64::from(*from), i64::from(*to))
        }
        _ => {
            let all = cast(&called.arrays[0], &DataType::Float64)?;
            let all = all.as_primitive::<Float64Type>().iter().zip(places);
            let rounded = all.map(|(value, places)| {
                if whole {
                    return Some(value?.round_ties_even());
                }
                let by = 10_f64.powi(i32::try_from(places?).ok()?);
                Some((value? * by).round() / by)
            });
            return Ok(Arc::new(rounded.collect::<arrow::array::Float64Array>()));
        }
    };
    let power = |exponent: i64| 10_i128.checked_pow(u32::try_from(exponent).ok()?);
    let all = called.arrays[0]
        .as_primitive::<Decimal128Type>()
        .iter()
        .zip(places);
    let rounded = all.map(|(value, places)| {
        let (value, places) = (value?, places?);
        // Digits that go away, and those that the type has no place for.
        let kept = match from - places {
            gone if gone <= 0 => value,
            gone => match power(gone) {
                Some(by) => (value + by / 2 * value.signum()) / by * by,
                None => 0,
            },
        };
        Some(kept / power(from - to)?)
    });
    let rounded: arrow::array::Decimal128Array = rounded.collect();
    Ok(Arc::new(rounded.with_data_type(called.kind.clone())))
}

fn nulls(called: &Called, wanted: bool) -> Result<ArrayRef> {
    let nulls: Vec<BooleanArray> = called
        .arrays
        .iter()
        .map(|array| arrow::compute::is_null(array))
        .collect::<Result<_, _>>()?;
    let count = |row: usize| {
        nulls
            .iter()
            .filter(|nulls| nulls.value(row) == wanted)
            .count()
    };
    let counts = (0..called.rows).map(|row| i32::try_from(count(row)).ok());
    Ok(Arc::new(counts.collect::<Int32Array>()))
}

/// PostgreSQL's words for bytes: `12 MB`.
fn size_pretty(called: &Called) -> Result<ArrayRef> {
    let all = cast(&called.arrays[0], &DataType::Int64)?;
    let all: &Int64Array = all.as_primitive();
    let pretty = |bytes: i64| {
        const UNITS: [&str; 6] = ["bytes", "kB", "MB", "GB", "TB", "PB"];
        let mut size = i128::from(bytes);
        let mut unit = 0;
        // Up to ten thousand and a half of a unit stay in it.
        while unit + 1 < UNITS.len() && size.abs() >= if unit == 0 { 10_240 } else { 20_479 } {
            // One bit more is kept until the end, to round by.
            size /= if unit == 0 { 512 } else { 1024 };
            unit += 1;
        }
        if unit > 0 {
            size = (size + size.signum()) / 2;
        }
        format!("{size} {}", UNITS[unit])
    };
    let texts: StringArray = all.iter().map(|bytes| bytes.map(pretty)).collect();
    Ok(Arc::new(texts))
}

/// The regular expression of a pattern of SIMILAR TO.
fn similar(called: &Called) -> Result<ArrayRef> {
    let texts = cast(&called.arrays[0], &DataType::Utf8)?;
    let escapes = match called.arrays.get(1) {
        Some(escapes) => Some(cast(escapes, &DataType::Utf8)?),
        None => None,
    };
    let texts = texts.as_string::<i32>().iter().enumerate();
    let all = texts.map(|(row, text)| {
        let escape = match &escapes {
            Some(escapes) => escapes.as_string::<i32>().value(row).chars().next(),
            None => Some('\\'),
        };
        text.map(|text| pattern(text, escape))
    });
    Ok(Arc::new(all.collect::<StringArray>()))
}

fn pattern(text: &str, escape: Option<char>) -> String {
    let mut made = String::from("^(?s:");
    let mut letters = text.chars();
    let mut in_class = false;
    while let Some(letter) = letters.next() {
        match letter {
            letter if Some(letter) == escape => {
                if let Some(next) = letters.next() {
                    if !next.is_alphanumeric() {
                        made.push('\\');
                    }
                    made.push(next);
                }
            }
            '[' => {
                in_class = true;
                made.push('[');
            }
            ']' => {
                in_class = false;
                made.push(']');
            }
            letter if in_class => made.push(letter),
            '%' => made.push_str(".*"),
            '_' => made.push('.'),
            '(' => made.push_str("(?:"),
            '.' | '^' | '$' | '\\' => {
                made.push('\\');
                made.push(letter);
            }
            other => made.push(other),
        }
    }
    made.push_str(")$");
    made
}

/// An interval that a text says, as a constant; `None` if it says none.
pub(crate) fn interval(text: &str) -> Option<ScalarValue> {
    let span = spans::read(text)?;
    let days = i32::try_from(span.days).ok()?;
    let value = IntervalMonthDayNano::new(span.months, days, span.nanos);
    Some(ScalarValue::IntervalMonthDayNano(Some(value)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_of_similar_to_are_regular_expressions() {
        assert_eq!(pattern("a%", Some('\\')), "^(?s:a.*)$");
        assert_eq!(pattern("(b|c)_[a%]", Some('\\')), "^(?s:(?:b|c).[a%])$");
        assert_eq!(pattern("1.5#%", Some('#')), "^(?s:1\\.5\\%)$");
    }

    #[test]
    fn truth_is_read_from_its_words() {
        for yes in ["t", "TRUE", "tr", "1", "on", "y"] {
            assert_eq!(truth(yes), Some(true), "{yes}");
        }
        for no in ["f", "false", "0", "off", "n"] {
            assert_eq!(truth(no), Some(false), "{no}");
        }
        assert_eq!(truth("maybe"), None);
        assert_eq!(truth(""), None);
    }
}
