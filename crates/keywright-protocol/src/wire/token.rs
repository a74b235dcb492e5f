//! The token endpoint's request, RFC 6749 §4 and §6.

use crate::authorize::pkce::CodeVerifier;
use crate::client::authenticate::Credentials;
use crate::limits::RESOURCES_MAX;
use crate::resource::ResourceIndicator;
use crate::scope::ScopeSet;
use crate::token::{AuthorizationCode, RefreshToken};
use crate::wire::{Params, RequestError};

/// A request for tokens: what is asked, and the credentials of who asks.
#[derive(Debug)]
pub struct TokenRequest {
    /// What the client presented to prove itself.
    pub credentials: Credentials,
    /// The grant with its own parameters.
    pub grant: GrantRequest,
    /// RFC 8707 §2.2.
    pub resources: Vec<ResourceIndicator>,
    /// RFC 6749 §3.3.
    pub scope: Option<ScopeSet>,
}

/// The grants that this server knows.
#[derive(Debug)]
pub enum GrantRequest {
    /// RFC 6749 §4.1.3; a code that is not even well-formed cannot be found either.
    AuthorizationCode {
        /// The code, if it has the form of one.
        code: Option<AuthorizationCode>,
        /// OAuth 2.1 §10.2: enforced if sent.
        redirect_uri: Option<String>,
        /// RFC 7636 §4.5.
        verifier: Option<CodeVerifier>,
    },
    /// RFC 6749 §4.4.
    ClientCredentials,
    /// RFC 6749 §6.
    RefreshToken {
        /// The refresh token, if it has the form of one.
        token: Option<RefreshToken>,
    },
    /// Anything else, the password grant included: RFC 9700 §2.4.
    Unsupported,
}

impl GrantRequest {
    /// The grant type's name, for metrics and the audit log.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::AuthorizationCode { .. } => "authorization_code",
            Self::ClientCredentials => "client_credentials",
            Self::RefreshToken { .. } => "refresh_token",
            Self::Unsupported => "unsupported",
        }
    }
}

impl TokenRequest {
    /// Reads the form and the `Authorization` header.
    pub fn parse(params: &Params, credentials: Credentials) -> Result<Self, RequestError> {
        params.refuse_repeats(&["resource"])?;
        let grant = match params.required("grant_type")? {
            "authorization_code" => GrantRequest::AuthorizationCode {
                code: AuthorizationCode::parse(params.required("code")?),
                redirect_uri: params.one("redirect_uri")?.map(str::to_owned),
                verifier: params.one("code_verifier")?.map(CodeVerifier::parse).transpose()?,
            },
            "client_credentials" => GrantRequest::ClientCredentials,
            "refresh_token" => GrantRequest::RefreshToken {
                token: RefreshToken::parse(params.required("refresh_token")?),
            },
            _ => GrantRequest::Unsupported,
        };
        Ok(Self {
            credentials,
            grant,
            resources: parse_resources(params)?,
            scope: params.one("scope")?.map(ScopeSet::parse).transpose()?,
        })
    }
}

/// The `resource` parameters, RFC 8707 §2.
pub fn parse_resources(params: &Params) -> Result<Vec<ResourceIndicator>, RequestError> {
    let resources: Vec<_> =
        params.all("resource").map(ResourceIndicator::parse).collect::<Result<_, _>>()?;
    if resources.len() > RESOURCES_MAX {
        return Err(RequestError::TooLarge("resource"));
    }
    Ok(resources)
}
