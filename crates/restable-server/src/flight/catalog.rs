//! What there is: catalogs, schemas, tables, keys. It comes from the documents and from what the session created; no provider
//! is called for it.

use std::collections::BTreeSet;
use std::sync::{Arc, LazyLock};

use arrow::array::{ArrayRef, AsArray as _, Int32Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow_flight::sql::metadata::GetTablesBuilder;
use arrow_flight::sql::{
    CommandGetCatalogs, CommandGetDbSchemas, CommandGetPrimaryKeys, CommandGetTableTypes,
    CommandGetTables,
};
use futures::FutureExt as _;
use futures::future::BoxFuture;
use restable_engine::{Listed, Session};
use tonic::Status;

use super::asked;
use super::running::shown;
use super::status::{ours, told};

/// The kinds of tables, as clients of JDBC and ODBC know them.
const KINDS: &[&str] = &["LOCAL TEMPORARY", "MATERIALIZED VIEW", "TABLE", "VIEW"];

/// What a kind of `information_schema` is called here.
fn kind(listed: &Listed) -> &str {
    match &*listed.kind {
        "BASE TABLE" => "TABLE",
        other => other,
    }
}

/// The catalogs.
pub fn catalogs(session: &Session, query: CommandGetCatalogs) -> Result<RecordBatch, Status> {
    let schemas = session.listed_schemas().map_err(|problem| told(&problem))?;
    let names: BTreeSet<String> = schemas.into_iter().map(|[catalog, _]| catalog).collect();
    let mut builder = query.into_builder();
    for name in names {
        builder.append(name);
    }
    builder.build().map_err(ours)
}

/// The schemas.
pub fn schemas(session: &Session, query: CommandGetDbSchemas) -> Result<RecordBatch, Status> {
    let mut builder = query.into_builder();
    for [catalog, schema] in session.listed_schemas().map_err(|problem| told(&problem))? {
        builder.append(catalog, schema);
    }
    builder.build().map_err(ours)
}

/// The tables and views, with their columns if they are asked for.
pub fn tables(
    session: Arc<Session>,
    query: CommandGetTables,
) -> BoxFuture<'static, Result<RecordBatch, Status>> {
    async move {
        let (mut builder, wanted) = match narrowed(&session, query)? {
            Narrowed::Answer(batch) => return Ok(batch),
            Narrowed::Wanted(builder, wanted) => (builder, wanted),
        };
        for listed in wanted {
            let columns = asked::columns(Arc::clone(&session), listed.clone()).await;
            let columns = columns.map_err(|problem| told(&problem))?;
            append(&mut builder, &listed, &shown(&columns))?;
        }
        builder.build().map_err(ours)
    }
    .boxed()
}

/// The answer on tables, or those whose columns it takes.
enum Narrowed {
    Answer(RecordBatch),
    Wanted(Box<GetTablesBuilder>, Vec<Listed>),
}

fn narrowed(session: &Session, query: CommandGetTables) -> Result<Narrowed, Status> {
    let with_columns = query.include_schema;
    let narrow = CommandGetTables {
        include_schema: false,
        ..query.clone()
    };
    let all = session.listed_tables().map_err(|problem| told(&problem))?;
    let none = Schema::empty();
    // Columns are looked up only of what is asked for.
    let mut names = narrow.into_builder();
    for listed in &all {
        append(&mut names, listed, &none)?;
    }
    let names = names.build().map_err(ours)?;
    if !with_columns {
        return Ok(Narrowed::Answer(names));
    }
    let wanted: BTreeSet<[String; 3]> = (0..names.num_rows())
        .map(|row| {
            [0, 1, 2].map(|column| {
                names
                    .column(column)
                    .as_string::<i32>()
                    .value(row)
                    .to_owned()
            })
        })
        .collect();
    let is_wanted = |listed: &Listed| {
        let full = [&listed.catalog, &listed.schema, &listed.name].map(String::clone);
        wanted.contains(&full)
    };
    let wanted = all.into_iter().filter(is_wanted).collect();
    Ok(Narrowed::Wanted(Box::new(query.into_builder()), wanted))
}

fn append(builder: &mut GetTablesBuilder, listed: &Listed, columns: &Schema) -> Result<(), Status> {
    builder
        .append(
            &listed.catalog,
            &listed.schema,
            &listed.name,
            kind(listed),
            columns,
        )
        .map_err(ours)
}

/// The kinds of tables that there may be.
pub fn table_types() -> Result<RecordBatch, Status> {
    let mut builder = CommandGetTableTypes {}.into_builder();
    for kind in KINDS {
        builder.append(kind);
    }
    builder.build().map_err(ours)
}

/// The columns of the answer on primary keys.
pub static PRIMARY_KEYS: LazyLock<SchemaRef> = LazyLock::new(|| {
    Arc::new(Schema::new(vec![
        Field::new("catalog_name", DataType::Utf8, true),
        Field::new("db_schema_name", DataType::Utf8, true),
        Field::new("table_name", DataType::Utf8, false),
        Field::new("column_name", DataType::Utf8, false),
        Field::new("key_sequence", DataType::Int32, false),
        Field::new("key_name", DataType::Utf8, true),
    ]))
});

/// The columns of the answer on keys that refer to others.
pub static FOREIGN_KEYS: LazyLock<SchemaRef> = LazyLock::new(|| {
    Arc::new(Schema::new(vec![
        Field::new("pk_catalog_name", DataType::Utf8, true),
        Field::new("pk_db_schema_name", DataType::Utf8, true),
        Field::new("pk_table_name", DataType::Utf8, false),
        Field::new("pk_column_name", DataType::Utf8, false),
        Field::new("fk_catalog_name", DataType::Utf8, true),
        Field::new("fk_db_schema_name", DataType::Utf8, true),
        Field::new("fk_table_name", DataType::Utf8, false),
        Field::new("fk_column_name", DataType::Utf8, false),
        Field::new("key_sequence", DataType::Int32, false),
        Field::new("fk_key_name", DataType::Utf8, true),
        Field::new("pk_key_name", DataType::Utf8, true),
        Field::new("update_rule", DataType::UInt8, false),
        Field::new("delete_rule", DataType::UInt8, false),
    ]))
});

/// The key of a table: the id of its rows, if the document gives them one.
pub fn primary_keys(
    session: &Session,
    query: &CommandGetPrimaryKeys,
) -> Result<RecordBatch, Status> {
    let all = session.listed_tables().map_err(|problem| told(&problem))?;
    let is = |wanted: &Option<String>, name: &str| wanted.as_ref().is_none_or(|one| one == name);
    let asked = all.iter().filter(|listed| {
        listed.name == query.table
            && is(&query.catalog, &listed.catalog)
            && is(&query.db_schema, &listed.schema)
    });
    let mut rows: Vec<(&Listed, String, i32)> = Vec::new();
    for listed in asked {
        let key = session
            .listed_key(listed)
            .map_err(|problem| told(&problem))?;
        rows.extend(
            key.into_iter()
                .zip(1..)
                .map(|(column, at)| (listed, column, at)),
        );
    }
    let text = |of: &dyn Fn(&(&Listed, String, i32)) -> String| -> ArrayRef {
        Arc::new(
            rows.iter()
                .map(|row| Some(of(row)))
                .collect::<StringArray>(),
        )
    };
    let columns: Vec<ArrayRef> = vec![
        text(&|row| row.0.catalog.clone()),
        text(&|row| row.0.schema.clone()),
        text(&|row| row.0.name.clone()),
        text(&|row| row.1.clone()),
        Arc::new(Int32Array::from_iter_values(rows.iter().map(|row| row.2))),
        text(&|row| format!("{}_pkey", row.0.name)),
    ];
    RecordBatch::try_new(Arc::clone(&PRIMARY_KEYS), columns).map_err(ours)
}

/// No document says which column of which table refers to another.
pub fn foreign_keys() -> RecordBatch {
    RecordBatch::new_empty(Arc::clone(&FOREIGN_KEYS))
}
