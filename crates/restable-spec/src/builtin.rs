//! The documents of `/provider-specs`, built into the program: as JSON, which `build.rs` makes of them. Refuses nothing but names
//! that it does not hold.

use std::borrow::Cow;

use crate::error::SourceError;
use crate::source::SpecSource;

/// The documents that come with the program.
#[derive(Debug, Clone, Copy, Default)]
pub struct Builtin;

macro_rules! documents {
    ($($path:literal),+ $(,)?) => {
        /// Each document, by its path in the tree. A test compares the list with the tree.
        const DOCUMENTS: &[(&str, &str)] = &[
            $(($path, include_str!(concat!(env!("OUT_DIR"), "/provider-specs/", $path)))),+
        ];
    };
}

documents![
    "azure/v26.06.00000/provider.yaml",
    "azure/v26.06.00000/services/data_protection.yaml",
    "azure/v26.06.00000/services/resource.yaml",
];

impl Builtin {
    /// The paths of all documents.
    pub fn paths() -> impl Iterator<Item = &'static str> {
        DOCUMENTS.iter().map(|(path, _)| *path)
    }
}

impl SpecSource for Builtin {
    fn read(&self, path: &str) -> Result<Cow<'_, str>, SourceError> {
        let found = DOCUMENTS.iter().find(|(known, _)| *known == path);
        found
            .map(|(_, text)| Cow::Borrowed(*text))
            .ok_or(SourceError::Absent)
    }

    fn documents(&self) -> Result<Vec<String>, SourceError> {
        let providers = Self::paths().filter(|path| path.ends_with("/provider.yaml"));
        Ok(providers.map(str::to_owned).collect())
    }

    fn contains(&self, path: &str) -> bool {
        Self::paths().any(|known| known == path)
    }
}
