-- Before a change: back up all that an application has, each instance with the rule and tag of its own policy, and wait for
-- the jobs. The exit code is 2 if any failed: the change can wait for `restable exec … && ./change`.
--   restable exec --emulator --yes -v group=rg-sap-prod -f examples/backup-before-change.sql

USE azure.data_protection;

-- What will be backed up, and what cannot: only an instance whose protection is configured takes a backup.
SELECT vault_name, friendly_name, datasource_type, current_protection_state
FROM vw_backup_instances
WHERE arm_equal(arm_id(datasource_id, 'resourceGroupName'), :group)
ORDER BY vault_name, friendly_name;

EXEC /*+ AWAIT_JOB */ backup_instances.adhoc_backup
  @backupRuleOptions.ruleName = target.rule_name,
  @backupRuleOptions.triggerOption.retentionTagOverride = target.default_tag
FOR EACH (
  SELECT i.subscription_id, i.resource_group_name, i.vault_name, i.backup_instance_name, p.rule_name, p.default_tag
  FROM vw_backup_instances i
  JOIN vw_backup_policies p
    ON p.subscription_id = i.subscription_id AND p.resource_group_name = i.resource_group_name
   AND p.vault_name = i.vault_name AND p.backup_policy_name = i.policy_name
  WHERE arm_equal(arm_id(i.datasource_id, 'resourceGroupName'), :group)
    AND i.current_protection_state = 'ProtectionConfigured'
    AND p.rule_type = 'AzureBackupRule'
  QUALIFY row_number() OVER (PARTITION BY i.id ORDER BY p.rule_index) = 1
) AS target;

-- The evidence for the change record.
SELECT i.vault_name, i.friendly_name, max(r.recovery_point_time) AS last_recovery_point
FROM vw_backup_instances i
LEFT JOIN vw_recovery_points r
  ON r.subscription_id = i.subscription_id AND r.resource_group_name = i.resource_group_name
 AND r.vault_name = i.vault_name AND r.backup_instance_name = i.backup_instance_name
WHERE arm_equal(arm_id(i.datasource_id, 'resourceGroupName'), :group)
GROUP BY 1, 2
ORDER BY 1, 2;
