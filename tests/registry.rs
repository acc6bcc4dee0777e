//! The documents of the public registry (`$RESTABLE_REGISTRY`, by default `../shared/data/registry`), unmodified: all of them
//! are read, and its own Azure tables give the rows that ours give.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use restable_spec::{Builtin, Directory, Registry, SpecSource};
use serde_json::Value;

use crate::rig::{Answer, Rig, options, report, run, shared};

fn folder() -> Option<PathBuf> {
    let folder = shared("RESTABLE_REGISTRY", "../shared/data/registry");
    if folder.is_none() {
        report("registry absent: 0 documents read");
    }
    folder
}

#[test]
fn all_documents_are_read() {
    let Some(folder) = folder() else { return };
    let registry = Registry::open(vec![Arc::new(Directory::new(folder))]).unwrap();
    let (mut services, mut resources, mut methods) = (0, 0, 0);
    for provider in registry.providers() {
        let names: Vec<String> = provider
            .services()
            .map(|entry| entry.name.clone())
            .collect();
        assert!(!names.is_empty(), "{} lists no service", provider.name);
        for name in names {
            let service = provider
                .service(&name)
                .unwrap_or_else(|error| panic!("{}.{name}: {error}", provider.name));
            let service = service.unwrap();
            assert!(
                !service.resources.is_empty(),
                "{}.{name} has no resource",
                provider.name
            );
            services += 1;
            for resource in service.resources.values() {
                resources += 1;
                methods += resource.methods.len();
                // A method that cannot be used says why, and does not make the table unusable.
                for reader in resource.readers() {
                    assert!(
                        !reader.path.segments().is_empty(),
                        "{}",
                        resource.full_name()
                    );
                }
            }
        }
    }
    report(&format!(
        "{services} services, {resources} resources, {methods} methods of the registry read"
    ));
    assert!(
        services >= 9 && resources > 200,
        "{services} services, {resources} resources"
    );
}

#[test]
fn every_table_of_every_document_can_be_described_and_planned() {
    let Some(folder) = folder() else { return };
    run(async {
        let sources: Vec<Arc<dyn SpecSource>> =
            vec![Arc::new(Builtin), Arc::new(Directory::new(folder))];
        let rig = Rig::with(options("empty"), sources).await;
        let mut failures = Vec::new();
        let mut tables = 0;
        for provider in rig.engine.registry().providers() {
            let names: Vec<String> = provider
                .services()
                .map(|entry| entry.name.clone())
                .collect();
            for service in names
                .iter()
                .filter_map(|name| provider.service(name).unwrap())
            {
                for resource in service.resources.values() {
                    let table = format!(
                        "\"{}\".\"{}\".\"{}\"",
                        resource.provider, resource.service, resource.name
                    );
                    tables += 1;
                    if let Err(error) = rig.ask(&format!("DESCRIBE EXTENDED {table}")).await {
                        failures.push(format!("DESCRIBE EXTENDED {table}: {error}"));
                    }
                    if !resource.readers().is_empty()
                        && let Err(error) = rig.ask(&format!("EXPLAIN SELECT * FROM {table}")).await
                        && error.fault() == restable_engine::Fault::Ours
                    {
                        failures.push(format!("SELECT * FROM {table}: {error}"));
                    }
                }
            }
        }
        report(&format!("{tables} tables described and planned"));
        assert!(failures.is_empty(), "{}", failures.join("\n"));
    });
}

/// A row of ours and of the registry as attributes: `properties` is spread out in theirs, so it is in both.
fn flat(answer: &Answer) -> Vec<BTreeMap<String, Value>> {
    let mut rows = Vec::new();
    for row in &answer.rows {
        let mut attributes = BTreeMap::new();
        for (column, cell) in answer.columns.iter().zip(row) {
            let Some(cell) = cell else { continue };
            // Text that looks like JSON is the same text on both sides.
            let value = serde_json::from_str(cell)
                .ok()
                .filter(|value: &Value| value.is_object() || value.is_array());
            let value = value.unwrap_or_else(|| Value::String(cell.clone()));
            match (column.as_str(), value) {
                ("properties", Value::Object(properties)) => {
                    for (name, value) in properties {
                        let value = match value {
                            Value::Null => continue,
                            Value::Object(_) | Value::Array(_) | Value::String(_) => value,
                            scalar => Value::String(scalar.to_string()),
                        };
                        attributes.insert(restable_spec::names::fold(&name), value);
                    }
                }
                (column, value) => {
                    attributes.insert(restable_spec::names::fold(column), value);
                }
            }
        }
        rows.push(attributes);
    }
    rows.sort_by_key(|row| row.get("id").map(Value::to_string));
    rows
}

#[test]
fn the_registrys_own_tables_give_the_same_rows() {
    let Some(folder) = folder() else { return };
    run(async {
        let ours = Rig::start("demo").await;
        let sources: Vec<Arc<dyn SpecSource>> =
            vec![Arc::new(Builtin), Arc::new(Directory::new(folder))];
        let theirs = Rig::with(options("demo"), sources).await;
        let subscription = crate::rig::demo::PRODUCTION;
        for (table, predicate) in [
            ("backup_vaults", String::new()),
            (
                "backup_vaults",
                format!("WHERE subscription_id = '{subscription}'"),
            ),
            ("backup_instances", String::new()),
            (
                "backup_instances",
                format!(
                    "WHERE subscription_id = '{subscription}' AND resource_group_name = 'rg-backup-prod-weu' \
                     AND vault_name = 'bv-prod-weu'"
                ),
            ),
        ] {
            let sql = format!("SELECT * FROM azure.data_protection.{table} {predicate}");
            let (ours_answer, theirs_answer) = (ours.rows(&sql).await, theirs.rows(&sql).await);
            let (ours_rows, theirs_rows) = (flat(&ours_answer), flat(&theirs_answer));
            assert_eq!(ours_rows.len(), theirs_rows.len(), "{sql}");
            assert!(!ours_rows.is_empty(), "{sql}");
            for (row, theirs_row) in ours_rows.iter().zip(&theirs_rows) {
                // What the registry's schema has no column for is the registry's choice; what it has must be equal.
                for (name, value) in theirs_row {
                    assert_eq!(
                        row.get(name),
                        Some(value),
                        "{sql}: `{name}` of {:?}",
                        row.get("id")
                    );
                }
                for name in ["id", "name", "type"] {
                    assert!(theirs_row.contains_key(name), "{sql}: {theirs_row:?}");
                }
            }
            assert_eq!(
                ours.calls().count(),
                theirs.calls().count(),
                "{sql}: {}",
                theirs.calls().summary()
            );
        }
    });
}
