//! What a session had at a time: a client of PostgreSQL has its settings and its own tables back at ROLLBACK, and what it set for a
//! transaction only, at its end.

use std::sync::Arc;

use datafusion::prelude::SessionConfig;

use crate::Result;
use crate::catalog::Current;
use crate::own_rows::OwnTables;
use crate::pg_catalog::Postgres;
use crate::session::Session;
use crate::settings::Settings;
use crate::statement::lock;

/// What a session of a server began with, beside its settings.
#[derive(Debug)]
pub(crate) struct Began {
    config: SessionConfig,
    current: Current,
}

/// The settings and own tables of a session at a time.
#[derive(Debug)]
pub struct Remembered {
    settings: Arc<Settings>,
    postgres: Option<Arc<Postgres>>,
    config: SessionConfig,
    current: Current,
    tables: OwnTables,
}

impl Session {
    /// What there is now.
    pub fn remember(&self) -> Remembered {
        Remembered {
            settings: self.settings(),
            postgres: self.postgres(),
            config: self.shared().ground.config(),
            current: self.current(),
            tables: self.own_tables(),
        }
    }

    /// What a client finds is what it has back after RESET ALL.
    pub(crate) fn begins(&self) {
        let began = Began {
            config: self.shared().ground.config(),
            current: self.current(),
        };
        *lock(&self.began) = Some(began);
    }

    /// What a client found, but for settings.
    pub(crate) fn begins_again(&self) {
        if let Some(began) = &*lock(&self.began) {
            let ground = &self.shared().ground;
            ground.configure(|config| *config = began.config.clone());
            self.set_current(began.current.clone());
        }
    }

    /// Everything as it was.
    pub fn recall(&self, then: &Remembered) -> Result<()> {
        self.replace_settings(Arc::clone(&then.settings))?;
        if let Some(postgres) = &then.postgres {
            self.recall_postgres(|now| *now = (**postgres).clone());
        }
        self.shared()
            .ground
            .configure(|config| *config = then.config.clone());
        self.set_current(then.current.clone());
        self.restore_own_tables(&then.tables)
    }

    /// One setting as it was.
    pub fn recall_one(&self, then: &Remembered, key: &str) -> Result<()> {
        if let Some(postgres) = &then.postgres
            && Postgres::knows(key)
        {
            self.recall_postgres(|now| now.take(postgres, key));
        } else if key.contains('.') {
            let entries = then.config.options().entries();
            let entry = entries.into_iter().find(|entry| entry.key == key);
            if let Some(value) = entry.and_then(|entry| entry.value) {
                let ground = &self.shared().ground;
                ground.configure(|config| config.options_mut().set(key, &value))?;
            }
        } else if let Ok(value) = then.settings.value(key) {
            let mut settings = (*self.settings()).clone();
            settings.set(key, &value, then.settings.origin(key))?;
            self.replace_settings(Arc::new(settings))?;
        }
        Ok(())
    }
}
