//! Functions of times that depend on where the session is: `date_trunc`, `extract`, `timezone`, `age`. A day begins when it begins in
//! the session's zone, as in PostgreSQL.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, Float64Array, Int32Array, IntervalMonthDayNanoArray,
    TimestampMicrosecondArray, UInt32Array, new_empty_array, new_null_array,
};
use arrow::compute::{cast, interleave, take};
use arrow::datatypes::{
    DataType, IntervalMonthDayNano, IntervalUnit, Time64NanosecondType, TimeUnit,
    TimestampMicrosecondType,
};
use chrono::{
    DateTime, Datelike as _, NaiveDate, NaiveDateTime, NaiveTime, Offset as _, TimeZone as _,
    Timelike as _, Utc,
};
use datafusion::common::{Result, ScalarValue, exec_err, plan_err};

use super::own::{Called, Own};
use super::spans::{self, Span};
use super::times;
use super::written::{instant, local, no_zone};
use crate::zone;

/// The functions.
pub(crate) fn all() -> Vec<Own> {
    vec![
        Own::new("pg_date_trunc", (2, 3), truncated_kind, truncate),
        Own::new("pg_date_part", (2, 2), part_kind, part),
        Own::new("timezone", (1, 2), zone_kind, at_zone),
        Own::new("pg_age", (1, 2), |_, _| Ok(INTERVAL), age),
        Own::new("make_interval", (0, 7), |_, _| Ok(INTERVAL), make_interval),
        Own::new(
            "justify_days",
            (1, 1),
            |_, _| Ok(INTERVAL),
            |called| justify(called, false, true),
        ),
        Own::new(
            "justify_hours",
            (1, 1),
            |_, _| Ok(INTERVAL),
            |called| justify(called, true, false),
        ),
        Own::new(
            "justify_interval",
            (1, 1),
            |_, _| Ok(INTERVAL),
            |called| justify(called, true, true),
        ),
    ]
}

const INTERVAL: DataType = DataType::Interval(IntervalUnit::MonthDayNano);

fn constant(values: &[Option<&ScalarValue>], at: usize) -> Option<String> {
    let text = values.get(at).copied().flatten()?;
    text.try_as_str().flatten().map(str::to_owned)
}

/// Rows by the place that an argument names, which may be another one in each row; NULL where none is named.
fn by_place(
    called: &Called,
    at: usize,
    run: fn(&Called, &str) -> Result<ArrayRef>,
) -> Result<ArrayRef> {
    let places = cast(&called.arrays[at], &DataType::Utf8)?;
    let places = places.as_string::<i32>();
    let mut rows: BTreeMap<Option<&str>, Vec<u32>> = BTreeMap::new();
    for (row, place) in (0..).zip(places) {
        rows.entry(place).or_default().push(row);
    }
    if let (1, Some((place, _))) = (rows.len(), rows.first_key_value()) {
        return match place {
            Some(place) => run(called, place),
            None => Ok(new_null_array(&called.kind, called.rows)),
        };
    }
    let mut parts = Vec::with_capacity(rows.len());
    // Of each row which part it is in, and where.
    let mut found = vec![(0, 0); called.rows];
    for (part, (place, rows)) in rows.into_iter().enumerate() {
        for (at, row) in rows.iter().enumerate() {
            found[*row as usize] = (part, at);
        }
        let rows = UInt32Array::from(rows);
        parts.push(match place {
            None => new_null_array(&called.kind, rows.len()),
            Some(place) => {
                let arrays = called.arrays.iter();
                let arrays = arrays.map(|array| take(array, &rows, None));
                let of_place = Called {
                    arrays: arrays.collect::<Result<_, _>>()?,
                    fields: called.fields.clone(),
                    rows: rows.len(),
                    kind: called.kind.clone(),
                    options: Arc::clone(&called.options),
                };
                run(&of_place, place)?
            }
        });
    }
    let parts: Vec<&dyn Array> = parts.iter().map(AsRef::as_ref).collect();
    if parts.is_empty() {
        return Ok(new_empty_array(&called.kind));
    }
    Ok(interleave(&parts, &found)?)
}

/// The times of an array as microseconds of a clock, in a zone if they have one.
fn clocks(array: &ArrayRef, place: &str) -> Result<Vec<Option<NaiveDateTime>>> {
    let plain = DataType::Timestamp(TimeUnit::Microsecond, None);
    let naive = match array.data_type() {
        DataType::Timestamp(_, Some(own)) => {
            let micros = DataType::Timestamp(TimeUnit::Microsecond, Some(Arc::clone(own)));
            local(&cast(array, &micros)?, place, &plain)?
        }
        DataType::Timestamp(_, None) | DataType::Date32 | DataType::Date64 => cast(array, &plain)?,
        other => return exec_err!("{other} is no time"),
    };
    let micros = naive.as_primitive::<TimestampMicrosecondType>();
    let time = |micros: Option<i64>| Some(DateTime::from_timestamp_micros(micros?)?.naive_utc());
    Ok(micros.iter().map(time).collect())
}

/// Clocks as an array: of instants if they are some zone's.
fn from_clocks(
    clocks: Vec<Option<NaiveDateTime>>,
    place: &str,
    kind: &DataType,
) -> Result<ArrayRef> {
    let micros = clocks
        .into_iter()
        .map(|one| Some(one?.and_utc().timestamp_micros()));
    let naive: TimestampMicrosecondArray = micros.collect();
    let naive: ArrayRef = Arc::new(naive);
    match kind {
        DataType::Timestamp(unit, Some(own)) => {
            let utc = DataType::Timestamp(*unit, Some(zone::UTC.into()));
            let times = instant(
                &cast(&naive, &DataType::Timestamp(*unit, None))?,
                place,
                &utc,
            )?;
            Ok(cast(
                &times,
                &DataType::Timestamp(*unit, Some(Arc::clone(own))),
            )?)
        }
        kind => Ok(cast(&naive, kind)?),
    }
}

fn truncated_kind(kinds: &[DataType], _: &[Option<&ScalarValue>]) -> Result<DataType> {
    Ok(match &kinds[1] {
        kind @ DataType::Timestamp(..) => kind.clone(),
        DataType::Interval(_) | DataType::Duration(_) => INTERVAL,
        // A date is midnight of the session's zone, and a text a time there.
        DataType::Date32
        | DataType::Date64
        | DataType::Utf8
        | DataType::Utf8View
        | DataType::Null => DataType::Timestamp(TimeUnit::Nanosecond, Some(zone::UTC.into())),
        other => return plan_err!("function does not exist: date_trunc(text, {other})"),
    })
}

fn truncate(called: &Called) -> Result<ArrayRef> {
    if called.kind == INTERVAL {
        return truncate_spans(called);
    }
    match called.arrays.len() {
        3 => by_place(called, 2, truncate_there),
        _ => truncate_there(called, zone::zone_name(&called.options)),
    }
}

fn truncate_there(called: &Called, place: &str) -> Result<ArrayRef> {
    let place = posix(place);
    if zone::named(&place).is_none() {
        return Err(no_zone(&place));
    }
    let times = match called.arrays[1].data_type() {
        DataType::Timestamp(..) => Arc::clone(&called.arrays[1]),
        DataType::Date32 | DataType::Date64 => {
            let dates = cast(&called.arrays[1], &DataType::Date32)?;
            instant(&dates, &place, &called.kind)?
        }
        _ => read_texts(called, 1)?,
    };
    let fields = cast(&called.arrays[0], &DataType::Utf8)?;
    let fields = fields.as_string::<i32>();
    let mut made = Vec::with_capacity(called.rows);
    for (row, time) in clocks(&times, &place)?.into_iter().enumerate() {
        made.push(match (time, fields.is_valid(row)) {
            (Some(time), true) => Some(cut(time, fields.value(row))?),
            _ => None,
        });
    }
    from_clocks(made, &place, &called.kind)
}

pub(super) fn read_texts(called: &Called, at: usize) -> Result<ArrayRef> {
    let kind = DataType::Timestamp(TimeUnit::Nanosecond, Some(zone::UTC.into()));
    let read = super::written::read_time();
    (read.run)(&Called {
        arrays: vec![Arc::clone(&called.arrays[at])],
        fields: vec![Arc::clone(&called.fields[at])],
        rows: called.rows,
        kind,
        options: Arc::clone(&called.options),
    })
}

/// The beginning of the field of a time.
fn cut(time: NaiveDateTime, field: &str) -> Result<NaiveDateTime> {
    let date = time.date();
    let of = |year, month| NaiveDate::from_ymd_opt(year, month, 1);
    let first = |years: i32| {
        of(
            (date.year() - i32::from(years > 10)).div_euclid(years) * years + i32::from(years > 10),
            1,
        )
    };
    let day = |date: Option<NaiveDate>| date.map(|date| date.and_time(NaiveTime::MIN));
    let clock = |hour, minute, second, nano| date.and_hms_nano_opt(hour, minute, second, nano);
    let nano = time.nanosecond();
    let cut = match field.to_ascii_lowercase().trim_end_matches('s') {
        "millennium" | "millennia" => day(first(1000)),
        "century" | "centurie" => day(first(100)),
        "decade" => day(first(10)),
        "year" => day(of(date.year(), 1)),
        "quarter" => day(of(date.year(), date.month0() / 3 * 3 + 1)),
        "month" => day(of(date.year(), date.month())),
        "week" => {
            let back = u64::from(date.weekday().num_days_from_monday());
            day(date.checked_sub_days(chrono::Days::new(back)))
        }
        "day" => day(Some(date)),
        "hour" => clock(time.hour(), 0, 0, 0),
        "minute" => clock(time.hour(), time.minute(), 0, 0),
        "second" => clock(time.hour(), time.minute(), time.second(), 0),
        "millisecond" => clock(
            time.hour(),
            time.minute(),
            time.second(),
            nano / 1_000_000 * 1_000_000,
        ),
        "microsecond" => clock(
            time.hour(),
            time.minute(),
            time.second(),
            nano / 1000 * 1000,
        ),
        _ => return exec_err!("unit `{field}` not recognized for type timestamp"),
    };
    match cut {
        Some(cut) => Ok(cut),
        None => exec_err!("the time is out of range"),
    }
}

fn truncate_spans(called: &Called) -> Result<ArrayRef> {
    let fields = cast(&called.arrays[0], &DataType::Utf8)?;
    let fields = fields.as_string::<i32>();
    let mut made = Vec::with_capacity(called.rows);
    for (row, span) in spans::spans(&called.arrays[1])?.into_iter().enumerate() {
        let (Some(span), true) = (span, fields.is_valid(row)) else {
            made.push(None);
            continue;
        };
        let field = fields.value(row).to_ascii_lowercase();
        let months = |by: i32| Span {
            months: span.months / by * by,
            days: 0,
            nanos: 0,
        };
        let nanos = |by: i64| Span {
            nanos: span.nanos / by * by,
            ..span
        };
        made.push(Some(match field.trim_end_matches('s') {
            "decade" => months(120),
            "year" => months(12),
            "quarter" => months(3),
            "month" => months(1),
            "day" => nanos(i64::MAX),
            "hour" => nanos(3_600_000_000_000),
            "minute" => nanos(60_000_000_000),
            "second" => nanos(1_000_000_000),
            "millisecond" => nanos(1_000_000),
            "microsecond" => nanos(1_000),
            _ => return exec_err!("unit `{field}` not supported for type interval"),
        }));
    }
    Ok(of_spans(made))
}

/// Spans as an array.
pub(crate) fn of_spans(spans: Vec<Option<Span>>) -> ArrayRef {
    let all = spans.into_iter().map(|span| {
        let span = span?;
        let days = i32::try_from(span.days).ok()?;
        Some(IntervalMonthDayNano::new(span.months, days, span.nanos))
    });
    Arc::new(all.collect::<IntervalMonthDayNanoArray>())
}

fn part_kind(kinds: &[DataType], constants: &[Option<&ScalarValue>]) -> Result<DataType> {
    if let DataType::Boolean | DataType::Int64 | DataType::Float64 = &kinds[1] {
        return plan_err!("function does not exist: date_part(text, {})", kinds[1]);
    }
    let field = constant(constants, 0).map(|field| field.to_ascii_lowercase());
    Ok(
        match field.as_deref().map(|field| field.trim_end_matches('s')) {
            Some("epoch" | "second" | "sec" | "millisecond" | "msec" | "m" | "julian") | None => {
                DataType::Float64
            }
            _ => DataType::Int32,
        },
    )
}

fn part(called: &Called) -> Result<ArrayRef> {
    let place = zone::zone_name(&called.options).to_owned();
    let fields = cast(&called.arrays[0], &DataType::Utf8)?;
    let fields = fields.as_string::<i32>();
    let subject = &called.arrays[1];
    let field = |row: usize| {
        fields
            .is_valid(row)
            .then(|| fields.value(row).to_ascii_lowercase())
    };
    let mut made: Vec<Option<f64>> = Vec::with_capacity(called.rows);
    match subject.data_type() {
        DataType::Interval(_) | DataType::Duration(_) => {
            for (row, span) in spans::spans(subject)?.into_iter().enumerate() {
                made.push(match (span, field(row)) {
                    (Some(span), Some(field)) => Some(of_span(span, &field)?),
                    _ => None,
                });
            }
        }
        DataType::Time32(_) | DataType::Time64(_) => {
            let times = cast(subject, &DataType::Time64(TimeUnit::Nanosecond))?;
            for (row, nanos) in times
                .as_primitive::<Time64NanosecondType>()
                .iter()
                .enumerate()
            {
                made.push(match (nanos, field(row)) {
                    (Some(nanos), Some(field)) => {
                        let span = Span {
                            months: 0,
                            days: 0,
                            nanos,
                        };
                        Some(of_span(span, &field)?)
                    }
                    _ => None,
                });
            }
        }
        kind => {
            let zoned = !matches!(
                kind,
                DataType::Timestamp(_, None) | DataType::Date32 | DataType::Date64
            );
            let times = match kind {
                DataType::Timestamp(..) | DataType::Date32 | DataType::Date64 => {
                    Arc::clone(subject)
                }
                _ => read_texts(called, 1)?,
            };
            let tz = zone::zone(&called.options);
            for (row, clock) in clocks(&times, &place)?.into_iter().enumerate() {
                made.push(match (clock, field(row)) {
                    (Some(clock), Some(field)) => {
                        let ahead = match zoned {
                            true => ahead(clock, tz),
                            false => 0,
                        };
                        Some(of_clock(clock, ahead, &field)?)
                    }
                    _ => None,
                });
            }
        }
    }
    #[expect(
        clippy::cast_possible_truncation,
        reason = "fields of times are small whole numbers"
    )]
    Ok(match called.kind {
        DataType::Int32 => {
            let whole: Int32Array = made
                .into_iter()
                .map(|one| one.map(|one| one as i32))
                .collect();
            Arc::new(whole)
        }
        _ => Arc::new(Float64Array::from(made)),
    })
}

/// Seconds that the clocks of a zone are ahead when they show this.
fn ahead(clock: NaiveDateTime, zone: arrow::array::timezone::Tz) -> i32 {
    let utc = times::at_place(clock, zone).unwrap_or(clock);
    let there = Utc.from_utc_datetime(&utc).with_timezone(&zone);
    there.offset().fix().local_minus_utc()
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a double has 53 bits, as in PostgreSQL"
)]
fn of_clock(time: NaiveDateTime, ahead: i32, field: &str) -> Result<f64> {
    let seconds = f64::from(time.second()) + f64::from(time.nanosecond()) / 1e9;
    let year = time.year();
    let hundreds = |size: i32| f64::from((year + size - 1).div_euclid(size));
    Ok(match field.trim_end_matches('s') {
        "epoch" => {
            let micros = time.and_utc().timestamp_micros() - i64::from(ahead) * 1_000_000;
            micros as f64 / 1e6
        }
        "millennium" | "millennia" => hundreds(1000),
        "century" | "centurie" => hundreds(100),
        "decade" => f64::from(year.div_euclid(10)),
        "year" | "y" | "yr" => f64::from(year),
        "isoyear" => f64::from(time.iso_week().year()),
        "quarter" | "qtr" => f64::from(time.month0() / 3 + 1),
        "month" | "mon" => f64::from(time.month()),
        "week" | "w" => f64::from(time.iso_week().week()),
        "day" | "d" => f64::from(time.day()),
        "dow" => f64::from(time.weekday().num_days_from_sunday()),
        "isodow" => f64::from(time.weekday().number_from_monday()),
        "doy" => f64::from(time.ordinal()),
        "julian" => {
            let days = time.date().num_days_from_ce() + 1_721_425;
            f64::from(days) + f64::from(time.num_seconds_from_midnight()) / 86_400.0
        }
        "hour" | "h" | "hr" => f64::from(time.hour()),
        "minute" | "min" => f64::from(time.minute()),
        "second" | "sec" => seconds,
        "millisecond" | "m" | "msec" => seconds * 1e3,
        "microsecond" | "u" | "usec" => (seconds * 1e6).round(),
        "timezone" => f64::from(ahead),
        "timezone_hour" => f64::from(ahead / 3600),
        "timezone_minute" => f64::from(ahead % 3600 / 60),
        _ => return exec_err!("unit `{field}` not recognized for type timestamp"),
    })
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a double has 53 bits, as in PostgreSQL"
)]
fn of_span(span: Span, field: &str) -> Result<f64> {
    let nanos = span.nanos;
    let seconds = (nanos % 60_000_000_000) as f64 / 1e9;
    Ok(match field.trim_end_matches('s') {
        "epoch" => {
            let years = f64::from(span.months / 12) * 365.25;
            let days = years + f64::from(span.months % 12) * 30.0 + span.days as f64;
            days * 86_400.0 + nanos as f64 / 1e9
        }
        "millennium" | "millennia" => f64::from(span.months / 12_000),
        "century" | "centurie" => f64::from(span.months / 1200),
        "decade" => f64::from(span.months / 120),
        "year" | "y" | "yr" => f64::from(span.months / 12),
        "quarter" | "qtr" => f64::from(span.months % 12 / 3 + 1),
        "month" | "mon" => f64::from(span.months % 12),
        "day" | "d" => span.days as f64,
        "hour" | "h" | "hr" => (nanos / 3_600_000_000_000) as f64,
        "minute" | "min" => (nanos / 60_000_000_000 % 60) as f64,
        "second" | "sec" => seconds,
        "millisecond" | "m" | "msec" => seconds * 1e3,
        "microsecond" | "u" | "usec" => (seconds * 1e6).round(),
        _ => return exec_err!("unit `{field}` not supported for type interval"),
    })
}

/// `timezone(zone, time)`, also written `time AT TIME ZONE zone`: of an instant what the clocks show there, of a clock when it shows
/// that there. `time AT LOCAL` has one argument.
fn zone_kind(kinds: &[DataType], _: &[Option<&ScalarValue>]) -> Result<DataType> {
    Ok(match kinds.last() {
        Some(DataType::Timestamp(unit, Some(_))) => DataType::Timestamp(*unit, None),
        Some(DataType::Timestamp(unit, None)) => DataType::Timestamp(*unit, Some(zone::UTC.into())),
        // A date or text is an instant of the session's zone.
        _ => DataType::Timestamp(TimeUnit::Nanosecond, None),
    })
}

fn at_zone(called: &Called) -> Result<ArrayRef> {
    match called.arrays.len() {
        2 => by_place(called, 0, there),
        _ => there(called, zone::zone_name(&called.options)),
    }
}

fn there(called: &Called, place: &str) -> Result<ArrayRef> {
    let place = posix(place);
    if zone::named(&place).is_none() {
        return Err(no_zone(&place));
    }
    let last = called.arrays.len() - 1;
    let subject = match called.arrays[last].data_type() {
        DataType::Timestamp(_, None) => {
            return instant(&called.arrays[last], &place, &called.kind);
        }
        DataType::Timestamp(_, Some(_)) => Arc::clone(&called.arrays[last]),
        DataType::Date32 => {
            let kind = DataType::Timestamp(TimeUnit::Nanosecond, Some(zone::UTC.into()));
            instant(
                &called.arrays[last],
                zone::zone_name(&called.options),
                &kind,
            )?
        }
        _ => read_texts(called, last)?,
    };
    local(&subject, &place, &called.kind)
}

/// Abbreviations that PostgreSQL knows beside the names of zones.
fn posix(place: &str) -> String {
    match &*place.to_ascii_uppercase() {
        "UTC" | "GMT" | "Z" | "ZULU" => "UTC".to_owned(),
        "CET" => "+01:00".to_owned(),
        "CEST" => "+02:00".to_owned(),
        "EST" => "-05:00".to_owned(),
        "EDT" => "-04:00".to_owned(),
        "PST" => "-08:00".to_owned(),
        "PDT" => "-07:00".to_owned(),
        _ => place.to_owned(),
    }
}

/// The difference of two times in years, months, days and hours; of one to this day.
fn age(called: &Called) -> Result<ArrayRef> {
    let place = zone::zone_name(&called.options);
    let side = |at: usize| match called.arrays[at].data_type() {
        DataType::Timestamp(..) | DataType::Date32 => clocks(&called.arrays[at], place),
        _ => clocks(&read_texts(called, at)?, place),
    };
    let (later, earlier) = match called.arrays.len() {
        1 => {
            let now = times::clock_of(Utc::now().naive_utc(), zone::zone(&called.options));
            let today = now.date().and_time(NaiveTime::MIN);
            (vec![Some(today); called.rows], side(0)?)
        }
        _ => (side(0)?, side(1)?),
    };
    let spans = later.into_iter().zip(earlier);
    let spans = spans.map(|(later, earlier)| Some(between(later?, earlier?)));
    Ok(of_spans(spans.collect()))
}

fn between(later: NaiveDateTime, earlier: NaiveDateTime) -> Span {
    if later < earlier {
        let span = between(earlier, later);
        return Span {
            months: -span.months,
            days: -span.days,
            nanos: -span.nanos,
        };
    }
    let mut months = (later.year() - earlier.year()) * 12 + later.month().cast_signed()
        - earlier.month().cast_signed();
    let mut days = i64::from(later.day()) - i64::from(earlier.day());
    let clock = |time: NaiveDateTime| {
        let whole = i64::from(time.num_seconds_from_midnight()) * 1_000_000_000;
        whole + i64::from(time.nanosecond())
    };
    let mut nanos = clock(later) - clock(earlier);
    if nanos < 0 {
        nanos += spans::DAY;
        days -= 1;
    }
    // A month that is not whole lends as many days as the earlier one has.
    if days < 0 {
        days += i64::from(earlier.date().num_days_in_month());
        months -= 1;
    }
    Span {
        months,
        days,
        nanos,
    }
}

fn make_interval(called: &Called) -> Result<ArrayRef> {
    let numbers: Vec<ArrayRef> = called
        .arrays
        .iter()
        .map(|array| cast(array, &DataType::Float64))
        .collect::<Result<_, _>>()?;
    let number = |at: usize, row: usize| match numbers.get(at) {
        Some(array) => {
            let array = array.as_primitive::<arrow::datatypes::Float64Type>();
            array.is_valid(row).then(|| array.value(row))
        }
        None => Some(0.0),
    };
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a cast of a double saturates"
    )]
    let span = |row: usize| {
        let all: Option<Vec<f64>> = (0..7).map(|at| number(at, row)).collect();
        let all = all?;
        let seconds = all[4] * 3600.0 + all[5] * 60.0 + all[6];
        Some(Span {
            months: (all[0] * 12.0 + all[1]) as i32,
            days: (all[2] * 7.0 + all[3]) as i64,
            nanos: (seconds * 1e6).round() as i64 * 1000,
        })
    };
    Ok(of_spans((0..called.rows).map(span).collect()))
}

fn justify(called: &Called, hours: bool, days: bool) -> Result<ArrayRef> {
    let spans = spans::spans(&called.arrays[0])?.into_iter().map(|span| {
        let mut span = span?;
        if hours {
            span.days += span.nanos / spans::DAY;
            span.nanos %= spans::DAY;
        }
        if days {
            span.months += i32::try_from(span.days / 30).ok()?;
            span.days %= 30;
            // All parts have one sign.
            let rest = if hours { span.nanos } else { 0 };
            if span.months > 0 && (span.days < 0 || (span.days == 0 && rest < 0)) {
                span.days += 30;
                span.months -= 1;
            } else if span.months < 0 && (span.days > 0 || (span.days == 0 && rest > 0)) {
                span.days -= 30;
                span.months += 1;
            }
        }
        if hours {
            if span.days > 0 && span.nanos < 0 {
                span.nanos += spans::DAY;
                span.days -= 1;
            } else if span.days < 0 && span.nanos > 0 {
                span.nanos -= spans::DAY;
                span.days += 1;
            }
        }
        Some(span)
    });
    Ok(of_spans(spans.collect()))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn time(text: &str) -> NaiveDateTime {
        NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S").unwrap()
    }

    #[test]
    fn times_are_cut_where_their_fields_begin() {
        for (field, expected) in [
            ("millennium", "2001-01-01 00:00:00"),
            ("century", "2001-01-01 00:00:00"),
            ("decade", "2020-01-01 00:00:00"),
            ("quarter", "2023-07-01 00:00:00"),
            ("week", "2023-08-14 00:00:00"),
            ("Hours", "2023-08-16 13:00:00"),
        ] {
            let cut = cut(time("2023-08-16 13:14:15"), field).unwrap();
            assert_eq!(cut, time(expected), "{field}");
        }
        assert!(cut(time("2023-08-16 13:14:15"), "fortnight").is_err());
    }

    #[test]
    fn ages_are_years_months_and_days() {
        let age = |later, earlier| {
            crate::functions::interval_styles::IntervalStyle::default()
                .text(between(time(later), time(earlier)))
        };
        assert_eq!(
            age("2020-03-01 00:00:00", "2019-01-31 00:00:00"),
            "1 year 1 mon 1 day"
        );
        assert_eq!(
            age("2020-03-01 00:00:00", "2019-01-15 00:00:00"),
            "1 year 1 mon 17 days"
        );
        assert_eq!(
            age("2020-01-10 06:00:00", "2020-01-01 00:00:00"),
            "9 days 06:00:00"
        );
        assert_eq!(
            age("2020-01-01 00:00:00", "2020-01-10 06:00:00"),
            "-9 days -06:00:00"
        );
    }
}
