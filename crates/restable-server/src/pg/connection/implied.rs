//! The transaction that nobody began: the statements of one message, and what stands before one Sync, are undone together if one of them
//! fails, as far as anything can be undone: settings, tables and views of the session, cursors. What was sent to a provider and what was
//! written into the data directory stays, and the error says so.

use tokio::io::{AsyncRead, AsyncWrite};

use super::super::messages::{Told, Transaction};
use super::super::portal::Portal;
use super::Client;

/// Whether statements are in a transaction that none of them began.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Implied {
    #[default]
    No,
    /// Several statements came in one message.
    Message,
    /// They come one by one up to a Sync.
    Pipeline,
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Client<S> {
    /// A statement begins that stands in no transaction of its own.
    pub(super) fn imply(&mut self, implied: Implied) {
        if self.transaction == Transaction::Idle && self.implied == Implied::No {
            self.undo.begin(&self.session);
            self.implied = implied;
        }
    }

    /// Whether what is set for a transaction has one.
    pub(super) fn is_in_transaction(&self) -> bool {
        self.transaction != Transaction::Idle || self.implied != Implied::No
    }

    /// All of them were done.
    pub(super) fn end_implied(&mut self) {
        self.stays.clear();
        let implied = std::mem::take(&mut self.implied);
        if implied == Implied::No {
            return;
        }
        if let Err(problem) = self.undo.commit(&self.session) {
            self.warn("01000", &problem.to_string());
        }
        if implied == Implied::Message {
            self.end_portals(|portal| !portal.hold);
        }
        self.keep_portals();
    }

    /// One of them failed.
    pub(super) fn undo_implied(&mut self) {
        if std::mem::take(&mut self.implied) == Implied::No {
            return;
        }
        if let Err(problem) = self.undo.roll_back(&self.session) {
            self.warn("01000", &problem.to_string());
        }
        self.end_portals(|portal| !(portal.hold && portal.kept));
    }

    /// Cursors that are held outlive the transaction that declared them.
    pub(super) fn keep_portals(&mut self) {
        let portals = self.portals.values_mut();
        portals.for_each(|portal: &mut Portal| portal.kept = true);
    }

    /// The error with what was done before it and cannot be undone: a client that sees the error only knows it from there.
    pub(super) fn with_what_stays(&mut self, mut told: Told) -> Told {
        let before = std::mem::take(&mut self.stays);
        if before.is_empty() {
            return told;
        }
        let stays = format!(
            "what stands before it in the same message and cannot be undone was done, and stays: {}",
            before.join(", ")
        );
        told.detail = Some(match told.detail {
            Some(detail) => format!("{detail}\n{stays}"),
            None => stays,
        });
        let list = "`SHOW OPERATIONS` has what was sent to a provider".to_owned();
        told.hint = told.hint.or(Some(list));
        told
    }
}
