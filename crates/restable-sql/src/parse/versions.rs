//! `FOR SYSTEM_TIME` after the name of a table. Owns what its tokens become for `sqlparser`, which reads `AS OF` only, and in
//! statements that have it takes bare `at`, `before` and `changes` for Snowflake's ways to name a time.

use sqlparser::keywords::Keyword;
use sqlparser::tokenizer::{Token, TokenWithSpan, Word};

use crate::cursor::is_keyword;
use crate::lexer::Lexed;
use crate::statement::ALL_REFRESHES;

/// The tokens of a statement in which a table may be asked as of a time.
pub(super) fn told(lexed: Lexed) -> Lexed {
    let has = |at: usize, word: &str| is_keyword(lexed.tokens.get(at).map(|it| &it.token), word);
    if !(0..lexed.tokens.len()).any(|at| has(at, "SYSTEM_TIME")) {
        return lexed;
    }
    let mut told = Lexed {
        placeholders: lexed.placeholders.clone(),
        ..Lexed::default()
    };
    let end = lexed.tokens.len();
    for at in 0..end {
        let (token, span) = (&lexed.tokens[at], lexed.spans[at]);
        let before = lexed.solid_before(at);
        let follows_mark = before.is_some_and(|mark| {
            has(mark, "SYSTEM_TIME") && lexed.solid_before(mark).is_some_and(|at| has(at, "FOR"))
        });
        if follows_mark && has(at, "ALL") {
            let name = Word {
                value: ALL_REFRESHES.to_owned(),
                quote_style: None,
                keyword: Keyword::NoKeyword,
            };
            let tokens = [keyword(Keyword::AS, "AS"), keyword(Keyword::OF, "OF"), name];
            for word in tokens {
                told.push(TokenWithSpan::new(Token::Word(word), token.span), span);
            }
            continue;
        }
        let zone = lexed
            .solid(at + 1, end)
            .is_some_and(|next| has(next, "TIME"));
        let is_plain = has(at, "BEFORE") || has(at, "CHANGES") || has(at, "AT") && !zone;
        let token = match &token.token {
            Token::Word(word) if is_plain => {
                let word = Word {
                    keyword: Keyword::NoKeyword,
                    ..word.clone()
                };
                TokenWithSpan::new(Token::Word(word), token.span)
            }
            _ => token.clone(),
        };
        told.push(token, span);
    }
    told
}

fn keyword(keyword: Keyword, value: &str) -> Word {
    Word {
        value: value.to_owned(),
        quote_style: None,
        keyword,
    }
}
