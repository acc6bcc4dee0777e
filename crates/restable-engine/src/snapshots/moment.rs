//! A moment as snapshots know it: microseconds of UTC, written as RFC 3339. Owns the two ways to write it, and how long ago
//! it was in words.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use arrow::compute::kernels::cast_utils::string_to_timestamp_nanos;
use arrow::temporal_conversions::timestamp_us_to_datetime;

/// Microseconds since 1970-01-01 00:00 UTC.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize,
)]
#[serde(into = "String", try_from = "String")]
pub struct Moment(pub i64);

impl Moment {
    /// The moment of a clock.
    pub fn of(time: SystemTime) -> Moment {
        let micros = |time: Duration| i64::try_from(time.as_micros()).unwrap_or(i64::MAX);
        Moment(match time.duration_since(UNIX_EPOCH) {
            Ok(after) => micros(after),
            Err(before) => micros(before.duration()).saturating_neg(),
        })
    }

    /// The time from then to `now`; nothing if that is before it.
    pub fn until(self, now: Moment) -> Duration {
        Duration::from_micros(u64::try_from(now.0.saturating_sub(self.0)).unwrap_or_default())
    }

    /// The form that stands in names of files: no colons, and the order of names is the order of time.
    pub fn compact(self) -> String {
        self.written("%Y%m%dT%H%M%S%.6fZ")
    }

    /// To the second, for people.
    pub fn shown(self) -> String {
        self.written("%Y-%m-%dT%H:%M:%SZ")
    }

    fn written(self, form: &str) -> String {
        timestamp_us_to_datetime(self.0).map_or_else(
            || self.0.to_string(),
            |datetime| datetime.format(form).to_string(),
        )
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.written("%Y-%m-%dT%H:%M:%S%.6fZ"))
    }
}

impl From<Moment> for String {
    fn from(moment: Moment) -> String {
        moment.to_string()
    }
}

impl TryFrom<String> for Moment {
    type Error = String;

    fn try_from(text: String) -> Result<Moment, String> {
        let nanos = string_to_timestamp_nanos(&text)
            .map_err(|_| format!("`{text}` is no moment of the form 2026-11-22T05:00:00Z"))?;
        Ok(Moment(nanos.div_euclid(1_000)))
    }
}

/// How long ago something was, for people: `45 s`, `12 min`, `3 h 5 min`, `2 d 4 h`.
pub fn age(time: Duration) -> String {
    let seconds = time.as_secs();
    let (minutes, hours, days) = (seconds / 60, seconds / 3_600, seconds / 86_400);
    let two = |first: u64, unit: &str, second: u64, smaller: &str| match second {
        0 => format!("{first} {unit}"),
        _ => format!("{first} {unit} {second} {smaller}"),
    };
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, _) => format!("{minutes} min"),
        (0, _, _) => two(hours, "h", minutes % 60, "min"),
        _ => two(days, "d", hours % 24, "h"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_written_and_read() {
        let moment = Moment(1_795_323_600_123_456);
        assert_eq!(moment.to_string(), "2026-11-22T05:00:00.123456Z");
        assert_eq!(moment.compact(), "20261122T050000.123456Z");
        assert_eq!(Moment::try_from(moment.to_string()), Ok(moment));
        assert_eq!(
            Moment::try_from("1969-12-31T23:59:59.5Z".to_owned()),
            Ok(Moment(-500_000))
        );
        assert!(Moment::try_from("soon".to_owned()).is_err());
    }

    #[test]
    fn ages_are_short() {
        let of = |seconds| age(Duration::from_secs(seconds));
        let told = [0, 59, 60, 3_599, 3_600, 3_660, 86_400, 90_000, 8_640_000].map(of);
        assert_eq!(
            told,
            [
                "0 s",
                "59 s",
                "1 min",
                "59 min",
                "1 h",
                "1 h 1 min",
                "1 d",
                "1 d 1 h",
                "100 d"
            ]
        );
    }
}
