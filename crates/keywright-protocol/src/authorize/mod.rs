//! The authorization endpoint: a request, what stands in its way, and what may be issued.

pub mod checks;
pub mod pkce;
pub mod prompt;
pub mod request;

use crate::wire::RequestError;

pub use checks::{Entry, GridContext, check};
pub use prompt::{Step, next_step};
pub use request::{AuthorizationRequest, Prompt, Refusal, ResponseMode, ResponseTarget};

/// Why an authorization request is refused.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum AuthorizeError {
    /// The person declined, RFC 6749 §4.1.2.1.
    #[error("the person declined")]
    AccessDenied,
    /// `prompt=none`, and consent is needed.
    #[error("consent is required")]
    ConsentRequired,
    /// The client did not register the grant.
    #[error("the client may not use authorization codes")]
    GrantTypeNotAllowed,
    /// `prompt=none`, and nobody is signed in.
    #[error("a sign-in is required")]
    LoginRequired,
    /// The request itself is wrong.
    #[error("{0}")]
    Malformed(#[from] RequestError),
    /// The redirect URI is not one of the client's: never redirected.
    #[error("the redirect URI is not registered")]
    RedirectUriUnregistered,
    /// RFC 8707 §2.
    #[error("a resource is unknown")]
    ResourceUnknown,
    /// Only `code` is offered, RFC 9700 §2.1.2.
    #[error("the response type is not offered")]
    ResponseTypeUnsupported,
    /// A scope is unknown or not the client's.
    #[error("a scope is unknown or not allowed")]
    ScopeNotAllowed,
    /// No such client, or it is disabled: never redirected.
    #[error("the client is unknown or disabled")]
    UnknownClient,
    /// `prompt=none`, and somebody else than the hinted user is signed in.
    #[error("somebody else is signed in")]
    WrongUser,
}
