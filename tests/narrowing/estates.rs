//! Queries made at random over estates made at random, whose names are spelled in several ways. Each answers as brute force does, makes no call twice and
//! no more than reading its tables whole, but for rows that it names; and the bounds that EXPLAIN gives before it hold what it calls.

mod queries;

use std::collections::{BTreeMap, BTreeSet};

use arm_emulator::JournalEntry;
use restable_engine::{Origin, Session};
use restable_spec::SINGLE_GETS;

use self::queries::{Maker, Query, key_of, sees_case, written};
use super::Random;
use super::mixed::{self, Mixed};
use super::relations::{TABLES, hold, rows, twice};
use crate::rig::{Rig, ask, demo, foreseen, options, report, run, settings};

/// Why bounds may differ.
const REASONS: [&str; 5] = [
    "LIMIT",
    "extra pages",
    "the other side of a join",
    "what narrows it while it runs",
    "the spelling of names",
];

/// What a test of an estate needs.
struct World {
    rig: Rig,
    _mixed: Mixed,
    /// Holds the whole relations.
    memory: Session,
    /// The calls that read each table whole, by name.
    walks: BTreeMap<&'static str, BTreeSet<String>>,
    /// Rows of each table with their scope columns, id and key.
    rows: BTreeMap<&'static str, Vec<Vec<String>>>,
}

impl World {
    async fn of(estate: &str, page_size: usize, seed: u64) -> World {
        let mut options = options(estate);
        options.page_size = page_size;
        options.seed = seed;
        let mut rig = Rig::with(options, Vec::new()).await;
        let mixed = Mixed::before(rig.emulator.address(), seed).await;
        rig.engine = mixed::engine(&mixed);
        let memory = rig.session();
        let (mut walks, mut rows) = (BTreeMap::new(), BTreeMap::new());
        for (name, table, columns) in TABLES {
            rig.emulator.clear_journal();
            hold(&memory, (name, table, columns)).await;
            let calls = rig.emulator.journal();
            let calls = calls.iter().map(name_of);
            walks.insert(name, calls.collect());
            let columns = match name {
                "subscriptions" => "subscriptionId".to_owned(),
                _ => format!(
                    "subscriptionId, resourceGroupName, vaultName, id, {}",
                    key_of(name)
                ),
            };
            let some = format!("SELECT {columns} FROM {name} ORDER BY 1 LIMIT 400");
            let some = ask(&memory, &some).await.unwrap().rows;
            let some = some.into_iter();
            let some = some.map(|row| row.into_iter().map(Option::unwrap_or_default).collect());
            // One that is deleted is listed, and not there when it is asked for.
            let is_there = |row: &Vec<String>| !row[0].eq_ignore_ascii_case(demo::LEGACY);
            rows.insert(name, some.filter(is_there).collect());
        }
        World {
            rig,
            _mixed: mixed,
            memory,
            walks,
            rows,
        }
    }

    fn whole(&self, tables: &[&'static str]) -> u64 {
        let calls = tables.iter().flat_map(|table| &self.walks[table]);
        calls.collect::<BTreeSet<_>>().len() as u64
    }
}

fn name_of(call: &JournalEntry) -> String {
    format!("{}?{}", call.path.to_lowercase(), call.query)
}

/// Of a query of more rows not even these are compared: some of them are joined to themselves.
const ROWS: usize = 3000;

#[derive(Default)]
struct Tally {
    queries: usize,
    unsupported: usize,
    /// Queries of so many rows that they are not asked.
    large: usize,
    found: usize,
    exact: usize,
    calls: u64,
    whole: u64,
    /// Queries that cost more than reading each table whole, once.
    beyond: usize,
    reasons: BTreeMap<String, usize>,
}

async fn check(world: &World, query: &Query, tally: &mut Tally) -> Vec<String> {
    let live = written(&query.sql, true, &query.confined);
    let cut = |sql: &str| match query.cut {
        Some((limit, offset)) => format!("{sql} LIMIT {limit} OFFSET {offset}"),
        None => sql.to_owned(),
    };
    if let Some(product) = &query.product {
        let rows = written(product, false, &query.confined);
        let rows = ask(&world.memory, &format!("SELECT count(*) FROM ({rows}) x")).await;
        if rows.is_ok_and(|rows| rows.value().parse::<usize>().unwrap() > ROWS) {
            tally.large += 1;
            return Vec::new();
        }
    }
    let expected = written(&query.sql, false, &query.confined);
    let expected = match ask(&world.memory, &expected).await {
        Ok(expected) => rows(&expected),
        // Some correlated subqueries are beyond DataFusion.
        Err(_) => {
            tally.unsupported += 1;
            return Vec::new();
        }
    };
    let mut problems = Vec::new();
    // A session that has seen nothing, and the one whose tables are in memory, which has seen it all.
    for fresh in [true, false] {
        let own = world.rig.engine.session(settings()).unwrap();
        let session = if fresh { &own } else { &world.memory };
        for (name, value) in query.settings {
            let set = format!("SET datafusion.execution.{name} = {value}");
            ask(session, &set).await.unwrap();
        }
        let confined = query.confined.join(",");
        session
            .set("subscriptions", &confined, Origin::Flag)
            .unwrap();
        world.rig.emulator.clear_journal();
        let (forecast, answer) = match foreseen(session, &cut(&live)).await {
            Ok(foreseen) => foreseen,
            Err(problem) => {
                problems.push(format!("{problem:?}"));
                return problems;
            }
        };
        session.set("subscriptions", "", Origin::Flag).unwrap();
        let spent = answer.report.calls;
        let found = rows(&answer);
        problems.extend(twice(session).iter().map(|call| format!("twice: {call}")));
        match query.cut {
            _ if sees_case(&query.sql) => {}
            None if found != expected => {
                problems.push(format!(
                    "{} rows, {} expected: {:?}",
                    found.len(),
                    expected.len(),
                    found
                        .iter()
                        .filter(|it| !expected.contains(it))
                        .chain(expected.iter().filter(|it| !found.contains(it)))
                        .take(3)
                        .collect::<Vec<_>>()
                ));
            }
            None => {}
            Some((limit, offset)) => {
                let most = expected.len().saturating_sub(offset).min(limit);
                let mut known = expected.clone();
                let all = found.iter().all(|row| {
                    let at = known.iter().position(|it| it == row);
                    at.map(|at| known.swap_remove(at)).is_some()
                });
                if found.len() != most || !all {
                    problems.push(format!("{} rows of {most}", found.len()));
                }
            }
        }
        let whole = world.whole(&query.tables);
        // No list is read beside those of the walks, and what is read instead of one costs no more than it: narrower lists, and rows by their keys, of
        // which there are a few at most even where the list is one page.
        let lists: BTreeSet<&String> = query
            .tables
            .iter()
            .flat_map(|it| &world.walks[it])
            .collect();
        let calls = world.rig.emulator.journal();
        let beside = calls.iter().filter(|call| !lists.contains(&name_of(call)));
        let beside: Vec<&JournalEntry> = beside.collect();
        let narrower = beside.len() as u64;
        let each = query.tables.iter();
        let each = each.map(|it| world.walks[it].len().max(SINGLE_GETS) as u64);
        let each: u64 = each.sum();
        if narrower > each || spent > each {
            problems.push(format!("{spent} calls, {narrower} narrower, of {each}"));
        }
        // More than the tables read whole, once, are only such rows: one that the statement names is read by its key, a call, where nobody knows yet whether the list
        // that has it is wanted at all, and a list of instances or jobs may be hundreds of pages.
        let is_key = |call: &&&JournalEntry| {
            let operation = call.operation.as_deref().unwrap_or_default();
            operation.ends_with("_Get")
        };
        let keys = beside.iter().filter(is_key).count() as u64;
        if spent > whole + keys {
            problems.push(format!("{spent} calls, {keys} by key, of {whole}"));
        }
        tally.beyond += usize::from(spent > whole);
        let Some(forecast) = forecast else { continue };
        match forecast.calls {
            Some(calls) => {
                if !calls.holds(spent) {
                    problems.push(format!("{calls:?} does not hold {spent}"));
                }
                // What is named may be what no walk has seen.
                let mut all = forecast.scans.iter().flat_map(|scan| &scan.reasons);
                let unseen = all.any(|reason| {
                    reason.starts_with("no walk has read") || reason.as_str() == "extra pages"
                });
                if calls.most.is_none() && !unseen {
                    problems.push("no upper bound".to_owned());
                }
                let named = forecast.scans.iter().any(|scan| !scan.reasons.is_empty());
                if !calls.is_exact() && !named {
                    problems.push(format!("{calls:?} without a reason"));
                }
                for scan in &forecast.scans {
                    if !scan.calls.is_exact() && scan.reasons.is_empty() {
                        problems.push(format!("{:?} without a reason", scan.calls));
                    }
                    let known = |reason: &&String| {
                        !REASONS.contains(&&***reason) && !reason.starts_with("no walk has read")
                    };
                    let other = scan.reasons.iter().find(known);
                    problems.extend(other.map(|reason| format!("bounds differ by {reason}")));
                }
                tally.exact += usize::from(calls.is_exact());
            }
            None if spent > 0 => problems.push(format!("no forecast of {spent}")),
            None => {}
        }
        for reason in forecast.scans.iter().flat_map(|scan| &scan.reasons) {
            *tally.reasons.entry(reason.clone()).or_default() += 1;
        }
        if !problems.is_empty() {
            problems.push(format!("fresh: {fresh}; {}", world.rig.calls().summary()));
            let scans = forecast.scans.iter();
            problems.extend(scans.map(|scan| format!("{scan:?}")));
            return problems;
        }
        tally.calls += spent;
        tally.whole += whole;
        tally.found += found.len();
    }
    tally.queries += 1;
    problems
}

/// A number that a person may set.
fn said(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

/// `RESTABLE_TEST_SEED` and `RESTABLE_TEST_NUMBER` repeat one estate, and one query of it.
#[test]
fn names_in_any_spelling_are_foreseen_and_found() {
    run(async {
        let long = std::env::var("RESTABLE_TEST_LONG").is_ok_and(|long| !long.is_empty());
        let (estates, queries) = if long { (12, 120) } else { (4, 40) };
        let only = said("RESTABLE_TEST_NUMBER");
        let queries = only.map_or(queries, |only| only + 1);
        let seeds = match said("RESTABLE_TEST_SEED") {
            Some(seed) => seed..seed + 1,
            None => 1..1 + estates,
        };
        let mut tally = Tally::default();
        let mut wrong = Vec::new();
        for seed in seeds {
            let mut random = Random(seed);
            for _ in 0..3 {
                random.below(2);
            }
            let estate = match random.below(3) {
                0 => "demo".to_owned(),
                _ => {
                    let subscriptions = 1 + random.below(4);
                    let vaults = 1 + random.below(7);
                    let instances = random.below(60);
                    format!("{subscriptions},{vaults},{instances}")
                }
            };
            let page_size = [200, 3, 10][random.below(3)];
            let world = World::of(&estate, page_size, seed).await;
            for number in 0..queries {
                let query = Maker::new(&mut random, &world).query();
                if only.is_some_and(|only| only != number) {
                    continue;
                }
                let problems = check(&world, &query, &mut tally).await;
                if !problems.is_empty() {
                    let problem = format!(
                        "RESTABLE_TEST_SEED={seed} RESTABLE_TEST_NUMBER={number} ({estate}, pages of {page_size}): {}\n  {:?}\n  {}",
                        written(&query.sql, true, &[]),
                        (query.cut, query.settings, &query.confined),
                        problems.join("\n  ")
                    );
                    // At once, too: whoever stops the test has seen it.
                    println!("{problem}\n");
                    wrong.push(problem);
                }
            }
        }
        assert!(
            wrong.is_empty(),
            "{} wrong:\n{}",
            wrong.len(),
            wrong.join("\n\n")
        );
        let left_out = tally.unsupported + tally.large;
        assert!(only.is_some() || tally.found > 0 && left_out * 4 < tally.queries);
        report(&format!(
            "names in any spelling: {} random queries over {estates} estates answer as brute force does, each twice, with {} of {} calls; \
             {} cost more than their tables read once, by rows that they name; {} forecasts exact, others differ by {:?}",
            tally.queries, tally.calls, tally.whole, tally.beyond, tally.exact, tally.reasons
        ));
    });
}
