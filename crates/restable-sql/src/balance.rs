//! Flat chains as shallow trees: AND and OR, equalities joined by OR, UNION. Owns rewrites that keep what a query means;
//! they are made while parsing, so that a tree that leans to one side never leaves this crate.

use std::ops::ControlFlow;

use sqlparser::ast::{
    BinaryOperator, Expr, Query, SetExpr, SetOperator, Value, Values, VisitMut, VisitorMut,
};

use crate::limits::operations_deep;

/// Makes long chains of UNION or of UNION ALL, which lean left as they are read, balanced trees. Both are associative, and
/// the first SELECT, which names the columns, stays the first.
pub(crate) fn balance_unions<T: VisitMut>(tree: &mut T) {
    struct Balance;
    impl VisitorMut for Balance {
        type Break = ();
        fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<()> {
            if operations_deep(&query.body) > 8 {
                balance_union(&mut query.body);
            }
            ControlFlow::Continue(())
        }
    }
    let _ = tree.visit(&mut Balance);
}

fn balance_union(body: &mut Box<SetExpr>) {
    let (op, set_quantifier) = match body.as_ref() {
        SetExpr::SetOperation {
            op, set_quantifier, ..
        } => (*op, *set_quantifier),
        _ => return,
    };
    let mut operands = Vec::new();
    let mut rest = std::mem::replace(
        body,
        Box::new(SetExpr::Values(Values {
            explicit_row: false,
            value_keyword: false,
            rows: Vec::new(),
        })),
    );
    // Down the left side as far as the operation is the same.
    let mut last = loop {
        match *rest {
            SetExpr::SetOperation {
                op: other,
                set_quantifier: quantifier,
                left,
                right,
            } if other == op && quantifier == set_quantifier => {
                operands.push(right);
                rest = left;
                if op != SetOperator::Union {
                    break rest;
                }
            }
            other => break Box::new(other),
        }
    };
    balance_union(&mut last);
    operands.push(last);
    operands.reverse();
    let joined = pairwise(operands, |left, right| {
        Box::new(SetExpr::SetOperation {
            op,
            set_quantifier,
            left,
            right,
        })
    });
    if let Some(joined) = joined {
        *body = joined;
    }
}

/// `x = 1 OR x = 2 OR …` as `x IN (1, 2, …)`: only for plain columns and parts of their JSON, and only among literals of
/// one kind, so that no comparison changes its type. The list stands where its first comparison stood.
pub(crate) fn equalities_to_lists(operands: Vec<Expr>) -> Vec<Expr> {
    // Each group is a place in the answer and the list so far; a few are enough for what people and tools write.
    const GROUPS: usize = 16;
    let mut groups: Vec<usize> = Vec::new();
    let mut answer: Vec<Expr> = Vec::with_capacity(operands.len().min(64));
    for operand in operands {
        let Some((subject, literal)) = equality(&operand) else {
            answer.push(operand);
            continue;
        };
        let place = groups.iter().copied().find(|&at| match &answer[at] {
            Expr::InList { expr, list, .. } => {
                expr.as_ref() == subject && list.first().is_some_and(|one| same_kind(one, literal))
            }
            other => equality(other)
                .is_some_and(|(first, one)| first == subject && same_kind(one, literal)),
        });
        match place {
            Some(at) => extend_list(&mut answer[at], literal.clone()),
            None => {
                if groups.len() < GROUPS {
                    groups.push(answer.len());
                }
                answer.push(operand);
            }
        }
    }
    answer
}

fn extend_list(place: &mut Expr, literal: Expr) {
    if let Expr::InList { list, .. } = place {
        list.push(literal);
        return;
    }
    let Some((subject, first)) = equality(place) else {
        return;
    };
    *place = Expr::InList {
        expr: Box::new(subject.clone()),
        list: vec![first.clone(), literal],
        negated: false,
    };
}

fn equality(expr: &Expr) -> Option<(&Expr, &Expr)> {
    let Expr::BinaryOp {
        left,
        op: BinaryOperator::Eq,
        right,
    } = expr
    else {
        return None;
    };
    if plain_column(left) && literal(right) {
        Some((left, right))
    } else if literal(left) && plain_column(right) {
        Some((right, left))
    } else {
        None
    }
}

fn plain_column(expr: &Expr) -> bool {
    match expr {
        Expr::Identifier(_) | Expr::CompoundIdentifier(_) => true,
        Expr::BinaryOp {
            left,
            op: BinaryOperator::Arrow | BinaryOperator::LongArrow,
            right,
        } => plain_column(left) && literal(right),
        _ => false,
    }
}

fn literal(expr: &Expr) -> bool {
    matches!(expr, Expr::Value(value) if matches!(value.value, Value::Number(..) | Value::SingleQuotedString(_)))
}

fn same_kind(left: &Expr, right: &Expr) -> bool {
    match (left, right) {
        (Expr::Value(left), Expr::Value(right)) => {
            std::mem::discriminant(&left.value) == std::mem::discriminant(&right.value)
        }
        _ => false,
    }
}

/// The operands joined by AND or OR as a tree of least depth, in their order.
pub(crate) fn balanced(operands: Vec<Expr>, operator: &BinaryOperator) -> Expr {
    let joined = pairwise(operands, |left, right| Expr::BinaryOp {
        left: Box::new(left),
        op: operator.clone(),
        right: Box::new(right),
    });
    joined.unwrap_or_else(|| Expr::value(Value::Boolean(*operator == BinaryOperator::And)))
}

/// Joins neighbours until one is left; `None` if there was none.
fn pairwise<T>(operands: Vec<T>, join: impl Fn(T, T) -> T) -> Option<T> {
    let mut level = operands;
    while level.len() > 1 {
        let mut next = Vec::with_capacity(level.len().div_ceil(2));
        let mut rest = level.into_iter();
        while let Some(left) = rest.next() {
            next.push(match rest.next() {
                Some(right) => join(left, right),
                None => left,
            });
        }
        level = next;
    }
    level.pop()
}
