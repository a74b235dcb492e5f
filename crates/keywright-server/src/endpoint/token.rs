//! The token endpoint: the road of a request, from bytes to receipt.

mod client_credentials;
mod redeem;
mod refresh;

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use http::{Request, StatusCode};
use keywright_protocol::audit::{Actor, AuditEvent, EventType};
use keywright_protocol::client::AuthenticatedClient;
use keywright_protocol::grant::{GrantError, IssuePlan, Principal};
use keywright_protocol::limits::ISSUE_WAIT_MAX;
use keywright_protocol::revocation::RevocationTarget;
use keywright_protocol::time::Timestamp;
use keywright_protocol::wire::response::{Receipt, token_response};
use keywright_protocol::wire::token::{GrantRequest, TokenRequest};

use crate::endpoint::client::{credentials, prove};
use crate::endpoint::form::read_form;
use crate::endpoint::refuse;
use crate::endpoint::response::{json_bytes, no_store};
use crate::error::{Refused, ServerFault};
use crate::explain::Asked;
use crate::mint::{Mint, Minted};
use crate::router::Ctx;

/// Answers `POST /token`, RFC 6749 §3.2.
pub async fn token(ctx: Ctx, request: Request<Body>) -> Response {
    let mut seen = Seen::default();
    match exchange(&ctx, request, &mut seen).await {
        Ok(body) => {
            ctx.app.metrics.token_issued(seen.grant_type);
            no_store(json_bytes(StatusCode::OK, body))
        }
        Err(refused) => {
            ctx.app.metrics.token_refused(seen.grant_type, refused.wire().code.as_str());
            let Seen { client, grant_type } = &seen;
            let asked = Asked { endpoint: "token", client: client.as_deref(), grant_type };
            refuse(&ctx, asked, &refused)
        }
    }
}

/// What is known of a request when it is refused.
struct Seen {
    client: Option<String>,
    grant_type: &'static str,
}

impl Default for Seen {
    fn default() -> Self {
        Self { client: None, grant_type: "unknown" }
    }
}

async fn exchange(ctx: &Ctx, request: Request<Body>, seen: &mut Seen) -> Result<Bytes, Refused> {
    let (params, headers) = read_form(ctx, request).await?;
    let credentials = credentials(&headers, &params)?;
    seen.client = Some(credentials.client().to_string());
    let request = TokenRequest::parse(&params, credentials)?;
    seen.grant_type = request.grant.name();
    // What the client is, and may have of its own, memory alone says.
    ctx.app.hear().await?;
    let client = prove(ctx, &request.credentials).await?;
    // Each grant in a box of its own: together they would make one large future, which is copied
    // at every layer between here and the connection.
    match &request.grant {
        GrantRequest::AuthorizationCode { .. } => {
            Box::pin(redeem::redeem(ctx, &client, &request)).await
        }
        GrantRequest::ClientCredentials => {
            Box::pin(client_credentials::issue(ctx, &client, &request)).await
        }
        GrantRequest::RefreshToken { token } => {
            let token = token.as_ref().ok_or(GrantError::RefreshUnknown)?;
            Box::pin(refresh::refresh(ctx, &client, &request, token)).await
        }
        GrantRequest::Unsupported => Err(GrantError::GrantTypeUnsupported.into()),
    }
}

/// What minting needs for a plan.
///
/// After several revocations the least `iat` that none of them takes may lie more than a second
/// ahead. It is waited for: a token that is dated further ahead could outlive a later revocation
/// (decision 0004). Where another node's clock is wrong, and the wait would be long, the token is
/// dated ahead.
async fn mint_for<'a>(ctx: &'a Ctx, plan: &IssuePlan) -> Mint<'a> {
    let sub = match &plan.principal {
        Principal::Client => plan.client.as_str(),
        Principal::User { sub, .. } => sub.as_str(),
    };
    let tenant = &ctx.origin.tenant;
    let look = || {
        ctx.app.with_revocations(|set| {
            let earliest_iat_s = set.earliest_iat_s(tenant, plan.client.as_str(), sub);
            (earliest_iat_s, set.floor_of(tenant, &RevocationTarget::Tenant))
        })
    };
    let (begun, mut now) = (ctx.app.now(), ctx.now());
    let (mut earliest_iat_s, mut floor) = look();
    loop {
        let wait = Timestamp::from_unix_s(earliest_iat_s.saturating_sub(1)).since(ctx.app.now());
        if wait.is_zero() || ctx.app.now().plus(wait).since(begun) > ISSUE_WAIT_MAX {
            break;
        }
        ctx.app.environment.sleep(wait).await;
        now = ctx.app.now();
        (earliest_iat_s, floor) = look();
    }
    Mint {
        tenant: &ctx.tenant,
        environment: &*ctx.app.environment,
        lifetimes: ctx.app.lifetimes(),
        now,
        earliest_iat_s,
        tenant_floor: floor.map_or(0, |floor| floor.seq),
    }
}

/// The event of an issued token: the lineage is read from these.
fn issued_event(
    ctx: &Ctx,
    event_type: EventType,
    client: &AuthenticatedClient,
    plan: &IssuePlan,
    minted: &Minted,
) -> AuditEvent {
    let id = &client.client().id;
    let mut event = ctx.origin.event(event_type, Actor::Client(id.clone()), ctx.now()).client(id);
    if let Principal::User { sub, grant, session, .. } = &plan.principal {
        event.subject = Some(sub.clone());
        event.grant_id = Some(grant.clone());
        event.session_id.clone_from(session);
    }
    event.jti = Some(minted.jti.clone());
    event.family_id.clone_from(&minted.family);
    event.listed = minted.listed.clone().map(Box::new);
    event.because(format!("scope {}", plan.scope))
}

/// The last stop: nothing without a receipt.
fn respond(minted: &Minted, receipt: Receipt) -> Result<Bytes, Refused> {
    let body = token_response(&minted.tokens, receipt).map_err(ServerFault::from)?;
    Ok(Bytes::from(body))
}
