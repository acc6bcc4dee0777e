//! PREPARE and EXECUTE of SQL: a query under a name, which the session keeps, and its values.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use arrow::datatypes::DataType;
use datafusion::sql::sqlparser::ast::{self, Expr, UnaryOperator, Value};
use restable_sql::{Diagnostic, Parsed, Statement};

use crate::door::HeldMemory;
use crate::parameters::{Bound, Parameter, arrow_type};
use crate::{Error, Result};

/// A query that was prepared.
#[derive(Debug, Clone)]
pub(crate) struct Query {
    /// What it says.
    pub parsed: Parsed,
    /// When it was.
    pub prepared: SystemTime,
    /// The types that it gives its values.
    pub types: Vec<Option<DataType>>,
    /// Room for what it says.
    _memory: Option<Arc<HeldMemory>>,
}

/// What a query takes for each byte of its text: its tree is larger than that.
pub(crate) const TREE: usize = 64;
/// So many queries a session keeps.
const MANY: usize = 10_000;

/// The queries of a session, by name: in lower case unless it was quoted.
#[derive(Debug, Default)]
pub(crate) struct Queries(Mutex<HashMap<String, Query>>);

impl Query {
    /// The values of `$1` and on, as EXECUTE writes them.
    pub(crate) fn values(&self, given: &[Expr]) -> Result<Vec<Option<Parameter>>> {
        let numbers = self.parsed.placeholders.iter();
        let numbers = numbers.filter_map(|one| one.name.parse::<usize>().ok());
        let wanted = numbers.max().unwrap_or(0).max(self.types.len());
        if given.len() != wanted {
            let problem = format!(
                "the prepared query takes {wanted} values, {} are given",
                given.len()
            );
            return Err(Diagnostic::new("R0360", problem).into());
        }
        let values = given.iter().enumerate();
        let value = |(at, expr)| {
            let parameter = constant(expr).ok_or_else(|| {
                Error::from(Diagnostic::new(
                    "R0360",
                    format!(
                        "`{expr}` is no constant: EXECUTE takes numbers, texts, booleans and NULL"
                    ),
                ))
            })?;
            Ok(Some(match self.types.get(at).cloned().flatten() {
                Some(kind) => Parameter { kind, ..parameter },
                None => parameter,
            }))
        };
        values.map(value).collect()
    }
}

impl Queries {
    /// Keeps a query.
    pub(crate) fn keep(
        &self,
        name: &str,
        parsed: &Parsed,
        memory: Option<HeldMemory>,
    ) -> Result<()> {
        let Statement::Query(statement) = &parsed.statement else {
            return Err(Error::internal("PREPARE is no query"));
        };
        let ast::Statement::Prepare {
            data_types,
            statement,
            ..
        } = &**statement
        else {
            return Err(Error::internal("PREPARE says something else"));
        };
        let query = Query {
            parsed: Parsed {
                statement: Statement::Query(statement.clone()),
                ..parsed.clone()
            },
            prepared: SystemTime::now(),
            types: data_types.iter().map(arrow_type).collect(),
            _memory: memory.map(Arc::new),
        };
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.contains_key(name) {
            let problem = format!("there is a prepared query `{name}` already");
            let help = format!("`DEALLOCATE {name}` forgets it");
            return Err(Diagnostic::new("R0361", problem).help(help).into());
        }
        if known.len() >= MANY {
            let problem = format!("the session has {MANY} prepared queries, and keeps no more");
            return Err(Diagnostic::new("R0210", problem)
                .help("`DEALLOCATE ALL` forgets them")
                .into());
        }
        known.insert(name.to_owned(), query);
        Ok(())
    }

    /// The query of a name.
    pub(crate) fn find(&self, name: &str) -> Result<Query> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(name).cloned().ok_or_else(|| {
            let problem = format!("there is no prepared query `{name}`");
            let help = format!("`PREPARE {name} AS SELECT …` makes it");
            Diagnostic::new("R0362", problem).help(help).into()
        })
    }

    /// All of them, by their names.
    pub(crate) fn all(&self) -> Vec<(String, Query)> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = known.iter();
        let mut all: Vec<_> = known
            .map(|(name, query)| (name.clone(), query.clone()))
            .collect();
        all.sort_by(|(one, _), (other, _)| one.cmp(other));
        all
    }

    /// Forgets one, or all; whether there was one.
    pub(crate) fn forget(&self, name: Option<&str>) -> bool {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match name {
            Some(name) => known.remove(name).is_some(),
            None => {
                known.clear();
                true
            }
        }
    }
}

/// The name of a prepared query follows SQL's rule.
pub(crate) fn name(ident: &ast::Ident) -> String {
    match ident.quote_style {
        Some(_) => ident.value.clone(),
        None => ident.value.to_ascii_lowercase(),
    }
}

fn constant(expr: &Expr) -> Option<Parameter> {
    let one = |kind, text: &str| Parameter {
        kind,
        value: Bound::One(text.to_owned()),
    };
    match expr {
        Expr::Nested(inner) => constant(inner),
        Expr::Value(value) => Some(match &value.value {
            Value::Number(text, _) => one(number(text), text),
            Value::SingleQuotedString(text) => one(DataType::Utf8, text),
            Value::Boolean(value) => one(DataType::Boolean, &value.to_string()),
            Value::Null => Parameter {
                kind: DataType::Null,
                value: Bound::Null,
            },
            _ => return None,
        }),
        Expr::UnaryOp {
            op: UnaryOperator::Minus,
            expr,
        } => match constant(expr)? {
            Parameter {
                kind,
                value: Bound::One(text),
            } if kind.is_numeric() => Some(one(kind, &format!("-{text}"))),
            _ => None,
        },
        Expr::Cast {
            expr, data_type, ..
        } => Some(Parameter {
            kind: arrow_type(data_type)?,
            ..constant(expr)?
        }),
        _ => None,
    }
}

fn number(text: &str) -> DataType {
    match text.parse::<i64>() {
        Ok(_) => DataType::Int64,
        Err(_) => DataType::Float64,
    }
}
