-- A restore drill for a disk: take the newest recovery point, ask whether it can be restored, restore it as a new disk into a
-- scratch resource group, follow the job, and print the evidence. What was restored is deleted by hand, after a look at it.
--   restable exec --emulator --yes -v vault=bv-data-disks-eus2 -v disk=disk-gitlab-data -v scratch=rg-restore-drill -f examples/restore-drill.sql

USE azure.data_protection;

-- One row: what is restored, and to what. Later statements use the row, so all of them speak of the same recovery point.
CREATE TEMP TABLE drill AS
SELECT i.subscription_id, i.resource_group_name, i.vault_name, i.backup_instance_name, i.friendly_name, i.location,
       r.recovery_point_id, r.recovery_point_time, json_extract(r.data_stores, '$[0]') AS data_store,
       i.friendly_name || '-drill' AS target_name,
       '/subscriptions/' || i.subscription_id || '/resourceGroups/' || :scratch
         || '/providers/Microsoft.Compute/disks/' || i.friendly_name || '-drill' AS target_id
FROM vw_backup_instances i
JOIN vw_recovery_points r
  ON r.subscription_id = i.subscription_id AND r.resource_group_name = i.resource_group_name
 AND r.vault_name = i.vault_name AND r.backup_instance_name = i.backup_instance_name
WHERE i.vault_name = :vault AND i.friendly_name = :disk AND i.datasource_type = 'Microsoft.Compute/disks'
ORDER BY r.recovery_point_time DESC
LIMIT 1;

SELECT vault_name, friendly_name, recovery_point_time, data_store, target_id FROM drill;

EXEC backup_instances.validate_for_restore
  @restoreRequestObject.objectType = 'AzureBackupRecoveryPointBasedRestoreRequest',
  @restoreRequestObject.recoveryPointId = drill.recovery_point_id,
  @restoreRequestObject.sourceDataStoreType = drill.data_store,
  @restoreRequestObject.restoreTargetInfo.objectType = 'RestoreTargetInfo',
  @restoreRequestObject.restoreTargetInfo.recoveryOption = 'FailIfExists',
  @restoreRequestObject.restoreTargetInfo.restoreLocation = drill.location,
  @restoreRequestObject.restoreTargetInfo.datasourceInfo.objectType = 'Datasource',
  @restoreRequestObject.restoreTargetInfo.datasourceInfo.datasourceType = 'Microsoft.Compute/disks',
  @restoreRequestObject.restoreTargetInfo.datasourceInfo.resourceType = 'Microsoft.Compute/disks',
  @restoreRequestObject.restoreTargetInfo.datasourceInfo.resourceID = drill.target_id,
  @restoreRequestObject.restoreTargetInfo.datasourceInfo.resourceUri = drill.target_id,
  @restoreRequestObject.restoreTargetInfo.datasourceInfo.resourceName = drill.target_name,
  @restoreRequestObject.restoreTargetInfo.datasourceInfo.resourceLocation = drill.location
FOR EACH (SELECT * FROM drill) AS drill;

-- A statement that failed ends the script: what cannot be restored is not tried.
EXEC /*+ AWAIT_JOB */ backup_instances.trigger_restore
  @objectType = 'AzureBackupRecoveryPointBasedRestoreRequest',
  @recoveryPointId = drill.recovery_point_id,
  @sourceDataStoreType = drill.data_store,
  @restoreTargetInfo.objectType = 'RestoreTargetInfo',
  @restoreTargetInfo.recoveryOption = 'FailIfExists',
  @restoreTargetInfo.restoreLocation = drill.location,
  @restoreTargetInfo.datasourceInfo.objectType = 'Datasource',
  @restoreTargetInfo.datasourceInfo.datasourceType = 'Microsoft.Compute/disks',
  @restoreTargetInfo.datasourceInfo.resourceType = 'Microsoft.Compute/disks',
  @restoreTargetInfo.datasourceInfo.resourceID = drill.target_id,
  @restoreTargetInfo.datasourceInfo.resourceUri = drill.target_id,
  @restoreTargetInfo.datasourceInfo.resourceName = drill.target_name,
  @restoreTargetInfo.datasourceInfo.resourceLocation = drill.location
FOR EACH (SELECT * FROM drill) AS drill;

-- The evidence: which recovery point, how old it was, what became of the job and how long it took.
SELECT d.friendly_name, d.recovery_point_time, j.status, j.start_time, j.duration_seconds, j.error_message, d.target_id
FROM drill d
JOIN vw_jobs j
  ON j.subscription_id = d.subscription_id AND j.resource_group_name = d.resource_group_name
 AND j.vault_name = d.vault_name AND j.backup_instance_name = d.backup_instance_name
WHERE j.operation_category = 'Restore'
ORDER BY j.start_time DESC
LIMIT 1;
