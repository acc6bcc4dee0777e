//! Words that `sqlparser` knows in fewer places than PostgreSQL. `WITH x AS [NOT] MATERIALIZED (…)`: how a query is computed, which does not change what it answers. Owns that `sqlparser`, which knows
//! these words for PostgreSQL's own dialect only, does not see them; and that it sees `SELECT * FROM t` for `TABLE t`, of which it knows
//! names of two parts only, and the planner none.

use sqlparser::tokenizer::{Token, TokenWithSpan};

use crate::cursor::is_keyword;
use crate::error::{Diagnostic, code};
use crate::lexer::Lexed;

/// What can stand after the last column of a SELECT list, and is no name of a table.
const AFTER_A_COLUMN: &[&str] = &[
    "FROM",
    "WHERE",
    "GROUP",
    "HAVING",
    "WINDOW",
    "ORDER",
    "LIMIT",
    "OFFSET",
    "FETCH",
    "FOR",
    "UNION",
    "EXCEPT",
    "INTERSECT",
    "INTO",
];

/// The tokens without those words.
pub(super) fn plain(lexed: Lexed) -> Lexed {
    let token = |at: usize| lexed.tokens.get(at).map(|it| &it.token);
    let end = lexed.tokens.len();
    let said = |at: usize| {
        let mut word = Some(at);
        if is_keyword(token(at), "NOT") {
            word = lexed.solid(at + 1, end);
        }
        let word = word.filter(|word| is_keyword(token(*word), "MATERIALIZED"))?;
        let opened = lexed.solid(word + 1, end)?;
        let after = lexed.solid_before(at)?;
        let is_with = is_keyword(token(after), "AS") && token(opened) == Some(&Token::LParen);
        is_with.then_some(opened)
    };
    let first = (0..end).find(|at| is_keyword(token(*at), "MATERIALIZED"));
    if first.is_none() || !(0..end).any(|at| said(at).is_some()) {
        return lexed;
    }
    without(&lexed, said)
}

/// The tokens that stay; `skips` says of the first of those that go which one follows them.
fn without(lexed: &Lexed, skips: impl Fn(usize) -> Option<usize>) -> Lexed {
    let mut plain = Lexed {
        placeholders: lexed.placeholders.clone(),
        ..Lexed::default()
    };
    let mut at = 0;
    while at < lexed.tokens.len() {
        match skips(at) {
            Some(next) => at = next,
            None => {
                plain.push(lexed.tokens[at].clone(), lexed.spans[at]);
                at += 1;
            }
        }
    }
    plain
}

/// The tokens of a CREATE without the WITH DATA at its end, which says what is done anyway.
///
/// # Errors
/// WITH NO DATA.
pub(super) fn data(mut lexed: Lexed) -> Result<Lexed, Diagnostic> {
    let end = lexed.tokens.len();
    let is = |at: Option<usize>, word: &str| {
        let token = at.and_then(|at| lexed.tokens.get(at));
        is_keyword(token.map(|it| &it.token), word)
    };
    let last = lexed.solid_before(end);
    if !is(lexed.solid(0, end), "CREATE") || !is(last, "DATA") {
        return Ok(lexed);
    }
    let before = last.and_then(|at| lexed.solid_before(at));
    let first = before.and_then(|at| lexed.solid_before(at));
    match (before, last) {
        (Some(no), Some(last)) if is(before, "NO") && is(first, "WITH") => {
            let place = lexed.spans[no].to(lexed.spans[last]);
            let told = "WITH NO DATA is not supported: what is created has its rows";
            Err(Diagnostic::new(code::UNSUPPORTED, told).at(place))
        }
        (Some(with), _) if is(before, "WITH") => {
            lexed.tokens.truncate(with);
            lexed.spans.truncate(with);
            Ok(lexed)
        }
        _ => Ok(lexed),
    }
}

/// The tokens with `SELECT * FROM` for the `TABLE` that begins a query.
pub(super) fn queried(lexed: Lexed) -> Lexed {
    let token = |at: usize| lexed.tokens.get(at).map(|it| &it.token);
    let end = lexed.tokens.len();
    let begins = |at: usize| {
        let named = lexed.solid(at + 1, end);
        let named = named.is_some_and(|next| {
            // Before one of these it is the name of a column: `SELECT x AS table FROM t`.
            let goes_on = AFTER_A_COLUMN
                .iter()
                .any(|word| is_keyword(token(next), word));
            matches!(token(next), Some(Token::Word(_))) && !goes_on
        });
        let opened = match lexed.solid_before(at) {
            None => true,
            Some(before) => {
                token(before) == Some(&Token::LParen)
                    || ["UNION", "EXCEPT", "INTERSECT", "ALL", "AS"]
                        .iter()
                        .any(|word| is_keyword(token(before), word))
            }
        };
        is_keyword(token(at), "TABLE") && named && opened
    };
    let begun: Vec<usize> = (0..end).filter(|at| begins(*at)).collect();
    if begun.is_empty() {
        return lexed;
    }
    let mut queried = Lexed {
        placeholders: lexed.placeholders.clone(),
        ..Lexed::default()
    };
    for (at, (token, span)) in lexed.tokens.into_iter().zip(lexed.spans).enumerate() {
        if !begun.contains(&at) {
            queried.push(token, span);
            continue;
        }
        let words = [
            Token::make_keyword("SELECT"),
            Token::Mul,
            Token::make_keyword("FROM"),
        ];
        for word in words {
            queried.push(TokenWithSpan::new(word, token.span), span);
        }
    }
    queried
}

/// Functions with a syntax of their own, which `sqlparser` does not know with a schema before them.
const OF_SYNTAX: &[&str] = &[
    "SUBSTRING",
    "POSITION",
    "OVERLAY",
    "TRIM",
    "EXTRACT",
    "CEIL",
    "FLOOR",
];

/// The tokens without the `pg_catalog.` before such a function.
pub(super) fn unqualified(lexed: Lexed) -> Lexed {
    let token = |at: usize| lexed.tokens.get(at).map(|it| &it.token);
    let end = lexed.tokens.len();
    let qualifies = |at: usize| {
        let named = matches!(token(at), Some(Token::Word(word)) if word.value.eq_ignore_ascii_case("pg_catalog"));
        let period = lexed.solid(at + 1, end).filter(|_| named)?;
        let function = lexed.solid(period + 1, end)?;
        let opened = lexed.solid(function + 1, end)?;
        let known = OF_SYNTAX
            .iter()
            .any(|word| is_keyword(token(function), word));
        let fits =
            token(period) == Some(&Token::Period) && token(opened) == Some(&Token::LParen) && known;
        fits.then_some(function)
    };
    if !(0..end).any(|at| qualifies(at).is_some()) {
        return lexed;
    }
    without(&lexed, qualifies)
}
