//! SQL behaviour as data: every file below `tests/slt/` runs in a session of its own, on an emulator of its own. The first
//! lines may name the estate: `# estate: demo` (the default), `empty`, or totals like `2,10,1000`; `# data: kept` gives it a
//! data directory of its own, and sessions that may write.
//!
//! `RESTABLE_SLT_UPDATE=1` writes what was answered into the files, to be read and judged before it is committed.
//! `RESTABLE_SLT=part-of-a-path` runs some of them.

use std::path::{Path, PathBuf};

use async_trait::async_trait;
use restable_engine::acting::Access;
use restable_engine::arrow::array::RecordBatch;
use restable_engine::arrow::datatypes::{DataType, SchemaRef};
use restable_engine::snapshots::DataPlace;
use restable_engine::{Outcome, Report, Session};
use sqllogictest::{AsyncDB, DBOutput, DefaultColumnType, Normalizer, Runner};

use crate::postgres::Wire;
use crate::rig::{Answer, Rig, report, root, run, settings};

/// The door of the engine itself. Doors of wire protocols take the same files.
struct EngineDoor {
    session: Session,
}

/// An error as it is printed, in one line.
#[derive(Debug)]
pub struct Refused(pub String);

impl std::fmt::Display for Refused {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl std::error::Error for Refused {}

impl Refused {
    fn new(diagnostic: restable_sql::Diagnostic) -> Refused {
        let hint = diagnostic
            .help
            .map(|help| format!(" hint: {help}"))
            .unwrap_or_default();
        Refused(format!(
            "error[{}]: {}{hint}",
            diagnostic.code, diagnostic.message
        ))
    }
}

#[async_trait]
impl AsyncDB for EngineDoor {
    type Error = Refused;
    type ColumnType = DefaultColumnType;

    async fn run(&mut self, sql: &str) -> Result<DBOutput<DefaultColumnType>, Refused> {
        let mut output = DBOutput::StatementComplete(0);
        for parsed in restable_sql::parse(sql).map_err(Refused::new)? {
            let refused = |error: restable_engine::Error| Refused::new(error.diagnostic());
            let prepared = self.session.prepare(&parsed).await.map_err(refused)?;
            let Outcome::Rows(mut rows) = self.session.run(prepared).await.map_err(refused)? else {
                output = DBOutput::StatementComplete(0);
                continue;
            };
            let schema = SchemaRef::clone(rows.schema());
            let mut batches = Vec::new();
            while let Some(batch) = rows.next().await {
                batches.push(batch.map_err(refused)?);
            }
            output = rows_of(&batches, &schema, rows.report());
        }
        Ok(output)
    }

    async fn shutdown(&mut self) {}

    fn engine_name(&self) -> &'static str {
        "engine"
    }
}

fn column_type(kind: &DataType) -> DefaultColumnType {
    match kind {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => DefaultColumnType::Text,
        kind if kind.is_integer() => DefaultColumnType::Integer,
        kind if kind.is_floating() || kind.is_decimal() => DefaultColumnType::FloatingPoint,
        _ => DefaultColumnType::Any,
    }
}

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    let mut entries: Vec<PathBuf> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    entries.sort();
    for entry in entries {
        if entry.is_dir() {
            files(&entry, found);
        } else if entry
            .extension()
            .is_some_and(|extension| extension == "slt")
        {
            found.push(entry);
        }
    }
}

fn estate(text: &str) -> &str {
    text.lines()
        .find_map(|line| line.strip_prefix("# estate:"))
        .unwrap_or("demo")
        .trim()
}

/// What separates the columns of a row in the files; values with spaces stay readable.
const SEPARATOR: &str = " | ";

const AS_IT_IS: Normalizer = |text| text.trim_end().to_owned();

fn validate(normalizer: Normalizer, actual: &[Vec<String>], expected: &[String]) -> bool {
    let joined = actual.iter().map(|row| normalizer(&row.join(SEPARATOR)));
    joined.eq(expected.iter().map(normalizer))
}

/// Which door the statements go through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Door {
    Engine,
    Postgres,
    Flight,
}

async fn run_file(path: &Path, door: Door) -> Result<(), String> {
    let text = std::fs::read_to_string(path).unwrap();
    let mut rig = Rig::start(estate(&text)).await;
    let folder = tempfile::tempdir().unwrap();
    let access = match text.lines().any(|line| line == "# data: kept") {
        true => {
            let place = DataPlace::at(folder.path().to_owned());
            rig.engine = rig.engine.clone().with_data(place);
            Access::Write
        }
        false => Access::ReadOnly,
    };
    if door == Door::Engine {
        return run_engine(path, &rig).await;
    }
    if door == Door::Flight {
        return run_flight(path, &rig, access).await;
    }
    let address = crate::postgres::serve_as(&rig, access).await;
    let mut runner =
        Runner::new(
            move || async move { Ok::<_, Refused>(PostgresDoor(Wire::connect(address).await)) },
        );
    runner.add_label("postgres");
    runner.with_validator(validate);
    runner.with_normalizer(AS_IT_IS);
    runner
        .run_file_async(path)
        .await
        .map_err(|error| error.display(false).to_string())
}

/// The door of Postgres wire: statements as one text, values as text, turned into the words of the files.
struct PostgresDoor(Wire);

#[async_trait]
impl AsyncDB for PostgresDoor {
    type Error = Refused;
    type ColumnType = DefaultColumnType;

    async fn run(&mut self, sql: &str) -> Result<DBOutput<DefaultColumnType>, Refused> {
        let answer = self.0.query(sql).await.map_err(Refused)?;
        let Some(columns) = answer.columns else {
            return Ok(DBOutput::StatementComplete(0));
        };
        let cell = |(cell, kind): (Option<String>, &u32)| match cell {
            None => "NULL".to_owned(),
            Some(text) if text.is_empty() => "(empty)".to_owned(),
            Some(text) => crate::postgres::as_the_engine_says(*kind, &text),
        };
        let row = |row: Vec<Option<String>>| row.into_iter().zip(&columns).map(cell).collect();
        Ok(DBOutput::Rows {
            types: columns.iter().map(|_| DefaultColumnType::Any).collect(),
            rows: answer.rows.into_iter().map(row).collect(),
        })
    }

    async fn shutdown(&mut self) {}

    fn engine_name(&self) -> &'static str {
        "postgres"
    }
}

async fn run_flight(path: &Path, rig: &Rig, access: Access) -> Result<(), String> {
    let address = crate::flight::serve_as(rig, access).await;
    let mut runner = Runner::new(move || async move {
        Ok::<_, Refused>(FlightDoor(crate::flight::Client::connect(address).await))
    });
    runner.add_label("flight");
    runner.with_validator(validate);
    runner.with_normalizer(AS_IT_IS);
    runner
        .run_file_async(path)
        .await
        .map_err(|error| error.display(false).to_string())
}

/// The door of Flight SQL: a request a statement, values of Arrow.
struct FlightDoor(crate::flight::Client);

#[async_trait]
impl AsyncDB for FlightDoor {
    type Error = Refused;
    type ColumnType = DefaultColumnType;

    async fn run(&mut self, sql: &str) -> Result<DBOutput<DefaultColumnType>, Refused> {
        let mut output = DBOutput::StatementComplete(0);
        for parsed in restable_sql::parse(sql).map_err(Refused::new)? {
            let answer = self.0.query(&parsed.text).await;
            let (schema, batches) =
                answer.map_err(|status| Refused(crate::flight::as_printed(&status)))?;
            if schema.fields().is_empty() {
                output = DBOutput::StatementComplete(0);
                continue;
            }
            output = rows_of(&batches, &schema, Report::default());
        }
        Ok(output)
    }

    async fn shutdown(&mut self) {}

    fn engine_name(&self) -> &'static str {
        "flight"
    }
}

/// An answer in the words of the files.
fn rows_of(
    batches: &[RecordBatch],
    schema: &SchemaRef,
    report: Report,
) -> DBOutput<DefaultColumnType> {
    let fields = schema.fields().iter();
    let types = fields.map(|field| column_type(field.data_type())).collect();
    let cell = |cell: Option<String>| match cell {
        None => "NULL".to_owned(),
        Some(text) if text.is_empty() => "(empty)".to_owned(),
        Some(text) => text,
    };
    let rows = Answer::new(batches, report).rows.into_iter();
    let rows = rows
        .map(|row| row.into_iter().map(cell).collect())
        .collect();
    DBOutput::Rows { types, rows }
}

async fn run_engine(path: &Path, rig: &Rig) -> Result<(), String> {
    let engine = rig.engine.clone();
    let mut runner = Runner::new(move || {
        let session = engine.session(settings()).unwrap();
        std::future::ready(Ok::<_, Refused>(EngineDoor { session }))
    });
    runner.add_label("engine");
    runner.with_validator(validate);
    runner.with_normalizer(AS_IT_IS);
    if std::env::var_os("RESTABLE_SLT_UPDATE").is_some() {
        let types = sqllogictest::strict_column_validator;
        let done = runner
            .update_test_file(path, SEPARATOR, validate, AS_IT_IS, types)
            .await;
        return done.map_err(|error| error.to_string());
    }
    runner
        .run_file_async(path)
        .await
        .map_err(|error| error.display(false).to_string())
}

#[test]
fn every_file_answers_as_written() {
    every_file(Door::Engine);
}

#[test]
fn every_file_answers_the_same_through_postgres_wire() {
    every_file(Door::Postgres);
}

#[test]
fn every_file_answers_the_same_through_flight_sql() {
    every_file(Door::Flight);
}

fn every_file(door: Door) {
    let folder = root().join("tests/slt");
    let mut paths = Vec::new();
    files(&folder, &mut paths);
    let part = std::env::var("RESTABLE_SLT").unwrap_or_default();
    paths.retain(|path| path.to_string_lossy().contains(&part));
    let mut failures = Vec::new();
    run(async {
        for path in &paths {
            if let Err(failure) = run_file(path, door).await {
                failures.push(format!(
                    "{}\n{failure}",
                    path.strip_prefix(&folder).unwrap().display()
                ));
            }
        }
    });
    report(&format!(
        "{} files of SQL logic through {door:?}, {} failed",
        paths.len(),
        failures.len()
    ));
    assert!(
        !paths.is_empty() && failures.is_empty(),
        "{}",
        failures.join("\n\n")
    );
}
