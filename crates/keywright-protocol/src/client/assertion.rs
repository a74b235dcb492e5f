//! Client assertions (`private_key_jwt`), RFC 7523 §3 as tightened by RFC 10070.

use keywright_jose::{Algorithm, Claims, UnverifiedJws};

use crate::audit::OneTime;
use crate::client::authenticate::AssertionContext;
use crate::client::{Client, ClientAuthError};
use crate::id::ClientId;
use crate::limits::{ASSERTION_LIFETIME_MAX, CLOCK_SKEW_MAX};
use crate::time::Timestamp;
use crate::wire::RequestError;

/// The one `client_assertion_type`, RFC 7523 §2.2.
pub const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// The algorithms that a client may sign with; none is symmetric.
pub const ASSERTION_ALGORITHMS: [Algorithm; 10] = [
    Algorithm::Es256,
    Algorithm::Es384,
    Algorithm::Es512,
    Algorithm::EdDsa,
    Algorithm::Ps256,
    Algorithm::Ps384,
    Algorithm::Ps512,
    Algorithm::Rs256,
    Algorithm::Rs384,
    Algorithm::Rs512,
];

/// An assertion of which nothing is proven yet.
#[derive(Debug)]
pub struct UnverifiedAssertion(String);

impl UnverifiedAssertion {
    /// Reads the form of it.
    pub fn parse(text: &str) -> Result<Self, RequestError> {
        UnverifiedJws::parse(text).map_err(|_| RequestError::Malformed("client_assertion"))?;
        Ok(Self(text.to_owned()))
    }

    /// Whom it claims to be, to find the keys that prove or refute it.
    pub fn claimed_client(&self) -> Result<ClientId, RequestError> {
        let malformed = RequestError::Malformed("client_assertion");
        let jws = UnverifiedJws::parse(&self.0).map_err(|_| malformed)?;
        let claims = Claims::parse(jws.unverified_payload()).map_err(|_| malformed)?;
        ClientId::parse(claims.required_str("sub").map_err(|_| malformed)?).map_err(|_| malformed)
    }
}

/// Verifies an assertion; what comes back must be spent with the commit.
pub fn verify(
    unverified: &UnverifiedAssertion,
    client: &Client,
    context: AssertionContext<'_>,
    now: Timestamp,
) -> Result<OneTime, ClientAuthError> {
    let refuse = ClientAuthError::AssertionInvalid;
    let jws = UnverifiedJws::parse(&unverified.0).map_err(|_| refuse("form"))?;
    // An assertion of another kind of JWT is refused; `typ` may be absent, RFC 8725 §3.11.
    let typ = jws.header().typ.as_deref();
    if !matches!(typ, None | Some("JWT" | "client-authentication+jwt")) {
        return Err(refuse("typ is not a client assertion's"));
    }
    let registered = client.metadata.token_endpoint_auth_signing_alg;
    let allowed = registered.as_ref().map_or(&ASSERTION_ALGORITHMS[..], std::slice::from_ref);
    let verified = jws.verify(context.keys, allowed).map_err(|_| refuse("signature"))?;
    let claims = Claims::parse(&verified.payload).map_err(|_| refuse("claims"))?;
    check_claims(&claims, client, context.issuer, now).map_err(refuse)
}

fn check_claims(
    claims: &Claims,
    client: &Client,
    issuer: &str,
    now: Timestamp,
) -> Result<OneTime, &'static str> {
    for name in ["iss", "sub"] {
        if claims.required_str(name).map_err(|_| "iss or sub is missing")? != client.id.as_str() {
            return Err("iss and sub must be the client_id");
        }
    }
    // RFC 10070 §3: the issuer, as one string. An array would let another server replay it here.
    if claims.str("aud").map_err(|_| "aud must be one string")? != Some(issuer) {
        return Err("aud must be the issuer");
    }
    let soon = now.plus(CLOCK_SKEW_MAX);
    let exp = claims.required_time("exp").map_err(|_| "exp is missing")?;
    if Timestamp::from_unix_s(exp) <= now {
        return Err("expired");
    }
    if Timestamp::from_unix_s(exp) > soon.plus(ASSERTION_LIFETIME_MAX) {
        return Err("exp lies too far ahead");
    }
    let mut made_at = None;
    for name in ["nbf", "iat"] {
        let time = claims.time(name).map_err(|_| "iat or nbf is malformed")?;
        made_at = time.or(made_at);
        if time.is_some_and(|t| Timestamp::from_unix_s(t) > soon) {
            return Err("iat or nbf lies ahead");
        }
    }
    let jti = claims.required_str("jti").map_err(|_| "jti is missing")?;
    // The issuer is part of it: tenants share a store, and may share a client's name.
    let parts = [issuer, client.id.as_str(), jti];
    let once = OneTime::new("assertion", &parts, Timestamp::from_unix_s(exp));
    Ok(match made_at {
        Some(s) => once.made_at(Timestamp::from_unix_s(s)),
        None => once,
    })
}
