//! JSON: one array for a statement, or one object a line. Owns the keys of objects, which keep the order of the SELECT list and are
//! told apart where headings are the same.

use std::collections::HashSet;
use std::io::Write;

use arrow::array::RecordBatch;
use arrow::datatypes::{Schema, SchemaRef};

use super::value::{Column, quote};
use super::{Place, Printer};
use crate::error::Result;

/// The objects of a result, each on one line.
struct Objects {
    schema: SchemaRef,
    /// Each key as it stands in the text, with its colon.
    keys: Vec<String>,
    line: String,
}

impl Objects {
    fn new(schema: &SchemaRef) -> Objects {
        let keys = keys(schema).into_iter().map(|key| {
            let mut text = String::new();
            quote(&key, &mut text);
            text.push(':');
            text
        });
        Objects {
            schema: SchemaRef::clone(schema),
            keys: keys.collect(),
            line: String::new(),
        }
    }

    /// Calls `write` with each row as an object.
    fn each(
        &mut self,
        batch: &RecordBatch,
        mut write: impl FnMut(&str) -> std::io::Result<()>,
    ) -> Result<()> {
        let fields = self.schema.fields().iter().zip(batch.columns());
        let columns = fields
            .map(|(field, array)| Column::new(field, array))
            .collect::<Result<Vec<_>>>()?;
        for row in 0..batch.num_rows() {
            self.line.clear();
            self.line.push('{');
            for (at, (key, column)) in self.keys.iter().zip(&columns).enumerate() {
                if at > 0 {
                    self.line.push(',');
                }
                self.line.push_str(key);
                column.json(row, &mut self.line)?;
            }
            self.line.push('}');
            write(&self.line)?;
        }
        Ok(())
    }
}

/// The headings, with `_2`, `_3`, … where one is taken.
pub(super) fn keys(schema: &Schema) -> Vec<String> {
    let mut taken: HashSet<String> = HashSet::new();
    let written: HashSet<&String> = schema.fields().iter().map(|field| field.name()).collect();
    let unique = schema.fields().iter().map(|field| {
        let name = field.name();
        let numbered = (2..)
            .map(|number| format!("{name}_{number}"))
            .filter(|candidate| !written.contains(candidate));
        let key = std::iter::once(name.clone())
            .chain(numbered)
            .find(|candidate| !taken.contains(candidate))
            .unwrap_or_default();
        taken.insert(key.clone());
        key
    });
    unique.collect()
}

/// The format `json`: a row a line if it is the only array, else an array a line.
pub struct Array {
    objects: Objects,
    place: Place,
    begun: bool,
}

impl Array {
    pub fn new(place: Place, schema: &SchemaRef) -> Array {
        Array {
            objects: Objects::new(schema),
            place,
            begun: false,
        }
    }
}

impl Printer for Array {
    fn rows(&mut self, batch: &RecordBatch, out: &mut dyn Write) -> Result<()> {
        let (open, between) = match self.place {
            Place::Only => ("[\n", ",\n"),
            Place::First | Place::Later => ("[", ","),
        };
        let begun = &mut self.begun;
        self.objects.each(batch, |line| {
            out.write_all(if *begun { between } else { open }.as_bytes())?;
            *begun = true;
            out.write_all(line.as_bytes())
        })
    }

    fn end(&mut self, out: &mut dyn Write) -> Result<()> {
        let close = match (self.begun, self.place) {
            (false, _) => "[]\n",
            (true, Place::Only) => "\n]\n",
            (true, _) => "]\n",
        };
        Ok(out.write_all(close.as_bytes())?)
    }

    fn cut(&mut self, out: &mut dyn Write) -> Result<()> {
        if self.begun {
            // No `]`: half an answer must not parse as a whole one.
            out.write_all(b"\n")?;
        }
        Ok(())
    }
}

/// The format `jsonl`.
pub struct Lines(Objects);

impl Lines {
    pub fn new(schema: &SchemaRef) -> Lines {
        Lines(Objects::new(schema))
    }
}

impl Printer for Lines {
    fn rows(&mut self, batch: &RecordBatch, out: &mut dyn Write) -> Result<()> {
        self.0.each(batch, |line| {
            out.write_all(line.as_bytes())?;
            out.write_all(b"\n")
        })
    }

    fn end(&mut self, _: &mut dyn Write) -> Result<()> {
        Ok(())
    }

    fn cut(&mut self, _: &mut dyn Write) -> Result<()> {
        Ok(())
    }
}
