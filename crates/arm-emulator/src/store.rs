//! Owns which resource exists: what a client stored or removed lies over what the generated estate computes. Keeps the
//! spelling that was given and compares names by ASCII case folding. Knows nothing of what a resource means.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use crate::estate::generated::{Form, Generated, Place};

/// The types of resources that are stored under a parent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Kind {
    Group,
    Vault,
    Policy,
    Instance,
    DeletedInstance,
    Job,
    RecoveryPoint,
    Guard,
    Proxy,
    DeletedVault,
}

impl Kind {
    /// The segment of an id before the name.
    pub(crate) fn segment(self) -> &'static str {
        match self {
            Kind::Group => "resourceGroups",
            Kind::Vault => "backupVaults",
            Kind::Policy => "backupPolicies",
            Kind::Instance => "backupInstances",
            Kind::DeletedInstance => "deletedBackupInstances",
            Kind::Job => "backupJobs",
            Kind::RecoveryPoint => "recoveryPoints",
            Kind::Guard => "resourceGuards",
            Kind::Proxy => "backupResourceGuardProxies",
            Kind::DeletedVault => "deletedVaults",
        }
    }

    /// Listed by time, the newest first, instead of by name.
    pub(crate) fn newest_first(self) -> bool {
        matches!(self, Kind::Job | Kind::RecoveryPoint)
    }

    const ALL: [Kind; 10] = [
        Kind::Group,
        Kind::Vault,
        Kind::Policy,
        Kind::Instance,
        Kind::DeletedInstance,
        Kind::Job,
        Kind::RecoveryPoint,
        Kind::Guard,
        Kind::Proxy,
        Kind::DeletedVault,
    ];
}

/// Where a resource is: its kind, the id of its parent and its name, both folded. The parent of a vault or guard is
/// its resource group, that of a deleted vault `/subscriptions/{s}/locations/{location}`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Key {
    pub(crate) kind: Kind,
    pub(crate) parent: String,
    pub(crate) name: String,
}

impl Key {
    pub(crate) fn new(kind: Kind, parent: &str, name: &str) -> Key {
        Key {
            kind,
            parent: parent.to_ascii_lowercase(),
            name: name.to_ascii_lowercase(),
        }
    }

    /// The key of an ARM id of one of our types.
    pub(crate) fn of_id(id: &str) -> Option<Key> {
        let folded = id.trim_end_matches('/').to_ascii_lowercase();
        let (rest, name) = folded.rsplit_once('/')?;
        let (parent, segment) = rest.rsplit_once('/')?;
        let kind = Kind::ALL
            .into_iter()
            .find(|kind| kind.segment().eq_ignore_ascii_case(segment))?;
        let parent = parent.trim_end_matches("/providers/microsoft.dataprotection");
        (parent.starts_with('/') && !name.is_empty()).then(|| Key::new(kind, parent, name))
    }

    /// The folded id, which is the parent of what lies below.
    pub(crate) fn id(&self) -> String {
        let segment = self.kind.segment().to_ascii_lowercase();
        match self.kind {
            Kind::Vault | Kind::Guard => {
                format!(
                    "{}/providers/microsoft.dataprotection/{segment}/{}",
                    self.parent, self.name
                )
            }
            _ => format!("{}/{segment}/{}", self.parent, self.name),
        }
    }

    /// The key of a resource of `kind` below this one.
    pub(crate) fn child(&self, kind: Kind, name: &str) -> Key {
        Key::new(kind, &self.id(), name)
    }
}

#[derive(Debug, Clone)]
enum Slot {
    Present(Value),
    /// A generated resource that was deleted.
    Gone,
}

/// Which resources a list is about.
#[derive(Debug, Clone)]
pub(crate) struct Listing {
    pub(crate) kind: Kind,
    /// Folded id of the parent.
    pub(crate) parent: String,
    /// Also what lies below the parent's own children: vaults of a subscription.
    pub(crate) deep: bool,
}

/// One page of a list.
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) items: Items,
    /// The token of the next page.
    pub(crate) next: Option<String>,
}

/// The items of a page, written or still to be computed, so that nobody waits for the writing.
#[derive(Debug)]
pub(crate) enum Items {
    Computed {
        base: Arc<Generated>,
        place: Place,
        kind: Kind,
        from: u64,
        to: u64,
    },
    Stored(Vec<Value>),
}

/// All resources below the subscriptions.
#[derive(Debug, Default)]
pub(crate) struct Store {
    base: Option<Arc<Generated>>,
    slots: BTreeMap<Key, Slot>,
}

impl Store {
    pub(crate) fn new(base: Option<Arc<Generated>>) -> Store {
        Store {
            base,
            slots: BTreeMap::new(),
        }
    }

    pub(crate) fn read(&self, key: &Key) -> Option<Value> {
        match self.slots.get(key) {
            Some(Slot::Present(value)) => Some(value.clone()),
            Some(Slot::Gone) => None,
            None => {
                let (base, place, index) = self.computed(key)?;
                let mut text = Vec::new();
                base.write(key.kind, place, index, Form::One, &mut text);
                serde_json::from_slice(&text).ok()
            }
        }
    }

    pub(crate) fn holds(&self, key: &Key) -> bool {
        match self.slots.get(key) {
            Some(slot) => matches!(slot, Slot::Present(_)),
            None => self.computed(key).is_some(),
        }
    }

    pub(crate) fn put(&mut self, key: Key, value: Value) {
        self.slots.insert(key, Slot::Present(value));
    }

    pub(crate) fn remove(&mut self, key: &Key) -> Option<Value> {
        let value = self.read(key)?;
        if self.computed(key).is_some() {
            self.slots.insert(key.clone(), Slot::Gone);
        } else {
            self.slots.remove(key);
        }
        Some(value)
    }

    /// All resources of a list, in its order.
    pub(crate) fn all(&self, listing: &Listing) -> Vec<Value> {
        match self.page(listing, None, usize::MAX >> 1).items {
            Items::Stored(values) => values,
            Items::Computed {
                base,
                place,
                kind,
                from,
                to,
            } => {
                let read = |index| self.read(&base.key(kind, place, index));
                (from..to).filter_map(read).collect()
            }
        }
    }

    /// Whether a resource is of the computed estate, touched or not.
    pub(crate) fn is_computed(&self, key: &Key) -> bool {
        self.computed(key).is_some()
    }

    /// How many resources are stored, as opposed to computed.
    pub(crate) fn stored(&self) -> usize {
        self.slots.len()
    }

    /// What is stored, in the order of the keys.
    pub(crate) fn values(&self) -> impl Iterator<Item = (&Key, &Value)> {
        self.slots.iter().filter_map(|(key, slot)| match slot {
            Slot::Present(value) => Some((key, value)),
            Slot::Gone => None,
        })
    }

    /// The stored resources of a list.
    pub(crate) fn stored_in<'a>(
        &'a self,
        listing: &'a Listing,
    ) -> impl Iterator<Item = (&'a Key, &'a Value)> {
        self.slots_in(listing).filter_map(|(key, slot)| match slot {
            Slot::Present(value) => Some((key, value)),
            Slot::Gone => None,
        })
    }

    /// Whether anything is in a list.
    pub(crate) fn any(&self, listing: &Listing) -> bool {
        let page = self.page(listing, None, 1);
        match page.items {
            Items::Computed { from, to, .. } => to > from,
            Items::Stored(values) => !values.is_empty(),
        }
    }

    /// The page that a token names; an unknown token is the end of the list.
    pub(crate) fn page(&self, listing: &Listing, token: Option<&str>, size: usize) -> Page {
        let size = size.max(1);
        let base = self
            .base
            .as_ref()
            .and_then(|base| Some((base, base.place(&listing.parent)?)));
        let touched = self.slots_in(listing).next().is_some();
        match base {
            Some((base, place)) if !touched => {
                let count = base.count(listing.kind, place);
                let from = token
                    .map_or(Some(0), |token| token.strip_prefix('g')?.parse().ok())
                    .unwrap_or(count);
                let from = u64::min(from, count);
                let to = u64::min(from + size as u64, count);
                let items = Items::Computed {
                    base: Arc::clone(base),
                    place,
                    kind: listing.kind,
                    from,
                    to,
                };
                Page {
                    items,
                    next: (to < count).then(|| format!("g{to}")),
                }
            }
            _ if listing.kind.newest_first() => self.page_by_time(listing, base, token, size),
            _ => self.page_by_name(listing, base, token, size),
        }
    }

    fn page_by_name(
        &self,
        listing: &Listing,
        base: Option<(&Arc<Generated>, Place)>,
        token: Option<&str>,
        size: usize,
    ) -> Page {
        let mut values = Vec::new();
        let mut last = String::new();
        let after = token.and_then(|token| token.strip_prefix('s')).map(unhex);
        if let (Some((base, place)), None) = (base, &after) {
            let count = base.count(listing.kind, place);
            let from = token
                .map_or(Some(0), |token| token.strip_prefix('g')?.parse().ok())
                .unwrap_or(count);
            for index in from..count {
                if values.len() == size {
                    return Page {
                        items: Items::Stored(values),
                        next: Some(format!("g{index}")),
                    };
                }
                values.extend(self.read(&base.key(listing.kind, place, index)));
            }
        } else if base.is_none() && token.is_some() && after.is_none() {
            return Page {
                items: Items::Stored(values),
                next: None,
            };
        }
        for (key, value) in self.stored_in(listing) {
            let position = format!("{}/{}", key.parent, key.name);
            if self.computed(key).is_some()
                || after.as_ref().is_some_and(|after| position <= *after)
            {
                continue;
            }
            if values.len() == size {
                return Page {
                    items: Items::Stored(values),
                    next: Some(format!("s{}", hex(&last))),
                };
            }
            values.push(value.clone());
            last = position;
        }
        Page {
            items: Items::Stored(values),
            next: None,
        }
    }

    fn page_by_time(
        &self,
        listing: &Listing,
        base: Option<(&Arc<Generated>, Place)>,
        token: Option<&str>,
        size: usize,
    ) -> Page {
        let mut stored: Vec<&Value> = self.stored_in(listing).map(|(_, value)| value).collect();
        stored.sort_by(|a, b| time_of(b).cmp(time_of(a)));
        let computed = base.map_or(0, |(base, place)| base.count(listing.kind, place));
        let total = stored.len() + computed as usize;
        let from = token
            .map_or(Some(0), |token| token.strip_prefix('t')?.parse().ok())
            .unwrap_or(total)
            .min(total);
        let to = usize::min(from + size, total);
        let values = (from..to)
            .filter_map(|index| match stored.get(index) {
                Some(value) => Some((*value).clone()),
                None => {
                    let (base, place) = base?;
                    let key = base.key(listing.kind, place, (index - stored.len()) as u64);
                    (!self.slots.contains_key(&key))
                        .then(|| self.read(&key))
                        .flatten()
                }
            })
            .collect();
        Page {
            items: Items::Stored(values),
            next: (to < total).then(|| format!("t{to}")),
        }
    }

    fn slots_in<'a>(
        &'a self,
        listing: &'a Listing,
    ) -> impl Iterator<Item = (&'a Key, &'a Slot)> + use<'a> {
        let start = Key {
            kind: listing.kind,
            parent: listing.parent.clone(),
            name: String::new(),
        };
        self.slots
            .range(start..)
            .take_while(move |(key, _)| {
                key.kind == listing.kind && key.parent.starts_with(&listing.parent)
            })
            .filter(move |(key, _)| {
                let rest = &key.parent[listing.parent.len()..];
                rest.is_empty() || (listing.deep && rest.starts_with('/'))
            })
    }

    fn computed(&self, key: &Key) -> Option<(&Arc<Generated>, Place, u64)> {
        let base = self.base.as_ref()?;
        let place = base.place(&key.parent)?;
        let index = base.find(key.kind, place, &key.name)?;
        Some((base, place, index))
    }
}

/// The time by which jobs and recovery points are ordered.
fn time_of(value: &Value) -> &str {
    let properties = &value["properties"];
    properties["startTime"]
        .as_str()
        .or_else(|| properties["recoveryPointTime"].as_str())
        .unwrap_or_default()
}

fn hex(text: &str) -> String {
    text.bytes().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> String {
    let bytes = text.as_bytes().chunks(2).filter_map(|pair| {
        let pair = std::str::from_utf8(pair).ok()?;
        u8::from_str_radix(pair, 16).ok()
    });
    String::from_utf8_lossy(&bytes.collect::<Vec<u8>>()).into_owned()
}
