//! Texts, numbers and booleans against what the document says of them: listed values, forms, lengths. The type has been
//! checked before. Refuses nothing by itself.

use serde_json::Value;

use crate::method::Kind;
use crate::names;
use crate::pattern;
use crate::schema::ScalarSchema;
use crate::value;

use super::problem::{BodyFault, Severity};

/// What is wrong with a value; a secret is not shown.
pub(super) fn faults(
    scalar: &ScalarSchema,
    value: &Value,
    secret: bool,
) -> Vec<(BodyFault, Severity)> {
    let mut faults = Vec::new();
    faults.extend(unlisted(scalar, value, secret));
    if let (Kind::Text, Value::String(text)) = (scalar.kind, value)
        && let Some(expected) = wrong_form(scalar, text)
    {
        let fault = BodyFault::Malformed {
            found: (!secret).then(|| text.clone()),
            expected,
        };
        faults.push((fault, Severity::Error));
    }
    faults
}

/// A value as people write it: text without quotes.
pub(super) fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn unlisted(scalar: &ScalarSchema, value: &Value, secret: bool) -> Option<(BodyFault, Severity)> {
    let (allowed, closed) = match (scalar.constant.as_slice(), scalar.allowed.as_slice()) {
        ([], listed) => (listed, scalar.closed),
        (constant, _) => (constant, true),
    };
    if allowed.is_empty() || allowed.contains(value) {
        return None;
    }
    let found = plain(value);
    let allowed: Vec<String> = allowed.iter().map(plain).collect();
    // Azure compares the values of its enumerations without regard to case.
    let cased = allowed
        .iter()
        .any(|known| known.eq_ignore_ascii_case(&found));
    let severity = if closed && !cased {
        Severity::Error
    } else {
        Severity::Warning
    };
    let nearest = names::nearest(&found, allowed.iter().map(String::as_str)).map(str::to_owned);
    let fault = BodyFault::NotListed {
        found: (!secret).then_some(found),
        nearest,
        allowed,
    };
    Some((fault, severity))
}

/// The form that a text should have and has not.
fn wrong_form(scalar: &ScalarSchema, text: &str) -> Option<String> {
    match scalar.format.as_deref() {
        Some("uuid") if !value::is_uuid(text) => return Some(String::from("a UUID")),
        Some("date-time") if !value::is_date_time(text) => {
            return Some(String::from("a point in time (`2026-01-31T08:30:00Z`)"));
        }
        _ => {}
    }
    let length = text.chars().count();
    if let Some(most) = scalar.max_length.filter(|most| length > *most) {
        return Some(format!("text of at most {most} characters"));
    }
    if let Some(least) = scalar.min_length.filter(|least| length < *least) {
        return Some(format!("text of at least {least} characters"));
    }
    let pattern = scalar.pattern.as_ref()?;
    let wrong = pattern::matches(pattern, text) == Some(false);
    wrong.then(|| format!("text that matches `{pattern}`"))
}
