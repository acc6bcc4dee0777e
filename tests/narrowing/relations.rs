//! What random queries are made of, and what their answers are compared by: the tables, each with the columns that it has in memory, where it is held whole.

use std::collections::HashSet;

use restable_engine::Session;
use restable_http::CallRecord;

use crate::rig::{Answer, ask};

/// The tables that queries are made of, with the columns that they have in memory.
pub(super) const TABLES: [(&str, &str, &str); 7] = [
    (
        "vaults",
        "azure.data_protection.backup_vaults",
        "id, name, location, properties, subscriptionId, resourceGroupName, vaultName",
    ),
    (
        "instances",
        "azure.data_protection.backup_instances",
        "id, name, properties, subscriptionId, resourceGroupName, vaultName, backupInstanceName",
    ),
    (
        "policies",
        "azure.data_protection.backup_policies",
        "id, name, properties, subscriptionId, resourceGroupName, vaultName, backupPolicyName",
    ),
    (
        "jobs",
        "azure.data_protection.jobs",
        "id, name, properties, subscriptionId, resourceGroupName, vaultName, jobId",
    ),
    (
        "points",
        "azure.data_protection.recovery_points",
        "id, name, subscriptionId, resourceGroupName, vaultName, backupInstanceName, recoveryPointId",
    ),
    (
        "flat",
        "azure.data_protection.vw_backup_instances",
        "id, friendly_name AS name, policy_id AS policy, subscription_id AS subscriptionId, resource_group_name AS resourceGroupName, \
         vault_name AS vaultName, backup_instance_name AS backupInstanceName",
    ),
    (
        "subscriptions",
        "azure.resource.subscriptions",
        "subscriptionId, displayName, state",
    ),
];

/// Holds the whole relation of a table in memory, under its short name.
pub(super) async fn hold(session: &Session, (name, table, columns): (&str, &str, &str)) {
    let sql = format!("CREATE TABLE {name} AS SELECT {columns} FROM {table}");
    ask(session, &sql).await.unwrap();
}

/// Rows to compare. Which spelling of a scope a session saw first depends on what it read first.
pub(super) fn rows(answer: &Answer) -> Vec<String> {
    let mut rows = answer.sorted();
    rows.iter_mut().for_each(|row| row.make_ascii_lowercase());
    rows.sort();
    rows
}

/// Calls that the last statement of a session made more than once.
pub(super) fn twice(session: &Session) -> Vec<String> {
    let records = session.last_statement().unwrap().meter.records();
    let name = |call: &CallRecord| format!("{} {}", call.url.to_lowercase(), call.page);
    let mut names: Vec<String> = records.iter().map(name).collect();
    let mut seen = HashSet::new();
    names.retain(|name| !seen.insert(name.clone()));
    names
}
