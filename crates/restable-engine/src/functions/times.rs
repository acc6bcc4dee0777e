//! Times as people and clients of PostgreSQL write them: without seconds, with a zone by offset or by name, `infinity`, `today`. It
//! is pure; which zone a time without one is of, and what time it is, is said by whoever asks.

use arrow::array::timezone::Tz;
use chrono::{
    DateTime, Datelike, Days, FixedOffset, LocalResult, NaiveDate, NaiveDateTime, NaiveTime,
    TimeZone, Utc,
};

use super::patterns::MONTHS;
use crate::zone;

/// What a text says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Read {
    /// A time by the clock of a place that is not said.
    Local(NaiveDateTime),
    /// A time, wherever it is.
    Instant(NaiveDateTime),
    /// Before all times.
    Before,
    /// After all times.
    After,
}

/// The time that a text says. `now` is what time it is, by the clock of the session's zone.
pub(crate) fn read(text: &str, now: NaiveDateTime) -> Option<Read> {
    let text = text.trim();
    let today = now.date().and_time(NaiveTime::MIN);
    match &*text.to_ascii_lowercase() {
        "now" => return Some(Read::Local(now)),
        "today" => return Some(Read::Local(today)),
        "tomorrow" => return today.checked_add_days(Days::new(1)).map(Read::Local),
        "yesterday" => return today.checked_sub_days(Days::new(1)).map(Read::Local),
        "epoch" => return Some(Read::Instant(DateTime::UNIX_EPOCH.naive_utc())),
        "infinity" | "+infinity" => return Some(Read::After),
        "-infinity" => return Some(Read::Before),
        _ => {}
    }
    let (text, before_christ) = match text
        .len()
        .checked_sub(3)
        .map(|at| text.split_at_checked(at))
    {
        Some(Some((rest, era))) if era.eq_ignore_ascii_case(" bc") => (rest.trim(), true),
        Some(Some((rest, era))) if era.eq_ignore_ascii_case(" ad") => (rest.trim(), false),
        _ => (text, false),
    };
    let (date, rest) = date(text, before_christ)?;
    let rest = rest.strip_prefix(['T', 't']).unwrap_or(rest);
    let (time, rest) = clock(rest.trim_start())?;
    let local = date.checked_add_signed(time)?;
    let rest = rest.trim();
    if rest.is_empty() {
        return Some(Read::Local(local));
    }
    instant(local, rest).map(Read::Instant)
}

/// Whether a text is a time at all.
pub(crate) fn is_time(text: &str) -> bool {
    read(text, DateTime::UNIX_EPOCH.naive_utc()).is_some()
}

/// The number that begins a text, of so many digits, and what follows it.
fn number(text: &str, least: usize, most: usize) -> Option<(u32, &str)> {
    let digits = text.bytes().take(most).take_while(u8::is_ascii_digit);
    let digits = digits.count();
    (digits >= least).then_some(())?;
    let (number, rest) = text.split_at(digits);
    Some((number.parse().ok()?, rest))
}

fn date(text: &str, before_christ: bool) -> Option<(NaiveDateTime, &str)> {
    let Some((year, rest)) = number(text, 4, 6) else {
        let (year, month, day, rest) = named_date(text)?;
        let year = i32::try_from(year).ok()?;
        let year = if before_christ { 1 - year } else { year };
        let date = NaiveDate::from_ymd_opt(year, month, day)?;
        return Some((date.and_time(NaiveTime::MIN), rest));
    };
    let (year, month, day, rest) = match rest.strip_prefix(['-', '/', '.']) {
        Some(rest) => {
            let (month, rest) = number(rest, 1, 2)?;
            let rest = rest.strip_prefix(['-', '/', '.'])?;
            let (day, rest) = number(rest, 1, 2)?;
            (year, month, day, rest)
        }
        // 20200131
        None => {
            let (whole, rest) = number(text, 8, 8)?;
            (whole / 10_000, whole / 100 % 100, whole % 100, rest)
        }
    };
    let year = i32::try_from(year).ok()?;
    let year = if before_christ { 1 - year } else { year };
    let date = NaiveDate::from_ymd_opt(year, month, day)?;
    Some((date.and_time(NaiveTime::MIN), rest))
}

/// `3/5/2024`, of which the month comes first as PostgreSQL has it, `Mar 5, 2024`, `5 March 2024` and `5-Mar-2024`.
fn named_date(text: &str) -> Option<(u32, u32, u32, &str)> {
    const BETWEEN: [char; 4] = ['/', '-', ' ', ','];
    let parted = |text| -> &str { str::trim_start_matches(text, BETWEEN) };
    if let Some((month, rest)) = month(text) {
        let (day, rest) = number(parted(rest), 1, 2)?;
        let (year, rest) = number(parted(rest), 4, 4)?;
        return Some((year, month, day, rest));
    }
    let (first, rest) = number(text, 1, 2)?;
    if let Some((month, rest)) = month(parted(rest)) {
        let (year, rest) = number(parted(rest), 4, 4)?;
        return Some((year, month, first, rest));
    }
    let mark = rest
        .chars()
        .next()
        .filter(|mark| matches!(mark, '/' | '-'))?;
    let (day, rest) = number(&rest[1..], 1, 2)?;
    let (year, rest) = number(rest.strip_prefix(mark)?, 4, 4)?;
    Some((year, first, day, rest))
}

/// The month whose name, or the first three letters of it, a text begins with.
fn month(text: &str) -> Option<(u32, &str)> {
    let end = text.find(|letter: char| !letter.is_ascii_alphabetic());
    let (name, rest) = text.split_at(end.unwrap_or(text.len()));
    let same = |known: &&str| {
        let short = known
            .get(..3)
            .is_some_and(|short| short.eq_ignore_ascii_case(name));
        short || known.eq_ignore_ascii_case(name)
    };
    let at = MONTHS.iter().position(same)?;
    Some((u32::try_from(at).ok()? + 1, rest))
}

/// Hours, minutes, seconds; nothing is midnight.
fn clock(text: &str) -> Option<(chrono::TimeDelta, &str)> {
    use chrono::TimeDelta;
    let (hour, minute, second, nanos, rest) = match number(text, 1, 2) {
        None => (0, 0, 0, 0, text),
        Some((hour, rest)) => {
            let rest = rest.strip_prefix(':')?;
            let (minute, rest) = number(rest, 2, 2)?;
            match rest.strip_prefix(':') {
                None => (hour, minute, 0, 0, rest),
                Some(rest) => {
                    let (second, rest) = number(rest, 2, 2)?;
                    match rest.strip_prefix(['.', ',']) {
                        None => (hour, minute, second, 0, rest),
                        Some(rest) => {
                            let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
                            let (fraction, rest) = rest.split_at(digits);
                            let nanos = format!("{fraction:0<9}").get(..9)?.parse().ok()?;
                            (hour, minute, second, nanos, rest)
                        }
                    }
                }
            }
        }
    };
    if hour > 24 || minute > 59 || second > 60 || (hour == 24 && (minute, second) != (0, 0)) {
        return None;
    }
    let seconds = i64::from(hour * 3600 + minute * 60 + second);
    let time = TimeDelta::seconds(seconds) + TimeDelta::nanoseconds(nanos);
    let rest_of_hour = rest.trim_start_matches(' ');
    // `am` alone: `America/New_York` is a place.
    let mut half = rest_of_hour.split(|letter: char| !letter.is_alphabetic() && letter != '/');
    let rest = match half.next().filter(|half| half.len() == 2) {
        Some(half) if half.eq_ignore_ascii_case("am") && hour <= 12 => {
            let time = if hour == 12 {
                time - TimeDelta::hours(12)
            } else {
                time
            };
            return Some((time, &rest_of_hour[2..]));
        }
        Some(half) if half.eq_ignore_ascii_case("pm") && hour <= 12 => {
            let time = if hour == 12 {
                time
            } else {
                time + TimeDelta::hours(12)
            };
            return Some((time, &rest_of_hour[2..]));
        }
        _ => rest,
    };
    Some((time, rest))
}

/// The time of a clock in a place that is said: `Z`, `+01`, `-08:30`, `+0530`, `Europe/Berlin`.
fn instant(local: NaiveDateTime, place: &str) -> Option<NaiveDateTime> {
    if let Some(rest) = place.strip_prefix(['+', '-']) {
        let (hours, rest) = number(rest, 1, 2)?;
        let (minutes, rest) = match rest.strip_prefix(':') {
            Some(rest) => number(rest, 2, 2)?,
            None if rest.is_empty() => (0, rest),
            None => number(rest, 2, 2)?,
        };
        let (seconds, rest) = match rest.strip_prefix(':') {
            Some(rest) => number(rest, 2, 2)?,
            None => (0, rest),
        };
        if !rest.is_empty() || hours > 15 || minutes > 59 {
            return None;
        }
        let ahead = i32::try_from(hours * 3600 + minutes * 60 + seconds).ok()?;
        let ahead = if place.starts_with('-') {
            -ahead
        } else {
            ahead
        };
        let offset = FixedOffset::east_opt(ahead)?;
        return local.checked_sub_offset(offset);
    }
    let zone = zone::named(place)?;
    at_place(local, zone)
}

/// The time at which the clocks of a place show this. A time that they skip is counted on from before, as in PostgreSQL; of one that
/// they show twice the later is meant.
pub(crate) fn at_place(local: NaiveDateTime, zone: Tz) -> Option<NaiveDateTime> {
    match zone.from_local_datetime(&local) {
        LocalResult::Single(time) => Some(time.naive_utc()),
        LocalResult::Ambiguous(_, later) => Some(later.naive_utc()),
        LocalResult::None => {
            let before = local.checked_sub_signed(chrono::TimeDelta::hours(3))?;
            let before = zone.from_local_datetime(&before).earliest()?;
            before
                .naive_utc()
                .checked_add_signed(chrono::TimeDelta::hours(3))
        }
    }
}

/// What the clocks of a place show at a time.
pub(crate) fn clock_of(time: NaiveDateTime, zone: Tz) -> NaiveDateTime {
    Utc.from_utc_datetime(&time)
        .with_timezone(&zone)
        .naive_local()
}

/// Nanoseconds since 1970; the nearest that there are for times beyond.
pub(crate) fn nanos(read: Read, zone: Tz) -> Option<i64> {
    let beyond = |year: i32| if year < 1970 { i64::MIN } else { i64::MAX };
    Some(match read {
        Read::Before => i64::MIN,
        Read::After => i64::MAX,
        Read::Instant(time) => time
            .and_utc()
            .timestamp_nanos_opt()
            .unwrap_or(beyond(time.year())),
        Read::Local(time) => {
            let time = at_place(time, zone)?;
            let nanos = time.and_utc().timestamp_nanos_opt();
            nanos.unwrap_or(beyond(time.year()))
        }
    })
}

/// Microseconds since 1970: 290,000 years each way.
pub(crate) fn micros(read: Read, zone: Tz) -> Option<i64> {
    Some(match read {
        Read::Before => i64::MIN,
        Read::After => i64::MAX,
        Read::Instant(time) => time.and_utc().timestamp_micros(),
        Read::Local(time) => at_place(time, zone)?.and_utc().timestamp_micros(),
    })
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_postgresql_reads_them() {
        let now = NaiveDate::from_ymd_opt(2026, 3, 4)
            .unwrap()
            .and_hms_opt(5, 6, 7)
            .unwrap();
        let berlin = zone::named("Europe/Berlin").unwrap();
        let shown = |text: &str| {
            let nanos = nanos(read(text, now)?, berlin)?;
            Some(
                DateTime::from_timestamp_nanos(nanos)
                    .naive_utc()
                    .to_string(),
            )
        };
        for (text, expected) in [
            ("2020-01-01", Some("2019-12-31 23:00:00")),
            ("2020-01-01 00:00", Some("2019-12-31 23:00:00")),
            ("2020-01-01T01:02", Some("2020-01-01 00:02:00")),
            ("2020-07-02 01:00:00", Some("2020-07-01 23:00:00")),
            ("2020-01-01 +00", Some("2020-01-01 00:00:00")),
            (
                "2020-01-01 10:00:00.25-08:30",
                Some("2020-01-01 18:30:00.250"),
            ),
            (
                "2020-01-01 10:00 America/New_York",
                Some("2020-01-01 15:00:00"),
            ),
            ("2020-01-01 10:00:00 UTC", Some("2020-01-01 10:00:00")),
            ("20200131", Some("2020-01-30 23:00:00")),
            ("today", Some("2026-03-03 23:00:00")),
            ("now", Some("2026-03-04 04:06:07")),
            ("2020-01-01 1:30 pm", Some("2020-01-01 12:30:00")),
            // The clocks skipped this hour.
            ("2020-03-29 02:30", Some("2020-03-29 01:30:00")),
            ("2020-13-01", None),
            ("2020-01-01 25:00", None),
            ("30 days", None),
            ("", None),
        ] {
            assert_eq!(shown(text).as_deref(), expected, "{text}");
        }
        assert_eq!(
            nanos(read("9999-12-31", now).unwrap(), berlin),
            Some(i64::MAX)
        );
        assert_eq!(
            nanos(read("-infinity", now).unwrap(), berlin),
            Some(i64::MIN)
        );
        assert!(micros(read("9999-12-31", now).unwrap(), berlin).unwrap() < i64::MAX);
    }
}
