//! A token for a client of its own.

use bytes::Bytes;
use keywright_protocol::audit::{EventType, Record};
use keywright_protocol::client::{AuthenticatedClient, ClientAuthError};
use keywright_protocol::grant::client_credentials;
use keywright_protocol::policy::approve;
use keywright_protocol::wire::response::Receipt;
use keywright_protocol::wire::token::TokenRequest;
use keywright_store::StoreFault;
use keywright_store::audit::Recorded;

use crate::config::Issuance;
use crate::endpoint::token::{issued_event, mint_for, respond};
use crate::error::{Refused, ServerFault};
use crate::router::Ctx;

pub(super) async fn issue(
    ctx: &Ctx,
    client: &AuthenticatedClient,
    request: &TokenRequest,
) -> Result<Bytes, Refused> {
    let catalog = ctx.tenant.catalog.load();
    let (scope, resources) = (request.scope.as_ref(), &request.resources);
    let plan = client_credentials::decide(client.client(), scope, resources, &catalog)?;
    let approved = approve(plan, client.client())?;
    let mint = mint_for(ctx, approved.plan()).await;
    if mint.earliest_iat_s > ctx.now().as_unix_s() {
        // Something was revoked in this second. What else was done to the client by whoever did
        // that must be known as well: a token that is dated after it would outlive it.
        ctx.app.take_over_changes().await?;
    }
    refuse_changed(ctx, client)?;
    let minted = mint.access(&approved)?;
    let event = issued_event(ctx, EventType::TokenIssued, client, approved.plan(), &minted);
    let record = Record::of(event).once(client.once());
    respond(&minted, commit(ctx, record).await?)
}

/// The client must be the one that was proven: no row says so, and no revocation that this node
/// has not heard of takes what it dates ahead.
fn refuse_changed(ctx: &Ctx, client: &AuthenticatedClient) -> Result<(), StoreFault> {
    let known = ctx.tenant.client(&client.client().id);
    match known.filter(|known| std::ptr::eq(&raw const *known.client, client.client())) {
        Some(_) => Ok(()),
        None => Err(StoreFault::Unavailable("the client was changed meanwhile".to_owned())),
    }
}

/// The event is all there is to store; `audit.issuance` says whether anybody waits for it.
async fn commit(ctx: &Ctx, mut record: Record) -> Result<Receipt, Refused> {
    let buffered = ctx.app.config.load().audit.issuance == Issuance::Buffered;
    // What must be used once is always waited for, and so is a place in a status list.
    let listed = record.events.iter().any(|event| event.listed.is_some());
    if buffered && record.once.is_none() && !listed {
        let event = record.events.pop().map(|event| ctx.app.notebook.event(event));
        match event {
            None => return Err(ServerFault::Internal("a token without its event".into()).into()),
            Some(Ok(())) => return Ok(Receipt::of_buffered_event()),
            // Too many wait: this one waits for the store itself.
            Some(Err(event)) => record.events.push(*event),
        }
    }
    match ctx.app.store.record(record).await? {
        Recorded::Committed(receipt) => Ok(receipt),
        Recorded::AssertionReplayed => Err(ClientAuthError::ASSERTION_REPLAYED.into()),
    }
}
