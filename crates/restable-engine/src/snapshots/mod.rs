//! Snapshots: what CREATE MATERIALIZED VIEW and CREATE TABLE AS keep in the data directory, as Parquet files that reading
//! needs no call for. A snapshot is refreshed whole or not at all (`fill.rs`), its refreshes are kept with their time
//! (`manifest.rs`), and a table of it shows the newest, the one of a time, or all (`table.rs`, `past.rs`).
//!
//! On disk a snapshot is a folder: `manifest.json`, which is replaced by a rename and names everything that exists, and one
//! Parquet file a refresh, which is never changed. So a reader sees the old or the new one, never half of one; a writer that
//! dies leaves a file that nobody names, and the next one removes it. Who writes holds the lock of the folder (`store.rs`).

mod audited;
mod columns;
mod depends;
mod estate;
mod fill;
mod list;
mod manifest;
mod moment;
mod name;
mod own;
mod past;
mod run;
mod scan;
mod sink;
mod store;
mod table;

pub use manifest::Kind;
pub use moment::{Moment, age};
pub use store::{DataPlace, Store};

pub(crate) use depends::in_use;
pub(crate) use list::{TABLES, definition, kind, listed, statement, table as information};
pub(crate) use name::of as name_of;
pub(crate) use own::OwnSchema;
pub(crate) use past::resolve;
pub(crate) use run::Keeping;
pub use table::Reading;

pub(crate) use table::hidden;

/// The name of the column that says when rows became what a snapshot shows.
pub const SNAPSHOT_TIME: &str = "snapshot_time";
