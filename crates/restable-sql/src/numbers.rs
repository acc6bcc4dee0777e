//! Numbers that `sqlparser` reads as two tokens, or as bytes: `1_000`, `0x1F`, `0o17` and `0b101`, as PostgreSQL 16 has them. Without this
//! the second half would be the alias of the first.

use sqlparser::tokenizer::{Token, TokenWithSpan};

use crate::lexer::Lexed;
use crate::span::Span;

/// What a token is, beside the one before it.
pub(crate) enum Read {
    /// A token of its own.
    Apart,
    /// This number.
    Instead(Token),
    /// With the token before it, this number.
    Longer(Token),
}

/// Reads a token behind those that were read.
pub(crate) fn read_on(before: &Lexed, token: &TokenWithSpan, span: Span, script: &str) -> Read {
    let written = script.get(span.start..span.end).unwrap_or_default();
    let number = |whole: u128| Token::Number(whole.to_string(), false);
    if let Token::HexStringLiteral(digits) = &token.token
        && written.starts_with("0x")
    {
        return match whole(digits, 16) {
            Some(value) => Read::Instead(number(value)),
            None => Read::Apart,
        };
    }
    let (Some(last), Some(place)) = (before.tokens.last(), before.spans.last()) else {
        return Read::Apart;
    };
    let Token::Number(digits, false) = &last.token else {
        return Read::Apart;
    };
    let word = match &token.token {
        // What is behind the point of `1_000.5`.
        Token::Number(fraction, false)
            if place.end == span.start && fraction.starts_with('.') && !digits.contains('.') =>
        {
            return Read::Longer(Token::Number(format!("{digits}{fraction}"), false));
        }
        Token::Word(word) if place.end == span.start && word.quote_style.is_none() => word,
        _ => return Read::Apart,
    };
    if digits == "0" {
        let rest = word.value.get(1..).unwrap_or_default();
        let base = match word.value.as_bytes().first() {
            Some(b'x' | b'X') => 16,
            Some(b'o' | b'O') => 8,
            Some(b'b' | b'B') => 2,
            _ => 0,
        };
        if base > 0
            && let Some(value) = whole(rest, base)
        {
            return Read::Longer(number(value));
        }
    }
    let rest = word.value.as_str();
    let parted = rest.starts_with('_')
        && !rest.ends_with('_')
        && !rest.contains("__")
        && rest
            .bytes()
            .all(|one| matches!(one, b'_' | b'e' | b'E' | b'0'..=b'9'));
    let number = digits.clone() + &rest.replace('_', "");
    // One exponent at most.
    match parted && number.parse::<f64>().is_ok() {
        true => Read::Longer(Token::Number(number, false)),
        false => Read::Apart,
    }
}

fn whole(digits: &str, base: u32) -> Option<u128> {
    let digits = digits.replace('_', "");
    u128::from_str_radix(&digits, base).ok()
}
