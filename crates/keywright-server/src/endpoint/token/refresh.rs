//! A refresh token becomes the next: load, decide, mint, commit.

use bytes::Bytes;
use keywright_protocol::audit::{Actor, EventType, Record};
use keywright_protocol::client::{AuthenticatedClient, ClientAuthError};
use keywright_protocol::grant::refresh_token::{Presented, Refresh, StoredFamily, decide};
use keywright_protocol::grant::{GrantError, RefreshPlan};
use keywright_protocol::limits::COMMIT_TRIES_MAX;
use keywright_protocol::policy::approve;
use keywright_protocol::revocation::RevocationTarget;
use keywright_protocol::token::RefreshToken;
use keywright_protocol::wire::token::TokenRequest;
use keywright_store::refresh::{Rotate, Rotation};
use keywright_store::revocation::{Revoke, Revoked};

use crate::endpoint::token::{issued_event, mint_for, respond};
use crate::error::{Refused, ServerFault};
use crate::router::Ctx;

pub(super) async fn refresh(
    ctx: &Ctx,
    client: &AuthenticatedClient,
    request: &TokenRequest,
    token: &RefreshToken,
) -> Result<Bytes, Refused> {
    let id = token.family();
    for _ in 0..COMMIT_TRIES_MAX {
        let family = ctx.app.store.load_family(&ctx.origin.tenant, &id).await?;
        let family = family.ok_or(GrantError::RefreshUnknown)?;
        // A twin of this request was faster: it is judged next, as a retry.
        if let Some(body) = attempt(ctx, client, request, token, family).await? {
            return Ok(body);
        }
    }
    Err(ServerFault::Overload("a refresh token is being used by many at once").into())
}

async fn attempt(
    ctx: &Ctx,
    client: &AuthenticatedClient,
    request: &TokenRequest,
    token: &RefreshToken,
    family: StoredFamily,
) -> Result<Option<Bytes>, Refused> {
    let refresh = Refresh {
        client: client.client(),
        presented: Presented::of(token, &ctx.tenant.secrets.generation),
        scope: request.scope.as_ref(),
        resources: &request.resources,
        retry_since: ctx.app.retry_since(ctx.now()),
    };
    let catalog = ctx.tenant.catalog.load();
    let plan = match decide(&family, refresh, &catalog, ctx.now()) {
        Ok(plan) => plan,
        Err(GrantError::RefreshReused) => {
            revoke_family(ctx, client, &family).await?;
            return Err(GrantError::RefreshReused.into());
        }
        Err(GrantError::RefreshRevoked) => {
            // Perhaps by another node: whoever is told so may count on this one.
            ctx.app.learn_and_follow(&[]).await?;
            return Err(GrantError::RefreshRevoked.into());
        }
        Err(error) => return Err(error.into()),
    };
    let approved = approve(plan, client.client())?;
    let (minted, step) = mint_for(ctx, approved.plan()).await.next(&approved, &family, token)?;
    let event_type = match approved.plan().refresh {
        RefreshPlan::Adopt { .. } => EventType::RefreshAdopted,
        RefreshPlan::Retry { .. } => EventType::RefreshRetried,
        _ => EventType::TokenIssued,
    };
    let event = issued_event(ctx, event_type, client, approved.plan(), &minted);
    let rotation = Rotation {
        tenant: ctx.origin.tenant.clone(),
        family: family.id,
        client: client.client().id.clone(),
        presented: token.hash(),
        step,
        record: Record::of(event).once(client.once()),
    };
    match ctx.app.store.rotate(rotation).await? {
        Rotate::Committed(receipt) => respond(&minted, receipt).map(Some),
        Rotate::LostRace => Ok(None),
        Rotate::SubjectGone => Err(GrantError::SubjectGone.into()),
        Rotate::AssertionReplayed => Err(ClientAuthError::ASSERTION_REPLAYED.into()),
    }
}

/// RFC 9700 §4.14.2: somebody else may hold the successor, so nobody keeps it.
async fn revoke_family(
    ctx: &Ctx,
    client: &AuthenticatedClient,
    family: &StoredFamily,
) -> Result<(), Refused> {
    let id = &client.client().id;
    let mut event = ctx
        .origin
        .event(EventType::RefreshReuseDetected, Actor::Client(id.clone()), ctx.now())
        .client(id)
        .subject(&family.origin.sub)
        .failed()
        .because("a used refresh token was presented; the family is revoked");
    event.family_id = Some(family.id.clone());
    event.grant_id = Some(family.origin.grant.clone());
    ctx.app.metrics.refresh_reused();
    let revoke = Revoke {
        tenant: ctx.origin.tenant.clone(),
        target: RevocationTarget::Family(family.id.clone()),
        tokens_expire_at: ctx.app.tokens_expire_at(&ctx.tenant, ctx.now()),
        record: Record::of(event).once(client.once()),
    };
    match ctx.app.store.revoke(revoke).await? {
        Revoked::Done(entries) => ctx.app.learn(&entries),
        // Somebody else has revoked it, or it was swept meanwhile.
        Revoked::Missing => ctx.app.learn_and_follow(&[]).await?,
        // Who replays an assertion is not the client, and ends nobody's family.
        Revoked::AssertionReplayed => return Err(ClientAuthError::ASSERTION_REPLAYED.into()),
    }
    Ok(())
}
