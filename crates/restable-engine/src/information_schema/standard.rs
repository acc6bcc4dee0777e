//! The tables of `information_schema` that PostgreSQL has and restable has nothing for, such as that of triggers, and
//! those that say the same of every database. Their columns are PostgreSQL's.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int32Array, RecordBatch, StringArray, new_null_array};
use arrow::datatypes::{DataType, Field, Schema};
use datafusion::sql::sqlparser::ast::ObjectName;

use crate::Result;
use crate::shared::Shared;

/// A table: its name and the names of its columns, those that are numbers with a `#` before them.
struct Layout(&'static str, &'static str);

/// Tables that never hold a row: there are no references, no triggers, nothing of their kind.
const EMPTY: &[Layout] = &[
    Layout(
        "referential_constraints",
        "constraint_catalog constraint_schema constraint_name unique_constraint_catalog unique_constraint_schema \
         unique_constraint_name match_option update_rule delete_rule",
    ),
    Layout(
        "check_constraints",
        "constraint_catalog constraint_schema constraint_name check_clause",
    ),
    Layout(
        "routines",
        "specific_catalog specific_schema specific_name routine_catalog routine_schema routine_name routine_type data_type \
         type_udt_catalog type_udt_schema type_udt_name routine_body routine_definition external_language is_deterministic \
         security_type",
    ),
    Layout(
        "parameters",
        "specific_catalog specific_schema specific_name #ordinal_position parameter_mode is_result as_locator parameter_name \
         data_type udt_catalog udt_schema udt_name parameter_default",
    ),
    Layout(
        "sequences",
        "sequence_catalog sequence_schema sequence_name data_type #numeric_precision #numeric_precision_radix #numeric_scale \
         start_value minimum_value maximum_value increment cycle_option",
    ),
    Layout(
        "triggers",
        "trigger_catalog trigger_schema trigger_name event_manipulation event_object_catalog event_object_schema \
         event_object_table #action_order action_condition action_statement action_orientation action_timing",
    ),
    Layout(
        "domains",
        "domain_catalog domain_schema domain_name data_type udt_catalog udt_schema udt_name domain_default",
    ),
    Layout(
        "element_types",
        "object_catalog object_schema object_name object_type collection_type_identifier data_type udt_catalog udt_schema udt_name",
    ),
    Layout(
        "user_defined_types",
        "user_defined_type_catalog user_defined_type_schema user_defined_type_name user_defined_type_category",
    ),
    Layout(
        "attributes",
        "udt_catalog udt_schema udt_name attribute_name #ordinal_position attribute_default is_nullable data_type",
    ),
    Layout(
        "foreign_tables",
        "foreign_table_catalog foreign_table_schema foreign_table_name foreign_server_catalog foreign_server_name",
    ),
    Layout(
        "view_table_usage",
        "view_catalog view_schema view_name table_catalog table_schema table_name",
    ),
    Layout(
        "view_column_usage",
        "view_catalog view_schema view_name table_catalog table_schema table_name column_name",
    ),
    Layout(
        "column_privileges",
        "grantor grantee table_catalog table_schema table_name column_name privilege_type is_grantable",
    ),
    Layout(
        "usage_privileges",
        "grantor grantee object_catalog object_schema object_name object_type privilege_type is_grantable",
    ),
    Layout(
        "collations",
        "collation_catalog collation_schema collation_name pad_attribute",
    ),
];

/// Tables that say the same wherever they are asked.
const FIXED: &[&str] = &[
    "character_sets",
    "information_schema_catalog_name",
    "enabled_roles",
    "applicable_roles",
];

/// The names of these tables.
pub fn names() -> impl Iterator<Item = &'static str> {
    EMPTY
        .iter()
        .map(|layout| layout.0)
        .chain(FIXED.iter().copied())
}

/// Whether a written name is that of a table that never holds a row.
pub fn is_empty(name: &ObjectName) -> bool {
    let parts: Vec<String> = name
        .0
        .iter()
        .map(|part| part.to_string().trim_matches('"').to_ascii_lowercase())
        .collect();
    match parts.as_slice() {
        [.., schema, table] => {
            schema == "information_schema" && EMPTY.iter().any(|layout| layout.0 == table)
        }
        _ => false,
    }
}

/// One of the tables.
pub fn table(shared: &Shared, name: &str) -> Result<Option<RecordBatch>> {
    if let Some(layout) = EMPTY.iter().find(|layout| layout.0 == name) {
        let columns = layout.1.split_whitespace().map(|column| {
            let (name, kind) = match column.strip_prefix('#') {
                Some(name) => (name, DataType::Int32),
                None => (column, DataType::Utf8),
            };
            let array = new_null_array(&kind, 0);
            (Field::new(name, kind, true), array)
        });
        return batch(columns).map(Some);
    }
    let client = shared.client.as_ref();
    let database = client.map_or("restable", |client| client.database.as_str());
    let user = client.map_or("restable", |client| client.user.as_str());
    let row: &[(&str, Option<&str>)] = match name {
        "character_sets" => &[
            ("character_set_catalog", None),
            ("character_set_schema", None),
            ("character_set_name", Some("UTF8")),
            ("character_repertoire", Some("UCS")),
            ("form_of_use", Some("UTF8")),
            ("default_collate_catalog", Some(database)),
            ("default_collate_schema", Some("pg_catalog")),
            ("default_collate_name", Some("C")),
        ],
        "information_schema_catalog_name" => &[("catalog_name", Some(database))],
        "enabled_roles" => &[("role_name", Some(user))],
        "applicable_roles" => &[
            ("grantee", Some(user)),
            ("role_name", Some(user)),
            ("is_grantable", Some("NO")),
        ],
        _ => return Ok(None),
    };
    batch(row.iter().map(|(name, value)| {
        let array: ArrayRef = Arc::new(StringArray::from(vec![*value]));
        (Field::new(*name, DataType::Utf8, true), array)
    }))
    .map(Some)
}

fn batch(columns: impl Iterator<Item = (Field, ArrayRef)>) -> Result<RecordBatch> {
    let (fields, arrays): (Vec<Field>, Vec<ArrayRef>) = columns.unzip();
    Ok(RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays)?)
}

/// What PostgreSQL says of a column beside its name and place.
pub struct Described {
    /// `data_type`.
    pub data_type: String,
    /// `udt_name`.
    pub udt_name: String,
    /// `numeric_precision`, in bits or digits.
    pub precision: Option<i32>,
    /// `numeric_precision_radix`.
    pub radix: Option<i32>,
    /// `numeric_scale`.
    pub scale: Option<i32>,
    /// `datetime_precision`.
    pub time: Option<i32>,
}

/// A type by its OID in the words of `information_schema.columns`.
pub fn described(oid: u32) -> Described {
    use crate::pg_catalog::kinds;
    let shown = kinds::shown(oid).unwrap_or_else(|| "text".to_owned());
    let (precision, radix, scale) = match oid {
        20 => (Some(64), Some(2), Some(0)),
        21 => (Some(16), Some(2), Some(0)),
        23 => (Some(32), Some(2), Some(0)),
        700 => (Some(24), Some(2), None),
        701 => (Some(53), Some(2), None),
        1700 => (None, Some(10), None),
        _ => (None, None, None),
    };
    Described {
        data_type: if shown.ends_with("[]") {
            "ARRAY".to_owned()
        } else {
            shown
        },
        udt_name: kinds::name(oid),
        precision,
        radix,
        scale,
        time: match oid {
            1082 => Some(0),
            1083 | 1114 | 1184 | 1186 | 1266 => Some(6),
            _ => None,
        },
    }
}

/// The numbers of a column of numbers.
pub fn numbers(values: impl Iterator<Item = Option<i32>>) -> ArrayRef {
    Arc::new(values.collect::<Int32Array>())
}
