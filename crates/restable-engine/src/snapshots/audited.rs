//! The lines of the audit log on what is kept in the data directory: one before it changes, one when it has.

use std::time::{SystemTime, UNIX_EPOCH};

use super::run::Keeping;
use crate::Result;
use crate::acting::{ActionTotals, ErrorCount};
use crate::audit::{AuditLog, Beginning, without_values};
use crate::error::Error;
use crate::session::Session;

/// A statement whose first line stands.
pub(super) struct Audited {
    log: AuditLog,
    id: String,
    targets: u64,
    /// Whether the last line stands.
    ended: bool,
}

impl Session {
    /// Writes the first line, if there is a log. Nothing is done where that fails.
    pub(super) fn audit_keeping(&self, keeping: &Keeping, sql: &str) -> Result<Option<Audited>> {
        let Some(log) = self.engine().audit() else {
            return Ok(None);
        };
        let (action, targets, destructive) = keeping.about();
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        // The journal knows nothing of it: the time is its name.
        let id = format!("kept-{}", since.unwrap_or_default().as_nanos());
        let count = targets.len() as u64;
        log.begin(&Beginning {
            statement: &id,
            user: self.client_name().as_deref(),
            principal: None,
            tenant: None,
            endpoint: "data directory",
            action: &format!("{action} {}", targets.join(", ")),
            sql: &without_values(sql),
            destructive,
            targets,
        })?;
        Ok(Some(Audited {
            log: log.clone(),
            id,
            targets: count,
            ended: false,
        }))
    }
}

impl Audited {
    /// Writes the last line.
    pub(super) fn end(mut self, problem: Option<&Error>) {
        let mut totals = ActionTotals::default();
        let status = match problem {
            None => "Succeeded",
            Some(_) => "Failed",
        };
        totals.statuses.insert(status.to_owned(), self.targets);
        if let Some(problem) = problem {
            let told = problem.diagnostic();
            totals.unachieved = self.targets;
            totals.errors.push(ErrorCount {
                code: Some(told.code.to_owned()),
                message: told.message,
                count: self.targets,
            });
        }
        self.write(&totals);
    }

    fn write(&mut self, totals: &ActionTotals) {
        self.ended = true;
        if let Some(problem) = self.log.end(&self.id, totals) {
            tracing::error!("the audit log could not be written after a statement: {problem}");
        }
    }
}

/// A statement that is given up, because its client cancelled it or is gone, has its last line, too.
impl Drop for Audited {
    fn drop(&mut self) {
        if self.ended {
            return;
        }
        let mut totals = ActionTotals {
            stopped: true,
            unachieved: self.targets,
            ..ActionTotals::default()
        };
        totals.statuses.insert("NotSent".to_owned(), self.targets);
        self.write(&totals);
    }
}
