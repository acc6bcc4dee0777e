//! What can go wrong in the command, and which exit code each fault has. Owns the last wording of errors; what the engine says is shown
//! as it says it.

use std::io;
use std::path::PathBuf;

use restable_engine::Fault;
use restable_sql::Diagnostic;

/// The result of what the command does.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// How the process ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// All was done.
    Done,
    /// The statement, a flag or a file of the user is at fault.
    Statement,
    /// The other side is at fault.
    Provider,
    /// Done, but scopes are missing.
    Incomplete,
    /// We are at fault.
    Ours,
    /// Ctrl-C.
    Interrupted,
}

impl Exit {
    /// The number for the operating system.
    pub fn code(self) -> u8 {
        match self {
            Exit::Done => 0,
            Exit::Statement => 1,
            Exit::Provider => 2,
            Exit::Incomplete => 3,
            Exit::Ours => 4,
            Exit::Interrupted => 130,
        }
    }
}

/// Why a command ends early.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A statement failed.
    #[error(transparent)]
    Engine(#[from] restable_engine::Error),
    /// A statement cannot be read.
    #[error(transparent)]
    Parse(#[from] Diagnostic),
    /// A statement failed, and its place in the script is told.
    #[error("{}", diagnostic.message)]
    Placed {
        /// What is wrong, with the place.
        diagnostic: Box<Diagnostic>,
        /// Who is at fault.
        exit: Exit,
    },
    /// A flag, variable or key has a value that cannot be used.
    #[error("{place}: {message}")]
    Setting {
        /// The flag, the variable, or the file with its key.
        place: String,
        /// What is wrong.
        message: String,
        /// What to do.
        hint: Option<String>,
    },
    /// The shell does not know what was typed behind a backslash.
    #[error("{message}")]
    Command {
        /// What is wrong.
        message: String,
        /// What to do.
        hint: String,
    },
    /// A file of the user cannot be read.
    #[error("cannot read `{}`: {}", path.display(), reason(source))]
    Read {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// A file of the user cannot be written.
    #[error("cannot write `{}`: {}", path.display(), reason(source).replace("file", "directory"))]
    Write {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// A script is not text.
    #[error("{name} is not UTF-8 text: {problem}")]
    NotText {
        /// The file, in backticks, or `standard input`.
        name: String,
        /// What it is instead, or where it ceases to be.
        problem: String,
    },
    /// A script holds nothing to run.
    #[error("{name} holds no statement")]
    Empty {
        /// The file, in backticks, or `standard input`.
        name: String,
    },
    /// A statement acted, and targets did not come to what was asked for. Which, and why, is in their rows.
    #[error("{} did not come to what was asked for", if *of == 1 { "the target".to_owned() } else { format!("{count} of {of} targets") })]
    Unachieved {
        /// So many of them.
        count: u64,
        /// All of them.
        of: u64,
    },
    /// Neither a statement nor a file was given.
    #[error("nothing to run")]
    Nothing,
    /// The credential or connection cannot be set up or used.
    #[error(transparent)]
    Connection(#[from] restable_http::Error),
    /// The provider documents cannot be used.
    #[error(transparent)]
    Documents(#[from] restable_spec::Error),
    /// The emulator does not start.
    #[error(transparent)]
    Emulator(#[from] arm_emulator::Error),
    /// stdout cannot be written.
    #[error("cannot write the rows: {}", reason(.0))]
    Output(io::Error),
    /// Whoever read stdout went away. Not a failure.
    #[error("the reader of the rows went away")]
    Closed,
    /// Ctrl-C.
    #[error("interrupted")]
    Interrupted,
    /// The terminal or the runtime refused.
    #[error("{0}")]
    Internal(String),
}

impl Error {
    /// The exit code.
    pub fn exit(&self) -> Exit {
        match self {
            Error::Engine(problem) => match problem.fault() {
                Fault::Statement => Exit::Statement,
                Fault::Provider => Exit::Provider,
                Fault::Ours => Exit::Ours,
            },
            Error::Placed { exit, .. } => *exit,
            Error::Parse(_)
            | Error::Setting { .. }
            | Error::Command { .. }
            | Error::Read { .. }
            | Error::Write { .. }
            | Error::NotText { .. }
            | Error::Empty { .. }
            | Error::Nothing
            | Error::Documents(_) => Exit::Statement,
            Error::Connection(problem) if problem.is_ours() => Exit::Statement,
            Error::Connection(_) | Error::Output(_) | Error::Unachieved { .. } => Exit::Provider,
            Error::Emulator(arm_emulator::Error::Listen { .. }) => Exit::Provider,
            Error::Emulator(_) => Exit::Statement,
            Error::Closed => Exit::Done,
            Error::Interrupted => Exit::Interrupted,
            Error::Internal(_) => Exit::Ours,
        }
    }

    /// What to do about it.
    fn hint(&self) -> Option<String> {
        let text = match self {
            Error::Setting { hint, .. } => return hint.clone(),
            Error::Command { hint, .. } => hint,
            Error::Connection(problem) => return problem.hint(),
            Error::Nothing => {
                "`restable exec \"SELECT …\"`, `restable exec -f FILE`, or `restable exec -f -` for standard input"
            }
            Error::Empty { .. } => "a script is one statement or several, separated by `;`",
            Error::NotText { .. } => "save it as UTF-8",
            Error::Emulator(arm_emulator::Error::Listen { .. }) => {
                "`--listen 127.0.0.1:0` takes a free port"
            }
            Error::Internal(_) => {
                "this is a defect of restable: report it with the command and the output of `restable --version`"
            }
            _ => return None,
        };
        Some(text.to_owned())
    }

    /// The fault as a diagnostic, if it is one of a statement.
    pub fn diagnostic(&self) -> Option<Diagnostic> {
        match self {
            Error::Engine(problem) => Some(problem.diagnostic()),
            Error::Parse(diagnostic) => Some(diagnostic.clone()),
            Error::Placed { diagnostic, .. } => Some((**diagnostic).clone()),
            _ => None,
        }
    }

    /// The text for a person. `script` is what the statement is part of.
    pub fn render(&self, script: &str) -> String {
        if let Some(diagnostic) = self.diagnostic() {
            return diagnostic.render(script);
        }
        let message = crate::output::value::printable(&self.to_string()).into_owned();
        match self.hint() {
            Some(hint) => format!(
                "error: {message}\n\nhint: {}",
                crate::output::value::printable(&hint)
            ),
            None => format!("error: {message}"),
        }
    }
}

impl From<arrow::error::ArrowError> for Error {
    fn from(problem: arrow::error::ArrowError) -> Error {
        Error::Engine(problem.into())
    }
}

impl From<io::Error> for Error {
    /// Only the rows are written through `?`; every other file is named where it is used.
    fn from(problem: io::Error) -> Error {
        match problem.kind() {
            io::ErrorKind::BrokenPipe => Error::Closed,
            _ => Error::Output(problem),
        }
    }
}

/// The operating system's words without its number.
fn reason(problem: &io::Error) -> String {
    match problem.kind() {
        io::ErrorKind::NotFound => "there is no such file".to_owned(),
        io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        io::ErrorKind::IsADirectory => "it is a directory".to_owned(),
        _ => {
            let text = problem.to_string();
            text.split(" (os error")
                .next()
                .unwrap_or_default()
                .to_lowercase()
        }
    }
}
