//! Owns subscriptions, regions and resource groups, as far as Azure Resource Manager itself answers for them.

use std::collections::HashMap;

use serde_json::{Map, Value, json};

use crate::arm::Problem;
use crate::request::Call;
use crate::state::{Answer, Body, World};
use crate::store::{Items, Key, Kind, Listing};

/// Regions and how the portal spells them.
pub(crate) const LOCATIONS: [(&str, &str); 12] = [
    ("eastus", "East US"),
    ("eastus2", "East US 2"),
    ("westus", "West US"),
    ("westus2", "West US 2"),
    ("centralus", "Central US"),
    ("northeurope", "North Europe"),
    ("westeurope", "West Europe"),
    ("germanywestcentral", "Germany West Central"),
    ("germanynorth", "Germany North"),
    ("uksouth", "UK South"),
    ("ukwest", "UK West"),
    ("centraluseuap", "Central US EUAP"),
];

/// The region that a region's geo-redundant copies go to.
pub(crate) fn paired(location: &str) -> &'static str {
    match location {
        "eastus" => "westus",
        "westus" => "eastus",
        "eastus2" => "centralus",
        "centralus" => "eastus2",
        "northeurope" => "westeurope",
        "westeurope" => "northeurope",
        "germanywestcentral" => "germanynorth",
        "uksouth" => "ukwest",
        "ukwest" => "uksouth",
        "centraluseuap" => "eastus2euap",
        _ => "westus2",
    }
}

/// One subscription.
#[derive(Debug, Clone)]
pub(crate) struct Subscription {
    pub(crate) id: String,
    pub(crate) name: String,
    /// Enabled, Disabled, Deleted, Warned, PastDue.
    pub(crate) state: String,
    pub(crate) tags: Option<Value>,
}

/// The subscriptions of the tenant, in the order of the list.
#[derive(Debug, Default)]
pub(crate) struct Subscriptions {
    all: Vec<Subscription>,
    index: HashMap<String, usize>,
}

impl Subscriptions {
    pub(crate) fn add(&mut self, subscription: Subscription) {
        self.index
            .insert(subscription.id.to_ascii_lowercase(), self.all.len());
        self.all.push(subscription);
    }

    pub(crate) fn find(&self, id: &str) -> Option<&Subscription> {
        self.all.get(*self.index.get(&id.to_ascii_lowercase())?)
    }

    pub(crate) fn all(&self) -> &[Subscription] {
        &self.all
    }
}

fn body(world: &World, subscription: &Subscription) -> Value {
    let mut body = Map::new();
    body.insert(
        "id".to_owned(),
        json!(format!("/subscriptions/{}", subscription.id)),
    );
    body.insert("authorizationSource".to_owned(), json!("RoleBased"));
    body.insert("managedByTenants".to_owned(), json!([]));
    if let Some(tags) = &subscription.tags {
        body.insert("tags".to_owned(), tags.clone());
    }
    body.insert("subscriptionId".to_owned(), json!(subscription.id));
    body.insert("tenantId".to_owned(), json!(world.tenant));
    body.insert("displayName".to_owned(), json!(subscription.name));
    body.insert("state".to_owned(), json!(subscription.state));
    let policies = json!({"locationPlacementId": "Public_2014-09-01", "quotaId": "EnterpriseAgreement_2014-09-01", "spendingLimit": "Off"});
    body.insert("subscriptionPolicies".to_owned(), policies);
    Value::Object(body)
}

/// `GET /subscriptions`: a page, with the number of all subscriptions.
pub(crate) fn list(world: &mut World, call: &Call) -> Result<Answer, Problem> {
    let all = world.subscriptions.all();
    let from: usize = call
        .target
        .value("$skipToken")
        .map_or(Some(0), |token| token.parse().ok())
        .unwrap_or(all.len());
    let from = from.min(all.len());
    let to = usize::min(from + world.options.page_size.max(1), all.len());
    let value: Vec<Value> = all[from..to]
        .iter()
        .map(|subscription| body(world, subscription))
        .collect();
    let mut answer = Map::new();
    answer.insert("value".to_owned(), json!(value));
    if to < all.len() {
        answer.insert(
            "nextLink".to_owned(),
            json!(crate::paging::link(call, &to.to_string())),
        );
    }
    answer.insert(
        "count".to_owned(),
        json!({"type": "Total", "value": all.len()}),
    );
    Ok(Answer::json(200, Value::Object(answer)))
}

/// `GET /subscriptions/{s}`.
pub(crate) fn one(world: &mut World, call: &Call) -> Result<Answer, Problem> {
    let Some(subscription) = world.subscriptions.find(call.subscription()) else {
        return Err(Problem::absent());
    };
    Ok(Answer::json(200, body(world, subscription)))
}

/// `GET /subscriptions/{s}/locations`.
pub(crate) fn locations(_: &mut World, call: &Call) -> Result<Answer, Problem> {
    let location = |(name, display): &(&str, &str)| {
        json!({
            "id": format!("{}/locations/{name}", call.subscription_id()),
            "name": name,
            "type": "Region",
            "displayName": display,
            "regionalDisplayName": display,
            "metadata": {
                "regionType": "Physical",
                "regionCategory": "Recommended",
                "pairedRegion": [{
                    "name": paired(name),
                    "id": format!("{}/locations/{}", call.subscription_id(), paired(name)),
                }],
            },
        })
    };
    let values = LOCATIONS.iter().map(location).collect();
    Ok(Answer {
        status: 200,
        headers: Vec::new(),
        body: Body::Page(Items::Stored(values), None),
    })
}

/// A resource group.
pub(crate) fn group_body(
    subscription_id: &str,
    name: &str,
    location: &str,
    tags: Option<&Value>,
) -> Value {
    let mut body = Map::new();
    body.insert(
        "id".to_owned(),
        json!(format!("{subscription_id}/resourceGroups/{name}")),
    );
    body.insert("name".to_owned(), json!(name));
    body.insert(
        "type".to_owned(),
        json!("Microsoft.Resources/resourceGroups"),
    );
    body.insert("location".to_owned(), json!(location));
    if let Some(tags) = tags {
        body.insert("tags".to_owned(), tags.clone());
    }
    body.insert(
        "properties".to_owned(),
        json!({"provisioningState": "Succeeded"}),
    );
    Value::Object(body)
}

/// `HEAD` of a resource group: that it exists was checked before.
pub(crate) fn group_exists(_: &mut World, _: &Call) -> Result<Answer, Problem> {
    Ok(Answer::empty(204))
}

/// `PUT` of a resource group.
pub(crate) fn put_group(world: &mut World, call: &Call) -> Result<Answer, Problem> {
    let key = call.group_key();
    let given = call.json().unwrap_or_default();
    let Some(location) = given["location"].as_str() else {
        let message = "The location property is required for this definition.";
        return Err(Problem::gateway(400, "LocationRequired", message));
    };
    let existing = world.store.read(&key);
    if let Some(existing) = &existing
        && existing["location"]
            .as_str()
            .is_some_and(|there| !there.eq_ignore_ascii_case(location))
    {
        let message = format!(
            "Invalid resource group location '{location}'. The Resource group already exists in location '{}'.",
            existing["location"].as_str().unwrap_or_default()
        );
        return Err(Problem::gateway(
            409,
            "InvalidResourceGroupLocation",
            message,
        ));
    }
    let tags = given.get("tags").filter(|tags| tags.is_object());
    let name = call.parameter("resourceGroupName");
    let name = existing
        .as_ref()
        .and_then(|existing| existing["name"].as_str())
        .unwrap_or(name);
    let body = group_body(&call.subscription_id(), name, location, tags);
    world.store.put(key.clone(), body.clone());
    world.note(call, &key.id());
    Ok(Answer::json(
        if existing.is_some() { 200 } else { 201 },
        body,
    ))
}

/// `DELETE` of a resource group and all that is in it, at once.
pub(crate) fn delete_group(world: &mut World, call: &Call) -> Result<Answer, Problem> {
    let key = call.group_key();
    let group = key.id();
    for kind in [Kind::Vault, Kind::Guard] {
        let listing = Listing {
            kind,
            parent: group.clone(),
            deep: false,
        };
        let inside = world.store.all(&listing);
        for key in inside
            .iter()
            .filter_map(|resource| resource["id"].as_str().and_then(Key::of_id))
        {
            world.store.remove(&key);
        }
    }
    world.store.remove(&key);
    world.note(call, &group);
    Ok(Answer::empty(200))
}
