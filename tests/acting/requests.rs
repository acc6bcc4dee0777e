//! One table: a statement, the request of Azure's API that it must send, and what the emulator's state shows afterwards.

mod others;

use serde_json::{Value, json};

use super::{SUBSCRIPTION, VAULT, act, body, fast, line, rig, session, writes};
use crate::rig::{Rig, ask, report, run};

/// `{D}` is the disk's parameters, `{V}` its vault's, `{P}` the name of one of its recovery points, `{ID}` its id.
struct Case {
    operation: &'static str,
    sql: &'static str,
    /// Method and path; the query is the api-version alone.
    request: &'static str,
    body: Value,
    /// The word of the row; empty where the method only asks.
    status: &'static str,
    /// A query and what it answers afterwards.
    effect: Option<(&'static str, &'static str)>,
}

const INSTANCES: &str = "azure.data_protection.backup_instances";

fn parameters(group: &str, vault: &str, instance: Option<&str>) -> String {
    let subscription = SUBSCRIPTION.trim_start_matches("/subscriptions/");
    let instance = instance.map_or(String::new(), |name| {
        format!(", @backupInstanceName = '{name}'")
    });
    format!(
        "@subscriptionId = '{subscription}', @resourceGroupName = '{group}', @vaultName = '{vault}'{instance}"
    )
}

/// The text with its placeholders filled in.
fn filled(text: &str, point: &str) -> String {
    let disk = super::DISK_NAME;
    let keys = format!(
        "subscriptionId = '{}' AND resourceGroupName = 'rg-backup-prod-weu' AND vaultName = 'bv-prod-weu'",
        SUBSCRIPTION.trim_start_matches("/subscriptions/"),
    );
    text.replace(
        "{D}",
        &parameters("rg-backup-prod-weu", "bv-prod-weu", Some(disk)),
    )
    .replace(
        "{V}",
        &parameters("rg-backup-prod-weu", "bv-prod-weu", None),
    )
    .replace("{W}", &keys)
    .replace(
        "{K}",
        "'8f3b1c52-6d2e-4f0a-9b7c-1e5a40d7c001', 'rg-backup-prod-weu', 'bv-prod-weu'",
    )
    .replace("{DISK}", disk)
    .replace("{VAULT}", VAULT)
    .replace("{SUB}", SUBSCRIPTION)
    .replace("{S}", "8f3b1c52-6d2e-4f0a-9b7c-1e5a40d7c001")
    .replace("{P}", point)
    .replace("{T}", INSTANCES)
}

fn filled_value(value: &Value, point: &str) -> Value {
    serde_json::from_str(&filled(&value.to_string(), point)).unwrap()
}

fn case(
    operation: &'static str,
    sql: &'static str,
    request: &'static str,
    body: Value,
    status: &'static str,
    effect: Option<(&'static str, &'static str)>,
) -> Case {
    Case {
        operation,
        sql,
        request,
        body,
        status,
        effect,
    }
}

fn new_instance() -> Value {
    json!({
        "friendlyName": "disk-new",
        "objectType": "BackupInstance",
        "dataSourceInfo": {
            "objectType": "Datasource",
            "resourceID": "{SUB}/resourceGroups/rg-app/providers/Microsoft.Compute/disks/disk-new",
            "resourceName": "disk-new",
            "resourceType": "Microsoft.Compute/disks",
            "resourceUri": "{SUB}/resourceGroups/rg-app/providers/Microsoft.Compute/disks/disk-new",
            "resourceLocation": "westeurope",
            "datasourceType": "Microsoft.Compute/disks",
        },
        "policyInfo": {
            "policyId": "{VAULT}/backupPolicies/disk-4hourly-7d",
            "policyParameters": {"dataStoreParametersList": [{
                "objectType": "AzureOperationalStoreParameters",
                "dataStoreType": "OperationalStore",
                "resourceGroupId": "{SUB}/resourceGroups/rg-backup-prod-weu",
            }]},
        },
    })
}

fn restore() -> Value {
    json!({
        "objectType": "AzureBackupRecoveryPointBasedRestoreRequest",
        "recoveryPointId": "{P}",
        "sourceDataStoreType": "OperationalStore",
        "restoreTargetInfo": {
            "objectType": "RestoreTargetInfo",
            "recoveryOption": "FailIfExists",
            "restoreLocation": "westeurope",
            "datasourceInfo": {
                "objectType": "Datasource",
                "resourceID": "{SUB}/resourceGroups/rg-restore/providers/Microsoft.Compute/disks/restored",
                "datasourceType": "Microsoft.Compute/disks",
            },
        },
    })
}

fn cross_region() -> Value {
    json!({
        "restoreRequestObject": restore(),
        "crossRegionRestoreDetails": {
            "sourceRegion": "westeurope",
            "sourceBackupInstanceId": "{VAULT}/backupInstances/{DISK}",
        },
    })
}

/// The methods of `backup_instances`.
fn of_instances() -> Vec<Case> {
    let none = || Value::Null;
    let wanted = |instance: Value| json!({"backupInstance": instance});
    vec![
        case(
            "BackupInstances_CreateOrUpdate",
            "INSERT INTO {T} (subscriptionId, resourceGroupName, vaultName, backupInstanceName, tags, properties) \
             VALUES ({K}, 'disk-new', '{\"Owner\": \"dpp\"}', '{PROPERTIES}')",
            "PUT {VAULT}/backupInstances/disk-new",
            json!({"tags": {"Owner": "dpp"}, "properties": new_instance()}),
            "Succeeded",
            Some((
                "SELECT properties.friendlyName FROM {T} WHERE name = 'disk-new'",
                "disk-new",
            )),
        ),
        case(
            "BackupInstances_Delete",
            "DELETE FROM {T} WHERE {W} AND backupInstanceName = '{DISK}'",
            "DELETE {VAULT}/backupInstances/{DISK}",
            none(),
            "Succeeded",
            Some(("SELECT count(*) FROM {T} WHERE name = '{DISK}'", "0")),
        ),
        case(
            "BackupInstances_AdhocBackup",
            "EXEC {T}.adhoc_backup {D}, @backupRuleOptions.ruleName = 'BackupHourly', \
             @backupRuleOptions.triggerOption.retentionTagOverride = 'Default'",
            "POST {VAULT}/backupInstances/{DISK}/backup",
            json!({"backupRuleOptions": {"ruleName": "BackupHourly", "triggerOption": {"retentionTagOverride": "Default"}}}),
            "Succeeded",
            Some((
                "SELECT count(*) FROM azure.data_protection.vw_jobs WHERE backup_instance_name = '{DISK}' AND is_user_triggered \
                 AND operation_category = 'Backup'",
                "1",
            )),
        ),
        case(
            "BackupInstances_StopProtection",
            "EXEC {T}.stop_protection {D}",
            "POST {VAULT}/backupInstances/{DISK}/stopProtection",
            none(),
            "Succeeded",
            Some((STATE_OF_DISK, "ProtectionStopped")),
        ),
        case(
            "BackupInstances_StopProtection",
            "EXEC {T}.stop_protection {D}, @resourceGuardOperationRequests = '[\"{SUB}/x\"]'",
            "POST {VAULT}/backupInstances/{DISK}/stopProtection",
            json!({"resourceGuardOperationRequests": ["{SUB}/x"]}),
            "Succeeded",
            Some((STATE_OF_DISK, "ProtectionStopped")),
        ),
        case(
            "BackupInstances_SuspendBackups",
            "EXEC {T}.suspend_backups {D}",
            "POST {VAULT}/backupInstances/{DISK}/suspendBackups",
            none(),
            "Succeeded",
            Some((STATE_OF_DISK, "BackupsSuspended")),
        ),
        case(
            "BackupInstances_ResumeBackups",
            "EXEC {T}.resume_backups @id = '{SUB}/resourceGroups/RG-Backup-Prod-NEU/providers/Microsoft.DataProtection/backupVaults\
             /BV-Prod-NEU/backupInstances/aks-portal-prod-neu-aks-portal-prod-neu-4588be4c-ecc2-460e-8c25-b50df0d7ffae'",
            "POST {SUB}/resourceGroups/RG-Backup-Prod-NEU/providers/Microsoft.DataProtection/backupVaults/BV-Prod-NEU\
             /backupInstances/aks-portal-prod-neu-aks-portal-prod-neu-4588be4c-ecc2-460e-8c25-b50df0d7ffae/resumeBackups",
            none(),
            "Succeeded",
            Some((STATE_OF_PORTAL, "ProtectionConfigured")),
        ),
        case(
            "BackupInstances_ResumeProtection",
            "EXEC {T}.resume_protection {V}, \
             @backupInstanceName = 'stcontosoarchive2019-stcontosoarchive2019-86b0523b-0a29-4dd0-a29f-62dac4d4c1ff'",
            "POST {VAULT}/backupInstances/stcontosoarchive2019-stcontosoarchive2019-86b0523b-0a29-4dd0-a29f-62dac4d4c1ff/resumeProtection",
            none(),
            "Succeeded",
            Some((STATE_OF_ARCHIVE, "ProtectionConfigured")),
        ),
        case(
            "BackupInstances_SyncBackupInstance",
            "EXEC {T}.sync_backup_instance {V}, @syncType = 'ForceResync', \
             @backupInstanceName = 'disk-crm-sql-data-disk-crm-sql-data-b4c20d77-aa9f-428e-a9f7-158a27944974'",
            "POST {VAULT}/backupInstances/disk-crm-sql-data-disk-crm-sql-data-b4c20d77-aa9f-428e-a9f7-158a27944974/sync",
            json!({"syncType": "ForceResync"}),
            "Succeeded",
            Some((STATE_OF_CRM, "ProtectionConfigured")),
        ),
        case(
            "BackupInstances_TriggerRehydrate",
            "EXEC {T}.trigger_rehydrate {D}, @recoveryPointId = '{P}', @rehydrationPriority = 'High', @rehydrationRetentionDuration = 'P10D'",
            "POST {VAULT}/backupInstances/{DISK}/rehydrate",
            json!({"recoveryPointId": "{P}", "rehydrationPriority": "High", "rehydrationRetentionDuration": "P10D"}),
            "Succeeded",
            None,
        ),
        case(
            "BackupInstances_TriggerRestore",
            "EXEC {T}.trigger_restore {D} @@json = '{BODY}'",
            "POST {VAULT}/backupInstances/{DISK}/restore",
            restore(),
            "Succeeded",
            Some((
                "SELECT count(*) FROM azure.data_protection.vw_jobs WHERE backup_instance_name = '{DISK}' AND operation_category = 'Restore'",
                "1",
            )),
        ),
        case(
            "BackupInstances_TriggerCrossRegionRestore",
            "EXEC {T}.trigger_cross_region_restore @subscriptionId = '{S}', @resourceGroupName = 'rg-backup-prod-weu', \
             @location = 'northeurope' @@json = '{BODY}'",
            "POST {SUB}/resourceGroups/rg-backup-prod-weu/providers/Microsoft.DataProtection/locations/northeurope/crossRegionRestore",
            cross_region(),
            "Succeeded",
            Some((
                "SELECT count(*) FROM azure.data_protection.vw_jobs WHERE backup_instance_name = '{DISK}' AND operation_category = 'Restore'",
                "1",
            )),
        ),
        case(
            "BackupInstances_ValidateCrossRegionRestore",
            "EXEC {T}.validate_cross_region_restore @subscriptionId = '{S}', @resourceGroupName = 'rg-backup-prod-weu', \
             @location = 'northeurope' @@json = '{BODY}'",
            "POST {SUB}/resourceGroups/rg-backup-prod-weu/providers/Microsoft.DataProtection/locations/northeurope/validateCrossRegionRestore",
            cross_region(),
            "Succeeded",
            None,
        ),
        case(
            "BackupInstances_ValidateForBackup",
            "EXEC {T}.validate_for_backup {V} @@json = '{BODY}'",
            "POST {VAULT}/validateForBackup",
            wanted(new_instance()),
            "Succeeded",
            None,
        ),
        case(
            "BackupInstances_ValidateForModifyBackup",
            "EXEC {T}.validate_for_modify_backup {D} @@json = '{BODY}'",
            "POST {VAULT}/backupInstances/{DISK}/validateForModifyBackup",
            wanted(new_instance()),
            "Succeeded",
            None,
        ),
        case(
            "BackupInstances_ValidateForRestore",
            "EXEC {T}.validate_for_restore {D}, @restoreRequestObject = '{RESTORE}'",
            "POST {VAULT}/backupInstances/{DISK}/validateRestore",
            json!({"restoreRequestObject": restore()}),
            "Succeeded",
            None,
        ),
    ]
}

const STATE_OF_DISK: &str =
    "SELECT properties.currentProtectionState FROM {T} WHERE name = '{DISK}'";
const STATE_OF_PORTAL: &str = "SELECT properties.currentProtectionState FROM {T} WHERE properties.friendlyName = 'aks-portal-prod-neu'";
const STATE_OF_ARCHIVE: &str = "SELECT properties.currentProtectionState FROM {T} WHERE properties.friendlyName = 'stcontosoarchive2019'";
const STATE_OF_CRM: &str = "SELECT properties.currentProtectionState FROM {T} WHERE properties.friendlyName = 'disk-crm-sql-data'";

/// What is wrong with a case, if anything.
async fn judge(rig: &Rig, case: &Case, point: &str) -> Result<(), String> {
    let wanted = filled_value(&case.body, point);
    let text = |value: &Value| filled(&value.to_string(), point).replace('\'', "''");
    let sql = filled(case.sql, point)
        .replace("{PROPERTIES}", &text(&new_instance()))
        .replace("{POLICY}", &text(&others::policy()))
        .replace("{RESTORE}", &text(&restore()))
        .replace("{BODY}", &text(&case.body));
    rig.emulator.reset().unwrap();
    let answer = act(rig, &sql)
        .await
        .map_err(|error| format!("{error} {:?}\n  {sql}", error.diagnostic()))?;
    let sent = writes(rig);
    let [sent] = sent.as_slice() else {
        return Err(format!("{} writes: {sent:?}", sent.len()));
    };
    let request = format!("{}?api-version=2026-06-01", filled(case.request, point));
    if line(sent) != request {
        return Err(format!("{} instead of {request}", line(sent)));
    }
    if sent.operation.as_deref() != Some(case.operation) || body(sent) != wanted {
        return Err(format!(
            "{:?} {} instead of {wanted}",
            sent.operation,
            body(sent)
        ));
    }
    let json = sent.content_type.as_deref() == Some("application/json");
    if json == wanted.is_null() {
        return Err(format!(
            "content type {:?} with {wanted}",
            sent.content_type
        ));
    }
    let ledger = rig.emulator.ledger();
    if case.status.is_empty() {
        if !ledger.is_empty() || answer.columns.iter().any(|name| name == "operation") {
            return Err(format!("a read with effects: {ledger:?}"));
        }
        return Ok(());
    }
    let status = answer.column("status");
    if status != [Some(case.status)] {
        return Err(format!("status {status:?}: {:?}", answer.rows));
    }
    if sent.client_request_id.is_none() {
        return Err("no x-ms-client-request-id".to_owned());
    }
    if let Some((query, expected)) = case.effect {
        if ledger.len() != 1 || ledger[0].client_request_id != sent.client_request_id {
            return Err(format!("the ledger: {ledger:?}"));
        }
        let shown = ask(&session(rig), &filled(query, point)).await;
        let shown = shown.map_err(|error| error.to_string())?.sorted();
        if shown != [expected] {
            return Err(format!("the state shows {shown:?} instead of {expected}"));
        }
    }
    Ok(())
}

#[test]
fn each_method_sends_its_request_and_has_its_effect() {
    run(async {
        let rig = rig(fast("demo")).await;
        let points = format!(
            "SELECT name FROM azure.data_protection.recovery_points WHERE subscriptionId = '{}' AND resourceGroupName = \
             'rg-backup-prod-weu' AND vaultName = 'bv-prod-weu' AND backupInstanceName = '{}' ORDER BY name LIMIT 1",
            SUBSCRIPTION.trim_start_matches("/subscriptions/"),
            super::DISK_NAME
        );
        let point = rig.rows(&points).await.value().to_owned();
        let mut failures = Vec::new();
        let cases: Vec<Case> = of_instances().into_iter().chain(others::cases()).collect();
        for case in &cases {
            if let Err(failure) = judge(&rig, case, &point).await {
                failures.push(format!("{}: {failure}", case.operation));
            }
        }
        report(&format!(
            "{} requests by statements, {} failures",
            cases.len(),
            failures.len()
        ));
        assert!(failures.is_empty(), "{}", failures.join("\n"));
    });
}
