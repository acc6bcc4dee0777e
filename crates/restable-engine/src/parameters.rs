//! Parameters of a prepared statement, `$1` and on: which types they have, and their values as literals of the statement.
//! A value is put into the syntax tree, never into text, and before planning, so that it narrows calls as a literal does.

use std::collections::HashMap;

use arrow::datatypes::{DataType, SchemaRef};
use datafusion::logical_expr::LogicalPlan;
use datafusion::sql::sqlparser::ast::{
    Array, CastKind, DataType as SqlType, ExactNumberInfo, Expr, TimezoneInfo, Value,
};
use restable_sql::Parsed;

use crate::session::{Prepared, Session};
use crate::{Error, Result};

/// The value of a parameter with its type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parameter {
    /// The type.
    pub kind: DataType,
    /// The value.
    pub value: Bound,
}

/// A value as text, in the form that SQL writes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Bound {
    /// NULL.
    Null,
    /// One value.
    One(String),
    /// The items of a list.
    List(Vec<Option<String>>),
}

/// What a statement takes and answers. Nothing was sent to find out.
#[derive(Debug, Clone)]
pub struct Described {
    /// The types of `$1` and on; text where nothing says otherwise.
    pub parameters: Vec<DataType>,
    /// The columns of its rows; `None` if it answers none.
    pub columns: Option<SchemaRef>,
}

/// What placeholders stand for while a statement is planned.
#[derive(Debug, Default)]
pub(crate) struct Given {
    /// The values of `:name`.
    pub(crate) named: HashMap<String, String>,
    /// The values of `$1` and on; `None`: left open, to find out its type.
    pub(crate) positional: Vec<Option<Parameter>>,
}

impl Session {
    /// As [`Session::prepare`], with values for `$1` and on.
    pub async fn prepare_with(&self, parsed: &Parsed, values: Vec<Parameter>) -> Result<Prepared> {
        let positional = values.into_iter().map(Some).collect();
        self.prepare_given(parsed, positional).await
    }

    /// What a statement takes and answers. `declared` are the types that are known of `$1` and on.
    pub async fn describe(
        &self,
        parsed: &Parsed,
        declared: &[Option<DataType>],
    ) -> Result<Described> {
        let numbers = parsed
            .placeholders
            .iter()
            .filter_map(|one| one.name.parse::<usize>().ok());
        let count = numbers.max().unwrap_or_default().max(declared.len());
        let null = |kind: &DataType| Parameter {
            kind: kind.clone(),
            value: Bound::Null,
        };
        let open: Vec<Option<Parameter>> = (0..count)
            .map(|at| declared.get(at).and_then(Option::as_ref).map(null))
            .collect();
        let mut kinds: Vec<DataType> = open
            .iter()
            .map(|one| one.as_ref().map_or(DataType::Utf8, |one| one.kind.clone()))
            .collect();
        let is_open = open.iter().any(Option::is_none);
        let prepared = match self.prepare_given(parsed, open.clone()).await {
            Ok(prepared) => {
                for (at, kind) in prepared.open_types()? {
                    if let Some(place) = kinds.get_mut(at) {
                        *place = kind;
                    }
                }
                prepared
            }
            // Where nothing says what an open parameter is, it is text.
            Err(_) if is_open => {
                let texts = open
                    .into_iter()
                    .map(|one| one.or_else(|| Some(null(&DataType::Utf8))));
                self.prepare_given(parsed, texts.collect()).await?
            }
            Err(problem) => return Err(problem),
        };
        Ok(Described {
            parameters: kinds,
            columns: prepared.columns(),
        })
    }
}

/// The types that planning gave to open parameters, by position from 0.
pub(crate) fn open_types(plan: &LogicalPlan) -> Result<Vec<(usize, DataType)>> {
    let found = plan.get_parameter_types().map_err(Error::from)?;
    let by_place = found.into_iter().filter_map(|(name, kind)| {
        let number: usize = name.trim_start_matches('$').parse().ok()?;
        Some((number.checked_sub(1)?, kind?))
    });
    Ok(by_place
        .filter(|(_, kind)| *kind != DataType::Null)
        .collect())
}

impl Parameter {
    /// The value as an expression of SQL.
    pub(crate) fn expr(&self) -> Expr {
        match &self.value {
            Bound::Null => match sql_type(&self.kind) {
                Some(kind) => cast(Value::Null, kind),
                None => Expr::Value(Value::Null.into()),
            },
            Bound::One(text) => literal(&self.kind, text),
            Bound::List(items) => {
                let item = match &self.kind {
                    DataType::List(item) => item.data_type().clone(),
                    other => other.clone(),
                };
                let one = |text: &Option<String>| match text {
                    Some(text) => literal(&item, text),
                    None => Expr::Value(Value::Null.into()),
                };
                Expr::Array(Array {
                    elem: items.iter().map(one).collect(),
                    named: true,
                })
            }
        }
    }
}

fn literal(kind: &DataType, text: &str) -> Expr {
    let quoted = || Value::SingleQuotedString(text.to_owned());
    match kind {
        DataType::Boolean => Expr::Value(Value::Boolean(text == "t" || text == "true").into()),
        kind if kind.is_integer() || kind.is_decimal() => {
            Expr::Value(Value::Number(text.to_owned(), false).into())
        }
        DataType::Utf8 | DataType::Null => Expr::Value(quoted().into()),
        kind => match sql_type(kind) {
            Some(kind) => cast(quoted(), kind),
            None => Expr::Value(quoted().into()),
        },
    }
}

fn cast(value: Value, kind: SqlType) -> Expr {
    Expr::Cast {
        kind: CastKind::Cast,
        expr: Box::new(Expr::Value(value.into())),
        data_type: kind,
        array: false,
        format: None,
    }
}

/// The type as SQL writes it; `None` where a literal says it all.
fn sql_type(kind: &DataType) -> Option<SqlType> {
    Some(match kind {
        DataType::Boolean => SqlType::Boolean,
        DataType::Int8 | DataType::Int16 => SqlType::SmallInt(None),
        DataType::Int32 => SqlType::Int(None),
        DataType::Int64 => SqlType::BigInt(None),
        DataType::UInt32 => SqlType::IntUnsigned(None),
        DataType::Float16 | DataType::Float32 => SqlType::Real,
        DataType::Float64 => SqlType::DoublePrecision,
        DataType::Decimal128(precision, scale) => SqlType::Decimal(
            ExactNumberInfo::PrecisionAndScale(u64::from(*precision), i64::from(*scale)),
        ),
        DataType::Utf8 => SqlType::Varchar(None),
        DataType::Binary => SqlType::Bytea,
        DataType::Date32 => SqlType::Date,
        DataType::Time64(_) => SqlType::Time(None, TimezoneInfo::None),
        DataType::Timestamp(_, None) => SqlType::Timestamp(None, TimezoneInfo::None),
        DataType::Timestamp(_, Some(_)) => SqlType::Timestamp(None, TimezoneInfo::WithTimeZone),
        DataType::Interval(_) => SqlType::Interval {
            fields: None,
            precision: None,
        },
        _ => return None,
    })
}
