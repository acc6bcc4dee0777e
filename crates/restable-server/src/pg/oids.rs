//! Types of Arrow and types of PostgreSQL, in both directions.

use std::sync::Arc;

use restable_engine::arrow::datatypes::{DataType, Field, IntervalUnit, TimeUnit};

/// OIDs of PostgreSQL's types, as in its `pg_type.dat`.
pub mod oid {
    pub const BOOL: u32 = 16;
    pub const BYTEA: u32 = 17;
    pub const INT8: u32 = 20;
    pub const INT2: u32 = 21;
    pub const INT4: u32 = 23;
    pub const TEXT: u32 = 25;
    pub const REGPROC: u32 = 24;
    pub const INT2VECTOR: u32 = 22;
    pub const OID: u32 = 26;
    pub const OIDVECTOR: u32 = 30;
    pub const JSON: u32 = 114;
    pub const FLOAT4: u32 = 700;
    pub const FLOAT8: u32 = 701;
    pub const DATE: u32 = 1082;
    pub const TIME: u32 = 1083;
    pub const TIMESTAMP: u32 = 1114;
    pub const TIMESTAMPTZ: u32 = 1184;
    pub const INTERVAL: u32 = 1186;
    pub const NUMERIC: u32 = 1700;
    pub const RECORD: u32 = 2249;
    pub const UUID: u32 = 2950;
}

/// Each type with its array type and the size of its values in bytes.
const TYPES: &[(u32, u32, i16)] = &[
    (oid::BOOL, 1000, 1),
    (oid::BYTEA, 1001, -1),
    (oid::INT8, 1016, 8),
    (oid::INT2, 1005, 2),
    (oid::INT4, 1007, 4),
    (oid::TEXT, 1009, -1),
    (oid::OID, 1028, 4),
    (oid::REGPROC, 1008, 4),
    (oid::JSON, 199, -1),
    (oid::FLOAT4, 1021, 4),
    (oid::FLOAT8, 1022, 8),
    (oid::DATE, 1182, 4),
    (oid::TIME, 1183, 8),
    (oid::TIMESTAMP, 1115, 8),
    (oid::TIMESTAMPTZ, 1185, 8),
    (oid::INTERVAL, 1187, 16),
    (oid::NUMERIC, 1231, -1),
    (oid::RECORD, 2287, -1),
    (oid::UUID, 2951, 16),
];

/// The OID of the arrays of a type.
pub fn array_of(item: u32) -> u32 {
    TYPES
        .iter()
        .find(|(kind, _, _)| *kind == item)
        .map_or(1009, |(_, array, _)| *array)
}

/// Bytes of a value; -1: it varies.
pub fn size(kind: u32) -> i16 {
    TYPES
        .iter()
        .find(|(known, _, _)| *known == kind)
        .map_or(-1, |(_, _, size)| *size)
}

/// The OID of a column's type.
pub fn of_field(field: &Field) -> u32 {
    let is_json = field
        .metadata()
        .get("ARROW:extension:name")
        .is_some_and(|name| name == "arrow.json");
    let said = field.metadata().get("restable.oid");
    if is_json {
        oid::JSON
    } else if let Some(said) = said.and_then(|said| said.parse().ok()) {
        said
    } else {
        of_kind(field.data_type())
    }
}

/// The OID of a type.
pub fn of_kind(kind: &DataType) -> u32 {
    match kind {
        DataType::Boolean => oid::BOOL,
        DataType::Int8 | DataType::Int16 | DataType::UInt8 => oid::INT2,
        DataType::Int32 | DataType::UInt16 => oid::INT4,
        DataType::Int64 | DataType::UInt64 => oid::INT8,
        // The engine gives OIDs this type, and nothing else has it.
        DataType::UInt32 => oid::OID,
        DataType::Float16 | DataType::Float32 => oid::FLOAT4,
        DataType::Float64 => oid::FLOAT8,
        DataType::Decimal32(..)
        | DataType::Decimal64(..)
        | DataType::Decimal128(..)
        | DataType::Decimal256(..) => oid::NUMERIC,
        DataType::Binary
        | DataType::LargeBinary
        | DataType::BinaryView
        | DataType::FixedSizeBinary(_) => oid::BYTEA,
        DataType::Date32 | DataType::Date64 => oid::DATE,
        DataType::Time32(_) | DataType::Time64(_) => oid::TIME,
        DataType::Timestamp(_, None) => oid::TIMESTAMP,
        DataType::Timestamp(_, Some(_)) => oid::TIMESTAMPTZ,
        DataType::Interval(_) | DataType::Duration(_) => oid::INTERVAL,
        // Arrays of arrays are of the same type, with more dimensions.
        DataType::List(item) | DataType::LargeList(item) | DataType::FixedSizeList(item, _) => {
            match item.data_type() {
                nested if nested.is_nested() && !matches!(nested, DataType::Struct(_)) => {
                    of_field(item)
                }
                _ => array_of(of_field(item)),
            }
        }
        DataType::Struct(_) => oid::RECORD,
        DataType::Dictionary(_, values) => of_kind(values),
        DataType::RunEndEncoded(_, values) => of_field(values),
        _ => oid::TEXT,
    }
}

/// The type that a parameter of this OID has in the engine; `None`: it was not said, or is a text of a kind.
pub fn kind(type_oid: u32) -> Option<DataType> {
    if let Some((item, _, _)) = TYPES.iter().find(|(_, array, _)| *array == type_oid) {
        return kind(*item).map(|item| DataType::List(Arc::new(Field::new("item", item, true))));
    }
    Some(match type_oid {
        0 | 705 => return None,
        oid::BOOL => DataType::Boolean,
        oid::BYTEA => DataType::Binary,
        oid::INT8 => DataType::Int64,
        oid::INT2 => DataType::Int16,
        oid::INT4 => DataType::Int32,
        // `oid`, `regproc`, `regclass`, `regtype`, `xid`.
        oid::OID | 24 | 2205 | 2206 | 28 => DataType::UInt32,
        oid::FLOAT4 => DataType::Float32,
        oid::FLOAT8 => DataType::Float64,
        oid::DATE => DataType::Date32,
        oid::TIME => DataType::Time64(TimeUnit::Nanosecond),
        oid::TIMESTAMP => DataType::Timestamp(TimeUnit::Nanosecond, None),
        oid::TIMESTAMPTZ => DataType::Timestamp(TimeUnit::Nanosecond, Some("+00:00".into())),
        oid::INTERVAL => DataType::Interval(IntervalUnit::MonthDayNano),
        oid::NUMERIC => DataType::Decimal128(38, 10),
        // `varchar[]`, `name[]`, `bpchar[]`, `uuid[]`: lists of text.
        1015 | 1003 | 1014 | 2951 => {
            DataType::List(Arc::new(Field::new("item", DataType::Utf8, true)))
        }
        _ => DataType::Utf8,
    })
}
