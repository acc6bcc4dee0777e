//! The keys of tables as PostgreSQL's catalog has them: a constraint, and the index that there it would always have. Nothing is
//! stored under such an index; it says which column tells the rows of a table from each other, as the document does
//! (`information_schema::key`). Keys have one column: an id.

use super::facts::catalog_oid;
use super::functions::quoted;
use super::operators::{BTREE, TEXT_CLASS};
use super::rows::{Cell, OWNER, Relation, Row, oid, oid_of, schema_oid, text};

/// A table's key.
pub struct Key<'r> {
    /// The table.
    pub table: &'r Relation,
    /// The place of its column, from 1.
    pub place: i16,
    /// The name of its column.
    pub column: &'r str,
}

/// The keys of tables.
pub fn all(relations: &[Relation]) -> impl Iterator<Item = Key<'_>> {
    relations.iter().filter_map(of)
}

/// The key of a table.
pub fn of(table: &Relation) -> Option<Key<'_>> {
    let mut columns = table.columns.iter().zip(1..);
    let (column, place) = columns.find(|(column, _)| column.key)?;
    Some(Key {
        table,
        place,
        column: &column.name,
    })
}

impl Key<'_> {
    /// The name of the constraint and of its index.
    pub fn name(&self) -> String {
        format!("{}_pkey", self.table.name)
    }

    /// The OID of the index.
    pub fn index(&self) -> u32 {
        oid_of(&format!("index {}.{}", self.table.schema, self.name()))
    }

    /// The OID of the constraint.
    pub fn constraint(&self) -> u32 {
        oid_of(&format!("constraint {}.{}", self.table.schema, self.name()))
    }

    /// What `pg_get_constraintdef` says.
    pub fn constraint_definition(&self) -> String {
        format!("PRIMARY KEY ({})", quoted(self.column))
    }

    /// What `pg_get_indexdef` says.
    pub fn index_definition(&self) -> String {
        let (schema, table) = (quoted(&self.table.schema), quoted(&self.table.name));
        let (name, column) = (quoted(&self.name()), quoted(self.column));
        format!("CREATE UNIQUE INDEX {name} ON {schema}.{table} USING btree ({column})")
    }

    /// The index in `pg_class`.
    pub fn class(&self) -> Row {
        let none = [
            "reltype",
            "reloftype",
            "relfilenode",
            "reltablespace",
            "reltoastrelid",
            "relrewrite",
            "relfrozenxid",
            "relminmxid",
        ];
        let no = [
            "relhasindex",
            "relisshared",
            "relhasrules",
            "relhastriggers",
            "relhassubclass",
            "relrowsecurity",
            "relforcerowsecurity",
            "relispartition",
        ];
        let mut row = vec![
            ("oid", oid(self.index())),
            ("relname", text(self.name())),
            ("relnamespace", oid(schema_oid(&self.table.schema))),
            ("relowner", oid(OWNER)),
            ("relam", oid(BTREE)),
            ("relpages", Cell::Number(0)),
            ("reltuples", Cell::Real(-1.0)),
            ("relallvisible", Cell::Number(0)),
            ("relpersistence", text("p")),
            ("relkind", text("i")),
            ("relnatts", Cell::Number(1)),
            ("relchecks", Cell::Number(0)),
            ("relispopulated", Cell::Is(true)),
            ("relreplident", text("n")),
        ];
        row.extend(none.map(|name| (name, oid(0))));
        row.extend(no.map(|name| (name, Cell::Is(false))));
        row
    }

    /// The column of the index in `pg_attribute`: that of the table in another place.
    pub fn attribute(&self, of_table: &[Row]) -> Option<Row> {
        let mut row = of_table.get(usize::try_from(self.place - 1).ok()?)?.clone();
        for (name, cell) in &mut row {
            match *name {
                "attrelid" => *cell = oid(self.index()),
                "attnum" => *cell = Cell::Number(1),
                "attnotnull" => *cell = Cell::Is(false),
                _ => {}
            }
        }
        Some(row)
    }

    /// The index in `pg_index`.
    pub fn index_row(&self) -> Row {
        let yes = [
            "indisunique",
            "indisprimary",
            "indimmediate",
            "indisvalid",
            "indisready",
            "indislive",
        ];
        let no = [
            "indnullsnotdistinct",
            "indisexclusion",
            "indisclustered",
            "indcheckxmin",
            "indisreplident",
        ];
        let mut row = vec![
            ("indexrelid", oid(self.index())),
            ("indrelid", oid(self.table.oid)),
            ("indnatts", Cell::Number(1)),
            ("indnkeyatts", Cell::Number(1)),
            ("indkey", Cell::Places(vec![self.place])),
            ("indcollation", Cell::Oids(vec![100])),
            ("indclass", Cell::Oids(vec![TEXT_CLASS])),
            ("indoption", Cell::Places(vec![0])),
        ];
        row.extend(yes.map(|name| (name, Cell::Is(true))));
        row.extend(no.map(|name| (name, Cell::Is(false))));
        row
    }

    /// The index in `pg_indexes`.
    pub fn shown(&self) -> Row {
        vec![
            ("schemaname", text(&self.table.schema)),
            ("tablename", text(&self.table.name)),
            ("indexname", text(self.name())),
            ("indexdef", text(self.index_definition())),
        ]
    }

    /// The constraint in `pg_constraint`.
    pub fn constraint_row(&self) -> Row {
        let none = ["contypid", "conparentid", "confrelid"];
        let no_action = ["confupdtype", "confdeltype", "confmatchtype"];
        let mut row = vec![
            ("oid", oid(self.constraint())),
            ("conname", text(self.name())),
            ("connamespace", oid(schema_oid(&self.table.schema))),
            ("contype", text("p")),
            ("condeferrable", Cell::Is(false)),
            ("condeferred", Cell::Is(false)),
            ("convalidated", Cell::Is(true)),
            ("conrelid", oid(self.table.oid)),
            ("conindid", oid(self.index())),
            ("conislocal", Cell::Is(true)),
            ("coninhcount", Cell::Number(0)),
            ("connoinherit", Cell::Is(true)),
            ("conkey", Cell::Places(vec![self.place])),
        ];
        row.extend(none.map(|name| (name, oid(0))));
        row.extend(no_action.map(|name| (name, text(" "))));
        row
    }

    /// What stands and falls with what, in `pg_depend`: the index with its constraint, that with the column.
    pub fn dependencies(&self) -> [Row; 2] {
        let row = |class: &str, own: u32, on: &str, other: u32, place: i64, kind: &str| {
            vec![
                ("classid", oid(catalog_oid(class))),
                ("objid", oid(own)),
                ("objsubid", Cell::Number(0)),
                ("refclassid", oid(catalog_oid(on))),
                ("refobjid", oid(other)),
                ("refobjsubid", Cell::Number(place)),
                ("deptype", text(kind)),
            ]
        };
        let (index, constraint) = (self.index(), self.constraint());
        let table = self.table.oid;
        [
            row("pg_class", index, "pg_constraint", constraint, 0, "i"),
            row(
                "pg_constraint",
                constraint,
                "pg_class",
                table,
                self.place.into(),
                "a",
            ),
        ]
    }
}
