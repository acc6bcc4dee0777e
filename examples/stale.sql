-- Protected instances without a recovery point: a policy that never ran, or a restore that would fail.
--   restable exec --emulator -o table -f examples/stale.sql

USE azure.data_protection;

SELECT i.vault_name, i.friendly_name, i.policy_name, max(r.recovery_point_time) AS last_recovery_point
FROM vw_backup_instances i
LEFT JOIN vw_recovery_points r
  ON r.subscription_id = i.subscription_id
 AND r.resource_group_name = i.resource_group_name
 AND r.vault_name = i.vault_name
 AND r.backup_instance_name = i.backup_instance_name
GROUP BY 1, 2, 3
HAVING max(r.recovery_point_time) IS NULL
ORDER BY 1, 2;
