//! The formats of rows. Owns the choice; each printer writes batch by batch and keeps no more than it must, so that a result of any size
//! needs little memory. A result that breaks off is never closed like a whole one.

mod columnar;
mod json;
mod parquet_file;
mod table;
mod text;
pub mod value;

use std::fmt;
use std::io::Write;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use clap::ValueEnum;

use self::columnar::{Columnar, Form};
use crate::error::{Error, Result};

/// A format of rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    Table,
    /// One array for each statement.
    Json,
    /// One object a line.
    Jsonl,
    /// RFC 4180 with a line of headings; lines end in LF, NULL is empty and an empty text is `""`.
    Csv,
    /// Tab-separated; tabs, line ends and backslashes are escaped, NULL is empty.
    Tsv,
    /// A table of Markdown.
    Markdown,
    /// A Parquet file; needs `--outfile` or a pipe, and takes one result.
    Parquet,
    /// An Arrow IPC stream; needs `--outfile` or a pipe, and takes one result.
    Arrow,
}

impl Format {
    /// Whether it is for programs alone, and one result a file.
    pub fn is_binary(self) -> bool {
        matches!(self, Format::Parquet | Format::Arrow)
    }

    /// The failure of a run that would write it where it cannot go: to a person.
    pub fn refuse_terminal(self, target: Target) -> Result<()> {
        if !self.is_binary() || target == Target::Stream {
            return Ok(());
        }
        Err(Error::Setting {
            place: "--output".to_owned(),
            message: format!("`{self}` is not for a terminal"),
            hint: Some("`--outfile FILE` writes it into a file; a pipe takes it too".to_owned()),
        })
    }

    /// The failure of a session that would write it: it takes one result.
    pub fn refuse_session(self) -> Result<()> {
        if !self.is_binary() {
            return Ok(());
        }
        Err(Error::Setting {
            place: "--output".to_owned(),
            message: format!("`{self}` takes one result, and a session has many"),
            hint: Some("`restable exec -o … --outfile FILE` writes it".to_owned()),
        })
    }

    /// The failure of a second result in it.
    pub fn refuse_second(self, results: usize) -> Result<()> {
        if !self.is_binary() || results == 0 {
            return Ok(());
        }
        Err(Error::Setting {
            place: "--output".to_owned(),
            message: format!("`{self}` takes one result, and this statement has another one"),
            hint: Some("run it by itself, or write `jsonl`, which takes several".to_owned()),
        })
    }
}

impl fmt::Display for Format {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Format::Table => "table",
            Format::Json => "json",
            Format::Jsonl => "jsonl",
            Format::Csv => "csv",
            Format::Tsv => "tsv",
            Format::Markdown => "markdown",
            Format::Parquet => "parquet",
            Format::Arrow => "arrow",
        })
    }
}

/// Where a result stands among those of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// The run is one statement.
    Only,
    /// The first of several.
    First,
    /// Not the first.
    Later,
}

/// Where rows go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// A program or a file: nothing is cut, and only ASCII frames what is shown.
    Stream,
    /// A person, with so many columns.
    Terminal(usize),
}

/// How records stand in the format `table`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Records {
    /// As lines; below each other on a terminal that is too narrow for lines.
    #[default]
    Auto,
    /// Always below each other.
    Expanded,
}

/// How a result is to look.
#[derive(Debug, Clone, Copy)]
pub struct Look {
    /// The format.
    pub format: Format,
    /// Where it goes.
    pub target: Target,
    /// For tables.
    pub records: Records,
}

/// Writes one result.
pub trait Printer: Send {
    /// Takes the next rows.
    fn rows(&mut self, batch: &RecordBatch, out: &mut dyn Write) -> Result<()>;
    /// Ends a whole result.
    fn end(&mut self, out: &mut dyn Write) -> Result<()>;
    /// Ends a result that breaks off.
    fn cut(&mut self, out: &mut dyn Write) -> Result<()>;
}

/// The printer of a result.
pub fn printer(look: Look, place: Place, schema: &SchemaRef) -> Box<dyn Printer> {
    match look.format {
        Format::Parquet => Box::new(Columnar::new(Form::Parquet, schema)),
        Format::Arrow => Box::new(Columnar::new(Form::Arrow, schema)),
        Format::Table => Box::new(table::Table::new(look, place, schema)),
        Format::Json => Box::new(json::Array::new(place, schema)),
        Format::Jsonl => Box::new(json::Lines::new(schema)),
        Format::Csv => Box::new(text::Text::new(
            text::Syntax::Csv,
            look.target,
            place,
            schema,
        )),
        Format::Tsv => Box::new(text::Text::new(
            text::Syntax::Tsv,
            look.target,
            place,
            schema,
        )),
        Format::Markdown => Box::new(text::Text::new(
            text::Syntax::Markdown,
            look.target,
            place,
            schema,
        )),
    }
}

#[cfg(test)]
mod tests;
