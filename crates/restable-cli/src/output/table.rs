//! Tables for people. Owns column widths, wrapping and frames. The first rows, up to [`MEASURED`], decide the widths; those after them are
//! written as they come, so that a table of any length needs little memory. Nothing is cut but on a terminal.

use std::io::Write;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

use super::value::{Column, indented, is_json, is_number, shown};
use super::{Look, Place, Printer, Records, Target};
use crate::error::Result;

/// Rows that are kept until the widths are known.
const MEASURED: usize = 1_000;
/// Below this many columns a wrapped cell is no longer readable, and records stand below each other.
const NARROWEST: usize = 12;
/// Lines of a wrapped cell on a terminal; the whole value is in every other format.
const TALLEST: usize = 6;
/// Lines of a cell that has line ends of its own, on a terminal.
const TALLEST_TEXT: usize = 200;

/// The characters around cells: left, between and right of each line, and what the line is made of.
struct Frame {
    top: [char; 3],
    middle: [char; 3],
    bottom: [char; 3],
    line: char,
    bar: char,
}

const LINES: Frame = Frame {
    top: ['┌', '┬', '┐'],
    middle: ['├', '┼', '┤'],
    bottom: ['└', '┴', '┘'],
    line: '─',
    bar: '│',
};
const ASCII: Frame = Frame {
    top: ['+', '+', '+'],
    middle: ['+', '+', '+'],
    bottom: ['+', '+', '+'],
    line: '-',
    bar: '|',
};

enum Layout {
    /// Side by side, with these widths.
    Grid(Vec<usize>),
    /// Below each other, names in so many columns.
    Records(usize),
}

/// The format `table`.
pub struct Table {
    schema: SchemaRef,
    headings: Vec<String>,
    right: Vec<bool>,
    json: Vec<bool>,
    look: Look,
    place: Place,
    pending: Vec<Vec<String>>,
    layout: Option<Layout>,
    count: u64,
}

impl Table {
    pub fn new(look: Look, place: Place, schema: &SchemaRef) -> Table {
        let fields = schema.fields();
        Table {
            schema: SchemaRef::clone(schema),
            headings: fields
                .iter()
                .map(|field| shown(field.name(), |_| false).into_owned())
                .collect(),
            right: fields.iter().map(|field| is_number(field)).collect(),
            json: fields.iter().map(|field| is_json(field)).collect(),
            look,
            place,
            pending: Vec::new(),
            layout: None,
            count: 0,
        }
    }

    fn frame(&self) -> &'static Frame {
        match self.look.target {
            Target::Stream => &ASCII,
            Target::Terminal(_) => &LINES,
        }
    }

    /// Decides the layout by the rows so far and writes the head.
    fn begin(&mut self, out: &mut dyn Write) -> Result<()> {
        if self.place == Place::Later {
            out.write_all(b"\n")?;
        }
        let layout = self.decide();
        if let Layout::Grid(widths) = &layout {
            let frame = self.frame();
            rule(frame, frame.top, widths, out)?;
            let left = vec![false; widths.len()];
            lines(frame, &self.headings, widths, &left, self.limit(), out)?;
            rule(frame, frame.middle, widths, out)?;
        }
        self.layout = Some(layout);
        for row in std::mem::take(&mut self.pending) {
            self.row(&row, out)?;
        }
        Ok(())
    }

    fn decide(&self) -> Layout {
        let records = Layout::Records(
            self.headings
                .iter()
                .map(|heading| heading.width())
                .max()
                .unwrap_or(0),
        );
        if self.look.records == Records::Expanded || self.headings.is_empty() {
            return records;
        }
        let mut widths: Vec<usize> = self
            .headings
            .iter()
            .map(|heading| heading.width())
            .collect();
        for row in &self.pending {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(cell.split('\n').map(|line| line.width()).max().unwrap_or(0));
            }
        }
        match self.look.target {
            Target::Stream => Layout::Grid(widths),
            Target::Terminal(columns) => fit(widths, columns).map_or(records, Layout::Grid),
        }
    }

    /// Lines of a wrapped cell.
    fn limit(&self) -> Option<usize> {
        match self.look.target {
            Target::Stream => None,
            Target::Terminal(_) => Some(TALLEST),
        }
    }

    fn row(&mut self, cells: &[String], out: &mut dyn Write) -> Result<()> {
        self.count += 1;
        match &self.layout {
            Some(Layout::Grid(widths)) => {
                lines(self.frame(), cells, widths, &self.right, self.limit(), out)
            }
            Some(Layout::Records(names)) => record(self, *names, cells, out),
            None => Ok(()),
        }
    }
}

/// Widths that fit into so many columns, or `None` if the cells would be too narrow.
fn fit(mut widths: Vec<usize>, columns: usize) -> Option<Vec<usize>> {
    let room = columns.checked_sub(3 * widths.len() + 1)?;
    if widths.iter().sum::<usize>() <= room {
        return Some(widths);
    }
    let taken = |cap: usize| widths.iter().map(|width| (*width).min(cap)).sum::<usize>();
    if taken(NARROWEST) > room {
        return None;
    }
    let cap = (NARROWEST..=room).rev().find(|cap| taken(*cap) <= room)?;
    let mut spare = room - taken(cap);
    for width in &mut widths {
        if *width > cap {
            let more = (*width - cap).min(spare);
            spare -= more;
            *width = cap + more;
        }
    }
    Some(widths)
}

fn rule(frame: &Frame, ends: [char; 3], widths: &[usize], out: &mut dyn Write) -> Result<()> {
    let mut line = String::from(ends[0]);
    for (at, width) in widths.iter().enumerate() {
        if at > 0 {
            line.push(ends[1]);
        }
        line.extend(std::iter::repeat_n(frame.line, width + 2));
    }
    line.push(ends[2]);
    line.push('\n');
    Ok(out.write_all(line.as_bytes())?)
}

/// One row of a grid, as many lines as its tallest cell.
fn lines(
    frame: &Frame,
    cells: &[String],
    widths: &[usize],
    right: &[bool],
    limit: Option<usize>,
    out: &mut dyn Write,
) -> Result<()> {
    let wrapped: Vec<Vec<String>> = cells
        .iter()
        .zip(widths)
        .map(|(cell, width)| wrap(cell, *width, limit))
        .collect();
    let height = wrapped.iter().map(Vec::len).max().unwrap_or(0);
    let mut text = String::new();
    for line in 0..height {
        text.push(frame.bar);
        for ((cell, width), right) in wrapped.iter().zip(widths).zip(right) {
            let part = cell.get(line).map_or("", String::as_str);
            let space = " ".repeat(width.saturating_sub(part.width()));
            let (before, after) = if *right {
                (space.as_str(), "")
            } else {
                ("", space.as_str())
            };
            text.extend([" ", before, part, after, " "]);
            text.push(frame.bar);
        }
        text.push('\n');
    }
    Ok(out.write_all(text.as_bytes())?)
}

/// One record: a name and a value a line.
fn record(table: &Table, names: usize, cells: &[String], out: &mut dyn Write) -> Result<()> {
    let frame = table.frame();
    let title = format!("{line}[ {} ]", table.count, line = frame.line);
    let room = match table.look.target {
        Target::Stream => None,
        Target::Terminal(columns) => Some(columns.saturating_sub(names + 3).max(NARROWEST)),
    };
    let length = room.map_or(names + 20, |room| names + 3 + room.min(60));
    let mut text = title.clone();
    text.extend(std::iter::repeat_n(
        frame.line,
        length.saturating_sub(title.width()),
    ));
    text.push('\n');
    for ((name, cell), json) in table.headings.iter().zip(cells).zip(&table.json) {
        let cell = if *json && room.is_some() {
            &indented(cell)
        } else {
            cell
        };
        let parts = wrap(cell, room.unwrap_or(usize::MAX), room.map(|_| usize::MAX));
        for (at, part) in parts.iter().enumerate() {
            let name = if at == 0 { name.as_str() } else { "" };
            let space = " ".repeat(names - name.width());
            let line = format!("{name}{space} {} {part}", frame.bar);
            text.push_str(line.trim_end());
            text.push('\n');
        }
    }
    Ok(out.write_all(text.as_bytes())?)
}

/// The lines of a cell. Without a limit a line is never wrapped.
fn wrap(cell: &str, width: usize, limit: Option<usize>) -> Vec<String> {
    let Some(limit) = limit else {
        return cell.split('\n').map(str::to_owned).collect();
    };
    let mut all = Vec::new();
    for (number, line) in cell.split('\n').enumerate() {
        if number == TALLEST_TEXT {
            all.push("…".to_owned());
            break;
        }
        let mut rest = line;
        let mut parts = 0;
        loop {
            if rest.width() <= width {
                all.push(rest.to_owned());
                break;
            }
            parts += 1;
            if parts == limit {
                let end = end_of(rest, width.saturating_sub(1));
                all.push(format!("{}…", &rest[..end]));
                break;
            }
            let end = end_of(rest, width);
            // At a space if that leaves at least half of the line filled.
            let space = rest[..end]
                .rfind(' ')
                .filter(|at| rest[..*at].width() * 2 >= width);
            let (part, next) = match space {
                _ if rest[end..].starts_with(' ') => (&rest[..end], &rest[end + 1..]),
                Some(at) => (&rest[..at], &rest[at + 1..]),
                None => (&rest[..end], &rest[end..]),
            };
            all.push(part.to_owned());
            rest = next;
        }
    }
    all
}

/// The byte at which so many columns are full; at least one character.
fn end_of(text: &str, width: usize) -> usize {
    let mut taken = 0;
    for (at, character) in text.char_indices() {
        taken += character.width().unwrap_or(0);
        if taken > width && at > 0 {
            return at;
        }
    }
    text.len()
}

impl Printer for Table {
    fn rows(&mut self, batch: &RecordBatch, out: &mut dyn Write) -> Result<()> {
        let schema = SchemaRef::clone(&self.schema);
        let fields = schema.fields().iter().zip(batch.columns());
        let columns = fields
            .map(|(field, array)| Column::new(field, array))
            .collect::<Result<Vec<_>>>()?;
        for row in 0..batch.num_rows() {
            let cell = |column: &Column<'_>| {
                let text = column.text(row)?;
                Ok(text.map_or_else(
                    || "NULL".to_owned(),
                    |text| shown(&text, |character| character == '\n').into_owned(),
                ))
            };
            let cells = columns.iter().map(cell).collect::<Result<Vec<String>>>()?;
            if self.layout.is_some() {
                self.row(&cells, out)?;
                continue;
            }
            self.pending.push(cells);
            if self.pending.len() >= MEASURED {
                self.begin(out)?;
            }
        }
        Ok(())
    }

    fn end(&mut self, out: &mut dyn Write) -> Result<()> {
        if self.layout.is_none() {
            self.begin(out)?;
        }
        let frame = self.frame();
        if let Some(Layout::Grid(widths)) = &self.layout {
            rule(frame, frame.bottom, widths, out)?;
        }
        let noun = if self.count == 1 { "row" } else { "rows" };
        Ok(writeln!(out, "({} {noun})", self.count)?)
    }

    fn cut(&mut self, _: &mut dyn Write) -> Result<()> {
        self.pending.clear();
        Ok(())
    }
}
