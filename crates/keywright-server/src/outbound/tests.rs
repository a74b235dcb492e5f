//! The guarded client against real servers on loopback.

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use arc_swap::ArcSwapOption;
use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Redirect;
use axum::routing::get;
use tempfile::TempDir;
use tokio::sync::watch;

use super::*;
use crate::config::TlsConfig;
use crate::listen::{self, ConnectionLimits};

struct Upstream {
    folder: TempDir,
    port: u16,
    /// Requests that arrived.
    count: Arc<AtomicUsize>,
    _stop: watch::Sender<bool>,
}

const LIMITS: ConnectionLimits = ConnectionLimits {
    connections: 10,
    drain: Duration::from_secs(1),
    handshake: Duration::from_secs(5),
    head: Duration::from_secs(5),
    idle: Duration::from_secs(5),
    idle_crowded: Duration::from_secs(5),
    unread: Duration::from_secs(5),
    write: Duration::from_secs(5),
};

fn router(count: &Arc<AtomicUsize>) -> Router {
    let count = Arc::clone(count);
    Router::new()
        .route("/jwks", get(async |headers: HeaderMap| format!("{headers:?}")))
        .route("/moved", get(async || Redirect::temporary("/jwks")))
        .route("/gone", get(async || StatusCode::NOT_FOUND))
        .route("/most", get(async || vec![b' '; DOCUMENT_BYTES_MAX]))
        .route("/more", get(async || vec![b' '; DOCUMENT_BYTES_MAX + 1]))
        .route("/logo", get(async || image_of(IMAGE_BYTES_MAX)))
        .route("/large-logo", get(async || image_of(IMAGE_BYTES_MAX + 1)))
        .route("/vector", get(async || ([("content-type", "image/png")], "<svg/>")))
        .route("/unpacked", get(async || ([("content-encoding", "gzip")], "x")))
        .route("/endless", get(async || Body::new(Endless)))
        .route("/never", get(std::future::pending::<()>))
        .layer(axum::middleware::from_fn(move |request, next: axum::middleware::Next| {
            count.fetch_add(1, Ordering::SeqCst);
            next.run(request)
        }))
}

/// A PNG image of so many bytes that is said to be something else.
fn image_of(length: usize) -> ([(&'static str, &'static str); 1], Vec<u8>) {
    let mut bytes = b"\x89PNG\r\n\x1a\n".to_vec();
    bytes.resize(length, 0);
    ([("content-type", "text/html")], bytes)
}

/// A body that tells no length and never ends.
struct Endless;

impl hyper::body::Body for Endless {
    type Data = bytes::Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<hyper::body::Frame<bytes::Bytes>, Self::Error>>> {
        let frame = hyper::body::Frame::data(bytes::Bytes::from_static(&[b' '; 1024]));
        std::task::Poll::Ready(Some(Ok(frame)))
    }
}

async fn start(host: &str, secured: bool) -> Upstream {
    let folder = tempfile::tempdir().expect("a folder");
    let listener = listen::bind(format!("{host}:0").parse().expect("an address")).await;
    let listener = listener.expect("free");
    let port = listener.local_addr().expect("bound").port();
    let settings =
        TlsConfig::Development { folder: folder.path().to_owned(), host: "localhost".into() };
    let config = tls::load(&settings).expect("made");
    let slot = secured.then(|| Arc::new(ArcSwapOption::from(Some(config))));
    let (stop, stopped) = watch::channel(false);
    let count = Arc::default();
    tokio::spawn(listen::serve(listener, slot, router(&count), LIMITS, stopped));
    Upstream { folder, port, count, _stop: stop }
}

fn client(allowed: &[&str], trusted: Option<&Path>) -> Outbound {
    let config = OutboundConfig {
        extra_ca: trusted.map(tls::authority_file).into_iter().collect(),
        allow_addresses: allowed.iter().map(|raw| raw.parse().expect("a block")).collect(),
    };
    let client = Outbound::new(&config).expect("usable");
    Outbound { within: Duration::from_secs(1), ..client }
}

#[tokio::test]
async fn an_allowed_address_with_a_good_certificate_is_fetched() {
    let upstream = start("127.0.0.1", true).await;
    let client = client(&["127.0.0.1"], Some(upstream.folder.path()));
    for host in ["localhost", "127.0.0.1"] {
        let url = format!("https://{host}:{}/jwks?a=b", upstream.port);
        let document = client.fetch_json(&url).await.expect(host);
        let seen = String::from_utf8(document).expect("text");
        assert!(seen.contains(r#""accept": "application/json""#), "{seen}");
        assert!(seen.contains(&format!("\"host\": \"{host}:{}\"", upstream.port)), "{seen}");
        assert!(!seen.contains("accept-encoding") && !seen.contains("cookie"), "{seen}");
    }
    let most = client.fetch_json(&format!("https://localhost:{}/most", upstream.port)).await;
    assert_eq!(most.expect("just fits").len(), DOCUMENT_BYTES_MAX);
}

/// CVE-2026-1180, CVE-2020-10770: nothing behind the firewall is asked.
#[tokio::test]
async fn inner_addresses_are_not_asked() {
    let upstream = start("127.0.0.1", true).await;
    let (port, trusted) = (upstream.port, upstream.folder.path());
    let strict = client(&[], Some(trusted));
    for host in ["localhost", "127.0.0.1", "2130706433", "0x7f.1", "127.1", "0.0.0.0"] {
        let error = strict.fetch_json(&format!("https://{host}:{port}/jwks")).await;
        let error = error.expect_err(host);
        let refused = matches!(
            error,
            OutboundError::Address { .. } | OutboundError::Connect { .. } | OutboundError::Url(_)
        );
        assert!(refused, "{host}: {error}");
    }
    let error = strict.fetch_json(&format!("https://[::ffff:127.0.0.1]:{port}/jwks")).await;
    assert!(matches!(error, Err(OutboundError::Address { .. })), "mapped: {error:?}");
    let elsewhere = client(&["127.0.0.2"], Some(trusted));
    let error = elsewhere.fetch_json(&format!("https://localhost:{port}/jwks")).await;
    assert!(matches!(error, Err(OutboundError::Address { .. })), "another one: {error:?}");
    assert_eq!(upstream.count.load(Ordering::SeqCst), 0, "nobody knocked");
}

#[tokio::test]
async fn http_goes_only_where_it_is_allowed() {
    let upstream = start("127.0.0.1", false).await;
    let url = format!("http://127.0.0.1:{}/jwks", upstream.port);
    client(&["127.0.0.0/8"], None).fetch_json(&url).await.expect("allowed");
    let strict = client(&["10.0.0.0/8"], None);
    let error = strict.fetch_json(&url).await.expect_err("not allowed");
    assert!(matches!(error, OutboundError::Address { .. }), "{error}");
    // A public address, but nobody would know who answers: refused before it is asked.
    let error = strict.fetch_json("http://9.9.9.9/jwks").await.expect_err("in the clear");
    assert!(matches!(error, OutboundError::Address { .. }), "{error}");
    assert_eq!(upstream.count.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_certificate_must_be_for_this_name_by_somebody_known() {
    let upstream = start("127.0.0.2", true).await;
    let trusted = upstream.folder.path();
    let allowed = ["127.0.0.2"];
    let url = format!("https://127.0.0.2:{}/jwks", upstream.port);
    let error = client(&allowed, Some(trusted)).fetch_json(&url).await.expect_err("another name");
    assert!(matches!(error, OutboundError::Connect { .. }), "{error}");
    let upstream = start("127.0.0.1", true).await;
    let url = format!("https://127.0.0.1:{}/jwks", upstream.port);
    for trusted in [None, Some(trusted)] {
        let error = client(&["127.0.0.1"], trusted).fetch_json(&url).await.expect_err("unknown");
        assert!(matches!(error, OutboundError::Connect { .. }), "{error}");
    }
    let trusted = Some(upstream.folder.path());
    client(&["127.0.0.1"], trusted).fetch_json(&url).await.expect("the twin");
}

/// CVE-2026-4366: a redirect leads anywhere.
#[tokio::test]
async fn only_a_plain_and_small_200_is_taken() {
    let upstream = start("127.0.0.1", false).await;
    let client = client(&["127.0.0.1"], None);
    let fetch = async |path: &str| {
        client.fetch_json(&format!("http://127.0.0.1:{}{path}", upstream.port)).await
    };
    let moved = fetch("/moved").await;
    assert!(matches!(moved, Err(OutboundError::Status(307))), "{moved:?}");
    assert_eq!(upstream.count.load(Ordering::SeqCst), 1, "nobody followed");
    let gone = fetch("/gone").await;
    assert!(matches!(gone, Err(OutboundError::Status(404))), "{gone:?}");
    let more = fetch("/more").await;
    assert!(matches!(more, Err(OutboundError::TooLarge(DOCUMENT_BYTES_MAX))), "{more:?}");
    let endless = fetch("/endless").await;
    assert!(matches!(endless, Err(OutboundError::TooLarge(DOCUMENT_BYTES_MAX))), "{endless:?}");
    let unpacked = fetch("/unpacked").await;
    assert!(matches!(unpacked, Err(OutboundError::Malformed(_))), "{unpacked:?}");
    let never = fetch("/never").await;
    assert!(matches!(never, Err(OutboundError::TooSlow)), "{never:?}");
    fetch("/jwks").await.expect("the twin");
}

/// requirement A38: what browsers get from us as an image is one, whatever its server calls it.
#[tokio::test]
async fn an_image_is_small_and_known_by_its_bytes() {
    let upstream = start("127.0.0.1", false).await;
    let client = client(&["127.0.0.1"], None);
    let fetch = async |path: &str| {
        client.fetch_image(&format!("http://127.0.0.1:{}{path}", upstream.port)).await
    };
    let logo = fetch("/logo").await.expect("just fits");
    assert_eq!((logo.content_type, logo.bytes.len()), ("image/png", IMAGE_BYTES_MAX));
    let large = fetch("/large-logo").await;
    assert!(matches!(large, Err(OutboundError::TooLarge(IMAGE_BYTES_MAX))), "{large:?}");
    let vector = fetch("/vector").await;
    assert!(matches!(vector, Err(OutboundError::Image)), "{vector:?}");
    let moved = fetch("/moved").await;
    assert!(matches!(moved, Err(OutboundError::Status(307))), "{moved:?}");
    let asked = upstream.count.load(Ordering::SeqCst);
    let inner = self::client(&[], None);
    let inner = inner.fetch_image(&format!("http://127.0.0.1:{}/logo", upstream.port)).await;
    assert!(matches!(inner, Err(OutboundError::Address { .. })), "{inner:?}");
    assert_eq!(upstream.count.load(Ordering::SeqCst), asked, "nobody knocked");
}

#[test]
fn an_authority_that_cannot_be_read_is_named() {
    let config = OutboundConfig { extra_ca: vec!["/no/ca.pem".into()], ..Default::default() };
    let error = Outbound::new(&config).expect_err("missing").to_string();
    assert!(error.contains("outbound.extra_ca") && error.contains("/no/ca.pem"), "{error}");
}
