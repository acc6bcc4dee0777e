//! `information_schema`, made from the documents and from what the session created. It calls no provider. Parameters
//! are not columns here; `restable_parameters` lists them.

mod standard;

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema};
use datafusion::catalog::{CatalogProviderList as _, SchemaProvider as _, TableProvider};
use restable_spec::{Items, Resource, Service};

use crate::catalog::{OWN_CATALOG, OWN_SCHEMA};
use crate::functions::NAME_METADATA;
use crate::pg_catalog::kinds;
use crate::shared::Shared;
use crate::show::texts;
use crate::snapshots::{self, Kind};
use crate::table::{Role, at_hand, columns, is_arm};
use crate::{Error, Result, own_views};

use self::standard::Described;

pub use self::standard::is_empty;

/// The tables of the schema that say what there is.
const OWN: &[&str] = &[
    "schemata",
    "tables",
    "columns",
    "views",
    "restable_parameters",
    "restable_methods",
    "table_privileges",
    "role_table_grants",
    "table_constraints",
    "key_column_usage",
    "constraint_column_usage",
    "constraint_table_usage",
    "restable_snapshots",
    "restable_refreshes",
];

/// The tables of the schema.
pub fn names() -> impl Iterator<Item = &'static str> {
    OWN.iter().copied().chain(standard::names())
}

/// Whether the schema has a table of this name.
pub fn has(name: &str) -> bool {
    names().any(|known| known == name)
}

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
        "table_privileges" | "role_table_grants" => privileges(shared)?,
        "table_constraints" => constraints(shared)?,
        "key_column_usage" => key_columns(shared)?,
        "constraint_column_usage" | "constraint_table_usage" => used_by_keys(shared, name)?,
        _ => match standard::table(shared, name)? {
            Some(batch) => batch,
            None => return Ok(None),
        },
    };
    Ok(Some(at_hand(batch.schema(), batch)?))
}

/// Whether a resource is a table or view that a SELECT may name.
pub fn is_readable(resource: &Resource) -> bool {
    resource.view.is_some() || !resource.readers().is_empty()
}

/// The column by which a row of a resource is told from all others: the id that Azure gave it, below a subscription. What
/// cannot be listed, such as the result of an operation, is answered with the id of what it is about; two of them may have the same.
pub fn key(resource: &Resource) -> Option<String> {
    let first = resource.key.first()?;
    let mut readers = resource.readers().into_iter();
    let is_listed = readers.any(|method| method.response.items != Items::One);
    if resource.view.is_some()
        || !is_listed
        || !is_arm(resource)
        || !restable_spec::names::same(first, "subscriptionId")
    {
        return None;
    }
    let mut fields = resource.fields.iter();
    let id = fields.find(|field| restable_spec::names::same(&field.name, "id"));
    id.map(|field| field.name.clone())
}

/// Full names of the tables that have a key, and the column that is it.
fn keys(shared: &Shared) -> Result<Vec<([String; 3], String)>> {
    let resources = resources(shared)?;
    let keyed = resources.iter().filter_map(|resource| {
        let catalog = shared.shown_catalog(&resource.provider);
        let full = [catalog, resource.service.clone(), resource.name.clone()];
        Some((full, key(resource)?))
    });
    Ok(keyed.collect())
}

/// Which table has which key. It is told by the document: nothing is refused for it, since nothing is stored.
fn constraints(shared: &Shared) -> Result<RecordBatch> {
    let rows = keys(shared)?
        .into_iter()
        .map(|([catalog, schema, table], _)| {
            let key = format!("{table}_pkey");
            let words = [&catalog, &schema, &key, &catalog, &schema, &table];
            let words = words.into_iter().map(String::as_str);
            let rest = ["PRIMARY KEY", "NO", "NO", "YES"];
            let row = words.chain(rest).map(|word| Some(word.to_owned()));
            row.chain([None]).collect()
        });
    let names = [
        "constraint_catalog",
        "constraint_schema",
        "constraint_name",
        "table_catalog",
        "table_schema",
        "table_name",
        "constraint_type",
        "is_deferrable",
        "initially_deferred",
        "enforced",
        "nulls_distinct",
    ];
    texts(&names, rows.collect())
}

/// The columns of the keys.
fn key_columns(shared: &Shared) -> Result<RecordBatch> {
    let keys = keys(shared)?;
    let rows = keys.iter().map(|([catalog, schema, table], column)| {
        let key = format!("{table}_pkey");
        let words = [catalog, schema, &key, catalog, schema, table, column];
        words.map(|word| Some(word.clone())).into()
    });
    let names = [
        "constraint_catalog",
        "constraint_schema",
        "constraint_name",
        "table_catalog",
        "table_schema",
        "table_name",
        "column_name",
    ];
    let texts = texts(&names, rows.collect())?;
    let place = standard::numbers(keys.iter().map(|_| Some(1)));
    let unique = standard::numbers(keys.iter().map(|_| None));
    let (schema, mut columns, _) = texts.into_parts();
    columns.extend([place, unique]);
    let number = |name: &str| Arc::new(Field::new(name, DataType::Int32, true));
    let fields = schema.fields().iter().cloned().chain([
        number("ordinal_position"),
        number("position_in_unique_constraint"),
    ]);
    let schema = Schema::new(fields.collect::<Vec<_>>());
    Ok(RecordBatch::try_new(Arc::new(schema), columns)?)
}

/// The tables and columns that keys are of.
fn used_by_keys(shared: &Shared, name: &str) -> Result<RecordBatch> {
    let keys = keys(shared)?;
    let columns = name == "constraint_column_usage";
    let rows = keys.iter().map(|([catalog, schema, table], column)| {
        let key = format!("{table}_pkey");
        let own = [catalog, schema, table];
        let own = own.into_iter().chain(columns.then_some(column));
        let all = own.chain([catalog, schema, &key]);
        all.map(|word| Some(word.clone())).collect()
    });
    let own = ["table_catalog", "table_schema", "table_name"];
    let own = own.into_iter().chain(columns.then_some("column_name"));
    let of = ["constraint_catalog", "constraint_schema", "constraint_name"];
    let names: Vec<&str> = own.chain(of).collect();
    texts(&names, rows.collect())
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

pub(crate) fn schemata(shared: &Shared) -> Result<RecordBatch> {
    let row = |catalog: &str, schema: &str| {
        let catalog = shared.shown_catalog(catalog);
        let mut row: Vec<Option<String>> = [&catalog, schema, "restable"]
            .map(|value| Some(value.to_owned()))
            .into();
        row.resize(7, None);
        row
    };
    let mut rows = vec![row(OWN_CATALOG, OWN_SCHEMA)];
    for provider in shared.registry.providers() {
        rows.extend(
            provider
                .services()
                .map(|entry| row(&provider.name, &entry.name)),
        );
    }
    if let Some(client) = &shared.client {
        rows.extend(["information_schema", "pg_catalog"].map(|own| row(&client.database, own)));
    }
    let names = [
        "catalog_name",
        "schema_name",
        "schema_owner",
        "default_character_set_catalog",
        "default_character_set_schema",
        "default_character_set_name",
        "sql_path",
    ];
    texts(&names, rows)
}

/// Catalog, schema, name and kind of each table.
pub(crate) fn all_tables(shared: &Shared) -> Result<Vec<[String; 4]>> {
    let resources = resources(shared)?;
    let own = |name: String| {
        let kind = match snapshots::kind(shared, &name) {
            Some(Kind::MaterializedView) => "MATERIALIZED VIEW",
            Some(Kind::Table) => "BASE TABLE",
            None if own_views::definition(shared, &name).is_some() => "VIEW",
            None => "LOCAL TEMPORARY",
        };
        let (catalog, schema) = (OWN_CATALOG.to_owned(), OWN_SCHEMA.to_owned());
        [
            shared.shown_catalog(&catalog),
            schema,
            name,
            kind.to_owned(),
        ]
    };
    let of_providers = resources.iter().map(|resource| {
        let kind = if resource.view.is_some() {
            "VIEW"
        } else {
            "BASE TABLE"
        };
        [
            shared.shown_catalog(&resource.provider),
            resource.service.clone(),
            resource.name.clone(),
            kind.to_owned(),
        ]
    });
    Ok(of_providers
        .chain(shared.own.table_names().into_iter().map(own))
        .collect())
}

fn tables(shared: &Shared) -> Result<RecordBatch> {
    let rows = all_tables(shared)?.into_iter().map(|table| {
        let mut row: Vec<Option<String>> = table.into_iter().map(Some).collect();
        row.resize(9, None);
        row.extend(["NO", "NO"].map(|no| Some(no.to_owned())));
        row.push(None);
        row
    });
    let names = [
        "table_catalog",
        "table_schema",
        "table_name",
        "table_type",
        "self_referencing_column_name",
        "reference_generation",
        "user_defined_type_catalog",
        "user_defined_type_schema",
        "user_defined_type_name",
        "is_insertable_into",
        "is_typed",
        "commit_action",
    ];
    texts(&names, rows.collect())
}

/// Everybody may read everything that he sees.
fn privileges(shared: &Shared) -> Result<RecordBatch> {
    let user = shared
        .client
        .as_ref()
        .map_or("restable", |client| client.user.as_str());
    let rows = all_tables(shared)?
        .into_iter()
        .map(|[catalog, schema, name, _]| {
            let words = [
                "restable", user, &catalog, &schema, &name, "SELECT", "NO", "NO",
            ];
            words.map(|word| Some(word.to_owned())).into()
        });
    let names = [
        "grantor",
        "grantee",
        "table_catalog",
        "table_schema",
        "table_name",
        "privilege_type",
        "is_grantable",
        "with_hierarchy",
    ];
    texts(&names, rows.collect())
}

fn views(shared: &Shared) -> Result<RecordBatch> {
    let mut rows = Vec::new();
    for resource in resources(shared)? {
        if let Some(view) = &resource.view {
            let mut cells = row([
                &shared.shown_catalog(&resource.provider),
                &resource.service,
                &resource.name,
                &view.ddl,
            ]);
            cells.extend(["NONE", "NO", "NO", "NO", "NO", "NO"].map(|word| Some(word.to_owned())));
            rows.push(cells);
        }
    }
    for name in shared.own.session_names() {
        if let Some(query) = own_views::definition(shared, &name) {
            let catalog = shared.shown_catalog(OWN_CATALOG);
            let mut cells = row([&catalog, OWN_SCHEMA, &name, &query]);
            cells.extend(["NONE", "NO", "NO", "NO", "NO", "NO"].map(|word| Some(word.to_owned())));
            rows.push(cells);
        }
    }
    let names = [
        "table_catalog",
        "table_schema",
        "table_name",
        "view_definition",
        "check_option",
        "is_updatable",
        "is_insertable_into",
        "is_trigger_updatable",
        "is_trigger_deletable",
        "is_trigger_insertable_into",
    ];
    texts(&names, rows)
}

/// Names of the columns of a view or of what a user created, and what is wanted of their types.
pub async fn columns_of<T>(
    shared: &Arc<Shared>,
    full: &[String; 3],
    kind: fn(&Field) -> T,
) -> Result<Vec<(String, T)>> {
    let catalogs = shared.ground.catalogs();
    let provider = catalogs
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
        (name.unwrap_or(field.name()).clone(), kind(field))
    });
    Ok(columns.collect())
}

/// Full name of a table, position, name and type of a column.
type Listed = ([String; 3], i32, String, u32);

async fn all_columns(shared: &Arc<Shared>) -> Result<RecordBatch> {
    let mut rows: Vec<Listed> = Vec::new();
    for resource in resources(shared)? {
        let full = [
            resource.provider.clone(),
            resource.service.clone(),
            resource.name.clone(),
        ];
        let listed: Vec<(String, u32)> = if resource.view.is_some() {
            columns_of(shared, &full, kinds::of_field).await?
        } else {
            let fields = columns(&resource)
                .into_iter()
                .filter(|column| column.role == Role::Field);
            fields
                .map(|column| (column.name, kinds::of_document(column.kind)))
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
        let listed = match columns_of(shared, &full, kinds::of_field).await {
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
    let described: Vec<Described> = rows.iter().map(|row| standard::described(row.3)).collect();
    let text = |of: &dyn Fn(&Listed, &Described) -> Option<String>| -> ArrayRef {
        let both = rows.iter().zip(&described);
        Arc::new(
            both.map(|(row, kind)| of(row, kind))
                .collect::<StringArray>(),
        )
    };
    let number = |of: &dyn Fn(&Listed, &Described) -> Option<i32>| -> ArrayRef {
        let both = rows.iter().zip(&described);
        standard::numbers(both.map(|(row, kind)| of(row, kind)))
    };
    let keys = keys(shared)?;
    let is_key = |row: &Listed| {
        keys.iter().any(|(full, column)| {
            full[1..] == row.0[1..]
                && *column == row.2
                && full[0] == shared.shown_catalog(&row.0[0])
        })
    };
    let said = |word: &'static str| text(&move |_, _| Some(word.to_owned()));
    let none = || text(&|_, _| None);
    let no_number = || number(&|_, _| None);
    let all: Vec<(&str, ArrayRef)> = vec![
        (
            "table_catalog",
            text(&|row, _| Some(shared.shown_catalog(&row.0[0]))),
        ),
        ("table_schema", text(&|row, _| Some(row.0[1].clone()))),
        ("table_name", text(&|row, _| Some(row.0[2].clone()))),
        ("column_name", text(&|row, _| Some(row.2.clone()))),
        ("ordinal_position", number(&|row, _| Some(row.1))),
        ("column_default", none()),
        (
            "is_nullable",
            text(&|row, _| Some(if is_key(row) { "NO" } else { "YES" }.to_owned())),
        ),
        ("data_type", text(&|_, kind| Some(kind.data_type.clone()))),
        ("character_maximum_length", no_number()),
        ("character_octet_length", no_number()),
        ("numeric_precision", number(&|_, kind| kind.precision)),
        ("numeric_precision_radix", number(&|_, kind| kind.radix)),
        ("numeric_scale", number(&|_, kind| kind.scale)),
        ("datetime_precision", number(&|_, kind| kind.time)),
        ("interval_type", none()),
        ("interval_precision", no_number()),
        ("character_set_catalog", none()),
        ("character_set_schema", none()),
        ("character_set_name", none()),
        ("collation_catalog", none()),
        ("collation_schema", none()),
        ("collation_name", none()),
        ("domain_catalog", none()),
        ("domain_schema", none()),
        ("domain_name", none()),
        (
            "udt_catalog",
            text(&|row, _| Some(shared.shown_catalog(&row.0[0]))),
        ),
        ("udt_schema", said("pg_catalog")),
        ("udt_name", text(&|_, kind| Some(kind.udt_name.clone()))),
        ("scope_catalog", none()),
        ("scope_schema", none()),
        ("scope_name", none()),
        ("maximum_cardinality", no_number()),
        ("dtd_identifier", text(&|row, _| Some(row.1.to_string()))),
        ("is_self_referencing", said("NO")),
        ("is_identity", said("NO")),
        ("identity_generation", none()),
        ("identity_start", none()),
        ("identity_increment", none()),
        ("identity_maximum", none()),
        ("identity_minimum", none()),
        ("identity_cycle", said("NO")),
        ("is_generated", said("NEVER")),
        ("generation_expression", none()),
        ("is_updatable", said("NO")),
    ];
    let fields = all
        .iter()
        .map(|(name, array)| Field::new(*name, array.data_type().clone(), true));
    let fields: Vec<Field> = fields.collect();
    let arrays = all.into_iter().map(|(_, array)| array).collect();
    Ok(RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays)?)
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
                &shared.shown_catalog(&resource.provider),
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
                    &shared.shown_catalog(&service.provider),
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
