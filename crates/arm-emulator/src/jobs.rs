//! Owns the reading of jobs, whose two forms differ: a job alone has details and an ISO duration, a job in a list has
//! neither. What starts a job is in `instance_actions.rs` and `restores.rs`.

use serde_json::{Value, json};

use crate::arm::Problem;
use crate::clock::{self, time_span};
use crate::paging;
use crate::request::Call;
use crate::state::{Answer, Body, World};
use crate::store::{Items, Key, Kind, Listing};

/// `GET` of one job.
pub(crate) fn one(world: &mut World, call: &Call) -> Result<Answer, Problem> {
    paging::one(world, call, Kind::Job)
}

/// A job as lists show it.
pub(crate) fn list_form(job: &Value) -> Value {
    let mut job = job.clone();
    let properties = &mut job["properties"];
    let time = |name: &str| properties[name].as_str().and_then(clock::parse);
    let duration = match (time("startTime"), time("endTime")) {
        (Some(started), Some(ended)) => time_span(ended - started),
        _ => "00:00:00".to_owned(),
    };
    properties["duration"] = json!(duration);
    properties["extendedInfo"] = Value::Null;
    job
}

/// The jobs of cross-region restores of a vault.
fn cross_region(world: &World, vault: &str) -> Result<Vec<Value>, Problem> {
    let vault = Key::of_id(vault).filter(|key| key.kind == Kind::Vault);
    let vault =
        vault.ok_or_else(|| Problem::invalid_input("`sourceBackupVaultId` is no id of a vault"))?;
    let listing = Listing {
        kind: Kind::Job,
        parent: vault.id(),
        deep: false,
    };
    let jobs = world.store.stored_in(&listing).map(|(_, job)| job);
    Ok(jobs
        .filter(|job| job["properties"]["isCrossRegionRestore"] == true)
        .cloned()
        .collect())
}

/// `POST .../fetchCrossRegionRestoreJobs`, and `GET` of its further pages, of which there are none.
pub(crate) fn cross_region_list(world: &mut World, call: &Call) -> Result<Answer, Problem> {
    let given = call.json().unwrap_or_default();
    let vault = given["sourceBackupVaultId"].as_str();
    let vault = vault.ok_or_else(|| Problem::invalid_input("`sourceBackupVaultId` is required"))?;
    let jobs = cross_region(world, vault)?.iter().map(list_form).collect();
    Ok(Answer {
        status: 200,
        headers: Vec::new(),
        body: Body::Page(Items::Stored(jobs), None),
    })
}

/// `POST .../fetchCrossRegionRestoreJob`.
pub(crate) fn cross_region_one(world: &mut World, call: &Call) -> Result<Answer, Problem> {
    let given = call.json().unwrap_or_default();
    let text = |name: &str| {
        given[name]
            .as_str()
            .ok_or_else(|| Problem::invalid_input(&format!("`{name}` is required")))
    };
    let (vault, job) = (text("sourceBackupVaultId")?, text("jobId")?);
    let wanted = job.rsplit('/').next().unwrap_or_default();
    let jobs = cross_region(world, vault)?;
    let found = jobs.into_iter().find(|job| {
        job["name"]
            .as_str()
            .is_some_and(|name| name.eq_ignore_ascii_case(wanted))
    });
    found
        .map(|job| Answer::json(200, job))
        .ok_or_else(Problem::absent)
}
