//! The way from page to page: which link comes next, and when the pages cannot be honest any more. Links are judged by
//! [`crate::origin`]; this file knows the end, the cycle and the run of empty pages. It sends nothing.

use std::collections::HashSet;
use std::collections::hash_map::RandomState;
use std::fmt;
use std::hash::BuildHasher;

use url::{Origin, Url};

use crate::origin::{Refusal, resolve_link};

/// Empty pages in a row after which a list is given up. A filter that the service applies late makes some, not a thousand.
pub const EMPTY_PAGES: usize = 1_000;

/// What the reader of a page gives back.
#[derive(Debug)]
pub struct PageRead<T> {
    /// The page's rows, in the caller's form.
    pub rows: T,
    /// How many items the page had, before any filter of the caller's.
    pub row_count: usize,
    /// The raw text of the next link. Absent, empty and blank all mean the end.
    pub next: Option<String>,
}

/// Why a reader could not read a page.
#[derive(Debug, Clone)]
pub struct BodyError {
    /// What is wrong, without the content.
    pub message: String,
    /// Where, as a JSON path.
    pub path: String,
    /// In which item, counted from 0.
    pub item: Option<usize>,
}

/// Why there is no next page although there is a next link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Dead {
    Link(Refusal),
    Cycle { page: usize },
    Empty,
}

impl fmt::Display for Dead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Dead::Link(refusal) => {
                write!(f, "the link to the next page is not followed: {refusal}")
            }
            Dead::Cycle { page } => write!(
                f,
                "the pages are a cycle: page {page} links to one that was read before"
            ),
            Dead::Empty => write!(
                f,
                "{EMPTY_PAGES} empty pages in a row, and a link to one more"
            ),
        }
    }
}

/// The pages of one list so far.
#[derive(Debug)]
pub(crate) struct Trail {
    service: Origin,
    // Hashes, keyed anew for each process, so that a million pages are 16 MB and nobody can aim for a collision.
    seen: HashSet<u64>,
    keys: RandomState,
    pages: usize,
    empty: usize,
}

impl Trail {
    pub(crate) fn new(service: Origin, first: &Url) -> Self {
        let keys = RandomState::new();
        Self {
            service,
            seen: HashSet::from([keys.hash_one(first)]),
            keys,
            pages: 0,
            empty: 0,
        }
    }

    /// Where a link of a page that `asked` gave leads, if it may be followed before the page was read.
    pub(crate) fn ahead(&self, asked: &Url, next: &str) -> Option<Url> {
        let url = resolve_link(next, asked, &self.service).ok()?;
        (!self.seen.contains(&self.keys.hash_one(&url))).then_some(url)
    }

    /// After a page that `asked` gave: the URL of the next one, or the end.
    pub(crate) fn follow(
        &mut self,
        asked: &Url,
        rows: usize,
        next: Option<&str>,
    ) -> Result<Option<Url>, Dead> {
        self.pages += 1;
        self.empty = if rows == 0 { self.empty + 1 } else { 0 };
        let Some(raw) = next.filter(|raw| !raw.trim_matches(' ').is_empty()) else {
            return Ok(None);
        };
        let url = resolve_link(raw, asked, &self.service).map_err(Dead::Link)?;
        if !self.seen.insert(self.keys.hash_one(&url)) {
            return Err(Dead::Cycle { page: self.pages });
        }
        if self.empty >= EMPTY_PAGES {
            return Err(Dead::Empty);
        }
        Ok(Some(url))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_cycles_and_empty_pages() -> Result<(), url::ParseError> {
        let first = Url::parse("https://h/list?api-version=1")?;
        let trail = || Trail::new(first.origin(), &first);
        for end in [None, Some(""), Some("  ")] {
            assert_eq!(trail().follow(&first, 1, end), Ok(None));
        }
        assert_eq!(
            trail().follow(&first, 1, Some("https://h/list?api-version=1")),
            Err(Dead::Cycle { page: 1 })
        );
        // The same page under another spelling of its origin.
        assert_eq!(
            trail().follow(&first, 1, Some("https://H:443/list?api-version=1")),
            Err(Dead::Cycle { page: 1 })
        );

        let mut cycle = trail();
        for page in 1..1000 {
            assert!(
                cycle
                    .follow(&first, 1, Some(&format!("/list?page={page}")))
                    .is_ok()
            );
        }
        assert_eq!(
            cycle.follow(&first, 1, Some("/list?page=1")),
            Err(Dead::Cycle { page: 1000 })
        );

        let mut empty = trail();
        for page in 1..EMPTY_PAGES {
            assert!(
                empty
                    .follow(&first, 0, Some(&format!("/list?page={page}")))
                    .is_ok()
            );
        }
        assert_eq!(
            empty.follow(&first, 0, Some("/list?page=last")),
            Err(Dead::Empty)
        );

        let mut lucky = trail();
        for page in 0..3 * EMPTY_PAGES {
            let rows = usize::from(page % EMPTY_PAGES == EMPTY_PAGES - 1);
            assert!(
                lucky
                    .follow(&first, rows, Some(&format!("/list?page={page}")))
                    .is_ok()
            );
        }
        Ok(())
    }
}
