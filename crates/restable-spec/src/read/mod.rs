//! Service documents into the model: every resource with its methods, columns, parameters, key and parent.
//! Refuses a document whose references lead nowhere, or in which two names cannot be told apart; it names the file and
//! the place. It reads nothing but the text that it is given.

mod arm;
mod blockers;
mod evidence;
mod operations;
mod parents;
mod responses;
mod schemas;
mod transform;

use std::sync::Arc;

use indexmap::IndexMap;

use crate::document::{self, RawErrorHint, RawReference, RawResource, RawService, RawView};
use crate::error::{Error, Problem};
use crate::method::{Items, Location, Method, Parameter, Verb};
use crate::names;
use crate::path::PathTemplate;
use crate::resource::{Childless, Resource, Service, View};
use crate::schema::Schemas;

/// Method names that a verb calls when the document does not list any for it.
const DEFAULT_METHODS: [(&str, Verb, &[&str]); 6] = [
    (
        "select",
        Verb::Select,
        &["select", "list", "aggregatedList", "get"],
    ),
    ("insert", Verb::Insert, &["insert", "create"]),
    ("update", Verb::Update, &[]),
    ("replace", Verb::Replace, &[]),
    ("delete", Verb::Delete, &["delete"]),
    ("exec", Verb::Exec, &[]),
];

/// What is known of a document while its parts are read.
struct Reading<'a> {
    file: &'a str,
    provider: &'a str,
    service: &'a str,
    raw: &'a RawService,
    schemas: Arc<Schemas>,
    converter: schemas::Converter<'a>,
}

impl Reading<'_> {
    fn wrong(&self, place: &str, problem: Problem) -> Error {
        Error::Document {
            file: self.file.to_owned(),
            place: place.to_owned(),
            problem,
        }
    }
}

/// Reads the text of a service document. `has_locations` says whether the provider's service `resource` lists
/// locations; it is only asked when that decides who enumerates a parameter.
pub(crate) fn service(
    file: &str,
    text: &str,
    provider: &str,
    name: &str,
    has_locations: &dyn Fn() -> bool,
) -> Result<Service, Error> {
    let raw: RawService = document::parse(file, text)?;
    let converter = schemas::Converter::new(file, &raw.components.schemas);
    let schemas = Arc::new(converter.all()?);
    let reading = Reading {
        file,
        provider,
        service: name,
        raw: &raw,
        schemas,
        converter,
    };

    let mut resources: IndexMap<String, Resource> =
        IndexMap::with_capacity(raw.components.resources.len());
    for (key, resource) in &raw.components.resources {
        let resource = self::resource(&reading, key, resource)?;
        if let Some(other) = resources
            .keys()
            .find(|other| names::same(other, &resource.name))
        {
            let problem = Problem::SameName(other.clone(), resource.name.clone());
            return Err(reading.wrong("components.x-stackQL-resources", problem));
        }
        resources.insert(resource.name.clone(), resource);
    }
    let parents = parents::parents(&reading, &resources, has_locations)?;
    for (resource, parent) in resources.values_mut().zip(parents) {
        resource.parent = parent;
    }
    parents::mark_dead_ends(&mut resources);
    let jobs = reading.raw.jobs.as_ref();
    let jobs = jobs.map(|raw| evidence::jobs(&reading, raw)).transpose()?;

    let schemas = Arc::clone(&reading.schemas);
    drop(reading);
    let service = Service {
        provider: provider.to_owned(),
        name: name.to_owned(),
        title: raw.info.title,
        description: raw.info.description,
        version: raw.info.version,
        server: raw
            .servers
            .first()
            .map(|server| server.url.trim_end_matches('/').to_owned())
            .unwrap_or_default(),
        resources: resources
            .into_iter()
            .map(|(name, resource)| (name, Arc::new(resource)))
            .collect(),
        schemas,
        error_hints: raw.error_hints.iter().map(RawErrorHint::read).collect(),
        not_found_codes: raw.not_found_codes,
        jobs,
    };
    blockers::check(file, &service)?;
    Ok(service)
}

fn resource(reading: &Reading<'_>, key: &str, raw: &RawResource) -> Result<Resource, Error> {
    let name = raw.name.clone().unwrap_or_else(|| key.to_owned());
    let listed = listed_methods(reading, key, raw)?;
    let mut methods = IndexMap::with_capacity(raw.methods.len());
    for (method_key, raw_method) in &raw.methods {
        let verbs = verbs_of(method_key, &listed);
        let method = operations::read(reading, key, method_key, raw_method, &raw.config, verbs)?;
        methods.insert(method_key.clone(), Arc::new(method));
    }
    // A verb may call a method of another resource; here it becomes one of this resource's own.
    for (_, references) in &listed {
        for (owner, method_key) in references.iter().filter(|(owner, _)| owner != key) {
            let other = reading.raw.components.resources.get(owner);
            if let Some((other, raw_method)) =
                other.and_then(|other| Some((other, other.methods.get(method_key)?)))
                && !methods.contains_key(method_key)
            {
                let verbs = verbs_of(method_key, &listed);
                let method =
                    operations::read(reading, key, method_key, raw_method, &other.config, verbs)?;
                methods.insert(method_key.clone(), Arc::new(method));
            }
        }
    }

    let selects: Vec<String> = listed
        .iter()
        .filter(|(verb, _)| *verb == Verb::Select)
        .flat_map(|(_, references)| references.iter().map(|(_, method)| method.clone()))
        .filter(|method| methods.contains_key(method))
        .collect();
    let readers = readers(&methods, &selects);
    let reading_methods: Vec<&Arc<Method>> =
        readers.iter().filter_map(|key| methods.get(key)).collect();
    let fields = reading_methods
        .first()
        .map(|method| method.response.fields.clone())
        .unwrap_or_default();
    let own_id = own_id(&methods, &reading_methods);
    let key_parameters: Vec<String> = match own_id {
        Some(path) => path.parameters().map(str::to_owned).collect(),
        None => Vec::new(),
    };
    let body_inputs = body_inputs(reading, &reading_methods);
    let parameters = table_parameters(&key_parameters, &reading_methods, &body_inputs);
    let view = raw
        .config
        .views
        .as_ref()
        .and_then(|views| view(views.select.as_deref()));
    let childless = match &raw.childless {
        Some(raw) => Some(Childless {
            field: raw.field.clone(),
            values: raw.values.clone(),
        }),
        None => own_id.and_then(|path| arm::childless(path, &fields)),
    };
    Ok(Resource {
        provider: reading.provider.to_owned(),
        service: reading.service.to_owned(),
        name,
        title: raw.title.clone(),
        description: raw.description.clone(),
        methods,
        fields,
        parameters,
        key: key_parameters,
        parent: None,
        dead_ends: Vec::new(),
        childless,
        view,
        selects,
        readers,
        body_inputs,
    })
}

type Listed = Vec<(Verb, Vec<(String, String)>)>;

/// For each verb the methods that it calls, each as the key of a resource and the key of a method.
fn listed_methods(reading: &Reading<'_>, key: &str, raw: &RawResource) -> Result<Listed, Error> {
    let mut listed = Vec::new();
    for (word, verb, defaults) in DEFAULT_METHODS {
        let references = match raw.verbs.get(word) {
            Some(list) => {
                let place = format!("components.x-stackQL-resources.{key}.sqlVerbs.{word}");
                let list = list.iter().flatten();
                list.map(|reference| method_reference(reading, &place, reference))
                    .collect::<Result<_, _>>()?
            }
            None => {
                let own = defaults
                    .iter()
                    .filter(|name| raw.methods.contains_key(**name));
                own.map(|name| (key.to_owned(), (*name).to_owned()))
                    .collect()
            }
        };
        listed.push((verb, references));
    }
    Ok(listed)
}

fn method_reference(
    reading: &Reading<'_>,
    place: &str,
    reference: &RawReference,
) -> Result<(String, String), Error> {
    let pointer = reference
        .reference
        .as_deref()
        .ok_or_else(|| reading.wrong(place, Problem::Missing("$ref")))?;
    let parts = pointer
        .strip_prefix("#/components/x-stackQL-resources/")
        .and_then(|rest| rest.split_once("/methods/"));
    let parts =
        parts.map(|(resource, method)| (schemas::unescape(resource), schemas::unescape(method)));
    let resources = &reading.raw.components.resources;
    let known = parts.filter(|(resource, method)| {
        resources
            .get(resource)
            .is_some_and(|resource| resource.methods.contains_key(method))
    });
    known.ok_or_else(|| reading.wrong(place, Problem::Unresolved(pointer.to_owned())))
}

fn verbs_of(method: &str, listed: &Listed) -> Vec<Verb> {
    let calls = |references: &[(String, String)]| references.iter().any(|(_, key)| key == method);
    let mut verbs: Vec<Verb> = Vec::new();
    for (verb, references) in listed {
        if calls(references) && !verbs.contains(verb) {
            verbs.push(*verb);
        }
    }
    if verbs.is_empty() {
        verbs.push(Verb::Exec);
    }
    verbs
}

/// The select methods that answer the row type most of them answer. Of equally frequent types the one with a list wins,
/// then the first.
fn readers(methods: &IndexMap<String, Arc<Method>>, selects: &[String]) -> Vec<String> {
    let readable = selects.iter().filter_map(|key| methods.get(key));
    let readable: Vec<&Arc<Method>> = readable
        .filter(|method| method.read_only && method.http != crate::HttpMethod::Head)
        .filter(|method| method.unreadable.is_none() && method.unsendable.is_none())
        .collect();
    let same_row = |left: &Method, right: &Method| match (
        &left.response.row_schema,
        &right.response.row_schema,
    ) {
        (Some(left), Some(right)) => left == right,
        (None, None) => left.response.fields == right.response.fields,
        _ => false,
    };
    let score = |method: &Arc<Method>| {
        let alike = readable.iter().filter(|other| same_row(method, other));
        let lists = alike
            .clone()
            .any(|other| other.response.items != Items::One);
        (alike.count(), lists)
    };
    let mut best: Option<(&Arc<Method>, (usize, bool))> = None;
    for method in &readable {
        let score = score(method);
        if best.is_none_or(|(_, most)| score > most) {
            best = Some((method, score));
        }
    }
    let Some((best, _)) = best else {
        return Vec::new();
    };
    let alike = readable.iter().filter(|method| same_row(best, method));
    alike.map(|method| method.key.clone()).collect()
}

/// The path of a row's own id: that of the GET of one row which a PUT or DELETE shares, else the shortest GET of one
/// row, else the shortest PUT or DELETE. Paths that end in a fixed word name no row.
fn own_id<'a>(
    methods: &'a IndexMap<String, Arc<Method>>,
    readers: &[&'a Arc<Method>],
) -> Option<&'a PathTemplate> {
    let length = |path: &&PathTemplate| path.segments().len();
    let named = |path: &&PathTemplate| !path.ends_in_literal();
    let writes = methods.values().filter(|method| {
        matches!(
            method.http,
            crate::HttpMethod::Put | crate::HttpMethod::Delete
        )
    });
    let writes: Vec<&PathTemplate> = writes.map(|method| &method.path).filter(named).collect();
    let gets = readers.iter().filter(|method| {
        method.http == crate::HttpMethod::Get && method.response.items == Items::One
    });
    let gets: Vec<&PathTemplate> = gets.map(|method| &method.path).filter(named).collect();
    let shared = gets
        .iter()
        .copied()
        .filter(|path| writes.contains(path))
        .min_by_key(length);
    shared
        .or_else(|| gets.iter().copied().min_by_key(length))
        .or_else(|| writes.iter().copied().min_by_key(length))
}

/// Required attributes of the bodies of POSTs that only ask: to a SELECT they are parameters.
fn body_inputs(
    reading: &Reading<'_>,
    readers: &[&Arc<Method>],
) -> IndexMap<String, Vec<Parameter>> {
    let mut inputs = IndexMap::new();
    for method in readers {
        let Some(request) = &method.request else {
            continue;
        };
        let effective = reading.schemas.effective_properties(&request.schema, None);
        let required = request.required_attributes(&reading.schemas);
        let parameters = effective
            .properties
            .iter()
            .filter(|(_, property)| !property.read_only);
        let parameters = parameters.map(|(name, property)| Parameter {
            name: (*name).to_owned(),
            location: Location::Body,
            required: required.contains(name),
            kind: reading.schemas.kind(&property.schema),
            default: None,
            format: None,
            pattern: None,
            max_length: None,
            spans_segments: false,
            range: None,
            description: property.description.clone(),
        });
        inputs.insert(method.key.clone(), parameters.collect());
    }
    inputs
}

/// Path parameters first, those of the key before others; then the rest in document order.
fn table_parameters(
    key: &[String],
    readers: &[&Arc<Method>],
    body_inputs: &IndexMap<String, Vec<Parameter>>,
) -> Vec<Parameter> {
    let mut parameters: Vec<Parameter> = Vec::new();
    let all = || readers.iter().flat_map(|method| &method.parameters);
    let mut add = |parameter: &Parameter| {
        if !parameters
            .iter()
            .any(|known| names::same(&known.name, &parameter.name))
        {
            parameters.push(parameter.clone());
        }
    };
    let path = || all().filter(|parameter| parameter.location == Location::Path);
    for name in key {
        path()
            .filter(|parameter| parameter.name == *name)
            .for_each(&mut add);
    }
    path().for_each(&mut add);
    all().for_each(&mut add);
    body_inputs.values().flatten().for_each(&mut add);
    for parameter in &mut parameters {
        let takes = |method: &&Arc<Method>| {
            method
                .parameter(&parameter.name)
                .is_some_and(|own| own.required)
        };
        parameter.required = readers.iter().all(takes);
    }
    parameters
}

/// The text for this engine's dialect, from a chain of alternatives.
fn view(mut view: Option<&RawView>) -> Option<View> {
    while let Some(alternative) = view {
        let predicate = alternative.predicate.as_deref().unwrap_or_default();
        let predicate: String = predicate
            .chars()
            .filter(|character| !character.is_whitespace())
            .collect();
        if predicate.replace('\'', "\"") == r#"sqlDialect=="datafusion""# {
            return alternative.ddl.clone().map(|ddl| View { ddl });
        }
        view = alternative.fallback.as_deref();
    }
    None
}
