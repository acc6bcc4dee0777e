//! [`Diagnostic`], the one form in which a fault in a statement is told, and the list of the codes that this crate gives.
//! Owns the data; `render.rs` owns the layout. The engine builds diagnostics of its own with codes from `R0300` on.

use crate::Span;

/// A fault in a statement. The message starts in lower case, names literals in backticks and has no full stop.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Diagnostic {
    /// A code of [`CODES`], or of the engine.
    pub code: &'static str,
    /// What is wrong, in one line.
    pub message: String,
    /// Where, in bytes of the script.
    pub span: Option<Span>,
    /// What else to know, one line each.
    pub notes: Vec<String>,
    /// What to do.
    pub help: Option<String>,
}

impl Diagnostic {
    /// A fault with no place yet.
    #[must_use]
    pub fn new(code: &'static str, message: impl Into<String>) -> Self {
        Diagnostic {
            code,
            message: message.into(),
            span: None,
            notes: Vec::new(),
            help: None,
        }
    }

    /// The same at a place.
    #[must_use]
    pub fn at(mut self, span: Span) -> Self {
        self.span = Some(span);
        self
    }

    /// The same with one more note.
    #[must_use]
    pub fn note(mut self, note: impl Into<String>) -> Self {
        self.notes.push(note.into());
        self
    }

    /// The same with a hint at what to do.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Whether the fault is one of size or depth, for which SQLSTATE is 54000 or 54001.
    #[must_use]
    pub fn is_limit(&self) -> bool {
        matches!(
            self.code,
            code::TOO_LONG
                | code::TOO_DEEP
                | code::CHAIN_TOO_LONG
                | code::TOO_MANY_OPERANDS
                | code::TOO_COMPLEX
        )
    }
}

/// The codes that this crate gives.
pub mod code {
    /// The text does not follow the grammar at the place shown.
    pub const SYNTAX: &str = "R0101";
    /// A string, quoted name, comment or dollar quote is opened and not closed.
    pub const UNCLOSED: &str = "R0102";
    /// A character that no statement may hold.
    pub const CHARACTER: &str = "R0103";
    /// The first word begins no statement.
    pub const UNKNOWN_STATEMENT: &str = "R0104";
    /// SQL knows the statement or clause, restable does not do it.
    pub const UNSUPPORTED: &str = "R0105";
    /// A hint that does not exist, contradicts another, or stands in the wrong place.
    pub const HINT: &str = "R0106";
    /// A parameter, column or body is given twice.
    pub const TWICE: &str = "R0107";
    /// A placeholder out of range, or two kinds mixed.
    pub const PLACEHOLDER: &str = "R0108";
    /// A statement stands where only others may (inside PREVIEW, EXPLAIN, PREPARE, WITH).
    pub const MISPLACED: &str = "R0109";
    /// The statement or script is longer than accepted.
    pub const TOO_LONG: &str = "R0150";
    /// Parentheses, subqueries, functions or CASE nested too deeply.
    pub const TOO_DEEP: &str = "R0151";
    /// More operators in a row than accepted.
    pub const CHAIN_TOO_LONG: &str = "R0152";
    /// More SELECTs joined by UNION, EXCEPT, INTERSECT than accepted.
    pub const TOO_MANY_OPERANDS: &str = "R0153";
    /// The text needs more steps to read than accepted.
    pub const TOO_COMPLEX: &str = "R0154";
}

/// Every code of this crate with what it means, for documentation and `\?`.
pub const CODES: &[(&str, &str)] = &[
    (
        code::SYNTAX,
        "the text does not follow the grammar at the place shown",
    ),
    (
        code::UNCLOSED,
        "a string, quoted name, comment or dollar quote is not closed",
    ),
    (code::CHARACTER, "a character that no statement may hold"),
    (
        code::UNKNOWN_STATEMENT,
        "the first word begins no statement",
    ),
    (
        code::UNSUPPORTED,
        "SQL knows the statement or clause, restable does not do it",
    ),
    (
        code::HINT,
        "a hint that does not exist, contradicts another, or stands in the wrong place",
    ),
    (code::TWICE, "a parameter, column or body is given twice"),
    (
        code::PLACEHOLDER,
        "a placeholder out of range, or two kinds of placeholders mixed",
    ),
    (code::MISPLACED, "a statement stands where only others may"),
    (
        code::TOO_LONG,
        "the statement or script is longer than accepted",
    ),
    (code::TOO_DEEP, "the text is nested too deeply"),
    (
        code::CHAIN_TOO_LONG,
        "more operators in a row than accepted",
    ),
    (
        code::TOO_MANY_OPERANDS,
        "more SELECTs joined by UNION, EXCEPT, INTERSECT than accepted",
    ),
    (
        code::TOO_COMPLEX,
        "the text needs more steps to read than accepted",
    ),
];
