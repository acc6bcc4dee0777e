//! Bound call in, pages of bytes out, or one answer to a write. The one crate that opens sockets to a provider: credentials and their
//! cache, the origin rule, retry, paging, long-running operations, the journal of actions, timeouts, caps, redaction, and the meter of it
//! all. It knows no SQL, no rows and no meaning of a body.
//!
//! ```no_run
//! # async fn example(call: restable_spec::BoundCall) -> Result<(), restable_http::Error> {
//! use std::pin::pin;
//! use std::sync::Arc;
//! use futures::TryStreamExt;
//! use restable_http::{CallContext, Client, ClientConfig, Meter, PageRead};
//!
//! let client = Client::new(ClientConfig::default())?;
//! let meter = Arc::new(Meter::new());
//! let pages = client.pages(call, CallContext::new(Arc::clone(&meter)), |body| {
//!     Ok(PageRead { row_count: 1, next: None, rows: body })
//! });
//! let mut pages = pin!(pages);
//! while let Some(body) = pages.try_next().await? {
//!     println!("{} bytes", body.len());
//! }
//! # Ok(()) }
//! ```
//!
//! A write goes through the [`Journal`], which alone makes the [`journal::Permit`] to send it:
//!
//! ```no_run
//! # async fn example(client: restable_http::Client, call: restable_spec::BoundCall, binding: restable_http::journal::Binding)
//! #     -> Result<(), restable_http::JournalError> {
//! use std::path::Path;
//! use std::sync::Arc;
//! use restable_http::journal::{Intent, JournaledBody};
//! use restable_http::{CallContext, Effect, Journal, Meter, Watch};
//!
//! let journal = Journal::open(Path::new("state/journal.db"))?;
//! let run = journal.begin(binding).await?;
//! let intent = Intent { call, long_running: None, body: JournaledBody::AsSent, client_request_id: None };
//! for permit in run.intend(vec![intent]).await? {
//!     let context = CallContext::new(Arc::new(Meter::new()));
//!     let acted = client.act(permit, context.clone()).await;
//!     if let Effect::Started(started) = acted.effect {
//!         let followed = client.follow(started, &Watch::new(context)).await;
//!         println!("{:?}", followed.ending);
//!     }
//! }
//! # Ok(()) }
//! ```

mod act;
mod allowance;
mod ask;
mod attempt;
mod body;
mod client;
mod clock;
mod cloud;
mod connection;
pub mod counters;
mod credential;
pub mod environment;
mod error;
mod exchange;
mod fault;
mod follow;
pub mod journal;
mod meter;
mod operation;
mod origin;
mod paging;
mod redact;
pub mod retry;
mod retry_after;
mod schedule;
pub mod scripted;
mod secret;
mod tally;
pub mod transport;
mod watch;

pub use act::{Acted, Effect, Followed};
pub use allowance::{Allowance, Hourly, Spent};
pub use client::{CallContext, Client, ClientConfig, Trust};
pub use clock::{Clock, TokioClock, VirtualClock};
pub use cloud::Cloud;
pub use connection::Connections;
pub use counters::Counters;
pub use credential::{AzureCredential, ChainStep, Credential, Identity, StepState};
pub use environment::Environment;
pub use error::{Detail, Error, ErrorKind, Failure, HandleError, JournalError};
pub use journal::Journal;
pub use meter::{CallRecord, Meter, RECORDS, Totals};
pub use operation::Handle;
pub use origin::{LINK_LENGTH, Refusal};
pub use paging::{BodyError, EMPTY_PAGES, PageRead};
pub use redact::{SHOWN_TEXT, redact_url, show_text};
pub use retry::RetryPolicy;
pub use schedule::{Allotment, Lane, Scheduler, Throttle};
pub use secret::Secret;
pub use transport::Transport;
pub use watch::{Ending, Finished, Listener, PollInterval, Progress, Source, Watch};
