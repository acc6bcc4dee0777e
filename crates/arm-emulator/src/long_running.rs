//! Owns long-running operations: how they are announced, polled and ended. Which operation there is, and what it does
//! to a resource, is written with the resource.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Map, Value, json};

use crate::arm::Problem;
use crate::clock::{full_instant, instant, seconds, ticks};
use crate::effects::Effect;
use crate::headers::signature;
use crate::ids::fingerprint;
use crate::operations::Style;
use crate::request::Call;
use crate::state::{Answer, World};
use crate::store::Key;
use crate::vaults;

/// What an operation does when it starts.
#[derive(Debug, Default)]
pub(crate) struct Started {
    /// An answer without an operation: nothing was to do.
    pub(crate) at_once: Option<Answer>,
    /// The body of a 201.
    pub(crate) body: Option<Value>,
    /// Full id of the job that the operation creates.
    pub(crate) job: Option<String>,
    /// Whether the result is an `OperationJobExtendedInfo`.
    pub(crate) informs: bool,
    /// What ends the operation badly.
    pub(crate) failure: Option<Problem>,
    /// What happens when the operation has succeeded, and how long after that.
    pub(crate) then: Vec<(TimeDelta, Effect)>,
    /// The instance or vault that shows the failure, if it fails.
    pub(crate) otherwise: Option<Key>,
    /// The resource that it is about.
    pub(crate) about: Option<Key>,
}

impl Started {
    pub(crate) fn at_once(answer: Answer) -> Started {
        Started {
            at_once: Some(answer),
            ..Started::default()
        }
    }
}

/// An operation that runs or has ended.
#[derive(Debug)]
pub(crate) struct LongOperation {
    location: String,
    subscription: String,
    activity: String,
    started: DateTime<Utc>,
    ends: DateTime<Utc>,
    job: Option<String>,
    informs: bool,
    failure: Option<Problem>,
    /// Fingerprints of the signed queries that were handed out.
    signatures: Vec<u64>,
    /// Folded key of the instance or vault.
    target: Option<Key>,
}

/// Announces an operation and lets it begin.
pub(crate) fn start(world: &mut World, call: &Call, started: Started) -> Answer {
    if let Some(answer) = started.at_once {
        return answer;
    }
    let (took, status) = match call.operation.style {
        Style::Direct => (0, 200),
        Style::Created { seconds } => (seconds, 201),
        Style::Accepted { seconds }
        | Style::AcceptedInGroup { seconds }
        | Style::AcceptedInSubscription { seconds }
        | Style::LocationOnly { seconds } => (seconds, 202),
    };
    let now = world.clock.now();
    let duration = world.operation_time(took);
    let failure = started.failure.or_else(|| {
        let (code, message) = world.failures.operation.take()?;
        Some(Problem::service(
            &code,
            message,
            "Remove the cause and try again.",
        ))
    });
    match (&failure, started.otherwise) {
        (None, _) => {
            for (delay, effect) in started.then {
                world.plan(duration + delay, effect);
            }
        }
        (Some(failure), Some(key)) => {
            let error = failure.user_facing(call.client_request_id().unwrap_or(&call.request_id));
            world.plan(duration, Effect::Failed(key, Box::new(error)));
        }
        (Some(_), None) => {}
    }
    let vault = call.vault_key().id();
    let operation = world.ids.guid();
    let id = encode(&format!("{};{operation}", world.stamp(&vault)));
    let location = world.region(call);
    let mut record = LongOperation {
        location,
        subscription: call.subscription().to_owned(),
        activity: call.client_request_id().unwrap_or(&operation).to_owned(),
        started: now,
        ends: now + duration,
        job: started.job,
        informs: started.informs,
        failure,
        signatures: Vec::new(),
        target: started.about,
    };
    let mut answer = match started.body {
        Some(body) => Answer::json(status, body),
        None => Answer::empty(status),
    };
    for (header, path, offset) in links(call, &record, &id) {
        let (link, query) = signed(world, call, &path, now + TimeDelta::microseconds(offset));
        record.signatures.push(fingerprint(&query));
        answer = answer.with(header, link);
    }
    if call.operation.id == "BackupVaults_CreateOrUpdate" {
        answer = answer.with("x-ms-arm-resource-system-data", vaults::system_data(world));
    }
    let quick =
        world.options.realistic && matches!(call.operation.style, Style::Created { seconds: 1 });
    let retry_after = if quick {
        "10".to_owned()
    } else {
        world.retry_after()
    };
    world.operations.insert(id, record);
    answer.with("retry-after", retry_after)
}

/// Which headers an answer has, and where they lead.
fn links(call: &Call, record: &LongOperation, id: &str) -> Vec<(&'static str, String, i64)> {
    const STATUS: &str = "azure-asyncoperation";
    let group = format!(
        "{}/resourceGroups/{}",
        call.subscription_id(),
        call.parameter("resourceGroupName")
    );
    let provider = "providers/Microsoft.DataProtection";
    let vault = format!(
        "{group}/{provider}/backupVaults/{}",
        call.parameter("vaultName")
    );
    let region = format!("{provider}/locations/{}", record.location);
    let result = format!("{}/{region}/operationResults/{id}", call.subscription_id());
    match call.operation.style {
        Style::Direct => Vec::new(),
        Style::Created { .. } => vec![(STATUS, format!("{vault}/operationStatus/{id}"), 0)],
        Style::Accepted { .. } => {
            vec![
                (STATUS, format!("{vault}/operationStatus/{id}"), 0),
                ("location", result, 15_638),
            ]
        }
        Style::AcceptedInGroup { .. } => {
            vec![
                (STATUS, format!("{group}/{region}/operationStatus/{id}"), 0),
                ("location", result, 15_638),
            ]
        }
        Style::AcceptedInSubscription { .. } => {
            let status = format!("{}/{region}/operationStatus/{id}", call.subscription_id());
            vec![(STATUS, status, 0), ("location", result, 15_638)]
        }
        Style::LocationOnly { .. } => {
            vec![("location", format!("{vault}/backupJobs/operations/{id}"), 0)]
        }
    }
}

/// A link, and its query. The older api-versions did not sign.
fn signed(world: &World, call: &Call, path: &str, time: DateTime<Utc>) -> (String, String) {
    let signature = if call.api_version() < "2023-11-01" {
        String::new()
    } else {
        signature(world.options.seed, path, time)
    };
    let query = format!("api-version={}{signature}", call.api_version());
    (format!("{}{path}?{query}", call.origin), query)
}

fn encode(text: &str) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(text)
}

/// The operation that a poll is about. A signature may be left out, but not be changed.
fn polled<'a>(world: &'a World, call: &Call) -> Result<&'a LongOperation, Problem> {
    let record = world.operations.get(call.parameter("operationId"));
    let record = record.filter(|record| {
        record
            .subscription
            .eq_ignore_ascii_case(call.subscription())
    });
    let Some(record) = record else {
        return Err(Problem::absent());
    };
    let altered = call.target.value("s").is_some()
        && !record
            .signatures
            .contains(&fingerprint(&call.target.raw_query));
    if altered {
        return Err(Problem::service(
            "EmulatorPollLinkAltered",
            "The link to poll was changed by the client: it is to be sent as it was received, byte for byte.",
            "Send the link as it was received.",
        ));
    }
    Ok(record)
}

/// `GET .../operationStatus/{id}`, wherever it lies.
pub(crate) fn status(world: &mut World, call: &Call) -> Result<Answer, Problem> {
    let now = world.clock.now();
    let record = polled(world, call)?;
    let ends = record.ends;
    let state = match (&record.failure, ends > now) {
        (_, true) => "Inprogress",
        (None, false) => "Succeeded",
        (Some(_), false) => "Failed",
    };
    let mut body = Map::new();
    // As it was meant, however a client escaped it.
    let path = crate::request::decode(&call.target.path);
    body.insert("id".to_owned(), json!(path));
    body.insert("name".to_owned(), json!(call.parameter("operationId")));
    body.insert("status".to_owned(), json!(state));
    if let (Some(failure), "Failed") = (&record.failure, state) {
        body.insert("error".to_owned(), json!(failure.error(&record.activity)));
    }
    body.insert("startTime".to_owned(), json!(instant(record.started)));
    let end = if state == "Inprogress" {
        "0001-01-01T00:00:00Z".to_owned()
    } else {
        seconds(ends.max(record.started))
    };
    body.insert("endTime".to_owned(), json!(end));
    if let (Some(job), "Succeeded") = (&record.job, state) {
        let properties = json!({"jobId": job, "objectType": "OperationJobExtendedInfo"});
        body.insert("properties".to_owned(), properties);
    }
    let mut answer = Answer::json(200, Value::Object(body));
    if state == "Inprogress" {
        answer = answer.with("retry-after", world.retry_after());
        world.clock.asked_about(ends);
    }
    Ok(answer)
}

/// `GET .../operationResults/{id}`, below the region or the vault. The header of the status stays when all is done.
pub(crate) fn result(world: &mut World, call: &Call) -> Result<Answer, Problem> {
    let now = world.clock.now();
    let record = polled(world, call)?;
    let (ends, informs, job) = (record.ends, record.informs, record.job.clone());
    if ends <= now
        && let Some(failure) = &record.failure
    {
        return Err(failure.clone());
    }
    let id = call.parameter("operationId").to_owned();
    let region = format!(
        "providers/Microsoft.DataProtection/locations/{}",
        record.location
    );
    let status = format!("{}/{region}/operationStatus/{id}", call.subscription_id());
    let (link, query) = signed(world, call, &status, now);
    let mut answer = if ends > now {
        Answer::empty(202).with(
            "location",
            format!(
                "{}{}?{}",
                call.origin, call.target.path, call.target.raw_query
            ),
        )
    } else if informs {
        let mut body = Map::new();
        if let Some(job) = job {
            body.insert("jobId".to_owned(), json!(job));
        }
        body.insert("objectType".to_owned(), json!("OperationJobExtendedInfo"));
        Answer::json(200, Value::Object(body))
    } else {
        Answer::empty(204)
    };
    if let Some(record) = world.operations.get_mut(&id) {
        record.signatures.push(fingerprint(&query));
    }
    if ends > now {
        world.clock.asked_about(ends);
    }
    answer = answer.with("azure-asyncoperation", link);
    let retry_after = world.retry_after();
    Ok(answer.with("retry-after", retry_after))
}

/// `GET BI/operationResults/{id}`: 202 while it runs, then the instance.
pub(crate) fn instance_result(world: &mut World, call: &Call) -> Result<Answer, Problem> {
    let target = polled(world, call)?.target.clone();
    resource_result(world, call, &target.unwrap_or_else(|| call.instance_key()))
}

/// `GET V/operationResults/{id}`: 202 while it runs, then the vault.
pub(crate) fn vault_result(world: &mut World, call: &Call) -> Result<Answer, Problem> {
    resource_result(world, call, &call.vault_key())
}

fn resource_result(world: &mut World, call: &Call, key: &Key) -> Result<Answer, Problem> {
    let now = world.clock.now();
    let record = polled(world, call)?;
    let ends = record.ends;
    if ends > now {
        let here = format!(
            "{}{}?{}",
            call.origin, call.target.path, call.target.raw_query
        );
        let retry_after = world.retry_after();
        world.clock.asked_about(ends);
        return Ok(Answer::empty(202)
            .with("location", here)
            .with("retry-after", retry_after));
    }
    if let Some(failure) = &record.failure {
        return Err(failure.clone());
    }
    world
        .store
        .read(key)
        .map(|body| Answer::json(200, body))
        .ok_or_else(Problem::absent)
}

/// `GET V/backupJobs/operations/{id}`: where the exported jobs lie.
pub(crate) fn export_result(world: &mut World, call: &Call) -> Result<Answer, Problem> {
    let now = world.clock.now();
    let ends = polled(world, call)?.ends;
    if ends > now {
        let here = format!(
            "{}{}?{}",
            call.origin, call.target.path, call.target.raw_query
        );
        let retry_after = world.retry_after();
        world.clock.asked_about(ends);
        return Ok(Answer::empty(202)
            .with("location", here)
            .with("retry-after", retry_after));
    }
    let blob = format!(
        "https://emulator.blob.core.windows.net/export/{}",
        ticks(ends)
    );
    Ok(Answer::json(
        200,
        json!({
            "blobUrl": format!("{blob}.json"),
            "blobSasKey": format!("sv=2024-01-01&se={}&sig=emulated", full_instant(ends + TimeDelta::hours(1))),
            "excelFileBlobUrl": format!("{blob}.xlsx"),
            "excelFileBlobSasKey": format!("sv=2024-01-01&se={}&sig=emulated", full_instant(ends + TimeDelta::hours(1))),
        }),
    ))
}
