//! Paths into JSON that a statement names, decoded by the scan. Rules make of `properties.policyInfo.policyId` a column of its own:
//! one brings the calls that stand above joins down to the scans (`joins`); one marks the calls over a resource's JSON, so that DataFusion moves them down to the scan, through filters, grouping and
//! views; the last takes those that arrive there into the scan. What is left where it stands is computed from JSON text, with the
//! same result: the decoder and the functions share their meaning, and a test compares them.

mod joins;

use std::sync::Arc;

use arrow::datatypes::{FieldRef, Schema};
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{
    Transformed, TransformedResult as _, TreeNode as _, TreeNodeRecursion,
};
use datafusion::common::{DFSchema, Result as PlanResult, ScalarValue};
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::{Expr, LogicalPlan};
use datafusion::optimizer::{ApplyOrder, Optimizer, OptimizerConfig, OptimizerRule};
use datafusion::physical_expr::expressions::{Column, Literal};
use datafusion::physical_expr::{PhysicalExpr, ScalarFunctionExpr};
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::projection::{ProjectionExec, ProjectionExpr};
use restable_spec::Kind;

use self::joins::JsonPathsBelowJoins;
use crate::functions::{Function, SCAN_METADATA, call, function_of, moved_to_scan, steps_of};
use crate::json::{Form, JsonPath};
use crate::never::Never;
use crate::scan::{Scan, ScanExec};
use crate::walk::Asked;

/// DataFusion's rules over logical plans with these: calls above joins are brought down first, calls are marked before any of its own, which move what is marked down to the
/// scans, and those that got into joins by then lose the mark right before they do so.
pub(crate) fn logical_rules() -> Vec<Arc<dyn OptimizerRule + Send + Sync>> {
    let mut rules = Optimizer::new().rules;
    let mut moving = rules.iter();
    let moving = moving.position(|rule| rule.name() == "extract_leaf_expressions");
    rules.insert(moving.unwrap_or(0), Arc::new(JsonPathsInJoins));
    // Once constants are computed, and before conditions go to the tables.
    let pushed = rules
        .iter()
        .position(|rule| rule.name() == "push_down_filter");
    rules.insert(pushed.unwrap_or(0), Arc::new(Never));
    rules.insert(0, Arc::new(JsonPathsMarked));
    rules.insert(0, Arc::new(JsonPathsBelowJoins));
    rules
}

/// The rule that marks calls over a resource's JSON.
#[derive(Debug)]
struct JsonPathsMarked;

impl OptimizerRule for JsonPathsMarked {
    fn name(&self) -> &'static str {
        "json_paths_marked"
    }

    // Not into subqueries that stay expressions: two that are the same are computed once, and what is moved gets names of its own.
    fn rewrite(
        &self,
        plan: LogicalPlan,
        _config: &dyn OptimizerConfig,
    ) -> PlanResult<Transformed<LogicalPlan>> {
        plan.transform_up(mark_node)
    }
}

fn mark_node(plan: LogicalPlan) -> PlanResult<Transformed<LogicalPlan>> {
    match plan.inputs().as_slice() {
        [input] if is_over_scan(input) => {}
        _ => return Ok(Transformed::no(plan)),
    }
    let schema = Arc::clone(plan.inputs()[0].schema());
    let names = NamePreserver::new(&plan);
    plan.map_expressions(|expr| {
        let name = names.save(&expr);
        let marked = expr.transform_up(|expr| mark(expr, &schema))?;
        Ok(marked.update_data(|expr| name.restore(expr)))
    })
}

/// Whether the rows of a plan are those of one scan, selected and named. DataFusion 55 does not bring calls safely through more: in a join, and
/// above one or a LIMIT, a call is made where it stands, unless its condition was moved below.
fn is_over_scan(plan: &LogicalPlan) -> bool {
    match plan {
        LogicalPlan::TableScan(_) => true,
        LogicalPlan::Filter(it) => is_over_scan(&it.input),
        LogicalPlan::SubqueryAlias(it) => is_over_scan(&it.input),
        _ => false,
    }
}

/// The rule that takes the mark off calls that have become conditions of a join, out of a subquery for example: DataFusion 55 does not find
/// the keys of a join again whose parts it has moved below an alias. It goes right before the rule that moves them.
#[derive(Debug)]
struct JsonPathsInJoins;

impl OptimizerRule for JsonPathsInJoins {
    fn name(&self) -> &'static str {
        "json_paths_in_joins"
    }

    fn apply_order(&self) -> Option<ApplyOrder> {
        Some(ApplyOrder::BottomUp)
    }

    fn rewrite(
        &self,
        plan: LogicalPlan,
        _config: &dyn OptimizerConfig,
    ) -> PlanResult<Transformed<LogicalPlan>> {
        match plan {
            LogicalPlan::Join(_) => {
                plan.map_expressions(|expr| expr.transform_up(|part| Ok(unmark(part))))
            }
            _ => Ok(Transformed::no(plan)),
        }
    }
}

/// A call as it was before it was marked.
fn unmark(expr: Expr) -> Transformed<Expr> {
    match &expr {
        Expr::ScalarFunction(ScalarFunction { func, args }) => match function_of(func) {
            Some((function, true)) => Transformed::yes(call(function, args.clone())),
            _ => Transformed::no(expr),
        },
        _ => Transformed::no(expr),
    }
}

fn mark(expr: Expr, schema: &DFSchema) -> PlanResult<Transformed<Expr>> {
    let Expr::ScalarFunction(ScalarFunction { func, args }) = &expr else {
        return Ok(Transformed::no(expr));
    };
    let (Some((function, false)), Some((json, path))) = (function_of(func), args.split_first())
    else {
        return Ok(Transformed::no(expr));
    };
    let of_scan = match json {
        Expr::Column(column) => {
            let field = schema.qualified_field_from_column(column);
            field.is_ok_and(|(_, field)| field.metadata().contains_key(SCAN_METADATA))
        }
        Expr::ScalarFunction(inner) => {
            function_of(&inner.func).is_some_and(|inner| inner == (Function::JsonGet, true))
        }
        _ => false,
    };
    let constants: Option<Vec<ScalarValue>> = path
        .iter()
        .map(|step| match step {
            Expr::Literal(value, _) => Some(value.clone()),
            _ => None,
        })
        .collect();
    if !of_scan || constants.is_none_or(|path| steps_of(function, &path).is_none()) {
        return Ok(Transformed::no(expr));
    }
    Ok(Transformed::yes(match function {
        Function::JsonGet | Function::JsonGetText | Function::JsonExtract => {
            moved_to_scan(function, args.clone())
        }
        // What they look at is decoded; the rest is computed of it.
        _ => {
            let part = moved_to_scan(Function::JsonGet, args.clone());
            func.call(vec![part])
        }
    }))
}

/// The rule that takes paths into scans. It goes before DataFusion's own, so that nothing refers to the columns of a scan yet but the
/// projection right above.
#[derive(Debug)]
pub(crate) struct JsonPathsScanned;

impl PhysicalOptimizerRule for JsonPathsScanned {
    fn optimize(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        _config: &ConfigOptions,
    ) -> PlanResult<Arc<dyn ExecutionPlan>> {
        plan.transform_up(|node| {
            let Some(projection) = node.downcast_ref::<ProjectionExec>() else {
                return Ok(Transformed::no(node));
            };
            let Some(scan) = projection.input().downcast_ref::<ScanExec>() else {
                return Ok(Transformed::no(node));
            };
            Ok(match taken(projection, scan)? {
                Some(taken) => Transformed::yes(taken),
                None => Transformed::no(node),
            })
        })
        .data()
    }

    fn name(&self) -> &'static str {
        "json_paths_scanned"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

/// The projection over a scan that decodes its paths; `None` if it has none.
fn taken(
    projection: &ProjectionExec,
    scan: &ScanExec,
) -> PlanResult<Option<Arc<dyn ExecutionPlan>>> {
    let own = scan.scan();
    let mut columns = Columns {
        own,
        chosen: Vec::new(),
    };
    let mut any = false;
    let mut outputs = Vec::with_capacity(projection.expr().len());
    for output in projection.expr() {
        let expr = Arc::clone(&output.expr).transform_down(|expr| {
            Ok(if let Some(found) = path_of(&expr, own) {
                any = true;
                let column = columns.path(found);
                Transformed::new(column, true, TreeNodeRecursion::Jump)
            } else if let Some(column) = expr.downcast_ref::<Column>() {
                Transformed::yes(columns.plain(column.index()))
            } else {
                Transformed::no(expr)
            })
        });
        outputs.push(ProjectionExpr {
            expr: expr.data()?,
            alias: output.alias.clone(),
        });
    }
    if !any {
        return Ok(None);
    }
    let fields: Vec<FieldRef> = columns
        .chosen
        .iter()
        .map(|(_, field)| Arc::clone(field))
        .collect();
    let scan = scan.with(Scan {
        asked: columns.chosen.into_iter().map(|(asked, _)| asked).collect(),
        schema: Arc::new(Schema::new(fields)),
        ..own.clone()
    });
    Ok(Some(Arc::new(ProjectionExec::try_new(
        outputs,
        Arc::new(scan),
    )?)))
}

/// The columns that are left of a scan, in their order.
struct Columns<'s> {
    own: &'s Scan,
    chosen: Vec<(Asked, FieldRef)>,
}

impl Columns<'_> {
    fn plain(&mut self, index: usize) -> Arc<dyn PhysicalExpr> {
        let field = Arc::clone(&self.own.schema.fields()[index]);
        self.column(self.own.asked[index].clone(), field)
    }

    fn path(&mut self, (asked, field): (Asked, FieldRef)) -> Arc<dyn PhysicalExpr> {
        self.column(asked, field)
    }

    fn column(&mut self, asked: Asked, field: FieldRef) -> Arc<dyn PhysicalExpr> {
        let at = match self.chosen.iter().position(|(known, _)| *known == asked) {
            Some(at) => at,
            None => {
                self.chosen.push((asked, field));
                self.chosen.len() - 1
            }
        };
        Arc::new(Column::new(self.chosen[at].1.name(), at))
    }
}

/// The column that stands for a call over a scan's JSON, if the expression is one.
fn path_of(expr: &Arc<dyn PhysicalExpr>, scan: &Scan) -> Option<(Asked, FieldRef)> {
    let call = expr.downcast_ref::<ScalarFunctionExpr>()?;
    let (function, true) = function_of(call.fun())? else {
        return None;
    };
    let form = match function {
        Function::JsonGet => Form::Json,
        Function::JsonGetText | Function::JsonExtract => Form::Text,
        _ => return None,
    };
    let (json, path) = call.args().split_first()?;
    let constants: Option<Vec<ScalarValue>> = path
        .iter()
        .map(|step| Some(step.downcast_ref::<Literal>()?.value().clone()))
        .collect();
    let own = steps_of(function, &constants?)?;
    let (name, mut steps) = match json.downcast_ref::<Column>() {
        Some(column) => {
            let asked = &scan.asked[column.index()];
            let whole = asked.kind == Kind::Json && asked.path.is_none();
            (whole.then(|| asked.name.clone())?, Vec::new())
        }
        None => {
            let (inner, _) = path_of(json, scan)?;
            let path = inner.path?;
            if path.form != Form::Json {
                return None;
            }
            (inner.name, path.steps.clone())
        }
    };
    steps.extend(own);
    let path = JsonPath { steps, form };
    let field = call.return_field(&scan.schema).ok()?;
    let mark = if form == Form::Json { "::json" } else { "" };
    let field = field
        .as_ref()
        .clone()
        .with_name(format!("{name}{path}{mark}"));
    let asked = Asked {
        name,
        kind: Kind::Text,
        path: Some(Arc::new(path)),
    };
    Some((asked, Arc::new(field)))
}
