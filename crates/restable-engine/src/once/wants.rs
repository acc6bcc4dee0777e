//! Who may want which calls of a plan: its scans, and the listings of the scopes above them. What only one of them can want is read as if there
//! were no others. Known before the first call, and known better when a scan has heard what narrows it.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use datafusion::common::Result as PlanResult;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TransformedResult as _, TreeNode as _};
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::recursive_query::RecursiveQueryExec;
use restable_spec::names::fold;
use restable_spec::{Items, Location, Method, Registry, Resource, RouteError};

use crate::combinations::{Allowed, agrees, bound, combinations};
use crate::prompt::{is_limited, needs_first};
use crate::prune::Prunes;
use crate::scan::{Scan, ScanExec};
use crate::walk::{AskedOfParent, Bindings, Scope, inputs};

/// So many scopes are asked at most whether a list has them.
const TRIED: usize = 64;

/// Readers that read a call once, together.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Class {
    /// A scan, by its number.
    Scan(u64),
    /// The listing of the scopes that a table gives, by what is listed.
    Scopes(String),
}

impl Class {
    pub(crate) fn of_scopes(resource: &Resource, wanted: &[String]) -> Class {
        Class::Scopes(format!("{} {wanted:?}", resource.full_name()))
    }
}

/// What a reader may ask of a resource.
#[derive(Debug, Clone)]
pub(crate) struct Want {
    pub(crate) class: Class,
    resource: String,
    /// The key of the method; `None`: that is not known yet.
    method: Option<String>,
    /// Inputs beside the path, folded.
    inputs: BTreeSet<String>,
    /// What of the scopes of its calls is bound; nothing as long as it is not known which calls they are.
    bindings: Bindings,
    allowed: Arc<Allowed>,
    prunes: Prunes,
    /// Whether the same may be asked again and again.
    again: bool,
    /// How far it is known from the plan alone that it is read.
    read: Read,
}

/// How far it is known that something is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Read {
    /// It is, and to its end.
    Surely,
    /// It may be.
    Perhaps,
    /// It may be, and it is short: the list of outermost scopes, beside which there are few others.
    Short,
}

/// A call, as far as it is asked who may want it.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) resource: String,
    method: String,
    inputs: BTreeSet<String>,
    scope: Scope,
}

impl Asked {
    pub(crate) fn new(resource: &Resource, method: &Method, scope: &Scope) -> Asked {
        Asked {
            resource: resource.full_name(),
            method: method.key.clone(),
            inputs: beside_path(method, scope.keys()),
            scope: scope.clone(),
        }
    }
}

/// Those of the names that a method takes elsewhere than in its path.
fn beside_path<'n>(method: &Method, names: impl Iterator<Item = &'n String>) -> BTreeSet<String> {
    let in_path = |name: &String| {
        let mut parameters = method.parameters.iter();
        parameters.any(|it| it.location == Location::Path && fold(&it.name) == *name)
    };
    let taken = |name: &String| {
        let mut parameters = method.parameters.iter();
        method.request.is_some() || parameters.any(|it| fold(&it.name) == *name)
    };
    names
        .filter(|name| !in_path(name) && taken(name))
        .cloned()
        .collect()
}

impl Want {
    /// Says that it may not be read any more.
    pub(crate) fn doubt(&mut self) {
        self.read = Read::Perhaps;
    }

    /// Whether it may want a call, which others of its class have read or not.
    pub(crate) fn may_want(&self, asked: &Asked, is_taken: impl Fn(&Class) -> bool) -> bool {
        self.resource == asked.resource
            && (self.again || !is_taken(&self.class))
            && self
                .method
                .as_ref()
                .is_none_or(|method| *method == asked.method && self.inputs == asked.inputs)
            && agrees(&asked.scope, &self.allowed)
            && self.prunes.allow(&asked.scope)
    }

    /// The method by which it reads, if that is one of lists and all that is asked of a resource is in them.
    fn covers<'r>(
        &self,
        resource: &'r Resource,
        bindings: &Bindings,
        prunes: &Prunes,
    ) -> Option<&'r Arc<Method>> {
        let within = |(name, values): (&String, &Vec<Arc<str>>)| {
            let narrow = bindings.get(name);
            narrow.is_some_and(|narrow| {
                let mut narrow = narrow.iter();
                narrow.all(|it| values.iter().any(|value| value.eq_ignore_ascii_case(it)))
            })
        };
        // An input is no property of a row: who does not take it answers something else.
        // Beside what is in the path.
        let same_inputs = bindings.iter().all(|(name, values)| {
            let parameter = resource.parameter(name);
            parameter.is_none_or(|it| it.location == Location::Path)
                || self.bindings.get(name) == Some(values)
        });
        let covers = self.resource == resource.full_name()
            && same_inputs
            && self.bindings.iter().all(within)
            && (self.prunes.are_among(prunes) || self.lets_through(bindings));
        let method = resource.methods.get(self.method.as_ref()?)?;
        (covers && method.response.items != Items::One).then_some(method)
    }

    /// Whether its conditions let every scope through that has these values.
    fn lets_through(&self, bindings: &Bindings) -> bool {
        let names = self.prunes.names();
        let said = bindings.iter().filter(|(name, _)| names.contains(*name));
        let said: Bindings = said
            .map(|(name, values)| (name.clone(), values.clone()))
            .collect();
        let total = said
            .values()
            .try_fold(1_usize, |total, values| total.checked_mul(values.len()));
        self.prunes.relations().is_empty()
            && said.len() == names.len()
            && total.is_some_and(|total| total <= TRIED)
            && combinations(&said, &Prunes::default(), Scope::new())
                .all(|scope| self.prunes.allow(&scope))
    }

    /// Whether both may want one call.
    fn may_meet(&self, other: &Want) -> bool {
        let same_method = || match (&self.method, &other.method) {
            (Some(one), Some(other_one)) => one == other_one && self.inputs == other.inputs,
            _ => true,
        };
        let apart = || {
            self.bindings.iter().any(|(name, values)| {
                let others = other.bindings.get(name);
                others.is_some_and(|others| {
                    let mut others = others.iter();
                    !others.any(|other| values.iter().any(|it| it.eq_ignore_ascii_case(other)))
                })
            })
        };
        self.resource == other.resource && same_method() && !apart()
    }
}

/// The method by which a resource is read. What is known only while the statement runs to be wanted of it is taken from lists that are read whole
/// anyway, if it is in them: they cost nothing more. What the statement says itself is taken from lists that are surely read, and from short lists that may be
/// read, where they are no more calls. The widest lists come first.
pub(crate) fn method(
    lists: &[Want],
    resource: &Resource,
    bindings: &Bindings,
    prunes: &Prunes,
) -> Result<Arc<Method>, RouteError> {
    let routed = resource.route(&bound(resource, bindings, prunes))?;
    let found = prunes.are_found();
    let list = lists.iter().find_map(|list| {
        let method = list.covers(resource, bindings, prunes)?;
        let taken = match list.read {
            Read::Surely => true,
            Read::Perhaps => found,
            Read::Short => takes_no_more(method, routed),
        };
        taken.then_some(method)
    });
    Ok(Arc::clone(list.unwrap_or(routed)))
}

/// Whether one method takes no parameter that another does not take, so that there are as many calls of it at most.
fn takes_no_more(method: &Method, other: &Method) -> bool {
    let needed = |method: &Method| -> HashSet<String> {
        let parameters = method.parameters.iter();
        let needed = parameters.filter(|it| it.must_be_given());
        needed.map(|it| fold(&it.name)).collect()
    };
    needed(method).is_subset(&needed(other))
}

/// The names that the scopes of a method's calls have, folded: those that it takes, and those of the parents that are listed for it.
fn names_of(resource: &Resource, method: &Method, is_open: bool) -> HashSet<String> {
    let parent = resource.parent.iter().filter(|_| is_open);
    let above = parent.flat_map(|parent| parent.parameters.iter().map(|(child, _)| fold(child)));
    inputs(resource, method).chain(above).collect()
}

/// What a scan may ask for, and what for to find its scopes. `method` is the one that it reads with, if nothing narrows it any more.
pub(crate) fn wants_of(
    registry: &Registry,
    lists: &[Want],
    again: bool,
    scan: &Scan,
    method: Option<&Method>,
) -> Vec<Want> {
    let mut wants = Vec::new();
    let mut class = Class::Scan(scan.number);
    let mut resource = Arc::clone(&scan.resource);
    let (mut bindings, mut prunes) = (scan.bindings.clone(), scan.prunes.clone());
    let settled = method.is_some();
    let mut own = method;
    let mut routed: Arc<Method>;
    loop {
        if settled && bindings.values().any(Vec::is_empty) {
            return wants;
        }
        if settled && own.is_none() {
            match self::method(lists, &resource, &bindings, &prunes) {
                Ok(found) => {
                    routed = found;
                    own = Some(&routed);
                }
                Err(_) => return wants,
            }
        }
        let is_open = own.is_none_or(|method| {
            let mut parameters = method.parameters.iter();
            parameters.any(|it| it.must_be_given() && !bindings.contains_key(&fold(&it.name)))
        });
        let names = own.map_or_else(HashSet::new, |method| names_of(&resource, method, is_open));
        let own_bindings = bindings.iter().filter(|(name, _)| names.contains(*name));
        let own_bindings = own_bindings.map(|(name, values)| (name.clone(), values.clone()));
        wants.push(Want {
            class,
            resource: resource.full_name(),
            method: own.map(|method| method.key.clone()),
            inputs: own.map_or_else(BTreeSet::new, |it| beside_path(it, bindings.keys())),
            allowed: Arc::new(Allowed::new(&bindings)),
            bindings: own_bindings.collect(),
            // Conditions that see a difference in case are asked of scopes that are listed, not of those that are named.
            prunes: match settled {
                true => prunes.over(&names).blind(),
                false => prunes.without_conditions(),
            },
            again: again && wants.is_empty(),
            read: Read::Perhaps,
        });
        // Values that rows gave are compared with the outermost scopes.
        if !is_open && !prunes.doubts_subscription() {
            return wants;
        }
        let Some(parent) = resource.parent.clone() else {
            return wants;
        };
        let above = registry.resource(&parent.provider, &parent.service, &parent.resource);
        let Ok(Some(above)) = above else {
            return wants;
        };
        let asked = AskedOfParent::new(&parent, &above, &bindings, &prunes);
        class = Class::of_scopes(&above, &asked.wanted);
        (bindings, prunes) = match is_open {
            true => (asked.bindings, asked.prunes),
            false => (Bindings::new(), Prunes::default()),
        };
        if !is_open && above.parent.is_some() {
            prunes.doubt_subscription();
        }
        (resource, own) = (above, None);
    }
}

/// The short lists that a scan may read: those of the outermost scopes, in which there is a row for each scope, so that they are few calls beside what is read below
/// them. `given` are the names that get values while the statement runs: whose these are is not known, but that they are looked for among all there are. Beside each, how many parameters it takes.
fn short_lists(registry: &Registry, scan: &Scan, given: &[String]) -> Vec<(usize, Want)> {
    let mut wants = Vec::new();
    let mut given = given.to_vec();
    let mut class = Class::Scan(scan.number);
    let mut resource = Arc::clone(&scan.resource);
    let (mut bindings, mut prunes) = (scan.bindings.clone(), scan.prunes.clone());
    loop {
        let mut counts = bound(&resource, &bindings, &prunes);
        given.retain(|name| !bindings.contains_key(name));
        given.iter().for_each(|name| counts.bind(name, 1));
        let Ok(method) = resource.route(&counts) else {
            return wants;
        };
        let parent = resource.parent.clone();
        let above = parent.as_ref().and_then(|it| {
            let above = registry.resource(&it.provider, &it.service, &it.resource);
            above.ok().flatten()
        });
        let is_outermost = above.as_ref().is_none_or(|above| above.parent.is_none());
        let needed = method.parameters.iter().filter(|it| it.must_be_given());
        let needed: Vec<String> = needed.map(|it| fold(&it.name)).collect();
        let is_open = |name: &String| !bindings.contains_key(name) && !given.contains(name);
        let open = needed.iter().any(is_open);
        if is_outermost {
            let names = names_of(&resource, method, open);
            let own = bindings.iter().filter(|(name, _)| names.contains(*name));
            let want = Want {
                class,
                resource: resource.full_name(),
                method: Some(method.key.clone()),
                inputs: beside_path(method, bindings.keys()),
                allowed: Arc::new(Allowed::new(&bindings)),
                bindings: own
                    .map(|(name, values)| (name.clone(), values.clone()))
                    .collect(),
                prunes: prunes.over(&names).blind(),
                again: false,
                read: Read::Short,
            };
            wants.push((needed.len(), want));
        }
        let (true, Some(parent), Some(above)) = (open, parent, above) else {
            return wants;
        };
        let asked = AskedOfParent::new(&parent, &above, &bindings, &prunes);
        let own = |name: &String| {
            let mut names = parent.parameters.iter();
            let (_, own) = names.find(|(child, _)| fold(child) == *name)?;
            above.parameter(own).map(|_| fold(own))
        };
        given = given.iter().filter_map(own).collect();
        class = Class::of_scopes(&above, &asked.wanted);
        (bindings, prunes) = (asked.bindings, asked.prunes);
        resource = above;
    }
}

/// The calls that parts of one plan share, as far as that is known before they are made.
#[derive(Debug)]
pub(crate) struct Sharing {
    /// Tells it from those of other plans.
    pub(crate) number: u64,
    /// The resources of which a call may be wanted by more than one.
    pub(crate) resources: HashSet<String>,
    /// What is read whole, whatever else is found.
    pub(crate) lists: Vec<Want>,
    /// The scans by their numbers.
    pub(crate) scans: HashMap<u64, Reader>,
}

/// A scan as a reader of calls that others may want.
#[derive(Debug)]
pub(crate) struct Reader {
    pub(crate) wants: Vec<Want>,
    /// Whether it is read again and again.
    pub(crate) again: bool,
    /// Whether somebody may have enough of it before its end.
    pub(crate) limited: bool,
}

/// A scan of a plan.
struct Found {
    scan: Scan,
    place: Where,
    waits: bool,
    /// The names that get values while the statement runs.
    given: Vec<String>,
}

/// Where in a plan a scan stands.
#[derive(Debug, Clone, Copy, Default)]
struct Where {
    /// It is read again and again.
    again: bool,
    /// Somebody may have enough of it before its end.
    limited: bool,
    /// It is not read where the other side of a join has no row.
    second: bool,
}

fn find(plan: &Arc<dyn ExecutionPlan>, place: Where, found: &mut Vec<Found>) {
    if let Some(node) = plan.downcast_ref::<ScanExec>() {
        found.push(Found {
            scan: node.scan().clone(),
            place: Where {
                limited: place.limited || node.fetch().is_some(),
                ..place
            },
            waits: node.waits(),
            given: node.given_names(),
        });
        return;
    }
    for (at, child) in plan.children().into_iter().enumerate() {
        let below = Where {
            again: place.again || plan.is::<RecursiveQueryExec>() && at > 0,
            limited: is_limited(plan, at, place.limited),
            second: place.second || needs_first(plan) && at > 0,
        };
        find(child, below, found);
    }
}

impl Sharing {
    /// What the parts of a plan share; `None` if that is nothing.
    fn of(registry: &Registry, plan: &Arc<dyn ExecutionPlan>) -> Option<Sharing> {
        let mut found = Vec::new();
        find(plan, Where::default(), &mut found);
        let of = |one: &Found, lists: &[Want]| {
            let scan = &one.scan;
            let method = self::method(lists, &scan.resource, &scan.bindings, &scan.prunes);
            let method = method.ok().filter(|_| !one.waits);
            wants_of(registry, lists, one.place.again, scan, method.as_deref())
        };
        let mut lists: Vec<Want> = Vec::new();
        for one in found.iter().filter(|one| !one.waits && !one.place.limited) {
            let Where { again, second, .. } = one.place;
            let read = match again || second {
                true => Read::Perhaps,
                false => Read::Surely,
            };
            lists.extend(of(one, &[]).into_iter().map(|want| Want { read, ..want }));
        }
        // Of one scan alone no list is read beside those that it reads.
        let several = found.iter().filter(|_| found.len() > 1);
        let mut short: Vec<(usize, Want)> = several
            .flat_map(|one| short_lists(registry, &one.scan, &one.given))
            .collect();
        short.sort_by_key(|(needed, want)| (want.bindings.len(), *needed));
        lists.extend(short.into_iter().map(|(_, want)| want));
        // What is in a narrow list is in the wide one as well, so that of two lists the narrow one need not be read.
        lists.retain(|want| want.method.is_some());
        lists.sort_by_key(|want| want.bindings.len());
        let mut scans: BTreeMap<u64, Reader> = BTreeMap::new();
        for one in &found {
            let reader = Reader {
                wants: of(one, &lists),
                again: one.place.again,
                limited: one.place.limited,
            };
            scans.insert(one.scan.number, reader);
        }
        let all: Vec<&Want> = scans.values().flat_map(|reader| &reader.wants).collect();
        let mut resources = HashSet::new();
        for (at, one) in all.iter().enumerate() {
            let mut others = all[..at].iter();
            let meets = |other: &&Want| one.class != other.class && one.may_meet(other);
            if one.again || others.any(meets) {
                resources.insert(one.resource.clone());
            }
        }
        // What waits may find what it is given in lists of others, also where it makes no call that they make.
        let may_be_given = !lists.is_empty() && found.iter().any(|one| one.waits);
        if resources.is_empty() && !may_be_given {
            return None;
        }
        static NUMBERS: AtomicU64 = AtomicU64::new(1);
        Some(Sharing {
            number: NUMBERS.fetch_add(1, Ordering::Relaxed),
            resources,
            lists,
            scans: scans.into_iter().collect(),
        })
    }
}

/// The rule that tells scans with whom they share calls. It comes last, when it is known what narrows them.
#[derive(Debug)]
pub(crate) struct SharedCalls {
    pub(crate) registry: Arc<Registry>,
}

impl PhysicalOptimizerRule for SharedCalls {
    fn optimize(
        &self,
        plan: Arc<dyn ExecutionPlan>,
        _config: &ConfigOptions,
    ) -> PlanResult<Arc<dyn ExecutionPlan>> {
        let Some(sharing) = Sharing::of(&self.registry, &plan) else {
            return Ok(plan);
        };
        let sharing = Arc::new(sharing);
        plan.transform_up(|node| {
            Ok(match node.downcast_ref::<ScanExec>() {
                Some(scan) => Transformed::yes(Arc::new(scan.sharing(&sharing)) as _),
                None => Transformed::no(node),
            })
        })
        .data()
    }

    fn name(&self) -> &str {
        "shared_calls"
    }

    fn schema_check(&self) -> bool {
        true
    }
}
