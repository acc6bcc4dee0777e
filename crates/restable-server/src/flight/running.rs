//! Rows on their way: a statement is computed beside, a few batches ahead of who reads them, and no further. A reader that
//! goes away ends it and its calls.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{RecordBatch, RecordBatchOptions};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef};
use arrow_flight::encode::FlightDataEncoderBuilder;
use arrow_flight::error::FlightError;
use arrow_flight::{FlightData, IpcMessage, SchemaAsIpc};
use bytes::Bytes;
use futures::future::BoxFuture;
use futures::stream::{self, BoxStream};
use futures::{FutureExt as _, StreamExt as _, TryStreamExt as _};
use restable_engine::acting::Commitment;
use restable_engine::{Error, Outcome, Prepared, Report, Rows, Session};
use tokio::sync::mpsc;
use tonic::Status;

use super::asked::{self, Asked};
use super::missing::{Missing, told_at_the_end};
use super::sessions::{Begun, Client};
use super::status;
use crate::computing::Limit;

/// So many batches wait for their reader.
const AHEAD: usize = 2;

/// A statement that was planned: once, or once for each set of values that was bound.
#[derive(Debug)]
pub struct Planned {
    /// The plans, run one after the other.
    pub plans: Vec<Prepared>,
    /// The columns of all of them; `None` if they answer no rows.
    pub columns: Option<SchemaRef>,
}

impl Planned {
    /// Plans that answer the same columns.
    pub fn new(plans: Vec<Prepared>) -> Planned {
        let columns = plans.first().and_then(Prepared::columns);
        Planned {
            columns: columns.map(|schema| shown(&schema)),
            plans,
        }
    }

    /// Until when they may be computed.
    fn limit(&self, client: &Client) -> Option<Limit> {
        Limit::of_several(&client.session(), self.plans.len())
    }

    /// What tells whether those of them that act have begun to.
    fn acts(&self) -> Vec<Commitment> {
        self.plans.iter().filter_map(Prepared::commitment).collect()
    }

    /// The columns as they are sent; none for a statement that answers no rows.
    pub fn schema(&self) -> SchemaRef {
        self.columns
            .clone()
            .unwrap_or_else(|| Arc::new(Schema::empty()))
    }
}

/// A batch for the reader; `None` after the last one.
type Given = Result<Option<RecordBatch>, FlightError>;

/// What is sent to the client.
pub type Sent = BoxStream<'static, Result<FlightData, Status>>;

/// Runs a statement and sends its rows.
pub fn rows(client: &Arc<Client>, number: Option<u64>, planned: Planned) -> Sent {
    let schema = planned.schema();
    let (limit, acts) = (planned.limit(client), planned.acts());
    let (give, take) = mpsc::channel::<Given>(AHEAD);
    let session = client.session();
    let may_lack =
        session.settings().partial_results || planned.plans.iter().any(Prepared::reads_own_tables);
    let missing = Missing::default();
    let work = give_all(
        session,
        planned.plans,
        SchemaRef::clone(&schema),
        give.clone(),
        missing.clone(),
    );
    let work = async move { work.await.map_err(|problem| status::told(&problem)) }.boxed();
    let own = Arc::clone(client);
    let work = async move { own.computed_unless_begun(limit, &acts, work).await };
    tokio::spawn(watched(client.begin(number), work.boxed(), give));
    let sent = encoded(schema, until_told(take));
    match may_lack {
        true => told_at_the_end(sent, missing),
        false => sent,
    }
}

/// Gives the rows of plans, one plan after the other, to whoever takes them.
fn give_all(
    session: Arc<Session>,
    plans: Vec<Prepared>,
    columns: SchemaRef,
    give: mpsc::Sender<Given>,
    missing: Missing,
) -> Asked<()> {
    async move {
        for plan in plans {
            let Outcome::Rows(mut rows) = asked::run(Arc::clone(&session), plan).await? else {
                continue;
            };
            loop {
                let (back, batch) = asked::next(rows).await;
                rows = back;
                let Some(batch) = batch else {
                    missing.take(&rows.report());
                    break;
                };
                let given = give.send(Ok(Some(fit(&batch?, &columns)?)));
                let taken = match rows.deadline() {
                    // A client that does not take them has no longer for that than its statement has.
                    Some(deadline) => tokio::time::timeout_at(deadline.into(), given).await,
                    None => Ok(given.await),
                };
                match taken {
                    Ok(Ok(())) => {}
                    Ok(Err(_)) => return Ok(()),
                    Err(_) => return Err(rows.late()),
                }
            }
        }
        Ok(())
    }
    .boxed()
}

/// The batches until it is told that there are no more. Whoever gives them may be gone before that, whatever ended it: then they are not
/// the whole answer, and must not look like it.
fn until_told(take: mpsc::Receiver<Given>) -> BoxStream<'static, Result<RecordBatch, FlightError>> {
    stream::unfold(Some(take), |take| async move {
        let mut take = take?;
        match take.recv().await {
            Some(Ok(Some(batch))) => Some((Ok(batch), Some(take))),
            Some(Ok(None)) => None,
            Some(Err(problem)) => Some((Err(problem), None)),
            None => {
                let status = status::ours("the rows broke off before their end");
                Some((Err(FlightError::Tonic(Box::new(status))), None))
            }
        }
    })
    .boxed()
}

/// Works until the end, or until it is cancelled, or until nobody takes the rows.
fn watched(
    mut begun: Begun,
    work: BoxFuture<'static, Result<(), Status>>,
    give: mpsc::Sender<Given>,
) -> BoxFuture<'static, ()> {
    async move {
        let ended = tokio::select! {
            biased;
            () = give.closed() => Ok(()),
            () = begun.cancelled() => Err(cancelled()),
            done = work => done,
        };
        let last = match ended {
            Ok(()) => Ok(None),
            Err(status) => Err(FlightError::Tonic(Box::new(status))),
        };
        // Who is gone is not told.
        let _ = give.send(last).await;
    }
    .boxed()
}

/// Sends one batch that is at hand.
pub fn at_hand(batch: RecordBatch) -> Sent {
    let schema = batch.schema();
    encoded(schema, stream::iter([Ok(batch)]).boxed())
}

fn encoded(
    schema: SchemaRef,
    batches: BoxStream<'static, Result<RecordBatch, FlightError>>,
) -> Sent {
    FlightDataEncoderBuilder::new()
        .with_schema(schema)
        .build(batches)
        .map_err(|problem| match problem {
            FlightError::Tonic(status) => *status,
            other => status::ours(other),
        })
        .boxed()
}

/// Runs a statement of which only the number of rows is wanted.
pub fn update(client: &Arc<Client>, planned: Planned) -> BoxFuture<'static, Result<i64, Status>> {
    let (mut begun, limit) = (client.begin(None), planned.limit(client));
    let acts = planned.acts();
    let work = count(client.session(), planned.plans);
    let own = Arc::clone(client);
    async move {
        tokio::select! {
            biased;
            () = begun.cancelled() => Err(cancelled()),
            counted = own.computed_unless_begun(limit, &acts, work) => counted,
        }
    }
    .boxed()
}

fn count(session: Arc<Session>, plans: Vec<Prepared>) -> BoxFuture<'static, Result<i64, Status>> {
    let told = |problem: Error| status::told(&problem);
    async move {
        let mut count = 0;
        for plan in plans {
            let run = asked::run(Arc::clone(&session), plan).await;
            let Outcome::Rows(mut rows) = run.map_err(told)? else {
                continue;
            };
            let mut taken = 0;
            loop {
                let (back, batch) = asked::next(rows).await;
                rows = back;
                match batch {
                    None => break,
                    Some(batch) => taken += batch.map_err(told)?.num_rows() as u64,
                }
            }
            if let Some(status) = failed(&rows) {
                return Err(status);
            }
            // Of targets those count that were changed.
            let changed = rows.report().actions.map(|actions| actions.changed());
            count += changed.unwrap_or(taken);
        }
        Ok(i64::try_from(count).unwrap_or(i64::MAX))
    }
    .boxed()
}

/// Targets that did not come to what was asked for fail a statement of which only the number of rows is wanted.
fn failed(rows: &Rows) -> Option<Status> {
    let Report { actions, rows, .. } = rows.report();
    let actions = actions.filter(|actions| actions.failed() > 0)?;
    let mut text = format!("{} of {rows} targets did not succeed", actions.failed());
    for line in actions.lines() {
        text.push('\n');
        text.push_str(&line);
    }
    text.push_str("\nhint: `SHOW OPERATIONS` lists what was sent");
    Some(Status::unknown(text))
}

fn cancelled() -> Status {
    Status::cancelled("the statement was cancelled by its client")
}

/// The columns as clients see them: every one may be NULL, text has one type, and of what is known of a column only Arrow's
/// extension types are told.
pub fn shown(schema: &Schema) -> SchemaRef {
    let fields = schema.fields().iter().map(|field| {
        let told = field.metadata().iter();
        let told = told.filter(|(name, _)| name.starts_with("ARROW:"));
        let metadata: HashMap<String, String> = told
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
        Field::new(field.name(), plain(field.data_type()), true).with_metadata(metadata)
    });
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

/// The type that all clients know.
fn plain(kind: &DataType) -> DataType {
    let item = |field: &FieldRef| {
        let kind = plain(field.data_type());
        Arc::new(Field::new(field.name(), kind, true))
    };
    match kind {
        DataType::Utf8View => DataType::Utf8,
        DataType::BinaryView => DataType::Binary,
        DataType::Dictionary(_, value) => plain(value),
        DataType::List(field) | DataType::ListView(field) => DataType::List(item(field)),
        DataType::LargeList(field) | DataType::LargeListView(field) => {
            DataType::LargeList(item(field))
        }
        DataType::Struct(fields) => DataType::Struct(fields.iter().map(item).collect()),
        other => other.clone(),
    }
}

/// A batch in the columns that the client was told.
fn fit(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch, Error> {
    // A value that does not fit would be NULL otherwise.
    let strictly = CastOptions {
        safe: false,
        ..CastOptions::default()
    };
    let columns = batch.columns().iter().zip(schema.fields());
    let columns = columns.map(|(column, field)| {
        if column.data_type() == field.data_type() {
            Ok(Arc::clone(column))
        } else {
            cast_with_options(column, field.data_type(), &strictly)
        }
    });
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    let columns = columns.collect::<Result<Vec<_>, _>>()?;
    Ok(RecordBatch::try_new_with_options(
        SchemaRef::clone(schema),
        columns,
        &options,
    )?)
}

/// A schema as a message.
pub fn message(schema: &Schema) -> Result<Bytes, Status> {
    let options = arrow::ipc::writer::IpcWriteOptions::default();
    let message: IpcMessage = SchemaAsIpc::new(schema, &options)
        .try_into()
        .map_err(status::ours)?;
    Ok(message.0)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, clippy::panic, reason = "tests")]
mod tests {
    use arrow::array::{ArrayRef, Int64Array};
    use tonic::Code;

    use super::*;

    fn batch() -> RecordBatch {
        let column: ArrayRef = Arc::new(Int64Array::from(vec![1]));
        RecordBatch::try_from_iter([("n", column)]).unwrap()
    }

    #[tokio::test]
    async fn rows_whose_task_is_gone_end_with_an_error() {
        let (give, take) = mpsc::channel::<Given>(AHEAD);
        let task = tokio::spawn(async move {
            give.send(Ok(Some(batch()))).await.unwrap();
            panic!("a fault");
        });
        let sent = encoded(batch().schema(), until_told(take));
        let sent: Vec<Result<FlightData, Status>> = sent.collect().await;
        assert!(task.await.is_err());
        let (last, before) = sent.split_last().unwrap();
        assert!(before.iter().all(Result::is_ok));
        assert_eq!(last.as_ref().unwrap_err().code(), Code::Internal);
    }

    #[tokio::test]
    async fn rows_that_are_all_there_end_without_one() {
        let (give, take) = mpsc::channel::<Given>(AHEAD);
        give.send(Ok(Some(batch()))).await.unwrap();
        give.send(Ok(None)).await.unwrap();
        drop(give);
        let sent = encoded(batch().schema(), until_told(take));
        let sent: Vec<Result<FlightData, Status>> = sent.collect().await;
        assert!(sent.iter().all(Result::is_ok));
    }
}
