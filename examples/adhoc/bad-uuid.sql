-- Backup-AzDataProtectionBackupInstanceAdhoc with a subscription that is no UUID: refused, and nothing is sent.
--   Backup-AzDataProtectionBackupInstanceAdhoc -SubscriptionId contoso-development -ResourceGroupName $rg -VaultName $vault -BackupInstanceName $name -BackupRuleOptionRuleName BackupHourly
--   restable exec --emulator -f examples/adhoc/bad-uuid.sql

EXEC azure.data_protection.backup_instances.adhoc_backup
  @subscriptionId = 'contoso-development',
  @resourceGroupName = 'rg-dev-shared',
  @vaultName = 'bv-dev-weu',
  @backupInstanceName = 'disk-build-agent-01-disk-build-agent-01-28e627ad-e62a-4caa-a2a3-3e87ee1c54ad',
  @backupRuleOptions.ruleName = 'BackupHourly';
