//! Answers of success that are none: an error with the status 200, a page that is not all, rows of another place, a root that is said not to be
//! there. And a service that fails for longer than a statement has: the rest comes all the same.

use restable_engine::{Origin, Session};
use serde_json::{Value, json};

use crate::rig::{Rig, ask, demo, run};

const INSTANCES: &str = "azure.data_protection.backup_instances";

fn inject(rig: &Rig, path: &str, action: Value) {
    let fault = json!({"match": {"path": path, "times": null}, "action": action});
    rig.emulator.clear_faults();
    rig.emulator.inject(serde_json::from_value(fault).unwrap());
}

fn answers(body: Value) -> Value {
    json!({"kind": "status", "status": 200, "headers": {}, "body": body})
}

fn fails(status: u16, code: &str) -> Value {
    let body = json!({"error": {"code": code, "message": "as ordered"}});
    json!({"kind": "status", "status": status, "headers": {}, "body": body})
}

fn partial(rig: &Rig) -> Session {
    let session = rig.session();
    session.set("partial_results", "on", Origin::Flag).unwrap();
    session
}

/// The vault of the demo estate that has most instances.
fn vault() -> String {
    format!(
        "subscriptionId = '{}' AND resourceGroupName = 'rg-backup-prod-weu' AND vaultName = 'bv-prod-weu'",
        demo::PRODUCTION
    )
}

/// An error that names the scope, or with partial results the scope as missing; how many rows there are then.
async fn is_no_answer(rig: &Rig, sql: &str, scope: &str, about: &str) -> usize {
    let problem = rig.ask(sql).await.unwrap_err();
    assert_eq!(
        problem.fault(),
        restable_engine::Fault::Provider,
        "{about}: {problem}"
    );
    let told = format!("{problem} {:?}", problem.diagnostic());
    assert!(told.contains(scope), "{about}: {told}");
    let answer = ask(&partial(rig), sql).await.unwrap();
    let missing = &answer.report.missing;
    assert!(
        missing.len() == 1 && missing[0].scope.contains(scope),
        "{about}: {missing:?}"
    );
    answer.rows.len()
}

#[test]
fn a_get_answers_a_row_or_it_is_an_error() {
    run(async {
        let rig = Rig::start("demo").await;
        let sql = format!(
            "SELECT count(*) AS n, count(name) AS named FROM {INSTANCES} WHERE {} AND backupInstanceName = 'nothere'",
            vault()
        );
        for body in [
            json!({"error": {"code": "InternalServerError", "message": "m"}}),
            json!({"error": {"code": "InternalServerError", "message": "m"}, "id": "/x", "name": "nothere", "type": "t"}),
            json!({}),
            json!({"value": []}),
            json!({"name": "nothere", "type": "t", "properties": {}}),
            json!({"id": null, "name": "nothere", "properties": {}}),
            json!([]),
        ] {
            inject(&rig, "backupInstances/nothere", answers(body.clone()));
            is_no_answer(&rig, &sql, "backupInstances/nothere", &body.to_string()).await;
            let session = partial(&rig);
            let counts = ask(&session, &sql).await.unwrap();
            assert_eq!(counts.sorted(), ["0 | 0"], "{body}");
        }
        // Not there is not there.
        rig.emulator.clear_faults();
        assert_eq!(rig.rows(&sql).await.sorted(), ["0 | 0"]);
        // A row of another scope is not the one that was asked for.
        let id = "/subscriptions/8f3b1c52-6d2e-4f0a-9b7c-1e5a40d7c001/resourceGroups/rg-backup-prod-weu/providers\
                  /Microsoft.DataProtection/backupVaults/another/backupInstances/nothere";
        let other = json!({"id": id, "name": "nothere", "type": "t", "properties": {}});
        inject(&rig, "backupInstances/nothere", answers(other));
        is_no_answer(&rig, &sql, "backupInstances/nothere", "another vault").await;
        let own =
            json!({"id": id.replace("another", "BV-Prod-WEU"), "name": "nothere", "type": "t"});
        inject(&rig, "backupInstances/nothere", answers(own));
        assert_eq!(rig.rows(&sql).await.sorted(), ["1 | 1"]);
    });
}

#[test]
fn a_list_beside_an_error_may_be_less_than_all() {
    run(async {
        let rig = Rig::start("demo").await;
        let sql = format!("SELECT name FROM {INSTANCES}");
        let of_vault = "bv-prod-weu/backupInstances";
        let all = rig.rows(&sql).await.rows.len();
        let row = rig
            .rows(&format!(
                "SELECT id FROM {INSTANCES} WHERE {} LIMIT 1",
                vault()
            ))
            .await;
        let row = json!({"id": row.value(), "name": "n", "type": "t", "properties": {}});
        let error = json!({"code": "PartialFailure", "message": "m"});
        let mut left = Vec::new();
        for body in [
            format!(r#"{{"value":[],"error":{error}}}"#),
            format!(r#"{{"error":{error},"value":[]}}"#),
            format!(r#"{{"value":[{row}],"nextLink":null,"error":{error}}}"#),
            format!(r#"{{"value":[{row}],"error":"{}"}}"#, "words"),
            format!(r#"{{"value":[{row}],"error":{{}}}}"#),
        ] {
            inject(&rig, of_vault, answers(json!(body)));
            left.push(is_no_answer(&rig, &sql, "bv-prod-weu", &body).await);
        }
        assert!(left.iter().all(|rows| *rows > 0 && *rows < all), "{left:?}");
        for body in [
            format!(r#"{{"value":[{row}],"error":null}}"#),
            format!(r#"{{"error":null,"value":[{row}]}}"#),
        ] {
            inject(&rig, of_vault, answers(json!(body)));
            let answer = rig.rows(&sql).await;
            assert_eq!(answer.rows.len(), left[0] + 1, "{body}");
            assert!(answer.report.is_complete());
        }
        // So may a list of parents.
        let body = json!({"value": [], "error": error});
        let path = format!(
            "/subscriptions/{}/providers/Microsoft.DataProtection/backupVaults?",
            demo::PRODUCTION
        );
        inject(&rig, &path, answers(body));
        is_no_answer(&rig, &sql, demo::PRODUCTION, "vaults").await;
    });
}

#[test]
fn a_link_into_another_list_gives_no_rows() {
    run(async {
        let rig = Rig::start("demo").await;
        let link = |to: String| json!({"kind": "next_link", "link": {"to": to}});
        let list = |subscription: &str, group: &str, vault: &str| {
            format!(
                "/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.DataProtection/backupVaults/{vault}/backupInstances?api-version=2025-07-01"
            )
        };
        for sql in [
            format!("SELECT count(*) FROM {INSTANCES} WHERE {}", vault()),
            format!("SELECT name FROM {INSTANCES} WHERE {}", vault()),
        ] {
            for to in [
                "/subscriptions?api-version=2022-12-01".to_owned(),
                list(demo::PRODUCTION, "rg-backup-prod-neu", "bv-prod-neu"),
                // Nothing there says that it is of this list.
                format!(
                    "/subscriptions/{}/providers/Microsoft.DataProtection/resourceGuards?api-version=2025-07-01&nothing",
                    demo::LEGACY
                ),
            ] {
                rig.emulator.clear_faults();
                let fault = json!({
                    "match": {"path": "bv-prod-weu/backupInstances?", "times": 1},
                    "action": link(to.clone()),
                });
                rig.emulator.inject(serde_json::from_value(fault).unwrap());
                let problem = rig.ask(&sql).await.unwrap_err();
                assert!(
                    problem.to_string().contains("bv-prod-weu"),
                    "{to}: {problem}"
                );
            }
            // The same list under another spelling is the same list.
            rig.emulator.clear_faults();
            let whole = rig.rows(&sql).await;
            let spelled = list(demo::PRODUCTION, "RG-Backup-Prod-WEU", "BV-PROD-WEU")
                .replace("/subscriptions/", "/Subscriptions/")
                .replace("resourceGroups", "resourcegroups");
            let fault = json!({
                "match": {"path": "bv-prod-weu/backupInstances?", "times": 1},
                "action": link(format!("{spelled}&again=1")),
            });
            rig.emulator.inject(serde_json::from_value(fault).unwrap());
            let twice = rig.rows(&sql).await;
            assert_eq!(rig.calls().count(), 2);
            match whole.columns.as_slice() {
                [name] if name == "name" => assert_eq!(twice.rows.len(), 2 * whole.rows.len()),
                _ => assert!(twice.value() > whole.value()),
            }
        }
    });
}

#[test]
fn the_list_that_everything_is_under_is_there() {
    run(async {
        let rig = Rig::start("demo").await;
        for code in ["SubscriptionNotFound", "ResourceNotFound"] {
            inject(&rig, "/subscriptions?", fails(404, code));
            for sql in [
                format!("SELECT count(*) FROM {INSTANCES}"),
                "SELECT count(*) FROM azure.resource.subscriptions".to_owned(),
            ] {
                for session in [rig.session(), partial(&rig)] {
                    let problem = ask(&session, &sql).await.unwrap_err();
                    assert!(problem.to_string().contains(code), "{sql}: {problem}");
                }
            }
        }
        // Below it there may be nothing.
        let path = format!(
            "/subscriptions/{}/providers/Microsoft.DataProtection/backupVaults?",
            demo::PRODUCTION
        );
        inject(&rig, &path, fails(404, "SubscriptionNotFound"));
        let answer = rig.rows(&format!("SELECT name FROM {INSTANCES}")).await;
        assert!(!answer.rows.is_empty() && answer.report.absent == 1);
    });
}

#[test]
fn what_is_given_up_for_want_of_time_leaves_the_rest() {
    run(async {
        let sql = format!("SELECT name FROM {INSTANCES}");
        for status in [500, 503, 408] {
            let rig = Rig::start("demo").await;
            let all = rig.rows(&sql).await.rows.len();
            let mut action = fails(status, "Busy");
            // The next attempt would come after the end.
            action["headers"] = json!({"retry-after": "86000"});
            inject(&rig, "bv-prod-weu/backupInstances", action);
            let limited = |session: Session| {
                session
                    .set("statement_timeout", "80000", Origin::Flag)
                    .unwrap();
                session
            };
            let answer = ask(&limited(partial(&rig)), &sql).await.unwrap();
            let missing = &answer.report.missing;
            assert!(
                missing.len() == 1 && missing[0].scope.contains("bv-prod-weu"),
                "{status}: {missing:?}"
            );
            assert!(!answer.rows.is_empty() && answer.rows.len() < all);
            assert!(ask(&limited(rig.session()), &sql).await.is_err());
        }
    });
}
