//! The values that a subquery has of the query around it, on their way through its plan: joined to its rows where it first uses them, and
//! taken along by each node above. A node that would mix rows of different values compares, groups or counts by them as well.

use std::sync::Arc;

use datafusion::common::alias::AliasGenerator;
use datafusion::common::tree_node::{Transformed, TreeNode as _};
use datafusion::common::{Column, DFSchemaRef, ExprSchema as _, JoinType, NullEquality, Result};
use datafusion::functions_window::expr_fn::row_number;
use datafusion::logical_expr::expr::{Exists, InSubquery, Sort as SortExpr};
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::logical_plan::{FetchType, SkipType};
use datafusion::logical_expr::utils::conjunction;
use datafusion::logical_expr::{
    Aggregate, Distinct, DistinctOn, Expr, ExprFunctionExt as _, ExprSchemable as _, Filter, Join,
    Limit, LogicalPlan, LogicalPlanBuilder, Projection, Sort, Subquery, SubqueryAlias, Union,
    Window, lit, when,
};

use super::{inputs, plan_refs, same, used};

/// The distinct values of the columns that a subquery uses of the query around it.
pub(super) struct Domain<'n> {
    pub(super) around: LogicalPlan,
    pub(super) columns: Vec<Column>,
    pub(super) names: &'n Arc<AliasGenerator>,
}

/// A plan with the values that go along, by the column of each.
type Pushed = Option<(LogicalPlan, Vec<Column>)>;

impl Domain<'_> {
    /// The values as a plan, with columns of new names.
    fn values(&self) -> Result<(LogicalPlan, Vec<Column>)> {
        let names: Vec<String> = self
            .columns
            .iter()
            .map(|_| self.names.next("__of"))
            .collect();
        let values = self.columns.iter().zip(&names);
        let values = values.map(|(column, name)| Expr::Column(column.clone()).alias(name));
        let all = LogicalPlanBuilder::from(self.around.clone())
            .project(values)?
            .build()?;
        let keys: Vec<Column> = names.into_iter().map(Column::new_unqualified).collect();
        let groups = keys.iter().cloned().map(Expr::Column).collect();
        let plan = Aggregate::try_new(Arc::new(all), groups, Vec::new())?;
        Ok((LogicalPlan::Aggregate(plan), keys))
    }

    /// The expression of a node over these inputs with the values of a row in it. A subquery in it uses them as columns of the query
    /// around itself.
    fn replaced(&self, expr: &Expr, over: &[DFSchemaRef], keys: &[Column]) -> Result<Expr> {
        let done = expr.clone().transform_up(|part| {
            Ok(match part {
                Expr::OuterReferenceColumn(field, column) => match self.key(&column, keys) {
                    Some(key) => Transformed::yes(Expr::Column(key)),
                    None => Transformed::no(Expr::OuterReferenceColumn(field, column)),
                },
                other => self.within(other, over, keys)?,
            })
        })?;
        Ok(done.data)
    }

    fn key(&self, column: &Column, keys: &[Column]) -> Option<Column> {
        let at = self.columns.iter().position(|one| one == column)?;
        keys.get(at).cloned()
    }

    /// What a subquery uses of the values, as columns of the query around it. What one of the nearer queries has as well is its own.
    fn within(
        &self,
        part: Expr,
        nearer: &[DFSchemaRef],
        keys: &[Column],
    ) -> Result<Transformed<Expr>> {
        let inner = |subquery: &Subquery| -> Result<Subquery> {
            let plan = self.plan_within(subquery.subquery.as_ref().clone(), nearer, keys)?;
            Ok(Subquery {
                outer_ref_columns: plan_refs(&plan)?,
                subquery: Arc::new(plan),
                spans: subquery.spans.clone(),
            })
        };
        Ok(match part {
            Expr::ScalarSubquery(subquery) => {
                Transformed::yes(Expr::ScalarSubquery(inner(&subquery)?))
            }
            Expr::Exists(Exists { subquery, negated }) => {
                Transformed::yes(Expr::Exists(Exists::new(inner(&subquery)?, negated)))
            }
            Expr::InSubquery(one) => {
                let subquery = inner(&one.subquery)?;
                let again = InSubquery::new(one.expr, subquery, one.negated);
                Transformed::yes(Expr::InSubquery(again))
            }
            other => Transformed::no(other),
        })
    }

    fn plan_within(
        &self,
        plan: LogicalPlan,
        nearer: &[DFSchemaRef],
        keys: &[Column],
    ) -> Result<LogicalPlan> {
        let done = plan.transform_down(|node| {
            let over: Vec<_> = nearer.iter().cloned().chain(inputs(&node)).collect();
            let save = NamePreserver::new(&node);
            node.map_expressions(|expr| {
                let saved = save.save(&expr);
                let done = expr.transform_up(|part| match &part {
                    Expr::OuterReferenceColumn(field, column) => {
                        let is_nearer = nearer.iter().any(|one| one.has_column(column));
                        let key = self.key(column, keys).filter(|_| !is_nearer);
                        Ok(match key {
                            Some(key) => {
                                Transformed::yes(Expr::OuterReferenceColumn(Arc::clone(field), key))
                            }
                            None => Transformed::no(part),
                        })
                    }
                    _ => self.within(part, &over, keys),
                })?;
                Ok(done.update_data(|expr| saved.restore(expr)))
            })
        })?;
        Ok(done.data)
    }

    /// The same of an expression whose name others use.
    fn renamed(&self, expr: &Expr, over: &[DFSchemaRef], keys: &[Column]) -> Result<Expr> {
        let (relation, name) = expr.qualified_name();
        let replaced = self.replaced(expr, over, keys)?;
        Ok(
            match replaced.qualified_name() == (relation.clone(), name.clone()) {
                true => replaced,
                false => replaced.alias_qualified(relation, name),
            },
        )
    }

    /// The plan for each of the values, which go along.
    pub(super) fn push(&self, plan: &LogicalPlan) -> Result<Pushed> {
        if used(plan, &self.around)?.is_empty() {
            let (values, keys) = self.values()?;
            let plan = LogicalPlanBuilder::from(plan.clone())
                .cross_join(values)?
                .build()?;
            return Ok(Some((plan, keys)));
        }
        match plan {
            LogicalPlan::Filter(filter) => {
                let Some((input, keys)) = self.push(&filter.input)? else {
                    return Ok(None);
                };
                let over = [Arc::clone(filter.input.schema())];
                let predicate = self.replaced(&filter.predicate, &over, &keys)?;
                let filter = Filter::try_new(predicate, Arc::new(input))?;
                Ok(Some((LogicalPlan::Filter(filter), keys)))
            }
            LogicalPlan::Projection(projection) => {
                let Some((input, keys)) = self.push(&projection.input)? else {
                    return Ok(None);
                };
                let over = [Arc::clone(projection.input.schema())];
                let exprs = projection.expr.iter();
                let exprs = exprs.map(|expr| self.renamed(expr, &over, &keys));
                let mut exprs = exprs.collect::<Result<Vec<_>>>()?;
                exprs.extend(keys.iter().cloned().map(Expr::Column));
                let projection = Projection::try_new(exprs, Arc::new(input))?;
                Ok(Some((LogicalPlan::Projection(projection), keys)))
            }
            LogicalPlan::SubqueryAlias(alias) => {
                let Some((input, keys)) = self.push(&alias.input)? else {
                    return Ok(None);
                };
                // Each column must have one name below the alias.
                let of = |key: &Column| Column::new(Some(alias.alias.clone()), key.name.clone());
                let outer = keys.iter().map(of).collect();
                let input = self.only(input, &alias.input, &keys)?;
                let alias = SubqueryAlias::try_new(Arc::new(input), alias.alias.clone())?;
                Ok(Some((LogicalPlan::SubqueryAlias(alias), outer)))
            }
            LogicalPlan::Aggregate(aggregate) => self.aggregate(aggregate),
            LogicalPlan::Join(join) => self.join(join),
            LogicalPlan::Distinct(Distinct::All(input)) => {
                let Some((pushed, keys)) = self.push(input)? else {
                    return Ok(None);
                };
                let input = Arc::new(self.only(pushed, input, &keys)?);
                Ok(Some((LogicalPlan::Distinct(Distinct::All(input)), keys)))
            }
            LogicalPlan::Distinct(Distinct::On(on)) => self.distinct_on(on),
            LogicalPlan::Sort(sort) if sort.fetch.is_none() => {
                let Some((input, keys)) = self.push(&sort.input)? else {
                    return Ok(None);
                };
                let over = [Arc::clone(sort.input.schema())];
                let sort = Sort {
                    expr: self.order(&sort.expr, &over, &keys)?,
                    input: Arc::new(input),
                    fetch: None,
                };
                Ok(Some((LogicalPlan::Sort(sort), keys)))
            }
            LogicalPlan::Limit(limit) => self.limit(limit),
            LogicalPlan::Window(window) => {
                let Some((input, keys)) = self.push(&window.input)? else {
                    return Ok(None);
                };
                let over = [Arc::clone(window.input.schema())];
                let exprs = window.window_expr.iter().map(|expr| {
                    let (relation, name) = expr.qualified_name();
                    let expr = self.replaced(expr, &over, &keys)?.transform_up(|part| {
                        Ok(match part {
                            Expr::WindowFunction(mut function) => {
                                let by = keys.iter().cloned().map(Expr::Column);
                                function.params.partition_by.extend(by);
                                Transformed::yes(Expr::WindowFunction(function))
                            }
                            other => Transformed::no(other),
                        })
                    })?;
                    Ok(expr.data.alias_qualified(relation, name))
                });
                let exprs = exprs.collect::<Result<Vec<_>>>()?;
                let window = Window::try_new(exprs, Arc::new(input))?;
                Ok(Some((LogicalPlan::Window(window), keys)))
            }
            LogicalPlan::Union(union) => self.union(union),
            _ => Ok(None),
        }
    }

    /// The columns of the plan as it was, and the values.
    fn only(&self, pushed: LogicalPlan, was: &LogicalPlan, keys: &[Column]) -> Result<LogicalPlan> {
        let columns = was.schema().columns().into_iter();
        let columns = columns.chain(keys.iter().cloned()).map(Expr::Column);
        LogicalPlanBuilder::from(pushed).project(columns)?.build()
    }

    fn order(
        &self,
        order: &[SortExpr],
        over: &[DFSchemaRef],
        keys: &[Column],
    ) -> Result<Vec<SortExpr>> {
        let order = order.iter().map(|one| {
            let expr = self.replaced(&one.expr, over, keys)?;
            Ok(one.with_expr(expr))
        });
        order.collect()
    }

    fn aggregate(&self, aggregate: &Aggregate) -> Result<Pushed> {
        let sets = |expr: &Expr| matches!(expr, Expr::GroupingSet(_));
        if aggregate.group_expr.iter().any(sets) {
            return Ok(None);
        }
        let Some((input, keys)) = self.push(&aggregate.input)? else {
            return Ok(None);
        };
        let over = [Arc::clone(aggregate.input.schema())];
        let renamed = |exprs: &[Expr]| {
            let exprs = exprs.iter().map(|expr| self.renamed(expr, &over, &keys));
            exprs.collect::<Result<Vec<_>>>()
        };
        let mut groups = renamed(&aggregate.group_expr)?;
        groups.extend(keys.iter().cloned().map(Expr::Column));
        let aggregates = renamed(&aggregate.aggr_expr)?;
        let grouped = Aggregate::try_new(Arc::new(input), groups, aggregates)?;
        let grouped = LogicalPlan::Aggregate(grouped);
        if !aggregate.group_expr.is_empty() {
            return Ok(Some((grouped, keys)));
        }
        // Without groups there is one row for each of the values, also where there are no rows.
        let there = self.names.next("__there");
        let all = grouped.schema().columns().into_iter().map(Expr::Column);
        let grouped = LogicalPlanBuilder::from(grouped.clone())
            .project(all.chain([lit(true).alias(&there)]))?
            .build()?;
        let (values, every) = self.values()?;
        let pairs = every.iter().zip(&keys).zip(&self.columns);
        let pairs = pairs.map(|((own, key), column)| {
            let null = self
                .around
                .schema()
                .field_from_column(column)?
                .is_nullable();
            Ok(same(
                Expr::Column(own.clone()),
                Expr::Column(key.clone()),
                null,
            ))
        });
        let joined = LogicalPlanBuilder::from(values)
            .join_on(grouped, JoinType::Left, pairs.collect::<Result<Vec<_>>>()?)?
            .build()?;
        let input = aggregate.input.schema();
        let there = Expr::Column(Column::new_unqualified(there));
        let answers = aggregate.aggr_expr.iter().map(|expr| {
            let (relation, name) = expr.qualified_name();
            let answer = Expr::Column(Column::new(relation.clone(), name.clone()));
            let nothing = expr.clone().transform_up(|part| {
                Ok(match &part {
                    Expr::AggregateFunction(function) => {
                        let kind = part.get_type(input)?;
                        let value = function.func.default_value(&kind)?;
                        Transformed::yes(Expr::Literal(value, None))
                    }
                    _ => Transformed::no(part),
                })
            })?;
            let nothing = nothing.data.unalias();
            Ok(match &nothing {
                Expr::Literal(value, _) if value.is_null() => answer,
                _ => when(there.clone().is_null(), nothing)
                    .otherwise(answer)?
                    .alias_qualified(relation, name),
            })
        });
        let answers = answers.collect::<Result<Vec<_>>>()?.into_iter();
        let plan = LogicalPlanBuilder::from(joined)
            .project(answers.chain(every.iter().cloned().map(Expr::Column)))?
            .build()?;
        Ok(Some((plan, every)))
    }

    fn join(&self, join: &Join) -> Result<Pushed> {
        if join.null_aware {
            return Ok(None);
        }
        let left = !used(&join.left, &self.around)?.is_empty();
        let right = !used(&join.right, &self.around)?.is_empty();
        use JoinType::{Inner, Left, LeftAnti, LeftMark, LeftSemi, Right, RightAnti, RightSemi};
        let by_left = matches!(
            join.join_type,
            Inner | Left | LeftSemi | LeftAnti | LeftMark
        );
        let by_right = matches!(join.join_type, Inner | Right | RightSemi | RightAnti);
        let (left, right, keys, pairs) = if by_left && !right {
            let Some((left, keys)) = self.push(&join.left)? else {
                return Ok(None);
            };
            (Arc::new(left), Arc::clone(&join.right), keys, Vec::new())
        } else if by_right && !left {
            let Some((right, keys)) = self.push(&join.right)? else {
                return Ok(None);
            };
            (Arc::clone(&join.left), Arc::new(right), keys, Vec::new())
        } else if by_left || by_right {
            let (Some((left, own)), Some((right, other))) =
                (self.push(&join.left)?, self.push(&join.right)?)
            else {
                return Ok(None);
            };
            let pairs: Vec<Expr> = own
                .iter()
                .zip(&other)
                .map(|(own, other)| {
                    same(Expr::Column(own.clone()), Expr::Column(other.clone()), true)
                })
                .collect();
            let keys = if by_left { own } else { other };
            (Arc::new(left), Arc::new(right), keys, pairs)
        } else {
            return Ok(None);
        };
        let over = [
            Arc::clone(join.left.schema()),
            Arc::clone(join.right.schema()),
        ];
        let equal = join.on.iter().map(|(left, right)| {
            let equal = left.clone().eq(right.clone());
            self.replaced(&equal, &over, &keys)
        });
        // What `on` says of NULL only `on` can say.
        let plain = join.null_equality == NullEquality::NullEqualsNothing;
        if !plain {
            return Ok(None);
        }
        let mut conditions = equal.collect::<Result<Vec<_>>>()?;
        if let Some(filter) = &join.filter {
            conditions.push(self.replaced(filter, &over, &keys)?);
        }
        conditions.extend(pairs);
        if conditions.is_empty() {
            conditions.push(lit(true));
        }
        let plan = LogicalPlanBuilder::from(left)
            .join_on(Arc::unwrap_or_clone(right), join.join_type, conditions)?
            .build()?;
        Ok(Some((plan, keys)))
    }

    fn distinct_on(&self, on: &DistinctOn) -> Result<Pushed> {
        let Some((input, keys)) = self.push(&on.input)? else {
            return Ok(None);
        };
        let over = [Arc::clone(on.input.schema())];
        let by = || keys.iter().cloned().map(Expr::Column);
        let replaced = |exprs: &[Expr]| {
            let exprs = exprs.iter().map(|expr| self.replaced(expr, &over, &keys));
            exprs.collect::<Result<Vec<_>>>()
        };
        let renamed = |exprs: &[Expr]| {
            let exprs = exprs.iter().map(|expr| self.renamed(expr, &over, &keys));
            exprs.collect::<Result<Vec<_>>>()
        };
        let on_expr = by().chain(replaced(&on.on_expr)?).collect();
        let select_expr = renamed(&on.select_expr)?.into_iter().chain(by()).collect();
        let sort_expr = match &on.sort_expr {
            None => None,
            Some(order) => {
                let first = by().map(|key| key.sort(true, false));
                Some(first.chain(self.order(order, &over, &keys)?).collect())
            }
        };
        let on = DistinctOn::try_new(on_expr, select_expr, sort_expr, Arc::new(input))?;
        Ok(Some((LogicalPlan::Distinct(Distinct::On(on)), keys)))
    }

    /// The first rows of each of the values are those with the first numbers.
    fn limit(&self, limit: &Limit) -> Result<Pushed> {
        let (SkipType::Literal(skip), FetchType::Literal(fetch)) =
            (limit.get_skip_type()?, limit.get_fetch_type()?)
        else {
            return Ok(None);
        };
        let Some((input, keys)) = self.push(&limit.input)? else {
            return Ok(None);
        };
        let order = match &input {
            LogicalPlan::Sort(sort) => sort.expr.clone(),
            // What was computed from sorted rows is in their order.
            LogicalPlan::Projection(projection) => match projection.input.as_ref() {
                LogicalPlan::Sort(sort) => {
                    let columns = projection.schema.columns();
                    let is_there = |one: &SortExpr| {
                        let refs = one.expr.column_refs();
                        refs.into_iter().all(|column| columns.contains(column))
                    };
                    if !sort.expr.iter().all(is_there) {
                        return Ok(None);
                    }
                    sort.expr.clone()
                }
                _ => Vec::new(),
            },
            _ => Vec::new(),
        };
        let number = self.names.next("__number");
        let by: Vec<Expr> = keys.iter().cloned().map(Expr::Column).collect();
        let row = row_number().partition_by(by).order_by(order).build()?;
        let place = Expr::Column(Column::new_unqualified(number.clone()));
        let count = |count: usize| lit(u64::try_from(count).unwrap_or(u64::MAX));
        let mut conditions = vec![place.clone().gt(count(skip))];
        if let Some(fetch) = fetch {
            conditions.push(place.lt_eq(count(skip.saturating_add(fetch))));
        }
        let columns: Vec<Expr> = input
            .schema()
            .columns()
            .into_iter()
            .map(Expr::Column)
            .collect();
        let plan = LogicalPlanBuilder::from(input)
            .window([row.alias(number)])?
            .filter(conjunction(conditions).unwrap_or_else(|| lit(true)))?
            .project(columns)?
            .build()?;
        Ok(Some((plan, keys)))
    }

    fn union(&self, union: &Union) -> Result<Pushed> {
        let shared: Vec<String> = self
            .columns
            .iter()
            .map(|_| self.names.next("__of"))
            .collect();
        let mut inputs = Vec::with_capacity(union.inputs.len());
        for input in &union.inputs {
            let Some((plan, keys)) = self.push(input)? else {
                return Ok(None);
            };
            let columns = input.schema().columns().into_iter().map(Expr::Column);
            let keys = keys.into_iter().zip(&shared);
            let keys = keys.map(|(key, name)| Expr::Column(key).alias(name));
            let plan = LogicalPlanBuilder::from(plan)
                .project(columns.chain(keys))?
                .build()?;
            inputs.push(Arc::new(plan));
        }
        let union = LogicalPlan::Union(Union::try_new_with_loose_types(inputs)?);
        let keys = shared.into_iter().map(Column::new_unqualified).collect();
        Ok(Some((union, keys)))
    }
}
