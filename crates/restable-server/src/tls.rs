//! The server's certificate and key, read once when it starts: a file that cannot be used stops the start.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;

/// What servers show to clients that want TLS: version 1.2 or 1.3.
#[derive(Clone)]
pub struct Tls(Arc<rustls::ServerConfig>);

impl std::fmt::Debug for Tls {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Tls")
    }
}

/// Why a certificate or key cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Unusable {
    /// The file cannot be read.
    #[error("`{}` cannot be read: {why}", .path.display())]
    Unread {
        /// The file.
        path: PathBuf,
        /// Why.
        why: std::io::Error,
    },
    /// There is nothing of the kind in the file.
    #[error("`{}` holds no {what} in the form PEM", .path.display())]
    Empty {
        /// The file.
        path: PathBuf,
        /// What it should hold.
        what: &'static str,
    },
    /// They do not go together, or are of a kind that is not known.
    #[error("the certificate and the key cannot be used: {0}")]
    Pair(#[from] rustls::Error),
}

impl Tls {
    /// Reads a certificate, with those that it was signed by, and its key.
    pub fn read(certificate: &Path, key: &Path) -> Result<Tls, Unusable> {
        let read = |path: &Path| {
            std::fs::read(path).map_err(|why| Unusable::Unread {
                path: path.to_owned(),
                why,
            })
        };
        let empty = |path: &Path, what| Unusable::Empty {
            path: path.to_owned(),
            what,
        };
        let certificates: Vec<CertificateDer<'static>> =
            CertificateDer::pem_slice_iter(&read(certificate)?)
                .collect::<Result<_, _>>()
                .map_err(|_| empty(certificate, "certificate"))?;
        if certificates.is_empty() {
            return Err(empty(certificate, "certificate"));
        }
        let private =
            PrivateKeyDer::from_pem_slice(&read(key)?).map_err(|_| empty(key, "private key"))?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(certificates, private)?;
        Ok(Tls(Arc::new(config)))
    }

    /// Speaks TLS with clients that agree on one of these protocols, or on none where none is named.
    pub(crate) fn acceptor(&self, protocols: &[&str]) -> TlsAcceptor {
        let mut config = (*self.0).clone();
        config.alpn_protocols = protocols
            .iter()
            .map(|name| name.as_bytes().to_vec())
            .collect();
        TlsAcceptor::from(Arc::new(config))
    }
}
