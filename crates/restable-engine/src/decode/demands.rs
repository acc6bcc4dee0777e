//! What an answer has to be so that it is taken for one, whatever its status says: no error in disguise, no row that is none, and no row from
//! outside of the scope that was asked. It reads nothing itself.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use restable_spec::names::fold;
use restable_spec::{Items, Method, Resource, Response, Schemas, Segment};

use crate::acting::decoded;
use crate::walk::Scope;

/// The attribute in which services tell of an error.
pub(super) const ERROR: &str = "error";

/// What is demanded of the answers to a call.
#[derive(Debug, Clone, Default)]
pub(crate) struct Demands {
    /// The document has an attribute `error` where errors are told: then it is data.
    error_is_data: bool,
    /// The fields of which the one row of an answer has at least one; empty: nothing is demanded.
    fields: Arc<[String]>,
    /// The one row of an answer has an id.
    needs_id: bool,
    place: Option<Place>,
}

impl Demands {
    /// What any answer of this form has to be.
    pub(crate) fn of(response: &Response) -> Demands {
        let is_one = response.items == Items::One;
        let has = |name: &str| response.fields.iter().any(|field| field.name == name);
        let fields = response.fields.iter().map(|field| field.name.clone());
        Demands {
            error_is_data: is_one && has(ERROR),
            fields: fields.filter(|_| is_one).collect(),
            needs_id: false,
            place: None,
        }
    }

    /// What the answers of a method have to be.
    pub(crate) fn of_method(
        resource: &Resource,
        method: &Method,
        schemas: Option<&Schemas>,
    ) -> Demands {
        let response = &method.response;
        let mut demands = Demands::of(response);
        let has = |name: &str| response.fields.iter().any(|field| field.name == name);
        let described = schemas.zip(response.schema.as_ref());
        demands.error_is_data |= described.is_some_and(|(schemas, schema)| {
            let effective = schemas.effective_properties(schema, None);
            effective.properties.contains_key(ERROR)
        });
        let reader = resource.one_row_reader();
        let segments = reader.map(|reader| reader.path.segments());
        // The ids of Azure Resource Manager are paths; what others call an id may be anything.
        let is_arm = |segments: &&[Segment]| {
            let first = segments.first().and_then(Segment::literal);
            first.is_some_and(|first| {
                first.eq_ignore_ascii_case("subscriptions")
                    || first.eq_ignore_ascii_case("providers")
            })
        };
        if let Some(segments) = segments.filter(is_arm)
            && has("id")
        {
            demands.needs_id = response.items == Items::One && has("name") && has("type");
            demands.place = Some(Place::new(segments));
        }
        demands
    }

    /// The same of a call with these values, at this path.
    pub(crate) fn at(&self, method: &Method, scope: &Scope, path: &str) -> Demands {
        let taken: Vec<String> = method.path.parameters().map(fold).collect();
        let asked = |name: &str| {
            let value = scope.get(name);
            value.filter(|_| taken.iter().any(|it| it == name))
        };
        Demands {
            error_is_data: self.error_is_data,
            fields: Arc::clone(&self.fields),
            needs_id: self.needs_id,
            place: self.place.as_ref().map(|place| place.at(asked, path)),
        }
    }

    /// Whether the row's own id is looked at.
    pub(super) fn look_at_id(&self) -> bool {
        self.needs_id || self.place.is_some()
    }

    pub(super) fn place(&self) -> Option<&Place> {
        self.place.as_ref()
    }

    /// Whether the member `error` of an answer tells of one.
    pub(super) fn is_error(&self, raw: &str) -> bool {
        !self.error_is_data && !matches!(raw, "null" | "false" | "\"\"" | "[]")
    }

    /// Whether a member shows that the answer is the row.
    pub(super) fn shows_row(&self, key: &str) -> bool {
        self.fields.is_empty() || self.fields.iter().any(|field| field == key)
    }

    /// What is wrong with the one row of an answer, if anything is.
    pub(super) fn wrong_row(
        &self,
        error: Option<&str>,
        shown: Shown,
        id: Option<&str>,
    ) -> Option<String> {
        if let Some(error) = error.filter(|error| self.is_error(error)) {
            return Some(format!("the answer is no row but an error: {error}"));
        }
        if shown == Shown::Nothing && !self.fields.is_empty() {
            return Some("the answer is no row: it has none of the fields of one".to_owned());
        }
        let has_id = id.is_some_and(|id| id.starts_with('"') && id.len() > 2);
        (self.needs_id && !has_id).then(|| "the answer is no row: it has no `id`".to_owned())
    }
}

/// What an answer showed of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shown {
    /// No field of one.
    Nothing,
    /// A field at least.
    Field,
}

/// The scope that was asked, as ids of its rows name it.
#[derive(Debug)]
pub(super) struct Place {
    segments: Arc<[Part]>,
    /// The path that was asked, folded.
    path: Arc<str>,
    /// The page to be read is behind a link to another path: each of its rows has to show that it belongs here.
    apart: AtomicBool,
}

#[derive(Debug, Clone)]
enum Part {
    Fixed(String),
    /// A name, and which one was asked for, folded.
    Name(String, Option<String>),
}

impl Clone for Place {
    /// The same for another who reads the pages from the first on.
    fn clone(&self) -> Place {
        Place {
            segments: Arc::clone(&self.segments),
            path: Arc::clone(&self.path),
            apart: AtomicBool::new(false),
        }
    }
}

impl Place {
    fn new(segments: &[Segment]) -> Place {
        let part = |segment: &Segment| match (segment.parameter(), segment.literal()) {
            (Some(name), _) => Part::Name(name.to_owned(), None),
            (None, text) => Part::Fixed(text.unwrap_or_default().to_owned()),
        };
        Place {
            segments: segments.iter().map(part).collect(),
            path: Arc::default(),
            apart: AtomicBool::new(false),
        }
    }

    fn at<'s>(&self, asked: impl Fn(&str) -> Option<&'s Arc<str>>, path: &str) -> Place {
        let last = self.segments.len().saturating_sub(1);
        let parts = self.segments.iter().enumerate();
        let parts = parts.map(|(at, part)| match part {
            // The last one names the row itself, which a service may know by several names.
            Part::Name(name, _) if at < last => {
                Part::Name(name.clone(), asked(&fold(name)).map(|value| spelled(value)))
            }
            other => other.clone(),
        });
        Place {
            segments: parts.collect(),
            path: Arc::from(folded_path(path)),
            apart: AtomicBool::new(false),
        }
    }

    /// Whether each row has to show where it is.
    pub(super) fn is_apart(&self) -> bool {
        self.apart.load(Ordering::Relaxed)
    }

    /// Whether a row with this id may be of this place; how many bytes of the id say where it is, if it is of the form that ids have here.
    pub(super) fn check(&self, id: Option<&str>) -> Result<usize, String> {
        let other = |id: &str| match self.is_apart() {
            true => Err(format!(
                "a page behind a link to another list has the row `{}`, which is no row of this one",
                id.escape_debug()
            )),
            false => Ok(0),
        };
        let Some(inner) = id.and_then(|id| id.strip_prefix('/')) else {
            return other(id.unwrap_or_default());
        };
        let (id, mut at, mut said) = (id.unwrap_or_default(), 1, 0);
        let mut parts = inner.strip_suffix('/').unwrap_or(inner).split('/');
        for segment in self.segments.iter() {
            let Some(part) = parts.next() else {
                return other(id);
            };
            at += part.len() + 1;
            match segment {
                Part::Fixed(text) if text.eq_ignore_ascii_case(part) => {}
                Part::Fixed(_) => return other(id),
                Part::Name(_, None) => {}
                Part::Name(name, Some(asked)) => {
                    if !part.eq_ignore_ascii_case(asked) && spelled(part) != *asked {
                        return Err(format!(
                            "the row `{}` is not of the `{name}` `{}` that was asked for",
                            id.escape_debug(),
                            asked.escape_debug()
                        ));
                    }
                    said = at;
                }
            }
        }
        match parts.next() {
            Some(_) => other(id),
            None => Ok(said.min(id.len())),
        }
    }

    /// After a page with so many rows and this link to the next one.
    pub(super) fn turn(&self, rows: usize, next: Option<&str>) -> Result<(), String> {
        let next = next.filter(|next| !next.trim().is_empty());
        let leads_away = next.is_some_and(|next| !self.is_same_list(next));
        if self.apart.swap(leads_away, Ordering::Relaxed) && rows == 0 {
            return Err("a page behind a link to another list has no row that shows that it belongs to this one".to_owned());
        }
        Ok(())
    }

    fn is_same_list(&self, link: &str) -> bool {
        let link = link.trim();
        let path = match link.split_once("://") {
            Some((_, behind)) => behind.find('/').map_or("", |at| &behind[at..]),
            None => link,
        };
        let path = folded_path(path.split(['?', '#']).next().unwrap_or_default());
        path.is_empty() || path.ends_with(&*self.path)
    }
}

/// A name as it is compared: Azure takes `West Europe` for `westeurope`.
fn spelled(name: &str) -> String {
    decoded(name).to_lowercase().replace(' ', "")
}

fn folded_path(path: &str) -> String {
    let path = decoded(path).to_lowercase();
    path.trim_end_matches('/').to_owned()
}
