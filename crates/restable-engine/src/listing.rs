//! The listing of a parent: made once in a statement, in a task of its own, and read by all who need it from its first
//! row on, so that children start as each parent arrives. It ends with the statement.

use std::pin::Pin;
use std::sync::{Arc, Mutex};

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{DataType, Field, Schema};
use futures::stream::{self, BoxStream, StreamExt};
use restable_spec::{Kind, Resource};
use tokio::sync::watch;

use crate::prune::Prunes;
use crate::statement::{Statement, lock};
use crate::walk::{Asked, Bindings, read};
use crate::{Error, Result};

pub(crate) type Row = Arc<[Option<Arc<str>>]>;

/// The rows so far, and how the listing ended.
#[derive(Debug, Default)]
struct Rows {
    found: Vec<Row>,
    end: Option<Result<()>>,
}

/// The listing of a parent, made once in a statement and read by all who need it, from its first row on.
#[derive(Debug)]
pub struct Listing {
    rows: Arc<Mutex<Rows>>,
    arrived: watch::Receiver<usize>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Listing {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Listing {
    pub(crate) fn of(
        statement: &Arc<Statement>,
        resource: &Arc<Resource>,
        bindings: Bindings,
        prunes: Prunes,
        wanted: Vec<String>,
    ) -> Result<Arc<Listing>> {
        let key = format!(
            "{}.{}.{} {wanted:?} {bindings:?} {prunes:?}",
            resource.provider, resource.service, resource.name
        );
        let mut listings = lock(&statement.listings);
        let Some(listings) = listings.as_mut() else {
            return Err(Error::internal("the statement has ended"));
        };
        if let Some(listing) = listings.get(&key) {
            return Ok(Arc::clone(listing));
        }
        let rows = Arc::new(Mutex::new(Rows::default()));
        let (arrival, arrived) = watch::channel(0);
        let shared = Arc::clone(&rows);
        let (statement, resource) = (Arc::clone(statement), Arc::clone(resource));
        let task = tokio::spawn(async move {
            // Made in the task: it may list parents of its own, and the map of listings is locked here.
            let source = read_texts(statement, resource, bindings, prunes, wanted);
            let outcome = fill(source, &shared, &arrival).await;
            lock(&shared).end = Some(outcome);
            arrival.send_modify(|count| *count += 1);
        });
        let listing = Arc::new(Listing {
            rows,
            arrived,
            task,
        });
        listings.insert(key, Arc::clone(&listing));
        Ok(listing)
    }

    pub(crate) fn scopes(self: &Arc<Self>) -> BoxStream<'static, Result<Row>> {
        let listing = Arc::clone(self);
        let arrived = self.arrived.clone();
        stream::unfold(
            (listing, arrived, 0_usize),
            |(listing, mut arrived, at)| async move {
                if at == usize::MAX {
                    return None;
                }
                loop {
                    arrived.borrow_and_update();
                    {
                        let rows = lock(&listing.rows);
                        if let Some(row) = rows.found.get(at) {
                            let row = Arc::clone(row);
                            drop(rows);
                            return Some((Ok(row), (listing, arrived, at + 1)));
                        }
                        match &rows.end {
                            Some(Ok(())) => return None,
                            Some(Err(problem)) => {
                                let problem = problem.clone();
                                drop(rows);
                                return Some((Err(problem), (listing, arrived, usize::MAX)));
                            }
                            None => {}
                        }
                    }
                    if arrived.changed().await.is_err() {
                        let problem = Error::internal("the listing of a parent broke off");
                        return Some((Err(problem), (listing, arrived, usize::MAX)));
                    }
                }
            },
        )
        .boxed()
    }
}

async fn fill(
    source: Pin<Box<dyn futures::Stream<Item = Result<RecordBatch>> + Send>>,
    rows: &Mutex<Rows>,
    arrival: &watch::Sender<usize>,
) -> Result<()> {
    let mut source = source;
    while let Some(batch) = source.next().await {
        let batch = batch?;
        let columns: Vec<_> = batch
            .columns()
            .iter()
            .map(|column| column.as_string::<i32>())
            .collect();
        let found = (0..batch.num_rows()).map(|row| {
            columns
                .iter()
                .map(|column| column.is_valid(row).then(|| Arc::from(column.value(row))))
                .collect()
        });
        lock(rows).found.extend(found);
        arrival.send_modify(|count| *count += 1);
    }
    Ok(())
}

/// The rows of a parent as text columns: its parameters or fields by the names in `wanted`.
fn read_texts(
    statement: Arc<Statement>,
    resource: Arc<Resource>,
    bindings: Bindings,
    prunes: Prunes,
    wanted: Vec<String>,
) -> BoxStream<'static, Result<RecordBatch>> {
    let mut names: Vec<String> = wanted.clone();
    let skip = resource.childless.clone();
    names.extend(skip.iter().map(|childless| childless.field.clone()));
    let columns: Vec<Asked> = names
        .iter()
        .map(|name| Asked {
            name: name.clone(),
            kind: Kind::Text,
        })
        .collect();
    let schema = Arc::new(Schema::new(
        names
            .iter()
            .enumerate()
            .map(|(at, name)| Field::new(format!("{at}.{name}"), DataType::Utf8, true))
            .collect::<Vec<_>>(),
    ));
    let batches = read(
        statement,
        resource,
        bindings,
        prunes,
        columns,
        Arc::clone(&schema),
    );
    batches
        .map(move |batch| {
            let batch = batch?;
            let Some(childless) = &skip else {
                return Ok(batch);
            };
            let state = batch.column(wanted.len()).as_string::<i32>();
            let keep: arrow::array::BooleanArray = state
                .iter()
                .map(|state| {
                    Some(state.is_none_or(|state| {
                        !childless
                            .values
                            .iter()
                            .any(|value| value.eq_ignore_ascii_case(state))
                    }))
                })
                .collect();
            Ok(arrow::compute::filter_record_batch(&batch, &keep)?)
        })
        .boxed()
}
