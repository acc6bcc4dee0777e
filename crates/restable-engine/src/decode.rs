//! Pages of JSON to Arrow: reads the bytes of one page straight into column builders, in one pass, without a tree of
//! values for each row. Only the columns that are asked for are decoded; the rest of the text is skipped.
//!
//! It does not know how a page was fetched, and it never drops a value that it cannot convert: it says which item and
//! which path did not fit.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use arrow::array::{
    Array as _, ArrayRef, BooleanBuilder, Float64Builder, Int64Builder, RecordBatch,
    RecordBatchOptions, StringBuilder,
};
use arrow::datatypes::SchemaRef;
use bytes::Bytes;
use restable_http::{BodyError, PageRead};
use restable_spec::{Items, Kind, Response};
use serde::de::{
    DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor,
};
use serde_json::value::RawValue;

use crate::identity::Identity;

/// Where the value of a column comes from.
#[derive(Debug, Clone, PartialEq)]
pub enum Source {
    /// A field of the row, by its name in the document.
    Field(String),
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
    /// Names of the fields to capture, in slots.
    slots: Vec<String>,
    /// For each column that is a field, its slot.
    slot_of: Vec<Option<usize>>,
    id_slot: Option<usize>,
    identity: Option<Arc<Identity>>,
    items: Items,
    next_link: Option<String>,
    flatten: bool,
    scalar_rows: bool,
}

impl Decoder {
    /// A decoder that makes batches of `schema`, whose columns are described by `columns`.
    pub fn new(
        schema: SchemaRef,
        columns: Vec<Column>,
        response: &Response,
        identity: Option<Arc<Identity>>,
    ) -> Decoder {
        let mut slots: Vec<String> = Vec::new();
        let mut slot = |name: &str| match slots.iter().position(|known| known == name) {
            Some(at) => at,
            None => {
                slots.push(name.to_owned());
                slots.len() - 1
            }
        };
        let slot_of = columns
            .iter()
            .map(|column| match &column.source {
                Source::Field(name) => Some(slot(name)),
                _ => None,
            })
            .collect();
        let needs_id = columns
            .iter()
            .any(|column| matches!(column.source, Source::Identity(..)));
        let id_slot = needs_id.then(|| slot("id"));
        Decoder {
            schema,
            columns,
            slots,
            slot_of,
            id_slot,
            identity,
            items: response.items.clone(),
            next_link: response.next_link.clone(),
            flatten: response.flatten,
            scalar_rows: response.scalar_rows,
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
        let mut rows = Rows::new(self, text.len());
        let mut next = None;
        let mut reader = serde_json::Deserializer::from_str(text);
        let outcome = match &self.items {
            Items::One => RowSeed { rows: &mut rows }.deserialize(&mut reader),
            Items::Array => ItemsSeed {
                rows: &mut rows,
                key: "",
            }
            .deserialize(&mut reader)
            .map(|_| ()),
            Items::At(key) => PageSeed {
                rows: &mut rows,
                key,
                next_link: self.next_link.as_deref(),
                next: &mut next,
            }
            .deserialize(&mut reader),
        };
        let outcome = outcome.and_then(|()| reader.end());
        if let Some(problem) = rows.problem.take() {
            return Err(problem);
        }
        outcome.map_err(|error| {
            let message = format!("{error}");
            BodyError {
                message,
                path: "$".to_owned(),
                item: rows.within.then_some(rows.count),
            }
        })?;
        let row_count = rows.count;
        let rows = rows.finish()?;
        Ok(PageRead {
            rows,
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

enum Builder {
    Text(StringBuilder),
    Json(StringBuilder),
    Integer(Int64Builder),
    Number(Float64Builder),
    Boolean(BooleanBuilder),
}

/// The rows of one page while they are read.
struct Rows<'d> {
    decoder: &'d Decoder,
    builders: Vec<Builder>,
    count: usize,
    /// For each part of an id, the last text and its spelling: on a page most rows have the same.
    spelled: Vec<Option<(String, Arc<str>)>>,
    /// Whether an item is being read.
    within: bool,
    problem: Option<BodyError>,
}

impl<'d> Rows<'d> {
    fn new(decoder: &'d Decoder, bytes: usize) -> Rows<'d> {
        let rows = (bytes / 1024).max(1);
        let builders = decoder
            .columns
            .iter()
            .map(|column| match column.kind {
                Kind::Text => Builder::Text(StringBuilder::with_capacity(rows, rows * 32)),
                Kind::Json => Builder::Json(StringBuilder::with_capacity(rows, bytes)),
                Kind::Integer => Builder::Integer(Int64Builder::with_capacity(rows)),
                Kind::Number => Builder::Number(Float64Builder::with_capacity(rows)),
                Kind::Boolean => Builder::Boolean(BooleanBuilder::with_capacity(rows)),
            })
            .collect();
        Rows {
            decoder,
            builders,
            count: 0,
            spelled: Vec::new(),
            within: false,
            problem: None,
        }
    }

    /// Adds the row whose captured fields stand in `slots`.
    fn push(&mut self, slots: &[Option<&RawValue>]) {
        let decoder = self.decoder;
        let id = decoder
            .id_slot
            .and_then(|slot| slots[slot])
            .and_then(|raw| text_of(raw.get()));
        let parts = match (&decoder.identity, &id) {
            (Some(identity), Some(id)) => identity.parts(id),
            _ => None,
        };
        for (at, column) in decoder.columns.iter().enumerate() {
            let appended = match &column.source {
                Source::Field(_) => {
                    let raw = decoder.slot_of[at].and_then(|slot| slots[slot]);
                    append(&mut self.builders[at], raw.map(RawValue::get))
                }
                Source::Identity(part, fallback) => {
                    let found = parts.as_ref().and_then(|parts| parts.get(*part)).copied();
                    match (&decoder.identity, found) {
                        (Some(identity), Some(found)) => {
                            let spelling = spell(&mut self.spelled, identity, *part, found);
                            append_text(&mut self.builders[at], Some(spelling));
                        }
                        _ => append_text(&mut self.builders[at], fallback.as_deref()),
                    }
                    Ok(())
                }
                Source::Constant(value) => {
                    append_text(&mut self.builders[at], value.as_deref());
                    Ok(())
                }
            };
            if let Err(message) = appended
                && self.problem.is_none()
            {
                let name = match &column.source {
                    Source::Field(name) => name.as_str(),
                    _ => "id",
                };
                self.problem = Some(BodyError {
                    message,
                    path: format!("$.{name}"),
                    item: Some(self.count),
                });
            }
        }
        self.count += 1;
        self.within = false;
    }

    fn finish(self) -> Result<RecordBatch, BodyError> {
        let arrays = self
            .builders
            .into_iter()
            .map(|builder| -> ArrayRef {
                match builder {
                    Builder::Text(mut builder) | Builder::Json(mut builder) => {
                        let mut texts = builder.finish();
                        // There was room for the whole page in each, and dozens of pages may wait.
                        texts.shrink_to_fit();
                        Arc::new(texts)
                    }
                    Builder::Integer(mut builder) => Arc::new(builder.finish()),
                    Builder::Number(mut builder) => Arc::new(builder.finish()),
                    Builder::Boolean(mut builder) => Arc::new(builder.finish()),
                }
            })
            .collect();
        let options = RecordBatchOptions::new().with_row_count(Some(self.count));
        RecordBatch::try_new_with_options(Arc::clone(&self.decoder.schema), arrays, &options)
            .map_err(|error| body_error(error.to_string(), "$"))
    }
}

/// The session's spelling of a part of an id.
fn spell<'s>(
    spelled: &'s mut Vec<Option<(String, Arc<str>)>>,
    identity: &Identity,
    part: usize,
    found: &str,
) -> &'s str {
    if spelled.len() <= part {
        spelled.resize(part + 1, None);
    }
    let last = &mut spelled[part];
    if last.as_ref().is_none_or(|(text, _)| text != found) {
        *last = Some((found.to_owned(), identity.spelling(part, found)));
    }
    last.as_ref().map_or("", |(_, spelling)| spelling)
}

/// The text of a JSON string, without copying where it has no escapes; `None` for any other JSON value.
pub(crate) fn text_of(raw: &str) -> Option<Cow<'_, str>> {
    let inner = raw.strip_prefix('"')?.strip_suffix('"')?;
    if inner.contains('\\') {
        serde_json::from_str::<String>(raw).ok().map(Cow::Owned)
    } else {
        Some(Cow::Borrowed(inner))
    }
}

fn append_text(builder: &mut Builder, value: Option<&str>) {
    match builder {
        Builder::Text(builder) | Builder::Json(builder) => builder.append_option(value),
        Builder::Integer(builder) => {
            builder.append_option(value.and_then(|value| value.parse().ok()))
        }
        Builder::Number(builder) => {
            builder.append_option(value.and_then(|value| value.parse().ok()))
        }
        Builder::Boolean(builder) => {
            builder.append_option(value.and_then(|value| value.parse().ok()))
        }
    }
}

/// Appends one JSON value. A text column takes any scalar (a number keeps its digits), so that a service that changes
/// a type loses nothing; a typed column refuses what it cannot hold exactly.
fn append(builder: &mut Builder, raw: Option<&str>) -> Result<(), String> {
    let raw = raw.filter(|raw| *raw != "null");
    match builder {
        Builder::Json(builder) => builder.append_option(raw),
        Builder::Text(builder) => match raw {
            None => builder.append_null(),
            Some(raw) => match text_of(raw) {
                Some(text) => builder.append_value(text),
                None if raw.starts_with('"') => {
                    return Err(format!("the string {} is not valid", shortened(raw)));
                }
                None => builder.append_value(raw),
            },
        },
        Builder::Integer(builder) => match raw {
            None => builder.append_null(),
            Some(raw) => {
                let text = text_of(raw).unwrap_or(Cow::Borrowed(raw));
                match text.parse::<i64>().ok().or_else(|| whole(&text)) {
                    Some(value) => builder.append_value(value),
                    None => {
                        builder.append_null();
                        return Err(format!("{} is no 64-bit integer", shortened(raw)));
                    }
                }
            }
        },
        Builder::Number(builder) => match raw {
            None => builder.append_null(),
            Some(raw) => match text_of(raw).unwrap_or(Cow::Borrowed(raw)).parse::<f64>() {
                Ok(value) if value.is_finite() => builder.append_value(value),
                _ => {
                    builder.append_null();
                    return Err(format!("{} is no number", shortened(raw)));
                }
            },
        },
        Builder::Boolean(builder) => match raw {
            None => builder.append_null(),
            Some(raw) => match &*text_of(raw)
                .unwrap_or(Cow::Borrowed(raw))
                .to_ascii_lowercase()
            {
                "true" => builder.append_value(true),
                "false" => builder.append_value(false),
                _ => {
                    builder.append_null();
                    return Err(format!("{} is no boolean", shortened(raw)));
                }
            },
        },
    }
    Ok(())
}

/// `14.0` is the integer 14 on the wire of some services.
fn whole(text: &str) -> Option<i64> {
    let number = text.parse::<f64>().ok()?;
    #[expect(
        clippy::cast_possible_truncation,
        reason = "checked to be whole and exactly representable"
    )]
    (number.fract() == 0.0 && number.abs() < 9_007_199_254_740_992.0).then_some(number as i64)
}

fn shortened(raw: &str) -> String {
    let mut text: String = raw.chars().take(60).collect();
    if text.len() < raw.len() {
        text.push('…');
    }
    format!("`{}`", text.escape_debug())
}

struct PageSeed<'r, 'd> {
    rows: &'r mut Rows<'d>,
    key: &'r str,
    next_link: Option<&'r str>,
    next: &'r mut Option<String>,
}

impl<'de> DeserializeSeed<'de> for PageSeed<'_, '_> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for PageSeed<'_, '_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "an object with the array `{}`", self.key)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut found = false;
        let mut error: Option<String> = None;
        while let Some(key) = map.next_key::<Cow<'de, str>>()? {
            if key == self.key {
                found = map.next_value_seed(ItemsSeed {
                    rows: &mut *self.rows,
                    key: self.key,
                })?;
            } else if Some(&*key) == self.next_link {
                *self.next = map.next_value::<Option<String>>()?;
            } else if key == "error" {
                error = Some(map.next_value::<&RawValue>()?.get().to_owned());
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        if found {
            return Ok(());
        }
        Err(match error {
            Some(error) => A::Error::custom(format!(
                "the answer has no `{}` but an error: {error}",
                self.key
            )),
            None => A::Error::custom(format!("the answer has no array `{}`", self.key)),
        })
    }
}

/// Reads the array of items.
struct ItemsSeed<'r, 'd> {
    rows: &'r mut Rows<'d>,
    key: &'r str,
}

impl<'de> DeserializeSeed<'de> for ItemsSeed<'_, '_> {
    type Value = bool;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<bool, D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for ItemsSeed<'_, '_> {
    type Value = bool;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.key.is_empty() {
            return formatter.write_str("an array of items");
        }
        write!(formatter, "an array of items in `{}`", self.key)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<bool, A::Error> {
        while items
            .next_element_seed(RowSeed {
                rows: &mut *self.rows,
            })?
            .is_some()
        {}
        Ok(true)
    }
}

struct RowSeed<'r, 'd> {
    rows: &'r mut Rows<'d>,
}

impl<'de> DeserializeSeed<'de> for RowSeed<'_, '_> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        self.rows.within = true;
        if self.rows.decoder.scalar_rows {
            let raw = <&'de RawValue as serde::Deserialize>::deserialize(deserializer)?;
            let slots: Vec<Option<&RawValue>> = self
                .rows
                .decoder
                .slots
                .iter()
                .map(|name| (name == "value").then_some(raw))
                .collect();
            self.rows.push(&slots);
            return Ok(());
        }
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for RowSeed<'_, '_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an item that is an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let decoder = self.rows.decoder;
        let mut slots: Vec<Option<&'de RawValue>> = vec![None; decoder.slots.len()];
        let mut properties: Option<&'de RawValue> = None;
        while let Some(key) = map.next_key::<Cow<'de, str>>()? {
            let slot = decoder.slots.iter().position(|name| *name == key);
            if decoder.flatten && key == "properties" {
                properties = Some(map.next_value()?);
            } else if let Some(slot) = slot {
                slots[slot] = Some(map.next_value()?);
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        if let Some(properties) = properties.filter(|raw| raw.get().starts_with('{')) {
            let inner = Fields {
                names: &decoder.slots,
            };
            let found = serde_json::Deserializer::from_str(properties.get())
                .deserialize_map(inner)
                .map_err(A::Error::custom)?;
            for (slot, value) in slots.iter_mut().zip(found) {
                // The row's own field wins over one of the same name in `properties`.
                *slot = slot.or(value);
            }
        }
        self.rows.push(&slots);
        Ok(())
    }
}

/// Captures the named fields of one object.
struct Fields<'n> {
    names: &'n [String],
}

impl<'de> Visitor<'de> for Fields<'_> {
    type Value = Vec<Option<&'de RawValue>>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut slots = vec![None; self.names.len()];
        while let Some(key) = map.next_key::<Cow<'de, str>>()? {
            match self.names.iter().position(|name| *name == key) {
                Some(slot) => slots[slot] = Some(map.next_value()?),
                None => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(slots)
    }
}
