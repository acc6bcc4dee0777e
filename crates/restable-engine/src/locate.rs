//! Places for diagnostics: an error that names something of the statement points at it in the text.

use restable_sql::{Parsed, Span};

use crate::{Error, Fault};

/// The code of an error about a column that is not there.
const UNKNOWN_COLUMN: &str = "R0203";

/// Gives a diagnostic without a place the place of the name that it is about.
pub fn located(problem: Error, parsed: &Parsed) -> Error {
    if problem.fault() != Fault::Statement {
        return problem;
    }
    let diagnostic = problem.diagnostic();
    if diagnostic.span.is_some() {
        return problem;
    }
    let Some(name) = diagnostic.message.split('`').nth(1) else {
        return problem;
    };
    let find = |needle: &str| {
        parsed.text.match_indices(needle).find(|(at, _)| {
            let word = |c: char| c.is_alphanumeric() || c == '_';
            let before = parsed.text[..*at].chars().next_back();
            let after = parsed.text[at + needle.len()..].chars().next();
            !before.is_some_and(word) && !after.is_some_and(word)
        })
    };
    let found = find(name).map(|(at, _)| (at, name.len())).or_else(|| {
        let last = name.rsplit('.').next()?;
        find(last).map(|(at, _)| (at, last.len()))
    });
    match found {
        Some((at, length)) => {
            let start = parsed.span.start + at;
            let mut diagnostic = diagnostic.at(Span::new(start, start + length));
            let is_quoted =
                parsed.text[..at].ends_with('"') && parsed.text[at + length..].starts_with('"');
            // Most people who write a value in double quotes mean text.
            if is_quoted && diagnostic.code == UNKNOWN_COLUMN {
                let text = parsed.text[at..at + length].replace('\'', "''");
                diagnostic.help = Some(format!(
                    "double quotes are for names; text is written in single ones: `'{text}'`"
                ));
            }
            Error::from(diagnostic)
        }
        None => problem,
    }
}
