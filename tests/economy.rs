//! How many requests a statement costs, read from the emulator's journal: what a predicate narrows, what is not asked at
//! all, and that nothing is asked twice. Answers are checked only so far as to show that economy loses no row.

use std::collections::BTreeSet;

use restable_engine::Origin;

use crate::rig::{Answer, Rig, ask, demo, options, report, run};

const INSTANCES: &str = "azure.data_protection.backup_instances";
const POLICIES: &str = "azure.data_protection.backup_policies";

/// The keys of some instance of the estate: subscription, group, vault, instance.
async fn some_instance(rig: &Rig) -> [String; 4] {
    let sql = format!(
        "SELECT subscriptionId, resourceGroupName, vaultName, name FROM {INSTANCES} ORDER BY vaultName, name LIMIT 1"
    );
    let answer = rig.rows(&sql).await;
    let row = answer.rows[0].clone();
    std::array::from_fn(|at| row[at].clone().unwrap())
}

#[test]
fn the_whole_relation_costs_one_list_a_scope() {
    run(async {
        // 3 subscriptions, 7 vaults, 700 instances, a page of 40: 3 pages a vault.
        let rig = Rig::with(
            arm_emulator::Options {
                page_size: 40,
                ..options("3,7,700")
            },
            builtin(),
        )
        .await;
        let sql =
            format!("SELECT name, properties.policyInfo.policyId, vaultName FROM {INSTANCES}");
        let answer = rig.rows(&sql).await;
        let calls = rig.calls();
        assert_eq!(answer.rows.len(), 700);
        assert_eq!(distinct(&answer, "name"), 700);
        assert_eq!(calls.of("Subscriptions_List"), 1);
        assert_eq!(calls.of("BackupVaults_GetInSubscription"), 3);
        assert_eq!(calls.of("BackupInstances_List"), 7 * 3);
        assert_eq!(calls.count(), 1 + 3 + 7 * 3, "{}", calls.summary());
        assert_eq!(answer.report.calls, 1 + 3 + 7 * 3);
    });
}

fn builtin() -> Vec<std::sync::Arc<dyn restable_spec::SpecSource>> {
    vec![std::sync::Arc::new(restable_spec::Builtin)]
}

fn distinct(answer: &Answer, column: &str) -> usize {
    answer
        .column(column)
        .into_iter()
        .collect::<BTreeSet<_>>()
        .len()
}

#[test]
fn ten_thousand_instances_of_one_vault_are_fifty_pages() {
    run(async {
        let rig = Rig::start("1,1,10000").await;
        let all = rig.rows(&format!("SELECT name FROM {INSTANCES}")).await;
        assert_eq!((all.rows.len(), distinct(&all, "name")), (10_000, 10_000));
        assert_eq!(rig.calls().of("BackupInstances_List"), 50);
        assert_eq!(rig.calls().count(), 52);
        let [subscription, group, vault, _] = some_instance(&rig).await;
        let keyed = format!(
            "SELECT count(*) FROM {INSTANCES} WHERE subscriptionId = '{subscription}' \
             AND resourceGroupName = '{group}' AND vaultName = '{vault}'"
        );
        assert_eq!(rig.rows(&keyed).await.value(), "10000");
        assert_eq!(
            (rig.calls().of("BackupInstances_List"), rig.calls().count()),
            (50, 50)
        );
    });
}

#[test]
fn a_deleted_subscription_is_never_asked() {
    run(async {
        let rig = Rig::start("demo").await;
        let answer = rig.rows(&format!("SELECT count(*) FROM {INSTANCES}")).await;
        assert_eq!(answer.value(), demo::INSTANCES.to_string());
        let asked: BTreeSet<_> = rig
            .calls()
            .0
            .into_iter()
            .filter_map(|entry| entry.subscription)
            .collect();
        assert!(
            !asked.contains(demo::LEGACY) && asked.contains(demo::PRODUCTION),
            "{asked:?}"
        );
        // 1 list of subscriptions, 4 that can be asked, 7 vaults.
        assert_eq!(rig.calls().count(), 1 + 4 + 7, "{}", rig.calls().summary());
    });
}

#[test]
fn a_vault_by_name_narrows_the_walk() {
    run(async {
        let rig = Rig::start("3,9,90").await;
        let [subscription, group, vault, _] = some_instance(&rig).await;
        let of_vault = format!("SELECT count(*) FROM {INSTANCES} WHERE vaultName = '{vault}'");
        let count = rig.rows(&of_vault).await.value().to_owned();
        let calls = rig.calls();
        assert_eq!(calls.of("Subscriptions_List"), 1, "{}", calls.summary());
        assert_eq!(
            calls.of("BackupVaults_GetInSubscription"),
            3,
            "{}",
            calls.summary()
        );
        // Vaults of that name in whatever subscription; the others are not asked for their instances.
        assert!(
            calls.of("BackupInstances_List") >= 1 && calls.count() < 1 + 3 + 9,
            "{}",
            calls.summary()
        );

        // Another case is the same vault.
        let upper = format!(
            "SELECT count(*) FROM {INSTANCES} WHERE VAULT_NAME = '{}'",
            vault.to_uppercase()
        );
        assert_eq!(rig.rows(&upper).await.value(), count);
        assert_eq!(rig.calls().count(), calls.count());

        let two = format!(
            "SELECT count(*) FROM {INSTANCES} WHERE vaultName IN ('{vault}', 'no-such-vault')"
        );
        assert_eq!(rig.rows(&two).await.value(), count);
        assert_eq!(rig.calls().summary(), calls.summary());

        let sql = format!("{of_vault} AND subscriptionId = '{subscription}'");
        rig.rows(&sql).await;
        assert_eq!(rig.calls().of("Subscriptions_List"), 0);
        assert_eq!(rig.calls().count(), 2, "{}", rig.calls().summary());

        rig.rows(&format!("{sql} AND resourceGroupName = '{group}'"))
            .await;
        assert_eq!(rig.calls().summary(), "1 BackupInstances_List");
    });
}

#[test]
fn a_subscription_narrows_the_walk() {
    run(async {
        let rig = Rig::start("3,9,90").await;
        let [subscription, ..] = some_instance(&rig).await;
        let one = rig
            .rows(&format!(
                "SELECT count(*) FROM {INSTANCES} WHERE subscriptionId = '{subscription}'"
            ))
            .await;
        assert_eq!(one.value(), "30");
        assert_eq!(
            rig.calls().summary(),
            "3 BackupInstances_List, 1 BackupVaults_GetInSubscription"
        );
        let sql = format!(
            "SELECT count(*) FROM {INSTANCES} WHERE subscriptionId IN (SELECT subscriptionId \
             FROM azure.resource.subscriptions WHERE displayName LIKE '%')"
        );
        assert_eq!(rig.rows(&sql).await.value(), "90");
    });
}

#[test]
fn subscriptions_that_are_set_are_not_listed() {
    run(async {
        let rig = Rig::start("3,9,90").await;
        let all = rig
            .rows("SELECT subscriptionId FROM azure.resource.subscriptions ORDER BY 1")
            .await;
        let two: Vec<&str> = all
            .column("subscriptionId")
            .into_iter()
            .flatten()
            .take(2)
            .collect();
        let session = rig.session();
        session
            .set("subscriptions", &two.join(","), Origin::Flag)
            .unwrap();
        let mut answers = Vec::new();
        for (sql, calls) in [
            (
                format!("SELECT count(*) FROM {INSTANCES}"),
                "6 BackupInstances_List, 2 BackupVaults_GetInSubscription",
            ),
            (
                format!(
                    "SELECT count(*) FROM {INSTANCES} WHERE subscriptionId = '{}'",
                    two[0].to_uppercase()
                ),
                "3 BackupInstances_List, 1 BackupVaults_GetInSubscription",
            ),
            (
                format!(
                    "SELECT count(*) FROM {INSTANCES} i WHERE vaultName IN (SELECT name FROM azure.data_protection.backup_vaults)"
                ),
                "6 BackupInstances_List, 2 BackupVaults_GetInSubscription",
            ),
            // What a subscription is called says only its list.
            (
                format!(
                    "SELECT count(s.displayName) FROM {INSTANCES} i JOIN azure.resource.subscriptions s USING (subscriptionId)"
                ),
                "6 BackupInstances_List, 2 BackupVaults_GetInSubscription, 1 Subscriptions_List",
            ),
            (
                format!(
                    "SELECT count(*) FROM {INSTANCES} WHERE subscriptionId = '{}'",
                    demo::PRODUCTION
                ),
                "",
            ),
            // The subscriptions themselves are no walk: all of them are there, and each by its name.
            (
                "SELECT count(*) FROM azure.resource.subscriptions".to_owned(),
                "1 Subscriptions_List",
            ),
            (
                format!(
                    "SELECT count(*) FROM azure.resource.subscriptions WHERE subscriptionId = '{}'",
                    all.rows[2][0].as_deref().unwrap()
                ),
                "1 Subscriptions_Get",
            ),
        ] {
            rig.emulator.clear_journal();
            let answer = ask(&session, &sql).await.unwrap();
            assert_eq!(rig.calls().summary(), calls, "{sql}");
            answers.push(answer.value().to_owned());
        }
        assert_eq!(answers, ["60", "30", "60", "60", "0", "3", "1"]);
    });
}

#[test]
fn a_full_key_is_one_get() {
    run(async {
        let rig = Rig::start("2,4,40").await;
        let [subscription, group, vault, name] = some_instance(&rig).await;
        let scope = format!(
            "subscriptionId = '{subscription}' AND resourceGroupName = '{group}' AND vaultName = '{vault}'"
        );
        let sql =
            format!("SELECT name FROM {INSTANCES} WHERE {scope} AND backupInstanceName = '{name}'");
        assert_eq!(rig.rows(&sql).await.value(), name);
        assert_eq!(rig.calls().summary(), "1 BackupInstances_Get");
        // Up to four keys of one parent are single reads, more are one list.
        let names = rig
            .rows(&format!(
                "SELECT name FROM {INSTANCES} WHERE {scope} ORDER BY name"
            ))
            .await;
        let quoted: Vec<String> = names
            .column("name")
            .iter()
            .map(|name| format!("'{}'", name.unwrap()))
            .collect();
        let among = |count: usize| {
            format!(
                "SELECT name FROM {INSTANCES} WHERE {scope} AND backupInstanceName IN ({})",
                quoted[..count].join(", ")
            )
        };
        assert_eq!(rig.rows(&among(3)).await.rows.len(), 3);
        assert_eq!(rig.calls().summary(), "3 BackupInstances_Get");
        assert_eq!(rig.rows(&among(6)).await.rows.len(), 6);
        assert_eq!(rig.calls().summary(), "1 BackupInstances_List");
        let absent = format!(
            "SELECT name FROM {INSTANCES} WHERE {scope} AND backupInstanceName = 'no-such-instance'"
        );
        assert_eq!(rig.rows(&absent).await.rows.len(), 0);
        assert_eq!(rig.calls().summary(), "1 BackupInstances_Get");
    });
}

#[test]
fn a_join_reads_each_table_once() {
    run(async {
        let rig = Rig::start("2,4,40").await;
        let sql = format!(
            "SELECT i.name, p.name FROM {INSTANCES} i JOIN {POLICIES} p ON i.properties.policyInfo.policyId = p.id"
        );
        let answer = rig.rows(&sql).await;
        assert_eq!(answer.rows.len(), 40);
        let calls = rig.calls();
        assert_eq!(calls.of("BackupInstances_List"), 4, "{}", calls.summary());
        assert_eq!(calls.of("BackupPolicies_List"), 4, "{}", calls.summary());
        // The vaults are enumerated once for both.
        assert_eq!(calls.of("Subscriptions_List"), 1, "{}", calls.summary());
        assert_eq!(
            calls.of("BackupVaults_GetInSubscription"),
            2,
            "{}",
            calls.summary()
        );
        assert_eq!(calls.count(), 1 + 2 + 4 + 4, "{}", calls.summary());
    });
}

#[test]
fn limit_stops_the_paging() {
    run(async {
        let rig = Rig::start("1,1,10000").await;
        let answer = rig
            .rows(&format!("SELECT name FROM {INSTANCES} LIMIT 250"))
            .await;
        assert_eq!(answer.rows.len(), 250);
        let pages = rig.calls().of("BackupInstances_List");
        assert!((2..=3).contains(&pages), "{}", rig.calls().summary());
        assert_eq!(
            rig.rows(&format!("SELECT name FROM {INSTANCES} LIMIT 0"))
                .await
                .rows
                .len(),
            0
        );
        assert_eq!(rig.calls().count(), 0, "{}", rig.calls().summary());
    });
}

#[test]
fn rows_come_before_the_list_ends() {
    use restable_engine::Outcome;
    run(async {
        let rig = Rig::start("1,1,10000").await;
        let first =
            format!("SELECT subscriptionId, resourceGroupName, vaultName FROM {INSTANCES} LIMIT 1");
        let key = rig.rows(&first).await.rows.remove(0);
        let text = |at: usize| key[at].clone().unwrap();
        let sql = format!(
            "SELECT name FROM {INSTANCES} WHERE subscriptionId = '{}' AND resourceGroupName = '{}' AND vaultName = '{}'",
            text(0),
            text(1),
            text(2)
        );
        let session = rig.session();
        let parsed = restable_sql::parse(&sql).unwrap().remove(0);
        let prepared = session.prepare(&parsed).await.unwrap();
        rig.emulator.clear_journal();
        let Outcome::Rows(mut rows) = session.run(prepared).await.unwrap() else {
            panic!("a SELECT answers rows");
        };
        assert_eq!(rows.next().await.unwrap().unwrap().num_rows(), 200);
        // One taken, one that waits, and perhaps one on its way: of fifty pages.
        let pages = rig.calls().of("BackupInstances_List");
        assert!((1..=3).contains(&pages), "{}", rig.calls().summary());
        let mut count = 200;
        while let Some(batch) = rows.next().await {
            count += batch.unwrap().num_rows();
        }
        assert_eq!(count, 10_000);
    });
}

#[test]
fn what_the_documents_answer_costs_nothing() {
    run(async {
        let rig = Rig::start("demo").await;
        for sql in [
            "SHOW PROVIDERS",
            "SHOW SERVICES IN azure",
            "SHOW RESOURCES IN azure.data_protection",
            "SHOW METHODS IN azure.data_protection.backup_instances",
            "SHOW VIEWS IN azure.data_protection",
            "SHOW INSERT INTO azure.data_protection.backup_instances",
            "SHOW EXEC azure.data_protection.backup_instances.adhoc_backup",
            "SHOW SETTINGS",
            "DESCRIBE azure.data_protection.backup_instances",
            "DESCRIBE EXTENDED azure.data_protection.backup_instances",
            "DESCRIBE azure.data_protection.vw_jobs",
            "DESCRIBE METHOD azure.data_protection.backup_instances.adhoc_backup",
            "EXPLAIN SELECT * FROM azure.data_protection.backup_instances WHERE vaultName = 'v'",
            "SELECT table_name FROM information_schema.tables",
            "SELECT column_name FROM information_schema.columns WHERE table_name = 'backup_instances'",
            "SELECT * FROM information_schema.restable_parameters",
            "USE azure.data_protection",
            "SELECT 1 + 1",
        ] {
            rig.rows(sql).await;
            assert_eq!(rig.calls().count(), 0, "{sql}: {}", rig.calls().summary());
        }
        let session = rig.session();
        for sql in [
            format!("SELECT * FROM {INSTANCES}"),
            format!(
                "SELECT i.name FROM {INSTANCES} i JOIN {POLICIES} p ON i.vaultName = p.vaultName"
            ),
        ] {
            let parsed = restable_sql::parse(&sql).unwrap();
            session.prepare(&parsed[0]).await.unwrap();
        }
        assert_eq!(rig.calls().count(), 0, "{}", rig.calls().summary());
        // A statement that is wrong is refused before anything is sent.
        for sql in [
            format!("SELECT nothing_of_the_kind FROM {INSTANCES}"),
            format!("SELECT * FROM {INSTANCES} WHERE subscriptionId = 'no-uuid'"),
            "SELECT * FROM azure.data_protection.operation_status".to_owned(),
        ] {
            assert!(rig.ask(&sql).await.is_err(), "{sql}");
            assert_eq!(rig.calls().count(), 0, "{sql}: {}", rig.calls().summary());
        }
    });
}

#[test]
fn an_api_version_reaches_the_calls_of_its_own_table_only() {
    run(async {
        let rig = Rig::start("demo").await;
        let sql = format!("SELECT count(*) FROM {INSTANCES} WHERE \"api-version\" = '2025-07-01'");
        assert_eq!(rig.rows(&sql).await.value(), demo::INSTANCES.to_string());
        for entry in rig.calls().0 {
            let chosen = entry.query.contains("api-version=2025-07-01");
            let own = entry.operation.as_deref() == Some("BackupInstances_List");
            assert_eq!(
                chosen, own,
                "{} {}?{}",
                entry.method, entry.path, entry.query
            );
        }
    });
}

#[test]
fn a_session_asks_again_each_time() {
    run(async {
        let rig = Rig::start("2,4,40").await;
        let session = rig.session();
        for _ in 0..2 {
            rig.emulator.clear_journal();
            ask(&session, &format!("SELECT count(*) FROM {INSTANCES}"))
                .await
                .unwrap();
            assert_eq!(rig.calls().count(), 1 + 2 + 4, "{}", rig.calls().summary());
        }
    });
}

#[test]
fn a_view_narrows_like_its_table() {
    run(async {
        let rig = Rig::start("2,4,40").await;
        let [subscription, group, vault, _] = some_instance(&rig).await;
        let sql = format!(
            "SELECT count(*) FROM azure.data_protection.vw_backup_instances WHERE subscription_id = '{subscription}' \
             AND resource_group_name = '{group}' AND vault_name = '{vault}'"
        );
        assert_eq!(rig.rows(&sql).await.value(), "10");
        assert_eq!(rig.calls().summary(), "1 BackupInstances_List");
    });
}

#[test]
fn every_readable_table_is_read_whole_or_names_what_must_be_bound() {
    run(async {
        let rig = Rig::start("demo").await;
        let tables = rig.rows("SHOW RESOURCES IN azure.data_protection").await;
        let mut read = 0;
        for table in tables.column("name") {
            let table = table.unwrap();
            match rig
                .ask(&format!("SELECT * FROM azure.data_protection.{table}"))
                .await
            {
                Ok(answer) => {
                    read += 1;
                    assert!(answer.report.missing.is_empty(), "{table}");
                }
                Err(error) => {
                    // Not one call before the statement is refused.
                    assert_eq!(rig.calls().count(), 0, "{table}: {error}");
                    assert!(error.to_string().contains('`'), "{table}: {error}");
                }
            }
        }
        report(&format!(
            "{read} tables of {} are read without a predicate",
            tables.rows.len()
        ));
        assert!(read >= 15);
    });
}

#[test]
fn a_million_instances_are_counted_with_a_call_a_page() {
    if std::env::var("RESTABLE_TEST_LONG")
        .unwrap_or_default()
        .is_empty()
    {
        report("a million instances: only with --long");
        return;
    }
    run(async {
        let options = arm_emulator::Options {
            page_size: 1000,
            journal_capacity: 10,
            ..options("10,100,1000000")
        };
        let rig = Rig::with(options, builtin()).await;
        let answer = rig
            .rows(&format!(
                "SELECT count(*), count(DISTINCT id) FROM {INSTANCES}"
            ))
            .await;
        assert_eq!(answer.sorted(), ["1000000 | 1000000"]);
        assert_eq!(answer.report.calls, 1 + 10 + 100 * 10);
        assert!(
            rig.emulator.stored() < 10_000,
            "{} resources stored",
            rig.emulator.stored()
        );
    });
}
