//! The engine behind wire protocols: Postgres wire and Flight SQL. It owns listeners, sessions of clients and the mapping
//! of errors to SQLSTATE and gRPC codes, and inspects no SQL.
//!
//! Nothing of it is built yet: the crate stands here so that its place and its one arrow (to the engine) are fixed, and
//! `restable serve` does not exist until it does.
