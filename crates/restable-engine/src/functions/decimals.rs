//! Quotients and products of exact numbers with as many digits as PostgreSQL gives them, which are more than DataFusion's types have
//! by themselves: sixteen behind the point at least. Refuses what is too large for 38 digits.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Decimal128Array, Int32Array};
use arrow::compute::kernels::numeric;
use arrow::compute::{CastOptions, cast, cast_with_options};
use arrow::datatypes::{DataType, Float64Type, i256};
use arrow::error::ArrowError;
use arrow::util::display::FormatOptions;
use datafusion::common::{Result, ScalarValue};

use super::own::{Called, Own};
use super::plain::out_of_range;

/// Digits behind the point that a quotient has at least.
const DIGITS: i8 = 16;
/// Products with more digits behind the point than this leave too few before it.
const MOST: i16 = 20;

/// Whether these are two numbers, one of them a decimal and none a float.
pub(crate) fn are_exact(left: &DataType, right: &DataType) -> bool {
    let decimal = |kind: &DataType| matches!(kind, DataType::Decimal128(..));
    let exact = |kind: &DataType| decimal(kind) || kind.is_signed_integer();
    exact(left) && exact(right) && (decimal(left) || decimal(right))
}

/// Whether a product of these needs a type of its own: it has more digits than 38, or more behind its point than leave enough before it.
pub(crate) fn is_long_product(left: &DataType, right: &DataType) -> bool {
    let scales = i16::from(scale(left)) + i16::from(scale(right));
    are_exact(left, right) && (scales > MOST || digits(left) + digits(right) >= LARGEST)
}

/// Whether a sum or difference of these may have more digits than 38. DataFusion's would be cut off where it is shown.
pub(crate) fn is_long_sum(left: &DataType, right: &DataType) -> bool {
    let before = |kind: &DataType| digits(kind) - i16::from(scale(kind));
    let whole = before(left).max(before(right)) + 1;
    are_exact(left, right) && whole + i16::from(scale(left).max(scale(right))) > LARGEST
}

/// So many digits has a decimal at most.
const LARGEST: i16 = 38;

fn digits(kind: &DataType) -> i16 {
    match kind {
        DataType::Decimal128(precision, _) => i16::from(*precision),
        DataType::Int8 => 3,
        DataType::Int16 => 5,
        DataType::Int32 => 10,
        _ => 20,
    }
}

fn scale(kind: &DataType) -> i8 {
    match kind {
        DataType::Decimal128(_, scale) => *scale,
        _ => 0,
    }
}

fn result(kinds: &[DataType], _: &[Option<&ScalarValue>]) -> Result<DataType> {
    let scales = kinds.iter().map(scale).max().unwrap_or(0);
    Ok(DataType::Decimal128(38, scales.clamp(DIGITS, 37)))
}

/// `a / b` of exact numbers.
pub(crate) fn quotient() -> Own {
    Own::new("numeric_quotient", (2, 2), result, |called| {
        computed(called, Last::Rounded)
    })
}

/// `a + b` of exact numbers.
pub(crate) fn sum() -> Own {
    Own::new("numeric_sum", (2, 2), aligned, |called| {
        added(called, i256::checked_add)
    })
}

/// `a - b` of exact numbers.
pub(crate) fn difference() -> Own {
    Own::new("numeric_difference", (2, 2), aligned, |called| {
        added(called, i256::checked_sub)
    })
}

/// With as many digits behind the point as the one that has more of them.
fn aligned(kinds: &[DataType], _: &[Option<&ScalarValue>]) -> Result<DataType> {
    let scale = kinds.iter().map(scale).max().unwrap_or(0);
    Ok(DataType::Decimal128(38, scale))
}

fn added(called: &Called, run: fn(i256, i256) -> Option<i256>) -> Result<ArrayRef> {
    let to = i32::from(scale(&called.kind));
    let missing = |at: usize| to - i32::from(scale(called.arrays[at].data_type()));
    let by = (ten_to(missing(0)), ten_to(missing(1)));
    let (left, right) = (exact(&called.arrays[0])?, exact(&called.arrays[1])?);
    let left: &Decimal128Array = left.as_primitive();
    let right: &Decimal128Array = right.as_primitive();
    let all = left.iter().zip(right).map(|(left, right)| {
        let (Some(left), Some(right)) = (left, right) else {
            return Ok(None);
        };
        let left = i256::from_i128(left).checked_mul(by.0.unwrap_or(i256::ONE));
        let right = i256::from_i128(right).checked_mul(by.1.unwrap_or(i256::ONE));
        fitting(left.zip(right).and_then(|(left, right)| run(left, right))).map(Some)
    });
    decimals(all, &called.kind)
}

/// Of a product all digits behind the point, or those that a quotient has at most.
fn multiplied(kinds: &[DataType], constants: &[Option<&ScalarValue>]) -> Result<DataType> {
    let scales: i16 = kinds.iter().map(|kind| i16::from(scale(kind))).sum();
    match i8::try_from(scales) {
        Ok(all) if scales <= MOST => Ok(DataType::Decimal128(38, all)),
        _ => result(kinds, constants),
    }
}

/// `a * b` of exact numbers.
pub(crate) fn product() -> Own {
    Own::new("numeric_product", (2, 2), multiplied, |called| {
        let to = scale(&called.kind);
        let scales = called.arrays.iter().map(|array| scale(array.data_type()));
        let gone: i32 = scales.map(i32::from).sum::<i32>() - i32::from(to);
        let (left, right) = (exact(&called.arrays[0])?, exact(&called.arrays[1])?);
        let left: &Decimal128Array = left.as_primitive();
        let right: &Decimal128Array = right.as_primitive();
        let all = left.iter().zip(right).map(|(left, right)| {
            let (Some(left), Some(right)) = (left, right) else {
                return Ok(None);
            };
            let whole = i256::from_i128(left).wrapping_mul(i256::from_i128(right));
            let made = match gone {
                0.. => ten_to(gone).and_then(|by| rounded(whole, by, Last::Rounded)),
                _ => ten_to(-gone).and_then(|by| whole.checked_mul(by)),
            };
            fitting(made).map(Some)
        });
        decimals(all, &called.kind)
    })
}

/// `div(a, b)`: the quotient without what is behind its point.
pub(crate) fn div() -> Own {
    Own::new(
        "div",
        (2, 2),
        |kinds, _| {
            Ok(match kinds {
                [left, right] if left.is_integer() && right.is_integer() => DataType::Int64,
                [left, right] if are_exact(left, right) => DataType::Decimal128(38, 0),
                _ => DataType::Float64,
            })
        },
        |called| match &called.kind {
            DataType::Decimal128(..) => computed(called, Last::Cut),
            kind => {
                let left = cast(&called.arrays[0], kind)?;
                let right = cast(&called.arrays[1], kind)?;
                let quotient = numeric::div(&left, &right)?;
                Ok(match quotient.as_primitive_opt::<Float64Type>() {
                    Some(all) => Arc::new(all.unary::<_, Float64Type>(f64::trunc)),
                    None => quotient,
                })
            }
        },
    )
}

/// `x::numeric`: a whole number has nothing behind its point, and what is exact stays what it is.
pub(crate) fn numeric() -> Own {
    Own::new(
        "pg_numeric",
        (1, 1),
        |kinds, _| {
            Ok(match &kinds[0] {
                kind @ DataType::Decimal128(..) => kind.clone(),
                kind if kind.is_integer() => DataType::Decimal128(20, 0),
                _ => DataType::Decimal128(38, 10),
            })
        },
        |called| Ok(cast_as(&called.arrays[0], &called.kind)?),
    )
}

/// `scale(x)`: so many digits behind the point.
pub(crate) fn scale_of() -> Own {
    Own::new(
        "scale",
        (1, 1),
        |_, _| Ok(DataType::Int32),
        |called| {
            let digits = i32::from(scale(called.arrays[0].data_type()));
            let rows = (0..called.rows).map(|row| called.arrays[0].is_valid(row).then_some(digits));
            Ok(Arc::new(rows.collect::<Int32Array>()))
        },
    )
}

/// As a cast does, which refuses what is no number.
fn cast_as(array: &ArrayRef, kind: &DataType) -> Result<ArrayRef, ArrowError> {
    let options = CastOptions {
        safe: false,
        format_options: FormatOptions::default(),
    };
    cast_with_options(array, kind, &options)
}

/// What becomes of the digits that have no place.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Last {
    Rounded,
    Cut,
}

/// `left / right` with so many digits more behind its point.
fn divided(left: i256, right: i256, power: i32, last: Last) -> Option<i256> {
    match power {
        0.. => rounded(left.checked_mul(ten_to(power)?)?, right, last),
        _ => rounded(left, right.checked_mul(ten_to(-power)?)?, last),
    }
}

fn computed(called: &Called, last: Last) -> Result<ArrayRef> {
    let of = |at: usize| i32::from(scale(called.arrays[at].data_type()));
    let power = i32::from(scale(&called.kind)) + of(1) - of(0);
    let (left, right) = (exact(&called.arrays[0])?, exact(&called.arrays[1])?);
    let left: &Decimal128Array = left.as_primitive();
    let right: &Decimal128Array = right.as_primitive();
    let all = left.iter().zip(right).map(|(left, right)| {
        let (Some(left), Some(right)) = (left, right) else {
            return Ok(None);
        };
        if right == 0 {
            return Err(ArrowError::DivideByZero.into());
        }
        let (left, right) = (i256::from_i128(left), i256::from_i128(right));
        fitting(divided(left, right, power, last)).map(Some)
    });
    decimals(all, &called.kind)
}

/// `left / right`, halves away from zero.
fn rounded(left: i256, right: i256, last: Last) -> Option<i256> {
    let whole = left.checked_div(right)?;
    let rest = left.checked_rem(right)?;
    let two = i256::from_i128(2);
    let up = last == Last::Rounded
        && rest.wrapping_abs().checked_mul(two)? >= right.wrapping_abs()
        && rest != i256::ZERO;
    let negative = left.is_negative() != right.is_negative();
    match (up, negative) {
        (false, _) => Some(whole),
        (true, false) => whole.checked_add(i256::ONE),
        (true, true) => whole.checked_sub(i256::ONE),
    }
}

fn ten_to(power: i32) -> Option<i256> {
    i256::from_i128(10).checked_pow(u32::try_from(power).ok()?)
}

fn fitting(made: Option<i256>) -> Result<i128> {
    const LARGEST: i128 = 10_i128.pow(38);
    let made = made.and_then(i256::to_i128);
    let made = made.filter(|made| made.abs() < LARGEST);
    made.ok_or_else(|| out_of_range("numeric"))
}

fn decimals(all: impl Iterator<Item = Result<Option<i128>>>, kind: &DataType) -> Result<ArrayRef> {
    let all: Vec<Option<i128>> = all.collect::<Result<_>>()?;
    let all = Decimal128Array::from(all);
    Ok(Arc::new(all.with_data_type(kind.clone())))
}

fn exact(array: &ArrayRef) -> Result<ArrayRef> {
    Ok(match array.data_type() {
        DataType::Decimal128(..) => Arc::clone(array),
        _ => cast(array, &DataType::Decimal128(38, 0))?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotients_round_half_away_from_zero() {
        let quotient = |left: i128, right: i128| {
            let sides = (i256::from_i128(left), i256::from_i128(right));
            rounded(sides.0, sides.1, Last::Rounded).and_then(i256::to_i128)
        };
        assert_eq!(quotient(5, 2), Some(3));
        assert_eq!(quotient(-5, 2), Some(-3));
        assert_eq!(quotient(5, -2), Some(-3));
        assert_eq!(quotient(4, 3), Some(1));
        assert_eq!(quotient(-1, 3), Some(0));
        assert_eq!(quotient(6, 3), Some(2));
    }

    #[test]
    fn long_products_have_types_of_their_own() {
        let decimal = |scale| DataType::Decimal128(38, scale);
        assert!(is_long_product(&decimal(16), &decimal(16)));
        assert!(is_long_product(&decimal(2), &decimal(2)));
        assert!(!is_long_product(&decimal(30), &DataType::Float64));
        let short = DataType::Decimal128(10, 2);
        assert!(!is_long_product(&short, &short));
        assert!(!is_long_sum(&short, &DataType::Int64));
        assert!(is_long_sum(&short, &decimal(10)));
    }
}
