//! Parquet and Arrow IPC streams. Owns what of a schema leaves the program: headings that are told apart, `arrow.json` on columns of JSON,
//! and none of the engine's own marks. Rows are written as they come; a result that breaks off has no end, so that no reader takes it for
//! a whole one.

use std::collections::HashMap;
use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::RecordBatch;
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::error::ArrowError;
use arrow::ipc::writer::StreamWriter;

use super::json::keys;
use super::parquet_file::ParquetFile;
use super::{Format, Printer};
use crate::error::{Error, Result};

/// A buffer is kept for what comes next up to this size.
const KEPT_BYTES: usize = 4 << 20;
/// Metadata of fields that is known outside of the engine.
const EXTENSION: &str = "ARROW:extension:";

/// The printer of these formats.
pub struct Columnar {
    form: Form,
    schema: SchemaRef,
    written: Pipe,
    writer: Option<Writer>,
}

/// Which of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    Parquet,
    Arrow,
}

enum Writer {
    Parquet(Box<ParquetFile>),
    Arrow(Box<StreamWriter<Pipe>>),
}

/// What a writer has written and nobody has taken yet.
#[derive(Clone, Default)]
pub(super) struct Pipe(Arc<Mutex<Vec<u8>>>);

impl Write for Pipe {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Pipe {
    pub(super) fn hand_on(&self, out: &mut dyn Write) -> Result<()> {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        out.write_all(&waiting)?;
        waiting.clear();
        waiting.shrink_to(KEPT_BYTES);
        Ok(())
    }
}

impl Columnar {
    pub fn new(form: Form, schema: &SchemaRef) -> Columnar {
        Columnar {
            form,
            schema: shown(form, schema),
            written: Pipe::default(),
            writer: None,
        }
    }

    fn writer(&mut self) -> Result<&mut Writer> {
        if self.writer.is_none() {
            let pipe = self.written.clone();
            let begun = match self.form {
                Form::Parquet => ParquetFile::new(pipe, &self.schema)
                    .map(|file| Writer::Parquet(Box::new(file)))
                    .map_err(|problem| refused(self.form, &problem))?,
                Form::Arrow => StreamWriter::try_new(pipe, &self.schema)
                    .map(|writer| Writer::Arrow(Box::new(writer)))
                    .map_err(|problem| refused(self.form, &problem))?,
            };
            self.writer = Some(begun);
        }
        let writer = self.writer.as_mut();
        writer.ok_or_else(|| Error::Internal("a writer that was begun is gone".to_owned()))
    }
}

impl Printer for Columnar {
    fn rows(&mut self, batch: &RecordBatch, out: &mut dyn Write) -> Result<()> {
        let (form, schema) = (self.form, Arc::clone(&self.schema));
        let columns = batch.columns().iter().zip(schema.fields());
        let columns =
            columns.map(
                |(column, field)| match column.data_type() == field.data_type() {
                    true => Ok(Arc::clone(column)),
                    false => cast(column, field.data_type()),
                },
            );
        let columns = columns.collect::<std::result::Result<Vec<_>, ArrowError>>()?;
        let options =
            arrow::array::RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        let batch = RecordBatch::try_new_with_options(schema, columns, &options)?;
        match self.writer()? {
            Writer::Parquet(file) => return file.add(&batch, out),
            Writer::Arrow(writer) => {
                writer
                    .write(&batch)
                    .map_err(|problem| refused(form, &problem))?;
            }
        }
        self.written.hand_on(out)
    }

    fn end(&mut self, out: &mut dyn Write) -> Result<()> {
        let form = self.form;
        self.writer()?;
        match self.writer.take() {
            Some(Writer::Parquet(file)) => return file.end(out),
            Some(Writer::Arrow(mut writer)) => {
                writer.finish().map_err(|problem| refused(form, &problem))?;
            }
            None => {}
        }
        self.written.hand_on(out)
    }

    fn cut(&mut self, _out: &mut dyn Write) -> Result<()> {
        Ok(())
    }
}

/// The schema as it is written.
fn shown(form: Form, schema: &Schema) -> SchemaRef {
    let fields = schema
        .fields()
        .iter()
        .zip(keys(schema))
        .map(|(field, key)| {
            let metadata = field.metadata().iter();
            let metadata = metadata.filter(|(name, _)| name.starts_with(EXTENSION));
            let metadata: HashMap<String, String> = metadata
                .map(|(name, value)| (name.clone(), value.clone()))
                .collect();
            let kind = match (form, field.data_type()) {
                // Parquet has no such types that its readers agree on.
                (Form::Parquet, DataType::Interval(_) | DataType::Duration(_)) => DataType::Utf8,
                (_, kind) => kind.clone(),
            };
            Field::new(key, kind, field.is_nullable()).with_metadata(metadata)
        });
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

/// The writers write into memory: what they refuse is a type that the format has not.
pub(super) fn refused(form: Form, problem: &dyn std::error::Error) -> Error {
    let format = match form {
        Form::Parquet => Format::Parquet,
        Form::Arrow => Format::Arrow,
    };
    Error::Setting {
        place: "--output".to_owned(),
        message: format!("these rows cannot be written as {format}: {problem}"),
        hint: Some("a cast to a type that the format has helps, like `x::text`".to_owned()),
    }
}
