//! One statement for many targets.

use std::collections::BTreeSet;

use super::{BACKUP, acted, fast, rig, writes};
use crate::rig::{report, run};

#[test]
fn five_hundred_backups_are_five_hundred_rows_in_the_order_of_the_source() {
    run(async {
        let rig = rig(fast("1,5,600")).await;
        // Each with the backup rule of its own policy, in an order that is no vault's.
        let source = "SELECT i.id, p.rule_name FROM azure.data_protection.vw_backup_instances i \
            JOIN azure.data_protection.vw_backup_policies p ON p.id = i.policy_id AND p.rule_type = 'AzureBackupRule' \
            WHERE i.current_protection_state = 'ProtectionConfigured' ORDER BY md5(i.id) LIMIT 500";
        let expected: Vec<String> = rig
            .rows(source)
            .await
            .rows
            .into_iter()
            .map(|row| row[0].clone().unwrap())
            .collect();
        assert_eq!(expected.len(), 500);
        let sql = format!(
            "EXEC {BACKUP} @backupRuleOptions.ruleName = x.rule_name FOR EACH ({source}) AS x"
        );
        let answer = acted(&rig, &sql).await;
        assert_eq!(answer.rows.len(), 500);
        let failed: Vec<_> = answer
            .rows
            .iter()
            .filter(|row| !row.contains(&Some("Succeeded".to_owned())))
            .collect();
        assert!(failed.is_empty(), "{failed:?}");
        let names: Vec<&str> = answer
            .column("backupInstanceName")
            .into_iter()
            .flatten()
            .collect();
        let of_source: Vec<&str> = expected
            .iter()
            .map(|id| id.rsplit('/').next().unwrap())
            .collect();
        assert_eq!(names, of_source);
        let jobs: BTreeSet<&str> = answer.column("jobId").into_iter().flatten().collect();
        assert_eq!(jobs.len(), 500);
        let ledger = rig.emulator.ledger();
        let targets: BTreeSet<String> = ledger
            .iter()
            .map(|effect| effect.target.to_lowercase())
            .collect();
        assert_eq!(
            (ledger.len(), targets.len(), writes(&rig).len()),
            (500, 500, 500)
        );
        // The job of a row is of its own target: each vault's jobs are in the vault.
        for (id, job) in expected.iter().zip(answer.column("jobId")) {
            let vault = id.split("/backupInstances/").next().unwrap().to_lowercase();
            assert!(
                job.unwrap().to_lowercase().starts_with(&vault),
                "{id}: {job:?}"
            );
        }
        report(&format!(
            "500 backups by one statement, {} calls",
            answer.report.calls
        ));
    });
}
