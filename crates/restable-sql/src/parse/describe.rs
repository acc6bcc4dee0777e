//! DESCRIBE.

use sqlparser::ast::{Ident, ObjectName};
use sqlparser::tokenizer::Token;

use super::query;
use crate::cursor::Cursor;
use crate::error::Diagnostic;
use crate::span::Span;
use crate::statement::Describe;

/// `DESCRIBE [METHOD|TABLE|VIEW] [EXTENDED|FULL|FORMATTED] name`, or a query.
pub(super) fn describe(cursor: &mut Cursor<'_>) -> Result<Describe, Diagnostic> {
    let start = cursor.next_span();
    cursor.skip();
    // A table may have the name of a keyword; then nothing follows, or a dot.
    let named = matches!(cursor.peek_second(), None | Some(Token::Period)) || cursor.sees("TABLE");
    if query::is_query(cursor.peek()) && !named
        || cursor.peek() == Some(&Token::LParen) && query::opens_query(cursor)
    {
        return cursor
            .parser(|parser| parser.parse_query())
            .map(Describe::Query);
    }
    let mut extended = extended(cursor);
    let is_method = before_a_name(cursor) && cursor.eat("METHOD");
    if !is_method && before_a_name(cursor) {
        let _ = cursor.eat_any(&["TABLE", "VIEW"]);
    }
    extended |= self::extended(cursor);
    if is_method {
        let (table, method, _) = method(cursor)?;
        return Ok(Describe::Method {
            table,
            method,
            extended,
            span: start.to(cursor.last_span()),
        });
    }
    let (name, _) = cursor.name("the name of a table")?;
    Ok(Describe::Table {
        name,
        extended,
        span: start.to(cursor.last_span()),
    })
}

/// The word before is a keyword only if a name follows: `DESCRIBE method` is a table of that name.
fn before_a_name(cursor: &Cursor<'_>) -> bool {
    matches!(cursor.peek_second(), Some(Token::Word(_)))
}

fn extended(cursor: &mut Cursor<'_>) -> bool {
    before_a_name(cursor) && cursor.eat_any(&["EXTENDED", "FULL", "FORMATTED"])
}

/// `table.method`: what stands after the last dot is the method.
pub(super) fn method(cursor: &mut Cursor<'_>) -> Result<(ObjectName, Ident, Span), Diagnostic> {
    let start = cursor.next_span();
    let mut parts = vec![cursor.ident("a method, as `table.method`")?];
    while cursor.eat_token(&Token::Period) {
        parts.push(cursor.ident("a name after `.`")?);
    }
    let span = start.to(cursor.last_span());
    match parts.pop() {
        Some(method) if !parts.is_empty() => Ok((ObjectName::from(parts), method, span)),
        _ => Err(Diagnostic::new(
            crate::error::code::SYNTAX,
            format!(
                "`{}` names no method",
                crate::syntax::shown(span.of(cursor.script))
            ),
        )
        .at(span)
        .help("a method is written `table.method`, for example `backup_instances.adhoc_backup`")),
    }
}

/// A word, a number or a text.
pub(super) fn word(cursor: &mut Cursor<'_>, expected: &str) -> Result<String, Diagnostic> {
    match cursor.peek() {
        Some(Token::Word(word)) => {
            cursor.skip();
            Ok(word.value.clone())
        }
        Some(Token::Number(digits, _)) => {
            cursor.skip();
            Ok(digits.clone())
        }
        _ => cursor.text(expected),
    }
}
