//! Row identity: takes the parameters of a resource out of a row's own id, and gives every scope one spelling in a
//! session, so that grouping and joining agree although services mix the case of names.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// The spellings that a session shows: the first that it saw of each name.
#[derive(Debug, Default)]
pub struct Spellings {
    seen: Mutex<HashMap<(String, String), Arc<str>>>,
}

impl Spellings {
    /// The spelling that was seen first, if the name was seen.
    pub fn known(&self, parameter: &str, value: &str) -> Option<Arc<str>> {
        let key = (
            restable_spec::names::fold(parameter),
            value.to_ascii_lowercase(),
        );
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.get(&key).map(Arc::clone)
    }

    /// The spelling of `value` as a value of the parameter named `parameter`.
    pub fn of(&self, parameter: &str, value: &str) -> Arc<str> {
        let key = (
            restable_spec::names::fold(parameter),
            value.to_ascii_lowercase(),
        );
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(seen.entry(key).or_insert_with(|| Arc::from(value)))
    }
}

/// The template of a resource's own id, for example
/// `/subscriptions/{subscriptionId}/resourceGroups/{resourceGroupName}/providers/P/vaults/{vaultName}`.
#[derive(Debug)]
pub struct Identity {
    segments: Vec<Segment>,
    parameters: Vec<String>,
    spellings: Arc<Spellings>,
}

#[derive(Debug)]
enum Segment {
    Fixed(String),
    Parameter(usize),
}

impl Identity {
    /// Reads a path template; `None` if it has no parameter.
    pub fn new(template: &str, spellings: Arc<Spellings>) -> Option<Identity> {
        let mut parameters = Vec::new();
        let segments = template
            .trim_matches('/')
            .split('/')
            .map(|segment| {
                match segment
                    .strip_prefix('{')
                    .and_then(|inner| inner.strip_suffix('}'))
                {
                    Some(name) => {
                        parameters.push(name.to_owned());
                        Segment::Parameter(parameters.len() - 1)
                    }
                    None => Segment::Fixed(segment.to_owned()),
                }
            })
            .collect();
        (!parameters.is_empty()).then_some(Identity {
            segments,
            parameters,
            spellings,
        })
    }

    /// The position of a parameter in the template.
    pub fn position(&self, parameter: &str) -> Option<usize> {
        self.parameters
            .iter()
            .position(|name| restable_spec::names::same(name, parameter))
    }

    /// The parts of an id, one for each parameter; `None` if the id is not of this form. Fixed segments compare
    /// without regard to ASCII case, since services mix `resourceGroups` and `resourcegroups`.
    pub fn parts<'i>(&self, id: &'i str) -> Option<Vec<&'i str>> {
        let mut parts = vec![""; self.parameters.len()];
        let id = id.strip_suffix('/').unwrap_or(id);
        let mut segments = id.strip_prefix('/')?.split('/');
        for expected in &self.segments {
            let found = segments.next()?;
            match expected {
                Segment::Fixed(name) if name.eq_ignore_ascii_case(found) => {}
                Segment::Fixed(_) => return None,
                Segment::Parameter(at) => parts[*at] = found,
            }
        }
        segments.next().is_none().then_some(parts)
    }

    /// Whether ids end with the name of the row itself.
    pub fn ends_in_name(&self) -> bool {
        matches!(self.segments.last(), Some(Segment::Parameter(_)))
    }

    /// Whether a part is the name of the row itself.
    pub fn is_name(&self, position: usize) -> bool {
        self.ends_in_name() && position + 1 == self.parameters.len()
    }

    /// The session's spelling of a part. The last parameter names the row itself, of which there may be millions: it is
    /// looked up among the scopes that were walked, and not remembered.
    pub fn spelling(&self, position: usize, value: &str) -> Arc<str> {
        let parameter = &self.parameters[position];
        if position + 1 == self.parameters.len() {
            self.spellings
                .known(parameter, value)
                .unwrap_or_else(|| Arc::from(value))
        } else {
            self.spellings.of(parameter, value)
        }
    }
}
