//! `restable completions`: the completions of a shell, on stdout.

use clap::CommandFactory as _;
use clap_complete::Shell;
use restable_http::Environment;

use crate::arguments::Arguments;
use crate::console::Console;
use crate::error::{Exit, Result};

/// Runs the command.
pub fn run(shell: Shell, environment: &Environment) -> Result<Exit> {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut Arguments::command(), "restable", &mut text);
    let mut console = Console::standard(environment);
    console.rows().write_all(&text)?;
    console.flush()?;
    Ok(Exit::Done)
}
