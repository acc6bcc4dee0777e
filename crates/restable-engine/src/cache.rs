//! Lists that were read may be used again, for as long as the setting `cache_ttl` says: 0, the default, reads everything anew. What is kept are
//! the bodies of all pages of a list or GET, whole and without a failure, under who asked, and the URL with all of its query. Sets that are
//! acted on are always read live. A call of this process that may change something empties the cache of its provider, and until its operation is
//! known to have ended nothing is kept.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures::stream::{self, BoxStream, StreamExt};
use restable_http::{BodyError, CallContext, CallRecord, Client, Error, ErrorKind, PageRead};
use restable_spec::{BoundCall, CallClass, HttpMethod};

use crate::statement::{Statement, lock};

/// So many bytes of bodies are kept in a process; what was used longest ago goes first.
pub const CACHE_BYTES: usize = 256 << 20;

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Key {
    provider: String,
    principal: String,
    url: String,
}

#[derive(Debug, Clone)]
struct Kept {
    pages: Arc<[Bytes]>,
    /// When its first page was asked for.
    asked: Instant,
    used: u64,
    bytes: usize,
}

#[derive(Debug, Default)]
struct State {
    lists: HashMap<Key, Kept>,
    bytes: usize,
    /// Counts uses.
    clock: u64,
    /// How often the cache of each provider was emptied: what was asked for before may not be kept after.
    emptied: HashMap<String, u64>,
    /// The calls of this process that may still change something, by the journal's numbers: what is read meanwhile is not what will be.
    running: HashMap<String, HashSet<i64>>,
}

/// The lists that a process keeps.
#[derive(Debug, Default)]
pub(crate) struct Cache(Mutex<State>);

impl State {
    fn is_changing(&self, provider: &str) -> bool {
        let running = self.running.get(provider);
        running.is_some_and(|running| !running.is_empty())
    }
}

impl Cache {
    fn find(&self, key: &Key, ttl: Duration, now: Instant) -> Option<(Arc<[Bytes]>, Duration)> {
        let mut state = lock(&self.0);
        state.clock += 1;
        let clock = state.clock;
        let kept = state.lists.get_mut(key)?;
        let age = now.saturating_duration_since(kept.asked);
        if age > ttl {
            return None;
        }
        kept.used = clock;
        Some((Arc::clone(&kept.pages), age))
    }

    fn emptied(&self, provider: &str) -> u64 {
        lock(&self.0)
            .emptied
            .get(provider)
            .copied()
            .unwrap_or_default()
    }

    fn keep(&self, key: Key, pages: Vec<Bytes>, asked: Instant, emptied: u64) {
        let bytes: usize = pages.iter().map(Bytes::len).sum();
        let mut state = lock(&self.0);
        let now = state
            .emptied
            .get(&key.provider)
            .copied()
            .unwrap_or_default();
        if now != emptied || state.is_changing(&key.provider) || bytes > CACHE_BYTES / 4 {
            return;
        }
        state.clock += 1;
        let kept = Kept {
            pages: pages.into(),
            asked,
            used: state.clock,
            bytes,
        };
        state.bytes += bytes;
        if let Some(old) = state.lists.insert(key, kept) {
            state.bytes -= old.bytes;
        }
        while state.bytes > CACHE_BYTES {
            let oldest = state.lists.iter().min_by_key(|(_, kept)| kept.used);
            let Some(oldest) = oldest.map(|(key, _)| key.clone()) else {
                return;
            };
            if let Some(gone) = state.lists.remove(&oldest) {
                state.bytes -= gone.bytes;
            }
        }
    }

    /// A call that may change something of a provider begins, or goes on.
    pub(crate) fn begin(&self, provider: &str, call: Option<i64>) {
        if let Some(call) = call {
            let mut state = lock(&self.0);
            let running = state.running.entry(provider.to_owned());
            running.or_default().insert(call);
        }
        self.empty(provider);
    }

    /// It has ended, as far as this process knows; one that nobody has waited for to its end never does.
    pub(crate) fn end(&self, provider: &str, call: Option<i64>) {
        if let Some(call) = call
            && let Some(running) = lock(&self.0).running.get_mut(provider)
        {
            running.remove(&call);
        }
        self.empty(provider);
    }

    /// Something of a provider may have changed.
    fn empty(&self, provider: &str) {
        let mut state = lock(&self.0);
        *state.emptied.entry(provider.to_owned()).or_default() += 1;
        let gone: Vec<Key> = state
            .lists
            .keys()
            .filter(|key| key.provider == provider)
            .cloned()
            .collect();
        for key in gone {
            if let Some(gone) = state.lists.remove(&key) {
                state.bytes -= gone.bytes;
            }
        }
    }
}

/// The pages of a call, as it was read before if that may be, else live; `read` makes of each body what is wanted of it.
pub(crate) fn pages<T: Send + 'static>(
    statement: &Arc<Statement>,
    provider: &str,
    client: &Client,
    call: BoundCall,
    context: CallContext,
    peek: impl FnMut(&Bytes) -> Option<String> + Send + 'static,
    read: impl Fn(&Bytes) -> Result<PageRead<T>, BodyError> + Send + 'static,
) -> BoxStream<'static, Result<T, Error>> {
    let Some(ttl) = statement.cache_ttl() else {
        return client
            .pages_ahead(call, context, peek, move |body| read(&body))
            .boxed();
    };
    if call.class != CallClass::Read || call.http != HttpMethod::Get {
        return client
            .pages_ahead(call, context, peek, move |body| read(&body))
            .boxed();
    }
    let (cache, client, provider) = (
        Arc::clone(statement.cache()),
        client.clone(),
        provider.to_owned(),
    );
    let found = async move {
        let refused = |problem: Error| stream::once(std::future::ready(Err(problem))).boxed();
        let identity = match client.identity().await {
            Ok(identity) => identity,
            Err(problem) => return refused(problem),
        };
        let (url, shown) = match client.url(call.clone()) {
            Ok(urls) => urls,
            Err(problem) => return refused(problem),
        };
        let principal = format!("{:?} {:?}", identity.tenant, identity.principal);
        let key = Key {
            provider,
            principal,
            url,
        };
        let now = client.now();
        match cache.find(&key, ttl, now) {
            Some((pages, age)) => again(pages, age, &call, shown, context, read, client),
            None => {
                let place = Place {
                    emptied: cache.emptied(&key.provider),
                    cache,
                    key,
                    asked: now,
                };
                live(place, &client, call, context, peek, read)
            }
        }
    };
    stream::once(found).flatten().boxed()
}

/// The pages of a list that was read before.
fn again<T: Send + 'static>(
    pages: Arc<[Bytes]>,
    age: Duration,
    call: &BoundCall,
    url: String,
    context: CallContext,
    read: impl Fn(&Bytes) -> Result<PageRead<T>, BodyError> + Send + 'static,
    client: Client,
) -> BoxStream<'static, Result<T, Error>> {
    let record = CallRecord {
        operation_id: call.operation_id.clone(),
        scope: call.scope.clone(),
        method: call.http.as_str(),
        url,
        page: 1,
        status: None,
        attempts: 0,
        bytes: 0,
        wire_bytes: 0,
        milliseconds: 0,
        throttled_milliseconds: 0,
        rows: None,
        first_row_milliseconds: None,
        age: Some(age),
        client_request_id: String::new(),
        request_id: None,
    };
    stream::iter(0..pages.len())
        .map(move |at| {
            let body = &pages[at];
            let page = read(body).map_err(|wrong| Error::of(ErrorKind::Body, wrong.message))?;
            let record = CallRecord {
                page: at + 1,
                bytes: body.len() as u64,
                rows: Some(page.row_count as u64),
                ..record.clone()
            };
            context.meter.record_cached(record, age, client.now());
            Ok(page.rows)
        })
        .boxed()
}

/// Where the pages of a list are kept.
struct Place {
    cache: Arc<Cache>,
    key: Key,
    /// When the list was asked for, and how often the cache of the provider had been emptied then.
    asked: Instant,
    emptied: u64,
}

/// The pages as the service answers them; kept if all of them come.
fn live<T: Send + 'static>(
    place: Place,
    client: &Client,
    call: BoundCall,
    context: CallContext,
    peek: impl FnMut(&Bytes) -> Option<String> + Send + 'static,
    read: impl Fn(&Bytes) -> Result<PageRead<T>, BodyError> + Send + 'static,
) -> BoxStream<'static, Result<T, Error>> {
    let Place {
        cache,
        key,
        asked,
        emptied,
    } = place;
    let bodies = Arc::new(Mutex::new((Some(Vec::new()), 0_usize)));
    let taken = Arc::clone(&bodies);
    let pages = client.pages_ahead(call, context, peek, move |body| {
        let mut taken = lock(&taken);
        taken.1 += body.len();
        if taken.1 > CACHE_BYTES / 4 {
            taken.0 = None;
        }
        if let Some(bodies) = &mut taken.0 {
            bodies.push(body.clone());
        }
        drop(taken);
        read(&body)
    });
    let mut key = Some(key);
    pages
        .map(Some)
        .chain(stream::once(std::future::ready(None)))
        .filter_map(move |page| {
            match &page {
                Some(Ok(_)) => {}
                // What failed, and what came before it, is not kept.
                Some(Err(_)) => key = None,
                None => {
                    let bodies = lock(&bodies).0.take();
                    if let (Some(key), Some(bodies)) = (key.take(), bodies) {
                        cache.keep(key, bodies, asked, emptied);
                    }
                }
            }
            std::future::ready(page)
        })
        .boxed()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(provider: &str, principal: &str, url: &str) -> Key {
        Key {
            provider: provider.to_owned(),
            principal: principal.to_owned(),
            url: url.to_owned(),
        }
    }

    #[test]
    fn what_is_kept_for_whom_and_how_long() {
        let cache = Cache::default();
        let begin = Instant::now();
        let list = key("p", "a", "/x?api-version=1");
        cache.keep(list.clone(), vec![Bytes::from_static(b"{}")], begin, 0);
        let (ttl, later) = (Duration::from_secs(30), begin + Duration::from_secs(20));
        let found = cache.find(&list, ttl, later);
        assert_eq!(
            found.map(|(pages, age)| (pages.len(), age.as_secs())),
            Some((1, 20))
        );
        assert!(cache.find(&list, Duration::from_secs(10), later).is_none());
        for other in [
            key("p", "b", "/x?api-version=1"),
            key("p", "a", "/x?api-version=2"),
            key("q", "a", "/x?api-version=1"),
        ] {
            assert!(cache.find(&other, ttl, later).is_none(), "{other:?}");
        }
        // What was asked for before something changed is not kept after it.
        let before = cache.emptied("p");
        cache.empty("p");
        assert!(cache.find(&list, ttl, later).is_none());
        cache.keep(list.clone(), vec![Bytes::from_static(b"{}")], begin, before);
        assert!(cache.find(&list, ttl, later).is_none());
        cache.keep(
            list.clone(),
            vec![Bytes::from_static(b"{}")],
            begin,
            cache.emptied("p"),
        );
        cache.empty("q");
        assert!(cache.find(&list, ttl, later).is_some());
        // While something runs nothing is kept of its provider.
        cache.begin("p", Some(7));
        assert!(cache.find(&list, ttl, later).is_none());
        let keep = || {
            let emptied = cache.emptied("p");
            cache.keep(
                list.clone(),
                vec![Bytes::from_static(b"{}")],
                begin,
                emptied,
            );
            cache.find(&list, ttl, later).is_some()
        };
        assert!(!keep());
        cache.end("p", Some(8));
        assert!(!keep());
        cache.end("p", Some(7));
        assert!(keep());
    }

    #[test]
    fn is_bounded() {
        let cache = Cache::default();
        let now = Instant::now();
        let page = Bytes::from(vec![b' '; CACHE_BYTES / 8]);
        for number in 0..20 {
            cache.keep(
                key("p", "a", &number.to_string()),
                vec![page.clone()],
                now,
                0,
            );
            // The first is used again and again, and stays.
            assert!(
                cache
                    .find(&key("p", "a", "0"), Duration::MAX, now)
                    .is_some()
            );
            assert!(lock(&cache.0).bytes <= CACHE_BYTES);
        }
        assert_eq!(lock(&cache.0).lists.len(), 8);
        let large = Bytes::from(vec![b' '; CACHE_BYTES / 4 + 1]);
        cache.keep(key("p", "a", "large"), vec![large], now, 0);
        assert!(
            cache
                .find(&key("p", "a", "large"), Duration::MAX, now)
                .is_none()
        );
    }
}
