//! The pass over names: what is written and what leaves it.

use std::collections::HashMap;

use crate::names::{Heading, KnownTable, Resolver, rewrite};
use restable_spec::names::fold;

struct Tables;

impl Resolver for Tables {
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
    let (rewritten, _) = pass("SELECT 1 FROM backup_instances NATURAL JOIN backup_vaults");
    assert!(
        rewritten.contains(
            "(SELECT id, name, location FROM azure.data_protection.backup_vaults AS backup_vaults)"
        ),
        "{rewritten}"
    );
}

#[test]
fn own_names_follow_the_rule_of_sql() {
    check(
        "WITH Big AS (SELECT name AS TheName FROM backup_instances) SELECT THENAME, \"Quoted\" FROM BIG",
        "WITH big AS (SELECT name AS thename FROM azure.data_protection.backup_instances AS backup_instances) SELECT thename, Quoted FROM big",
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
