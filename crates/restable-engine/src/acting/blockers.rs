//! What stands in the way of a call: whether its target is there, and what the document says can hinder it. Asked with GETs only, each
//! resource once a statement.

use std::collections::HashMap;
use std::sync::Arc;

use restable_http::Client;
use restable_spec::{Arguments, HttpMethod, Method, Service};
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
            ask::one(client, statement, service, reader, &taken)
                .await
                .map_err(|problem| problem.to_string())
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
    let Some((_, reader)) = service.reader_at(method) else {
        return Vec::new();
    };
    let there = asked
        .one(client, statement, service, reader, &target.parameters)
        .await;
    match (there, method.http) {
        (Err(problem), _) => vec![format!("it could not be read: {problem}")],
        (Ok(Some(_)), HttpMethod::Put) => vec!["present: it would be replaced".to_owned()],
        (Ok(None), HttpMethod::Put) => Vec::new(),
        (Ok(None), _) => vec!["absent: there is no such thing".to_owned()],
        (Ok(Some(_)), _) => Vec::new(),
    }
}
