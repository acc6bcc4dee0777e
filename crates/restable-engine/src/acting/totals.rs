//! What a statement that acts comes to: how many targets ended how, which errors there were, what goes on without it.

use std::collections::BTreeMap;

use super::answer::Answer;

/// The targets of a statement, counted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ActionTotals {
    /// The statement's id in the journal; empty if nothing was to be sent.
    pub statement: String,
    /// How many targets ended with each status.
    pub statuses: BTreeMap<String, u64>,
    /// The errors, the most frequent first.
    pub errors: Vec<ErrorCount>,
    /// Numbers of the journal's entries whose operation still runs, or whose outcome is not known.
    pub operations: Vec<i64>,
    /// Targets that were not sent, or whose outcome is not known: `restable operations resume` goes on with them.
    pub resumable: u64,
    /// Somebody stopped the statement.
    pub stopped: bool,
    /// Targets that did not come to what was asked for.
    pub unachieved: u64,
}

/// One error of several targets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErrorCount {
    /// The service's code; none where the error is not the service's.
    pub code: Option<String>,
    /// The text of the first.
    pub message: String,
    /// How many targets have it.
    pub count: u64,
}

impl ActionTotals {
    /// How many targets did not come to what was asked for: failed, canceled, unknown, not sent, or not waited for to the end.
    pub fn failed(&self) -> u64 {
        self.unachieved
    }

    /// How many targets were changed, or are being changed: not those that were absent, left as they were, or failed.
    pub fn changed(&self) -> u64 {
        let of = |status| self.statuses.get(status).copied().unwrap_or_default();
        of("Succeeded") + of("Accepted")
    }

    /// The errors in lines, with how many targets have each.
    pub fn lines(&self) -> Vec<String> {
        let line = |error: &ErrorCount| {
            let code = error.code.as_deref().map(|code| format!("{code}: "));
            let times = (error.count > 1).then(|| format!(" ({} times)", error.count));
            let (code, times) = (code.unwrap_or_default(), times.unwrap_or_default());
            format!("{code}{}{times}", error.message)
        };
        self.errors.iter().map(line).collect()
    }

    /// Counts one target. `waits` says that the statement waits for operations, so that one that still runs was given up.
    pub(super) fn count(&mut self, answer: &Answer, waits: bool) {
        *self.statuses.entry(answer.status.to_owned()).or_default() += 1;
        let open = matches!(answer.status, "Accepted" | "Unknown");
        if open && let Some(number) = answer.operation {
            self.operations.push(number);
        }
        if matches!(answer.status, "NotSent" | "Unknown") {
            self.resumable += 1;
        }
        let job_failed = answer.status == "Succeeded" && answer.error_message.is_some();
        let achieved = matches!(answer.status, "Succeeded" | "Absent" | "Skipped")
            || (answer.status == "Accepted" && !waits);
        let failed = !achieved || job_failed;
        if !failed {
            return;
        }
        self.unachieved += 1;
        let Some(message) = &answer.error_message else {
            return;
        };
        let known = self.errors.iter_mut().find(|known| match &known.code {
            Some(code) => Some(code) == answer.error_code.as_ref(),
            None => answer.error_code.is_none() && known.message == *message,
        });
        match known {
            Some(known) => known.count += 1,
            None => self.errors.push(ErrorCount {
                code: answer.error_code.clone(),
                message: message.clone(),
                count: 1,
            }),
        }
        self.errors
            .sort_by_key(|error| std::cmp::Reverse(error.count));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_changed_does_not_count() {
        let mut totals = ActionTotals::default();
        for status in ["Succeeded", "Accepted", "Absent", "Skipped", "Failed"] {
            let answer = Answer {
                status,
                ..Answer::default()
            };
            totals.count(&answer, false);
        }
        assert_eq!((totals.changed(), totals.failed()), (2, 1));
    }
}
