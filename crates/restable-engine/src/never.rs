//! Conditions that cannot all be true of one row, whatever it holds: nothing is asked for then. Only what is plain is seen: bounds, patterns
//! and values of the same expression that exclude each other, a condition beside its opposite, and what differs from itself.

use std::cmp::Ordering;
use std::sync::Arc;

use datafusion::common::tree_node::Transformed;
use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::utils::split_conjunction;
use datafusion::logical_expr::{
    BinaryExpr, EmptyRelation, Expr, Filter, Like, LogicalPlan, Operator,
};
use datafusion::optimizer::{ApplyOrder, OptimizerConfig, OptimizerRule};

/// So many conditions are looked at together at most: each with each other one.
const MOST: usize = 64;

/// The rule that leaves out what no row can fulfil.
#[derive(Debug, Default)]
pub(crate) struct Never;

impl OptimizerRule for Never {
    fn name(&self) -> &str {
        "never"
    }

    fn apply_order(&self) -> Option<ApplyOrder> {
        Some(ApplyOrder::TopDown)
    }

    fn rewrite(
        &self,
        plan: LogicalPlan,
        _config: &dyn OptimizerConfig,
    ) -> Result<Transformed<LogicalPlan>> {
        let LogicalPlan::Filter(Filter {
            predicate, input, ..
        }) = &plan
        else {
            return Ok(Transformed::no(plan));
        };
        if predicate.is_volatile() || !is_never(&split_conjunction(predicate)) {
            return Ok(Transformed::no(plan));
        }
        Ok(Transformed::yes(LogicalPlan::EmptyRelation(
            EmptyRelation {
                produce_one_row: false,
                schema: Arc::clone(input.schema()),
            },
        )))
    }
}

/// Whether these conditions are never true together.
fn is_never(conditions: &[&Expr]) -> bool {
    if conditions.len() > MOST {
        return false;
    }
    // One that is an OR is never true where none of its branches is, beside the others.
    for (at, condition) in conditions.iter().enumerate() {
        if let Expr::BinaryExpr(BinaryExpr { left, op, right }) = condition
            && *op == Operator::Or
        {
            let beside = |branch: &Expr| {
                let mut all: Vec<&Expr> = split_conjunction(branch);
                all.extend(
                    conditions
                        .iter()
                        .enumerate()
                        .filter(|(other, _)| *other != at)
                        .map(|(_, it)| *it),
                );
                is_never(&all)
            };
            if beside(left) && beside(right) {
                return true;
            }
        }
    }
    let said: Vec<Said<'_>> = conditions.iter().filter_map(|it| Said::of(it)).collect();
    let alone = |one: &Said<'_>| matches!(one.what, What::Differs);
    if said.iter().any(alone) {
        return true;
    }
    said.iter().enumerate().any(|(at, one)| {
        said[at + 1..].iter().any(|other| {
            one.folded == other.folded
                && one.subject == other.subject
                && one.what.excludes(&other.what)
        })
    }) || has_opposite(conditions)
}

/// Whether one of them is the negation of another.
fn has_opposite(conditions: &[&Expr]) -> bool {
    let negates = |one: &Expr, other: &Expr| match (one, other) {
        (Expr::Not(inner), other) => **inner == *other,
        (Expr::Like(one), Expr::Like(other)) => {
            one.negated != other.negated
                && Like {
                    negated: other.negated,
                    ..one.clone()
                } == *other
        }
        _ => false,
    };
    conditions.iter().enumerate().any(|(at, one)| {
        conditions[at + 1..]
            .iter()
            .any(|other| negates(one, other) || negates(other, one))
    })
}

/// What a condition says of an expression where it is true.
struct Said<'e> {
    subject: &'e Expr,
    /// Whether it is said of the name in small letters.
    folded: bool,
    what: What,
}

enum What {
    /// It differs from itself.
    Differs,
    /// It is at least this, and more if the bound is not in it.
    From(ScalarValue, bool),
    To(ScalarValue, bool),
    Between(ScalarValue, ScalarValue),
    Is(ScalarValue),
    IsNot(ScalarValue),
    Begins(String),
}

impl<'e> Said<'e> {
    fn new(expr: &'e Expr, what: What) -> Said<'e> {
        let (subject, folded) = match expr {
            Expr::ScalarFunction(call) if call.name() == "arm_fold" => match call.args.as_slice() {
                [inner] => (inner, true),
                _ => (expr, false),
            },
            _ => (expr, false),
        };
        Said {
            subject,
            folded,
            what,
        }
    }

    fn of(condition: &'e Expr) -> Option<Said<'e>> {
        match condition {
            Expr::BinaryExpr(BinaryExpr { left, op, right }) => {
                if left == right && matches!(op, Operator::NotEq | Operator::Lt | Operator::Gt) {
                    return Some(Said::new(left, What::Differs));
                }
                let (subject, value, op) = match (literal(left), literal(right)) {
                    (None, Some(value)) => (left, value, *op),
                    (Some(value), None) => (right, value, op.swap()?),
                    _ => return None,
                };
                let what = match op {
                    Operator::Eq => What::Is(value),
                    Operator::NotEq => What::IsNot(value),
                    Operator::Gt => What::From(value, false),
                    Operator::GtEq => What::From(value, true),
                    Operator::Lt => What::To(value, false),
                    Operator::LtEq => What::To(value, true),
                    _ => return None,
                };
                Some(Said::new(subject, what))
            }
            Expr::Between(between) if !between.negated => {
                let what = match (literal(&between.low)?, literal(&between.high)?) {
                    (low, high) if order(&low, &high) == Some(Ordering::Greater) => What::Differs,
                    (low, high) => What::Between(low, high),
                };
                Some(Said::new(&between.expr, what))
            }
            Expr::Like(like) if !like.negated && !like.case_insensitive => {
                let ScalarValue::Utf8(Some(pattern)) = literal(&like.pattern)? else {
                    return None;
                };
                let begins = pattern.split(['%', '_']).next().unwrap_or_default();
                // A backslash takes its meaning from the next character.
                let plain = like.escape_char.is_none() && !pattern.contains('\\');
                let what = What::Begins(begins.to_owned());
                (plain && !begins.is_empty()).then(|| Said::new(&like.expr, what))
            }
            Expr::ScalarFunction(_) => {
                let (subject, value) = named(condition)?;
                Some(Said::folded(subject, What::Is(value?)))
            }
            Expr::Not(inner) => {
                let (subject, value) = named(inner)?;
                Some(match value {
                    Some(value) => Said::folded(subject, What::IsNot(value)),
                    None => Said::folded(subject, What::Differs),
                })
            }
            _ => None,
        }
    }

    fn folded(subject: &'e Expr, what: What) -> Said<'e> {
        Said {
            subject,
            folded: true,
            what,
        }
    }
}

/// What is compared by `arm_equal`, a comparison of names in any spelling, and the name in small letters that it is compared with; `None`:
/// with itself.
fn named(expr: &Expr) -> Option<(&Expr, Option<ScalarValue>)> {
    let Expr::ScalarFunction(call) = expr else {
        return None;
    };
    let [left, right] = call.args.as_slice() else {
        return None;
    };
    if call.name() != "arm_equal" {
        return None;
    }
    if left == right {
        return Some((left, None));
    }
    let (subject, value) = match (literal(left), literal(right)) {
        (None, Some(value)) => (left, value),
        (Some(value), None) => (right, value),
        _ => return None,
    };
    match value {
        // Letters beyond these have several ways to be small.
        ScalarValue::Utf8(Some(text)) if text.is_ascii() => {
            let small = ScalarValue::Utf8(Some(text.to_ascii_lowercase()));
            Some((subject, Some(small)))
        }
        _ => None,
    }
}

impl What {
    fn excludes(&self, other: &What) -> bool {
        if let (What::Is(value), What::IsNot(not)) | (What::IsNot(not), What::Is(value)) =
            (self, other)
        {
            return order(value, not) == Some(Ordering::Equal);
        }
        if let (What::Begins(one), What::Begins(other)) = (self, other) {
            return !one.starts_with(other.as_str()) && !other.starts_with(one.as_str());
        }
        let begins = |value: &ScalarValue, begins: &str| match value {
            ScalarValue::Utf8(Some(text)) => text.starts_with(begins),
            _ => true,
        };
        if let (What::Begins(text), What::Is(value)) | (What::Is(value), What::Begins(text)) =
            (self, other)
        {
            return !begins(value, text);
        }
        let below = |low: &What, high: &What| match (low.low(), high.high()) {
            (Some((low, low_in)), Some((high, high_in))) => match order(low, high) {
                Some(Ordering::Greater) => true,
                Some(Ordering::Equal) => !low_in || !high_in,
                _ => false,
            },
            _ => false,
        };
        below(self, other) || below(other, self)
    }

    /// The least that it can be, and whether it can be that.
    fn low(&self) -> Option<(&ScalarValue, bool)> {
        match self {
            What::From(value, within) => Some((value, *within)),
            What::Between(value, _) | What::Is(value) => Some((value, true)),
            What::To(..) | What::IsNot(_) | What::Begins(_) | What::Differs => None,
        }
    }

    /// The most that it can be.
    fn high(&self) -> Option<(&ScalarValue, bool)> {
        match self {
            What::To(value, within) => Some((value, *within)),
            What::Between(_, value) | What::Is(value) => Some((value, true)),
            What::From(..) | What::IsNot(_) | What::Begins(_) | What::Differs => None,
        }
    }
}

/// A literal of a type whose values have one order everywhere; texts in one layout.
fn literal(expr: &Expr) -> Option<ScalarValue> {
    use ScalarValue as V;
    let Expr::Literal(value, _) = expr else {
        return None;
    };
    match value {
        V::Utf8(Some(text)) | V::LargeUtf8(Some(text)) | V::Utf8View(Some(text)) => {
            Some(V::Utf8(Some(text.clone())))
        }
        V::Int8(Some(_))
        | V::Int16(Some(_))
        | V::Int32(Some(_))
        | V::Int64(Some(_))
        | V::Date32(Some(_))
        | V::TimestampSecond(Some(_), _)
        | V::TimestampMillisecond(Some(_), _)
        | V::TimestampMicrosecond(Some(_), _)
        | V::TimestampNanosecond(Some(_), _) => Some(value.clone()),
        _ => None,
    }
}

/// Their order, if they are of one type.
fn order(one: &ScalarValue, other: &ScalarValue) -> Option<Ordering> {
    (one.data_type() == other.data_type())
        .then(|| one.partial_cmp(other))
        .flatten()
}
