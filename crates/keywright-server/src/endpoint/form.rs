//! Form bodies: one media type, a bound, and nothing in the query beside them.

use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use http::{HeaderMap, Request, header};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use keywright_protocol::limits::REQUEST_BYTES_MAX;
use keywright_protocol::wire::{ErrorCode, Params, RequestError, WireError};

use crate::environment::within;
use crate::error::Refused;
use crate::router::Ctx;

const FORM: &str = "application/x-www-form-urlencoded";
/// How long a body may take to arrive: a request that only waits for it holds a place meanwhile.
const ARRIVAL: Duration = Duration::from_secs(10);

/// Why a body cannot be read.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Unread {
    /// The connection or the stream broke.
    EndedEarly,
    /// It has more bytes than it may have.
    TooLarge,
    /// It took longer than it may take.
    TooSlow,
}

impl Unread {
    /// What the peer is told.
    pub const fn description(self) -> &'static str {
        match self {
            Self::EndedEarly => "the body ended early",
            Self::TooLarge => "the request is too large",
            Self::TooSlow => "the body took too long to arrive",
        }
    }

    const fn wire(self) -> WireError {
        let code = match self {
            Self::TooLarge => ErrorCode::RequestTooLarge,
            Self::EndedEarly | Self::TooSlow => ErrorCode::InvalidRequest,
        };
        WireError::new(code, self.description())
    }
}

/// Reads a body of at most so many bytes. From then on its arrival is the request's moment.
pub async fn collect(ctx: &Ctx, body: Body, bytes_max: usize) -> Result<Bytes, Unread> {
    let collecting = Limited::new(body, bytes_max).collect();
    let collected = within(&*ctx.app.environment, ARRIVAL, collecting).await;
    ctx.arrived();
    match collected {
        Some(Ok(collected)) => Ok(collected.to_bytes()),
        Some(Err(error)) if error.is::<LengthLimitError>() => Err(Unread::TooLarge),
        Some(Err(_)) => Err(Unread::EndedEarly),
        None => Err(Unread::TooSlow),
    }
}

/// Reads the form body of a request to an endpoint that takes credentials.
pub async fn read_form(ctx: &Ctx, request: Request<Body>) -> Result<(Params, HeaderMap), Refused> {
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
    Ok((Params::parse(&read_body(ctx, body).await?)?, parts.headers))
}

/// Reads a body up to the limit.
pub async fn read_body(ctx: &Ctx, body: Body) -> Result<Bytes, Refused> {
    let read = collect(ctx, body, REQUEST_BYTES_MAX).await;
    read.map_err(|unread| Refused::Http(unread.wire()))
}

/// Why the form of a page cannot be read.
#[derive(Debug)]
pub enum UnreadPage {
    /// It did not arrive.
    Body(Unread),
    /// It is no form.
    Form(RequestError),
}

impl UnreadPage {
    /// What the person is told.
    pub fn wire(&self) -> WireError {
        match self {
            Self::Body(unread) => unread.wire(),
            Self::Form(error) => WireError::from(error),
        }
    }
}

/// Reads the form that a page of ours sends.
pub async fn read_page(ctx: &Ctx, body: Body) -> Result<Params, UnreadPage> {
    let body = collect(ctx, body, REQUEST_BYTES_MAX).await.map_err(UnreadPage::Body)?;
    Params::parse_page(&body).map_err(UnreadPage::Form)
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
        return Err(RequestError::Repeated("Authorization").into());
    }
    let malformed = RequestError::Malformed("Authorization");
    Ok(first.map(|value| value.to_str().map_err(|_| malformed)).transpose()?)
}

const fn http_error(description: &'static str) -> Refused {
    Refused::Http(WireError::new(ErrorCode::InvalidRequest, description))
}
