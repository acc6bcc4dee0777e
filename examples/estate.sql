-- What is protected, where, and how: one row a vault.
--   restable exec --emulator -o table -f examples/estate.sql

USE azure.data_protection;

SELECT v.name AS vault,
       v.location,
       v.properties.securitySettings.softDeleteSettings.state AS soft_delete,
       count(i.id) AS instances,
       count(i.id) FILTER (WHERE i.properties.currentProtectionState <> 'ProtectionConfigured') AS unprotected
FROM backup_vaults v
LEFT JOIN backup_instances i
  ON i.subscriptionId = v.subscriptionId AND i.resourceGroupName = v.resourceGroupName AND i.vaultName = v.vaultName
GROUP BY 1, 2, 3
ORDER BY unprotected DESC, vault;
