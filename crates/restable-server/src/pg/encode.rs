//! Columns of Arrow as values of PostgreSQL, in its text and its binary form. Columns are looked at once a batch, values
//! are written straight into the message.

use std::fmt::Write as _;
use std::ops::Range;

use bytes::{BufMut as _, BytesMut};
use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, Timelike as _, Utc};
use restable_engine::arrow::array::timezone::Tz;
use restable_engine::arrow::array::{
    Array, ArrayRef, AsArray as _, BooleanArray, OffsetSizeTrait, StringViewArray,
};
use restable_engine::arrow::compute::cast;
use restable_engine::arrow::datatypes::{
    DataType, Date32Type, Decimal128Type, Decimal256Type, DurationNanosecondType, Field,
    Float32Type, Float64Type, Int16Type, Int32Type, Int64Type, IntervalMonthDayNano,
    IntervalMonthDayNanoType, IntervalUnit, Time64MicrosecondType, TimeUnit,
    TimestampMicrosecondType, UInt32Type, UInt64Type,
};
use restable_engine::arrow::error::ArrowError;
use restable_engine::arrow::util::display::{ArrayFormatter, FormatOptions};
use restable_engine::functions::interval_styles::IntervalStyle;
use restable_engine::pg_catalog;

use super::oids;

/// Days from 1970 to 2000, where PostgreSQL's time begins.
const EPOCH_DAYS: i32 = 10_957;
const EPOCH_MICROSECONDS: i64 = EPOCH_DAYS as i64 * 86_400_000_000;

/// A value that PostgreSQL's type has no room for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OutOfRange {
    /// A number.
    #[error("`{0}` is out of the range of bigint")]
    Number(String),
    /// An array that is no rectangle.
    #[error("an array has arrays of different lengths in it")]
    Ragged,
}

impl OutOfRange {
    /// The SQLSTATE of it.
    pub fn sqlstate(&self) -> &'static str {
        match self {
            OutOfRange::Number(_) => "22003",
            // array_subscript_error
            OutOfRange::Ragged => "2202E",
        }
    }
}

/// A column of a batch, ready to be written.
#[derive(Debug)]
pub struct Cells {
    array: ArrayRef,
    kind: u32,
    shape: Shape,
}

#[derive(Debug)]
enum Shape {
    Bool,
    I16,
    I32,
    I64,
    U32,
    U64,
    F32,
    F64,
    Text,
    LargeText,
    ViewText,
    Bytes,
    Decimal,
    Date,
    Time,
    Timestamp(Option<Tz>),
    Interval(IntervalStyle),
    List(Box<Cells>),
    /// The columns of rows that are values.
    Record(Vec<Cells>),
    Null,
    /// Whatever else there is, as Arrow prints it.
    Shown,
}

/// The difference of two times has days and hours, as in PostgreSQL.
fn days_and_hours(differences: &ArrayRef) -> ArrayRef {
    const DAY: i64 = 86_400_000_000_000;
    let nanos = differences.as_primitive::<DurationNanosecondType>();
    let whole = |nanos: i64| {
        let days = i32::try_from(nanos / DAY).unwrap_or_default();
        IntervalMonthDayNano::new(0, days, nanos % DAY)
    };
    std::sync::Arc::new(nanos.unary::<_, IntervalMonthDayNanoType>(whole))
}

/// How values look.
#[derive(Debug, Clone, Copy)]
pub struct Look {
    /// Where times with a zone are written.
    pub zone: Tz,
    /// How intervals are.
    pub intervals: IntervalStyle,
}

impl Cells {
    /// A column of a field's type.
    pub fn new(field: &Field, array: &ArrayRef, look: Look) -> Result<Cells, ArrowError> {
        let kind = oids::of_field(field);
        let to = |kind: DataType| cast(array, &kind);
        let same = || Ok::<_, ArrowError>(ArrayRef::clone(array));
        let (array, shape) = match field.data_type() {
            DataType::Boolean => (same()?, Shape::Bool),
            DataType::Int16 => (same()?, Shape::I16),
            DataType::Int8 | DataType::UInt8 => (to(DataType::Int16)?, Shape::I16),
            DataType::Int32 => (same()?, Shape::I32),
            DataType::UInt16 => (to(DataType::Int32)?, Shape::I32),
            DataType::Int64 => (same()?, Shape::I64),
            DataType::UInt32 => (same()?, Shape::U32),
            DataType::UInt64 => (same()?, Shape::U64),
            DataType::Float16 => (to(DataType::Float32)?, Shape::F32),
            DataType::Float32 => (same()?, Shape::F32),
            DataType::Float64 => (same()?, Shape::F64),
            DataType::Utf8 => (same()?, Shape::Text),
            DataType::LargeUtf8 => (same()?, Shape::LargeText),
            DataType::Utf8View => (same()?, Shape::ViewText),
            DataType::Binary => (same()?, Shape::Bytes),
            DataType::LargeBinary | DataType::BinaryView | DataType::FixedSizeBinary(_) => {
                (to(DataType::Binary)?, Shape::Bytes)
            }
            DataType::Decimal128(..) | DataType::Decimal256(..) => (same()?, Shape::Decimal),
            DataType::Decimal32(precision, scale) | DataType::Decimal64(precision, scale) => (
                to(DataType::Decimal128(*precision, *scale))?,
                Shape::Decimal,
            ),
            DataType::Date32 => (same()?, Shape::Date),
            DataType::Date64 => (to(DataType::Date32)?, Shape::Date),
            DataType::Time32(_) | DataType::Time64(_) => {
                (to(DataType::Time64(TimeUnit::Microsecond))?, Shape::Time)
            }
            DataType::Timestamp(_, None) => (
                to(DataType::Timestamp(TimeUnit::Microsecond, None))?,
                Shape::Timestamp(None),
            ),
            DataType::Timestamp(_, Some(own)) => {
                let kind =
                    DataType::Timestamp(TimeUnit::Microsecond, Some(std::sync::Arc::clone(own)));
                (to(kind)?, Shape::Timestamp(Some(look.zone)))
            }
            DataType::Interval(_) => (
                to(DataType::Interval(IntervalUnit::MonthDayNano))?,
                Shape::Interval(look.intervals),
            ),
            DataType::Duration(_) => {
                let nanos = to(DataType::Duration(TimeUnit::Nanosecond))?;
                (days_and_hours(&nanos), Shape::Interval(look.intervals))
            }
            DataType::List(item) => {
                let items = Cells::new(item, array.as_list::<i32>().values(), look)?;
                (same()?, Shape::List(Box::new(items)))
            }
            DataType::LargeList(item) | DataType::FixedSizeList(item, _) => {
                let list = to(DataType::List(std::sync::Arc::clone(item)))?;
                let items = Cells::new(item, list.as_list::<i32>().values(), look)?;
                (list, Shape::List(Box::new(items)))
            }
            DataType::Dictionary(_, values) => {
                let plain = field.clone().with_data_type((**values).clone());
                return Cells::new(&plain, &to((**values).clone())?, look);
            }
            DataType::Struct(fields) => {
                let columns = fields.iter().zip(array.as_struct().columns());
                let columns = columns.map(|(field, column)| Cells::new(field, column, look));
                (same()?, Shape::Record(columns.collect::<Result<_, _>>()?))
            }
            DataType::Null => (same()?, Shape::Null),
            _ => (same()?, Shape::Shown),
        };
        Ok(Cells { array, kind, shape })
    }

    /// Writes the value of a row with its length before it.
    pub fn write(&self, row: usize, binary: bool, out: &mut BytesMut) -> Result<(), OutOfRange> {
        if self.is_null(row) {
            out.put_i32(-1);
            return Ok(());
        }
        let at = out.len();
        out.put_i32(0);
        if binary {
            self.binary(row, out)?;
        } else {
            self.text(row, out)?;
        }
        let length = i32::try_from(out.len() - at - 4).unwrap_or(i32::MAX);
        out[at..at + 4].copy_from_slice(&length.to_be_bytes());
        Ok(())
    }

    /// Whether the value of a row is NULL.
    pub fn is_null(&self, row: usize) -> bool {
        matches!(self.shape, Shape::Null) || self.array.is_null(row)
    }

    fn big(&self, row: usize) -> Result<i64, OutOfRange> {
        let value = self.array.as_primitive::<UInt64Type>().value(row);
        i64::try_from(value).map_err(|_| OutOfRange::Number(value.to_string()))
    }

    fn bytes(&self, row: usize) -> &[u8] {
        match self.shape {
            Shape::Text => text_of::<i32>(&self.array, row),
            Shape::LargeText => text_of::<i64>(&self.array, row),
            Shape::ViewText => {
                let views: &StringViewArray = self.array.as_string_view();
                views.value(row).as_bytes()
            }
            _ => self.array.as_binary::<i32>().value(row),
        }
    }

    /// A number with all its digits.
    fn decimal(&self, row: usize) -> String {
        match self.array.as_primitive_opt::<Decimal128Type>() {
            Some(numbers) => numbers.value_as_string(row),
            None => {
                let numbers = self.array.as_primitive::<Decimal256Type>();
                numbers.value_as_string(row)
            }
        }
    }

    fn binary(&self, row: usize, out: &mut BytesMut) -> Result<(), OutOfRange> {
        match &self.shape {
            Shape::Bool => out.put_u8(u8::from(boolean(&self.array, row))),
            Shape::I16 => out.put_i16(self.array.as_primitive::<Int16Type>().value(row)),
            Shape::I32 => out.put_i32(self.array.as_primitive::<Int32Type>().value(row)),
            Shape::I64 => out.put_i64(self.array.as_primitive::<Int64Type>().value(row)),
            Shape::U32 => out.put_u32(self.array.as_primitive::<UInt32Type>().value(row)),
            Shape::U64 => out.put_i64(self.big(row)?),
            Shape::F32 => out.put_f32(self.array.as_primitive::<Float32Type>().value(row)),
            Shape::F64 => out.put_f64(self.array.as_primitive::<Float64Type>().value(row)),
            Shape::Text | Shape::LargeText | Shape::ViewText if self.kind == oids::oid::UUID => {
                out.put_slice(&uuid(self.bytes(row)))
            }
            Shape::Text | Shape::LargeText | Shape::ViewText | Shape::Bytes => {
                out.put_slice(self.bytes(row))
            }
            Shape::Record(columns) => {
                out.put_i32(i32::try_from(columns.len()).unwrap_or(i32::MAX));
                for column in columns {
                    out.put_u32(column.kind);
                    column.write(row, true, out)?;
                }
            }
            Shape::Decimal => {
                numeric(&self.decimal(row), out);
            }
            Shape::Date => {
                out.put_i32(self.array.as_primitive::<Date32Type>().value(row) - EPOCH_DAYS)
            }
            Shape::Time => out.put_i64(
                self.array
                    .as_primitive::<Time64MicrosecondType>()
                    .value(row),
            ),
            Shape::Timestamp(_) => {
                let value = self
                    .array
                    .as_primitive::<TimestampMicrosecondType>()
                    .value(row);
                out.put_i64(value.saturating_sub(EPOCH_MICROSECONDS));
            }
            Shape::Interval(_) => {
                let value = self
                    .array
                    .as_primitive::<IntervalMonthDayNanoType>()
                    .value(row);
                out.put_i64(value.nanoseconds / 1000);
                out.put_i32(value.days);
                out.put_i32(value.months);
            }
            Shape::List(items) => {
                let mut lengths = Vec::new();
                let (items, range) = items.flat(self.range(row), &mut lengths)?;
                let dimensions = if range.is_empty() { 0 } else { lengths.len() };
                out.put_i32(i32::try_from(dimensions).unwrap_or(i32::MAX));
                out.put_i32(i32::from(range.clone().any(|at| items.array.is_null(at))));
                out.put_u32(items.kind);
                for length in &lengths[..dimensions] {
                    out.put_i32(i32::try_from(*length).unwrap_or(i32::MAX));
                    out.put_i32(1);
                }
                for at in range {
                    items.write(at, true, out)?;
                }
            }
            Shape::Null => {}
            Shape::Shown => self.shown(row, out),
        }
        Ok(())
    }

    /// Writes the value of a row, which is not NULL, as text and nothing else.
    pub fn text(&self, row: usize, out: &mut BytesMut) -> Result<(), OutOfRange> {
        // Writing to memory does not fail.
        let _ = match &self.shape {
            Shape::Bool => write!(out, "{}", if boolean(&self.array, row) { "t" } else { "f" }),
            Shape::I16 => write!(out, "{}", self.array.as_primitive::<Int16Type>().value(row)),
            Shape::I32 => write!(out, "{}", self.array.as_primitive::<Int32Type>().value(row)),
            Shape::I64 => write!(out, "{}", self.array.as_primitive::<Int64Type>().value(row)),
            Shape::U32 if self.kind == oids::oid::REGPROC => {
                let function = self.array.as_primitive::<UInt32Type>().value(row);
                write!(out, "{}", pg_catalog::function_shown(function))
            }
            Shape::U32 => write!(
                out,
                "{}",
                self.array.as_primitive::<UInt32Type>().value(row)
            ),
            Shape::U64 => write!(out, "{}", self.big(row)?),
            Shape::F32 => {
                let value = self.array.as_primitive::<Float32Type>().value(row);
                write!(out, "{}", float(&format!("{value:e}"), value.is_nan(), 6))
            }
            Shape::F64 => {
                let value = self.array.as_primitive::<Float64Type>().value(row);
                write!(out, "{}", float(&format!("{value:e}"), value.is_nan(), 15))
            }
            Shape::Text | Shape::LargeText | Shape::ViewText => {
                out.put_slice(self.bytes(row));
                Ok(())
            }
            Shape::Bytes => {
                out.put_slice(b"\\x");
                self.bytes(row)
                    .iter()
                    .try_for_each(|byte| write!(out, "{byte:02x}"))
            }
            Shape::Decimal => out.write_str(&self.decimal(row)),
            Shape::Date => {
                let days = self.array.as_primitive::<Date32Type>().value(row);
                match NaiveDate::from_ymd_opt(1970, 1, 1)
                    .and_then(|first| first.checked_add_signed(TimeDelta::days(days.into())))
                {
                    Some(date) => write!(out, "{date}"),
                    None => write!(out, "infinity"),
                }
            }
            Shape::Time => {
                let value = self
                    .array
                    .as_primitive::<Time64MicrosecondType>()
                    .value(row);
                let midnight = NaiveTime::MIN;
                clock(midnight + TimeDelta::microseconds(value), out)
            }
            Shape::Timestamp(zone) => {
                let value = self
                    .array
                    .as_primitive::<TimestampMicrosecondType>()
                    .value(row);
                match (DateTime::<Utc>::from_timestamp_micros(value), zone) {
                    (None, _) => write!(out, "infinity"),
                    (Some(time), None) => moment(time.naive_utc(), out),
                    (Some(time), Some(zone)) => {
                        let local = time.with_timezone(zone);
                        let offset = chrono::Offset::fix(local.offset()).local_minus_utc();
                        moment(local.naive_local(), out).and_then(|()| {
                            let (sign, seconds) = if offset < 0 {
                                ('-', -offset)
                            } else {
                                ('+', offset)
                            };
                            write!(out, "{sign}{:02}", seconds / 3600)?;
                            match seconds % 3600 / 60 {
                                0 => Ok(()),
                                minutes => write!(out, ":{minutes:02}"),
                            }
                        })
                    }
                }
            }
            Shape::Interval(style) => {
                let value = self
                    .array
                    .as_primitive::<IntervalMonthDayNanoType>()
                    .value(row);
                let microseconds = value.nanoseconds / 1000;
                style.write((value.months, value.days.into(), microseconds), out)
            }
            // Vectors are lists of numbers that PostgreSQL writes with blanks between.
            Shape::List(items)
                if matches!(self.kind, oids::oid::INT2VECTOR | oids::oid::OIDVECTOR) =>
            {
                for (at, item) in self.range(row).enumerate() {
                    if at > 0 {
                        out.put_u8(b' ');
                    }
                    items.text(item, out)?;
                }
                Ok(())
            }
            Shape::List(items) => {
                let mut separator = '{';
                let range = self.range(row);
                if range.is_empty() {
                    out.put_u8(b'{');
                }
                let mut item = BytesMut::new();
                for at in range {
                    out.put_u8(separator as u8);
                    separator = ',';
                    if items.array.is_null(at) || matches!(items.shape, Shape::Null) {
                        out.put_slice(b"NULL");
                        continue;
                    }
                    item.clear();
                    items.text(at, &mut item)?;
                    match items.shape {
                        Shape::List(_) => out.put_slice(&item),
                        _ => element(&item, out),
                    }
                }
                out.put_u8(b'}');
                Ok(())
            }
            Shape::Record(columns) => {
                let mut value = BytesMut::new();
                for (at, one) in columns.iter().enumerate() {
                    out.put_u8(if at == 0 { b'(' } else { b',' });
                    if !one.is_null(row) {
                        value.clear();
                        one.text(row, &mut value)?;
                        column(&value, out);
                    }
                }
                out.put_u8(b')');
                Ok(())
            }
            Shape::Null => Ok(()),
            Shape::Shown => {
                self.shown(row, out);
                Ok(())
            }
        };
        Ok(())
    }

    fn range(&self, row: usize) -> Range<usize> {
        self.ranges(row..row + 1)
    }

    /// The items of lists that follow each other.
    fn ranges(&self, rows: Range<usize>) -> Range<usize> {
        let offsets = self.array.as_list::<i32>().value_offsets();
        let at = |offset: i32| usize::try_from(offset).unwrap_or_default();
        at(offsets[rows.start])..at(offsets[rows.end])
    }

    /// The innermost items of a list of these items, and how many there are in each dimension: all lists of one are of one length.
    fn flat(
        &self,
        range: Range<usize>,
        lengths: &mut Vec<usize>,
    ) -> Result<(&Cells, Range<usize>), OutOfRange> {
        let outer: usize = lengths.iter().product();
        lengths.push(range.len() / outer.max(1));
        let Shape::List(items) = &self.shape else {
            return Ok((self, range));
        };
        let first = range.clone().next().map_or(0, |row| self.range(row).len());
        let mut rows = range.clone();
        if !rows.all(|row| !self.array.is_null(row) && self.range(row).len() == first) {
            return Err(OutOfRange::Ragged);
        }
        items.flat(self.ranges(range), lengths)
    }

    fn shown(&self, row: usize, out: &mut BytesMut) {
        let options = FormatOptions::default();
        if let Ok(formatter) = ArrayFormatter::try_new(&self.array, &options) {
            let _ = write!(out, "{}", formatter.value(row));
        }
    }
}

fn boolean(array: &ArrayRef, row: usize) -> bool {
    let booleans: &BooleanArray = array.as_boolean();
    booleans.value(row)
}

fn text_of<O: OffsetSizeTrait>(array: &ArrayRef, row: usize) -> &[u8] {
    array.as_string::<O>().value(row).as_bytes()
}

/// PostgreSQL's shortest exact form of a number, from Rust's: `-1.5e-7` for `-1.5e-07`, plain digits where they are short.
fn float(exact: &str, nan: bool, digits: i32) -> String {
    if nan {
        return "NaN".to_owned();
    }
    let Some((mantissa, exponent)) = exact.split_once('e') else {
        return exact.replace("inf", "Infinity");
    };
    let exponent: i32 = exponent.parse().unwrap_or_default();
    let (sign, mantissa) = mantissa
        .strip_prefix('-')
        .map_or(("", mantissa), |rest| ("-", rest));
    if !(-4..digits).contains(&exponent) {
        let (mark, size) = if exponent < 0 {
            ('-', -exponent)
        } else {
            ('+', exponent)
        };
        return format!("{sign}{mantissa}e{mark}{size:02}");
    }
    let all: String = mantissa.chars().filter(|letter| *letter != '.').collect();
    let point = 1 + exponent;
    let text = match usize::try_from(point) {
        Ok(0) | Err(_) => format!(
            "0.{}{all}",
            "0".repeat(usize::try_from(-point).unwrap_or_default())
        ),
        Ok(point) if point >= all.len() => format!("{all}{}", "0".repeat(point - all.len())),
        Ok(point) => format!("{}.{}", &all[..point], &all[point..]),
    };
    format!("{sign}{text}")
}

fn fraction(microseconds: u32, out: &mut impl std::fmt::Write) -> std::fmt::Result {
    if microseconds == 0 {
        return Ok(());
    }
    let digits = format!("{microseconds:06}");
    write!(out, ".{}", digits.trim_end_matches('0'))
}

fn clock(time: NaiveTime, out: &mut impl std::fmt::Write) -> std::fmt::Result {
    write!(
        out,
        "{:02}:{:02}:{:02}",
        time.hour(),
        time.minute(),
        time.second()
    )?;
    fraction(time.nanosecond() / 1000, out)
}

fn moment(time: NaiveDateTime, out: &mut impl std::fmt::Write) -> std::fmt::Result {
    write!(out, "{} ", time.date())?;
    clock(time.time(), out)
}

/// The sixteen bytes that the digits of a UUID say.
fn uuid(text: &[u8]) -> Vec<u8> {
    let digits = text.iter().filter_map(|one| char::from(*one).to_digit(16));
    let digits: Vec<u8> = digits.filter_map(|one| u8::try_from(one).ok()).collect();
    digits
        .chunks(2)
        .map(|pair| pair.iter().fold(0, |all, one| all << 4 | one))
        .collect()
}

/// A column of a row in text form, in quotes where it needs them.
fn column(value: &[u8], out: &mut BytesMut) {
    let plain = !value.is_empty()
        && value
            .iter()
            .all(|byte| !b"(),\"\\ \t\n\r\x0b\x0c".contains(byte));
    if plain {
        out.put_slice(value);
        return;
    }
    out.put_u8(b'"');
    for byte in value {
        if b"\"\\".contains(byte) {
            out.put_u8(*byte);
        }
        out.put_u8(*byte);
    }
    out.put_u8(b'"');
}

/// An element of an array in text form, in quotes where it needs them.
fn element(item: &[u8], out: &mut BytesMut) {
    let plain = !item.is_empty()
        && !item.eq_ignore_ascii_case(b"null")
        && item
            .iter()
            .all(|byte| !b"{}\",\\ \t\n\r\x0b\x0c".contains(byte));
    if plain {
        out.put_slice(item);
        return;
    }
    out.put_u8(b'"');
    for byte in item {
        if b"\"\\".contains(byte) {
            out.put_u8(b'\\');
        }
        out.put_u8(*byte);
    }
    out.put_u8(b'"');
}

/// The binary form of `numeric`: digits to the base of 10,000.
fn numeric(text: &str, out: &mut BytesMut) {
    let (negative, digits) = text
        .strip_prefix('-')
        .map_or((false, text), |rest| (true, rest));
    let (whole, part) = digits.split_once('.').unwrap_or((digits, ""));
    let whole = whole.trim_start_matches('0');
    let padded = format!(
        "{}{whole}{part}{}",
        "0".repeat((4 - whole.len() % 4) % 4),
        "0".repeat((4 - part.len() % 4) % 4)
    );
    let mut groups: Vec<u16> = padded
        .as_bytes()
        .chunks(4)
        .map(|four| {
            four.iter()
                .fold(0, |sum, digit| sum * 10 + u16::from(digit - b'0'))
        })
        .collect();
    let mut weight = i16::try_from(whole.len().div_ceil(4)).unwrap_or(i16::MAX) - 1;
    let leading = groups.iter().take_while(|group| **group == 0).count();
    groups.drain(..leading);
    weight -= i16::try_from(leading).unwrap_or_default();
    while groups.last() == Some(&0) {
        groups.pop();
    }
    if groups.is_empty() {
        weight = 0;
    }
    out.put_u16(u16::try_from(groups.len()).unwrap_or_default());
    out.put_i16(weight);
    out.put_u16(if negative && !groups.is_empty() {
        0x4000
    } else {
        0
    });
    out.put_u16(u16::try_from(part.len()).unwrap_or_default());
    for group in groups {
        out.put_u16(group);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_as_postgres_writes_them() {
        // What PostgreSQL 16 answers to SELECT <number>::float8.
        for (value, expected) in [
            (1.0, "1"),
            (-1.5, "-1.5"),
            (0.1, "0.1"),
            (100.0, "100"),
            (1e14, "100000000000000"),
            (1e15, "1e+15"),
            (123_456_789_012_345.0, "123456789012345"),
            (0.0001, "0.0001"),
            (0.00001, "1e-05"),
            (1.5e-7, "1.5e-07"),
            (1e300, "1e+300"),
            (0.0, "0"),
            (-0.0, "-0"),
            (f64::INFINITY, "Infinity"),
            (f64::NEG_INFINITY, "-Infinity"),
            (f64::NAN, "NaN"),
        ] {
            assert_eq!(float(&format!("{value:e}"), value.is_nan(), 15), expected);
        }
    }

    #[test]
    fn numeric_in_groups_of_four() {
        let of = |text: &str| {
            let mut out = BytesMut::new();
            numeric(text, &mut out);
            out.chunks(2)
                .map(|two| i32::from(i16::from_be_bytes([two[0], two[1]])))
                .collect::<Vec<_>>()
        };
        // Groups, weight, sign, scale, then the groups: numeric_send of PostgreSQL.
        assert_eq!(of("0"), [0, 0, 0, 0]);
        assert_eq!(of("1"), [1, 0, 0, 0, 1]);
        assert_eq!(of("12345.678"), [3, 1, 0, 3, 1, 2345, 6780]);
        assert_eq!(of("-0.00012"), [2, -1, 0x4000, 5, 1, 2000]);
        assert_eq!(of("10000"), [1, 1, 0, 0, 1]);
        assert_eq!(of("0.00"), [0, 0, 0, 2]);
    }

    #[test]
    fn uuids_are_sixteen_bytes() {
        let bytes = uuid(b"a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11");
        assert_eq!(bytes.len(), 16);
        assert_eq!(&bytes[..4], [0xa0, 0xee, 0xbc, 0x99]);
        assert_eq!(bytes[15], 0x11);
    }

    #[test]
    fn columns_of_rows_are_quoted_where_they_must_be() {
        for (value, expected) in [
            ("a", "a"),
            ("", "\"\""),
            ("a b", "\"a b\""),
            ("a\"", "\"a\"\"\""),
        ] {
            let mut out = BytesMut::new();
            column(value.as_bytes(), &mut out);
            assert_eq!(out, expected.as_bytes());
        }
    }
}
