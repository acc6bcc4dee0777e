-- What changed between two refreshes of a materialized view: kept once, read without a call, compared in one query.
--   restable exec --emulator --yes -o table -f examples/snapshots.sql

USE azure.data_protection;

CREATE MATERIALIZED VIEW estate AS
SELECT id, vault_name, friendly_name, current_protection_state AS state
FROM vw_backup_instances;

-- Somebody stops the protection of a disk; a scheduler runs `restable refresh --all`.
EXEC backup_instances.stop_protection
  FOR EACH (SELECT id FROM vw_backup_instances WHERE friendly_name = 'disk-dc01-os') AS x;

REFRESH MATERIALIZED VIEW estate;

-- With days between them: FOR SYSTEM_TIME AS OF now() - INTERVAL '1 day'.
WITH before AS (
  SELECT * FROM estate FOR SYSTEM_TIME ALL
  WHERE snapshot_time = (SELECT min(refreshed_at) FROM information_schema.restable_refreshes WHERE table_name = 'estate')
)
SELECT coalesce(n.vault_name, o.vault_name) AS vault,
       coalesce(n.friendly_name, o.friendly_name) AS item,
       o.state AS before, n.state AS after
FROM before o FULL JOIN estate n ON o.id = n.id
WHERE o.state IS DISTINCT FROM n.state
ORDER BY vault, item;

SHOW MATERIALIZED VIEWS;
