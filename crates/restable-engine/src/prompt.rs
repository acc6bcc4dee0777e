//! How plans take the rows of scans. Rows go on as they come: a filter hands on what is left of each page at once, instead of collecting thousands of rows first. The
//! first row of an answer is then a page's latency away, and a page's text is copied once less.

use std::sync::Arc;

use datafusion::common::Result as PlanResult;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TransformedResult as _, TreeNode as _};
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::filter::FilterExec;
use datafusion::physical_plan::sorts::sort::SortExec;

/// Whether somebody above the scans may have enough before their last row.
pub(crate) fn may_stop_early(plan: &Arc<dyn ExecutionPlan>) -> bool {
    // A sort with a limit still takes every row.
    let stops =
        |node: &Arc<dyn ExecutionPlan>| Ok(node.fetch().is_some() && !node.is::<SortExec>());
    plan.exists(stops).unwrap_or(true)
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
