//! COPY, by which PostgreSQL's clients read and write rows in bulk. Owns its forms, those of before PostgreSQL 9 too; what
//! an option means is for whoever sends the rows.

use sqlparser::ast;
use sqlparser::keywords::Keyword;
use sqlparser::tokenizer::{Token, TokenWithSpan, Word};

use crate::cursor::Cursor;
use crate::error::{Diagnostic, code};
use crate::lexer::Lexed;
use crate::statement::{Connection, CopyOption, CopyPlace, CopyValue, Copying, Statement};

pub(super) fn copy(cursor: &mut Cursor<'_>) -> Result<Connection, Diagnostic> {
    let mut options = Vec::new();
    let place = cursor.next_span();
    if cursor.sees("BINARY") && !matches!(cursor.peek_second(), Some(Token::Period)) {
        // COPY BINARY table, as before PostgreSQL 7.3.
        let mut ahead = *cursor;
        ahead.skip();
        if !ahead.sees("TO") && !ahead.sees("FROM") && ahead.peek() != Some(&Token::LParen) {
            cursor.skip();
            options.push(option(
                "format",
                Some(CopyValue::Text("binary".to_owned())),
                place,
            ));
        }
    }
    let (source, of_query) = if cursor.peek() == Some(&Token::LParen) {
        (of_query(cursor)?, true)
    } else {
        (of_table(cursor)?, false)
    };
    let direction = cursor.next_span();
    let reads = cursor.eat("TO");
    if !reads && (of_query || !cursor.eat("FROM")) {
        return Err(cursor.unexpected(if of_query { "`TO`" } else { "`TO` or `FROM`" }));
    }
    let target = place_of(cursor)?;
    options.extend(all_options(cursor)?);
    if !reads && cursor.sees("WHERE") {
        // Nothing is copied from anywhere; the end of the statement says so.
        while !cursor.is_at_end() {
            cursor.skip();
        }
    }
    Ok(Connection::Copy(Box::new(Copying {
        source: Box::new(source),
        from: !reads,
        place: target,
        place_span: direction.to(cursor.last_span()),
        options,
    })))
}

/// What stands in parentheses: a query, or another statement that answers rows.
fn of_query(cursor: &mut Cursor<'_>) -> Result<Statement, Diagnostic> {
    let mut inner = *cursor;
    cursor.expect_token(&Token::LParen)?;
    inner.at = cursor.at;
    let mut depth = 1;
    loop {
        match cursor.peek() {
            Some(Token::LParen) => depth += 1,
            Some(Token::RParen) => depth -= 1,
            Some(_) => {}
            None => return Err(cursor.unexpected("`)`")),
        }
        if depth == 0 {
            break;
        }
        cursor.skip();
    }
    inner.end = cursor.next_index().unwrap_or(cursor.end);
    cursor.skip();
    let place = inner.next_span();
    let statement = super::statement(&mut inner)?;
    inner.expect_end()?;
    let answers = match &statement {
        Statement::Query(query) => matches!(**query, ast::Statement::Query(_)),
        Statement::Set(_)
        | Statement::Use(_)
        | Statement::Reset(_)
        | Statement::Refresh(_)
        | Statement::Connection(_) => false,
        _ => true,
    };
    match answers {
        true => Ok(statement),
        false => Err(Diagnostic::new(
            code::MISPLACED,
            "COPY takes a table, or a statement that answers rows",
        )
        .at(place)),
    }
}

/// `t` or `t (a, b)` as the query that reads it, with its names at their places.
fn of_table(cursor: &mut Cursor<'_>) -> Result<Statement, Diagnostic> {
    let from = cursor.next_index().unwrap_or(cursor.end);
    cursor.name("a table or a query in parentheses")?;
    let name = from..cursor.at;
    let mut columns = 0..0;
    if cursor.eat_token(&Token::LParen) {
        let start = cursor.at;
        loop {
            cursor.ident("the name of a column")?;
            if !cursor.eat_token(&Token::Comma) {
                break;
            }
        }
        columns = start..cursor.at;
        cursor.expect_token(&Token::RParen)?;
    }
    let word = |written: &str, keyword| {
        TokenWithSpan::wrap(Token::Word(Word {
            value: written.to_owned(),
            quote_style: None,
            keyword,
        }))
    };
    let given = |range: std::ops::Range<usize>| {
        let tokens = range.clone().filter_map(|at| cursor.lexed.tokens.get(at));
        let spans = range.filter_map(|at| cursor.lexed.spans.get(at));
        tokens.cloned().zip(spans.copied())
    };
    let here = cursor.last_span();
    let mut all = vec![(word("SELECT", Keyword::SELECT), here)];
    match columns.is_empty() {
        true => all.push((TokenWithSpan::wrap(Token::Mul), here)),
        false => all.extend(given(columns)),
    }
    all.push((word("FROM", Keyword::FROM), here));
    all.extend(given(name));
    let (tokens, spans) = all.into_iter().unzip();
    let lexed = Lexed {
        tokens,
        spans,
        placeholders: Vec::new(),
    };
    let mut own = Cursor::new(cursor.script, &lexed);
    let query = own.parser(|parser| parser.parse_query())?;
    Ok(Statement::Query(Box::new(ast::Statement::Query(query))))
}

fn place_of(cursor: &mut Cursor<'_>) -> Result<CopyPlace, Diagnostic> {
    if cursor.eat_any(&["STDOUT", "STDIN"]) {
        return Ok(CopyPlace::Client);
    }
    if cursor.eat("PROGRAM") {
        cursor.text("a command in single quotes")?;
        return Ok(CopyPlace::Program);
    }
    cursor.text("`STDOUT`")?;
    Ok(CopyPlace::File)
}

fn option(name: &str, value: Option<CopyValue>, span: crate::Span) -> CopyOption {
    CopyOption {
        name: name.to_ascii_lowercase(),
        value,
        span,
    }
}

fn all_options(cursor: &mut Cursor<'_>) -> Result<Vec<CopyOption>, Diagnostic> {
    let _ = cursor.eat("WITH");
    let mut options = Vec::new();
    if cursor.eat_token(&Token::LParen) {
        loop {
            let place = cursor.next_span();
            let name = cursor.ident("the name of an option")?;
            let value = value(cursor)?;
            options.push(option(&name.value, value, place.to(cursor.last_span())));
            if !cursor.eat_token(&Token::Comma) {
                break;
            }
        }
        cursor.expect_token(&Token::RParen)?;
        return Ok(options);
    }
    while let Some(older) = older(cursor)? {
        options.push(older);
    }
    Ok(options)
}

fn value(cursor: &mut Cursor<'_>) -> Result<Option<CopyValue>, Diagnostic> {
    Ok(match cursor.peek() {
        Some(Token::Comma | Token::RParen) | None => None,
        Some(Token::Mul) => {
            cursor.skip();
            Some(CopyValue::All)
        }
        Some(Token::Number(digits, _)) => {
            cursor.skip();
            Some(CopyValue::Text(digits.clone()))
        }
        Some(Token::Word(_)) => Some(CopyValue::Text(cursor.ident("a value")?.value)),
        Some(Token::LParen) => Some(CopyValue::Columns(columns(cursor)?)),
        _ => Some(CopyValue::Text(cursor.text("a value")?)),
    })
}

fn columns(cursor: &mut Cursor<'_>) -> Result<Vec<String>, Diagnostic> {
    cursor.expect_token(&Token::LParen)?;
    let mut all = Vec::new();
    loop {
        all.push(cursor.ident("the name of a column")?.value);
        if !cursor.eat_token(&Token::Comma) {
            break;
        }
    }
    cursor.expect_token(&Token::RParen)?;
    Ok(all)
}

/// An option as it was written before PostgreSQL 9, which `\copy … csv header` still writes.
fn older(cursor: &mut Cursor<'_>) -> Result<Option<CopyOption>, Diagnostic> {
    let place = cursor.next_span();
    let Some(word) = cursor.keyword() else {
        return Ok(None);
    };
    let (name, value) = match word.as_str() {
        "BINARY" | "CSV" => {
            cursor.skip();
            ("format", Some(CopyValue::Text(word.to_ascii_lowercase())))
        }
        "HEADER" => {
            cursor.skip();
            ("header", None)
        }
        "FREEZE" => {
            cursor.skip();
            ("freeze", None)
        }
        "DELIMITER" | "NULL" | "QUOTE" | "ESCAPE" | "ENCODING" => {
            cursor.skip();
            let _ = cursor.eat("AS");
            let text = cursor.text("a text in single quotes")?;
            let name = match word.as_str() {
                "DELIMITER" => "delimiter",
                "NULL" => "null",
                "QUOTE" => "quote",
                "ESCAPE" => "escape",
                _ => "encoding",
            };
            (name, Some(CopyValue::Text(text)))
        }
        "FORCE" => {
            cursor.skip();
            let name = if cursor.eat("QUOTE") {
                "force_quote"
            } else if cursor.eat_all(&["NOT", "NULL"]) {
                "force_not_null"
            } else {
                cursor.expect("NULL")?;
                "force_null"
            };
            if cursor.eat_token(&Token::Mul) {
                (name, Some(CopyValue::All))
            } else {
                let mut all = vec![cursor.ident("the name of a column")?.value];
                while cursor.eat_token(&Token::Comma) {
                    all.push(cursor.ident("the name of a column")?.value);
                }
                (name, Some(CopyValue::Columns(all)))
            }
        }
        _ => return Ok(None),
    };
    Ok(Some(option(name, value, place.to(cursor.last_span()))))
}
