//! What is kept, as tables: `information_schema.restable_snapshots`, `restable_refreshes`, and SHOW MATERIALIZED VIEWS. They
//! are read from manifests only, so that a damaged file of rows hides nothing.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use arrow::datatypes::{DataType, Field, Schema};

use super::estate;
use super::manifest::{Kind, Manifest, Refresh, seconds};
use super::moment::{Moment, age};
use super::store::Store;
use super::table::time_type;
use crate::catalog::{OWN_CATALOG, OWN_SCHEMA};
use crate::shared::Shared;
use crate::{Error, Result};

/// The tables of `information_schema` that are about snapshots.
pub const TABLES: &[&str] = &["restable_snapshots", "restable_refreshes"];

/// A snapshot, or why nothing is known of it.
struct Entry {
    name: String,
    known: Result<Arc<Manifest>>,
}

impl Entry {
    fn manifest(&self) -> Option<&Manifest> {
        self.known.as_deref().ok()
    }

    fn newest(&self) -> Option<&Refresh> {
        self.manifest()?.newest()
    }
}

fn entries(store: Option<&Arc<Store>>) -> Result<Vec<Entry>> {
    let Some(store) = store else {
        return Ok(Vec::new());
    };
    let mut all = Vec::new();
    for name in store.names()? {
        let known = match store.load(&name) {
            Ok(Some(manifest)) => Ok(manifest),
            // Dropped since.
            Ok(None) => continue,
            Err(problem) => Err(problem),
        };
        all.push(Entry { name, known });
    }
    Ok(all)
}

struct Columns(Vec<Field>, Vec<ArrayRef>);

impl Columns {
    fn new() -> Columns {
        Columns(Vec::new(), Vec::new())
    }

    fn text<'r, R: 'r>(
        &mut self,
        name: &str,
        rows: impl IntoIterator<Item = &'r R>,
        of: impl Fn(&'r R) -> Option<String>,
    ) {
        let array: StringArray = rows.into_iter().map(of).collect();
        self.0.push(Field::new(name, DataType::Utf8, true));
        self.1.push(Arc::new(array));
    }

    fn number<'r, R: 'r>(
        &mut self,
        name: &str,
        rows: impl IntoIterator<Item = &'r R>,
        of: impl Fn(&'r R) -> Option<i64>,
    ) {
        let array: Int64Array = rows.into_iter().map(of).collect();
        self.0.push(Field::new(name, DataType::Int64, true));
        self.1.push(Arc::new(array));
    }

    fn time<'r, R: 'r>(
        &mut self,
        name: &str,
        rows: impl IntoIterator<Item = &'r R>,
        of: impl Fn(&'r R) -> Option<Moment>,
    ) {
        let times: Vec<Option<i64>> = rows.into_iter().map(|row| of(row).map(|at| at.0)).collect();
        let array = TimestampMicrosecondArray::from(times).with_timezone("+00:00");
        self.0.push(Field::new(name, time_type(), true));
        self.1.push(Arc::new(array));
    }

    fn batch(self) -> Result<RecordBatch> {
        Ok(RecordBatch::try_new(Arc::new(Schema::new(self.0)), self.1)?)
    }
}

fn number(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// One of [`TABLES`].
pub fn table(shared: &Shared, name: &str) -> Result<RecordBatch> {
    let entries = entries(shared.own.store())?;
    match name {
        "restable_snapshots" => snapshots(shared, &entries),
        _ => refreshes(shared, &entries),
    }
}

fn now(shared: &Shared) -> Moment {
    shared.own.store().map_or(Moment(0), |store| store.now())
}

fn failure(entry: &Entry) -> Option<String> {
    match &entry.known {
        Ok(manifest) => {
            let failed = manifest.last_failure.as_ref()?;
            Some(format!(
                "{}: {}: {}",
                failed.at.shown(),
                failed.code,
                failed.message
            ))
        }
        Err(problem) => Some(problem.diagnostic().message),
    }
}

fn bytes(entry: &Entry) -> Option<i64> {
    let refreshes = &entry.manifest()?.refreshes;
    Some(number(refreshes.iter().map(|one| one.bytes).sum()))
}

fn snapshots(shared: &Shared, entries: &[Entry]) -> Result<RecordBatch> {
    let (now, catalog) = (now(shared), shared.shown_catalog(OWN_CATALOG));
    let mut columns = Columns::new();
    columns.text("table_catalog", entries, |_| Some(catalog.clone()));
    columns.text("table_schema", entries, |_| Some(OWN_SCHEMA.to_owned()));
    columns.text("table_name", entries, |entry| Some(entry.name.clone()));
    columns.text("kind", entries, |entry| {
        Some(entry.manifest()?.kind.words().to_ascii_uppercase())
    });
    columns.number("rows", entries, |entry| Some(number(entry.newest()?.rows)));
    columns.time("refreshed_at", entries, |entry| Some(entry.newest()?.at));
    columns.number("age_seconds", entries, |entry| {
        Some(seconds(entry.newest()?.at.until(now)))
    });
    columns.text("coverage", entries, |entry| {
        Some(entry.newest()?.coverage())
    });
    columns.number("refreshes", entries, |entry| {
        Some(number(entry.manifest()?.refreshes.len() as u64))
    });
    columns.time("oldest_at", entries, |entry| {
        Some(entry.manifest()?.refreshes.first()?.at)
    });
    columns.number("bytes", entries, bytes);
    columns.text("last_failure", entries, failure);
    made(&mut columns, entries);
    columns.batch()
}

/// How rows are made: from which estate, in which time zone, by which statement.
fn made(columns: &mut Columns, entries: &[Entry]) {
    columns.text("source", entries, |entry| estate::shown(entry.manifest()?));
    columns.text("time_zone", entries, |entry| {
        Some(entry.manifest()?.context.zone().to_owned())
    });
    columns.text("statement", entries, |entry| {
        Some(entry.manifest()?.statement.clone())
    });
}

fn refreshes(shared: &Shared, entries: &[Entry]) -> Result<RecordBatch> {
    let catalog = shared.shown_catalog(OWN_CATALOG);
    let rows: Vec<(&Manifest, &Refresh)> = entries
        .iter()
        .filter_map(Entry::manifest)
        .flat_map(|manifest| manifest.refreshes.iter().map(move |one| (manifest, one)))
        .collect();
    let mut columns = Columns::new();
    columns.text("table_catalog", &rows, |_| Some(catalog.clone()));
    columns.text("table_schema", &rows, |_| Some(OWN_SCHEMA.to_owned()));
    columns.text("table_name", &rows, |(manifest, _)| {
        Some(manifest.name.clone())
    });
    columns.time("refreshed_at", &rows, |(_, one)| Some(one.at));
    columns.time("started_at", &rows, |(_, one)| Some(one.started));
    columns.number("rows", &rows, |(_, one)| Some(number(one.rows)));
    columns.number("bytes", &rows, |(_, one)| Some(number(one.bytes)));
    columns.number("calls", &rows, |(_, one)| Some(number(one.calls)));
    columns.text("coverage", &rows, |(_, one)| Some(one.coverage()));
    columns.text("missing", &rows, |(_, one)| {
        let scopes: Vec<String> = one.missing.iter().map(|lost| lost.scope.clone()).collect();
        (!scopes.is_empty()).then(|| scopes.join("\n"))
    });
    columns.batch()
}

/// SHOW MATERIALIZED VIEWS.
pub fn listed(shared: &Shared, is_wanted: &dyn Fn(&str) -> bool) -> Result<RecordBatch> {
    let now = now(shared);
    let mut entries = entries(shared.own.store())?;
    // What cannot be read may be a materialized view.
    entries.retain(|entry| {
        is_wanted(&entry.name)
            && entry
                .manifest()
                .is_none_or(|known| known.kind == Kind::MaterializedView)
    });
    let entries = &entries;
    let mut columns = Columns::new();
    columns.text("name", entries, |entry| Some(entry.name.clone()));
    columns.number("rows", entries, |entry| Some(number(entry.newest()?.rows)));
    columns.text("age", entries, |entry| {
        Some(age(entry.newest()?.at.until(now)))
    });
    columns.time("refreshed_at", entries, |entry| Some(entry.newest()?.at));
    columns.text("coverage", entries, |entry| {
        Some(entry.newest()?.coverage())
    });
    columns.number("refreshes", entries, |entry| {
        Some(number(entry.manifest()?.refreshes.len() as u64))
    });
    columns.number("bytes", entries, bytes);
    columns.text("last_failure", entries, failure);
    made(&mut columns, entries);
    columns.batch()
}

/// What a name of the schema `public` is, if it is kept. What is damaged counts as a materialized view.
pub fn kind(shared: &Shared, name: &str) -> Option<Kind> {
    let store = shared
        .own
        .store()
        .filter(|_| !shared.own.is_of_session(name))?;
    match store.load(name) {
        Ok(known) => known.map(|known| known.kind),
        Err(_) => Some(Kind::MaterializedView),
    }
}

/// The query that made a snapshot, if that can be read.
pub fn definition(shared: &Shared, name: &str) -> Option<String> {
    let store = shared
        .own
        .store()
        .filter(|_| !shared.own.is_of_session(name))?;
    let known = store.load(name).ok().flatten()?;
    Some(known.query.clone())
}

/// The statement that made a snapshot; `None` if there is none of this name.
pub fn statement(shared: &Shared, name: &str) -> Result<Option<String>> {
    let Some(store) = shared
        .own
        .store()
        .filter(|_| !shared.own.is_of_session(name))
    else {
        return Ok(None);
    };
    Ok(store.load(name)?.map(|manifest| manifest.statement.clone()))
}

/// The error for a session without a data directory.
pub fn nowhere() -> Error {
    let problem = "there is no data directory to keep it in";
    restable_sql::Diagnostic::new("R0340", problem)
        .help("`--set data_dir=DIR` or `RESTABLE_DATA_DIR` names one")
        .into()
}
