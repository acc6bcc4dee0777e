//! Rows that are kept say what they lack, wherever they go: into tables of the session, into other snapshots, and before anything is done
//! with them. A refresh that is given up says so. A preview of a statement about snapshots does nothing, and no snapshot takes the name of a provider's table.

use std::time::Duration;

use restable_engine::AuditLog;
use restable_engine::acting::Access;
use restable_engine::arrow::datatypes::{DataType, TimeUnit};
use restable_engine::parameters::{Bound, Parameter};
use restable_engine::{Origin, Session};
use serde_json::{Value, json};

use crate::kept::{ESTATE, Kept, done, forbidden, inject, refused};
use crate::rig::{ask, run};

const LOST: &str = "/backupVaults/bv-prod-neu/backupInstances?";

/// A snapshot that lacks a vault, which can be read again since.
async fn lacking(kept: &Kept) -> Session {
    let session = kept.session();
    inject(kept, forbidden(LOST));
    session.set("partial_refresh", "on", Origin::Flag).unwrap();
    let made = "USE azure.data_protection;
        CREATE MATERIALIZED VIEW lacking AS SELECT id, name, vaultName FROM backup_instances";
    let (_, report) = done(&session, made).await.unwrap();
    assert_eq!(report.unwrap().missing.len(), 1);
    kept.rig.emulator.clear_faults();
    session.set("partial_refresh", "off", Origin::Flag).unwrap();
    session
}

#[test]
fn a_table_of_the_session_says_what_its_rows_lack() {
    run(async {
        let kept = Kept::start("demo").await;
        let session = lacking(&kept).await;
        for (table, made) in [
            ("a", "CREATE TEMP TABLE a AS SELECT id, name FROM lacking"),
            (
                "b",
                "CREATE TEMP TABLE b (id text, name text); INSERT INTO b SELECT id, name FROM lacking",
            ),
            ("c", "CREATE TEMP TABLE c AS SELECT * FROM a"),
        ] {
            for statement in made.split("; ") {
                match statement.starts_with("INSERT") {
                    true => {
                        let report = ask(&session, statement).await.unwrap().report;
                        assert_eq!(report.missing.len(), 1, "{statement}");
                    }
                    false => drop(done(&session, statement).await.unwrap()),
                }
            }
            let answer = ask(&session, &format!("SELECT count(*) FROM {table}")).await;
            let answer = answer.unwrap();
            assert_eq!(answer.value(), "26");
            assert_eq!(answer.report.missing.len(), 1, "{table}");
            let scope = answer.report.missing[0].scope.to_lowercase();
            assert!(scope.contains("bv-prod-neu"), "{scope}");
            let again = format!("CREATE TABLE kept AS SELECT * FROM {table}");
            let told = refused(&session, &again).await;
            assert!(told.starts_with("R0604: 1 scope"), "{told}");
        }
        // What is read live with scopes missing marks a table as well.
        inject(&kept, forbidden(LOST));
        session.set("partial_results", "on", Origin::Flag).unwrap();
        let live = "CREATE TEMP TABLE d AS SELECT id FROM backup_instances";
        let (_, report) = done(&session, live).await.unwrap();
        assert_eq!(report.unwrap().missing.len(), 1);
        kept.rig.emulator.clear_faults();
        session.set("partial_results", "off", Origin::Flag).unwrap();
        let answer = ask(&session, "SELECT count(*) FROM d").await.unwrap();
        assert_eq!(answer.report.missing.len(), 1);
        // A table without such rows beside it is complete.
        done(&session, "CREATE TEMP TABLE e AS SELECT 1 AS id")
            .await
            .unwrap();
        let answer = ask(&session, "SELECT * FROM e").await.unwrap();
        assert!(answer.report.is_complete());
    });
}

/// What is not in a set only because it could not be read must not be deleted.
#[test]
fn nothing_is_sent_for_a_set_that_lacks_rows() {
    run(async {
        let kept = Kept::start("demo").await;
        let session = lacking(&kept).await;
        done(&session, "CREATE TEMP TABLE own AS SELECT id FROM lacking")
            .await
            .unwrap();
        kept.rig.emulator.clear_journal();
        for table in ["lacking", "own"] {
            for sql in [
                format!(
                    "DELETE FROM backup_instances WHERE vaultName = 'bv-prod-neu' AND id NOT IN (SELECT id FROM {table}) RETURNING status"
                ),
                format!(
                    "EXEC backup_instances.adhoc_backup @backupRuleOptions.ruleName = 'BackupDaily', @backupRuleOptions.triggerOption.retentionTagOverride = 'Default' FOR EACH (SELECT id FROM {table})"
                ),
                format!(
                    "PREVIEW DELETE FROM backup_instances WHERE id IN (SELECT id FROM {table})"
                ),
            ] {
                let problem = ask(&session, &sql).await.unwrap_err().diagnostic();
                assert_eq!(problem.code, "R0604", "{sql}: {}", problem.message);
                let message = &problem.message;
                assert!(message.contains("nothing was sent"), "{message}");
            }
        }
        let journal = kept.rig.emulator.journal();
        assert!(
            journal.iter().all(|entry| entry.method == "GET"),
            "{journal:?}"
        );
    });
}

#[test]
fn a_preview_changes_no_snapshot() {
    run(async {
        let kept = Kept::start("demo").await;
        let session = kept.session();
        done(&session, "CREATE MATERIALIZED VIEW kept AS SELECT 1 AS a")
            .await
            .unwrap();
        let files = kept.files("kept");
        session.set_access(Access::Preview);
        for sql in [
            "REFRESH MATERIALIZED VIEW kept",
            "CREATE OR REPLACE MATERIALIZED VIEW kept AS SELECT 2 AS a",
            "CREATE MATERIALIZED VIEW other AS SELECT name FROM azure.data_protection.backup_instances",
            "CREATE TABLE other AS SELECT 2 AS a",
            "DROP MATERIALIZED VIEW kept",
        ] {
            let (message, report) = done(&session, sql).await.unwrap();
            assert!(
                message.contains("would be") && message.contains("nothing was"),
                "{sql}: {message}"
            );
            assert!(report.is_none());
        }
        assert_eq!(kept.files("kept"), files);
        assert!(kept.files("other").is_empty());
        assert_eq!(kept.rig.emulator.journal().len(), 0);
    });
}

#[test]
fn no_snapshot_stands_before_a_providers_table() {
    run(async {
        let kept = Kept::start("demo").await;
        let session = kept.session();
        // Where no service is used the name is free, ...
        done(
            &session,
            "CREATE MATERIALIZED VIEW backup_vaults AS SELECT 'planted' AS name",
        )
        .await
        .unwrap();
        let planted = ask(&session, "SELECT name FROM backup_vaults").await;
        assert_eq!(planted.unwrap().value(), "planted");
        // ... and whoever uses the service means its table; the snapshot has a whole name.
        let other = kept.session();
        done(&other, "USE azure.data_protection").await.unwrap();
        let count = ask(&other, "SELECT count(*) FROM backup_vaults").await;
        assert_eq!(count.unwrap().value(), "7");
        let planted = ask(&other, "SELECT name FROM public.backup_vaults").await;
        assert_eq!(planted.unwrap().value(), "planted");
        for sql in [
            "CREATE MATERIALIZED VIEW vw_backup_instances AS SELECT 1 AS a",
            "CREATE TABLE backup_instances AS SELECT 1 AS a",
        ] {
            let told = refused(&other, sql).await;
            assert!(
                told.starts_with("R0341: ") && told.contains("azure.data_protection"),
                "{told}"
            );
        }
        // A table of the session is what the session said.
        done(&other, "CREATE TEMP TABLE backup_policies AS SELECT 1 AS a")
            .await
            .unwrap();
        let own = ask(&other, "SELECT a FROM backup_policies").await;
        assert_eq!(own.unwrap().value(), "1");
    });
}

/// A count is known without the rows; without their file it is no answer.
#[test]
fn a_count_of_rows_that_are_gone_is_an_error() {
    run(async {
        let kept = Kept::start("demo").await;
        let session = kept.session();
        done(
            &session,
            "CREATE MATERIALIZED VIEW kept AS SELECT * FROM generate_series(1, 1000)",
        )
        .await
        .unwrap();
        let count = "SELECT count(*) FROM kept";
        assert_eq!(ask(&session, count).await.unwrap().value(), "1000");
        let file = kept.files("kept").remove(0);
        let bytes = std::fs::read(&file).unwrap();
        std::fs::write(&file, &bytes[..bytes.len() / 2]).unwrap();
        let problem = ask(&session, count).await.unwrap_err().diagnostic();
        assert_eq!(problem.code, "R0711");
        std::fs::remove_file(&file).unwrap();
        let problem = ask(&session, count).await.unwrap_err().diagnostic();
        assert_eq!(problem.code, "R0711");
        let manifest = kept.files("kept").remove(0);
        std::fs::write(&manifest, "{").unwrap();
        let refused = refused(&session, "REFRESH MATERIALIZED VIEW kept").await;
        assert!(refused.starts_with("R0711: "), "{refused}");
        let problem = ask(&session, count).await.unwrap_err().diagnostic();
        let advice = problem.help.as_deref().unwrap_or_default();
        assert!(advice.starts_with("DROP"), "{advice}");
        done(&session, "DROP MATERIALIZED VIEW kept").await.unwrap();
    });
}

/// A driver asks what a statement takes before it gives the time; the time then counts.
#[test]
fn a_time_may_be_a_parameter_with_its_type() {
    run(async {
        let kept = Kept::start("demo").await;
        let session = kept.session();
        for made in [
            "CREATE MATERIALIZED VIEW kept AS SELECT 1 AS a",
            "REFRESH MATERIALIZED VIEW kept",
        ] {
            done(&session, made).await.unwrap();
        }
        let zoned = DataType::Timestamp(TimeUnit::Nanosecond, Some("+00:00".into()));
        for (time, declared, kind) in [
            ("$1", None, &zoned),
            ("$1", Some(zoned.clone()), &zoned),
            ("$1::timestamptz", None, &zoned),
            ("$1", Some(DataType::Utf8), &DataType::Utf8),
        ] {
            let sql = format!("SELECT a FROM kept FOR SYSTEM_TIME AS OF {time}");
            let parsed = restable_sql::parse(&sql).unwrap().remove(0);
            let described = session.describe(&parsed, &[declared]).await.unwrap();
            assert_eq!(described.parameters.first(), Some(kind), "{time}");
            let with = |value: Bound| {
                let kind = described.parameters[0].clone();
                vec![Parameter { kind, value }]
            };
            let then = Bound::One("2030-01-01 00:00:00+00".to_owned());
            session.prepare_with(&parsed, with(then)).await.unwrap();
            for (value, code) in [
                (Bound::One("2020-01-01 00:00:00+00".to_owned()), "R0344"),
                (Bound::Null, "R0348"),
            ] {
                let problem = session.prepare_with(&parsed, with(value)).await;
                assert_eq!(problem.unwrap_err().diagnostic().code, code, "{time}");
            }
        }
    });
}

#[test]
fn a_refresh_that_is_given_up_says_so() {
    run(async {
        let mut kept = Kept::start("demo").await;
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("audit.jsonl");
        let audit = AuditLog::open(&log).unwrap();
        kept.rig.engine = kept.rig.engine.clone().with_audit(audit);
        let session = kept.session();
        done(&session, ESTATE).await.unwrap();
        let before = kept.files("estate");
        // No list of instances is answered: whoever waits for it gives up.
        inject(
            &kept,
            json!({
                "match": {"path": "/backupInstances?", "times": null},
                "action": {"kind": "delay", "milliseconds": 86_400_000},
            }),
        );
        kept.rig.emulator.clear_journal();
        let asked = async {
            while kept.rig.emulator.journal().is_empty() {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        tokio::select! {
            done = done(&session, "REFRESH MATERIALIZED VIEW estate") => panic!("{done:?}"),
            () = asked => {}
        }
        let listed = kept.rows("SHOW MATERIALIZED VIEWS").await;
        let failure = listed.column("last_failure")[0].unwrap();
        assert!(
            failure.ends_with("the refresh was stopped before its end"),
            "{failure}"
        );
        assert_eq!(listed.column("coverage"), [Some("complete")]);
        assert_eq!(kept.rows("SELECT count(*) FROM estate").await.value(), "31");
        assert_eq!(kept.files("estate"), before);
        // The audit log has its last line as well.
        let lines = std::fs::read_to_string(&log).unwrap();
        let lines: Vec<Value> = lines
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        let told: Vec<_> = lines
            .iter()
            .map(|line| (line["event"].as_str(), line["outcome"].as_str()))
            .collect();
        assert_eq!(
            told,
            [
                (Some("begin"), None),
                (Some("end"), Some("succeeded")),
                (Some("begin"), None),
                (Some("end"), Some("stopped")),
            ]
        );
        assert_eq!(lines[2]["statement"], lines[3]["statement"]);
        // The next one may be made, and nothing of the failure is left.
        kept.rig.emulator.clear_faults();
        done(&session, "REFRESH MATERIALIZED VIEW estate")
            .await
            .unwrap();
        let listed = kept.rows("SHOW MATERIALIZED VIEWS").await;
        assert_eq!(listed.column("last_failure"), [None]);
    });
}
