//! Intervals as PostgreSQL takes them: for comparison a month has 30 days and a day 24 hours; the difference of two times has days
//! and hours.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Decimal128Array};
use arrow::compute::cast;
use arrow::datatypes::{
    DataType, DurationNanosecondType, IntervalMonthDayNanoType, IntervalUnit, TimeUnit,
};
use datafusion::common::{Result, ScalarValue, exec_err};

use restable_sql::Diagnostic;

use super::own::{Called, Own};

/// Nanoseconds of a day.
pub(crate) const DAY: i64 = 86_400_000_000_000;

/// A span of time: months, days, nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span {
    pub months: i32,
    pub days: i64,
    pub nanos: i64,
}

impl Span {
    /// A difference of two times: whole days, and the rest.
    pub(crate) fn of_nanos(nanos: i64) -> Span {
        Span {
            months: 0,
            days: nanos / DAY,
            nanos: nanos % DAY,
        }
    }

    /// Of parts that are not whole: what is no whole month becomes days of thirty a month, what is no whole day hours; as PostgreSQL
    /// rounds them, which hides what floats add of their own.
    #[expect(clippy::cast_possible_truncation, reason = "as PostgreSQL computes it")]
    pub(crate) fn of_parts(months: f64, days: f64, nanos: f64) -> Span {
        const SECONDS: f64 = 86_400.0;
        let rounded = |number: f64| (number * 1e6).round_ties_even() / 1e6;
        let of_months = rounded((months - months.trunc()) * 30.0);
        let rest = days - days.trunc() + of_months - of_months.trunc();
        let seconds = rounded(rest * SECONDS);
        let more = (seconds / SECONDS).trunc();
        let seconds = seconds - more * SECONDS;
        let micros = (nanos / 1e3 + seconds * 1e6).round_ties_even();
        Span {
            months: months.trunc() as i32,
            days: (days.trunc() + of_months.trunc() + more) as i64,
            nanos: micros as i64 * 1000,
        }
    }

    /// What it is compared by.
    fn order(self) -> i128 {
        (i128::from(self.months) * 30 + i128::from(self.days)) * i128::from(DAY)
            + i128::from(self.nanos)
    }

    /// As long in the other direction.
    pub(crate) fn negated(self) -> Span {
        Span {
            months: -self.months,
            days: -self.days,
            nanos: -self.nanos,
        }
    }

    /// In units that DataFusion reads.
    pub(crate) fn units(self) -> String {
        let (months, days, micros) = (self.months, self.days, self.nanos / 1000);
        format!("{months} months {days} days {micros} microseconds")
    }
}

/// The spans of an array of intervals or of differences.
pub(crate) fn spans(array: &ArrayRef) -> Result<Vec<Option<Span>>> {
    match array.data_type() {
        DataType::Duration(_) => {
            let array = cast(array, &DataType::Duration(TimeUnit::Nanosecond))?;
            let nanos = array.as_primitive::<DurationNanosecondType>();
            Ok(nanos.iter().map(|one| one.map(Span::of_nanos)).collect())
        }
        DataType::Utf8 | DataType::Utf8View | DataType::LargeUtf8 => {
            let texts = cast(array, &DataType::Utf8)?;
            let texts = texts.as_string::<i32>().iter();
            let one = |text: Option<&str>| match text {
                Some(text) => read(text).map(Some).ok_or_else(|| unreadable(text)),
                None => Ok(None),
            };
            texts.map(one).collect()
        }
        DataType::Interval(_) | DataType::Null => {
            let array = cast(array, &DataType::Interval(IntervalUnit::MonthDayNano))?;
            let all = array.as_primitive::<IntervalMonthDayNanoType>();
            let span = |one: arrow::datatypes::IntervalMonthDayNano| Span {
                months: one.months,
                days: i64::from(one.days),
                nanos: one.nanoseconds,
            };
            Ok(all.iter().map(|one| one.map(span)).collect())
        }
        other => exec_err!("{other} is no interval"),
    }
}

pub(crate) fn unreadable(text: &str) -> datafusion::common::DataFusionError {
    let problem = format!("invalid input syntax for type interval: `{text}`");
    crate::Error::from(Diagnostic::new("R0208", problem)).into()
}

/// The interval that a text says: `1 day 02:00`, `1.5 hours ago`, `1-2`, `P1DT2H`.
pub(crate) fn read(text: &str) -> Option<Span> {
    let text = text
        .trim()
        .trim_start_matches('@')
        .trim()
        .to_ascii_lowercase();
    if let Some(iso) = text.strip_prefix('p') {
        return of_iso(iso);
    }
    let (text, back) = match text.strip_suffix("ago") {
        Some(text) => (text.trim_end(), true),
        None => (&*text, false),
    };
    let mut sums = Sums::default();
    let mut words = text.split_whitespace().peekable();
    words.peek()?;
    while let Some(word) = words.next() {
        if word.contains(':') {
            sums.clock(word)?;
            continue;
        }
        let digits = word.find(|letter: char| letter.is_alphabetic());
        let (number, unit) = word.split_at(digits.unwrap_or(word.len()));
        if let Some((years, months)) = number.get(1..).and_then(|rest| rest.split_once('-')) {
            let years: f64 = format!("{}{years}", &number[..1]).parse().ok()?;
            let sign = if number.starts_with('-') { -1.0 } else { 1.0 };
            let months: f64 = months.parse().ok()?;
            sums.months += years * 12.0 + sign * months;
            continue;
        }
        let number: f64 = number.parse().ok()?;
        let unit = match unit {
            "" => match words.peek() {
                Some(next) if next.starts_with(char::is_alphabetic) => words.next()?,
                // `1 02:00` has days before its hours; a number alone is seconds.
                Some(next) if next.contains(':') => "day",
                _ => "second",
            },
            unit => unit,
        };
        sums.add(number, unit)?;
    }
    sums.span(if back { -1.0 } else { 1.0 })
}

fn of_iso(text: &str) -> Option<Span> {
    let mut sums = Sums::default();
    let (days, times) = text.split_once('t').unwrap_or((text, ""));
    if days.is_empty() && times.is_empty() {
        return None;
    }
    for (part, of_time) in [(days, false), (times, true)] {
        let mut rest = part;
        while !rest.is_empty() {
            let at = rest.find(|letter: char| letter.is_alphabetic())?;
            let number: f64 = rest[..at].parse().ok()?;
            let unit = match (&rest[at..=at], of_time) {
                ("y", false) => "year",
                ("m", false) => "month",
                ("w", false) => "week",
                ("d", false) => "day",
                ("h", true) => "hour",
                ("m", true) => "minute",
                ("s", true) => "second",
                _ => return None,
            };
            sums.add(number, unit)?;
            rest = &rest[at + 1..];
        }
    }
    sums.span(1.0)
}

/// What the parts of an interval come to.
#[derive(Default)]
struct Sums {
    months: f64,
    days: f64,
    seconds: f64,
}

impl Sums {
    fn add(&mut self, number: f64, unit: &str) -> Option<()> {
        // What is no whole month or day goes on in smaller units.
        let mut months = |months: f64| {
            self.months += months.trunc();
            self.days += (months - months.trunc()) * 30.0;
        };
        match unit {
            "millennium" | "millennia" | "mil" | "mils" => months((number * 12_000.0).round()),
            "century" | "centuries" | "cent" | "c" => months((number * 1200.0).round()),
            "decade" | "decades" | "dec" | "decs" => months((number * 120.0).round()),
            "year" | "years" | "y" | "yr" | "yrs" => months((number * 12.0).round()),
            "month" | "months" | "mon" | "mons" => months(number),
            "week" | "weeks" | "w" => self.days += number * 7.0,
            "day" | "days" | "d" => self.days += number,
            "hour" | "hours" | "h" | "hr" | "hrs" => self.seconds += number * 3600.0,
            "minute" | "minutes" | "min" | "mins" | "m" => self.seconds += number * 60.0,
            "second" | "seconds" | "sec" | "secs" | "s" => self.seconds += number,
            "millisecond" | "milliseconds" | "ms" | "msec" | "msecs" => {
                self.seconds += number / 1e3;
            }
            "microsecond" | "microseconds" | "us" | "usec" | "usecs" => {
                self.seconds += number / 1e6;
            }
            _ => return None,
        }
        Some(())
    }

    /// `[-]10:30[:15.5]`
    fn clock(&mut self, word: &str) -> Option<()> {
        let (sign, word) = match word.strip_prefix('-') {
            Some(word) => (-1.0, word),
            None => (1.0, word.strip_prefix('+').unwrap_or(word)),
        };
        let mut parts = word.split(':');
        let (hours, minutes) = (parts.next()?, parts.next()?);
        let seconds = parts.next().unwrap_or("0");
        // `10:30.5` has minutes and seconds.
        let (hours, minutes, seconds) = match minutes.contains('.') {
            true => ("0", hours, minutes),
            false => (hours, minutes, seconds),
        };
        if parts.next().is_some() {
            return None;
        }
        let hours = f64::from(hours.parse::<u32>().ok()?);
        let minutes = f64::from(minutes.parse::<u32>().ok().filter(|it| *it < 60)?);
        let seconds = seconds
            .parse::<f64>()
            .ok()
            .filter(|it| (0.0..=60.0).contains(it))?;
        self.seconds += sign * (hours * 3600.0 + minutes * 60.0 + seconds);
        Some(())
    }

    #[expect(
        clippy::cast_possible_truncation,
        reason = "within the bounds that are checked"
    )]
    fn span(&self, sign: f64) -> Option<Span> {
        let days = self.days.trunc();
        #[expect(clippy::cast_precision_loss, reason = "a day is exact")]
        let rest = (self.days - days) * DAY as f64 / 1e9;
        let micros = ((self.seconds + rest) * 1e6).round() * sign;
        let (months, days) = (self.months.round() * sign, days * sign);
        let fits = months.abs() < f64::from(i32::MAX)
            && days.abs() < f64::from(i32::MAX)
            && micros.abs() < 9.2e15;
        fits.then_some(Span {
            months: months as i32,
            days: days as i64,
            nanos: micros as i64 * 1000,
        })
    }
}

/// What an interval is compared by.
pub(crate) fn order() -> Own {
    Own::new(
        "interval_order",
        (1, 1),
        |_, _| Ok(DataType::Decimal128(38, 0)),
        |called: &Called| {
            let spans = spans(&called.arrays[0])?;
            let order: Decimal128Array = spans.iter().map(|one| one.map(Span::order)).collect();
            Ok(Arc::new(order.with_precision_and_scale(38, 0)?))
        },
    )
}

/// The longest of intervals; NULL ones do not count.
pub(crate) fn longest() -> Own {
    Own::new("interval_longest", (1, usize::MAX), an_interval, |called| {
        chosen(called, |new, old| new > old)
    })
}

/// The shortest of intervals.
pub(crate) fn shortest() -> Own {
    Own::new(
        "interval_shortest",
        (1, usize::MAX),
        an_interval,
        |called| chosen(called, |new, old| new < old),
    )
}

fn an_interval(_: &[DataType], _: &[Option<&ScalarValue>]) -> Result<DataType> {
    Ok(DataType::Interval(IntervalUnit::MonthDayNano))
}

fn chosen(called: &Called, better: fn(i128, i128) -> bool) -> Result<ArrayRef> {
    let mut best: Vec<Option<Span>> = vec![None; called.rows];
    for array in &called.arrays {
        for (best, span) in best.iter_mut().zip(spans(array)?) {
            if let Some(span) = span
                && best.is_none_or(|best| better(span.order(), best.order()))
            {
                *best = Some(span);
            }
        }
    }
    Ok(super::clocks::of_spans(best))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::functions::interval_styles::IntervalStyle;

    #[test]
    fn spans_are_written_and_compared_as_in_postgresql() {
        let hour = 3_600_000_000_000;
        let span = |months, days, nanos| Span {
            months,
            days,
            nanos,
        };
        assert_eq!(
            IntervalStyle::default().text(span(14, -3, hour)),
            "1 year 2 mons -3 days +01:00:00"
        );
        assert_eq!(
            IntervalStyle::default().text(span(0, 0, -hour / 2)),
            "-00:30:00"
        );
        assert_eq!(
            IntervalStyle::default().text(span(0, 0, 1_500_000_000)),
            "00:00:01.5"
        );
        assert_eq!(IntervalStyle::default().text(span(0, 0, 0)), "00:00:00");
        assert_eq!(
            IntervalStyle::default().text(Span::of_nanos(30 * hour)),
            "1 day 06:00:00"
        );
        let third = Span::of_parts(0.0, 1.0 / 3.0, 0.0);
        assert_eq!(third, span(0, 0, 8 * hour));
        assert_eq!(Span::of_parts(1.5, 0.0, 0.0), span(1, 15, 0));
        for (text, expected) in [
            ("01:30:00", span(0, 0, hour * 3 / 2)),
            ("24:00", span(0, 0, 24 * hour)),
            ("1 day 02:03:04", span(0, 1, 7_384_000_000_000)),
            ("1 02:00", span(0, 1, 2 * hour)),
            ("P1DT2H", span(0, 1, 2 * hour)),
            ("1-2", span(14, 0, 0)),
            ("-1-2", span(-14, 0, 0)),
            ("90", span(0, 0, 90_000_000_000)),
            ("1.5 hours", span(0, 0, hour * 3 / 2)),
            ("1.5 months", span(1, 15, 0)),
            ("1 day 2 hours ago", span(0, -1, -2 * hour)),
            (
                "1 year 2 mons 3 days 04:05:06.7",
                span(14, 3, 14_706_700_000_000),
            ),
            ("3days", span(0, 3, 0)),
            ("-00:00:00.5", span(0, 0, -500_000_000)),
        ] {
            assert_eq!(read(text), Some(expected), "{text}");
        }
        for text in ["", "x", "1 fortnight", "25:61", "p", "1 day x", "1:2:3:4"] {
            assert_eq!(read(text), None, "{text}");
        }
        assert!(span(0, 0, 30 * hour).order() > span(0, 1, 0).order());
        assert_eq!(span(1, 0, 0).order(), span(0, 30, 0).order());
    }
}
