//! Aggregates that hold their rows: `array_agg`, `string_agg`, and what is made of them (`json_agg`), and those that need all values at
//! once. DataFusion counts what they hold, but only after a batch, and lets it go to files in batches that are merged again: of large
//! values a few thousand rows are more than there is memory for. And of windows it counts nothing. So what is held is taken from the
//! memory of the session here, for as long as it is held, and never goes to files: where it does not fit, the statement ends.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use arrow::array::{ArrayRef, BooleanArray};
use arrow::datatypes::{DataType, FieldRef, Schema};
use datafusion::common::{DataFusionError, Result, ScalarValue};
use datafusion::execution::memory_pool::{
    MemoryConsumer, MemoryLimit, MemoryPool, MemoryReservation,
};
use datafusion::logical_expr::function::{
    AccumulatorArgs, AggregateFunctionSimplification, StateFieldsArgs,
};
use datafusion::logical_expr::utils::AggregateOrderSensitivity;
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, EmitTo, GroupsAccumulator, ReversedUDAF, Signature,
};
use datafusion::physical_expr::{GroupsAccumulatorAdapter, PhysicalSortExpr};
use datafusion::physical_plan::PhysicalExpr;

/// The functions that hold what they are given.
const HOLD: [&str; 7] = [
    "string_agg",
    "array_agg",
    "nth_value",
    "median",
    "mode",
    "percentile_cont",
    "percentile_disc",
];

/// The functions that hold one value of each group. Numbers are small; texts need not be.
const KEEP: [&str; 5] = ["min", "max", "first_value", "last_value", "any_value"];

/// The function, of values of a type, within the memory of a session; `None` if it holds nothing large, or is bounded already.
pub(crate) fn of_groups(
    function: &Arc<AggregateUDF>,
    of: Option<&DataType>,
    pool: &Arc<dyn MemoryPool>,
) -> Option<Arc<AggregateUDF>> {
    let large = of.is_some_and(|of| of.primitive_width().is_none() && *of != DataType::Boolean);
    let holds = HOLD.contains(&function.name()) || (large && KEEP.contains(&function.name()));
    holds.then(|| bounded(function, pool, None))?
}

/// The same over a window, where each row may have a value of its own that holds all before it.
pub(crate) fn of_window(
    function: &Arc<AggregateUDF>,
    pool: &Arc<dyn MemoryPool>,
) -> Option<Arc<AggregateUDF>> {
    let most = match pool.memory_limit() {
        MemoryLimit::Finite(bytes) => bytes,
        _ => usize::MAX,
    };
    let made = Some(Made {
        made: Arc::default(),
        most,
    });
    HOLD.contains(&function.name())
        .then(|| bounded(function, pool, made))?
}

fn bounded(
    function: &Arc<AggregateUDF>,
    pool: &Arc<dyn MemoryPool>,
    made: Option<Made>,
) -> Option<Arc<AggregateUDF>> {
    let limited = matches!(pool.memory_limit(), MemoryLimit::Finite(_));
    if !limited || function.inner().is::<Held>() {
        return None;
    }
    Some(Arc::new(AggregateUDF::from(Held {
        inner: Arc::clone(function),
        pool: Arc::clone(pool),
        made,
    })))
}

/// The function, and where what it holds is counted.
#[derive(Debug, Clone)]
struct Held {
    inner: Arc<AggregateUDF>,
    pool: Arc<dyn MemoryPool>,
    /// Over a window: what its values come to.
    made: Option<Made>,
}

/// Bytes of all values that one plan of a function has made, and how many they may be.
#[derive(Debug, Clone)]
struct Made {
    made: Arc<AtomicUsize>,
    most: usize,
}

impl PartialEq for Held {
    fn eq(&self, other: &Held) -> bool {
        self.inner == other.inner && Arc::ptr_eq(&self.pool, &other.pool)
    }
}

impl Eq for Held {}

impl Hash for Held {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.inner.hash(state);
    }
}

impl Held {
    fn around(&self, inner: Arc<AggregateUDF>) -> Held {
        Held {
            inner,
            ..self.clone()
        }
    }

    fn taken(&self) -> Taken {
        let name = format!("`{}`", self.inner.name());
        Taken {
            memory: MemoryConsumer::new(name).register(&self.pool),
            last: 0,
        }
    }

    fn counted(&self, inner: Box<dyn Accumulator>) -> Box<dyn Accumulator> {
        Box::new(Counted {
            taken: self.taken(),
            inner,
            name: self.inner.name().to_owned(),
            made: self.made.clone(),
        })
    }
}

impl AggregateUDFImpl for Held {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn aliases(&self) -> &[String] {
        self.inner.aliases()
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

    fn groups_accumulator_supported(&self, _: AccumulatorArgs) -> bool {
        true
    }

    /// The groups of one stream are counted together: each by itself would ask the pool a million times.
    fn create_groups_accumulator(
        &self,
        arguments: AccumulatorArgs,
    ) -> Result<Box<dyn GroupsAccumulator>> {
        let owned = Arguments::of(&arguments);
        let inner: Box<dyn GroupsAccumulator> =
            match self.inner.groups_accumulator_supported(arguments) {
                true => self.inner.create_groups_accumulator(owned.lent())?,
                false => {
                    let function = Arc::clone(&self.inner);
                    Box::new(GroupsAccumulatorAdapter::new(move || {
                        function.accumulator(owned.lent())
                    }))
                }
            };
        Ok(Box::new(Groups {
            inner,
            taken: self.taken(),
        }))
    }

    fn order_sensitivity(&self) -> AggregateOrderSensitivity {
        self.inner.order_sensitivity()
    }

    fn with_beneficial_ordering(
        self: Arc<Self>,
        beneficial: bool,
    ) -> Result<Option<Arc<dyn AggregateUDFImpl>>> {
        let inner = AggregateUDF::clone(&self.inner).with_beneficial_ordering(beneficial)?;
        Ok(inner.map(|inner| Arc::new(self.around(Arc::new(inner))) as Arc<dyn AggregateUDFImpl>))
    }

    fn reverse_expr(&self) -> ReversedUDAF {
        match self.inner.reverse_udf() {
            ReversedUDAF::Reversed(inner) => {
                ReversedUDAF::Reversed(Arc::new(AggregateUDF::from(self.around(inner))))
            }
            other => other,
        }
    }

    fn simplify(&self) -> Option<AggregateFunctionSimplification> {
        self.inner.simplify()
    }

    fn is_descending(&self) -> Option<bool> {
        self.inner.is_descending()
    }

    fn default_value(&self, kind: &DataType) -> Result<ScalarValue> {
        self.inner.default_value(kind)
    }

    fn supports_null_handling_clause(&self) -> bool {
        self.inner.supports_null_handling_clause()
    }

    fn supports_within_group_clause(&self) -> bool {
        self.inner.supports_within_group_clause()
    }
}

/// What accumulators are made of, by itself: each group has one.
struct Arguments {
    return_field: FieldRef,
    schema: Schema,
    ignore_nulls: bool,
    order_bys: Vec<PhysicalSortExpr>,
    is_reversed: bool,
    name: String,
    is_distinct: bool,
    exprs: Vec<Arc<dyn PhysicalExpr>>,
    expr_fields: Vec<FieldRef>,
}

impl Arguments {
    fn of(given: &AccumulatorArgs) -> Arguments {
        Arguments {
            return_field: Arc::clone(&given.return_field),
            schema: given.schema.clone(),
            ignore_nulls: given.ignore_nulls,
            order_bys: given.order_bys.to_vec(),
            is_reversed: given.is_reversed,
            name: given.name.to_owned(),
            is_distinct: given.is_distinct,
            exprs: given.exprs.to_vec(),
            expr_fields: given.expr_fields.to_vec(),
        }
    }

    fn lent(&self) -> AccumulatorArgs<'_> {
        AccumulatorArgs {
            return_field: Arc::clone(&self.return_field),
            schema: &self.schema,
            ignore_nulls: self.ignore_nulls,
            order_bys: &self.order_bys,
            is_reversed: self.is_reversed,
            name: &self.name,
            is_distinct: self.is_distinct,
            exprs: &self.exprs,
            expr_fields: &self.expr_fields,
        }
    }
}

/// What was taken of a session's memory. It is free again when this is dropped.
#[derive(Debug)]
struct Taken {
    memory: MemoryReservation,
    /// What was held when it was last looked at.
    last: usize,
}

impl Taken {
    /// So much is held now.
    fn hold(&mut self, now: usize) -> Result<()> {
        self.last = now;
        self.memory.try_resize(now)
    }

    /// So much is held now. What groups gave away is on its way to whoever asked, or in a file from which it comes back: it stays taken.
    fn gather(&mut self, now: usize) -> Result<()> {
        let more = now.saturating_sub(self.last);
        self.last = now;
        self.memory.try_grow(more)
    }
}

/// The accumulator of all rows, or of a window.
struct Counted {
    inner: Box<dyn Accumulator>,
    name: String,
    taken: Taken,
    made: Option<Made>,
}

impl fmt::Debug for Counted {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(formatter)
    }
}

impl Accumulator for Counted {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.inner.update_batch(values)?;
        self.taken.hold(self.inner.size())
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        self.inner.merge_batch(states)?;
        self.taken.hold(self.inner.size())
    }

    fn retract_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.inner.retract_batch(values)?;
        self.taken.hold(self.inner.size())
    }

    fn supports_retract_batch(&self) -> bool {
        self.inner.supports_retract_batch()
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        self.inner.state()
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let value = self.inner.evaluate()?;
        let Some(Made { made, most }) = &self.made else {
            return Ok(value);
        };
        let more = value.size();
        let made = made.fetch_add(more, Ordering::Relaxed) + more;
        if made > *most {
            return Err(DataFusionError::ResourcesExhausted(format!(
                "`{} OVER` made {made} bytes of {most}",
                self.name
            )));
        }
        Ok(value)
    }

    /// Nothing: what it holds is counted already.
    fn size(&self) -> usize {
        0
    }
}

/// The accumulator of groups.
struct Groups {
    inner: Box<dyn GroupsAccumulator>,
    taken: Taken,
}

impl GroupsAccumulator for Groups {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        group_indices: &[usize],
        filter: Option<&BooleanArray>,
        groups: usize,
    ) -> Result<()> {
        self.inner
            .update_batch(values, group_indices, filter, groups)?;
        self.taken.gather(self.inner.size())
    }

    fn evaluate(&mut self, emit_to: EmitTo) -> Result<ArrayRef> {
        let values = self.inner.evaluate(emit_to)?;
        self.taken.gather(self.inner.size())?;
        Ok(values)
    }

    fn state(&mut self, emit_to: EmitTo) -> Result<Vec<ArrayRef>> {
        let states = self.inner.state(emit_to)?;
        self.taken.gather(self.inner.size())?;
        Ok(states)
    }

    fn merge_batch(
        &mut self,
        values: &[ArrayRef],
        group_indices: &[usize],
        groups: usize,
    ) -> Result<()> {
        self.inner.merge_batch(values, group_indices, groups)?;
        self.taken.gather(self.inner.size())
    }

    fn convert_to_state(
        &self,
        values: &[ArrayRef],
        filter: Option<&BooleanArray>,
    ) -> Result<Vec<ArrayRef>> {
        self.inner.convert_to_state(values, filter)
    }

    /// Nothing: what it holds is counted already, and is no reason to write files.
    fn size(&self) -> usize {
        0
    }
}
