//! How much text, depth and length is accepted, and what keeps trees shallow. Owns the numbers (documented constants)
//! and the checks; every refusal is a [`Diagnostic`] for which [`Diagnostic::is_limit`] holds.
//!
//! Why caps at all: planners recurse over trees, and so do `Clone` and `Drop`; one process serves many sessions, on threads
//! with 2 MiB of stack. Measured without optimisation, a copy of a tree takes up to 5 KiB a level of expressions, 8 KiB a
//! level of brackets in FROM, 20 KiB a level of UNION and 35 KiB a subquery. Planning time is quadratic in the length of a
//! chain. Balanced AND, OR and UNION chains and IN lists have neither fault, so they are bounded by their number or by the
//! size of the text.

use std::ops::ControlFlow;

use sqlparser::ast::{Expr, Query, SetExpr, TableFactor, Visit, Visitor};
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
pub const MAX_CHAIN: usize = 250;
/// Levels of a tree: one for an expression, three for an item of FROM, six for a set operation, ten for a query.
pub const MAX_DEPTH: usize = 400;
/// UNION, EXCEPT and INTERSECT in one statement.
pub const MAX_SET_OPERATORS: usize = 1_000;
/// How often `sqlparser` may enter its guarded rules inside each other. Brackets are stopped by [`MAX_NESTING`] before;
/// this stops what nests without brackets, as `NOT NOT …`.
pub(crate) const RECURSION: usize = 300;

/// Parts of a dotted name, and subscripts in a row: `a.b.c`, `a[1][2]`.
pub const MAX_PARTS: usize = 64;

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
    let mut parts = 0;
    let mut cases = 0usize;
    let mut nots = 0;
    for (index, (token, &span)) in lexed.tokens.iter().zip(&lexed.spans).enumerate() {
        match &token.token {
            Token::Period => parts += 1,
            Token::Whitespace(_) => {}
            Token::Word(_) if follows_period(lexed, index) => {}
            // Another name begins, or none.
            _ => parts = 0,
        }
        if parts >= MAX_PARTS {
            return Err(too_many_parts(span));
        }
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
                Keyword::CASE => cases += 1,
                Keyword::END => cases = cases.saturating_sub(1),
                Keyword::NOT if follows_itself(lexed, index, Keyword::NOT) => nots += 1,
                Keyword::NOT => nots = 0,
                Keyword::UNION | Keyword::EXCEPT | Keyword::INTERSECT | Keyword::MINUS => {
                    set_operators += 1;
                    if set_operators > MAX_SET_OPERATORS {
                        return Err(too_many_operands(span));
                    }
                }
                Keyword::PIVOT | Keyword::UNPIVOT | Keyword::MATCH_RECOGNIZE => repeats += 1,
                Keyword::INTERVAL if follows_itself(lexed, index, Keyword::INTERVAL) => {
                    repeats += 1
                }
                Keyword::ARRAY | Keyword::STRUCT | Keyword::MAP if opens_type(lexed, index) => {
                    repeats += 1
                }
                _ => {}
            },
            _ => {}
        }
        if repeats > MAX_REPEATS || cases > MAX_NESTING || nots > MAX_NESTING {
            return Err(too_deep(span));
        }
    }
    Ok(())
}

fn follows_itself(lexed: &Lexed, index: usize, keyword: Keyword) -> bool {
    let before = lexed.solid_before(index);
    before.is_some_and(|before| matches!(&lexed.tokens[before].token, Token::Word(word) if word.keyword == keyword))
}

fn follows_period(lexed: &Lexed, index: usize) -> bool {
    let before = lexed.solid_before(index);
    before.is_some_and(|before| lexed.tokens[before].token == Token::Period)
}

fn opens_type(lexed: &Lexed, index: usize) -> bool {
    lexed
        .solid(index + 1, lexed.tokens.len())
        .is_some_and(|next| lexed.tokens[next].token == Token::Lt)
}

/// Refuses a syntax tree that a planner could not walk: expressions, queries or set operations too deep inside each
/// other. All that [`crate::parse`] answers has passed; call it for trees that were changed since.
///
/// # Errors
/// `R0151`, without a place.
pub fn chain_limits(tree: &impl Visit) -> Result<(), Diagnostic> {
    match tree.visit(&mut Walk { depth: 0 }) {
        ControlFlow::Break(message) => Err(Diagnostic::new(code::TOO_DEEP, message)),
        ControlFlow::Continue(()) => Ok(()),
    }
}

/// Whether an expression is deeper than [`MAX_DEPTH`]. Most are names and literals, which cost no walk.
pub(crate) fn is_too_deep(expr: &Expr) -> bool {
    !matches!(
        expr,
        Expr::Identifier(_) | Expr::CompoundIdentifier(_) | Expr::Value(_)
    ) && chain_limits(expr).is_err()
}

/// Knows how deep it is in a tree, with the weights of [`MAX_DEPTH`].
struct Walk {
    depth: usize,
}

impl Walk {
    fn enter(&mut self, levels: usize) -> ControlFlow<String> {
        self.depth += levels;
        if self.depth > MAX_DEPTH {
            ControlFlow::Break(depth_text())
        } else {
            ControlFlow::Continue(())
        }
    }

    fn leave(&mut self, levels: usize) -> ControlFlow<String> {
        self.depth -= levels;
        ControlFlow::Continue(())
    }
}

impl Visitor for Walk {
    type Break = String;

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<String> {
        // A planner nests one access in another.
        let parts = match expr {
            Expr::CompoundFieldAccess { access_chain, .. } => access_chain.len(),
            Expr::CompoundIdentifier(parts) => parts.len(),
            _ => 0,
        };
        if parts > MAX_PARTS {
            ControlFlow::Break(parts_text())
        } else {
            self.enter(1)
        }
    }

    fn post_visit_expr(&mut self, _: &Expr) -> ControlFlow<String> {
        self.leave(1)
    }

    fn pre_visit_table_factor(&mut self, _: &TableFactor) -> ControlFlow<String> {
        self.enter(3)
    }

    fn post_visit_table_factor(&mut self, _: &TableFactor) -> ControlFlow<String> {
        self.leave(3)
    }

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<String> {
        self.enter(10 + 6 * operations_deep(&query.body))
    }

    fn post_visit_query(&mut self, query: &Query) -> ControlFlow<String> {
        self.leave(10 + 6 * operations_deep(&query.body))
    }
}

/// How many set operations stand inside each other, brackets (which are queries of their own) not counted.
pub(crate) fn operations_deep(body: &SetExpr) -> usize {
    let mut pending = vec![(body, 0)];
    let mut deepest = 0;
    while let Some((body, depth)) = pending.pop() {
        deepest = deepest.max(depth);
        if let SetExpr::SetOperation { left, right, .. } = body {
            pending.extend([(left.as_ref(), depth + 1), (right.as_ref(), depth + 1)]);
        }
    }
    deepest
}

fn depth_text() -> String {
    "the expressions and queries are too deep inside each other".to_owned()
}

fn parts_text() -> String {
    format!("a name has more than {MAX_PARTS} parts or subscripts")
}

fn operands_text() -> String {
    format!("more than {MAX_SET_OPERATORS} UNION, EXCEPT and INTERSECT in one statement")
}

pub(crate) fn too_long(length: usize, start: usize) -> Diagnostic {
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

fn too_many_parts(span: Span) -> Diagnostic {
    Diagnostic::new(code::TOO_DEEP, parts_text()).at(span)
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
