//! Documents that are ready before anybody asks.

use axum::response::Response;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use keywright_protocol::wire::{ErrorCode, WireError};

use crate::endpoint::response::json_bytes;
use crate::error::{Refused, refusal_response};
use crate::interaction::page::error_page;
use crate::router::Ctx;

/// How long a key set or metadata document may be kept: far below the announcement of a new key.
const CACHE: HeaderValue = HeaderValue::from_static("public, max-age=300");

/// RFC 8414 §3 and OpenID Connect Discovery §4.
pub async fn metadata(ctx: Ctx) -> Response {
    cached(ctx.tenant.metadata())
}

/// RFC 7517 §5.
pub async fn jwks(ctx: Ctx) -> Response {
    let mut response = cached(ctx.tenant.jwks(ctx.now()));
    let kind = HeaderValue::from_static("application/jwk-set+json");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}

/// Anything else: a page for people, a document for programs.
pub async fn not_found(ctx: Ctx, headers: HeaderMap) -> Response {
    let wire = WireError::new(ErrorCode::NotFound, "there is nothing at this address");
    let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok());
    if accept.is_some_and(|accept| accept.contains("text/html")) {
        return error_page(&ctx, &headers, wire);
    }
    refusal_response(&ctx, &Refused::Http(wire))
}

fn cached(document: Bytes) -> Response {
    let mut response = json_bytes(StatusCode::OK, document);
    response.headers_mut().insert(header::CACHE_CONTROL, CACHE);
    response
}

/// An error code that this server sends, from the path of an `error_uri`.
pub(crate) fn known_error(code: &str) -> Option<ErrorCode> {
    ErrorCode::ALL.iter().copied().find(|known| known.as_str() == code)
}
