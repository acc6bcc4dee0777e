//! The command `restable`: SQL shell, scripts, emulator, guided tour. The only crate that prints: rows go to stdout, everything else to
//! stderr. It knows no provider's meaning and names no DataFusion.

mod acted;
mod allocation;
mod arguments;
mod auxiliary;
mod azure_profile;
mod commands;
mod configuration;
mod connection;
mod console;
mod environment;
mod error;
mod interrupt;
mod log;
mod machine;
mod observation;
mod output;
mod places;
mod question;
mod runner;
mod script_file;
mod status_line;
mod summary;

use std::process::ExitCode;
use std::time::Duration;

use clap::error::ErrorKind;
use clap::{CommandFactory as _, Parser as _};
use restable_http::Environment;

use crate::arguments::{Arguments, AuthCommand, Command};
use crate::console::Console;
use crate::error::{Error, Exit, Result};

/// So long is waited for work that was given up.
const LAST_WORK: Duration = Duration::from_millis(200);

fn main() -> ExitCode {
    let environment = Environment::of_process();
    let exit = match Arguments::try_parse() {
        Ok(arguments) => begin(arguments, &environment).unwrap_or_else(|failure| {
            match &failure {
                Error::Closed => {}
                Error::Interrupted => Console::standard(&environment).warn("interrupted"),
                _ => Console::standard(&environment).warn(&failure.render("")),
            }
            failure.exit()
        }),
        Err(told) => {
            // Help and version are asked for; a closed stdout or stderr changes nothing about what was asked.
            let _ = told.print();
            match told.kind() {
                ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => Exit::Done,
                _ => Exit::Statement,
            }
        }
    };
    ExitCode::from(exit.code())
}

fn begin(arguments: Arguments, environment: &Environment) -> Result<Exit> {
    // Those that may have much in memory, and not at once any more.
    match &arguments.command {
        Some(Command::Serve(_)) => allocation::give_back(environment, allocation::Back::Soon),
        Some(Command::Exec(_) | Command::Refresh(_)) => {
            allocation::give_back(environment, allocation::Back::AtOnce);
        }
        _ => {}
    }
    run(arguments, environment)
}

fn run(arguments: Arguments, environment: &Environment) -> Result<Exit> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        // Statements are planned on these threads.
        .thread_stack_size(restable_engine::STACK)
        .build();
    let runtime = runtime.map_err(|problem| Error::Internal(format!("no runtime: {problem}")))?;
    let exit = runtime.block_on(async {
        match arguments.command {
            None => {
                let mut console = Console::standard(environment);
                write!(console.rows(), "{}", Arguments::command().render_help())?;
                console.flush()?;
                Ok(Exit::Done)
            }
            Some(Command::Demo(arguments)) => commands::demo::run(&arguments, environment).await,
            Some(Command::Shell(arguments)) => commands::shell::run(&arguments, environment).await,
            Some(Command::Exec(arguments)) => commands::exec::run(&arguments, environment).await,
            Some(Command::Serve(arguments)) => commands::serve::run(&arguments, environment).await,
            Some(Command::Refresh(arguments)) => {
                commands::refresh::run(&arguments, environment).await
            }
            Some(Command::Emulator(arguments)) => {
                commands::emulator::run(arguments, environment).await
            }
            Some(Command::Operations(arguments)) => {
                commands::operations::run(&arguments, environment).await
            }
            Some(Command::Auth {
                command: AuthCommand::Status(arguments),
            }) => commands::auth::status(&arguments, environment).await,
            Some(Command::Completions { shell }) => commands::completions::run(shell, environment),
        }
    });
    // Tasks that were given up let go of what they hold, such as files on disk. One that still holds a thread is not waited for.
    runtime.shutdown_timeout(LAST_WORK);
    exit
}
