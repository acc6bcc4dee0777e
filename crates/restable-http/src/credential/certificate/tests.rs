//! Assertions against a verifier of another hand, and each kind of file that is refused.

use ring::signature::{RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};

use super::*;
use crate::clock::VirtualClock;

const PKCS8: &str = include_str!("../../../tests/keys/key-pkcs8.pem");
const PKCS1: &str = include_str!("../../../tests/keys/key-pkcs1.pem");
const CERTIFICATE: &str = include_str!("../../../tests/keys/certificate.pem");
const OTHER: &str = include_str!("../../../tests/keys/other-certificate.pem");
// As `openssl dgst` prints them of the certificate.
const SHA1: &str = "0eb25dfbad6c967e474c20f209d18c72101e08d8";
const SHA256: &str = "eda9b982d745f13601551734b1e37076acc5d93a63a55f3af231246df389380c";

type Result<T = ()> = std::result::Result<T, Box<dyn std::error::Error>>;

fn of_pem(content: &[u8]) -> std::result::Result<Assertion, Unusable> {
    let audience = "https://login.microsoftonline.com/tenant/oauth2/v2.0/token".to_owned();
    Assertion::of_pem(
        content,
        "client".to_owned(),
        audience,
        Arc::new(VirtualClock::default()),
    )
}

fn hex(encoded: &str) -> Result<String> {
    Ok(URL_SAFE_NO_PAD
        .decode(encoded)?
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect())
}

#[test]
fn assertions_verify() -> Result {
    for file in [
        format!("{PKCS8}{CERTIFICATE}"),
        format!("{OTHER}{CERTIFICATE}{PKCS1}"),
        format!("{PKCS1}\r\n{CERTIFICATE}\r\n"),
    ] {
        let assertion = of_pem(file.as_bytes()).map_err(|unusable| unusable.message)?;
        let token = assertion.sign()?;
        let (signed, signature) = token.rsplit_once('.').ok_or("no signature")?;
        let key =
            UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, assertion.key.public().as_ref());
        key.verify(signed.as_bytes(), &URL_SAFE_NO_PAD.decode(signature)?)
            .map_err(|_| "the signature is wrong")?;

        let (header, claims) = signed.split_once('.').ok_or("no claims")?;
        let header: serde_json::Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(header)?)?;
        assert_eq!(header["alg"], "RS256");
        assert_eq!(hex(header["x5t"].as_str().unwrap_or_default())?, SHA1);
        assert_eq!(
            hex(header["x5t#S256"].as_str().unwrap_or_default())?,
            SHA256
        );
        let claims: serde_json::Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims)?)?;
        assert_eq!(
            claims["aud"],
            "https://login.microsoftonline.com/tenant/oauth2/v2.0/token"
        );
        assert_eq!(
            (&claims["iss"], &claims["sub"]),
            (&"client".into(), &"client".into())
        );
        assert_eq!(
            claims["exp"]
                .as_u64()
                .zip(claims["iat"].as_u64())
                .map(|(end, start)| end - start),
            Some(600)
        );
        let again = assertion.sign()?;
        assert_ne!(again, token, "each assertion has an id of its own");
    }
    Ok(())
}

#[test]
fn files_that_are_refused() {
    let encrypted = "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,00\n\nAAAA\n-----END RSA PRIVATE KEY-----\n";
    for (content, message, hint) in [
        (
            b"\x30\x82\x0a\x00pfx".to_vec(),
            "is a PFX container, which is not supported",
            Some(CONVERT_PFX),
        ),
        (
            b"\x30\x82\xff\xfe".to_vec(),
            "is a PFX container, which is not supported",
            Some(CONVERT_PFX),
        ),
        (Vec::new(), "is no PEM file", Some(CONVERT_PFX)),
        (b"hello".to_vec(), "is no PEM file", Some(CONVERT_PFX)),
        (CERTIFICATE.into(), "holds no private key", None),
        (PKCS8.into(), "holds no certificate", None),
        (
            format!("{PKCS8}{OTHER}").into(),
            "holds no certificate of its private key",
            None,
        ),
        (
            encrypted.into(),
            "holds an encrypted key, which is not supported",
            Some(CONVERT_KEY),
        ),
        (
            b"-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----"
                .to_vec(),
            "holds an encrypted key, which is not supported",
            Some(CONVERT_KEY),
        ),
        (
            b"-----BEGIN EC PRIVATE KEY-----\nAAAA\n-----END EC PRIVATE KEY-----".to_vec(),
            "holds an elliptic curve key; the token service takes RSA keys",
            None,
        ),
        (
            PKCS8.replace("-----END", "").into(),
            "is no whole PEM file",
            None,
        ),
        (
            b"-----BEGIN PRIVATE KEY-----\n***\n-----END PRIVATE KEY-----".to_vec(),
            "is no whole PEM file",
            None,
        ),
        (
            b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----".to_vec(),
            "holds a private key that cannot be used: InvalidEncoding",
            None,
        ),
    ] {
        match of_pem(&content) {
            Ok(_) => assert_eq!(message, "nothing"),
            Err(unusable) => {
                assert_eq!((unusable.message.as_str(), unusable.hint), (message, hint))
            }
        }
    }
}

#[test]
fn debug_shows_no_key() -> Result {
    let assertion =
        of_pem(format!("{PKCS8}{CERTIFICATE}").as_bytes()).map_err(|unusable| unusable.message)?;
    let shown = format!("{assertion:?}");
    assert!(
        shown.starts_with("Assertion { client: \"client\"") && shown.len() < 200,
        "{shown}"
    );
    Ok(())
}
