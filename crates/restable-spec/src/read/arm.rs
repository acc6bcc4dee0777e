//! What documents in the shape of Azure Resource Manager leave unsaid: which POST only asks, what is destructive, what
//! is long-running, what a path parameter holds, which resource enumerates another's parameters.
//! Explicit `x-restable-…` keys always win over what is derived here.

use crate::document::{RawMethod, RawOperation};
use crate::error::{Error, Problem};
use crate::method::{FinalState, HttpMethod, LongRunning, Parameter};
use crate::names;
use crate::path::{PathTemplate, Segment};
use crate::resource::Parent;

use super::Reading;

/// First words of the last path segment of a POST that asks and changes nothing.
const ASKING: [&str; 3] = ["check", "find", "fetch"];

/// First words of the last path segment of a POST that removes, stops or overwrites something.
const DESTRUCTIVE: [&str; 14] = [
    "stop",
    "suspend",
    "restore",
    "crossregionrestore",
    "delete",
    "remove",
    "purge",
    "unlock",
    "revoke",
    "reset",
    "regenerate",
    "deallocate",
    "poweroff",
    "failover",
];

pub(super) fn only_asks(path: &PathTemplate) -> bool {
    begins_with(path, &ASKING)
}

pub(super) fn is_destructive(http: HttpMethod, path: &PathTemplate) -> bool {
    match http {
        HttpMethod::Delete => true,
        HttpMethod::Post => begins_with(path, &DESTRUCTIVE),
        HttpMethod::Get | HttpMethod::Head | HttpMethod::Put | HttpMethod::Patch => false,
    }
}

fn begins_with(path: &PathTemplate, words: &[&str]) -> bool {
    // Some documents end such a path with a slash.
    let last = path
        .segments()
        .iter()
        .rev()
        .find(|segment| segment.literal() != Some(""));
    let last = last
        .and_then(Segment::literal)
        .map(names::fold)
        .unwrap_or_default();
    words.iter().any(|word| last.starts_with(word))
}

/// A GET is never long-running; else the document's own key, Microsoft's, the word `begin` of generated operation ids
/// or a declared 202 say so.
pub(super) fn long_running(
    reading: &Reading<'_>,
    place: &str,
    method: &RawMethod,
    operation: &RawOperation,
    http: HttpMethod,
    operation_id: &str,
) -> Result<Option<LongRunning>, Error> {
    if matches!(http, HttpMethod::Get | HttpMethod::Head) {
        return Ok(None);
    }
    let derived = match http {
        HttpMethod::Put | HttpMethod::Patch => FinalState::OriginalUri,
        HttpMethod::Delete => FinalState::None,
        HttpMethod::Post | HttpMethod::Get | HttpMethod::Head => FinalState::Location,
    };
    if let Some(stated) = method
        .long_running
        .as_ref()
        .or(operation.long_running.as_ref())
    {
        let final_state = match stated.final_state.as_deref() {
            Some(text) => final_state(text).ok_or_else(|| {
                let allowed = "`async-operation`, `location`, `original-uri`, `none`";
                reading.wrong(
                    place,
                    Problem::Unknown {
                        value: text.to_owned(),
                        allowed,
                    },
                )
            })?,
            None => derived,
        };
        return Ok(Some(LongRunning { final_state }));
    }
    let via = operation
        .ms_long_running_options
        .as_ref()
        .and_then(|options| options.final_state_via.as_deref());
    let begins = operation_id.split('_').any(|word| word == "begin");
    if operation.ms_long_running || begins || operation.responses.contains_key("202") {
        let final_state = via.and_then(final_state).unwrap_or(derived);
        return Ok(Some(LongRunning { final_state }));
    }
    Ok(None)
}

fn final_state(text: &str) -> Option<FinalState> {
    match text {
        "async-operation" | "azure-async-operation" | "operation-location" => {
            Some(FinalState::AsyncOperation)
        }
        "location" => Some(FinalState::Location),
        "original-uri" => Some(FinalState::OriginalUri),
        "none" => Some(FinalState::None),
        _ => None,
    }
}

/// What the place of a path parameter says about its values.
pub(super) fn refine(parameter: &mut Parameter, path: &PathTemplate, _at: usize) {
    let segments = path.segments();
    let place = segments
        .iter()
        .position(|segment| segment.parameter() == Some(&parameter.name));
    let Some(place) = place else { return };
    let literal = |at: usize| {
        segments
            .get(at)
            .and_then(Segment::literal)
            .unwrap_or_default()
    };
    if place == 1
        && literal(0).eq_ignore_ascii_case("subscriptions")
        && names::same(&parameter.name, "subscriptionId")
    {
        parameter.format.get_or_insert_with(|| String::from("uuid"));
    }
    // `/{resourceUri}/providers/Microsoft.X/…`: an extension of any resource, whose id stands in front.
    if place == 0 && literal(1).eq_ignore_ascii_case("providers") {
        parameter.spans_segments = true;
    }
}

/// A resource of the service, as far as its place in the tree of ids goes.
pub(super) struct Node<'a> {
    pub name: &'a str,
    pub own_id: Option<&'a PathTemplate>,
    /// It has a method that lists its rows.
    pub lists: bool,
}

/// Who enumerates the parameters of `path`, the path of the list (or of the GET) of `child`: the resource whose own id
/// is the longest beginning of it.
pub(super) fn parent(
    reading: &Reading<'_>,
    child: &str,
    path: &PathTemplate,
    nodes: &[Node<'_>],
    has_locations: &dyn Fn() -> bool,
) -> Option<Parent> {
    let segments = path.segments();
    for length in (1..segments.len()).rev() {
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
        return Some(("locations", &["subscriptionId", "location"]));
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
