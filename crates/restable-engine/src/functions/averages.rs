//! `avg` with PostgreSQL's answers: of decimals with sixteen digits behind the point, which are more than DataFusion's has, and of
//! intervals, of which it has none.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray};
use arrow::datatypes::{DataType, Decimal128Type, Field, FieldRef, IntervalUnit, UInt64Type};
use datafusion::common::{Result, ScalarValue, exec_err, plan_err};
use datafusion::functions_aggregate::average::avg_udaf;
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, GroupsAccumulator, ReversedUDAF, Signature,
    Volatility,
};

use super::spans::{self, Span};

const INTERVAL: DataType = DataType::Interval(IntervalUnit::MonthDayNano);
const WIDE: DataType = DataType::Decimal128(38, 0);

/// The function.
pub(crate) fn average() -> Arc<AggregateUDF> {
    Arc::new(AggregateUDF::from(Average {
        inner: avg_udaf(),
        signature: Signature::user_defined(Volatility::Immutable),
    }))
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Average {
    inner: Arc<AggregateUDF>,
    signature: Signature,
}

impl AggregateUDFImpl for Average {
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
        let [kind] = kinds else {
            return plan_err!("the function `avg` does not take {} arguments", kinds.len());
        };
        Ok(vec![match kind {
            // Four digits are added.
            DataType::Decimal128(_, scale) => DataType::Decimal128(34, (*scale).clamp(12, 34)),
            DataType::Decimal32(..) | DataType::Decimal64(..) => DataType::Decimal128(34, 12),
            DataType::Decimal256(..) | DataType::Duration(_) => kind.clone(),
            DataType::Interval(_) => INTERVAL,
            kind if kind.is_numeric() || *kind == DataType::Null => DataType::Float64,
            other => {
                let shown = crate::pg_catalog::kinds::of(other);
                let shown = crate::pg_catalog::kinds::shown(shown);
                let shown = shown.unwrap_or_else(|| other.to_string());
                return plan_err!("function does not exist: avg({shown})");
            }
        }])
    }

    fn return_type(&self, kinds: &[DataType]) -> Result<DataType> {
        match kinds {
            [DataType::Interval(_)] => Ok(INTERVAL),
            _ => self.inner.return_type(kinds),
        }
    }

    fn accumulator(&self, arguments: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        if is_interval(&arguments.return_field) {
            if arguments.is_distinct {
                return exec_err!("avg(DISTINCT interval) is not supported");
            }
            return Ok(Box::new(Spans::default()));
        }
        self.inner.accumulator(arguments)
    }

    fn state_fields(&self, arguments: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        if !is_interval(&arguments.return_field) {
            return self.inner.state_fields(arguments);
        }
        let sum = |name: &str| Arc::new(Field::new(name, WIDE, true));
        let count = Arc::new(Field::new("count", DataType::UInt64, true));
        Ok(vec![sum("months"), sum("days"), sum("nanos"), count])
    }

    fn groups_accumulator_supported(&self, arguments: AccumulatorArgs) -> bool {
        !is_interval(&arguments.return_field) && self.inner.groups_accumulator_supported(arguments)
    }

    fn create_groups_accumulator(
        &self,
        arguments: AccumulatorArgs,
    ) -> Result<Box<dyn GroupsAccumulator>> {
        self.inner.create_groups_accumulator(arguments)
    }

    fn create_sliding_accumulator(
        &self,
        arguments: AccumulatorArgs,
    ) -> Result<Box<dyn Accumulator>> {
        match is_interval(&arguments.return_field) {
            true => self.accumulator(arguments),
            false => self.inner.create_sliding_accumulator(arguments),
        }
    }

    fn reverse_expr(&self) -> ReversedUDAF {
        ReversedUDAF::Identical
    }
}

fn is_interval(field: &FieldRef) -> bool {
    matches!(field.data_type(), DataType::Interval(_))
}

/// The sums of the parts of intervals.
#[derive(Debug, Default)]
struct Spans {
    months: i128,
    days: i128,
    nanos: i128,
    count: u64,
}

impl Spans {
    fn add(&mut self, span: Span, times: i128) {
        self.months += i128::from(span.months) * times;
        self.days += i128::from(span.days) * times;
        self.nanos += i128::from(span.nanos) * times;
    }

    #[expect(clippy::cast_precision_loss, reason = "as PostgreSQL computes it")]
    fn mean(&self) -> Option<Span> {
        let count = (self.count > 0).then_some(self.count as f64)?;
        let part = |sum: i128| sum as f64 / count;
        let (months, days) = (part(self.months), part(self.days));
        Some(Span::of_parts(months, days, part(self.nanos)))
    }
}

impl Accumulator for Spans {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        for span in spans::spans(&values[0])?.into_iter().flatten() {
            self.add(span, 1);
            self.count += 1;
        }
        Ok(())
    }

    fn supports_retract_batch(&self) -> bool {
        true
    }

    fn retract_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        for span in spans::spans(&values[0])?.into_iter().flatten() {
            self.add(span, -1);
            self.count -= 1;
        }
        Ok(())
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        let sum = |at: usize| -> i128 {
            let all = states[at].as_primitive::<Decimal128Type>();
            all.iter().flatten().sum()
        };
        self.months += sum(0);
        self.days += sum(1);
        self.nanos += sum(2);
        let counts = states[3].as_primitive::<UInt64Type>();
        self.count += counts.iter().flatten().sum::<u64>();
        Ok(())
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let sum = |sum: i128| ScalarValue::Decimal128(Some(sum), 38, 0);
        Ok(vec![
            sum(self.months),
            sum(self.days),
            sum(self.nanos),
            ScalarValue::UInt64(Some(self.count)),
        ])
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let mean = super::clocks::of_spans(vec![self.mean()]);
        ScalarValue::try_from_array(&mean, 0)
    }

    fn size(&self) -> usize {
        size_of_val(self)
    }
}
