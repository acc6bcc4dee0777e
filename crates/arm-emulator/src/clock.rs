//! Owns the emulator's time, how it moves and how Azure spells it. Nobody else asks the operating system for the time.

use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};

use crate::options::ClockKind;

/// The emulated time.
#[derive(Debug)]
pub(crate) struct Clock {
    kind: ClockKind,
    origin: DateTime<Utc>,
    started: Instant,
    added: TimeDelta,
}

impl Clock {
    pub(crate) fn new(kind: ClockKind, start: Option<DateTime<Utc>>) -> Clock {
        Clock {
            kind,
            origin: start.unwrap_or_else(Utc::now),
            started: Instant::now(),
            added: TimeDelta::zero(),
        }
    }

    /// When the emulated world began.
    pub(crate) fn origin(&self) -> DateTime<Utc> {
        self.origin
    }

    pub(crate) fn now(&self) -> DateTime<Utc> {
        let passed = match self.kind {
            ClockKind::Real => delta(self.started.elapsed()),
            ClockKind::Fast | ClockKind::Manual => TimeDelta::zero(),
        };
        self.origin + self.added + passed
    }

    pub(crate) fn advance(&mut self, by: Duration) {
        self.added += delta(by);
    }

    /// A client was told that something ends at `then`: a fast clock goes there, the others do not care.
    pub(crate) fn asked_about(&mut self, then: DateTime<Utc>) {
        let now = self.now();
        if self.kind == ClockKind::Fast && then > now {
            self.added += then - now;
        }
    }

    pub(crate) fn is_fast(&self) -> bool {
        self.kind == ClockKind::Fast
    }
}

/// A duration as chrono counts; what does not fit is the longest that does.
pub(crate) fn delta(duration: Duration) -> TimeDelta {
    TimeDelta::from_std(duration).unwrap_or(TimeDelta::MAX)
}

/// `2024-06-27T05:05:50.5996076Z`: seven digits at most, without zeros at the end, as the service writes them.
pub(crate) fn instant(time: DateTime<Utc>) -> String {
    let ticks = time.timestamp_subsec_nanos() / 100;
    let whole = time.format("%Y-%m-%dT%H:%M:%S");
    if ticks == 0 {
        return format!("{whole}Z");
    }
    let digits = format!("{ticks:07}");
    format!("{whole}.{}Z", digits.trim_end_matches('0'))
}

/// `2024-05-07T12:02:21.8831308Z`: always seven digits.
pub(crate) fn full_instant(time: DateTime<Utc>) -> String {
    format!(
        "{}.{:07}Z",
        time.format("%Y-%m-%dT%H:%M:%S"),
        time.timestamp_subsec_nanos() / 100
    )
}

/// `2024-06-27T05:18:29Z`: whole seconds.
pub(crate) fn seconds(time: DateTime<Utc>) -> String {
    time.format("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// .NET ticks: hundreds of nanoseconds since the year 1.
pub(crate) fn ticks(time: DateTime<Utc>) -> i64 {
    const UNIX_EPOCH: i64 = 621_355_968_000_000_000;
    UNIX_EPOCH + time.timestamp() * 10_000_000 + i64::from(time.timestamp_subsec_nanos() / 100)
}

/// `PT3M5.5830357S`, as a single job spells its duration.
pub(crate) fn iso_duration(duration: TimeDelta) -> String {
    let total = duration.num_seconds().max(0);
    let fraction = duration.subsec_nanos().max(0) / 100;
    let (hours, minutes, seconds) = (total / 3600, total / 60 % 60, total % 60);
    let mut text = String::from("PT");
    if hours > 0 {
        text.push_str(&format!("{hours}H"));
    }
    if minutes > 0 {
        text.push_str(&format!("{minutes}M"));
    }
    if fraction > 0 {
        let digits = format!("{fraction:07}");
        text.push_str(&format!("{seconds}.{}S", digits.trim_end_matches('0')));
    } else if seconds > 0 || text == "PT" {
        text.push_str(&format!("{seconds}S"));
    }
    text
}

/// `00:03:12.7189058`, as the list of jobs spells the same duration.
pub(crate) fn time_span(duration: TimeDelta) -> String {
    let total = duration.num_seconds().max(0);
    let fraction = duration.subsec_nanos().max(0) / 100;
    let days = total / 86_400;
    let clock = format!(
        "{:02}:{:02}:{:02}",
        total / 3600 % 24,
        total / 60 % 60,
        total % 60
    );
    let days = if days > 0 {
        format!("{days}.")
    } else {
        String::new()
    };
    if fraction > 0 {
        format!("{days}{clock}.{fraction:07}")
    } else {
        format!("{days}{clock}")
    }
}

/// A time as the service or a client wrote it.
pub(crate) fn parse(text: &str) -> Option<DateTime<Utc>> {
    DateTime::parse_from_rfc3339(text)
        .ok()
        .map(|time| time.with_timezone(&Utc))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn times_are_spelled_as_the_service_spells_them() {
        let time = parse("2026-05-17T20:46:16.0305556Z").unwrap();
        assert_eq!(ticks(time), 639_146_475_760_305_556);
        assert_eq!(instant(time), "2026-05-17T20:46:16.0305556Z");
        assert_eq!(
            instant(parse("2024-05-04T12:03:26.2223610Z").unwrap()),
            "2024-05-04T12:03:26.222361Z"
        );
        let run = TimeDelta::new(185, 583_035_700).unwrap();
        assert_eq!(iso_duration(run), "PT3M5.5830357S");
        assert_eq!(time_span(run), "00:03:05.5830357");
        assert_eq!(iso_duration(TimeDelta::zero()), "PT0S");
        assert_eq!(iso_duration(TimeDelta::seconds(60)), "PT1M");
        assert_eq!(time_span(TimeDelta::zero()), "00:00:00");
    }

    #[test]
    fn only_a_fast_clock_jumps() {
        let mut manual = Clock::new(ClockKind::Manual, None);
        let mut fast = Clock::new(ClockKind::Fast, None);
        let (before, then) = (manual.now(), fast.now() + TimeDelta::seconds(5));
        manual.asked_about(before + TimeDelta::seconds(5));
        fast.asked_about(then);
        assert_eq!(manual.now(), before);
        assert_eq!(fast.now(), then);
        manual.advance(Duration::from_secs(3));
        assert_eq!(manual.now(), before + TimeDelta::seconds(3));
    }
}
