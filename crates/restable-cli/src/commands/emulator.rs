//! `restable emulator`: a local Azure Resource Manager, until Ctrl-C. Its URL goes to stdout as soon as it listens.

use std::time::Duration;

use arm_emulator::{Emulator, Options};
use restable_http::Environment;

use crate::arguments::EmulatorArguments;
use crate::console::Console;
use crate::error::{Exit, Result};
use crate::interrupt::{Interrupt, Patience};

/// Runs the command.
pub async fn run(arguments: EmulatorArguments, environment: &Environment) -> Result<Exit> {
    let options = Options {
        listen: arguments.listen,
        estate: arguments.estate,
        page_size: arguments.page_size,
        latency: Duration::from_millis(arguments.latency_ms),
        throttle: arguments.throttle,
        operation_time: Duration::from_secs(arguments.lro_seconds),
        job_time: Duration::from_secs(arguments.job_seconds),
        clock: arguments.clock,
        seed: arguments.seed,
        require_token: !arguments.no_auth,
        ..Options::default()
    };
    let interrupt = Interrupt::listen(Patience::Server)?;
    let emulator = Emulator::start(options).await?;
    let mut console = Console::standard(environment);
    let url = emulator.url();
    writeln!(console.rows(), "{url}")?;
    console.flush()?;
    match arguments.no_auth {
        true => console.say(&format!("listening until Ctrl-C; `restable shell --endpoint azure={url}` talks to it")),
        false => console.say("listening until Ctrl-C; every request needs a bearer token, and any will do (`--no-auth`: none)"),
    }
    interrupt.pressed().await;
    emulator.stop().await;
    // Ctrl-C is how this command is meant to end.
    Ok(Exit::Done)
}
