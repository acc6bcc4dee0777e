-- What is not protected although somebody thinks it is, and what went wrong last.
--   restable exec --emulator -o table -f examples/unhealthy.sql

USE azure.data_protection;

SELECT vault_name, friendly_name, current_protection_state, error_code
FROM vw_backup_instances
WHERE current_protection_state <> 'ProtectionConfigured'
ORDER BY vault_name, friendly_name;

SELECT j.vault_name, j.friendly_name, j.status, j.error_code, j.error_message
FROM vw_jobs j
WHERE j.status = 'Failed'
ORDER BY j.start_time DESC;
