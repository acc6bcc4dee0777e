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
    let mut walk = Walk::start(script);
    let start = walk.advance(script, span.start)?;
    let end = walk.advance(script, span.end)?;
    Some(Span::new(start, end.max(start)))
}

/// Goes through a text forwards and turns locations into bytes. Counts as the tokenizer does: a line ends at `\n` only, a
/// column is a character. A line of ASCII, however long, costs one look.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Walk {
    pub(crate) byte: usize,
    line: u64,
    column: u64,
    line_start: usize,
    line_end: usize,
    ascii: bool,
}

impl Walk {
    pub(crate) fn start(text: &str) -> Self {
        let mut walk = Walk {
            byte: 0,
            line: 1,
            column: 1,
            line_start: 0,
            line_end: 0,
            ascii: true,
        };
        walk.enter_line(text, 0);
        walk
    }

    fn enter_line(&mut self, text: &str, start: usize) {
        let rest = text.get(start..).unwrap_or("");
        let line = rest.find('\n').map_or(rest, |end| &rest[..end]);
        self.line_start = start;
        self.line_end = start + line.len();
        self.ascii = line.is_ascii();
        self.byte = start;
        self.column = 1;
    }

    /// Goes on to a location and tells its byte; `None` if the text ends before.
    pub(crate) fn advance(&mut self, text: &str, to: tokenizer::Location) -> Option<usize> {
        while self.line < to.line {
            if self.line_end >= text.len() {
                return None;
            }
            self.enter_line(text, self.line_end + 1);
            self.line += 1;
        }
        if to.line < self.line || to.column <= self.column {
            return Some(self.byte);
        }
        if self.ascii {
            self.byte = self.line_start + usize::try_from(to.column).ok()? - 1;
            self.column = to.column;
        } else {
            let mut characters = text.get(self.byte..self.line_end)?.chars();
            while self.column < to.column {
                self.byte += characters.next()?.len_utf8();
                self.column += 1;
            }
        }
        (self.byte <= self.line_end).then_some(self.byte)
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
