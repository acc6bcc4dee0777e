//! The commands, one file each.

pub mod auth;
pub mod completions;
pub mod demo;
pub mod emulator;
pub mod exec;
pub mod operations;
pub mod refresh;
pub mod serve;
pub mod shell;
