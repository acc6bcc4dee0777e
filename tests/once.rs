//! No call is made twice in a statement, however many of its parts want what it answers: by the emulator's journal, and the rows are those of
//! tables in memory.

use std::path::Path;

use restable_engine::{Origin, Outcome, Session};
use serde_json::{Value, json};

use crate::commands::Command;
use crate::rig::{Answer, Rig, ask, demo, options, run, settings};

const TABLES: [(&str, &str, &str); 4] = [
    ("v", "azure.data_protection.backup_vaults", "vaultName"),
    (
        "i",
        "azure.data_protection.backup_instances",
        "vaultName, backupInstanceName",
    ),
    (
        "r",
        "azure.data_protection.recovery_points",
        "vaultName, backupInstanceName",
    ),
    ("s", "azure.resource.subscriptions", ""),
];

/// A session with the tables of an estate under short names, and one with the same rows in memory.
async fn sessions(rig: &Rig) -> (Session, Session) {
    let (live, memory) = (rig.session(), rig.session());
    for (name, table, parameters) in TABLES {
        let parameters = match parameters {
            "" => "*".to_owned(),
            more => format!("*, subscriptionId, resourceGroupName, {more}"),
        };
        let sql = format!("CREATE TABLE {name} AS SELECT {parameters} FROM {table}");
        ask(&memory, &sql).await.unwrap();
        let sql = format!("CREATE VIEW {name} AS SELECT {parameters} FROM {table}");
        ask(&live, &sql).await.unwrap();
    }
    (live, memory)
}

/// Runs a statement over the estate and over memory; the same rows, and no request twice. Its calls.
async fn once(rig: &Rig, (live, memory): &(Session, Session), sql: &str) -> usize {
    rig.emulator.clear_journal();
    let answer = ask(live, sql)
        .await
        .unwrap_or_else(|error| panic!("{sql}\n{error:?}"));
    let calls = rig.calls();
    assert_eq!(calls.twice(), Vec::<String>::new(), "{sql}");
    assert_eq!(answer.report.calls, calls.count() as u64, "{sql}");
    let expected = ask(memory, sql).await.unwrap();
    let rows = |answer: &Answer| answer.sorted().join("\n").to_lowercase();
    assert_eq!(rows(&answer), rows(&expected), "{sql}");
    assert!(!answer.rows.is_empty(), "{sql}");
    calls.count()
}

#[test]
fn what_several_parts_of_a_statement_want_is_asked_for_once() {
    run(async {
        let rig = Rig::start("demo").await;
        let sessions = sessions(&rig).await;
        // 1 list of subscriptions, 4 of vaults, 7 of instances, 31 of recovery points.
        for (sql, calls) in [
            ("SELECT a.name, b.id FROM i a JOIN i b ON a.id = b.id", 12),
            ("SELECT count(*) FROM i a, i b WHERE a.name < b.name", 12),
            (
                "SELECT a.id FROM i a LEFT JOIN i b ON a.properties.friendlyName = b.properties.friendlyName AND a.id <> b.id",
                12,
            ),
            (
                "SELECT name FROM i WHERE name LIKE 'disk%' UNION ALL SELECT name FROM i WHERE vaultName LIKE '%neu'",
                12,
            ),
            (
                "SELECT name FROM i WHERE vaultName = 'bv-sandbox' UNION ALL SELECT name FROM i WHERE vaultName LIKE 'bv-s%'",
                6,
            ),
            (
                "WITH q AS (SELECT id, vaultName FROM i) SELECT vaultName, count(*) FROM q WHERE id IN (SELECT max(id) FROM q GROUP BY vaultName) GROUP BY vaultName",
                12,
            ),
            (
                "SELECT id FROM i a WHERE EXISTS (SELECT 1 FROM i b WHERE b.vaultName = a.vaultName AND b.id > a.id)",
                12,
            ),
            (
                "SELECT id FROM i a WHERE NOT EXISTS (SELECT 1 FROM i b WHERE b.vaultName = a.vaultName AND b.id > a.id)",
                12,
            ),
            ("SELECT id FROM i WHERE id = (SELECT max(id) FROM i)", 12),
            (
                "SELECT name, (SELECT count(*) FROM i) AS all_of_them FROM i WHERE vaultName LIKE 'bv-dev%'",
                12,
            ),
            ("SELECT name FROM i INTERSECT SELECT name FROM i", 12),
            // Lists of vaults take no name of a vault: both want the same.
            (
                "SELECT name FROM v WHERE vaultName = 'bv-sandbox' UNION ALL SELECT location FROM v WHERE vaultName = 'bv-dev-weu'",
                5,
            ),
            // Names of groups that rows give are looked for in what another part lists.
            (
                "SELECT a.id FROM i a WHERE a.resourceGroupName IN (SELECT resourceGroupName FROM (VALUES ('rg-sandbox'), ('rg-dev-shared')) AS x(resourceGroupName)) \
                 AND a.vaultName <= (SELECT max(vaultName) FROM i WHERE vaultName NOT LIKE 'bv-prod%')",
                10,
            ),
            // Listed for its rows, and to find what is below.
            (
                "SELECT v.name, i.id FROM v JOIN i ON v.vaultName = i.vaultName",
                12,
            ),
            (
                "SELECT v.name, i.id FROM v FULL JOIN i ON v.vaultName = i.vaultName",
                12,
            ),
            ("SELECT count(*) FROM v, i", 12),
            (
                "SELECT i.id FROM v JOIN i ON i.vaultName = v.name WHERE v.location = 'northeurope'",
                1 + 4 + 2,
            ),
            (
                "SELECT s.displayName, v.name, i.id, r.name FROM s JOIN v ON v.subscriptionId = s.subscriptionId JOIN i ON i.vaultName = v.vaultName \
                 JOIN r ON r.vaultName = i.vaultName AND r.backupInstanceName = i.backupInstanceName",
                1 + 4 + 7 + 31,
            ),
            (
                "WITH RECURSIVE q AS (SELECT 1 AS n, concat(max(id), '') AS id FROM i UNION ALL SELECT n + 1, concat(i.id, '') FROM q JOIN i ON i.id < q.id WHERE n < 3) \
                 SELECT n, count(*), min(id) FROM q GROUP BY n",
                12,
            ),
        ] {
            assert_eq!(once(&rig, &sessions, sql).await, calls, "{sql}");
        }
    });
}

#[test]
fn pages_of_one_list_are_shared_one_by_one() {
    run(async {
        let rig = Rig::with(
            arm_emulator::Options {
                page_size: 20,
                ..options("2,4,300")
            },
            vec![std::sync::Arc::new(restable_spec::Builtin)],
        )
        .await;
        let sessions = sessions(&rig).await;
        let all = once(&rig, &sessions, "SELECT count(*) FROM i").await;
        for sql in [
            "SELECT a.id FROM i a JOIN i b ON a.id = b.id",
            "SELECT a.id, b.name FROM i a JOIN i b ON a.id = b.id WHERE b.name LIKE '%1'",
            // One side may be read a little only, or not at all.
            "SELECT count(*) FROM (SELECT name FROM i LIMIT 3) a CROSS JOIN i b",
            "SELECT count(*) FROM i b CROSS JOIN (SELECT name FROM i LIMIT 3) a",
            "SELECT count(*) FROM (SELECT name FROM i LIMIT 25) UNION ALL SELECT count(*) FROM i",
            "SELECT count(*) FROM (SELECT name FROM i LIMIT 1) a JOIN (SELECT count(*) AS n FROM i) b ON true JOIN (SELECT count(*) AS m FROM i) c ON b.n = c.m",
        ] {
            assert_eq!(once(&rig, &sessions, sql).await, all, "{sql}");
            let (live, _) = &sessions;
            // One call at a time is enough for all of them.
            live.set("max_concurrency", "1", Origin::Flag).unwrap();
            assert_eq!(once(&rig, &sessions, sql).await, all, "{sql}");
            live.set("max_concurrency", "64", Origin::Flag).unwrap();
        }
        // Whoever has enough stops, as ever.
        for sql in [
            "SELECT name FROM i UNION ALL SELECT name FROM i LIMIT 1",
            "SELECT a.id FROM (SELECT id FROM i LIMIT 1) a LEFT JOIN (SELECT id FROM i LIMIT 1) b ON true",
        ] {
            rig.emulator.clear_journal();
            assert_eq!(ask(&sessions.0, sql).await.unwrap().rows.len(), 1);
            assert!(
                rig.calls().count() < all / 2,
                "{sql}: {}",
                rig.calls().summary()
            );
            assert_eq!(rig.calls().twice(), Vec::<String>::new(), "{sql}");
        }
    });
}

#[test]
fn what_is_said_of_calls_counts_each_once() {
    run(async {
        let rig = Rig::start("demo").await;
        let (live, _) = sessions(&rig).await;
        let sql =
            "SELECT a.id FROM i a JOIN i b ON a.id = b.id JOIN v ON v.vaultName = a.vaultName";
        ask(&live, sql).await.unwrap();
        let calls = ask(&live, "SHOW CALLS").await.unwrap();
        assert_eq!(calls.rows.len(), 12);
        let plan = ask(&live, &format!("EXPLAIN ANALYZE {sql}")).await.unwrap();
        let text = plan.rows.last().unwrap().clone();
        let whole: Vec<String> = plan
            .rows
            .iter()
            .filter(|row| row[0].as_deref().unwrap().starts_with("calls"))
            .map(|row| row[1].clone().unwrap())
            .collect();
        assert_eq!(whole.len(), 4, "{text:?}");
        assert!(whole[3].contains("12 calls, as predicted"), "{whole:?}");
        for scan in &whole[..3] {
            assert!(scan.contains("as predicted"), "{scan}");
            assert!(scan.contains("each call is made once"), "{scan}");
        }
        // As many as there are may be made, and not one fewer.
        live.set("max_calls", "12", Origin::Flag).unwrap();
        assert_eq!(ask(&live, sql).await.unwrap().report.calls, 12);
        live.set("max_calls", "11", Origin::Flag).unwrap();
        assert!(ask(&live, sql).await.is_err());
        // Without a memory of walks it is the counting that says so.
        let fresh = Rig::start("demo").await;
        let mut few = settings();
        few.set("max_calls", "12", Origin::Flag).unwrap();
        let twice = "SELECT count(*) FROM azure.data_protection.backup_instances a JOIN azure.data_protection.backup_instances b ON a.id = b.id";
        let session = fresh.engine.session(few).unwrap();
        let answer = ask(&session, twice).await.unwrap();
        assert_eq!(answer.value(), demo::INSTANCES.to_string());
    });
}

fn of_a_vault(rig: &Rig, status: u16, code: &str) {
    let body = json!({"error": {"code": code, "message": "as ordered"}});
    let fault: Value = json!({
        "match": {"path": "/bv-dev-weu/backupInstances?", "times": null},
        "action": {"kind": "status", "status": status, "headers": {}, "body": body},
    });
    rig.emulator.inject(serde_json::from_value(fault).unwrap());
}

const BOTH: &str = "SELECT count(*) FROM azure.data_protection.backup_instances \
     UNION ALL SELECT count(*) FROM azure.data_protection.backup_instances";

#[test]
fn a_failure_is_one_for_all_who_read() {
    run(async {
        let rig = Rig::start("demo").await;
        of_a_vault(&rig, 403, "AuthorizationFailed");
        let problem = rig.ask(BOTH).await.unwrap_err();
        assert!(
            problem.to_string().contains("AuthorizationFailed"),
            "{problem}"
        );
        assert_eq!(rig.calls().twice(), Vec::<String>::new());
        // Calls that were under way when it failed are none of the next statement.
        let rig = Rig::start("demo").await;
        of_a_vault(&rig, 403, "AuthorizationFailed");
        let session = rig.session();
        session.set("partial_results", "on", Origin::Flag).unwrap();
        let answer = ask(&session, BOTH).await.unwrap();
        assert_eq!(answer.rows[0], answer.rows[1]);
        assert_eq!(answer.report.missing.len(), 1);
        assert_eq!(rig.calls().count(), 12, "{:?}", rig.calls().twice());
        // What does not exist is told once.
        rig.emulator.clear_faults();
        of_a_vault(&rig, 404, "ResourceNotFound");
        let answer = rig.rows(BOTH).await;
        assert_eq!(answer.rows[0], answer.rows[1]);
        assert_eq!((answer.report.absent, rig.calls().count()), (1, 12));
    });
}

#[test]
fn a_page_that_one_reader_cannot_take_is_an_error() {
    run(async {
        let rig = Rig::start("1,1,3").await;
        // Of a type that only the second side decodes.
        let body = json!({"value": [{"id": "/subscriptions/x", "name": ["no", "text"]}]});
        let fault: Value = json!({
            "match": {"path": "/backupInstances?", "times": null},
            "action": {"kind": "status", "status": 200, "headers": {}, "body": body},
        });
        rig.emulator.inject(serde_json::from_value(fault).unwrap());
        let one = rig
            .ask("SELECT max(name) FROM azure.data_protection.backup_instances")
            .await;
        let both = rig
            .ask(
                "SELECT count(*) AS n FROM azure.data_protection.backup_instances UNION ALL \
                 SELECT length(max(name)) FROM azure.data_protection.backup_instances",
            )
            .await;
        assert_eq!(one.is_err(), both.is_err(), "{one:?} {both:?}");
    });
}

#[test]
fn a_reader_that_goes_stops_all_calls() {
    run(async {
        let rig = Rig::with(
            arm_emulator::Options {
                page_size: 10,
                ..options("1,3,3000")
            },
            vec![std::sync::Arc::new(restable_spec::Builtin)],
        )
        .await;
        let session = rig.session();
        let sql = "SELECT name FROM azure.data_protection.backup_instances UNION ALL SELECT id FROM azure.data_protection.backup_instances";
        let parsed = restable_sql::parse(sql).unwrap();
        let prepared = session.prepare(&parsed[0]).await.unwrap();
        let Outcome::Rows(mut rows) = session.run(prepared).await.unwrap() else {
            panic!("a query answers rows");
        };
        rows.next().await.unwrap().unwrap();
        drop(rows);
        let statement = session.last_statement().unwrap();
        let made = statement.meter.totals().calls;
        assert!(made < 150, "{made}");
        // The same session goes on, and nothing of the old statement comes between.
        rig.emulator.clear_journal();
        let answer = ask(
            &session,
            "SELECT count(*) FROM azure.resource.subscriptions",
        )
        .await
        .unwrap();
        assert_eq!(answer.report.calls, 1);
        let late = rig.calls().of("BackupInstances_List");
        assert!(late <= 6, "{late} calls after the end");
    });
}

#[test]
fn pages_that_wait_are_within_the_memory_limit_and_leave_no_file() {
    run(async {
        let files = tempfile::tempdir().unwrap();
        // The table of a join takes the names of one side; the pages of the other, 30 MB of JSON, wait until then.
        let sql = "SELECT count(*), max(length(b.properties)) FROM (SELECT max(name) AS name FROM azure.data_protection.backup_instances) a \
             JOIN azure.data_protection.backup_instances b ON a.name >= b.name";
        let limited = limited(files.path(), sql).await;
        assert_eq!(limited.code, 0, "{}", limited.stderr);
        assert!(limited.stdout.contains("20000"), "{}", limited.stdout);
        assert!(limited.stderr.contains("102 calls"), "{}", limited.stderr);
        let left: Vec<_> = std::fs::read_dir(files.path()).unwrap().collect();
        assert!(left.is_empty(), "{left:?}");
    });
}

async fn limited(folder: &Path, sql: &str) -> crate::commands::Output {
    let arguments = [
        "exec",
        "--emulator=1,4,20000",
        "-o",
        "csv",
        "--set",
        "memory_limit=24MB",
        sql,
    ];
    Command::new(&arguments)
        .environment("TMPDIR", folder.to_str().unwrap())
        .run()
        .await
}
