//! What a session can see, for doors that are asked for it by other means than SQL: its catalogs, schemas and tables, with
//! their columns and keys. It calls no provider.

use std::sync::Arc;

use arrow::array::{Array as _, AsArray as _, RecordBatch};
use arrow::datatypes::{Schema, SchemaRef};

use crate::information_schema;
use crate::session::Session;
use crate::{Error, Result};

/// A table or view by its full name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Listed {
    /// The provider, or the catalog of what sessions create.
    pub catalog: String,
    /// The service.
    pub schema: String,
    /// The resource.
    pub name: String,
    /// As `information_schema.tables` calls it: `BASE TABLE`, `VIEW`, …
    pub kind: String,
}

impl Session {
    /// The schemas that there are, with their catalogs, in the order of both.
    pub fn listed_schemas(&self) -> Result<Vec<[String; 2]>> {
        let rows = information_schema::schemata(self.shared())?;
        let mut all = texts(&rows)?;
        all.sort_unstable();
        all.dedup();
        Ok(all)
    }

    /// The tables and views that a SELECT may name, in the order of their names.
    pub fn listed_tables(&self) -> Result<Vec<Listed>> {
        let rows = information_schema::all_tables(self.shared())?.into_iter();
        let mut all: Vec<Listed> = rows
            .map(|[catalog, schema, name, kind]| Listed {
                catalog,
                schema,
                name,
                kind,
            })
            .collect();
        all.sort_unstable();
        Ok(all)
    }

    /// The columns of a table, as `SELECT *` of it answers them.
    pub async fn listed_columns(&self, table: &Listed) -> Result<SchemaRef> {
        let quoted = [&table.catalog, &table.schema, &table.name]
            .map(|part| format!("\"{}\"", part.replace('"', "\"\"")));
        let text = format!("SELECT * FROM {}", quoted.join("."));
        let mut columns = None;
        for parsed in restable_sql::parse(&text)? {
            columns = self.prepare(&parsed).await?.columns();
        }
        Ok(columns.unwrap_or_else(|| Arc::new(Schema::empty())))
    }

    /// The columns by which a row of a table is told from all others; none where nothing says so. Each row of a resource
    /// has its own `id`.
    pub fn listed_key(&self, table: &Listed) -> Result<Vec<String>> {
        let Some(provider) = self.registry().provider(&table.catalog) else {
            return Ok(Vec::new());
        };
        let service = provider.service(&table.schema)?;
        let resource = service
            .as_ref()
            .and_then(|service| service.resource(&table.name));
        let key = resource.and_then(|resource| information_schema::key(resource));
        Ok(key.into_iter().collect())
    }
}

/// The first columns of rows of texts.
fn texts<const N: usize>(rows: &RecordBatch) -> Result<Vec<[String; N]>> {
    let columns: Vec<_> = rows
        .columns()
        .iter()
        .filter_map(|column| column.as_string_opt::<i32>())
        .collect();
    let columns: [_; N] = columns
        .get(..N)
        .and_then(|columns| columns.try_into().ok())
        .ok_or_else(|| Error::internal("`information_schema` has other columns"))?;
    let cell = |row: usize| {
        columns.map(|column: &arrow::array::StringArray| {
            if column.is_null(row) {
                String::new()
            } else {
                column.value(row).to_owned()
            }
        })
    };
    Ok((0..rows.num_rows()).map(cell).collect())
}
