//! PostgreSQL's own types and the functions that read and write them, with the OIDs that every client knows.

use std::collections::HashMap;
use std::sync::LazyLock;

use arrow::datatypes::{DataType, Field};

/// A type: OID, name, size, category, OID of its arrays, how SQL calls it.
pub struct Kind {
    /// OID.
    pub oid: u32,
    /// As `pg_type` has it.
    pub name: &'static str,
    /// Bytes, or -1.
    pub size: i16,
    /// `N` number, `S` text, …
    pub category: &'static str,
    /// OID of its arrays.
    pub array: u32,
    /// As `format_type` writes it.
    pub shown: &'static str,
}

const fn kind(
    oid: u32,
    name: &'static str,
    size: i16,
    category: &'static str,
    array: u32,
    shown: &'static str,
) -> Kind {
    Kind {
        oid,
        name,
        size,
        category,
        array,
        shown,
    }
}

/// The types that clients look for.
pub const ALL: &[Kind] = &[
    kind(16, "bool", 1, "B", 1000, "boolean"),
    kind(17, "bytea", -1, "U", 1001, "bytea"),
    kind(18, "char", 1, "Z", 1002, "\"char\""),
    kind(19, "name", 64, "S", 1003, "name"),
    kind(20, "int8", 8, "N", 1016, "bigint"),
    kind(21, "int2", 2, "N", 1005, "smallint"),
    kind(22, "int2vector", -1, "A", 1006, "int2vector"),
    kind(23, "int4", 4, "N", 1007, "integer"),
    kind(24, "regproc", 4, "N", 1008, "regproc"),
    kind(25, "text", -1, "S", 1009, "text"),
    kind(26, "oid", 4, "N", 1028, "oid"),
    kind(28, "xid", 4, "U", 1011, "xid"),
    kind(30, "oidvector", -1, "A", 1013, "oidvector"),
    kind(114, "json", -1, "U", 199, "json"),
    kind(700, "float4", 4, "N", 1021, "real"),
    kind(701, "float8", 8, "N", 1022, "double precision"),
    kind(705, "unknown", -2, "X", 0, "unknown"),
    kind(1033, "aclitem", 16, "U", 1034, "aclitem"),
    kind(1042, "bpchar", -1, "S", 1014, "character"),
    kind(1043, "varchar", -1, "S", 1015, "character varying"),
    kind(1082, "date", 4, "D", 1182, "date"),
    kind(1083, "time", 8, "D", 1183, "time without time zone"),
    kind(
        1114,
        "timestamp",
        8,
        "D",
        1115,
        "timestamp without time zone",
    ),
    kind(
        1184,
        "timestamptz",
        8,
        "D",
        1185,
        "timestamp with time zone",
    ),
    kind(1186, "interval", 16, "T", 1187, "interval"),
    kind(1266, "timetz", 12, "D", 1270, "time with time zone"),
    kind(1700, "numeric", -1, "N", 1231, "numeric"),
    kind(2205, "regclass", 4, "N", 2210, "regclass"),
    kind(2206, "regtype", 4, "N", 2211, "regtype"),
    kind(2249, "record", -1, "P", 2287, "record"),
    kind(27, "tid", 6, "U", 1010, "tid"),
    kind(2275, "cstring", -2, "P", 1263, "cstring"),
    kind(2277, "anyarray", -1, "P", 0, "anyarray"),
    kind(2278, "void", 4, "P", 0, "void"),
    kind(2279, "trigger", 4, "P", 0, "trigger"),
    kind(2281, "internal", 8, "P", 0, "internal"),
    kind(2283, "anyelement", 4, "P", 0, "anyelement"),
    kind(3838, "event_trigger", 4, "P", 0, "event_trigger"),
    kind(650, "cidr", -1, "I", 651, "cidr"),
    kind(869, "inet", -1, "I", 1041, "inet"),
    kind(2950, "uuid", 16, "U", 2951, "uuid"),
    kind(3802, "jsonb", -1, "U", 3807, "jsonb"),
];

/// The functions by which types come in and go out, and their OIDs. Those of arrays first.
pub const FUNCTIONS: &[(u32, &str)] = &[
    (750, "array_in"),
    (751, "array_out"),
    (2400, "array_recv"),
    (2401, "array_send"),
];

/// The functions behind the methods of access, their OIDs and the types of what they answer.
pub const HANDLERS: &[(u32, &str, u32)] =
    &[(3, "heap_tableam_handler", 269), (330, "bthandler", 325)];

/// OID of a function of a type: the two that read it and the two that write it stand behind each other.
pub fn function(kind: &Kind, which: u32) -> u32 {
    60_000 + kind.oid * 4 + which
}

/// The name of such a function.
pub fn function_name(kind: &Kind, which: u32) -> String {
    // PostgreSQL writes those of words with an underscore, those of short names without.
    let between = match kind.name {
        "date" | "time" | "timestamp" | "timestamptz" | "interval" | "numeric" | "uuid"
        | "json" | "jsonb" | "record" | "void" | "timetz" | "inet" | "cidr" => "_",
        _ => "",
    };
    format!(
        "{}{between}{}",
        kind.name,
        ["in", "out", "recv", "send"][which as usize]
    )
}

/// The name of a function by its OID, as PostgreSQL shows a `regproc`: a dash for none, the number of one that is not known.
pub fn function_shown(oid: u32) -> String {
    static NAMES: LazyLock<HashMap<u32, String>> = LazyLock::new(|| {
        let arrays = FUNCTIONS
            .iter()
            .map(|(oid, name)| (*oid, (*name).to_owned()));
        let own = ALL.iter().flat_map(|kind| {
            (0..4).map(|which| (function(kind, which), function_name(kind, which)))
        });
        let methods = HANDLERS
            .iter()
            .map(|(oid, name, _)| (*oid, (*name).to_owned()));
        arrays.chain(methods).chain(own).collect()
    });
    match (oid, NAMES.get(&oid)) {
        (0, _) => "-".to_owned(),
        (_, Some(name)) => name.clone(),
        (other, None) => other.to_string(),
    }
}

/// The OID of a column's type.
pub fn of_field(field: &Field) -> u32 {
    if field
        .metadata()
        .get(crate::functions::JSON_METADATA)
        .is_some_and(|kind| kind == "object")
    {
        return 114;
    }
    let said = field.metadata().get(crate::functions::OID_METADATA);
    if let Some(said) = said.and_then(|said| said.parse().ok()) {
        return said;
    }
    of(field.data_type())
}

/// The OID of a type.
pub fn of(data_type: &DataType) -> u32 {
    match data_type {
        DataType::Boolean => 16,
        DataType::Int8 | DataType::Int16 | DataType::UInt8 => 21,
        DataType::Int32 | DataType::UInt16 => 23,
        DataType::UInt32 => 26,
        DataType::Float16 | DataType::Float32 => 700,
        DataType::Float64 => 701,
        DataType::Date32 | DataType::Date64 => 1082,
        DataType::Time32(_) | DataType::Time64(_) => 1083,
        DataType::Timestamp(_, None) => 1114,
        DataType::Timestamp(_, Some(_)) => 1184,
        DataType::Interval(_) | DataType::Duration(_) => 1186,
        DataType::Binary
        | DataType::LargeBinary
        | DataType::BinaryView
        | DataType::FixedSizeBinary(_) => 17,
        kind if kind.is_integer() => 20,
        kind if kind.is_decimal() => 1700,
        DataType::List(item) => {
            let item = of_field(item);
            ALL.iter()
                .find(|kind| kind.oid == item)
                .map_or(1009, |kind| kind.array)
        }
        _ => 25,
    }
}

/// The type of an OID as SQL writes it.
pub fn shown(oid: u32) -> Option<String> {
    let found = ALL
        .iter()
        .find(|kind| kind.oid == oid)
        .map(|kind| kind.shown.to_owned());
    found.or_else(|| {
        ALL.iter()
            .find(|kind| kind.array == oid && oid != 0)
            .map(|kind| format!("{}[]", kind.shown))
    })
}

/// The name of a type in `pg_type`.
pub fn name(oid: u32) -> String {
    let own = ALL.iter().find(|kind| kind.oid == oid);
    let array = || ALL.iter().find(|kind| kind.array == oid && oid != 0);
    match own {
        Some(kind) => kind.name.to_owned(),
        None => array().map_or_else(|| "text".to_owned(), |kind| format!("_{}", kind.name)),
    }
}

/// The OID of a column's type as its document gives it.
pub fn of_document(kind: restable_spec::Kind) -> u32 {
    use restable_spec::Kind;
    match kind {
        Kind::Text => 25,
        Kind::Integer => 20,
        Kind::Number => 701,
        Kind::Boolean => 16,
        Kind::Json => 114,
    }
}

/// The OID of a type by one of its names.
pub fn named(name: &str) -> Option<u32> {
    let name = name
        .trim()
        .trim_start_matches("pg_catalog.")
        .to_ascii_lowercase();
    if let Some(item) = name.strip_suffix("[]") {
        return ALL
            .iter()
            .find(|kind| kind.name == item || kind.shown == item)
            .map(|kind| kind.array);
    }
    if let Some(item) = name.strip_prefix('_') {
        return ALL
            .iter()
            .find(|kind| kind.name == item)
            .map(|kind| kind.array);
    }
    let name = match &*name {
        "int" => "integer",
        "decimal" => "numeric",
        other => other,
    };
    ALL.iter()
        .find(|kind| kind.name == name || kind.shown == name)
        .map(|kind| kind.oid)
}
