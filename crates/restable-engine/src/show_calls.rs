//! SHOW CALLS: the calls of the last statement, a row for each list, GET or action. `SHOW CALLS EXTENDED` has a row for each request.

use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema};
use restable_http::CallRecord;

use crate::Result;
use crate::session::Session;

/// Requests that belong together: the pages of a list, or one request.
struct Line<'a> {
    first: &'a CallRecord,
    all: Vec<&'a CallRecord>,
}

/// Columns as they are added.
#[derive(Default)]
struct Columns {
    fields: Vec<Field>,
    arrays: Vec<ArrayRef>,
}

impl Columns {
    fn text(&mut self, name: &str, values: impl Iterator<Item = Option<String>>) {
        self.fields.push(Field::new(name, DataType::Utf8, true));
        self.arrays.push(Arc::new(values.collect::<StringArray>()));
    }

    fn number(&mut self, name: &str, values: impl Iterator<Item = Option<u64>>) {
        let values = values.map(|value| value.and_then(|value| i64::try_from(value).ok()));
        self.fields.push(Field::new(name, DataType::Int64, true));
        self.arrays.push(Arc::new(values.collect::<Int64Array>()));
    }

    fn seconds(&mut self, name: &str, milliseconds: impl Iterator<Item = Option<u64>>) {
        #[expect(clippy::cast_precision_loss, reason = "milliseconds of a statement")]
        let values = milliseconds.map(|value| value.map(|value| value as f64 / 1e3));
        self.fields.push(Field::new(name, DataType::Float64, true));
        self.arrays.push(Arc::new(values.collect::<Float64Array>()));
    }
}

/// The calls of the last statement that made any.
pub(crate) fn calls(session: &Session, extended: bool) -> Result<RecordBatch> {
    let meter = session
        .last_statement()
        .map(|statement| Arc::clone(&statement.meter));
    let records = meter
        .as_ref()
        .map(|meter| meter.records())
        .unwrap_or_default();
    let dropped = meter.map_or(0, |meter| meter.totals().records_dropped);
    let mut lines: Vec<Line<'_>> = Vec::new();
    let mut known = std::collections::HashMap::new();
    for record in &records {
        // Each page of a list has the scope of the list; an action and the questions after it have different methods.
        let name = (&record.operation_id, record.method, &record.scope);
        match known.get(&name) {
            Some(at) if !extended => {
                let line: &mut Line<'_> = &mut lines[*at];
                line.all.push(record);
            }
            _ => {
                known.insert(name, lines.len());
                lines.push(Line {
                    first: record,
                    all: vec![record],
                });
            }
        }
    }
    let of = |line: &Line<'_>, value: fn(&CallRecord) -> u64| -> u64 {
        line.all.iter().map(|record| value(record)).sum()
    };
    let more = (dropped > 0).then_some(dropped);
    let sum = |value: fn(&CallRecord) -> u64| lines.iter().map(move |line| Some(of(line, value)));
    let none = || more.map(|_| None::<u64>);
    let mut columns = Columns::default();
    let first = |value: fn(&CallRecord) -> Option<String>| {
        lines
            .iter()
            .map(move |line| value(line.first))
            .chain(more.map(|_| None))
    };
    let last_word = more.map(|_| Some("(calls that are not listed)".to_owned()));
    let operations = lines
        .iter()
        .map(|line| Some(line.first.operation_id.clone()));
    columns.text("operation", operations.chain(last_word));
    columns.text("method", first(|record| Some(record.method.to_owned())));
    columns.text("scope", first(|record| Some(record.scope.clone())));
    columns.text("url", first(|record| Some(record.url.clone())));
    if extended {
        columns.number("page", sum(|record| record.page as u64).chain(none()));
    }
    let sent = |record: &CallRecord| u64::from(record.age.is_none());
    columns.number("calls", sum(sent).chain(more.map(Some)));
    columns.number(
        "pages",
        sum(|record| u64::from(record.rows.is_some())).chain(none()),
    );
    columns.number(
        "rows",
        sum(|record| record.rows.unwrap_or_default()).chain(none()),
    );
    columns.number("bytes", sum(|record| record.bytes).chain(none()));
    if extended {
        columns.number("wire_bytes", sum(|record| record.wire_bytes).chain(none()));
    }
    let retries = |record: &CallRecord| u64::from(record.attempts.saturating_sub(1));
    columns.number("retries", sum(retries).chain(none()));
    columns.seconds(
        "throttle_seconds",
        sum(|record| record.throttled_milliseconds).chain(none()),
    );
    let first_row = lines.iter().map(|line| {
        let times = line.all.iter();
        times
            .filter_map(|record| record.first_row_milliseconds)
            .min()
    });
    columns.seconds("first_row_seconds", first_row.chain(none()));
    columns.seconds("seconds", sum(|record| record.milliseconds).chain(none()));
    let status = lines.iter().map(|line| {
        let last = line.all.last().and_then(|record| record.status);
        last.map(u64::from)
    });
    columns.number("status", status.chain(none()));
    let age = lines.iter().map(|line| {
        let ages = line.all.iter().filter_map(|record| record.age);
        ages.max()
            .map(|age| u64::try_from(age.as_millis()).unwrap_or(u64::MAX))
    });
    columns.seconds("cached_seconds", age.chain(none()));
    columns.text(
        "client_request_id",
        first(|record| {
            record
                .age
                .is_none()
                .then(|| record.client_request_id.clone())
        }),
    );
    if extended {
        columns.text("request_id", first(|record| record.request_id.clone()));
    }
    Ok(RecordBatch::try_new(
        Arc::new(Schema::new(columns.fields)),
        columns.arrays,
    )?)
}
