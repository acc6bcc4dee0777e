//! LATERAL rows that are computed of each row of the tables before them: `FROM t, unnest(t.a) u(x)`. DataFusion can join such a subquery only by
//! conditions, so that what has no table of its own, an UNNEST with projections and filters around it, is computed beside the columns
//! of the left side instead. What is of another form stays.

use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Column, DFSchema, Result, UnnestOptions};
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::{
    Expr, Join, JoinType, LogicalPlan, LogicalPlanBuilder, Projection, lit,
};

use crate::functions::listed;

/// The plan with its LATERAL rows beside those that they are of.
pub fn beside_rows(plan: LogicalPlan) -> Result<LogicalPlan> {
    plan.transform_up_with_subqueries(|plan| match plan {
        LogicalPlan::Join(join) if is_lateral(&join) => match applied(&join)? {
            Some(plan) => Ok(Transformed::yes(plan)),
            None => Ok(Transformed::no(LogicalPlan::Join(join))),
        },
        other => Ok(Transformed::no(other)),
    })
    .map(|done| done.data)
}

fn is_lateral(join: &Join) -> bool {
    let right = match &*join.right {
        LogicalPlan::SubqueryAlias(alias) => &alias.input,
        _ => &join.right,
    };
    let kind = matches!(join.join_type, JoinType::Inner | JoinType::Left);
    kind && join.on.is_empty() && matches!(&**right, LogicalPlan::Subquery(_))
}

/// A part of the right side, computed beside the left one.
struct Beside {
    plan: LogicalPlan,
    /// The columns that the part has, and those of the plan that they are.
    columns: Vec<(Column, Column)>,
    /// Whether lists have become rows in it.
    unnested: bool,
}

struct Rows<'p> {
    left: &'p LogicalPlan,
    /// Whether rows of the left side stay that have none on the right.
    padded: bool,
    made: usize,
}

fn applied(join: &Join) -> Result<Option<LogicalPlan>> {
    let padded = join.join_type == JoinType::Left;
    let always = lit(true);
    if padded && join.filter.as_ref().is_some_and(|on| *on != always) {
        return Ok(None);
    }
    let mut rows = Rows {
        left: &join.left,
        padded,
        made: 0,
    };
    let Some(beside) = rows.of(&join.right)? else {
        return Ok(None);
    };
    if padded && !beside.unnested {
        return Ok(None);
    }
    let mut items = kept(join.left.schema());
    for (relation, field) in join.right.schema().iter() {
        let column = Column::new(relation.cloned(), field.name());
        let Some(found) = find(&beside.columns, &column) else {
            return Ok(None);
        };
        items.push(Expr::Column(found).alias_qualified(relation.cloned(), field.name()));
    }
    let plan = LogicalPlan::Projection(Projection::try_new(items, Arc::new(beside.plan))?);
    match &join.filter {
        Some(on) if *on != always => LogicalPlanBuilder::from(plan)
            .filter(on.clone())?
            .build()
            .map(Some),
        _ => Ok(Some(plan)),
    }
}

fn kept(schema: &DFSchema) -> Vec<Expr> {
    let columns = schema.iter();
    columns
        .map(|(relation, field)| Expr::Column(Column::new(relation.cloned(), field.name())))
        .collect()
}

fn find(columns: &[(Column, Column)], wanted: &Column) -> Option<Column> {
    let exact = columns.iter().find(|(column, _)| column == wanted);
    let found = exact.or_else(|| {
        let mut named = columns.iter().filter(|(column, _)| {
            column.name == wanted.name && (wanted.relation.is_none() || column.relation.is_none())
        });
        named.next().filter(|_| named.next().is_none())
    });
    found.map(|(_, column)| column.clone())
}

impl Rows<'_> {
    fn name(&mut self) -> String {
        self.made += 1;
        format!(
            "lateral:{}:{}",
            self.left.schema().fields().len(),
            self.made
        )
    }

    fn of(&mut self, part: &LogicalPlan) -> Result<Option<Beside>> {
        match part {
            LogicalPlan::EmptyRelation(empty) if empty.produce_one_row => Ok(Some(Beside {
                plan: self.left.clone(),
                columns: Vec::new(),
                unnested: false,
            })),
            LogicalPlan::Subquery(inner) => self.of(&inner.subquery),
            LogicalPlan::SubqueryAlias(alias) => {
                let Some(mut beside) = self.of(&alias.input)? else {
                    return Ok(None);
                };
                for (column, _) in &mut beside.columns {
                    column.relation = Some(alias.alias.clone());
                }
                Ok(Some(beside))
            }
            LogicalPlan::Projection(projection) => {
                let Some(below) = self.of(&projection.input)? else {
                    return Ok(None);
                };
                let mut items = kept(self.left.schema());
                let mut columns = Vec::new();
                for (at, expr) in projection.expr.iter().enumerate() {
                    // Of a row that stays without another one there is no value.
                    if self.padded && below.unnested && !is_strict(expr) {
                        return Ok(None);
                    }
                    let Some(expr) = self.here(expr, &below.columns)? else {
                        return Ok(None);
                    };
                    let name = self.name();
                    let (relation, field) = projection.schema.qualified_field(at);
                    columns.push((
                        Column::new(relation.cloned(), field.name()),
                        Column::from_name(&name),
                    ));
                    items.push(expr.unalias_nested().data.alias(name));
                }
                let plan = Projection::try_new(items, Arc::new(below.plan))?;
                Ok(Some(Beside {
                    plan: LogicalPlan::Projection(plan),
                    columns,
                    unnested: below.unnested,
                }))
            }
            LogicalPlan::Unnest(unnest) => {
                let simple = unnest.struct_type_columns.is_empty()
                    && unnest
                        .list_type_columns
                        .iter()
                        .all(|(_, list)| list.depth == 1);
                let Some(below) = self.of(&unnest.input)? else {
                    return Ok(None);
                };
                if !simple || below.unnested {
                    return Ok(None);
                }
                self.unnested(unnest, below).map(Some)
            }
            LogicalPlan::Filter(filter) if !self.padded => {
                let Some(below) = self.of(&filter.input)? else {
                    return Ok(None);
                };
                let Some(condition) = self.here(&filter.predicate, &below.columns)? else {
                    return Ok(None);
                };
                Ok(Some(Beside {
                    plan: LogicalPlanBuilder::from(below.plan)
                        .filter(condition)?
                        .build()?,
                    columns: below.columns,
                    unnested: below.unnested,
                }))
            }
            _ => Ok(None),
        }
    }

    fn unnested(
        &mut self,
        unnest: &datafusion::logical_expr::Unnest,
        below: Beside,
    ) -> Result<Beside> {
        let schema = unnest.input.schema();
        let of = |at: usize| {
            let (relation, field) = schema.qualified_field(at);
            find(
                &below.columns,
                &Column::new(relation.cloned(), field.name()),
            )
        };
        let lists: Vec<usize> = unnest.list_type_columns.iter().map(|(at, _)| *at).collect();
        let mut plan = below.plan.clone();
        if self.padded {
            // A list without items is none, which leaves one row.
            let mut items = kept(self.left.schema());
            for (_, column) in &below.columns {
                let is_list = lists.iter().any(|at| of(*at).as_ref() == Some(column));
                let value = Expr::Column(column.clone());
                items.push(match is_list {
                    true => listed::or_null().call(vec![value]).alias(&column.name),
                    false => value,
                });
            }
            plan = LogicalPlan::Projection(Projection::try_new(items, Arc::new(plan))?);
        }
        let columns: Option<Vec<Column>> = lists.iter().map(|at| of(*at)).collect();
        let options = UnnestOptions::new().with_preserve_nulls(self.padded);
        let plan = LogicalPlanBuilder::from(plan)
            .unnest_columns_with_options(columns.unwrap_or_default(), options)?
            .build()?;
        let made = unnest.schema.iter().zip(&unnest.dependency_indices);
        let columns = made.filter_map(|((relation, field), at)| {
            let column = Column::new(relation.cloned(), field.name());
            Some((column, of(*at)?))
        });
        Ok(Beside {
            columns: columns.collect(),
            plan,
            unnested: true,
        })
    }

    /// An expression of the right side, where it stands beside the left one.
    fn here(&self, expr: &Expr, columns: &[(Column, Column)]) -> Result<Option<Expr>> {
        let mut known = true;
        let left = self.left.schema();
        let here = expr.clone().transform_up(|expr| {
            Ok(match expr {
                Expr::OuterReferenceColumn(_, column) if left.has_column(&column) => {
                    Transformed::yes(Expr::Column(column))
                }
                Expr::Column(column) => match find(columns, &column) {
                    Some(found) => Transformed::yes(Expr::Column(found)),
                    None => {
                        known = false;
                        Transformed::no(Expr::Column(column))
                    }
                },
                other => {
                    let subquery = matches!(
                        other,
                        Expr::ScalarSubquery(_)
                            | Expr::InSubquery(_)
                            | Expr::Exists(_)
                            | Expr::SetComparison(_)
                            | Expr::AggregateFunction(_)
                            | Expr::WindowFunction(_)
                            | Expr::Unnest(_)
                    );
                    known &= !subquery;
                    Transformed::no(other)
                }
            })
        })?;
        Ok(known.then_some(here.data))
    }
}

/// Whether of NULL comes NULL: a column, or one that is marked.
fn is_strict(expr: &Expr) -> bool {
    match expr {
        Expr::Column(_) => true,
        Expr::Alias(alias) => is_strict(&alias.expr),
        Expr::ScalarFunction(ScalarFunction { func, args }) => {
            matches!(func.name(), "json_text" | "jsonb_text" | "pg_uuid")
                && args.iter().all(is_strict)
        }
        _ => false,
    }
}
