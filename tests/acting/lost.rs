//! Answers that are lost: an action is never sent twice. The emulator's ledger counts effects, its journal requests.

use arm_emulator::Options;
use serde_json::{Value, json};

use super::{BACKUP, DISK, acted, cell, fast, rig, session, writes};
use crate::rig::{Answer, Rig, report, run};

const INSTANCES: &str = "azure.data_protection.backup_instances";
const RULE: &str = "@backupRuleOptions.ruleName = 'BackupHourly'";
const KEY: &str = "subscriptionId = '8f3b1c52-6d2e-4f0a-9b7c-1e5a40d7c001' AND resourceGroupName = 'rg-backup-prod-weu' \
    AND vaultName = 'bv-prod-weu'";

fn inject(rig: &Rig, method: &str, times: u64, action: Value) {
    let fault = json!({"match": {"method": method, "times": times}, "action": action});
    rig.emulator.inject(serde_json::from_value(fault).unwrap());
}

fn status(status: u16) -> Value {
    json!({"kind": "status", "status": status, "body": {"error": {"code": "AsOrdered", "message": "as ordered"}}})
}

/// The faults whose request may have been received: name, what is done, and how many effects it has.
fn uncertain() -> Vec<(&'static str, Value, usize)> {
    vec![
        ("answer lost", json!({"kind": "drop"}), 1),
        ("connection reset after it", json!({"kind": "reset"}), 1),
        ("closed before it", json!({"kind": "close"}), 0),
        ("500", status(500), 0),
        ("502", status(502), 0),
        ("503", status(503), 0),
        ("504", status(504), 0),
        ("408", status(408), 0),
    ]
}

#[test]
fn an_action_whose_answer_is_lost_is_sent_once_and_resolved() {
    run(async {
        let rig = rig(fast("demo")).await;
        let mut failures = Vec::new();
        for (name, action, effects) in uncertain() {
            rig.emulator.reset().unwrap();
            inject(&rig, "POST", 1, action);
            let answer = acted(&rig, &format!("EXEC {BACKUP} {DISK}, {RULE}")).await;
            if writes(&rig).len() != 1 || rig.emulator.ledger().len() != effects {
                failures.push(format!(
                    "{name}: {} writes, {:?}",
                    writes(&rig).len(),
                    rig.emulator.ledger()
                ));
            }
            let id = writes(&rig)[0].client_request_id.clone().unwrap();
            let message = cell(&answer, "error_message").unwrap_or_default();
            let right = match effects {
                1 => {
                    let job =
                        cell(&answer, "jobId").is_some_and(|job| job.contains("/backupJobs/"));
                    cell(&answer, "status") == Some("Succeeded") && job
                }
                _ => {
                    cell(&answer, "status") == Some("Unknown")
                        && message.contains("SELECT * FROM azure.data_protection.jobs WHERE")
                        && message.contains(&id)
                }
            };
            if !right {
                failures.push(format!("{name}: {:?}", answer.rows));
            }
        }
        report(&format!(
            "{} lost answers of an action, {} failures",
            uncertain().len(),
            failures.len()
        ));
        assert!(failures.is_empty(), "{}", failures.join("\n"));
    });
}

#[test]
fn where_the_service_keeps_no_request_id_it_stays_unknown() {
    run(async {
        let rig = rig(Options {
            keep_request_id: false,
            ..fast("demo")
        })
        .await;
        inject(&rig, "POST", 1, json!({"kind": "drop"}));
        let answer = acted(&rig, &format!("EXEC {BACKUP} {DISK}, {RULE}")).await;
        assert_eq!(
            cell(&answer, "status"),
            Some("Unknown"),
            "{:?}",
            answer.rows
        );
        assert_eq!(cell(&answer, "jobId"), None);
        let message = cell(&answer, "error_message").unwrap();
        assert!(
            message.contains("SELECT * FROM azure.data_protection.jobs WHERE"),
            "{message}"
        );
        assert_eq!((writes(&rig).len(), rig.emulator.ledger().len()), (1, 1));

        // Going on asks again, and sends nothing as long as `unknown_grace` has not passed.
        let again = resumed(&rig).await;
        assert_eq!(cell(&again, "status"), Some("Unknown"), "{:?}", again.rows);
        assert_eq!(rig.emulator.ledger().len(), 1);
    });
}

async fn resumed(rig: &Rig) -> Answer {
    resumed_after(rig, "600").await
}

async fn resumed_after(rig: &Rig, grace: &str) -> Answer {
    let session = session(rig);
    session
        .set("unknown_grace", grace, restable_engine::Origin::Statement)
        .unwrap();
    let restable_engine::Outcome::Rows(mut rows) = session.resume(None).await.unwrap() else {
        panic!("resuming answers rows");
    };
    let mut batches = Vec::new();
    while let Some(batch) = rows.next().await {
        batches.push(batch.unwrap());
    }
    Answer::new(&batches, rows.report())
}

#[test]
fn what_was_not_received_is_sent_by_resume_after_its_time() {
    run(async {
        let rig = rig(fast("demo")).await;
        inject(&rig, "POST", 1, status(503));
        let answer = acted(&rig, &format!("EXEC {BACKUP} {DISK}, {RULE}")).await;
        assert_eq!(
            cell(&answer, "status"),
            Some("Unknown"),
            "{:?}",
            answer.rows
        );
        let early = resumed(&rig).await;
        assert_eq!(cell(&early, "status"), Some("Unknown"), "{:?}", early.rows);
        assert!(rig.emulator.ledger().is_empty());
        let late = resumed_after(&rig, "0").await;
        assert_eq!(cell(&late, "status"), Some("Succeeded"), "{:?}", late.rows);
        assert!(cell(&late, "jobId").is_some(), "{:?}", late.rows);
        assert_eq!(rig.emulator.ledger().len(), 1);
        // Both requests are one to the service.
        let ids: Vec<_> = writes(&rig)
            .into_iter()
            .map(|sent| sent.client_request_id)
            .collect();
        assert_eq!((ids.len(), &ids[0]), (2, &ids[1]));
    });
}

#[test]
fn throttling_is_waited_out_and_has_one_effect() {
    run(async {
        let rig = rig(fast("demo")).await;
        for wait in ["0", "30"] {
            rig.emulator.reset().unwrap();
            let mut action = status(429);
            action["headers"] = json!({"retry-after": wait});
            inject(&rig, "POST", 3, action);
            let answer = acted(&rig, &format!("EXEC {BACKUP} {DISK}, {RULE}")).await;
            assert_eq!(
                cell(&answer, "status"),
                Some("Succeeded"),
                "{:?}",
                answer.rows
            );
            assert_eq!((writes(&rig).len(), rig.emulator.ledger().len()), (4, 1));
        }
    });
}

#[test]
fn a_put_or_delete_is_sent_again() {
    run(async {
        let rig = rig(fast("demo")).await;
        let policy = "INSERT INTO azure.data_protection.dpp_resource_guard_proxy (subscriptionId, resourceGroupName, vaultName, \
            resourceGuardProxyName, properties) VALUES ('8f3b1c52-6d2e-4f0a-9b7c-1e5a40d7c001', 'rg-backup-prod-weu', 'bv-prod-weu', 'p', \
            '{\"resourceGuardResourceId\": \"/subscriptions/8f3b1c52-6d2e-4f0a-9b7c-1e5a40d7c001/resourceGroups/rg-security/providers/Microsoft.DataProtection/resourceGuards/guard-contoso-backup\"}')";
        let delete = format!(
            "DELETE FROM {INSTANCES} WHERE {KEY} AND backupInstanceName = '{}'",
            super::DISK_NAME
        );
        for (method, sql) in [("PUT", policy), ("DELETE", &delete)] {
            for (name, action, _) in uncertain() {
                rig.emulator.reset().unwrap();
                inject(&rig, method, 1, action);
                let answer = acted(&rig, sql).await;
                assert_eq!(
                    cell(&answer, "status"),
                    Some("Succeeded"),
                    "{method}, {name}: {:?}",
                    answer.rows
                );
                let sent = writes(&rig);
                assert_eq!(sent.len(), 2, "{method}, {name}");
                assert_eq!(sent[0].client_request_id, sent[1].client_request_id);
            }
        }
    });
}

#[test]
fn other_actions_are_resolved_by_what_their_document_says() {
    run(async {
        let rig = rig(fast("demo")).await;
        // What shows the effect: the state of the instance, or nothing at all.
        for (sql, expected) in [
            (
                format!("EXEC {INSTANCES}.stop_protection {DISK}"),
                "Succeeded",
            ),
            (
                format!("EXEC {INSTANCES}.suspend_backups {DISK}"),
                "Succeeded",
            ),
            (
                format!("EXEC {INSTANCES}.sync_backup_instance {DISK}"),
                "Unknown",
            ),
        ] {
            rig.emulator.reset().unwrap();
            inject(&rig, "POST", 1, json!({"kind": "drop"}));
            let answer = acted(&rig, &sql).await;
            assert_eq!(
                (writes(&rig).len(), rig.emulator.ledger().len()),
                (1, 1),
                "{sql}"
            );
            // The effect comes when the operation ends; asking lets the clock of this emulator go on.
            assert_eq!(
                cell(&answer, "status"),
                Some(expected),
                "{sql}: {:?}",
                answer.rows
            );
            if expected == "Unknown" {
                assert!(
                    cell(&answer, "error_message")
                        .unwrap()
                        .contains("look at `SELECT"),
                    "{:?}",
                    answer.rows
                );
            }
        }
    });
}

#[test]
fn a_lost_poll_is_asked_again_and_a_failed_operation_is_told() {
    run(async {
        let rig = rig(fast("demo")).await;
        let backup = format!("EXEC {BACKUP} {DISK}, {RULE}");
        for action in [
            json!({"kind": "drop"}),
            json!({"kind": "close_mid_body"}),
            status(503),
        ] {
            rig.emulator.reset().unwrap();
            let fault =
                json!({"match": {"path": "/operationStatus/", "times": 2}, "action": action});
            rig.emulator.inject(serde_json::from_value(fault).unwrap());
            let answer = acted(&rig, &backup).await;
            assert_eq!(
                cell(&answer, "status"),
                Some("Succeeded"),
                "{action}: {:?}",
                answer.rows
            );
            assert_eq!((writes(&rig).len(), rig.emulator.ledger().len()), (1, 1));
        }
        // What cannot be read is told, and the operation goes on: nothing says that it failed.
        rig.emulator.reset().unwrap();
        let fault = json!({"match": {"path": "/operationStatus/"}, "action": {"kind": "truncate"}});
        rig.emulator.inject(serde_json::from_value(fault).unwrap());
        let answer = acted(&rig, &backup).await;
        assert_eq!(
            cell(&answer, "status"),
            Some("Accepted"),
            "{:?}",
            answer.rows
        );
        assert!(
            cell(&answer, "operation_id").is_some() && cell(&answer, "error_message").is_some()
        );
        let again = resumed(&rig).await;
        let last = again.rows.last().unwrap();
        assert!(
            last.contains(&Some("Succeeded".to_owned())),
            "{:?}",
            again.rows
        );
        assert_eq!(rig.emulator.ledger().len(), 1);

        rig.emulator.reset().unwrap();
        inject(
            &rig,
            "POST",
            1,
            json!({"kind": "fail_operation", "code": "UserErrorOrdered", "message": "as ordered"}),
        );
        let answer = acted(&rig, &backup).await;
        assert_eq!(cell(&answer, "status"), Some("Failed"), "{:?}", answer.rows);
        assert_eq!(cell(&answer, "error_code"), Some("UserErrorOrdered"));
        assert!(
            cell(&answer, "error_message")
                .unwrap()
                .contains("as ordered")
        );

        rig.emulator.reset().unwrap();
        inject(
            &rig,
            "POST",
            1,
            json!({"kind": "fail_job", "code": "UserErrorJob", "message": "the job, as ordered"}),
        );
        let answer = acted(
            &rig,
            &format!("EXEC /*+ AWAIT_JOB */ {BACKUP} {DISK}, {RULE}"),
        )
        .await;
        assert_eq!(cell(&answer, "status"), Some("Failed"), "{:?}", answer.rows);
        assert_eq!(cell(&answer, "job_status"), Some("Failed"));
        assert_eq!(cell(&answer, "error_code"), Some("UserErrorJob"));

        rig.emulator.reset().unwrap();
        let answer = acted(
            &rig,
            &format!("EXEC /*+ AWAIT_JOB */ {BACKUP} {DISK}, {RULE}"),
        )
        .await;
        assert_eq!(
            cell(&answer, "job_status"),
            Some("Completed"),
            "{:?}",
            answer.rows
        );
        assert!(
            cell(&answer, "job_duration_seconds")
                .unwrap()
                .parse::<f64>()
                .unwrap()
                > 0.0
        );
    });
}
