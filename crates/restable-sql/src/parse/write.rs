//! INSERT, REPLACE, UPDATE and DELETE.

use sqlparser::ast::{Expr, Ident, SelectItem};
use sqlparser::parser::Parser;
use sqlparser::tokenizer::Token;

use super::{hints, query};
use crate::cursor::{Cursor, is_keyword};
use crate::error::{Diagnostic, code};
use crate::span::Span;
use crate::statement::{Assignment, Attribute, Delete, Hints, Insert, Replace, Statement, Update};
use crate::syntax::shown;

/// `INSERT [OR REPLACE] INTO table (columns) source [ON CONFLICT DO NOTHING] [RETURNING …]`.
pub(super) fn insert(cursor: &mut Cursor<'_>) -> Result<Statement, Diagnostic> {
    let start = cursor.next_span();
    cursor.skip();
    let hints = hints::hints(cursor)?;
    let replace = cursor.eat_all(&["OR", "REPLACE"]);
    if cursor.sees("IGNORE") || cursor.sees("OVERWRITE") || cursor.sees("OR") {
        return Err(unsupported(
            cursor,
            "this form of INSERT",
            "write INSERT INTO … ON CONFLICT DO NOTHING, or REPLACE INTO …",
        ));
    }
    let rows = rows(cursor, start, hints)?;
    Ok(if replace {
        Statement::Replace(Replace::Rows(rows))
    } else {
        Statement::Insert(rows)
    })
}

/// `REPLACE INTO table …`, or StackQL's `REPLACE table SET …`.
pub(super) fn replace(cursor: &mut Cursor<'_>) -> Result<Statement, Diagnostic> {
    let start = cursor.next_span();
    cursor.skip();
    let hints = hints::hints(cursor)?;
    let replace = if cursor.sees("INTO") {
        Replace::Rows(rows(cursor, start, hints)?)
    } else {
        Replace::Set(Box::new(changes(cursor, start, hints)?))
    };
    Ok(Statement::Replace(replace))
}

/// `UPDATE table [AS alias] SET … [WHERE …] [RETURNING …]`.
pub(super) fn update(cursor: &mut Cursor<'_>) -> Result<Statement, Diagnostic> {
    let start = cursor.next_span();
    cursor.skip();
    let hints = hints::hints(cursor)?;
    changes(cursor, start, hints).map(Statement::Update)
}

/// `DELETE FROM table [AS alias] [WHERE …] [RETURNING …]`.
pub(super) fn delete(cursor: &mut Cursor<'_>) -> Result<Statement, Diagnostic> {
    let start = cursor.next_span();
    cursor.skip();
    let hints = hints::hints(cursor)?;
    cursor.expect("FROM")?;
    let (table, table_span) = cursor.name("the name of a table")?;
    let alias = alias(cursor)?;
    if cursor.sees("USING") {
        return Err(unsupported(
            cursor,
            "DELETE … USING",
            "write WHERE … IN (SELECT …)",
        ));
    }
    let selection = selection(cursor)?;
    let returning = returning(cursor)?;
    let span = start.to(cursor.last_span());
    Ok(Statement::Delete(Delete {
        hints,
        table,
        table_span,
        alias,
        selection,
        returning,
        span,
    }))
}

fn rows(cursor: &mut Cursor<'_>, start: Span, hints: Hints) -> Result<Insert, Diagnostic> {
    cursor.expect("INTO")?;
    let (table, table_span) = cursor.name("the name of a table")?;
    let columns = columns(cursor)?;
    if cursor.sees("DEFAULT") {
        return Err(unsupported(
            cursor,
            "DEFAULT VALUES",
            "name the columns and give their values",
        ));
    }
    if cursor.sees("SET") {
        return Err(unsupported(
            cursor,
            "INSERT … SET",
            "write INSERT INTO table (columns) VALUES (…)",
        ));
    }
    if !query::is_query(cursor.peek()) && !query::opens_query(cursor) {
        let expected = if columns.is_empty() {
            "`(` and columns, `VALUES` or `SELECT`"
        } else {
            "`VALUES` or `SELECT`"
        };
        return Err(cursor.unexpected(expected));
    }
    let source = cursor.parser(|parser| parser.parse_query())?;
    let on_conflict_do_nothing = conflict(cursor)?;
    let returning = returning(cursor)?;
    let span = start.to(cursor.last_span());
    Ok(Insert {
        hints,
        table,
        table_span,
        columns,
        source,
        on_conflict_do_nothing,
        returning,
        span,
    })
}

fn columns(cursor: &mut Cursor<'_>) -> Result<Vec<Attribute>, Diagnostic> {
    let mut columns: Vec<Attribute> = Vec::new();
    if cursor.peek() != Some(&Token::LParen) || opens_source(cursor) {
        return Ok(columns);
    }
    cursor.skip();
    loop {
        let column = attribute(cursor, "the name of a column")?;
        columns.push(column);
        if !cursor.eat_token(&Token::Comma) {
            break;
        }
    }
    cursor.expect_token(&Token::RParen)?;
    match twice(columns.iter()) {
        Some(column) => Err(Diagnostic::new(
            code::TWICE,
            format!("the column `{}` is named twice", shown(&column.dotted())),
        )
        .at(column.span)),
        None => Ok(columns),
    }
}

/// `(SELECT …`, but not `(values, table)`, which are columns.
fn opens_source(cursor: &Cursor<'_>) -> bool {
    let mut ahead = *cursor;
    while ahead.eat_token(&Token::LParen) {}
    query::is_query(ahead.peek())
        && !matches!(
            ahead.peek_second(),
            Some(Token::Comma | Token::RParen | Token::Period)
        )
}

fn conflict(cursor: &mut Cursor<'_>) -> Result<bool, Diagnostic> {
    if !cursor.sees("ON") {
        return Ok(false);
    }
    let place = cursor.next_span();
    cursor.skip();
    if cursor.eat("DUPLICATE") {
        let fault = Diagnostic::new(code::UNSUPPORTED, "ON DUPLICATE KEY is not supported");
        return Err(fault
            .at(place.to(cursor.last_span()))
            .help("write REPLACE INTO …"));
    }
    cursor.expect("CONFLICT")?;
    if cursor.eat_token(&Token::LParen) {
        loop {
            let _ = attribute(cursor, "the name of a column")?;
            if !cursor.eat_token(&Token::Comma) {
                break;
            }
        }
        cursor.expect_token(&Token::RParen)?;
    }
    cursor.expect("DO")?;
    if cursor.eat("UPDATE") {
        let fault = Diagnostic::new(code::UNSUPPORTED, "ON CONFLICT DO UPDATE is not supported");
        return Err(fault
            .at(place.to(cursor.last_span()))
            .help("write REPLACE INTO …, which creates or replaces"));
    }
    cursor.expect("NOTHING")?;
    Ok(true)
}

fn changes(cursor: &mut Cursor<'_>, start: Span, hints: Hints) -> Result<Update, Diagnostic> {
    let (table, table_span) = cursor.name("the name of a table")?;
    let alias = alias(cursor)?;
    cursor.expect("SET")?;
    if cursor.peek() == Some(&Token::LParen) {
        return Err(unsupported(
            cursor,
            "SET (…) = (…)",
            "write SET a = …, b = …",
        ));
    }
    let assignments = assignments(cursor)?;
    if cursor.sees("FROM") {
        return Err(unsupported(
            cursor,
            "UPDATE … FROM",
            "take the value from a scalar subquery",
        ));
    }
    let selection = selection(cursor)?;
    let returning = returning(cursor)?;
    let span = start.to(cursor.last_span());
    Ok(Update {
        hints,
        table,
        table_span,
        alias,
        assignments,
        selection,
        returning,
        span,
    })
}

/// All assignments are read in one go: a long list costs one copy of its tokens, not one for each.
fn assignments(cursor: &mut Cursor<'_>) -> Result<Vec<Assignment>, Diagnostic> {
    let begin = cursor.at;
    let mut marks = Vec::new();
    let values = cursor.parser(|parser| {
        parser.parse_comma_separated(|parser| {
            let first = parser.index();
            parser.parse_identifier()?;
            while parser.consume_token(&Token::Period) {
                parser.parse_identifier()?;
            }
            parser.expect_token(&Token::Eq)?;
            let value = parser.parse_expr()?;
            marks.push((first, parser.index()));
            Ok(value)
        })
    })?;
    let mut assignments = Vec::with_capacity(values.len());
    for (value, (first, last)) in values.into_iter().zip(marks) {
        let mut name = Cursor {
            at: begin + first,
            ..*cursor
        };
        let target = attribute(&mut name, "the name of a column")?;
        let end = cursor
            .lexed
            .solid_before(begin + last)
            .map_or(target.span, |at| cursor.lexed.spans[at]);
        let span = target.span.to(end);
        assignments.push(Assignment {
            target,
            value,
            span,
        });
    }
    match twice(assignments.iter().map(|assignment| &assignment.target)) {
        Some(target) => Err(Diagnostic::new(
            code::TWICE,
            format!("`{}` is set twice", shown(&target.dotted())),
        )
        .at(target.span)),
        None => Ok(assignments),
    }
}

/// `name`, `data__name`, `name.part.part`.
pub(super) fn attribute(cursor: &mut Cursor<'_>, expected: &str) -> Result<Attribute, Diagnostic> {
    let start = cursor.next_span();
    let mut path = vec![cursor.ident(expected)?.value];
    while cursor.eat_token(&Token::Period) {
        path.push(cursor.ident("a name after `.`")?.value);
    }
    named(cursor, path, start.to(cursor.last_span()))
}

/// Takes `data__` off the first part.
pub(super) fn named(
    cursor: &Cursor<'_>,
    mut path: Vec<String>,
    span: Span,
) -> Result<Attribute, Diagnostic> {
    const PREFIX: &str = "data__";
    let data_prefix = path[0]
        .get(..PREFIX.len())
        .is_some_and(|begin| begin.eq_ignore_ascii_case(PREFIX));
    if data_prefix {
        path[0].drain(..PREFIX.len());
    }
    if path.iter().any(String::is_empty) {
        let text = shown(span.of(cursor.script));
        return Err(Diagnostic::new(code::SYNTAX, format!("`{text}` names nothing")).at(span));
    }
    Ok(Attribute {
        path,
        data_prefix,
        span,
    })
}

/// The first attribute that an earlier one names too; `a` and `a.b` name the same.
pub(super) fn twice<'a>(attributes: impl Iterator<Item = &'a Attribute>) -> Option<&'a Attribute> {
    let mut wholes = std::collections::HashSet::new();
    let mut beginnings = std::collections::HashSet::new();
    for attribute in attributes {
        let mut key = String::from(if attribute.data_prefix { "data__" } else { "" });
        let mut above = false;
        for (depth, part) in attribute.path.iter().enumerate() {
            if depth > 0 {
                beginnings.insert(key.clone());
                key.push('\u{0}');
            }
            key.push_str(&part.to_ascii_lowercase());
            above |= wholes.contains(&key);
        }
        if above || beginnings.contains(&key) {
            return Some(attribute);
        }
        wholes.insert(key);
    }
    None
}

fn alias(cursor: &mut Cursor<'_>) -> Result<Option<Ident>, Diagnostic> {
    const NEXT: [&str; 8] = [
        "SET",
        "WHERE",
        "RETURNING",
        "USING",
        "FROM",
        "ORDER",
        "LIMIT",
        "JOIN",
    ];
    if cursor.eat("AS") {
        return cursor.ident("an alias").map(Some);
    }
    let next = cursor.peek();
    let is_alias =
        matches!(next, Some(Token::Word(_))) && !NEXT.iter().any(|word| is_keyword(next, word));
    if is_alias {
        cursor.ident("an alias").map(Some)
    } else {
        Ok(None)
    }
}

fn selection(cursor: &mut Cursor<'_>) -> Result<Option<Expr>, Diagnostic> {
    if cursor.eat("WHERE") {
        cursor.parser(|parser| parser.parse_expr()).map(Some)
    } else {
        Ok(None)
    }
}

fn returning(cursor: &mut Cursor<'_>) -> Result<Option<Vec<SelectItem>>, Diagnostic> {
    if !cursor.eat("RETURNING") {
        return Ok(None);
    }
    cursor
        .parser(|parser| parser.parse_comma_separated(Parser::parse_select_item))
        .map(Some)
}

fn unsupported(cursor: &Cursor<'_>, what: &str, instead: &str) -> Diagnostic {
    Diagnostic::new(code::UNSUPPORTED, format!("{what} is not supported"))
        .at(cursor.next_span())
        .help(instead)
}
