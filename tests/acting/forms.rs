//! The forms of statements that act: what they answer, which target they leave alone, and what they read before.

use restable_engine::Origin;
use serde_json::json;

use super::{BACKUP, DISK, acted, body, cell, fast, line, rig, session, writes};
use crate::rig::{ask, run, settings};

const GUARDS: &str = "azure.data_protection.resource_guards";
const INSTANCES: &str = "azure.data_protection.backup_instances";
const POLICIES: &str = "azure.data_protection.backup_policies";
const SUBSCRIPTION: &str = "8f3b1c52-6d2e-4f0a-9b7c-1e5a40d7c001";
const RULE: &str = "@backupRuleOptions.ruleName = 'BackupHourly'";

fn guard(name: &str) -> String {
    format!("('{SUBSCRIPTION}', 'rg-security', '{name}', 'westeurope')")
}

const COLUMNS: &str = "(subscriptionId, resourceGroupName, resourceGuardsName, location)";

#[test]
fn what_is_there_already_is_left_alone() {
    run(async {
        let rig = rig(fast("demo")).await;
        let sql = format!(
            "INSERT INTO {GUARDS} {COLUMNS} VALUES {}, {} ON CONFLICT DO NOTHING RETURNING resourceGuardsName AS guard, lower(status)",
            guard("guard-contoso-backup"),
            guard("guard-new"),
        );
        let answer = acted(&rig, &sql).await;
        assert_eq!(answer.columns[0], "guard");
        let rows: Vec<_> = answer
            .rows
            .iter()
            .map(|row| row.iter().flatten().cloned().collect::<Vec<_>>())
            .collect();
        assert_eq!(
            rows,
            [
                ["guard-contoso-backup", "skipped"],
                ["guard-new", "succeeded"]
            ]
        );
        assert_eq!(writes(&rig).len(), 1);
    });
}

#[test]
fn a_replace_is_a_put_of_what_it_says() {
    run(async {
        let rig = rig(fast("demo")).await;
        let sql = format!(
            "REPLACE {GUARDS} SET location = 'westeurope', tags.a = 'b' WHERE subscriptionId = '{SUBSCRIPTION}' \
             AND resourceGroupName = 'rg-security' AND resourceGuardsName = 'guard-contoso-backup' RETURNING tags, status"
        );
        let answer = acted(&rig, &sql).await;
        assert_eq!(answer.sorted(), [r#"{"a":"b"} | Succeeded"#]);
        let sent = writes(&rig);
        assert_eq!(
            (sent.len(), rig.calls().count()),
            (1, 1),
            "a key that is spelled out is not searched for"
        );
        assert!(
            line(&sent[0]).starts_with("PUT /subscriptions/"),
            "{}",
            line(&sent[0])
        );
        assert_eq!(
            body(&sent[0]),
            json!({"location": "westeurope", "tags": {"a": "b"}})
        );
    });
}

#[test]
fn a_select_is_inserted_row_by_row() {
    run(async {
        let rig = rig(fast("demo")).await;
        let sql = format!(
            "INSERT INTO {POLICIES} (subscriptionId, resourceGroupName, vaultName, backupPolicyName, properties) \
             SELECT subscriptionId, resourceGroupName, vaultName, name || '-copy', properties FROM {POLICIES} \
             WHERE vaultName = 'bv-prod-weu' ORDER BY name RETURNING backupPolicyName, status"
        );
        let answer = acted(&rig, &sql).await;
        let originals = rig
            .rows(&format!("SELECT name, properties FROM {POLICIES} WHERE vaultName = 'bv-prod-weu' AND name NOT LIKE '%-copy' ORDER BY name"))
            .await;
        assert!(originals.rows.len() > 1);
        let names: Vec<String> = originals
            .column("name")
            .iter()
            .map(|name| format!("{}-copy", name.unwrap()))
            .collect();
        assert_eq!(
            answer
                .column("backupPolicyName")
                .into_iter()
                .flatten()
                .collect::<Vec<_>>(),
            names
        );
        assert!(
            answer
                .column("status")
                .iter()
                .all(|status| *status == Some("Succeeded"))
        );
        // What is there now is what was there.
        let copies = rig
            .rows(&format!("SELECT properties FROM {POLICIES} WHERE vaultName = 'bv-prod-weu' AND name LIKE '%-copy' ORDER BY name"))
            .await;
        assert_eq!(
            copies.column("properties").len(),
            originals.column("properties").len()
        );
    });
}

#[test]
fn one_failure_stops_the_others_only_if_it_is_to() {
    run(async {
        let rig = rig(fast("demo")).await;
        let each = format!(
            "SELECT id FROM {INSTANCES} WHERE vaultName = 'bv-prod-weu' AND name LIKE 'disk-%' ORDER BY name"
        );
        // The first of them is not protected.
        let sql = format!("EXEC {BACKUP} {RULE} FOR EACH ({each})");
        let answer = acted(&rig, &sql).await;
        let failed = answer.column("error_code");
        assert_eq!(
            failed[0],
            Some("UserErrorEmulatorInstanceNotProtected"),
            "{failed:?}"
        );
        assert_eq!(
            answer.column("status")[1..],
            vec![Some("Succeeded"); failed.len() - 1]
        );
        assert_eq!(answer.report.actions.as_ref().unwrap().unachieved, 1);

        rig.emulator.reset().unwrap();
        let session = session(&rig);
        session.set("on_error", "stop", Origin::Statement).unwrap();
        let answer = ask(&session, &sql).await.unwrap();
        assert_eq!(answer.column("status")[0], Some("Failed"));
        assert_eq!(
            answer.column("status")[1..],
            vec![Some("NotSent"); failed.len() - 1]
        );
        assert_eq!((writes(&rig).len(), rig.emulator.ledger().len()), (1, 0));
    });
}

#[test]
fn a_default_subscription_is_for_what_is_not_written_at_all() {
    run(async {
        let rig = rig(fast("demo")).await;
        let mut own = settings();
        own.set("default_subscription", SUBSCRIPTION, Origin::Flag)
            .unwrap();
        own.set("poll_interval", "0", Origin::Flag).unwrap();
        own.set("confirm", "never", Origin::Flag).unwrap();
        let session = rig.engine.session(own).unwrap();
        let rest = format!(
            "@resourceGroupName = 'RG-BACKUP-PROD-WEU', @vaultName = 'bv-prod-weu', @backupInstanceName = '{}', {RULE}",
            super::DISK_NAME
        );
        rig.emulator.clear_journal();
        let answer = ask(&session, &format!("EXEC {BACKUP} {rest}"))
            .await
            .unwrap();
        assert_eq!(cell(&answer, "subscriptionId"), Some(SUBSCRIPTION));
        assert_eq!(
            cell(&answer, "status"),
            Some("Succeeded"),
            "a group is found in any case: {:?}",
            answer.rows
        );
        for sql in [
            format!("EXEC {BACKUP} @subscriptionId = NULL, {rest}"),
            format!("EXEC {BACKUP} {rest} FOR EACH (SELECT NULL AS subscriptionId)"),
        ] {
            rig.emulator.clear_journal();
            let error = ask(&session, &sql).await.unwrap_err();
            assert!(error.to_string().contains("NULL"), "{error}");
            assert_eq!(rig.calls().count(), 0);
        }
        // A search for rows has no default: it finds this group in another subscription.
        let sql = "UPDATE azure.data_protection.backup_vaults SET tags.a = 'b' WHERE vaultName = 'bv-dev-weu'";
        let answer = ask(&session, sql).await.unwrap();
        assert_eq!(
            cell(&answer, "subscriptionId"),
            Some("2c9e74d1-0b35-4a8f-8d16-7f92e3b5c002")
        );
    });
}

#[test]
fn what_is_not_waited_for_is_collected_later() {
    run(async {
        let rig = rig(fast("demo")).await;
        let answer = acted(&rig, &format!("EXEC /*+ NOWAIT */ {BACKUP} {DISK}, {RULE}")).await;
        assert_eq!(cell(&answer, "status"), Some("Accepted"));
        assert_eq!(rig.calls().count(), 1, "{}", rig.calls().summary());
        let operation = cell(&answer, "operation_id").unwrap().to_owned();
        let number = cell(&answer, "operation").unwrap().to_owned();
        for reference in [operation, number] {
            let restable_engine::Outcome::Rows(mut rows) =
                session(&rig).wait_for(&reference).await.unwrap()
            else {
                panic!("waiting answers rows");
            };
            let mut batches = Vec::new();
            while let Some(batch) = rows.next().await {
                batches.push(batch.unwrap());
            }
            let waited = crate::rig::Answer::new(&batches, rows.report());
            assert_eq!(
                cell(&waited, "status"),
                Some("Succeeded"),
                "{:?}",
                waited.rows
            );
            assert!(cell(&waited, "jobId").is_some_and(|job| job.contains("/backupJobs/")));
        }
        assert_eq!(rig.emulator.ledger().len(), 1);
    });
}

#[test]
fn a_target_that_no_longer_matches_is_skipped() {
    run(async {
        let rig = rig(fast("demo")).await;
        let session = session(&rig);
        session
            .set("recheck_after", "0", Origin::Statement)
            .unwrap();
        // The first list of the vault shows them, the second one, before the call, does not.
        let page = json!({"value": []});
        let fault = json!({
            "match": {"path": "/bv-prod-weu/backupInstances", "method": "GET", "nth": 2, "times": null},
            "action": {"kind": "status", "status": 200, "body": page},
        });
        let gone = json!({
            "match": {"path": "/bv-prod-weu/backupInstances/*?", "method": "GET", "times": null},
            "action": {"kind": "status", "status": 404, "body": {"error": {"code": "ResourceNotFound", "message": "gone"}}},
        });
        rig.emulator.inject(serde_json::from_value(gone).unwrap());
        rig.emulator.inject(serde_json::from_value(fault).unwrap());
        rig.emulator.clear_journal();
        let sql = format!(
            "DELETE FROM {INSTANCES} WHERE vaultName = 'bv-prod-weu' AND properties.friendlyName LIKE 'disk-dc0%'"
        );
        let answer = ask(&session, &sql).await.unwrap();
        assert_eq!(
            answer.column("status"),
            [Some("Skipped"); 2],
            "{:?}",
            answer.rows
        );
        assert!(writes(&rig).is_empty() && rig.emulator.ledger().is_empty());
    });
}
