//! SHOW and DESCRIBE: what there is, answered from the documents and the session. Nothing here calls a provider.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema};
use datafusion::catalog::SchemaProvider as _;
use datafusion::logical_expr::LogicalPlan;
use restable_spec::{Kind, Location, Method, Schemas, Service, Verb};
use restable_sql::{Describe, Show, ShowObject};

use crate::names::{Names, Resolver, written};
use crate::session::Session;
use crate::settings::ALL;
use crate::table::{Role, columns};
use crate::{Error, Result, information_schema, own_views, snapshots};

/// Rows of text under these headings.
pub(crate) fn texts(headings: &[&str], rows: Vec<Vec<Option<String>>>) -> Result<RecordBatch> {
    let fields: Vec<Field> = headings
        .iter()
        .map(|name| Field::new(*name, DataType::Utf8, true))
        .collect();
    let arrays = (0..headings.len()).map(|at| -> ArrayRef {
        Arc::new(
            rows.iter()
                .map(|row| row[at].clone())
                .collect::<StringArray>(),
        )
    });
    let arrays: Vec<ArrayRef> = arrays.collect();
    Ok(RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays)?)
}

fn some(text: impl Into<String>) -> Option<String> {
    Some(text.into())
}

/// Answers a SHOW.
pub async fn show(session: &Session, request: &Show) -> Result<RecordBatch> {
    let directory = session.shared().directory();
    let parts = |name: &Option<_>| name.as_ref().map(written).unwrap_or_default();
    let like = |name: &str| {
        request
            .like
            .as_deref()
            .is_none_or(|pattern| matches_like(name, pattern))
    };
    let extended = request.extended;
    let keep = |wide: Vec<Option<String>>, narrow: usize| {
        if extended {
            wide
        } else {
            wide.into_iter().take(narrow).collect()
        }
    };
    let heads = |wide: &'static [&'static str], narrow: usize| {
        if extended { wide } else { &wide[..narrow] }
    };
    match &request.object {
        ShowObject::Providers => {
            let rows = directory
                .registry
                .providers()
                .filter(|provider| like(&provider.name))
                .map(|provider| {
                    keep(
                        vec![
                            some(&provider.name),
                            provider.version.clone(),
                            provider.title.clone(),
                            provider.description.clone(),
                        ],
                        2,
                    )
                });
            texts(
                heads(&["name", "version", "title", "description"], 2),
                rows.collect(),
            )
        }
        ShowObject::Services(name) => {
            let parts = parts(name);
            let provider = directory.provider(parts.first().map(String::as_str))?;
            let rows = provider
                .services()
                .filter(|service| like(&service.name))
                .map(|service| {
                    let id = format!("{}.{}", provider.name, service.name);
                    keep(
                        vec![
                            some(id),
                            some(&service.name),
                            service.title.clone(),
                            service.description.clone(),
                            service.version.clone(),
                        ],
                        3,
                    )
                });
            texts(
                heads(&["id", "name", "title", "description", "version"], 3),
                rows.collect(),
            )
        }
        ShowObject::Resources(name) => {
            let service = directory.service(&parts(name))?;
            let rows = service
                .resources
                .values()
                .filter(|resource| like(&resource.name))
                .map(|resource| {
                    keep(
                        vec![
                            some(&resource.name),
                            some(resource.full_name()),
                            resource.description.clone(),
                        ],
                        2,
                    )
                });
            texts(heads(&["name", "id", "description"], 2), rows.collect())
        }
        ShowObject::Views(name) => {
            let service = directory.service(&parts(name))?;
            let views = service
                .resources
                .values()
                .filter(|resource| resource.view.is_some() && like(&resource.name));
            let rows = views.map(|resource| {
                keep(
                    vec![
                        some(&resource.name),
                        some(resource.full_name()),
                        resource.description.clone(),
                        resource.view.as_ref().map(|view| view.ddl.clone()),
                    ],
                    2,
                )
            });
            texts(
                heads(&["name", "id", "description", "definition"], 2),
                rows.collect(),
            )
        }
        ShowObject::Methods(name) => {
            let (service, resource) = directory.resource(&parts(name))?;
            let rows = resource
                .methods
                .values()
                .filter(|method| like(&method.key))
                .map(|method| {
                    let required = required_parameters(&service, method).join(", ");
                    let wide = vec![
                        some(&method.key),
                        some(required),
                        some(verbs(method)),
                        some(&method.operation_id),
                        some(method.http.as_str()),
                        method.description.clone(),
                    ];
                    keep(wide, 3)
                });
            texts(
                heads(
                    &[
                        "MethodName",
                        "RequiredParams",
                        "SQLVerb",
                        "OperationId",
                        "HttpMethod",
                        "description",
                    ],
                    3,
                ),
                rows.collect(),
            )
        }
        ShowObject::Tables(_) => {
            let catalog = |name: &str| some(session.shared().shown_catalog(name));
            let mut rows: Vec<Vec<Option<String>>> = session
                .shared()
                .own
                .table_names()
                .into_iter()
                .filter(|name| like(name))
                .map(|name| {
                    let own = crate::catalog::OWN_CATALOG;
                    vec![catalog(own), some("public"), some(name)]
                })
                .collect();
            if let Ok(service) = directory.service(&[]) {
                let readable = service.resources.values().filter(|resource| {
                    information_schema::is_readable(resource) && like(&resource.name)
                });
                rows.extend(readable.map(|resource| {
                    vec![
                        catalog(&resource.provider),
                        some(&resource.service),
                        some(&resource.name),
                    ]
                }));
            }
            texts(&["table_catalog", "table_schema", "table_name"], rows)
        }
        ShowObject::MaterializedViews => snapshots::listed(session.shared(), &like),
        ShowObject::Columns(name) => describe_table(session, &written(name), extended).await,
        ShowObject::Functions => {
            let state = session.shared().ground.functions();
            let mut names: Vec<(String, &str)> = state
                .scalar_functions()
                .keys()
                .map(|name| (name.clone(), "scalar"))
                .collect();
            names.extend(
                state
                    .aggregate_functions()
                    .keys()
                    .map(|name| (name.clone(), "aggregate")),
            );
            names.extend(
                state
                    .window_functions()
                    .keys()
                    .map(|name| (name.clone(), "window")),
            );
            names.sort();
            texts(
                &["name", "kind"],
                names
                    .into_iter()
                    .filter(|(name, _)| like(name))
                    .map(|(name, kind)| vec![some(name), some(kind)])
                    .collect(),
            )
        }
        ShowObject::Create(name) => {
            if let Some(known) = session.shared().resolve(&written(name)).ok().flatten()
                && known.full[0] == crate::catalog::OWN_CATALOG
                && let Some(statement) =
                    match own_views::statement(session.shared(), &known.full[2]) {
                        None => snapshots::statement(session.shared(), &known.full[2])?,
                        own => own,
                    }
            {
                return texts(
                    &["name", "definition"],
                    vec![vec![some(&known.full[2]), some(statement)]],
                );
            }
            let (_, resource) = directory.resource(&written(name))?;
            match &resource.view {
                Some(view) => texts(
                    &["name", "definition"],
                    vec![vec![some(resource.full_name()), some(&view.ddl)]],
                ),
                None => Err(Error::Route {
                    message: format!(
                        "`{}` is a table of its provider: it has no definition in SQL",
                        resource.full_name()
                    ),
                    hint: Some(format!(
                        "`DESCRIBE {}` lists its columns",
                        resource.full_name()
                    )),
                }),
            }
        }
        ShowObject::InsertTemplate {
            table,
            required_only,
        } => {
            let (service, resource) = directory.resource(&written(table))?;
            texts(
                &["insert_statement"],
                vec![vec![some(crate::templates::insert(
                    &service,
                    &resource,
                    *required_only,
                )?)]],
            )
        }
        ShowObject::ExecTemplate { table, method } => {
            let (service, resource, method) = directory.method(&written(table), &method.value)?;
            texts(
                &["exec_statement"],
                vec![vec![some(crate::templates::exec(
                    &service, &resource, &method,
                ))]],
            )
        }
        ShowObject::Calls => crate::show_calls::calls(session, request.extended),
        ShowObject::Operations => {
            crate::acting::list(session, crate::acting::OperationFilter::default()).await
        }
        ShowObject::Warnings => {
            let missing = session
                .last_statement()
                .map(|statement| statement.missing())
                .unwrap_or_default();
            let rows = missing.into_iter().map(|missing| {
                vec![
                    some(missing.scope),
                    some(missing.code),
                    some(missing.message),
                ]
            });
            texts(&["scope", "code", "message"], rows.collect())
        }
        ShowObject::All if session.postgres().is_some() => {
            let settings = crate::pg_catalog::all_settings(session.shared())?;
            let rows = settings.into_iter().filter(|one| like(one.name));
            let rows = rows.map(|one| vec![some(one.name), some(one.value), one.meaning]);
            texts(&["name", "setting", "description"], rows.collect())
        }
        ShowObject::Settings | ShowObject::All => {
            let settings = session.settings();
            let rows = ALL
                .iter()
                .filter(|setting| like(setting.name))
                .map(|setting| {
                    let value = session.shown(setting.name)?;
                    Ok(vec![
                        some(setting.name),
                        some(value),
                        some(settings.origin(setting.name).name()),
                        some(setting.meaning),
                    ])
                });
            texts(
                &["name", "value", "origin", "meaning"],
                rows.collect::<Result<_>>()?,
            )
        }
        ShowObject::Setting(name) => {
            let value = match session.shown(name) {
                Ok(value) => value,
                Err(problem) => {
                    let config = session.shared().ground.config();
                    let entries = config.options().entries();
                    entries
                        .into_iter()
                        .find(|entry| entry.key == *name)
                        .and_then(|entry| entry.value)
                        .ok_or(problem)?
                }
            };
            match session.postgres() {
                // PostgreSQL answers one column, which has the name of the setting.
                Some(_) => texts(&[name], vec![vec![some(value)]]),
                None => texts(&["name", "value"], vec![vec![some(name), some(value)]]),
            }
        }
    }
}

/// Answers a DESCRIBE.
pub async fn describe(session: &Session, request: &Describe) -> Result<RecordBatch> {
    match request {
        Describe::Table { name, extended, .. } => {
            describe_table(session, &written(name), *extended).await
        }
        Describe::Method {
            table,
            method,
            extended,
            ..
        } => {
            let (service, _, method) = session
                .shared()
                .directory()
                .method(&written(table), &method.value)?;
            describe_method(&service, &method, *extended)
        }
        Describe::Query(_) => Err(Error::internal("a query is described by its plan")),
    }
}

/// The columns that a query answers.
pub fn describe_plan(plan: &LogicalPlan, names: &Names) -> Result<RecordBatch> {
    let schema = crate::outcome::headed(&Arc::new(plan.schema().as_arrow().clone()), names);
    let rows = schema
        .fields()
        .iter()
        .map(|field| vec![some(field.name()), some(type_name(field))]);
    texts(&["name", "type"], rows.collect())
}

async fn describe_table(
    session: &Session,
    parts: &[String],
    extended: bool,
) -> Result<RecordBatch> {
    let directory = session.shared().directory();
    // A resource that answers no rows can be described all the same: it has parameters and methods.
    let own = match session.shared().resolve(parts) {
        Ok(own) => own,
        Err(_) if directory.resource(parts).is_ok() => None,
        Err(problem) => return Err(problem),
    };
    let headings: &[&str] = if extended {
        &["name", "type", "role", "description"]
    } else {
        &["name", "type"]
    };
    if let Some(table) = &own
        && table.full[0] == crate::catalog::OWN_CATALOG
    {
        let shared = Arc::clone(session.shared());
        let columns = information_schema::columns_of(&shared, &table.full, type_name).await?;
        let rows = columns.into_iter().map(|(name, kind)| {
            if extended {
                vec![some(name), some(kind), some("field"), None]
            } else {
                vec![some(name), some(kind)]
            }
        });
        let mut rows: Vec<Vec<Option<String>>> = rows.collect();
        if extended && !table.hidden.is_empty() {
            rows.push(vec![
                some(snapshots::SNAPSHOT_TIME),
                some("timestamptz"),
                some("parameter"),
                some("when these rows became what the snapshot shows"),
            ]);
        }
        return texts(headings, rows);
    }
    let (_, resource) = directory.resource(parts)?;
    if resource.view.is_some() {
        let full = [
            resource.provider.clone(),
            resource.service.clone(),
            resource.name.clone(),
        ];
        let columns = information_schema::columns_of(session.shared(), &full, type_name).await?;
        let rows = columns.into_iter().map(|(name, kind)| {
            if extended {
                vec![some(name), some(kind), some("field"), None]
            } else {
                vec![some(name), some(kind)]
            }
        });
        return texts(headings, rows.collect());
    }
    let rows = columns(&resource)
        .into_iter()
        .filter(|column| extended || column.role == Role::Field)
        .map(|column| {
            let kind = match column.role {
                Role::Field => kind_name(column.kind),
                _ => "string",
            };
            let role = match column.role {
                Role::Field => "field",
                Role::Parameter => "parameter",
                Role::Input => "input",
            };
            if extended {
                vec![
                    some(column.name),
                    some(kind),
                    some(role),
                    column.description,
                ]
            } else {
                vec![some(column.name), some(kind)]
            }
        });
    texts(headings, rows.collect())
}

fn describe_method(service: &Service, method: &Method, extended: bool) -> Result<RecordBatch> {
    let schemas: &Schemas = &service.schemas;
    let mut rows: Vec<Vec<Option<String>>> = Vec::new();
    let param_type = |required: bool| {
        if required {
            "input_required"
        } else {
            "input_optional"
        }
    };
    for parameter in &method.parameters {
        let mut shape = serde_json::json!({ "in": location(parameter.location), "type": kind_name(parameter.kind) });
        for (key, value) in [
            ("default", &parameter.default),
            ("format", &parameter.format),
            ("pattern", &parameter.pattern),
        ] {
            if let Some(value) = value {
                shape[key] = serde_json::Value::String(value.clone());
            }
        }
        rows.push(vec![
            some(&parameter.name),
            some(kind_name(parameter.kind)),
            some(param_type(parameter.must_be_given())),
            some(shape.to_string()),
            parameter.description.clone(),
        ]);
    }
    if let Some(request) = &method.request {
        let effective = schemas.effective_properties(&request.schema, None);
        for (name, property) in &effective.properties {
            if property.read_only {
                continue;
            }
            let required = effective.requires(name);
            let kind = kind_name(schemas.kind(&property.schema));
            rows.push(vec![
                some(*name),
                some(kind),
                some(param_type(required)),
                some(property.schema.to_json_text(schemas)),
                property.description.clone(),
            ]);
        }
    }
    for field in &method.response.fields {
        rows.push(vec![
            some(&field.name),
            some(kind_name(field.kind)),
            some("output"),
            some(format!("{{\"type\":\"{}\"}}", kind_name(field.kind))),
            field.description.clone(),
        ]);
    }
    if !extended {
        rows.iter_mut().for_each(|row| row.truncate(4));
    }
    let headings: &[&str] = if extended {
        &["name", "type", "param_type", "shape", "description"]
    } else {
        &["name", "type", "param_type", "shape"]
    };
    texts(headings, rows)
}

/// Required parameters of a method: those without a default, and the required attributes of its body.
pub(crate) fn required_parameters(service: &Service, method: &Method) -> Vec<String> {
    let mut names: Vec<String> = method
        .parameters
        .iter()
        .filter(|parameter| parameter.must_be_given())
        .map(|parameter| parameter.name.clone())
        .collect();
    if let Some(request) = &method.request {
        names.extend(
            request
                .required_attributes(&service.schemas)
                .into_iter()
                .map(str::to_owned),
        );
    }
    names
}

fn verbs(method: &Method) -> String {
    let verbs: Vec<&str> = method
        .verbs
        .iter()
        .map(|verb: &Verb| verb.as_str())
        .collect();
    if verbs.is_empty() {
        "EXEC".to_owned()
    } else {
        verbs.join(", ").to_ascii_uppercase()
    }
}

/// The word that DESCRIBE prints for a kind of value.
pub fn kind_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Text => "string",
        Kind::Integer => "integer",
        Kind::Number => "number",
        Kind::Boolean => "boolean",
        Kind::Json => "object",
    }
}

/// The word that DESCRIBE prints for an Arrow field.
pub fn type_name(field: &Field) -> String {
    if field
        .metadata()
        .get(crate::functions::JSON_METADATA)
        .is_some_and(|kind| kind == "object")
    {
        return "object".to_owned();
    }
    match field.data_type() {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => "string".to_owned(),
        DataType::Boolean => "boolean".to_owned(),
        DataType::Float32 | DataType::Float64 => "number".to_owned(),
        DataType::Timestamp(_, Some(_)) => "timestamptz".to_owned(),
        DataType::Timestamp(_, None) => "timestamp".to_owned(),
        DataType::List(_) => "array".to_owned(),
        kind if kind.is_integer() => "integer".to_owned(),
        kind => kind.to_string(),
    }
}

fn location(location: Location) -> &'static str {
    match location {
        Location::Path => "path",
        Location::Query => "query",
        Location::Header => "header",
        Location::Body => "body",
        Location::Server => "server",
    }
}

/// LIKE with `%` and `_`, without regard to ASCII case.
fn matches_like(text: &str, pattern: &str) -> bool {
    let (text, pattern): (Vec<char>, Vec<char>) =
        (text.chars().collect(), pattern.chars().collect());
    let (mut at, mut wanted) = (0, 0);
    // Where the last `%` stands, and how much of the text it has taken so far.
    let mut open: Option<(usize, usize)> = None;
    while at < text.len() {
        match pattern.get(wanted) {
            Some('%') => {
                open = Some((wanted, at));
                wanted += 1;
            }
            Some(letter) if *letter == '_' || letter.eq_ignore_ascii_case(&text[at]) => {
                at += 1;
                wanted += 1;
            }
            _ => match open {
                Some((percent, taken)) => {
                    open = Some((percent, taken + 1));
                    (at, wanted) = (taken + 1, percent + 1);
                }
                None => return false,
            },
        }
    }
    pattern[wanted..].iter().all(|letter| *letter == '%')
}
