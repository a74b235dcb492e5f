//! A code becomes a token: load, decide, mint, commit.

use bytes::Bytes;
use keywright_protocol::audit::{Actor, EventType, Record};
use keywright_protocol::client::{AuthenticatedClient, ClientAuthError};
use keywright_protocol::grant::GrantError;
use keywright_protocol::grant::authorization_code::{Redemption, StoredCode, decide};
use keywright_protocol::limits::COMMIT_TRIES_MAX;
use keywright_protocol::policy::approve;
use keywright_protocol::token::{AuthorizationCode, CodeHash};
use keywright_protocol::wire::token::{GrantRequest, TokenRequest};
use keywright_store::code::{Redeem, RedeemCode, ReplayedCode};

use crate::endpoint::token::{issued_event, mint_for, respond};
use crate::error::{Refused, ServerFault};
use crate::router::Ctx;

pub(super) async fn redeem(
    ctx: &Ctx,
    client: &AuthenticatedClient,
    request: &TokenRequest,
) -> Result<Bytes, Refused> {
    let GrantRequest::AuthorizationCode { code: Some(code), .. } = &request.grant else {
        return Err(GrantError::CodeUnknown.into());
    };
    for _ in 0..COMMIT_TRIES_MAX {
        let stored = ctx.app.store.load_code(&ctx.origin.tenant, code.hash()).await?;
        let stored = stored.ok_or(GrantError::CodeUnknown)?;
        // Somebody else was faster: what they left is judged next.
        if let Some(body) = attempt(ctx, client, request, code, stored).await? {
            return Ok(body);
        }
    }
    Err(ServerFault::Overload("a code is being redeemed by many at once").into())
}

async fn attempt(
    ctx: &Ctx,
    client: &AuthenticatedClient,
    request: &TokenRequest,
    code: &AuthorizationCode,
    stored: StoredCode,
) -> Result<Option<Bytes>, Refused> {
    let GrantRequest::AuthorizationCode { redirect_uri, verifier, .. } = &request.grant else {
        return Err(GrantError::GrantTypeUnsupported.into());
    };
    let redemption = Redemption {
        client: client.client(),
        redirect_uri: redirect_uri.as_deref(),
        verifier: verifier.as_ref(),
        resources: &request.resources,
    };
    let catalog = ctx.tenant.catalog.load();
    let plan = match decide(&stored, redemption, &catalog, ctx.now()) {
        Ok(plan) => plan,
        Err(error) => return Err(punish(ctx, client, code.hash(), &stored, error).await?),
    };
    let approved = approve(plan, client.client())?;
    let (minted, family) = mint_for(ctx, approved.plan()).await.first(&approved, &stored)?;
    let event = issued_event(ctx, EventType::TokenIssued, client, approved.plan(), &minted);
    let commit = RedeemCode {
        tenant: ctx.origin.tenant.clone(),
        hash: code.hash(),
        code: stored,
        jti: minted.jti.clone(),
        family,
        record: Record::of(event).once(client.once()),
    };
    match ctx.app.store.redeem_code(commit).await? {
        Redeem::Committed(receipt) => respond(&minted, receipt).map(Some),
        Redeem::LostRace => Ok(None),
        Redeem::SubjectGone => Err(GrantError::SubjectGone.into()),
        Redeem::AssertionReplayed => Err(ClientAuthError::ASSERTION_REPLAYED.into()),
    }
}

/// What a refused redemption does to the code: a replay kills what came of it, a guess counts.
async fn punish(
    ctx: &Ctx,
    client: &AuthenticatedClient,
    hash: CodeHash,
    stored: &StoredCode,
    error: GrantError,
) -> Result<Refused, Refused> {
    let actor = Actor::Client(client.client().id.clone());
    let mut event = ctx
        .origin
        .event(EventType::CodeReplayed, actor, ctx.now())
        .client(&client.client().id)
        .subject(&stored.sub)
        .failed()
        .because(error.to_string());
    event.grant_id = Some(stored.grant.clone());
    let tenant = ctx.origin.tenant.clone();
    if error == GrantError::CodeReplayed {
        // RFC 6749 §4.1.2: the tokens of the first redemption are revoked.
        let replayed = ReplayedCode {
            tenant,
            hash,
            tokens_expire_at: ctx.app.tokens_expire_at(&ctx.tenant, ctx.now()),
            record: Record::of(event).once(client.once()),
        };
        let entries = ctx.app.store.revoke_replayed_code(replayed).await?;
        ctx.app.learn_and_follow(&entries).await?;
    } else if error.counts_against_code() {
        let record = Record { now: ctx.now(), events: Vec::new(), once: client.once().cloned() };
        ctx.app.store.fail_code(&tenant, hash, record).await?;
    }
    Ok(error.into())
}
