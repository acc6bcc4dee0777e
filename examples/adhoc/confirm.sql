-- Backup-AzDataProtectionBackupInstanceAdhoc -Confirm: the question comes before the request.
-- Where nobody can be asked, the statement is refused; `--yes` after `--confirm` answers for you.
--   Backup-AzDataProtectionBackupInstanceAdhoc -InputObject $instance -BackupRuleOptionRuleName BackupHourly -Confirm
--   restable exec --emulator --confirm -f examples/adhoc/confirm.sql

EXEC azure.data_protection.backup_instances.adhoc_backup
  @id = '/subscriptions/2c9e74d1-0b35-4a8f-8d16-7f92e3b5c002/resourceGroups/rg-dev-shared/providers/Microsoft.DataProtection/backupVaults/bv-dev-weu/backupInstances/disk-build-agent-01-disk-build-agent-01-28e627ad-e62a-4caa-a2a3-3e87ee1c54ad',
  @backupRuleOptions.ruleName = 'BackupHourly';
