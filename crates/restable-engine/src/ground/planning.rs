//! What plans one statement: DataFusion's session and the names of its SQL, without a copy of what all sessions share.

use std::any::Any;
use std::collections::HashMap;
use std::sync::Arc;

use arrow::datatypes::{DataType, SchemaRef};
use async_trait::async_trait;
use datafusion::catalog::cte_worktable::CteWorkTable;
use datafusion::catalog::{CatalogProviderList, SchemaProvider, Session, TableFunctionArgs};
use datafusion::common::alias::AliasGenerator;
use datafusion::common::config::ConfigOptions;
use datafusion::common::{
    DFSchema, ResolvedTableReference, Result as PlanResult, ScalarValue, TableReference,
    plan_datafusion_err,
};
use datafusion::config::TableOptions;
use datafusion::datasource::provider_as_source;
use datafusion::execution::runtime_env::RuntimeEnv;
use datafusion::execution::session_state::SessionState;
use datafusion::execution::{FunctionRegistry, TaskContext};
use datafusion::logical_expr::execution_props::ExecutionProps;
use datafusion::logical_expr::physical_planning_context::PhysicalPlanningContext;
use datafusion::logical_expr::planner::{
    ContextProvider, ExprPlanner, RelationPlanner, TypePlanner,
};
use datafusion::logical_expr::registry::ExtensionTypeRegistryRef;
use datafusion::logical_expr::{
    AggregateUDF, Expr, HigherOrderUDF, LogicalPlan, ScalarUDF, TableSource, WindowUDF, lit,
};
use datafusion::optimizer::OptimizerConfig;
use datafusion::optimizer::simplify_expressions::{ExprSimplifier, SimplifyContext};
use datafusion::physical_expr::create_physical_expr;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::{ExecutionPlan, PhysicalExpr};
use datafusion::prelude::SessionConfig;

use super::Catalogs;
use crate::statement::Statement;

/// What plans one statement.
#[derive(Debug, Clone)]
pub(crate) struct Planning {
    pub(super) common: Arc<SessionState>,
    pub(super) catalogs: Arc<Catalogs>,
    pub(super) config: SessionConfig,
    pub(super) runtime: Arc<RuntimeEnv>,
    pub(super) props: ExecutionProps,
    /// Options of file formats, if somebody changed them.
    pub(super) formats: Option<Box<TableOptions>>,
}

impl Planning {
    /// The same, for the calls of another statement.
    pub(crate) fn of(&self, statement: &Arc<Statement>) -> Planning {
        let mut planning = self.clone();
        planning.config.set_extension(Arc::clone(statement));
        planning
    }

    /// Plans for so many partitions.
    pub(crate) fn with_partitions(mut self, partitions: usize) -> Planning {
        self.config.options_mut().execution.target_partitions = partitions;
        self
    }

    /// The plan as it is optimized.
    pub(crate) fn optimized(&self, plan: &LogicalPlan) -> PlanResult<LogicalPlan> {
        Session::optimize(self, plan)
    }

    /// The plan that runs.
    pub(crate) async fn physical(&self, plan: &LogicalPlan) -> PlanResult<Arc<dyn ExecutionPlan>> {
        self.create_physical_plan(plan).await
    }

    /// What it runs in.
    pub(crate) fn task(&self) -> Arc<TaskContext> {
        self.task_ctx()
    }

    pub(super) fn resolved(&self, name: TableReference) -> ResolvedTableReference {
        let catalog = &self.config.options().catalog;
        name.resolve(&catalog.default_catalog, &catalog.default_schema)
    }

    pub(super) fn schema(&self, name: &ResolvedTableReference) -> Option<Arc<dyn SchemaProvider>> {
        self.catalogs.catalog(&name.catalog)?.schema(&name.schema)
    }
}

impl OptimizerConfig for Planning {
    fn query_execution_start_time(&self) -> Option<chrono::DateTime<chrono::Utc>> {
        self.props.query_execution_start_time
    }

    fn alias_generator(&self) -> &Arc<AliasGenerator> {
        &self.props.alias_generator
    }

    fn options(&self) -> Arc<ConfigOptions> {
        Arc::clone(self.config.options())
    }

    fn function_registry(&self) -> Option<&dyn FunctionRegistry> {
        Some(&*self.common)
    }
}

#[async_trait]
impl Session for Planning {
    fn session_id(&self) -> &str {
        self.common.session_id()
    }

    fn config(&self) -> &SessionConfig {
        &self.config
    }

    fn catalog_list(&self) -> Arc<dyn CatalogProviderList> {
        Arc::clone(&self.catalogs) as _
    }

    fn optimize(&self, plan: &LogicalPlan) -> PlanResult<LogicalPlan> {
        let options = self.config.options();
        let analyzer = self.common.analyzer();
        let analyzed = analyzer.execute_and_check(plan.clone(), options, |_, _| {})?;
        let optimizer = self.common.optimizer();
        optimizer.optimize(analyzed, self, |_, _| {})
    }

    fn physical_optimizers(&self) -> &[Arc<dyn PhysicalOptimizerRule + Send + Sync>] {
        self.common.physical_optimizers()
    }

    async fn create_physical_plan(&self, plan: &LogicalPlan) -> PlanResult<Arc<dyn ExecutionPlan>> {
        let plan = self.optimize(plan)?;
        let planner = Arc::clone(self.common.query_planner());
        planner.create_physical_plan(&plan, self).await
    }

    fn create_physical_expr(
        &self,
        expr: Expr,
        schema: &DFSchema,
    ) -> PlanResult<Arc<dyn PhysicalExpr>> {
        let context = SimplifyContext::builder()
            .with_schema(Arc::new(schema.clone()))
            .with_config_options(Arc::clone(self.config.options()))
            .with_query_execution_start_time(self.props.query_execution_start_time)
            .build();
        let coerced = ExprSimplifier::new(context).coerce(expr, schema)?;
        let context = PhysicalPlanningContext::default();
        create_physical_expr(&coerced, schema, &self.props, &context)
    }

    fn scalar_functions(&self) -> &HashMap<String, Arc<ScalarUDF>> {
        self.common.scalar_functions()
    }

    fn higher_order_functions(&self) -> &HashMap<String, Arc<HigherOrderUDF>> {
        self.common.higher_order_functions()
    }

    fn aggregate_functions(&self) -> &HashMap<String, Arc<AggregateUDF>> {
        self.common.aggregate_functions()
    }

    fn window_functions(&self) -> &HashMap<String, Arc<WindowUDF>> {
        self.common.window_functions()
    }

    fn extension_type_registry(&self) -> &ExtensionTypeRegistryRef {
        Session::extension_type_registry(&*self.common)
    }

    fn runtime_env(&self) -> &Arc<RuntimeEnv> {
        &self.runtime
    }

    fn execution_props(&self) -> &ExecutionProps {
        &self.props
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn table_options(&self) -> &TableOptions {
        self.formats
            .as_deref()
            .unwrap_or_else(|| self.common.table_options())
    }

    fn table_options_mut(&mut self) -> &mut TableOptions {
        let common = &self.common;
        self.formats
            .get_or_insert_with(|| Box::new(common.table_options().clone()))
    }

    /// A plan that runs has its functions in it: those by name are for plans that are sent elsewhere.
    fn task_ctx(&self) -> Arc<TaskContext> {
        Arc::new(TaskContext::new(
            None,
            self.common.session_id().to_owned(),
            self.config.clone(),
            HashMap::new(),
            HashMap::new(),
            HashMap::new(),
            HashMap::new(),
            Arc::clone(&self.runtime),
        ))
    }
}

/// What the SQL of one statement may name.
pub(super) struct Named<'a> {
    pub(super) planning: &'a Planning,
    pub(super) tables: HashMap<ResolvedTableReference, Arc<dyn TableSource>>,
}

impl ContextProvider for Named<'_> {
    fn get_table_source(&self, name: TableReference) -> PlanResult<Arc<dyn TableSource>> {
        let name = self.planning.resolved(name);
        let found = self.tables.get(&name).cloned();
        found.ok_or_else(|| plan_datafusion_err!("table '{name}' not found"))
    }

    fn get_table_function_source(
        &self,
        name: &str,
        arguments: Vec<Expr>,
    ) -> PlanResult<Arc<dyn TableSource>> {
        let function = self.planning.common.table_functions().get(name);
        let function =
            function.ok_or_else(|| plan_datafusion_err!("table function '{name}' not found"))?;
        let context = SimplifyContext::builder()
            .with_config_options(Arc::clone(self.planning.config.options()))
            .with_query_execution_start_time(self.planning.props.query_execution_start_time)
            .build();
        let simplifier = ExprSimplifier::new(context);
        let schema = DFSchema::empty();
        let constant = |argument: Expr| -> PlanResult<Expr> {
            let argument = simplifier.simplify(simplifier.coerce(argument, &schema)?)?;
            // A parameter of a client may be a shorter number than these functions take, and is NULL while it is described.
            Ok(match argument {
                Expr::Literal(value, _) if value.is_null() => lit(ScalarValue::Null),
                Expr::Literal(value, _) if value.data_type().is_signed_integer() => {
                    lit(value.cast_to(&DataType::Int64)?)
                }
                other => other,
            })
        };
        let arguments = arguments.into_iter().map(constant);
        let arguments = arguments.collect::<PlanResult<Vec<Expr>>>()?;
        let given = TableFunctionArgs::new(&arguments, self.planning);
        function
            .create_table_provider_with_args(given)
            .map(provider_as_source)
    }

    fn create_cte_work_table(
        &self,
        name: &str,
        schema: SchemaRef,
    ) -> PlanResult<Arc<dyn TableSource>> {
        Ok(provider_as_source(Arc::new(CteWorkTable::new(
            name, schema,
        ))))
    }

    fn get_expr_planners(&self) -> &[Arc<dyn ExprPlanner>] {
        self.planning.common.expr_planners()
    }

    fn get_relation_planners(&self) -> &[Arc<dyn RelationPlanner>] {
        self.planning.common.relation_planners()
    }

    fn get_type_planner(&self) -> Option<Arc<dyn TypePlanner>> {
        None
    }

    fn get_function_meta(&self, name: &str) -> Option<Arc<ScalarUDF>> {
        self.planning.common.scalar_functions().get(name).cloned()
    }

    fn get_higher_order_meta(&self, name: &str) -> Option<Arc<HigherOrderUDF>> {
        let known = self.planning.common.higher_order_functions();
        known.get(name).cloned()
    }

    fn get_aggregate_meta(&self, name: &str) -> Option<Arc<AggregateUDF>> {
        let known = self.planning.common.aggregate_functions();
        known.get(name).cloned()
    }

    fn get_window_meta(&self, name: &str) -> Option<Arc<WindowUDF>> {
        self.planning.common.window_functions().get(name).cloned()
    }

    /// There are no variables `@name` in a query.
    fn get_variable_type(&self, _: &[String]) -> Option<DataType> {
        None
    }

    fn options(&self) -> &ConfigOptions {
        self.planning.config.options()
    }

    fn udf_names(&self) -> Vec<String> {
        let known = self.planning.common.scalar_functions();
        known.keys().cloned().collect()
    }

    fn higher_order_function_names(&self) -> Vec<String> {
        let known = self.planning.common.higher_order_functions();
        known.keys().cloned().collect()
    }

    fn udaf_names(&self) -> Vec<String> {
        let known = self.planning.common.aggregate_functions();
        known.keys().cloned().collect()
    }

    fn udwf_names(&self) -> Vec<String> {
        let known = self.planning.common.window_functions();
        known.keys().cloned().collect()
    }
}
