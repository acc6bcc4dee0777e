//! The word by which a server tells its client which statement is done: PostgreSQL's command tags, and one a statement of
//! restable's own.

use sqlparser::ast::{self, ObjectType};

use crate::statement::{Connection, Discard, Parsed, Replace, Statement};

impl Parsed {
    /// The tag, without the number of rows that some have behind it.
    #[must_use]
    pub fn tag(&self) -> &'static str {
        tag(&self.statement)
    }

    /// Whether a client is told how many targets there were, and no rows: what changes something without RETURNING.
    #[must_use]
    pub fn is_counted(&self) -> bool {
        match &self.statement {
            Statement::Insert(insert) => insert.returning.is_none(),
            Statement::Replace(Replace::Rows(insert)) => insert.returning.is_none(),
            Statement::Update(update) => update.returning.is_none(),
            Statement::Replace(Replace::Set(update)) => update.returning.is_none(),
            Statement::Delete(delete) => delete.returning.is_none(),
            _ => false,
        }
    }
}

fn tag(statement: &Statement) -> &'static str {
    match statement {
        Statement::Query(query) => match query.as_ref() {
            ast::Statement::CreateTable(_) => "CREATE TABLE",
            ast::Statement::CreateView(view) if view.materialized => "CREATE MATERIALIZED VIEW",
            ast::Statement::CreateView(_) => "CREATE VIEW",
            ast::Statement::CreateSchema { .. } => "CREATE SCHEMA",
            ast::Statement::Drop { object_type, .. } => match object_type {
                ObjectType::View => "DROP VIEW",
                ObjectType::MaterializedView => "DROP MATERIALIZED VIEW",
                ObjectType::Schema => "DROP SCHEMA",
                _ => "DROP TABLE",
            },
            ast::Statement::Prepare { .. } => "PREPARE",
            _ => "SELECT",
        },
        Statement::Explain(_) => "EXPLAIN",
        Statement::Insert(_) => "INSERT",
        Statement::Replace(Replace::Rows(_) | Replace::Set(_)) => "REPLACE",
        Statement::Update(_) => "UPDATE",
        Statement::Delete(_) => "DELETE",
        Statement::Exec(_) => "EXEC",
        Statement::Preview(_) => "PREVIEW",
        Statement::Show(_) => "SHOW",
        Statement::Describe(_) => "DESCRIBE",
        Statement::Use(_) => "USE",
        Statement::Set(_) => "SET",
        Statement::Reset(_) => "RESET",
        Statement::Refresh(_) => "REFRESH MATERIALIZED VIEW",
        Statement::Connection(connection) => match connection {
            Connection::Begin(_) => "BEGIN",
            Connection::Commit => "COMMIT",
            Connection::Rollback | Connection::RollbackTo(_) => "ROLLBACK",
            Connection::Savepoint(_) => "SAVEPOINT",
            Connection::Release(_) => "RELEASE",
            Connection::Characteristics { .. } => "SET",
            Connection::Declare { .. } => "DECLARE CURSOR",
            Connection::Fetch { shown: true, .. } => "FETCH",
            Connection::Fetch { shown: false, .. } => "MOVE",
            Connection::Close(Some(_)) => "CLOSE CURSOR",
            Connection::Close(None) => "CLOSE CURSOR ALL",
            Connection::Deallocate(Some(_)) => "DEALLOCATE",
            Connection::Deallocate(None) => "DEALLOCATE ALL",
            Connection::Discard(Discard::All) => "DISCARD ALL",
            Connection::Discard(Discard::Plans) => "DISCARD PLANS",
            Connection::Discard(Discard::Sequences) => "DISCARD SEQUENCES",
            Connection::Discard(Discard::Temporary) => "DISCARD TEMP",
            Connection::Unlisten => "UNLISTEN",
            Connection::Constraints => "SET CONSTRAINTS",
            Connection::Copy(_) => "COPY",
        },
    }
}
