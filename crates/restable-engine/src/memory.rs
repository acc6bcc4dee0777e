//! The memory of walks: what each list held when it was last read to its end. EXPLAIN predicts from it, and sends nothing. It is kept in the
//! process and, best effort, in a small file of the state directory: one for each estate (provider, endpoint, cloud, tenant and principal), so
//! that two of them are never mixed. Only lists that were read whole are in it; a walk that broke off leaves what is sure.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use restable_http::Client;
use serde::{Deserialize, Serialize};

use crate::statement::lock;
use crate::walk::Scope;

/// The version of the file's form. Another one is not read, and is written anew.
const FORM: u32 = 1;
/// The names of so many rows of a list are kept; of a longer one only how many there are.
const ROWS: usize = 10_000;
/// So many names are kept in all.
const NAMES: usize = 200_000;
/// So many lists are kept; those that were read longest ago go first.
const LISTS: usize = 100_000;
/// What nobody has read for so long is forgotten.
const OLD: u64 = 90 * 86_400;
/// A larger file is none of ours.
const FILE_BYTES: u64 = 64 << 20;
/// Where only the times changed the file is written after this time.
const PAUSE: Duration = Duration::from_secs(60);

/// Where the memory is kept beside the process, and which estate each provider's calls go to.
#[derive(Debug, Clone, Default)]
pub struct MemoryPlace {
    /// The directory; `None`: the memory ends with the process.
    pub directory: Option<PathBuf>,
    /// What tells the estate of a provider from others, in words: endpoint, cloud, tenant, principal.
    pub estates: HashMap<String, String>,
}

/// What the lists of all providers held.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    place: MemoryPlace,
    providers: Mutex<HashMap<String, Provider>>,
}

/// One list as it was read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Seen {
    /// When, in seconds since 1970.
    pub at: u64,
    /// Its pages.
    pub pages: u64,
    /// Its rows.
    pub rows: u64,
    /// What the call was bound to, by folded name.
    pub scope: BTreeMap<String, String>,
    /// The columns of the names, folded; none if they were not taken.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub columns: Vec<String>,
    /// The rows' names, where other lists are enumerated by them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub names: Option<Vec<Vec<Option<String>>>>,
}

/// The lists of one estate. `service.resource.method`, then what the call was bound to.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Lists {
    form: u32,
    estate: String,
    /// Who read them, where the token told.
    principal: Option<String>,
    lists: BTreeMap<String, BTreeMap<String, Seen>>,
}

#[derive(Debug, Default)]
struct Provider {
    lists: Arc<Lists>,
    loaded: bool,
    /// When the file was last written or read here.
    written: Option<Instant>,
    /// Its time then: another process may have written since.
    stamp: Option<SystemTime>,
    path: Option<PathBuf>,
    /// Whether something was read since the file was written.
    unwritten: bool,
    /// Whether it was not what it had been.
    fresh: bool,
}

impl Provider {
    fn write(&mut self) {
        (self.written, self.fresh, self.unwritten) = (Some(Instant::now()), false, false);
        let lists = Arc::make_mut(&mut self.lists);
        lists.tidy();
        let Some(path) = &self.path else { return };
        // Another process may have read other lists meanwhile.
        if stamp(path) != self.stamp
            && let Some(theirs) = read(path, lists)
        {
            for (list, seen) in theirs.lists {
                for seen in seen.into_values() {
                    lists.put(list.clone(), seen);
                }
            }
        }
        match write(path, lists) {
            Ok(()) => self.stamp = stamp(path),
            Err(problem) => {
                tracing::debug!(path = %path.display(), %problem, "the memory of walks is not written");
            }
        }
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        for known in lock(&self.providers).values_mut() {
            if known.unwritten {
                known.write();
            }
        }
    }
}

/// What one list is known by.
pub(crate) fn list_name(service: &str, resource: &str, method: &str) -> String {
    format!("{service}.{resource}.{method}")
}

fn scope_name<'a>(scope: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    let mut name = String::new();
    for (parameter, value) in scope {
        let _ = write!(name, "{parameter}={}/", value.to_ascii_lowercase());
    }
    name
}

impl Seen {
    /// A list that has just been read. Names of a long one are dropped.
    pub(crate) fn now(scope: &Scope, pages: u64, rows: u64, named: Option<Named>) -> Seen {
        let (columns, names) = match named {
            Some(named) if named.rows.len() <= ROWS => (named.columns, Some(named.rows)),
            _ => (Vec::new(), None),
        };
        let scope = scope.iter();
        Seen {
            at: now(),
            pages,
            rows,
            scope: scope
                .map(|(name, value)| (name.clone(), value.to_string()))
                .collect(),
            columns,
            names,
        }
    }
}

/// The spelling of each name by its folded column and itself in lower case; none where there were several.
#[derive(Debug, Default)]
pub(crate) struct Spelled(HashMap<(String, String), Option<String>>);

impl Spelled {
    /// Whether a name was spelled in one way wherever it was read.
    pub(crate) fn has_one(&self, column: &str, name: &str) -> bool {
        let key = (column.to_owned(), name.to_ascii_lowercase());
        self.0.get(&key).is_some_and(Option::is_some)
    }
}

/// The names of the rows of a list.
#[derive(Debug, Clone, Default)]
pub(crate) struct Named {
    /// The columns, folded.
    pub columns: Vec<String>,
    /// A row each.
    pub rows: Vec<Vec<Option<String>>>,
}

impl Lists {
    /// The list of a method with this scope, as it was last read.
    pub(crate) fn exact(&self, list: &str, scope: &Scope) -> Option<&Seen> {
        let scope = scope.iter().map(|(name, value)| (&**name, &**value));
        self.lists.get(list)?.get(&scope_name(scope))
    }

    /// A list of the same resource that holds all rows of this scope and perhaps more, and `fits`.
    pub(crate) fn wider(
        &self,
        service: &str,
        resource: &str,
        scope: &Scope,
        fits: impl Fn(&&Seen) -> bool,
    ) -> Option<&Seen> {
        let prefix = list_name(service, resource, "");
        let of_resource = self.lists.range(prefix.clone()..);
        let of_resource = of_resource.take_while(|(name, _)| name.starts_with(&prefix));
        for (_, lists) in of_resource {
            // The lists of a method have few shapes: names that are bound, in their order.
            let shapes: BTreeSet<Vec<&str>> = match lists.values().next() {
                Some(first) if lists.len() == 1 => [shape(first)].into(),
                _ => lists.values().map(shape).collect(),
            };
            for shape in shapes {
                let part: Option<Vec<(&str, &str)>> = shape
                    .iter()
                    .map(|name| Some((*name, &**scope.get(*name)?)))
                    .collect();
                let found = part.and_then(|part| lists.get(&scope_name(part.into_iter())));
                let found = found.filter(&fits);
                if found.is_some() {
                    return found;
                }
            }
        }
        None
    }

    /// How the names of rows were spelled.
    pub(crate) fn spelled(&self) -> Spelled {
        let mut spelled = Spelled::default();
        for seen in self.lists.values().flat_map(BTreeMap::values) {
            for row in seen.names.iter().flatten() {
                for (column, name) in seen.columns.iter().zip(row) {
                    let Some(name) = name else { continue };
                    let key = (column.clone(), name.to_ascii_lowercase());
                    let known = spelled.0.entry(key);
                    let known = known.or_insert_with(|| Some(name.clone()));
                    if known.as_ref().is_some_and(|known| known != name) {
                        *known = None;
                    }
                }
            }
        }
        spelled
    }

    fn put(&mut self, list: String, seen: Seen) -> bool {
        let scope = seen.scope.iter();
        let scope = scope_name(scope.map(|(name, value)| (&**name, &**value)));
        let lists = self.lists.entry(list).or_default();
        match lists.get_mut(&scope) {
            Some(known) if known.at > seen.at => false,
            Some(known) => {
                let mut seen = seen;
                // A read that took no names says nothing against those that are known, as long as there are as many.
                let keeps = seen.names.is_none() && seen.rows == known.rows;
                let changed = (seen.pages, seen.rows) != (known.pages, known.rows)
                    || !keeps && (&seen.names, &seen.columns) != (&known.names, &known.columns);
                if keeps {
                    seen.columns = std::mem::take(&mut known.columns);
                    seen.names = known.names.take();
                }
                *known = seen;
                changed
            }
            None => {
                lists.insert(scope, seen);
                true
            }
        }
    }

    /// Forgets what is old, and what is too much.
    fn tidy(&mut self) {
        let oldest = now().saturating_sub(OLD);
        let mut times: Vec<u64> = self
            .lists
            .values()
            .flat_map(|lists| lists.values().map(|seen| seen.at))
            .collect();
        times.sort_unstable();
        let excess = times.len().saturating_sub(LISTS);
        let oldest = match excess {
            0 => oldest,
            excess => oldest.max(times[excess - 1] + 1),
        };
        let mut names = 0;
        for lists in self.lists.values_mut() {
            lists.retain(|_, seen| seen.at >= oldest);
            for seen in lists.values_mut() {
                names += seen.names.as_ref().map_or(0, Vec::len);
                if names > NAMES {
                    (seen.names, seen.columns) = (None, Vec::new());
                }
            }
        }
        self.lists.retain(|_, lists| !lists.is_empty());
    }
}

fn shape(seen: &Seen) -> Vec<&str> {
    seen.scope.keys().map(String::as_str).collect()
}

impl Memory {
    pub(crate) fn new(place: MemoryPlace) -> Memory {
        Memory {
            place,
            providers: Mutex::default(),
        }
    }

    /// What is known of a provider's lists. Sends nothing.
    pub(crate) fn recall(&self, provider: &str, client: Option<&Client>) -> Arc<Lists> {
        let mut providers = lock(&self.providers);
        let known = providers.entry(provider.to_owned()).or_default();
        self.load(provider, client, known);
        let principal = client.and_then(principal);
        match (&known.lists.principal, principal) {
            // Somebody else's estate.
            (Some(theirs), Some(ours)) if *theirs != ours => Arc::default(),
            _ => Arc::clone(&known.lists),
        }
    }

    /// Keeps what a statement saw. What cannot be written is kept in the process only.
    pub(crate) fn keep(&self, provider: &str, client: Option<&Client>, seen: Vec<(String, Seen)>) {
        if seen.is_empty() {
            return;
        }
        let mut providers = lock(&self.providers);
        let known = providers.entry(provider.to_owned()).or_default();
        self.load(provider, client, known);
        let lists = Arc::make_mut(&mut known.lists);
        let principal = client.and_then(principal);
        if let (Some(theirs), Some(ours)) = (&lists.principal, &principal)
            && theirs != ours
        {
            lists.lists.clear();
            known.fresh = true;
        }
        lists.principal = principal.or_else(|| lists.principal.take());
        for (list, seen) in seen {
            known.fresh |= lists.put(list, seen);
        }
        known.path = self.path(provider, client);
        // A large file is not written for each statement: at the end of the process it is.
        let count: usize = known.lists.lists.values().map(BTreeMap::len).sum();
        let pause = match known.fresh {
            true => Duration::from_millis(count as u64),
            false => PAUSE,
        };
        known.unwritten = true;
        if known
            .written
            .is_none_or(|written| written.elapsed() >= pause)
        {
            known.write();
        }
    }

    fn load(&self, provider: &str, client: Option<&Client>, known: &mut Provider) {
        let path = self.path(provider, client);
        let newer = path
            .as_deref()
            .and_then(stamp)
            .is_some_and(|time| known.stamp != Some(time));
        if known.loaded && !newer {
            return;
        }
        let first = !known.loaded;
        known.loaded = true;
        let lists = Arc::make_mut(&mut known.lists);
        if first {
            lists.form = FORM;
            lists.estate = self.estate(provider, client);
        }
        let Some(path) = path else { return };
        known.stamp = stamp(&path);
        if let Some(found) = read(&path, lists) {
            lists.principal = lists.principal.take().or(found.principal);
            for (list, seen) in found.lists {
                for seen in seen.into_values() {
                    lists.put(list.clone(), seen);
                }
            }
        }
    }

    fn estate(&self, provider: &str, client: Option<&Client>) -> String {
        let mut estate = provider.to_owned();
        if let Some(named) = self.place.estates.get(provider) {
            let _ = write!(estate, " {named}");
        }
        if let Some(endpoint) = client.and_then(|client| client.config().endpoint.as_ref()) {
            let _ = write!(estate, " {}", endpoint.origin().ascii_serialization());
        }
        estate
    }

    fn path(&self, provider: &str, client: Option<&Client>) -> Option<PathBuf> {
        let directory = self.place.directory.as_ref()?;
        let name = fingerprint(&self.estate(provider, client));
        Some(directory.join(format!("{provider}-{name:016x}.json")))
    }
}

/// Who the calls are made as, as far as that is known without asking.
fn principal(client: &Client) -> Option<String> {
    let identity = client.known_identity()?;
    let principal = identity.principal.unwrap_or_else(|| "nobody".to_owned());
    Some(match identity.tenant {
        Some(tenant) => format!("{principal} of {tenant}"),
        None => principal,
    })
}

/// FNV-1a: the same in every build, and the file says itself which estate it is of.
fn fingerprint(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// Now, in seconds since 1970.
pub(crate) fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs())
}

fn stamp(path: &Path) -> Option<SystemTime> {
    std::fs::metadata(path).ok()?.modified().ok()
}

/// The file, if it is one of ours, of this estate and of nobody else.
fn read(path: &Path, ours: &Lists) -> Option<Lists> {
    let facts = std::fs::metadata(path).ok()?;
    if !facts.is_file() || facts.len() > FILE_BYTES {
        return None;
    }
    let found: Lists = serde_json::from_slice(&std::fs::read(path).ok()?).ok()?;
    let same = match (&found.principal, &ours.principal) {
        (Some(theirs), Some(ours)) => theirs == ours,
        _ => true,
    };
    (found.form == FORM && found.estate == ours.estate && same).then_some(found)
}

/// Writes the file whole, beside the old one, which it replaces.
fn write(path: &Path, lists: &Lists) -> io::Result<()> {
    let directory = path.parent().unwrap_or(Path::new("."));
    make_directory(directory)?;
    let text = serde_json::to_vec(lists)?;
    let beside = path.with_extension(format!("{}.tmp", std::process::id()));
    let written = create(&beside)
        .and_then(|mut file| file.write_all(&text))
        .and_then(|()| std::fs::rename(&beside, path));
    if written.is_err() {
        let _ = std::fs::remove_file(&beside);
    }
    written
}

/// Only its user reads it.
fn make_directory(path: &Path) -> io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

fn create(path: &Path) -> io::Result<std::fs::File> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
#[path = "tests/memory.rs"]
mod tests;
