//! USE, SET, RESET: what changes the session and nothing else; and REFRESH, which has but a name.

use sqlparser::ast::ObjectName;
use sqlparser::tokenizer::Token;

use super::connection;
use crate::cursor::Cursor;
use crate::error::{Diagnostic, code};
use crate::statement::{Refresh, Reset, Set, SetValue, Statement};

/// `USE [SCHEMA|CATALOG|DATABASE] name`.
pub(super) fn using(cursor: &mut Cursor<'_>) -> Result<ObjectName, Diagnostic> {
    cursor.skip();
    if matches!(cursor.peek_second(), Some(Token::Word(_))) {
        let _ = cursor.eat_any(&["SCHEMA", "CATALOG", "DATABASE"]);
    }
    cursor
        .name("a provider, or `provider.service`")
        .map(|(name, _)| name)
}

/// `SET [SESSION|LOCAL] key = value` and PostgreSQL's other forms.
pub(super) fn set(cursor: &mut Cursor<'_>) -> Result<Statement, Diagnostic> {
    let start = *cursor;
    cursor.skip();
    if let Some(modes) = connection::characteristics(cursor)? {
        return Ok(Statement::Connection(modes));
    }
    let scoped = !matches!(cursor.peek_second(), Some(Token::Eq | Token::Period)) && !is_to(cursor);
    let local = scoped && cursor.eat("LOCAL");
    if scoped && !local {
        let _ = cursor.eat("SESSION");
    }
    let span = start.next_span();
    let key_start = cursor.next_span();
    let (key, assigned) = if cursor.eat_all(&["TIME", "ZONE"]) {
        ("timezone".to_owned(), false)
    } else if cursor.sees("NAMES") && !matches!(cursor.peek_second(), Some(Token::Eq)) {
        cursor.skip();
        ("client_encoding".to_owned(), false)
    } else if cursor.sees("ROLE")
        && !matches!(cursor.peek_second(), Some(Token::Eq))
        && !is_to(cursor)
    {
        cursor.skip();
        ("role".to_owned(), false)
    } else if !local && scoped && cursor.eat("AUTHORIZATION") {
        ("session_authorization".to_owned(), false)
    } else {
        (key(cursor)?, true)
    };
    let key_span = key_start.to(cursor.last_span());
    if assigned && !cursor.eat_token(&Token::Eq) && !cursor.eat("TO") {
        return Err(cursor.unexpected("`=`"));
    }
    let is_zone = key == "timezone" && !assigned;
    if cursor.sees("DEFAULT") || (is_zone && cursor.sees("LOCAL")) {
        cursor.skip();
        return Ok(Statement::Reset(Reset {
            key: Some(key),
            span: span.to(cursor.last_span()),
        }));
    }
    // An offset may be written as `INTERVAL '+02:00' HOUR TO MINUTE`.
    let is_offset = is_zone && cursor.eat("INTERVAL");
    let value_start = cursor.next_span();
    let mut values = vec![value(cursor)?];
    if is_offset && !cursor.eat_all(&["HOUR", "TO", "MINUTE"]) {
        let _ = cursor.eat("HOUR");
    }
    while cursor.eat_token(&Token::Comma) {
        values.push(value(cursor)?);
    }
    let value = match values.pop() {
        Some(only) if values.is_empty() => only,
        last => SetValue::List(values.into_iter().chain(last).collect()),
    };
    let value_span = value_start.to(cursor.last_span());
    Ok(Statement::Set(Set {
        key,
        key_span,
        value,
        value_span,
        local,
        span: span.to(value_span),
    }))
}

fn is_to(cursor: &Cursor<'_>) -> bool {
    crate::cursor::is_keyword(cursor.peek_second(), "TO")
}

/// `RESET key` or `RESET ALL`.
pub(super) fn reset(cursor: &mut Cursor<'_>) -> Result<Reset, Diagnostic> {
    let start = cursor.next_span();
    cursor.skip();
    let key = if cursor.eat("ALL") {
        None
    } else if cursor.eat_all(&["TIME", "ZONE"]) {
        Some("timezone".to_owned())
    } else {
        Some(key(cursor)?)
    };
    Ok(Reset {
        key,
        span: start.to(cursor.last_span()),
    })
}

/// `REFRESH MATERIALIZED VIEW [CONCURRENTLY] name [WITH DATA]`: readers are never held up, and there is always data.
pub(super) fn refresh(cursor: &mut Cursor<'_>) -> Result<Refresh, Diagnostic> {
    let start = cursor.next_span();
    cursor.skip();
    cursor.expect("MATERIALIZED")?;
    cursor.expect("VIEW")?;
    if !matches!(cursor.peek_second(), None | Some(Token::Period)) {
        let _ = cursor.eat("CONCURRENTLY");
    }
    let (name, name_span) = cursor.name("the name of a materialized view")?;
    if cursor.eat("WITH") {
        let place = cursor.next_span();
        if cursor.eat("NO") {
            return Err(
                Diagnostic::new(code::UNSUPPORTED, "WITH NO DATA is not supported")
                    .at(place)
                    .help("DROP MATERIALIZED VIEW removes the data"),
            );
        }
        cursor.expect("DATA")?;
    }
    Ok(Refresh {
        name,
        name_span,
        span: start.to(cursor.last_span()),
    })
}

/// A dotted key, parts joined as written.
pub(super) fn key(cursor: &mut Cursor<'_>) -> Result<String, Diagnostic> {
    let mut key = cursor.ident("the name of a setting")?.value;
    while cursor.eat_token(&Token::Period) {
        key.push('.');
        key.push_str(&cursor.ident("a name after `.`")?.value);
    }
    Ok(key)
}

fn value(cursor: &mut Cursor<'_>) -> Result<SetValue, Diagnostic> {
    let negative = cursor.eat_token(&Token::Minus);
    if !negative {
        let _ = cursor.eat_token(&Token::Plus);
    }
    let value = match cursor.peek() {
        Some(Token::Number(digits, _)) if negative => SetValue::Number(format!("-{digits}")),
        Some(Token::Number(digits, _)) => SetValue::Number(digits.clone()),
        _ if negative => return Err(cursor.unexpected("a number")),
        Some(Token::SingleQuotedString(text) | Token::EscapedStringLiteral(text)) => {
            SetValue::Text(text.clone())
        }
        Some(Token::Word(word)) if word.quote_style.is_some() => SetValue::Text(word.value.clone()),
        Some(Token::Word(word)) => SetValue::Word(word.value.clone()),
        Some(Token::Placeholder(name)) => {
            SetValue::Placeholder(name.trim_start_matches('$').to_owned())
        }
        _ => return Err(cursor.unexpected("a value")),
    };
    cursor.skip();
    Ok(value)
}
