//! `sum` of whole and exact numbers that refuses to overflow: it counts in 128 bits, and answers what fits a bigint, or 38 digits.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Decimal128Array};
use arrow::compute::{cast, sum};
use arrow::datatypes::{DataType, Decimal128Type, Field, FieldRef};
use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, Signature, Volatility,
};

use super::plain::out_of_range;

const WIDE: DataType = DataType::Decimal128(38, 0);

/// Whether a sum of these is one of [`checked`]: DataFusion's wraps round, or has more digits than are shown.
pub(crate) fn is_checked(kind: &DataType) -> bool {
    match kind {
        // With fewer digits it would take ten thousand million rows.
        DataType::Decimal128(precision, _) => *precision > 28,
        kind => kind.is_signed_integer(),
    }
}

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

    fn return_type(&self, kinds: &[DataType]) -> Result<DataType> {
        Ok(match kinds {
            [DataType::Decimal128(_, scale)] => DataType::Decimal128(38, *scale),
            _ => DataType::Int64,
        })
    }

    fn accumulator(&self, arguments: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        let seen = arguments.is_distinct.then(std::collections::HashSet::new);
        let scale = match arguments.return_field.data_type() {
            DataType::Decimal128(_, scale) => Some(*scale),
            _ => None,
        };
        Ok(Box::new(Sum {
            total: None,
            counted: 0,
            seen,
            scale,
        }))
    }

    fn state_fields(&self, arguments: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        let field = match arguments.is_distinct {
            true => Field::new("seen", DataType::new_list(WIDE, true), true),
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
    seen: Option<std::collections::HashSet<i128>>,
    /// So many digits behind the point, if these are decimals.
    scale: Option<i8>,
}

impl Sum {
    fn add(&mut self, more: i128) -> Result<()> {
        let total = self.total.unwrap_or(0).checked_add(more);
        self.total = Some(total.ok_or_else(|| out_of_range("numeric"))?);
        Ok(())
    }

    fn see(&mut self, values: &dyn Array) {
        let values = values.as_primitive::<Decimal128Type>();
        for value in values.iter().flatten() {
            if let Some(seen) = &mut self.seen {
                seen.insert(value);
            }
        }
    }

    /// The values in 128 bits: those of decimals without their points.
    fn wide(&self, values: &ArrayRef) -> Result<Decimal128Array> {
        let wide = match self.scale {
            Some(_) => Arc::clone(values),
            None => cast(values, &WIDE)?,
        };
        let wide = wide.as_primitive::<Decimal128Type>().clone();
        Ok(wide.with_data_type(WIDE))
    }

    /// Their sum, one by one where they are large.
    fn sum(&self, wide: &Decimal128Array) -> Result<Option<i128>> {
        if self.scale.is_none() {
            return Ok(sum(wide));
        }
        let mut total: Option<i128> = None;
        for one in wide.iter().flatten() {
            let more = total.unwrap_or(0).checked_add(one);
            total = Some(more.ok_or_else(|| out_of_range("numeric"))?);
        }
        Ok(total)
    }
}

impl Accumulator for Sum {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let wide = self.wide(&values[0])?;
        if self.seen.is_some() {
            self.see(&wide);
            return Ok(());
        }
        if let Some(more) = self.sum(&wide)? {
            self.add(more)?;
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
        let states: &Decimal128Array = states[0].as_primitive();
        for more in states.iter().flatten() {
            self.add(more)?;
        }
        Ok(())
    }

    fn supports_retract_batch(&self) -> bool {
        self.seen.is_none()
    }

    fn retract_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let wide = self.wide(&values[0])?;
        if let Some(less) = self.sum(&wide)? {
            self.add(-less)?;
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
                let seen = seen
                    .iter()
                    .map(|one| ScalarValue::Decimal128(Some(*one), 38, 0));
                let seen: Vec<ScalarValue> = seen.collect();
                ScalarValue::List(ScalarValue::new_list_nullable(&seen, &WIDE))
            }
            None => ScalarValue::Decimal128(self.total, 38, 0),
        }])
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let total = match &self.seen {
            Some(seen) if seen.is_empty() => None,
            Some(seen) => {
                let mut all = seen.iter();
                let total = all.try_fold(0_i128, |total, one| total.checked_add(*one));
                Some(total.ok_or_else(|| out_of_range("numeric"))?)
            }
            None => self.total,
        };
        if let Some(scale) = self.scale {
            const LARGEST: i128 = 10_i128.pow(38);
            return match total {
                Some(total) if total.abs() >= LARGEST => Err(out_of_range("numeric")),
                total => Ok(ScalarValue::Decimal128(total, 38, scale)),
            };
        }
        let fits = |total: i128| i64::try_from(total).map_err(|_| out_of_range("bigint"));
        Ok(ScalarValue::Int64(total.map(fits).transpose()?))
    }

    fn size(&self) -> usize {
        let seen = self.seen.as_ref().map_or(0, |seen| seen.capacity() * 16);
        size_of_val(self) + seen
    }
}
