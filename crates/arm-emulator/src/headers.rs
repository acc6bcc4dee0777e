//! Owns the headers that every answer of the front door has, and links that look signed.

use chrono::{DateTime, Utc};
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::clock::ticks;
use crate::ids::{fingerprint, mix};
use crate::operations::Meter;

/// What the common headers are made of.
#[derive(Debug)]
pub(crate) struct Stamp<'a> {
    pub(crate) now: DateTime<Utc>,
    pub(crate) region: &'a str,
    pub(crate) request_id: &'a str,
    pub(crate) correlation_id: &'a str,
    /// The client's request id, if it asked for it back.
    pub(crate) client_request_id: Option<&'a str>,
    pub(crate) tenant: &'a str,
    pub(crate) principal: &'a str,
    /// The counter, and what is left of it.
    pub(crate) meter: Option<(Meter, u32)>,
}

/// Adds the common headers.
pub(crate) fn stamp(headers: &mut HeaderMap, stamp: &Stamp<'_>) {
    let reference = stamp.request_id.replace('-', "").to_ascii_uppercase();
    let time = stamp.now;
    set(headers, "cache-control", "no-cache");
    set(headers, "pragma", "no-cache");
    set(headers, "expires", "-1");
    set(
        headers,
        "date",
        &time.format("%a, %d %b %Y %H:%M:%S GMT").to_string(),
    );
    set(
        headers,
        "strict-transport-security",
        "max-age=31536000; includeSubDomains",
    );
    set(headers, "x-content-type-options", "nosniff");
    set(headers, "x-cache", "CONFIG_NOCACHE");
    let seconds = time.format("%Y-%m-%dT%H:%M:%SZ");
    set(
        headers,
        "x-msedge-ref",
        &format!("Ref A: {reference} Ref B: EMU000000000001 Ref C: {seconds}"),
    );
    set(headers, "x-ms-request-id", stamp.request_id);
    set(headers, "x-ms-correlation-request-id", stamp.correlation_id);
    let routing = format!(
        "{}:{}:{}",
        stamp.region.to_ascii_uppercase(),
        time.format("%Y%m%dT%H%M%SZ"),
        stamp.request_id
    );
    set(headers, "x-ms-routing-request-id", &routing);
    if let Some(id) = stamp.client_request_id {
        set(headers, "x-ms-client-request-id", id);
    }
    if let Some((meter, left)) = stamp.meter {
        set(headers, meter.header, &left.to_string());
        if let Some(version) = meter.version {
            set(headers, "x-ms-throttling-version", version);
        }
        let identifier = format!(
            "tenantId={},objectId={}/{}/{}",
            stamp.tenant, stamp.principal, stamp.region, stamp.request_id
        );
        set(headers, "x-ms-operation-identifier", &identifier);
    }
}

/// Sets a header; a value that cannot be one is left out.
pub(crate) fn set(headers: &mut HeaderMap, name: &str, value: &str) {
    if let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), HeaderValue::from_str(value)) {
        headers.insert(name, value);
    }
}

/// `&t=..&c=..&s=..&h=..`: as long as a certificate and a signature are. It proves nothing; it is only to be sent back
/// byte for byte.
pub(crate) fn signature(seed: u64, path: &str, time: DateTime<Utc>) -> String {
    let ticks = ticks(time);
    let hash = fingerprint(path) ^ ticks as u64;
    format!(
        "&t={ticks}&c=MIIHpTCCBo2gAwIBAgITO{}&s={}&h={}",
        noise(seed, 1, 1_980),
        noise(hash, 2, 342),
        noise(hash, 3, 43)
    )
}

fn noise(seed: u64, label: u64, length: usize) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut text = String::with_capacity(length);
    for block in 0.. {
        let mut bits = mix(seed, label, block);
        for _ in 0..10 {
            if text.len() == length {
                return text;
            }
            text.push(char::from(ALPHABET[(bits & 63) as usize]));
            bits >>= 6;
        }
    }
    text
}
