//! Access tokens that come back: opened or verified, in their lifetime, not revoked.

use keywright_jose::{UnverifiedJws, base64url_decode};
use keywright_protocol::claims::access_token::{AccessClaims, AccessTokenError, TYP};
use keywright_protocol::client::metadata::SIGNING_ALGORITHMS;
use keywright_protocol::time::Timestamp;
use keywright_protocol::token::OPAQUE_PREFIX;

use crate::keys::KeyRing;
use crate::keys::verified::VerifiedToken;
use crate::router::Ctx;

/// Verifies an access token of this tenant, whoever it is for.
pub fn verify(ctx: &Ctx, token: &str) -> Result<AccessClaims, AccessTokenError> {
    let verdict = match token.strip_prefix(OPAQUE_PREFIX) {
        Some(sealed) => open(ctx, sealed),
        None => verify_signed(ctx, token),
    };
    ctx.app.metrics.validated(match &verdict {
        Ok(_) => "ok",
        Err(AccessTokenError::Expired) => "expired",
        Err(AccessTokenError::Revoked) => "revoked",
        Err(_) => "invalid",
    });
    verdict
}

fn open(ctx: &Ctx, sealed: &str) -> Result<AccessClaims, AccessTokenError> {
    let bytes = base64url_decode(sealed).map_err(|_| AccessTokenError::Malformed)?;
    let payload = ctx
        .tenant
        .secrets
        .opaque
        .open(ctx.issuer().as_bytes(), &bytes)
        .map_err(|_| AccessTokenError::Signature)?;
    let claims = AccessClaims::parse(&payload)?;
    check(ctx, &claims, None)?;
    Ok(claims)
}

fn verify_signed(ctx: &Ctx, token: &str) -> Result<AccessClaims, AccessTokenError> {
    let keys = ctx.tenant.keys.load();
    let verified = keys.verified.find_or(token, || verify_signature(&keys, token))?;
    check(ctx, &verified.claims, verified.kid.as_deref())?;
    Ok(verified.claims.clone())
}

fn verify_signature(keys: &KeyRing, token: &str) -> Result<VerifiedToken, AccessTokenError> {
    let jws = UnverifiedJws::parse(token).map_err(|_| AccessTokenError::Malformed)?;
    // RFC 9068 §4, RFC 8725 §3.11: an ID token or an assertion is never an access token.
    if !jws.header().typ_is(TYP) {
        return Err(AccessTokenError::Malformed);
    }
    let verified = jws
        .verify(keys.verifying(), &SIGNING_ALGORITHMS)
        .map_err(|_| AccessTokenError::Signature)?;
    let claims = AccessClaims::parse(&verified.payload)?;
    Ok(VerifiedToken { claims, kid: verified.header.kid })
}

/// What can change from one moment to the next; never cached.
fn check(ctx: &Ctx, claims: &AccessClaims, kid: Option<&str>) -> Result<(), AccessTokenError> {
    claims.check(ctx.issuer(), ctx.now)?;
    // A lifetime that was shortened counts at once: no token lives longer than a revocation of it
    // would be remembered. Counted from `iat`, so that what has expired stays so.
    let issued_at = Timestamp::from_unix_s(claims.iat);
    if ctx.app.tokens_expire_at(&ctx.tenant, issued_at) <= ctx.now {
        return Err(AccessTokenError::Expired);
    }
    let facts = claims.facts(kid);
    if ctx.app.with_revocations(|set| set.revokes(&ctx.origin.tenant, &facts)) {
        return Err(AccessTokenError::Revoked);
    }
    Ok(())
}
