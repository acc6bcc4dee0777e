//! What statements mean when they are read later, and by somebody else: views of a session, the zone of a materialized view, refreshes
//! whose columns are not the same, who depends on whom.

use restable_engine::acting::Access;
use restable_engine::{Origin, Outcome};

use crate::kept::{Kept, done, refused};
use crate::postgres::{Wire, serve_as};
use crate::rig::{ask, run};

async fn one(wire: &mut Wire, sql: &str) -> String {
    let answer = wire
        .query(sql)
        .await
        .unwrap_or_else(|told| panic!("{sql}: {told}"));
    let cells = answer.rows.into_iter().flatten();
    let cells: Vec<String> = cells
        .map(|cell| cell.unwrap_or("NULL".to_owned()))
        .collect();
    cells.join(" ")
}

/// What a session says of itself, a view says at the time when it is read.
#[test]
fn a_view_asks_the_session_when_it_is_read() {
    run(async {
        let kept = Kept::start("demo").await;
        let mut wire = Wire::connect(serve_as(&kept.rig, Access::Write).await).await;
        for sql in [
            "CREATE VIEW said AS SELECT current_setting('application_name') AS name, current_schema() AS schema, '2026-01-01 20:00+00'::timestamptz::date AS day",
            "CREATE VIEW listed AS SELECT count(*) AS n FROM pg_matviews",
            "CREATE VIEW later AS SELECT * FROM listed",
            "PREPARE p AS SELECT n FROM later",
            "SET application_name = 'a'",
        ] {
            wire.query(sql).await.unwrap();
        }
        assert_eq!(
            one(&mut wire, "SELECT * FROM said").await,
            "a public 2026-01-01"
        );
        assert_eq!(one(&mut wire, "EXECUTE p").await, "0");
        for sql in [
            "SET application_name = 'b'",
            "SET TimeZone = 'Asia/Tokyo'",
            "SET search_path = data_protection, public",
        ] {
            wire.query(sql).await.unwrap();
        }
        done(
            &kept.session(),
            "CREATE MATERIALIZED VIEW one AS SELECT 1 AS x",
        )
        .await
        .unwrap();
        assert_eq!(
            one(&mut wire, "SELECT * FROM said").await,
            "b data_protection 2026-01-02"
        );
        assert_eq!(one(&mut wire, "EXECUTE p").await, "1");
        // ROLLBACK gives back the view that was there.
        wire.query("BEGIN; CREATE OR REPLACE VIEW listed AS SELECT 5 AS n")
            .await
            .unwrap();
        assert_eq!(one(&mut wire, "SELECT n FROM later").await, "5");
        wire.query("ROLLBACK").await.unwrap();
        assert_eq!(one(&mut wire, "SELECT n FROM later").await, "1");
        assert_eq!(
            one(
                &mut wire,
                "SELECT relkind, pg_get_viewdef(oid) FROM pg_class WHERE relname = 'later'"
            )
            .await,
            "v SELECT * FROM listed"
        );
    });
}

/// A refresh computes in the zone of the session that wrote the statement, whoever refreshes.
#[test]
fn a_materialized_view_keeps_its_zone() {
    run(async {
        let kept = Kept::start("demo").await;
        let address = serve_as(&kept.rig, Access::Write).await;
        let query = "SELECT timestamptz '2026-01-01 20:00:00+00'::date AS d, date_trunc('day', timestamptz '2026-01-01 20:00:00+00')::text AS t, '2026-01-01 20:00'::timestamptz = '2026-01-01 11:00+00' AS here, current_setting('timezone') AS z";
        let mut tokyo = Wire::connect(address).await;
        tokyo.query("SET TimeZone = 'Asia/Tokyo'").await.unwrap();
        let live = one(&mut tokyo, query).await;
        assert_eq!(live, "2026-01-02 2026-01-02 00:00:00+09 t Asia/Tokyo");
        tokyo
            .query(&format!("CREATE MATERIALIZED VIEW zoned AS {query}"))
            .await
            .unwrap();
        assert_eq!(one(&mut tokyo, "SELECT * FROM zoned").await, live);
        let mut other = Wire::connect(address).await;
        assert_eq!(one(&mut other, "SELECT * FROM zoned").await, live);
        other
            .query("REFRESH MATERIALIZED VIEW zoned")
            .await
            .unwrap();
        assert_eq!(one(&mut other, "SELECT * FROM zoned").await, live);
        // A time without a zone is one of the session's.
        let first = one(
            &mut tokyo,
            "SELECT min(snapshot_time) FROM zoned FOR SYSTEM_TIME ALL",
        )
        .await;
        let clock = first.strip_suffix("+09").unwrap();
        for time in [
            format!("'{clock}'"),
            format!("TIMESTAMP '{clock}'"),
            format!("timestamptz '{clock}'"),
            format!("'{first}'"),
        ] {
            let sql =
                format!("SELECT DISTINCT snapshot_time FROM zoned FOR SYSTEM_TIME AS OF {time}");
            assert_eq!(one(&mut tokyo, &sql).await, first, "{time}");
        }
        let far = "SELECT count(*) FROM zoned FOR SYSTEM_TIME AS OF '9999-12-31'";
        assert_eq!(one(&mut tokyo, far).await, "1");
        // A session that is no client's: `restable refresh --all`.
        done(&kept.session(), "REFRESH MATERIALIZED VIEW zoned")
            .await
            .unwrap();
        assert_eq!(one(&mut other, "SELECT * FROM zoned").await, live);
        done(
            &kept.session(),
            "CREATE MATERIALIZED VIEW plain AS SELECT 1 AS x",
        )
        .await
        .unwrap();
        let zones =
            "SELECT table_name, time_zone FROM information_schema.restable_snapshots ORDER BY 1";
        assert_eq!(one(&mut other, zones).await, "plain UTC zoned Asia/Tokyo");
        let shown = kept.rows("SHOW MATERIALIZED VIEWS LIKE 'zoned'").await;
        let at = shown
            .columns
            .iter()
            .position(|name| name == "time_zone")
            .unwrap();
        assert_eq!(shown.rows[0][at].as_deref(), Some("Asia/Tokyo"));
    });
}

/// Refreshes of different columns stand side by side without a value that is lost.
#[test]
fn refreshes_of_other_columns_lose_no_value() {
    run(async {
        let kept = Kept::start("demo").await;
        let session = kept.session();
        for (at, base) in [
            "SELECT 'text' AS x, 'gone' AS y, 5 AS n, true AS b, '{\"a\":1}'::json AS j",
            "SELECT 1.5 AS x, 7.25 AS n, 'no' AS b, 'plain' AS j",
            "SELECT true AS x, 9 AS n, date '2026-01-02' AS b, 'p' AS j",
        ]
        .iter()
        .enumerate()
        {
            let sql = format!("CREATE OR REPLACE MATERIALIZED VIEW base AS {base}");
            done(&session, &sql).await.unwrap();
            let next = match at {
                0 => "CREATE MATERIALIZED VIEW over AS SELECT * FROM base",
                _ => "REFRESH MATERIALIZED VIEW over",
            };
            done(&session, next).await.unwrap();
        }
        let all = "FROM over FOR SYSTEM_TIME ALL";
        let rows = kept
            .rows(&format!(
                "SELECT x, n, b, j, y {all} ORDER BY snapshot_time"
            ))
            .await;
        assert_eq!(
            rows.sorted(),
            [
                "1.5 | 7.25 | no | plain | NULL",
                "text | 5.00 | true | {\"a\":1} | gone",
                "true | 9.00 | 2026-01-02 | p | NULL",
            ]
        );
        assert_eq!(
            kept.rows(&format!("SELECT * {all}")).await.columns,
            ["x", "n", "b", "j", "y"]
        );
        // Each alone is what it was, and conditions find what is there.
        assert_eq!(
            kept.rows("SELECT * FROM over").await.columns,
            ["x", "n", "b", "j"]
        );
        for (sql, count) in [
            (format!("SELECT count(*) {all} WHERE x = '1.5'"), "1"),
            (
                format!("SELECT count(*) {all} WHERE x = 'text' AND y = 'gone'"),
                "1",
            ),
            (format!("SELECT count(*) {all} WHERE n > 6"), "2"),
            (format!("SELECT count(*) {all} WHERE y IS NULL"), "2"),
            (format!("SELECT count(*) {all} WHERE b < '2027'"), "1"),
        ] {
            assert_eq!(kept.rows(&sql).await.value(), count, "{sql}");
        }
    });
}

/// What is planned is read, though refreshes go on and only the newest is kept.
#[test]
fn a_reader_finds_what_it_planned() {
    run(async {
        let kept = Kept::still("demo").await;
        let session = kept.session();
        session.set("keep_refreshes", "1", Origin::Flag).unwrap();
        done(&session, "CREATE MATERIALIZED VIEW v AS SELECT 1 AS x")
            .await
            .unwrap();
        let parsed = restable_sql::parse("SELECT a.x FROM v a JOIN v b USING (x)").unwrap();
        let planned = session.prepare(&parsed[0]).await.unwrap();
        for _ in 0..3 {
            done(&session, "REFRESH MATERIALIZED VIEW v").await.unwrap();
        }
        done(
            &session,
            "CREATE OR REPLACE MATERIALIZED VIEW v AS SELECT 2 AS y",
        )
        .await
        .unwrap();
        let Outcome::Rows(mut rows) = session.run(planned).await.unwrap() else {
            panic!("no rows");
        };
        assert_eq!(rows.next().await.unwrap().unwrap().num_rows(), 1);
        // What is not kept has no past.
        let all = "SELECT count(*) FROM v FOR SYSTEM_TIME ALL";
        assert_eq!(kept.rows(all).await.value(), "1");
        done(&session, "DROP MATERIALIZED VIEW v").await.unwrap();
        assert!(kept.files("v").is_empty());
    });
}

#[test]
fn refreshes_follow_the_order_of_reading() {
    run(async {
        let kept = Kept::start("demo").await;
        let session = kept.session();
        for sql in [
            "CREATE MATERIALIZED VIEW base AS SELECT 1 AS x",
            "CREATE MATERIALIZED VIEW middle AS SELECT * FROM base",
            "CREATE MATERIALIZED VIEW above AS SELECT m.x FROM middle m WHERE x IN (SELECT x FROM base)",
            "CREATE MATERIALIZED VIEW another AS SELECT 1 AS x",
            "CREATE OR REPLACE MATERIALIZED VIEW middle AS SELECT x FROM base",
            "CREATE OR REPLACE MATERIALIZED VIEW base AS SELECT 1 AS x UNION ALL SELECT count(*) FROM base",
        ] {
            done(&session, sql).await.unwrap();
        }
        assert_eq!(
            session.materialized_views().unwrap(),
            ["another", "base", "middle", "above"]
        );
    });
}

#[test]
fn what_others_read_is_dropped_with_them_or_not_at_all() {
    run(async {
        let kept = Kept::start("demo").await;
        let session = kept.session();
        for sql in [
            "CREATE MATERIALIZED VIEW base AS SELECT 1 AS x",
            "CREATE MATERIALIZED VIEW middle AS SELECT * FROM base",
            "CREATE MATERIALIZED VIEW above AS SELECT * FROM middle",
            "CREATE VIEW mine AS SELECT * FROM above",
            "CREATE VIEW over_mine AS SELECT * FROM mine",
            "CREATE TEMP TABLE a AS SELECT 1 AS x",
            "CREATE TEMP TABLE b AS SELECT 1 AS x",
            "CREATE VIEW of_a AS SELECT * FROM a",
        ] {
            done(&session, sql).await.unwrap();
        }
        for (sql, told) in [
            (
                "DROP MATERIALIZED VIEW base",
                "R0354: `base` cannot be dropped: `middle`, `above`, `mine`, `over_mine` read it",
            ),
            (
                "DROP MATERIALIZED VIEW IF EXISTS above RESTRICT",
                "R0354: `above` cannot be dropped: `mine`, `over_mine` read it",
            ),
            (
                "DROP VIEW mine",
                "R0354: `mine` cannot be dropped: `over_mine` reads it",
            ),
            (
                "DROP TABLE b, a",
                "R0354: `b`, `a` cannot be dropped: `of_a` reads it",
            ),
            ("DROP TABLE a, nosuch", "R0202: there is no table `nosuch`"),
            ("DROP TABLE of_a", "R0349: `of_a` is a view"),
            ("DROP VIEW a", "R0349: `a` is a table"),
        ] {
            assert_eq!(refused(&session, sql).await, told, "{sql}");
        }
        for (sql, message) in [
            (
                "DROP TABLE IF EXISTS a, b, nosuch CASCADE",
                "table `a`, `b`, `of_a`, `nosuch` are gone",
            ),
            (
                "DROP MATERIALIZED VIEW middle CASCADE",
                "materialized view `middle`, `above` dropped, with all its refreshes",
            ),
            (
                "DROP MATERIALIZED VIEW base",
                "materialized view `base` dropped, with all its refreshes",
            ),
        ] {
            assert_eq!(done(&session, sql).await.unwrap().0, message, "{sql}");
        }
        let left = ask(
            &session,
            "SELECT count(*) FROM information_schema.tables WHERE table_schema = 'public'",
        );
        assert_eq!(left.await.unwrap().value(), "0");
    });
}
