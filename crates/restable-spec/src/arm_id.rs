//! Parameters from the id of a resource: the segments of the id against those of a path. Fixed segments compare without
//! regard to case, as Azure compares them; names are taken as they are.
//! Refuses ids of another form, naming the form. Whether a name may be sent is checked when the call is bound.

use std::fmt;

use crate::error::{IdConflict, IdError};
use crate::method::Method;
use crate::names;
use crate::path::Segment;
use crate::resource::Resource;

/// The form of an id: the part of a method's path that ends in a parameter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdForm {
    segments: Vec<Segment>,
    /// The last parameter takes the whole id.
    spanning: bool,
}

impl IdForm {
    /// The parameters that an id gives values to, in path order.
    pub fn parameters(&self) -> impl Iterator<Item = &str> {
        self.segments.iter().filter_map(Segment::parameter)
    }

    /// The parameters of an id, each with its value.
    ///
    /// # Errors
    /// The id has another form.
    pub fn fill(&self, id: &str) -> Result<Vec<(String, String)>, IdError> {
        let wrong = |why: String| IdError::Form {
            id: id.to_owned(),
            form: self.to_string(),
            why,
        };
        let inner = id
            .strip_prefix('/')
            .ok_or_else(|| wrong(String::from("it does not start with `/`")))?;
        if let (true, Some(name)) = (self.spanning, self.parameters().next()) {
            return Ok(vec![(name.to_owned(), id.to_owned())]);
        }
        let parts: Vec<&str> = inner.split('/').collect();
        let mut filled = Vec::new();
        for (segment, part) in self.segments.iter().zip(&parts) {
            match (segment.parameter(), segment.literal()) {
                (Some(name), _) if part.is_empty() => {
                    return Err(wrong(format!("`{name}` is empty")));
                }
                (Some(name), _) => filled.push((name.to_owned(), (*part).to_owned())),
                (None, Some(text)) if text.eq_ignore_ascii_case(part) => {}
                (None, text) => {
                    let text = text.unwrap_or_default();
                    let part = part.escape_debug();
                    return Err(wrong(format!("`{part}` stands in the place of `{text}`")));
                }
            }
        }
        if parts.len() != self.segments.len() {
            let (has, needs) = (parts.len(), self.segments.len());
            return Err(wrong(format!("it has {has} parts, not {needs}")));
        }
        Ok(filled)
    }
}

impl fmt::Display for IdForm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for segment in &self.segments {
            match (segment.parameter(), segment.literal()) {
                (Some(name), _) => write!(f, "/{{{name}}}")?,
                (None, text) => write!(f, "/{}", text.unwrap_or_default())?,
            }
        }
        Ok(())
    }
}

impl Method {
    /// The parameters of an id, whichever part of the path it is the id of: a vault's id gives three parameters, an
    /// instance's four.
    ///
    /// # Errors
    /// No part of the path has the form of the id; the longest form is named.
    pub fn fill_from_id(&self, id: &str) -> Result<Vec<(String, String)>, IdError> {
        let forms = self.id_forms();
        let Some(longest) = forms.last() else {
            return Err(IdError::None {
                method: self.full_name(),
            });
        };
        let parts = id.split('/').skip(1).count();
        let fitting = forms
            .iter()
            .find(|form| form.spanning || form.segments.len() == parts);
        fitting.unwrap_or(longest).fill(id)
    }

    /// The form of the id that an argument of this name takes. `id` is the id of the resource that the method is of, or of
    /// the nearest thing in its path; `vault_id` is the id that ends in `vaultName`. `None` if the name is no such
    /// argument, or is a parameter of the method itself.
    #[must_use]
    pub fn id_form(&self, resource: &Resource, name: &str) -> Option<IdForm> {
        if self.parameter(name).is_some() {
            return None;
        }
        let mut forms = self.id_forms();
        let wanted = names::fold(name);
        if wanted == "id" {
            let is_key =
                |parameter: &str| resource.key.iter().any(|key| names::same(key, parameter));
            let own = forms.iter().rposition(|form| form.parameters().all(is_key));
            let at = own.or_else(|| forms.len().checked_sub(1))?;
            return Some(forms.swap_remove(at));
        }
        let wanted = wanted.strip_suffix("id")?;
        let ends_there = |form: &IdForm| {
            form.parameters().last().is_some_and(|last| {
                let last = names::fold(last);
                let stem = last
                    .strip_suffix("name")
                    .or_else(|| last.strip_suffix("id"));
                stem.unwrap_or(&last) == wanted
            })
        };
        let at = forms.iter().position(ends_there)?;
        Some(forms.swap_remove(at))
    }

    /// The forms of ids in the path, from the shortest to the longest.
    fn id_forms(&self) -> Vec<IdForm> {
        let segments = self.path.segments();
        let mut forms = Vec::new();
        for (at, segment) in segments.iter().enumerate() {
            let spans = segment
                .parameter()
                .and_then(|name| self.parameter(name))
                .is_some_and(|parameter| parameter.spans_segments);
            let simple = segment.parameter().is_some() || segment.literal().is_some();
            // What follows a parameter of several segments cannot be told by counting.
            if !simple || spans && at > 0 {
                break;
            }
            if segment.parameter().is_some() {
                forms.push(IdForm {
                    segments: segments[..=at].to_vec(),
                    spanning: spans,
                });
            }
            if spans {
                break;
            }
        }
        forms
    }
}

/// The first parameter that an id gives one value and the statement another. Names compare in any spelling, values without
/// regard to ASCII case.
#[must_use]
pub fn id_conflict(
    filled: &[(String, String)],
    written: &[(String, String)],
) -> Option<IdConflict> {
    filled.iter().find_map(|(name, in_id)| {
        let (_, other) = written.iter().find(|(other, value)| {
            names::same(other, name) && !value.eq_ignore_ascii_case(in_id)
        })?;
        Some(IdConflict {
            parameter: name.clone(),
            in_id: in_id.clone(),
            written: other.clone(),
        })
    })
}
