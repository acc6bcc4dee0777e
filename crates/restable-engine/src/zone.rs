//! What functions have to know of the session that they compute for: the zone in which it reads and writes times, the style of intervals, and the memory
//! that it may use. It travels with the options of a plan.

use std::any::Any;
use std::sync::Arc;

use arrow::array::timezone::Tz;
use datafusion::common::config::{ConfigEntry, ConfigExtension, ConfigOptions, ExtensionOptions};
use datafusion::common::{Result, config_err};
use datafusion::execution::memory_pool::MemoryPool;
use datafusion::prelude::SessionConfig;

use crate::functions::interval_styles::IntervalStyle;
use crate::pg_catalog::Others;

/// The zone of every timestamp with a zone, whatever zone a session reads and writes in.
pub(crate) const UTC: &str = "+00:00";

/// What a session is computed for.
#[derive(Debug, Clone, Default)]
struct Around {
    zone: Option<String>,
    intervals: IntervalStyle,
    others: Option<Arc<Others>>,
    memory: Option<usize>,
    /// Whether that is of the memory of others as well.
    shares: bool,
    pool: Option<Arc<dyn MemoryPool>>,
}

impl ConfigExtension for Around {
    const PREFIX: &'static str = "session";
}

impl ExtensionOptions for Around {
    fn as_any(&self) -> &dyn Any {
        self
    }

    fn as_any_mut(&mut self) -> &mut dyn Any {
        self
    }

    fn cloned(&self) -> Box<dyn ExtensionOptions> {
        Box::new(self.clone())
    }

    fn set(&mut self, key: &str, _: &str) -> Result<()> {
        config_err!("there is no option `session.{key}`")
    }

    fn entries(&self) -> Vec<ConfigEntry> {
        Vec::new()
    }
}

fn change(config: &mut SessionConfig, change: impl FnOnce(&mut Around)) {
    let extensions = &mut config.options_mut().extensions;
    let mut around = extensions.get::<Around>().cloned().unwrap_or_default();
    change(&mut around);
    extensions.insert(around);
}

/// Gives a session the zone in which it reads and writes times.
pub(crate) fn set_zone(config: &mut SessionConfig, name: &str) {
    if zone_name(config.options()) != name {
        change(config, |around| around.zone = Some(name.to_owned()));
    }
}

/// Gives a session the style in which it writes intervals.
pub(crate) fn set_interval_style(config: &mut SessionConfig, style: IntervalStyle) {
    if interval_style(config.options()) != style {
        change(config, |around| around.intervals = style);
    }
}

/// Tells a session of the connections that it may stop.
pub(crate) fn set_others(config: &mut SessionConfig, others: Arc<Others>) {
    change(config, |around| around.others = Some(others));
}

/// The connections that a session may stop.
pub(crate) fn others(options: &ConfigOptions) -> Option<&Arc<Others>> {
    options.extensions.get::<Around>()?.others.as_ref()
}

/// The style in which a session writes intervals.
pub(crate) fn interval_style(options: &ConfigOptions) -> IntervalStyle {
    let around = options.extensions.get::<Around>();
    around.map(|it| it.intervals).unwrap_or_default()
}

/// Whose memory a session uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Whose {
    Own,
    Shared,
}

/// Says how much memory a session may use, and where it takes it from.
pub(crate) fn set_memory(
    config: &mut SessionConfig,
    bytes: Option<usize>,
    from: &Arc<dyn MemoryPool>,
    of: Whose,
) {
    // Options that stay what they are stay shared.
    let from = bytes.map(|_| from);
    let same = match (pool(config.options()), from) {
        (Some(known), Some(from)) => Arc::ptr_eq(known, from),
        (known, from) => known.is_none() && from.is_none(),
    };
    if !same || memory(config.options()) != bytes {
        change(config, |around| {
            around.memory = bytes;
            around.shares = of == Whose::Shared;
            around.pool = from.map(Arc::clone);
        });
    }
}

/// The name of the session's zone.
pub(crate) fn zone_name(options: &ConfigOptions) -> &str {
    let around = options.extensions.get::<Around>();
    around.and_then(|it| it.zone.as_deref()).unwrap_or("UTC")
}

/// How a session writes times and intervals.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Look<'n> {
    /// The name of the zone.
    pub zone: &'n str,
    /// The style of intervals.
    pub intervals: IntervalStyle,
}

/// How the session writes them.
pub(crate) fn look(options: &ConfigOptions) -> Look<'_> {
    Look {
        zone: zone_name(options),
        intervals: interval_style(options),
    }
}

/// The session's zone.
pub(crate) fn zone(options: &ConfigOptions) -> Tz {
    named(zone_name(options)).unwrap_or(utc())
}

/// A zone by its name or offset.
pub(crate) fn named(name: &str) -> Option<Tz> {
    match name {
        "UTC" | "utc" | "GMT" | "Z" | "z" => Some(utc()),
        other => other.parse().ok(),
    }
}

fn utc() -> Tz {
    #[expect(clippy::expect_used, reason = "an offset that is written here")]
    UTC.parse().expect("an offset")
}

/// The memory that the session may use.
pub(crate) fn memory(options: &ConfigOptions) -> Option<usize> {
    options.extensions.get::<Around>()?.memory
}

/// What one step of it may make: where sessions share their memory, a part of what all may use, since what a step is given and what is made
/// of its answer are there at the same time.
pub(crate) fn step(options: &ConfigOptions) -> Option<usize> {
    let around = options.extensions.get::<Around>()?;
    around.memory.map(|bytes| match around.shares {
        true => bytes / 4,
        false => bytes,
    })
}

/// Where a session with a limit takes its memory from.
pub(crate) fn pool(options: &ConfigOptions) -> Option<&Arc<dyn MemoryPool>> {
    options.extensions.get::<Around>()?.pool.as_ref()
}
