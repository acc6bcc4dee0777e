//! The pass over names: what is written and what leaves it.

use std::collections::HashMap;

use crate::names::{Heading, KnownTable, Resolver, rewrite};
use restable_spec::names::fold;

struct Tables;

impl Resolver for Tables {
    fn at(
        &self,
        parts: &[String],
        _: &datafusion::sql::sqlparser::ast::TableVersion,
    ) -> Result<KnownTable, crate::Error> {
        Err(crate::Error::internal(format!("{parts:?} has no past")))
    }

    fn resolve(&self, parts: &[String]) -> crate::Result<Option<KnownTable>> {
        let (visible, hidden): (&[&str], &[&str]) = match fold(&parts[parts.len() - 1]).as_str() {
            "backupinstances" => (
                &["id", "name", "properties", "systemData"],
                &["subscriptionId", "vaultName", "api-version"],
            ),
            "backupvaults" => (
                &["id", "name", "location"],
                &["subscriptionId", "vaultName"],
            ),
            _ => return Ok(None),
        };
        let folds = |names: &[&str]| names.iter().map(|name| fold(name)).collect();
        let displays: HashMap<String, String> = visible
            .iter()
            .chain(hidden)
            .map(|name| (fold(name), (*name).to_owned()))
            .collect();
        let full = [
            "azure".to_owned(),
            "data_protection".to_owned(),
            parts[parts.len() - 1].to_ascii_lowercase(),
        ];
        Ok(Some(KnownTable {
            full,
            visible: folds(visible),
            hidden: folds(hidden),
            displays,
        }))
    }
}

fn pass(sql: &str) -> (String, Vec<String>) {
    let mut parsed = restable_sql::parse(sql).unwrap();
    let mut statement = match parsed.remove(0).statement {
        restable_sql::Statement::Query(statement) => statement,
        other => unreachable!("no query: {other:?}"),
    };
    let names = rewrite(&mut statement, &Tables).unwrap();
    let headings = names.headings.iter().map(|heading| match heading {
        Heading::Written(name) => name.clone(),
        Heading::Document => "=".to_owned(),
        Heading::Wildcard => "*".to_owned(),
    });
    (statement.to_string().replace('"', ""), headings.collect())
}

fn check(sql: &str, expected: &str, headings: &[&str]) {
    let (rewritten, found) = pass(sql);
    assert_eq!(rewritten, expected, "{sql}");
    assert_eq!(found, headings, "{sql}");
}

const I: &str = "azure.data_protection.backup_instances AS backup_instances";

#[test]
fn columns_are_found_in_any_spelling_and_headed_as_written() {
    for written in [
        "subscriptionId",
        "subscription_id",
        "SUBSCRIPTION_ID",
        "`subscriptionid`",
    ] {
        let heading = written.trim_matches('`');
        check(
            &format!("SELECT {written} FROM backup_instances"),
            &format!("SELECT subscriptionid FROM {I}"),
            &[heading],
        );
    }
}

#[test]
fn dotted_names_are_table_column_and_keys() {
    check(
        "SELECT i.Properties.policyInfo.policyId FROM backup_instances i",
        "SELECT i.properties['policyInfo']['policyId'] AS Properties.policyInfo.policyId FROM azure.data_protection.backup_instances i",
        &["Properties.policyInfo.policyId"],
    );
    check(
        "SELECT azure.data_protection.backup_instances.name, backup_instances.vault_name FROM backup_instances",
        &format!("SELECT backup_instances.name, backup_instances.vaultname FROM {I}"),
        &["name", "vault_name"],
    );
    check(
        "SELECT properties['policyInfo'].policyId FROM backup_instances",
        &format!(
            "SELECT properties['policyInfo']['policyId'] AS properties['policyInfo'].policyId FROM {I}"
        ),
        &["properties['policyInfo'].policyId"],
    );
}

#[test]
fn a_wildcard_means_fields_without_parameters() {
    check(
        "SELECT * FROM backup_instances",
        &format!(
            "SELECT backup_instances.id, backup_instances.name, backup_instances.properties, backup_instances.systemdata FROM {I}"
        ),
        &["=", "=", "=", "="],
    );
    check(
        "SELECT v.*, vaultName FROM backup_vaults v",
        "SELECT v.id, v.name, v.location, vaultname FROM azure.data_protection.backup_vaults v",
        &["=", "=", "=", "vaultName"],
    );
    check(
        "SELECT * EXCLUDE (System_Data, id) FROM backup_instances",
        &format!("SELECT backup_instances.name, backup_instances.properties FROM {I}"),
        &["=", "="],
    );
}

#[test]
fn using_shows_a_merged_column_once_and_a_hidden_one_not_at_all() {
    let (rewritten, headings) =
        pass("SELECT * FROM backup_instances i JOIN backup_vaults v USING (vault_name)");
    assert!(rewritten.contains("USING(vaultname)"), "{rewritten}");
    assert_eq!(headings.len(), 7);
    let (_, headings) = pass("SELECT * FROM backup_instances i JOIN backup_vaults v USING (name)");
    assert_eq!(headings.len(), 6);
}

#[test]
fn a_natural_join_does_not_see_parameters() {
    let (rewritten, headings) = pass("SELECT * FROM backup_instances NATURAL JOIN backup_vaults");
    assert!(rewritten.contains("USING(id, name)"), "{rewritten}");
    assert_eq!(headings, ["="; 5]);
    // Relations whose columns are not known cannot be asked: the tables beside them lose their parameters.
    let (rewritten, _) = pass(
        "SELECT 1 FROM backup_instances i JOIN backup_vaults v ON true NATURAL JOIN (SELECT 1 AS x) s",
    );
    assert!(
        rewritten.contains(
            "(SELECT id, name, properties, systemdata FROM azure.data_protection.backup_instances) AS i"
        ) || rewritten.contains("backup_instances AS backup_instances) AS i"),
        "{rewritten}"
    );
    assert!(rewritten.contains(") AS v ON true"), "{rewritten}");
}

#[test]
fn own_names_follow_the_rule_of_sql() {
    check(
        "WITH Big AS (SELECT name AS TheName FROM backup_instances) SELECT THENAME, \"Quoted\" FROM BIG",
        "WITH big AS (SELECT name AS thename FROM azure.data_protection.backup_instances AS backup_instances) SELECT thename, Quoted FROM big AS big",
        &["THENAME", "Quoted"],
    );
}

#[test]
fn a_column_twice_is_kept_apart_with_both_headings() {
    check(
        "SELECT name, name FROM backup_instances",
        &format!("SELECT name, name AS name:2 FROM {I}"),
        &["name", "name"],
    );
    check(
        "SELECT a.name, b.name FROM backup_instances a, backup_vaults b",
        "SELECT a.name, b.name FROM azure.data_protection.backup_instances a, azure.data_protection.backup_vaults b",
        &["name", "name"],
    );
}

#[test]
fn expressions_are_headed_by_their_text() {
    check(
        "SELECT count(*), upper(vaultName) AS V FROM backup_instances GROUP BY vault_name",
        &format!("SELECT count(*), upper(vaultname) AS v FROM {I} GROUP BY vaultname"),
        &["count(*)", "V"],
    );
}

const V: &str = "azure.data_protection.backup_vaults";

#[test]
fn an_outer_join_keeps_the_merged_column_of_its_side() {
    check(
        "SELECT vaultName, upper(vault_name) AS u FROM backup_instances i RIGHT JOIN backup_vaults v USING (vaultName) WHERE VAULTNAME <> '' GROUP BY vaultName ORDER BY vault_name, upper(vaultName)",
        &format!(
            "SELECT v.vaultname AS vaultname, upper(v.vaultname) AS u FROM azure.data_protection.backup_instances i RIGHT JOIN {V} v USING(vaultname) WHERE v.vaultname <> '' GROUP BY v.vaultname ORDER BY vaultname, upper(v.vaultname)"
        ),
        &["vaultName", "u"],
    );
    check(
        "SELECT vaultName FROM backup_instances i FULL JOIN backup_vaults v USING (vaultName)",
        &format!(
            "SELECT coalesce(i.vaultname, v.vaultname) AS vaultname FROM azure.data_protection.backup_instances i FULL JOIN {V} v USING(vaultname)"
        ),
        &["vaultName"],
    );
    check(
        "SELECT * FROM backup_vaults a FULL JOIN backup_vaults v USING (id, name, location)",
        &format!(
            "SELECT coalesce(a.id, v.id) AS id, coalesce(a.name, v.name) AS name, coalesce(a.location, v.location) AS location FROM {V} a FULL JOIN {V} v USING(id, name, location)"
        ),
        &["id", "name", "location"],
    );
    check(
        "SELECT name FROM backup_vaults a FULL JOIN backup_vaults b USING (name) JOIN backup_vaults c USING (name)",
        &format!(
            "SELECT coalesce(a.name, b.name) AS name FROM {V} a FULL JOIN {V} b USING(name) JOIN {V} c ON coalesce(a.name, b.name) = c.name"
        ),
        &["name"],
    );
}

#[test]
fn relations_without_an_alias_are_part_of_a_wildcard() {
    check(
        "SELECT * FROM backup_vaults CROSS JOIN (SELECT 1 AS x)",
        &format!(
            "SELECT backup_vaults.id, backup_vaults.name, backup_vaults.location, __1.* FROM {V} AS backup_vaults CROSS JOIN (SELECT 1 AS x) AS __1"
        ),
        &["=", "=", "=", "*"],
    );
}

#[test]
fn changes_after_a_wildcard() {
    check(
        "SELECT * REPLACE (upper(name) AS Name) RENAME (id AS Key) FROM backup_vaults",
        &format!(
            "SELECT backup_vaults.id AS key, upper(name) AS name, backup_vaults.location FROM {V} AS backup_vaults"
        ),
        &["Key", "Name", "="],
    );
    let refused = |sql: &str| {
        let mut parsed = restable_sql::parse(sql).unwrap();
        let restable_sql::Statement::Query(mut statement) = parsed.remove(0).statement else {
            unreachable!("{sql}");
        };
        let problem = rewrite(&mut statement, &Tables).unwrap_err().diagnostic();
        format!(
            "{}: {} ({})",
            problem.code,
            problem.message,
            problem.help.unwrap_or_default()
        )
    };
    assert_eq!(
        refused("SELECT * EXCLUDE (locatoin) FROM backup_vaults"),
        "R0203: there is no column `locatoin` (did you mean `location`? `DESCRIBE EXTENDED` lists the columns of a table)"
    );
    assert!(refused("SELECT v.* EXCEPT (nothing) FROM backup_vaults v").starts_with("R0203"));
    assert!(refused("SELECT * ILIKE '%a%' FROM backup_vaults").starts_with("R0310"));
    assert!(
        refused("SELECT * RENAME (x AS y) FROM backup_vaults, (SELECT 1 AS x)")
            .starts_with("R0310")
    );
}

#[test]
fn a_function_is_no_table() {
    check(
        "SELECT * FROM Generate_Series(1, 3)",
        "SELECT * FROM generate_series(1, 3) AS generate_series",
        &["*"],
    );
}

#[test]
fn a_query_of_with_sees_those_before_it_only() {
    check(
        "WITH backup_vaults AS (SELECT id, name FROM backup_vaults) SELECT name FROM backup_vaults",
        &format!(
            "WITH backup_vaults AS (SELECT id, name FROM {V} AS backup_vaults) SELECT name FROM backup_vaults AS backup_vaults"
        ),
        &["name"],
    );
}

#[test]
fn headings_come_from_the_outer_select() {
    let (_, headings) =
        pass("WITH c AS (SELECT name AS a FROM backup_vaults) SELECT a AS B FROM c");
    assert_eq!(headings, ["B"]);
    let (_, headings) = pass("WITH c AS (SELECT name AS a FROM backup_vaults) VALUES (1), (2)");
    assert!(headings.is_empty());
    let (_, headings) =
        pass("WITH c AS (SELECT name AS a FROM backup_vaults) (SELECT a AS B FROM c)");
    assert_eq!(headings, ["B"]);
    let (_, headings) =
        pass("SELECT name AS X FROM backup_vaults UNION SELECT id AS y FROM backup_vaults");
    assert_eq!(headings, ["X"]);
}

#[test]
fn arms_of_a_union_have_names_of_their_own() {
    check(
        "SELECT v.name FROM backup_vaults v UNION ALL SELECT x.v.name FROM (SELECT 1) x",
        &format!(
            "SELECT v.name FROM {V} v UNION ALL SELECT x.v['name'] AS v.name FROM (SELECT 1) x"
        ),
        &["name"],
    );
}

#[test]
fn windows_follow_the_rule_of_sql() {
    check(
        "SELECT rank() OVER W AS r FROM backup_vaults WINDOW W AS (ORDER BY Name)",
        &format!("SELECT rank() OVER w AS r FROM {V} AS backup_vaults WINDOW w AS (ORDER BY name)"),
        &["r"],
    );
}
