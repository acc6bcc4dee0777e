//! Who writes in the journal: one thread over the file, which commits all that waits as one transaction, so that many actions share
//! a write to the disk and no runtime is blocked; or, over memory, the caller itself. An answer is given after the commit only.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Mutex, PoisonError};
use std::thread::JoinHandle;

use rusqlite::Connection;
use tokio::sync::oneshot;

use crate::error::JournalError;

/// Jobs of one transaction.
const GROUP: usize = 512;

/// Does its work within the transaction, and gives what tells the caller once it is known whether the transaction holds.
type Job = Box<dyn FnOnce(Result<&Connection, JournalError>) -> Reply + Send>;
type Reply = Box<dyn FnOnce(Result<(), JournalError>) + Send>;

pub(super) enum Desk {
    Inline(Mutex<Connection>),
    Thread {
        // Taken when the desk closes; the thread ends with its channel.
        jobs: Option<Sender<Job>>,
        thread: Option<JoinHandle<()>>,
    },
}

impl Desk {
    pub(super) fn inline(connection: Connection) -> Self {
        Desk::Inline(Mutex::new(connection))
    }

    pub(super) fn thread(connection: Connection) -> Result<Self, JournalError> {
        let (jobs, inbox) = channel();
        let thread = std::thread::Builder::new()
            .name("restable-journal".to_owned())
            .spawn(move || serve(&connection, &inbox))
            .map_err(|error| JournalError::Database {
                reason: format!("no thread: {error}"),
            })?;
        Ok(Desk::Thread {
            jobs: Some(jobs),
            thread: Some(thread),
        })
    }

    /// Does the work in a transaction of its own or shared, and answers when it is durable. Dropping the future does not undo it.
    pub(super) async fn run<T, F>(&self, work: F) -> Result<T, JournalError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T, JournalError> + Send + 'static,
    {
        let (answer, outcome) = oneshot::channel();
        let job: Job = Box::new(move |connection| {
            let done = connection.and_then(|connection| apart(connection, work));
            Box::new(move |committed| {
                // Nobody listens if the caller is gone.
                answer
                    .send(done.and_then(|value| committed.map(|()| value)))
                    .ok();
            })
        });
        match self {
            Desk::Inline(connection) => {
                let connection = connection.lock().unwrap_or_else(PoisonError::into_inner);
                together(&connection, vec![job]);
            }
            Desk::Thread { jobs, .. } => {
                let sent = jobs.as_ref().map(|jobs| jobs.send(job));
                if !matches!(sent, Some(Ok(()))) {
                    return Err(JournalError::Closed);
                }
            }
        }
        outcome.await.unwrap_or(Err(JournalError::Closed))
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        if let Desk::Thread { jobs, thread } = self {
            drop(jobs.take());
            if let Some(thread) = thread.take() {
                // What was accepted is written before the process goes on.
                thread.join().ok();
            }
        }
    }
}

fn serve(connection: &Connection, inbox: &Receiver<Job>) {
    while let Ok(first) = inbox.recv() {
        let mut jobs = vec![first];
        jobs.extend(inbox.try_iter().take(GROUP - 1));
        together(connection, jobs);
    }
}

fn together(connection: &Connection, jobs: Vec<Job>) {
    let begun = connection
        .execute_batch("BEGIN IMMEDIATE")
        .map_err(JournalError::from);
    let replies: Vec<Reply> = jobs
        .into_iter()
        .map(|job| {
            job(match &begun {
                // Some failures, a full disk for one, end the whole transaction.
                Ok(()) if connection.is_autocommit() => Err(JournalError::Closed),
                Ok(()) => Ok(connection),
                Err(error) => Err(error.clone()),
            })
        })
        .collect();
    let committed = begun.and_then(|()| {
        if connection.is_autocommit() {
            return Err(JournalError::Closed);
        }
        connection.execute_batch("COMMIT").map_err(|error| {
            connection.execute_batch("ROLLBACK").ok();
            JournalError::from(error)
        })
    });
    for reply in replies {
        reply(committed.clone());
    }
}

/// One job's work, undone alone if it fails.
fn apart<T>(
    connection: &Connection,
    work: impl FnOnce(&Connection) -> Result<T, JournalError>,
) -> Result<T, JournalError> {
    connection.execute_batch("SAVEPOINT job")?;
    match work(connection) {
        Ok(value) => {
            connection.execute_batch("RELEASE job")?;
            Ok(value)
        }
        Err(error) => {
            connection
                .execute_batch("ROLLBACK TO job; RELEASE job")
                .ok();
            Err(error)
        }
    }
}
