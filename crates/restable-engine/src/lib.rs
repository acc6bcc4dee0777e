//! restable's engine: provider resources as DataFusion tables. It owns sessions, catalogs, scans and the meaning of
//! restable's SQL; it is the only crate that names DataFusion. It opens no socket itself (restable-http does), and
//! prints nothing.
//!
//! A statement goes through [`Session::prepare`], which sends nothing, and [`Session::run`], which makes the calls. A
//! table is always the whole relation; what a statement binds only narrows it (see [`walk`]). Rows are streams; a batch
//! is made straight from the bytes of a page (see [`decode`]).

pub mod acting;
mod ahead;
mod allow;
mod apart;
mod audit;
mod beside;
mod cache;
mod calls;
pub mod catalog;
mod combinations;
mod contradictions;
pub mod decode;
pub mod dialect;
mod door;
mod engine;
mod error;
pub mod explain;
pub mod forecast;
pub mod functions;
mod gathered;
mod ground;
mod id_patterns;
pub mod identity;
mod information_schema;
mod joined;
pub mod json;
mod json_columns;
mod largeness;
mod listed;
mod listing;
mod locate;
mod memory;
pub mod names;
mod narrowing;
mod never;
mod once;
mod open_parameters;
pub mod outcome;
mod own_drops;
mod own_rows;
mod own_views;
mod paced;
pub mod parameters;
mod passing;
pub mod pg_catalog;
mod placeholders;
mod planning;
mod pool;
mod prepared;
mod prompt;
pub mod prune;
mod ramp;
mod ranges;
mod relation;
mod remember;
pub mod scan;
mod session;
pub mod settings;
mod shared;
mod show;
mod show_calls;
pub mod snapshots;
mod spill;
pub mod statement;
pub mod table;
mod templates;
mod through;
mod told;
mod views;
pub mod walk;
mod wide;
mod windowed;
mod zone;

pub use apart::{Desk, Hall};
pub use arrow;
pub use audit::AuditLog;
pub use door::{Door, HeldMemory, Memory, Reach, Sees};
pub use engine::Engine;
pub use error::{Error, Fault, Result};
pub use listed::Listed;
pub use memory::MemoryPlace;
pub use outcome::{Outcome, Report, Rows};
pub use own_rows::OwnTables;
pub use passing::Passing;
pub use planning::STACK;
pub use remember::Remembered;
pub use restable_http::counters;
pub use restable_sql as sql;
pub use session::{Prepared, Session, collect};
pub use settings::{Origin, Settings};
pub use shared::Shared;

#[cfg(test)]
mod tests;
