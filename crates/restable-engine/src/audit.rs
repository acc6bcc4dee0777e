//! The audit log: a line of JSON before a statement changes anything and one when all of its targets have ended. It says who, what and
//! about which targets; values stand in neither. Where the first line cannot be written, nothing is sent.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::path::Path;
use std::sync::{Arc, Mutex};

use datafusion::sql::sqlparser::ast;
use restable_sql::{Parsed, Statement};
use serde::Serialize;

use crate::acting::ActionTotals;
use crate::session::Session;
use crate::statement::lock;
use crate::{Error, Result};

/// Where lines go.
#[derive(Debug, Clone)]
pub struct AuditLog(Arc<Mutex<Log>>);

#[derive(Debug)]
struct Log {
    file: File,
    /// Whether the last line may be there in part: the disk was full, or a process ended while it wrote.
    torn: bool,
}

/// What is written before anything is sent.
#[derive(Debug, Serialize)]
pub(crate) struct Beginning<'a> {
    /// The statement's id in the journal.
    pub statement: &'a str,
    /// Who asked: the name that a client gave.
    pub user: Option<&'a str>,
    /// As whom calls are sent, where the service's token says it.
    pub principal: Option<&'a str>,
    /// The tenant of that one.
    pub tenant: Option<&'a str>,
    /// Where calls go.
    pub endpoint: &'a str,
    /// What is done: `DELETE FROM backup_instances`.
    pub action: &'a str,
    /// The statement without its values.
    pub sql: &'a str,
    /// Whether data or protection may be lost.
    pub destructive: bool,
    /// Every target.
    pub targets: Vec<&'a str>,
}

/// What is written when all targets have ended.
#[derive(Debug, Serialize)]
struct End<'a> {
    statement: &'a str,
    outcome: &'static str,
    targets: &'a std::collections::BTreeMap<String, u64>,
    errors: Vec<Fault<'a>>,
}

#[derive(Debug, Serialize)]
struct Fault<'a> {
    code: Option<&'a str>,
    message: &'a str,
    count: u64,
}

/// What is written of a statement that was to change something and was not let to.
#[derive(Debug, Serialize)]
struct Refused<'a> {
    user: Option<&'a str>,
    action: &'a str,
    sql: &'a str,
    outcome: &'static str,
    errors: [Fault<'a>; 1],
}

#[derive(Serialize)]
struct Line<'a, T> {
    time: String,
    event: &'static str,
    #[serde(flatten)]
    rest: &'a T,
}

impl AuditLog {
    /// Opens the file, or makes one that only its owner may read; lines go behind those that are there.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn open(path: &Path) -> io::Result<AuditLog> {
        let mut options = OpenOptions::new();
        options.create(true).append(true);
        #[cfg(unix)]
        {
            use std::os::unix::fs::OpenOptionsExt as _;
            options.mode(0o600);
        }
        let file = options.open(path)?;
        let torn = is_torn(path).unwrap_or(true);
        Ok(AuditLog(Arc::new(Mutex::new(Log { file, torn }))))
    }

    pub(crate) fn begin(&self, beginning: &Beginning<'_>) -> Result<()> {
        let written = self.write("begin", beginning);
        written.map_err(|problem| Error::Audit(problem.to_string()))
    }

    /// Writes how the targets ended. Nothing can be undone where that fails: it is told in the log of the program.
    pub(crate) fn end(&self, statement: &str, totals: &ActionTotals) -> Option<String> {
        let outcome = match (totals.failed(), totals.stopped) {
            (_, true) => "stopped",
            (0, false) => "succeeded",
            _ => "failed",
        };
        let errors = totals.errors.iter().map(|error| Fault {
            code: error.code.as_deref(),
            message: &error.message,
            count: error.count,
        });
        let end = End {
            statement,
            outcome,
            targets: &totals.statuses,
            errors: errors.collect(),
        };
        self.write("end", &end)
            .err()
            .map(|problem| problem.to_string())
    }

    /// Writes that somebody tried. Nothing was done, whether it can be written or not.
    fn refused(&self, user: Option<&str>, parsed: &Parsed, code: &str, message: &str) {
        let refused = Refused {
            user,
            action: parsed.tag(),
            sql: &without_values(&parsed.text),
            outcome: "refused",
            errors: [Fault {
                code: Some(code),
                message,
                count: 1,
            }],
        };
        if let Err(problem) = self.write("refused", &refused) {
            tracing::error!("the audit log could not be written after a refusal: {problem}");
        }
    }

    fn write(&self, event: &'static str, rest: &impl Serialize) -> io::Result<()> {
        let line = Line {
            time: rfc_3339(std::time::SystemTime::now()),
            event,
            rest,
        };
        let mut text = serde_json::to_vec(&line)?;
        text.push(b'\n');
        let mut log = lock(&self.0);
        if log.torn {
            // What is left of a line stays a line of its own.
            text.insert(0, b'\n');
        }
        log.torn = true;
        log.file.write_all(&text)?;
        log.torn = false;
        log.file.sync_data()
    }
}

/// What a session is refused although it is understood: it only reads, or nobody said yes.
const REFUSALS: [&str; 2] = ["R0320", "R0317"];

impl Session {
    /// Takes down that a statement was refused which was to change something, if that is what became of it.
    pub(crate) fn note_refused(&self, parsed: &Parsed, problem: &Error) {
        let told = problem.diagnostic();
        if REFUSALS.contains(&told.code) {
            self.note_refusal(parsed, told.code, &told.message);
        }
    }

    /// The same for what the door of the session refused.
    pub fn note_refusal(&self, parsed: &Parsed, code: &str, message: &str) {
        if let Some(log) = self.engine().audit().filter(|_| changes(parsed)) {
            log.refused(self.client_name().as_deref(), parsed, code, message);
        }
    }
}

/// Whether a statement is one of those that change something at a provider or in the data directory.
fn changes(parsed: &Parsed) -> bool {
    match &parsed.statement {
        Statement::Insert(_)
        | Statement::Replace(_)
        | Statement::Update(_)
        | Statement::Delete(_)
        | Statement::Exec(_)
        | Statement::Refresh(_) => true,
        Statement::Query(query) => match &**query {
            ast::Statement::CreateView(view) => view.materialized,
            ast::Statement::CreateTable(table) => !table.temporary,
            ast::Statement::Drop { .. } => true,
            _ => false,
        },
        _ => false,
    }
}

/// Whether a file ends within a line.
fn is_torn(path: &Path) -> io::Result<bool> {
    let mut file = File::open(path)?;
    // A pipe or a device has no end to look at.
    if !file.metadata()?.is_file() || file.metadata()?.len() == 0 {
        return Ok(false);
    }
    file.seek(io::SeekFrom::End(-1))?;
    let mut last = [0];
    file.read_exact(&mut last)?;
    Ok(last != *b"\n")
}

/// A time as RFC 3339 writes it.
fn rfc_3339(time: std::time::SystemTime) -> String {
    use arrow::array::TimestampMillisecondArray;
    let since = time
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap_or_default();
    let millis = i64::try_from(since.as_millis()).unwrap_or(i64::MAX);
    let array = TimestampMillisecondArray::from(vec![millis]).with_timezone("+00:00");
    arrow::util::display::array_value_to_string(&array, 0).unwrap_or_default()
}

/// A statement without what stands in quotes: names, numbers and words are left.
pub(crate) fn without_values(sql: &str) -> String {
    let mut shown = String::with_capacity(sql.len());
    let mut letters = sql.chars().peekable();
    while let Some(letter) = letters.next() {
        shown.push(letter);
        if letter != '\'' {
            continue;
        }
        shown.push('…');
        while let Some(inner) = letters.next() {
            // Two quotes are one of the text.
            if inner == '\'' && letters.next_if_eq(&'\'').is_none() {
                shown.push('\'');
                break;
            }
        }
    }
    restable_http::show_text(&shown)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn what_stands_in_quotes_is_left_out() {
        let sql = "DELETE FROM t WHERE \"vaultName\" = 'it''s' AND name = 'x' AND n = 5";
        assert_eq!(
            without_values(sql),
            "DELETE FROM t WHERE \"vaultName\" = '…' AND name = '…' AND n = 5"
        );
        assert_eq!(
            without_values("EXEC t.m @@json = '{\"a\": \"b\"}"),
            "EXEC t.m @@json = '…"
        );
    }

    #[test]
    fn a_torn_line_spoils_no_other() {
        let name = format!("restable-audit-{}.jsonl", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::write(&path, "{\"event\":\"be").unwrap();
        let log = AuditLog::open(&path).unwrap();
        log.end("1", &ActionTotals::default());
        log.end("2", &ActionTotals::default());
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 3, "{text}");
        assert!(lines[1].starts_with("{\"time\"") && lines[2].ends_with('}'));
    }

    #[test]
    fn times_are_rfc_3339() {
        let time = std::time::UNIX_EPOCH + std::time::Duration::from_millis(1_700_000_000_123);
        assert_eq!(rfc_3339(time), "2023-11-14T22:13:20.123Z");
    }
}
