//! What is known of a snapshot beside its rows: the statement that makes it, the session that it means, and each refresh that
//! is kept. It is one small JSON file, which is replaced whole: what it does not name does not exist.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::estate::Estate;
use super::moment::Moment;
use crate::settings::Kept;
use crate::statement::Missing;

/// The form of the file that is written, and the newest that is read.
pub const FORMAT: u32 = 1;

/// So long files stay that are not kept any more: from the planning of a statement to the opening of its files.
const GRACE: Duration = Duration::from_secs(600);

/// What a user made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// CREATE MATERIALIZED VIEW: it can be refreshed.
    MaterializedView,
    /// CREATE TABLE … AS: its rows stay as they were read.
    Table,
}

impl Kind {
    /// The words for it.
    pub fn words(self) -> &'static str {
        match self {
            Kind::MaterializedView => "materialized view",
            Kind::Table => "table",
        }
    }
}

/// A snapshot.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// The form of this file.
    pub format: u32,
    /// The name.
    pub name: String,
    /// What it is.
    pub kind: Kind,
    /// The statement that made it, with the values of its placeholders.
    pub statement: String,
    /// The query of that statement.
    pub query: String,
    /// When it was made.
    pub created: Moment,
    /// The session in which the statement was written.
    pub context: Context,
    /// The estates that its rows are of; none of what reads no provider, and of what was made before this was noted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub estates: Vec<Estate>,
    /// The snapshots that its statement reads.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reads: Vec<String>,
    /// What is kept, the newest last.
    pub refreshes: Vec<Refresh>,
    /// What was kept until a short time ago.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub retired: Vec<Retired>,
    /// Why the last refresh failed, if it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_failure: Option<Failed>,
}

/// What a statement means beside its text.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Context {
    /// What USE named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
    /// What USE named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    /// Where a client of PostgreSQL looks for bare names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub search_path: Vec<String>,
    /// The setting `default_subscription`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default_subscription: Option<String>,
    /// The setting `subscriptions`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub subscriptions: Vec<String>,
    /// The zone in which the session read and wrote times; `None`: UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_zone: Option<String>,
}

impl Context {
    /// The zone in which times are read and written.
    pub fn zone(&self) -> &str {
        self.time_zone.as_deref().unwrap_or("UTC")
    }
}

/// Rows that were read at one time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Refresh {
    /// The name of the file beside this one.
    pub file: String,
    /// When reading began.
    pub started: Moment,
    /// When it became what the snapshot shows; no two refreshes have the same.
    pub at: Moment,
    /// How many rows it has.
    pub rows: u64,
    /// The size of the file.
    pub bytes: u64,
    /// What it cost.
    pub calls: u64,
    /// How many scopes of each kind were read.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub scopes: BTreeMap<String, usize>,
    /// What could not be read: nothing, unless `partial_refresh` allowed it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<Lost>,
    /// The fingerprint of its columns; nothing of what was read before this was noted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub columns: Option<String>,
}

/// Rows that are not kept any more. Somebody may be about to read them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retired {
    /// The name of the file.
    pub file: String,
    /// Since when.
    pub at: Moment,
}

/// A scope that could not be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lost {
    /// The path of the scope.
    pub scope: String,
    /// The service's code.
    pub code: String,
    /// What the service said.
    pub message: String,
}

/// A refresh that was not kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failed {
    /// When.
    pub at: Moment,
    /// The code of the error.
    pub code: String,
    /// Its message.
    pub message: String,
}

impl From<Missing> for Lost {
    fn from(missing: Missing) -> Lost {
        Lost {
            scope: missing.scope,
            code: missing.code,
            message: missing.message,
        }
    }
}

impl From<Lost> for Missing {
    fn from(lost: Lost) -> Missing {
        Missing {
            scope: lost.scope,
            code: lost.code,
            message: lost.message,
        }
    }
}

impl Refresh {
    /// `complete`, or how much is missing.
    pub fn coverage(&self) -> String {
        match self.missing.len() {
            0 => "complete".to_owned(),
            1 => "1 scope missing".to_owned(),
            many => format!("{many} scopes missing"),
        }
    }
}

impl Manifest {
    /// What the snapshot shows.
    pub fn newest(&self) -> Option<&Refresh> {
        self.refreshes.last()
    }

    /// What it showed at a time; `None` before the oldest that is kept.
    pub fn as_of(&self, time: Moment) -> Option<&Refresh> {
        self.refreshes.iter().rev().find(|one| one.at <= time)
    }

    /// Takes in a refresh, and gives up those that the rule does not keep. The newest always stays.
    pub fn push(&mut self, refresh: Refresh, kept: Kept) {
        let now = refresh.at;
        self.refreshes.push(refresh);
        let count = self.refreshes.len();
        let first = match kept {
            Kept::All => 0,
            Kept::Newest(most) => count.saturating_sub(most),
            Kept::For(time) => {
                let fresh = |one: &Refresh| one.at.until(now) <= time;
                self.refreshes.iter().position(fresh).unwrap_or_default()
            }
        };
        let gone = self.refreshes.drain(..first.min(count - 1));
        let gone: Vec<String> = gone.map(|one| one.file).collect();
        self.retire(gone, now);
        self.last_failure = None;
    }

    /// Gives up files. Those who planned to read them still find them for a while.
    pub fn retire(&mut self, files: impl IntoIterator<Item = String>, now: Moment) {
        self.retired.retain(|one| one.at.until(now) < GRACE);
        let files = files.into_iter();
        self.retired
            .extend(files.map(|file| Retired { file, at: now }));
    }

    /// Whether a file is one of the snapshot's.
    pub fn names(&self, file: &str) -> bool {
        let is_kept = self.refreshes.iter().any(|one| one.file == file);
        is_kept || self.retired.iter().any(|one| one.file == file)
    }
}

/// How long ago, in whole seconds.
pub fn seconds(time: Duration) -> i64 {
    i64::try_from(time.as_secs()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refresh(at: i64) -> Refresh {
        Refresh {
            file: format!("{at}.parquet"),
            started: Moment(at),
            at: Moment(at),
            rows: 1,
            bytes: 1,
            calls: 0,
            scopes: BTreeMap::new(),
            missing: Vec::new(),
            columns: None,
        }
    }

    fn manifest(times: &[i64]) -> Manifest {
        Manifest {
            format: FORMAT,
            name: "n".to_owned(),
            kind: Kind::MaterializedView,
            statement: String::new(),
            query: String::new(),
            created: Moment(0),
            context: Context::default(),
            estates: Vec::new(),
            reads: Vec::new(),
            retired: Vec::new(),
            refreshes: times.iter().map(|at| refresh(*at)).collect(),
            last_failure: None,
        }
    }

    #[test]
    fn what_was_shown_then() {
        let known = manifest(&[10, 20, 30]);
        let at = |time| known.as_of(Moment(time)).map(|one| one.at.0);
        assert_eq!(
            [9, 10, 19, 20, 99].map(at),
            [None, Some(10), Some(10), Some(20), Some(30)]
        );
    }

    #[test]
    fn what_is_given_up_stays_for_those_who_are_about_to_read_it() {
        const MINUTE: i64 = 60_000_000;
        let mut known = manifest(&[MINUTE]);
        for minute in 2..=20 {
            known.push(refresh(minute * MINUTE), Kept::Newest(1));
        }
        let times: Vec<i64> = known.retired.iter().map(|one| one.at.0 / MINUTE).collect();
        assert_eq!(times, (11..=20).collect::<Vec<_>>());
        assert!(known.names(&known.refreshes[0].file));
        assert!(known.names(&format!("{}.parquet", 19 * MINUTE)));
        assert!(!known.names(&format!("{}.parquet", 9 * MINUTE)));
    }

    #[test]
    fn what_is_kept() {
        let left = |kept| {
            let mut known = manifest(&[10_000_000, 20_000_000, 30_000_000]);
            known.push(refresh(40_000_000), kept);
            let times = known.refreshes.iter().map(|one| one.at.0 / 1_000_000);
            times.collect::<Vec<_>>()
        };
        assert_eq!(left(Kept::All), [10, 20, 30, 40]);
        assert_eq!(left(Kept::Newest(2)), [30, 40]);
        assert_eq!(left(Kept::Newest(1)), [40]);
        assert_eq!(left(Kept::For(Duration::from_secs(15))), [30, 40]);
        assert_eq!(left(Kept::For(Duration::ZERO)), [40]);
    }
}
