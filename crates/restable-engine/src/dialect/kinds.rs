//! Names of types that mean something else in PostgreSQL than in DataFusion: `float` is the larger one, `timestamp(0)` is a time that is
//! rounded to seconds. It touches syntax trees only.

use datafusion::sql::sqlparser::ast::{
    ArrayElemTypeDef, CastKind, DataType, ExactNumberInfo, Expr, Value,
};

use crate::pg_catalog::syntax::{call, cast, number};

/// The type that is meant: `float` and `float(25)` have 53 bits, `float(24)` has 24.
pub fn settle(kind: &mut DataType) {
    match kind {
        DataType::Float(ExactNumberInfo::Precision(1..=24)) => *kind = DataType::Real,
        DataType::Float(_) => *kind = DataType::DoublePrecision,
        DataType::Array(
            ArrayElemTypeDef::SquareBracket(item, _)
            | ArrayElemTypeDef::AngleBracket(item)
            | ArrayElemTypeDef::Parenthesis(item),
        ) => settle(item),
        _ => {}
    }
}

/// A cast to the type that is meant; if it says how many digits of a second there are, what is to stand for it.
pub fn settled_cast(expr: &mut Expr) -> Option<Expr> {
    match expr {
        Expr::Cast {
            kind,
            expr,
            data_type,
            ..
        } => {
            settle(data_type);
            let digits = digits(data_type)?;
            if !matches!(kind, CastKind::Cast | CastKind::DoubleColon) {
                return None;
            }
            let nothing = Expr::Value(Value::Null.into());
            let whole = cast(std::mem::replace(expr, nothing), data_type.clone());
            Some(call("rounded_time", vec![whole, number(digits)]))
        }
        Expr::TypedString(typed) => {
            settle(&mut typed.data_type);
            let digits = digits(&mut typed.data_type)?;
            let text = Expr::Value(typed.value.clone());
            let whole = cast(text, typed.data_type.clone());
            Some(call("rounded_time", vec![whole, number(digits)]))
        }
        _ => None,
    }
}

/// Takes the number of digits of a second out of the name of a type.
fn digits(kind: &mut DataType) -> Option<u64> {
    match kind {
        DataType::Timestamp(digits, _) | DataType::Time(digits, _) => digits.take(),
        _ => None,
    }
}
