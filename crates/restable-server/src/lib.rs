//! The engine behind wire protocols: Postgres wire and Flight SQL. It owns listeners, who may come in, sessions of clients
//! and the mapping of errors to SQLSTATE and gRPC codes, and inspects no SQL: statements are read by restable's dialect,
//! through the engine.

mod coming;
mod computing;
pub mod flight;
mod guard;
pub mod metrics;
mod options;
pub mod pg;
mod socket;
mod tls;

pub use guard::{BadLine, Guard};
pub use options::{Options, Unserved};
pub use tls::{Tls, Unusable};
