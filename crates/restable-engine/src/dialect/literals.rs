//! Numbers as they are written: one with an exponent, or larger than a bigint, is exact as in PostgreSQL. Owns their digits.

use datafusion::sql::sqlparser::ast::{DataType, Expr, Value};

use crate::pg_catalog::syntax::{cast, text};

/// As many digits as DataFusion's decimals have.
const MOST: usize = 38;

/// As many digits as a float keeps.
const FLOAT: usize = 15;

/// The same number in digits that the planner of queries takes for an exact one; `None` if it does already. What lies beyond is a float,
/// if that has all of its digits.
pub fn exact(number: &str) -> Option<Expr> {
    let plain: String = number.chars().filter(|digit| *digit != '_').collect();
    let Some((mantissa, exponent)) = plain.split_once(['e', 'E']) else {
        let digits = plain.bytes().all(|digit| digit.is_ascii_digit());
        if !digits || plain.parse::<i64>().is_ok() {
            return None;
        }
        // A longer one is refused: a float would be another number.
        return (plain.trim_start_matches('0').len() <= MOST).then(|| value(plain + "."));
    };
    let exponent: i32 = exponent.parse().ok()?;
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let mut digits = format!("{whole}{fraction}");
    let scale = i32::try_from(fraction.len()).ok()? - exponent;
    let length = i32::try_from(digits.len()).ok()?;
    let most = i32::try_from(MOST).ok()?;
    if scale > most || length - scale.min(0) > most {
        let shown = digits.trim_matches('0').len();
        let finite = plain.parse::<f64>().is_ok_and(f64::is_finite);
        return (shown <= FLOAT && finite).then(|| float(plain));
    }
    if scale <= 0 {
        let zeros = usize::try_from(-scale).ok()?;
        digits.push_str(&"0".repeat(zeros));
        return Some(value(digits + "."));
    }
    let scale = usize::try_from(scale).ok()?;
    if digits.len() <= scale {
        digits = format!("{digits:0>width$}", width = scale + 1);
    }
    let point = digits.len() - scale;
    Some(value(format!("{}.{}", &digits[..point], &digits[point..])))
}

/// Whether a number has more digits than any type has room for.
pub fn is_beyond(number: &str) -> bool {
    let plain: String = number.chars().filter(|digit| *digit != '_').collect();
    match plain.split_once(['e', 'E']) {
        Some((mantissa, _)) => {
            let shown = mantissa.trim_matches(['0', '.']).replace('.', "");
            exact(number).is_none() && !shown.is_empty()
        }
        None => {
            plain
                .trim_start_matches('0')
                .trim_end_matches('.')
                .replace('.', "")
                .len()
                > MOST
        }
    }
}

/// A whole number with a sign is again what it was without the point that makes it exact.
pub fn negated(number: &str) -> Option<String> {
    let digits = number.strip_suffix('.')?;
    let fits = format!("-{digits}").parse::<i64>().is_ok() && digits.parse::<i64>().is_err();
    fits.then(|| digits.to_owned())
}

fn value(digits: String) -> Expr {
    Expr::Value(Value::Number(digits, false).into())
}

fn float(digits: String) -> Expr {
    cast(text(digits), DataType::DoublePrecision)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exponents_become_digits() {
        for (written, expected) in [
            ("1e15", Some("1000000000000000.")),
            ("1.5e3", Some("1500.")),
            ("1e-5", Some("0.00001")),
            ("12.34e-1", Some("1.234")),
            ("12.34E1", Some("123.4")),
            ("0e0", Some("0.")),
            ("9223372036854775808", Some("9223372036854775808.")),
            ("9223372036854775807", None),
            ("1.5", None),
        ] {
            let shown = exact(written).map(|expr| expr.to_string());
            assert_eq!(shown.as_deref(), expected, "{written}");
        }
        let far = exact("1e308").map(|expr| expr.to_string());
        assert_eq!(far.as_deref(), Some("CAST('1e308' AS DOUBLE PRECISION)"));
        assert_eq!(exact("1e400"), None);
        assert_eq!(exact(&"9".repeat(60)), None);
        let least = negated("9223372036854775808.");
        assert_eq!(least.as_deref(), Some("9223372036854775808"));
        assert_eq!(negated("9223372036854775809."), None);
        assert_eq!(negated("1000."), None);
    }
}
