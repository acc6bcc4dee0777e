//! A script to pieces, one a statement. Owns where a statement ends: at a `;` outside strings, quoted names, comments and
//! dollar quotes. It does not look at what the statements say.

use std::ops::Range;

use sqlparser::tokenizer::{Location, Token};

use crate::error::{Diagnostic, code};
use crate::lexer::{self, Lexed};
use crate::limits::{self, MAX_SCRIPT, MAX_STATEMENT};
use crate::span::Span;

/// One statement of a script, not yet parsed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// The bytes of the statement, without the `;` and without spaces and comments around it.
    pub range: Range<usize>,
    /// Where the piece begins, so that reading it need not count the lines before.
    pub(crate) start: Location,
}

impl Piece {
    /// The statement's text.
    #[must_use]
    pub fn text<'a>(&self, script: &'a str) -> &'a str {
        script.get(self.range.clone()).unwrap_or("")
    }
}

/// A piece with its tokens, or with what stopped their reading.
pub(crate) struct RawPiece {
    pub(crate) piece: Piece,
    pub(crate) lexed: Result<Lexed, Diagnostic>,
}

/// The statements of a script, empty ones dropped. What is opened and not closed runs to the end of the script; that
/// piece fails when it is parsed, so that those before it can run.
///
/// # Errors
/// The script is longer than [`MAX_SCRIPT`], or a part without any `;` longer than [`MAX_STATEMENT`].
pub fn split(script: &str) -> Result<Vec<Piece>, Diagnostic> {
    Ok(split_tokens(script)?
        .into_iter()
        .map(|raw| raw.piece)
        .collect())
}

/// The pieces with their tokens, so that a script is read once.
pub(crate) fn split_tokens(script: &str) -> Result<Vec<RawPiece>, Diagnostic> {
    if script.len() > MAX_SCRIPT {
        let message = format!(
            "the script has {} bytes, {MAX_SCRIPT} are accepted",
            script.len()
        );
        return Err(Diagnostic::new(code::TOO_LONG, message));
    }
    // A run without any `;` is inside one statement; refusing it now spares reading megabytes.
    let mut at = 0;
    for run in script.split(';') {
        if run.len() > MAX_STATEMENT && run.trim().len() > MAX_STATEMENT {
            return Err(limits::too_long(run.trim().len(), at));
        }
        at += run.len() + 1;
    }
    let begin = usize::from(script.starts_with('\u{feff}')) * '\u{feff}'.len_utf8();
    let column = if begin == 0 { 1 } else { 2 };
    let reading = lexer::read(script, begin..script.len(), Location::new(1, column));
    let mut pieces = Vec::new();
    let mut current = Lexed::default();
    for (token, span) in reading.lexed.tokens.into_iter().zip(reading.lexed.spans) {
        if token.token == Token::SemiColon {
            finish(&mut pieces, std::mem::take(&mut current), None);
        } else {
            current.push(token, span);
        }
    }
    let unread = reading.fault.map(|fault| (fault, script.len()));
    finish(&mut pieces, current, unread);
    Ok(pieces)
}

fn finish(pieces: &mut Vec<RawPiece>, mut lexed: Lexed, unread: Option<(Diagnostic, usize)>) {
    let first = lexed.solid(0, lexed.tokens.len());
    let last = lexed.solid_before(lexed.tokens.len());
    if let Some((fault, end)) = unread {
        let begin = first.map(|at| (lexed.spans[at].start, lexed.tokens[at].span.start));
        let end_of_read = lexed.spans.last().map(|span| span.end);
        let fault_at = fault.span.map_or(end, |span| span.start);
        let (from, start) = begin.unwrap_or((end_of_read.unwrap_or(fault_at), Location::new(1, 1)));
        let piece = Piece {
            range: from..end,
            start,
        };
        pieces.push(RawPiece {
            piece,
            lexed: Err(fault),
        });
        return;
    }
    let (Some(first), Some(last)) = (first, last) else {
        return;
    };
    let range = Span::new(lexed.spans[first].start, lexed.spans[last].end);
    let start = lexed.tokens[first].span.start;
    lexed.tokens.truncate(last + 1);
    lexed.spans.truncate(last + 1);
    lexed.tokens.drain(..first);
    lexed.spans.drain(..first);
    let piece = Piece {
        range: range.start..range.end,
        start,
    };
    pieces.push(RawPiece {
        piece,
        lexed: Ok(lexed),
    });
}
