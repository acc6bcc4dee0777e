//! JSON that is put together with other JSON (`||`), taken apart as texts, and texts that are read as what they are written for: UUIDs.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray as _, ListBuilder, StringArray, StringBuilder};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field};
use datafusion::common::{DataFusionError, Result};
use datafusion::logical_expr::Expr;
use restable_sql::Diagnostic;

use super::made::{binary_form, no_json};
use super::own::{Called, Own};
use super::{FOLD_METADATA, FOLD_ONE_SPELLING, OID_METADATA, json_metadata};
use crate::json;

/// The functions that syntax trees name.
pub(crate) fn all() -> Vec<Own> {
    vec![
        Own::new("json_item_texts", (1, 1), |_, _| Ok(texts()), item_texts),
        as_uuid(),
    ]
}

/// A text as the UUID that it says: any spelling of it is the same one.
pub(crate) fn as_uuid() -> Own {
    Own::new("pg_uuid", (1, 1), |_, _| Ok(DataType::Utf8), uuid).marked(uuid_metadata())
}

/// The marks of a column of UUIDs: its type for clients of PostgreSQL, and that it compares without regard to case.
pub(crate) fn uuid_metadata() -> HashMap<String, String> {
    HashMap::from([
        (OID_METADATA.to_owned(), "2950".to_owned()),
        (FOLD_METADATA.to_owned(), FOLD_ONE_SPELLING.to_owned()),
    ])
}

fn texts() -> DataType {
    DataType::List(Arc::new(Field::new("item", DataType::Utf8, true)))
}

/// `a || b` of JSON: objects with the members of both, of which the second's are right; arrays one behind the other, and what is no array
/// is one of one item.
pub(crate) fn joined(left: Expr, right: Expr) -> Expr {
    joined_by().call(vec![left, right])
}

pub(crate) fn joined_by() -> Own {
    let own = Own::new("json_joined", (2, 2), |_, _| Ok(DataType::Utf8), merge);
    own.marked(json_metadata())
}

fn merge(called: &Called) -> Result<ArrayRef> {
    let left = cast(&called.arrays[0], &DataType::Utf8)?;
    let right = cast(&called.arrays[1], &DataType::Utf8)?;
    let pairs = left.as_string::<i32>().iter().zip(right.as_string::<i32>());
    let merged = pairs.map(|pair| match pair {
        (Some(left), Some(right)) => {
            let read = |text: &str| binary_form(text).ok_or_else(|| no_json(text));
            let both = (read(left)?, read(right)?);
            let (left, right) = (both.0.as_str(), both.1.as_str());
            let inside = |text: &str| text[1..text.len() - 1].to_owned();
            let items = |text: &str| match text.starts_with('[') {
                true => inside(text),
                false => text.to_owned(),
            };
            let is_object = |text: &str| text.starts_with('{');
            let objects = is_object(left) && is_object(right);
            let parts = match objects {
                true => [inside(left), inside(right)],
                false => [items(left), items(right)],
            };
            let parts: Vec<&str> = parts
                .iter()
                .map(String::as_str)
                .filter(|part| !part.is_empty())
                .collect();
            let parts = parts.join(", ");
            let whole = match objects {
                true => format!("{{{parts}}}"),
                false => format!("[{parts}]"),
            };
            // Of two members with one name the later one is left.
            binary_form(&whole).map(Some).ok_or_else(|| no_json(&whole))
        }
        _ => Ok(None),
    });
    let merged: StringArray = merged.collect::<Result<_>>()?;
    Ok(Arc::new(merged))
}

/// The items of a JSON array, texts as they are and the rest as JSON.
fn item_texts(called: &Called) -> Result<ArrayRef> {
    let all = cast(&called.arrays[0], &DataType::Utf8)?;
    let mut lists = ListBuilder::new(StringBuilder::new());
    for text in all.as_string::<i32>() {
        let Some(text) = text else {
            lists.append_null();
            continue;
        };
        let items = json::elements(text).ok_or_else(|| {
            let problem = "cannot extract elements from what is no JSON array";
            DataFusionError::from(crate::Error::from(Diagnostic::new("R0402", problem)))
        })?;
        for item in items {
            match item.trim() {
                "null" => lists.values().append_null(),
                quoted if quoted.starts_with('"') => {
                    lists.values().append_option(json::text(quoted));
                }
                other => lists.values().append_value(other),
            }
        }
        lists.append(true);
    }
    Ok(Arc::new(lists.finish()))
}

/// A UUID in the form that PostgreSQL writes: 32 digits in lower case, in five groups. It may be read without the hyphens, or in braces.
fn uuid(called: &Called) -> Result<ArrayRef> {
    let texts = cast(&called.arrays[0], &DataType::Utf8)?;
    let all = texts.as_string::<i32>().iter().map(|text| match text {
        Some(text) => read_uuid(text).map(Some).ok_or_else(|| {
            let problem = format!("invalid input syntax for type uuid: `{text}`");
            DataFusionError::from(crate::Error::from(Diagnostic::new("R0208", problem)))
        }),
        None => Ok(None),
    });
    let all: StringArray = all.collect::<Result<_>>()?;
    Ok(Arc::new(all))
}

fn read_uuid(text: &str) -> Option<String> {
    let inner = match text.strip_prefix('{') {
        Some(inner) => inner.strip_suffix('}')?,
        None => text,
    };
    let mut made = String::with_capacity(36);
    let mut digits = 0;
    let mut hyphen = true;
    for letter in inner.chars() {
        match letter {
            // Between groups of four digits.
            '-' if !hyphen && digits % 4 == 0 && digits < 32 => hyphen = true,
            digit if digit.is_ascii_hexdigit() && digits < 32 => {
                if matches!(digits, 8 | 12 | 16 | 20) {
                    made.push('-');
                }
                made.push(digit.to_ascii_lowercase());
                digits += 1;
                hyphen = false;
            }
            _ => return None,
        }
    }
    (digits == 32 && !hyphen).then_some(made)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uuids_are_read_in_all_their_forms() {
        let one = Some("a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11".to_owned());
        for text in [
            "A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11",
            "{a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11}",
            "a0eebc999c0b4ef8bb6d6bb9bd380a11",
            "a0ee-bc99-9c0b-4ef8-bb6d-6bb9-bd38-0a11",
        ] {
            assert_eq!(read_uuid(text), one, "{text}");
        }
        for text in ["", "a0eebc99", "{a0eebc999c0b4ef8bb6d6bb9bd380a11", "x"] {
            assert_eq!(read_uuid(text), None, "{text}");
        }
    }
}
