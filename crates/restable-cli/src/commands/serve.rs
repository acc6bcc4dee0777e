//! `restable serve`: the engine behind wire protocols, until Ctrl-C. Where it listens goes to stdout as soon as it does.

use restable_engine::Origin;
use restable_engine::acting::Access;
use restable_http::Environment;
use restable_server::pg;

use crate::arguments::ServeArguments;
use crate::configuration::{self, ConfigurationFile};
use crate::connection;
use crate::console::Console;
use crate::error::{Error, Exit, Result};
use crate::interrupt::{Interrupt, Patience};
use crate::observation::{self, Spans};

/// How many calls clients may cause, where nobody says how many.
const CALLS: [(&str, &str); 2] = [("max_calls", "500"), ("max_calls_per_hour", "5000")];

/// Runs the command.
pub async fn run(arguments: &ServeArguments, environment: &Environment) -> Result<Exit> {
    let Some(listen) = arguments.pg else {
        return Err(refused(
            "`--pg`",
            "it names where to listen",
            "`restable serve --pg 127.0.0.1:5433`",
        ));
    };
    if !listen.ip().is_loopback() {
        return Err(refused(
            "`--pg`",
            "only an address of this machine is listened on, since nobody has to show who he is",
            "use 127.0.0.1",
        ));
    }
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
    let interrupt = Interrupt::listen(Patience::Long)?;
    let mut connection =
        connection::open(&arguments.connection, &configuration, environment).await?;
    connection.engine = observation::audited(connection.engine, &arguments.observation)?;
    // What every session would be refused is told at once.
    connection.session(&configuration, &[]).await?;
    let options = pg::Options {
        listen,
        settings: configuration.settings.clone(),
        access: match arguments.allow_writes {
            true => Access::Write,
            false => Access::ReadOnly,
        },
        max_connections: arguments.max_connections,
    };
    let server = pg::Server::bind(connection.engine.clone(), options).await;
    let server = server
        .map_err(|problem| refused("`--pg`", &problem.to_string(), "port 0 takes a free one"))?;
    let mut console = Console::standard(environment);
    let address = server.address()?;
    writeln!(console.rows(), "postgresql://{address}")?;
    let metrics = observation::metrics(&connection.engine, &arguments.observation).await?;
    if let Some(server) = &metrics {
        writeln!(console.rows(), "http://{}/metrics", server.address()?)?;
    }
    console.flush()?;
    console.say(&format!(
        "listening until Ctrl-C; `psql -h {} -p {} -d azure` connects; sessions {}",
        address.ip(),
        address.port(),
        match arguments.allow_writes {
            true => "may write",
            false => "may only read",
        },
    ));
    let metrics = async {
        match metrics {
            Some(server) => server.run().await,
            None => std::future::pending().await,
        }
    };
    let serving = async {
        tokio::select! {
            () = server.run() => {}
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

fn refused(place: &str, message: &str, hint: &str) -> Error {
    Error::Setting {
        place: place.to_owned(),
        message: message.to_owned(),
        hint: Some(hint.to_owned()),
    }
}
