//! Where the text of provider documents comes from: a directory tree, or the documents built into the program.
//! Refuses names that leave the tree; it does not look into the texts.

use std::borrow::Cow;
use std::fmt::Debug;
use std::path::{Path, PathBuf};

use crate::error::SourceError;

/// A tree of provider documents. Names are relative to its root, with `/` between the parts:
/// `azure/v26.06.00000/services/data_protection.yaml`.
pub trait SpecSource: Debug + Send + Sync {
    /// The text of one document.
    ///
    /// # Errors
    /// The document is absent, not UTF-8, outside the tree, or cannot be read.
    fn read(&self, path: &str) -> Result<Cow<'_, str>, SourceError>;

    /// The names of all `provider.yaml`, sorted, so that a later version of a provider comes after an earlier one.
    ///
    /// # Errors
    /// The tree cannot be listed.
    fn documents(&self) -> Result<Vec<String>, SourceError>;

    /// True if there is such a document. No document is read for it.
    fn contains(&self, path: &str) -> bool;

    /// Where a person would look for it; errors name it. The empty path is the tree itself.
    fn place(&self, path: &str) -> String {
        path.to_owned()
    }
}

/// A registry's `src` tree on disk: `<provider>/<version>/provider.yaml` and `services/*.yaml` beside it.
#[derive(Debug, Clone)]
pub struct Directory(PathBuf);

impl Directory {
    /// The tree below `root`. Nothing is read yet.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self(root.into())
    }

    /// The root of the tree.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.0
    }

    fn locate(&self, path: &str) -> Result<PathBuf, SourceError> {
        let inside = path
            .split('/')
            .all(|part| !matches!(part, "" | "." | "..") && !part.contains(['\\', ':', '\0']));
        if inside {
            Ok(self.0.join(path))
        } else {
            Err(SourceError::Outside)
        }
    }
}

impl SpecSource for Directory {
    fn read(&self, path: &str) -> Result<Cow<'_, str>, SourceError> {
        let bytes = std::fs::read(self.locate(path)?).map_err(source_error)?;
        String::from_utf8(bytes)
            .map(Cow::Owned)
            .map_err(|_| SourceError::NotText)
    }

    fn documents(&self) -> Result<Vec<String>, SourceError> {
        let mut found = Vec::new();
        for provider in subdirectories(&self.0)? {
            for version in subdirectories(&self.0.join(&provider))? {
                let path = format!("{provider}/{version}/provider.yaml");
                if self.contains(&path) {
                    found.push(path);
                }
            }
        }
        Ok(found)
    }

    fn contains(&self, path: &str) -> bool {
        self.locate(path).is_ok_and(|path| path.is_file())
    }

    fn place(&self, path: &str) -> String {
        if path.is_empty() {
            return self.0.display().to_string();
        }
        self.0.join(path).display().to_string()
    }
}

fn subdirectories(directory: &Path) -> Result<Vec<String>, SourceError> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(directory).map_err(source_error)? {
        let entry = entry.map_err(source_error)?;
        if entry.path().is_dir()
            && let Ok(name) = entry.file_name().into_string()
        {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

fn source_error(error: std::io::Error) -> SourceError {
    match error.kind() {
        std::io::ErrorKind::NotFound => SourceError::Absent,
        _ => SourceError::Io(error.to_string()),
    }
}
