//! Where the journal's files stand and who may touch them: a directory of its own user that no one else writes, files that only that
//! user reads, no symbolic links. And the locks of running statements, which the operating system drops with their process.

use std::collections::HashSet;
use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use crate::error::JournalError;

/// Makes the directory and the file if they are not there, and gives the path without links.
pub(super) fn prepare(path: &Path) -> Result<PathBuf, JournalError> {
    let wrong = |problem: String| JournalError::Place {
        path: path.display().to_string(),
        problem,
    };
    let failed = |error: io::Error| wrong(error.to_string());
    let name = path
        .file_name()
        .ok_or_else(|| wrong("it names no file".to_owned()))?;
    let directory = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    make_directory(directory).map_err(failed)?;
    let directory = directory.canonicalize().map_err(failed)?;
    let owner = probe(&directory).map_err(failed)?;
    let facts = fs::metadata(&directory).map_err(failed)?;
    check(&facts, &owner, "its directory").map_err(wrong)?;
    let file = directory.join(name);
    match fs::symlink_metadata(&file) {
        Ok(facts) if facts.is_symlink() => Err(wrong("it is a symbolic link".to_owned())),
        Ok(facts) if !facts.is_file() => Err(wrong("it is no file".to_owned())),
        Ok(facts) => {
            check(&facts, &owner, "it").map_err(wrong)?;
            narrow(&file).map_err(failed)?;
            Ok(file)
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            match private(OpenOptions::new().write(true).create_new(true)).open(&file) {
                // Another process may have made it in the meantime.
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(failed(error)),
                _ => Ok(file),
            }
        }
        Err(error) => Err(failed(error)),
    }
}

/// Facts of a file that this process has just made: its owner is who we are.
fn probe(directory: &Path) -> io::Result<fs::Metadata> {
    let path = directory.join(format!(".restable-{}", uuid::Uuid::new_v4()));
    let file = private(OpenOptions::new().write(true).create_new(true)).open(&path)?;
    let facts = file.metadata();
    fs::remove_file(&path)?;
    facts
}

#[cfg(unix)]
fn make_directory(directory: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(directory)
}

#[cfg(not(unix))]
fn make_directory(directory: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).create(directory)
}

#[cfg(unix)]
fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    use std::os::unix::fs::OpenOptionsExt;
    options.mode(0o600)
}

#[cfg(not(unix))]
fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    options
}

#[cfg(unix)]
fn check(facts: &fs::Metadata, own: &fs::Metadata, what: &str) -> Result<(), String> {
    use std::os::unix::fs::MetadataExt;
    if facts.uid() != own.uid() {
        return Err(format!("{what} belongs to another user"));
    }
    if facts.mode() & 0o022 != 0 {
        return Err(format!("{what} may be written by other users"));
    }
    Ok(())
}

#[cfg(not(unix))]
fn check(_: &fs::Metadata, _: &fs::Metadata, _: &str) -> Result<(), String> {
    Ok(())
}

#[cfg(unix)]
fn narrow(file: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(file, fs::Permissions::from_mode(0o600))
}

#[cfg(not(unix))]
fn narrow(_: &Path) -> io::Result<()> {
    Ok(())
}

/// The locks of the statements of one journal.
#[derive(Debug)]
pub(super) enum Locks {
    /// Files beside the journal.
    Beside(PathBuf),
    /// Names, in this process.
    Memory(Arc<Mutex<HashSet<String>>>),
}

/// A lock that is held; dropping it ends it.
#[derive(Debug)]
pub(super) enum Lock {
    File {
        path: PathBuf,
        // Closing the file ends the lock.
        _file: File,
    },
    Memory {
        names: Arc<Mutex<HashSet<String>>>,
        name: String,
    },
}

impl Locks {
    pub(super) fn beside(journal: PathBuf) -> Self {
        Locks::Beside(journal)
    }

    pub(super) fn in_memory() -> Self {
        Locks::Memory(Arc::default())
    }

    /// Takes the lock of a statement, without waiting.
    pub(super) fn take(&self, statement: &str) -> Result<Lock, JournalError> {
        let running = || JournalError::Running {
            statement: statement.to_owned(),
        };
        match self {
            Locks::Memory(names) => {
                let mut held = names.lock().unwrap_or_else(PoisonError::into_inner);
                if !held.insert(statement.to_owned()) {
                    return Err(running());
                }
                Ok(Lock::Memory {
                    names: Arc::clone(names),
                    name: statement.to_owned(),
                })
            }
            Locks::Beside(journal) => {
                // The name comes from a person.
                let plain = |c: char| c.is_ascii_alphanumeric() || c == '-';
                if statement.is_empty() || statement.len() > 64 || !statement.chars().all(plain) {
                    return Err(JournalError::Absent {
                        reference: statement.to_owned(),
                    });
                }
                let mut name = journal.file_name().unwrap_or_default().to_owned();
                name.push(format!(".{statement}.lock"));
                let path = journal.with_file_name(name);
                take_file(&path).map_err(|error| match error {
                    None => running(),
                    Some(error) => JournalError::Place {
                        path: path.display().to_string(),
                        problem: error.to_string(),
                    },
                })
            }
        }
    }
}

/// The error is `None` if another process has it.
fn take_file(path: &Path) -> Result<Lock, Option<io::Error>> {
    loop {
        let file = private(OpenOptions::new().write(true).create(true).truncate(false))
            .open(path)
            .map_err(Some)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(None),
            Err(TryLockError::Error(error)) => return Err(Some(error)),
        }
        // Its holder removes the file; a lock on a file that is gone locks nobody out.
        if is_still(&file, path) {
            return Ok(Lock::File {
                path: path.to_owned(),
                _file: file,
            });
        }
    }
}

#[cfg(unix)]
fn is_still(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    match (file.metadata(), fs::symlink_metadata(path)) {
        (Ok(held), Ok(named)) => held.ino() == named.ino() && held.dev() == named.dev(),
        _ => false,
    }
}

#[cfg(not(unix))]
fn is_still(_: &File, _: &Path) -> bool {
    true
}

impl Drop for Lock {
    fn drop(&mut self) {
        match self {
            // Removed while the lock is held, so that nobody else can hold it.
            Lock::File { path, .. } => {
                fs::remove_file(path).ok();
            }
            Lock::Memory { names, name } => {
                names
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .remove(name);
            }
        }
    }
}
