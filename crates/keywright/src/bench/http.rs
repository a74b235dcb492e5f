//! The client side of HTTP/1.1: keep-alive connections, bounded answers, nothing followed.

use std::fmt;
use std::path::Path;
use std::time::Duration;

use ::http::header::{HeaderMap, LOCATION};
use ::http::{Request, StatusCode};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_rustls::{ConfigBuilderExt as _, HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::{Client, connect::HttpConnector};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};
use serde::Deserialize;

use crate::peer::is_untrusted;

/// A request that waits longer for a connection, or then for its answer, has failed.
pub(super) const TIMEOUT: Duration = Duration::from_secs(5);
/// No answer of a token, introspection or metadata endpoint is nearly as long.
const MAX_ANSWER_LEN: usize = 1 << 20;

/// One server's keep-alive connections.
pub(super) struct Http {
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
}

/// A whole response.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

/// Why a request did not count as served.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum Failure {
    /// The server's certificate is not trusted.
    Certificate,
    /// No connection came about.
    Connect,
    /// Every refresh family is dead or in flight.
    Exhausted,
    /// It fell due, and the run was ended before it could be sent.
    Interrupted,
    /// A good status, but not the answer that it promises.
    Malformed(&'static str),
    /// All connections were busy until its time was over; it was never sent.
    Overdue,
    /// A status that means refusal, with the OAuth error code if there was one.
    Refused(u16, Option<String>),
    /// The sign-in page came back: the user name or the password is wrong.
    SignIn,
    /// Sent, but not answered in time.
    Timeout,
    /// The connection broke.
    Transport,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Certificate => {
                f.write_str("the certificate is not trusted; name the authority's file with --ca")
            }
            Self::Connect => f.write_str("no connection"),
            Self::Exhausted => f.write_str("no refresh family left"),
            Self::Interrupted => f.write_str("not sent: interrupted"),
            Self::Malformed(what) => write!(f, "malformed answer: {what}"),
            Self::Overdue => f.write_str("not sent: all connections busy"),
            Self::Refused(status, Some(code)) => write!(f, "{status} {code}"),
            Self::Refused(status, None) => write!(f, "{status}"),
            Self::SignIn => f.write_str("the sign-in was refused"),
            Self::Timeout => f.write_str("timeout"),
            Self::Transport => f.write_str("connection lost"),
        }
    }
}

impl Http {
    pub(super) fn new(connections: u16, ca: Option<&Path>) -> Result<Self, String> {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_connect_timeout(Some(TIMEOUT));
        let https = HttpsConnectorBuilder::new()
            .with_tls_config(tls_config(ca)?)
            .https_or_http()
            // HTTP/2 would put everything in flight on one connection.
            .enable_http1()
            .wrap_connector(tcp);
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_max_idle_per_host(usize::from(connections))
            .build(https);
        Ok(Self { client })
    }

    /// One request, answered within [`TIMEOUT`].
    pub(super) async fn send(&self, request: Request<Full<Bytes>>) -> Result<Answer, Failure> {
        self.send_within(TIMEOUT, request).await
    }

    /// One request of several that have a time in common.
    pub(super) async fn send_within(
        &self,
        patience: Duration,
        request: Request<Full<Bytes>>,
    ) -> Result<Answer, Failure> {
        let answered = tokio::time::timeout(patience, self.exchange(request)).await;
        answered.unwrap_or(Err(Failure::Timeout))
    }

    async fn exchange(&self, request: Request<Full<Bytes>>) -> Result<Answer, Failure> {
        let response = self.client.request(request).await.map_err(|error| {
            match (error.is_connect(), is_untrusted(&error)) {
                (true, true) => Failure::Certificate,
                (true, false) => Failure::Connect,
                (false, _) => Failure::Transport,
            }
        })?;
        let (head, body) = response.into_parts();
        let body = Limited::new(body, MAX_ANSWER_LEN).collect().await;
        let body = body.map_err(|_| Failure::Transport)?.to_bytes();
        Ok(Answer { status: head.status, headers: head.headers, body })
    }
}

impl Answer {
    /// An answer that no server gave.
    #[cfg(test)]
    pub(super) fn of(status: StatusCode, body: &str) -> Self {
        let body = Bytes::copy_from_slice(body.as_bytes());
        Self { status, headers: HeaderMap::new(), body }
    }

    /// The document of a successful answer.
    pub(super) fn parse<'a, T: Deserialize<'a>>(
        &'a self,
        missing: &'static str,
    ) -> Result<T, Failure> {
        self.succeeded()?;
        serde_json::from_slice(&self.body).map_err(|_| Failure::Malformed(missing))
    }

    pub(super) fn succeeded(&self) -> Result<(), Failure> {
        if self.status == StatusCode::OK {
            return Ok(());
        }
        Err(Failure::Refused(self.status.as_u16(), self.error_code()))
    }

    /// Where it sends a browser.
    pub(super) fn location(&self) -> Option<&str> {
        let location = self.headers.get(LOCATION).filter(|_| self.status.is_redirection());
        location.and_then(|location| location.to_str().ok())
    }

    /// RFC 6749 §5.2.
    fn error_code(&self) -> Option<String> {
        #[derive(Deserialize)]
        struct Refusal {
            error: String,
        }
        parse_error_code(&serde_json::from_slice::<Refusal>(&self.body).ok()?.error)
    }
}

/// An error code, if it looks like one: it becomes a line of the report.
pub(super) fn parse_error_code(code: &str) -> Option<String> {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    ((1..=40).contains(&code.len()) && code.bytes().all(plain)).then(|| code.to_owned())
}

fn tls_config(ca: Option<&Path>) -> Result<ClientConfig, String> {
    let provider = rustls::crypto::aws_lc_rs::default_provider();
    let builder = ClientConfig::builder_with_provider(provider.into());
    let builder = builder.with_safe_default_protocol_versions().map_err(|why| why.to_string())?;
    let Some(file) = ca else {
        return Ok(builder.with_webpki_roots().with_no_client_auth());
    };
    let wrong = |why: &dyn fmt::Display| format!("{}: {why}", file.display());
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(file).map_err(|why| wrong(&why))? {
        roots.add(certificate.map_err(|why| wrong(&why))?).map_err(|why| wrong(&why))?;
    }
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(status: u16, body: &str) -> Failure {
        let status = StatusCode::from_u16(status).unwrap();
        let answer = Answer::of(status, body);
        answer.parse::<serde_json::Value>("JSON").unwrap_err()
    }

    #[test]
    fn a_refusal_is_named_by_status_and_code() {
        let long = format!(r#"{{"error":"{}"}}"#, "a".repeat(41));
        for (status, body, want) in [
            (400, r#"{"error":"invalid_grant"}"#, "400 invalid_grant"),
            (503, "busy", "503"),
            (400, r#"{"error":"<b>"}"#, "400"),
            (400, long.as_str(), "400"),
            (302, "", "302"),
            (200, "{", "malformed answer: JSON"),
        ] {
            assert_eq!(refusal(status, body).to_string(), want);
        }
    }

    #[test]
    fn a_missing_certificate_file_is_named() {
        let wrong = Http::new(1, Some(Path::new("no-such-file.pem"))).err().unwrap();
        assert!(wrong.contains("no-such-file.pem"), "{wrong}");
        assert!(Http::new(1, None).is_ok());
    }
}
