//! The claims of an ID token, OpenID Connect Core §2.

use keywright_jose::{Algorithm, base64url_encode, sha256};
use serde::Serialize;

use crate::grant::{IssuePlan, Principal};

/// The claims of an ID token.
#[derive(Clone, Debug, Serialize)]
pub struct IdTokenClaims<'a> {
    /// The issuer.
    pub iss: &'a str,
    /// The user.
    pub sub: &'a str,
    /// The client.
    pub aud: &'a str,
    /// The end, seconds.
    pub exp: i64,
    /// The beginning, seconds.
    pub iat: i64,
    /// When the person signed in, seconds.
    pub auth_time: i64,
    /// From the authorization request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nonce: Option<&'a str>,
    /// How strongly.
    pub acr: &'a str,
    /// By which methods.
    pub amr: &'a [String],
    /// The left half of the access token's hash, §3.1.3.6.
    pub at_hash: String,
    /// The session.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sid: Option<&'a str>,
}

impl<'a> IdTokenClaims<'a> {
    /// The claims of a plan; nothing where no person or no ID token is in it.
    pub fn of_plan(
        plan: &'a IssuePlan,
        issuer: &'a str,
        times: (i64, i64),
        access_token: &str,
    ) -> Option<Self> {
        let id_token = plan.id_token.as_ref()?;
        let Principal::User { sub, authentication, .. } = &plan.principal else { return None };
        Some(Self {
            iss: issuer,
            sub: sub.as_str(),
            aud: plan.client.as_str(),
            iat: times.0,
            exp: times.1,
            auth_time: authentication.time.as_unix_s(),
            nonce: id_token.nonce.as_deref(),
            acr: &authentication.acr,
            amr: &authentication.amr,
            at_hash: half_hash(id_token.alg, access_token),
            sid: id_token.session.as_ref().map(crate::id::SessionId::as_str),
        })
    }
}

/// The left half of the hash that belongs to the signature's algorithm, §3.1.3.6.
fn half_hash(alg: Algorithm, text: &str) -> String {
    match alg {
        // Ed25519 hashes with SHA-512.
        Algorithm::EdDsa => {
            let digest = keywright_jose::sha512(text.as_bytes());
            base64url_encode(digest.split_at(32).0)
        }
        _ => base64url_encode(sha256(text.as_bytes()).split_at(16).0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn oidcc_3_1_3_6_at_hash_example_of_core_a_3() {
        let token = "jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5KF0Y";
        assert_eq!(half_hash(Algorithm::Rs256, token), "77QmUPtjPfzWtF2AnpK9RQ");
    }
}
