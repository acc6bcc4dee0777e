//! Statements that act, on an emulator: the requests they send are in its journal, their effects in its ledger and state. Replay of
//! recorded traffic is in `replay.rs`.

mod bodies;
mod forms;
mod lost;
mod many;
mod refused;
mod requests;

use std::sync::Arc;

use arm_emulator::{ClockKind, JournalEntry, Options};
use restable_engine::{Error, Origin, Session};
use restable_spec::Builtin;
use serde_json::Value;

use crate::rig::{Answer, Rig, ask, decode, options, settings};

/// A subscription, a group, a vault and a disk of the demo estate, as parameters of EXEC.
const DISK: &str = "@subscriptionId = '8f3b1c52-6d2e-4f0a-9b7c-1e5a40d7c001', @resourceGroupName = 'rg-backup-prod-weu', \
    @vaultName = 'bv-prod-weu', @backupInstanceName = 'disk-dc01-os-disk-dc01-os-566867df-dd8f-47e0-98f6-c9569ac13006'";
const SUBSCRIPTION: &str = "/subscriptions/8f3b1c52-6d2e-4f0a-9b7c-1e5a40d7c001";
const VAULT: &str = "/subscriptions/8f3b1c52-6d2e-4f0a-9b7c-1e5a40d7c001/resourceGroups/rg-backup-prod-weu/providers/Microsoft.DataProtection/backupVaults/bv-prod-weu";
const DISK_NAME: &str = "disk-dc01-os-disk-dc01-os-566867df-dd8f-47e0-98f6-c9569ac13006";
const BACKUP: &str = "azure.data_protection.backup_instances.adhoc_backup";

/// An emulator whose time jumps to the end of whatever is pending.
fn fast(estate: &str) -> Options {
    Options {
        clock: ClockKind::Fast,
        ..options(estate)
    }
}

async fn rig(options: Options) -> Rig {
    Rig::with(options, vec![Arc::new(Builtin)]).await
}

/// A session that asks nobody and waits as little as it may.
fn session(rig: &Rig) -> Session {
    let mut settings = settings();
    settings.set("confirm", "never", Origin::Flag).unwrap();
    settings.set("poll_interval", "0", Origin::Flag).unwrap();
    rig.engine.session(settings).unwrap()
}

/// Runs a statement; the journal has only what it sent.
async fn act(rig: &Rig, sql: &str) -> Result<Answer, Error> {
    rig.emulator.clear_journal();
    ask(&session(rig), sql).await
}

/// As [`act`], for statements that are expected to be sent.
async fn acted(rig: &Rig, sql: &str) -> Answer {
    act(rig, sql)
        .await
        .unwrap_or_else(|error| panic!("{sql}\n{error}\n{:?}", error.diagnostic()))
}

/// What was sent that may change something.
fn writes(rig: &Rig) -> Vec<JournalEntry> {
    let mut entries = rig.emulator.journal();
    entries.retain(|entry| entry.method != "GET");
    entries
}

/// A request as a person writes it: `POST /path?query`.
fn line(entry: &JournalEntry) -> String {
    format!(
        "{} {}?{}",
        entry.method,
        decode(&entry.path),
        decode(&entry.query)
    )
}

fn body(entry: &JournalEntry) -> Value {
    entry
        .body
        .as_deref()
        .map_or(Value::Null, |text| serde_json::from_str(text).unwrap())
}

/// A cell of the only row.
fn cell<'a>(answer: &'a Answer, column: &str) -> Option<&'a str> {
    assert_eq!(answer.rows.len(), 1, "{answer:?}");
    answer.column(column)[0]
}
