//! One method: its operation is found, its parameters and body are read, and what the document leaves unsaid is derived.
//! Refuses references that lead nowhere and paths that are no templates.

use crate::document::{
    RawConfig, RawErrorHint, RawMethod, RawOperation, RawParameter, RawPathItem, RawRequestBody,
    RawSchema,
};
use crate::error::{Error, Problem};
use crate::method::{
    AUXILIARY_HEADER, BodyNaming, CallClass, Casing, HttpMethod, Kind, Location, Method, Parameter,
    Range, Request, Verb,
};
use crate::names;
use crate::path::PathTemplate;
use crate::schema::Schema;

use super::schemas::unescape;
use super::{Reading, arm, blockers, evidence, responses};

/// A method of a resource, from its entry in `x-stackQL-resources`.
pub(super) fn read(
    reading: &Reading<'_>,
    resource: &str,
    key: &str,
    raw: &RawMethod,
    inherited: &RawConfig,
    verbs: Vec<Verb>,
) -> Result<Method, Error> {
    let place = format!("components.x-stackQL-resources.{resource}.methods.{key}");
    let found = find(reading, &place, raw)?;
    let operation = found.operation;
    let (path_text, query) = split_query(found.path_key);
    let path = PathTemplate::parse(path_text).map_err(|why| {
        let template = found.path_key.to_owned();
        reading.wrong(
            &format!("paths.{template}"),
            Problem::PathTemplate {
                template: template.clone(),
                why,
            },
        )
    })?;

    let (constants, version) = constants(query);
    let (parameters, auxiliary) = parameters(reading, &place, &path, &found, version)?;
    let request = request(reading, &place, raw, operation)?;
    let pagination = [&raw.config, inherited, &reading.raw.config]
        .into_iter()
        .find_map(|c| c.pagination.as_ref());
    let answer = responses::read(reading, &place, raw, operation, pagination)?;

    let operation_id = operation.id.clone().unwrap_or_else(|| key.to_owned());
    let http = found.http;
    let declared = raw.read_only.or(operation.read_only);
    let read_only = match http {
        // Some protocols do everything by GET.
        HttpMethod::Get | HttpMethod::Head => !verbs.iter().any(|verb| verb.changes()),
        HttpMethod::Post => declared.unwrap_or_else(|| arm::only_asks(&path)),
        HttpMethod::Put | HttpMethod::Patch | HttpMethod::Delete => false,
    };
    let destructive = raw.destructive.or(operation.destructive);
    let destructive = destructive.unwrap_or_else(|| !read_only && arm::is_destructive(http, &path));
    let long_running = arm::long_running(reading, &place, raw, operation, http, &operation_id)?;
    let (evidence, evidence_of) = evidence::read(reading, &place, raw, operation, http)?;
    let server = [&raw.servers, &operation.servers, &found.item.servers]
        .into_iter()
        .find_map(|list| list.first());

    Ok(Method {
        resource: resource.to_owned(),
        key: key.to_owned(),
        operation_id,
        http,
        constants,
        parameters,
        auxiliary,
        unsendable: unsendable(raw, request.as_ref()),
        request,
        response: answer.response,
        class: match http {
            HttpMethod::Get | HttpMethod::Head | HttpMethod::Post if read_only => CallClass::Read,
            HttpMethod::Get | HttpMethod::Head | HttpMethod::Post => CallClass::Action,
            HttpMethod::Put | HttpMethod::Delete => CallClass::IdempotentWrite,
            HttpMethod::Patch => CallClass::Conditional,
        },
        destructive,
        destructive_values: blockers::destructive_values(raw, operation),
        blockers: blockers::read(reading, &place, raw, operation, http, read_only)?,
        read_only,
        long_running,
        evidence,
        evidence_of,
        description: operation
            .description
            .clone()
            .or_else(|| operation.summary.clone()),
        verbs,
        server: server.map(|server| server.url.trim_end_matches('/').to_owned()),
        error_hints: operation
            .error_hints
            .iter()
            .map(RawErrorHint::read)
            .collect(),
        unreadable: answer.unreadable,
        path,
    })
}

struct Found<'a> {
    path_key: &'a str,
    item: &'a RawPathItem,
    http: HttpMethod,
    operation: &'a RawOperation,
}

/// `#/paths/~1subscriptions~1{id}?api-version=1/get`: the path key is one part of the pointer, the verb the next.
fn find<'a>(reading: &Reading<'a>, place: &str, raw: &RawMethod) -> Result<Found<'a>, Error> {
    let reference = raw
        .operation
        .as_ref()
        .and_then(|operation| operation.reference.as_deref());
    let reference =
        reference.ok_or_else(|| reading.wrong(place, Problem::Missing("operation.$ref")))?;
    let unresolved = || {
        reading.wrong(
            &format!("{place}.operation"),
            Problem::Unresolved(reference.to_owned()),
        )
    };
    let pointer = reference.strip_prefix("#/paths/").ok_or_else(unresolved)?;
    let (path, verb) = pointer.rsplit_once('/').ok_or_else(unresolved)?;
    let paths = &reading.raw.paths;
    let (path_key, item) = paths
        .get_key_value(&unescape(path))
        .ok_or_else(unresolved)?;
    let (http, operation) = match verb {
        "get" => (HttpMethod::Get, &item.get),
        "head" => (HttpMethod::Head, &item.head),
        "post" => (HttpMethod::Post, &item.post),
        "put" => (HttpMethod::Put, &item.put),
        "patch" => (HttpMethod::Patch, &item.patch),
        "delete" => (HttpMethod::Delete, &item.delete),
        _ => return Err(unresolved()),
    };
    let operation = operation.as_ref().ok_or_else(unresolved)?;
    Ok(Found {
        path_key,
        item,
        http,
        operation,
    })
}

fn split_query(path_key: &str) -> (&str, &str) {
    path_key.split_once('?').unwrap_or((path_key, ""))
}

/// The constants of a path key. The API version is apart: it is a parameter whose default stands here.
fn constants(query: &str) -> (Vec<(String, String)>, Option<Parameter>) {
    let mut constants = Vec::new();
    let mut version = None;
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        if names::same(name, "api-version") {
            version = Some(Parameter {
                name: name.to_owned(),
                location: Location::Query,
                required: true,
                kind: Kind::Text,
                default: Some(value.to_owned()),
                format: None,
                pattern: None,
                max_length: None,
                spans_segments: false,
                range: None,
                description: None,
            });
        } else {
            constants.push((name.to_owned(), value.to_owned()));
        }
    }
    (constants, version)
}

/// The parameters, and whether the header of the second credential is declared.
fn parameters(
    reading: &Reading<'_>,
    place: &str,
    path: &PathTemplate,
    found: &Found<'_>,
    version: Option<Parameter>,
) -> Result<(Vec<Parameter>, bool), Error> {
    let mut declared: Vec<Parameter> = Vec::new();
    let mut auxiliary = false;
    for raw in found
        .operation
        .parameters
        .iter()
        .chain(&found.item.parameters)
    {
        let parameter = match parameter(reading, place, raw)? {
            Declared::Value(parameter) => parameter,
            Declared::Auxiliary => {
                auxiliary = true;
                continue;
            }
            Declared::Foreign => continue,
        };
        // A parameter of the operation hides one of the path item.
        let hidden = |other: &Parameter| {
            other.name == parameter.name && other.location == parameter.location
        };
        if !declared.iter().any(hidden) {
            declared.push(parameter);
        }
    }
    let mut parameters: Vec<Parameter> = Vec::with_capacity(declared.len());
    let mut add = |parameter: Parameter| {
        if !parameters
            .iter()
            .any(|other| names::same(&other.name, &parameter.name))
        {
            parameters.push(parameter);
        }
    };
    for name in path.parameters() {
        let named = |other: &&Parameter| other.location == Location::Path && other.name == name;
        let mut parameter = declared
            .iter()
            .find(named)
            .cloned()
            .unwrap_or_else(|| undeclared(name));
        parameter.required = true;
        arm::refine(&mut parameter, path);
        add(parameter);
    }
    for (name, variable) in reading
        .raw
        .servers
        .first()
        .map(|server| &server.variables)
        .into_iter()
        .flatten()
    {
        add(Parameter {
            location: Location::Server,
            default: variable.default.clone(),
            description: variable.description.clone(),
            ..undeclared(name)
        });
    }
    for mut parameter in declared
        .into_iter()
        .filter(|parameter| parameter.location != Location::Path)
    {
        if let Some(version) = version
            .as_ref()
            .filter(|version| names::same(&version.name, &parameter.name))
        {
            parameter.default.clone_from(&version.default);
        }
        add(parameter);
    }
    if let Some(version) = version {
        add(version);
    }
    Ok((parameters, auxiliary))
}

fn undeclared(name: &str) -> Parameter {
    Parameter {
        name: name.to_owned(),
        location: Location::Path,
        required: true,
        kind: Kind::Text,
        default: None,
        format: None,
        pattern: None,
        max_length: None,
        spans_segments: false,
        range: None,
        description: None,
    }
}

/// What a document declares as a parameter.
enum Declared {
    /// A value may be given.
    Value(Parameter),
    /// The second credential, which is the client's.
    Auxiliary,
    /// What no SQL value can be: cookies, and the headers that belong to the client.
    Foreign,
}

fn parameter(reading: &Reading<'_>, place: &str, raw: &RawParameter) -> Result<Declared, Error> {
    let mut raw = raw;
    let mut hops = 0;
    while let Some(reference) = &raw.reference {
        let target = reference
            .strip_prefix("#/components/parameters/")
            .map(unescape);
        raw = match target.and_then(|name| reading.raw.components.parameters.get(&name)) {
            Some(next) if hops < 16 => next,
            _ => return Err(reading.wrong(place, Problem::Unresolved(reference.clone()))),
        };
        hops += 1;
    }
    let name = raw
        .name
        .as_deref()
        .ok_or_else(|| reading.wrong(place, Problem::Missing("parameters[].name")))?;
    let location = match raw.location.as_deref() {
        Some("path") => Location::Path,
        Some("query") => Location::Query,
        Some("header")
            if ["accept", "content-type", "authorization"]
                .iter()
                .any(|n| name.eq_ignore_ascii_case(n)) =>
        {
            return Ok(Declared::Foreign);
        }
        Some("header") if name.eq_ignore_ascii_case(AUXILIARY_HEADER) => {
            return Ok(Declared::Auxiliary);
        }
        Some("header") => Location::Header,
        Some("cookie" | "body" | "formData") => return Ok(Declared::Foreign),
        Some(other) => {
            let problem = Problem::Unknown {
                value: other.to_owned(),
                allowed: "`path`, `query`, `header`, `cookie`",
            };
            return Err(reading.wrong(&format!("{place}: parameter {name}"), problem));
        }
        None => {
            return Err(reading.wrong(
                &format!("{place}: parameter {name}"),
                Problem::Missing("in"),
            ));
        }
    };
    let empty = RawSchema::default();
    let schema = raw.schema.as_ref().unwrap_or(&empty);
    let converted = reading.converter.inline(schema, place)?;
    let scalar = match reading.schemas.resolve(&converted) {
        Schema::Scalar(scalar) => Some(scalar.as_ref()),
        _ => None,
    };
    let kind = if matches!(converted, Schema::Any) {
        Kind::Text
    } else {
        reading.schemas.kind(&converted)
    };
    Ok(Declared::Value(Parameter {
        name: name.to_owned(),
        location,
        required: raw.required,
        kind,
        default: schema.default.as_ref().map(plain_text),
        format: scalar.and_then(|scalar| scalar.format.clone()),
        pattern: scalar.and_then(|scalar| scalar.pattern.clone()),
        max_length: scalar.and_then(|scalar| scalar.max_length),
        spans_segments: raw.skip_url_encoding,
        range: raw.range.as_ref().map(|range| {
            Box::new(Range {
                field: range.field.clone(),
                from: range.from.clone(),
                to: range.to.clone(),
            })
        }),
        description: raw.description.clone(),
    }))
}

fn plain_text(value: &serde_json::Value) -> String {
    match value {
        serde_json::Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn request(
    reading: &Reading<'_>,
    place: &str,
    raw: &RawMethod,
    operation: &RawOperation,
) -> Result<Option<Request>, Error> {
    let Some(mut body) = operation.request_body.as_ref() else {
        return Ok(None);
    };
    if let Some(reference) = &body.reference {
        let target = reference
            .strip_prefix("#/components/requestBodies/")
            .map(unescape);
        let target = target.and_then(|name| reading.raw.components.request_bodies.get(&name));
        body =
            target.ok_or_else(|| reading.wrong(place, Problem::Unresolved(reference.clone())))?;
    }
    let declared = &raw.request;
    let media = media(body, declared.media_type.as_deref());
    let place = format!("{place}: request body");
    let schema = match declared
        .schema_override
        .as_ref()
        .and_then(|by| by.reference.as_deref())
    {
        Some(reference) => reading.converter.reference(reference, &place)?,
        None => match media.and_then(|(_, schema)| schema) {
            Some(raw) => reading.converter.inline(raw, &place)?,
            None => Schema::Any,
        },
    };
    let casing = match declared.native_casing.as_deref() {
        Some("snake") => Some(Casing::Snake),
        Some("camel") => Some(Casing::Camel),
        Some("pascal") => Some(Casing::Pascal),
        Some("kebab") => Some(Casing::Kebab),
        _ => None,
    };
    let algorithm = raw
        .config
        .body_translate
        .as_ref()
        .and_then(|by| by.algorithm.as_deref());
    let naming = match algorithm {
        Some("naive") => BodyNaming::Bare,
        Some(other) => match other.strip_prefix("naive_") {
            Some(parent) => BodyNaming::BareUnder(parent.to_owned()),
            None => BodyNaming::Prefixed,
        },
        None => BodyNaming::Prefixed,
    };
    Ok(Some(Request {
        required: body.required,
        schema,
        media_type: media
            .map_or("application/json", |(name, _)| name)
            .to_owned(),
        base: declared.base.as_ref().map(plain_text),
        default: declared.default.as_ref().map(plain_text),
        demanded: declared.required.clone(),
        casing,
        naming,
    }))
}

fn media<'a>(
    body: &'a RawRequestBody,
    wanted: Option<&str>,
) -> Option<(&'a str, Option<&'a RawSchema>)> {
    let content = &body.content;
    let exact = wanted.and_then(|wanted| content.get_key_value(wanted));
    let json = || content.iter().find(|(name, _)| name.contains("json"));
    let chosen = exact.or_else(json).or_else(|| content.first());
    chosen.map(|(name, media)| (name.as_str(), media.schema.as_ref()))
}

/// Requests that this program would send in another form than the service expects.
fn unsendable(raw: &RawMethod, request: Option<&Request>) -> Option<String> {
    if let Some(algorithm) = raw
        .config
        .request_translate
        .as_ref()
        .and_then(|by| by.algorithm.as_deref())
    {
        return Some(format!("its requests go through `{algorithm}`"));
    }
    if raw.request.transform.is_some() {
        return Some(String::from("its body goes through a template"));
    }
    let request =
        request.filter(|request| request.required && !request.media_type.contains("json"))?;
    Some(format!("its body is `{}`", request.media_type))
}
