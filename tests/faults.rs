//! One table of faults, each through the engine and through the command. The oracle is the same for every line: the answer
//! is complete and equal, or it is an error; never a short success. Afterwards the same session answers as before.

use std::collections::BTreeSet;
use std::sync::Arc;

use arm_emulator::{Emulator, Fault, Options};
use restable_spec::Builtin;
use serde_json::{Value, json};

use crate::commands::{Command, Output};
use crate::rig::{Answer, Rig, ask, options, report, run};

const SQL: &str = "SELECT id FROM azure.data_protection.backup_instances";
/// 2 subscriptions, 4 vaults, 400 instances, 30 on a page: 16 pages.
const ESTATE: &str = "2,4,400";
const PAGE_SIZE: usize = 30;
const PAGES: [u64; 3] = [1, 8, 16];

/// What must come of a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Expect {
    /// All rows.
    Whole,
    /// An error that has these words.
    Error(&'static [&'static str]),
    /// Either of the two.
    WholeOrError,
    /// What does not exist has no rows: so many are gone, and all else is there.
    Absent(usize),
    /// An error, or with `--partial` an answer that lacks so many rows and says so.
    Missing(usize),
}

use Expect::{Absent, Error, Missing, Whole, WholeOrError};

struct Case {
    name: &'static str,
    fault: Value,
    expect: Expect,
}

/// A fault of the lists of instances, once or for ever.
fn of_lists(times: Option<u64>, action: Value) -> Value {
    json!({"match": {"path": "/backupInstances?", "times": times}, "action": action})
}

fn status(status: u16, retry_after: Option<&str>, body: Value) -> Value {
    let headers = retry_after.map_or_else(|| json!({}), |wait| json!({"retry-after": wait}));
    json!({"kind": "status", "status": status, "headers": headers, "body": body})
}

fn arm_error(code: &str) -> Value {
    json!({"error": {"code": code, "message": format!("{code} as ordered")}})
}

fn cases() -> Vec<Case> {
    let once = |action: Value| of_lists(Some(1), action);
    let always = |action: Value| of_lists(None, action);
    // From the second page on: what comes behind a link.
    let behind_link =
        |action: Value| json!({"match": {"path": "/backupInstances?*skipToken"}, "action": action});
    let link = |to: &str| once(json!({"kind": "next_link", "link": {"to": to}}));
    let mut cases = Vec::new();
    let mut add = |name, fault, expect| {
        cases.push(Case {
            name,
            fault,
            expect,
        })
    };

    add("500 once", once(status(500, None, Value::Null)), Whole);
    add(
        "500 for ever",
        always(status(500, None, arm_error("InternalServerError"))),
        Error(&["500"]),
    );
    add(
        "502 with a page of a gateway",
        once(status(502, None, json!("<html>bad gateway</html>"))),
        Whole,
    );
    add(
        "503 without a wait",
        once(status(503, None, Value::Null)),
        Whole,
    );
    add("408 once", once(status(408, None, Value::Null)), Whole);
    add(
        "429 with Retry-After 0",
        once(status(429, Some("0"), arm_error("TooManyRequests"))),
        Whole,
    );
    add(
        "429 with Retry-After 1",
        once(status(429, Some("1"), arm_error("TooManyRequests"))),
        Whole,
    );
    add(
        "429 without a wait",
        once(status(429, None, arm_error("TooManyRequests"))),
        Whole,
    );
    let third = json!({
        "match": {"path": "/backupInstances?", "times": null, "every": 3},
        "action": status(429, Some("0"), arm_error("TooManyRequests")),
    });
    add("429 on every third request", third, Whole);
    add(
        "429 for ever",
        always(status(429, Some("1"), arm_error("TooManyRequests"))),
        Error(&[]),
    );
    add(
        "closed without an answer",
        once(json!({"kind": "close"})),
        Whole,
    );
    add(
        "closed for ever",
        always(json!({"kind": "close"})),
        Error(&[]),
    );
    add("reset once", once(json!({"kind": "reset"})), Whole);
    add(
        "reset for ever",
        always(json!({"kind": "reset"})),
        Error(&[]),
    );
    add("answered and lost", once(json!({"kind": "drop"})), Whole);
    add(
        "closed in the middle of the body",
        once(json!({"kind": "close_mid_body"})),
        Whole,
    );
    add(
        "body cut, once",
        once(json!({"kind": "truncate"})),
        WholeOrError,
    );
    add(
        "body cut, for ever",
        always(json!({"kind": "truncate"})),
        Error(&[]),
    );
    add(
        "body of one byte",
        once(json!({"kind": "truncate", "bytes": 1})),
        WholeOrError,
    );
    add(
        "says gzip and is not, for ever",
        always(json!({"kind": "bad_gzip"})),
        Error(&[]),
    );
    add(
        "200 with a page to sign in",
        once(json!({"kind": "html"})),
        Error(&["html"]),
    );
    add(
        "200 without a body",
        once(json!({"kind": "empty"})),
        Error(&[]),
    );
    add(
        "200 with {}",
        once(status(200, None, json!({}))),
        Error(&["value"]),
    );
    add(
        "200 with null for the rows",
        once(status(200, None, json!({"value": null}))),
        Error(&["value"]),
    );
    add(
        "200 with an object for the rows",
        once(status(200, None, json!({"value": {"id": "x"}}))),
        Error(&["value"]),
    );
    add(
        "200 with numbers for rows",
        once(status(200, None, json!({"value": [1, 2]}))),
        Error(&[]),
    );
    add(
        "200 with an array",
        once(status(200, None, json!([]))),
        Error(&[]),
    );
    add(
        "200 with bad JSON",
        once(status(200, None, json!("{\"value\": [}"))),
        Error(&[]),
    );
    add(
        "200 with an error for a body",
        once(status(200, None, arm_error("Hidden"))),
        Error(&[]),
    );
    add(
        "204 for a list",
        once(status(204, None, Value::Null)),
        Error(&["204"]),
    );
    add(
        "202 for a list",
        once(status(202, None, Value::Null)),
        Error(&["202"]),
    );
    add(
        "301 to another host",
        once(json!({
            "kind": "status", "status": 301, "headers": {"location": "https://evil.example/x"}, "body": null,
        })),
        Error(&[]),
    );
    add(
        "400",
        once(status(400, None, arm_error("InvalidParameter"))),
        Error(&["InvalidParameter"]),
    );
    add(
        "401 for ever",
        always(status(401, None, arm_error("AuthenticationFailed"))),
        Error(&["AuthenticationFailed"]),
    );
    add(
        "404 without a code",
        once(status(404, None, Value::Null)),
        Error(&["404"]),
    );
    add(
        "404 with a code that is no absence",
        once(status(404, None, arm_error("InvalidResourceType"))),
        Error(&["InvalidResourceType"]),
    );
    add(
        "410 behind a link",
        behind_link(status(410, None, arm_error("Gone"))),
        Error(&["410"]),
    );
    add(
        "404 behind a link",
        behind_link(status(404, None, arm_error("ResourceNotFound"))),
        Error(&["404"]),
    );
    add(
        "403 behind a link",
        behind_link(status(403, None, arm_error("AuthorizationFailed"))),
        Error(&["AuthorizationFailed"]),
    );
    add(
        "link to the same page",
        once(json!({"kind": "next_link", "link": "cyclic"})),
        Error(&[]),
    );
    add(
        "empty pages without end",
        always(json!({"kind": "next_link", "link": "endless"})),
        Error(&[]),
    );
    add(
        "link to another host",
        link("https://evil.example/x"),
        Error(&[]),
    );
    add(
        "link to the metadata service",
        link("http://169.254.169.254/metadata/identity"),
        Error(&[]),
    );
    add(
        "link to another port",
        link("http://127.0.0.1:1/x"),
        Error(&[]),
    );
    add("link to a file", link("file:///etc/passwd"), Error(&[]));
    add("link that is none", link("*&*#&$"), Error(&[]));

    // Of one scope: a vault has 100 instances, a subscription 200.
    let vault = |action: Value| json!({"match": {"path": "/backupInstances?", "times": 1}, "action": action});
    let vaults = |action: Value| json!({"match": {"path": "/providers/Microsoft.DataProtection/backupVaults?", "times": 1}, "action": action});
    for code in [
        "ResourceNotFound",
        "ParentResourceNotFound",
        "ResourceGroupNotFound",
        "UserErrorGenericResourceNotFound",
    ] {
        add(code, vault(status(404, None, arm_error(code))), Absent(100));
    }
    add(
        "SubscriptionNotFound",
        vaults(status(404, None, arm_error("SubscriptionNotFound"))),
        Absent(200),
    );
    add(
        "409 of an unregistered subscription",
        vaults(status(
            409,
            None,
            arm_error("MissingSubscriptionRegistration"),
        )),
        Absent(200),
    );
    add(
        "403 of a vault",
        vault(status(403, None, arm_error("AuthorizationFailed"))),
        Missing(100),
    );
    add(
        "403 of a subscription",
        vaults(status(403, None, arm_error("AuthorizationFailed"))),
        Missing(200),
    );
    let subscriptions = json!({
        "match": {"path": "/subscriptions?", "times": null},
        "action": status(403, None, arm_error("AuthorizationFailed")),
    });
    add(
        "403 of the subscriptions",
        subscriptions,
        Error(&["AuthorizationFailed"]),
    );
    cases
}

fn at_page(fault: &Value, page: u64) -> Fault {
    let mut fault = fault.clone();
    fault["match"]["nth"] = json!(page);
    serde_json::from_value(fault).unwrap()
}

fn ids(answer: &Answer) -> BTreeSet<String> {
    answer
        .rows
        .iter()
        .map(|row| row[0].clone().unwrap())
        .collect()
}

fn estate() -> Options {
    // Plain bodies, so that one which says that it is compressed is not.
    Options {
        page_size: PAGE_SIZE,
        gzip: false,
        ..options(ESTATE)
    }
}

/// `None` if the outcome is as it must be.
fn judge(
    expect: Expect,
    truth: &BTreeSet<String>,
    outcome: Result<&BTreeSet<String>, &str>,
) -> Option<String> {
    match (expect, outcome) {
        (Whole | WholeOrError, Ok(rows)) => {
            (rows != truth).then(|| format!("{} of {} rows", rows.len(), truth.len()))
        }
        (Absent(gone), Ok(rows)) => {
            let right = rows.len() + gone == truth.len() && rows.is_subset(truth);
            (!right).then(|| {
                format!(
                    "{} rows, not {} less than {}",
                    rows.len(),
                    gone,
                    truth.len()
                )
            })
        }
        (Error(words), Err(message)) => {
            let lacking = words.iter().find(|word| !message.contains(*word));
            lacking.map(|word| format!("the error lacks `{word}`: {message}"))
        }
        (Missing(_) | WholeOrError, Err(_)) => None,
        (Error(_) | Missing(_), Ok(rows)) => Some(format!(
            "a success with {} of {} rows",
            rows.len(),
            truth.len()
        )),
        (Whole | Absent(_), Err(message)) => Some(format!("an error: {message}")),
    }
}

#[test]
fn through_the_engine_an_answer_is_whole_or_an_error() {
    run(async {
        let rig = Rig::with(estate(), vec![Arc::new(Builtin)]).await;
        let truth = ids(&rig.rows(SQL).await);
        assert_eq!(truth.len(), 400);
        let mut failures = Vec::new();
        let cases = cases();
        for case in &cases {
            let paged = matches!(case.expect, Whole | WholeOrError);
            for page in PAGES.into_iter().take(if paged { PAGES.len() } else { 1 }) {
                let session = rig.session();
                rig.emulator.inject(at_page(&case.fault, page));
                let answer = ask(&session, SQL).await;
                let rows = answer
                    .as_ref()
                    .map(ids)
                    .map_err(|error| format!("{error} {:?}", error.diagnostic()));
                if let Some(failure) =
                    judge(case.expect, &truth, rows.as_ref().map_err(String::as_str))
                {
                    failures.push(format!("{} at page {page}: {failure}", case.name));
                }
                rig.emulator.clear_faults();
                match ask(&session, SQL).await {
                    Ok(answer) if ids(&answer) == truth => {}
                    other => failures.push(format!("{}: the next statement: {other:?}", case.name)),
                }
                if let (Missing(gone), 1) = (case.expect, page) {
                    rig.emulator.inject(at_page(&case.fault, page));
                    let answer = ask(&session, &format!("SET partial_results = on; {SQL}"))
                        .await
                        .unwrap();
                    let said = answer.report.missing.len() == 1 && !answer.report.is_complete();
                    if !said || answer.rows.len() + gone != truth.len() {
                        failures.push(format!(
                            "{}: {} rows, missing {:?}",
                            case.name,
                            answer.rows.len(),
                            answer.report.missing
                        ));
                    }
                    rig.emulator.clear_faults();
                }
            }
        }
        report(&format!(
            "{} faults through the engine, {} failures",
            cases.len(),
            failures.len()
        ));
        assert!(failures.is_empty(), "{}", failures.join("\n"));
    });
}

/// The ids that the command printed; nothing that could be taken for a whole answer if it failed.
fn printed(output: &Output) -> Result<BTreeSet<String>, String> {
    let whole: Option<Vec<Value>> = serde_json::from_str(&output.stdout).ok();
    match (output.code, whole) {
        (0 | 3, Some(rows)) => Ok(rows
            .iter()
            .map(|row| row["id"].as_str().unwrap().to_owned())
            .collect()),
        (0 | 3, None) => Err(format!(
            "exit code {} and no JSON: {}",
            output.code, output.stdout
        )),
        (_, Some(rows)) => Ok(rows.iter().map(|row| row["id"].to_string()).collect()),
        (code, None) => Err(format!("exit code {code}\n{}", output.stderr)),
    }
}

async fn through_command(case: &Case, truth: &BTreeSet<String>) -> Vec<String> {
    let emulator = Emulator::start(estate()).await.unwrap();
    let endpoint = format!("azure={}", emulator.url());
    let endless = matches!(case.expect, Error(_)) && case.fault["match"]["times"].is_null();
    // What goes on for ever ends at the deadline of the statement; nothing else comes near its own.
    let timeout = if endless { "2" } else { "600" };
    let command = |partial: bool| {
        let mut arguments = vec![
            "exec",
            "--endpoint",
            &endpoint,
            "-o",
            "json",
            "--timeout",
            timeout,
        ];
        arguments.extend(partial.then_some("--partial"));
        arguments.push(SQL);
        Command::new(&arguments)
    };
    let mut failures = Vec::new();
    emulator.inject(at_page(&case.fault, 1));
    let output = command(false).run().await;
    let rows = printed(&output);
    if let Some(failure) = judge(case.expect, truth, rows.as_ref().map_err(String::as_str)) {
        failures.push(format!("{}: {failure}", case.name));
    }
    let code = match case.expect {
        Whole | Absent(_) => Some(0),
        Error(_) | Missing(_) => Some(2),
        WholeOrError => None,
    };
    if code.is_some_and(|code| code != output.code) {
        failures.push(format!(
            "{}: exit code {} instead of {code:?}\n{}",
            case.name, output.code, output.stderr
        ));
    }
    if let Missing(gone) = case.expect {
        emulator.clear_faults();
        emulator.inject(at_page(&case.fault, 1));
        let output = command(true).run().await;
        let rows = printed(&output).map_or(0, |rows| rows.len());
        let said = output.stderr.contains("INCOMPLETE: 1 scope missing")
            && output.stderr.contains("AuthorizationFailed");
        if output.code != 3 || rows + gone != truth.len() || !said {
            failures.push(format!(
                "{} with --partial: {} and {rows} rows\n{}",
                case.name, output.code, output.stderr
            ));
        }
    }
    emulator.stop().await;
    failures
}

#[test]
fn through_the_command_an_answer_is_whole_or_an_error() {
    use futures::StreamExt;
    run(async {
        let rig = Rig::with(estate(), vec![Arc::new(Builtin)]).await;
        let truth = ids(&rig.rows(SQL).await);
        let cases = cases();
        let runs = futures::stream::iter(&cases)
            .map(|case| through_command(case, &truth))
            .buffer_unordered(4);
        let failures: Vec<String> = runs.collect::<Vec<_>>().await.concat();
        report(&format!(
            "{} faults through the command, {} failures",
            cases.len(),
            failures.len()
        ));
        assert!(failures.is_empty(), "{}", failures.join("\n"));
    });
}

#[test]
fn a_field_of_another_type_loses_nothing() {
    run(async {
        let rig = Rig::start("1,1,3").await;
        let vault = rig
            .rows("SELECT id FROM azure.data_protection.backup_vaults")
            .await;
        let item = json!({
            "id": format!("{}/backupInstances/odd", vault.value()),
            "name": 17,
            "type": {"kind": "odd"},
            "properties": "words",
            "tags": [1, 2],
            "unheardOf": {"kept": true},
        });
        rig.emulator.inject(at_page(
            &of_lists(Some(1), status(200, None, json!({"value": [item]}))),
            1,
        ));
        let sql = "SELECT name, type, properties, tags FROM azure.data_protection.backup_instances";
        let answer = rig.rows(sql).await;
        assert_eq!(
            answer.sorted(),
            [r#"17 | {"kind":"odd"} | "words" | [1,2]"#]
        );
    });
}

#[test]
fn no_request_follows_a_link_to_another_place() {
    run(async {
        // A second emulator is the other place: it must not be asked, and no token can reach it.
        let elsewhere = Rig::start("1,1,3").await;
        let rig = Rig::with(estate(), vec![Arc::new(Builtin)]).await;
        let link = format!(
            "{}/subscriptions?api-version=2022-12-01",
            elsewhere.emulator.url()
        );
        let fault = of_lists(Some(1), json!({"kind": "next_link", "link": {"to": link}}));
        rig.emulator.inject(at_page(&fault, 1));
        let error = rig.ask(SQL).await.unwrap_err();
        assert_eq!(error.fault(), restable_engine::Fault::Provider, "{error}");
        assert_eq!(elsewhere.calls().count(), 0);
    });
}
