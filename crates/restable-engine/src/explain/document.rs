//! EXPLAIN (FORMAT JSON): the facts of EXPLAIN's rows as one JSON document, in the form of PostgreSQL's: an array of one object, whose
//! `Plan` is a tree of nodes. Restable's own facts (calls, limits) stand beside the plan. Sends nothing itself.

use std::sync::Arc;

use arrow::array::{RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::physical_plan::{ExecutionPlan, displayable};
use serde_json::{Map, Value, json};

use super::{Forecast, ScanForecast, Share};
use crate::Result;
use crate::forecast::Count;
use crate::functions::json_metadata;
use crate::memory;
use crate::statement::Statement;

/// The one column of the one row, called as PostgreSQL calls it.
pub(crate) fn schema() -> SchemaRef {
    let column = Field::new("QUERY PLAN", DataType::Utf8, false);
    Arc::new(Schema::new(vec![column.with_metadata(json_metadata())]))
}

/// What is told of a query.
pub(super) struct Told<'a> {
    pub logical: String,
    pub physical: &'a Arc<dyn ExecutionPlan>,
    pub forecast: &'a Forecast,
    /// What ran, and for so many seconds.
    pub ran: Option<(&'a Statement, f64)>,
}

/// The document of a query.
pub(super) fn of_query(told: &Told<'_>) -> Result<RecordBatch> {
    let mut document = Map::new();
    let ran = told.ran.is_some();
    document.insert("Plan".to_owned(), node(told.physical, ran));
    document.insert("Logical Plan".to_owned(), json!(told.logical));
    calls(&mut document, told.forecast, told.ran.map(|(ran, _)| ran));
    if let Some((_, seconds)) = told.ran {
        document.insert("Execution Time".to_owned(), json!(millis(seconds)));
    }
    row(document)
}

/// The document of a statement that acts: its call in words, how its rows are found, and what finding them costs.
pub(crate) fn of_acting(call: &str, source: &str, forecast: &Forecast) -> Result<RecordBatch> {
    let mut document = Map::new();
    let plan = json!({ "Node Type": "Call", "Details": call });
    document.insert("Plan".to_owned(), plan);
    document.insert("Source".to_owned(), json!(source));
    calls(&mut document, forecast, None);
    row(document)
}

fn row(document: Map<String, Value>) -> Result<RecordBatch> {
    let text = format!("{:#}", Value::Array(vec![Value::Object(document)]));
    let text = StringArray::from(vec![text]);
    Ok(RecordBatch::try_new(schema(), vec![Arc::new(text)])?)
}

fn millis(seconds: f64) -> f64 {
    (seconds * 1e6).round() / 1e3
}

fn node(plan: &Arc<dyn ExecutionPlan>, ran: bool) -> Value {
    let mut told = Map::new();
    let name = plan.name().trim_end_matches("Exec");
    told.insert("Node Type".to_owned(), json!(name));
    let details = displayable(plan.as_ref()).one_line().to_string();
    told.insert("Details".to_owned(), json!(details.trim_end()));
    if ran && let Some(measured) = plan.metrics() {
        let measured = measured.aggregate_by_name();
        if let Some(rows) = measured.output_rows() {
            told.insert("Actual Rows".to_owned(), json!(rows));
        }
        if let Some(nanos) = measured.elapsed_compute() {
            #[expect(clippy::cast_precision_loss, reason = "a time for people")]
            let seconds = nanos as f64 / 1e9;
            told.insert("Actual Total Time".to_owned(), json!(millis(seconds)));
        }
    }
    let below = plan.children().into_iter();
    let below: Vec<Value> = below.map(|plan| node(plan, ran)).collect();
    if !below.is_empty() {
        told.insert("Plans".to_owned(), Value::Array(below));
    }
    Value::Object(told)
}

fn calls(document: &mut Map<String, Value>, forecast: &Forecast, ran: Option<&Statement>) {
    let now = memory::now();
    let scans = forecast.scans.iter();
    let scans: Vec<Value> = scans.map(|one| scan(one, now, ran)).collect();
    document.insert("Calls".to_owned(), Value::Array(scans));
    if let Some(count) = forecast.calls {
        let fact = ran.map(|ran| ran.meter.totals().calls);
        let all = bounds(Map::new(), count, fact);
        document.insert("Calls In All".to_owned(), Value::Object(all));
    }
    let limits: Vec<Value> = forecast.shares.iter().map(share).collect();
    document.insert("Limits".to_owned(), Value::Array(limits));
}

fn bounds(mut told: Map<String, Value>, count: Count, fact: Option<u64>) -> Map<String, Value> {
    told.insert("Least".to_owned(), json!(count.least));
    told.insert("Most".to_owned(), json!(count.most));
    if let Some(fact) = fact {
        told.insert("Actual".to_owned(), json!(fact));
    }
    told
}

fn scan(scan: &ScanForecast, now: u64, ran: Option<&Statement>) -> Value {
    let mut told = Map::new();
    let mut put = |name: &str, value: Value| {
        told.insert(name.to_owned(), value);
    };
    put("Table", json!(scan.table));
    put("Method", json!(scan.method));
    put("Binds", json!(scan.binds));
    put("Prunes", json!(scan.prunes));
    put("Formula", json!(scan.formula));
    put("Value", json!(scan.value));
    put("Legend", json!(scan.legend));
    put("Reasons", json!(scan.reasons));
    if let Some(oldest) = scan.oldest {
        put("Age In Seconds", json!(now.saturating_sub(oldest)));
    }
    let fact = ran.map(|ran| {
        let parts = scan.parts.iter();
        parts.map(|part| ran.part(part).totals().calls).sum()
    });
    Value::Object(bounds(told, scan.calls, fact))
}

fn share(share: &Share) -> Value {
    let told = json!({
        "Name": share.name,
        "At Once": share.at_once,
        "Told By The Service": share.told,
        "Per Second": share.per_second,
    });
    match told {
        Value::Object(told) => Value::Object(bounds(told, share.calls, None)),
        other => other,
    }
}
