//! Who enumerates the parameters of a table that a query does not bind: as the document states it, or as paths in the
//! shape of Azure Resource Manager show it. Refuses parents that are not there, parameters that nobody has, and circles.

use indexmap::IndexMap;

use crate::document::RawParent;
use crate::error::{Error, Problem};
use crate::method::{Items, Location};
use crate::names;
use crate::path::{PathTemplate, Segment};
use crate::resource::{Parent, Resource};
use crate::route::Bound;

use super::{Reading, own_id};

/// The parents of all resources, in the same order.
pub(super) fn parents(
    reading: &Reading<'_>,
    resources: &IndexMap<String, Resource>,
    has_locations: &dyn Fn() -> bool,
) -> Result<Vec<Option<Parent>>, Error> {
    let own_ids: Vec<Option<&PathTemplate>> = resources
        .values()
        .map(|resource| own_id(&resource.methods, &resource.readers()))
        .collect();
    let nodes = resources
        .values()
        .zip(&own_ids)
        .map(|(resource, own_id)| Node {
            name: &resource.name,
            own_id: *own_id,
            lists: resource
                .readers()
                .iter()
                .any(|method| method.response.items != Items::One),
        });
    let nodes: Vec<Node<'_>> = nodes.collect();
    let mut parents = Vec::with_capacity(nodes.len());
    for (resource, raw) in resources
        .values()
        .zip(reading.raw.components.resources.values())
    {
        let parent = match &raw.parent {
            Some(RawParent::Named(word)) if word == "none" => None,
            Some(RawParent::Named(name)) => Some(stated(
                reading,
                resources,
                resource,
                name,
                &IndexMap::new(),
            )?),
            Some(RawParent::Mapping {
                resource: name,
                parameters,
            }) => Some(stated(reading, resources, resource, name, parameters)?),
            None => match whole_path(resource) {
                Some(path) => derived(reading, &resource.name, path, &nodes, has_locations),
                None => None,
            },
        };
        parents.push(parent);
    }
    check_for_circles(reading, resources, &parents)?;
    Ok(parents)
}

/// The path that needs the fewest parameters to see all rows: of the lists the shortest, else of the GETs.
fn whole_path(resource: &Resource) -> Option<&PathTemplate> {
    let readers = resource.readers();
    let lists = readers
        .iter()
        .filter(|method| method.response.items != Items::One);
    let shortest = lists.min_by_key(|method| method.path.parameters().count());
    let method = shortest.or_else(|| {
        readers
            .iter()
            .min_by_key(|method| method.path.parameters().count())
    })?;
    let methods = &resource.methods;
    methods.get(&method.key).map(|method| &method.path)
}

/// `vaults`, `data_protection.vaults` and `azure.data_protection.vaults` name a parent. Without a mapping each path
/// parameter that all readers need comes from the parent's parameter of the same name.
fn stated(
    reading: &Reading<'_>,
    resources: &IndexMap<String, Resource>,
    child: &Resource,
    name: &str,
    mapping: &IndexMap<String, String>,
) -> Result<Parent, Error> {
    let wrong = |problem| {
        let place = format!(
            "components.x-stackQL-resources.{}.x-restable-parent",
            child.name
        );
        reading.wrong(&place, problem)
    };
    let parts: Vec<&str> = name.split('.').collect();
    let (provider, service, parent) = match parts.as_slice() {
        [provider, service, parent] => (*provider, *service, *parent),
        [service, parent] => (reading.provider, *service, *parent),
        _ => (reading.provider, reading.service, name),
    };
    let mut parameters: Vec<(String, String)> = Vec::new();
    for (own, other) in mapping {
        if child.parameter(own).is_none() {
            return Err(wrong(Problem::NoSuchParameter(own.clone())));
        }
        parameters.push((own.clone(), other.clone()));
    }
    if mapping.is_empty() {
        let needed = child.parameters.iter();
        let needed = needed.filter(|own| own.location == Location::Path && own.required);
        parameters.extend(needed.map(|own| (own.name.clone(), own.name.clone())));
    }
    // What another document holds is seen only when it is read.
    if provider == reading.provider && service == reading.service {
        let found = resources
            .values()
            .find(|other| names::same(&other.name, parent));
        let found = found.ok_or_else(|| wrong(Problem::NoSuchResource(parent.to_owned())))?;
        for (_, other) in &parameters {
            if found.parameter(other).is_none() && found.field(other).is_none() {
                return Err(wrong(Problem::NoSuchParameter(other.clone())));
            }
        }
    }
    Ok(Parent {
        provider: provider.to_owned(),
        service: service.to_owned(),
        resource: parent.to_owned(),
        parameters,
    })
}

/// Parameters that the parent is said to give, but cannot be walked for without them. Parents come before children.
pub(super) fn mark_dead_ends(resources: &mut IndexMap<String, Resource>) {
    let above = |resources: &IndexMap<String, Resource>, at: usize| {
        let (_, resource) = resources.get_index(at)?;
        let parent = resource.parent.as_ref()?;
        let here = parent.provider == resource.provider && parent.service == resource.service;
        let named = |other: &String| names::same(other, &parent.resource);
        resources.keys().position(named).filter(|_| here)
    };
    let depth = |start: usize| {
        let mut at = start;
        let mut depth = 0_usize;
        while let Some(next) = above(resources, at) {
            at = next;
            depth += 1;
        }
        depth
    };
    let mut order: Vec<usize> = (0..resources.len()).collect();
    order.sort_by_key(|at| depth(*at));
    for at in order {
        let dead_ends = match above(resources, at) {
            Some(parent) => dead_ends(&resources[at], &resources[parent]),
            None => continue,
        };
        resources[at].dead_ends = dead_ends;
    }
}

fn dead_ends(child: &Resource, parent: &Resource) -> Vec<String> {
    let Err(error) = parent.route(&Bound::new()) else {
        return Vec::new();
    };
    let mapping = child
        .parent
        .as_ref()
        .map(|parent| parent.parameters.as_slice())
        .unwrap_or_default();
    let needed = error.needed();
    let gives = |name: &String| mapping.iter().find(|(_, parent)| names::same(parent, name));
    if !needed.is_empty() && needed.iter().all(|name| gives(name).is_some()) {
        return needed
            .iter()
            .filter_map(gives)
            .map(|(child, _)| child.clone())
            .collect();
    }
    mapping.iter().map(|(child, _)| child.clone()).collect()
}

/// A walk up the parents must end.
fn check_for_circles(
    reading: &Reading<'_>,
    resources: &IndexMap<String, Resource>,
    parents: &[Option<Parent>],
) -> Result<(), Error> {
    let up = |at: usize| {
        let parent = parents.get(at)?.as_ref()?;
        let here = parent.provider == reading.provider && parent.service == reading.service;
        let named = |other: &String| names::same(other, &parent.resource);
        resources.keys().position(named).filter(|_| here)
    };
    for start in 0..parents.len() {
        let mut at = start;
        for _ in 0..parents.len() {
            match up(at) {
                Some(next) => at = next,
                None => break,
            }
        }
        if up(at).is_some() {
            let name = resources
                .get_index(at)
                .map(|(name, _)| name.clone())
                .unwrap_or_default();
            let place = format!("components.x-stackQL-resources.{name}.x-restable-parent");
            return Err(reading.wrong(&place, Problem::Cycle(name)));
        }
    }
    Ok(())
}

/// A resource of the service, as far as its place in the tree of ids goes.
struct Node<'a> {
    name: &'a str,
    own_id: Option<&'a PathTemplate>,
    /// It has a method that lists its rows.
    lists: bool,
}

/// Who enumerates the parameters of `path`, the path of the list (or of the GET) of `child`: the resource whose own id
/// is the longest beginning of it.
fn derived(
    reading: &Reading<'_>,
    child: &str,
    path: &PathTemplate,
    nodes: &[Node<'_>],
    has_locations: &dyn Fn() -> bool,
) -> Option<Parent> {
    let segments = path.segments();
    // One segment alone would be a parameter that takes any id, which no resource enumerates.
    for length in (2..segments.len()).rev() {
        let prefix = &segments[..length];
        let own = nodes.iter().filter(|node| node.name != child && node.lists);
        let own = own
            .filter_map(|node| Some((node, node.own_id?)))
            .find(|(_, id)| alike(prefix, id.segments()));
        if let Some((node, id)) = own {
            let parameters = parameters_of(prefix).zip(id.parameters());
            return Some(Parent {
                provider: reading.provider.to_owned(),
                service: reading.service.to_owned(),
                resource: node.name.to_owned(),
                parameters: parameters
                    .map(|(child, parent)| (child.to_owned(), parent.to_owned()))
                    .collect(),
            });
        }
        let known = known_scope(prefix, has_locations)
            .filter(|(resource, _)| reading.service != "resource" || *resource != child);
        if let Some((resource, gives)) = known {
            let parameters = parameters_of(prefix).zip(gives.iter().copied());
            return Some(Parent {
                provider: reading.provider.to_owned(),
                service: String::from("resource"),
                resource: resource.to_owned(),
                parameters: parameters
                    .map(|(child, parent)| (child.to_owned(), parent.to_owned()))
                    .collect(),
            });
        }
    }
    None
}

/// ARM's scopes above all services, which the service `resource` lists, and what gives their parameters.
fn known_scope(
    prefix: &[Segment],
    has_locations: &dyn Fn() -> bool,
) -> Option<(&'static str, &'static [&'static str])> {
    let literal = |at: usize, word: &str| {
        prefix
            .get(at)
            .and_then(Segment::literal)
            .is_some_and(|text| text.eq_ignore_ascii_case(word))
    };
    let parameter = |at: usize| {
        prefix
            .get(at)
            .is_some_and(|segment| segment.parameter().is_some())
    };
    if !(literal(0, "subscriptions") && parameter(1)) {
        return None;
    }
    let last = prefix.len() - 1;
    let is_location = prefix[last]
        .parameter()
        .is_some_and(|name| names::same(name, "location") || names::same(name, "locationName"));
    if prefix.len() == 2 {
        return Some(("subscriptions", &["subscriptionId"]));
    }
    if prefix.len() == 4 && literal(2, "resourceGroups") && parameter(3) {
        return Some(("resource_groups", &["subscriptionId", "resourceGroupName"]));
    }
    if literal(last - 1, "locations")
        && is_location
        && parameters_of(prefix).count() == 2
        && has_locations()
    {
        return Some(("locations", &["subscriptionId", "name"]));
    }
    None
}

fn parameters_of(prefix: &[Segment]) -> impl Iterator<Item = &str> {
    prefix.iter().filter_map(Segment::parameter)
}

/// The same shape: literals alike without regard to case, parameters in the same places under any name.
fn alike(left: &[Segment], right: &[Segment]) -> bool {
    left.len() == right.len()
        && left
            .iter()
            .zip(right)
            .all(|(left, right)| match (left.literal(), right.literal()) {
                (Some(left), Some(right)) => left.eq_ignore_ascii_case(right),
                (None, None) => left.parameter().is_some() && right.parameter().is_some(),
                _ => false,
            })
}
