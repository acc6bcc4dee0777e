//! The scans of a plan, and what of them is surely read: whether somebody may have enough before their end, whether other parts of the plan narrow them while it
//! runs, and whether the side that is read before them surely has a row, so that a join goes on to the other.

use std::collections::HashMap;
use std::sync::Arc;

use datafusion::common::stats::Precision;
use datafusion::common::{JoinType, NullEquality};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_expr::utils::{collect_columns, split_conjunction};
use datafusion::physical_expr_common::physical_expr::is_volatile;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::aggregates::AggregateExec;
use datafusion::physical_plan::coalesce_partitions::CoalescePartitionsExec;
use datafusion::physical_plan::coop::CooperativeExec;
use datafusion::physical_plan::filter::FilterExec;
use datafusion::physical_plan::joins::{CrossJoinExec, HashJoinExec};
use datafusion::physical_plan::limit::{GlobalLimitExec, LocalLimitExec};
use datafusion::physical_plan::projection::ProjectionExec;
use datafusion::physical_plan::repartition::RepartitionExec;
use datafusion::physical_plan::scalar_subquery::ScalarSubqueryExec;
use datafusion::physical_plan::sorts::sort::SortExec;
use datafusion::physical_plan::sorts::sort_preserving_merge::SortPreservingMergeExec;
use datafusion::physical_plan::statistics::StatisticsArgs;
use datafusion::physical_plan::union::{InterleaveExec, UnionExec};
use datafusion::physical_plan::windows::{BoundedWindowAggExec, WindowAggExec};

use restable_spec::names::same;

use crate::Result;
use crate::forecast::Forecaster;
use crate::narrowing::keys::{Keys, KeysExec};
use crate::narrowing::target::{plain, scopes};
use crate::prompt::{is_limited, kind_of_join, needs_first};
use crate::scan::{Scan, ScanExec};
use crate::table::{columns, is_arm};

type Plan = Arc<dyn ExecutionPlan>;

/// Why a scan may be read in part: somebody has enough.
pub(super) const LIMIT: &str = "LIMIT";
/// Other parts of the plan say which rows are wanted of it.
pub(super) const NARROWED: &str = "what narrows it while it runs";
/// What is joined to nothing is not read.
const OTHER_SIDE: &str = "the other side of a join";

/// A scan of a plan.
pub(super) struct Found {
    pub(super) scan: Scan,
    pub(super) part: String,
    /// Why it may be read in part only.
    pub(super) partly: Option<&'static str>,
    /// Whether other parts of the plan narrow it while it runs.
    pub(super) waits: bool,
}

/// Looks at a plan with what is known of the estate.
pub(super) struct Certain<'a, 'f> {
    forecaster: &'a mut Forecaster<'f>,
    /// What each set of keys is taken from.
    sides: HashMap<*const Keys, Plan>,
}

impl<'a, 'f> Certain<'a, 'f> {
    pub(super) fn new(forecaster: &'a mut Forecaster<'f>, plan: &Plan) -> Certain<'a, 'f> {
        let mut sides = HashMap::new();
        note_sides(plan, &mut sides);
        Certain { forecaster, sides }
    }

    /// The scans of a plan, in its order.
    pub(super) fn find(
        &mut self,
        plan: &Plan,
        partly: Option<&'static str>,
        found: &mut Vec<Found>,
    ) -> Result<()> {
        if let Some(node) = plan.downcast_ref::<ScanExec>() {
            let waits = node.waits() && !self.is_let_through(node)?;
            found.push(Found {
                part: node.part(),
                scan: node.scan().clone(),
                partly: match waits {
                    true => Some(NARROWED),
                    false => partly.or(node.fetch().map(|_| LIMIT)),
                },
                waits,
            });
            return Ok(());
        }
        let children = plan.children();
        for (at, child) in children.iter().copied().enumerate() {
            let mut partly = match partly {
                Some(LIMIT) if !is_limited(plan, at, true) => None,
                None if is_limited(plan, at, false) => Some(LIMIT),
                partly => partly,
            };
            if partly.is_none()
                && at > 0
                && needs_first(plan)
                && !(has_keys(plan) && self.has_rows(children.first().copied())?)
            {
                partly = Some(OTHER_SIDE);
            }
            self.find(child, partly, found)?;
        }
        Ok(())
    }

    /// Whether a scan that waits is surely read as if it did not: nothing narrows it, and there are the rows that it waits for.
    fn is_let_through(&mut self, scan: &ScanExec) -> Result<bool> {
        let Some(gates) = scan.waited_for().gates() else {
            return Ok(false);
        };
        for gate in gates {
            let side = self.sides.get(&Arc::as_ptr(gate)).map(Arc::clone);
            // That there is no row is never sure.
            if gate.forbids() || !self.has_rows(side.as_ref())? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Whether a plan surely has a row, if the estate is as it was.
    fn has_rows(&mut self, plan: Option<&Plan>) -> Result<bool> {
        let Some(plan) = plan else { return Ok(false) };
        if plan.fetch() == Some(0) {
            return Ok(false);
        }
        if let Some(scan) = plan.downcast_ref::<ScanExec>() {
            let is_read = !scan.waits() || self.is_let_through(scan)?;
            return Ok(is_read && self.forecaster.has_rows(scan.scan())?);
        }
        let children = plan.children();
        let (first, second) = (children.first().copied(), children.get(1).copied());
        if first.is_none() {
            let known = plan.statistics_from_inputs(&[], &StatisticsArgs::default());
            return Ok(known
                .is_ok_and(|known| matches!(known.num_rows, Precision::Exact(rows) if rows > 0)));
        }
        if let Some(aggregate) = plan.downcast_ref::<AggregateExec>() {
            let by = aggregate.group_expr();
            return match by.is_empty() && !by.has_grouping_set() {
                true => Ok(true),
                false => self.has_rows(first),
            };
        }
        if let Some(filter) = plan.downcast_ref::<FilterExec>() {
            return match leaves_all(filter) {
                true => self.has_rows(first),
                false => Ok(false),
            };
        }
        if let Some(limit) = plan.downcast_ref::<GlobalLimitExec>() {
            return Ok(limit.skip() == 0 && self.has_rows(first)?);
        }
        if plan.is::<CrossJoinExec>() {
            return Ok(self.has_rows(first)? && self.has_rows(second)?);
        }
        if let Some(kind) = kind_of_join(plan) {
            return match kind {
                JoinType::Left | JoinType::LeftMark => self.has_rows(first),
                JoinType::Right | JoinType::RightMark => self.has_rows(second),
                JoinType::Full => Ok(self.has_rows(first)? || self.has_rows(second)?),
                JoinType::Inner
                | JoinType::LeftSemi
                | JoinType::RightSemi
                | JoinType::LeftAnti
                | JoinType::RightAnti => Ok(false),
            };
        }
        if plan.is::<UnionExec>() || plan.is::<InterleaveExec>() {
            for child in children {
                if self.has_rows(Some(child))? {
                    return Ok(true);
                }
            }
            return Ok(false);
        }
        let passes = plan.is::<ProjectionExec>()
            || plan.is::<KeysExec>()
            || plan.is::<CooperativeExec>()
            || plan.is::<CoalescePartitionsExec>()
            || plan.is::<RepartitionExec>()
            || plan.is::<SortExec>()
            || plan.is::<SortPreservingMergeExec>()
            || plan.is::<WindowAggExec>()
            || plan.is::<BoundedWindowAggExec>()
            || plan.is::<LocalLimitExec>()
            || plan.is::<ScalarSubqueryExec>();
        match passes {
            true => self.has_rows(first),
            false => Ok(false),
        }
    }
}

fn note_sides(plan: &Plan, sides: &mut HashMap<*const Keys, Plan>) {
    if let Some(node) = plan.downcast_ref::<KeysExec>() {
        sides.insert(Arc::as_ptr(node.keys()), Arc::clone(node.input()));
    }
    for child in plan.children() {
        note_sides(child, sides);
    }
}

/// Whether every row of the first side of a join has keys: a row with NULL for one is joined to nothing.
fn has_keys(plan: &Plan) -> bool {
    let Some(join) = plan.downcast_ref::<HashJoinExec>() else {
        return true;
    };
    let keys = join.on().iter();
    join.null_equality() == NullEquality::NullEqualsNull
        || keys
            .map(|(first, _)| first)
            .all(|key| is_name(join.left(), key))
}

/// Whether an expression over the rows of a plan is the id or a name of a row or scope, which is never NULL.
fn is_name(plan: &Plan, expr: &Arc<dyn PhysicalExpr>) -> bool {
    let Some(column) = plain(expr).downcast_ref::<Column>() else {
        return false;
    };
    let at = column.index();
    if let Some(scan) = plan.downcast_ref::<ScanExec>() {
        let Scan {
            resource, asked, ..
        } = scan.scan();
        let asked = asked.get(at).filter(|asked| asked.path.is_none());
        return asked.is_some_and(|asked| match resource.field(&asked.name) {
            None => resource.key.iter().any(|key| same(key, &asked.name)),
            // Every row of Azure Resource Manager has these.
            Some(field) => {
                is_arm(resource) && (same(&field.name, "id") || same(&field.name, "name"))
            }
        });
    }
    let below = |input: &Plan, at: usize| {
        let schema = input.schema();
        let field = schema.fields().get(at);
        field.is_some_and(|field| is_name(input, &(Arc::new(Column::new(field.name(), at)) as _)))
    };
    if let Some(projection) = plan.downcast_ref::<ProjectionExec>() {
        let column = projection.expr().get(at);
        return column.is_some_and(|column| is_name(projection.input(), &column.expr));
    }
    if let Some(filter) = plan.downcast_ref::<FilterExec>() {
        let at = match filter.projection() {
            Some(chosen) => chosen.get(at).copied(),
            None => Some(at),
        };
        return at.is_some_and(|at| below(filter.input(), at));
    }
    if let Some(aggregate) = plan.downcast_ref::<AggregateExec>() {
        let by = aggregate.group_expr();
        let group = by.expr().get(at).filter(|_| !by.has_grouping_set());
        return group.is_some_and(|(group, _)| is_name(aggregate.input(), group));
    }
    let passes = plan.is::<KeysExec>()
        || plan.is::<CooperativeExec>()
        || plan.is::<CoalescePartitionsExec>()
        || plan.is::<RepartitionExec>()
        || plan.is::<SortExec>()
        || plan.is::<SortPreservingMergeExec>();
    let children = plan.children();
    passes && children.first().is_some_and(|input| below(input, at))
}

/// Whether a filter leaves every row of the lists that are read for it: its conditions are on the names of scopes alone, and the scan below it asks them of the scopes.
fn leaves_all(filter: &FilterExec) -> bool {
    let mut input = Arc::clone(filter.input());
    while input.is::<CooperativeExec>() || input.is::<RepartitionExec>() {
        let Some(below) = input.children().first().map(|it| Arc::clone(it)) else {
            return false;
        };
        input = below;
    }
    let Some(scan) = input.downcast_ref::<ScanExec>() else {
        return false;
    };
    if scan.fetch().is_some() || filter.fetch().is_some() {
        return false;
    }
    let known = columns(&scan.scan().resource);
    let decided = |condition: &Arc<dyn PhysicalExpr>| {
        !is_volatile(condition)
            && !collect_columns(condition).is_empty()
            && scopes(&known, condition).is_some()
            && !has_subquery(condition)
    };
    split_conjunction(filter.predicate())
        .into_iter()
        .all(decided)
}

fn has_subquery(condition: &Arc<dyn PhysicalExpr>) -> bool {
    use datafusion::common::tree_node::TreeNode as _;
    use datafusion::physical_expr::scalar_subquery::ScalarSubqueryExpr;
    condition
        .exists(|part| Ok(part.is::<ScalarSubqueryExpr>()))
        .unwrap_or(true)
}
