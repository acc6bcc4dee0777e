//! The calls of a statement: how many it may make, what each part of it made, and what each list held. A part is a scan, or the listing of
//! the scopes of a table.

use std::collections::{HashSet, VecDeque};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use arrow::array::{Array, AsArray, RecordBatch};
use futures::stream::{BoxStream, Stream, StreamExt};
use restable_http::{CallContext, Meter};
use restable_spec::names::fold;
use restable_spec::{Items, Location, Method, Resource};

use crate::Result;
use crate::memory::{Named, Seen, list_name};
use crate::statement::Statement;
use crate::walk::{self, Asked, Scope, WalkCall};

/// The name of the part that lists the scopes that a table gives.
pub(crate) fn scopes_of(resource: &Resource) -> String {
    format!("scopes of {}", resource.full_name())
}

/// A part of a statement, with what its calls are counted by.
#[derive(Debug, Clone)]
pub struct Part {
    meter: Arc<Meter>,
    /// Whether the rows are names that others are enumerated by.
    names: bool,
}

impl Part {
    /// The part of a scan, by its name.
    pub(crate) fn of_scan(statement: &Statement, name: &str) -> Part {
        Part {
            meter: statement.part(name),
            names: false,
        }
    }

    /// The part of the listings of scopes that a table gives.
    pub(crate) fn of_scopes(statement: &Statement, resource: &Resource) -> Part {
        Part {
            meter: statement.part(&scopes_of(resource)),
            names: true,
        }
    }
}

/// What one list of a walk holds, as its pages come.
#[derive(Debug)]
pub(crate) struct Listed {
    meter: Arc<Meter>,
    provider: String,
    /// `None`: it is no list, or it broke off.
    list: Option<String>,
    scope: Scope,
    pages: u64,
    rows: u64,
    named: Option<Named>,
}

impl Listed {
    pub(crate) fn new(
        resource: &Resource,
        method: &Method,
        scope: &Scope,
        asked: &[Asked],
        part: &Part,
    ) -> Listed {
        let taken: HashSet<String> = walk::inputs(resource, method).collect();
        // A list that a filter made shorter says nothing of any other.
        let whole = |name: &String| {
            let parameter = method
                .parameters
                .iter()
                .find(|one| fold(&one.name) == *name);
            parameter.is_some_and(|parameter| parameter.location == Location::Path)
        };
        let scope_of_call = walk::inputs_of(scope, &taken);
        let is_list = method.response.items != Items::One && scope_of_call.keys().all(whole);
        Listed {
            meter: Arc::clone(&part.meter),
            provider: resource.provider.clone(),
            list: is_list.then(|| list_name(&resource.service, &resource.name, &method.key)),
            scope: scope_of_call,
            pages: 0,
            rows: 0,
            named: part.names.then(|| Named {
                columns: asked.iter().map(|asked| fold(&asked.name)).collect(),
                rows: Vec::new(),
            }),
        }
    }

    pub(crate) fn context(&self, statement: &Statement) -> CallContext {
        CallContext {
            meter: Arc::clone(&self.meter),
            ..statement.context()
        }
    }

    /// A page came.
    pub(crate) fn page(&mut self, batch: &RecordBatch) {
        self.pages += 1;
        self.rows += batch.num_rows() as u64;
        let Some(named) = &mut self.named else { return };
        let columns: Vec<_> = batch
            .columns()
            .iter()
            .map(|column| column.as_string_opt::<i32>())
            .collect();
        let rows = (0..batch.num_rows()).map(|row| {
            let cell = |column: &Option<&arrow::array::StringArray>| {
                let column = (*column)?;
                column.is_valid(row).then(|| column.value(row).to_owned())
            };
            columns.iter().map(cell).collect()
        });
        named.rows.extend(rows);
    }

    /// Whether it is a list of names, read to its end, that holds none.
    pub(crate) fn is_empty(&self) -> bool {
        self.named.is_some() && self.list.is_some() && self.rows == 0
    }

    /// The service says that there is no such list.
    pub(crate) fn absent(&mut self) {
        self.pages = 1;
    }

    /// The list could not be read to its end.
    pub(crate) fn broken(&mut self) {
        self.list = None;
    }

    /// The end: what is sure now is remembered.
    pub(crate) fn end(&mut self, statement: &Statement) {
        if let Some(list) = self.list.take() {
            let seen = Seen::now(&self.scope, self.pages, self.rows, self.named.take());
            statement.note_seen(&self.provider, list, seen);
        }
    }
}

/// One of the calls that were known begins.
pub(crate) fn begin(statement: &Statement) {
    statement.known_calls(-1);
}

/// The calls of a walk, each counted as soon as it is known: where more are known than may be made the statement ends, before it makes them.
pub(crate) fn counted(
    statement: &Arc<Statement>,
    calls: BoxStream<'static, Result<WalkCall>>,
    is_new: impl Fn(&WalkCall) -> bool + Send + 'static,
) -> BoxStream<'static, Result<WalkCall>> {
    if statement.allowance.most().is_none()
        || statement.is_sample()
        || statement.cache_ttl().is_some()
    {
        let statement = Arc::clone(statement);
        return calls
            .inspect(move |call| {
                if call.as_ref().is_ok_and(&is_new) {
                    statement.known_calls(1);
                }
            })
            .boxed();
    }
    Counted {
        statement: Arc::clone(statement),
        calls: Some(calls),
        known: VecDeque::new(),
        is_new: Box::new(is_new),
    }
    .boxed()
}

struct Counted {
    statement: Arc<Statement>,
    /// `None` when they have ended.
    calls: Option<BoxStream<'static, Result<WalkCall>>>,
    known: VecDeque<Result<WalkCall>>,
    /// Whether a call is counted: it is not known already.
    is_new: Box<dyn Fn(&WalkCall) -> bool + Send>,
}

impl Stream for Counted {
    type Item = Result<WalkCall>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        // All that are known by now, also those that cannot begin yet.
        while let Some(calls) = &mut this.calls {
            match calls.poll_next_unpin(context) {
                Poll::Ready(Some(call)) => {
                    let counts = call.as_ref().is_ok_and(&this.is_new);
                    if counts && !this.statement.may_make(this.statement.known_calls(1)) {
                        this.calls = None;
                        this.known.clear();
                        this.known.push_back(Err(this.statement.over()));
                    } else {
                        this.known.push_back(call);
                    }
                }
                Poll::Ready(None) => this.calls = None,
                Poll::Pending => break,
            }
        }
        match this.known.pop_front() {
            Some(call) => Poll::Ready(Some(call)),
            None if this.calls.is_none() => Poll::Ready(None),
            None => Poll::Pending,
        }
    }
}
