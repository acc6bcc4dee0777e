//! From flags and settings to an engine: which documents, where each provider's calls go, and as whom. Owns the rules of credentials of the
//! command line; restable-http holds them once more for every single call.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use arm_emulator::{ClockKind, Emulator, Options};
use restable_engine::acting::JournalPlace;
use restable_engine::snapshots::DataPlace;
use restable_engine::{Engine, MemoryPlace, Origin, Passing, Session};
use restable_http::{
    AzureCredential, Client, ClientConfig, Cloud, Credential, Environment, Scheduler, Secret,
    TokioClock, Trust,
};
use restable_spec::names::same;
use restable_spec::{Builtin, Directory, Provider, Registry, SpecSource};
use url::{Host, Url};

use crate::arguments::{Auth, ConnectionArguments, Grant};
use crate::auxiliary::{self, Auxiliary};
use crate::azure_profile;
use crate::configuration::Configuration;
use crate::error::{Error, Result};
use crate::places;

/// The provider that the emulator stands in for.
const AZURE: &str = "azure";
/// How documents say that a provider takes Azure's credentials.
const AZURE_AUTH: &str = "azure_default";

/// An engine that can call its providers.
#[derive(Debug)]
pub struct Connection {
    /// The engine.
    pub engine: Engine,
    /// Each provider, and how it is called.
    pub routes: Vec<Route>,
    /// The clients of those that can be called.
    pub clients: HashMap<String, Client>,
    /// The subscription that the Azure CLI's profile names, where calls go to Azure as one of its identities.
    profile: Option<String>,
    /// What is kept of an emulator's estate, for as long as that lives.
    #[expect(dead_code, reason = "held for as long as its engine")]
    passing: Option<Passing>,
    /// The emulator of this process; it ends with the value.
    #[expect(dead_code, reason = "held for as long as its calls")]
    emulator: Option<Emulator>,
}

/// How a provider is called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// The provider.
    pub provider: String,
    /// Where its calls go instead of to the server of its documents.
    pub endpoint: Option<Url>,
    /// As whom; `None`: nothing is set up and nothing is called.
    pub auth: Option<Auth>,
    /// The second credential, of the calls that take one.
    pub auxiliary: Option<Auxiliary>,
    /// Whether an Azure credential may go to the endpoint.
    pub trusted: bool,
    /// Why it is so.
    pub reason: &'static str,
}

impl Connection {
    /// A session with these settings and values for placeholders.
    pub async fn session(
        &self,
        configuration: &Configuration,
        variables: &[(String, String)],
    ) -> Result<Session> {
        let mut settings = configuration.settings.clone();
        if let (None, Some(subscription)) = (&settings.default_subscription, &self.profile) {
            // One that is none is not used: the profile is not the user's word on it.
            let _ = settings.set("default_subscription", subscription, Origin::Environment);
        }
        let session = self.engine.session(settings)?;
        for (name, value) in variables {
            session.set_variable(name, value);
        }
        for (key, value) in &configuration.engine_options {
            // DataFusion's settings are known to the session only, which takes them as statements.
            let script = format!("SET {key} = '{}'", value.replace('\'', "''"));
            for parsed in restable_sql::parse(&script)? {
                let set = async { session.run(session.prepare(&parsed).await?).await };
                set.await.map_err(|problem| Error::Setting {
                    place: format!("`{key}`"),
                    message: problem.diagnostic().message,
                    hint: None,
                })?;
            }
        }
        Ok(session)
    }
}

/// Opens the documents, starts the emulator if one is asked for, and sets up a client for each provider. Sends nothing.
pub async fn open(
    arguments: &ConnectionArguments,
    configuration: &Configuration,
    environment: &Environment,
) -> Result<Connection> {
    open_by(ClockKind::Real, arguments, configuration, environment).await
}

/// As [`open`], with an emulator that goes by this clock.
pub async fn open_by(
    clock: ClockKind,
    arguments: &ConnectionArguments,
    configuration: &Configuration,
    environment: &Environment,
) -> Result<Connection> {
    let mut sources: Vec<Arc<dyn SpecSource>> = vec![Arc::new(Builtin)];
    if let Some(directory) = &configuration.provider_specs {
        // A tree that cannot be listed would otherwise be told under a name inside it.
        std::fs::read_dir(directory).map_err(|source| Error::Read {
            path: directory.clone(),
            source,
        })?;
        sources.push(Arc::new(Directory::new(directory)));
    }
    let registry = Registry::open(sources)?;
    let emulator = match &arguments.emulator {
        Some(estate) => Some(
            Emulator::start(Options {
                estate: estate.clone(),
                require_token: false,
                clock,
                ..Options::default()
            })
            .await?,
        ),
        None => None,
    };
    let providers: Vec<&Arc<Provider>> = registry.providers().collect();
    let routes = plan(
        &providers,
        arguments,
        configuration.cloud,
        emulator.as_ref().map(Emulator::url).as_deref(),
    )?;
    let mut clients = HashMap::new();
    // One for the process: what one provider's calls leave free, another's may take.
    let scheduler = Scheduler::new(configuration.settings.max_concurrency, Arc::new(TokioClock));
    for route in &routes {
        if let Some(client) = client(route, configuration, environment, &scheduler)? {
            clients.insert(route.provider.clone(), client);
        }
    }
    let clouds = routes
        .iter()
        .filter(|route| route.auth == Some(Auth::Azure))
        .map(|route| (route.provider.clone(), configuration.cloud.to_string()));
    let journal = journal(arguments, configuration, environment)?;
    let memory = memory(&routes, arguments, configuration, environment);
    let mut engine = Engine::new(registry, clients.clone())
        .with_journal(journal, clouds.collect())
        .with_memory(memory);
    let (data, passing) = data(arguments, configuration, environment)?;
    if let Some(place) = data {
        engine = engine.with_data(DataPlace::at(place));
    }
    let asks_azure = routes.iter().any(|route| {
        same(&route.provider, AZURE) && route.auth == Some(Auth::Azure) && !route.trusted
    });
    let profile = asks_azure
        .then(|| azure_profile::default_subscription(environment, configuration.cloud))
        .flatten();
    Ok(Connection {
        engine,
        routes,
        clients,
        profile,
        passing,
        emulator,
    })
}

/// Where snapshots are kept: what is emulated in this process must not be found among what was real.
fn data(
    arguments: &ConnectionArguments,
    configuration: &Configuration,
    environment: &Environment,
) -> Result<(Option<PathBuf>, Option<Passing>)> {
    if let Some(named) = &configuration.data_dir {
        return Ok((Some(named.clone()), None));
    }
    if arguments.emulator.is_none() {
        return Ok((places::data(environment), None));
    }
    let root = std::env::temp_dir();
    let passing = Passing::below(&root, "restable-emulator-");
    let passing = passing.map_err(|source| Error::Write { path: root, source })?;
    Ok((Some(passing.path().to_owned()), Some(passing)))
}

/// Where actions are journaled: what is emulated in this process ends with it, and so does its journal.
fn journal(
    arguments: &ConnectionArguments,
    configuration: &Configuration,
    environment: &Environment,
) -> Result<JournalPlace> {
    if arguments.emulator.is_some() {
        return Ok(JournalPlace::Memory);
    }
    let usual = || Some(places::state(environment)?.join("journal.db"));
    let file = configuration.journal.clone().or_else(usual);
    file.map(JournalPlace::File).ok_or_else(|| Error::Setting {
        place: "`journal`".to_owned(),
        message: "there is no home directory to keep the journal of actions in".to_owned(),
        hint: Some("`--set journal=FILE` names one".to_owned()),
    })
}

/// Where the memory of walks is kept, and what tells each provider's estate from others without asking for a token: the cloud, the tenant, and
/// whom the environment or the Azure CLI's profile names. What is emulated in this process ends with it.
fn memory(
    routes: &[Route],
    arguments: &ConnectionArguments,
    configuration: &Configuration,
    environment: &Environment,
) -> MemoryPlace {
    let directory = match &arguments.emulator {
        Some(_) => None,
        None => places::state(environment).map(|state| state.join("walks")),
    };
    let estate = |route: &Route| match &route.auth {
        Some(Auth::Azure) => {
            let variable = |name| environment.var(name).unwrap_or_default();
            let tenant = configuration.tenant.as_deref();
            let user = azure_profile::user(environment, configuration.cloud);
            [
                "azure",
                &configuration.cloud.to_string(),
                tenant.unwrap_or(variable(restable_http::environment::AZURE_TENANT_ID)),
                variable(restable_http::environment::AZURE_CLIENT_ID),
                &user.unwrap_or_default(),
            ]
            .join(" ")
        }
        Some(Auth::Bearer(variable)) => format!("bearer {variable}"),
        Some(Auth::None) | None => "nobody".to_owned(),
    };
    let estates = routes.iter();
    MemoryPlace {
        directory,
        estates: estates
            .map(|route| (route.provider.clone(), estate(route)))
            .collect(),
    }
}

/// How each provider is called.
fn plan(
    providers: &[&Arc<Provider>],
    arguments: &ConnectionArguments,
    cloud: Cloud,
    emulator: Option<&str>,
) -> Result<Vec<Route>> {
    let named = arguments
        .endpoint
        .iter()
        .map(|(name, _)| ("--endpoint", name));
    for (flag, name) in named.chain(arguments.auth.iter().map(|(name, _)| ("--auth", name))) {
        if !providers.iter().any(|provider| same(&provider.name, name)) {
            let known: Vec<String> = providers
                .iter()
                .map(|provider| format!("`{}`", provider.name))
                .collect();
            let hint = Some(format!("the providers are {}", known.join(", ")));
            return Err(Error::Setting {
                place: format!("`{flag}`"),
                message: format!("there is no provider `{name}`"),
                hint,
            });
        }
    }
    providers
        .iter()
        .map(|provider| route(provider, arguments, cloud, emulator))
        .collect()
}

fn route(
    provider: &Provider,
    arguments: &ConnectionArguments,
    cloud: Cloud,
    emulator: Option<&str>,
) -> Result<Route> {
    let is_azure = same(&provider.name, AZURE);
    let takes_azure = is_azure || provider.auth.as_deref() == Some(AZURE_AUTH);
    // The last one given wins.
    let endpoint = arguments
        .endpoint
        .iter()
        .rev()
        .find(|(name, _)| same(name, &provider.name))
        .map(|(_, url)| url);
    let auth = arguments
        .auth
        .iter()
        .rev()
        .filter(|(name, _)| same(name, &provider.name))
        .find_map(|(_, grant)| match grant {
            Grant::Own(auth) => Some(auth.clone()),
            Grant::Auxiliary(_) => None,
        });
    if let Some(endpoint) = endpoint {
        check(&provider.name, endpoint)?;
    }
    let emulated = emulator.filter(|_| is_azure);
    if let (Some(_), Some(_)) = (endpoint, emulated) {
        let message = format!(
            "it is the endpoint of `{AZURE}`, and `--endpoint {AZURE}=…` names another one"
        );
        return Err(Error::Setting {
            place: "`--emulator`".to_owned(),
            message,
            hint: Some("give one of the two".to_owned()),
        });
    }
    let parse = |url: &str| {
        Url::parse(url).map_err(|problem| Error::Internal(format!("`{url}` is no URL: {problem}")))
    };
    let (instead, default, reason) = match (endpoint, emulated) {
        (Some(url), _) => (
            Some(url.clone()),
            Some(Auth::None),
            "the default with `--endpoint`",
        ),
        (None, Some(url)) => (
            Some(parse(url)?),
            Some(Auth::None),
            "the default with `--emulator`",
        ),
        (None, None) if takes_azure => {
            let elsewhere = (is_azure && cloud != Cloud::Public)
                .then(|| parse(cloud.resource_manager()))
                .transpose()?;
            (elsewhere, Some(Auth::Azure), "the default of this provider")
        }
        (None, None) => (
            None,
            None,
            "no `--auth` and no `--endpoint` names this provider",
        ),
    };
    let reason = if auth.is_some() {
        "given by `--auth`"
    } else {
        reason
    };
    let chosen = auth.clone().or(default);
    if let (Some(url), Some(Auth::Azure | Auth::Bearer(_))) = (&instead, &chosen)
        && url.scheme() == "http"
    {
        return Err(Error::Setting {
            place: "`--auth`".to_owned(),
            message: format!(
                "a credential never goes over plain http, and `{}` is",
                url.origin().ascii_serialization()
            ),
            hint: Some(format!(
                "`--auth {}=none` is the default there; an https endpoint takes credentials",
                provider.name
            )),
        });
    }
    let auxiliary = auxiliary::plan(
        &provider.name,
        &arguments.auth,
        instead.as_ref(),
        chosen.as_ref(),
    )?;
    // At an endpoint each of the two is there only because it was named, too.
    let named = auth == Some(Auth::Azure) || matches!(auxiliary, Some(Auxiliary::Azure(_)));
    let trusted = named && endpoint.is_some();
    Ok(Route {
        provider: provider.name.clone(),
        endpoint: instead,
        auth: chosen,
        auxiliary,
        trusted,
        reason,
    })
}

/// An endpoint is https, or http on this machine, and nothing but an origin and a path.
fn check(provider: &str, url: &Url) -> Result<()> {
    let refuse = |message: String, hint: &str| {
        Err(Error::Setting {
            place: format!("`--endpoint {provider}=…`"),
            message,
            hint: Some(hint.to_owned()),
        })
    };
    let loopback = match url.host() {
        Some(Host::Domain(name)) => name.eq_ignore_ascii_case("localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    if !url.username().is_empty() || url.password().is_some() {
        return refuse(
            "a user name or password in a URL is not used".to_owned(),
            "`--auth` names the credential",
        );
    }
    match url.scheme() {
        "https" | "http" if url.query().is_some() || url.fragment().is_some() => refuse(
            "it is an origin and perhaps a path, without `?` and `#`".to_owned(),
            "the calls bring their own query",
        ),
        "https" => Ok(()),
        "http" if loopback => Ok(()),
        "http" => refuse(
            format!(
                "plain http to `{}`, which is not this machine",
                url.origin().ascii_serialization()
            ),
            "use https, or a loopback address like `http://127.0.0.1:8420`",
        ),
        other => refuse(format!("the scheme `{other}` is not used"), "use https"),
    }
}

fn client(
    route: &Route,
    configuration: &Configuration,
    environment: &Environment,
    scheduler: &Scheduler,
) -> Result<Option<Client>> {
    let bearer = |variable: &str| match environment.var(variable) {
        Some(token) => Ok(Credential::Bearer(Secret::new(token.trim()))),
        None => Err(Error::Setting {
            place: "`--auth`".to_owned(),
            message: format!("the environment variable `{variable}` is not set"),
            hint: Some(format!("`bearer:{variable}` takes the token from it")),
        }),
    };
    let credential = match &route.auth {
        None => return Ok(None),
        Some(Auth::None) => Credential::None,
        Some(Auth::Azure) => Credential::Azure(AzureCredential {
            cloud: configuration.cloud,
            tenant: configuration.tenant.clone(),
        }),
        Some(Auth::Bearer(variable)) => bearer(variable)?,
    };
    let auxiliary = route.auxiliary.as_ref();
    let auxiliary = auxiliary.map(|given| given.credential(configuration.cloud, bearer));
    let config = ClientConfig {
        endpoint: route.endpoint.clone(),
        credential,
        auxiliary: auxiliary.transpose()?,
        trust: if route.trusted {
            Trust::Endpoint
        } else {
            Trust::Cloud
        },
        page_timeout: configuration.settings.page_timeout,
        scheduler: Some(scheduler.clone()),
        environment: environment.clone(),
        ..ClientConfig::default()
    };
    Ok(Some(Client::new(config)?))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::arguments::{Arguments, Command};

    fn planned(flags: &[&str], cloud: Cloud, emulator: Option<&str>) -> Result<Vec<Route>> {
        let words = ["restable", "exec", "x"].iter().chain(flags);
        let Some(Command::Exec(arguments)) = Arguments::try_parse_from(words).unwrap().command
        else {
            return Ok(Vec::new());
        };
        let registry = Registry::open(vec![Arc::new(Builtin)]).unwrap();
        let providers: Vec<&Arc<Provider>> = registry.providers().collect();
        plan(&providers, &arguments.session.connection, cloud, emulator)
    }

    fn azure(
        flags: &[&str],
        cloud: Cloud,
        emulator: Option<&str>,
    ) -> (Option<String>, Option<Auth>, bool) {
        let routes = planned(flags, cloud, emulator).unwrap();
        let route = routes
            .iter()
            .find(|route| route.provider == "azure")
            .unwrap();
        (
            route.endpoint.as_ref().map(Url::to_string),
            route.auth.clone(),
            route.trusted,
        )
    }

    #[test]
    fn who_is_shown_what() {
        let local = "http://127.0.0.1:8420/";
        let there = Some(local.to_owned());
        let https = Some("https://proxy.example/".to_owned());
        assert_eq!(
            azure(&[], Cloud::Public, None),
            (None, Some(Auth::Azure), false)
        );
        let china = Some("https://management.chinacloudapi.cn/".to_owned());
        assert_eq!(
            azure(&[], Cloud::China, None),
            (china, Some(Auth::Azure), false)
        );
        assert_eq!(
            azure(&["--emulator"], Cloud::Public, Some(local)),
            (there.clone(), Some(Auth::None), false)
        );
        assert_eq!(
            azure(
                &["--endpoint", "azure=http://127.0.0.1:8420"],
                Cloud::China,
                None
            ),
            (there, Some(Auth::None), false)
        );
        let flags = ["--endpoint", "AZURE=https://proxy.example"];
        assert_eq!(
            azure(&flags, Cloud::Public, None),
            (https.clone(), Some(Auth::None), false)
        );
        let flags = [
            "--endpoint",
            "azure=https://proxy.example",
            "--auth",
            "azure=azure",
        ];
        assert_eq!(
            azure(&flags, Cloud::Public, None),
            (https, Some(Auth::Azure), true)
        );
        assert_eq!(
            azure(&["--auth", "azure=none"], Cloud::Public, None),
            (None, Some(Auth::None), false)
        );
        // The second credential is named as much as the endpoint is.
        for (second, trusted) in [("azure:t-2", true), ("bearer:T", false), ("none", false)] {
            let second = format!("azure.auxiliary={second}");
            let flags = ["--endpoint", "azure=https://p.example", "--auth", &second];
            let endpoint = Some("https://p.example/".to_owned());
            assert_eq!(
                azure(&flags, Cloud::Public, None),
                (endpoint, Some(Auth::None), trusted)
            );
        }
    }

    #[test]
    fn what_is_refused() {
        let cases = [
            (
                &["--endpoint", "azure=http://10.0.0.1"][..],
                "`--endpoint azure=…`: plain http to `http://10.0.0.1`, which is not this machine",
            ),
            (
                &["--endpoint", "azure=http://localhost.evil.example"],
                "`--endpoint azure=…`: plain http to `http://localhost.evil.example`, which is not this machine",
            ),
            (
                &["--endpoint", "azure=ftp://127.0.0.1"],
                "`--endpoint azure=…`: the scheme `ftp` is not used",
            ),
            (
                &["--endpoint", "azure=https://u:p@h"],
                "`--endpoint azure=…`: a user name or password in a URL is not used",
            ),
            (
                &["--endpoint", "azure=https://h?x=1"],
                "`--endpoint azure=…`: it is an origin and perhaps a path, without `?` and `#`",
            ),
            (
                &["--endpoint", "aws=https://h"],
                "`--endpoint`: there is no provider `aws`",
            ),
            (
                &[
                    "--endpoint",
                    "azure=http://localhost:1",
                    "--auth",
                    "azure=azure",
                ],
                "`--auth`: a credential never goes over plain http, and `http://localhost:1` is",
            ),
            (
                &[
                    "--endpoint",
                    "azure=http://[::1]:1",
                    "--auth",
                    "azure=bearer:T",
                ],
                "`--auth`: a credential never goes over plain http, and `http://[::1]:1` is",
            ),
        ];
        for (flags, expected) in cases {
            assert_eq!(
                planned(flags, Cloud::Public, None).unwrap_err().to_string(),
                expected
            );
        }
        let both = planned(
            &["--endpoint", "azure=https://h", "--emulator"],
            Cloud::Public,
            Some("http://127.0.0.1:1"),
        );
        assert!(both.unwrap_err().to_string().starts_with("`--emulator`"));
    }
}
