//! Cross-origin requests: where the specifications allow them, for origins that some client of the
//! tenant has registered, and never with credentials.

use axum::body::Body;
use axum::response::Response;
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, header};

use crate::endpoint::status_list;
use crate::tenants::TenantState;

/// The endpoints that a browser may call from another origin.
const OPEN: [&str; 6] = [
    "/.well-known/oauth-authorization-server",
    "/.well-known/openid-configuration",
    "/jwks",
    "/revoke",
    "/token",
    "/userinfo",
];

/// A request to an endpoint that is open to other origins.
#[derive(Debug)]
pub struct CrossOrigin {
    allowed: Option<HeaderValue>,
    preflight: bool,
}

impl CrossOrigin {
    /// What a request may have answered; nothing where the endpoint is closed.
    pub fn of<B>(tenant: &TenantState, request: &Request<B>) -> Option<Self> {
        let path = request.uri().path();
        if !OPEN.contains(&path) && !path.starts_with(status_list::PATH) {
            return None;
        }
        let headers = request.headers();
        let origin = headers.get(header::ORIGIN);
        let known = |origin: &&HeaderValue| origin.to_str().is_ok_and(|o| tenant.knows_origin(o));
        let preflight = request.method() == Method::OPTIONS
            && headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
        Some(Self { allowed: origin.filter(known).cloned(), preflight })
    }

    /// The answer to a preflight, which never reaches the endpoint.
    pub fn preflight(&self) -> Option<Response> {
        self.preflight.then(|| {
            let mut response = Response::new(Body::empty());
            *response.status_mut() = StatusCode::NO_CONTENT;
            response
        })
    }

    /// Marks a response.
    pub fn mark(self, headers: &mut HeaderMap) {
        headers.append(header::VARY, HeaderValue::from_static("Origin"));
        let Some(origin) = self.allowed else { return };
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        let exposed = HeaderValue::from_static("WWW-Authenticate, X-Request-Id, Retry-After");
        headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, exposed);
        if self.preflight {
            allow_what_the_endpoints_take(headers);
        }
    }
}

fn allow_what_the_endpoints_take(headers: &mut HeaderMap) {
    let set = [
        (header::ACCESS_CONTROL_ALLOW_METHODS, "GET, POST"),
        (header::ACCESS_CONTROL_ALLOW_HEADERS, "Authorization, Content-Type"),
        (header::ACCESS_CONTROL_MAX_AGE, "600"),
    ];
    for (name, value) in set {
        headers.insert(name, HeaderValue::from_static(value));
    }
}
