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
        // Keys as wide as their rows; a sort of all columns; several sorts at once; a sort of what was grouped.
        for sql in [
            format!("SELECT name FROM {INSTANCES} ORDER BY properties, name"),
            format!("SELECT id, properties FROM {INSTANCES} ORDER BY properties, id"),
            format!("SELECT * FROM {INSTANCES} ORDER BY name, properties, id"),
            format!(
                "SELECT id, row_number() OVER (ORDER BY properties) FROM {INSTANCES} ORDER BY properties, id"
            ),
            format!("SELECT id, properties, count(*) FROM {INSTANCES} GROUP BY 1, 2 ORDER BY 2, 1"),
        ] {
            let rows = limited(files.path(), &sql).await;
            assert_eq!(
                (rows.code, rows.stdout.lines().count()),
                (0, 20_001),
                "{sql}\n{}",
                rows.stderr
            );
        }
    });
}

/// `timeout`, a container and a service manager end a process so.
#[cfg(unix)]
#[test]
fn a_process_that_is_told_to_end_leaves_no_files() {
    run(async {
        let files = tempfile::tempdir().unwrap();
        let sql = format!("SELECT id, properties FROM {INSTANCES} ORDER BY properties, id");
        let mut process = tokio::process::Command::new(env!("CARGO_BIN_EXE_restable"));
        process
            .args(["exec", "--emulator=1,4,20000", "-o", "csv"])
            .args(["--set", "memory_limit=24MB", &sql])
            .env("TMPDIR", files.path())
            .env("HOME", files.path())
            .stdin(std::process::Stdio::null())
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped())
            .kill_on_drop(true);
        let mut process = process.spawn().unwrap();
        // The first rows of a sort come when all are in files; nobody takes the others, so that it waits.
        let mut rows = process.stdout.take().unwrap();
        let mut first = [0_u8; 1024];
        tokio::io::AsyncReadExt::read_exact(&mut rows, &mut first)
            .await
            .unwrap();
        let has_files = || {
            let mut entries = std::fs::read_dir(files.path()).unwrap().flatten();
            entries.any(|entry| {
                let name = entry.file_name();
                name.to_string_lossy().starts_with("restable-spill-")
            })
        };
        assert!(has_files(), "nothing went to files");
        let number = process.id().unwrap().to_string();
        let told = tokio::process::Command::new("kill")
            .args(["-TERM", &number])
            .status();
        assert!(told.await.unwrap().success());
        process.stdout = Some(rows);
        let ended = process.wait_with_output().await.unwrap();
        let said = String::from_utf8_lossy(&ended.stderr);
        assert_eq!(ended.status.code(), Some(130), "{said}");
        assert!(said.contains("interrupted"), "{said}");
        assert!(!has_files());
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
