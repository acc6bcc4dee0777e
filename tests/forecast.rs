//! What EXPLAIN says before a statement runs, against what the emulator saw of it: for every query of the SQL logic files and of the examples,
//! after one walk of the estate.

mod exact;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use restable_engine::Session;
use restable_engine::sql::Statement;

use crate::rig::{Answer, Rig, ask, foreseen, options, report, root, run, settings};

const INSTANCES: &str = "azure.data_protection.backup_instances";

/// Why bounds may differ.
const REASONS: [&str; 4] = [
    "LIMIT",
    "extra pages",
    "the other side of a join",
    "what narrows it while it runs",
];

/// How it is told that a statement names what no walk has seen. There is no upper bound then.
const UNSEEN: &str = "no walk has read";

/// Reads every list of the estate once: each table that can be read without a predicate.
async fn walk(rig: &Rig) {
    let tables = rig
        .rows("SELECT table_catalog, table_schema, table_name FROM information_schema.tables WHERE table_catalog = 'azure' AND table_type = 'BASE TABLE'")
        .await;
    assert!(tables.rows.len() > 10);
    let mut read = 0;
    for row in &tables.rows {
        let names: Vec<&str> = row.iter().map(|name| name.as_deref().unwrap()).collect();
        // What cannot be enumerated must be bound, and is no part of a walk.
        let answer = rig
            .ask(&format!("SELECT count(*) FROM {}", names.join(".")))
            .await;
        read += usize::from(answer.is_ok());
    }
    assert!(read > 10, "{read}");
}

#[derive(Default)]
struct Tally {
    queries: usize,
    /// Queries that counted a call which was not sent.
    given_up: usize,
    exact: usize,
    reasons: BTreeMap<String, usize>,
    /// Queries of scopes that the walk did not see, such as a subscription that does not exist.
    unseen: usize,
    wrong: Vec<String>,
}

impl Tally {
    /// Runs one statement and compares. Statements that fail are other tests' business.
    async fn take(&mut self, rig: &Rig, session: &Session, sql: &str) {
        let (mut forecast, mut counted) = (None, 0);
        let mut fact = 0;
        // A call that the query before gave up may reach the emulator only now: it is not this one's, and does not come again.
        for _ in 0..3 {
            rig.emulator.clear_journal();
            let Ok((foreseen, answer)) = foreseen(session, sql).await else {
                return;
            };
            (forecast, counted) = (foreseen, answer.report.calls);
            fact = rig.calls().count() as u64;
            if fact <= counted {
                break;
            }
        }
        // Where a join ends before its other side was read, calls of that side are given up before they were sent.
        assert!(fact <= counted, "{sql}: {fact}, {counted} counted");
        self.given_up += usize::from(fact < counted);
        let Some(forecast) = forecast else { return };
        let Some(calls) = forecast.calls else {
            assert_eq!(fact, 0, "{sql}\n{}", rig.calls().summary());
            return;
        };
        self.queries += 1;
        self.exact += usize::from(calls.is_exact());
        let mut problems = Vec::new();
        if !calls.holds(fact) {
            problems.push(format!("{calls:?} does not hold {fact}"));
        }
        let mut all = forecast.scans.iter().flat_map(|scan| &scan.reasons);
        let unseen = all.any(|reason| reason.starts_with(UNSEEN));
        if calls.most.is_none() != unseen {
            problems.push("an upper bound is missing, or one is not".to_owned());
        }
        self.unseen += usize::from(unseen);
        let ran = session.last_statement().unwrap();
        // The statement planned anew, so that its scans have other numbers: only listings can be compared.
        problems.extend(
            forecast
                .surprises(&ran)
                .into_iter()
                .filter(|part| !part.starts_with("scan")),
        );
        for scan in &forecast.scans {
            for reason in &scan.reasons {
                *self.reasons.entry(reason.clone()).or_default() += 1;
                if !REASONS.contains(&&**reason) && !reason.starts_with(UNSEEN) {
                    problems.push(format!("bounds differ by {reason}"));
                }
            }
            if scan.reasons.is_empty() != scan.calls.is_exact() {
                problems.push(format!("no reason for {:?}", scan.calls));
            }
        }
        if !problems.is_empty() {
            let scans = forecast.scans.iter().map(|scan| format!("{scan:?}"));
            self.wrong.push(format!(
                "{sql}\n  {}\n  calls: {}\n  {}",
                problems.join("; "),
                rig.calls().summary(),
                scans.collect::<Vec<_>>().join("\n  ")
            ));
        }
    }

    fn told(self, what: &str) {
        assert!(
            self.wrong.is_empty(),
            "{} of {}:\n{}",
            self.wrong.len(),
            self.queries,
            self.wrong.join("\n\n")
        );
        report(&format!(
            "forecasts of {what}: {} queries, {} of them exact; others differ by {:?}",
            self.queries, self.exact, self.reasons
        ));
        assert!(self.queries > 0);
        let given_up = self.given_up;
        assert!(
            given_up * 20 <= self.queries,
            "{given_up} counted what was not sent"
        );
    }
}

fn files(folder: &Path, ending: &str, found: &mut Vec<PathBuf>) {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut entries: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    for entry in entries {
        if entry.is_dir() {
            files(&entry, ending, found);
        } else if entry
            .extension()
            .is_some_and(|extension| extension == ending)
        {
            found.push(entry);
        }
    }
}

#[test]
fn bounds_hold_the_calls_of_every_query_of_the_sql_logic_files() {
    run(async {
        let mut paths = Vec::new();
        files(&root().join("tests/slt"), "slt", &mut paths);
        let mut tally = Tally::default();
        for path in paths {
            let text = std::fs::read_to_string(&path).unwrap();
            let estate = text.lines().find_map(|line| line.strip_prefix("# estate:"));
            let rig = Rig::start(estate.unwrap_or("demo").trim()).await;
            walk(&rig).await;
            let session = rig.session();
            let records =
                sqllogictest::parse_file::<sqllogictest::DefaultColumnType>(&path).unwrap();
            for record in records {
                match record {
                    sqllogictest::Record::Query { sql, .. }
                    | sqllogictest::Record::Statement { sql, .. } => {
                        tally.take(&rig, &session, &sql).await;
                    }
                    _ => {}
                }
            }
        }
        assert!(tally.queries > 150, "{}", tally.queries);
        assert!(tally.unseen <= 3, "{}", tally.unseen);
        tally.told("the SQL logic files");
    });
}

#[test]
fn bounds_hold_the_calls_of_every_query_of_the_examples() {
    run(async {
        let mut paths = Vec::new();
        files(&root().join("examples"), "sql", &mut paths);
        let mut tally = Tally::default();
        for path in paths {
            let text = std::fs::read_to_string(&path).unwrap();
            let rig = Rig::start("demo").await;
            walk(&rig).await;
            let session = rig.session();
            let words: Vec<&str> = text.split_whitespace().collect();
            for pair in words.windows(2) {
                if let (["-v", given], Some((name, value))) = (pair, pair[1].split_once('=')) {
                    assert!(!given.is_empty());
                    session.set_variable(name, value);
                }
            }
            for parsed in restable_sql::parse(&text).unwrap() {
                let quiet = matches!(
                    parsed.statement,
                    Statement::Query(_) | Statement::Use(_) | Statement::Set(_)
                );
                // What acts is not what this is about.
                if quiet && parsed.calls.is_empty() {
                    tally.take(&rig, &session, &parsed.text).await;
                }
            }
        }
        assert_eq!(tally.unseen, 0);
        tally.told("the examples");
    });
}

/// The forecast of a query after a walk: the bounds, and what the emulator saw.
async fn predicted(rig: &Rig, sql: &str) -> (Option<u64>, u64, u64) {
    let session = rig.session();
    rig.emulator.clear_journal();
    let (forecast, _) = foreseen(&session, sql).await.unwrap();
    let calls = forecast.unwrap().calls.unwrap();
    (calls.most, calls.least, rig.calls().count() as u64)
}

#[test]
fn both_bounds_are_the_fact_where_nothing_is_open() {
    run(async {
        let rig = Rig::start("3,9,90").await;
        walk(&rig).await;
        let keys = rig
            .rows(&format!("SELECT subscriptionId, resourceGroupName, vaultName, name FROM {INSTANCES} ORDER BY id LIMIT 1"))
            .await;
        let key = |at: usize| keys.rows[0][at].clone().unwrap();
        let vault = format!(
            "subscriptionId = '{}' AND resourceGroupName = '{}' AND vaultName = '{}'",
            key(0),
            key(1),
            key(2)
        );
        // A GET by key, a list with full parents of one page, the whole relation of an estate of one page a list.
        for (condition, calls) in [
            (
                format!("WHERE {vault} AND backupInstanceName = '{}'", key(3)),
                1,
            ),
            (format!("WHERE {vault}"), 1),
            (String::new(), 1 + 3 + 9),
            (format!("WHERE subscriptionId = '{}'", key(0)), 1 + 3),
            ("WHERE vaultName LIKE '%'".to_owned(), 1 + 3 + 9),
            ("WHERE vaultName = 'none-of-them'".to_owned(), 1 + 3),
            ("WHERE vaultName = 'a' AND vaultName = 'b'".to_owned(), 0),
        ] {
            let sql = format!("SELECT name FROM {INSTANCES} {condition}");
            assert_eq!(
                predicted(&rig, &sql).await,
                (Some(calls), calls, calls),
                "{sql}"
            );
        }
        // The walk knows that a side of a join has rows, so that the other is read.
        let vaults = "azure.data_protection.backup_vaults";
        let policies = "azure.data_protection.backup_policies";
        let keys = "(subscriptionId, resourceGroupName, vaultName)";
        for (from, calls) in [
            (
                format!("{vaults} v JOIN {policies} p USING {keys}"),
                1 + 3 + 9,
            ),
            (
                format!("{vaults} v LEFT JOIN {policies} p USING {keys}"),
                1 + 3 + 9,
            ),
            (
                format!("{vaults} v FULL JOIN {policies} p USING {keys}"),
                1 + 3 + 9,
            ),
            (format!("{vaults} v CROSS JOIN {policies} p"), 1 + 3 + 9),
            (
                format!("{INSTANCES} i WHERE vaultName NOT IN (SELECT vaultName FROM {policies})"),
                1 + 3 + 9 + 9,
            ),
            (
                format!(
                    "{INSTANCES} i WHERE NOT EXISTS (SELECT 1 FROM {policies} p WHERE p.vaultName = i.vaultName)"
                ),
                1 + 3 + 9 + 9,
            ),
            (
                format!(
                    "{vaults} v JOIN (SELECT DISTINCT vaultName AS n FROM {policies}) p ON v.vaultName = p.n"
                ),
                1 + 3 + 9,
            ),
        ] {
            let sql = format!("SELECT count(*) FROM {from}");
            let (most, least, fact) = predicted(&rig, &sql).await;
            assert_eq!((most, least, fact), (Some(calls), calls, calls), "{sql}");
        }
        let limited = format!("SELECT name FROM {INSTANCES} LIMIT 2");
        assert_eq!(predicted(&rig, &limited).await, (Some(13), 3, 3));
    });
}

#[test]
fn without_a_walk_there_are_symbols_and_lower_bounds() {
    run(async {
        let rig = Rig::start("3,9,90").await;
        let explain = format!("EXPLAIN SELECT name FROM {INSTANCES}");
        let text = |answer: &Answer| {
            answer
                .rows
                .iter()
                .map(|row| row[1].clone().unwrap())
                .collect::<Vec<_>>()
                .join("\n")
        };
        let before = text(&rig.rows(&explain).await);
        assert_eq!(rig.calls().count(), 0);
        assert!(
            before.contains("calls: 1 + S + V + pages; S: subscriptions, V: vaults\n"),
            "{before}"
        );
        assert!(before.contains("bounds: at least 1;"), "{before}");
        // A walk of one subscription says nothing of the others.
        let one = rig
            .rows("SELECT subscriptionId FROM azure.resource.subscriptions ORDER BY 1 LIMIT 1")
            .await;
        let one = one.value();
        rig.rows(&format!(
            "SELECT count(*) FROM {INSTANCES} WHERE subscriptionId = '{one}'"
        ))
        .await;
        let of_one = text(
            &rig.rows(&format!("{explain} WHERE subscriptionId = '{one}'"))
                .await,
        );
        assert!(
            of_one.contains("calls: 1 + V + pages = 1 + 3 + 0 = 4; V = 3 vaults; as of "),
            "{of_one}"
        );
        let whole = text(&rig.rows(&explain).await);
        assert!(whole.contains("bounds: at least 1;"), "{whole}");
        rig.rows(&format!("SELECT count(*) FROM {INSTANCES}")).await;
        let after = text(&rig.rows(&explain).await);
        assert!(
            after.contains("calls: 1 + S + V + pages = 1 + 3 + 9 + 0 = 13; S = 3 subscriptions, V = 9 vaults; as of "),
            "{after}"
        );
        assert!(after.contains("bounds: 13"), "{after}");
        assert!(
            after.contains("250 reads of ") || after.contains(" that are left"),
            "{after}"
        );
        let ran = text(
            &rig.rows(&format!("EXPLAIN ANALYZE SELECT name FROM {INSTANCES}"))
                .await,
        );
        assert_eq!(rig.calls().count(), 13);
        assert!(ran.contains("fact: 13 calls, as predicted"), "{ran}");
    });
}

#[test]
fn a_walk_that_broke_off_leaves_what_is_sure() {
    run(async {
        let rig = Rig::start("2,4,40").await;
        let vault = rig
            .rows("SELECT name FROM azure.data_protection.backup_vaults ORDER BY 1 LIMIT 1")
            .await;
        let vault = vault.value().to_owned();
        let body = serde_json::json!({"error": {"code": "AuthorizationFailed", "message": "no"}});
        rig.emulator.inject(
            serde_json::from_value(serde_json::json!({
                "match": {"path": format!("/backupVaults/{vault}/backupInstances?"), "times": null},
                "action": {"kind": "status", "status": 403, "headers": {}, "body": body},
            }))
            .unwrap(),
        );
        rig.ask(&format!("SELECT count(*) FROM {INSTANCES}"))
            .await
            .unwrap_err();
        let session = rig.session();
        session
            .set("partial_results", "on", restable_engine::Origin::Flag)
            .unwrap();
        ask(&session, &format!("SELECT count(*) FROM {INSTANCES}"))
            .await
            .unwrap();
        let parsed = restable_sql::parse(&format!("SELECT name FROM {INSTANCES}"))
            .unwrap()
            .remove(0);
        let prepared = session.prepare(&parsed).await.unwrap();
        let calls = session
            .forecast(&prepared)
            .await
            .unwrap()
            .unwrap()
            .calls
            .unwrap();
        // Of the vault that could not be read it is not known how many pages it has.
        assert_eq!((calls.least, calls.most), (1 + 2 + 4, None));
    });
}

#[test]
fn the_memory_outlives_the_process_and_is_never_anothers() {
    run(async {
        let place = tempfile::tempdir().unwrap();
        let rig = Rig::start("2,4,40").await;
        let kept = |estate: &str| {
            let estates = [("azure".to_owned(), estate.to_owned())].into();
            let directory = Some(place.path().join("walks"));
            let place = restable_engine::MemoryPlace { directory, estates };
            rig.engine
                .clone()
                .with_memory(place)
                .session(settings())
                .unwrap()
        };
        let explain = format!("EXPLAIN SELECT name FROM {INSTANCES}");
        let told = |answer: Answer| format!("{:?}", answer.rows);
        ask(&kept("one"), &format!("SELECT count(*) FROM {INSTANCES}"))
            .await
            .unwrap();
        assert!(told(ask(&kept("one"), &explain).await.unwrap()).contains("V = 4 vaults"));
        assert!(told(ask(&kept("two"), &explain).await.unwrap()).contains("V: vaults"));
        // A SELECT whose memory cannot be written succeeds all the same.
        std::fs::remove_dir_all(place.path().join("walks")).unwrap();
        std::fs::write(place.path().join("walks"), "no directory").unwrap();
        let count = ask(&kept("one"), &format!("SELECT count(*) FROM {INSTANCES}"))
            .await
            .unwrap();
        assert_eq!(count.value(), "40");
    });
}

#[test]
fn pages_are_counted() {
    run(async {
        let rig = Rig::with(
            arm_emulator::Options {
                page_size: 40,
                ..options("3,7,700")
            },
            vec![std::sync::Arc::new(restable_spec::Builtin)],
        )
        .await;
        walk(&rig).await;
        let whole = 1 + 3 + 7 * 3;
        let sql = format!("SELECT name FROM {INSTANCES}");
        assert_eq!(predicted(&rig, &sql).await, (Some(whole), whole, whole));
    });
}
