//! Byte spans into a script, and the way from `sqlparser`'s lines and columns to bytes. Owns positions only.

use sqlparser::tokenizer;

/// A range of bytes in the script, on character boundaries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Span {
    /// The first byte.
    pub start: usize,
    /// The byte after the last.
    pub end: usize,
}

impl Span {
    /// From `start` to before `end`.
    #[must_use]
    pub fn new(start: usize, end: usize) -> Self {
        Span { start, end }
    }

    /// The smallest span that holds both.
    #[must_use]
    pub fn to(self, other: Span) -> Span {
        Span::new(self.start.min(other.start), self.end.max(other.end))
    }

    /// The text under the span; empty if the span does not fit the script.
    #[must_use]
    pub fn of(self, script: &str) -> &str {
        script.get(self.start..self.end).unwrap_or("")
    }
}

/// The bytes of a span that a syntax tree of this crate carries (lines and columns counted from the script's start).
/// `None` where the tree has no location.
#[must_use]
pub fn byte_span(script: &str, span: tokenizer::Span) -> Option<Span> {
    if span.start.line == 0 || span.end.line == 0 {
        return None;
    }
    let mut walk = Walk::start();
    let start = walk.advance(script, span.start)?;
    let end = walk.advance(script, span.end)?;
    Some(Span::new(start, end.max(start)))
}

/// Counts lines and columns as the tokenizer does: a line ends at `\n` only, a column is a character.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Walk {
    pub(crate) byte: usize,
    pub(crate) line: u64,
    pub(crate) column: u64,
}

impl Walk {
    pub(crate) fn start() -> Self {
        Walk {
            byte: 0,
            line: 1,
            column: 1,
        }
    }

    /// Goes on to a location and tells its byte; `None` if the text ends before.
    pub(crate) fn advance(&mut self, text: &str, to: tokenizer::Location) -> Option<usize> {
        let rest = text.get(self.byte..)?;
        let mut characters = rest.chars();
        while (self.line, self.column) < (to.line, to.column) {
            let character = characters.next()?;
            self.byte += character.len_utf8();
            if character == '\n' {
                self.line += 1;
                self.column = 1;
            } else {
                self.column += 1;
            }
        }
        Some(self.byte)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokenizer::Location;

    #[test]
    fn columns_count_characters_and_lines_end_at_line_feeds() {
        let script = "äö\r\nx = '日本'\n;";
        let span = tokenizer::Span::new(Location::new(2, 5), Location::new(2, 9));
        let found = byte_span(script, span).map(|span| span.of(script));
        assert_eq!(found, Some("'日本'"));
        assert_eq!(byte_span(script, tokenizer::Span::empty()), None);
        let past = tokenizer::Span::new(Location::new(9, 1), Location::new(9, 2));
        assert_eq!(byte_span(script, past), None);
    }
}
