//! Owns what goes wrong on order: rules that match requests, and what they do to the answer or to what the request
//! starts. Without a rule nothing goes wrong.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::body::Body as HttpBody;
use bytes::Bytes;
use http::{Response, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::arm;
use crate::error::Error;
use crate::request::Target;
use crate::state::{Answer, Body, World};
use crate::wire::Cut;

/// A rule: for which requests, and what happens to them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Fault {
    /// Which requests.
    #[serde(rename = "match", default)]
    pub matches: Match,
    /// What happens.
    pub action: Action,
}

/// Which requests a rule is for. The default is the next request, whatever it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Match {
    /// Method, in any case.
    pub method: Option<String>,
    /// A part of path and query, in any case; `*` stands for any characters.
    pub path: Option<String>,
    /// The first matching request that is struck, from 1.
    pub nth: u64,
    /// How many are struck from there on; `null` is all.
    pub times: Option<u64>,
    /// Of those, only each so many-th, from 1.
    pub every: u64,
}

impl Default for Match {
    fn default() -> Match {
        Match {
            method: None,
            path: None,
            nth: 1,
            times: Some(1),
            every: 1,
        }
    }
}

/// What happens to a request that a rule matched.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum Action {
    /// Not executed: this answer.
    Status {
        /// Status code.
        status: u16,
        /// Headers besides the common ones.
        #[serde(default)]
        headers: BTreeMap<String, String>,
        /// Body: a text is sent as it is, anything else as JSON.
        #[serde(default)]
        body: Value,
    },
    /// Not executed: the connection is closed without an answer.
    Close,
    /// Executed: the connection is closed without an answer, so that the effect happened and nobody knows.
    Drop,
    /// Executed: the connection is reset without an answer.
    Reset,
    /// Executed: the connection is closed in the middle of the body.
    CloseMidBody,
    /// Executed: the answer comes in small pieces, with a wait after each.
    Slow {
        /// Bytes of a piece.
        bytes: usize,
        /// Real time.
        milliseconds: u64,
    },
    /// Executed: the body is cut after so many bytes, half of it by default, and the answer is otherwise complete.
    Truncate {
        /// Bytes that are kept.
        #[serde(default)]
        bytes: Option<usize>,
    },
    /// Waits before executing.
    Delay {
        /// Real time.
        milliseconds: u64,
    },
    /// Executes, then waits before answering.
    Hang {
        /// Real time.
        milliseconds: u64,
    },
    /// Not executed: 200 with an HTML page, as a captive portal answers.
    Html,
    /// Not executed: 200 with no body.
    Empty,
    /// Executed: the link to the next page is another one.
    NextLink {
        /// Which.
        link: NextLink,
    },
    /// Not executed: 401, the token has expired.
    ExpiredToken,
    /// Executed: says that the body is compressed, which it is not.
    BadGzip,
    /// Executed: the operation that it starts ends with this error.
    FailOperation {
        /// Error code.
        code: String,
        /// Error message.
        message: String,
    },
    /// Executed: the job that it starts ends with this error.
    FailJob {
        /// Error code.
        code: String,
        /// Error message.
        message: String,
    },
}

/// A wrong link to the next page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NextLink {
    /// The page that was just read.
    Cyclic,
    /// Another empty page, and so on if the rule goes on.
    Endless,
    /// This link.
    To(String),
}

impl Action {
    /// The name in the journal.
    pub(crate) fn name(&self) -> String {
        let value = serde_json::to_value(self).unwrap_or_default();
        value["kind"].as_str().unwrap_or_default().to_owned()
    }

    /// Whether no status reaches the client.
    pub(crate) fn is_silent(&self) -> bool {
        matches!(self, Action::Close | Action::Drop | Action::Reset)
    }
}

/// The rules, in the order in which they are tried.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    rules: Vec<Rule>,
}

#[derive(Debug)]
struct Rule {
    fault: Fault,
    matched: u64,
    struck: u64,
}

impl Faults {
    pub(crate) fn add(&mut self, fault: Fault) {
        self.rules.push(Rule {
            fault,
            matched: 0,
            struck: 0,
        });
    }

    pub(crate) fn clear(&mut self) {
        self.rules.clear();
    }

    /// The rules and how often they matched and struck.
    pub(crate) fn describe(&self) -> Value {
        let rule = |rule: &Rule| {
            json!({
                "match": rule.fault.matches,
                "action": rule.fault.action,
                "matched": rule.matched,
                "struck": rule.struck,
            })
        };
        self.rules.iter().map(rule).collect()
    }

    /// What happens to a request: every rule that matches counts it, the first that is due strikes.
    pub(crate) fn strike(&mut self, method: &str, target: &Target) -> Option<Action> {
        let mut action = None;
        for rule in &mut self.rules {
            let matches = &rule.fault.matches;
            let same_method = matches
                .method
                .as_ref()
                .is_none_or(|wanted| wanted.eq_ignore_ascii_case(method));
            if !same_method
                || !matches
                    .path
                    .as_ref()
                    .is_none_or(|pattern| target.matches(pattern))
            {
                continue;
            }
            rule.matched += 1;
            let Some(since) = rule.matched.checked_sub(matches.nth.max(1)) else {
                continue;
            };
            let due = since.is_multiple_of(matches.every.max(1))
                && matches.times.is_none_or(|times| rule.struck < times);
            if due && action.is_none() {
                rule.struck += 1;
                action = Some(rule.fault.action.clone());
            }
        }
        action
    }
}

impl Target {
    fn matches(&self, pattern: &str) -> bool {
        let text = if self.raw_query.is_empty() {
            self.path.clone()
        } else {
            format!("{}?{}", self.path, self.raw_query)
        };
        let text = text.to_ascii_lowercase();
        let mut rest = text.as_str();
        for part in pattern.to_ascii_lowercase().split('*') {
            match rest.find(part) {
                Some(at) => rest = &rest[at + part.len()..],
                None => return false,
            }
        }
        true
    }
}

/// Reads one rule, or an array of them.
pub(crate) fn parse(body: &[u8]) -> Result<Vec<Fault>, Error> {
    let value: Value =
        serde_json::from_slice(body).map_err(|error| Error::Fault(error.to_string()))?;
    let rules = if let Value::Array(rules) = value {
        rules
    } else {
        vec![value]
    };
    let read = |rule| serde_json::from_value(rule).map_err(|error| Error::Fault(error.to_string()));
    rules.into_iter().map(read).collect()
}

/// The answer of a request that is not executed; orders failures for one that is.
pub(crate) fn instead(action: &Action, world: &mut World) -> Option<Answer> {
    match action {
        Action::Status {
            status,
            headers,
            body,
        } => {
            let mut answer = Answer::empty(*status);
            answer.body = match body {
                Value::Null => Body::Empty,
                Value::String(text) => {
                    Body::Text("text/plain; charset=utf-8", Bytes::from(text.clone()))
                }
                value => Body::Json(value.clone()),
            };
            for (name, value) in headers {
                answer.headers.push((name.clone().into(), value.clone()));
            }
            Some(answer)
        }
        Action::Close | Action::Empty => Some(Answer::empty(200)),
        Action::Html => {
            let page = "<!DOCTYPE html><html><head><title>Sign in</title></head><body>Sign in to continue</body></html>";
            let body = Body::Text(
                "text/html; charset=utf-8",
                Bytes::from_static(page.as_bytes()),
            );
            Some(Answer {
                status: 200,
                headers: Vec::new(),
                body,
            })
        }
        Action::ExpiredToken => {
            let problem = arm::expired_token(world);
            let body = Body::Json(json!({"error": problem.error("")}));
            Some(Answer {
                status: problem.status,
                headers: problem.header_pairs(),
                body,
            })
        }
        Action::FailOperation { code, message } => {
            world.failures.operation = Some((code.clone(), message.clone()));
            None
        }
        Action::FailJob { code, message } => {
            world.failures.job = Some((code.clone(), message.clone()));
            None
        }
        _ => None,
    }
}

/// Changes the content of an answer.
pub(crate) fn change(
    action: Option<&Action>,
    mut answer: Answer,
    target: &Target,
    origin: &str,
    number: u64,
) -> Answer {
    let Some(Action::NextLink { link }) = action else {
        return answer;
    };
    let link = match link {
        NextLink::Cyclic => format!("{origin}{}?{}", target.path, target.raw_query),
        NextLink::Endless => {
            let pairs = target
                .raw_query
                .split('&')
                .filter(|pair| !pair.starts_with("$skipToken"));
            let query = pairs.collect::<Vec<_>>().join("&");
            format!("{origin}{}?{query}&$skipToken=endless{number}", target.path)
        }
        NextLink::To(link) => link.clone(),
    };
    match &mut answer.body {
        Body::Page(_, next) => *next = Some(Some(link)),
        Body::Json(Value::Object(object)) if object.contains_key("value") => {
            object.insert("nextLink".to_owned(), json!(link));
        }
        _ => {}
    }
    answer
}

/// Damages an answer on its way.
pub(crate) async fn spoil(
    action: &Action,
    mut response: Response<HttpBody>,
    cut: &Cut,
) -> Response<HttpBody> {
    match action {
        Action::Close | Action::Drop => cut.after(0),
        Action::Reset => cut.reset(),
        Action::Slow {
            bytes,
            milliseconds,
        } => cut.pace(*bytes, Duration::from_millis(*milliseconds)),
        Action::CloseMidBody => {
            let body = axum::body::HttpBody::size_hint(response.body())
                .exact()
                .unwrap_or(0);
            cut.after(head_size(&response, body) + body / 2);
        }
        Action::Truncate { bytes } => {
            let body = std::mem::replace(response.body_mut(), HttpBody::empty());
            // The body is in memory, so that reading it does not fail.
            let body = axum::body::to_bytes(body, usize::MAX)
                .await
                .unwrap_or_default();
            let kept = bytes.unwrap_or(body.len() / 2).min(body.len());
            *response.body_mut() = HttpBody::from(body.slice(..kept));
        }
        Action::BadGzip => crate::headers::set(response.headers_mut(), "content-encoding", "gzip"),
        Action::Empty => {
            *response.status_mut() = StatusCode::OK;
        }
        _ => {}
    }
    response
}

/// Bytes of the head as the server will write it.
fn head_size(response: &Response<HttpBody>, body: u64) -> u64 {
    let reason = response.status().canonical_reason().unwrap_or_default();
    let status_line = format!("HTTP/1.1 {} {reason}\r\n", response.status().as_str()).len();
    let headers: usize = response
        .headers()
        .iter()
        .map(|(name, value)| name.as_str().len() + value.len() + 4)
        .sum();
    let length = if response.headers().contains_key("content-length") {
        0
    } else {
        format!("content-length: {body}\r\n").len()
    };
    (status_line + headers + length + 2) as u64
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn a_rule_strikes_from_its_nth_match_so_many_times() {
        let mut faults = Faults::default();
        let rules = br#"{"match":{"method":"get","path":"/BackupVaults*api-version","nth":2,"times":2,"every":2},"action":{"kind":"html"}}"#;
        for rule in parse(rules).unwrap() {
            faults.add(rule);
        }
        let target = Target::new("/subscriptions/s/backupvaults", Some("api-version=1"));
        let other = Target::new("/subscriptions", Some("api-version=1"));
        assert_eq!(faults.strike("GET", &other), None);
        let struck: Vec<bool> = (0..7)
            .map(|_| faults.strike("GET", &target).is_some())
            .collect();
        assert_eq!(struck, [false, true, false, true, false, false, false]);
        assert_eq!(faults.strike("PUT", &target), None);
    }

    #[test]
    fn every_action_can_be_written_as_json() {
        for text in [
            r#"{"kind":"status","status":503,"headers":{"retry-after":"7"},"body":{"error":{"code":"x"}}}"#,
            r#"{"kind":"close"}"#,
            r#"{"kind":"drop"}"#,
            r#"{"kind":"reset"}"#,
            r#"{"kind":"slow","bytes":1,"milliseconds":10}"#,
            r#"{"kind":"close_mid_body"}"#,
            r#"{"kind":"truncate","bytes":10}"#,
            r#"{"kind":"delay","milliseconds":10}"#,
            r#"{"kind":"hang","milliseconds":10}"#,
            r#"{"kind":"empty"}"#,
            r#"{"kind":"next_link","link":"cyclic"}"#,
            r#"{"kind":"next_link","link":{"to":"http://169.254.169.254/"}}"#,
            r#"{"kind":"expired_token"}"#,
            r#"{"kind":"fail_job","code":"C","message":"m"}"#,
        ] {
            let action: Action = serde_json::from_str(text).unwrap();
            assert!(!action.name().is_empty());
        }
        assert!(parse(br#"{"action":{"kind":"explode"}}"#).is_err());
        assert!(parse(br#"{"match":{"pth":"x"},"action":{"kind":"close"}}"#).is_err());
    }
}
