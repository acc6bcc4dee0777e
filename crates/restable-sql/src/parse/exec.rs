//! EXEC, alone and as a row source in FROM.

use sqlparser::ast::Expr;
use sqlparser::keywords::Keyword;
use sqlparser::tokenizer::{Token, TokenWithSpan, Word};

use super::{describe, hints, write};
use crate::cursor::{Cursor, is_keyword};
use crate::error::{Diagnostic, code};
use crate::lexer::Lexed;
use crate::span::Span;
use crate::statement::{Attribute, EXEC_FUNCTION, Exec, ExecArgument, ExecBody, ForEach};
use crate::suggest::closest;
use crate::syntax::shown;

const WANTED: &str = "`@name = value`, `@@json = …` or `FOR EACH`";

/// `EXEC table.method [@name = expr, …] [@@json = expr] [FOR EACH (SELECT …) [AS x]]`.
pub(super) fn exec(cursor: &mut Cursor<'_>) -> Result<Exec, Diagnostic> {
    let start = cursor.next_span();
    cursor.skip();
    let hints = hints::hints(cursor)?;
    let (table, method, target_span) = describe::method(cursor)?;
    let mut arguments: Vec<ExecArgument> = Vec::new();
    let mut body = None;
    let mut comma = false;
    loop {
        match cursor.peek() {
            Some(Token::AtSign) => {
                if !arguments.is_empty() && !comma {
                    return Err(cursor
                        .unexpected("`,`")
                        .help("arguments are separated with commas"));
                }
                arguments.push(argument(cursor)?);
            }
            Some(Token::AtAt) => set_body(&mut body, cursor)?,
            _ if comma => {
                return Err(cursor.unexpected("`@name = value` or `@@json = …` after `,`"));
            }
            _ => break,
        }
        comma = cursor.eat_token(&Token::Comma);
    }
    let for_each = for_each(cursor)?;
    if !cursor.is_at_end() {
        let expected = if for_each.is_some() {
            "the end of the statement or `;`"
        } else {
            WANTED
        };
        return Err(cursor.unexpected(expected));
    }
    check(&arguments, body.as_ref())?;
    let span = start.to(cursor.last_span());
    Ok(Exec {
        hints,
        table,
        method,
        target_span,
        arguments,
        body,
        for_each,
        span,
    })
}

/// `EXECUTE a.b` is meant as EXEC, since the name of a prepared query has no dot.
pub(super) fn is_exec(cursor: &Cursor<'_>) -> bool {
    let mut ahead = *cursor;
    if ahead.eat("EXEC") {
        return true;
    }
    ahead.eat("EXECUTE")
        && matches!(ahead.peek(), Some(Token::Word(_)))
        && ahead.peek_second() == Some(&Token::Period)
}

fn argument(cursor: &mut Cursor<'_>) -> Result<ExecArgument, Diagnostic> {
    let at = cursor.next_span();
    cursor.skip();
    let name = argument_name(cursor)?;
    let (value, value_span) = value(cursor, &format!("@{}", name.dotted()))?;
    Ok(ExecArgument {
        name,
        value,
        span: at.to(value_span),
        value_span,
    })
}

/// The name right after `@`. Hyphens belong to it, since nothing can be subtracted there.
fn argument_name(cursor: &mut Cursor<'_>) -> Result<Attribute, Diagnostic> {
    let start = cursor.at;
    let mut path = vec![String::new()];
    let mut at = start;
    let mut wants_part = true;
    while at < cursor.end {
        let part = path.len() - 1;
        match &cursor.lexed.tokens[at].token {
            Token::Word(word) if wants_part => path[part].push_str(&word.value),
            Token::Number(digits, _) if wants_part && !path[part].is_empty() => {
                path[part].push_str(digits)
            }
            Token::Minus if !wants_part => path[part].push('-'),
            Token::Period if !wants_part => path.push(String::new()),
            _ => break,
        }
        wants_part = !wants_part;
        at += 1;
    }
    if wants_part {
        cursor.at = at;
        return Err(cursor.unexpected("a name after `@`"));
    }
    cursor.at = at;
    let span = cursor.lexed.spans[start].to(cursor.lexed.spans[at - 1]);
    write::named(cursor, path, span)
}

fn value(cursor: &mut Cursor<'_>, name: &str) -> Result<(Expr, Span), Diagnostic> {
    if !cursor.eat_token(&Token::Eq) {
        return Err(cursor.unexpected(&format!("`=` after `{}`", shown(name))));
    }
    let end = end_of_value(cursor);
    let mut inner = Cursor { end, ..*cursor };
    let start = cursor.next_span();
    if inner.is_at_end() {
        return Err(cursor.unexpected(&format!("a value for `{}`", shown(name))));
    }
    let expr = inner.parser(|parser| parser.parse_expr())?;
    cursor.at = inner.at;
    let span = start.to(inner.last_span());
    if !inner.is_at_end() {
        return Err(inner.unexpected("`,` or the end of the value"));
    }
    Ok((expr, span))
}

/// A value goes to the next comma, `@name`, `@@name` or FOR EACH outside brackets.
fn end_of_value(cursor: &Cursor<'_>) -> usize {
    let mut depth = 0usize;
    for at in cursor.at..cursor.end {
        match &cursor.lexed.tokens[at].token {
            Token::LParen | Token::LBracket | Token::LBrace => depth += 1,
            Token::RParen | Token::RBracket | Token::RBrace => depth = depth.saturating_sub(1),
            _ if depth > 0 => {}
            Token::Comma => return at,
            Token::AtSign | Token::AtAt
                if matches!(
                    cursor.lexed.tokens.get(at + 1).map(|next| &next.token),
                    Some(Token::Word(_))
                ) =>
            {
                return at;
            }
            Token::Word(word) if word.quote_style.is_none() && word.keyword == Keyword::FOR => {
                let next = cursor
                    .lexed
                    .solid(at + 1, cursor.end)
                    .map(|next| &cursor.lexed.tokens[next].token);
                if is_keyword(next, "EACH") {
                    return at;
                }
            }
            _ => {}
        }
    }
    cursor.end
}

fn set_body(body: &mut Option<ExecBody>, cursor: &mut Cursor<'_>) -> Result<(), Diagnostic> {
    let at = cursor.next_span();
    cursor.skip();
    let name = argument_name(cursor)?;
    let span = at.to(name.span);
    let known = name.dotted().to_ascii_lowercase();
    let (value, value_span) = value(cursor, &format!("@@{}", name.dotted()))?;
    if body.is_some() {
        return Err(Diagnostic::new(code::TWICE, "the body is given twice").at(span));
    }
    *body = Some(match known.as_str() {
        "json" => ExecBody::Json(value, span.to(value_span)),
        "json_file" => ExecBody::JsonFile(value, span.to(value_span)),
        _ => {
            let fault = Diagnostic::new(
                code::SYNTAX,
                format!("there is no `@@{}`", shown(&name.dotted())),
            )
            .at(span);
            return Err(match closest(&known, ["json", "json_file"]) {
                Some(near) => fault.help(format!("is `@@{near}` meant?")),
                None => fault
                    .help("the body is given by `@@json` or `@@json_file`, a parameter by `@name`"),
            });
        }
    });
    Ok(())
}

fn for_each(cursor: &mut Cursor<'_>) -> Result<Option<ForEach>, Diagnostic> {
    if !cursor.sees("FOR") {
        return Ok(None);
    }
    let start = cursor.next_span();
    cursor.skip();
    cursor.expect("EACH")?;
    cursor.expect_token(&Token::LParen)?;
    let query = cursor.parser(|parser| parser.parse_query())?;
    cursor.expect_token(&Token::RParen)?;
    let named = cursor.eat("AS") || matches!(cursor.peek(), Some(Token::Word(_)));
    let alias = if named {
        Some(cursor.ident("an alias")?)
    } else {
        None
    };
    Ok(Some(ForEach {
        query,
        alias,
        span: start.to(cursor.last_span()),
    }))
}

fn check(arguments: &[ExecArgument], body: Option<&ExecBody>) -> Result<(), Diagnostic> {
    if let Some(name) = write::twice(arguments.iter().map(|argument| &argument.name)) {
        return Err(Diagnostic::new(
            code::TWICE,
            format!("`@{}` is given twice", shown(&name.dotted())),
        )
        .at(name.span));
    }
    let in_body = arguments.iter().find(|argument| argument.name.data_prefix);
    match (in_body, body) {
        (Some(argument), Some(_)) => {
            let name = shown(&argument.name.dotted());
            Err(Diagnostic::new(
                code::TWICE,
                format!("`@data__{name}` is part of the body that `@@json` gives whole"),
            )
            .at(argument.span))
        }
        _ => Ok(()),
    }
}

/// Takes each `(EXEC table.method …)` out of the tokens and puts `restable_exec(index)` in its place.
pub(super) fn lift(script: &str, lexed: Lexed, calls: &mut Vec<Exec>) -> Result<Lexed, Diagnostic> {
    let reserved = (0..lexed.tokens.len())
        .find(|&at| is_keyword(Some(&lexed.tokens[at].token), EXEC_FUNCTION));
    if let Some(at) = reserved {
        let fault = Diagnostic::new(
            code::SYNTAX,
            format!("`{EXEC_FUNCTION}` is a reserved name"),
        );
        return Err(fault
            .at(lexed.spans[at])
            .help("a method's answer is read with `FROM (EXEC table.method …) x`"));
    }
    let opens: Vec<usize> = (0..lexed.tokens.len())
        .filter(|&at| opens_exec(&lexed, at))
        .collect();
    if opens.is_empty() {
        return Ok(lexed);
    }
    let mut lifted = Lexed {
        placeholders: lexed.placeholders.clone(),
        ..Lexed::default()
    };
    let mut at = 0;
    for open in opens {
        if open < at {
            continue;
        }
        copy(&lexed, at..open, &mut lifted);
        let close = closing(&lexed, open);
        let mut inner = Lexed::default();
        copy(
            &lexed,
            open + 1..close.unwrap_or(lexed.tokens.len()),
            &mut inner,
        );
        let inner = lift(script, inner, calls)?;
        let mut cursor = Cursor::new(script, &inner);
        let call = exec(&mut cursor)?;
        let Some(close) = close else {
            return Err(cursor.unexpected("`)`"));
        };
        let place = lexed.tokens[open].span.union(&lexed.tokens[close].span);
        let span = lexed.spans[open].to(lexed.spans[close]);
        let word = Word {
            value: EXEC_FUNCTION.to_owned(),
            quote_style: None,
            keyword: Keyword::NoKeyword,
        };
        let number = Token::Number(calls.len().to_string(), false);
        for token in [Token::Word(word), Token::LParen, number, Token::RParen] {
            lifted.push(TokenWithSpan::new(token, place), span);
        }
        calls.push(call);
        at = close + 1;
    }
    copy(&lexed, at..lexed.tokens.len(), &mut lifted);
    Ok(lifted)
}

fn copy(from: &Lexed, range: std::ops::Range<usize>, to: &mut Lexed) {
    for at in range {
        to.push(from.tokens[at].clone(), from.spans[at]);
    }
}

/// `(EXEC name.`: a column named `exec` is never followed so.
fn opens_exec(lexed: &Lexed, at: usize) -> bool {
    if lexed.tokens[at].token != Token::LParen {
        return false;
    }
    let end = lexed.tokens.len();
    let Some(verb) = lexed.solid(at + 1, end) else {
        return false;
    };
    let Some(name) = lexed.solid(verb + 1, end) else {
        return false;
    };
    let Some(dot) = lexed.solid(name + 1, end) else {
        return false;
    };
    is_keyword(Some(&lexed.tokens[verb].token), "EXEC")
        && matches!(lexed.tokens[name].token, Token::Word(_))
        && lexed.tokens[dot].token == Token::Period
}

fn closing(lexed: &Lexed, open: usize) -> Option<usize> {
    let mut depth = 0usize;
    (open..lexed.tokens.len()).find(|&at| {
        match lexed.tokens[at].token {
            Token::LParen => depth += 1,
            Token::RParen => depth -= 1,
            _ => {}
        }
        depth == 0
    })
}
