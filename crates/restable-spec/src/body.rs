//! Bodies: values with dotted names into one JSON text. Names become the document's, a required object whose attributes
//! are all optional becomes `{}`, an attribute with one possible value is filled in. Text is a string where the document
//! says string, and is never one by accident elsewhere.
//! Refuses names that the body does not have, targets given twice, and text that is not what its place needs. Whether a
//! body is complete and right is said by [`Method::check_body`].

mod argument;
mod check;
mod fill;
mod json;
mod place;
mod problem;
mod redact;
mod scalar;
mod shape;

use indexmap::IndexMap;

use crate::error::BodyError;
use crate::method::{AUXILIARY_HEADER, BodyNaming, Kind, Method, Request};
use crate::names;
use crate::resource::Service;
use crate::schema::{Property, Schema, Schemas};

use json::Node;
use place::{dotted, under};

pub use argument::{Body, BodyArgument, BodyTarget, BodyValue, Strictness};
pub use problem::{BodyFault, BodyProblem, Severity};

impl Method {
    /// How strictly bodies are checked: leniently if `api_version` is given and is not the document's.
    #[must_use]
    pub fn strictness(&self, api_version: Option<&str>) -> Strictness {
        let known = self
            .parameter("api-version")
            .and_then(|parameter| parameter.default.as_deref());
        match (api_version, known) {
            (Some(given), Some(known)) if given != known => Strictness::Lenient,
            _ => Strictness::Strict,
        }
    }

    /// The body made of these arguments, in the order of the schema; `None` if nothing is given and none is needed.
    /// An argument that is [`BodyValue::Null`] counts as not given, but its name must be right.
    ///
    /// # Errors
    /// A name is unknown (only if strict), a target is given twice or below one that is given whole, text is not what
    /// its attribute needs.
    pub fn body(
        &self,
        service: &Service,
        arguments: &[BodyArgument],
        strictness: Strictness,
    ) -> Result<Option<Body>, BodyError> {
        let placed = self.placed(service, arguments, strictness)?;
        let Some(request) = &self.request else {
            return Ok(None);
        };
        let schemas = &*service.schemas;
        let wrapper = wrapper(schemas, request);
        let mut node = Node::Object(IndexMap::new());
        let mut places = Vec::new();
        for (placed, argument) in placed.iter().zip(arguments) {
            let encoded = argument::encode(schemas, placed, argument, strictness)?;
            if let Some(leaf) = encoded {
                node.put(&placed.path, leaf);
                places.push((placed.place(wrapper), argument.origin));
            }
        }
        if places.is_empty() {
            if let Some(default) = &request.default {
                return Ok(Some(Body::new(default.clone(), places)));
            }
            if !request.required {
                return Ok(None);
            }
        }
        fill::sort(schemas, &request.schema, &mut node);
        if let Some(base) = &request.base {
            let base = Node::parse(base).map_err(|error| BodyError::Base {
                method: self.full_name(),
                problem: error.to_string(),
            })?;
            let over = std::mem::replace(&mut node, base);
            node.overlay(over);
        }
        fill::complete(schemas, &request.schema, &mut node);
        if let Some(wrapper) = wrapper {
            node = Node::Object(IndexMap::from([(wrapper.to_owned(), node)]));
        }
        Ok(Some(Body::new(node.text(), places)))
    }

    /// Where each argument goes, before any value is known: of the values only those of discriminators are looked at,
    /// which choose among subtypes. In the order of the arguments.
    ///
    /// # Errors
    /// As [`Method::body`], for names.
    pub fn body_targets(
        &self,
        service: &Service,
        arguments: &[BodyArgument],
        strictness: Strictness,
    ) -> Result<Vec<BodyTarget>, BodyError> {
        let placed = self.placed(service, arguments, strictness)?;
        let request = self.request.as_ref();
        let wrapper = request.and_then(|request| wrapper(&service.schemas, request));
        let target = |placed: &Placed<'_>| BodyTarget {
            place: placed.place(wrapper),
            kind: placed
                .schema
                .map_or(Kind::Json, |schema| service.schemas.kind(schema)),
            secret: placed.property.is_some_and(|property| property.secret),
            description: placed
                .property
                .and_then(|property| property.description.clone()),
        };
        Ok(placed.iter().map(target).collect())
    }

    fn placed<'a>(
        &'a self,
        service: &'a Service,
        arguments: &[BodyArgument],
        strictness: Strictness,
    ) -> Result<Vec<Placed<'a>>, BodyError> {
        // A token that lands in a body by its name would be kept and shown, where bodies take names that no document has.
        let token = arguments.iter().find(|argument| {
            matches!(argument.path.as_slice(), [only] if names::same(only, AUXILIARY_HEADER))
        });
        if let Some(argument) = token {
            return Err(BodyError::Credential {
                named: self.credential_named(service),
                origin: argument.origin,
            });
        }
        let Some(request) = &self.request else {
            return match arguments.first() {
                None => Ok(Vec::new()),
                Some(argument) => Err(BodyError::NotTaken {
                    method: self.full_name(),
                    attribute: dotted(&argument.path),
                    origin: argument.origin,
                }),
            };
        };
        let walk = Walk {
            method: self,
            schemas: &service.schemas,
            request,
            given: arguments
                .iter()
                .map(|argument| spelled(&service.schemas, request, &argument.path))
                .collect(),
            arguments,
            strictness,
        };
        let mut all: Vec<Placed<'a>> = Vec::with_capacity(arguments.len());
        for (at, argument) in arguments.iter().enumerate() {
            let placed = walk.place(at)?;
            for (known, other) in all.iter().zip(arguments) {
                collide(known, other, &placed, argument)?;
            }
            all.push(placed);
        }
        Ok(all)
    }
}

/// Where an argument goes.
struct Placed<'a> {
    /// The keys that lead there, as the document spells them.
    path: Vec<String>,
    /// The attribute, if the document has it.
    property: Option<&'a Property>,
    /// Its shape, if the document says any.
    schema: Option<&'a Schema>,
}

impl Placed<'_> {
    /// The place in the body, which may have everything under one key.
    fn place(&self, wrapper: Option<&str>) -> String {
        match wrapper {
            Some(key) => dotted(&[&[key.to_owned()], self.path.as_slice()].concat()),
            None => dotted(&self.path),
        }
    }
}

/// Finds the places of arguments.
struct Walk<'a, 'b> {
    method: &'a Method,
    schemas: &'a Schemas,
    request: &'a Request,
    /// The paths of the arguments from the root of the schema, in the spelling of the user.
    given: Vec<Vec<String>>,
    arguments: &'b [BodyArgument],
    strictness: Strictness,
}

impl<'a> Walk<'a, '_> {
    fn place(&self, at: usize) -> Result<Placed<'a>, BodyError> {
        let origin = self.arguments[at].origin;
        let given = &self.given[at];
        let mut placed = Placed {
            path: Vec::with_capacity(given.len()),
            property: None,
            schema: Some(&self.request.schema),
        };
        for (depth, name) in given.iter().enumerate() {
            let Some(schema) = placed.schema else {
                placed.path.push(name.clone());
                continue;
            };
            let chosen = self.chosen(schema, &given[..depth]);
            match shape::attribute(self.schemas, schema, chosen, name) {
                shape::Found::Known(known, property) => {
                    placed.path.push(known.to_owned());
                    placed.property = Some(property);
                    placed.schema = Some(&property.schema);
                }
                shape::Found::Open { values, described } => {
                    // Keys of a map are the user's; attributes that the document does not list are the service's.
                    placed
                        .path
                        .push(match self.request.casing.filter(|_| described) {
                            Some(casing) => casing.spell(name),
                            None => name.clone(),
                        });
                    placed.property = None;
                    placed.schema = values;
                }
                shape::Found::NoAttributes(kind) if self.strictness == Strictness::Strict => {
                    return Err(BodyError::NoAttributes {
                        whole: dotted(&placed.path),
                        kind,
                        attribute: name.clone(),
                        origin,
                    });
                }
                shape::Found::Unknown(nearest) if self.strictness == Strictness::Strict => {
                    return Err(BodyError::Unknown {
                        method: self.method.full_name(),
                        attribute: dotted(&self.arguments[at].path),
                        nearest: nearest.map(|nearest| under(&dotted(&placed.path), nearest)),
                        origin,
                    });
                }
                shape::Found::NoAttributes(_) | shape::Found::Unknown(_) => {
                    placed.path.push(name.clone());
                    placed.property = None;
                    placed.schema = None;
                }
            }
            // `{}` for an object whose attributes the service gives would say something to it, too.
            if placed.property.is_some_and(|property| property.read_only)
                && self.strictness == Strictness::Strict
            {
                return Err(BodyError::ReadOnly {
                    attribute: dotted(&placed.path),
                    origin,
                });
            }
        }
        Ok(placed)
    }

    /// The value that is given for the discriminator of the object at this path.
    fn chosen(&self, schema: &Schema, path: &[String]) -> Option<&str> {
        let effective = self.schemas.effective_properties(schema, None);
        let property = &effective.discriminator?.property;
        let same_place = |given: &[String]| {
            given.split_last().is_some_and(|(last, before)| {
                names::same(last, property)
                    && before.len() == path.len()
                    && before
                        .iter()
                        .zip(path)
                        .all(|(left, right)| names::same(left, right))
            })
        };
        let found = self.given.iter().position(|given| same_place(given))?;
        match &self.arguments[found].value {
            BodyValue::Text(text) => Some(text),
            _ => None,
        }
    }
}

fn collide(
    known: &Placed<'_>,
    first: &BodyArgument,
    placed: &Placed<'_>,
    argument: &BodyArgument,
) -> Result<(), BodyError> {
    if known.path == placed.path {
        return Err(BodyError::Twice {
            attribute: dotted(&placed.path),
            first: first.origin,
            origin: argument.origin,
        });
    }
    let (whole, inner) = if placed.path.starts_with(&known.path) {
        ((known, first), (placed, argument))
    } else if known.path.starts_with(&placed.path) {
        ((placed, argument), (known, first))
    } else {
        return Ok(());
    };
    Err(BodyError::Below {
        attribute: dotted(&inner.0.path),
        whole: dotted(&whole.0.path),
        first: whole.1.origin,
        origin: inner.1.origin,
    })
}

/// The path from the root of the schema: StackQL's prefix is taken off, and a name of an attribute of the one attribute
/// that bare names are of (`naive_<parent>`) goes below it.
fn spelled(schemas: &Schemas, request: &Request, path: &[String]) -> Vec<String> {
    const PREFIX: &str = "data__";
    let mut path = path.to_vec();
    if let Some(first) = path.first_mut()
        && let Some((prefix, rest)) = first.split_at_checked(PREFIX.len())
        && prefix.eq_ignore_ascii_case(PREFIX)
        && !rest.is_empty()
    {
        *first = rest.to_owned();
    }
    if let BodyNaming::BareUnder(parent) = &request.naming
        && let Some((name, property)) = schemas
            .effective_properties(&request.schema, None)
            .property(parent)
        && let Some(first) = path.first()
        && matches!(
            shape::attribute(schemas, &property.schema, None, first),
            shape::Found::Known(..)
        )
    {
        path.insert(0, name.to_owned());
    }
    path
}

/// The key under which the whole body goes, where bare names are of an attribute that the schema does not have.
fn wrapper<'a>(schemas: &Schemas, request: &'a Request) -> Option<&'a str> {
    match &request.naming {
        BodyNaming::BareUnder(parent)
            if schemas
                .effective_properties(&request.schema, None)
                .property(parent)
                .is_none() =>
        {
            Some(parent)
        }
        BodyNaming::BareUnder(_) | BodyNaming::Prefixed | BodyNaming::Bare => None,
    }
}
