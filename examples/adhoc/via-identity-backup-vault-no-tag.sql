-- Backup-AzDataProtectionBackupInstanceAdhoc, parameter set BackupViaIdentityBackupVault: the vault by its id, the options as one value.
-- The retention tag is left to the rule. `triggerOption` must be there all the same, so an empty one is sent.
--   Backup-AzDataProtectionBackupInstanceAdhoc -BackupVaultInputObject $vault -BackupInstanceName $name -Parameter $options
--   restable exec --emulator -f examples/adhoc/via-identity-backup-vault-no-tag.sql

EXEC azure.data_protection.backup_instances.adhoc_backup
  @vault_id = '/subscriptions/2c9e74d1-0b35-4a8f-8d16-7f92e3b5c002/resourceGroups/rg-dev-shared/providers/Microsoft.DataProtection/backupVaults/bv-dev-weu',
  @backupInstanceName = 'disk-build-agent-01-disk-build-agent-01-28e627ad-e62a-4caa-a2a3-3e87ee1c54ad',
  @backupRuleOptions = '{"ruleName": "BackupHourly", "triggerOption": {}}';
