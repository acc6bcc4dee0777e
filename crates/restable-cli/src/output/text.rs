//! CSV, TSV and Markdown: a line a row. Owns their escapes.

use std::borrow::Cow;
use std::io::Write;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;

use super::value::{Column, is_number, printable, shown};
use super::{Place, Printer, Target};
use crate::error::Result;

/// One of the formats.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Syntax {
    Csv,
    Tsv,
    Markdown,
}

/// The printer of these formats.
pub struct Text {
    syntax: Syntax,
    target: Target,
    place: Place,
    schema: SchemaRef,
    begun: bool,
}

impl Text {
    pub fn new(syntax: Syntax, target: Target, place: Place, schema: &SchemaRef) -> Text {
        Text {
            syntax,
            target,
            place,
            schema: SchemaRef::clone(schema),
            begun: false,
        }
    }

    fn begin(&mut self, out: &mut dyn Write) -> Result<()> {
        if self.begun {
            return Ok(());
        }
        self.begun = true;
        if self.place == Place::Later {
            out.write_all(b"\n")?;
        }
        let fields = self.schema.fields();
        self.line(
            fields
                .iter()
                .map(|field| Some(Cow::Borrowed(field.name().as_str()))),
            out,
        )?;
        if self.syntax == Syntax::Markdown {
            let rule: Vec<&str> = fields
                .iter()
                .map(|field| if is_number(field) { "---:" } else { "---" })
                .collect();
            writeln!(out, "| {} |", rule.join(" | "))?;
        }
        Ok(())
    }

    fn line<'v>(
        &self,
        values: impl Iterator<Item = Option<Cow<'v, str>>>,
        out: &mut dyn Write,
    ) -> Result<()> {
        let (open, between, close) = match self.syntax {
            Syntax::Csv => ("", ",", "\n"),
            Syntax::Tsv => ("", "\t", "\n"),
            Syntax::Markdown => ("| ", " | ", " |\n"),
        };
        out.write_all(open.as_bytes())?;
        for (at, value) in values.enumerate() {
            if at > 0 {
                out.write_all(between.as_bytes())?;
            }
            if let Some(value) = value {
                out.write_all(self.escape(&value).as_bytes())?;
            }
        }
        Ok(out.write_all(close.as_bytes())?)
    }

    fn escape<'v>(&self, value: &'v str) -> Cow<'v, str> {
        match self.syntax {
            Syntax::Csv => {
                let value = self.for_target(value, &['\n', '\r', '\t']);
                match value.is_empty() || has(&value, b"\",\n\r") {
                    true => Cow::Owned(format!("\"{}\"", value.replace('"', "\"\""))),
                    false => value,
                }
            }
            Syntax::Tsv => {
                let escaped = match has(value, b"\\\t\n\r") {
                    true => value
                        .replace('\\', "\\\\")
                        .replace('\t', "\\t")
                        .replace('\n', "\\n")
                        .replace('\r', "\\r"),
                    false => return self.for_target(value, &[]),
                };
                Cow::Owned(self.for_target(&escaped, &[]).into_owned())
            }
            Syntax::Markdown => {
                let text = shown(value, |character| character == '\n');
                match text.contains(['|', '\n']) {
                    true => Cow::Owned(text.replace('|', "\\|").replace('\n', "<br>")),
                    false => text,
                }
            }
        }
    }

    /// A program gets what the service sent; a terminal must not obey it.
    fn for_target<'v>(&self, value: &'v str, keep: &[char]) -> Cow<'v, str> {
        match self.target {
            Target::Stream => Cow::Borrowed(value),
            Target::Terminal(_) if keep.is_empty() => printable(value),
            Target::Terminal(_) => shown(value, |character| keep.contains(&character)),
        }
    }
}

/// Whether one of four bytes is in a text. All of it is looked at, which is quicker than to look for the first.
fn has(text: &str, wanted: &[u8; 4]) -> bool {
    let [first, second, third, fourth] = *wanted;
    text.bytes().fold(false, |found, byte| {
        found | (byte == first) | (byte == second) | (byte == third) | (byte == fourth)
    })
}

impl Printer for Text {
    fn rows(&mut self, batch: &RecordBatch, out: &mut dyn Write) -> Result<()> {
        self.begin(out)?;
        let fields = self.schema.fields().iter().zip(batch.columns());
        let columns = fields
            .map(|(field, array)| Column::new(field, array))
            .collect::<Result<Vec<_>>>()?;
        for row in 0..batch.num_rows() {
            let values = columns
                .iter()
                .map(|column| column.text(row))
                .collect::<Result<Vec<_>>>()?;
            self.line(values.into_iter(), out)?;
        }
        Ok(())
    }

    fn end(&mut self, out: &mut dyn Write) -> Result<()> {
        self.begin(out)
    }

    fn cut(&mut self, _: &mut dyn Write) -> Result<()> {
        Ok(())
    }
}
