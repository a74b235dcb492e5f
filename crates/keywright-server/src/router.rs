//! The way in: which tenant, which request, whose address; then the endpoint.

use std::borrow::Cow;
use std::convert::Infallible;
use std::net::{IpAddr, Ipv6Addr};
use std::ops::Deref;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::task::{Context, Poll};
use std::time::Instant;

use axum::body::{Body, HttpBody};
use axum::extract::FromRequestParts;
use axum::response::Response;
use axum::{BoxError, Router};
use bytes::Bytes;
use http::request::Parts;
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, HeaderValue, Request, StatusCode, Uri, header};
use keywright_protocol::audit::Origin;
use keywright_protocol::id::{RequestId, TenantId};
use keywright_protocol::time::Timestamp;
use keywright_protocol::wire::{ErrorCode, WireError};
use tower::{Service, ServiceExt};

use crate::app::App;
use crate::config::ServerConfig;
use crate::endpoint;
use crate::endpoint::cors::CrossOrigin;
use crate::environment::{random, within};
use crate::error::error_response;
use crate::interaction::page::error_page;
use crate::listen::PeerAddress;
use crate::load::Class;
use crate::tenants::TenantState;

/// What is known of a request before its endpoint reads it.
#[derive(Clone)]
pub struct Ctx(Arc<RequestContext>);

/// See [`Ctx`].
pub struct RequestContext {
    /// What every request shares.
    pub app: Arc<App>,
    /// The tenant that its path names.
    pub tenant: Arc<TenantState>,
    /// Where it comes from.
    pub origin: Origin,
    /// When it had arrived, milliseconds.
    arrived_at: AtomicI64,
    /// The address that asked, behind the trusted proxies.
    pub address: IpAddr,
    request_id: RequestId,
}

impl Deref for Ctx {
    type Target = RequestContext;

    fn deref(&self) -> &RequestContext {
        &self.0
    }
}

impl RequestContext {
    /// The moment at which it is judged: when the last of it had arrived.
    pub fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.arrived_at.load(Ordering::Relaxed))
    }

    /// Its body has arrived: whoever holds a body back gains no time by it.
    pub fn arrived(&self) {
        self.arrived_at.store(self.app.now().as_millis(), Ordering::Relaxed);
    }

    /// The request's identifier.
    pub const fn request_id(&self) -> &RequestId {
        &self.request_id
    }

    /// The network that asked, for throttles.
    pub fn network(&self) -> String {
        match network_of(self.address) {
            IpAddr::V4(address) => address.to_string(),
            IpAddr::V6(network) => format!("{network}/64"),
        }
    }

    /// The tenant's issuer.
    pub fn issuer(&self) -> &str {
        &self.tenant.issuer
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Ctx {
    type Rejection = StatusCode;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, StatusCode> {
        parts.extensions.get::<Self>().cloned().ok_or(StatusCode::INTERNAL_SERVER_ERROR)
    }
}

/// The service behind the listener.
#[derive(Clone)]
pub struct Dispatch {
    app: Arc<App>,
    router: Router,
}

impl Dispatch {
    /// The service of an application.
    pub fn new(app: Arc<App>) -> Self {
        Self { router: endpoint::routes(), app }
    }

    /// The same endpoints over another application.
    #[must_use]
    pub fn over(&self, app: Arc<App>) -> Self {
        Self { router: self.router.clone(), app }
    }

    async fn answer<B>(self, mut request: Request<B>) -> Response
    where
        B: HttpBody<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        // Measured for the metric alone: nothing is decided by it.
        let started = Instant::now();
        let begun_at = self.app.now();
        let request_id = RequestId::new(begun_at, random(&*self.app.environment));
        let prepared = self.prepare(&mut request, begun_at, &request_id);
        // The path below the issuer, as it is by now.
        let label = endpoint::label(request.uri().path());
        let class = Class::of(request.uri().path());
        let places = self.app.config.load().limits.requests;
        // What names no issuer is answered at once and needs no place.
        let entered = class.zip(prepared.as_ref()).map(|(class, ctx)| {
            self.app.load.enter(class, network_of(ctx.address), places).ok_or(class)
        });
        let response = match prepared {
            Some(ctx) if let Some(Err(class)) = entered => {
                send_away(&ctx, class, request.headers())
            }
            Some(ctx) => {
                let cross_origin = CrossOrigin::of(&ctx.tenant, &request);
                let preflight = cross_origin.as_ref().and_then(CrossOrigin::preflight);
                let mut response = match preflight {
                    Some(response) => response,
                    None => self.run(ctx, request.map(Body::new)).await,
                };
                if let Some(cross_origin) = cross_origin {
                    cross_origin.mark(response.headers_mut());
                }
                response
            }
            None => self.refuse(ErrorCode::NotFound, "there is no such issuer here"),
        };
        self.app.metrics.request(label, started.elapsed().as_secs_f64());
        finish(response, &request_id, &self.app)
    }

    async fn run(&self, ctx: Ctx, mut request: Request<Body>) -> Response {
        let limit = self.app.config.load().limits.request_timeout;
        let answer = async {
            if let Some(endpoint) = endpoint::straight(request.method(), request.uri().path()) {
                return endpoint(ctx, request).await;
            }
            request.extensions_mut().insert(ctx);
            let Ok(response) = self.router.clone().oneshot(request).await;
            response
        };
        match within(&*self.app.environment, limit, answer).await {
            Some(response) => response,
            None => {
                let why = "the answer took too long; try again";
                self.refuse(ErrorCode::TemporarilyUnavailable, why)
            }
        }
    }

    fn refuse(&self, code: ErrorCode, why: &'static str) -> Response {
        error_response(&self.app.root_issuer(), WireError::new(code, why))
    }

    /// Finds the tenant, and rewrites the path to what stands below its issuer.
    fn prepare<B>(
        &self,
        request: &mut Request<B>,
        begun_at: Timestamp,
        request_id: &RequestId,
    ) -> Option<Ctx> {
        let config = self.app.config.load();
        let (tenant, path) = split_path(request.uri().path(), issuer_path(&config.issuer))?;
        let tenant = self.app.tenant(&tenant)?;
        if path != request.uri().path() {
            *request.uri_mut() = with_path(request.uri(), &path)?;
        }
        let peer = request.extensions().get::<PeerAddress>()?;
        let address = client_address(&config.server, peer.ip, request.headers());
        let ip = if address == peer.ip { peer.text.clone() } else { address.to_string().into() };
        let origin = Origin {
            tenant: tenant.id(),
            request_id: Some(request_id.clone()),
            ip: Some(ip),
            user_agent: user_agent(request.headers()),
        };
        let arrived_at = AtomicI64::new(begun_at.as_millis());
        let app = Arc::clone(&self.app);
        let request_id = request_id.clone();
        Some(Ctx(Arc::new(RequestContext { app, tenant, origin, arrived_at, address, request_id })))
    }
}

/// The rightmost address that no trusted proxy wrote; the list is empty by default, and then the
/// header means nothing.
fn client_address(server: &ServerConfig, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
    let forwarded = headers.get_all("x-forwarded-for").iter();
    server.client_address(peer, forwarded.map(|line| line.to_str().unwrap_or_default()))
}

impl<B> Service<Request<B>> for Dispatch
where
    B: HttpBody<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    type Response = Response;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let this = self.clone();
        Box::pin(async move { Ok(this.answer(request).await) })
    }
}

/// The first address of a network: an IPv6 subscriber has a whole /64 of addresses.
fn network_of(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(address) => address.into(),
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into(),
    }
}

fn send_away(ctx: &Ctx, class: Class, headers: &HeaderMap) -> Response {
    ctx.app.metrics.request_shed(class.as_str());
    let why = "the server has too much to do; try again";
    let wire = WireError::new(ErrorCode::TemporarilyUnavailable, why);
    match class {
        Class::Person => error_page(ctx, headers, wire),
        Class::Administration | Class::Document | Class::Token => {
            error_response(&ctx.app.root_issuer(), wire)
        }
    }
}

const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

fn finish(mut response: Response, request_id: &RequestId, app: &App) -> Response {
    let unavailable = response.status() == StatusCode::SERVICE_UNAVAILABLE;
    let headers = response.headers_mut();
    if let Ok(value) = HeaderValue::from_str(request_id.as_str()) {
        headers.insert(X_REQUEST_ID, value);
    }
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if unavailable {
        // CONTRACT §6: a 503 always says when. Not to all the same: they would come back together.
        let [chance] = random(&*app.environment);
        headers.insert(header::RETRY_AFTER, HeaderValue::from(1 + u16::from(chance) % 3));
    }
    if app.config.load().issuer.starts_with("https://") {
        let year = HeaderValue::from_static("max-age=31536000");
        headers.insert(header::STRICT_TRANSPORT_SECURITY, year);
    }
    response
}

/// Enough of the program's name to recognise it; it goes into the audit log.
fn user_agent(headers: &HeaderMap) -> Option<Arc<str>> {
    const BYTES_MAX: usize = 200;
    // Visible ASCII alone: any byte is where a character ends.
    let text = headers.get(header::USER_AGENT)?.to_str().ok()?;
    Some(text.get(..BYTES_MAX).unwrap_or(text).into())
}

/// The path of an issuer: empty for most.
pub fn issuer_path(issuer: &str) -> &str {
    let rest = issuer.split_once("://").map_or("", |(_, rest)| rest);
    rest.find('/').and_then(|at| rest.get(at..)).unwrap_or("")
}

/// The tenant that a path names, and the path below its issuer.
///
/// RFC 8414 §3.1 puts the well-known part before an issuer's path; OpenID Connect Discovery §4 puts
/// it behind. Both lead to the same document.
fn split_path<'a>(path: &'a str, base: &str) -> Option<(TenantId, Cow<'a, str>)> {
    for document in ["/.well-known/oauth-authorization-server", "/.well-known/openid-configuration"]
    {
        if let Some(inserted) = path.strip_prefix(document).filter(|rest| !rest.is_empty()) {
            let (tenant, rest) = split_tenant(inserted.strip_prefix(base)?)?;
            return rest.is_empty().then_some((tenant, Cow::Borrowed(document)));
        }
        if path == document && !base.is_empty() {
            return None;
        }
    }
    let below = path.strip_prefix(base)?;
    let (tenant, rest) = split_tenant(below)?;
    Some((tenant, Cow::Borrowed(if rest.is_empty() { "/" } else { rest })))
}

fn split_tenant(path: &str) -> Option<(TenantId, &str)> {
    let Some(rest) = path.strip_prefix("/t/") else {
        return Some((TenantId::default_tenant(), path));
    };
    let end = rest.find('/').unwrap_or(rest.len());
    let (name, rest) = rest.split_at_checked(end)?;
    let tenant = TenantId::parse(name).ok()?;
    // One path for one tenant: the default one has no name in its issuer.
    (!tenant.is_default()).then_some((tenant, rest))
}

fn with_path(uri: &Uri, path: &str) -> Option<Uri> {
    let text = match uri.query() {
        Some(query) => format!("{path}?{query}"),
        None => path.to_owned(),
    };
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(text.parse::<PathAndQuery>().ok()?);
    Uri::from_parts(parts).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_names_one_tenant() {
        let split =
            |path: &str| split_path(path, "").map(|(t, p)| (t.as_str().to_owned(), p.into_owned()));
        let some = |t: &str, p: &str| Some((t.to_owned(), p.to_owned()));
        assert_eq!(split("/token"), some("default", "/token"));
        assert_eq!(split("/t/shop/token"), some("shop", "/token"));
        assert_eq!(split("/t/shop"), some("shop", "/"));
        assert_eq!(split("/t/default/token"), None);
        assert_eq!(split("/t/SHOP/token"), None);
        let document = "/.well-known/oauth-authorization-server";
        assert_eq!(split(&format!("{document}/t/shop")), some("shop", document));
        assert_eq!(split(&format!("/t/shop{document}")), some("shop", document));
        assert_eq!(split(document), some("default", document));
        assert_eq!(split(&format!("{document}/t/shop/x")), None);
    }

    #[test]
    fn a_network_is_an_address_or_a_64() {
        for (address, network) in [
            ("192.0.2.7", "192.0.2.7"),
            ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
            ("2001:db8:1:3::1", "2001:db8:1:3::"),
        ] {
            let parse = |text: &str| text.parse::<IpAddr>().expect("an address");
            assert_eq!(network_of(parse(address)), parse(network), "{address}");
        }
    }

    #[test]
    fn rfc8414_3_1_an_issuer_with_a_path() {
        let split =
            |path: &str| split_path(path, "/auth").map(|(t, p)| (t.to_string(), p.into_owned()));
        let document = "/.well-known/openid-configuration";
        let found = Some(("default".to_owned(), document.to_owned()));
        assert_eq!(split(&format!("{document}/auth")), found);
        assert_eq!(split(&format!("/auth{document}")), found);
        assert_eq!(split(document), None);
        assert_eq!(split("/token"), None);
    }
}
