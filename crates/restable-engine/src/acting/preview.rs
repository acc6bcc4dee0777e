//! Calls that are shown instead of sent. What stands in their way is asked with GETs, and with nothing else.

use std::sync::Arc;

use futures::stream::{self, StreamExt};
use restable_http::{Client, redact_url};
use restable_spec::BoundCall;

use super::answer::{Answer, Shown};
use super::blockers;
use super::plan::Acting;
use super::rows::Targeted;
use crate::statement::Statement;

/// What would be sent for each target.
pub(super) async fn answers(
    acting: &Acting,
    calls: &[Targeted],
    client: &Client,
    statement: &Arc<Statement>,
) -> Vec<Answer> {
    let asked = blockers::Asked::default();
    // Made before the first is waited for: a closure over references that lives across an await is what no caller may send to another
    // thread.
    let shown: Vec<_> = calls
        .iter()
        .map(|target| answer(acting, target, client, statement, &asked))
        .collect();
    stream::iter(shown)
        .buffered(statement.concurrency.max(1))
        .collect()
        .await
}

async fn answer(
    acting: &Acting,
    target: &Targeted,
    client: &Client,
    statement: &Arc<Statement>,
    asked: &blockers::Asked,
) -> Answer {
    let found = blockers::of(acting, target, client, statement, asked).await;
    Answer {
        parameters: target.parameters.clone(),
        status: "NotSent",
        shown: Some(Shown {
            http_method: target.call.http.as_str(),
            url: url(&target.call, client),
            body: target.redacted.clone(),
            destructive: acting.destroys(target),
            blockers: (!found.is_empty()).then(|| serde_json::json!(found).to_string()),
        }),
        ..Answer::default()
    }
}

/// The URL as it would be sent, redacted; headers, which may hold tokens, are not in it.
fn url(call: &BoundCall, client: &Client) -> String {
    let base = match &client.config().endpoint {
        Some(endpoint) => endpoint.as_str().trim_end_matches('/').to_owned(),
        None => call.server.clone(),
    };
    match url::Url::parse(&format!("{base}{}", call.path)) {
        Ok(mut url) => {
            if !call.query.is_empty() {
                url.query_pairs_mut().extend_pairs(&call.query);
            }
            redact_url(&url)
        }
        Err(_) => call.path.clone(),
    }
}
