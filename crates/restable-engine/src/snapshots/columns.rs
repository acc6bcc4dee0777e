//! The columns of several refreshes as one table: those of the newest first, then those that only older ones have. Where a column had
//! different types, it has one that takes every value as it is, which is text if nothing else does; so no value is lost.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::Arc;

use arrow::array::{Array as _, ArrayRef, AsArray as _, StringArray};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{DataType, Field, Fields, Schema};
use restable_sql::Diagnostic;

use super::manifest::Refresh;
use crate::functions::{NAME_METADATA, written};
use crate::zone::Look;
use crate::{Error, Result};

/// Columns in a few letters: the same letters mean the same columns.
pub fn fingerprint(schema: &Schema) -> String {
    let mut text = String::new();
    for field in schema.fields() {
        let mut about: Vec<_> = field.metadata().iter().collect();
        about.sort();
        let _ = writeln!(text, "{}|{:?}|{about:?}", field.name(), field.data_type());
    }
    // FNV-1a.
    let step = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    format!("{:016x}", text.bytes().fold(0xcbf2_9ce4_8422_2325, step))
}

/// The columns of refreshes, the newest first.
pub fn together(newest_first: &[Fields]) -> Vec<Field> {
    let mut all: Vec<Field> = Vec::new();
    for fields in newest_first {
        for field in fields {
            match all.iter_mut().find(|known| known.name() == field.name()) {
                Some(known) => *known = common(known, field),
                None => all.push(field.as_ref().clone().with_nullable(true)),
            }
        }
    }
    all
}

/// One column for the values of both.
fn common(newer: &Field, older: &Field) -> Field {
    if newer.data_type() == older.data_type() && newer.metadata() == older.metadata() {
        return newer.clone();
    }
    let kind = widened(newer.data_type(), older.data_type());
    // What is said of values holds for all of them: texts beside JSON are no JSON.
    let same = newer.data_type() == older.data_type();
    let both = |(key, value): &(&String, &String)| {
        **key == NAME_METADATA || (same && older.metadata().get(*key) == Some(*value))
    };
    let about = newer.metadata().iter().filter(both);
    let about: HashMap<String, String> = about.map(|(k, v)| (k.clone(), v.clone())).collect();
    Field::new(newer.name(), kind, true).with_metadata(about)
}

/// A type that has every value of both.
fn widened(one: &DataType, other: &DataType) -> DataType {
    use DataType::{Decimal128, Float32, Float64, Null, Utf8};
    match (one, other) {
        _ if one == other => one.clone(),
        (Null, kind) | (kind, Null) => kind.clone(),
        (Float32, Float64) | (Float64, Float32) => Float64,
        _ => match (digits(one), digits(other)) {
            (Some(one), Some(other)) => {
                let (whole, part) = (one.0.max(other.0), one.1.max(other.1));
                match whole + part {
                    all @ 0..=18 if part == 0 && all <= 18 => DataType::Int64,
                    _ if part == 0 && signed(one) && signed(other) => DataType::Int64,
                    all @ 0..=38 => Decimal128(all, i8::try_from(part).unwrap_or_default()),
                    _ => Utf8,
                }
            }
            _ => Utf8,
        },
    }
}

/// Whole numbers of 64 bits with a sign have 19 digits, of which the first is not any.
fn signed((whole, part): (u8, u8)) -> bool {
    part == 0 && whole <= 19
}

/// Digits before and after the point of exact numbers.
fn digits(kind: &DataType) -> Option<(u8, u8)> {
    Some(match kind {
        DataType::Int8 | DataType::UInt8 => (3, 0),
        DataType::Int16 | DataType::UInt16 => (5, 0),
        DataType::Int32 | DataType::UInt32 => (10, 0),
        DataType::Int64 => (19, 0),
        DataType::UInt64 => (20, 0),
        DataType::Decimal128(precision, scale) => {
            let scale = u8::try_from(*scale).ok()?;
            (precision.checked_sub(scale)?, scale)
        }
        _ => return None,
    })
}

/// The values of a column as one of another type. A value that has no place there is an error, never NULL.
pub fn taken(
    array: &ArrayRef,
    field: &Field,
    look: Look<'_>,
    refresh: &Refresh,
) -> Result<ArrayRef> {
    let wrong = |why: String| -> Error {
        let name = field.metadata().get(NAME_METADATA);
        let told = format!(
            "the column `{}` is {} in the refresh of {}, and no {}: {why}",
            name.unwrap_or(field.name()),
            array.data_type(),
            refresh.at,
            field.data_type(),
        );
        let help = "`FOR SYSTEM_TIME AS OF` reads one refresh in its own types";
        Diagnostic::new("R0353", told).help(help).into()
    };
    let strictly = CastOptions {
        safe: false,
        ..CastOptions::default()
    };
    match (array.data_type(), field.data_type()) {
        (one, other) if one == other => Ok(Arc::clone(array)),
        (DataType::Binary, DataType::Utf8) => {
            let bytes = array.as_binary::<i32>().iter();
            let texts = bytes.map(|bytes| bytes.map(hexadecimal));
            Ok(Arc::new(texts.collect::<StringArray>()))
        }
        (_, DataType::Utf8) => {
            let texts =
                written::texts(array, look).map_err(|problem| wrong(problem.to_string()))?;
            match texts.null_count() == array.logical_null_count() {
                true => Ok(texts),
                false => Err(wrong("a value has no text".to_owned())),
            }
        }
        (_, kind) => {
            let values = cast_with_options(array, kind, &strictly);
            values.map_err(|problem| wrong(problem.to_string()))
        }
    }
}

/// Bytes as PostgreSQL writes them.
fn hexadecimal(bytes: &[u8]) -> String {
    let mut text = String::from("\\x");
    for byte in bytes {
        let _ = write!(text, "{byte:02x}");
    }
    text
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "in a test a panic is the message")]
mod tests {
    use arrow::array::{BinaryArray, BooleanArray, Decimal128Array, Int64Array};

    use datafusion::common::config::ConfigOptions;

    use super::super::moment::Moment;
    use super::*;
    use crate::zone::look;

    #[test]
    fn a_type_takes_every_value_of_two() {
        use DataType::{Boolean, Date32, Decimal128, Float64, Int16, Int32, Int64, UInt64, Utf8};
        for (one, other, both) in [
            (Int32, Int64, Int64),
            (Int16, DataType::UInt32, Int64),
            (Int64, UInt64, Decimal128(20, 0)),
            (Int64, Decimal128(2, 1), Decimal128(20, 1)),
            (Decimal128(10, 2), Decimal128(5, 4), Decimal128(12, 4)),
            (Decimal128(38, 0), Decimal128(5, 4), Utf8),
            (Int64, Float64, Utf8),
            (Boolean, Decimal128(2, 1), Utf8),
            (Date32, Utf8, Utf8),
            (DataType::Null, Date32, Date32),
        ] {
            assert_eq!(widened(&one, &other), both, "{one} {other}");
            assert_eq!(widened(&other, &one), both, "{other} {one}");
        }
    }

    fn refresh() -> Refresh {
        Refresh {
            file: String::new(),
            started: Moment(0),
            at: Moment(0),
            rows: 1,
            bytes: 1,
            calls: 0,
            scopes: std::collections::BTreeMap::new(),
            missing: Vec::new(),
            columns: None,
        }
    }

    #[test]
    fn values_are_taken_whole_or_told() {
        let text = |array: ArrayRef| {
            let field = Field::new("x", DataType::Utf8, true);
            let texts = taken(&array, &field, look(&ConfigOptions::default()), &refresh()).unwrap();
            texts.as_string::<i32>().value(0).to_owned()
        };
        assert_eq!(text(Arc::new(BooleanArray::from(vec![true]))), "true");
        let decimal = Decimal128Array::from(vec![15]).with_precision_and_scale(2, 1);
        assert_eq!(text(Arc::new(decimal.unwrap())), "1.5");
        assert_eq!(
            text(Arc::new(BinaryArray::from(vec![&b"\x01\xff"[..]]))),
            "\\x01ff"
        );
        let many: ArrayRef = Arc::new(Int64Array::from(vec![i64::MAX]));
        let field = Field::new("x", DataType::Int16, true);
        let problem =
            taken(&many, &field, look(&ConfigOptions::default()), &refresh()).unwrap_err();
        assert_eq!(problem.diagnostic().code, "R0353");
    }

    #[test]
    fn a_fingerprint_is_of_names_types_and_marks() {
        let schema = |name: &str, kind| Schema::new(vec![Field::new(name, kind, true)]);
        let one = fingerprint(&schema("a", DataType::Utf8));
        assert_eq!(one, fingerprint(&schema("a", DataType::Utf8)));
        assert_ne!(one, fingerprint(&schema("b", DataType::Utf8)));
        assert_ne!(one, fingerprint(&schema("a", DataType::Int64)));
    }
}
