//! What the sides of a join may cost, so that the one is read first that spares the other the most calls. Nothing is known of an estate
//! here: each level of it is thought to be ten times as wide as the one above.

use std::sync::Arc;

use datafusion::physical_plan::aggregates::AggregateExec;
use datafusion::physical_plan::filter::FilterExec;
use datafusion::physical_plan::joins::{CrossJoinExec, HashJoinExec, NestedLoopJoinExec};
use datafusion::physical_plan::limit::{GlobalLimitExec, LocalLimitExec};
use datafusion::physical_plan::{ExecutionPlan, statistics::StatisticsArgs};
use restable_spec::names::fold;
use restable_spec::{Registry, Resource};

use crate::combinations::bound;
use crate::scan::ScanExec;
use crate::walk::Bindings;

/// So many rows of a parent, or of a list, are thought to be there.
const WIDE: f64 = 10.0;
/// So many of them a condition is thought to leave.
const LEFT: f64 = 0.2;

/// What a plan may cost.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Weight {
    /// Calls; infinite if a scan in it cannot be read.
    pub(crate) calls: f64,
    /// Rows.
    pub(crate) rows: f64,
    /// Whether something in it leaves rows away, or is at hand: then it says more than that the other side is wanted.
    pub(crate) selective: bool,
}

/// What a plan may cost.
pub(crate) fn weigh(registry: &Registry, plan: &Arc<dyn ExecutionPlan>) -> Weight {
    if let Some(scan) = plan.downcast_ref::<ScanExec>() {
        let mut weight = of_scan(registry, scan);
        if let Some(fetch) = plan.fetch() {
            weight.rows = weight.rows.min(number(fetch));
            // A list of each level above, and as many as the rows fill.
            let levels = weight.calls.max(1.0).log10() + 1.0;
            weight.calls = weight.calls.min(levels + weight.rows / WIDE);
            weight.selective = true;
        }
        return weight;
    }
    let inputs = plan.children();
    if inputs.is_empty() {
        let known = plan.statistics_from_inputs(&[], &StatisticsArgs::default());
        let rows = known.ok().and_then(|it| it.num_rows.get_value().copied());
        return Weight {
            calls: 0.0,
            rows: rows.map_or(WIDE, number),
            selective: true,
        };
    }
    let weights: Vec<Weight> = inputs.iter().map(|input| weigh(registry, input)).collect();
    let calls = weights.iter().map(|weight| weight.calls).sum();
    let selective = weights.iter().any(|weight| weight.selective);
    let most = weights.iter().map(|it| it.rows).fold(0.0, f64::max);
    let is_join = plan.is::<HashJoinExec>() || plan.is::<NestedLoopJoinExec>();
    let aggregate = plan.downcast_ref::<AggregateExec>();
    let one_row = aggregate.is_some_and(|it| it.group_expr().is_empty());
    let rows = if one_row {
        1.0
    } else if plan.is::<FilterExec>() {
        most * LEFT
    } else if aggregate.is_some() {
        most / 2.0
    } else if plan.is::<CrossJoinExec>() {
        weights.iter().map(|weight| weight.rows).product()
    } else if is_join && selective {
        most / 2.0
    } else {
        most
    };
    let stops = plan.is::<GlobalLimitExec>() || plan.is::<LocalLimitExec>();
    let fetch = plan.fetch().map(number);
    Weight {
        calls,
        rows: fetch.map_or(rows, |fetch| fetch.min(rows)),
        selective: selective || stops || one_row || fetch.is_some() || plan.is::<FilterExec>(),
    }
}

#[expect(clippy::cast_precision_loss, reason = "an estimate")]
fn number(count: usize) -> f64 {
    count as f64
}

fn of_scan(registry: &Registry, exec: &ScanExec) -> Weight {
    let scan = exec.scan();
    let mut bindings = scan.bindings.clone();
    let mut known = 1.0;
    let mut narrowed = false;
    for (keys, names) in exec.waited_for().keys(&scan.resource) {
        narrowed = true;
        for (at, name) in names.into_iter().enumerate() {
            // As many as there are keys, once: they belong together.
            if at == 0 {
                known *= keys.expected.max(1.0);
            }
            bindings.entry(name).or_insert_with(|| vec![Arc::from("")]);
        }
    }
    let (calls, rows) = of_resource(registry, &scan.resource, &bindings, 0);
    let whole = of_resource(registry, &scan.resource, &scan.bindings, 0);
    let conditions = !scan.prunes.is_empty();
    let share = if conditions { LEFT } else { 1.0 };
    Weight {
        calls: (calls * known).min(whole.0) * share,
        rows: (rows * known).min(whole.1) * share,
        selective: narrowed || conditions || !scan.bindings.is_empty() || exec.waits(),
    }
}

/// Calls and rows of a resource, its parents' calls included.
fn of_resource(
    registry: &Registry,
    resource: &Resource,
    bindings: &Bindings,
    depth: usize,
) -> (f64, f64) {
    let Ok(method) = resource.route(&bound(resource, bindings, &Default::default())) else {
        return (f64::INFINITY, WIDE);
    };
    let needed = method.parameters.iter();
    let needed: Vec<String> = needed
        .filter(|parameter| parameter.must_be_given())
        .map(|parameter| fold(&parameter.name))
        .collect();
    let of = |name: &String| {
        bindings
            .get(name)
            .map_or(1.0, |values| number(values.len()))
    };
    let one = method.response.items == restable_spec::Items::One;
    let rows_of_call = if one { 1.0 } else { WIDE };
    let unused = bindings.keys().filter(|name| !needed.contains(name));
    let share = unused.fold(1.0, |share, name| share * (of(name) / WIDE).min(1.0));
    if needed.iter().all(|name| bindings.contains_key(name)) {
        let calls: f64 = needed.iter().map(of).product();
        return (calls, calls * rows_of_call * share);
    }
    let parent = resource.parent.as_ref().filter(|_| depth < 8);
    let above = parent.and_then(|parent| {
        let above = registry.resource(&parent.provider, &parent.service, &parent.resource);
        Some((parent, above.ok()??))
    });
    let Some((parent, above)) = above else {
        return (f64::INFINITY, WIDE);
    };
    let given = parent.parameters.iter().filter_map(|(child, own)| {
        let values = bindings.get(&fold(child))?;
        above.parameter(own)?;
        Some((fold(own), values.clone()))
    });
    let (calls, rows) = of_resource(registry, &above, &given.collect(), depth + 1);
    let from_parent = |name: &String| {
        let mut parameters = parent.parameters.iter();
        parameters.any(|(child, _)| fold(child) == *name)
    };
    let own = needed.iter().filter(|name| !from_parent(name));
    let own: f64 = own.map(of).product();
    (calls + rows * own, rows * own * rows_of_call * share)
}
