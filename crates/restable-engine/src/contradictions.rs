//! Conditions that no row can fulfil, seen before anything is called: what a statement binds is asked of all conditions that are over names of
//! scopes alone, and a name of a scope is never NULL. It only narrows: DataFusion asks each condition again of the rows.
//!
//! A name that a statement writes may be spelled otherwise in the rows, so that only conditions are asked which do not see a difference in case.

use std::sync::Arc;

use datafusion::common::ScalarValue;
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::{BinaryExpr, Expr, Operator};

use crate::prune::Prunes;
use crate::table::equality;
use crate::walk::{Bindings, Scope};

/// So many combinations of values are tried at most.
const COMBINATIONS: usize = 4096;

/// Takes out of the bindings what the conditions do not allow; they see no difference in case.
pub(crate) fn narrow(bindings: &mut Bindings, conditions: &Prunes) {
    let used = conditions.names();
    for (name, values) in bindings.iter_mut().filter(|(name, _)| used.contains(*name)) {
        values.retain(|value| conditions.allow(&Scope::from([(name.clone(), Arc::clone(value))])));
    }
    let together: Vec<(&String, &Vec<Arc<str>>)> = bindings
        .iter()
        .filter(|(name, _)| used.contains(*name))
        .collect();
    let total = together.iter().try_fold(1_usize, |total, (_, values)| {
        total.checked_mul(values.len())
    });
    if together.len() < 2 || total.is_none_or(|total| total > COMBINATIONS) {
        return;
    }
    let mut possible = Bindings::new();
    for number in 0..total.unwrap_or_default() {
        let (mut rest, mut scope) = (number, Scope::new());
        for (name, values) in &together {
            scope.insert((*name).clone(), Arc::clone(&values[rest % values.len()]));
            rest /= values.len();
        }
        if !conditions.allow(&scope) {
            continue;
        }
        for (name, value) in scope {
            let known = possible.entry(name).or_default();
            if !known.contains(&value) {
                known.push(value);
            }
        }
    }
    let names: Vec<String> = together.into_iter().map(|(name, _)| name.clone()).collect();
    for (name, values) in bindings
        .iter_mut()
        .filter(|(name, _)| names.contains(*name))
    {
        let possible = possible.get(name);
        values.retain(|value| possible.is_some_and(|possible| possible.contains(value)));
    }
}

/// The values that a name can have where a condition is true; `None`: any.
pub(crate) fn candidates(condition: &Expr, name: &str) -> Option<Vec<Arc<str>>> {
    let same = |one: &Arc<str>, other: &Arc<str>| one.eq_ignore_ascii_case(other);
    match condition {
        Expr::BinaryExpr(BinaryExpr { left, op, right }) if *op == Operator::And => {
            match (candidates(left, name), candidates(right, name)) {
                (Some(mut left), Some(right)) => {
                    left.retain(|value| right.iter().any(|other| same(value, other)));
                    Some(left)
                }
                (left, right) => left.or(right),
            }
        }
        Expr::BinaryExpr(BinaryExpr { left, op, right }) if *op == Operator::Or => {
            let (mut left, right) = (candidates(left, name)?, candidates(right, name)?);
            let fresh = right.into_iter();
            let fresh: Vec<Arc<str>> = fresh
                .filter(|value| !left.iter().any(|other| same(value, other)))
                .collect();
            left.extend(fresh);
            Some(left)
        }
        other => {
            let (compared, values) = equality(other)?;
            let is_it = matches!(compared, Expr::Column(column) if column.name == name);
            is_it.then_some(values)
        }
    }
}

/// Whether a condition sees no difference between spellings of a name.
pub(crate) fn is_blind_to_case(condition: &Expr) -> bool {
    match condition {
        Expr::Column(_) => false,
        Expr::Literal(..) => true,
        Expr::IsNull(inner) | Expr::IsNotNull(inner) => is_plain(inner) || is_blind_to_case(inner),
        Expr::ScalarFunction(ScalarFunction { func, args }) => {
            let folds = matches!(
                func.name(),
                "arm_equal"
                    | "arm_in"
                    | "arm_fold"
                    | "lower"
                    | "upper"
                    | "character_length"
                    | "length"
                    | "octet_length"
                    | "bit_length"
            );
            args.iter()
                .all(|arg| folds && is_plain(arg) || is_blind_to_case(arg))
        }
        Expr::BinaryExpr(BinaryExpr { left, right, .. }) => {
            is_blind_to_case(left) && is_blind_to_case(right)
        }
        Expr::Not(inner)
        | Expr::IsTrue(inner)
        | Expr::IsFalse(inner)
        | Expr::IsUnknown(inner)
        | Expr::IsNotTrue(inner)
        | Expr::IsNotFalse(inner)
        | Expr::IsNotUnknown(inner) => is_blind_to_case(inner),
        Expr::Cast(cast) => is_blind_to_case(&cast.expr),
        Expr::Like(like) => {
            let blind =
                |side: &Expr| is_blind_to_case(side) || like.case_insensitive && is_plain(side);
            blind(&like.expr) && blind(&like.pattern)
        }
        Expr::InList(list) => {
            is_blind_to_case(&list.expr) && list.list.iter().all(is_blind_to_case)
        }
        Expr::Between(between) => [&between.expr, &between.low, &between.high]
            .into_iter()
            .all(|side| is_blind_to_case(side)),
        _ => false,
    }
}

/// Whether a condition that is true where a part of it is NULL would be true whatever that part were.
pub(crate) fn is_strict(condition: &Expr) -> bool {
    match condition {
        Expr::Column(_) | Expr::Literal(..) => true,
        Expr::ScalarFunction(ScalarFunction { func, args }) => {
            matches!(
                func.name(),
                "arm_equal"
                    | "arm_in"
                    | "arm_fold"
                    | "arm_text"
                    | "lower"
                    | "upper"
                    | "starts_with"
                    | "ends_with"
                    | "contains"
                    | "strpos"
                    | "character_length"
            ) && args.iter().all(is_strict)
        }
        Expr::BinaryExpr(BinaryExpr { left, op, right }) => {
            !matches!(op, Operator::IsDistinctFrom | Operator::IsNotDistinctFrom)
                && is_strict(left)
                && is_strict(right)
        }
        Expr::Not(inner) => is_strict(inner),
        Expr::Cast(cast) => is_strict(&cast.expr),
        Expr::Alias(alias) => is_strict(&alias.expr),
        Expr::Like(like) => is_strict(&like.expr) && is_strict(&like.pattern),
        Expr::InList(list) => is_strict(&list.expr) && list.list.iter().all(is_strict),
        Expr::Between(between) => [&between.expr, &between.low, &between.high]
            .into_iter()
            .all(|side| is_strict(side)),
        _ => false,
    }
}

/// Whether it is a column, perhaps in another layout of text, or marked as an id.
fn is_plain(expr: &Expr) -> bool {
    match expr {
        Expr::Column(_) => true,
        Expr::Cast(cast) => is_plain(&cast.expr),
        Expr::Alias(alias) => is_plain(&alias.expr),
        Expr::ScalarFunction(ScalarFunction { func, args }) => {
            func.name() == "arm_text" && args.iter().all(is_plain)
        }
        _ => false,
    }
}

/// What a condition may come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Outcomes {
    pub yes: bool,
    pub no: bool,
    pub unknown: bool,
}

impl Outcomes {
    pub(crate) const ANY: Outcomes = Outcomes::new(true, true, true);
    pub(crate) const TRUE: Outcomes = Outcomes::new(true, false, false);
    pub(crate) const FALSE: Outcomes = Outcomes::new(false, true, false);
    pub(crate) const UNKNOWN: Outcomes = Outcomes::new(false, false, true);

    const fn new(yes: bool, no: bool, unknown: bool) -> Outcomes {
        Outcomes { yes, no, unknown }
    }

    pub(crate) fn not(self) -> Outcomes {
        Outcomes::new(self.no, self.yes, self.unknown)
    }

    pub(crate) fn and(self, other: Outcomes) -> Outcomes {
        let open = |one: Outcomes, other: Outcomes| one.unknown && (other.yes || other.unknown);
        Outcomes {
            yes: self.yes && other.yes,
            no: self.no || other.no,
            unknown: open(self, other) || open(other, self),
        }
    }

    pub(crate) fn or(self, other: Outcomes) -> Outcomes {
        self.not().and(other.not()).not()
    }
}

/// What a condition may come to, if `never_null` says which columns are never NULL.
pub(crate) fn outcomes(condition: &Expr, never_null: &impl Fn(&str) -> bool) -> Outcomes {
    let of = |expr: &Expr| outcomes(expr, never_null);
    let given = |expr: &Expr| is_given(expr, never_null);
    match condition {
        Expr::Literal(ScalarValue::Boolean(Some(true)), _) => Outcomes::TRUE,
        Expr::Literal(ScalarValue::Boolean(Some(false)), _) => Outcomes::FALSE,
        Expr::Literal(value, _) if value.is_null() => Outcomes::UNKNOWN,
        Expr::Not(inner) => of(inner).not(),
        Expr::IsNull(inner) if given(inner) => Outcomes::FALSE,
        Expr::IsNotNull(inner) if given(inner) => Outcomes::TRUE,
        Expr::BinaryExpr(BinaryExpr { left, op, right }) => match op {
            Operator::And => of(left).and(of(right)),
            Operator::Or => of(left).or(of(right)),
            Operator::Eq
            | Operator::NotEq
            | Operator::Lt
            | Operator::LtEq
            | Operator::Gt
            | Operator::GtEq
                if is_null(left) || is_null(right) =>
            {
                Outcomes::UNKNOWN
            }
            _ => Outcomes::ANY,
        },
        Expr::ScalarFunction(ScalarFunction { func, args }) => match (func.name(), args.as_slice())
        {
            ("arm_equal", [left, right]) if is_null(left) || is_null(right) => Outcomes::UNKNOWN,
            // A value is in such a list, or nobody knows.
            ("arm_in", [value, others @ ..]) if others.iter().any(is_null) => match given(value) {
                true if others.iter().all(is_null) => Outcomes::UNKNOWN,
                _ => Outcomes::new(true, false, true),
            },
            _ => Outcomes::ANY,
        },
        Expr::InList(list) if list.list.iter().any(is_null) => match list.negated {
            true => Outcomes::new(false, true, true),
            false => Outcomes::new(true, false, true),
        },
        _ => Outcomes::ANY,
    }
}

fn is_null(expr: &Expr) -> bool {
    match expr {
        Expr::Literal(value, _) => value.is_null(),
        Expr::Cast(cast) => is_null(&cast.expr),
        _ => false,
    }
}

/// Whether an expression is never NULL.
fn is_given(expr: &Expr, never_null: &impl Fn(&str) -> bool) -> bool {
    match expr {
        Expr::Column(column) => never_null(&column.name),
        Expr::Literal(value, _) => !value.is_null(),
        Expr::Cast(cast) => is_plain(&cast.expr) && is_given(&cast.expr, never_null),
        Expr::ScalarFunction(ScalarFunction { func, args }) => {
            matches!(func.name(), "arm_fold" | "arm_text" | "lower" | "upper")
                && args.iter().all(|arg| is_given(arg, never_null))
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_values_come_out_as_in_sql() {
        const VALUES: [Option<bool>; 3] = [Some(true), Some(false), None];
        let of = |value: Option<bool>| match value {
            Some(true) => Outcomes::TRUE,
            Some(false) => Outcomes::FALSE,
            None => Outcomes::UNKNOWN,
        };
        for left in VALUES {
            assert_eq!(of(left).not(), of(left.map(|value| !value)));
            for right in VALUES {
                let and = match (left, right) {
                    (Some(false), _) | (_, Some(false)) => Some(false),
                    (Some(true), Some(true)) => Some(true),
                    _ => None,
                };
                let or = match (left, right) {
                    (Some(true), _) | (_, Some(true)) => Some(true),
                    (Some(false), Some(false)) => Some(false),
                    _ => None,
                };
                assert_eq!(of(left).and(of(right)), of(and), "{left:?} and {right:?}");
                assert_eq!(of(left).or(of(right)), of(or), "{left:?} or {right:?}");
            }
        }
        let either = Outcomes::new(true, false, true);
        assert_eq!(either.not(), Outcomes::new(false, true, true));
        assert_eq!(either.and(Outcomes::FALSE), Outcomes::FALSE);
        assert_eq!(either.or(Outcomes::ANY), Outcomes::new(true, false, true));
    }
}
