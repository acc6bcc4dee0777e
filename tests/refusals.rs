//! Nothing that comes over a wire reads or writes a file of the server, or changes something at a provider, unless the
//! server was started for it. Each try below goes through every door; the emulator's journal and a folder say what came of it.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use arrow_flight::sql::{
    CommandStatementIngest, CommandStatementSubstraitPlan, ProstMessageExt as _, SubstraitPlan,
};
use arrow_flight::{Action, FlightData, FlightDescriptor, Ticket};
use futures::TryStreamExt as _;
use prost::Message as _;
use restable_engine::arrow::array::{ArrayRef, RecordBatch, StringArray};
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
    "EXPLAIN COPY (SELECT 1) TO '{out}'",
    "EXPLAIN ANALYZE COPY (SELECT 1) TO '{out}'",
    "EXPLAIN (ANALYZE, FORMAT JSON) COPY (SELECT 1) TO '{out}'",
    "EXPLAIN ANALYZE CREATE EXTERNAL TABLE t STORED AS PARQUET LOCATION '{dir}'",
    "PREPARE p AS COPY (SELECT 1) TO '{out}'",
    "CREATE TEMP TABLE t (x TEXT); COPY t FROM '{in}'",
    "CREATE TEMP TABLE t (x TEXT); COPY t TO '{out}'",
    "CREATE TEMP TABLE t AS SELECT * FROM '{in}'",
    "CREATE OR REPLACE EXTERNAL TABLE t STORED AS CSV LOCATION '{in}' OPTIONS ('format.has_header' 'true')",
    "CREATE EXTERNAL TABLE IF NOT EXISTS t STORED AS ARROW LOCATION '{dir}/'",
    "CREATE EXTERNAL TABLE t STORED AS CSV PARTITIONED BY (x) LOCATION 'file://{dir}'",
    "CREATE EXTERNAL TABLE t STORED AS CSV LOCATION 'http://127.0.0.1:1/x.csv'",
    "CREATE TABLE t STORED AS PARQUET LOCATION '{dir}' AS SELECT 1",
    "CREATE TEMP VIEW v AS SELECT * FROM '{in}'; SELECT * FROM v",
    "CREATE VIEW v AS SELECT * FROM \"file://{in}\"",
    "CREATE TABLESPACE t LOCATION '{dir}'",
    "CREATE DATABASE d LOCATION '{dir}'",
    "CREATE CATALOG c",
    "DECLARE c CURSOR WITH HOLD FOR SELECT * FROM '{in}'",
    "INSERT INTO \"{in}\" VALUES (1)",
    "INSERT INTO '{in}' VALUES (1)",
    "SELECT * FROM \"file://{in}\"",
    "SELECT * FROM 'http://127.0.0.1:1/x.csv'",
    "SELECT * FROM \"{dir}\".\"kept.csv\"",
    "SELECT * FROM \"{dir}\".\"kept\".\"csv\"",
    "DESCRIBE \"{in}\"",
    "SHOW COLUMNS FROM \"{in}\"",
    "WITH f AS (SELECT * FROM '{in}') SELECT * FROM f",
    "SELECT * FROM csv_scan('{in}')",
    "SELECT * FROM parquet_scan('{dir}/*')",
    "SELECT * FROM st_read('{in}')",
    "SELECT * FROM lines('{in}')",
    "SELECT * FROM url('http://127.0.0.1:1/x', CSV)",
    "SELECT * FROM file('{in}', CSV)",
    "SELECT * FROM OPENROWSET(BULK '{in}', FORMAT = 'CSV') AS r",
    "SELECT pg_ls_logdir()",
    "SELECT pg_ls_waldir()",
    "SELECT pg_current_logfile()",
    "SELECT pg_file_write('{out}', 'x', false)",
    "SELECT pg_catalog.pg_file_read('{in}', 0, 100)",
    "SELECT lo_from_bytea(0, 'x')",
    "SELECT lo_get(lo_import('{in}'))",
    "SELECT query_to_xml('SELECT 1', true, true, '')",
    "SELECT table_to_xml('{in}', true, true, '')",
    "SELECT http_get('http://127.0.0.1:1/')",
    "SELECT getenv('HOME')",
    "SELECT system('touch {out}')",
    "IMPORT FOREIGN SCHEMA s FROM SERVER files INTO t",
    "SET data_dir = '{dir}'",
    "SET endpoint = 'http://127.0.0.1:1'",
    "SET azure.endpoint = 'http://127.0.0.1:1'",
    "SET cloud = 'china'",
    "SET tenant = 'x'",
    "SET auth = 'bearer:PATH'",
    "SELECT set_config('data_dir', '{dir}', false)",
    "SELECT set_config('datafusion.runtime.temp_directory', '{dir}', false)",
    "SET LOCAL datafusion.runtime.temp_directory = '{dir}'",
    "SET SESSION datafusion.execution.listing_table_ignore_subdirectory = false",
    "SET datafusion.catalog.create_default_catalog_and_schema = true",
    "SET datafusion.catalog.information_schema = true",
    "SET datafusion.optimizer.enable_url_table = true",
    "DROP MATERIALIZED VIEW kept",
    "CREATE OR REPLACE MATERIALIZED VIEW kept AS SELECT 1",
    "VACUUM FULL",
    "CHECKPOINT",
    "CREATE PUBLICATION p FOR ALL TABLES",
    "CREATE SUBSCRIPTION s CONNECTION 'host=127.0.0.1' PUBLICATION p",
    "COPY (SELECT * FROM '{in}') TO STDOUT",
    "COPY '{in}' TO STDOUT",
    "COPY \"{in}\" TO STDOUT",
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
    "SELECT pg_rotate_logfile()",
    "SELECT pg_reload_conf()",
    "SELECT dblink_exec('DELETE FROM t')",
    "WITH one AS (SELECT 1) UPDATE azure.data_protection.backup_vaults SET tags = '{}'",
    "WITH one AS (SELECT 1) EXEC azure.data_protection.backup_instances.stop_protection @id = '{id}'",
    "WITH RECURSIVE gone AS (SELECT 1 UNION ALL DELETE FROM azure.data_protection.backup_instances WHERE id = '{id}' RETURNING 1) SELECT * FROM gone",
    "EXPLAIN (ANALYZE) DELETE FROM azure.data_protection.backup_instances WHERE id = '{id}'",
    "EXPLAIN (ANALYZE TRUE, FORMAT JSON) UPDATE azure.data_protection.backup_vaults SET tags = '{}'",
    "EXPLAIN ANALYZE INSERT INTO azure.data_protection.backup_vaults (subscriptionId, resourceGroupName, vaultName, location) VALUES ('8f3b1c52-6d2e-4f0a-9b7c-1e5a40d7c001', 'g', 'v', 'westeurope')",
    "EXPLAIN ANALYZE REPLACE INTO azure.data_protection.backup_vaults (subscriptionId, resourceGroupName, vaultName, location) VALUES ('8f3b1c52-6d2e-4f0a-9b7c-1e5a40d7c001', 'g', 'v', 'westeurope')",
    "COPY (EXPLAIN ANALYZE DELETE FROM azure.data_protection.backup_instances WHERE id = '{id}') TO STDOUT",
    "COPY azure.data_protection.backup_instances FROM STDIN WITH (FORMAT csv)",
    "DECLARE c CURSOR WITH HOLD FOR EXPLAIN ANALYZE DELETE FROM azure.data_protection.backup_instances WHERE id = '{id}'",
    "PREPARE p AS EXEC azure.data_protection.backup_instances.stop_protection @id = '{id}'; EXECUTE p",
    "PREPARE p (text) AS DELETE FROM azure.data_protection.backup_instances WHERE id = $1; EXECUTE p ('{id}')",
    "EXECUTE IMMEDIATE 'DELETE FROM azure.data_protection.backup_instances'",
    "DELETE FROM azure.data_protection.backup_instances USING azure.data_protection.backup_vaults WHERE true",
    "DELETE FROM ONLY azure.data_protection.backup_instances WHERE id = '{id}'",
    "DELETE FROM azure.data_protection.backup_instances WHERE id = '{id}' LIMIT 1",
    "UPDATE azure.data_protection.backup_vaults SET tags = '{}' FROM azure.data_protection.backup_instances WHERE true",
    "UPDATE azure.data_protection.vw_backup_instances SET name = 'x'",
    "DELETE FROM azure.data_protection.vw_backup_instances",
    "DELETE FROM pg_catalog.pg_class",
    "UPDATE information_schema.tables SET table_name = 'x'",
    "INSERT INTO azure.data_protection.backup_vaults SELECT * FROM azure.data_protection.backup_vaults",
    "INSERT INTO azure.data_protection.backup_vaults DEFAULT VALUES",
    "INSERT OR REPLACE INTO azure.data_protection.backup_vaults (vaultName) VALUES ('v')",
    "INSERT OVERWRITE azure.data_protection.backup_vaults SELECT 1",
    "SELECT * FROM azure.data_protection.stop_protection('{id}')",
    "SELECT azure.data_protection.stop_protection('{id}')",
    "SELECT stop_protection('{id}') FROM azure.data_protection.backup_instances",
    "SELECT * FROM TABLE(azure.data_protection.stop_protection('{id}'))",
    "SELECT (DELETE FROM azure.data_protection.backup_instances WHERE id = '{id}' RETURNING id)",
    "SELECT 1 WHERE EXISTS (DELETE FROM azure.data_protection.backup_instances WHERE id = '{id}' RETURNING id)",
    "SELECT 1 UNION ALL DELETE FROM azure.data_protection.backup_instances WHERE id = '{id}' RETURNING 1",
    "(DELETE FROM azure.data_protection.backup_instances WHERE id = '{id}')",
    "CREATE MATERIALIZED VIEW m AS DELETE FROM azure.data_protection.backup_instances RETURNING *",
    "CREATE TEMP TABLE t AS WITH gone AS (DELETE FROM azure.data_protection.backup_instances RETURNING *) SELECT * FROM gone",
    "CREATE TEMP VIEW v AS EXEC azure.data_protection.backup_instances.stop_protection @id = '{id}'",
    "START TRANSACTION READ WRITE; DELETE FROM azure.data_protection.backup_instances WHERE id = '{id}'; COMMIT",
    "BEGIN; SET TRANSACTION READ WRITE; DELETE FROM azure.data_protection.backup_instances WHERE id = '{id}'",
    "SET LOCAL transaction_read_only = off; DELETE FROM azure.data_protection.backup_instances WHERE id = '{id}'",
    "SELECT set_config('transaction_read_only', 'off', false); DELETE FROM azure.data_protection.backup_instances WHERE id = '{id}'",
    "RESET ALL; DELETE FROM azure.data_protection.backup_instances WHERE id = '{id}'",
    "DISCARD ALL; DELETE FROM azure.data_protection.backup_instances WHERE id = '{id}'",
    "SET access = write; DELETE FROM azure.data_protection.backup_instances WHERE id = '{id}'",
    "ALTER DATABASE azure SET default_transaction_read_only = off",
    "ALTER ROLE tester SET default_transaction_read_only = off",
    "REASSIGN OWNED BY tester TO root",
    "SELECT pg_switch_wal()",
    "SELECT pg_promote()",
    "SELECT nextval('s')",
    "SELECT lo_unlink(1)",
    "SELECT txid_current(); TRUNCATE azure.data_protection.backup_instances",
    "DROP VIEW azure.data_protection.vw_backup_instances",
    "DROP FUNCTION stop_protection",
    "COMMENT ON TABLE azure.data_protection.backup_instances IS 'x'",
    "REINDEX TABLE azure.data_protection.backup_instances",
    "CLUSTER azure.data_protection.backup_instances",
    "MERGE INTO azure.data_protection.backup_vaults v USING azure.data_protection.backup_instances i ON false WHEN NOT MATCHED THEN INSERT (vaultName) VALUES ('v')",
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

/// What of Flight's other messages leads to a file or to a change: each is refused, or answers nothing.
#[test]
fn no_other_message_of_flight_touches_a_file_or_changes_anything() {
    run(async {
        let rig = Rig::start("demo").await;
        let folder = tempfile::tempdir().unwrap();
        let kept = folder.path().join("kept.csv");
        std::fs::write(&kept, format!("{SECRET}\n1\n")).unwrap();
        let address = serve_flight(&rig).await;
        let path = kept.display().to_string();
        let mut through = Vec::new();
        let mut client = Client::connect(address).await;

        // Files by their path, as what is to be read, described, run or written.
        for path in [
            path.clone(),
            format!("file://{path}"),
            folder.path().display().to_string(),
        ] {
            let descriptor = FlightDescriptor::new_path(vec![path.clone()]);
            let inner = client.0.inner_mut();
            if let Ok(info) = inner.get_flight_info(descriptor.clone()).await {
                through.push(format!("get_flight_info {path}: {info:?}"));
            }
            if let Ok(schema) = inner.get_schema(descriptor.clone()).await {
                through.push(format!("get_schema {path}: {schema:?}"));
            }
            if let Ok(info) = inner.poll_flight_info(descriptor.clone()).await {
                through.push(format!("poll_flight_info {path}: {info:?}"));
            }
            if let Ok(rows) = inner.do_get(Ticket::new(path.clone())).await {
                let rows: Result<Vec<_>, _> = rows.into_inner().try_collect().await;
                if let Ok(rows) = rows {
                    through.push(format!("do_get {path}: {rows:?}"));
                }
            }
            let data = FlightData::new().with_descriptor(descriptor);
            let put = inner.do_put(futures::stream::iter([data.clone()])).await;
            if let Ok(put) = put
                && let Ok(results) = put.into_inner().try_collect::<Vec<_>>().await
            {
                through.push(format!("do_put {path}: {results:?}"));
            }
            if let Ok(exchanged) = inner.do_exchange(futures::stream::iter([data])).await
                && let Ok(results) = exchanged.into_inner().try_collect::<Vec<_>>().await
            {
                through.push(format!("do_exchange {path}: {results:?}"));
            }
            for kind in [
                "LoadFile",
                "RunShell",
                "CreatePreparedSubstraitPlan",
                "BeginSavepoint",
                "SetSessionOptions",
                "x",
            ] {
                let action = Action::new(kind, path.clone());
                if let Ok(answer) = inner.do_action(action).await
                    && let Ok(results) = answer.into_inner().try_collect::<Vec<_>>().await
                {
                    through.push(format!("do_action {kind}: {results:?}"));
                }
            }
        }
        // A plan of another engine may name files as well.
        let plan = CommandStatementSubstraitPlan {
            plan: Some(SubstraitPlan {
                plan: path.clone().into(),
                version: "0.1".to_owned(),
            }),
            transaction_id: None,
        };
        let command = FlightDescriptor::new_cmd(plan.as_any().encode_to_vec());
        if let Ok(info) = client.0.inner_mut().get_flight_info(command).await {
            through.push(format!("a plan: {info:?}"));
        }
        // Rows for a table of the provider, for one of nobody, and for a file.
        for (catalog, schema, table) in [
            (Some("azure"), Some("data_protection"), "backup_vaults"),
            (None, None, "mine"),
            (None, Some("public"), "mine"),
            (None, None, path.as_str()),
        ] {
            let ingest = CommandStatementIngest {
                table_definition_options: None,
                table: table.to_owned(),
                schema: schema.map(str::to_owned),
                catalog: catalog.map(str::to_owned),
                temporary: false,
                transaction_id: None,
                options: std::collections::HashMap::new(),
            };
            let names: ArrayRef = Arc::new(StringArray::from(vec!["v"]));
            let batch = RecordBatch::try_from_iter([("vaultName", names)]).unwrap();
            let rows = futures::stream::iter([Ok(batch)]);
            if let Ok(count) = client.0.execute_ingest(ingest, rows).await {
                through.push(format!("{count} rows into {catalog:?}.{schema:?}.{table}"));
            }
        }
        assert!(through.is_empty(), "{}", through.join("\n"));
        assert_eq!(names(folder.path()), ["kept.csv"]);
        let asked = rig.emulator.journal();
        let changing: Vec<_> = asked.iter().filter(|entry| entry.method != "GET").collect();
        assert!(changing.is_empty(), "{changing:?}");
        client.query("SELECT 1").await.unwrap();
    });
}
