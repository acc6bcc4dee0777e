//! The reading of a snapshot's files: one after the other on a thread of its own, the columns that are asked for and no
//! others, and of the row groups those that may hold a row that is wanted.

use std::collections::HashSet;
use std::fmt;
use std::panic::AssertUnwindSafe;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, RecordBatch, RecordBatchOptions, TimestampMicrosecondArray,
    UInt64Array, new_null_array,
};
use arrow::datatypes::SchemaRef;
use datafusion::common::pruning::PruningStatistics;
use datafusion::common::stats::Precision;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{Column, Result as PlanResult, ScalarValue, Statistics};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::{EquivalenceProperties, PhysicalExpr};
use datafusion::physical_optimizer::pruning::PruningPredicate;
use datafusion::physical_plan::execution_plan::{
    Boundedness, EmissionType, ReplaceChildrenOptions,
};
use datafusion::physical_plan::statistics::StatisticsArgs;
use datafusion::physical_plan::stream::RecordBatchReceiverStream;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, Partitioning, PlanProperties,
};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::statistics::StatisticsConverter;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ParquetRecordBatchReaderBuilder};
use parquet::file::metadata::RowGroupMetaData;

use super::columns;
use super::manifest::Refresh;
use super::store::{Store, corrupt, open};
use crate::Result;
use crate::zone::{Look, look};

/// Batches that are read ahead of whoever takes them.
const AHEAD: usize = 2;

/// The reading of refreshes of one snapshot.
#[derive(Debug, Clone)]
pub struct SnapshotExec {
    files: Arc<Files>,
    properties: Arc<PlanProperties>,
    limit: Option<usize>,
}

#[derive(Debug)]
struct Files {
    store: Arc<Store>,
    name: String,
    refreshes: Vec<Refresh>,
    schema: SchemaRef,
    /// The column that the files do not have.
    time: Option<String>,
    prunes: Option<Arc<PruningPredicate>>,
}

impl SnapshotExec {
    /// A plan that reads nothing yet.
    pub fn new(
        store: Arc<Store>,
        name: String,
        refreshes: Vec<Refresh>,
        schema: SchemaRef,
        time: Option<String>,
        prunes: Option<Arc<PruningPredicate>>,
        limit: Option<usize>,
    ) -> SnapshotExec {
        let properties = PlanProperties::new(
            EquivalenceProperties::new(Arc::clone(&schema)),
            Partitioning::UnknownPartitioning(1),
            EmissionType::Incremental,
            Boundedness::Bounded,
        );
        let files = Files {
            store,
            name,
            refreshes,
            schema,
            time,
            prunes,
        };
        SnapshotExec {
            files: Arc::new(files),
            properties: Arc::new(properties),
            limit,
        }
    }
}

impl DisplayAs for SnapshotExec {
    fn fmt_as(&self, _: DisplayFormatType, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let columns = self.files.schema.fields().iter();
        let columns: Vec<&str> = columns.map(|field| field.name().as_str()).collect();
        let columns = columns.join(", ");
        write!(
            formatter,
            "SnapshotExec: {}, refreshes={}, projection=[{columns}]",
            self.files.name,
            self.files.refreshes.len(),
        )?;
        match self.limit {
            Some(limit) => write!(formatter, ", fetch={limit}"),
            None => Ok(()),
        }
    }
}

impl ExecutionPlan for SnapshotExec {
    fn name(&self) -> &'static str {
        "SnapshotExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        Vec::new()
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> PlanResult<TreeNodeRecursion>,
    ) -> PlanResult<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn replace_children(
        self: Arc<Self>,
        _: Vec<Arc<dyn ExecutionPlan>>,
        _: ReplaceChildrenOptions,
    ) -> PlanResult<Arc<dyn ExecutionPlan>> {
        Ok(self)
    }

    fn with_new_children(
        self: Arc<Self>,
        _: Vec<Arc<dyn ExecutionPlan>>,
    ) -> PlanResult<Arc<dyn ExecutionPlan>> {
        Ok(self)
    }

    fn fetch(&self) -> Option<usize> {
        self.limit
    }

    fn supports_limit_pushdown(&self) -> bool {
        false
    }

    fn with_fetch(&self, limit: Option<usize>) -> Option<Arc<dyn ExecutionPlan>> {
        Some(Arc::new(SnapshotExec {
            limit,
            ..self.clone()
        }))
    }

    fn statistics_from_inputs(
        &self,
        _: &[Arc<Statistics>],
        _: &StatisticsArgs,
    ) -> PlanResult<Arc<Statistics>> {
        let refreshes = &self.files.refreshes;
        let rows: u64 = refreshes.iter().map(|one| one.rows).sum();
        let rows = usize::try_from(rows).unwrap_or(usize::MAX);
        let bytes: u64 = refreshes.iter().map(|one| one.bytes).sum();
        let mut statistics = Statistics::new_unknown(&self.files.schema);
        // Row groups that are left out make the sum a ceiling.
        let all = Precision::Exact(self.limit.map_or(rows, |limit| limit.min(rows)));
        statistics.num_rows = match self.files.prunes {
            Some(_) => all.to_inexact(),
            None => all,
        };
        statistics.total_byte_size =
            Precision::Inexact(usize::try_from(bytes).unwrap_or(usize::MAX));
        Ok(Arc::new(statistics))
    }

    fn execute(
        &self,
        _: usize,
        context: Arc<TaskContext>,
    ) -> PlanResult<SendableRecordBatchStream> {
        let mut builder = RecordBatchReceiverStream::builder(Arc::clone(&self.files.schema), AHEAD);
        let sender = builder.tx();
        let files = Arc::clone(&self.files);
        let mut left = self.limit.unwrap_or(usize::MAX);
        let batch_size = context.session_config().batch_size();
        let config = context.session_config().clone();
        builder.spawn_blocking(move || {
            for refresh in &files.refreshes {
                let path = files.store.path(&files.name, refresh);
                let most = left;
                let mut take = |batch: RecordBatch| {
                    left = left.saturating_sub(batch.num_rows());
                    sender.blocking_send(Ok(batch)).is_ok()
                };
                // A damaged file must not take the process with it, whatever a decoder makes of its bytes.
                let reading = AssertUnwindSafe(|| {
                    files.read(
                        &path,
                        refresh,
                        (batch_size, look(config.options())),
                        most,
                        &mut take,
                    )
                });
                let is_wanted = match std::panic::catch_unwind(reading) {
                    Ok(read) => read?,
                    Err(_) => return Err(corrupt(&path, "its rows make no sense").into()),
                };
                if !is_wanted || left == 0 {
                    break;
                }
            }
            Ok(())
        });
        Ok(builder.build())
    }
}

impl Files {
    /// Hands on the rows of a refresh, at most so many; false as soon as nobody takes them.
    fn read(
        &self,
        path: &Path,
        refresh: &Refresh,
        (batch_size, look): (usize, Look<'_>),
        most: usize,
        take: &mut dyn FnMut(RecordBatch) -> bool,
    ) -> Result<bool> {
        let footer = self.store.footer(path, refresh)?;
        let file = open(path, refresh)?;
        let wrong = |problem: &dyn fmt::Display| corrupt(path, &problem.to_string());
        let wanted: HashSet<&str> = self
            .schema
            .fields()
            .iter()
            .map(|field| field.name().as_str())
            .collect();
        let columns = footer.schema().fields().iter().enumerate();
        let roots = columns.filter(|(_, field)| wanted.contains(field.name().as_str()));
        let roots: Vec<usize> = roots.map(|(at, _)| at).collect();
        let mask = ProjectionMask::roots(footer.parquet_schema(), roots);
        let groups = self.groups(&footer, refresh);
        let mut reader = ParquetRecordBatchReaderBuilder::new_with_metadata(file, footer)
            .with_projection(mask)
            .with_row_groups(groups)
            .with_batch_size(batch_size);
        if most < usize::MAX {
            reader = reader.with_limit(most);
        }
        let reader = reader.build().map_err(|problem| wrong(&problem))?;
        for batch in reader {
            let batch = batch.map_err(|problem| wrong(&problem))?;
            if !take(self.shaped(&batch, refresh, look)?) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The row groups in which a row may be wanted.
    fn groups(&self, footer: &ArrowReaderMetadata, refresh: &Refresh) -> Vec<usize> {
        let groups = footer.metadata().row_groups();
        let about = GroupsOfFile {
            groups,
            footer,
            asked: self.prunes.as_ref().map(|prunes| prunes.schema()),
            time: self.time.as_deref(),
            at: refresh.at.0,
        };
        let kept = self
            .prunes
            .as_ref()
            .and_then(|prunes| prunes.prune(&about).ok());
        let is_kept = |at: &usize| {
            kept.as_ref()
                .is_none_or(|kept| kept.get(*at) != Some(&false))
        };
        (0..groups.len()).filter(is_kept).collect()
    }

    /// The rows with the columns that were asked for. A refresh of another day may have had fewer, or others.
    fn shaped(
        &self,
        batch: &RecordBatch,
        refresh: &Refresh,
        look: Look<'_>,
    ) -> Result<RecordBatch> {
        let rows = batch.num_rows();
        let column = |field: &Arc<arrow::datatypes::Field>| -> Result<ArrayRef> {
            if self.time.as_ref() == Some(field.name()) {
                let times = TimestampMicrosecondArray::from_value(refresh.at.0, rows);
                return Ok(Arc::new(times.with_timezone("+00:00")));
            }
            match batch.column_by_name(field.name()) {
                Some(array) => columns::taken(array, field, look, refresh),
                None => Ok(new_null_array(field.data_type(), rows)),
            }
        };
        let columns = self.schema.fields().iter().map(column);
        let columns = columns.collect::<Result<Vec<_>>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        let schema = Arc::clone(&self.schema);
        Ok(RecordBatch::try_new_with_options(
            schema, columns, &options,
        )?)
    }
}

/// What is known of files without opening them: their time.
pub struct FilesOfTime {
    column: String,
    times: ArrayRef,
}

impl FilesOfTime {
    /// Of these refreshes.
    pub fn new(refreshes: &[Refresh], column: &str) -> FilesOfTime {
        let times: TimestampMicrosecondArray = refreshes
            .iter()
            .map(|one| one.at.0)
            .collect::<Vec<_>>()
            .into();
        FilesOfTime {
            column: column.to_owned(),
            times: Arc::new(times.with_timezone("+00:00")),
        }
    }

    fn times(&self, column: &Column) -> Option<ArrayRef> {
        (column.name == self.column).then(|| Arc::clone(&self.times))
    }
}

impl PruningStatistics for FilesOfTime {
    fn min_values(&self, column: &Column) -> Option<ArrayRef> {
        self.times(column)
    }

    fn max_values(&self, column: &Column) -> Option<ArrayRef> {
        self.times(column)
    }

    fn num_containers(&self) -> usize {
        self.times.len()
    }

    fn null_counts(&self, column: &Column) -> Option<ArrayRef> {
        self.times(column)
            .map(|times| Arc::new(UInt64Array::from(vec![0; times.len()])) as ArrayRef)
    }

    fn row_counts(&self) -> Option<ArrayRef> {
        None
    }

    fn contained(&self, _: &Column, _: &HashSet<ScalarValue>) -> Option<BooleanArray> {
        None
    }
}

/// What the footer of a file tells of its row groups.
struct GroupsOfFile<'f> {
    groups: &'f [RowGroupMetaData],
    footer: &'f ArrowReaderMetadata,
    /// The columns as they are asked for.
    asked: Option<&'f SchemaRef>,
    time: Option<&'f str>,
    at: i64,
}

impl GroupsOfFile<'_> {
    fn is_time(&self, column: &Column) -> bool {
        self.time == Some(column.name.as_str())
    }

    fn times(&self) -> ArrayRef {
        let times = TimestampMicrosecondArray::from_value(self.at, self.groups.len());
        Arc::new(times.with_timezone("+00:00"))
    }

    fn converter(&self, column: &Column) -> Option<StatisticsConverter<'_>> {
        let (schema, parquet) = (self.footer.schema(), self.footer.parquet_schema());
        // The least of numbers is not the least of their texts.
        let own = schema.field_with_name(&column.name).ok()?;
        let asked = self.asked?.field_with_name(&column.name).ok()?;
        if own.data_type() != asked.data_type() {
            return None;
        }
        StatisticsConverter::try_new(&column.name, schema, parquet).ok()
    }
}

impl PruningStatistics for GroupsOfFile<'_> {
    fn min_values(&self, column: &Column) -> Option<ArrayRef> {
        if self.is_time(column) {
            return Some(self.times());
        }
        self.converter(column)?.row_group_mins(self.groups).ok()
    }

    fn max_values(&self, column: &Column) -> Option<ArrayRef> {
        if self.is_time(column) {
            return Some(self.times());
        }
        self.converter(column)?.row_group_maxes(self.groups).ok()
    }

    fn num_containers(&self) -> usize {
        self.groups.len()
    }

    fn null_counts(&self, column: &Column) -> Option<ArrayRef> {
        if self.is_time(column) {
            return Some(Arc::new(UInt64Array::from(vec![0; self.groups.len()])));
        }
        let counts = self
            .converter(column)?
            .row_group_null_counts(self.groups)
            .ok()?;
        Some(Arc::new(counts))
    }

    fn row_counts(&self) -> Option<ArrayRef> {
        let count = |group: &RowGroupMetaData| u64::try_from(group.num_rows()).unwrap_or_default();
        let counts: Vec<u64> = self.groups.iter().map(count).collect();
        Some(Arc::new(UInt64Array::from(counts)))
    }

    fn contained(&self, _: &Column, _: &HashSet<ScalarValue>) -> Option<BooleanArray> {
        None
    }
}
