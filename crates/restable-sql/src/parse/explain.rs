//! EXPLAIN of a statement, and its options in PostgreSQL's spelling. Owns which of them are true of what is shown; one that would be
//! accepted and ignored is refused.

use sqlparser::tokenizer::Token;

use super::{VERBS, describe, query, statement};
use crate::cursor::Cursor;
use crate::error::{Diagnostic, code};
use crate::statement::{Explain, ExplainFormat, Statement};

const FORMATS: &str = "FORMAT takes TEXT, JSON, TREE or INDENT";
const OPTIONS: &str = "EXPLAIN takes ANALYZE, VERBOSE, COSTS and FORMAT TEXT, JSON, TREE or INDENT; BUFFERS, WAL, SETTINGS, SUMMARY and GENERIC_PLAN may be `off`, and TIMING stand beside ANALYZE";

/// What stands before the statement.
#[derive(Default)]
struct Options {
    analyze: bool,
    verbose: bool,
    format: ExplainFormat,
    /// Whether anything of it was written.
    written: bool,
}

/// EXPLAIN of a statement; EXPLAIN of a name is StackQL's and MySQL's DESCRIBE.
pub(super) fn explain(cursor: &mut Cursor<'_>) -> Result<Statement, Diagnostic> {
    let start = *cursor;
    cursor.skip();
    let begin = cursor.next_span();
    let mut options = Options::default();
    if cursor.peek() == Some(&Token::LParen) && !query::opens_query(cursor) {
        in_parentheses(cursor, &mut options)?;
    } else {
        options.analyze = cursor.eat_any(&["ANALYZE", "ANALYSE"]);
        options.verbose = cursor.eat("VERBOSE");
        options.written = options.analyze || options.verbose;
        if cursor.eat("FORMAT") {
            options.format = format(cursor)?;
            options.written = true;
        }
    }
    let said = begin.to(cursor.last_span());
    let refused = |what: &str| Err(Diagnostic::new(code::UNSUPPORTED, what).at(said));
    match (options.format, options.analyze, options.verbose) {
        (ExplainFormat::Tree, true, _) => {
            return refused("EXPLAIN ANALYZE has no FORMAT TREE: it takes TEXT, JSON or INDENT");
        }
        (ExplainFormat::Tree, _, true) => {
            return refused("EXPLAIN VERBOSE has no FORMAT TREE: it takes TEXT, JSON or INDENT");
        }
        _ => {}
    }
    let named = match (cursor.keyword(), cursor.peek_second()) {
        (None, _) => matches!(cursor.peek(), Some(Token::Word(_))),
        (Some(word), second) => {
            let known = VERBS.contains(&word.as_str()) || query::refused(cursor, &word).is_some();
            word == "EXTENDED" || !known && matches!(second, None | Some(Token::Period))
        }
    };
    if named && !options.written {
        *cursor = start;
        return describe::describe(cursor).map(Statement::Describe);
    }
    let place = cursor.next_span();
    if cursor.sees("EXPLAIN") {
        return Err(Diagnostic::new(code::MISPLACED, "EXPLAIN stands once").at(place));
    }
    let inner = statement(cursor)?;
    if options.format == ExplainFormat::Tree && !matches!(inner, Statement::Query(_)) {
        return refused("only a query has a plan that is drawn: FORMAT takes TEXT or JSON here");
    }
    match inner {
        Statement::Query(_)
        | Statement::Insert(_)
        | Statement::Replace(_)
        | Statement::Update(_)
        | Statement::Delete(_)
        | Statement::Exec(_)
        | Statement::Preview(_) => Ok(Statement::Explain(Explain {
            analyze: options.analyze,
            verbose: options.verbose,
            format: options.format,
            statement: Box::new(inner),
        })),
        _ => Err(Diagnostic::new(
            code::MISPLACED,
            "EXPLAIN takes a query or a statement that changes something",
        )
        .at(place)),
    }
}

/// `(ANALYZE, VERBOSE [bool], FORMAT word, COSTS off, …)`.
fn in_parentheses(cursor: &mut Cursor<'_>, options: &mut Options) -> Result<(), Diagnostic> {
    cursor.expect_token(&Token::LParen)?;
    options.written = true;
    // Whether TIMING was asked for needs to be known beside ANALYZE, which may follow it.
    let mut timing = None;
    loop {
        let place = cursor.next_span();
        let name = cursor.keyword().unwrap_or_default();
        match name.as_str() {
            "ANALYZE" | "ANALYSE" => {
                cursor.skip();
                options.analyze = switch(cursor)?;
            }
            "VERBOSE" => {
                cursor.skip();
                options.verbose = switch(cursor)?;
            }
            "FORMAT" => {
                cursor.skip();
                options.format = format(cursor)?;
            }
            "TIMING" => {
                cursor.skip();
                timing = Some((switch(cursor)?, place));
            }
            // What a query costs is its calls, which are always shown.
            "COSTS" => {
                cursor.skip();
                switch(cursor)?;
            }
            "BUFFERS" | "WAL" | "SETTINGS" | "SUMMARY" | "GENERIC_PLAN" => {
                cursor.skip();
                if switch(cursor)? {
                    let what = match name.as_str() {
                        "BUFFERS" => "there are no buffers",
                        "WAL" => "there is no log that is written ahead",
                        "SETTINGS" => "`SHOW SETTINGS` lists what was set, and where",
                        "SUMMARY" => "how long planning takes is not measured",
                        _ => "values of parameters are given when a statement is planned",
                    };
                    let problem = format!("EXPLAIN has no {name}: {what}");
                    return Err(Diagnostic::new(code::UNSUPPORTED, problem)
                        .at(place)
                        .help(OPTIONS));
                }
            }
            _ => return Err(cursor.unexpected("an option of EXPLAIN").help(OPTIONS)),
        }
        if !cursor.eat_token(&Token::Comma) {
            cursor.expect_token(&Token::RParen)?;
            break;
        }
    }
    let problem = match (timing, options.analyze) {
        (Some((true, place)), false) => ("EXPLAIN option TIMING requires ANALYZE", place),
        (Some((false, place)), true) => (
            "EXPLAIN ANALYZE always shows times: TIMING cannot be `off`",
            place,
        ),
        _ => return Ok(()),
    };
    Err(Diagnostic::new(code::UNSUPPORTED, problem.0)
        .at(problem.1)
        .help(OPTIONS))
}

fn format(cursor: &mut Cursor<'_>) -> Result<ExplainFormat, Diagnostic> {
    let place = cursor.next_span();
    let word = describe::word(cursor, "a format such as `json`")?;
    match word.to_ascii_lowercase().as_str() {
        "text" | "indent" => Ok(ExplainFormat::Text),
        "json" => Ok(ExplainFormat::Json),
        "tree" => Ok(ExplainFormat::Tree),
        _ => {
            let problem = format!("EXPLAIN has no format `{}`", crate::syntax::shown(&word));
            Err(Diagnostic::new(code::UNSUPPORTED, problem)
                .at(place)
                .help(FORMATS))
        }
    }
}

/// `on`, which need not be written, or `off`.
fn switch(cursor: &mut Cursor<'_>) -> Result<bool, Diagnostic> {
    if matches!(cursor.peek(), Some(Token::Comma | Token::RParen)) {
        return Ok(true);
    }
    let place = cursor.next_span();
    let word = describe::word(cursor, "`on` or `off`")?;
    match word.to_ascii_lowercase().as_str() {
        "true" | "on" | "1" => Ok(true),
        "false" | "off" | "0" => Ok(false),
        _ => {
            let problem = format!(
                "expected `on` or `off`, found `{}`",
                crate::syntax::shown(&word)
            );
            Err(Diagnostic::new(code::SYNTAX, problem).at(place))
        }
    }
}
