//! The summary of a run, as `--summary` writes it. Owns its keys; SQL text in it is redacted as in a log.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use restable_engine::Report;
use restable_engine::acting::ActionTotals;
use serde::Serialize;

use crate::error::{Error, Result};

/// The statements of a run.
#[derive(Debug, Default, Serialize)]
pub struct Summary {
    /// In their order.
    pub statements: Vec<StatementSummary>,
}

/// One statement.
#[derive(Debug, Default, Serialize)]
pub struct StatementSummary {
    sql: String,
    rows: u64,
    calls: u64,
    retries: u64,
    bytes: u64,
    seconds: f64,
    throttle_seconds: f64,
    scopes: usize,
    complete: bool,
    missing: Vec<MissingScope>,
    /// Only of a statement that acted.
    #[serde(skip_serializing_if = "Option::is_none")]
    targets: Option<Targets>,
    /// Only of a statement that failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Failure>,
}

#[derive(Debug, Serialize)]
struct MissingScope {
    scope: String,
    code: String,
    message: String,
}

/// What became of the targets of a statement that acted.
#[derive(Debug, Serialize)]
struct Targets {
    statuses: BTreeMap<String, u64>,
    errors: Vec<ErrorCount>,
    operations: Vec<i64>,
    statement: String,
}

#[derive(Debug, Serialize)]
struct ErrorCount {
    code: Option<String>,
    message: String,
    count: u64,
}

impl From<&ActionTotals> for Targets {
    fn from(totals: &ActionTotals) -> Targets {
        let errors = totals.errors.iter().map(|error| ErrorCount {
            code: error.code.clone(),
            message: error.message.clone(),
            count: error.count,
        });
        Targets {
            statuses: totals.statuses.clone(),
            errors: errors.collect(),
            operations: totals.operations.clone(),
            statement: totals.statement.clone(),
        }
    }
}

#[derive(Debug, Serialize)]
struct Failure {
    code: Option<&'static str>,
    message: String,
}

impl StatementSummary {
    /// A statement with what it cost; without a report nothing ran.
    pub fn new(sql: &str, report: Option<&Report>, failure: Option<&Error>) -> StatementSummary {
        let error = failure.map(|failure| match failure.diagnostic() {
            Some(diagnostic) => Failure {
                code: Some(diagnostic.code),
                message: diagnostic.message,
            },
            None => Failure {
                code: None,
                message: failure.to_string(),
            },
        });
        let sql = restable_http::show_text(sql);
        let Some(report) = report else {
            return StatementSummary {
                sql,
                complete: error.is_none(),
                error,
                ..StatementSummary::default()
            };
        };
        let missing = report.missing.iter().map(|missing| MissingScope {
            scope: missing.scope.clone(),
            code: missing.code.clone(),
            message: missing.message.clone(),
        });
        let mut missing: Vec<MissingScope> = missing.collect();
        missing.sort_by(|one, other| one.scope.cmp(&other.scope));
        StatementSummary {
            sql,
            rows: report.rows,
            calls: report.calls,
            retries: report.retries,
            bytes: report.bytes,
            seconds: rounded(report.elapsed),
            throttle_seconds: rounded(report.throttled),
            scopes: report.scopes.values().sum(),
            complete: error.is_none() && report.is_complete(),
            missing,
            targets: report.actions.as_deref().map(Targets::from),
            error,
        }
    }
}

/// Seconds in whole milliseconds.
fn rounded(time: Duration) -> f64 {
    (time.as_secs_f64() * 1e3).round() / 1e3
}

impl Summary {
    /// Writes the file.
    pub fn write(&self, path: &Path) -> Result<()> {
        let mut text = serde_json::to_string_pretty(self)
            .map_err(|problem| Error::Internal(format!("the summary: {problem}")))?;
        text.push('\n');
        std::fs::write(path, text).map_err(|source| Error::Write {
            path: path.to_owned(),
            source,
        })
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn has_the_keys_of_the_contract() {
        let report = Report {
            rows: 3,
            calls: 2,
            elapsed: Duration::from_micros(1_234_567),
            scopes: [("vaults".to_owned(), 2)].into(),
            ..Report::default()
        };
        let failure = Error::Interrupted;
        let summary = Summary {
            statements: vec![
                StatementSummary::new("SELECT\n'AccountKey=abc123'", Some(&report), None),
                StatementSummary::new("SELEC", None, Some(&failure)),
            ],
        };
        assert_eq!(
            serde_json::to_string(&summary).unwrap(),
            concat!(
                r#"{"statements":[{"sql":"SELECT 'AccountKey=[secret]'","rows":3,"calls":2,"retries":0,"bytes":0,"seconds":1.235,"#,
                r#""throttle_seconds":0.0,"scopes":2,"complete":true,"missing":[]},"#,
                r#"{"sql":"SELEC","rows":0,"calls":0,"retries":0,"bytes":0,"seconds":0.0,"throttle_seconds":0.0,"scopes":0,"complete":false,"#,
                r#""missing":[],"error":{"code":null,"message":"interrupted"}}]}"#
            )
        );
    }
}
