//! Single questions about what a call is about: one GET, or one list, beside what a statement reads. Their calls are counted with it.

use restable_http::{Client, PageRead};
use restable_spec::{Arguments, BoundCall, Items, Method, Service};
use serde_json::value::RawValue;

use crate::statement::Statement;
use crate::{Error, Result};

/// One resource as JSON text; `None` if the service says that there is none.
pub(super) async fn one(
    client: &Client,
    statement: &Statement,
    service: &Service,
    reader: &Method,
    parameters: &[(String, String)],
) -> Result<Option<String>> {
    let call = bound(service, reader, parameters)?;
    let read = client.read_one(call, statement.context(), |body| {
        Ok(PageRead {
            row_count: 1,
            next: None,
            rows: String::from_utf8_lossy(&body).into_owned(),
        })
    });
    match read.await {
        Ok(text) => Ok(Some(text)),
        Err(problem) if problem.is_not_found(&service.not_found_codes) => Ok(None),
        Err(problem) => Err(problem.into()),
    }
}

/// The rows of a list, each as JSON text, until `wanted` takes one; that one.
pub(super) async fn first<T>(
    client: &Client,
    statement: &Statement,
    service: &Service,
    list: &Method,
    parameters: &[(String, String)],
    mut wanted: impl FnMut(&str) -> Option<T>,
) -> Result<Option<T>> {
    use futures::TryStreamExt;
    let call = bound(service, list, parameters)?;
    let items = list.response.items.clone();
    let next_link = list.response.next_link.clone();
    let pages = client.pages(call, statement.context(), move |body| {
        let text = String::from_utf8_lossy(&body);
        let rows = rows(&items, &text).map_err(|problem| restable_http::BodyError {
            message: problem.to_string(),
            path: "$".to_owned(),
            item: None,
        })?;
        let next = next_link
            .as_deref()
            .and_then(|name| crate::json::find(&text, &[crate::json::Step::Key(name.to_owned())]))
            .and_then(|raw| serde_json::from_str::<String>(&raw).ok());
        Ok(PageRead {
            row_count: rows.len(),
            next,
            rows,
        })
    });
    let mut pages = std::pin::pin!(pages);
    loop {
        match pages.try_next().await {
            Ok(None) => return Ok(None),
            Ok(Some(rows)) => {
                let found = rows.iter().find_map(|row| wanted(row.get()));
                if found.is_some() {
                    return Ok(found);
                }
            }
            Err(problem) if problem.is_not_found(&service.not_found_codes) => return Ok(None),
            Err(problem) => return Err(problem.into()),
        }
    }
}

fn rows(items: &Items, text: &str) -> serde_json::Result<Vec<Box<RawValue>>> {
    match items {
        Items::One => Ok(vec![serde_json::from_str(text)?]),
        Items::Array => serde_json::from_str(text),
        Items::At(key) => {
            let mut body: std::collections::HashMap<String, Box<RawValue>> =
                serde_json::from_str(text)?;
            match body.remove(key) {
                Some(rows) => serde_json::from_str(rows.get()),
                None => Ok(Vec::new()),
            }
        }
    }
}

/// A call of a reader with those of the parameters that it takes.
fn bound(service: &Service, reader: &Method, parameters: &[(String, String)]) -> Result<BoundCall> {
    let taken = parameters
        .iter()
        .filter(|(name, _)| reader.parameter(name).is_some())
        .cloned();
    let arguments = Arguments {
        parameters: taken.collect(),
        body: None,
    };
    reader.bind(service, &arguments).map_err(Error::from)
}

/// The text of a scalar at a dotted path of a JSON text; `None` if it is missing or null.
pub(super) fn field(json: &str, path: &str) -> Option<String> {
    let steps: Vec<crate::json::Step> = path
        .split('.')
        .map(|key| crate::json::Step::Key(key.to_owned()))
        .collect();
    let raw = crate::json::find(json, &steps)?;
    crate::json::text(&raw).map(std::borrow::Cow::into_owned)
}
