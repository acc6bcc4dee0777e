//! What a session says of itself when it is asked in SQL: its user, its settings, the names and OIDs of its tables. Most of it
//! is known before a statement is planned, and stands in the statement then.

use std::borrow::Cow;

use datafusion::sql::sqlparser::ast::{
    Array, ArrayElemTypeDef, BinaryOperator, CaseWhen, DataType, Expr, TimezoneInfo, Value,
};

use super::rows::{self, Relation};
use super::syntax::{
    boolean, call, cast, conditions, literal, no_oid, number, oid, text, text_null, texts,
};
use super::variables::Variable;
use super::{functions, keys, kinds, operators, tables, variables};
use crate::Result;

/// No table has so many columns.
const MOST_COLUMNS: i64 = 100_000;

/// What PostgreSQL says of every index of the kind that a key has.
const INDEXES_HAVE: &[&str] = &[
    "asc",
    "nulls_last",
    "orderable",
    "returnable",
    "search_array",
    "search_nulls",
    "clusterable",
    "index_scan",
    "bitmap_scan",
    "backward_scan",
];

/// A table, view or index as it is found by its name.
struct Named<'f> {
    oid: u32,
    schema: &'f str,
    name: Cow<'f, str>,
}

/// From the name and the value of a setting to what giving it that value comes to, and how the value is shown.
pub type Choose<'a> = dyn Fn(&str, &str) -> Result<(Variable, String)> + 'a;

/// What a session says of itself.
pub struct Facts<'a> {
    /// The value of a setting.
    pub setting: &'a dyn Fn(&str) -> Option<String>,
    /// What giving a setting a value comes to, and how the value is shown.
    pub choose: &'a Choose<'a>,
    /// The user.
    pub user: &'a str,
    /// The database.
    pub database: &'a str,
    /// The number of its connection, by which it is cancelled.
    pub process: i32,
    /// The schemas in which bare names are looked for.
    pub path: &'a [String],
    /// The tables and views.
    pub relations: &'a [Relation],
    /// Whether the session may change anything.
    pub writes: bool,
    /// When the program started, in seconds since 1970.
    pub started: u64,
}

impl Facts<'_> {
    /// The OID of a table by its name, as it would be found.
    pub fn relation(&self, written: &str) -> Option<u32> {
        let parts: Vec<String> = written
            .split('.')
            .map(|part| part.trim_matches('"').to_owned())
            .collect();
        let (schema, name) = match parts.as_slice() {
            [name] => (None, name),
            [.., schema, name] => (Some(schema), name),
            [] => return None,
        };
        if schema.is_none_or(|schema| schema == "pg_catalog")
            && tables::find(&name.to_ascii_lowercase()).is_some()
        {
            return Some(catalog_oid(&name.to_ascii_lowercase()));
        }
        let fits = |one: &Named<'_>| {
            restable_spec::names::same(&one.name, name)
                && match schema {
                    Some(schema) => restable_spec::names::same(one.schema, schema),
                    None => self.path.iter().any(|own| own == one.schema),
                }
        };
        self.named().find(fits).map(|one| one.oid)
    }

    /// The tables, views and indexes.
    fn named(&self) -> impl Iterator<Item = Named<'_>> {
        let tables = self.relations.iter().map(|one| Named {
            oid: one.oid,
            schema: &one.schema,
            name: Cow::Borrowed(one.name.as_str()),
        });
        let indexes = keys::all(self.relations).map(|key| Named {
            oid: key.index(),
            schema: &key.table.schema,
            name: Cow::Owned(key.name()),
        });
        tables.chain(indexes)
    }

    fn on_path(&self, schema: &str) -> bool {
        self.path.iter().any(|own| own == schema)
    }

    /// The OID of the table whose name an expression makes.
    pub fn relation_named(&self, name: &Expr) -> Expr {
        let all = self.named().flat_map(|one| {
            let bare = functions::quoted(&one.name);
            let full = format!("{}.{bare}", functions::quoted(one.schema));
            let on_path = self.on_path(one.schema).then_some(bare);
            on_path
                .into_iter()
                .chain([full])
                .map(move |name| (name, one.oid))
        });
        let cases = all.map(|(name, oid)| CaseWhen {
            condition: text(name),
            result: number(oid),
        });
        let cases: Vec<CaseWhen> = cases.collect();
        match cases.is_empty() {
            true => no_oid(),
            false => cast(
                conditions(Some(name.clone()), cases),
                DataType::IntUnsigned(None),
            ),
        }
    }

    /// What a session says of itself.
    pub fn session(&self, name: &str, arguments: &[Expr]) -> Option<Expr> {
        let facts = self;
        Some(match name {
            "version" => text(format!(
                "PostgreSQL {} (restable {})",
                variables::SERVER_VERSION,
                env!("CARGO_PKG_VERSION")
            )),
            "current_database" | "current_catalog" => text(facts.database),
            "current_schema" => match facts.path.first() {
                Some(first) => text(first.as_str()),
                None => text_null(),
            },
            "current_schemas" => {
                let implied = arguments
                    .first()
                    .is_none_or(|one| one.to_string() != "false");
                let implied = implied.then(|| "pg_catalog".to_owned());
                texts(implied.into_iter().chain(facts.path.iter().cloned()))
            }
            "current_user" | "session_user" | "user" | "current_role" | "getpgusername" => {
                text(facts.user)
            }
            "pg_backend_pid" => cast(number(facts.process), DataType::Int(None)),
            "current_setting" => match arguments
                .first()
                .and_then(literal)
                .and_then(|name| (facts.setting)(name))
            {
                Some(value) => text(value),
                None => text_null(),
            },
            "inet_server_addr" | "inet_client_addr" => text_null(),
            "inet_server_port" | "inet_client_port" => {
                cast(Expr::Value(Value::Null.into()), DataType::Int(None))
            }
            "pg_is_in_recovery" | "pg_is_wal_replay_paused" => boolean(false),
            "pg_my_temp_schema" => oid(0),
            "pg_advisory_unlock_all" | "pg_advisory_unlock" => text(""),
            "pg_encoding_to_char" | "pg_client_encoding" | "getdatabaseencoding" => text("UTF8"),
            "pg_char_to_encoding" => number(6),
            "pg_get_userbyid" => text("restable"),
            "has_table_privilege"
            | "has_schema_privilege"
            | "has_database_privilege"
            | "has_any_column_privilege"
            | "has_column_privilege" => boolean(self.may(arguments)),
            "has_function_privilege"
            | "has_type_privilege"
            | "pg_has_role"
            | "pg_type_is_visible"
            | "pg_function_is_visible"
            | "pg_operator_is_visible"
            | "pg_opclass_is_visible"
            | "pg_collation_is_visible"
            | "pg_conversion_is_visible"
            | "pg_statistics_obj_is_visible"
            | "pg_ts_config_is_visible"
            | "pg_ts_dict_is_visible"
            | "pg_ts_parser_is_visible"
            | "pg_ts_template_is_visible"
            | "pg_opfamily_is_visible"
            | "has_sequence_privilege"
            | "has_server_privilege"
            | "has_tablespace_privilege"
            | "has_language_privilege" => boolean(true),
            "row_security_active" => boolean(false),
            "pg_relation_size"
            | "pg_total_relation_size"
            | "pg_table_size"
            | "pg_indexes_size"
            | "pg_database_size"
            | "pg_tablespace_size" => cast(number(0), DataType::BigInt(None)),
            "pg_get_expr"
            | "pg_get_triggerdef"
            | "pg_get_ruledef"
            | "pg_get_partkeydef"
            | "pg_get_statisticsobjdef"
            | "pg_get_statisticsobjdef_columns"
            | "pg_get_serial_sequence"
            | "pg_get_functiondef"
            | "pg_tablespace_location"
            | "shobj_description"
            | "pg_get_partition_constraintdef"
            | "pg_get_function_sqlbody"
            | "pg_get_function_arg_default" => text_null(),
            "pg_stat_get_numscans" | "pg_sequence_last_value" => {
                cast(Expr::Value(Value::Null.into()), DataType::BigInt(None))
            }
            "pg_get_function_result"
            | "pg_get_function_arguments"
            | "pg_get_function_identity_arguments" => text(""),
            // Nobody waits for a lock.
            "pg_blocking_pids" | "pg_safe_snapshot_blocking_pids" => cast(
                Expr::Array(Array {
                    elem: Vec::new(),
                    named: true,
                }),
                DataType::Array(ArrayElemTypeDef::SquareBracket(
                    Box::new(DataType::Int(None)),
                    None,
                )),
            ),
            "pg_relation_is_publishable" | "pg_is_other_temp_schema" => boolean(false),
            "pg_relation_is_updatable" => number(0),
            "array_upper" => cast(
                call("array_length", arguments.to_vec()),
                DataType::BigInt(None),
            ),
            "array_lower" => number(1),
            // Of a transaction; of a time it is a function.
            "age" if matches!(arguments, [one] if is_transaction(one)) => age(arguments.first()?),
            // No transaction ever wrote anything: the first number that there is.
            "txid_current" | "pg_current_xact_id" => cast(number(3), DataType::BigInt(None)),
            "pg_postmaster_start_time" | "pg_conf_load_time" => cast(
                call("to_timestamp_seconds", vec![number(facts.started)]),
                DataType::Timestamp(None, TimezoneInfo::WithTimeZone),
            ),
            "parse_ident" => match arguments.first().and_then(literal) {
                Some(written) => texts(functions::parsed(written)),
                None => return None,
            },
            "to_regclass" => match arguments.first().and_then(literal) {
                Some(written) => self.relation(written).map_or_else(no_oid, oid),
                None => no_oid(),
            },
            "to_regtype" => match arguments.first().and_then(literal) {
                Some(written) => kinds::named(written).map_or_else(no_oid, oid),
                None => no_oid(),
            },
            "pg_table_is_visible" => {
                let relations = facts.named().filter(|one| facts.on_path(one.schema));
                let own = tables::FILLED.iter().chain(tables::EMPTY);
                let own = own.map(|layout| number(catalog_oid(layout.name)));
                let list: Vec<Expr> = relations.map(|one| number(one.oid)).chain(own).collect();
                match list.is_empty() {
                    true => boolean(false),
                    false => Expr::InList {
                        expr: Box::new(arguments.first()?.clone()),
                        list,
                        negated: false,
                    },
                }
            }
            "obj_description" => self.pick(
                arguments.first()?,
                facts
                    .relations
                    .iter()
                    .filter_map(|one| Some((one.oid.into(), one.description.clone()?))),
            ),
            "col_description" => {
                let of = placed(arguments.first()?, arguments.get(1)?);
                let all = facts.relations.iter().flat_map(|one| {
                    let columns = one.columns().iter().zip(1..);
                    columns.filter_map(move |(column, at)| {
                        let place = i64::from(one.oid) * MOST_COLUMNS + at;
                        Some((place, column.description.clone()?))
                    })
                });
                self.pick(&of, all)
            }
            "pg_get_constraintdef" => self.pick(
                arguments.first()?,
                keys::all(facts.relations)
                    .map(|key| (key.constraint().into(), key.constraint_definition())),
            ),
            "pg_get_indexdef" => match arguments.get(1) {
                None => self.pick(
                    arguments.first()?,
                    keys::all(facts.relations)
                        .map(|key| (key.index().into(), key.index_definition())),
                ),
                // The whole of it in the place of no column, else the column.
                Some(column) => self.pick(
                    &placed(arguments.first()?, column),
                    keys::all(facts.relations).flat_map(|key| {
                        let place = i64::from(key.index()) * MOST_COLUMNS;
                        let column = functions::quoted(key.column);
                        [(place, key.index_definition()), (place + 1, column)]
                    }),
                ),
            },
            "pg_indexam_has_property" => boolean(true),
            "pg_index_has_property" | "pg_index_column_has_property" => {
                let property = arguments.last().and_then(literal).unwrap_or_default();
                boolean(INDEXES_HAVE.contains(&&*property.to_ascii_lowercase()))
            }
            "pg_get_viewdef" => self.pick(
                arguments.first()?,
                facts
                    .relations
                    .iter()
                    .filter_map(|one| Some((one.oid.into(), one.definition.clone()?))),
            ),
            "pg_relation_name" => self.pick(
                arguments.first()?,
                facts.named().map(|one| {
                    let bare = functions::quoted(&one.name);
                    let shown = match facts.on_path(one.schema) {
                        true => bare,
                        false => format!("{}.{bare}", functions::quoted(one.schema)),
                    };
                    (one.oid.into(), shown)
                }),
            ),
            "pg_operator_name" => {
                let all = operators::names();
                self.pick(
                    arguments.first()?,
                    all.map(|(own, name)| (own.into(), name.to_owned())),
                )
            }
            "format_type" => {
                let all = kinds::ALL
                    .iter()
                    .flat_map(|kind| [kind.oid, kind.array])
                    .filter(|one| *one != 0);
                self.pick(
                    arguments.first()?,
                    all.filter_map(|one| Some((one.into(), kinds::shown(one)?))),
                )
            }
            _ => return None,
        })
    }

    /// Whether the session has one of the rights that the last argument names.
    fn may(&self, arguments: &[Expr]) -> bool {
        let Some(rights) = arguments.last().and_then(literal) else {
            return true;
        };
        rights
            .split(',')
            .any(|right| match &*right.trim().to_ascii_lowercase() {
                "select" | "usage" | "connect" | "temp" | "temporary" => true,
                "insert" | "update" | "delete" => self.writes,
                _ => false,
            })
    }

    /// CASE over an OID.
    fn pick(&self, subject: &Expr, values: impl Iterator<Item = (i64, String)>) -> Expr {
        let cases: Vec<_> = values
            .map(|(one, value)| CaseWhen {
                condition: number(one),
                result: text(value),
            })
            .collect();
        if cases.is_empty() {
            return text_null();
        }
        conditions(Some(subject.clone()), cases)
    }
}

/// A number out of those of a table and of one of its columns.
fn placed(table: &Expr, column: &Expr) -> Expr {
    let place = |left: Expr, op, right: Expr| Expr::BinaryOp {
        left: Box::new(left),
        op,
        right: Box::new(right),
    };
    let big = |expr: &Expr| cast(expr.clone(), DataType::BigInt(None));
    let of = place(big(table), BinaryOperator::Multiply, number(MOST_COLUMNS));
    place(of, BinaryOperator::Plus, big(column))
}

/// The age of a transaction: what was never written by one is as old as can be.
fn age(transaction: &Expr) -> Expr {
    let of = |condition| CaseWhen {
        condition,
        result: number(i32::MAX),
    };
    let frozen = Expr::BinaryOp {
        left: Box::new(transaction.clone()),
        op: BinaryOperator::Lt,
        right: Box::new(number(3)),
    };
    let mut case = conditions(None, vec![of(frozen)]);
    if let Expr::Case { else_result, .. } = &mut case {
        *else_result = Some(Box::new(number(0)));
    }
    cast(case, DataType::Int(None))
}

/// Whether an expression is the number of a transaction.
fn is_transaction(expr: &Expr) -> bool {
    let written = expr.to_string().to_ascii_lowercase();
    // The last is what a cast to `xid` has become.
    ["xid", "xmin", "unsigned"]
        .iter()
        .any(|sign| written.contains(sign))
}

/// The OID of a function of a type by its name.
pub fn function_oid(written: &str) -> u32 {
    let name = written.trim_start_matches("pg_catalog.");
    let array = kinds::FUNCTIONS
        .iter()
        .find(|(_, known)| *known == name)
        .map(|(oid, _)| *oid);
    let own = || {
        kinds::ALL.iter().find_map(|kind| {
            (0..4)
                .find(|which| kinds::function_name(kind, *which) == name)
                .map(|which| kinds::function(kind, which))
        })
    };
    array.or_else(own).unwrap_or(0)
}

/// The OID of a table of `pg_catalog`, where clients know it.
pub fn catalog_oid(name: &str) -> u32 {
    match name {
        "pg_class" => 1259,
        "pg_type" => 1247,
        "pg_attribute" => 1249,
        "pg_proc" => 1255,
        "pg_namespace" => 2615,
        "pg_constraint" => 2606,
        "pg_database" => 1262,
        "pg_index" => 2610,
        "pg_attrdef" => 2604,
        "pg_trigger" => 2620,
        "pg_rewrite" => 2618,
        "pg_extension" => 3079,
        other => rows::oid_of(&format!("pg_catalog.{other}")),
    }
}
