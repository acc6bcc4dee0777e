//! An emulator until Ctrl-C, without the rest of restable: `cargo run -p arm-emulator --example serve -- [ESTATE]`.
//! Time is fast, so that a client waits for nothing.

use arm_emulator::{ClockKind, Emulator, Error, Options};

#[tokio::main]
#[expect(clippy::print_stdout, reason = "an example prints its URL")]
async fn main() -> Result<(), Error> {
    let mut options = Options {
        clock: ClockKind::Fast,
        ..Options::default()
    };
    // The client suite starts this program like `restable emulator`: then the rest of the line is not an estate.
    if let Some(estate) = std::env::args()
        .nth(1)
        .filter(|argument| argument != "emulator")
    {
        options.estate = estate.parse()?;
    }
    let emulator = Emulator::start(options).await?;
    println!("{}", emulator.url());
    std::future::pending::<()>().await;
    emulator.stop().await;
    Ok(())
}
