//! The forecast: which calls a plan will make, as far as the memory of walks tells. It goes the way of a walk over what lists held when they
//! were last read, and sends nothing. A number of calls is a pair of bounds; where they differ it is said why. What was never read is a
//! symbol.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use restable_http::{Allotment, Client};
use restable_spec::names::fold;
use restable_spec::{Items, Location, Method, Parent, Registry, Resource};

use crate::combinations::{self, Allowed, agrees};
use crate::identity::Spellings;
use crate::memory::{Lists, Memory, Seen, Spelled, list_name};
use crate::once::wants::{self, Want};
use crate::prune::{Prunes, Verdict};
use crate::scan::Scan;
use crate::walk::{self, Bindings, Scope};
use crate::{Error, Result};

/// So many scopes are gone through one by one; of more only the number is known.
const SCOPES: usize = 200_000;
/// Why bounds differ where a condition sees a difference in case.
const SPELLING: &str = "the spelling of names";

/// How many: at least, and at most as far as that is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Count {
    /// At least so many.
    pub least: u64,
    /// At most so many; `None`: not known.
    pub most: Option<u64>,
}

impl Count {
    /// None at all.
    pub const NONE: Count = Count::exact(0);

    /// So many.
    pub const fn exact(count: u64) -> Count {
        Count {
            least: count,
            most: Some(count),
        }
    }

    /// From `least` to `most`.
    pub const fn between(least: u64, most: Option<u64>) -> Count {
        Count { least, most }
    }

    /// Whether both bounds are one.
    pub fn is_exact(&self) -> bool {
        self.most == Some(self.least)
    }

    /// Whether a number is within the bounds.
    pub fn holds(&self, count: u64) -> bool {
        self.least <= count && self.most.is_none_or(|most| count <= most)
    }

    /// The sum of two.
    #[must_use]
    pub fn and(self, other: Count) -> Count {
        Count {
            least: self.least.saturating_add(other.least),
            most: self
                .most
                .zip(other.most)
                .map(|(one, other)| one.saturating_add(other)),
        }
    }

    fn times(self, factor: u64) -> Count {
        Count {
            least: self.least.saturating_mul(factor),
            most: self.most.map(|most| most.saturating_mul(factor)),
        }
    }

    fn or_less(self) -> Count {
        Count { least: 0, ..self }
    }
}

/// What one resource will be asked, by a scan or to enumerate the scopes of another.
#[derive(Debug)]
pub(crate) struct Reading {
    /// By what its calls are counted while they are made.
    pub part: String,
    pub resource: Arc<Resource>,
    pub method: Arc<Method>,
    pub parent: Option<Arc<Reading>>,
    /// The lists, or GETs.
    pub lists: Count,
    /// Their pages beyond the first of each.
    pub further: Count,
    /// The calls that are known by their scopes.
    scopes: Vec<Known>,
    /// What each of them is known by, how many calls it is with its further pages, and what it is counted under by the service.
    pub known: BTreeMap<String, (Count, Option<Allotment>)>,
    /// When the oldest of what is known was read.
    pub oldest: Option<u64>,
    /// Why the bounds differ.
    pub reasons: BTreeSet<String>,
}

impl Reading {
    /// Its own calls.
    pub(crate) fn calls(&self) -> Count {
        self.lists.and(self.further)
    }

    /// Those of its calls whose scopes are not known.
    pub(crate) fn others(&self) -> Count {
        let known = self.known.values();
        let known = known.fold(Count::NONE, |sum, (calls, _)| sum.and(*calls));
        let all = self.calls();
        Count {
            least: all.least.saturating_sub(known.least),
            most: match (all.most, known.most) {
                (Some(all), Some(known)) => Some(all.saturating_sub(known)),
                // What is not known of the known ones is not known of all; the rest may be none.
                (None, None) if self.lists.most == Some(self.known.len() as u64) => Some(0),
                _ => None,
            },
        }
    }

    /// Itself and those that enumerate its scopes, the outermost first.
    pub(crate) fn chain(self: &Arc<Self>) -> Vec<Arc<Reading>> {
        let mut chain = vec![Arc::clone(self)];
        while let Some(parent) = chain.last().and_then(|reading| reading.parent.clone()) {
            chain.push(parent);
        }
        chain.reverse();
        chain
    }

    /// Whether there are other lists of the same, for who knows more.
    pub(crate) fn has_narrower_lists(&self) -> bool {
        let readers = self.resource.readers();
        let lists = readers
            .iter()
            .filter(|method| method.response.items != Items::One);
        lists.count() > 1
    }

    /// Whether its lists have pages at all.
    pub(crate) fn is_paged(&self) -> bool {
        is_paged(&self.method)
    }
}

fn is_paged(method: &Method) -> bool {
    method.response.items != Items::One && method.response.next_link.is_some()
}

/// A scope that is known by name.
#[derive(Debug, Clone)]
struct Known {
    scope: Scope,
    /// Whether it is surely asked; else that depends on how its names are spelled.
    sure: bool,
}

/// Goes the ways of walks without sending anything.
pub(crate) struct Forecaster<'a> {
    pub registry: &'a Registry,
    pub memory: &'a Memory,
    pub clients: &'a HashMap<String, Client>,
    /// Subscriptions that a walk is confined to.
    pub subscriptions: &'a [String],
    /// The spellings that the session shows, by which a run decides.
    pub spellings: &'a Spellings,
    /// The lists that the plan reads whole.
    pub lists: Vec<Want>,
    /// Whether nothing but one scan and the listings for it may tell the session of other spellings.
    pub is_alone: bool,
    pub listings: HashMap<String, Arc<Reading>>,
    pub known: HashMap<String, Arc<Lists>>,
    /// How names were spelled when they were last read, by provider.
    pub spelled: HashMap<String, Arc<Spelled>>,
}

/// The scopes that a listing gives: those that are known by name, and how many others there are.
struct Rows {
    named: Vec<Known>,
    others: Count,
}

impl Forecaster<'_> {
    /// What a scan of `resource` will ask.
    pub(crate) fn scan(
        &mut self,
        part: String,
        resource: &Arc<Resource>,
        bindings: &Bindings,
        prunes: &Prunes,
    ) -> Result<Reading> {
        let method =
            wants::method(&self.lists, resource, bindings, prunes).map_err(Error::route)?;
        let mut reading = Reading {
            part,
            resource: Arc::clone(resource),
            method: Arc::clone(&method),
            parent: None,
            lists: Count::NONE,
            further: Count::NONE,
            scopes: Vec::new(),
            known: BTreeMap::new(),
            oldest: None,
            reasons: BTreeSet::new(),
        };
        if bindings.values().any(Vec::is_empty) {
            return Ok(reading);
        }
        let taken: HashSet<String> = walk::inputs(resource, &method).collect();
        let constants: Bindings = bindings
            .iter()
            .filter(|(name, _)| taken.contains(*name))
            .map(|(name, values)| (name.clone(), values.clone()))
            .collect();
        let open = combinations::open_names(self.registry, resource, &method, bindings, prunes);
        if open.is_empty() {
            let confined = walk::confine(self.subscriptions, resource, &constants);
            let total = count_of(&confined);
            if total > SCOPES as u64 {
                reading.lists = Count::exact(total);
            } else {
                let blind = prunes.blind();
                let scopes = combinations::combinations(&confined, prunes, Scope::new());
                let scopes = scopes.filter(|scope| blind.allow(scope));
                reading.scopes = scopes.map(|scope| Known { scope, sure: true }).collect();
            }
        } else {
            let Some(parent) = &resource.parent else {
                return Err(Error::internal(format!(
                    "`{}` was routed without a parent",
                    resource.name
                )));
            };
            let (above, rows) = self.rows(parent, bindings, prunes)?;
            let names: HashSet<String> = parent
                .parameters
                .iter()
                .map(|(child, _)| fold(child))
                .collect();
            let rest: Bindings = constants
                .iter()
                .filter(|(name, _)| !names.contains(*name))
                .map(|(name, values)| (name.clone(), values.clone()))
                .collect();
            let each = count_of(&rest);
            let own = Allowed::new(bindings);
            let mut seen: HashSet<Vec<String>> = HashSet::new();
            let blind = prunes.blind();
            let spelled = match prunes.see_case() {
                true => self.spelled(&resource.provider),
                false => Arc::default(),
            };
            let is_sure = |name: &str, value: &str| {
                let has_case = value.bytes().any(|byte| byte.is_ascii_alphabetic());
                !has_case
                    || self.spellings.known(name, value).is_some()
                    || self.is_alone && spelled.has_one(name, value)
            };
            for Known { scope, sure } in rows.named {
                if !agrees(&scope, &own) {
                    continue;
                }
                let sure = match prunes.verdict(&scope, is_sure) {
                    Verdict::Refused => continue,
                    Verdict::Allowed => sure,
                    Verdict::DependsOnSpelling => false,
                };
                if !sure {
                    reading.reasons.insert(SPELLING.to_owned());
                }
                let rest: Bindings = constants
                    .iter()
                    .filter(|(name, _)| !scope.contains_key(*name))
                    .map(|(name, values)| (name.clone(), values.clone()))
                    .collect();
                if (reading.scopes.len() as u64).saturating_add(count_of(&rest)) > SCOPES as u64 {
                    reading.lists = reading.lists.and(Count::between(0, Some(count_of(&rest))));
                    continue;
                }
                let scopes = combinations::combinations(&rest, prunes, scope);
                let scopes = scopes.filter(|scope| blind.allow(scope));
                let scopes = scopes.filter(|scope| seen.insert(walk::call_name(scope, &taken)));
                let scopes = scopes.map(|scope| Known { scope, sure });
                reading.scopes.extend(scopes);
            }
            if rows.others != Count::NONE {
                // Names that are not known may be left out by a condition, or lead to one call together.
                let narrowed =
                    !prunes.is_empty() || bindings.keys().any(|name| names.contains(name));
                let collapses = !names.iter().all(|name| taken.contains(name));
                let mut others = rows.others.times(each);
                if narrowed || collapses {
                    others.least = u64::from(!narrowed && others.least > 0);
                }
                if !others.is_exact() {
                    let why = match rows.others.most {
                        None => format!("no walk has read all of `{}` yet", above.resource.name),
                        Some(_) => format!("the names in `{}` are not known", above.resource.name),
                    };
                    reading.reasons.insert(why);
                }
                reading.lists = reading.lists.and(others);
            }
            reading.oldest = oldest(reading.oldest, above.oldest);
            reading.parent = Some(above);
        }
        self.pages(&mut reading, &taken)?;
        Ok(reading)
    }

    /// How many pages the calls of a reading have.
    fn pages(&mut self, reading: &mut Reading, taken: &HashSet<String>) -> Result<()> {
        let others = reading.lists;
        let all = reading.scopes.len() as u64;
        let sure = reading.scopes.iter().filter(|known| known.sure).count() as u64;
        reading.lists = others.and(Count::between(sure, Some(all)));
        let paged = is_paged(&reading.method);
        if paged && others != Count::NONE {
            reading.further = Count::between(0, None);
            reading.reasons.insert("extra pages".to_owned());
        }
        let lists = self.lists(&reading.resource.provider);
        let resource = Arc::clone(&reading.resource);
        let method = Arc::clone(&reading.method);
        let list = list_name(&resource.service, &resource.name, &method.key);
        let service = self
            .registry
            .provider(&resource.provider)
            .and_then(|provider| provider.service(&resource.service).ok().flatten());
        let client = self.clients.get(&resource.provider);
        for Known { scope, sure } in &reading.scopes {
            let inputs = walk::inputs_of(scope, taken);
            let mut further = Count::NONE;
            if paged {
                if let Some(seen) = lists.exact(&list, &inputs) {
                    further = Count::exact(seen.pages.saturating_sub(1));
                    reading.oldest = oldest(reading.oldest, Some(seen.at));
                } else if let Some(seen) =
                    lists.wider(&resource.service, &resource.name, &inputs, |_| true)
                {
                    further = Count::between(0, Some(seen.pages.saturating_sub(1)));
                    reading.oldest = oldest(reading.oldest, Some(seen.at));
                } else {
                    further = Count::between(0, None);
                }
                if !further.is_exact() {
                    reading.reasons.insert("extra pages".to_owned());
                }
            }
            if !sure {
                further = further.or_less();
            }
            reading.further = reading.further.and(further);
            let calls = Count::between(u64::from(*sure), Some(1)).and(further);
            let call = service
                .as_ref()
                .and_then(|service| walk::bind(&resource, &method, service, scope).ok());
            let allotment = call
                .zip(client)
                .and_then(|(call, client)| client.allotment(call).ok());
            let name = format!("{list} {:?}", walk::call_name(&inputs, taken));
            reading.known.insert(name, (calls, allotment));
        }
        Ok(())
    }

    /// The scopes that the listing of a parent gives to its children, as they name them.
    fn rows(
        &mut self,
        parent: &Parent,
        bindings: &Bindings,
        prunes: &Prunes,
    ) -> Result<(Arc<Reading>, Rows)> {
        let resource = self
            .registry
            .resource(&parent.provider, &parent.service, &parent.resource)?
            .ok_or_else(|| {
                Error::internal(format!("the parent `{}` is not there", parent.resource))
            })?;
        let asked = walk::AskedOfParent::new(parent, &resource, bindings, prunes);
        let name = walk::listing_name(&resource, &asked);
        let reading = match self.listings.get(&name) {
            Some(known) => Arc::clone(known),
            None => {
                let part = crate::calls::scopes_of(&resource);
                let reading = self.scan(part, &resource, &asked.bindings, &asked.prunes)?;
                let reading = Arc::new(reading);
                self.listings.insert(name, Arc::clone(&reading));
                reading
            }
        };
        let lists = self.lists(&resource.provider);
        let list = list_name(&resource.service, &resource.name, &reading.method.key);
        let taken: HashSet<String> = walk::inputs(&resource, &reading.method).collect();
        let unnamed = match (reading.lists, reading.scopes.len() as u64) {
            (Count { most: None, .. }, _) => Count::between(0, None),
            (
                Count {
                    most: Some(most), ..
                },
                named,
            ) if most > named => Count::between(0, None),
            _ => Count::NONE,
        };
        let mut rows = Rows {
            named: Vec::new(),
            others: unnamed,
        };
        for Known { scope, sure } in &reading.scopes {
            let inputs = walk::inputs_of(scope, &taken);
            let exact = lists.exact(&list, &inputs);
            let (service, name) = (&resource.service, &resource.name);
            // A list that was read for its rows tells only how many there are; a wider one may tell their names.
            let has_names = |seen: &&Seen| seen.names.is_some() || seen.rows == 0;
            let seen = exact.filter(has_names);
            let seen = seen.or_else(|| lists.wider(service, name, &inputs, has_names));
            let seen = seen.or(exact);
            let seen = seen.or_else(|| lists.wider(service, name, &inputs, |_| true));
            let Some(seen) = seen else {
                let others = match reading.method.response.items {
                    Items::One => Count::between(0, Some(1)),
                    _ => Count::between(0, None),
                };
                rows.others = rows.others.and(others);
                continue;
            };
            match &seen.names {
                Some(names) => {
                    let found = names
                        .iter()
                        .filter_map(|names| self.child(parent, &resource, seen, names, &inputs));
                    rows.named
                        .extend(found.map(|scope| Known { scope, sure: *sure }));
                }
                None => {
                    let all = Count::exact(seen.rows);
                    let surely = *sure
                        && exact.is_some()
                        && resource.childless.is_none()
                        && self.subscriptions.is_empty();
                    rows.others = rows.others.and(if surely { all } else { all.or_less() });
                }
            }
        }
        Ok((reading, rows))
    }

    /// The scope of a child that one row of its parent gives.
    fn child(
        &self,
        parent: &Parent,
        resource: &Resource,
        seen: &Seen,
        names: &[Option<String>],
        inputs: &Scope,
    ) -> Option<Scope> {
        let value = |wanted: &str| {
            let at = seen.columns.iter().position(|name| *name == fold(wanted))?;
            names.get(at)?.as_deref()
        };
        if let Some(childless) = &resource.childless
            && let Some(state) = value(&childless.field)
            && childless
                .values
                .iter()
                .any(|one| one.eq_ignore_ascii_case(state))
        {
            return None;
        }
        // The list that is known may be wider than the one that will be read.
        let fits = inputs.iter().all(|(name, wanted)| {
            let is_path = resource
                .parameter(name)
                .is_some_and(|parameter| parameter.location == Location::Path);
            !is_path || value(name).is_none_or(|value| value.eq_ignore_ascii_case(wanted))
        });
        if !fits {
            return None;
        }
        let mut scope = Scope::new();
        for (child, own) in &parent.parameters {
            let known = value(own).map(str::to_owned);
            let known = known.or_else(|| inputs.get(&fold(own)).map(|value| value.to_string()));
            if let Some(known) = known {
                // As a run does: the spelling that the session shows.
                let child = fold(child);
                let shown = self.spellings.known(&child, &known);
                scope.insert(child, shown.unwrap_or_else(|| Arc::from(known)));
            }
        }
        let confined = self.subscriptions.is_empty()
            || scope.get("subscriptionid").is_none_or(|own| {
                self.subscriptions
                    .iter()
                    .any(|one| one.eq_ignore_ascii_case(own))
            });
        confined.then_some(scope)
    }

    /// Whether a scan surely has a row, if the estate is as it was.
    pub(crate) fn has_rows(&mut self, scan: &Scan) -> Result<bool> {
        let Scan {
            resource,
            bindings,
            prunes,
            ..
        } = scan;
        let reading = self.scan(String::new(), resource, bindings, prunes)?;
        if reading.method.response.items == Items::One {
            return Ok(false);
        }
        let lists = self.lists(&resource.provider);
        let list = list_name(&resource.service, &resource.name, &reading.method.key);
        let taken: HashSet<String> = walk::inputs(resource, &reading.method).collect();
        let allowed = Allowed::new(bindings);
        let is_wanted = |scope: &Scope| {
            let is_said = |name: &String| {
                scope.contains_key(name)
                    || resource
                        .parameter(name)
                        .is_none_or(|it| it.location != Location::Path)
            };
            bindings.keys().all(is_said)
                && prunes.decide(scope)
                && agrees(scope, &allowed)
                && prunes.verdict(scope, |_, _| false) == Verdict::Allowed
        };
        let has_rows = |known: &Known| {
            let seen = lists.exact(&list, &walk::inputs_of(&known.scope, &taken));
            let Some(seen) = seen.filter(|seen| known.sure && seen.rows > 0) else {
                return false;
            };
            let named = |names: &Vec<Option<String>>| {
                let mut scope = known.scope.clone();
                for (column, name) in seen.columns.iter().zip(names) {
                    if let Some(name) = name {
                        scope.insert(column.clone(), Arc::from(name.as_str()));
                    }
                }
                is_wanted(&scope)
            };
            is_wanted(&known.scope) || seen.names.iter().flatten().any(named)
        };
        Ok(reading.scopes.iter().any(has_rows))
    }

    fn spelled(&mut self, provider: &str) -> Arc<Spelled> {
        let lists = self.lists(provider);
        let spelled = self.spelled.entry(provider.to_owned());
        Arc::clone(spelled.or_insert_with(|| Arc::new(lists.spelled())))
    }

    fn lists(&mut self, provider: &str) -> Arc<Lists> {
        let (memory, client) = (self.memory, self.clients.get(provider));
        let known = self.known.entry(provider.to_owned());
        Arc::clone(known.or_insert_with(|| memory.recall(provider, client)))
    }
}

fn oldest(one: Option<u64>, other: Option<u64>) -> Option<u64> {
    [one, other].into_iter().flatten().min()
}

fn count_of(bindings: &Bindings) -> u64 {
    let counts = bindings.values().map(|values| values.len() as u64);
    counts.fold(1, u64::saturating_mul)
}

/// What a parent is called where people read: `vaults`.
pub(crate) fn noun(resource: &Resource) -> String {
    let name = &resource.name;
    name.strip_prefix("backup_")
        .unwrap_or(name)
        .replace('_', " ")
}

/// The symbol for the number of its rows: `V`.
pub(crate) fn symbol(resource: &Resource) -> char {
    let first = noun(resource).chars().next().unwrap_or('N');
    first.to_ascii_uppercase()
}
