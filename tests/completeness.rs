//! What a statement says of its own answer: scopes that it could not read are named wherever they come from, and what it
//! counts is what it read.

use restable_engine::{Error, Origin, Outcome, Report, Session};
use serde_json::{Value, json};

use crate::rig::{Rig, ask, run};

/// The lists of vaults answer these rows.
fn vaults(rows: Value) -> Value {
    let body = json!({"value": rows});
    json!({
        "match": {"path": "/providers/Microsoft.DataProtection/backupVaults?", "times": null},
        "action": {"kind": "status", "status": 200, "headers": {}, "body": body},
    })
}

fn inject(rig: &Rig, fault: Value) {
    rig.emulator.inject(serde_json::from_value(fault).unwrap());
}

fn forbidden(path: &str) -> Value {
    let body = json!({"error": {"code": "AuthorizationFailed", "message": "no"}});
    json!({
        "match": {"path": path, "times": null},
        "action": {"kind": "status", "status": 403, "headers": {}, "body": body},
    })
}

fn partial(rig: &Rig) -> Session {
    let session = rig.session();
    session.set("partial_results", "on", Origin::Flag).unwrap();
    session
}

async fn done(session: &Session, sql: &str) -> Result<Option<Report>, Error> {
    let parsed = restable_sql::parse(sql).unwrap();
    let prepared = session.prepare(&parsed[0]).await?;
    match session.run(prepared).await? {
        Outcome::Done { report, .. } => Ok(report),
        Outcome::Rows(_) => panic!("{sql} answers rows"),
    }
}

#[test]
fn a_parent_without_a_readable_id_is_an_error_and_never_a_gap() {
    run(async {
        for id in [
            json!(null),
            json!("/subscriptions/x/other/shape"),
            json!("/other/shape"),
            json!("no id"),
        ] {
            let rig = Rig::start("1,2,10").await;
            inject(
                &rig,
                vaults(
                    json!([{"id": id, "name": "v", "location": "westeurope", "properties": {}}]),
                ),
            );
            let problem = rig
                .ask("SELECT name FROM azure.data_protection.backup_instances")
                .await
                .unwrap_err();
            assert!(
                problem.to_string().contains("`vaultName`")
                    || problem.to_string().contains("`resourceGroupName`")
                    || problem
                        .to_string()
                        .contains("`/subscriptions/x/other/shape`"),
                "{id}: {problem}"
            );
            let answer = ask(
                &partial(&rig),
                "SELECT name FROM azure.data_protection.backup_instances",
            )
            .await
            .unwrap();
            assert!(!answer.report.is_complete(), "{id}");
        }
    });
}

#[test]
fn an_id_that_ends_in_a_slash_is_an_id() {
    run(async {
        let rig = Rig::start("1,1,10").await;
        let vault = rig
            .rows("SELECT id FROM azure.data_protection.backup_vaults")
            .await
            .rows[0][0]
            .clone()
            .unwrap();
        inject(
            &rig,
            vaults(json!([{"id": format!("{vault}/"), "name": "v", "properties": {}}])),
        );
        assert_eq!(
            rig.rows("SELECT name FROM azure.data_protection.backup_instances")
                .await
                .rows
                .len(),
            10
        );
    });
}

#[test]
fn create_table_as_says_what_it_covered() {
    run(async {
        let rig = Rig::start("1,4,40").await;
        let sql = "CREATE TABLE kept AS SELECT name FROM azure.data_protection.backup_instances";
        let whole = done(&rig.session(), sql).await.unwrap().unwrap();
        assert!(whole.is_complete() && whole.calls == 6, "{whole:?}");
        let name = rig
            .rows("SELECT name FROM azure.data_protection.backup_vaults ORDER BY name LIMIT 1")
            .await
            .rows[0][0]
            .clone()
            .unwrap();
        inject(
            &rig,
            forbidden(&format!("/backupVaults/{name}/backupInstances?")),
        );
        assert!(done(&rig.session(), sql).await.is_err());
        let part = done(&partial(&rig), sql).await.unwrap().unwrap();
        assert_eq!(part.missing.len(), 1, "{part:?}");
        assert!(
            part.line().ends_with("INCOMPLETE: 1 scope missing"),
            "{}",
            part.line()
        );
        assert_eq!(
            done(&rig.session(), "CREATE TEMP TABLE own AS SELECT 1 AS one")
                .await
                .unwrap()
                .map(|report| report.calls),
            None
        );
    });
}

#[test]
fn a_scope_that_two_tables_want_is_missing_once() {
    run(async {
        let rig = Rig::start("2,4,40").await;
        let subscription = rig
            .rows("SELECT subscriptionId FROM azure.resource.subscriptions ORDER BY 1 LIMIT 1")
            .await
            .rows[0][0]
            .clone()
            .unwrap();
        inject(
            &rig,
            forbidden(&format!(
                "/subscriptions/{subscription}/providers/Microsoft.DataProtection/backupVaults?"
            )),
        );
        let sql = "SELECT i.name FROM azure.data_protection.backup_vaults v JOIN azure.data_protection.backup_instances i USING (vaultName)";
        let answer = ask(&partial(&rig), sql).await.unwrap();
        assert_eq!(
            answer.report.missing.len(),
            1,
            "{:?}",
            answer.report.missing
        );
    });
}

#[test]
fn the_line_counts_scopes_and_not_calls() {
    run(async {
        let rig = Rig::start("1,1,10").await;
        let sql = "SELECT subscriptionId, resourceGroupName, vaultName, name FROM azure.data_protection.backup_instances ORDER BY name LIMIT 3";
        let rows = rig.rows(sql).await.rows;
        let at = |row: usize, column: usize| rows[row][column].clone().unwrap();
        let sql = format!(
            "SELECT name FROM azure.data_protection.backup_instances WHERE subscriptionId = '{}' AND resourceGroupName = '{}' \
             AND vaultName = '{}' AND backupInstanceName IN ('{}', '{}', '{}')",
            at(0, 0),
            at(0, 1),
            at(0, 2),
            at(0, 3),
            at(1, 3),
            at(2, 3)
        );
        let answer = rig.rows(&sql).await;
        assert_eq!((answer.rows.len(), answer.report.calls), (3, 3));
        assert!(
            answer.report.line().contains("1 vault in 1 subscription"),
            "{}",
            answer.report.line()
        );
    });
}

#[test]
fn a_name_is_shown_as_the_service_spells_it_whatever_was_asked_for() {
    run(async {
        let rig = Rig::start("demo").await;
        let session = rig.session();
        let first = ask(&session, "SELECT DISTINCT vaultName FROM azure.data_protection.backup_instances WHERE vaultName = 'BV-PROD-WEU'").await.unwrap();
        let second = ask(&session, "SELECT DISTINCT vaultName FROM azure.data_protection.backup_instances WHERE vaultName LIKE 'bv-prod-w%'").await.unwrap();
        assert_eq!(first.rows, second.rows);
        assert_eq!(first.rows[0][0].as_deref(), Some("bv-prod-weu"));
        let both = "SELECT vaultName, count(*) FROM (SELECT vaultName FROM azure.data_protection.backup_vaults \
                    UNION ALL SELECT vaultName FROM azure.data_protection.backup_policies) GROUP BY 1";
        let vaults = rig
            .rows("SELECT name FROM azure.data_protection.backup_vaults")
            .await
            .rows
            .len();
        assert_eq!(rig.rows(both).await.rows.len(), vaults);
    });
}

/// Nothing is left out without a word, and what is not there counts as read nowhere.
#[test]
fn what_a_setting_or_a_credential_leaves_out_is_told() {
    run(async {
        let rig = Rig::start("2,4,20").await;
        let table = "azure.data_protection.backup_instances";
        let rows = rig
            .rows(&format!("SELECT DISTINCT subscriptionId FROM {table}"))
            .await
            .rows;
        let own: Vec<&str> = rows.iter().filter_map(|row| row[0].as_deref()).collect();
        assert_eq!(own.len(), 2);
        let session = rig.session();
        session.set("subscriptions", own[0], Origin::Flag).unwrap();
        let other = format!(
            "SELECT count(*) FROM {table} WHERE subscriptionId = '{}'",
            own[1]
        );
        let answer = ask(&session, &other).await.unwrap();
        assert_eq!(answer.rows[0][0].as_deref(), Some("0"));
        let told = format!(
            "the setting `subscriptions` confines this statement, and `{}` is not in it: nothing of it was read",
            own[1]
        );
        assert_eq!(answer.report.notices, [told]);
        let whole = ask(&session, &format!("SELECT count(*) FROM {table}"))
            .await
            .unwrap();
        assert!(
            whole.report.notices.is_empty(),
            "{:?}",
            whole.report.notices
        );

        // Of two groups one is not there, so neither is its vault.
        let sql =
            format!("SELECT subscriptionId, resourceGroupName, vaultName FROM {table} LIMIT 1");
        let one = &rig.rows(&sql).await.rows[0];
        let at = |column: usize| one[column].clone().unwrap();
        let sql = format!(
            "SELECT count(*) FROM {table} WHERE subscriptionId = '{}' AND resourceGroupName IN ('nope', '{}') AND vaultName = '{}'",
            at(0),
            at(1),
            at(2)
        );
        let line = rig.rows(&sql).await.report.line();
        assert!(
            line.contains("1 vault in 1 subscription · 1 absent"),
            "{line}"
        );

        let none = json!({
            "match": {"path": "/subscriptions?", "times": null},
            "action": {"kind": "status", "status": 200, "headers": {}, "body": {"value": []}},
        });
        inject(&rig, none);
        let answer = rig.rows(&format!("SELECT count(*) FROM {table}")).await;
        assert_eq!(answer.rows[0][0].as_deref(), Some("0"));
        let [told] = &answer.report.notices[..] else {
            panic!("{:?}", answer.report.notices)
        };
        assert!(
            told.contains("this credential sees no row of `azure."),
            "{told}"
        );
    });
}
