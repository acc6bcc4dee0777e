//! What a column is, is kept where DataFusion forgets it: results of `coalesce`, `max`, CASE and UNION that hold ids or JSON
//! are marked as such, and GROUP BY and DISTINCT take spellings of one id as one value. Refuses nothing.

use std::sync::Arc;

use datafusion::common::{Column, DFSchema, Result, TableReference};
use datafusion::functions_aggregate::expr_fn::min;
use datafusion::functions_aggregate::first_last::first_value_udaf;
use datafusion::logical_expr::{
    Aggregate, Distinct, Expr, GroupingSet, LogicalPlan, LogicalPlanBuilder, Projection, Union,
};

use super::marks::{carries, field_carries, group_key, is_interval, is_marked, is_text};
use super::meant::sort_key;
use crate::functions::{FOLD_METADATA, Function, JSON_METADATA, call};

/// The plan with its columns marked, and with one group for one id. `schema` is that of its inputs.
pub fn keep_marks(plan: LogicalPlan, schema: &DFSchema) -> Result<LogicalPlan> {
    match plan {
        LogicalPlan::Projection(Projection { expr, input, .. }) => {
            let expr = expr.into_iter().map(|expr| marked(expr, schema)).collect();
            Projection::try_new(expr, input).map(LogicalPlan::Projection)
        }
        LogicalPlan::Aggregate(aggregate) => {
            let aggregate = one_group(aggregate, schema)?;
            let LogicalPlan::Aggregate(aggregate) = aggregate else {
                return Ok(aggregate);
            };
            let computed = aggregate.group_expr.iter().chain(&aggregate.aggr_expr);
            let lost = lost(computed, schema);
            marked_above(LogicalPlan::Aggregate(aggregate), &lost)
        }
        LogicalPlan::Window(window) => {
            let lost = lost(window.window_expr.iter(), schema);
            marked_above(LogicalPlan::Window(window), &lost)
        }
        LogicalPlan::Union(union) => marked_union(union),
        LogicalPlan::Distinct(Distinct::On(mut distinct)) => {
            // It is sorted as any other query, and what it sorts by begins with what it is distinct on.
            for on in &mut distinct.on_expr {
                *on = sort_key(std::mem::take(on).sort(true, false), schema)?
                    .data
                    .expr;
            }
            let sorts = distinct.sort_expr.into_iter().flatten();
            let sorts = sorts.map(|sort| Ok(sort_key(sort, schema)?.data));
            distinct.sort_expr = Some(sorts.collect::<Result<Vec<_>>>()?);
            distinct.sort_expr.take_if(|sorts| sorts.is_empty());
            Ok(LogicalPlan::Distinct(Distinct::On(distinct)))
        }
        LogicalPlan::Distinct(Distinct::All(input)) => {
            let columns = input.schema().columns();
            let columns: Vec<Expr> = columns.into_iter().map(Expr::Column).collect();
            let schema = input.schema();
            if !columns.iter().any(|one| group_key(one, schema).is_some()) {
                return Ok(LogicalPlan::Distinct(Distinct::All(input)));
            }
            let schema = Arc::clone(input.schema());
            one_group(Aggregate::try_new(input, columns, Vec::new())?, &schema)
        }
        other => Ok(other),
    }
}

/// The mark that an expression has by what it is made of, and that its field does not have.
fn lost_mark(expr: &Expr, schema: &DFSchema) -> Option<Function> {
    let lost = |key| is_marked(expr, schema, key) && !carries(expr, schema, key);
    if !is_text(expr, schema) {
        return None;
    }
    if lost(FOLD_METADATA) {
        Some(Function::ArmText)
    } else if lost(JSON_METADATA) {
        Some(Function::JsonScalar)
    } else {
        None
    }
}

/// The expression with the mark on its field, under its name.
fn marked(expr: Expr, schema: &DFSchema) -> Expr {
    let Some(mark) = lost_mark(&expr, schema) else {
        return expr;
    };
    let (relation, name) = expr.qualified_name();
    call(mark, vec![expr.unalias()]).alias_qualified(relation, name)
}

/// The columns that lose their mark, with the function that gives it.
fn lost<'e>(
    computed: impl Iterator<Item = &'e Expr>,
    schema: &DFSchema,
) -> Vec<((Option<TableReference>, String), Function)> {
    computed
        .filter_map(|expr| Some((expr.qualified_name(), lost_mark(expr, schema)?)))
        .collect()
}

fn marked_above(
    plan: LogicalPlan,
    lost: &[((Option<TableReference>, String), Function)],
) -> Result<LogicalPlan> {
    if lost.is_empty() {
        return Ok(plan);
    }
    let columns = plan.schema().columns();
    let columns = columns.into_iter().map(|column| {
        let name = (column.relation.clone(), column.name.clone());
        match lost.iter().find(|(lost, _)| *lost == name) {
            Some((_, mark)) => {
                call(*mark, vec![Expr::Column(column)]).alias_qualified(name.0, name.1)
            }
            None => Expr::Column(column),
        }
    });
    let columns: Vec<Expr> = columns.collect();
    LogicalPlanBuilder::from(plan).project(columns)?.build()
}

/// A column of a UNION is what it is in any of its inputs.
fn marked_union(union: Union) -> Result<LogicalPlan> {
    let width = union.schema.fields().len();
    let same_width = |input: &Arc<LogicalPlan>| input.schema().fields().len() == width;
    if !union.inputs.iter().all(same_width) {
        return Ok(LogicalPlan::Union(union));
    }
    let mut wanted: Vec<Option<(&str, Function)>> = vec![None; width];
    for (at, wanted) in wanted.iter_mut().enumerate() {
        let fields = || union.inputs.iter().map(|input| input.schema().field(at));
        let texts = fields().all(|field| {
            use arrow::datatypes::DataType::{LargeUtf8, Null, Utf8, Utf8View};
            matches!(field.data_type(), Utf8 | LargeUtf8 | Utf8View | Null)
        });
        let marks = [
            (FOLD_METADATA, Function::ArmText),
            (JSON_METADATA, Function::JsonScalar),
        ];
        *wanted = marks.into_iter().find(|(key, _)| {
            let mark = |field: &arrow::datatypes::Field| field.metadata().get(*key).cloned();
            let first = fields().next().and_then(|field| mark(field));
            texts
                && fields().any(|field| field_carries(field, key))
                && fields().any(|field| mark(field) != first)
        });
    }
    let mut inputs = Vec::with_capacity(union.inputs.len());
    for input in union.inputs {
        let mut columns = Vec::with_capacity(width);
        let mut changed = false;
        for (at, column) in input.schema().columns().into_iter().enumerate() {
            let (relation, name) = (column.relation.clone(), column.name.clone());
            columns.push(match wanted[at] {
                Some((_, mark)) => {
                    changed = true;
                    call(mark, vec![Expr::Column(column)]).alias_qualified(relation, name)
                }
                None => Expr::Column(column),
            });
        }
        inputs.push(match changed {
            true => Arc::new(Projection::try_new(columns, input).map(LogicalPlan::Projection)?),
            false => input,
        });
    }
    let fresh = Union::try_new_with_loose_types(inputs)?;
    // The names and types of its columns were settled when it was planned.
    let same_names = fresh.schema.fields().iter().zip(union.schema.fields());
    let same_names = same_names
        .into_iter()
        .all(|(new, old)| new.name() == old.name());
    Ok(LogicalPlan::Union(match same_names {
        true => fresh,
        false => Union {
            inputs: fresh.inputs,
            schema: union.schema,
        },
    }))
}

/// Groups by ids, not by their spellings, of which the least is shown; and by the length of intervals, of which the first is.
fn one_group(aggregate: Aggregate, schema: &DFSchema) -> Result<LogicalPlan> {
    let sets = |expr: &Expr| {
        matches!(
            expr,
            Expr::GroupingSet(
                GroupingSet::Cube(_) | GroupingSet::Rollup(_) | GroupingSet::GroupingSets(_)
            )
        )
    };
    if aggregate.group_expr.iter().any(sets)
        || !aggregate
            .group_expr
            .iter()
            .any(|expr| group_key(expr, schema).is_some())
    {
        return Ok(LogicalPlan::Aggregate(aggregate));
    }
    let groups = aggregate.group_expr.len();
    let names = aggregate.schema.columns();
    let mut group_expr = Vec::with_capacity(groups);
    let mut aggr_expr = aggregate.aggr_expr;
    let mut columns: Vec<Expr> = Vec::with_capacity(names.len());
    for (expr, Column { relation, name, .. }) in aggregate.group_expr.into_iter().zip(&names) {
        if let Some(key) = group_key(&expr.clone().unalias(), schema) {
            let shown = format!("{name}:shown:{}", group_expr.len());
            let interval = is_interval(&expr, schema);
            let one = match interval {
                true => first_value_udaf().call(vec![expr.unalias()]),
                false => min(expr.unalias()),
            };
            aggr_expr.push(one.alias(&shown));
            let mut shown = Expr::Column(Column::from_name(shown));
            if !interval {
                shown = call(Function::ArmText, vec![shown]);
            }
            columns.push(shown.alias_qualified(relation.clone(), name));
            let folded = format!("{name}:folded:{}", group_expr.len());
            group_expr.push(key.alias(folded));
        } else {
            columns.push(Expr::Column(Column::new(relation.clone(), name)));
            group_expr.push(expr);
        }
    }
    let rest = names.into_iter().skip(groups).map(Expr::Column);
    let rest: Vec<Expr> = rest.collect();
    let lost = lost(aggr_expr.iter().take(rest.len()), schema);
    columns.extend(rest);
    let plan = Aggregate::try_new(aggregate.input, group_expr, aggr_expr)?;
    let plan = Projection::try_new(columns, Arc::new(LogicalPlan::Aggregate(plan)))?;
    marked_above(LogicalPlan::Projection(plan), &lost)
}
