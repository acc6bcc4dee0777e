//! What the journal knows: a list of it, waiting for one operation, and going on with statements that were broken off.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use arrow::array::{Int64Array, RecordBatch, StringArray, TimestampMillisecondArray};
use arrow::datatypes::{DataType, Field, Schema, TimeUnit};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::{TryStreamExt, stream};
use restable_http::journal::{Binding, Entry, Filter, Run, State, Supplement};
use restable_http::{Client, Journal};
use restable_spec::{BoundCall, Method, Resource, Service};
use restable_sql::Diagnostic;

use super::answer::{self, Answer, Columns};
use super::plan::{Deed, Wait};
use super::rows::Targeted;
use super::run::{sending, waits};
use super::send::{self, Errand, Stopper, Work};
use super::{Access, Consent, Question};
use crate::audit::{AuditLog, Beginning};
use crate::door::Sees;
use crate::functions::json_metadata;
use crate::names::Names;
use crate::outcome::{Outcome, Rows};
use crate::session::Session;
use crate::settings::Confirm;
use crate::statement::{Running, lock};
use crate::{Error, Result};

/// Which entries of the journal are listed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct OperationFilter {
    /// Only those that have not ended.
    pub open: bool,
    /// Only the last so many.
    pub last: Option<usize>,
}

/// The state of an entry as it is told: one that was being sent by a process that is gone may have been received.
fn state_of(journal: &Journal, entry: &Entry) -> State {
    match entry.state {
        State::Sending if !journal.is_running(&entry.statement) => State::Unknown,
        State::Intended if !journal.is_running(&entry.statement) => State::NotSent,
        state => state,
    }
}

/// Entries as rows, the columns of `SHOW OPERATIONS`.
pub(crate) async fn list(session: &Session, filter: OperationFilter) -> Result<RecordBatch> {
    let entries = match session.engine().existing_journal().await? {
        Some(journal) => {
            let all = journal.entries(Filter::default()).await?;
            let own = session.client_name();
            let is_seen =
                |entry: &Entry| session.sees == Sees::All || own.is_some() && entry.asked_by == own;
            let all = all
                .into_iter()
                .filter(is_seen)
                .map(|entry| (state_of(&journal, &entry), entry));
            let mut all: Vec<(State, Entry)> = all
                .filter(|(state, _)| !filter.open || !state.has_ended())
                .collect();
            if let Some(last) = filter.last {
                all.drain(..all.len().saturating_sub(last));
            }
            all
        }
        None => Vec::new(),
    };
    let text = |name: &str| Field::new(name, DataType::Utf8, true);
    let time = |name: &str| {
        let kind = DataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into()));
        Field::new(name, kind, true)
    };
    let fields = vec![
        Field::new("operation", DataType::Int64, false),
        text("statement"),
        time("created"),
        time("updated"),
        text("method"),
        text("target"),
        text("status"),
        text("operation_id"),
        text("client_request_id"),
        text("error_code"),
        text("error_message"),
        text("error").with_metadata(json_metadata()),
        text("result").with_metadata(json_metadata()),
        text("http_method"),
        text("url"),
        text("body").with_metadata(json_metadata()),
    ];
    let texts = |of: &dyn Fn(&(State, Entry)) -> Option<String>| {
        Arc::new(entries.iter().map(of).collect::<StringArray>()) as Arc<_>
    };
    let times = |of: &dyn Fn(&Entry) -> SystemTime| {
        let values = entries.iter().map(|(_, entry)| Some(millis(of(entry))));
        Arc::new(
            values
                .collect::<TimestampMillisecondArray>()
                .with_timezone("UTC"),
        ) as Arc<_>
    };
    let numbers = entries.iter().map(|(_, entry)| Some(entry.number));
    let columns = vec![
        Arc::new(numbers.collect::<Int64Array>()) as Arc<_>,
        texts(&|(_, entry)| Some(entry.statement.clone())),
        times(&|entry| entry.created),
        times(&|entry| entry.updated),
        texts(&|(_, entry)| Some(entry.method_id.clone())),
        texts(&|(_, entry)| Some(entry.scope.clone())),
        texts(&|(state, _)| Some(state.to_string())),
        texts(&|(_, entry)| entry.operation_id.clone()),
        texts(&|(_, entry)| Some(entry.client_request_id.clone())),
        texts(&|(_, entry)| entry.error_code.clone()),
        texts(&|(_, entry)| entry.error_message.clone()),
        texts(&|(_, entry)| entry.error.clone()),
        texts(&|(_, entry)| entry.result.clone()),
        texts(&|(_, entry)| Some(entry.http.as_str().to_owned())),
        texts(&|(_, entry)| Some(entry.url.clone())),
        texts(&|(_, entry)| entry.body.clone()),
    ];
    Ok(RecordBatch::try_new(
        Arc::new(Schema::new(fields)),
        columns,
    )?)
}

fn millis(time: SystemTime) -> i64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// Which entries a person means, and what is done with them.
enum Goal {
    /// One entry is followed to its end; nothing is sent.
    Wait,
    /// Whole statements are gone on with.
    Resume,
}

impl Session {
    /// The entries of the journal, as `SHOW OPERATIONS` lists them.
    pub async fn operations(&self, filter: OperationFilter) -> Result<Outcome> {
        let batch = list(self, filter).await?;
        let statement = Arc::new(self.begin_counted("OPERATIONS"));
        let schema = batch.schema();
        let rows = stream::once(futures::future::ready(Ok(batch)));
        let rows = Box::pin(RecordBatchStreamAdapter::new(schema, rows));
        Ok(Outcome::Rows(Rows::new(
            rows,
            &Names::default(),
            Running(statement),
            Instant::now(),
            None,
        )))
    }

    /// Waits for the operation with this number, or with the service's id. Sends no action.
    pub async fn wait_for(&self, reference: &str) -> Result<Outcome> {
        let journal = self.engine().journal().await?;
        let entry = journal.find(reference).await?;
        self.go_on(&journal, vec![vec![entry]], Goal::Wait).await
    }

    /// Goes on with a statement that was broken off, or with all that were: follows what runs, asks what became of what is unknown, and
    /// sends what surely was not received.
    pub async fn resume(&self, statement: Option<&str>) -> Result<Outcome> {
        if self.access() != Access::Write {
            let problem = Diagnostic::new("R0320", "this session only reads, and resuming sends");
            return Err(problem.into());
        }
        let journal = self.engine().journal().await?;
        let filter = match statement {
            Some(id) => Filter::statement(id),
            None => Filter::default(),
        };
        let mut statements: Vec<Vec<Entry>> = Vec::new();
        for entry in journal.entries(filter).await? {
            match statements.iter_mut().find(|known| {
                known
                    .first()
                    .is_some_and(|first| first.statement == entry.statement)
            }) {
                Some(known) => known.push(entry),
                None => statements.push(vec![entry]),
            }
        }
        if let Some(id) = statement
            && statements.is_empty()
        {
            let problem = Diagnostic::new("R0702", format!("the journal has no statement `{id}`"));
            return Err(problem
                .help("`restable operations list` lists what it has")
                .into());
        }
        // A statement whose every target has ended has nothing to go on with.
        statements.retain(|entries| entries.iter().any(|entry| !entry.state.has_ended()));
        // Without a name, those that another process goes on with are left to it.
        if statement.is_none() {
            statements.retain(|entries| {
                entries
                    .first()
                    .is_some_and(|first| !journal.is_running(&first.statement))
            });
        }
        self.go_on(&journal, statements, Goal::Resume).await
    }

    async fn go_on(
        &self,
        journal: &Journal,
        statements: Vec<Vec<Entry>>,
        goal: Goal,
    ) -> Result<Outcome> {
        let settings = self.settings();
        let statement = Arc::new(self.begin_counted("OPERATIONS"));
        // What was begun is followed to its end, whatever a statement may call.
        statement.allowance.lift();
        let running = Running(Arc::clone(&statement));
        let started = Instant::now();
        let wait = match goal {
            Goal::Wait => Wait::Operation,
            Goal::Resume => waits(&settings),
        };
        let mut errands = Vec::new();
        let mut bindings: Vec<(String, Binding)> = Vec::new();
        let mut methods: Vec<Arc<Method>> = Vec::new();
        let several = statements.len() > 1;
        for entries in statements {
            let id = entries.first().map(|first| first.statement.clone());
            match self.taken_up(journal, entries, &goal, wait).await {
                Ok(own) => {
                    let (binding, own) = own;
                    bindings.push((id.unwrap_or_default(), binding));
                    errands.extend(own);
                }
                // One statement of another identity, or of another document, does not stand in the way of the others.
                Err(problem) if several => statement.note_notice(format!(
                    "statement {} is left as it is: {problem}",
                    id.unwrap_or_default()
                )),
                Err(problem) => return Err(problem),
            }
        }
        self.consented(&mut errands, &settings).await?;
        let audit = self.audited(&errands, &bindings)?;
        for errand in &errands {
            let method = &errand.deed.method;
            if !methods.iter().any(|known| Arc::ptr_eq(known, method)) {
                methods.push(Arc::clone(method));
            }
        }
        if let Some(first) = errands.first()
            && errands
                .iter()
                .all(|errand| errand.run.statement() == first.run.statement())
        {
            lock(&statement.actions).get_or_insert_default().statement =
                first.run.statement().to_owned();
        }
        let columns = Columns::of(&methods.iter().collect::<Vec<_>>(), wait, false);
        let schema = columns.schema();
        if errands.is_empty() {
            let rows = Box::pin(RecordBatchStreamAdapter::new(schema, stream::empty()));
            let names = Names::default();
            return Ok(Outcome::Rows(Rows::new(
                rows, &names, running, started, None,
            )));
        }
        let stopper = Stopper::new();
        let mut sending = sending(
            &settings,
            &self.attendant(),
            &statement,
            stopper.clone(),
            errands.len(),
        );
        sending.audit = audit;
        *lock(&self.last) = Some(Arc::clone(&statement));
        let rows = send::rows(sending, errands, columns);
        let rows = rows.map_err(datafusion::common::DataFusionError::from);
        let rows = Box::pin(RecordBatchStreamAdapter::new(schema, rows));
        let rows = Rows::new(rows, &Names::default(), running, started, None);
        Ok(Outcome::Rows(rows.stopped_by(stopper)))
    }

    /// Writes into the audit log what may be sent now, statement by statement, before it is.
    fn audited(
        &self,
        errands: &[Errand],
        bindings: &[(String, Binding)],
    ) -> Result<Option<(AuditLog, Vec<String>)>> {
        let Some(audit) = self.engine().audit() else {
            return Ok(None);
        };
        let mut begun = Vec::new();
        for (statement, binding) in bindings {
            let sends = |errand: &&Errand| {
                errand.run.statement() == statement
                    && matches!(errand.work, Work::Send(_) | Work::Resolve { .. })
            };
            let own: Vec<&Errand> = errands.iter().filter(sends).collect();
            if own.is_empty() {
                continue;
            }
            let methods = own.iter().map(|errand| errand.deed.method.full_name());
            let methods: BTreeSet<String> = methods.collect();
            let methods: Vec<String> = methods.into_iter().collect();
            let destroys = |errand: &&Errand| {
                let body = errand.target.call.body.as_deref();
                errand.deed.method.is_destructive(body)
            };
            audit.begin(&Beginning {
                statement,
                user: self.client_name().as_deref(),
                principal: binding.principal.as_deref(),
                tenant: binding.tenant.as_deref(),
                endpoint: &binding.endpoint,
                action: &format!("RESUME {}", methods.join(", ")),
                sql: "operations resume",
                destructive: own.iter().any(destroys),
                targets: own
                    .iter()
                    .map(|errand| errand.target.call.scope.as_str())
                    .collect(),
            })?;
            begun.push(statement.clone());
        }
        Ok(Some((audit.clone(), begun)))
    }

    /// What is to be done about the entries of one statement, and under which identity.
    async fn taken_up(
        &self,
        journal: &Journal,
        entries: Vec<Entry>,
        goal: &Goal,
        wait: Wait,
    ) -> Result<(Binding, Vec<Errand>)> {
        let Some(first) = entries.first() else {
            return Err(Error::internal("a statement without an entry"));
        };
        let provider = first.binding.provider.clone();
        let client = self
            .engine()
            .client(&provider)
            .ok_or_else(|| Error::no_client(&provider))?;
        let server = first.call().map(|call| call.server).unwrap_or_default();
        let cloud = self.engine().cloud(&provider);
        let binding = send::binding(&client, &provider, &server, cloud).await?;
        // Every method is looked for before anything is changed.
        for entry in &entries {
            self.method_of(entry)?;
        }
        let (run, entries) = match goal {
            Goal::Resume => {
                let run = journal.resume(&first.statement, binding.clone()).await?;
                // Taking a statement up may have changed its entries.
                let filter = Filter::statement(&first.statement);
                (Some(Arc::new(run)), journal.entries(filter).await?)
            }
            Goal::Wait => (None, entries),
        };
        let mut errands = Vec::with_capacity(entries.len());
        for entry in entries {
            let one = self.errand(journal, &binding, run.as_ref(), entry, wait, &client);
            errands.push(one.await?);
        }
        Ok((binding, errands))
    }

    /// What destroys is not sent long after somebody agreed to it without asking again; what is not agreed to stays as it is.
    async fn consented(&self, errands: &mut [Errand], settings: &crate::Settings) -> Result<()> {
        let destroys = |errand: &Errand| {
            matches!(errand.work, Work::Send(_) | Work::Resolve { .. })
                && errand
                    .deed
                    .method
                    .is_destructive(errand.target.call.body.as_deref())
        };
        let targets: Vec<&Errand> = errands.iter().filter(|errand| destroys(errand)).collect();
        if targets.is_empty() || settings.confirm == Confirm::Never {
            return Ok(());
        }
        let question = Question {
            action: "resume".to_owned(),
            count: targets.len(),
            destructive: true,
            scopes: Vec::new(),
            first: targets
                .iter()
                .take(10)
                .map(|errand| errand.target.call.scope.clone())
                .collect(),
        };
        let attendant = self.attendant();
        let consent = match &attendant.asker {
            Some(asker) => asker(question).await,
            None => Consent::Refused,
        };
        if consent == Consent::Given {
            return Ok(());
        }
        for errand in errands.iter_mut().filter(|errand| destroys(errand)) {
            let answer = |operation, status, why: &str| {
                Work::Known(Box::new(
                    Answer {
                        parameters: errand.target.parameters.clone(),
                        status,
                        operation: Some(operation),
                        ..Answer::default()
                    }
                    .because(why),
                ))
            };
            errand.work = match &errand.work {
                Work::Send(permit) => answer(
                    permit.number(),
                    "NotSent",
                    "it may lose data or protection, and was not confirmed; `--yes` sends it",
                ),
                Work::Resolve { number, .. } => answer(
                    *number,
                    "Unknown",
                    "it may lose data or protection, and was not confirmed; with `--yes` it is asked what became of it",
                ),
                Work::Follow(_) | Work::Known(_) => continue,
            };
        }
        Ok(())
    }

    /// What is to be done about one entry.
    async fn errand(
        &self,
        journal: &Journal,
        binding: &Binding,
        run: Option<&Arc<Run>>,
        entry: Entry,
        wait: Wait,
        client: &Client,
    ) -> Result<Errand> {
        let (service, _, method) = self.method_of(&entry)?;
        let mut call = entry.call().ok_or_else(|| {
            Error::internal(format!(
                "entry {} of the journal holds no call",
                entry.number
            ))
        })?;
        call.body.clone_from(&entry.body);
        let parameters = parameters(&method, &call);
        let known = |status: State| {
            let result = entry.result.as_deref();
            let result = result.map(|text| answer::journaled(&method, text));
            Answer {
                parameters: parameters.clone(),
                status: status.as_str(),
                operation_id: entry.operation_id.clone(),
                operation: Some(entry.number),
                result: result.unwrap_or_default(),
                error_code: entry.error_code.clone(),
                error_message: entry.error_message.clone(),
                error: entry.error.clone(),
                ..Answer::default()
            }
        };
        let work = match (entry.state, run) {
            (State::Accepted, _) if entry.operation_id.is_some() || has_handle(&entry) => {
                let started = journal.started(entry.number, binding).await?;
                Work::Follow(Box::new(started))
            }
            (State::Unknown, Some(_)) => Work::Resolve {
                number: entry.number,
                request_id: entry.client_request_id.clone(),
                sent: entry.sent.unwrap_or(entry.created),
                received: was_received(&entry),
                why: entry
                    .error_message
                    .clone()
                    .unwrap_or_else(|| "its process ended before an answer came".to_owned()),
            },
            (State::Intended | State::NotSent, Some(run)) => {
                match run.again(entry.number, Supplement::default()).await {
                    Ok(permit) => Work::Send(Box::new(permit)),
                    Err(problem) => {
                        let hint = problem.hint().map(|hint| format!("; {hint}"));
                        let why = format!("not sent: {problem}{}", hint.unwrap_or_default());
                        Work::Known(Box::new(known(State::NotSent).because(why)))
                    }
                }
            }
            (State::Sending | State::Intended, None) => {
                let state = state_of(journal, &entry);
                let answer = known(state);
                Work::Known(Box::new(match state {
                    State::Sending | State::Intended => {
                        answer.because("another process is sending it")
                    }
                    _ => answer,
                }))
            }
            (state, _) => Work::Known(Box::new(known(state))),
        };
        let run = match run {
            Some(run) => Arc::clone(run),
            None => Arc::new(journal.begin(binding.clone()).await?),
        };
        Ok(Errand {
            deed: Arc::new(Deed {
                service,
                method,
                wait,
                client: client.clone(),
            }),
            run,
            target: Targeted {
                call,
                parameters,
                redacted: entry.body.clone(),
                row: Vec::new(),
            },
            work,
        })
    }

    /// The method that an entry was made by.
    fn method_of(&self, entry: &Entry) -> Result<(Arc<Service>, Arc<Resource>, Arc<Method>)> {
        let provider = self
            .registry()
            .provider(&entry.binding.provider)
            .ok_or_else(|| Error::unknown_provider(self.registry(), &entry.binding.provider))?;
        let call = entry.call();
        let names: Vec<String> = provider
            .services()
            .map(|entry| entry.name.clone())
            .collect();
        for name in names {
            let Some(service) = provider.service(&name)? else {
                continue;
            };
            let found = service.resources.values().find_map(|resource| {
                let method = resource.methods.values().find(|method| {
                    method.operation_id == entry.method_id
                        && method.http == entry.http
                        && call.as_ref().is_none_or(|call| {
                            call.server == service.server || !parameters(method, call).is_empty()
                        })
                })?;
                Some((Arc::clone(resource), Arc::clone(method)))
            });
            if let Some((resource, method)) = found {
                return Ok((service, resource, method));
            }
        }
        Err(Diagnostic::new(
            "R0703",
            format!(
                "entry {} of the journal is of the method `{}`, which no document has",
                entry.number, entry.method_id
            ),
        )
        .help("`--provider-specs` names the documents that the statement was run with")
        .into())
    }
}

/// Whether the service answered that it took the call, although what came of it is not known.
fn was_received(entry: &Entry) -> bool {
    let error = entry.error.as_deref();
    let status = error.and_then(|error| super::ask::field(error, "status"));
    status
        .and_then(|status| status.parse::<u16>().ok())
        .is_some_and(|status| (200..300).contains(&status))
}

fn has_handle(entry: &Entry) -> bool {
    entry.handle().is_ok_and(|handle| handle.is_some())
}

/// The path parameters of a call, out of its path.
fn parameters(method: &Method, call: &BoundCall) -> Vec<(String, String)> {
    let segments = method.path.segments();
    let parts: Vec<&str> = call.path.trim_start_matches('/').split('/').collect();
    if segments.len() != parts.len() {
        return Vec::new();
    }
    let mut found: Vec<(String, String)> = Vec::new();
    for (segment, part) in segments.iter().zip(parts) {
        match (segment.parameter(), segment.literal()) {
            (Some(name), _) => found.push((name.to_owned(), decoded(part))),
            (None, Some(text)) if text.eq_ignore_ascii_case(part) => {}
            (None, _) => return Vec::new(),
        }
    }
    found
}

/// A segment of a path without its percent-encoding.
pub(crate) fn decoded(segment: &str) -> String {
    let mut bytes = Vec::with_capacity(segment.len());
    let mut rest = segment.as_bytes();
    while let Some((byte, after)) = rest.split_first() {
        let hex = (*byte == b'%')
            .then(|| after.get(..2))
            .flatten()
            .and_then(|hex| std::str::from_utf8(hex).ok())
            .and_then(|hex| u8::from_str_radix(hex, 16).ok());
        match hex {
            Some(decoded) => {
                bytes.push(decoded);
                rest = &after[2..];
            }
            None => {
                bytes.push(*byte);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
