//! Owns backup instances as resources: reading, creating, updating, deleting, bringing back, and the checks of their
//! bodies. What is done to a protected instance is in `instance_actions.rs`.

use chrono::TimeDelta;
use serde_json::{Map, Value, json};

use crate::arm::Problem;
use crate::bodies::{Source, protect};
use crate::effects::{Effect, set_state, state_of};
use crate::long_running::Started;
use crate::paging;
use crate::request::Call;
use crate::state::{Answer, Body, World};
use crate::store::{Items, Key, Kind, Listing};

/// `GET` of one instance.
pub(crate) fn one(world: &mut World, call: &Call) -> Result<Answer, Problem> {
    paging::one(world, call, Kind::Instance)
}

/// The instance that a path names.
pub(crate) fn existing(world: &World, call: &Call) -> Result<(Key, Value), Problem> {
    let key = call.instance_key();
    let instance = world.store.read(&key).ok_or_else(Problem::absent)?;
    Ok((key, instance))
}

/// `PUT`: create or replace.
pub(crate) fn put(world: &mut World, call: &Call) -> Result<Started, Problem> {
    let key = call.instance_key();
    let given = call
        .json()
        .ok_or_else(|| Problem::invalid_input("the body is no JSON object"))?;
    let given_properties = given.get("properties").unwrap_or(&Value::Null);
    let mut properties = check_instance(given_properties)?;
    check_policy(world, call, &properties)?;
    check_datasource(world, &key, &properties)?;
    let old = world.store.read(&key);
    let vault = world.store.read(&call.vault_key()).unwrap_or_default();
    let vault_id = vault["id"].as_str().unwrap_or_default();
    let name = old
        .as_ref()
        .and_then(|old| old["name"].as_str())
        .unwrap_or(call.parameter("backupInstanceName"));
    let mut body = Map::new();
    if let Some(tags) = given.get("tags").filter(|tags| tags.is_object()) {
        body.insert("tags".to_owned(), tags.clone());
    }
    let state = if old.is_some() {
        "ProtectionConfigured"
    } else {
        "ConfiguringProtection"
    };
    protect(&mut properties, state, None);
    let provisioning = if old.is_some() {
        "Succeeded"
    } else {
        "Provisioning"
    };
    properties.insert("provisioningState".to_owned(), json!(provisioning));
    properties.insert("objectType".to_owned(), json!("BackupInstance"));
    body.insert("properties".to_owned(), Value::Object(properties));
    body.insert(
        "id".to_owned(),
        json!(format!("{vault_id}/backupInstances/{name}")),
    );
    body.insert("name".to_owned(), json!(name));
    body.insert(
        "type".to_owned(),
        json!("Microsoft.DataProtection/backupVaults/backupInstances"),
    );
    let body = Value::Object(body);
    world.note(call, body["id"].as_str().unwrap_or_default());
    let started = Started {
        about: Some(key.clone()),
        otherwise: Some(key.clone()),
        ..Started::default()
    };
    if let Some(mut old) = old {
        // The service answers with the old body; the new policy shows when the operation has ended.
        set_state(&mut old, "UpdatingProtection", None);
        world.store.put(key.clone(), old.clone());
        let then = vec![(TimeDelta::zero(), Effect::Updated(key, Box::new(body)))];
        return Ok(Started {
            body: Some(old),
            then,
            ..started
        });
    }
    world.store.put(key.clone(), body.clone());
    let configured = Effect::Moves {
        key: key.clone(),
        from: &["ConfiguringProtection"],
        to: "ProtectionConfigured",
    };
    let then = vec![
        (TimeDelta::zero(), Effect::Provisioned(key)),
        (world.operation_time(68), configured),
    ];
    Ok(Started {
        body: Some(body),
        then,
        ..started
    })
}

/// `DELETE`.
pub(crate) fn delete(world: &mut World, call: &Call) -> Result<Started, Problem> {
    let Ok((key, mut instance)) = existing(world, call) else {
        return Ok(Started::at_once(Answer::empty(204)));
    };
    let activity = world.activity(call);
    world.note(call, instance["id"].as_str().unwrap_or_default());
    set_state(&mut instance, "SoftDeleting", None);
    world.store.put(key.clone(), instance);
    let then = vec![(
        TimeDelta::zero(),
        Effect::InstanceDeleted(key.clone(), activity),
    )];
    Ok(Started {
        then,
        about: Some(key),
        ..Started::default()
    })
}

/// `POST .../undelete`: at once, with an empty body.
pub(crate) fn undelete(world: &mut World, call: &Call) -> Result<Answer, Problem> {
    let key = call.key(Kind::DeletedInstance);
    let Some(mut instance) = world.store.remove(&key) else {
        return Err(Problem::absent());
    };
    if let Some(properties) = instance["properties"].as_object_mut() {
        properties.shift_remove("deletionInfo");
        protect(properties, "ProtectionStopped", None);
        properties.insert("objectType".to_owned(), json!("BackupInstance"));
    }
    let id = instance["id"]
        .as_str()
        .unwrap_or_default()
        .replace("/deletedBackupInstances/", "/backupInstances/");
    instance["id"] = json!(id);
    instance["type"] = json!("Microsoft.DataProtection/backupVaults/backupInstances");
    world.note(call, &id);
    world.store.put(call.instance_key(), instance);
    Ok(Answer::empty(200))
}

/// `POST V/validateForBackup`.
pub(crate) fn validate_for_backup(world: &mut World, call: &Call) -> Result<Started, Problem> {
    let given = call
        .json()
        .ok_or_else(|| Problem::invalid_input("the body is no JSON object"))?;
    let properties = check_instance(given.get("backupInstance").unwrap_or(&Value::Null))?;
    let failure = validate(world, call, &properties).err();
    Ok(Started {
        informs: true,
        failure,
        ..Started::default()
    })
}

/// `POST BI/validateForModifyBackup`.
pub(crate) fn validate_for_modify(world: &mut World, call: &Call) -> Result<Started, Problem> {
    existing(world, call)?;
    let given = call
        .json()
        .ok_or_else(|| Problem::invalid_input("the body is no JSON object"))?;
    let properties = check_instance(given.get("backupInstance").unwrap_or(&Value::Null))?;
    let failure = validate(world, call, &properties).err();
    Ok(Started {
        failure,
        ..Started::default()
    })
}

/// What the service finds out while it validates.
fn validate(world: &World, call: &Call, properties: &Map<String, Value>) -> Result<(), Problem> {
    check_policy(world, call, properties)?;
    let source = properties["dataSourceInfo"]["datasourceType"]
        .as_str()
        .and_then(Source::of_type);
    let lists = &properties["policyInfo"]["policyParameters"]["backupDatasourceParametersList"];
    let containers = lists
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|list| list["containersList"].as_array());
    if source == Some(Source::Blob)
        && containers.clone().count() > 0
        && containers.flatten().count() == 0
    {
        return Err(Problem::service(
            "UserErrorNoContainersSelectedForOperation",
            "No containers were selected for the operation.",
            "Select one or more containers and try again.",
        ));
    }
    let key = call.vault_key().child(Kind::Instance, "");
    check_datasource(world, &key, properties)
}

/// `GET /{resourceId}/providers/Microsoft.DataProtection/backupInstances`: who protects a data source. Computed
/// instances are not searched.
pub(crate) fn of_datasource(world: &mut World, call: &Call) -> Result<Answer, Problem> {
    let id = format!("/{}", call.parameter("resourceId").trim_start_matches('/'));
    let listing = Listing {
        kind: Kind::Instance,
        parent: "/subscriptions".to_owned(),
        deep: true,
    };
    let found = world
        .store
        .stored_in(&listing)
        .map(|(_, instance)| instance);
    let found = found.filter(|instance| same_source(&instance["properties"], &id));
    let values = found.cloned().collect();
    Ok(Answer {
        status: 200,
        headers: Vec::new(),
        body: Body::Page(Items::Stored(values), None),
    })
}

fn same_source(properties: &Value, id: &str) -> bool {
    let own = properties["dataSourceInfo"]["resourceID"].as_str();
    own.is_some_and(|own| own.eq_ignore_ascii_case(id))
}

/// The fields of a data source, in the service's order.
const SOURCE: &[&str] = &[
    "resourceID",
    "resourceUri",
    "datasourceType",
    "resourceName",
    "resourceType",
    "resourceLocation",
    "objectType",
    "resourceProperties",
];

/// The properties of an instance as the service writes them; a body that lacks what is required is refused.
fn check_instance(given: &Value) -> Result<Map<String, Value>, Problem> {
    let Some(given) = given.as_object() else {
        return Err(Problem::invalid_input("`properties` is no object"));
    };
    let source = field(given, "dataSourceInfo").and_then(Value::as_object);
    let source = source.ok_or_else(|| Problem::invalid_input("`dataSourceInfo` is required"))?;
    let policy = field(given, "policyInfo").and_then(Value::as_object);
    let policy = policy.ok_or_else(|| Problem::invalid_input("`policyInfo` is required"))?;
    let text = |object: &Map<String, Value>, name: &str| {
        let value = field(object, name)
            .and_then(Value::as_str)
            .filter(|value| !value.is_empty());
        value
            .map(str::to_owned)
            .ok_or_else(|| Problem::invalid_input(&format!("`{name}` is required")))
    };
    text(source, "resourceID")?;
    text(policy, "policyId")?;
    let set = field(given, "dataSourceSetInfo").and_then(Value::as_object);
    let texts = SOURCE.iter().filter(|name| **name != "resourceProperties");
    for (object, name) in texts
        .flat_map(|name| [(Some(source), *name), (set, *name)])
        .chain([(Some(given), "friendlyName")])
    {
        if object
            .and_then(|object| field(object, name))
            .is_some_and(|value| !value.is_string())
        {
            return Err(Problem::invalid_input(&format!("`{name}` is no text")));
        }
    }
    if field(policy, "policyParameters").is_some_and(|parameters| !parameters.is_object()) {
        return Err(Problem::invalid_input("`policyParameters` is no object"));
    }
    if text(given, "objectType")? != "BackupInstance" {
        return Err(Problem::invalid_input(
            "`objectType` is to be `BackupInstance`",
        ));
    }
    let mut properties = Map::new();
    if let Some(friendly) = field(given, "friendlyName").or_else(|| field(source, "resourceName")) {
        properties.insert("friendlyName".to_owned(), friendly.clone());
    }
    properties.insert("dataSourceInfo".to_owned(), ordered(source, SOURCE));
    if let Some(set) = field(given, "dataSourceSetInfo").and_then(Value::as_object) {
        properties.insert("dataSourceSetInfo".to_owned(), ordered(set, SOURCE));
    }
    properties.insert(
        "policyInfo".to_owned(),
        ordered(policy, &["policyId", "policyParameters"]),
    );
    for name in ["datasourceAuthCredentials", "identityDetails"] {
        if let Some(value) = field(given, name) {
            properties.insert(name.to_owned(), value.clone());
        }
    }
    Ok(properties)
}

/// A field by its name in any case; null is absent.
pub(crate) fn field<'a>(object: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    let found = object
        .iter()
        .find(|(candidate, _)| candidate.eq_ignore_ascii_case(name));
    found
        .map(|(_, value)| value)
        .filter(|value| !value.is_null())
}

/// An object in the order and spelling of `names`, without nulls; what else is in it follows.
pub(crate) fn ordered(given: &Map<String, Value>, names: &[&str]) -> Value {
    let mut object = Map::new();
    for name in names {
        if let Some(value) = field(given, name) {
            object.insert((*name).to_owned(), value.clone());
        }
    }
    for (name, value) in given {
        if !value.is_null() && !names.iter().any(|known| known.eq_ignore_ascii_case(name)) {
            object.insert(name.clone(), value.clone());
        }
    }
    Value::Object(object)
}

fn check_policy(
    world: &World,
    call: &Call,
    properties: &Map<String, Value>,
) -> Result<(), Problem> {
    let id = properties["policyInfo"]["policyId"]
        .as_str()
        .unwrap_or_default();
    let key = Key::of_id(id)
        .filter(|key| key.kind == Kind::Policy && key.parent == call.vault_key().id());
    let policy = key.and_then(|key| world.store.read(&key));
    let Some(policy) = policy else {
        return Err(Problem::service(
            "UserErrorEmulatorPolicyNotFound",
            format!("The backup policy '{id}' does not exist in the vault."),
            "Use the id of a policy of the same vault.",
        ));
    };
    let wanted = properties["dataSourceInfo"]["datasourceType"]
        .as_str()
        .unwrap_or_default();
    let types = policy["properties"]["datasourceTypes"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str);
    let types: Vec<&str> = types.collect();
    if wanted.is_empty() || types.iter().any(|known| known.eq_ignore_ascii_case(wanted)) {
        return Ok(());
    }
    Err(Problem::service(
        "UserErrorEmulatorPolicyOfOtherType",
        format!(
            "The backup policy '{id}' is for {}, not for {wanted}.",
            types.join(", ")
        ),
        "Use a policy of the data source's type.",
    ))
}

/// A data source can be protected once; computed instances are not searched.
pub(crate) fn check_datasource(
    world: &World,
    own: &Key,
    properties: &Map<String, Value>,
) -> Result<(), Problem> {
    let id = properties["dataSourceInfo"]["resourceID"]
        .as_str()
        .unwrap_or_default();
    let listing = Listing {
        kind: Kind::Instance,
        parent: "/subscriptions".to_owned(),
        deep: true,
    };
    let mut others = world.store.stored_in(&listing).filter(|(key, _)| {
        // Whoever validates has no name yet: any instance of the vault may be its own.
        *key != own && !(own.name.is_empty() && key.parent == own.parent)
    });
    let Some((_, other)) = others.find(|(_, instance)| same_source(&instance["properties"], id))
    else {
        return Ok(());
    };
    let name = other["properties"]["friendlyName"]
        .as_str()
        .unwrap_or_default();
    let other_id = other["id"].as_str().unwrap_or_default();
    let vault = other_id
        .split("/backupInstances/")
        .next()
        .unwrap_or_default();
    Err(Problem::service(
        "UserErrorDppDatasourceAlreadyHasBackupInstance",
        format!(
            "Datasource is already associated with the backup instance {name} in the Backup vault {vault} with the protection status as {}.",
            state_of(other)
        ),
        &format!(
            "Delete the backup instance {name} from the Backup vault {vault} to re-protect the datasource in any other vault"
        ),
    ))
}
