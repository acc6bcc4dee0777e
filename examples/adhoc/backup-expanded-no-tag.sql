-- Backup-AzDataProtectionBackupInstanceAdhoc, parameter set BackupExpanded: every value by its own name.
-- The retention tag is left to the rule. `triggerOption` must be there all the same, so an empty one is sent.
--   Backup-AzDataProtectionBackupInstanceAdhoc -SubscriptionId $sub -ResourceGroupName $rg -VaultName $vault -BackupInstanceName $name
--     -BackupRuleOptionRuleName BackupHourly
--   restable exec --emulator -f examples/adhoc/backup-expanded-no-tag.sql

EXEC azure.data_protection.backup_instances.adhoc_backup
  @subscriptionId = '2c9e74d1-0b35-4a8f-8d16-7f92e3b5c002',
  @resourceGroupName = 'rg-dev-shared',
  @vaultName = 'bv-dev-weu',
  @backupInstanceName = 'disk-build-agent-01-disk-build-agent-01-28e627ad-e62a-4caa-a2a3-3e87ee1c54ad',
  @backupRuleOptions.ruleName = 'BackupHourly';
