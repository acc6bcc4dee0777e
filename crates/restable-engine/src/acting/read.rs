//! EXEC of a method that only asks: its answers are rows, nothing is journaled and nobody is asked.

use std::sync::Arc;

use arrow::array::RecordBatch;
use futures::StreamExt;
use futures::stream::{self, BoxStream};

use super::plan::Acting;
use super::rows::Targeted;
use crate::decode::{Column, Decoder, Source};
use crate::statement::Statement;
use crate::{Error, Result};

/// The rows that the calls answer, in any order.
pub(super) fn rows(
    acting: &Acting,
    calls: Vec<Targeted>,
    statement: &Arc<Statement>,
) -> Result<BoxStream<'static, Result<RecordBatch>>> {
    let method = &acting.method;
    if let Some(why) = &method.unreadable {
        return Err(Error::Route {
            message: format!(
                "the answer of `{}` cannot be read as rows, {why}",
                method.full_name()
            ),
            hint: None,
        });
    }
    let response = &method.response;
    let columns = response.fields.iter().map(|field| Column {
        source: Source::Field(field.name.clone()),
        kind: field.kind,
    });
    let decoder = Decoder::new(
        Arc::clone(acting.schema()),
        columns.collect(),
        response,
        None,
    );
    let provider = &acting.resource.provider;
    let client = statement
        .clients
        .get(provider)
        .cloned()
        .ok_or_else(|| Error::no_client(provider))?;
    let shared = Arc::clone(statement);
    let concurrency = statement.concurrency.max(1);
    let rows = stream::iter(calls)
        .map(move |targeted| {
            let decoder = decoder.clone();
            client
                .pages(targeted.call, shared.context(), move |body| {
                    decoder.read(&body)
                })
                .map(|page| page.map_err(Error::from))
                .boxed()
        })
        .flatten_unordered(concurrency);
    Ok(rows.boxed())
}
