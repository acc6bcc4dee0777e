//! The emulator from outside: requests over a socket, judged by what comes back, by the journal and by the ledger. No
//! test waits for time to pass.
#![expect(clippy::unwrap_used, reason = "tests")]

mod actions;
mod client;
mod control;
mod faults;
mod lists;
mod refusals;
mod states;
