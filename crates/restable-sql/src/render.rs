//! The layout of a diagnostic: code and message, the line of the script with marks under the place, notes, hint. Owns
//! widths and escapes, so that no text of a script can disturb a terminal; it prints nothing.

use crate::{Diagnostic, Span};

/// Columns of a line that are shown; a longer line is cut around the place.
const WIDEST: usize = 100;
const TAB: usize = 4;

impl Diagnostic {
    /// The diagnostic as a person reads it, without a line feed at the end. `script` is the text that the span is of.
    #[must_use]
    pub fn render(&self, script: &str) -> String {
        let mut out = format!("error[{}]: {}", self.code, printable(&self.message));
        let excerpt = self.span.and_then(|span| excerpt(script, span));
        let gutter = excerpt
            .as_ref()
            .map_or(1, |excerpt| excerpt.number.to_string().len());
        if let Some(excerpt) = excerpt {
            let Excerpt {
                number,
                line,
                indent,
                marks,
                more,
            } = excerpt;
            let line = line.trim_end();
            out.push_str(&format!(
                "\n {number} | {line}\n {:gutter$} | {:indent$}{}",
                "",
                "",
                "^".repeat(marks)
            ));
            if more {
                out.push('…');
            }
        }
        for note in &self.notes {
            out.push_str(&format!("\n {:gutter$} = {}", "", printable(note)));
        }
        if let Some(help) = &self.help {
            out.push_str(&format!("\n\nhint: {}", printable(help)));
        }
        out
    }
}

struct Excerpt {
    number: usize,
    line: String,
    indent: usize,
    marks: usize,
    /// The place goes on in the next line.
    more: bool,
}

fn excerpt(script: &str, span: Span) -> Option<Excerpt> {
    let start = span.start.min(script.len());
    if !script.is_char_boundary(start) {
        return None;
    }
    let before = &script[..start];
    let line_start = before.rfind(['\n', '\r']).map_or(0, |at| at + 1);
    let number = line_number(before);
    let line_end = script[start..]
        .find(['\n', '\r'])
        .map_or(script.len(), |at| start + at);
    let end = span.end.clamp(start, line_end);
    let end = (end..=line_end)
        .find(|&at| script.is_char_boundary(at))
        .unwrap_or(line_end);
    let (before, marked, after) = (
        &script[line_start..start],
        &script[start..end],
        &script[end..line_end],
    );
    // The place goes on only if there is text in the next lines, not for the spaces at their ends.
    let rest = script
        .get(line_end..span.end.min(script.len()))
        .unwrap_or("");
    let more = rest
        .chars()
        .take(10_000)
        .any(|character| !character.is_whitespace());

    let mut left = columns(last_characters(before, WIDEST + 1).trim_start_matches('\u{feff}'));
    let middle = columns(first_characters(marked, WIDEST + 1));
    let mut right = columns(first_characters(after, WIDEST + 1));
    let kept_middle = middle.len().min(WIDEST);
    let mut line = String::new();
    let room = WIDEST - kept_middle;
    let mut indent = width(&left);
    if width(&left) + width(&middle) + width(&right) > WIDEST {
        let keep_left = room.min(left.len()).min(if right.is_empty() {
            room
        } else {
            (room / 2).max(room.saturating_sub(right.len()))
        });
        if keep_left < left.len() {
            left.drain(..left.len() - keep_left);
            line.push('…');
        }
        indent = width(&left) + line.chars().count();
        right.truncate(room - keep_left);
    }
    let cut_right =
        middle.len() > kept_middle || right.len() < after.chars().take(WIDEST + 1).count();
    line.extend(left.iter().map(|(text, _)| text.as_str()));
    line.extend(middle[..kept_middle].iter().map(|(text, _)| text.as_str()));
    if middle.len() == kept_middle {
        line.extend(right.iter().map(|(text, _)| text.as_str()));
    }
    if cut_right {
        line.push('…');
    }
    let marks = middle[..kept_middle]
        .iter()
        .map(|(_, width)| width)
        .sum::<usize>()
        .max(1);
    Some(Excerpt {
        number,
        line,
        indent,
        marks,
        more,
    })
}

/// A line may have megabytes; only what could be shown is looked at.
fn first_characters(text: &str, count: usize) -> &str {
    text.char_indices()
        .nth(count)
        .map_or(text, |(at, _)| &text[..at])
}

fn last_characters(text: &str, count: usize) -> &str {
    text.char_indices()
        .rev()
        .nth(count - 1)
        .map_or(text, |(at, _)| &text[at..])
}

/// Lines end at `\n`, `\r\n` or a lone `\r`.
fn line_number(before: &str) -> usize {
    let bytes = before.as_bytes();
    let ends = (0..bytes.len()).filter(|&at| match bytes[at] {
        b'\n' => true,
        b'\r' => bytes.get(at + 1) != Some(&b'\n'),
        _ => false,
    });
    ends.count() + 1
}

/// Each character as it is shown, with the columns it takes.
fn columns(text: &str) -> Vec<(String, usize)> {
    text.chars()
        .map(|character| match character {
            '\t' => (" ".repeat(TAB), TAB),
            character if is_printable(character) => (character.to_string(), columns_of(character)),
            character => {
                let escaped = escape(character);
                let width = escaped.len();
                (escaped, width)
            }
        })
        .collect()
}

fn width(columns: &[(String, usize)]) -> usize {
    columns.iter().map(|(_, width)| width).sum()
}

fn printable(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        push_printable(&mut out, character);
    }
    out
}

/// The character, or its escape if a terminal would not print it.
pub(crate) fn push_printable(out: &mut String, character: char) {
    if is_printable(character) {
        out.push(character)
    } else {
        out.push_str(&escape(character))
    }
}

fn escape(character: char) -> String {
    match character {
        '\n' => "\\n".to_owned(),
        '\r' => "\\r".to_owned(),
        '\t' => "\\t".to_owned(),
        other => format!("\\u{{{:x}}}", u32::from(other)),
    }
}

/// Control characters, and the invisible ones that turn or hide text.
fn is_printable(character: char) -> bool {
    !character.is_control()
        && !matches!(
            character,
            '\u{00ad}' | '\u{061c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}'
        )
}

/// Columns in a terminal: 0 for marks that combine, 2 for wide East Asian characters and emoji, else 1. The ranges are
/// the large blocks of Unicode's `EastAsianWidth`; a wrong guess moves the marks by a column and does no harm.
fn columns_of(character: char) -> usize {
    match u32::from(character) {
        0x0300..=0x036f
        | 0x0483..=0x0489
        | 0x0591..=0x05bd
        | 0x064b..=0x065f
        | 0x1ab0..=0x1aff
        | 0x1dc0..=0x1dff
        | 0x20d0..=0x20ff
        | 0xfe00..=0xfe0f
        | 0xfe20..=0xfe2f => 0,
        0x1100..=0x115f
        | 0x2e80..=0x303e
        | 0x3041..=0xa4cf
        | 0xa960..=0xa97f
        | 0xac00..=0xd7a3
        | 0xf900..=0xfaff
        | 0xfe30..=0xfe6f
        | 0xff00..=0xff60
        | 0xffe0..=0xffe6
        | 0x1f300..=0x1f64f
        | 0x1f680..=0x1f6ff
        | 0x1f900..=0x1f9ff
        | 0x1fa70..=0x1faff
        | 0x20000..=0x3fffd => 2,
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::code;

    /// Marks the text between `‹` and `›`, and checks what is shown.
    fn check(marked: &str, expected: &str) {
        let start = marked.find('‹').unwrap_or(0);
        let without = marked.replacen('‹', "", 1);
        let end = without.find('›').unwrap_or(start);
        let script = without.replacen('›', "", 1);
        let fault = Diagnostic::new(code::SYNTAX, "m").at(Span::new(start, end));
        assert_eq!(
            fault.render(&script),
            format!("error[R0101]: m\n{expected}"),
            "{marked:?}"
        );
    }

    #[test]
    fn marks_stand_under_the_place() {
        check("SELECT ‹x› FROM t", " 1 | SELECT x FROM t\n   |        ^");
        check("a\n  ‹bcd› e\nf", " 2 |   bcd e\n   |   ^^^");
        check("a\r\n‹b›\r\n", " 2 | b\n   | ^");
        check("a\r‹b›\rc", " 2 | b\n   | ^");
        check("\t‹x›\ty", " 1 |     x    y\n   |     ^");
        check("'日本' ‹名前›", " 1 | '日本' 名前\n   |        ^^^^");
        check("'e\u{301}' ‹x›", " 1 | 'e\u{301}' x\n   |     ^");
        check("\u{1b}[31m‹x›", " 1 | \\u{1b}[31mx\n   |           ^");
        check("‹\u{202e}›x", " 1 | \\u{202e}x\n   | ^^^^^^^^");
        check("x‹›", " 1 | x\n   |  ^");
        check("‹a\n  b›", " 1 | a\n   | ^…");
        check("‹a\n  ›", " 1 | a\n   | ^");
        check(&format!("{}‹x›", "\n".repeat(99)), " 100 | x\n     | ^");
    }

    #[test]
    fn long_lines_are_cut_around_the_place() {
        let script = format!("{}XYZ{}", "a".repeat(3_000_000), "b".repeat(3_000_000));
        let fault = Diagnostic::new(code::SYNTAX, "m").at(Span::new(3_000_000, 3_000_003));
        let shown = fault.render(&script);
        let lines: Vec<&str> = shown.lines().collect();
        assert!(
            lines[1].starts_with(" 1 | …aaa") && lines[1].ends_with("bbb…"),
            "{shown}"
        );
        let column = lines[1].chars().position(|character| character == 'X');
        assert_eq!(
            column,
            lines[2].chars().position(|character| character == '^')
        );
        assert!(lines[1].chars().count() < 110);
        let whole = Diagnostic::new(code::SYNTAX, "m")
            .at(Span::new(0, 6_000_003))
            .render(&script);
        assert!(whole.len() < 400, "{}", whole.len());
    }

    #[test]
    fn notes_and_hint_follow_the_layout_of_the_house() {
        let script = "EXEC t.m\n  @backupInstanceName = 'disk-7'";
        let start = script.find('@').unwrap_or(0);
        let fault = Diagnostic::new("R0301", "`t.m` needs `ruleName`")
            .at(Span::new(start, script.len()))
            .note("`ruleName` is the name of a rule")
            .help("`SELECT rule_name` lists them");
        insta::assert_snapshot!(fault.render(script), @r"
        error[R0301]: `t.m` needs `ruleName`
         2 |   @backupInstanceName = 'disk-7'
           |   ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
           = `ruleName` is the name of a rule

        hint: `SELECT rule_name` lists them
        ");
        let bare = Diagnostic::new("R0301", "two\nlines\u{7}");
        assert_eq!(bare.render(""), "error[R0301]: two\\nlines\\u{7}");
    }
}
