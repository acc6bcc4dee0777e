//! Statements that act: their rows are taken to the end whoever waits for them, and become a count, or an error that names the
//! targets that did not come to what was asked for.

use restable_engine::acting::ActionTotals;
use restable_engine::arrow::array::RecordBatch;
use restable_engine::arrow::util::display::array_value_to_string;
use restable_engine::{Error, Report, Rows};

use super::messages::Told;

/// Targets that are named before the rest is only counted.
const NAMED: usize = 50;

/// What a statement that acts came to.
pub struct Acted {
    /// How many targets there were.
    pub targets: u64,
    /// What it cost, and how the targets ended.
    pub report: Report,
    /// A line for each target that did not come to what was asked for.
    failed: Vec<String>,
}

/// Takes the rows to their end.
pub async fn finish(mut rows: Rows) -> Result<Acted, Error> {
    let mut targets = 0;
    let mut failed = Vec::new();
    while let Some(batch) = rows.next().await {
        let batch = batch?;
        targets += batch.num_rows() as u64;
        for row in 0..batch.num_rows() {
            failed.extend(failure(&batch, row));
        }
    }
    Ok(Acted {
        targets,
        report: rows.report(),
        failed,
    })
}

/// A target that did not come to what was asked for, in a line: its parameters, how it ended and why.
fn failure(batch: &RecordBatch, row: usize) -> Option<String> {
    let cell = |name: &str| {
        let array = batch.column_by_name(name)?;
        let value = array_value_to_string(array, row).ok()?;
        (!array.is_null(row)).then_some(value)
    };
    let status = cell("status")?;
    let error = cell("error_message");
    if matches!(&*status, "Succeeded" | "Absent" | "Skipped" | "Accepted") && error.is_none() {
        return None;
    }
    let schema = batch.schema();
    let names = schema.fields().iter().map(|field| field.name().as_str());
    let target: Vec<String> = names
        .take_while(|name| *name != "status")
        .filter_map(&cell)
        .collect();
    let why = [cell("error_code"), error].into_iter().flatten();
    let why: Vec<String> = why.collect();
    Some(format!(
        "{}: {status}: {}",
        target.join(" / "),
        why.join(": ")
    ))
}

impl Acted {
    /// The error, if a target did not come to what was asked for.
    pub fn problem(&self) -> Option<Told> {
        let failed = self.report.actions.as_ref().map_or(0, |all| all.failed());
        if failed == 0 {
            return None;
        }
        let mut lines: Vec<String> = self.failed.iter().take(NAMED).cloned().collect();
        if self.failed.len() > NAMED {
            lines.push(format!("and {} more", self.failed.len() - NAMED));
        }
        Some(Told {
            severity: "ERROR",
            // system_error: the other side is at fault.
            code: "58000",
            message: unachieved(failed, self.targets),
            detail: Some(lines.join("\n")),
            hint: Some("`SHOW OPERATIONS` has what became of each".to_owned()),
            ..Told::default()
        })
    }
}

/// What is said of targets that failed.
pub fn unachieved(failed: u64, of: u64) -> String {
    match of {
        1 => "the target did not come to what was asked for".to_owned(),
        _ => format!("{failed} of {of} targets did not come to what was asked for"),
    }
}

/// How many targets were changed; of rows that go into a table of the session all are.
pub fn changed(report: &Report, rows: u64) -> u64 {
    let actions = report.actions.as_ref();
    actions.map_or(rows, |totals| totals.changed())
}

/// How many targets a statement had.
pub fn targets(totals: &ActionTotals) -> u64 {
    totals.statuses.values().sum()
}
