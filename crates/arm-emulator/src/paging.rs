//! Owns lists: which page a request names, how it is written and what its link to the next page is. Clients may not
//! build that link; what they changed in it finds nothing.

use bytes::Bytes;

use crate::arm::Problem;
use crate::estate::generated::{Form, Place};
use crate::jobs;
use crate::request::Call;
use crate::state::{Answer, Body, World};
use crate::store::{Items, Kind, Listing};

/// A page of the resources of a kind below the path.
pub(crate) fn list(world: &mut World, call: &Call, kind: Kind) -> Answer {
    let deep = matches!(kind, Kind::Vault | Kind::Guard) && !call.has("resourceGroupName");
    let listing = Listing {
        kind,
        parent: call.parent(kind),
        deep,
    };
    let token = call.target.value("$skipToken");
    let page = world.store.page(&listing, token, world.options.page_size);
    let next = page.next.map(|token| link(call, &token));
    let items = match page.items {
        Items::Stored(values) if kind == Kind::Job => {
            Items::Stored(values.iter().map(jobs::list_form).collect())
        }
        items => items,
    };
    // The list of jobs says explicitly that it ends; the others leave the link out.
    let next = match (kind, next) {
        (Kind::Job, next) => Some(next),
        (_, Some(next)) => Some(Some(next)),
        (_, None) => None,
    };
    Answer {
        status: 200,
        headers: Vec::new(),
        body: Body::Page(items, next),
    }
}

/// One resource of a kind.
pub(crate) fn one(world: &mut World, call: &Call, kind: Kind) -> Result<Answer, Problem> {
    let key = call.key(kind);
    let Some(value) = world.store.read(&key) else {
        return Err(match kind {
            Kind::Vault => Problem::resource_not_found(
                kind,
                call.parameter("resourceGroupName"),
                call.parameter("vaultName"),
            ),
            Kind::Guard => Problem::resource_not_found(
                kind,
                call.parameter("resourceGroupName"),
                call.parameter("resourceGuardsName"),
            ),
            _ => Problem::absent(),
        });
    };
    world.asked_about(&key);
    Ok(Answer::json(200, value))
}

/// The absolute link to the page that a token names.
pub(crate) fn link(call: &Call, token: &str) -> String {
    let mut link = format!("{}{}?", call.origin, call.target.path);
    for pair in call.target.raw_query.split('&') {
        let name = pair.split('=').next().unwrap_or_default();
        let name = crate::request::decode(name);
        if !pair.is_empty() && !name.eq_ignore_ascii_case("$skipToken") {
            link.push_str(pair);
            link.push('&');
        }
    }
    link.push_str("$skipToken=");
    link.push_str(token);
    link
}

/// `{"value":[..],"nextLink":..}`.
pub(crate) fn write(items: &Items, next: Option<Option<String>>) -> Bytes {
    let mut text = Vec::with_capacity(512 << 10);
    text.extend_from_slice(b"{\"value\":[");
    match items {
        Items::Computed {
            base,
            place: Place::Vault(vault),
            kind: Kind::Instance,
            from,
            to,
        } => {
            base.write_instances(*vault, *from..*to, &mut text);
        }
        Items::Computed {
            base,
            place,
            kind,
            from,
            to,
        } => {
            for index in *from..*to {
                if index > *from {
                    text.push(b',');
                }
                base.write(*kind, *place, index, Form::Listed, &mut text);
            }
        }
        Items::Stored(values) => {
            for (index, value) in values.iter().enumerate() {
                if index > 0 {
                    text.push(b',');
                }
                // Writing to a vector does not fail.
                let _ = serde_json::to_writer(&mut text, value);
            }
        }
    }
    text.push(b']');
    if let Some(next) = next {
        text.extend_from_slice(b",\"nextLink\":");
        let _ = serde_json::to_writer(&mut text, &next);
    }
    text.push(b'}');
    Bytes::from(text)
}
