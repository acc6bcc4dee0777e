//! What documents in the shape of Azure Resource Manager leave unsaid: which POST only asks, what is destructive, what
//! is long-running, what a path parameter holds.
//! Explicit `x-restable-…` keys always win over what is derived here.

use crate::document::{RawMethod, RawOperation};
use crate::error::{Error, Problem};
use crate::method::{Field, FinalState, HttpMethod, LongRunning, Parameter};
use crate::names;
use crate::path::{PathTemplate, Segment};
use crate::resource::Childless;

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

/// Nothing is asked under a subscription that is deleted.
pub(super) fn childless(own_id: &PathTemplate, fields: &[Field]) -> Option<Childless> {
    let segments = own_id.segments();
    let is_subscription = segments.len() == 2
        && segments[0]
            .literal()
            .is_some_and(|word| word.eq_ignore_ascii_case("subscriptions"));
    let state = fields.iter().find(|field| field.name == "state")?;
    is_subscription.then(|| Childless {
        field: state.name.clone(),
        values: vec!["Deleted".to_owned()],
    })
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
pub(super) fn refine(parameter: &mut Parameter, path: &PathTemplate) {
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
