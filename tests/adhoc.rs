//! What the cmdlet `Backup-AzDataProtectionBackupInstanceAdhoc` can do, in SQL: the scripts in `examples/adhoc/`, and on the journal of
//! an emulator the request that each of them sends.

use arm_emulator::{Action, Emulator, Fault, JournalEntry, Match};
use serde_json::{Value, json};

use crate::commands::Command;
use crate::examples::{Ran, Script, emulator, names};
use crate::rig::{report, run, shared};

const SUBSCRIPTION: &str = "2c9e74d1-0b35-4a8f-8d16-7f92e3b5c002";
const INSTANCE: &str =
    "disk-build-agent-01-disk-build-agent-01-28e627ad-e62a-4caa-a2a3-3e87ee1c54ad";
const BACKUP: &str = "BackupInstances_AdhocBackup";

/// The path of the instance that all scripts back up, by the name of its group.
fn path(group: &str) -> String {
    format!(
        "/subscriptions/{SUBSCRIPTION}/resourceGroups/{group}/providers/Microsoft.DataProtection/backupVaults/bv-dev-weu/backupInstances/{INSTANCE}"
    )
}

/// The body of the recorded cmdlet, and the one without a tag. An empty `triggerOption` is what Azure's clients send then.
fn body(tag: Option<&str>) -> Value {
    let option = match tag {
        Some(tag) => json!({"retentionTagOverride": tag}),
        None => json!({}),
    };
    json!({"backupRuleOptions": {"ruleName": "BackupHourly", "triggerOption": option}})
}

async fn ran(name: &str, more: &[&str]) -> (Emulator, Ran) {
    let emulator = emulator().await;
    let ran = Script::read(&format!("adhoc/{name}"))
        .run(&emulator, more)
        .await;
    (emulator, ran)
}

fn sent_body(entry: &JournalEntry) -> Value {
    serde_json::from_str(entry.body.as_deref().unwrap_or("null")).unwrap()
}

/// The one request that changes something: all of it that Azure sees, but its id.
fn request(ran: &Ran) -> Value {
    let writes = ran.writes();
    assert_eq!(writes.len(), 1, "{}: {:#?}", ran.name, ran.output);
    let entry = writes[0];
    json!({
        "method": entry.method,
        "path": entry.path,
        "query": entry.query,
        "accept": entry.accept,
        "content type": entry.content_type,
        "body": sent_body(entry),
        "operation": entry.operation,
    })
}

fn expected(group: &str, tag: Option<&str>) -> Value {
    json!({
        "method": "POST",
        "path": format!("{}/backup", path(group)),
        "query": "api-version=2026-06-01",
        "accept": "application/json",
        "content type": "application/json",
        "body": body(tag),
        "operation": BACKUP,
    })
}

/// One row, as the cmdlet writes it: the job that has been started.
fn started(ran: &Ran) {
    assert_eq!(ran.column(0, "status"), ["Succeeded"], "{}", ran.name);
    assert_eq!(ran.column(0, "backupInstanceName"), [INSTANCE]);
    assert_eq!(ran.column(0, "objectType"), ["OperationJobExtendedInfo"]);
    let job = ran.column(0, "jobId").remove(0);
    let vault = path("rg-dev-shared").replace(&format!("/backupInstances/{INSTANCE}"), "");
    let name = job.to_lowercase();
    let name = name.strip_prefix(&format!("{}/backupjobs/", vault.to_lowercase()));
    let name = name.unwrap_or_else(|| panic!("{}: {job}", ran.name));
    assert!(uuid(name), "{job}");
}

fn uuid(text: &str) -> bool {
    let digit = |c: char| c.is_ascii_hexdigit();
    let parts: Vec<usize> = text.split('-').map(str::len).collect();
    parts == [8, 4, 4, 4, 12] && text.chars().all(|c| c == '-' || digit(c))
}

/// Six parameter sets, with and without a tag, and what else names the same instance: one request.
#[test]
fn each_parameter_set_sends_the_same_request() {
    let sets = [
        "backup-expanded",
        "via-json-string",
        "via-json-file-path",
        "via-identity-backup-vault-expanded",
        "via-identity-backup-vault",
        "via-identity-expanded",
    ];
    let tagged = sets.map(|set| (set.to_owned(), "rg-dev-shared", Some("Default")));
    let plain = sets.map(|set| (format!("{set}-no-tag"), "rg-dev-shared", None));
    let others = [
        ("default-subscription".to_owned(), "rg-dev-shared", None),
        // As the user wrote it.
        ("resource-group-case".to_owned(), "RG-DEV-SHARED", None),
    ];
    run(async {
        for (name, group, tag) in tagged.into_iter().chain(plain).chain(others) {
            let (emulator, ran) = ran(&name, &[]).await;
            let ran = ran.ended(0);
            assert_eq!(request(&ran), expected(group, tag), "{name}");
            started(&ran);
            // Nothing is looked up for it: what else was asked is how the operation goes.
            let reads = ran.calls.0.iter().filter(|entry| entry.method == "GET");
            let polls = reads.filter(|entry| !entry.path.contains("/operation"));
            assert_eq!(polls.count(), 0, "{name}: {}", ran.calls.summary());
            let id = ran.writes()[0].client_request_id.clone().unwrap();
            assert!(uuid(&id), "{id}");
            let ledger = emulator.ledger();
            assert_eq!(ledger.len(), 1, "{name}");
            assert_eq!(ledger[0].client_request_id.as_deref(), Some(&*id));
        }
    });
}

/// The cmdlet itself, as recorded: what it sends is what is expected here.
#[test]
fn the_request_is_that_of_the_recorded_cmdlet() {
    let Some(folder) = shared("RESTABLE_RECORDINGS", "../shared/data/recordings") else {
        return report("recordings absent: the cmdlet's request was not compared");
    };
    let text = std::fs::read_to_string(folder.join("ps-2026-03-01.adhoc_backup.json")).unwrap();
    let recording: Value = serde_json::from_str(&text).unwrap();
    let requests = recording["interactions"].as_array().unwrap().iter();
    let requests = requests.map(|interaction| &interaction["request"]);
    let recorded: Vec<&Value> = requests.filter(|it| it["method"] == "POST").collect();
    assert_eq!(recorded.len(), 1);
    let ours = expected("rg-dev-shared", Some("Default"));
    let body: Value = serde_json::from_str(recorded[0]["body_text"].as_str().unwrap()).unwrap();
    assert_eq!(ours["body"], body);
    assert_eq!(ours["content type"], recorded[0]["headers"]["Content-Type"]);
    // Every other segment of the path is a name.
    let fixed = |path: &str| -> Vec<String> {
        let path = path.trim_start_matches("https://management.azure.com");
        let path = path.split_once('?').map_or(path, |(path, _)| path);
        path.split('/')
            .skip(1)
            .step_by(2)
            .map(str::to_owned)
            .collect()
    };
    let (ours, theirs) = (ours["path"].as_str(), recorded[0]["url"].as_str());
    assert_eq!(fixed(ours.unwrap()), fixed(theirs.unwrap()));
}

#[test]
fn no_wait_is_collected_later() {
    run(async {
        let emulator = emulator().await;
        let script = Script::read("adhoc/no-wait");
        let home = tempfile::tempdir().unwrap();
        let accepted = script.command(&emulator, &[]).home(home.path());
        let accepted = accepted.run().await;
        let ran = Ran::new("no-wait", accepted, &emulator).ended(0);
        assert_eq!(ran.column(0, "status"), ["Accepted"]);
        assert_eq!(ran.column(0, "jobId"), ["NULL"]);
        assert_eq!(request(&ran), expected("rg-dev-shared", None));
        // Nobody has asked how it goes.
        assert_eq!(ran.calls.count(), 1, "{}", ran.calls.summary());
        let id = ran.column(0, "operation_id").remove(0);
        let number = ran.column(0, "operation").remove(0);

        // Another process, in the same home: the journal there knows it. The service's id and the journal's number name it.
        let endpoint = format!("azure={}", emulator.url());
        for id in [&*id, &*number] {
            emulator.clear_journal();
            let flags = [
                "--endpoint",
                &endpoint,
                "-o",
                "json",
                "--set",
                "poll_interval=0",
            ];
            let wait = Command::new(&[&["operations", "wait", id], &flags[..]].concat());
            let waited = wait.home(home.path()).run().await;
            let waited = Ran::new("operations wait", waited, &emulator).ended(0);
            assert_eq!(waited.writes().len(), 0, "{}", waited.calls.summary());
            started(&waited);
        }
        assert_eq!(emulator.ledger().len(), 1);
    });
}

#[test]
fn as_a_job_it_goes_on_while_others_run() {
    run(async {
        let (_emulator, ran) = ran("as-job", &[]).await;
        let ran = ran.ended(0);
        assert_eq!(ran.answers.len(), 4, "{:#?}", ran.output);
        assert_eq!(ran.column(0, "status"), ["Accepted"]);
        assert_eq!(
            ran.column(1, "current_protection_state"),
            ["ProtectionConfigured", "ProtectionStopped"]
        );
        assert_eq!(ran.answers[2].len(), 1, "one operation");
        assert_eq!(ran.answers[3].len(), 1, "one job that a user started");
        assert_eq!(request(&ran), expected("rg-dev-shared", None));
    });
}

#[test]
fn what_if_sends_nothing() {
    run(async {
        let (emulator, ran) = ran("what-if", &[]).await;
        let ran = ran.ended(0);
        assert_eq!(ran.writes().len(), 0, "{}", ran.calls.summary());
        assert_eq!(emulator.ledger().len(), 0);
        assert_eq!(ran.column(0, "status"), ["NotSent"]);
        assert_eq!(ran.column(0, "http_method"), ["POST"]);
        assert_eq!(ran.column(0, "destructive"), ["false"]);
        let url = ran.column(0, "url").remove(0);
        let sent = format!("{}/backup?api-version=2026-06-01", path("rg-dev-shared"));
        assert!(url.ends_with(&sent), "{url}");
        assert_eq!(ran.answers[0][0]["body"], body(Some("Default")));
        for shown in ["operation_id", "operation", "jobId", "error_code"] {
            assert_eq!(ran.column(0, shown), ["NULL"], "{shown}");
        }
    });
}

/// A script has no terminal: there it is refused, unless the answer comes with it.
#[test]
fn confirm_needs_somebody_to_ask() {
    run(async {
        let (emulator, refused) = ran("confirm", &[]).await;
        let refused = refused.ended(1);
        assert_eq!(refused.writes().len() + emulator.ledger().len(), 0);
        assert_eq!(refused.output.stdout, "");
        assert!(
            refused.output.stderr.contains("--yes"),
            "{}",
            refused.output.stderr
        );
        let (_emulator, given) = ran("confirm", &["--yes"]).await;
        assert_eq!(request(&given.ended(0)), expected("rg-dev-shared", None));
    });
}

#[test]
fn a_subscription_that_is_no_uuid_is_refused_before_anything_is_sent() {
    run(async {
        let (_emulator, ran) = ran("bad-uuid", &[]).await;
        let ran = ran.ended(1);
        assert_eq!(ran.calls.count(), 0, "{}", ran.calls.summary());
        let told = &ran.output.stderr;
        assert!(
            told.contains("subscriptionId") && told.contains("contoso-development"),
            "{told}"
        );
    });
}

/// Of Kubernetes the default tag stands last, so that a choice by position takes another one.
#[test]
fn example_2_takes_rule_and_tag_by_what_they_are_and_follows_the_job() {
    let options =
        json!({"ruleName": "BackupDaily", "triggerOption": {"retentionTagOverride": "Default"}});
    run(async {
        let (_emulator, done) = ran("example-2", &[]).await;
        let done = done.ended(0);
        assert_eq!(done.written(), format!("1 {BACKUP}"));
        assert_eq!(
            sent_body(done.writes()[0]),
            json!({ "backupRuleOptions": options })
        );
        assert_eq!(done.column(0, "status"), ["Succeeded"]);
        assert_eq!(done.column(0, "job_status"), ["Completed"]);
        let seconds = done.answers[0][0]["job_duration_seconds"].as_f64();
        assert!(seconds.is_some_and(|seconds| seconds > 0.0), "{seconds:?}");

        // The example's loop would never end here.
        let failing = emulator().await;
        failing.inject(Fault {
            matches: Match {
                method: Some("POST".to_owned()),
                path: Some("/backup?".to_owned()),
                ..Match::default()
            },
            action: Action::FailJob {
                code: "UserErrorSnapshotLimit".to_owned(),
                message: "no more snapshots of this disk".to_owned(),
            },
        });
        let failed = Script::read("adhoc/example-2").run(&failing, &[]).await;
        let failed = failed.ended(2);
        assert_eq!(failed.column(0, "job_status"), ["Failed"]);
        assert_eq!(failed.column(0, "status"), ["Failed"]);
        assert_eq!(failed.column(0, "error_code"), ["UserErrorSnapshotLimit"]);
        assert_eq!(
            failed.column(0, "error_message"),
            ["no more snapshots of this disk"]
        );
        assert_eq!(
            failed.written(),
            format!("1 {BACKUP}"),
            "once, whatever became of it"
        );
    });
}

#[test]
fn example_2_for_a_whole_vault_is_one_statement() {
    run(async {
        let (_emulator, done) = ran("example-2-set", &[]).await;
        let done = done.ended(0);
        let mut sent: Vec<(String, String)> = done
            .writes()
            .into_iter()
            .map(|entry| {
                assert_eq!(entry.operation.as_deref(), Some(BACKUP));
                let name = entry.path.split('/').nth_back(1).unwrap();
                let body = sent_body(entry);
                let options = &body["backupRuleOptions"];
                assert_eq!(options["triggerOption"]["retentionTagOverride"], "Default");
                (
                    name[..11].to_owned(),
                    options["ruleName"].as_str().unwrap().to_owned(),
                )
            })
            .collect();
        sent.sort();
        let pair = |name: &str, rule: &str| (name.to_owned(), rule.to_owned());
        assert_eq!(
            sent,
            [
                pair("aks-dev-weu", "BackupDaily"),
                pair("disk-build-", "BackupHourly"),
                pair("disk-build-", "BackupHourly"),
                pair("stdevartifa", "BackupDaily"),
            ]
        );
        assert_eq!(done.column(0, "job_status"), ["Completed"; 4]);
        let mut jobs = done.column(0, "jobId");
        jobs.sort();
        jobs.dedup();
        assert_eq!(jobs.len(), 4);

        // More than one target is asked for, and here nobody can be asked.
        let emulator = emulator().await;
        let script = Script::read("adhoc/example-2-set");
        let refused = script.without("--yes").run(&emulator, &[]).await.ended(1);
        assert_eq!(refused.writes().len(), 0);
        let told = &refused.output.stderr;
        assert!(told.contains('4') && told.contains("--yes"), "{told}");
    });
}

/// No script of the folder is without a test.
#[test]
fn every_script_is_run_here() {
    let text = include_str!("adhoc.rs");
    let names = names("adhoc");
    for name in &names {
        let plain = name
            .trim_start_matches("adhoc/")
            .trim_end_matches("-no-tag");
        assert!(
            text.contains(&format!("\"{plain}\"")) || text.contains(&format!("\"{name}\"")),
            "{name}"
        );
    }
    report(&format!(
        "{} scripts in place of the cmdlet ran",
        names.len()
    ));
}
