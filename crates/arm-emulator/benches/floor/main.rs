//! The two processes that `bash tests/bench` measures restable against. `floor serve` answers an estate's lists from pages that were
//! rendered beforehand; `floor read` makes the calls that restable made, at the same concurrency, and throws the bytes away. What the
//! second one takes is the floor: no client can be faster on this machine.
#![expect(
    clippy::print_stdout,
    reason = "the server's URL and the reader's numbers are what these processes are for"
)]

mod reader;
mod server;
mod wire;

use std::process::ExitCode;

const USAGE: &str = "floor serve --estate S,V,I [--page-size N] [--latency-ms N] [--rate-mb N] | floor read --url URL --plan FILE [--concurrency N]";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (what, options) = match arguments.split_first() {
        Some((what, rest)) => (what.as_str(), wire::Options::of(rest)),
        None => ("", wire::Options::default()),
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build();
    let outcome = match (runtime, what) {
        (Err(problem), _) => Err(problem.to_string()),
        (Ok(runtime), "serve") => runtime.block_on(server::serve(&options)),
        (Ok(runtime), "read") => runtime.block_on(reader::read(&options)),
        // `cargo bench` starts every target with flags of its own.
        (Ok(_), "" | "--bench") => Ok(USAGE.to_owned()),
        (Ok(_), _) => Err(USAGE.to_owned()),
    };
    match outcome {
        Ok(line) => {
            println!("{line}");
            ExitCode::SUCCESS
        }
        Err(problem) => {
            println!("error: {problem}");
            ExitCode::FAILURE
        }
    }
}
