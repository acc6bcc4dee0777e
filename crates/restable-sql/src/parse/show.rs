//! SHOW in all its forms.

use sqlparser::ast::ObjectName;
use sqlparser::tokenizer::{Token, Whitespace};

use super::{describe, session};
use crate::cursor::{Cursor, is_keyword};
use crate::error::{Diagnostic, code};
use crate::statement::{Show, ShowObject};
use crate::suggest::closest;
use crate::syntax::shown;

const OBJECTS: [&str; 15] = [
    "PROVIDERS",
    "SERVICES",
    "RESOURCES",
    "METHODS",
    "VIEWS",
    "MATERIALIZED",
    "TABLES",
    "COLUMNS",
    "FUNCTIONS",
    "CREATE",
    "INSERT",
    "EXEC",
    "OPERATIONS",
    "WARNINGS",
    "SETTINGS",
];

/// `SHOW [EXTENDED] object [EXTENDED] [IN name] [LIKE 'pattern']`.
pub(super) fn show(cursor: &mut Cursor<'_>) -> Result<Show, Diagnostic> {
    let start = cursor.next_span();
    cursor.skip();
    let mut extended = matches!(cursor.peek_second(), Some(Token::Word(_)))
        && cursor.eat_any(&["EXTENDED", "FULL"]);
    let object = object(cursor)?;
    extended |= cursor.eat("EXTENDED");
    let like = if cursor.eat("LIKE") {
        Some(cursor.text("a pattern in `'`")?)
    } else {
        None
    };
    extended |= cursor.eat("EXTENDED");
    if cursor.sees("WHERE") {
        return Err(Diagnostic::new(code::UNSUPPORTED, "SHOW takes no WHERE")
            .at(cursor.next_span())
            .help("`LIKE 'pattern'` narrows the list; `information_schema` can be queried"));
    }
    Ok(Show {
        object,
        extended,
        like,
        span: start.to(cursor.last_span()),
    })
}

fn object(cursor: &mut Cursor<'_>) -> Result<ShowObject, Diagnostic> {
    let place = cursor.next_span();
    let word = cursor.keyword().unwrap_or_default();
    // A dotted word is a setting, whatever it begins with.
    if cursor.peek_second() == Some(&Token::Period) {
        return session::key(cursor).map(ShowObject::Setting);
    }
    let object = match word.as_str() {
        "PROVIDERS" => step(cursor, ShowObject::Providers),
        "SERVICES" => ShowObject::Services(inside(cursor)?),
        "RESOURCES" => ShowObject::Resources(inside(cursor)?),
        "METHODS" => ShowObject::Methods(inside(cursor)?),
        "VIEWS" => ShowObject::Views(inside(cursor)?),
        "MATERIALIZED" if is_keyword(cursor.peek_second(), "VIEWS") => {
            cursor.skip();
            step(cursor, ShowObject::MaterializedViews)
        }
        "TABLES" => ShowObject::Tables(inside(cursor)?),
        "COLUMNS" | "FIELDS" => match inside(cursor)? {
            Some(table) => ShowObject::Columns(table),
            None => return Err(cursor.unexpected("`IN` and the name of a table")),
        },
        "FUNCTIONS" => step(cursor, ShowObject::Functions),
        "CALLS" => step(cursor, ShowObject::Calls),
        "OPERATIONS" => step(cursor, ShowObject::Operations),
        "WARNINGS" => step(cursor, ShowObject::Warnings),
        "SETTINGS" | "VARIABLES" => step(cursor, ShowObject::Settings),
        "ALL" => step(cursor, ShowObject::All),
        "CREATE" => {
            cursor.skip();
            if !cursor.eat_any(&["TABLE", "VIEW"]) && !cursor.eat_all(&["MATERIALIZED", "VIEW"]) {
                return Err(cursor.unexpected("`TABLE`, `VIEW` or `MATERIALIZED VIEW`"));
            }
            ShowObject::Create(cursor.name("the name of a table")?.0)
        }
        "INSERT" => {
            cursor.skip();
            let required_only = asks_for_required(cursor);
            cursor.expect("INTO")?;
            ShowObject::InsertTemplate {
                table: cursor.name("the name of a table")?.0,
                required_only,
            }
        }
        "EXEC" => {
            cursor.skip();
            let (table, method, _) = describe::method(cursor)?;
            ShowObject::ExecTemplate { table, method }
        }
        _ if cursor.eat_all(&["TRANSACTION", "ISOLATION", "LEVEL"]) => {
            ShowObject::Setting("transaction_isolation".to_owned())
        }
        _ if cursor.eat_all(&["TIME", "ZONE"]) => ShowObject::Setting("timezone".to_owned()),
        _ if matches!(cursor.peek(), Some(Token::Word(_))) => {
            let setting = session::key(cursor)?;
            if cursor.is_at_end() {
                return Ok(ShowObject::Setting(setting));
            }
            let fault = Diagnostic::new(
                code::SYNTAX,
                format!("SHOW does not know `{}`", shown(&setting)),
            )
            .at(place);
            return Err(match closest(&setting, OBJECTS) {
                Some(object) => fault.help(format!("is `{object}` meant?")),
                None => fault.help("SHOW lists PROVIDERS, SERVICES, RESOURCES, METHODS, VIEWS, CALLS, OPERATIONS, WARNINGS, SETTINGS"),
            });
        }
        _ => {
            return Err(cursor.unexpected(
                "what to show, such as `PROVIDERS` or `RESOURCES IN azure.data_protection`",
            ));
        }
    };
    Ok(object)
}

fn step(cursor: &mut Cursor<'_>, object: ShowObject) -> ShowObject {
    cursor.skip();
    object
}

fn inside(cursor: &mut Cursor<'_>) -> Result<Option<ObjectName>, Diagnostic> {
    cursor.skip();
    if !cursor.eat_any(&["IN", "FROM"]) {
        return Ok(None);
    }
    cursor.name("a name").map(|(name, _)| Some(name))
}

/// `/*+ REQUIRED */` after SHOW INSERT or after INTO's verb.
fn asks_for_required(cursor: &Cursor<'_>) -> bool {
    let end = cursor.next_index().unwrap_or(cursor.end);
    cursor.lexed.tokens[cursor.at..end]
        .iter()
        .any(|token| match &token.token {
            Token::Whitespace(Whitespace::MultiLineComment(comment)) => comment
                .strip_prefix('+')
                .is_some_and(|hint| hint.trim().eq_ignore_ascii_case("required")),
            _ => false,
        })
}
