//! Values that belong together: which vault in which group of which subscription. Beside lists of single values they are what a scan is
//! narrowed by when another table names its scopes. Values compare without regard to ASCII case, as names of scopes do.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::walk::{Bindings, Scope};

/// So many names are the most that a relation may have: a set of them is a number.
const MOST_NAMES: usize = 32;

/// The rows that have certain values, found by them.
type Index = HashMap<String, Vec<u32>>;

/// Rows of values for some parameters.
pub struct Relation {
    /// Tells two relations apart, whatever is in them.
    number: u64,
    /// The parameters, by folded name.
    names: Vec<String>,
    /// Which of the values that it was made of each of them is.
    places: Vec<usize>,
    rows: Vec<Vec<Arc<str>>>,
    /// Whether the statement says them.
    written: bool,
    /// By the set of names that is asked for.
    indices: Mutex<HashMap<u32, Arc<Index>>>,
}

impl fmt::Debug for Relation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (number, names, places) = (self.number, &self.names, &self.places);
        write!(formatter, "number {number}: {names:?} {places:?}")
    }
}

impl Relation {
    /// Rows over parameters of these folded names; `None` if there are too many names.
    pub(crate) fn new(names: Vec<String>, rows: Vec<Vec<Arc<str>>>) -> Option<Relation> {
        static NUMBERS: AtomicU64 = AtomicU64::new(0);
        let fits = names.len() <= MOST_NAMES && u32::try_from(rows.len()).is_ok();
        fits.then(|| Relation {
            number: NUMBERS.fetch_add(1, Ordering::Relaxed),
            places: (0..names.len()).collect(),
            names,
            rows,
            written: false,
            indices: Mutex::default(),
        })
    }

    /// The same rows as the statement writes them.
    pub(crate) fn written(self) -> Relation {
        Relation {
            written: true,
            ..self
        }
    }

    /// Whether the statement says them; else they were found while it ran.
    pub(crate) fn is_written(&self) -> bool {
        self.written
    }

    /// How many different values there are of all names but the last, if each of them stands with so few of the last; `None`: with more.
    pub(crate) fn groups_of(&self, last: &str, few: usize) -> Option<usize> {
        let groups = self.mask(|name| name != last);
        let index = self.index(groups);
        index
            .values()
            .all(|rows| rows.len() <= few)
            .then(|| index.len())
    }

    /// The parameters, by folded name.
    pub(crate) fn names(&self) -> &[String] {
        &self.names
    }

    /// The number of rows.
    pub(crate) fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there is no row.
    pub(crate) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The same rows for parameters of other names; those without a name are left out.
    pub(crate) fn renamed(&self, rename: impl Fn(&str) -> Option<String>) -> Option<Relation> {
        let kept = self.names.iter().enumerate();
        let kept: Vec<(usize, String)> = kept
            .filter_map(|(at, name)| Some((at, rename(name)?)))
            .collect();
        if kept.is_empty() {
            return None;
        }
        let mut seen = HashSet::new();
        let places: Vec<usize> = kept.iter().map(|(at, _)| *at).collect();
        let rows = self.rows.iter();
        let rows = rows.filter(|row| seen.insert(key(places.iter().map(|at| &row[*at]))));
        let rows = rows.map(|row| places.iter().map(|at| Arc::clone(&row[*at])).collect());
        let rows: Vec<Vec<Arc<str>>> = rows.collect();
        let mut renamed = Relation::new(kept.into_iter().map(|(_, name)| name).collect(), rows)?;
        // It says the same, so that two scans that are narrowed by one thing share the listings of their parents.
        renamed.number = self.number;
        renamed.written = self.written;
        renamed.places = places.iter().map(|at| self.places[*at]).collect();
        Some(renamed)
    }

    /// The different values of one of its names.
    pub(crate) fn values(&self, name: &str) -> Vec<Arc<str>> {
        let Some(at) = self.names.iter().position(|own| own == name) else {
            return Vec::new();
        };
        let mut seen = HashSet::new();
        let values = self.rows.iter().map(|row| &row[at]);
        let values = values.filter(|value| seen.insert(value.to_ascii_lowercase()));
        values.map(Arc::clone).collect()
    }

    /// Whether a row has the values that a scope has; what the scope does not say lets it through.
    pub(crate) fn allows(&self, scope: &Scope) -> bool {
        let mask = self.mask(|name| scope.contains_key(name));
        mask == 0 || self.index(mask).contains_key(&self.key_of(mask, scope))
    }

    /// The scope with the values of each row that agrees with it, for the names among `wanted` that it does not say. Each once.
    pub(crate) fn extend(&self, scope: &Scope, wanted: &Bindings) -> Vec<Scope> {
        let said = self.mask(|name| scope.contains_key(name));
        let index = self.index(said);
        let rows = index.get(&self.key_of(said, scope));
        let open: Vec<usize> = (0..self.names.len())
            .filter(|at| said & (1 << at) == 0 && wanted.contains_key(&self.names[*at]))
            .collect();
        let mut seen = HashSet::new();
        let rows = rows
            .into_iter()
            .flatten()
            .map(|row| &self.rows[*row as usize]);
        let rows = rows.filter(|row| seen.insert(key(open.iter().map(|at| &row[*at]))));
        let extended = rows.map(|row| {
            let mut scope = scope.clone();
            for at in &open {
                scope.insert(self.names[*at].clone(), Arc::clone(&row[*at]));
            }
            scope
        });
        extended.collect()
    }

    /// The number of different rows of these names, by folded name.
    pub(crate) fn distinct(&self, wanted: impl Fn(&str) -> bool) -> usize {
        self.index(self.mask(wanted)).len()
    }

    fn mask(&self, has: impl Fn(&str) -> bool) -> u32 {
        let names = self.names.iter().enumerate();
        names
            .filter(|(_, name)| has(name))
            .fold(0, |mask, (at, _)| mask | 1 << at)
    }

    fn key_of(&self, mask: u32, scope: &Scope) -> String {
        let names = self.names.iter().enumerate();
        let names = names.filter(|(at, _)| mask & (1 << at) != 0);
        key(names.filter_map(|(_, name)| scope.get(name)))
    }

    fn index(&self, mask: u32) -> Arc<Index> {
        let mut indices = self.indices.lock().unwrap_or_else(PoisonError::into_inner);
        let index = indices.entry(mask).or_insert_with(|| {
            let mut index = Index::new();
            for (number, row) in (0_u32..).zip(&self.rows) {
                let values = row.iter().enumerate();
                let values = values.filter(|(at, _)| mask & (1 << at) != 0);
                let key = key(values.map(|(_, value)| value));
                index.entry(key).or_default().push(number);
            }
            Arc::new(index)
        });
        Arc::clone(index)
    }
}

/// Values as one text. No value has a control character in it, so that two rows have one text only if they are the same.
fn key<'v>(values: impl Iterator<Item = &'v Arc<str>>) -> String {
    let mut key = String::new();
    for value in values {
        key.push_str(&value.to_ascii_lowercase());
        key.push('\n');
    }
    key
}
