-- Who keeps backups for less than our rule asks, and which vaults could lose them.
--   restable exec --emulator -o table -v days=14 -f examples/policy-compliance.sql

USE azure.data_protection;

-- Instances whose policy keeps its longest default retention for less than :days days. A retention in months or years is
-- no fixed number of seconds; a month counts as 30 days, a year as 365.
WITH kept AS (
  SELECT subscription_id, resource_group_name, vault_name, backup_policy_name,
         CAST(max(coalesce(
           duration_seconds(retention) / 86400,
           30.0 * try_cast(regexp_match(retention, '^P([0-9]+)M$')[1] AS INT),
           365.0 * try_cast(regexp_match(retention, '^P([0-9]+)Y$')[1] AS INT))) AS BIGINT) AS days
  FROM vw_backup_policies
  WHERE rule_type = 'AzureRetentionRule' AND is_default
  GROUP BY 1, 2, 3, 4
)
SELECT i.vault_name, i.policy_name, kept.days, count(*) AS instances,
       string_agg(i.friendly_name, ', ' ORDER BY i.friendly_name) AS names
FROM vw_backup_instances i
JOIN kept
  ON kept.subscription_id = i.subscription_id AND kept.resource_group_name = i.resource_group_name
 AND kept.vault_name = i.vault_name AND kept.backup_policy_name = i.policy_name
WHERE kept.days < :days
GROUP BY 1, 2, 3
ORDER BY 1, 2;

-- Vaults that somebody with the right to write could empty: soft delete can be switched off, or backups are mutable.
SELECT name AS vault, location,
       coalesce(properties.securitySettings.softDeleteSettings.state, 'Off') AS soft_delete,
       coalesce(properties.securitySettings.immutabilitySettings.state, 'Disabled') AS immutability,
       properties.isVaultProtectedByResourceGuard AS guarded
FROM backup_vaults
WHERE coalesce(properties.securitySettings.softDeleteSettings.state, 'Off') <> 'AlwaysOn'
   OR coalesce(properties.securitySettings.immutabilitySettings.state, 'Disabled') <> 'Locked'
ORDER BY soft_delete, vault;
