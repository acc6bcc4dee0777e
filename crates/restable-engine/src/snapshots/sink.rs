//! Rows on their way into a Parquet file: a thread of its own writes them, so that no more is in memory than a row group.
//! A file is whole when its footer is written and it is on disk; until then it has another name, and if nobody says that the
//! rows are all, it is removed.

use std::fs::OpenOptions;
use std::path::{Path, PathBuf};

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, IntervalUnit, SchemaRef};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;
use restable_sql::Diagnostic;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::store::{failed, private};
use crate::{Error, Result};

/// Rows of a row group at most: the unit in which a reader skips.
const GROUP_ROWS: usize = 128 * 1024;
/// Bytes of a row group that is being written, at most.
const GROUP_BYTES: usize = 32 << 20;

/// What was written.
#[derive(Debug, Clone, Copy)]
pub struct Written {
    /// Rows.
    pub rows: u64,
    /// The size of the file.
    pub bytes: u64,
}

enum Message {
    Rows(RecordBatch),
    End(Vec<KeyValue>),
}

/// A file that is being written.
#[derive(Debug)]
pub struct Sink {
    sender: mpsc::Sender<Message>,
    thread: JoinHandle<Result<Written>>,
}

impl Sink {
    /// Begins a file, which must not exist.
    pub fn open(path: PathBuf, schema: SchemaRef) -> Sink {
        let (sender, receiver) = mpsc::channel(2);
        let thread = tokio::task::spawn_blocking(move || {
            let written = write(&path, schema, receiver);
            if written.is_err() {
                let _ = std::fs::remove_file(&path);
            }
            written
        });
        Sink { sender, thread }
    }

    /// Takes rows.
    pub async fn write(&mut self, batch: RecordBatch) -> Result<()> {
        match self.sender.send(Message::Rows(batch)).await {
            Ok(()) => Ok(()),
            // The thread ends early only with an error.
            Err(_) => match (&mut self.thread).await {
                Ok(Err(problem)) => Err(problem),
                _ => Err(Error::internal("writing a file broke off")),
            },
        }
    }

    /// Says that these were all rows, and what else is to stand in the file. When it answers, the file is on disk.
    pub async fn finish(self, about: Vec<KeyValue>) -> Result<Written> {
        let _ = self.sender.send(Message::End(about)).await;
        match self.thread.await {
            Ok(written) => written,
            Err(_) => Err(Error::internal("writing a file broke off")),
        }
    }
}

fn write(path: &Path, schema: SchemaRef, mut receiver: mpsc::Receiver<Message>) -> Result<Written> {
    let on_disk = |problem: std::io::Error| failed("write", path, &problem);
    let broken = |problem: parquet::errors::ParquetError| match problem {
        parquet::errors::ParquetError::External(inner) => {
            match inner.downcast::<std::io::Error>() {
                Ok(problem) => failed("write", path, &problem),
                Err(other) => Error::internal(format!("writing Parquet: {other}")),
            }
        }
        other => Error::internal(format!("writing Parquet: {other}")),
    };
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    let file = private(&mut options).open(path).map_err(on_disk)?;
    let properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .set_max_row_group_row_count(Some(GROUP_ROWS))
        .set_created_by(format!("restable {}", env!("CARGO_PKG_VERSION")))
        .build();
    let copy = file.try_clone().map_err(on_disk)?;
    let mut writer = ArrowWriter::try_new(copy, schema, Some(properties)).map_err(broken)?;
    let mut rows = 0;
    loop {
        match receiver.blocking_recv() {
            Some(Message::Rows(batch)) => {
                rows += batch.num_rows() as u64;
                writer.write(&batch).map_err(broken)?;
                if writer.in_progress_size() >= GROUP_BYTES {
                    writer.flush().map_err(broken)?;
                }
            }
            Some(Message::End(about)) => {
                for entry in about {
                    writer.append_key_value_metadata(entry);
                }
                writer.close().map_err(broken)?;
                file.sync_all().map_err(on_disk)?;
                let bytes = file.metadata().map_err(on_disk)?.len();
                return Ok(Written { rows, bytes });
            }
            None => return Err(Error::internal("nobody waits for the file any more")),
        }
    }
}

/// Refuses columns that Parquet has no type for.
pub fn check(schema: &SchemaRef) -> Result<()> {
    for field in schema.fields() {
        if !is_kept(field.data_type()) {
            let shown = field.metadata().get(crate::functions::NAME_METADATA);
            let problem = format!(
                "the column `{}` is of the type `{}`, which cannot be kept in a file",
                shown.unwrap_or(field.name()),
                field.data_type()
            );
            let help = "cast it, for example to text or to a number of seconds";
            return Err(Diagnostic::new("R0346", problem).help(help).into());
        }
    }
    Ok(())
}

fn is_kept(kind: &DataType) -> bool {
    match kind {
        DataType::Interval(IntervalUnit::MonthDayNano) | DataType::Union(..) => false,
        DataType::Interval(_) | DataType::RunEndEncoded(..) => false,
        DataType::List(item)
        | DataType::LargeList(item)
        | DataType::FixedSizeList(item, _)
        | DataType::Map(item, _) => is_kept(item.data_type()),
        // A struct without fields is a group without columns, which Parquet does not have.
        DataType::Struct(fields) => {
            !fields.is_empty() && fields.iter().all(|field| is_kept(field.data_type()))
        }
        DataType::ListView(_) | DataType::LargeListView(_) => false,
        _ => true,
    }
}
