//! Text to tokens with byte spans. Owns the rules of restable's names and marks that `sqlparser` does not know:
//! placeholders, `?` as operator or placeholder, `api-version` as one name. It refuses NUL characters and what is opened
//! and not closed.

use std::ops::Range;

use sqlparser::keywords::Keyword;
use sqlparser::tokenizer::{
    self, Location, Token, TokenWithSpan, Tokenizer, TokenizerError, Whitespace, Word,
};

use crate::cursor::is_keyword;
use crate::dialect::Restable;
use crate::error::{Diagnostic, code};
use crate::numbers;
use crate::span::{Span, Walk};
use crate::statement::Placeholder;

/// The tokens of a part of a script, spaces and comments included.
#[derive(Debug, Clone, Default)]
pub(crate) struct Lexed {
    /// With locations that count from the script's start.
    pub(crate) tokens: Vec<TokenWithSpan>,
    /// The bytes of each token, in the script.
    pub(crate) spans: Vec<Span>,
    /// What was recognised as a placeholder.
    pub(crate) placeholders: Vec<Placeholder>,
}

impl Lexed {
    pub(crate) fn push(&mut self, token: TokenWithSpan, span: Span) {
        self.tokens.push(token);
        self.spans.push(span);
    }

    /// The next token at or after `index` that is no space or comment.
    pub(crate) fn solid(&self, index: usize, end: usize) -> Option<usize> {
        (index..end.min(self.tokens.len()))
            .find(|&at| !matches!(self.tokens[at].token, Token::Whitespace(_)))
    }

    /// The last token before `index` that is no space or comment.
    pub(crate) fn solid_before(&self, index: usize) -> Option<usize> {
        (0..index)
            .rev()
            .find(|&at| !matches!(self.tokens[at].token, Token::Whitespace(_)))
    }
}

/// Tokens as far as the text could be read, and what stopped the reading.
pub(crate) struct Reading {
    pub(crate) lexed: Lexed,
    pub(crate) fault: Option<Diagnostic>,
}

/// Reads `script[range]`, whose first character stands at `start`. Placeholders and names are not yet recognised.
pub(crate) fn read(script: &str, range: Range<usize>, start: Location) -> Reading {
    let text = script.get(range.clone()).unwrap_or("");
    let mut lexed = Lexed::default();
    if let Some(at) = text.find('\0') {
        let place = Span::new(range.start + at, range.start + at + 1);
        let fault = Diagnostic::new(code::CHARACTER, "the text holds a NUL character").at(place);
        return Reading {
            lexed,
            fault: Some(fault),
        };
    }
    let (tokens, error) = tokenize(text);
    let mut walk = Walk::start(text);
    for mut token in tokens {
        let from = walk.byte;
        let Some(to) = walk.advance(text, token.span.end) else {
            break;
        };
        token.span = tokenizer::Span::new(
            shifted(token.span.start, start),
            shifted(token.span.end, start),
        );
        let span = Span::new(range.start + from, range.start + to);
        match numbers::read_on(&lexed, &token, span, script) {
            numbers::Read::Apart => lexed.push(token, span),
            numbers::Read::Instead(number) => {
                lexed.push(TokenWithSpan::new(number, token.span), span)
            }
            numbers::Read::Longer(number) => {
                let (Some(before), Some(first)) = (lexed.tokens.pop(), lexed.spans.pop()) else {
                    continue;
                };
                let place = before.span.union(&token.span);
                lexed.push(TokenWithSpan::new(number, place), first.to(span));
            }
        }
    }
    let read_to = range.start + walk.byte;
    let fault = error.map(|error| lexical_fault(&error, Span::new(read_to, range.end)));
    Reading { lexed, fault }
}

/// `sqlparser` ends a line comment at `\n` only. A file with the line ends of old Macs would then be one comment from the
/// first `--` on, so there every lone `\r` after that mark is read as `\n`.
fn tokenize(text: &str) -> (Vec<TokenWithSpan>, Option<TokenizerError>) {
    let (tokens, error) = tokenize_once(text);
    let hidden = tokens.iter().any(|token| match &token.token {
        Token::Whitespace(Whitespace::SingleLineComment { comment, .. }) => {
            let body = comment.trim_end_matches(['\r', '\n']);
            body.contains('\r')
        }
        _ => false,
    });
    if !hidden {
        return (tokens, error);
    }
    let mut characters = text.chars().peekable();
    let mut mended = String::with_capacity(text.len());
    while let Some(character) = characters.next() {
        let lone = character == '\r' && characters.peek() != Some(&'\n');
        mended.push(if lone { '\n' } else { character });
    }
    let (tokens, error) = tokenize_once(&mended);
    // Locations count in the script as it is, where a lone `\r` ends no line.
    let mut walk = Walk::start(&mended);
    let (mut line, mut column) = (1, 1);
    let located = tokens.into_iter().map_while(|mut token| {
        let from = walk.byte;
        let to = walk.advance(&mended, token.span.end)?;
        let passed = text.get(from..to)?;
        let start = Location::new(line, column);
        line += passed.matches('\n').count() as u64;
        column = match passed.rfind('\n') {
            Some(at) => passed[at + 1..].chars().count() as u64 + 1,
            None => column + passed.chars().count() as u64,
        };
        token.span = tokenizer::Span::new(start, Location::new(line, column));
        Some(token)
    });
    (located.collect(), error)
}

fn tokenize_once(text: &str) -> (Vec<TokenWithSpan>, Option<TokenizerError>) {
    let dialect = Restable::new(0);
    let mut tokens = Vec::new();
    let error = Tokenizer::new(&dialect, text)
        .tokenize_with_location_into_buf(&mut tokens)
        .err();
    (tokens, error)
}

fn shifted(location: Location, start: Location) -> Location {
    let column = if location.line == 1 {
        location.column + start.column - 1
    } else {
        location.column
    };
    Location::new(location.line + start.line - 1, column)
}

fn lexical_fault(error: &TokenizerError, rest: Span) -> Diagnostic {
    let text = error.message.as_str();
    let opening = Span::new(rest.start, (rest.start + 1).min(rest.end));
    let unclosed = |what: &str, close: &str| {
        Diagnostic::new(
            code::UNCLOSED,
            format!("the {what} that begins here is not closed"),
        )
        .at(opening)
        .help(format!("close it with {close}"))
    };
    if text.contains("comment") {
        unclosed("comment", "`*/`").at(Span::new(rest.start, (rest.start + 2).min(rest.end)))
    } else if text.contains("close delimiter") {
        unclosed("quoted name", "the same quote")
    } else if text.contains("dollar") {
        unclosed("dollar-quoted text", "the same `$…$`")
    } else if text.contains("Unterminated") || text.contains("Unclosed") || text.contains("quotes")
    {
        unclosed("text", "`'`; a quote inside it is written twice")
    } else if text.contains("Unexpected character '_'") {
        Diagnostic::new(code::SYNTAX, "expected a number or a name before `.`").at(opening)
    } else {
        Diagnostic::new(
            code::SYNTAX,
            format!("unreadable text: {}", crate::syntax::plain(text)),
        )
        .at(opening)
    }
}

/// Recognises placeholders, `?` and `api-version` in raw tokens.
pub(crate) fn recognise(mut raw: Lexed) -> Result<Lexed, Diagnostic> {
    let mut lexed = Lexed::default();
    let mut marks = 0;
    let mut index = 0;
    while index < raw.tokens.len() {
        let (token, span) = (&raw.tokens[index], raw.spans[index]);
        if let Some(end) = api_version(&raw, index) {
            let whole = span.to(raw.spans[end - 1]);
            let value = raw.tokens[index..end]
                .iter()
                .map(ToString::to_string)
                .collect::<String>();
            let word = Word {
                value,
                quote_style: Some('"'),
                keyword: Keyword::NoKeyword,
            };
            let place = token.span.union(&raw.tokens[end - 1].span);
            lexed.push(TokenWithSpan::new(Token::Word(word), place), whole);
            index = end;
            continue;
        }
        match &token.token {
            Token::Colon if named_placeholder(&raw, &lexed, index) => {
                let next = &raw.tokens[index + 1];
                let whole = span.to(raw.spans[index + 1]);
                placeholder(
                    &mut lexed,
                    next.to_string(),
                    token.span.union(&next.span),
                    whole,
                );
                index += 1;
            }
            Token::Placeholder(mark) if mark.starts_with('?') => {
                match operator_mark(&raw, &lexed, index) {
                    Some((operator, length)) => {
                        let last = index + length - 1;
                        let place = token.span.union(&raw.tokens[last].span);
                        lexed.push(
                            TokenWithSpan::new(operator, place),
                            span.to(raw.spans[last]),
                        );
                        index = last;
                    }
                    None => {
                        let name = if mark.len() > 1 {
                            numbered(&mark[1..], span)?;
                            mark[1..].to_owned()
                        } else {
                            marks += 1;
                            marks.to_string()
                        };
                        placeholder(&mut lexed, name, token.span, span);
                    }
                }
            }
            Token::Placeholder(mark) => {
                let name = mark.trim_start_matches('$').to_owned();
                if name.chars().all(|character| character.is_ascii_digit()) {
                    numbered(&name, span)?;
                    if marks > 0 {
                        return Err(mixed(span));
                    }
                }
                placeholder(&mut lexed, name, token.span, span);
            }
            _ => {
                // Moved, not copied: statements may have a million tokens. What looks back looks at `lexed`.
                let token = std::mem::replace(&mut raw.tokens[index], TokenWithSpan::new_eof());
                lexed.push(token, span);
            }
        }
        index += 1;
    }
    let numbers = lexed
        .placeholders
        .iter()
        .filter(|placeholder| placeholder.name.parse::<u32>().is_ok())
        .count();
    if marks > 0 && numbers > marks {
        let last = lexed
            .placeholders
            .last()
            .map_or(Span::new(0, 0), |placeholder| placeholder.span);
        return Err(mixed(last));
    }
    Ok(lexed)
}

fn placeholder(lexed: &mut Lexed, name: String, place: tokenizer::Span, span: Span) {
    let token = Token::Placeholder(format!("${name}"));
    lexed.push(TokenWithSpan::new(token, place), span);
    lexed.placeholders.push(Placeholder { name, span });
}

fn numbered(digits: &str, span: Span) -> Result<(), Diagnostic> {
    match digits.parse::<u16>() {
        Ok(1..) => Ok(()),
        _ => Err(Diagnostic::new(
            code::PLACEHOLDER,
            "a numbered placeholder is one of `$1` to `$65535`",
        )
        .at(span)),
    }
}

fn mixed(span: Span) -> Diagnostic {
    Diagnostic::new(
        code::PLACEHOLDER,
        "`?` and numbered placeholders do not mix",
    )
    .at(span)
    .help("number all of them, or use `:name`")
}

/// `api-version` without spaces is a name, unless more follows that makes it an expression (`api-version()`).
fn api_version(raw: &Lexed, index: usize) -> Option<usize> {
    let plain = |at: usize, text: &str| match raw.tokens.get(at).map(|token| &token.token) {
        Some(Token::Word(word)) => {
            word.quote_style.is_none() && word.value.eq_ignore_ascii_case(text)
        }
        _ => false,
    };
    let hyphen = raw
        .tokens
        .get(index + 1)
        .is_some_and(|token| token.token == Token::Minus);
    if !(plain(index, "api") && hyphen && plain(index + 2, "version")) {
        return None;
    }
    let glued = raw.tokens.get(index + 3).map(|token| &token.token);
    (!matches!(glued, Some(Token::LParen | Token::Period))).then_some(index + 3)
}

/// `:name` begins a placeholder only where nothing is glued before the colon: `a:b`, `m[1:n]` and `x::t` are not.
fn named_placeholder(raw: &Lexed, lexed: &Lexed, index: usize) -> bool {
    let named = match raw.tokens.get(index + 1).map(|token| &token.token) {
        Some(Token::Word(word)) => word.quote_style.is_none(),
        _ => false,
    };
    let glued = lexed.tokens.last().is_some_and(|before| {
        matches!(
            before.token,
            Token::Word(_)
                | Token::RParen
                | Token::RBracket
                | Token::RBrace
                | Token::Number(..)
                | Token::SingleQuotedString(_)
                | Token::Colon
                | Token::Placeholder(_)
        )
    });
    named && !glued
}

/// After an operand `?` is PostgreSQL's test for a JSON key (also `?|` and `?&`), elsewhere a placeholder.
fn operator_mark(raw: &Lexed, lexed: &Lexed, index: usize) -> Option<(Token, usize)> {
    let Token::Placeholder(mark) = &raw.tokens[index].token else {
        return None;
    };
    let at = lexed.solid_before(lexed.tokens.len())?;
    let after_operand = match &lexed.tokens[at].token {
        Token::Word(word) => !begins_operand(word) && !begins_time(lexed, at),
        Token::RParen | Token::RBracket | Token::Placeholder(_) | Token::SingleQuotedString(_) => {
            true
        }
        _ => false,
    };
    if !after_operand || mark.len() > 1 {
        return None;
    }
    match raw.tokens.get(index + 1).map(|token| &token.token) {
        Some(Token::Pipe) => Some((Token::QuestionPipe, 2)),
        Some(Token::Ampersand) => Some((Token::QuestionAnd, 2)),
        _ => Some((Token::Question, 1)),
    }
}

/// Whether the word ends `SYSTEM_TIME AS OF`.
fn begins_time(lexed: &Lexed, of: usize) -> bool {
    let is = |at: usize, word: &str| is_keyword(lexed.tokens.get(at).map(|it| &it.token), word);
    let Some(marked) = lexed
        .solid_before(of)
        .filter(|at| is(of, "OF") && is(*at, "AS"))
    else {
        return false;
    };
    lexed
        .solid_before(marked)
        .is_some_and(|at| is(at, "SYSTEM_TIME"))
}

fn begins_operand(word: &Word) -> bool {
    word.quote_style.is_none()
        && matches!(
            word.keyword,
            Keyword::SELECT
                | Keyword::DISTINCT
                | Keyword::ALL
                | Keyword::ANY
                | Keyword::WHERE
                | Keyword::AND
                | Keyword::OR
                | Keyword::NOT
                | Keyword::IN
                | Keyword::IS
                | Keyword::FROM
                | Keyword::LIKE
                | Keyword::ILIKE
                | Keyword::TO
                | Keyword::BETWEEN
                | Keyword::CASE
                | Keyword::WHEN
                | Keyword::THEN
                | Keyword::ELSE
                | Keyword::ON
                | Keyword::HAVING
                | Keyword::BY
                | Keyword::LIMIT
                | Keyword::OFFSET
                | Keyword::TOP
                | Keyword::FETCH
                | Keyword::FIRST
                | Keyword::NEXT
                | Keyword::VALUES
                | Keyword::SET
                | Keyword::RETURNING
                | Keyword::USING
                | Keyword::ESCAPE
                | Keyword::INTERVAL
                | Keyword::FOR
                | Keyword::QUALIFY
        )
}
