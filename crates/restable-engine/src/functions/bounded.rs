//! Functions whose answer may be larger than all that they are given: how large it will be is known before it is made. A value has
//! at most 1 GB, as in PostgreSQL, and what a session may use is the limit of what one step of it makes.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, FieldRef, Int64Type};
use datafusion::common::{DataFusionError, Result, ScalarValue};
use datafusion::functions::{string, unicode};
use datafusion::functions_nested::{range, repeat};
use datafusion::logical_expr::simplify::{ExprSimplifyResult, SimplifyContext};
use datafusion::logical_expr::{
    ColumnarValue, Documentation, Expr, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF,
    ScalarUDFImpl, Signature,
};
use restable_sql::Diagnostic;

use crate::zone;

/// PostgreSQL's limit of a value, and Arrow's of what is in one batch.
const MOST: u64 = (1 << 30) - 1;

/// DataFusion's functions within bounds, in the place of what they are without.
pub(crate) fn all() -> Vec<Arc<ScalarUDF>> {
    let all = [
        (string::repeat(), Size::Repeat),
        (unicode::lpad(), Size::Pad),
        (unicode::rpad(), Size::Pad),
        (string::replace(), Size::Replace),
        (repeat::array_repeat_udf(), Size::Items),
        (range::range_udf(), Size::Steps),
        (range::gen_series_udf(), Size::Steps),
    ];
    all.into_iter()
        .map(|(inner, size)| Arc::new(ScalarUDF::from(Bounded { inner, size })))
        .collect()
}

/// How large an answer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Size {
    /// A text so many times.
    Repeat,
    /// A text filled up to a length.
    Pad,
    /// A text with something else in the place of its parts.
    Replace,
    /// A list of so many of the same.
    Items,
    /// A list from one number to another.
    Steps,
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Bounded {
    inner: Arc<ScalarUDF>,
    size: Size,
}

impl ScalarUDFImpl for Bounded {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn aliases(&self) -> &[String] {
        self.inner.aliases()
    }

    fn signature(&self) -> &Signature {
        self.inner.signature()
    }

    fn return_type(&self, arguments: &[DataType]) -> Result<DataType> {
        self.inner.return_type(arguments)
    }

    fn return_field_from_args(&self, arguments: ReturnFieldArgs) -> Result<FieldRef> {
        self.inner.return_field_from_args(arguments)
    }

    fn coerce_types(&self, kinds: &[DataType]) -> Result<Vec<DataType>> {
        self.inner.coerce_types(kinds)
    }

    fn simplify(&self, args: Vec<Expr>, info: &SimplifyContext) -> Result<ExprSimplifyResult> {
        self.inner.simplify(args, info)
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.inner.documentation()
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let scalars = arguments.args.iter();
        let constant = scalars
            .clone()
            .all(|one| matches!(one, ColumnarValue::Scalar(_)));
        let rows = if constant { 1 } else { arguments.number_rows };
        let limit = zone::memory(&arguments.config_options).map(|bytes| bytes as u64);
        let mut all: u64 = 0;
        let sizes = self.sizes(&arguments.args, rows)?;
        for size in sizes {
            if size > MOST {
                return Err(too_large(size));
            }
            all = all.saturating_add(size);
            if let Some(limit) = limit.filter(|limit| all > *limit) {
                return Err(DataFusionError::ResourcesExhausted(format!(
                    "`{}` would make {all} bytes of {limit}",
                    self.name()
                )));
            }
            if all > MOST * 2 {
                return Err(too_large(all));
            }
        }
        self.inner.invoke_with_args(arguments)
    }
}

fn too_large(bytes: u64) -> DataFusionError {
    let problem = format!("requested length too large: {bytes} bytes in one step");
    let problem = Diagnostic::new("R0210", problem).help("a value has at most 1 GB");
    crate::Error::from(problem).into()
}

impl Bounded {
    /// Bytes of each answer, at most; nothing for what is no number or text, which is refused elsewhere.
    fn sizes(&self, arguments: &[ColumnarValue], rows: usize) -> Result<Vec<u64>> {
        let texts = |at: usize| lengths(arguments.get(at), rows);
        let numbers = |at: usize| whole(arguments.get(at), rows);
        Ok(match self.size {
            Size::Repeat => product(&texts(0)?, &numbers(1)?),
            // A letter has up to four bytes.
            Size::Pad => product(&vec![4; rows], &numbers(1)?),
            Size::Items => product(&vec![8; rows], &numbers(1)?),
            Size::Replace => {
                let (text, by) = (texts(0)?, texts(2)?);
                let of = texts(1)?;
                let parts = text
                    .iter()
                    .zip(&of)
                    .map(|(text, of)| text / (*of).max(1) + 1);
                let parts: Vec<u64> = parts.collect();
                let made = parts.iter().zip(&by).zip(&text);
                let made: Vec<u64> = made
                    .map(|((parts, by), text)| parts.saturating_mul(*by).saturating_add(*text))
                    .collect();
                // Mostly little is replaced: only what is surely small, or exactly known, passes.
                match made.iter().any(|bytes| *bytes > MOST) {
                    true => self.replaced(arguments, rows)?,
                    false => vec![0; rows],
                }
            }
            Size::Steps => {
                let (first, last, step) = match arguments.len() {
                    1 => (vec![0; rows], numbers(0)?, vec![1; rows]),
                    2 => (numbers(0)?, numbers(1)?, vec![1; rows]),
                    _ => (numbers(0)?, numbers(1)?, numbers(2)?),
                };
                let all = first.iter().zip(&last).zip(&step);
                all.map(|((first, last), step)| {
                    let span = i128::from(*last) - i128::from(*first);
                    let steps = match *step {
                        0 => 0,
                        step => span / i128::from(step),
                    };
                    u64::try_from(steps.max(0))
                        .unwrap_or(u64::MAX)
                        .saturating_mul(8)
                })
                .collect()
            }
        })
    }

    /// Bytes of texts in which each part is replaced, counted.
    fn replaced(&self, arguments: &[ColumnarValue], rows: usize) -> Result<Vec<u64>> {
        let text = |at: usize| -> Result<ArrayRef> {
            let array = arguments[at].clone().into_array(rows)?;
            Ok(cast(&array, &DataType::Utf8)?)
        };
        let (text, of, by) = (text(0)?, text(1)?, text(2)?);
        let (text, of) = (text.as_string::<i32>(), of.as_string::<i32>());
        let by = by.as_string::<i32>();
        let all = text
            .iter()
            .zip(of)
            .zip(by)
            .map(|((text, of), by)| match (text, of, by) {
                (Some(text), Some(of), Some(by)) => {
                    let parts = if of.is_empty() {
                        0
                    } else {
                        text.matches(of).count()
                    };
                    (parts as u64)
                        .saturating_mul(by.len() as u64)
                        .saturating_add(text.len() as u64)
                }
                _ => 0,
            });
        Ok(all.collect())
    }
}

fn product(sizes: &[u64], times: &[i64]) -> Vec<u64> {
    let pairs = sizes.iter().zip(times);
    pairs
        .map(|(size, times)| size.saturating_mul(u64::try_from(*times).unwrap_or(0)))
        .collect()
}

/// The bytes of texts.
fn lengths(value: Option<&ColumnarValue>, rows: usize) -> Result<Vec<u64>> {
    let Some(value) = value else {
        return Ok(vec![0; rows]);
    };
    // One constant is looked at once: it may be large itself.
    if let ColumnarValue::Scalar(value) = value {
        let bytes = match value {
            ScalarValue::Utf8(Some(text))
            | ScalarValue::Utf8View(Some(text))
            | ScalarValue::LargeUtf8(Some(text)) => text.len() as u64,
            _ => 0,
        };
        return Ok(vec![bytes; rows]);
    }
    let array = value.clone().into_array(rows)?;
    let Ok(array) = cast(&array, &DataType::Utf8) else {
        return Ok(vec![0; rows]);
    };
    let texts = array.as_string::<i32>();
    Ok(texts
        .iter()
        .map(|text| text.map_or(0, |text| text.len() as u64))
        .collect())
}

fn whole(value: Option<&ColumnarValue>, rows: usize) -> Result<Vec<i64>> {
    let Some(value) = value else {
        return Ok(vec![0; rows]);
    };
    let array = value.clone().into_array(rows)?;
    if !array.data_type().is_integer() {
        return Ok(vec![0; rows]);
    }
    let numbers = cast(&array, &DataType::Int64)?;
    let numbers = numbers.as_primitive::<Int64Type>();
    Ok(numbers.iter().map(Option::unwrap_or_default).collect())
}
