//! `restable exec`: runs statements and exits.

use std::path::Path;

use restable_engine::Session;
use restable_engine::acting::Access;
use restable_http::Environment;

use crate::acted::GoingOn;
use crate::arguments::{ExecArguments, SessionArguments};
use crate::configuration::{self, Configuration, ConfigurationFile};
use crate::connection;
use crate::console::{Console, Talk, Wholeness};
use crate::error::{Error, Exit, Result};
use crate::interrupt::{Interrupt, Patience};
use crate::output::{Format, Target};
use crate::question;
use crate::runner::{OnFailure, Runner};
use crate::script_file::{self, Script};

/// Runs the command.
pub async fn run(arguments: &ExecArguments, environment: &Environment) -> Result<Exit> {
    let configuration = configure(&arguments.session, environment)?;
    let script = match (&arguments.sql, &arguments.file) {
        (Some(sql), _) => Script {
            text: sql.clone(),
            name: "the argument".to_owned(),
        },
        (None, Some(file)) => script_file::read(file)?,
        (None, None) => return Err(Error::Nothing),
    };
    let mut console = console(&arguments.session, &configuration, environment)?;
    let format = format(&configuration, &mut console);
    format.refuse_terminal(console.target())?;
    let interrupt = Interrupt::listen(Patience::Short)?;
    let connection =
        connection::open(&arguments.session.connection, &configuration, environment).await?;
    let session = connection
        .session(&configuration, &arguments.session.variables)
        .await?;
    attend(&session, &arguments.session, &console, &interrupt);
    let mut runner = Runner::new(&session, &mut console, &interrupt, format);
    runner.going_on = going_on(&arguments.session);
    let ended = runner
        .script(&script.text, &script.name, on_failure(&arguments.session))
        .await;
    finish(&runner, arguments.session.summary.as_deref(), ended)
}

/// The format that was named, else the one that suits who reads.
pub fn format(configuration: &Configuration, console: &mut Console) -> Format {
    configuration.output.unwrap_or(match console.target() {
        Target::Terminal(_) => Format::Table,
        Target::Stream => Format::Json,
    })
}

/// The settings of a session, with the log that they ask for.
pub fn configure(arguments: &SessionArguments, environment: &Environment) -> Result<Configuration> {
    let file = ConfigurationFile::find(environment)?;
    let configuration = configuration::resolve(&arguments.settings(), environment, file.as_ref())?;
    crate::log::start(configuration.log);
    Ok(configuration)
}

/// The console that the flags ask for.
pub fn console(
    arguments: &SessionArguments,
    configuration: &Configuration,
    environment: &Environment,
) -> Result<Console> {
    let talk = if arguments.quiet {
        Talk::Quiet
    } else {
        Talk::Usual
    };
    let console = Console::standard(environment).with_talk(talk);
    let wholeness = match configuration.output {
        Some(format) if format.is_binary() => Wholeness::OrNothing,
        _ => Wholeness::AsFarAsItCame,
    };
    match &arguments.outfile {
        Some(path) => console.into_file(path, wholeness),
        None => Ok(console),
    }
}

/// Lets a session ask and tell whoever sits at the terminal, and gives it the access that the flags leave it.
pub fn attend(
    session: &Session,
    arguments: &SessionArguments,
    console: &Console,
    interrupt: &Interrupt,
) {
    session.attend(question::attendant(console, interrupt));
    if arguments.preview {
        session.set_access(Access::Preview);
    }
}

/// Where operations go on that a run does not wait for.
fn going_on(arguments: &SessionArguments) -> GoingOn {
    match arguments.connection.emulator {
        Some(_) => GoingOn::Nowhere,
        None => GoingOn::Command,
    }
}

/// What `--continue` says.
pub fn on_failure(arguments: &SessionArguments) -> OnFailure {
    if arguments.go_on {
        OnFailure::GoOn
    } else {
        OnFailure::Stop
    }
}

/// Writes the summary and tells how the process ends. What was run is told even if the run was cut off.
pub fn finish(runner: &Runner<'_>, summary: Option<&Path>, ended: Result<()>) -> Result<Exit> {
    let written = summary.map_or(Ok(()), |path| runner.summary().write(path));
    match ended {
        // The reader has what it wanted; a failure before that still counts.
        Err(Error::Closed) => Ok(runner.exit()),
        Err(failure) => Err(failure),
        Ok(()) => written.map(|()| runner.exit()),
    }
}
