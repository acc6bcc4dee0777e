//! What statements are planned with. Functions, rules and options are the same for all sessions of an engine and are copied for none of
//! them: DataFusion's own session holds several hundred functions by name, which is more to copy than all that planning a short
//! statement needs. What a session has of its own (catalogs, options, memory) stands beside them, and what a statement has of its
//! own (its time, its calls) beside that.

mod build;
mod planning;

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, PoisonError, RwLock};

use chrono::SubsecRound as _;
use datafusion::catalog::{CatalogProvider, CatalogProviderList};
use datafusion::common::Result as PlanResult;
use datafusion::datasource::provider_as_source;
use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::execution::session_state::{SessionState, SessionStateBuilder};
use datafusion::logical_expr::LogicalPlan;
use datafusion::logical_expr::execution_props::ExecutionProps;
use datafusion::prelude::SessionConfig;
use datafusion::sql::parser::Statement as SqlStatement;
use datafusion::sql::planner::{ParserOptions, SqlToRel};
use datafusion::sql::resolve::resolve_table_references;

use crate::catalog::{OWN_CATALOG, OWN_SCHEMA};
use crate::own_views::Views;
use crate::statement::Statement;

pub(crate) use build::{apply_memory, common};
pub(crate) use planning::Planning;

use planning::Named;

/// What a session plans with.
#[derive(Debug)]
pub(crate) struct Ground {
    common: Arc<SessionState>,
    catalogs: Arc<Catalogs>,
    own: RwLock<Own>,
}

/// What a session may change.
#[derive(Debug, Clone)]
struct Own {
    config: SessionConfig,
    runtime: Arc<RuntimeEnv>,
}

impl Ground {
    /// With the options and memory of `common`, as long as nothing else is said.
    pub(crate) fn new(common: Arc<SessionState>, catalogs: Catalogs) -> Ground {
        let own = Own {
            config: common.config().clone(),
            runtime: Arc::clone(common.runtime_env()),
        };
        Ground {
            common,
            catalogs: Arc::new(catalogs),
            own: RwLock::new(own),
        }
    }

    fn own(&self) -> Own {
        self.own
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Changes options.
    pub(crate) fn configure<T>(&self, change: impl FnOnce(&mut SessionConfig) -> T) -> T {
        let mut own = self.own.write().unwrap_or_else(PoisonError::into_inner);
        change(&mut own.config)
    }

    /// Gives it other memory and files.
    pub(crate) fn set_runtime(&self, runtime: Arc<RuntimeEnv>) {
        let mut own = self.own.write().unwrap_or_else(PoisonError::into_inner);
        own.runtime = runtime;
    }

    /// The options as they stand.
    pub(crate) fn config(&self) -> SessionConfig {
        self.own().config
    }

    /// The functions, which are the same for all sessions.
    pub(crate) fn functions(&self) -> &SessionState {
        &self.common
    }

    /// The catalogs of the session.
    pub(crate) fn catalogs(&self) -> &Catalogs {
        &self.catalogs
    }

    /// A session of DataFusion's, with a copy of everything: for what only that can do.
    pub(crate) fn state(&self) -> SessionState {
        let Own { config, runtime } = self.own();
        let common = (*self.common).clone();
        let mut state = match Arc::ptr_eq(&runtime, common.runtime_env()) {
            true => common,
            false => SessionStateBuilder::new_from_existing(common)
                .with_runtime_env(runtime)
                .build(),
        };
        *state.config_mut() = config;
        state.register_catalog_list(Arc::clone(&self.catalogs) as _);
        state
    }

    /// What plans a statement that begins now.
    pub(crate) fn planning(&self) -> Planning {
        self.planning_with(None)
    }

    /// What plans the calls of a statement that begins now.
    pub(crate) fn planning_of(&self, statement: &Arc<Statement>) -> Planning {
        self.planning_with(Some(statement))
    }

    fn planning_with(&self, statement: Option<&Arc<Statement>>) -> Planning {
        let Own {
            mut config,
            runtime,
        } = self.own();
        let mut props = ExecutionProps::new();
        // `now()` is the time at which the statement began, as finely as it is shown: what is kept of it is found again.
        props.mark_start_execution(Arc::clone(config.options()));
        props.query_execution_start_time = props
            .query_execution_start_time
            .map(|time| time.trunc_subsecs(6));
        if let Some(statement) = statement {
            config.set_extension(Arc::clone(statement));
        }
        Planning {
            common: Arc::clone(&self.common),
            catalogs: Arc::clone(&self.catalogs),
            config,
            runtime,
            props,
            formats: None,
        }
    }

    /// The logical plan of a statement; `views` are those of the session that it reads, as they are now.
    pub(crate) async fn plan(
        &self,
        statement: SqlStatement,
        views: &Views,
    ) -> PlanResult<LogicalPlan> {
        let planning = self.planning();
        let sql = &planning.config.options().sql_parser;
        let (named, _) = resolve_table_references(&statement, sql.enable_ident_normalization)?;
        let mut tables = HashMap::with_capacity(named.len());
        for name in named {
            let Entry::Vacant(place) = tables.entry(planning.resolved(name)) else {
                continue;
            };
            let name = place.key();
            let is_own = *name.catalog == *OWN_CATALOG && *name.schema == *OWN_SCHEMA;
            let view = views.get(&*name.table).filter(|_| is_own);
            if let Some(view) = view {
                place.insert(provider_as_source(Arc::clone(view)));
            } else if let Some(schema) = planning.schema(name)
                && let Some(table) = schema.table(&name.table).await?
            {
                place.insert(provider_as_source(table));
            }
        }
        let options = ParserOptions {
            parse_float_as_decimal: sql.parse_float_as_decimal,
            enable_ident_normalization: sql.enable_ident_normalization,
            enable_options_value_normalization: sql.enable_options_value_normalization,
            support_varchar_with_length: sql.support_varchar_with_length,
            map_string_types_to_utf8view: sql.map_string_types_to_utf8view,
            collect_spans: sql.collect_spans,
            default_null_ordering: sql.default_null_ordering.as_str().into(),
        };
        let named = Named {
            planning: &planning,
            tables,
        };
        SqlToRel::new_with_options(&named, options).statement_to_plan(statement)
    }
}

/// The catalogs of a session: its own, and one a provider.
#[derive(Debug)]
pub(crate) struct Catalogs {
    own: Arc<dyn CatalogProvider>,
    providers: Vec<(String, Arc<dyn CatalogProvider>)>,
}

impl Catalogs {
    /// The catalog `restable`, and those of providers by name.
    pub(crate) fn new(
        own: Arc<dyn CatalogProvider>,
        providers: Vec<(String, Arc<dyn CatalogProvider>)>,
    ) -> Catalogs {
        Catalogs { own, providers }
    }
}

impl CatalogProviderList for Catalogs {
    /// Which providers there are is said by documents.
    fn register_catalog(
        &self,
        _: String,
        _: Arc<dyn CatalogProvider>,
    ) -> Option<Arc<dyn CatalogProvider>> {
        None
    }

    fn catalog_names(&self) -> Vec<String> {
        let names = self.providers.iter().map(|(name, _)| name.clone());
        std::iter::once(OWN_CATALOG.to_owned())
            .chain(names)
            .collect()
    }

    fn catalog(&self, name: &str) -> Option<Arc<dyn CatalogProvider>> {
        if name == OWN_CATALOG {
            return Some(Arc::clone(&self.own));
        }
        let found = self.providers.iter().find(|(known, _)| known == name);
        found.map(|(_, catalog)| Arc::clone(catalog))
    }
}
