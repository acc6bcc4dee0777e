//! The tables of the catalogs themselves, `pg_catalog` and `information_schema`, as `pg_class` and `pg_attribute` list them: psql's `\d`
//! describes them like any other.

use std::sync::Arc;

use super::facts::catalog_oid;
use super::rows::{Column, Relation, oid_of};
use super::{kinds, tables};
use crate::Result;
use crate::information_schema;
use crate::shared::Shared;
use crate::statement::lock;

/// The name under which they are kept once they are known.
const KEPT: &str = "information_schema";

/// Those that are views in PostgreSQL.
const VIEWS: [&str; 22] = [
    "pg_roles",
    "pg_user",
    "pg_shadow",
    "pg_group",
    "pg_settings",
    "pg_tables",
    "pg_views",
    "pg_matviews",
    "pg_indexes",
    "pg_rules",
    "pg_policies",
    "pg_sequences",
    "pg_stats",
    "pg_locks",
    "pg_cursors",
    "pg_prepared_statements",
    "pg_timezone_names",
    "pg_timezone_abbrevs",
    "pg_available_extensions",
    "pg_file_settings",
    "pg_hba_file_rules",
    "pg_prepared_xacts",
];

/// All of them.
pub async fn relations(shared: &Arc<Shared>) -> Result<Vec<Relation>> {
    let layouts = tables::FILLED.iter().chain(tables::EMPTY);
    // A function with rows is no table.
    let layouts = layouts.filter(|layout| layout.name != "pg_get_keywords");
    let mut all: Vec<Relation> = layouts
        .map(|layout| {
            let columns = tables::columns(layout);
            let columns = columns.map(|(name, kind)| column(name, kind_of(kind)));
            let view = VIEWS.contains(&layout.name) || layout.name.starts_with("pg_stat_");
            let oid = catalog_oid(layout.name);
            relation("pg_catalog", layout.name, oid, view, columns.collect())
        })
        .collect();
    all.extend(standard(shared).await?.iter().cloned());
    Ok(all)
}

/// Those of `information_schema`, made once: their columns do not change.
async fn standard(shared: &Arc<Shared>) -> Result<Arc<Vec<Relation>>> {
    if let Some(known) = lock(&shared.relations).get(KEPT) {
        return Ok(Arc::clone(known));
    }
    let mut all = Vec::new();
    for name in information_schema::names() {
        let Some(table) = information_schema::table(shared, name).await? else {
            continue;
        };
        let schema = table.schema();
        let columns = schema.fields().iter();
        let columns = columns.map(|field| column(field.name(), kinds::of_field(field)));
        let oid = oid_of(&format!("{KEPT}.{name}"));
        all.push(relation(KEPT, name, oid, true, columns.collect()));
    }
    let all = Arc::new(all);
    lock(&shared.relations).insert(KEPT.to_owned(), Arc::clone(&all));
    Ok(all)
}

fn kind_of(written: &str) -> u32 {
    const TEXT: u32 = 25;
    kinds::named(written).unwrap_or(TEXT)
}

fn column(name: &str, kind: u32) -> Column {
    Column {
        name: name.to_owned(),
        kind,
        description: None,
        key: false,
    }
}

fn relation(schema: &str, name: &str, oid: u32, view: bool, columns: Vec<Column>) -> Relation {
    Relation {
        oid,
        name: name.to_owned(),
        schema: schema.to_owned(),
        view,
        materialized: false,
        definition: None,
        description: None,
        columns,
    }
}
