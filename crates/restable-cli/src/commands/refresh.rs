//! `restable refresh`: materialized views are read anew, one after the other. One that fails keeps what it was, and stops no other.

use restable_http::Environment;

use crate::arguments::RefreshArguments;
use crate::commands::exec;
use crate::connection;
use crate::error::{Exit, Result};
use crate::interrupt::{Interrupt, Patience};
use crate::runner::{OnFailure, Runner};

/// Runs the command.
pub async fn run(arguments: &RefreshArguments, environment: &Environment) -> Result<Exit> {
    let flags = &arguments.session;
    let configuration = exec::configure(flags, environment)?;
    let mut console = exec::console(flags, &configuration, environment)?;
    let format = exec::format(&configuration, &mut console);
    let interrupt = Interrupt::listen(Patience::Short)?;
    let connection = connection::open(&flags.connection, &configuration, environment).await?;
    let session = connection.session(&configuration, &[]).await?;
    exec::attend(&session, flags, &console, &interrupt);
    let names = match arguments.all {
        true => session.materialized_views()?,
        false => arguments.names.clone(),
    };
    if names.is_empty() {
        console.say("there are no materialized views");
    }
    let mut runner = Runner::new(&session, &mut console, &interrupt, format);
    let mut ended = Ok(());
    for name in &names {
        // Each part of a name is one name, whatever stands in it.
        let name = name.to_ascii_lowercase().replace('"', "\"\"");
        let quoted: Vec<String> = name.split('.').map(|part| format!("\"{part}\"")).collect();
        let statement = format!("REFRESH MATERIALIZED VIEW {}", quoted.join("."));
        ended = runner.script(&statement, &name, OnFailure::GoOn).await;
        if ended.is_err() {
            break;
        }
    }
    exec::finish(&runner, flags.summary.as_deref(), ended)
}
