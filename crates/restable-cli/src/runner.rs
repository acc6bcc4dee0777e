//! Runs scripts: statement by statement, rows to stdout, everything else to stderr. Owns what is said after a statement, and which failure
//! decides the exit code; `exec`, `shell` and `demo` all run through it.

use std::time::{Duration, Instant};

use arrow::array::RecordBatch;
use restable_engine::{Outcome, Report, Rows, Session};
use restable_sql::{Piece, parse_piece, split};

use crate::acted::{self, GoingOn};
use crate::console::{Console, Ending};
use crate::error::{Error, Exit, Result};
use crate::interrupt::Interrupt;
use crate::output::{self, Format, Look, Place, Printer, Records, value::printable};
use crate::status_line::TICK;
use crate::summary::{StatementSummary, Summary};

/// Missing scopes that are named before the rest is only counted.
const NAMED: usize = 10;
/// A statement that takes longer to stop than this says what it waits for.
const UNNOTICED: Duration = Duration::from_millis(300);

/// What a failed statement means for those after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnFailure {
    /// They are not run.
    Stop,
    /// They are run.
    GoOn,
}

/// Whether each statement's time is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Timing {
    /// It is not.
    Off,
    /// It is.
    On,
}

/// Whether Ctrl-C stopped a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stopped {
    No,
    Yes,
}

/// Runs scripts in one session.
pub struct Runner<'a> {
    session: &'a Session,
    /// Where everything goes.
    pub console: &'a mut Console,
    interrupt: &'a Interrupt,
    /// The format of rows.
    pub format: Format,
    /// How records stand in tables.
    pub records: Records,
    /// Whether times are told.
    pub timing: Timing,
    /// How operations that were not waited for to their end are taken up again.
    pub going_on: GoingOn,
    summary: Summary,
    first_failure: Option<Exit>,
    incomplete: bool,
    results: usize,
}

impl<'a> Runner<'a> {
    /// A runner that has run nothing.
    pub fn new(
        session: &'a Session,
        console: &'a mut Console,
        interrupt: &'a Interrupt,
        format: Format,
    ) -> Runner<'a> {
        Runner {
            session,
            console,
            interrupt,
            format,
            records: Records::Auto,
            timing: Timing::Off,
            going_on: GoingOn::Nowhere,
            summary: Summary::default(),
            first_failure: None,
            incomplete: false,
            results: 0,
        }
    }

    /// The session.
    pub fn session(&self) -> &'a Session {
        self.session
    }

    /// What was run.
    pub fn summary(&self) -> &Summary {
        &self.summary
    }

    /// How the process ends after all that was run.
    pub fn exit(&self) -> Exit {
        match (self.first_failure, self.incomplete) {
            (Some(exit), _) => exit,
            (None, true) => Exit::Incomplete,
            (None, false) => Exit::Done,
        }
    }

    /// Forgets the results before, so that the next one is the first.
    pub fn begin(&mut self) {
        self.results = 0;
    }

    /// Tells a failure and remembers it.
    pub fn fail(&mut self, failure: &Error, script: &str) {
        self.first_failure.get_or_insert(failure.exit());
        if !matches!(failure, Error::Closed) {
            self.console.warn(&failure.render(script));
        }
    }

    /// Runs the statements of a script, which has one at least. Failures of statements are told and remembered; an error is what ends the
    /// run as such: Ctrl-C, or nobody who reads the rows.
    pub async fn script(&mut self, script: &str, name: &str, on_failure: OnFailure) -> Result<()> {
        let pieces = match split(script) {
            Ok(pieces) if pieces.is_empty() => {
                self.fail(
                    &Error::Empty {
                        name: name.to_owned(),
                    },
                    script,
                );
                return Ok(());
            }
            Ok(pieces) => pieces,
            Err(fault) => {
                self.fail(&Error::Parse(fault), script);
                return Ok(());
            }
        };
        for (at, piece) in pieces.iter().enumerate() {
            let place = match (pieces.len(), self.results) {
                (1, 0) => Place::Only,
                (_, 0) => Place::First,
                _ => Place::Later,
            };
            let (session, format, results) = (self.session, self.format, self.results);
            let work = async {
                let parsed = parse_piece(script, piece)?;
                let prepared = session.prepare(&parsed).await?;
                if prepared.columns().is_some() {
                    format.refuse_second(results)?;
                }
                Ok(session.run(prepared).await?)
            };
            match self.answer(piece.text(script), work, place).await {
                Ok(()) => {}
                Err(failure @ (Error::Interrupted | Error::Closed | Error::Output(_))) => {
                    return Err(failure);
                }
                Err(failure) => {
                    self.fail(&placed(failure, script, piece, at, pieces.len()), script);
                    if on_failure == OnFailure::Stop {
                        return Ok(());
                    }
                }
            }
        }
        Ok(())
    }

    /// Does what the session was asked for otherwise than by a statement, as if it were one.
    pub async fn request(
        &mut self,
        words: &str,
        work: impl Future<Output = restable_engine::Result<Outcome>>,
    ) -> Result<()> {
        let work = async { Ok(work.await?) };
        match self.answer(words, work, Place::Only).await {
            Err(failure @ (Error::Interrupted | Error::Closed | Error::Output(_))) => Err(failure),
            Err(failure) => {
                self.fail(&failure, "");
                Ok(())
            }
            Ok(()) => Ok(()),
        }
    }

    /// Awaits an outcome, writes its rows and remembers what it was. `words` is what the summary calls it.
    async fn answer(
        &mut self,
        words: &str,
        work: impl Future<Output = Result<Outcome>>,
        place: Place,
    ) -> Result<()> {
        let started = Instant::now();
        self.console.status_line().begin();
        let outcome = self.interrupt.or(work).await.and_then(|outcome| outcome);
        let (report, outcome) = match outcome {
            // Whatever else it came to: a question that Ctrl-C answered is a refusal as well.
            Err(_) if self.interrupt.is_pressed() => (None, Err(Error::Interrupted)),
            Err(failure) => (None, Err(failure)),
            Ok(Outcome::Done { message, report }) => {
                self.console.say(&printable(&message));
                if let Some(report) = &report {
                    self.cover(report);
                }
                (report, Ok(()))
            }
            Ok(Outcome::Rows(rows)) => self.rows(rows, place).await,
        };
        self.console.status_line().end();
        let summary = StatementSummary::new(words, report.as_ref(), outcome.as_ref().err());
        self.summary.statements.push(summary);
        if self.timing == Timing::On {
            let milliseconds = started.elapsed().as_secs_f64() * 1e3;
            self.console.say(&format!("time: {milliseconds:.1} ms"));
        }
        outcome
    }

    async fn rows(&mut self, mut rows: Rows, place: Place) -> (Option<Report>, Result<()>) {
        self.results += 1;
        let look = Look {
            format: self.format,
            target: self.console.target(),
            records: self.records,
        };
        let mut printer = output::printer(look, place, rows.schema());
        let (outcome, stopped) = self.take(&mut rows, &mut *printer).await;
        self.console.status_line().end();
        let (report, acts) = (rows.report(), rows.stopper().is_some());
        drop(rows);
        let ended = match &outcome {
            Ok(()) => printer.end(self.console.rows()),
            Err(Error::Closed) => Ok(()),
            Err(_) => printer.cut(self.console.rows()),
        };
        let ended = ended.and_then(|()| self.console.flush());
        let ending = match (outcome.is_ok() && ended.is_ok(), acts) {
            (true, _) => Ending::Whole,
            (false, false) => Ending::Broken,
            (false, true) => Ending::BrokenActions,
        };
        let ended = ended.and(self.console.end_rows(ending));
        let mut outcome = outcome.and(ended);
        // What became of the targets is told even if not all of their rows were written.
        if let Some(totals) = &report.actions {
            acted::tell(totals, self.console);
        }
        if outcome.is_ok() {
            self.cover(&report);
        }
        if let Some(totals) = &report.actions {
            acted::tell_going_on(totals, self.going_on, self.console);
            outcome = outcome.and_then(|()| acted::outcome(totals));
        }
        match stopped {
            Stopped::No => (Some(report), outcome),
            Stopped::Yes => (Some(report), Err(Error::Interrupted)),
        }
    }

    /// Writes rows as they come. Ctrl-C ends a statement that reads at once; one that acts is stopped, and its rows are taken to their end,
    /// unless it is pressed again.
    async fn take(&mut self, rows: &mut Rows, printer: &mut dyn Printer) -> (Result<()>, Stopped) {
        let stopper = rows.stopper();
        let _hold = stopper.as_ref().map(|_| self.interrupt.hold());
        let mut stopped = Stopped::No;
        let mut noticed = false;
        let mut pressed = std::pin::pin!(self.interrupt.pressed());
        loop {
            let quiet = match stopped {
                Stopped::Yes if !noticed => UNNOTICED,
                _ => TICK,
            };
            tokio::select! {
                biased;
                () = &mut pressed, if stopped == Stopped::No => match &stopper {
                    Some(stopper) => {
                        stopper.stop();
                        stopped = Stopped::Yes;
                    }
                    None => return (Err(Error::Interrupted), Stopped::Yes),
                },
                () = self.interrupt.pressed_twice(), if stopped == Stopped::Yes => {
                    return (Err(Error::Interrupted), stopped);
                }
                batch = rows.next() => match batch {
                    None => return (self.console.begin_rows(), stopped),
                    Some(Err(failure)) => return (Err(failure.into()), stopped),
                    Some(Ok(batch)) => {
                        if let Err(failure) = self.write(&batch, printer) {
                            return (Err(failure), stopped);
                        }
                    }
                },
                () = tokio::time::sleep(quiet), if stopper.is_some() => {
                    if stopped == Stopped::Yes && !noticed {
                        noticed = true;
                        self.console.warn("stopping: calls that are on their way are awaited; Ctrl-C again leaves them");
                    }
                    self.console.status_line().tick();
                }
            }
        }
    }

    fn write(&mut self, batch: &RecordBatch, printer: &mut dyn Printer) -> Result<()> {
        self.console.begin_rows()?;
        printer.rows(batch, self.console.rows())?;
        self.console.flush()
    }

    /// Says what a statement covered.
    fn cover(&mut self, report: &Report) {
        for notice in &report.notices {
            self.console.say(&format!("notice: {}", printable(notice)));
        }
        if report.is_complete() {
            if report.calls > 0 || report.cached > 0 || !report.snapshots.is_empty() {
                self.console.aside(&report.line());
            }
            return;
        }
        self.incomplete = true;
        self.console.warn(&report.line());
        // Scopes are walked at once; their order should not differ from run to run.
        let mut all: Vec<_> = report.missing.iter().collect();
        all.sort_by(|one, other| one.scope.cmp(&other.scope));
        for missing in all.iter().take(NAMED) {
            let told = format!(
                "missing: `{}`: {}: {}",
                missing.scope, missing.code, missing.message
            );
            self.console.warn(&printable(&told));
        }
        if report.missing.len() > NAMED {
            self.console.warn(&format!(
                "… and {} more; `SHOW WARNINGS` lists all",
                report.missing.len() - NAMED
            ));
        }
    }
}

/// A fault without a place in a script of several statements gets the number and line of its statement.
fn placed(failure: Error, script: &str, piece: &Piece, at: usize, of: usize) -> Error {
    match failure.diagnostic() {
        Some(diagnostic) if diagnostic.span.is_none() && of > 1 => {
            let line = script[..piece.range.start.min(script.len())]
                .matches('\n')
                .count()
                + 1;
            let note = format!("in statement {} of {of}, line {line}", at + 1);
            match failure {
                Error::Parse(diagnostic) => Error::Parse(diagnostic.note(note)),
                failure => Error::Placed {
                    diagnostic: Box::new(diagnostic.note(note)),
                    exit: failure.exit(),
                },
            }
        }
        _ => failure,
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::collections::HashMap;
    use std::io::{self, Write};
    use std::sync::{Arc, Mutex};

    use restable_engine::{Engine, Settings};
    use restable_spec::{Builtin, Registry};

    use super::*;
    use crate::console::Talk;

    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Vec<u8>>>);

    impl Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Kept {
        fn text(&self) -> String {
            String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
        }
    }

    struct Gone;

    impl Write for Gone {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::BrokenPipe.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn session() -> Session {
        let registry = Registry::open(vec![Arc::new(Builtin)]).unwrap();
        Engine::new(registry, HashMap::new())
            .session(Settings::default())
            .unwrap()
    }

    /// The rows, the talk, the exit and how many statements the summary has.
    async fn ran(script: &str, on_failure: OnFailure, talk: Talk) -> (String, String, Exit, usize) {
        let (rows, said) = (Kept::default(), Kept::default());
        let mut console =
            Console::over(Box::new(rows.clone()), Box::new(said.clone())).with_talk(talk);
        let (session, interrupt) = (session(), Interrupt::never());
        let mut runner = Runner::new(&session, &mut console, &interrupt, Format::Json);
        runner
            .script(script, "the argument", on_failure)
            .await
            .unwrap();
        let (exit, count) = (runner.exit(), runner.summary().statements.len());
        drop(console);
        (rows.text(), said.text(), exit, count)
    }

    #[tokio::test]
    async fn one_statement_or_several() {
        let (rows, said, exit, _) =
            ran("SELECT 1 AS a, 'x' AS b;", OnFailure::Stop, Talk::Usual).await;
        assert_eq!(
            (rows.as_str(), said.as_str(), exit),
            ("[\n{\"a\":1,\"b\":\"x\"}\n]\n", "", Exit::Done)
        );
        let (rows, said, exit, count) = ran(
            "USE azure.data_protection; SELECT 1 AS a; SELECT 2 AS a",
            OnFailure::Stop,
            Talk::Usual,
        )
        .await;
        assert_eq!(
            (rows.as_str(), said.as_str(), exit, count),
            (
                "[{\"a\":1}]\n[{\"a\":2}]\n",
                "using azure.data_protection\n",
                Exit::Done,
                3
            )
        );
        let (_, said, ..) = ran("USE azure.data_protection", OnFailure::Stop, Talk::Quiet).await;
        assert_eq!(said, "");
    }

    #[tokio::test]
    async fn the_first_failure_ends_a_script_and_decides() {
        let script = "SELECT 1 AS a; SELECT * FROM nope; SELECT 2 AS a";
        let (rows, said, exit, count) = ran(script, OnFailure::Stop, Talk::Quiet).await;
        assert_eq!(
            (rows.as_str(), exit, count),
            ("[{\"a\":1}]\n", Exit::Statement, 2)
        );
        assert!(
            said.starts_with("error[R0202]: there is no table `nope`"),
            "{said}"
        );
        let (rows, _, exit, count) = ran(script, OnFailure::GoOn, Talk::Quiet).await;
        assert_eq!(
            (rows.as_str(), exit, count),
            ("[{\"a\":1}]\n[{\"a\":2}]\n", Exit::Statement, 3)
        );
        let (rows, said, exit, _) = ran("-- nothing\n;", OnFailure::Stop, Talk::Usual).await;
        assert_eq!((rows.as_str(), exit), ("", Exit::Statement));
        assert!(
            said.starts_with("error: the argument holds no statement"),
            "{said}"
        );
    }

    #[test]
    fn a_fault_without_a_place_names_its_statement() {
        let script = "SELECT 1;\nSELECT 2";
        let pieces = split(script).unwrap();
        let timeout = || {
            Error::Engine(restable_engine::Error::Timeout(
                std::time::Duration::from_secs(1),
            ))
        };
        let told = placed(timeout(), script, &pieces[1], 1, 2);
        assert_eq!(told.exit(), Exit::Provider);
        assert!(
            told.render(script)
                .contains("\n   = in statement 2 of 2, line 2\n"),
            "{}",
            told.render(script)
        );
        assert!(
            !placed(timeout(), script, &pieces[0], 0, 1)
                .render(script)
                .contains("statement 1")
        );
    }

    #[tokio::test]
    async fn a_reader_that_goes_away_ends_the_run_without_a_word() {
        let said = Kept::default();
        let mut console = Console::over(Box::new(Gone), Box::new(said.clone()));
        let (session, interrupt) = (session(), Interrupt::never());
        let mut runner = Runner::new(&session, &mut console, &interrupt, Format::Jsonl);
        let ended = runner
            .script("SELECT 1; SELECT 2", "the argument", OnFailure::GoOn)
            .await;
        assert!(matches!(ended, Err(Error::Closed)), "{ended:?}");
        assert_eq!(
            (
                runner.exit(),
                runner.summary().statements.len(),
                said.text()
            ),
            (Exit::Done, 1, String::new())
        );
    }
}
