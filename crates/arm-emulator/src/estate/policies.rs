//! Owns the backup policies of the estates, one shape for each type of data source, as recorded.

use serde_json::{Value, json};

use crate::bodies::Source;

/// Name of the policy that generated vaults have for a data source.
pub(crate) fn name(source: Source) -> &'static str {
    match source {
        Source::Disk => "disk-4hourly-7d",
        Source::Blob => "blob-daily-30d",
        Source::Postgres => "postgres-weekly-90d",
        Source::Kubernetes => "aks-daily-14d",
    }
}

/// A policy with realistic rules. Of blobs the retention rules come first, and of Kubernetes the default tag last:
/// clients may not go by position.
pub(crate) fn policy(vault_id: &str, name: &str, source: Source) -> Value {
    let rules = match source {
        Source::Disk => json!([
            backup(
                "BackupHourly",
                source,
                "R/2025-05-02T05:30:00+00:00/PT4H",
                &[
                    tag("Default", 99, true, None),
                    tag("Daily", 25, false, Some("FirstOfDay")),
                ]
            ),
            retention("Default", true, &[("P7D", "OperationalStore")]),
            retention("Daily", false, &[("P12D", "OperationalStore")]),
        ]),
        Source::Blob => json!([
            retention("Default", true, &[("P30D", "OperationalStore")]),
            retention("Default", true, &[("P90D", "VaultStore")]),
            backup(
                "BackupDaily",
                source,
                "R/2025-06-15T22:00:00+00:00/P1D",
                &[tag("Default", 99, true, None)]
            ),
        ]),
        Source::Postgres => json!([
            backup(
                "BackupWeekly",
                source,
                "R/2025-08-15T22:00:00+00:00/P1W",
                &[
                    tag("Default", 99, true, None),
                    tag("Monthly", 15, false, Some("FirstOfMonth")),
                ]
            ),
            retention("Default", true, &[("P90D", "VaultStore")]),
            retention("Monthly", false, &[("P12M", "VaultStore")]),
        ]),
        Source::Kubernetes => json!([
            backup(
                "BackupDaily",
                source,
                "R/2025-02-27T16:00:00+00:00/P1D",
                &[
                    tag("Daily", 25, false, Some("FirstOfDay")),
                    tag("Default", 99, true, None),
                ]
            ),
            retention("Default", true, &[("P14D", "OperationalStore")]),
            retention("Daily", false, &[("P30D", "OperationalStore")]),
        ]),
    };
    json!({
        "properties": {
            "policyRules": rules,
            "datasourceTypes": [source.datasource_type()],
            "objectType": "BackupPolicy",
        },
        "id": format!("{vault_id}/backupPolicies/{name}"),
        "name": name,
        "type": "Microsoft.DataProtection/backupVaults/backupPolicies",
    })
}

fn backup(name: &str, source: Source, schedule: &str, tags: &[Value]) -> Value {
    json!({
        "backupParameters": {"backupType": source.backup_type(), "objectType": "AzureBackupParams"},
        "trigger": {
            "schedule": {"repeatingTimeIntervals": [schedule]},
            "taggingCriteria": tags,
            "objectType": "ScheduleBasedTriggerContext",
        },
        "dataStore": {"dataStoreType": source.data_store(), "objectType": "DataStoreInfoBase"},
        "name": name,
        "objectType": "AzureBackupRule",
    })
}

fn tag(name: &str, priority: u32, default: bool, criterion: Option<&str>) -> Value {
    let mut tag = json!({
        "tagInfo": {"tagName": name, "id": format!("{name}_")},
        "taggingPriority": priority,
        "isDefault": default,
    });
    if let Some(criterion) = criterion {
        tag["criteria"] =
            json!([{"absoluteCriteria": [criterion], "objectType": "ScheduleBasedBackupCriteria"}]);
    }
    tag
}

fn retention(name: &str, default: bool, lifecycles: &[(&str, &str)]) -> Value {
    let lifecycle = |(duration, store): &(&str, &str)| {
        json!({
            "deleteAfter": {"objectType": "AbsoluteDeleteOption", "duration": duration},
            "sourceDataStore": {"dataStoreType": store, "objectType": "DataStoreInfoBase"},
        })
    };
    json!({
        "lifecycles": lifecycles.iter().map(lifecycle).collect::<Vec<_>>(),
        "isDefault": default,
        "name": name,
        "objectType": "AzureRetentionRule",
    })
}
