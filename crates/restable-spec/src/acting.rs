//! What the statements that change something need to know of a resource: which method an INSERT, REPLACE, UPDATE or DELETE
//! calls, which attributes its body has, which columns its answer has.
//! Refuses a verb that the resource has no method for, and a call whose path cannot be made of what is given.

use std::sync::Arc;

use crate::error::{MethodError, Unavailable};
use crate::method::{BodyNaming, Field, FinalState, HttpMethod, Kind, Location, Method, Verb};
use crate::names;
use crate::resource::{Resource, Service};
use crate::schema::{Schema, Schemas};

/// An attribute at the top of a body: a column of INSERT and UPDATE.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attribute {
    /// As the document spells it.
    pub name: String,
    /// Its type; [`Kind::Json`] takes JSON text.
    pub kind: Kind,
    /// The body must have it.
    pub required: bool,
    /// Only the service gives a value to it.
    pub read_only: bool,
    /// A secret: not to be printed or kept.
    pub secret: bool,
    /// The document's words on it.
    pub description: Option<String>,
}

impl Resource {
    /// The method that a verb calls when parameters of these names are given, in any spelling: the one that takes most of
    /// them among those whose path can be made, the first in document order among equals. A REPLACE without a method of
    /// its own calls the PUT of INSERT, which replaces as well.
    ///
    /// # Errors
    /// There is no method for the verb, or each lacks a parameter of its path.
    pub fn method_for<S: AsRef<str>>(
        &self,
        verb: Verb,
        given: &[S],
    ) -> Result<&Arc<Method>, MethodError> {
        let is_given = |name: &str| given.iter().any(|given| names::same(given.as_ref(), name));
        let mut methods: Vec<&Arc<Method>> = self.methods_of(verb).collect();
        if methods.is_empty() && verb == Verb::Replace {
            methods = self
                .methods_of(Verb::Insert)
                .filter(|method| method.http == HttpMethod::Put)
                .collect();
        }
        if methods.is_empty() {
            let verbs = [Verb::Insert, Verb::Replace, Verb::Update, Verb::Delete];
            return Err(MethodError::None {
                resource: self.name.clone(),
                verb,
                others: verbs
                    .into_iter()
                    .filter(|other| self.methods_of(*other).next().is_some())
                    .collect(),
            });
        }
        let mut best: Option<(usize, &Arc<Method>)> = None;
        let mut candidates = Vec::new();
        for method in methods {
            let in_path = method.parameters.iter().filter(|parameter| {
                matches!(parameter.location, Location::Path | Location::Server)
            });
            let missing: Vec<String> = in_path
                .filter(|parameter| parameter.must_be_given() && !is_given(&parameter.name))
                .map(|parameter| parameter.name.clone())
                .collect();
            if !missing.is_empty() {
                candidates.push(Unavailable {
                    method: method.key.clone(),
                    missing,
                    unreadable: None,
                });
                continue;
            }
            let taken = method.parameters.iter();
            let taken = taken.filter(|parameter| is_given(&parameter.name)).count();
            if best.is_none_or(|(most, _)| taken > most) {
                best = Some((taken, method));
            }
        }
        match best {
            Some((_, method)) => Ok(method),
            None => Err(MethodError::Missing {
                resource: self.name.clone(),
                verb,
                candidates,
            }),
        }
    }
}

impl Method {
    /// The attributes at the top of the body, in document order, those of subtypes last. Where bare names are of one
    /// attribute of the body (`naive_<parent>`), the attributes of that one come first, in its place.
    #[must_use]
    pub fn attributes(&self, service: &Service) -> Vec<Attribute> {
        let Some(request) = &self.request else {
            return Vec::new();
        };
        let schemas = &*service.schemas;
        let mut all = Vec::new();
        let top = schemas.effective_properties(&request.schema, None);
        if let BodyNaming::BareUnder(parent) = &request.naming
            && let Some((name, property)) = top.property(parent)
        {
            gather(schemas, &property.schema, None, &mut all);
            if !top.requires(name) {
                for attribute in &mut all {
                    attribute.required = false;
                }
            }
            gather(schemas, &request.schema, Some(name), &mut all);
        } else {
            gather(schemas, &request.schema, None, &mut all);
        }
        for attribute in &mut all {
            attribute.required |= request
                .demanded
                .iter()
                .any(|name| names::same(name, &attribute.name));
        }
        all
    }

    /// The top-level attributes of the final answer, for RETURNING; empty if it answers nothing.
    #[must_use]
    pub fn result_fields(&self) -> &[Field] {
        match self.long_running {
            Some(long) if long.final_state == FinalState::None => &[],
            _ => &self.response.fields,
        }
    }
}

fn gather(schemas: &Schemas, schema: &Schema, except: Option<&str>, all: &mut Vec<Attribute>) {
    let base = schemas.effective_properties(schema, None);
    let subtypes = base.discriminator.into_iter();
    let subtypes = subtypes
        .flat_map(|discriminator| discriminator.subtypes.keys())
        .map(|value| schemas.effective_properties(schema, Some(value)));
    let subtypes: Vec<_> = subtypes.collect();
    for effective in std::iter::once(&base).chain(&subtypes) {
        for (name, property) in &effective.properties {
            let known = all.iter().any(|known| names::same(&known.name, name));
            if known || except == Some(*name) {
                continue;
            }
            all.push(Attribute {
                name: (*name).to_owned(),
                kind: schemas.kind(&property.schema),
                required: base.requires(name) && !property.read_only,
                read_only: property.read_only,
                secret: property.secret,
                description: property.description.clone(),
            });
        }
    }
}
