//! What statements mean when they are read later, and by somebody else: views of a session, the zone of a materialized view, refreshes
//! whose columns are not the same, who depends on whom.

use restable_engine::acting::Access;

use crate::kept::{Kept, done};
use crate::postgres::{Wire, serve_as};
use crate::rig::run;

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
