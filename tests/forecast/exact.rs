//! Where nothing is open both bounds are the fact: random statements about one table, by key, by its scopes or whole, over estates of one page a list and
//! after one walk of them; where lists have more pages only those of lists that the walk did not read are open. No join narrows them and no LIMIT ends them early, so that EXPLAIN has to say exactly what is called.

use std::collections::BTreeMap;

use restable_engine::explain::Forecast;

use super::walk;
use crate::narrowing::Random;
use crate::narrowing::mixed::{self, Mixed};
use crate::rig::{Rig, ask, demo, foreseen, options, report, run};

/// Tables with the names of their scopes, the outermost first, and of their rows.
const TABLES: [(&str, &[&str]); 13] = [
    ("azure.resource.subscriptions", &["subscriptionId"]),
    (
        "azure.resource.resource_groups",
        &["subscriptionId", "resourceGroupName"],
    ),
    (
        "azure.data_protection.backup_vaults",
        &["subscriptionId", "resourceGroupName", "vaultName"],
    ),
    (
        "azure.data_protection.resource_guards",
        &["subscriptionId", "resourceGroupName", "resourceGuardsName"],
    ),
    (
        "azure.data_protection.backup_instances",
        &[
            "subscriptionId",
            "resourceGroupName",
            "vaultName",
            "backupInstanceName",
        ],
    ),
    (
        "azure.data_protection.deleted_backup_instances",
        &[
            "subscriptionId",
            "resourceGroupName",
            "vaultName",
            "backupInstanceName",
        ],
    ),
    (
        "azure.data_protection.backup_policies",
        &[
            "subscriptionId",
            "resourceGroupName",
            "vaultName",
            "backupPolicyName",
        ],
    ),
    (
        "azure.data_protection.jobs",
        &["subscriptionId", "resourceGroupName", "vaultName", "jobId"],
    ),
    (
        "azure.data_protection.recovery_points",
        &[
            "subscriptionId",
            "resourceGroupName",
            "vaultName",
            "backupInstanceName",
            "recoveryPointId",
        ],
    ),
    (
        "azure.data_protection.vw_backup_instances",
        &[
            "subscription_id",
            "resource_group_name",
            "vault_name",
            "backup_instance_name",
        ],
    ),
    (
        "azure.data_protection.vw_backup_policies",
        &[
            "subscription_id",
            "resource_group_name",
            "vault_name",
            "backup_policy_name",
        ],
    ),
    (
        "azure.data_protection.vw_jobs",
        &[
            "subscription_id",
            "resource_group_name",
            "vault_name",
            "job_id",
        ],
    ),
    (
        "azure.data_protection.vw_recovery_points",
        &[
            "subscription_id",
            "resource_group_name",
            "vault_name",
            "backup_instance_name",
            "recovery_point_id",
        ],
    ),
];

/// The names of some rows of a table.
type Rows = BTreeMap<&'static str, Vec<Vec<String>>>;

struct Maker<'r> {
    random: &'r mut Random,
    rows: &'r Rows,
}

impl Maker<'_> {
    /// A text in some case.
    fn cased(&mut self, text: &str) -> String {
        let text = text.replace('\'', "''");
        match self.random.below(4) {
            0 => text.to_uppercase(),
            1 => text.to_lowercase(),
            _ => text,
        }
    }

    fn row(&mut self, table: &str) -> Vec<String> {
        let rows = &self.rows[table];
        rows[self.random.below(rows.len())].clone()
    }

    /// What is asked of the rows: their names from the outermost on, some of them, patterns of them, or what says nothing of them.
    fn condition(&mut self, table: &'static str, names: &[&str]) -> String {
        let row = self.row(table);
        let other = self.row(table);
        let last = names.len() - 1;
        let mut said = Vec::new();
        let depth = match self.random.below(4) {
            0 => names.len(),
            1 => last,
            2 => self.random.below(names.len()),
            _ => 0,
        };
        for (at, name) in names.iter().enumerate() {
            let value = self.cased(&row[at]);
            if at < depth {
                // Beside all of its parents a row may be one of two; others are one each, since together they might name what is not there.
                said.push(
                    match at == last && self.random.below(3) == 0 && row[..last] == other[..last] {
                        true => format!("{name} IN ('{value}', '{}')", self.cased(&other[at])),
                        false => format!("{name} = '{value}'"),
                    },
                );
            } else if self.random.below(4) == 0 {
                let half = &value[..value.len() / 2];
                let another = self.cased(&other[at]);
                // By the whole id a subscription could be named that a walk did not see: the two are of the estate.
                said.push(match self.random.below(7) {
                    0 if depth == 0 => format!("{name} IN ('{value}', '{another}')"),
                    1 => format!("{name} LIKE '{half}%'"),
                    2 => format!("{name} NOT LIKE '{half}%'"),
                    3 => format!("{name} <> '{value}'"),
                    4 => format!("({name} > '{value}' OR {name} = '{another}')"),
                    5 => format!(
                        "lower({name}) = '{}'",
                        row[at].to_lowercase().replace('\'', "''")
                    ),
                    _ if depth == 0 => format!("{name} = '{value}'"),
                    _ => format!("{name} IS NOT NULL"),
                });
            }
        }
        if said.is_empty() {
            return "1 = 1".to_owned();
        }
        said.join(" AND ")
    }

    /// One table in a statement that reads all of what it asks for.
    fn query(&mut self) -> String {
        let known: Vec<&(&'static str, &[&str])> = TABLES
            .iter()
            .filter(|(table, _)| !self.rows[table].is_empty())
            .collect();
        let (table, names) = *known[self.random.below(known.len())];
        let condition = self.condition(table, names);
        let from = format!("FROM {table} WHERE {condition}");
        let (first, last) = (names[0], names[names.len() - 1]);
        match self.random.below(9) {
            0 => format!("SELECT * {from}"),
            1 => format!("SELECT count(*) {from}"),
            2 => format!("SELECT {first}, count(*) {from} GROUP BY 1 ORDER BY 2 DESC"),
            3 => format!("SELECT DISTINCT {last} {from}"),
            4 => format!(
                "SELECT {last}, row_number() OVER (PARTITION BY {first} ORDER BY {last}) {from}"
            ),
            5 => format!(
                "WITH q AS (SELECT {last} AS c {from}) SELECT * FROM q UNION ALL SELECT * FROM q"
            ),
            6 => {
                let other = self.condition(table, names);
                format!("SELECT {last} {from} UNION ALL SELECT {last} FROM {table} WHERE {other}")
            }
            7 => format!("SELECT max({last}) {from} HAVING count(*) > 0"),
            _ => format!("SELECT {last} {from} ORDER BY lower({last})"),
        }
    }
}

/// A number that a person may set.
fn said(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

/// `RESTABLE_TEST_SEED` repeats one estate.
#[test]
fn both_bounds_are_the_fact_of_any_statement_about_one_table() {
    run(async {
        let long = std::env::var("RESTABLE_TEST_LONG").is_ok_and(|long| !long.is_empty());
        let (estates, queries) = if long { (10, 120) } else { (4, 30) };
        let seeds = match said("RESTABLE_TEST_SEED") {
            Some(seed) => seed..seed + 1,
            None => 1..1 + estates,
        };
        let (mut wrong, mut calls, mut exact) = (Vec::new(), 0, 0);
        for seed in seeds {
            let mut random = Random::new(seed);
            let page_size = match seed % 5 {
                3 => 4,
                4 => 20,
                _ => 10_000,
            };
            let paged = page_size < 10_000;
            let estate = match seed % 3 {
                1 if !paged => "demo".to_owned(),
                _ => format!(
                    "{},{},{}",
                    1 + random.below(4),
                    1 + random.below(if paged { 30 } else { 9 }),
                    random.below(80)
                ),
            };
            let mut options = options(&estate);
            options.page_size = page_size;
            let mut rig =
                Rig::with(options, vec![std::sync::Arc::new(restable_spec::Builtin)]).await;
            // Every other one spells names as it likes.
            let mixed = Mixed::before(rig.emulator.address(), seed).await;
            if seed % 2 == 0 {
                rig.engine = mixed::engine(&mixed);
            }
            walk(&rig).await;
            let session = rig.session();
            let mut rows = Rows::new();
            for (table, names) in TABLES {
                let sql = format!(
                    "SELECT {} FROM {table} ORDER BY 1 LIMIT 500",
                    names.join(", ")
                );
                let found = ask(&session, &sql).await.unwrap().rows.into_iter();
                let found =
                    found.map(|row| row.into_iter().map(Option::unwrap).collect::<Vec<_>>());
                // One that is deleted is listed, and not there when it is asked for.
                let found = found.filter(|row| !row[0].eq_ignore_ascii_case(demo::LEGACY));
                rows.insert(table, found.collect());
            }
            for number in 0..queries {
                let random = &mut random;
                let sql = Maker {
                    random,
                    rows: &rows,
                }
                .query();
                // A session that has seen nothing, and one that has seen all.
                for (which, session) in [("new", &rig.session()), ("old", &session)] {
                    let (forecast, answer) = foreseen(session, &sql)
                        .await
                        .unwrap_or_else(|problem| panic!("{sql}\n{problem:?}"));
                    let counted = answer.report.calls;
                    let bounds = forecast.as_ref().and_then(|it| it.calls);
                    // What is contradicted has no scan at all.
                    let Some(bounds) = bounds else {
                        assert_eq!(counted, 0, "{sql}");
                        continue;
                    };
                    let scans = forecast.iter().flat_map(|Forecast { scans, .. }| scans);
                    let mut open = scans.clone().filter(|scan| !scan.calls.is_exact());
                    let only_pages = open.all(|scan| scan.reasons == ["extra pages"]);
                    let as_told = bounds.is_exact() || paged && only_pages;
                    exact += usize::from(bounds.is_exact());
                    if !as_told || !bounds.holds(counted) {
                        let scans = scans
                            .map(|scan| format!("\n  {scan:?}"))
                            .collect::<String>();
                        let problem = format!(
                            "RESTABLE_TEST_SEED={seed} ({estate}), number {number}, {which} session: {sql}\n  {bounds:?} and not {counted}{scans}"
                        );
                        println!("{problem}\n");
                        wrong.push(problem);
                    }
                    calls += counted;
                }
            }
        }
        assert!(
            wrong.is_empty(),
            "{} wrong:\n{}",
            wrong.len(),
            wrong.join("\n\n")
        );
        assert!(calls > 0);
        report(&format!(
            "forecasts of one table: {queries} random statements over each of {estates} estates, both bounds are the fact of {exact}, each asked twice ({calls} calls)"
        ));
    });
}
