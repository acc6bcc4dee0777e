//! Where a journal may stand: in a directory that nobody else writes, in a file that nobody else reads.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use futures::executor::block_on;
use rusqlite::Connection;

use super::{Outcome, intent, one, text};
use crate::journal::Journal;

#[test]
fn only_its_user_reads_it() -> Outcome {
    let place = tempfile::tempdir()?;
    let path = place.path().join("state/journal.db");
    let journal = Journal::open(&path)?;
    let (_run, _permit) = block_on(one(&journal, intent("/a")))?;
    let mode = |path: &Path| fs::metadata(path).map(|facts| facts.permissions().mode() & 0o777);
    let mut files = 0;
    for file in fs::read_dir(place.path().join("state"))? {
        let file = file?.path();
        assert_eq!(mode(&file)?, 0o600, "{}", file.display());
        files += 1;
    }
    // The file, its log, its index, and the lock of the statement.
    assert_eq!(files, 4);
    assert_eq!(mode(&place.path().join("state"))?, 0o700);
    drop((_run, _permit, journal));
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644))?;
    Journal::open(&path)?;
    assert_eq!(mode(&path)?, 0o600);
    Ok(())
}

#[test]
fn places_that_are_refused() -> Outcome {
    let place = tempfile::tempdir()?;
    let at = |name: &str| -> PathBuf { place.path().join(name) };
    let refusal = |path: &Path| text(Journal::open(path).err());
    let ends = |path: &Path, end: &str| {
        let refusal = refusal(path);
        assert!(refusal.ends_with(end), "{refusal}");
    };
    Journal::open(&at("real.db"))?;
    symlink(at("real.db"), at("link.db"))?;
    ends(&at("link.db"), "it is a symbolic link");
    fs::create_dir(at("directory.db"))?;
    ends(&at("directory.db"), "it is no file");
    fs::write(
        at("text.db"),
        "these are not the bytes of a database at all, as one can see",
    )?;
    ends(&at("text.db"), "file is not a database");
    Connection::open(at("other.db"))?.execute_batch("CREATE TABLE t (a)")?;
    ends(&at("other.db"), "it is no journal of restable");
    drop(Journal::open(&at("later.db"))?);
    Connection::open(at("later.db"))?.pragma_update(None, "user_version", 7)?;
    ends(
        &at("later.db"),
        "has version 7, and this program knows version 1",
    );
    fs::create_dir(at("open"))?;
    fs::set_permissions(at("open"), fs::Permissions::from_mode(0o777))?;
    ends(
        &at("open/journal.db"),
        "its directory may be written by other users",
    );
    drop(Journal::open(&at("shared.db"))?);
    fs::set_permissions(at("shared.db"), fs::Permissions::from_mode(0o666))?;
    ends(&at("shared.db"), "it may be written by other users");
    drop(Journal::open(&at("given.db"))?);
    // Only the superuser can give a file away.
    if std::os::unix::fs::chown(at("given.db"), Some(54_321), None).is_ok() {
        ends(&at("given.db"), "it belongs to another user");
    }
    Ok(())
}
