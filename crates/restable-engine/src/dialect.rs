//! What restable's SQL means beyond DataFusion's: paths into JSON text, JSON compared with numbers, and names of Azure
//! scopes that compare without regard to case. The rules act on plans, before DataFusion's type coercion sees them; the
//! inputs of calls are checked after its optimizer. Nothing here knows a table.

mod comparisons;
mod dependent;
mod distinct_counts;
mod forms;
mod implied;
mod implied_below;
mod inputs;
mod json_casts;
mod kept;
mod kinds;
mod lateral;
mod lifted;
mod lists;
mod literals;
mod made_rows;
mod marks;
mod meant;
mod mixed;
mod null_keys;
mod refusals;
mod rows_in;
mod subqueries;
mod typed_rows;
mod words;

use arrow::datatypes::{DataType, TimeUnit};
use datafusion::common::config::ConfigOptions;
use datafusion::common::{DFSchema, Result, ScalarValue};
use datafusion::functions_nested::expr_fn::array_has_any;
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::planner::{
    ExprPlanner, PlannerResult, RawBinaryExpr, RawFieldAccessExpr,
};
use datafusion::logical_expr::{Expr, ExprSchemable, GetFieldAccess, LogicalPlan, cast, lit};
use datafusion::optimizer::AnalyzerRule;
use datafusion::sql::sqlparser::ast::BinaryOperator;
use restable_sql::Diagnostic;

pub use self::comparisons::Comparisons;
pub use self::distinct_counts::with_plain_counts;
pub use self::implied_below::with_implied;
pub use self::inputs::InputsChecked;
pub use self::json_casts::json_casts;
pub use self::lifted::Lifted;
pub(crate) use self::literals::exact as exact_number;
pub(crate) use self::made_rows::has_column;
pub use self::made_rows::made_rows;
use self::marks::{cast_json, cast_json_operands, is_interval, is_text};
pub use self::null_keys::with_null_keys;
pub use self::rows_in::rows_in;
pub use self::subqueries::with_marks;
pub use self::typed_rows::typed_rows;
pub use self::words::{is_by_bytes, marks_of, put as put_words};
use crate::functions::{
    Function, JSON_METADATA, NAME_METADATA, bounded, call, decimals, edited, made, merged, plain,
    times, written,
};

/// A plan with the types that its columns have. What is kept of a statement for later, such as the query of a view, has its comparisons
/// understood too, since DataFusion settles the types of what it keeps before any rule of a session sees it.
pub fn prepared(plan: LogicalPlan) -> Result<LogicalPlan> {
    let plan = lateral::beside_rows(mixed::floats_stay(plan)?)?;
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
            BinaryOperator::Multiply | BinaryOperator::Divide if spans(&raw, schema) => {
                Ok(PlannerResult::Planned(scaled_span(raw, schema)?))
            }
            BinaryOperator::Divide if exact(&raw, schema, decimals::are_exact) => Ok(
                PlannerResult::Planned(decimals::quotient().call(vec![raw.left, raw.right])),
            ),
            BinaryOperator::Multiply if exact(&raw, schema, decimals::is_long_product) => Ok(
                PlannerResult::Planned(decimals::product().call(vec![raw.left, raw.right])),
            ),
            BinaryOperator::Plus if exact(&raw, schema, decimals::is_long_sum) => Ok(
                PlannerResult::Planned(decimals::sum().call(vec![raw.left, raw.right])),
            ),
            BinaryOperator::Minus if exact(&raw, schema, decimals::is_long_sum) => Ok(
                PlannerResult::Planned(decimals::difference().call(vec![raw.left, raw.right])),
            ),
            BinaryOperator::Minus | BinaryOperator::HashMinus if takes_out(&raw, schema) => Ok(
                PlannerResult::Planned(edited::without(raw.op, raw.left, raw.right)),
            ),
            BinaryOperator::PGOverlap if are_lists(&raw, schema) => {
                Ok(PlannerResult::Planned(array_has_any(raw.left, raw.right)))
            }
            BinaryOperator::PGStartsWith => {
                let found = datafusion::functions::string::expr_fn::starts_with;
                Ok(PlannerResult::Planned(found(raw.left, raw.right)))
            }
            BinaryOperator::Question
            | BinaryOperator::QuestionPipe
            | BinaryOperator::QuestionAnd
            | BinaryOperator::AtArrow
            | BinaryOperator::ArrowAt
                if is_text(&raw.left, schema) =>
            {
                Ok(PlannerResult::Planned(made::tested(
                    raw.op, raw.left, raw.right,
                )))
            }
            BinaryOperator::Plus | BinaryOperator::Minus if moves_time(&raw, schema) => {
                Ok(moved_by_text(raw))
            }
            BinaryOperator::Plus | BinaryOperator::Minus if moves_date(&raw, schema) => {
                let midnight = |side: Expr| match side.get_type(schema) {
                    Ok(DataType::Date32) => {
                        cast(side, DataType::Timestamp(TimeUnit::Nanosecond, None))
                    }
                    _ => side,
                };
                let [left, right] = [raw.left, raw.right].map(midnight);
                let op = raw.op;
                Ok(PlannerResult::Original(RawBinaryExpr { op, left, right }))
            }
            BinaryOperator::StringConcat
                if marks::are_whole_json(&raw.left, &raw.right, schema) =>
            {
                Ok(PlannerResult::Planned(merged::joined(raw.left, raw.right)))
            }
            BinaryOperator::StringConcat => {
                let [left, right] = [raw.left, raw.right].map(|side| as_text(side, schema));
                // Of two texts it is known how large they are together; lists are DataFusion's.
                if is_text(&left, schema) && is_text(&right, schema) {
                    let joined = bounded::joined().call(vec![left, right]);
                    return Ok(PlannerResult::Planned(joined));
                }
                let op = raw.op;
                Ok(PlannerResult::Original(RawBinaryExpr { op, left, right }))
            }
            BinaryOperator::Plus
            | BinaryOperator::Minus
            | BinaryOperator::Multiply
            | BinaryOperator::Divide
            | BinaryOperator::Modulo => {
                let raw = numbers_beside(raw, schema)?;
                Ok(cast_sides(raw, schema, cast_json_operands))
            }
            BinaryOperator::Gt
            | BinaryOperator::Lt
            | BinaryOperator::GtEq
            | BinaryOperator::LtEq
            | BinaryOperator::Eq
            | BinaryOperator::NotEq => {
                let truth = |side: &Expr| {
                    side.get_type(schema)
                        .is_ok_and(|it| it == DataType::Boolean)
                };
                let mut sides = [raw.left, raw.right];
                if sides.iter().any(truth) {
                    meant::truths_beside(&mut sides)?;
                }
                if sides.iter().any(|side| is_interval(side, schema)) {
                    meant::intervals_beside(&mut sides)?;
                }
                let [mut left, mut right] = sides;
                let op = raw.op;
                let equal = matches!(op, BinaryOperator::Eq | BinaryOperator::NotEq);
                if equal && marks::are_whole_json(&left, &right, schema) {
                    left = edited::key().call(vec![left]);
                    right = edited::key().call(vec![right]);
                }
                let raw = RawBinaryExpr { op, left, right };
                Ok(cast_sides(raw, schema, |sides, schema| {
                    cast_json(sides, schema);
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

/// `json - 'key'`, `json - ARRAY['k']`. A number that is taken from JSON is taken from the number that it is, as long as nobody says that
/// the JSON is a whole.
fn takes_out(raw: &RawBinaryExpr, schema: &DFSchema) -> bool {
    if !marks::is_whole_json(&raw.left, schema) {
        return false;
    }
    match raw.right.get_type(schema) {
        Ok(DataType::Utf8 | DataType::Utf8View | DataType::LargeUtf8 | DataType::List(_)) => {
            !marks::is_json(&raw.right, schema)
        }
        Ok(kind) if kind.is_integer() => match &raw.left {
            Expr::ScalarFunction(function) => function.func.name().starts_with("jsonb_"),
            _ => false,
        },
        _ => false,
    }
}

fn are_lists(raw: &RawBinaryExpr, schema: &DFSchema) -> bool {
    let list = |side: &Expr| matches!(side.get_type(schema), Ok(DataType::List(_)));
    list(&raw.left) && list(&raw.right)
}

/// An interval and a number.
fn spans(raw: &RawBinaryExpr, schema: &DFSchema) -> bool {
    let span = |side: &Expr| {
        let kind = side.get_type(schema);
        matches!(kind, Ok(DataType::Interval(_) | DataType::Duration(_)))
    };
    let number = |side: &Expr| side.get_type(schema).is_ok_and(|kind| kind.is_numeric());
    let divided = raw.op == BinaryOperator::Divide;
    (span(&raw.left) && number(&raw.right)) || (!divided && number(&raw.left) && span(&raw.right))
}

fn exact(raw: &RawBinaryExpr, schema: &DFSchema, test: fn(&DataType, &DataType) -> bool) -> bool {
    let sides = (raw.left.get_type(schema), raw.right.get_type(schema));
    matches!(sides, (Ok(left), Ok(right)) if test(&left, &right))
}

/// A day and an interval: what comes of them has a time of the day.
fn moves_date(raw: &RawBinaryExpr, schema: &DFSchema) -> bool {
    let kinds = (raw.left.get_type(schema), raw.right.get_type(schema));
    match kinds {
        (Ok(DataType::Date32), Ok(DataType::Interval(_) | DataType::Duration(_))) => true,
        (Ok(DataType::Interval(_) | DataType::Duration(_)), Ok(DataType::Date32)) => {
            raw.op == BinaryOperator::Plus
        }
        _ => false,
    }
}

/// `1 + '2'`: a text that is written out beside a number is one.
fn numbers_beside(raw: RawBinaryExpr, schema: &DFSchema) -> Result<RawBinaryExpr> {
    let read = |side: &Expr, other: &Expr| -> Result<Option<Expr>> {
        let Expr::Literal(value, _) = side else {
            return Ok(None);
        };
        let (Some(text), Ok(kind)) = (value.try_as_str().flatten(), other.get_type(schema)) else {
            return Ok(None);
        };
        let (text, name) = (text.trim(), kinds_shown(&kind));
        let number = match &kind {
            kind if kind.is_integer() => text.parse().ok().map(|it: i64| lit(it)),
            kind if kind.is_floating() => text.parse().ok().map(|it: f64| lit(it)),
            DataType::Decimal128(..) => {
                let places = text.split_once('.').map_or(0, |(_, places)| places.len());
                let scale = i8::try_from(places.min(30)).unwrap_or(0);
                let value = ScalarValue::Utf8(Some(text.to_owned()));
                let value = value.cast_to(&DataType::Decimal128(38, scale)).ok();
                value
                    .filter(|it| !it.is_null())
                    .map(|it| Expr::Literal(it, None))
            }
            _ => return Ok(None),
        };
        number.map(Some).ok_or_else(|| {
            let problem = format!("invalid input syntax for type {name}: `{text}`");
            crate::Error::from(Diagnostic::new("R0208", problem)).into()
        })
    };
    let left = read(&raw.left, &raw.right)?;
    let right = read(&raw.right, &raw.left)?;
    Ok(RawBinaryExpr {
        op: raw.op,
        left: left.unwrap_or(raw.left),
        right: right.unwrap_or(raw.right),
    })
}

fn kinds_shown(kind: &DataType) -> String {
    let oid = crate::pg_catalog::kinds::of(kind);
    crate::pg_catalog::kinds::shown(oid).unwrap_or_else(|| kind.to_string())
}

fn scaled_span(raw: RawBinaryExpr, schema: &DFSchema) -> Result<Expr> {
    let float = |number: Expr| cast(number, DataType::Float64);
    let number_first = raw.left.get_type(schema)?.is_numeric();
    let arguments = match (number_first, raw.op) {
        (true, _) => vec![raw.right, float(raw.left)],
        (false, BinaryOperator::Divide) => vec![raw.left, lit(1.0) / float(raw.right)],
        (false, _) => vec![raw.left, float(raw.right)],
    };
    Ok(plain::scaled().call(arguments))
}

/// `now() - '30 days'`: a time, and a text that is no time.
fn moves_time(raw: &RawBinaryExpr, schema: &DFSchema) -> bool {
    let kind = raw.left.get_type(schema);
    let time = matches!(kind, Ok(DataType::Timestamp(..) | DataType::Date32));
    time && interval_of(&raw.right).is_some()
}

fn interval_of(expr: &Expr) -> Option<ScalarValue> {
    let Expr::Literal(value, _) = expr else {
        return None;
    };
    let text = value.try_as_str().flatten()?;
    plain::interval(text).filter(|_| !times::is_time(text))
}

fn moved_by_text(raw: RawBinaryExpr) -> PlannerResult<RawBinaryExpr> {
    let right = match interval_of(&raw.right) {
        Some(interval) => Expr::Literal(interval, None),
        None => raw.right,
    };
    PlannerResult::Original(RawBinaryExpr { right, ..raw })
}

/// A part of a text that is joined: times and floats as PostgreSQL writes them.
fn as_text(side: Expr, schema: &DFSchema) -> Expr {
    match side.get_type(schema) {
        Ok(
            DataType::Timestamp(..)
            | DataType::Float64
            | DataType::Float32
            | DataType::Interval(_)
            | DataType::Duration(_),
        ) => written::as_text().call(vec![side]),
        _ => side,
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
