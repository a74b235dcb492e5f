//! One HTTP client: https, or http that does not leave this machine; bounded, nothing followed.

use std::fmt;
use std::io;
use std::net::IpAddr;
use std::path::Path;
use std::time::Duration;

use ::http::{HeaderMap, Method, Request, StatusCode, Uri, header};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_rustls::{ConfigBuilderExt as _, HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::{Client, connect::HttpConnector};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};
use serde::de::DeserializeOwned;

/// How long one answer may take, with everything.
const PATIENCE: Duration = Duration::from_secs(30);
/// The longest answer that is read: a page of a list with the largest clients stays below.
const ANSWER_BYTES_MAX: usize = 16 << 20;

/// Keep-alive connections to whoever is asked.
#[derive(Clone, Debug)]
pub(crate) struct Http {
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
}

/// A whole response.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    /// `X-Request-Id`, where the server gives one.
    pub(crate) request_id: Option<String>,
    pub(crate) body: Bytes,
}

/// A response whose body is still coming.
#[derive(Debug)]
pub(crate) struct Coming {
    pub(crate) status: StatusCode,
    request_id: Option<String>,
    body: UnsyncBoxBody<Bytes, HttpError>,
}

/// Why there is no answer.
#[derive(Debug)]
pub(crate) enum HttpError {
    /// Nothing may be sent to this address, or the trusted certificates cannot be read.
    Unusable(String),
    /// Nobody answers there.
    Unreachable(String),
}

impl fmt::Display for HttpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unusable(why) | Self::Unreachable(why) => f.write_str(why),
        }
    }
}

impl std::error::Error for HttpError {}

impl Http {
    /// A client that trusts the public authorities, or only those of a PEM file.
    pub(crate) fn new(ca: Option<&Path>) -> Result<Self, HttpError> {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_connect_timeout(Some(Duration::from_secs(5)));
        let https = HttpsConnectorBuilder::new()
            .with_tls_config(tls_config(ca)?)
            .https_or_http()
            .enable_http1()
            .wrap_connector(tcp);
        let builder = &mut Client::builder(TokioExecutor::new());
        Ok(Self { client: builder.pool_timer(TokioTimer::new()).build(https) })
    }

    /// Reads an address.
    pub(crate) async fn get(&self, url: &str) -> Result<Answer, HttpError> {
        self.send(Method::GET, url, HeaderMap::new(), Bytes::new()).await
    }

    /// Sends a request and reads the whole answer.
    pub(crate) async fn send(
        &self,
        method: Method,
        url: &str,
        headers: HeaderMap,
        body: Bytes,
    ) -> Result<Answer, HttpError> {
        let uri = parse_address(url)?;
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = method;
        *request.uri_mut() = uri;
        *request.headers_mut() = headers;
        let exchange = self.exchange(request, url);
        let timeout = |_| HttpError::Unreachable(format!("{url} does not answer"));
        tokio::time::timeout(PATIENCE, exchange).await.map_err(timeout)?
    }

    /// Asks for what has no end, such as a stream of events.
    pub(crate) async fn open(&self, url: &str, headers: HeaderMap) -> Result<Coming, HttpError> {
        let mut request = Request::new(Full::new(Bytes::new()));
        *request.uri_mut() = parse_address(url)?;
        *request.headers_mut() = headers;
        let timeout = |_| HttpError::Unreachable(format!("{url} does not answer"));
        tokio::time::timeout(PATIENCE, self.begin(request, url)).await.map_err(timeout)?
    }

    async fn exchange(
        &self,
        request: Request<Full<Bytes>>,
        url: &str,
    ) -> Result<Answer, HttpError> {
        let Coming { status, request_id, body } = self.begin(request, url).await?;
        let body = Limited::new(body, ANSWER_BYTES_MAX).collect().await;
        let body = body.map_err(|why| HttpError::Unreachable(format!("{url}: {why}")))?;
        Ok(Answer { status, request_id, body: body.to_bytes() })
    }

    async fn begin(&self, request: Request<Full<Bytes>>, url: &str) -> Result<Coming, HttpError> {
        let response = self.client.request(request).await.map_err(|error| {
            let why = match (error.is_connect(), is_untrusted(&error)) {
                (false, _) => "connection lost",
                (true, false) => "nobody listens there",
                (true, true) => {
                    "its certificate is not trusted; name the authority's file with --ca"
                }
            };
            HttpError::Unreachable(format!("{url}: {why}"))
        })?;
        let status = response.status();
        let request_id = response.headers().get("x-request-id");
        let request_id = request_id.and_then(|id| id.to_str().ok()).map(str::to_owned);
        let url = url.to_owned();
        let broken = move |why| HttpError::Unreachable(format!("{url}: {why}"));
        Ok(Coming { status, request_id, body: response.into_body().map_err(broken).boxed_unsync() })
    }
}

/// Whether there is no connection because the certificate on the other side does not do.
pub(crate) fn is_untrusted(error: &(dyn std::error::Error + 'static)) -> bool {
    let refuses = |error: &rustls::Error| matches!(error, rustls::Error::InvalidCertificate(_));
    let causes = std::iter::successors(Some(error), |error| error.source());
    // An I/O error names what it holds, and not as its source.
    let mut held = causes.filter_map(|cause| cause.downcast_ref::<io::Error>()?.get_ref());
    held.any(|held| held.downcast_ref().is_some_and(refuses))
}

impl Coming {
    /// The next piece of the body; nothing at its end.
    pub(crate) async fn next(&mut self, within: Duration) -> Result<Option<Bytes>, HttpError> {
        let silence = |_| HttpError::Unreachable("nothing is heard any more".to_owned());
        loop {
            let frame = tokio::time::timeout(within, self.body.frame()).await.map_err(silence)?;
            let Some(frame) = frame.transpose()? else { return Ok(None) };
            // Anything else is a trailer.
            if let Ok(piece) = frame.into_data() {
                return Ok(Some(piece));
            }
        }
    }
}

impl Answer {
    /// The body as a document.
    pub(crate) fn document<T: DeserializeOwned>(&self) -> Option<T> {
        serde_json::from_slice(&self.body).ok()
    }

    /// The body as text.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// An address that may be told a secret.
fn parse_address(raw: &str) -> Result<Uri, HttpError> {
    let refuse = |why: &str| HttpError::Unusable(format!("{raw}: {why}"));
    let uri: Uri = raw.parse().map_err(|_| refuse("not an address"))?;
    let host = uri.host().ok_or_else(|| refuse("not an address"))?;
    match uri.scheme_str() {
        Some("https") => Ok(uri),
        Some("http") if is_loopback(host) => Ok(uri),
        _ => Err(refuse("https is needed, or http on a loopback address")),
    }
}

/// Whether a host is this machine without asking anybody.
pub(super) fn is_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || bare.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// A body of `application/x-www-form-urlencoded`, and its header.
pub(super) fn encode_form(pairs: &[(&str, &str)]) -> (HeaderMap, Bytes) {
    let mut form = form_urlencoded::Serializer::new(String::new());
    form.extend_pairs(pairs);
    let kind = ::http::HeaderValue::from_static("application/x-www-form-urlencoded");
    let headers = HeaderMap::from_iter([(header::CONTENT_TYPE, kind)]);
    (headers, Bytes::from(form.finish()))
}

/// The `Authorization` of RFC 6749 §2.3.1: both halves are form-encoded before they are joined.
pub(super) fn basic(id: &str, secret: &str) -> String {
    let encode = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    format!("Basic {}", STANDARD.encode(format!("{}:{}", encode(id), encode(secret))))
}

fn tls_config(ca: Option<&Path>) -> Result<ClientConfig, HttpError> {
    let provider = rustls::crypto::aws_lc_rs::default_provider();
    let builder = ClientConfig::builder_with_provider(provider.into())
        .with_safe_default_protocol_versions()
        .map_err(|why| HttpError::Unusable(why.to_string()))?;
    let Some(file) = ca else {
        return Ok(builder.with_webpki_roots().with_no_client_auth());
    };
    let wrong = |why: &dyn fmt::Display| HttpError::Unusable(format!("{}: {why}", file.display()));
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(file).map_err(|why| wrong(&why))? {
        roots.add(certificate.map_err(|why| wrong(&why))?).map_err(|why| wrong(&why))?;
    }
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_go_to_https_or_stay_on_the_machine() {
        for good in ["https://id.example/token", "http://127.0.0.1:1/", "http://[::1]:1/x"] {
            assert!(parse_address(good).is_ok(), "{good}");
        }
        for bad in ["http://id.example/", "http://10.0.0.1/", "ftp://127.0.0.1/", "/x", ""] {
            assert!(parse_address(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn rfc6749_2_3_1_both_halves_are_encoded() {
        let header = basic("a:b", "c d");
        let decoded = STANDARD.decode(header.strip_prefix("Basic ").unwrap()).unwrap();
        assert_eq!(decoded, b"a%3Ab:c+d");
    }
}
