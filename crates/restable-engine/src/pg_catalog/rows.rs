//! The rows of `pg_catalog`, made from the documents and from what the session created when they are asked for.

use std::sync::Arc;

use arrow::datatypes::Field;
use datafusion::catalog::{CatalogProviderList as _, SchemaProvider as _, TableProvider};

use super::facts::catalog_oid;
use super::tables::Layout;
use super::{catalogs, cells, held, keys, keywords, kinds, operators, settings};
use crate::catalog::{OWN_CATALOG, OWN_SCHEMA};
use crate::functions::NAME_METADATA;
use crate::information_schema::{is_readable, key};
use crate::shared::Shared;
use crate::statement::lock;
use crate::table::{Role, at_hand, columns};
use crate::{Error, Result};
use crate::{own_views, snapshots};

pub use super::cells::{Cell, Row, oid, text};
use super::others::Other;

/// OID of the schema `pg_catalog`.
pub const PG_CATALOG: u32 = 11;
/// OID of the schema of what a session creates.
pub const PUBLIC: u32 = 2200;
/// OID of `information_schema`.
pub const INFORMATION_SCHEMA: u32 = 13_000;
/// OID of the role that owns all.
pub const OWNER: u32 = 10;
/// The number of what was written before every transaction.
const FROZEN: u32 = 2;

/// A table or view.
#[derive(Debug, Clone)]
pub struct Relation {
    /// Its OID, the same in every session.
    pub oid: u32,
    /// Its name.
    pub name: String,
    /// Its schema.
    pub schema: String,
    /// Whether it is a view.
    pub view: bool,
    /// Whether it is a materialized view.
    pub materialized: bool,
    /// What a view is made of.
    pub definition: Option<String>,
    /// What its document says of it.
    pub description: Option<String>,
    pub(super) columns: Vec<Column>,
}

/// A column of a table or view.
#[derive(Debug, Clone)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// The OID of its type.
    pub kind: u32,
    /// What the document says of it.
    pub description: Option<String>,
    /// Whether its values tell rows from each other, so that it has one.
    pub key: bool,
}

impl Relation {
    /// The columns, in order.
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }
}

impl Relation {
    /// PostgreSQL's letter for what it is.
    pub fn kind(&self) -> &'static str {
        match (self.view, self.materialized) {
            (true, _) => "v",
            (_, true) => "m",
            _ => "r",
        }
    }
}

/// An OID out of a name: the same in every session and process.
pub fn oid_of(name: &str) -> u32 {
    let hash = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    100_000 + u32::try_from(hash % 2_000_000_000).unwrap_or_default()
}

/// The OID of a schema.
pub fn schema_oid(schema: &str) -> u32 {
    match schema {
        "pg_catalog" => PG_CATALOG,
        "information_schema" => INFORMATION_SCHEMA,
        OWN_SCHEMA => PUBLIC,
        other => oid_of(&format!("schema {other}")),
    }
}

/// The provider whose services are the schemas of the session.
pub fn provider(shared: &Shared) -> Option<Arc<restable_spec::Provider>> {
    let directory = shared.directory();
    let mut all = shared.registry.providers();
    match &directory.current.provider {
        Some(name) => shared.registry.provider(name).cloned(),
        None => all.next().filter(|_| all.next().is_none()).cloned(),
    }
}

/// The schemas that a client sees.
pub fn schemas(shared: &Shared) -> Vec<String> {
    let services = provider(shared).map(|provider| {
        provider
            .services()
            .map(|entry| entry.name.clone())
            .collect::<Vec<_>>()
    });
    services
        .unwrap_or_default()
        .into_iter()
        .chain([OWN_SCHEMA.to_owned()])
        .collect()
}

/// The tables and views that a client sees.
pub async fn relations(shared: &Arc<Shared>) -> Result<Vec<Relation>> {
    let mut all = Vec::new();
    if let Some(provider) = provider(shared) {
        all.extend(of_provider(shared, &provider).await?.iter().cloned());
    }
    for name in shared.own.table_names() {
        let full = [OWN_CATALOG.to_owned(), OWN_SCHEMA.to_owned(), name.clone()];
        let kept = snapshots::kind(shared, &name);
        let columns = match fields(shared, &full).await {
            // One damaged file must not hide all other tables; reading the table tells what is wrong.
            Err(_) if kept.is_some() => Vec::new(),
            columns => columns?,
        };
        let view = own_views::definition(shared, &name);
        all.push(Relation {
            oid: oid_of(&full.join(".")),
            columns,
            schema: OWN_SCHEMA.to_owned(),
            view: view.is_some(),
            materialized: kept == Some(snapshots::Kind::MaterializedView),
            definition: view.or_else(|| snapshots::definition(shared, &name)),
            description: None,
            name,
        });
    }
    Ok(all)
}

/// The tables and views of a provider, made once.
async fn of_provider(
    shared: &Arc<Shared>,
    provider: &restable_spec::Provider,
) -> Result<Arc<Vec<Relation>>> {
    if let Some(known) = lock(&shared.relations).get(&provider.name) {
        return Ok(Arc::clone(known));
    }
    let mut all = Vec::new();
    {
        let names: Vec<String> = provider
            .services()
            .map(|entry| entry.name.clone())
            .collect();
        for name in names {
            let Some(service) = provider.service(&name)? else {
                continue;
            };
            for resource in service
                .resources
                .values()
                .filter(|resource| is_readable(resource))
            {
                let listed = if resource.view.is_some() {
                    let full = [
                        resource.provider.clone(),
                        resource.service.clone(),
                        resource.name.clone(),
                    ];
                    fields(shared, &full).await?
                } else {
                    let key = key(resource);
                    let shown = columns(resource)
                        .into_iter()
                        .filter(|column| column.role == Role::Field);
                    shown
                        .map(|column| Column {
                            key: key.as_ref() == Some(&column.name),
                            kind: kinds::of_document(column.kind),
                            name: column.name,
                            description: column.description,
                        })
                        .collect()
                };
                all.push(Relation {
                    oid: oid_of(&resource.full_name()),
                    name: resource.name.clone(),
                    schema: resource.service.clone(),
                    view: resource.view.is_some(),
                    materialized: false,
                    definition: resource.view.as_ref().map(|view| view.ddl.clone()),
                    description: resource.description.clone(),
                    columns: listed,
                });
            }
        }
    }
    let all = Arc::new(all);
    lock(&shared.relations).insert(provider.name.clone(), Arc::clone(&all));
    Ok(all)
}

/// The names and types of the columns of a view, or of what a user created.
async fn fields(shared: &Arc<Shared>, full: &[String; 3]) -> Result<Vec<Column>> {
    let catalogs = shared.ground.catalogs();
    let schema = catalogs
        .catalog(&full[0])
        .and_then(|catalog| catalog.schema(&full[1]));
    let schema = schema
        .ok_or_else(|| Error::internal(format!("the schema `{}.{}` is gone", full[0], full[1])))?;
    let Some(table) = schema.table(&full[2]).await? else {
        return Err(Error::internal(format!(
            "the table `{}` is gone",
            full.join(".")
        )));
    };
    let schema = table.schema();
    let one = |field: &Arc<Field>| {
        let name = field.metadata().get(NAME_METADATA);
        let name = name.filter(|name| restable_spec::names::fold(name) == *field.name());
        Column {
            name: name.unwrap_or(field.name()).clone(),
            kind: kinds::of_field(field),
            description: None,
            key: false,
        }
    };
    let hidden = snapshots::hidden(&*table);
    let shown = schema.fields().iter();
    let shown = shown.filter(|field| hidden != Some(field.name().as_str()));
    Ok(shown.map(one).collect())
}

/// A table of `pg_catalog`.
pub async fn table(shared: &Arc<Shared>, layout: &Layout) -> Result<Arc<dyn TableProvider>> {
    let mut rows = rows(shared, layout.name).await?;
    for row in &mut rows {
        // No transaction wrote it: it was there before the first one.
        row.push(("xmin", oid(FROZEN)));
        row.push(("tableoid", oid(catalog_oid(layout.name))));
    }
    let batch = cells::batch(layout, &rows)?;
    Ok(at_hand(batch.schema(), batch)?)
}

async fn rows(shared: &Arc<Shared>, name: &str) -> Result<Vec<Row>> {
    Ok(match name {
        "pg_namespace" => {
            let all = schemas(shared)
                .into_iter()
                .chain(["pg_catalog", "information_schema"].map(str::to_owned));
            all.map(|schema| {
                vec![
                    ("oid", oid(schema_oid(&schema))),
                    ("nspowner", oid(OWNER)),
                    ("nspname", text(schema)),
                ]
            })
            .collect()
        }
        "pg_class" => {
            let (own, catalogs) = (relations(shared).await?, catalogs::relations(shared).await?);
            let indexes = keys::all(&own).map(|key| key.class());
            let tables = own.iter().chain(&catalogs).map(class);
            tables.chain(indexes).collect()
        }
        "pg_attribute" => {
            let (own, catalogs) = (relations(shared).await?, catalogs::relations(shared).await?);
            let of_indexes =
                keys::all(&own).filter_map(|key| key.attribute(&attributes(key.table)));
            let of_tables = own.iter().chain(&catalogs).flat_map(attributes);
            of_tables.chain(of_indexes).collect()
        }
        "pg_type" => kinds::ALL.iter().flat_map(kind_rows).collect(),
        "pg_proc" => procs(),
        "pg_database" => {
            let mut names: Vec<String> = shared
                .registry
                .providers()
                .map(|provider| provider.name.clone())
                .chain(["restable".to_owned()])
                .collect();
            names.extend(shared.client.iter().map(|client| client.database.clone()));
            names.sort();
            names.dedup();
            names.into_iter().map(database).collect()
        }
        "pg_roles" | "pg_authid" => roles(shared)
            .map(|(own, name)| {
                vec![
                    ("oid", oid(own)),
                    ("rolname", text(name)),
                    ("rolsuper", Cell::Is(false)),
                    ("rolinherit", Cell::Is(true)),
                    ("rolcreaterole", Cell::Is(false)),
                    ("rolcreatedb", Cell::Is(false)),
                    ("rolcanlogin", Cell::Is(true)),
                    ("rolreplication", Cell::Is(false)),
                    ("rolbypassrls", Cell::Is(false)),
                    ("rolconnlimit", Cell::Number(-1)),
                ]
            })
            .collect(),
        "pg_user" | "pg_shadow" => roles(shared)
            .map(|(own, name)| {
                vec![
                    ("usename", text(name)),
                    ("usesysid", oid(own)),
                    ("usecreatedb", Cell::Is(false)),
                    ("usesuper", Cell::Is(false)),
                    ("userepl", Cell::Is(false)),
                    ("usebypassrls", Cell::Is(false)),
                ]
            })
            .collect(),
        "pg_description" => relations(shared)
            .await?
            .iter()
            .flat_map(descriptions)
            .collect(),
        "pg_get_keywords" => keywords::all()
            .map(|word| {
                let bare = match word.bare {
                    true => "can be bare label",
                    false => "requires AS",
                };
                vec![
                    ("word", text(word.word)),
                    ("catcode", text(word.category)),
                    ("barelabel", Cell::Is(word.bare)),
                    ("catdesc", text(word.meaning)),
                    ("baredesc", text(bare)),
                ]
            })
            .collect(),
        "pg_timezone_names" => zones("name"),
        "pg_timezone_abbrevs" => zones("abbrev"),
        "pg_stat_ssl" => {
            let used = shared.client.as_ref();
            let used = used.and_then(|client| client.encryption.used.as_ref());
            let mut row = vec![("pid", process(shared)), ("ssl", Cell::Is(used.is_some()))];
            if let Some(cipher) = used {
                row.extend([
                    ("version", text(&cipher.version)),
                    ("cipher", text(&cipher.name)),
                    ("bits", Cell::Number(cipher.bits.into())),
                ]);
            }
            vec![row]
        }
        "pg_stat_activity" => {
            let client = shared.client.iter();
            let all = client.flat_map(|client| {
                let row = |other: Other| {
                    vec![
                        ("datid", oid(database_oid(&other.database))),
                        ("datname", text(other.database)),
                        ("pid", Cell::Number(other.process.into())),
                        ("usesysid", oid(oid_of(&format!("role {}", other.user)))),
                        ("usename", text(other.user)),
                        ("query", text(other.statement)),
                        ("state", text(if other.runs { "active" } else { "idle" })),
                        ("backend_type", text("client backend")),
                    ]
                };
                let own = || Other {
                    process: client.process,
                    user: client.user.clone(),
                    database: client.database.clone(),
                    statement: String::new(),
                    runs: true,
                };
                let listed = client.others.as_ref().map(|others| others.all());
                let mut all = listed.unwrap_or_default();
                // It asks, so it runs.
                match all.iter_mut().find(|one| one.process == client.process) {
                    Some(mine) => mine.runs = true,
                    None => all.push(own()),
                }
                all.into_iter().map(row).collect::<Vec<_>>()
            });
            all.collect()
        }
        "pg_settings" => {
            let offered = shared.client.as_ref();
            let offered = offered.is_some_and(|client| client.encryption.offered);
            let one = |setting: settings::Shown| {
                let value = match setting.name {
                    "ssl" if offered => "on".to_owned(),
                    _ => setting.value,
                };
                vec![
                    ("name", text(setting.name)),
                    ("setting", text(&value)),
                    ("short_desc", setting.meaning.map_or(Cell::Null, Cell::Text)),
                    ("context", text("user")),
                    ("vartype", text("string")),
                    ("source", text("default")),
                    ("boot_val", text(&setting.began)),
                    ("reset_val", text(setting.began)),
                    ("pending_restart", Cell::Is(false)),
                ]
            };
            settings::all(shared)?.into_iter().map(one).collect()
        }
        "pg_index" | "pg_indexes" | "pg_constraint" | "pg_depend" => {
            let own = relations(shared).await?;
            let all = keys::all(&own);
            match name {
                "pg_index" => all.map(|key| key.index_row()).collect(),
                "pg_indexes" => all.map(|key| key.shown()).collect(),
                "pg_constraint" => all.map(|key| key.constraint_row()).collect(),
                _ => all.flat_map(|key| key.dependencies()).collect(),
            }
        }
        // How a view is made: by a rule for what reads it.
        "pg_rewrite" => {
            let all = relations(shared).await?.into_iter();
            let one = |view: Relation| {
                let name = format!("rule {}.{}", view.schema, view.name);
                vec![
                    ("oid", oid(oid_of(&name))),
                    ("rulename", text("_RETURN")),
                    ("ev_class", oid(view.oid)),
                    ("ev_type", text("1")),
                    ("ev_enabled", text("O")),
                    ("is_instead", Cell::Is(true)),
                ]
            };
            all.filter(|relation| relation.view).map(one).collect()
        }
        "pg_opclass" => operators::classes(),
        "pg_opfamily" => operators::families(),
        "pg_cast" => operators::casts(),
        "pg_operator" => operators::operators(),
        "pg_collation" => operators::collations(),
        "pg_cursors" => held::cursors(shared),
        "pg_prepared_statements" => held::statements(shared),
        "pg_tablespace" => vec![vec![
            ("oid", oid(1663)),
            ("spcname", text("pg_default")),
            ("spcowner", oid(OWNER)),
        ]],
        "pg_am" => operators::methods(),
        "pg_language" => vec![vec![
            ("oid", oid(14)),
            ("lanname", text("sql")),
            ("lanowner", oid(OWNER)),
            ("lanispl", Cell::Is(false)),
            ("lanpltrusted", Cell::Is(true)),
            ("lanplcallfoid", oid(0)),
            ("laninline", oid(0)),
            ("lanvalidator", oid(0)),
        ]],
        "pg_tables" | "pg_views" => {
            let views = name == "pg_views";
            let all = relations(shared)
                .await?
                .into_iter()
                .filter(|relation| relation.view == views && !relation.materialized);
            let one = |relation: Relation| {
                let keyed = keys::of(&relation).is_some();
                let definition = relation.definition.map_or(Cell::Null, Cell::Text);
                let mut row = vec![("schemaname", text(relation.schema))];
                if views {
                    row.extend([
                        ("viewname", text(relation.name)),
                        ("viewowner", text("restable")),
                        ("definition", definition),
                    ]);
                } else {
                    row.extend([
                        ("hasindexes", Cell::Is(keyed)),
                        ("tablename", text(relation.name)),
                        ("tableowner", text("restable")),
                    ]);
                    row.extend(
                        ["hasrules", "hastriggers", "rowsecurity"]
                            .map(|name| (name, Cell::Is(false))),
                    );
                }
                row
            };
            all.map(one).collect()
        }
        "pg_matviews" => {
            let all = relations(shared).await?.into_iter();
            let one = |relation: Relation| {
                vec![
                    ("schemaname", text(relation.schema)),
                    ("matviewname", text(relation.name)),
                    ("matviewowner", text("restable")),
                    ("hasindexes", Cell::Is(false)),
                    ("ispopulated", Cell::Is(true)),
                    (
                        "definition",
                        relation.definition.map_or(Cell::Null, Cell::Text),
                    ),
                ]
            };
            all.filter(|relation| relation.materialized)
                .map(one)
                .collect()
        }
        _ => Vec::new(),
    })
}

/// The number of the client's connection.
fn process(shared: &Shared) -> Cell {
    let process = shared.client.as_ref().map(|client| client.process);
    Cell::Number(process.unwrap_or_default().into())
}

fn class(relation: &Relation) -> Row {
    let no = [
        "relisshared",
        "relhastriggers",
        "relhassubclass",
        "relrowsecurity",
        "relforcerowsecurity",
        "relispartition",
    ];
    let none = [
        "reloftype",
        "relfilenode",
        "reltablespace",
        "reltoastrelid",
        "relrewrite",
    ];
    let mut row = vec![
        ("oid", oid(relation.oid)),
        ("relname", text(&relation.name)),
        ("relnamespace", oid(schema_oid(&relation.schema))),
        (
            "reltype",
            oid(oid_of(&format!(
                "type {}.{}",
                relation.schema, relation.name
            ))),
        ),
        ("relowner", oid(OWNER)),
        ("relam", oid(if relation.view { 0 } else { 2 })),
        ("relpages", Cell::Number(0)),
        // PostgreSQL's word for: never counted.
        ("reltuples", Cell::Real(-1.0)),
        ("relallvisible", Cell::Number(0)),
        ("relpersistence", text("p")),
        ("relkind", text(relation.kind())),
        ("relnatts", Cell::Number(relation.columns.len() as i64)),
        ("relchecks", Cell::Number(0)),
        ("relhasindex", Cell::Is(keys::of(relation).is_some())),
        ("relhasrules", Cell::Is(relation.view)),
        ("relispopulated", Cell::Is(true)),
        ("relreplident", text(if relation.view { "n" } else { "d" })),
    ];
    row.extend(no.map(|name| (name, Cell::Is(false))));
    row.extend(none.map(|name| (name, oid(0))));
    row
}

fn attributes(relation: &Relation) -> Vec<Row> {
    let one = |(at, column): (usize, &Column)| {
        let Column {
            name, kind, key, ..
        } = column;
        let size = kinds::ALL
            .iter()
            .find(|known| known.oid == *kind)
            .map_or(-1, |known| known.size);
        vec![
            ("attrelid", oid(relation.oid)),
            ("attname", text(name)),
            ("atttypid", oid(*kind)),
            ("attlen", Cell::Number(size.into())),
            ("attnum", Cell::Number(at as i64 + 1)),
            ("attcacheoff", Cell::Number(-1)),
            ("atttypmod", Cell::Number(-1)),
            ("attndims", Cell::Number(0)),
            ("attbyval", Cell::Is(size > 0 && size <= 8)),
            ("attalign", text("i")),
            ("attstorage", text(if size < 0 { "x" } else { "p" })),
            ("attcompression", text("")),
            ("attnotnull", Cell::Is(*key)),
            ("atthasdef", Cell::Is(false)),
            ("atthasmissing", Cell::Is(false)),
            ("attidentity", text("")),
            ("attgenerated", text("")),
            ("attisdropped", Cell::Is(false)),
            ("attislocal", Cell::Is(true)),
            ("attinhcount", Cell::Number(0)),
            ("attstattarget", Cell::Number(-1)),
            ("attcollation", oid(if *kind == 25 { 100 } else { 0 })),
        ]
    };
    relation.columns.iter().enumerate().map(one).collect()
}

/// A type, and the type of its arrays.
fn kind_rows(kind: &kinds::Kind) -> Vec<Row> {
    let row = |own: u32, name: String, element: u32, array: u32| {
        let is_array = element != 0;
        let size = if is_array { -1 } else { kind.size };
        let function = |which: u32| {
            if is_array {
                kinds::FUNCTIONS[which as usize].0
            } else {
                kinds::function(kind, which)
            }
        };
        vec![
            ("oid", oid(own)),
            ("typname", text(name)),
            ("typnamespace", oid(PG_CATALOG)),
            ("typowner", oid(OWNER)),
            ("typlen", Cell::Number(size.into())),
            ("typbyval", Cell::Is(size > 0 && size <= 8)),
            (
                "typtype",
                text(if kind.category == "P" && !is_array {
                    "p"
                } else {
                    "b"
                }),
            ),
            (
                "typcategory",
                text(if is_array { "A" } else { kind.category }),
            ),
            (
                "typispreferred",
                Cell::Is(
                    ["text", "float8", "bool", "timestamptz", "interval", "oid"]
                        .contains(&kind.name)
                        && !is_array,
                ),
            ),
            ("typisdefined", Cell::Is(true)),
            ("typdelim", text(",")),
            ("typrelid", oid(0)),
            ("typsubscript", oid(0)),
            ("typelem", oid(element)),
            ("typarray", oid(array)),
            ("typinput", oid(function(0))),
            ("typoutput", oid(function(1))),
            ("typreceive", oid(function(2))),
            ("typsend", oid(function(3))),
            ("typmodin", oid(0)),
            ("typmodout", oid(0)),
            ("typanalyze", oid(0)),
            ("typalign", text("i")),
            ("typstorage", text(if size < 0 { "x" } else { "p" })),
            ("typnotnull", Cell::Is(false)),
            ("typbasetype", oid(0)),
            ("typtypmod", Cell::Number(-1)),
            ("typndims", Cell::Number(0)),
            (
                "typcollation",
                oid(if kind.category == "S" { 100 } else { 0 }),
            ),
        ]
    };
    let mut rows = vec![row(kind.oid, kind.name.to_owned(), 0, kind.array)];
    if kind.array != 0 {
        rows.push(row(kind.array, format!("_{}", kind.name), kind.oid, 0));
    }
    rows
}

fn procs() -> Vec<Row> {
    let row = |own: u32, name: String, result: u32| {
        vec![
            ("oid", oid(own)),
            ("proname", text(name)),
            ("pronamespace", oid(PG_CATALOG)),
            ("proowner", oid(OWNER)),
            ("prolang", oid(12)),
            ("procost", Cell::Real(1.0)),
            ("prorows", Cell::Real(0.0)),
            ("provariadic", oid(0)),
            ("prosupport", oid(0)),
            ("prokind", text("f")),
            ("prosecdef", Cell::Is(false)),
            ("proleakproof", Cell::Is(false)),
            ("proisstrict", Cell::Is(true)),
            ("proretset", Cell::Is(false)),
            ("provolatile", text("i")),
            ("proparallel", text("s")),
            ("pronargs", Cell::Number(1)),
            ("pronargdefaults", Cell::Number(0)),
            ("prorettype", oid(result)),
            ("proargtypes", Cell::Oids(vec![2275])),
        ]
    };
    // The methods of access, and how arrays come and go.
    let methods = kinds::HANDLERS
        .iter()
        .map(|(own, name, result)| row(*own, (*name).to_owned(), *result));
    let arrays = kinds::FUNCTIONS
        .iter()
        .map(|(own, name)| row(*own, (*name).to_owned(), 2277));
    let arrays = methods.chain(arrays);
    let own = kinds::ALL.iter().flat_map(|kind| {
        (0..4).map(move |which| {
            (
                kinds::function(kind, which),
                kinds::function_name(kind, which),
                kind.oid,
            )
        })
    });
    arrays
        .chain(own.map(|(own, name, result)| row(own, name, result)))
        .collect()
}

/// The roles: who owns all, and who asks.
fn roles(shared: &Shared) -> impl Iterator<Item = (u32, String)> {
    let own = (OWNER, "restable".to_owned());
    let user = shared.client.iter().map(|client| client.user.clone());
    let user = user.filter(|user| user != "restable");
    std::iter::once(own).chain(user.map(|user| (oid_of(&format!("role {user}")), user)))
}

/// What the document says of a table and of its columns.
fn descriptions(relation: &Relation) -> Vec<Row> {
    let row = |at: usize, description: &String| {
        vec![
            ("objoid", oid(relation.oid)),
            ("classoid", oid(catalog_oid("pg_class"))),
            ("objsubid", Cell::Number(at as i64)),
            ("description", text(description)),
        ]
    };
    let own = relation.description.iter().map(|own| row(0, own));
    let columns = relation.columns.iter().enumerate();
    let columns = columns.filter_map(|(at, column)| {
        let description = column.description.as_ref()?;
        Some(row(at + 1, description))
    });
    own.chain(columns).collect()
}

/// The zones that never move their clocks; others may be set by their names, too.
fn zones(column: &'static str) -> Vec<Row> {
    let row = |name: String, offset: String| {
        let mut row = vec![
            (column, text(&name)),
            ("utc_offset", text(offset)),
            ("is_dst", Cell::Is(false)),
        ];
        if column == "name" {
            row.push(("abbrev", text("UTC")));
        }
        row
    };
    let mut all: Vec<Row> = ["UTC", "GMT"]
        .map(|name| row(name.to_owned(), "00:00:00".to_owned()))
        .into();
    if column == "name" {
        all.push(row("Etc/UTC".to_owned(), "00:00:00".to_owned()));
    }
    all
}

fn database_oid(name: &str) -> u32 {
    oid_of(&format!("database {name}"))
}

fn database(name: String) -> Row {
    vec![
        ("oid", oid(database_oid(&name))),
        ("datfrozenxid", oid(FROZEN)),
        ("datminmxid", oid(1)),
        ("datdba", oid(OWNER)),
        ("encoding", Cell::Number(6)),
        ("datlocprovider", text("c")),
        ("datistemplate", Cell::Is(false)),
        ("datallowconn", Cell::Is(true)),
        ("datconnlimit", Cell::Number(-1)),
        ("dattablespace", oid(1663)),
        ("datcollate", text("C")),
        ("datctype", text("C.UTF-8")),
        ("datname", text(name)),
    ]
}
