//! Tokens to statements. Owns the choice of the statement by its first words, and what may stand inside what; each kind
//! of statement has its own file.

mod connection;
mod copy;
mod describe;
mod exec;
mod explain;
mod hints;
mod query;
mod session;
mod show;
mod versions;
mod with;
mod write;

use sqlparser::ast;
use sqlparser::tokenizer::Token;

use crate::cursor::Cursor;
use crate::error::{Diagnostic, code};
use crate::lexer::{self, Lexed};
use crate::limits;
use crate::span::Span;
use crate::split::{Piece, split_tokens};
use crate::statement::{Parsed, Statement};
use crate::suggest::closest;
use crate::syntax::shown;

/// The words that begin a statement, the commoner first.
pub(crate) const VERBS: [&str; 39] = [
    "SELECT",
    "INSERT",
    "UPDATE",
    "DELETE",
    "REPLACE",
    "EXEC",
    "PREVIEW",
    "SHOW",
    "DESCRIBE",
    "EXPLAIN",
    "USE",
    "SET",
    "RESET",
    "WITH",
    "VALUES",
    "TABLE",
    "CREATE",
    "DROP",
    "REFRESH",
    "DESC",
    "FROM",
    "PREPARE",
    "EXECUTE",
    "DEALLOCATE",
    "BEGIN",
    "START",
    "COMMIT",
    "ROLLBACK",
    "SAVEPOINT",
    "RELEASE",
    "DISCARD",
    "END",
    "ABORT",
    "DECLARE",
    "FETCH",
    "MOVE",
    "CLOSE",
    "UNLISTEN",
    "COPY",
];

/// All statements of a script.
///
/// # Errors
/// The first fault of the script, wherever it stands; nothing is answered then.
pub fn parse(script: &str) -> Result<Vec<Parsed>, Diagnostic> {
    let pieces = split_tokens(script)?;
    pieces
        .into_iter()
        .map(|raw| parse_tokens(script, &raw.piece, raw.lexed?))
        .collect()
}

/// One statement of a script.
///
/// # Errors
/// The first fault of this piece.
pub fn parse_piece(script: &str, piece: &Piece) -> Result<Parsed, Diagnostic> {
    let reading = lexer::read(script, piece.range.clone(), piece.start);
    match reading.fault {
        Some(fault) => Err(fault),
        None => parse_tokens(script, piece, reading.lexed),
    }
}

fn parse_tokens(script: &str, piece: &Piece, raw: Lexed) -> Result<Parsed, Diagnostic> {
    limits::guard(&raw)?;
    let mut calls = Vec::new();
    let lexed = exec::lift(script, lexer::recognise(raw)?, &mut calls)?;
    let lexed = with::plain(with::unqualified(with::data(lexed)?));
    let lexed = versions::told(with::queried(lexed));
    let mut cursor = Cursor::new(script, &lexed);
    let statement = statement(&mut cursor)?;
    cursor.expect_end()?;
    let span = Span::new(piece.range.start, piece.range.end);
    if let (Some(call), Statement::Query(query)) = (calls.first(), &statement)
        && matches!(
            query.as_ref(),
            ast::Statement::CreateView(_) | ast::Statement::Prepare { .. }
        )
    {
        return Err(Diagnostic::new(
            code::UNSUPPORTED,
            "EXEC may not stand in a view or a prepared query",
        )
        .at(call.span)
        .help("keep its rows with CREATE TABLE … AS SELECT … FROM (EXEC …) x"));
    }
    Ok(Parsed {
        statement,
        span,
        text: piece.text(script).to_owned(),
        placeholders: lexed.placeholders,
        calls,
    })
}

fn statement(cursor: &mut Cursor<'_>) -> Result<Statement, Diagnostic> {
    let verb = match cursor.keyword() {
        Some(verb) => verb,
        None if cursor.peek() == Some(&Token::LParen) => return query::query(cursor),
        None => return Err(unknown(cursor)),
    };
    match verb.as_str() {
        "INSERT" => write::insert(cursor),
        "REPLACE" => write::replace(cursor),
        "UPDATE" => write::update(cursor),
        "DELETE" => write::delete(cursor),
        "EXEC" | "EXECUTE" if exec::is_exec(cursor) => exec::exec(cursor).map(Statement::Exec),
        "PREVIEW" => preview(cursor),
        "SHOW" => show::show(cursor).map(Statement::Show),
        "DESCRIBE" | "DESC" => describe::describe(cursor).map(Statement::Describe),
        "EXPLAIN" => explain::explain(cursor),
        "USE" => session::using(cursor).map(Statement::Use),
        "SET" => session::set(cursor),
        "RESET" => session::reset(cursor).map(Statement::Reset),
        "REFRESH" => session::refresh(cursor).map(Statement::Refresh),
        _ if connection::BEGINNINGS.contains(&verb.as_str()) => {
            connection::statement(cursor, &verb).map(Statement::Connection)
        }
        _ if query::begins(&verb) => query::query(cursor),
        _ => Err(query::refused(cursor, &verb).unwrap_or_else(|| unknown(cursor))),
    }
}

fn preview(cursor: &mut Cursor<'_>) -> Result<Statement, Diagnostic> {
    cursor.skip();
    let place = cursor.next_span();
    let wanted = "PREVIEW takes INSERT, REPLACE, UPDATE, DELETE or EXEC";
    if cursor.sees("PREVIEW") || cursor.sees("EXPLAIN") {
        return Err(Diagnostic::new(code::MISPLACED, wanted).at(place));
    }
    match statement(cursor)? {
        inner @ (Statement::Insert(_)
        | Statement::Replace(_)
        | Statement::Update(_)
        | Statement::Delete(_)
        | Statement::Exec(_)) => Ok(Statement::Preview(Box::new(inner))),
        _ => Err(Diagnostic::new(code::MISPLACED, wanted)
            .at(place)
            .note("a preview is of calls that change something at a provider")),
    }
}

fn unknown(cursor: &Cursor<'_>) -> Diagnostic {
    let span = cursor.next_span();
    let written = span.of(cursor.script);
    let fault = Diagnostic::new(
        code::UNKNOWN_STATEMENT,
        format!("`{}` begins no statement", shown(written)),
    )
    .at(span);
    match closest(written, VERBS) {
        Some(verb) => fault.help(format!("is `{verb}` meant?")),
        None => fault.help("a statement begins with SELECT, INSERT, UPDATE, DELETE, REPLACE, EXEC, PREVIEW, SHOW, DESCRIBE, EXPLAIN, USE or SET"),
    }
}
