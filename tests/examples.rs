//! The scripts in `examples/`: each has its command line in the comment on top, and that is what runs, against an emulator of its own
//! which says what was asked of it.

use std::path::{Path, PathBuf};

use arm_emulator::{Action, ClockKind, Emulator, Fault, JournalEntry, Match, Options};
use serde_json::{Value, json};

use crate::commands::{Command, Output};
use crate::rig::{Calls, report, root, run};

/// A script and the command line that its comment tells.
pub struct Script {
    pub name: String,
    arguments: Vec<String>,
}

/// An emulator of the demo estate whose time goes to the end of whatever is waited for.
pub async fn emulator() -> Emulator {
    let options = Options {
        clock: ClockKind::Fast,
        require_token: false,
        ..Options::default()
    };
    Emulator::start(options).await.unwrap()
}

impl Script {
    /// `name` is relative to `examples/`, without `.sql`.
    pub fn read(name: &str) -> Script {
        let path = format!("examples/{name}.sql");
        let text = std::fs::read_to_string(root().join(&path)).unwrap();
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix("--   restable "));
        let line = line.unwrap_or_else(|| panic!("{path} does not say how it is run"));
        assert!(line.ends_with(&format!("-f {path}")), "{path}: {line}");
        let arguments = line.split_whitespace().map(str::to_owned).collect();
        Script {
            name: name.to_owned(),
            arguments,
        }
    }

    /// The command of the comment, with another emulator in the place of its own, and JSON for an answer.
    pub fn command(&self, emulator: &Emulator, more: &[&str]) -> Command {
        let mut arguments: Vec<&str> = self.arguments.iter().map(String::as_str).collect();
        let at = arguments.iter().position(|it| *it == "--emulator");
        let at = at.unwrap_or_else(|| panic!("{} runs without an emulator", self.name));
        let endpoint = format!("azure={}", emulator.url());
        arguments.splice(at..=at, ["--endpoint", &endpoint]);
        if let Some(at) = arguments.iter().position(|it| *it == "-o") {
            arguments.drain(at..at + 2);
        }
        // The emulator's clock goes to the end of what is waited for: there is no time to pass.
        arguments.extend(["-o", "json", "--set", "poll_interval=0"]);
        arguments.extend(more);
        Command::new(&arguments).at(&root())
    }

    /// Without one of its flags.
    pub fn without(mut self, flag: &str) -> Script {
        self.arguments.retain(|argument| argument != flag);
        self
    }

    pub async fn run(&self, emulator: &Emulator, more: &[&str]) -> Ran {
        let output = self.command(emulator, more).run().await;
        Ran::new(&self.name, output, emulator)
    }
}

/// What a script left.
#[derive(Debug)]
pub struct Ran {
    pub name: String,
    pub output: Output,
    /// The rows of each statement that has any to show.
    pub answers: Vec<Vec<Value>>,
    /// All requests, in order.
    pub calls: Calls,
}

impl Ran {
    pub fn new(name: &str, output: Output, emulator: &Emulator) -> Ran {
        let answers = serde_json::Deserializer::from_str(&output.stdout).into_iter();
        Ran {
            name: name.to_owned(),
            answers: answers
                .map(|answer| answer.unwrap_or_else(|error| panic!("{name}: {error}\n{output:?}")))
                .collect(),
            output,
            calls: Calls(emulator.journal()),
        }
    }

    /// The exit code was this one.
    pub fn ended(self, code: i32) -> Ran {
        assert_eq!(self.output.code, code, "{}\n{:#?}", self.name, self.output);
        self
    }

    /// Requests that are there to change something.
    pub fn writes(&self) -> Vec<&JournalEntry> {
        let writes = self.calls.0.iter().filter(|entry| entry.method != "GET");
        writes.collect()
    }

    /// How many there were of each operation: `2 BackupInstances_AdhocBackup`.
    pub fn written(&self) -> String {
        Calls(self.writes().into_iter().cloned().collect()).summary()
    }

    /// A column of an answer, `null` as "NULL".
    pub fn column(&self, answer: usize, name: &str) -> Vec<String> {
        let rows = self.answers.get(answer);
        let rows = rows.unwrap_or_else(|| panic!("{}: {:#?}", self.name, self.output));
        let cell = |row: &Value| match &row[name] {
            Value::Null => String::from("NULL"),
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        rows.iter().map(cell).collect()
    }
}

fn scripts(folder: &Path) -> Vec<PathBuf> {
    let mut scripts: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    scripts.retain(|path| path.extension().is_some_and(|extension| extension == "sql"));
    scripts.sort();
    scripts
}

/// The names of the scripts in a folder below `examples/`, as [`Script::read`] takes them.
pub fn names(folder: &str) -> Vec<String> {
    let files = scripts(&root().join("examples").join(folder));
    let stem = |path: &PathBuf| path.file_stem().unwrap().to_string_lossy().into_owned();
    let names = files.iter().map(stem);
    match folder {
        "" => names.collect(),
        _ => names.map(|name| format!("{folder}/{name}")).collect(),
    }
}

/// What each script asks to be changed; nothing, if it is not named here.
const WRITTEN: &[(&str, &str)] = &[
    ("backup-before-change", "3 BackupInstances_AdhocBackup"),
    ("decommission", "3 BackupInstances_StopProtection"),
    (
        "restore-drill",
        "1 BackupInstances_TriggerRestore, 1 BackupInstances_ValidateForRestore",
    ),
    ("snapshots", "1 BackupInstances_StopProtection"),
    (
        "undelete",
        "1 BackupInstances_ResumeProtection, 1 DeletedBackupInstances_Undelete",
    ),
];

#[test]
fn every_script_runs() {
    let names = names("");
    run(async {
        for name in &names {
            let emulator = emulator().await;
            let ran = Script::read(name).run(&emulator, &[]).await.ended(0);
            assert!(
                ran.output.stderr.contains("complete") && !ran.answers.is_empty(),
                "{name}\n{}",
                ran.output.stderr
            );
            let expected = WRITTEN.iter().find(|(known, _)| known == name);
            assert_eq!(
                ran.written(),
                expected.map_or("", |(_, written)| written),
                "{name}"
            );
        }
    });
    let known = |name: &str| names.iter().any(|known| known == name);
    assert!(WRITTEN.iter().all(|(name, _)| known(name)));
    report(&format!("{} example scripts ran", names.len()));
}

/// The two jobs that failed last night in the demo estate, and no later success of the same instances.
#[test]
fn failed_jobs() {
    run(async {
        let emulator = emulator().await;
        let ran = Script::read("failed-jobs")
            .run(&emulator, &[])
            .await
            .ended(0);
        assert_eq!(ran.column(0, "status"), ["Failed", "Failed"]);
        let mut codes = ran.column(0, "error_code");
        codes.sort();
        assert_eq!(
            codes,
            [
                "UserErrorDBServerNotReachable",
                "UserErrorDiskSnapshotLimitReached"
            ]
        );
        assert_eq!(
            ran.column(1, "friendly_name"),
            ["pg-warehouse/warehouse", "disk-crm-web-os"]
        );
        assert_eq!(ran.column(1, "backed_up_since"), ["false", "false"]);
    });
}

/// Fourteen days are more than the disks' seven, and less than what months and 30 days make.
#[test]
fn policy_compliance() {
    run(async {
        let emulator = emulator().await;
        let ran = Script::read("policy-compliance")
            .run(&emulator, &[])
            .await
            .ended(0);
        assert_eq!(
            ran.column(0, "vault_name"),
            [
                "bv-data-disks-eus2",
                "bv-dev-weu",
                "bv-prod-weu",
                "bv-prod-weu",
                "bv-sandbox"
            ]
        );
        assert_eq!(ran.column(0, "days"), ["7"; 5]);
        let vaults = ran.column(1, "vault");
        assert!(vaults.len() == 6 && !vaults.contains(&String::from("bv-prod-weu")));
        // A year is more than fourteen days in whatever unit it is written.
        let ran = Script::read("policy-compliance")
            .run(&emulator, &["-v", "days=100000"])
            .await
            .ended(0);
        let instances: Vec<u64> = ran.answers[0]
            .iter()
            .map(|row| row["instances"].as_u64().unwrap())
            .collect();
        assert_eq!(instances.iter().sum::<u64>(), 31);
    });
}

#[test]
fn backup_before_change() {
    run(async {
        let emulator = emulator().await;
        let script = Script::read("backup-before-change");
        let ran = script.run(&emulator, &[]).await.ended(0);
        assert_eq!(
            ran.column(0, "current_protection_state"),
            ["ProtectionConfigured"; 3]
        );
        assert_eq!(ran.column(1, "job_status"), ["Completed"; 3]);
        assert_eq!(ran.column(2, "last_recovery_point").len(), 3);
        // The recovery points are those of the jobs, so later than anything that was there.
        let started = ran.writes()[0].time.clone();
        for point in ran.column(2, "last_recovery_point") {
            assert!(point[..19] >= started[..19], "{point} {started}");
        }

        // Nothing of such a group: nothing to ask, nothing to send, no error.
        emulator.clear_journal();
        let none = script.run(&emulator, &["-v", "group=rg-nothing"]).await;
        let none = none.ended(0);
        assert_eq!((none.answers[1].len(), none.written().as_str()), (0, ""));
    });
}

/// One bad job is a failed statement, and the change does not go on.
#[test]
fn backup_before_change_fails_with_any_job() {
    run(async {
        let emulator = emulator().await;
        emulator.inject(Fault {
            matches: Match {
                method: Some("POST".to_owned()),
                path: Some("hana-data-02*/backup?".to_owned()),
                ..Match::default()
            },
            action: Action::FailJob {
                code: "UserErrorSnapshotLimit".to_owned(),
                message: "no more snapshots of this disk".to_owned(),
            },
        });
        let script = Script::read("backup-before-change");
        let ran = script.run(&emulator, &[]).await.ended(2);
        assert_eq!(ran.written(), "3 BackupInstances_AdhocBackup");
        let mut jobs = ran.column(1, "job_status");
        jobs.sort();
        assert_eq!(jobs, ["Completed", "Completed", "Failed"]);
        assert_eq!(ran.answers.len(), 2, "the script has ended");
    });
}

#[test]
fn restore_drill() {
    run(async {
        let emulator = emulator().await;
        let script = Script::read("restore-drill");
        let ran = script.run(&emulator, &[]).await.ended(0);
        assert_eq!(ran.column(1, "status"), ["Succeeded"]);
        assert_eq!(ran.column(2, "job_status"), ["Completed"]);
        assert_eq!(ran.column(3, "status"), ["Completed"]);
        let target = ran.column(3, "target_id").remove(0);
        assert!(target.ends_with("/resourceGroups/rg-restore-drill/providers/Microsoft.Compute/disks/disk-gitlab-data-drill"), "{target}");
        let bodies: Vec<Value> = ran
            .writes()
            .into_iter()
            .map(|entry| serde_json::from_str(entry.body.as_deref().unwrap()).unwrap())
            .collect();
        // What was validated is what was restored.
        assert_eq!(bodies[0], json!({ "restoreRequestObject": bodies[1] }));
        assert_eq!(
            bodies[1]["restoreTargetInfo"]["datasourceInfo"]["resourceID"],
            target
        );
        let point = bodies[1]["recoveryPointId"].as_str().unwrap();
        assert_eq!(point.len(), 32, "{point}");

        // What cannot be restored is not tried.
        let emulator = self::emulator().await;
        emulator.inject(Fault {
            matches: Match {
                method: Some("POST".to_owned()),
                path: Some("/validateRestore?".to_owned()),
                ..Match::default()
            },
            action: Action::FailOperation {
                code: "UserErrorTargetResourceGroupNotFound".to_owned(),
                message: "there is no such resource group".to_owned(),
            },
        });
        let ran = script.run(&emulator, &[]).await.ended(2);
        assert_eq!(ran.written(), "1 BackupInstances_ValidateForRestore");
        assert!(
            ran.output
                .stderr
                .contains("UserErrorTargetResourceGroupNotFound")
        );
    });
}

#[test]
fn decommission() {
    run(async {
        let emulator = emulator().await;
        let script = Script::read("decommission");
        let ran = script.run(&emulator, &[]).await.ended(0);
        assert_eq!(ran.column(0, "status"), ["NotSent"; 3]);
        assert_eq!(ran.column(1, "status"), ["Succeeded"; 3]);
        assert_eq!(
            ran.column(2, "current_protection_state"),
            ["ProtectionStopped"; 3]
        );
        assert_eq!(
            ran.column(2, "recovery_points"),
            ["3"; 3],
            "what is there is kept"
        );
        // A second time there is nothing to stop.
        emulator.clear_journal();
        assert_eq!(script.run(&emulator, &[]).await.ended(0).written(), "");

        // Stopping is asked for, and here nobody can be asked.
        let emulator = self::emulator().await;
        let refused = script.without("--yes").run(&emulator, &[]).await.ended(1);
        assert_eq!(refused.written(), "");
        assert!(refused.output.stderr.contains("--yes"));
    });
}

/// One disk is not as it was at the first refresh, and nothing else is told.
#[test]
fn snapshots() {
    run(async {
        let emulator = emulator().await;
        let ran = Script::read("snapshots").run(&emulator, &[]).await.ended(0);
        assert_eq!(ran.column(1, "item"), ["disk-dc01-os"]);
        assert_eq!(ran.column(1, "before"), ["ProtectionConfigured"]);
        assert_eq!(ran.column(1, "after"), ["ProtectionStopped"]);
        assert_eq!(ran.column(2, "refreshes"), ["2"]);
        assert!(
            ran.output.stderr.contains("2 refreshes of `estate`")
                || ran.output.stderr.contains("snapshot `estate` of")
        );
    });
}

#[test]
fn undelete() {
    run(async {
        let emulator = emulator().await;
        let script = Script::read("undelete");
        let ran = script.run(&emulator, &[]).await.ended(0);
        assert_eq!(ran.column(0, "friendly_name"), ["disk-print-spool"]);
        assert_eq!(ran.column(1, "status"), ["Succeeded"]);
        assert_eq!(ran.column(2, "status"), ["Succeeded"]);
        assert_eq!(
            ran.column(3, "current_protection_state"),
            ["ProtectionConfigured"]
        );
    });
}
