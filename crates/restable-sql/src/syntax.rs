//! `sqlparser`'s errors in our words. Owns the translation of its messages and the place of the fault.

use sqlparser::parser::ParserError;
use sqlparser::tokenizer::{Location, Token};

use crate::dialect::{Restable, Stopped};
use crate::error::{Diagnostic, code};
use crate::lexer::Lexed;
use crate::limits;
use crate::parse::VERBS;
use crate::span::Span;
use crate::suggest::closest;

/// Words that continue a query; a misspelled one is taken for an alias, and the fault shows only at the next word.
const CONTINUATIONS: [&str; 22] = [
    "FROM",
    "WHERE",
    "GROUP",
    "ORDER",
    "HAVING",
    "LIMIT",
    "OFFSET",
    "UNION",
    "INTERSECT",
    "EXCEPT",
    "JOIN",
    "LEFT",
    "RIGHT",
    "INNER",
    "CROSS",
    "VALUES",
    "SET",
    "RETURNING",
    "USING",
    "SELECT",
    "INTO",
    "QUALIFY",
];

/// The tokens that were given to the parser, and where they stop.
pub(crate) struct Given<'a> {
    pub(crate) lexed: &'a Lexed,
    pub(crate) begin: usize,
    pub(crate) end: usize,
}

impl Given<'_> {
    /// The token at a place in the parser's own count; at the end, an empty span there.
    pub(crate) fn place(&self, index: usize) -> Span {
        match self.lexed.spans.get(self.begin + index) {
            Some(&span) if self.begin + index < self.end => span,
            _ => self.end_place(),
        }
    }

    fn end_place(&self) -> Span {
        let last = self
            .lexed
            .solid_before(self.end)
            .map_or(0, |at| self.lexed.spans[at].end);
        Span::new(last, last)
    }

    fn located(&self, location: Location) -> Option<usize> {
        let tokens = &self.lexed.tokens[self.begin..self.end];
        let at = tokens.partition_point(|token| token.span.start < location);
        tokens
            .get(at)
            .filter(|token| token.span.start == location)
            .map(|_| self.begin + at)
    }
}

/// A parser's error as a diagnostic.
pub(crate) fn translate(
    script: &str,
    error: &ParserError,
    given: &Given<'_>,
    dialect: &Restable,
) -> Diagnostic {
    let text = match error {
        ParserError::RecursionLimitExceeded => {
            return match dialect.stopped() {
                Some((Stopped::Chain, index)) => limits::chain_too_long(given.place(index)),
                Some((Stopped::Depth, index)) => limits::too_deep_expression(given.place(index)),
                Some((Stopped::Steps, index)) => limits::too_complex(given.place(index)),
                None => limits::too_deep(given.place(0)),
            };
        }
        ParserError::ParserError(text) | ParserError::TokenizerError(text) => text.as_str(),
    };
    let (message, location) = without_location(text);
    let at = location.and_then(|location| given.located(location));
    let span = at.map_or_else(|| given.end_place(), |at| given.lexed.spans[at]);
    let Some((expected, _)) = message
        .strip_prefix("Expected: ")
        .and_then(|rest| rest.rsplit_once(", found: "))
    else {
        return Diagnostic::new(code::SYNTAX, plain(message)).at(span);
    };
    if expected == "placeholder" {
        let mark = at
            .and_then(|at| given.lexed.solid_before(at))
            .map_or(span, |mark| given.lexed.spans[mark]);
        let fault = Diagnostic::new(
            code::SYNTAX,
            format!("expected an expression, found {}", found(script, mark)),
        );
        return fault
            .at(mark)
            .help("a placeholder is written `:name`; `@name` stands only in EXEC");
    }
    unexpected(script, &wanted(expected), span, given, at)
}

/// "expected X, found Y" at a token, with the words that may have been meant.
pub(crate) fn unexpected(
    script: &str,
    expected: &str,
    span: Span,
    given: &Given<'_>,
    at: Option<usize>,
) -> Diagnostic {
    // Where a part of the statement was read alone, what stopped it is the token after the part.
    let stop = given.lexed.solid(given.end, given.lexed.tokens.len());
    let span = match stop {
        Some(stop) if span.start == span.end => given.lexed.spans[stop],
        _ => span,
    };
    let message = format!("expected {expected}, found {}", found(script, span));
    let diagnostic = Diagnostic::new(code::SYNTAX, message).at(span);
    let candidates = [at, at.and_then(|at| given.lexed.solid_before(at))];
    if expected.contains("end of the statement") {
        // A verb may have been taken for an alias, so the token before the fault counts too.
        let verb = candidates.into_iter().rev().flatten().find_map(|at| {
            let text = given.lexed.spans[at].of(script);
            VERBS
                .iter()
                .any(|verb| verb.eq_ignore_ascii_case(text))
                .then_some(text)
        });
        if let Some(verb) = verb {
            return diagnostic.help(format!("is a `;` missing before `{verb}`?"));
        }
    }
    let meant =
        candidates
            .into_iter()
            .flatten()
            .find_map(|at| match &given.lexed.tokens[at].token {
                Token::Word(word) if word.quote_style.is_none() => {
                    let near = closest(&word.value, CONTINUATIONS)?;
                    (!near.eq_ignore_ascii_case(&word.value)).then_some((word.value.clone(), near))
                }
                _ => None,
            });
    match meant {
        Some((written, near)) => {
            diagnostic.help(format!("is `{}` meant as `{near}`?", shown(&written)))
        }
        None => diagnostic,
    }
}

fn found(script: &str, span: Span) -> String {
    match span.of(script) {
        "" => "the end of the statement".to_owned(),
        text => format!("`{}`", shown(text)),
    }
}

/// A piece of the user's text for a message: cut, control characters escaped.
pub(crate) fn shown(text: &str) -> String {
    const LONGEST: usize = 40;
    let mut shown = String::new();
    for (count, character) in text.chars().enumerate() {
        if count == LONGEST {
            shown.push('…');
            break;
        }
        crate::render::push_printable(&mut shown, character);
    }
    shown
}

fn without_location(text: &str) -> (&str, Option<Location>) {
    let Some((message, rest)) = text.rsplit_once(" at Line: ") else {
        return (text, None);
    };
    let location = rest.split_once(", Column: ").and_then(|(line, column)| {
        Some(Location::new(
            line.trim().parse().ok()?,
            column.trim().parse().ok()?,
        ))
    });
    (message, location)
}

/// `sqlparser` names what it wanted in many styles: a mark, a keyword, a phrase.
fn wanted(expected: &str) -> String {
    let expected = expected.trim();
    match expected {
        "an expression" => "an expression".to_owned(),
        "end of statement" | "EOF" => "the end of the statement or `;`".to_owned(),
        "identifier" => "a name".to_owned(),
        "a data type name" => "a data type".to_owned(),
        "literal string" => "a text in `'`".to_owned(),
        "literal int" => "a whole number".to_owned(),
        "an SQL statement" => "a statement".to_owned(),
        "joined table" => "a table or a join".to_owned(),
        one if !one.contains(' ') => format!("`{one}`"),
        other => plain(other),
    }
}

/// A foreign message in our style: one line, lower case start, no full stop, nothing unprintable.
pub(crate) fn plain(message: &str) -> String {
    let message = message
        .trim()
        .trim_start_matches("sql parser error: ")
        .trim_end_matches('.');
    let mut plain = String::new();
    for character in message.chars().take(300) {
        crate::render::push_printable(&mut plain, character);
    }
    let mut letters = plain.chars();
    match (letters.next(), letters.next()) {
        (Some(first), Some(second))
            if first.is_ascii_uppercase() && second.is_ascii_lowercase() =>
        {
            format!("{}{}", first.to_ascii_lowercase(), &plain[1..])
        }
        _ => plain,
    }
}
