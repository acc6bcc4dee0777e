//! Cells of the rows of `pg_catalog`, and the columns that they become.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use arrow::array::{
    ArrayRef, BooleanArray, Float32Array, Int16Array, Int16Builder, Int32Array, Int64Array,
    ListBuilder, RecordBatch, RecordBatchOptions, StringArray, StringBuilder,
    TimestampMicrosecondArray, UInt32Array, UInt32Builder,
};
use arrow::datatypes::{DataType, Field, Schema};
use restable_spec::names::fold;

use super::tables::{self, Layout};
use crate::Result;
use crate::functions::{NAME_METADATA, OID_METADATA};

/// A value of a row.
#[derive(Debug, Clone)]
pub enum Cell {
    /// NULL.
    Null,
    /// A text.
    Text(String),
    /// A whole number.
    Number(i64),
    /// A number.
    Real(f32),
    /// A truth value.
    Is(bool),
    /// OIDs.
    Oids(Vec<u32>),
    /// Texts.
    Texts(Vec<String>),
    /// Places of columns.
    Places(Vec<i16>),
    /// A time.
    Time(SystemTime),
}

/// The cells of a row by their columns; what is left out is NULL.
pub type Row = Vec<(&'static str, Cell)>;

/// A text.
pub fn text(value: impl Into<String>) -> Cell {
    Cell::Text(value.into())
}

/// An OID.
pub fn oid(value: u32) -> Cell {
    Cell::Number(value.into())
}

/// Rows of a table as its columns.
pub fn batch(layout: &Layout, rows: &[Row]) -> Result<RecordBatch> {
    let mut fields = Vec::new();
    let mut arrays: Vec<ArrayRef> = Vec::new();
    for (name, kind) in tables::columns(layout).chain(tables::SYSTEM.iter().copied()) {
        let cells: Vec<&Cell> = rows
            .iter()
            .map(|row| {
                row.iter()
                    .find(|(own, _)| *own == name)
                    .map_or(&Cell::Null, |(_, cell)| cell)
            })
            .collect();
        let array = array(kind, &cells);
        fields.push(field(name, kind, array.data_type()));
        arrays.push(array);
    }
    let options = RecordBatchOptions::new().with_row_count(Some(rows.len()));
    Ok(RecordBatch::try_new_with_options(
        Arc::new(Schema::new(fields)),
        arrays,
        &options,
    )?)
}

/// A column as the pass over names knows it: by its folded name, with its own beside.
fn field(name: &str, kind: &str, data_type: &DataType) -> Field {
    let mut metadata = HashMap::new();
    if fold(name) != name {
        metadata.insert(NAME_METADATA.to_owned(), name.to_owned());
    }
    // Vectors are arrays that are written otherwise, functions numbers that are shown as names.
    let special = match kind {
        "oidvector" => Some("30"),
        "int2vector" => Some("22"),
        tables::REGPROC => Some("24"),
        _ => None,
    };
    metadata.extend(special.map(|oid| (OID_METADATA.to_owned(), oid.to_owned())));
    Field::new(fold(name), data_type.clone(), true).with_metadata(metadata)
}

fn array(kind: &str, cells: &[&Cell]) -> ArrayRef {
    let number = |cell: &&Cell| match cell {
        Cell::Number(value) => Some(*value),
        _ => None,
    };
    let numbers = cells.iter().map(number);
    match kind {
        "oid" | tables::REGPROC => Arc::new(
            numbers
                .map(|value| u32::try_from(value?).ok())
                .collect::<UInt32Array>(),
        ),
        "int2" => Arc::new(
            numbers
                .map(|value| i16::try_from(value?).ok())
                .collect::<Int16Array>(),
        ),
        "int4" => Arc::new(
            numbers
                .map(|value| i32::try_from(value?).ok())
                .collect::<Int32Array>(),
        ),
        "int8" => Arc::new(numbers.collect::<Int64Array>()),
        "float4" => {
            let real = |cell: &&Cell| match cell {
                Cell::Real(value) => Some(*value),
                _ => None,
            };
            Arc::new(cells.iter().map(real).collect::<Float32Array>())
        }
        "bool" => {
            let is = |cell: &&Cell| match cell {
                Cell::Is(value) => Some(*value),
                _ => None,
            };
            Arc::new(cells.iter().map(is).collect::<BooleanArray>())
        }
        "timestamptz" => {
            let time = |cell: &&Cell| match cell {
                Cell::Time(time) => {
                    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
                    i64::try_from(since.as_micros()).ok()
                }
                _ => None,
            };
            let times = cells
                .iter()
                .map(time)
                .collect::<TimestampMicrosecondArray>();
            Arc::new(times.with_timezone("+00:00"))
        }
        "oid[]" | "oidvector" => {
            let mut list = ListBuilder::new(UInt32Builder::new());
            for cell in cells {
                match cell {
                    Cell::Oids(all) => list.append_value(all.iter().copied().map(Some)),
                    _ => list.append_null(),
                }
            }
            Arc::new(list.finish())
        }
        "int2[]" | "int2vector" => {
            let mut list = ListBuilder::new(Int16Builder::new());
            for cell in cells {
                match cell {
                    Cell::Places(all) => list.append_value(all.iter().copied().map(Some)),
                    _ => list.append_null(),
                }
            }
            Arc::new(list.finish())
        }
        "text[]" => {
            let mut list = ListBuilder::new(StringBuilder::new());
            for cell in cells {
                match cell {
                    Cell::Texts(all) => list.append_value(all.iter().map(Some)),
                    _ => list.append_null(),
                }
            }
            Arc::new(list.finish())
        }
        _ => {
            let word = |cell: &&Cell| match cell {
                Cell::Text(value) => Some(value.clone()),
                _ => None,
            };
            Arc::new(cells.iter().map(word).collect::<StringArray>())
        }
    }
}
