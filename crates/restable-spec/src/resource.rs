//! Resources (tables) and services. Plain data with look-up by name; the reader has checked that methods, fields and
//! parameters agree. Where names meet, the first in document order wins.

use std::sync::Arc;

use indexmap::IndexMap;

use crate::evidence::Jobs;
use crate::method::{ErrorHint, Field, Items, Method, Parameter, Verb};
use crate::names;
use crate::schema::Schemas;

/// One service document, read.
#[derive(Debug)]
pub struct Service {
    /// Name of the provider.
    pub provider: String,
    /// Name of the service.
    pub name: String,
    /// Title for people.
    pub title: Option<String>,
    /// The document's words on it.
    pub description: Option<String>,
    /// Version of the document.
    pub version: Option<String>,
    /// URL of its server, without a slash at the end. Variables stand in it as `{name}`.
    pub server: String,
    /// Its resources by the document's spelling, in the order of the document.
    pub resources: IndexMap<String, Arc<Resource>>,
    /// The named schemas of the document.
    pub schemas: Arc<Schemas>,
    /// Codes by which this service says that something is not there, beside ARM's own.
    pub not_found_codes: Vec<String>,
    /// What to tell a user about certain errors of this service.
    pub error_hints: Vec<ErrorHint>,
    /// How its jobs are read, if calls of it start jobs.
    pub jobs: Option<Jobs>,
}

impl Service {
    /// The resource of this name in any spelling.
    #[must_use]
    pub fn resource(&self, name: &str) -> Option<&Arc<Resource>> {
        self.resources.get(name).or_else(|| {
            self.resources
                .iter()
                .find(|(key, _)| names::same(key, name))
                .map(|(_, resource)| resource)
        })
    }
}

/// A table of a service, and its methods.
#[derive(Debug, Clone)]
pub struct Resource {
    /// Name of the provider.
    pub provider: String,
    /// Name of the service.
    pub service: String,
    /// Name as the document spells it.
    pub name: String,
    /// Title for people.
    pub title: Option<String>,
    /// The document's words on it.
    pub description: Option<String>,
    /// Its methods by key, in the order of the document.
    pub methods: IndexMap<String, Arc<Method>>,
    /// The columns: the row type that most of its select methods answer. Empty if nothing is readable.
    pub fields: Vec<Field>,
    /// What its read methods take: path parameters first, in path order. No two fold alike.
    pub parameters: Vec<Parameter>,
    /// The path parameters of a row's own id, in path order; empty if it has none.
    pub key: Vec<String>,
    /// Who enumerates parameters that are not bound.
    pub parent: Option<Parent>,
    /// Which of its rows no walk goes below.
    pub childless: Option<Childless>,
    /// The text of a view, if the resource is one.
    pub view: Option<View>,
    /// Parameters that the parent maps, but cannot itself be walked without.
    pub(crate) dead_ends: Vec<String>,
    /// Keys of the select methods, in the order in which the document lists them for that verb.
    pub(crate) selects: Vec<String>,
    /// Keys of those among them that answer the row type of the table.
    pub(crate) readers: Vec<String>,
    /// Required attributes of the bodies of readers that are POSTs, by method key.
    pub(crate) body_inputs: IndexMap<String, Vec<Parameter>>,
}

/// The table whose rows give values to the parameters of another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parent {
    /// Name of the provider.
    pub provider: String,
    /// Name of the service.
    pub service: String,
    /// Name of the resource.
    pub resource: String,
    /// Parameter of the child, then the parameter or field of the parent that gives its value.
    pub parameters: Vec<(String, String)>,
}

/// Rows under which nothing is asked, such as subscriptions that are deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Childless {
    /// The field that tells.
    pub field: String,
    /// Its values in such rows; they compare without regard to ASCII case.
    pub values: Vec<String>,
}

/// A resource that is SQL text over other tables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct View {
    /// The text of the query.
    pub ddl: String,
}

impl Resource {
    /// `provider.service.resource`.
    #[must_use]
    pub fn full_name(&self) -> String {
        format!("{}.{}.{}", self.provider, self.service, self.name)
    }

    /// The method of this key or operation id, in any spelling: `adhoc_backup`, `AdhocBackup` and
    /// `BackupInstances_AdhocBackup` are one. The word `begin` of generated operation ids may be left out.
    #[must_use]
    pub fn method(&self, name: &str) -> Option<&Arc<Method>> {
        let wanted = names::fold(name);
        let by = |matches: &dyn Fn(&Method) -> bool| {
            self.methods.values().find(|method| matches(method))
        };
        by(&|method| names::fold(&method.key) == wanted)
            .or_else(|| by(&|method| names::fold(&method.operation_id) == wanted))
            .or_else(|| by(&|method| method.aliases().contains(&wanted)))
    }

    /// The parameter of this name in any spelling.
    #[must_use]
    pub fn parameter(&self, name: &str) -> Option<&Parameter> {
        self.parameters
            .iter()
            .find(|parameter| names::same(&parameter.name, name))
    }

    /// The field of this name in any spelling, an exact spelling first.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&Field> {
        let exact = self.fields.iter().find(|field| field.name == name);
        exact.or_else(|| {
            self.fields
                .iter()
                .find(|field| names::same(&field.name, name))
        })
    }

    /// The select methods that answer the row type of the table, in document order: GETs, and POSTs that only ask.
    #[must_use]
    pub fn readers(&self) -> Vec<&Arc<Method>> {
        self.readers
            .iter()
            .filter_map(|key| self.methods.get(key))
            .collect()
    }

    /// All select methods, in document order, whatever they answer.
    #[must_use]
    pub fn selects(&self) -> Vec<&Arc<Method>> {
        self.selects
            .iter()
            .filter_map(|key| self.methods.get(key))
            .collect()
    }

    /// The methods that a SQL verb calls, in document order.
    pub fn methods_of(&self, verb: Verb) -> impl Iterator<Item = &Arc<Method>> {
        self.methods
            .values()
            .filter(move |method| method.verbs.contains(&verb))
    }

    /// The reader that answers one row for a full key.
    #[must_use]
    pub fn one_row_reader(&self) -> Option<&Arc<Method>> {
        let is_key = |method: &Method| {
            method.response.items == Items::One
                && method
                    .path
                    .parameters()
                    .eq(self.key.iter().map(String::as_str))
        };
        self.readers().into_iter().find(|method| is_key(method))
    }
}

impl Method {
    /// The parameter of this name in any spelling.
    #[must_use]
    pub fn parameter(&self, name: &str) -> Option<&Parameter> {
        self.parameters
            .iter()
            .find(|parameter| names::same(&parameter.name, name))
    }

    /// `resource.method`, for messages.
    #[must_use]
    pub fn full_name(&self) -> String {
        format!("{}.{}", self.resource, self.key)
    }

    /// Other folded names by which it may be called.
    fn aliases(&self) -> Vec<String> {
        let mut aliases = vec![names::fold(&self.resource) + &names::fold(&self.key)];
        if let Some((group, operation)) = self.operation_id.split_once('_') {
            let (group, operation) = (names::fold(group), names::fold(operation));
            if let Some(plain) = operation.strip_prefix("begin") {
                aliases.push(plain.to_owned());
                aliases.push(group + plain);
            }
            aliases.push(operation);
        }
        aliases
    }
}
