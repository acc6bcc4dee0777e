//! The listing of a parent: made once in a statement, in a task of its own, and read by all who need it from its first
//! row on, so that children start as each parent arrives. It ends with the statement. Listings that are narrowed in different ways
//! share the calls that they have in common.

use std::sync::{Arc, Mutex};

use arrow::array::{Array, AsArray, StringArray};
use arrow::datatypes::{DataType, Field, Schema};
use futures::stream::{self, BoxStream, StreamExt};
use restable_spec::{Kind, Method, Resource};
use tokio::sync::watch;

use crate::calls::{self, Part};
use crate::once::{self, wants::Class};
use crate::ramp;
use crate::statement::{Statement, lock};
use crate::walk::{self, Asked, AskedOfParent, Reader, WalkCall, listing_name};
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
    /// So many rows somebody wants.
    demand: watch::Sender<usize>,
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
        asked: AskedOfParent,
    ) -> Result<Arc<Listing>> {
        let key = listing_name(resource, &asked);
        let (shared, listed) = (Arc::clone(statement), Arc::clone(resource));
        Listing::shared(statement, key, move || {
            // In the task of the listing: it may list parents of its own, and the map of listings is locked before.
            read_scopes(shared, listed, asked)
        })
    }

    /// The listing of that key, which is made of `source` if there is none.
    fn shared(
        statement: &Arc<Statement>,
        key: String,
        source: impl FnOnce() -> BoxStream<'static, Result<Vec<Row>>> + Send + 'static,
    ) -> Result<Arc<Listing>> {
        let mut listings = lock(&statement.listings);
        let Some(listings) = listings.as_mut() else {
            return Err(Error::internal("the statement has ended"));
        };
        if let Some(listing) = listings.get(&key) {
            return Ok(Arc::clone(listing));
        }
        let rows = Arc::new(Mutex::new(Rows::default()));
        let (arrival, arrived) = watch::channel(0);
        // Where few rows may be enough none is read before somebody asks for it.
        let (demand, mut demanded) = watch::channel(0_usize);
        let sampling = statement.is_sample();
        let shared = Arc::clone(&rows);
        let task = tokio::spawn(async move {
            let demanded = sampling.then_some(&mut demanded);
            let outcome = fill(source(), &shared, &arrival, demanded).await;
            lock(&shared).end = Some(outcome);
            arrival.send_modify(|count| *count += 1);
        });
        let listing = Arc::new(Listing {
            rows,
            arrived,
            demand,
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
                    listing.demand.send_if_modified(|wanted| {
                        let more = *wanted <= at;
                        *wanted = (*wanted).max(at + 1);
                        more
                    });
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
    mut source: BoxStream<'static, Result<Vec<Row>>>,
    rows: &Mutex<Rows>,
    arrival: &watch::Sender<usize>,
    mut demanded: Option<&mut watch::Receiver<usize>>,
) -> Result<()> {
    loop {
        if let Some(demanded) = &mut demanded {
            let found = lock(rows).found.len();
            // Without a listing nobody wants anything any more.
            if demanded.wait_for(|wanted| *wanted > found).await.is_err() {
                return Ok(());
            }
        }
        let Some(found) = source.next().await else {
            return Ok(());
        };
        lock(rows).found.extend(found?);
        arrival.send_modify(|count| *count += 1);
    }
}

/// The scopes of a parent: its parameters or fields by the names in `wanted`. Each of its calls is a listing of its own.
fn read_scopes(
    statement: Arc<Statement>,
    resource: Arc<Resource>,
    asked: AskedOfParent,
) -> BoxStream<'static, Result<Vec<Row>>> {
    let AskedOfParent {
        bindings,
        prunes,
        wanted,
    } = asked;
    let calls = walk::calls(
        Arc::clone(&statement),
        Arc::clone(&resource),
        bindings,
        prunes,
    );
    let (method, calls) = match calls {
        Ok(found) => found,
        Err(problem) => return stream::once(futures::future::ready(Err(problem))).boxed(),
    };
    let concurrency = statement.concurrency.max(1);
    let whole = Arc::clone(&statement);
    let read = move |call: Result<WalkCall>| {
        let rows = call.and_then(|call| {
            let name = resource.full_name();
            let key = format!("{name} {wanted:?} {}", once::name(&call.call));
            let (statement, resource) = (Arc::clone(&statement), Arc::clone(&resource));
            let (method, wanted) = (Arc::clone(&method), wanted.clone());
            let listed = Arc::clone(&statement);
            Listing::shared(&listed, key, move || {
                read_call(statement, resource, method, call, wanted)
            })
        });
        match rows {
            Err(problem) => stream::once(futures::future::ready(Err(problem))).boxed(),
            Ok(listing) => listing.scopes(),
        }
    };
    let sampling = whole.is_sample();
    // What another listing of the statement asks for as well is one call.
    let announced = Arc::clone(&whole);
    let is_new = move |call: &WalkCall| announced.announce(&call.call);
    let calls = calls::counted(&whole, calls, is_new).map(read).boxed();
    let rows = match sampling {
        true => ramp::doubling(calls, concurrency),
        false => ramp::hungry(calls, concurrency),
    };
    rows.map(|row| Ok(vec![row?])).boxed()
}

/// The rows of one call as texts, without those that have nothing below them.
fn read_call(
    statement: Arc<Statement>,
    resource: Arc<Resource>,
    method: Arc<Method>,
    call: WalkCall,
    wanted: Vec<String>,
) -> BoxStream<'static, Result<Vec<Row>>> {
    let part = Part::of_scopes(&statement, &resource);
    let mut names: Vec<String> = wanted.clone();
    let skip = resource.childless.clone();
    names.extend(skip.iter().map(|childless| childless.field.clone()));
    let columns: Vec<Asked> = names
        .iter()
        .map(|name| Asked {
            name: name.clone(),
            kind: Kind::Text,
            path: None,
        })
        .collect();
    let schema = Arc::new(Schema::new(
        names
            .iter()
            .enumerate()
            .map(|(at, name)| Field::new(format!("{at}.{name}"), DataType::Utf8, true))
            .collect::<Vec<_>>(),
    ));
    let class = Some(Class::of_scopes(&resource, &wanted));
    let reader = Reader::new(statement, resource, method, columns, schema, part, class);
    let batches = reader.read(call);
    let rows = batches.map(move |batch| {
        let batch = batch?;
        let columns: Vec<&StringArray> = batch
            .columns()
            .iter()
            .map(|column| column.as_string::<i32>())
            .collect();
        let has_children = |row: &usize| {
            let Some(childless) = &skip else { return true };
            let state = columns[wanted.len()];
            let childless = |state: &str| {
                let mut values = childless.values.iter();
                values.any(|value| value.eq_ignore_ascii_case(state))
            };
            state.is_null(*row) || !childless(state.value(*row))
        };
        let row = |row: usize| -> Row {
            let columns = columns[..wanted.len()].iter();
            let texts = columns.map(|it| it.is_valid(row).then(|| Arc::from(it.value(row))));
            texts.collect()
        };
        Ok((0..batch.num_rows())
            .filter(has_children)
            .map(row)
            .collect())
    });
    rows.boxed()
}
