//! The rows of a query into a file of a snapshot. All of them, or no file: a scope that could not be read is a failure here,
//! unless `partial_refresh` says otherwise.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{RecordBatch, RecordBatchOptions};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{Field, Schema, SchemaRef};
use datafusion::logical_expr::LogicalPlan;
use parquet::file::metadata::KeyValue;

use super::columns;
use super::manifest::{Lost, Refresh};
use super::sink::{self, Sink};
use super::store::Writer;
use crate::functions::{FOLD_METADATA, INPUT_METADATA};
use crate::outcome::Report;
use crate::session::{Prepared, Session};
use crate::statement::{Missing, Statement};
use crate::{Error, Outcome, Result};

/// What is to be read, and by whom.
pub struct Source<'s> {
    /// The session that it is read in.
    pub session: &'s Session,
    /// The query.
    pub plan: LogicalPlan,
    /// The statement that its calls count for. If it may leave out scopes, all that cannot be read are told at the end.
    pub running: Statement,
    /// Whether rows with scopes missing are kept.
    pub keeps_partial: bool,
}

/// Reads the rows and gives their file its name. The snapshot is what it was until a manifest names the file.
pub async fn fill(
    writer: &Writer,
    source: Source<'_>,
    statement: &str,
    last: Option<&Refresh>,
) -> Result<(Refresh, Report)> {
    let schema = stored(&source.plan);
    sink::check(&schema)?;
    let store = Arc::clone(writer.store());
    let started = store.now();
    let part = writer.begin()?;
    let mut running = source.running;
    running.partial |= source.keeps_partial;
    let prepared = Prepared::of_plan(source.plan);
    // A statement that keeps rows runs one that reads them.
    let outcome = Box::pin(source.session.run_as(prepared, running)).await?;
    let Outcome::Rows(mut rows) = outcome else {
        return Err(Error::internal("a query answered no rows"));
    };
    let mut sink = Sink::open(part.clone(), Arc::clone(&schema));
    while let Some(batch) = rows.next().await {
        sink.write(shaped(&batch?, &schema)?).await?;
    }
    let report = rows.report();
    drop(rows);
    if !report.is_complete() && !source.keeps_partial {
        return Err(incomplete(&report.missing));
    }
    let missing: Vec<Lost> = report.missing.iter().cloned().map(Lost::from).collect();
    let entry = |key: &str, value: String| KeyValue::new(format!("restable.{key}"), value);
    let about = vec![
        entry("snapshot", writer.name().to_owned()),
        entry("statement", statement.to_owned()),
        entry("started_at", started.to_string()),
        entry(
            "missing",
            serde_json::to_string(&missing).unwrap_or_default(),
        ),
    ];
    let written = sink.finish(about).await?;
    let at = writer.moment(last);
    let refresh = Refresh {
        file: writer.place(&part, at)?,
        started,
        at,
        rows: written.rows,
        bytes: written.bytes,
        calls: report.calls,
        scopes: report.scopes.clone(),
        missing,
        columns: Some(columns::fingerprint(&schema)),
    };
    Ok((refresh, report))
}

/// The columns as they are kept. Names of scopes were of one spelling in the session that read them; beside those of another
/// session they need not be.
fn stored(plan: &LogicalPlan) -> SchemaRef {
    let fields = plan.schema().fields().iter().map(|field| {
        let mut metadata: HashMap<String, String> = field.metadata().clone();
        metadata.remove(INPUT_METADATA);
        if let Some(mark) = metadata.get_mut(FOLD_METADATA) {
            "1".clone_into(mark);
        }
        Field::new(field.name(), field.data_type().clone(), true).with_metadata(metadata)
    });
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

fn shaped(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch> {
    // A value that does not fit would be NULL otherwise.
    let strictly = CastOptions {
        safe: false,
        ..CastOptions::default()
    };
    let columns = batch.columns().iter().zip(schema.fields());
    let columns = columns.map(|(array, field)| {
        Ok(match array.data_type() == field.data_type() {
            true => Arc::clone(array),
            false => cast_with_options(array, field.data_type(), &strictly)?,
        })
    });
    let columns = columns.collect::<Result<Vec<_>>>()?;
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    Ok(RecordBatch::try_new_with_options(
        Arc::clone(schema),
        columns,
        &options,
    )?)
}

fn incomplete(missing: &[Missing]) -> Error {
    let problem = "and only complete rows are kept";
    let advice = "`SET partial_refresh = on` keeps such rows, marked with what they lack";
    Missing::refused(missing, problem, advice)
}
