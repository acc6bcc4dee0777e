//! What is asked of the engine, each as a future of its own that owns what it needs: a compiler that has to see through all
//! of them at once, to know that they may move between threads, takes minutes.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use restable_engine::parameters::{Described, Parameter};
use restable_engine::sql::Parsed;
use restable_engine::{Error, Listed, Outcome, Prepared, Rows, Session};

pub type Asked<T> = BoxFuture<'static, Result<T, Error>>;

/// Plans a statement, with values for `$1` and on.
pub fn prepare(session: Arc<Session>, parsed: Parsed, values: Vec<Parameter>) -> Asked<Prepared> {
    async move { session.prepare_with(&parsed, values).await }.boxed()
}

/// Finds out what a statement takes and answers; gives the statement back.
pub fn describe(session: Arc<Session>, parsed: Parsed) -> Asked<(Parsed, Described)> {
    async move {
        let described = session.describe(&parsed, &[]).await?;
        Ok((parsed, described))
    }
    .boxed()
}

/// Runs what was planned.
pub fn run(session: Arc<Session>, prepared: Prepared) -> Asked<Outcome> {
    async move { session.run(prepared).await }.boxed()
}

/// Reads a batch; gives the rows back.
pub fn next(mut rows: Rows) -> BoxFuture<'static, (Rows, Option<Result<RecordBatch, Error>>)> {
    async move {
        let batch = rows.next().await;
        (rows, batch)
    }
    .boxed()
}

/// Finds out the columns of a table.
pub fn columns(session: Arc<Session>, table: Listed) -> Asked<SchemaRef> {
    async move { session.listed_columns(&table).await }.boxed()
}
