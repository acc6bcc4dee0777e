//! Shapes of statements whose plans are changed before they are narrowed, made at random, against the same over tables in memory: outer joins that become others,
//! keys that USING makes one, EXISTS that asks for a row at all, what is said of one side of a join, and conditions of which a part is about scopes.

use super::Random;
use super::oracle::sessions;
use super::relations::{rows, twice};
use crate::rig::{Rig, ask, report, run};

struct Maker<'r> {
    random: &'r mut Random,
}

impl Maker<'_> {
    /// A condition on a column of names, which may be padded.
    fn of_name(&mut self, column: &str) -> String {
        let name = self
            .random
            .one(&["bv-prod-neu", "BV-Sandbox", "bv-dev-weu", "none"]);
        let other = self
            .random
            .one(&["bv-prod-weu", "BV-DATA-eus2", "bv-sandbox"]);
        let form = self.random.one(&[
            "{c} IN ('{n}', '{o}')",
            "{c} NOT IN ('{n}', '{o}')",
            "{c} = '{n}'",
            "{c} <> '{n}'",
            "{c} LIKE 'bv-%'",
            "NOT ({c} IN ('{n}'))",
            "{c} IS NULL",
            "{c} IS NOT NULL",
            "coalesce({c}, '{n}') = '{n}'",
            "lower({c}) = lower('{n}')",
            "CASE WHEN {c} = '{n}' THEN true ELSE {c} = '{o}' END",
            "({c} = '{n}' OR {c} IN ('{o}'))",
            "({c} IN ('{n}') OR {c} IS NULL)",
            "({c} IN ('{n}')) IS NOT TRUE",
            "{c} IS DISTINCT FROM '{n}'",
            "nullif({c}, '{n}') IS NULL",
        ]);
        form.replace("{c}", column)
            .replace("{n}", name)
            .replace("{o}", other)
    }

    fn of_row(&mut self, alias: &str) -> String {
        match self.random.below(9) {
            0 => format!("split_part(lower({alias}.id), '/', 9) = 'bv-prod-neu'"),
            1 => format!("arm_id(upper({alias}.id), 'vaultName') IN ('BV-SANDBOX', 'x')"),
            2 => format!("lower({alias}.id) LIKE '%/backupvaults/bv-prod-%'"),
            3 => format!(
                "(({}) AND {alias}.name LIKE 'd%') OR {}",
                self.of_name(&format!("{alias}.vaultName")),
                self.of_name(&format!("{alias}.vaultName"))
            ),
            4 => format!(
                "({}) OR {alias}.name LIKE 'p%'",
                self.of_name(&format!("{alias}.vaultName"))
            ),
            5 => format!("{alias}.name LIKE '%a%'"),
            _ => self.of_name(&format!("{alias}.vaultName")),
        }
    }

    fn table(&mut self) -> String {
        self.random
            .one(&["instances", "policies", "vaults", "flat"])
            .to_owned()
    }

    fn exists(&mut self, alias: &str) -> String {
        let (table, not) = (self.table(), self.random.one(&["", "NOT "]));
        let inner = self.of_row("e");
        let condition = match self.random.below(6) {
            0 => String::new(),
            1 => format!("WHERE {inner}"),
            2 => format!("WHERE {}", self.of_name(&format!("{alias}.vaultName"))),
            3 => format!("WHERE {inner} GROUP BY e.vaultName"),
            4 => format!(
                "WHERE {inner} ORDER BY e.id OFFSET {}",
                self.random.below(9)
            ),
            _ => format!("WHERE e.vaultName = {alias}.vaultName AND {inner}"),
        };
        format!("{not}EXISTS (SELECT e.vaultName FROM {table} e {condition})")
    }

    fn query(&mut self) -> String {
        let (one, other) = (self.table(), self.table());
        let kind = self
            .random
            .one(&["FULL JOIN", "FULL JOIN", "LEFT JOIN", "RIGHT JOIN", "JOIN"]);
        let keys = "subscriptionId, resourceGroupName, vaultName";
        let on = "a.subscriptionId = b.subscriptionId AND a.vaultName = b.vaultName";
        match self.random.below(8) {
            0 | 1 => format!(
                "SELECT a.id AS x, b.id AS y FROM {one} a {kind} {other} b ON {on} WHERE {} AND {}",
                self.of_row("a"),
                match self.random.below(3) {
                    0 => "true".to_owned(),
                    _ => self.of_row("b"),
                }
            ),
            2 | 3 => format!(
                "SELECT a.id AS x, b.id AS y, vaultName FROM {one} a {kind} {other} b USING ({keys}) WHERE {}",
                match self.random.below(3) {
                    0 => self.of_row("a"),
                    _ => self.of_name("vaultName"),
                }
            ),
            4 => format!(
                "SELECT q.x FROM (SELECT a.id AS x, b.vaultName AS n FROM {one} a {kind} {other} b USING ({keys})) q WHERE {}",
                self.of_name("q.n")
            ),
            5 => format!(
                "SELECT a.id, {} FROM {one} a WHERE {} {} {}",
                self.exists("a"),
                self.of_row("a"),
                self.random.one(&["AND", "OR"]),
                self.exists("a")
            ),
            6 => {
                let lateral = self
                    .random
                    .one(&[", LATERAL", "JOIN LATERAL", "LEFT JOIN LATERAL"]);
                let end = if lateral.starts_with(',') {
                    ""
                } else {
                    "ON true"
                };
                let shown = self.random.one(&["count(*) AS n", "b.id AS n"]);
                format!(
                    "SELECT a.id, c.n FROM {one} a {lateral} (SELECT {shown} FROM {other} b WHERE {on} AND {}) c {end} WHERE {}",
                    self.of_row("b"),
                    self.of_row("a")
                )
            }
            _ => format!(
                "SELECT a.id, b.id AS y FROM {one} a {kind} (SELECT * FROM {other} o WHERE {}) b ON {on} WHERE {}",
                self.of_row("o"),
                self.exists("a")
            ),
        }
    }
}

#[test]
fn plans_that_are_changed_answer_as_before() {
    run(async {
        let rig = Rig::start("demo").await;
        let (live, memory) = sessions(&rig).await;
        let mut random = Random::new(20_261_123);
        let (mut found, mut unsupported, mut wrong) = (0, 0, Vec::new());
        const QUERIES: usize = 220;
        for _ in 0..QUERIES {
            let sql = Maker {
                random: &mut random,
            }
            .query();
            let Ok(expected) = ask(&memory, &sql).await else {
                unsupported += 1;
                continue;
            };
            rig.emulator.clear_journal();
            match ask(&live, &sql).await {
                Err(problem) => wrong.push(format!("{sql}\n  {problem}")),
                Ok(answer) => {
                    let (answer, expected) = (rows(&answer), rows(&expected));
                    found += answer.len();
                    if answer != expected {
                        let (answer, expected) = (answer.len(), expected.len());
                        wrong.push(format!("{sql}\n  {answer} rows of {expected}"));
                    }
                    wrong.extend(
                        twice(&live)
                            .iter()
                            .map(|it| format!("{sql}\n  twice: {it}")),
                    );
                    let (spent, whole) = (rig.calls().count(), 1 + 4 + 7 + 7);
                    if spent > whole {
                        wrong.push(format!("{sql}\n  {spent} calls of {whole}"));
                    }
                }
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
        assert!(
            found > 0 && unsupported * 10 < QUERIES,
            "{unsupported} of {QUERIES} cannot be asked"
        );
        report(&format!(
            "narrowing: {} random statements whose plans are changed answer as over tables in memory",
            QUERIES - unsupported
        ));
    });
}
