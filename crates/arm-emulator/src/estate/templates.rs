//! Owns the quick writing of computed instances: the body of a type of data source is built once for a page, with marks
//! in the place of what differs, and then only filled. There is one shape, that of `bodies.rs`.

use crate::bodies::{self, InstanceParts, Source};

/// Characters that stand for what differs between instances of one type in one vault.
const NAME: char = '\u{e000}';
const FIRST: char = '\u{e001}';
const SECOND: char = '\u{e002}';
const GROUP: char = '\u{e003}';

/// What differs between instances of one type in one vault.
#[derive(Debug)]
pub(crate) struct Filling<'a> {
    pub(crate) name: &'a str,
    /// The friendly name, or what is before its slash.
    pub(crate) first: &'a str,
    /// What is behind the slash.
    pub(crate) second: &'a str,
    /// Group of the data source, such as `rg-app-001`.
    pub(crate) group: &'a str,
}

/// A body with gaps.
#[derive(Debug)]
pub(crate) struct Template {
    /// Text, and the mark that follows it; the last text has none.
    pieces: Vec<(String, Option<char>)>,
}

impl Template {
    /// The template of a type of data source in a vault; groups lie in `subscription`.
    pub(crate) fn new(
        vault_id: &str,
        subscription: &str,
        location: &str,
        policy: &str,
        source: Source,
    ) -> Template {
        let friendly = match source {
            Source::Postgres => format!("{FIRST}/{SECOND}"),
            Source::Disk | Source::Blob | Source::Kubernetes => FIRST.to_string(),
        };
        let body = bodies::instance(&InstanceParts {
            vault_id,
            name: &NAME.to_string(),
            source,
            friendly: &friendly,
            source_group: &format!("/subscriptions/{subscription}/resourceGroups/{GROUP}"),
            location,
            policy,
            state: "ProtectionConfigured",
            error: None,
            tags: None,
        });
        let text = body.to_string();
        let mut pieces = Vec::new();
        let mut rest = text.as_str();
        while let Some(at) = rest.find([NAME, FIRST, SECOND, GROUP]) {
            let mark = rest[at..].chars().next();
            pieces.push((rest[..at].to_owned(), mark));
            rest = &rest[at + mark.map_or(0, char::len_utf8)..];
        }
        pieces.push((rest.to_owned(), None));
        Template { pieces }
    }

    /// Writes the body of one instance.
    pub(crate) fn fill(&self, filling: &Filling<'_>, text: &mut Vec<u8>) {
        for (piece, mark) in &self.pieces {
            text.extend_from_slice(piece.as_bytes());
            let value = match *mark {
                Some(NAME) => filling.name,
                Some(FIRST) => filling.first,
                Some(SECOND) => filling.second,
                Some(GROUP) => filling.group,
                _ => "",
            };
            text.extend_from_slice(value.as_bytes());
        }
    }
}
