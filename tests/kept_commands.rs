//! Commands on what is kept in the data directory: `restable refresh` for a scheduler, a refresh that is killed, two at once, a
//! directory that cannot be written, and what the emulator's data is kept apart from.

use std::path::Path;

use arm_emulator::Emulator;
use serde_json::{Value, json};

use crate::commands::{Command, Output};
use crate::examples::emulator;
use crate::rig::run;

const NAMES: &str = "SELECT name, vaultName FROM azure.data_protection.backup_instances";

/// A command against an emulator, in a home that it shares with others.
fn command(home: &Path, emulator: &Emulator, words: &[&str]) -> Command {
    let endpoint = format!("azure={}", emulator.url());
    let mut words = words.to_vec();
    words.extend(["--endpoint", &endpoint, "--set", "poll_interval=0"]);
    Command::new(&words).home(home)
}

async fn ran(home: &Path, emulator: &Emulator, words: &[&str]) -> Output {
    command(home, emulator, words).run().await
}

async fn exec(home: &Path, emulator: &Emulator, sql: &str) -> Output {
    let output = ran(home, emulator, &["exec", "-o", "json", sql]).await;
    assert_eq!(output.code, 0, "{sql}\n{}", output.stderr);
    output
}

fn rows(output: &Output) -> Vec<Value> {
    serde_json::from_str(&output.stdout).unwrap_or_else(|error| panic!("{error}\n{output:?}"))
}

fn inject(emulator: &Emulator, path: &str, action: Value) {
    let fault = json!({"match": {"path": path, "times": null}, "action": action});
    emulator.inject(serde_json::from_value(fault).unwrap());
}

fn refusal() -> Value {
    let body = json!({"error": {"code": "AuthorizationFailed", "message": "no"}});
    json!({"kind": "status", "status": 403, "headers": {}, "body": body})
}

/// The files that hold rows, and those that were never finished.
fn files(home: &Path, name: &str) -> (usize, usize) {
    let folder = home.join(".local/share/restable/snapshots").join(name);
    let entries = std::fs::read_dir(folder).into_iter().flatten();
    let names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    let of = |end: &str| names.iter().filter(|name| name.ends_with(end)).count();
    (of(".parquet"), of(".part"))
}

#[test]
fn a_scheduler_refreshes_all_and_learns_what_failed() {
    run(async {
        let (emulator, home) = (emulator().await, tempfile::tempdir().unwrap());
        let home = home.path();
        let none = ran(home, &emulator, &["refresh", "--all"]).await;
        assert_eq!(
            (none.code, none.stderr.as_str()),
            (0, "there are no materialized views\n")
        );
        let made = format!(
            "CREATE MATERIALIZED VIEW sandbox AS {NAMES} WHERE vaultName = 'bv-sandbox';
             CREATE MATERIALIZED VIEW dev AS {NAMES} WHERE vaultName = 'bv-dev-weu';
             CREATE MATERIALIZED VIEW both AS SELECT * FROM sandbox UNION ALL SELECT * FROM dev;
             CREATE TABLE fixed AS SELECT 1 AS a"
        );
        exec(home, &emulator, &made).await;
        let good = ran(home, &emulator, &["refresh", "--all", "-q"]).await;
        assert_eq!(
            (good.code, good.stdout.as_str()),
            (0, ""),
            "{}",
            good.stderr
        );
        let told = ran(home, &emulator, &["refresh", "--all"]).await;
        let lines: Vec<&str> = told
            .stderr
            .lines()
            .filter(|line| line.starts_with("materialized view"))
            .collect();
        assert_eq!(
            lines,
            [
                "materialized view `sandbox` refreshed: 1 row",
                "materialized view `dev` refreshed: 5 rows",
                "materialized view `both` refreshed: 6 rows",
            ]
        );

        // One fails: it keeps what it was, the others are refreshed, and the exit code tells.
        inject(
            &emulator,
            "/backupVaults/bv-sandbox/backupInstances?",
            refusal(),
        );
        let summary = home.join("summary.json");
        let bad = ["refresh", "--all", "--summary", summary.to_str().unwrap()];
        let bad = ran(home, &emulator, &bad).await;
        assert_eq!(bad.code, 2, "{}", bad.stderr);
        assert!(
            bad.stderr.contains("AuthorizationFailed")
                && bad.stderr.contains("`sandbox` keeps its 1 row of"),
            "{}",
            bad.stderr
        );
        assert!(
            bad.stderr
                .contains("materialized view `both` refreshed: 6 rows"),
            "{}",
            bad.stderr
        );
        let summary: Value =
            serde_json::from_str(&std::fs::read_to_string(summary).unwrap()).unwrap();
        let complete: Vec<&Value> = summary["statements"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| &one["complete"])
            .collect();
        assert_eq!(complete, [false, true, true]);
        assert_eq!(summary["statements"][1]["rows"], 5);
        assert_eq!(files(home, "sandbox"), (3, 0));
        assert_eq!(files(home, "dev"), (4, 0));
        let named = ran(home, &emulator, &["refresh", "DEV", "nothing", "fixed"]).await;
        assert_eq!(named.code, 1, "{}", named.stderr);
        assert!(
            named
                .stderr
                .contains("there is no materialized view `nothing`"),
            "{}",
            named.stderr
        );
        assert!(
            named
                .stderr
                .contains("`fixed` is a table, no materialized view"),
            "{}",
            named.stderr
        );

        // Reading them asks nobody.
        emulator.clear_journal();
        let listed = exec(home, &emulator, "SELECT count(*) AS n FROM both").await;
        assert_eq!(rows(&listed), [json!({"n": 6})]);
        assert!(
            listed.stderr.starts_with("1 row · snapshot `both` of "),
            "{}",
            listed.stderr
        );
        assert!(emulator.journal().is_empty());
        let failed = exec(home, &emulator, "SHOW MATERIALIZED VIEWS LIKE 'sandbox'").await;
        assert!(
            rows(&failed)[0]["last_failure"]
                .as_str()
                .unwrap()
                .contains("AuthorizationFailed")
        );
    });
}

/// A process that is killed while it reads leaves what there was; two at once are one that writes and one that is told.
#[test]
fn killed_and_held_refreshes_leave_what_there_was() {
    run(async {
        let (emulator, home) = (emulator().await, tempfile::tempdir().unwrap());
        let home = home.path();
        exec(
            home,
            &emulator,
            &format!("CREATE MATERIALIZED VIEW estate AS {NAMES}"),
        )
        .await;
        let slow = json!({"kind": "delay", "milliseconds": 3_600_000});
        inject(&emulator, "/backupVaults/bv-sandbox/backupInstances?", slow);
        let mut reading = command(home, &emulator, &["refresh", "estate"]).begin();
        while files(home, "estate").1 == 0 {
            assert!(
                reading.try_wait().unwrap().is_none(),
                "it reads until it is killed"
            );
            tokio::task::yield_now().await;
        }
        let second = ran(home, &emulator, &["refresh", "estate"]).await;
        assert_eq!(second.code, 1, "{}", second.stderr);
        assert!(
            second
                .stderr
                .contains("`estate` is being written by another statement"),
            "{}",
            second.stderr
        );
        let read = exec(home, &emulator, "SELECT count(*) AS n FROM estate").await;
        assert_eq!(rows(&read), [json!({"n": 31})]);
        reading.kill().await.unwrap();
        assert_eq!(files(home, "estate"), (1, 1));
        let read = exec(home, &emulator, "SELECT count(*) AS n FROM estate").await;
        assert_eq!(rows(&read), [json!({"n": 31})]);

        // The next one takes the lock that died with its process, and clears up.
        emulator.clear_faults();
        let third = ran(home, &emulator, &["refresh", "estate"]).await;
        assert_eq!(third.code, 0, "{}", third.stderr);
        assert_eq!(files(home, "estate"), (2, 0));
    });
}

#[cfg(unix)]
#[test]
fn a_directory_that_cannot_be_written_is_named() {
    run(async {
        let (emulator, home) = (emulator().await, tempfile::tempdir().unwrap());
        let home = home.path();
        // A file stands where the directory should be: nobody may write there, not even root.
        std::fs::write(home.join("data"), "").unwrap();
        let words = [
            "exec",
            "--data-dir",
            "data",
            "CREATE MATERIALIZED VIEW v AS SELECT 1 AS a",
        ];
        let output = ran(home, &emulator, &words).await;
        assert_eq!(output.code, 1);
        assert!(
            output
                .stderr
                .contains("error[R0710]: cannot make `data/snapshots`"),
            "{}",
            output.stderr
        );
        assert!(emulator.journal().is_empty());
        let words = [
            "exec",
            "--data-dir",
            "here",
            "CREATE TABLE t AS SELECT 1 AS a; SELECT * FROM t",
        ];
        let output = ran(home, &emulator, &words).await;
        assert_eq!(output.code, 0, "{}", output.stderr);
        use std::os::unix::fs::PermissionsExt as _;
        let mode = |path: &str| {
            std::fs::metadata(home.join(path))
                .unwrap()
                .permissions()
                .mode()
                & 0o777
        };
        assert_eq!(mode("here/snapshots/t"), 0o700);
        assert_eq!(mode("here/snapshots/t/manifest.json"), 0o600);
    });
}

/// What is emulated must never be found among what was real.
#[test]
fn the_emulators_rows_end_with_it() {
    run(async {
        let home = tempfile::tempdir().unwrap();
        let script = "CREATE MATERIALIZED VIEW v AS SELECT 1 AS a; SELECT * FROM v";
        let output = Command::new(&["exec", "--emulator", "-o", "json", script])
            .home(home.path())
            .run()
            .await;
        assert_eq!(
            (output.code, output.stdout.as_str()),
            (0, "[{\"a\":1}]\n"),
            "{}",
            output.stderr
        );
        assert!(!home.path().join(".local").exists());
    });
}
