//! How values become bodies: every spelling of one body is one request, and a value keeps its type.

use serde_json::{Value, json};

use super::{BACKUP, DISK, act, acted, body, fast, line, rig, writes};
use crate::rig::{Rig, run};

const VAULTS: &str = "azure.data_protection.backup_vaults";
const INSTANCES: &str = "azure.data_protection.backup_instances";
const KEY: &str = "subscriptionId = '8f3b1c52-6d2e-4f0a-9b7c-1e5a40d7c001' AND resourceGroupName = 'rg-backup-prod-weu' \
    AND vaultName = 'bv-prod-weu'";

/// The body of the only write that a statement sent.
async fn sent(rig: &Rig, sql: &str) -> Value {
    acted(rig, sql).await;
    let sent = writes(rig);
    assert_eq!(sent.len(), 1, "{sql}: {sent:?}");
    body(&sent[0])
}

#[test]
fn every_spelling_of_a_body_is_one_request() {
    run(async {
        let rig = rig(fast("demo")).await;
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("body.json");
        let whole = r#"{"backupRuleOptions": {"ruleName": "BackupHourly", "triggerOption": {"retentionTagOverride": "Default"}}}"#;
        std::fs::write(&file, whole).unwrap();
        let options =
            r#"{"ruleName": "BackupHourly", "triggerOption": {"retentionTagOverride": "Default"}}"#;
        let expected: Value = serde_json::from_str(whole).unwrap();
        let spellings = [
            "@backupRuleOptions.ruleName = 'BackupHourly', @backupRuleOptions.triggerOption.retentionTagOverride = 'Default'".to_owned(),
            "@backup_rule_options.rule_name = 'BackupHourly', @backup_rule_options.trigger_option.retention_tag_override = 'Default'".to_owned(),
            "@data__backupRuleOptions.ruleName = 'BackupHourly', @data__backupRuleOptions.triggerOption.retentionTagOverride = 'Default'".to_owned(),
            "@BACKUPRULEOPTIONS.RULENAME = 'Backup' || 'Hourly', @backupRuleOptions.triggerOption = '{\"retentionTagOverride\": \"Default\"}'".to_owned(),
            "@backupRuleOptions.ruleName = (SELECT max(rule_name) FROM azure.data_protection.vw_backup_policies \
             WHERE backup_policy_name = 'disk-4hourly-7d' AND rule_type = 'AzureBackupRule'), \
             @backupRuleOptions.triggerOption.retentionTagOverride = 'Default'".to_owned(),
            format!("@backupRuleOptions = '{options}'"),
            format!("@backupRuleOptions = '{options}'::json"),
            format!("@data__backupRuleOptions = '{options}'"),
        ];
        let spellings = spellings
            .iter()
            .map(|arguments| format!("EXEC {BACKUP} {DISK}, {arguments}"));
        let whole = [
            format!("EXEC {BACKUP} {DISK}, @@json = '{whole}'"),
            format!("EXEC {BACKUP} {DISK} @@json = '{whole}'"),
            format!("EXEC {BACKUP} {DISK} @@json_file = '{}'", file.display()),
            format!(
                "EXEC azure.data_protection.backup_instances.BackupInstances_AdhocBackup {DISK} @@json = '{whole}'"
            ),
        ];
        let mut requests = std::collections::BTreeSet::new();
        for sql in spellings.chain(whole) {
            let answer = acted(&rig, &sql).await;
            assert_eq!(
                answer.column("objectType"),
                [Some("OperationJobExtendedInfo")],
                "{sql}"
            );
            let sent = writes(&rig);
            assert_eq!((sent.len(), body(&sent[0])), (1, expected.clone()), "{sql}");
            requests.insert(line(&sent[0]));
        }
        assert_eq!(requests.len(), 1, "{requests:?}");
    });
}

#[test]
fn values_keep_their_types() {
    run(async {
        let rig = rig(fast("demo")).await;
        let update = |set: &str| format!("UPDATE {VAULTS} SET {set} WHERE {KEY}");
        let retention = |days: Value| json!({"properties": {"securitySettings": {"softDeleteSettings": {"retentionDurationInDays": days}}}});
        let days = "properties.securitySettings.softDeleteSettings.retentionDurationInDays";
        let restore = |arguments: &str| {
            format!(
                "EXEC {INSTANCES}.trigger_restore {DISK}, @objectType = 'AzureBackupRecoveryTimeBasedRestoreRequest', \
                 @sourceDataStoreType = 'OperationalStore', @restoreTargetInfo = '{{\"objectType\": \"RestoreTargetInfo\", \
                 \"recoveryOption\": \"FailIfExists\", \"datasourceInfo\": {{\"resourceID\": \"/x\"}}}}', {arguments}"
            )
        };
        let restored = |attributes: Value| {
            let mut body = json!({
                "objectType": "AzureBackupRecoveryTimeBasedRestoreRequest",
                "sourceDataStoreType": "OperationalStore",
                "restoreTargetInfo": {
                    "objectType": "RestoreTargetInfo",
                    "recoveryOption": "FailIfExists",
                    "datasourceInfo": {"resourceID": "/x"},
                },
            });
            let own = attributes.as_object().unwrap().clone();
            body.as_object_mut().unwrap().extend(own);
            body
        };
        let time = "@recoveryPointTime = '2026-10-01T00:00:00Z'";
        let cases: Vec<(String, Value)> = vec![
            (update(&format!("{days} = 30")), retention(json!(30))),
            (update(&format!("{days} = 29 + 1")), retention(json!(30))),
            (update(&format!("{days} = 30.5")), retention(json!(30.5))),
            // Text that spells a number is one where a number belongs: the values of variables are text.
            (update(&format!("{days} = '30'")), retention(json!(30))),
            (
                update(&format!("{days} = CAST('30' AS DOUBLE)")),
                retention(json!(30.0)),
            ),
            (
                update("tags = '{\"a\": \"1\"}'"),
                json!({"tags": {"a": "1"}}),
            ),
            (update("tags.a = '1'"), json!({"tags": {"a": "1"}})),
            // NULL takes a value away in an UPDATE; so does JSON's own null.
            (update("tags = NULL"), json!({"tags": null})),
            (update("tags = 'null'::json"), json!({"tags": null})),
            // Text given to a string attribute is never parsed.
            (
                update("tags.a = '{\"b\": 1}'"),
                json!({"tags": {"a": "{\"b\": 1}"}}),
            ),
            (update("tags.a = '17'"), json!({"tags": {"a": "17"}})),
            (update("tags.a = 'null'"), json!({"tags": {"a": "null"}})),
            (
                restore(time),
                restored(json!({"recoveryPointTime": "2026-10-01T00:00:00Z"})),
            ),
            (
                restore("@recoveryPointTime = TIMESTAMP '2026-10-01 00:00:00'"),
                restored(json!({"recoveryPointTime": "2026-10-01T00:00:00Z"})),
            ),
            (
                restore("@recoveryPointTime = '2026-10-01T02:00:00+02:00'::timestamptz"),
                restored(json!({"recoveryPointTime": "2026-10-01T00:00:00Z"})),
            ),
            (
                restore(&format!(
                    "{time}, @identityDetails.useSystemAssignedIdentity = (1 = 1)"
                )),
                restored(json!({
                    "recoveryPointTime": "2026-10-01T00:00:00Z",
                    "identityDetails": {"useSystemAssignedIdentity": true},
                })),
            ),
            (
                restore(&format!(
                    "{time}, @resourceGuardOperationRequests = ARRAY['a', 'b']"
                )),
                restored(
                    json!({"recoveryPointTime": "2026-10-01T00:00:00Z", "resourceGuardOperationRequests": ["a", "b"]}),
                ),
            ),
            (
                restore(&format!(
                    "{time}, @resourceGuardOperationRequests = '[\"a\"]'"
                )),
                restored(
                    json!({"recoveryPointTime": "2026-10-01T00:00:00Z", "resourceGuardOperationRequests": ["a"]}),
                ),
            ),
            // NULL leaves out; what is required and may be empty is there nevertheless.
            (
                format!(
                    "EXEC {BACKUP} {DISK}, @backupRuleOptions.ruleName = 'BackupHourly', \
                     @backupRuleOptions.triggerOption.retentionTagOverride = NULL"
                ),
                json!({"backupRuleOptions": {"ruleName": "BackupHourly", "triggerOption": {}}}),
            ),
            (
                format!("EXEC {INSTANCES}.sync_backup_instance {DISK}, @syncType = 'null'::json"),
                json!({"syncType": null}),
            ),
        ];
        for (sql, expected) in cases {
            // What becomes of the call is another matter: the emulator refuses some of these.
            act(&rig, &sql)
                .await
                .unwrap_or_else(|error| panic!("{sql}\n{error} {:?}", error.diagnostic()));
            let sent = writes(&rig);
            assert_eq!(sent.len(), 1, "{sql}: {sent:?}");
            // A whole number and the same with a point are not equal here.
            assert_eq!(body(&sent[0]), expected, "{sql}");
        }
        for (set, word) in [
            (format!("{days} = 'thirty'"), "retentionDurationInDays"),
            (format!("{days} = true"), "retentionDurationInDays"),
            ("tags = 17".to_owned(), "tags"),
            ("tags = 'words'".to_owned(), "tags"),
            ("tags = '[1]'".to_owned(), "tags"),
        ] {
            let error = act(&rig, &update(&set)).await.unwrap_err();
            assert!(error.to_string().contains(word), "{set}: {error}");
            assert_eq!(rig.calls().count(), 0, "{set}");
        }
    });
}

#[test]
fn a_set_computes_its_bodies_from_its_rows() {
    run(async {
        let rig = rig(fast("demo")).await;
        let sql = format!(
            "UPDATE {VAULTS} SET tags.Was = name WHERE subscriptionId = '8f3b1c52-6d2e-4f0a-9b7c-1e5a40d7c001'"
        );
        let answer = acted(&rig, &sql).await;
        let mut bodies: Vec<String> = writes(&rig)
            .iter()
            .map(|sent| body(sent).to_string())
            .collect();
        bodies.sort();
        assert_eq!(
            bodies,
            [
                r#"{"tags":{"Was":"BV-Prod-NEU"}}"#,
                r#"{"tags":{"Was":"bv-prod-weu"}}"#
            ]
        );
        assert_eq!(answer.column("status"), [Some("Succeeded"); 2]);
    });
}

#[test]
fn an_api_version_has_three_spellings_and_loosens_the_checks() {
    run(async {
        let rig = rig(fast("demo")).await;
        let rule = "@backupRuleOptions.ruleName = 'BackupHourly'";
        for spelling in [
            "@api-version",
            "@\"api-version\"",
            "@api_version",
            "@apiVersion",
        ] {
            let sql = format!("EXEC {BACKUP} {DISK}, {rule}, {spelling} = '2024-04-01'");
            acted(&rig, &sql).await;
            let sent = writes(&rig);
            assert_eq!(
                (sent.len(), sent[0].query.as_str()),
                (1, "api-version=2024-04-01"),
                "{spelling}"
            );
        }
        for (sql, query) in [
            (
                format!(
                    "UPDATE {VAULTS} SET tags.a = 'b' WHERE {KEY} AND \"api-version\" = '2024-04-01'"
                ),
                "api-version=2024-04-01",
            ),
            (
                format!("UPDATE {VAULTS} SET tags.a = 'b' WHERE {KEY}"),
                "api-version=2026-06-01",
            ),
        ] {
            sent(&rig, &sql).await;
            assert_eq!(writes(&rig)[0].query, query);
        }
        // Another version may know what the document does not: a warning, and the body as it is written.
        let odd = "'{\"backupRuleOptions\": {\"ruleName\": \"BackupHourly\", \"triggerOption\": {}, \"odd\": 1}}'";
        let error = act(&rig, &format!("EXEC {BACKUP} {DISK} @@json = {odd}"))
            .await
            .unwrap_err();
        assert!(error.to_string().contains("odd"), "{error}");
        assert_eq!(rig.calls().count(), 0);
        let sql = format!("EXEC {BACKUP} {DISK}, @api-version = '2024-04-01' @@json = {odd}");
        let answer = acted(&rig, &sql).await;
        assert_eq!(body(&writes(&rig)[0])["backupRuleOptions"]["odd"], 1);
        let warned = answer
            .report
            .notices
            .iter()
            .any(|notice| notice.contains("odd"));
        assert!(warned, "{:?}", answer.report.notices);
    });
}
