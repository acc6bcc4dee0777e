//! Owns resource guards, the proxies that bind vaults to them, and their request objects. A guard is stored and shown;
//! it does not stop anything.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Map, Value, json};

use crate::arm::Problem;
use crate::clock::full_instant;
use crate::paging;
use crate::request::Call;
use crate::state::{Answer, Body, World};
use crate::store::{Items, Kind};

/// What a guard guards: the critical operation and the type of its request.
const OPERATIONS: [(&str, &str); 9] = [
    (
        "Microsoft.DataProtection/backupVaults/backupInstances/delete",
        "deleteBackupInstanceRequests",
    ),
    (
        "Microsoft.DataProtection/backupVaults/backupResourceGuardProxies/delete",
        "deleteResourceGuardProxyRequests",
    ),
    (
        "Microsoft.DataProtection/backupVaults/write#reduceImmutabilityState",
        "dppReduceImmutabilityStateRequests",
    ),
    (
        "Microsoft.DataProtection/backupVaults/write#reduceSoftDeleteSecurity",
        "dppReduceSoftDeleteSecurityRequests",
    ),
    (
        "Microsoft.DataProtection/backupVaults/write#modifyEncryptionSettings",
        "dppModifyEncryptionSettingsRequests",
    ),
    (
        "Microsoft.DataProtection/backupVaults/backupInstances/stopProtection/action",
        "dppDisableStopProtectionRequests",
    ),
    (
        "Microsoft.DataProtection/backupVaults/backupInstances/suspendBackups/action",
        "dppDisableSuspendBackupsRequests",
    ),
    (
        "Microsoft.DataProtection/backupVaults/backupInstances/write",
        "dppModifyPolicy",
    ),
    (
        "Microsoft.DataProtection/backupVaults/backupInstances/restore/action",
        "dppTriggerRestoreRequests",
    ),
];

/// A resource guard; `given` is what a client wrote of its properties.
pub(crate) fn guard_body(
    group_id: &str,
    name: &str,
    location: &str,
    given: &Value,
    tags: Option<&Value>,
) -> Value {
    let operations = OPERATIONS.iter().map(|(operation, request)| {
        json!({
            "vaultCriticalOperation": operation,
            "requestResourceType": format!("Microsoft.DataProtection/resourceGuards/{request}"),
        })
    });
    let excluded = given["vaultCriticalOperationExclusionList"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    let mut body = Map::new();
    if let Some(tags) = tags {
        body.insert("tags".to_owned(), tags.clone());
    }
    body.insert("location".to_owned(), json!(location));
    body.insert(
        "properties".to_owned(),
        json!({
            "provisioningState": "Succeeded",
            "allowAutoApprovals": true,
            "resourceGuardOperations": operations.collect::<Vec<_>>(),
            "vaultCriticalOperationExclusionList": excluded,
            "description": given["description"].as_str().unwrap_or("Guards critical operations of backup vaults"),
        }),
    );
    body.insert(
        "id".to_owned(),
        json!(format!(
            "{group_id}/providers/Microsoft.DataProtection/resourceGuards/{name}"
        )),
    );
    body.insert("name".to_owned(), json!(name));
    body.insert(
        "type".to_owned(),
        json!("Microsoft.DataProtection/resourceGuards"),
    );
    Value::Object(body)
}

/// `PUT` of a guard: synchronous 200.
pub(crate) fn put(world: &mut World, call: &Call) -> Result<Answer, Problem> {
    let given = call
        .json()
        .ok_or_else(|| Problem::invalid_input("the body is no JSON object"))?;
    let Some(location) = given["location"].as_str() else {
        let message = "The location property is required for this definition.";
        return Err(Problem::gateway(400, "LocationRequired", message));
    };
    let group = world.store.read(&call.group_key()).unwrap_or_default();
    let group = group["id"].as_str().unwrap_or_default();
    let tags = given.get("tags").filter(|tags| tags.is_object());
    let body = guard_body(
        group,
        call.parameter("resourceGuardsName"),
        location,
        &given["properties"],
        tags,
    );
    world.note(call, body["id"].as_str().unwrap_or_default());
    world.store.put(call.key(Kind::Guard), body.clone());
    Ok(Answer::json(200, body))
}

/// `PATCH` of a guard: its tags.
pub(crate) fn patch(world: &mut World, call: &Call) -> Result<Answer, Problem> {
    let mut body = existing(world, call)?;
    let given = call.json().unwrap_or_default();
    if let Some(tags) = given.get("tags").filter(|tags| tags.is_object()) {
        body["tags"] = tags.clone();
    }
    world.note(call, body["id"].as_str().unwrap_or_default());
    world.store.put(call.key(Kind::Guard), body.clone());
    Ok(Answer::json(200, body))
}

/// `DELETE` of a guard: 204 if there is none.
pub(crate) fn delete(world: &mut World, call: &Call) -> Result<Answer, Problem> {
    let key = call.key(Kind::Guard);
    if world.store.remove(&key).is_none() {
        return Ok(Answer::empty(204));
    }
    world.note(call, &key.id());
    Ok(Answer::empty(200))
}

fn existing(world: &World, call: &Call) -> Result<Value, Problem> {
    let guard = world.store.read(&call.key(Kind::Guard));
    guard.ok_or_else(|| {
        let (group, name) = (
            call.parameter("resourceGroupName"),
            call.parameter("resourceGuardsName"),
        );
        Problem::resource_not_found(Kind::Guard, group, name)
    })
}

/// The last literal segment of the operation: the kind of request.
fn kind_of(call: &Call) -> &'static str {
    call.operation
        .path
        .split('/')
        .rfind(|segment| !segment.starts_with('{'))
        .unwrap_or_default()
}

fn request_body(guard: &Value, kind: &str) -> Value {
    json!({
        "id": format!("{}/{kind}/default", guard["id"].as_str().unwrap_or_default()),
        "name": "default",
        "type": format!("Microsoft.DataProtection/resourceGuards/{kind}"),
    })
}

/// `GET` of the requests of a kind: the default one.
pub(crate) fn requests(world: &mut World, call: &Call) -> Result<Answer, Problem> {
    let guard = existing(world, call)?;
    let values = vec![request_body(&guard, kind_of(call))];
    Ok(Answer {
        status: 200,
        headers: Vec::new(),
        body: Body::Page(Items::Stored(values), None),
    })
}

/// `GET` of the default request of a kind.
pub(crate) fn request(world: &mut World, call: &Call) -> Result<Answer, Problem> {
    let guard = existing(world, call)?;
    if !call
        .parameter("requestName")
        .eq_ignore_ascii_case("default")
    {
        return Err(Problem::absent());
    }
    Ok(Answer::json(200, request_body(&guard, kind_of(call))))
}

/// A proxy, which binds a vault to a guard. Its type is the one that the service really writes.
pub(crate) fn proxy_body(vault_id: &str, name: &str, guard: &str, updated: DateTime<Utc>) -> Value {
    let details = OPERATIONS.iter().map(|(operation, request)| {
        json!({"vaultCriticalOperation": operation, "defaultResourceRequest": format!("{guard}/{request}/default")})
    });
    json!({
        "properties": {
            "resourceGuardResourceId": guard,
            "resourceGuardOperationDetails": details.collect::<Vec<_>>(),
            "lastUpdatedTime": full_instant(updated),
            "description": "",
        },
        "id": format!("{vault_id}/backupResourceGuardProxies/{name}"),
        "name": name,
        "type": "Microsoft.DataProtection/vaults/backupResourceGuardProxies",
    })
}

/// `PUT` of a proxy: the vault is guarded from then on.
pub(crate) fn put_proxy(world: &mut World, call: &Call) -> Result<Answer, Problem> {
    let given = call
        .json()
        .ok_or_else(|| Problem::invalid_input("the body is no JSON object"))?;
    let guard = given["properties"]["resourceGuardResourceId"]
        .as_str()
        .filter(|guard| !guard.is_empty());
    let guard =
        guard.ok_or_else(|| Problem::invalid_input("`resourceGuardResourceId` is required"))?;
    let vault = world.store.read(&call.vault_key()).unwrap_or_default();
    let vault_id = vault["id"].as_str().unwrap_or_default();
    let body = proxy_body(
        vault_id,
        call.parameter("resourceGuardProxyName"),
        guard,
        world.clock.now(),
    );
    world.note(call, body["id"].as_str().unwrap_or_default());
    world.store.put(call.key(Kind::Proxy), body.clone());
    set_guarded(world, call, vault, true);
    Ok(Answer::json(200, body))
}

/// `DELETE` of a proxy: 200 with `{}`, 204 if there is none.
pub(crate) fn delete_proxy(world: &mut World, call: &Call) -> Result<Answer, Problem> {
    let key = call.key(Kind::Proxy);
    if world.store.remove(&key).is_none() {
        return Ok(Answer::empty(204));
    }
    world.note(call, &key.id());
    let vault = world.store.read(&call.vault_key()).unwrap_or_default();
    set_guarded(world, call, vault, false);
    Ok(Answer::json(200, json!({})))
}

fn set_guarded(world: &mut World, call: &Call, mut vault: Value, guarded: bool) {
    vault["properties"]["isVaultProtectedByResourceGuard"] = json!(guarded);
    world.store.put(call.vault_key(), vault);
}

/// `POST .../unlockDelete`: what is named may be deleted for half an hour.
pub(crate) fn unlock_delete(world: &mut World, call: &Call) -> Result<Answer, Problem> {
    let mut proxy = paging::one(world, call, Kind::Proxy)?;
    let given = call.json().unwrap_or_default();
    if !given["resourceGuardOperationRequests"].is_array() {
        return Err(Problem::invalid_input(
            "`resourceGuardOperationRequests` is required",
        ));
    }
    let expiry = full_instant(world.clock.now() + TimeDelta::minutes(30));
    proxy.body = Body::Json(json!({"unlockDeleteExpiryTime": expiry}));
    world.note(call, &call.key(Kind::Proxy).id());
    Ok(proxy)
}
