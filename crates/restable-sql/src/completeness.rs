//! Whether what was typed so far is a whole statement. Owns the question of a shell only; a text that is complete may
//! still be wrong.

use std::fmt;

use sqlparser::tokenizer::{Location, Token, Whitespace};

use crate::error::code;
use crate::lexer;
use crate::limits::MAX_STATEMENT;

/// Whether a shell may run the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Completeness {
    /// Nothing is open and the last statement has its `;`, or there is nothing but spaces and comments.
    Complete,
    /// More is to come.
    Incomplete {
        /// What is still open.
        why: Open,
    },
}

/// What is open at the end of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Open {
    /// `'…`
    Text,
    /// `"…` or a backtick.
    QuotedName,
    /// `/* …`
    Comment,
    /// `$$…`
    DollarQuote,
    /// `(`, `[` or `{`.
    Parenthesis,
    /// No `;` yet.
    Statement,
}

impl fmt::Display for Open {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Open::Text => "a text is not closed",
            Open::QuotedName => "a quoted name is not closed",
            Open::Comment => "a comment is not closed",
            Open::DollarQuote => "a dollar-quoted text is not closed",
            Open::Parenthesis => "a parenthesis is not closed",
            Open::Statement => "no `;` yet",
        })
    }
}

/// Tells whether a shell may run what was typed. A `;` ends a statement inside parentheses too, so that a mistyped
/// line is answered instead of waited for.
#[must_use]
pub fn completeness(text: &str) -> Completeness {
    // Nothing typed is so long; the parser will say so.
    if text.len() > MAX_STATEMENT {
        return Completeness::Complete;
    }
    let reading = lexer::read(text, 0..text.len(), Location::new(1, 1));
    if let Some(fault) = reading.fault {
        return match open(&fault.message) {
            Some(why) if fault.code == code::UNCLOSED => Completeness::Incomplete { why },
            _ => Completeness::Complete,
        };
    }
    let mut depth = 0usize;
    let mut pending = false;
    for token in reading.lexed.tokens {
        match token.token {
            Token::Whitespace(Whitespace::MultiLineComment(_) | _) => continue,
            Token::SemiColon => {
                depth = 0;
                pending = false;
                continue;
            }
            Token::LParen | Token::LBracket | Token::LBrace => depth += 1,
            Token::RParen | Token::RBracket | Token::RBrace => depth = depth.saturating_sub(1),
            _ => {}
        }
        pending = true;
    }
    match (pending, depth) {
        (false, _) => Completeness::Complete,
        (true, 0) => Completeness::Incomplete {
            why: Open::Statement,
        },
        (true, _) => Completeness::Incomplete {
            why: Open::Parenthesis,
        },
    }
}

fn open(message: &str) -> Option<Open> {
    let kinds = [
        ("dollar", Open::DollarQuote),
        ("comment", Open::Comment),
        ("quoted name", Open::QuotedName),
        ("text", Open::Text),
    ];
    kinds
        .into_iter()
        .find(|(word, _)| message.contains(word))
        .map(|(_, open)| open)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_what_is_open() {
        let cases = [
            ("", None),
            ("  -- note", None),
            ("SELECT 1;", None),
            ("SELECT 1; -- done", None),
            ("SELECT (1;", None),
            ("SELECT 1", Some(Open::Statement)),
            ("SELECT (1", Some(Open::Parenthesis)),
            ("SELECT ';", Some(Open::Text)),
            ("SELECT E'a\\'", Some(Open::Text)),
            ("SELECT \"a;", Some(Open::QuotedName)),
            ("SELECT `a;", Some(Open::QuotedName)),
            ("SELECT /* ;", Some(Open::Comment)),
            ("SELECT /* /* */ ;", Some(Open::Comment)),
            ("SELECT $x$ ;", Some(Open::DollarQuote)),
            ("SELECT $$ ;", Some(Open::DollarQuote)),
        ];
        for (text, expected) in cases {
            let expected = expected.map_or(Completeness::Complete, |why| {
                Completeness::Incomplete { why }
            });
            assert_eq!(completeness(text), expected, "{text}");
        }
    }
}
