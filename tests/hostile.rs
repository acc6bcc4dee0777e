//! Values that want to be more than a value: each is refused before anything is sent, or arrives as exactly one segment of
//! the path or one value of the query.

use crate::rig::{Rig, decode, demo, run};

const TABLE: &str = "azure.data_protection.backup_instances";

/// Refused, whatever else is done with them: they could leave their segment, or turn into what does.
const REFUSED: &[&str] = &[
    "..",
    ".",
    "../../x",
    "%2e%2e",
    "%2E.",
    "%252e%252e",
    "%25252e%25252e",
    "..%2f..",
    "a/b",
    "a%2Fb",
    "a\\b",
    "..\\..",
    "//evil.example",
    "https://evil.example/x",
    "",
    "   ",
    "a\0b",
    "x\r\nX-Evil: 1",
    "a\u{7f}b",
];

/// Refused or sent as they are.
const OTHERS: &[&str] = &[
    "a?b=c",
    "a#b",
    "a;b=c",
    "a&b",
    "a+b",
    "a b",
    "a\tb",
    "é",
    "e\u{301}",
    "／",
    "．．",
    "{vaultName}",
    "@evil.example",
    "begin!*'();:@ &=+$,[]end",
    "%41",
    "100%",
    "%",
    "%zz",
    "$skipToken",
    "a\u{202e}b",
    "🦀",
    "-",
    "~",
    "a'b",
    "a\"b",
    "a`b",
];

fn quoted(value: &str) -> String {
    format!("'{}'", value.replace('\'', "''"))
}

fn sql(vault: &str, instance: &str) -> String {
    format!(
        "SELECT name FROM {TABLE} WHERE subscriptionId = '{}' AND resourceGroupName = 'rg-backup-prod-weu' \
         AND vaultName = {} AND backupInstanceName = {}",
        demo::PRODUCTION,
        quoted(vault),
        quoted(instance),
    )
}

#[test]
fn a_value_does_not_leave_its_segment() {
    run(async {
        let rig = Rig::start("demo").await;
        let long = "x".repeat(2048);
        let mut failures = Vec::new();
        for value in REFUSED.iter().chain(OTHERS).copied().chain([long.as_str()]) {
            for (at, sql) in [(8, sql(value, "x")), (10, sql("bv-prod-weu", value))] {
                let answer = rig.ask(&sql).await;
                let calls = rig.calls().0;
                let shown = value.chars().take(40).collect::<String>();
                match (answer, calls.as_slice()) {
                    (Err(error), []) if error.fault() == restable_engine::Fault::Statement => {}
                    (_, [call]) if !REFUSED.contains(&value) => {
                        let segments: Vec<String> = call.path.split('/').map(decode).collect();
                        if segments.len() != 11 || segments[at] != value {
                            failures.push(format!("{shown:?} was sent as {}", call.path));
                        }
                    }
                    (answer, calls) => {
                        let paths: Vec<&str> =
                            calls.iter().map(|call| call.path.as_str()).collect();
                        failures.push(format!(
                            "{shown:?}: {paths:?} {:?}",
                            answer.map(|answer| answer.rows)
                        ));
                    }
                }
            }
        }
        assert!(failures.is_empty(), "{}", failures.join("\n"));
    });
}

#[test]
fn a_value_does_not_leave_its_place_in_the_query() {
    run(async {
        let rig = Rig::start("demo").await;
        for value in [
            "2025-07-01&x=1",
            "2025-07-01#x",
            "2025 07",
            "a+b",
            "%26",
            "é",
            "a=b",
        ] {
            let sql = format!(
                "SELECT count(*) FROM azure.resource.subscriptions WHERE \"api-version\" = {}",
                quoted(value)
            );
            let answer = rig.ask(&sql).await;
            let calls = rig.calls().0;
            if let [call] = calls.as_slice() {
                let pairs: Vec<(String, String)> =
                    url::form_urlencoded::parse(call.query.as_bytes())
                        .into_owned()
                        .collect();
                assert_eq!(
                    pairs,
                    [("api-version".to_owned(), value.to_owned())],
                    "{}",
                    call.query
                );
            } else {
                assert!(
                    answer.is_err() && calls.is_empty(),
                    "{value:?}: {} calls",
                    calls.len()
                );
            }
        }
    });
}

#[test]
fn long_and_deep_statements_end_in_an_answer_or_an_error() {
    run(async {
        let rig = Rig::start("1,1,3").await;
        let many = |count: usize| {
            (0..count)
                .map(|n| format!("'v{n}'"))
                .collect::<Vec<_>>()
                .join(", ")
        };
        let statements = [
            format!(
                "SELECT count(*) FROM {TABLE} WHERE name IN ({})",
                many(5_000)
            ),
            format!(
                "SELECT count(*) FROM {TABLE} WHERE {}",
                vec!["name <> 'x'"; 500].join(" AND ")
            ),
            format!("SELECT {}1", "1 + ".repeat(2_000)),
            format!("SELECT {}1{}", "(".repeat(200), ")".repeat(200)),
            format!(
                "SELECT count(*) FROM ({}) AS x",
                vec![format!("SELECT name FROM {TABLE}"); 50].join(" UNION ALL ")
            ),
            format!("SELECT {} FROM {TABLE}", vec!["name"; 300].join(", ")),
            format!("SELECT '{}'", "x".repeat(1 << 20)),
        ];
        for sql in &statements {
            if let Err(error) = rig.ask(sql).await {
                let shown = sql.chars().take(60).collect::<String>();
                assert_ne!(
                    error.fault(),
                    restable_engine::Fault::Ours,
                    "{shown}: {error}"
                );
            }
        }
        let union = rig.rows(&statements[4]).await;
        assert_eq!(union.value(), "150");
    });
}

/// The credential for another tenant is no value of a statement: its token is refused unsent, in any place, and not repeated.
#[test]
fn a_token_in_a_statement_goes_nowhere() {
    run(async {
        let rig = Rig::start("demo").await;
        let id = format!(
            "/subscriptions/{}/resourceGroups/rg-backup-prod-weu/providers/Microsoft.DataProtection/backupVaults/v/\
             backupInstances/i",
            demo::PRODUCTION
        );
        let taken = "`x-ms-authorization-auxiliary` is a credential, no value: `--auth azure.auxiliary=…` gives it";
        let not_taken = "`x-ms-authorization-auxiliary` is a credential, no value, and \
                         `backup_instances.adhoc_backup` takes none";
        for (sql, told) in [
            (
                format!(
                    "EXEC {TABLE}.stop_protection @id = '{id}', @x_ms_authorization_auxiliary = 'hunter2'"
                ),
                taken,
            ),
            (
                // Where the document may be wrong about the body, a name that it does not have is sent.
                format!(
                    "EXEC {TABLE}.stop_protection @id = '{id}', @api_version = '2024-04-01', \
                     @xMsAuthorizationAuxiliary = 'hunter2'"
                ),
                taken,
            ),
            (
                format!(
                    "EXEC {TABLE}.adhoc_backup @id = '{id}', @x_ms_authorization_auxiliary = 'hunter2'"
                ),
                not_taken,
            ),
            (
                format!(
                    "DELETE FROM {TABLE} WHERE id = '{id}' AND \"x-ms-authorization-auxiliary\" = 'hunter2'"
                ),
                taken,
            ),
            (
                format!(
                    "DELETE FROM {TABLE} WHERE vaultName = 'v' AND (name = 'i' AND x_ms_authorization_auxiliary IN \
                     ('hunter2'))"
                ),
                taken,
            ),
            (
                format!(
                    "INSERT INTO {TABLE} (id, properties, x_ms_authorization_auxiliary) VALUES ('{id}', '{{}}', \
                     'hunter2')"
                ),
                taken,
            ),
        ] {
            let refused = rig.ask(&sql).await.unwrap_err();
            assert_eq!(refused.diagnostic().message, told, "{sql}");
            assert!(
                !format!("{refused:?} {refused}").contains("hunter"),
                "{sql}"
            );
            assert_eq!(rig.calls().count(), 0, "{sql}");
        }
    });
}
