//! Owns the control plane under `/_emulator/`, through which tests in other processes read the journal, order faults,
//! move the clock and start anew. No Azure client asks for it.

use std::time::Duration;

use axum::body::Body as HttpBody;
use bytes::Bytes;
use http::{Method, Response, StatusCode};
use serde_json::{Value, json};

use crate::clock;
use crate::estate;
use crate::faults;
use crate::serve::{Shared, json_bytes};

/// Answers one request to the control plane.
pub(crate) fn answer(
    shared: &Shared,
    method: &Method,
    path: &str,
    body: &Bytes,
) -> Response<HttpBody> {
    let what = path.trim_start_matches("/_emulator/").trim_end_matches('/');
    match (method.as_str(), what) {
        ("GET", "journal") => respond(200, &json!(shared.journal().entries())),
        ("DELETE", "journal") => {
            shared.journal().clear();
            respond(200, &json!([]))
        }
        ("GET", "ledger") => respond(200, &json!(shared.world().ledger)),
        ("GET", "faults") => respond(200, &shared.world().faults.describe()),
        ("POST", "faults") => match faults::parse(body) {
            Ok(rules) => {
                let mut world = shared.world();
                rules.into_iter().for_each(|rule| world.faults.add(rule));
                respond(200, &world.faults.describe())
            }
            Err(error) => respond(400, &json!({"error": error.to_string()})),
        },
        ("DELETE", "faults") => {
            shared.world().faults.clear();
            respond(200, &json!([]))
        }
        ("GET", "clock") => respond(200, &now(shared)),
        ("POST", "clock/advance") => advance(shared, body),
        ("POST", "tokens/expire") => {
            shared.world().tokens.expire();
            respond(200, &json!({}))
        }
        ("POST", "reset") => match shared.reset() {
            Ok(()) => respond(200, &now(shared)),
            Err(error) => respond(500, &json!({"error": error.to_string()})),
        },
        ("GET", "state") => {
            let world = shared.world();
            respond(
                200,
                &estate::write(&world.tenant, &world.subscriptions, &world.store),
            )
        }
        _ => respond(
            404,
            &json!({"error": format!("the control plane has no `{method} {path}`")}),
        ),
    }
}

fn advance(shared: &Shared, body: &Bytes) -> Response<HttpBody> {
    let given: Value = serde_json::from_slice(body).unwrap_or_default();
    let seconds = given["seconds"].as_f64();
    match seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()) {
        Some(duration) => {
            {
                let mut world = shared.world();
                world.clock.advance(duration);
                world.settle();
            }
            respond(200, &now(shared))
        }
        None => respond(
            400,
            &json!({"error": "the body is to be `{\"seconds\": N}`"}),
        ),
    }
}

fn now(shared: &Shared) -> Value {
    let world = shared.world();
    json!({"now": clock::instant(world.clock.now()), "pending": world.pending()})
}

fn respond(status: u16, body: &Value) -> Response<HttpBody> {
    let mut response = Response::new(HttpBody::from(json_bytes(body)));
    *response.status_mut() =
        StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    crate::headers::set(response.headers_mut(), "content-type", "application/json");
    response
}
