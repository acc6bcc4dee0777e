//! The conformance tables of retry, errors, paging, writes, operations, tokens and limits, as data, against the scripted transport and virtual time.

mod acts;
mod answers;
mod auxiliary;
mod limits;
mod operations;
mod pages;
mod recorded;
mod retries;
mod scene;
mod sockets;
mod tokens;
