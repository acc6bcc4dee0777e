//! The log on stderr. Only restable's own crates speak, whose texts are redacted where they are made; what libraries below them would log
//! (headers, tokens) is never let through.

use std::io;

use opentelemetry_sdk::trace::SdkTracer;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::{Layer as _, SubscriberExt as _};
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::arguments::Level;

/// The beginnings of the names of our crates.
const OURS: [&str; 2] = ["restable", "arm_emulator"];

/// The name under which all crates make spans. The log shows none of them.
const SPANS: &str = "span";

/// Begins to log, if there is to be a log.
pub fn start(level: Option<Level>) {
    start_with(level, None);
}

/// The same, with spans for a collector.
pub fn start_with(level: Option<Level>, tracer: Option<SdkTracer>) {
    let level = match level {
        None | Some(Level::Off) => LevelFilter::OFF,
        Some(Level::Error) => LevelFilter::ERROR,
        Some(Level::Warn) => LevelFilter::WARN,
        Some(Level::Info) => LevelFilter::INFO,
        Some(Level::Debug) => LevelFilter::DEBUG,
        Some(Level::Trace) => LevelFilter::TRACE,
    };
    let targets = Targets::new().with_targets(OURS.map(|target| (target, level)));
    let layer = tracing_subscriber::fmt::layer()
        .with_writer(io::stderr)
        .with_ansi(false)
        .with_filter(targets);
    // A second call finds the first one's log, which is the same.
    let spans = tracer.map(|tracer| {
        let only = Targets::new().with_target(SPANS, LevelFilter::INFO);
        tracing_opentelemetry::layer()
            .with_tracer(tracer)
            .with_filter(only)
    });
    if level == LevelFilter::OFF && spans.is_none() {
        return;
    }
    let _ = tracing_subscriber::registry()
        .with(layer)
        .with(spans)
        .try_init();
}
