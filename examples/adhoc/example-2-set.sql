-- Example 2 for a whole vault: every healthy instance, each with the rule and the default tag of its own policy, in one
-- statement. All targets are read before the first request is sent; the answer has one row for each.
--   restable exec --emulator --yes -f examples/adhoc/example-2-set.sql

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
  WHERE i.subscription_id = '2c9e74d1-0b35-4a8f-8d16-7f92e3b5c002' AND i.resource_group_name = 'rg-dev-shared' AND i.vault_name = 'bv-dev-weu'
    AND i.current_protection_state = 'ProtectionConfigured'
    AND p.rule_type = 'AzureBackupRule'
  QUALIFY row_number() OVER (PARTITION BY i.id ORDER BY p.rule_index) = 1
) AS target;
