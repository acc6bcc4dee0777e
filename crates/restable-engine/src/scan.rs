//! A scan of a resource as a node of a physical plan: what it reads, and what narrows it while the statement runs. It is data until it is
//! executed; EXPLAIN shows it, and whoever wants to know what a plan will call finds it by its type.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arrow::array::RecordBatch;
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
use futures::future;
use futures::stream::{self, BoxStream, StreamExt};
use restable_spec::Resource;

use crate::calls::{Part, scopes_of};
use crate::combinations::bound;
use crate::narrowing::descend::Sought;
use crate::narrowing::keys::Keys;
use crate::narrowing::waits::Waits;
use crate::once::Place;
use crate::once::wants::{Sharing, Want};
use crate::prune::Prunes;
use crate::statement::Statement;
use crate::walk::{self, Asked, Bindings};
use crate::{Error, Result};

/// What one scan reads.
#[derive(Debug, Clone)]
pub struct Scan {
    /// Tells it from other scans of the process.
    pub number: u64,
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

/// A number that no other scan has.
pub(crate) fn next_number() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// The node that executes a scan. It has one partition.
#[derive(Debug, Clone)]
pub struct ScanExec {
    scan: Scan,
    waits: Waits,
    sharing: Option<Arc<Sharing>>,
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
            waits: Waits::default(),
            sharing: None,
            fetch,
            properties: Arc::new(properties),
            metrics: ExecutionPlanMetricsSet::new(),
        }
    }

    /// The same node for another scan.
    pub fn with(&self, scan: Scan) -> ScanExec {
        ScanExec::new(scan, self.fetch)
    }

    /// What it reads, as far as the statement says it.
    pub fn scan(&self) -> &Scan {
        &self.scan
    }

    /// Whether it waits for other parts of the plan, which may narrow it.
    pub fn waits(&self) -> bool {
        !self.waits.is_empty()
    }

    /// The parameters that other parts of the plan give values, by folded name.
    pub fn given_names(&self) -> Vec<String> {
        self.waits.names(&self.scan.resource)
    }

    /// What it waits for.
    pub(crate) fn waited_for(&self) -> &Waits {
        &self.waits
    }

    /// The same scan, narrowed by what is sought of its rows; `None` if that says nothing of its calls.
    pub(crate) fn narrowed(&self, sought: &Sought) -> Option<ScanExec> {
        // What has nothing above it is one list, and others need it as well.
        if self.scan.resource.parent.is_none() && self.readable() {
            return None;
        }
        let waits = self.waits.narrowed(&self.scan.resource, sought)?;
        Some(ScanExec {
            waits,
            ..self.clone()
        })
    }

    /// The same scan, which reads nothing if there are no such keys.
    pub(crate) fn waiting(&self, keys: &Arc<Keys>) -> ScanExec {
        ScanExec {
            waits: self.waits.waiting(keys),
            ..self.clone()
        }
    }

    /// The same scan, which shares calls with others of its plan.
    pub(crate) fn sharing(&self, sharing: &Arc<Sharing>) -> ScanExec {
        ScanExec {
            sharing: Some(Arc::clone(sharing)),
            ..self.clone()
        }
    }

    /// The lists that its plan reads whole, as far as that is known before it runs.
    pub(crate) fn lists(&self) -> &[Want] {
        self.sharing.as_ref().map_or(&[], |sharing| &sharing.lists)
    }

    /// The name of the part of the statement that its calls are counted by: with those that share them it is one part.
    pub(crate) fn part(&self) -> String {
        let resource = &self.scan.resource;
        let shared = self.sharing.as_ref();
        match shared.is_some_and(|it| it.resources.contains(&resource.full_name())) {
            true => scopes_of(resource),
            false => format!("scan {}", self.scan.number),
        }
    }

    /// Whether calls can answer it with what the statement says alone.
    fn readable(&self) -> bool {
        let Scan {
            resource,
            bindings,
            prunes,
            ..
        } = &self.scan;
        resource.route(&bound(resource, bindings, prunes)).is_ok()
    }

    /// Refuses a scan that no call can answer.
    pub(crate) fn check(&self) -> Result<()> {
        let Scan {
            resource,
            bindings,
            prunes,
            ..
        } = &self.scan;
        let mut given = bound(resource, bindings, prunes);
        for name in self.given_names() {
            given.bind(&name, 1);
        }
        resource.route(&given).map_err(Error::route)?;
        Ok(())
    }
}

/// The rows of a scan.
fn read(
    statement: Arc<Statement>,
    scan: Scan,
    part: &str,
    place: Option<Place>,
) -> BoxStream<'static, Result<RecordBatch>> {
    let part = Part::of_scan(&statement, part);
    walk::read(statement, scan, part, place)
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
        let columns: Vec<String> = asked.iter().map(ToString::to_string).collect();
        let (name, columns) = (resource.full_name(), columns.join(", "));
        write!(formatter, "ScanExec: {name}, columns=[{columns}]")?;
        for (name, values) in bindings {
            match values.as_slice() {
                [value] => write!(formatter, ", {name}={value}")?,
                values => write!(formatter, ", {name} of {} values", values.len())?,
            }
        }
        let given = self.given_names();
        if !given.is_empty() {
            write!(formatter, ", narrowed by {}", given.join(", "))?;
        }
        if let Some(fetch) = self.fetch {
            write!(formatter, ", fetch={fetch}")?;
        }
        Ok(())
    }
}

/// The rows of a scan, which its span is told once: a collector keeps each value that it is given.
struct Counted {
    span: tracing::Span,
    rows: usize,
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.span.record("rows", self.rows.cast_signed());
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
        let schema = Arc::clone(&self.scan.schema);
        let span = tracing::info_span!(
            target: "span",
            parent: &statement.span(),
            "scan",
            table = self.scan.resource.full_name(),
            rows = tracing::field::Empty,
        );
        let runtime = context.runtime_env();
        let place = self.sharing.as_ref();
        let place = place.map(|it| Place::take(&statement, it, self.scan.number, &runtime));
        let part = self.part();
        let batches = match self.waits.is_empty() {
            true => read(statement, self.scan.clone(), &part, place),
            false => {
                let (waits, scan) = (self.waits.clone(), self.scan.clone());
                let narrowed = async move {
                    match waits.narrow(scan).await {
                        Ok(Some(scan)) => read(statement, scan, &part, place),
                        Ok(None) => stream::empty().boxed(),
                        Err(problem) => stream::once(future::ready(Err(problem))).boxed(),
                    }
                };
                stream::once(narrowed).flatten().boxed()
            }
        };
        // The span ends with the stream.
        let mut counted = Counted { span, rows: 0 };
        let batches = batches.map(move |batch: Result<RecordBatch>| {
            // The whole of it is the stream's, so that it ends with that.
            let counted = &mut counted;
            if let Ok(batch) = &batch {
                counted.rows += batch.num_rows();
            }
            batch.map_err(Into::into)
        });
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
        // What it waits for is said by the names of columns, whether they are among its rows or not.
        Ok(Some(Arc::new(ScanExec {
            waits: self.waits.clone(),
            sharing: self.sharing.clone(),
            ..ScanExec::new(scan, self.fetch)
        })))
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
