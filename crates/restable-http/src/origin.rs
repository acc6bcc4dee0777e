//! Where a request may go: [`Gate`] is asked before a token is fetched and before a socket is opened, and [`resolve_link`] turns a
//! link of a response into a URL or refuses it. Neither looks anything up; both judge the text alone.

use std::fmt;

use url::{Host, Origin, Url};

use crate::redact::{cut, escape};

/// Longest link that is followed, in bytes. Azure's own signed links stay below 4 KiB.
pub const LINK_LENGTH: usize = 16 * 1024;

/// Why a URL gets no request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// Not http or https.
    Scheme(String),
    /// Plain http to a host that is not this machine.
    PlainHttp(String),
    /// A real credential would go over plain http.
    CredentialOverHttp(String),
    /// The credential is for another origin.
    OtherAudience(String),
    /// The URL is on another origin than the service.
    OtherOrigin(String),
    /// A user name or password in the URL.
    UserInfo,
    /// A host that ends in a dot.
    TrailingDot,
    /// Longer than [`LINK_LENGTH`].
    TooLong(usize),
    /// Control characters, blanks at an end, or backslashes.
    Characters,
    /// `.` or `..` as a segment, which would be rewritten on the way.
    DotSegment,
    /// No URL at all; the beginning of the text.
    Malformed(String),
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refusal::Scheme(scheme) => write!(f, "the scheme `{scheme}` is not followed"),
            Refusal::PlainHttp(origin) => {
                write!(f, "plain http to `{origin}`, which is not this machine")
            }
            Refusal::CredentialOverHttp(origin) => write!(
                f,
                "a credential never goes over plain http, and `{origin}` is"
            ),
            Refusal::OtherAudience(origin) => write!(f, "the credential is not for `{origin}`"),
            Refusal::OtherOrigin(origin) => write!(f, "it leads to another origin, `{origin}`"),
            Refusal::UserInfo => f.write_str("it holds a user name or password"),
            Refusal::TrailingDot => f.write_str("its host ends in a dot"),
            Refusal::TooLong(length) => {
                write!(f, "it is {length} bytes long, more than {LINK_LENGTH}")
            }
            Refusal::Characters => {
                f.write_str("it holds control characters, backslashes or blanks at an end")
            }
            Refusal::DotSegment => f.write_str("its path holds `.` or `..`"),
            Refusal::Malformed(text) => write!(f, "`{text}` is no URL"),
        }
    }
}

/// To whom the credential of a client may be shown.
#[derive(Debug, Clone)]
pub(crate) enum Audience {
    /// There is no credential.
    Nobody,
    /// Only the service, whatever its origin; it must be https.
    Service,
    /// Only this origin, which must be the service's as well.
    Only(Origin),
}

/// Leave to send one request, given by [`Gate::authorize`] and by nothing else.
#[derive(Debug)]
pub(crate) enum Passage {
    /// Without a credential.
    Anonymous,
    /// With the token of the client's credential.
    WithToken,
}

/// The origin rule of one service.
#[derive(Debug, Clone)]
pub(crate) struct Gate {
    service: Origin,
    audience: Audience,
}

impl Gate {
    pub(crate) fn new(service: &Url, audience: Audience) -> Self {
        Self {
            service: service.origin(),
            audience,
        }
    }

    pub(crate) fn service(&self) -> &Origin {
        &self.service
    }

    /// Whether a request may go to this URL, and whether with the token. Asked before the token is.
    pub(crate) fn authorize(&self, url: &Url) -> Result<Passage, Refusal> {
        let shown = || url.origin().ascii_serialization();
        if !url.username().is_empty() || url.password().is_some() {
            return Err(Refusal::UserInfo);
        }
        if url.host_str().is_some_and(|host| host.ends_with('.')) {
            return Err(Refusal::TrailingDot);
        }
        match url.scheme() {
            "https" => {}
            "http" if is_loopback(url) => {}
            "http" => return Err(Refusal::PlainHttp(shown())),
            other => return Err(Refusal::Scheme(other.to_owned())),
        }
        if url.origin() != self.service {
            return Err(Refusal::OtherOrigin(shown()));
        }
        match &self.audience {
            Audience::Nobody => Ok(Passage::Anonymous),
            Audience::Service | Audience::Only(_) if url.scheme() != "https" => {
                Err(Refusal::CredentialOverHttp(shown()))
            }
            Audience::Only(origin) if url.origin() != *origin => {
                Err(Refusal::OtherAudience(shown()))
            }
            Audience::Service | Audience::Only(_) => Ok(Passage::WithToken),
        }
    }
}

/// Whether the host is this machine, by its text: nothing is resolved.
pub(crate) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name.eq_ignore_ascii_case("localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

/// The URL to which a link in a response leads: an absolute one on the service's origin, or a relative one resolved against the
/// URL that was asked. The text is judged before it is parsed, since a parser repairs what an attacker broke on purpose.
///
/// What is sent is the text as it came, but for a fragment, which is dropped, and for the few characters that may not stand in a URL
/// (blank, quotes, `<`, `>`), which are percent-encoded.
pub(crate) fn resolve_link(raw: &str, base: &Url, service: &Origin) -> Result<Url, Refusal> {
    if raw.len() > LINK_LENGTH {
        return Err(Refusal::TooLong(raw.len()));
    }
    if raw.trim() != raw || raw.chars().any(|c| c.is_control() || c == '\\') {
        return Err(Refusal::Characters);
    }
    let malformed =
        || Refusal::Malformed(escape(&cut(raw.split('?').next().unwrap_or_default(), 60)));
    let path = match scheme_of(raw) {
        Some((scheme, rest)) => {
            if !scheme.eq_ignore_ascii_case(base.scheme()) {
                return Err(Refusal::Scheme(scheme.to_ascii_lowercase()));
            }
            // `https:host` and `https:/host` mean different things to different parsers.
            let rest = rest.strip_prefix("//").ok_or_else(malformed)?;
            let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
            check_authority(authority).map_err(|refusal| refusal.unwrap_or_else(malformed))?;
            &rest[authority.len()..]
        }
        None => {
            let relative = raw.starts_with(|c: char| {
                c.is_ascii_alphanumeric() || matches!(c, '/' | '?' | '_' | '$' | '%')
            });
            if raw.starts_with("//") || !relative {
                return Err(malformed());
            }
            raw
        }
    };
    if has_dot_segment(path) {
        return Err(Refusal::DotSegment);
    }
    let mut url = base.join(raw).map_err(|_| malformed())?;
    url.set_fragment(None);
    if url.origin() != *service {
        return Err(Refusal::OtherOrigin(url.origin().ascii_serialization()));
    }
    Ok(url)
}

/// `Some(scheme, rest)` if the text starts with a scheme: letters before the first colon, and no slash before it.
fn scheme_of(raw: &str) -> Option<(&str, &str)> {
    let (scheme, rest) = raw.split_once(':')?;
    let letters = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'));
    letters.then_some((scheme, rest))
}

fn check_authority(authority: &str) -> Result<(), Option<Refusal>> {
    if authority.contains('@') {
        return Err(Some(Refusal::UserInfo));
    }
    let host = match authority.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => authority.split(':').next().unwrap_or_default(),
    };
    if host.is_empty() || !authority.is_ascii() || authority.contains(['%', ' ']) {
        return Err(None);
    }
    if host.ends_with('.') {
        return Err(Some(Refusal::TrailingDot));
    }
    Ok(())
}

fn has_dot_segment(path_and_query: &str) -> bool {
    let path = path_and_query.split(['?', '#']).next().unwrap_or_default();
    path.split('/').any(|segment| {
        let plain = segment.to_ascii_lowercase().replace("%2e", ".");
        plain == "." || plain == ".."
    })
}

#[cfg(test)]
pub(crate) mod tests;
