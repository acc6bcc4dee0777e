//! What clients of PostgreSQL expect of a database beside its tables: the settings of a session, and its catalog. All of
//! it is made from the documents and from what the session created; nothing here calls a provider.

mod variables;

pub(crate) use variables::Variable;
pub use variables::{Postgres, REPORTED};
