//! Owns the errors of starting and steering an emulator. What the emulated service refuses is no error here: it is
//! an HTTP answer (`arm.rs`).

use std::net::SocketAddr;
use std::path::PathBuf;

/// Why an emulator cannot start or take an order.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The address to listen on can be reached from other machines.
    #[error("`{0}` is not a loopback address, and the emulator checks no credentials")]
    NotLoopback(SocketAddr),
    /// The socket cannot be opened.
    #[error("cannot listen on `{address}`: {source}")]
    Listen {
        /// The address that was asked for.
        address: SocketAddr,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// The text of an estate is neither a known name, nor three numbers, nor a path.
    #[error(
        "`{0}` is no estate: it is `demo`, `empty`, `SUBSCRIPTIONS,VAULTS,INSTANCES` or the path of a JSON file"
    )]
    Estate(String),
    /// The file of an estate cannot be read.
    #[error("cannot read the estate `{}`: {source}", path.display())]
    EstateFile {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// The file of an estate is not what the emulator writes as its state.
    #[error("the estate `{}` is not valid: {reason}", path.display())]
    EstateContent {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A word of an option is unknown.
    #[error("`{value}` is no {option}: it is one of {expected}")]
    Word {
        /// The option.
        option: &'static str,
        /// What was given.
        value: String,
        /// What it may be.
        expected: &'static str,
    },
    /// A fault rule does not say what it is to do.
    #[error("this is no fault rule: {0}")]
    Fault(String),
}
