//! Revocation, RFC 7009.

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use http::{Request, StatusCode};
use keywright_protocol::audit::{Actor, EventType, Record};
use keywright_protocol::client::{AuthenticatedClient, ClientAuthError};
use keywright_protocol::revocation::RevocationTarget;
use keywright_protocol::time::Timestamp;
use keywright_protocol::token::RefreshToken;
use keywright_protocol::wire::revoke::RevokeRequest;
use keywright_protocol::wire::{ErrorCode, WireError};
use keywright_store::revocation::{Revoke, Revoked};

use crate::endpoint::access_token::recognise;
use crate::endpoint::client::{credentials, prove, spend_assertion};
use crate::endpoint::form::read_form;
use crate::endpoint::refuse;
use crate::endpoint::response::{no_store, with_type};
use crate::error::Refused;
use crate::explain::Asked;
use crate::router::Ctx;

/// Answers `POST /revoke`.
pub async fn revoke(ctx: Ctx, request: Request<Body>) -> Response {
    match answer(&ctx, request).await {
        Ok(()) => {
            let json = http::HeaderValue::from_static("application/json");
            no_store(with_type(StatusCode::OK, Bytes::from_static(b"{}"), json))
        }
        Err(refused) => refuse(&ctx, Asked::at("revoke"), &refused),
    }
}

async fn answer(ctx: &Ctx, request: Request<Body>) -> Result<(), Refused> {
    let (params, headers) = read_form(ctx, request).await?;
    let credentials = credentials(&headers, &params)?;
    let client = prove(ctx, &credentials).await?;
    let token = RevokeRequest::parse(&params)?.token;
    match find_target(ctx, &client, token).await? {
        Some((target, expires_at)) => commit(ctx, &client, target, expires_at).await,
        // RFC 7009 §2.2: an invalid token is as good as a revoked one.
        None => spend_assertion(ctx, &client).await,
    }
}

/// What a token names, if it is alive and the client's own.
async fn find_target(
    ctx: &Ctx,
    client: &AuthenticatedClient,
    token: &str,
) -> Result<Option<(RevocationTarget, Timestamp)>, Refused> {
    let (owner, target, expires_at) = if let Some(refresh) = RefreshToken::parse(token) {
        let found = ctx.app.store.load_family(&ctx.origin.tenant, &refresh.family()).await?;
        let Some(family) = found else { return Ok(None) };
        if family.revoked {
            // Perhaps by another process, or by a try whose answer was lost.
            ctx.app.learn_and_follow(&[]).await?;
            return Ok(None);
        }
        let expires_at = ctx.app.tokens_expire_at(&ctx.tenant, ctx.now());
        (family.origin.client, RevocationTarget::Family(family.id), expires_at)
    } else {
        let Ok(token) = recognise(ctx, token).await? else { return Ok(None) };
        let claims = &token.claims;
        let target = RevocationTarget::Token(claims.jti.clone());
        let expires_at = Timestamp::from_unix_s(claims.exp.saturating_add(60));
        (claims.client_id.clone(), target, expires_at)
    };
    // RFC 7009 §2.1: another client's token is refused, and lives on.
    if owner != client.client().id {
        spend_assertion(ctx, client).await?;
        let wire = WireError::new(ErrorCode::UnauthorizedClient, "the token is another client's");
        return Err(Refused::Http(wire));
    }
    Ok(Some((target, expires_at)))
}

async fn commit(
    ctx: &Ctx,
    client: &AuthenticatedClient,
    target: RevocationTarget,
    tokens_expire_at: Timestamp,
) -> Result<(), Refused> {
    let id = &client.client().id;
    let mut event = ctx
        .origin
        .event(EventType::TokenRevoked, Actor::Client(id.clone()), ctx.now())
        .client(id)
        .because("by its client");
    match &target {
        RevocationTarget::Family(family) => event.family_id = Some(family.clone()),
        RevocationTarget::Token(jti) => event.jti = Some(jti.clone()),
        _ => {}
    }
    let tenant = ctx.origin.tenant.clone();
    let record = Record::of(event).once(client.once());
    match ctx.app.store.revoke(Revoke { tenant, target, tokens_expire_at, record }).await? {
        Revoked::Done(entries) => ctx.app.learn(&entries),
        // It went meanwhile; the assertion must not come back with the undone transaction.
        Revoked::Missing => {
            spend_assertion(ctx, client).await?;
            ctx.app.learn_and_follow(&[]).await?;
        }
        Revoked::AssertionReplayed => {
            return Err(ClientAuthError::ASSERTION_REPLAYED.into());
        }
    }
    Ok(())
}
