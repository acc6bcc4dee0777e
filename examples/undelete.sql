-- Somebody deleted a backup. What is soft-deleted in the whole tenant and how long it can be had back; then one instance comes
-- back, and its protection is resumed (undelete leaves it stopped).
--   restable exec --emulator -v instance=disk-print-spool -f examples/undelete.sql

USE azure.data_protection;

SELECT vaultName AS vault, properties.friendlyName AS friendly_name,
       properties.deletionInfo.deletionTime AS deleted_at,
       properties.deletionInfo.scheduledPurgeTime AS purged_at
FROM deleted_backup_instances
ORDER BY purged_at;

EXEC deleted_backup_instances.undelete
FOR EACH (SELECT id FROM deleted_backup_instances WHERE properties.friendlyName = :instance);

EXEC backup_instances.resume_protection
FOR EACH (
  SELECT id FROM vw_backup_instances
  WHERE friendly_name = :instance AND current_protection_state = 'ProtectionStopped'
);

SELECT vault_name, friendly_name, current_protection_state
FROM vw_backup_instances
WHERE friendly_name = :instance;
