//! Owns backup policies: their bodies as the service writes them, and the questions that other operations have about
//! rules and tags.

use serde_json::{Map, Value, json};

use crate::arm::Problem;
use crate::instances::{field, ordered};
use crate::request::Call;
use crate::state::{Answer, World};
use crate::store::{Key, Kind, Listing};

/// `PUT`: synchronous, always 200.
pub(crate) fn put(world: &mut World, call: &Call) -> Result<Answer, Problem> {
    let given = call
        .json()
        .ok_or_else(|| Problem::invalid_input("the body is no JSON object"))?;
    let properties = given["properties"].as_object();
    let properties =
        properties.ok_or_else(|| Problem::invalid_input("`properties` is required"))?;
    let properties = written(properties)?;
    let key = call.key(Kind::Policy);
    let vault = world.store.read(&call.vault_key()).unwrap_or_default();
    let old = world.store.read(&key);
    let name = old
        .as_ref()
        .and_then(|old| old["name"].as_str())
        .unwrap_or(call.parameter("backupPolicyName"));
    let body = json!({
        "properties": properties,
        "id": format!("{}/backupPolicies/{name}", vault["id"].as_str().unwrap_or_default()),
        "name": name,
        "type": "Microsoft.DataProtection/backupVaults/backupPolicies",
    });
    world.note(call, body["id"].as_str().unwrap_or_default());
    world.store.put(key, body.clone());
    Ok(Answer::json(200, body))
}

/// `DELETE`: synchronous; 204 if there is none.
pub(crate) fn delete(world: &mut World, call: &Call) -> Result<Answer, Problem> {
    let key = call.key(Kind::Policy);
    if !world.store.holds(&key) {
        return Ok(Answer::empty(204));
    }
    let listing = Listing {
        kind: Kind::Instance,
        parent: key.parent.clone(),
        deep: false,
    };
    let uses = |instance: &Value| {
        let id = instance["properties"]["policyInfo"]["policyId"].as_str();
        id.and_then(Key::of_id).is_some_and(|policy| policy == key)
    };
    let used = world
        .store
        .stored_in(&listing)
        .any(|(_, instance)| uses(instance))
        || (world.store.is_computed(&key) && world.store.any(&listing));
    if used {
        return Err(Problem::service(
            "UserErrorEmulatorPolicyInUse",
            format!(
                "The backup policy {} is used by backup instances.",
                call.parameter("backupPolicyName")
            ),
            "Give the instances another policy, then delete this one.",
        ));
    }
    world.note(call, &key.id());
    world.store.remove(&key);
    Ok(Answer::empty(200))
}

/// The properties of a policy in the service's order; unknown input is dropped, tags get their ids.
fn written(given: &Map<String, Value>) -> Result<Value, Problem> {
    if field(given, "objectType").and_then(Value::as_str) != Some("BackupPolicy") {
        return Err(Problem::invalid_input(
            "`objectType` is to be `BackupPolicy`",
        ));
    }
    let types = field(given, "datasourceTypes")
        .and_then(Value::as_array)
        .filter(|types| !types.is_empty());
    let types = types.ok_or_else(|| Problem::invalid_input("`datasourceTypes` is required"))?;
    let rules = field(given, "policyRules")
        .and_then(Value::as_array)
        .filter(|rules| !rules.is_empty());
    let rules = rules.ok_or_else(|| Problem::invalid_input("`policyRules` is required"))?;
    let rules = rules.iter().map(rule).collect::<Result<Vec<_>, _>>()?;
    Ok(json!({"policyRules": rules, "datasourceTypes": types, "objectType": "BackupPolicy"}))
}

fn rule(given: &Value) -> Result<Value, Problem> {
    let Some(rule) = given.as_object() else {
        return Err(Problem::invalid_input("a rule is no object"));
    };
    if field(rule, "name")
        .and_then(Value::as_str)
        .is_none_or(str::is_empty)
    {
        return Err(Problem::invalid_input("a rule has no `name`"));
    }
    let order: &[&str] = match field(rule, "objectType").and_then(Value::as_str) {
        Some("AzureBackupRule") => {
            if field(rule, "trigger").is_none() || field(rule, "dataStore").is_none() {
                return Err(Problem::invalid_input(
                    "a backup rule needs `trigger` and `dataStore`",
                ));
            }
            &[
                "backupParameters",
                "trigger",
                "dataStore",
                "name",
                "objectType",
            ]
        }
        Some("AzureRetentionRule") => {
            if field(rule, "lifecycles")
                .and_then(Value::as_array)
                .is_none_or(Vec::is_empty)
            {
                return Err(Problem::invalid_input(
                    "a retention rule needs `lifecycles`",
                ));
            }
            &["lifecycles", "isDefault", "name", "objectType"]
        }
        _ => return Err(Problem::invalid_input("`objectType` of a rule is unknown")),
    };
    let mut rule = ordered(rule, order);
    if let Some(parameters) = rule.get_mut("backupParameters")
        && let Some(object) = parameters.as_object()
    {
        *parameters = ordered(object, &["backupType", "objectType"]);
    }
    if let Some(trigger) = rule.get_mut("trigger")
        && let Some(object) = trigger.as_object()
    {
        *trigger = ordered(object, &["schedule", "taggingCriteria", "objectType"]);
    }
    let criteria = rule
        .pointer_mut("/trigger/taggingCriteria")
        .and_then(Value::as_array_mut);
    for criterion in criteria.into_iter().flatten() {
        if !criterion.is_object() {
            return Err(Problem::invalid_input("a tagging criterion is no object"));
        }
        let name = criterion["tagInfo"]["tagName"].as_str().unwrap_or_default();
        let info = json!({"tagName": name, "id": format!("{name}_")});
        criterion["tagInfo"] = info;
        if let Some(object) = criterion.as_object() {
            *criterion = ordered(
                object,
                &["tagInfo", "taggingPriority", "isDefault", "criteria"],
            );
        }
    }
    let lifecycles = rule.get_mut("lifecycles").and_then(Value::as_array_mut);
    for lifecycle in lifecycles.into_iter().flatten() {
        if !lifecycle.is_object() {
            return Err(Problem::invalid_input("a lifecycle is no object"));
        }
        if let Some(object) = lifecycle.as_object() {
            *lifecycle = ordered(
                object,
                &[
                    "deleteAfter",
                    "targetDataStoreCopySettings",
                    "sourceDataStore",
                ],
            );
        }
        if let Some(object) = lifecycle["deleteAfter"].as_object() {
            lifecycle["deleteAfter"] = ordered(object, &["objectType", "duration"]);
        }
    }
    Ok(rule)
}

/// The policy of an instance; null if it is gone.
pub(crate) fn of_instance(world: &World, instance: &Value) -> Value {
    let id = instance["properties"]["policyInfo"]["policyId"]
        .as_str()
        .unwrap_or_default();
    Key::of_id(id)
        .and_then(|key| world.store.read(&key))
        .unwrap_or_default()
}

fn rules<'a>(policy: &'a Value, kind: &'a str) -> impl Iterator<Item = &'a Value> {
    let rules = policy["properties"]["policyRules"]
        .as_array()
        .into_iter()
        .flatten();
    rules.filter(move |rule| rule["objectType"] == kind)
}

/// The tags of a policy's backup rules.
fn tags(policy: &Value) -> impl Iterator<Item = &str> {
    let criteria = rules(policy, "AzureBackupRule");
    let criteria = criteria
        .filter_map(|rule| rule["trigger"]["taggingCriteria"].as_array())
        .flatten();
    criteria.filter_map(|criterion| criterion["tagInfo"]["tagName"].as_str())
}

/// Refuses a name that no backup rule has. Azure's own code is not known.
pub(crate) fn check_rule(policy: &Value, name: &str) -> Result<(), Problem> {
    let names: Vec<&str> = rules(policy, "AzureBackupRule")
        .filter_map(|rule| rule["name"].as_str())
        .collect();
    if names.iter().any(|known| known.eq_ignore_ascii_case(name)) {
        return Ok(());
    }
    Err(Problem::service(
        "UserErrorEmulatorBackupRuleNotFound",
        format!(
            "The backup rule '{name}' does not exist in the policy {}. Its backup rules are: {}.",
            policy["name"].as_str().unwrap_or_default(),
            names.join(", ")
        ),
        "Use the name of a rule of type AzureBackupRule.",
    ))
}

/// Refuses a tag that the policy does not retain.
pub(crate) fn check_tag(policy: &Value, tag: &str) -> Result<(), Problem> {
    let retained = rules(policy, "AzureRetentionRule").filter_map(|rule| rule["name"].as_str());
    if tags(policy)
        .chain(retained)
        .any(|known| known.eq_ignore_ascii_case(tag))
    {
        return Ok(());
    }
    Err(Problem::service(
        "UserErrorEmulatorRetentionTagNotFound",
        format!(
            "The policy {} has no retention tag '{tag}'.",
            policy["name"].as_str().unwrap_or_default()
        ),
        "Use a tag of the policy, or leave the override out.",
    ))
}

/// The spelling that a recovery point shows of a tag which a job names.
pub(crate) fn stored_tag(world: &World, instance: &Value, tag: &str) -> String {
    let policy = of_instance(world, instance);
    let found = tags(&policy)
        .find(|known| known.eq_ignore_ascii_case(tag))
        .map(str::to_owned);
    found.unwrap_or_else(|| tag.to_owned())
}
