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

impl AuthorizeError {
    /// The check that failed, for `explain`: a row of the grid, or what came after it.
    pub fn check(&self) -> &'static str {
        match self {
            Self::UnknownClient | Self::Malformed(RequestError::Missing("client_id")) => {
                "client is known and enabled"
            }
            Self::RedirectUriUnregistered
            | Self::Malformed(RequestError::Missing("redirect_uri")) => {
                "redirect_uri is registered"
            }
            Self::Malformed(RequestError::Malformed("response_mode")) => "response_mode",
            Self::Malformed(RequestError::Malformed("state")) => "state",
            Self::Malformed(RequestError::Repeated(_)) => "parameters are not repeated",
            Self::Malformed(RequestError::Unsupported(_)) => "no request object",
            Self::ResponseTypeUnsupported
            | Self::Malformed(RequestError::Missing("response_type")) => "response_type is code",
            Self::GrantTypeNotAllowed => "client may use codes",
            Self::Malformed(
                RequestError::Missing("code_challenge")
                | RequestError::Malformed("code_challenge" | "code_challenge_method"),
            ) => "PKCE",
            Self::ScopeNotAllowed | Self::ResourceUnknown => "scope and resource",
            Self::Malformed(RequestError::Malformed("prompt" | "max_age")) => "prompt and max_age",
            Self::Malformed(RequestError::Malformed("id_token_hint")) => "id_token_hint",
            Self::LoginRequired | Self::WrongUser => "somebody is signed in",
            Self::ConsentRequired | Self::AccessDenied => "consent",
            Self::Malformed(_) => "request is well-formed",
        }
    }

    /// Whether it tells what the client may ask for, rather than that the request is malformed.
    pub const fn is_about_permission(&self) -> bool {
        matches!(self, Self::ScopeNotAllowed | Self::ResourceUnknown)
    }

    /// All checks of an authorization request, in order.
    pub fn checks(&self) -> impl Iterator<Item = &'static str> {
        let before = std::iter::once("request is well-formed");
        before.chain(checks::rows()).chain(["somebody is signed in", "consent"])
    }
}
