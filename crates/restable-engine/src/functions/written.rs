//! Values as texts and texts as values, as PostgreSQL's casts have them: `ts::text`, `'2020-01-01 00:00'::timestamptz`, and what a time
//! without a zone is in the zone of the session.

use std::fmt::Write as _;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, Date32Array, StringBuilder, TimestampMicrosecondArray,
    TimestampMillisecondArray, TimestampNanosecondArray, TimestampSecondArray,
};
use arrow::compute::cast;
use arrow::datatypes::{
    DataType, Date32Type, Float32Type, Float64Type, TimeUnit, TimestampMicrosecondType,
};
use chrono::{
    DateTime, Datelike as _, NaiveDateTime, Offset as _, TimeZone as _, Timelike as _, Utc,
};
use datafusion::common::{Result, ScalarValue, plan_err};
use restable_sql::Diagnostic;

use super::own::{Called, Own};
use super::spans;
use super::times::{self, Read};
use crate::zone::{self, Look};

/// Text as a value of another type.
fn unreadable(kind: &DataType, text: &str) -> datafusion::common::DataFusionError {
    let name = match kind {
        DataType::Timestamp(_, Some(_)) => "timestamp with time zone",
        DataType::Timestamp(_, None) => "timestamp",
        DataType::Date32 => "date",
        _ => "this type",
    };
    let problem = format!("invalid input syntax for type {name}: `{text}`");
    crate::Error::from(Diagnostic::new("R0208", problem)).into()
}

fn beyond(text: &str) -> datafusion::common::DataFusionError {
    let problem = Diagnostic::new(
        "R0209",
        format!("`{text}` is out of range of what is stored"),
    );
    let problem = problem.help(
        "times are kept in nanoseconds, from 1677 to 2262; in comparisons any time can stand",
    );
    crate::Error::from(problem).into()
}

/// The type of the second argument, which is a NULL of it.
fn of_second(kinds: &[DataType], _: &[Option<&ScalarValue>]) -> Result<DataType> {
    match kinds.get(1) {
        Some(kind) => Ok(kind.clone()),
        None => plan_err!("a type is missing"),
    }
}

/// `read_time(text, NULL::type)`: a time that a text says.
pub(crate) fn read_time() -> Own {
    Own::new("read_time", (2, 2), of_second, |called| {
        read(called, Range::Kept)
    })
}

/// The same to compare with: a time that is too early or late to be kept is the first or last that can be.
pub(crate) fn reach_time() -> Own {
    Own::new("reach_time", (2, 2), of_second, |called| {
        read(called, Range::Reached)
    })
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Range {
    Kept,
    Reached,
}

fn read(called: &Called, range: Range) -> Result<ArrayRef> {
    let session = zone::zone(&called.options);
    let now = times::clock_of(Utc::now().naive_utc(), session);
    let texts = cast(&called.arrays[0], &DataType::Utf8)?;
    let texts = texts.as_string::<i32>();
    let in_zone = match &called.kind {
        DataType::Timestamp(_, Some(_)) => session,
        // By the clock, wherever it stands.
        _ => zone::named("UTC").unwrap_or(session),
    };
    let mut days = Vec::with_capacity(texts.len());
    let mut units = Vec::with_capacity(texts.len());
    for text in texts {
        let Some(text) = text else {
            days.push(None);
            units.push(None);
            continue;
        };
        let Some(mut said) = times::read(text, now) else {
            return Err(unreadable(&called.kind, text));
        };
        // What is no place's time loses the place.
        if let (Read::Instant(_), DataType::Timestamp(_, None) | DataType::Date32) =
            (said, &called.kind)
        {
            said = match times::read(&without_zone(text), now) {
                Some(local) => local,
                None => said,
            };
        }
        match &called.kind {
            DataType::Date32 => {
                let day = match said {
                    Read::Local(time) | Read::Instant(time) => {
                        Some(time.date().num_days_from_ce() - 719_163)
                    }
                    Read::Before | Read::After if range == Range::Kept => return Err(beyond(text)),
                    Read::Before => Some(i32::MIN),
                    Read::After => Some(i32::MAX),
                };
                days.push(day);
            }
            kind => {
                let unit = match kind {
                    DataType::Timestamp(TimeUnit::Nanosecond, _) => times::nanos(said, in_zone),
                    _ => times::micros(said, in_zone),
                };
                let unit = unit.ok_or_else(|| beyond(text))?;
                if range == Range::Kept && (unit == i64::MIN || unit == i64::MAX) {
                    return Err(beyond(text));
                }
                units.push(Some(unit));
            }
        }
    }
    let (per, zone) = match &called.kind {
        DataType::Date32 => return Ok(Arc::new(Date32Array::from(days))),
        DataType::Timestamp(per, zone) => (*per, zone.clone()),
        other => return plan_err!("{other} is no time"),
    };
    let scaled = |by: i64| {
        units
            .iter()
            .map(move |one| one.map(|one: i64| one.div_euclid(by)))
    };
    Ok(match per {
        TimeUnit::Nanosecond => {
            Arc::new(TimestampNanosecondArray::from(units).with_timezone_opt(zone))
        }
        TimeUnit::Microsecond => {
            Arc::new(TimestampMicrosecondArray::from(units).with_timezone_opt(zone))
        }
        TimeUnit::Millisecond => {
            let all: TimestampMillisecondArray = scaled(1000).collect();
            Arc::new(all.with_timezone_opt(zone))
        }
        TimeUnit::Second => {
            let all: TimestampSecondArray = scaled(1_000_000).collect();
            Arc::new(all.with_timezone_opt(zone))
        }
    })
}

/// `2020-01-01 00:00+02` without its place: PostgreSQL drops it where a type has none.
fn without_zone(text: &str) -> String {
    let text = text.trim();
    let after_date = text.get(..10).map_or(0, |_| 10);
    let end = text[after_date..]
        .find(|letter: char| {
            letter == '+'
                || letter == '-'
                || (letter.is_alphabetic() && letter != 'T' && letter != 't')
        })
        .map_or(text.len(), |at| after_date + at);
    text[..end].trim().to_owned()
}

/// `local_time(timestamptz)`: what the clocks of the session's zone show, or of the zone that is named second.
pub(crate) fn local_time() -> Own {
    Own::new(
        "local_time",
        (1, 1),
        |kinds, _| match kinds {
            [DataType::Timestamp(unit, Some(_))] => Ok(DataType::Timestamp(*unit, None)),
            _ => plan_err!("local_time takes a timestamp with time zone"),
        },
        |called| {
            local(
                &called.arrays[0],
                zone::zone_name(&called.options),
                &called.kind,
            )
        },
    )
}

/// What the clocks of a place show at the times of an array.
pub(crate) fn local(array: &ArrayRef, place: &str, kind: &DataType) -> Result<ArrayRef> {
    let DataType::Timestamp(unit, _) = kind else {
        return plan_err!("{kind} is no time");
    };
    let zone = zone::named(place).ok_or_else(|| no_zone(place))?;
    let unit = *unit;
    let per_second: i64 = match unit {
        TimeUnit::Second => 1,
        TimeUnit::Millisecond => 1_000,
        TimeUnit::Microsecond => 1_000_000,
        TimeUnit::Nanosecond => 1_000_000_000,
    };
    let zoned = DataType::Timestamp(unit, Some(zone::UTC.into()));
    let units = cast(&cast(array, &zoned)?, &DataType::Int64)?;
    let units = units.as_primitive::<arrow::datatypes::Int64Type>();
    let there = units.iter().map(|units| {
        let units = units?;
        let time = DateTime::from_timestamp_secs(units.div_euclid(per_second))?;
        let ahead = zone.offset_from_utc_datetime(&time.naive_utc()).fix();
        units.checked_add(i64::from(ahead.local_minus_utc()) * per_second)
    });
    let there: ArrayRef = Arc::new(there.collect::<arrow::array::Int64Array>());
    Ok(cast(&there, &DataType::Timestamp(unit, None))?)
}

/// `instant_of(date or timestamp)`: when the clocks of the session's zone show this; the nearest that can be kept.
pub(crate) fn instant_of() -> Own {
    Own::new(
        "instant_of",
        (1, 1),
        |kinds, _| {
            Ok(match kinds {
                [DataType::Timestamp(unit, _)] => {
                    DataType::Timestamp(*unit, Some(zone::UTC.into()))
                }
                _ => DataType::Timestamp(TimeUnit::Nanosecond, Some(zone::UTC.into())),
            })
        },
        |called| {
            instant(
                &called.arrays[0],
                zone::zone_name(&called.options),
                &called.kind,
            )
        },
    )
}

/// `clock_of(date)`: midnight of a date as a time without a zone; the nearest that can be kept.
pub(crate) fn clock_of() -> Own {
    Own::new(
        "clock_of",
        (1, 1),
        |_, _| Ok(DataType::Timestamp(TimeUnit::Nanosecond, None)),
        |called| {
            let instants = DataType::Timestamp(TimeUnit::Nanosecond, Some(zone::UTC.into()));
            let midnights = instant(&called.arrays[0], "UTC", &instants)?;
            Ok(cast(&midnights, &called.kind)?)
        },
    )
}

/// When the clocks of a place show what an array says.
pub(crate) fn instant(array: &ArrayRef, place: &str, kind: &DataType) -> Result<ArrayRef> {
    let place_zone = zone::named(place).ok_or_else(|| no_zone(place))?;
    if let Some(days) = array.as_primitive_opt::<Date32Type>() {
        let nanos = days.iter().map(|day| {
            let day = i64::from(day?);
            let midnight = DateTime::from_timestamp_secs(day * 86_400)?.naive_utc();
            times::nanos(Read::Local(midnight), place_zone)
        });
        let nanos: TimestampNanosecondArray = nanos.collect();
        return Ok(Arc::new(nanos.with_timezone(zone::UTC)));
    }
    let DataType::Timestamp(unit, _) = kind else {
        return plan_err!("{kind} is no time");
    };
    let unit = *unit;
    let naive = cast(array, &DataType::Timestamp(unit, None))?;
    let micros = cast(&naive, &DataType::Timestamp(TimeUnit::Microsecond, None))?;
    let micros = micros.as_primitive::<TimestampMicrosecondType>();
    let there = micros.iter().map(|one| {
        let local = DateTime::from_timestamp_micros(one?)?.naive_utc();
        times::micros(Read::Local(local), place_zone)
    });
    let there: TimestampMicrosecondArray = there.collect();
    let there = there.with_timezone(zone::UTC);
    Ok(cast(&there, kind)?)
}

pub(crate) fn no_zone(name: &str) -> datafusion::common::DataFusionError {
    let problem = Diagnostic::new("R0402", format!("time zone `{name}` is not known"));
    crate::Error::from(problem).into()
}

/// `as_text(value)`: a value as PostgreSQL writes it.
pub(crate) fn as_text() -> Own {
    Own::new(
        "as_text",
        (1, 1),
        |_, _| Ok(DataType::Utf8),
        |called| texts(&called.arrays[0], zone::look(&called.options)),
    )
}

/// Values as PostgreSQL writes them.
pub(crate) fn texts(array: &ArrayRef, look: Look<'_>) -> Result<ArrayRef> {
    let mut made = StringBuilder::new();
    match array.data_type() {
        DataType::Timestamp(_, zoned) => {
            let zoned = zoned.is_some();
            let place = zone::named(look.zone).ok_or_else(|| no_zone(look.zone))?;
            let micros = cast(
                array,
                &DataType::Timestamp(TimeUnit::Microsecond, array_zone(array)),
            )?;
            for micros in micros.as_primitive::<TimestampMicrosecondType>() {
                let time = micros.and_then(DateTime::from_timestamp_micros);
                made.append_option(time.map(|time| match zoned {
                    false => clock(time.naive_utc()),
                    true => {
                        let there = place.from_utc_datetime(&time.naive_utc());
                        let ahead = there.offset().fix().local_minus_utc();
                        era(clock(there.naive_local()), &offset(ahead))
                    }
                }));
            }
        }
        DataType::Float64 => {
            for value in array.as_primitive::<Float64Type>() {
                made.append_option(
                    value.map(|value| float(value, format!("{value}"), format!("{value:e}"))),
                );
            }
        }
        DataType::Float32 => {
            for value in array.as_primitive::<Float32Type>() {
                made.append_option(value.map(|value| {
                    float(f64::from(value), format!("{value}"), format!("{value:e}"))
                }));
            }
        }
        DataType::Interval(_) | DataType::Duration(_) => {
            for span in spans::spans(array)? {
                made.append_option(span.map(|span| look.intervals.text(span)));
            }
        }
        _ => return Ok(cast(array, &DataType::Utf8)?),
    }
    Ok(Arc::new(made.finish()))
}

fn array_zone(array: &ArrayRef) -> Option<Arc<str>> {
    match array.data_type() {
        DataType::Timestamp(_, zone) => zone.clone(),
        _ => None,
    }
}

/// `2020-01-01 00:00:00.5`, with `BC` behind it where it belongs.
fn clock(time: NaiveDateTime) -> String {
    let year = time.year();
    let (shown, era) = if year > 0 {
        (year, "")
    } else {
        (1 - year, " BC")
    };
    let mut text = format!(
        "{shown:04}-{:02}-{:02} {}",
        time.month(),
        time.day(),
        time.format("%H:%M:%S")
    );
    let micros = time.nanosecond() / 1000;
    if micros > 0 {
        let _ = write!(text, ".{}", format!("{micros:06}").trim_end_matches('0'));
    }
    text + era
}

fn era(clock: String, offset: &str) -> String {
    match clock.strip_suffix(" BC") {
        Some(rest) => format!("{rest}{offset} BC"),
        None => clock + offset,
    }
}

/// `+02`, `-03:30`.
pub(crate) fn offset(ahead: i32) -> String {
    let sign = if ahead < 0 { '-' } else { '+' };
    let ahead = ahead.abs();
    let (hours, minutes, seconds) = (ahead / 3600, ahead / 60 % 60, ahead % 60);
    match (minutes, seconds) {
        (0, 0) => format!("{sign}{hours:02}"),
        (_, 0) => format!("{sign}{hours:02}:{minutes:02}"),
        _ => format!("{sign}{hours:02}:{minutes:02}:{seconds:02}"),
    }
}

/// A float by its shortest digits; with an exponent where it is very large or small.
fn float(value: f64, plain: String, exponential: String) -> String {
    if value.is_nan() {
        return "NaN".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "Infinity" } else { "-Infinity" }.to_owned();
    }
    let size = value.abs();
    if value == 0.0 || (1e-4..1e15).contains(&size) {
        return plain;
    }
    match exponential.split_once('e') {
        Some((digits, exponent)) => {
            let (sign, exponent) = match exponent.strip_prefix('-') {
                Some(exponent) => ('-', exponent),
                None => ('+', exponent),
            };
            format!("{digits}e{sign}{exponent:0>2}")
        }
        None => plain,
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use arrow::array::Float64Array;

    use super::*;
    use crate::functions::interval_styles::IntervalStyle;

    #[test]
    fn values_are_written_as_postgresql_writes_them() {
        let time = TimestampNanosecondArray::from(vec![1_577_836_800_500_000_000]);
        let time: ArrayRef = Arc::new(time.with_timezone(zone::UTC));
        let shown = |array: &ArrayRef, zone| {
            let intervals = IntervalStyle::default();
            let texts = texts(array, Look { zone, intervals }).unwrap();
            texts
                .as_string::<i32>()
                .iter()
                .flatten()
                .map(str::to_owned)
                .collect::<Vec<_>>()
        };
        assert_eq!(shown(&time, "UTC"), ["2020-01-01 00:00:00.5+00"]);
        assert_eq!(shown(&time, "Europe/Berlin"), ["2020-01-01 01:00:00.5+01"]);
        assert_eq!(
            shown(&time, "Asia/Kolkata"),
            ["2020-01-01 05:30:00.5+05:30"]
        );
        let numbers = vec![1.0, 0.1, 1e15, 1e14, -1.5e-7, f64::NAN, f64::NEG_INFINITY];
        let numbers: ArrayRef = Arc::new(Float64Array::from(numbers));
        assert_eq!(
            shown(&numbers, "UTC"),
            [
                "1",
                "0.1",
                "1e+15",
                "100000000000000",
                "-1.5e-07",
                "NaN",
                "-Infinity"
            ]
        );
        assert_eq!(
            without_zone("2020-01-01 00:00:00+02"),
            "2020-01-01 00:00:00"
        );
        assert_eq!(without_zone("2020-01-01T01:02Z"), "2020-01-01T01:02");
    }
}
