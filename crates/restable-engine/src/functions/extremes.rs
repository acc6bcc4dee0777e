//! `min(x) OVER (…)` and `max(x) OVER (…)` of what is not ordered as it is written: intervals, and names in several spellings. Beside each value stands what it is
//! ordered by. In a frame that moves the values that may come first once others have left are kept, and no more.

use std::cmp::Ordering;
use std::collections::VecDeque;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef};
use arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, Signature, Volatility,
};

use crate::Error;

/// Of the values of its first argument the one at an end of the order that its second argument gives them.
pub(crate) fn extreme(end: End) -> Arc<AggregateUDF> {
    Arc::new(AggregateUDF::from(Extreme {
        end,
        signature: Signature::any(2, Volatility::Immutable),
    }))
}

/// Which end of the order is sought.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum End {
    /// The least value.
    Least,
    /// The greatest.
    Greatest,
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Extreme {
    end: End,
    signature: Signature,
}

impl AggregateUDFImpl for Extreme {
    fn name(&self) -> &str {
        match self.end {
            End::Least => "min",
            End::Greatest => "max",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, kinds: &[DataType]) -> Result<DataType> {
        Ok(kinds.first().cloned().unwrap_or(DataType::Null))
    }

    fn accumulator(&self, arguments: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        Ok(Box::new(Best::new(self.end, &arguments, Frame::Grows)))
    }

    fn create_sliding_accumulator(
        &self,
        arguments: AccumulatorArgs,
    ) -> Result<Box<dyn Accumulator>> {
        Ok(Box::new(Best::new(self.end, &arguments, Frame::Moves)))
    }

    fn state_fields(&self, arguments: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        let fields = arguments.input_fields.iter().enumerate();
        let field = |(at, field): (usize, &FieldRef)| {
            let name = format!("{}[{at}]", arguments.name);
            Arc::new(Field::new(name, field.data_type().clone(), true))
        };
        Ok(fields.map(field).collect())
    }
}

/// Whether rows leave the frame again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Frame {
    Grows,
    Moves,
}

/// A value and what it is ordered by.
#[derive(Debug)]
struct One {
    /// How many values came before it.
    number: u64,
    order: ScalarValue,
    value: ScalarValue,
}

/// The best of the values in the frame, then each that is the best of those after it.
#[derive(Debug)]
struct Best {
    end: End,
    frame: Frame,
    kept: VecDeque<One>,
    /// Values that came, and that left.
    came: u64,
    left: u64,
    bytes: usize,
    /// The types of the value and of its order.
    kinds: Vec<DataType>,
}

impl Best {
    fn new(end: End, arguments: &AccumulatorArgs, frame: Frame) -> Best {
        let fields = arguments.expr_fields.iter();
        Best {
            end,
            frame,
            kept: VecDeque::new(),
            came: 0,
            left: 0,
            bytes: 0,
            kinds: fields.map(|field| field.data_type().clone()).collect(),
        }
    }

    /// Whether a value stands before one that came before it.
    fn beats(&self, order: &ScalarValue, other: &ScalarValue) -> bool {
        let sought = match self.end {
            End::Least => Ordering::Less,
            End::Greatest => Ordering::Greater,
        };
        order.partial_cmp(other) == Some(sought)
    }

    fn take(&mut self, order: ScalarValue, value: ScalarValue) {
        let number = self.came;
        self.came += 1;
        if self.frame == Frame::Grows
            && let Some(best) = self.kept.back()
            && !self.beats(&order, &best.order)
        {
            return;
        }
        while let Some(last) = self.kept.back() {
            if self.frame == Frame::Moves && !self.beats(&order, &last.order) {
                break;
            }
            self.bytes -= size_of_one(last);
            self.kept.pop_back();
        }
        let one = One {
            number,
            order,
            value,
        };
        self.bytes += size_of_one(&one);
        self.kept.push_back(one);
    }
}

fn size_of_one(one: &One) -> usize {
    one.order.size() + one.value.size() + size_of::<u64>()
}

fn columns(values: &[ArrayRef]) -> Result<(&ArrayRef, &ArrayRef)> {
    match values {
        [value, order] => Ok((value, order)),
        _ => Err(Error::internal("an extreme is of a value and its order").into()),
    }
}

impl Accumulator for Best {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let (value, order) = columns(values)?;
        for row in (0..value.len()).filter(|row| value.is_valid(*row)) {
            let order = ScalarValue::try_from_array(order, row)?;
            let value = ScalarValue::try_from_array(value, row)?;
            self.take(order, value);
        }
        Ok(())
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        self.update_batch(states)
    }

    fn supports_retract_batch(&self) -> bool {
        self.frame == Frame::Moves
    }

    /// Rows leave in the order in which they came.
    fn retract_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let (value, _) = columns(values)?;
        self.left += (value.len() - value.null_count()) as u64;
        while let Some(first) = self.kept.front().filter(|one| one.number < self.left) {
            self.bytes -= size_of_one(first);
            self.kept.pop_front();
        }
        Ok(())
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        match self.kept.front() {
            Some(one) => Ok(vec![one.value.clone(), one.order.clone()]),
            None => self.kinds.iter().map(ScalarValue::try_from).collect(),
        }
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        match (self.kept.front(), self.kinds.first()) {
            (Some(one), _) => Ok(one.value.clone()),
            (None, Some(kind)) => ScalarValue::try_from(kind),
            (None, None) => Ok(ScalarValue::Null),
        }
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.bytes
    }
}
