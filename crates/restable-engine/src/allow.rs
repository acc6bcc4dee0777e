//! What is said to a statement that would make more calls than it may: how many it needs, and how to go on.

use std::time::Instant;

use restable_http::Allowance;
use restable_sql::Diagnostic;

use crate::Error;
use crate::forecast::Count;

/// The code of a statement with more calls than `max_calls`.
pub const TOO_MANY: &str = "R0406";
/// The code of a session with more calls than `max_calls_per_hour`.
pub const TOO_MANY_PER_HOUR: &str = "R0407";

const SMALLER: &str = "a condition on scopes (`subscriptionId = …`, `vaultName = …`) needs fewer, and a materialized view none";

/// The error of a statement whose forecast says that it needs more calls than it may make; nothing was sent.
pub(crate) fn refused(calls: Count, most: u64, prediction: &str) -> Error {
    let needed = match calls.is_exact() {
        true => format!("{} calls", calls.least),
        false => format!("at least {} calls", calls.least),
    };
    let message = format!("the statement needs {needed}, and `max_calls` allows {most}");
    let mut diagnostic = Diagnostic::new(TOO_MANY, message).help(raised(calls.most));
    diagnostic.notes.push(prediction.to_owned());
    diagnostic.notes.push("nothing was sent".to_owned());
    diagnostic.into()
}

/// The error of a statement that has come to its limit, or knows of more calls than are left. `known` are those it knows of and has not begun.
pub(crate) fn over(
    allowance: &Allowance,
    known: u64,
    prediction: Option<&str>,
    now: Instant,
) -> Error {
    let made = allowance.taken();
    let most = allowance.most().unwrap_or(u64::MAX);
    let hourly = allowance.hourly().map(|hourly| hourly.left(now));
    let (message, code, help) = match hourly {
        Some((left, most_an_hour))
            if made < most && made.saturating_add(known) <= most && known >= left =>
        {
            (
                format!(
                    "the session may make {most_an_hour} calls within an hour, and has {left} of them left"
                ),
                TOO_MANY_PER_HOUR,
                format!("{SMALLER}; `max_calls_per_hour` is set where the session begins"),
            )
        }
        _ => {
            let needed = made.saturating_add(known).max(most.saturating_add(1));
            (
                format!(
                    "the statement needs at least {needed} calls, and `max_calls` allows {most}"
                ),
                TOO_MANY,
                raised(None),
            )
        }
    };
    let mut diagnostic = Diagnostic::new(code, message).help(help);
    diagnostic.notes.extend(prediction.map(str::to_owned));
    diagnostic.notes.push(counted(allowance.sent(), made));
    diagnostic.into()
}

/// How many calls were made: those that were answered, and those that were on their way as the statement ended.
fn counted(sent: u64, begun: u64) -> String {
    let were = |count: u64| if count == 1 { "call was" } else { "calls were" };
    match begun.saturating_sub(sent) {
        0 => format!("{sent} {} made", were(sent)),
        1 => format!("{sent} {} made, and one more may have been", were(sent)),
        more => format!("{sent} {} made, and {more} more may have been", were(sent)),
    }
}

/// How to go on; `enough` calls would do, if that is known.
fn raised(enough: Option<u64>) -> String {
    match enough {
        Some(enough) => format!("{SMALLER}; `SET max_calls = {enough}` allows it"),
        None => format!("{SMALLER}; `SET max_calls = 0` allows any number"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_that_may_not_have_gone_out_are_told_apart() {
        assert_eq!(counted(1, 1), "1 call was made");
        assert_eq!(counted(500, 500), "500 calls were made");
        assert_eq!(
            counted(484, 500),
            "484 calls were made, and 16 more may have been"
        );
        assert_eq!(
            counted(0, 1),
            "0 calls were made, and one more may have been"
        );
    }
}
