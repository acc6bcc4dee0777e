-- Backup-AzDataProtectionBackupInstanceAdhoc: names of resource groups are the same in any case, here and in Azure.
--   Backup-AzDataProtectionBackupInstanceAdhoc -SubscriptionId $sub -ResourceGroupName RG-DEV-SHARED -VaultName $vault -BackupInstanceName $name -BackupRuleOptionRuleName BackupHourly
--   restable exec --emulator -f examples/adhoc/resource-group-case.sql

EXEC azure.data_protection.backup_instances.adhoc_backup
  @subscriptionId = '2c9e74d1-0b35-4a8f-8d16-7f92e3b5c002',
  @resourceGroupName = 'RG-DEV-SHARED',
  @vaultName = 'bv-dev-weu',
  @backupInstanceName = 'disk-build-agent-01-disk-build-agent-01-28e627ad-e62a-4caa-a2a3-3e87ee1c54ad',
  @backupRuleOptions.ruleName = 'BackupHourly';
