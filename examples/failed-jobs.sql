-- What failed since yesterday, where, and what the service says about it; then what each failure means: whether a later
-- backup of the same instance went well.
--   restable exec --emulator -o table -f examples/failed-jobs.sql

USE azure.data_protection;

SELECT vault_name, friendly_name, operation, status, start_time, error_code, error_message
FROM vw_jobs
WHERE status NOT IN ('Completed', 'InProgress')
  AND start_time >= now() - INTERVAL '1 day'
ORDER BY start_time DESC;

SELECT failed.vault_name, failed.friendly_name, max(failed.start_time) AS last_failure, max(done.end_time) AS last_success,
       coalesce(max(done.end_time) > max(failed.start_time), false) AS backed_up_since
FROM vw_jobs failed
LEFT JOIN vw_jobs done
  ON done.subscription_id = failed.subscription_id AND done.resource_group_name = failed.resource_group_name
 AND done.vault_name = failed.vault_name AND done.backup_instance_name = failed.backup_instance_name
 AND done.operation_category = 'Backup' AND done.status LIKE 'Completed%'
WHERE failed.status = 'Failed' AND failed.operation_category = 'Backup'
  AND failed.start_time >= now() - INTERVAL '1 day'
GROUP BY 1, 2
ORDER BY backed_up_since, vault_name, friendly_name;
