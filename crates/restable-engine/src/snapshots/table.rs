//! A snapshot as a table of DataFusion: what it shows now, what it showed at a time, or every refresh that is kept. Reading
//! it calls nobody. A condition only ever leaves out files and row groups in which no row can fulfil it; DataFusion applies
//! it again to the rows.

use std::any::Any;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use async_trait::async_trait;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::{DFSchema, Result as PlanResult};
use datafusion::logical_expr::utils::conjunction;
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown, TableType};
use datafusion::physical_optimizer::pruning::PruningPredicateBuilder;
use datafusion::physical_plan::ExecutionPlan;

use super::SNAPSHOT_TIME;
use super::columns;
use super::manifest::{Manifest, Refresh};
use super::moment::age;
use super::scan::{FilesOfTime, SnapshotExec};
use super::store::Store;
use crate::Result;
use crate::functions::NAME_METADATA;
use crate::statement::Statement;
use crate::table::has_subquery;
use restable_spec::names::fold;

/// Which refreshes are shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Shown {
    /// The newest.
    Newest,
    /// The one that has this file.
    One(String),
    /// All that are kept.
    All,
}

/// A snapshot as a table.
#[derive(Debug)]
pub struct SnapshotTable {
    store: Arc<Store>,
    manifest: Arc<Manifest>,
    refreshes: Vec<Refresh>,
    schema: SchemaRef,
    /// The name in the schema of the column with the time; `None` if the rows have a column of that name themselves.
    time: Option<String>,
}

/// What a statement read of a snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    /// The snapshot.
    pub name: String,
    /// When the oldest rows that were read became what it shows, in words.
    pub time: String,
    /// How long ago that is.
    pub age: std::time::Duration,
    /// How many refreshes were read.
    pub refreshes: usize,
}

impl Reading {
    /// For the coverage line: ``snapshot `estate` of 2026-11-22T05:00:00Z, 3 h old``.
    pub fn words(&self) -> String {
        let old = age(self.age);
        match self.refreshes {
            1 => format!("snapshot `{}` of {}, {old} old", self.name, self.time),
            many => format!(
                "{many} refreshes of `{}` since {}, {old} old",
                self.name, self.time
            ),
        }
    }
}

/// The column with the time that a table hides from `*`.
pub fn hidden(table: &dyn TableProvider) -> Option<&str> {
    let table = (table as &dyn Any).downcast_ref::<SnapshotTable>()?;
    table.time.as_deref()
}

/// The type of the column with the time.
pub fn time_type() -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, Some("+00:00".into()))
}

impl SnapshotTable {
    /// The table; `None` if the refresh is not kept any more. Its columns are those of all refreshes that are shown.
    pub fn open(
        store: &Arc<Store>,
        manifest: Arc<Manifest>,
        shown: &Shown,
    ) -> Result<Option<SnapshotTable>> {
        let refreshes: Vec<Refresh> = match shown {
            Shown::Newest => manifest.newest().cloned().into_iter().collect(),
            Shown::One(file) => {
                let one = manifest.refreshes.iter().find(|one| one.file == *file);
                one.cloned().into_iter().collect()
            }
            Shown::All => manifest.refreshes.clone(),
        };
        let Some(newest) = refreshes.last() else {
            return Ok(None);
        };
        let path = store.path(&manifest.name, newest);
        let mut all = vec![store.footer(&path, newest)?.schema().fields().clone()];
        let mut seen = vec![newest.columns.as_ref()];
        for older in refreshes.iter().rev().skip(1) {
            let columns = older.columns.as_ref();
            if columns.is_some() && seen.contains(&columns) {
                continue;
            }
            let path = store.path(&manifest.name, older);
            // Whoever reads a damaged file is told; who does not, need not know.
            if let Ok(footer) = store.footer(&path, older) {
                all.push(footer.schema().fields().clone());
                seen.push(columns);
            }
        }
        let mut fields = columns::together(&all);
        let folded = fold(SNAPSHOT_TIME);
        let is_taken = fields.iter().any(|field| *field.name() == folded);
        if !is_taken {
            let name = [(NAME_METADATA.to_owned(), SNAPSHOT_TIME.to_owned())];
            fields.push(Field::new(&folded, time_type(), false).with_metadata(name.into()));
        }
        Ok(Some(SnapshotTable {
            store: Arc::clone(store),
            refreshes,
            schema: Arc::new(Schema::new(fields)),
            time: (!is_taken).then_some(folded),
            manifest,
        }))
    }

    /// The name of the snapshot.
    pub fn name(&self) -> &str {
        &self.manifest.name
    }

    /// Tells the statement what it reads, and what the rows lack.
    fn tell(&self, state: &dyn Session, refreshes: &[Refresh]) {
        let statement = state.config().get_extension::<Statement>();
        let (Some(statement), Some(oldest)) = (statement, refreshes.first()) else {
            return;
        };
        statement.note_snapshot(Reading {
            name: self.manifest.name.clone(),
            time: oldest.at.shown(),
            age: oldest.at.until(self.store.now()),
            refreshes: refreshes.len(),
        });
        for lost in refreshes.iter().flat_map(|one| &one.missing) {
            statement.note_missing(None, &lost.scope, lost.clone().into());
        }
    }
}

#[async_trait]
impl TableProvider for SnapshotTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(
        &self,
        filters: &[&Expr],
    ) -> PlanResult<Vec<TableProviderFilterPushDown>> {
        let helps = |filter: &&Expr| match filter.is_volatile() || has_subquery(filter) {
            true => TableProviderFilterPushDown::Unsupported,
            false => TableProviderFilterPushDown::Inexact,
        };
        Ok(filters.iter().map(helps).collect())
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> PlanResult<Arc<dyn ExecutionPlan>> {
        let condition = conjunction(filters.iter().cloned());
        let prunes = match condition {
            Some(condition) => {
                let schema = DFSchema::try_from(Arc::clone(&self.schema))?;
                let condition = state.create_physical_expr(condition, &schema)?;
                // What cannot be asked of minima and maxima prunes nothing.
                PruningPredicateBuilder::new()
                    .with_file_schema(Arc::clone(&self.schema))
                    .try_build(condition)
                    .ok()
            }
            None => None,
        };
        let mut refreshes = self.refreshes.clone();
        if let (Some(prunes), Some(time)) = (&prunes, &self.time) {
            let kept = prunes.prune(&FilesOfTime::new(&refreshes, time))?;
            let mut kept = kept.into_iter();
            refreshes.retain(|_| kept.next().unwrap_or(true));
        }
        // A count is known without the file; it is no answer if the file is gone.
        for refresh in &refreshes {
            let path = self.store.path(&self.manifest.name, refresh);
            self.store.check(&path, refresh)?;
        }
        self.tell(state, &refreshes);
        let all: Vec<usize> = (0..self.schema.fields().len()).collect();
        let schema = Arc::new(self.schema.project(projection.unwrap_or(&all))?);
        Ok(Arc::new(SnapshotExec::new(
            Arc::clone(&self.store),
            self.manifest.name.clone(),
            refreshes,
            schema,
            self.time.clone(),
            prunes.map(Arc::new),
            limit,
        )))
    }
}
