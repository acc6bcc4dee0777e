//! Paths into JSON text: finds one value without building a tree, and nothing else. The SQL functions over it stand in
//! `functions.rs`.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

/// One step of a path.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Step {
    /// The member of an object: exactly this key, else the only one that differs in case and underscores.
    Key(String),
    /// The element of an array, from 0; negative values count from the end.
    Index(i64),
    /// The first element of an array that has this text under this path: `[?(@.isDefault == true)]`.
    Where(Vec<Step>, String),
    /// Every element of an array: what follows is found in each, and the result is an array.
    Each,
}

/// A path that a statement names, and in which form it wants what is there.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct JsonPath {
    /// The steps, one at least.
    pub steps: Vec<Step>,
    /// The form.
    pub form: Form,
}

/// The form in which a value of JSON becomes one of SQL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Form {
    /// JSON text.
    Json,
    /// A scalar as text, an object or array as JSON text.
    Text,
}

impl fmt::Display for JsonPath {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.steps.iter().try_for_each(|step| step.fmt(formatter))
    }
}

impl fmt::Display for Step {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Step::Key(key)
                if key
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') =>
            {
                write!(formatter, ".{key}")
            }
            Step::Key(key) => write!(formatter, "['{key}']"),
            Step::Index(index) => write!(formatter, "[{index}]"),
            Step::Where(path, text) => {
                formatter.write_str("[?(@")?;
                path.iter().try_for_each(|step| step.fmt(formatter))?;
                write!(formatter, " == '{text}')]")
            }
            Step::Each => formatter.write_str("[*]"),
        }
    }
}

/// Whether a text is one JSON value.
pub fn is_json(text: &str) -> bool {
    crate::decode::is_usual_json(text) || serde_json::from_str::<IgnoredAny>(text).is_ok()
}

/// The JSON text at the end of `path`, or `None` where there is nothing.
pub fn find<'j>(json: &'j str, path: &[Step]) -> Option<Cow<'j, str>> {
    let mut text = json.trim_ascii();
    for (at, step) in path.iter().enumerate() {
        let mut reader = serde_json::Deserializer::from_str(text);
        text = match step {
            Step::Key(key) if text.starts_with('{') => {
                reader.deserialize_map(Member { key }).ok()??
            }
            Step::Index(index) => {
                let elements = elements(text)?;
                let at = if *index < 0 {
                    index + i64::try_from(elements.len()).ok()?
                } else {
                    *index
                };
                elements.get(usize::try_from(at).ok()?).copied()?
            }
            Step::Where(inner, wanted) => {
                let has = |element: &&str| {
                    let found = find(element, inner);
                    found
                        .as_deref()
                        .and_then(self::text)
                        .is_some_and(|found| found == *wanted)
                };
                elements(text)?.into_iter().find(has)?
            }
            Step::Each => {
                let found: Vec<Cow<'_, str>> = elements(text)?
                    .into_iter()
                    .filter_map(|element| find(element, &path[at + 1..]))
                    .collect();
                return Some(Cow::Owned(format!("[{}]", found.join(","))));
            }
            Step::Key(_) => return None,
        };
    }
    Some(Cow::Borrowed(text))
}

/// The elements of a JSON array; `None` if the text is no array.
pub fn elements(json: &str) -> Option<Vec<&str>> {
    let json = json.trim_ascii();
    if !json.starts_with('[') {
        return None;
    }
    serde_json::Deserializer::from_str(json)
        .deserialize_seq(Elements)
        .ok()
}

/// The keys of a JSON object, in the order of the text; `None` if the text is no object.
pub fn keys(json: &str) -> Option<Vec<String>> {
    let json = json.trim_ascii();
    if !json.starts_with('{') {
        return None;
    }
    serde_json::Deserializer::from_str(json)
        .deserialize_map(Keys)
        .ok()
}

/// The members of a JSON object as they stand; `None` if the text is no object.
pub fn members(json: &str) -> Option<Vec<(String, &str)>> {
    let json = json.trim_ascii();
    if !json.starts_with('{') {
        return None;
    }
    serde_json::Deserializer::from_str(json)
        .deserialize_map(Members)
        .ok()
}

/// A scalar as text (`null` is nothing), an object or array as its JSON text.
pub fn text(json: &str) -> Option<Cow<'_, str>> {
    match json {
        "null" => None,
        _ if json.starts_with('"') => crate::decode::text_of(json),
        _ => Some(Cow::Borrowed(json)),
    }
}

/// Reads a path as `json_extract` takes it: `$.policyInfo.policyId`, `$['a b'][0]`, `$."a"`, `$.rules[*].name`,
/// `$.criteria[?(@.isDefault == true)].tag`; the `$` may be left out.
pub fn path(text: &str) -> Option<Vec<Step>> {
    let mut rest = text.trim();
    rest = rest.strip_prefix('$').unwrap_or(rest);
    let mut steps = Vec::new();
    while !rest.is_empty() {
        if let Some(inner) = rest.strip_prefix('[') {
            let end = inner.find(']')?;
            let (index, after) = (inner[..end].trim(), &inner[end + 1..]);
            if index == "*" {
                steps.push(Step::Each);
                rest = after;
                continue;
            }
            if let Some(condition) = index
                .strip_prefix("?(@.")
                .and_then(|it| it.strip_suffix(')'))
            {
                let (left, right) = condition.split_once("==")?;
                let right = right.trim().trim_matches(['\'', '"']);
                steps.push(Step::Where(self::path(left.trim())?, right.to_owned()));
                rest = after;
                continue;
            }
            let quoted = index
                .strip_prefix('\'')
                .and_then(|it| it.strip_suffix('\''));
            let quoted =
                quoted.or_else(|| index.strip_prefix('"').and_then(|it| it.strip_suffix('"')));
            steps.push(match quoted {
                Some(key) => Step::Key(key.to_owned()),
                None => Step::Index(index.parse().ok()?),
            });
            rest = after;
        } else {
            let inner = rest.strip_prefix('.').unwrap_or(rest);
            if let Some(quoted) = inner.strip_prefix('"') {
                let end = quoted.find('"')?;
                steps.push(Step::Key(quoted[..end].to_owned()));
                rest = &quoted[end + 1..];
            } else {
                let end = inner.find(['.', '[']).unwrap_or(inner.len());
                if end == 0 {
                    return None;
                }
                steps.push(Step::Key(inner[..end].to_owned()));
                rest = &inner[end..];
            }
        }
    }
    Some(steps)
}

struct Member<'k> {
    key: &'k str,
}

impl<'de> Visitor<'de> for Member<'_> {
    type Value = Option<&'de str>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut exact = None;
        let mut similar: Vec<&'de str> = Vec::new();
        while let Some(key) = map.next_key::<Cow<'de, str>>()? {
            if key == self.key {
                exact = Some(map.next_value::<&'de RawValue>()?.get());
            } else if restable_spec::names::same(&key, self.key) {
                similar.push(map.next_value::<&'de RawValue>()?.get());
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(exact.or(if similar.len() == 1 {
            Some(similar[0])
        } else {
            None
        }))
    }
}

struct Elements;

impl<'de> Visitor<'de> for Elements {
    type Value = Vec<&'de str>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an array")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Self::Value, A::Error> {
        let mut elements = Vec::new();
        while let Some(element) = sequence.next_element::<&'de RawValue>()? {
            elements.push(element.get());
        }
        Ok(elements)
    }
}

struct Members;

impl<'de> Visitor<'de> for Members {
    type Value = Vec<(String, &'de str)>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = Vec::new();
        while let Some((key, value)) = map.next_entry::<String, &'de RawValue>()? {
            members.push((key, value.get()));
        }
        Ok(members)
    }
}

struct Keys;

impl<'de> Visitor<'de> for Keys {
    type Value = Vec<String>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut keys = Vec::new();
        while let Some((key, _)) = map.next_entry::<String, IgnoredAny>()? {
            keys.push(key);
        }
        Ok(keys)
    }
}
