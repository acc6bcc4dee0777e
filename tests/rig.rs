//! An engine on an emulator, both in this process, and answers as text that can be compared. Decides nothing that a test
//! is about.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use arm_emulator::{ClockKind, Emulator, Estate, JournalEntry, Options};
use futures::future::BoxFuture;
use restable_engine::arrow::array::RecordBatch;
use restable_engine::arrow::util::display::array_value_to_string;
use restable_engine::explain::Forecast;
use restable_engine::{Engine, Error, Origin, Outcome, Report, Session, Settings};
use restable_http::{Client, ClientConfig, Clock, Connections};
use restable_spec::{Builtin, Registry, SpecSource};

/// Subscriptions, groups and names of the demo estate that tests use.
pub mod demo {
    pub const PRODUCTION: &str = "8f3b1c52-6d2e-4f0a-9b7c-1e5a40d7c001";
    pub const LEGACY: &str = "d96a2e47-8c10-4b5d-93fe-26e0d1a8c005";
    pub const INSTANCES: u64 = 31;
}

/// The root of the workspace.
pub fn root() -> PathBuf {
    let crate_folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    crate_folder
        .ancestors()
        .nth(2)
        .expect("crates/restable-cli")
        .to_path_buf()
}

/// A folder of shared data: `variable`, or `default` relative to the root of the workspace. `None` if it is absent.
pub fn shared(variable: &str, default: &str) -> Option<PathBuf> {
    let folder = std::env::var_os(variable).map_or_else(|| root().join(default), PathBuf::from);
    folder.is_dir().then_some(folder)
}

/// Says what a test covered: on stdout, and in the file `$RESTABLE_TEST_REPORT`, which `tests/run` shows at the end.
pub fn report(line: &str) {
    use std::io::Write as _;
    println!("{line}");
    if let Some(path) = std::env::var_os("RESTABLE_TEST_REPORT") {
        let file = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(path);
        // One write a line, so that lines of several processes stay whole.
        file.and_then(|mut file| file.write_all(format!("{line}\n").as_bytes()))
            .unwrap();
    }
}

/// A Tokio runtime for one test.
pub fn run<T>(test: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap()
        .block_on(test)
}

/// What an emulator of these tests is like: still time, no token, and always the same day.
pub fn options(estate: &str) -> Options {
    Options {
        estate: estate.parse::<Estate>().unwrap(),
        clock: ClockKind::Manual,
        require_token: false,
        start_time: Some("2026-11-02T09:00:00Z".parse().unwrap()),
        ..Options::default()
    }
}

/// An engine whose provider `azure` is an emulator.
pub struct Rig {
    pub emulator: Emulator,
    pub engine: Engine,
}

impl Rig {
    pub async fn start(estate: &str) -> Rig {
        Rig::with(options(estate), vec![Arc::new(Builtin)]).await
    }

    pub async fn with(options: Options, sources: Vec<Arc<dyn SpecSource>>) -> Rig {
        let emulator = Emulator::start(options).await.unwrap();
        let engine = engine(&emulator.url(), sources);
        Rig { emulator, engine }
    }

    pub fn session(&self) -> Session {
        self.engine.session(settings()).unwrap()
    }

    /// Runs statements in a session of their own; the answer is the last one's. The journal has only what they sent.
    pub async fn ask(&self, sql: &str) -> Result<Answer, Error> {
        self.emulator.clear_journal();
        ask(&self.session(), sql).await
    }

    /// As [`Rig::ask`], for statements that are expected to succeed.
    pub async fn rows(&self, sql: &str) -> Answer {
        self.ask(sql)
            .await
            .unwrap_or_else(|error| panic!("{sql}\n{error}\n{error:?}"))
    }

    /// What was asked of the emulator since the last [`Rig::ask`], by operation.
    pub fn calls(&self) -> Calls {
        Calls(self.emulator.journal())
    }
}

/// Settings with limits that are long on the hasty clock, too.
pub fn settings() -> Settings {
    let mut settings = Settings::default();
    settings.set("page_timeout", "86400", Origin::Flag).unwrap();
    settings
}

/// An engine whose provider `azure` is at `url`. Waits are a thousand times shorter than they say.
pub fn engine(url: &str, sources: Vec<Arc<dyn SpecSource>>) -> Engine {
    let day = Duration::from_secs(86_400);
    let config = ClientConfig {
        endpoint: Some(url.parse().unwrap()),
        connect_timeout: day,
        read_timeout: day,
        page_timeout: day,
        ..ClientConfig::default()
    };
    let connections = Connections::open(Duration::from_secs(5), &config.environment).unwrap();
    let client = Client::with_transport(
        config,
        Arc::new(connections),
        Arc::new(HastyClock::default()),
    );
    let registry = Registry::open(sources).unwrap();
    Engine::new(registry, HashMap::from([("azure".to_owned(), client)]))
}

/// A clock on which a thousand seconds pass in one.
#[derive(Debug)]
struct HastyClock {
    start: Instant,
    wall: SystemTime,
}

const HASTE: u32 = 1000;

impl Default for HastyClock {
    fn default() -> HastyClock {
        HastyClock {
            start: Instant::now(),
            wall: SystemTime::now(),
        }
    }
}

impl Clock for HastyClock {
    fn now(&self) -> Instant {
        self.start + self.start.elapsed() * HASTE
    }

    fn wall(&self) -> SystemTime {
        self.wall + self.start.elapsed() * HASTE
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        Box::pin(tokio::time::sleep(duration / HASTE))
    }
}

/// The whole answer of a statement.
#[derive(Debug, Clone)]
pub struct Answer {
    pub columns: Vec<String>,
    pub rows: Vec<Vec<Option<String>>>,
    pub report: Report,
}

impl Answer {
    pub fn new(batches: &[RecordBatch], report: Report) -> Answer {
        let columns = batches
            .first()
            .map(|batch| batch.schema())
            .map_or_else(Vec::new, |schema| {
                schema
                    .fields()
                    .iter()
                    .map(|field| field.name().clone())
                    .collect()
            });
        let cell = |batch: &RecordBatch, column: usize, row: usize| {
            let column = batch.column(column);
            // A column of the type NULL has no bitmap of its own.
            let nulls = column.logical_nulls();
            let null = nulls.is_some_and(|nulls| nulls.is_null(row));
            (!null).then(|| array_value_to_string(column, row).unwrap())
        };
        let rows = batches
            .iter()
            .flat_map(|batch| {
                (0..batch.num_rows()).map(move |row| {
                    (0..batch.num_columns())
                        .map(|column| cell(batch, column, row))
                        .collect()
                })
            })
            .collect();
        Answer {
            columns,
            rows,
            report,
        }
    }

    /// The values of a column.
    pub fn column(&self, name: &str) -> Vec<Option<&str>> {
        let at = self.columns.iter().position(|column| column == name);
        let at = at.unwrap_or_else(|| panic!("no column `{name}` among {:?}", self.columns));
        self.rows.iter().map(|row| row[at].as_deref()).collect()
    }

    /// The only value.
    pub fn value(&self) -> &str {
        assert_eq!((self.rows.len(), self.columns.len()), (1, 1), "{self:?}");
        self.rows[0][0].as_deref().unwrap_or("NULL")
    }

    /// The rows as text, sorted.
    pub fn sorted(&self) -> Vec<String> {
        let cell = |cell: &Option<String>| cell.clone().unwrap_or_else(|| "NULL".to_owned());
        let mut rows: Vec<String> = self
            .rows
            .iter()
            .map(|row| row.iter().map(cell).collect::<Vec<_>>().join(" | "))
            .collect();
        rows.sort();
        rows
    }
}

/// Runs statements in a session; the answer is the last one's.
pub async fn ask(session: &Session, sql: &str) -> Result<Answer, Error> {
    let (batches, report) = restable_engine::collect(session, sql).await?;
    Ok(Answer::new(&batches, report))
}

/// What EXPLAIN says of a statement before it runs, then its answer.
pub async fn foreseen(session: &Session, sql: &str) -> Result<(Option<Forecast>, Answer), Error> {
    let parsed = restable_sql::parse(sql)?.remove(0);
    let prepared = session.prepare(&parsed).await?;
    let forecast = session.forecast(&prepared).await?;
    let mut batches = Vec::new();
    let report = match session.run(prepared).await? {
        Outcome::Rows(mut rows) => {
            while let Some(batch) = rows.next().await {
                batches.push(batch?);
            }
            rows.report()
        }
        Outcome::Done { report, .. } => report.unwrap_or_default(),
    };
    Ok((forecast, Answer::new(&batches, report)))
}

/// Requests that an emulator saw.
#[derive(Debug)]
pub struct Calls(pub Vec<JournalEntry>);

impl Calls {
    pub fn count(&self) -> usize {
        self.0.len()
    }

    pub fn of(&self, operation: &str) -> usize {
        self.0
            .iter()
            .filter(|entry| entry.operation.as_deref() == Some(operation))
            .count()
    }

    /// Requests that were made more than once.
    pub fn twice(&self) -> Vec<String> {
        let mut counts = std::collections::BTreeMap::<String, usize>::new();
        for entry in &self.0 {
            let name = format!("{}?{}", entry.path.to_lowercase(), entry.query);
            *counts.entry(name).or_default() += 1;
        }
        let twice = counts.into_iter().filter(|(_, count)| *count > 1);
        twice.map(|(name, _)| name).collect()
    }

    /// `2 BackupInstances_List, 1 Subscriptions_List`.
    pub fn summary(&self) -> String {
        let mut counts = std::collections::BTreeMap::<&str, usize>::new();
        for entry in &self.0 {
            *counts
                .entry(entry.operation.as_deref().unwrap_or("?"))
                .or_default() += 1;
        }
        counts
            .iter()
            .map(|(operation, count)| format!("{count} {operation}"))
            .collect::<Vec<_>>()
            .join(", ")
    }
}

/// Undoes percent-encoding.
pub fn decode(text: &str) -> String {
    url::form_urlencoded::parse(
        text.replace('+', "%2B")
            .replace('=', "%3D")
            .replace('&', "%26")
            .as_bytes(),
    )
    .map(|(name, _)| name.into_owned())
    .collect()
}
