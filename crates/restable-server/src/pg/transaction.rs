//! What a transaction keeps for its end. There is nothing to undo at a provider. ROLLBACK undoes settings and the session's own tables;
//! what SET LOCAL set is undone in any case.

use std::collections::HashSet;

use restable_engine::{Remembered, Result, Session};

/// What the session had before a transaction, and before parts of it.
#[derive(Debug, Default)]
pub struct Undo {
    begun: Option<Remembered>,
    /// What is set for the transaction only, with how it was before.
    local: Vec<(String, Remembered)>,
    savepoints: Vec<Savepoint>,
}

#[derive(Debug)]
struct Savepoint {
    name: String,
    then: Remembered,
    local: usize,
    /// The cursors that there were.
    cursors: HashSet<String>,
}

impl Undo {
    /// A transaction begins.
    pub fn begin(&mut self, session: &Session) {
        *self = Undo {
            begun: Some(session.remember()),
            ..Undo::default()
        };
    }

    /// A setting is about to be set, for the transaction only or for good.
    pub fn set(&mut self, session: &Session, key: &str, local: bool) {
        let known = self.local.iter().position(|(known, _)| known == key);
        match (local, known) {
            (true, None) => self.local.push((key.to_owned(), session.remember())),
            // What is set for good after that stays.
            (false, Some(at)) => drop(self.local.remove(at)),
            _ => {}
        }
    }

    /// The transaction ends well.
    pub fn commit(&mut self, session: &Session) -> Result<()> {
        let ended = std::mem::take(self);
        let mut local = ended.local.iter().rev();
        local.try_for_each(|(key, then)| session.recall_one(then, key))
    }

    /// The transaction is undone.
    pub fn roll_back(&mut self, session: &Session) -> Result<()> {
        let ended = std::mem::take(self);
        ended.begun.iter().try_for_each(|then| session.recall(then))
    }

    /// Marks a place to go back to, at which there are these cursors.
    pub fn savepoint(&mut self, session: &Session, name: &str, cursors: HashSet<String>) {
        self.savepoints.push(Savepoint {
            name: name.to_owned(),
            then: session.remember(),
            local: self.local.len(),
            cursors,
        });
    }

    /// Forgets a place, and those after it; whether there was one.
    pub fn release(&mut self, name: &str) -> bool {
        let at = self.savepoints.iter().rposition(|one| one.name == name);
        if let Some(at) = at {
            self.savepoints.truncate(at);
        }
        at.is_some()
    }

    /// Goes back to a place, which stays. The cursors that there were, if there was one.
    pub fn roll_back_to(
        &mut self,
        session: &Session,
        name: &str,
    ) -> Result<Option<HashSet<String>>> {
        let Some(at) = self.savepoints.iter().rposition(|one| one.name == name) else {
            return Ok(None);
        };
        self.savepoints.truncate(at + 1);
        let place = &self.savepoints[at];
        self.local.truncate(place.local);
        session.recall(&place.then)?;
        Ok(Some(place.cursors.clone()))
    }
}
