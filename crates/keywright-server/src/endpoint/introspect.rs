//! Introspection, RFC 7662: an unseal or a verification, and a look at what is revoked.

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use http::{Request, StatusCode};
use keywright_protocol::claims::introspection::{Introspection, may_introspect};
use keywright_protocol::client::{AuthenticatedClient, ClientAuthError};
use keywright_protocol::limits::REVOCATIONS_AGE_MAX;
use keywright_protocol::token::RefreshToken;
use keywright_protocol::wire::introspect::IntrospectRequest;
use keywright_protocol::wire::json;

use crate::endpoint::access_token::verify;
use crate::endpoint::client::{credentials, prove, spend_assertion};
use crate::endpoint::form::read_form;
use crate::endpoint::refuse;
use crate::endpoint::response::{json_bytes, no_store};
use crate::error::{Refused, ServerFault};
use crate::explain::Asked;
use crate::keys::verified::VerifiedToken;
use crate::router::Ctx;

/// Answers `POST /introspect`.
pub async fn introspect(ctx: Ctx, request: Request<Body>) -> Response {
    match answer(&ctx, request).await {
        Ok((active, body)) => {
            ctx.app.metrics.introspected(active);
            no_store(json_bytes(StatusCode::OK, body))
        }
        Err(refused) => refuse(&ctx, Asked::at("introspect"), &refused),
    }
}

async fn answer(ctx: &Ctx, request: Request<Body>) -> Result<(bool, Bytes), Refused> {
    let (params, headers) = read_form(ctx, request).await?;
    let credentials = credentials(&headers, &params)?;
    if let Err(fault) = ctx.app.hear().await
        && !ctx.app.has_heard_within(REVOCATIONS_AGE_MAX)
    {
        return Err(fault.into());
    }
    let client = prove(ctx, &credentials).await?;
    // CONTRACT: a public client could be anybody.
    if !client.client().is_confidential() {
        return Err(ClientAuthError::NoCredentials.into());
    }
    spend_assertion(ctx, &client).await?;
    let token = IntrospectRequest::parse(&params)?.token;
    if let Some(refresh) = RefreshToken::parse(token) {
        return Box::pin(introspect_refresh(ctx, &client, &refresh)).await;
    }
    match verify(ctx, token).await? {
        Ok(token) if may_introspect(client.client(), &token.claims) => active(ctx, &token).await,
        Ok(_) | Err(_) => inactive(),
    }
}

async fn active(ctx: &Ctx, token: &VerifiedToken) -> Result<(bool, Bytes), Refused> {
    let username = match token.claims.user() {
        Some(sub) => ctx.app.username(&ctx.origin.tenant, &sub).await?,
        None => None,
    };
    Ok((true, token.introspection(username.as_deref()).map_err(ServerFault::from)?))
}

fn inactive() -> Result<(bool, Bytes), Refused> {
    let body = json::to_vec(&Introspection::inactive()).map_err(ServerFault::from)?;
    Ok((false, Bytes::from(body)))
}

/// A refresh token is shown to its own client alone.
async fn introspect_refresh(
    ctx: &Ctx,
    client: &AuthenticatedClient,
    token: &RefreshToken,
) -> Result<(bool, Bytes), Refused> {
    let family = ctx.app.store.load_family(&ctx.origin.tenant, &token.family()).await?;
    let live = family.filter(|f| {
        let in_time = f.idle_expires_at > ctx.now() && f.absolute_expires_at > ctx.now();
        let own = f.origin.client == client.client().id;
        own && in_time && !f.revoked && f.current == token.hash()
    });
    let Some(family) = live else { return inactive() };
    if !ctx.app.is_backed(&ctx.tenant, &family.origin).await? {
        return inactive();
    }
    let document = serde_json::json!({
        "active": true,
        "client_id": family.origin.client,
        "sub": family.origin.sub,
        "scope": family.origin.scope,
        "iss": ctx.issuer(),
        "iat": family.rotated_at.as_unix_s(),
        "exp": family.idle_expires_at.min(family.absolute_expires_at).as_unix_s(),
    });
    Ok((true, Bytes::from(document.to_string())))
}
