//! Arguments into one exact call. Everything that cannot be sent is refused here, before anything is sent, by a message
//! that names the parameter. No value can leave its place: it is checked, encoded as one segment, and the result is
//! checked again.

use indexmap::IndexMap;

use crate::body::{BodyArgument, BodyValue, Strictness};
use crate::error::{BindError, CredentialNamed, ValueProblem};
use crate::method::{
    AUXILIARY_HEADER, CallClass, HttpMethod, Kind, Location, Method, Parameter, Request,
};
use crate::names;
use crate::path::{Part, Segment};
use crate::resource::Service;
use crate::value;

/// What is given to a call. Names in any spelling.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Arguments {
    /// Parameters by name. A method that only asks takes attributes of its body here as well.
    pub parameters: Vec<(String, String)>,
    /// The body, as JSON text; sent as it is.
    pub body: Option<String>,
}

/// A call that can be sent as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BoundCall {
    /// Name of the provider.
    pub provider: String,
    /// The operation id of the method.
    pub operation_id: String,
    /// The HTTP method.
    pub http: HttpMethod,
    /// When it may be sent again.
    pub class: CallClass,
    /// URL of the server, without a slash at the end.
    pub server: String,
    /// The path below the server's URL, percent-encoded; starts with `/`.
    pub path: String,
    /// The query, decoded; constants of the document first.
    pub query: Vec<(String, String)>,
    /// Header names and values.
    pub headers: Vec<(String, String)>,
    /// Whether it takes the second credential, in the header [`AUXILIARY_HEADER`].
    pub auxiliary: bool,
    /// The body, JSON text.
    pub body: Option<String>,
    /// What the call is about, for messages: the path without `providers/<namespace>`, control characters escaped.
    pub scope: String,
}

impl Method {
    /// Makes a call of arguments.
    ///
    /// # Errors
    /// A parameter is missing, unknown, given twice, or has a value that cannot be sent; the body is missing, not taken
    /// or no JSON.
    pub fn bind(&self, service: &Service, arguments: &Arguments) -> Result<BoundCall, BindError> {
        if let Some(why) = &self.unsendable {
            return Err(BindError::Unsendable {
                method: self.full_name(),
                why: why.clone(),
            });
        }
        let (given, attributes) = self.sort(service, arguments)?;
        let body = self.sent_body(service, arguments, attributes)?;
        let mut values: Vec<(&Parameter, &str)> = Vec::with_capacity(self.parameters.len());
        let mut missing = Vec::new();
        for parameter in &self.parameters {
            let explicit = given
                .iter()
                .find(|(known, _)| known.name == parameter.name)
                .map(|(_, text)| *text);
            match explicit.or_else(|| parameter.default.as_deref().filter(|_| parameter.required)) {
                Some(text) => {
                    value::check(parameter, text)
                        .map_err(|problem| refused(parameter, text, problem))?;
                    values.push((parameter, text));
                }
                None if parameter.required => missing.push(parameter.name.clone()),
                None => {}
            }
        }
        if !missing.is_empty() {
            return Err(BindError::Missing {
                method: self.full_name(),
                parameters: missing,
            });
        }

        let mut server = self
            .server
            .clone()
            .unwrap_or_else(|| service.server.clone());
        let mut query = self.constants.clone();
        let mut headers = Vec::new();
        let mut class = self.class;
        for (parameter, text) in &values {
            match parameter.location {
                Location::Path | Location::Body => {}
                Location::Query => query.push((parameter.name.clone(), (*text).to_owned())),
                Location::Header => {
                    if parameter.name.eq_ignore_ascii_case("if-match")
                        && class == CallClass::IdempotentWrite
                    {
                        class = CallClass::Conditional;
                    }
                    headers.push((parameter.name.clone(), (*text).to_owned()));
                }
                Location::Server => {
                    server = server.replace(&format!("{{{}}}", parameter.name), text)
                }
            }
        }

        let mut path = String::new();
        let mut scope = Vec::new();
        for segment in self.path.segments() {
            let before = path.len();
            scope.push(fill(segment, &values, &mut path));
            self.recheck(segment, &path[before..])?;
        }
        Ok(BoundCall {
            provider: service.provider.clone(),
            operation_id: self.operation_id.clone(),
            http: self.http,
            class,
            server,
            path,
            query,
            headers,
            auxiliary: self.auxiliary,
            body,
            scope: scope_text(&scope),
        })
    }

    /// The checks of values make this impossible; it is looked at all the same, since a wrong path is a wrong target.
    fn recheck(&self, segment: &Segment, encoded: &str) -> Result<(), BindError> {
        let spanning = |part: &Part| match part {
            Part::Literal(_) => None,
            Part::Parameter(name) => self.parameters.iter().find(|known| known.name == *name),
        };
        let parameter = segment.parts.iter().find_map(spanning);
        let several = parameter.is_some_and(|parameter| parameter.spans_segments);
        let shaped = encoded.matches('/').count() == 1 || several;
        let safe = !encoded.contains(['?', '#', '\\'])
            && !encoded[1..]
                .split('/')
                .any(|part| matches!(part, "." | ".."));
        match parameter {
            Some(parameter) if !(shaped && safe) => {
                Err(refused(parameter, encoded, ValueProblem::Shape))
            }
            _ => Ok(()),
        }
    }

    /// Tells parameters from attributes of the body.
    #[expect(clippy::type_complexity, reason = "two lists, used once")]
    fn sort<'a>(
        &'a self,
        service: &Service,
        arguments: &'a Arguments,
    ) -> Result<(Vec<(&'a Parameter, &'a str)>, Vec<BodyArgument>), BindError> {
        let mut given: Vec<(&Parameter, &str)> = Vec::new();
        let mut attributes: Vec<BodyArgument> = Vec::new();
        for (name, text) in &arguments.parameters {
            if let Some(parameter) = self.parameter(name) {
                if given.iter().any(|(known, _)| known.name == parameter.name) {
                    return Err(BindError::Twice {
                        parameter: parameter.name.clone(),
                    });
                }
                given.push((parameter, text));
                continue;
            }
            let attribute = self.attribute(service, name, text)?;
            if attributes.iter().any(|known| known.path == attribute.path) {
                return Err(BindError::Twice {
                    parameter: attribute.path.join("."),
                });
            }
            attributes.push(attribute);
        }
        Ok((given, attributes))
    }

    /// That somebody wrote the second credential as a value.
    #[must_use]
    pub fn credential_named(&self, service: &Service) -> CredentialNamed {
        CredentialNamed {
            method: self.full_name(),
            provider: service.provider.clone(),
            taken: self.auxiliary,
        }
    }

    fn attribute(
        &self,
        service: &Service,
        name: &str,
        text: &str,
    ) -> Result<BodyArgument, BindError> {
        let asking = self.request.as_ref().filter(|_| self.read_only);
        let effective =
            asking.map(|request| service.schemas.effective_properties(&request.schema, None));
        let found = effective
            .as_ref()
            .and_then(|effective| effective.property(name));
        let Some((attribute, property)) = found else {
            if names::same(name, AUXILIARY_HEADER) {
                return Err(self.credential_named(service).into());
            }
            let body = effective
                .iter()
                .flat_map(|effective| effective.properties.keys().copied());
            let known = self
                .parameters
                .iter()
                .map(|parameter| parameter.name.as_str())
                .chain(body);
            return Err(BindError::UnknownParameter {
                method: self.full_name(),
                parameter: name.to_owned(),
                nearest: names::nearest(name, known).map(str::to_owned),
            });
        };
        let value = match service.schemas.kind(&property.schema) {
            Kind::Text => Some(BodyValue::Text(text.to_owned())),
            Kind::Integer | Kind::Number | Kind::Boolean | Kind::Json => {
                let json = serde_json::from_str::<serde::de::IgnoredAny>(text);
                json.is_ok().then(|| BodyValue::Json(text.to_owned()))
            }
        };
        let value = value.ok_or_else(|| BindError::Value {
            parameter: attribute.to_owned(),
            value: text.to_owned(),
            problem: ValueProblem::NotA("JSON value of its type"),
        })?;
        Ok(BodyArgument {
            path: vec![attribute.to_owned()],
            value,
            origin: 0,
        })
    }

    fn sent_body(
        &self,
        service: &Service,
        arguments: &Arguments,
        attributes: Vec<BodyArgument>,
    ) -> Result<Option<String>, BindError> {
        let Some(request) = &self.request else {
            return match arguments.body {
                Some(_) => Err(BindError::BodyNotTaken {
                    method: self.full_name(),
                }),
                None => Ok(None),
            };
        };
        if let Some(body) = &arguments.body {
            if let Some(attribute) = attributes.first() {
                return Err(BindError::Twice {
                    parameter: attribute.path.join("."),
                });
            }
            if request.media_type.contains("json")
                && let Err(error) = serde_json::from_str::<serde::de::IgnoredAny>(body)
            {
                return Err(BindError::BodyNotJson {
                    method: self.full_name(),
                    problem: error.to_string(),
                });
            }
            return Ok(Some(body.clone()));
        }
        self.built_body(service, request, &attributes)
    }

    fn built_body(
        &self,
        service: &Service,
        request: &Request,
        attributes: &[BodyArgument],
    ) -> Result<Option<String>, BindError> {
        if attributes.is_empty() {
            if let Some(default) = &request.default {
                return Ok(Some(default.clone()));
            }
            if !request.required {
                return Ok(None);
            }
            if !self.read_only {
                return Err(BindError::BodyMissing {
                    method: self.full_name(),
                });
            }
        }
        let built = self
            .body(service, attributes, Strictness::Lenient)
            .map_err(|error| BindError::Unsendable {
                method: self.full_name(),
                why: error.to_string(),
            })?;
        let Some(body) = built else { return Ok(None) };
        let there: IndexMap<String, serde::de::IgnoredAny> =
            serde_json::from_str(&body.text).unwrap_or_default();
        let required = request.required_attributes(&service.schemas);
        let missing: Vec<String> = required
            .iter()
            .filter(|name| !there.contains_key(**name))
            .map(|name| (*name).to_owned())
            .collect();
        if !missing.is_empty() {
            return Err(BindError::Missing {
                method: self.full_name(),
                parameters: missing,
            });
        }
        Ok(Some(body.text))
    }
}

/// Appends a slash and the encoded segment; answers it unencoded.
fn fill(segment: &Segment, values: &[(&Parameter, &str)], path: &mut String) -> String {
    path.push('/');
    let mut plain = String::new();
    for part in &segment.parts {
        let name = match part {
            Part::Literal(text) => {
                path.push_str(text);
                plain.push_str(text);
                continue;
            }
            Part::Parameter(name) => name,
        };
        let value = values.iter().find(|(parameter, _)| parameter.name == *name);
        let Some((parameter, text)) = value else {
            continue;
        };
        if parameter.spans_segments {
            let inner = text.trim_matches('/');
            let parts: Vec<String> = inner.split('/').map(value::encode).collect();
            path.push_str(&parts.join("/"));
            plain.push_str(inner);
        } else {
            path.push_str(&value::encode(text));
            plain.push_str(text);
        }
    }
    plain
}

impl Parameter {
    /// Whether a value has a form that the parameter may have. Nothing is sent for it.
    ///
    /// # Errors
    /// What is wrong with the value.
    pub fn check(&self, value: &str) -> Result<(), BindError> {
        value::check(self, value).map_err(|problem| refused(self, value, problem))
    }
}

fn refused(parameter: &Parameter, value: &str, problem: ValueProblem) -> BindError {
    let shown = if parameter.location == Location::Header {
        ""
    } else {
        value
    };
    BindError::Value {
        parameter: parameter.name.clone(),
        value: shown.to_owned(),
        problem,
    }
}

/// `providers/<namespace>` says nothing that the rest of a path does not.
fn scope_text(segments: &[String]) -> String {
    let mut out = String::new();
    let mut at = 0;
    while let Some(segment) = segments.get(at) {
        if segment.eq_ignore_ascii_case("providers") && at + 2 < segments.len() {
            at += 2;
            continue;
        }
        if !out.is_empty() {
            out.push('/');
        }
        out.extend(segment.chars().flat_map(char::escape_debug));
        at += 1;
    }
    out
}
