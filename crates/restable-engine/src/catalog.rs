//! Catalogs: `provider.service.resource` as DataFusion's `catalog.schema.table`, resolved by tolerant names. A service's
//! document is read at its first use; nothing here calls a provider.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock, Weak};

use async_trait::async_trait;
use datafusion::catalog::{CatalogProvider, SchemaProvider, TableProvider};
use datafusion::common::Result as PlanResult;
use datafusion::logical_expr::TableType;
use restable_spec::names::{fold, same};
use restable_spec::{Provider, Registry, Resource, Service};
use restable_sql::Diagnostic;

use crate::names::KnownTable;
use crate::pg_catalog::PgCatalog;
use crate::shared::Shared;
use crate::snapshots::OwnSchema;
use crate::statement::lock;
use crate::table::{ResourceTable, Role, columns};
use crate::{Error, Result, information_schema, views};

/// The catalog of what a user creates, and of `information_schema`.
pub const OWN_CATALOG: &str = "restable";
/// The schema of what a user creates.
pub const OWN_SCHEMA: &str = "public";

/// What `USE` named.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Current {
    /// The provider.
    pub provider: Option<String>,
    /// The service.
    pub service: Option<String>,
}

/// So many services of a provider are read to find out what a name without its service may mean.
const FEW_SERVICES: usize = 8;

/// Finds providers, services and resources by the parts of a name.
#[derive(Debug, Clone)]
pub struct Directory {
    /// The documents.
    pub registry: Arc<Registry>,
    /// What `USE` named.
    pub current: Current,
}

impl Directory {
    /// The provider of a name; what `USE` named if it is left out.
    pub fn provider(&self, name: Option<&str>) -> Result<Arc<Provider>> {
        let name = name
            .or(self.current.provider.as_deref())
            .ok_or_else(|| Error::Route {
                message: "no provider is named".to_owned(),
                hint: Some("`USE azure;` names one, `SHOW PROVIDERS` lists them".to_owned()),
            })?;
        self.registry
            .provider(name)
            .cloned()
            .ok_or_else(|| Error::unknown_provider(&self.registry, name))
    }

    /// The service of `provider.service` or, after `USE`, of `service`.
    pub fn service(&self, parts: &[String]) -> Result<Arc<Service>> {
        let (provider, service) = match parts {
            [] => (self.provider(None)?, self.current.service.clone()),
            [service] => (self.provider(None)?, Some(service.clone())),
            [provider, service] => (self.provider(Some(provider))?, Some(service.clone())),
            _ => {
                return Err(Error::unknown(
                    "service",
                    &parts.join("."),
                    &[],
                    "SHOW SERVICES IN azure",
                ));
            }
        };
        let Some(service) = service else {
            return Err(Error::Route {
                message: format!("no service of `{}` is named", provider.name),
                hint: Some(format!("`SHOW SERVICES IN {}` lists them", provider.name)),
            });
        };
        provider.service(&service)?.ok_or_else(|| {
            let known: Vec<String> = provider
                .services()
                .map(|entry| entry.name.clone())
                .collect();
            Error::unknown(
                "service",
                &format!("{}.{service}", provider.name),
                &qualified(&provider.name, &known),
                &format!("SHOW SERVICES IN {}", provider.name),
            )
        })
    }

    /// The resource of a written name, an error with the nearest name if the name is a provider's.
    pub fn resource(&self, parts: &[String]) -> Result<(Arc<Service>, Arc<Resource>)> {
        let Some((name, scope)) = parts.split_last() else {
            return Err(Error::internal("a name without parts"));
        };
        let unplaced = match scope {
            [] => self.current.service.is_none(),
            [_] => self.current.provider.is_none(),
            _ => false,
        };
        if unplaced {
            return Err(self.unknown_bare(&parts.join(".")));
        }
        let service = self.service(scope)?;
        match service.resource(name) {
            Some(resource) => Ok((Arc::clone(&service), Arc::clone(resource))),
            None => {
                let known: Vec<String> = service.resources.keys().cloned().collect();
                let prefix = format!("{}.{}", service.provider, service.name);
                Err(Error::unknown(
                    "table",
                    &format!("{prefix}.{name}"),
                    &qualified(&prefix, &known),
                    &format!("SHOW RESOURCES IN {prefix}"),
                ))
            }
        }
    }

    /// What is said of `provider.service` in the place of a table.
    pub(crate) fn no_table(&self, first: &str, name: &str) -> Option<Error> {
        let provider = self.registry.provider(first)?;
        let current = self.provider(None).ok();
        let is_service = |of: &Provider, name: &str| of.services().any(|it| it.name == name);
        if current.is_some_and(|current| is_service(&current, first)) || !is_service(provider, name)
        {
            return None;
        }
        let message = format!("`{first}.{name}` is a service, not a table");
        let hint = format!("`SHOW RESOURCES IN {first}.{name}` lists its tables");
        Some(Diagnostic::new("R0202", message).help(hint).into())
    }

    /// The resource and the method of `[provider.service.]resource` and `method`.
    pub fn method(
        &self,
        table: &[String],
        method: &str,
    ) -> Result<(Arc<Service>, Arc<Resource>, Arc<restable_spec::Method>)> {
        let (service, resource) = self.resource(table).map_err(|problem| {
            let whole: Vec<String> = table.iter().cloned().chain([method.to_owned()]).collect();
            self.resource(&whole)
                .map_or(problem, |(_, resource)| without_method(&resource))
        })?;
        match resource.method(method) {
            Some(found) => Ok((service, Arc::clone(&resource), Arc::clone(found))),
            None => {
                let known: Vec<String> = resource.methods.keys().cloned().collect();
                let full = resource.full_name();
                Err(Error::unknown(
                    "method",
                    &format!("{}.{method}", resource.name),
                    &qualified(&resource.name, &known),
                    &format!("SHOW METHODS IN {full}"),
                ))
            }
        }
    }

    /// A name without provider or service: the error names the tables that end in it.
    pub(crate) fn unknown_bare(&self, name: &str) -> Error {
        let mut known = Vec::new();
        for provider in self.registry.providers() {
            // A misspelled name must not read a whole registry.
            let names: Vec<&str> = provider
                .services()
                .map(|entry| entry.name.as_str())
                .take(FEW_SERVICES)
                .collect();
            for service in names
                .iter()
                .filter_map(|name| provider.service(name).ok().flatten())
            {
                known.extend(
                    service
                        .resources
                        .keys()
                        .map(|resource| format!("{}.{}.{resource}", provider.name, service.name)),
                );
            }
        }
        let same: Vec<&String> = known
            .iter()
            .filter(|full| {
                full.rsplit('.')
                    .next()
                    .is_some_and(|last| restable_spec::names::same(last, name))
                    || full.ends_with(&format!(".{name}"))
            })
            .collect();
        let help = match same.as_slice() {
            [only] => format!("its full name is `{only}`; after `USE {};` the short one will do", only.rsplit_once('.').map_or("", |(scope, _)| scope)),
            _ => "write `provider.service.resource`, or `USE provider.service;` first; `SHOW PROVIDERS` lists providers".to_owned(),
        };
        Error::Diagnostic(Arc::new(Diagnostic {
            code: "R0202",
            message: format!("there is no table `{name}`"),
            span: None,
            notes: Vec::new(),
            help: Some(help),
        }))
    }
}

/// The error for `EXEC` of a table.
fn without_method(resource: &Resource) -> Error {
    let full = resource.full_name();
    Error::Diagnostic(Arc::new(Diagnostic {
        code: "R0202",
        message: format!(
            "`{}` is a table: a method of it must follow, as `{}.method`",
            resource.name, resource.name
        ),
        span: None,
        notes: Vec::new(),
        help: Some(format!("`SHOW METHODS IN {full}` lists them")),
    }))
}

fn qualified(prefix: &str, names: &[String]) -> Vec<String> {
    names
        .iter()
        .map(|name| format!("{prefix}.{name}"))
        .collect()
}

/// What the pass over names needs to know of a resource.
pub fn known(shared: &Arc<Shared>, resource: &Arc<Resource>) -> Result<KnownTable> {
    let full = [
        resource.provider.clone(),
        resource.service.clone(),
        resource.name.clone(),
    ];
    if resource.view.is_some() {
        let columns = views::headings(shared, resource)?;
        let displays = columns
            .iter()
            .map(|name| (fold(name), name.clone()))
            .collect();
        return Ok(KnownTable {
            full,
            visible: columns.iter().map(|name| fold(name)).collect(),
            hidden: Vec::new(),
            displays,
        });
    }
    let columns = columns(resource);
    let of = |fields: bool| {
        let chosen = columns
            .iter()
            .filter(move |column| (column.role == Role::Field) == fields);
        chosen.map(|column| fold(&column.name)).collect::<Vec<_>>()
    };
    let displays: HashMap<String, String> = columns
        .iter()
        .map(|column| (fold(&column.name), column.name.clone()))
        .collect();
    Ok(KnownTable {
        full,
        visible: of(true),
        hidden: of(false),
        displays,
    })
}

/// A provider as a catalog.
#[derive(Debug)]
pub struct ProviderCatalog {
    provider: Arc<Provider>,
    shared: Weak<Shared>,
}

impl ProviderCatalog {
    /// The catalog of a provider.
    pub fn new(provider: Arc<Provider>, shared: Weak<Shared>) -> ProviderCatalog {
        ProviderCatalog { provider, shared }
    }
}

impl CatalogProvider for ProviderCatalog {
    fn schema_names(&self) -> Vec<String> {
        self.provider
            .services()
            .map(|entry| entry.name.clone())
            .collect()
    }

    fn schema(&self, name: &str) -> Option<Arc<dyn SchemaProvider>> {
        let entry = self
            .provider
            .services()
            .find(|entry| same(&entry.name, name))?;
        let (provider, name, shared) = (
            Arc::clone(&self.provider),
            entry.name.clone(),
            Weak::clone(&self.shared),
        );
        Some(Arc::new(ServiceSchema {
            provider,
            name,
            shared,
            service: OnceLock::new(),
        }))
    }
}

/// A service as a schema.
#[derive(Debug)]
struct ServiceSchema {
    provider: Arc<Provider>,
    name: String,
    shared: Weak<Shared>,
    service: OnceLock<Option<Arc<Service>>>,
}

impl ServiceSchema {
    fn service(&self) -> Option<&Arc<Service>> {
        self.service
            .get_or_init(|| self.provider.service(&self.name).ok().flatten())
            .as_ref()
    }
}

#[async_trait]
impl SchemaProvider for ServiceSchema {
    fn table_names(&self) -> Vec<String> {
        self.service()
            .map(|service| service.resources.keys().cloned().collect())
            .unwrap_or_default()
    }

    async fn table(&self, name: &str) -> PlanResult<Option<Arc<dyn TableProvider>>> {
        let service = self.provider.service(&self.name).map_err(Error::from)?;
        let Some(resource) = service.as_ref().and_then(|service| service.resource(name)) else {
            return Ok(None);
        };
        let Some(shared) = self.shared.upgrade() else {
            return Ok(None);
        };
        let key = resource.full_name();
        if let Some(table) = lock(&shared.tables).get(&key) {
            return Ok(Some(Arc::clone(table)));
        }
        let table: Arc<dyn TableProvider> = match &resource.view {
            Some(_) => views::table(&shared, resource).await?,
            None => Arc::new(ResourceTable::new(Arc::clone(resource))),
        };
        lock(&shared.tables).insert(key, Arc::clone(&table));
        Ok(Some(table))
    }

    async fn table_type(&self, name: &str) -> PlanResult<Option<TableType>> {
        let resource = self.service().and_then(|service| service.resource(name));
        Ok(resource.map(|resource| {
            if resource.view.is_some() {
                TableType::View
            } else {
                TableType::Base
            }
        }))
    }

    fn table_exist(&self, name: &str) -> bool {
        self.service()
            .is_some_and(|service| service.resource(name).is_some())
    }
}

/// The catalog `restable`: what a user created, and what tells about everything.
#[derive(Debug)]
pub struct OwnCatalog {
    own: Arc<OwnSchema>,
    shared: Weak<Shared>,
}

impl OwnCatalog {
    /// Over what the session created.
    pub fn new(own: Arc<OwnSchema>, shared: Weak<Shared>) -> OwnCatalog {
        OwnCatalog { own, shared }
    }
}

impl CatalogProvider for OwnCatalog {
    fn schema_names(&self) -> Vec<String> {
        let names = [OWN_SCHEMA, "information_schema", "pg_catalog"];
        names.map(str::to_owned).into()
    }

    fn schema(&self, name: &str) -> Option<Arc<dyn SchemaProvider>> {
        let shared = Weak::clone(&self.shared);
        Some(match name {
            OWN_SCHEMA => Arc::clone(&self.own) as _,
            "information_schema" => Arc::new(InformationSchema::new(shared)),
            "pg_catalog" => Arc::new(PgCatalog::new(shared)),
            _ => return None,
        })
    }
}

/// The tables of `information_schema`, made from the documents when they are asked for.
#[derive(Debug)]
pub struct InformationSchema {
    shared: Weak<Shared>,
}

impl InformationSchema {
    /// The schema over a session's documents.
    pub fn new(shared: Weak<Shared>) -> InformationSchema {
        InformationSchema { shared }
    }
}

#[async_trait]
impl SchemaProvider for InformationSchema {
    fn table_names(&self) -> Vec<String> {
        information_schema::names().map(str::to_owned).collect()
    }

    async fn table(&self, name: &str) -> PlanResult<Option<Arc<dyn TableProvider>>> {
        match self.shared.upgrade() {
            Some(shared) => Ok(information_schema::table(&shared, name).await?),
            None => Ok(None),
        }
    }

    fn table_exist(&self, name: &str) -> bool {
        information_schema::has(name)
    }
}
