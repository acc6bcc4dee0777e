//! What comes out of a statement: rows as a stream with headings as the user wrote them, or a message; and afterwards a
//! report of what it cost and whether it is complete.

use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow::array::{Array as _, RecordBatch, RecordBatchOptions};
use arrow::datatypes::{Schema, SchemaRef};
use datafusion::execution::SendableRecordBatchStream;
use futures::{FutureExt as _, StreamExt};

use crate::acting::{ActionTotals, Stopper};
use crate::door::{HeldMemory, Memory};
use crate::functions::NAME_METADATA;
use crate::names::{Heading, Names};
use crate::snapshots::Reading;
use crate::statement::{Ended, Missing, Running, Statement, lock};
use crate::{Error, Result};

/// The outcome of a statement.
#[derive(Debug)]
pub enum Outcome {
    /// Rows.
    Rows(Rows),
    /// Something was done that answers no rows.
    Done {
        /// What, in words.
        message: String,
        /// What it cost, if it called a provider.
        report: Option<Report>,
    },
}

/// The rows of a statement, read one batch at a time. When it is dropped, all calls of the statement end.
pub struct Rows {
    schema: SchemaRef,
    stream: SendableRecordBatchStream,
    statement: Running,
    started: Instant,
    count: u64,
    source: Option<Arc<restable_sql::Parsed>>,
    stopper: Option<Stopper>,
    /// What ended them before their end, if it was a fault of ours.
    broken: Option<Error>,
    /// Room for the batches that wait for whoever reads them.
    waiting: Option<HeldMemory>,
}

impl std::fmt::Debug for Rows {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Rows")
            .field("schema", &self.schema)
            .finish_non_exhaustive()
    }
}

/// What a statement cost, and whether its answer is whole.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// Pages that came from the cache.
    pub cached: u64,
    /// The age of the oldest of them.
    pub oldest: Option<Duration>,
    /// Rows delivered.
    pub rows: u64,
    /// Logical calls: each page once.
    pub calls: u64,
    /// Attempts beyond the first.
    pub retries: u64,
    /// Bytes of bodies.
    pub bytes: u64,
    /// From the start of the statement to its last row.
    pub elapsed: Duration,
    /// Time spent waiting because the service throttles.
    pub throttled: Duration,
    /// How many scopes of each kind were read.
    pub scopes: BTreeMap<String, usize>,
    /// Scopes that answered that they do not exist.
    pub absent: u64,
    /// Scopes that could not be read.
    pub missing: Vec<Missing>,
    /// What the user should know although nothing failed.
    pub notices: Vec<String>,
    /// What was read of snapshots.
    pub snapshots: Vec<Reading>,
    /// What the targets came to, if the statement acts.
    pub actions: Option<Box<ActionTotals>>,
}

impl Rows {
    pub(crate) fn new(
        stream: SendableRecordBatchStream,
        names: &Names,
        statement: Running,
        started: Instant,
        source: Option<Arc<restable_sql::Parsed>>,
    ) -> Rows {
        let schema = headed(&stream.schema(), names);
        statement.0.ended(Ended::Stopped);
        Rows {
            schema,
            stream,
            statement,
            started,
            count: 0,
            source,
            stopper: None,
            broken: None,
            waiting: None,
        }
    }

    /// The rows of a statement that acts: they keep its deadline themselves, since what was begun has to be told.
    pub(crate) fn stopped_by(mut self, stopper: Stopper) -> Rows {
        self.stopper = Some(stopper);
        self
    }

    /// The same, whose batches are held in this memory until others follow them.
    pub(crate) fn held_in(mut self, memory: Option<&Memory>) -> Result<Rows> {
        let held = memory.map(|memory| memory.hold("rows that wait for their client", 0));
        self.waiting = held.transpose()?;
        Ok(self)
    }

    /// Makes room for a batch, and for those before it that are not taken yet.
    fn hold(&mut self, batch: &RecordBatch) -> Result<()> {
        /// So many batches are on their way to a client, this one among them.
        const AHEAD: usize = 3;
        /// Less than this is not worth a look.
        const LITTLE: usize = 64 << 10;
        let Some(waiting) = &mut self.waiting else {
            return Ok(());
        };
        let columns = batch.columns().iter();
        let sizes = columns.map(|column| {
            let size = column.to_data().get_slice_memory_size();
            size.unwrap_or_else(|_| column.get_array_memory_size())
        });
        let bytes: usize = sizes.sum();
        waiting.resize(if bytes < LITTLE { 0 } else { bytes * AHEAD })
    }

    /// How a statement that acts is stopped; its rows are to be read to their end nevertheless. `None` for one that reads, which ends
    /// when its rows are dropped.
    pub fn stopper(&self) -> Option<Stopper> {
        self.stopper.clone()
    }

    /// The columns, headed as the user wrote them.
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// The next batch, or `None` at the end of a complete answer.
    pub async fn next(&mut self) -> Option<Result<RecordBatch>> {
        if self.is_late() {
            return Some(Err(self.late()));
        }
        // What broke has no end that could be taken for that of a complete answer.
        if let Some(problem) = &self.broken {
            return Some(Err(problem.clone()));
        }
        let deadline = self.deadline();
        let next = unbroken(self.stream.next());
        let batch = match deadline {
            Some(deadline) => match tokio::time::timeout_at(deadline.into(), next).await {
                Ok(batch) => batch,
                Err(_) => return Some(Err(self.late())),
            },
            None => next.await,
        };
        let batch = match batch {
            Ok(batch) => batch,
            Err(problem) => {
                self.statement.0.ended(Ended::Failed);
                self.broken = Some(problem.clone());
                return Some(Err(problem));
            }
        };
        let Some(batch) = batch else {
            let actions = lock(&self.statement.0.actions);
            let failed = actions.as_ref().is_some_and(|all| all.failed() > 0);
            drop(actions);
            self.statement.0.ended(match failed {
                true => Ended::Failed,
                false => Ended::Done,
            });
            self.statement
                .0
                .span()
                .record("rows", self.count.cast_signed());
            return None;
        };
        if batch.is_err() {
            self.statement.0.ended(Ended::Failed);
        }
        let source = self.source.as_deref();
        let told = |problem| {
            source
                .into_iter()
                .fold(Error::from(problem), crate::locate::located)
        };
        let batch = batch.map_err(told);
        Some(batch.and_then(|batch| {
            self.hold(&batch)?;
            self.count += batch.num_rows() as u64;
            let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
            Ok(RecordBatch::try_new_with_options(
                Arc::clone(&self.schema),
                batch.columns().to_vec(),
                &options,
            )?)
        }))
    }

    /// When the last row must have been handed on. What acts keeps its time itself.
    pub fn deadline(&self) -> Option<Instant> {
        self.statement.0.deadline.filter(|_| self.stopper.is_none())
    }

    /// Whether the time is over, however many rows are at hand.
    pub fn is_late(&self) -> bool {
        let deadline = self.deadline();
        deadline.is_some_and(|deadline| Instant::now() >= deadline)
    }

    /// The error of a statement whose time is over.
    pub fn late(&self) -> Error {
        self.statement.0.ended(Ended::Failed);
        Error::Timeout(self.statement.0.timeout.unwrap_or_default())
    }

    /// Whether nobody was called until now.
    pub fn is_local(&self) -> bool {
        self.statement.0.meter.totals().calls == 0
    }

    /// What the statement cost until now; to be read after the last row.
    pub fn report(&self) -> Report {
        Report::of(&self.statement.0, self.count, self.started)
    }
}

/// What comes of work that may have a fault of ours in it: a panic is an error like others, so that nobody takes what came before it
/// for the whole.
pub(crate) async fn unbroken<T>(work: impl Future<Output = T>) -> Result<T> {
    AssertUnwindSafe(work)
        .catch_unwind()
        .await
        .map_err(|fault| {
            let said = fault.downcast_ref::<String>().map(String::as_str);
            let said = said.or_else(|| fault.downcast_ref::<&str>().copied());
            let said = said.unwrap_or("no reason was given");
            Error::internal(format!("the statement broke off: {said}"))
        })
}

impl Report {
    pub(crate) fn of(statement: &Statement, rows: u64, started: Instant) -> Report {
        let totals = statement.meter.totals();
        Report {
            cached: totals.cached,
            oldest: totals.oldest,
            rows,
            calls: totals.calls,
            retries: totals.retries,
            bytes: totals.bytes,
            elapsed: started.elapsed(),
            throttled: totals.throttle_wait,
            scopes: statement.scopes(),
            absent: statement.absent(),
            missing: statement.missing(),
            notices: statement.notices(),
            snapshots: statement.snapshots(),
            actions: lock(&statement.actions).clone().map(Box::new),
        }
    }

    /// Whether every scope was read.
    pub fn is_complete(&self) -> bool {
        self.missing.is_empty()
    }

    /// The coverage line, for example
    /// `1,204 rows · 312 vaults in 9 subscriptions · 337 calls, 2 retried · 4.1 MB · 2.3 s · complete`.
    pub fn line(&self) -> String {
        let mut parts = vec![counted(self.rows, "row")];
        let subscriptions = self.scopes.get("subscriptions").copied();
        let others: Vec<String> = self
            .scopes
            .iter()
            .filter(|(noun, _)| *noun != "subscriptions")
            .map(|(noun, count)| {
                counted(
                    *count as u64,
                    noun.strip_prefix("backup_")
                        .unwrap_or(noun)
                        .trim_end_matches('s'),
                )
            })
            .collect();
        match (others.is_empty(), subscriptions) {
            (false, Some(count)) => parts.push(format!(
                "{} in {}",
                others.join(", "),
                counted(count as u64, "subscription")
            )),
            (true, Some(count)) => parts.push(counted(count as u64, "subscription")),
            (false, None) => parts.push(others.join(", ")),
            (true, None) => {}
        }
        parts.extend(self.snapshots.iter().map(Reading::words));
        if self.absent > 0 {
            parts.push(format!("{} absent", grouped(self.absent)));
        }
        let retried = if self.retries > 0 {
            format!(", {} retried", grouped(self.retries))
        } else {
            String::new()
        };
        parts.push(format!("{}{retried}", counted(self.calls, "call")));
        if let Some(oldest) = self.oldest {
            parts.push(format!(
                "{} from the cache, up to {} s old",
                counted(self.cached, "page"),
                grouped(oldest.as_secs())
            ));
        }
        parts.push(size(self.bytes));
        if self.throttled > Duration::from_millis(50) {
            parts.push(format!("{:.1} s throttled", self.throttled.as_secs_f64()));
        }
        let seconds = self.elapsed.as_secs_f64();
        parts.push(if seconds < 1.0 {
            format!("{seconds:.2} s")
        } else {
            format!("{seconds:.1} s")
        });
        parts.push(match self.missing.len() {
            0 => "complete".to_owned(),
            1 => "INCOMPLETE: 1 scope missing".to_owned(),
            many => format!("INCOMPLETE: {} scopes missing", grouped(many as u64)),
        });
        parts.join(" · ")
    }
}

pub(crate) fn counted(count: u64, noun: &str) -> String {
    let noun = noun.replace('_', " ");
    match (count, noun.strip_suffix("ie")) {
        (1, Some(stem)) => format!("1 {stem}y"),
        (1, None) => format!("1 {noun}"),
        (_, _) => format!("{} {noun}s", grouped(count)),
    }
}

pub(crate) fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

fn size(bytes: u64) -> String {
    #[expect(clippy::cast_precision_loss, reason = "a size for people")]
    let bytes_f = bytes as f64;
    match bytes {
        0..1_000 => format!("{bytes} B"),
        1_000..1_000_000 => format!("{:.1} kB", bytes_f / 1e3),
        1_000_000..1_000_000_000 => format!("{:.1} MB", bytes_f / 1e6),
        _ => format!("{:.1} GB", bytes_f / 1e9),
    }
}

/// The schema of the result with the headings that the user sees.
pub(crate) fn headed(schema: &SchemaRef, names: &Names) -> SchemaRef {
    let fields = schema.fields();
    let wildcards = names
        .headings
        .iter()
        .filter(|heading| **heading == Heading::Wildcard)
        .count();
    let explicit = names.headings.len() - wildcards;
    let mut headings: Vec<Heading> = Vec::with_capacity(fields.len());
    for heading in &names.headings {
        match heading {
            // One wildcard takes what the others leave; several cannot be told apart and are headed by name.
            Heading::Wildcard if wildcards == 1 => {
                headings.extend(std::iter::repeat_n(
                    Heading::Document,
                    fields.len().saturating_sub(explicit),
                ));
            }
            other => headings.push(other.clone()),
        }
    }
    if headings.len() != fields.len() {
        headings = vec![Heading::Document; fields.len()];
    }
    let headed = fields.iter().zip(headings).map(|(field, heading)| {
        let name = match heading {
            Heading::Written(name) => name,
            _ => document_name(field, names),
        };
        field.as_ref().clone().with_name(name)
    });
    Arc::new(Schema::new(headed.collect::<Vec<_>>()))
}

fn document_name(field: &arrow::datatypes::Field, names: &Names) -> String {
    let own = told_apart(field.name());
    let spelled = |name: &str| names.spelled.get(name).cloned();
    if let Some(given) = names.aliased.get(field.name()) {
        return given.clone();
    }
    match field.metadata().get(NAME_METADATA) {
        Some(name) if restable_spec::names::fold(name) == own => name.clone(),
        _ => spelled(field.name())
            .or_else(|| spelled(own).filter(|_| !names.aliased.contains_key(own)))
            .unwrap_or_else(|| own.to_owned()),
    }
}

/// A name without what tells it apart from the same name before it (`id:2`), which is the planner's business.
fn told_apart(name: &str) -> &str {
    match name.rsplit_once(':') {
        Some((own, number))
            if !own.is_empty()
                && !number.is_empty()
                && number.bytes().all(|byte| byte.is_ascii_digit()) =>
        {
            own
        }
        _ => name,
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, clippy::panic, reason = "tests")]
mod tests {
    use arrow::array::{ArrayRef, Int64Array};
    use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
    use futures::stream;

    use super::*;
    use crate::{Engine, Settings};

    #[tokio::test]
    async fn a_panic_among_rows_is_an_error_and_stays_one() {
        let registry =
            restable_spec::Registry::open(vec![Arc::new(restable_spec::Builtin)]).unwrap();
        let engine = Engine::new(registry, std::collections::HashMap::new());
        let session = engine.session(Settings::default()).unwrap();
        let column: ArrayRef = Arc::new(Int64Array::from(vec![1]));
        let batch = RecordBatch::try_from_iter([("n", column)]).unwrap();
        let schema = batch.schema();
        let batches = stream::iter([0, 1, 2]).map(move |at| match at {
            1 => panic!("a fault"),
            _ => Ok(batch.clone()),
        });
        let stream = Box::pin(RecordBatchStreamAdapter::new(schema, batches));
        let statement = Running(Arc::new(session.begin_counted("SELECT")));
        let names = Names::default();
        let mut rows = Rows::new(stream, &names, statement, Instant::now(), None);
        assert_eq!(rows.next().await.unwrap().unwrap().num_rows(), 1);
        for _ in 0..3 {
            let problem = rows.next().await.unwrap().unwrap_err();
            assert!(matches!(&problem, Error::Internal(text) if text.contains("a fault")));
        }
    }

    #[tokio::test]
    async fn a_panic_before_the_first_row_is_an_error() {
        let problem: Result<()> = unbroken(async { panic!("{} fault", "a") }).await;
        let problem = problem.unwrap_err();
        assert!(matches!(&problem, Error::Internal(text) if text.ends_with("a fault")));
    }
}
