-- Backup-AzDataProtectionBackupInstanceAdhoc -AsJob: the backup goes on while other statements run, and is asked for afterwards.
--   $job = Backup-AzDataProtectionBackupInstanceAdhoc -InputObject $instance -BackupRuleOptionRuleName BackupHourly -AsJob
--     …
--     $job | Receive-Job -Wait
--   restable exec --emulator -f examples/adhoc/as-job.sql

EXEC /*+ NOWAIT */ azure.data_protection.backup_instances.adhoc_backup
  @id = '/subscriptions/2c9e74d1-0b35-4a8f-8d16-7f92e3b5c002/resourceGroups/rg-dev-shared/providers/Microsoft.DataProtection/backupVaults/bv-dev-weu/backupInstances/disk-build-agent-01-disk-build-agent-01-28e627ad-e62a-4caa-a2a3-3e87ee1c54ad',
  @backupRuleOptions.ruleName = 'BackupHourly';

SELECT current_protection_state, count(*) AS instances
FROM azure.data_protection.vw_backup_instances
WHERE subscription_id = '2c9e74d1-0b35-4a8f-8d16-7f92e3b5c002' AND vault_name = 'bv-dev-weu'
GROUP BY 1
ORDER BY 1;

SHOW OPERATIONS;

SELECT job_id, status, start_time
FROM azure.data_protection.vw_jobs
WHERE subscription_id = '2c9e74d1-0b35-4a8f-8d16-7f92e3b5c002' AND vault_name = 'bv-dev-weu'
  AND backup_instance_name = 'disk-build-agent-01-disk-build-agent-01-28e627ad-e62a-4caa-a2a3-3e87ee1c54ad'
  AND is_user_triggered;
