//! Several statements in one message of Postgres wire, or before one Sync, are one transaction that nobody began: one that fails undoes those
//! before it, as far as anything can be undone, and the error names what cannot.

use restable_engine::AuditLog;
use restable_engine::acting::Access;
use serde_json::Value;

use crate::kept::Kept;
use crate::postgres::{Wire, serve_as};
use crate::rig::{demo, run};

async fn connected(kept: &Kept) -> Wire {
    let mut wire = Wire::connect(serve_as(&kept.rig, Access::Write).await).await;
    for sql in [
        "SET confirm = never",
        "SET poll_interval = 0",
        "CREATE TEMP TABLE t AS SELECT 1 AS x",
    ] {
        wire.query(sql).await.unwrap();
    }
    wire
}

async fn one(wire: &mut Wire, sql: &str) -> String {
    let answer = wire.query(sql).await.unwrap();
    answer.rows[0][0].clone().unwrap_or_default()
}

#[test]
fn what_fails_undoes_what_stands_before_it() {
    run(async {
        let kept = Kept::start("demo").await;
        let mut wire = connected(&kept).await;
        let changes = [
            "INSERT INTO t VALUES (5)",
            "CREATE TEMP TABLE made AS SELECT 1 AS x",
            "SET application_name = 'changed'",
            "SELECT set_config('statement_timeout', '77s', false)",
            "CREATE VIEW seen AS SELECT 1 AS x",
            "SELECT 1 / 0",
            "INSERT INTO t VALUES (6)",
        ];
        for at_once in [true, false] {
            let failed = match at_once {
                true => wire.query(&changes.join("; ")).await,
                false => wire.pipeline(&changes).await,
            };
            assert!(failed.unwrap_err().contains("division by zero"));
            assert_eq!(wire.1.tags.len(), 5, "{:?}", wire.1);
            assert_eq!(one(&mut wire, "SELECT count(*) FROM t").await, "1");
            assert_eq!(one(&mut wire, "SHOW application_name").await, "");
            assert_ne!(one(&mut wire, "SHOW statement_timeout").await, "77s");
            for gone in ["made", "seen"] {
                let told = wire
                    .query(&format!("SELECT * FROM {gone}"))
                    .await
                    .unwrap_err();
                assert!(told.contains(&format!("no table `{gone}`")), "{told}");
            }
            // Without a fault it stays.
            let done = match at_once {
                true => {
                    wire.query("INSERT INTO t VALUES (7); SET application_name = 'a'")
                        .await
                }
                false => {
                    wire.pipeline(&["INSERT INTO t VALUES (7)", "SET application_name = 'a'"])
                        .await
                }
            };
            assert_eq!(done.unwrap().tags, ["INSERT 0 1", "SET"]);
            assert_eq!(one(&mut wire, "SHOW application_name").await, "a");
            assert_eq!(one(&mut wire, "SELECT count(*) FROM t").await, "2");
            wire.query("RESET application_name").await.unwrap();
            wire.query("CREATE OR REPLACE TEMP TABLE t AS SELECT 1 AS x")
                .await
                .unwrap();
        }
    });
}

/// BEGIN takes what stands before it in the message into its transaction, COMMIT and ROLLBACK end it.
#[test]
fn a_transaction_of_ones_own_begins_with_the_message() {
    run(async {
        let kept = Kept::start("demo").await;
        let mut wire = connected(&kept).await;
        for (sql, fails, left) in [
            (
                "INSERT INTO t VALUES (2); BEGIN; INSERT INTO t VALUES (3); ROLLBACK; SELECT 1",
                false,
                "1",
            ),
            (
                "INSERT INTO t VALUES (2); ROLLBACK; INSERT INTO t VALUES (3)",
                false,
                "2",
            ),
            (
                "BEGIN; INSERT INTO t VALUES (4); COMMIT; INSERT INTO t VALUES (5); SELECT 1/0",
                true,
                "3",
            ),
            ("INSERT INTO t VALUES (6); COMMIT; SELECT 1/0", true, "4"),
        ] {
            let answer = wire.query(sql).await;
            assert_eq!(answer.is_err(), fails, "{sql}: {answer:?}");
            assert_eq!(
                one(&mut wire, "SELECT count(*) FROM t").await,
                left,
                "{sql}"
            );
        }
        // What is for a transaction only is for this one.
        let sql = "SET LOCAL application_name = 'here'; SHOW application_name";
        assert_eq!(one(&mut wire, sql).await, "here");
        assert_eq!(one(&mut wire, "SHOW application_name").await, "");
        let sql = "DECLARE c CURSOR FOR SELECT * FROM generate_series(1, 9) g; FETCH 3 FROM c";
        assert_eq!(wire.query(sql).await.unwrap().rows.len(), 3);
        assert!(wire.query("FETCH 1 FROM c").await.is_err());
    });
}

/// An action is not undone: its answer comes before the error, and the error names it once more.
#[test]
fn what_cannot_be_undone_is_told() {
    run(async {
        let kept = Kept::start("demo").await;
        let mut wire = connected(&kept).await;
        let target = format!(
            "SELECT id FROM azure.data_protection.backup_instances WHERE subscriptionId = '{}' AND name LIKE 'disk%' LIMIT 1",
            demo::PRODUCTION
        );
        let id = one(&mut wire, &target).await;
        let exec =
            format!("EXEC azure.data_protection.backup_instances.suspend_backups @id = '{id}'");
        let sql = format!(
            "SET application_name = 'changed'; {exec}; CREATE MATERIALIZED VIEW made AS SELECT 1 AS x; SELECT 1 / 0"
        );
        let told = wire.query(&sql).await.unwrap_err();
        assert!(told.contains("division by zero"), "{told}");
        assert_eq!(wire.1.tags, ["SET", "SELECT 1", "CREATE MATERIALIZED VIEW"]);
        assert_eq!(
            wire.1.detail,
            "what stands before it in the same message and cannot be undone was done, and stays: EXEC, CREATE MATERIALIZED VIEW"
        );
        assert_eq!(one(&mut wire, "SHOW application_name").await, "");
        assert_eq!(one(&mut wire, "SELECT x FROM made").await, "1");
        assert_eq!(
            kept.rig
                .emulator
                .journal()
                .iter()
                .filter(|one| one.method == "POST")
                .count(),
            1
        );
        // Several of them in one message are sent one after the other, as psql -c sends them.
        let again = exec.replace("suspend_backups", "resume_backups");
        let answer = wire.query(&format!("{again}; {exec}")).await.unwrap();
        assert_eq!(answer.tags, ["SELECT 1", "SELECT 1"]);
        // The next message knows nothing of it.
        wire.query("SELECT 1 / 0").await.unwrap_err();
        assert_eq!(wire.1.detail, "");
    });
}

/// Who tried to change something and was refused stands in the audit log, without values.
#[test]
fn what_is_refused_is_taken_down() {
    run(async {
        let mut kept = Kept::start("demo").await;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("audit.jsonl");
        kept.rig.engine = kept
            .rig
            .engine
            .clone()
            .with_audit(AuditLog::open(&path).unwrap());
        let mut wire = Wire::connect(serve_as(&kept.rig, Access::Write).await).await;
        let delete = "DELETE FROM azure.data_protection.backup_instances WHERE vaultName = 'secret' AND subscriptionId = '8f3b1c52-6d2e-4f0a-9b7c-1e5a40d7c001' AND resourceGroupName = 'x' AND backupInstanceName = 'secret'";
        let mut reading = Wire::connect(serve_as(&kept.rig, Access::ReadOnly).await).await;
        wire.query(delete).await.unwrap_err();
        wire.query("BEGIN").await.unwrap();
        wire.query("CREATE MATERIALIZED VIEW v AS SELECT 'secret' AS x")
            .await
            .unwrap_err();
        wire.query("ROLLBACK").await.unwrap();
        reading.query(delete).await.unwrap_err();
        reading
            .pipeline(&["CREATE TABLE v AS SELECT 1 AS x"])
            .await
            .unwrap_err();
        // These were refused for what they say, or change nothing of anybody else.
        reading
            .query("DELETE FROM azure.data_protection.nothing WHERE x = 1")
            .await
            .unwrap_err();
        wire.query("DROP MATERIALIZED VIEW IF EXISTS nothing")
            .await
            .unwrap();
        assert_eq!(
            wire.1.notices,
            ["there is no materialized view `nothing`, which is skipped"]
        );
        wire.query("DROP TABLE IF EXISTS nothing, other")
            .await
            .unwrap();
        assert_eq!(wire.1.notices.len(), 2);
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(!text.contains("secret"), "{text}");
        let lines: Vec<Value> = text
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        let told = lines.iter().map(|line| {
            let of = |name: &str| line[name].as_str().unwrap_or_default().to_owned();
            let code = line["errors"][0]["code"].as_str().unwrap_or_default();
            format!(
                "{} {} {} {} {code}",
                of("event"),
                of("user"),
                of("action"),
                of("outcome")
            )
        });
        assert_eq!(
            told.collect::<Vec<_>>(),
            [
                "refused tester DELETE refused R0317",
                "refused tester CREATE MATERIALIZED VIEW refused 25001",
                "refused tester DELETE refused R0320",
                "refused tester CREATE TABLE refused R0320",
            ]
        );
    });
}

/// What was declared after a savepoint is gone with it.
#[test]
fn cursors_are_of_their_savepoint() {
    run(async {
        let kept = Kept::start("demo").await;
        let mut wire = connected(&kept).await;
        wire.query("BEGIN; DECLARE a CURSOR FOR SELECT 1; SAVEPOINT s")
            .await
            .unwrap();
        for _ in 0..2 {
            wire.query("DECLARE b CURSOR FOR SELECT * FROM t")
                .await
                .unwrap();
            wire.query("ROLLBACK TO s").await.unwrap();
        }
        assert_eq!(wire.query("FETCH 1 FROM a").await.unwrap().rows.len(), 1);
        wire.query("FETCH 1 FROM b").await.unwrap_err();
        wire.query("ROLLBACK").await.unwrap();
    });
}
