//! One value of a batch as text or as JSON. Owns how types are spelled in every format, and which characters a terminal may be shown.

use std::borrow::Cow;
use std::fmt::Write as _;

use arrow::array::{Array, ArrayRef, AsArray as _};
use arrow::datatypes::{DataType, Field, Float32Type, Float64Type};
use arrow::util::display::{ArrayFormatter, DurationFormat, FormatOptions};
use restable_engine::json;

use crate::error::Result;

/// The field metadata that names an extension type, and the type of JSON text.
const EXTENSION: (&str, &str) = ("ARROW:extension:name", "arrow.json");

/// A column of a batch, ready to be read value by value.
pub struct Column<'a> {
    array: &'a ArrayRef,
    kind: Kind,
    formatter: ArrayFormatter<'a>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    JsonText,
    Boolean,
    Number,
    Float32,
    Float64,
    Nested,
    Null,
    /// Times, intervals, bytes: text in JSON too.
    Other,
}

fn options() -> FormatOptions<'static> {
    FormatOptions::new()
        .with_display_error(false)
        .with_duration_format(DurationFormat::ISO8601)
}

fn kind(field: &Field) -> Kind {
    match field.data_type() {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => {
            if field
                .metadata()
                .get(EXTENSION.0)
                .is_some_and(|name| name == EXTENSION.1)
            {
                Kind::JsonText
            } else {
                Kind::Text
            }
        }
        DataType::Boolean => Kind::Boolean,
        DataType::Float32 => Kind::Float32,
        DataType::Float64 => Kind::Float64,
        DataType::Null => Kind::Null,
        data_type if data_type.is_numeric() => Kind::Number,
        DataType::Dictionary(_, value)
            if matches!(**value, DataType::Utf8 | DataType::LargeUtf8) =>
        {
            Kind::Other
        }
        data_type if data_type.is_nested() => Kind::Nested,
        _ => Kind::Other,
    }
}

/// Whether values of this field stand on the right of a column.
pub fn is_number(field: &Field) -> bool {
    matches!(kind(field), Kind::Number | Kind::Float32 | Kind::Float64)
}

/// Whether the texts of this field are JSON.
pub fn is_json(field: &Field) -> bool {
    kind(field) == Kind::JsonText
}

/// JSON text with a line for each member; what is no JSON stays readable as far as it goes.
pub fn indented(json: &str) -> String {
    let mut out = String::with_capacity(json.len() * 2);
    let mut depth = 0_usize;
    let mut in_text = false;
    let mut characters = json.chars().peekable();
    let line = |out: &mut String, depth: usize| {
        out.push('\n');
        out.extend(std::iter::repeat_n("  ", depth));
    };
    while let Some(character) = characters.next() {
        if in_text {
            out.push(character);
            match character {
                '\\' => out.extend(characters.next()),
                '"' => in_text = false,
                _ => {}
            }
            continue;
        }
        match character {
            '"' => {
                in_text = true;
                out.push('"');
            }
            '{' | '[' => {
                out.push(character);
                while characters
                    .next_if(|next| next.is_ascii_whitespace())
                    .is_some()
                {}
                match characters.next_if(|next| matches!(next, '}' | ']')) {
                    Some(close) => out.push(close),
                    None => {
                        depth += 1;
                        line(&mut out, depth);
                    }
                }
            }
            '}' | ']' => {
                depth = depth.saturating_sub(1);
                line(&mut out, depth);
                out.push(character);
            }
            ',' => {
                out.push(',');
                line(&mut out, depth);
            }
            ':' => out.push_str(": "),
            character if character.is_ascii_whitespace() => {}
            character => out.push(character),
        }
    }
    out
}

impl<'a> Column<'a> {
    /// The column of a field.
    pub fn new(field: &Field, array: &'a ArrayRef) -> Result<Column<'a>> {
        Ok(Column {
            array,
            kind: kind(field),
            formatter: ArrayFormatter::try_new(array.as_ref(), &options())?,
        })
    }

    /// The value as text; `None` for NULL.
    pub fn text(&self, row: usize) -> Result<Option<Cow<'a, str>>> {
        if self.kind == Kind::Null || self.array.is_null(row) {
            return Ok(None);
        }
        Ok(Some(match self.kind {
            Kind::Text | Kind::JsonText => Cow::Borrowed(text(self.array, row)),
            Kind::Nested => {
                let mut json = String::new();
                self.json(row, &mut json)?;
                Cow::Owned(json)
            }
            _ => Cow::Owned(self.formatter.value(row).try_to_string()?),
        }))
    }

    /// Appends the value as JSON on one line.
    pub fn json(&self, row: usize, out: &mut String) -> Result<()> {
        if self.kind == Kind::Null || self.array.is_null(row) {
            out.push_str("null");
            return Ok(());
        }
        match self.kind {
            Kind::JsonText => embed(text(self.array, row), out),
            Kind::Text => quote(text(self.array, row), out),
            Kind::Float64 => float(self.array.as_primitive::<Float64Type>().value(row), out),
            Kind::Float32 => {
                let value = self.array.as_primitive::<Float32Type>().value(row);
                if value.is_finite() {
                    // `{:?}` keeps the shortest text that reads back as this value, and the `.0` of whole ones.
                    let _ = write!(out, "{value:?}");
                } else {
                    out.push_str("null");
                }
            }
            Kind::Boolean => out.push_str(if self.array.as_boolean().value(row) {
                "true"
            } else {
                "false"
            }),
            Kind::Number => out.push_str(&self.formatter.value(row).try_to_string()?),
            Kind::Nested => nested(self.array, row, out)?,
            Kind::Null | Kind::Other => quote(&self.formatter.value(row).try_to_string()?, out),
        }
        Ok(())
    }
}

fn text(array: &ArrayRef, row: usize) -> &str {
    match array.data_type() {
        DataType::Utf8 => array.as_string::<i32>().value(row),
        DataType::LargeUtf8 => array.as_string::<i64>().value(row),
        _ => array.as_string_view().value(row),
    }
}

fn float(value: f64, out: &mut String) {
    if value.is_finite() {
        let _ = write!(out, "{value:?}");
    } else {
        out.push_str("null");
    }
}

fn nested(array: &ArrayRef, row: usize, out: &mut String) -> Result<()> {
    let items = match array.data_type() {
        DataType::List(_) => array.as_list::<i32>().value(row),
        DataType::LargeList(_) => array.as_list::<i64>().value(row),
        DataType::FixedSizeList(..) => array.as_fixed_size_list().value(row),
        DataType::Struct(fields) => {
            let structs = array.as_struct();
            out.push('{');
            for (at, (field, column)) in fields.iter().zip(structs.columns()).enumerate() {
                if at > 0 {
                    out.push(',');
                }
                quote(field.name(), out);
                out.push(':');
                Column::new(field, column)?.json(row, out)?;
            }
            out.push('}');
            return Ok(());
        }
        DataType::Map(..) => {
            let entries = array.as_map().value(row);
            let entry_fields = entries.fields();
            let keys = Column::new(&entry_fields[0], entries.column(0))?;
            let values = Column::new(&entry_fields[1], entries.column(1))?;
            out.push('{');
            for at in 0..entries.len() {
                if at > 0 {
                    out.push(',');
                }
                quote(&keys.text(at)?.unwrap_or_default(), out);
                out.push(':');
                values.json(at, out)?;
            }
            out.push('}');
            return Ok(());
        }
        _ => {
            quote(
                &ArrayFormatter::try_new(array.as_ref(), &options())?
                    .value(row)
                    .try_to_string()?,
                out,
            );
            return Ok(());
        }
    };
    let field = match array.data_type() {
        DataType::List(field) | DataType::LargeList(field) | DataType::FixedSizeList(field, _) => {
            field
        }
        _ => return Ok(()),
    };
    let column = Column::new(field, &items)?;
    out.push('[');
    for at in 0..items.len() {
        if at > 0 {
            out.push(',');
        }
        column.json(at, out)?;
    }
    out.push(']');
    Ok(())
}

/// JSON text as it is, or as a string if it is no JSON after all.
fn embed(text: &str, out: &mut String) {
    let json = text.trim();
    if !json::is_json(text) {
        return quote(json, out);
    }
    // A raw line end or tab in JSON is always space between tokens; characters that a terminal obeys are always in strings.
    if is_plain(json) {
        return out.push_str(json);
    }
    for character in json.chars() {
        match character {
            '\n' | '\r' | '\t' => {}
            character if is_disturbing(character) => unicode_escape(character, out),
            character => out.push(character),
        }
    }
}

/// Appends a JSON string. What a terminal might obey is escaped, which changes nothing for a program.
pub fn quote(text: &str, out: &mut String) {
    out.push('"');
    if each(text, |byte| {
        (0x20..0x7f).contains(&byte) && byte != b'"' && byte != b'\\'
    }) {
        out.push_str(text);
        out.push('"');
        return;
    }
    let mut plain = 0;
    for (at, character) in text.char_indices() {
        let escape = match character {
            '"' => "\\\"",
            '\\' => "\\\\",
            '\n' => "\\n",
            '\r' => "\\r",
            '\t' => "\\t",
            character if is_disturbing(character) => "",
            _ => continue,
        };
        out.push_str(&text[plain..at]);
        if escape.is_empty() {
            unicode_escape(character, out);
        } else {
            out.push_str(escape);
        }
        plain = at + character.len_utf8();
    }
    out.push_str(&text[plain..]);
    out.push('"');
}

fn unicode_escape(character: char, out: &mut String) {
    for unit in character.encode_utf16(&mut [0; 2]) {
        let _ = write!(out, "\\u{unit:04x}");
    }
}

/// Whether a terminal would do something else with it than show it: control characters, and those that turn or hide text.
fn is_disturbing(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{061c}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}'
                | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}'
        )
}

/// Whether there is nothing but printable ASCII, which most texts are; told without looking at characters.
fn is_plain(text: &str) -> bool {
    each(text, |byte| (0x20..0x7f).contains(&byte))
}

/// Whether all bytes are so. A block at a time, without a branch for each byte.
fn each(text: &str, is_so: impl Fn(u8) -> bool) -> bool {
    text.as_bytes()
        .chunks(64)
        .all(|block| block.iter().fold(true, |all, byte| all & is_so(*byte)))
}

/// The text with everything escaped that a terminal would obey, line ends included.
pub fn printable(text: &str) -> Cow<'_, str> {
    shown(text, |_| false)
}

/// The text with everything escaped that a terminal would obey, but for the characters that `keep` names.
pub fn shown(text: &str, keep: impl Fn(char) -> bool) -> Cow<'_, str> {
    let disturbs = |character: char| is_disturbing(character) && !keep(character);
    if is_plain(text) || !text.chars().any(disturbs) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        match character {
            character if !disturbs(character) => out.push(character),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            character => {
                let _ = write!(out, "\\u{{{:x}}}", u32::from(character));
            }
        }
    }
    Cow::Owned(out)
}
