//! The rows of one page while they are read: one column builder each, and what did not fit.

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use arrow::array::{
    ArrayRef, BooleanBuilder, Float64Builder, Int64Builder, RecordBatch, RecordBatchOptions,
    StringBuilder,
};
use restable_http::BodyError;
use restable_spec::Kind;

use super::{Decoder, Source, body_error};
use crate::identity::Identity;
use crate::json::{self, Form, Step};

/// Room is made for as much text as the last page had, and a part more; of the first page this is not known.
const FIRST_ROOM: usize = 16 << 10;

enum Builder {
    Text(StringBuilder),
    Json(StringBuilder),
    Integer(Int64Builder),
    Number(Float64Builder),
    Boolean(BooleanBuilder),
}

/// What is known of the parts of a row's id.
enum Parts<'i> {
    /// It is not of the form that ids have here.
    None,
    /// Each part.
    Read(Vec<&'i str>),
    /// They are those of the row before, but for its own name.
    Known(&'i str),
}

/// The rows of one page while they are read.
pub(super) struct Rows<'d> {
    decoder: &'d Decoder,
    builders: Vec<Builder>,
    pub count: usize,
    /// For each part of an id, the last text and its spelling: on a page most rows have the same.
    spelled: Vec<Option<(String, Arc<str>)>>,
    /// How the last row's id began, up to the name of the row itself: the parts of an id that begins so are spelled already.
    scope: String,
    /// How the ids begin that are known to be of the scope that was asked.
    place: String,
    /// Whether an item is being read.
    pub within: bool,
    pub problem: Option<BodyError>,
}

impl<'d> Rows<'d> {
    pub fn new(decoder: &'d Decoder, bytes: usize) -> Rows<'d> {
        let rows = (bytes / 1024).max(1);
        let builders = decoder
            .columns
            .iter()
            .zip(&*decoder.room)
            .map(|(column, room)| {
                let room = match room.load(Ordering::Relaxed) {
                    0 => FIRST_ROOM.min(bytes),
                    last => last + last / 16,
                };
                match column.kind {
                    Kind::Text => Builder::Text(StringBuilder::with_capacity(rows, room)),
                    Kind::Json => Builder::Json(StringBuilder::with_capacity(rows, room)),
                    Kind::Integer => Builder::Integer(Int64Builder::with_capacity(rows)),
                    Kind::Number => Builder::Number(Float64Builder::with_capacity(rows)),
                    Kind::Boolean => Builder::Boolean(BooleanBuilder::with_capacity(rows)),
                }
            });
        Rows {
            decoder,
            builders: builders.collect(),
            count: 0,
            spelled: Vec::new(),
            scope: String::new(),
            place: String::new(),
            within: false,
            problem: None,
        }
    }

    /// Adds a row. `found` has the JSON text that was found for each column, and behind them that of the row's own id; `rest` is what is
    /// still to be found in it.
    pub fn push<'r>(&mut self, found: &[Option<&str>], rest: impl Fn(usize) -> &'r [Step]) {
        let decoder = self.decoder;
        let id = found.last().copied().flatten().and_then(text_of);
        let parts = match (&decoder.identity, &id) {
            (Some(identity), Some(id)) if decoder.needs_parts => self.parts(identity, id),
            _ => Parts::None,
        };
        if let Err(message) = self.belongs(id.as_deref())
            && self.problem.is_none()
        {
            self.problem = Some(BodyError {
                message,
                path: "$.id".to_owned(),
                item: Some(self.count),
            });
        }
        for (at, column) in decoder.columns.iter().enumerate() {
            let builder = &mut self.builders[at];
            let appended = match &column.source {
                Source::Field(_) => append(builder, found[at]),
                Source::Path(_, path) => {
                    append_path(builder, found[at], rest(at), path.form);
                    Ok(())
                }
                Source::Identity(part, fallback) => {
                    let spelling = match (&decoder.identity, &parts) {
                        (Some(identity), Parts::Read(parts)) => {
                            let own = parts.get(*part).copied();
                            own.map(|own| spell(&mut self.spelled, identity, *part, own))
                        }
                        (Some(identity), Parts::Known(name)) => match identity.is_name(*part) {
                            true => Some(spell(&mut self.spelled, identity, *part, name)),
                            false => known(&self.spelled, *part),
                        },
                        _ => None,
                    };
                    append_text(builder, spelling.or(fallback.as_deref()));
                    Ok(())
                }
                Source::Constant(value) => {
                    append_text(builder, value.as_deref());
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

    /// The parts of a row's id.
    fn parts<'i>(&mut self, identity: &Identity, id: &'i str) -> Parts<'i> {
        if !self.scope.is_empty()
            && let Some(name) = id.strip_prefix(self.scope.as_str())
            && !name.is_empty()
            && memchr::memchr(b'/', name.as_bytes()).is_none()
        {
            return Parts::Known(name);
        }
        self.scope.clear();
        match identity.parts(id) {
            None => Parts::None,
            Some(parts) => {
                if identity.ends_in_name()
                    && let Some(at) = id.rfind('/').filter(|at| at + 1 < id.len())
                {
                    self.scope.push_str(&id[..=at]);
                }
                Parts::Read(parts)
            }
        }
    }

    /// Whether a row is of the scope that was asked.
    fn belongs(&mut self, id: Option<&str>) -> Result<(), String> {
        let Some(place) = self.decoder.demands.place() else {
            return Ok(());
        };
        let known = self.place.as_str();
        if !known.is_empty() && !place.is_apart() && id.is_some_and(|id| id.starts_with(known)) {
            return Ok(());
        }
        let said = place.check(id)?;
        self.place.clear();
        self.place
            .push_str(id.and_then(|id| id.get(..said)).unwrap_or_default());
        Ok(())
    }

    pub fn finish(self) -> Result<RecordBatch, BodyError> {
        let room = &self.decoder.room;
        let arrays = self
            .builders
            .into_iter()
            .zip(&**room)
            .map(|(builder, room)| -> ArrayRef {
                match builder {
                    Builder::Text(mut builder) | Builder::Json(mut builder) => {
                        room.store(builder.values_slice().len(), Ordering::Relaxed);
                        Arc::new(builder.finish())
                    }
                    Builder::Integer(mut builder) => Arc::new(builder.finish()),
                    Builder::Number(mut builder) => Arc::new(builder.finish()),
                    Builder::Boolean(mut builder) => Arc::new(builder.finish()),
                }
            });
        let options = RecordBatchOptions::new().with_row_count(Some(self.count));
        let schema = Arc::clone(&self.decoder.schema);
        RecordBatch::try_new_with_options(schema, arrays.collect(), &options)
            .map_err(|error| body_error(error.to_string(), "$"))
    }
}

/// Appends what stands under a path, as the SQL functions over JSON text give it.
fn append_path(builder: &mut Builder, raw: Option<&str>, rest: &[Step], form: Form) {
    let found = match raw {
        Some(raw) if rest.is_empty() => Some(Cow::Borrowed(raw)),
        Some(raw) => json::find(raw, rest),
        None => None,
    };
    let text = match (form, &found) {
        (_, None) => None,
        (Form::Json, Some(found)) => Some(Cow::Borrowed(&**found)),
        (Form::Text, Some(found)) => json::text(found),
    };
    append_text(builder, text.as_deref());
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

/// The spelling of a part that the row before had too.
fn known(spelled: &[Option<(String, Arc<str>)>], part: usize) -> Option<&str> {
    let spelled = spelled.get(part)?.as_ref();
    spelled.map(|(_, spelling)| &**spelling)
}

/// The text of a JSON string, without copying where it has no escapes; `None` for any other JSON value.
pub(crate) fn text_of(raw: &str) -> Option<Cow<'_, str>> {
    let inner = raw.strip_prefix('"')?.strip_suffix('"')?;
    if memchr::memchr(b'\\', inner.as_bytes()).is_some() {
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
