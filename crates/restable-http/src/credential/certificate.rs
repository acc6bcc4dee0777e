//! A service principal's certificate: a PEM file in, signed client assertions out (RFC 7523), with ring and without OpenSSL. Keys that are
//! encrypted, PFX containers and keys other than RSA are refused with the command that turns them into what is read.

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ring::digest;
use ring::rand::SystemRandom;
use ring::rsa::{KeyPair, PublicKeyComponents};
use ring::signature::RSA_PKCS1_SHA256;

use crate::clock::Clock;

/// A larger file holds no certificate and key.
const LARGEST: u64 = 1 << 20;
/// Life of an assertion. The token service accepts more, but nobody needs it.
const LIFE: Duration = Duration::from_secs(600);
/// Clocks differ.
const SKEW: Duration = Duration::from_secs(60);

const CONVERT_PFX: &str =
    "`openssl pkcs12 -in FILE -out FILE.pem -nodes` turns it into an unencrypted PEM file";
const CONVERT_KEY: &str = "`openssl pkey -in FILE -out KEY.pem` writes the key unencrypted; the certificate goes below it";

/// Why a file gives no assertions: the problem, and what to do.
#[derive(Debug)]
pub(crate) struct Unusable {
    pub message: String,
    pub hint: Option<&'static str>,
}

/// Signs assertions for one application.
pub(crate) struct Assertion {
    key: KeyPair,
    thumbprint: String,
    thumbprint_sha256: String,
    client: String,
    audience: String,
    clock: Arc<dyn Clock>,
}

impl fmt::Debug for Assertion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Assertion")
            .field("client", &self.client)
            .field("audience", &self.audience)
            .finish_non_exhaustive()
    }
}

impl Assertion {
    /// Reads the file.
    pub(crate) fn open(
        path: &Path,
        client: String,
        audience: String,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, Unusable> {
        let unreadable = |error: &std::io::Error| Unusable {
            message: format!("`{}` cannot be read: {error}", path.display()),
            hint: None,
        };
        let length = std::fs::metadata(path)
            .map_err(|error| unreadable(&error))?
            .len();
        if length > LARGEST {
            return Err(Unusable {
                message: format!(
                    "`{}` is {length} bytes long, too large for a certificate",
                    path.display()
                ),
                hint: None,
            });
        }
        let content = std::fs::read(path).map_err(|error| unreadable(&error))?;
        Self::of_pem(&content, client, audience, clock).map_err(|unusable| Unusable {
            message: format!("`{}` {}", path.display(), unusable.message),
            ..unusable
        })
    }

    fn of_pem(
        content: &[u8],
        client: String,
        audience: String,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, Unusable> {
        let unusable = |message: &str, hint| Unusable {
            message: message.to_owned(),
            hint,
        };
        let Some(text) = std::str::from_utf8(content)
            .ok()
            .filter(|text| text.contains("-----BEGIN "))
        else {
            // A PFX container is DER, which starts with a sequence.
            return Err(match content.first() {
                Some(0x30) => unusable(
                    "is a PFX container, which is not supported",
                    Some(CONVERT_PFX),
                ),
                _ => unusable("is no PEM file", Some(CONVERT_PFX)),
            });
        };
        let blocks = blocks(text).ok_or_else(|| unusable("is no whole PEM file", None))?;
        let mut key = None;
        let mut certificates = Vec::new();
        for Block {
            label,
            encrypted,
            bytes,
        } in blocks
        {
            let parsed = match label {
                _ if encrypted => {
                    return Err(unusable(
                        "holds an encrypted key, which is not supported",
                        Some(CONVERT_KEY),
                    ));
                }
                "ENCRYPTED PRIVATE KEY" => {
                    return Err(unusable(
                        "holds an encrypted key, which is not supported",
                        Some(CONVERT_KEY),
                    ));
                }
                "EC PRIVATE KEY" => {
                    return Err(unusable(
                        "holds an elliptic curve key; the token service takes RSA keys",
                        None,
                    ));
                }
                "CERTIFICATE" => {
                    certificates.push(bytes);
                    continue;
                }
                "PRIVATE KEY" => KeyPair::from_pkcs8(&bytes),
                "RSA PRIVATE KEY" => KeyPair::from_der(&bytes),
                _ => continue,
            };
            let parsed = parsed.map_err(|reason| {
                unusable(
                    &format!("holds a private key that cannot be used: {reason}"),
                    None,
                )
            })?;
            key.get_or_insert(parsed);
        }
        let key = key.ok_or_else(|| unusable("holds no private key", None))?;
        if certificates.is_empty() {
            return Err(unusable("holds no certificate", None));
        }
        // A chain may stand in any order; the certificate of the key is the one that holds the key's modulus.
        let modulus = PublicKeyComponents::<Vec<u8>>::from(key.public()).n;
        let own = certificates
            .iter()
            .find(|certificate| {
                certificate
                    .windows(modulus.len())
                    .any(|window| *window == *modulus)
            })
            .ok_or_else(|| unusable("holds no certificate of its private key", None))?;
        let thumbprint = |algorithm| URL_SAFE_NO_PAD.encode(digest::digest(algorithm, own));
        Ok(Self {
            thumbprint: thumbprint(&digest::SHA1_FOR_LEGACY_USE_ONLY),
            thumbprint_sha256: thumbprint(&digest::SHA256),
            key,
            client,
            audience,
            clock,
        })
    }

    /// A new assertion, valid for ten minutes.
    pub(crate) fn sign(&self) -> Result<String, String> {
        let seconds = |time: SystemTime| {
            time.duration_since(SystemTime::UNIX_EPOCH)
                .unwrap_or_default()
                .as_secs()
        };
        let now = self.clock.wall();
        let header = serde_json::json!({
            "alg": "RS256", "typ": "JWT", "x5t": self.thumbprint, "x5t#S256": self.thumbprint_sha256,
        });
        let claims = serde_json::json!({
            "aud": self.audience, "iss": self.client, "sub": self.client, "jti": uuid::Uuid::new_v4().to_string(),
            "nbf": seconds(now - SKEW), "iat": seconds(now), "exp": seconds(now + LIFE),
        });
        let encode = |value: &serde_json::Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", encode(&header), encode(&claims));
        let mut signature = vec![0; self.key.public().modulus_len()];
        self.key
            .sign(
                &RSA_PKCS1_SHA256,
                &SystemRandom::new(),
                signed.as_bytes(),
                &mut signature,
            )
            .map_err(|_| "the assertion cannot be signed with this key".to_owned())?;
        Ok(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }
}

struct Block<'a> {
    label: &'a str,
    encrypted: bool,
    bytes: Vec<u8>,
}

/// The blocks of a PEM file; `None` if one has no end or is no base64.
fn blocks(text: &str) -> Option<Vec<Block<'_>>> {
    let mut blocks = Vec::new();
    let mut rest = text;
    while let Some(start) = rest.find("-----BEGIN ") {
        rest = &rest[start + "-----BEGIN ".len()..];
        let (label, after) = rest.split_once("-----")?;
        let end = format!("-----END {label}-----");
        let (content, after) = after.split_once(end.as_str())?;
        // RFC 1421 headers (`Proc-Type: 4,ENCRYPTED`) end at a blank line; no line of base64 holds a colon.
        let encrypted = content.contains("Proc-Type") && content.contains("ENCRYPTED");
        let body: String = content
            .lines()
            .filter(|line| !line.contains(':'))
            .flat_map(str::split_whitespace)
            .collect();
        let bytes = if encrypted {
            Vec::new()
        } else {
            STANDARD.decode(body).ok()?
        };
        blocks.push(Block {
            label,
            encrypted,
            bytes,
        });
        rest = after;
    }
    Some(blocks)
}

#[cfg(test)]
mod tests;
