//! What narrowing by other tables costs: exactly these calls.

use restable_engine::Origin;

use crate::rig::{Answer, Rig, ask, demo, run, settings};

/// Tables of an estate, and what stands for two vaults of the demo estate: one with five instances, one with none.
pub(super) fn written(sql: &str) -> String {
    let mut sql = sql.to_owned();
    for (short, table) in [
        ("{v}", "azure.data_protection.backup_vaults"),
        ("{i}", "azure.data_protection.backup_instances"),
        ("{p}", "azure.data_protection.backup_policies"),
        ("{j}", "azure.data_protection.jobs"),
        ("{s}", "azure.resource.subscriptions"),
        ("{vi}", "azure.data_protection.vw_backup_instances"),
        (
            "{same}",
            "i.subscriptionId = v.subscriptionId AND i.resourceGroupName = v.resourceGroupName AND i.vaultName = v.vaultName",
        ),
    ] {
        sql = sql.replace(short, table);
    }
    sql
}

/// The calls of a statement as a formula: lists of subscriptions, of the vaults of one, and of what is in a vault; and single reads.
pub(super) async fn spent(rig: &Rig, sql: &str) -> (usize, [usize; 4]) {
    let answer = rig.rows(&written(sql)).await;
    let calls = rig.calls();
    let of = |operations: &[&str]| operations.iter().map(|operation| calls.of(operation)).sum();
    let counts = [
        of(&["Subscriptions_List"]),
        of(&["BackupVaults_GetInSubscription"]),
        of(&["BackupInstances_List", "BackupPolicies_List", "Jobs_List"]),
        of(&[
            "BackupInstances_Get",
            "BackupPolicies_Get",
            "BackupVaults_Get",
            "Jobs_Get",
        ]),
    ];
    let counted: usize = counts.iter().sum();
    assert_eq!(counted, calls.count(), "{sql}: {}", calls.summary());
    (answer.rows.len(), counts)
}

#[test]
fn joins_read_what_the_other_side_names() {
    run(async {
        let rig = Rig::start("demo").await;
        // The statement, its rows, and its calls: the estate has 4 subscriptions that can be asked and 7 vaults; 2 of them in the north.
        let cases = [
            // The vaults are known in full: nothing is listed to find them again.
            (
                "SELECT i.id FROM {v} v JOIN {i} i ON {same} WHERE v.location = 'northeurope'",
                5,
                [1, 4, 2, 0],
            ),
            (
                "SELECT i.id FROM {i} i JOIN {v} v ON {same} WHERE v.location = 'northeurope'",
                5,
                [1, 4, 2, 0],
            ),
            (
                "SELECT i.id FROM {i} i JOIN {v} v USING (subscriptionId, resourceGroupName, vaultName) WHERE v.location = 'northeurope'",
                5,
                [1, 4, 2, 0],
            ),
            // By name alone they are looked for in every subscription, in the lists that are read already.
            (
                "SELECT i.id FROM {v} v JOIN {i} i ON i.vaultName = v.name WHERE v.location = 'northeurope'",
                5,
                [1, 4, 2, 0],
            ),
            (
                "SELECT i.id FROM {i} i, {v} v WHERE arm_id(i.id, 'vaultName') = v.name AND v.location = 'northeurope'",
                5,
                [1, 4, 2, 0],
            ),
            (
                "SELECT i.id FROM {i} i, {v} v WHERE upper(i.vaultName) = upper(v.name) AND v.location = 'northeurope'",
                5,
                [1, 4, 2, 0],
            ),
            // A condition on the larger side does not make it the one that is read first.
            (
                "SELECT i.id FROM {v} v JOIN {i} i ON i.vaultName = v.name WHERE v.location = 'northeurope' AND i.name LIKE '%-%'",
                5,
                [1, 4, 2, 0],
            ),
            (
                "SELECT id FROM {i} WHERE vaultName IN (SELECT name FROM {v} WHERE location = 'northeurope') AND length(properties.friendlyName) > 0",
                5,
                [1, 4, 2, 0],
            ),
            (
                "SELECT id FROM {vi} i WHERE EXISTS (SELECT 1 FROM {v} v WHERE v.vaultName = i.vault_name AND v.location = 'northeurope') AND i.datasource_type IS NOT NULL",
                5,
                [1, 4, 2, 0],
            ),
            // A value is as good as a condition.
            (
                "SELECT i.id FROM {i} i JOIN (SELECT max(name) AS m FROM {v} WHERE name < 'bv-e') x ON i.vaultName = x.m",
                5,
                [1, 4, 1, 0],
            ),
            (
                "SELECT i.id FROM {i} i JOIN (SELECT min(name) AS m FROM {v}) x ON i.vaultName = x.m",
                4,
                [1, 4, 1, 0],
            ),
            // Subqueries.
            (
                "SELECT id FROM {i} WHERE vaultName IN (SELECT name FROM {v} WHERE location = 'northeurope')",
                5,
                [1, 4, 2, 0],
            ),
            (
                "SELECT id FROM {i} WHERE vaultName = ANY (SELECT name FROM {v} WHERE location = 'northeurope')",
                5,
                [1, 4, 2, 0],
            ),
            (
                "SELECT id FROM {i} i WHERE EXISTS (SELECT 1 FROM {v} v WHERE {same} AND v.location = 'northeurope')",
                5,
                [1, 4, 2, 0],
            ),
            (
                "SELECT id FROM {i} WHERE vaultName = (SELECT max(name) FROM {v} WHERE location = 'eastus2')",
                6,
                [1, 4, 1, 0],
            ),
            (
                "SELECT id FROM {i} WHERE vaultName = (SELECT name FROM {v} WHERE location = 'nowhere')",
                0,
                [1, 4, 0, 0],
            ),
            (
                "SELECT id FROM {vi} WHERE vault_name IN (SELECT name FROM {v} WHERE location = 'northeurope')",
                5,
                [1, 4, 2, 0],
            ),
            // What is kept though nothing matches it is read whole; the other side is narrowed.
            (
                "SELECT v.id, i.id FROM {v} v LEFT JOIN {i} i ON {same} WHERE v.location = 'northeurope'",
                6,
                [1, 4, 2, 0],
            ),
            (
                "SELECT v.id, i.id FROM {i} i RIGHT JOIN {v} v ON {same} WHERE v.location = 'northeurope'",
                6,
                [1, 4, 2, 0],
            ),
            (
                "SELECT v.id, i.id FROM {v} v RIGHT JOIN {i} i ON {same} AND v.location = 'northeurope'",
                31,
                [1, 4, 7, 0],
            ),
            (
                "SELECT v.id, i.id FROM {v} v FULL JOIN {i} i ON {same} AND v.location = 'northeurope'",
                37,
                [1, 4, 7, 0],
            ),
            (
                "SELECT id FROM {v} v WHERE location = 'northeurope' AND NOT EXISTS (SELECT 1 FROM {i} i WHERE {same})",
                1,
                [1, 4, 2, 0],
            ),
            (
                "SELECT id FROM {i} i WHERE NOT EXISTS (SELECT 1 FROM {v} v WHERE {same} AND v.location = 'northeurope')",
                26,
                [1, 4, 7, 0],
            ),
            // LATERAL, and what is nested.
            (
                "SELECT v.id, n FROM {v} v, LATERAL (SELECT count(*) AS n FROM {i} i WHERE {same}) c WHERE v.location = 'northeurope'",
                2,
                [1, 4, 2, 0],
            ),
            (
                "WITH north AS (SELECT * , subscriptionId, resourceGroupName, vaultName FROM {v} WHERE location = 'northeurope') \
              SELECT v.name, count(*) FROM north v JOIN {i} i ON {same} GROUP BY v.name",
                1,
                [1, 4, 2, 0],
            ),
            (
                "SELECT v.name, n FROM {v} v JOIN (SELECT subscriptionId, resourceGroupName, vaultName, count(*) AS n FROM {i} GROUP BY 1, 2, 3) i ON {same} \
              WHERE v.location = 'northeurope'",
                1,
                [1, 4, 2, 0],
            ),
            (
                "SELECT x.id FROM {v} v JOIN (SELECT id, subscriptionId, resourceGroupName, vaultName FROM {i} UNION ALL SELECT id, subscriptionId, \
              resourceGroupName, vaultName FROM {p}) AS x ON x.subscriptionId = v.subscriptionId AND x.resourceGroupName = v.resourceGroupName AND \
              x.vaultName = v.vaultName WHERE v.location = 'northeurope'",
                7,
                [1, 4, 4, 0],
            ),
            // One after the other: the vaults name the instances, these name their policies.
            (
                "SELECT p.name FROM {v} v JOIN {i} i ON {same} JOIN {p} p ON i.properties.policyInfo.policyId = p.id \
              WHERE v.vaultName = 'bv-sandbox'",
                1,
                [1, 4, 1, 1],
            ),
            (
                "SELECT displayName, name FROM {s} s JOIN {v} v ON s.subscriptionId = v.subscriptionId WHERE displayName = 'Contoso Data Platform'",
                2,
                [1, 1, 0, 0],
            ),
            // A subscription that nothing can be below is not asked for its vaults.
            (
                "SELECT displayName, name FROM {s} s JOIN {v} v ON s.subscriptionId = v.subscriptionId WHERE state = 'Deleted'",
                0,
                [1, 0, 0, 0],
            ),
        ];
        for (sql, rows, calls) in cases {
            assert_eq!(spent(&rig, sql).await, (rows, calls), "{sql}");
        }
    });
}

#[test]
fn contradictions_and_empty_sides_make_no_call() {
    run(async {
        let rig = Rig::start("demo").await;
        for sql in [
            "SELECT id FROM {i} WHERE vaultName = 'a' AND vaultName = 'b'",
            "SELECT id FROM {i} WHERE 1 = 0",
            "SELECT id FROM {i} WHERE vaultName = NULL",
            "SELECT id FROM {i} WHERE vaultName IN (SELECT name FROM {v} WHERE 1 = 0)",
            "SELECT id FROM {i} i JOIN (VALUES ('a')) AS x(n) ON i.vaultName = x.n WHERE x.n = 'b'",
            "SELECT id FROM {i} WHERE vaultName = (SELECT n FROM (VALUES ('a')) AS x(n) WHERE n > 'b')",
            "SELECT i.id FROM {i} i JOIN {v} v ON {same} WHERE v.vaultName = 'a' AND i.vaultName = 'b'",
            "SELECT i.id FROM {i} i, (SELECT n FROM (VALUES (1)) AS x(n) WHERE random() > 2) AS y",
            // Values that can name nothing name nothing.
            "SELECT id FROM {i} i JOIN (VALUES ('no-uuid', '..'), (NULL, 'x'), ('', ''), ('a/b', 'x')) AS x(s, v) ON i.subscriptionId = x.s AND i.vaultName = x.v",
            "SELECT id FROM {i} i JOIN (VALUES ('nothing'), ('/subscriptions/x')) AS x(n) ON i.id = x.n",
        ] {
            assert_eq!(spent(&rig, sql).await, (0, [0; 4]), "{sql}");
        }
    });
}

#[test]
fn keys_at_hand_are_asked_for_one_by_one() {
    run(async {
        let rig = Rig::start("demo").await;
        let ids = rig
            .rows(&written(
                "SELECT id, vaultName FROM {i} ORDER BY vaultName, id",
            ))
            .await;
        let one_of_each: Vec<String> = ["bv-prod-weu", "bv-sandbox", "bv-dev-weu"]
            .iter()
            .map(|vault| {
                let found = ids.rows.iter().find(|row| row[1].as_deref() == Some(vault));
                format!("('{}')", found.unwrap()[0].clone().unwrap().to_uppercase())
            })
            .collect();
        // The subscriptions that the credential sees are listed: a value from elsewhere is no proof that there is one.
        let listed = one_of_each.join(", ");
        let sql = format!(
            "SELECT i.id FROM {{i}} i JOIN (VALUES {listed}, {listed}) AS x(n) ON i.id = x.n"
        );
        assert_eq!(spent(&rig, &sql).await, (6, [1, 0, 0, 3]));
        // Many of one vault are its list.
        let of_one: Vec<String> = ids
            .rows
            .iter()
            .filter(|row| row[1].as_deref() == Some("bv-prod-weu"))
            .map(|row| format!("('{}')", row[0].clone().unwrap()))
            .collect();
        let sql = format!(
            "SELECT i.id FROM {{i}} i JOIN (VALUES {}) AS x(n) ON i.id = x.n",
            of_one.join(", ")
        );
        assert_eq!(spent(&rig, &sql).await, (10, [1, 0, 1, 0]));
    });
}

#[test]
fn a_table_that_cannot_be_listed_is_looked_up_by_the_other_side() {
    run(async {
        let options = arm_emulator::Options {
            clock: arm_emulator::ClockKind::Fast,
            ..crate::rig::options("demo")
        };
        let rig = Rig::with(options, vec![std::sync::Arc::new(restable_spec::Builtin)]).await;
        let mut unasked = settings();
        unasked.set("confirm", "never", Origin::Flag).unwrap();
        let session = rig.engine.session(unasked).unwrap();
        let started: Answer = ask(
            &session,
            "EXEC /*+ NOWAIT */ azure.data_protection.backup_instances.adhoc_backup @backupRuleOptions.ruleName = 'BackupHourly' \
             FOR EACH (SELECT id FROM azure.data_protection.backup_instances WHERE vaultName = 'bv-prod-weu' AND name LIKE 'disk-dc0%') AS x",
        )
        .await
        .unwrap();
        let operations = started.column("operation_id");
        assert_eq!(operations.len(), 2, "{started:?}");
        let values: Vec<String> = operations
            .iter()
            .map(|id| format!("('{}', 'westeurope', '{}')", demo::PRODUCTION, id.unwrap()))
            .collect();
        let values = values.join(", ");
        let on =
            "o.subscriptionId = x.sub AND o.location = x.region AND o.operationId = x.operation";
        let table = "azure.data_protection.operation_status";
        // Each once, whatever the kind of join and the order; what can name nothing is not asked for.
        let at_hand = format!(
            "(VALUES {values}, {values}, ('no-uuid', 'westeurope', 'x'), (NULL, 'a', 'b')) AS x(sub, region, operation)"
        );
        for (sql, rows, calls) in [
            (
                format!("SELECT o.status FROM {at_hand} JOIN {table} o ON {on}"),
                4,
                2,
            ),
            (
                format!("SELECT o.status FROM {table} o JOIN {at_hand} ON {on}"),
                4,
                2,
            ),
            (
                format!("SELECT o.status FROM {at_hand} LEFT JOIN {table} o ON {on}"),
                6,
                2,
            ),
            (
                format!(
                    "SELECT o.status FROM {table} o WHERE EXISTS (SELECT 1 FROM {at_hand} WHERE {on})"
                ),
                2,
                2,
            ),
            (
                format!(
                    "SELECT x.operation FROM {at_hand} WHERE NOT EXISTS (SELECT 1 FROM {table} o WHERE {on})"
                ),
                2,
                2,
            ),
            (
                // Here `x` and `b` may be operations as well.
                format!(
                    "SELECT o.status FROM {table} o WHERE subscriptionId = '{}' AND location = 'westeurope' \
                     AND operationId IN (SELECT operation FROM {at_hand})",
                    demo::PRODUCTION
                ),
                2,
                4,
            ),
        ] {
            assert_eq!(rig.rows(&sql).await.rows.len(), rows, "{sql}");
            let asked = rig.calls();
            let asked = (asked.count(), asked.of("OperationStatus_Get"));
            assert_eq!(asked, (calls, calls), "{sql}");
        }
        // What the other side does not name has to be written.
        for sql in [
            format!("SELECT o.status FROM {table} o"),
            format!("SELECT o.status FROM {table} o LEFT JOIN {at_hand} ON {on}"),
            format!("SELECT o.status FROM {at_hand} JOIN {table} o ON o.subscriptionId = x.sub"),
            format!(
                "SELECT o.status FROM {table} o JOIN azure.data_protection.backup_vaults v ON o.subscriptionId = v.subscriptionId"
            ),
        ] {
            let problem = rig.ask(&sql).await.unwrap_err();
            assert!(
                problem.to_string().contains("operationId"),
                "{sql}: {problem}"
            );
            assert_eq!(rig.calls().count(), 0, "{sql}: {}", rig.calls().summary());
        }
    });
}

#[test]
fn what_is_compared_by_whole_rows_is_narrowed_as_well() {
    run(async {
        let rig = Rig::start("demo").await;
        for (sql, rows, calls) in [
            // Vaults that have instances, among those of the north; those below which there is none.
            (
                "SELECT subscriptionId, resourceGroupName, vaultName FROM {v} WHERE location = 'northeurope' \
                 INTERSECT SELECT subscriptionId, resourceGroupName, vaultName FROM {i}",
                1,
                [1, 4, 2, 0],
            ),
            (
                "SELECT subscriptionId, resourceGroupName, vaultName FROM {i} \
                 INTERSECT SELECT subscriptionId, resourceGroupName, vaultName FROM {v} WHERE location = 'northeurope'",
                1,
                [1, 4, 2, 0],
            ),
            (
                "SELECT subscriptionId, resourceGroupName, vaultName FROM {v} WHERE location = 'northeurope' \
                 EXCEPT SELECT subscriptionId, resourceGroupName, vaultName FROM {i}",
                1,
                [1, 4, 2, 0],
            ),
            // What is left away is never what narrows.
            (
                "SELECT subscriptionId, resourceGroupName, vaultName FROM {i} \
                 EXCEPT SELECT subscriptionId, resourceGroupName, vaultName FROM {v} WHERE location = 'northeurope'",
                5,
                [1, 4, 7, 0],
            ),
            (
                "SELECT id FROM {v} v WHERE location = 'northeurope' AND NOT EXISTS (SELECT 1 FROM {p} p WHERE p.vaultName = v.vaultName AND p.name = 'x')",
                2,
                [1, 4, 2, 0],
            ),
            // NULL is a row like others: where there is one everything is read.
            (
                "SELECT v FROM (VALUES ('bv-sandbox'), (NULL)) AS x(v) INTERSECT SELECT vaultName FROM {i}",
                1,
                [1, 4, 7, 0],
            ),
            (
                "SELECT v FROM (VALUES ('bv-sandbox'), ('x')) AS x(v) INTERSECT SELECT vaultName FROM {i}",
                1,
                [1, 4, 1, 0],
            ),
            (
                "SELECT v FROM (VALUES ('bv-sandbox'), (NULL)) AS x(v) EXCEPT SELECT vaultName FROM {i}",
                1,
                [1, 4, 7, 0],
            ),
        ] {
            assert_eq!(spent(&rig, sql).await, (rows, calls), "{sql}");
        }
    });
}

#[test]
fn ids_that_are_written_are_asked_for_by_key() {
    run(async {
        let rig = Rig::start("demo").await;
        let all = rig
            .rows(&written(
                "SELECT id, vaultName FROM {i} ORDER BY vaultName, id",
            ))
            .await;
        let of = |vault: &str, count: usize| -> Vec<String> {
            let ids = all.rows.iter();
            let ids = ids.filter(|row| row[1].as_deref() == Some(vault));
            let ids = ids.map(|row| format!("'{}'", row[0].clone().unwrap()));
            ids.take(count).collect()
        };
        let few = [of("bv-sandbox", 1), of("bv-dev-weu", 3)].concat();
        let many = of("bv-prod-weu", 9);
        let none = few[0].replace("backupInstances/", "backupInstances/no-");
        for (ids, rows, calls) in [
            (few.clone(), 4, [0, 0, 0, 4]),
            (many.clone(), 9, [0, 0, 1, 0]),
            (many[..4].to_vec(), 4, [0, 0, 0, 4]),
            (many[..5].to_vec(), 5, [0, 0, 1, 0]),
            // Many of one vault: the list of each.
            ([few.clone(), many.clone()].concat(), 13, [0, 0, 3, 0]),
            (
                [few[..1].to_vec(), vec![few[0].to_uppercase(), none]].concat(),
                1,
                [0, 0, 0, 2],
            ),
            // What is no id of an instance is looked for, as it is when it stands alone.
            (
                [few[..1].to_vec(), vec!["'x'".to_owned()]].concat(),
                1,
                [1, 4, 7, 0],
            ),
        ] {
            let sql = format!("SELECT name FROM {{i}} WHERE id IN ({})", ids.join(", "));
            assert_eq!(spent(&rig, &sql).await, (rows, calls), "{sql}");
            let or: Vec<String> = ids.iter().map(|id| format!("id = {id}")).collect();
            let sql = format!("SELECT name FROM {{i}} WHERE {}", or.join(" OR "));
            assert_eq!(spent(&rig, &sql).await, (rows, calls), "{sql}");
        }
        // With other conditions, and where all of it is read anyway.
        let ids = few.join(", ");
        let sql = format!("SELECT id FROM {{i}} WHERE id IN ({ids}) AND vaultName = 'bv-sandbox'");
        assert_eq!(spent(&rig, &sql).await, (1, [0, 0, 0, 1]));
        let sql = format!("SELECT id FROM {{i}} WHERE id IN ({ids}) AND vaultName = 'bv-prod-weu'");
        assert_eq!(spent(&rig, &sql).await, (0, [0, 0, 0, 0]));
        let sql = format!("SELECT name FROM {{i}} WHERE id NOT IN ({ids})");
        assert_eq!(spent(&rig, &sql).await.1, [1, 4, 7, 0]);
    });
}
