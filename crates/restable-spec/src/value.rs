//! Values on their way into a request: which may stand in a path, a query, a header or a host name, and percent encoding.
//! Refuses everything that could leave its place, also when it is hidden by up to three rounds of percent encoding.

use crate::error::ValueProblem;
use crate::method::{Kind, Location, Parameter};
use crate::pattern;

/// No service knows a longer name, and no server takes a much longer URL.
const LONGEST: usize = 4096;

/// So many rounds of percent decoding are looked through.
const ROUNDS: usize = 3;

pub(crate) fn check(parameter: &Parameter, text: &str) -> Result<(), ValueProblem> {
    match parameter.location {
        Location::Path if parameter.spans_segments => spanning(text)?,
        Location::Path => segment(text)?,
        Location::Query | Location::Body => query(parameter, text)?,
        Location::Header => header(text)?,
        Location::Server => host(text)?,
    }
    if parameter.format.as_deref() == Some("uuid") && !is_uuid(text) {
        return Err(ValueProblem::NotUuid);
    }
    if let Some(most) = parameter.max_length
        && text.chars().count() > most
    {
        return Err(ValueProblem::LongerThan(most));
    }
    if let Some(pattern) = &parameter.pattern
        && pattern::matches(pattern, text) == Some(false)
    {
        return Err(ValueProblem::Pattern(pattern.clone()));
    }
    match parameter.kind {
        Kind::Integer if text.parse::<i64>().is_err() => Err(ValueProblem::NotA("integer")),
        Kind::Number
            if text
                .parse::<f64>()
                .ok()
                .is_none_or(|number| !number.is_finite()) =>
        {
            Err(ValueProblem::NotA("number"))
        }
        Kind::Boolean if !matches!(text, "true" | "false") => Err(ValueProblem::NotA("boolean")),
        Kind::Integer | Kind::Number | Kind::Boolean | Kind::Text | Kind::Json => Ok(()),
    }
}

/// One segment of a path.
fn segment(text: &str) -> Result<(), ValueProblem> {
    named(text)?;
    characters(text.as_bytes(), ValueProblem::Character)?;
    let mut decoded = text.as_bytes().to_vec();
    for _ in 0..ROUNDS {
        let next = percent_decode(&decoded);
        if next == decoded {
            break;
        }
        decoded = next;
        characters(&decoded, ValueProblem::EncodedCharacter)?;
    }
    Ok(())
}

fn named(text: &str) -> Result<(), ValueProblem> {
    if text.is_empty() {
        return Err(ValueProblem::Empty);
    }
    if text.len() > LONGEST {
        return Err(ValueProblem::TooLong(text.len()));
    }
    if text.chars().any(char::is_control) {
        return Err(ValueProblem::Control);
    }
    if text.trim().is_empty() {
        return Err(ValueProblem::Blank);
    }
    Ok(())
}

fn characters(bytes: &[u8], problem: fn(&'static str) -> ValueProblem) -> Result<(), ValueProblem> {
    if matches!(bytes.trim_ascii(), b"." | b"..") {
        return Err(ValueProblem::DotSegment);
    }
    for byte in bytes {
        match byte {
            b'/' => return Err(problem("`/`")),
            b'\\' => return Err(problem("`\\`")),
            b'?' => return Err(problem("`?`")),
            b'#' => return Err(problem("`#`")),
            0..=31 | 127 => return Err(ValueProblem::Control),
            _ => {}
        }
    }
    Ok(())
}

/// An ARM id: each of its segments is a name. It may begin and end with a slash.
fn spanning(text: &str) -> Result<(), ValueProblem> {
    named(text)?;
    let inner = text.strip_prefix('/').unwrap_or(text);
    let inner = inner.strip_suffix('/').unwrap_or(inner);
    for part in inner.split('/') {
        if part.is_empty() {
            return Err(ValueProblem::EmptySegment);
        }
        segment(part)?;
    }
    Ok(())
}

/// Anything can be encoded in a query, so only values that mean nothing are refused.
fn query(parameter: &Parameter, text: &str) -> Result<(), ValueProblem> {
    if text.contains('\0') {
        return Err(ValueProblem::Control);
    }
    if parameter.required {
        if text.is_empty() {
            return Err(ValueProblem::Empty);
        }
        if text.trim().is_empty() {
            return Err(ValueProblem::Blank);
        }
    }
    Ok(())
}

fn header(text: &str) -> Result<(), ValueProblem> {
    if text.chars().any(char::is_control) {
        Err(ValueProblem::Control)
    } else {
        Ok(())
    }
}

fn host(text: &str) -> Result<(), ValueProblem> {
    if text.is_empty() {
        return Err(ValueProblem::Empty);
    }
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    let ends = text.starts_with(['.', '-']) || text.ends_with(['.', '-']) || text.contains("..");
    if text.bytes().all(allowed) && !ends {
        Ok(())
    } else {
        Err(ValueProblem::NotInHost)
    }
}

pub(crate) fn is_uuid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

/// RFC 3339, as `2026-01-31T08:30:00.123Z`. Whether a month has so many days is left to the service.
pub(crate) fn is_date_time(text: &str) -> bool {
    let Some((date, rest)) = text.split_at_checked(10) else {
        return false;
    };
    let Some((time, rest)) = rest.split_at_checked(9) else {
        return false;
    };
    let shaped = |text: &str, shape: &str| {
        text.len() == shape.len()
            && text
                .bytes()
                .zip(shape.bytes())
                .all(|(found, wanted)| match wanted {
                    b'0' => found.is_ascii_digit(),
                    other => found.eq_ignore_ascii_case(&other),
                })
    };
    let zone = match rest.strip_prefix('.') {
        None => rest,
        Some(fraction) => {
            let zone = fraction.trim_start_matches(|character: char| character.is_ascii_digit());
            if zone.len() == fraction.len() {
                return false;
            }
            zone
        }
    };
    let zoned = zone.eq_ignore_ascii_case("z") || shaped(zone, "+00:00") || shaped(zone, "-00:00");
    shaped(date, "0000-00-00") && shaped(time, "T00:00:00") && zoned
}

/// Everything but RFC 3986's unreserved characters is encoded, so that no sub-delimiter means anything to anybody.
pub(crate) fn encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                out.push(char::from(byte))
            }
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

fn percent_decode(bytes: &[u8]) -> Vec<u8> {
    let digit = |at: usize| {
        bytes
            .get(at)
            .and_then(|byte| char::from(*byte).to_digit(16))
    };
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        match (bytes[at], digit(at + 1), digit(at + 2)) {
            (b'%', Some(high), Some(low)) => {
                out.push(u8::try_from(high * 16 + low).unwrap_or(b'%'));
                at += 3;
            }
            (byte, _, _) => {
                out.push(byte);
                at += 1;
            }
        }
    }
    out
}
