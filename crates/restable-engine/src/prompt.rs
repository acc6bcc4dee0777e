//! How plans take the rows of scans. Rows go on as they come: a filter hands on what is left of each page at once, instead of collecting thousands of rows first. The
//! first row of an answer is then a page's latency away, and a page's text is copied once less.

use std::sync::Arc;

use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TransformedResult as _, TreeNode as _};
use datafusion::common::{JoinType, Result as PlanResult};
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::aggregates::AggregateExec;
use datafusion::physical_plan::execution_plan::EmissionType;
use datafusion::physical_plan::filter::FilterExec;
use datafusion::physical_plan::joins::{CrossJoinExec, HashJoinExec, NestedLoopJoinExec};
use datafusion::physical_plan::sorts::sort::SortExec;
use datafusion::physical_plan::{ExecutionPlan, ExecutionPlanProperties as _};

use crate::scan::ScanExec;

/// Whether somebody above a scan may have enough before its last row.
pub(crate) fn may_stop_early(plan: &Arc<dyn ExecutionPlan>) -> bool {
    is_cut(plan, false)
}

fn is_cut(node: &Arc<dyn ExecutionPlan>, limited: bool) -> bool {
    if node.is::<ScanExec>() {
        return limited || node.fetch().is_some();
    }
    let mut children = node.children().into_iter().enumerate();
    children.any(|(at, child)| is_cut(child, is_limited(node, at, limited)))
}

/// Whether of the child number `at` of a node less than all rows may be taken; `limited` says the same of the node itself.
pub(crate) fn is_limited(node: &Arc<dyn ExecutionPlan>, at: usize, limited: bool) -> bool {
    // A sort with a limit still takes every row.
    if node.is::<SortExec>() {
        return false;
    }
    if node.fetch().is_some() {
        return true;
    }
    if let Some(aggregate) = node.downcast_ref::<AggregateExec>() {
        let whole = node.pipeline_behavior() == EmissionType::Final;
        return aggregate.limit_options().is_some() || limited && !whole;
    }
    // The side that a join builds its table of is read whole before its first row.
    let joins =
        node.is::<HashJoinExec>() || node.is::<NestedLoopJoinExec>() || node.is::<CrossJoinExec>();
    limited && !(joins && at == 0)
}

/// The kind of a join.
pub(crate) fn kind_of_join(plan: &Arc<dyn ExecutionPlan>) -> Option<JoinType> {
    let hash = plan
        .downcast_ref::<HashJoinExec>()
        .map(|it| *it.join_type());
    hash.or_else(|| {
        let join = plan.downcast_ref::<NestedLoopJoinExec>();
        join.map(|join| *join.join_type())
    })
}

/// Whether the second side of a join is not read where the first has no row.
pub(crate) fn needs_first(plan: &Arc<dyn ExecutionPlan>) -> bool {
    match kind_of_join(plan) {
        Some(kind) => !matches!(
            kind,
            JoinType::Right | JoinType::Full | JoinType::RightAnti | JoinType::RightMark
        ),
        None => plan.name().contains("Join"),
    }
}

/// The rule that makes filters prompt.
#[derive(Debug)]
pub(crate) struct PromptFilters;

impl PhysicalOptimizerRule for PromptFilters {
    fn optimize(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        _config: &ConfigOptions,
    ) -> PlanResult<Arc<dyn ExecutionPlan>> {
        plan.transform_up(|node| {
            Ok(match node.downcast_ref::<FilterExec>() {
                // Batches larger than half of this size are handed on as they are; of one, that is every batch with a row.
                Some(filter) => Transformed::yes(Arc::new(filter.with_batch_size(1)?) as _),
                None => Transformed::no(node),
            })
        })
        .data()
    }

    fn name(&self) -> &str {
        "prompt_filters"
    }

    fn schema_check(&self) -> bool {
        true
    }
}
