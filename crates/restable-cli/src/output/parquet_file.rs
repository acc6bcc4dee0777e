//! A Parquet file while it is written: which rows make a row group, and how its columns leave the memory. The columns of a row group are
//! finished and handed on one after the other, so that a row group is in memory once and not twice.

use std::io::Write;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use parquet::arrow::arrow_writer::{ArrowColumnWriter, ArrowRowGroupWriterFactory, compute_leaves};
use parquet::arrow::{ArrowSchemaConverter, add_encoded_arrow_schema_to_metadata};
use parquet::basic::Compression;
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;

use super::columnar::{Form, Pipe};
use crate::error::{Error, Result};

/// What a row group takes at most while it is made.
const ROW_GROUP_BYTES: usize = 8 << 20;
/// Readers divide their work by row groups: more rows than these are not in one, however small they are.
const ROW_GROUP_ROWS: usize = 1 << 20;

/// A file to which rows are added.
pub(super) struct ParquetFile {
    schema: SchemaRef,
    written: Pipe,
    file: SerializedFileWriter<Pipe>,
    columns: ArrowRowGroupWriterFactory,
    /// The row group that is being made, and its rows.
    group: Option<Vec<ArrowColumnWriter>>,
    rows: usize,
    groups: usize,
}

impl ParquetFile {
    pub fn new(written: Pipe, schema: &SchemaRef) -> Result<ParquetFile, ParquetError> {
        let mut properties = WriterProperties::builder()
            .set_compression(Compression::SNAPPY)
            .set_created_by(concat!("restable ", env!("CARGO_PKG_VERSION")).to_owned())
            .build();
        add_encoded_arrow_schema_to_metadata(schema, &mut properties);
        let layout = ArrowSchemaConverter::new().convert(schema)?;
        let file = SerializedFileWriter::new(
            written.clone(),
            layout.root_schema_ptr(),
            Arc::new(properties),
        )?;
        Ok(ParquetFile {
            columns: ArrowRowGroupWriterFactory::new(&file, Arc::clone(schema)),
            schema: Arc::clone(schema),
            written,
            file,
            group: None,
            rows: 0,
            groups: 0,
        })
    }

    /// Adds rows, and hands on what is finished by them.
    pub fn add(&mut self, batch: &RecordBatch, out: &mut dyn Write) -> Result<()> {
        if batch.num_rows() == 0 {
            return Ok(());
        }
        let bytes = self.encode(batch).map_err(refused)?;
        if bytes >= ROW_GROUP_BYTES || self.rows >= ROW_GROUP_ROWS {
            self.end_group(out)?;
        }
        Ok(())
    }

    /// Adds rows to the row group; what it takes now.
    fn encode(&mut self, batch: &RecordBatch) -> Result<usize, ParquetError> {
        let group = match &mut self.group {
            Some(group) => group,
            none => none.insert(self.columns.create_column_writers(self.groups)?),
        };
        let mut writers = group.iter_mut();
        for (field, column) in self.schema.fields().iter().zip(batch.columns()) {
            for (leaf, writer) in compute_leaves(field, column)?.iter().zip(&mut writers) {
                writer.write(leaf)?;
            }
        }
        self.rows += batch.num_rows();
        Ok(group.iter().map(ArrowColumnWriter::memory_size).sum())
    }

    fn end_group(&mut self, out: &mut dyn Write) -> Result<()> {
        let Some(columns) = self.group.take() else {
            return Ok(());
        };
        let mut group = self.file.next_row_group().map_err(refused)?;
        for column in columns {
            let column = column.close().map_err(refused)?;
            column.append_to_row_group(&mut group).map_err(refused)?;
            self.written.hand_on(out)?;
        }
        group.close().map_err(refused)?;
        self.rows = 0;
        self.groups += 1;
        self.written.hand_on(out)
    }

    /// The last rows and the end of the file.
    pub fn end(mut self, out: &mut dyn Write) -> Result<()> {
        self.end_group(out)?;
        self.file.close().map_err(refused)?;
        self.written.hand_on(out)
    }
}

fn refused(problem: ParquetError) -> Error {
    super::columnar::refused(Form::Parquet, &problem)
}
