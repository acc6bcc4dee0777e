//! Path templates: `/subscriptions/{subscriptionId}/resourceGroups/{resourceGroupName}` as segments.
//! Refuses braces that do not close, empty names and paths that do not start with `/`.

use std::fmt;

/// A path with named holes. Substitution works on its segments, never on its text, so that a value cannot be
/// substituted twice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PathTemplate {
    segments: Vec<Segment>,
}

/// What stands between two slashes. Nearly always one part; `{base}...{head}` has three.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segment {
    /// The parts, in order.
    pub parts: Vec<Part>,
}

/// A piece of a segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// Text that is sent as it stands.
    Literal(String),
    /// The name of a parameter.
    Parameter(String),
}

impl Segment {
    /// The text, if the segment is nothing but text.
    #[must_use]
    pub fn literal(&self) -> Option<&str> {
        match self.parts.as_slice() {
            [Part::Literal(text)] => Some(text),
            [] => Some(""),
            _ => None,
        }
    }

    /// The parameter's name, if the segment is nothing but one parameter.
    #[must_use]
    pub fn parameter(&self) -> Option<&str> {
        match self.parts.as_slice() {
            [Part::Parameter(name)] => Some(name),
            _ => None,
        }
    }
}

impl PathTemplate {
    /// Reads a template, which starts with `/`.
    pub(crate) fn parse(text: &str) -> Result<Self, &'static str> {
        let rest = text.strip_prefix('/').ok_or("it does not start with `/`")?;
        let segments = rest.split('/').map(segment).collect::<Result<_, _>>()?;
        Ok(Self { segments })
    }

    /// The segments, in order.
    #[must_use]
    pub fn segments(&self) -> &[Segment] {
        &self.segments
    }

    /// The names of the parameters, in path order, as the document spells them.
    pub fn parameters(&self) -> impl Iterator<Item = &str> {
        self.segments
            .iter()
            .flat_map(|segment| &segment.parts)
            .filter_map(|part| match part {
                Part::Parameter(name) => Some(name.as_str()),
                Part::Literal(_) => None,
            })
    }

    /// True if the path ends in a fixed word, as the path of a list does.
    #[must_use]
    pub fn ends_in_literal(&self) -> bool {
        self.segments
            .last()
            .is_none_or(|segment| segment.literal().is_some())
    }
}

impl fmt::Display for PathTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for segment in &self.segments {
            f.write_str("/")?;
            for part in &segment.parts {
                match part {
                    Part::Literal(text) => f.write_str(text)?,
                    Part::Parameter(name) => write!(f, "{{{name}}}")?,
                }
            }
        }
        Ok(())
    }
}

fn segment(text: &str) -> Result<Segment, &'static str> {
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some(open) = rest.find('{') {
        let (before, from) = rest.split_at(open);
        if before.contains('}') {
            return Err("a `}` has no `{` before it");
        }
        if !before.is_empty() {
            parts.push(Part::Literal(before.to_owned()));
        }
        let close = from.find('}').ok_or("a `{` is not closed")?;
        let name = from[1..close].trim_start_matches('+');
        if name.is_empty() || name.contains('{') {
            return Err("a parameter has no name");
        }
        parts.push(Part::Parameter(name.to_owned()));
        rest = &from[close + 1..];
    }
    if rest.contains('}') {
        return Err("a `}` has no `{` before it");
    }
    if !rest.is_empty() {
        parts.push(Part::Literal(rest.to_owned()));
    }
    Ok(Segment { parts })
}

#[cfg(test)]
mod tests {
    use super::PathTemplate;

    #[test]
    fn templates_are_read_and_written_back() {
        for text in ["/", "/a", "/a/{b}", "/{a}/b/{c}...{d}", "/a/{b}/c/"] {
            assert_eq!(
                PathTemplate::parse(text).map(|path| path.to_string()),
                Ok(text.to_owned())
            );
        }
        let names: Vec<String> = PathTemplate::parse("/{a}/b/{c}...{d}")
            .map(|path| path.parameters().map(str::to_owned).collect())
            .unwrap_or_default();
        assert_eq!(names, ["a", "c", "d"]);
    }

    #[test]
    fn a_path_that_is_no_template_is_refused() {
        for text in ["", "a/b", "/{a", "/a}", "/{}", "/{a{b}}"] {
            assert!(PathTemplate::parse(text).is_err(), "{text}");
        }
    }
}
