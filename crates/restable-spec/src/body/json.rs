//! JSON that is being built: objects and arrays as trees, everything else as the text that was given, so that a number
//! keeps its digits and an object the order of its keys. Refuses text that is no JSON.

use indexmap::IndexMap;
use serde_json::value::RawValue;

/// A JSON value on its way into a body.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Node {
    /// The text of a string, a number, a boolean or null.
    Scalar(String),
    /// An object.
    Object(IndexMap<String, Node>),
    /// An array.
    Array(Vec<Node>),
}

impl Node {
    /// Reads JSON text.
    pub fn parse(text: &str) -> Result<Self, serde_json::Error> {
        // Read once as a value, which bounds the depth, so that the tree can be walked by recursion.
        serde_json::from_str::<serde_json::Value>(text)?;
        read(text)
    }

    /// A JSON string.
    pub fn string(text: &str) -> Self {
        Self::Scalar(quoted(text))
    }

    /// The text, if this is a JSON string.
    pub fn as_string(&self) -> Option<String> {
        match self {
            Self::Scalar(text) => serde_json::from_str(text).ok(),
            Self::Object(_) | Self::Array(_) => None,
        }
    }

    /// Puts `leaf` at a path of keys, making the objects on the way.
    pub fn put(&mut self, path: &[String], leaf: Node) {
        match (self, path.split_first()) {
            (node, None) => *node = leaf,
            (Self::Object(entries), Some((key, rest))) => entries
                .entry(key.clone())
                .or_insert_with(|| Self::Object(IndexMap::new()))
                .put(rest, leaf),
            (node, Some(_)) => {
                *node = Self::Object(IndexMap::new());
                node.put(path, leaf);
            }
        }
    }

    /// Lays `over` on top: objects are merged, anything else is replaced.
    pub fn overlay(&mut self, over: Node) {
        match (self, over) {
            (Self::Object(below), Self::Object(above)) => {
                for (key, value) in above {
                    match below.get_mut(&key) {
                        Some(known) => known.overlay(value),
                        None => {
                            below.insert(key, value);
                        }
                    }
                }
            }
            (node, over) => *node = over,
        }
    }

    /// The JSON text, without white space between its parts.
    pub fn text(&self) -> String {
        let mut out = String::new();
        self.write(&mut out);
        out
    }

    fn write(&self, out: &mut String) {
        match self {
            Self::Scalar(text) => out.push_str(text),
            Self::Object(entries) => {
                out.push('{');
                for (at, (key, value)) in entries.iter().enumerate() {
                    if at > 0 {
                        out.push(',');
                    }
                    out.push_str(&quoted(key));
                    out.push(':');
                    value.write(out);
                }
                out.push('}');
            }
            Self::Array(items) => {
                out.push('[');
                for (at, item) in items.iter().enumerate() {
                    if at > 0 {
                        out.push(',');
                    }
                    item.write(out);
                }
                out.push(']');
            }
        }
    }
}

/// True if the text is a JSON number and nothing else.
pub(super) fn is_number(text: &str) -> bool {
    text.trim() == text && serde_json::from_str::<serde_json::Number>(text).is_ok()
}

/// True if the text is a JSON number without fraction and exponent.
pub(super) fn is_integer(text: &str) -> bool {
    is_number(text) && !text.contains(['.', 'e', 'E'])
}

fn read(text: &str) -> Result<Node, serde_json::Error> {
    let text = text.trim();
    Ok(match text.as_bytes().first() {
        Some(b'{') => {
            let entries: IndexMap<String, Box<RawValue>> = serde_json::from_str(text)?;
            let entries = entries
                .into_iter()
                .map(|(key, value)| Ok((key, read(value.get())?)));
            Node::Object(entries.collect::<Result<_, serde_json::Error>>()?)
        }
        Some(b'[') => {
            let items: Vec<Box<RawValue>> = serde_json::from_str(text)?;
            Node::Array(
                items
                    .iter()
                    .map(|item| read(item.get()))
                    .collect::<Result<_, _>>()?,
            )
        }
        _ => Node::Scalar(text.to_owned()),
    })
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::{Node, is_integer, is_number};

    #[test]
    fn text_is_kept() {
        for text in [
            r#"{"b":1.50,"a":[1e2,-0,12345678901234567890123456789],"c":"é\n"}"#,
            "[]",
            "{}",
            "null",
            r#""x""#,
        ] {
            assert_eq!(
                Node::parse(text)
                    .map(|node| node.text())
                    .unwrap_or_default(),
                text
            );
        }
        let spaced = Node::parse(" { \"a\" : [ 1 , 2 ] } ").map(|node| node.text());
        assert_eq!(spaced.unwrap_or_default(), r#"{"a":[1,2]}"#);
        for wrong in ["", "{", "{'a':1}", "nul", "1 2", &"[".repeat(500)] {
            assert!(Node::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn numbers() {
        for text in ["5", "-5", "0", "123456789012345678901234567890"] {
            assert!(is_integer(text), "{text}");
        }
        for text in ["5.0", "1e3"] {
            assert!(is_number(text) && !is_integer(text), "{text}");
        }
        for text in [
            "", " 5", "5 ", "05", "+5", "NaN", "inf", "0x5", "5a", "1e999",
        ] {
            assert!(!is_number(text), "{text}");
        }
    }
}
