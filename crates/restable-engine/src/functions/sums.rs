//! `sum` of whole numbers that refuses to overflow: it counts in 128 bits, and answers what fits a bigint.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::compute::{cast, sum};
use arrow::datatypes::{DataType, Decimal128Type, Field, FieldRef, Int64Type};
use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, Signature, Volatility,
};

use super::plain::out_of_range;

const WIDE: DataType = DataType::Decimal128(38, 0);

/// The function.
pub(crate) fn checked() -> Arc<AggregateUDF> {
    Arc::new(AggregateUDF::from(Checked {
        signature: Signature::any(1, Volatility::Immutable),
    }))
}

#[derive(Debug, PartialEq, Eq, Hash)]
pub(crate) struct Checked {
    signature: Signature,
}

impl AggregateUDFImpl for Checked {
    fn name(&self) -> &str {
        "sum"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Int64)
    }

    fn accumulator(&self, arguments: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        let seen = arguments.is_distinct.then(std::collections::HashSet::new);
        Ok(Box::new(Sum {
            total: None,
            counted: 0,
            seen,
        }))
    }

    fn state_fields(&self, arguments: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        let field = match arguments.is_distinct {
            true => Field::new("seen", DataType::new_list(DataType::Int64, true), true),
            false => Field::new("sum", WIDE, true),
        };
        Ok(vec![Arc::new(field)])
    }
}

#[derive(Debug)]
struct Sum {
    total: Option<i128>,
    /// How many values of this accumulator's own rows are in it: those that leave a window are taken out again.
    counted: u64,
    /// What was counted, if each value counts once.
    seen: Option<std::collections::HashSet<i64>>,
}

impl Sum {
    fn add(&mut self, more: i128) {
        self.total = Some(self.total.unwrap_or(0).saturating_add(more));
    }

    fn see(&mut self, values: &dyn Array) {
        let values = values.as_primitive::<Int64Type>();
        for value in values.iter().flatten() {
            if let Some(seen) = &mut self.seen {
                seen.insert(value);
            }
        }
    }
}

impl Accumulator for Sum {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        if self.seen.is_some() {
            let values = cast(&values[0], &DataType::Int64)?;
            self.see(&values);
            return Ok(());
        }
        let wide = cast(&values[0], &WIDE)?;
        let wide = wide.as_primitive::<Decimal128Type>();
        if let Some(more) = sum(wide) {
            self.add(more);
        }
        self.counted += (wide.len() - wide.null_count()) as u64;
        Ok(())
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        if self.seen.is_some() {
            for list in states[0].as_list::<i32>().iter().flatten() {
                self.see(&list);
            }
            return Ok(());
        }
        if let Some(more) = sum(states[0].as_primitive::<Decimal128Type>()) {
            self.add(more);
        }
        Ok(())
    }

    fn supports_retract_batch(&self) -> bool {
        self.seen.is_none()
    }

    fn retract_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let wide = cast(&values[0], &WIDE)?;
        let wide = wide.as_primitive::<Decimal128Type>();
        if let Some(less) = sum(wide) {
            self.add(-less);
        }
        self.counted -= (wide.len() - wide.null_count()) as u64;
        // The sum of nothing is no number.
        if self.counted == 0 {
            self.total = None;
        }
        Ok(())
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        Ok(vec![match &self.seen {
            Some(seen) => {
                let seen = seen.iter().map(|one| ScalarValue::Int64(Some(*one)));
                let seen: Vec<ScalarValue> = seen.collect();
                ScalarValue::List(ScalarValue::new_list_nullable(&seen, &DataType::Int64))
            }
            None => ScalarValue::Decimal128(self.total, 38, 0),
        }])
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let total = match &self.seen {
            Some(seen) if seen.is_empty() => None,
            Some(seen) => Some(seen.iter().map(|one| i128::from(*one)).sum()),
            None => self.total,
        };
        let fits = |total: i128| i64::try_from(total).map_err(|_| out_of_range("bigint"));
        Ok(ScalarValue::Int64(total.map(fits).transpose()?))
    }

    fn size(&self) -> usize {
        let seen = self.seen.as_ref().map_or(0, |seen| seen.capacity() * 16);
        size_of_val(self) + seen
    }
}
