//! Parameters of a prepared statement, `$1` and on: which types they have, and their values as literals of the statement.
//! A value is put into the syntax tree, never into text, and before planning, so that it narrows calls as a literal does.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Instant;

use arrow::datatypes::{DataType, Field, IntervalUnit, SchemaRef, TimeUnit};
use datafusion::logical_expr::LogicalPlan;
use datafusion::sql::sqlparser::ast::{
    Array, ArrayElemTypeDef, CastKind, DataType as SqlType, ExactNumberInfo, Expr, Ident,
    SelectItem, SetExpr, Statement, TimezoneInfo, Value,
};
use restable_sql::Parsed;

use crate::open_parameters::{beside, list_of, times, written_types};
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
#[derive(Debug, Default, Clone)]
pub(crate) struct Given {
    /// The values of `:name`.
    pub(crate) named: HashMap<String, String>,
    /// The values of `$1` and on; `None`: left open, to find out its type.
    pub(crate) positional: Vec<Option<Parameter>>,
}

impl Given {
    /// The same for a statement that acts, whose values are text where nothing says otherwise.
    pub(crate) fn closed(&self) -> Given {
        let text = || Parameter {
            kind: DataType::Utf8,
            value: Bound::Null,
        };
        let closed = self.positional.iter().cloned();
        Given {
            named: self.named.clone(),
            positional: closed.map(|one| one.or_else(|| Some(text()))).collect(),
        }
    }
}

impl Session {
    /// As [`Session::prepare`], with values for `$1` and on.
    pub async fn prepare_with(&self, parsed: &Parsed, values: Vec<Parameter>) -> Result<Prepared> {
        let started = Instant::now();
        let positional = values.into_iter().map(Some).collect();
        let prepared = self.prepare_given(parsed, positional).await;
        self.counted(parsed, started, prepared)
    }

    /// What a statement takes and answers. `declared` are the types that are known of `$1` and on.
    pub async fn describe(
        &self,
        parsed: &Parsed,
        declared: &[Option<DataType>],
    ) -> Result<Described> {
        let started = Instant::now();
        let described = self.find_out(parsed, declared).await;
        self.counted(parsed, started, described)
    }

    async fn find_out(&self, parsed: &Parsed, declared: &[Option<DataType>]) -> Result<Described> {
        let numbers = parsed
            .placeholders
            .iter()
            .filter_map(|one| one.name.parse::<usize>().ok());
        let count = numbers.max().unwrap_or_default().max(declared.len());
        let null = |kind: &DataType| Parameter {
            kind: kind.clone(),
            value: Bound::Null,
        };
        let written = written_types(parsed);
        let times = times(parsed);
        let mut open: Vec<Option<Parameter>> = (0..count)
            .map(|at| {
                // Without a value it names no refresh: left open, it stands for any.
                if times.contains(&at) {
                    return None;
                }
                declared
                    .get(at)
                    .and_then(Option::as_ref)
                    .or(written.get(&at))
                    .map(null)
            })
            .collect();
        if open.iter().any(Option::is_none)
            && let Some(beside) = beside(parsed)
        {
            let known = open.clone();
            let mut learn = |at: usize, kind: DataType| {
                let kind = match beside.lists.contains(&at) {
                    true => list_of(kind),
                    false => kind,
                };
                if let Some(place @ None) = open.get_mut(at)
                    && !times.contains(&at)
                {
                    *place = Some(null(&kind));
                }
            };

            if let Ok(prepared) = self.prepare_given(&beside.parsed, known).await {
                for (at, kind) in prepared.open_types()? {
                    learn(at, kind);
                }
            }
            for at in &beside.lists {
                learn(*at, DataType::Utf8);
            }
        }
        let kind = |(at, one): (usize, &Option<Parameter>)| match one {
            Some(one) => one.kind.clone(),
            None if times.contains(&at) => {
                let known = declared.get(at).and_then(Option::as_ref);
                let zoned = DataType::Timestamp(TimeUnit::Nanosecond, Some("+00:00".into()));
                known.or(written.get(&at)).cloned().unwrap_or(zoned)
            }
            None => DataType::Utf8,
        };
        let mut kinds: Vec<DataType> = open.iter().enumerate().map(kind).collect();
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

/// The reverse of [`sql_type`], for the types that parameters are cast to.
pub(crate) fn arrow_type(kind: &SqlType) -> Option<DataType> {
    let zoned = |zone: &TimezoneInfo| match zone {
        TimezoneInfo::WithTimeZone | TimezoneInfo::Tz => Some("+00:00".into()),
        TimezoneInfo::None | TimezoneInfo::WithoutTimeZone => None,
    };
    Some(match kind {
        SqlType::Boolean | SqlType::Bool => DataType::Boolean,
        SqlType::SmallInt(_) | SqlType::Int2(_) => DataType::Int16,
        SqlType::Int(_) | SqlType::Integer(_) | SqlType::Int4(_) => DataType::Int32,
        SqlType::BigInt(_) | SqlType::Int8(_) => DataType::Int64,
        SqlType::Real | SqlType::Float4 => DataType::Float32,
        SqlType::DoublePrecision | SqlType::Double(_) | SqlType::Float8 | SqlType::Float(_) => {
            DataType::Float64
        }
        SqlType::Text | SqlType::Varchar(_) | SqlType::JSON | SqlType::JSONB => DataType::Utf8,
        SqlType::Date => DataType::Date32,
        SqlType::Time(_, TimezoneInfo::None | TimezoneInfo::WithoutTimeZone) => {
            DataType::Time64(TimeUnit::Nanosecond)
        }
        SqlType::Interval { .. } => DataType::Interval(IntervalUnit::MonthDayNano),
        SqlType::Bytea => DataType::Binary,
        SqlType::Timestamp(_, zone) => DataType::Timestamp(TimeUnit::Nanosecond, zoned(zone)),
        SqlType::Decimal(_) | SqlType::Numeric(_) => DataType::Decimal128(38, 10),
        SqlType::Array(ArrayElemTypeDef::SquareBracket(item, _)) => {
            DataType::List(Arc::new(Field::new("item", arrow_type(item)?, true)))
        }
        // The name of what is meant.
        SqlType::Regclass => DataType::Utf8,
        SqlType::Custom(name, _) => {
            let name = name.to_string().replace('"', "").to_ascii_lowercase();
            match name.strip_prefix("pg_catalog.").unwrap_or(&name) {
                "oid" => DataType::UInt32,
                "regclass" | "regtype" | "regproc" | "name" | "text" | "varchar" => DataType::Utf8,
                "bool" => DataType::Boolean,
                "int2" => DataType::Int16,
                "int4" => DataType::Int32,
                "int8" => DataType::Int64,
                "float4" => DataType::Float32,
                "float8" => DataType::Float64,
                "date" => DataType::Date32,
                "numeric" => DataType::Decimal128(38, 10),
                "timestamp" => DataType::Timestamp(TimeUnit::Nanosecond, None),
                "timestamptz" => DataType::Timestamp(TimeUnit::Nanosecond, Some("+00:00".into())),
                _ => return None,
            }
        }
        _ => return None,
    })
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

/// What stands twice in a SELECT list gets names of its own, which the planner wants and nobody sees: the headings are known
/// before.
pub(crate) fn tell_apart(statement: &mut Statement) {
    let Statement::Query(query) = statement else {
        return;
    };
    let SetExpr::Select(select) = query.body.as_mut() else {
        return;
    };
    let mut seen = HashSet::new();
    for (at, item) in select.projection.iter_mut().enumerate() {
        if let SelectItem::UnnamedExpr(expr) = item
            && !seen.insert(shown(expr))
        {
            *item = SelectItem::ExprWithAlias {
                expr: expr.clone(),
                alias: Ident::with_quote('"', format!("again:{at}")),
            };
        }
    }
}

/// What the planner calls an expression: casts do not count.
fn shown(expr: &Expr) -> String {
    match expr {
        Expr::Cast { expr, .. } | Expr::Nested(expr) => shown(expr),
        other => other.to_string(),
    }
}

impl Parameter {
    /// The value as an expression of SQL.
    pub(crate) fn expr(&self) -> Expr {
        match &self.value {
            Bound::Null => {
                let null = Expr::Value(Value::Null.into());
                match value_type(&self.kind) {
                    Some(kind) => cast(null, kind),
                    None => null,
                }
            }
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
                let list = Expr::Array(Array {
                    elem: items.iter().map(one).collect(),
                    named: true,
                });
                match value_type(&self.kind) {
                    // No item says what they would be.
                    Some(kind) if items.iter().all(Option::is_none) => cast(list, kind),
                    _ => list,
                }
            }
        }
    }
}

fn literal(kind: &DataType, text: &str) -> Expr {
    let quoted = || Value::SingleQuotedString(text.to_owned());
    match kind {
        DataType::Boolean => Expr::Value(Value::Boolean(text == "t" || text == "true").into()),
        kind if kind.is_integer() => number(text),
        kind if kind.is_decimal() && text.contains('.') => number(text),
        kind if kind.is_decimal() && text.contains(['e', 'E']) => {
            let (minus, digits) = match text.strip_prefix('-') {
                Some(digits) => ("-", digits),
                None => ("", text.trim_start_matches('+')),
            };
            match crate::dialect::exact_number(digits) {
                Some(Expr::Value(value)) => number(&format!("{minus}{}", value.value)),
                Some(float) if minus.is_empty() => float,
                _ => number(text),
            }
        }
        // Without a point it would be an integer.
        kind if kind.is_decimal() => {
            let digits = text.trim_start_matches(['-', '+']).len().clamp(1, 38);
            let exact = ExactNumberInfo::PrecisionAndScale(digits as u64, 0);
            cast(number(text), SqlType::Decimal(exact))
        }
        DataType::Utf8 | DataType::Null => Expr::Value(quoted().into()),
        // The digits of its bytes: as text they would be the bytes themselves.
        DataType::Binary => Expr::Value(Value::HexStringLiteral(text.to_owned()).into()),
        kind => match sql_type(kind) {
            Some(kind) => cast(Expr::Value(quoted().into()), kind),
            None => Expr::Value(quoted().into()),
        },
    }
}

/// The elements of an array as PostgreSQL writes it, `{a,"b c",NULL}`; `None`: it is none, or one of arrays.
pub fn elements(text: &str) -> Option<Vec<Option<String>>> {
    let inner = text.trim().strip_prefix('{')?.strip_suffix('}')?;
    let mut items = Vec::new();
    let mut letters = inner.chars().peekable();
    if inner.trim().is_empty() {
        return Some(items);
    }
    loop {
        let mut item = String::new();
        let mut quoted = false;
        while let Some(letter) = letters.next_if(|letter| *letter != ',') {
            match letter {
                '"' => {
                    quoted = true;
                    loop {
                        match letters.next()? {
                            '"' => break,
                            '\\' => item.push(letters.next()?),
                            other => item.push(other),
                        }
                    }
                }
                '\\' => item.push(letters.next()?),
                '{' | '}' => return None,
                // Around an item they do not count.
                blank if blank.is_whitespace() && (quoted || item.is_empty()) => {}
                other => item.push(other),
            }
        }
        items.push(if quoted {
            Some(item)
        } else {
            let item = item.trim();
            (!item.eq_ignore_ascii_case("null")).then(|| item.to_owned())
        });
        if letters.next().is_none() {
            return Some(items);
        }
    }
}

fn number(text: &str) -> Expr {
    Expr::Value(Value::Number(text.to_owned(), false).into())
}

/// The type that a value of this type has where it is written: a whole number is a bigint, whichever a client declared. What is
/// described without a value has the same.
fn value_type(kind: &DataType) -> Option<SqlType> {
    match kind {
        DataType::List(item) => {
            let item = value_type(item.data_type())?;
            Some(SqlType::Array(ArrayElemTypeDef::SquareBracket(
                Box::new(item),
                None,
            )))
        }
        kind if kind.is_integer() => Some(SqlType::BigInt(None)),
        kind => sql_type(kind),
    }
}

fn cast(value: Expr, kind: SqlType) -> Expr {
    Expr::Cast {
        kind: CastKind::Cast,
        expr: Box::new(value),
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
