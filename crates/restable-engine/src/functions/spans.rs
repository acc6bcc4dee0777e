//! Intervals as PostgreSQL takes them: for comparison a month has 30 days and a day 24 hours; the difference of two times has days
//! and hours.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Decimal128Array};
use arrow::compute::cast;
use arrow::datatypes::{
    DataType, DurationNanosecondType, IntervalMonthDayNanoType, IntervalUnit, TimeUnit,
};
use datafusion::common::{Result, ScalarValue, exec_err};

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

    /// What it is compared by.
    fn order(self) -> i128 {
        (i128::from(self.months) * 30 + i128::from(self.days)) * i128::from(DAY)
            + i128::from(self.nanos)
    }

    /// As PostgreSQL writes it.
    pub(crate) fn text(self) -> String {
        let mut parts = Vec::new();
        let mut part = |number: i64, word: &str| {
            if number != 0 {
                let plural = if number == 1 { "" } else { "s" };
                parts.push(format!("{number} {word}{plural}"));
            }
        };
        part(i64::from(self.months / 12), "year");
        part(i64::from(self.months % 12), "mon");
        part(self.days, "day");
        if self.nanos != 0 || parts.is_empty() {
            // What goes forward says so behind what goes back.
            let back = self.days < 0 || (self.days == 0 && self.months < 0);
            let sign = match (self.nanos < 0, back) {
                (true, _) => "-",
                (false, true) => "+",
                (false, false) => "",
            };
            let micros = self.nanos.unsigned_abs() / 1000;
            let (seconds, rest) = (micros / 1_000_000, micros % 1_000_000);
            let fraction = match rest {
                0 => String::new(),
                rest => format!(".{rest:06}").trim_end_matches('0').to_owned(),
            };
            let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
            parts.push(format!(
                "{sign}{hours:02}:{minutes:02}:{seconds:02}{fraction}"
            ));
        }
        parts.join(" ")
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
        DataType::Interval(_)
        | DataType::Utf8
        | DataType::Utf8View
        | DataType::LargeUtf8
        | DataType::Null => {
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

    #[test]
    fn spans_are_written_and_compared_as_in_postgresql() {
        let hour = 3_600_000_000_000;
        let span = |months, days, nanos| Span {
            months,
            days,
            nanos,
        };
        assert_eq!(span(14, -3, hour).text(), "1 year 2 mons -3 days +01:00:00");
        assert_eq!(span(0, 0, -hour / 2).text(), "-00:30:00");
        assert_eq!(span(0, 0, 1_500_000_000).text(), "00:00:01.5");
        assert_eq!(span(0, 0, 0).text(), "00:00:00");
        assert_eq!(Span::of_nanos(30 * hour).text(), "1 day 06:00:00");
        assert!(span(0, 0, 30 * hour).order() > span(0, 1, 0).order());
        assert_eq!(span(1, 0, 0).order(), span(0, 30, 0).order());
    }
}
