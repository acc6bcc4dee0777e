//! What an error body says: Azure Resource Manager's form first, then the forms that gateways and token services use, then
//! the text itself. It never fails, keeps at most [`crate::redact::SHOWN_TEXT`] bytes of a text, and shows nothing unmasked.

use serde_json::Value;

use crate::redact::{cut, show_text};

/// Nested causes beyond this depth are not followed.
const DEPTH: usize = 6;
/// More details than this are not kept.
const DETAILS: usize = 32;

/// One of the causes that a service lists beside its error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Detail {
    /// The service's code of the cause.
    pub code: Option<String>,
    /// The service's text of the cause.
    pub message: String,
    /// What the cause is about, as the service names it.
    pub target: Option<String>,
}

/// An error body, read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Fault {
    pub code: Option<String>,
    pub message: String,
    pub target: Option<String>,
    pub details: Vec<Detail>,
    pub recommended_action: Option<String>,
}

impl Fault {
    /// Reads the body of an answer that is an error by its status.
    pub(crate) fn of_body(body: &[u8]) -> Self {
        let text = String::from_utf8_lossy(body);
        match serde_json::from_str::<Value>(text.trim_start_matches('\u{feff}')) {
            Ok(value) => Self::of_value(&value).unwrap_or_else(|| Self::of_text(&text)),
            Err(_) => Self::of_text(&text),
        }
    }

    /// The error inside a body that was to be data; `None` if the body is no error.
    pub(crate) fn inside_success(body: &[u8]) -> Option<Self> {
        match serde_json::from_slice::<Value>(body).ok()? {
            Value::Object(top) if top.get("error").is_some_and(|error| error.is_object()) => {
                Self::of_value(&Value::Object(top))
            }
            _ => None,
        }
    }

    /// The error of an operation or resource that ended badly: beside its status, or among its properties.
    pub(crate) fn of_operation(body: &Value) -> Option<Self> {
        [Some(body), body.get("properties")]
            .into_iter()
            .flatten()
            .find(|node| node.get("error").is_some_and(Value::is_object))
            .and_then(Self::of_value)
    }

    fn of_value(value: &Value) -> Option<Self> {
        let top = value.as_object()?;
        let error = ["error", "odata.error", "Error"]
            .iter()
            .find_map(|name| top.get(*name));
        let (code, message, node) = match error {
            // A token service: `{"error": "invalid_client", "error_description": …}`.
            Some(Value::String(code)) => (
                Some(show_text(code)),
                top.get("error_description").and_then(text_of),
                value,
            ),
            Some(node @ Value::Object(_)) => (
                node.get("code").and_then(text_of),
                node.get("message").and_then(text_of),
                node,
            ),
            _ => (
                top.get("code").and_then(text_of),
                top.get("message")
                    .or_else(|| top.get("Message"))
                    .and_then(text_of),
                value,
            ),
        };
        if code.is_none() && message.is_none() {
            return None;
        }
        let mut fault = Self {
            message: message.unwrap_or_default(),
            target: node.get("target").and_then(text_of),
            code,
            ..Self::default()
        };
        collect(node, 0, &mut fault);
        fault.recommended_action = recommended(node, 0);
        Some(fault)
    }

    fn of_text(text: &str) -> Self {
        let trimmed = text.trim_start();
        let message = if trimmed.is_empty() {
            String::new()
        } else if trimmed.starts_with('<') {
            match title(trimmed) {
                Some(title) => format!("a page titled `{}`", show_text(title)),
                None => show_text(&cut(trimmed, 200)),
            }
        } else {
            show_text(trimmed)
        };
        Self {
            message,
            ..Self::default()
        }
    }
}

fn title(page: &str) -> Option<&str> {
    // ASCII lower case keeps every byte's place.
    let folded = page.to_ascii_lowercase();
    let start = folded.find("<title>")? + "<title>".len();
    let end = start + folded[start..].find("</title>")?;
    Some(page[start..end].trim()).filter(|title| !title.is_empty())
}

/// Codes and messages are texts, but some services write a number, and OData wraps the message in `{"value": …}`.
fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::String(text) if text.trim().is_empty() => None,
        Value::String(text) => Some(show_text(text)),
        Value::Number(number) => Some(number.to_string()),
        Value::Object(object) => object.get("value").and_then(text_of),
        _ => None,
    }
}

fn collect(node: &Value, depth: usize, fault: &mut Fault) {
    if depth == DEPTH {
        return;
    }
    let listed = node
        .get("details")
        .and_then(Value::as_array)
        .into_iter()
        .flatten();
    let inner = ["innererror", "innerError"]
        .iter()
        .filter_map(|name| node.get(*name));
    for cause in listed.chain(inner) {
        let code = cause.get("code").and_then(text_of);
        let message = cause.get("message").and_then(text_of);
        let known = fault.code == code
            && message
                .as_ref()
                .is_none_or(|message| *message == fault.message);
        if (code.is_some() || message.is_some()) && !known && fault.details.len() < DETAILS {
            let detail = Detail {
                code,
                message: message.unwrap_or_default(),
                target: cause.get("target").and_then(text_of),
            };
            if !fault.details.contains(&detail) {
                fault.details.push(detail);
            }
        }
        collect(cause, depth + 1, fault);
    }
}

/// `recommendedAction` stands in `additionalInfo[].info` in Data Protection's errors, elsewhere at other depths.
fn recommended(node: &Value, depth: usize) -> Option<String> {
    if depth > DEPTH + 2 {
        return None;
    }
    match node {
        Value::Object(object) => object
            .iter()
            .find_map(|(name, value)| match value {
                Value::Array(lines) if name.eq_ignore_ascii_case("recommendedAction") => {
                    let lines: Vec<String> = lines.iter().filter_map(text_of).collect();
                    (!lines.is_empty()).then(|| lines.join(" "))
                }
                _ if name.eq_ignore_ascii_case("recommendedAction") => text_of(value),
                _ => None,
            })
            .or_else(|| {
                object
                    .values()
                    .find_map(|value| recommended(value, depth + 1))
            }),
        Value::Array(items) => items.iter().find_map(|item| recommended(item, depth + 1)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies() {
        for (body, code, message) in [
            (
                r#"{"error":{"code":"ResourceNotFound","message":"gone"}}"#,
                Some("ResourceNotFound"),
                "gone",
            ),
            (
                r#"{"code":"BadArgument","message":"bare"}"#,
                Some("BadArgument"),
                "bare",
            ),
            (
                r#"{"error":{"code":500,"message":"number"}}"#,
                Some("500"),
                "number",
            ),
            (
                r#"{"odata.error":{"code":"X","message":{"lang":"en","value":"wrapped"}}}"#,
                Some("X"),
                "wrapped",
            ),
            (
                r#"{"error":"invalid_client","error_description":"AADSTS7000215"}"#,
                Some("invalid_client"),
                "AADSTS7000215",
            ),
            (
                "\u{feff}{\"error\":{\"code\":\"Bom\",\"message\":\"m\"}}",
                Some("Bom"),
                "m",
            ),
            (r#"{"Message":"no route"}"#, None, "no route"),
            (r#"{"unexpected":true}"#, None, r#"{"unexpected":true}"#),
            (r#"{"error":{"code":"Cut"#, None, r#"{"error":{"code":"Cut"#),
            (
                "<html><head><TITLE> 502 Bad Gateway </TITLE></head></html>",
                None,
                "a page titled `502 Bad Gateway`",
            ),
            ("plain\r\ntext", None, "plain text"),
            ("[1,2]", None, "[1,2]"),
            ("", None, ""),
            ("   ", None, ""),
        ] {
            let fault = Fault::of_body(body.as_bytes());
            assert_eq!(
                (fault.code.as_deref(), fault.message.as_str()),
                (code, message),
                "{body}"
            );
        }
        assert_eq!(
            Fault::of_body(&[0xff, 0xfe, 0x00]).message,
            "\u{fffd}\u{fffd}\\u{0}"
        );
        assert!(
            Fault::of_body("x".repeat(10 << 20).as_bytes())
                .message
                .len()
                < 4200
        );
    }

    #[test]
    fn details_and_recommended_action() {
        let body = r#"{"error":{"code":"LinkedAuthorizationFailed","message":"m","target":"t","details":[
            {"code":"Inner","message":"first","target":"x","details":[{"code":"Deep","message":"second"}]}],
            "innererror":{"code":"Root","innererror":{"code":"Root2"}},
            "additionalInfo":[{"type":"UserFacingError","info":{"recommendedAction":["Grant it.","Try again."]}}]}}"#;
        let fault = Fault::of_body(body.as_bytes());
        let codes: Vec<_> = fault
            .details
            .iter()
            .filter_map(|detail| detail.code.as_deref())
            .collect();
        assert_eq!(codes, ["Inner", "Deep", "Root", "Root2"]);
        assert_eq!(fault.target.as_deref(), Some("t"));
        assert_eq!(
            fault.recommended_action.as_deref(),
            Some("Grant it. Try again.")
        );
    }

    #[test]
    fn an_error_inside_success() {
        assert!(Fault::inside_success(br#"{"error":{"code":"X","message":"y"}}"#).is_some());
        assert!(Fault::inside_success(br#"{"value":[],"error":null}"#).is_none());
        assert!(Fault::inside_success(br#"{"properties":{"error":{"code":"X"}}}"#).is_none());
        assert!(Fault::inside_success(b"{").is_none());
    }
}
