//! Owns backup vaults: creating, changing, deleting, and what the service refuses to loosen.

use chrono::TimeDelta;
use serde_json::{Map, Value, json};

use crate::arm::Problem;
use crate::bodies;
use crate::clock::full_instant;
use crate::effects::Effect;
use crate::instances::field;
use crate::long_running::Started;
use crate::request::Call;
use crate::state::{Answer, World};
use crate::store::{Key, Kind, Listing};

/// `PUT`: create or replace.
pub(crate) fn put(world: &mut World, call: &Call) -> Result<Started, Problem> {
    let given = call
        .json()
        .ok_or_else(|| Problem::invalid_input("the body is no JSON object"))?;
    let given = given
        .as_object()
        .ok_or_else(|| Problem::invalid_input("the body is no JSON object"))?;
    let key = call.vault_key();
    let old = world.store.read(&key);
    let location = field(given, "location").and_then(Value::as_str);
    let Some(location) = location else {
        let message = "The location property is required for this definition.";
        return Err(Problem::gateway(400, "LocationRequired", message));
    };
    let name = call.parameter("vaultName");
    if !good_name(name) {
        return Err(Problem::invalid_input(
            "the name of a vault has 2 to 50 letters, digits and hyphens",
        ));
    }
    check_location(old.as_ref(), location, name)?;
    let deleted = call.header("x-ms-deleted-vault-id").map(str::to_owned);
    let properties = field(given, "properties").and_then(Value::as_object);
    let properties =
        properties.ok_or_else(|| Problem::invalid_input("`properties` is required"))?;
    let settings = settings(properties, old.as_ref())?;
    check_always_on(world, call, &settings)?;
    if let Some(old) = &old {
        check_loosening(old, &settings)?;
    }
    if let Some(deleted) = deleted {
        let key = Key::new(
            Kind::DeletedVault,
            &call.location_of(location),
            deleted.rsplit('/').next().unwrap_or_default(),
        );
        world.store.remove(&key).ok_or_else(Problem::absent)?;
    }
    let body = body(world, call, given, old.as_ref(), location, settings);
    let id = body["id"].as_str().unwrap_or_default().to_owned();
    world.note(call, &id);
    world.store.put(key.clone(), body.clone());
    let then = vec![(TimeDelta::zero(), Effect::Provisioned(key.clone()))];
    Ok(Started {
        body: Some(body),
        then,
        otherwise: Some(key.clone()),
        about: Some(key),
        ..Started::default()
    })
}

/// `PATCH`: 202; what is given is merged.
pub(crate) fn patch(world: &mut World, call: &Call) -> Result<Started, Problem> {
    let key = call.vault_key();
    let Some(mut vault) = world.store.read(&key) else {
        return Err(Problem::resource_not_found(
            Kind::Vault,
            call.parameter("resourceGroupName"),
            &key.name,
        ));
    };
    let given = call
        .json()
        .ok_or_else(|| Problem::invalid_input("the body is no JSON object"))?;
    if let Some(tags) = given.get("tags").filter(|tags| tags.is_object()) {
        vault["tags"] = tags.clone();
    }
    if let Some(kind) = given["identity"]["type"].as_str() {
        vault["identity"] = identity(world, kind);
    }
    if let Some(changes) = given["properties"].as_object() {
        let mut properties = vault["properties"].as_object().cloned().unwrap_or_default();
        merge(&mut properties, changes);
        let settings = settings(&properties, None)?;
        check_always_on(world, call, &settings)?;
        check_loosening(&vault, &settings)?;
        let own = ["provisioningState", "isVaultProtectedByResourceGuard"];
        for name in own {
            properties.insert(name.to_owned(), vault["properties"][name].clone());
        }
        properties.insert("secureScore".to_owned(), json!(settings.score().0));
        properties.insert("bcdrSecurityLevel".to_owned(), json!(settings.score().1));
        vault["properties"] = Value::Object(properties);
    }
    vault["properties"]["provisioningState"] = json!("Updating");
    world.note(call, vault["id"].as_str().unwrap_or_default());
    world.store.put(key.clone(), vault);
    let then = vec![(TimeDelta::zero(), Effect::Provisioned(key.clone()))];
    Ok(Started {
        then,
        about: Some(key),
        ..Started::default()
    })
}

/// `DELETE`: only of a vault without instances.
pub(crate) fn delete(world: &mut World, call: &Call) -> Result<Started, Problem> {
    let key = call.vault_key();
    let Some(vault) = world.store.read(&key) else {
        return Ok(Started::at_once(Answer::empty(204)));
    };
    for kind in [Kind::Instance, Kind::DeletedInstance] {
        if world.store.any(&Listing {
            kind,
            parent: key.id(),
            deep: false,
        }) {
            return Err(Problem::service(
                "UserErrorEmulatorVaultNotEmpty",
                format!(
                    "The backup vault {} cannot be deleted: it contains {}.",
                    call.parameter("vaultName"),
                    kind.segment()
                ),
                "Delete the backup instances of the vault, wait until the soft-deleted ones are purged, then delete the vault.",
            ));
        }
    }
    world.note(call, vault["id"].as_str().unwrap_or_default());
    let then = vec![(TimeDelta::zero(), Effect::VaultDeleted(key.clone()))];
    Ok(Started {
        then,
        about: Some(key),
        ..Started::default()
    })
}

/// `POST .../checkNameAvailability`.
pub(crate) fn check_name(world: &mut World, call: &Call) -> Result<Answer, Problem> {
    let given = call.json().unwrap_or_default();
    let name = given["name"]
        .as_str()
        .ok_or_else(|| Problem::invalid_input("`name` is required"))?;
    let key = Key::new(Kind::Vault, &call.group_key().id(), name);
    let (available, reason, message) = if !good_name(name) {
        (
            false,
            "Invalid",
            "The name of a backup vault has 2 to 50 letters, digits and hyphens.",
        )
    } else if world.store.holds(&key) {
        (
            false,
            "AlreadyExists",
            "A backup vault of this name exists in the resource group.",
        )
    } else {
        return Ok(Answer::json(
            200,
            json!({"message": null, "nameAvailable": true, "reason": null}),
        ));
    };
    Ok(Answer::json(
        200,
        json!({"message": message, "nameAvailable": available, "reason": reason}),
    ))
}

/// The settings that decide something.
#[derive(Debug)]
struct Settings {
    soft_delete: String,
    retention: f64,
    immutability: String,
    cross_region: String,
    security: Map<String, Value>,
    storage: Value,
    features: Option<Value>,
    more: Vec<(&'static str, Value)>,
    redundancy: String,
}

impl Settings {
    fn score(&self) -> (&'static str, &'static str) {
        bodies::security(
            &self.soft_delete,
            &self.immutability,
            self.cross_region == "Enabled",
        )
    }
}

fn settings(properties: &Map<String, Value>, old: Option<&Value>) -> Result<Settings, Problem> {
    let null = Value::Null;
    let old_properties = old.map_or(&null, |old| &old["properties"]);
    let storage =
        field(properties, "storageSettings").or_else(|| old_properties.get("storageSettings"));
    let storage = storage.filter(|storage| storage.as_array().is_some_and(|list| !list.is_empty()));
    let storage = storage
        .ok_or_else(|| Problem::invalid_input("`storageSettings` is required"))?
        .clone();
    let security = field(properties, "securitySettings")
        .and_then(Value::as_object)
        .cloned()
        .unwrap_or_default();
    let soft_delete = security.get("softDeleteSettings").unwrap_or(&Value::Null);
    let state = soft_delete["state"].as_str().unwrap_or("On").to_owned();
    if !matches!(state.as_str(), "Off" | "On" | "AlwaysOn") {
        return Err(Problem::invalid_input(
            "the state of soft delete is `Off`, `On` or `AlwaysOn`",
        ));
    }
    let retention = soft_delete["retentionDurationInDays"]
        .as_f64()
        .unwrap_or(if state == "Off" { 0.0 } else { 14.0 });
    let immutability = security
        .get("immutabilitySettings")
        .and_then(|settings| settings["state"].as_str());
    let immutability = immutability.unwrap_or("Disabled").to_owned();
    let features = field(properties, "featureSettings").cloned();
    let cross_region = features
        .as_ref()
        .map(|features| &features["crossRegionRestoreSettings"]["state"]);
    let cross_region = cross_region
        .and_then(Value::as_str)
        .unwrap_or("Disabled")
        .to_owned();
    let redundancy = storage[0]["type"].as_str().unwrap_or_default().to_owned();
    let mut more = Vec::new();
    for name in ["monitoringSettings", "costManagementSettings"] {
        if let Some(value) = field(properties, name) {
            more.push((name, value.clone()));
        }
    }
    Ok(Settings {
        soft_delete: state,
        retention,
        immutability,
        cross_region,
        security,
        storage,
        features,
        more,
        redundancy,
    })
}

fn check_always_on(world: &World, call: &Call, settings: &Settings) -> Result<(), Problem> {
    let strict = world.options.always_on_soft_delete && call.api_version() >= "2025-09-01";
    if !strict || settings.soft_delete == "AlwaysOn" {
        return Ok(());
    }
    Err(Problem::service(
        "UserErrorAlwaysOnSoftDeleteRequired",
        "This API version requires backup vaults to have the soft delete setting configured to Enable Always-On Soft Delete.",
        "Set the state of soft delete to AlwaysOn, or use an older API version.",
    ))
}

fn check_loosening(old: &Value, settings: &Settings) -> Result<(), Problem> {
    let contact = "Please contact Microsoft Support if this is not expected.";
    let security = &old["properties"]["securitySettings"];
    if security["softDeleteSettings"]["state"] == "AlwaysOn" && settings.soft_delete != "AlwaysOn" {
        let message = "Cannot disable soft delete once set to AlwaysOn";
        return Err(Problem::service(
            "UserErrorDisableSoftDeleteNotAllowed",
            message,
            contact,
        ));
    }
    if security["immutabilitySettings"]["state"] == "Locked" && settings.immutability != "Locked" {
        let message = "The immutability state of the vault cannot be changed once it is locked";
        return Err(Problem::service(
            "UserErrorUnsupportedVaultImmutabilityStateChange",
            message,
            contact,
        ));
    }
    let cross_region = &old["properties"]["featureSettings"]["crossRegionRestoreSettings"]["state"];
    if cross_region == "Enabled"
        && settings.cross_region != "Enabled"
        && settings.features.is_some()
    {
        let message = "Cross region restore cannot be disabled once it is enabled";
        return Err(Problem::service(
            "UserErrorCrossRegionRestoreStateChangeNotAllowed",
            message,
            contact,
        ));
    }
    Ok(())
}

fn check_location(old: Option<&Value>, location: &str, name: &str) -> Result<(), Problem> {
    let there = old.and_then(|old| old["location"].as_str());
    if there.is_none_or(|there| there.eq_ignore_ascii_case(location)) {
        return Ok(());
    }
    let there = there.unwrap_or_default();
    let message = format!(
        "The resource '{name}' already exists in location '{there}' in resource group. A resource with the same name cannot be created in location '{location}'. Please select a new resource name."
    );
    Err(Problem::gateway(409, "InvalidResourceLocation", message))
}

/// The vault as the service writes it.
fn body(
    world: &mut World,
    call: &Call,
    given: &Map<String, Value>,
    old: Option<&Value>,
    location: &str,
    settings: Settings,
) -> Value {
    let mut body = Map::new();
    if let Some(tags) = field(given, "tags").filter(|tags| tags.is_object()) {
        body.insert("tags".to_owned(), tags.clone());
    }
    body.insert("location".to_owned(), json!(location));
    let kind = field(given, "identity").and_then(|identity| identity["type"].as_str());
    if let Some(kind) = kind.filter(|kind| !kind.eq_ignore_ascii_case("None")) {
        let kept = old
            .map(|old| old["identity"].clone())
            .filter(Value::is_object);
        body.insert(
            "identity".to_owned(),
            kept.unwrap_or_else(|| identity(world, kind)),
        );
    }
    let (score, level) = settings.score();
    let mut security = Map::new();
    let soft_delete =
        json!({"state": settings.soft_delete, "retentionDurationInDays": settings.retention});
    security.insert("softDeleteSettings".to_owned(), soft_delete);
    for (name, value) in settings.security {
        if name != "softDeleteSettings" && !value.is_null() {
            security.insert(name, value);
        }
    }
    let state = if old.is_some() {
        "Updating"
    } else {
        "Provisioning"
    };
    let guarded = old.map_or(json!(false), |old| {
        old["properties"]["isVaultProtectedByResourceGuard"].clone()
    });
    let mut properties = Map::new();
    properties.insert("provisioningState".to_owned(), json!(state));
    properties.insert("storageSettings".to_owned(), settings.storage);
    properties.insert("isVaultProtectedByResourceGuard".to_owned(), guarded);
    properties.insert("securitySettings".to_owned(), Value::Object(security));
    if let Some(features) = settings.features {
        properties.insert("featureSettings".to_owned(), features);
    }
    for (name, value) in settings.more {
        properties.insert(name.to_owned(), value);
    }
    properties.insert("secureScore".to_owned(), json!(score));
    properties.insert("bcdrSecurityLevel".to_owned(), json!(level));
    let paired = crate::subscriptions::paired(location);
    let regions: &[&str] = if settings.redundancy == "GeoRedundant" {
        &[paired]
    } else {
        &[]
    };
    properties.insert("replicatedRegions".to_owned(), json!(regions));
    body.insert("properties".to_owned(), Value::Object(properties));
    let group = world.store.read(&call.group_key()).unwrap_or_default();
    let name = old
        .and_then(|old| old["name"].as_str())
        .unwrap_or(call.parameter("vaultName"));
    let group = group["id"].as_str().unwrap_or_default();
    body.insert(
        "id".to_owned(),
        json!(format!(
            "{group}/providers/Microsoft.DataProtection/backupVaults/{name}"
        )),
    );
    body.insert("name".to_owned(), json!(name));
    body.insert(
        "type".to_owned(),
        json!("Microsoft.DataProtection/backupVaults"),
    );
    Value::Object(body)
}

fn identity(world: &mut World, kind: &str) -> Value {
    json!({"type": kind, "principalId": world.ids.guid(), "tenantId": world.tenant})
}

/// The header that says who made a vault, since its body does not.
pub(crate) fn system_data(world: &World) -> String {
    let now = full_instant(world.clock.now());
    json!({
        "createdBy": "emulator@example.com",
        "createdByType": "User",
        "createdAt": now,
        "lastModifiedBy": "emulator@example.com",
        "lastModifiedByType": "User",
        "lastModifiedAt": now,
    })
    .to_string()
}

fn merge(target: &mut Map<String, Value>, changes: &Map<String, Value>) {
    for (name, change) in changes {
        if change.is_null() {
            continue;
        }
        match (
            target.get_mut(name).and_then(Value::as_object_mut),
            change.as_object(),
        ) {
            (Some(inner), Some(change)) => merge(inner, change),
            _ => {
                target.insert(name.clone(), change.clone());
            }
        }
    }
}

fn good_name(name: &str) -> bool {
    let bytes = name.as_bytes();
    (2..=50).contains(&bytes.len())
        && bytes[0].is_ascii_alphabetic()
        && bytes[bytes.len() - 1].is_ascii_alphanumeric()
        && bytes
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || *byte == b'-')
}
