//! Each function of restable's over batches without rows: nothing is computed, and nobody looks at a first row that is not there.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use arrow::array::new_empty_array;
use arrow::datatypes::{DataType, Field, FieldRef, IntervalUnit, TimeUnit};
use datafusion::common::ScalarValue;
use datafusion::common::config::ConfigOptions;
use datafusion::logical_expr::type_coercion::functions::fields_with_udf;
use datafusion::logical_expr::{ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF};

use crate::functions::{self, decimals, merged, plain, shifts, spans, written};
use crate::pg_catalog;

fn kinds() -> Vec<DataType> {
    vec![
        DataType::Utf8,
        DataType::Int64,
        DataType::Float64,
        DataType::Decimal128(20, 4),
        DataType::Timestamp(TimeUnit::Nanosecond, Some(crate::zone::UTC.into())),
        DataType::Interval(IntervalUnit::MonthDayNano),
        DataType::new_list(DataType::Utf8, true),
    ]
}

/// Every list of so many types.
fn lists(length: usize) -> Vec<Vec<DataType>> {
    let mut lists = vec![Vec::new()];
    for _ in 0..length {
        let longer = lists.iter().flat_map(|list| {
            kinds().into_iter().map(|kind| {
                let mut longer = list.clone();
                longer.push(kind);
                longer
            })
        });
        lists = longer.collect();
    }
    lists
}

/// Calls a function with no rows: how many are answered; `None` if it does not take these types.
fn called(function: &ScalarUDF, kinds: &[DataType], constant: Option<usize>) -> Option<usize> {
    let fields: Vec<FieldRef> = kinds
        .iter()
        .map(|kind| Arc::new(Field::new("x", kind.clone(), true)) as FieldRef)
        .collect();
    // As the planner calls it: with the types that it takes.
    let fields = fields_with_udf(&fields, function).ok()?;
    let kinds: Vec<DataType> = fields.iter().map(|it| it.data_type().clone()).collect();
    let constant = constant.filter(|at| kinds[*at] == DataType::Utf8);
    let text = ScalarValue::Utf8(Some("day".to_owned()));
    let constants: Vec<Option<&ScalarValue>> = (0..kinds.len())
        .map(|at| (constant == Some(at)).then_some(&text))
        .collect();
    let field = function.return_field_from_args(ReturnFieldArgs {
        arg_fields: &fields,
        scalar_arguments: &constants,
    });
    let field = field.ok()?;
    let args = kinds.iter().enumerate().map(|(at, kind)| {
        if constant == Some(at) {
            return ColumnarValue::Scalar(text.clone());
        }
        ColumnarValue::Array(new_empty_array(kind))
    });
    let answer = function.invoke_with_args(ScalarFunctionArgs {
        args: args.collect(),
        arg_fields: fields,
        number_rows: 0,
        return_field: Arc::clone(&field),
        config_options: Arc::new(ConfigOptions::default()),
    });
    match answer.ok()? {
        ColumnarValue::Array(array) => {
            assert_eq!(array.data_type(), field.data_type(), "{}", function.name());
            Some(array.len())
        }
        ColumnarValue::Scalar(_) => Some(0),
    }
}

#[test]
fn no_function_looks_at_rows_that_are_not_there() {
    let own = [
        decimals::quotient(),
        decimals::product(),
        merged::joined_by(),
        plain::plus(),
        plain::whole(),
        plain::fitting(),
        shifts::later(),
        shifts::earlier(),
        spans::order(),
        spans::longest(),
        written::as_text(),
        written::instant_of(),
        written::local_time(),
        written::read_time(),
        written::reach_time(),
    ];
    let own = own.into_iter().map(functions::own::Own::shared);
    let all = functions::all().into_iter().chain(own);
    let all = all.chain(pg_catalog::functions::all());
    let mut answered: BTreeMap<String, usize> = BTreeMap::new();
    let mut faults: BTreeSet<String> = BTreeSet::new();
    for function in all {
        let count = answered.entry(function.name().to_owned()).or_default();
        for kinds in (1..=3).flat_map(lists) {
            let places = (0..kinds.len()).filter(|at| kinds[*at] == DataType::Utf8);
            // With a constant among the arguments, and without; where all are constants there is one row.
            let places = places.filter(|_| kinds.len() > 1).map(Some);
            for constant in places.chain([None]) {
                let step = AssertUnwindSafe(|| called(&function, &kinds, constant));
                match catch_unwind(step) {
                    Ok(Some(rows)) => {
                        assert_eq!(rows, 0, "{}", function.name());
                        *count += 1;
                    }
                    Ok(None) => {}
                    Err(_) => {
                        faults.insert(format!("{}{kinds:?}", function.name()));
                    }
                }
            }
        }
    }
    assert!(faults.is_empty(), "{faults:?}");
    let silent: Vec<&String> = answered
        .iter()
        .filter(|(_, count)| **count == 0)
        .map(|(name, _)| name)
        .collect();
    // Those that take four arguments or none.
    assert!(silent.len() < 8, "never called: {silent:?}");
}
