//! Client authentication with what the shell has: the stored client, its keys, the throttles.

use std::sync::Arc;

use http::HeaderMap;
use keywright_jose::{JwkSet, VerifyingKeys};
use keywright_protocol::client::authenticate::{AssertionContext, authenticate};
use keywright_protocol::client::{AuthenticatedClient, ClientAuthError, Credentials};
use keywright_protocol::wire::Params;

use crate::endpoint::form::authorization;
use crate::error::Refused;
use crate::router::Ctx;
use crate::tenants::LoadedClient;

/// Reads the credentials of a request.
pub fn credentials(headers: &HeaderMap, params: &Params) -> Result<Credentials, Refused> {
    Ok(Credentials::parse(authorization(headers)?, params)?)
}

/// Proves the client, or counts the guess.
pub async fn prove(ctx: &Ctx, credentials: &Credentials) -> Result<AuthenticatedClient, Refused> {
    let loaded = ctx.tenant.client(credentials.client());
    let (Credentials::SecretBasic(..) | Credentials::SecretPost(..)) = credentials else {
        return Ok(judge(ctx, credentials, loaded.as_deref()).await?);
    };
    // The address is part of the key: nobody can lock a client out from elsewhere.
    let guesser = format!("{}|{}|{}", ctx.origin.tenant, credentials.client(), ctx.address);
    ctx.app.guesses_at_client.attempt(&guesser, ctx.now).map_err(Refused::Throttled)?;
    let verdict = judge(ctx, credentials, loaded.as_deref()).await;
    if verdict.is_ok() {
        ctx.app.guesses_at_client.succeed(&guesser);
    }
    Ok(verdict?)
}

async fn judge(
    ctx: &Ctx,
    credentials: &Credentials,
    loaded: Option<&LoadedClient>,
) -> Result<AuthenticatedClient, ClientAuthError> {
    match loaded {
        Some(loaded) => with_keys(ctx, credentials, loaded).await,
        None => Err(ClientAuthError::UnknownClient),
    }
}

async fn with_keys(
    ctx: &Ctx,
    credentials: &Credentials,
    loaded: &LoadedClient,
) -> Result<AuthenticatedClient, ClientAuthError> {
    let client = Some(Arc::clone(&loaded.client));
    let prove = |keys: &VerifyingKeys| {
        let context = AssertionContext { issuer: ctx.issuer(), keys };
        authenticate(credentials, client, context, ctx.now)
    };
    match (&loaded.client.metadata.jwks_uri, credentials) {
        (Some(uri), Credentials::Assertion { .. }) => {
            let fetched = ctx.app.outbound.fetch_json(uri).await;
            let bytes = fetched.map_err(|error| {
                tracing::warn!(client.id = %loaded.client.id, %error, "jwks_uri is unreachable");
                ClientAuthError::AssertionInvalid("the client's jwks_uri cannot be fetched")
            })?;
            let set = JwkSet::parse(&bytes)
                .map_err(|_| ClientAuthError::AssertionInvalid("the client's keys are malformed"))?;
            prove(&VerifyingKeys::new(&set))
        }
        _ => prove(loaded.inline_keys()),
    }
}
