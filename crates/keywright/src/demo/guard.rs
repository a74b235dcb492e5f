//! "Is this access token good?", as any API would answer it: RFC 9068 §4 and RFC 6750 §3.
//!
//! Keys come from the issuer over HTTP, and so does what is revoked: the API follows the issuer's
//! feed, and looks a token up in what it has heard. No request of a caller costs a request to the
//! issuer, and a revoked token is refused within a second.
//!
//! **Policy.** When the feed was not heard for longer than [`REVOCATIONS_AGE_MAX`], nobody is let
//! in: 503 with `Retry-After`. This API rather refuses good tokens for a while than accepts a
//! revoked one. An API that would rather serve than refuse raises the bound: what it risks is that
//! a revoked token works for that much longer, at most to its expiry.

use std::sync::Arc;

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use keywright_jose::JwsError;
use keywright_protocol::claims::access_token::{AccessClaims, AccessTokenError, TYP};
use keywright_protocol::client::metadata::SIGNING_ALGORITHMS;
use keywright_protocol::limits::REVOCATIONS_AGE_MAX;
use keywright_server::environment::SharedEnvironment;
use serde_json::json;

use crate::peer::{FeedFollower, KeyCache, Standing};

/// Checks the tokens of one API.
pub(super) struct Guard {
    pub(super) environment: SharedEnvironment,
    pub(super) issuer: String,
    /// The API's identifier: what must stand in `aud`.
    pub(super) resource: String,
    pub(super) keys: Arc<KeyCache>,
    /// What is revoked.
    pub(super) feed: Arc<FeedFollower>,
}

/// Why a request is not let in.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Denied {
    /// RFC 6750 §3.1: no credentials, so no error code.
    Anonymous,
    /// More than one way of sending a token, or none that is known.
    Malformed,
    /// Whether the token is revoked is not known: see the policy above.
    Outdated,
    /// The token is good, and not for this.
    Scope(&'static str),
    /// The token is not good.
    Token(AccessTokenError),
    /// The issuer's keys cannot be had.
    Unavailable,
}

impl Guard {
    /// Lets a request in whose token has the scope.
    pub(super) async fn admit(
        &self,
        headers: &HeaderMap,
        scope: &'static str,
    ) -> Result<AccessClaims, Denied> {
        let claims = self.verify(bearer_token(headers)?).await?;
        if claims.has_scope(scope) { Ok(claims) } else { Err(Denied::Scope(scope)) }
    }

    async fn verify(&self, token: &str) -> Result<AccessClaims, Denied> {
        let now = self.environment.now();
        let verified = self.keys.verify(token, &SIGNING_ALGORITHMS, now).await;
        let verified = verified.map_err(|_| Denied::Unavailable)?.map_err(refusal)?;
        // RFC 9068 §4: an ID token is signed with the same keys.
        if !verified.header.typ_is(TYP) {
            return Err(Denied::Token(AccessTokenError::Malformed));
        }
        let claims = AccessClaims::parse(&verified.payload).map_err(Denied::Token)?;
        claims.check(&self.issuer, now).map_err(Denied::Token)?;
        // RFC 9068 §4: a token for another API is none for this one.
        if !claims.is_for(&self.resource) {
            return Err(Denied::Token(AccessTokenError::Audience));
        }
        let facts = claims.facts(verified.header.kid.as_deref());
        match self.feed.standing(&facts, REVOCATIONS_AGE_MAX) {
            Standing::Alive => Ok(claims),
            Standing::Revoked => Err(Denied::Token(AccessTokenError::Revoked)),
            Standing::Unknown => Err(Denied::Outdated),
        }
    }

    /// The answer to a request that is not let in, RFC 6750 §3 and RFC 9728 §5.1.
    pub(super) fn refuse(&self, denied: Denied) -> Response {
        let (status, error, description) = denied.parts();
        let metadata = format!("{}/.well-known/oauth-protected-resource", self.resource);
        let mut challenge = format!("Bearer resource_metadata=\"{metadata}\"");
        if let Some(error) = error {
            challenge.extend([", error=\"", error, "\", error_description=\"", description, "\""]);
        }
        if let Denied::Scope(scope) = denied {
            challenge.extend([", scope=\"", scope, "\""]);
        }
        let body = json!({ "error": error.unwrap_or("unauthorized"),
            "error_description": description });
        let mut response = (status, Json(body)).into_response();
        let headers = response.headers_mut();
        if matches!(denied, Denied::Outdated | Denied::Unavailable) {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        } else if let Ok(challenge) = HeaderValue::from_str(&challenge) {
            headers.insert(header::WWW_AUTHENTICATE, challenge);
        }
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        response
    }
}

impl Denied {
    const fn parts(self) -> (StatusCode, Option<&'static str>, &'static str) {
        match self {
            Self::Anonymous => (StatusCode::UNAUTHORIZED, None, "send an access token"),
            Self::Malformed => (
                StatusCode::BAD_REQUEST,
                Some("invalid_request"),
                "send one access token, as Authorization: Bearer",
            ),
            Self::Outdated => (
                StatusCode::SERVICE_UNAVAILABLE,
                Some("temporarily_unavailable"),
                "the issuer has not said lately what is revoked",
            ),
            Self::Scope(_) => (
                StatusCode::FORBIDDEN,
                Some("insufficient_scope"),
                "the token lacks the scope that this needs",
            ),
            Self::Token(error) => {
                (StatusCode::UNAUTHORIZED, Some("invalid_token"), error.description())
            }
            Self::Unavailable => (
                StatusCode::SERVICE_UNAVAILABLE,
                Some("temporarily_unavailable"),
                "the issuer's keys cannot be fetched",
            ),
        }
    }
}

/// The token of RFC 6750 §2.1, the one way that is accepted.
fn bearer_token(headers: &HeaderMap) -> Result<&str, Denied> {
    let mut sent = headers.get_all(header::AUTHORIZATION).iter();
    let Some(value) = sent.next() else { return Err(Denied::Anonymous) };
    if sent.next().is_some() {
        return Err(Denied::Malformed);
    }
    let text = value.to_str().map_err(|_| Denied::Malformed)?;
    // RFC 9110 §11.1: the scheme's case does not matter.
    match text.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => Ok(token.trim()),
        Some(_) => Err(Denied::Anonymous),
        None => Err(Denied::Malformed),
    }
}

fn refusal(error: JwsError) -> Denied {
    Denied::Token(match error {
        JwsError::Malformed(_) => AccessTokenError::Malformed,
        JwsError::AlgorithmNotAllowed | JwsError::BadSignature | JwsError::UnknownKey => {
            AccessTokenError::Signature
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(values: &[&'static str]) -> HeaderMap {
        let values = values.iter().map(|text| HeaderValue::from_static(text));
        values.map(|value| (header::AUTHORIZATION, value)).collect()
    }

    #[test]
    fn rfc6750_2_1_one_token_in_the_header() {
        for (sent, want) in [
            (headers(&["Bearer abc"]), Ok("abc")),
            (headers(&["bEARER abc"]), Ok("abc")),
            (headers(&[]), Err(Denied::Anonymous)),
            (headers(&["Basic abc"]), Err(Denied::Anonymous)),
            (headers(&["Bearer"]), Err(Denied::Malformed)),
            (headers(&["Bearer a", "Bearer b"]), Err(Denied::Malformed)),
        ] {
            assert_eq!(bearer_token(&sent), want, "RFC6750-2.1: {sent:?}");
        }
    }

    #[test]
    fn rfc6750_3_1_each_refusal_has_its_status() {
        for (denied, status, code) in [
            (Denied::Anonymous, 401, None),
            (Denied::Malformed, 400, Some("invalid_request")),
            (Denied::Scope("a"), 403, Some("insufficient_scope")),
            (Denied::Token(AccessTokenError::Expired), 401, Some("invalid_token")),
            (Denied::Outdated, 503, Some("temporarily_unavailable")),
            (Denied::Unavailable, 503, Some("temporarily_unavailable")),
        ] {
            let (found, error, description) = denied.parts();
            assert_eq!((found.as_u16(), error), (status, code), "RFC6750-3.1: {denied:?}");
            assert!(!description.contains('"'), "it stands in a quoted string");
        }
    }
}
