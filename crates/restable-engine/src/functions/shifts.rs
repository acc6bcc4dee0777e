//! Times that are moved by intervals, rounded to digits, or counted in seconds since 1970, as PostgreSQL does it: a day after noon is
//! noon, whatever the clocks of the session's zone do in between; what has too many digits is rounded, not cut.

use arrow::array::{Array, ArrayRef, AsArray, Int64Array, TimestampNanosecondArray};
use arrow::compute::cast;
use arrow::datatypes::{
    DataType, Decimal128Type, Float64Type, Int64Type, Time64NanosecondType, TimeUnit,
    TimestampNanosecondType,
};
use chrono::{DateTime, Days, Months, NaiveDateTime};
use datafusion::common::{Result, plan_err};
use restable_sql::Diagnostic;

use super::own::{Called, Own};
use super::spans::{self, DAY, Span};
use super::{clocks, times};
use crate::zone;

/// The functions that syntax trees name.
pub(crate) fn all() -> Vec<Own> {
    vec![
        Own::new(
            "rounded_time",
            (2, 2),
            |kinds, _| match &kinds[0] {
                kind @ (DataType::Timestamp(..) | DataType::Time64(_)) => Ok(kind.clone()),
                other => plan_err!("{other} is no time"),
            },
            rounded,
        ),
        Own::new("pg_epoch_time", (1, 1), |_, _| Ok(instants()), since_epoch),
    ]
}

fn instants() -> DataType {
    DataType::Timestamp(TimeUnit::Nanosecond, Some(zone::UTC.into()))
}

fn out_of_range() -> datafusion::common::DataFusionError {
    crate::Error::from(Diagnostic::new("R0209", "timestamp out of range")).into()
}

/// `moved(instant, interval)`: months and days are those of the session's zone.
pub(crate) fn later() -> Own {
    Own::new(
        "moved_later",
        (2, 2),
        |kinds, _| Ok(kinds[0].clone()),
        |called| moved(called, false),
    )
}

/// The same, back.
pub(crate) fn earlier() -> Own {
    Own::new(
        "moved_earlier",
        (2, 2),
        |kinds, _| Ok(kinds[0].clone()),
        |called| moved(called, true),
    )
}

fn moved(called: &Called, back: bool) -> Result<ArrayRef> {
    let place = zone::zone(&called.options);
    let times = cast(&called.arrays[0], &instants())?;
    let times = times.as_primitive::<TimestampNanosecondType>().iter();
    let all = times.zip(spans::spans(&called.arrays[1])?);
    let all = all.map(|(time, span)| {
        let (Some(time), Some(span)) = (time, span) else {
            return Ok(None);
        };
        let span = if back { span.negated() } else { span };
        let moved = shifted(
            DateTime::from_timestamp_nanos(time).naive_utc(),
            span,
            place,
        );
        let moved = moved.and_then(|moved| moved.and_utc().timestamp_nanos_opt());
        moved.map(Some).ok_or_else(out_of_range)
    });
    let all: TimestampNanosecondArray = all.collect::<Result<_>>()?;
    Ok(cast(&all.with_timezone(zone::UTC), &called.kind)?)
}

/// Months first, then days, each by the clock of the place; then the rest, by what passes.
fn shifted(
    time: NaiveDateTime,
    span: Span,
    place: arrow::array::timezone::Tz,
) -> Option<NaiveDateTime> {
    let mut time = time;
    if span.months != 0 {
        let there = times::clock_of(time, place);
        let months = Months::new(span.months.unsigned_abs());
        let there = match span.months > 0 {
            true => there.checked_add_months(months)?,
            false => there.checked_sub_months(months)?,
        };
        time = times::at_place(there, place)?;
    }
    if span.days != 0 {
        let there = times::clock_of(time, place);
        let days = Days::new(span.days.unsigned_abs());
        let there = match span.days > 0 {
            true => there.checked_add_days(days)?,
            false => there.checked_sub_days(days)?,
        };
        time = times::at_place(there, place)?;
    }
    time.checked_add_signed(chrono::TimeDelta::nanoseconds(span.nanos))
}

/// `rounded_time(time, digits)`: of two that are as near the one further from the year 2000, where PostgreSQL begins to count.
fn rounded(called: &Called) -> Result<ArrayRef> {
    /// 2000-01-01, in nanoseconds since 1970.
    const BEGIN: i64 = 946_684_800_000_000_000;
    let digits = cast(&called.arrays[1], &DataType::Int64)?;
    let digits = digits.as_primitive::<Int64Type>();
    let by = |row: usize| {
        let digits = u32::try_from(digits.value(row).clamp(0, 6)).unwrap_or(6);
        10_i64.pow(9 - digits)
    };
    let whole = |value: i64, begin: i64, by: i64| -> Option<i64> {
        let since = i128::from(value) - i128::from(begin);
        let half = i128::from(by / 2) * since.signum();
        let rounded = (since + half) / i128::from(by) * i128::from(by);
        i64::try_from(rounded + i128::from(begin)).ok()
    };
    if let DataType::Time64(_) = called.kind {
        let times = cast(&called.arrays[0], &DataType::Time64(TimeUnit::Nanosecond))?;
        let times = times.as_primitive::<Time64NanosecondType>();
        let all = (0..called.rows).map(|row| {
            let time = times.is_valid(row).then(|| times.value(row))?;
            // The last second of a day has none after it.
            whole(time, 0, by(row)).map(|time| time.min(DAY - 1))
        });
        let all: arrow::array::Time64NanosecondArray = all.collect();
        return Ok(cast(&all, &called.kind)?);
    }
    let zone = match &called.kind {
        DataType::Timestamp(_, zone) => zone.clone(),
        _ => None,
    };
    let kind = DataType::Timestamp(TimeUnit::Nanosecond, zone.clone());
    let times = cast(&called.arrays[0], &kind)?;
    let times = times.as_primitive::<TimestampNanosecondType>();
    let all = (0..called.rows).map(|row| match times.is_valid(row) {
        true => whole(times.value(row), BEGIN, by(row))
            .map(Some)
            .ok_or_else(out_of_range),
        false => Ok(None),
    });
    let all: TimestampNanosecondArray = all.collect::<Result<_>>()?;
    Ok(cast(&all.with_timezone_opt(zone), &called.kind)?)
}

/// `to_timestamp(seconds)`, to the microsecond. What is a time already is that time, and a text is read as one.
fn since_epoch(called: &Called) -> Result<ArrayRef> {
    let array = &called.arrays[0];
    let micros: Vec<Option<i128>> = match array.data_type() {
        DataType::Decimal128(_, scale) => {
            let to = i32::from(*scale) - 6;
            let by = 10_i128.pow(to.unsigned_abs());
            let all = array.as_primitive::<Decimal128Type>().iter();
            let all = all.map(|value| {
                value.map(|value| match to > 0 {
                    true => (value + by / 2 * value.signum()) / by,
                    false => value.saturating_mul(by),
                })
            });
            all.collect()
        }
        kind if kind.is_integer() => {
            let all = cast(array, &DataType::Int64)?;
            let all = all.as_primitive::<Int64Type>().iter();
            all.map(|value| value.map(|value| i128::from(value) * 1_000_000))
                .collect()
        }
        kind if kind.is_numeric() => {
            let all = cast(array, &DataType::Float64)?;
            let all = all.as_primitive::<Float64Type>().iter();
            #[expect(
                clippy::cast_possible_truncation,
                reason = "what is beyond the range saturates, and is refused below"
            )]
            let micros = |seconds: f64| match seconds.is_nan() {
                true => Err(out_of_range()),
                false => Ok((seconds * 1e6).round_ties_even() as i128),
            };
            all.map(|value| value.map(micros).transpose())
                .collect::<Result<_>>()?
        }
        DataType::Timestamp(..) | DataType::Date32 => {
            return match array.data_type() {
                DataType::Timestamp(_, Some(_)) => Ok(cast(array, &called.kind)?),
                _ => super::written::instant(array, zone::zone_name(&called.options), &called.kind),
            };
        }
        DataType::Utf8 | DataType::Utf8View | DataType::LargeUtf8 => {
            return clocks::read_texts(called, 0);
        }
        DataType::Null => vec![None; called.rows],
        other => return plan_err!("function does not exist: to_timestamp({other})"),
    };
    let nanos = micros.into_iter().map(|micros| {
        let nanos = micros.map(|micros| i64::try_from(micros.saturating_mul(1000)));
        nanos.transpose().map_err(|_| out_of_range())
    });
    let nanos: Int64Array = nanos.collect::<Result<_>>()?;
    Ok(cast(&nanos, &called.kind)?)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn days_are_those_of_the_place_and_hours_are_hours() {
        let berlin = zone::named("Europe/Berlin").unwrap();
        let time = |text: &str| NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M").unwrap();
        let span = |months, days, hours: i64| Span {
            months,
            days,
            nanos: hours * 3_600_000_000_000,
        };
        for (from, by, expected) in [
            ("2026-10-24 10:00", span(0, 1, 0), "2026-10-25 11:00"),
            ("2026-10-24 10:00", span(0, 0, 24), "2026-10-25 10:00"),
            ("2026-10-25 11:00", span(0, -1, 0), "2026-10-24 10:00"),
            ("2026-01-31 11:00", span(1, 0, 0), "2026-02-28 11:00"),
            ("2026-02-28 11:00", span(2, 0, 1), "2026-04-28 11:00"),
            // The clocks skip the hour in which it would be.
            ("2026-03-28 01:30", span(0, 1, 0), "2026-03-29 01:30"),
        ] {
            let moved = shifted(time(from), by, berlin);
            assert_eq!(moved, Some(time(expected)), "{from}");
        }
    }
}
