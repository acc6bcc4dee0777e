-- An application is switched off: stop the protection of all that it had, and keep the recovery points. Nothing is deleted
-- here: while data is kept, so is the way back (`resume_protection`).
--   restable exec --emulator --yes -v group=rg-dev-ci -f examples/decommission.sql

USE azure.data_protection;

-- What would be sent, and what stands against it: locked vaults, resource guards, states.
PREVIEW EXEC backup_instances.stop_protection
FOR EACH (
  SELECT subscription_id, resource_group_name, vault_name, backup_instance_name
  FROM vw_backup_instances
  WHERE arm_equal(arm_id(datasource_id, 'resourceGroupName'), :group)
    AND current_protection_state <> 'ProtectionStopped'
);

EXEC backup_instances.stop_protection
FOR EACH (
  SELECT subscription_id, resource_group_name, vault_name, backup_instance_name
  FROM vw_backup_instances
  WHERE arm_equal(arm_id(datasource_id, 'resourceGroupName'), :group)
    AND current_protection_state <> 'ProtectionStopped'
);

-- What is kept, and until when.
SELECT i.vault_name, i.friendly_name, i.current_protection_state,
       count(r.recovery_point_id) AS recovery_points, max(r.expiry_time) AS kept_until
FROM vw_backup_instances i
LEFT JOIN vw_recovery_points r
  ON r.subscription_id = i.subscription_id AND r.resource_group_name = i.resource_group_name
 AND r.vault_name = i.vault_name AND r.backup_instance_name = i.backup_instance_name
WHERE arm_equal(arm_id(i.datasource_id, 'resourceGroupName'), :group)
GROUP BY 1, 2, 3
ORDER BY 1, 2;
