//! Owns the shapes of the service's resources: which keys, in which order, with which nulls, as recorded. Knows nothing
//! of where a resource is stored or how it changes.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Map, Value, json};

use crate::clock::{self, full_instant, instant, iso_duration};

/// A type of data source and what Azure calls its parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source {
    Disk,
    Blob,
    Postgres,
    Kubernetes,
}

impl Source {
    pub(crate) const ALL: [Source; 4] = [
        Source::Disk,
        Source::Blob,
        Source::Postgres,
        Source::Kubernetes,
    ];

    /// `datasourceType`.
    pub(crate) fn datasource_type(self) -> &'static str {
        match self {
            Source::Disk => "Microsoft.Compute/disks",
            Source::Blob => "Microsoft.Storage/storageAccounts/blobServices",
            Source::Postgres => "Microsoft.DBforPostgreSQL/servers/databases",
            Source::Kubernetes => "Microsoft.ContainerService/managedClusters",
        }
    }

    /// `resourceType`.
    pub(crate) fn resource_type(self) -> &'static str {
        match self {
            Source::Blob => "Microsoft.Storage/storageAccounts",
            other => other.datasource_type(),
        }
    }

    /// The part of the data source's id after its resource group.
    pub(crate) fn resource_path(self, name: &str) -> String {
        match self {
            Source::Disk => format!("Microsoft.Compute/disks/{name}"),
            Source::Blob => format!("Microsoft.Storage/storageAccounts/{name}"),
            Source::Postgres => {
                let (server, database) = name.split_once('/').unwrap_or((name, "postgres"));
                format!("Microsoft.DBforPostgreSQL/servers/{server}/databases/{database}")
            }
            Source::Kubernetes => format!("Microsoft.ContainerService/managedClusters/{name}"),
        }
    }

    pub(crate) fn of_type(datasource_type: &str) -> Option<Source> {
        Source::ALL.into_iter().find(|source| {
            source
                .datasource_type()
                .eq_ignore_ascii_case(datasource_type)
        })
    }

    /// Where its backups are kept first.
    pub(crate) fn data_store(self) -> &'static str {
        match self {
            Source::Disk | Source::Kubernetes => "OperationalStore",
            Source::Blob | Source::Postgres => "VaultStore",
        }
    }

    pub(crate) fn backup_type(self) -> &'static str {
        match self {
            Source::Disk | Source::Kubernetes => "Incremental",
            Source::Blob => "Discrete",
            Source::Postgres => "Full",
        }
    }
}

/// What an instance is made of.
#[derive(Debug)]
pub(crate) struct InstanceParts<'a> {
    pub(crate) vault_id: &'a str,
    pub(crate) name: &'a str,
    pub(crate) source: Source,
    pub(crate) friendly: &'a str,
    /// Group id of the data source, such as `/subscriptions/S/resourceGroups/G`.
    pub(crate) source_group: &'a str,
    pub(crate) location: &'a str,
    pub(crate) policy: &'a str,
    pub(crate) state: &'a str,
    /// `UserFacingError` of an unhealthy instance.
    pub(crate) error: Option<Value>,
    pub(crate) tags: Option<Value>,
}

/// A backup instance.
pub(crate) fn instance(parts: &InstanceParts<'_>) -> Value {
    let source = parts.source;
    let id = format!(
        "{}/providers/{}",
        parts.source_group,
        source.resource_path(parts.friendly)
    );
    let short = parts.friendly.rsplit('/').next().unwrap_or(parts.friendly);
    let datasource = json!({
        "resourceID": id,
        "resourceUri": id,
        "datasourceType": source.datasource_type(),
        "resourceName": short,
        "resourceType": source.resource_type(),
        "resourceLocation": parts.location,
        "objectType": "Datasource",
    });
    let mut policy = Map::new();
    policy.insert(
        "policyId".to_owned(),
        json!(format!(
            "{}/backupPolicies/{}",
            parts.vault_id, parts.policy
        )),
    );
    if let Some(parameters) = policy_parameters(parts) {
        policy.insert("policyParameters".to_owned(), parameters);
    }
    let mut properties = Map::new();
    properties.insert("friendlyName".to_owned(), json!(parts.friendly));
    properties.insert("dataSourceInfo".to_owned(), datasource);
    if let Some(set) = source_set(parts) {
        properties.insert("dataSourceSetInfo".to_owned(), set);
    }
    properties.insert("policyInfo".to_owned(), Value::Object(policy));
    if source == Source::Postgres {
        let server = parts.friendly.split('/').next().unwrap_or_default();
        properties.insert(
            "datasourceAuthCredentials".to_owned(),
            json!({
                "secretStoreResource": {
                    "uri": format!("https://kv-backup-{server}.vault.azure.net/secrets/{server}-connection"),
                    "secretStoreType": "AzureKeyVault",
                    "value": null,
                },
                "objectType": "SecretStoreBasedAuthCredentials",
            }),
        );
    }
    protect(&mut properties, parts.state, parts.error.as_ref());
    properties.insert("provisioningState".to_owned(), json!("Succeeded"));
    properties.insert("objectType".to_owned(), json!("BackupInstance"));
    let mut body = Map::new();
    if let Some(tags) = &parts.tags {
        body.insert("tags".to_owned(), tags.clone());
    }
    body.insert("properties".to_owned(), Value::Object(properties));
    body.insert(
        "id".to_owned(),
        json!(format!("{}/backupInstances/{}", parts.vault_id, parts.name)),
    );
    body.insert("name".to_owned(), json!(parts.name));
    body.insert(
        "type".to_owned(),
        json!("Microsoft.DataProtection/backupVaults/backupInstances"),
    );
    Value::Object(body)
}

fn source_set(parts: &InstanceParts<'_>) -> Option<Value> {
    let (name, kind, path) = match parts.source {
        Source::Disk | Source::Blob => return None,
        Source::Postgres => {
            let server = parts.friendly.split('/').next().unwrap_or_default();
            (
                server,
                "Microsoft.DBforPostgreSQL/servers",
                format!("Microsoft.DBforPostgreSQL/servers/{server}"),
            )
        }
        Source::Kubernetes => {
            let path = parts.source.resource_path(parts.friendly);
            (
                parts.friendly,
                "Microsoft.ContainerService/managedClusters",
                path,
            )
        }
    };
    let id = format!("{}/providers/{path}", parts.source_group);
    Some(json!({
        "datasourceType": parts.source.datasource_type(),
        "resourceID": id,
        "resourceUri": if parts.source == Source::Kubernetes { id.as_str() } else { "" },
        "resourceName": name,
        "resourceType": kind,
        "resourceLocation": parts.location,
        "objectType": "DatasourceSet",
    }))
}

fn policy_parameters(parts: &InstanceParts<'_>) -> Option<Value> {
    let snapshots = json!([{
        "dataStoreType": "OperationalStore",
        "objectType": "AzureOperationalStoreParameters",
        "resourceGroupId": parts.source_group,
    }]);
    match parts.source {
        Source::Disk => Some(json!({"dataStoreParametersList": snapshots})),
        Source::Blob => Some(json!({"backupDatasourceParametersList": [
            {"objectType": "BlobBackupDatasourceParameters", "containersList": ["invoices", "statements"]},
        ]})),
        Source::Postgres => None,
        Source::Kubernetes => Some(json!({
            "dataStoreParametersList": snapshots,
            "backupDatasourceParametersList": [{
                "objectType": "KubernetesClusterBackupDatasourceParameters",
                "snapshotVolumes": true,
                "includeClusterScopeResources": true,
                "includedNamespaces": null,
                "excludedNamespaces": null,
                "includedResourceTypes": null,
                "excludedResourceTypes": null,
                "labelSelectors": null,
                "backupHookReferences": null,
            }],
        })),
    }
}

/// Writes the protection state into the properties of an instance, in its place before `provisioningState`.
pub(crate) fn protect(properties: &mut Map<String, Value>, state: &str, error: Option<&Value>) {
    let status = match error {
        Some(error) => json!({"errorDetails": error, "status": state}),
        None => json!({"status": state}),
    };
    properties.insert("protectionStatus".to_owned(), status);
    properties.insert("currentProtectionState".to_owned(), json!(state));
    match error {
        Some(error) => {
            properties.insert("protectionErrorDetails".to_owned(), error.clone());
        }
        None => {
            properties.shift_remove("protectionErrorDetails");
        }
    }
}

/// What a vault is made of.
#[derive(Debug)]
pub(crate) struct VaultParts<'a> {
    /// `/subscriptions/S/resourceGroups/G`.
    pub(crate) group_id: &'a str,
    pub(crate) name: &'a str,
    pub(crate) location: &'a str,
    pub(crate) redundancy: &'a str,
    pub(crate) soft_delete: &'a str,
    pub(crate) immutability: &'a str,
    pub(crate) guarded: bool,
    /// `principalId` and `tenantId` of the identity.
    pub(crate) identity: Option<(&'a str, &'a str)>,
    pub(crate) tags: Option<Value>,
}

/// A backup vault.
pub(crate) fn vault(parts: &VaultParts<'_>) -> Value {
    let mut body = Map::new();
    if let Some(tags) = &parts.tags {
        body.insert("tags".to_owned(), tags.clone());
    }
    body.insert("location".to_owned(), json!(parts.location));
    if let Some((principal, tenant)) = parts.identity {
        let identity =
            json!({"type": "SystemAssigned", "principalId": principal, "tenantId": tenant});
        body.insert("identity".to_owned(), identity);
    }
    let geo = parts.redundancy == "GeoRedundant";
    let (score, level) = security(parts.soft_delete, parts.immutability, geo);
    let mut security = Map::new();
    let soft_delete = if parts.soft_delete == "Off" {
        json!({"state": "Off", "retentionDurationInDays": 0.0})
    } else {
        json!({"state": parts.soft_delete, "retentionDurationInDays": 14.0})
    };
    security.insert("softDeleteSettings".to_owned(), soft_delete);
    if parts.immutability != "Disabled" {
        security.insert(
            "immutabilitySettings".to_owned(),
            json!({"state": parts.immutability}),
        );
    }
    let mut properties = Map::new();
    properties.insert("provisioningState".to_owned(), json!("Succeeded"));
    let storage = json!([{"datastoreType": "VaultStore", "type": parts.redundancy}]);
    properties.insert("storageSettings".to_owned(), storage);
    properties.insert(
        "isVaultProtectedByResourceGuard".to_owned(),
        json!(parts.guarded),
    );
    properties.insert("securitySettings".to_owned(), Value::Object(security));
    if geo {
        let settings = json!({"crossRegionRestoreSettings": {"state": "Enabled"}});
        properties.insert("featureSettings".to_owned(), settings);
    }
    properties.insert("secureScore".to_owned(), json!(score));
    properties.insert("bcdrSecurityLevel".to_owned(), json!(level));
    let pairs: Vec<&str> = if geo {
        vec![crate::subscriptions::paired(parts.location)]
    } else {
        Vec::new()
    };
    properties.insert("replicatedRegions".to_owned(), json!(pairs));
    body.insert("properties".to_owned(), Value::Object(properties));
    let id = format!(
        "{}/providers/Microsoft.DataProtection/backupVaults/{}",
        parts.group_id, parts.name
    );
    body.insert("id".to_owned(), json!(id));
    body.insert("name".to_owned(), json!(parts.name));
    body.insert(
        "type".to_owned(),
        json!("Microsoft.DataProtection/backupVaults"),
    );
    Value::Object(body)
}

/// `secureScore` and `bcdrSecurityLevel`, which the service computes.
pub(crate) fn security(
    soft_delete: &str,
    immutability: &str,
    cross_region: bool,
) -> (&'static str, &'static str) {
    match (soft_delete, immutability) {
        ("Off", "Disabled") => ("None", "Poor"),
        ("AlwaysOn", "Locked") => ("Maximum", "Excellent"),
        (_, "Disabled") => ("Minimum", "Fair"),
        _ if cross_region => ("Adequate", "Good"),
        _ => ("Adequate", "Fair"),
    }
}

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

/// The service's error object inside instances and jobs.
pub(crate) fn user_facing_error(
    code: &str,
    message: &str,
    recommended: &str,
    activity: &str,
) -> Value {
    json!({
        "message": message,
        "recommendedAction": [recommended],
        "details": null,
        "code": code,
        "target": "",
        "innerError": null,
        "isRetryable": false,
        "isUserError": false,
        "properties": {"ActivityId": activity},
    })
}
