//! Narrowing by other tables, against brute force: queries that are made at random run over an emulator, and over tables in memory that hold
//! the whole relations. Both must have the same rows; and no query may cost more calls than reading each of its tables whole, once.

use restable_engine::Session;

use super::Random;
use super::relations::{TABLES, hold, rows, twice};
use crate::rig::{Rig, ask, report, run};

/// The whole walk of some tables on the demo estate: each list once, however often its table is named, and whether it is read for its rows or
/// to enumerate what is below them.
fn whole_walk(tables: &[&str]) -> u64 {
    let names = |wanted: &[&str]| tables.iter().any(|table| wanted.contains(table));
    let mut calls = u64::from(!tables.is_empty());
    for (below, own) in [
        (
            &["vaults", "instances", "flat", "points", "policies", "jobs"][..],
            4,
        ),
        (&["instances", "flat", "points"], 7),
        (&["policies"], 7),
        (&["jobs"], 7),
        (&["points"], 31),
    ] {
        calls += if names(below) { own } else { 0 };
    }
    calls
}

/// Tables that are the same in both sessions. Names in another case, of nothing, of impossible form, and none at all.
const PICKS: &str = "CREATE TABLE picks AS SELECT * FROM (VALUES \
    ('8F3B1C52-6D2E-4F0A-9B7C-1E5A40D7C001', 'RG-BACKUP-PROD-NEU', 'bv-prod-NEU', 1), \
    ('2c9e74d1-0b35-4a8f-8d16-7f92e3b5c002', 'rg-dev-shared', 'bv-dev-weu', 2), \
    ('2c9e74d1-0b35-4a8f-8d16-7f92e3b5c002', 'rg-dev-shared', 'bv-dev-weu', 3), \
    ('d96a2e47-8c10-4b5d-93fe-26e0d1a8c005', 'rg-legacy', 'bv-legacy', 4), \
    ('11111111-2222-3333-4444-555555555555', 'rg-none', 'bv-none', 5), \
    ('no-uuid', 'a/b', '..', 6), ('', '', '', 7), (NULL, 'rg-sandbox', 'bv-sandbox', 8), \
    ('5e07b9f3-41cd-47d2-b86e-9a3c2f74c004', NULL, 'bv-sandbox', 9) \
    ) AS t(subscriptionId, resourceGroupName, vaultName, n)";

/// A session over the emulator, and one over the same rows in memory.
pub(super) async fn sessions(rig: &Rig) -> (Session, Session) {
    let (live, memory) = (rig.session(), rig.session());
    for (name, table, columns) in TABLES {
        hold(&memory, (name, table, columns)).await;
        let sql = format!("CREATE VIEW {name} AS SELECT {columns} FROM {table}");
        ask(&live, &sql).await.unwrap();
    }
    for session in [&live, &memory] {
        ask(session, PICKS).await.unwrap();
    }
    (live, memory)
}

/// A query, and the tables that it names, each as often as it names it.
struct Query {
    sql: String,
    tables: Vec<&'static str>,
}

/// What makes a query.
struct Maker<'r> {
    random: &'r mut Random,
    tables: Vec<&'static str>,
    aliases: usize,
}

impl Maker<'_> {
    fn table(&mut self) -> &'static str {
        let of = [
            "vaults",
            "vaults",
            "instances",
            "instances",
            "flat",
            "policies",
            "jobs",
            "subscriptions",
            "points",
        ];
        let table = of[self.random.below(of.len())];
        // One of the longest tables is enough.
        match table == "points" && self.tables.contains(&"points") {
            true => "instances",
            false => table,
        }
    }

    fn alias(&mut self) -> String {
        self.aliases += 1;
        format!("t{}", self.aliases)
    }

    /// A condition on the rows of a table alone.
    fn own_condition(&mut self, table: &str, alias: &str) -> String {
        let of: &[&str] = match table {
            "vaults" => &[
                "{}.location = 'northeurope'",
                "{}.location LIKE '%europe'",
                "{}.name LIKE 'bv-dev%'",
                "{}.vaultName IN ('BV-DATA-eus2', 'bv-sandbox')",
                "{}.properties.monitoringSettings IS NOT NULL",
            ],
            "instances" => &[
                "{}.name LIKE 'disk-%'",
                "{}.properties.friendlyName LIKE '%a%'",
                "{}.vaultName = 'bv-prod-neu'",
                "length({}.backupInstanceName) > 60",
            ],
            "flat" => &[
                "{}.name LIKE '%a%'",
                "{}.vaultName NOT LIKE 'bv-prod%'",
                "{}.policy IS NOT NULL",
            ],
            "policies" => &[
                "{}.name LIKE '%disk%'",
                "{}.backupPolicyName <> 'x'",
                "{}.vaultName LIKE 'bv-prod%'",
            ],
            "jobs" => &[
                "{}.properties.status = 'Failed'",
                "{}.properties.operationCategory = 'Backup'",
                "{}.vaultName LIKE '%eus2'",
            ],
            "points" => &["{}.vaultName = 'bv-sandbox'", "{}.name LIKE '%1%'"],
            _ => &[
                "{}.displayName LIKE 'Contoso D%'",
                "{}.state = 'Enabled'",
                "{}.subscriptionId <> 'd96a2e47-8c10-4b5d-93fe-26e0d1a8c005'",
                "{}.state <> 'Enabled'",
            ],
        };
        self.random.one(of).replace("{}", alias)
    }

    /// What joins two tables: names of scopes that both have, in one of the ways to say it.
    fn on(&mut self, (left, l): (&str, &str), (right, r): (&str, &str)) -> String {
        let deep = |table: &str| !matches!(table, "subscriptions");
        let both = deep(left) && deep(right);
        let mut said = Vec::new();
        if !both || self.random.chance(3) {
            said.push(format!("{l}.subscriptionId = {r}.subscriptionId"));
        }
        if both {
            match self.random.below(6) {
                0 => said.push(format!("{l}.resourceGroupName = {r}.resourceGroupName")),
                1 if left == "vaults" && right != "picks" => {
                    said.push(format!("{l}.name = {r}.vaultName"));
                }
                1 if right == "instances" => {
                    said.push(format!("arm_id({r}.id, 'vaultName') = {l}.vaultName"));
                }
                2 if (left, right) == ("policies", "instances") => {
                    said.push(format!("{r}.properties.policyInfo.policyId = {l}.id"));
                }
                2 if (left, right) == ("instances", "policies") => {
                    said.push(format!("{l}.properties.policyInfo.policyId = {r}.id"));
                }
                2 if left != "picks" && right == left => said.push(format!("{l}.id = {r}.id")),
                3 => said.push(format!(
                    "{l}.resourceGroupName = {r}.resourceGroupName AND upper({r}.vaultName) = upper({l}.vaultName)"
                )),
                4 => said.push(format!(
                    "{l}.subscriptionId = {r}.subscriptionId AND {l}.resourceGroupName = {r}.resourceGroupName AND {l}.vaultName = {r}.vaultName"
                )),
                _ => said.push(format!("{l}.vaultName = {r}.vaultName")),
            }
            let named = |table: &str| matches!(table, "instances" | "points" | "flat");
            if named(left) && named(right) && self.random.chance(2) {
                said.push(format!("{l}.backupInstanceName = {r}.backupInstanceName"));
            }
        }
        said.join(" AND ")
    }

    /// A table, a subquery over one, or what is at hand: as an item of FROM, with what it is like.
    fn item(&mut self) -> (String, &'static str, String) {
        let alias = self.alias();
        if self.random.chance(6) {
            return (format!("picks {alias}"), "picks", alias);
        }
        let table = self.table();
        self.tables.push(table);
        let deep = table != "subscriptions";
        let item = match self.random.below(11) {
            0 => {
                let condition = self.own_condition(table, "x");
                format!("(SELECT * FROM {table} x WHERE {condition}) {alias}")
            }
            1 => format!("(SELECT DISTINCT * FROM {table}) {alias}"),
            2 if deep => {
                self.tables.push(table);
                format!("(SELECT * FROM {table} UNION ALL SELECT * FROM {table}) {alias}")
            }
            3 if deep => format!(
                "(SELECT * FROM (SELECT *, row_number() OVER (PARTITION BY vaultName ORDER BY id) AS rn FROM {table}) w WHERE rn < 3) {alias}"
            ),
            4 if deep => format!("(SELECT * FROM {table} ORDER BY lower(id) LIMIT 5) {alias}"),
            5 if table == "instances" => format!(
                "(SELECT subscriptionId, resourceGroupName, vaultName, max(id) AS id, max(name) AS name, max(properties) AS properties, \
                 max(backupInstanceName) AS backupInstanceName FROM instances GROUP BY subscriptionId, resourceGroupName, vaultName) {alias}"
            ),
            _ => format!("{table} {alias}"),
        };
        (item, table, alias)
    }

    /// A condition with a subquery about a table of the query.
    fn subquery(&mut self, outer: (&str, &str)) -> String {
        let inner = self.table();
        self.tables.push(inner);
        let alias = self.alias();
        let condition = self.own_condition(inner, &alias);
        let column = match inner == "subscriptions" || outer.0 == "subscriptions" {
            true => "subscriptionId",
            false => self.random.one(&[
                "vaultName",
                "resourceGroupName",
                "subscriptionId",
                "vaultName",
            ]),
        };
        let value = format!("{}.{column}", outer.1);
        let rows = format!("SELECT {alias}.{column} FROM {inner} {alias} WHERE {condition}");
        let on = self.on(outer, (inner, &alias));
        match self.random.below(9) {
            0 | 1 => format!("{value} IN ({rows})"),
            2 => format!("{value} NOT IN ({rows})"),
            3 => format!("EXISTS (SELECT 1 FROM {inner} {alias} WHERE {on} AND {condition})"),
            4 => format!("NOT EXISTS (SELECT 1 FROM {inner} {alias} WHERE {on} AND {condition})"),
            5 => format!(
                "{value} = (SELECT max({alias}.{column}) FROM {inner} {alias} WHERE {condition})"
            ),
            6 => format!(
                "{value} = (SELECT min({alias}.{column}) FROM {inner} {alias} WHERE {on} AND {condition})"
            ),
            7 => format!("({value} IN ({rows}) OR {value} LIKE 'bv-d%')"),
            _ => format!(
                "{value} > (SELECT min({alias}.{column}) FROM {inner} {alias} WHERE {condition})"
            ),
        }
    }

    fn query(mut self) -> Query {
        let (item, table, alias) = self.item();
        let mut from = item;
        let mut known: Vec<(&'static str, String)> = vec![(table, alias)];
        for _ in 0..self.random.below(3) {
            let (item, table, alias) = self.item();
            let at = self.random.below(known.len());
            let (left, l) = known[at].clone();
            let on = self.on((left, &l), (table, &alias));
            let kind = self.random.below(8);
            from = match kind {
                0 | 1 => format!("{from} JOIN {item} ON {on}"),
                2 | 3 => format!("{from} LEFT JOIN {item} ON {on}"),
                4 => format!("{from} RIGHT JOIN {item} ON {on}"),
                5 => format!("{from} FULL JOIN {item} ON {on}"),
                6 if table != "picks" => {
                    let inner = self.alias();
                    let on = self.on((left, &l), (table, &inner));
                    self.tables.push(table);
                    // The item itself is named, too: the lateral one stands for another reading of its table.
                    format!(
                        "{from} JOIN {item} ON {} CROSS JOIN LATERAL (SELECT count(*) AS n FROM {table} {inner} WHERE {on}) {inner}n",
                        self.on((left, &l), (table, &alias))
                    )
                }
                _ => format!(
                    "{from} JOIN {item} ON {on} AND {l}.subscriptionId = {alias}.subscriptionId"
                ),
            };
            known.push((table, alias));
        }
        let mut conditions = Vec::new();
        for (table, alias) in known.clone() {
            if table != "picks" && self.random.chance(2) {
                conditions.push(self.own_condition(table, &alias));
            }
        }
        for _ in 0..self.random.below(3) {
            let at = self.random.below(known.len());
            let (table, alias) = known[at].clone();
            conditions.push(self.subquery((table, &alias)));
        }
        let columns: Vec<String> = known
            .iter()
            .map(|(table, alias)| match *table {
                "picks" => format!("{alias}.n AS {alias}_n"),
                "subscriptions" => format!("{alias}.displayName AS {alias}_name"),
                _ => format!("{alias}.id AS {alias}_id, {alias}.vaultName AS {alias}_vault"),
            })
            .collect();
        let mut sql = format!("SELECT {} FROM {from}", columns.join(", "));
        if !conditions.is_empty() {
            sql = format!("{sql} WHERE {}", conditions.join(" AND "));
        }
        let sql = match self.random.below(7) {
            0 => format!("WITH q AS ({sql}) SELECT count(*) FROM q"),
            1 => format!("SELECT * FROM ({sql}) q"),
            2 => format!("WITH q AS ({sql}) SELECT * FROM q UNION ALL SELECT * FROM q WHERE 1 = 0"),
            3 if conditions.len() < 2 => {
                let value = columns[0].rsplit(" AS ").next().unwrap_or_default();
                self.tables.extend_from_within(..);
                let words = self.random.one(&["INTERSECT", "EXCEPT"]);
                format!(
                    "WITH q AS ({sql}) SELECT {value} FROM q {words} SELECT {value} FROM q WHERE CAST({value} AS VARCHAR) LIKE '%e%'"
                )
            }
            _ => sql,
        };
        Query {
            sql,
            tables: self.tables,
        }
    }
}

#[test]
fn two_hundred_queries_answer_as_brute_force_does() {
    run(async {
        let rig = Rig::start("demo").await;
        let (live, memory) = sessions(&rig).await;
        let (mut found, mut fewer, mut calls, mut whole_calls) = (0, 0, 0, 0);
        // The same ones each time; with --long others as well.
        let long = std::env::var("RESTABLE_TEST_LONG").is_ok_and(|long| !long.is_empty());
        let queries = if long { 2000 } else { 200 };
        let mut random = Random(20_261_122);
        let (mut number, mut unsupported) = (0, 0);
        while number < queries {
            let maker = Maker {
                random: &mut random,
                tables: Vec::new(),
                aliases: 0,
            };
            let Query { sql, tables } = maker.query();
            let narrowed = ask(&live, &sql).await;
            // By what the statement says: calls that another one left under way may come to the emulator still.
            let twice = twice(&live);
            let expected = match ask(&memory, &sql).await {
                Ok(expected) => expected,
                // Some correlated subqueries are beyond DataFusion.
                Err(problem) => {
                    assert!(narrowed.is_err(), "{sql}\n{problem:?}");
                    unsupported += 1;
                    continue;
                }
            };
            number += 1;
            let narrowed = narrowed.unwrap_or_else(|error| panic!("{number}: {sql}\n{error:?}"));
            assert_eq!(rows(&narrowed), rows(&expected), "{number}: {sql}");
            assert!(twice.is_empty(), "{number}: {twice:?}: {sql}");
            let whole = whole_walk(&tables);
            let spent = narrowed.report.calls;
            assert!(spent <= whole, "{number}: {spent} calls of {whole}: {sql}");
            found += narrowed.rows.len();
            fewer += usize::from(spent < whole);
            calls += spent;
            whole_calls += whole;
        }
        assert!(found > 0, "no query has a row");
        assert!(
            unsupported * 4 < queries,
            "{unsupported} queries cannot be planned"
        );
        assert!(fewer * 2 > queries, "only {fewer} queries were narrowed");
        report(&format!(
            "narrowing: {queries} random queries answer as brute force does, {fewer} of them with fewer calls ({calls} of {whole_calls})"
        ));
    });
}
