//! `mode` and `percentile_disc`: each value once, and how often it came. A list of all rows would have to be sorted in one step, during
//! which nobody could end the statement; and of values that repeat it holds each one again and again.

use std::cmp::Ordering;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::{
    Array as _, ArrayRef, AsArray as _, BooleanArray, ListArray, UInt32Array, UInt64Array,
    make_comparator,
};
use arrow::buffer::OffsetBuffer;
use arrow::compute::{SortOptions, and, filter, is_not_null, take};
use arrow::datatypes::{DataType, Field, FieldRef, Schema, UInt64Type};
use datafusion::common::{Result, ScalarValue, plan_err};
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::utils::AggregateOrderSensitivity;
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, EmitTo, GroupsAccumulator, Signature, Volatility,
};
use datafusion::physical_expr::expressions::Literal;
use datafusion::physical_plan::aggregates::group_values::{GroupValues, new_group_values};
use datafusion::physical_plan::aggregates::order::GroupOrdering;
use restable_sql::Diagnostic;

use crate::statement::lock;

/// `mode() WITHIN GROUP (ORDER BY x)`: the value that came most often, and of several the first in that order.
pub(crate) fn most_frequent() -> Arc<AggregateUDF> {
    Counted::shared(Choice::Most)
}

/// `percentile_disc(0.5) WITHIN GROUP (ORDER BY x)`: the first value up to which this share of all goes, in that order.
pub(crate) fn at_share() -> Arc<AggregateUDF> {
    Counted::shared(Choice::Share)
}

/// Which of the values is the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Choice {
    Most,
    Share,
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Counted {
    choice: Choice,
    signature: Signature,
}

impl Counted {
    fn shared(choice: Choice) -> Arc<AggregateUDF> {
        Arc::new(AggregateUDF::from(Counted {
            choice,
            signature: Signature::user_defined(Volatility::Immutable),
        }))
    }

    fn tally(&self, arguments: &AccumulatorArgs, groups: Groups) -> Result<Tally> {
        let order = arguments.order_bys.first();
        let share = match self.choice {
            Choice::Most => None,
            Choice::Share => Some(share(arguments)?),
        };
        let kind = arguments.expr_fields[0].data_type().clone();
        Tally::new(kind, share, order.map(|by| by.options), groups)
    }
}

/// The share that is asked for; NULL asks for nothing.
fn share(arguments: &AccumulatorArgs) -> Result<Option<f64>> {
    let share = arguments.exprs.get(1);
    let share = share.and_then(|share| share.downcast_ref::<Literal>());
    let share = share.map(|share| share.value().cast_to(&DataType::Float64));
    let Some(ScalarValue::Float64(share)) = share.transpose()? else {
        return plan_err!("percentile_disc takes a share that is written out");
    };
    if let Some(share) = share.filter(|share| !(0.0..=1.0).contains(share)) {
        let problem = format!("percentile value {share} is not between 0 and 1");
        return Err(crate::Error::from(Diagnostic::new("R0209", problem)).into());
    }
    Ok(share)
}

impl AggregateUDFImpl for Counted {
    fn name(&self) -> &str {
        match self.choice {
            Choice::Most => "mode",
            Choice::Share => "percentile_disc",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, kinds: &[DataType]) -> Result<Vec<DataType>> {
        let value = |kind: &DataType| match kind {
            DataType::Null => DataType::Utf8,
            kind => kind.clone(),
        };
        match (self.choice, kinds) {
            (Choice::Most, [kind]) => Ok(vec![value(kind)]),
            (Choice::Share, [kind, _]) => Ok(vec![value(kind), DataType::Float64]),
            _ => plan_err!("`{}` takes WITHIN GROUP (ORDER BY …)", self.name()),
        }
    }

    fn return_type(&self, kinds: &[DataType]) -> Result<DataType> {
        Ok(kinds[0].clone())
    }

    fn state_fields(&self, arguments: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        let kind = arguments.input_fields[0].data_type().clone();
        let list = |name: &str, kind| {
            let field = Field::new(name, DataType::new_list(kind, true), true);
            Arc::new(field)
        };
        Ok(vec![list("values", kind), list("counts", DataType::UInt64)])
    }

    fn accumulator(&self, arguments: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        Ok(Box::new(self.tally(&arguments, Groups::One)?))
    }

    fn groups_accumulator_supported(&self, _: AccumulatorArgs) -> bool {
        true
    }

    fn create_groups_accumulator(
        &self,
        arguments: AccumulatorArgs,
    ) -> Result<Box<dyn GroupsAccumulator>> {
        Ok(Box::new(self.tally(&arguments, Groups::Many)?))
    }

    /// Whatever order the rows come in, it is looked at once at the end.
    fn order_sensitivity(&self) -> AggregateOrderSensitivity {
        AggregateOrderSensitivity::Insensitive
    }

    fn supports_within_group_clause(&self) -> bool {
        true
    }
}

/// Whether the values of groups are told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Groups {
    One,
    Many,
}

/// Each value of each group once.
struct Tally {
    /// The values; with their group before them where there are many. Only because it is shared between threads it has a lock.
    values: Mutex<Box<dyn GroupValues>>,
    /// How often each came.
    counts: Vec<u64>,
    kind: DataType,
    /// `Some`: the share that is asked for.
    share: Option<Option<f64>>,
    order: SortOptions,
    /// Groups that there are.
    total: usize,
    /// The numbers of the values of one batch.
    numbers: Vec<usize>,
}

impl fmt::Debug for Tally {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = formatter.debug_struct("Tally");
        shown.field("values", &self.counts.len());
        shown.finish_non_exhaustive()
    }
}

/// What was counted.
struct Sums {
    groups: Option<UInt64Array>,
    values: ArrayRef,
    counts: Vec<u64>,
}

impl Sums {
    fn group(&self, at: usize) -> usize {
        let group = self.groups.as_ref().map(|groups| groups.value(at));
        group.map_or(0, place)
    }
}

fn place(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

fn short(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}

impl Tally {
    fn new(
        kind: DataType,
        share: Option<Option<f64>>,
        order: Option<SortOptions>,
        groups: Groups,
    ) -> Result<Tally> {
        let value = Field::new("value", kind.clone(), true);
        let fields = match groups {
            Groups::One => vec![value],
            Groups::Many => vec![Field::new("group", DataType::UInt64, false), value],
        };
        let schema = Arc::new(Schema::new(fields));
        Ok(Tally {
            values: Mutex::new(new_group_values(schema, &GroupOrdering::None)?),
            counts: Vec::new(),
            kind,
            share,
            order: order.unwrap_or_default(),
            total: 0,
            numbers: Vec::new(),
        })
    }

    /// Counts values; `times` is how often each one came, if not once.
    fn add(
        &mut self,
        groups: Option<&[u64]>,
        values: &ArrayRef,
        times: Option<&UInt64Array>,
        filtered: Option<&BooleanArray>,
    ) -> Result<()> {
        let groups = groups.map(|groups| UInt64Array::from(groups.to_vec()));
        let known = (values.null_count() > 0)
            .then(|| is_not_null(values))
            .transpose()?;
        let wanted = match (known, filtered) {
            (Some(known), Some(filtered)) => Some(and(&known, filtered)?),
            (known, filtered) => known.or(filtered.cloned()),
        };
        let some = |array: ArrayRef| match &wanted {
            Some(wanted) => filter(&array, wanted),
            None => Ok(array),
        };
        let mut columns: Vec<ArrayRef> = Vec::with_capacity(2);
        if let Some(groups) = groups {
            columns.push(some(Arc::new(groups))?);
        }
        columns.push(some(Arc::clone(values))?);
        let times = times.map(|times| some(Arc::new(times.clone())));
        let times = times.transpose()?;
        let interned = self.values.get_mut();
        let interned = interned.unwrap_or_else(PoisonError::into_inner);
        interned.intern(&columns, &mut self.numbers)?;
        self.counts.resize(interned.len(), 0);
        match times
            .as_ref()
            .map(|times| times.as_primitive::<UInt64Type>())
        {
            None => self.numbers.iter().for_each(|at| self.counts[*at] += 1),
            Some(times) => {
                let numbers = self.numbers.iter().zip(times.values());
                numbers.for_each(|(at, times)| self.counts[*at] += times);
            }
        }
        Ok(())
    }

    /// Adds what others counted, each group's in its row.
    fn merge(&mut self, states: &[ArrayRef], groups: Option<&[usize]>) -> Result<()> {
        let (values, counts) = (states[0].as_list::<i32>(), states[1].as_list::<i32>());
        for row in 0..values.len() {
            if values.is_null(row) {
                continue;
            }
            let (values, counts) = (values.value(row), counts.value(row));
            let group = groups.map(|groups| vec![groups[row] as u64; values.len()]);
            let counts = counts.as_primitive::<UInt64Type>();
            self.add(group.as_deref(), &values, Some(counts), None)?;
        }
        Ok(())
    }

    /// What was counted of the first groups; the others stay, and begin at zero then.
    fn sums(&mut self, emit: EmitTo) -> Result<(Sums, usize)> {
        let interned = self.values.get_mut();
        let interned = interned.unwrap_or_else(PoisonError::into_inner);
        let mut columns = interned.emit(EmitTo::All)?;
        let counts = std::mem::take(&mut self.counts);
        let Some(values) = columns.pop() else {
            return plan_err!("no values were counted");
        };
        let groups = columns.pop();
        let groups = groups.map(|groups| groups.as_primitive::<UInt64Type>().clone());
        let all = Sums {
            groups,
            values,
            counts,
        };
        let (first, Some(groups)) = (emit, &all.groups) else {
            return Ok((all, 1));
        };
        let EmitTo::First(first) = first else {
            return Ok((all, std::mem::take(&mut self.total)));
        };
        let split = |stays: bool| -> (UInt32Array, Vec<u64>, Vec<u64>) {
            let mut taken = (Vec::new(), Vec::new(), Vec::new());
            for at in 0..groups.len() {
                let group = place(groups.value(at));
                if (group >= first) == stays {
                    taken.0.push(short(at));
                    taken
                        .1
                        .push((if stays { group - first } else { group }) as u64);
                    taken.2.push(all.counts[at]);
                }
            }
            (UInt32Array::from(taken.0), taken.1, taken.2)
        };
        let (places, groups, counts) = split(true);
        let values = take(&all.values, &places, None)?;
        self.add(
            Some(&groups),
            &values,
            Some(&UInt64Array::from(counts)),
            None,
        )?;
        self.total = self.total.saturating_sub(first);
        let (places, groups, counts) = split(false);
        let sums = Sums {
            groups: Some(UInt64Array::from(groups)),
            values: take(&all.values, &places, None)?,
            counts,
        };
        Ok((sums, first))
    }

    /// The answer of each group.
    fn chosen(&self, sums: &Sums, groups: usize) -> Result<ArrayRef> {
        let compare = make_comparator(&sums.values, &sums.values, self.order)?;
        let best = match self.share {
            None => most(sums, groups, &compare),
            Some(None) => vec![None; groups],
            Some(Some(share)) => at(sums, groups, share, &compare),
        };
        Ok(take(&sums.values, &UInt32Array::from(best), None)?)
    }

    /// What was counted, as others add it.
    fn told(&self, sums: &Sums, groups: usize) -> Result<Vec<ArrayRef>> {
        let mut order: Vec<u32> = (0..sums.counts.len()).map(short).collect();
        order.sort_by_key(|at| sums.group(*at as usize));
        let mut lengths = vec![0; groups];
        (0..sums.counts.len()).for_each(|at| lengths[sums.group(at)] += 1);
        let offsets = OffsetBuffer::from_lengths(lengths);
        let counts = order.iter().map(|at| sums.counts[*at as usize]);
        let counts: ArrayRef = Arc::new(UInt64Array::from_iter_values(counts));
        let values = take(&sums.values, &UInt32Array::from(order), None)?;
        self.listed(&offsets, values, counts)
    }

    /// Values and how often they came, as lists of groups.
    fn listed(
        &self,
        offsets: &OffsetBuffer<i32>,
        values: ArrayRef,
        counts: ArrayRef,
    ) -> Result<Vec<ArrayRef>> {
        let list = |kind, items| -> Result<ArrayRef> {
            let item = Arc::new(Field::new_list_field(kind, true));
            let list = ListArray::try_new(item, offsets.clone(), items, None)?;
            Ok(Arc::new(list))
        };
        Ok(vec![
            list(self.kind.clone(), values)?,
            list(DataType::UInt64, counts)?,
        ])
    }

    /// Bytes of the values, and of what the answer takes when it is found.
    fn bytes(&self) -> usize {
        let each = match self.share {
            None => 0,
            Some(_) => size_of::<u32>(),
        };
        let values = lock(&self.values).size();
        size_of_val(self) + values + self.counts.capacity() * (size_of::<u64>() + each)
    }
}

type Compare<'a> = &'a (dyn Fn(usize, usize) -> Ordering + Send + Sync);

/// The value of each group that came most often.
fn most(sums: &Sums, groups: usize, compare: Compare<'_>) -> Vec<Option<u32>> {
    let mut best: Vec<Option<u32>> = vec![None; groups];
    for (at, count) in sums.counts.iter().enumerate() {
        let best = &mut best[sums.group(at)];
        let better = best.is_none_or(|best| {
            let best = best as usize;
            let order = count.cmp(&sums.counts[best]).reverse();
            order.then_with(|| compare(at, best)) == Ordering::Less
        });
        if better {
            *best = Some(short(at));
        }
    }
    best
}

/// The value of each group up to which this share of its rows goes.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "a number of rows"
)]
fn at(sums: &Sums, groups: usize, share: f64, compare: Compare<'_>) -> Vec<Option<u32>> {
    let mut left = vec![0; groups];
    for (at, count) in sums.counts.iter().enumerate() {
        left[sums.group(at)] += count;
    }
    // So many rows go up to the answer.
    let wanted = left.iter_mut();
    wanted.for_each(|rows| *rows = ((share * *rows as f64).ceil() as u64).max(1));
    let mut order: Vec<u32> = (0..sums.counts.len()).map(short).collect();
    order.sort_unstable_by(|one, other| {
        let (one, other) = (*one as usize, *other as usize);
        let groups = sums.group(one).cmp(&sums.group(other));
        groups.then_with(|| compare(one, other))
    });
    let mut found = vec![None; groups];
    for at in order {
        let group = sums.group(at as usize);
        let count = sums.counts[at as usize];
        if found[group].is_none() && count >= left[group] {
            found[group] = Some(at);
        }
        left[group] = left[group].saturating_sub(count);
    }
    found
}

impl Accumulator for Tally {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.add(None, &values[0], None, None)
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        self.merge(states, None)
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let (sums, groups) = self.sums(EmitTo::All)?;
        let lists = self.told(&sums, groups)?.into_iter();
        let lists = lists.map(|list| ScalarValue::try_from_array(&list, 0));
        lists.collect()
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let (sums, groups) = self.sums(EmitTo::All)?;
        ScalarValue::try_from_array(&self.chosen(&sums, groups)?, 0)
    }

    fn size(&self) -> usize {
        self.bytes()
    }
}

impl GroupsAccumulator for Tally {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        groups: &[usize],
        filtered: Option<&BooleanArray>,
        total: usize,
    ) -> Result<()> {
        self.total = total;
        let groups: Vec<u64> = groups.iter().map(|group| *group as u64).collect();
        self.add(Some(&groups), &values[0], None, filtered)
    }

    fn evaluate(&mut self, emit: EmitTo) -> Result<ArrayRef> {
        let (sums, groups) = self.sums(emit)?;
        self.chosen(&sums, groups)
    }

    fn state(&mut self, emit: EmitTo) -> Result<Vec<ArrayRef>> {
        let (sums, groups) = self.sums(emit)?;
        self.told(&sums, groups)
    }

    fn merge_batch(&mut self, states: &[ArrayRef], groups: &[usize], total: usize) -> Result<()> {
        self.total = total;
        self.merge(states, Some(groups))
    }

    /// Each row by itself.
    fn convert_to_state(
        &self,
        values: &[ArrayRef],
        filtered: Option<&BooleanArray>,
    ) -> Result<Vec<ArrayRef>> {
        let values = &values[0];
        let known = is_not_null(values)?;
        let wanted = match filtered {
            Some(filtered) => and(&known, filtered)?,
            None => known,
        };
        let lengths =
            (0..values.len()).map(|at| usize::from(wanted.is_valid(at) && wanted.value(at)));
        let offsets = OffsetBuffer::from_lengths(lengths);
        let values = filter(values, &wanted)?;
        let counts = Arc::new(UInt64Array::from(vec![1; values.len()]));
        self.listed(&offsets, values, counts)
    }

    fn size(&self) -> usize {
        self.bytes()
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use arrow::array::{Int64Array, StringArray};
    use arrow::datatypes::Int64Type;

    use super::*;

    fn tally(share: Option<f64>, descending: bool, groups: Groups) -> Tally {
        let order = SortOptions {
            descending,
            nulls_first: false,
        };
        Tally::new(DataType::Int64, share.map(Some), Some(order), groups).unwrap()
    }

    fn numbers(values: &[i64]) -> [ArrayRef; 1] {
        [Arc::new(Int64Array::from(values.to_vec()))]
    }

    fn answers(found: &ArrayRef) -> Vec<Option<i64>> {
        found.as_primitive::<Int64Type>().iter().collect()
    }

    #[test]
    fn of_values_that_came_as_often_the_first_in_order_is_taken() {
        for (descending, expected) in [(false, 2), (true, 9)] {
            let mut tally = tally(None, descending, Groups::One);
            let values: ArrayRef = Arc::new(Int64Array::from(vec![None, None, None, Some(9)]));
            Accumulator::update_batch(&mut tally, &[values]).unwrap();
            Accumulator::update_batch(&mut tally, &numbers(&[2, 5, 9, 2])).unwrap();
            let found = Accumulator::evaluate(&mut tally).unwrap();
            assert_eq!(found, ScalarValue::Int64(Some(expected)));
        }
        let mut none = tally(None, false, Groups::One);
        let found = Accumulator::evaluate(&mut none).unwrap();
        assert_eq!(found, ScalarValue::Int64(None));
    }

    #[test]
    fn what_was_counted_in_parts_is_counted_together() {
        let mut parts = Vec::new();
        for values in [[1, 1, 2, 3], [2, 2, 3, 3], [7, 7, 7, 7]] {
            let mut part = tally(None, false, Groups::One);
            Accumulator::update_batch(&mut part, &numbers(&values)).unwrap();
            parts.push(Accumulator::state(&mut part).unwrap());
        }
        let mut whole = tally(None, false, Groups::One);
        for part in &parts[..2] {
            let state: Vec<_> = part.iter().map(|one| one.to_array().unwrap()).collect();
            Accumulator::merge_batch(&mut whole, &state).unwrap();
        }
        let found = Accumulator::evaluate(&mut whole).unwrap();
        assert_eq!(found, ScalarValue::Int64(Some(2)));
    }

    #[test]
    fn groups_have_answers_of_their_own_and_may_leave_one_by_one() {
        let mut tally = tally(None, false, Groups::Many);
        let values = numbers(&[1, 1, 2, 5, 6, 6, 8]);
        let groups = [0, 0, 0, 1, 1, 1, 3];
        GroupsAccumulator::update_batch(&mut tally, &values, &groups, None, 4).unwrap();
        let first = GroupsAccumulator::evaluate(&mut tally, EmitTo::First(1)).unwrap();
        assert_eq!(answers(&first), [Some(1)]);
        let kept = BooleanArray::from(vec![true, true, false, false]);
        let values = numbers(&[5, 5, 8, 9]);
        let groups = [0, 0, 1, 1];
        GroupsAccumulator::update_batch(&mut tally, &values, &groups, Some(&kept), 3).unwrap();
        let state = GroupsAccumulator::state(&mut tally, EmitTo::All).unwrap();
        let mut other = super::tests::tally(None, false, Groups::Many);
        GroupsAccumulator::merge_batch(&mut other, &state, &[2, 1, 0], 3).unwrap();
        let rest = GroupsAccumulator::evaluate(&mut other, EmitTo::All).unwrap();
        assert_eq!(answers(&rest), [Some(8), None, Some(5)]);
    }

    #[test]
    fn shares_are_those_of_rows_and_not_of_values() {
        let at = |share, descending| {
            let mut tally = tally(Some(share), descending, Groups::One);
            let values = numbers(&[9, 1, 2, 2, 2, 3]);
            Accumulator::update_batch(&mut tally, &values).unwrap();
            Accumulator::evaluate(&mut tally).unwrap().to_string()
        };
        assert_eq!(
            [
                at(0.0, false),
                at(0.5, false),
                at(0.7, false),
                at(1.0, false)
            ],
            ["1", "2", "3", "9"]
        );
        assert_eq!(
            [at(0.0, true), at(0.2, true), at(0.4, true)],
            ["9", "3", "2"]
        );
        let mut nothing = Tally::new(DataType::Utf8, Some(None), None, Groups::One).unwrap();
        let words: ArrayRef = Arc::new(StringArray::from(vec!["a"]));
        Accumulator::update_batch(&mut nothing, &[words]).unwrap();
        let found = Accumulator::evaluate(&mut nothing).unwrap();
        assert_eq!(found, ScalarValue::Utf8(None));
    }

    #[test]
    fn memory_grows_with_values_and_not_with_rows() {
        let mut tally = tally(None, false, Groups::One);
        let fill = |tally: &mut Tally, values: Vec<i64>| {
            Accumulator::update_batch(tally, &numbers(&values)).unwrap();
            Accumulator::size(tally)
        };
        let few = fill(&mut tally, vec![1; 100_000]);
        assert!(few < 10_000, "{few}");
        let many = fill(&mut tally, (0..100_000).collect());
        assert!(many > 1_600_000, "{many}");
    }
}
