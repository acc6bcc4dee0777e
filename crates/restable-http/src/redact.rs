//! What may be shown: URLs without the values of their query, foreign text without control characters and without what
//! looks like a secret. Every URL and every text of a server passes here before it reaches an error, a log or a record.

use std::borrow::Cow;

use url::Url;

/// Longest foreign text that is shown, in bytes.
pub const SHOWN_TEXT: usize = 4 * 1024;
/// A page token is shown up to this many characters: enough to tell two apart.
const SHOWN_TOKEN: usize = 8;
/// A filter is shown up to this many characters.
const SHOWN_FILTER: usize = 200;

/// The URL as it may be printed: user info and fragment dropped, each query value replaced but for `api-version`,
/// `$filter` and the beginning of `$skipToken`.
pub fn redact_url(url: &Url) -> String {
    let mut text = match url.origin() {
        origin if origin.is_tuple() => origin.ascii_serialization(),
        _ => format!("{}:", url.scheme()),
    };
    text.push_str(url.path());
    let Some(query) = url.query() else {
        return text;
    };
    let mut separator = '?';
    for pair in query.split('&') {
        text.push(separator);
        separator = '&';
        let Some((name, value)) = pair.split_once('=') else {
            text.push_str(&cut(pair, SHOWN_TOKEN));
            continue;
        };
        text.push_str(name);
        text.push('=');
        let folded = name.to_ascii_lowercase().replace("%24", "$");
        match folded.as_str() {
            "api-version" => text.push_str(&cut(value, SHOWN_FILTER)),
            "$filter" => text.push_str(&mask(&cut(value, SHOWN_FILTER))),
            "$skiptoken" => text.push_str(&cut(value, SHOWN_TOKEN)),
            _ => text.push_str("REDACTED"),
        }
    }
    text
}

/// Foreign text as it may be printed: cut to [`SHOWN_TEXT`], on one line, control characters escaped, secrets masked.
pub fn show_text(text: &str) -> String {
    escape(&mask(&cut(text, SHOWN_TEXT)))
}

/// The text, or its beginning and an ellipsis.
pub(crate) fn cut(text: &str, limit: usize) -> Cow<'_, str> {
    if text.len() <= limit {
        return Cow::Borrowed(text);
    }
    let mut end = limit;
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    Cow::Owned(format!("{}…", &text[..end]))
}

/// One line without anything that a terminal obeys: C0, C1, and the controls of writing direction.
pub(crate) fn escape(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.trim().chars() {
        match character {
            '\n' | '\r' | '\t' => {
                if !shown.ends_with(' ') {
                    shown.push(' ');
                }
            }
            c if c.is_control() || is_direction_control(c) => shown.extend(c.escape_unicode()),
            c => shown.push(c),
        }
    }
    shown
}

fn is_direction_control(character: char) -> bool {
    matches!(character, '\u{200e}' | '\u{200f}' | '\u{061c}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

const MASK: &str = "[secret]";

/// Names whose value is masked wherever `name=value`, `name: value` or `"name":"value"` stands, in lower case.
const SECRET_NAMES: [&str; 19] = [
    "accountkey",
    "sharedaccesskey",
    "sharedaccesssignature",
    "shared_access_key",
    "sig",
    "signature",
    "password",
    "pwd",
    "passwd",
    "secret",
    "client_secret",
    "clientsecret",
    "client_assertion",
    "access_token",
    "accesstoken",
    "refresh_token",
    "id_token",
    "apikey",
    "api-key",
];

/// Replaces the texts that stand under a secret name, at any depth.
pub(crate) fn mask_json(value: &mut serde_json::Value) {
    match value {
        serde_json::Value::Object(object) => {
            for (name, value) in object.iter_mut() {
                if value.is_string() && is_secret_name(&name.to_ascii_lowercase()) {
                    *value = MASK.into();
                } else {
                    mask_json(value);
                }
            }
        }
        serde_json::Value::Array(items) => items.iter_mut().for_each(mask_json),
        _ => {}
    }
}

/// Replaces what looks like a secret: values of [`SECRET_NAMES`], words after `Bearer` or `SharedKey`, JSON web tokens, and base64
/// of the two sizes that Azure's shared keys have.
pub(crate) fn mask(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    // What the next word is, judged from the words before it.
    let mut next_is_secret = false;
    while !rest.is_empty() {
        let word_end = rest.find(|c: char| !is_word(c)).unwrap_or(rest.len());
        if word_end == 0 {
            let step = rest.chars().next().map_or(1, char::len_utf8);
            let separator = &rest[..step];
            // A value ends where its clause ends.
            if matches!(separator, ";" | "," | "&" | "\n" | ")" | "}") {
                next_is_secret = false;
            }
            shown.push_str(separator);
            rest = &rest[step..];
            continue;
        }
        let word = &rest[..word_end];
        let after = rest[word_end..].trim_start_matches(['"', '\'', '\\', ' ']);
        if next_is_secret && !is_scheme(word) {
            shown.push_str(MASK);
            next_is_secret = false;
        } else if is_secret_value(word) {
            shown.push_str(MASK);
        } else {
            shown.push_str(&mask_assignment(word));
            let folded = word.to_ascii_lowercase();
            next_is_secret |= is_scheme(word)
                || (folded == "authorization" && after.starts_with(':'))
                || (is_secret_name(&folded) && after.starts_with(':'));
        }
        rest = &rest[word_end..];
    }
    shown
}

/// `name=value` is one word, since `=` also ends base64; a name with nothing behind the sign takes the next word.
fn mask_assignment(word: &str) -> Cow<'_, str> {
    match word.split_once('=') {
        Some((name, value)) if !value.is_empty() && is_secret_name(&name.to_ascii_lowercase()) => {
            Cow::Owned(format!("{name}={MASK}"))
        }
        _ => Cow::Borrowed(word),
    }
}

pub(crate) fn is_secret_name(folded: &str) -> bool {
    SECRET_NAMES.contains(&folded)
}

fn is_scheme(word: &str) -> bool {
    ["bearer", "sharedkey", "sharedkeylite"].contains(&word.to_ascii_lowercase().as_str())
}

fn is_word(character: char) -> bool {
    character.is_ascii_alphanumeric()
        || matches!(
            character,
            '-' | '_' | '.' | '~' | '+' | '/' | '=' | '%' | '$'
        )
}

fn is_secret_value(word: &str) -> bool {
    let web_token = word.starts_with("eyJ") && word.len() > 40 && word.matches('.').count() >= 2;
    let shared_key =
        (word.len() == 88 && word.ends_with("==")) || (word.len() == 44 && word.ends_with('='));
    web_token || (shared_key && !word.contains(['.', '%', '$', '~']))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls() -> Result<(), url::ParseError> {
        for (url, shown) in [
            (
                "https://m.azure.com/subscriptions?api-version=2022-12-01",
                "https://m.azure.com/subscriptions?api-version=2022-12-01",
            ),
            (
                "https://u:p@m.azure.com/a?api-version=1&t=638&c=MIIH&s=abc&h=xyz#frag",
                "https://m.azure.com/a?api-version=1&t=REDACTED&c=REDACTED&s=REDACTED&h=REDACTED",
            ),
            (
                "https://m.azure.com/a?%24skipToken=0123456789abcdef",
                "https://m.azure.com/a?%24skipToken=01234567…",
            ),
            (
                "https://m.azure.com:8443/a?$filter=x%20eq%201&sig=s",
                "https://m.azure.com:8443/a?$filter=x%20eq%201&sig=REDACTED",
            ),
            (
                "https://m.azure.com/a?bareword-token",
                "https://m.azure.com/a?bareword…",
            ),
            ("data:application/json,{}", "data:application/json,{}"),
        ] {
            assert_eq!(redact_url(&Url::parse(url)?), shown);
        }
        Ok(())
    }

    #[test]
    fn secrets_in_text() {
        let key = format!("{}==", "Ab1+".repeat(21) + "Zz");
        assert_eq!(key.len(), 88);
        for (text, shown) in [
            (
                "Bearer abc.def-ghi rejected".to_owned(),
                "Bearer [secret] rejected",
            ),
            (
                "Authorization: Bearer abc, next".to_owned(),
                "Authorization: Bearer [secret], next",
            ),
            (
                format!(
                    "DefaultEndpointsProtocol=https;AccountName=a;AccountKey={key};EndpointSuffix=core"
                ),
                "DefaultEndpointsProtocol=https;AccountName=a;AccountKey=[secret];EndpointSuffix=core",
            ),
            (
                "https://x/y?sv=1&sig=abc%2Fd%3D&se=2".to_owned(),
                "https://x/y?sv=1&sig=[secret]&se=2",
            ),
            (format!("key {key} leaked"), "key [secret] leaked"),
            (
                r#"{"access_token":"eyJ0","expires_in":1}"#.to_owned(),
                r#"{"access_token":"[secret]","expires_in":1}"#,
            ),
            (
                "password: hunter2; user: x".to_owned(),
                "password: [secret]; user: x",
            ),
            (
                "the secret of life is 42".to_owned(),
                "the secret of life is 42",
            ),
            (
                format!("token eyJ{}.{}.sig", "a".repeat(30), "b".repeat(30)),
                "token [secret]",
            ),
            ("plain text, no change".to_owned(), "plain text, no change"),
            (
                "/subscriptions/7b795fb9-09d3-42f4-a494-38864f99ba3c/x".to_owned(),
                "/subscriptions/7b795fb9-09d3-42f4-a494-38864f99ba3c/x",
            ),
        ] {
            assert_eq!(mask(&text), shown);
        }
    }

    #[test]
    fn control_characters_and_length() {
        assert_eq!(
            show_text("a\r\nb\u{1b}[31mc\u{202e}d\0"),
            "a b\\u{1b}[31mc\\u{202e}d\\u{0}"
        );
        let long = "é".repeat(SHOWN_TEXT);
        let shown = show_text(&long);
        assert!(shown.len() <= SHOWN_TEXT + 4 && shown.ends_with('…'));
    }

    #[test]
    fn any_text_can_be_shown() {
        let pieces = [
            "sig=",
            "Bearer ",
            "é",
            "\u{1b}",
            "\"",
            ":",
            "password",
            "=",
            "==",
            "\u{202e}",
            "AccountKey",
            ";",
            "\u{1f600}",
            "x",
            "\n",
            "authorization",
        ];
        let mut random = fastrand::Rng::with_seed(1);
        for _ in 0..20_000 {
            let text: String = (0..random.usize(..12))
                .map(|_| pieces[random.usize(..pieces.len())])
                .collect();
            let shown = show_text(&text);
            assert!(
                !shown.contains(|c: char| c.is_control() || is_direction_control(c)),
                "{text:?}"
            );
            assert!(cut(&text, random.usize(..20)).len() <= 23);
        }
    }
}
