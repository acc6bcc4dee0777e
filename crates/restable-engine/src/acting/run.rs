//! Running a statement that acts: its source is read to the end, every row is bound and checked, and only then is anything shown, asked
//! or sent.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize};
use std::time::Instant;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use datafusion::physical_plan::execute_stream;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::{StreamExt, TryStreamExt, future, stream};
use restable_http::PollInterval;
use restable_sql::{Diagnostic, Parsed};

use super::answer::Columns;
use super::plan::{Acting, Rows as Source, Wait};
use super::recheck::Recheck;
use super::returning::Once;
use super::rows::Targeted;
use super::send::{self, Sending, Stopper};
use super::{Access, Attendant, confirm, preview, read, returning, rows};
use crate::audit::{Beginning, without_values};
use crate::door::{Reach, Sees};
use crate::ground::Planning;
use crate::names::Names;
use crate::narrowing;
use crate::outcome::{Outcome, Rows};
use crate::planning::on_deep_stack;
use crate::session::Session;
use crate::settings::Settings;
use crate::statement::{Missing, Running, Statement, lock};
use crate::{Error, Result};

impl Session {
    /// Runs a statement that acts.
    pub(crate) async fn run_acting(
        &self,
        acting: Acting,
        statement: Arc<Statement>,
        started: Instant,
        source: Option<Arc<Parsed>>,
    ) -> Result<Outcome> {
        let settings = self.settings();
        let acting = Arc::new(acting);
        let running = Running(Arc::clone(&statement));
        let (planning, batches) = self.read_source(&acting, &statement).await?;
        let read_at = Instant::now();
        let default = settings.default_subscription.as_deref();
        let (calls, warnings) = rows::calls(&acting, &batches, default)?;
        for warning in warnings {
            statement.note_notice(warning);
        }
        if !acting.only_asks() {
            // They are acted on as they were then: whoever does that knows of when.
            for reading in statement.snapshots() {
                let words = reading.words();
                statement.note_notice(format!(
                    "targets were read from {words}, not from the service"
                ));
            }
        }
        let provider = &acting.resource.provider;
        let client = statement
            .clients
            .get(provider)
            .cloned()
            .ok_or_else(|| Error::no_client(provider))?;
        let schema = Arc::clone(acting.schema());
        let mut stopper = None;
        let answers: Once = if acting.preview {
            let answers = preview::answers(&acting, &calls, &client, &statement).await;
            let columns = Columns::of(&[&acting.method], acting.wait, true);
            stream::once(future::ready(columns.batch(&answers))).boxed()
        } else if acting.only_asks() {
            read::rows(&acting, calls, &statement)?
        } else {
            self.allowed(&acting)?;
            statement.may_act(calls.len() as u64)?;
            let attendant = self.attendant();
            confirm::consent(&acting, &calls, settings.confirm, &attendant).await?;
            let recheck = send::rechecks(&acting, &calls).then(|| Recheck {
                acting: Arc::clone(&acting),
                shared: Arc::clone(self.shared()),
                planning,
                statement: Arc::clone(&statement),
                read_at,
                after: settings.recheck_after,
            });
            let stop = Stopper::new();
            stopper = Some(stop.clone());
            let mut sending = sending(&settings, &attendant, &statement, stop, calls.len());
            sending.recheck = recheck;
            sending.keeps_existing = acting.keeps_existing;
            if !acting.shows_status {
                sending.progress = None;
            }
            if !acting.commitment.begin() {
                return Err(Error::Timeout(statement.timeout.unwrap_or_default()));
            }
            // What is begun now is followed to its end.
            statement.allowance.lift();
            self.send(&acting, client, calls, sending, source.as_deref())
                .await?
        };
        let (schema, answers, names) = match &acting.returning {
            None => (schema, answers, Names::default()),
            Some(items) => self.returned(&acting, items, answers, &statement).await?,
        };
        let answers = answers.map_err(datafusion::common::DataFusionError::from);
        let answers = Box::pin(RecordBatchStreamAdapter::new(schema, answers));
        let rows = Rows::new(answers, &names, running, started, source);
        Ok(Outcome::Rows(match stopper {
            Some(stopper) => rows.stopped_by(stopper),
            None => rows,
        }))
    }

    /// The source, whole.
    async fn read_source(
        &self,
        acting: &Acting,
        statement: &Arc<Statement>,
    ) -> Result<(Planning, Vec<RecordBatch>)> {
        let planning = self.shared().ground.planning_of(statement);
        let physical = on_deep_stack(planning.physical(&acting.source)).await?;
        let context = planning.task();
        let read = async {
            let physical = physical?;
            narrowing::check(&physical)?;
            let rows = execute_stream(physical, context)?;
            rows.try_collect::<Vec<RecordBatch>>().await
        };
        let batches = match statement.deadline {
            None => read.await,
            Some(deadline) => tokio::time::timeout_at(deadline.into(), read)
                .await
                .map_err(|_| Error::Timeout(statement.timeout.unwrap_or_default()))?,
        };
        let batches = batches.map_err(|problem| {
            let problem = Error::from(problem);
            match (acting.rows, &problem) {
                // Whoever reads "403" must not wonder what was done.
                (Source::Read | Source::Selected, Error::Http { .. } | Error::Diagnostic(_)) => {
                    let mut diagnostic = problem.diagnostic();
                    diagnostic.notes.push(
                        "the source could not be read whole, so that nothing was sent".to_owned(),
                    );
                    problem.told_as(diagnostic)
                }
                _ => problem,
            }
        })?;
        let missing = statement.missing();
        if !missing.is_empty() && !acting.only_asks() {
            // Snapshots and tables of the session may lack rows too.
            let problem = "so that the set is not known and nothing was sent";
            let advice =
                "what it reads from was filled when scopes could not be read: fill it anew";
            return Err(Missing::refused(&missing, problem, advice));
        }
        Ok((planning, batches))
    }

    /// Whether this session may send what changes something.
    fn allowed(&self, acting: &Acting) -> Result<()> {
        match self.access() {
            Access::Write => Ok(()),
            Access::Preview | Access::ReadOnly => Err(Diagnostic::new(
                "R0320",
                format!(
                    "this session only reads, and `{}` changes something",
                    acting.method.full_name()
                ),
            )
            .into()),
        }
    }

    /// Journals the calls, all of them, and begins to send.
    async fn send(
        &self,
        acting: &Arc<Acting>,
        client: restable_http::Client,
        calls: Vec<Targeted>,
        mut sending: Sending,
        source: Option<&Parsed>,
    ) -> Result<Once> {
        let columns = Columns::of(&[&acting.method], acting.wait, false);
        let Some(first) = calls.first() else {
            return Ok(stream::empty().boxed());
        };
        let provider = &acting.resource.provider;
        let journal = self.engine().journal().await?;
        let binding = send::binding(
            &client,
            provider,
            &first.call.server,
            self.engine().cloud(provider),
        )
        .await?;
        // A name that nobody had to show to be his is nobody's.
        let shown = self.client_name().filter(|_| self.sees == Sees::Own);
        let run = journal.begin(binding.clone()).await?.asked_by(shown);
        if let Some(audit) = self.engine().audit() {
            audit.begin(&Beginning {
                statement: run.statement(),
                user: self.client_name().as_deref(),
                principal: binding.principal.as_deref(),
                tenant: binding.tenant.as_deref(),
                endpoint: &binding.endpoint,
                action: &acting.title(),
                sql: &source.map_or_else(String::new, |parsed| without_values(&parsed.text)),
                destructive: acting.is_destructive(&calls),
                targets: calls.iter().map(|call| call.call.scope.as_str()).collect(),
            })?;
            sending.audit = Some((audit.clone(), vec![run.statement().to_owned()]));
        }
        lock(&sending.statement.actions)
            .get_or_insert_default()
            .statement = run.statement().to_owned();
        let errands = send::intend(run, acting, client, calls).await?;
        Ok(send::rows(sending, errands, columns))
    }

    /// Who asks, by the name that a client gave.
    pub(crate) fn client_name(&self) -> Option<String> {
        self.shared().client_name()
    }

    /// The rows as RETURNING asks for them.
    async fn returned(
        &self,
        acting: &Acting,
        items: &[datafusion::sql::sqlparser::ast::SelectItem],
        answers: Once,
        statement: &Arc<Statement>,
    ) -> Result<(SchemaRef, Once, Names)> {
        let (plan, names) = returning::plan(self, acting, items, Some(answers)).await?;
        let planning = self.shared().ground.planning();
        let physical = on_deep_stack(planning.physical(&plan)).await??;
        let rows = execute_stream(physical, planning.task())?;
        let schema = rows.schema();
        // Who reads of a value that cannot be computed must know that the calls are on their way nevertheless.
        let sent = !acting.preview && !acting.only_asks();
        let rows = rows.map_err(move |problem| {
            let problem = Error::from(problem);
            if !sent {
                return problem;
            }
            let mut diagnostic = problem.diagnostic();
            diagnostic.notes.push(
                "RETURNING could not be computed, after calls were sent; `SHOW OPERATIONS` has what became of them"
                    .to_owned(),
            );
            problem.told_as(diagnostic)
        });
        // A program at the other end of a wire takes rows for success.
        if sent && self.reach == Reach::Wire && !returning::tells_outcome(items) {
            let statement = Arc::clone(statement);
            let last = stream::once(async move { unachieved(&statement) });
            let last = last.filter_map(|problem| future::ready(problem.map(Err)));
            return Ok((schema, rows.chain(last).boxed(), names));
        }
        Ok((schema, rows.boxed(), names))
    }
}

/// The error of a statement with targets that did not come to what was asked for.
fn unachieved(statement: &Statement) -> Option<Error> {
    let totals = lock(&statement.actions).clone()?;
    let failed = totals.failed();
    let all: u64 = totals.statuses.values().sum();
    let told = match (failed, all) {
        (0, _) => return None,
        (_, 1) => "the target did not come to what was asked for".to_owned(),
        _ => format!("{failed} of {all} targets did not come to what was asked for"),
    };
    let mut diagnostic = Diagnostic::new("R0605", told)
        .help("RETURNING `status` and `error_message` tells of each; `SHOW OPERATIONS` does, too");
    diagnostic.notes = totals.lines();
    Some(diagnostic.into())
}

/// What all targets share, for a statement without anything of its own.
pub(super) fn sending(
    settings: &Settings,
    attendant: &Attendant,
    statement: &Arc<Statement>,
    stopper: Stopper,
    total: usize,
) -> Sending {
    Sending {
        statement: Arc::clone(statement),
        stopper,
        poll: PollInterval::starting_at(settings.poll_interval),
        on_error: settings.on_error,
        progress: attendant.progress.clone(),
        keeps_existing: false,
        recheck: None,
        unknown_grace: settings.unknown_grace,
        slots: send::slots(statement),
        total,
        done: AtomicUsize::new(0),
        failed: AtomicUsize::new(0),
        halted: AtomicBool::new(false),
        started: Instant::now(),
        audit: None,
    }
}

/// For how long a statement of `operations` waits.
pub(super) fn waits(settings: &Settings) -> Wait {
    match settings.wait {
        true => Wait::Operation,
        false => Wait::No,
    }
}
