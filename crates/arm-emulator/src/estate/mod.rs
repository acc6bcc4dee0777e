//! Owns what is in the tenant at the start: chosen by the options, computed from the seed, or read from a file.

mod contoso;
mod demo;
pub(crate) mod generated;
mod generated_bodies;
mod policies;
mod templates;

use std::path::Path;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use crate::error::Error;
use crate::ids::Ids;
use crate::options::{Estate, Options};
use crate::store::{Key, Kind, Store};
use crate::subscriptions::{Subscription, Subscriptions, group_body};
use generated::Generated;

/// A tenant and what is in it.
#[derive(Debug)]
pub(crate) struct Contents {
    pub(crate) tenant: String,
    pub(crate) subscriptions: Subscriptions,
    pub(crate) store: Store,
}

/// The estate that the options ask for.
pub(crate) fn contents(
    options: &Options,
    now: DateTime<Utc>,
    ids: &mut Ids,
) -> Result<Contents, Error> {
    match &options.estate {
        Estate::Demo => Ok(demo::contents(now, ids)),
        Estate::Empty => Ok(empty(ids)),
        Estate::Generated {
            subscriptions,
            vaults,
            instances,
        } => {
            let base = Generated::new(options.seed, *subscriptions, *vaults, *instances, now);
            let mut list = Subscriptions::default();
            for index in 0..*subscriptions {
                list.add(base.subscription(index));
            }
            let tenant = base.tenant().to_owned();
            Ok(Contents {
                tenant,
                subscriptions: list,
                store: Store::new(Some(Arc::new(base))),
            })
        }
        Estate::File(path) => read(path, ids),
    }
}

fn empty(ids: &mut Ids) -> Contents {
    let tenant = ids.guid();
    let id = ids.guid();
    let mut store = Store::default();
    let parent = format!("/subscriptions/{id}");
    let group = group_body(&parent, "rg-empty", "westeurope", None);
    store.put(Key::new(Kind::Group, &parent, "rg-empty"), group);
    let mut subscriptions = Subscriptions::default();
    subscriptions.add(Subscription {
        id,
        name: "Empty".to_owned(),
        state: "Enabled".to_owned(),
        tags: None,
    });
    Contents {
        tenant,
        subscriptions,
        store,
    }
}

/// `{"tenantId", "subscriptions": [..], "resources": [{"id", ..}]}`, as the state is written.
fn read(path: &Path, ids: &mut Ids) -> Result<Contents, Error> {
    let text = std::fs::read(path).map_err(|source| Error::EstateFile {
        path: path.to_owned(),
        source,
    })?;
    let invalid = |reason: String| Error::EstateContent {
        path: path.to_owned(),
        reason,
    };
    let file: Value = serde_json::from_slice(&text).map_err(|error| invalid(error.to_string()))?;
    let Some(listed) = file["subscriptions"].as_array() else {
        return Err(invalid("`subscriptions` is no array".to_owned()));
    };
    let mut subscriptions = Subscriptions::default();
    for (index, subscription) in listed.iter().enumerate() {
        let Some(id) = subscription["subscriptionId"].as_str() else {
            return Err(invalid(format!(
                "subscription {index} has no `subscriptionId`"
            )));
        };
        let text =
            |name: &str, default: &str| subscription[name].as_str().unwrap_or(default).to_owned();
        subscriptions.add(Subscription {
            id: id.to_owned(),
            name: text("displayName", id),
            state: text("state", "Enabled"),
            tags: subscription.get("tags").cloned(),
        });
    }
    let mut store = Store::default();
    for (index, resource) in file["resources"]
        .as_array()
        .into_iter()
        .flatten()
        .enumerate()
    {
        let id = resource["id"].as_str().unwrap_or_default();
        let Some(key) = Key::of_id(id) else {
            return Err(invalid(format!(
                "resource {index} has the id `{id}`, which is none of a known type"
            )));
        };
        let group = id.split('/').take(5).collect::<Vec<_>>();
        if let ["", subscriptions, subscription, _, name] = group[..] {
            let parent = format!("/{subscriptions}/{subscription}");
            let group_key = Key::new(Kind::Group, &parent, name);
            if !store.holds(&group_key) {
                let location = resource["location"].as_str().unwrap_or("westeurope");
                store.put(group_key, group_body(&parent, name, location, None));
            }
        }
        store.put(key, resource.clone());
    }
    let tenant = file["tenantId"]
        .as_str()
        .map_or_else(|| ids.guid(), str::to_owned);
    Ok(Contents {
        tenant,
        subscriptions,
        store,
    })
}

/// The state of a world in the form that `read` takes. Computed resources are not in it.
pub(crate) fn write(tenant: &str, subscriptions: &Subscriptions, store: &Store) -> Value {
    let listed = subscriptions.all().iter().map(|subscription| {
        json!({
            "subscriptionId": subscription.id,
            "displayName": subscription.name,
            "state": subscription.state,
            "tags": subscription.tags,
        })
    });
    json!({
        "tenantId": tenant,
        "subscriptions": listed.collect::<Vec<_>>(),
        "resources": store.values().map(|(_, value)| value).collect::<Vec<_>>(),
    })
}
