//! restable's SQL dialect: text goes in, statements, byte spans and diagnostics come out.
//!
//! The crate owns the dialect (lexical rules, operator precedence, restable's own statements), the limits on what
//! text is accepted, and [`Diagnostic`], the one form in which a fault in a statement is told to a person. It refuses
//! to know providers: a table, method or parameter is a name here, nothing more. It is synchronous and pure.
//!
//! ```
//! let statements = restable_sql::parse("USE azure.data_protection; SELECT name FROM backup_instances")?;
//! assert_eq!(statements.len(), 2);
//! assert_eq!(statements[1].text, "SELECT name FROM backup_instances");
//! # Ok::<(), restable_sql::Diagnostic>(())
//! ```
//!
//! # Two ways to read a script
//!
//! [`parse`] reads all of it and fails if any statement is bad. A door that runs a script statement by statement calls
//! [`split`] and then [`parse_piece`] for one piece after the other, so that what stands before the first bad
//! statement has run.
//!
//! # What stands in the syntax trees of `sqlparser`
//!
//! Expressions and queries are `sqlparser`'s own types ([`ast`]), parsed once. Six things are particular:
//!
//! - `:name`, `$name` and `?` all arrive as `Value::Placeholder("$name")` or `("$1")`, and each occurrence is listed in
//!   [`Parsed::placeholders`].
//! - The unquoted name `api-version` arrives as one identifier with the quote style `"`.
//! - `FROM (EXEC t.m @k = 'v') x` arrives as the table function [`EXEC_FUNCTION`] with one number: the index of the
//!   [`Exec`] in [`Parsed::calls`].
//! - `FROM t FOR SYSTEM_TIME ALL` arrives as `AS OF` the name [`ALL_REFRESHES`].
//! - Chains of OR, AND and UNION are balanced trees, and `x = 1 OR x = 2` is `x IN (1, 2)`; [`limits`] says why.
//! - Locations (line, column) count from the start of the script, not of the statement; [`byte_span`] turns them into
//!   bytes.

mod balance;
mod completeness;
mod cursor;
mod decode;
mod dialect;
mod error;
mod lexer;
pub mod limits;
mod numbers;
mod parse;
mod render;
mod span;
mod split;
mod statement;
mod suggest;
mod syntax;
mod tag;
mod trees;

pub use completeness::{Completeness, Open, completeness};
pub use decode::decode;
pub use error::{CODES, Diagnostic, code};
pub use limits::chain_limits;
pub use parse::{parse, parse_piece};
pub use span::{Span, byte_span};
pub use split::{Piece, split};
pub use sqlparser::ast;
pub use statement::{
    ALL_REFRESHES, Assignment, Attribute, Connection, CopyOption, CopyPlace, CopyValue, Copying,
    Count, Delete, Describe, Discard, EXEC_FUNCTION, Exec, ExecArgument, ExecBody, Explain,
    ExplainFormat, ForEach, Hints, Insert, Modes, Parsed, Placeholder, Refresh, Replace, Reset,
    Set, SetValue, Show, ShowObject, Statement, Update,
};
pub use suggest::closest;
