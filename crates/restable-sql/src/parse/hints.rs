//! Hints `/*+ … */`: which words there are, which contradict each other, and where they may stand.

use sqlparser::tokenizer::{Token, Whitespace};

use crate::cursor::Cursor;
use crate::error::{Diagnostic, code};
use crate::span::Span;
use crate::statement::Hints;
use crate::suggest::closest;
use crate::syntax::shown;

const WORDS: [&str; 5] = ["NOWAIT", "AWAIT", "AWAIT_JOB", "SHOWRESULTS", "NOSTATUS"];

/// The hints right after the verb that the cursor has just passed; then none may stand in the rest of the statement.
pub(super) fn hints(cursor: &Cursor<'_>) -> Result<Hints, Diagnostic> {
    let mut hints = Hints::default();
    let rest = cursor.next_index().unwrap_or(cursor.end);
    for (words, span) in comments(cursor, cursor.at, rest) {
        read(&mut hints, words, span)?;
    }
    let misplaced =
        comments(cursor, rest, cursor.end).find(|(_, span)| !follows_select(cursor, *span));
    match misplaced {
        Some((_, span)) => Err(Diagnostic::new(code::HINT, "a hint stands right after the verb").at(span).help(
            "write it after INSERT, REPLACE, UPDATE, DELETE or EXEC: `EXEC /*+ NOWAIT */ …`",
        )),
        None => Ok(hints),
    }
}

/// The text of each hint comment between two tokens, with its place in the script.
fn comments<'a>(
    cursor: &Cursor<'a>,
    from: usize,
    to: usize,
) -> impl Iterator<Item = (&'a str, Span)> {
    let lexed = cursor.lexed;
    (from..to).filter_map(move |at| match &lexed.tokens[at].token {
        Token::Whitespace(Whitespace::MultiLineComment(comment)) => {
            let words = comment.strip_prefix('+')?;
            Some((words, lexed.spans[at]))
        }
        _ => None,
    })
}

/// A SELECT's hints are for other engines; they are ignored as everywhere. EXEC inside FROM has been taken out before.
fn follows_select(cursor: &Cursor<'_>, span: Span) -> bool {
    let at = cursor
        .lexed
        .spans
        .partition_point(|other| other.start < span.start);
    let before = cursor
        .lexed
        .solid_before(at)
        .map(|before| &cursor.lexed.tokens[before].token);
    crate::cursor::is_keyword(before, "SELECT")
}

fn read(hints: &mut Hints, words: &str, comment: Span) -> Result<(), Diagnostic> {
    // The comment's text begins after `/*+`.
    let begin = comment.start + 3;
    let separators = |character: char| character == ',' || character.is_whitespace();
    for word in words.split(separators).filter(|word| !word.is_empty()) {
        let offset = word.as_ptr() as usize - words.as_ptr() as usize;
        let span = Span::new(begin + offset, begin + offset + word.len());
        match word.to_ascii_uppercase().as_str() {
            "NOWAIT" => hints.nowait = true,
            "AWAIT" => hints.wait = true,
            "AWAIT_JOB" => hints.await_job = true,
            "SHOWRESULTS" => hints.show_results = true,
            "NOSTATUS" => hints.no_status = true,
            _ => {
                let fault =
                    Diagnostic::new(code::HINT, format!("there is no hint `{}`", shown(word)))
                        .at(span);
                return Err(match closest(word, WORDS) {
                    Some(near) => fault.help(format!("is `{near}` meant?")),
                    None => fault
                        .help("the hints are NOWAIT, AWAIT, AWAIT_JOB, SHOWRESULTS and NOSTATUS"),
                });
            }
        }
        if hints.nowait && (hints.wait || hints.await_job) {
            return Err(
                Diagnostic::new(code::HINT, "NOWAIT contradicts AWAIT and AWAIT_JOB").at(span),
            );
        }
    }
    Ok(())
}
