//! Owns what is done to a protected instance: on-demand backup, and the moves of its protection state.

use chrono::TimeDelta;
use serde_json::Value;

use crate::arm::Problem;
use crate::effects::{Effect, state_of};
use crate::instances::{check_datasource, existing};
use crate::long_running::Started;
use crate::policies;
use crate::request::Call;
use crate::runs::{self, JobParts};
use crate::state::{Answer, World};
use crate::store::{Key, Kind};

/// `POST BI/backup`: the operation creates a job, and the job makes a recovery point.
pub(crate) fn backup(world: &mut World, call: &Call) -> Result<Started, Problem> {
    let (key, instance) = existing(world, call)?;
    let given = call
        .json()
        .ok_or_else(|| Problem::invalid_input("the body is no JSON object"))?;
    let options = &given["backupRuleOptions"];
    let rule = options["ruleName"].as_str().filter(|rule| !rule.is_empty());
    let rule =
        rule.ok_or_else(|| Problem::invalid_input("`backupRuleOptions.ruleName` is required"))?;
    let trigger = &options["triggerOption"];
    if !(trigger.is_null() || trigger.is_object()) {
        return Err(Problem::invalid_input(
            "`backupRuleOptions.triggerOption` is no object",
        ));
    }
    let tag = trigger["retentionTagOverride"]
        .as_str()
        .filter(|tag| !tag.is_empty());
    let policy = policies::of_instance(world, &instance);
    policies::check_rule(&policy, rule)?;
    if let Some(tag) = tag {
        policies::check_tag(&policy, tag)?;
    }
    if state_of(&instance) != "ProtectionConfigured" {
        return Err(wrong_state(
            "UserErrorEmulatorInstanceNotProtected",
            &instance,
            "backed up",
        ));
    }
    let job = start_job(
        world,
        call,
        &instance,
        "Backup",
        Some(tag.unwrap_or("default")),
    );
    Ok(Started {
        informs: true,
        about: Some(key),
        ..job
    })
}

/// Creates a job and plans its end.
pub(crate) fn start_job(
    world: &mut World,
    call: &Call,
    instance: &Value,
    operation: &str,
    tag: Option<&str>,
) -> Started {
    let (name, activity) = (world.ids.guid(), world.activity(call));
    let id = instance["id"].as_str().unwrap_or_default();
    let vault_id = id.split("/backupInstances/").next().unwrap_or_default();
    let job = runs::job(&JobParts {
        vault_id,
        name: &name,
        instance,
        activity: &activity,
        started: world.clock.now(),
        operation,
        user_triggered: true,
        tag,
    });
    let job_id = job["id"].as_str().unwrap_or_default().to_owned();
    let key = Key::new(Kind::Job, vault_id, &name);
    world.note(call, id);
    world.store.put(key.clone(), job);
    let failure = world.failures.job.take();
    let then = vec![(world.job_time(), Effect::JobEnds(key, failure))];
    Started {
        job: Some(job_id),
        informs: true,
        then,
        ..Started::default()
    }
}

/// `POST BI/stopProtection`.
pub(crate) fn stop_protection(world: &mut World, call: &Call) -> Result<Started, Problem> {
    moves(
        world,
        call,
        &[
            "ProtectionConfigured",
            "BackupsSuspended",
            "ConfiguringProtectionFailed",
        ],
        "ProtectionStopped",
    )
}

/// `POST BI/suspendBackups`.
pub(crate) fn suspend_backups(world: &mut World, call: &Call) -> Result<Started, Problem> {
    moves(world, call, &["ProtectionConfigured"], "BackupsSuspended")
}

/// `POST BI/resumeBackups`.
pub(crate) fn resume_backups(world: &mut World, call: &Call) -> Result<Started, Problem> {
    moves(world, call, &["BackupsSuspended"], "ProtectionConfigured")
}

/// `POST BI/resumeProtection`: on a protected instance 200 with an empty body and nothing else.
pub(crate) fn resume_protection(world: &mut World, call: &Call) -> Result<Started, Problem> {
    let (key, instance) = existing(world, call)?;
    if state_of(&instance) == "ProtectionConfigured" {
        return Ok(Started::at_once(Answer::empty(200)));
    }
    if let Some(properties) = instance["properties"].as_object() {
        check_datasource(world, &key, properties)?;
    }
    moves(
        world,
        call,
        &["ProtectionStopped", "BackupsSuspended"],
        "ProtectionConfigured",
    )
}

/// `POST BI/sync`: a failed configuration is tried again.
pub(crate) fn sync(world: &mut World, call: &Call) -> Result<Started, Problem> {
    let (key, instance) = existing(world, call)?;
    let given = call.json().unwrap_or_default();
    let kind = given["syncType"].as_str();
    if kind.is_some_and(|kind| !matches!(kind, "Default" | "ForceResync")) {
        return Err(Problem::invalid_input(
            "`syncType` is `Default` or `ForceResync`",
        ));
    }
    world.note(call, instance["id"].as_str().unwrap_or_default());
    let effect = Effect::Moves {
        key: key.clone(),
        from: &["ConfiguringProtectionFailed", "ProtectionError"],
        to: "ProtectionConfigured",
    };
    Ok(Started {
        then: vec![(TimeDelta::zero(), effect)],
        about: Some(key),
        ..Started::default()
    })
}

/// A move of the state machine, after the operation. An instance that is there already stays.
fn moves(
    world: &mut World,
    call: &Call,
    from: &'static [&'static str],
    to: &'static str,
) -> Result<Started, Problem> {
    let (key, instance) = existing(world, call)?;
    let state = state_of(&instance);
    if state != to && !from.contains(&state) {
        return Err(wrong_state(
            "UserErrorEmulatorStateDoesNotAllow",
            &instance,
            &format!("brought to {to}"),
        ));
    }
    world.note(call, instance["id"].as_str().unwrap_or_default());
    let then = vec![(
        TimeDelta::zero(),
        Effect::Moves {
            key: key.clone(),
            from,
            to,
        },
    )];
    Ok(Started {
        then,
        about: Some(key),
        ..Started::default()
    })
}

/// The refusal of an action that the state of an instance does not allow. Azure's own code is not known.
pub(crate) fn wrong_state(code: &str, instance: &Value, action: &str) -> Problem {
    let name = instance["properties"]["friendlyName"]
        .as_str()
        .unwrap_or_default();
    Problem::service(
        code,
        format!(
            "The backup instance {name} cannot be {action} while its protection status is {}.",
            state_of(instance)
        ),
        "Wait until the instance is in a state that allows the operation.",
    )
}
