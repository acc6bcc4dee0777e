//! From values to scopes: every combination of what parameters are bound to, and of values that belong together only those combinations. Makes no call and knows
//! no parent.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use restable_spec::names::fold;
use restable_spec::{Bound, Method, Registry, Resource, SINGLE_GETS};

use crate::prune::Prunes;
use crate::walk::{Bindings, Scope};

/// Every combination that the bindings and the values that belong together allow, each added to `scope`.
pub(crate) fn combinations(
    bindings: &Bindings,
    prunes: &Prunes,
    scope: Scope,
) -> Box<dyn Iterator<Item = Scope> + Send> {
    let relations = prunes.relations().iter();
    let mut relations = relations
        .filter(|relation| {
            let mut names = relation.names().iter();
            names.any(|name| bindings.contains_key(name))
        })
        .peekable();
    if relations.peek().is_none() {
        return Box::new(product(bindings, &scope));
    }
    let mut scopes = vec![scope];
    for relation in relations {
        let extended = scopes.iter();
        let extended = extended.flat_map(|scope| relation.extend(scope, bindings));
        scopes = extended.collect();
    }
    let allowed = Allowed::new(bindings);
    let bindings = bindings.clone();
    let scopes = scopes.into_iter().filter(move |it| agrees(it, &allowed));
    Box::new(scopes.flat_map(move |scope| {
        let open = bindings.iter();
        let open = open.filter(|(name, _)| !scope.contains_key(*name));
        let open: Bindings = open
            .map(|(name, values)| (name.clone(), values.clone()))
            .collect();
        product(&open, &scope)
    }))
}

/// Bindings, to be asked for one value after the other: the values in lower case, by name.
#[derive(Debug)]
pub(crate) struct Allowed(pub(crate) HashMap<String, HashSet<String>>);

impl Allowed {
    pub(crate) fn new(bindings: &Bindings) -> Allowed {
        let folded = |values: &Vec<Arc<str>>| {
            let values = values.iter();
            values.map(|value| value.to_ascii_lowercase()).collect()
        };
        let bindings = bindings.iter();
        Allowed(
            bindings
                .map(|(name, values)| (name.clone(), folded(values)))
                .collect(),
        )
    }

    /// Whether a name may have a value.
    pub(crate) fn allows(&self, name: &str, value: &str) -> bool {
        let allowed = self.0.get(name);
        allowed.is_none_or(|values| values.contains(&value.to_ascii_lowercase()))
    }
}

pub(crate) fn agrees(scope: &Scope, bindings: &Allowed) -> bool {
    let mut values = scope.iter();
    values.all(|(name, value)| bindings.allows(name, value))
}

/// The number of values of each name that is bound, for the choice of a method. Of values that belong together it is the number for each
/// row of the names before, so that their product is the number of rows.
pub(crate) fn bound(resource: &Resource, bindings: &Bindings, prunes: &Prunes) -> Bound {
    let counts = bindings.iter();
    let mut bound: Bound = counts
        .map(|(name, values)| (name.clone(), values.len()))
        .collect();
    for relation in prunes.relations() {
        let mut before: Vec<String> = Vec::new();
        let key = resource.key.iter().map(|name| fold(name));
        for name in key.filter(|it| relation.names().contains(it) && bindings.contains_key(it)) {
            let rows = relation.distinct(|other| before.iter().any(|it| it == other));
            let more =
                relation.distinct(|other| other == name || before.iter().any(|it| it == other));
            bound.bind(&name, more.div_ceil(rows.max(1)));
            before.push(name);
        }
        // Ids that the statement writes: what is a few rows of each parent is asked for by key.
        if relation.is_written()
            && let Some(last) = before.last()
            && let Some(parents) = relation.groups_of(last, SINGLE_GETS)
        {
            bound.few_of_each(parents);
        }
    }
    bound
}

/// The names that a scan finds by listing its parents: those that its call needs and nothing binds, or, where everything is bound, those
/// that come in more combinations than are asked for one by one: whoever names ten groups and thirteen vaults means no 130 of them, and the
/// list of the subscription says which there are.
pub(crate) fn open_names(
    registry: &Registry,
    resource: &Resource,
    method: &Method,
    bindings: &Bindings,
    prunes: &Prunes,
) -> Vec<String> {
    let needed = method.parameters.iter();
    let needed = needed.filter(|parameter| parameter.must_be_given());
    let needed: Vec<String> = needed.map(|parameter| fold(&parameter.name)).collect();
    let is_open = |name: &&String| !bindings.contains_key(*name);
    let open: Vec<String> = needed.iter().filter(is_open).cloned().collect();
    if !open.is_empty() || !crosses(registry, resource, bindings, prunes) {
        return open;
    }
    let parent = resource.parent.iter().flat_map(|it| &it.parameters);
    let given: HashSet<String> = parent.map(|(child, _)| fold(child)).collect();
    needed
        .into_iter()
        .filter(|name| given.contains(name))
        .collect()
}

/// Whether the names of parents, at any level, are bound to more combinations than belong together.
fn crosses(registry: &Registry, resource: &Resource, bindings: &Bindings, prunes: &Prunes) -> bool {
    let counts = bound(resource, bindings, prunes);
    let count = |name: &String| counts.count(name).unwrap_or(1);
    let product = |names: &[String]| {
        let counts = names.iter().map(count);
        counts.fold(1_usize, usize::saturating_mul)
    };
    // The names of a level as the resource calls them, beside what the level above calls them.
    let mut names: Vec<(String, String)> = match &resource.parent {
        Some(parent) => {
            let parameters = parent.parameters.iter();
            parameters
                .map(|(child, own)| (fold(child), fold(own)))
                .collect()
        }
        None => return false,
    };
    let mut parent = resource.parent.clone();
    while let Some(own) = parent {
        let above = registry.resource(&own.provider, &own.service, &own.resource);
        let Ok(Some(above)) = above else {
            return false;
        };
        let Some(further) = above.parent.clone() else {
            return false;
        };
        let wider: Vec<(String, String)> = names
            .iter()
            .filter_map(|(name, called)| {
                let mut parameters = further.parameters.iter();
                let (_, next) = parameters.find(|(child, _)| fold(child) == *called)?;
                Some((name.clone(), fold(next)))
            })
            .collect();
        let is_wider = |name: &String| wider.iter().any(|(wider, _)| wider == name);
        let (outer, inner): (Vec<String>, Vec<String>) = names
            .iter()
            .map(|(name, _)| name.clone())
            .filter(|name| bindings.contains_key(name))
            .partition(|name| is_wider(name));
        let of_each = product(&inner);
        if of_each > SINGLE_GETS && !belong_together(prunes, &outer, &inner, &count) {
            return true;
        }
        names = wider;
        parent = Some(further);
    }
    false
}

/// Whether no two of these names have more than one value each that are independent of each other.
fn belong_together(
    prunes: &Prunes,
    outer: &[String],
    inner: &[String],
    count: &dyn Fn(&String) -> usize,
) -> bool {
    let mut several: Vec<&String> = outer.iter().chain(inner).collect();
    several.retain(|name| count(name) > 1);
    let all_in = |names: &[String]| several.iter().all(|name| names.contains(name));
    several.len() <= 1 || prunes.relations().iter().any(|it| all_in(it.names()))
}

/// Every combination of the bound values, each added to `scope`, one at a time: there may be millions.
fn product(bindings: &Bindings, scope: &Scope) -> impl Iterator<Item = Scope> + Send + use<> {
    let (bindings, scope) = (bindings.clone(), scope.clone());
    let total = bindings
        .values()
        .fold(1_usize, |total, values| total.saturating_mul(values.len()));
    (0..total).map(move |number| {
        let mut scope = scope.clone();
        let mut rest = number;
        for (name, values) in bindings.iter().rev() {
            scope.insert(name.clone(), Arc::clone(&values[rest % values.len()]));
            rest /= values.len();
        }
        scope
    })
}
