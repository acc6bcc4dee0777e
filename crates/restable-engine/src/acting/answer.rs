//! What a statement that acts answers: a row for each target. Its columns are known without sending anything.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, Float64Array, Int64Array, RecordBatch, RecordBatchOptions, StringArray,
};
use arrow::datatypes::{Field, Schema, SchemaRef};
use restable_http::{Finished, Source};
use restable_spec::names::same;
use restable_spec::{Kind, Method};
use serde_json::value::RawValue;

use super::plan::{Wait, path_parameters};
use crate::Result;
use crate::functions::json_metadata;
use crate::table::data_type;

/// What became of one target.
#[derive(Debug, Default, Clone)]
pub(super) struct Answer {
    /// Values of the method's path parameters.
    pub parameters: Vec<(String, String)>,
    /// The word for it.
    pub status: &'static str,
    /// The service's id of the operation.
    pub operation_id: Option<String>,
    /// The number of its entry in the journal.
    pub operation: Option<i64>,
    /// The top-level attributes of the final answer.
    pub result: Attributes,
    /// How the job ended.
    pub job_status: Option<String>,
    /// How long it took.
    pub job_seconds: Option<f64>,
    /// The service's code of what went wrong.
    pub error_code: Option<String>,
    /// What went wrong.
    pub error_message: Option<String>,
    /// All that is known of it, JSON.
    pub error: Option<String>,
    /// The call, where it is only shown.
    pub shown: Option<Shown>,
}

/// The attributes of a JSON object, each as its own text.
pub(super) type Attributes = BTreeMap<String, Box<RawValue>>;

/// A call that is shown.
#[derive(Debug, Clone)]
pub(super) struct Shown {
    pub http_method: &'static str,
    pub url: String,
    pub body: Option<String>,
    pub destructive: bool,
    pub blockers: Option<String>,
}

/// What a column of the result holds.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Slot {
    Parameter(String),
    Status,
    OperationId,
    Operation,
    Result(String, Kind),
    JobStatus,
    JobSeconds,
    ErrorCode,
    ErrorMessage,
    Error,
    HttpMethod,
    Url,
    Body,
    Destructive,
    Blockers,
}

impl Slot {
    fn kind(&self) -> Kind {
        match self {
            Slot::Operation => Kind::Integer,
            Slot::JobSeconds => Kind::Number,
            Slot::Destructive => Kind::Boolean,
            Slot::Error | Slot::Body | Slot::Blockers => Kind::Json,
            Slot::Result(_, kind) => *kind,
            _ => Kind::Text,
        }
    }
}

/// The columns of a result, in order, each with its name.
#[derive(Debug, Clone)]
pub(super) struct Columns(Vec<(String, Slot)>);

impl Columns {
    /// The columns of what calls of these methods answer.
    pub(super) fn of(methods: &[&Arc<Method>], wait: Wait, preview: bool) -> Columns {
        let named = |name: &str, slot| (name.to_owned(), slot);
        let mut before: Vec<(String, Slot)> = Vec::new();
        for name in methods.iter().flat_map(|method| path_parameters(method)) {
            if !before.iter().any(|(known, _)| same(known, name)) {
                before.push(named(name, Slot::Parameter(name.to_owned())));
            }
        }
        before.push(named("status", Slot::Status));
        before.push(named("operation_id", Slot::OperationId));
        before.push(named("operation", Slot::Operation));
        let mut after = Vec::new();
        if wait == Wait::Job {
            after.push(named("job_status", Slot::JobStatus));
            after.push(named("job_duration_seconds", Slot::JobSeconds));
        }
        after.push(named("error_code", Slot::ErrorCode));
        after.push(named("error_message", Slot::ErrorMessage));
        after.push(named("error", Slot::Error));
        if preview {
            after.push(named("http_method", Slot::HttpMethod));
            after.push(named("url", Slot::Url));
            after.push(named("body", Slot::Body));
            after.push(named("destructive", Slot::Destructive));
            after.push(named("blockers", Slot::Blockers));
        }
        let taken = |name: &str| {
            before
                .iter()
                .chain(&after)
                .any(|(known, _)| same(known, name))
        };
        let mut results: Vec<(String, Slot)> = Vec::new();
        for field in methods.iter().flat_map(|method| method.result_fields()) {
            let name = match taken(&field.name) {
                true => format!("result_{}", field.name),
                false => field.name.clone(),
            };
            if !results.iter().any(|(known, _)| same(known, &name)) {
                results.push((name, Slot::Result(field.name.clone(), field.kind)));
            }
        }
        Columns(before.into_iter().chain(results).chain(after).collect())
    }

    /// Their names and types.
    pub(super) fn schema(&self) -> SchemaRef {
        let fields = self.0.iter().map(|(name, slot)| field(name, slot.kind()));
        Arc::new(Schema::new(fields.collect::<Vec<_>>()))
    }

    /// Answers as rows.
    pub(super) fn batch(&self, answers: &[Answer]) -> Result<RecordBatch> {
        let columns = self.0.iter().map(|(_, slot)| column(slot, answers));
        let options = RecordBatchOptions::new().with_row_count(Some(answers.len()));
        Ok(RecordBatch::try_new_with_options(
            self.schema(),
            columns.collect(),
            &options,
        )?)
    }
}

fn field(name: &str, kind: Kind) -> Field {
    let field = Field::new(name, data_type(kind), true);
    match kind {
        Kind::Json => field.with_metadata(json_metadata()),
        _ => field,
    }
}

/// The columns of what a method answers that only asks.
pub(super) fn read_schema(method: &Method) -> SchemaRef {
    let fields = method.response.fields.iter();
    let fields = fields.map(|it| field(&it.name, it.kind));
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

fn column(slot: &Slot, answers: &[Answer]) -> ArrayRef {
    let texts = |of: &dyn Fn(&Answer) -> Option<String>| -> ArrayRef {
        Arc::new(answers.iter().map(of).collect::<StringArray>())
    };
    let shown = |of: &dyn Fn(&Shown) -> Option<String>| -> ArrayRef {
        Arc::new(
            answers
                .iter()
                .map(|answer| answer.shown.as_ref().and_then(of))
                .collect::<StringArray>(),
        )
    };
    match slot {
        Slot::Parameter(name) => texts(&|answer| {
            let found = answer
                .parameters
                .iter()
                .find(|(known, _)| same(known, name));
            found.map(|(_, value)| value.clone())
        }),
        Slot::Status => texts(&|answer| Some(answer.status.to_owned())),
        Slot::OperationId => texts(&|answer| answer.operation_id.clone()),
        Slot::Operation => Arc::new(
            answers
                .iter()
                .map(|answer| answer.operation)
                .collect::<Int64Array>(),
        ),
        Slot::Result(name, kind) => results(name, *kind, answers),
        Slot::JobStatus => texts(&|answer| answer.job_status.clone()),
        Slot::JobSeconds => Arc::new(
            answers
                .iter()
                .map(|answer| answer.job_seconds)
                .collect::<Float64Array>(),
        ),
        Slot::ErrorCode => texts(&|answer| answer.error_code.clone()),
        Slot::ErrorMessage => texts(&|answer| answer.error_message.clone()),
        Slot::Error => texts(&|answer| answer.error.clone()),
        Slot::HttpMethod => shown(&|shown| Some(shown.http_method.to_owned())),
        Slot::Url => shown(&|shown| Some(shown.url.clone())),
        Slot::Body => shown(&|shown| shown.body.clone()),
        Slot::Destructive => Arc::new(
            answers
                .iter()
                .map(|answer| answer.shown.as_ref().map(|shown| shown.destructive))
                .collect::<BooleanArray>(),
        ),
        Slot::Blockers => shown(&|shown| shown.blockers.clone()),
    }
}

/// The values of one attribute. What has another type than the document's is NULL here; [`misfits`] tells it.
fn results(name: &str, kind: Kind, answers: &[Answer]) -> ArrayRef {
    let raw = |answer: &Answer| -> Option<String> {
        let text = answer.result.get(name)?.get();
        (text != "null").then(|| text.to_owned())
    };
    fn read<T: serde::de::DeserializeOwned>(text: Option<String>) -> Option<T> {
        serde_json::from_str(&text?).ok()
    }
    match kind {
        Kind::Json => Arc::new(answers.iter().map(raw).collect::<StringArray>()),
        Kind::Text => {
            let texts = answers.iter().map(|answer| {
                // Text that is none is shown as it came.
                raw(answer).map(|text| serde_json::from_str(&text).unwrap_or(text))
            });
            Arc::new(texts.collect::<StringArray>())
        }
        Kind::Integer => {
            let values = answers.iter().map(|answer| read::<i64>(raw(answer)));
            Arc::new(values.collect::<Int64Array>())
        }
        Kind::Number => {
            let values = answers.iter().map(|answer| read::<f64>(raw(answer)));
            Arc::new(values.collect::<Float64Array>())
        }
        Kind::Boolean => {
            let values = answers.iter().map(|answer| read::<bool>(raw(answer)));
            Arc::new(values.collect::<BooleanArray>())
        }
    }
}

/// Attributes of an answer whose type is not the document's. An action is done whatever its answer looks like, so that this is a notice.
pub(super) fn misfits<'a>(method: &'a Method, result: &Attributes) -> Vec<&'a str> {
    let fits = |kind: Kind, text: &str| match kind {
        Kind::Text | Kind::Json => true,
        Kind::Integer => serde_json::from_str::<Option<i64>>(text).is_ok(),
        Kind::Number => serde_json::from_str::<Option<f64>>(text).is_ok(),
        Kind::Boolean => serde_json::from_str::<Option<bool>>(text).is_ok(),
    };
    let fields = method.result_fields().iter();
    fields
        .filter(|field| {
            let raw = result.get(&field.name);
            raw.is_some_and(|raw| !fits(field.kind, raw.get()))
        })
        .map(|field| field.name.as_str())
        .collect()
}

/// The attributes of a result. Where the result stands in the status of the operation, it is its `properties`.
pub(super) fn attributes(finished: &Finished) -> Attributes {
    let object = |body: &[u8]| serde_json::from_slice::<Attributes>(body).ok();
    let properties = |body: &[u8]| {
        let properties = object(body)?.remove("properties")?;
        object(properties.get().as_bytes())
    };
    let body = finished.body.as_deref();
    let monitor = finished.monitor.as_deref();
    let found = match finished.source {
        Source::Monitor => body.and_then(properties),
        Source::Call | Source::Location | Source::Resource => body.and_then(object),
    };
    found
        .or_else(|| monitor.and_then(properties))
        .unwrap_or_default()
}

/// The attributes of a result as the journal keeps it: the final answer, or the status of the operation around it.
pub(super) fn journaled(method: &Method, text: &str) -> Attributes {
    let mut found: Attributes = serde_json::from_str(text).unwrap_or_default();
    let known = method
        .result_fields()
        .iter()
        .any(|field| found.contains_key(&field.name));
    match found.remove("properties") {
        Some(inner) if !known => serde_json::from_str(inner.get()).unwrap_or_default(),
        Some(inner) => {
            found.insert("properties".to_owned(), inner);
            found
        }
        None => found,
    }
}

impl Answer {
    /// With what the service, or the way to it, says is wrong.
    pub(super) fn with_error(mut self, error: &restable_http::Error) -> Answer {
        self.error_code.clone_from(&error.code);
        // A service that says nothing leaves the status to be told.
        self.error_message = Some(match error.message.trim() {
            "" => error.to_string(),
            message => message.to_owned(),
        });
        self.error = Some(error.report().to_string());
        self
    }

    /// With a text that says why.
    pub(super) fn because(mut self, why: impl Into<String>) -> Answer {
        self.error_message = Some(why.into());
        self
    }
}
