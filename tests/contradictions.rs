//! What cannot be is not asked for: contradictions over names of scopes make no call, whatever they are written with, and what only looks like
//! one keeps its rows.

use crate::rig::{Rig, demo, run};

const INSTANCES: &str = "azure.data_protection.backup_instances";

#[test]
fn a_contradiction_makes_no_call() {
    run(async {
        let rig = Rig::start("demo").await;
        let weu = format!(
            "subscriptionId = '{}' AND resourceGroupName = 'rg-backup-prod-weu' AND vaultName = 'bv-prod-weu'",
            demo::PRODUCTION
        );
        for condition in [
            "vaultName = 'a' AND (vaultName = 'b' OR vaultName IN ('c', 'd'))",
            "(vaultName = 'a' AND vaultName = 'b') OR (vaultName = 'c' AND vaultName = 'd')",
            "vaultName = 'a' AND vaultName <> 'A'",
            "vaultName = 'a' AND NOT (vaultName = 'a')",
            "vaultName IN ('a', 'b') AND vaultName NOT IN ('A', 'B')",
            "vaultName = 'a' AND vaultName LIKE 'b%'",
            "vaultName = 'A' AND lower(vaultName) = 'b'",
            "vaultName = 'a' AND upper(vaultName) IN ('B', 'C')",
            "vaultName IS NULL",
            "subscriptionId IS NULL",
            "subscriptionId IS NULL OR vaultName IS NULL",
            "vaultName NOT IN ('a', NULL)",
            "vaultName = NULL",
            "NOT (vaultName IS NOT NULL)",
            "vaultName IN ('a', 'b') AND resourceGroupName = 'g' AND (resourceGroupName <> 'g' OR vaultName = 'c')",
            "split_part(id, '/', 9) = 'a' AND vaultName = 'b'",
            "backupInstanceName = 'x' AND backupInstanceName LIKE 'y%'",
            "name = 'a' AND name <> 'A'",
            "name = 'a' AND name = 'b'",
            "name LIKE 'a%' AND name LIKE 'b%'",
            "name LIKE 'a%' AND name NOT LIKE 'a%'",
            "vaultName LIKE 'bv-p%' AND vaultName NOT LIKE 'bv-p%'",
            "vaultName LIKE 'bv-p%' AND vaultName LIKE 'BV-D%'",
            "vaultName > 'c' AND vaultName < 'b'",
            "vaultName > 'c' AND vaultName < 'C'",
            "vaultName >= 'c' AND resourceGroupName <> 'g' AND 'b' >= vaultName",
            "vaultName BETWEEN 'z' AND 'a'",
            "vaultName = 'b' AND vaultName > 'c'",
            "vaultName <> vaultName",
            "name <> name",
            "NOT (vaultName = 'a' OR vaultName <> 'a')",
            "(vaultName = 'a' AND vaultName = 'b') OR (resourceGroupName = 'c' AND resourceGroupName = 'd')",
            "name > 'c' AND (name < 'a' OR name < 'b' AND vaultName = 'v')",
            &format!("{weu} AND vaultName <> 'bv-prod-weu'"),
            &format!(
                "{weu} AND vaultName BETWEEN 'x' AND 'y' AND lower(vaultName) BETWEEN 'x' AND 'y'"
            ),
        ] {
            let sql = format!("SELECT name FROM {INSTANCES} WHERE {condition}");
            let answer = rig.rows(&sql).await;
            assert_eq!(
                (answer.rows.len(), rig.calls().summary()),
                (0, String::new()),
                "{condition}"
            );
            let plan = rig.rows(&format!("EXPLAIN {sql}")).await;
            let plan = plan.sorted().join("\n");
            assert!(
                ["calls: 0", "0 calls", "EmptyRelation: rows=0"]
                    .iter()
                    .any(|told| plan.contains(told)),
                "{condition}\n{plan}"
            );
        }
    });
}

#[test]
fn ranges_of_time_that_are_empty_make_no_call() {
    run(async {
        let rig = Rig::start("demo").await;
        let points = "SELECT count(*) FROM azure.data_protection.vw_recovery_points";
        for condition in [
            "recovery_point_time > '2026-10-02' AND recovery_point_time < '2026-10-01'",
            "recovery_point_time > timestamptz '2026-10-02' AND recovery_point_time <= timestamptz '2026-10-02'",
            "recovery_point_time BETWEEN '2026-10-02' AND '2026-10-01'",
        ] {
            let answer = rig.rows(&format!("{points} WHERE {condition}")).await;
            assert_eq!(answer.rows[0][0].as_deref(), Some("0"), "{condition}");
            assert_eq!(rig.calls().summary(), "", "{condition}");
        }
        // Bounds that meet leave something.
        let one = "SELECT max(recovery_point_time) FROM azure.data_protection.vw_recovery_points";
        let rows = rig.rows(one).await.rows;
        let at = rows[0][0].as_deref().unwrap();
        let met = format!(
            "{points} WHERE recovery_point_time >= '{at}' AND recovery_point_time <= '{at}'"
        );
        let found = rig.rows(&met).await.rows;
        assert_ne!(found[0][0].as_deref(), Some("0"), "{met}");
    });
}

#[test]
fn what_only_looks_like_one_keeps_its_rows() {
    run(async {
        let rig = Rig::start("demo").await;
        let of_weu = rig
            .rows(&format!(
                "SELECT name FROM {INSTANCES} WHERE vaultName = 'bv-prod-weu'"
            ))
            .await
            .rows
            .len();
        assert!(of_weu > 0);
        for condition in [
            // The name is written otherwise than the service writes it; what sees the difference is asked of the rows.
            "vaultName = 'BV-PROD-WEU' AND substr(vaultName, 1, 2) = 'bv'",
            "vaultName = 'BV-PROD-WEU' AND vaultName LIKE 'bv-%'",
            "vaultName = 'BV-PROD-WEU' AND lower(vaultName) = 'bv-prod-weu'",
            "vaultName = 'BV-PROD-WEU' AND vaultName IS NOT NULL",
            "vaultName IN ('bv-prod-weu', 'bv-prod-neu') AND vaultName <> 'BV-Prod-NEU'",
            "vaultName IN ('bv-prod-weu', NULL)",
            "(vaultName = 'a' AND vaultName = 'b') OR vaultName = 'bv-prod-weu'",
            "vaultName = 'bv-prod-weu' AND (resourceGroupName = 'rg-backup-prod-weu' OR vaultName <> 'bv-prod-weu')",
            "vaultName = 'bv-prod-weu' AND (subscriptionId IS NULL OR vaultName LIKE '%WEU')",
        ] {
            let answer = rig
                .rows(&format!("SELECT name FROM {INSTANCES} WHERE {condition}"))
                .await;
            assert_eq!(answer.rows.len(), of_weu, "{condition}");
        }
        // What an outer join pads is NULL, and is no name of a scope.
        let padded = format!(
            "SELECT v.name FROM azure.data_protection.backup_vaults v LEFT JOIN {INSTANCES} i \
             ON v.vaultName = i.vaultName AND i.vaultName = 'bv-prod-weu' WHERE i.vaultName IS NULL"
        );
        let vaults = rig
            .rows("SELECT name FROM azure.data_protection.backup_vaults WHERE vaultName <> 'bv-prod-weu'")
            .await;
        assert_eq!(rig.rows(&padded).await.sorted(), vaults.sorted());
    });
}

#[test]
fn a_part_of_an_id_compares_like_the_name_that_it_is() {
    run(async {
        let rig = Rig::start("demo").await;
        let count =
            |condition: &str| format!("SELECT count(*) FROM {INSTANCES} i WHERE {condition}");
        let of_neu = rig.rows(&count("vaultName = 'bv-prod-neu'")).await;
        let others = rig.rows(&count("vaultName <> 'bv-prod-neu'")).await;
        assert!(of_neu.value() != "0" && others.value() != "0");
        let part = "split_part(i.id, '/', 9)";
        let vaults = "SELECT upper(name) AS vault FROM azure.data_protection.backup_vaults WHERE name = 'bv-prod-neu'";
        for (condition, expected) in [
            (format!("{part} = 'BV-Prod-neu'"), &of_neu),
            (format!("'BV-PROD-NEU' = {part}"), &of_neu),
            (format!("{part} IN ('x', 'BV-PROD-NEU')"), &of_neu),
            (format!("{part} LIKE 'BV-PROD-N%'"), &of_neu),
            (format!("{part} IN ({vaults})"), &of_neu),
            (
                format!("EXISTS ({vaults} AND upper(name) = {part})"),
                &of_neu,
            ),
            (format!("{part} <> 'BV-PROD-NEU'"), &others),
            (format!("{part} NOT IN ('x', 'BV-PROD-NEU')"), &others),
        ] {
            assert_eq!(
                rig.rows(&count(&condition)).await.rows,
                expected.rows,
                "{condition}"
            );
        }
        let joined = format!(
            "SELECT count(*) FROM {INSTANCES} i JOIN ({vaults}) v ON split_part(i.id, '/', 9) = v.vault"
        );
        assert_eq!(rig.rows(&joined).await.rows, of_neu.rows);
        let groups =
            |by: &str| format!("SELECT lower({by}), count(*) FROM {INSTANCES} i GROUP BY {by}");
        assert_eq!(
            rig.rows(&groups(part)).await.sorted(),
            rig.rows(&groups("vaultName")).await.sorted()
        );
        // Other parts of texts are texts.
        assert_eq!(
            rig.rows("SELECT split_part('a/b', '/', 2) = 'B'")
                .await
                .value(),
            "false"
        );
    });
}

#[test]
fn rows_are_compared_with_rows_of_a_subquery() {
    run(async {
        let rig = Rig::start("demo").await;
        let own = "SELECT upper(subscriptionId), vaultName FROM azure.data_protection.backup_vaults WHERE vaultName LIKE 'bv-prod%'";
        let sql = |condition: &str| format!("SELECT name FROM {INSTANCES} i WHERE {condition}");
        let expected = rig.rows(&sql("vaultName LIKE 'bv-prod%'")).await;
        let found = rig
            .rows(&sql(&format!("(subscriptionId, vaultName) IN ({own})")))
            .await;
        assert_eq!(found.sorted(), expected.sorted());
        let others = rig.rows(&sql("vaultName NOT LIKE 'bv-prod%'")).await;
        let found = rig
            .rows(&sql(&format!(
                "(i.subscriptionId, i.vaultName) NOT IN ({own})"
            )))
            .await;
        assert_eq!(found.sorted(), others.sorted());
        for (condition, rows) in [
            (
                "(1, 2) IN (SELECT a, b FROM (VALUES (1, 2), (3, 4)) AS t (a, b))",
                1,
            ),
            (
                "(1, 4) IN (SELECT a, b FROM (VALUES (1, 2), (3, 4)) AS t (a, b))",
                0,
            ),
            (
                "(1, 4) NOT IN (SELECT a, b FROM (VALUES (1, 2), (3, 4)) AS t (a, b))",
                1,
            ),
            // Nobody knows.
            (
                "(1, 4) NOT IN (SELECT a, b FROM (VALUES (1, NULL), (3, 4)) AS t (a, b))",
                0,
            ),
            (
                "(1, 4) NOT IN (SELECT a, b FROM (VALUES (2, NULL), (3, 4)) AS t (a, b))",
                1,
            ),
            (
                "(1, 4) IN (SELECT a, b FROM (VALUES (1, NULL), (3, 4)) AS t (a, b))",
                0,
            ),
        ] {
            let answer = rig.rows(&format!("SELECT 1 WHERE {condition}")).await;
            assert_eq!(answer.rows.len(), rows, "{condition}");
        }
    });
}
