//! What is computed for a client, beside its connection: whatever a step takes, the client's cancel and the end of the time of its
//! statement are heard.

use std::sync::Arc;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use restable_engine::arrow::datatypes::DataType;
use restable_engine::parameters::{Described, Parameter};
use restable_engine::sql::Parsed;
use restable_engine::{Error, Prepared};
use tokio::io::{AsyncRead, AsyncWrite};

use super::{Client, Done, cancelled};
use crate::computing::Limit;
use crate::pg::sqlstate;

/// Shorter texts are parsed at once.
const SHORT: usize = 16 << 10;
/// A statement without a call or a subquery that is no longer than this is planned at once.
const PLAIN: usize = 120;

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Client<S> {
    /// The statements of a text.
    pub(super) async fn parsed(&mut self, text: &Arc<str>) -> Done<Vec<Parsed>> {
        let told = |fault| sqlstate::fault(&fault, text);
        if text.len() <= SHORT {
            return Ok(self.session.parse(text).map_err(told)?);
        }
        let (session, parsed) = (Arc::clone(&self.session), Arc::clone(text));
        let work = async move { Ok(session.parse(&parsed)) }.boxed();
        let limit = Limit::of(&self.session);
        let all = self.listening(text, limit, work).await?;
        Ok(all.map_err(told)?)
    }

    /// The plan of a statement.
    pub(super) async fn planned(
        &mut self,
        text: &str,
        parsed: &Arc<Parsed>,
        parameters: Vec<Parameter>,
        limit: Option<Limit>,
    ) -> Done<Prepared> {
        if parsed.text.len() <= PLAIN && !parsed.text.contains('(') {
            let prepared = self.session.prepare_with(parsed, parameters).boxed();
            let prepared = prepared.await;
            return Ok(prepared.map_err(|problem| sqlstate::told(&problem, text))?);
        }
        let (session, parsed) = (Arc::clone(&self.session), Arc::clone(parsed));
        let work = async move { session.prepare_with(&parsed, parameters).await };
        self.listening(text, limit, work.boxed()).await
    }

    /// What a statement takes and answers.
    pub(super) async fn found_out(
        &mut self,
        text: &str,
        parsed: Arc<Parsed>,
        declared: Vec<Option<DataType>>,
    ) -> Done<Described> {
        let session = Arc::clone(&self.session);
        let work = async move { session.describe(&parsed, &declared).await };
        let limit = Limit::of(&self.session);
        self.listening(text, limit, work.boxed()).await
    }

    /// What comes of work that is no part of a statement that runs.
    async fn listening<T: Send + 'static>(
        &mut self,
        text: &str,
        limit: Option<Limit>,
        work: BoxFuture<'static, Result<T, Error>>,
    ) -> Done<T> {
        let cancel = Arc::clone(&self.listed.cancel);
        cancel.begin();
        let work = self.desk.compute(work);
        let done = tokio::select! {
            biased;
            () = cancel.asked() => None,
            done = Limit::keep(limit, work) => Some(done.and_then(|done| done)),
        };
        cancel.end();
        match done {
            None => Err(cancelled().into()),
            Some(done) => Ok(done.map_err(|problem| sqlstate::told(&problem, text))?),
        }
    }
}
