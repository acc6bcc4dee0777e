//! Lines of the shell: from a terminal, with editing, history and completion, or from standard input. Owns the history file.

use std::io::{self, BufRead as _, IsTerminal as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use restable_engine::catalog::Current;
use restable_http::Environment;
use restable_spec::Registry;
use rustyline::error::ReadlineError;
use rustyline::history::FileHistory;
use rustyline::{CompletionType, Config, Editor};

use super::complete::Names;
use crate::configuration::History;
use crate::error::{Error, Result};
use crate::places;

/// Entries that the history keeps.
const KEPT: usize = 10_000;

/// What was typed.
pub enum Line {
    /// A line, without its end.
    Text(String),
    /// Ctrl-C: what was typed so far is void.
    Cancelled,
    /// The end of the input.
    End,
}

/// Where lines come from.
pub enum Input {
    /// A person.
    Terminal(Box<Terminal>),
    /// A file or a program.
    Stream,
}

/// A person's terminal.
pub struct Terminal {
    editor: Editor<Names, FileHistory>,
    history: Option<PathBuf>,
}

impl Input {
    /// A terminal if there is one on both sides, else standard input.
    pub fn open(
        registry: &Arc<Registry>,
        history: &History,
        environment: &Environment,
    ) -> Result<Input> {
        if !io::stdin().is_terminal() || !io::stdout().is_terminal() {
            return Ok(Input::Stream);
        }
        let config = Config::builder()
            .history_ignore_space(true)
            .completion_type(CompletionType::List)
            .auto_add_history(false)
            .max_history_size(KEPT)
            .and_then(|builder| builder.history_ignore_dups(true))
            .map_err(broken)?
            .build();
        let mut editor = Editor::with_config(config).map_err(broken)?;
        editor.set_helper(Some(Names::new(Arc::clone(registry))));
        let history = match history {
            History::Off => None,
            History::File(path) => Some(path.clone()),
            History::Usual => places::state(environment).map(|state| state.join("history")),
        };
        if let Some(path) = &history {
            prepare(path).map_err(|source| Error::Write {
                path: path.clone(),
                source,
            })?;
            editor.load_history(path).map_err(broken)?;
        }
        Ok(Input::Terminal(Box::new(Terminal { editor, history })))
    }

    /// Whether a person types.
    pub fn is_terminal(&self) -> bool {
        matches!(self, Input::Terminal(_))
    }

    /// The next line. `current` and `text` are what completion needs to know.
    pub fn line(&mut self, prompt: &str, current: &Current, text: &str) -> Result<Line> {
        let Input::Terminal(terminal) = self else {
            let mut line = String::new();
            return match io::stdin().lock().read_line(&mut line) {
                Ok(0) => Ok(Line::End),
                Ok(_) => Ok(Line::Text(
                    line.trim_end_matches(['\n', '\r'])
                        .trim_start_matches('\u{feff}')
                        .to_owned(),
                )),
                Err(problem) if problem.kind() == io::ErrorKind::InvalidData => {
                    Err(Error::NotText {
                        name: "standard input".to_owned(),
                        problem: "a line is not".to_owned(),
                    })
                }
                Err(source) => Err(Error::Read {
                    path: PathBuf::from("-"),
                    source,
                }),
            };
        };
        if let Some(names) = terminal.editor.helper_mut() {
            names.see(current, text);
        }
        match terminal.editor.readline(prompt) {
            Ok(line) => Ok(Line::Text(line)),
            Err(ReadlineError::Interrupted) => Ok(Line::Cancelled),
            Err(ReadlineError::Eof) => Ok(Line::End),
            Err(problem) => Err(broken(problem)),
        }
    }

    /// Keeps what was typed, unless it begins with a space.
    pub fn remember(&mut self, entry: &str) {
        if let Input::Terminal(terminal) = self
            && terminal.editor.add_history_entry(entry).unwrap_or(false)
            && let Some(path) = &terminal.history
        {
            // At once: a shell that is killed keeps what was typed. A full disk is no reason to stop.
            let _ = terminal.editor.append_history(path);
        }
    }
}

/// Makes the file, for its owner's eyes only.
fn prepare(path: &Path) -> io::Result<()> {
    if let Some(directory) = path
        .parent()
        .filter(|directory| !directory.as_os_str().is_empty())
    {
        std::fs::create_dir_all(directory)?;
    }
    let mut options = std::fs::OpenOptions::new();
    options.append(true).create(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    let file = options.open(path)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        file.set_permissions(std::fs::Permissions::from_mode(0o600))?;
    }
    drop(file);
    Ok(())
}

fn broken(problem: ReadlineError) -> Error {
    Error::Internal(format!("the terminal: {problem}"))
}

#[cfg(all(test, unix))]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn the_history_is_for_its_owner() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("new").join("history");
        prepare(&path).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        prepare(&path).unwrap();
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    }
}
