//! The one client for addresses that others choose, such as a client's `jwks_uri` or logo.
//!
//! Whoever may name an address could make this server knock on doors behind the firewall. So a name
//! is resolved once, its addresses are judged, and the connection goes to the very address that was
//! judged: a second answer of the name server cannot change it. No redirect is followed, no proxy
//! of the environment is used, nothing is sent but the request, and what comes back is bounded.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time;
use tokio_rustls::TlsConnector;

use crate::config::{AddressBlock, OutboundConfig};
use crate::tls::{self, TlsError};

mod address;
mod exchange;
mod image;
mod target;

pub use image::{IMAGE_BYTES_MAX, Image};

use exchange::Wanted;
use target::Target;

/// A document, bytes: a key set of a hundred certificates fits.
const DOCUMENT_BYTES_MAX: usize = 256 * 1024;
/// The whole fetch; a person may be waiting for it.
const FETCH_TIMEOUT: Duration = Duration::from_secs(5);
/// One of several addresses.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// Addresses of one name that are tried.
const ADDRESSES_MAX: usize = 4;

/// Why nothing was fetched.
///
/// For the operator. The peer is told only that it failed: told apart, these reasons would be a map
/// of the network.
#[derive(Debug, thiserror::Error)]
pub enum OutboundError {
    /// An additional authority cannot be read.
    #[error("outbound.extra_ca: {0}")]
    Authority(#[from] TlsError),
    /// The address is not public and not allowed.
    #[error(
        "{host} has no address that may be reached; if one inside your network is meant, list it \
         in outbound.allow_addresses"
    )]
    Address {
        /// The host of the URL.
        host: String,
    },
    /// No connection.
    #[error("{host} cannot be reached: {reason}")]
    Connect {
        /// The host of the URL.
        host: String,
        /// What happened.
        reason: String,
    },
    /// The bytes are none of the images that are shown.
    #[error("the document is no PNG, JPEG, GIF or WebP image")]
    Image,
    /// The answer is no HTTP, or in an encoding that was not asked for.
    #[error("the answer cannot be read: {0}")]
    Malformed(String),
    /// The answer is not 200; redirects are not followed.
    #[error("the answer has status {0}; only 200 is taken, and no redirect is followed")]
    Status(u16),
    /// More bytes than such a document may have.
    #[error("the document is larger than {0} bytes")]
    TooLarge(usize),
    /// Longer than a fetch may take.
    #[error("the answer took too long")]
    TooSlow,
    /// The URL is not one that is fetched.
    #[error("the URL {0}")]
    Url(&'static str),
}

/// The guarded client.
pub struct Outbound {
    allowed: Vec<AddressBlock>,
    tls: Arc<ClientConfig>,
    within: Duration,
}

impl Outbound {
    /// A client that trusts the public authorities and the configured ones.
    pub fn new(config: &OutboundConfig) -> Result<Self, OutboundError> {
        let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
        for path in &config.extra_ca {
            for certificate in tls::read_chain(path)? {
                roots.add(certificate).map_err(TlsError::from)?;
            }
        }
        let mut tls = ClientConfig::builder_with_provider(tls::provider())
            .with_safe_default_protocol_versions()
            .map_err(TlsError::from)?
            .with_root_certificates(roots)
            .with_no_client_auth();
        tls.alpn_protocols = vec![b"http/1.1".to_vec()];
        let allowed = config.allow_addresses.clone();
        Ok(Self { allowed, tls: Arc::new(tls), within: FETCH_TIMEOUT })
    }

    /// Fetches a JSON document. Its bytes are as the peer sent them: nobody has parsed them.
    pub async fn fetch_json(&self, url: &str) -> Result<Vec<u8>, OutboundError> {
        self.fetch(url, Wanted { accept: "application/json", bytes_max: DOCUMENT_BYTES_MAX }).await
    }

    /// Fetches an image. It is one of the few kinds that cannot run anything in a browser.
    pub async fn fetch_image(&self, url: &str) -> Result<Image, OutboundError> {
        let wanted = Wanted { accept: "image/*", bytes_max: IMAGE_BYTES_MAX };
        Image::parse(self.fetch(url, wanted).await?)
    }

    async fn fetch(&self, url: &str, wanted: Wanted) -> Result<Vec<u8>, OutboundError> {
        let target = Target::parse(url)?;
        let fetched = time::timeout(self.within, self.ask(&target, wanted)).await;
        fetched.map_err(|_| OutboundError::TooSlow)?
    }

    async fn ask(&self, target: &Target, wanted: Wanted) -> Result<Vec<u8>, OutboundError> {
        let stream = self.connect(target).await?;
        if !target.is_https {
            return exchange::get(stream, target, wanted).await;
        }
        let connector = TlsConnector::from(Arc::clone(&self.tls));
        let shaken = connector.connect(target.name.clone(), stream).await;
        exchange::get(shaken.map_err(|error| unreachable(target, error))?, target, wanted).await
    }

    async fn connect(&self, target: &Target) -> Result<TcpStream, OutboundError> {
        let addresses = self.addresses(target).await?;
        let mut failure = String::new();
        for address in addresses.into_iter().take(ADDRESSES_MAX) {
            match time::timeout(CONNECT_TIMEOUT, TcpStream::connect(address)).await {
                Ok(Ok(stream)) => return Ok(stream),
                Ok(Err(error)) => failure = error.to_string(),
                Err(_) => "no answer".clone_into(&mut failure),
            }
        }
        Err(unreachable(target, failure))
    }

    /// The target's addresses, without those that may not be reached.
    async fn addresses(&self, target: &Target) -> Result<Vec<SocketAddr>, OutboundError> {
        let found = tokio::net::lookup_host((target.host.as_str(), target.port)).await;
        let found = found.map_err(|error| unreachable(target, error))?;
        let reachable = |address: &SocketAddr| self.may_reach(address.ip(), target.is_https);
        let addresses: Vec<_> = found.filter(reachable).collect();
        if addresses.is_empty() {
            return Err(OutboundError::Address { host: target.host.clone() });
        }
        Ok(addresses)
    }

    /// What nobody encrypts goes only where the operator has said so.
    fn may_reach(&self, address: IpAddr, is_https: bool) -> bool {
        let allowed = self.allowed.iter().any(|block| block.contains(address));
        allowed || (is_https && address::is_public(address))
    }
}

impl fmt::Debug for Outbound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outbound").field("allowed", &self.allowed).finish_non_exhaustive()
    }
}

/// A stream of bytes, encrypted or not.
trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

fn unreachable(target: &Target, reason: impl fmt::Display) -> OutboundError {
    OutboundError::Connect { host: target.host.clone(), reason: reason.to_string() }
}

#[cfg(test)]
mod tests;
