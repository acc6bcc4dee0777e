//! What a connection keeps beside its queries: transactions, savepoints, cursors, prepared statements.

use std::sync::Arc;

use restable_engine::Error;
use restable_engine::parameters::Parameter;
use restable_engine::sql::{Connection as Kept, Count, Discard, Modes, Parsed};
use tokio::io::{AsyncRead, AsyncWrite};

use super::super::messages::Transaction;
use super::super::portal::{Portal, State};
use super::super::sqlstate;
use super::{Begun, Client, Done, said};

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Client<S> {
    /// What the connection itself keeps.
    pub(super) async fn keep(
        &mut self,
        text: &Arc<str>,
        parameters: &[Parameter],
        parsed: &Parsed,
        kept: &Kept,
    ) -> Done<Begun> {
        match kept {
            Kept::Begin(modes) => {
                let told = |problem: Error| sqlstate::told(&problem, text);
                self.session.check_modes(modes).map_err(told)?;
                if self.transaction == Transaction::Idle {
                    self.undo.begin(&self.session);
                    self.transaction = Transaction::Open;
                } else {
                    self.warn("25001", "there is a transaction already");
                }
                self.transaction_modes(modes).map_err(told)?;
            }
            Kept::Commit | Kept::Rollback => {
                if self.transaction == Transaction::Idle {
                    self.warn("25P01", "there is no transaction");
                }
                let commits =
                    matches!(kept, Kept::Commit) && self.transaction != Transaction::Failed;
                let ended = match commits {
                    true => self.undo.commit(&self.session),
                    false => self.undo.roll_back(&self.session),
                };
                self.transaction = Transaction::Idle;
                // A cursor of a transaction that is undone was never declared.
                self.portals
                    .retain(|_, portal| portal.hold && (commits || portal.kept));
                self.portals
                    .values_mut()
                    .for_each(|portal| portal.kept = true);
                ended.map_err(|problem| sqlstate::told(&problem, text))?;
                if !commits && matches!(kept, Kept::Commit) {
                    return Ok(Begun::Instead("ROLLBACK"));
                }
            }
            Kept::Savepoint(name) => {
                self.in_transaction("SAVEPOINT")?;
                self.undo.savepoint(&self.session, name);
            }
            Kept::Release(name) | Kept::RollbackTo(name) => {
                self.in_transaction("a savepoint")?;
                let there = if matches!(kept, Kept::RollbackTo(_)) {
                    let there = self.undo.roll_back_to(&self.session, name);
                    let there = there.map_err(|problem| sqlstate::told(&problem, text))?;
                    if there {
                        self.transaction = Transaction::Open;
                    }
                    there
                } else {
                    self.undo.release(name)
                };
                if !there {
                    return Err(said("3B001", format!("there is no savepoint `{name}`")).into());
                }
            }
            Kept::Declare {
                name, binary, hold, ..
            } => {
                if !hold {
                    self.in_transaction("a cursor without WITH HOLD")?;
                }
                if self.portals.contains_key(name) {
                    return Err(said("42P03", format!("there is a cursor `{name}` already")).into());
                }
                let query = parsed.cursor_query().map(Arc::new);
                let mut cursor = Portal {
                    text: Arc::clone(text),
                    parsed: query.clone(),
                    parameters: parameters.to_vec(),
                    formats: if *binary { vec![1] } else { Vec::new() },
                    told: None,
                    hold: *hold,
                    kept: self.transaction == Transaction::Idle,
                    state: State::Fresh,
                };
                if let Some(query) = query
                    && let Begun::Rows(flow) =
                        Box::pin(self.run(&mut cursor, &query, false)).await?
                {
                    cursor.state = State::Open(flow);
                    self.portals.insert(name.clone(), cursor);
                }
            }
            Kept::Fetch { name, count, shown } => {
                self.cursor_columns(name, &[])?;
                return Ok(Begun::Fetch {
                    cursor: name.clone(),
                    left: match count {
                        Count::All => u64::MAX,
                        Count::Rows(rows) => *rows,
                    },
                    shown: *shown,
                });
            }
            Kept::Close(None) => self.portals.clear(),
            Kept::Close(Some(name)) => drop(self.take(name)?),
            Kept::Deallocate(None) => {
                self.statements.clear();
                self.session.deallocate(None);
            }
            Kept::Deallocate(Some(name)) => {
                let here = self.statements.remove(name).is_some();
                if !self.session.deallocate(Some(name)) && !here {
                    return Err(
                        said("26000", format!("there is no prepared statement `{name}`")).into(),
                    );
                }
            }
            Kept::Discard(Discard::All) => {
                if self.transaction != Transaction::Idle {
                    return Err(said("25001", "DISCARD ALL cannot stand in a transaction").into());
                }
                self.portals.clear();
                self.statements.clear();
                self.session.deallocate(None);
                let done = self.session.discard();
                done.map_err(|problem| sqlstate::told(&problem, text))?;
            }
            Kept::Discard(Discard::Temporary) => {
                let done = self.session.discard_tables();
                done.map_err(|problem| sqlstate::told(&problem, text))?;
            }
            // No plan is kept, there are no sequences, and nothing is listened to.
            Kept::Discard(Discard::Plans | Discard::Sequences) | Kept::Unlisten => {}
            Kept::Characteristics { modes, .. } => {
                let told = |problem: Error| sqlstate::told(&problem, text);
                self.session.check_modes(modes).map_err(told)?;
                if self.transaction == Transaction::Idle {
                    let problem =
                        "SET TRANSACTION is for a transaction, and there is none: nothing is set";
                    self.warn("25P01", problem);
                } else {
                    self.transaction_modes(modes).map_err(told)?;
                }
            }
            Kept::Copy(copy) => return self.begin_copy(text, parameters, parsed, copy).await,
        }
        Ok(Begun::Nothing)
    }

    /// Modes hold to the end of the transaction.
    fn transaction_modes(&mut self, modes: &Modes) -> Result<(), Error> {
        if modes.read_only.is_some() {
            self.undo.set(&self.session, "transaction_read_only", true);
        }
        if modes.isolation.is_some() {
            self.undo.set(&self.session, "transaction_isolation", true);
        }
        self.session.apply_modes(modes)
    }

    fn in_transaction(&self, what: &str) -> Done {
        match self.transaction {
            Transaction::Idle => Err(said("25P01", format!("{what} needs a transaction")).into()),
            Transaction::Open | Transaction::Failed => Ok(()),
        }
    }
}
