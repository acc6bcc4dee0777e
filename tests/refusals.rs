//! Nothing that comes over a wire reads or writes a file of the server, or changes something at a provider, unless the
//! server was started for it. Each try below goes through every door; the emulator's journal and a folder say what came of it.

use std::net::SocketAddr;
use std::path::Path;

use tokio_postgres::NoTls;

use crate::flight::{Client, serve as serve_flight};
use crate::postgres::{Wire, serve as serve_postgres};
use crate::rig::{Rig, report, run};

/// What stands in the file that nobody may read.
const SECRET: &str = "column-of-a-secret";

/// Tries at files. `{in}` is a file with something in it, `{out}` one that is not there, `{dir}` their folder.
const FILES: &[&str] = &[
    "COPY (SELECT 1) TO '{out}'",
    "COPY (SELECT 1) TO '{out}' STORED AS PARQUET",
    "COPY (SELECT 1) TO '{out}' WITH (FORMAT csv, HEADER)",
    "COPY azure.data_protection.backup_vaults TO '{out}'",
    "COPY (SELECT 1) TO PROGRAM 'touch {out}'",
    "COPY azure.data_protection.backup_vaults FROM '{in}'",
    "COPY azure.data_protection.backup_vaults FROM PROGRAM 'cat {in}'",
    "COPY azure.data_protection.backup_vaults FROM STDIN",
    "COPY (SELECT 1) TO '{out}' CSV HEADER",
    "CREATE EXTERNAL TABLE t (x TEXT) STORED AS CSV LOCATION '{in}'",
    "CREATE EXTERNAL TABLE t STORED AS PARQUET LOCATION '{dir}'",
    "CREATE UNBOUNDED EXTERNAL TABLE t (x TEXT) STORED AS CSV LOCATION '{in}'",
    "CREATE EXTERNAL TABLE t (x TEXT) STORED AS CSV LOCATION '{out}'",
    "CREATE TABLE t (x TEXT) LOCATION '{in}'",
    "CREATE FOREIGN TABLE t (x TEXT) SERVER files OPTIONS (filename '{in}')",
    "CREATE SERVER files FOREIGN DATA WRAPPER file_fdw",
    "CREATE EXTENSION file_fdw",
    "CREATE FUNCTION f() RETURNS int LANGUAGE c AS '{in}'",
    "CREATE FUNCTION f(int) RETURNS int AS 'SELECT 1' LANGUAGE sql",
    "LOAD '{in}'",
    "SELECT * FROM '{in}'",
    "SELECT * FROM \"{in}\"",
    "SELECT * FROM `{in}`",
    "TABLE \"{in}\"",
    "SELECT * FROM read_csv('{in}')",
    "SELECT * FROM read_csv_auto('{in}')",
    "SELECT * FROM read_parquet('{in}')",
    "SELECT * FROM read_json('{in}')",
    "SELECT * FROM read_text('{in}')",
    "SELECT * FROM read_blob('{in}')",
    "SELECT * FROM glob('{dir}/*')",
    "SELECT * FROM parquet_metadata('{in}')",
    "SELECT pg_read_file('{in}')",
    "SELECT pg_catalog.pg_read_file('{in}', 0, 100)",
    "SELECT pg_read_binary_file('{in}')",
    "SELECT pg_ls_dir('{dir}')",
    "SELECT pg_stat_file('{in}')",
    "SELECT lo_import('{in}')",
    "SELECT lo_export(1, '{out}')",
    "SELECT load_extension('{in}')",
    "SELECT readfile('{in}')",
    "SELECT writefile('{out}', 'x')",
    "EXEC azure.data_protection.backup_instances.adhoc_backup @@json_file = '{in}'",
    "PREVIEW EXEC azure.data_protection.backup_instances.adhoc_backup @@json_file = '{in}'",
    "EXPLAIN EXEC azure.data_protection.backup_instances.adhoc_backup @@json_file = '{in}'",
    "EXEC azure.data_protection.backup_instances.adhoc_backup FOR EACH (SELECT id FROM azure.data_protection.backup_instances) @@json_file = '{in}'",
    "INSERT OVERWRITE DIRECTORY '{out}' SELECT 1",
    "ATTACH '{out}' AS other",
    "ATTACH DATABASE '{out}' AS other",
    "EXPORT DATABASE '{out}'",
    "UNLOAD (SELECT 1) TO '{out}'",
    "VACUUM INTO '{out}'",
    "SELECT 1 INTO OUTFILE '{out}'",
    "SET datafusion.runtime.temp_directory = '{dir}'",
    "SET datafusion.runtime.memory_limit = '100G'",
    "SET datafusion.runtime.max_temp_directory_size = '100G'",
    "SET datafusion.catalog.location = '{dir}'",
    "SET datafusion.catalog.format = 'csv'",
    "SET datafusion.execution.batch_size = 0",
    "SET datafusion.execution.target_partitions = 100000",
    "SET datafusion.sql_parser.enable_ident_normalization = true",
    "SET journal = '{out}'",
    "SET history = '{out}'",
    "SET provider_specs = '{dir}'",
    "SET throttle = off",
    "SET max_concurrency = 1024",
    "SET log_directory = '{dir}'",
    "SET local_preload_libraries = '{in}'",
    "ALTER SYSTEM SET archive_command = 'touch {out}'",
    "CREATE MATERIALIZED VIEW kept AS SELECT 1",
    "REFRESH MATERIALIZED VIEW kept",
];

/// Tries at calls that change something.
const CALLS: &[&str] = &[
    "DELETE FROM azure.data_protection.backup_instances",
    "DELETE FROM azure.data_protection.backup_vaults WHERE name = 'x'",
    "DELETE FROM azure.data_protection.backup_instances WHERE id = '{id}'",
    "DELETE FROM azure.data_protection.backup_instances WHERE id = '{id}' RETURNING *",
    "DELETE /*+ NOWAIT */ FROM azure.data_protection.backup_instances WHERE id = '{id}'",
    "DELETE FROM azure.data_protection.backup_instances WHERE id IN (SELECT id FROM azure.data_protection.backup_instances)",
    "/* SELECT */ DELETE FROM azure.data_protection.backup_instances WHERE id = '{id}'",
    "dElEtE fRoM azure.data_protection.backup_instances WHERE id = '{id}'",
    "UPDATE azure.data_protection.backup_vaults SET tags = '{}' WHERE name = 'x'",
    "UPDATE azure.data_protection.backup_vaults SET tags = '{}'",
    "UPDATE azure.data_protection.backup_vaults SET tags = '{}' RETURNING *",
    "INSERT INTO azure.data_protection.backup_vaults (subscriptionId, resourceGroupName, vaultName, location) VALUES ('8f3b1c52-6d2e-4f0a-9b7c-1e5a40d7c001', 'g', 'v', 'westeurope')",
    "INSERT INTO azure.data_protection.backup_vaults (subscriptionId, resourceGroupName, vaultName, location) SELECT '8f3b1c52-6d2e-4f0a-9b7c-1e5a40d7c001', 'g', 'v', 'westeurope'",
    "INSERT INTO azure.data_protection.backup_vaults (subscriptionId, resourceGroupName, vaultName, location) VALUES ('8f3b1c52-6d2e-4f0a-9b7c-1e5a40d7c001', 'g', 'v', 'westeurope') ON CONFLICT DO NOTHING RETURNING *",
    "REPLACE INTO azure.data_protection.backup_vaults (subscriptionId, resourceGroupName, vaultName, location) VALUES ('8f3b1c52-6d2e-4f0a-9b7c-1e5a40d7c001', 'g', 'v', 'westeurope')",
    "REPLACE azure.data_protection.backup_vaults SET location = 'westeurope' WHERE name = 'x'",
    "EXEC azure.data_protection.backup_instances.stop_protection @id = '{id}'",
    "COPY (EXEC azure.data_protection.backup_instances.stop_protection @id = '{id}') TO STDOUT",
    "COPY (DELETE FROM azure.data_protection.backup_instances WHERE id = '{id}' RETURNING *) TO STDOUT",
    "EXEC azure.data_protection.BackupInstances_StopProtection @id = '{id}'",
    "EXEC azure.data_protection.backup_instances.stop_protection FOR EACH (SELECT id FROM azure.data_protection.backup_instances)",
    "EXEC /*+ NOWAIT */ azure.data_protection.backup_instances.stop_protection @id = '{id}'",
    "SELECT * FROM (EXEC azure.data_protection.backup_instances.stop_protection @id = '{id}') x",
    "SELECT * FROM (DELETE FROM azure.data_protection.backup_instances WHERE id = '{id}') x",
    "WITH gone AS (DELETE FROM azure.data_protection.backup_instances WHERE id = '{id}' RETURNING *) SELECT * FROM gone",
    "WITH made AS (INSERT INTO azure.data_protection.backup_vaults (vaultName) VALUES ('v') RETURNING *) SELECT * FROM made",
    "WITH one AS (SELECT 1) DELETE FROM azure.data_protection.backup_instances WHERE id = '{id}'",
    "EXPLAIN ANALYZE DELETE FROM azure.data_protection.backup_instances WHERE id = '{id}'",
    "EXPLAIN ANALYZE VERBOSE UPDATE azure.data_protection.backup_vaults SET tags = '{}'",
    "EXPLAIN ANALYZE EXEC azure.data_protection.backup_instances.stop_protection @id = '{id}'",
    "PREPARE p AS DELETE FROM azure.data_protection.backup_instances WHERE id = '{id}'",
    "PREPARE p AS DELETE FROM azure.data_protection.backup_instances WHERE id = '{id}'; EXECUTE p",
    "DECLARE c CURSOR WITH HOLD FOR DELETE FROM azure.data_protection.backup_instances WHERE id = '{id}' RETURNING *",
    "BEGIN; DECLARE c CURSOR FOR EXEC azure.data_protection.backup_instances.stop_protection @id = '{id}'; FETCH ALL FROM c",
    "SELECT 1; DELETE FROM azure.data_protection.backup_instances WHERE id = '{id}'",
    "BEGIN; DELETE FROM azure.data_protection.backup_instances WHERE id = '{id}'; COMMIT",
    "BEGIN READ WRITE; DELETE FROM azure.data_protection.backup_instances WHERE id = '{id}'",
    "SET transaction_read_only = off",
    "SET default_transaction_read_only = off; DELETE FROM azure.data_protection.backup_instances WHERE id = '{id}'",
    "SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE",
    "SET confirm = never; DELETE FROM azure.data_protection.backup_instances WHERE id = '{id}'",
    "SET SESSION AUTHORIZATION root",
    "SET ROLE root",
    "DO $$ BEGIN DELETE FROM azure.data_protection.backup_instances; END $$",
    "CALL azure.data_protection.backup_instances.stop_protection('{id}')",
    "MERGE INTO azure.data_protection.backup_vaults v USING (SELECT 1 AS x) s ON true WHEN MATCHED THEN DELETE",
    "TRUNCATE azure.data_protection.backup_instances",
    "TRUNCATE TABLE azure.data_protection.backup_instances",
    "DROP TABLE azure.data_protection.backup_instances",
    "DROP SCHEMA azure.data_protection CASCADE",
    "DROP DATABASE azure",
    "ALTER TABLE azure.data_protection.backup_instances ADD COLUMN x INT",
    "ALTER TABLE azure.data_protection.backup_instances RENAME TO gone",
    "CREATE TABLE azure.data_protection.mine AS SELECT 1",
    "CREATE OR REPLACE VIEW azure.data_protection.backup_instances AS SELECT 1",
    "CREATE VIEW v AS DELETE FROM azure.data_protection.backup_instances",
    "CREATE TABLE t AS DELETE FROM azure.data_protection.backup_instances RETURNING *",
    "CREATE TABLE t AS EXEC azure.data_protection.backup_instances.stop_protection @id = '{id}'",
    "CREATE TRIGGER t BEFORE DELETE ON azure.data_protection.backup_instances EXECUTE FUNCTION f()",
    "CREATE RULE r AS ON SELECT TO azure.data_protection.backup_instances DO INSTEAD DELETE FROM azure.data_protection.backup_instances",
    "CREATE USER eve PASSWORD 'x'",
    "GRANT ALL ON azure.data_protection.backup_instances TO PUBLIC",
    "LOCK TABLE azure.data_protection.backup_instances",
    "VACUUM",
    "SELECT 1 INTO azure.data_protection.mine",
    "SELECT setval('s', 1)",
    "SELECT pg_terminate_backend(1)",
    "SELECT pg_reload_conf()",
    "SELECT dblink_exec('DELETE FROM t')",
];

/// What a try came to, by door. `None`: it was refused.
async fn tried(sql: &str, postgres: SocketAddr, flight: SocketAddr) -> Vec<(&'static str, String)> {
    let mut went_through = Vec::new();
    let mut wire = Wire::connect(postgres).await;
    if let Ok(answer) = wire.query(sql).await {
        went_through.push(("simple", format!("{answer:?}")));
    }
    let config = format!(
        "host=127.0.0.1 port={} user=tester dbname=azure",
        postgres.port()
    );
    let (client, connection) = tokio_postgres::connect(&config, NoTls).await.unwrap();
    tokio::spawn(connection);
    if let Ok(rows) = client.query(sql, &[]).await {
        went_through.push(("extended", format!("{} rows", rows.len())));
    }
    if let Ok(answer) = Client::connect(flight).await.query(sql).await {
        went_through.push(("Flight SQL, query", format!("{answer:?}")));
    }
    let mut client = Client::connect(flight).await;
    if let Ok(count) = client.0.execute_update(sql.to_owned(), None).await {
        went_through.push(("Flight SQL, update", format!("{count} rows")));
    }
    if let Ok(mut statement) = client.0.prepare(sql.to_owned(), None).await {
        if let Ok(count) = statement.execute_update().await {
            went_through.push(("Flight SQL, prepared update", format!("{count} rows")));
        }
        if let Ok(info) = statement.execute().await
            && let Ok(answer) = client.fetch(info).await
        {
            went_through.push(("Flight SQL, prepared", format!("{answer:?}")));
        }
    }
    went_through
}

fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    entries
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .collect()
}

#[test]
fn no_try_over_a_wire_touches_a_file_or_changes_anything() {
    run(async {
        let rig = Rig::start("demo").await;
        let folder = tempfile::tempdir().unwrap();
        let kept = folder.path().join("kept.csv");
        std::fs::write(&kept, format!("{SECRET}\n1\n")).unwrap();
        let id = rig
            .rows("SELECT id FROM azure.data_protection.backup_instances ORDER BY id LIMIT 1")
            .await;
        let (postgres, flight) = (serve_postgres(&rig).await, serve_flight(&rig).await);
        let mut through = Vec::new();
        for template in FILES.iter().chain(CALLS) {
            let sql = template
                .replace("{in}", &kept.display().to_string())
                .replace("{out}", &folder.path().join("made").display().to_string())
                .replace("{dir}", &folder.path().display().to_string())
                .replace("{id}", id.value());
            for (door, answer) in tried(&sql, postgres, flight).await {
                assert!(!answer.contains(SECRET), "{sql} through {door}: {answer}");
                through.push(format!("{template}\n  through {door}: {answer}"));
            }
        }
        assert!(through.is_empty(), "{}", through.join("\n"));
        assert_eq!(names(folder.path()), ["kept.csv"]);
        let asked = rig.emulator.journal();
        let changing: Vec<_> = asked.iter().filter(|entry| entry.method != "GET").collect();
        assert!(changing.is_empty(), "{changing:?}");
        report(&format!(
            "{} tries at files and calls refused through 6 doors",
            FILES.len() + CALLS.len()
        ));
    });
}
