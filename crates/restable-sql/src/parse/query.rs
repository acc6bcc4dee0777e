//! What the planner of queries does by itself, read by `sqlparser` as it is. Owns the list of what is let through, and
//! the texts for what is not.

use sqlparser::ast::helpers::stmt_create_table::CreateTableBuilder;
use sqlparser::ast::{self, ObjectType};
use sqlparser::tokenizer::Token;

use crate::cursor::{Cursor, is_keyword};
use crate::error::{Diagnostic, code};
use crate::statement::Statement;
use crate::suggest::closest;
use crate::syntax::shown;

const BEGINNINGS: [&str; 9] = [
    "SELECT", "WITH", "VALUES", "TABLE", "FROM", "CREATE", "DROP", "PREPARE", "EXECUTE",
];

/// Statements of SQL that restable does not do, with what to do instead.
const REFUSED: [(&str, &str); 24] = [
    ("CALL", "methods are called with EXEC"),
    ("MERGE", "write INSERT, UPDATE and DELETE"),
    ("UPSERT", "write REPLACE INTO"),
    ("TRUNCATE", "write DELETE FROM … WHERE …"),
    ("ALTER", "drop and create again"),
    ("GRANT", "rights are those of the credential"),
    ("REVOKE", "rights are those of the credential"),
    ("DENY", "rights are those of the credential"),
    ("DO", "there are no blocks of code"),
    ("OPEN", "a cursor is opened with DECLARE"),
    ("LISTEN", "nothing is notified"),
    ("NOTIFY", "nothing is notified"),
    ("LOCK", "there are no locks"),
    (
        "ANALYZE",
        "there are no statistics; EXPLAIN ANALYZE runs a query and measures it",
    ),
    ("VACUUM", "there is nothing to clean up"),
    ("OPTIMIZE", "there is nothing to optimize"),
    ("COMMENT", "comments are those of the provider document"),
    ("ATTACH", "providers are added with `--provider-specs`"),
    ("INSTALL", "there are no extensions"),
    ("LOAD", "there are no extensions"),
    ("PRAGMA", "settings are changed with SET"),
    ("REGISTRY", "providers are added with `--provider-specs`"),
    ("AUTH", "credentials are chosen with `--auth`"),
    ("NATIVEQUERY", "there is no database below"),
];

pub(super) fn begins(verb: &str) -> bool {
    BEGINNINGS.contains(&verb)
}

/// The refusal of a statement that SQL or StackQL has and restable has not.
pub(super) fn refused(cursor: &Cursor<'_>, verb: &str) -> Option<Diagnostic> {
    let (_, instead) = REFUSED.iter().find(|(name, _)| *name == verb)?;
    let fault = Diagnostic::new(code::UNSUPPORTED, format!("{verb} is not supported"));
    Some(fault.at(cursor.next_span()).help(*instead))
}

/// Whether the next parenthesis (or several) opens a query.
pub(super) fn opens_query(cursor: &Cursor<'_>) -> bool {
    let mut ahead = *cursor;
    while ahead.eat_token(&Token::LParen) {}
    ["SELECT", "WITH", "VALUES", "TABLE", "FROM"]
        .iter()
        .any(|word| ahead.sees(word))
}

pub(super) fn query(cursor: &mut Cursor<'_>) -> Result<Statement, Diagnostic> {
    let start = *cursor;
    if let Some(fault) = refused_kind(&start) {
        return Err(fault);
    }
    let parsed = if cursor.sees("TABLE") {
        ast::Statement::Query(cursor.parser(|parser| parser.parse_query())?)
    } else {
        cursor.parser(|parser| parser.parse_statement().map(made_of))?
    };
    admit(&start, &parsed)?;
    Ok(Statement::Query(Box::new(parsed)))
}

/// `SELECT … INTO [TEMP] t` is `CREATE [TEMP] TABLE t AS SELECT …`, as PostgreSQL has it.
fn made_of(statement: ast::Statement) -> ast::Statement {
    let ast::Statement::Query(mut query) = statement else {
        return statement;
    };
    let into = match query.body.as_mut() {
        ast::SetExpr::Select(select) => select.into.take(),
        _ => None,
    };
    match into {
        Some(into) => CreateTableBuilder::new(into.name)
            .temporary(into.temporary)
            .query(Some(query))
            .build()
            .into(),
        None => ast::Statement::Query(query),
    }
}

/// CREATE and PREPARE may hold whole statements in `sqlparser`; only the kinds that are accepted are given to it.
fn refused_kind(start: &Cursor<'_>) -> Option<Diagnostic> {
    let mut ahead = *start;
    if ahead.eat("CREATE") {
        let _ = ahead.eat_all(&["OR", "REPLACE"]);
        let _ = ahead.eat_any(&["LOCAL", "GLOBAL"]);
        let _ = ahead.eat_any(&["TEMP", "TEMPORARY"]);
        if ["VIEW", "MATERIALIZED", "TABLE", "SCHEMA"]
            .iter()
            .any(|kind| ahead.sees(kind))
            || ahead.is_at_end()
        {
            return None;
        }
        let kind = ahead.keyword().unwrap_or_default();
        let fault = Diagnostic::new(
            code::UNSUPPORTED,
            format!("CREATE {} is not supported", shown(&kind)),
        );
        let help = match closest(&kind, ["VIEW", "MATERIALIZED VIEW", "TABLE", "SCHEMA"]) {
            Some(near) => format!("is `{near}` meant?"),
            None => "CREATE takes VIEW, MATERIALIZED VIEW, TABLE or SCHEMA".to_owned(),
        };
        return Some(fault.at(start.next_span().to(ahead.next_span())).help(help));
    }
    if ahead.eat("PREPARE") {
        while !ahead.is_at_end() && !ahead.eat("AS") {
            ahead.skip();
        }
        if ahead.is_at_end() || is_query(ahead.peek()) || opens_query(&ahead) {
            return None;
        }
        let fault =
            Diagnostic::new(code::MISPLACED, "PREPARE takes a query only").at(ahead.next_span());
        return Some(
            fault.note("a statement that changes something is read and checked each time it runs"),
        );
    }
    None
}

fn admit(start: &Cursor<'_>, statement: &ast::Statement) -> Result<(), Diagnostic> {
    use ast::Statement as S;
    let refuse = |what: &str| {
        let first = start.next_span();
        Err(Diagnostic::new(code::UNSUPPORTED, format!("{what} is not supported")).at(first))
    };
    match statement {
        S::Query(_) | S::CreateTable(_) => Ok(()),
        S::CreateView(view) if view.materialized && view.temporary => {
            refuse("CREATE TEMP MATERIALIZED VIEW")
        }
        S::CreateView(_) => Ok(()),
        S::Drop {
            object_type:
                ObjectType::Table | ObjectType::View | ObjectType::MaterializedView | ObjectType::Schema,
            ..
        } => Ok(()),
        S::Prepare { statement, .. } if matches!(statement.as_ref(), S::Query(_)) => Ok(()),
        S::Execute { .. } | S::CreateSchema { .. } => Ok(()),
        _ => {
            let second = start
                .peek_second()
                .map(ToString::to_string)
                .unwrap_or_default();
            let first = start.keyword().unwrap_or_default();
            refuse(format!("{first} {}", second.to_ascii_uppercase()).trim())
        }
    }
}

/// Whether a token begins a query.
pub(super) fn is_query(token: Option<&Token>) -> bool {
    ["SELECT", "WITH", "VALUES", "TABLE", "FROM"]
        .iter()
        .any(|word| is_keyword(token, word))
}
