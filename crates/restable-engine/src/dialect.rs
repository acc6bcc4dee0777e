//! What restable's SQL means beyond DataFusion's: paths into JSON text, JSON compared with numbers, and names of Azure
//! scopes that compare without regard to case. The rules act on plans, before DataFusion's type coercion sees them; the
//! inputs of calls are checked after its optimizer. Nothing here knows a table.

mod comparisons;
mod implied;
mod inputs;
mod marks;

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

pub use self::comparisons::Comparisons;
pub use self::inputs::InputsChecked;
use self::marks::cast_json;
use crate::functions::{Function, call};

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
            | BinaryOperator::Modulo
            | BinaryOperator::Gt
            | BinaryOperator::Lt
            | BinaryOperator::GtEq
            | BinaryOperator::LtEq
            | BinaryOperator::Eq
            | BinaryOperator::NotEq => {
                let mut sides = [raw.left, raw.right];
                cast_json(&mut sides, schema);
                let [left, right] = sides;
                Ok(PlannerResult::Original(RawBinaryExpr {
                    op: raw.op,
                    left,
                    right,
                }))
            }
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
