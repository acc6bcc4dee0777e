//! Owns the shapes of the service's resources: which keys, in which order, with which nulls, as recorded. Knows nothing
//! of where a resource is stored or how it changes.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Map, Value, json};

use crate::clock::instant;

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

/// Turns an instance into what `deletedBackupInstances` shows.
pub(crate) fn soft_delete(body: &mut Value, deleted: DateTime<Utc>, activity: &str) {
    let purge = instant(deleted + TimeDelta::days(14));
    if let Some(properties) = body["properties"].as_object_mut() {
        protect(properties, "SoftDeleted", None);
        properties.insert("objectType".to_owned(), json!("DeletedBackupInstance"));
        properties.insert(
            "deletionInfo".to_owned(),
            json!({
                "deletionTime": instant(deleted),
                "billingEndDate": purge,
                "scheduledPurgeTime": purge,
                "deleteActivityID": activity,
            }),
        );
    }
    let id = body["id"]
        .as_str()
        .unwrap_or_default()
        .replace("/backupInstances/", "/deletedBackupInstances/");
    body["id"] = json!(id);
    body["type"] = json!("Microsoft.DataProtection/backupVaults/deletedBackupInstances");
}
