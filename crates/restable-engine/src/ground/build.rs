//! What the sessions of an engine share for planning, and the memory that one may use.

use std::sync::Arc;

use datafusion::common::config::{ConfigNonZeroUsize, Dialect};
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::execution::session_state::SessionState;
use datafusion::execution::{FunctionRegistry as _, SessionStateBuilder, SessionStateDefaults};
use datafusion::logical_expr::planner::ExprPlanner;
use datafusion::optimizer::{Analyzer, OptimizerRule};
use datafusion::physical_optimizer::optimizer::PhysicalOptimizer;
use datafusion::prelude::SessionConfig;
use restable_spec::Registry;

use super::Ground;
use crate::beside::WindowsBeside;
use crate::catalog::{OWN_CATALOG, OWN_SCHEMA};
use crate::dialect::{
    Comparisons, InputsChecked, JsonPlanner, Lifted, with_implied, with_marks, with_null_keys,
    with_plain_counts,
};
use crate::door::{self, Memory};
use crate::engine::Engine;
use crate::gathered::GatheredByBytes;
use crate::joined::JoinsMeasured;
use crate::json_columns::{self, JsonPathsScanned};
use crate::narrowing::{self, Narrowing};
use crate::once::wants::SharedCalls;
use crate::paced::{LargeConstants, PacedJoins};
use crate::prompt::PromptFilters;
use crate::settings::Settings;
use crate::wide::WideRows;
use crate::windowed::WindowsCounted;
use crate::zone::Whose;
use crate::{Result, functions, pg_catalog, zone};

/// Functions, rules and options, as sessions begin with them.
pub(crate) fn common(registry: &Arc<Registry>) -> Result<SessionState> {
    let mut config = SessionConfig::new()
        .with_information_schema(false)
        .with_round_robin_repartition(false)
        .with_default_catalog_and_schema(OWN_CATALOG, OWN_SCHEMA)
        .with_create_default_catalog_and_schema(false);
    config.options_mut().sql_parser.enable_ident_normalization = false;
    config.options_mut().sql_parser.collect_spans = true;
    // Without a zone of its own `timestamptz` would have none at all.
    config.options_mut().execution.time_zone = Some("+00:00".to_owned());
    // A number that is written exactly stays exact: 20 digits are no float.
    config.options_mut().sql_parser.parse_float_as_decimal = true;
    // `CASE WHEN x > 1 THEN true ELSE false END` is never NULL until it is simplified to `x > 1`: the check takes that for a defect.
    config
        .options_mut()
        .execution
        .skip_physical_aggregate_schema_check = true;
    config.options_mut().sql_parser.dialect = Dialect::PostgreSQL;
    config.options_mut().explain.logical_plan_only = false;
    config.options_mut().explain.show_schema = false;
    size_batches(None, Whose::Own, &mut config);
    let mut analyzer = Analyzer::new();
    // Before DataFusion's own rules: a literal keeps its type until the comparison is understood.
    analyzer.rules.insert(0, Arc::new(Comparisons));
    analyzer.rules.insert(0, Arc::new(Lifted));
    // Before DataFusion's own planners, which refuse a path into text.
    let mut planners: Vec<Arc<dyn ExprPlanner>> = vec![Arc::new(JsonPlanner)];
    planners.extend(SessionStateDefaults::default_expr_planners());
    let mut optimizer = PhysicalOptimizer::new();
    // They find columns by their names, so that a condition on one side of a join reaches a column of that name on the other side. No scan
    // here takes filters of physical plans: conditions were moved where they belong before.
    let by_name = |name: &str| name.starts_with("FilterPushdown");
    optimizer.rules.retain(|rule| !by_name(rule.name()));
    optimizer.rules.insert(0, Arc::new(JsonPathsScanned));
    let mut chosen = optimizer.rules.iter();
    let chosen = chosen.position(|rule| rule.name() == "join_selection");
    let narrowing = Arc::new(Narrowing::new(Arc::clone(registry)));
    optimizer
        .rules
        .insert(chosen.map_or(0, |at| at + 1), narrowing);
    optimizer.rules.push(Arc::new(PromptFilters));
    optimizer.rules.push(Arc::new(SharedCalls {
        registry: Arc::clone(registry),
    }));
    optimizer.rules.push(Arc::new(LargeConstants));
    optimizer.rules.push(Arc::new(GatheredByBytes));
    optimizer.rules.push(Arc::new(WideRows));
    optimizer.rules.push(Arc::new(JoinsMeasured));
    optimizer.rules.push(Arc::new(PacedJoins));
    optimizer.rules.push(Arc::new(WindowsCounted));
    optimizer.rules.push(Arc::new(WindowsBeside));
    let runtime = RuntimeEnvBuilder::new().with_disk_manager_builder(crate::spill::files());
    let mut state = SessionStateBuilder::new()
        .with_config(config)
        .with_runtime_env(Arc::new(runtime.build()?))
        .with_default_features()
        .with_expr_planners(planners)
        .with_analyzer_rules(analyzer.rules)
        .with_query_planner(Arc::new(InputsChecked))
        .with_optimizer_rules(logical_rules())
        .with_physical_optimizer_rules(optimizer.rules)
        .build();
    for function in functions::all()
        .into_iter()
        .chain(pg_catalog::functions::all())
    {
        state.register_udf(function)?;
    }
    state.register_udaf(functions::averages::average())?;
    state.register_udaf(functions::percentiles::between())?;
    state.register_udaf(functions::counted::most_frequent())?;
    state.register_udaf(functions::counted::at_share())?;
    Ok(state)
}

fn logical_rules() -> Vec<Arc<dyn OptimizerRule + Send + Sync>> {
    let rules = with_plain_counts(with_marks(json_columns::logical_rules()));
    with_null_keys(with_implied(narrowing::with_logical(rules)))
}

/// Gives a session the memory and files that its settings allow. Sessions without a limit of their own share them.
pub(crate) fn apply_memory(
    engine: &Engine,
    ground: &Ground,
    settings: &Settings,
    shared: Option<&Memory>,
) -> Result<()> {
    let limit = settings.memory_limit;
    let (runtime, held) = match (shared, limit) {
        (None, None) => {
            let runtime = Arc::clone(engine.common()?.runtime_env());
            let pool = Arc::clone(&runtime.memory_pool);
            (runtime, pool)
        }
        (Some(memory), None) => {
            let runtime = Arc::clone(memory.runtime());
            let pool = Arc::clone(&runtime.memory_pool);
            (runtime, pool)
        }
        (Some(memory), Some(bytes)) => {
            let pool = memory.within(bytes);
            (door::runtime(Arc::clone(&pool))?, pool)
        }
        (None, Some(bytes)) => (door::runtime(door::pool(bytes))?, door::held(bytes)),
    };
    ground.set_runtime(runtime);
    ground.configure(|config| {
        let most = limit.or_else(|| shared.and_then(Memory::limit));
        let whose = match shared {
            Some(_) => Whose::Shared,
            None => Whose::Own,
        };
        size_batches(most, whose, config);
        zone::set_memory(config, most, &held, whose);
    });
    Ok(())
}

/// Under a limit of memory, sorting holds a batch of each file that it merges, and keeps a part of the memory back to begin merging
/// with: both have to be small beside the limit, and rows with JSON are large.
fn size_batches(limit: Option<usize>, whose: Whose, config: &mut SessionConfig) {
    const KEPT_BACK: usize = 10 << 20;
    const ROWS: usize = 8192;
    // Nobody knows what others ask for: their rows may be wide.
    let row = match whose {
        Whose::Own => 2 << 10,
        Whose::Shared => 8 << 10,
    };
    let (rows, kept_back) = match limit {
        None => (ROWS, KEPT_BACK),
        Some(limit) => (limit / 64 / row, limit / 32),
    };
    let (rows, kept_back) = (rows.clamp(64, ROWS), kept_back.min(KEPT_BACK));
    let execution = &config.options().execution;
    // Options that stay what they are stay shared.
    if execution.batch_size.get() == rows && execution.sort_spill_reservation_bytes == kept_back {
        return;
    }
    let execution = &mut config.options_mut().execution;
    if let Ok(rows) = ConfigNonZeroUsize::try_new(rows) {
        execution.batch_size = rows;
    }
    execution.sort_spill_reservation_bytes = kept_back;
}
