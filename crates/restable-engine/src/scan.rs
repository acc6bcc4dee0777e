//! A scan of a resource as a node of a physical plan: what it reads, and what narrows it while the statement runs. It is data until it is
//! executed; EXPLAIN shows it, and whoever wants to know what a plan will call finds it by its type.

use std::fmt;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use datafusion::common::Result as PlanResult;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::{EquivalenceProperties, PhysicalExpr};
use datafusion::physical_plan::coop::make_cooperative;
use datafusion::physical_plan::execution_plan::{
    Boundedness, ChildrenPropertiesMode, EmissionType, SchedulingType,
};
use datafusion::physical_plan::limit::LimitStream;
use datafusion::physical_plan::metrics::{BaselineMetrics, ExecutionPlanMetricsSet, MetricsSet};
use datafusion::physical_plan::projection::ProjectionExec;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, Partitioning, PlanProperties,
    ReplaceChildrenOptions,
};
use futures::StreamExt;
use restable_spec::Resource;

use crate::prune::Prunes;
use crate::statement::Statement;
use crate::walk::{self, Asked, Bindings};
use crate::{Error, Result};

/// What one scan reads.
#[derive(Debug, Clone)]
pub struct Scan {
    /// The resource that is read.
    pub resource: Arc<Resource>,
    /// What the statement binds by constants.
    pub bindings: Bindings,
    /// What it asks of the scopes beside.
    pub prunes: Prunes,
    /// The columns of the rows, in the order of the schema.
    pub asked: Vec<Asked>,
    /// The schema of the rows.
    pub schema: SchemaRef,
}

/// The node that executes a scan. It has one partition.
#[derive(Debug, Clone)]
pub struct ScanExec {
    scan: Scan,
    fetch: Option<usize>,
    properties: Arc<PlanProperties>,
    metrics: ExecutionPlanMetricsSet,
}

impl ScanExec {
    /// The node for a scan of which at most `fetch` rows are taken.
    pub fn new(scan: Scan, fetch: Option<usize>) -> ScanExec {
        let properties = PlanProperties::new(
            EquivalenceProperties::new(Arc::clone(&scan.schema)),
            Partitioning::UnknownPartitioning(1),
            EmissionType::Incremental,
            Boundedness::Bounded,
        )
        .with_scheduling_type(SchedulingType::Cooperative);
        ScanExec {
            scan,
            fetch,
            properties: Arc::new(properties),
            metrics: ExecutionPlanMetricsSet::new(),
        }
    }

    /// What it reads.
    pub fn scan(&self) -> &Scan {
        &self.scan
    }
}

impl DisplayAs for ScanExec {
    fn fmt_as(&self, kind: DisplayFormatType, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Scan {
            resource,
            bindings,
            asked,
            ..
        } = &self.scan;
        if matches!(kind, DisplayFormatType::TreeRender) {
            return writeln!(formatter, "{}", resource.full_name());
        }
        let columns: Vec<&str> = asked.iter().map(|asked| &*asked.name).collect();
        let (name, columns) = (resource.full_name(), columns.join(", "));
        write!(formatter, "ScanExec: {name}, columns=[{columns}]")?;
        for (name, values) in bindings {
            match values.as_slice() {
                [value] => write!(formatter, ", {name}={value}")?,
                values => write!(formatter, ", {name} of {} values", values.len())?,
            }
        }
        if let Some(fetch) = self.fetch {
            write!(formatter, ", fetch={fetch}")?;
        }
        Ok(())
    }
}

impl ExecutionPlan for ScanExec {
    fn name(&self) -> &'static str {
        "ScanExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        Vec::new()
    }

    fn apply_expressions(
        &self,
        _look: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> PlanResult<TreeNodeRecursion>,
    ) -> PlanResult<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn replace_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
        _options: ReplaceChildrenOptions,
    ) -> PlanResult<Arc<dyn ExecutionPlan>> {
        if children.is_empty() {
            return Ok(self);
        }
        Err(Error::internal("a scan has no children").into())
    }

    fn with_new_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
    ) -> PlanResult<Arc<dyn ExecutionPlan>> {
        let options = ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute);
        self.replace_children(children, options)
    }

    fn execute(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> PlanResult<SendableRecordBatchStream> {
        let Some(statement) = context.session_config().get_extension::<Statement>() else {
            return Err(Error::internal("a scan runs outside a statement").into());
        };
        let Scan {
            resource,
            bindings,
            prunes,
            asked,
            schema,
        } = self.scan.clone();
        let batches = walk::read(
            statement,
            resource,
            bindings,
            prunes,
            asked,
            Arc::clone(&schema),
        );
        let batches = batches.map(|batch: Result<_>| batch.map_err(Into::into));
        let rows = make_cooperative(Box::pin(RecordBatchStreamAdapter::new(schema, batches)));
        Ok(match self.fetch {
            None => rows,
            Some(_) => {
                let metrics = BaselineMetrics::new(&self.metrics, partition);
                Box::pin(LimitStream::new(rows, 0, self.fetch, metrics))
            }
        })
    }

    fn try_swapping_with_projection(
        &self,
        projection: &ProjectionExec,
    ) -> PlanResult<Option<Arc<dyn ExecutionPlan>>> {
        use datafusion::physical_expr::expressions::Column;
        let mut chosen = Vec::with_capacity(projection.expr().len());
        for output in projection.expr() {
            match output.expr.downcast_ref::<Column>() {
                Some(column) if column.name() == output.alias => chosen.push(column.index()),
                _ => return Ok(None),
            }
        }
        let mut scan = self.scan.clone();
        scan.schema = Arc::new(scan.schema.project(&chosen)?);
        let asked = chosen.iter().map(|at| self.scan.asked[*at].clone());
        scan.asked = asked.collect();
        Ok(Some(Arc::new(ScanExec::new(scan, self.fetch))))
    }

    fn fetch(&self) -> Option<usize> {
        self.fetch
    }

    fn with_fetch(&self, fetch: Option<usize>) -> Option<Arc<dyn ExecutionPlan>> {
        Some(Arc::new(ScanExec {
            fetch,
            ..self.clone()
        }))
    }

    fn metrics(&self) -> Option<MetricsSet> {
        Some(self.metrics.clone_inner())
    }
}
