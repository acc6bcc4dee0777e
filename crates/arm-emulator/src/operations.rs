//! Owns the table: every operation of the emulated API is one row of it. What a row does is written elsewhere, and
//! only if it has behaviour of its own.

use crate::long_running::Started;
use crate::request::Call;
use crate::state::{Answer, World};
use crate::store::Kind;
use crate::{
    arm::Problem, guards, instance_actions, instances, jobs, long_running, policies,
    recovery_points, restores, services, subscriptions, vaults,
};

/// The api-versions of Microsoft.DataProtection that are answered.
pub(crate) const API_VERSIONS: [&str; 30] = [
    "2021-01-01",
    "2021-02-01-preview",
    "2021-07-01",
    "2021-10-01-preview",
    "2021-12-01-preview",
    "2022-01-01",
    "2022-03-01",
    "2022-03-31-preview",
    "2022-04-01",
    "2022-05-01",
    "2022-09-01-preview",
    "2022-10-01-preview",
    "2022-11-01-preview",
    "2022-12-01",
    "2023-01-01",
    "2023-05-01",
    "2023-11-01",
    "2023-12-01",
    "2024-03-01",
    "2024-04-01",
    "2025-01-01",
    "2025-02-01",
    "2025-07-01",
    "2025-08-15-preview",
    "2025-09-01",
    "2026-03-01",
    "2026-04-01-preview",
    "2026-06-01",
    "2023-04-01-preview",
    "2024-02-01-preview",
];

/// One operation of the API.
#[derive(Debug)]
pub(crate) struct Operation {
    pub(crate) id: &'static str,
    pub(crate) verb: Verb,
    /// The template of the path; `{*name}` takes any number of segments and stands first.
    pub(crate) path: &'static str,
    /// The oldest api-version that has it.
    pub(crate) since: &'static str,
    pub(crate) owner: Owner,
    pub(crate) style: Style,
    pub(crate) meter: Meter,
    pub(crate) run: Run,
}

/// The method of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verb {
    Get,
    Head,
    Put,
    Post,
    Patch,
    Delete,
}

/// Who answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Owner {
    ResourceManager,
    DataProtection,
}

/// How an operation is answered, and how many seconds a long-running one took on Azure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Style {
    /// At once.
    Direct,
    /// 201 with a body and `Azure-AsyncOperation` only.
    Created { seconds: u32 },
    /// 202 without a body, status below the vault, result below the region.
    Accepted { seconds: u32 },
    /// 202, status below the resource group's region.
    AcceptedInGroup { seconds: u32 },
    /// 202, status below the subscription's region.
    AcceptedInSubscription { seconds: u32 },
    /// 202 with `Location` and `Retry-After` only.
    LocationOnly { seconds: u32 },
}

/// The counter of remaining requests that an answer shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Meter {
    pub(crate) header: &'static str,
    /// The value before the first request.
    pub(crate) start: u32,
    /// `x-ms-throttling-version`.
    pub(crate) version: Option<&'static str>,
}

/// What a row does.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Run {
    /// A page of the resources of a kind.
    List(Kind),
    /// One resource of a kind.
    One(Kind),
    /// Its own code, answered at once.
    Own(fn(&mut World, &Call) -> Result<Answer, Problem>),
    /// Its own code, which starts a long-running operation.
    Start(fn(&mut World, &Call) -> Result<Started, Problem>),
}

impl Operation {
    /// Whether a disabled subscription refuses it.
    pub(crate) fn writes(&self) -> bool {
        match self.verb {
            Verb::Get | Verb::Head => false,
            Verb::Put | Verb::Patch | Verb::Delete => true,
            Verb::Post => matches!(self.run, Run::Start(_)) || self.path.ends_with("/undelete"),
        }
    }

    /// `backupVaults/backupInstances`: the type as error messages name it.
    pub(crate) fn resource_type(&self) -> String {
        let path = self
            .path
            .rsplit_once("Microsoft.DataProtection/")
            .map_or("", |(_, rest)| rest);
        path.split('/')
            .filter(|segment| !segment.starts_with('{'))
            .collect::<Vec<_>>()
            .join("/")
    }
}

const RESOURCE: &str = "x-ms-ratelimit-remaining-subscription-resource-requests";
const READS: Meter = Meter {
    header: RESOURCE,
    start: 1100,
    version: Some("v1"),
};
const WRITES: Meter = Meter {
    header: RESOURCE,
    start: 800,
    version: Some("v1"),
};
const VAULT_WRITES: Meter = Meter {
    header: RESOURCE,
    start: 800,
    version: Some("v1"),
};
const POLLS: Meter = Meter {
    header: RESOURCE,
    start: 1100,
    version: None,
};
const ACTIONS: Meter = Meter {
    header: "x-ms-ratelimit-remaining-subscription-writes",
    start: 800,
    version: Some("v2"),
};
const PROXY_DELETES: Meter = Meter {
    header: "x-ms-ratelimit-remaining-subscription-deletes",
    start: 800,
    version: Some("v2"),
};
const TENANT_READS: Meter = Meter {
    header: "x-ms-ratelimit-remaining-tenant-reads",
    start: 250,
    version: None,
};
const ARM_READS: Meter = Meter {
    header: "x-ms-ratelimit-remaining-subscription-reads",
    start: 250,
    version: None,
};
const ARM_WRITES: Meter = Meter {
    header: "x-ms-ratelimit-remaining-subscription-writes",
    start: 200,
    version: None,
};
const ARM_DELETES: Meter = Meter {
    header: "x-ms-ratelimit-remaining-subscription-deletes",
    start: 200,
    version: None,
};

macro_rules! base {
    ($rest:literal) => {
        concat!(
            "/subscriptions/{subscriptionId}/resourceGroups/{resourceGroupName}/providers/Microsoft.DataProtection",
            $rest
        )
    };
}

macro_rules! vault {
    ($rest:literal) => {
        concat!(
            "/subscriptions/{subscriptionId}/resourceGroups/{resourceGroupName}/providers/Microsoft.DataProtection",
            "/backupVaults/{vaultName}",
            $rest
        )
    };
}

macro_rules! instance {
    ($rest:literal) => {
        concat!(
            "/subscriptions/{subscriptionId}/resourceGroups/{resourceGroupName}/providers/Microsoft.DataProtection",
            "/backupVaults/{vaultName}/backupInstances/{backupInstanceName}",
            $rest
        )
    };
}

const fn arm(
    id: &'static str,
    verb: Verb,
    path: &'static str,
    meter: Meter,
    run: Run,
) -> Operation {
    Operation {
        id,
        verb,
        path,
        since: "",
        owner: Owner::ResourceManager,
        style: Style::Direct,
        meter,
        run,
    }
}

const fn row(
    id: &'static str,
    verb: Verb,
    path: &'static str,
    style: Style,
    meter: Meter,
    run: Run,
) -> Operation {
    Operation {
        id,
        verb,
        path,
        since: "2021-01-01",
        owner: Owner::DataProtection,
        style,
        meter,
        run,
    }
}

const fn since(version: &'static str, row: Operation) -> Operation {
    Operation {
        since: version,
        ..row
    }
}

/// Every operation that is answered.
#[rustfmt::skip]
pub(crate) static OPERATIONS: &[Operation] = &[
    arm("Subscriptions_List", Verb::Get, "/subscriptions", TENANT_READS, Run::Own(subscriptions::list)),
    arm("Subscriptions_Get", Verb::Get, "/subscriptions/{subscriptionId}", ARM_READS, Run::Own(subscriptions::one)),
    arm("Subscriptions_ListLocations", Verb::Get, "/subscriptions/{subscriptionId}/locations", ARM_READS, Run::Own(subscriptions::locations)),
    arm("ResourceGroups_List", Verb::Get, "/subscriptions/{subscriptionId}/resourceGroups", ARM_READS, Run::List(Kind::Group)),
    arm("ResourceGroups_Get", Verb::Get, "/subscriptions/{subscriptionId}/resourceGroups/{resourceGroupName}", ARM_READS, Run::One(Kind::Group)),
    arm("ResourceGroups_CheckExistence", Verb::Head, "/subscriptions/{subscriptionId}/resourceGroups/{resourceGroupName}", ARM_READS, Run::Own(subscriptions::group_exists)),
    arm("ResourceGroups_CreateOrUpdate", Verb::Put, "/subscriptions/{subscriptionId}/resourceGroups/{resourceGroupName}", ARM_WRITES, Run::Own(subscriptions::put_group)),
    arm("ResourceGroups_Delete", Verb::Delete, "/subscriptions/{subscriptionId}/resourceGroups/{resourceGroupName}", ARM_DELETES, Run::Own(subscriptions::delete_group)),
    row("Operations_List", Verb::Get, "/providers/Microsoft.DataProtection/operations", Style::Direct, TENANT_READS, Run::Own(services::operations)),
    row("BackupVaults_GetInSubscription", Verb::Get, "/subscriptions/{subscriptionId}/providers/Microsoft.DataProtection/backupVaults", Style::Direct, READS, Run::List(Kind::Vault)),
    row("BackupVaults_GetInResourceGroup", Verb::Get, base!("/backupVaults"), Style::Direct, READS, Run::List(Kind::Vault)),
    row("BackupVaults_Get", Verb::Get, vault!(""), Style::Direct, READS, Run::One(Kind::Vault)),
    row("BackupVaults_CreateOrUpdate", Verb::Put, vault!(""), Style::Created { seconds: 1 }, VAULT_WRITES, Run::Start(vaults::put)),
    row("BackupVaults_Update", Verb::Patch, vault!(""), Style::Accepted { seconds: 1 }, VAULT_WRITES, Run::Start(vaults::patch)),
    row("BackupVaults_Delete", Verb::Delete, vault!(""), Style::AcceptedInGroup { seconds: 1 }, VAULT_WRITES, Run::Start(vaults::delete)),
    row("BackupVaults_CheckNameAvailability", Verb::Post, base!("/locations/{location}/checkNameAvailability"), Style::Direct, ACTIONS, Run::Own(vaults::check_name)),
    row("BackupVaultOperationResults_Get", Verb::Get, vault!("/operationResults/{operationId}"), Style::Direct, POLLS, Run::Own(long_running::vault_result)),
    row("OperationStatusBackupVaultContext_Get", Verb::Get, vault!("/operationStatus/{operationId}"), Style::Direct, READS, Run::Own(long_running::status)),
    row("OperationStatusResourceGroupContext_Get", Verb::Get, base!("/operationStatus/{operationId}"), Style::Direct, READS, Run::Own(long_running::status)),
    row("OperationStatusResourceGroupContext_GetInLocation", Verb::Get, base!("/locations/{location}/operationStatus/{operationId}"), Style::Direct, READS, Run::Own(long_running::status)),
    row("OperationStatus_Get", Verb::Get, "/subscriptions/{subscriptionId}/providers/Microsoft.DataProtection/locations/{location}/operationStatus/{operationId}", Style::Direct, READS, Run::Own(long_running::status)),
    row("OperationResult_Get", Verb::Get, "/subscriptions/{subscriptionId}/providers/Microsoft.DataProtection/locations/{location}/operationResults/{operationId}", Style::Direct, POLLS, Run::Own(long_running::result)),
    row("BackupPolicies_List", Verb::Get, vault!("/backupPolicies"), Style::Direct, READS, Run::List(Kind::Policy)),
    row("BackupPolicies_Get", Verb::Get, vault!("/backupPolicies/{backupPolicyName}"), Style::Direct, READS, Run::One(Kind::Policy)),
    row("BackupPolicies_CreateOrUpdate", Verb::Put, vault!("/backupPolicies/{backupPolicyName}"), Style::Direct, WRITES, Run::Own(policies::put)),
    row("BackupPolicies_Delete", Verb::Delete, vault!("/backupPolicies/{backupPolicyName}"), Style::Direct, WRITES, Run::Own(policies::delete)),
    row("BackupInstances_List", Verb::Get, vault!("/backupInstances"), Style::Direct, READS, Run::List(Kind::Instance)),
    row("BackupInstances_Get", Verb::Get, instance!(""), Style::Direct, READS, Run::Own(instances::one)),
    row("BackupInstances_CreateOrUpdate", Verb::Put, instance!(""), Style::Created { seconds: 2 }, WRITES, Run::Start(instances::put)),
    row("BackupInstances_Delete", Verb::Delete, instance!(""), Style::Accepted { seconds: 90 }, WRITES, Run::Start(instances::delete)),
    row("BackupInstances_AdhocBackup", Verb::Post, instance!("/backup"), Style::Accepted { seconds: 1 }, ACTIONS, Run::Start(instance_actions::backup)),
    row("BackupInstances_GetBackupInstanceOperationResult", Verb::Get, instance!("/operationResults/{operationId}"), Style::Direct, POLLS, Run::Own(long_running::instance_result)),
    row("BackupInstances_ResumeBackups", Verb::Post, instance!("/resumeBackups"), Style::Accepted { seconds: 45 }, ACTIONS, Run::Start(instance_actions::resume_backups)),
    row("BackupInstances_ResumeProtection", Verb::Post, instance!("/resumeProtection"), Style::Accepted { seconds: 60 }, ACTIONS, Run::Start(instance_actions::resume_protection)),
    row("BackupInstances_StopProtection", Verb::Post, instance!("/stopProtection"), Style::Accepted { seconds: 49 }, ACTIONS, Run::Start(instance_actions::stop_protection)),
    row("BackupInstances_SuspendBackups", Verb::Post, instance!("/suspendBackups"), Style::Accepted { seconds: 42 }, ACTIONS, Run::Start(instance_actions::suspend_backups)),
    row("BackupInstances_SyncBackupInstance", Verb::Post, instance!("/sync"), Style::Accepted { seconds: 20 }, ACTIONS, Run::Start(instance_actions::sync)),
    row("BackupInstances_TriggerRehydrate", Verb::Post, instance!("/rehydrate"), Style::Accepted { seconds: 2 }, ACTIONS, Run::Start(restores::rehydrate)),
    row("BackupInstances_TriggerRestore", Verb::Post, instance!("/restore"), Style::Accepted { seconds: 2 }, ACTIONS, Run::Start(restores::restore)),
    row("BackupInstances_ValidateForBackup", Verb::Post, vault!("/validateForBackup"), Style::Accepted { seconds: 30 }, ACTIONS, Run::Start(instances::validate_for_backup)),
    row("BackupInstances_ValidateForRestore", Verb::Post, instance!("/validateRestore"), Style::Accepted { seconds: 30 }, ACTIONS, Run::Start(restores::validate)),
    since("2025-07-01", row("BackupInstances_ValidateForModifyBackup", Verb::Post, instance!("/validateForModifyBackup"), Style::Accepted { seconds: 30 }, ACTIONS, Run::Start(instances::validate_for_modify))),
    row("BackupInstances_TriggerCrossRegionRestore", Verb::Post, base!("/locations/{location}/crossRegionRestore"), Style::AcceptedInSubscription { seconds: 2 }, ACTIONS, Run::Start(restores::cross_region)),
    row("BackupInstances_ValidateCrossRegionRestore", Verb::Post, base!("/locations/{location}/validateCrossRegionRestore"), Style::AcceptedInSubscription { seconds: 30 }, ACTIONS, Run::Start(restores::validate_cross_region)),
    row("BackupInstancesExtensionRouting_List", Verb::Get, "/{*resourceId}/providers/Microsoft.DataProtection/backupInstances", Style::Direct, READS, Run::Own(instances::of_datasource)),
    row("DeletedBackupInstances_List", Verb::Get, vault!("/deletedBackupInstances"), Style::Direct, READS, Run::List(Kind::DeletedInstance)),
    row("DeletedBackupInstances_Get", Verb::Get, vault!("/deletedBackupInstances/{backupInstanceName}"), Style::Direct, READS, Run::One(Kind::DeletedInstance)),
    row("DeletedBackupInstances_Undelete", Verb::Post, vault!("/deletedBackupInstances/{backupInstanceName}/undelete"), Style::Direct, ACTIONS, Run::Own(instances::undelete)),
    since("2025-09-01", row("DeletedBackupVaults_ListByLocation", Verb::Get, "/subscriptions/{subscriptionId}/providers/Microsoft.DataProtection/locations/{location}/deletedVaults", Style::Direct, READS, Run::List(Kind::DeletedVault))),
    since("2025-09-01", row("DeletedBackupVaults_Get", Verb::Get, "/subscriptions/{subscriptionId}/providers/Microsoft.DataProtection/locations/{location}/deletedVaults/{deletedVaultName}", Style::Direct, READS, Run::One(Kind::DeletedVault))),
    row("Jobs_List", Verb::Get, vault!("/backupJobs"), Style::Direct, READS, Run::List(Kind::Job)),
    row("Jobs_Get", Verb::Get, vault!("/backupJobs/{jobId}"), Style::Direct, READS, Run::Own(jobs::one)),
    row("ExportJobs_Trigger", Verb::Post, vault!("/exportBackupJobs"), Style::LocationOnly { seconds: 5 }, ACTIONS, Run::Start(services::export_jobs)),
    row("ExportJobsOperationResult_Get", Verb::Get, vault!("/backupJobs/operations/{operationId}"), Style::Direct, POLLS, Run::Own(long_running::export_result)),
    row("RecoveryPoints_List", Verb::Get, instance!("/recoveryPoints"), Style::Direct, READS, Run::Own(recovery_points::list)),
    row("RecoveryPoints_Get", Verb::Get, instance!("/recoveryPoints/{recoveryPointId}"), Style::Direct, READS, Run::Own(recovery_points::one)),
    row("RestorableTimeRanges_Find", Verb::Post, instance!("/findRestorableTimeRanges"), Style::Direct, ACTIONS, Run::Own(recovery_points::time_ranges)),
    row("FetchSecondaryRecoveryPoints_List", Verb::Post, base!("/locations/{location}/fetchSecondaryRecoveryPoints"), Style::Direct, ACTIONS, Run::Own(recovery_points::secondary)),
    row("FetchSecondaryRecoveryPoints_ListNext", Verb::Get, base!("/locations/{location}/fetchSecondaryRecoveryPoints"), Style::Direct, READS, Run::Own(recovery_points::secondary)),
    row("FetchCrossRegionRestoreJob_Get", Verb::Post, base!("/locations/{location}/fetchCrossRegionRestoreJob"), Style::Direct, ACTIONS, Run::Own(jobs::cross_region_one)),
    row("FetchCrossRegionRestoreJobs_List", Verb::Post, base!("/locations/{location}/fetchCrossRegionRestoreJobs"), Style::Direct, ACTIONS, Run::Own(jobs::cross_region_list)),
    row("FetchCrossRegionRestoreJobs_ListNext", Verb::Get, base!("/locations/{location}/fetchCrossRegionRestoreJobs"), Style::Direct, READS, Run::Own(jobs::cross_region_list)),
    row("DppResourceGuardProxy_List", Verb::Get, vault!("/backupResourceGuardProxies"), Style::Direct, READS, Run::List(Kind::Proxy)),
    row("DppResourceGuardProxy_Get", Verb::Get, vault!("/backupResourceGuardProxies/{resourceGuardProxyName}"), Style::Direct, READS, Run::One(Kind::Proxy)),
    row("DppResourceGuardProxy_CreateOrUpdate", Verb::Put, vault!("/backupResourceGuardProxies/{resourceGuardProxyName}"), Style::Direct, WRITES, Run::Own(guards::put_proxy)),
    row("DppResourceGuardProxy_Delete", Verb::Delete, vault!("/backupResourceGuardProxies/{resourceGuardProxyName}"), Style::Direct, PROXY_DELETES, Run::Own(guards::delete_proxy)),
    row("DppResourceGuardProxy_UnlockDelete", Verb::Post, vault!("/backupResourceGuardProxies/{resourceGuardProxyName}/unlockDelete"), Style::Direct, ACTIONS, Run::Own(guards::unlock_delete)),
    row("ResourceGuards_GetResourcesInSubscription", Verb::Get, "/subscriptions/{subscriptionId}/providers/Microsoft.DataProtection/resourceGuards", Style::Direct, READS, Run::List(Kind::Guard)),
    row("ResourceGuards_GetResourcesInResourceGroup", Verb::Get, base!("/resourceGuards"), Style::Direct, READS, Run::List(Kind::Guard)),
    row("ResourceGuards_Get", Verb::Get, base!("/resourceGuards/{resourceGuardsName}"), Style::Direct, READS, Run::One(Kind::Guard)),
    row("ResourceGuards_Put", Verb::Put, base!("/resourceGuards/{resourceGuardsName}"), Style::Direct, WRITES, Run::Own(guards::put)),
    row("ResourceGuards_Patch", Verb::Patch, base!("/resourceGuards/{resourceGuardsName}"), Style::Direct, WRITES, Run::Own(guards::patch)),
    row("ResourceGuards_Delete", Verb::Delete, base!("/resourceGuards/{resourceGuardsName}"), Style::Direct, WRITES, Run::Own(guards::delete)),
    row("ResourceGuards_GetDeleteResourceGuardProxyRequestsObjects", Verb::Get, base!("/resourceGuards/{resourceGuardsName}/deleteResourceGuardProxyRequests"), Style::Direct, READS, Run::Own(guards::requests)),
    row("ResourceGuards_GetDefaultDeleteResourceGuardProxyRequestsObject", Verb::Get, base!("/resourceGuards/{resourceGuardsName}/deleteResourceGuardProxyRequests/{requestName}"), Style::Direct, READS, Run::Own(guards::request)),
    row("ResourceGuards_GetDisableSoftDeleteRequestsObjects", Verb::Get, base!("/resourceGuards/{resourceGuardsName}/disableSoftDeleteRequests"), Style::Direct, READS, Run::Own(guards::requests)),
    row("ResourceGuards_GetDefaultDisableSoftDeleteRequestsObject", Verb::Get, base!("/resourceGuards/{resourceGuardsName}/disableSoftDeleteRequests/{requestName}"), Style::Direct, READS, Run::Own(guards::request)),
    row("ResourceGuards_GetUpdateProtectedItemRequestsObjects", Verb::Get, base!("/resourceGuards/{resourceGuardsName}/updateProtectedItemRequests"), Style::Direct, READS, Run::Own(guards::requests)),
    row("ResourceGuards_GetDefaultUpdateProtectedItemRequestsObject", Verb::Get, base!("/resourceGuards/{resourceGuardsName}/updateProtectedItemRequests/{requestName}"), Style::Direct, READS, Run::Own(guards::request)),
    row("ResourceGuards_GetUpdateProtectionPolicyRequestsObjects", Verb::Get, base!("/resourceGuards/{resourceGuardsName}/updateProtectionPolicyRequests"), Style::Direct, READS, Run::Own(guards::requests)),
    row("ResourceGuards_GetDefaultUpdateProtectionPolicyRequestsObject", Verb::Get, base!("/resourceGuards/{resourceGuardsName}/updateProtectionPolicyRequests/{requestName}"), Style::Direct, READS, Run::Own(guards::request)),
    row("ResourceGuards_GetDeleteProtectedItemRequestsObjects", Verb::Get, base!("/resourceGuards/{resourceGuardsName}/deleteProtectedItemRequests"), Style::Direct, READS, Run::Own(guards::requests)),
    row("ResourceGuards_GetDefaultDeleteProtectedItemRequestsObject", Verb::Get, base!("/resourceGuards/{resourceGuardsName}/deleteProtectedItemRequests/{requestName}"), Style::Direct, READS, Run::Own(guards::request)),
    row("ResourceGuards_GetBackupSecurityPINRequestsObjects", Verb::Get, base!("/resourceGuards/{resourceGuardsName}/getBackupSecurityPINRequests"), Style::Direct, READS, Run::Own(guards::requests)),
    row("ResourceGuards_GetDefaultBackupSecurityPINRequestsObject", Verb::Get, base!("/resourceGuards/{resourceGuardsName}/getBackupSecurityPINRequests/{requestName}"), Style::Direct, READS, Run::Own(guards::request)),
    row("DataProtection_CheckFeatureSupport", Verb::Post, "/subscriptions/{subscriptionId}/providers/Microsoft.DataProtection/locations/{location}/checkFeatureSupport", Style::Direct, ACTIONS, Run::Own(services::feature_support)),
];
