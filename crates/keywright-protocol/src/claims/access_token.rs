//! The claims of an access token, RFC 9068 §2.2, signed and sealed ones alike.

use keywright_jose::Claims;
use serde::{Deserialize, Serialize};

use crate::grant::{IssuePlan, Principal};
use crate::id::{FamilyId, Jti};
use crate::limits::CLOCK_SKEW_MAX;
use crate::revocation::TokenFacts;
use crate::scope::ScopeSet;
use crate::time::Timestamp;

/// The `typ` of a signed access token, RFC 9068 §2.1.
pub const TYP: &str = "at+jwt";

/// The claims of an access token.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct AccessClaims {
    /// The issuer.
    pub iss: String,
    /// The user, or the client itself.
    pub sub: String,
    /// The resources; one is written as a string.
    #[serde(with = "one_or_many")]
    pub aud: Vec<String>,
    /// The end, seconds.
    pub exp: i64,
    /// The beginning, seconds.
    pub iat: i64,
    /// The token's own identifier.
    pub jti: String,
    /// The client.
    pub client_id: String,
    /// What it allows.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub scope: String,
    /// When the person signed in, seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auth_time: Option<i64>,
    /// How strongly.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acr: Option<String>,
    /// By which methods.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub amr: Option<Vec<String>>,
    /// The session; absent where the grant outlives it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sid: Option<String>,
    /// The grant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gid: Option<String>,
    /// The refresh family.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fid: Option<String>,
}

/// What minting adds to a plan.
#[derive(Clone, Copy, Debug)]
pub struct Minting<'a> {
    /// The tenant's issuer.
    pub issuer: &'a str,
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
            iss: minting.issuer.to_owned(),
            sub: plan.client.to_string(),
            aud: audience(plan, minting.issuer),
            exp: minting.exp_s,
            iat: minting.iat_s,
            jti: minting.jti.to_string(),
            client_id: plan.client.to_string(),
            scope: plan.scope.to_string(),
            auth_time: None,
            acr: None,
            amr: None,
            sid: None,
            gid: None,
            fid: minting.family.map(ToString::to_string),
        };
        if let Principal::User { sub, authentication, grant, session } = &plan.principal {
            claims.sub = sub.to_string();
            claims.auth_time = Some(authentication.time.as_unix_s());
            claims.acr = Some(authentication.acr.clone());
            claims.amr = Some(authentication.amr.clone());
            claims.sid = session.as_ref().map(ToString::to_string);
            claims.gid = Some(grant.to_string());
        }
        claims
    }

    /// What a revocation can name.
    pub fn facts<'a>(&'a self, kid: Option<&'a str>) -> TokenFacts<'a> {
        TokenFacts {
            jti: &self.jti,
            client: &self.client_id,
            sub: &self.sub,
            grant: self.gid.as_deref(),
            family: self.fid.as_deref(),
            session: self.sid.as_deref(),
            kid,
            iat_s: self.iat,
        }
    }

    /// Reads the claims of a verified or opened token.
    ///
    /// # Errors
    /// Any claim of another type than RFC 9068 gives it, and any that is missing.
    pub fn parse(payload: &[u8]) -> Result<Self, AccessTokenError> {
        let claims = Claims::parse(payload).map_err(|_| AccessTokenError::Malformed)?;
        serde_json::from_value(serde_json::Value::Object(claims.into_map()))
            .map_err(|_| AccessTokenError::Malformed)
    }

    /// Whether the token is in its lifetime and of this issuer.
    pub fn check(&self, issuer: &str, now: Timestamp) -> Result<(), AccessTokenError> {
        if self.iss != issuer {
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

    /// Whether a scope is among the token's.
    pub fn has_scope(&self, name: &str) -> bool {
        self.scope.split(' ').any(|scope| scope == name)
    }

    /// The scopes as a set.
    pub fn scopes(&self) -> ScopeSet {
        ScopeSet::parse(&self.scope).unwrap_or_default()
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
fn audience(plan: &IssuePlan, issuer: &str) -> Vec<String> {
    let mut audience: Vec<String> =
        plan.target.resources.iter().map(|r| r.as_str().to_owned()).collect();
    if audience.is_empty() || plan.scope.contains("openid") {
        audience.push(issuer.to_owned());
    }
    audience
}

mod one_or_many {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[derive(Deserialize)]
    #[serde(untagged)]
    enum OneOrMany {
        One(String),
        Many(Vec<String>),
    }

    pub(super) fn serialize<S: Serializer>(values: &[String], to: S) -> Result<S::Ok, S::Error> {
        match values {
            [one] => one.serialize(to),
            many => many.serialize(to),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<String>, D::Error> {
        Ok(match OneOrMany::deserialize(from)? {
            OneOrMany::One(one) => vec![one],
            OneOrMany::Many(many) => many,
        })
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
