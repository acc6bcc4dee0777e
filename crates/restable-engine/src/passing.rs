//! Directories that end with their process: of what is kept of an emulator's estate, and of what does not fit into memory. A process that
//! is killed leaves its own behind; the next one that makes such a directory removes it. Whether a process still lives is told by a lock,
//! which ends with it however it ends.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use tempfile::TempDir;

/// The file in them that is locked.
const LOCK: &str = "lock";

/// A directory that is removed when this is dropped.
#[derive(Debug)]
pub struct Passing {
    /// Given up before the directory is removed, which not every system does while a file of it is open.
    _lock: File,
    directory: TempDir,
}

impl Passing {
    /// A new directory below `root`, for this user alone, whose name begins with `prefix`; and none there any more of processes that are gone.
    pub fn below(root: &Path, prefix: &str) -> io::Result<Passing> {
        sweep(root, prefix);
        let directory = tempfile::Builder::new().prefix(prefix).tempdir_in(root)?;
        // It gets its name once it is locked: nobody sees it unlocked while this process lives.
        let new = directory.path().join("lock.new");
        let lock = File::create(&new)?;
        // Where files cannot be locked the directory only stays longer.
        if lock.try_lock().is_ok() {
            fs::rename(&new, directory.path().join(LOCK))?;
        }
        Ok(Passing {
            _lock: lock,
            directory,
        })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.directory.path()
    }
}

/// Removes what processes left that are gone. What cannot be looked at is somebody else's.
fn sweep(root: &Path, prefix: &str) {
    let Ok(entries) = fs::read_dir(root) else {
        return;
    };
    for entry in entries.flatten() {
        let is_ours = entry.file_name().to_string_lossy().starts_with(prefix);
        // What a link leads to is not looked at.
        let is_directory = entry.file_type().is_ok_and(|kind| kind.is_dir());
        if !is_ours || !is_directory {
            continue;
        }
        let Ok(lock) = File::open(entry.path().join(LOCK)) else {
            continue;
        };
        if lock.try_lock().is_ok() {
            drop(lock);
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn what_a_process_left_is_removed_and_what_one_holds_is_not() {
        let root = tempfile::tempdir().unwrap();
        let left = root.path().join("restable-emulator-left");
        let new = root.path().join("restable-emulator-new");
        let other = root.path().join("other");
        for directory in [&left, &new, &other] {
            fs::create_dir_all(directory.join("snapshots")).unwrap();
        }
        for directory in [&left, &other] {
            File::create(directory.join(LOCK)).unwrap();
        }
        let below = |root: &Path| Passing::below(root, "restable-emulator-");
        let held = below(root.path()).unwrap();
        assert!(!left.exists() && new.exists() && other.exists());
        let next = below(root.path()).unwrap();
        assert!(held.path().exists());
        let path = next.path().to_owned();
        drop(next);
        assert!(!path.exists());
    }
}
