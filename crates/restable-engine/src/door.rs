//! How a client came in, and what it may do: to its providers, to the machine that serves it, and to the memory that all
//! clients share. It is asked where something is done, never by reading SQL.

use std::fmt;
use std::sync::Arc;

use datafusion::common::{DataFusionError, Result as PlanResult};
use datafusion::execution::memory_pool::{
    GreedyMemoryPool, MemoryConsumer, MemoryLimit, MemoryPool, MemoryReservation,
    TrackConsumersPool,
};
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};
use restable_sql::Diagnostic;

use crate::Result;
use crate::acting::Access;
use crate::pg_catalog::Postgres;
use crate::pool::Pool;
use crate::settings::Settings;

/// How a session's client came in, and what it may do.
#[derive(Debug, Clone, Default)]
pub struct Door {
    /// Who it is, if it had to say and has no name of PostgreSQL's.
    pub user: Option<String>,
    /// Whether it may send what changes something.
    pub access: Access,
    /// What of this machine it may touch.
    pub reach: Reach,
    /// The memory that its session shares with others; `None`: it has its own.
    pub memory: Option<Memory>,
    /// Settings of DataFusion with which its session begins.
    pub options: Arc<[(String, String)]>,
    /// Whether it speaks as a client of PostgreSQL does: its own settings, and `SHOW` of them.
    pub postgres: Option<Postgres>,
    /// Whose actions it is shown.
    pub sees: Sees,
}

/// Whose actions of the journal a session is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Sees {
    /// All that were started from here.
    #[default]
    All,
    /// Those that its own user started: others who come in have names and secrets of their own.
    Own,
}

/// What of this machine a session may touch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Reach {
    /// Its files, and every setting: the session is of the person who runs this process.
    #[default]
    Machine,
    /// Nothing: the session is of somebody at the other end of a wire.
    Wire,
}

/// Settings of DataFusion that somebody at the other end of a wire may change: they show more or less, or give the
/// optimizer another choice. The others are about memory, files, threads or the meaning of names.
const HARMLESS: &[&str] = &[
    "datafusion.explain.logical_plan_only",
    "datafusion.explain.physical_plan_only",
    "datafusion.explain.show_statistics",
    "datafusion.explain.show_sizes",
    "datafusion.explain.show_schema",
    "datafusion.explain.format",
    "datafusion.optimizer.prefer_hash_join",
    "datafusion.optimizer.prefer_existing_sort",
    "datafusion.optimizer.prefer_existing_union",
];

impl Reach {
    /// Whether a session may change this setting of DataFusion's.
    pub(crate) fn check_option(self, name: &str) -> Result<()> {
        let may = self == Reach::Machine
            || HARMLESS
                .iter()
                .any(|known| known.eq_ignore_ascii_case(name));
        if may {
            return Ok(());
        }
        let problem = Diagnostic::new("R0404", format!("a client cannot change `{name}`"));
        let help = format!("of DataFusion's settings it can change {}", listed());
        Err(problem.help(help).into())
    }

    /// Whether a session that began with `initial` may have `changed`. `all` is the memory of all sessions together.
    pub(crate) fn check_settings(
        self,
        initial: &Settings,
        changed: &Settings,
        all: Option<usize>,
    ) -> Result<()> {
        if self == Reach::Machine {
            return Ok(());
        }
        let most = [initial.memory_limit, all].into_iter().flatten().min();
        let is_new = changed.memory_limit != initial.memory_limit;
        let more_memory = is_new
            && match (most, changed.memory_limit) {
                (None, _) => false,
                (Some(most), Some(wanted)) => wanted > most,
                // Without a limit of its own it has that of all.
                (Some(_), None) => initial.memory_limit.is_some(),
            };
        if more_memory {
            let most = most.unwrap_or_default();
            return Err(Diagnostic::new(
                "R0403",
                format!("`memory_limit` can be lowered by a client, here from {most}"),
            )
            .into());
        }
        if changed.throttle != initial.throttle {
            return Err(Diagnostic::new(
                "R0404",
                "a client cannot change `throttle`: it holds back the calls of all",
            )
            .into());
        }
        Ok(())
    }

    /// Whether a statement of the session may read files.
    pub(crate) fn check_files(self) -> Result<(), Diagnostic> {
        match self {
            Reach::Machine => Ok(()),
            Reach::Wire => {
                let problem = Diagnostic::new(
                    "R0331",
                    "a statement of a client reads no file of the server",
                );
                Err(problem.help("`@@json = '…'` takes the text itself"))
            }
        }
    }
}

fn listed() -> String {
    let names: Vec<String> = HARMLESS.iter().map(|name| format!("`{name}`")).collect();
    names.join(", ")
}

/// Memory that sessions share: for sorting, grouping and joining, where what does not fit goes to temporary files if it can, and ends the
/// statement if it cannot; and for what never goes to files: what aggregates and windows hold, rows that their clients have not taken yet,
/// statements and values that clients left here.
#[derive(Debug, Clone)]
pub struct Memory(Arc<RuntimeEnv>);

/// Memory that is held for a client. It is free again when this is dropped.
#[derive(Debug)]
pub struct HeldMemory(MemoryReservation);

impl Memory {
    /// So many bytes for all sessions that get a clone of this.
    pub fn limited(bytes: usize) -> Result<Memory> {
        Ok(Memory(runtime(pool(bytes))?))
    }

    /// Holds so many bytes for a client. `what` is what they are for.
    pub(crate) fn hold(&self, what: &str, bytes: usize) -> Result<HeldMemory> {
        let mut held = HeldMemory(MemoryConsumer::new(what).register(&self.0.memory_pool));
        held.resize(bytes)?;
        Ok(held)
    }

    /// So many bytes.
    pub(crate) fn limit(&self) -> Option<usize> {
        match self.0.memory_pool.memory_limit() {
            MemoryLimit::Finite(bytes) => Some(bytes),
            _ => None,
        }
    }

    /// The memory and files of sessions without a limit of their own.
    pub(crate) fn runtime(&self) -> &Arc<RuntimeEnv> {
        &self.0
    }

    /// What a session may use that has a limit of its own: of this, and at most so many bytes by itself.
    pub(crate) fn within(&self, bytes: usize) -> Arc<dyn MemoryPool> {
        Arc::new(Both {
            own: pool(bytes),
            shared: Arc::clone(&self.0.memory_pool),
        })
    }
}

impl HeldMemory {
    /// Holds so many bytes from now on.
    pub(crate) fn resize(&mut self, bytes: usize) -> Result<()> {
        Ok(self.0.try_resize(bytes)?)
    }
}

/// A pool of so many bytes for what cannot go to files.
pub(crate) fn held(bytes: usize) -> Arc<dyn MemoryPool> {
    Arc::new(GreedyMemoryPool::new(bytes))
}

/// Memory of a pool, and files for what does not fit.
pub(crate) fn runtime(pool: Arc<dyn MemoryPool>) -> Result<Arc<RuntimeEnv>> {
    let runtime = RuntimeEnvBuilder::new().with_memory_pool(pool);
    let runtime = runtime.with_disk_manager_builder(crate::spill::files());
    Ok(Arc::new(runtime.build()?))
}

/// A pool of so many bytes. What uses most is named when they do not suffice.
pub(crate) fn pool(bytes: usize) -> Arc<dyn MemoryPool> {
    let consumers = std::num::NonZeroUsize::MIN.saturating_add(4);
    Arc::new(TrackConsumersPool::new(Pool::new(bytes), consumers))
}

/// The limit of a session within the limit of all.
#[derive(Debug)]
struct Both {
    own: Arc<dyn MemoryPool>,
    shared: Arc<dyn MemoryPool>,
}

impl fmt::Display for Both {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} of {}", self.own, self.shared)
    }
}

impl MemoryPool for Both {
    fn name(&self) -> &str {
        "session"
    }

    fn register(&self, consumer: &MemoryConsumer) {
        self.own.register(consumer);
        self.shared.register(consumer);
    }

    fn unregister(&self, consumer: &MemoryConsumer) {
        self.own.unregister(consumer);
        self.shared.unregister(consumer);
    }

    fn grow(&self, reservation: &MemoryReservation, additional: usize) {
        self.own.grow(reservation, additional);
        self.shared.grow(reservation, additional);
    }

    fn shrink(&self, reservation: &MemoryReservation, shrink: usize) {
        self.own.shrink(reservation, shrink);
        self.shared.shrink(reservation, shrink);
    }

    fn try_grow(
        &self,
        reservation: &MemoryReservation,
        additional: usize,
    ) -> PlanResult<(), DataFusionError> {
        self.own.try_grow(reservation, additional)?;
        self.shared
            .try_grow(reservation, additional)
            .inspect_err(|_| self.own.shrink(reservation, additional))
    }

    fn reserved(&self) -> usize {
        self.own.reserved()
    }

    fn memory_limit(&self) -> MemoryLimit {
        self.own.memory_limit()
    }
}
