//! Values of parameters: columns of Arrow, of which each row is one set, as the engine takes them: text with a type.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray as _, RecordBatch};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{DataType, Field, TimeUnit};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use restable_engine::parameters::{Bound, Parameter};
use tonic::Status;

/// The sets of values in a batch.
pub fn sets(batch: &RecordBatch) -> Result<Vec<Vec<Parameter>>, Status> {
    let columns: Vec<Vec<Parameter>> = batch
        .columns()
        .iter()
        .enumerate()
        .map(|(at, column)| values(column, at + 1))
        .collect::<Result<_, _>>()?;
    let set = |row: usize| columns.iter().map(|values| values[row].clone()).collect();
    Ok((0..batch.num_rows()).map(set).collect())
}

fn values(column: &ArrayRef, number: usize) -> Result<Vec<Parameter>, Status> {
    let kind = known(column.data_type()).ok_or_else(|| {
        Status::unimplemented(format!(
            "`${number}` has the type {}, which no parameter has",
            column.data_type()
        ))
    })?;
    let wrong = |problem: &dyn std::fmt::Display| {
        Status::invalid_argument(format!(
            "the value of `${number}` cannot be read: {problem}"
        ))
    };
    // A value that does not fit would be NULL otherwise.
    let strictly = CastOptions {
        safe: false,
        ..CastOptions::default()
    };
    let column = cast_with_options(column, &read_as(column.data_type(), &kind), &strictly)
        .map_err(|problem| wrong(&problem))?;
    let value = |row: usize| -> Result<Bound, Status> {
        if column.is_null(row) || kind == DataType::Null {
            return Ok(Bound::Null);
        }
        match &kind {
            DataType::List(_) => {
                let items = column.as_list::<i32>().value(row);
                let texts = texts(&items).map_err(|problem| wrong(&problem))?;
                Ok(Bound::List(texts))
            }
            _ => {
                let one = texts(&column.slice(row, 1)).map_err(|problem| wrong(&problem))?;
                Ok(one
                    .into_iter()
                    .flatten()
                    .next()
                    .map_or(Bound::Null, Bound::One))
            }
        }
    };
    let parameter = |row| {
        Ok(Parameter {
            kind: kind.clone(),
            value: value(row)?,
        })
    };
    (0..column.len()).map(parameter).collect()
}

/// The type as which a value is bound.
fn known(kind: &DataType) -> Option<DataType> {
    Some(match kind {
        DataType::Null | DataType::Boolean | DataType::Float32 | DataType::Float64 => kind.clone(),
        kind if kind.is_integer() => kind.clone(),
        DataType::Float16 => DataType::Float32,
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => DataType::Utf8,
        DataType::Binary
        | DataType::LargeBinary
        | DataType::BinaryView
        | DataType::FixedSizeBinary(_) => DataType::Binary,
        DataType::Decimal32(precision, scale)
        | DataType::Decimal64(precision, scale)
        | DataType::Decimal128(precision, scale) => DataType::Decimal128(*precision, *scale),
        DataType::Date32 | DataType::Date64 => DataType::Date32,
        DataType::Time32(_) | DataType::Time64(_) => DataType::Time64(TimeUnit::Nanosecond),
        DataType::Timestamp(_, None) => DataType::Timestamp(TimeUnit::Nanosecond, None),
        DataType::Timestamp(_, Some(_)) => {
            DataType::Timestamp(TimeUnit::Nanosecond, Some("+00:00".into()))
        }
        DataType::Dictionary(_, value) => known(value)?,
        DataType::List(item)
        | DataType::LargeList(item)
        | DataType::ListView(item)
        | DataType::LargeListView(item)
        | DataType::FixedSizeList(item, _) => {
            let kind = known(item.data_type()).filter(|kind| !kind.is_nested())?;
            DataType::List(Arc::new(Field::new("item", kind, true)))
        }
        _ => return None,
    })
}

/// The type in which a value is read that is bound as another: a time in its own unit, since years stand in texts that do not fit into
/// nanoseconds.
fn read_as(own: &DataType, bound: &DataType) -> DataType {
    match (own, bound) {
        (DataType::Timestamp(unit, _), DataType::Timestamp(_, zone)) => {
            DataType::Timestamp(*unit, zone.clone())
        }
        (DataType::Dictionary(_, own), bound) => read_as(own, bound),
        (
            DataType::List(own)
            | DataType::LargeList(own)
            | DataType::ListView(own)
            | DataType::LargeListView(own)
            | DataType::FixedSizeList(own, _),
            DataType::List(bound),
        ) => {
            let item = read_as(own.data_type(), bound.data_type());
            DataType::List(Arc::new(Field::new("item", item, true)))
        }
        (_, bound) => bound.clone(),
    }
}

/// Values as SQL writes them.
fn texts(column: &ArrayRef) -> Result<Vec<Option<String>>, arrow::error::ArrowError> {
    let options = FormatOptions::new();
    let formatter = ArrayFormatter::try_new(column.as_ref(), &options)?;
    let text = |row: usize| -> Result<Option<String>, arrow::error::ArrowError> {
        if column.is_null(row) {
            return Ok(None);
        }
        let text = match column.data_type() {
            // Shortest digits that give the same number again.
            DataType::Float64 => column
                .as_primitive::<arrow::datatypes::Float64Type>()
                .value(row)
                .to_string(),
            DataType::Float32 => column
                .as_primitive::<arrow::datatypes::Float32Type>()
                .value(row)
                .to_string(),
            _ => formatter.value(row).try_to_string()?,
        };
        Ok(Some(text))
    };
    (0..column.len()).map(text).collect()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "in a test a panic is the message")]
mod tests {
    use super::*;
    use arrow::array::{
        BinaryArray, Date64Array, DictionaryArray, Float64Array, Int32Array, Int64Array,
        LargeStringArray, ListArray, ListBuilder, NullArray, TimestampMicrosecondArray,
        TimestampMillisecondArray, TimestampSecondArray, TimestampSecondBuilder,
    };
    use arrow::datatypes::{Int32Type, Schema};

    fn first(column: ArrayRef) -> Parameter {
        let field = Field::new("p", column.data_type().clone(), true);
        let batch = RecordBatch::try_new(Arc::new(Schema::new(vec![field])), vec![column]).unwrap();
        sets(&batch).unwrap().remove(0).remove(0)
    }

    fn one(text: &str) -> Bound {
        Bound::One(text.to_owned())
    }

    #[test]
    fn what_cannot_be_read_is_no_null() {
        let date: ArrayRef = Arc::new(Date64Array::from(vec![i64::MAX]));
        let time: ArrayRef = Arc::new(TimestampSecondArray::from(vec![i64::MAX]));
        for column in [date, time] {
            let field = Field::new("p", column.data_type().clone(), true);
            let schema = Arc::new(Schema::new(vec![field]));
            let batch = RecordBatch::try_new(schema, vec![column]).unwrap();
            let problem = sets(&batch).unwrap_err();
            assert_eq!(problem.code(), tonic::Code::InvalidArgument, "{problem}");
        }
    }

    #[test]
    fn values_are_texts_with_a_type() {
        let bound = |column: ArrayRef| first(column).value;
        assert_eq!(bound(Arc::new(Int64Array::from(vec![-5]))), one("-5"));
        assert_eq!(bound(Arc::new(Float64Array::from(vec![0.1]))), one("0.1"));
        assert_eq!(
            bound(Arc::new(LargeStringArray::from(vec!["it's"]))),
            one("it's")
        );
        assert_eq!(
            bound(Arc::new(BinaryArray::from(vec![&b"\x01\xff"[..]]))),
            one("01ff")
        );
        assert_eq!(
            bound(Arc::new(Date64Array::from(vec![86_400_000]))),
            one("1970-01-02")
        );
        let time = TimestampMillisecondArray::from(vec![1500]).with_timezone("+02:00");
        assert_eq!(bound(Arc::new(time)), one("1970-01-01T00:00:01.500Z"));
        assert_eq!(bound(Arc::new(NullArray::new(1))), Bound::Null);
        // Years that nanoseconds do not reach.
        let far = TimestampMillisecondArray::from(vec![253_402_214_400_000]);
        assert_eq!(bound(Arc::new(far)), one("9999-12-31T00:00:00"));
        let far = TimestampSecondArray::from(vec![-62_135_596_800]).with_timezone("UTC");
        assert_eq!(bound(Arc::new(far)), one("0001-01-01T00:00:00Z"));
        let far = TimestampMicrosecondArray::from(vec![253_402_214_400_000_000]);
        let keys = Int32Array::from(vec![0]);
        let far = DictionaryArray::<Int32Type>::new(keys, Arc::new(far));
        assert_eq!(bound(Arc::new(far)), one("9999-12-31T00:00:00"));
        let mut far = ListBuilder::new(TimestampSecondBuilder::new());
        far.append_value([Some(253_402_214_400), None]);
        assert_eq!(
            bound(Arc::new(far.finish())),
            Bound::List(vec![Some("9999-12-31T00:00:00".to_owned()), None])
        );
        let list = ListArray::from_iter_primitive::<Int32Type, _, _>([Some([Some(1), None])]);
        assert_eq!(
            bound(Arc::new(list)),
            Bound::List(vec![Some("1".to_owned()), None])
        );
    }
}
