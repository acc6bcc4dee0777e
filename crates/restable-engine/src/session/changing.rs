//! Changing the settings of a session, within what it began with.

use std::sync::Arc;

use restable_sql::Diagnostic;

use super::Session;
use crate::Result;
use crate::door::Memory;
use crate::ground::apply_memory;
use crate::settings::{Origin, Settings};
use crate::shared::Shared;
use crate::zone;

impl Session {
    /// Changes a setting, as `SET` does.
    pub fn set(&self, name: &str, value: &str, origin: Origin) -> Result<()> {
        let mut settings = self
            .settings
            .write()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        let mut changed = (**settings).clone();
        changed.set(name, value, origin)?;
        self.within_start(&changed)?;
        let an_hour = changed.max_calls_per_hour.unwrap_or(u64::MAX);
        self.hourly.allow(an_hour);
        *settings = Arc::new(changed);
        Ok(())
    }

    /// Takes all settings from a time at which they were allowed.
    pub(crate) fn replace_settings(&self, settings: Arc<Settings>) -> Result<()> {
        let an_hour = settings.max_calls_per_hour.unwrap_or(u64::MAX);
        self.hourly.allow(an_hour);
        *self
            .settings
            .write()
            .unwrap_or_else(std::sync::PoisonError::into_inner) = settings;
        self.apply_memory_limit()
    }

    /// The clients were made for so many calls at once as the session began with: a statement may ask for fewer. And whoever gave a session
    /// an allowance an hour meant it.
    pub(crate) fn within_start(&self, settings: &Settings) -> Result<()> {
        let all = self.memory.as_ref().and_then(Memory::limit);
        self.reach.check_settings(&self.initial, settings, all)?;
        let an_hour = |settings: &Settings| settings.max_calls_per_hour.unwrap_or(u64::MAX);
        if an_hour(settings) > an_hour(&self.initial) {
            let most = an_hour(&self.initial);
            let problem = Diagnostic::new(
                "R0403",
                format!("`max_calls_per_hour` can be lowered in a session, here from {most}"),
            );
            return Err(problem.help("it is set where the session begins").into());
        }
        if settings.max_concurrency <= self.initial.max_concurrency {
            return Ok(());
        }
        let most = self.initial.max_concurrency;
        let problem = Diagnostic::new(
            "R0403",
            format!("`max_concurrency` can be lowered in a session, here from {most}"),
        );
        let help = format!(
            "`--set max_concurrency={}` gives it from the start",
            settings.max_concurrency
        );
        Err(problem.help(help).into())
    }

    /// Sets one setting, or all, back to what the session began with.
    pub(crate) fn reset(&self, key: Option<&str>) -> Result<()> {
        {
            let mut settings = self
                .settings
                .write()
                .unwrap_or_else(std::sync::PoisonError::into_inner);
            match key {
                None => {
                    *settings = Arc::clone(&self.initial);
                    self.begins_again();
                    self.reset_postgres();
                }
                Some(key) => {
                    let (value, origin) = (self.initial.value(key)?, self.initial.origin(key));
                    Arc::make_mut(&mut settings).set(key, &value, origin)?;
                }
            }
            let an_hour = settings.max_calls_per_hour.unwrap_or(u64::MAX);
            self.hourly.allow(an_hour);
        }
        self.apply_memory_limit()
    }

    /// The value of a setting as it holds.
    pub(crate) fn shown(&self, name: &str) -> Result<String> {
        shown(&self.shared, &self.settings(), name)
    }

    /// Gives the session the memory that its settings allow.
    pub(crate) fn apply_memory_limit(&self) -> Result<()> {
        let (settings, memory) = (self.settings(), self.memory.as_ref());
        apply_memory(&self.engine, &self.shared.ground, &settings, memory)
    }
}

/// The value of a setting as it holds: a session without a limit of its own has that of all.
pub(crate) fn shown(shared: &Shared, settings: &Settings, name: &str) -> Result<String> {
    let of_all = || zone::memory(shared.ground.config().options());
    match (name, settings.memory_limit) {
        ("memory_limit", None) => Ok(of_all().unwrap_or_default().to_string()),
        _ => Ok(settings.value(name)?),
    }
}
