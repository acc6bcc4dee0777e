//! How many calls a statement and a session may make: never one more, stopped as soon as it is known, and told how many it would take. And
//! that a sample of a large estate costs few.

use std::sync::Arc;

use restable_engine::{Engine, Error, Origin, Session, Settings};
use restable_http::{Client, ClientConfig};
use restable_spec::{Builtin, Registry};

use crate::rig::{Rig, ask, run, settings};

const INSTANCES: &str = "azure.data_protection.backup_instances";

fn session(rig: &Rig, given: &[(&str, u64)]) -> Session {
    let mut settings: Settings = settings();
    for (name, value) in given {
        settings
            .set(name, &value.to_string(), Origin::Flag)
            .unwrap();
    }
    rig.engine.session(settings).unwrap()
}

/// The same on the real clock, on which an hour is not over before the test is.
fn lasting(rig: &Rig, most: u64) -> Session {
    let config = ClientConfig {
        endpoint: Some(rig.emulator.url().parse().unwrap()),
        ..ClientConfig::default()
    };
    let registry = Registry::open(vec![Arc::new(Builtin)]).unwrap();
    let clients = [("azure".to_owned(), Client::new(config).unwrap())];
    let mut settings = settings();
    settings
        .set("max_calls_per_hour", &most.to_string(), Origin::Flag)
        .unwrap();
    Engine::new(registry, clients.into())
        .session(settings)
        .unwrap()
}

fn code(problem: &Error) -> &'static str {
    problem.diagnostic().code
}

/// How many calls a statement says that it made: so many surely, and so many that may have gone out.
fn counted(notes: &[String]) -> (u64, u64) {
    let said = notes.iter().find(|note| note.contains(" made"));
    let said = said.unwrap_or_else(|| panic!("{notes:?}"));
    let numbers = said.split_whitespace().filter_map(|word| match word {
        "one" => Some(1),
        word => word.parse().ok(),
    });
    let numbers: Vec<u64> = numbers.collect();
    (numbers[0], numbers.get(1).copied().unwrap_or_default())
}

#[test]
fn never_one_call_more() {
    run(async {
        // 1 list of subscriptions, 3 of vaults, 9 of instances.
        for most in 1..=14_u64 {
            let rig = Rig::start("3,9,90").await;
            let asked = ask(
                &session(&rig, &[("max_calls", most)]),
                &format!("SELECT name FROM {INSTANCES}"),
            )
            .await;
            let made = rig.calls().count() as u64;
            match asked {
                Ok(answer) => assert!(
                    most >= 13 && made == 13 && answer.rows.len() == 90,
                    "{most}"
                ),
                Err(problem) => {
                    assert!(most < 13 && made <= most, "{most}: {made}");
                    assert_eq!(code(&problem), "R0406", "{problem}");
                    assert_eq!(problem.fault(), restable_engine::Fault::Statement);
                    // As soon as all vaults are known it is known to be too much: no call is made in vain then.
                    assert!(made <= 4 || most > 4, "{most}: {made}");
                    let told = problem.diagnostic();
                    let (surely, perhaps) = counted(&told.notes);
                    assert!(
                        surely <= made && made <= surely + perhaps,
                        "{made}: {told:?}"
                    );
                    assert!(
                        told.help.as_ref().unwrap().contains("`SET max_calls = "),
                        "{told:?}"
                    );
                    assert!(
                        told.notes
                            .iter()
                            .any(|note| note.contains("1 + S + V + pages")),
                        "{told:?}"
                    );
                }
            }
        }
    });
}

#[test]
fn pages_count_and_a_statement_that_is_known_to_need_too_many_makes_none() {
    run(async {
        let rig = Rig::start("1,1,2000").await;
        let sql = format!("SELECT count(*) FROM {INSTANCES}");
        for most in [3_u64, 7, 11] {
            let problem = ask(&session(&rig, &[("max_calls", most)]), &sql)
                .await
                .unwrap_err();
            assert_eq!(
                (code(&problem), rig.calls().count() as u64),
                ("R0406", most)
            );
            rig.emulator.clear_journal();
        }
        rig.rows(&sql).await;
        rig.emulator.clear_journal();
        let problem = ask(&session(&rig, &[("max_calls", 11)]), &sql)
            .await
            .unwrap_err();
        assert_eq!(rig.calls().count(), 0);
        let told = problem.diagnostic();
        assert_eq!(
            told.message,
            "the statement needs 12 calls, and `max_calls` allows 11"
        );
        assert!(
            told.notes.iter().any(|note| note == "nothing was sent"),
            "{told:?}"
        );
        assert_eq!(
            ask(&session(&rig, &[("max_calls", 12)]), &sql)
                .await
                .unwrap()
                .value(),
            "2000"
        );
        // A sample needs not all of them.
        rig.emulator.clear_journal();
        let sample = format!("SELECT name FROM {INSTANCES} LIMIT 10");
        assert_eq!(
            ask(&session(&rig, &[("max_calls", 3)]), &sample)
                .await
                .unwrap()
                .rows
                .len(),
            10
        );
        assert_eq!(rig.calls().count(), 3);
    });
}

#[test]
fn partial_results_do_not_hide_the_limit() {
    run(async {
        let rig = Rig::start("3,9,90").await;
        let session = session(&rig, &[("max_calls", 6)]);
        session.set("partial_results", "on", Origin::Flag).unwrap();
        let problem = ask(&session, &format!("SELECT name FROM {INSTANCES}"))
            .await
            .unwrap_err();
        assert_eq!(code(&problem), "R0406");
        assert!(rig.calls().count() <= 6);
    });
}

#[test]
fn a_session_has_an_allowance_an_hour() {
    run(async {
        let rig = Rig::start("3,9,90").await;
        let first = lasting(&rig, 30);
        let sql = format!("SELECT name FROM {INSTANCES}");
        for _ in 0..2 {
            assert_eq!(ask(&first, &sql).await.unwrap().rows.len(), 90);
        }
        rig.emulator.clear_journal();
        let problem = ask(&first, &sql).await.unwrap_err();
        assert_eq!((code(&problem), rig.calls().count()), ("R0407", 0));
        // What needs fewer goes on, to the last one; what the documents answer is free.
        let subscriptions = "SELECT count(*) FROM azure.resource.subscriptions";
        for _ in 0..4 {
            ask(&first, subscriptions).await.unwrap();
        }
        assert_eq!(
            code(&ask(&first, subscriptions).await.unwrap_err()),
            "R0407"
        );
        assert_eq!(rig.calls().count(), 4);
        ask(&first, "SHOW RESOURCES IN azure.data_protection")
            .await
            .unwrap();
        ask(&first, &format!("EXPLAIN {sql}")).await.unwrap();
        // It is the session's own, and nobody raises it from within.
        assert_eq!(ask(&lasting(&rig, 30), &sql).await.unwrap().rows.len(), 90);
        assert_eq!(
            code(
                &first
                    .set("max_calls_per_hour", "31", Origin::Statement)
                    .unwrap_err()
            ),
            "R0403"
        );
        assert_eq!(
            code(
                &first
                    .set("max_calls_per_hour", "0", Origin::Statement)
                    .unwrap_err()
            ),
            "R0403"
        );
        first
            .set("max_calls_per_hour", "3", Origin::Statement)
            .unwrap();
    });
}

#[test]
fn a_sample_of_a_large_estate_costs_few_calls() {
    run(async {
        // 100 subscriptions of 10 vaults with 20 instances each.
        let rig = Rig::start("100,1000,20000").await;
        let answer = rig
            .rows(&format!("SELECT name FROM {INSTANCES} LIMIT 10"))
            .await;
        assert_eq!(answer.rows.len(), 10);
        assert_eq!(rig.calls().count(), 3, "{}", rig.calls().summary());
        // Five vaults of one subscription are enough, and at most four lists are under way when the last of them has answered.
        let answer = rig
            .rows(&format!("SELECT name FROM {INSTANCES} LIMIT 100"))
            .await;
        assert_eq!(answer.rows.len(), 100);
        assert!(
            rig.calls().count() <= 1 + 1 + 5 + 4,
            "{}",
            rig.calls().summary()
        );
        let found = rig
            .rows(&format!(
                "SELECT name FROM {INSTANCES} WHERE name LIKE '%' OFFSET 300 LIMIT 100"
            ))
            .await;
        assert_eq!(found.rows.len(), 100);
        assert!(
            rig.calls().count() <= 1 + 7 + 64,
            "{}",
            rig.calls().summary()
        );
        // Where nothing is found all of it is read, once.
        let none = rig
            .rows(&format!(
                "SELECT name FROM {INSTANCES} WHERE properties.friendlyName = 'x' LIMIT 1"
            ))
            .await;
        assert!(none.rows.is_empty());
        // The journal may also have what the statement before it gave up.
        assert_eq!(none.report.calls, 1 + 100 + 1000, "{:?}", none.report);
    });
}

#[test]
fn a_statement_that_acts_is_refused_before_its_first_action() {
    run(async {
        let rig = Rig::start("demo").await;
        let vault = "bv-sandbox";
        let sql = format!("DELETE FROM {INSTANCES} WHERE vaultName = '{vault}'");
        let count = rig
            .rows(&format!(
                "SELECT count(*) FROM {INSTANCES} WHERE vaultName = '{vault}'"
            ))
            .await;
        let targets: u64 = count.value().parse().unwrap();
        let reads = rig.calls().count() as u64;
        assert!(targets > 0);
        let session = session(&rig, &[("max_calls", reads + targets - 1)]);
        session.set("confirm", "never", Origin::Flag).unwrap();
        session.set_access(restable_engine::acting::Access::Write);
        rig.emulator.clear_journal();
        let problem = ask(&session, &sql).await.unwrap_err();
        assert_eq!(code(&problem), "R0406", "{problem}");
        assert!(
            problem
                .diagnostic()
                .notes
                .iter()
                .any(|note| note.contains("nothing that changes"))
        );
        let methods: Vec<String> = rig
            .calls()
            .0
            .into_iter()
            .map(|entry| entry.method)
            .collect();
        assert!(methods.iter().all(|method| method == "GET"), "{methods:?}");
        // With one more all of them go, and what they started is followed whatever it takes.
        session
            .set(
                "max_calls",
                &(reads + targets).to_string(),
                Origin::Statement,
            )
            .unwrap();
        session
            .set("poll_interval", "0", Origin::Statement)
            .unwrap();
        session.set("wait", "off", Origin::Statement).unwrap();
        let answer = ask(&session, &sql).await.unwrap();
        assert_eq!(answer.rows.len() as u64, targets);
    });
}

#[test]
fn over_postgres_wire_it_is_a_limit_of_the_program_and_introspection_is_free() {
    run(async {
        let rig = Rig::start("3,9,90").await;
        let mut wire = crate::postgres::Wire::connect(crate::postgres::serve(&rig).await).await;
        wire.query("SET max_calls = 1").await.unwrap();
        let sql = format!("SELECT name FROM {INSTANCES}");
        let problem = wire.query(&sql).await.unwrap_err();
        assert!(
            problem.starts_with("error[R0406]: the statement needs at least "),
            "{problem}"
        );
        wire.query("SELECT count(*) FROM pg_catalog.pg_class")
            .await
            .unwrap();
        wire.query("SELECT count(*) FROM information_schema.columns")
            .await
            .unwrap();
        assert!(rig.calls().count() <= 1);
        for (setting, code) in [("max_calls", "R0406"), ("max_calls_per_hour", "R0407")] {
            let problem = ask(&session(&rig, &[(setting, 2)]), &sql)
                .await
                .unwrap_err();
            assert_eq!(
                (
                    self::code(&problem),
                    restable_server::pg::sqlstate(&problem)
                ),
                (code, "54000")
            );
        }
    });
}

#[test]
fn show_calls_has_a_line_for_each_list() {
    run(async {
        let rig = Rig::with(
            arm_emulator::Options {
                page_size: 40,
                ..crate::rig::options("1,2,100")
            },
            vec![std::sync::Arc::new(restable_spec::Builtin)],
        )
        .await;
        let session = rig.session();
        ask(&session, &format!("SELECT name FROM {INSTANCES}"))
            .await
            .unwrap();
        let calls = ask(&session, "SHOW CALLS").await.unwrap();
        assert_eq!(
            calls.columns,
            [
                "operation",
                "method",
                "scope",
                "url",
                "calls",
                "pages",
                "rows",
                "bytes",
                "retries",
                "throttle_seconds",
                "first_row_seconds",
                "seconds",
                "status",
                "cached_seconds",
                "client_request_id"
            ]
        );
        let sum = |name: &str| -> u64 {
            let cells = calls.column(name).into_iter();
            cells
                .map(|cell| cell.unwrap().parse::<u64>().unwrap())
                .sum()
        };
        // The list of subscriptions, that of vaults, and two of instances with two pages each.
        assert_eq!(
            (calls.rows.len(), sum("calls"), sum("pages"), sum("rows")),
            (4, 6, 6, 1 + 2 + 100)
        );
        assert!(calls.column("url").iter().all(
            |url| url.unwrap().contains("api-version=") && !url.unwrap().contains("skipToken")
        ));
        assert!(
            calls
                .column("status")
                .iter()
                .all(|status| *status == Some("200"))
        );
        assert!(
            calls
                .column("first_row_seconds")
                .iter()
                .all(Option::is_some)
        );
        let all = ask(&session, "SHOW CALLS EXTENDED").await.unwrap();
        assert_eq!(all.rows.len(), 6);
        assert_eq!(
            all.column("page")
                .iter()
                .filter(|page| **page == Some("2"))
                .count(),
            2
        );
        // SHOW is no statement that calls: the last one is still the one that was shown.
        assert_eq!(ask(&session, "SHOW CALLS").await.unwrap().rows.len(), 4);
    });
}
