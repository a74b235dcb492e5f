//! The server's certificate: files, or an authority of our own for development.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::config::{ConfigError, TlsConfig};
use crate::environment::{Environment as _, SystemEnvironment};

mod development;

pub use development::authority_file;

/// HTTP/2 first; RFC 7301.
const PROTOCOLS: [&[u8]; 2] = [b"h2", b"http/1.1"];

/// A certificate that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The development authority could not be made.
    #[error("the development certificate cannot be made: {0}; make the data folder writable")]
    Development(String),
    /// A file of it is not what it should be.
    #[error("{}: {what}; put a PEM file there, or correct its name", .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// A file of ours that others can read, or none.
    #[error(transparent)]
    Private(#[from] ConfigError),
    /// Certificate and key do not fit, or are of a kind that is not supported.
    #[error("the certificate and its key cannot be used: {0}; check that they belong together")]
    Unusable(#[from] rustls::Error),
}

/// The one source of cryptography for all TLS.
pub fn provider() -> Arc<CryptoProvider> {
    static PROVIDER: std::sync::LazyLock<Arc<CryptoProvider>> =
        std::sync::LazyLock::new(|| Arc::new(rustls::crypto::aws_lc_rs::default_provider()));
    Arc::clone(&PROVIDER)
}

/// What the listener needs to speak TLS. A development certificate is made or renewed on the way.
pub fn load(config: &TlsConfig) -> Result<Arc<ServerConfig>, TlsError> {
    match config {
        TlsConfig::Development { folder, host } => {
            let made = development::ensure(folder, host, SystemEnvironment.now())?;
            tracing::info!(
                authority = %authority_file(folder).display(),
                "TLS for development: only who installs this authority trusts this server"
            );
            server_config(made.chain, made.key)
        }
        TlsConfig::Files { certificate, key } => {
            server_config(read_chain(certificate)?, read_key(key)?)
        }
    }
}

fn server_config(
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
) -> Result<Arc<ServerConfig>, TlsError> {
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    config.alpn_protocols = PROTOCOLS.iter().map(|name| name.to_vec()).collect();
    Ok(Arc::new(config))
}

/// The certificates of a PEM file, at least one.
pub(crate) fn read_chain(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let refuse = |what: String| TlsError::File { path: path.to_owned(), what };
    let found = CertificateDer::pem_file_iter(path).map_err(|error| refuse(error.to_string()))?;
    let chain: Vec<_> =
        found.collect::<Result<_, _>>().map_err(|error| refuse(error.to_string()))?;
    if chain.is_empty() {
        return Err(refuse("no certificate in it".into()));
    }
    Ok(chain)
}

fn read_key(path: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    PrivateKeyDer::from_pem_file(path)
        .map_err(|error| TlsError::File { path: path.to_owned(), what: error.to_string() })
}

#[cfg(test)]
mod tests;
