//! Requests of the other tables: one operation of each kind.

use serde_json::{Value, json};

use super::{Case, case};

pub(super) fn policy() -> Value {
    json!({
        "objectType": "BackupPolicy",
        "datasourceTypes": ["Microsoft.Compute/disks"],
        "policyRules": [
            {
                "objectType": "AzureBackupRule",
                "name": "BackupHourly",
                "dataStore": {"objectType": "DataStoreInfoBase", "dataStoreType": "OperationalStore"},
                "backupParameters": {"objectType": "AzureBackupParams", "backupType": "Incremental"},
                "trigger": {
                    "objectType": "ScheduleBasedTriggerContext",
                    "schedule": {"repeatingTimeIntervals": ["R/2026-05-02T05:30:00+00:00/PT4H"]},
                    "taggingCriteria": [{"isDefault": true, "taggingPriority": 99, "tagInfo": {"tagName": "Default"}}],
                },
            },
            {
                "objectType": "AzureRetentionRule",
                "name": "Default",
                "isDefault": true,
                "lifecycles": [{
                    "deleteAfter": {"objectType": "AbsoluteDeleteOption", "duration": "P7D"},
                    "sourceDataStore": {"objectType": "DataStoreInfoBase", "dataStoreType": "OperationalStore"},
                }],
            },
        ],
    })
}

/// One operation of each other kind.
pub(super) fn cases() -> Vec<Case> {
    let none = || Value::Null;
    vec![
        case(
            "BackupPolicies_CreateOrUpdate",
            "INSERT INTO azure.data_protection.backup_policies (subscriptionId, resourceGroupName, vaultName, backupPolicyName, properties) \
             VALUES ({K}, 'disk-new', '{POLICY}')",
            "PUT {VAULT}/backupPolicies/disk-new",
            json!({"properties": policy()}),
            "Succeeded",
            Some((
                "SELECT count(*) FROM azure.data_protection.backup_policies WHERE name = 'disk-new'",
                "1",
            )),
        ),
        case(
            "BackupPolicies_Delete",
            "DELETE FROM azure.data_protection.backup_policies WHERE {W} AND backupPolicyName = 'no-such-policy'",
            "DELETE {VAULT}/backupPolicies/no-such-policy",
            none(),
            "Absent",
            None,
        ),
        case(
            "BackupVaults_CreateOrUpdate",
            "INSERT INTO azure.data_protection.backup_vaults (subscriptionId, resourceGroupName, vaultName, location, identity.type, properties) \
             VALUES ('{S}', 'rg-backup-prod-weu', 'bv-new', 'westeurope', 'SystemAssigned', \
             '{\"storageSettings\": [{\"datastoreType\": \"VaultStore\", \"type\": \"LocallyRedundant\"}]}')",
            "PUT {SUB}/resourceGroups/rg-backup-prod-weu/providers/Microsoft.DataProtection/backupVaults/bv-new",
            json!({
                "location": "westeurope",
                "identity": {"type": "SystemAssigned"},
                "properties": {"storageSettings": [{"datastoreType": "VaultStore", "type": "LocallyRedundant"}]},
            }),
            "Succeeded",
            Some((
                "SELECT count(*) FROM azure.data_protection.backup_vaults WHERE name = 'bv-new'",
                "1",
            )),
        ),
        case(
            "BackupVaults_Update",
            "UPDATE azure.data_protection.backup_vaults SET tags = '{\"Owner\": \"dpp\"}' WHERE {W}",
            "PATCH {VAULT}",
            json!({"tags": {"Owner": "dpp"}}),
            "Succeeded",
            Some((
                "SELECT tags->>'Owner' FROM azure.data_protection.backup_vaults WHERE name = 'bv-prod-weu'",
                "dpp",
            )),
        ),
        case(
            "BackupVaults_Delete",
            "DELETE FROM azure.data_protection.backup_vaults WHERE subscriptionId = '2c9e74d1-0b35-4a8f-8d16-7f92e3b5c002' \
             AND resourceGroupName = 'rg-dev-sandbox' AND vaultName = 'bv-dev-empty'",
            "DELETE /subscriptions/2c9e74d1-0b35-4a8f-8d16-7f92e3b5c002/resourceGroups/rg-dev-sandbox/providers\
             /Microsoft.DataProtection/backupVaults/bv-dev-empty",
            none(),
            "Succeeded",
            Some((
                "SELECT count(*) FROM azure.data_protection.backup_vaults WHERE name = 'bv-dev-empty'",
                "0",
            )),
        ),
        case(
            "ResourceGuards_Put",
            "INSERT INTO azure.data_protection.resource_guards (subscriptionId, resourceGroupName, resourceGuardsName, location, properties) \
             VALUES ('{S}', 'rg-security', 'guard-new', 'westeurope', '{\"vaultCriticalOperationExclusionList\": []}')",
            "PUT {SUB}/resourceGroups/rg-security/providers/Microsoft.DataProtection/resourceGuards/guard-new",
            json!({"location": "westeurope", "properties": {"vaultCriticalOperationExclusionList": []}}),
            "Succeeded",
            Some((
                "SELECT count(*) FROM azure.data_protection.resource_guards WHERE name = 'guard-new'",
                "1",
            )),
        ),
        case(
            "ResourceGuards_Patch",
            "UPDATE azure.data_protection.resource_guards SET tags.Owner = 'security' WHERE subscriptionId = '{S}' \
             AND resourceGroupName = 'rg-security' AND resourceGuardsName = 'guard-contoso-backup'",
            "PATCH {SUB}/resourceGroups/rg-security/providers/Microsoft.DataProtection/resourceGuards/guard-contoso-backup",
            json!({"tags": {"Owner": "security"}}),
            "Succeeded",
            Some((
                "SELECT tags->>'Owner' FROM azure.data_protection.resource_guards",
                "security",
            )),
        ),
        case(
            "ResourceGuards_Delete",
            "DELETE FROM azure.data_protection.resource_guards WHERE id = \
             '{SUB}/resourceGroups/rg-security/providers/Microsoft.DataProtection/resourceGuards/guard-contoso-backup'",
            "DELETE {SUB}/resourceGroups/rg-security/providers/Microsoft.DataProtection/resourceGuards/guard-contoso-backup",
            none(),
            "Succeeded",
            Some((
                "SELECT count(*) FROM azure.data_protection.resource_guards",
                "0",
            )),
        ),
        case(
            "DppResourceGuardProxy_CreateOrUpdate",
            "INSERT INTO azure.data_protection.dpp_resource_guard_proxy (subscriptionId, resourceGroupName, vaultName, \
             resourceGuardProxyName, properties.resourceGuardResourceId) VALUES ({K}, 'DppResourceGuardProxy', \
             '{SUB}/resourceGroups/rg-security/providers/Microsoft.DataProtection/resourceGuards/guard-contoso-backup')",
            "PUT {VAULT}/backupResourceGuardProxies/DppResourceGuardProxy",
            json!({"properties": {"resourceGuardResourceId":
                "{SUB}/resourceGroups/rg-security/providers/Microsoft.DataProtection/resourceGuards/guard-contoso-backup"}}),
            "Succeeded",
            None,
        ),
        case(
            "DppResourceGuardProxy_Delete",
            "DELETE FROM azure.data_protection.dpp_resource_guard_proxy WHERE {W} AND resourceGuardProxyName = 'none'",
            "DELETE {VAULT}/backupResourceGuardProxies/none",
            none(),
            "Absent",
            None,
        ),
        case(
            "DeletedBackupInstances_Undelete",
            "EXEC azure.data_protection.deleted_backup_instances.undelete {V}, \
             @backupInstanceName = 'disk-print-spool-disk-print-spool-9028ad4e-5f02-4288-b02d-edee919ea0c0'",
            "POST {VAULT}/deletedBackupInstances/disk-print-spool-disk-print-spool-9028ad4e-5f02-4288-b02d-edee919ea0c0/undelete",
            none(),
            "Succeeded",
            Some((
                "SELECT count(*) FROM azure.data_protection.deleted_backup_instances",
                "0",
            )),
        ),
        case(
            "ExportJobs_Trigger",
            "EXEC azure.data_protection.export_jobs.trigger {V}",
            "POST {VAULT}/exportBackupJobs",
            none(),
            "Succeeded",
            None,
        ),
        case(
            "RestorableTimeRanges_Find",
            "EXEC azure.data_protection.restorable_time_ranges.find {D}, @sourceDataStoreType = 'OperationalStore', \
             @startTime = '2026-10-01T00:00:00Z', @endTime = '2026-11-01T00:00:00Z'",
            "POST {VAULT}/backupInstances/{DISK}/findRestorableTimeRanges",
            json!({"sourceDataStoreType": "OperationalStore", "startTime": "2026-10-01T00:00:00Z", "endTime": "2026-11-01T00:00:00Z"}),
            "",
            None,
        ),
        case(
            "FetchCrossRegionRestoreJobs_List",
            "EXEC azure.data_protection.fetch_cross_region_restore_jobs.list @subscriptionId = '{S}', \
             @resourceGroupName = 'rg-backup-prod-weu', @location = 'northeurope', @sourceRegion = 'westeurope', \
             @sourceBackupVaultId = '{VAULT}'",
            "POST {SUB}/resourceGroups/rg-backup-prod-weu/providers/Microsoft.DataProtection/locations/northeurope/fetchCrossRegionRestoreJobs",
            json!({"sourceRegion": "westeurope", "sourceBackupVaultId": "{VAULT}"}),
            "",
            None,
        ),
        case(
            "BackupVaults_CheckNameAvailability",
            "EXEC azure.data_protection.backup_vaults.check_name_availability @subscriptionId = '{S}', \
             @resourceGroupName = 'rg-backup-prod-weu', @location = 'westeurope', @name = 'bv-prod-weu', \
             @type = 'Microsoft.DataProtection/backupVaults'",
            "POST {SUB}/resourceGroups/rg-backup-prod-weu/providers/Microsoft.DataProtection/locations/westeurope/checkNameAvailability",
            json!({"name": "bv-prod-weu", "type": "Microsoft.DataProtection/backupVaults"}),
            "",
            None,
        ),
    ]
}
