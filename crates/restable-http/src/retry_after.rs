//! The wait that a service asks for, read from the four forms in which it is written. What cannot be read counts as not written.

use std::time::{Duration, SystemTime};

use http::HeaderMap;

/// A longer wait than this is no wait but a mistake.
const LONGEST: Duration = Duration::from_secs(24 * 3600);

/// The wait, the headers in milliseconds before `Retry-After`. A negative one, and a date in the past, is zero.
pub(crate) fn retry_after(headers: &HeaderMap, wall: SystemTime) -> Option<Duration> {
    let text = |name: &str| {
        headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .map(str::trim)
    };
    ["x-ms-retry-after-ms", "retry-after-ms"]
        .iter()
        .find_map(|name| number(text(name)?).map(Duration::from_millis))
        .or_else(|| {
            let value = text("retry-after")?;
            number(value)
                .map(Duration::from_secs)
                .or_else(|| date(value, wall))
        })
        .filter(|wait| *wait <= LONGEST)
}

fn number(text: &str) -> Option<u64> {
    match text.strip_prefix('-') {
        Some(digits) => is_digits(digits).then_some(0),
        None => is_digits(text).then(|| text.parse().ok()).flatten(),
    }
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn date(text: &str, wall: SystemTime) -> Option<Duration> {
    let date = httpdate::parse_http_date(text).ok()?;
    Some(date.duration_since(wall).unwrap_or(Duration::ZERO))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms() -> Result<(), Box<dyn std::error::Error>> {
        let wall = httpdate::parse_http_date("Fri, 02 Jan 2026 10:00:00 GMT")?;
        type Headers = &'static [(&'static str, &'static str)];
        let cases: [(Headers, Option<u64>); 20] = [
            (&[("retry-after", "2")], Some(2_000)),
            (&[("retry-after", " 30 ")], Some(30_000)),
            (&[("retry-after", "0")], Some(0)),
            (&[("retry-after", "-5")], Some(0)),
            (&[("retry-after", "86400")], Some(86_400_000)),
            (&[("retry-after", "86401")], None),
            (
                &[("retry-after", "Fri, 02 Jan 2026 10:00:10 GMT")],
                Some(10_000),
            ),
            (&[("retry-after", "Fri, 02 Jan 2026 09:59:50 GMT")], Some(0)),
            (
                &[("retry-after", "Friday, 02-Jan-26 10:00:10 GMT")],
                Some(10_000),
            ),
            (&[("retry-after", "Sun, 02 Jan 2028 10:00:10 GMT")], None),
            (&[("retry-after", "/bar")], None),
            (&[("retry-after", "1e9")], None),
            (&[("retry-after", "1.5")], None),
            (&[("retry-after", "+5")], None),
            (&[("retry-after", "")], None),
            (
                &[("retry-after", "1234567890123456789012345678901234567890")],
                None,
            ),
            (
                &[("x-ms-retry-after-ms", "500"), ("retry-after", "60")],
                Some(500),
            ),
            (
                &[("retry-after-ms", "250"), ("retry-after", "60")],
                Some(250),
            ),
            (
                &[("x-ms-retry-after-ms", "soon"), ("retry-after", "60")],
                Some(60_000),
            ),
            (&[], None),
        ];
        for (pairs, expected) in cases {
            let mut headers = HeaderMap::new();
            for (name, value) in pairs {
                headers.insert(
                    http::HeaderName::try_from(*name)?,
                    http::HeaderValue::from_str(value)?,
                );
            }
            assert_eq!(
                retry_after(&headers, wall),
                expected.map(Duration::from_millis),
                "{pairs:?}"
            );
        }
        Ok(())
    }
}
