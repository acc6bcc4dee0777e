//! Owns the reading of recovery points: lists with a filter, single ones, those of the other region, and the time
//! ranges that a restore can go to.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use crate::arm::Problem;
use crate::bodies::Source;
use crate::clock;
use crate::instances::existing;
use crate::paging;
use crate::request::Call;
use crate::state::{Answer, Body, World};
use crate::store::{Items, Key, Kind, Listing};

/// `GET BI/recoveryPoints?$filter`: the newest first, `metaData` null.
pub(crate) fn list(world: &mut World, call: &Call) -> Result<Answer, Problem> {
    let (key, _) = existing(world, call)?;
    let from = call
        .target
        .value("$skipToken")
        .and_then(|token| token.parse().ok())
        .unwrap_or(0);
    let (points, next) = page(world, call, &key, from)?;
    let next = next.map(|next| Some(paging::link(call, &next.to_string())));
    Ok(Answer {
        status: 200,
        headers: Vec::new(),
        body: Body::Page(Items::Stored(points), next),
    })
}

fn page(
    world: &World,
    call: &Call,
    instance: &Key,
    from: usize,
) -> Result<(Vec<Value>, Option<usize>), Problem> {
    let range = range(call.target.value("$filter").unwrap_or_default())?;
    let listing = Listing {
        kind: Kind::RecoveryPoint,
        parent: instance.id(),
        deep: false,
    };
    let mut points = world.store.all(&listing);
    points.retain(|point| {
        let time = point["properties"]["recoveryPointTime"]
            .as_str()
            .and_then(clock::parse);
        let (start, end) = range;
        start.is_none_or(|start| time >= Some(start)) && end.is_none_or(|end| time <= Some(end))
    });
    let to = usize::min(
        from.saturating_add(world.options.page_size.max(1)),
        points.len(),
    );
    let next = (to < points.len()).then_some(to);
    let mut points: Vec<Value> = points.drain(from.min(to)..to).collect();
    for point in &mut points {
        if let Some(metadata) =
            point.pointer_mut("/properties/recoveryPointDataStoresDetails/0/metaData")
        {
            *metadata = Value::Null;
        }
    }
    Ok((points, next))
}

type Range = (Option<DateTime<Utc>>, Option<DateTime<Utc>>);

/// `startDate eq '..' and endDate eq '..'`; empty is everything.
fn range(filter: &str) -> Result<Range, Problem> {
    let mut range = (None, None);
    for term in filter
        .split(" and ")
        .map(str::trim)
        .filter(|term| !term.is_empty())
    {
        let invalid = || Problem::invalid_input(&format!("`$filter` has the term `{term}`"));
        let (name, value) = term.split_once(" eq ").ok_or_else(invalid)?;
        let time = clock::parse(value.trim().trim_matches('\'')).ok_or_else(invalid)?;
        match name.trim() {
            "startDate" => range.0 = Some(time),
            "endDate" => range.1 = Some(time),
            _ => return Err(invalid()),
        }
    }
    Ok(range)
}

/// `GET` of one recovery point.
pub(crate) fn one(world: &mut World, call: &Call) -> Result<Answer, Problem> {
    existing(world, call)?;
    paging::one(world, call, Kind::RecoveryPoint)
}

/// `POST BI/findRestorableTimeRanges`: one range for blobs, none for sources without continuous backup.
pub(crate) fn time_ranges(world: &mut World, call: &Call) -> Result<Answer, Problem> {
    let (_, instance) = existing(world, call)?;
    let given = call.json().unwrap_or_default();
    if given["sourceDataStoreType"].as_str().is_none() {
        return Err(Problem::invalid_input("`sourceDataStoreType` is required"));
    }
    let time = |name: &str| given[name].as_str().and_then(clock::parse);
    // Which of the two is missing makes a difference, on Azure too.
    let start = time("startTime").ok_or_else(|| {
        let mut problem = Problem::service(
            "CloudInternalError",
            "Microsoft Azure Backup encountered an internal error.",
            "Wait for a few minutes and then try the operation again. If the issue persists, please contact Microsoft support.",
        );
        problem.status = 500;
        problem.headers.push(("x-ms-failure-cause", "service".to_owned()));
        problem
    })?;
    let end = time("endTime").ok_or_else(|| {
        Problem::service(
            "DppPluginInvalidInputParameters",
            "Invalid inputs from caller.",
            "Please retry after some time with correct inputs. Reach out to the Azure Backup support if the issue persists. ",
        )
    })?;
    if start > end {
        return Err(Problem::service(
            "UserErrorInvalidRestorableTimeRange",
            "The given time range is invalid",
            "Please ensure that the given time range in the request is valid",
        ));
    }
    let source = instance["properties"]["dataSourceInfo"]["datasourceType"]
        .as_str()
        .and_then(Source::of_type);
    let ranges = if source == Some(Source::Blob) {
        let end = end.min(world.clock.now());
        json!([{
            "startTime": clock::full_instant(start),
            "endTime": clock::full_instant(end),
            "objectType": "RestorableTimeRange",
        }])
    } else {
        json!([])
    };
    let body = json!({
        "properties": {
            "restorableTimeRanges": ranges,
            "objectType": "AzureBackupFindRestorableTimeRangesResponse",
        },
        "id": instance["name"],
        "name": instance["name"],
        "type": "Microsoft.DataProtection/backupVaults/backupInstances/findRestorableTimeRanges",
    });
    Ok(Answer::json(200, body))
}

/// `POST .../fetchSecondaryRecoveryPoints`, and `GET` of its further pages, whose token carries the instance.
pub(crate) fn secondary(world: &mut World, call: &Call) -> Result<Answer, Problem> {
    let given = call.json().unwrap_or_default();
    let token = call
        .target
        .value("$skipToken")
        .and_then(|token| token.split_once('~'));
    let (from, id) = match token {
        Some((from, id)) => (from.parse().unwrap_or(0), id.to_owned()),
        None => {
            let id = given["sourceBackupInstanceId"].as_str();
            (
                0,
                id.ok_or_else(|| Problem::invalid_input("`sourceBackupInstanceId` is required"))?
                    .to_owned(),
            )
        }
    };
    let key = Key::of_id(&id).filter(|key| key.kind == Kind::Instance && world.store.holds(key));
    let key = key.ok_or_else(Problem::absent)?;
    let (points, next) = page(world, call, &key, from)?;
    let next = next.map(|next| Some(paging::link(call, &format!("{next}~{id}"))));
    Ok(Answer {
        status: 200,
        headers: Vec::new(),
        body: Body::Page(Items::Stored(points), next),
    })
}
