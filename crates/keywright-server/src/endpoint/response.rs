//! Responses with the headers that they must have.

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use http::{HeaderValue, StatusCode, header};

/// What most answers carry in the end: room for all of them at once.
const HEADERS_COMMON: usize = 8;

/// A JSON response.
pub fn json_bytes(status: StatusCode, body: Bytes) -> Response {
    with_type(status, body, HeaderValue::from_static("application/json"))
}

/// A response of a type.
pub fn with_type(status: StatusCode, body: Bytes, content_type: HeaderValue) -> Response {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.reserve(HEADERS_COMMON);
    headers.insert(header::CONTENT_TYPE, content_type);
    response
}

/// RFC 6749 §5.1: credentials must not be kept by anybody.
pub fn no_store(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::PRAGMA, HeaderValue::from_static("no-cache"));
    response
}
