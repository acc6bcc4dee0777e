//! Providers and their services, from one or several sources. A `provider.yaml` is read when the registry is opened, a
//! service document when it is first asked for, and then kept.
//! Refuses documents without a provider name; services whose file a source does not hold are not listed.

use std::sync::{Arc, OnceLock};

use indexmap::IndexMap;

use crate::document::{self, RawProvider};
use crate::error::{Error, Problem, SourceError};
use crate::names;
use crate::read;
use crate::resource::{Resource, Service};
use crate::source::SpecSource;

/// All providers that are known.
#[derive(Debug, Default)]
pub struct Registry {
    providers: Vec<Arc<Provider>>,
}

/// A provider of services.
#[derive(Debug)]
pub struct Provider {
    /// Its name in SQL.
    pub name: String,
    /// Title for people.
    pub title: Option<String>,
    /// Version of its document.
    pub version: Option<String>,
    /// The document's words on it.
    pub description: Option<String>,
    /// Type of its authentication (`config.auth.type`), such as `azure_default`.
    pub auth: Option<String>,
    services: IndexMap<String, LazyService>,
}

/// What is known of a service before its document is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceEntry {
    /// Its name in SQL.
    pub name: String,
    /// Title for people.
    pub title: Option<String>,
    /// The document's words on it.
    pub description: Option<String>,
    /// Version of its document.
    pub version: Option<String>,
}

#[derive(Debug)]
struct LazyService {
    entry: ServiceEntry,
    source: Arc<dyn SpecSource>,
    file: String,
    read: OnceLock<Result<Arc<Service>, Error>>,
}

impl Registry {
    /// Reads the `provider.yaml` of all sources. Services of later sources replace those of the same name of earlier
    /// ones, and later versions in one source replace earlier ones.
    ///
    /// # Errors
    /// A source cannot be listed, or a `provider.yaml` cannot be read or is wrong.
    pub fn open(sources: Vec<Arc<dyn SpecSource>>) -> Result<Self, Error> {
        let mut providers: Vec<Provider> = Vec::new();
        for source in sources {
            let documents = source
                .documents()
                .map_err(|cause| source_error(source.place(""), cause))?;
            if documents.is_empty() {
                return Err(Error::Document {
                    file: source.place(""),
                    place: String::new(),
                    problem: Problem::NoProvider,
                });
            }
            for file in documents {
                let provider = read_provider(&source, &file)?;
                match providers
                    .iter_mut()
                    .find(|known| names::same(&known.name, &provider.name))
                {
                    Some(known) => known.absorb(provider),
                    None => providers.push(provider),
                }
            }
        }
        Ok(Self {
            providers: providers.into_iter().map(Arc::new).collect(),
        })
    }

    /// All providers, in the order in which they were found.
    pub fn providers(&self) -> impl Iterator<Item = &Arc<Provider>> {
        self.providers.iter()
    }

    /// The provider of this name in any spelling.
    #[must_use]
    pub fn provider(&self, name: &str) -> Option<&Arc<Provider>> {
        self.providers
            .iter()
            .find(|provider| names::same(&provider.name, name))
    }

    /// The resource of these names in any spelling. `None` if one of the three is not known.
    ///
    /// # Errors
    /// The service's document cannot be read or is wrong.
    pub fn resource(
        &self,
        provider: &str,
        service: &str,
        resource: &str,
    ) -> Result<Option<Arc<Resource>>, Error> {
        let Some(provider) = self.provider(provider) else {
            return Ok(None);
        };
        let service = provider.service(service)?;
        Ok(service.and_then(|service| service.resource(resource).map(Arc::clone)))
    }
}

impl Provider {
    /// Its services. No document is read for it.
    pub fn services(&self) -> impl Iterator<Item = &ServiceEntry> {
        self.services.values().map(|service| &service.entry)
    }

    /// The service of this name in any spelling, read at first use and then kept.
    ///
    /// # Errors
    /// Its document cannot be read or is wrong. The same error is given each time.
    pub fn service(&self, name: &str) -> Result<Option<Arc<Service>>, Error> {
        let Some(lazy) = self
            .services
            .values()
            .find(|service| names::same(&service.entry.name, name))
        else {
            return Ok(None);
        };
        let read = lazy
            .read
            .get_or_init(|| self.read_service(lazy).map(Arc::new));
        read.as_ref()
            .map(|service| Some(Arc::clone(service)))
            .map_err(Clone::clone)
    }

    fn read_service(&self, lazy: &LazyService) -> Result<Service, Error> {
        let place = lazy.source.place(&lazy.file);
        let text = match lazy.source.read(&lazy.file) {
            Ok(text) => text,
            Err(cause) => return Err(source_error(place, cause)),
        };
        let has_locations = || self.has_locations(&lazy.entry.name);
        read::service(&place, &text, &self.name, &lazy.entry.name, &has_locations)
    }

    /// The service `resource` cannot be asked while it is being read itself, and it is not read in vain: a verb names its
    /// method by a pointer, so that a text without that pointer holds no such table.
    fn has_locations(&self, asking: &str) -> bool {
        const POINTER: &str = "/x-stackQL-resources/locations/methods/";
        let Some(lazy) = self
            .services
            .get("resource")
            .filter(|_| !names::same(asking, "resource"))
        else {
            return false;
        };
        let unread = lazy.read.get().is_none();
        if unread
            && !lazy
                .source
                .read(&lazy.file)
                .is_ok_and(|text| text.contains(POINTER))
        {
            return false;
        }
        matches!(self.service("resource"), Ok(Some(service)) if service.resource("locations").is_some())
    }

    /// The name of the provider keeps its first spelling, as do its words; services are replaced.
    fn absorb(&mut self, later: Self) {
        self.title = self.title.take().or(later.title);
        self.description = self.description.take().or(later.description);
        self.version = later.version.or(self.version.take());
        self.auth = self.auth.take().or(later.auth);
        for (fold, service) in later.services {
            self.services.insert(fold, service);
        }
    }
}

fn read_provider(source: &Arc<dyn SpecSource>, file: &str) -> Result<Provider, Error> {
    let place = source.place(file);
    let text = match source.read(file) {
        Ok(text) => text,
        Err(cause) => return Err(source_error(place, cause)),
    };
    let raw: RawProvider = document::parse(&place, &text)?;
    let name = raw.name.or(raw.id).ok_or_else(|| Error::Document {
        file: place,
        place: String::new(),
        problem: Problem::Missing("name"),
    })?;
    let mut services = IndexMap::new();
    for (key, service) in raw.services {
        let Some(path) = service.service.and_then(|reference| reference.reference) else {
            continue;
        };
        if !source.contains(&path) {
            continue;
        }
        let entry = ServiceEntry {
            name: service.name.unwrap_or(key),
            title: service.title,
            description: service.description,
            version: service.version,
        };
        let lazy = LazyService {
            entry,
            source: Arc::clone(source),
            file: path,
            read: OnceLock::new(),
        };
        services.insert(names::fold(&lazy.entry.name), lazy);
    }
    Ok(Provider {
        name,
        title: raw.title,
        version: raw.version,
        description: raw.description,
        auth: raw.config.auth.and_then(|auth| auth.kind),
        services,
    })
}

fn source_error(file: String, cause: SourceError) -> Error {
    Error::Source { file, cause }
}
