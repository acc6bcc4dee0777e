//! The tests of the whole program, in one binary: SQL text goes in through the engine or the command `restable`, and an
//! emulator in this process says what was asked of it. Tests of one crate stand in that crate.
//!
//! Needs no network, no home directory, no fixed port and no waiting. What needs data from outside the repository says so
//! when it is absent.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "in a test a panic is the message, and a line says what was covered"
)]

mod acting;
mod acting_commands;
mod adhoc;
mod allowances;
mod bounds;
mod commands;
mod completeness;
mod contradictions;
mod disguised;
mod economy;
mod examples;
mod faults;
mod flight;
mod forecast;
mod guarded;
mod hostile;
mod house;
mod implied;
mod json_columns;
mod kept;
mod kept_commands;
mod kept_marks;
mod kept_views;
mod kill;
mod memory;
mod narrowing;
mod once;
mod postgres;
mod random_faults;
mod refusals;
mod registry;
mod replay;
mod reuse;
mod rig;
mod rows_for_programs;
mod slt;
