//! Lists as PostgreSQL's arrays: what is none is one without items, ends that are cut off, places among limits.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int32Array, ListArray, StringArray, UInt32Array};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::compute::{cast, take};
use arrow::datatypes::{DataType, Field, Float64Type, Int64Type};
use datafusion::common::{DataFusionError, Result, ScalarValue, plan_err};
use restable_sql::Diagnostic;

use super::own::{Called, Own};

/// The functions that have a name in SQL.
pub(crate) fn all() -> Vec<Own> {
    vec![
        Own::new("list_or_empty", (1, 1), same, |called| {
            let list = lists(called, 0)?;
            Ok(Arc::new(ListArray::try_new(
                item(&list),
                compact(&list)?,
                take_items(&list)?,
                None,
            )?))
        }),
        or_null(),
        // What is no list is told so where it becomes rows.
        Own::new(
            "list_at",
            (2, 2),
            |kinds, _| Ok(kinds[0].clone()),
            |called| Ok(Arc::clone(&called.arrays[0])),
        ),
        Own::new("trim_array", (2, 2), same, |called| {
            let (list, cut) = (
                lists(called, 0)?,
                cast(&called.arrays[1], &DataType::Int64)?,
            );
            let cut = cut.as_primitive::<Int64Type>();
            let kept = (0..list.len()).map(|row| {
                if list.is_null(row) || cut.is_null(row) {
                    return Ok(None);
                }
                let length = i64::from(list.value_length(row));
                match cut.value(row) {
                    cut if (0..=length).contains(&cut) => Ok(Some(length - cut)),
                    _ => Err(refused(format!(
                        "number of elements to trim must be between 0 and {length}"
                    ))),
                }
            });
            let kept: Vec<Option<i64>> = kept.collect::<Result<_>>()?;
            shortened(&list, &kept)
        }),
        Own::new("array_fill", (2, 2), filled_kind, filled),
        Own::new(
            "width_bucket_of",
            (2, 2),
            |_, _| Ok(DataType::Int32),
            bucket,
        ),
        Own::new(
            "array_dims",
            (1, 1),
            |_, _| Ok(DataType::Utf8),
            |called| {
                let list = lists(called, 0)?;
                let rows = (0..list.len()).map(|row| bounds(&list, row));
                Ok(Arc::new(rows.collect::<StringArray>()))
            },
        ),
    ]
}

/// A list without items is none.
pub(crate) fn or_null() -> Own {
    Own::new("list_or_null", (1, 1), same, |called| {
        let list = lists(called, 0)?;
        let filled = |row: usize| !list.is_null(row) && list.value_length(row) > 0;
        let nulls: NullBuffer = (0..list.len()).map(filled).collect();
        let (field, offsets, values, _) = list.into_parts();
        Ok(Arc::new(ListArray::try_new(
            field,
            offsets,
            values,
            Some(nulls),
        )?))
    })
}

fn refused(problem: impl Into<String>) -> DataFusionError {
    crate::Error::from(Diagnostic::new("R0402", problem)).into()
}

fn same(kinds: &[DataType], _: &[Option<&ScalarValue>]) -> Result<DataType> {
    match &kinds[0] {
        kind @ DataType::List(_) => Ok(kind.clone()),
        DataType::Null => Ok(DataType::new_list(DataType::Null, true)),
        other => plan_err!("{other} is no list"),
    }
}

fn filled_kind(kinds: &[DataType], _: &[Option<&ScalarValue>]) -> Result<DataType> {
    Ok(DataType::new_list(kinds[0].clone(), true))
}

fn lists(called: &Called, at: usize) -> Result<ListArray> {
    let array = &called.arrays[at];
    match array.as_list_opt::<i32>() {
        Some(list) => Ok(list.clone()),
        None => {
            let kind = DataType::new_list(DataType::Null, true);
            Ok(cast(array, &kind)?.as_list::<i32>().clone())
        }
    }
}

fn item(list: &ListArray) -> Arc<Field> {
    match list.data_type() {
        DataType::List(item) => Arc::clone(item),
        _ => Arc::new(Field::new_list_field(DataType::Null, true)),
    }
}

/// Where the lists begin if those that are NULL have no items.
fn compact(list: &ListArray) -> Result<OffsetBuffer<i32>> {
    let lengths = (0..list.len()).map(|row| match list.is_null(row) {
        true => 0,
        false => usize::try_from(list.value_length(row)).unwrap_or(0),
    });
    Ok(OffsetBuffer::from_lengths(lengths))
}

fn take_items(list: &ListArray) -> Result<ArrayRef> {
    let kept: Vec<Option<i64>> = (0..list.len())
        .map(|row| (!list.is_null(row)).then(|| i64::from(list.value_length(row))))
        .collect();
    items_of(list, &kept)
}

fn items_of(list: &ListArray, kept: &[Option<i64>]) -> Result<ArrayRef> {
    let offsets = list.value_offsets();
    let places = kept.iter().enumerate().flat_map(|(row, kept)| {
        let from = i64::from(offsets[row]);
        from..from + kept.unwrap_or(0)
    });
    let places: UInt32Array = places.map(|at| u32::try_from(at).ok()).collect();
    Ok(take(list.values(), &places, None)?)
}

/// The first so many items of each.
fn shortened(list: &ListArray, kept: &[Option<i64>]) -> Result<ArrayRef> {
    let lengths = kept
        .iter()
        .map(|kept| usize::try_from(kept.unwrap_or(0)).unwrap_or(0));
    let nulls: NullBuffer = kept.iter().map(Option::is_some).collect();
    Ok(Arc::new(ListArray::try_new(
        item(list),
        OffsetBuffer::from_lengths(lengths),
        items_of(list, kept)?,
        Some(nulls),
    )?))
}

/// `array_fill(x, ARRAY[3])`, of one dimension.
fn filled(called: &Called) -> Result<ArrayRef> {
    /// So many items all lists together have at most.
    const MOST: usize = 1 << 24;
    let dimensions = lists(called, 1)?;
    let lengths = (0..called.rows).map(|row| {
        if dimensions.is_null(row) {
            return Ok(None);
        }
        let lengths = cast(&dimensions.value(row), &DataType::Int64)?;
        let lengths = lengths.as_primitive::<Int64Type>();
        match lengths.len() {
            1 if !lengths.is_null(0) && lengths.value(0) >= 0 => {
                Ok(Some(usize::try_from(lengths.value(0)).unwrap_or(MOST)))
            }
            _ => Err(refused("array_fill takes one dimension: `ARRAY[3]`")),
        }
    });
    let lengths: Vec<Option<usize>> = lengths.collect::<Result<_>>()?;
    let mut items: usize = 0;
    for length in lengths.iter().flatten() {
        items = items.saturating_add(*length);
    }
    if items > MOST {
        let problem = format!("array size exceeds the maximum allowed ({MOST})");
        return Err(crate::Error::from(Diagnostic::new("R0210", problem)).into());
    }
    let places = lengths
        .iter()
        .enumerate()
        .flat_map(|(row, length)| std::iter::repeat_n(row, length.unwrap_or(0)));
    let places: UInt32Array = places.map(|row| u32::try_from(row).ok()).collect();
    let values = take(&called.arrays[0], &places, None)?;
    let nulls: NullBuffer = lengths.iter().map(Option::is_some).collect();
    let DataType::List(field) = &called.kind else {
        return Err(refused("array_fill makes a list"));
    };
    let offsets = OffsetBuffer::from_lengths(lengths.iter().map(|length| length.unwrap_or(0)));
    Ok(Arc::new(ListArray::try_new(
        Arc::clone(field),
        offsets,
        values,
        Some(nulls),
    )?))
}

/// `width_bucket(x, ARRAY[1, 4, 8])`: so many of the limits are not above it.
fn bucket(called: &Called) -> Result<ArrayRef> {
    let values = cast(&called.arrays[0], &DataType::Float64)?;
    let values = values.as_primitive::<Float64Type>();
    let limits = lists(called, 1)?;
    let rows = (0..called.rows).map(|row| {
        if values.is_null(row) || limits.is_null(row) {
            return Ok(None);
        }
        let limits = cast(&limits.value(row), &DataType::Float64)?;
        let limits = limits.as_primitive::<Float64Type>();
        let below = limits.iter().flatten();
        let below = below.filter(|limit| *limit <= values.value(row)).count();
        Ok(i32::try_from(below).ok())
    });
    Ok(Arc::new(rows.collect::<Result<Int32Array>>()?))
}

/// `[1:2][1:3]`; nothing of a list without items.
fn bounds(list: &ListArray, row: usize) -> Option<String> {
    if list.is_null(row) || list.value_length(row) == 0 {
        return None;
    }
    let own = format!("[1:{}]", list.value_length(row));
    let inner = list.value(row);
    let inner = inner
        .as_list_opt::<i32>()
        .and_then(|inner| bounds(inner, 0));
    Some(own + &inner.unwrap_or_default())
}
