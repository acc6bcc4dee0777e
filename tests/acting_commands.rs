//! Commands that act, as a user meets them: what is asked first, what is told while and after, how a run is stopped and taken up again.
//! Each against an emulator in this process, which says what reached it; the command's home and its journal are a folder of the test.

use std::process::Stdio;
use std::time::Duration;

use arm_emulator::{Action, ClockKind, Emulator, Fault, LedgerEntry, Match};
use serde_json::{Value, json};

use crate::commands::{Command, Output};
use crate::rig::{Calls, options, root, run};

const INSTANCE: &str = "/subscriptions/2c9e74d1-0b35-4a8f-8d16-7f92e3b5c002/resourceGroups/rg-dev-shared/providers\
    /Microsoft.DataProtection/backupVaults/bv-dev-weu/backupInstances\
    /disk-build-agent-01-disk-build-agent-01-28e627ad-e62a-4caa-a2a3-3e87ee1c54ad";
const STOP: &str =
    "DELETE FROM azure.data_protection.backup_instances WHERE vaultName = 'bv-dev-weu'";

/// A backup of one instance.
fn backup() -> String {
    format!(
        "EXEC azure.data_protection.backup_instances.adhoc_backup @id = '{INSTANCE}', @backupRuleOptions.ruleName = 'BackupHourly'"
    )
}

/// Backups of these instances of a vault.
fn backups(names: &str) -> String {
    format!(
        "EXEC azure.data_protection.backup_instances.adhoc_backup @backupRuleOptions.ruleName = 'BackupHourly' FOR EACH \
         (SELECT * FROM azure.data_protection.vw_backup_instances WHERE vault_name = 'bv-dev-weu' AND friendly_name LIKE '{names}')"
    )
}

/// An emulator, and a home from which commands are run against it.
struct Scene {
    emulator: Emulator,
    home: tempfile::TempDir,
}

impl Scene {
    async fn by(clock: ClockKind) -> Scene {
        let emulator = Emulator::start(arm_emulator::Options {
            clock,
            ..options("demo")
        });
        Scene {
            emulator: emulator.await.unwrap(),
            home: tempfile::tempdir().unwrap(),
        }
    }

    /// Time goes to the end of whatever is waited for.
    async fn fast() -> Scene {
        Scene::by(ClockKind::Fast).await
    }

    /// Nothing that is waited for ends.
    async fn still() -> Scene {
        Scene::by(ClockKind::Manual).await
    }

    fn words(&self, words: &[&str]) -> Vec<String> {
        let words = words.iter().map(|word| (*word).to_owned());
        let endpoint = format!("azure={}", self.emulator.url());
        words.chain(["--endpoint".to_owned(), endpoint]).collect()
    }

    fn command(&self, words: &[&str]) -> Command {
        let words = self.words(words);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        Command::new(&words).home(self.home.path())
    }

    async fn run(&self, words: &[&str]) -> Output {
        self.command(words).run().await
    }

    /// What reached the emulator and may have changed something.
    fn writes(&self) -> String {
        let journal = self.emulator.journal();
        let writes = journal.into_iter().filter(|entry| entry.method != "GET");
        Calls(writes.collect()).summary()
    }

    fn effects(&self) -> Vec<LedgerEntry> {
        self.emulator.ledger()
    }

    /// A person who runs the command at a terminal: waits for each text, then types.
    async fn person(&self, words: &[&str], steps: &[(&str, &str)]) -> Output {
        let home = self.home.path();
        let argv: Vec<String> = std::iter::once(env!("CARGO_BIN_EXE_restable").to_owned())
            .chain(self.words(words))
            .collect();
        let order = json!({
            "argv": argv,
            "env": {"HOME": home, "TERM": "xterm", "PATH": ""},
            "cwd": home,
            "steps": steps,
        });
        let driver = root().join("tests/terminal.py");
        let mut python = tokio::process::Command::new("python3")
            .arg(driver)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = python.stdin.take().unwrap();
        tokio::io::AsyncWriteExt::write_all(&mut stdin, order.to_string().as_bytes())
            .await
            .unwrap();
        drop(stdin);
        let output = python.wait_with_output().await.unwrap();
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{told}");
        let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
        Output {
            code: answer["code"].as_i64().unwrap().try_into().unwrap(),
            stdout: answer["screen"].as_str().unwrap().replace("\r\n", "\n"),
            stderr: String::new(),
        }
    }

    /// Runs a command, and presses Ctrl-C when `due` says so of what reached the emulator.
    async fn interrupted(&self, words: &[&str], due: impl Fn(&Calls) -> bool) -> Output {
        let command = self.command(words);
        let mut running = command.begin();
        let pid = running.id().unwrap().to_string();
        while !due(&Calls(self.emulator.journal())) {
            assert!(running.try_wait().unwrap().is_none(), "it ended by itself");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        interrupt(&pid);
        Output::of(running.wait_with_output().await.unwrap())
    }
}

fn interrupt(pid: &str) {
    let sent = std::process::Command::new("kill")
        .args(["-INT", pid])
        .status();
    assert!(sent.unwrap().success());
}

fn rows(output: &Output) -> Vec<Value> {
    match serde_json::from_str(&output.stdout) {
        Ok(Value::Array(rows)) => rows,
        other => panic!("{other:?}\n{output:?}"),
    }
}

fn column(output: &Output, name: &str) -> Vec<String> {
    let text = |row: Value| match &row[name] {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    rows(output).into_iter().map(text).collect()
}

#[test]
fn what_is_told_of_statements_that_act() {
    run(async {
        let scene = Scene::fast().await;
        let failing = Fault {
            matches: Match {
                path: Some("disk-build-agent-02*/backup".to_owned()),
                ..Match::default()
            },
            action: Action::FailOperation {
                code: "UserErrorDiskBusy".to_owned(),
                message: "The disk is busy.".to_owned(),
            },
        };
        scene.emulator.inject(failing);
        let commands = [
            scene.command(&["exec", &backup()]),
            scene.command(&["exec", "--no-wait", &backup()]),
            scene.command(&["exec", "-q", &backup()]),
            scene.command(&["exec", "--yes", &backups("disk-build%")]),
            scene.command(&["exec", &backups("disk-build%")]),
            scene.command(&["exec", "--confirm", &backup()]),
            scene.command(&["exec", "--yes", &backups("nothing%")]),
            scene.command(&["operations", "wait", "99"]),
            scene.command(&["operations", "wait", "2"]),
            scene.command(&["operations", "resume"]),
            scene.command(&["operations", "resume", "no-such-statement"]),
        ];
        let mut text = Vec::new();
        for command in &commands {
            text.push(command.transcript(&[]).await);
        }
        insta::assert_snapshot!("acting", volatile(&text.join("\n\n")));
        assert_eq!(scene.effects().len(), 5);
    });
}

/// Ids that the emulator and the journal make.
fn volatile(text: &str) -> String {
    let mut lines = Vec::new();
    for line in text.lines() {
        let mut line = line.to_owned();
        for mark in [
            "\"operation_id\":\"",
            "/backupJobs/",
            "RequestId\":\"",
            "\"requestId\":\"",
            "\"correlationId\":\"",
            "`restable operations resume ",
        ] {
            line = crate::commands::after_each(&line, mark, |c| !matches!(c, '"' | '`'), "[ID]");
        }
        lines.push(without_calls(&line));
    }
    lines.join("\n")
}

/// How often an operation is asked about depends on what else moves the emulator's time.
fn without_calls(line: &str) -> String {
    let parts = line
        .split(" · ")
        .map(|part| match part.strip_suffix(" calls") {
            Some(count) if count.parse::<u64>().is_ok() => "[N] calls",
            _ => part,
        });
    parts.collect::<Vec<_>>().join(" · ")
}

#[test]
fn a_preview_sends_no_write_whatever_else_is_said() {
    run(async {
        let scene = Scene::fast().await;
        for words in [
            &["exec", "--preview", &*backup()][..],
            &["exec", "--preview", "--yes", "--no-wait", &backups("disk%")],
            &["exec", "-y", "--preview", "--set", "confirm=never", STOP],
            &[
                "exec",
                "--preview",
                &format!("SET confirm = never; {}", backup()),
            ],
        ] {
            let output = scene.run(words).await;
            assert_eq!(output.code, 0, "{words:?} {output:?}");
            assert!(
                output.stdout.contains("\"status\":\"NotSent\""),
                "{output:?}"
            );
        }
        let resumed = scene.run(&["operations", "resume", "--preview"]).await;
        assert_eq!(resumed.code, 1, "{resumed:?}");
        assert_eq!((scene.writes().as_str(), scene.effects().len()), ("", 0));
        let kept = scene.home.path().join(".local/state/restable/journal.db");
        assert!(!kept.exists(), "a preview needs no journal");
    });
}

#[test]
fn a_person_is_asked() {
    run(async {
        let scene = Scene::fast().await;
        let words = ["exec", "-o", "json", "--confirm", &backup()];
        for (answer, code) in [
            ("n\n", 1),
            ("\n", 1),
            ("\u{4}", 1),
            ("\u{3}", 130),
            ("yess\n", 1),
        ] {
            let output = scene.person(&words, &[("[y/N] ", answer)]).await;
            assert_eq!(output.code, code, "{answer:?} {}", output.stdout);
            assert!(!output.stdout.contains("\"status\""), "{}", output.stdout);
        }
        assert_eq!((scene.writes().as_str(), scene.effects().len()), ("", 0));
        let output = scene.person(&words, &[("[y/N] ", "y\n")]).await;
        assert_eq!(
            (output.code, scene.effects().len()),
            (0, 1),
            "{}",
            output.stdout
        );
        let asked = "EXEC backup_instances.adhoc_backup: 1 target\nin\n";
        assert!(output.stdout.starts_with(asked), "{}", output.stdout);

        // Several are asked about by themselves; the last of the two flags decides.
        let several = backups("disk-build%");
        let output = scene
            .person(&["exec", &several], &[("go on? [y/N] ", "no\n")])
            .await;
        assert!(output.stdout.contains(": 2 targets\n"), "{}", output.stdout);
        assert_eq!((output.code, scene.effects().len()), (1, 1));
        let output = scene
            .person(&["exec", "--confirm", "-y", &several], &[])
            .await;
        assert_eq!(
            (output.code, scene.effects().len()),
            (0, 3),
            "{}",
            output.stdout
        );
    });
}

#[test]
fn the_shell_asks_between_its_lines() {
    run(async {
        let scene = Scene::fast().await;
        let statement = format!("{};\r", backup().replace("EXEC", "EXEC /*+ NOWAIT */"));
        let steps = [
            ("restable> ", "SET confirm = always;\r"),
            ("restable> ", &*statement),
            ("[y/N] ", "n\n"),
            ("was not confirmed", ""),
            ("restable> ", &*statement),
            ("[y/N] ", "\u{3}"),
            ("interrupted", ""),
            ("restable> ", &*statement),
            ("[y/N] ", "y\n"),
            ("`\\wait 1` waits for it", ""),
            ("restable> ", "\\wait 1\r"),
            ("1 Succeeded", ""),
            ("restable> ", "\\operations\r"),
            ("BackupInstances_AdhocBackup", ""),
            ("restable> ", "\\q\r"),
        ];
        let output = scene.person(&["shell"], &steps).await;
        assert_eq!(
            (output.code, scene.effects().len()),
            (0, 1),
            "{}",
            output.stdout
        );
    });
}

#[test]
fn a_terminal_sees_how_far_it_is() {
    run(async {
        let scene = Scene::fast().await;
        let erase = "\u{1b}[2K";
        let output = scene.person(&["exec", &backup()], &[]).await;
        assert!(output.stdout.contains(erase), "{}", output.stdout);
        assert!(output.stdout.contains(" Inprogress"), "{}", output.stdout);
        // What stands on the screen at the end has no line of it left.
        let left = output
            .stdout
            .lines()
            .map(|line| line.rsplit(erase).next().unwrap_or_default());
        assert!(
            !left.clone().any(|line| line.contains("Inprogress")),
            "{}",
            output.stdout
        );
        let hinted = backup().replace("EXEC", "EXEC /*+ NOSTATUS */");
        for words in [&["exec", "-q", &backup()][..], &["exec", &hinted]] {
            let output = scene.person(words, &[]).await;
            assert!(
                !output.stdout.contains(erase),
                "{words:?} {}",
                output.stdout
            );
        }
        let output = scene.run(&["exec", &backup()]).await;
        assert!(!output.stderr.contains('\u{1b}'), "{}", output.stderr);
    });
}

#[test]
fn ctrl_c_leaves_the_operation_running() {
    run(async {
        let scene = Scene::still().await;
        let polled = |calls: &Calls| {
            calls.count() > calls.of("BackupInstances_AdhocBackup")
                && calls.of("BackupInstances_AdhocBackup") > 0
        };
        let output = scene.interrupted(&["exec", &backup()], polled).await;
        assert_eq!(
            (output.code, column(&output, "status")),
            (130, vec!["Accepted".to_owned()]),
            "{output:?}"
        );
        assert!(
            output
                .stderr
                .contains("operation 1 has not ended: `restable operations wait 1` waits for it\n")
                && output.stderr.ends_with("interrupted\n"),
            "{}",
            output.stderr
        );
        // Waiting for it can be stopped as well, and taken up again.
        let asked = scene.emulator.journal().len();
        let output = scene
            .interrupted(&["operations", "wait", "1"], |calls| calls.count() > asked)
            .await;
        assert_eq!(
            (output.code, column(&output, "status")),
            (130, vec!["Accepted".to_owned()]),
            "{output:?}"
        );
        let listed = scene.run(&["operations", "list", "--open"]).await;
        assert_eq!(column(&listed, "status"), ["Accepted"]);
        scene.emulator.advance(Duration::from_secs(5));
        let output = scene.run(&["operations", "wait", "1"]).await;
        assert_eq!(
            (output.code, column(&output, "status")),
            (0, vec!["Succeeded".to_owned()]),
            "{output:?}"
        );
        assert!(column(&output, "jobId")[0].contains("/backupJobs/"));
        let listed = scene.run(&["operations", "list", "--open"]).await;
        assert_eq!((listed.code, listed.stdout.as_str()), (0, "[]\n"));
        assert_eq!(scene.effects().len(), 1);
    });
}

#[test]
fn the_second_ctrl_c_ends_at_once() {
    run(async {
        let scene = Scene::still().await;
        let hang = Fault {
            matches: Match {
                method: Some("POST".to_owned()),
                ..Match::default()
            },
            action: Action::Hang {
                milliseconds: 3_600_000,
            },
        };
        scene.emulator.inject(hang);
        let backup = backup();
        let command = scene.command(&["exec", &backup]);
        let mut running = command.begin();
        let pid = running.id().unwrap().to_string();
        while scene.effects().is_empty() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        interrupt(&pid);
        let mut told = tokio::io::BufReader::new(running.stderr.take().unwrap());
        let mut line = String::new();
        tokio::io::AsyncBufReadExt::read_line(&mut told, &mut line)
            .await
            .unwrap();
        assert_eq!(
            line,
            "stopping: calls that are on their way are awaited; Ctrl-C again leaves them\n"
        );
        interrupt(&pid);
        assert_eq!(running.wait().await.unwrap().code(), Some(130));
        // The call may have been received: nobody says that it was not.
        let listed = scene.run(&["operations", "list"]).await;
        assert_eq!(column(&listed, "status"), ["Unknown"]);
        scene.emulator.clear_faults();
        scene.emulator.advance(Duration::from_secs(60));
        let log = scene.home.path().join("audit.jsonl");
        let named = log.display().to_string();
        let resume = ["operations", "resume", "--audit-log", &named];
        let resumed = scene.run(&resume).await;
        assert_eq!(
            (resumed.code, column(&resumed, "status")),
            (0, vec!["Succeeded".to_owned()]),
            "{resumed:?}"
        );
        assert_eq!(scene.effects().len(), 1);
        let text = std::fs::read_to_string(&log).unwrap();
        let lines: Vec<serde_json::Value> = text
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        let [begin, end] = lines.as_slice() else {
            panic!("{text}");
        };
        assert_eq!(begin["sql"], "operations resume");
        assert_eq!(begin["action"], "RESUME backup_instances.adhoc_backup");
        assert_eq!(begin["targets"].as_array().unwrap().len(), 1);
        assert_eq!(begin["statement"], end["statement"]);
        assert_eq!(end["outcome"], "succeeded");
        // What has ended is not gone on with, and nothing is written of it.
        assert_eq!(scene.run(&resume).await.code, 0);
        assert_eq!(std::fs::read_to_string(&log).unwrap(), text);
    });
}

#[test]
fn waiting_that_times_out_is_exit_code_2() {
    run(async {
        let scene = Scene::still().await;
        let output = scene.run(&["exec", "--timeout", "1", &backup()]).await;
        assert_eq!(
            (output.code, column(&output, "status")),
            (2, vec!["Accepted".to_owned()]),
            "{output:?}"
        );
        assert!(
            output.stderr.contains("`restable operations wait 1`"),
            "{}",
            output.stderr
        );
        assert_eq!(scene.effects().len(), 1);
    });
}

#[test]
fn settings_of_acting_have_all_their_places() {
    run(async {
        let scene = Scene::fast().await;
        let refused =
            |output: &Output| output.code == 1 && output.stderr.contains("was not confirmed");
        let file = |text: &str| {
            scene
                .command(&["exec", &backup()])
                .file("restable.toml", text)
                .environment("RESTABLE_CONFIG", "restable.toml")
        };
        assert!(refused(&file("confirm = 'always'").run().await));
        let always = scene
            .command(&["exec", &backup()])
            .environment("RESTABLE_CONFIRM", "always");
        assert!(refused(&always.run().await));
        let both =
            file("confirm = 'always'\nwait = false").environment("RESTABLE_CONFIRM", "never");
        let output = both.run().await;
        assert_eq!(
            (output.code, column(&output, "status")),
            (0, vec!["Accepted".to_owned()]),
            "{output:?}"
        );

        // The journal is where it is said to be, relative to the file that says so.
        let output = file("journal = 'state/own.db'\nwait = 'off'").run().await;
        assert_eq!(
            (output.code, column(&output, "operation")),
            (0, vec!["1".to_owned()]),
            "{output:?}"
        );
        assert!(scene.home.path().join("state/own.db").exists());
        let elsewhere = scene
            .command(&["operations", "list"])
            .environment("XDG_STATE_HOME", "/nonexistent");
        assert_eq!(elsewhere.run().await.stdout, "[]\n");

        // A journal that cannot be written refuses before anything is sent.
        let before = scene.effects().len();
        let blocked = scene
            .command(&["exec", &backup()])
            .environment("RESTABLE_JOURNAL", "/dev/null/journal.db");
        let output = blocked.run().await;
        assert!(
            output.code != 0 && output.stderr.contains("/dev/null/journal.db"),
            "{output:?}"
        );
        assert_eq!(scene.effects().len(), before);
    });
}

#[test]
fn what_another_identity_did_is_not_taken_up() {
    run(async {
        let scene = Scene::still().await;
        let output = scene.run(&["exec", "--no-wait", &backup()]).await;
        assert_eq!(output.code, 0, "{output:?}");
        let other = Emulator::start(options("demo")).await.unwrap();
        let endpoint = format!("azure={}", other.url());
        for words in [&["operations", "wait", "1"][..], &["operations", "resume"]] {
            let words = [words, &["--endpoint", &endpoint]].concat();
            let output = Command::new(&words).home(scene.home.path()).run().await;
            assert!(output.code == 1 || output.code == 2, "{output:?}");
            assert!(output.stderr.contains("endpoint"), "{}", output.stderr);
        }
        assert_eq!((other.journal().len(), other.ledger().len()), (0, 0));
    });
}

#[test]
fn the_tour_ends_with_a_backup_and_its_job() {
    run(async {
        let output = Command::new(&["demo"]).run().await;
        assert_eq!((output.code, output.stderr.as_str()), (0, ""), "{output:?}");
        let (_, end) = output.stdout.split_once("And follow its job").unwrap();
        let shows = |name: &str, value: &str| {
            let cells = |line: &str| -> Vec<String> {
                line.split('│').map(|cell| cell.trim().to_owned()).collect()
            };
            end.lines()
                .map(cells)
                .any(|cells| cells == [name.to_owned(), value.to_owned()])
        };
        assert!(shows("status", "Succeeded"), "{end}");
        assert!(shows("job_status", "Completed"), "{end}");
    });
}

#[test]
fn the_summary_has_what_became_of_the_targets() {
    run(async {
        let scene = Scene::fast().await;
        let words = [
            "exec",
            "--yes",
            "--summary",
            "summary.json",
            &backups("disk-%"),
        ];
        let output = scene.run(&words).await;
        assert_eq!(output.code, 2, "{output:?}");
        let text = std::fs::read_to_string(scene.home.path().join("summary.json")).unwrap();
        let summary: Value = serde_json::from_str(&text).unwrap();
        let told = &summary["statements"][0];
        assert_eq!(
            (
                &told["rows"],
                &told["complete"],
                &told["targets"]["statuses"]
            ),
            (
                &json!(3),
                &json!(false),
                &json!({"Failed": 1, "Succeeded": 2})
            ),
            "{text}"
        );
        let error = &told["targets"]["errors"][0];
        assert_eq!(
            (&error["code"], &error["count"]),
            (&json!("UserErrorEmulatorInstanceNotProtected"), &json!(1)),
            "{text}"
        );
    });
}
