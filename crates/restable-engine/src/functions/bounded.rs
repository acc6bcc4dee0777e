//! Functions whose answer may be larger than all that they are given: how large it will be is known before it is made. A value has
//! at most 1 GB, as in PostgreSQL, and what a session may use is the limit of what one step of it makes.

use std::fmt::Write as _;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, StringBuilder};
use arrow::compute::cast;
use arrow::datatypes::{DataType, FieldRef, Int64Type};
use datafusion::common::config::ConfigOptions;
use datafusion::common::{DataFusionError, Result, ScalarValue};
use datafusion::functions::{regex, string, unicode};
use datafusion::functions_nested::string::string_to_array_udf;
use datafusion::functions_nested::{range, repeat};
use datafusion::logical_expr::simplify::{ExprSimplifyResult, SimplifyContext};
use datafusion::logical_expr::{
    ColumnarValue, Documentation, Expr, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF,
    ScalarUDFImpl, Signature,
};
use restable_sql::Diagnostic;

use super::own::Own;
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
        (string::concat(), Size::Join),
        (string::concat_ws(), Size::Separate),
        (regex::regexp_replace(), Size::Pattern),
        (string_to_array_udf(), Size::Split),
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
    /// Texts one after the other.
    Join,
    /// The same with something between them.
    Separate,
    /// A text with something else in the place of what a pattern finds in it.
    Pattern,
    /// The parts of a text.
    Split,
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
        let limit = zone::step(&arguments.config_options).map(|bytes| bytes as u64);
        let sizes = self.sizes(&arguments.args, rows)?;
        if self.size == Size::Pattern && !constant {
            return self.in_parts(arguments, &sizes, limit);
        }
        checked(self.name(), sizes, limit)?;
        self.inner.invoke_with_args(arguments)
    }
}

/// Refuses what makes a value larger than one may be, or more in one step than a session may use.
fn checked(name: &str, sizes: Vec<u64>, limit: Option<u64>) -> Result<()> {
    let mut all: u64 = 0;
    for size in sizes {
        if size > MOST {
            return Err(too_large(size));
        }
        all = all.saturating_add(size);
        if let Some(limit) = limit.filter(|limit| all > *limit) {
            return Err(DataFusionError::ResourcesExhausted(format!(
                "`{name}` would make {all} bytes of {limit}"
            )));
        }
        if all > MOST * 2 {
            return Err(too_large(all));
        }
    }
    Ok(())
}

/// What a step makes, counted piece by piece before it is made.
pub(crate) struct Making {
    name: &'static str,
    limit: Option<u64>,
    all: u64,
}

impl Making {
    /// Of a function, in a session with these options.
    pub(crate) fn new(name: &'static str, options: &ConfigOptions) -> Making {
        Making {
            name,
            limit: zone::step(options).map(|bytes| bytes as u64),
            all: 0,
        }
    }

    /// So many bytes more.
    pub(crate) fn add(&mut self, bytes: usize) -> Result<()> {
        self.all = self.all.saturating_add(bytes as u64);
        checked(self.name, vec![self.all], self.limit)
    }
}

/// Refuses JSON that would take more memory as it is read than a session may use: each value in it becomes one of its own. A text that is
/// a value beside others is looked at as well.
pub(crate) fn readable(texts: &ArrayRef, options: &ConfigOptions) -> Result<()> {
    /// What a value takes that is read, at least.
    const VALUE: usize = 40;
    /// Less is not worth a look.
    const LITTLE: usize = 1 << 20;
    let Some(limit) = zone::step(options) else {
        return Ok(());
    };
    let texts = cast(texts, &DataType::Utf8)?;
    let texts = texts.as_string::<i32>();
    let long = texts.iter().flatten().filter(|text| text.len() > LITTLE);
    let parts = long.map(|text| {
        text.bytes()
            .filter(|byte| matches!(byte, b',' | b'[' | b'{'))
    });
    let bytes: usize = parts.map(|parts| parts.count() * VALUE).sum();
    // It is there for as long as it is read only.
    match bytes / 2 > limit {
        true => Err(DataFusionError::ResourcesExhausted(format!(
            "to read JSON of so many values takes {bytes} bytes"
        ))),
        false => Ok(()),
    }
}

/// `a || b` of texts.
pub(crate) fn joined() -> Own {
    Own::new(
        "text_joined",
        (2, 2),
        |_, _| Ok(DataType::Utf8),
        |called| {
            let left = cast(&called.arrays[0], &DataType::Utf8)?;
            let right = cast(&called.arrays[1], &DataType::Utf8)?;
            let (left, right) = (left.as_string::<i32>(), right.as_string::<i32>());
            let limit = zone::step(&called.options).map(|bytes| bytes as u64);
            let pairs = || left.iter().zip(right);
            let size = |pair: (Option<&str>, Option<&str>)| match pair {
                (Some(left), Some(right)) => (left.len() + right.len()) as u64,
                _ => 0,
            };
            checked("||", pairs().map(size).collect(), limit)?;
            let mut made = StringBuilder::with_capacity(left.len(), left.values().len());
            for (left, right) in pairs() {
                match (left, right) {
                    (Some(left), Some(right)) => {
                        let _ = made.write_str(left);
                        let _ = made.write_str(right);
                        made.append_value("");
                    }
                    _ => made.append_null(),
                }
            }
            Ok(Arc::new(made.finish()))
        },
    )
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
            Size::Items => product(&weights(arguments.first(), rows)?, &numbers(1)?),
            Size::Join | Size::Separate => {
                let from = usize::from(self.size == Size::Separate);
                let mut all = vec![0_u64; rows];
                for at in from..arguments.len() {
                    let more = texts(at)?.into_iter();
                    all = all.iter().zip(more).map(|(all, more)| all + more).collect();
                }
                let between = match self.size {
                    Size::Separate => texts(0)?,
                    _ => vec![0; rows],
                };
                let times = arguments.len().saturating_sub(2) as u64;
                let all = all.iter().zip(between);
                all.map(|(all, between)| all + between * times).collect()
            }
            // A part has its bytes, and its place.
            Size::Split => self.parts(arguments, rows)?,
            // Each letter may be replaced, and what is before the first and behind the last.
            Size::Pattern => {
                let (text, by) = (texts(0)?, texts(2)?);
                let all = text.iter().zip(by);
                all.map(|(text, by)| text.saturating_add((text + 1).saturating_mul(by)))
                    .collect()
            }
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

    /// A few rows after the other, so that what is made is known before there is too much of it.
    fn in_parts(
        &self,
        arguments: ScalarFunctionArgs,
        sizes: &[u64],
        limit: Option<u64>,
    ) -> Result<ColumnarValue> {
        const PART: u64 = 64 << 20;
        let most = limit.unwrap_or(MOST).min(MOST);
        let all: u64 = sizes.iter().fold(0, |all, size| all.saturating_add(*size));
        if all <= PART.min(most) {
            return self.inner.invoke_with_args(arguments);
        }
        let mut parts: Vec<ArrayRef> = Vec::new();
        let (mut begin, mut made) = (0, 0);
        while begin < sizes.len() {
            let mut end = begin;
            let mut size: u64 = 0;
            while end < sizes.len() && (end == begin || size.saturating_add(sizes[end]) <= PART) {
                size = size.saturating_add(sizes[end]);
                end += 1;
            }
            if size > MOST {
                return Err(too_large(size));
            }
            let given = arguments.args.iter().map(|one| match one {
                ColumnarValue::Array(array) => {
                    ColumnarValue::Array(array.slice(begin, end - begin))
                }
                scalar => scalar.clone(),
            });
            let part = self.inner.invoke_with_args(ScalarFunctionArgs {
                args: given.collect(),
                number_rows: end - begin,
                ..arguments.clone()
            })?;
            let part = part.into_array(end - begin)?;
            made += part.get_array_memory_size() as u64;
            checked(self.name(), vec![made], Some(most))?;
            parts.push(part);
            begin = end;
        }
        let parts: Vec<&dyn Array> = parts.iter().map(AsRef::as_ref).collect();
        Ok(ColumnarValue::Array(arrow::compute::concat(&parts)?))
    }

    /// Bytes of the lists of the parts of texts.
    fn parts(&self, arguments: &[ColumnarValue], rows: usize) -> Result<Vec<u64>> {
        const PLACE: u64 = 16;
        let text = |at: usize| -> Result<Option<ArrayRef>> {
            let Some(argument) = arguments.get(at) else {
                return Ok(None);
            };
            let array = argument.clone().into_array(rows)?;
            Ok(Some(cast(&array, &DataType::Utf8)?))
        };
        let (Some(texts), Some(marks)) = (text(0)?, text(1)?) else {
            return Ok(vec![0; rows]);
        };
        let all = texts
            .as_string::<i32>()
            .iter()
            .zip(marks.as_string::<i32>());
        let all = all.map(|(text, mark)| {
            let text = text.unwrap_or_default();
            let parts = match mark {
                Some("") => 1,
                Some(mark) => text.matches(mark).count() + 1,
                None => text.len(),
            };
            text.len() as u64 + parts as u64 * PLACE
        });
        Ok(all.collect())
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

/// The bytes of values of any type, with their places in a list.
fn weights(value: Option<&ColumnarValue>, rows: usize) -> Result<Vec<u64>> {
    const PLACE: u64 = 8;
    let weight = |value: &ArrayRef| {
        let size = value.to_data().get_slice_memory_size();
        size.unwrap_or_else(|_| value.get_array_memory_size()) as u64 + PLACE
    };
    Ok(match value {
        None => vec![PLACE; rows],
        Some(ColumnarValue::Scalar(value)) => {
            vec![weight(&value.to_array()?); rows]
        }
        Some(ColumnarValue::Array(array)) if array.data_type().is_primitive() => {
            vec![PLACE * 2; rows]
        }
        Some(ColumnarValue::Array(array)) => {
            let each = (0..rows).map(|row| weight(&array.slice(row, 1)));
            each.collect()
        }
    })
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
