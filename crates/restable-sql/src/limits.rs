//! How much text, depth and length is accepted, and what keeps trees shallow. Owns the numbers (documented constants)
//! and the checks; every refusal is a [`Diagnostic`] for which [`Diagnostic::is_limit`] holds.
//!
//! Why caps at all: planners recurse over expressions, and one process serves many sessions. Measured with DataFusion on
//! a 2 MiB stack, a chain of 1,600 `+` ends the process, and planning time is quadratic in the length of a chain.
//! Balanced AND and OR chains and IN lists have neither fault, so they are bounded by the size of the text only.

use std::ops::ControlFlow;

use sqlparser::ast::{BinaryOperator, Expr, Query, SetExpr, Value, Visit, Visitor};
use sqlparser::keywords::Keyword;
use sqlparser::tokenizer::Token;

use crate::error::{Diagnostic, code};
use crate::lexer::Lexed;
use crate::span::Span;

/// Bytes of a script, all statements together.
pub const MAX_SCRIPT: usize = 16 * 1024 * 1024;
/// Bytes of one statement; an IN list of 100,000 short items fits.
pub const MAX_STATEMENT: usize = 1024 * 1024;
/// Brackets of any kind inside each other.
pub const MAX_NESTING: usize = 64;
/// Operators in a row other than AND and OR: `1 + 1 + …`, `a || b || …`.
pub const MAX_CHAIN: usize = 1_000;
/// Expressions inside each other, chains and brackets together.
pub const MAX_DEPTH: usize = 1_200;
/// UNION, EXCEPT and INTERSECT in one statement.
pub const MAX_SET_OPERATORS: usize = 1_000;
/// How often `sqlparser` may enter its guarded rules inside each other. Brackets are stopped by [`MAX_NESTING`] before;
/// this stops what nests without brackets, as `NOT NOT …`.
pub(crate) const RECURSION: usize = 300;

/// Words and marks that nest types or tables without brackets that are counted.
const MAX_REPEATS: usize = 100;

/// How many expressions the parser may begin to read. It goes back and reads again where the grammar is ambiguous,
/// which multiplies for hostile texts; ordinary statements need less than two steps a token.
pub(crate) fn steps(tokens: usize) -> u64 {
    (tokens as u64).saturating_mul(8) + 20_000
}

/// Refuses, before parsing, what would make the parser recurse or build deep trees.
pub(crate) fn guard(lexed: &Lexed) -> Result<(), Diagnostic> {
    let (Some(first), Some(last)) = (lexed.spans.first(), lexed.spans.last()) else {
        return Ok(());
    };
    let length = last.end - first.start;
    if length > MAX_STATEMENT {
        return Err(too_long(length, first.start));
    }
    let mut open: Vec<Span> = Vec::new();
    let mut set_operators = 0;
    let mut repeats = 0;
    for (index, (token, &span)) in lexed.tokens.iter().zip(&lexed.spans).enumerate() {
        match &token.token {
            Token::LParen | Token::LBracket | Token::LBrace => {
                open.push(span);
                if open.len() > MAX_NESTING {
                    return Err(too_deep(span));
                }
                // `int[][][]…` is a type in a type for each pair.
                let pair = token.token == Token::LBracket
                    && lexed
                        .tokens
                        .get(index + 1)
                        .is_some_and(|next| next.token == Token::RBracket);
                repeats += usize::from(pair);
            }
            Token::RParen | Token::RBracket | Token::RBrace => {
                open.pop();
            }
            Token::Word(word) if word.quote_style.is_none() => match word.keyword {
                Keyword::UNION | Keyword::EXCEPT | Keyword::INTERSECT | Keyword::MINUS => {
                    set_operators += 1;
                    if set_operators > MAX_SET_OPERATORS {
                        return Err(too_many_operands(span));
                    }
                }
                Keyword::PIVOT | Keyword::UNPIVOT | Keyword::MATCH_RECOGNIZE => repeats += 1,
                Keyword::INTERVAL if follows_itself(lexed, index) => repeats += 1,
                Keyword::ARRAY | Keyword::STRUCT | Keyword::MAP if opens_type(lexed, index) => {
                    repeats += 1
                }
                _ => {}
            },
            _ => {}
        }
        if repeats > MAX_REPEATS {
            return Err(too_deep(span));
        }
    }
    Ok(())
}

fn follows_itself(lexed: &Lexed, index: usize) -> bool {
    lexed
        .solid_before(index)
        .is_some_and(|before| match &lexed.tokens[before].token {
            Token::Word(word) => word.keyword == Keyword::INTERVAL,
            _ => false,
        })
}

fn opens_type(lexed: &Lexed, index: usize) -> bool {
    lexed
        .solid(index + 1, lexed.tokens.len())
        .is_some_and(|next| lexed.tokens[next].token == Token::Lt)
}

/// Refuses a syntax tree that a planner could not walk: expressions or set operations too deep inside each other. All
/// that [`crate::parse`] answers has passed; call it for trees that were changed since.
///
/// # Errors
/// `R0151` or `R0153`, without a place.
pub fn chain_limits(tree: &impl Visit) -> Result<(), Diagnostic> {
    let mut walk = Walk {
        depth: 0,
        limit: MAX_DEPTH,
    };
    if tree.visit(&mut walk).is_break() {
        return Err(Diagnostic::new(code::TOO_DEEP, depth_text()));
    }
    match tree.visit(&mut Operands) {
        ControlFlow::Break(()) => Err(Diagnostic::new(code::TOO_MANY_OPERANDS, operands_text())),
        ControlFlow::Continue(()) => Ok(()),
    }
}

/// How deep an expression is, at most one more than [`MAX_DEPTH`].
pub(crate) fn depth(expr: &Expr) -> usize {
    let mut walk = Deepest {
        depth: 0,
        deepest: 0,
    };
    let _ = expr.visit(&mut walk);
    walk.deepest
}

struct Walk {
    depth: usize,
    limit: usize,
}

impl Visitor for Walk {
    type Break = ();

    fn pre_visit_expr(&mut self, _: &Expr) -> ControlFlow<()> {
        self.depth += 1;
        if self.depth > self.limit {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    }

    fn post_visit_expr(&mut self, _: &Expr) -> ControlFlow<()> {
        self.depth -= 1;
        ControlFlow::Continue(())
    }
}

struct Deepest {
    depth: usize,
    deepest: usize,
}

impl Visitor for Deepest {
    type Break = ();

    fn pre_visit_expr(&mut self, _: &Expr) -> ControlFlow<()> {
        self.depth += 1;
        self.deepest = self.deepest.max(self.depth);
        if self.deepest > MAX_DEPTH {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    }

    fn post_visit_expr(&mut self, _: &Expr) -> ControlFlow<()> {
        self.depth -= 1;
        ControlFlow::Continue(())
    }
}

struct Operands;

impl Visitor for Operands {
    type Break = ();

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
        let mut pending = vec![query.body.as_ref()];
        let mut operators = 0;
        while let Some(body) = pending.pop() {
            if let SetExpr::SetOperation { left, right, .. } = body {
                operators += 1;
                pending.extend([left.as_ref(), right.as_ref()]);
            }
            if operators > MAX_SET_OPERATORS {
                return ControlFlow::Break(());
            }
        }
        ControlFlow::Continue(())
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
    let mut level = operands;
    while level.len() > 1 {
        let mut next = Vec::with_capacity(level.len().div_ceil(2));
        let mut pairs = level.into_iter();
        while let Some(left) = pairs.next() {
            next.push(match pairs.next() {
                Some(right) => Expr::BinaryOp {
                    left: Box::new(left),
                    op: operator.clone(),
                    right: Box::new(right),
                },
                None => left,
            });
        }
        level = next;
    }
    level
        .pop()
        .unwrap_or_else(|| Expr::value(Value::Boolean(*operator == BinaryOperator::And)))
}

fn depth_text() -> String {
    format!("the text nests expressions more than {MAX_DEPTH} deep")
}

fn operands_text() -> String {
    format!("more than {MAX_SET_OPERATORS} UNION, EXCEPT and INTERSECT in one statement")
}

fn too_long(length: usize, start: usize) -> Diagnostic {
    Diagnostic::new(
        code::TOO_LONG,
        format!("the statement has {length} bytes, {MAX_STATEMENT} are accepted"),
    )
    .at(Span::new(start, start))
    .help("put long lists into a table and join it, and long bodies into a file (`@@json_file`)")
}

pub(crate) fn too_deep(span: Span) -> Diagnostic {
    Diagnostic::new(
        code::TOO_DEEP,
        format!("the text is nested too deeply; {MAX_NESTING} levels are accepted"),
    )
    .at(span)
}

pub(crate) fn too_many_operands(span: Span) -> Diagnostic {
    Diagnostic::new(code::TOO_MANY_OPERANDS, operands_text())
        .at(span)
        .help("rows of constants belong into one VALUES list")
}

pub(crate) fn chain_too_long(span: Span) -> Diagnostic {
    Diagnostic::new(code::CHAIN_TOO_LONG, format!("more than {MAX_CHAIN} operators in a row"))
        .at(span)
        .help("AND, OR and IN lists have no such limit; sums and concatenations of columns can be aggregates")
}

pub(crate) fn too_deep_expression(span: Span) -> Diagnostic {
    Diagnostic::new(code::TOO_DEEP, depth_text()).at(span)
}

pub(crate) fn too_complex(span: Span) -> Diagnostic {
    Diagnostic::new(
        code::TOO_COMPLEX,
        "the text is ambiguous in too many places to be read",
    )
    .at(span)
    .help("leave out brackets that are not needed")
}
