//! Owns the way of one request through the emulator: reading, journal, faults, ARM's checks, the operation, the
//! common headers, compression. Decides nothing about resources.

use std::io::Write as _;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::body::{Body as HttpBody, to_bytes};
use axum::extract::{ConnectInfo, State};
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use http::{HeaderMap, Request, Response, StatusCode};
use serde_json::{Value, json};

use crate::arm::{self, Form, Problem};
use crate::control;
use crate::error::Error;
use crate::faults::{self, Action};
use crate::headers::{self, Stamp};
use crate::journal::{Journal, JournalEntry};
use crate::operations::{Meter, Run};
use crate::options::Options;
use crate::request::{Call, Target};
use crate::state::{Answer, Body, World};
use crate::wire::Cut;
use crate::{long_running, paging, router};

const LARGEST_BODY: usize = 32 << 20;
const SMALLEST_COMPRESSED: usize = 1024;

/// What every request shares.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) options: Arc<Options>,
    pub(crate) address: SocketAddr,
    world: Mutex<World>,
    journal: Mutex<Journal>,
}

impl Shared {
    pub(crate) fn new(options: Options, address: SocketAddr) -> Result<Shared, Error> {
        let options = Arc::new(options);
        let world = World::new(Arc::clone(&options))?;
        let journal = Journal::new(options.journal_capacity);
        Ok(Shared {
            options,
            address,
            world: Mutex::new(world),
            journal: Mutex::new(journal),
        })
    }

    pub(crate) fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn journal(&self) -> MutexGuard<'_, Journal> {
        self.journal.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn reset(&self) -> Result<(), Error> {
        *self.world() = World::new(Arc::clone(&self.options))?;
        self.journal().clear();
        Ok(())
    }
}

/// What is known of a request besides its answer.
#[derive(Debug)]
struct Exchange {
    request_id: String,
    region: String,
    meter: Option<(Meter, u32)>,
    tenant: String,
    principal: String,
}

/// Answers one request.
pub(crate) async fn serve(
    State(shared): State<Arc<Shared>>,
    ConnectInfo(cut): ConnectInfo<Cut>,
    request: Request<HttpBody>,
) -> Response<HttpBody> {
    cut.begin();
    let (head, body) = request.into_parts();
    let Ok(body) = to_bytes(body, LARGEST_BODY).await else {
        return plain(StatusCode::PAYLOAD_TOO_LARGE);
    };
    if head.uri.path().starts_with("/_emulator/") {
        return control::answer(&shared, &head.method, head.uri.path(), &body);
    }
    let path = head.uri.path();
    // Clients put an id with its leading slash behind the slash of the host.
    let path = if path.starts_with("//") {
        &path[1..]
    } else {
        path
    };
    let target = Target::new(path, head.uri.query());
    let number = arrive(&shared, &head, &target, &body);
    if !shared.options.latency.is_zero() {
        tokio::time::sleep(shared.options.latency).await;
    }
    let fault = shared.world().faults.strike(head.method.as_str(), &target);
    if let Some(fault) = &fault {
        let name = fault.name();
        shared
            .journal()
            .depart(number, |entry| entry.fault = Some(name));
    }
    if let Some(Action::Delay { milliseconds }) = fault {
        tokio::time::sleep(std::time::Duration::from_millis(milliseconds)).await;
    }
    let origin = origin(&shared, &head.headers);
    let method = head.method.clone();
    let (answer, exchange) = {
        let mut world = shared.world();
        world.settle();
        execute(
            &mut world,
            &method,
            target.clone(),
            head.headers.clone(),
            body,
            &origin,
            fault.as_ref(),
        )
    };
    if let Some(Action::Hang { milliseconds }) = fault {
        tokio::time::sleep(std::time::Duration::from_millis(milliseconds)).await;
    }
    let answer = faults::change(fault.as_ref(), answer, &target, &origin, number);
    let mut response = render(&shared, answer, &exchange, &head.headers);
    if let Some(fault) = &fault {
        response = faults::spoil(fault, response, &cut).await;
    }
    let status = response.status().as_u16();
    let bytes = axum::body::HttpBody::size_hint(response.body())
        .exact()
        .unwrap_or(0);
    let request_id = exchange.request_id;
    let answered = !fault.as_ref().is_some_and(Action::is_silent);
    shared.journal().depart(number, |entry| {
        if answered {
            entry.status = status;
            entry.bytes = bytes;
        }
        entry.request_id = Some(request_id);
    });
    response
}

fn arrive(shared: &Shared, head: &http::request::Parts, target: &Target, body: &Bytes) -> u64 {
    let mut journal = shared.journal();
    let text = |name: &str| {
        head.headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .map(str::to_owned)
    };
    let mut entry = JournalEntry {
        n: 0,
        time: String::new(),
        method: head.method.to_string(),
        path: target.path.clone(),
        query: target.raw_query.clone(),
        status: 0,
        operation: None,
        subscription: None,
        request_bytes: body.len() as u64,
        bytes: 0,
        client_request_id: None,
        correlation_request_id: None,
        request_id: None,
        authorization: head.headers.contains_key("authorization"),
        accept: None,
        content_type: None,
        user_agent: None,
        body: None,
        fault: None,
    };
    if journal.is_on() {
        entry.time = crate::clock::instant(shared.world().clock.now());
        if let Ok((operation, _)) = router::route(&head.method, &target.path) {
            entry.operation = Some(operation.id.to_owned());
        }
        entry.subscription = subscription_of(&target.path).map(str::to_owned);
        entry.client_request_id = text("x-ms-client-request-id");
        entry.correlation_request_id = text("x-ms-correlation-request-id");
        entry.accept = text("accept");
        entry.content_type = text("content-type");
        entry.user_agent = text("user-agent");
        let kept = &body[..body.len().min(64 << 10)];
        entry.body = (!kept.is_empty()).then(|| String::from_utf8_lossy(kept).into_owned());
    }
    journal.arrive(entry)
}

fn subscription_of(path: &str) -> Option<&str> {
    let mut segments = path.split('/').skip(1);
    let first = segments.next()?;
    first
        .eq_ignore_ascii_case("subscriptions")
        .then(|| segments.next())
        .flatten()
        .filter(|id| !id.is_empty())
}

fn origin(shared: &Shared, headers: &HeaderMap) -> String {
    let host = headers
        .get("host")
        .and_then(|host| host.to_str().ok())
        .filter(|host| !host.is_empty());
    host.map_or_else(
        || format!("http://{}", shared.address),
        |host| format!("http://{host}"),
    )
}

fn execute(
    world: &mut World,
    method: &http::Method,
    target: Target,
    headers: HeaderMap,
    body: Bytes,
    origin: &str,
    fault: Option<&Action>,
) -> (Answer, Exchange) {
    let request_id = world.ids.guid();
    let mut exchange = Exchange {
        request_id: request_id.clone(),
        region: "westeurope".to_owned(),
        meter: None,
        tenant: world.tenant.clone(),
        principal: world.principal.clone(),
    };
    if let Some(answer) = fault.and_then(|fault| faults::instead(fault, world)) {
        return (answer, exchange);
    }
    let matched = match arm::check_version(&target) {
        Err(problem) => Err(problem),
        Ok(()) => router::route(method, &target.path)
            .map_err(|other_verb| arm::unknown_path(&target, other_verb)),
    };
    let (operation, parameters) = match matched {
        Ok(matched) => matched,
        Err(problem) => return (refuse(&problem, &request_id), exchange),
    };
    let call = Call {
        operation,
        target,
        parameters,
        headers,
        body,
        origin: origin.to_owned(),
        request_id,
    };
    exchange.region = world.region(&call);
    let bucket = world.spend(&call);
    exchange.meter = Some((operation.meter, bucket.left));
    if let Some(problem) = bucket.refusal {
        return (refuse(&problem, &call.request_id), exchange);
    }
    (answer(world, &call), exchange)
}

/// Runs an operation after ARM's checks.
fn answer(world: &mut World, call: &Call) -> Answer {
    if let Err(problem) = arm::check(world, call) {
        return refuse_call(&problem, call);
    }
    let result = match call.operation.run {
        Run::List(kind) => Ok(paging::list(world, call, kind)),
        Run::One(kind) => paging::one(world, call, kind),
        Run::Own(run) => run(world, call),
        Run::Start(run) => {
            run(world, call).map(|started| long_running::start(world, call, started))
        }
    };
    result.unwrap_or_else(|problem| refuse_call(&problem, call))
}

fn refuse_call(problem: &Problem, call: &Call) -> Answer {
    // A bad request is answered without a body if the client's `Accept` has parameters.
    let parameterised = call
        .header("accept")
        .is_some_and(|accept| accept.contains("application/json;"));
    if problem.status == 400 && parameterised && problem.form != Form::Gateway {
        return Answer::empty(406);
    }
    refuse(
        problem,
        call.client_request_id().unwrap_or(&call.request_id),
    )
}

fn refuse(problem: &Problem, activity: &str) -> Answer {
    let body = Body::Json(json!({"error": problem.error(activity)}));
    Answer {
        status: problem.status,
        headers: problem.header_pairs(),
        body,
    }
}

fn render(
    shared: &Shared,
    answer: Answer,
    exchange: &Exchange,
    asked: &HeaderMap,
) -> Response<HttpBody> {
    let text = |name: &str| asked.get(name).and_then(|value| value.to_str().ok());
    let short = answer
        .headers
        .iter()
        .any(|(name, _)| name == "x-ms-error-code");
    let (mut content_type, bytes) = match answer.body {
        Body::Empty => (None, Bytes::new()),
        Body::Json(value) => (Some("application/json; charset=utf-8"), json_bytes(&value)),
        Body::Text(content_type, bytes) => (Some(content_type), bytes),
        Body::Page(items, next) => (
            Some("application/json; charset=utf-8"),
            paging::write(&items, next),
        ),
    };
    if short && content_type.is_some() {
        content_type = Some("application/json");
    }
    let accepts_gzip = text("accept-encoding").is_some_and(|accept| accept.contains("gzip"));
    let compress = shared.options.gzip && accepts_gzip && bytes.len() >= SMALLEST_COMPRESSED;
    let compressed = if compress { gzip(&bytes) } else { None };
    let encoded = compressed.is_some();
    let bytes = compressed.unwrap_or(bytes);
    let now = shared.world().clock.now();
    let mut response = Response::new(HttpBody::from(bytes));
    *response.status_mut() =
        StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let wants_echo =
        text("x-ms-return-client-request-id").is_some_and(|wish| wish.eq_ignore_ascii_case("true"));
    let stamp = Stamp {
        now,
        region: &exchange.region,
        request_id: &exchange.request_id,
        correlation_id: text("x-ms-correlation-request-id").unwrap_or(&exchange.request_id),
        client_request_id: text("x-ms-client-request-id").filter(|_| wants_echo),
        tenant: &exchange.tenant,
        principal: &exchange.principal,
        meter: exchange.meter,
    };
    headers::stamp(response.headers_mut(), &stamp);
    if let Some(content_type) = content_type {
        headers::set(response.headers_mut(), "content-type", content_type);
    }
    if encoded {
        headers::set(response.headers_mut(), "content-encoding", "gzip");
        headers::set(response.headers_mut(), "vary", "Accept-Encoding");
    }
    for (name, value) in answer.headers {
        headers::set(response.headers_mut(), &name, &value);
    }
    response
}

pub(crate) fn json_bytes(value: &Value) -> Bytes {
    // A value of our own making always serialises.
    Bytes::from(serde_json::to_vec(value).unwrap_or_default())
}

fn gzip(bytes: &[u8]) -> Option<Bytes> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(bytes.len() / 8), Compression::fast());
    encoder.write_all(bytes).ok()?;
    encoder.finish().ok().map(Bytes::from)
}

pub(crate) fn plain(status: StatusCode) -> Response<HttpBody> {
    let mut response = Response::new(HttpBody::empty());
    *response.status_mut() = status;
    response
}
