//! The quick reader: one pass over the text of a page with a cursor. It takes lists of objects, and says of all else that it is
//! unusual; the careful reader takes those.

use arrow::array::RecordBatch;
use restable_http::PageRead;
use restable_spec::Items;

use super::demands::ERROR;
use super::paths::{self, Keys, Member};
use super::rows::Rows;
use super::scan::{Cursor, Scanned, Unusual};
use super::{Column, Decoder, Source};
use crate::json::Step;

/// So many fields of a row, or members of an object, are looked for at most.
const MOST: usize = 64;

/// A longer link is found when its page is read.
const LONGEST_LINK: usize = 4096;

/// What is looked for in each row.
#[derive(Debug)]
pub(super) struct Wanted {
    fields: Vec<Member>,
    /// For each column, the steps of its path behind the keys that the fields know.
    rest: Vec<Vec<Step>>,
}

impl Wanted {
    /// What the columns want, and the row's own id if it is needed; `None` if this cannot be looked for in one pass.
    pub fn new(columns: &[Column], needs_id: bool) -> Option<Wanted> {
        let mut fields = Vec::new();
        let mut rest = Vec::with_capacity(columns.len());
        for (place, column) in columns.iter().enumerate() {
            let mut left = Vec::new();
            match &column.source {
                Source::Field(name) => {
                    paths::add(&mut fields, &[name], place);
                }
                Source::Path(name, path) => {
                    let (keys, behind) = paths::keys(name, &path.steps);
                    paths::add(&mut fields, &keys, place);
                    left.extend_from_slice(behind);
                }
                Source::Identity(..) | Source::Constant(_) => {}
            }
            rest.push(left);
        }
        if needs_id {
            paths::add(&mut fields, &["id"], columns.len());
        }
        let usual = fields.iter().all(|field| !paths::has_twins(field.inner()));
        (usual && paths::widest(&fields) <= MOST).then_some(Wanted { fields, rest })
    }
}

/// Reads a page.
pub(super) fn read(
    decoder: &Decoder,
    wanted: &Wanted,
    text: &str,
) -> Scanned<PageRead<RecordBatch>> {
    let mut rows = Rows::new(decoder, text.len());
    let mut cursor = Cursor::new(text);
    let mut next = None;
    match &decoder.items {
        Items::One => return Err(Unusual),
        Items::Array => items(&mut cursor, wanted, &mut rows)?,
        Items::At(key) => {
            let mut found = false;
            let mut more = cursor.begin(b'{', b'}')?;
            while more {
                let name = cursor.key()?;
                if name == key {
                    if found {
                        return Err(Unusual);
                    }
                    found = true;
                    items(&mut cursor, wanted, &mut rows)?;
                } else if Some(name) == decoder.next_link.as_deref() {
                    let link = cursor.value()?;
                    next = serde_json::from_str(link).map_err(|_| Unusual)?;
                } else if name == ERROR {
                    if decoder.demands.is_error(cursor.value()?) {
                        return Err(Unusual);
                    }
                } else {
                    cursor.skip()?;
                }
                more = cursor.another(b'}')?;
            }
            if !found {
                return Err(Unusual);
            }
        }
    }
    cursor.end()?;
    if rows.problem.is_some() {
        return Err(Unusual);
    }
    let row_count = rows.count;
    let rows = rows.finish().map_err(|_| Unusual)?;
    Ok(PageRead {
        rows,
        row_count,
        next,
    })
}

/// The next link of a page, where it is the last member of the page or the first: found without reading the page.
pub(super) fn next_link(name: &str, body: &[u8]) -> Option<String> {
    let key = format!("\"{name}\"");
    let last = || {
        let from = body.len().saturating_sub(LONGEST_LINK);
        let tail = &body[from..];
        let at = tail
            .windows(key.len())
            .rposition(|part| part == key.as_bytes())?;
        // A key, and not the end of a text: a quote within a text has a backslash before it.
        let before = tail[..at].trim_ascii_end().last()?;
        let link = (*before == b',').then(|| tail.get(at + key.len()..))??;
        let link = link.trim_ascii().strip_prefix(b":")?;
        // What is followed by nothing but the end of the page is a member of the page itself.
        link.strip_suffix(b"}").map(<[u8]>::trim_ascii)
    };
    let first = || {
        let text = body
            .trim_ascii_start()
            .strip_prefix(b"{")?
            .trim_ascii_start();
        let link = text.strip_prefix(key.as_bytes())?.trim_ascii_start();
        let link = link.strip_prefix(b":")?.trim_ascii_start();
        let end = link.get(1..)?.iter().position(|byte| *byte == b'"')?;
        link.get(..end + 2)
    };
    let text = first().or_else(last)?;
    serde_json::from_slice(text).ok()
}

fn items(cursor: &mut Cursor<'_>, wanted: &Wanted, rows: &mut Rows<'_>) -> Scanned<()> {
    let mut found = vec![None; wanted.rest.len() + 1];
    let mut more = cursor.begin(b'[', b']')?;
    while more {
        if wanted.fields.is_empty() {
            if cursor.peek()? != b'{' {
                return Err(Unusual);
            }
            cursor.skip()?;
        } else {
            found.fill(None);
            paths::object(cursor, &wanted.fields, Keys::Exact, &mut found)?;
        }
        rows.push(&found, |column| &wanted.rest[column]);
        more = cursor.another(b']')?;
    }
    Ok(())
}
