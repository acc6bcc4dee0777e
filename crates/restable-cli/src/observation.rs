//! What a server tells of itself: counters for Prometheus, an audit log, spans for a collector. Owns where they go; what is counted and
//! written is the engine's.

use std::path::Path;

use opentelemetry::trace::TracerProvider as _;
use opentelemetry_otlp::{SpanExporter, WithExportConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{SdkTracer, SdkTracerProvider};
use restable_engine::{AuditLog, Engine};
use restable_http::Environment;
use restable_server::metrics;

use crate::arguments::ObservationArguments;
use crate::environment::{OTEL_ENDPOINT, OTEL_TRACES_ENDPOINT};
use crate::error::{Error, Result};

/// Where spans go. They are sent in the background, the last ones by [`Spans::end`].
pub struct Spans(SdkTracerProvider);

impl Spans {
    /// The collector that a flag or a standard variable names, if there is one.
    pub fn find(
        arguments: &ObservationArguments,
        environment: &Environment,
    ) -> Result<Option<Spans>> {
        let variable = |name: &str| environment.var(name).filter(|value| !value.is_empty());
        let named = arguments.otlp.as_ref().map(ToString::to_string);
        let Some(endpoint) = named
            .or_else(|| variable(OTEL_TRACES_ENDPOINT).map(str::to_owned))
            .or_else(|| variable(OTEL_ENDPOINT).map(str::to_owned))
        else {
            return Ok(None);
        };
        let exporter = SpanExporter::builder()
            .with_tonic()
            .with_endpoint(endpoint)
            .build()
            .map_err(|problem| {
                refused(
                    "`--otlp`",
                    &problem.to_string(),
                    "`--otlp http://127.0.0.1:4317`",
                )
            })?;
        let resource = Resource::builder().with_service_name("restable").build();
        let provider = SdkTracerProvider::builder()
            .with_batch_exporter(exporter)
            .with_resource(resource)
            .build();
        Ok(Some(Spans(provider)))
    }

    /// What makes the spans.
    pub fn tracer(&self) -> SdkTracer {
        self.0.tracer("restable")
    }

    /// Sends what is left.
    pub async fn end(self) {
        // It blocks until the last spans are sent, or its time is over.
        let _ = tokio::task::spawn_blocking(move || self.0.shutdown()).await;
    }
}

/// The engine with the audit log that is asked for.
pub fn audited(engine: Engine, path: Option<&Path>) -> Result<Engine> {
    let Some(path) = path else {
        return Ok(engine);
    };
    let log = AuditLog::open(path).map_err(|problem| {
        let message = format!("`{}` cannot be written: {problem}", path.display());
        refused(
            "`--audit-log`",
            &message,
            "name a file in a directory of your own",
        )
    })?;
    Ok(engine.with_audit(log))
}

/// The listener for Prometheus, if one is asked for.
pub async fn metrics(
    engine: &Engine,
    arguments: &ObservationArguments,
) -> Result<Option<metrics::Server>> {
    let Some(listen) = arguments.metrics else {
        return Ok(None);
    };
    if !listen.ip().is_loopback() {
        return Err(refused(
            "`--metrics`",
            "only an address of this machine is listened on, since nobody has to show who he is",
            "use 127.0.0.1",
        ));
    }
    let server = metrics::Server::bind(listen, std::sync::Arc::clone(engine.counters())).await;
    let server = server.map_err(|problem| {
        refused(
            "`--metrics`",
            &problem.to_string(),
            "port 0 takes a free one",
        )
    })?;
    Ok(Some(server))
}

fn refused(place: &str, message: &str, hint: &str) -> Error {
    Error::Setting {
        place: place.to_owned(),
        message: message.to_owned(),
        hint: Some(hint.to_owned()),
    }
}
