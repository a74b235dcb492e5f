//! Grants: a stored snapshot and a request become a plan, or a reason why not.

pub mod authorization_code;
pub mod client_credentials;
pub mod plan;
pub mod refresh_token;

use serde::{Deserialize, Serialize};

use crate::id::{ClientId, GrantId, SessionId, Subject};
use crate::resource::ResourceIndicator;
use crate::scope::ScopeSet;
use crate::time::Timestamp;

pub use plan::{IdTokenPlan, IssuePlan, Lifetimes, Principal, RefreshPlan};

/// Why a well-formed request for tokens is refused.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum GrantError {
    /// Too many failed redemptions.
    #[error("the code was burned by failed redemptions")]
    CodeBurned,
    /// RFC 6749 §4.1.2: ten minutes at most, here a minute.
    #[error("the code has expired")]
    CodeExpired,
    /// RFC 6749 §4.1.3.
    #[error("the code belongs to another client")]
    CodeOfAnotherClient,
    /// RFC 6749 §4.1.2: what came of it is revoked.
    #[error("the code was used before")]
    CodeReplayed,
    /// Never issued, or long forgotten.
    #[error("the code is unknown")]
    CodeUnknown,
    /// The client did not register it.
    #[error("the client may not use this grant type")]
    GrantTypeNotAllowed,
    /// RFC 6749 §5.2.
    #[error("the grant type is not offered")]
    GrantTypeUnsupported,
    /// RFC 7636 §4.6.
    #[error("the verifier does not match the challenge")]
    PkceMismatch,
    /// RFC 9700 §2.1.1.
    #[error("verifier without challenge, or challenge without verifier")]
    PkceMissing,
    /// OAuth 2.1 §10.2.
    #[error("another redirect URI than at authorization")]
    RedirectUriMismatch,
    /// Idle or absolute lifetime is over.
    #[error("the refresh token has expired")]
    RefreshExpired,
    /// RFC 6749 §6.
    #[error("the refresh token belongs to another client")]
    RefreshOfAnotherClient,
    /// RFC 9700 §4.14.2: the family is revoked.
    #[error("the refresh token was used before")]
    RefreshReused,
    /// The family was revoked.
    #[error("the refresh token is revoked")]
    RefreshRevoked,
    /// Never issued, or long forgotten.
    #[error("the refresh token is unknown")]
    RefreshUnknown,
    /// RFC 8707 §2.2.
    #[error("a resource is unknown or was not granted")]
    ResourceUnknown,
    /// One token cannot be both signed and sealed.
    #[error("the resources want different token formats")]
    ResourcesDiffer,
    /// RFC 6749 §3.3.
    #[error("a scope is unknown or not allowed for the client")]
    ScopeNotAllowed,
    /// RFC 6749 §6.
    #[error("more scope than was granted")]
    ScopeWidened,
    /// The user, client, tenant or grant is disabled, deleted or revoked.
    #[error("the user, client or grant is no longer active")]
    SubjectGone,
}

impl GrantError {
    /// Whether a failed redemption counts against the code, CONTRACT: five burn it.
    pub const fn counts_against_code(self) -> bool {
        matches!(
            self,
            Self::CodeOfAnotherClient
                | Self::PkceMismatch
                | Self::PkceMissing
                | Self::RedirectUriMismatch
        )
    }

    /// The check that failed, for `explain`.
    pub const fn check(self) -> &'static str {
        match self {
            Self::CodeUnknown => "code is known",
            Self::CodeOfAnotherClient => "code is the client's",
            Self::CodeReplayed | Self::CodeBurned => "code is unused",
            Self::CodeExpired => "code has not expired",
            Self::RefreshUnknown => "refresh token is known",
            Self::RefreshOfAnotherClient => "refresh token is the client's",
            Self::RefreshRevoked => "refresh token is not revoked",
            Self::RefreshExpired => "refresh token has not expired",
            Self::RefreshReused => "refresh token is unused",
            Self::RedirectUriMismatch => "redirect_uri",
            Self::PkceMismatch | Self::PkceMissing => "PKCE",
            Self::ScopeNotAllowed | Self::ScopeWidened => "scope",
            Self::ResourceUnknown | Self::ResourcesDiffer => "resource",
            Self::GrantTypeNotAllowed | Self::GrantTypeUnsupported => "grant type",
            Self::SubjectGone => "user, client and grant are active",
        }
    }
}

/// The checks of a grant type, in order, for `explain`.
pub fn checks(grant_type: &str) -> &'static [&'static str] {
    match grant_type {
        "authorization_code" => &authorization_code::CHECKS,
        "client_credentials" => &client_credentials::CHECKS,
        "refresh_token" => &refresh_token::CHECKS,
        _ => &["grant type"],
    }
}

/// What a person granted to a client: one row for both.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct StoredGrant {
    /// Its identifier, `gid`.
    pub id: GrantId,
    /// Who granted.
    pub sub: Subject,
    /// To whom.
    pub client: ClientId,
    /// What.
    pub scope: ScopeSet,
    /// At which resources: consent for one API is none for another with the same scope.
    pub resources: Vec<ResourceIndicator>,
    /// The session in which it was given: its end by a password change revokes the grant.
    pub session: SessionId,
    /// When it was given or last extended.
    pub updated_at: Timestamp,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_refusal_is_that_of_a_check_of_its_grant_type() {
        use GrantError as E;
        let of_all = [
            E::GrantTypeNotAllowed,
            E::ResourceUnknown,
            E::ResourcesDiffer,
            E::ScopeNotAllowed,
            E::SubjectGone,
        ];
        let of_a_code = [
            E::CodeBurned,
            E::CodeExpired,
            E::CodeOfAnotherClient,
            E::CodeReplayed,
            E::CodeUnknown,
            E::PkceMismatch,
            E::PkceMissing,
            E::RedirectUriMismatch,
        ];
        let of_a_refresh = [
            E::RefreshExpired,
            E::RefreshOfAnotherClient,
            E::RefreshReused,
            E::RefreshRevoked,
            E::RefreshUnknown,
            E::ScopeWidened,
        ];
        let grants = [
            ("authorization_code", of_a_code.as_slice()),
            ("client_credentials", &[]),
            ("refresh_token", &of_a_refresh),
        ];
        for (grant_type, own) in grants {
            let listed = |error: &E| checks(grant_type).contains(&error.check());
            assert!(of_all.iter().chain(own).all(listed), "{grant_type}");
            let foreign = grants.iter().filter(|(other, _)| *other != grant_type);
            for error in foreign.flat_map(|(_, errors)| *errors).filter(|e| **e != E::ScopeWidened)
            {
                assert!(!listed(error), "{grant_type}: {error:?}");
            }
        }
        assert_eq!(checks("password"), [E::GrantTypeUnsupported.check()]);
    }
}
