//! A local Azure Resource Manager with Microsoft.DataProtection (Azure Backup) in it.
//!
//! The crate owns one HTTP server on loopback that answers the paths, headers, bodies and errors of
//! `management.azure.com` for subscriptions, resource groups and every operation of `Microsoft.DataProtection`,
//! and a control plane under `/_emulator/` for tests. It is written from Azure's recorded behaviour and shares
//! neither code nor documents with the client crates, so that client and emulator can disagree.
//!
//! It refuses to listen anywhere but on loopback: it checks no credentials and holds no real data.
//!
//! ```
//! # async fn example() -> Result<(), arm_emulator::Error> {
//! let emulator = arm_emulator::Emulator::start(arm_emulator::Options::default()).await?;
//! assert!(emulator.url().starts_with("http://127.0.0.1:"));
//! emulator.stop().await;
//! # Ok(())
//! # }
//! ```

// The shape of a job has more keys than `json!` takes by default.
#![recursion_limit = "256"]

mod arm;
mod bodies;
mod clock;
mod control;
mod effects;
mod emulator;
mod error;
mod estate;
mod faults;
mod guards;
mod headers;
mod ids;
mod instance_actions;
mod instances;
mod jobs;
mod journal;
mod long_running;
mod operations;
mod options;
mod paging;
mod policies;
mod recovery_points;
mod request;
mod restores;
mod router;
mod runs;
mod serve;
mod services;
mod state;
mod store;
mod subscriptions;
mod throttle;
mod vaults;
mod wire;

pub use emulator::Emulator;
pub use error::Error;
pub use faults::{Action, Fault, Match, NextLink};
pub use journal::{JournalEntry, LedgerEntry};
pub use options::{ClockKind, Estate, Options, Throttle};
