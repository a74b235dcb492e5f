//! Access tokens that come back: opened or verified, in their lifetime, not revoked.

use std::sync::Arc;
use std::time::Duration;

use keywright_jose::{UnverifiedJws, base64url_decode};
use keywright_protocol::claims::access_token::{AccessClaims, AccessTokenError, TYP};
use keywright_protocol::client::metadata::SIGNING_ALGORITHMS;
use keywright_protocol::time::Timestamp;
use keywright_protocol::token::OPAQUE_PREFIX;

use crate::app::App;
use crate::error::ServerFault;
use crate::keys::KeyRing;
use crate::keys::verified::VerifiedToken;
use crate::router::Ctx;
use crate::tenants::TenantState;

/// How wrong a clock may be for a while without costing a revocation; the store keeps what has
/// expired for as long.
const CLOCK_STEP_MAX: Duration = Duration::from_hours(1);

/// An access token that was judged.
pub type Verdict = Result<Arc<VerifiedToken>, AccessTokenError>;

/// Verifies an access token of this tenant, whoever it is for.
///
/// # Errors
/// Another node may have signed it by a key that this one cannot ask for.
pub async fn verify(ctx: &Ctx, token: &str) -> Result<Verdict, ServerFault> {
    let verdict = read_by_newest(ctx, token).await?.and_then(|token| {
        check(&ctx.app, &ctx.tenant, &token, ctx.now())?;
        Ok(token)
    });
    ctx.app.metrics.validated(match &verdict {
        Ok(_) => "ok",
        Err(AccessTokenError::Expired) => "expired",
        Err(AccessTokenError::Revoked) => "revoked",
        Err(_) => "invalid",
    });
    Ok(verdict)
}

/// Recognises an access token of this tenant that is to be taken back, in its lifetime or not.
///
/// Which of two clocks is wrong cannot be known here: a token that is over by this one may live by
/// another. One that was revoked already, or that is over by more than any clock is wrong, is left
/// as it is.
///
/// # Errors
/// As [`verify`].
pub async fn recognise(ctx: &Ctx, token: &str) -> Result<Verdict, ServerFault> {
    Ok(read_by_newest(ctx, token).await?.and_then(|token| may_be_taken_back(ctx, token)))
}

fn may_be_taken_back(ctx: &Ctx, token: Arc<VerifiedToken>) -> Verdict {
    let over = Timestamp::from_unix_s(token.claims.exp).plus(CLOCK_STEP_MAX) <= ctx.now();
    match token.claims.check(ctx.issuer(), ctx.now()) {
        Err(AccessTokenError::Expired) if over => Err(AccessTokenError::Expired),
        Ok(()) | Err(AccessTokenError::Expired | AccessTokenError::NotYetValid) => {
            check_revoked(&ctx.app, &ctx.tenant, &token)?;
            Ok(token)
        }
        Err(error) => Err(error),
    }
}

/// [`read`], with the keys that the store has where this node has not heard of the token's: a key
/// may sign at once where another was withdrawn.
async fn read_by_newest(ctx: &Ctx, token: &str) -> Result<Verdict, ServerFault> {
    let verdict = read(ctx, token);
    if !matches!(verdict, Err(AccessTokenError::Signature)) || !names_unknown_key(ctx, token) {
        return Ok(verdict);
    }
    ctx.app.take_over_changes().await?;
    Ok(read(ctx, token))
}

fn names_unknown_key(ctx: &Ctx, token: &str) -> bool {
    let Ok(jws) = UnverifiedJws::parse(token) else { return false };
    let keys = ctx.tenant.keys.load();
    jws.header().kid.as_deref().is_some_and(|kid| !keys.iter().any(|key| key.is_named(kid)))
}

/// The claims of a token that is ours, and the key that signed it.
fn read(ctx: &Ctx, token: &str) -> Verdict {
    let keys = ctx.tenant.keys.load();
    keys.verified.find_or(token, || match token.strip_prefix(OPAQUE_PREFIX) {
        Some(sealed) => unseal(ctx, sealed),
        None => verify_signature(&keys, token),
    })
}

fn unseal(ctx: &Ctx, sealed: &str) -> Result<VerifiedToken, AccessTokenError> {
    let bytes = base64url_decode(sealed).map_err(|_| AccessTokenError::Malformed)?;
    let payload = ctx
        .tenant
        .secrets
        .opaque
        .open(ctx.issuer().as_bytes(), &bytes)
        .map_err(|_| AccessTokenError::Signature)?;
    Ok(VerifiedToken::new(AccessClaims::parse(&payload)?, None))
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
    Ok(VerifiedToken::new(claims, verified.header.kid.map(Into::into)))
}

/// What can change from one moment to the next; never cached.
pub fn check(
    app: &App,
    tenant: &TenantState,
    token: &VerifiedToken,
    now: Timestamp,
) -> Result<(), AccessTokenError> {
    token.claims.check(&tenant.issuer, now)?;
    // A lifetime that was shortened counts at once: no token lives longer than a revocation of it
    // would be remembered. Counted from `iat`, so that what has expired stays so.
    if app.accepted_until(tenant, Timestamp::from_unix_s(token.claims.iat)) <= now {
        return Err(AccessTokenError::Expired);
    }
    check_revoked(app, tenant, token)
}

fn check_revoked(
    app: &App,
    tenant: &TenantState,
    token: &VerifiedToken,
) -> Result<(), AccessTokenError> {
    let facts = token.claims.facts(token.kid.as_deref());
    if app.with_revocations(|set| set.revokes(&tenant.id(), &facts)) {
        return Err(AccessTokenError::Revoked);
    }
    Ok(())
}
