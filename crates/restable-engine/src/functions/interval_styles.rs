//! How an interval is written: PostgreSQL's four styles, of which `SET IntervalStyle` chooses one.

use std::fmt::{Result, Write};

use super::spans::Span;

/// A style.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum IntervalStyle {
    /// `1 year 2 mons 3 days 04:05:06`.
    #[default]
    Postgres,
    /// `@ 1 year 2 mons 3 days 4 hours 5 mins 6 secs`.
    Verbose,
    /// `+1-2 +3 +4:05:06`.
    Standard,
    /// `P1Y2M3DT4H5M6S`.
    Iso,
}

impl IntervalStyle {
    /// The style of this name.
    pub fn named(name: &str) -> Option<IntervalStyle> {
        Some(match name {
            "postgres" => IntervalStyle::Postgres,
            "postgres_verbose" => IntervalStyle::Verbose,
            "sql_standard" => IntervalStyle::Standard,
            "iso_8601" => IntervalStyle::Iso,
            _ => return None,
        })
    }

    /// Writes an interval.
    ///
    /// # Errors
    /// `out` takes no more.
    pub fn write(
        self,
        (months, days, microseconds): (i32, i64, i64),
        out: &mut impl Write,
    ) -> Result {
        let parts = Parts {
            years: (months / 12).into(),
            months: (months % 12).into(),
            days,
            hours: microseconds / 3_600_000_000,
            minutes: microseconds / 60_000_000 % 60,
            micros: microseconds % 60_000_000,
        };
        match self {
            IntervalStyle::Postgres => parts.postgres(out),
            IntervalStyle::Verbose => parts.verbose(out),
            IntervalStyle::Standard => parts.standard(out),
            IntervalStyle::Iso => parts.iso(out),
        }
    }

    /// A span as text.
    pub(crate) fn text(self, span: Span) -> String {
        let mut text = String::new();
        // Text takes everything.
        let _ = self.write((span.months, span.days, span.nanos / 1000), &mut text);
        text
    }
}

/// What an interval is written in.
#[derive(Debug, Clone, Copy)]
struct Parts {
    years: i64,
    months: i64,
    days: i64,
    hours: i64,
    minutes: i64,
    /// Of the last minute.
    micros: i64,
}

impl Parts {
    fn has_time(&self) -> bool {
        self.hours != 0 || self.minutes != 0 || self.micros != 0
    }

    fn time_is_negative(&self) -> bool {
        self.hours < 0 || self.minutes < 0 || self.micros < 0
    }

    /// The seconds without their sign.
    fn seconds(&self, least: usize, out: &mut impl Write) -> Result {
        let micros = self.micros.unsigned_abs();
        write!(out, "{:0least$}", micros / 1_000_000)?;
        match micros % 1_000_000 {
            0 => Ok(()),
            rest => out.write_str(format!(".{rest:06}").trim_end_matches('0')),
        }
    }

    fn postgres(self, out: &mut impl Write) -> Result {
        let (mut between, mut back) = ("", false);
        for (count, unit) in [
            (self.years, "year"),
            (self.months, "mon"),
            (self.days, "day"),
        ] {
            if count != 0 {
                // What goes forward says so behind what goes back.
                let sign = if back && count > 0 { "+" } else { "" };
                let plural = if count == 1 { "" } else { "s" };
                write!(out, "{between}{sign}{count} {unit}{plural}")?;
                (between, back) = (" ", count < 0);
            }
        }
        if self.has_time() || between.is_empty() {
            let sign = match (self.time_is_negative(), back) {
                (true, _) => "-",
                (false, true) => "+",
                (false, false) => "",
            };
            let (hours, minutes) = (self.hours.unsigned_abs(), self.minutes.unsigned_abs());
            write!(out, "{between}{sign}{hours:02}:{minutes:02}:")?;
            self.seconds(2, out)?;
        }
        Ok(())
    }

    fn verbose(self, out: &mut impl Write) -> Result {
        // The first part says where it goes, and is written without a sign.
        let mut ago = None;
        out.write_char('@')?;
        for (count, unit) in [
            (self.years, "year"),
            (self.months, "mon"),
            (self.days, "day"),
            (self.hours, "hour"),
            (self.minutes, "min"),
        ] {
            if count != 0 {
                let shown = if *ago.get_or_insert(count < 0) {
                    -count
                } else {
                    count
                };
                let plural = if shown == 1 { "" } else { "s" };
                write!(out, " {shown} {unit}{plural}")?;
            }
        }
        if self.micros != 0 {
            let back = self.micros < 0;
            let sign = if *ago.get_or_insert(back) == back {
                ""
            } else {
                "-"
            };
            write!(out, " {sign}")?;
            self.seconds(1, out)?;
            let one = self.micros.unsigned_abs() == 1_000_000;
            out.write_str(if one { " sec" } else { " secs" })?;
        }
        match ago {
            None => out.write_str(" 0"),
            Some(true) => out.write_str(" ago"),
            Some(false) => Ok(()),
        }
    }

    fn standard(self, out: &mut impl Write) -> Result {
        let all = [
            self.years,
            self.months,
            self.days,
            self.hours,
            self.minutes,
            self.micros,
        ];
        let negative = all.iter().any(|part| *part < 0);
        let positive = all.iter().any(|part| *part > 0);
        let has_months = self.years != 0 || self.months != 0;
        let has_days = self.days != 0 || self.has_time();
        let (years, months, days) = (
            self.years.unsigned_abs(),
            self.months.unsigned_abs(),
            self.days.unsigned_abs(),
        );
        let (hours, minutes) = (self.hours.unsigned_abs(), self.minutes.unsigned_abs());
        if !negative && !positive {
            return out.write_char('0');
        }
        // The standard knows intervals of years and months and others of days and times, each with one sign.
        if (negative && positive) || (has_months && has_days) {
            let sign = |negative| if negative { '-' } else { '+' };
            let (of_months, of_days) =
                (sign(self.years < 0 || self.months < 0), sign(self.days < 0));
            let of_time = sign(self.time_is_negative());
            write!(
                out,
                "{of_months}{years}-{months} {of_days}{days} {of_time}{hours}:{minutes:02}:"
            )?;
            return self.seconds(2, out);
        }
        if negative {
            out.write_char('-')?;
        }
        if has_months {
            return write!(out, "{years}-{months}");
        }
        if days != 0 {
            write!(out, "{days} ")?;
        }
        write!(out, "{hours}:{minutes:02}:")?;
        self.seconds(2, out)
    }

    fn iso(self, out: &mut impl Write) -> Result {
        out.write_char('P')?;
        let part = |out: &mut _, count: i64, unit| match count {
            0 => Ok(()),
            count => Write::write_fmt(out, format_args!("{count}{unit}")),
        };
        part(out, self.years, 'Y')?;
        part(out, self.months, 'M')?;
        part(out, self.days, 'D')?;
        let date = self.years != 0 || self.months != 0 || self.days != 0;
        if !self.has_time() {
            return out.write_str(if date { "" } else { "T0S" });
        }
        out.write_char('T')?;
        part(out, self.hours, 'H')?;
        part(out, self.minutes, 'M')?;
        if self.micros != 0 {
            out.write_str(if self.micros < 0 { "-" } else { "" })?;
            self.seconds(1, out)?;
            out.write_char('S')?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_are_written_as_postgresql_writes_them() {
        const SECOND: i64 = 1_000_000;
        const HOUR: i64 = 3600 * SECOND;
        let all = [
            (
                (14, 3, 14_706_789_000),
                [
                    "1 year 2 mons 3 days 04:05:06.789",
                    "@ 1 year 2 mons 3 days 4 hours 5 mins 6.789 secs",
                    "+1-2 +3 +4:05:06.789",
                    "P1Y2M3DT4H5M6.789S",
                ],
            ),
            (
                (-1, 3, 0),
                [
                    "-1 mons +3 days",
                    "@ 1 mon -3 days ago",
                    "-0-1 +3 +0:00:00",
                    "P-1M3D",
                ],
            ),
            ((0, 0, 0), ["00:00:00", "@ 0", "0", "PT0S"]),
            ((0, 1, 0), ["1 day", "@ 1 day", "1 0:00:00", "P1D"]),
            (
                (0, 0, -3 * SECOND / 2),
                ["-00:00:01.5", "@ 1.5 secs ago", "-0:00:01.5", "PT-1.5S"],
            ),
            (
                (-14, 0, 0),
                ["-1 years -2 mons", "@ 1 year 2 mons ago", "-1-2", "P-1Y-2M"],
            ),
            (
                (1, -1, 2 * HOUR),
                [
                    "1 mon -1 days +02:00:00",
                    "@ 1 mon -1 days 2 hours",
                    "+0-1 -1 +2:00:00",
                    "P1M-1DT2H",
                ],
            ),
            (
                (0, -3, -SECOND),
                [
                    "-3 days -00:00:01",
                    "@ 3 days 1 sec ago",
                    "-3 0:00:01",
                    "P-3DT-1S",
                ],
            ),
            (
                (0, 0, 1),
                [
                    "00:00:00.000001",
                    "@ 0.000001 secs",
                    "0:00:00.000001",
                    "PT0.000001S",
                ],
            ),
            (
                (0, 0, 25 * HOUR),
                ["25:00:00", "@ 25 hours", "25:00:00", "PT25H"],
            ),
            (
                (1, 0, SECOND),
                [
                    "1 mon 00:00:01",
                    "@ 1 mon 1 sec",
                    "+0-1 +0 +0:00:01",
                    "P1MT1S",
                ],
            ),
            (
                (0, 1, -SECOND),
                [
                    "1 day -00:00:01",
                    "@ 1 day -1 sec",
                    "+0-0 +1 -0:00:01",
                    "P1DT-1S",
                ],
            ),
            (
                (0, -1, SECOND),
                [
                    "-1 days +00:00:01",
                    "@ 1 day -1 sec ago",
                    "+0-0 -1 +0:00:01",
                    "P-1DT1S",
                ],
            ),
        ];
        let styles = ["postgres", "postgres_verbose", "sql_standard", "iso_8601"];
        for (interval, written) in all {
            for (name, wanted) in styles.into_iter().zip(written) {
                let mut text = String::new();
                let style = IntervalStyle::named(name).unwrap_or_default();
                assert!(style.write(interval, &mut text).is_ok());
                assert_eq!(text, wanted, "{interval:?} {name}");
            }
        }
    }
}
