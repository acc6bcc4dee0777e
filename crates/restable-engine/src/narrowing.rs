//! Narrowing by other tables: where a join, a subquery or a value that a subquery computes says which scopes are wanted, the scans of those scopes wait for it, and
//! ask for no others. The rule decides which side of a join is read first, puts a node there that remembers its keys (`keys`), and hands what is sought down to the
//! scans of the other side (`descend`). A row that a join keeps although nothing matches it is never narrowed away, and a narrowed scan is filtered above as any other.
//!
//! DataFusion's own dynamic filters do less: they look for columns by their names, which are not unique above a join, leave the side that is read first to the order
//! in which the statement names the tables, and become opaque for many keys.

pub(crate) mod descend;
mod existence;
pub(crate) mod keys;
mod padded;
pub(crate) mod target;
pub(crate) mod waits;
mod weigh;

use std::sync::Arc;

use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::common::{JoinType, NullEquality, Result as PlanResult};
use datafusion::optimizer::OptimizerRule;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::scalar_subquery::ScalarSubqueryExpr;
use datafusion::physical_expr::utils::split_conjunction;
use datafusion::physical_expr_common::physical_expr::is_volatile;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::filter::FilterExec;
use datafusion::physical_plan::joins::{CrossJoinExec, HashJoinExec, NestedLoopJoinExec};
use datafusion::physical_plan::projection::ProjectionExec;
use datafusion::physical_plan::recursive_query::RecursiveQueryExec;
use restable_spec::Registry;

use self::descend::{By, Sought, descend, replaced, with_inputs};
use self::keys::{Keys, KeysExec};
use self::target::{is_text, plain};
use self::weigh::{Weight, weigh};
use crate::scan::ScanExec;
use crate::{Error, Result};

type Plan = Arc<dyn ExecutionPlan>;
type Expr = Arc<dyn PhysicalExpr>;

/// The rule that narrows scans by what the rest of the plan finds. It comes after the choice of joins and before whatever depends on how their sides are divided.
#[derive(Debug)]
pub(crate) struct Narrowing {
    registry: Arc<Registry>,
}

impl Narrowing {
    pub(crate) fn new(registry: Arc<Registry>) -> Narrowing {
        Narrowing { registry }
    }
}

impl PhysicalOptimizerRule for Narrowing {
    fn optimize(&self, plan: Plan, config: &ConfigOptions) -> PlanResult<Plan> {
        // The setting of DataFusion's for the same.
        let wanted = config.optimizer.enable_join_dynamic_filter_pushdown;
        let is_scan = |node: &Plan| Ok(node.is::<ScanExec>());
        match wanted && plan.exists(is_scan)? {
            true => self.narrow(plan),
            false => Ok(plan),
        }
    }

    fn name(&self) -> &str {
        "narrowing"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

/// The rules with those of narrowing among them: fewer outer joins, and no more than a row where that is all that is asked for.
pub(crate) fn with_logical(
    mut rules: Vec<Arc<dyn OptimizerRule + Send + Sync>>,
) -> Vec<Arc<dyn OptimizerRule + Send + Sync>> {
    let mut before = |name: &str, rule: Arc<dyn OptimizerRule + Send + Sync>| {
        let at = rules.iter().position(|rule| rule.name() == name);
        rules.insert(at.unwrap_or(0), rule);
    };
    before("eliminate_outer_join", Arc::new(existence::OneRow));
    before("eliminate_outer_join", Arc::new(padded::PaddedRows));
    rules
}

/// Refuses a plan with a scan that no call can answer, before anything is sent.
pub(crate) fn check(plan: &Plan) -> Result<()> {
    let mut problem = None;
    plan.apply(|node| {
        problem = node
            .downcast_ref::<ScanExec>()
            .and_then(|scan| scan.check().err());
        Ok(match problem {
            Some(_) => TreeNodeRecursion::Stop,
            None => TreeNodeRecursion::Continue,
        })
    })?;
    problem.map_or(Ok(()), Err)
}

/// One way to narrow one side of a join by the other.
struct Way {
    keys: Arc<Keys>,
    /// What the keys are made of, over the rows of the side that is read first.
    values: Vec<Expr>,
    /// The other side, narrowed.
    narrowed: Plan,
    calls: f64,
    /// Those of the side that is read first.
    first: f64,
}

/// The sides of a join that are joined by equal values: of the side that is read first, and of the other.
type Pairs = Vec<(Expr, Expr)>;

impl Narrowing {
    /// The plan with its joins narrowed, from the top down: what is read first below is often narrowed by what is above.
    fn narrow(&self, plan: Plan) -> PlanResult<Plan> {
        // Its rows are computed again and again; keys are remembered once.
        if plan.is::<RecursiveQueryExec>() {
            return Ok(plan);
        }
        if let Some(join) = plan.downcast_ref::<HashJoinExec>() {
            return self.hash_join(&plan, join);
        }
        if let Some(join) = plan.downcast_ref::<NestedLoopJoinExec>() {
            return self.other_join(&plan, *join.join_type());
        }
        if plan.is::<CrossJoinExec>() {
            return self.other_join(&plan, JoinType::Inner);
        }
        let plan = match plan.downcast_ref::<FilterExec>() {
            Some(filter) => by_subqueries(&plan, filter)?,
            None => plan,
        };
        let inputs = plan.children().into_iter().map(Arc::clone);
        let inputs = inputs.map(|input| self.narrow(input));
        let inputs = inputs.collect::<PlanResult<Vec<Plan>>>()?;
        match inputs.is_empty() {
            true => Ok(plan),
            false => with_inputs(&plan, inputs),
        }
    }

    fn hash_join(&self, plan: &Plan, join: &HashJoinExec) -> PlanResult<Plan> {
        let (left, right) = (join.left(), join.right());
        let (to_left, to_right) = match join.null_aware {
            false => may_lose(*join.join_type()),
            // Where one NULL changes the whole answer no row may be missing.
            true => (false, false),
        };
        let nulls = join.null_equality();
        let on: Pairs = join.on().to_vec();
        let off: Pairs = on
            .iter()
            .map(|(left, right)| (Arc::clone(right), Arc::clone(left)))
            .collect();
        let forth = match to_right {
            true => self.way(left, right, on, nulls)?,
            false => None,
        };
        let back = match to_left {
            true => self.way(right, left, off, nulls)?,
            false => None,
        };
        // Where nothing is known to be better, what costs less is read first.
        let less = |one: &Way, other: &Way| (one.calls, one.first) < (other.calls, other.first);
        let back = back.filter(|back| forth.as_ref().is_none_or(|forth| less(back, forth)));
        if let Some(way) = back {
            let swapped = join.swap_inputs(*join.partition_mode())?;
            return self.joined(&swapped, right, way);
        }
        match forth {
            Some(way) => self.joined(plan, left, way),
            None => {
                let inputs = vec![
                    self.narrow(Arc::clone(left))?,
                    self.narrow(Arc::clone(right))?,
                ];
                with_inputs(plan, inputs)
            }
        }
    }

    /// A join whose first side is read first, and remembered for the second.
    fn joined(&self, join: &Plan, first: &Plan, way: Way) -> PlanResult<Plan> {
        let first = remembering(self.narrow(Arc::clone(first))?, way.values, way.keys)?;
        let inputs = vec![first, self.narrow(way.narrowed)?];
        // A join that was swapped has its columns put back into order above it.
        match join.downcast_ref::<ProjectionExec>() {
            Some(order) => with_inputs(join, vec![with_inputs(order.input(), inputs)?]),
            None => with_inputs(join, inputs),
        }
    }

    /// A join without keys: where its first side has no row, there is nothing to ask the second for.
    fn other_join(&self, plan: &Plan, kind: JoinType) -> PlanResult<Plan> {
        let inputs: Vec<Plan> = plan.children().into_iter().map(Arc::clone).collect();
        let [left, right] = inputs.as_slice() else {
            return Ok(Arc::clone(plan));
        };
        let (to_left, to_right) = may_lose(kind);
        let nulls = NullEquality::NullEqualsNothing;
        let forth = match to_right {
            true => self.way(left, right, Pairs::new(), nulls)?,
            false => None,
        };
        let back = if to_left {
            self.way(right, left, Pairs::new(), nulls)?
        } else if kind == JoinType::LeftAnti && is_unconditional(plan) {
            self.unless(right, left)?
        } else {
            None
        };
        // A row that is all that is asked for is read first: of the other side no more is read then than somebody takes.
        let at_once = weigh(&self.registry, right).rows <= 1.0 && !joins_rows(kind);
        let less =
            |one: &Way, other: &Way| one.first < other.first || at_once && one.first <= other.first;
        let back = back.filter(|back| forth.as_ref().is_none_or(|forth| less(back, forth)));
        if let Some(way) = back {
            return self.joined(&swapped(plan)?, right, way);
        }
        if let Some(way) = forth {
            return self.joined(plan, left, way);
        }
        if at_once {
            let inputs = vec![
                self.narrow(Arc::clone(right))?,
                self.narrow(Arc::clone(left))?,
            ];
            return with_inputs(&swapped(plan)?, inputs);
        }
        let inputs = inputs.into_iter().map(|input| self.narrow(input));
        with_inputs(plan, inputs.collect::<PlanResult<Vec<Plan>>>()?)
    }

    /// How `second` is read only where `first` has no row.
    fn unless(&self, first: &Plan, second: &Plan) -> PlanResult<Option<Way>> {
        let Weight { calls, rows, .. } = weigh(&self.registry, first);
        let keys = Arc::new(Keys::new(0, rows));
        keys.forbid();
        let narrowed = waiting(second, &keys)?.filter(|_| calls.is_finite());
        Ok(narrowed.map(|narrowed| Way {
            keys,
            values: Vec::new(),
            calls: calls + weigh(&self.registry, second).calls,
            narrowed,
            first: calls,
        }))
    }

    /// How `second` can be narrowed by `first`, if that is worth to wait for.
    fn way(
        &self,
        first: &Plan,
        second: &Plan,
        pairs: Pairs,
        nulls: NullEquality,
    ) -> PlanResult<Option<Way>> {
        let Weight {
            calls,
            rows,
            selective,
        } = weigh(&self.registry, first);
        if calls.is_infinite() {
            return Ok(None);
        }
        let schema = first.schema();
        let mut pairs: Pairs = pairs
            .into_iter()
            .filter(|(value, _)| value.data_type(&schema).is_ok_and(|kind| is_text(&kind)))
            .collect();
        let mut found = sought_by(second, &pairs, rows)?;
        if let Some((keys, narrowed)) = &found {
            let used = used_parts(narrowed, keys)?;
            if used.len() < pairs.len() {
                let kept = pairs.into_iter().enumerate();
                let kept = kept.filter(|(at, _)| used.contains(at));
                pairs = kept.map(|(_, pair)| pair).collect();
                found = sought_by(second, &pairs, rows)?;
            }
        }
        let lookup = weigh(&self.registry, second).calls.is_infinite();
        if !selective && !lookup {
            return Ok(None);
        }
        let (keys, narrowed) = match found {
            Some(found) => found,
            None => {
                pairs.clear();
                (Arc::new(Keys::new(0, rows)), Arc::clone(second))
            }
        };
        if lookup {
            keys.need();
        }
        if nulls == NullEquality::NullEqualsNull {
            keys.match_nulls();
        }
        let Some(narrowed) = waiting(&narrowed, &keys)? else {
            return Ok(None);
        };
        let first = calls;
        let calls = first + weigh(&self.registry, &narrowed).calls;
        let values = pairs.into_iter().map(|(value, _)| value).collect();
        Ok(Some(Way {
            keys,
            values,
            narrowed,
            calls,
            first,
        }))
    }
}

/// A join without keys with its sides in the other order.
fn swapped(plan: &Plan) -> PlanResult<Plan> {
    if let Some(join) = plan.downcast_ref::<NestedLoopJoinExec>() {
        join.swap_inputs()
    } else if let Some(join) = plan.downcast_ref::<CrossJoinExec>() {
        join.swap_inputs()
    } else {
        Err(Error::internal("a join of an unknown kind").into())
    }
}

/// Whether a join asks nothing of its rows but whether there are any.
fn is_unconditional(plan: &Plan) -> bool {
    let join = plan.downcast_ref::<NestedLoopJoinExec>();
    join.is_some_and(|join| join.filter().is_none())
}

/// Whether the rows of a join have columns of both sides.
fn joins_rows(kind: JoinType) -> bool {
    matches!(
        kind,
        JoinType::Inner | JoinType::Left | JoinType::Right | JoinType::Full
    )
}

/// Which sides of a join may lose rows that nothing on the other side matches.
fn may_lose(kind: JoinType) -> (bool, bool) {
    match kind {
        JoinType::Inner | JoinType::LeftSemi | JoinType::RightSemi => (true, true),
        JoinType::Left | JoinType::LeftAnti | JoinType::LeftMark => (false, true),
        JoinType::Right | JoinType::RightAnti | JoinType::RightMark => (true, false),
        JoinType::Full => (false, false),
    }
}

/// A plan of which keys are sought, if that reaches a scan.
fn sought_by(plan: &Plan, pairs: &Pairs, expected: f64) -> PlanResult<Option<(Arc<Keys>, Plan)>> {
    let keys = Arc::new(Keys::new(pairs.len(), expected));
    let parts = pairs.iter().enumerate();
    let sought = Sought {
        by: By::Keys(Arc::clone(&keys)),
        parts: parts
            .map(|(at, (_, value))| (at, Arc::clone(value)))
            .collect(),
    };
    let narrowed = descend(plan, &sought)?;
    Ok(narrowed.map(|narrowed| (keys, narrowed)))
}

/// The values of the keys that a scan makes use of.
fn used_parts(plan: &Plan, keys: &Arc<Keys>) -> PlanResult<Vec<usize>> {
    let mut used = Vec::new();
    plan.apply(|node| {
        if let Some(scan) = node.downcast_ref::<ScanExec>() {
            used.extend(scan.waited_for().parts_of(keys));
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(used)
}

/// The plan whose scans all wait for the end of the keys: without any there is nothing to ask for. `None` if it has no scan.
fn waiting(plan: &Plan, keys: &Arc<Keys>) -> PlanResult<Option<Plan>> {
    // Its rows are computed again and again, and perhaps not for this.
    if plan.is::<RecursiveQueryExec>() {
        return Ok(None);
    }
    if let Some(scan) = plan.downcast_ref::<ScanExec>() {
        return Ok(Some(Arc::new(scan.waiting(keys))));
    }
    let mut inputs: Vec<Plan> = plan.children().into_iter().map(Arc::clone).collect();
    let mut waits = false;
    for input in &mut inputs {
        if let Some(waiting) = waiting(input, keys)? {
            *input = waiting;
            waits = true;
        }
    }
    match waits {
        true => with_inputs(plan, inputs).map(Some),
        false => Ok(None),
    }
}

/// The plan with its keys remembered, as deep as they are there in the spelling of the rows.
fn remembering(plan: Plan, values: Vec<Expr>, keys: Arc<Keys>) -> PlanResult<Plan> {
    if let Some(projection) = plan.downcast_ref::<ProjectionExec>() {
        let columns = projection.expr().iter();
        let columns: Vec<Option<Expr>> = columns
            .map(|column| (!is_volatile(&column.expr)).then(|| Arc::clone(&column.expr)))
            .collect();
        let below = values.iter().map(|value| replaced(value, &columns));
        let below = below.collect::<PlanResult<Option<Vec<Expr>>>>()?;
        if let Some(below) = below {
            let input = remembering(Arc::clone(projection.input()), below, keys)?;
            return with_inputs(&plan, vec![input]);
        }
    }
    let values = values.iter().map(|value| Arc::clone(plain(value)));
    Ok(Arc::new(KeysExec::new(plan, values.collect(), keys)))
}

/// A filter whose conditions on the values of subqueries are known before the scans below it are read.
fn by_subqueries(plan: &Plan, filter: &FilterExec) -> PlanResult<Plan> {
    let mut input = Arc::clone(filter.input());
    let mut reached = false;
    for condition in split_conjunction(filter.predicate()) {
        let computed = |part: &Expr| Ok(part.is::<ScalarSubqueryExpr>());
        if !condition.exists(computed)? {
            continue;
        }
        let sought = Sought {
            by: By::Condition,
            parts: vec![(0, Arc::clone(condition))],
        };
        if let Some(narrowed) = descend(&input, &sought)? {
            input = narrowed;
            reached = true;
        }
    }
    match reached {
        true => with_inputs(plan, vec![input]),
        false => Ok(Arc::clone(plan)),
    }
}
