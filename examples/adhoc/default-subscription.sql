-- Backup-AzDataProtectionBackupInstanceAdhoc without -SubscriptionId: the one of the context.
-- Here that is `--subscription`, else `AZURE_SUBSCRIPTION_ID`, else the subscription of the Azure CLI.
--   Set-AzContext -Subscription 2c9e74d1-0b35-4a8f-8d16-7f92e3b5c002
--     Backup-AzDataProtectionBackupInstanceAdhoc -ResourceGroupName $rg -VaultName $vault -BackupInstanceName $name -BackupRuleOptionRuleName BackupHourly
--   restable exec --emulator --subscription 2c9e74d1-0b35-4a8f-8d16-7f92e3b5c002 -f examples/adhoc/default-subscription.sql

EXEC azure.data_protection.backup_instances.adhoc_backup
  @resourceGroupName = 'rg-dev-shared',
  @vaultName = 'bv-dev-weu',
  @backupInstanceName = 'disk-build-agent-01-disk-build-agent-01-28e627ad-e62a-4caa-a2a3-3e87ee1c54ad',
  @backupRuleOptions.ruleName = 'BackupHourly';
