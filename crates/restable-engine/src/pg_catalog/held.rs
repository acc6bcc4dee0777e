//! What a connection of a client of PostgreSQL holds beside what its session knows: cursors, and statements that the protocol
//! prepared. `pg_cursors` and `pg_prepared_statements` show it.

use std::time::SystemTime;

use arrow::datatypes::Field;
use restable_sql::Parsed;

use super::kinds;
use super::rows::{Cell, Row, text};
use crate::session::Session;
use crate::shared::Shared;
use crate::statement::lock;

/// What a connection holds.
#[derive(Debug, Clone, Default)]
pub struct Held {
    /// Its cursors: those of DECLARE, and portals of the protocol that have a name.
    pub cursors: Vec<HeldCursor>,
    /// The statements that the protocol prepared, with a name.
    pub statements: Vec<HeldStatement>,
}

/// A cursor.
#[derive(Debug, Clone)]
pub struct HeldCursor {
    /// Its name.
    pub name: String,
    /// The text that made it.
    pub statement: String,
    /// Whether it outlives its transaction.
    pub holdable: bool,
    /// Whether its rows come in binary form.
    pub binary: bool,
    /// Whether it goes back, too.
    pub scrollable: bool,
    /// When it was made.
    pub created: SystemTime,
}

/// A prepared statement.
#[derive(Debug, Clone)]
pub struct HeldStatement {
    /// Its name.
    pub name: String,
    /// Its text.
    pub statement: String,
    /// When it was prepared.
    pub prepared: SystemTime,
    /// The OIDs of the types of its parameters; `None` while nobody asked.
    pub parameters: Option<Vec<u32>>,
    /// Those of its columns.
    pub columns: Option<Vec<u32>>,
}

impl Session {
    /// Whether a statement may ask what its connection holds: by itself, or through a view of the session.
    pub fn asks_what_is_held(&self, parsed: &Parsed) -> bool {
        let names = ["pg_cursors", "pg_prepared_statements"];
        let text = parsed.text.to_ascii_lowercase();
        names.iter().any(|name| text.contains(name))
            || !self.shared().own.session_names().is_empty()
    }

    /// Takes note of what the connection holds.
    pub fn hold(&self, held: Held) {
        *lock(&self.shared().held) = held;
    }
}

/// `pg_cursors`.
pub(super) fn cursors(shared: &Shared) -> Vec<Row> {
    let held = lock(&shared.held);
    let one = |cursor: &HeldCursor| {
        vec![
            ("name", text(&cursor.name)),
            ("statement", text(&cursor.statement)),
            ("is_holdable", Cell::Is(cursor.holdable)),
            ("is_binary", Cell::Is(cursor.binary)),
            ("is_scrollable", Cell::Is(cursor.scrollable)),
            ("creation_time", Cell::Time(cursor.created)),
        ]
    };
    held.cursors.iter().map(one).collect()
}

/// `pg_prepared_statements`.
pub(super) fn statements(shared: &Shared) -> Vec<Row> {
    let types = |all: &Option<Vec<u32>>| match all {
        Some(all) => {
            let shown = |one: &u32| kinds::shown(*one).unwrap_or_else(|| one.to_string());
            Cell::Texts(all.iter().map(shown).collect())
        }
        None => Cell::Null,
    };
    let row = |statement: &HeldStatement, from_sql| {
        vec![
            ("name", text(&statement.name)),
            ("statement", text(&statement.statement)),
            ("prepare_time", Cell::Time(statement.prepared)),
            ("parameter_types", types(&statement.parameters)),
            ("result_types", types(&statement.columns)),
            ("from_sql", Cell::Is(from_sql)),
            // Every time it is planned for its values.
            ("generic_plans", Cell::Number(0)),
        ]
    };
    let held = lock(&shared.held);
    let protocol = held.statements.iter().map(|one| row(one, false));
    let prepared = shared.queries.all();
    let prepared = prepared.iter().map(|(name, query)| {
        let kinds = query.types.iter().map(|kind| {
            let kind = kind.as_ref()?;
            Some(kinds::of_field(&Field::new("", kind.clone(), true)))
        });
        let statement = HeldStatement {
            name: name.clone(),
            statement: query.parsed.text.clone(),
            prepared: query.prepared,
            parameters: kinds.collect(),
            columns: None,
        };
        row(&statement, true)
    });
    protocol.chain(prepared).collect()
}
