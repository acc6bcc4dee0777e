//! What is said after a statement that acted: how its targets ended, the errors by their codes, and how it goes on with what has not ended.

use restable_engine::acting::ActionTotals;

use crate::console::Console;
use crate::error::{Error, Result};
use crate::output::value::printable;

/// Errors and operations that are named before the rest is only counted.
const NAMED: usize = 10;

/// How operations that were not waited for to their end are taken up again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GoingOn {
    /// Not at all: the journal ends with this run.
    Nowhere,
    /// By `restable operations`.
    Command,
    /// In the shell, by its own commands.
    Shell,
}

/// Says how the targets ended, and which errors there were.
pub fn tell(totals: &ActionTotals, console: &mut Console) {
    let statuses: Vec<String> = totals
        .statuses
        .iter()
        .map(|(status, count)| format!("{count} {}", printable(status)))
        .collect();
    if !statuses.is_empty() {
        say(totals, &statuses.join(" · "), console);
    }
    for error in totals.errors.iter().take(NAMED) {
        let code = error.code.as_ref().map(|code| format!("{code}: "));
        let told = format!(
            "{} × {}{}",
            error.count,
            code.unwrap_or_default(),
            error.message
        );
        console.warn(&printable(&told));
    }
    if totals.errors.len() > NAMED {
        console.warn(&format!(
            "… and {} more errors",
            totals.errors.len() - NAMED
        ));
    }
}

/// Says how to go on, if there is something to go on with.
pub fn tell_going_on(totals: &ActionTotals, going_on: GoingOn, console: &mut Console) {
    if let Some(hint) = hint(totals, going_on) {
        say(totals, &hint, console);
    }
}

/// The error of targets that did not come to what was asked for.
pub fn outcome(totals: &ActionTotals) -> Result<()> {
    match totals.failed() {
        0 => Ok(()),
        count => Err(Error::Unachieved {
            count,
            of: totals.statuses.values().sum(),
        }),
    }
}

/// What is wrong is said even to those who want quiet.
fn say(totals: &ActionTotals, text: &str, console: &mut Console) {
    if totals.failed() == 0 {
        console.say(text);
    } else {
        console.warn(text);
    }
}

fn hint(totals: &ActionTotals, going_on: GoingOn) -> Option<String> {
    let (wait, resume) = match going_on {
        GoingOn::Nowhere => return None,
        GoingOn::Command => ("restable operations wait", "restable operations resume"),
        GoingOn::Shell => ("\\wait", "\\resume"),
    };
    let statement = &totals.statement;
    match (totals.operations.as_slice(), totals.resumable) {
        ([], 0) => None,
        ([], 1) => Some(format!(
            "1 target was not sent: `{resume} {statement}` goes on with it"
        )),
        ([], count) => Some(format!(
            "{count} targets were not sent: `{resume} {statement}` goes on with them"
        )),
        ([number], 0) => Some(format!(
            "operation {number} has not ended: `{wait} {number}` waits for it"
        )),
        ([number], 1) if totals.statuses.contains_key("Unknown") => Some(format!(
            "what became of operation {number} is not known: `{resume} {statement}` looks again"
        )),
        (open, _) => {
            // They are counted as they end.
            let mut open = open.to_vec();
            open.sort_unstable();
            let named: Vec<String> = open.iter().take(NAMED).map(i64::to_string).collect();
            let named = named.join(", ");
            let more = match open.len().saturating_sub(NAMED) {
                0 => String::new(),
                more => format!(" … and {more} more"),
            };
            Some(format!(
                "operations {named}{more} have not ended: `{wait} NUMBER` waits for one, `{resume} {statement}` goes on with all"
            ))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn totals(statuses: &[(&str, u64)], operations: Vec<i64>, resumable: u64) -> ActionTotals {
        let statuses = statuses
            .iter()
            .map(|(status, count)| ((*status).to_owned(), *count));
        ActionTotals {
            statement: "s-1".to_owned(),
            statuses: statuses.collect(),
            operations,
            resumable,
            ..ActionTotals::default()
        }
    }

    #[test]
    fn how_to_go_on() {
        let command = |totals: &ActionTotals| hint(totals, GoingOn::Command).unwrap_or_default();
        let done = totals(&[("Succeeded", 3)], vec![], 0);
        assert_eq!(command(&done), "");
        let one = totals(&[("Accepted", 1)], vec![12], 0);
        assert_eq!(
            command(&one),
            "operation 12 has not ended: `restable operations wait 12` waits for it"
        );
        assert_eq!(hint(&one, GoingOn::Nowhere), None);
        assert_eq!(
            hint(&one, GoingOn::Shell).as_deref(),
            Some("operation 12 has not ended: `\\wait 12` waits for it")
        );
        let many = totals(
            &[("Accepted", 12), ("NotSent", 2)],
            (1..=12).rev().collect(),
            2,
        );
        assert_eq!(
            command(&many),
            "operations 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 … and 2 more have not ended: `restable operations wait NUMBER` waits for one, \
             `restable operations resume s-1` goes on with all"
        );
        let unsent = totals(&[("NotSent", 2)], vec![], 2);
        assert_eq!(
            command(&unsent),
            "2 targets were not sent: `restable operations resume s-1` goes on with them"
        );
        let unknown = totals(&[("Unknown", 1)], vec![7], 1);
        assert_eq!(
            command(&unknown),
            "what became of operation 7 is not known: `restable operations resume s-1` looks again"
        );
    }
}
