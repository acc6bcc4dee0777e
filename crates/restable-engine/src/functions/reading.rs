//! `to_timestamp` and `to_date`: what a text says by a pattern of PostgreSQL's. Its fields may come in any order; what is not said is the
//! first of its kind.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Date32Array, StringArray, TimestampMicrosecondArray};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use chrono::{Datelike as _, NaiveDate, NaiveDateTime};
use datafusion::common::{DataFusionError, Result};
use restable_sql::Diagnostic;

use super::own::{Called, Own};
use super::patterns::{DAYS, MONTHS, Part, parts};
use super::times;
use super::written::instant;
use crate::zone;

/// What a text says by a pattern.
#[derive(Debug, Default)]
struct Fields {
    year: Option<i64>,
    month: Option<u32>,
    day: Option<u32>,
    ordinal: Option<u32>,
    hour: u32,
    half: Option<bool>,
    minute: u32,
    second: u32,
    of_day: Option<u32>,
    micros: u32,
    ahead: Option<i32>,
    iso: Option<i64>,
    week: Option<u32>,
    weekday: Option<u32>,
    before_christ: bool,
}

/// `to_number('1,234.56', '9,999.99')`: so many digits behind the point as the pattern has places for, and at most as many before it.
pub(crate) fn number() -> Own {
    Own::new(
        "to_number",
        (2, 2),
        |_, constants| {
            let pattern = constants.get(1).copied().flatten();
            let pattern = pattern.and_then(|one| one.try_as_str().flatten());
            // Another pattern for each row has as many as a cast leaves.
            let places = pattern.map_or(10, |pattern| places(pattern).1);
            Ok(DataType::Decimal128(
                38,
                i8::try_from(places).unwrap_or(30).min(30),
            ))
        },
        |called| {
            let texts = cast(&called.arrays[0], &DataType::Utf8)?;
            let patterns = cast(&called.arrays[1], &DataType::Utf8)?;
            let pairs = texts
                .as_string::<i32>()
                .iter()
                .zip(patterns.as_string::<i32>());
            let numbers = pairs.map(|(text, pattern)| {
                let (Some(text), Some(pattern)) = (text, pattern) else {
                    return Ok(None);
                };
                digits_of(text, pattern).map(Some).ok_or_else(|| {
                    let problem = format!("invalid input syntax for type numeric: `{text}`");
                    DataFusionError::from(crate::Error::from(Diagnostic::new("R0208", problem)))
                })
            });
            let numbers: ArrayRef = Arc::new(numbers.collect::<Result<StringArray>>()?);
            Ok(cast(&numbers, &called.kind)?)
        },
    )
}

/// The places of digits that a pattern has before its point and behind it.
fn places(pattern: &str) -> (usize, usize) {
    let upper = pattern.to_ascii_uppercase();
    let (whole, fraction) = upper.split_once(['.', 'D']).unwrap_or((&upper, ""));
    let count = |text: &str| {
        text.bytes()
            .filter(|one| matches!(one, b'0' | b'9'))
            .count()
    };
    (count(whole), count(fraction))
}

/// The digits that a text has where a pattern has places for them, with the sign that is said anywhere.
fn digits_of(text: &str, pattern: &str) -> Option<String> {
    let (before, after) = places(pattern);
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = |text: &str, most: usize| -> String {
        let digits = text.chars().filter(char::is_ascii_digit);
        digits.take(most).collect()
    };
    let (whole, fraction) = (digits(whole, before), digits(fraction, after));
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let negative = text.contains('-') || text.trim().starts_with('<');
    let sign = if negative { "-" } else { "" };
    Some(format!("{sign}{whole:0>1}.{fraction:0<1}"))
}

/// The times of texts, as the second argument says.
pub(crate) fn parsed(called: &Called) -> Result<ArrayRef> {
    let texts = cast(&called.arrays[0], &DataType::Utf8)?;
    let patterns = cast(&called.arrays[1], &DataType::Utf8)?;
    let (texts, patterns) = (texts.as_string::<i32>(), patterns.as_string::<i32>());
    let mut clocks = Vec::with_capacity(called.rows);
    let mut aheads = Vec::with_capacity(called.rows);
    for (text, pattern) in texts.iter().zip(patterns) {
        let (Some(text), Some(pattern)) = (text, pattern) else {
            clocks.push(None);
            aheads.push(None);
            continue;
        };
        let (clock, ahead) = read(text, pattern).ok_or_else(|| {
            let problem = format!("`{text}` is no time by the pattern `{pattern}`");
            crate::Error::from(Diagnostic::new("R0208", problem))
        })?;
        clocks.push(Some(clock));
        aheads.push(ahead);
    }
    if called.kind == DataType::Date32 {
        let days = clocks
            .into_iter()
            .map(|clock| Some(clock?.date().num_days_from_ce() - 719_163));
        return Ok(Arc::new(days.collect::<Date32Array>()));
    }
    let session = zone::zone(&called.options);
    let micros = clocks.into_iter().zip(aheads).map(|(clock, ahead)| {
        let clock = clock?;
        let utc = match ahead {
            Some(ahead) => {
                clock.checked_sub_signed(chrono::TimeDelta::seconds(i64::from(ahead)))?
            }
            None => times::at_place(clock, session)?,
        };
        Some(utc.and_utc().timestamp_micros())
    });
    let micros: TimestampMicrosecondArray = micros.collect();
    let micros: ArrayRef = Arc::new(micros);
    instant(&micros, "UTC", &called.kind)
}

fn read(text: &str, pattern: &str) -> Option<(NaiveDateTime, Option<i32>)> {
    let mut fields = Fields::default();
    let mut rest = text.trim_start();
    let parts = parts(pattern);
    for (at, part) in parts.iter().enumerate() {
        match part {
            Part::Text(between) => {
                for letter in between.chars() {
                    if letter.is_alphanumeric() {
                        let mut letters = rest.chars();
                        letters.next();
                        rest = letters.as_str();
                    } else {
                        // A sign of a number is its own where the pattern has a blank.
                        let trimmed = rest.trim_start();
                        let mut letters = trimmed.chars();
                        rest = match letters.next() {
                            Some(next)
                                if !next.is_alphanumeric()
                                    && (next != '-' || letter == '-')
                                    && next != '+' =>
                            {
                                letters.as_str()
                            }
                            _ => trimmed,
                        };
                    }
                }
            }
            Part::Field { name, .. } => {
                // What stands against the next field has a fixed width.
                let tight = matches!(parts.get(at + 1), Some(Part::Field { .. }));
                rest = fields.read(name, rest.trim_start(), tight)?;
            }
        }
    }
    fields.clock()
}

impl Fields {
    fn read<'t>(&mut self, name: &str, text: &'t str, tight: bool) -> Option<&'t str> {
        let number = |most: usize| -> Option<(u32, &'t str)> {
            let digits = text
                .bytes()
                .take(most)
                .take_while(u8::is_ascii_digit)
                .count();
            let (digits, rest) = text.split_at(digits);
            Some((digits.parse().ok()?, rest))
        };
        let named = |all: &[&str], short: bool| -> Option<(u32, &'t str)> {
            all.iter().zip(1..).find_map(|(one, at)| {
                let long = text
                    .get(..one.len())
                    .filter(|head| head.eq_ignore_ascii_case(one));
                let long = long.filter(|_| !short);
                let head = long.or_else(|| {
                    text.get(..3)
                        .filter(|head| head.eq_ignore_ascii_case(&one[..3]))
                })?;
                Some((at, &text[head.len()..]))
            })
        };
        Some(match name {
            "YYYY" | "IYYY" => {
                let (year, rest) = number(if tight { 4 } else { 6 })?;
                *if name == "YYYY" {
                    &mut self.year
                } else {
                    &mut self.iso
                } = Some(i64::from(year));
                rest
            }
            "Y,YYY" => {
                let (thousands, rest) = number(3)?;
                let rest = rest.strip_prefix(',')?;
                let digits = rest.get(..3)?;
                self.year = Some(i64::from(thousands * 1000) + digits.parse::<i64>().ok()?);
                &rest[3..]
            }
            "YYY" | "YY" | "Y" => {
                let (year, rest) = number(name.len())?;
                let century = if year < 70 { 2000 } else { 1900 };
                self.year = Some(i64::from(if year < 100 {
                    year + century
                } else {
                    year + 1000
                }));
                rest
            }
            "MM" => {
                let (month, rest) = number(2)?;
                self.month = Some(month);
                rest
            }
            "MONTH" | "MON" => {
                let (month, rest) = named(&MONTHS, name == "MON")?;
                self.month = Some(month);
                rest
            }
            "DAY" | "DY" => named(&DAYS, name == "DY")?.1,
            "DD" => {
                let (day, rest) = number(2)?;
                self.day = Some(day);
                rest
            }
            "DDD" => {
                let (day, rest) = number(3)?;
                self.ordinal = Some(day);
                rest
            }
            "IW" => {
                let (week, rest) = number(2)?;
                self.week = Some(week);
                rest
            }
            "ID" => {
                let (day, rest) = number(1)?;
                self.weekday = Some(day);
                rest
            }
            "D" | "Q" | "W" | "CC" | "WW" | "I" => number(2)?.1,
            "HH24" => {
                let (hour, rest) = number(2)?;
                self.hour = hour;
                rest
            }
            "HH12" | "HH" => {
                let (hour, rest) = number(2)?;
                self.hour = hour;
                rest
            }
            "MI" => {
                let (minute, rest) = number(2)?;
                self.minute = minute;
                rest
            }
            "SS" => {
                let (second, rest) = number(2)?;
                self.second = second;
                rest
            }
            "SSSS" | "SSSSS" => {
                let (seconds, rest) = number(5)?;
                self.of_day = Some(seconds);
                rest
            }
            "MS" | "US" | "FF1" | "FF2" | "FF3" | "FF4" | "FF5" | "FF6" => {
                let most = match name {
                    "MS" | "FF3" => 3,
                    "US" | "FF6" => 6,
                    other => other
                        .bytes()
                        .last()
                        .map_or(6, |last| usize::from(last - b'0')),
                };
                let digits = text
                    .bytes()
                    .take(most)
                    .take_while(u8::is_ascii_digit)
                    .count();
                let (digits, rest) = text.split_at(digits);
                if digits.is_empty() {
                    return None;
                }
                self.micros = format!("{digits:0<6}").parse().ok()?;
                rest
            }
            "AM" | "PM" | "A.M." | "P.M." => {
                let length = name.len();
                let half = text.get(..length)?;
                self.half = Some(half.starts_with(['p', 'P']));
                &text[length..]
            }
            "BC" | "AD" | "B.C." | "A.D." => {
                let length = name.len();
                self.before_christ = text.get(..length)?.starts_with(['b', 'B']);
                &text[length..]
            }
            "TZH" | "OF" | "TZ" => {
                let sign = if text.starts_with('-') { -1 } else { 1 };
                if text.starts_with(['Z', 'z']) {
                    self.ahead = Some(0);
                    return Some(&text[1..]);
                }
                if let Some(head) = text
                    .get(..3)
                    .filter(|head| head.eq_ignore_ascii_case("utc"))
                {
                    self.ahead = Some(0);
                    return Some(&text[head.len()..]);
                }
                let rest = text.strip_prefix(['+', '-']).unwrap_or(text);
                let digits = rest.bytes().take(2).take_while(u8::is_ascii_digit).count();
                let (hours, rest) = rest.split_at(digits);
                self.ahead = Some(sign * hours.parse::<i32>().ok()? * 3600);
                match (name, rest.strip_prefix(':')) {
                    ("OF" | "TZ", Some(minutes)) => {
                        let minutes_text = minutes.get(..2)?;
                        let minutes_of: i32 = minutes_text.parse().ok()?;
                        self.ahead = self.ahead.map(|ahead| ahead + sign * minutes_of * 60);
                        &minutes[2..]
                    }
                    _ => rest,
                }
            }
            "TZM" => {
                let (minutes, rest) = number(2)?;
                let ahead = self.ahead.unwrap_or(0);
                let sign = if ahead < 0 { -1 } else { 1 };
                self.ahead = Some(ahead + sign * i32::try_from(minutes).ok()? * 60);
                rest
            }
            "J" => {
                let (days, rest) = number(8)?;
                let date =
                    NaiveDate::from_num_days_from_ce_opt(i32::try_from(days).ok()? - 1_721_425)?;
                self.year = Some(i64::from(date.year()));
                self.month = Some(date.month());
                self.day = Some(date.day());
                rest
            }
            _ => return None,
        })
    }

    fn clock(&self) -> Option<(NaiveDateTime, Option<i32>)> {
        // Without a year PostgreSQL takes the first one before Christ.
        let year = i32::try_from(self.year.unwrap_or(0)).ok()?;
        let year = if self.before_christ { 1 - year } else { year };
        let date = match (self.iso, self.week, self.ordinal) {
            (Some(iso), week, _) => {
                let weekday = self.weekday.unwrap_or(1).checked_sub(1)?;
                let weekday = chrono::Weekday::try_from(u8::try_from(weekday).ok()?).ok()?;
                NaiveDate::from_isoywd_opt(i32::try_from(iso).ok()?, week.unwrap_or(1), weekday)?
            }
            (None, _, Some(ordinal)) => NaiveDate::from_yo_opt(year, ordinal)?,
            _ => NaiveDate::from_ymd_opt(year, self.month.unwrap_or(1), self.day.unwrap_or(1))?,
        };
        let hour = match self.half {
            Some(true) if self.hour < 12 => self.hour + 12,
            Some(false) if self.hour == 12 => 0,
            _ => self.hour,
        };
        let clock = match self.of_day {
            Some(seconds) => date.and_hms_opt(seconds / 3600, seconds / 60 % 60, seconds % 60)?,
            None => date.and_hms_micro_opt(hour, self.minute, self.second, self.micros)?,
        };
        Some((clock, self.ahead))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_by_patterns() {
        let shown = |text: &str, pattern: &str| {
            let (clock, ahead) = read(text, pattern)?;
            Some(format!("{clock} {ahead:?}"))
        };
        for (text, pattern, expected) in [
            (
                "2020-01-02 03:04:05.000006",
                "YYYY-MM-DD HH24:MI:SS.US",
                Some("2020-01-02 03:04:05.000006 None"),
            ),
            ("2020-01-02", "YYYY-MM-DD", Some("2020-01-02 00:00:00 None")),
            ("20200102", "YYYYMMDD", Some("2020-01-02 00:00:00 None")),
            (
                "05 Dec 2000",
                "DD Mon YYYY",
                Some("2000-12-05 00:00:00 None"),
            ),
            (
                "2020-01-02T03:04:05Z",
                "YYYY-MM-DD\"T\"HH24:MI:SSTZH",
                Some("2020-01-02 03:04:05 Some(0)"),
            ),
            (
                "12/31/99 11:59 pm",
                "MM/DD/YY HH12:MI am",
                Some("1999-12-31 23:59:00 None"),
            ),
            ("2020 060", "YYYY DDD", Some("2020-02-29 00:00:00 None")),
            ("2020-13-01", "YYYY-MM-DD", None),
            ("nonsense", "YYYY-MM-DD", None),
        ] {
            assert_eq!(
                shown(text, pattern).as_deref(),
                expected,
                "{text} {pattern}"
            );
        }
    }
}
