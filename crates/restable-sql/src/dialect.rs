//! The dialect that `sqlparser` is run with: its Generic dialect, PostgreSQL's precedence for the JSON operators, and a
//! hook on every infix operator that keeps trees shallow. Owns lexical rules and precedence; restable's own statements
//! are read elsewhere.
//!
//! `sqlparser` builds a chain `a + b + c …` as a tree that leans left and is as deep as the chain is long. Dropping or
//! planning such a tree recurses once a link, so a few kilobytes of text could end the process. The hook therefore
//! counts the links of each chain, and builds AND and OR chains as balanced trees, which have no limit of their own.

use std::any::TypeId;
use std::cell::Cell;

use sqlparser::ast::{BinaryOperator, Expr, UnaryOperator};
use sqlparser::dialect::{Dialect, GenericDialect, Precedence};
use sqlparser::keywords::Keyword;
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::Token;

use crate::balance;
use crate::limits::{self, MAX_CHAIN};

/// `->` and its kin take part of a JSON value: above `*` and `||`, below `::`.
const JSON_ACCESS: u8 = 45;
/// `^` raises to a power, before anything is multiplied and after a sign: `-2 ^ 2` is 4.
const POWER: u8 = 43;
/// Every operator that PostgreSQL has no rank for (`||`, `|`, `&`, `#`, `<<`, `~`, `@>`): below `+`, above comparison.
const OTHER: u8 = 25;
/// LIKE, IN, BETWEEN: above `=`.
const MATCH: u8 = 21;

/// What ended the reading of a text from inside a hook. `sqlparser` backtracks over every error but
/// `RecursionLimitExceeded`, so the hooks return that and leave the reason here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stopped {
    Chain,
    Depth,
    Steps,
}

/// The dialect, with the counters of one statement.
#[derive(Debug)]
pub(crate) struct Restable {
    /// Set for one call, so that the hook can reach the parser's own infix rules.
    default_once: Cell<bool>,
    steps_left: Cell<u64>,
    stopped: Cell<Option<(Stopped, usize)>>,
    /// Whether a table of the statement may be asked as of a time.
    versions: bool,
}

impl Restable {
    /// For a statement of so many tokens.
    pub(crate) fn new(tokens: usize) -> Self {
        Restable {
            default_once: Cell::new(false),
            steps_left: Cell::new(limits::steps(tokens)),
            stopped: Cell::new(None),
            versions: false,
        }
    }

    /// For a statement with `FOR SYSTEM_TIME`. Without it the words `at`, `before` and `changes` may be aliases of tables,
    /// which `sqlparser` takes for Snowflake's ways to name a time.
    pub(crate) fn with_versions(self, versions: bool) -> Self {
        Restable { versions, ..self }
    }

    /// Why a hook stopped the parser, and at which token.
    pub(crate) fn stopped(&self) -> Option<(Stopped, usize)> {
        self.stopped.get()
    }

    fn stop<T>(&self, why: Stopped, parser: &Parser) -> Result<T, ParserError> {
        self.stopped.set(Some((why, parser.index())));
        Err(ParserError::RecursionLimitExceeded)
    }

    fn step(&self, parser: &Parser) -> Result<(), ParserError> {
        match self.steps_left.get() {
            0 => self.stop(Stopped::Steps, parser),
            left => {
                self.steps_left.set(left - 1);
                Ok(())
            }
        }
    }

    /// Reads every operator that binds at least as tightly as the next one, which the caller's loop would have read
    /// one by one with the same result.
    fn chain(&self, parser: &mut Parser, left: &Expr) -> Result<Expr, ParserError> {
        let lowest = parser.get_next_precedence()?;
        let mut precedence = lowest;
        // A copy recurses, so it is made only of what is not deep.
        if limits::is_too_deep(left) {
            return self.stop(Stopped::Depth, parser);
        }
        let mut expr = left.clone();
        let mut links = 0;
        loop {
            match parser.peek_one_of_keywords(&[Keyword::AND, Keyword::OR]) {
                Some(Keyword::AND) => expr = self.boolean(parser, expr, Keyword::AND)?,
                Some(_) => expr = self.boolean(parser, expr, Keyword::OR)?,
                // sqlparser 0.62 reads everything that follows as the right side of these two.
                None if parser.parse_keywords(&[Keyword::IS, Keyword::DISTINCT, Keyword::FROM]) => {
                    let right = parser.parse_subexpr(precedence)?;
                    expr = Expr::IsDistinctFrom(Box::new(expr), Box::new(right));
                    links += 1;
                }
                None if parser.parse_keywords(&[
                    Keyword::IS,
                    Keyword::NOT,
                    Keyword::DISTINCT,
                    Keyword::FROM,
                ]) =>
                {
                    let right = parser.parse_subexpr(precedence)?;
                    expr = Expr::IsNotDistinctFrom(Box::new(expr), Box::new(right));
                    links += 1;
                }
                // `sqlparser` knows this one for PostgreSQL's own dialect only.
                None if parser.consume_token(&Token::Sharp) => {
                    let right = parser.parse_subexpr(precedence)?;
                    expr = Expr::BinaryOp {
                        left: Box::new(expr),
                        op: BinaryOperator::PGBitwiseXor,
                        right: Box::new(right),
                    };
                    links += 1;
                }
                None => {
                    self.default_once.set(true);
                    expr = parser.parse_infix(expr, precedence)?;
                    links += 1;
                }
            }
            if links > MAX_CHAIN {
                return self.stop(Stopped::Chain, parser);
            }
            precedence = parser.get_next_precedence()?;
            if precedence < lowest || parser.peek_token_ref().token == Token::Period {
                break;
            }
        }
        // Chains nested in each other's first operand add up; a look at the finished ones keeps the sum bounded.
        if links > 16 && limits::is_too_deep(&expr) {
            return self.stop(Stopped::Depth, parser);
        }
        Ok(expr)
    }

    fn boolean(
        &self,
        parser: &mut Parser,
        first: Expr,
        keyword: Keyword,
    ) -> Result<Expr, ParserError> {
        let (precedence, operator) = match keyword {
            Keyword::AND => (Precedence::And, BinaryOperator::And),
            _ => (Precedence::Or, BinaryOperator::Or),
        };
        let precedence = self.prec_value(precedence);
        let mut operands = vec![first];
        while parser.parse_keyword(keyword) {
            operands.push(parser.parse_subexpr(precedence)?);
        }
        if operator == BinaryOperator::Or {
            operands = balance::equalities_to_lists(operands);
        }
        Ok(balance::balanced(operands, &operator))
    }
}

macro_rules! supported {
    ($($feature:ident)*) => { $(fn $feature(&self) -> bool { true })* };
}

impl Dialect for Restable {
    /// `sqlparser` asks for the type in places; there this is the Generic dialect.
    fn dialect(&self) -> TypeId {
        TypeId::of::<GenericDialect>()
    }

    fn is_delimited_identifier_start(&self, character: char) -> bool {
        character == '"' || character == '`'
    }

    fn is_identifier_start(&self, character: char) -> bool {
        character.is_alphabetic() || character == '_'
    }

    // `#` and `@` begin operators (`#>>`, `@>`), also right after a name.
    fn is_identifier_part(&self, character: char) -> bool {
        character.is_alphabetic()
            || character.is_ascii_digit()
            || character == '_'
            || character == '$'
    }

    fn supports_table_versioning(&self) -> bool {
        self.versions
    }

    fn get_next_precedence(&self, parser: &Parser) -> Option<Result<u8, ParserError>> {
        match parser.peek_token_ref().token {
            Token::Arrow
            | Token::LongArrow
            | Token::HashArrow
            | Token::HashLongArrow
            | Token::HashMinus => Some(Ok(JSON_ACCESS)),
            Token::Caret => Some(Ok(POWER)),
            Token::AtArrow
            | Token::ArrowAt
            | Token::Question
            | Token::QuestionAnd
            | Token::QuestionPipe
            | Token::AtQuestion
            | Token::AtAt
            | Token::StringConcat
            | Token::Pipe
            | Token::Ampersand
            | Token::Sharp
            | Token::ShiftLeft
            | Token::ShiftRight
            | Token::Tilde
            | Token::TildeAsterisk
            | Token::ExclamationMarkTilde
            | Token::ExclamationMarkTildeAsterisk
            | Token::DoubleTilde
            | Token::DoubleTildeAsterisk
            | Token::ExclamationMarkDoubleTilde
            | Token::ExclamationMarkDoubleTildeAsterisk => Some(Ok(OTHER)),
            _ => None,
        }
    }

    fn prec_value(&self, precedence: Precedence) -> u8 {
        match precedence {
            Precedence::Between | Precedence::Like => MATCH,
            other => GenericDialect {}.prec_value(other),
        }
    }

    fn parse_prefix(&self, parser: &mut Parser) -> Option<Result<Expr, ParserError>> {
        if let Err(stopped) = self.step(parser) {
            return Some(Err(stopped));
        }
        let (op, precedence) = match parser.peek_token_ref().token {
            Token::Minus => (UnaryOperator::Minus, POWER),
            Token::Plus => (UnaryOperator::Plus, POWER),
            Token::Tilde => (UnaryOperator::BitwiseNot, OTHER),
            Token::PGSquareRoot => (UnaryOperator::PGSquareRoot, OTHER),
            Token::PGCubeRoot => (UnaryOperator::PGCubeRoot, OTHER),
            _ => return None,
        };
        parser.advance_token();
        let expr = parser.parse_subexpr(precedence).map(Box::new);
        Some(expr.map(|expr| Expr::UnaryOp { op, expr }))
    }

    fn parse_infix(
        &self,
        parser: &mut Parser,
        left: &Expr,
        _: u8,
    ) -> Option<Result<Expr, ParserError>> {
        if self.default_once.replace(false) {
            None
        } else {
            Some(self.chain(parser, left))
        }
    }

    // The Generic dialect's features, without those that hide text (`/*! … */` as code, Oracle's `q'…'`) and without
    // clauses that the planner would ignore (PREWHERE, SETTINGS, FORMAT, LIMIT BY, WITH FILL, INTERPOLATE).
    supported! {
        supports_unicode_string_literal supports_partition_by_after_order_by supports_array_join_syntax
        supports_group_by_expr supports_group_by_with_modifier supports_left_associative_joins_without_parens
        supports_connect_by supports_match_recognize supports_pipe_operator supports_start_transaction_modifier
        supports_window_function_null_treatment_arg supports_dictionary_syntax
        supports_window_clause_named_window_reference supports_parenthesized_set_variables
        supports_select_wildcard_except support_map_literal_syntax allow_extract_custom allow_extract_single_quotes
        supports_extract_comma_syntax supports_create_view_comment_syntax supports_parens_around_table_factor
        supports_values_as_table_factor supports_create_index_with_clause supports_explain_with_utility_options
        supports_limit_comma supports_update_order_by supports_from_first_select
        supports_projection_trailing_commas supports_asc_desc_in_column_definition supports_try_convert
        supports_bitwise_shift_operators supports_comment_on supports_named_fn_args_with_assignment_operator
        supports_struct_literal supports_empty_projections supports_nested_comments
        supports_user_host_grantee supports_string_escape_constant supports_array_typedef_with_brackets
        supports_match_against supports_set_names supports_comma_separated_set_assignments
        supports_filter_during_aggregation supports_select_wildcard_exclude supports_data_type_signed_suffix
        supports_interval_options supports_select_wildcard_replace supports_select_wildcard_ilike
        supports_select_wildcard_rename supports_constraint_keyword_without_name supports_key_column_option
        supports_comma_separated_trim supports_cte_without_as supports_select_item_multi_column_alias
        supports_xml_expressions
    }
}
