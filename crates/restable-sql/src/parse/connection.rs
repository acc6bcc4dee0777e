//! What a connection keeps beside its queries: transactions, savepoints, cursors, prepared statements. Owns the forms
//! that PostgreSQL's clients send; what is not understood is refused, never read and dropped.

use sqlparser::ast;
use sqlparser::tokenizer::Token;

use super::query;
use crate::cursor::Cursor;
use crate::error::{Diagnostic, code};
use crate::statement::{Connection, Count, Discard, Modes, Statement};

/// The words that begin such a statement.
pub(super) const BEGINNINGS: [&str; 16] = [
    "BEGIN",
    "START",
    "COMMIT",
    "END",
    "ROLLBACK",
    "ABORT",
    "SAVEPOINT",
    "RELEASE",
    "DECLARE",
    "FETCH",
    "MOVE",
    "CLOSE",
    "DEALLOCATE",
    "DISCARD",
    "UNLISTEN",
    "COPY",
];

pub(super) fn statement(cursor: &mut Cursor<'_>, verb: &str) -> Result<Connection, Diagnostic> {
    cursor.skip();
    match verb {
        "COPY" => super::copy::copy(cursor),
        "BEGIN" => {
            noise(cursor);
            Ok(Connection::Begin(modes(cursor)?))
        }
        "START" => {
            cursor.expect("TRANSACTION")?;
            Ok(Connection::Begin(modes(cursor)?))
        }
        "COMMIT" | "END" => {
            noise(cursor);
            chain(cursor)?;
            Ok(Connection::Commit)
        }
        "ROLLBACK" | "ABORT" => {
            noise(cursor);
            if verb == "ROLLBACK" && cursor.eat("TO") {
                let _ = cursor.eat("SAVEPOINT");
                return Ok(Connection::RollbackTo(name(
                    cursor,
                    "the name of a savepoint",
                )?));
            }
            chain(cursor)?;
            Ok(Connection::Rollback)
        }
        "SAVEPOINT" => Ok(Connection::Savepoint(name(
            cursor,
            "the name of a savepoint",
        )?)),
        "RELEASE" => {
            let _ = cursor.eat("SAVEPOINT");
            Ok(Connection::Release(name(
                cursor,
                "the name of a savepoint",
            )?))
        }
        "DECLARE" => declare(cursor),
        "FETCH" => fetch(cursor, true),
        "MOVE" => fetch(cursor, false),
        "CLOSE" => Ok(Connection::Close(one_or_all(
            cursor,
            "the name of a cursor",
        )?)),
        "DEALLOCATE" => {
            let _ = cursor.eat("PREPARE");
            Ok(Connection::Deallocate(one_or_all(
                cursor,
                "the name of a prepared statement",
            )?))
        }
        "DISCARD" => {
            let what = match cursor.keyword().as_deref() {
                Some("ALL") => Discard::All,
                Some("PLANS") => Discard::Plans,
                Some("SEQUENCES") => Discard::Sequences,
                Some("TEMP" | "TEMPORARY") => Discard::Temporary,
                _ => return Err(cursor.unexpected("`ALL`, `PLANS`, `SEQUENCES` or `TEMP`")),
            };
            cursor.skip();
            Ok(Connection::Discard(what))
        }
        _ => {
            if !cursor.eat_token(&Token::Mul) {
                name(cursor, "the name of a channel, or `*`")?;
            }
            Ok(Connection::Unlisten)
        }
    }
}

/// SET TRANSACTION, SET SESSION CHARACTERISTICS AS TRANSACTION, SET CONSTRAINTS ALL; the cursor stands behind SET.
pub(super) fn characteristics(cursor: &mut Cursor<'_>) -> Result<Option<Connection>, Diagnostic> {
    if cursor.eat_all(&["CONSTRAINTS", "ALL"]) {
        return match cursor.eat_any(&["DEFERRED", "IMMEDIATE"]) {
            true => Ok(Some(Connection::Constraints)),
            false => Err(cursor.unexpected("`DEFERRED` or `IMMEDIATE`")),
        };
    }
    let session = cursor.eat_all(&["SESSION", "CHARACTERISTICS", "AS", "TRANSACTION"]);
    let local =
        !session && (cursor.eat_all(&["LOCAL", "TRANSACTION"]) || cursor.eat("TRANSACTION"));
    if !session && !local {
        return Ok(None);
    }
    let place = cursor.next_span();
    let modes = modes(cursor)?;
    if modes == Modes::default() {
        return Err(Diagnostic::new(code::SYNTAX, "SET TRANSACTION names no mode").at(place));
    }
    Ok(Some(Connection::Characteristics { session, modes }))
}

fn noise(cursor: &mut Cursor<'_>) {
    let _ = cursor.eat_any(&["WORK", "TRANSACTION"]);
}

fn chain(cursor: &mut Cursor<'_>) -> Result<(), Diagnostic> {
    let place = cursor.next_span();
    if !cursor.eat("AND") || cursor.eat_all(&["NO", "CHAIN"]) {
        return Ok(());
    }
    cursor.expect("CHAIN")?;
    Err(
        Diagnostic::new(code::UNSUPPORTED, "AND CHAIN is not supported")
            .at(place)
            .help("write BEGIN after it"),
    )
}

fn modes(cursor: &mut Cursor<'_>) -> Result<Modes, Diagnostic> {
    let mut modes = Modes::default();
    loop {
        if cursor.eat_all(&["ISOLATION", "LEVEL"]) {
            let level = [
                "READ COMMITTED",
                "READ UNCOMMITTED",
                "REPEATABLE READ",
                "SERIALIZABLE",
            ]
            .into_iter()
            .find(|level| cursor.eat_all(&level.split(' ').collect::<Vec<_>>()));
            let Some(level) = level else {
                return Err(cursor.unexpected("a level of isolation, such as `READ COMMITTED`"));
            };
            modes.isolation = Some(level.to_ascii_lowercase());
        } else if cursor.eat_all(&["READ", "ONLY"]) {
            modes.read_only = Some(true);
        } else if cursor.eat_all(&["READ", "WRITE"]) {
            modes.read_only = Some(false);
        } else if cursor.eat_all(&["NOT", "DEFERRABLE"]) || cursor.eat("DEFERRABLE") {
            // It says how long PostgreSQL waits for a snapshot; nothing waits here.
        } else if !cursor.eat_token(&Token::Comma) {
            return Ok(modes);
        }
    }
}

fn declare(cursor: &mut Cursor<'_>) -> Result<Connection, Diagnostic> {
    let name = name(cursor, "the name of a cursor")?;
    let (mut binary, mut scroll, mut hold) = (false, false, false);
    loop {
        if cursor.eat("BINARY") {
            binary = true;
        } else if cursor.eat_any(&["INSENSITIVE", "ASENSITIVE"])
            || cursor.eat_all(&["NO", "SCROLL"])
        {
            // What a cursor of restable is: rows are read once and do not change.
        } else if cursor.eat("SCROLL") {
            scroll = true;
        } else {
            break;
        }
    }
    cursor.expect("CURSOR")?;
    if cursor.eat_all(&["WITH", "HOLD"]) {
        hold = true;
    } else {
        let _ = cursor.eat_all(&["WITHOUT", "HOLD"]);
    }
    cursor.expect("FOR")?;
    let place = cursor.next_span();
    let query = match query::query(cursor)? {
        Statement::Query(query) if matches!(*query, ast::Statement::Query(_)) => query,
        _ => return Err(Diagnostic::new(code::MISPLACED, "a cursor takes a query only").at(place)),
    };
    Ok(Connection::Declare {
        name,
        binary,
        scroll,
        hold,
        query,
    })
}

fn fetch(cursor: &mut Cursor<'_>, shown: bool) -> Result<Connection, Diagnostic> {
    let followed = matches!(
        cursor.peek_second(),
        Some(Token::Word(_) | Token::Number(..) | Token::Minus | Token::Plus)
    );
    let count = if let Some(count) = count(cursor)? {
        count
    } else if !followed || cursor.eat("NEXT") {
        Count::Rows(1)
    } else if cursor.eat("FORWARD") {
        count(cursor)?.unwrap_or(Count::Rows(1))
    } else if cursor.eat("BACKWARD") {
        match count(cursor)? {
            None => Count::Back(1),
            Some(Count::Rows(rows)) => Count::Back(rows),
            Some(Count::Back(rows)) => Count::Rows(rows),
            Some(_) => Count::BackAll,
        }
    } else if cursor.eat("PRIOR") {
        Count::Back(1)
    } else if cursor.eat("FIRST") {
        Count::Absolute(1)
    } else if cursor.eat("LAST") {
        Count::Absolute(-1)
    } else if cursor.eat("ABSOLUTE") {
        Count::Absolute(needed(cursor)?)
    } else if cursor.eat("RELATIVE") {
        Count::Relative(needed(cursor)?)
    } else {
        Count::Rows(1)
    };
    let _ = cursor.eat_any(&["FROM", "IN"]);
    let name = name(cursor, "the name of a cursor")?;
    Ok(Connection::Fetch { name, count, shown })
}

/// How many rows FETCH goes forward; a negative number goes back.
fn count(cursor: &mut Cursor<'_>) -> Result<Option<Count>, Diagnostic> {
    if matches!(cursor.peek_second(), Some(Token::Word(_))) && cursor.eat("ALL") {
        return Ok(Some(Count::All));
    }
    let rows = signed(cursor)?;
    Ok(rows.map(|rows| match rows < 0 {
        true => Count::Back(rows.unsigned_abs()),
        false => Count::Rows(rows.unsigned_abs()),
    }))
}

fn needed(cursor: &mut Cursor<'_>) -> Result<i64, Diagnostic> {
    match signed(cursor)? {
        Some(rows) => Ok(rows),
        None => Err(cursor.unexpected("a whole number of rows")),
    }
}

fn signed(cursor: &mut Cursor<'_>) -> Result<Option<i64>, Diagnostic> {
    let negative = cursor.eat_token(&Token::Minus);
    let written = negative || cursor.eat_token(&Token::Plus);
    match cursor.peek() {
        Some(Token::Number(digits, _)) => {
            let Ok(rows) = digits.parse::<i64>() else {
                return Err(cursor.unexpected("a whole number of rows"));
            };
            cursor.skip();
            Ok(Some(if negative { -rows } else { rows }))
        }
        _ if written => Err(cursor.unexpected("a whole number of rows")),
        _ => Ok(None),
    }
}

fn one_or_all(cursor: &mut Cursor<'_>, expected: &str) -> Result<Option<String>, Diagnostic> {
    if cursor.eat("ALL") {
        return Ok(None);
    }
    name(cursor, expected).map(Some)
}

/// A name of the connection's own follows SQL's rule: lower case unless quoted.
fn name(cursor: &mut Cursor<'_>, expected: &str) -> Result<String, Diagnostic> {
    let ident = cursor.ident(expected)?;
    Ok(match ident.quote_style {
        Some(_) => ident.value,
        None => ident.value.to_ascii_lowercase(),
    })
}
