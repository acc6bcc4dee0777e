//! `information_schema`, made from the documents and from what the session created. It calls no provider. Parameters
//! are not columns here; `restable_parameters` lists them.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema};
use datafusion::catalog::{SchemaProvider as _, TableProvider};
use restable_spec::{Resource, Service};

use crate::catalog::{OWN_CATALOG, OWN_SCHEMA};
use crate::functions::NAME_METADATA;
use crate::shared::Shared;
use crate::show::{kind_name, texts, type_name};
use crate::snapshots::{self, Kind};
use crate::table::{Role, at_hand, columns};
use crate::{Error, Result};

/// The tables of the schema.
pub const TABLES: &[&str] = &[
    "schemata",
    "tables",
    "columns",
    "views",
    "restable_parameters",
    "restable_methods",
    "restable_snapshots",
    "restable_refreshes",
];

/// One of the tables.
pub async fn table(shared: &Arc<Shared>, name: &str) -> Result<Option<Arc<dyn TableProvider>>> {
    let batch = match name {
        "schemata" => schemata(shared)?,
        "tables" => tables(shared)?,
        "columns" => all_columns(shared).await?,
        "views" => views(shared)?,
        "restable_parameters" => parameters(shared)?,
        "restable_methods" => methods(shared)?,
        name if snapshots::TABLES.contains(&name) => snapshots::information(shared, name)?,
        _ => return Ok(None),
    };
    Ok(Some(at_hand(batch.schema(), batch)?))
}

/// Whether a resource is a table or view that a SELECT may name.
pub fn is_readable(resource: &Resource) -> bool {
    resource.view.is_some() || !resource.readers().is_empty()
}

fn services(shared: &Shared) -> Result<Vec<Arc<Service>>> {
    let mut all = Vec::new();
    for provider in shared.registry.providers() {
        let names: Vec<String> = provider
            .services()
            .map(|entry| entry.name.clone())
            .collect();
        for name in names {
            all.extend(provider.service(&name)?);
        }
    }
    Ok(all)
}

fn resources(shared: &Shared) -> Result<Vec<Arc<Resource>>> {
    let services = services(shared)?;
    Ok(services
        .iter()
        .flat_map(|service| {
            service
                .resources
                .values()
                .filter(|resource| is_readable(resource))
                .cloned()
        })
        .collect())
}

fn row(values: [&str; 4]) -> Vec<Option<String>> {
    values
        .iter()
        .map(|value| Some((*value).to_owned()))
        .collect()
}

fn schemata(shared: &Shared) -> Result<RecordBatch> {
    let mut rows = vec![vec![
        Some(OWN_CATALOG.to_owned()),
        Some(OWN_SCHEMA.to_owned()),
    ]];
    for provider in shared.registry.providers() {
        rows.extend(
            provider
                .services()
                .map(|entry| vec![Some(provider.name.clone()), Some(entry.name.clone())]),
        );
    }
    texts(&["catalog_name", "schema_name"], rows)
}

fn tables(shared: &Shared) -> Result<RecordBatch> {
    let mut rows: Vec<Vec<Option<String>>> = Vec::new();
    for resource in resources(shared)? {
        let kind = if resource.view.is_some() {
            "VIEW"
        } else {
            "BASE TABLE"
        };
        rows.push(row([
            &resource.provider,
            &resource.service,
            &resource.name,
            kind,
        ]));
    }
    for name in shared.own.table_names() {
        let kind = match snapshots::kind(shared, &name) {
            Some(Kind::MaterializedView) => "MATERIALIZED VIEW",
            Some(Kind::Table) => "BASE TABLE",
            None => "LOCAL TABLE",
        };
        rows.push(row([OWN_CATALOG, OWN_SCHEMA, &name, kind]));
    }
    texts(
        &["table_catalog", "table_schema", "table_name", "table_type"],
        rows,
    )
}

fn views(shared: &Shared) -> Result<RecordBatch> {
    let mut rows = Vec::new();
    for resource in resources(shared)? {
        if let Some(view) = &resource.view {
            rows.push(row([
                &resource.provider,
                &resource.service,
                &resource.name,
                &view.ddl,
            ]));
        }
    }
    texts(
        &[
            "table_catalog",
            "table_schema",
            "table_name",
            "view_definition",
        ],
        rows,
    )
}

/// Names and types of the columns of a view or of what a user created.
pub async fn columns_of(shared: &Arc<Shared>, full: &[String; 3]) -> Result<Vec<(String, String)>> {
    let state = shared.state();
    let provider = state
        .catalog_list()
        .catalog(&full[0])
        .and_then(|catalog| catalog.schema(&full[1]))
        .ok_or_else(|| Error::internal(format!("the schema `{}.{}` is gone", full[0], full[1])))?
        .table(&full[2])
        .await?
        .ok_or_else(|| Error::internal(format!("the table `{}` is gone", full.join("."))))?;
    let schema = provider.schema();
    let hidden = snapshots::hidden(&*provider);
    let shown = schema.fields().iter();
    let shown = shown.filter(|field| hidden != Some(field.name().as_str()));
    let columns = shown.map(|field| {
        let name = field
            .metadata()
            .get(NAME_METADATA)
            .filter(|name| restable_spec::names::fold(name) == *field.name());
        (name.unwrap_or(field.name()).clone(), type_name(field))
    });
    Ok(columns.collect())
}

/// Full name of a table, position, name and type of a column.
type Listed = ([String; 3], i64, String, String);

async fn all_columns(shared: &Arc<Shared>) -> Result<RecordBatch> {
    let mut rows: Vec<Listed> = Vec::new();
    for resource in resources(shared)? {
        let full = [
            resource.provider.clone(),
            resource.service.clone(),
            resource.name.clone(),
        ];
        let listed: Vec<(String, String)> = if resource.view.is_some() {
            columns_of(shared, &full).await?
        } else {
            let fields = columns(&resource)
                .into_iter()
                .filter(|column| column.role == Role::Field);
            fields
                .map(|column| (column.name, kind_name(column.kind).to_owned()))
                .collect()
        };
        rows.extend(
            listed
                .into_iter()
                .zip(1..)
                .map(|((name, kind), at)| (full.clone(), at, name, kind)),
        );
    }
    for name in shared.own.table_names() {
        let is_kept = !shared.own.is_of_session(&name);
        let full = [OWN_CATALOG.to_owned(), OWN_SCHEMA.to_owned(), name];
        let listed = match columns_of(shared, &full).await {
            // One damaged file must not hide all other tables; reading the table tells what is wrong.
            Err(_) if is_kept => continue,
            listed => listed?,
        };
        rows.extend(
            listed
                .into_iter()
                .zip(1..)
                .map(|((name, kind), at)| (full.clone(), at, name, kind)),
        );
    }
    let text = |of: &dyn Fn(&Listed) -> String| -> ArrayRef {
        Arc::new(
            rows.iter()
                .map(|row| Some(of(row)))
                .collect::<StringArray>(),
        )
    };
    let arrays: Vec<ArrayRef> = vec![
        text(&|row| row.0[0].clone()),
        text(&|row| row.0[1].clone()),
        text(&|row| row.0[2].clone()),
        text(&|row| row.2.clone()),
        Arc::new(rows.iter().map(|row| Some(row.1)).collect::<Int64Array>()),
        text(&|_| "YES".to_owned()),
        text(&|row| row.3.clone()),
    ];
    let names = [
        "table_catalog",
        "table_schema",
        "table_name",
        "column_name",
        "ordinal_position",
        "is_nullable",
        "data_type",
    ];
    let fields = names.iter().map(|name| {
        Field::new(
            *name,
            if *name == "ordinal_position" {
                DataType::Int64
            } else {
                DataType::Utf8
            },
            true,
        )
    });
    Ok(RecordBatch::try_new(
        Arc::new(Schema::new(fields.collect::<Vec<_>>())),
        arrays,
    )?)
}

fn parameters(shared: &Shared) -> Result<RecordBatch> {
    let mut rows = Vec::new();
    for resource in resources(shared)? {
        for column in columns(&resource)
            .into_iter()
            .filter(|column| column.role != Role::Field)
        {
            let role = if column.role == Role::Parameter {
                "parameter"
            } else {
                "input"
            };
            let mut cells = row([
                &resource.provider,
                &resource.service,
                &resource.name,
                &column.name,
            ]);
            cells.extend([Some(role.to_owned()), column.description]);
            rows.push(cells);
        }
    }
    texts(
        &[
            "table_catalog",
            "table_schema",
            "table_name",
            "parameter_name",
            "parameter_role",
            "description",
        ],
        rows,
    )
}

fn methods(shared: &Shared) -> Result<RecordBatch> {
    let mut rows = Vec::new();
    for service in services(shared)? {
        for resource in service.resources.values() {
            for method in resource.methods.values() {
                let mut cells = row([
                    &service.provider,
                    &service.name,
                    &resource.name,
                    &method.key,
                ]);
                cells.extend([
                    Some(method.operation_id.clone()),
                    Some(method.http.as_str().to_owned()),
                    Some(method.path.to_string()),
                ]);
                rows.push(cells);
            }
        }
    }
    texts(
        &[
            "table_catalog",
            "table_schema",
            "table_name",
            "method_name",
            "operation_id",
            "http_method",
            "path",
        ],
        rows,
    )
}
