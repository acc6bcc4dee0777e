//! stdout and stderr. The one place that holds them: rows go out through [`Console::rows`], everything else through the others. A text of
//! someone else is escaped before it comes here.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, IsTerminal as _, Write};
use std::path::{Path, PathBuf};

use restable_http::Environment;

use crate::environment;
use crate::error::{Error, Result};
use crate::output::Target;
use crate::status_line::{Above, StatusLine};

/// The width where a terminal does not tell its own.
const USUAL_WIDTH: usize = 100;

/// How much is said on stderr.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Talk {
    /// What was done and what was covered.
    Usual,
    /// Only what is wrong.
    Quiet,
}

/// Where the talk goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    /// To stderr.
    Apart,
    /// Between the rows, where both are read as one text.
    Together,
}

/// Whether the beginning of a result can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wholeness {
    /// Its rows are lines.
    AsFarAsItCame,
    /// Nobody could read it.
    OrNothing,
}

/// How a result ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// All of it was handed over.
    Whole,
    /// It broke off.
    Broken,
    /// It broke off, and its rows say what was done.
    BrokenActions,
}

/// stdout and stderr.
pub struct Console {
    rows: BufWriter<Box<dyn Write + Send>>,
    /// The file for the rows, as long as none came.
    awaited: Option<Awaited>,
    /// The same while rows are written.
    file: Option<(PathBuf, Wholeness)>,
    /// The file beside it that takes its place when the result is whole.
    beside: Option<Beside>,
    talk: Box<dyn Write + Send>,
    side: Side,
    volume: Talk,
    target: Target,
    styled: bool,
    status: StatusLine,
}

impl Console {
    /// The process's own.
    pub fn standard(environment: &Environment) -> Console {
        let stdout = io::stdout();
        let dumb = environment.var(environment::TERM) == Some("dumb");
        let target = if stdout.is_terminal() && !dumb {
            Target::Terminal(width())
        } else {
            Target::Stream
        };
        let status = if dumb {
            StatusLine::nowhere()
        } else {
            StatusLine::on_stderr(width)
        };
        let rows: Box<dyn Write + Send> = match stdout.is_terminal() {
            true => Box::new(Above::new(&status, stdout)),
            false => Box::new(stdout),
        };
        Console {
            rows: BufWriter::with_capacity(64 << 10, rows),
            awaited: None,
            file: None,
            beside: None,
            talk: Box::new(Above::new(&status, io::stderr())),
            side: Side::Apart,
            volume: Talk::Usual,
            target,
            styled: target != Target::Stream && environment.var(environment::NO_COLOR).is_none(),
            status,
        }
    }

    /// Over these writers.
    #[cfg(test)]
    pub fn over(rows: Box<dyn Write + Send>, talk: Box<dyn Write + Send>) -> Console {
        let rows = BufWriter::new(rows);
        Console {
            rows,
            awaited: None,
            file: None,
            beside: None,
            talk,
            side: Side::Apart,
            volume: Talk::Usual,
            target: Target::Stream,
            styled: false,
            status: StatusLine::nowhere(),
        }
    }

    /// Says no more than `talk` asks for.
    pub fn with_talk(mut self, talk: Talk) -> Console {
        self.volume = talk;
        if talk == Talk::Quiet {
            self.status = StatusLine::nowhere();
        }
        self
    }

    /// The line that tells how far a statement is.
    pub fn status_line(&self) -> &StatusLine {
        &self.status
    }

    /// Writes the talk between the rows, and the rows for a person even where nobody is known to read them.
    pub fn together(mut self) -> Console {
        self.side = Side::Together;
        if self.target == Target::Stream {
            self.target = Target::Terminal(USUAL_WIDTH);
        }
        self
    }

    /// Writes the rows into a file. It is replaced when the first result is whole, so that a run that has none leaves it as it was; that it
    /// can be written is known before anything is asked.
    pub fn into_file(mut self, path: &Path, wholeness: Wholeness) -> Result<Console> {
        self.await_rows(path, wholeness)?;
        self.target = Target::Stream;
        Ok(self)
    }

    fn await_rows(&mut self, path: &Path, wholeness: Wholeness) -> Result<()> {
        self.awaited = Some(Awaited::new(path, wholeness)?);
        self.rows = BufWriter::new(Box::new(io::sink()));
        Ok(())
    }

    /// There is a result: what is written from here on goes where rows go.
    pub fn begin_rows(&mut self) -> Result<()> {
        if let Some(awaited) = self.awaited.take() {
            self.file = Some((awaited.path.clone(), awaited.wholeness));
            let (file, beside) = awaited.open()?;
            self.beside = beside;
            self.rows = BufWriter::with_capacity(64 << 10, Box::new(file));
        }
        Ok(())
    }

    /// The result has ended, and everything of it was handed over. What a file held before stays if it is worth more.
    pub fn end_rows(&mut self, ending: Ending) -> Result<()> {
        let Some((path, wholeness)) = self.file.clone() else {
            return Ok(());
        };
        let shown = path.display();
        match (ending, self.beside.take()) {
            (Ending::Whole, None) => Ok(()),
            (Ending::Whole, Some(beside)) => beside.take_place(),
            (Ending::BrokenActions, Some(beside)) if wholeness == Wholeness::AsFarAsItCame => {
                beside.take_place()?;
                self.say(&format!("`{shown}` has the rows until then"));
                Ok(())
            }
            (_, Some(beside)) => {
                drop(beside);
                self.say(&format!("`{shown}` stays as it was"));
                self.file = None;
                self.await_rows(&path, wholeness)
            }
            (_, None) => {
                self.say(&format!("`{shown}` ends with a part of this result"));
                Ok(())
            }
        }
    }

    /// What reads the rows.
    pub fn target(&mut self) -> Target {
        if let (Target::Terminal(_), Side::Apart) = (self.target, self.side) {
            self.target = Target::Terminal(width());
        }
        self.target
    }

    /// Where rows are written.
    pub fn rows(&mut self) -> &mut dyn Write {
        &mut self.rows
    }

    /// Hands over what was written.
    pub fn flush(&mut self) -> Result<()> {
        Ok(self.rows.flush()?)
    }

    /// Says what was done or covered, unless it is to be quiet.
    pub fn say(&mut self, text: &str) {
        if self.volume == Talk::Usual {
            self.warn(text);
        }
    }

    /// Says the same in dim letters where there are any.
    pub fn aside(&mut self, text: &str) {
        match self.styled {
            true => self.say(&format!("\u{1b}[2m{text}\u{1b}[0m")),
            false => self.say(text),
        }
    }

    /// Says it as a title.
    pub fn title(&mut self, text: &str) {
        match self.styled {
            true => self.say(&format!("\u{1b}[1m{text}\u{1b}[0m")),
            false => self.say(text),
        }
    }

    /// Says what is wrong.
    pub fn warn(&mut self, text: &str) {
        // Who closed stderr does not want to know; the exit code still tells.
        match self.side {
            Side::Apart => {
                let _ = self.rows.flush();
                let _ = writeln!(self.talk, "{text}");
            }
            Side::Together => {
                let _ = writeln!(self.rows, "{text}");
            }
        }
    }
}

/// A file that is still as it was.
struct Awaited {
    path: PathBuf,
    /// Open if it exists.
    file: Option<File>,
    wholeness: Wholeness,
}

impl Awaited {
    fn new(path: &Path, wholeness: Wholeness) -> Result<Awaited> {
        let file = match OpenOptions::new().write(true).open(path) {
            Ok(file) => Some(file),
            Err(source) if source.kind() == io::ErrorKind::NotFound => {
                let folder = path
                    .parent()
                    .filter(|folder| !folder.as_os_str().is_empty());
                let folder = folder.unwrap_or(Path::new("."));
                fs::metadata(folder).map_err(|source| refused(path, source))?;
                None
            }
            Err(source) => return Err(refused(path, source)),
        };
        let path = path.to_owned();
        Ok(Awaited {
            path,
            file,
            wholeness,
        })
    }

    /// Where the rows go: the file, emptied, or one beside it.
    fn open(self) -> Result<(File, Option<Beside>)> {
        let metadata = self.file.as_ref().map(File::metadata).transpose();
        let metadata = metadata.map_err(|source| refused(&self.path, source))?;
        // A pipe or a device cannot be replaced.
        let replaceable = metadata.is_none_or(|metadata| metadata.is_file());
        if replaceable {
            match Beside::open(&self.path) {
                Ok((file, beside)) => return Ok((file, Some(beside))),
                // A file in a folder that takes no others.
                Err(_) if self.wholeness == Wholeness::AsFarAsItCame && self.file.is_some() => {}
                Err(problem) => return Err(problem),
            }
        }
        self.emptied().map(|file| (file, None))
    }

    fn emptied(self) -> Result<File> {
        let Some(file) = self.file else {
            return File::create(&self.path).map_err(|source| refused(&self.path, source));
        };
        // A pipe or a device has no length.
        let emptied = match file.metadata() {
            Ok(metadata) if metadata.is_file() => file.set_len(0),
            Ok(_) => Ok(()),
            Err(source) => Err(source),
        };
        match emptied {
            Ok(()) => Ok(file),
            Err(source) => Err(refused(&self.path, source)),
        }
    }
}

/// A file that is written beside the one that was named. It takes its place when it is whole, and is removed otherwise.
struct Beside {
    path: PathBuf,
    part: PathBuf,
}

impl Beside {
    fn open(path: &Path) -> Result<(File, Beside)> {
        // Through a link the file itself is replaced, not the link.
        let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        let mut name = std::ffi::OsString::from(".");
        name.push(path.file_name().unwrap_or_default());
        name.push(format!(".{}.part", std::process::id()));
        let part = path.with_file_name(name);
        let file = File::create(&part).map_err(|source| refused(&part, source))?;
        if let Ok(metadata) = fs::metadata(&path) {
            fs::set_permissions(&part, metadata.permissions()).ok();
        }
        Ok((file, Beside { path, part }))
    }

    fn take_place(self) -> Result<()> {
        fs::rename(&self.part, &self.path).map_err(|source| refused(&self.path, source))
    }
}

impl Drop for Beside {
    fn drop(&mut self) {
        // Nothing is there after it took its place.
        fs::remove_file(&self.part).ok();
    }
}

fn refused(path: &Path, source: io::Error) -> Error {
    Error::Write {
        path: path.to_owned(),
        source,
    }
}

fn width() -> usize {
    terminal_size::terminal_size()
        .map_or(USUAL_WIDTH, |(terminal_size::Width(columns), _)| {
            usize::from(columns)
        })
        .max(20)
}
