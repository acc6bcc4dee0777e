//! The engine behind wire protocols: Postgres wire and Flight SQL. It owns listeners, sessions of clients and the mapping
//! of errors to SQLSTATE and gRPC codes, and inspects no SQL: statements are read by restable's dialect, through the engine.

pub mod metrics;
pub mod pg;
