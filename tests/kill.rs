//! A set of backups whose process is killed again and again and resumed: each target is backed up once, each row gets its job. The
//! emulator's ledger, which no process of ours writes, is the judge.

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use arm_emulator::{ClockKind, Emulator, Options};
use serde_json::Value;

use crate::rig::{options, report, run};

const TARGETS: usize = 500;
const KILLS: usize = 20;
const ADHOC: &str = "BackupInstances_AdhocBackup";
const BACKUP: &str = "EXEC azure.data_protection.backup_instances.adhoc_backup
  @backupRuleOptions.ruleName = x.rule_name
  FOR EACH (
    SELECT i.id, p.rule_name
    FROM azure.data_protection.vw_backup_instances i
    JOIN azure.data_protection.vw_backup_policies p ON i.policy_id = p.id AND p.rule_type = 'AzureBackupRule'
    WHERE i.current_protection_state = 'ProtectionConfigured'
    ORDER BY i.id LIMIT 500
  ) AS x";

/// One process of ours, with its journal in `folder`.
fn command(folder: &Path, url: &str, words: &[&str]) -> tokio::process::Command {
    let journal = format!("journal={}", folder.join("journal.db").display());
    let endpoint = format!("azure={url}");
    let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_restable"));
    command
        .args(words)
        .args(["--endpoint", &endpoint, "--set", &journal, "-o", "jsonl"])
        .args(["--set", "poll_interval=0", "--set", "unknown_grace=1"])
        .env_clear()
        .env("HOME", folder)
        .env("PATH", "")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    command
}

fn rows(output: &std::process::Output) -> Vec<Value> {
    let text = String::from_utf8_lossy(&output.stdout);
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

async fn emulator(keep_request_id: bool) -> Emulator {
    let options = Options {
        clock: ClockKind::Fast,
        keep_request_id,
        start_time: None,
        ..options("1,2,600")
    };
    Emulator::start(options).await.unwrap()
}

/// Runs the set, kills it at a moment of a run of numbers, and resumes and kills it again.
async fn torment(folder: &Path, url: &str, kills: usize, seed: u64) -> usize {
    let mut random = seed;
    let mut killed = 0;
    for _ in 0..kills {
        let listed = command(folder, url, &["operations", "list"])
            .output()
            .await
            .unwrap();
        let words: &[&str] = match rows(&listed).is_empty() {
            true => &["exec", "--yes", BACKUP],
            false => &["operations", "resume"],
        };
        let mut child = command(folder, url, words).spawn().unwrap();
        // A generator of our own: the same moments in every run, as far as the machine allows.
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        let moment = Duration::from_millis(30 + (random >> 33) % 700);
        tokio::time::sleep(moment).await;
        if child.try_wait().unwrap().is_none() {
            child.kill().await.unwrap();
            killed += 1;
        }
    }
    killed
}

#[test]
fn killed_and_resumed_each_target_is_backed_up_once() {
    run(async {
        let emulator = emulator(true).await;
        let folder = tempfile::tempdir().unwrap();
        let url = emulator.url();
        let killed = torment(folder.path(), &url, KILLS, 7).await;
        // What is unknown is decided only when its grace is over.
        let mut last = Vec::new();
        for _ in 0..100 {
            let output = command(folder.path(), &url, &["operations", "list"])
                .output()
                .await
                .unwrap();
            last = rows(&output);
            if last.len() == TARGETS && last.iter().all(|row| row["status"] == "Succeeded") {
                break;
            }
            let words: &[&str] = match last.is_empty() {
                true => &["exec", "--yes", BACKUP],
                false => &["operations", "resume"],
            };
            let resumed = command(folder.path(), &url, words).output().await.unwrap();
            assert!(
                matches!(resumed.status.code(), Some(0 | 2)),
                "{}",
                String::from_utf8_lossy(&resumed.stderr)
            );
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        let statuses: HashSet<String> = last.iter().map(|row| row["status"].to_string()).collect();
        assert_eq!(statuses, HashSet::from(["\"Succeeded\"".to_owned()]));
        assert_eq!(last.len(), TARGETS);
        let jobs: HashSet<String> = last
            .iter()
            .map(|row| {
                let job = &row["result"]["jobId"];
                job.as_str().unwrap_or_else(|| panic!("{row}")).to_owned()
            })
            .collect();
        assert_eq!(jobs.len(), TARGETS, "every row has a job of its own");
        let mut effects: HashMap<String, usize> = HashMap::new();
        for entry in emulator.ledger() {
            assert_eq!(entry.operation, ADHOC);
            *effects
                .entry(entry.target.to_ascii_lowercase())
                .or_default() += 1;
        }
        let twice: Vec<_> = effects.iter().filter(|(_, count)| **count > 1).collect();
        assert_eq!(twice, Vec::new(), "sent more than once");
        assert_eq!(effects.len(), TARGETS);
        report(&format!(
            "killed {killed} times: {TARGETS} targets, each backed up once"
        ));
    });
}

#[test]
fn where_the_service_does_not_keep_the_request_id_nothing_is_sent_again() {
    run(async {
        let emulator = emulator(false).await;
        let folder = tempfile::tempdir().unwrap();
        let url = emulator.url();
        let mut child = command(folder.path(), &url, &["exec", "--yes", BACKUP])
            .spawn()
            .unwrap();
        // The first effect shows that calls are on their way.
        while emulator.ledger().is_empty() && child.try_wait().unwrap().is_none() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        child.kill().await.unwrap();
        let words = ["operations", "resume"];
        let mut answered = Vec::new();
        let mut code = None;
        for _ in 0..3 {
            // Longer than the grace: a job of the same target that may be the call's own keeps it unknown all the same.
            tokio::time::sleep(Duration::from_millis(1200)).await;
            let resumed = command(folder.path(), &url, &words).output().await.unwrap();
            if !rows(&resumed).is_empty() {
                answered = rows(&resumed);
                code = resumed.status.code();
            }
        }
        assert_eq!(answered.len(), TARGETS);
        let unknown: Vec<&Value> = answered
            .iter()
            .filter(|row| row["status"] == "Unknown")
            .collect();
        for row in &unknown {
            let message = row["error_message"].as_str().unwrap();
            assert!(
                message.contains("SELECT * FROM azure.data_protection.jobs"),
                "{message}"
            );
        }
        let mut effects: HashMap<String, usize> = HashMap::new();
        for entry in emulator.ledger() {
            *effects
                .entry(entry.target.to_ascii_lowercase())
                .or_default() += 1;
        }
        assert!(
            effects.values().all(|count| *count == 1),
            "sent more than once"
        );
        let expected = match unknown.is_empty() {
            true => 0,
            false => 2,
        };
        assert_eq!(code, Some(expected));
    });
}
