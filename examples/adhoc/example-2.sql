-- Backup-AzDataProtectionBackupInstanceAdhoc, example 2: take an instance, find the rule of its policy, back up, follow the job.
-- The example takes the first rule and the first tag of the policy. Their order means nothing: of blobs the rules that
-- retain come first, of Kubernetes the default tag comes last. So here the rule is the first one that backs up
-- (`objectType`), the tag its default one (`isDefault`); the view has looked for both. And the example waits for `Completed`
-- forever; AWAIT_JOB ends with any end of the job, and a failed one is a failed statement.
--   $instance = Get-AzDataProtectionBackupInstance -SubscriptionId $sub -ResourceGroupName $rg -VaultName $vault
--   $policy = Get-AzDataProtectionBackupPolicy … | Where-Object { $_.Name -eq $policyName }
--   $rule = $policy.Property.PolicyRule[0]
--   $job = Backup-AzDataProtectionBackupInstanceAdhoc … -BackupRuleOptionRuleName $rule.Name
--     -TriggerOptionRetentionTagOverride $rule.Trigger.TaggingCriterion[0].TagInfo.TagName
--   do { Start-Sleep -Seconds 10; … } while ($currentJob.Status -ne "Completed")
--   restable exec --emulator -f examples/adhoc/example-2.sql

USE azure.data_protection;

EXEC /*+ AWAIT_JOB */ backup_instances.adhoc_backup
  @backupRuleOptions.ruleName = target.rule_name,
  @backupRuleOptions.triggerOption.retentionTagOverride = target.default_tag
FOR EACH (
  SELECT i.subscription_id, i.resource_group_name, i.vault_name, i.backup_instance_name, p.rule_name, p.default_tag
  FROM vw_backup_instances i
  JOIN vw_backup_policies p
    ON p.subscription_id = i.subscription_id AND p.resource_group_name = i.resource_group_name
   AND p.vault_name = i.vault_name AND p.backup_policy_name = i.policy_name
  WHERE i.subscription_id = '2c9e74d1-0b35-4a8f-8d16-7f92e3b5c002' AND i.resource_group_name = 'rg-dev-shared'
    AND i.vault_name = 'bv-dev-weu' AND i.friendly_name = 'aks-dev-weu'
    AND p.rule_type = 'AzureBackupRule'
  QUALIFY row_number() OVER (PARTITION BY i.id ORDER BY p.rule_index) = 1
) AS target;
