//! Portals: a statement with its values, planned or running. A cursor of SQL is a portal with a name.

use std::sync::Arc;

use bytes::{BufMut as _, BytesMut};
use restable_engine::arrow::array::timezone::Tz;
use restable_engine::arrow::datatypes::SchemaRef;
use restable_engine::parameters::{Described, Parameter};
use restable_engine::sql::Parsed;
use restable_engine::{Error, Prepared, Report, Rows};
use tokio::runtime::Handle;
use tokio::task::JoinSet;

use super::encode::Cells;
use super::messages::{self, Column};
use super::oids;

/// A statement that a client prepared.
#[derive(Debug)]
pub struct Stored {
    /// The text, for places in it.
    pub text: Arc<str>,
    /// What it says; `None` if it says nothing.
    pub parsed: Option<Arc<Parsed>>,
    /// The OIDs that the client gave its parameters; 0: not said.
    pub declared: Vec<u32>,
    /// What it takes and answers, once somebody asked.
    pub described: Option<Described>,
}

/// A statement with its values.
#[derive(Debug)]
pub struct Portal {
    /// The text, for places in it.
    pub text: Arc<str>,
    /// What it says; `None` if it says nothing.
    pub parsed: Option<Arc<Parsed>>,
    /// The values.
    pub parameters: Vec<Parameter>,
    /// The formats of the columns: none, one for all, or one each.
    pub formats: Vec<i16>,
    /// Whether it outlives its transaction.
    pub hold: bool,
    /// How far it is.
    pub state: State,
}

/// How far a portal is.
#[derive(Debug)]
pub enum State {
    /// Nothing was done.
    Fresh,
    /// It was planned, to describe it.
    Planned(Box<Prepared>),
    /// Rows come out of it.
    Open(Box<Flow>),
    /// Rows of a cursor come out of it.
    Fetch {
        /// The cursor.
        cursor: String,
        /// How many at most.
        left: u64,
        /// Whether they are shown.
        shown: bool,
    },
    /// Rows of a COPY come out of it.
    Copy(Box<super::connection::Outgoing>),
    /// It acted on so many targets, and is done.
    Counted(u64),
    /// It is done.
    Done,
}

/// Rows on their way.
#[derive(Debug)]
pub struct Flow {
    /// The columns.
    pub schema: SchemaRef,
    /// The rows; `None` while a batch is read, and after that was given up.
    rows: Option<Rows>,
    batch: Option<Batch>,
    /// Whether the last row came.
    pub ended: bool,
    /// Whether they are of calls that change something.
    pub acts: bool,
}

#[derive(Debug)]
struct Batch {
    cells: Vec<Cells>,
    rows: usize,
    at: usize,
}

impl Flow {
    /// Rows of which none was read.
    pub fn new(rows: Rows) -> Flow {
        Flow {
            schema: SchemaRef::clone(rows.schema()),
            acts: rows.stopper().is_some(),
            rows: Some(rows),
            batch: None,
            ended: false,
        }
    }

    /// Whether a batch must be read before a row can be written.
    pub fn is_empty(&self) -> bool {
        !self.ended
            && self
                .batch
                .as_ref()
                .is_none_or(|batch| batch.at == batch.rows)
    }

    /// Reads the next batch, in a task of its own: what computes long without a pause must not keep the client from
    /// cancelling it. When this is dropped, the task and its calls end.
    pub async fn read(&mut self, zone: Tz, computing: &Handle) -> Result<(), Error> {
        self.batch = None;
        let Some(mut rows) = self.rows.take() else {
            self.ended = true;
            return Ok(());
        };
        let mut tasks = JoinSet::new();
        let next = async move {
            let next = rows.next().await;
            (rows, next)
        };
        tasks.spawn_on(next, computing);
        let Some(Ok((rows, next))) = tasks.join_next().await else {
            return Err(Error::Internal("reading a batch broke off".to_owned()));
        };
        self.rows = Some(rows);
        match next {
            None => self.ended = true,
            Some(batch) => {
                let batch = batch?;
                let schema = batch.schema();
                let fields = schema.fields().iter().zip(batch.columns());
                let cells = fields.map(|(field, array)| Cells::new(field, array, zone));
                self.batch = Some(Batch {
                    cells: cells.collect::<Result<_, _>>()?,
                    rows: batch.num_rows(),
                    at: 0,
                });
            }
        }
        Ok(())
    }

    /// What the rows cost, once they are all read.
    pub fn report(&self) -> Option<Report> {
        self.rows.as_ref().map(Rows::report)
    }

    /// Writes at most `most` rows of the batch at hand, until `out` has `enough` bytes; answers how many.
    pub fn write(
        &mut self,
        most: u64,
        formats: &[i16],
        enough: usize,
        out: &mut BytesMut,
    ) -> Result<u64, super::encode::OutOfRange> {
        self.each(most, enough, out, |cells, row, out| {
            let mut done = Ok(());
            messages::message(out, b'D', |out| {
                out.put_u16(u16::try_from(cells.len()).unwrap_or(u16::MAX));
                let mut all = cells.iter().enumerate();
                done =
                    all.try_for_each(|(at, cell)| cell.write(row, format(formats, at) == 1, out));
            });
            done
        })
    }

    /// Lets `write` write at most `most` rows of the batch at hand, until `out` has `enough` bytes; answers how many. Of a
    /// row that cannot be written nothing stays.
    pub fn each(
        &mut self,
        most: u64,
        enough: usize,
        out: &mut BytesMut,
        mut write: impl FnMut(&[Cells], usize, &mut BytesMut) -> Result<(), super::encode::OutOfRange>,
    ) -> Result<u64, super::encode::OutOfRange> {
        let Some(batch) = &mut self.batch else {
            return Ok(0);
        };
        let mut written = 0;
        while batch.at < batch.rows && written < most && out.len() < enough {
            let start = out.len();
            if let Err(problem) = write(&batch.cells, batch.at, out) {
                out.truncate(start);
                return Err(problem);
            }
            batch.at += 1;
            written += 1;
        }
        Ok(written)
    }

    /// Leaves out at most `most` rows of the batch at hand; answers how many.
    pub fn skip(&mut self, most: u64) -> u64 {
        let Some(batch) = &mut self.batch else {
            return 0;
        };
        let left = (batch.rows - batch.at) as u64;
        let skipped = left.min(most);
        batch.at += usize::try_from(skipped).unwrap_or(batch.rows - batch.at);
        skipped
    }
}

fn format(formats: &[i16], at: usize) -> i16 {
    match formats {
        [] => 0,
        [all] => *all,
        each => each.get(at).copied().unwrap_or(0),
    }
}

/// The columns of a result as they are described.
pub fn columns(schema: &SchemaRef, formats: &[i16]) -> Vec<Column> {
    let fields = schema.fields().iter().enumerate();
    let column = |(at, field): (usize, &Arc<restable_engine::arrow::datatypes::Field>)| {
        let kind = oids::of_field(field);
        Column {
            name: field.name().clone(),
            kind,
            size: oids::size(kind),
            format: format(formats, at),
        }
    };
    fields.map(column).collect()
}
