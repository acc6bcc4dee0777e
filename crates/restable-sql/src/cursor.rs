//! A place in the tokens of one statement. Owns the small steps that restable's own statements are read with, and the
//! hand-over to `sqlparser` for expressions and queries.

use sqlparser::ast::{Ident, ObjectName, Visit, VisitMut};
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::{Token, Word};

use crate::balance;
use crate::dialect::Restable;
use crate::error::Diagnostic;
use crate::lexer::Lexed;
use crate::limits;
use crate::span::Span;
use crate::syntax::{self, Given};
use crate::trees;

/// Reads `lexed.tokens[at..end]`; copies are cheap and independent.
#[derive(Clone, Copy)]
pub(crate) struct Cursor<'a> {
    pub(crate) script: &'a str,
    pub(crate) lexed: &'a Lexed,
    pub(crate) at: usize,
    pub(crate) end: usize,
}

impl<'a> Cursor<'a> {
    pub(crate) fn new(script: &'a str, lexed: &'a Lexed) -> Self {
        Cursor {
            script,
            lexed,
            at: 0,
            end: lexed.tokens.len(),
        }
    }

    /// The index of the next token that is no space or comment.
    pub(crate) fn next_index(&self) -> Option<usize> {
        self.lexed.solid(self.at, self.end)
    }

    pub(crate) fn peek(&self) -> Option<&'a Token> {
        self.next_index().map(|at| &self.lexed.tokens[at].token)
    }

    /// The token after the next.
    pub(crate) fn peek_second(&self) -> Option<&'a Token> {
        let next = self.next_index()?;
        self.lexed
            .solid(next + 1, self.end)
            .map(|at| &self.lexed.tokens[at].token)
    }

    /// Where the next token stands; at the end, an empty span after the last token.
    pub(crate) fn next_span(&self) -> Span {
        match self.next_index() {
            Some(at) => self.lexed.spans[at],
            None => {
                let last = self.last_span();
                Span::new(last.end, last.end)
            }
        }
    }

    /// Where the last token before this place stands.
    pub(crate) fn last_span(&self) -> Span {
        self.lexed
            .solid_before(self.at)
            .map_or(Span::new(0, 0), |at| self.lexed.spans[at])
    }

    pub(crate) fn skip(&mut self) {
        if let Some(at) = self.next_index() {
            self.at = at + 1;
        }
    }

    pub(crate) fn is_at_end(&self) -> bool {
        self.next_index().is_none()
    }

    fn next_word(&self) -> Option<&'a Word> {
        match self.peek() {
            Some(Token::Word(word)) => Some(word),
            _ => None,
        }
    }

    /// The next word in upper case, if it is one and has no quotes.
    pub(crate) fn keyword(&self) -> Option<String> {
        self.next_word()
            .filter(|word| word.quote_style.is_none())
            .map(|word| word.value.to_ascii_uppercase())
    }

    pub(crate) fn sees(&self, keyword: &str) -> bool {
        is_keyword(self.peek(), keyword)
    }

    /// Steps over the keyword if it is next.
    pub(crate) fn eat(&mut self, keyword: &str) -> bool {
        let found = self.sees(keyword);
        if found {
            self.skip();
        }
        found
    }

    pub(crate) fn eat_any(&mut self, keywords: &[&str]) -> bool {
        keywords.iter().any(|keyword| self.eat(keyword))
    }

    /// Steps over the keywords if all are next, in order.
    pub(crate) fn eat_all(&mut self, keywords: &[&str]) -> bool {
        let mut ahead = *self;
        let found = keywords.iter().all(|keyword| ahead.eat(keyword));
        if found {
            *self = ahead;
        }
        found
    }

    pub(crate) fn expect(&mut self, keyword: &str) -> Result<(), Diagnostic> {
        if self.eat(keyword) {
            Ok(())
        } else {
            Err(self.unexpected(&format!("`{keyword}`")))
        }
    }

    pub(crate) fn eat_token(&mut self, token: &Token) -> bool {
        let found = self.peek() == Some(token);
        if found {
            self.skip();
        }
        found
    }

    pub(crate) fn expect_token(&mut self, token: &Token) -> Result<(), Diagnostic> {
        if self.eat_token(token) {
            Ok(())
        } else {
            Err(self.unexpected(&format!("`{token}`")))
        }
    }

    pub(crate) fn expect_end(&self) -> Result<(), Diagnostic> {
        if self.is_at_end() {
            Ok(())
        } else {
            Err(self.unexpected("the end of the statement or `;`"))
        }
    }

    /// A fault at the next token.
    pub(crate) fn unexpected(&self, expected: &str) -> Diagnostic {
        let given = Given {
            lexed: self.lexed,
            begin: 0,
            end: self.end,
        };
        syntax::unexpected(
            self.script,
            expected,
            self.next_span(),
            &given,
            self.next_index(),
        )
    }

    pub(crate) fn ident(&mut self, expected: &str) -> Result<Ident, Diagnostic> {
        let Some(at) = self.next_index() else {
            return Err(self.unexpected(expected));
        };
        match &self.lexed.tokens[at].token {
            Token::Word(word) => {
                self.at = at + 1;
                let span = self.lexed.tokens[at].span;
                Ok(Ident {
                    value: word.value.clone(),
                    quote_style: word.quote_style,
                    span,
                })
            }
            _ => Err(self.unexpected(expected)),
        }
    }

    /// A dotted name and where it stands.
    pub(crate) fn name(&mut self, expected: &str) -> Result<(ObjectName, Span), Diagnostic> {
        let start = self.next_span();
        let mut parts = vec![self.ident(expected)?];
        while self.eat_token(&Token::Period) {
            parts.push(self.ident("a name after `.`")?);
        }
        Ok((ObjectName::from(parts), start.to(self.last_span())))
    }

    /// A single-quoted text.
    pub(crate) fn text(&mut self, expected: &str) -> Result<String, Diagnostic> {
        match self.peek() {
            Some(Token::SingleQuotedString(text) | Token::EscapedStringLiteral(text)) => {
                self.skip();
                Ok(text.clone())
            }
            _ => Err(self.unexpected(expected)),
        }
    }

    /// Lets `sqlparser` read from here, checks what it answers, and goes on where it stopped.
    pub(crate) fn parser<T: Visit + VisitMut>(
        &mut self,
        read: impl FnOnce(&mut Parser) -> Result<T, ParserError>,
    ) -> Result<T, Diagnostic> {
        let tokens = self
            .lexed
            .tokens
            .get(self.at..self.end)
            .unwrap_or(&[])
            .to_vec();
        let versions = tokens
            .iter()
            .any(|token| is_keyword(Some(&token.token), "SYSTEM_TIME"));
        let dialect = Restable::new(tokens.len()).with_versions(versions);
        let mut parser = Parser::new(&dialect)
            .with_recursion_limit(limits::RECURSION)
            .with_tokens_with_locations(tokens);
        match read(&mut parser) {
            Ok(mut answer) => {
                balance::balance_unions(&mut answer);
                let start = self.next_span();
                // The parser counts on when it looks past the end.
                self.at = (self.at + parser.index()).min(self.end);
                trees::admit(&answer, start.to(self.last_span()))?;
                Ok(answer)
            }
            Err(error) => {
                let given = Given {
                    lexed: self.lexed,
                    begin: self.at,
                    end: self.end,
                };
                Err(syntax::translate(self.script, &error, &given, &dialect))
            }
        }
    }
}

pub(crate) fn is_keyword(token: Option<&Token>, keyword: &str) -> bool {
    matches!(token, Some(Token::Word(word)) if word.quote_style.is_none() && word.value.eq_ignore_ascii_case(keyword))
}
