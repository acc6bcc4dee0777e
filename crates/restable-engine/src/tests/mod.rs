//! Unit tests of the engine: what needs no server. SQL behaviour from end to end stands in the whole-program tests.
#![expect(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod decode;
mod functions;
mod json;
mod json_columns;
mod names;
mod no_rows;
mod settings;
mod statements;
