//! A session: `prepare` turns a statement into a plan and sends nothing; `run` makes the calls. It lives as long as its user (settings,
//! `USE`, views, spellings).

mod changing;
mod ready;

pub(crate) use changing::shown;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, RwLock, Weak};
use std::time::Instant;

use arrow::array::RecordBatch;
use datafusion::catalog::SchemaProvider as _;
use datafusion::logical_expr::{DdlStatement, LogicalPlan};
use datafusion::physical_plan::execute_stream;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::prelude::SessionContext;
use datafusion::sql::sqlparser::ast;
use restable_http::Hourly;
use restable_spec::Registry;
use restable_sql::{Diagnostic, Parsed};

use crate::acting::{self, Access, Acting, Attendant};
use crate::catalog::{Current, OWN_SCHEMA, OwnCatalog, ProviderCatalog};
use crate::door::{Door, HeldMemory, Memory, Reach, Sees};
use crate::engine::Engine;
use crate::explain::{Explaining, Forecast};
use crate::ground::{Catalogs, Ground, apply_memory};
use crate::identity::Spellings;
use crate::locate::located;
use crate::names::{self, Names};
use crate::narrowing;
use crate::outcome::{Outcome, Report, Rows, unbroken};
use crate::own_drops::{self, Dropping};
use crate::own_rows::{self, Appending};
use crate::own_views::Viewing;
use crate::parameters::{Given, Parameter};
use crate::pg_catalog::{Choice, Client, Postgres, Variable};
use crate::planning::{describe_ddl, on_deep_stack, plan_given, spaced};
use crate::prepared;
use crate::prompt::may_stop_early;
use crate::remember::Began;
use crate::settings::{Origin, Settings};
use crate::shared::{Shared, keep_names, unique_columns};
use crate::snapshots::{Keeping, OwnSchema};
use crate::statement::{Ended, Kept, Running, Statement, lock};
use crate::{Error, Result, explain, placeholders, show};

/// One user's session.
#[derive(Debug)]
pub struct Session {
    engine: Engine,
    pub(crate) reach: Reach,
    pub(crate) sees: Sees,
    pub(crate) memory: Option<Memory>,
    pub(crate) postgres: Option<Arc<RwLock<Arc<Postgres>>>>,
    shared: Arc<Shared>,
    settings: Arc<RwLock<Arc<Settings>>>,
    initial: Arc<Settings>,
    spellings: Arc<Spellings>,
    variables: RwLock<HashMap<String, String>>,
    access: Arc<RwLock<Access>>,
    attendant: RwLock<Attendant>,
    /// What the statements of an hour may call.
    hourly: Arc<Hourly>,
    pub(crate) last: Mutex<Option<Arc<Statement>>>,
    /// What a client of a server found.
    pub(crate) began: Mutex<Option<Began>>,
}

/// A statement that is ready to run. Nothing was sent for it.
#[derive(Debug)]
pub struct Prepared {
    action: Action,
    names: Names,
    source: Option<Arc<Parsed>>,
    /// The settings that it gives values.
    choices: Vec<Choice>,
}

#[derive(Debug)]
enum Action {
    Plan(Box<LogicalPlan>),
    Explain(Box<Explaining>),
    Act(Box<Acting>),
    Rows(RecordBatch),
    Use(Current),
    Set(String, String),
    Reset(Option<String>),
    Postgres(Vec<Variable>),
    Keep(Box<Keeping>),
    Append(Box<Appending>),
    View(Box<Viewing>),
    Drop(Box<Dropping>),
    /// A query that gets a name.
    Prepare(String, Box<Parsed>),
}

impl Session {
    pub(crate) fn new(engine: Engine, settings: Arc<Settings>, door: Door) -> Result<Session> {
        let own = Arc::new(OwnSchema::new(engine.snapshots.clone()));
        let common = engine.common()?;
        let initial = Arc::clone(&settings);
        let settings = Arc::new(RwLock::new(settings));
        let client = door.postgres.as_ref().map(|postgres| Client {
            user: postgres.user.clone(),
            database: postgres.database.clone(),
            process: postgres.process,
            encryption: postgres.encryption.clone(),
            others: postgres.others.clone(),
        });
        let postgres = door
            .postgres
            .map(|own| Arc::new(RwLock::new(Arc::new(own))));
        let access = Arc::new(RwLock::new(door.access));
        let shared = Arc::new_cyclic(|this: &Weak<Shared>| {
            let providers = engine.registry.providers().map(|provider| {
                let catalog = ProviderCatalog::new(Arc::clone(provider), Weak::clone(this));
                (provider.name.clone(), Arc::new(catalog) as _)
            });
            let catalogs = Catalogs::new(
                Arc::new(OwnCatalog::new(Arc::clone(&own), Weak::clone(this))),
                providers.collect(),
            );
            Shared {
                registry: Arc::clone(&engine.registry),
                current: RwLock::default(),
                tables: Mutex::default(),
                own,
                search: RwLock::default(),
                relations: Arc::clone(&engine.relations),
                client,
                user: door.user,
                access: Arc::clone(&access),
                started: engine.started(),
                postgres: postgres.clone(),
                settings: Arc::clone(&settings),
                queries: prepared::Queries::default(),
                held: Mutex::default(),
                ground: Ground::new(common, catalogs),
                this: Weak::clone(this),
            }
        });
        if let Some(others) = shared
            .client
            .as_ref()
            .and_then(|client| client.others.clone())
        {
            shared
                .ground
                .configure(|config| crate::zone::set_others(config, others));
        }
        shared.ground.configure(|config| {
            for (name, value) in door.options.iter() {
                config.options_mut().set(name, value)?;
            }
            Ok::<(), Error>(())
        })?;
        apply_memory(&engine, &shared.ground, &initial, door.memory.as_ref())?;
        let hourly = Hourly::new(initial.max_calls_per_hour.unwrap_or(u64::MAX));
        Ok(Session {
            engine,
            reach: door.reach,
            sees: door.sees,
            memory: door.memory,
            postgres,
            shared,
            initial,
            settings,
            spellings: Arc::default(),
            variables: RwLock::default(),
            access,
            attendant: RwLock::default(),
            hourly: Arc::new(hourly),
            last: Mutex::default(),
            began: Mutex::default(),
        })
    }

    /// Gives the placeholder `:name` a value.
    pub fn set_variable(&self, name: &str, value: &str) {
        self.variables
            .write()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .insert(name.to_owned(), value.to_owned());
    }

    /// What the session may do to its providers. A client of PostgreSQL may have said that it only reads.
    pub fn access(&self) -> Access {
        self.shared.access()
    }

    /// Whether the session's door lets it change anything, whatever its client said since.
    pub fn door_writes(&self) -> bool {
        self.door_access() == Access::Write
    }

    /// What the session's door lets it do.
    pub(crate) fn door_access(&self) -> Access {
        *self
            .access
            .read()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Says what the session may do to its providers.
    pub fn set_access(&self, access: Access) {
        *self
            .access
            .write()
            .unwrap_or_else(std::sync::PoisonError::into_inner) = access;
    }

    /// Says who is asked and told about actions.
    pub fn attend(&self, attendant: Attendant) {
        *self
            .attendant
            .write()
            .unwrap_or_else(std::sync::PoisonError::into_inner) = attendant;
    }

    pub(crate) fn attendant(&self) -> Attendant {
        self.attendant
            .read()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .clone()
    }

    pub(crate) fn engine(&self) -> &Engine {
        &self.engine
    }

    /// The settings as they stand.
    pub fn settings(&self) -> Arc<Settings> {
        self.shared.settings()
    }

    /// Forgets a prepared query, or all; whether there was one.
    pub fn deallocate(&self, name: Option<&str>) -> bool {
        self.shared.queries.forget(name)
    }

    /// What `USE` named.
    pub fn current(&self) -> Current {
        self.shared.directory().current
    }

    /// The documents of the engine.
    pub fn registry(&self) -> &Arc<Registry> {
        &self.engine.registry
    }

    /// Turns a statement into something that can run. Sends nothing. Planning needs a deep stack for deep statements, so
    /// it happens on a thread of its own.
    pub async fn prepare(&self, parsed: &Parsed) -> Result<Prepared> {
        let started = Instant::now();
        let prepared = self.prepare_given(parsed, Vec::new()).await;
        self.counted(parsed, started, prepared)
    }

    /// Counts a statement that failed before it ran.
    pub(crate) fn counted<T>(
        &self,
        parsed: &Parsed,
        started: Instant,
        planned: Result<T>,
    ) -> Result<T> {
        planned.inspect_err(|problem| {
            self.note_refused(parsed, problem);
            self.count_failed(parsed.tag(), started);
        })
    }

    fn count_failed(&self, tag: &'static str, started: Instant) {
        let counters = self.engine.counters();
        counters.begin_statement();
        counters.end_statement(tag, "failed", started.elapsed());
    }

    /// A text of a client that is no statement counts as one that failed.
    pub fn parse(&self, text: &str) -> Result<Vec<Parsed>, Diagnostic> {
        let started = Instant::now();
        restable_sql::parse(text).inspect_err(|_| self.count_failed("", started))
    }

    pub(crate) async fn prepare_given(
        &self,
        parsed: &Parsed,
        positional: Vec<Option<Parameter>>,
    ) -> Result<Prepared> {
        let named = self
            .variables
            .read()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .clone();
        let given = Given { named, positional };
        let prepared = on_deep_stack(async { self.prepare_here(parsed, &given).await }).await?;
        let mut prepared = prepared.map_err(|problem| located(problem, parsed))?;
        prepared.source = Some(Arc::new(parsed.clone()));
        Ok(prepared)
    }

    async fn prepare_here(&self, parsed: &Parsed, given: &Given) -> Result<Prepared> {
        use restable_sql::Statement as Sql;
        let quiet = |action| {
            Ok(Prepared {
                action,
                names: Names::default(),
                source: None,
                choices: Vec::new(),
            })
        };
        if let Some(variables) = self.postgres_set(&parsed.statement)? {
            return quiet(Action::Postgres(variables));
        }
        if let Some(shown) = self.postgres_show(&parsed.statement)? {
            return quiet(Action::Rows(shown));
        }
        let rows = |batch: RecordBatch| {
            Ok(Prepared {
                action: Action::Rows(batch),
                names: Names::default(),
                source: None,
                choices: Vec::new(),
            })
        };
        // They have their tables for as long as the statement may be planned.
        let tables = Arc::new(acting::tables(self, &parsed.calls, given).await?);
        let named;
        let statement = match parsed.calls.is_empty() {
            true => &parsed.statement,
            false => {
                named = acting::named(&tables, parsed.statement.clone());
                &named
            }
        };
        if let Some(keeping) = self.keeping(parsed, statement, given).await? {
            return quiet(Action::Keep(Box::new(keeping)));
        }
        match statement {
            Sql::Query(statement) => match &**statement {
                ast::Statement::Prepare { name, .. } => quiet(Action::Prepare(
                    prepared::name(name),
                    Box::new(parsed.clone()),
                )),
                ast::Statement::Execute {
                    name: Some(name),
                    parameters,
                    ..
                } => {
                    let name = name.0.last().and_then(|part| part.as_ident());
                    let name = name.map(prepared::name).unwrap_or_default();
                    let query = self.shared.queries.find(&name)?;
                    let given = Given {
                        positional: query.values(parameters)?,
                        ..given.clone()
                    };
                    Box::pin(self.prepare_here(&query.parsed, &given)).await
                }
                ast::Statement::Drop {
                    object_type: object @ (ast::ObjectType::Table | ast::ObjectType::View),
                    names,
                    if_exists,
                    cascade,
                    ..
                } => {
                    let dropping = self.dropping(*object, names, (*if_exists, *cascade))?;
                    quiet(Action::Drop(Box::new(dropping)))
                }
                ast::Statement::CreateView(view) => {
                    let viewing = Box::pin(self.viewing(parsed, view, given)).await?;
                    quiet(Action::View(Box::new(viewing)))
                }
                statement => {
                    let prepared = self.plan(statement.clone(), given).await?;
                    if let (ast::Statement::CreateTable(_), Action::Plan(plan)) =
                        (statement, &prepared.action)
                    {
                        unique_columns(plan)?;
                    }
                    Ok(prepared)
                }
            },
            Sql::Explain(explain) => match &*explain.statement {
                Sql::Query(statement) => {
                    let Prepared {
                        action: Action::Plan(plan),
                        ..
                    } = self.plan((**statement).clone(), given).await?
                    else {
                        return Err(Error::internal("a query is no plan"));
                    };
                    let explaining = Explaining::new(*plan, explain)?;
                    quiet(Action::Explain(Box::new(explaining)))
                }
                _ if explain.analyze => Err(Diagnostic::new(
                    "R0327",
                    "EXPLAIN ANALYZE runs what it explains, and this statement is no query; nothing was sent",
                )
                .at(parsed.span)
                .help("`EXPLAIN` without ANALYZE shows its calls, `PREVIEW` what would be sent")
                .into()),
                acts => {
                    let look = acting::Purpose::Look;
                    let acting = acting::plan(self, acts, tables, given, look).await?;
                    rows(acting::explain(self, &acting, explain).await?)
                }
            },
            Sql::Show(request) => rows(show::show(self, request).await?),
            Sql::Describe(restable_sql::Describe::Query(query)) => {
                let Prepared {
                    action: Action::Plan(plan),
                    names,
                    ..
                } = self.plan(ast::Statement::Query(query.clone()), given).await?
                else {
                    return Err(Error::internal("a query is no plan"));
                };
                rows(show::describe_plan(&plan, &names)?)
            }
            Sql::Describe(request) => rows(show::describe(self, request).await?),
            Sql::Use(name) => {
                let parts = names::written(name);
                let directory = self.shared.directory();
                let mut current = Current::default();
                match parts.as_slice() {
                    [provider] => {
                        current.provider = Some(directory.provider(Some(provider))?.name.clone())
                    }
                    _ => {
                        let service = directory.service(&parts)?;
                        current.provider = Some(service.provider.clone());
                        current.service = Some(service.name.clone());
                    }
                }
                Ok(Prepared {
                    action: Action::Use(current),
                    names: Names::default(),
                    source: None,
                    choices: Vec::new(),
                })
            }
            Sql::Set(set) => {
                let value = match &set.value {
                    restable_sql::SetValue::Placeholder(name) => self.variable(name)?,
                    value => value.text(),
                };
                // Tried on a copy, so that a wrong value is told before anything runs.
                if set.key.contains('.') {
                    self.reach.check_option(&set.key)?;
                } else {
                    let mut tried = (*self.settings()).clone();
                    tried
                        .set(&set.key, &value, Origin::Statement)
                        .map_err(|problem| problem.at(set.value_span))?;
                    self.within_start(&tried)?;
                }
                Ok(Prepared {
                    action: Action::Set(set.key.clone(), value),
                    names: Names::default(),
                    source: None,
                    choices: Vec::new(),
                })
            }
            Sql::Reset(reset) => Ok(Prepared {
                action: Action::Reset(reset.key.clone()),
                names: Names::default(),
                source: None,
                choices: Vec::new(),
            }),
            Sql::Insert(insert) if let Some(appending) = self.appending(insert, given).await? => {
                quiet(Action::Append(Box::new(appending)))
            }
            Sql::Update(ast) if self.is_own(&ast.table) => Err(own_rows::unchanged("UPDATE", ast.table_span)),
            Sql::Delete(ast) if self.is_own(&ast.table) => Err(own_rows::unchanged("DELETE", ast.table_span)),
            Sql::Insert(ast) if self.is_own(&ast.table) => Err(own_rows::unchanged("INSERT", ast.table_span)),
            Sql::Insert(_)
            | Sql::Replace(_)
            | Sql::Update(_)
            | Sql::Delete(_)
            | Sql::Exec(_)
            | Sql::Preview(_) => {
                let run = acting::Purpose::Run;
                let acting = acting::plan(self, statement, tables, given, run).await?;
                Ok(Prepared {
                    action: Action::Act(Box::new(acting)),
                    names: Names::default(),
                    source: None,
                    choices: Vec::new(),
                })
            }
            Sql::Refresh(_) => Err(Error::internal("a refresh was not understood")),
            Sql::Connection(restable_sql::Connection::Copy(copy)) => Err(Error::from(
                Diagnostic::new("R0308", "COPY belongs to connections of PostgreSQL's clients")
                    .at(copy.place_span)
                    .help("rows are written to files with `--output` and `--outfile`"),
            )),
            Sql::Connection(_) => Err(Error::from(
                Diagnostic::new("R0309", "transactions and cursors belong to connections of `restable serve`")
                    .at(parsed.span)
                    .help("a statement that changes something is sent at once; there is nothing to commit"),
            )),
        }
    }

    pub(crate) fn set_current(&self, current: Current) {
        *self
            .shared
            .current
            .write()
            .unwrap_or_else(std::sync::PoisonError::into_inner) = current;
    }

    /// Drops the tables and views that the session created.
    pub fn discard_tables(&self) -> Result<()> {
        for name in self.shared.own.session_names() {
            self.shared.own.deregister_table(&name)?;
        }
        Ok(())
    }

    pub(crate) fn variable(&self, name: &str) -> Result<String> {
        let variables = self
            .variables
            .read()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        variables
            .get(name)
            .cloned()
            .ok_or_else(|| placeholders::unknown(name, variables.keys()))
    }

    /// The plan of a statement that DataFusion plans, and what its names are.
    pub(crate) async fn plan_statement(
        &self,
        given: &Given,
        statement: ast::Statement,
    ) -> Result<(LogicalPlan, Names)> {
        plan_given(&self.shared, given, statement).await
    }

    /// The text of a file that a statement names.
    pub(crate) fn read_file(&self, path: &str) -> Result<String, Diagnostic> {
        self.reach.check_files()?;
        std::fs::read_to_string(path).map_err(|error| {
            let why = match error.kind() {
                std::io::ErrorKind::NotFound => "there is no such file".to_owned(),
                _ => error.to_string(),
            };
            Diagnostic::new("R0314", format!("`{path}` cannot be read: {why}"))
        })
    }

    pub(crate) async fn plan(
        &self,
        mut statement: ast::Statement,
        given: &Given,
    ) -> Result<Prepared> {
        // What a session creates ends with it: it is temporary, whether the statement says so or not.
        if let ast::Statement::CreateView(view) = &mut statement {
            view.temporary = false;
        }
        if let ast::Statement::Drop { names, .. } = &mut statement {
            for name in names {
                *name = self.shared.without_database(name);
            }
        }
        if let ast::Statement::CreateView(view) = &mut statement {
            view.name = self.shared.without_database(&view.name);
        }
        if let ast::Statement::CreateTable(table) = &mut statement {
            table.name = self.shared.without_database(&table.name);
            table.temporary = false;
            table.global = None;
            // Its rows stay to the end of the session.
            if !matches!(table.on_commit, None | Some(ast::OnCommit::PreserveRows)) {
                let told = "of ON COMMIT only PRESERVE ROWS is supported";
                return Err(Diagnostic::new("R0308", told).into());
            }
            table.on_commit = None;
        }
        placeholders::bind(&mut statement, given)?;
        let choices = self.rewrite_postgres(&mut statement).await?;
        let (plan, names) = plan_given(&self.shared, given, statement).await?;
        if let LogicalPlan::Ddl(
            ddl @ (DdlStatement::CreateCatalogSchema(_)
            | DdlStatement::CreateCatalog(_)
            | DdlStatement::DropCatalogSchema(_)),
        ) = &plan
        {
            let problem = Diagnostic::new(
                "R0308",
                format!(
                    "`{}` is not supported: what a session creates stands in one schema, `{OWN_SCHEMA}`",
                    spaced(ddl.name())
                ),
            );
            return Err(problem
                .help("`CREATE TABLE name AS …` and `CREATE VIEW name AS …` need no schema")
                .into());
        }
        let plan = keep_names(plan, &names)?;
        own_rows::check(&plan)?;
        Ok(Prepared {
            action: Action::Plan(Box::new(plan)),
            names,
            source: None,
            choices,
        })
    }

    /// Runs what was prepared.
    pub async fn run(&self, prepared: Prepared) -> Result<Outcome> {
        let statement = self.begin_counted(prepared.tag());
        self.run_begun(prepared, statement).await
    }

    /// The same, for rows that are taken in parts, with any time between: whoever takes them keeps the time of each part.
    pub async fn run_in_parts(&self, prepared: Prepared) -> Result<Outcome> {
        let mut statement = self.begin_counted(prepared.tag());
        if !prepared.acts() {
            statement.deadline = None;
        }
        self.run_begun(prepared, statement).await
    }

    async fn run_begun(&self, prepared: Prepared, statement: Statement) -> Result<Outcome> {
        let source = prepared.source.clone();
        // On the heap: what a statement holds while it runs is more than a stack of a thread bears several times.
        let outcome = unbroken(Box::pin(self.run_as(prepared, statement))).await?;
        outcome.inspect_err(|problem| {
            if let Some(parsed) = &source {
                self.note_refused(parsed, problem);
            }
        })
    }

    /// As [`Session::run`], for a statement that was begun already.
    pub(crate) async fn run_as(
        &self,
        prepared: Prepared,
        mut statement: Statement,
    ) -> Result<Outcome> {
        let choices = prepared.choices.iter();
        let choices: Vec<Variable> = choices.map(|one| one.variable.clone()).collect();
        self.apply_postgres(choices)?;
        if let Action::Append(appending) = prepared.action {
            return self.append(*appending, statement, prepared.source).await;
        }
        if let Action::Plan(plan) = &prepared.action
            && let LogicalPlan::Ddl(DdlStatement::CreateMemoryTable(table)) = &**plan
        {
            let (message, table) = (describe_ddl(plan), table.clone());
            let rows = Action::Plan(Box::new((*table.input).clone()));
            let rows = Prepared {
                action: rows,
                ..prepared
            };
            // A client of PostgreSQL expects that it stays.
            if self.postgres().is_some()
                && let Some(told) = rows.source.as_deref().and_then(own_rows::passing)
            {
                statement.note_notice(told);
            }
            return self.create_own(table, message, rows, statement).await;
        }
        let started = Instant::now();
        // A set that is acted on is read completely, or nothing is sent.
        if matches!(&prepared.action, Action::Act(acting) if !acting.only_asks()) {
            statement.partial = false;
        }
        // What somebody wants to act on he wants to know as it is.
        if matches!(&prepared.action, Action::Act(_)) {
            statement.live();
        }
        let statement = Arc::new(statement);
        let Prepared {
            action,
            names,
            source,
            ..
        } = prepared;
        let plan = match action {
            Action::Plan(plan) => *plan,
            Action::Explain(explaining) => {
                if explaining.analyze {
                    *lock(&self.last) = Some(Arc::clone(&statement));
                }
                let told = explain::run(self, statement, *explaining).await;
                let (running, stream) = told.map_err(|problem| {
                    let problem = Error::planned(problem.into(), &names);
                    source
                        .iter()
                        .fold(problem, |problem, parsed| located(problem, parsed))
                })?;
                return Ok(Outcome::Rows(Rows::new(
                    stream, &names, running, started, source,
                )));
            }
            Action::Act(acting) => {
                *lock(&self.last) = Some(Arc::clone(&statement));
                let told = source.clone();
                let outcome = self.run_acting(*acting, statement, started, source).await;
                return outcome.map_err(|problem| {
                    told.iter()
                        .fold(problem, |problem, parsed| located(problem, parsed))
                });
            }
            Action::Rows(batch) => {
                let schema = batch.schema();
                let stream = futures::stream::once(futures::future::ready(Ok(batch)));
                let stream = Box::pin(RecordBatchStreamAdapter::new(schema, stream));
                return Ok(Outcome::Rows(Rows::new(
                    stream,
                    &names,
                    Running(statement),
                    started,
                    source,
                )));
            }
            Action::Use(current) => {
                let message = match (&current.provider, &current.service) {
                    (Some(provider), Some(service)) => format!("using {provider}.{service}"),
                    (Some(provider), None) => format!("using {provider}"),
                    _ => "using nothing".to_owned(),
                };
                *self
                    .shared
                    .current
                    .write()
                    .unwrap_or_else(std::sync::PoisonError::into_inner) = current;
                statement.ended(Ended::Done);
                return Ok(Outcome::Done {
                    message,
                    report: None,
                });
            }
            Action::Set(key, value) if key.contains('.') => {
                let ground = &self.shared.ground;
                ground.configure(|config| config.options_mut().set(&key, &value))?;
                statement.ended(Ended::Done);
                return Ok(Outcome::Done {
                    message: format!("{key} = {value}"),
                    report: None,
                });
            }
            Action::Set(key, value) => {
                self.set(&key, &value, Origin::Statement)?;
                self.apply_memory_limit()?;
                statement.ended(Ended::Done);
                return Ok(Outcome::Done {
                    message: format!("{key} = {value}"),
                    report: None,
                });
            }
            Action::Drop(dropping) => {
                let message = self.drop_own(&dropping)?;
                let tag = source.as_ref().map_or("", |parsed| parsed.tag());
                self.tell_skipped(&statement, tag, &dropping.skipped);
                statement.ended(Ended::Done);
                return Ok(told(message, &statement, started));
            }
            Action::Keep(keeping) => {
                let told = source.clone();
                let sql = source.as_ref().map_or("", |parsed| parsed.text.as_str());
                let tag = source.as_ref().map_or("", |parsed| parsed.tag());
                self.tell_skipped(&statement, tag, keeping.skipped());
                let outcome =
                    Box::pin(self.run_keeping(*keeping, sql, (started, &statement))).await;
                let outcome = outcome.map(|outcome| match outcome {
                    Outcome::Done {
                        message,
                        report: None,
                    } => self::told(message, &statement, started),
                    other => other,
                });
                if outcome.is_ok() {
                    statement.ended(Ended::Done);
                }
                return outcome.map_err(|problem| {
                    told.iter()
                        .fold(problem, |problem, parsed| located(problem, parsed))
                });
            }
            Action::View(viewing) => {
                let message = self.create_view(*viewing)?;
                let told = source.as_deref().and_then(own_rows::passing);
                // A client of PostgreSQL expects that it stays.
                if let Some(told) = told.filter(|_| self.postgres().is_some()) {
                    statement.note_notice(told);
                }
                statement.ended(Ended::Done);
                return Ok(self::told(message, &statement, started));
            }
            Action::Append(_) => return Err(Error::internal("rows were appended before")),
            Action::Prepare(name, parsed) => {
                let memory =
                    self.make_room("what a client prepared", parsed.text.len() * prepared::TREE)?;
                self.shared.queries.keep(&name, &parsed, memory)?;
                statement.ended(Ended::Done);
                return Ok(Outcome::Done {
                    message: format!("query `{name}` prepared"),
                    report: None,
                });
            }
            Action::Postgres(variables) => {
                let message = self.apply_postgres(variables)?;
                statement.ended(Ended::Done);
                return Ok(Outcome::Done {
                    message,
                    report: None,
                });
            }
            Action::Reset(key) => {
                self.reset(key.as_deref())?;
                statement.ended(Ended::Done);
                let done = |key| format!("{key} reset");
                let message = key.map_or_else(|| "settings reset".to_owned(), done);
                return Ok(Outcome::Done {
                    message,
                    report: None,
                });
            }
        };
        *lock(&self.last) = Some(Arc::clone(&statement));
        // Whichever way this is left, the calls of the statement end with it.
        let running = Running(Arc::clone(&statement));
        if matches!(plan, LogicalPlan::Ddl(_) | LogicalPlan::Statement(_)) {
            let message = describe_ddl(&plan);
            let mut state = self.shared.ground.state();
            state.config_mut().set_extension(Arc::clone(&statement));
            state.mark_start_execution();
            let context = SessionContext::new_with_state(state);
            let done = async { context.execute_logical_plan(plan).await?.collect().await };
            let done = match statement.deadline {
                Some(deadline) => tokio::time::timeout_at(deadline.into(), done)
                    .await
                    .map_err(|_| Error::Timeout(statement.timeout.unwrap_or_default()))?,
                None => done.await,
            };
            done.map_err(|problem| Error::planned(problem, &names))?;
            statement.ended(Ended::Done);
            // A client of PostgreSQL expects that it stays.
            if self.postgres().is_some()
                && let Some(told) = source.as_deref().and_then(own_rows::passing)
            {
                statement.note_notice(told);
            }
            let report = Report::of(&statement, 0, started);
            let told = report.calls > 0 || report.cached > 0 || !report.notices.is_empty();
            let report = told.then_some(report);
            return Ok(Outcome::Done { message, report });
        }
        let planning = self.shared.ground.planning_of(&statement);
        let physical = on_deep_stack(planning.physical(&plan)).await?;
        let physical = physical.map_err(|problem| {
            let problem = Error::planned(problem, &names);
            source
                .iter()
                .fold(problem, |problem, parsed| located(problem, parsed))
        })?;
        narrowing::check(&physical).map_err(|problem| {
            source
                .iter()
                .fold(problem, |problem, parsed| located(problem, parsed))
        })?;
        if may_stop_early(&physical) {
            running.0.sample();
        } else {
            running.0.read_ahead();
        }
        explain::allowed(&statement, &physical)?;
        let stream = execute_stream(physical, planning.task())?;
        let rows = Rows::new(stream, &names, running, started, source);
        rows.held_in(self.memory.as_ref()).map(Outcome::Rows)
    }

    /// A client of PostgreSQL is told what was not there.
    fn tell_skipped(&self, statement: &Statement, tag: &str, names: &[String]) {
        if self.postgres().is_some() {
            let words = tag.trim_start_matches("DROP ").to_ascii_lowercase();
            for name in names {
                statement.note_notice(own_drops::skipped(&words, name));
            }
        }
    }

    /// Makes room for something that a client leaves with its session, where sessions share their memory.
    pub fn make_room(&self, what: &str, bytes: usize) -> Result<Option<HeldMemory>> {
        /// Less than this is not worth a look.
        const LITTLE: usize = 64 << 10;
        match self.memory.as_ref().filter(|_| bytes >= LITTLE) {
            Some(memory) => memory.hold(what, bytes).map(Some),
            None => Ok(None),
        }
    }

    /// Which calls a query will make, as far as the memory of walks tells. Sends nothing; `None` for what is no query.
    pub async fn forecast(&self, prepared: &Prepared) -> Result<Option<Forecast>> {
        let plan = match &prepared.action {
            Action::Plan(plan) => &**plan,
            Action::Explain(explaining) => &explaining.plan,
            _ => return Ok(None),
        };
        let plan = match plan {
            LogicalPlan::Ddl(DdlStatement::CreateMemoryTable(table)) => &table.input,
            LogicalPlan::Ddl(_) | LogicalPlan::Statement(_) => return Ok(None),
            query => query,
        };
        let statement = Arc::new(self.begin_statement());
        let planning = self.shared.ground.planning_of(&statement);
        let physical = on_deep_stack(planning.physical(plan)).await??;
        narrowing::check(&physical)?;
        explain::forecast(&statement, &physical).map(Some)
    }

    pub(crate) fn begin_counted(&self, tag: &'static str) -> Statement {
        self.statement(&self.settings(), Some(tag))
    }

    /// A statement that is looked at only: it is not counted as one that ran.
    pub(crate) fn begin_statement(&self) -> Statement {
        self.statement(&self.settings(), None)
    }

    /// A statement with other settings than the session's, which counts as a part of one of it.
    pub(crate) fn begin_with(&self, settings: &Settings, whole: &Statement) -> Statement {
        self.statement(settings, None).within(whole)
    }

    fn statement(&self, settings: &Settings, tag: Option<&'static str>) -> Statement {
        Statement::new(
            Arc::clone(&self.engine.registry),
            Arc::clone(&self.engine.clients),
            Arc::clone(&self.spellings),
            settings,
            Kept {
                memory: Arc::clone(&self.engine.memory),
                cache: Arc::clone(&self.engine.cache),
                hourly: Arc::clone(&self.hourly),
            },
            Arc::clone(self.engine.counters()),
            tag,
        )
    }

    /// The report of the last statement that ran a plan.
    pub fn last_statement(&self) -> Option<Arc<Statement>> {
        lock(&self.last).clone()
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }
}

/// That something was done, and what is said of it besides.
pub(crate) fn told(message: String, statement: &Statement, started: Instant) -> Outcome {
    let report = Report::of(statement, 0, started);
    let report = (!report.notices.is_empty()).then_some(report);
    Outcome::Done { message, report }
}

/// Convenience for embedders: the whole answer of one statement, with its report.
pub async fn collect(session: &Session, sql: &str) -> Result<(Vec<RecordBatch>, Report)> {
    let mut batches = Vec::new();
    let mut report = Report::default();
    for parsed in restable_sql::parse(sql)? {
        batches.clear();
        let prepared = session.prepare(&parsed).await?;
        if let Outcome::Rows(mut rows) = session.run(prepared).await? {
            while let Some(batch) = rows.next().await {
                batches.push(batch?);
            }
            report = rows.report();
        }
    }
    Ok((batches, report))
}
