//! Which snapshots read which: the order in which they are refreshed, and what DROP leaves without its base.

use std::any::Any;
use std::collections::BTreeSet;

use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::datasource::source_as_provider;
use datafusion::logical_expr::LogicalPlan;
use restable_sql::Diagnostic;

use super::manifest::{Kind, Manifest};
use super::moment::Moment;
use super::store::Store;
use super::table::SnapshotTable;
use crate::{Error, Result};

/// The snapshots that a plan reads, each once.
pub fn reads(plan: &LogicalPlan) -> Result<Vec<String>> {
    let mut names = BTreeSet::new();
    plan.apply_with_subqueries(|node| {
        if let LogicalPlan::TableScan(scan) = node {
            let table = source_as_provider(&scan.source)?;
            if let Some(table) = (table.as_ref() as &dyn Any).downcast_ref::<SnapshotTable>() {
                names.insert(table.name().to_owned());
            }
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(names.into_iter().collect())
}

/// The names of materialized views, in an order in which they can be refreshed: each after those that it reads, else as they were made.
pub fn in_order(store: &Store) -> Result<Vec<String>> {
    let mut all: Vec<(Moment, String, Vec<String>)> = Vec::new();
    for name in store.names()? {
        match store.load(&name) {
            Ok(Some(known)) if known.kind == Kind::MaterializedView => {
                all.push((known.created, name, known.reads.clone()));
            }
            Ok(_) => {}
            // One that cannot be read is refreshed last: trying tells what is wrong with it.
            Err(_) => all.push((Moment(i64::MAX), name, Vec::new())),
        }
    }
    all.sort();
    let mut order = Vec::with_capacity(all.len());
    while !all.is_empty() {
        let waits = |reads: &[String], own: &String| {
            let mut others = all.iter().filter(|(_, name, _)| name != own);
            others.any(|(_, name, _)| reads.contains(name))
        };
        let next = all.iter().position(|(_, name, reads)| !waits(reads, name));
        // Of two that read each other, the older one is first.
        let (_, name, _) = all.remove(next.unwrap_or_default());
        order.push(name);
    }
    Ok(order)
}

/// The materialized views that read one of these snapshots, and those that read them, without these.
pub fn dependents(store: &Store, names: &[String]) -> Result<Vec<String>> {
    let mut found: Vec<String> = Vec::new();
    let all = store.names()?;
    let all: Vec<_> = all
        .iter()
        .filter_map(|name| store.load(name).ok().flatten())
        .filter(|known| known.kind == Kind::MaterializedView)
        .collect();
    loop {
        let before = found.len();
        for known in &all {
            let is_new = !names.contains(&known.name) && !found.contains(&known.name);
            let base = |one: &String| names.contains(one) || found.contains(one);
            if is_new && reads_another(known, base) {
                found.push(known.name.clone());
            }
        }
        if found.len() == before {
            return Ok(found);
        }
    }
}

fn reads_another(known: &Manifest, base: impl Fn(&String) -> bool) -> bool {
    let mut others = known.reads.iter().filter(|one| **one != known.name);
    others.any(base)
}

/// The error for DROP of what others read.
pub fn in_use(names: &[String], by: &[String]) -> Error {
    let shown = |names: &[String]| {
        let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
        names.join(", ")
    };
    let told = format!("{} cannot be dropped: {} read it", shown(names), shown(by));
    let told = match by.len() {
        1 => told.replace(" read it", " reads it"),
        _ => told,
    };
    let help = "`DROP … CASCADE` drops them as well; `CREATE OR REPLACE` makes it anew for those that read it";
    Diagnostic::new("R0354", told).help(help).into()
}
