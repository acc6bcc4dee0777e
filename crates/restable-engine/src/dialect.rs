//! What restable's SQL means beyond DataFusion's: paths into JSON text, JSON compared with numbers, and names of Azure
//! scopes that compare without regard to case. The rules act on plans, before DataFusion's type coercion sees them; the
//! inputs of calls are checked after its optimizer. Nothing here knows a table.

mod comparisons;
mod forms;
mod implied;
mod inputs;
mod json_casts;
mod kept;
mod marks;
mod refusals;
mod rows_in;

use arrow::datatypes::DataType;
use datafusion::common::config::ConfigOptions;
use datafusion::common::{DFSchema, Result};
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::planner::{
    ExprPlanner, PlannerResult, RawBinaryExpr, RawFieldAccessExpr,
};
use datafusion::logical_expr::{Expr, ExprSchemable, GetFieldAccess, LogicalPlan};
use datafusion::optimizer::AnalyzerRule;
use datafusion::sql::sqlparser::ast::BinaryOperator;
use restable_sql::Diagnostic;

pub use self::comparisons::Comparisons;
pub use self::inputs::InputsChecked;
pub use self::json_casts::json_casts;
use self::marks::{cast_json, cast_json_operands};
pub use self::rows_in::rows_in;
use crate::functions::{Function, JSON_METADATA, NAME_METADATA, call};

/// What is kept of a statement for later, such as the query of a view: with its comparisons understood, since DataFusion
/// settles the types of what it keeps before any rule of a session sees it.
pub fn prepared(plan: LogicalPlan) -> Result<LogicalPlan> {
    match plan {
        LogicalPlan::Ddl(_) => Comparisons.analyze(plan, &ConfigOptions::default()),
        other => Ok(other),
    }
}

/// Plans `->`, `->>`, subscripts on JSON text, and JSON text against numbers.
#[derive(Debug)]
pub struct JsonPlanner;

impl ExprPlanner for JsonPlanner {
    fn plan_binary_op(
        &self,
        raw: RawBinaryExpr,
        schema: &DFSchema,
    ) -> Result<PlannerResult<RawBinaryExpr>> {
        match raw.op {
            BinaryOperator::Arrow => Ok(PlannerResult::Planned(call(
                Function::JsonGet,
                vec![raw.left, raw.right],
            ))),
            BinaryOperator::LongArrow => Ok(PlannerResult::Planned(call(
                Function::JsonGetText,
                vec![raw.left, raw.right],
            ))),
            BinaryOperator::Plus
            | BinaryOperator::Minus
            | BinaryOperator::Multiply
            | BinaryOperator::Divide
            | BinaryOperator::Modulo => Ok(cast_sides(raw, schema, cast_json_operands)),
            BinaryOperator::Gt
            | BinaryOperator::Lt
            | BinaryOperator::GtEq
            | BinaryOperator::LtEq
            | BinaryOperator::Eq
            | BinaryOperator::NotEq => Ok(cast_sides(raw, schema, |sides, schema| {
                cast_json(sides, schema);
            })),
            _ => Ok(PlannerResult::Original(raw)),
        }
    }

    fn plan_field_access(
        &self,
        raw: RawFieldAccessExpr,
        schema: &DFSchema,
    ) -> Result<PlannerResult<RawFieldAccessExpr>> {
        let is_text = matches!(
            raw.expr.get_type(schema)?,
            DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View
        );
        if !is_text {
            return Ok(PlannerResult::Original(raw));
        }
        let carries = |key| marks::carries(&raw.expr, schema, key);
        // Text that a user made may be JSON; a column of a document that is none is not.
        if carries(NAME_METADATA) && !carries(JSON_METADATA) {
            return Err(no_json(&raw.expr, schema).into());
        }
        let key = match raw.field_access {
            GetFieldAccess::NamedStructField { ref name } => Expr::Literal(name.clone(), None),
            GetFieldAccess::ListIndex { ref key } => (**key).clone(),
            GetFieldAccess::ListRange { .. } => return Ok(PlannerResult::Original(raw)),
        };
        Ok(PlannerResult::Planned(match raw.expr {
            // One call for a whole path: the text is read once, not once for each step.
            Expr::ScalarFunction(ScalarFunction { func, mut args })
                if func.name() == "json_get_text" =>
            {
                args.push(key);
                call(Function::JsonGetText, args)
            }
            json => call(Function::JsonGetText, vec![json, key]),
        }))
    }
}

fn cast_sides(
    raw: RawBinaryExpr,
    schema: &DFSchema,
    cast: impl Fn(&mut [Expr], &DFSchema),
) -> PlannerResult<RawBinaryExpr> {
    let mut sides = [raw.left, raw.right];
    cast(&mut sides, schema);
    let [left, right] = sides;
    let op = raw.op;
    PlannerResult::Original(RawBinaryExpr { op, left, right })
}

fn no_json(column: &Expr, schema: &DFSchema) -> crate::Error {
    let field = column.to_field(schema).map(|(_, field)| field);
    let name = field
        .ok()
        .and_then(|field| field.metadata().get(NAME_METADATA).cloned());
    let name = name.unwrap_or_else(|| column.human_display().to_string());
    let message =
        format!("the column `{name}` holds text, not JSON: there is nothing in it to name");
    let problem = Diagnostic::new("R0206", message);
    crate::Error::from(problem.help(format!(
        "`json_get_text({name}, 'key')` reads a text as JSON; `DESCRIBE` says which columns are JSON"
    )))
}
