//! Results that are larger than the memory a statement may use: sorting and grouping go to files and leave none; what cannot is an
//! error that says so. Whoever takes rows slowly is waited for.

use std::path::Path;

use crate::commands::Command;
use crate::rig::{Rig, ask, options, run};

const INSTANCES: &str = "azure.data_protection.backup_instances";

async fn limited(folder: &Path, sql: &str) -> crate::commands::Output {
    let arguments = [
        "exec",
        "--emulator=1,4,20000",
        "-q",
        "-o",
        "csv",
        "--set",
        "memory_limit=24MB",
        sql,
    ];
    let folder = folder.to_str().unwrap();
    Command::new(&arguments)
        .environment("TMPDIR", folder)
        .run()
        .await
}

fn spilled(output: &str, operator: &str) -> bool {
    let counts = output.lines().filter(|line| line.contains(operator));
    let count = |line: &str| {
        Some(
            line.split("spill_count=")
                .nth(1)?
                .split([',', ']'])
                .next()?
                .to_owned(),
        )
    };
    counts.filter_map(count).any(|count| count != "0")
}

#[test]
fn sorting_and_grouping_go_to_files_and_leave_none() {
    run(async {
        let files = tempfile::tempdir().unwrap();
        // What a killed process left goes as well.
        let left = files.path().join("restable-spill-left");
        std::fs::create_dir(&left).unwrap();
        for name in ["lock", "rows"] {
            std::fs::write(left.join(name), "rows").unwrap();
        }
        for (sql, operator) in [
            (
                format!("SELECT name, properties FROM {INSTANCES} ORDER BY properties, name"),
                "SortExec",
            ),
            (
                format!("SELECT id, properties, count(*) FROM {INSTANCES} GROUP BY id, properties"),
                "AggregateExec",
            ),
        ] {
            let plan = limited(files.path(), &format!("EXPLAIN ANALYZE {sql}")).await;
            assert_eq!(plan.code, 0, "{}", plan.stderr);
            assert!(
                spilled(&plan.stdout, operator),
                "{operator} did not spill:\n{}",
                plan.stdout
            );
            let left: Vec<_> = std::fs::read_dir(files.path()).unwrap().collect();
            assert!(left.is_empty(), "{left:?}");
        }
        // Names are counted without regard to case: by groups, which go to files.
        let counted = format!("EXPLAIN SELECT count(DISTINCT name) AS n FROM {INSTANCES}");
        let counted = limited(files.path(), &counted).await;
        assert!(
            counted.stdout.contains("gby=[arm_fold("),
            "{}",
            counted.stdout
        );
        let groups = format!(
            "SELECT count(*) FROM (SELECT id, properties FROM {INSTANCES} GROUP BY id, properties)"
        );
        let groups = limited(files.path(), &groups).await;
        assert_eq!(
            (groups.code, groups.stdout.lines().last()),
            (0, Some("20000")),
            "{}",
            groups.stderr
        );
        let rows = limited(
            files.path(),
            &format!("SELECT name FROM {INSTANCES} ORDER BY properties, name"),
        )
        .await;
        assert_eq!(
            (rows.code, rows.stdout.lines().count()),
            (0, 20_001),
            "{}",
            rows.stderr
        );
    });
}

#[test]
fn what_cannot_go_to_files_is_told() {
    run(async {
        let files = tempfile::tempdir().unwrap();
        let join = format!(
            "SELECT count(*) FROM {INSTANCES} a JOIN {INSTANCES} b ON a.properties = b.properties"
        );
        let told = limited(files.path(), &join).await;
        assert_eq!(told.code, 1, "{}", told.stderr);
        assert!(
            told.stderr
                .contains("more memory than `memory_limit` allows"),
            "{}",
            told.stderr
        );
        assert!(
            told.stderr.contains("hint: `SET memory_limit"),
            "{}",
            told.stderr
        );
        assert!(std::fs::read_dir(files.path()).unwrap().next().is_none());
    });
}

/// No list is more than a few pages ahead of whoever takes its rows.
#[test]
fn a_slow_reader_is_waited_for() {
    run(async {
        let estate = arm_emulator::Options {
            page_size: 20,
            ..options("1,1,2000")
        };
        let rig = Rig::with(estate, vec![std::sync::Arc::new(restable_spec::Builtin)]).await;
        let session = rig.session();
        let parsed = restable_sql::parse(&format!("SELECT id, properties FROM {INSTANCES}"))
            .unwrap()
            .remove(0);
        let prepared = session.prepare(&parsed).await.unwrap();
        let restable_engine::Outcome::Rows(mut rows) = session.run(prepared).await.unwrap() else {
            panic!("no rows");
        };
        rows.next().await.unwrap().unwrap();
        let (mut before, mut still) = (0, 0);
        // Nothing goes on once nothing was asked for: so many turns of the runtime without another call.
        while still < 2000 {
            tokio::task::yield_now().await;
            let calls = rig.calls().of("BackupInstances_List");
            still = if calls == before { still + 1 } else { 0 };
            before = calls;
        }
        assert!(before <= 6, "{before} of 100 pages were read for the first");
        drop(rows);
        let answer = ask(&session, &format!("SELECT count(*) FROM {INSTANCES}"))
            .await
            .unwrap();
        assert_eq!(answer.rows[0][0].as_deref(), Some("2000"));
    });
}
