//! The conformance tables of retry, errors, paging, tokens and limits, as data, against the scripted transport and virtual time.

mod answers;
mod limits;
mod pages;
mod retries;
mod scene;
mod sockets;
mod tokens;
