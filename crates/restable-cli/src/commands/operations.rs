//! `restable operations`: what the journal knows of actions that were started from here, and how they are taken up again. A journal entry is
//! used only under the identity it was made with, so the flags of the connection are those of the run that made it.

use restable_engine::acting::OperationFilter;
use restable_http::Environment;

use crate::acted::GoingOn;
use crate::arguments::{OperationsArguments, OperationsCommand};
use crate::commands::exec;
use crate::connection;
use crate::error::{Exit, Result};
use crate::interrupt::{Interrupt, Patience};
use crate::observation;
use crate::runner::Runner;

/// Runs the command.
pub async fn run(arguments: &OperationsArguments, environment: &Environment) -> Result<Exit> {
    let flags = match &arguments.command {
        OperationsCommand::List(list) => &list.session,
        OperationsCommand::Wait(wait) => &wait.session,
        OperationsCommand::Resume(resume) => &resume.session,
    };
    let configuration = exec::configure(flags, environment)?;
    let mut console = exec::console(flags, &configuration, environment)?;
    let format = exec::format(&configuration, &mut console);
    format.refuse_terminal(console.target())?;
    let interrupt = Interrupt::listen(Patience::Short)?;
    let mut connection = connection::open(&flags.connection, &configuration, environment).await?;
    if let OperationsCommand::Resume(resume) = &arguments.command {
        let audit_log = resume.audit_log.as_deref();
        connection.engine = observation::audited(connection.engine, audit_log)?;
    }
    let session = connection.session(&configuration, &[]).await?;
    exec::attend(&session, flags, &console, &interrupt);
    let mut runner = Runner::new(&session, &mut console, &interrupt, format);
    runner.going_on = GoingOn::Command;
    let ended = match &arguments.command {
        OperationsCommand::List(list) => {
            let filter = OperationFilter {
                open: list.open,
                last: list.last,
            };
            runner
                .request("operations list", session.operations(filter))
                .await
        }
        OperationsCommand::Wait(wait) => {
            let words = format!("operations wait {}", wait.reference);
            runner
                .request(&words, session.wait_for(&wait.reference))
                .await
        }
        OperationsCommand::Resume(resume) => {
            let statement = resume.statement.as_deref();
            let words = format!("operations resume {}", statement.unwrap_or_default());
            runner
                .request(words.trim_end(), session.resume(statement))
                .await
        }
    };
    exec::finish(&runner, flags.summary.as_deref(), ended)
}
