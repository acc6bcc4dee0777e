//! The types of parameters that nobody declared: what the statement itself says of them, by a cast or by where they stand, and what they
//! stand beside. Nothing is sent to find out.

use std::collections::{HashMap, HashSet};
use std::ops::ControlFlow;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field};
use datafusion::sql::sqlparser::ast::helpers::attached_token::AttachedToken;
use datafusion::sql::sqlparser::ast::{
    BinaryOperator, CaseWhen, Expr, FunctionArg, FunctionArgExpr, FunctionArguments, LimitClause,
    ObjectName, Query, TableFactor, TableVersion, Value, Visit, VisitMut, Visitor, VisitorMut,
};
use restable_sql::Parsed;

use crate::parameters::arrow_type;
use crate::pg_catalog;

/// The parameters that say as of which time a snapshot is read, by position from 0.
pub(crate) fn times(parsed: &Parsed) -> HashSet<usize> {
    let mut found = Times::default();
    if let restable_sql::Statement::Query(statement) = &parsed.statement {
        let _ = Visit::visit(statement.as_ref(), &mut found);
    }
    found.0
}

#[derive(Default)]
struct Times(HashSet<usize>);

impl Visitor for Times {
    type Break = ();

    fn pre_visit_table_factor(&mut self, factor: &TableFactor) -> ControlFlow<()> {
        if let TableFactor::Table {
            version: Some(TableVersion::ForSystemTimeAsOf(time)),
            ..
        } = factor
        {
            let mut within = Placeholders::default();
            let _ = Visit::visit(time, &mut within);
            self.0.extend(within.0);
        }
        ControlFlow::Continue(())
    }
}

#[derive(Default)]
struct Placeholders(HashSet<usize>);

impl Visitor for Placeholders {
    type Break = ();

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
        self.0.extend(place(expr));
        ControlFlow::Continue(())
    }
}

/// The types that the statement itself gives its parameters, as in `$1::bigint`, by position from 0.
pub(crate) fn written_types(parsed: &Parsed) -> HashMap<usize, DataType> {
    let mut found = Written::default();
    if let restable_sql::Statement::Query(statement) = &parsed.statement {
        let _ = Visit::visit(statement.as_ref(), &mut found);
    }
    found.0
}

#[derive(Default)]
struct Written(HashMap<usize, DataType>);

impl Visitor for Written {
    type Break = ();

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
        if let Expr::Cast {
            expr, data_type, ..
        } = expr
            && let Some(at) = place(expr)
            && let Some(kind) = arrow_type(data_type)
        {
            self.0.insert(at, kind);
        }
        // Places and lengths, as PostgreSQL has them.
        if let Expr::Substring {
            substring_from: Some(from),
            substring_for: Some(length),
            ..
        } = expr
        {
            for at in [place(from), place(length)].into_iter().flatten() {
                self.0.entry(at).or_insert(DataType::Int32);
            }
        }
        if let Expr::Function(function) = expr
            && let FunctionArguments::List(given) = &function.args
        {
            self.lengths(&function.name, &given.args);
        }
        // A list of what the other side is; text becomes what it is compared with.
        if let Expr::AnyOp { left, right, .. } | Expr::AllOp { left, right, .. } = expr
            && let Some(at) = place(right)
            && let Some(item) = pg_catalog::column_type(left)
        {
            self.0.entry(at).or_insert(list_of(item));
        }
        if let Expr::Function(function) = expr
            && is_series(&function.name)
            && let FunctionArguments::List(given) = &function.args
        {
            self.series(&given.args);
        }
        if let Expr::Case {
            operand: None,
            conditions,
            ..
        } = expr
        {
            for at in conditions.iter().filter_map(|when| place(&when.condition)) {
                self.0.entry(at).or_insert(DataType::Boolean);
            }
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_table_factor(&mut self, factor: &TableFactor) -> ControlFlow<()> {
        match factor {
            TableFactor::Table {
                name,
                args: Some(given),
                ..
            } if is_series(name) => self.series(&given.args),
            TableFactor::Function { name, args, .. } if is_series(name) => self.series(args),
            _ => {}
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
        let Some(LimitClause::LimitOffset { limit, offset, .. }) = &query.limit_clause else {
            return ControlFlow::Continue(());
        };
        let counts = [limit.as_ref(), offset.as_ref().map(|offset| &offset.value)];
        for expr in counts.into_iter().flatten() {
            if let Expr::Value(value) = expr
                && let Value::Placeholder(name) = &value.value
                && let Ok(number) = name.trim_start_matches('$').parse::<usize>()
                && let Some(at) = number.checked_sub(1)
            {
                self.0.insert(at, DataType::Int64);
            }
        }
        ControlFlow::Continue(())
    }
}

/// Which parameter an expression is, from 0.
fn place(expr: &Expr) -> Option<usize> {
    match expr {
        Expr::Value(value) => match &value.value {
            Value::Placeholder(name) => {
                let number: usize = name.trim_start_matches('$').parse().ok()?;
                number.checked_sub(1)
            }
            _ => None,
        },
        Expr::Nested(inner) => place(inner),
        _ => None,
    }
}

impl Written {
    /// The arguments of functions of texts that count letters or parts.
    fn lengths(&mut self, name: &ObjectName, args: &[FunctionArg]) {
        let name = name.to_string().to_ascii_lowercase();
        let counted: &[usize] = match name.as_str() {
            "left" | "right" | "repeat" | "lpad" | "rpad" => &[1],
            "substr" if args.len() == 3 => &[1, 2],
            "split_part" => &[2],
            _ => return,
        };
        let counted = counted.iter().filter_map(|at| argument(args.get(*at)?));
        for at in counted.filter_map(place) {
            self.0.entry(at).or_insert(DataType::Int32);
        }
    }

    /// Numbers from and to: a parameter among numbers is one.
    fn series(&mut self, args: &[FunctionArg]) {
        let args: Vec<&Expr> = args.iter().filter_map(argument).collect();
        let is_number = |expr: &&Expr| match expr {
            Expr::Value(value) => matches!(value.value, Value::Number(..)),
            _ => false,
        };
        if args
            .iter()
            .all(|arg| is_number(arg) || place(arg).is_some())
        {
            for at in args.into_iter().filter_map(place) {
                self.0.entry(at).or_insert(DataType::Int64);
            }
        }
    }
}

fn is_series(name: &ObjectName) -> bool {
    let last = name.0.last().and_then(|part| part.as_ident());
    last.is_some_and(|last| last.value.eq_ignore_ascii_case("generate_series"))
}

fn argument(arg: &FunctionArg) -> Option<&Expr> {
    match arg {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => Some(expr),
        _ => None,
    }
}

/// A list of values of a type.
pub(crate) fn list_of(item: DataType) -> DataType {
    DataType::List(Arc::new(Field::new("item", item, true)))
}

/// A statement of which nothing is wanted but the types of its parameters.
pub(crate) struct Beside {
    /// The statement: what a parameter stands beside, it is compared with.
    pub(crate) parsed: Parsed,
    /// The parameters that are lists of what was found, by position from 0.
    pub(crate) lists: HashSet<usize>,
}

/// The statement in which parameters are compared with what they stand beside, in COALESCE, CASE, ANY and their like: of a comparison the
/// planner knows the type. `None` where no parameter stands in such a place.
pub(crate) fn beside(parsed: &Parsed) -> Option<Beside> {
    let mut parsed = parsed.clone();
    let restable_sql::Statement::Query(statement) = &mut parsed.statement else {
        return None;
    };
    let mut compared = Compared::default();
    let _ = VisitMut::visit(statement.as_mut(), &mut compared);
    compared.changed.then_some(Beside {
        parsed,
        lists: compared.lists,
    })
}

#[derive(Default)]
struct Compared {
    changed: bool,
    lists: HashSet<usize>,
}

impl Compared {
    /// Compares those that are parameters with the first one that is none.
    fn with_others<'e>(&mut self, all: impl IntoIterator<Item = &'e mut Expr>) {
        let all: Vec<&mut Expr> = all.into_iter().collect();
        let is_null = |expr: &Expr| match expr {
            Expr::Value(value) => matches!(value.value, Value::Null),
            _ => false,
        };
        let other = all.iter().find(|one| place(one).is_none() && !is_null(one));
        let Some(other) = other.map(|other| (**other).clone()) else {
            return;
        };
        for one in all {
            if place(one).is_some() {
                self.changed = true;
                *one = Expr::Case {
                    case_token: AttachedToken::empty(),
                    end_token: AttachedToken::empty(),
                    operand: None,
                    conditions: vec![CaseWhen {
                        condition: equal(other.clone(), one.clone()),
                        result: other.clone(),
                    }],
                    else_result: Some(Box::new(other.clone())),
                };
            }
        }
    }
}

fn equal(left: Expr, right: Expr) -> Expr {
    Expr::BinaryOp {
        left: Box::new(left),
        op: BinaryOperator::Eq,
        right: Box::new(right),
    }
}

impl VisitorMut for Compared {
    type Break = ();

    // On the way out: what is put in is not looked at again.
    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        match expr {
            Expr::AnyOp { left, right, .. } | Expr::AllOp { left, right, .. } => {
                let better = match (place(left), right.as_ref(), place(right)) {
                    (None, _, Some(at)) => {
                        self.lists.insert(at);
                        Some((**right).clone())
                    }
                    (Some(_), Expr::Array(array), _) => array.elem.first().cloned(),
                    _ => None,
                };
                if let Some(right) = better {
                    self.changed = true;
                    *expr = equal((**left).clone(), right);
                }
            }
            Expr::Function(function) => {
                const ALIKE: &[&str] =
                    &["coalesce", "nullif", "greatest", "least", "nvl", "ifnull"];
                let name = function.name.0.last().and_then(|part| part.as_ident());
                let alike = name.is_some_and(|name| {
                    ALIKE.iter().any(|one| name.value.eq_ignore_ascii_case(one))
                });
                if alike && let FunctionArguments::List(given) = &mut function.args {
                    let args = given.args.iter_mut().filter_map(|arg| match arg {
                        FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => Some(expr),
                        _ => None,
                    });
                    self.with_others(args);
                }
            }
            Expr::Case {
                conditions,
                else_result,
                ..
            } => {
                let results = conditions.iter_mut().map(|when| &mut when.result);
                self.with_others(results.chain(else_result.as_deref_mut()));
            }
            _ => {}
        }
        ControlFlow::Continue(())
    }
}
