//! What is kept in the data directory: materialized views and tables, their refreshes and their past; what becomes of them
//! when a refresh fails, is killed, or runs twice; and what a door that may only read is refused.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use arm_emulator::{ClockKind, Options};
use futures::future::BoxFuture;
use restable_engine::acting::Access;
use restable_engine::snapshots::DataPlace;
use restable_engine::{Error, Origin, Outcome, Report, Session};
use restable_http::Clock;
use restable_spec::Builtin;
use serde_json::{Value, json};

use crate::rig::{Answer, Rig, ask, options, run, settings};

const INSTANCES: &str = "azure.data_protection.backup_instances";
pub(crate) const ESTATE: &str = "CREATE MATERIALIZED VIEW estate AS
    SELECT id, name, vaultName, properties.currentProtectionState AS state, properties
    FROM azure.data_protection.backup_instances";

/// A clock whose every reading is an hour after the one before.
#[derive(Debug, Default)]
struct Hours(AtomicU64);

impl Clock for Hours {
    fn now(&self) -> Instant {
        Instant::now()
    }

    fn wall(&self) -> SystemTime {
        let hours = self.0.fetch_add(1, Ordering::Relaxed);
        // 2026-11-02 00:00 UTC.
        SystemTime::UNIX_EPOCH + Duration::from_secs(1_793_577_600 + hours * 3_600)
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        Box::pin(tokio::time::sleep(duration))
    }
}

pub(crate) struct Kept {
    pub(crate) rig: Rig,
    folder: tempfile::TempDir,
}

impl Kept {
    pub(crate) async fn start(estate: &str) -> Kept {
        Kept::with(estate, Arc::new(Hours::default())).await
    }

    /// As [`Kept::start`], with the time as it is.
    pub(crate) async fn still(estate: &str) -> Kept {
        Kept::with(estate, Arc::new(restable_http::TokioClock)).await
    }

    async fn with(estate: &str, clock: Arc<dyn Clock>) -> Kept {
        let folder = tempfile::tempdir().unwrap();
        let options = Options {
            clock: ClockKind::Fast,
            ..options(estate)
        };
        let mut rig = Rig::with(options, vec![Arc::new(Builtin)]).await;
        rig.engine = rig.engine.clone().with_data(DataPlace {
            folder: folder.path().to_owned(),
            clock,
        });
        Kept { rig, folder }
    }

    /// A session that asks nobody and waits as little as it may.
    pub(crate) fn session(&self) -> Session {
        let session = self.rig.session();
        session.set("confirm", "never", Origin::Flag).unwrap();
        session.set("poll_interval", "0", Origin::Flag).unwrap();
        session
    }

    pub(crate) async fn rows(&self, sql: &str) -> Answer {
        self.rig.rows(sql).await
    }

    /// The files of a snapshot.
    pub(crate) fn files(&self, name: &str) -> Vec<PathBuf> {
        files(&self.folder.path().join("snapshots").join(name))
    }
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten();
    let mut all: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    all.sort();
    all
}

/// The message and the report of a statement that answers no rows.
pub(crate) async fn done(session: &Session, sql: &str) -> Result<(String, Option<Report>), Error> {
    let mut last = None;
    for parsed in restable_sql::parse(sql)? {
        let prepared = session.prepare(&parsed).await?;
        match session.run(prepared).await? {
            Outcome::Done { message, report } => last = Some((message, report)),
            Outcome::Rows(_) => panic!("{sql} answers rows"),
        }
    }
    Ok(last.unwrap())
}

pub(crate) async fn refused(session: &Session, sql: &str) -> String {
    let problem = done(session, sql).await.unwrap_err();
    let told = problem.diagnostic();
    let mut text = format!("{}: {}", told.code, told.message);
    for note in &told.notes {
        text.push_str(&format!("\n= {note}"));
    }
    text
}

pub(crate) fn forbidden(path: &str) -> Value {
    let body = json!({"error": {"code": "AuthorizationFailed", "message": "no"}});
    json!({
        "match": {"path": path, "times": null},
        "action": {"kind": "status", "status": 403, "headers": {}, "body": body},
    })
}

pub(crate) fn inject(kept: &Kept, fault: Value) {
    kept.rig
        .emulator
        .inject(serde_json::from_value(fault).unwrap());
}

#[test]
fn it_is_read_without_a_call() {
    run(async {
        let kept = Kept::start("demo").await;
        let (message, report) = done(&kept.session(), ESTATE).await.unwrap();
        assert_eq!(message, "materialized view `estate` created: 31 rows");
        let report = report.unwrap();
        assert!(report.is_complete() && report.calls > 5, "{report:?}");
        let live = kept.rows(&format!("SELECT id, name, vaultName, properties.currentProtectionState AS state, properties FROM {INSTANCES}")).await;
        let read = kept.rows("SELECT * FROM estate").await;
        assert_eq!(read.columns, live.columns);
        assert_eq!(read.sorted(), live.sorted());
        assert_eq!(kept.rig.calls().count(), 0);
        assert_eq!(kept.rows("SELECT count(*) FROM estate").await.value(), "31");
        // Names of columns and of scopes are as tolerant as those of the live table; JSON is JSON.
        let bound = "SELECT count(*) FROM Estate e WHERE VAULT_NAME = 'BV-PROD-WEU' AND e.properties.policyInfo.policyId LIKE '%'";
        let live = bound.replace("Estate", INSTANCES);
        assert_eq!(
            kept.rows(bound).await.value(),
            kept.rows(&live).await.value()
        );
        let line = kept
            .rows("SELECT name FROM public.estate LIMIT 3")
            .await
            .report
            .line();
        assert!(
            line.starts_with("3 rows · snapshot `estate` of 2026-11-02T"),
            "{line}"
        );
        assert!(
            line.contains(" old · 0 calls · ") && line.ends_with("complete"),
            "{line}"
        );
        // The line is there where no file was opened, too.
        let line = kept.rows("SELECT count(*) FROM estate").await.report.line();
        assert!(line.contains("snapshot `estate` of"), "{line}");
    });
}

/// The rows of a snapshot stand beside those of live tables, and narrow them.
#[test]
fn it_joins_live_tables() {
    run(async {
        let kept = Kept::start("demo").await;
        done(&kept.session(), ESTATE).await.unwrap();
        let joined = kept
            .rows(&format!(
                "SELECT count(*) FROM estate e JOIN {INSTANCES} i ON upper(e.id) = i.id AND e.state = i.properties.currentProtectionState"
            ))
            .await;
        assert_eq!(joined.value(), "31");
        let joined = kept
            .rows(&format!(
                "SELECT count(*) FROM estate e JOIN {INSTANCES} i USING (id)"
            ))
            .await;
        assert_eq!(joined.value(), "31");
        // Rows of a snapshot say which scopes are wanted; no other is asked.
        let wanted = "CREATE TABLE wanted AS SELECT subscriptionId, resourceGroupName, vaultName
            FROM azure.data_protection.backup_vaults WHERE vaultName = 'bv-sandbox'";
        done(&kept.session(), wanted).await.unwrap();
        let joined = kept
            .rows(&format!(
                "SELECT count(*) FROM wanted JOIN {INSTANCES} USING (subscriptionId, resourceGroupName, vaultName)"
            ))
            .await;
        assert_eq!(joined.value(), "1");
        let calls = kept.rig.calls();
        assert_eq!(calls.of("BackupInstances_List"), 1, "{}", calls.summary());
        assert_eq!(
            calls.of("BackupVaults_GetInSubscription"),
            0,
            "{}",
            calls.summary()
        );
    });
}

#[test]
fn the_past_is_kept() {
    run(async {
        let kept = Kept::start("demo").await;
        let session = kept.session();
        done(&session, ESTATE).await.unwrap();
        let first = kept
            .rows("SELECT DISTINCT snapshot_time FROM estate")
            .await
            .value()
            .to_owned();
        let gone = kept
            .rows(
                "SELECT id, name FROM estate WHERE vault_name = 'bv-dev-weu' ORDER BY name LIMIT 1",
            )
            .await;
        let (id, name) = (
            gone.column("id")[0].unwrap(),
            gone.column("name")[0].unwrap(),
        );
        ask(
            &session,
            &format!("DELETE FROM {INSTANCES} WHERE id = '{id}'"),
        )
        .await
        .unwrap();
        let (message, _) = done(&session, "REFRESH MATERIALIZED VIEW estate")
            .await
            .unwrap();
        assert_eq!(message, "materialized view `estate` refreshed: 30 rows");
        kept.rig.emulator.clear_journal();

        // The difference of two times is one query.
        let diff = format!(
            "SELECT o.name AS gone, n.name AS came
             FROM estate FOR SYSTEM_TIME AS OF '{first}' AS o FULL JOIN estate n USING (id)
             WHERE o.state IS DISTINCT FROM n.state"
        );
        let diff = kept.rows(&diff).await;
        assert_eq!(diff.sorted(), [format!("{name} | NULL")]);
        let except = format!(
            "SELECT name FROM estate FOR SYSTEM_TIME AS OF TIMESTAMP '{first}' before EXCEPT SELECT name FROM estate"
        );
        assert_eq!(kept.rows(&except).await.value(), name);
        let counts = "SELECT snapshot_time > TIMESTAMP '2026-11-02', count(*) FROM estate FOR SYSTEM_TIME ALL GROUP BY snapshot_time";
        assert_eq!(kept.rows(counts).await.sorted(), ["true | 30", "true | 31"]);
        let one = format!(
            "SELECT count(*) FROM estate FOR SYSTEM_TIME ALL WHERE snapshot_time <= '{first}'"
        );
        assert_eq!(kept.rows(&one).await.value(), "31");
        assert_eq!(
            kept.rows("SELECT count(*) FROM estate FOR SYSTEM_TIME AS OF now()")
                .await
                .value(),
            "30"
        );
        assert_eq!(kept.rig.calls().count(), 0);

        // A table is qualified by its name, whatever its time.
        let qualified = format!(
            "SELECT count(estate.id) FROM estate FOR SYSTEM_TIME AS OF '{first}' WHERE public.estate.name = '{name}'"
        );
        assert_eq!(kept.rows(&qualified).await.value(), "1");
        let known = kept
            .rows("SELECT refreshed_at FROM information_schema.restable_refreshes")
            .await;
        assert_eq!(known.rows.len(), 2);

        let early = "SELECT * FROM estate FOR SYSTEM_TIME AS OF '2026-11-01'";
        let problem = kept.rig.ask(early).await.unwrap_err().diagnostic();
        assert_eq!(problem.code, "R0344");
        assert!(problem.message.starts_with("nothing is kept of `estate` at 2026-11-01T00:00:00.000000Z: its oldest refresh is of 2026-11-02T"), "{}", problem.message);
        for (sql, code) in [
            (format!("SELECT * FROM {INSTANCES} FOR SYSTEM_TIME AS OF now()"), "R0347"),
            ("WITH estate AS (SELECT 1) SELECT * FROM estate FOR SYSTEM_TIME ALL JOIN nothing FOR SYSTEM_TIME ALL ON true".to_owned(), "R0202"),
            ("SELECT * FROM estate FOR SYSTEM_TIME AS OF 'soon'".to_owned(), "R0348"),
            ("SELECT * FROM estate FOR SYSTEM_TIME AS OF NULL".to_owned(), "R0348"),
            ("SELECT * FROM estate FOR SYSTEM_TIME AS OF 12".to_owned(), "R0348"),
            ("SELECT * FROM estate FOR SYSTEM_TIME AS OF random()".to_owned(), "R0348"),
        ] {
            let problem = kept.rig.ask(&sql).await.unwrap_err().diagnostic();
            assert_eq!(problem.code, code, "{sql}\n{}", problem.message);
        }

        // Two are kept, and then one.
        session.set("keep_refreshes", "2", Origin::Flag).unwrap();
        done(&session, "REFRESH MATERIALIZED VIEW estate")
            .await
            .unwrap();
        // Beside them and the manifest, what was just given up: somebody may be about to read it.
        assert_eq!(kept.files("estate").len(), 4, "{:?}", kept.files("estate"));
        session.set("keep_refreshes", "1", Origin::Flag).unwrap();
        done(&session, "REFRESH MATERIALIZED VIEW public.ESTATE")
            .await
            .unwrap();
        assert_eq!(kept.files("estate").len(), 4);
        done(&session, "REFRESH MATERIALIZED VIEW estate")
            .await
            .unwrap();
        assert_eq!(kept.files("estate").len(), 3);
        let kept_now = "SELECT count(*) FROM information_schema.restable_refreshes";
        assert_eq!(kept.rows(kept_now).await.value(), "1");
        let (message, _) = done(&session, "DROP MATERIALIZED VIEW estate")
            .await
            .unwrap();
        assert_eq!(
            message,
            "materialized view `estate` dropped, with all its refreshes"
        );
        assert!(kept.files("estate").is_empty());
        let problem = kept
            .rig
            .ask("SELECT * FROM estate")
            .await
            .unwrap_err()
            .diagnostic();
        assert_eq!(problem.code, "R0202");
    });
}

#[test]
fn a_time_is_bound_like_any_value() {
    run(async {
        let kept = Kept::start("demo").await;
        let session = kept.session();
        session.set_variable("vault", "bv-sandbox");
        session.set_variable("few", "2");
        let made = "USE azure.data_protection;
            CREATE MATERIALIZED VIEW few AS SELECT name FROM backup_instances WHERE vaultName <> :vault ORDER BY name LIMIT :few";
        done(&session, made).await.unwrap();
        let told = kept.rows("SHOW CREATE MATERIALIZED VIEW few").await;
        assert_eq!(
            told.column("definition"),
            [Some(
                "CREATE MATERIALIZED VIEW few AS SELECT name FROM backup_instances WHERE vaultName <> 'bv-sandbox' ORDER BY name LIMIT 2"
            )]
        );
        // Another session, which used nothing and has no variable, reads the same.
        let (message, _) = done(&kept.session(), "REFRESH MATERIALIZED VIEW few")
            .await
            .unwrap();
        assert_eq!(message, "materialized view `few` refreshed: 2 rows");
        let first = kept
            .rows("SELECT min(snapshot_time) FROM few FOR SYSTEM_TIME ALL")
            .await
            .value()
            .to_owned();
        let session = kept.session();
        session.set_variable("then", &first);
        let then = ask(
            &session,
            "SELECT count(*) FROM few FOR SYSTEM_TIME AS OF :then",
        )
        .await
        .unwrap();
        assert_eq!(then.value(), "2");
    });
}

#[test]
fn a_refresh_is_whole_or_none() {
    run(async {
        let kept = Kept::start("demo").await;
        let session = kept.session();
        done(&session, ESTATE).await.unwrap();
        inject(
            &kept,
            forbidden("/backupVaults/bv-sandbox/backupInstances?"),
        );
        let told = refused(&session, "REFRESH MATERIALIZED VIEW estate").await;
        assert!(
            told.starts_with("R0601: ") && told.contains("bv-sandbox"),
            "{told}"
        );
        assert!(
            told.contains("= `estate` keeps its 31 rows of 2026-11-02T"),
            "{told}"
        );
        assert_eq!(kept.rows("SELECT count(*) FROM estate").await.value(), "31");
        let failure = kept.rows("SHOW MATERIALIZED VIEWS").await;
        assert_eq!(failure.column("name"), [Some("estate")]);
        assert!(
            failure.column("last_failure")[0]
                .unwrap()
                .contains("AuthorizationFailed"),
            "{failure:?}"
        );
        assert_eq!(failure.column("coverage"), [Some("complete")]);
        assert_eq!(kept.files("estate").len(), 2, "one refresh, one manifest");

        // Partial rows are no refresh either, and every scope is named.
        inject(
            &kept,
            forbidden("/backupVaults/bv-dev-weu/backupInstances?"),
        );
        session.set("partial_results", "on", Origin::Flag).unwrap();
        let told = refused(&session, "REFRESH MATERIALIZED VIEW estate").await;
        assert!(
            told.starts_with("R0604: 2 scopes could not be read, and only complete rows are kept"),
            "{told}"
        );
        assert!(
            told.contains("bv-sandbox") && told.contains("bv-dev-weu"),
            "{told}"
        );
        assert!(told.contains("= `estate` keeps its 31 rows of"), "{told}");
        let told = refused(&session, "CREATE MATERIALIZED VIEW other AS SELECT name FROM azure.data_protection.backup_instances").await;
        assert!(told.ends_with("= `other` was not created"), "{told}");
        assert!(kept.files("other").is_empty());
        let told = refused(&session, "CREATE OR REPLACE MATERIALIZED VIEW estate AS SELECT name FROM azure.data_protection.backup_instances").await;
        assert!(told.ends_with("= `estate` stays what it was"), "{told}");
        assert_eq!(
            kept.rows("SELECT count(DISTINCT vaultName) FROM estate")
                .await
                .value(),
            "6"
        );

        // Unless it is said that they shall be; and then whoever reads it is told.
        session.set("partial_results", "off", Origin::Flag).unwrap();
        session.set("partial_refresh", "on", Origin::Flag).unwrap();
        let (_, report) = done(&session, "REFRESH MATERIALIZED VIEW estate")
            .await
            .unwrap();
        assert_eq!(report.unwrap().missing.len(), 2);
        let answer = kept.rows("SELECT * FROM estate").await;
        assert!(
            answer.rows.len() < 31
                && answer
                    .report
                    .line()
                    .ends_with("INCOMPLETE: 2 scopes missing")
        );
        let session = kept.session();
        let told = refused(&session, "CREATE TABLE again AS SELECT * FROM estate").await;
        assert!(told.starts_with("R0604: 2 scopes"), "{told}");
    });
}

#[test]
fn tables_are_kept_as_they_were_read() {
    run(async {
        let kept = Kept::start("demo").await;
        let session = kept.session();
        done(&session, "CREATE TEMP TABLE mine AS SELECT 1 AS a")
            .await
            .unwrap();
        let (message, _) = done(&session, "CREATE TABLE theirs AS SELECT a + 1 AS b, now() AS at, [1, 2] AS l, NULL AS n, 1.5::decimal(10,2) AS d, DATE '2026-11-22' AS day FROM mine").await.unwrap();
        assert_eq!(message, "table `theirs` created: 1 row");
        let read = kept.rows("SELECT b, l, n, d, day FROM theirs").await;
        assert_eq!(read.sorted(), ["2 | [1, 2] | NULL | 1.50 | 2026-11-22"]);
        assert_eq!(
            kept.rig
                .ask("SELECT * FROM mine")
                .await
                .unwrap_err()
                .diagnostic()
                .code,
            "R0202"
        );
        for (sql, told) in [
            (
                "CREATE TABLE theirs AS SELECT 2 AS b",
                "R0341: the table `theirs` exists",
            ),
            (
                "CREATE MATERIALIZED VIEW theirs AS SELECT 2 AS b",
                "R0341: the table `theirs` exists",
            ),
            (
                "CREATE VIEW theirs AS SELECT 2 AS b",
                "R0341: the table `theirs` exists",
            ),
            (
                "CREATE TEMP TABLE theirs AS SELECT 2 AS b",
                "R0341: the table `theirs` exists",
            ),
            (
                "REFRESH MATERIALIZED VIEW theirs",
                "R0349: `theirs` is a table, no materialized view",
            ),
            (
                "DROP MATERIALIZED VIEW theirs",
                "R0349: `theirs` is a table, no materialized view",
            ),
            ("DROP VIEW theirs", "R0349: `theirs` is a table"),
            (
                "REFRESH MATERIALIZED VIEW their",
                "R0202: there is no materialized view `their`",
            ),
            (
                "DROP MATERIALIZED VIEW nothing",
                "R0202: there is no materialized view `nothing`",
            ),
            (
                "CREATE MATERIALIZED VIEW v AS SELECT * FROM mine",
                "R0202: `mine` exists in this session only",
            ),
            (
                "CREATE TABLE t AS SELECT INTERVAL '1 day' AS i",
                "R0346: the column `i` is of the type `Interval(MonthDayNano)`, which cannot be kept in a file\n= `t` was not created",
            ),
            (
                "CREATE TABLE \"Big\" AS SELECT 1 AS a",
                "R0342: `\"Big\"` is no name for what is kept in the data directory",
            ),
            (
                "CREATE TABLE \"../../x\" AS SELECT 1 AS a",
                "R0342: `\"../../x\"` is no name for what is kept in the data directory",
            ),
            (
                "CREATE MATERIALIZED VIEW azure.data_protection.x AS SELECT 1 AS a",
                "R0342: `azure.data_protection.x` is no name for what is kept in the data directory",
            ),
            (
                "CREATE TABLE pg_x AS SELECT 1 AS a",
                "R0342: `pg_x` is no name for what is kept in the data directory",
            ),
        ] {
            assert_eq!(refused(&session, sql).await, told, "{sql}");
        }
        let (message, _) = done(
            &session,
            "CREATE TABLE IF NOT EXISTS theirs AS SELECT 2 AS b",
        )
        .await
        .unwrap();
        assert_eq!(message, "table `theirs` exists");
        done(&session, "CREATE OR REPLACE TABLE theirs AS SELECT 3 AS b")
            .await
            .unwrap();
        assert_eq!(kept.rows("SELECT * FROM theirs").await.value(), "3");
        let listed = kept.rows("SELECT table_name, table_type FROM information_schema.tables WHERE table_schema = 'public'").await;
        assert_eq!(listed.sorted(), ["theirs | BASE TABLE"]);
        let columns = kept
            .rows("SELECT column_name FROM information_schema.columns WHERE table_name = 'theirs'")
            .await;
        assert_eq!(columns.sorted(), ["b"]);
        assert_eq!(kept.rows("SHOW MATERIALIZED VIEWS").await.rows.len(), 0);
        done(&session, "DROP TABLE theirs").await.unwrap();
        done(
            &session,
            "DROP TABLE IF EXISTS theirs; DROP MATERIALIZED VIEW IF EXISTS theirs; DROP TABLE mine",
        )
        .await
        .unwrap();
        // What is left are the files of two locks.
        assert_eq!(files(&kept.folder.path().join("snapshots")).len(), 2);
    });
}

/// No session that only reads writes a file, through whichever door it came.
#[test]
fn a_session_that_reads_writes_nothing() {
    run(async {
        let kept = Kept::start("demo").await;
        done(&kept.session(), ESTATE).await.unwrap();
        let before = kept.files("estate");
        let door = restable_engine::Door {
            access: Access::ReadOnly,
            ..restable_engine::Door::default()
        };
        let session = kept.rig.engine.session_of(settings(), door).unwrap();
        for sql in [
            "CREATE MATERIALIZED VIEW v AS SELECT 1 AS a",
            "CREATE OR REPLACE MATERIALIZED VIEW estate AS SELECT 1 AS a",
            "REFRESH MATERIALIZED VIEW estate",
            "DROP MATERIALIZED VIEW estate",
            "CREATE TABLE t AS SELECT 1 AS a",
        ] {
            assert!(
                refused(&session, sql)
                    .await
                    .starts_with("R0320: this session only reads, and "),
                "{sql}"
            );
        }
        // Permission is asked for where the file is written, not only where the statement is read.
        let writing = kept.session();
        let parsed = restable_sql::parse("DROP MATERIALIZED VIEW estate").unwrap();
        let prepared = writing.prepare(&parsed[0]).await.unwrap();
        writing.set_access(Access::ReadOnly);
        assert_eq!(
            writing.run(prepared).await.unwrap_err().diagnostic().code,
            "R0320"
        );
        done(&session, "CREATE TEMP TABLE t AS SELECT 1 AS a")
            .await
            .unwrap();
        assert_eq!(
            ask(&session, "SELECT count(*) FROM estate")
                .await
                .unwrap()
                .value(),
            "31"
        );
        assert_eq!(kept.files("estate"), before);
        let address = crate::postgres::serve(&kept.rig).await;
        let mut wire = crate::postgres::Wire::connect(address).await;
        let problem = wire
            .query("REFRESH MATERIALIZED VIEW estate")
            .await
            .unwrap_err();
        assert!(problem.contains("R0320"), "{problem}");
        let kinds = "SELECT relname, relkind FROM pg_catalog.pg_class WHERE relname = 'estate'";
        let answer = wire.query(kinds).await.unwrap();
        assert_eq!(
            answer.rows,
            [[Some("estate".to_owned()), Some("m".to_owned())]]
        );
        let answer = wire.query("SELECT count(*) FROM estate").await.unwrap();
        assert_eq!(answer.rows, [[Some("31".to_owned())]]);
        let answer = wire
            .query("SELECT matviewname FROM pg_matviews")
            .await
            .unwrap();
        assert_eq!(answer.rows, [[Some("estate".to_owned())]]);
        let columns = "SELECT attname FROM pg_attribute a JOIN pg_class c ON a.attrelid = c.oid WHERE c.relname = 'estate' ORDER BY attnum";
        assert_eq!(wire.query(columns).await.unwrap().rows.len(), 5);
    });
}

#[test]
fn statements_that_act_and_clauses_that_mean_nothing_are_refused() {
    run(async {
        let kept = Kept::start("demo").await;
        let session = kept.session();
        let act = format!("(EXEC {INSTANCES}.stop_protection @id = '/x') AS x");
        for sql in [
            format!("CREATE MATERIALIZED VIEW v AS DELETE FROM {INSTANCES} WHERE name = 'x'"),
            format!("CREATE MATERIALIZED VIEW v AS SELECT * FROM {act}"),
            format!("CREATE TABLE v AS SELECT * FROM {act}"),
            "CREATE MATERIALIZED VIEW v WITH (fillfactor = 70) AS SELECT 1 AS a".to_owned(),
            "CREATE MATERIALIZED VIEW v COMMENT = 'x' AS SELECT 1 AS a".to_owned(),
            "CREATE MATERIALIZED VIEW v CLUSTER BY (a) AS SELECT 1 AS a".to_owned(),
            "CREATE TABLE v WITH (fillfactor = 70) AS SELECT 1 AS a".to_owned(),
            "CREATE TABLE v ON COMMIT DROP AS SELECT 1 AS a".to_owned(),
        ] {
            assert!(done(&session, &sql).await.is_err(), "{sql}");
        }
        assert!(files(&kept.folder.path().join("snapshots")).is_empty());
        let none = Rig::start("demo").await;
        assert!(
            refused(
                &none.session(),
                "CREATE MATERIALIZED VIEW v AS SELECT 1 AS a"
            )
            .await
            .starts_with("R0340: ")
        );
        // Without a directory a table stays in the session, as it says.
        let session = none.session();
        let (message, _) = done(&session, "CREATE TABLE t AS SELECT 1 AS a")
            .await
            .unwrap();
        assert_eq!(message, "table `t` created");
    });
}

/// A damaged file is an error that names it; nothing else suffers.
#[test]
fn damaged_files_are_named() {
    run(async {
        let kept = Kept::start("demo").await;
        let session = kept.session();
        done(&session, ESTATE).await.unwrap();
        done(&session, "CREATE TABLE whole AS SELECT 1 AS a")
            .await
            .unwrap();
        let rows = kept.files("estate").remove(0);
        let bytes = std::fs::read(&rows).unwrap();
        let half = &bytes[..bytes.len() / 2];
        let mut footer = bytes.clone();
        let end = footer.len();
        footer[end - 200..end - 8].fill(0xff);
        let mut pages = bytes.clone();
        pages[4..2000].fill(0x5a);
        let damages: [&[u8]; 5] = [b"", b"PAR1", half, &footer, &pages];
        for damage in damages {
            // A file of another name: what is known of one that never changes is kept.
            let kept = Kept::start("empty").await;
            let session = kept.session();
            copy(&rows, &kept, damage);
            for sql in [
                "SELECT * FROM estate",
                "SELECT id FROM estate FOR SYSTEM_TIME ALL ORDER BY 1",
            ] {
                let problem = ask(&session, sql).await.unwrap_err().diagnostic();
                assert_eq!(problem.code, "R0711", "{}", problem.message);
                assert!(
                    problem.message.starts_with("the file `")
                        && problem.message.contains("estate/2026"),
                    "{}",
                    problem.message
                );
            }
            assert_eq!(
                ask(
                    &session,
                    "SELECT count(*) FROM information_schema.restable_snapshots"
                )
                .await
                .unwrap()
                .value(),
                "1"
            );
            ask(&session, "SELECT * FROM information_schema.columns")
                .await
                .unwrap();
            // Its rows are of another estate, whose they stay until somebody says otherwise.
            let told = refused(&session, "REFRESH MATERIALIZED VIEW estate").await;
            assert!(told.starts_with("R0350: "), "{told}");
            let anew = ESTATE.replace("CREATE", "CREATE OR REPLACE");
            done(&session, &anew).await.unwrap();
            assert_eq!(
                ask(&session, "SELECT count(*) FROM estate")
                    .await
                    .unwrap()
                    .value(),
                "0"
            );
        }
        // A file that is gone.
        let gone = Kept::start("empty").await;
        copy(&rows, &gone, b"");
        let place = gone.folder.path().join("snapshots/estate");
        std::fs::remove_file(place.join(rows.file_name().unwrap())).unwrap();
        let problem = ask(&gone.session(), "SELECT * FROM estate")
            .await
            .unwrap_err()
            .diagnostic();
        assert_eq!(problem.code, "R0711", "{}", problem.message);
        assert!(
            problem.message.starts_with("the file `") && problem.message.contains("estate/2026"),
            "{}",
            problem.message
        );
        let manifest = kept.folder.path().join("snapshots/estate/manifest.json");
        for text in ["", "{}", "{\"format\": 99}", "\u{0}", "[1]"] {
            std::fs::write(&manifest, text).unwrap();
            let problem = ask(&session, "SELECT * FROM estate")
                .await
                .unwrap_err()
                .diagnostic();
            assert_eq!(problem.code, "R0711", "{}", problem.message);
            let listed = ask(&session, "SHOW MATERIALIZED VIEWS").await.unwrap();
            assert!(
                listed.column("last_failure")[0]
                    .unwrap()
                    .contains("manifest.json")
            );
            assert_eq!(
                ask(
                    &session,
                    "SELECT count(*) FROM information_schema.tables WHERE table_schema = 'public'"
                )
                .await
                .unwrap()
                .value(),
                "2"
            );
        }
        // A manifest that names a file elsewhere was not written by us.
        let elsewhere =
            std::fs::read_to_string(kept.folder.path().join("snapshots/whole/manifest.json"))
                .unwrap();
        let elsewhere = elsewhere
            .replace("\"whole\"", "\"estate\"")
            .replace("\"file\": \"", "\"file\": \"../whole/");
        std::fs::write(&manifest, elsewhere).unwrap();
        assert_eq!(
            ask(&session, "SELECT * FROM estate")
                .await
                .unwrap_err()
                .diagnostic()
                .code,
            "R0711"
        );
        done(
            &session,
            "CREATE OR REPLACE MATERIALIZED VIEW estate AS SELECT 1 AS a",
        )
        .await
        .unwrap();
        std::fs::write(&manifest, "?").unwrap();
        done(&session, "DROP MATERIALIZED VIEW estate")
            .await
            .unwrap();
        assert_eq!(
            ask(&session, "SELECT a FROM whole").await.unwrap().value(),
            "1"
        );
    });
}

/// Rows of one estate are read by anybody, and refreshed by those only who see the same one.
#[test]
fn a_refresh_is_of_the_estate_that_the_rows_are_of() {
    run(async {
        let mut kept = Kept::start("demo").await;
        let session = kept.session();
        done(&session, ESTATE).await.unwrap();
        done(&session, "CREATE MATERIALIZED VIEW one AS SELECT 1 AS a")
            .await
            .unwrap();
        let shown = "SHOW MATERIALIZED VIEWS";
        let listed = ask(&session, shown).await.unwrap();
        let here = format!("azure at {}", kept.rig.emulator.url());
        assert_eq!(listed.column("source"), [Some(&*here), None]);
        // Another place, with the same data directory.
        let other = Kept::start("empty").await;
        let folder = kept.folder.path().to_owned();
        kept.rig.engine = other.rig.engine.clone().with_data(DataPlace {
            folder,
            clock: Arc::new(Hours::default()),
        });
        let session = kept.session();
        let before = kept.files("estate");
        let parsed = restable_sql::parse("REFRESH MATERIALIZED VIEW estate").unwrap();
        let prepared = session.prepare(&parsed[0]).await.unwrap();
        let told = session.run(prepared).await.unwrap_err().diagnostic();
        assert_eq!(told.code, "R0350");
        assert_eq!(told.message, "the rows of `estate` are of another estate");
        assert!(told.notes[0].contains(&here), "{:?}", told.notes);
        assert!(told.notes[1].contains("this session reads azure at "));
        assert!(
            told.help
                .unwrap()
                .starts_with("`CREATE OR REPLACE MATERIALIZED VIEW estate AS …`")
        );
        assert_eq!(kept.files("estate"), before);
        assert_eq!(other.rig.emulator.journal().len(), 0);
        // Reading goes on, and what is of no estate is refreshed by anybody.
        let count = ask(&session, "SELECT count(*) FROM estate").await.unwrap();
        assert_eq!(count.value(), "31");
        assert_eq!(
            ask(&session, shown).await.unwrap().column("last_failure"),
            [None, None]
        );
        done(&session, "REFRESH MATERIALIZED VIEW one")
            .await
            .unwrap();
        let anew = ESTATE.replace("CREATE", "CREATE OR REPLACE");
        done(&session, &anew).await.unwrap();
        done(&session, "REFRESH MATERIALIZED VIEW estate")
            .await
            .unwrap();
    });
}

/// A snapshot of another data directory, its rows replaced by something else of the same length where that is possible.
fn copy(rows: &Path, kept: &Kept, damage: &[u8]) {
    let folder = kept.folder.path().join("snapshots/estate");
    std::fs::create_dir_all(&folder).unwrap();
    let manifest = rows.parent().unwrap().join("manifest.json");
    std::fs::copy(manifest, folder.join("manifest.json")).unwrap();
    std::fs::write(folder.join(rows.file_name().unwrap()), damage).unwrap();
}

/// A refresh may come with other columns than the one before: each time has its own, and all together those of all.
#[test]
fn columns_may_change_from_time_to_time() {
    run(async {
        let kept = Kept::start("demo").await;
        let session = kept.session();
        done(&session, "CREATE TABLE base AS SELECT 1 AS a, 'x' AS b")
            .await
            .unwrap();
        done(&session, "CREATE MATERIALIZED VIEW v AS SELECT * FROM base")
            .await
            .unwrap();
        done(
            &session,
            "CREATE OR REPLACE TABLE base AS SELECT '7' AS a, true AS c",
        )
        .await
        .unwrap();
        done(&session, "REFRESH MATERIALIZED VIEW v").await.unwrap();
        assert_eq!(kept.rows("SELECT * FROM v").await.sorted(), ["7 | true"]);
        assert_eq!(
            kept.rows("SELECT * FROM v FOR SYSTEM_TIME ALL")
                .await
                .sorted(),
            ["1 | NULL | x", "7 | true | NULL"]
        );
        let then = kept
            .rows("SELECT min(snapshot_time) FROM v FOR SYSTEM_TIME ALL")
            .await
            .value()
            .to_owned();
        let old = kept
            .rows(&format!(
                "SELECT *, b || '!' AS d FROM v FOR SYSTEM_TIME AS OF '{then}'"
            ))
            .await;
        assert_eq!(
            (old.columns, old.rows.len()),
            (vec!["a".to_owned(), "b".to_owned(), "d".to_owned()], 1)
        );
        // Conditions leave out files and row groups, never rows.
        for (condition, count) in [
            ("a = '1'", "1"),
            ("a > '5'", "1"),
            ("c", "1"),
            ("c IS NULL", "1"),
            ("snapshot_time < now()", "2"),
        ] {
            let sql = format!("SELECT count(*) FROM v FOR SYSTEM_TIME ALL WHERE {condition}");
            assert_eq!(kept.rows(&sql).await.value(), count, "{condition}");
        }
    });
}

/// Whoever writes has the snapshot for himself; the other one is told, and nothing is spoilt.
#[test]
fn one_writer_at_a_time() {
    run(async {
        let kept = Kept::start("demo").await;
        let session = kept.session();
        done(&session, ESTATE).await.unwrap();
        let lock = kept.folder.path().join("snapshots/estate.lock");
        let held = std::fs::File::open(&lock).unwrap();
        held.lock().unwrap();
        for sql in [
            "REFRESH MATERIALIZED VIEW estate",
            "DROP MATERIALIZED VIEW estate",
            "CREATE OR REPLACE MATERIALIZED VIEW estate AS SELECT 1 AS a",
        ] {
            assert_eq!(
                refused(&session, sql).await,
                "R0343: `estate` is being written by another statement"
            );
        }
        assert_eq!(kept.rows("SELECT count(*) FROM estate").await.value(), "31");
        drop(held);
        // What a writer left that was killed goes with the next one.
        let left = kept
            .folder
            .path()
            .join("snapshots/estate/20261101T000000.000000Z.part");
        std::fs::write(&left, "half").unwrap();
        done(&session, "REFRESH MATERIALIZED VIEW estate")
            .await
            .unwrap();
        assert!(!left.exists());
        assert_eq!(kept.files("estate").len(), 3);
    });
}
