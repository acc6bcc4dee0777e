//! `cache_ttl`: what was read whole may be used again, by whoever asks the same as the same principal; nothing partial, nothing after a change.
//! And times of recovery points, which the service is asked for where a statement confines them.

use restable_engine::acting::Access;
use restable_engine::{Origin, Outcome, Session};
use serde_json::json;

use crate::rig::{Rig, ask, decode, run};

const INSTANCES: &str = "azure.data_protection.backup_instances";
const POINTS: &str = "azure.data_protection.recovery_points";

fn caching(rig: &Rig) -> Session {
    let session = rig.session();
    // The clients' clock goes a thousand times as fast as time.
    session.set("cache_ttl", "31536000", Origin::Flag).unwrap();
    session
}

#[test]
fn a_list_that_was_read_is_used_again() {
    run(async {
        let rig = Rig::start("2,4,40").await;
        let (first, second) = (caching(&rig), caching(&rig));
        let sql = format!("SELECT name FROM {INSTANCES}");
        assert_eq!(ask(&first, &sql).await.unwrap().rows.len(), 40);
        assert_eq!(rig.calls().count(), 7);
        rig.emulator.clear_journal();
        // Other columns, another condition, another session: the same lists.
        let other = format!("SELECT id, properties FROM {INSTANCES} WHERE vaultName LIKE '%'");
        let again = ask(&second, &other).await.unwrap();
        assert_eq!((again.rows.len(), rig.calls().count()), (40, 0));
        assert_eq!((again.report.calls, again.report.cached), (0, 7));
        let line = again.report.line();
        assert!(
            line.contains("0 calls · 7 pages from the cache, up to ") && line.ends_with("complete"),
            "{line}"
        );
        let calls = ask(&second, "SHOW CALLS").await.unwrap();
        assert_eq!(calls.rows.len(), 7);
        assert!(calls.column("cached_seconds").iter().all(Option::is_some));
        assert!(
            calls
                .column("calls")
                .iter()
                .all(|count| *count == Some("0"))
        );
        // Whoever wants it live gets it live; so does another version of the service.
        assert_eq!(ask(&rig.session(), &sql).await.unwrap().report.calls, 7);
        let version = format!("{sql} WHERE \"api-version\" = '2025-07-01'");
        rig.emulator.clear_journal();
        ask(&second, &version).await.unwrap();
        assert_eq!(rig.calls().summary(), "4 BackupInstances_List");
        // Nobody is stopped for calls that the cache spares.
        second.set("max_calls", "1", Origin::Flag).unwrap();
        assert_eq!(ask(&second, &sql).await.unwrap().report.calls, 0);
        // When its time is over it is read anew.
        second.set("max_calls", "0", Origin::Flag).unwrap();
        second.set("cache_ttl", "0.000001", Origin::Flag).unwrap();
        assert_eq!(ask(&second, &sql).await.unwrap().report.calls, 7);
    });
}

#[test]
fn nothing_partial_is_used_again() {
    run(async {
        let rig = Rig::start("1,3,90").await;
        let session = caching(&rig);
        ask(&session, &format!("SELECT name FROM {INSTANCES} LIMIT 1"))
            .await
            .unwrap();
        let vault = rig
            .rows("SELECT name FROM azure.data_protection.backup_vaults ORDER BY 1 LIMIT 1")
            .await;
        let body = json!({"error": {"code": "AuthorizationFailed", "message": "no"}});
        rig.emulator.inject(
            serde_json::from_value(json!({
                "match": {"path": format!("/backupVaults/{}/backupInstances?", vault.value()), "times": null},
                "action": {"kind": "status", "status": 403, "headers": {}, "body": body},
            }))
            .unwrap(),
        );
        session.set("partial_results", "on", Origin::Flag).unwrap();
        let sql = format!("SELECT name FROM {INSTANCES}");
        let part = ask(&session, &sql).await.unwrap();
        assert_eq!((part.rows.len(), part.report.missing.len()), (60, 1));
        let again = ask(&session, &sql).await.unwrap();
        assert_eq!((again.rows.len(), again.report.missing.len()), (60, 1));
        rig.emulator.clear_faults();
        rig.emulator.clear_journal();
        let whole = ask(&session, &sql).await.unwrap();
        assert_eq!(whole.rows.len(), 90);
        assert!(whole.report.is_complete());
        // Only what was missing is asked for.
        assert_eq!(rig.calls().summary(), "1 BackupInstances_List");
    });
}

#[test]
fn what_changes_something_empties_the_cache_and_reads_live() {
    run(async {
        let rig = Rig::start("demo").await;
        let session = caching(&rig);
        session.set_access(Access::Write);
        session.set("confirm", "never", Origin::Flag).unwrap();
        session.set("wait", "off", Origin::Flag).unwrap();
        let sql = format!("SELECT name FROM {INSTANCES} WHERE vaultName = 'bv-sandbox'");
        let before = ask(&session, &sql).await.unwrap();
        assert!(!before.rows.is_empty());
        assert_eq!(ask(&session, &sql).await.unwrap().report.calls, 0);
        rig.emulator.clear_journal();
        let name = before.rows[0][0].clone().unwrap();
        let deleted = ask(
            &session,
            &format!("DELETE FROM {INSTANCES} WHERE vaultName = 'bv-sandbox' AND name = '{name}'"),
        )
        .await
        .unwrap();
        assert_eq!(deleted.rows.len(), 1);
        let reads = rig.calls().of("BackupInstances_List");
        assert!(
            reads >= 1,
            "the set is read live: {}",
            rig.calls().summary()
        );
        let after = ask(&session, &sql).await.unwrap();
        assert!(
            after.report.calls > 0 && after.report.cached == 0,
            "{:?}",
            after.report
        );
    });
}

#[test]
fn nothing_is_kept_while_an_own_operation_runs() {
    run(async {
        let rig = Rig::start("1,1,3").await;
        let session = caching(&rig);
        session.set_access(Access::Write);
        session.set("confirm", "never", Origin::Flag).unwrap();
        let sql = format!("SELECT name FROM {INSTANCES} ORDER BY 1");
        let before = ask(&session, &sql).await.unwrap();
        let name = before.rows[0][0].clone().unwrap();
        let delete = format!("DELETE /*+ NOWAIT */ FROM {INSTANCES} WHERE name = '{name}'");
        let deleted_later = ask(&session, &delete).await.unwrap();
        assert_eq!(deleted_later.column("status"), [Some("Accepted")]);
        let operation = deleted_later.column("operation")[0].unwrap().to_owned();
        let meanwhile = ask(&session, &sql).await.unwrap();
        assert_eq!(meanwhile.rows, before.rows);
        rig.emulator.advance(std::time::Duration::from_secs(3600));
        let after = ask(&session, &sql).await.unwrap();
        assert_ne!(
            after.rows, before.rows,
            "what was read while it ran is used again"
        );
        assert_eq!(after.report.cached, 0);
        // When its end was seen, what is read is kept again.
        let Outcome::Rows(mut waited) = session.wait_for(&operation).await.unwrap() else {
            panic!("waiting answers rows");
        };
        while let Some(batch) = waited.next().await {
            batch.unwrap();
        }
        assert_eq!(ask(&session, &sql).await.unwrap().report.cached, 0);
        let again = ask(&session, &sql).await.unwrap();
        assert_eq!((again.report.calls, again.rows == after.rows), (0, true));
    });
}

/// The filters that the emulator was asked with.
fn filters(rig: &Rig) -> Vec<String> {
    let urls = rig
        .calls()
        .0
        .into_iter()
        .map(|entry| decode(&format!("{}?{}", entry.path, entry.query)));
    urls.filter(|url| url.contains("/recoveryPoints?"))
        .map(|url| {
            let filter = url.split('&').find_map(|pair| {
                pair.split_once("$filter=")
                    .map(|(_, value)| value.to_owned())
            });
            filter.unwrap_or_default()
        })
        .collect()
}

#[test]
fn times_of_recovery_points_are_asked_for_and_no_row_is_lost() {
    run(async {
        let rig = Rig::start("demo").await;
        let times = rig
            .rows(&format!("SELECT DISTINCT CAST(properties.recoveryPointTime AS TEXT) FROM {POINTS} ORDER BY 1"))
            .await;
        assert!(times.rows.len() > 3);
        let time = |at: usize| times.rows[at.min(times.rows.len() - 1)][0].clone().unwrap();
        let (early, middle, late) = (time(0), time(times.rows.len() / 2), time(times.rows.len()));
        let day = |text: &str| text[..10].to_owned();
        // What hides the field from the list is filtered here alone: it is the judge.
        let hidden = "concat(properties.recoveryPointTime, '')";
        let mut asked = 0;
        for (condition, judge) in [
            (
                format!("properties.recoveryPointTime >= '{middle}'"),
                format!("{hidden} >= '{middle}'"),
            ),
            (
                format!("properties.recoveryPointTime > '{}'", day(&middle)),
                format!("{hidden} > '{}'", day(&middle)),
            ),
            (
                format!("'{late}' <= properties.recoveryPointTime"),
                format!("{hidden} >= '{late}'"),
            ),
            (
                format!("properties.recoveryPointTime = '{early}'"),
                format!("{hidden} = '{early}'"),
            ),
            (
                format!("properties.recoveryPointTime BETWEEN '{early}' AND '{middle}'"),
                format!("{hidden} >= '{early}' AND {hidden} <= '{middle}'"),
            ),
            (
                format!(
                    "properties.recoveryPointTime > '{early}' AND properties.recoveryPointTime < '{late}'"
                ),
                format!("{hidden} > '{early}' AND {hidden} < '{late}'"),
            ),
            (
                format!(
                    "properties.recoveryPointTime >= '{late}' AND properties.recoveryPointTime < '{early}'"
                ),
                "false".to_owned(),
            ),
        ] {
            let expected = rig
                .rows(&format!("SELECT id FROM {POINTS} WHERE {judge}"))
                .await
                .sorted();
            assert!(filters(&rig).iter().all(String::is_empty));
            let found = rig
                .rows(&format!("SELECT id FROM {POINTS} WHERE {condition}"))
                .await
                .sorted();
            assert_eq!(found, expected, "{condition}");
            let filters = filters(&rig);
            asked += filters.len();
            assert!(
                filters
                    .iter()
                    .all(|filter| filter.starts_with("startDate eq '")
                        && filter.contains("' and endDate eq '")
                        || condition.contains(&format!(">= '{late}' AND"))),
                "{condition}: {filters:?}"
            );
        }
        assert!(asked > 0);
        // The view's times are timestamps.
        let through = format!(
            "SELECT id FROM azure.data_protection.vw_recovery_points WHERE recovery_point_time >= TIMESTAMP '{}T00:00:00Z'",
            day(&middle)
        );
        let found = rig.rows(&through).await.sorted();
        let filters_of_view = filters(&rig);
        assert!(
            !filters_of_view.is_empty()
                && filters_of_view
                    .iter()
                    .all(|filter| filter.starts_with("startDate eq '")),
            "{filters_of_view:?}"
        );
        let expected = rig
            .rows(&format!(
                "SELECT id FROM {POINTS} WHERE {hidden} >= '{}'",
                day(&middle)
            ))
            .await
            .sorted();
        assert_eq!(found, expected);
        // What is no such confinement is not asked for, nor is a single recovery point.
        for open in [
            format!("properties.recoveryPointTime < '{late}'"),
            format!("properties.recoveryPointTime >= '{early}' OR name = 'x'"),
            format!("NOT (properties.recoveryPointTime >= '{late}')"),
            "properties.recoveryPointTime >= 'yesterday'".to_owned(),
            "properties.recoveryPointType >= '2026-01-01'".to_owned(),
        ] {
            rig.rows(&format!("SELECT id FROM {POINTS} WHERE {open}"))
                .await;
            assert!(
                filters(&rig).iter().all(String::is_empty),
                "{open}: {:?}",
                filters(&rig)
            );
        }
        let id = rig
            .rows(&format!("SELECT id FROM {POINTS} ORDER BY 1 LIMIT 1"))
            .await;
        let one = format!(
            "SELECT id FROM {POINTS} WHERE id = '{}' AND properties.recoveryPointTime > '2000-01-01'",
            id.value()
        );
        assert_eq!(rig.rows(&one).await.rows.len(), 1);
        assert_eq!(rig.calls().summary(), "1 RecoveryPoints_Get");
        // A filter that the statement writes itself stands.
        let own = "startDate eq '2026-01-01T00:00:00.0000000Z' and endDate eq '2026-01-02T00:00:00.0000000Z'";
        let sql = format!(
            "SELECT id FROM {POINTS} WHERE \"$filter\" = '{}' AND properties.recoveryPointTime >= '2026-01-01'",
            own.replace('\'', "''")
        );
        rig.rows(&sql).await;
        assert!(
            filters(&rig).iter().all(|filter| filter == own),
            "{:?}",
            filters(&rig)
        );
    });
}
