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
            let nothing = Expr::Value(Value::Null.into());
            if *data_type == DataType::Uuid {
                return Some(call("pg_uuid", vec![std::mem::replace(expr, nothing)]));
            }
            if *data_type == DataType::Bytea
                && let Expr::Value(value) = &mut **expr
                && let Value::SingleQuotedString(written) = &value.value
                && let Some(digits) = bytes_written(written)
            {
                value.value = Value::HexStringLiteral(digits);
                return None;
            }
            let digits = digits(data_type)?;
            if !matches!(kind, CastKind::Cast | CastKind::DoubleColon) {
                return None;
            }
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

/// The digits of the bytes that a text says: `\x6162`, or letters with `\\` and `\141` among them. `None` if it says none.
fn bytes_written(text: &str) -> Option<String> {
    if let Some(digits) = text.strip_prefix("\\x") {
        let digits: String = digits.chars().filter(|one| !one.is_whitespace()).collect();
        let whole =
            digits.len().is_multiple_of(2) && digits.chars().all(|one| one.is_ascii_hexdigit());
        return whole.then_some(digits);
    }
    let mut made = String::new();
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        let byte = match byte {
            b'\\' => match bytes.next()? {
                b'\\' => b'\\',
                first => {
                    let digits = [first, bytes.next()?, bytes.next()?];
                    u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 8).ok()?
                }
            },
            plain => plain,
        };
        made.push_str(&format!("{byte:02x}"));
    }
    Some(made)
}

/// Takes the number of digits of a second out of the name of a type.
fn digits(kind: &mut DataType) -> Option<u64> {
    match kind {
        DataType::Timestamp(digits, _) | DataType::Time(digits, _) => digits.take(),
        _ => None,
    }
}
