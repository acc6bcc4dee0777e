//! Pages of JSON to Arrow: reads the bytes of one page straight into column builders, in one pass, without a tree of
//! values for each row. Only the columns that are asked for are decoded; the rest of the text is skipped.
//!
//! It does not know how a page was fetched, and it never drops a value that it cannot convert: it says which item and
//! which path did not fit. Two readers do the work. The quick one takes pages as they nearly always are and builds nothing on its
//! way; whatever it does not take is read again by the careful one, which says what is wrong, if anything is.

mod careful;
mod demands;
mod paths;
mod quick;
mod rows;
mod scan;

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use bytes::Bytes;
use restable_http::{BodyError, PageRead};
use restable_spec::{Items, Kind, Response};

pub(crate) use self::demands::Demands;
pub(crate) use self::rows::text_of;
pub(crate) use self::scan::is_usual as is_usual_json;

use self::quick::Wanted;
use self::rows::Rows;
use crate::identity::Identity;
use crate::json::JsonPath;

/// Where the value of a column comes from.
#[derive(Debug, Clone, PartialEq)]
pub enum Source {
    /// A field of the row, by its name in the document.
    Field(String),
    /// What stands in a field of JSON under a path: the field's name, and the path.
    Path(String, Arc<JsonPath>),
    /// A part of the row's own id, by the position of the parameter in the id's template; the second value is what the
    /// call was made with, used where the id does not hold the part.
    Identity(usize, Option<Arc<str>>),
    /// A value that the call was made with, the same in each row.
    Constant(Option<Arc<str>>),
}

/// One column to decode.
#[derive(Debug, Clone)]
pub struct Column {
    /// Where its value comes from.
    pub source: Source,
    /// What the value is.
    pub kind: Kind,
}

/// Decodes the pages of one call.
#[derive(Debug, Clone)]
pub struct Decoder {
    schema: SchemaRef,
    columns: Vec<Column>,
    /// For each column, the bytes of text that it had on the last page: as much room is made on the next.
    room: Arc<[AtomicUsize]>,
    /// Whether the row's own id is read.
    needs_id: bool,
    /// Whether columns are parts of it.
    needs_parts: bool,
    demands: Demands,
    identity: Option<Arc<Identity>>,
    items: Items,
    next_link: Option<String>,
    flatten: bool,
    scalar_rows: bool,
    /// What the quick reader looks for; `None` where pages are of a form that it does not take.
    wanted: Option<Arc<Wanted>>,
}

impl Decoder {
    /// A decoder that makes batches of `schema`, whose columns are described by `columns`.
    pub fn new(
        schema: SchemaRef,
        columns: Vec<Column>,
        response: &Response,
        identity: Option<Arc<Identity>>,
    ) -> Decoder {
        let demands = Demands::of(response);
        Decoder::demanding(schema, columns, response, identity, demands)
    }

    /// A decoder that takes for an answer only what is as it is demanded to be.
    pub(crate) fn demanding(
        schema: SchemaRef,
        columns: Vec<Column>,
        response: &Response,
        identity: Option<Arc<Identity>>,
        demands: Demands,
    ) -> Decoder {
        let needs_parts = columns
            .iter()
            .any(|column| matches!(column.source, Source::Identity(..)));
        let needs_id = needs_parts || demands.look_at_id();
        let usual = !response.flatten && !response.scalar_rows && response.items != Items::One;
        let wanted = usual.then(|| Wanted::new(&columns, needs_id)).flatten();
        Decoder {
            schema,
            room: columns.iter().map(|_| AtomicUsize::new(0)).collect(),
            needs_id,
            needs_parts,
            demands,
            identity,
            items: response.items.clone(),
            next_link: response.next_link.clone(),
            flatten: response.flatten,
            scalar_rows: response.scalar_rows,
            wanted: wanted.map(Arc::new),
            columns,
        }
    }

    /// Reads one page. A body without the array that the document promises is an error, never an empty page.
    pub fn read(&self, body: &Bytes) -> Result<PageRead<RecordBatch>, BodyError> {
        let text = std::str::from_utf8(body).map_err(|error| {
            body_error(
                format!("the body is not UTF-8 after byte {}", error.valid_up_to()),
                "$",
            )
        })?;
        let quick = self.wanted.as_ref();
        let quick = quick.and_then(|wanted| quick::read(self, wanted, text).ok());
        let page = match quick {
            Some(page) => page,
            None => self.read_carefully(text)?,
        };
        if let Some(place) = self.demands.place() {
            place
                .turn(page.row_count, page.next.as_deref())
                .map_err(|message| body_error(message, "$"))?;
        }
        Ok(page)
    }

    /// The link to the page after this one, as far as it can be seen without reading the page. What the page says when it is read counts.
    pub fn next_link(&self, body: &Bytes) -> Option<String> {
        quick::next_link(self.next_link.as_deref()?, body)
    }

    /// Whether the quick reader takes this page.
    #[cfg(test)]
    pub(crate) fn is_quick(&self, body: &Bytes) -> bool {
        let text = std::str::from_utf8(body);
        let wanted = self.wanted.as_ref();
        text.is_ok_and(|text| wanted.is_some_and(|wanted| quick::read(self, wanted, text).is_ok()))
    }

    pub(crate) fn read_carefully(&self, text: &str) -> Result<PageRead<RecordBatch>, BodyError> {
        let mut rows = Rows::new(self, text.len());
        let mut next = None;
        let outcome = careful::read(self, text, &mut rows, &mut next);
        if let Some(problem) = rows.problem.take() {
            return Err(problem);
        }
        outcome.map_err(|error| BodyError {
            message: error.to_string(),
            path: "$".to_owned(),
            item: rows.within.then_some(rows.count),
        })?;
        let row_count = rows.count;
        Ok(PageRead {
            rows: rows.finish()?,
            row_count,
            next,
        })
    }
}

fn body_error(message: String, path: &str) -> BodyError {
    BodyError {
        message,
        path: path.to_owned(),
        item: None,
    }
}
