//! `to_char`, `to_timestamp` and `to_date` with PostgreSQL's patterns (`YYYY-MM-DD HH24:MI:SS.US`). A pattern is a list of fields and
//! of text between them; what is in double quotes is text.

use std::fmt::Write as _;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, StringBuilder};
use arrow::compute::cast;
use arrow::datatypes::{DataType, TimeUnit, TimestampMicrosecondType};
use chrono::{
    DateTime, Datelike as _, NaiveDateTime, Offset as _, TimeZone as _, Timelike as _, Utc,
};
use datafusion::common::{Result, plan_err};

use super::numbers;
use super::own::{Called, Own};
use super::reading::{number, parsed};
use super::spans;
use super::written::offset;
use crate::zone;

/// The functions.
pub(crate) fn all() -> Vec<Own> {
    vec![
        Own::new(
            "pg_to_char",
            (2, 2),
            |kinds, _| match &kinds[0] {
                DataType::Utf8 | DataType::Utf8View | DataType::Boolean => {
                    plan_err!("function does not exist: to_char({}, text)", kinds[0])
                }
                _ => Ok(DataType::Utf8),
            },
            to_char,
        ),
        Own::new(
            "pg_to_timestamp",
            (2, 2),
            |_, _| {
                Ok(DataType::Timestamp(
                    TimeUnit::Nanosecond,
                    Some(zone::UTC.into()),
                ))
            },
            parsed,
        ),
        number(),
        Own::new("pg_to_date", (2, 2), |_, _| Ok(DataType::Date32), parsed),
    ]
}

pub(super) const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
pub(super) const DAYS: [&str; 7] = [
    "Sunday",
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
];

/// The fields, longer ones before those that they begin with.
const FIELDS: &[&str] = &[
    "HH24", "HH12", "HH", "MI", "SSSSS", "SSSS", "SS", "MS", "US", "FF1", "FF2", "FF3", "FF4",
    "FF5", "FF6", "A.M.", "P.M.", "AM", "PM", "B.C.", "A.D.", "BC", "AD", "Y,YYY", "YYYY", "YYY",
    "YY", "Y", "IYYY", "IYY", "IY", "IDDD", "ID", "IW", "I", "MONTH", "MON", "MM", "DAY", "DY",
    "DDD", "DD", "D", "WW", "W", "CC", "J", "Q", "RM", "TZH", "TZM", "TZ", "OF",
];

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Part {
    /// A field as it is written, whether it is to have no padding, and its ordinal ending.
    Field {
        name: &'static str,
        written: String,
        bare: bool,
        ordinal: Option<bool>,
    },
    Text(String),
}

/// The fields of a pattern, and what stands between them.
pub(super) fn parts(pattern: &str) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut rest = pattern;
    let mut bare = false;
    while let Some(first) = rest.chars().next() {
        if first == '"' {
            let text = &rest[1..];
            let end = text.find('"').unwrap_or(text.len());
            parts.push(Part::Text(text[..end].to_owned()));
            rest = text.get(end + 1..).unwrap_or_default();
            continue;
        }
        let begins = |name: &str| {
            rest.get(..name.len())
                .is_some_and(|head| head.eq_ignore_ascii_case(name))
        };
        if begins("FM") {
            bare = true;
            rest = &rest[2..];
            continue;
        }
        // Names in the words of a language have no padding.
        bare |= begins("TM");
        if begins("FX") || begins("TM") {
            rest = &rest[2..];
            continue;
        }
        if let Some(name) = FIELDS.iter().find(|name| begins(name)) {
            let written = rest[..name.len()].to_owned();
            rest = &rest[name.len()..];
            let ordinal = match rest.get(..2) {
                Some("TH") => Some(true),
                Some("th") => Some(false),
                _ => None,
            };
            if ordinal.is_some() {
                rest = &rest[2..];
            }
            parts.push(Part::Field {
                name,
                written,
                bare,
                ordinal,
            });
            bare = false;
            continue;
        }
        let length = first.len_utf8();
        match parts.last_mut() {
            Some(Part::Text(text)) => text.push(first),
            _ => parts.push(Part::Text(first.to_string())),
        }
        rest = &rest[length..];
    }
    parts
}

fn to_char(called: &Called) -> Result<ArrayRef> {
    let patterns = cast(&called.arrays[1], &DataType::Utf8)?;
    let patterns = patterns.as_string::<i32>();
    let mut made = StringBuilder::new();
    let subject = &called.arrays[0];
    let pattern = |row: usize| patterns.is_valid(row).then(|| patterns.value(row));
    match subject.data_type() {
        DataType::Timestamp(..) | DataType::Date32 | DataType::Date64 => {
            let zoned = match subject.data_type() {
                DataType::Timestamp(_, zone) => zone.clone(),
                _ => None,
            };
            let kind = DataType::Timestamp(TimeUnit::Microsecond, zoned.clone());
            let micros = cast(subject, &kind)?;
            let place = zone::zone(&called.options);
            let named = zone::zone_name(&called.options);
            for (row, micros) in micros
                .as_primitive::<TimestampMicrosecondType>()
                .iter()
                .enumerate()
            {
                let time = micros.and_then(DateTime::from_timestamp_micros);
                let (Some(time), Some(pattern)) = (time, pattern(row)) else {
                    made.append_null();
                    continue;
                };
                let time = time.naive_utc();
                let shown = match zoned {
                    None => Shown {
                        time,
                        ahead: None,
                        zone: String::new(),
                    },
                    Some(_) => {
                        let there = Utc.from_utc_datetime(&time).with_timezone(&place);
                        let ahead = there.offset().fix().local_minus_utc();
                        let zone = match named {
                            "UTC" => named.to_owned(),
                            _ => there.offset().to_string(),
                        };
                        Shown {
                            time: there.naive_local(),
                            ahead: Some(ahead),
                            zone,
                        }
                    }
                };
                made.append_value(shown.by(pattern));
            }
        }
        DataType::Interval(_) | DataType::Duration(_) => {
            for (row, span) in spans::spans(subject)?.into_iter().enumerate() {
                let (Some(span), Some(pattern)) = (span, pattern(row)) else {
                    made.append_null();
                    continue;
                };
                made.append_value(span_by(span, pattern));
            }
        }
        _ => {
            let texts = super::written::texts(subject, zone::look(&called.options))?;
            let texts = texts.as_string::<i32>();
            for row in 0..called.rows {
                let (true, Some(pattern)) = (texts.is_valid(row), pattern(row)) else {
                    made.append_null();
                    continue;
                };
                numbers::check(pattern)?;
                made.append_value(numbers::by_pattern(texts.value(row), pattern));
            }
        }
    }
    Ok(Arc::new(made.finish()))
}

struct Shown {
    time: NaiveDateTime,
    /// Seconds that the clock is ahead, if it is some place's.
    ahead: Option<i32>,
    zone: String,
}

impl Shown {
    fn by(&self, pattern: &str) -> String {
        let mut made = String::new();
        for part in parts(pattern) {
            match part {
                Part::Text(text) => made.push_str(&text),
                Part::Field {
                    name,
                    written,
                    bare,
                    ordinal,
                } => {
                    let mut text = self.field(name, &written, bare);
                    if let Some(upper) = ordinal {
                        let ending = ending(&text);
                        text.push_str(&if upper {
                            ending.to_uppercase()
                        } else {
                            ending.to_owned()
                        });
                    }
                    made.push_str(&text);
                }
            }
        }
        made
    }

    fn field(&self, name: &str, written: &str, bare: bool) -> String {
        let time = self.time;
        let number = |value: i64, width: usize| match bare {
            true => value.to_string(),
            false => format!("{value:0width$}"),
        };
        let word = |word: &str, width: usize| {
            let cased = cased(word, written);
            match bare {
                true => cased,
                false => format!("{cased:<width$}"),
            }
        };
        let micros = time.nanosecond() / 1000 % 1_000_000;
        let hour12 = i64::from((time.hour() + 11) % 12 + 1);
        let year = i64::from(time.year());
        let shown_year = if year > 0 { year } else { 1 - year };
        let iso = i64::from(time.iso_week().year());
        let last = |value: i64, digits: u32| value.rem_euclid(10_i64.pow(digits));
        let ahead = self.ahead.unwrap_or(0);
        match name {
            "HH24" => number(i64::from(time.hour()), 2),
            "HH12" | "HH" => number(hour12, 2),
            "MI" => number(i64::from(time.minute()), 2),
            "SS" => number(i64::from(time.second()), 2),
            "SSSSS" | "SSSS" => time.num_seconds_from_midnight().to_string(),
            "MS" | "FF3" => number(i64::from(micros / 1000), 3),
            "US" | "FF6" => number(i64::from(micros), 6),
            "FF1" => number(i64::from(micros / 100_000), 1),
            "FF2" => number(i64::from(micros / 10_000), 2),
            "FF4" => number(i64::from(micros / 100), 4),
            "FF5" => number(i64::from(micros / 10), 5),
            "AM" | "PM" => cased(if time.hour() < 12 { "AM" } else { "PM" }, written),
            "A.M." | "P.M." => cased(if time.hour() < 12 { "A.M." } else { "P.M." }, written),
            "BC" | "AD" => cased(if year > 0 { "AD" } else { "BC" }, written),
            "B.C." | "A.D." => cased(if year > 0 { "A.D." } else { "B.C." }, written),
            "Y,YYY" => format!("{},{:03}", shown_year / 1000, shown_year % 1000),
            "YYYY" => number(shown_year, 4),
            "YYY" => number(last(shown_year, 3), 3),
            "YY" => number(last(shown_year, 2), 2),
            "Y" => last(shown_year, 1).to_string(),
            "IYYY" => number(iso, 4),
            "IYY" => number(last(iso, 3), 3),
            "IY" => number(last(iso, 2), 2),
            "I" => last(iso, 1).to_string(),
            "MONTH" => word(MONTHS[time.month0() as usize], 9),
            "MON" => cased(&MONTHS[time.month0() as usize][..3], written),
            "MM" => number(i64::from(time.month()), 2),
            "RM" => {
                const ROMAN: [&str; 12] = [
                    "I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX", "X", "XI", "XII",
                ];
                let roman = ROMAN[time.month0() as usize];
                let roman = if written == "rm" {
                    roman.to_lowercase()
                } else {
                    roman.to_owned()
                };
                if bare { roman } else { format!("{roman:<4}") }
            }
            "DAY" => word(DAYS[time.weekday().num_days_from_sunday() as usize], 9),
            "DY" => cased(
                &DAYS[time.weekday().num_days_from_sunday() as usize][..3],
                written,
            ),
            "DDD" => number(i64::from(time.ordinal()), 3),
            "IDDD" => {
                let week = i64::from(time.iso_week().week()) - 1;
                number(week * 7 + i64::from(time.weekday().number_from_monday()), 3)
            }
            "DD" => number(i64::from(time.day()), 2),
            "D" => (time.weekday().num_days_from_sunday() + 1).to_string(),
            "ID" => time.weekday().number_from_monday().to_string(),
            "WW" => number(i64::from(time.ordinal0() / 7 + 1), 2),
            "W" => (time.day0() / 7 + 1).to_string(),
            "IW" => number(i64::from(time.iso_week().week()), 2),
            "CC" => number((shown_year + 99) / 100, 2),
            "J" => (i64::from(time.date().num_days_from_ce()) + 1_721_425).to_string(),
            "Q" => (time.month0() / 3 + 1).to_string(),
            "TZ" => {
                if written == "tz" {
                    self.zone.to_lowercase()
                } else {
                    self.zone.clone()
                }
            }
            "TZH" => {
                let sign = if ahead < 0 { '-' } else { '+' };
                format!("{sign}{:02}", ahead.abs() / 3600)
            }
            "TZM" => format!("{:02}", ahead.abs() % 3600 / 60),
            "OF" => offset(ahead),
            _ => String::new(),
        }
    }
}

/// A word in the case of its field: `MONTH`, `Month`, `month`.
fn cased(word: &str, written: &str) -> String {
    let mut letters = written.chars().filter(|letter| letter.is_alphabetic());
    let first = letters.next().is_some_and(char::is_uppercase);
    let second = letters.next().is_some_and(char::is_uppercase);
    match (first, second) {
        (true, true) => word.to_uppercase(),
        (true, false) => word.to_owned(),
        (false, _) => word.to_lowercase(),
    }
}

/// `st`, `nd`, `rd`, `th`.
fn ending(number: &str) -> &'static str {
    let digits = number.trim_end().as_bytes();
    let teen = digits.len() > 1 && digits[digits.len() - 2] == b'1';
    match (teen, digits.last()) {
        (false, Some(b'1')) => "st",
        (false, Some(b'2')) => "nd",
        (false, Some(b'3')) => "rd",
        _ => "th",
    }
}

/// An interval by a pattern: its hours may be more than a day's.
fn span_by(span: spans::Span, pattern: &str) -> String {
    let micros = span.nanos / 1000;
    let seconds = micros / 1_000_000;
    let mut made = String::new();
    for part in parts(pattern) {
        match part {
            Part::Text(text) => made.push_str(&text),
            Part::Field { name, bare, .. } => {
                let (value, width) = match name {
                    "YYYY" => (i64::from(span.months / 12), 4),
                    "MM" => (i64::from(span.months % 12), 2),
                    "DD" => (span.days, 2),
                    "DDD" => (span.days + i64::from(span.months) * 30, 3),
                    "HH24" => (seconds / 3600, 2),
                    "HH12" | "HH" => ((seconds / 3600 + 11).rem_euclid(12) + 1, 2),
                    "MI" => (seconds / 60 % 60, 2),
                    "SS" => (seconds % 60, 2),
                    "SSSS" | "SSSSS" => (seconds, 1),
                    "MS" => (micros / 1000 % 1000, 3),
                    "US" => (micros % 1_000_000, 6),
                    _ => continue,
                };
                let _ = match bare {
                    true => write!(made, "{value}"),
                    false => write!(made, "{value:0width$}"),
                };
            }
        }
    }
    made
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use chrono::NaiveDate;

    use super::*;

    #[test]
    fn times_are_written_by_patterns() {
        let time = NaiveDate::from_ymd_opt(2020, 3, 4)
            .unwrap()
            .and_hms_micro_opt(15, 6, 7, 8009)
            .unwrap();
        let shown = Shown {
            time,
            ahead: Some(3600),
            zone: "CET".to_owned(),
        };
        for (pattern, expected) in [
            ("YYYY-MM-DD HH24:MI:SS", "2020-03-04 15:06:07"),
            ("YYYY-MM-DD\"T\"HH24:MI:SS.US", "2020-03-04T15:06:07.008009"),
            ("Dy, DD Mon YYYY", "Wed, 04 Mar 2020"),
            ("Day|MONTH|FMmonth", "Wednesday|MARCH    |march"),
            ("D ID Q IW WW W DDD", "4 3 1 10 10 1 064"),
            ("HH:MI am", "03:06 pm"),
            ("FMDDth", "4th"),
            ("OF TZH:TZM TZ", "+01 +01:00 CET"),
            ("MS CC J", "008 21 2458913"),
        ] {
            assert_eq!(shown.by(pattern), expected, "{pattern}");
        }
    }
}
