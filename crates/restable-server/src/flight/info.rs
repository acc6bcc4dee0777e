//! What the server says about itself: SqlInfo, which drivers read before they ask anything, and the types of its values.

use std::sync::LazyLock;

use arrow::array::RecordBatch;
use arrow_flight::error::FlightError;
use arrow_flight::sql::metadata::{
    SqlInfoData, SqlInfoDataBuilder, XdbcTypeInfo, XdbcTypeInfoData, XdbcTypeInfoDataBuilder,
};
use arrow_flight::sql::{
    CommandGetSqlInfo, CommandGetXdbcTypeInfo, Nullable, Searchable, SqlInfo,
    SqlSupportedTransaction, SupportedSqlGrammar, XdbcDataType, XdbcDatetimeSubcode,
};
use restable_engine::acting::Access;
use tonic::Status;

use super::status::ours;

/// Words of the dialect that are no names without quotes, beside those of SQL:2003.
const KEYWORDS: &[&str] = &[
    "DESCRIBE", "EXEC", "EXPLAIN", "LIMIT", "OFFSET", "PREVIEW", "REPLACE", "SHOW", "USE",
];
const NUMERIC: &[&str] = &[
    "abs",
    "acos",
    "asin",
    "atan",
    "atan2",
    "cbrt",
    "ceil",
    "cos",
    "cosh",
    "degrees",
    "exp",
    "factorial",
    "floor",
    "gcd",
    "lcm",
    "ln",
    "log",
    "log10",
    "log2",
    "pi",
    "power",
    "radians",
    "random",
    "round",
    "signum",
    "sin",
    "sinh",
    "sqrt",
    "tan",
    "tanh",
    "trunc",
];
const STRING: &[&str] = &[
    "ascii",
    "bit_length",
    "btrim",
    "char_length",
    "chr",
    "concat",
    "concat_ws",
    "ends_with",
    "initcap",
    "left",
    "length",
    "levenshtein",
    "lower",
    "lpad",
    "ltrim",
    "octet_length",
    "overlay",
    "position",
    "regexp_like",
    "regexp_match",
    "regexp_replace",
    "repeat",
    "replace",
    "reverse",
    "right",
    "rpad",
    "rtrim",
    "split_part",
    "starts_with",
    "strpos",
    "substr",
    "substring",
    "to_hex",
    "translate",
    "trim",
    "upper",
];
const DATETIME: &[&str] = &[
    "current_date",
    "current_time",
    "date_bin",
    "date_part",
    "date_trunc",
    "from_unixtime",
    "make_date",
    "now",
    "to_char",
    "to_date",
    "to_timestamp",
    "to_unixtime",
];
const SYSTEM: &[&str] = &["arm_equal", "arm_id", "coalesce", "json_extract", "nullif"];

/// Bits of an answer, by the numbers of an enumeration of the protocol.
const fn bits(numbers: &[i32]) -> i32 {
    let mut all = 0;
    let mut at = 0;
    while at < numbers.len() {
        all |= 1 << numbers[at];
        at += 1;
    }
    all
}

fn sql_info(access: Access) -> Result<SqlInfoData, FlightError> {
    let mut info = SqlInfoDataBuilder::new();
    let reads_only = access != Access::Write;
    info.append(SqlInfo::FlightSqlServerName, "restable");
    info.append(SqlInfo::FlightSqlServerVersion, env!("CARGO_PKG_VERSION"));
    info.append(SqlInfo::FlightSqlServerArrowVersion, "1.3");
    info.append(SqlInfo::FlightSqlServerReadOnly, reads_only);
    info.append(SqlInfo::FlightSqlServerSql, true);
    info.append(SqlInfo::FlightSqlServerSubstrait, false);
    info.append(
        SqlInfo::FlightSqlServerTransaction,
        SqlSupportedTransaction::None as i32,
    );
    info.append(SqlInfo::FlightSqlServerCancel, true);
    info.append(SqlInfo::FlightSqlServerBulkIngestion, false);
    info.append(SqlInfo::FlightSqlServerIngestTransactionsSupported, false);
    info.append(SqlInfo::FlightSqlServerStatementTimeout, 0_i32);
    info.append(SqlInfo::FlightSqlServerTransactionTimeout, 0_i32);
    info.append(SqlInfo::SqlDdlCatalog, false);
    info.append(SqlInfo::SqlDdlSchema, false);
    info.append(SqlInfo::SqlDdlTable, true);
    // Names are found without regard to case, quoted or not.
    info.append(SqlInfo::SqlIdentifierCase, 1_i64);
    info.append(SqlInfo::SqlIdentifierQuoteChar, "\"");
    info.append(SqlInfo::SqlQuotedIdentifierCase, 1_i64);
    info.append(SqlInfo::SqlAllTablesAreSelectable, true);
    // Sorted high: last where the order is ascending.
    info.append(SqlInfo::SqlNullOrdering, 0_i64);
    for (name, list) in [
        (SqlInfo::SqlKeywords, KEYWORDS),
        (SqlInfo::SqlNumericFunctions, NUMERIC),
        (SqlInfo::SqlStringFunctions, STRING),
        (SqlInfo::SqlSystemFunctions, SYSTEM),
        (SqlInfo::SqlDatetimeFunctions, DATETIME),
    ] {
        info.append(name, list);
    }
    info.append(SqlInfo::SqlSearchStringEscape, "\\");
    info.append(SqlInfo::SqlExtraNameCharacters, "");
    info.append(SqlInfo::SqlSupportsColumnAliasing, true);
    info.append(SqlInfo::SqlNullPlusNullIsNull, true);
    // By source type, the target types; numbers of `SqlSupportsConvert`. Text is cast to all and all to text.
    let text: i32 = 15;
    let numbers = [1, 3, 5, 6, 8, 14];
    let mut convert: std::collections::HashMap<i32, Vec<i32>> = numbers
        .iter()
        .map(|kind| (*kind, [&numbers[..], &[text]].concat()))
        .collect();
    convert.insert(text, [&numbers[..], &[2, 4, 17, text]].concat());
    info.append(SqlInfo::SqlSupportsConvert, &convert);
    info.append(SqlInfo::SqlSupportsTableCorrelationNames, true);
    info.append(SqlInfo::SqlSupportsDifferentTableCorrelationNames, false);
    info.append(SqlInfo::SqlSupportsExpressionsInOrderBy, true);
    info.append(SqlInfo::SqlSupportsOrderByUnrelated, true);
    info.append(SqlInfo::SqlSupportedGroupBy, bits(&[0, 1]));
    info.append(SqlInfo::SqlSupportsLikeEscapeClause, true);
    info.append(SqlInfo::SqlSupportsNonNullableColumns, false);
    info.append(
        SqlInfo::SqlSupportedGrammar,
        bits(&[
            SupportedSqlGrammar::SqlMinimumGrammar as i32,
            SupportedSqlGrammar::SqlCoreGrammar as i32,
        ]),
    );
    info.append(SqlInfo::SqlAnsi92SupportedLevel, bits(&[0]));
    info.append(SqlInfo::SqlSupportsIntegrityEnhancementFacility, false);
    info.append(SqlInfo::SqlOuterJoinsSupportLevel, bits(&[1, 2]));
    info.append(SqlInfo::SqlSchemaTerm, "service");
    info.append(SqlInfo::SqlProcedureTerm, "method");
    info.append(SqlInfo::SqlCatalogTerm, "provider");
    info.append(SqlInfo::SqlCatalogAtStart, true);
    info.append(SqlInfo::SqlSchemasSupportedActions, 0_i32);
    info.append(SqlInfo::SqlCatalogsSupportedActions, 0_i32);
    info.append(SqlInfo::SqlSupportedPositionedCommands, 0_i32);
    info.append(SqlInfo::SqlSelectForUpdateSupported, false);
    info.append(SqlInfo::SqlStoredProceduresSupported, false);
    info.append(SqlInfo::SqlSupportedSubqueries, bits(&[0, 1, 2]));
    info.append(SqlInfo::SqlCorrelatedSubqueriesSupported, true);
    info.append(SqlInfo::SqlSupportedUnions, bits(&[0, 1]));
    // No limit is known; 0 says so.
    for name in [
        SqlInfo::SqlMaxBinaryLiteralLength,
        SqlInfo::SqlMaxCharLiteralLength,
        SqlInfo::SqlMaxColumnNameLength,
        SqlInfo::SqlMaxColumnsInGroupBy,
        SqlInfo::SqlMaxColumnsInIndex,
        SqlInfo::SqlMaxColumnsInOrderBy,
        SqlInfo::SqlMaxColumnsInSelect,
        SqlInfo::SqlMaxColumnsInTable,
        SqlInfo::SqlMaxConnections,
        SqlInfo::SqlMaxCursorNameLength,
        SqlInfo::SqlMaxIndexLength,
        SqlInfo::SqlDbSchemaNameLength,
        SqlInfo::SqlMaxProcedureNameLength,
        SqlInfo::SqlMaxCatalogNameLength,
        SqlInfo::SqlMaxRowSize,
        SqlInfo::SqlMaxStatementLength,
        SqlInfo::SqlMaxStatements,
        SqlInfo::SqlMaxTableNameLength,
        SqlInfo::SqlMaxTablesInSelect,
        SqlInfo::SqlMaxUsernameLength,
    ] {
        info.append(name, 0_i64);
    }
    info.append(SqlInfo::SqlMaxRowSizeIncludesBlobs, true);
    info.append(SqlInfo::SqlDefaultTransactionIsolation, 0_i64);
    info.append(SqlInfo::SqlTransactionsSupported, false);
    info.append(SqlInfo::SqlSupportedTransactionsIsolationLevels, bits(&[0]));
    info.append(SqlInfo::SqlDataDefinitionCausesTransactionCommit, false);
    info.append(SqlInfo::SqlDataDefinitionsInTransactionsIgnored, false);
    // Forward only, to be read.
    info.append(SqlInfo::SqlSupportedResultSetTypes, bits(&[1]));
    info.append(
        SqlInfo::SqlSupportedConcurrenciesForResultSetUnspecified,
        0_i32,
    );
    info.append(
        SqlInfo::SqlSupportedConcurrenciesForResultSetForwardOnly,
        bits(&[1]),
    );
    info.append(
        SqlInfo::SqlSupportedConcurrenciesForResultSetScrollSensitive,
        0_i32,
    );
    info.append(
        SqlInfo::SqlSupportedConcurrenciesForResultSetScrollInsensitive,
        0_i32,
    );
    info.append(SqlInfo::SqlBatchUpdatesSupported, true);
    info.append(SqlInfo::SqlSavepointsSupported, false);
    info.append(SqlInfo::SqlNamedParametersSupported, false);
    info.append(SqlInfo::SqlLocatorsUpdateCopy, false);
    info.append(SqlInfo::SqlStoredFunctionsUsingCallSyntaxSupported, false);
    info.build()
}

static READS: LazyLock<Result<SqlInfoData, FlightError>> =
    LazyLock::new(|| sql_info(Access::ReadOnly));
static WRITES: LazyLock<Result<SqlInfoData, FlightError>> =
    LazyLock::new(|| sql_info(Access::Write));
static TYPES: LazyLock<Result<XdbcTypeInfoData, FlightError>> = LazyLock::new(types);

/// The answers that a client asks for; all where it names none.
pub fn answers(query: CommandGetSqlInfo, access: Access) -> Result<RecordBatch, Status> {
    let data = match access {
        Access::Write => &*WRITES,
        Access::Preview | Access::ReadOnly => &*READS,
    };
    let data = data.as_ref().map_err(ours)?;
    query.into_builder(data).build().map_err(ours)
}

/// The types of values.
pub fn type_info(query: CommandGetXdbcTypeInfo) -> Result<RecordBatch, Status> {
    let data = TYPES.as_ref().map_err(ours)?;
    query.into_builder(data).build().map_err(ours)
}

fn types() -> Result<XdbcTypeInfoData, FlightError> {
    use XdbcDataType as X;
    let mut all = XdbcTypeInfoDataBuilder::new();
    let quoted = |name: &str, kind, size| XdbcTypeInfo {
        type_name: name.to_owned(),
        data_type: kind,
        column_size: size,
        literal_prefix: Some("'".to_owned()),
        literal_suffix: Some("'".to_owned()),
        nullable: Nullable::NullabilityNullable,
        searchable: Searchable::Full,
        local_type_name: Some(name.to_owned()),
        sql_data_type: kind,
        ..XdbcTypeInfo::default()
    };
    let number = |name: &str, kind, digits, radix| XdbcTypeInfo {
        literal_prefix: None,
        literal_suffix: None,
        unsigned_attribute: Some(false),
        auto_increment: Some(false),
        minimum_scale: Some(0),
        maximum_scale: Some(0),
        num_prec_radix: Some(radix),
        ..quoted(name, kind, Some(digits))
    };
    let time = |name: &str, kind, size, code| XdbcTypeInfo {
        sql_data_type: X::XdbcDatetime,
        datetime_subcode: Some(code),
        ..quoted(name, kind, Some(size))
    };
    all.append(XdbcTypeInfo {
        case_sensitive: true,
        ..quoted("varchar", X::XdbcVarchar, None)
    });
    all.append(quoted("bytea", X::XdbcVarbinary, None));
    all.append(XdbcTypeInfo {
        literal_prefix: None,
        literal_suffix: None,
        ..quoted("boolean", X::XdbcBit, Some(1))
    });
    all.append(number("smallint", X::XdbcSmallint, 5, 10));
    all.append(number("integer", X::XdbcInteger, 10, 10));
    all.append(number("bigint", X::XdbcBigint, 19, 10));
    all.append(number("real", X::XdbcReal, 24, 2));
    all.append(number("double precision", X::XdbcDouble, 53, 2));
    all.append(XdbcTypeInfo {
        create_params: Some(vec!["precision".to_owned(), "scale".to_owned()]),
        fixed_prec_scale: false,
        maximum_scale: Some(38),
        ..number("decimal", X::XdbcDecimal, 38, 10)
    });
    // 1 is the code of a date; the enumeration has another name of it.
    let date = XdbcDatetimeSubcode::XdbcSubcodeYear;
    all.append(time("date", X::XdbcDate, 10, date));
    all.append(time(
        "time",
        X::XdbcTime,
        18,
        XdbcDatetimeSubcode::XdbcSubcodeTime,
    ));
    all.append(time(
        "timestamp",
        X::XdbcTimestamp,
        29,
        XdbcDatetimeSubcode::XdbcSubcodeTimestamp,
    ));
    all.append(XdbcTypeInfo {
        literal_prefix: Some("interval '".to_owned()),
        ..quoted("interval", X::XdbcInterval, None)
    });
    all.build()
}
