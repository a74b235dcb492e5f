//! The claims of an access token, RFC 9068 §2.2, signed and sealed ones alike.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::grant::{IssuePlan, Principal};
use crate::id::{ClientId, FamilyId, GrantId, Jti, SessionId, Subject};
use crate::limits::CLOCK_SKEW_MAX;
use crate::resource::ResourceIndicator;
use crate::revocation::TokenFacts;
use crate::scope::ScopeSet;
use crate::status_list::StatusClaim;
use crate::time::Timestamp;

/// The `typ` of a signed access token, RFC 9068 §2.1.
pub const TYP: &str = "at+jwt";

/// The claims of an access token. Their texts are shared with what they were made of: a copy costs
/// no allocation but those of the lists.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct AccessClaims {
    /// The issuer.
    pub iss: Arc<str>,
    /// The user, or the client itself.
    pub sub: Arc<str>,
    /// The resources; one is written as a string.
    #[serde(with = "one_or_many")]
    pub aud: Vec<Arc<str>>,
    /// The end, seconds.
    pub exp: i64,
    /// The beginning, seconds.
    pub iat: i64,
    /// The token's own identifier.
    pub jti: Jti,
    /// The client.
    pub client_id: ClientId,
    /// What it allows.
    #[serde(default, skip_serializing_if = "ScopeSet::is_empty")]
    pub scope: ScopeSet,
    /// When the person signed in, seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auth_time: Option<i64>,
    /// How strongly.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acr: Option<Arc<str>>,
    /// By which methods.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub amr: Option<Vec<Arc<str>>>,
    /// The session; absent where the grant outlives it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sid: Option<SessionId>,
    /// The grant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gid: Option<GrantId>,
    /// The refresh family.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fid: Option<FamilyId>,
    /// Where its status is listed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<StatusClaim>,
}

/// What minting adds to a plan.
#[derive(Clone, Copy, Debug)]
pub struct Minting<'a> {
    /// The tenant's issuer.
    pub issuer: &'a Arc<str>,
    /// A fresh identifier.
    pub jti: &'a Jti,
    /// The family that the token belongs to.
    pub family: Option<&'a FamilyId>,
    /// `iat`, seconds.
    pub iat_s: i64,
    /// `exp`, seconds.
    pub exp_s: i64,
}

impl AccessClaims {
    /// The claims of a plan.
    pub fn of_plan(plan: &IssuePlan, minting: Minting<'_>) -> Self {
        let mut claims = Self {
            iss: Arc::clone(minting.issuer),
            sub: plan.client.shared(),
            aud: audience(plan, minting.issuer),
            exp: minting.exp_s,
            iat: minting.iat_s,
            jti: minting.jti.clone(),
            client_id: plan.client.clone(),
            scope: plan.scope.clone(),
            auth_time: None,
            acr: None,
            amr: None,
            sid: None,
            gid: None,
            fid: minting.family.cloned(),
            status: None,
        };
        if let Principal::User { sub, authentication, grant, session } = &plan.principal {
            claims.sub = sub.shared();
            claims.auth_time = Some(authentication.time.as_unix_s());
            claims.acr = Some(authentication.acr.as_str().into());
            claims.amr = Some(authentication.amr.iter().map(|name| name.as_str().into()).collect());
            claims.sid.clone_from(session);
            claims.gid = Some(grant.clone());
        }
        claims
    }

    /// What a revocation can name.
    pub fn facts<'a>(&'a self, kid: Option<&'a str>) -> TokenFacts<'a> {
        TokenFacts {
            jti: self.jti.as_str(),
            client: self.client_id.as_str(),
            sub: &self.sub,
            grant: self.gid.as_ref().map(GrantId::as_str),
            family: self.fid.as_ref().map(FamilyId::as_str),
            session: self.sid.as_ref().map(SessionId::as_str),
            kid,
            iat_s: self.iat,
        }
    }

    /// Reads the claims of a verified or opened token.
    ///
    /// # Errors
    /// Any claim of another type than RFC 9068 gives it, any that is missing or stands twice.
    pub fn parse(payload: &[u8]) -> Result<Self, AccessTokenError> {
        // A list of the same values is no claims set.
        if !payload.trim_ascii_start().starts_with(b"{") {
            return Err(AccessTokenError::Malformed);
        }
        serde_json::from_slice(payload).map_err(|_| AccessTokenError::Malformed)
    }

    /// Whether the token is in its lifetime and of this issuer.
    pub fn check(&self, issuer: &str, now: Timestamp) -> Result<(), AccessTokenError> {
        if *self.iss != *issuer {
            return Err(AccessTokenError::Issuer);
        }
        if self.exp <= now.as_unix_s() {
            return Err(AccessTokenError::Expired);
        }
        if self.iat > now.plus(CLOCK_SKEW_MAX).as_unix_s() {
            return Err(AccessTokenError::NotYetValid);
        }
        Ok(())
    }

    /// Whether the token is for this resource, or for the issuer itself.
    pub fn is_for(&self, audience: &str) -> bool {
        self.aud.iter().any(|aud| **aud == *audience)
    }

    /// The user; nobody where the client speaks for itself (RFC 9068 §2.2).
    pub fn user(&self) -> Option<Subject> {
        let own = *self.sub == *self.client_id.as_str();
        (!own).then(|| Subject::from_trusted(Arc::clone(&self.sub)))
    }

    /// Whether a scope is among the token's.
    pub fn has_scope(&self, name: &str) -> bool {
        self.scope.contains(name)
    }
}

/// Why an access token is not acceptable; the words are those of `error_description`.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum AccessTokenError {
    /// Not meant for who reads it.
    #[error("the token is not for this audience")]
    Audience,
    /// Its time is over.
    #[error("the token is expired")]
    Expired,
    /// Another issuer's.
    #[error("the token is of another issuer")]
    Issuer,
    /// Not an access token at all.
    #[error("the token is malformed")]
    Malformed,
    /// Its time has not begun.
    #[error("the token is not yet valid")]
    NotYetValid,
    /// Taken back.
    #[error("the token is revoked")]
    Revoked,
    /// Not signed or sealed by this issuer.
    #[error("the token's signature is not valid")]
    Signature,
}

impl AccessTokenError {
    /// The sentence for `error_description`.
    pub const fn description(self) -> &'static str {
        match self {
            Self::Audience => "the token is not for this audience",
            Self::Expired => "the token is expired",
            Self::Issuer => "the token is of another issuer",
            Self::Malformed => "the token is malformed",
            Self::NotYetValid => "the token is not yet valid",
            Self::Revoked => "the token is revoked",
            Self::Signature => "the token's signature is not valid",
        }
    }
}

/// CONTRACT: the resources; the issuer too where `openid` is granted, and where there is none.
fn audience(plan: &IssuePlan, issuer: &Arc<str>) -> Vec<Arc<str>> {
    let mut audience: Vec<_> =
        plan.target.resources.iter().map(ResourceIndicator::shared).collect();
    if audience.is_empty() || plan.scope.contains("openid") {
        audience.push(Arc::clone(issuer));
    }
    audience
}

mod one_or_many {
    use std::fmt;
    use std::sync::Arc;

    use serde::de::{Deserializer, Error, SeqAccess, Visitor};
    use serde::{Serialize, Serializer};

    struct OneOrMany;

    pub(super) fn serialize<S: Serializer>(values: &[Arc<str>], to: S) -> Result<S::Ok, S::Error> {
        match values {
            [one] => one.serialize(to),
            many => many.serialize(to),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Vec<Arc<str>>, D::Error> {
        from.deserialize_any(OneOrMany)
    }

    impl<'de> Visitor<'de> for OneOrMany {
        type Value = Vec<Arc<str>>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a string or several")
        }

        fn visit_str<E: Error>(self, one: &str) -> Result<Self::Value, E> {
            Ok(vec![one.into()])
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut many: A) -> Result<Self::Value, A::Error> {
            let mut values = Vec::new();
            while let Some(value) = many.next_element()? {
                values.push(value);
            }
            Ok(values)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"{"iss":"https://i","sub":"u","aud":"https://a","exp":100,"iat":50,
        "jti":"j","client_id":"c","scope":"a b"}"#;

    #[test]
    fn rfc9068_4_lifetime_and_issuer() {
        let claims = AccessClaims::parse(GOOD.as_bytes()).unwrap();
        let at = Timestamp::from_unix_s;
        assert_eq!(claims.check("https://i", at(99)), Ok(()));
        assert_eq!(claims.check("https://i", at(100)), Err(AccessTokenError::Expired));
        assert_eq!(claims.check("https://j", at(99)), Err(AccessTokenError::Issuer));
        assert_eq!(claims.check("https://i", at(40)), Ok(()), "ten seconds ahead");
        assert_eq!(claims.check("https://i", at(39)), Err(AccessTokenError::NotYetValid));
    }

    #[test]
    fn malformed_is_an_error_never_absent() {
        for (from, to) in [
            ("100", r#""100""#),
            (r#""https://a""#, "7"),
            (r#""c""#, "null"),
            (r#""a b""#, r#"["a"]"#),
            (r#""sub":"u""#, r#""sub":"u","sub":"v""#),
        ] {
            let bad = GOOD.replacen(from, to, 1);
            assert_eq!(
                AccessClaims::parse(bad.as_bytes()),
                Err(AccessTokenError::Malformed),
                "{bad}"
            );
        }
    }
}
