//! What a client is told beside the answers to its requests: warnings and notices, as far as it wants them.

use restable_engine::Report;
use tokio::io::{AsyncRead, AsyncWrite};

use super::super::acts;
use super::super::messages::{self, Told};
use super::{Client, said};

/// Scopes that are named in a warning before the rest is only counted.
const NAMED: usize = 10;

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Client<S> {
    pub(super) fn warn(&mut self, code: &'static str, message: &str) {
        self.notice(Told {
            severity: "WARNING",
            ..said(code, message)
        });
    }

    fn notice(&mut self, told: Told) {
        let least = self
            .session
            .postgres()
            .and_then(|postgres| postgres.value("client_min_messages").map(str::to_owned));
        let wanted = match least.as_deref() {
            Some("error") => false,
            Some("warning") => told.severity == "WARNING",
            _ => true,
        };
        if wanted {
            messages::told(&mut self.wire.out, b'N', &told);
        }
    }

    /// What the client should know although its statement did not fail.
    pub(super) fn remark(&mut self, report: &Report) {
        for notice in &report.notices {
            self.notice(Told {
                severity: "NOTICE",
                ..said("00000", notice.clone())
            });
        }
        if let Some(totals) = &report.actions
            && totals.failed() > 0
        {
            let told = acts::unachieved(totals.failed(), acts::targets(totals));
            self.warn("01000", &told);
        }
        if report.is_complete() {
            return;
        }
        let missing = &report.missing;
        let mut lines: Vec<String> = missing
            .iter()
            .take(NAMED)
            .map(|one| format!("{}: {}: {}", one.scope, one.code, one.message))
            .collect();
        if missing.len() > NAMED {
            lines.push(format!("and {} more", missing.len() - NAMED));
        }
        let scopes = if missing.len() == 1 {
            "1 scope is".to_owned()
        } else {
            format!("{} scopes are", missing.len())
        };
        self.notice(Told {
            severity: "WARNING",
            detail: Some(lines.join("\n")),
            ..said(
                "01000",
                format!("the answer is incomplete: {scopes} missing"),
            )
        });
    }
}

pub(super) fn aborted() -> Told {
    said(
        "25P02",
        "the transaction failed; nothing is done before its end",
    )
}

/// What was sent goes on without anybody who waits for it.
pub(super) fn cancelled_while_acting() -> Told {
    Told {
        detail: Some("nothing more is sent; what was sent before goes on".to_owned()),
        hint: Some("`SHOW OPERATIONS` has what became of it".to_owned()),
        ..cancelled()
    }
}

pub(super) fn cancelled() -> Told {
    said("57014", "the statement was cancelled by its client")
}
