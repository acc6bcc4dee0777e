//! The data directory: where snapshots are, who may write one, and how a file takes its place. Nothing here knows SQL.

use std::collections::HashMap;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions};
use restable_http::{Clock, TokioClock};
use restable_sql::Diagnostic;

use super::manifest::{FORMAT, Manifest, Refresh};
use super::moment::Moment;
use super::name;
use crate::statement::lock;
use crate::{Error, Result};

/// The file that names all others of a snapshot.
const MANIFEST: &str = "manifest.json";
/// What a file is called until it is whole.
const PART: &str = ".part";
/// So many footers of files are kept in memory.
const FOOTERS: usize = 256;

/// Where snapshots are kept.
#[derive(Debug, Clone)]
pub struct DataPlace {
    /// The data directory; it is made when the first snapshot is.
    pub folder: PathBuf,
    /// What time refreshes are given.
    pub clock: Arc<dyn Clock>,
}

impl DataPlace {
    /// This directory, on the clock of the machine.
    pub fn at(folder: impl Into<PathBuf>) -> DataPlace {
        DataPlace {
            folder: folder.into(),
            clock: Arc::new(TokioClock),
        }
    }
}

/// The snapshots of a data directory.
#[derive(Debug)]
pub struct Store {
    folder: PathBuf,
    clock: Arc<dyn Clock>,
    /// Footers of files, which never change.
    footers: Mutex<HashMap<PathBuf, ArrowReaderMetadata>>,
    /// Manifests by the state of their file.
    manifests: Mutex<HashMap<String, (Stamp, Arc<Manifest>)>>,
}

/// By what a file that is replaced is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    length: u64,
    changed: Option<SystemTime>,
    file: u64,
}

impl Store {
    /// The snapshots below a data directory. Nothing is read or made yet.
    pub fn new(place: DataPlace) -> Store {
        Store {
            folder: place.folder.join("snapshots"),
            clock: place.clock,
            footers: Mutex::default(),
            manifests: Mutex::default(),
        }
    }

    /// The time now.
    pub fn now(&self) -> Moment {
        Moment::of(self.clock.wall())
    }

    fn of(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// The names of all snapshots, in order. A directory that is not there has none.
    pub fn names(&self) -> Result<Vec<String>> {
        let entries = match std::fs::read_dir(&self.folder) {
            Ok(entries) => entries,
            Err(problem) if problem.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(problem) => return Err(failed("read", &self.folder, &problem)),
        };
        let mut names: Vec<String> = entries
            .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
            .filter(|name| self.exists(name))
            .collect();
        names.sort();
        Ok(names)
    }

    /// Whether there is a snapshot of this name. What cannot be looked at counts, so that reading it tells why.
    pub fn exists(&self, name: &str) -> bool {
        name::is_allowed(name) && self.of(name).join(MANIFEST).try_exists().unwrap_or(true)
    }

    /// What is known of a snapshot; `None` if there is none of this name.
    pub fn load(&self, name: &str) -> Result<Option<Arc<Manifest>>> {
        if !name::is_allowed(name) {
            return Ok(None);
        }
        let path = self.of(name).join(MANIFEST);
        let mut file = match File::open(&path) {
            Ok(file) => file,
            Err(problem) if problem.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(problem) => return Err(failed("read", &path, &problem)),
        };
        let stamp = stamp(&file).map_err(|problem| failed("read", &path, &problem))?;
        if let Some((known, manifest)) = lock(&self.manifests).get(name)
            && *known == stamp
        {
            return Ok(Some(Arc::clone(manifest)));
        }
        let mut text = String::new();
        std::io::Read::read_to_string(&mut file, &mut text)
            .map_err(|problem| failed("read", &path, &problem))?;
        let manifest = Arc::new(read(name, &path, &text)?);
        lock(&self.manifests).insert(name.to_owned(), (stamp, Arc::clone(&manifest)));
        Ok(Some(manifest))
    }

    /// The path of the rows of a refresh.
    pub fn path(&self, name: &str, refresh: &Refresh) -> PathBuf {
        self.of(name).join(&refresh.file)
    }

    /// What the footer of a file of rows says.
    pub fn footer(&self, path: &Path, refresh: &Refresh) -> Result<ArrowReaderMetadata> {
        if let Some(known) = lock(&self.footers).get(path) {
            return Ok(known.clone());
        }
        let file = open(path, refresh)?;
        // A broken file must not take the process with it, whatever the reader makes of its bytes.
        let read = std::panic::catch_unwind(|| {
            ArrowReaderMetadata::load(&file, ArrowReaderOptions::new())
        });
        let footer = match read {
            Ok(Ok(footer)) => footer,
            Ok(Err(problem)) => return Err(corrupt(path, &problem.to_string())),
            Err(_) => return Err(corrupt(path, "its footer makes no sense")),
        };
        let rows = footer.metadata().file_metadata().num_rows();
        if u64::try_from(rows) != Ok(refresh.rows) {
            let wrong = format!("it has {rows} rows, and {} were written", refresh.rows);
            return Err(corrupt(path, &wrong));
        }
        let mut footers = lock(&self.footers);
        if footers.len() >= FOOTERS {
            footers.clear();
        }
        footers.insert(path.to_owned(), footer.clone());
        Ok(footer)
    }

    /// An error if the rows of a refresh are not there as they were written, as far as that is seen without reading them.
    pub fn check(&self, path: &Path, refresh: &Refresh) -> Result<()> {
        open(path, refresh).map(drop)
    }

    /// The right to write a snapshot, which one writer has at a time, whichever process it is of.
    pub fn writer(self: &Arc<Self>, name: &str) -> Result<Writer> {
        if !name::is_allowed(name) {
            return Err(Error::internal(
                "a name that no snapshot may have is to be written",
            ));
        }
        make(&self.folder).map_err(|problem| failed("make", &self.folder, &problem))?;
        let path = self.folder.join(format!("{name}.lock"));
        let mut options = OpenOptions::new();
        options.create(true).truncate(false).write(true);
        let file = private(&mut options)
            .open(&path)
            .map_err(|problem| failed("write", &path, &problem))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let problem = format!("`{name}` is being written by another statement");
                let help = "what it shows until then is what it was; try again when that has ended";
                return Err(Diagnostic::new("R0343", problem).help(help).into());
            }
            Err(TryLockError::Error(problem)) => return Err(failed("lock", &path, &problem)),
        }
        let writer = Writer {
            store: Arc::clone(self),
            name: name.to_owned(),
            lock: file,
        };
        Ok(writer)
    }
}

/// The right to write one snapshot. It ends when it is dropped, or with the process.
#[derive(Debug)]
pub struct Writer {
    store: Arc<Store>,
    name: String,
    lock: File,
}

impl Drop for Writer {
    /// A program that another thread starts has the file open as well for a moment, and closing it here alone would leave it locked.
    fn drop(&mut self) {
        if let Err(problem) = self.lock.unlock() {
            tracing::debug!(
                "the lock of `{}` stays to the end of the process: {problem}",
                self.name
            );
        }
    }
}

impl Writer {
    /// What there is.
    pub fn load(&self) -> Result<Option<Arc<Manifest>>> {
        self.store.load(&self.name)
    }

    /// A place for the rows of a refresh that is being read. What writers left that died is removed.
    pub fn begin(&self) -> Result<PathBuf> {
        let folder = self.store.of(&self.name);
        make(&folder).map_err(|problem| failed("make", &folder, &problem))?;
        let known = self.load().ok().flatten();
        self.sweep(known.as_deref());
        Ok(folder.join(format!("{}{PART}", self.store.now().compact())))
    }

    /// The time for a refresh that is whole now: after every other of the snapshot, whatever the clock says.
    pub fn moment(&self, last: Option<&Refresh>) -> Moment {
        let now = self.store.now();
        last.map_or(now, |last| now.max(Moment(last.at.0 + 1)))
    }

    /// Gives the rows of a refresh their name for good.
    pub fn place(&self, part: &Path, at: Moment) -> Result<String> {
        let file = format!("{}.parquet", at.compact());
        let path = self.store.of(&self.name).join(&file);
        std::fs::rename(part, &path).map_err(|problem| failed("write", &path, &problem))?;
        Ok(file)
    }

    /// Makes this what the snapshot is, at one stroke, and removes what it does not name.
    pub fn commit(&self, manifest: &Manifest) -> Result<()> {
        let folder = self.store.of(&self.name);
        let (path, part) = (
            folder.join(MANIFEST),
            folder.join(format!("{MANIFEST}{PART}")),
        );
        let mut text = serde_json::to_string_pretty(manifest)
            .map_err(|problem| Error::internal(format!("a manifest: {problem}")))?;
        text.push('\n');
        let write = || {
            let mut options = OpenOptions::new();
            options.create(true).truncate(true).write(true);
            let mut file = private(&mut options).open(&part)?;
            file.write_all(text.as_bytes())?;
            file.sync_all()?;
            std::fs::rename(&part, &path)?;
            sync(&folder)?;
            sync(&self.store.folder)
        };
        write().map_err(|problem| failed("write", &path, &problem))?;
        self.sweep(Some(manifest));
        Ok(())
    }

    /// Removes the snapshot: at one stroke for readers, then file by file.
    pub fn remove(&self) -> Result<()> {
        let folder = self.store.of(&self.name);
        let path = folder.join(MANIFEST);
        std::fs::remove_file(&path).map_err(|problem| failed("remove", &path, &problem))?;
        sync(&folder).map_err(|problem| failed("write", &folder, &problem))?;
        lock(&self.store.manifests).remove(&self.name);
        self.clear();
        Ok(())
    }

    /// Removes files that nobody names; a folder without a manifest as a whole.
    pub fn clear(&self) {
        match self.load() {
            Ok(Some(manifest)) => self.sweep(Some(&manifest)),
            Ok(None) => {
                self.sweep(None);
                // It stays where somebody keeps something else in it.
                let _ = std::fs::remove_dir(self.store.of(&self.name));
            }
            // What cannot be read is left as it is, for somebody to look at.
            Err(_) => {}
        }
    }

    /// Files that cannot be removed now are tried again by the next writer.
    fn sweep(&self, manifest: Option<&Manifest>) {
        let folder = self.store.of(&self.name);
        let Ok(entries) = std::fs::read_dir(&folder) else {
            return;
        };
        let is_named = |file: &str| manifest.is_some_and(|known| known.names(file));
        for file in entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok()) {
            let ours = file.ends_with(PART) || file.ends_with(".parquet");
            if ours && !is_named(&file) {
                let path = folder.join(&file);
                lock(&self.store.footers).remove(&path);
                let _ = std::fs::remove_file(path);
            }
        }
    }

    /// The store.
    pub fn store(&self) -> &Arc<Store> {
        &self.store
    }

    /// The snapshot's name.
    pub fn name(&self) -> &str {
        &self.name
    }
}

fn read(name: &str, path: &Path, text: &str) -> Result<Manifest> {
    #[derive(serde::Deserialize)]
    struct Form {
        format: u32,
    }
    let wrong = |problem: serde_json::Error| illegible(path, &problem.to_string());
    let form: Form = serde_json::from_str(text).map_err(wrong)?;
    if form.format > FORMAT {
        let problem = format!("`{}` was written by a newer restable", path.display());
        return Err(Diagnostic::new("R0711", problem)
            .help("read it with that one")
            .into());
    }
    let manifest: Manifest = serde_json::from_str(text).map_err(wrong)?;
    // Files are named in a folder; a name that leads elsewhere was not written by us.
    let plain = |file: &String| {
        file.ends_with(".parquet") && !file.contains(['/', '\\']) && !file.starts_with('.')
    };
    let retired = manifest.retired.iter().map(|one| &one.file);
    let mut files = manifest
        .refreshes
        .iter()
        .map(|one| &one.file)
        .chain(retired);
    if manifest.name != name || !files.all(plain) {
        return Err(illegible(path, "it names what is not the snapshot's own"));
    }
    if manifest.refreshes.is_empty() {
        return Err(illegible(path, "it names no rows"));
    }
    Ok(manifest)
}

/// Opens a file of rows, which is as long as it was written.
pub fn open(path: &Path, refresh: &Refresh) -> Result<File> {
    let file = File::open(path).map_err(|problem| match problem.kind() {
        std::io::ErrorKind::NotFound => gone(path),
        _ => failed("read", path, &problem),
    })?;
    let length = file
        .metadata()
        .map_err(|problem| failed("read", path, &problem))?
        .len();
    if length != refresh.bytes {
        let wrong = format!("it has {length} bytes, and {} were written", refresh.bytes);
        return Err(corrupt(path, &wrong));
    }
    Ok(file)
}

fn stamp(file: &File) -> std::io::Result<Stamp> {
    let about = file.metadata()?;
    #[cfg(unix)]
    let number = std::os::unix::fs::MetadataExt::ino(&about);
    #[cfg(not(unix))]
    let number = 0;
    Ok(Stamp {
        length: about.len(),
        changed: about.modified().ok(),
        file: number,
    })
}

/// What a credential may see is for its user alone.
pub fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(options, 0o600);
    options
}

fn make(folder: &Path) -> std::io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

/// Names are on disk when their folder is.
fn sync(folder: &Path) -> std::io::Result<()> {
    #[cfg(unix)]
    File::open(folder)?.sync_all()?;
    #[cfg(not(unix))]
    let _ = folder;
    Ok(())
}

/// The error for a file or folder that cannot be used.
pub fn failed(verb: &str, path: &Path, problem: &std::io::Error) -> Error {
    let message = format!("cannot {verb} `{}`: {problem}", path.display());
    let help = "snapshots are kept in the data directory: `--set data_dir=DIR` names another one";
    Diagnostic::new("R0710", message).help(help).into()
}

/// The error for a file that is not what was written.
pub fn corrupt(path: &Path, why: &str) -> Error {
    let message = format!("the file `{}` is damaged: {why}", path.display());
    let help = "`REFRESH MATERIALIZED VIEW` reads anew; other refreshes are not affected; DROP removes all of them";
    Diagnostic::new("R0711", message).help(help).into()
}

/// The error for a manifest that is not what was written: without it nobody knows what the files are.
fn illegible(path: &Path, why: &str) -> Error {
    let message = format!("the file `{}` is damaged: {why}", path.display());
    let help = "DROP removes the snapshot with all its refreshes; the statement that made it has to be given again";
    Diagnostic::new("R0711", message).help(help).into()
}

fn gone(path: &Path) -> Error {
    let names: Vec<_> = path.components().rev().take(2).collect();
    let names = names
        .iter()
        .rev()
        .map(|name| name.as_os_str().to_string_lossy());
    let message = format!(
        "the file `{}` of the data directory is gone",
        names.collect::<Vec<_>>().join("/")
    );
    let help =
        "if refreshes have replaced it meanwhile, the statement will do when it is run again";
    Diagnostic::new("R0711", message).help(help).into()
}
