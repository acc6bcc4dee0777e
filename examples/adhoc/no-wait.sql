-- Backup-AzDataProtectionBackupInstanceAdhoc -NoWait: the row says Accepted, and its `operation_id` is for later.
-- Collected by `restable operations wait ID`, also from another shell and after this one is gone.
--   Backup-AzDataProtectionBackupInstanceAdhoc -InputObject $instance -BackupRuleOptionRuleName BackupHourly -NoWait
--   restable exec --emulator -f examples/adhoc/no-wait.sql

EXEC /*+ NOWAIT */ azure.data_protection.backup_instances.adhoc_backup
  @id = '/subscriptions/2c9e74d1-0b35-4a8f-8d16-7f92e3b5c002/resourceGroups/rg-dev-shared/providers/Microsoft.DataProtection/backupVaults/bv-dev-weu/backupInstances/disk-build-agent-01-disk-build-agent-01-28e627ad-e62a-4caa-a2a3-3e87ee1c54ad',
  @backupRuleOptions.ruleName = 'BackupHourly';
