//! What stands in the way of a call: whether its target is there, and what the document says can hinder it. Asked with GETs only, each
//! resource once a statement.

use std::collections::HashMap;
use std::sync::Arc;

use restable_http::Client;
use restable_spec::{Arguments, Items, Method, Service};
use tokio::sync::{Mutex, OnceCell};

use super::ask;
use super::plan::Acting;
use super::rows::Targeted;
use crate::statement::Statement;

/// What was asked already: the text of a resource, nothing, or why it could not be read, by the path of its call.
#[derive(Debug, Default)]
pub(super) struct Asked(Mutex<HashMap<String, Arc<OnceCell<Answered>>>>);

type Answered = Result<Option<String>, String>;

impl Asked {
    async fn one(
        &self,
        client: &Client,
        statement: &Statement,
        service: &Service,
        reader: &Method,
        parameters: &[(String, String)],
    ) -> Answered {
        let taken: Vec<(String, String)> = parameters
            .iter()
            .filter(|(name, _)| reader.parameter(name).is_some())
            .cloned()
            .collect();
        let arguments = Arguments {
            parameters: taken.clone(),
            body: None,
        };
        let call = reader
            .bind(service, &arguments)
            .map_err(|problem| problem.to_string())?;
        let cell = {
            let mut known = self.0.lock().await;
            Arc::clone(known.entry(call.path.to_ascii_lowercase()).or_default())
        };
        cell.get_or_init(|| async {
            let found = match reader.response.items {
                Items::One => ask::one(client, statement, service, reader, &taken).await,
                Items::At(_) | Items::Array => {
                    let any = |row: &str| Some(row.to_owned());
                    ask::first(client, statement, service, reader, &taken, any).await
                }
            };
            found.map_err(|problem| problem.to_string())
        })
        .await
        .clone()
    }
}

/// What stands in the way of a call, in words; empty if nothing does.
pub(super) async fn of(
    acting: &Acting,
    target: &Targeted,
    client: &Client,
    statement: &Statement,
    asked: &Asked,
) -> Vec<String> {
    let (service, method) = (&acting.service, &acting.method);
    let mut found = Vec::new();
    for blocker in &method.blockers {
        let Some((resource, reader)) = service.blocker_reader(method, blocker) else {
            continue;
        };
        let row = asked
            .one(client, statement, service, reader, &target.parameters)
            .await;
        let phrase = match row {
            Ok(row) => blocker.phrase(row.as_deref()),
            // A preview still shows the call; what could not be looked at is not passed over in silence.
            Err(problem) => Some(format!("`{}` could not be read: {problem}", resource.name)),
        };
        found.extend(phrase.filter(|phrase| !found.contains(phrase)));
    }
    found
}
