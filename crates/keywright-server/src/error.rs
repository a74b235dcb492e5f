//! Refusals and faults of the endpoints: the peer hears the specification's code, the operator all.

use std::time::Duration;

use axum::response::Response;
use http::{HeaderValue, StatusCode, header};
use keywright_protocol::claims::access_token::AccessTokenError;
use keywright_protocol::client::ClientAuthError;
use keywright_protocol::grant::GrantError;
use keywright_protocol::wire::error::ErrorBody;
use keywright_protocol::wire::{ErrorCode, RequestError, WireError};
use keywright_store::StoreFault;

use crate::endpoint::response::{json_bytes, no_store};
use crate::router::Ctx;

/// Ours to mend, never the peer's.
#[derive(Debug, thiserror::Error)]
pub enum ServerFault {
    /// Something that cannot happen did.
    #[error("{0}")]
    Internal(String),
    /// No key could be made or used.
    #[error("a key could not be used: {0}")]
    Key(String),
    /// Too much work waits.
    #[error("too much work waits: {0}")]
    Overload(&'static str),
    /// The store could not carry out a verb.
    #[error(transparent)]
    Store(#[from] StoreFault),
}

impl From<serde_json::Error> for ServerFault {
    fn from(error: serde_json::Error) -> Self {
        Self::Internal(format!("a document could not be written: {error}"))
    }
}

impl From<keywright_jose::KeyError> for ServerFault {
    fn from(error: keywright_jose::KeyError) -> Self {
        Self::Key(error.to_string())
    }
}

impl From<keywright_jose::SealError> for ServerFault {
    fn from(error: keywright_jose::SealError) -> Self {
        Self::Key(error.to_string())
    }
}

/// Why an endpoint does not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// The client did not prove itself.
    #[error("client authentication: {0}")]
    Client(#[from] ClientAuthError),
    /// The grant is refused.
    #[error("grant: {0}")]
    Grant(#[from] GrantError),
    /// The request is malformed.
    #[error("request: {0}")]
    Request(#[from] RequestError),
    /// Ours.
    #[error("fault: {0}")]
    Fault(#[from] ServerFault),
    /// Too many guesses.
    #[error("too many guesses; again in {} s", .0.as_secs())]
    Throttled(Duration),
    /// The access token is not acceptable.
    #[error("access token: {0}")]
    Token(#[from] AccessTokenError),
    /// The access token lacks a scope.
    #[error("the access token lacks the scope {0}")]
    Scope(&'static str),
    /// HTTP itself: method, media type, size.
    #[error("{}", .0.description)]
    Http(WireError),
}

impl From<StoreFault> for Refused {
    fn from(fault: StoreFault) -> Self {
        Self::Fault(fault.into())
    }
}

impl Refused {
    /// What the peer is told.
    pub fn wire(&self) -> WireError {
        match self {
            Self::Client(error) => WireError::from(error),
            Self::Grant(error) => WireError::from(error),
            Self::Request(error) => WireError::from(error),
            Self::Http(error) => *error,
            Self::Throttled(_) => WireError::new(ErrorCode::SlowDown, "too many failed attempts"),
            Self::Token(error) => WireError::new(ErrorCode::InvalidToken, error.description()),
            Self::Scope(_) => {
                WireError::new(ErrorCode::InsufficientScope, "the token lacks a scope")
            }
            Self::Fault(fault) => fault.wire(),
        }
    }

    /// The check that failed, for `explain`.
    pub const fn check(&self) -> &'static str {
        match self {
            Self::Client(error) => error.check(),
            Self::Grant(error) => error.check(),
            Self::Request(_) | Self::Http(_) => "request is well-formed",
            Self::Throttled(_) => "not throttled",
            Self::Token(_) => "access token",
            Self::Scope(_) => "scope",
            Self::Fault(_) => "server",
        }
    }

    /// When to come again, for one who has to wait; a 503 says it by itself.
    const fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Throttled(wait) => Some(*wait),
            _ => None,
        }
    }
}

impl ServerFault {
    /// Whether another try may succeed.
    pub const fn passes(&self) -> bool {
        match self {
            Self::Overload(_) => true,
            Self::Store(fault) => {
                matches!(fault, StoreFault::Busy(_) | StoreFault::Full | StoreFault::Unavailable(_))
            }
            Self::Internal(_) | Self::Key(_) => false,
        }
    }

    fn wire(&self) -> WireError {
        if self.passes() {
            return WireError::new(
                ErrorCode::TemporarilyUnavailable,
                "the server cannot answer right now; try again",
            );
        }
        WireError::new(ErrorCode::ServerError, "the server failed; the operator has the reason")
    }
}

/// The JSON response of a refusal, RFC 6749 §5.2.
pub fn refusal_response(ctx: &Ctx, refused: &Refused) -> Response {
    let wire = refused.wire();
    if let Refused::Fault(fault) = refused {
        tracing::error!(request.id = %ctx.request_id(), error = %fault, "request failed");
    }
    let mut response = error_response(&ctx.app.root_issuer(), wire);
    if let Some(wait) = refused.retry_after() {
        let seconds = HeaderValue::from(wait.as_secs().max(1));
        response.headers_mut().insert(header::RETRY_AFTER, seconds);
    }
    response
}

/// The JSON response of an error, where even the tenant may be unknown.
pub fn error_response(root_issuer: &str, wire: WireError) -> Response {
    let uri = format!("{root_issuer}/errors/{}", wire.code.as_str());
    let body = ErrorBody {
        error: wire.code.as_str(),
        error_description: wire.description,
        error_uri: &uri,
    };
    let bytes = serde_json::to_vec(&body).unwrap_or_default();
    let status = StatusCode::from_u16(wire.code.status()).unwrap_or(StatusCode::BAD_REQUEST);
    no_store(json_bytes(status, bytes.into()))
}

/// Adds a challenge to a 401, RFC 6749 §5.2 and RFC 6750 §3.
pub fn challenge(mut response: Response, value: &str) -> Response {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(header::WWW_AUTHENTICATE, value);
    }
    response
}
