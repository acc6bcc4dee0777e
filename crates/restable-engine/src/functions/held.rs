//! Aggregates that hold their rows: `string_agg(x) OVER (ORDER BY y)` makes a longer text for each row. DataFusion counts no memory of
//! windows, nor all of it of groups, so that what is made is counted here, and ends where the memory of the session does.

use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use arrow::array::ArrayRef;
use arrow::datatypes::{DataType, FieldRef};
use datafusion::common::{DataFusionError, Result, ScalarValue};
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::utils::AggregateOrderSensitivity;
use datafusion::logical_expr::{Accumulator, AggregateUDF, AggregateUDFImpl, Signature};

/// The function within bounds; `None` if it holds no rows, or is bounded already.
pub(crate) fn bounded(function: &Arc<AggregateUDF>, limit: usize) -> Option<Arc<AggregateUDF>> {
    let holds = matches!(function.name(), "string_agg" | "array_agg");
    if !holds || function.inner().is::<Held>() {
        return None;
    }
    Some(Arc::new(AggregateUDF::from(Held {
        inner: Arc::clone(function),
        limit,
        made: Arc::default(),
    })))
}

#[derive(Debug)]
struct Held {
    inner: Arc<AggregateUDF>,
    limit: usize,
    /// Bytes of all that one plan of it has made.
    made: Arc<AtomicUsize>,
}

impl PartialEq for Held {
    fn eq(&self, other: &Held) -> bool {
        self.inner == other.inner && self.limit == other.limit
    }
}

impl Eq for Held {}

impl Hash for Held {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.inner.hash(state);
        self.limit.hash(state);
    }
}

impl Held {
    fn counted(&self, inner: Box<dyn Accumulator>) -> Box<dyn Accumulator> {
        Box::new(Counted {
            inner,
            name: self.inner.name().to_owned(),
            limit: self.limit,
            made: Arc::clone(&self.made),
        })
    }
}

impl AggregateUDFImpl for Held {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn signature(&self) -> &Signature {
        self.inner.signature()
    }

    fn coerce_types(&self, kinds: &[DataType]) -> Result<Vec<DataType>> {
        self.inner.coerce_types(kinds)
    }

    fn return_type(&self, kinds: &[DataType]) -> Result<DataType> {
        self.inner.return_type(kinds)
    }

    fn return_field(&self, fields: &[FieldRef]) -> Result<FieldRef> {
        self.inner.return_field(fields)
    }

    fn is_nullable(&self) -> bool {
        self.inner.is_nullable()
    }

    fn state_fields(&self, arguments: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        self.inner.state_fields(arguments)
    }

    fn accumulator(&self, arguments: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        self.inner
            .accumulator(arguments)
            .map(|inner| self.counted(inner))
    }

    fn create_sliding_accumulator(
        &self,
        arguments: AccumulatorArgs,
    ) -> Result<Box<dyn Accumulator>> {
        let inner = self.inner.create_sliding_accumulator(arguments)?;
        Ok(self.counted(inner))
    }

    fn order_sensitivity(&self) -> AggregateOrderSensitivity {
        self.inner.order_sensitivity()
    }
}

#[derive(Debug)]
struct Counted {
    inner: Box<dyn Accumulator>,
    name: String,
    limit: usize,
    made: Arc<AtomicUsize>,
}

impl Accumulator for Counted {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.inner.update_batch(values)
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        self.inner.merge_batch(states)
    }

    fn retract_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.inner.retract_batch(values)
    }

    fn supports_retract_batch(&self) -> bool {
        self.inner.supports_retract_batch()
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        self.inner.state()
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let value = self.inner.evaluate()?;
        let more = value.size();
        let made = self.made.fetch_add(more, Ordering::Relaxed) + more;
        if made > self.limit {
            return Err(DataFusionError::ResourcesExhausted(format!(
                "`{} OVER` made {made} bytes of {}",
                self.name, self.limit
            )));
        }
        Ok(value)
    }

    fn size(&self) -> usize {
        self.inner.size()
    }
}
