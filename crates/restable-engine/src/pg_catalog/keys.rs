//! The keys of tables as PostgreSQL's catalog tells of them: a constraint, and an index that stands for it. A row of such a table is told
//! from all others by its ARM id, as `information_schema` says, too; nothing is refused for it, and nothing is looked up in it.

use super::functions::quoted;
use super::rows::{Cell, Column, OWNER, Relation, Row, oid, oid_of, schema_oid, text};

/// The access method of PostgreSQL's own indexes.
pub const BTREE: u32 = 403;

/// The key of a table: its place among the columns, and the column.
fn of(relation: &Relation) -> Option<(i64, &Column)> {
    let mut columns = (1..).zip(relation.columns());
    columns.find(|(_, column)| column.key)
}

/// Whether a table has one.
pub fn has(relation: &Relation) -> bool {
    of(relation).is_some()
}

fn name(relation: &Relation) -> String {
    format!("{}_pkey", relation.name)
}

fn constraint(relation: &Relation) -> u32 {
    oid_of(&format!("constraint {}.{}", relation.schema, relation.name))
}

fn index(relation: &Relation) -> u32 {
    oid_of(&format!("index {}.{}", relation.schema, relation.name))
}

/// The rows of `pg_constraint`.
pub fn constraints(relations: &[Relation]) -> Vec<Row> {
    let keyed = relations.iter().filter_map(|one| Some((one, of(one)?.0)));
    keyed
        .map(|(relation, at)| {
            let no = ["condeferrable", "condeferred"].map(|name| (name, Cell::Is(false)));
            let yes =
                ["convalidated", "conislocal", "connoinherit"].map(|name| (name, Cell::Is(true)));
            let blank =
                ["confupdtype", "confdeltype", "confmatchtype"].map(|name| (name, text(" ")));
            let none = ["contypid", "conparentid", "confrelid"].map(|name| (name, oid(0)));
            let own = [
                ("oid", oid(constraint(relation))),
                ("conname", text(name(relation))),
                ("connamespace", oid(schema_oid(&relation.schema))),
                ("contype", text("p")),
                ("conrelid", oid(relation.oid)),
                ("conindid", oid(index(relation))),
                ("coninhcount", Cell::Number(0)),
                ("conkey", Cell::Places(vec![at])),
            ];
            let rest = no.into_iter().chain(yes).chain(blank).chain(none);
            own.into_iter().chain(rest).collect()
        })
        .collect()
}

/// The rows of `pg_index`.
pub fn indexes(relations: &[Relation]) -> Vec<Row> {
    let keyed = relations.iter().filter_map(|one| Some((one, of(one)?.0)));
    keyed
        .map(|(relation, at)| {
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
            let yes = yes.map(|name| (name, Cell::Is(true)));
            let no = no.map(|name| (name, Cell::Is(false)));
            let own = [
                ("indexrelid", oid(index(relation))),
                ("indrelid", oid(relation.oid)),
                ("indnatts", Cell::Number(1)),
                ("indnkeyatts", Cell::Number(1)),
                ("indkey", Cell::Places(vec![at])),
                ("indcollation", Cell::Oids(vec![100])),
                ("indclass", Cell::Oids(vec![0])),
                ("indoption", Cell::Places(vec![0])),
            ];
            own.into_iter().chain(yes).chain(no).collect()
        })
        .collect()
}

/// The rows of `pg_class` for the indexes.
pub fn classes(relations: &[Relation]) -> Vec<Row> {
    let keyed = relations.iter().filter(|one| has(one));
    keyed
        .map(|relation| {
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
            let none = [
                "reltype",
                "reloftype",
                "relfilenode",
                "reltablespace",
                "reltoastrelid",
                "relrewrite",
            ];
            let own = [
                ("oid", oid(index(relation))),
                ("relname", text(name(relation))),
                ("relnamespace", oid(schema_oid(&relation.schema))),
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
            let no = no.map(|name| (name, Cell::Is(false)));
            let none = none.map(|name| (name, oid(0)));
            own.into_iter().chain(no).chain(none).collect()
        })
        .collect()
}

/// By the OIDs of the indexes, their only column.
pub fn columns(relations: &[Relation]) -> impl Iterator<Item = (u32, String)> {
    let keyed = relations.iter().filter_map(|one| Some((one, of(one)?.1)));
    keyed.map(|(relation, column)| (index(relation), quoted(&column.name)))
}

/// By their OIDs, how the constraints and the indexes would be written.
pub fn definitions(relations: &[Relation]) -> impl Iterator<Item = (u32, String)> {
    let keyed = relations.iter().filter_map(|one| Some((one, of(one)?.1)));
    keyed.flat_map(|(relation, column)| {
        let column = quoted(&column.name);
        let (schema, table) = (quoted(&relation.schema), quoted(&relation.name));
        let name = quoted(&name(relation));
        [
            (constraint(relation), format!("PRIMARY KEY ({column})")),
            (
                index(relation),
                format!("CREATE UNIQUE INDEX {name} ON {schema}.{table} USING btree ({column})"),
            ),
        ]
    })
}
