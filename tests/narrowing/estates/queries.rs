//! The queries of the random estates: joins, subqueries and conditions over names that are there, spelled in some way.

use super::World;
use crate::narrowing::Random;
use crate::narrowing::relations::TABLES;

/// The name by which a row of a table is found below its parents.
pub(super) fn key_of(table: &str) -> &'static str {
    match table {
        "policies" => "backupPolicyName",
        "jobs" => "jobId",
        "points" => "recoveryPointId",
        "instances" | "flat" => "backupInstanceName",
        "subscriptions" => "subscriptionId",
        _ => "vaultName",
    }
}

/// Where each table's rows come from in a query over the estate, and in one over memory, where a walk is confined to some subscriptions.
pub(super) fn written(sql: &str, is_live: bool, confined: &[String]) -> String {
    TABLES
        .iter()
        .fold(sql.to_owned(), |sql, (name, table, columns)| {
            let within = confined.iter().map(|it| format!("'{it}'"));
            let within = within.collect::<Vec<_>>().join(", ");
            let place = match is_live {
                true => format!("(SELECT {columns} FROM {table})"),
                // The table of subscriptions itself is no walk.
                false if confined.is_empty() || *name == "subscriptions" => (*name).to_owned(),
                false => format!("(SELECT * FROM {name} WHERE subscriptionId IN ({within}))"),
            };
            sql.replace(&format!("{{{name}}}"), &place)
        })
}

/// Conditions that see a difference in case decide by the spelling that a session saw first, and by that of the row, which lists and single reads may spell otherwise.
pub(super) fn sees_case(sql: &str) -> bool {
    sql.contains("substr(") || sql.contains(" ~ ")
}

/// What makes a query.
pub(super) struct Maker<'r> {
    random: &'r mut Random,
    world: &'r World,
    tables: Vec<&'static str>,
    aliases: usize,
}

/// A query, its tables, and how many of its rows are taken.
pub(super) struct Query {
    pub(super) sql: String,
    /// What it is made of, where its rows may be products of whole tables.
    pub(super) product: Option<String>,
    pub(super) tables: Vec<&'static str>,
    pub(super) cut: Option<(usize, usize)>,
    /// How many parts a plan has, and rows a batch.
    pub(super) settings: [(&'static str, &'static str); 2],
    /// The subscriptions that the session is confined to, if it is.
    pub(super) confined: Vec<String>,
}

impl<'r> Maker<'r> {
    pub(super) fn new(random: &'r mut Random, world: &'r World) -> Maker<'r> {
        Maker {
            random,
            world,
            tables: Vec::new(),
            aliases: 0,
        }
    }

    fn alias(&mut self) -> String {
        self.aliases += 1;
        format!("t{}", self.aliases)
    }

    fn table(&mut self) -> &'static str {
        let of = [
            "vaults",
            "vaults",
            "instances",
            "instances",
            "instances",
            "flat",
            "policies",
            "jobs",
            "subscriptions",
            "points",
        ];
        let table = of[self.random.below(of.len())];
        let table = match table == "points" && self.tables.contains(&"points") {
            true => "instances",
            false => table,
        };
        self.tables.push(table);
        table
    }

    /// A name in some case.
    fn cased(&mut self, text: &str) -> String {
        let text = text.replace('\'', "''");
        match self.random.below(4) {
            0 => text.to_uppercase(),
            1 => text.to_lowercase(),
            _ => text,
        }
    }

    /// A row that is there.
    fn row(&mut self, table: &str) -> Option<Vec<String>> {
        let rows = &self.world.rows[table];
        if rows.is_empty() {
            return None;
        }
        Some(rows[self.random.below(rows.len())].clone())
    }

    /// A condition on the rows of a table alone.
    fn condition(&mut self, table: &'static str, alias: &str, depth: usize) -> String {
        if depth > 0 && self.random.chance(3) {
            let left = self.condition(table, alias, depth - 1);
            let right = self.condition(table, alias, depth - 1);
            return match self.random.below(4) {
                0 => format!("NOT ({left})"),
                1 => format!("({left} OR {right})"),
                _ => format!("({left} AND {right})"),
            };
        }
        let Some(row) = self.row(table) else {
            return format!("{alias}.subscriptionId IS NOT NULL");
        };
        if table == "subscriptions" {
            let id = self.cased(&row[0]);
            return match self.random.below(4) {
                0 => format!("{alias}.subscriptionId = '{id}'"),
                1 => format!("{alias}.state = 'Enabled'"),
                2 => format!("{alias}.displayName LIKE '%a%'"),
                _ => format!("{alias}.subscriptionId <> '{id}'"),
            };
        }
        let key = key_of(table);
        let at = self.random.below(4);
        let column = ["subscriptionId", "resourceGroupName", "vaultName", key][at];
        let value = match at {
            3 => row[4].clone(),
            at => row[at].clone(),
        };
        let exact = self.cased(&value);
        let half = exact[..exact.len() / 2].to_owned();
        let other = self.row(table).unwrap_or_default();
        let other = match at {
            3 => other[4].clone(),
            at => other[at].clone(),
        };
        let id = self.cased(&row[3]);
        let parts: Vec<&str> = id.split('/').collect();
        let part = |at: usize| parts.get(at).copied().unwrap_or("x");
        let full = |alias: &str, cased: &mut Self| {
            let names = ["subscriptionId", "resourceGroupName", "vaultName", key];
            let values = [&row[0], &row[1], &row[2], &row[4]];
            let said = names.iter().zip(values);
            let said =
                said.map(|(name, value)| format!("{alias}.{name} = '{}'", cased.cased(value)));
            let said: Vec<String> = said.collect();
            let count = match table {
                "vaults" => 3,
                _ => 4,
            };
            said[..count].to_vec()
        };
        let c = format!("{alias}.{column}");
        match self.random.below(34) {
            0 | 1 => format!("{c} = '{exact}'"),
            2 | 3 => format!("{c} IN ('{exact}', '{other}')"),
            4 => format!("{c} NOT IN ('{exact}', '{other}')"),
            5 => format!("{c} <> '{exact}'"),
            6 => format!("{c} LIKE '{half}%'"),
            7 => format!("{c} NOT LIKE '{half}%'"),
            8 => format!("{c} ILIKE '%{}'", &exact[exact.len() / 2..]),
            9 => format!("{c} > '{exact}'"),
            10 => format!("{c} BETWEEN '{half}' AND '{other}'"),
            11 => format!("{c} < '{exact}' AND {c} > '{half}'"),
            12 => format!("lower({c}) = '{}'", value.to_lowercase()),
            13 => format!("upper({c}) IN ('{}', 'X')", value.to_uppercase()),
            14 => format!("starts_with({c}, '{half}')"),
            15 => format!("substr({c}, 1, 2) = '{}'", &exact[..exact.len().min(2)]),
            16 => format!("{c} ~ '^{}'", &exact[..1]),
            17 => format!("length({c}) > {}", value.len() - 1),
            18 => format!("{alias}.id LIKE '/subscriptions/{}/%'", part(2)),
            19 => format!(
                "{alias}.id LIKE '/subscriptions/{}/resourceGroups/{}/%'",
                part(2),
                part(4)
            ),
            20 => format!("{alias}.id LIKE '%/backupVaults/{}/%'", part(8)),
            21 => format!("{alias}.id LIKE '%/backupVaults/{}%'", &part(8)[..1]),
            22 => format!(
                "starts_with({alias}.id, '{}')",
                parts[..parts.len().min(9)].join("/")
            ),
            23 => format!("{alias}.id ILIKE '%/{}/%'", part(4)),
            24 => format!("arm_id({alias}.id, 'vaultName') <> '{}'", part(8)),
            25 => format!("split_part({alias}.id, '/', 5) = '{}'", part(4)),
            26 => format!(
                "arm_id({alias}.id, 'resourceGroupName') IN ('{}', 'g')",
                part(4)
            ),
            27 => format!("{alias}.id = '{id}'"),
            28 => format!(
                "{alias}.id IN ('{id}', '{}')",
                self.row(table).unwrap_or_default()[3]
            ),
            29 => full(alias, self).join(" AND "),
            30 => {
                let mut said = full(alias, self);
                said.pop();
                format!(
                    "{} AND {alias}.{key} IN ('{exact}', '{}')",
                    said.join(" AND "),
                    row[4]
                )
            }
            31 if table != "flat" => {
                format!(
                    "{alias}.{key} = '{}' AND {alias}.name = '{}'",
                    row[4],
                    self.cased(&row[4])
                )
            }
            32 if table != "flat" => {
                format!("{alias}.{key} = '{exact}' AND {alias}.name LIKE '{half}%'")
            }
            33 if table == "jobs" => format!(
                "{alias}.properties.startTime {} '2026-11-0{}T00:00:00Z'",
                self.random.one(&["<", ">="]),
                1 + self.random.below(3)
            ),
            _ if table == "jobs" => format!(
                "{alias}.properties.operationCategory = '{}'",
                self.random.one(&["Backup", "Restore"])
            ),
            _ if table == "vaults" => format!(
                "{alias}.location LIKE '%{}%'",
                self.random.one(&["europe", "us", "west"])
            ),
            _ => format!(
                "{alias}.name LIKE '%{}%'",
                self.random.one(&["a", "1", "disk"])
            ),
        }
    }

    /// What joins two tables.
    fn on(&mut self, (left, l): (&'static str, &str), (right, r): (&'static str, &str)) -> String {
        let deep = |table: &str| table != "subscriptions";
        let s = format!("{l}.subscriptionId = {r}.subscriptionId");
        if !(deep(left) && deep(right)) {
            return s;
        }
        let group = format!("{l}.resourceGroupName = {r}.resourceGroupName");
        let vault = format!("{l}.vaultName = {r}.vaultName");
        let has_instance = |table: &str| matches!(table, "instances" | "points" | "flat");
        match self.random.below(7) {
            0 => format!("{s} AND {group}"),
            1 => format!("arm_id({r}.id, 'vaultName') = {l}.vaultName"),
            2 => format!("{s} AND upper({l}.vaultName) = upper({r}.vaultName)"),
            3 if has_instance(left) && has_instance(right) => {
                format!(
                    "{s} AND {group} AND {vault} AND {l}.backupInstanceName = {r}.backupInstanceName"
                )
            }
            4 if left == right => format!("{l}.id = {r}.id"),
            5 => vault,
            _ => format!("{s} AND {group} AND {vault}"),
        }
    }

    /// A table, or a subquery over one.
    fn item(&mut self) -> (String, &'static str, String) {
        let (table, alias) = (self.table(), self.alias());
        let deep = table != "subscriptions";
        let item = match self.random.below(12) {
            0 => {
                let condition = self.condition(table, "x", 1);
                format!("(SELECT * FROM {{{table}}} x WHERE {condition}) {alias}")
            }
            1 if deep => {
                self.tables.push(table);
                let (one, other) = (self.condition(table, "x", 0), self.condition(table, "y", 0));
                format!(
                    "(SELECT * FROM {{{table}}} x WHERE {one} UNION ALL SELECT * FROM {{{table}}} y WHERE {other}) {alias}"
                )
            }
            2 if deep => format!("(SELECT * FROM {{{table}}} ORDER BY id LIMIT 3) {alias}"),
            3 if deep => format!(
                "(SELECT * FROM (SELECT *, row_number() OVER (PARTITION BY vaultName ORDER BY id) AS rn FROM {{{table}}}) w WHERE rn < 3) {alias}"
            ),
            4 => format!("(SELECT DISTINCT * FROM {{{table}}}) {alias}"),
            _ => format!("{{{table}}} {alias}"),
        };
        (item, table, alias)
    }

    fn subquery(&mut self, outer: (&'static str, &str)) -> String {
        let inner = self.table();
        let alias = self.alias();
        let condition = self.condition(inner, &alias, 1);
        let column = match inner == "subscriptions" || outer.0 == "subscriptions" {
            true => "subscriptionId",
            false => self
                .random
                .one(&["vaultName", "resourceGroupName", "subscriptionId"]),
        };
        let value = format!("{}.{column}", outer.1);
        let rows = format!("SELECT {alias}.{column} FROM {{{inner}}} {alias} WHERE {condition}");
        let on = self.on(outer, (inner, &alias));
        match self.random.below(7) {
            0 | 1 => format!("{value} IN ({rows})"),
            2 => format!("{value} NOT IN ({rows})"),
            3 => format!("EXISTS (SELECT 1 FROM {{{inner}}} {alias} WHERE {on} AND {condition})"),
            4 => {
                format!("NOT EXISTS (SELECT 1 FROM {{{inner}}} {alias} WHERE {on} AND {condition})")
            }
            5 => format!(
                "{value} = (SELECT min({alias}.{column}) FROM {{{inner}}} {alias} WHERE {condition})"
            ),
            _ => format!(
                "{value} >= (SELECT max({alias}.{column}) FROM {{{inner}}} {alias} WHERE {condition})"
            ),
        }
    }

    /// A query.
    pub(super) fn query(mut self) -> Query {
        let (item, table, alias) = self.item();
        let mut from = item;
        let mut known: Vec<(&'static str, String)> = vec![(table, alias)];
        for _ in 0..[0, 0, 1, 1, 2][self.random.below(5)] {
            let (item, table, alias) = self.item();
            let at = self.random.below(known.len());
            let (left, l) = known[at].clone();
            let on = self.on((left, &l), (table, &alias));
            let kind = self.random.one(&[
                "JOIN",
                "JOIN",
                "LEFT JOIN",
                "LEFT JOIN",
                "RIGHT JOIN",
                "FULL JOIN",
            ]);
            from = format!("{from} {kind} {item} ON {on}");
            known.push((table, alias));
        }
        let mut conditions = Vec::new();
        for (table, alias) in known.clone() {
            if !self.random.chance(3) {
                conditions.push(self.condition(table, &alias, 2));
            }
        }
        if self.random.chance(3) {
            let at = self.random.below(known.len());
            let (table, alias) = known[at].clone();
            conditions.push(self.subquery((table, &alias)));
        }
        let columns: Vec<String> = known
            .iter()
            .map(|(table, alias)| match *table {
                "subscriptions" => format!("{alias}.displayName AS {alias}_name"),
                _ => format!("{alias}.id AS {alias}_id, {alias}.vaultName AS {alias}_vault"),
            })
            .collect();
        let mut sql = format!("SELECT {} FROM {from}", columns.join(", "));
        if !conditions.is_empty() {
            sql = format!("{sql} WHERE {}", conditions.join(" AND "));
        }
        // Three tables of one vault, or the rows of one joined to themselves, may be more than fit anywhere.
        let product = known.len() > 1;
        let product = product.then(|| sql.clone());
        let mut cut = None;
        let first = columns[0].rsplit(" AS ").next().unwrap_or_default();
        let sql = match self.random.below(19) {
            9 => format!(
                "WITH q AS ({sql}) SELECT a.{first} FROM q a JOIN q b ON a.{first} = b.{first} WHERE a.{first} > 'b'"
            ),
            10 => format!(
                "WITH q AS ({sql}) SELECT {first} FROM q INTERSECT SELECT {first} FROM q WHERE {first} LIKE '%e%'"
            ),
            11 => format!(
                "WITH q AS ({sql}), r AS (SELECT {first} AS c FROM q GROUP BY {first} HAVING min({first}) < 'x') SELECT count(*) FROM r"
            ),
            12 => format!(
                "SELECT {first} FROM (SELECT *, row_number() OVER (ORDER BY {first}) AS rn FROM ({sql}) x) y WHERE rn < 4 AND 1 = 0 OR rn > 0"
            ),
            13 => format!("SELECT {first}, count(*) FROM ({sql}) x GROUP BY {first}"),
            14 => {
                format!("SELECT count(DISTINCT {first}), min({first}), max({first}) FROM ({sql}) x")
            }
            15 => format!("SELECT {first} FROM ({sql}) x ORDER BY {first} LIMIT 3"),
            16 => format!("SELECT {first} FROM ({sql}) x ORDER BY {first} DESC LIMIT 2 OFFSET 1"),
            17 => format!(
                "WITH q AS ({sql}) SELECT {first} FROM q EXCEPT SELECT {first} FROM q WHERE {first} LIKE '%1%'"
            ),
            18 => format!(
                "SELECT max({first}) OVER (), count(*) OVER (PARTITION BY {first}) FROM ({sql}) x"
            ),
            0 => format!("WITH q AS ({sql}) SELECT count(*) FROM q"),
            1 => format!("WITH q AS ({sql}) SELECT * FROM q UNION ALL SELECT * FROM q"),
            2 | 3 => {
                cut = Some((self.random.below(4), self.random.below(3)));
                sql
            }
            _ => sql,
        };
        let mut confined = Vec::new();
        if self.random.chance(8) {
            for _ in 0..1 + self.random.below(2) {
                confined.extend(self.row("subscriptions").map(|row| row[0].clone()));
            }
        }
        // As on machines of one core, and of many.
        let parts = ["1", "2", "2", "16"][self.random.below(4)];
        let rows = ["8192", "8192", "2"][self.random.below(3)];
        Query {
            sql,
            product,
            settings: [("target_partitions", parts), ("batch_size", rows)],
            tables: self.tables,
            cut,
            confined,
        }
    }
}
