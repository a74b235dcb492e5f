//! The only file that knows `error` codes and HTTP statuses.

use serde::Serialize;

use crate::authorize::AuthorizeError;
use crate::client::ClientAuthError;
use crate::grant::GrantError;
use crate::wire::RequestError;

macro_rules! error_codes {
    ($($(#[$doc:meta])* $name:ident = $text:literal, $status:literal, $meaning:literal;)*) => {
        /// An `error` code of a specification.
        #[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
        pub enum ErrorCode { $($(#[$doc])* $name,)* }

        impl ErrorCode {
            /// Every code that this server sends.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The code on the wire.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }

            /// What it says to those who run the client.
            pub const fn meaning(self) -> &'static str {
                match self { $(Self::$name => $meaning,)* }
            }

            /// The HTTP status where the error is a response of its own.
            pub const fn status(self) -> u16 {
                match self { $(Self::$name => $status,)* }
            }
        }
    };
}

error_codes! {
    /// RFC 6749 §4.1.2.1.
    AccessDenied = "access_denied", 403,
        "the person, or a rule of the server, did not allow what was asked for";
    /// OpenID Connect Core §3.1.2.6.
    AccountSelectionRequired = "account_selection_required", 400,
        "the person has to choose an account, and prompt=none forbids to ask";
    /// OpenID Connect Core §3.1.2.6.
    ConsentRequired = "consent_required", 400,
        "the person has to agree first, and prompt=none forbids to ask";
    /// RFC 6750 §3.1.
    InsufficientScope = "insufficient_scope", 403,
        "the access token is good, but lacks a scope that this request needs";
    /// OpenID Connect Core §3.1.2.6.
    InteractionRequired = "interaction_required", 400,
        "the person has to be asked something, and prompt=none forbids to ask";
    /// RFC 6749 §5.2.
    InvalidClient = "invalid_client", 401,
        "the client is unknown here, or did not authenticate as it is registered to";
    /// RFC 6749 §5.2.
    InvalidGrant = "invalid_grant", 400,
        "the code or refresh token is unknown, used, expired, revoked, or was issued to \
         another client or redirect URI";
    /// RFC 6749 §5.2.
    InvalidRequest = "invalid_request", 400,
        "the request lacks a parameter, repeats one, or has one that cannot be read";
    /// RFC 6749 §5.2.
    InvalidScope = "invalid_scope", 400,
        "a scope is not that of any API here, or the client is not registered for it, or it \
         is more than was granted";
    /// RFC 8707 §2.
    InvalidTarget = "invalid_target", 400,
        "resource names no API that is registered here, or none that was granted";
    /// RFC 6750 §3.1.
    InvalidToken = "invalid_token", 401,
        "the access token is malformed, expired, revoked, or meant for another API";
    /// OpenID Connect Core §3.1.2.6.
    LoginRequired = "login_required", 400,
        "the person has to sign in first, and prompt=none forbids to ask";
    /// HTTP: a method that the endpoint does not have.
    MethodNotAllowed = "invalid_request", 405, "the endpoint has no such method";
    /// HTTP: in no form that the peer takes.
    NotAcceptable = "invalid_request", 406, "the endpoint does not answer in that form";
    /// HTTP: a question that this server has no answer for.
    NotImplemented = "invalid_request", 501, "this server has no answer to such a question";
    /// No such page.
    NotFound = "not_found", 404, "nothing is at this address";
    /// OpenID Connect Core §3.1.2.6.
    RegistrationNotSupported = "registration_not_supported", 400,
        "the parameter registration is not offered";
    /// OpenID Connect Core §3.1.2.6.
    RequestNotSupported = "request_not_supported", 400, "request objects are not offered";
    /// HTTP: a body beyond the limit.
    RequestTooLarge = "invalid_request", 413, "the request is larger than the limit";
    /// OpenID Connect Core §3.1.2.6.
    RequestUriNotSupported = "request_uri_not_supported", 400,
        "the parameter request_uri is not offered";
    /// RFC 6749 §4.1.2.1.
    ServerError = "server_error", 500, "the server failed; the request can be sent again";
    /// Too many guesses; RFC 6585 §4.
    SlowDown = "slow_down", 429, "too many attempts failed; wait as long as Retry-After says";
    /// RFC 6749 §4.1.2.1; always with `Retry-After`.
    TemporarilyUnavailable = "temporarily_unavailable", 503,
        "the server is busy or cannot reach its store; wait as long as Retry-After says, then \
         send the request again";
    /// RFC 6749 §5.2.
    UnauthorizedClient = "unauthorized_client", 400,
        "the client is not registered for this grant type or response type";
    /// RFC 6749 §5.2.
    UnsupportedGrantType = "unsupported_grant_type", 400,
        "grant_type names none that this server offers";
    /// HTTP: a body in another format.
    UnsupportedMediaType = "invalid_request", 400,
        "the body must be a form, application/x-www-form-urlencoded";
    /// RFC 6749 §4.1.2.1.
    UnsupportedResponseType = "unsupported_response_type", 400, "response_type must be code";
    /// RFC 7009 §2.2.1.
    UnsupportedTokenType = "unsupported_token_type", 400,
        "tokens of this kind cannot be revoked here";
}

/// What the peer is told: a code, a safe sentence, and where to read more.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct WireError {
    /// The specification's code.
    pub code: ErrorCode,
    /// What to mend; never says what only the operator may know.
    pub description: &'static str,
}

impl WireError {
    /// An error with its sentence.
    pub const fn new(code: ErrorCode, description: &'static str) -> Self {
        Self { code, description }
    }
}

/// The JSON body of an error response, RFC 6749 §5.2.
#[derive(Debug, Serialize)]
pub struct ErrorBody<'a> {
    /// The code.
    pub error: &'a str,
    /// The sentence.
    pub error_description: &'a str,
    /// A page that explains the code.
    pub error_uri: &'a str,
}

impl From<&RequestError> for WireError {
    fn from(error: &RequestError) -> Self {
        let description = match error {
            RequestError::Malformed(name) => malformed(name),
            RequestError::Missing(name) => missing(name),
            RequestError::Repeated(_) => "a parameter is sent more than once",
            RequestError::TooLarge("scope") => "scope names too many scopes",
            RequestError::TooLarge(_) => "the request is too large",
            RequestError::Unsupported("request") => {
                return Self::new(
                    ErrorCode::RequestNotSupported,
                    "request objects are not offered",
                );
            }
            RequestError::Unsupported("request_uri") => {
                return Self::new(ErrorCode::RequestUriNotSupported, "request_uri is not offered");
            }
            RequestError::Unsupported("registration") => {
                return Self::new(
                    ErrorCode::RegistrationNotSupported,
                    "self-issued registration is not offered",
                );
            }
            RequestError::Unsupported(_) => "a parameter has a value that is not supported",
        };
        let code = match error {
            RequestError::Malformed("scope") | RequestError::TooLarge("scope") => {
                ErrorCode::InvalidScope
            }
            RequestError::Malformed("resource") => ErrorCode::InvalidTarget,
            _ => ErrorCode::InvalidRequest,
        };
        Self::new(code, description)
    }
}

/// A sentence for each parameter that can be malformed; the name is part of the advice.
fn malformed(name: &str) -> &'static str {
    match name {
        "Authorization" => "the Authorization header is malformed",
        "Last-Event-ID" => "Last-Event-ID must be a place in the feed, as its events name it",
        "client_id" => "client_id is malformed",
        "code_challenge" => "code_challenge must be 43 base64url characters (S256)",
        "code_challenge_method" => "code_challenge_method must be S256",
        "code_verifier" => "code_verifier must be 43 to 128 unreserved characters",
        "encoding" => "the request is not UTF-8",
        "max_age" => "max_age must be a number of seconds",
        "percent-encoding" => "the request is not percent-encoded correctly",
        "prompt" => "prompt is malformed or contradicts itself",
        "redirect_uri" => "redirect_uri is malformed",
        "resource" => "resource must be an absolute URI without a fragment",
        "response_mode" => "response_mode must be query or form_post",
        "scope" => "scope is malformed",
        "since" => "since must be a place in the feed: a whole number",
        "state" => "state is malformed or too long",
        "wait" => "wait must be a number of seconds, at most 30",
        _ => "a parameter is malformed",
    }
}

fn missing(name: &str) -> &'static str {
    match name {
        "client_id" => "client_id is missing",
        "code" => "code is missing",
        "code_challenge" => "code_challenge is missing: PKCE with S256 is required",
        "grant_type" => "grant_type is missing",
        "redirect_uri" => "redirect_uri is missing and the client has not exactly one",
        "refresh_token" => "refresh_token is missing",
        "response_type" => "response_type is missing",
        "token" => "token is missing",
        _ => "a required parameter is missing",
    }
}

impl From<&ClientAuthError> for WireError {
    fn from(error: &ClientAuthError) -> Self {
        let description = match error {
            // RFC 6749 §2.3: one method per request.
            ClientAuthError::SeveralMethods => {
                return Self::new(
                    ErrorCode::InvalidRequest,
                    "use one client authentication method per request",
                );
            }
            ClientAuthError::Malformed(inner) => return Self::from(inner),
            ClientAuthError::WrongMethod => {
                "the client is registered for another authentication method"
            }
            ClientAuthError::AssertionInvalid(_) => "the client assertion is not acceptable",
            ClientAuthError::NoCredentials => "client authentication is required",
            // One sentence for all guesses: no oracle for which clients exist.
            ClientAuthError::Disabled
            | ClientAuthError::UnknownClient
            | ClientAuthError::WrongSecret => "client authentication failed",
        };
        Self::new(ErrorCode::InvalidClient, description)
    }
}

impl From<&GrantError> for WireError {
    fn from(error: &GrantError) -> Self {
        use GrantError as E;
        let (code, description) = match error {
            E::CodeBurned | E::CodeOfAnotherClient | E::CodeReplayed | E::CodeUnknown => {
                (ErrorCode::InvalidGrant, "the code is unknown, used, or another client's")
            }
            E::CodeExpired => (ErrorCode::InvalidGrant, "the code has expired"),
            E::RedirectUriMismatch => (
                ErrorCode::InvalidGrant,
                "redirect_uri is not the one of the authorization request",
            ),
            E::PkceMismatch => {
                (ErrorCode::InvalidGrant, "code_verifier does not match the code_challenge")
            }
            E::PkceMissing => {
                (ErrorCode::InvalidGrant, "code_verifier and code_challenge must be used together")
            }
            E::RefreshUnknown | E::RefreshOfAnotherClient | E::RefreshRevoked => {
                (ErrorCode::InvalidGrant, "the refresh token is unknown or revoked")
            }
            E::RefreshExpired => (ErrorCode::InvalidGrant, "the refresh token has expired"),
            E::RefreshReused => (
                ErrorCode::InvalidGrant,
                "the refresh token was used before; the sign-in is revoked",
            ),
            E::SubjectGone => {
                (ErrorCode::InvalidGrant, "the grant, its user or its client is no longer active")
            }
            E::ScopeNotAllowed => {
                (ErrorCode::InvalidScope, "a scope is unknown or not allowed for this client")
            }
            E::ScopeWidened => (ErrorCode::InvalidScope, "scope exceeds what was granted"),
            E::ResourceUnknown => {
                (ErrorCode::InvalidTarget, "resource is unknown or was not granted")
            }
            E::ResourcesDiffer => (
                ErrorCode::InvalidTarget,
                "the resources want different token formats; ask for one with resource",
            ),
            E::GrantTypeNotAllowed => {
                (ErrorCode::UnauthorizedClient, "the client may not use this grant_type")
            }
            E::GrantTypeUnsupported => {
                (ErrorCode::UnsupportedGrantType, "grant_type is not offered")
            }
        };
        Self::new(code, description)
    }
}

impl From<&AuthorizeError> for WireError {
    fn from(error: &AuthorizeError) -> Self {
        use AuthorizeError as E;
        let (code, description) = match error {
            E::Malformed(inner) => return Self::from(inner),
            E::UnknownClient => (ErrorCode::InvalidClient, "client_id is not a known client"),
            E::RedirectUriUnregistered => {
                (ErrorCode::InvalidRequest, "redirect_uri is not registered for this client")
            }
            E::ResponseTypeUnsupported => {
                (ErrorCode::UnsupportedResponseType, "response_type must be code")
            }
            E::GrantTypeNotAllowed => {
                (ErrorCode::UnauthorizedClient, "the client may not use authorization codes")
            }
            E::ScopeNotAllowed => {
                (ErrorCode::InvalidScope, "a scope is unknown or not allowed for this client")
            }
            E::ResourceUnknown => (ErrorCode::InvalidTarget, "resource is unknown"),
            E::AccessDenied => (ErrorCode::AccessDenied, "the user declined"),
            E::LoginRequired => (ErrorCode::LoginRequired, "the user is not signed in"),
            E::ConsentRequired => (ErrorCode::ConsentRequired, "the user has not consented"),
            E::WrongUser => {
                (ErrorCode::LoginRequired, "another user than the hinted one is signed in")
            }
        };
        Self::new(code, description)
    }
}
