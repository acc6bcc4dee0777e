//! Whole commands as a user types them: stdout, stderr and exit code as one snapshot each. What changes from run to run
//! (ports, folders, bytes, seconds) is replaced by a word.
//!
//! `INSTA_UPDATE=always` writes the snapshots anew, to be read and judged before they are committed.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use arm_emulator::Emulator;
use tokio::io::AsyncWriteExt;

use crate::rig::{options, run};

/// A run of `restable` in an empty home.
pub struct Command {
    arguments: Vec<String>,
    stdin: Option<String>,
    folder: tempfile::TempDir,
    /// Its home, if that is not a folder of its own.
    home: Option<PathBuf>,
    /// Where it runs, if that is not its home.
    place: Option<PathBuf>,
    environment: Vec<(&'static str, String)>,
}

/// What a command left.
#[derive(Debug)]
pub struct Output {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Output {
    /// What a process left.
    pub fn of(output: std::process::Output) -> Output {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        Output {
            code: output.status.code().unwrap_or(-1),
            stdout: text(output.stdout),
            stderr: text(output.stderr),
        }
    }
}

impl Command {
    pub fn new(arguments: &[&str]) -> Command {
        let arguments = arguments
            .iter()
            .map(|argument| (*argument).to_owned())
            .collect();
        Command {
            arguments,
            stdin: None,
            folder: tempfile::tempdir().unwrap(),
            home: None,
            place: None,
            environment: Vec::new(),
        }
    }

    /// Has a home that it shares with other commands.
    pub fn home(mut self, home: &Path) -> Command {
        self.home = Some(home.to_owned());
        self
    }

    /// A variable of its environment.
    pub fn environment(mut self, name: &'static str, value: &str) -> Command {
        self.environment.push((name, value.to_owned()));
        self
    }

    /// Where it runs, and where its home is, if no others were given.
    pub fn folder(&self) -> &Path {
        self.home.as_deref().unwrap_or(self.folder.path())
    }

    /// Runs in this folder; its home stays its own.
    pub fn at(mut self, place: &Path) -> Command {
        self.place = Some(place.to_owned());
        self
    }

    fn stdin(mut self, text: &str) -> Command {
        self.stdin = Some(text.to_owned());
        self
    }

    /// A file in the folder where the command runs.
    pub fn file(self, name: &str, content: impl AsRef<[u8]>) -> Command {
        let path = self.folder().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
        self
    }

    /// Starts it.
    pub fn begin(&self) -> tokio::process::Child {
        let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_restable"));
        command
            .args(&self.arguments)
            .current_dir(self.place.as_deref().unwrap_or(self.folder()))
            .env_clear()
            .env("HOME", self.folder())
            .env("PATH", "")
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .stdin(if self.stdin.is_some() {
                Stdio::piped()
            } else {
                Stdio::null()
            })
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command.spawn().unwrap()
    }

    pub async fn run(&self) -> Output {
        let mut child = self.begin();
        if let (Some(text), Some(mut stdin)) = (&self.stdin, child.stdin.take()) {
            // A command that does not read its input to the end is no failure of the test.
            let _ = stdin.write_all(text.as_bytes()).await;
        }
        Output::of(child.wait_with_output().await.unwrap())
    }

    /// The command line, what it left, and files that it wrote.
    pub async fn transcript(&self, files: &[&str]) -> String {
        let output = self.run().await;
        let mut text = String::from("$ restable");
        for argument in &self.arguments {
            let plain =
                !argument.is_empty() && !argument.contains([' ', '"', '\'', '*', ';', '\n', '(']);
            let shown = if plain {
                argument.clone()
            } else {
                format!("{argument:?}")
            };
            let _ = write!(text, " {shown}");
        }
        if let Some(stdin) = &self.stdin {
            let _ = write!(text, "\n< {stdin:?}");
        }
        let _ = write!(text, "\nexit code {}\n", output.code);
        for (name, stream) in [("stdout", &output.stdout), ("stderr", &output.stderr)] {
            let _ = if stream.is_empty() {
                Ok(())
            } else {
                write!(text, "--- {name}\n{stream}")
            };
        }
        for file in files {
            let content = std::fs::read_to_string(self.folder().join(file))
                .unwrap_or_else(|error| error.to_string());
            let _ = write!(text, "--- {file}\n{content}");
        }
        steady(&text, self.folder())
    }
}

/// Replaces what changes from run to run.
fn steady(text: &str, folder: &Path) -> String {
    let text = text.replace(&folder.display().to_string(), "[FOLDER]");
    let mut lines: Vec<String> = Vec::new();
    for line in text.lines() {
        let line = after_each(line, "http://127.0.0.1:", |c| c.is_ascii_digit(), "[PORT]");
        let line = after_each(
            &line,
            "correlation id ",
            |c| c.is_ascii_hexdigit() || c == '-',
            "[ID]",
        );
        // `12 calls · 45.1 kB · 0.1 s · complete`
        let parts = line.split(" · ").map(|part| {
            let unit = part.rsplit_once(' ').map_or("", |(number, unit)| {
                if number.parse::<f64>().is_ok() && matches!(unit, "B" | "kB" | "MB" | "s") {
                    unit
                } else {
                    ""
                }
            });
            if unit.is_empty() {
                part.to_owned()
            } else {
                format!("[N] {unit}")
            }
        });
        let line = parts.collect::<Vec<_>>().join(" · ");
        let line = after_each(
            &line,
            "\"seconds\": ",
            |c| c.is_ascii_digit() || matches!(c, '.' | 'e' | '-'),
            "[N]",
        );
        let line = after_each(
            &line,
            "\"seconds\":",
            |c| c.is_ascii_digit() || matches!(c, '.' | 'e' | '-'),
            "[N]",
        );
        let line = after_each(&line, "\"bytes\": ", |c| c.is_ascii_digit(), "[N]");
        let line = after_each(&line, "\"bytes\":", |c| c.is_ascii_digit(), "[N]");
        lines.push(line);
    }
    lines.join("\n")
}

/// Replaces what follows each `mark` as long as `volatile` holds.
pub fn after_each(line: &str, mark: &str, volatile: impl Fn(char) -> bool, word: &str) -> String {
    let mut done = String::new();
    let mut rest = line;
    while let Some(at) = rest.find(mark) {
        let (before, after) = rest.split_at(at + mark.len());
        let end = after.find(|c| !volatile(c)).unwrap_or(after.len());
        done.push_str(before);
        done.push_str(if end == 0 { "" } else { word });
        rest = &after[end..];
    }
    done + rest
}

async fn transcripts(commands: Vec<Command>) -> String {
    use futures::StreamExt;
    let runs = futures::stream::iter(&commands)
        .map(|command| command.transcript(&[]))
        .buffered(2);
    runs.collect::<Vec<_>>().await.join("\n\n")
}

fn exec(arguments: &[&str]) -> Command {
    Command::new(&[&["exec", "--emulator"], arguments].concat())
}

const KAFKA: &str = "SELECT properties.friendlyName AS friendly, tags, properties -> 'policyInfo' ->> 'policyId' AS policy, \
    resourceGroupName, NULL AS nothing, 'a,\"b\"\tc' AS odd FROM azure.data_protection.backup_instances \
    WHERE vaultName = 'bv-data-disks-eus2' ORDER BY friendly LIMIT 3";
const VAULTS: &str = "SELECT name, location FROM azure.data_protection.backup_vaults ORDER BY name";
const NONE: &str =
    "SELECT name, location FROM azure.data_protection.backup_vaults WHERE name = 'no-such-vault'";

#[test]
fn rows_in_every_format() {
    run(async {
        let mut commands = Vec::new();
        for format in ["table", "json", "jsonl", "csv", "tsv", "markdown"] {
            commands.push(exec(&["-o", format, KAFKA]));
            commands.push(exec(&["-o", format, "-q", NONE]));
        }
        insta::assert_snapshot!("formats", transcripts(commands).await);
    });
}

#[test]
fn the_text_of_errors() {
    run(async {
        let scope = "SELECT name FROM azure.data_protection.backup_instances WHERE";
        let statements = [
            "SELECT * FROM azure.data_protection.backup_instanzes",
            "SELECT * FROM azure.data_protectoin.backup_instances",
            "SELECT * FROM backup_instances",
            "SELECT naem FROM azure.data_protection.backup_instances",
            "SELECT properties.policyInfo.policyId, i.vault FROM azure.data_protection.backup_instances AS i",
            "DESCRIBE METHOD azure.data_protection.backup_instances.adhoc_bakup",
            "SELECT * FROM azure.data_protection.operation_status",
            &format!("{scope} subscriptionId = 'production'"),
            &format!("{scope} \"api-version\" LIKE '2026%'"),
            "SELECT 99999999999999999999999999999999999999999999999999999999999999999999999999999999999999",
            "SELECT name FROM azure.data_protection.backup_vaults LIMIT 99999999999999999999",
            "SELEC 1",
            "SELECT 'open",
            "SELECT nosuchfunction(1)",
            "SELECT 1 / 0",
            "SELECT name FROM azure.data_protection.backup_vaults WHERE name = :vault",
            "SET no_such_setting = 1",
            "SET max_concurrency = many",
            "",
            " ; ",
        ];
        let commands = statements.iter().map(|sql| exec(&[sql])).collect();
        insta::assert_snapshot!("errors", transcripts(commands).await);
    });
}

#[test]
fn the_text_of_wrong_flags_and_files() {
    run(async {
        let broken = "id: azure\nname: azure\nproviderServices:\n  data_protection:\n    service: [unclosed\n";
        let commands = vec![
            exec(&["-f", "absent.sql"]),
            exec(&["-f", "empty.sql"]).file("empty.sql", ""),
            exec(&["-f", "comment.sql"]).file("comment.sql", "-- nothing\n/* at all */\n"),
            exec(&["-f", "latin1.sql"]).file("latin1.sql", b"SELECT 'caf\xe9'"),
            exec(&["-f", "utf16.sql"]).file("utf16.sql", b"\xff\xfeS\x00E\x00"),
            exec(&[]),
            exec(&["--set", "no_such_setting=1", "SELECT 1"]),
            exec(&["--set", "page_timeout=0", "SELECT 1"]),
            exec(&["--var", "vault", "SELECT 1"]),
            exec(&["--provider-specs", "absent", "SELECT 1"]),
            exec(&["--provider-specs", "specs", "SHOW PROVIDERS"])
                .file("specs/azure/v1/provider.yaml", broken),
            Command::new(&["exec", "--emulator=1,2", "SELECT 1"]),
            Command::new(&[
                "exec",
                "--endpoint",
                "azure=http://management.azure.com",
                "SELECT 1",
            ]),
            Command::new(&["exec", "--endpoint", "azure=not a url", "SELECT 1"]),
            Command::new(&["exec", "--no-such-flag", "SELECT 1"]),
            Command::new(&[
                "exec",
                "--auth",
                "azure=bearer:NO_SUCH_VARIABLE",
                "--endpoint",
                "azure=http://127.0.0.1:9",
                VAULTS,
            ]),
        ];
        insta::assert_snapshot!("flags_and_files", transcripts(commands).await);
    });
}

#[test]
fn the_credential_for_another_tenant() {
    run(async {
        // A variable that is set, whatever its value: nothing is sent.
        let token = "azure.auxiliary=bearer:HOME";
        let status = |flags: &[&str]| {
            Command::new(&[&["auth", "status", "-o", "csv", "--auth"], flags].concat())
        };
        let commands = vec![
            status(&["azure.auxiliary=azure:contoso.example"]),
            status(&["azure=none", "--auth", token]),
            status(&[
                "azure=none",
                "--auth",
                token,
                "--auth",
                "azure.auxiliary=none",
            ]),
            status(&[token, "--emulator"]),
            status(&["azure.auxiliary=bearer:NO_SUCH_VARIABLE"]),
            status(&["azure.auxiliary=secrettoken"]),
        ];
        insta::assert_snapshot!("auxiliary", transcripts(commands).await);
    });
}

#[test]
fn scripts_of_several_statements() {
    run(async {
        let script = "USE azure.data_protection;\nSELECT count(*) AS vaults FROM backup_vaults;\n\
            SELECT nothing FROM backup_vaults;\nSELECT 'after' AS word;\n";
        let commands = vec![
            exec(&["-f", "-"]).stdin(script),
            exec(&["--continue", "-f", "script.sql"]).file("script.sql", script),
            exec(&[
                "-o",
                "csv",
                "SELECT 1 AS a; SELECT 2 AS b; SET max_concurrency = 4; SELECT 3 AS c",
            ]),
            exec(&[
                "-v",
                "vault=bv-sandbox",
                "SELECT name FROM azure.data_protection.backup_vaults WHERE name = :vault",
            ]),
            exec(&[
                "-v",
                "vault=x' OR '1'='1",
                "SELECT name FROM azure.data_protection.backup_vaults WHERE name = :vault",
            ]),
            exec(&["-f", "bom.sql"]).file("bom.sql", "\u{feff}SELECT 1 AS one;\r\n-- done\r\n"),
            Command::new(&["--version"]),
        ];
        insta::assert_snapshot!("scripts", transcripts(commands).await);
        let summary = exec(&[
            "--continue",
            "--summary",
            "summary.json",
            "-f",
            "script.sql",
        ])
        .file("script.sql", script);
        insta::assert_snapshot!("summary", summary.transcript(&["summary.json"]).await);
        let outfile = exec(&["-o", "csv", "--outfile", "rows.csv", VAULTS]);
        insta::assert_snapshot!("outfile", outfile.transcript(&["rows.csv"]).await);
    });
}

/// Rows, and then an error.
const BREAKS: &str = "SELECT 1 / (15000 - g) AS a FROM generate_series(1, 20000) AS t(g)";

#[test]
fn the_file_of_rows_is_replaced_by_a_whole_result_only() {
    run(async {
        let into = |sql: &str| {
            exec(&["-o", "jsonl", "--outfile", "rows.jsonl", sql]).file("rows.jsonl", "kept\n")
        };
        for (sql, code, content) in [
            ("SELECT nope FROM azure.data_protection.jobs", 1, "kept\n"),
            ("USE azure.data_protection", 0, "kept\n"),
            ("SELECT 1 AS a", 0, "{\"a\":1}\n"),
            ("SELECT 1 AS a WHERE false", 0, ""),
            ("SELECT 1 AS a; SELECT nope", 1, "{\"a\":1}\n"),
            // Thousands of rows come before the one that fails.
            (BREAKS, 1, "kept\n"),
        ] {
            let command = into(sql);
            let output = command.run().await;
            let left = std::fs::read_to_string(command.folder.path().join("rows.jsonl")).unwrap();
            assert_eq!((output.code, left.as_str()), (code, content), "{sql}");
        }
        let broken = into(BREAKS);
        let output = broken.run().await;
        assert!(
            output.stderr.contains("`rows.jsonl` stays as it was"),
            "{}",
            output.stderr
        );
        let files: Vec<_> = std::fs::read_dir(broken.folder.path())
            .unwrap()
            .flatten()
            .collect();
        assert!(
            files
                .iter()
                .all(|file| !file.file_name().to_string_lossy().ends_with(".part"))
        );
        // Rows of a result that was whole stay, and what follows them is told.
        let script = into(&format!("SELECT 1 AS a; {BREAKS}"));
        let output = script.run().await;
        let left = std::fs::read_to_string(script.folder.path().join("rows.jsonl")).unwrap();
        assert!(left.starts_with("{\"a\":1}\n{\"a\":0}\n"), "{left:.100}");
        assert!(
            output.stderr.contains("ends with a part of this result"),
            "{}",
            output.stderr
        );
        // Where no file can be is told before anything is asked.
        let nowhere = exec(&["-o", "jsonl", "--outfile", "no/rows.jsonl", VAULTS]);
        let output = nowhere.run().await;
        assert_eq!((output.code, output.stdout.as_str()), (1, ""));
        assert!(
            output.stderr.contains("rows.jsonl") && !output.stderr.contains("calls"),
            "{}",
            output.stderr
        );
    });
}

#[test]
fn the_log_has_a_line_for_each_call() {
    run(async {
        let output = exec(&["--log", "debug", "-o", "jsonl", VAULTS]).run().await;
        let lines: Vec<&str> = output
            .stderr
            .lines()
            .filter(|line| line.contains(": call "))
            .collect();
        assert_eq!(lines.len(), 5, "{}", output.stderr);
        for line in lines {
            for part in [
                "method=\"GET\"",
                "url=\"http://",
                "status=200",
                "bytes=",
                "ms=",
            ] {
                assert!(line.contains(part), "{line}");
            }
        }
    });
}

#[test]
fn statements_that_ask_no_provider() {
    run(async {
        let statements = [
            "SHOW PROVIDERS",
            "SHOW SERVICES IN azure",
            "SHOW RESOURCES IN azure.data_protection LIKE 'backup%'",
            "SHOW METHODS IN azure.data_protection.backup_instances",
            "SHOW VIEWS IN azure.data_protection",
            "SHOW SETTINGS",
            "SHOW EXEC azure.data_protection.backup_instances.adhoc_backup",
            "SHOW INSERT INTO azure.data_protection.backup_policies",
            "DESCRIBE azure.data_protection.backup_instances",
            "DESCRIBE EXTENDED azure.data_protection.backup_instances",
            "DESCRIBE azure.data_protection.vw_backup_instances",
            "DESCRIBE METHOD azure.data_protection.backup_instances.adhoc_backup",
        ];
        let commands = statements
            .iter()
            .map(|sql| exec(&["-o", "table", sql]))
            .collect();
        insta::assert_snapshot!("offline", transcripts(commands).await);
    });
}

/// A command against an emulator of the test's own, with a fault in it.
async fn with_fault(fault: serde_json::Value, arguments: &[&str]) -> String {
    let emulator = Emulator::start(options("demo")).await.unwrap();
    emulator.inject(serde_json::from_value(fault).unwrap());
    let endpoint = format!("azure={}", emulator.url());
    let text = Command::new(&[&["exec", "--endpoint", &endpoint], arguments].concat())
        .transcript(&[])
        .await;
    emulator.stop().await;
    text
}

#[test]
fn what_is_said_when_the_other_side_fails() {
    run(async {
        let count = "SELECT count(*) AS instances FROM azure.data_protection.backup_instances";
        let forbidden = serde_json::json!({
            "match": {"path": "/bv-dev-weu/backupInstances", "times": null},
            "action": {"kind": "status", "status": 403, "body": {"error": {"code": "AuthorizationFailed",
                "message": "The client 'x' does not have authorization to perform action 'read' over scope 'y'."}}},
        });
        let html = serde_json::json!({"match": {"path": "/bv-dev-weu/backupInstances"}, "action": {"kind": "html"}});
        let shape = serde_json::json!({
            "match": {"path": "/bv-dev-weu/backupInstances"}, "action": {"kind": "status", "status": 200, "body": {}},
        });
        let foreign = serde_json::json!({
            "match": {"path": "/bv-dev-weu/backupInstances"},
            "action": {"kind": "next_link", "link": {"to": "https://evil.example/next?sig=not-shown"}},
        });
        let text = [
            with_fault(forbidden.clone(), &[count]).await,
            with_fault(
                forbidden,
                &[
                    "--partial",
                    "-o",
                    "table",
                    &format!("{count}; SHOW WARNINGS"),
                ],
            )
            .await,
            with_fault(html, &[count]).await,
            with_fault(shape, &[count]).await,
            with_fault(foreign, &[count]).await,
        ];
        insta::assert_snapshot!("failures", text.join("\n\n"));
    });
}
