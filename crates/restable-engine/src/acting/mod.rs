//! Acting: INSERT, REPLACE, UPDATE, DELETE and EXEC, from a statement to calls that are sent once. Its source rows are planned like a
//! SELECT; each row becomes one bound call (`rows.rs`), checked before the first is sent; then they are shown (`preview.rs`) or sent
//! (`send.rs`), and each answer is one row of the result (`answer.rs`).
//!
//! Nothing here decides whether a request may be sent again: restable-http does, and its journal gives the leave to send.

mod answer;
mod ask;
mod blockers;
mod commitment;
mod confirm;
mod evidence;
mod explain;
mod job;
mod operations;
mod plan;
mod preview;
mod read;
mod recheck;
mod returning;
mod rows;
mod run;
mod send;
mod source;
mod table;
mod totals;
mod values;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;

pub use commitment::Commitment;
pub use operations::OperationFilter;
pub use send::Stopper;
pub(crate) use send::binding;
pub use totals::{ActionTotals, ErrorCount};

pub(crate) use explain::explain;
pub(crate) use operations::{decoded, list};
pub(crate) use plan::{Acting, Purpose, plan};
pub(crate) use table::{named, tables};

/// What a session may do to its providers. It is enforced where a call is made, not by reading SQL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Access {
    /// Everything.
    #[default]
    Write,
    /// Reads; a statement that would change something is previewed (`--preview`).
    Preview,
    /// Reads; a statement that would change something is refused.
    ReadOnly,
}

/// Where actions are journaled.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum JournalPlace {
    /// In memory: it ends with the process. For the emulator.
    #[default]
    Memory,
    /// In this file, which is opened at the first action.
    File(PathBuf),
}

/// What is asked before calls are sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// What is going to be done: `EXEC backup_instances.stop_protection`, `DELETE FROM backup_instances`.
    pub action: String,
    /// How many targets there are.
    pub count: usize,
    /// Whether data or protection may be lost.
    pub destructive: bool,
    /// The scopes that the targets are in, each once: vaults, or whatever is one level above.
    pub scopes: Vec<String>,
    /// The first targets, ten at most.
    pub first: Vec<String>,
}

/// The answer to a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Consent {
    /// Go on.
    Given,
    /// Send nothing.
    Refused,
}

/// Asks a person. A session without one cannot ask: a statement that needs consent is refused then.
pub type Asker = dyn Fn(Question) -> BoxFuture<'static, Consent> + Send + Sync;

/// How far the targets of a statement are.
#[derive(Debug, Clone, PartialEq)]
pub struct Progress {
    /// How many targets there are.
    pub total: usize,
    /// How many have ended.
    pub done: usize,
    /// How many of those did not succeed.
    pub failed: usize,
    /// The target that was heard of last.
    pub target: String,
    /// The service's word for its state.
    pub status: String,
    /// The share of it that is done, if the service says so, from 0 to 100.
    pub percent: Option<f32>,
    /// Time since the first call was sent.
    pub elapsed: Duration,
}

/// Who is told how far a statement is.
pub type ProgressListener = dyn Fn(&Progress) + Send + Sync;

/// Who is asked and told about actions.
#[derive(Clone, Default)]
pub struct Attendant {
    /// Asked before calls are sent.
    pub asker: Option<Arc<Asker>>,
    /// Told while they run.
    pub progress: Option<Arc<ProgressListener>>,
}

impl std::fmt::Debug for Attendant {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Attendant")
            .field("asks", &self.asker.is_some())
            .field("is_told", &self.progress.is_some())
            .finish()
    }
}
