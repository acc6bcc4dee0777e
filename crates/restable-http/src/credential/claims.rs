//! Who a token is for, as a label: the claims of a JSON web token, read and not verified, which is the business of the service that the token
//! is shown to. Nothing is decided by them but whether an entry of the journal was made under the same identity.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::digest::{SHA256, digest};
use serde_json::{Map, Value};

use crate::secret::Secret;

/// The longest claim that is taken for a name.
const LONGEST: usize = 256;
/// Bytes of the digest that stand for a token without claims.
const DIGEST_BYTES: usize = 8;

/// Who acts, as far as the token says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Identity {
    /// The tenant, for tokens of Microsoft Entra.
    pub tenant: Option<String>,
    /// The object id of a user or service principal, else its application or subject; `token:` and the beginning of the token's SHA-256 if
    /// the token does not tell.
    pub principal: Option<String>,
}

impl Identity {
    pub(crate) fn of(token: &Secret) -> Self {
        let claims = claims(token.reveal()).unwrap_or_default();
        // `oid` is the same for every token of a principal; `azp` is what version 2 of Entra calls `appid`.
        let principal = ["oid", "appid", "azp", "sub"]
            .into_iter()
            .find_map(|name| label(&claims, name));
        Self {
            tenant: label(&claims, "tid"),
            principal: principal.or_else(|| Some(fingerprint(token.reveal()))),
        }
    }
}

/// The claims of `header.claims.signature`.
fn claims(token: &str) -> Option<Map<String, Value>> {
    let mut parts = token.split('.');
    let (_, middle, _) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() {
        return None;
    }
    let bytes = URL_SAFE_NO_PAD.decode(middle.trim_end_matches('=')).ok()?;
    serde_json::from_slice(&bytes).ok()
}

fn label(claims: &Map<String, Value>, name: &str) -> Option<String> {
    let text = claims.get(name)?.as_str()?.trim();
    let is_name = !text.is_empty() && text.len() <= LONGEST && !text.chars().any(char::is_control);
    is_name.then(|| text.to_owned())
}

fn fingerprint(token: &str) -> String {
    let digest = digest(&SHA256, token.as_bytes());
    let mut text = "token:".to_owned();
    for byte in digest.as_ref().iter().take(DIGEST_BYTES) {
        let _ = write!(text, "{byte:02x}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn web_token(claims: &str) -> String {
        let [header, claims] =
            [r#"{"alg":"none"}"#, claims].map(|part| URL_SAFE_NO_PAD.encode(part));
        format!("{header}.{claims}.c2lnbmF0dXJl")
    }

    fn identity(token: &str) -> (Option<String>, String) {
        let Identity { tenant, principal } = Identity::of(&Secret::new(token));
        (tenant, principal.unwrap_or_default())
    }

    #[test]
    fn claims_in_their_order() {
        let tenant = Some("t-1".to_owned());
        for (claims, expected) in [
            (
                r#"{"tid":"t-1","oid":"o-1","appid":"a-1","sub":"s-1"}"#,
                "o-1",
            ),
            (r#"{"tid":"t-1","appid":"a-1","sub":"s-1"}"#, "a-1"),
            (r#"{"tid":"t-1","azp":"a-2","sub":"s-1"}"#, "a-2"),
            (r#"{"tid":"t-1","oid":7,"sub":" s-1 "}"#, "s-1"),
            (r#"{"tid":"t-1","oid":"","sub":"s-1"}"#, "s-1"),
            (r#"{"tid":"t-1","oid":"a\nb","sub":"é"}"#, "é"),
        ] {
            assert_eq!(
                identity(&web_token(claims)),
                (tenant.clone(), expected.to_owned()),
                "{claims}"
            );
        }
    }

    #[test]
    fn a_token_that_does_not_tell_is_told_apart_by_its_digest() {
        // The SHA-256 of `opaque` begins so.
        assert_eq!(
            identity("opaque"),
            (None, "token:6d229884c1268bb0".to_owned())
        );
        let long = format!(r#"{{"oid":"{}"}}"#, "x".repeat(LONGEST + 1));
        for token in [
            "a.b.c".to_owned(),
            "a.b".to_owned(),
            String::new(),
            "....".to_owned(),
            web_token("[]"),
            web_token("{}"),
            web_token("\u{0}"),
            web_token(&long),
            format!("{}.extra", web_token(r#"{"oid":"o-1"}"#)),
        ] {
            let (tenant, principal) = identity(&token);
            assert_eq!(tenant, None, "{token}");
            assert_eq!(
                (principal.len(), principal.starts_with("token:")),
                (22, true),
                "{token}"
            );
        }
    }
}
