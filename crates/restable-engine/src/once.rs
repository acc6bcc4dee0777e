//! No call is made twice in a statement: what several scans want, or a scan and the listing of the scopes above another, is asked for once and
//! read by all of them. Which calls these may be is known from the plan (`wants`); pages wait for the slower readers (`kept`) until nobody can
//! want them any more. What only one reader can want never comes here.

mod call;
mod kept;
pub(crate) mod wants;

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex};

use arrow::array::RecordBatch;
use datafusion::execution::runtime_env::RuntimeEnv;
use futures::stream::{self, BoxStream, StreamExt};
use restable_http::{Error as HttpError, ErrorKind};
use restable_spec::{BoundCall, Method, Resource, RouteError};

use self::call::{Call, Page, Reading};
use self::kept::Store;
use self::wants::{Asked, Class, Sharing, Want, wants_of};
use crate::decode::Decoder;
use crate::prune::Prunes;
use crate::scan::Scan;
use crate::statement::{Statement, lock};
use crate::walk::{Bindings, WalkCall};

pub(crate) use self::call::{Failure, Source};

/// The calls that parts of a statement share.
#[derive(Debug, Default)]
pub(crate) struct Once(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// Plans whose scans are known.
    plans: HashSet<u64>,
    resources: HashSet<String>,
    /// What is read whole.
    lists: Vec<Want>,
    /// What each scan may still ask for.
    scans: HashMap<u64, Vec<Want>>,
    calls: HashMap<String, (Asked, Arc<Call>)>,
    store: Option<Arc<Store>>,
    ended: bool,
}

impl State {
    /// Whether anybody may want a call.
    fn is_wanted(&self, asked: &Asked, is_taken: impl Fn(&Class) -> bool) -> bool {
        let mut wants = self.scans.values().flatten();
        wants.any(|want| want.may_want(asked, &is_taken))
    }

    /// Lets go of the calls that nobody can want any more. To be dropped without the lock: a call that ends may hold others.
    #[must_use]
    fn sweep(&mut self, of: impl Fn(&str, &Asked) -> bool) -> Vec<Arc<Call>> {
        let gone = self.calls.iter().filter(|(name, (asked, call))| {
            of(name, asked) && !call.open(self.is_wanted(asked, |class| call.is_taken_by(class)))
        });
        let gone: Vec<String> = gone.map(|(name, _)| name.clone()).collect();
        let gone = gone.iter().filter_map(|name| self.calls.remove(name));
        gone.map(|(_, call)| call).collect()
    }
}

impl Once {
    /// The scans of a plan begin: from now on they may want calls.
    fn begin(&self, sharing: &Sharing, runtime: &RuntimeEnv) {
        let mut state = lock(&self.0);
        if !state.plans.insert(sharing.number) {
            return;
        }
        state.resources.extend(sharing.resources.iter().cloned());
        // Those of a plan before this one may have been read.
        state.lists.iter_mut().for_each(Want::doubt);
        state.lists.extend(sharing.lists.iter().cloned());
        let scans = sharing.scans.iter();
        let scans = scans.map(|(number, reader)| (*number, reader.wants.clone()));
        state.scans.extend(scans);
        state
            .store
            .get_or_insert_with(|| Arc::new(Store::new(runtime)));
    }

    /// What a scan may ask for from now on.
    fn settle(&self, number: u64, wants: Vec<Want>) {
        let mut state = lock(&self.0);
        state.scans.insert(number, wants);
        let gone = state.sweep(|_, _| true);
        drop(state);
        drop(gone);
    }

    /// The method by which a resource is read: what is in lists that are read anyway is taken from them.
    pub(crate) fn method(
        &self,
        resource: &Resource,
        bindings: &Bindings,
        prunes: &Prunes,
    ) -> Result<Arc<Method>, RouteError> {
        wants::method(&lock(&self.0).lists, resource, bindings, prunes)
    }

    /// Whether calls of a resource may be wanted by more than one.
    pub(crate) fn shares(&self, resource: &Resource) -> bool {
        let state = lock(&self.0);
        !state.resources.is_empty() && state.resources.contains(&resource.full_name())
    }

    /// The reading of a call that others have begun or may want; `None` if nobody else can. `begin` is told if it is begun for this.
    pub(crate) fn read(
        self: &Arc<Self>,
        class: &Class,
        resource: &Resource,
        method: &Method,
        call: &WalkCall,
        begin: impl FnOnce() -> Box<dyn FnOnce() -> Source + Send>,
    ) -> Option<Shared> {
        let mut state = lock(&self.0);
        if state.ended || !state.resources.contains(&resource.full_name()) {
            return None;
        }
        let name = name(&call.call);
        let reading = match state.calls.get(&name) {
            Some((_, call)) => call.read(class.clone())?,
            None => {
                let asked = Asked::new(resource, method, &call.scope);
                if !state.is_wanted(&asked, |other| other == class) {
                    return None;
                }
                let call = Arc::new(Call::new(begin(), Arc::clone(state.store.as_ref()?)));
                let reading = call.read(class.clone())?;
                state.calls.insert(name.clone(), (asked, call));
                reading
            }
        };
        let gone = state.sweep(|other, _| other == name);
        drop(state);
        drop(gone);
        Some(Shared {
            reading,
            name,
            once: Arc::clone(self),
        })
    }

    /// The end of the statement: all calls stop.
    pub(crate) fn end(&self) {
        let mut state = lock(&self.0);
        state.ended = true;
        state.scans.clear();
        let calls = std::mem::take(&mut state.calls);
        drop(state);
        calls.values().for_each(|(_, call)| call.abort());
    }
}

/// What two calls have in common that are one. Names of scopes compare without regard to case.
pub(crate) fn name(call: &BoundCall) -> String {
    let (path, query) = (call.path.to_ascii_lowercase(), &call.query);
    let (http, server, headers, body) = (&call.http, &call.server, &call.headers, &call.body);
    format!("{http:?} {server}{path} {query:?} {headers:?} {body:?}")
}

/// A scan for as long as it may ask for more.
#[derive(Debug)]
pub(crate) struct Place {
    statement: Arc<Statement>,
    sharing: Arc<Sharing>,
    number: u64,
}

impl Place {
    /// The place of a scan among those that share calls.
    pub(crate) fn take(
        statement: &Arc<Statement>,
        sharing: &Arc<Sharing>,
        number: u64,
        runtime: &RuntimeEnv,
    ) -> Place {
        statement.once.begin(sharing, runtime);
        Place {
            statement: Arc::clone(statement),
            sharing: Arc::clone(sharing),
            number,
        }
    }

    pub(crate) fn class(&self) -> Class {
        Class::Scan(self.number)
    }

    /// Nothing narrows the scan any more: this is what it reads.
    pub(crate) fn settle(&self, scan: &Scan, method: &Method) {
        let again = self.reads_again();
        if again {
            return;
        }
        let once = &self.statement.once;
        let lists = lock(&once.0).lists.clone();
        let wants = wants_of(&self.statement.registry, &lists, again, scan, Some(method));
        let reader = self.sharing.scans.get(&self.number);
        if reader.is_some_and(|reader| !reader.limited) {
            lock(&once.0).lists.extend(wants.iter().cloned());
        }
        once.settle(self.number, wants);
    }

    fn reads_again(&self) -> bool {
        let reader = self.sharing.scans.get(&self.number);
        reader.is_none_or(|reader| reader.again)
    }
}

impl Drop for Place {
    /// All that it reads has begun, or nobody takes its rows any more.
    fn drop(&mut self) {
        if !self.reads_again() {
            self.statement.once.settle(self.number, Vec::new());
        }
    }
}

/// The reading of a call that others may read as well.
#[derive(Debug)]
pub(crate) struct Shared {
    reading: Reading,
    name: String,
    once: Arc<Once>,
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.reading.leave();
        let gone = lock(&self.once.0).sweep(|name, _| name == self.name);
        drop(gone);
    }
}

impl Shared {
    /// The call, for who wants to say something of it once.
    pub(crate) fn first_to_tell(&self) -> impl Fn() -> bool + Send + use<> {
        let call = Arc::clone(&self.reading.call);
        move || call.is_first_to_tell()
    }

    /// Its pages, each decoded as this reader wants it.
    pub(crate) fn pages(
        self,
        decoder: Decoder,
    ) -> BoxStream<'static, Result<RecordBatch, Failure>> {
        stream::try_unfold((self, decoder), |(mut shared, decoder)| async move {
            let batch = match shared.reading.next().await? {
                None => return Ok(None),
                Some(Page::Rows(rows)) => rows,
                Some(Page::Body(kept)) => {
                    let body = kept.body().await.map_err(Failure::Own)?;
                    let page = decoder.read(&body).map_err(|wrong| {
                        Failure::Call(HttpError::of(ErrorKind::Body, wrong.message))
                    })?;
                    page.rows
                }
            };
            Ok(Some((batch, (shared, decoder))))
        })
        .boxed()
    }
}
