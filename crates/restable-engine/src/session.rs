//! Engine and session: `prepare` turns a statement into a plan and sends nothing; `run` makes the calls. The engine lives
//! as long as the process (documents, clients), a session as long as its user (settings, `USE`, views, spellings).

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, RwLock, Weak};
use std::time::Instant;

use arrow::array::RecordBatch;
use datafusion::catalog::{
    CatalogProvider, MemoryCatalogProvider, MemorySchemaProvider, TableProvider,
};
use datafusion::execution::memory_pool::{FairSpillPool, TrackConsumersPool};
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::execution::session_state::SessionState;
use datafusion::execution::{SessionStateBuilder, SessionStateDefaults};
use datafusion::logical_expr::{LogicalPlan, LogicalPlanBuilder};
use datafusion::optimizer::Analyzer;
use datafusion::physical_plan::execute_stream;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::prelude::{SessionConfig, SessionContext};
use datafusion::sql::sqlparser::ast;
use restable_http::Client;
use restable_spec::Registry;
use restable_sql::{Diagnostic, Parsed};

use crate::catalog::{
    self, Current, Directory, InformationSchema, OWN_CATALOG, OWN_SCHEMA, ProviderCatalog,
};
use crate::dialect::{Comparisons, JsonPlanner};
use crate::identity::Spellings;
use crate::names::{self, KnownTable, Names, Resolver};
use crate::outcome::{Outcome, Report, Rows};
use crate::settings::{Origin, Settings};
use crate::statement::{Statement, lock};
use crate::{Error, Result, functions, placeholders, show};

/// So many services of a provider are read to find out what a name without its service may mean.
const FEW_SERVICES: usize = 8;

/// What all sessions of a process share: the documents and one client a provider.
#[derive(Debug, Clone)]
pub struct Engine {
    registry: Arc<Registry>,
    clients: Arc<HashMap<String, Client>>,
}

impl Engine {
    /// An engine over documents, with a client for each provider that may be called.
    pub fn new(registry: Registry, clients: HashMap<String, Client>) -> Engine {
        Engine {
            registry: Arc::new(registry),
            clients: Arc::new(clients),
        }
    }

    /// The documents.
    pub fn registry(&self) -> &Arc<Registry> {
        &self.registry
    }

    /// A session with these settings.
    pub fn session(&self, settings: Settings) -> Result<Session> {
        Session::new(self.clone(), settings)
    }
}

/// What the catalogs of a session share with it.
#[derive(Debug)]
pub struct Shared {
    pub(crate) registry: Arc<Registry>,
    pub(crate) current: RwLock<Current>,
    pub(crate) tables: Mutex<HashMap<String, Arc<dyn TableProvider>>>,
    pub(crate) own: Arc<MemorySchemaProvider>,
    state: RwLock<SessionState>,
    this: Weak<Shared>,
}

impl Shared {
    pub(crate) fn state(&self) -> SessionState {
        self.state
            .read()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .clone()
    }

    pub(crate) fn directory(&self) -> Directory {
        let current = self
            .current
            .read()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .clone();
        Directory {
            registry: Arc::clone(&self.registry),
            current,
        }
    }
}

impl Resolver for Shared {
    fn resolve(&self, parts: &[String]) -> Result<Option<KnownTable>> {
        use datafusion::catalog::SchemaProvider as _;
        let folded: Vec<String> = parts
            .iter()
            .map(|part| restable_spec::names::fold(part))
            .collect();
        let own = |name: &str| {
            [
                OWN_CATALOG.to_owned(),
                OWN_SCHEMA.to_owned(),
                name.to_owned(),
            ]
        };
        let plain = |full: [String; 3]| KnownTable {
            full,
            visible: Vec::new(),
            hidden: Vec::new(),
            displays: HashMap::new(),
        };
        if parts.len() >= 2 && folded[parts.len() - 2] == "informationschema" {
            let name = parts[parts.len() - 1].to_ascii_lowercase();
            let full = [
                OWN_CATALOG.to_owned(),
                "information_schema".to_owned(),
                name.clone(),
            ];
            if crate::information_schema::TABLES.contains(&name.as_str()) {
                return Ok(Some(plain(full)));
            }
            let known: Vec<String> = crate::information_schema::TABLES
                .iter()
                .map(|name| format!("information_schema.{name}"))
                .collect();
            return Err(Error::unknown(
                "table",
                &format!("information_schema.{name}"),
                &known,
                "SELECT * FROM information_schema.tables",
            ));
        }
        let is_own = match folded.as_slice() {
            [_] => true,
            [schema, _] => schema == OWN_SCHEMA,
            [catalog, schema, _] => catalog == OWN_CATALOG && schema == OWN_SCHEMA,
            _ => false,
        };
        if is_own {
            let name = &parts[parts.len() - 1];
            let found = [name.clone(), name.to_ascii_lowercase()]
                .into_iter()
                .find(|name| self.own.table_exist(name));
            if let Some(found) = found {
                return Ok(Some(plain(own(&found))));
            }
            if parts.len() > 1 {
                return Err(Error::unknown(
                    "table",
                    &parts.join("."),
                    &self.own.table_names(),
                    "SHOW TABLES",
                ));
            }
        }
        let directory = self.directory();
        if parts.len() > 3 {
            return Err(Error::unknown(
                "table",
                &parts.join("."),
                &[],
                "SHOW PROVIDERS",
            ));
        }
        if parts.len() == 1 && directory.current.service.is_none() {
            return Err(self.unknown_bare(&parts[0]));
        }
        if parts.len() == 2 && directory.current.provider.is_none() {
            return Err(self.unknown_bare(&parts.join(".")));
        }
        let (_, resource) = directory.resource(parts)?;
        let Some(shared) = self.this.upgrade() else {
            return Err(Error::internal("the session is gone"));
        };
        if resource.view.is_none() && resource.readers().is_empty() {
            return Err(Error::Route {
                message: format!(
                    "`{}` cannot be read: no method of it answers rows",
                    resource.full_name()
                ),
                hint: Some(format!(
                    "`SHOW METHODS IN {}` lists what it can do",
                    resource.full_name()
                )),
            });
        }
        catalog::known(&shared, &resource).map(Some)
    }
}

impl Shared {
    /// A name without provider or service: the error names the tables that end in it.
    fn unknown_bare(&self, name: &str) -> Error {
        let mut known = Vec::new();
        for provider in self.registry.providers() {
            // A misspelled name must not read a whole registry.
            let names: Vec<&str> = provider
                .services()
                .map(|entry| entry.name.as_str())
                .take(FEW_SERVICES)
                .collect();
            for service in names
                .iter()
                .filter_map(|name| provider.service(name).ok().flatten())
            {
                known.extend(
                    service
                        .resources
                        .keys()
                        .map(|resource| format!("{}.{}.{resource}", provider.name, service.name)),
                );
            }
        }
        let same: Vec<&String> = known
            .iter()
            .filter(|full| {
                full.rsplit('.')
                    .next()
                    .is_some_and(|last| restable_spec::names::same(last, name))
                    || full.ends_with(&format!(".{name}"))
            })
            .collect();
        let help = match same.as_slice() {
            [only] => format!("its full name is `{only}`; after `USE {};` the short one will do", only.rsplit_once('.').map_or("", |(scope, _)| scope)),
            _ => "write `provider.service.resource`, or `USE provider.service;` first; `SHOW PROVIDERS` lists providers".to_owned(),
        };
        Error::Diagnostic(Arc::new(Diagnostic {
            code: "R0202",
            message: format!("there is no table `{name}`"),
            span: None,
            notes: Vec::new(),
            help: Some(help),
        }))
    }
}

/// One user's session.
#[derive(Debug)]
pub struct Session {
    engine: Engine,
    shared: Arc<Shared>,
    settings: RwLock<Settings>,
    spellings: Arc<Spellings>,
    variables: RwLock<HashMap<String, String>>,
    last: Mutex<Option<Arc<Statement>>>,
    collect_calls: AtomicBool,
}

/// A statement that is ready to run. Nothing was sent for it.
#[derive(Debug)]
pub struct Prepared {
    action: Action,
    names: Names,
}

#[derive(Debug)]
enum Action {
    Plan(Box<LogicalPlan>),
    Rows(RecordBatch),
    Use(Current),
    Set(String, String),
    Reset(Option<String>),
}

impl Session {
    fn new(engine: Engine, settings: Settings) -> Result<Session> {
        let mut config = SessionConfig::new()
            .with_information_schema(true)
            .with_round_robin_repartition(false)
            .with_default_catalog_and_schema(OWN_CATALOG, OWN_SCHEMA)
            .with_create_default_catalog_and_schema(false);
        config.options_mut().sql_parser.enable_ident_normalization = false;
        config.options_mut().sql_parser.collect_spans = true;
        config.options_mut().sql_parser.dialect = datafusion::common::config::Dialect::PostgreSQL;
        config.options_mut().explain.logical_plan_only = false;
        config.options_mut().explain.show_schema = false;
        let mut runtime = RuntimeEnvBuilder::new();
        if let Some(limit) = settings.memory_limit {
            let consumers = std::num::NonZeroUsize::MIN.saturating_add(4);
            runtime = runtime.with_memory_pool(Arc::new(TrackConsumersPool::new(
                FairSpillPool::new(limit),
                consumers,
            )));
        }
        let mut analyzer = Analyzer::new();
        // Before DataFusion's own rules: a literal keeps its type until the comparison is understood.
        analyzer.rules.insert(0, Arc::new(Comparisons));
        // Before DataFusion's own planners, which refuse a path into text.
        let mut planners: Vec<Arc<dyn datafusion::logical_expr::planner::ExprPlanner>> =
            vec![Arc::new(JsonPlanner)];
        planners.extend(SessionStateDefaults::default_expr_planners());
        let own_catalog = Arc::new(MemoryCatalogProvider::new());
        let own = Arc::new(MemorySchemaProvider::new());
        let mut state = SessionStateBuilder::new()
            .with_config(config)
            .with_runtime_env(Arc::new(runtime.build()?))
            .with_default_features()
            .with_expr_planners(planners)
            .with_analyzer_rules(analyzer.rules)
            .build();
        {
            use datafusion::execution::FunctionRegistry as _;
            for function in functions::all() {
                state.register_udf(function)?;
            }
        }
        own_catalog.register_schema(OWN_SCHEMA, Arc::clone(&own) as _)?;
        let shared = Arc::new_cyclic(|this: &Weak<Shared>| Shared {
            registry: Arc::clone(&engine.registry),
            current: RwLock::default(),
            tables: Mutex::default(),
            own,
            state: RwLock::new(state.clone()),
            this: Weak::clone(this),
        });
        own_catalog.register_schema(
            "information_schema",
            Arc::new(InformationSchema::new(Arc::downgrade(&shared))),
        )?;
        state
            .catalog_list()
            .register_catalog(OWN_CATALOG.to_owned(), own_catalog);
        for provider in engine.registry.providers() {
            let catalog = ProviderCatalog::new(Arc::clone(provider), Arc::downgrade(&shared));
            state
                .catalog_list()
                .register_catalog(provider.name.clone(), Arc::new(catalog));
        }
        Ok(Session {
            engine,
            shared,
            settings: RwLock::new(settings),
            spellings: Arc::default(),
            variables: RwLock::default(),
            last: Mutex::default(),
            collect_calls: AtomicBool::new(true),
        })
    }

    /// Gives the placeholder `:name` a value.
    pub fn set_variable(&self, name: &str, value: &str) {
        self.variables
            .write()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .insert(name.to_owned(), value.to_owned());
    }

    /// The settings as they stand.
    pub fn settings(&self) -> Settings {
        self.settings
            .read()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .clone()
    }

    /// Changes a setting, as `SET` does.
    pub fn set(&self, name: &str, value: &str, origin: Origin) -> Result<()> {
        Ok(self
            .settings
            .write()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .set(name, value, origin)?)
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
        let spans = parsed.clone();
        let prepared = on_deep_stack(async { self.prepare_here(parsed).await }).await;
        prepared.map_err(|problem| located(problem, &spans))
    }

    async fn prepare_here(&self, parsed: &Parsed) -> Result<Prepared> {
        use restable_sql::Statement as Sql;
        let unsupported = |what: &str| {
            Err(Error::Diagnostic(Arc::new(Diagnostic {
                code: "R0102",
                message: format!("`{what}` is not built yet"),
                span: Some(parsed.span),
                notes: Vec::new(),
                help: Some("this version of restable reads; statements that change something come with a later one".to_owned()),
            })))
        };
        let rows = |batch: RecordBatch| {
            Ok(Prepared {
                action: Action::Rows(batch),
                names: Names::default(),
            })
        };
        match &parsed.statement {
            Sql::Query(statement) => self.plan((**statement).clone()).await,
            Sql::Explain(explain) => match &*explain.statement {
                Sql::Query(statement) => {
                    let Prepared {
                        action: Action::Plan(plan),
                        ..
                    } = self.plan((**statement).clone()).await?
                    else {
                        return Err(Error::internal("a query is no plan"));
                    };
                    let plan = LogicalPlanBuilder::from(*plan)
                        .explain(explain.verbose, explain.analyze)?
                        .build()?;
                    Ok(Prepared {
                        action: Action::Plan(Box::new(plan)),
                        names: Names::default(),
                    })
                }
                _ => unsupported("EXPLAIN of a mutating statement"),
            },
            Sql::Show(request) => rows(show::show(self, request).await?),
            Sql::Describe(restable_sql::Describe::Query(query)) => {
                let Prepared {
                    action: Action::Plan(plan),
                    names,
                } = self.plan(ast::Statement::Query(query.clone())).await?
                else {
                    return Err(Error::internal("a query is no plan"));
                };
                rows(show::describe_plan(&plan, &names)?)
            }
            Sql::Describe(request) => rows(show::describe(self, request)?),
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
                })
            }
            Sql::Set(set) => {
                let value = match &set.value {
                    restable_sql::SetValue::Placeholder(name) => self.variable(name)?,
                    value => value.text(),
                };
                // Tried on a copy, so that a wrong value is told before anything runs.
                if !set.key.contains('.') {
                    self.settings()
                        .set(&set.key, &value, Origin::Statement)
                        .map_err(|problem| problem.at(set.value_span))?;
                }
                Ok(Prepared {
                    action: Action::Set(set.key.clone(), value),
                    names: Names::default(),
                })
            }
            Sql::Reset(reset) => Ok(Prepared {
                action: Action::Reset(reset.key.clone()),
                names: Names::default(),
            }),
            Sql::Insert(_) => unsupported("INSERT"),
            Sql::Replace(_) => unsupported("REPLACE"),
            Sql::Update(_) => unsupported("UPDATE"),
            Sql::Delete(_) => unsupported("DELETE"),
            Sql::Exec(_) => unsupported("EXEC"),
            Sql::Preview(_) => unsupported("PREVIEW"),
        }
    }

    fn variable(&self, name: &str) -> Result<String> {
        let variables = self
            .variables
            .read()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        variables
            .get(name)
            .cloned()
            .ok_or_else(|| placeholders::unknown(name, variables.keys()))
    }

    async fn plan(&self, mut statement: ast::Statement) -> Result<Prepared> {
        {
            let variables = self
                .variables
                .read()
                .unwrap_or_else(std::sync::PoisonError::into_inner);
            placeholders::bind(&mut statement, &variables)?;
        }
        let names = names::rewrite(&mut statement, self.shared.as_ref())?;
        let state = self.shared.state();
        let statement = datafusion::sql::parser::Statement::Statement(Box::new(statement));
        let plan = state
            .statement_to_plan(statement)
            .await
            .map_err(|problem| Error::planned(problem, &names))?;
        Ok(Prepared {
            action: Action::Plan(Box::new(plan)),
            names,
        })
    }

    /// Runs what was prepared.
    pub async fn run(&self, prepared: Prepared) -> Result<Outcome> {
        let started = Instant::now();
        let settings = self.settings();
        let statement = Arc::new(Statement::new(
            Arc::clone(&self.engine.registry),
            Arc::clone(&self.engine.clients),
            Arc::clone(&self.spellings),
            &settings,
        ));
        let Prepared { action, names } = prepared;
        let plan = match action {
            Action::Plan(plan) => *plan,
            Action::Rows(batch) => {
                let schema = batch.schema();
                let stream = futures::stream::once(futures::future::ready(Ok(batch)));
                let stream = Box::pin(RecordBatchStreamAdapter::new(schema, stream));
                return Ok(Outcome::Rows(
                    Rows::new(stream, &names, statement, started).offline(),
                ));
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
                return Ok(Outcome::Message(message));
            }
            Action::Set(key, value) if key.contains('.') => {
                let mut state = self
                    .shared
                    .state
                    .write()
                    .unwrap_or_else(std::sync::PoisonError::into_inner);
                state.config_mut().options_mut().set(&key, &value)?;
                return Ok(Outcome::Message(format!("{key} = {value}")));
            }
            Action::Set(key, value) => {
                self.set(&key, &value, Origin::Statement)?;
                return Ok(Outcome::Message(format!("{key} = {value}")));
            }
            Action::Reset(key) => {
                let mut settings = self
                    .settings
                    .write()
                    .unwrap_or_else(std::sync::PoisonError::into_inner);
                match &key {
                    None => *settings = Settings::default(),
                    Some(key) => {
                        let value = Settings::default().value(key)?;
                        settings.set(key, &value, Origin::Default)?;
                    }
                }
                return Ok(Outcome::Message(key.map_or_else(
                    || "settings reset".to_owned(),
                    |key| format!("{key} reset"),
                )));
            }
        };
        *lock(&self.last) = Some(Arc::clone(&statement));
        let mut state = self.shared.state();
        state.config_mut().set_extension(Arc::clone(&statement));
        if matches!(plan, LogicalPlan::Ddl(_) | LogicalPlan::Statement(_)) {
            let message = describe_ddl(&plan);
            let context = SessionContext::new_with_state(state);
            let done = async { context.execute_logical_plan(plan).await?.collect().await };
            done.await
                .map_err(|problem| Error::planned(problem, &names))?;
            statement.end();
            return Ok(Outcome::Message(message));
        }
        let physical = on_deep_stack(async { state.create_physical_plan(&plan).await }).await;
        let physical = physical.map_err(|problem| Error::planned(problem, &names))?;
        let stream = execute_stream(physical, state.task_ctx())?;
        Ok(Outcome::Rows(Rows::new(stream, &names, statement, started)))
    }

    /// The report of the last statement that ran a plan.
    pub fn last_statement(&self) -> Option<Arc<Statement>> {
        lock(&self.last).clone()
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// Whether calls are recorded for `SHOW CALLS`.
    pub fn records_calls(&self) -> bool {
        self.collect_calls.load(Ordering::Relaxed)
    }
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

/// Runs a future that does no I/O on a thread with a deep stack.
async fn on_deep_stack<T: Send>(work: impl Future<Output = T> + Send) -> T {
    std::thread::scope(|scope| {
        let spawned = std::thread::Builder::new()
            .name("planner".to_owned())
            .stack_size(64 << 20)
            .spawn_scoped(scope, || futures::executor::block_on(work));
        match spawned.map(std::thread::ScopedJoinHandle::join) {
            Ok(Ok(done)) => done,
            Ok(Err(panic)) => std::panic::resume_unwind(panic),
            Err(problem) => {
                std::panic::resume_unwind(Box::new(format!("no thread for planning: {problem}")))
            }
        }
    })
}

/// Gives a diagnostic without a place the place of the name that it is about.
fn located(problem: Error, parsed: &Parsed) -> Error {
    let Error::Diagnostic(diagnostic) = &problem else {
        return problem;
    };
    if diagnostic.span.is_some() {
        return problem;
    }
    let Some(name) = diagnostic.message.split('`').nth(1) else {
        return problem;
    };
    let find = |needle: &str| {
        parsed.text.match_indices(needle).find(|(at, _)| {
            let word = |c: char| c.is_alphanumeric() || c == '_';
            let before = parsed.text[..*at].chars().next_back();
            let after = parsed.text[at + needle.len()..].chars().next();
            !before.is_some_and(word) && !after.is_some_and(word)
        })
    };
    let found = find(name).map(|(at, _)| (at, name.len())).or_else(|| {
        let last = name.rsplit('.').next()?;
        find(last).map(|(at, _)| (at, last.len()))
    });
    match found {
        Some((at, length)) => {
            let start = parsed.span.start + at;
            Error::from(
                (**diagnostic)
                    .clone()
                    .at(restable_sql::Span::new(start, start + length)),
            )
        }
        None => problem,
    }
}

fn describe_ddl(plan: &LogicalPlan) -> String {
    use datafusion::logical_expr::DdlStatement;
    match plan {
        LogicalPlan::Ddl(DdlStatement::CreateView(view)) => {
            format!("view `{}` created", view.name.table())
        }
        LogicalPlan::Ddl(DdlStatement::CreateMemoryTable(table)) => {
            format!("table `{}` created", table.name.table())
        }
        LogicalPlan::Ddl(DdlStatement::DropTable(table)) => {
            format!("table `{}` dropped", table.name.table())
        }
        LogicalPlan::Ddl(DdlStatement::DropView(view)) => {
            format!("view `{}` dropped", view.name.table())
        }
        LogicalPlan::Ddl(ddl) => ddl.name().to_owned(),
        _ => "done".to_owned(),
    }
}
