//! What a connection keeps beside its queries: transactions, savepoints, cursors, prepared statements.

use std::sync::Arc;
use std::time::SystemTime;

use restable_engine::Error;
use restable_engine::parameters::Parameter;
use restable_engine::pg_catalog::{Held, HeldCursor, HeldStatement, Postgres};
use restable_engine::sql::{Connection as Kept, Count, Discard, Modes, Parsed};
use tokio::io::{AsyncRead, AsyncWrite};

use super::super::messages::{self, Told, Transaction};
use super::super::portal::{Portal, State, columns as columns_of};
use super::super::{oids, sqlstate};
use super::implied::Implied;
use super::{Begun, Client, Done, TREE, Taken, said};

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
                let mut modes = modes.clone();
                // Drivers say so of every transaction, whatever is done in it; what changes something is refused there.
                if modes.read_only == Some(false) && !self.session.door_writes() {
                    let problem = "this session may only read, and so may the transaction";
                    self.warn("01000", problem);
                    modes.read_only = None;
                }
                let modes = &modes;
                self.tell_of_isolation(modes.isolation.as_deref());
                let told = |problem: Error| sqlstate::told(&problem, text);
                self.session.check_modes(modes).map_err(told)?;
                if self.transaction == Transaction::Idle {
                    // What stands before it in the same message is of the transaction.
                    self.imply(Implied::Message);
                    self.implied = Implied::No;
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
                self.implied = Implied::No;
                // A cursor of a transaction that is undone was never declared.
                self.end_portals(|portal| !(portal.hold && (commits || portal.kept)));
                self.keep_portals();
                ended.map_err(|problem| sqlstate::told(&problem, text))?;
                if !commits && matches!(kept, Kept::Commit) {
                    return Ok(Begun::Instead("ROLLBACK"));
                }
            }
            Kept::Savepoint(name) => {
                self.in_transaction("SAVEPOINT")?;
                let cursors = self.portals.keys().cloned().collect();
                self.undo.savepoint(&self.session, name, cursors);
            }
            Kept::Release(name) | Kept::RollbackTo(name) => {
                self.in_transaction("a savepoint")?;
                let there = if matches!(kept, Kept::RollbackTo(_)) {
                    let there = self.undo.roll_back_to(&self.session, name);
                    let there = there.map_err(|problem| sqlstate::told(&problem, text))?;
                    if let Some(cursors) = &there {
                        self.transaction = Transaction::Open;
                        // Those that came after it were never declared.
                        self.portals.retain(|name, _| cursors.contains(name));
                    }
                    there.is_some()
                } else {
                    self.undo.release(name)
                };
                if !there {
                    return Err(said("3B001", format!("there is no savepoint `{name}`")).into());
                }
            }
            Kept::Declare {
                name,
                binary,
                scroll,
                hold,
                ..
            } => {
                if !hold && self.implied != Implied::Message {
                    self.in_transaction("a cursor without WITH HOLD")?;
                }
                if self.portals.contains_key(name) {
                    return Err(said("42P03", format!("there is a cursor `{name}` already")).into());
                }
                let query = parsed.cursor_query().map(Arc::new);
                let memory = self.room(self.portals.len(), text.len() * TREE)?;
                let mut cursor = Portal {
                    text: Arc::clone(text),
                    parsed: query.clone(),
                    parameters: parameters.to_vec(),
                    formats: if *binary { vec![1] } else { Vec::new() },
                    told: None,
                    hold: *hold,
                    kept: !self.is_in_transaction(),
                    created: SystemTime::now(),
                    _memory: memory,
                    state: State::Fresh,
                };
                if let Some(query) = query
                    && let Begun::Rows(flow) =
                        Box::pin(self.run(&mut cursor, &query, Taken::Later)).await?
                {
                    cursor.state = State::Open(match scroll {
                        true => Box::new(flow.scrolling()),
                        false => flow,
                    });
                    self.portals.insert(name.clone(), cursor);
                }
            }
            Kept::Fetch { name, count, shown } => {
                self.open(name).await?;
                self.cursor_columns(name, &[])?;
                let scrolls = match self.portals.get(name).map(|portal| &portal.state) {
                    Some(State::Open(flow)) => flow.scrolls(),
                    _ => false,
                };
                let left = match count {
                    Count::All => u64::MAX,
                    Count::Rows(rows) => *rows,
                    // Where they lead cannot be told without the rows before.
                    _ if !scrolls => {
                        let problem = format!("the cursor `{name}` goes forward only");
                        return Err(Told {
                            hint: Some("DECLARE it with SCROLL to go back".to_owned()),
                            ..said("55000", problem)
                        }
                        .into());
                    }
                    _ => 0,
                };
                return Ok(Begun::Fetch {
                    cursor: name.clone(),
                    step: scrolls.then_some(*count),
                    left,
                    shown: *shown,
                });
            }
            Kept::Close(None) => self.end_portals(|_| true),
            Kept::Close(Some(name)) => {
                let ended = self.take(name)?;
                self.told_of(Some(ended));
            }
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
            Kept::Discard(Discard::Plans | Discard::Sequences)
            | Kept::Unlisten
            | Kept::Constraints => {}
            Kept::Characteristics { modes, .. } => {
                self.tell_of_isolation(modes.isolation.as_deref());
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

    /// Says of a level of isolation what it does not promise here.
    pub(super) fn tell_of_isolation(&mut self, level: Option<&str>) {
        let more = level.filter(|level| Postgres::promises_more(level));
        if let Some(level) = more {
            let level = level.to_ascii_lowercase();
            let problem = format!(
                "each statement reads what is there when it runs: `{level}` is `read committed` here"
            );
            self.warn("01000", &problem);
        }
    }

    /// Tells the session what the connection holds, if a statement may ask for it.
    pub(super) fn tell_what_is_held(&self, parsed: &Parsed) {
        if !self.session.asks_what_is_held(parsed) {
            return;
        }
        let cursors = self.portals.iter().filter(|(name, _)| !name.is_empty());
        let cursors = cursors.map(|(name, portal)| HeldCursor {
            name: name.clone(),
            statement: portal.text.to_string(),
            holdable: portal.hold,
            binary: portal.formats.contains(&1),
            scrollable: matches!(&portal.state, State::Open(flow) if flow.scrolls()),
            created: portal.created,
        });
        let statements = self.statements.iter().filter(|(name, _)| !name.is_empty());
        let statements = statements.map(|(name, stored)| {
            let described = stored.described.as_ref();
            let parameters = described.map(|described| {
                let kinds = described.parameters.iter().enumerate();
                let one = |(at, kind): (usize, _)| {
                    let declared = stored.declared.get(at).copied().filter(|one| *one != 0);
                    declared.unwrap_or_else(|| oids::of_kind(kind))
                };
                kinds.map(one).collect()
            });
            let columns = described.and_then(|described| described.columns.as_ref());
            HeldStatement {
                name: name.clone(),
                statement: stored.text.to_string(),
                prepared: stored.created,
                parameters,
                columns: columns.map(|schema| {
                    let told = columns_of(schema, &[]);
                    told.iter().map(|column| column.kind).collect()
                }),
            }
        });
        self.session.hold(Held {
            cursors: sorted(cursors, |one| &one.name),
            statements: sorted(statements, |one| &one.name),
        });
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

    /// A FETCH has the formats that were asked of it; without, those of a BINARY cursor.
    pub(super) fn cursor_columns(
        &self,
        name: &str,
        formats: &[i16],
    ) -> Done<Vec<messages::Column>> {
        match self.portals.get(name) {
            Some(Portal {
                state: State::Open(flow),
                formats: own,
                ..
            }) => {
                let formats = if formats.is_empty() { own } else { formats };
                Ok(columns_of(&flow.schema, formats))
            }
            Some(Portal {
                state: State::Planned(prepared),
                formats: own,
                ..
            }) => {
                let formats = if formats.is_empty() { own } else { formats };
                let shown = prepared.columns();
                Ok(shown.map_or_else(Vec::new, |schema| columns_of(&schema, formats)))
            }
            _ => Err(said("34000", format!("there is no cursor `{name}`")).into()),
        }
    }

    fn in_transaction(&self, what: &str) -> Done {
        match self.transaction {
            Transaction::Idle => Err(said("25P01", format!("{what} needs a transaction")).into()),
            Transaction::Open | Transaction::Failed => Ok(()),
        }
    }
}

fn sorted<T>(all: impl Iterator<Item = T>, name: impl Fn(&T) -> &String) -> Vec<T> {
    let mut all: Vec<T> = all.collect();
    all.sort_by(|one, other| name(one).cmp(name(other)));
    all
}
