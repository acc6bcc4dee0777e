//! How what is sought of the rows of a plan is sought of the scans below: through projections, filters, joins, groups and unions, as far as
//! rows that are not sought make no difference to those that are. What lies below a limit is never narrowed.

use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{JoinSide, JoinType, Result as PlanResult};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_expr::window::WindowExpr;
use datafusion::physical_expr_common::physical_expr::is_volatile;
use datafusion::physical_plan::aggregates::AggregateExec;
use datafusion::physical_plan::coalesce_partitions::CoalescePartitionsExec;
use datafusion::physical_plan::coop::CooperativeExec;
use datafusion::physical_plan::execution_plan::ChildrenPropertiesMode;
use datafusion::physical_plan::filter::FilterExec;
use datafusion::physical_plan::joins::utils::{ColumnIndex, build_join_schema};
use datafusion::physical_plan::joins::{CrossJoinExec, HashJoinExec, NestedLoopJoinExec};
use datafusion::physical_plan::projection::ProjectionExec;
use datafusion::physical_plan::repartition::RepartitionExec;
use datafusion::physical_plan::scalar_subquery::ScalarSubqueryExec;
use datafusion::physical_plan::sorts::sort::SortExec;
use datafusion::physical_plan::sorts::sort_preserving_merge::SortPreservingMergeExec;
use datafusion::physical_plan::union::{InterleaveExec, UnionExec};
use datafusion::physical_plan::unnest::UnnestExec;
use datafusion::physical_plan::windows::{BoundedWindowAggExec, WindowAggExec};
use datafusion::physical_plan::{ExecutionPlan, ReplaceChildrenOptions};

use super::keys::{Keys, KeysExec};
use crate::scan::ScanExec;

/// What is sought of the rows of a plan.
#[derive(Debug, Clone)]
pub(crate) struct Sought {
    pub(crate) by: By,
    /// Expressions over the rows: the value of the key that each is, or the condition.
    pub(crate) parts: Vec<(usize, Arc<dyn PhysicalExpr>)>,
}

/// By what.
#[derive(Debug, Clone)]
pub(crate) enum By {
    /// Each part is one value of the same key. A row with NULL in one is not sought.
    Keys(Arc<Keys>),
    /// The only part is true.
    Condition,
}

type Plan = Arc<dyn ExecutionPlan>;
type Expr = Arc<dyn PhysicalExpr>;

/// The plan with what is sought in the scans below that it reaches; `None` if it reaches none.
pub(crate) fn descend(plan: &Plan, sought: &Sought) -> PlanResult<Option<Plan>> {
    if sought.parts.is_empty() || plan.fetch().is_some() {
        return Ok(None);
    }
    if let Some(scan) = plan.downcast_ref::<ScanExec>() {
        return Ok(scan.narrowed(sought).map(|scan| Arc::new(scan) as Plan));
    }
    if let Some(projection) = plan.downcast_ref::<ProjectionExec>() {
        let columns = projection.expr().iter();
        let columns: Vec<Option<Expr>> = columns
            .map(|column| (!is_volatile(&column.expr)).then(|| Arc::clone(&column.expr)))
            .collect();
        return one(plan, &sought.through(&columns)?);
    }
    if let Some(filter) = plan.downcast_ref::<FilterExec>() {
        let all = same(filter.input());
        let columns = match filter.projection() {
            Some(chosen) => chosen.iter().map(|at| all[*at].clone()).collect(),
            None => all,
        };
        return one(plan, &sought.through(&columns)?);
    }
    if let Some(aggregate) = plan.downcast_ref::<AggregateExec>() {
        let by = aggregate.group_expr();
        if by.has_grouping_set() || aggregate.limit_options().is_some() {
            return Ok(None);
        }
        let groups = by.expr().iter().map(|(expr, _)| Some(Arc::clone(expr)));
        let mut columns: Vec<Option<Expr>> = groups.collect();
        columns.resize(plan.schema().fields().len(), None);
        return one(plan, &sought.through(&columns)?);
    }
    if let Some(window) = plan.downcast_ref::<WindowAggExec>() {
        return through_window(plan, window.window_expr(), sought);
    }
    if let Some(window) = plan.downcast_ref::<BoundedWindowAggExec>() {
        return through_window(plan, window.window_expr(), sought);
    }
    if let Some(unnest) = plan.downcast_ref::<UnnestExec>() {
        return one(plan, &sought.through(&kept_by(unnest))?);
    }
    if let Some(join) = plan.downcast_ref::<HashJoinExec>() {
        let (left, right, kind) = (join.left(), join.right(), *join.join_type());
        return through_join(plan, left, right, kind, join.projection.as_deref(), sought);
    }
    if let Some(join) = plan.downcast_ref::<NestedLoopJoinExec>() {
        let (left, right, kind) = (join.left(), join.right(), *join.join_type());
        return through_join(
            plan,
            left,
            right,
            kind,
            join.projection().as_deref(),
            sought,
        );
    }
    if let Some(join) = plan.downcast_ref::<CrossJoinExec>() {
        let (left, right) = (join.left(), join.right());
        return through_join(plan, left, right, JoinType::Inner, None, sought);
    }
    if plan.is::<UnionExec>() || plan.is::<InterleaveExec>() {
        let inputs: Vec<Plan> = plan.children().into_iter().map(Arc::clone).collect();
        return several(plan, inputs, |_, input| {
            let columns = same(input);
            Ok(Some(sought.through(&columns)?))
        });
    }
    let passes = plan.is::<KeysExec>()
        || plan.is::<CooperativeExec>()
        || plan.is::<CoalescePartitionsExec>()
        || plan.is::<RepartitionExec>()
        || plan.is::<SortExec>()
        || plan.is::<SortPreservingMergeExec>();
    if passes {
        return one(plan, sought);
    }
    // The other inputs are the subqueries, whose rows are not these.
    if plan.is::<ScalarSubqueryExec>() {
        let inputs: Vec<Plan> = plan.children().into_iter().map(Arc::clone).collect();
        return several(plan, inputs, |at, _| Ok((at == 0).then(|| sought.clone())));
    }
    Ok(None)
}

/// A plan of one input, with the same sought of that.
fn one(plan: &Plan, sought: &Sought) -> PlanResult<Option<Plan>> {
    let inputs: Vec<Plan> = plan.children().into_iter().map(Arc::clone).collect();
    several(plan, inputs, |_, _| Ok(Some(sought.clone())))
}

fn several(
    plan: &Plan,
    mut inputs: Vec<Plan>,
    sought: impl Fn(usize, &Plan) -> PlanResult<Option<Sought>>,
) -> PlanResult<Option<Plan>> {
    let mut reached = false;
    for (at, input) in inputs.iter_mut().enumerate() {
        if let Some(sought) = sought(at, input)?
            && let Some(narrowed) = descend(input, &sought)?
        {
            *input = narrowed;
            reached = true;
        }
    }
    match reached {
        true => with_inputs(plan, inputs).map(Some),
        false => Ok(None),
    }
}

/// The same plan of other inputs.
pub(crate) fn with_inputs(plan: &Plan, inputs: Vec<Plan>) -> PlanResult<Plan> {
    let options = ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute);
    Arc::clone(plan).replace_children(inputs, options)
}

/// The columns of a plan as its own.
fn same(input: &Plan) -> Vec<Option<Expr>> {
    let schema = input.schema();
    let columns = schema.fields().iter().enumerate();
    columns
        .map(|(at, field)| Some(Arc::new(Column::new(field.name(), at)) as Expr))
        .collect()
}

impl Sought {
    /// The same of the input of a plan, whose columns are computed like this; what cannot be said of it is left out.
    fn through(&self, columns: &[Option<Expr>]) -> PlanResult<Sought> {
        let mut parts = Vec::with_capacity(self.parts.len());
        for (at, part) in &self.parts {
            if let Some(part) = replaced(part, columns)? {
                parts.push((*at, part));
            }
        }
        let by = self.by.clone();
        Ok(Sought { by, parts })
    }
}

/// An expression over other columns.
pub(crate) fn replaced(expr: &Expr, columns: &[Option<Expr>]) -> PlanResult<Option<Expr>> {
    let mut known = true;
    let replaced = Arc::clone(expr).transform_down(|part| {
        let Some(column) = part.downcast_ref::<Column>() else {
            return Ok(Transformed::no(part));
        };
        Ok(match columns.get(column.index()) {
            // What it is replaced by is over other columns already.
            Some(Some(value)) => Transformed::new(Arc::clone(value), true, TreeNodeRecursion::Jump),
            _ => {
                known = false;
                Transformed::new(part, false, TreeNodeRecursion::Stop)
            }
        })
    })?;
    Ok(known.then_some(replaced.data))
}

/// A window sees the rows of its partition: what is sought by what it divides them by takes whole partitions away.
fn through_window(
    plan: &Plan,
    windows: &[Arc<dyn WindowExpr>],
    sought: &Sought,
) -> PlanResult<Option<Plan>> {
    let Some(input) = plan.children().first().copied() else {
        return Ok(None);
    };
    let mut columns = same(input);
    for (at, column) in columns.iter_mut().enumerate() {
        let divides = |window: &Arc<dyn WindowExpr>| {
            let mut by = window.partition_by().iter();
            by.any(|by| {
                let by = super::target::plain(by).downcast_ref::<Column>();
                by.is_some_and(|by| by.index() == at)
            })
        };
        if !windows.iter().all(divides) {
            *column = None;
        }
    }
    columns.resize(plan.schema().fields().len(), None);
    one(plan, &sought.through(&columns)?)
}

/// The columns that an unnesting hands on as they are. It finds them by their names, too.
fn kept_by(unnest: &UnnestExec) -> Vec<Option<Expr>> {
    let input = unnest.input().schema();
    let lists = unnest.list_column_indices().iter();
    let mut changed: Vec<usize> = lists.map(|list| list.index_in_input_schema).collect();
    changed.extend(unnest.struct_column_indices());
    let output = unnest.schema();
    let columns = output.fields().iter().map(|field| {
        let named = |it: &&Arc<arrow::datatypes::Field>| it.name() == field.name();
        let once = output.fields().iter().filter(named).count() == 1
            && input.fields().iter().filter(named).count() == 1;
        let at = input.index_of(field.name()).ok()?;
        let kept = once && !changed.contains(&at);
        kept.then(|| Arc::new(Column::new(field.name(), at)) as Expr)
    });
    columns.collect()
}

/// Which sides of a join may lose rows that are not sought.
fn may_narrow(kind: JoinType, by: &By) -> (bool, bool) {
    // A side that a join pads with NULL: rows that are missing there leave padded rows behind. No key has NULL in it, so that they are not sought.
    let padded = matches!(by, By::Keys(_));
    match kind {
        JoinType::Inner | JoinType::LeftSemi | JoinType::RightSemi => (true, true),
        JoinType::Left => (true, padded),
        JoinType::Right => (padded, true),
        JoinType::Full => (padded, padded),
        JoinType::LeftAnti | JoinType::LeftMark => (true, false),
        JoinType::RightAnti | JoinType::RightMark => (false, true),
    }
}

fn through_join(
    plan: &Plan,
    left: &Plan,
    right: &Plan,
    kind: JoinType,
    projection: Option<&[usize]>,
    sought: &Sought,
) -> PlanResult<Option<Plan>> {
    let (_, indices) = build_join_schema(&left.schema(), &right.schema(), &kind);
    let indices: Vec<&ColumnIndex> = match projection {
        Some(chosen) => chosen.iter().map(|at| &indices[*at]).collect(),
        None => indices.iter().collect(),
    };
    let of_side = |side: JoinSide, input: &Plan| -> Vec<Option<Expr>> {
        let schema = input.schema();
        let columns = indices.iter().map(|index| {
            let column = || Column::new(schema.field(index.index).name(), index.index);
            (index.side == side).then(|| Arc::new(column()) as Expr)
        });
        columns.collect()
    };
    let (to_left, to_right) = may_narrow(kind, &sought.by);
    let inputs = vec![Arc::clone(left), Arc::clone(right)];
    several(plan, inputs, |at, input| {
        let (side, allowed) = match at {
            0 => (JoinSide::Left, to_left),
            _ => (JoinSide::Right, to_right),
        };
        match allowed {
            true => sought.through(&of_side(side, input)).map(Some),
            false => Ok(None),
        }
    })
}
