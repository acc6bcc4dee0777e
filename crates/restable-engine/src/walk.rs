//! The walk: from what a statement binds to the calls that answer it. Where parameters are not bound, the parents are
//! listed (subscriptions, then vaults, then instances), and the children of each start as it arrives. A table is always
//! the whole relation; bindings only narrow it.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use arrow::array::RecordBatch;
use arrow::datatypes::Schema;
use bytes::Bytes;
use futures::FutureExt as _;
use futures::stream::{self, BoxStream, StreamExt};
use restable_http::PageRead;
use restable_spec::names::{fold, same};
use restable_spec::{Arguments, BoundCall, Kind, Location, Method, Parent, Resource};

use crate::ahead;
use crate::cache;
use crate::calls::{self, Listed, Part};
use crate::combinations::{Allowed, agrees, combinations, open_names};
use crate::decode::{Column, Decoder, Demands, Source};
use crate::identity::Identity;
use crate::json::JsonPath;
use crate::listing::Listing;
use crate::once::wants::Class;
use crate::once::{Failure, Place};
use crate::prune::Prunes;
use crate::ramp;
use crate::scan::Scan;
use crate::statement::{Missing, Statement};
use crate::{Error, Result};

/// The values that parameters are bound to, by folded name. An empty list is a contradiction: no row, no call.
pub type Bindings = BTreeMap<String, Vec<Arc<str>>>;

/// The values of one scope, by folded name of the parameter.
pub type Scope = BTreeMap<String, Arc<str>>;

/// One call of a walk.
#[derive(Debug, Clone)]
pub struct WalkCall {
    /// The call to make.
    pub call: BoundCall,
    /// What its parameters are bound to, by folded name.
    pub scope: Scope,
    /// Whether the statement itself named every parameter.
    pub named: bool,
}

/// The method and the calls that read `resource` under `bindings`, in the order in which they become known.
pub fn calls(
    statement: Arc<Statement>,
    resource: Arc<Resource>,
    bindings: Bindings,
    prunes: Prunes,
) -> Result<(Arc<Method>, BoxStream<'static, Result<WalkCall>>)> {
    let method = statement
        .once
        .method(&resource, &bindings, &prunes)
        .map_err(Error::route)?;
    if bindings.values().any(Vec::is_empty) {
        return Ok((method, stream::empty().boxed()));
    }
    note_outside(&statement, &resource, &bindings);
    // What the call itself takes; other bindings select among rows, they make no calls of their own.
    let taken: HashSet<String> = inputs(&resource, &method).collect();
    let constants: Bindings = bindings
        .iter()
        .filter(|(name, _)| taken.contains(*name))
        .map(|(name, values)| (name.clone(), values.clone()))
        .collect();
    let open = open_names(&statement.registry, &resource, &method, &bindings, &prunes);
    let scopes: BoxStream<'static, Result<(Scope, bool)>> = if open.is_empty() {
        let confined = confine(&statement.subscriptions, &resource, &constants);
        // Names that are given are not in the spelling that rows have: only what sees no difference can be asked of them.
        let named = !prunes.are_found();
        let blind = prunes.blind();
        let scopes = combinations(&confined, &prunes, Scope::new());
        let asked = blind.clone();
        let scopes = scopes.filter(move |scope| asked.allow(scope));
        let seen = match prunes.doubts_subscription() {
            true => seen_subscriptions(&statement, &resource)?,
            false => None,
        };
        match seen {
            None => stream::iter(scopes.map(move |scope| Ok((scope, named)))).boxed(),
            Some(seen) => stream::once(seen)
                .flat_map(move |seen| match seen {
                    Err(problem) => stream::once(futures::future::ready(Err(problem))).boxed(),
                    Ok(seen) => {
                        let scopes: Vec<Scope> = combinations(&confined, &prunes, Scope::new())
                            .filter(|scope| agrees(scope, &seen) && blind.allow(scope))
                            .collect();
                        stream::iter(scopes.into_iter().map(|scope| Ok((scope, false)))).boxed()
                    }
                })
                .boxed(),
        }
    } else {
        let Some(parent) = resource.parent.clone() else {
            return Err(Error::internal(format!(
                "`{}` was routed without a parent for {open:?}",
                resource.name
            )));
        };
        let own = Allowed::new(&bindings);
        let mut seen: HashSet<Vec<String>> = HashSet::new();
        let above = prunes.clone();
        let blind = prunes.blind();
        parents(&statement, &parent, &bindings, &above, &open)?
            .flat_map(move |scope| {
                let found: Vec<Result<(Scope, bool)>> = match scope {
                    Err(problem) => vec![Err(problem)],
                    Ok(scope) if !agrees(&scope, &own) || !prunes.allow(&scope) => Vec::new(),
                    Ok(scope) => {
                        let rest: Bindings = constants
                            .iter()
                            .filter(|(name, _)| !scope.contains_key(*name))
                            .map(|(name, values)| (name.clone(), values.clone()))
                            .collect();
                        combinations(&rest, &prunes, scope)
                            .filter(|scope| blind.allow(scope))
                            .filter(|scope| {
                                // Several parents may lead to the same call; it is made once.
                                seen.insert(call_name(scope, &taken))
                            })
                            .map(|scope| Ok((scope, false)))
                            .collect()
                    }
                };
                stream::iter(found)
            })
            .boxed()
    };
    let service = Arc::clone(&statement.registry);
    let target = Arc::clone(&resource);
    let reader = Arc::clone(&method);
    let calls = scopes.map(move |scope| {
        let (scope, named) = scope?;
        let provider = service
            .provider(&target.provider)
            .ok_or_else(|| Error::unknown_provider(&service, &target.provider))?;
        let service = provider
            .service(&target.service)?
            .ok_or_else(|| Error::internal(format!("service `{}` is gone", target.service)))?;
        let call = bind(&target, &reader, &service, &scope)?;
        Ok(WalkCall { call, scope, named })
    });
    Ok((method, calls.boxed()))
}

/// Folded names of what a method takes: its parameters and, if it has a body, the attributes that a SELECT may bind.
pub(crate) fn inputs<'a>(
    resource: &'a Resource,
    method: &'a Method,
) -> impl Iterator<Item = String> + 'a {
    let body = resource
        .parameters
        .iter()
        .filter(|parameter| parameter.location == Location::Body && method.request.is_some());
    method
        .parameters
        .iter()
        .chain(body)
        .map(|parameter| fold(&parameter.name))
}

/// What of a scope a call takes.
pub(crate) fn inputs_of(scope: &Scope, taken: &HashSet<String>) -> Scope {
    let inputs = scope.iter().filter(|(name, _)| taken.contains(*name));
    inputs
        .map(|(name, value)| (name.clone(), Arc::clone(value)))
        .collect()
}

/// What two scopes have in common that lead to the same call.
pub(crate) fn call_name(scope: &Scope, taken: &HashSet<String>) -> Vec<String> {
    scope
        .iter()
        .filter(|(name, _)| taken.contains(*name))
        .map(|(_, value)| value.to_ascii_lowercase())
        .collect()
}

pub(crate) fn bind(
    resource: &Resource,
    method: &Method,
    service: &restable_spec::Service,
    scope: &Scope,
) -> Result<BoundCall> {
    let parameters = inputs(resource, method)
        .filter_map(|name| scope.get(&name).map(|value| (name, value.to_string())));
    Ok(method.bind(
        service,
        &Arguments {
            parameters: parameters.collect(),
            body: None,
        },
    )?)
}

/// Bindings of a resource as the setting `subscriptions` confines them. What is above all walks, the list of subscriptions, is whole in any case: so is a
/// row of it that is asked for by its name.
pub(crate) fn confine(
    subscriptions: &[String],
    resource: &Resource,
    bindings: &Bindings,
) -> Bindings {
    let mut bindings = bindings.clone();
    let is_walked = !matches!(resource.key.as_slice(), [own] if same(own, "subscriptionId"));
    if is_walked
        && !subscriptions.is_empty()
        && let Some(values) = bindings.get_mut("subscriptionid")
    {
        values.retain(|value| {
            subscriptions
                .iter()
                .any(|allowed| allowed.eq_ignore_ascii_case(value))
        });
    }
    bindings
}

/// Says which of the subscriptions that are asked for the setting `subscriptions` leaves out.
fn note_outside(statement: &Statement, resource: &Resource, bindings: &Bindings) {
    let all = bindings.get("subscriptionid");
    let within = confine(&statement.subscriptions, resource, bindings);
    let (Some(all), Some(within)) = (all, within.get("subscriptionid")) else {
        return;
    };
    let outside = all.iter().filter(|value| !within.contains(value));
    for value in outside.take(NAMED_OUTSIDE) {
        statement.note_notice(format!(
            "the setting `subscriptions` confines this statement, and `{value}` is not in it: nothing of it was read"
        ));
    }
}

/// So many of them are named.
const NAMED_OUTSIDE: usize = 3;

type SeenSubscriptions = futures::future::BoxFuture<'static, Result<Allowed>>;

/// The subscriptions that the credential sees and that can have anything below them, if they can be listed for this resource.
fn seen_subscriptions(
    statement: &Arc<Statement>,
    resource: &Arc<Resource>,
) -> Result<Option<SeenSubscriptions>> {
    let mut resource = Arc::clone(resource);
    let (mut own, first) = ("subscriptionid".to_owned(), "subscriptionid".to_owned());
    loop {
        let Some(parent) = resource.parent.clone() else {
            return Ok(None);
        };
        let Some((_, above)) = parent.parameters.iter().find(|(it, _)| fold(it) == own) else {
            return Ok(None);
        };
        let above = fold(above);
        let Some(next) =
            statement
                .registry
                .resource(&parent.provider, &parent.service, &parent.resource)?
        else {
            return Ok(None);
        };
        if next.parent.is_none() {
            let listed = parents(
                statement,
                &parent,
                &Bindings::new(),
                &Prunes::default(),
                &[],
            )?;
            let seen = async move {
                let mut seen = HashSet::new();
                let mut listed = listed;
                while let Some(scope) = listed.next().await {
                    if let Some(value) = scope?.get(&own) {
                        seen.insert(value.to_ascii_lowercase());
                    }
                }
                Ok(Allowed(HashMap::from([(first, seen)])))
            };
            return Ok(Some(seen.boxed()));
        }
        own = above;
        resource = next;
    }
}

/// What the table of a parent is asked for on behalf of a child.
#[derive(Debug)]
pub(crate) struct AskedOfParent {
    pub bindings: Bindings,
    pub prunes: Prunes,
    /// The columns that the child needs.
    pub wanted: Vec<String>,
}

impl AskedOfParent {
    pub(crate) fn new(
        parent: &Parent,
        resource: &Resource,
        bindings: &Bindings,
        prunes: &Prunes,
    ) -> AskedOfParent {
        let mut narrowed = Bindings::new();
        for (child, own) in &parent.parameters {
            if let Some(values) = bindings.get(&fold(child))
                && resource.parameter(own).is_some()
            {
                narrowed.insert(fold(own), values.clone());
            }
        }
        let wanted = parent.parameters.iter().map(|(_, own)| own.clone());
        AskedOfParent {
            bindings: narrowed,
            prunes: prunes.of_parent(parent, resource),
            wanted: wanted.collect(),
        }
    }
}

/// What two listings have in common that are one.
pub(crate) fn listing_name(resource: &Resource, asked: &AskedOfParent) -> String {
    format!("{} {asked:?}", resource.full_name())
}

/// The scopes of a parent, as the child names them.
fn parents(
    statement: &Arc<Statement>,
    parent: &Parent,
    bindings: &Bindings,
    prunes: &Prunes,
    needed: &[String],
) -> Result<BoxStream<'static, Result<Scope>>> {
    let resource = statement
        .registry
        .resource(&parent.provider, &parent.service, &parent.resource)?
        .ok_or_else(|| {
            Error::internal(format!(
                "the parent `{}.{}.{}` is not there",
                parent.provider, parent.service, parent.resource
            ))
        })?;
    let asked = AskedOfParent::new(parent, &resource, bindings, prunes);
    let listing = Listing::of(statement, &resource, asked)?;
    let needed = needed.to_vec();
    let table = resource.full_name();
    let shown: Vec<String> = parent
        .parameters
        .iter()
        .map(|(child, _)| child.clone())
        .collect();
    let children: Vec<String> = parent
        .parameters
        .iter()
        .map(|(child, _)| fold(child))
        .collect();
    let statement = Arc::clone(statement);
    let confined = children.iter().position(|name| name == "subscriptionid");
    Ok(listing
        .scopes()
        .filter_map(move |row| {
            let scope = row.and_then(|row| {
                let own = |at: usize| row.get(at).cloned().flatten();
                let allowed = confined.is_none_or(|at| {
                    let known = &statement.subscriptions;
                    known.is_empty()
                        || own(at)
                            .is_some_and(|own| known.iter().any(|it| it.eq_ignore_ascii_case(&own)))
                });
                if !allowed {
                    return Ok(None);
                }
                let mut scope = Scope::new();
                for (at, name) in children.iter().enumerate() {
                    match own(at) {
                        Some(value) => {
                            // The parent's spelling is the one that the session shows.
                            scope.insert(name.clone(), statement.spellings.of(name, &value));
                        }
                        None if needed.contains(name) => {
                            return unreadable(&statement, &table, &shown[at]);
                        }
                        None => {}
                    }
                }
                Ok(Some(scope))
            });
            futures::future::ready(scope.transpose())
        })
        .boxed())
}

/// A parent whose own id does not say what its children are asked by: they cannot be read, and that is said.
fn unreadable(statement: &Statement, table: &str, name: &str) -> Result<Option<Scope>> {
    let message = format!(
        "a row of `{table}` has no `{name}` in its id, so what is below it cannot be asked for"
    );
    if !statement.partial {
        return Err(Error::Answer(message));
    }
    let missing = Missing {
        scope: table.to_owned(),
        code: "UnreadableId".to_owned(),
        message,
    };
    statement.note_missing(None, "", missing);
    Ok(None)
}

/// A column that a read must deliver: a parameter or a field, by its name in the document, or what stands in a field under a path.
#[derive(Debug, Clone, PartialEq)]
pub struct Asked {
    /// The name in the document.
    pub name: String,
    /// Its type.
    pub kind: Kind,
    /// The path in it.
    pub path: Option<Arc<JsonPath>>,
}

impl fmt::Display for Asked {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.name)?;
        self.path.iter().try_for_each(|path| path.fmt(formatter))
    }
}

/// The rows of a scan, which may have a place among those that share calls.
pub(crate) fn read(
    statement: Arc<Statement>,
    scan: Scan,
    part: Part,
    mut place: Option<Place>,
) -> BoxStream<'static, Result<RecordBatch>> {
    let resource = Arc::clone(&scan.resource);
    let found = calls(
        Arc::clone(&statement),
        Arc::clone(&resource),
        scan.bindings.clone(),
        scan.prunes.clone(),
    );
    let (method, found) = match found {
        Ok(found) => found,
        Err(problem) => return stream::once(futures::future::ready(Err(problem))).boxed(),
    };
    let class = place.as_ref().map(|place| {
        place.settle(&scan, &method);
        place.class()
    });
    let shares = class.is_some() && statement.once.shares(&resource);
    let Scan { asked, schema, .. } = scan;
    let reader = Reader::new(statement, resource, method, asked, schema, part, class);
    // As many lists at once as calls may be under way: the scheduler decides which of them go.
    let concurrency = reader.statement.concurrency.max(1);
    let sampling = reader.statement.is_sample();
    // What another part of the statement asks for as well is one call.
    let announced = Arc::clone(&reader.statement);
    let is_new = move |call: &WalkCall| !shares || announced.announce(&call.call);
    let found = calls::counted(&reader.statement, found, is_new);
    let lists = found
        .map(Some)
        .chain(stream::once(futures::future::ready(None)))
        .filter_map(move |call| {
            let list = match call {
                // All calls have begun: it asks for no others.
                None => {
                    drop(place.take());
                    None
                }
                Some(Err(problem)) => {
                    Some(stream::once(futures::future::ready(Err(problem))).boxed())
                }
                Some(Ok(call)) => Some(reader.read(call)),
            };
            futures::future::ready(list)
        })
        .boxed();
    if sampling {
        ramp::doubling(lists, concurrency)
    } else {
        ramp::hungry(lists, concurrency)
    }
}

/// What reads the calls of a walk.
pub(crate) struct Reader {
    statement: Arc<Statement>,
    resource: Arc<Resource>,
    method: Arc<Method>,
    asked: Vec<Asked>,
    schema: Arc<Schema>,
    identity: Option<Arc<Identity>>,
    demands: Demands,
    part: Part,
    /// With whom it reads a call once, if it may share calls.
    class: Option<Class>,
    /// The pages of all its calls that nobody has taken yet.
    waiting: Arc<ahead::Waiting>,
}

impl Reader {
    pub(crate) fn new(
        statement: Arc<Statement>,
        resource: Arc<Resource>,
        method: Arc<Method>,
        asked: Vec<Asked>,
        schema: Arc<Schema>,
        part: Part,
        class: Option<Class>,
    ) -> Reader {
        let service = statement.registry.provider(&resource.provider);
        let service = service.and_then(|it| it.service(&resource.service).ok().flatten());
        let schemas = service.as_ref().map(|service| &*service.schemas);
        Reader {
            identity: identity(&resource, &statement).map(Arc::new),
            demands: Demands::of_method(&resource, &method, schemas),
            statement,
            resource,
            method,
            asked,
            schema,
            part,
            class,
            waiting: Arc::default(),
        }
    }

    /// The rows of one call, which begins.
    pub(crate) fn read(&self, call: WalkCall) -> BoxStream<'static, Result<RecordBatch>> {
        let columns = columns(
            &self.resource,
            &self.asked,
            self.identity.as_deref(),
            &self.statement,
            &call.scope,
        );
        let demands = self.demands.at(&self.method, &call.scope, &call.call.path);
        let decoder = Decoder::demanding(
            Arc::clone(&self.schema),
            columns,
            &self.method.response,
            self.identity.clone(),
            demands,
        );
        let (statement, resource) = (Arc::clone(&self.statement), Arc::clone(&self.resource));
        let listed = Listed::new(
            &resource,
            &self.method,
            &call.scope,
            &self.asked,
            &self.part,
        );
        let (method, class) = (&self.method, self.class.as_ref());
        let pages = pages(statement, resource, method, class, call, decoder, listed);
        if self.statement.reads_ahead() {
            ahead::read(pages, Arc::clone(&self.waiting))
        } else {
            pages
        }
    }
}

/// The form of the resource's own ids: the path of the method that reads one.
fn identity(resource: &Resource, statement: &Statement) -> Option<Identity> {
    Identity::new(
        &resource.one_row_reader()?.path.to_string(),
        Arc::clone(&statement.spellings),
    )
}

fn columns(
    resource: &Resource,
    asked: &[Asked],
    identity: Option<&Identity>,
    statement: &Statement,
    scope: &Scope,
) -> Vec<Column> {
    asked
        .iter()
        .map(|asked| {
            let source = match resource.field(&asked.name) {
                Some(field) => match &asked.path {
                    None => Source::Field(field.name.clone()),
                    Some(path) => Source::Path(field.name.clone(), Arc::clone(path)),
                },
                None => {
                    let of_call = scope.get(&fold(&asked.name)).map(|value| {
                        match resource.parameter(&asked.name) {
                            Some(parameter) if parameter.location == Location::Path => statement
                                .spellings
                                .known(&asked.name, value)
                                .unwrap_or_else(|| Arc::clone(value)),
                            _ => Arc::clone(value),
                        }
                    });
                    let default = || {
                        resource
                            .parameter(&asked.name)
                            .and_then(|parameter| parameter.default.as_deref().map(Arc::from))
                    };
                    match identity.and_then(|identity| identity.position(&asked.name)) {
                        Some(position) => Source::Identity(position, of_call),
                        None => Source::Constant(of_call.or_else(default)),
                    }
                }
            };
            Column {
                source,
                kind: asked.kind,
            }
        })
        .collect()
}

/// The pages of one call. What the service says is not there has no rows; any other failure is an error, or a missing
/// scope where the user allows partial results.
fn pages(
    statement: Arc<Statement>,
    resource: Arc<Resource>,
    method: &Method,
    class: Option<&Class>,
    call: WalkCall,
    decoder: Decoder,
    mut listed: Listed,
) -> BoxStream<'static, Result<RecordBatch>> {
    let Some(client) = statement.clients.get(&resource.provider) else {
        let problem = Error::no_client(&resource.provider);
        return stream::once(futures::future::ready(Err(problem))).boxed();
    };
    let parent = resource.parent.clone();
    let not_found = not_found_codes(&statement, &resource);
    let path = call.call.scope.clone();
    // What has nothing above it is there; a service that says otherwise has not answered.
    let may_be_absent = method.path.parameters().next().is_some();
    let is_root = call.scope.keys().all(|name| name != "subscriptionid");
    let shared = class.and_then(|class| {
        statement.once.read(class, &resource, method, &call, || {
            calls::begin(&statement);
            let (statement, resource) = (Arc::clone(&statement), Arc::clone(&resource));
            let (client, decoder) = (client.clone(), decoder.clone());
            let (call, context) = (call.call.clone(), listed.context(&statement));
            Box::new(move || {
                let peek = peek(&statement, &decoder);
                let read = move |body: &Bytes| {
                    let PageRead {
                        rows,
                        row_count,
                        next,
                    } = decoder.read(body)?;
                    let rows = (body.clone(), rows);
                    Ok(PageRead {
                        rows,
                        row_count,
                        next,
                    })
                };
                let provider = &resource.provider;
                cache::pages(&statement, provider, &client, call, context, peek, read)
            })
        })
    });
    let mut is_first_to_tell = None;
    let pages = match shared {
        Some(shared) => {
            is_first_to_tell = Some(shared.first_to_tell());
            shared.pages(decoder)
        }
        None => {
            calls::begin(&statement);
            let peek = peek(&statement, &decoder);
            let (provider, context) = (&resource.provider, listed.context(&statement));
            let read = move |body: &Bytes| decoder.read(body);
            cache::pages(&statement, provider, client, call.call, context, peek, read)
                .map(|page| page.map_err(Failure::Call))
                .boxed()
        }
    };
    let (mut failed, mut begun) = (false, false);
    pages
        .map(Some)
        .chain(stream::once(futures::future::ready(None)))
        .map(move |page| match page {
            None => {
                if is_root && listed.is_empty() {
                    statement.note_notice(format!(
                        "this credential sees no row of `{}`, so there was nothing to read below it: is it for the right tenant, and has it a role there?",
                        resource.full_name()
                    ));
                }
                listed.end(&statement);
                None
            }
            Some(Ok(batch)) => {
                begun = true;
                listed.page(&batch);
                note(&statement, parent.as_ref(), &call.scope);
                Some(Ok(batch))
            }
            // Behind a page that came there is more of the list: its absence is a failure, not an empty answer.
            Some(Err(Failure::Call(problem)))
                if may_be_absent && !begun && problem.is_not_found(&not_found) =>
            {
                listed.absent();
                if is_first_to_tell
                    .as_ref()
                    .is_some_and(|is_first| !is_first())
                {
                    return None;
                }
                let notice = call.named.then(|| {
                    format!(
                        "`{path}` does not exist ({})",
                        problem.code.as_deref().unwrap_or("404")
                    )
                });
                statement.note_absent(notice);
                None
            }
            Some(Err(Failure::Call(problem)))
                if statement.partial && !is_root && leaves_the_rest(&problem) =>
            {
                listed.broken();
                if !failed {
                    failed = true;
                    let missing = Missing::of_call(&path, &problem);
                    let read = parent
                        .as_ref()
                        .map(|parent| read_scope(parent, &call.scope));
                    let noun = parent.as_ref().map(|parent| parent.resource.as_str());
                    statement.note_missing(noun, &read.unwrap_or_default(), missing);
                }
                None
            }
            Some(Err(Failure::Own(problem))) => {
                listed.broken();
                Some(Err(problem))
            }
            Some(Err(Failure::Call(problem))) => {
                listed.broken();
                Some(Err(match problem.kind {
                    restable_http::ErrorKind::Allowance => statement.over(),
                    _ => {
                        let mut advice = advice(&statement, &resource, &problem);
                        // Who cannot get the role may still have the rest.
                        if problem.status == Some(403) && !is_root && !call.named {
                            let rest = "`--partial` (`SET partial_results = on`) reads the rest and names what is missing";
                            let known = advice.or_else(|| problem.hint());
                            advice = Some(match known {
                                Some(known) => format!("{known}; {rest}"),
                                None => rest.to_owned(),
                            });
                        }
                        Error::Http {
                            advice,
                            problem: Arc::new(problem),
                        }
                    }
                }))
            }
        })
        .filter_map(futures::future::ready)
        .boxed()
}

/// Finds the link to the next page ahead of time, where that is of use.
fn peek(
    statement: &Arc<Statement>,
    decoder: &Decoder,
) -> impl FnMut(&Bytes) -> Option<String> + Send + use<> {
    let (peeking, lists) = (decoder.clone(), OpenList::of(statement));
    move |body: &Bytes| {
        let few = lists.as_ref().is_some_and(OpenList::is_one_of_few);
        few.then(|| peeking.next_link(body)).flatten()
    }
}

/// So many lists at once keep every core busy: a page of each at a time is enough.
const FEW_LISTS: usize = 4;

/// A list whose pages may be read ahead. It counts as long as it lives.
struct OpenList(Arc<Statement>);

impl OpenList {
    fn of(statement: &Arc<Statement>) -> Option<OpenList> {
        statement.reads_ahead().then(|| {
            statement.open_lists.fetch_add(1, Ordering::Relaxed);
            OpenList(Arc::clone(statement))
        })
    }

    fn is_one_of_few(&self) -> bool {
        self.0.open_lists.load(Ordering::Relaxed) <= FEW_LISTS
    }
}

impl Drop for OpenList {
    fn drop(&mut self) {
        self.0.open_lists.fetch_sub(1, Ordering::Relaxed);
    }
}

/// What the document advises on an error of its service.
fn advice(
    statement: &Statement,
    resource: &Resource,
    problem: &restable_http::Error,
) -> Option<String> {
    let service = statement
        .registry
        .provider(&resource.provider)?
        .service(&resource.service)
        .ok()??;
    let code = problem.code.as_deref().unwrap_or_default();
    let hint = service
        .error_hints
        .iter()
        .find(|hint| hint.fits(code, &problem.message))?;
    Some(hint.hint.clone())
}

/// Whether the other scopes can still be read after this failure of one.
fn leaves_the_rest(problem: &restable_http::Error) -> bool {
    use restable_http::ErrorKind;
    match problem.kind {
        ErrorKind::Credential | ErrorKind::Config | ErrorKind::Allowance => false,
        // Given up in time.
        ErrorKind::Deadline => problem.time_left.is_some_and(|left| !left.is_zero()),
        ErrorKind::Connect
        | ErrorKind::Tls
        | ErrorKind::Timeout
        | ErrorKind::Refused
        | ErrorKind::Status
        | ErrorKind::Throttled
        | ErrorKind::Body
        | ErrorKind::Paging
        | ErrorKind::TooLarge => true,
    }
}

fn not_found_codes(statement: &Statement, resource: &Resource) -> Vec<String> {
    let provider = statement.registry.provider(&resource.provider);
    let service = provider.and_then(|provider| provider.service(&resource.service).ok().flatten());
    service
        .map(|service| service.not_found_codes.clone())
        .unwrap_or_default()
}

/// What the coverage line counts a call under: the parent's values, and no other parameter of the call.
fn read_scope(parent: &Parent, scope: &Scope) -> String {
    let own = parent
        .parameters
        .iter()
        .filter_map(|(child, _)| scope.get(&fold(child)));
    own.map(|value| value.to_ascii_lowercase())
        .collect::<Vec<_>>()
        .join("/")
}

fn note(statement: &Statement, parent: Option<&Parent>, scope: &Scope) {
    let Some(parent) = parent else { return };
    if let Some(subscription) = scope.get("subscriptionid") {
        statement.note_read("subscriptions", subscription.to_ascii_lowercase());
    }
    if !same(&parent.resource, "subscriptions") {
        statement.note_read(&parent.resource, read_scope(parent, scope));
    }
}
