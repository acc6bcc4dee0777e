//! Values of the source rows as parameters and attributes: typed, never strings by accident.

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{DataType, Field};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use restable_spec::BodyValue;
use serde_json::{Map, Number, Value};

use crate::functions::JSON_METADATA;
use crate::{Error, Result};

/// The text of a value for a parameter; `None` for NULL.
pub(super) fn text(batch: &RecordBatch, column: usize, row: usize) -> Result<Option<String>> {
    written(batch.column(column), row)
}

/// A value for an attribute of a body.
pub(super) fn attribute(batch: &RecordBatch, column: usize, row: usize) -> Result<BodyValue> {
    let schema = batch.schema();
    let field: &Field = schema.field(column);
    let array = batch.column(column);
    let Some(text) = written(array, row)? else {
        return Ok(BodyValue::Null);
    };
    let is_json = field
        .metadata()
        .get(JSON_METADATA)
        .is_some_and(|kind| kind == "object");
    Ok(match array.data_type() {
        DataType::Boolean => BodyValue::Boolean(text == "true"),
        kind if kind.is_integer() => BodyValue::Integer(text),
        kind if is_number(kind) => match text.contains(['.', 'e', 'E']) {
            true => BodyValue::Number(text),
            false => BodyValue::Integer(text),
        },
        kind if is_time(kind) => BodyValue::Timestamp(text),
        kind if is_text(kind) && is_json => BodyValue::Json(text),
        kind if is_text(kind) => BodyValue::Text(text),
        DataType::Null => BodyValue::Null,
        DataType::Dictionary(_, values) if is_text(values) => BodyValue::Text(text),
        DataType::List(_) | DataType::LargeList(_) | DataType::Struct(_) => {
            BodyValue::Json(json(array, row)?.to_string())
        }
        other => return Err(unsendable(other)),
    })
}

fn unsendable(kind: &DataType) -> Error {
    Error::Plan {
        message: format!("a value of the type {kind} cannot be sent"),
        hint: Some("cast it to text, or build JSON text of it".to_owned()),
    }
}

fn is_text(kind: &DataType) -> bool {
    matches!(
        kind,
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View
    )
}

fn is_number(kind: &DataType) -> bool {
    kind.is_floating()
        || matches!(
            kind,
            DataType::Decimal32(..)
                | DataType::Decimal64(..)
                | DataType::Decimal128(..)
                | DataType::Decimal256(..)
        )
}

fn is_time(kind: &DataType) -> bool {
    matches!(
        kind,
        DataType::Timestamp(..) | DataType::Date32 | DataType::Date64
    )
}

/// Whether a value is NULL. The column of a bare NULL has no bitmap that says so, only its type.
fn is_null(array: &dyn Array, row: usize) -> bool {
    array.data_type() == &DataType::Null || array.is_null(row)
}

/// Digits for numbers, ISO 8601 for times.
fn written(array: &dyn Array, row: usize) -> Result<Option<String>> {
    if is_null(array, row) {
        return Ok(None);
    }
    // A time without a zone is UTC, as everything of Azure's is.
    const OPTIONS: FormatOptions<'static> = FormatOptions::new()
        .with_timestamp_tz_format(Some("%Y-%m-%dT%H:%M:%S%.f%:z"))
        .with_timestamp_format(Some("%Y-%m-%dT%H:%M:%S%.fZ"))
        .with_datetime_format(Some("%Y-%m-%dT%H:%M:%S%.fZ"));
    let text = ArrayFormatter::try_new(array, &OPTIONS)?
        .value(row)
        .try_to_string()?;
    Ok(Some(match text.strip_suffix("+00:00") {
        Some(time) if matches!(array.data_type(), DataType::Timestamp(..)) => format!("{time}Z"),
        _ => text,
    }))
}

/// A list or a structure as JSON.
fn json(array: &dyn Array, row: usize) -> Result<Value> {
    if is_null(array, row) {
        return Ok(Value::Null);
    }
    Ok(match array.data_type() {
        DataType::List(_) => elements(&array.as_list::<i32>().value(row))?,
        DataType::LargeList(_) => elements(&array.as_list::<i64>().value(row))?,
        DataType::Struct(fields) => {
            let columns = array.as_struct().columns();
            let entries = fields.iter().zip(columns);
            let entries =
                entries.map(|(field, column)| Ok((field.name().clone(), json(column, row)?)));
            Value::Object(entries.collect::<Result<Map<_, _>>>()?)
        }
        DataType::Boolean => Value::Bool(array.as_boolean().value(row)),
        kind if kind.is_integer() || is_number(kind) => {
            let text = written(array, row)?.unwrap_or_default();
            let number: Number = text.parse().map_err(|_| unsendable(kind))?;
            Value::Number(number)
        }
        kind if is_text(kind) || is_time(kind) => {
            Value::String(written(array, row)?.unwrap_or_default())
        }
        other => return Err(unsendable(other)),
    })
}

fn elements(values: &dyn Array) -> Result<Value> {
    let values = (0..values.len()).map(|at| json(values, at));
    Ok(Value::Array(values.collect::<Result<Vec<_>>>()?))
}
