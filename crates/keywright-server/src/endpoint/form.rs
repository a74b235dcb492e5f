//! Form bodies: one media type, a bound, and nothing in the query beside them.

use axum::body::Body;
use http::{HeaderMap, Request, header};
use http_body_util::{BodyExt, Limited};
use keywright_protocol::limits::REQUEST_BYTES_MAX;
use keywright_protocol::wire::{ErrorCode, Params, WireError};

use crate::error::Refused;

const FORM: &str = "application/x-www-form-urlencoded";

/// Reads the form body of a request to an endpoint that takes credentials.
pub async fn read_form(request: Request<Body>) -> Result<(Params, HeaderMap), Refused> {
    // RFC 6749 §2.3.1: credentials must not stand in the URI, so nothing may.
    if request.uri().query().is_some_and(|query| !query.is_empty()) {
        return Err(http_error("parameters belong into the body, not into the URI"));
    }
    let (parts, body) = request.into_parts();
    if !is_form(&parts.headers) {
        let wire = WireError::new(
            ErrorCode::UnsupportedMediaType,
            "the body must be application/x-www-form-urlencoded",
        );
        return Err(Refused::Http(wire));
    }
    Ok((Params::parse(&read_body(body).await?)?, parts.headers))
}

/// Reads a body up to the limit.
pub async fn read_body(body: Body) -> Result<bytes::Bytes, Refused> {
    match Limited::new(body, REQUEST_BYTES_MAX).collect().await {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) if error.is::<http_body_util::LengthLimitError>() => {
            let wire = WireError::new(ErrorCode::RequestTooLarge, "the request is too large");
            Err(Refused::Http(wire))
        }
        Err(_) => Err(http_error("the body ended early")),
    }
}

/// Whether the body says that it is a form.
pub fn is_form(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let essence = kind.and_then(|kind| kind.split(';').next()).map(str::trim);
    essence.is_some_and(|essence| essence.eq_ignore_ascii_case(FORM))
}

/// The `Authorization` header, once.
pub fn authorization(headers: &HeaderMap) -> Result<Option<&str>, Refused> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let first = values.next();
    if values.next().is_some() {
        return Err(keywright_protocol::wire::RequestError::Repeated("Authorization").into());
    }
    let malformed = keywright_protocol::wire::RequestError::Malformed("Authorization");
    Ok(first.map(|value| value.to_str().map_err(|_| malformed)).transpose()?)
}

const fn http_error(description: &'static str) -> Refused {
    Refused::Http(WireError::new(ErrorCode::InvalidRequest, description))
}
