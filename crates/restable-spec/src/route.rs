//! Which call a SELECT makes: the method that answers with the fewest calls for what is bound by constants.
//! Pure. Refuses when no method can be called, and says what would have to be bound for each.

use std::sync::Arc;

use indexmap::IndexMap;

use crate::error::{RouteError, Unavailable};
use crate::method::{Items, Location, Method};
use crate::names;
use crate::resource::Resource;

/// So many keys of one parent are asked for one by one; for more the list is read.
pub const SINGLE_GETS: usize = 4;

/// The names that a query binds to constants, each with the number of its values.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Bound {
    counts: IndexMap<String, usize>,
    /// Of how many parents the keys are, if there are few of each.
    parents: Option<usize>,
}

impl Bound {
    /// Nothing is bound.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Binds a name, in any spelling, to `count` values. A name that is bound twice has the smaller number.
    pub fn bind(&mut self, name: &str, count: usize) {
        let known = self.counts.entry(names::fold(name)).or_insert(count);
        *known = count.min(*known);
    }

    /// Says that the keys are of so many parents, and at most [`SINGLE_GETS`] of each.
    pub fn few_of_each(&mut self, parents: usize) {
        self.parents = Some(parents);
    }

    /// The number of values of a name; `None` if it is not bound.
    #[must_use]
    pub fn count(&self, name: &str) -> Option<usize> {
        self.counts.get(&names::fold(name)).copied()
    }

    /// True if the name is bound.
    #[must_use]
    pub fn contains(&self, name: &str) -> bool {
        self.count(name).is_some()
    }
}

impl<S: AsRef<str>> FromIterator<(S, usize)> for Bound {
    fn from_iter<I: IntoIterator<Item = (S, usize)>>(names: I) -> Self {
        let mut bound = Self::new();
        for (name, count) in names {
            bound.bind(name.as_ref(), count);
        }
        bound
    }
}

/// What a method would cost; the least is chosen. Compared in the order of its fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Cost {
    /// Parameters whose values come from walking parents. One more level costs more than any number of constants.
    enumerated: usize,
    /// Calls for each enumerated parent.
    calls: usize,
    /// Bound parameters of the path and the body that the call does not take; the more it takes the better.
    unused: usize,
    /// The same of the query, which only narrows.
    unused_query: usize,
}

impl Resource {
    /// The method that serves a SELECT in which these names are bound by constants.
    ///
    /// # Errors
    /// Each readable method needs a parameter that is neither bound nor given by the parent, or does not take an input
    /// that is bound.
    pub fn route(&self, bound: &Bound) -> Result<&Arc<Method>, RouteError> {
        let mut best: Option<(Cost, &Arc<Method>)> = None;
        let mut candidates = Vec::new();
        for method in self.readers() {
            // An input is no property of a row: who does not take it would answer as if it had not been given.
            if let Some(input) = self.refused(method, bound) {
                candidates.push(Unavailable {
                    method: method.key.clone(),
                    missing: Vec::new(),
                    unreadable: Some(format!("it does not take `{input}`")),
                });
                continue;
            }
            let missing = self.missing(method, bound);
            if !missing.is_empty() {
                candidates.push(Unavailable {
                    method: method.key.clone(),
                    missing,
                    unreadable: None,
                });
                continue;
            }
            let cost = self.cost(method, bound);
            if best.is_none_or(|(least, _)| cost < least) {
                best = Some((cost, method));
            }
        }
        if let Some((_, method)) = best {
            return Ok(method);
        }
        for method in self.selects() {
            let unreadable = method.unreadable.as_ref().or(method.unsendable.as_ref());
            if let Some(why) = unreadable {
                candidates.push(Unavailable {
                    method: method.key.clone(),
                    missing: Vec::new(),
                    unreadable: Some(why.clone()),
                });
            }
        }
        Err(RouteError {
            resource: self.full_name(),
            candidates,
        })
    }

    /// True if the rows of the parent give values to this parameter, and the parent can be walked without it.
    #[must_use]
    pub fn enumerates(&self, parameter: &str) -> bool {
        let mapped = self.parent.iter().flat_map(|parent| &parent.parameters);
        let mut mapped = mapped.map(|(child, _)| child);
        mapped.any(|child| names::same(child, parameter))
            && !self
                .dead_ends
                .iter()
                .any(|child| names::same(child, parameter))
    }

    /// Parameters that a method needs beside a default, bound or not: those of the call, then those of its body.
    fn needs<'a>(&'a self, method: &'a Method) -> impl Iterator<Item = &'a str> {
        let call = method
            .parameters
            .iter()
            .filter(|parameter| parameter.must_be_given());
        let body = self
            .body_inputs
            .get(&method.key)
            .into_iter()
            .flatten()
            .filter(|parameter| parameter.required);
        call.chain(body).map(|parameter| parameter.name.as_str())
    }

    /// True if the call or its body has a place for the parameter.
    fn takes(&self, method: &Method, name: &str) -> bool {
        let body = self.body_inputs.get(&method.key).into_iter().flatten();
        method.parameter(name).is_some()
            || body.into_iter().any(|input| names::same(&input.name, name))
    }

    /// The first bound input of the table that the method does not take.
    fn refused(&self, method: &Method, bound: &Bound) -> Option<&str> {
        let inputs = self.parameters.iter().filter(|parameter| {
            matches!(
                parameter.location,
                Location::Query | Location::Header | Location::Body
            )
        });
        let mut names = inputs.map(|input| input.name.as_str());
        names.find(|name| bound.contains(name) && !self.takes(method, name))
    }

    fn missing(&self, method: &Method, bound: &Bound) -> Vec<String> {
        let missing = self
            .needs(method)
            .filter(|name| !bound.contains(name) && !self.enumerates(name));
        missing.map(str::to_owned).collect()
    }

    fn cost(&self, method: &Method, bound: &Bound) -> Cost {
        let enumerated = self
            .needs(method)
            .filter(|name| !bound.contains(name))
            .count();
        let counts: Vec<usize> = self
            .needs(method)
            .filter_map(|name| bound.count(name))
            .collect();
        let mut calls = counts
            .iter()
            .fold(1_usize, |product, count| product.saturating_mul(*count));
        // Up to four keys of one parent cost no more than the list of that parent would.
        let parents: usize = counts.iter().rev().skip(1).product();
        let single = method.response.items == Items::One;
        if single && enumerated == 0 && parents == 1 && calls <= SINGLE_GETS {
            calls = calls.min(1);
        }
        if single
            && enumerated == 0
            && let Some(parents) = bound.parents
        {
            calls = calls.min(parents);
        }
        let unused = |query: bool| {
            let inputs = self
                .parameters
                .iter()
                .filter(move |input| match input.location {
                    Location::Path | Location::Body | Location::Server => !query,
                    Location::Query => query,
                    Location::Header => false,
                });
            inputs
                .filter(|input| bound.contains(&input.name) && !self.takes(method, &input.name))
                .count()
        };
        Cost {
            enumerated,
            calls,
            unused: unused(false),
            unused_query: unused(true),
        }
    }
}
