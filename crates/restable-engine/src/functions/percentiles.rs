//! `percentile_cont` as PostgreSQL computes it: between two values in the order that is asked for, in doubles. DataFusion counts from the
//! other end where the order is descending, and in millionths of the way between the two.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray as _, Float64Array, ListArray};
use arrow::buffer::OffsetBuffer;
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, FieldRef, Float64Type};
use datafusion::common::{Result, ScalarValue, plan_err};
use datafusion::functions_aggregate::percentile_cont::percentile_cont_udaf;
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::utils::AggregateOrderSensitivity;
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, Documentation, Signature, Volatility,
};
use datafusion::physical_expr::expressions::Literal;
use restable_sql::Diagnostic;

/// The function.
pub(crate) fn between() -> Arc<AggregateUDF> {
    Arc::new(AggregateUDF::from(Between {
        inner: percentile_cont_udaf(),
        signature: Signature::user_defined(Volatility::Immutable),
    }))
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Between {
    inner: Arc<AggregateUDF>,
    signature: Signature,
}

impl AggregateUDFImpl for Between {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn aliases(&self) -> &[String] {
        self.inner.aliases()
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, kinds: &[DataType]) -> Result<Vec<DataType>> {
        let number = |kind: &DataType| kind.is_numeric() || *kind == DataType::Null;
        if let [_, _] = kinds
            && kinds.iter().all(number)
        {
            return Ok(vec![DataType::Float64, DataType::Float64]);
        }
        let other = kinds.iter().find(|kind| !number(kind));
        let shown = other.and_then(|kind| {
            let oid = crate::pg_catalog::kinds::of(kind);
            crate::pg_catalog::kinds::shown(oid)
        });
        let shown = shown.unwrap_or_else(|| "any".to_owned());
        plan_err!("function does not exist: percentile_cont(double precision, {shown})")
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Float64)
    }

    fn accumulator(&self, arguments: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        if arguments.is_distinct {
            return self.inner.accumulator(arguments);
        }
        let share = arguments.exprs.get(1);
        let share = share.and_then(|share| share.downcast_ref::<Literal>());
        let share = share.map(|share| share.value().cast_to(&DataType::Float64));
        let Some(ScalarValue::Float64(share)) = share.transpose()? else {
            return plan_err!("percentile_cont takes a share that is written out");
        };
        if let Some(share) = share.filter(|share| !(0.0..=1.0).contains(share)) {
            let problem = format!("percentile value {share} is not between 0 and 1");
            return Err(crate::Error::from(Diagnostic::new("R0209", problem)).into());
        }
        let order = arguments.order_bys.first();
        Ok(Box::new(Values {
            values: Vec::new(),
            share,
            descending: order.is_some_and(|order| order.options.descending),
        }))
    }

    fn state_fields(&self, arguments: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        if arguments.is_distinct {
            return self.inner.state_fields(arguments);
        }
        let kind = DataType::new_list(DataType::Float64, true);
        Ok(vec![Arc::new(Field::new("values", kind, true))])
    }

    /// Whatever order the rows come in, it is looked at once at the end.
    fn order_sensitivity(&self) -> AggregateOrderSensitivity {
        AggregateOrderSensitivity::Insensitive
    }

    fn supports_within_group_clause(&self) -> bool {
        true
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.inner.documentation()
    }
}

#[derive(Debug)]
struct Values {
    values: Vec<f64>,
    share: Option<f64>,
    descending: bool,
}

impl Accumulator for Values {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let values = cast(&values[0], &DataType::Float64)?;
        let values = values.as_primitive::<Float64Type>();
        self.values.extend(values.iter().flatten());
        Ok(())
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        for list in states[0].as_list::<i32>().iter().flatten() {
            self.update_batch(&[list])?;
        }
        Ok(())
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let values = Float64Array::from(std::mem::take(&mut self.values));
        let item = Arc::new(Field::new_list_field(DataType::Float64, true));
        let offsets = OffsetBuffer::from_lengths([values.len()]);
        let list = ListArray::try_new(item, offsets, Arc::new(values), None)?;
        Ok(vec![ScalarValue::List(Arc::new(list))])
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let share = self.share.filter(|_| !self.values.is_empty());
        let value = share.map(|share| between_two(&mut self.values, share, self.descending));
        Ok(ScalarValue::Float64(value))
    }

    fn supports_retract_batch(&self) -> bool {
        false
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.values.capacity() * size_of::<f64>()
    }
}

/// The value at a share of the way through values that are in order; there is one at least. What is no number comes after all numbers.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "a place among the values"
)]
fn between_two(values: &mut [f64], share: f64, descending: bool) -> f64 {
    let place = share * (values.len() - 1) as f64;
    let (first, second) = (place.floor() as usize, place.ceil() as usize);
    let order = |left: &f64, right: &f64| {
        let order = left.total_cmp(right);
        if descending { order.reverse() } else { order }
    };
    let (_, low, above) = values.select_nth_unstable_by(first, order);
    let low = *low;
    if first == second {
        return low;
    }
    let high = above.iter().copied().min_by(order).unwrap_or(low);
    low + (place - place.floor()) * (high - low)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lies_between_two_values_is_what_postgresql_says() {
        let at = |share, descending| {
            let mut values = vec![11.0, 2.0, 10.0, 1.0, 3.0];
            between_two(&mut values, share, descending).to_string()
        };
        assert_eq!(at(0.95, false), "10.8");
        assert_eq!(at(0.9, true), "1.4");
        assert_eq!(at(0.5, false), "3");
        assert_eq!(at(0.0, false), "1");
        assert_eq!(at(1.0, true), "1");
        assert_eq!(between_two(&mut [5.0], 0.3, true).to_string(), "5");
    }
}
