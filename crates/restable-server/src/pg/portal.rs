//! Portals: a statement with its values, planned or running. A cursor of SQL is a portal with a name.

use std::sync::Arc;
use std::time::{Instant, SystemTime};

use bytes::{BufMut as _, BytesMut};
use futures::FutureExt as _;
use restable_engine::arrow::array::RecordBatch;
use restable_engine::arrow::datatypes::SchemaRef;
use restable_engine::parameters::{Described, Parameter};
use restable_engine::sql::{Count, Parsed};
use restable_engine::{Desk, Error, HeldMemory, Prepared, Report, Rows};

use super::encode::{Cells, Look};
use super::messages::{self, Column};
use super::oids;
use crate::computing::Limit;

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
    /// Whether it was the client who asked.
    pub told: bool,
    /// When it was prepared.
    pub created: SystemTime,
    /// Room for what it says.
    pub _memory: Option<HeldMemory>,
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
    /// The columns that the client was told before.
    pub told: Option<SchemaRef>,
    /// Whether it outlives its transaction.
    pub hold: bool,
    /// Whether the transaction that it began in has ended.
    pub kept: bool,
    /// When it was made.
    pub created: SystemTime,
    /// Room for its values.
    pub _memory: Option<HeldMemory>,
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
        /// How far it goes, if it may go back; else `left` says it.
        step: Option<Count>,
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
    /// It is done, and was something else than it said.
    Instead(&'static str),
}

/// Rows on their way.
#[derive(Debug)]
pub struct Flow {
    /// The columns.
    pub schema: SchemaRef,
    /// The rows; `None` while a batch is read, and after that was given up.
    rows: Option<Rows>,
    batch: Option<Batch>,
    /// What follows the batch, where that is known.
    next: Option<Next>,
    /// Whether the last row came.
    pub ended: bool,
    /// Whether they are of calls that change something.
    pub acts: bool,
    /// Whether the client was told what it should know of them.
    pub remarked: bool,
    /// Until when they are read.
    limit: Option<Limit>,
    /// What was read of rows that are gone over again.
    kept: Option<Kept>,
    /// Whether they are read for the first time.
    begins: bool,
}

/// Rows that a cursor may go back to.
#[derive(Debug, Default)]
struct Kept {
    /// Each with the number of its last row.
    batches: Vec<(u64, Batch)>,
    /// Where the cursor stands: 0 before the first row.
    place: u64,
    /// Room for them.
    _memory: Vec<HeldMemory>,
}

#[derive(Debug)]
enum Next {
    Batch(Batch),
    End,
}

#[derive(Debug)]
struct Batch {
    cells: Vec<Cells>,
    rows: usize,
    at: usize,
    bytes: usize,
}

impl Flow {
    /// Rows of which none was read. What acts has no limit but its own.
    pub fn new(rows: Rows, limit: Option<Limit>) -> Flow {
        Flow {
            limit: limit.filter(|_| rows.stopper().is_none()),
            schema: SchemaRef::clone(rows.schema()),
            acts: rows.stopper().is_some(),
            rows: Some(rows),
            batch: None,
            next: None,
            ended: false,
            remarked: false,
            kept: None,
            begins: true,
        }
    }

    /// Rows that are asked for later.
    pub fn later(rows: Rows) -> Flow {
        Flow {
            begins: false,
            ..Flow::new(rows, None)
        }
    }

    /// The same, and what was read is kept.
    #[must_use]
    pub fn scrolling(self) -> Flow {
        Flow {
            kept: Some(Kept::default()),
            ..self
        }
    }

    /// Whether what was read is kept.
    pub fn scrolls(&self) -> bool {
        self.kept.is_some()
    }

    /// Where a cursor stands among the rows that are kept.
    pub fn place(&self) -> u64 {
        self.kept.as_ref().map_or(0, |kept| kept.place)
    }

    /// It stands there now.
    pub fn stand(&mut self, place: u64) {
        if let Some(kept) = &mut self.kept {
            kept.place = place;
        }
    }

    /// How many rows are kept.
    pub fn kept_rows(&self) -> u64 {
        let kept = self.kept.as_ref();
        let last = kept.and_then(|kept| kept.batches.last());
        last.map_or(0, |(rows, _)| *rows)
    }

    /// The bytes of the batch at hand.
    pub fn bytes_at_hand(&self) -> usize {
        self.batch.as_ref().map_or(0, |batch| batch.bytes)
    }

    /// Keeps the batch at hand, in this room.
    pub fn keep(&mut self, memory: Option<HeldMemory>) {
        let before = self.kept_rows();
        if let (Some(kept), Some(batch)) = (&mut self.kept, self.batch.take()) {
            kept.batches.push((before + batch.rows as u64, batch));
            kept._memory.extend(memory);
        }
    }

    /// Writes the row of this number, from 1, out of those that are kept.
    pub fn write_kept(
        &self,
        number: u64,
        formats: &[i16],
        out: &mut BytesMut,
    ) -> Result<(), super::encode::OutOfRange> {
        let Some(kept) = &self.kept else {
            return Ok(());
        };
        let at = kept.batches.partition_point(|(last, _)| *last < number);
        let Some((last, batch)) = kept.batches.get(at) else {
            return Ok(());
        };
        let row = batch.rows - 1 - usize::try_from(last - number).unwrap_or(0);
        let start = out.len();
        let done = row_of(&batch.cells, row, formats, out);
        if done.is_err() {
            out.truncate(start);
        }
        done
    }

    /// Rows with the first ones at hand. Of a short answer that nobody was called for it is known then that nothing follows.
    pub async fn begun(rows: Rows, look: Look, limit: Option<Limit>) -> Result<Flow, Error> {
        let mut flow = Flow::new(rows, limit);
        let Some(mut rows) = flow.rows.take() else {
            return Ok(flow);
        };
        match rows.next().await {
            None => flow.ended = true,
            Some(batch) => {
                flow.batch = Some(Batch::new(&batch?, look)?);
                if rows.is_local() {
                    flow.next = match rows.next().now_or_never() {
                        None => None,
                        Some(None) => Some(Next::End),
                        Some(Some(batch)) => Some(Next::Batch(Batch::new(&batch?, look)?)),
                    };
                }
            }
        }
        flow.rows = Some(rows);
        flow.follow();
        Ok(flow)
    }

    /// What is known to follow takes the place of a batch that was written.
    fn follow(&mut self) {
        if self.batch.as_ref().is_some_and(Batch::is_done) {
            match self.next.take() {
                None => {}
                Some(Next::Batch(batch)) => self.batch = Some(batch),
                Some(Next::End) => self.ended = true,
            }
        }
    }

    /// Whether a batch must be read before a row can be written.
    pub fn is_empty(&self) -> bool {
        !self.ended && self.batch.as_ref().is_none_or(Batch::is_done)
    }

    /// Reads the next batch, beside: what computes long without a pause must not keep the client from cancelling it, nor the clock from
    /// ending it. When this is dropped, the statement and its calls end.
    pub async fn read(&mut self, look: Look, desk: &Desk) -> Result<(), Error> {
        self.batch = None;
        let Some(mut rows) = self.rows.take() else {
            self.ended = true;
            return Ok(());
        };
        let next = async move {
            let next = rows.next().await;
            let next = next.map(|batch| batch.and_then(|batch| Batch::new(&batch, look)));
            Ok((rows, next))
        };
        let next = async { desk.compute(next.boxed()).await? };
        let (rows, next) = Limit::keep(self.limit, next).await?;
        self.rows = Some(rows);
        match next {
            None => self.ended = true,
            Some(batch) => self.batch = Some(batch?),
        }
        Ok(())
    }

    /// A statement asks for some of them: each has a time of its own, of which what their client does between is no part.
    pub fn goes_on(&mut self, limit: Option<Limit>) {
        if !std::mem::take(&mut self.begins) && !self.acts {
            self.limit = limit;
        }
    }

    /// When the last of them must have been sent.
    pub fn deadline(&self) -> Option<Instant> {
        self.limit.map(Limit::end)
    }

    /// The error, if that time is over.
    pub fn late(&self) -> Option<Error> {
        let limit = self.limit.filter(|_| !self.ended)?;
        let over = Instant::now() >= limit.end();
        let late = || self.rows.as_ref().map_or_else(|| limit.late(), Rows::late);
        over.then(late)
    }

    /// What a client was not told of the rows, once nothing more is read of them.
    pub fn untold(&mut self) -> Option<Report> {
        let report = self.report().filter(|_| !self.remarked)?;
        self.remarked = true;
        Some(report)
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
            row_of(cells, row, formats, out)
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
        self.follow();
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
        self.follow();
        skipped
    }
}

/// Writes a row.
fn row_of(
    cells: &[Cells],
    row: usize,
    formats: &[i16],
    out: &mut BytesMut,
) -> Result<(), super::encode::OutOfRange> {
    let mut done = Ok(());
    messages::message(out, b'D', |out| {
        out.put_u16(u16::try_from(cells.len()).unwrap_or(u16::MAX));
        let mut all = cells.iter().enumerate();
        done = all.try_for_each(|(at, cell)| cell.write(row, format(formats, at) == 1, out));
    });
    done
}

impl Batch {
    fn new(batch: &RecordBatch, look: Look) -> Result<Batch, Error> {
        let schema = batch.schema();
        let fields = schema.fields().iter().zip(batch.columns());
        let cells = fields.map(|(field, array)| Cells::new(field, array, look));
        Ok(Batch {
            cells: cells.collect::<Result<_, _>>()?,
            rows: batch.num_rows(),
            at: 0,
            bytes: batch.get_array_memory_size(),
        })
    }

    fn is_done(&self) -> bool {
        self.at == self.rows
    }
}

fn format(formats: &[i16], at: usize) -> i16 {
    match formats {
        [] => 0,
        [all] => *all,
        each => each.get(at).copied().unwrap_or(0),
    }
}

/// Whether rows have columns of the types that a client was told. Their names do not matter to who reads them.
pub fn are_as_told(told: &SchemaRef, columns: &SchemaRef) -> bool {
    let pairs = || told.fields().iter().zip(columns.fields());
    told.fields().len() == columns.fields().len()
        && pairs().all(|(old, new)| oids::of_field(old) == oids::of_field(new))
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
