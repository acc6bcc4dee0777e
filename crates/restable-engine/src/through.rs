//! Nodes of a plan through which the rows of one input go: nothing is said of them there, no order or partition changes, and what a
//! [`Passage`] does to the stream (pauses, counts, measures, computes beside) is all that differs from one to the next.

use std::fmt::{self, Debug};
use std::sync::Arc;

use datafusion::common::Result;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::execution_plan::CardinalityEffect;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, PhysicalExpr, PlanProperties,
};

/// What happens to the rows on their way.
pub(crate) trait Passage: Clone + Debug + Send + Sync + 'static {
    /// The name of the node, as EXPLAIN shows it.
    const NAME: &'static str;

    /// The rows of a partition of `input`, begun.
    fn begin(
        &self,
        input: &Arc<dyn ExecutionPlan>,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream>;
}

/// The node of a passage.
#[derive(Debug)]
pub(crate) struct Through<P> {
    input: Arc<dyn ExecutionPlan>,
    passage: P,
}

impl<P: Passage> Through<P> {
    /// The rows of `input`, by way of `passage`.
    pub(crate) fn over(input: &Arc<dyn ExecutionPlan>, passage: P) -> Arc<dyn ExecutionPlan> {
        Arc::new(Through {
            input: Arc::clone(input),
            passage,
        })
    }
}

impl<P: Passage> DisplayAs for Through<P> {
    fn fmt_as(&self, _: DisplayFormatType, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(P::NAME)
    }
}

impl<P: Passage> ExecutionPlan for Through<P> {
    fn name(&self) -> &'static str {
        P::NAME
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        self.input.properties()
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        vec![true]
    }

    fn benefits_from_input_partitioning(&self) -> Vec<bool> {
        vec![false]
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn with_new_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(match children.first() {
            Some(input) => Through::over(input, self.passage.clone()),
            None => self,
        })
    }

    fn execute(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        self.passage.begin(&self.input, partition, context)
    }

    fn cardinality_effect(&self) -> CardinalityEffect {
        CardinalityEffect::Equal
    }
}
