//! `restable serve`: the engine behind wire protocols, until Ctrl-C. Where it listens goes to stdout as soon as it does.
//! Secrets come from files and variables, never from the command line, which every user of the machine can read.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use restable_engine::acting::Access;
use restable_engine::{Memory, Origin, Settings};
use restable_http::Environment;
use restable_server::{BadLine, Guard, Options, Tls, Unserved, flight, pg};

use crate::arguments::ServeArguments;
use crate::configuration::{self, ConfigurationFile};
use crate::connection;
use crate::console::Console;
use crate::environment;
use crate::error::{Error, Exit, Result};
use crate::interrupt::{Interrupt, Patience};
use crate::machine;
use crate::observation::{self, Spans};

/// How many calls clients may cause, where nobody says how many.
const CALLS: [(&str, &str); 2] = [("max_calls", "500"), ("max_calls_per_hour", "5000")];

/// The memory of all sessions where that of the machine cannot be known.
const UNKNOWN: usize = 2_000_000_000;

/// Runs the command.
pub async fn run(arguments: &ServeArguments, environment: &Environment) -> Result<Exit> {
    let Some(first) = arguments.pg.or(arguments.flight) else {
        return Err(refused(
            "`serve`",
            "`--pg` or `--flight` names where to listen",
            "`restable serve --pg 127.0.0.1:5433 --flight 127.0.0.1:31337`",
        ));
    };
    useful(arguments)?;
    let file = ConfigurationFile::find(environment)?;
    let mut configuration =
        configuration::resolve(&arguments.settings(), environment, file.as_ref())?;
    // A dashboard that asks more than anybody meant is stopped, unless somebody says otherwise.
    for (name, most) in CALLS {
        if configuration.settings.origin(name) == Origin::Default {
            let set = configuration.settings.set(name, most, Origin::Default);
            set.map_err(|problem| Error::Internal(problem.message))?;
        }
    }
    let spans = Spans::find(&arguments.observation, environment)?;
    crate::log::start_with(configuration.log, spans.as_ref().map(Spans::tracer));
    let (guard, tls) = (guard(arguments, environment)?, tls(arguments)?);
    let told = remarks(arguments, &guard);
    let (memory, bounded) = memory(arguments.memory.as_deref())?;
    let interrupt = Interrupt::listen(Patience::Server)?;
    let mut connection =
        connection::open(&arguments.connection, &configuration, environment).await?;
    let audit_log = arguments.observation.audit_log.as_deref();
    connection.engine = observation::audited(connection.engine, audit_log)?;
    // What every session would be refused is told at once.
    connection.session(&configuration, &[]).await?;
    let common = Options {
        settings: configuration.settings.clone(),
        access: match arguments.allow_writes {
            true => Access::Write,
            false => Access::ReadOnly,
        },
        engine_options: configuration.engine_options.clone().into(),
        max_connections: arguments.max_connections,
        memory,
        tls,
        guard: Arc::new(guard),
        ..Options::at(first)
    };
    let at = |listen| Options {
        listen,
        ..common.clone()
    };
    let postgres = match arguments.pg {
        Some(listen) => Some(
            pg::Server::bind(connection.engine.clone(), at(listen))
                .await
                .map_err(|problem| unserved("`--pg`", &problem))?,
        ),
        None => None,
    };
    let flight = match arguments.flight {
        Some(listen) => Some(
            flight::Server::bind(connection.engine.clone(), at(listen))
                .await
                .map_err(|problem| unserved("`--flight`", &problem))?,
        ),
        None => None,
    };
    let mut console = Console::standard(environment);
    let mut ways = Vec::new();
    if let Some(server) = &postgres {
        let address = server.address()?;
        writeln!(console.rows(), "postgresql://{address}")?;
        ways.push(format!("`{}`", psql(address)));
    }
    if let Some(server) = &flight {
        let scheme = if common.tls.is_some() {
            "grpc+tls"
        } else {
            "grpc"
        };
        let uri = format!("{scheme}://{}", server.address()?);
        writeln!(console.rows(), "{uri}")?;
        ways.push(format!("a driver of Flight SQL with the URI `{uri}`"));
    }
    let metrics = observation::metrics(&connection.engine, &arguments.observation).await?;
    if let Some(server) = &metrics {
        writeln!(console.rows(), "http://{}/metrics", server.address()?)?;
    }
    console.flush()?;
    console.say(&format!(
        "listening until Ctrl-C; {} connects; sessions {}",
        ways.join(" or "),
        match arguments.allow_writes {
            true => "may write",
            false => "may only read",
        },
    ));
    console.say(&bounded);
    for remark in told {
        console.say(remark);
    }
    let metrics = async {
        match metrics {
            Some(server) => server.run().await,
            None => std::future::pending().await,
        }
    };
    let postgres = async {
        match postgres {
            Some(server) => server.run().await,
            None => std::future::pending().await,
        }
    };
    let flight = async {
        match flight {
            Some(server) => server.run().await,
            None => std::future::pending().await,
        }
    };
    let serving = async {
        tokio::select! {
            () = postgres => {}
            () = flight => {}
            () = metrics => {}
        }
    };
    // Ctrl-C is how this command is meant to end.
    let ended = interrupt.or(serving).await;
    if let Some(spans) = spans {
        spans.end().await;
    }
    match ended {
        Ok(()) | Err(Error::Interrupted) => Ok(Exit::Done),
        Err(failure) => Err(failure),
    }
}

/// Refuses flags that would do nothing, or nothing that anybody could mean.
fn useful(arguments: &ServeArguments) -> Result<()> {
    if arguments.max_connections == 0 {
        let hint = "each protocol has 1000 places where nothing else is said";
        return Err(refused("`--max-connections`", "0 lets nobody in", hint));
    }
    if arguments.flight.is_none() && arguments.tokens.is_some() {
        return Err(refused(
            "`--tokens`",
            "only clients of Flight SQL show tokens, and without `--flight` there are none",
            "`--users FILE` names who may come in over Postgres wire",
        ));
    }
    Ok(())
}

/// What somebody may not have meant, and works.
fn remarks(arguments: &ServeArguments, guard: &Guard) -> Vec<&'static str> {
    let mut told = Vec::new();
    if arguments.observation.audit_log.is_some() && !arguments.allow_writes {
        told.push("the audit log stays empty: without `--allow-writes` sessions only read");
    }
    if arguments.pg.is_some() && guard.has_any() && !guard.has_users() {
        told.push("clients of PostgreSQL need no password: tokens are for Flight SQL, `--users FILE` is for both");
    }
    told
}

fn psql(address: SocketAddr) -> String {
    format!("psql -h {} -p {} -d azure", address.ip(), address.port())
}

/// Who may come in: what the files and the variables name.
fn guard(arguments: &ServeArguments, environment: &Environment) -> Result<Guard> {
    let mut guard = Guard::default();
    let wrong = |place: &str, problem: &BadLine| {
        let hint =
            "each line is `name:secret`; empty lines and lines that begin with `#` say nothing";
        refused(place, &problem.to_string(), hint)
    };
    // Whoever says who may come in does not mean everybody.
    let someone = |place: &str, lines: &str| {
        let says_nothing = |line: &str| line.is_empty() || line.starts_with('#');
        match lines.lines().map(str::trim).all(says_nothing) {
            true => Err(refused(
                place,
                "it names nobody",
                "each line is `name:secret`; without it whoever reaches the address comes in",
            )),
            false => Ok(()),
        }
    };
    if let Some(lines) = environment.var(environment::SERVE_USERS) {
        let place = format!("`{}`", environment::SERVE_USERS);
        someone(&place, lines)?;
        let added = guard.add_users(lines);
        added.map_err(|problem| wrong(&place, &problem))?;
    }
    if let Some(path) = &arguments.users {
        let lines = read("`--users`", path)?;
        someone("`--users`", &lines)?;
        let added = guard.add_users(&lines);
        added.map_err(|problem| wrong("`--users`", &problem))?;
    }
    if let Some(lines) = environment.var(environment::SERVE_TOKENS) {
        let place = format!("`{}`", environment::SERVE_TOKENS);
        someone(&place, lines)?;
        let added = guard.add_tokens(lines);
        added.map_err(|problem| wrong(&place, &problem))?;
    }
    if let Some(path) = &arguments.tokens {
        let lines = read("`--tokens`", path)?;
        someone("`--tokens`", &lines)?;
        let added = guard.add_tokens(&lines);
        added.map_err(|problem| wrong("`--tokens`", &problem))?;
    }
    Ok(guard)
}

fn read(place: &str, path: &Path) -> Result<String> {
    std::fs::read_to_string(path).map_err(|problem| {
        refused(
            place,
            &format!("`{}` cannot be read: {problem}", path.display()),
            "without it nobody could come in",
        )
    })
}

fn tls(arguments: &ServeArguments) -> Result<Option<Tls>> {
    let (Some(certificate), Some(key)) = (&arguments.tls_cert, &arguments.tls_key) else {
        return Ok(None);
    };
    let tls = Tls::read(certificate, key);
    tls.map(Some).map_err(|problem| {
        refused(
            "`--tls-cert`, `--tls-key`",
            &problem.to_string(),
            "both are in the form PEM; the server's own certificate comes first",
        )
    })
}

/// The memory of all sessions, and what is said of it.
fn memory(given: Option<&str>) -> Result<(Option<Memory>, String)> {
    let Some(given) = given else {
        let (bytes, why) = match machine::memory() {
            Some(has) => (has / 2, "half of what is here"),
            None => (UNKNOWN, "what is here is not known"),
        };
        let told = format!(
            "statements use up to {} MB together: {why}; `--memory` sets another limit",
            bytes / 1_000_000
        );
        return Ok((Some(Memory::limited(bytes)?), told));
    };
    let text = match given.eq_ignore_ascii_case("none") {
        true => "0",
        false => given,
    };
    let mut settings = Settings::default();
    let set = settings.set("memory_limit", text, Origin::Flag);
    set.map_err(|problem| {
        let message = problem.message.replace("`memory_limit` ", "");
        refused("`--memory`", &message, "`none` sets no limit")
    })?;
    let told = match settings.memory_limit {
        Some(bytes) => format!("statements use up to {} MB together", bytes / 1_000_000),
        None => "statements use any memory that they need: `--memory` sets a limit".to_owned(),
    };
    let memory = settings.memory_limit.map(Memory::limited).transpose()?;
    Ok((memory, told))
}

fn unserved(place: &str, problem: &Unserved) -> Error {
    let hint = match problem {
        Unserved::Listen(_) => "port 0 takes a free one",
        Unserved::Readable(_) => {
            "`--tls-cert FILE --tls-key FILE` gives it a certificate; 127.0.0.1 is reached from this machine only"
        }
        Unserved::Open(_) => match place {
            "`--flight`" => {
                "`--tokens FILE` or `--users FILE` names who may come in; 127.0.0.1 is reached from this machine only"
            }
            _ => {
                "`--users FILE` names who may come in; 127.0.0.1 is reached from this machine only"
            }
        },
    };
    refused(place, &problem.to_string(), hint)
}

fn refused(place: &str, message: &str, hint: &str) -> Error {
    Error::Setting {
        place: place.to_owned(),
        message: message.to_owned(),
        hint: Some(hint.to_owned()),
    }
}
