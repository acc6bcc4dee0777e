//! Owns the shapes of what runs leave behind: jobs, with every field present and the unset ones null, and recovery
//! points. When a job ends and what it makes is decided elsewhere.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use crate::bodies::Source;
use crate::clock::{self, full_instant, instant, iso_duration};

/// What a job is made of.
#[derive(Debug)]
pub(crate) struct JobParts<'a> {
    pub(crate) vault_id: &'a str,
    pub(crate) name: &'a str,
    /// The instance as it is stored.
    pub(crate) instance: &'a Value,
    pub(crate) activity: &'a str,
    pub(crate) started: DateTime<Utc>,
    pub(crate) operation: &'a str,
    pub(crate) user_triggered: bool,
    pub(crate) tag: Option<&'a str>,
}

/// A job that has just started.
pub(crate) fn job(parts: &JobParts<'_>) -> Value {
    let properties = &parts.instance["properties"];
    let source = &properties["dataSourceInfo"];
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let source_id = text(&source["resourceID"]);
    let mut segments = parts.vault_id.split('/');
    let subscription = segments.nth(2).unwrap_or_default();
    let vault = parts.vault_id.rsplit('/').next().unwrap_or_default();
    let policy_id = text(&properties["policyInfo"]["policyId"]);
    let policy = policy_id.rsplit('/').next().unwrap_or_default();
    let source_group = source_id.split('/').nth(4).unwrap_or_default();
    let source_subscription = source_id.split('/').nth(2).unwrap_or_default();
    let additional = parts
        .tag
        .map_or(Value::Null, |tag| json!({"RetentionTag": tag}));
    let supported = if parts.user_triggered {
        json!([""])
    } else {
        json!([])
    };
    json!({
        "properties": {
            "activityID": parts.activity,
            "subscriptionId": subscription,
            "backupInstanceId": parts.instance["id"],
            "policyId": policy_id,
            "dataSourceId": source_id,
            "vaultName": vault,
            "backupInstanceFriendlyName": properties["friendlyName"],
            "policyName": policy,
            "sourceResourceGroup": source_group,
            "dataSourceSetName": properties["dataSourceSetInfo"]["resourceName"],
            "dataSourceName": source["resourceName"],
            "sourceDataStoreName": null,
            "sourceDataStoreType": null,
            "destinationDataStoreName": null,
            "progressEnabled": false,
            "etag": etag(parts.started),
            "sourceSubscriptionID": source_subscription,
            "dataSourceLocation": source["resourceLocation"],
            "startTime": instant(parts.started),
            "endTime": null,
            "dataSourceType": source["datasourceType"],
            "operationCategory": parts.operation,
            "operation": parts.operation,
            "status": "InProgress",
            "restoreType": null,
            "isUserTriggered": parts.user_triggered,
            "rehydrationPriority": null,
            "supportedActions": supported,
            "duration": "PT0S",
            "progressUrl": null,
            "isCrossRegionRestore": null,
            "errorDetails": null,
            "extendedInfo": {
                "backupInstanceState": null,
                "dataTransferredInBytes": null,
                "targetRecoverPoint": null,
                "sourceRecoverPoint": null,
                "recoveryDestination": null,
                "subTasks": [{
                    "taskId": 1,
                    "taskName": format!("Trigger {}", parts.operation),
                    "taskStatus": "InProgress",
                    "taskProgress": null,
                    "additionalDetails": null,
                }],
                "additionalDetails": additional,
                "warningDetails": null,
            },
        },
        "id": format!("{}/backupJobs/{}", parts.vault_id, parts.name),
        "name": parts.name,
        "type": "Microsoft.DataProtection/backupVaults/backupJobs",
    })
}

/// How a job ends.
#[derive(Debug)]
pub(crate) enum JobEnd<'a> {
    /// With the recovery point that a backup made.
    Completed { recovery_point: Option<&'a str> },
    /// With a `UserFacingError`.
    Failed { error: Value },
}

/// Writes the end of a job into it.
pub(crate) fn end_job(job: &mut Value, ended: DateTime<Utc>, end: &JobEnd<'_>) {
    let properties = &mut job["properties"];
    let started = properties["startTime"]
        .as_str()
        .and_then(clock::parse)
        .unwrap_or(ended);
    let source = properties["dataSourceType"]
        .as_str()
        .and_then(Source::of_type);
    let task = properties["activityID"].clone();
    properties["etag"] = json!(etag(ended));
    properties["endTime"] = json!(instant(ended));
    properties["duration"] = json!(iso_duration(ended - started));
    let status = match end {
        JobEnd::Completed { .. } => "Completed",
        JobEnd::Failed { .. } => "Failed",
    };
    properties["status"] = json!(status);
    let details = json!({
        "OriginalDatasourceSizeInBytes": "4294967296",
        "TaskId": task,
        "DatasourceType": properties["dataSourceType"],
    });
    if properties["operationCategory"] == "Backup" {
        let tier = match source.map(Source::data_store) {
            Some("VaultStore") => "VaultStore",
            _ => "OperationalTierStore",
        };
        properties["destinationDataStoreName"] = json!(tier);
    }
    properties["extendedInfo"]["subTasks"][0]["taskStatus"] = json!(status);
    properties["extendedInfo"]["subTasks"][0]["additionalDetails"] = details;
    match end {
        JobEnd::Completed {
            recovery_point: Some(point),
        } => {
            properties["extendedInfo"]["targetRecoverPoint"] =
                json!({"recoveryPointID": point, "recoveryPointTime": "0001-01-01T00:00:00Z"});
        }
        JobEnd::Completed {
            recovery_point: None,
        } => {}
        JobEnd::Failed { error } => properties["errorDetails"] = json!([error]),
    }
}

fn etag(time: DateTime<Utc>) -> String {
    format!("W/\"datetime'{}'\"", instant(time).replace(':', "%3A"))
}

/// What a recovery point is made of.
#[derive(Debug)]
pub(crate) struct PointParts<'a> {
    /// The instance as it is stored.
    pub(crate) instance: &'a Value,
    /// 32 hexadecimal digits.
    pub(crate) name: &'a str,
    /// Id of its copy in the data store.
    pub(crate) store_id: &'a str,
    pub(crate) time: DateTime<Utc>,
    pub(crate) retention: TimeDelta,
    pub(crate) tag: &'a str,
}

/// A recovery point; its list form has `metaData` null.
pub(crate) fn recovery_point(parts: &PointParts<'_>) -> Value {
    let properties = &parts.instance["properties"];
    let source = properties["dataSourceInfo"]["datasourceType"]
        .as_str()
        .and_then(Source::of_type);
    let source = source.unwrap_or(Source::Disk);
    let policy = properties["policyInfo"]["policyId"]
        .as_str()
        .unwrap_or_default();
    let created = parts.time - TimeDelta::milliseconds(73_755);
    let expiry = instant(created + parts.retention);
    let instance_id = parts.instance["id"].as_str().unwrap_or_default();
    let metadata = json!([{
        "diskName": properties["dataSourceInfo"]["resourceName"],
        "sizeBytes": 4_294_967_296_u64,
        "location": properties["dataSourceInfo"]["resourceLocation"],
    }]);
    json!({
        "properties": {
            "objectType": "AzureBackupDiscreteRecoveryPoint",
            "recoveryPointId": parts.name,
            "recoveryPointTime": full_instant(parts.time),
            "recoveryPointType": if source == Source::Disk { "Incremental" } else { "Full" },
            "friendlyName": parts.name,
            "recoveryPointDataStoresDetails": [{
                "id": parts.store_id,
                "type": source.data_store(),
                "creationTime": instant(created),
                "expiryTime": expiry,
                "metaData": metadata.to_string(),
                "visible": true,
                "state": "COMMITTED",
                "rehydrationExpiryTime": null,
                "rehydrationStatus": null,
            }],
            "retentionTagName": parts.tag,
            "retentionTagVersion": clock::ticks(created - TimeDelta::days(30)).to_string(),
            "policyName": policy.rsplit('/').next(),
            "policyVersion": null,
            "expiryTime": expiry,
            "recoveryPointState": null,
        },
        "id": format!("{instance_id}/recoveryPoints/{}", parts.name),
        "name": parts.name,
        "type": "Microsoft.DataProtection/backupVaults/backupInstances/recoveryPoints",
    })
}
