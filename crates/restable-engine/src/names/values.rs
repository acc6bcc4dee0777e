//! Places where text out of JSON is meant as a condition or as a number: it is wrapped in `json_boolean` or `json_number`,
//! which know the type when the statement is planned and leave alone what is none. Refuses nothing itself.

use datafusion::sql::sqlparser::ast::{
    BinaryOperator, CaseWhen, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArgumentList,
    FunctionArguments, Ident, Join, JoinConstraint, ObjectName, Select, TableFactor,
    TableWithJoins, UnaryOperator, Value,
};

use super::factors::constraint;

/// Functions that compute with numbers only.
const NUMERIC: [&str; 26] = [
    "sum",
    "avg",
    "mean",
    "median",
    "stddev",
    "stddev_pop",
    "stddev_samp",
    "var",
    "var_pop",
    "var_samp",
    "var_sample",
    "var_population",
    "abs",
    "ceil",
    "ceiling",
    "floor",
    "round",
    "trunc",
    "sqrt",
    "power",
    "pow",
    "exp",
    "ln",
    "log10",
    "sign",
    "mod",
];

/// What an expression says of its parts.
pub(super) fn expression(expr: &mut Expr) {
    match expr {
        Expr::BinaryOp {
            left,
            op: BinaryOperator::And | BinaryOperator::Or,
            right,
        } => {
            condition(left);
            condition(right);
        }
        Expr::UnaryOp {
            op: UnaryOperator::Not,
            expr,
        }
        | Expr::IsTrue(expr)
        | Expr::IsNotTrue(expr)
        | Expr::IsFalse(expr)
        | Expr::IsNotFalse(expr)
        | Expr::IsUnknown(expr)
        | Expr::IsNotUnknown(expr) => condition(expr),
        Expr::UnaryOp {
            op: UnaryOperator::Minus | UnaryOperator::Plus,
            expr,
        } => number(expr),
        // The types of these are settled when they are planned, before any rule sees them.
        Expr::IsDistinctFrom(left, right) | Expr::IsNotDistinctFrom(left, right) => {
            beside(left, right);
            beside(right, left);
        }
        Expr::Case {
            operand: None,
            conditions,
            ..
        } => {
            for CaseWhen {
                condition: when, ..
            } in conditions
            {
                condition(when);
            }
        }
        Expr::Function(function) => self::function(function),
        _ => {}
    }
}

fn function(function: &mut Function) {
    if let Some(filter) = &mut function.filter {
        condition(filter);
    }
    let name = function.name.to_string().to_ascii_lowercase();
    let FunctionArguments::List(FunctionArgumentList { args, .. }) = &mut function.args else {
        return;
    };
    let mut values: Vec<&mut Expr> = args.iter_mut().filter_map(value).collect();
    let numeric = NUMERIC.contains(&name.as_str());
    // `coalesce(path, 0)` is a number.
    let beside = matches!(
        name.as_str(),
        "coalesce" | "nvl" | "ifnull" | "greatest" | "least"
    ) && values.iter().any(|value| is_number(value));
    if numeric || beside {
        values.iter_mut().for_each(|value| number(value));
    }
}

/// What the clauses of a SELECT say.
pub(super) fn clauses(select: &mut Select) {
    let conditions = [
        &mut select.selection,
        &mut select.having,
        &mut select.qualify,
    ];
    conditions.into_iter().flatten().for_each(condition);
    select.from.iter_mut().for_each(joined);
}

/// A value compared with a literal of a type.
fn beside(value: &mut Expr, literal: &Expr) {
    if is_number(literal) {
        number(value);
    } else if is_boolean(literal) {
        condition(value);
    }
}

fn joined(from: &mut TableWithJoins) {
    let inner = |factor: &mut TableFactor| {
        if let TableFactor::NestedJoin {
            table_with_joins, ..
        } = factor
        {
            joined(table_with_joins);
        }
    };
    inner(&mut from.relation);
    for Join {
        relation,
        join_operator,
        ..
    } in &mut from.joins
    {
        inner(relation);
        if let Some(JoinConstraint::On(on)) = constraint(join_operator) {
            condition(on);
        }
    }
}

fn condition(expr: &mut Expr) {
    wrap(expr, "json_boolean");
}

fn number(expr: &mut Expr) {
    wrap(expr, "json_number");
}

fn wrap(expr: &mut Expr, name: &str) {
    if !may_be_json(expr) {
        return;
    }
    let nothing = Expr::Value(Value::Null.into());
    let value = std::mem::replace(expr, nothing);
    *expr = Expr::Function(Function {
        name: ObjectName::from(vec![Ident::new(name)]),
        uses_odbc_syntax: false,
        parameters: FunctionArguments::None,
        args: FunctionArguments::List(FunctionArgumentList {
            duplicate_treatment: None,
            args: vec![FunctionArg::Unnamed(FunctionArgExpr::Expr(value))],
            clauses: Vec::new(),
        }),
        filter: None,
        null_treatment: None,
        over: None,
        within_group: Vec::new(),
    });
}

fn may_be_json(expr: &Expr) -> bool {
    match expr {
        Expr::Identifier(_) | Expr::CompoundIdentifier(_) | Expr::CompoundFieldAccess { .. } => {
            true
        }
        Expr::Nested(inner) => may_be_json(inner),
        Expr::BinaryOp { op, .. } => {
            matches!(op, BinaryOperator::Arrow | BinaryOperator::LongArrow)
        }
        Expr::Function(function) => {
            let name = function.name.to_string().to_ascii_lowercase();
            matches!(name.as_str(), "json_get" | "json_get_text" | "json_extract")
        }
        _ => false,
    }
}

fn is_number(expr: &Expr) -> bool {
    match expr {
        Expr::Value(value) => matches!(value.value, Value::Number(..)),
        Expr::UnaryOp { expr, .. } | Expr::Nested(expr) => is_number(expr),
        _ => false,
    }
}

fn is_boolean(expr: &Expr) -> bool {
    match expr {
        Expr::Value(value) => matches!(value.value, Value::Boolean(_)),
        Expr::Nested(expr) => is_boolean(expr),
        _ => false,
    }
}

fn value(arg: &mut FunctionArg) -> Option<&mut Expr> {
    match arg {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => Some(expr),
        _ => None,
    }
}
