//! Owns restores: in the region, across regions, their validation, and bringing archived recovery points back.

use serde_json::{Value, json};

use crate::arm::Problem;
use crate::instance_actions::start_job;
use crate::instances::existing;
use crate::long_running::Started;
use crate::request::Call;
use crate::state::World;
use crate::store::{Key, Kind};

/// `POST BI/restore`.
pub(crate) fn restore(world: &mut World, call: &Call) -> Result<Started, Problem> {
    let (key, instance) = existing(world, call)?;
    let request = call
        .json()
        .ok_or_else(|| Problem::invalid_input("the body is no JSON object"))?;
    check_request(&request)?;
    let point = point_of(world, &key, &request)?;
    let started = start_job(world, call, &instance, "Restore", None);
    describe(world, &started, &request, point.as_ref(), false);
    Ok(Started {
        about: Some(key),
        ..started
    })
}

/// `POST BI/validateRestore`: what is wrong with the request's content ends the operation, not the request.
pub(crate) fn validate(world: &mut World, call: &Call) -> Result<Started, Problem> {
    let (key, _) = existing(world, call)?;
    let request = call
        .json()
        .ok_or_else(|| Problem::invalid_input("the body is no JSON object"))?;
    let request = &request["restoreRequestObject"];
    check_request(request)?;
    let failure = point_of(world, &key, request).err();
    Ok(Started {
        informs: true,
        failure,
        ..Started::default()
    })
}

/// `POST BI/rehydrate`.
pub(crate) fn rehydrate(world: &mut World, call: &Call) -> Result<Started, Problem> {
    let (key, instance) = existing(world, call)?;
    let request = call
        .json()
        .ok_or_else(|| Problem::invalid_input("the body is no JSON object"))?;
    for name in ["recoveryPointId", "rehydrationRetentionDuration"] {
        if request[name].as_str().is_none_or(str::is_empty) {
            return Err(Problem::invalid_input(&format!("`{name}` is required")));
        }
    }
    let wanted = request["recoveryPointId"].as_str().unwrap_or_default();
    find_point(world, &key, wanted)?;
    world.note(call, instance["id"].as_str().unwrap_or_default());
    Ok(Started {
        about: Some(key),
        ..Started::default()
    })
}

/// `POST .../crossRegionRestore`.
pub(crate) fn cross_region(world: &mut World, call: &Call) -> Result<Started, Problem> {
    let (key, instance, request) = cross_region_request(world, call)?;
    let point = point_of(world, &key, &request)?;
    let started = start_job(world, call, &instance, "Restore", None);
    describe(world, &started, &request, point.as_ref(), true);
    Ok(Started {
        about: Some(key),
        ..started
    })
}

/// `POST .../validateCrossRegionRestore`.
pub(crate) fn validate_cross_region(world: &mut World, call: &Call) -> Result<Started, Problem> {
    let (key, _, request) = cross_region_request(world, call)?;
    let failure = point_of(world, &key, &request).err();
    Ok(Started {
        informs: true,
        failure,
        ..Started::default()
    })
}

fn cross_region_request(world: &World, call: &Call) -> Result<(Key, Value, Value), Problem> {
    let given = call
        .json()
        .ok_or_else(|| Problem::invalid_input("the body is no JSON object"))?;
    let details = &given["crossRegionRestoreDetails"];
    let id = details["sourceBackupInstanceId"].as_str();
    let id = id.ok_or_else(|| {
        Problem::invalid_input("`crossRegionRestoreDetails.sourceBackupInstanceId` is required")
    })?;
    if details["sourceRegion"].as_str().is_none() {
        return Err(Problem::invalid_input(
            "`crossRegionRestoreDetails.sourceRegion` is required",
        ));
    }
    let key = Key::of_id(id)
        .filter(|key| key.kind == Kind::Instance)
        .ok_or_else(Problem::absent)?;
    let instance = world.store.read(&key).ok_or_else(Problem::absent)?;
    let request = given["restoreRequestObject"].clone();
    check_request(&request)?;
    Ok((key, instance, request))
}

/// The basics of an `AzureBackupRestoreRequest`.
fn check_request(request: &Value) -> Result<(), Problem> {
    let needs: &[&str] = match request["objectType"].as_str() {
        Some("AzureBackupRecoveryPointBasedRestoreRequest") => &["recoveryPointId"],
        Some("AzureBackupRestoreWithRehydrationRequest") => &[
            "recoveryPointId",
            "rehydrationPriority",
            "rehydrationRetentionDuration",
        ],
        Some("AzureBackupRecoveryTimeBasedRestoreRequest") => &["recoveryPointTime"],
        _ => {
            return Err(Problem::invalid_input(
                "`objectType` of the restore request is unknown",
            ));
        }
    };
    for name in needs.iter().chain(&["sourceDataStoreType"]) {
        if request[*name].as_str().is_none_or(str::is_empty) {
            return Err(Problem::invalid_input(&format!("`{name}` is required")));
        }
    }
    let target = &request["restoreTargetInfo"];
    let needs = match target["objectType"].as_str() {
        Some("RestoreTargetInfo") => "datasourceInfo",
        Some("ItemLevelRestoreTargetInfo") => "restoreCriteria",
        Some("RestoreFilesTargetInfo") => "targetDetails",
        _ => {
            return Err(Problem::invalid_input(
                "`objectType` of `restoreTargetInfo` is unknown",
            ));
        }
    };
    if target[needs].is_null() || target["recoveryOption"].as_str().is_none() {
        return Err(Problem::invalid_input(&format!(
            "`restoreTargetInfo` needs `{needs}` and `recoveryOption`"
        )));
    }
    Ok(())
}

fn find_point(world: &World, instance: &Key, name: &str) -> Result<Value, Problem> {
    let key = instance.child(
        Kind::RecoveryPoint,
        name.rsplit('/').next().unwrap_or_default(),
    );
    world.store.read(&key).ok_or_else(|| {
        Problem::service(
            "UserErrorEmulatorRecoveryPointNotFound",
            format!("The recovery point '{name}' does not exist."),
            "Use the id of a recovery point of the backup instance.",
        )
    })
}

/// The recovery point that a request names, if it names one.
fn point_of(world: &World, instance: &Key, request: &Value) -> Result<Option<Value>, Problem> {
    match request["recoveryPointId"].as_str() {
        Some(name) => find_point(world, instance, name).map(Some),
        None => Ok(None),
    }
}

/// Writes into the job what is restored.
fn describe(
    world: &mut World,
    started: &Started,
    request: &Value,
    point: Option<&Value>,
    cross_region: bool,
) {
    let key = started.job.as_deref().and_then(Key::of_id);
    let Some((key, mut job)) = key.and_then(|key| Some((key.clone(), world.store.read(&key)?)))
    else {
        return;
    };
    let properties = &mut job["properties"];
    properties["sourceDataStoreType"] = request["sourceDataStoreType"].clone();
    if cross_region {
        properties["isCrossRegionRestore"] = json!(true);
    }
    if let Some(point) = point {
        properties["extendedInfo"]["sourceRecoverPoint"] = json!({
            "recoveryPointID": point["name"],
            "recoveryPointTime": point["properties"]["recoveryPointTime"],
        });
    }
    if cross_region {
        job["type"] = json!("Microsoft.DataProtection/BackupVaults/backupJobs");
    }
    world.store.put(key, job);
}
