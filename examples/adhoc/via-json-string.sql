-- Backup-AzDataProtectionBackupInstanceAdhoc, parameter set BackupViaJsonString: the body as one text, sent as it is.
--   Backup-AzDataProtectionBackupInstanceAdhoc -SubscriptionId $sub -ResourceGroupName $rg -VaultName $vault -BackupInstanceName $name
--     -JsonString $body
--   restable exec --emulator -f examples/adhoc/via-json-string.sql

EXEC azure.data_protection.backup_instances.adhoc_backup
  @subscriptionId = '2c9e74d1-0b35-4a8f-8d16-7f92e3b5c002',
  @resourceGroupName = 'rg-dev-shared',
  @vaultName = 'bv-dev-weu',
  @backupInstanceName = 'disk-build-agent-01-disk-build-agent-01-28e627ad-e62a-4caa-a2a3-3e87ee1c54ad'
  @@json = '{"backupRuleOptions":{"triggerOption":{"retentionTagOverride":"Default"},"ruleName":"BackupHourly"}}';
