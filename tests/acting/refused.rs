//! Statements that name nothing, and statements that are refused: neither sends anything.

use restable_engine::Origin;

use super::{BACKUP, DISK, VAULT, act, fast, rig, session, writes};
use crate::rig::{ask, report, run, settings};

const INSTANCES: &str = "azure.data_protection.backup_instances";
const KEY: &str = "subscriptionId = '8f3b1c52-6d2e-4f0a-9b7c-1e5a40d7c001' AND resourceGroupName = 'rg-backup-prod-weu' \
    AND vaultName = 'bv-prod-weu'";

/// Conditions that no row meets, and how many calls it may cost to know that.
fn empty_conditions() -> Vec<(String, usize)> {
    vec![
        ("1 = 0".to_owned(), 0),
        ("false".to_owned(), 0),
        ("NULL".to_owned(), 0),
        ("name = NULL".to_owned(), 12),
        ("id = NULL".to_owned(), 12),
        ("vaultName = NULL".to_owned(), 0),
        (format!("{KEY} AND backupInstanceName = NULL"), 0),
        (format!("{KEY} AND backupInstanceName IN (NULL)"), 0),
        (format!("{KEY} AND backupInstanceName = 'x' AND 1 = 0"), 0),
        (
            format!("name IN (SELECT name FROM {INSTANCES} WHERE false)"),
            12,
        ),
        (
            format!("name IN (SELECT name FROM {INSTANCES} WHERE name = 'nobody')"),
            30,
        ),
        ("EXISTS (SELECT 1 WHERE false)".to_owned(), 12),
        ("name NOT IN (SELECT NULL)".to_owned(), 12),
        ("name = (SELECT NULL)".to_owned(), 12),
    ]
}

#[test]
fn what_names_no_row_sends_nothing() {
    run(async {
        let rig = rig(fast("demo")).await;
        let mut failures = Vec::new();
        let vaults = "azure.data_protection.backup_vaults";
        let conditions = empty_conditions();
        for (condition, most) in &conditions {
            let mut statements = vec![format!("DELETE FROM {INSTANCES} WHERE {condition}")];
            if !condition.contains("backupInstanceName") {
                statements.push(format!("UPDATE {vaults} SET tags = NULL WHERE {condition}"));
                let source = format!("SELECT id FROM {INSTANCES} WHERE {condition}");
                statements.push(format!(
                    "EXEC {INSTANCES}.stop_protection FOR EACH ({source})"
                ));
            }
            for sql in statements {
                match act(&rig, &sql).await {
                    Ok(answer) if answer.rows.is_empty() => {}
                    other => failures.push(format!("{sql}: {other:?}")),
                }
                let calls = rig.calls();
                if !writes(&rig).is_empty() || calls.count() > *most {
                    failures.push(format!("{sql}: {}", calls.summary()));
                }
            }
        }
        assert!(rig.emulator.ledger().is_empty());
        report(&format!(
            "{} conditions that no row meets, {} failures",
            conditions.len(),
            failures.len()
        ));
        assert!(failures.is_empty(), "{}", failures.join("\n"));
    });
}

const RULE: &str = "@backupRuleOptions.ruleName = 'BackupHourly'";

/// Statements that are refused, each with words that the error must have.
fn refused() -> Vec<(String, &'static [&'static str])> {
    let backup = |arguments: &str| format!("EXEC {BACKUP} {arguments}");
    let named = |subscription: &str, vault: &str, name: &str| {
        format!(
            "EXEC {BACKUP} @subscriptionId = '{subscription}', @resourceGroupName = 'rg-backup-prod-weu', @vaultName = '{vault}', \
             @backupInstanceName = {name}, {RULE}"
        )
    };
    let subscription = "8f3b1c52-6d2e-4f0a-9b7c-1e5a40d7c001";
    let each = |columns: &str| format!("EXEC {BACKUP} {RULE} FOR EACH (SELECT {columns}) AS x");
    let restore = |body: &str| format!("EXEC {INSTANCES}.trigger_restore {DISK} @@json = '{body}'");
    vec![
        (backup(DISK), &["backupRuleOptions"]),
        (backup(&format!("{DISK}, @backupRuleOptions = '{{}}'")), &["ruleName"]),
        (backup(&format!("{DISK} @@json = '{{}}'")), &["backupRuleOptions"]),
        (backup(&format!("{DISK} @@json = '[]'")), &["object"]),
        (backup(&format!("{DISK} @@json = '{{bad'")), &["JSON"]),
        (backup(&format!("{DISK} @@json = NULL")), &["NULL"]),
        (backup(&format!("{DISK}, @backupRuleOptions = '[1]'")), &["backupRuleOptions"]),
        (backup(&format!("{DISK}, @backupRuleOptions = 'words'")), &["backupRuleOptions"]),
        (backup(&format!("{DISK}, @backupRuleOptions.ruleName = 17")), &["ruleName"]),
        (backup(&format!("{DISK}, @backupRuleOptions.ruleName = true")), &["ruleName"]),
        (backup(&format!("{DISK}, {RULE}, @backupRuleOptions.ruleNam = 'x'")), &["ruleNam", "did you mean `backupRuleOptions.ruleName`"]),
        (backup(&format!("{DISK}, {RULE}, @bakupRuleOptions.ruleName = 'x'")), &["bakupRuleOptions", "did you mean"]),
        (backup(&format!("{DISK}, {RULE}, @backupRuleOptions.rule_name = 'x'")), &["given twice"]),
        (backup(&format!("{DISK}, {RULE} @@json = '{{}}'")), &["both"]),
        (backup(&format!("{DISK}, {RULE}, @vaultname = 'other'")), &["given twice"]),
        (backup(RULE), &["needs"]),
        (backup(&format!("@vault_id = '{VAULT}', {RULE}")), &["backupInstanceName"]),
        (backup(&format!("@vault_id = '{VAULT}', @vaultName = 'other', @backupInstanceName = 'x', {RULE}")), &["other"]),
        (backup(&format!("@id = 'no id', {RULE}")), &["id"]),
        (backup(&format!("@id = NULL, {RULE}")), &["NULL"]),
        (named("not-a-uuid", "bv-prod-weu", "'x'"), &["not-a-uuid", "UUID"]),
        (named("", "bv-prod-weu", "'x'"), &["subscriptionId"]),
        (named(subscription, "..", "'x'"), &["vaultName"]),
        (named(subscription, ".", "'x'"), &["vaultName"]),
        (named(subscription, "a/b", "'x'"), &["vaultName"]),
        (named(subscription, "a%2Fb", "'x'"), &["vaultName"]),
        (named(subscription, "a?b", "'x'"), &["vaultName"]),
        (named(subscription, "bv-prod-weu", "''"), &["backupInstanceName"]),
        (named(subscription, "bv-prod-weu", "NULL"), &["backupInstanceName", "NULL"]),
        (named(subscription, "bv-prod-weu", "'..'"), &["backupInstanceName"]),
        (named(subscription, "bv-prod-weu", "'a/../b'"), &["backupInstanceName"]),
        (named(subscription, "bv-prod-weu", "'a' || chr(10)"), &["backupInstanceName"]),
        (named(subscription, "bv-prod-weu", "'a' || chr(127)"), &["backupInstanceName"]),
        (
            each("'8f3b1c52-6d2e-4f0a-9b7c-1e5a40d7c001' AS subscriptionId, 'g' AS resourceGroupName, 'v' AS vaultName, NULL AS backupInstanceName"),
            &["backupInstanceName", "NULL", "row 1"],
        ),
        (each(&format!("id FROM (VALUES ('{VAULT}/backupInstances/a'), (NULL)) AS v(id)")), &["NULL", "row 2"]),
        (
            each(&format!("id FROM (VALUES ('{VAULT}/backupInstances/a'), ('{VAULT}/backupInstances/A')) AS v(id)")),
            &["one target", "rows 1 and 2"],
        ),
        (restore(r#"{"objectType": "Unheard", "sourceDataStoreType": "OperationalStore"}"#), &["objectType", "Unheard"]),
        (restore(r#"{"sourceDataStoreType": "OperationalStore"}"#), &["objectType"]),
        (
            restore(
                r#"{"objectType": "AzureBackupRecoveryPointBasedRestoreRequest", "sourceDataStoreType": "OperationalStore", "recoveryPointId": "p"}"#,
            ),
            &["restoreTargetInfo"],
        ),
        (format!("INSERT INTO {INSTANCES} (vaultName) VALUES ('x')"), &[]),
        (format!("INSERT INTO {INSTANCES} VALUES ('x')"), &["columns"]),
        (
            "INSERT INTO azure.data_protection.backup_vaults (subscriptionId, resourceGroupName, vaultName, properties) VALUES \
             ('8f3b1c52-6d2e-4f0a-9b7c-1e5a40d7c001', 'rg-backup-prod-weu', 'x', '{\"storageSettings\": []}')"
                .to_owned(),
            &["location"],
        ),
        (format!("UPDATE {INSTANCES} SET tags = NULL WHERE name = 'x'"), &["UPDATE"]),
        (format!("UPDATE azure.data_protection.backup_vaults SET vaultName = 'y' WHERE {KEY}"), &["key"]),
        (format!("UPDATE azure.data_protection.backup_vaults SET tgas = NULL WHERE {KEY}"), &["tgas", "did you mean"]),
        (format!("DELETE FROM {INSTANCES} WHERE {KEY} AND backupInstanceName = 'a/b'"), &["backupInstanceName"]),
        (format!("EXEC {INSTANCES}.no_such_method {DISK}"), &["no_such_method"]),
        (format!("EXEC /*+ SOON */ {BACKUP} {DISK}, {RULE}"), &["SOON"]),
    ]
}

#[test]
fn what_is_refused_sends_nothing() {
    run(async {
        let rig = rig(fast("demo")).await;
        let mut failures = Vec::new();
        let statements = refused();
        for (sql, words) in &statements {
            match act(&rig, sql).await {
                Ok(answer) => failures.push(format!("{sql}: not refused: {:?}", answer.rows)),
                Err(error) => {
                    let told = error.diagnostic();
                    let text = format!("{} {:?} {:?}", told.message, told.notes, told.help);
                    let lacking = words.iter().find(|word| !text.contains(*word));
                    if let Some(word) = lacking {
                        failures.push(format!("{sql}: the error lacks `{word}`: {text}"));
                    }
                    if error.fault() != restable_engine::Fault::Statement {
                        failures.push(format!("{sql}: not the statement's fault: {error}"));
                    }
                }
            }
            if rig.calls().count() > 0 {
                failures.push(format!("{sql}: sent {}", rig.calls().summary()));
            }
        }
        assert!(rig.emulator.ledger().is_empty());
        report(&format!(
            "{} statements that are refused, {} failures",
            statements.len(),
            failures.len()
        ));
        assert!(failures.is_empty(), "{}", failures.join("\n"));
    });
}

#[test]
fn what_is_not_confirmed_sends_nothing() {
    run(async {
        let rig = rig(fast("demo")).await;
        let ask_first = rig.engine.session(settings()).unwrap();
        let all = format!("SELECT id FROM {INSTANCES} WHERE vaultName = 'bv-prod-weu'");
        let one = format!("{KEY} AND backupInstanceName = 'x'");
        for sql in [
            format!("DELETE FROM {INSTANCES} WHERE {one}"),
            format!("DELETE FROM {INSTANCES} WHERE vaultName = 'bv-prod-weu'"),
            format!("EXEC {INSTANCES}.stop_protection {DISK}"),
            format!("EXEC {INSTANCES}.suspend_backups {DISK}"),
            format!("EXEC {BACKUP} {RULE} FOR EACH ({all})"),
        ] {
            rig.emulator.clear_journal();
            let error = ask(&ask_first, &sql).await.unwrap_err();
            let told = error.diagnostic();
            assert_eq!(error.fault(), restable_engine::Fault::Statement, "{sql}");
            assert!(format!("{told:?}").contains("--yes"), "{sql}: {told:?}");
            assert!(writes(&rig).is_empty(), "{sql}");
        }
        // One call that loses nothing is not asked about; with `always` it is.
        let one_backup = format!("EXEC {BACKUP} {DISK}, {RULE}");
        ask_first
            .set("poll_interval", "0", Origin::Statement)
            .unwrap();
        assert_eq!(ask(&ask_first, &one_backup).await.unwrap().rows.len(), 1);
        assert_eq!(writes(&rig).len(), 1);
        ask_first
            .set("confirm", "always", Origin::Statement)
            .unwrap();
        rig.emulator.clear_journal();
        ask(&ask_first, &one_backup).await.unwrap_err();
        assert!(rig.emulator.journal().is_empty());
    });
}

#[test]
fn a_preview_sends_reads_only() {
    run(async {
        let rig = rig(fast("demo")).await;
        for sql in [
            format!("PREVIEW EXEC {BACKUP} {DISK}, {RULE}"),
            format!("PREVIEW DELETE FROM {INSTANCES} WHERE vaultName = 'bv-prod-weu'"),
            format!(
                "PREVIEW UPDATE azure.data_protection.backup_vaults SET tags = NULL WHERE {KEY}"
            ),
        ] {
            let answer = act(&rig, &sql).await.unwrap();
            assert!(!answer.rows.is_empty(), "{sql}");
            assert!(writes(&rig).is_empty(), "{sql}");
            assert!(
                answer
                    .column("status")
                    .iter()
                    .all(|status| *status == Some("NotSent"))
            );
            assert!(
                answer
                    .column("url")
                    .iter()
                    .all(|url| url.unwrap().starts_with("http://127.0.0.1"))
            );
        }
        // A set that cannot be read whole is not acted on, whatever is allowed to reads.
        let fault = serde_json::json!({
            "match": {"path": "/bv-prod-weu/backupInstances?", "times": null},
            "action": {"kind": "status", "status": 403, "body": {"error": {"code": "AuthorizationFailed", "message": "no"}}},
        });
        rig.emulator.inject(serde_json::from_value(fault).unwrap());
        rig.emulator.clear_journal();
        let session = session(&rig);
        session
            .set("partial_results", "on", Origin::Statement)
            .unwrap();
        let error = ask(
            &session,
            &format!("EXEC {BACKUP} {RULE} FOR EACH (SELECT id FROM {INSTANCES})"),
        )
        .await
        .unwrap_err();
        assert!(error.to_string().contains("AuthorizationFailed"), "{error}");
        assert!(writes(&rig).is_empty() && rig.emulator.ledger().is_empty());
    });
}
